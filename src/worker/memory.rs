// SPDX-License-Identifier: Apache-2.0

//! What the worker of this process keeps in mind. None of it is needed for what is right: another instance, or the next start, finds it out
//! anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ticketbridge_core::{BookingId, ChannelId, UnixMillis};
use ticketbridge_store::Job;

/// Hints about one booking that are followed: one in this time.
const HINT_EVERY: Duration = Duration::from_secs(1);
/// Bookings whose last hint is kept in mind.
const HINTS_KEPT: usize = 4_096;

/// Until when each channel's list of changes was read; of this process alone, since a list may be read twice.
#[derive(Debug, Default)]
pub(crate) struct ChangesRead(Mutex<BTreeMap<ChannelId, UnixMillis>>);

/// What another thread left behind is whole: each of these is one value put into a collection.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ChangesRead {
    /// When the channel was read last.
    pub(crate) fn since(&self, channel: &ChannelId) -> Option<UnixMillis> {
        locked(&self.0).get(channel).copied()
    }
    /// It was read up to `at`.
    pub(crate) fn note(&self, channel: &ChannelId, at: UnixMillis) {
        locked(&self.0).insert(channel.clone(), at);
    }
}

/// The leases of what is under way: ids and tokens.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<HashMap<String, String>>);

/// One of them, until it is dropped.
pub(crate) struct Holding {
    held: Arc<Held>,
    id: String,
}

impl Drop for Holding {
    fn drop(&mut self) {
        locked(&self.held.0).remove(&self.id);
    }
}

impl Held {
    pub(super) fn hold(self: &Arc<Self>, job: &Job) -> Holding {
        if let Some((id, token)) = job.lease() {
            locked(&self.0).insert(id, token);
        }
        Holding { held: self.clone(), id: job.id.clone() }
    }
    pub(super) fn all(&self) -> Vec<(String, String)> {
        locked(&self.0).iter().map(|(id, token)| (id.clone(), token.clone())).collect()
    }
}

/// What this instance holds of one account.
#[derive(Default)]
pub(super) struct Slot {
    /// The token, and until when nobody is asked again; monotonic.
    pub(super) kept: Option<(String, Duration)>,
    /// The last one that was refused.
    pub(super) refused: Option<String>,
}

/// The tokens of this instance.
#[derive(Default)]
pub struct Tokens {
    slots: Mutex<HashMap<ChannelId, Arc<tokio::sync::Mutex<Slot>>>>,
}

impl Tokens {
    pub(super) fn slot(&self, channel: &ChannelId) -> Arc<tokio::sync::Mutex<Slot>> {
        locked(&self.slots).entry(channel.clone()).or_default().clone()
    }

    /// A token that was not accepted is not used again. One fetched meanwhile stays.
    pub async fn reject(&self, channel: &ChannelId, value: &str) {
        let slot = self.slot(channel);
        let mut slot = slot.lock().await;
        if slot.kept.as_ref().is_some_and(|(kept, _)| kept == value) {
            slot.kept = None;
        }
        slot.refused = Some(value.to_owned());
    }
}

/// When each booking was looked at; of this process alone, since a booking may be looked at twice.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    looks: Mutex<BTreeMap<BookingId, UnixMillis>>,
    hints: Mutex<HashMap<String, Duration>>,
}

impl Watched {
    pub(super) fn looks(&self) -> MutexGuard<'_, BTreeMap<BookingId, UnixMillis>> {
        locked(&self.looks)
    }

    /// Whether a hint about this booking is followed now; `at` is monotonic.
    pub(super) fn follows(&self, about: &str, at: Duration) -> bool {
        let mut hints = locked(&self.hints);
        if hints.len() >= HINTS_KEPT {
            hints.retain(|_, last| at.saturating_sub(*last) < HINT_EVERY);
        }
        match hints.get(about) {
            Some(last) if at.saturating_sub(*last) < HINT_EVERY => false,
            Some(_) | None if hints.len() >= HINTS_KEPT => false,
            Some(_) | None => {
                hints.insert(about.to_owned(), at);
                true
            }
        }
    }
}
