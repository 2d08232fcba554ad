// SPDX-License-Identifier: Apache-2.0

//! In which order things were decided. Two messages that come within a few milliseconds, or one that comes while a call is under way, are
//! decided one after the other, and not always in the order of their coming; a replay has to decide them in the same order.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ticketbridge_core::UnixMillis;

/// Turns in a millisecond of the clock, as far as that many are needed.
pub(crate) const TURNS_PER_MS: i64 = 1_000;
/// A clock that was put back by more than this begins anew.
const PUT_BACK: i64 = 60_000 * TURNS_PER_MS;

/// Gives out turns: each is later than the one before, and about the time of the clock in microseconds.
#[derive(Debug, Default)]
pub struct Turns(AtomicI64);

impl Turns {
    /// The next turn.
    pub fn next(&self, now: UnixMillis) -> i64 {
        let now = now.0.saturating_mul(TURNS_PER_MS);
        let next = |last: i64| if last - now > PUT_BACK { now } else { now.max(last + 1) };
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last))) {
            Ok(last) | Err(last) => next(last),
        }
    }
}

/// The turn in which something was decided, once it is. Cheap to clone: the clones are one.
#[derive(Clone, Debug, Default)]
pub struct Decided(Arc<AtomicI64>);

impl Decided {
    /// It was decided in this turn. Noted while everything is locked that it depends on; what is carried out again takes another one.
    pub fn note(&self, turn: i64) {
        self.0.store(turn, Ordering::Release);
    }
    /// The turn, if it was.
    pub fn turn(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Acquire)).filter(|turn| *turn != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_rise_and_follow_the_clock() {
        let turns = Turns::default();
        let (first, second) = (turns.next(UnixMillis(5)), turns.next(UnixMillis(5)));
        assert_eq!((first, second), (5_000, 5_001));
        assert_eq!(turns.next(UnixMillis(7)), 7_000);
        assert_eq!(turns.next(UnixMillis(6)), 7_001, "a clock that is put back a little");
        let far = UnixMillis(1_000_000);
        assert_eq!((turns.next(far), turns.next(UnixMillis(3))), (1_000_000_000, 3_000), "and one that begins anew");
    }
}
