// SPDX-License-Identifier: Apache-2.0

//! Real time. A measurement reads it here and nowhere else; tests pause it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

pub(crate) use tokio::time::Instant;

/// The present.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Completes at `at`, or a little later: the timer's grain is a millisecond.
pub(crate) async fn until(at: Instant) {
    tokio::time::sleep_until(at).await;
}

/// Lets time pass.
pub(crate) async fn pause(length: Duration) {
    until(now() + length).await;
}

static SHIFT_MS: AtomicI64 = AtomicI64::new(0);

/// From now on messages bear a time that is so much later than the machine's.
pub(crate) fn shift(ms: i64) {
    SHIFT_MS.store(ms, Ordering::Relaxed);
}

/// Milliseconds since 1970, as messages bear them.
#[expect(clippy::disallowed_methods, reason = "signatures and events carry the machine's time")]
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX) + SHIFT_MS.load(Ordering::Relaxed)
}

/// Today plus so many days, in Shanghai and Seoul alike as far as a benchmark is concerned: eight hours before Greenwich.
pub(crate) fn date_in(days: i64) -> String {
    let seconds = unix_ms() / 1_000 + 8 * 3_600 + days * 86_400;
    chrono::DateTime::from_timestamp(seconds, 0).map(|at| at.format("%Y-%m-%d").to_string()).unwrap_or_default()
}
