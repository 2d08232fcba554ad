// SPDX-License-Identifier: Apache-2.0

//! Keeping the time that the instances agree upon (`clock::AgreedClock`).

use std::sync::Arc;
use std::time::Duration;

use ticketbridge_core::Millis;
use ticketbridge_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::clock::{AgreedClock, Clock};

/// How often the time is asked for.
const ASK_EVERY: Millis = Millis::seconds(10);
/// An answer that took longer says little about the time.
const ANSWERS_WITHIN: Duration = Duration::from_millis(250);
/// Shorter sleeps of the machine are errors of measuring.
const SLEPT_MIN: Duration = Duration::from_secs(1);

/// The clock of a service on `store`, kept right until `stop`. A clock that a test owns is left alone.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn agreed(
    store: &Store,
    machine: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<Arc<dyn Clock>, StoreError> {
    if !machine.is_machines() {
        return Ok(machine);
    }
    let at = store.database_time().await?.unwrap_or_else(|| machine.now());
    let off = machine.now() - at;
    if off.0.abs() > 2_000 {
        tracing::warn!(off_ms = off.0, "this machine's clock is not the database's; the database's counts");
    }
    let clock = AgreedClock::starting_at(machine.clone(), at);
    tokio::spawn(keep(clock.clone(), machine, store.clone(), stop));
    Ok(Arc::new(clock))
}

async fn keep(clock: AgreedClock, machine: Arc<dyn Clock>, store: Store, stop: CancellationToken) {
    let mut awake = Awake::since(&*machine);
    loop {
        tokio::select! {
            () = clock.sleep_until(clock.now() + ASK_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let asked = machine.monotonic();
        match store.database_time().await {
            Ok(Some(at)) => {
                let answered = machine.monotonic();
                let took = answered.saturating_sub(asked);
                if took <= ANSWERS_WITHIN {
                    // It was asked for in the middle, as far as anybody knows.
                    clock.learn(at, asked + took / 2);
                }
            }
            Ok(None) => clock.follow_machine(awake.slept(&*machine)),
            Err(error) => tracing::debug!("the database's time cannot be asked for: {error}"),
        }
    }
}

/// How long a machine has been up, and how much of it its monotonic clock has counted.
struct Awake {
    up: Option<Duration>,
    monotonic: Duration,
}

impl Awake {
    fn since(machine: &dyn Clock) -> Self {
        Self { up: uptime(), monotonic: machine.monotonic() }
    }

    /// How long the machine has slept since it was asked last; its monotonic clock stands still meanwhile.
    fn slept(&mut self, machine: &dyn Clock) -> Duration {
        let now = Self::since(machine);
        let slept = match (now.up, self.up) {
            (Some(now_up), Some(up)) => {
                now_up.saturating_sub(up).saturating_sub(now.monotonic.saturating_sub(self.monotonic))
            }
            _ => Duration::ZERO,
        };
        *self = now;
        if slept < SLEPT_MIN { Duration::ZERO } else { slept }
    }
}

/// Time since the machine was started, its sleep included, where the system tells it.
fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split(' ').next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
