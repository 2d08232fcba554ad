// SPDX-License-Identifier: Apache-2.0

//! A place that is held before a booking is confirmed, so that what is confirmed is backed by the back-end's own stock.

use ticketbridge_core::message::{TicketFacts, TicketOp};
use ticketbridge_core::order::{Booking, Order};
use ticketbridge_core::port::{CallResult, Operations};
use ticketbridge_core::product::{Confirmation, Ticketing};
use ticketbridge_core::{BookingId, Millis};
use tokio::task::JoinHandle;

use crate::engine::EngineError;
use crate::worker::Worker;
use crate::worker::conduct::For;
use crate::worker::conversation::{Ended, KEY_REFUSED};
use crate::worker::still_held::Place;

/// The word with which a back-end's refusal begins when it has no room.
const NO_ROOM: &str = "no_capacity";
/// After this time no reservation of ours arrives any more.
const LATE_AFTER: Millis = Millis::minutes(1);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing is held first for such a booking, or nothing can be: it is confirmed by the rules alone.
    NotNeeded,
    /// The place is kept.
    Kept,
    /// There is none.
    NoRoom,
    /// Nobody knows: the sender is to come again, and what may be held is given back.
    Unclear,
}

impl Worker {
    /// Asks the back-end of a booking that is about to be confirmed to keep its place.
    ///
    /// # Errors
    /// Store errors.
    pub async fn hold(&self, order: &Order, booking: &Booking) -> Result<Held, EngineError> {
        // A sender who comes again asks for the same place, and must not lose it to what is left to do of the first time.
        let still_held = self.still_held.take(&booking.id);
        let held = self.ask_for_place(order, booking).await;
        let is_taken_over = matches!(held, Ok(Held::Kept | Held::Unclear));
        if let Some(place) = still_held.filter(|_| !is_taken_over) {
            self.still_held.note(place);
        }
        held
    }

    async fn ask_for_place(&self, order: &Order, booking: &Booking) -> Result<Held, EngineError> {
        // A person may take days to confirm; no hold lasts so long.
        if order.rules.booking.confirm == Confirmation::Manual {
            return Ok(Held::NotNeeded);
        }
        let Ticketing::Backend { backend, .. } = &order.rules.booking.ticketing else { return Ok(Held::NotNeeded) };
        let Some(backend) = self.engine.running().registry.backend(backend) else { return Ok(Held::NotNeeded) };
        let Some(talk) = backend.backend.holds().and_then(|holds| holds.hold(order, booking)) else {
            return Ok(Held::NotNeeded);
        };
        let id = format!("hold_{:032x}", self.engine.ids().seed().0);
        let Ok(Ended { result, last, remark: _ }) = self.talk(For::Question(&id), &backend, order, talk, None).await?
        else {
            return Ok(Held::NotNeeded);
        };
        if let Some(last) = last {
            tracing::info!(backend = %backend.id, call = last.call, verdict = last.verdict, "a place was asked for");
        }
        Ok(match result {
            CallResult::Done(TicketFacts::Pending { .. } | TicketFacts::Issued { .. }) => Held::Kept,
            CallResult::Done(TicketFacts::Refused { reason }) if reason.reveal().starts_with(NO_ROOM) => Held::NoRoom,
            // A mistake of the configuration, or a key that is not accepted, is never told to a guest as sold out: the tickets will fail
            // where a person sees it.
            CallResult::Done(_) | CallResult::TokenRejected | CallResult::Refused { .. } => Held::NotNeeded,
            CallResult::Retry { .. }
            | CallResult::Unknown { .. }
            | CallResult::Absent
            | CallResult::Overtaken
            | CallResult::Astray { .. } => Held::Unclear,
        })
    }

    /// Gives back, beside everything else, what was held for a booking that is not confirmed after all.
    pub fn release(&self, order: Order, booking: Booking) {
        let worker = self.clone();
        tokio::spawn(async move { worker.give_back_or_wait(Place::new(order, booking)).await });
    }

    /// Tries again with what could not be given back and is due, each beside the others.
    pub(super) fn give_back_what_is_due(&self) -> Vec<JoinHandle<()>> {
        let again = |place| {
            let worker = self.clone();
            tokio::spawn(async move { worker.give_back_again(place).await })
        };
        self.still_held.due(self.engine.clock().now()).into_iter().map(again).collect()
    }

    /// Waits until something is to be tried again, or more than before is.
    pub(super) async fn something_still_held(&self) {
        let due = async {
            match self.still_held.next() {
                Some(at) => self.engine.clock().sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = self.still_held.told() => {}
        }
    }

    /// What resellers have let go and a back-end may keep, each with its booking.
    pub(super) fn let_go(&self) -> Vec<(Order, Booking)> {
        let running = self.engine.running();
        let held = |order: &Order| {
            let booking = order.booking.as_ref()?;
            let Ticketing::Backend { backend, .. } = &order.rules.booking.ticketing else { return None };
            running.registry.backend(backend)?.backend.holds()?.hold(order, booking)?;
            Some(booking.clone())
        };
        self.engine
            .let_go()
            .take()
            .into_iter()
            .filter_map(|order| held(&order).map(|booking| (order, booking)))
            .collect()
    }

    /// Gives a place back, and where that does not succeed, has it tried again later. It holds none of the others up.
    pub(super) async fn give_back_or_wait(&self, mut place: Place) {
        let tried = self.give_back(&place.order, &place.booking).await;
        let (why, after) = match tried {
            Ok(CallResult::Done(facts)) if is_gone(&facts) => return,
            // A reservation whose answer was lost may still arrive: once more it is looked for.
            Ok(CallResult::Absent) if place.was_absent() => return,
            Ok(CallResult::Absent) => {
                place = place.not_known();
                ("the back-end does not know it".to_owned(), Some(LATE_AFTER))
            }
            Ok(CallResult::Retry { why, after }) => (why.to_string(), after),
            Ok(CallResult::Unknown { why } | CallResult::Astray { why } | CallResult::Refused { why, .. }) => {
                (why.to_string(), None)
            }
            Ok(CallResult::Done(_) | CallResult::Overtaken) => ("the back-end keeps it".to_owned(), None),
            Ok(CallResult::TokenRejected) => (KEY_REFUSED.to_owned(), None),
            Err(error) => (error.to_string(), None),
        };
        let issuer = place.order.rules.booking.ticketing.issuer();
        let (booking, backend) = (place.booking.id.clone(), issuer.map(ToString::to_string).unwrap_or_default());
        let again = place.again(self.engine.clock().now(), after);
        if again.is_some_and(|again| self.still_held.note(again)) {
            tracing::info!(%booking, backend, "a place that was held is not given back yet; it is tried again: {why}");
            return;
        }
        metrics::counter!("ticketbridge_holds_not_given_back_total", "backend" => backend.clone()).increment(1);
        tracing::error!(%booking, backend, "a place that was held could not be given back; it runs out by itself: {why}");
    }

    /// The same after a while, unless the place is a guest's by now.
    async fn give_back_again(&self, place: Place) {
        match self.is_somebodys(&place.booking.id).await {
            Ok(true) => {}
            Ok(false) => self.give_back_or_wait(place).await,
            Err(error) => {
                crate::trouble::log_trouble("whose a place is that was held cannot be looked up", &error);
                if let Some(again) = place.again(self.engine.clock().now(), None) {
                    self.still_held.note(again);
                }
            }
        }
    }

    /// Whether a booking was accepted after all: the message came again, perhaps to another instance.
    async fn is_somebodys(&self, booking: &BookingId) -> Result<bool, EngineError> {
        let store = self.engine.store();
        let Some(id) = store.order_of_booking(booking).await? else { return Ok(false) };
        let order = store.load_order(&id).await?;
        let known = order.as_ref().and_then(|order| order.booking_by_id(booking));
        Ok(known.is_some_and(|known| known.is_active() || known.ticketing.asked))
    }

    /// Has the back-end let go of whatever it keeps for a booking.
    async fn give_back(&self, order: &Order, booking: &Booking) -> Result<CallResult<TicketFacts>, EngineError> {
        // A back-end that is not there any more, or that nothing is held at, keeps nothing that could be given back.
        let gone = Ok(CallResult::Done(TicketFacts::Cancelled));
        let Ticketing::Backend { backend, .. } = &order.rules.booking.ticketing else { return gone };
        let Some(backend) = self.engine.running().registry.backend(backend) else { return gone };
        let Operations::Talks(talks) = backend.backend.operations() else { return gone };
        let Ok(talk) = talks.talk(TicketOp::Cancel, order, booking, true) else { return gone };
        let id = format!("hold_{:032x}", self.engine.ids().seed().0);
        match self.talk(For::Question(&id), &backend, order, talk, None).await? {
            Ok(Ended { result, last: _, remark: _ }) => Ok(result.without_guests(order)),
            Err(_) => gone,
        }
    }
}

/// Whether nothing is kept any more. Whoever has gone in on it keeps it rightly.
fn is_gone(facts: &TicketFacts) -> bool {
    match facts {
        TicketFacts::Cancelled | TicketFacts::CancelledKeeping { .. } | TicketFacts::Redeemed { .. } => true,
        TicketFacts::Refused { .. } | TicketFacts::CancelRefused { used: true, .. } => true,
        TicketFacts::CancelRefused { used: false, .. }
        | TicketFacts::Issued { .. }
        | TicketFacts::Pending { .. }
        | TicketFacts::CancelPending
        | TicketFacts::HeldByAnother { .. }
        | TicketFacts::Unknown { .. }
        | TicketFacts::GivenUp { .. } => false,
    }
}
