// SPDX-License-Identifier: Apache-2.0

//! A code admits one guest, and a back-end's number means one reservation: whatever makes them an order's, they are written down as its
//! own in the same transaction, and what another order holds is not believed.

use std::sync::Arc;

use ticketbridge_core::message::{Event, GivenOut, Held, NewTicket, TicketFacts};
use ticketbridge_core::order::{Booking, Order, Ticket, TicketKind};
use ticketbridge_core::product::Ticketing;
use ticketbridge_core::quoted::ForeignNumber;
use ticketbridge_core::{BackendId, BookingId, Command, EventRecord, OrderId, Rejection, UnixMillis, Why};
use ticketbridge_store::{CODE, CODE_POOLS, Sealer, StoreError, Tx, held_hash};

use crate::engine::{Engine, EngineError};

/// Of orders of older versions, so many at a time have their codes written down.
const BATCH_MAX: u32 = 100;
/// The name under which it is noted that this was done.
const NOTED: &str = "held_codes";
/// What keeps hashes of back-ends' numbers apart.
const NUMBER: &str = "number";

/// One thing that is given out once.
struct Thing {
    what: Held,
    text: String,
    hash: String,
}

/// Another order holds what was named.
pub(crate) struct HeldBy {
    order: OrderId,
    what: Held,
    booking: BookingId,
}

impl HeldBy {
    /// What is carried out instead of `command`: a back-end is not believed, and a person is refused.
    ///
    /// # Errors
    /// A rejection for a person.
    pub(crate) fn instead_of(self, command: &Command) -> Result<Command, Rejection> {
        if let Command::SupplyTickets { .. } = command {
            let sentence =
                format!("{} is held by order {}; it cannot be given out twice", self.what.in_words(), self.order);
            return Err(Rejection::new(Why::Invalid, sentence).at("tickets"));
        }
        let facts = TicketFacts::HeldByAnother { order: self.order, what: self.what };
        Ok(Command::RecordTicketFacts { booking: self.booking, facts })
    }
}

/// Makes what these events brought the order's own, or says who holds it.
pub(crate) async fn claim(tx: &Tx, order: &Order, events: &[EventRecord]) -> Result<Option<HeldBy>, StoreError> {
    for (record, given) in events.iter().filter_map(|record| Some((record, record.event.gives_out()?))) {
        let things = things(tx.sealer(), &order.rules.booking.ticketing, given.number, codes(given.tickets));
        let hashes: Vec<String> = things.iter().map(|thing| thing.hash.clone()).collect();
        for (thing, holder) in things.iter().zip(tx.holders(&hashes).await?) {
            let Some(holder) = holder.filter(|holder| *holder != order.id) else { continue };
            if still_holds(tx, &holder, thing).await? {
                tracing::error!(order = %order.id, holder = %holder, what = thing.what.in_words(),
                    "what a back-end or a person gave this order is held by another one; it is not handed out");
                return Ok(Some(HeldBy { order: holder, what: thing.what, booking: given.booking.clone() }));
            }
        }
        tx.hold_codes(&order.id, &hashes).await?;
        let is_by_hand = matches!(record.event, Event::TicketsIssued { manual: true, .. });
        if is_by_hand && let Some(held) = claim_of_pools(tx, order, &given, record.at).await? {
            return Ok(Some(held));
        }
    }
    Ok(None)
}

/// What a person gives by hand may come from the list of a pool, whoever is to make the order's tickets: what a pool has given out is not
/// given again, and what it has left, or gets later, it gives to nobody.
async fn claim_of_pools(
    tx: &Tx,
    order: &Order,
    given: &GivenOut<'_>,
    now: UnixMillis,
) -> Result<Option<HeldBy>, StoreError> {
    let things = in_scope(tx.sealer(), CODE_POOLS, None, codes(given.tickets));
    let hashes: Vec<String> = things.iter().map(|thing| thing.hash.clone()).collect();
    let mut free = Vec::with_capacity(hashes.len());
    for (thing, holder) in things.iter().zip(tx.holders(&hashes).await?) {
        match holder.filter(|holder| *holder != order.id) {
            // Two back-ends may well call two tickets the same: it matters only where a pool gave one of them.
            Some(holder) if tx.is_of_a_pool(&thing.text).await? && still_holds(tx, &holder, thing).await? => {
                return Ok(Some(HeldBy { order: holder, what: thing.what, booking: given.booking.clone() }));
            }
            Some(_) => {}
            None => free.push(thing.hash.clone()),
        }
    }
    tx.hold_codes(&order.id, &free).await?;
    let texts: Vec<&str> = things.iter().map(|thing| thing.text.as_str()).collect();
    tx.take_from_pools(&order.id, &texts, now).await?;
    Ok(None)
}

/// The hashes of what these commands bring, as far as is known before their order is read: said before, they are read together.
pub(crate) fn hashes_named(sealer: &Sealer, backend: &BackendId, is_pool: bool, command: &Command) -> Vec<String> {
    let Command::RecordTicketFacts { facts, .. } = command else { return Vec::new() };
    let (number, tickets) = match facts {
        TicketFacts::Issued { backend_ref, tickets } => (backend_ref.as_ref(), tickets.as_slice()),
        TicketFacts::Pending { backend_ref, .. } => (backend_ref.as_ref(), [].as_slice()),
        TicketFacts::Refused { .. }
        | TicketFacts::Cancelled
        | TicketFacts::CancelledKeeping { .. }
        | TicketFacts::CancelPending
        | TicketFacts::CancelRefused { .. }
        | TicketFacts::Redeemed { .. }
        | TicketFacts::HeldByAnother { .. }
        | TicketFacts::Unknown { .. }
        | TicketFacts::GivenUp { .. } => return Vec::new(),
    };
    let codes = tickets.iter().map(|ticket: &NewTicket| (ticket.kind, ticket.code.reveal()));
    let scope = if is_pool { CODE_POOLS } else { backend.as_str() };
    let number = number.map(ForeignNumber::reveal);
    in_scope(sealer, scope, number, codes).into_iter().map(|thing| thing.hash).collect()
}

fn codes(tickets: &[Ticket]) -> impl Iterator<Item = (TicketKind, &str)> {
    tickets.iter().map(|ticket| (ticket.kind, ticket.code.reveal()))
}

fn things<'t>(
    sealer: &Sealer,
    ticketing: &Ticketing,
    number: Option<&str>,
    codes: impl Iterator<Item = (TicketKind, &'t str)>,
) -> Vec<Thing> {
    match ticketing {
        Ticketing::Backend { backend, .. } => in_scope(sealer, backend.as_str(), number, codes),
        Ticketing::CodePool { .. } => in_scope(sealer, CODE_POOLS, number, codes),
        Ticketing::None => Vec::new(),
    }
}

/// A visitor's document admits wherever he has booked: nobody holds it alone.
fn in_scope<'t>(
    sealer: &Sealer,
    scope: &str,
    number: Option<&str>,
    codes: impl Iterator<Item = (TicketKind, &'t str)>,
) -> Vec<Thing> {
    let codes = codes.filter(|(kind, _)| *kind != TicketKind::Document).map(|(_, code)| (Held::Code, CODE, code));
    let numbers = number.into_iter().map(|number| (Held::Number, NUMBER, number));
    let thing = |(what, kind, text): (Held, &str, &str)| Thing {
        what,
        text: text.to_owned(),
        hash: held_hash(sealer, scope, kind, text),
    };
    codes.chain(numbers).map(thing).collect()
}

/// Whether the order that a row names has not been rid of it: its tickets may admit.
async fn still_holds(tx: &Tx, holder: &OrderId, thing: &Thing) -> Result<bool, StoreError> {
    let Some(order) = tx.look_at_order(holder).await? else { return Ok(false) };
    let has = |booking: &Booking| {
        let ticketing = &booking.ticketing;
        let is_named = match thing.what {
            Held::Code => ticketing.may_admit().any(|ticket| ticket.code.reveal() == thing.text),
            Held::Number => ticketing.backend_ref.as_ref().is_some_and(|number| *number == *thing.text),
        };
        is_named && ticketing.may_be_live()
    };
    Ok(order.booking.iter().chain(&order.past_bookings).any(has))
}

impl Engine {
    /// What a ticket's code, or a back-end's number of a reservation, is found by: whoever asks does not know whose it is.
    pub fn hashes_of_given_out(&self, text: &str) -> Vec<String> {
        let running = self.running();
        let backends = running.registry.backends().map(|backend| backend.id.as_str());
        let scopes = std::iter::once(CODE_POOLS).chain(backends);
        let of = |scope| [CODE, NUMBER].map(|kind| held_hash(self.store.sealer(), scope, kind, text));
        scopes.flat_map(of).collect()
    }

    /// Writes down as their own what orders hold that were ticketed before this was written down. Done once, at the start of the service.
    ///
    /// # Errors
    /// Store errors.
    pub async fn note_held_codes(&self) -> Result<(), EngineError> {
        if self.store.is_done_once(NOTED).await? {
            return Ok(());
        }
        let (now, mut after) = (self.clock.now(), String::new());
        loop {
            let ids = self.store.orders_with_live_tickets(&after, BATCH_MAX).await?;
            let Some(last) = ids.last() else { break };
            after = last.to_string();
            let orders = Arc::new(self.store.load_orders(&ids).await?);
            let noted = self.store.write("note_held_codes", move |tx: &Tx| {
                let orders = orders.clone();
                Box::pin(async move {
                    for order in orders.iter() {
                        note_held(tx, order).await?;
                    }
                    Ok::<_, StoreError>(())
                })
            });
            noted.await?;
        }
        let noted = self
            .store
            .write("note_held_codes", move |tx: &Tx| Box::pin(async move { tx.note_done_once(NOTED, now).await }));
        Ok(noted.await?)
    }
}

/// What is given to two already stays with the first; the second is named in the log, for nobody can say which of them will be let in.
async fn note_held(tx: &Tx, order: &Order) -> Result<(), StoreError> {
    for booking in order.booking.iter().chain(&order.past_bookings).filter(|booking| booking.ticketing.may_be_live()) {
        let held = &booking.ticketing;
        let number = held.backend_ref.as_ref().map(ForeignNumber::reveal);
        let things = things(tx.sealer(), &order.rules.booking.ticketing, number, codes(&held.tickets));
        let hashes: Vec<String> = things.into_iter().map(|thing| thing.hash).collect();
        let mut own = Vec::new();
        for (hash, holder) in hashes.iter().zip(tx.holders(&hashes).await?) {
            match holder.filter(|holder| *holder != order.id) {
                Some(holder) => {
                    tracing::error!(order = %order.id, holder = %holder, "two orders hold one ticket code or number")
                }
                None => own.push(hash.clone()),
            }
        }
        tx.hold_codes(&order.id, &own).await?;
    }
    Ok(())
}
