//! Guessing at passwords and codes is slowed: for an account from one address, and for an address whatever the account. Never for an account
//! alone, or a stranger could keep its owner out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::http::caller::Caller;

/// Wrong tries in a row that are not slowed.
const TRIES_FREE: u32 = 5;
/// Wrong tries of one address, whatever the account, that are not slowed.
const ADDRESS_TRIES_FREE: u32 = 20;
/// The wait after the first try too many; each further one doubles it.
const WAIT_FIRST: Duration = Duration::from_secs(15);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// What is remembered at most; more at once are one.
const KEPT_MAX: usize = 100_000;

#[derive(Clone, Copy, Debug, Default)]
struct Wrong {
    count: u32,
    last: Duration,
}

/// Wrong tries. Times are monotonic.
#[derive(Debug, Default)]
pub struct Guessing {
    wrong: Mutex<HashMap<(Caller, Option<String>), Wrong>>,
}

fn wait_after(count: u32, free: u32) -> Duration {
    match count.checked_sub(free) {
        None => Duration::ZERO,
        Some(over) => WAIT_FIRST.saturating_mul(1 << over.min(10)).min(WAIT_MAX),
    }
}

impl Guessing {
    /// How many seconds `caller` has to wait before he may try this account again; `None` when he may.
    pub fn wait(&self, caller: Caller, account: &str, now: Duration) -> Option<u32> {
        let caller = caller.counted_as();
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |key: (Caller, Option<String>), free| {
            let known = wrong.get(&key)?;
            (known.last + wait_after(known.count, free)).checked_sub(now).filter(|left| !left.is_zero())
        };
        let left =
            left((caller, Some(account.to_owned())), TRIES_FREE).max(left((caller, None), ADDRESS_TRIES_FREE))?;
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Some(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// Notes that a try was wrong.
    pub fn was_wrong(&self, caller: Caller, account: &str, now: Duration) {
        let caller = caller.counted_as();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= KEPT_MAX {
            wrong.retain(|_, known| now.saturating_sub(known.last) < WAIT_MAX);
        }
        for key in [(caller, Some(account.to_owned())), (caller, None)] {
            if wrong.len() >= KEPT_MAX && !wrong.contains_key(&key) {
                continue;
            }
            let known = wrong.entry(key).or_default();
            // Who has done nothing for as long as the longest wait begins anew.
            if now.saturating_sub(known.last) >= WAIT_MAX {
                known.count = 0;
            }
            (known.count, known.last) = (known.count.saturating_add(1), now);
        }
    }

    /// Notes that a try was right: what was wrong for this account from there before is forgotten.
    pub fn was_right(&self, caller: Caller, account: &str) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.remove(&(caller.counted_as(), Some(account.to_owned())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Caller {
        Caller::Known(text.parse().unwrap())
    }

    #[test]
    fn guessing_is_slowed_from_where_it_comes_and_nowhere_else() {
        let (guesser, owner) = (at("203.0.113.9"), at("198.51.100.7"));
        let guessing = Guessing::default();
        let mut now = Duration::from_secs(1_000);
        for _ in 0..TRIES_FREE {
            assert_eq!(guessing.wait(guesser, "ann", now), None);
            guessing.was_wrong(guesser, "ann", now);
        }
        assert_eq!(guessing.wait(guesser, "ann", now), Some(15));
        assert_eq!(guessing.wait(owner, "ann", now), None, "its owner signs in from elsewhere");
        assert_eq!(guessing.wait(guesser, "bob", now), None);
        now += Duration::from_secs(15);
        assert_eq!(guessing.wait(guesser, "ann", now), None);
        guessing.was_wrong(guesser, "ann", now);
        assert_eq!(guessing.wait(guesser, "ann", now), Some(30));
        guessing.was_right(guesser, "ann");
        assert_eq!(guessing.wait(guesser, "ann", now), None);
    }

    #[test]
    fn one_address_that_tries_many_accounts_is_slowed_too() {
        let (guesser, guessing, now) = (at("203.0.113.9"), Guessing::default(), Duration::from_secs(1_000));
        for n in 0..ADDRESS_TRIES_FREE {
            guessing.was_wrong(guesser, &format!("a{n}"), now);
        }
        assert_eq!(guessing.wait(guesser, "somebody else", now), Some(15));
        assert_eq!(guessing.wait(guesser, "somebody else", now + WAIT_MAX), None);
    }
}
