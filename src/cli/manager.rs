// SPDX-License-Identifier: Apache-2.0

//! What a service manager is told (`sd_notify(3)`): started, stopping, alive. Without one nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Tells the service manager. One that does not listen is no reason to stop.
pub(super) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told how the service fares");
    }
}

/// The sign of life that a service manager with a watchdog waits for; given by the loop that hears signals, twice in its time.
pub(super) struct Watchdog(Option<Interval>);

impl Watchdog {
    /// As the service manager asked for it, in `WATCHDOG_USEC`.
    pub(super) fn of_process() -> Watchdog {
        Watchdog::every(sd_notify::watchdog_enabled())
    }

    fn every(limit: Option<Duration>) -> Watchdog {
        Watchdog(limit.map(|limit| limit / 2).filter(|half| !half.is_zero()).map(|half| {
            let mut interval = interval(half);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        }))
    }

    /// Waits until a sign is due; for ever where none is asked for.
    pub(super) async fn due(&mut self) {
        match &mut self.0 {
            Some(interval) => drop(interval.tick().await),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sign_is_given_twice_in_the_managers_time_and_never_unasked() {
        let mut watchdog = Watchdog::every(Some(Duration::from_secs(30)));
        watchdog.due().await;
        let before = tokio::time::Instant::now();
        watchdog.due().await;
        assert_eq!(before.elapsed(), Duration::from_secs(15));
        let mut unasked = Watchdog::every(None);
        let waited = tokio::time::timeout(Duration::from_secs(3_600), unasked.due()).await;
        assert!(waited.is_err());
    }
}
