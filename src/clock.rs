// SPDX-License-Identifier: Apache-2.0

//! Time and randomness: the only place that reads either. Everything else takes a [`Clock`] and [`Ids`], so that tests own both.

mod agreed;
pub(crate) mod timekeeping;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::BoxFuture;
use ticketbridge_core::id::Seed;
use ticketbridge_core::time::{Millis, UnixMillis};
use tokio::sync::watch;
use uuid::{ContextV7, Timestamp, Uuid};

pub use agreed::AgreedClock;

/// The longest uninterrupted nap of [`SystemClock::sleep_until`]: a machine's clock that is put right is noticed within it.
const NAP_MAX: Duration = Duration::from_secs(30);

/// A clock.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> UnixMillis;
    /// The time outside, which an authenticator in somebody's hand shows too: another one than [`Clock::now`] only where a clock is shown
    /// on purpose.
    fn outside(&self) -> UnixMillis {
        self.now()
    }
    /// Time since some moment in the past that never goes back: for measuring how long something took.
    fn monotonic(&self) -> Duration;
    /// Completes once [`Clock::now`] is `at` or later. Dropping it is free of consequences.
    fn sleep_until(&self, at: UnixMillis) -> BoxFuture<'static, ()>;
    /// Whether this is the clock of the machine, which anybody may move, and not one that is shown on purpose.
    fn is_machines(&self) -> bool {
        false
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the place where the machine's time is read")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}
impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place where the machine's time is read")]
    fn now(&self) -> UnixMillis {
        // Before 1970, or after the year 292,000,000: a machine without a clock.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn is_machines(&self) -> bool {
        true
    }

    fn sleep_until(&self, at: UnixMillis) -> BoxFuture<'static, ()> {
        Box::pin(naps_until(*self, at))
    }
}

/// Waits in naps: `clock` may be set meanwhile.
async fn naps_until(clock: impl Clock, at: UnixMillis) {
    loop {
        let left = at - clock.now();
        if left <= Millis(0) {
            return;
        }
        nap(left.to_std().min(NAP_MAX)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place where waiting is done")]
async fn nap(length: Duration) {
    tokio::time::sleep(length).await;
}

/// The machine's clock, moved to another day: a demonstration always begins on the same one.
#[derive(Debug)]
pub struct ShiftedClock {
    clock: SystemClock,
    by: Millis,
}

impl ShiftedClock {
    /// A clock that shows `begin` now, and goes on from there.
    pub fn starting_at(begin: UnixMillis) -> Self {
        let clock = SystemClock::new();
        let by = begin - clock.now();
        Self { clock, by }
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> UnixMillis {
        self.clock.now() + self.by
    }

    fn outside(&self) -> UnixMillis {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep_until(&self, at: UnixMillis) -> BoxFuture<'static, ()> {
        self.clock.sleep_until(at - self.by)
    }
}

/// A clock that stands still until it is moved. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct TestClock {
    time: Arc<watch::Sender<TestTime>>,
    sleepers: Arc<Mutex<Sleepers>>,
}

/// Who sleeps, each until his time.
#[derive(Debug, Default)]
struct Sleepers {
    until: HashMap<u64, UnixMillis>,
    last: u64,
}

/// One of them, until it is dropped.
struct Asleep {
    sleepers: Arc<Mutex<Sleepers>>,
    number: u64,
}

impl Asleep {
    fn until(at: UnixMillis, sleepers: &Arc<Mutex<Sleepers>>) -> Self {
        let mut all = sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        all.last += 1;
        let number = all.last;
        all.until.insert(number, at);
        Self { sleepers: sleepers.clone(), number }
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).until.remove(&self.number);
    }
}

#[derive(Clone, Copy, Debug)]
struct TestTime {
    now: UnixMillis,
    monotonic: Duration,
}

impl TestClock {
    /// A clock that shows `now`.
    pub fn at(now: UnixMillis) -> Self {
        let time = Arc::new(watch::Sender::new(TestTime { now, monotonic: Duration::ZERO }));
        Self { time, sleepers: Arc::default() }
    }

    /// Moves the clock forward by `length` and wakes whoever slept until then.
    pub fn advance(&self, length: Millis) {
        self.time.send_modify(|time| {
            time.now = time.now + length;
            time.monotonic += length.to_std();
        });
    }

    /// Puts the clock to `now`, also back, as happens to a machine's clock. Monotonic time follows forwards only.
    pub fn set(&self, now: UnixMillis) {
        self.time.send_modify(|time| {
            time.monotonic += (now - time.now).to_std();
            time.now = now;
        });
    }

    /// How many sleep on this clock whose time has not come.
    pub fn sleepers(&self) -> usize {
        let now = self.now();
        let all = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        all.until.values().filter(|until| **until > now).count()
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        self.time.borrow().now
    }

    fn monotonic(&self) -> Duration {
        self.time.borrow().monotonic
    }

    fn sleep_until(&self, at: UnixMillis) -> BoxFuture<'static, ()> {
        // Subscribed now, not when first polled: no move in between is missed.
        let mut time = self.time.subscribe();
        let asleep = Asleep::until(at, &self.sleepers);
        Box::pin(async move {
            let _asleep = asleep;
            if time.wait_for(|time| time.now >= at).await.is_err() {
                // The clock is gone: it will never be that late.
                std::future::pending::<()>().await;
            }
        })
    }
}

/// Where identifiers and random bytes come from.
pub trait Ids: Send + Sync {
    /// Material for identifiers: unique, and each greater than the one before.
    fn seed(&self) -> Seed;
    /// 16 random bytes.
    fn nonce(&self) -> [u8; 16];
}

/// Identifiers that are time-ordered UUIDs (version 7), rising also within a millisecond and when the clock goes back.
pub struct SystemIds {
    clock: Arc<dyn Clock>,
    context: Mutex<ContextV7>,
}

impl SystemIds {
    /// Identifiers by the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, context: Mutex::new(ContextV7::new()) }
    }
}

impl Ids for SystemIds {
    fn seed(&self) -> Seed {
        let now_ms = u64::try_from(self.clock.now().0).unwrap_or(0);
        let nanos = u32::try_from(now_ms % 1_000).unwrap_or(0) * 1_000_000;
        // The counter inside is whole after every step, whoever panicked.
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        Seed(Uuid::new_v7(Timestamp::from_unix(&*context, now_ms / 1_000, nanos)).as_u128())
    }

    fn nonce(&self) -> [u8; 16] {
        rand::random()
    }
}

/// Bits of room between two seeds of [`TestIds`].
const ROOM_BITS: u32 = 16;

/// Identifiers that count: the same start gives the same identifiers.
#[derive(Debug)]
pub struct TestIds {
    start: u64,
    seeds: AtomicU64,
    nonces: AtomicU64,
}

impl TestIds {
    /// Counts from one; two instances of a test with different `start` never make the same identifier.
    pub fn starting_at(start: u64) -> Self {
        Self { start, seeds: AtomicU64::new(0), nonces: AtomicU64::new(0) }
    }

    fn pair(&self, counter: &AtomicU64) -> u128 {
        let count = counter.fetch_add(1, Ordering::Relaxed) + 1;
        u128::from(self.start) << 64 | u128::from(count)
    }
}

impl Ids for TestIds {
    fn seed(&self) -> Seed {
        // A command that leads to others counts on from its seed; the next seed lies beyond, as a real one does.
        let pair = self.pair(&self.seeds);
        Seed((pair >> 64) << 64 | (pair & u128::from(u64::MAX)) << ROOM_BITS)
    }

    fn nonce(&self) -> [u8; 16] {
        self.pair(&self.nonces).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::collections::BTreeSet;

    const NOON: UnixMillis = UnixMillis(1_795_233_600_000);

    #[test]
    fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let clock = TestClock::at(NOON);
        let mut sleep = clock.sleep_until(NOON + Millis::seconds(10));
        assert_eq!(clock.sleepers(), 1);
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Millis(9_999));
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Millis(1));
        assert!(sleep.now_or_never().is_some());
        assert_eq!(clock.sleepers(), 0);
    }

    #[test]
    fn a_time_that_has_passed_is_not_waited_for() {
        let clock = TestClock::at(NOON);
        assert!(clock.sleep_until(NOON).now_or_never().is_some());
        assert!(clock.sleep_until(NOON - Millis(1)).now_or_never().is_some());
        // A move between making the sleep and polling it is seen.
        let sleep = clock.sleep_until(NOON + Millis(1));
        clock.advance(Millis(1));
        assert!(sleep.now_or_never().is_some());
    }

    #[tokio::test]
    async fn sleepers_on_other_tasks_are_woken() {
        let clock = TestClock::at(NOON);
        let tasks: Vec<_> = (1..=3).map(|n| tokio::spawn(clock.sleep_until(NOON + Millis::minutes(n)))).collect();
        clock.set(NOON + Millis::minutes(3));
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[test]
    fn a_test_clock_can_be_put_back_and_still_measures_forwards() {
        let clock = TestClock::at(NOON);
        clock.advance(Millis::seconds(5));
        clock.set(NOON);
        assert_eq!((clock.now(), clock.monotonic()), (NOON, Duration::from_secs(5)));
        clock.set(NOON + Millis::seconds(2));
        assert_eq!(clock.clone().monotonic(), Duration::from_secs(7));
    }

    #[test]
    fn a_clock_that_is_gone_wakes_nobody() {
        let clock = TestClock::at(NOON);
        let sleep = clock.sleep_until(NOON + Millis(1));
        drop(clock);
        assert!(sleep.now_or_never().is_none());
    }

    #[tokio::test]
    async fn the_machines_clock_goes_forward() {
        let clock = SystemClock::new();
        let (now, measured) = (clock.now(), clock.monotonic());
        assert!(now > UnixMillis(1_700_000_000_000), "{now:?}");
        clock.sleep_until(now + Millis(5)).await;
        assert!(clock.now() >= now + Millis(5));
        assert!(clock.monotonic() > measured);
        clock.sleep_until(now).await;
    }

    #[test]
    fn a_clock_that_is_shown_on_purpose_knows_the_time_outside() {
        let (shown, machine) = (ShiftedClock::starting_at(NOON + Millis::hours(10_000)), SystemClock::new());
        assert!((shown.outside() - machine.now()).0.abs() < 60_000, "an authenticator shows the machine's time");
        assert!((shown.now() - (NOON + Millis::hours(10_000))).0.abs() < 60_000);
    }

    #[test]
    fn identifiers_rise_within_a_millisecond_and_when_the_clock_goes_back() {
        let clock = TestClock::at(NOON);
        let ids = SystemIds::new(Arc::new(clock.clone()));
        let mut seeds: Vec<Seed> = (0..1_000).map(|_| ids.seed()).collect();
        clock.set(NOON - Millis::hours(1));
        seeds.extend((0..1_000).map(|_| ids.seed()));
        clock.set(NOON + Millis(1));
        seeds.extend((0..1_000).map(|_| ids.seed()));
        assert!(seeds.windows(2).all(|pair| pair[0] < pair[1]));
        let first = Uuid::from_u128(seeds[0].0);
        assert_eq!(first.get_version_num(), 7);
        assert_eq!(i128::try_from(seeds[0].0 >> 80).unwrap(), i128::from(NOON.0));
        assert_eq!(seeds[0].order().as_str().len(), "ord_".len() + 32);
    }

    #[test]
    fn two_machines_never_make_the_same_identifier() {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::at(NOON));
        let machines = [SystemIds::new(clock.clone()), SystemIds::new(clock)];
        let all: BTreeSet<Seed> = machines.iter().flat_map(|ids| (0..500).map(|_| ids.seed())).collect();
        assert_eq!(all.len(), 1_000);
        assert_ne!(machines[0].nonce(), machines[0].nonce());
    }

    #[test]
    fn test_identifiers_repeat_from_the_same_start() {
        let (a, b, other) = (TestIds::starting_at(7), TestIds::starting_at(7), TestIds::starting_at(8));
        // Nonces do not disturb identifiers.
        a.nonce();
        let seeds = [a.seed(), a.seed()];
        assert_eq!(seeds, [b.seed(), b.seed()]);
        assert!(seeds[0] < seeds[1]);
        assert_ne!(other.seed(), seeds[0]);
        assert_eq!(a.nonce()[15], 2);
    }
}
