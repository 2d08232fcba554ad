// SPDX-License-Identifier: Apache-2.0

//! Guessing at passwords and codes is slowed: for an account from one address, and for an address whatever the account. Never for an account
//! alone, or a stranger could keep its owner out. Tries are counted in the database: who is slowed by one instance is slowed by all.

use std::sync::Arc;

use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{Guesses, Store, StoreError, Tx};

use crate::http::caller::Caller;

/// Wrong tries in a row that are not slowed.
const TRIES_FREE: u32 = 5;
/// Wrong tries of one address, whatever the account, that are not slowed.
const ADDRESS_TRIES_FREE: u32 = 20;
/// The wait after the first try too many; each further one doubles it.
const WAIT_FIRST: Millis = Millis::seconds(15);
/// The longest wait. Who has done nothing for so long begins anew.
pub const WAIT_MAX: Millis = Millis::minutes(15);

/// Who tries what: it is counted before it is known whether it is right, so that many at once are many.
#[derive(Clone, Debug)]
pub struct Try {
    /// This account from this address, and this address.
    keys: [String; 2],
}

/// How long is to be waited after so many wrong tries.
fn wait_after(count: u32, free: u32) -> Millis {
    match count.checked_sub(free) {
        None => Millis(0),
        Some(over) => Millis(WAIT_FIRST.0.saturating_mul(1 << over.min(10)).min(WAIT_MAX.0)),
    }
}

/// How long is still to be waited.
fn left(known: Option<Guesses>, free: u32, now: UnixMillis) -> Millis {
    let Some(known) = known else { return Millis(0) };
    let passed = now - known.last;
    if passed >= WAIT_MAX {
        return Millis(0);
    }
    // A clock that was set back makes nobody wait longer than the longest wait.
    Millis((wait_after(known.count, free).0 - passed.0).clamp(0, WAIT_MAX.0))
}

impl Try {
    /// Of somebody at `whose` account or code.
    pub fn of(caller: Caller, whose: &str) -> Self {
        let caller = match caller.counted_as() {
            Caller::Known(address) => address.to_string(),
            Caller::Unknown => "unknown".to_owned(),
        };
        Self { keys: [format!("{caller}/{whose}"), format!("{caller}/")] }
    }

    /// Counts this try, unless there is something to be waited for: so many seconds.
    ///
    /// # Errors
    /// Store errors.
    pub async fn begin(&self, store: &Store, now: UnixMillis) -> Result<Option<u32>, StoreError> {
        let known = store.guesses(&self.keys).await?;
        let wait = [TRIES_FREE, ADDRESS_TRIES_FREE]
            .into_iter()
            .zip(known)
            .map(|(free, known)| left(known, free, now))
            .max()
            .filter(|left| left.0 > 0);
        if let Some(wait) = wait {
            return Ok(Some(u32::try_from((wait.0 + 999) / 1_000).unwrap_or(u32::MAX)));
        }
        let keys = Arc::new(self.keys.clone());
        store
            .write("count_guess", move |tx: &Tx| {
                let keys = keys.clone();
                Box::pin(async move { tx.count_guess(&*keys, WAIT_MAX, now).await })
            })
            .await?;
        Ok(None)
    }

    /// Notes that it was right: what was wrong for this account from there before is forgotten, and this try does not count for the address.
    ///
    /// # Errors
    /// Store errors.
    pub async fn was_right(self, store: &Store) -> Result<(), StoreError> {
        let keys = Arc::new(self.keys);
        store
            .write("forget_guesses", move |tx: &Tx| {
                let keys = keys.clone();
                Box::pin(async move {
                    let [account, address] = &*keys;
                    tx.forget_guesses(account).await?;
                    tx.uncount_guess(address).await
                })
            })
            .await
    }
}

/// Takes what may be tried only once, by whomever and on whichever instance; `false` where it was tried before. Its own limit has to be no longer
/// than [`WAIT_MAX`]: later nobody knows of it any more.
///
/// # Errors
/// Store errors.
pub async fn take_once(store: &Store, what: String, now: UnixMillis) -> Result<bool, StoreError> {
    store
        .write("take_once", move |tx: &Tx| {
            let what = what.clone();
            Box::pin(async move { tx.take_once(&what, now).await })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000_000);

    #[test]
    fn each_further_wrong_try_doubles_the_wait_up_to_a_limit() {
        let at = |count, ago: Millis| left(Some(Guesses { count, last: NOW - ago }), TRIES_FREE, NOW);
        assert_eq!(at(4, Millis(0)), Millis(0));
        assert_eq!(at(5, Millis(0)), Millis::seconds(15));
        assert_eq!(at(5, Millis::seconds(15)), Millis(0));
        assert_eq!(at(6, Millis::seconds(10)), Millis::seconds(20));
        assert_eq!(at(40, Millis(0)), WAIT_MAX);
        assert_eq!(at(40, WAIT_MAX), Millis(0));
        assert_eq!(at(40, Millis::hours(-5)), WAIT_MAX, "the clock was set back");
        assert_eq!(left(None, TRIES_FREE, NOW), Millis(0));
    }

    #[test]
    fn a_try_is_of_an_account_and_an_address_and_never_of_an_account_alone() {
        let known = |text: &str| Caller::Known(text.parse().unwrap());
        let (one, other) = (Try::of(known("203.0.113.9"), "ann"), Try::of(known("198.51.100.7"), "ann"));
        assert!(one.keys.iter().all(|key| !other.keys.contains(key)));
        let bob = Try::of(known("203.0.113.9"), "bob");
        assert_ne!(one.keys[0], bob.keys[0]);
        assert_eq!(one.keys[1], bob.keys[1]);
        // A network of its own counts as one, as everywhere.
        assert_eq!(Try::of(known("2001:db8::1"), "ann").keys, Try::of(known("2001:db8::2"), "ann").keys);
    }
}
