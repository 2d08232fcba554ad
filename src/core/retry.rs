// SPDX-License-Identifier: Apache-2.0

//! When a call that did not work is tried again, and what must be asked first. Nothing here waits: the answer is a time.

use serde::{Deserialize, Serialize};

use crate::message::TicketOp;
use crate::time::{Millis, UnixMillis};

/// Time before the end at which the very last try begins: as long as a call may take (`docs/src/contract/configuration.md`).
pub const LAST_TRY_MARGIN: Millis = Millis::seconds(10);

/// How often, and how far apart (`[delivery] backoff`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Tries, the first included; then the call becomes a dead letter.
    pub attempts_max: u32,
    /// Wait after the first try.
    pub first: Millis,
    /// By what each wait is longer than the one before.
    pub factor: f64,
    /// Longest wait, before jitter.
    pub max: Millis,
    /// Share of the wait by which it varies, 0 to 1.
    pub jitter: f64,
}

/// What follows a try that did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    At(UnixMillis),
    /// Do not; a person sees it as a dead letter.
    GiveUp,
}

/// When to try again after `attempts` tries.
///
/// `after` is the partner's `Retry-After`: believed from the backoff's own wait up to twice that or `policy.max`, whichever
/// is longer. `random` is uniform and makes the jitter, both ways around a wait of ours, later only than a wait that the
/// partner asked for. Where the wait would reach beyond `give_up_at`, there is one last try [`LAST_TRY_MARGIN`] before it.
///
/// ```
/// use ticketbridge_core::retry::{Next, RetryPolicy, next_attempt};
/// use ticketbridge_core::{Millis, UnixMillis};
///
/// let policy = RetryPolicy {
///     attempts_max: 3,
///     first: Millis::seconds(1),
///     factor: 2.0,
///     max: Millis::minutes(1),
///     jitter: 0.0,
/// };
/// let now = UnixMillis(0);
/// assert_eq!(next_attempt(&policy, 2, None, now, 0, None), Next::At(now + Millis::seconds(2)));
/// // The partner knows better when it will be back.
/// assert_eq!(next_attempt(&policy, 2, Some(Millis::seconds(30)), now, 0, None), Next::At(now + Millis::seconds(30)));
/// assert_eq!(next_attempt(&policy, 3, None, now, 0, None), Next::GiveUp);
/// ```
pub fn next_attempt(
    policy: &RetryPolicy,
    attempts: u32,
    after: Option<Millis>,
    now: UnixMillis,
    random: u32,
    give_up_at: Option<UnixMillis>,
) -> Next {
    if attempts >= policy.attempts_max {
        return Next::GiveUp;
    }
    let backoff = backoff(policy, attempts);
    let longest = Millis(backoff.0.saturating_mul(2)).max(policy.max);
    let asked = after.map(|wait| wait.clamp(backoff, longest)).filter(|wait| *wait > backoff);
    let position = f64::from(random) / f64::from(u32::MAX);
    let jitter = policy.jitter.clamp(0.0, 1.0);
    let wait = match asked {
        Some(wait) => scaled(wait, 1.0 + jitter * position),
        None => scaled(backoff, 1.0 + jitter * (2.0 * position - 1.0)),
    };
    // Never at once, even where jitter may take the whole wait away.
    let next = now + wait.max(Millis(1));
    match give_up_at.map(|end| end - LAST_TRY_MARGIN) {
        Some(last) if next > last && last > now => Next::At(last),
        Some(last) if next > last => Next::GiveUp,
        _ => Next::At(next),
    }
}

/// The wait after `attempts` tries, without jitter.
fn backoff(policy: &RetryPolicy, attempts: u32) -> Millis {
    let growth = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
    // Beyond what a double holds the power is infinite, and the cap decides.
    scaled(policy.first, policy.factor.max(1.0).powi(growth)).min(policy.max).max(Millis(1))
}

/// `wait` times `by`, to the millisecond; what is too long for the type is its longest.
fn scaled(wait: Millis, by: f64) -> Millis {
    // Waits are far below 2^53 ms, which a double holds exactly, and the cast back saturates.
    Millis((wait.0 as f64 * by).round() as i64)
}

/// How an operation on tickets is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Send the same again.
    Same,
    /// Ask how the reservation stands, and go on from the answer.
    ReadBackFirst,
    /// Neither is safe: a repeat could issue twice, and nobody can be asked. A person must look.
    LeaveToPerson,
}

/// How to repeat `op`. A call that was certainly not carried out is simply sent again, and so is a question. Where the
/// outcome is not known, the truth is asked for; where it cannot be, a cancellation can still be sent again, since it makes
/// nothing void that is not void anyway, and an issue only to a back-end that knows our repeats.
///
/// ```
/// use ticketbridge_core::message::TicketOp;
/// use ticketbridge_core::retry::{Repeat, how_to_repeat};
///
/// // Nobody knows whether the tickets were made, the back-end can be asked, and so it is.
/// assert_eq!(how_to_repeat(TicketOp::Issue, false, true, true), Repeat::ReadBackFirst);
/// assert_eq!(how_to_repeat(TicketOp::Issue, false, false, true), Repeat::LeaveToPerson);
/// // Voiding twice voids nothing that is not void anyway.
/// assert_eq!(how_to_repeat(TicketOp::Cancel, false, false, true), Repeat::Same);
/// ```
pub fn how_to_repeat(op: TicketOp, issue_is_idempotent: bool, can_query: bool, outcome_unknown: bool) -> Repeat {
    match op {
        TicketOp::Query => Repeat::Same,
        TicketOp::Issue | TicketOp::Cancel if !outcome_unknown => Repeat::Same,
        TicketOp::Issue | TicketOp::Cancel if can_query => Repeat::ReadBackFirst,
        TicketOp::Cancel => Repeat::Same,
        TicketOp::Issue if issue_is_idempotent => Repeat::Same,
        TicketOp::Issue => Repeat::LeaveToPerson,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000_000);
    const POLICY: RetryPolicy =
        RetryPolicy { attempts_max: 12, first: Millis::seconds(1), factor: 2.0, max: Millis::minutes(10), jitter: 0.2 };
    /// The middle of the jitter, as near as 32 bits come: less than a millisecond away in the tables below.
    const MIDDLE: u32 = u32::MAX / 2;

    fn wait(policy: &RetryPolicy, attempts: u32, after: Option<i64>, random: u32) -> Option<i64> {
        match next_attempt(policy, attempts, after.map(Millis), NOW, random, None) {
            Next::At(then) => Some((then - NOW).0),
            Next::GiveUp => None,
        }
    }

    #[test]
    fn waits_grow_to_their_cap_and_end() {
        for (attempts, expected) in [
            (0, Some(1_000)),
            (1, Some(1_000)),
            (2, Some(2_000)),
            (3, Some(4_000)),
            (10, Some(512_000)),
            (11, Some(600_000)),
            (12, None),
            (13, None),
            (u32::MAX, None),
        ] {
            assert_eq!(wait(&POLICY, attempts, None, MIDDLE), expected, "{attempts}");
        }
        let endless = RetryPolicy { attempts_max: u32::MAX, ..POLICY };
        assert_eq!(wait(&endless, u32::MAX - 1, None, MIDDLE), Some(600_000));
        let shrinking = RetryPolicy { factor: 0.5, ..POLICY };
        assert_eq!(wait(&shrinking, 5, None, MIDDLE), Some(1_000));
        let none = RetryPolicy { first: Millis(0), ..POLICY };
        assert_eq!(wait(&none, 1, None, MIDDLE), Some(1));
    }

    #[test]
    fn jitter_stays_inside_its_share() {
        for (random, expected) in [(0, 800), (MIDDLE, 1_000), (u32::MAX, 1_200)] {
            assert_eq!(wait(&POLICY, 1, None, random), Some(expected), "{random}");
        }
        let none = RetryPolicy { jitter: 0.0, ..POLICY };
        assert_eq!((wait(&none, 1, None, 0), wait(&none, 1, None, u32::MAX)), (Some(1_000), Some(1_000)));
        let wild = RetryPolicy { jitter: 7.0, ..POLICY };
        assert_eq!((wait(&wild, 1, None, 0), wait(&wild, 1, None, u32::MAX)), (Some(1), Some(2_000)));
    }

    #[test]
    fn retry_after_is_believed_within_bounds() {
        let short = RetryPolicy { max: Millis::seconds(5), ..POLICY };
        for (policy, attempts, after, random, expected) in [
            (&POLICY, 1, 0, 0, 800),
            (&POLICY, 1, -5, MIDDLE, 1_000),
            (&POLICY, 1, 1_000, MIDDLE, 1_000),
            (&POLICY, 1, 30_000, 0, 30_000),
            (&POLICY, 1, 30_000, u32::MAX, 36_000),
            (&POLICY, 1, 600_000, 0, 600_000),
            (&POLICY, 1, 600_001, 0, 600_000),
            (&POLICY, 1, i64::MAX, 0, 600_000),
            // At the cap, twice the wait is more than the cap.
            (&short, 4, 10_000, 0, 10_000),
            (&short, 4, 10_001, 0, 10_000),
        ] {
            assert_eq!(wait(policy, attempts, Some(after), random), Some(expected), "{attempts} {after} {random}");
        }
    }

    #[test]
    fn the_end_allows_exactly_one_last_try() {
        let margin = LAST_TRY_MARGIN.0;
        for (end_in, expected) in [
            (1_000 + margin, Next::At(NOW + Millis(1_000))),
            (999 + margin, Next::At(NOW + Millis(999))),
            (1 + margin, Next::At(NOW + Millis(1))),
            (margin, Next::GiveUp),
            (1, Next::GiveUp),
            (0, Next::GiveUp),
            (-1_000, Next::GiveUp),
        ] {
            let found = next_attempt(&POLICY, 1, None, NOW, MIDDLE, Some(NOW + Millis(end_in)));
            assert_eq!(found, expected, "{end_in}");
        }
        // The last try does not work either: that was it.
        let end = NOW + Millis(500 + margin);
        let Next::At(last) = next_attempt(&POLICY, 1, None, NOW, MIDDLE, Some(end)) else { panic!("one more try") };
        assert_eq!(next_attempt(&POLICY, 2, None, last, 0, Some(end)), Next::GiveUp);
        // Attempts count before the end does.
        assert_eq!(next_attempt(&POLICY, 12, None, NOW, 0, Some(end)), Next::GiveUp);
    }

    #[test]
    fn an_unknown_outcome_is_never_guessed() {
        use Repeat::{LeaveToPerson, ReadBackFirst, Same};
        use TicketOp::{Cancel, Issue, Query};
        for (op, idempotent, can_query, unknown, expected) in [
            (Issue, false, false, false, Same),
            (Issue, false, false, true, LeaveToPerson),
            (Issue, false, true, false, Same),
            (Issue, false, true, true, ReadBackFirst),
            (Issue, true, false, false, Same),
            (Issue, true, false, true, Same),
            (Issue, true, true, false, Same),
            (Issue, true, true, true, ReadBackFirst),
            (Cancel, false, false, false, Same),
            (Cancel, false, false, true, Same),
            (Cancel, false, true, false, Same),
            (Cancel, false, true, true, ReadBackFirst),
            (Cancel, true, false, false, Same),
            (Cancel, true, false, true, Same),
            (Cancel, true, true, false, Same),
            (Cancel, true, true, true, ReadBackFirst),
            (Query, false, false, false, Same),
            (Query, false, false, true, Same),
            (Query, false, true, false, Same),
            (Query, false, true, true, Same),
            (Query, true, false, false, Same),
            (Query, true, false, true, Same),
            (Query, true, true, false, Same),
            (Query, true, true, true, Same),
        ] {
            assert_eq!(
                how_to_repeat(op, idempotent, can_query, unknown),
                expected,
                "{op:?} {idempotent} {can_query} {unknown}"
            );
        }
    }
}
