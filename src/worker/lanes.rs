//! Lanes: how much goes to one destination at once, and whether it goes at all.
//!
//! A destination that fails several times in a row is left alone for a while (its breaker is open), then tried with one call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ticketbridge_core::{Millis, UnixMillis};

/// Calls to one destination at once.
pub const CALLS_AT_ONCE: u32 = 16;
/// Failures in a row that open a breaker.
pub const FAILURES_TO_OPEN: u32 = 5;
/// How long a breaker stays open the first time; twice as long each time it opens again, up to [`OPEN_MAX`].
const OPEN_FIRST: Millis = Millis::seconds(2);
/// Longest time a breaker stays open.
const OPEN_MAX: Millis = Millis::seconds(30);

/// Whether calls go to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// They do.
    Closed,
    /// They do not, until this time.
    Open(UnixMillis),
    /// One does, to see.
    HalfOpen,
}

impl Breaker {
    /// The word for it in the ops interface.
    pub fn word(self) -> &'static str {
        match self {
            Breaker::Closed => "closed",
            Breaker::Open(_) => "open",
            Breaker::HalfOpen => "half_open",
        }
    }
}

/// How one destination fares.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Calls under way.
    pub in_flight: u32,
    /// Its breaker.
    pub breaker: Breaker,
    /// When it last answered as it should.
    pub last_ok_at: Option<UnixMillis>,
    /// What it last did wrong.
    pub last_error: Option<String>,
    failures: u32,
    openings: u32,
}

impl Default for Lane {
    fn default() -> Self {
        Self { in_flight: 0, breaker: Breaker::Closed, last_ok_at: None, last_error: None, failures: 0, openings: 0 }
    }
}

/// The lanes of this instance.
#[derive(Default)]
pub struct Lanes {
    lanes: Mutex<HashMap<String, Lane>>,
}

/// A place in a lane, given back when dropped.
pub struct Seat {
    lanes: Arc<Lanes>,
    destination: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(lane) = self.lanes.all().get_mut(&self.destination) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
        }
    }
}

impl Lanes {
    /// No lanes yet; each begins with the first call.
    pub fn new() -> Self {
        Self::default()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How one destination fares.
    pub fn lane(&self, destination: &str) -> Lane {
        self.all().get(destination).cloned().unwrap_or_default()
    }

    /// Destinations with limited room, and how many more calls each takes. Others take [`CALLS_AT_ONCE`].
    pub fn room(&self, now: UnixMillis) -> Vec<(String, u32)> {
        self.all().iter().map(|(name, lane)| (name.clone(), lane.room(now))).collect()
    }

    /// Destinations that take nothing now.
    pub fn full(&self, now: UnixMillis) -> Vec<String> {
        self.room(now).into_iter().filter(|(_, room)| *room == 0).map(|(name, _)| name).collect()
    }

    /// When the next breaker may be tried.
    pub fn next_opening(&self, now: UnixMillis) -> Option<UnixMillis> {
        let lanes = self.all();
        let times = lanes.values().filter_map(|lane| match lane.breaker {
            Breaker::Open(until) if until > now => Some(until),
            Breaker::Open(_) | Breaker::Closed | Breaker::HalfOpen => None,
        });
        times.min()
    }

    /// Takes a place.
    pub fn enter(self: &Arc<Self>, destination: &str) -> Seat {
        let mut lanes = self.all();
        let lane = lanes.entry(destination.to_owned()).or_default();
        lane.in_flight += 1;
        if let Breaker::Open(_) = lane.breaker {
            lane.breaker = Breaker::HalfOpen;
        }
        Seat { lanes: self.clone(), destination: destination.to_owned() }
    }

    /// The destination answered as it should, even if the answer was a refusal.
    pub fn succeeded(&self, destination: &str, now: UnixMillis) {
        let mut lanes = self.all();
        let lane = lanes.entry(destination.to_owned()).or_default();
        lane.breaker = Breaker::Closed;
        lane.failures = 0;
        lane.openings = 0;
        lane.last_ok_at = Some(now);
    }

    /// The destination did not answer, or not as it should.
    pub fn failed(&self, destination: &str, why: &str, now: UnixMillis) {
        let mut lanes = self.all();
        let lane = lanes.entry(destination.to_owned()).or_default();
        lane.failures += 1;
        lane.last_error = Some(why.to_owned());
        // Calls that were under way when it opened tell nothing new: only a trial may prolong it.
        if matches!(lane.breaker, Breaker::Open(until) if until > now) {
            return;
        }
        if lane.failures >= FAILURES_TO_OPEN || lane.breaker == Breaker::HalfOpen {
            let length = Millis(OPEN_FIRST.0 << lane.openings.min(8)).min(OPEN_MAX);
            lane.openings += 1;
            lane.breaker = Breaker::Open(now + length);
            tracing::warn!(destination, failures = lane.failures, open_ms = length.0, "the breaker opens: {why}");
        }
    }
}

impl Lane {
    fn room(&self, now: UnixMillis) -> u32 {
        match self.breaker {
            Breaker::Closed => CALLS_AT_ONCE.saturating_sub(self.in_flight),
            Breaker::Open(until) if until > now => 0,
            Breaker::Open(_) | Breaker::HalfOpen => 1_u32.saturating_sub(self.in_flight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_opens_after_failures_in_a_row_and_lets_one_call_try() {
        let lanes = Arc::new(Lanes::new());
        let now = UnixMillis(1_000);
        for _ in 0..FAILURES_TO_OPEN - 1 {
            lanes.failed("backend:gate", "hangs", now);
        }
        assert_eq!(lanes.lane("backend:gate").breaker, Breaker::Closed);
        lanes.failed("backend:gate", "hangs", now);
        assert_eq!(lanes.full(now), ["backend:gate"]);
        for _ in 0..CALLS_AT_ONCE {
            lanes.failed("backend:gate", "hangs", now);
        }
        assert_eq!(
            lanes.lane("backend:gate").breaker,
            Breaker::Open(now + OPEN_FIRST),
            "what was under way counts once"
        );
        let later = now + OPEN_FIRST;
        assert_eq!(lanes.room(later), [("backend:gate".to_owned(), 1)]);
        let seat = lanes.enter("backend:gate");
        assert_eq!(lanes.room(later), [("backend:gate".to_owned(), 0)], "one call tries, no second");
        lanes.failed("backend:gate", "hangs", later);
        drop(seat);
        assert_eq!(lanes.lane("backend:gate").breaker, Breaker::Open(later + Millis(OPEN_FIRST.0 * 2)));
        lanes.succeeded("backend:gate", later);
        assert_eq!(lanes.lane("backend:gate").breaker, Breaker::Closed);
    }
}
