// SPDX-License-Identifier: Apache-2.0

//! A place that is held before a booking is confirmed, so that what is confirmed is backed by the back-end's own stock.

use ticketbridge_core::message::{TicketFacts, TicketOp};
use ticketbridge_core::order::{Booking, Order};
use ticketbridge_core::port::{CallResult, Operations};
use ticketbridge_core::product::{Confirmation, Ticketing};

use crate::engine::EngineError;
use crate::worker::Worker;
use crate::worker::conduct::For;
use crate::worker::conversation::Ended;

/// The word with which a back-end's refusal begins when it has no room.
const NO_ROOM: &str = "no_capacity";

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
        tokio::spawn(async move { worker.give_back_or_log(&order, &booking).await });
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

    /// Gives a place back. What cannot be given back now runs out by itself, and holds none of the others up.
    pub(super) async fn give_back_or_log(&self, order: &Order, booking: &Booking) {
        if let Err(error) = self.give_back(order, booking).await {
            crate::trouble::log_trouble("a place that was held could not be given back; it runs out by itself", &error);
        }
    }

    async fn give_back(&self, order: &Order, booking: &Booking) -> Result<(), EngineError> {
        let Ticketing::Backend { backend, .. } = &order.rules.booking.ticketing else { return Ok(()) };
        let Some(backend) = self.engine.running().registry.backend(backend) else { return Ok(()) };
        let Operations::Talks(talks) = backend.backend.operations() else { return Ok(()) };
        let Ok(talk) = talks.talk(TicketOp::Cancel, order, booking, true) else { return Ok(()) };
        let id = format!("hold_{:032x}", self.engine.ids().seed().0);
        let _ended = self.talk(For::Question(&id), &backend, order, talk, None).await?;
        Ok(())
    }
}
