// SPDX-License-Identifier: Apache-2.0

//! Places that a back-end may keep for nobody, and that could not be given back yet: its answer to that was lost, too. They are asked for again,
//! each time later, since a place that is kept for nobody is one that no guest gets. What is lost on the way, because the process ends, runs out
//! at the back-end by itself.

use std::sync::Mutex;

use ticketbridge_core::order::{Booking, Order};
use ticketbridge_core::{BookingId, Millis, UnixMillis};
use tokio::sync::Notify;

use crate::worker::memory::locked;

/// Waits between two tries: together longer than a hold usually lasts.
const PAUSES: [Millis; 6] = [
    Millis::seconds(5),
    Millis::seconds(15),
    Millis::seconds(45),
    Millis::minutes(2),
    Millis::minutes(5),
    Millis::minutes(10),
];
/// Such places that are kept in mind, at most; more run out by themselves.
const WAITING_MAX: usize = 10_000;

/// A place that may be kept for nobody.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) order: Order,
    pub(super) booking: Booking,
    /// How often it could not be given back.
    tries: usize,
    /// Whether the back-end knew nothing of it when it was asked last.
    absent: bool,
    /// When that is tried again.
    due: UnixMillis,
}

impl Place {
    /// One that nobody has tried to give back yet.
    pub(super) fn new(order: Order, booking: Booking) -> Self {
        Self { order, booking, tries: 0, absent: false, due: UnixMillis(0) }
    }

    /// Whether the back-end has known nothing of it before.
    pub(super) fn was_absent(&self) -> bool {
        self.absent
    }

    /// The same, of which the back-end knows nothing.
    pub(super) fn not_known(self) -> Self {
        Self { absent: true, ..self }
    }

    /// The same after a try in vain, to be tried again after a while, or later where the back-end says so; `None` after the last one.
    pub(super) fn again(self, now: UnixMillis, after: Option<Millis>) -> Option<Self> {
        let due = now + pause(self.tries, after)?;
        Some(Self { tries: self.tries + 1, due, ..self })
    }
}

/// How long is waited after so many tries before this one; `after` is what the back-end asks for.
fn pause(tries: usize, after: Option<Millis>) -> Option<Millis> {
    let pause = *PAUSES.get(tries)?;
    Some(after.map_or(pause, |after| after.max(pause)))
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct StillHeld {
    places: Mutex<Vec<Place>>,
    told: Notify,
}

impl StillHeld {
    /// One more; whether there is room to keep it in mind.
    pub(super) fn note(&self, place: Place) -> bool {
        let mut places = locked(&self.places);
        let has_room = places.len() < WAITING_MAX;
        if has_room {
            places.push(place);
            drop(places);
            self.told.notify_one();
        }
        has_room
    }

    /// Somebody asks for this very place again: from now on it is his.
    pub(super) fn take(&self, booking: &BookingId) -> Option<Place> {
        let mut places = locked(&self.places);
        let at = places.iter().position(|place| place.booking.id == *booking)?;
        Some(places.swap_remove(at))
    }

    /// Those that are to be tried again by now.
    pub(super) fn due(&self, now: UnixMillis) -> Vec<Place> {
        locked(&self.places).extract_if(.., |place| place.due <= now).collect()
    }

    /// When the next one is.
    pub(super) fn next(&self) -> Option<UnixMillis> {
        locked(&self.places).iter().map(|place| place.due).min()
    }

    /// Waits until there is one more.
    pub(super) async fn told(&self) {
        self.told.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_further_apart_each_time_and_end_when_a_hold_is_over() {
        let waits: Vec<i64> = (0..).map_while(|tries| pause(tries, None)).map(|wait| wait.0).collect();
        assert!(waits.is_sorted() && waits.iter().sum::<i64>() > Millis::minutes(15).0, "{waits:?}");
        assert_eq!(pause(waits.len(), Some(Millis::seconds(1))), None);
    }

    #[test]
    fn a_back_end_that_asks_for_more_time_has_it() {
        assert_eq!(pause(0, Some(Millis::seconds(40))), Some(Millis::seconds(40)));
        assert_eq!(pause(2, Some(Millis::seconds(1))), Some(Millis::seconds(45)), "and no less than it would have");
    }
}
