//! How often a caller comes, and how often it guesses.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::DashMapStateStore};

use crate::http::caller::Caller;

type Limiter = RateLimiter<(String, Caller), DashMapStateStore<(String, Caller)>, DefaultClock>;

/// Callers remembered before those who have not called for a while are forgotten.
const CALLERS_KEPT: usize = 10_000;
/// Tokens that open nothing which one caller may present within [`GUESSES_WITHIN`] of the first.
pub const GUESSES_MAX: u32 = 20;
/// After so many the right token is refused as well, or guessing on would pay.
const GUESSES_TO_CLOSE: u32 = 1_000;
/// See [`GUESSES_MAX`].
pub const GUESSES_WITHIN: Duration = Duration::from_secs(60);
/// How long a holder who was let in from an address is not kept waiting for the wrong guesses of others at that address.
const TRUSTED_FOR: Duration = Duration::from_secs(12 * 60 * 60);

/// Counts requests of each caller to each partner's address.
#[derive(Default)]
pub struct Callers {
    limiters: Mutex<HashMap<u32, Arc<Limiter>>>,
    guesses: Mutex<Guesses>,
}

impl Callers {
    /// Whether this caller may make one more request to `partner` now, at `per_second`. Callers that are unknown count as one.
    pub fn admit(&self, partner: &str, caller: Caller, per_second: u32) -> bool {
        let Some(rate) = NonZeroU32::new(per_second) else { return true };
        let limiter = {
            let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
            limiters
                .entry(per_second)
                .or_insert_with(|| Arc::new(RateLimiter::dashmap(Quota::per_second(rate))))
                .clone()
        };
        if limiter.len() > CALLERS_KEPT {
            limiter.retain_recent();
        }
        limiter.check_key(&(partner.to_owned(), caller.counted_as())).is_ok()
    }

    /// Who has presented tokens that open nothing.
    pub(crate) fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tokens that opened nothing, by caller. A holder at the same address works on, unless there have been very many and the holder has
/// not been let in from there before. Times are monotonic.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    wrong: HashMap<Caller, Wrong>,
    let_in: HashMap<(Caller, String), Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Wrong {
    count: u32,
    until: Duration,
}

impl Guesses {
    /// How long `caller` has to wait, with the token of `holder` or with one that opens nothing; `None` when it need not.
    pub(crate) fn wait(&self, caller: Caller, holder: Option<&str>, now: Duration) -> Option<Duration> {
        let caller = caller.counted_as();
        let wrong = self.wrong.get(&caller).filter(|wrong| wrong.until > now)?;
        let most = if holder.is_some() { GUESSES_TO_CLOSE } else { GUESSES_MAX };
        if wrong.count < most {
            return None;
        }
        let is_trusted = holder.is_some_and(|holder| {
            self.let_in.get(&(caller, holder.to_owned())).is_some_and(|at| now.saturating_sub(*at) < TRUSTED_FOR)
        });
        (!is_trusted).then(|| wrong.until.saturating_sub(now))
    }

    /// Notes that a token opened nothing.
    pub(crate) fn was_wrong(&mut self, caller: Caller, now: Duration) {
        if self.wrong.len() >= CALLERS_KEPT {
            self.wrong.retain(|_, wrong| wrong.until > now);
        }
        let caller = match caller.counted_as() {
            // So many guess at once that they cannot be told apart any more: the rest counts as one.
            new if self.wrong.len() >= CALLERS_KEPT && !self.wrong.contains_key(&new) => Caller::Unknown,
            known => known,
        };
        let fresh = Wrong { count: 0, until: now + GUESSES_WITHIN };
        let wrong = self.wrong.entry(caller).or_insert(fresh);
        if wrong.until <= now {
            *wrong = fresh;
        }
        wrong.count = wrong.count.saturating_add(1);
    }

    /// Notes that the holder of a token was let in.
    pub(crate) fn was_right(&mut self, caller: Caller, holder: &str, now: Duration) {
        if self.let_in.len() >= CALLERS_KEPT {
            self.let_in.retain(|_, at| now.saturating_sub(*at) < TRUSTED_FOR);
        }
        if self.let_in.len() < CALLERS_KEPT {
            self.let_in.insert((caller.counted_as(), holder.to_owned()), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Caller {
        Caller::Known(text.parse().unwrap())
    }

    #[test]
    fn a_caller_above_its_rate_is_not_admitted_and_others_are() {
        let callers = Callers::default();
        let (one, other) = (at("203.0.113.9"), at("203.0.113.10"));
        let admitted = (0..50).filter(|_| callers.admit("douyin-main", one, 5)).count();
        assert!((5..=7).contains(&admitted), "{admitted} of 50 at 5 a second");
        assert!(callers.admit("douyin-main", other, 5));
        let admitted = (0..50).filter(|_| callers.admit("douyin-main", Caller::Unknown, 5)).count();
        assert!((5..=7).contains(&admitted), "all who are unknown count as one: {admitted}");
    }

    #[test]
    fn guessing_is_stopped_for_a_while_and_for_the_guesser_only() {
        let (guesser, other) = (at("203.0.113.9"), at("203.0.113.10"));
        let mut guesses = Guesses::default();
        let now = Duration::from_secs(1_000);
        guesses.was_right(guesser, "ops", now);
        for _ in 0..GUESSES_MAX {
            assert_eq!(guesses.wait(guesser, None, now), None);
            guesses.was_wrong(guesser, now);
        }
        assert_eq!(guesses.wait(guesser, None, now), Some(GUESSES_WITHIN));
        assert_eq!(guesses.wait(guesser, Some("money"), now), None, "a neighbour works on");
        for _ in GUESSES_MAX..GUESSES_TO_CLOSE {
            guesses.was_wrong(guesser, now);
        }
        let closed = guesses.wait(guesser, Some("money"), now);
        assert_eq!(closed, Some(GUESSES_WITHIN), "a right guess does not pay either");
        assert_eq!(guesses.wait(guesser, Some("ops"), now), None, "who has been let in from there is");
        assert_eq!(guesses.wait(other, None, now), None);
        let later = now + GUESSES_WITHIN;
        assert_eq!(guesses.wait(guesser, None, later - Duration::from_millis(1)), Some(Duration::from_millis(1)));
        assert_eq!(guesses.wait(guesser, None, later), None);
        guesses.was_wrong(guesser, later);
        assert_eq!(guesses.wait(guesser, None, later), None, "the count begins anew");
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut guesses = Guesses::default();
        let now = Duration::from_secs(1_000);
        let addresses =
            (0..u32::try_from(CALLERS_KEPT).unwrap() + 10).map(|n| Caller::Known(std::net::Ipv4Addr::from(n).into()));
        for address in addresses {
            guesses.was_wrong(address, now);
            guesses.was_right(address, "ops", now);
        }
        assert!(guesses.wrong.len() <= CALLERS_KEPT + 1 && guesses.let_in.len() <= CALLERS_KEPT);
    }
}
