// SPDX-License-Identifier: Apache-2.0

//! Who is to be woken after a commit: what it left to be done, and from when.
//!
//! A transaction knows which deliveries and deadlines it has made ready, so nobody needs to look in the database to find out. How other
//! instances are told of it, and tell of theirs, stands in `hearing.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::ahead::Ahead;

/// What is to be done from when, as far as it was told and not yet taken.
#[derive(Debug)]
pub(crate) struct Slot {
    ahead: Mutex<Ahead>,
    told: Notify,
}

impl Default for Slot {
    fn default() -> Self {
        Self { ahead: Mutex::new(Ahead::NOTHING), told: Notify::new() }
    }
}

impl Slot {
    pub(crate) fn tell(&self, ahead: Ahead) {
        if ahead != Ahead::NOTHING {
            let mut known = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            *known = known.or_sooner(ahead);
            drop(known);
            self.told.notify_one();
        }
    }

    /// What was told and not yet taken.
    pub(crate) fn take(&self) -> Ahead {
        std::mem::replace(&mut *self.ahead.lock().unwrap_or_else(PoisonError::into_inner), Ahead::NOTHING)
    }

    /// Dropping it is free of consequences: what was told stays told.
    pub(crate) async fn next(&self) -> Ahead {
        loop {
            self.told.notified().await;
            let ahead = self.take();
            if ahead != Ahead::NOTHING {
                return ahead;
            }
        }
    }
}

/// Who is told of what commits leave to be done.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    /// Those who wait here.
    pub(crate) here: Slot,
    /// What the other instances are to be told.
    pub(crate) elsewhere: Slot,
    hears_others: AtomicBool,
}

impl Wakes {
    /// A transaction that left this was committed here.
    pub(crate) fn committed(&self, left: Ahead) {
        self.here.tell(left);
        self.elsewhere.tell(left);
    }

    /// Whether the commits of all other instances are told here.
    pub(crate) fn hears_others(&self) -> bool {
        self.hears_others.load(Ordering::Acquire)
    }

    /// They are from now on, or no longer.
    pub(crate) fn set_hears_others(&self, hears: bool) {
        self.hears_others.store(hears, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketbridge_core::UnixMillis;

    #[tokio::test]
    async fn what_was_told_before_somebody_waits_is_not_lost_and_is_told_once() {
        let wakes = Wakes::default();
        wakes.committed(Ahead { job: Some(UnixMillis(9)), deadline: None });
        wakes.committed(Ahead::NOTHING);
        wakes.committed(Ahead { job: Some(UnixMillis(5)), deadline: Some(UnixMillis(6)) });
        assert_eq!(wakes.here.next().await, Ahead { job: Some(UnixMillis(5)), deadline: Some(UnixMillis(6)) });
        assert_eq!(wakes.here.take(), Ahead::NOTHING);
    }
}
