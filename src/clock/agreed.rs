// SPDX-License-Identifier: Apache-2.0

//! The time that all instances of one database agree upon: leases, due times and deadlines are rows, and a machine whose clock is wrong, or is
//! moved, must not judge them otherwise than the others. On a server database it is the database's time, asked for now and then and counted on
//! by the monotonic clock; on SQLite, which one process has for itself, the machine's time at the start, counted on the same way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use ticketbridge_core::time::{Millis, UnixMillis};

use super::{Clock, naps_until};

/// A machine's clock that is so far from ours was moved, and is followed slowly.
const MOVED: Millis = Millis::seconds(2);
/// Of the time that passes, the part by which a moved clock is followed: one in so many.
const FOLLOW: i64 = 20;

#[derive(Clone, Copy, Debug)]
struct Base {
    at: UnixMillis,
    monotonic: Duration,
}

/// A clock that no move of the machine's own clock moves. Clones are the same clock.
#[derive(Clone)]
pub struct AgreedClock {
    machine: Arc<dyn Clock>,
    base: Arc<Mutex<Base>>,
}

impl AgreedClock {
    /// Shows `at` now.
    pub fn starting_at(machine: Arc<dyn Clock>, at: UnixMillis) -> Self {
        let base = Base { at, monotonic: machine.monotonic() };
        Self { machine, base: Arc::new(Mutex::new(base)) }
    }

    fn base(&self) -> Base {
        // A pair of numbers, replaced as a whole.
        *self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn set(&self, at: UnixMillis, monotonic: Duration) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = Base { at, monotonic };
    }

    /// The database said `at` when the monotonic clock showed `monotonic`.
    pub fn learn(&self, at: UnixMillis, monotonic: Duration) {
        self.set(at, monotonic);
    }

    /// Nobody else knows the time. The machine's clock is followed: at once where it differs little, or where the machine slept for
    /// `slept`; slowly where somebody has moved it.
    pub fn follow_machine(&self, slept: Duration) {
        let (base, monotonic) = (self.base(), self.machine.monotonic());
        let passed = Millis::from_std(monotonic.saturating_sub(base.monotonic));
        let ours = base.at + passed + Millis::from_std(slept);
        let off = self.machine.now() - ours;
        let most = Millis(passed.0 / FOLLOW);
        let step = if off.0.abs() <= MOVED.0 { off } else { off.clamp(Millis(-most.0), most) };
        self.set(ours + step, monotonic);
    }
}

impl Clock for AgreedClock {
    fn now(&self) -> UnixMillis {
        let base = self.base();
        base.at + Millis::from_std(self.machine.monotonic().saturating_sub(base.monotonic))
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }

    fn sleep_until(&self, at: UnixMillis) -> BoxFuture<'static, ()> {
        Box::pin(naps_until(self.clone(), at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_795_233_600_000);
    const HOUR: Millis = Millis::hours(1);

    /// A machine whose two clocks go on their own.
    #[derive(Default)]
    struct Machine(Mutex<(i64, Duration)>);

    impl Machine {
        fn goes_on(&self, seconds: u64) {
            let mut both = self.0.lock().unwrap();
            both.0 += i64::try_from(seconds).unwrap() * 1_000;
            both.1 += Duration::from_secs(seconds);
        }
        fn is_moved(&self, by: Millis) {
            self.0.lock().unwrap().0 += by.0;
        }
    }

    impl Clock for Machine {
        fn now(&self) -> UnixMillis {
            NOON + Millis(self.0.lock().unwrap().0)
        }
        fn monotonic(&self) -> Duration {
            self.0.lock().unwrap().1
        }
        fn sleep_until(&self, _: UnixMillis) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn a_clock_that_is_moved_by_an_hour_moves_nothing() {
        for by in [HOUR, Millis(-HOUR.0)] {
            let machine = Arc::new(Machine::default());
            let clock = AgreedClock::starting_at(machine.clone(), NOON);
            machine.goes_on(60);
            machine.is_moved(by);
            assert_eq!(clock.now(), NOON + Millis::minutes(1));
            clock.follow_machine(Duration::ZERO);
            let after = clock.now();
            assert!((after - (NOON + Millis::minutes(1))).0.abs() <= 3_000, "it is followed slowly: {after:?}");
            for _ in 0..30_000 {
                machine.goes_on(10);
                let before = clock.now();
                clock.follow_machine(Duration::ZERO);
                assert!((clock.now() - before).0.abs() <= 2_000, "never by a leap");
            }
            assert_eq!(clock.now(), machine.now(), "in the end it is right");
        }
    }

    #[test]
    fn what_the_machine_slept_through_has_passed() {
        let machine = Arc::new(Machine::default());
        let clock = AgreedClock::starting_at(machine.clone(), NOON);
        machine.is_moved(HOUR);
        clock.follow_machine(HOUR.to_std());
        assert_eq!(clock.now(), NOON + HOUR);
    }

    #[test]
    fn the_databases_time_is_believed_at_once() {
        let machine = Arc::new(Machine::default());
        machine.is_moved(Millis::seconds(60));
        let clock = AgreedClock::starting_at(machine.clone(), NOON);
        assert_eq!(clock.now(), NOON, "the machine is a minute ahead");
        machine.goes_on(10);
        clock.learn(NOON + Millis(10_040), machine.monotonic());
        machine.goes_on(1);
        assert_eq!(clock.now(), NOON + Millis(11_040));
    }
}
