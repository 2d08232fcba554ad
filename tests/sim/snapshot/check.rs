// SPDX-License-Identifier: Apache-2.0

//! What must hold once everything is worked off: the platforms' books, the gate's and ours say the same.

use std::collections::BTreeMap;

use ticketbridge_core::message::StockKey;
use ticketbridge_core::order::money::PaymentMode;
use ticketbridge_core::order::{AttentionKind, Booking, BookingState, Order, OrderState, TicketingState};
use ticketbridge_core::{Date, ProductCode, invariants};

use super::books::Purse;
use super::kakao::{self, Reservation};
use super::play::{Sale, Sim};
use super::tripstore;
use super::world::{BY_HAND, DATE_STOCK, UNCOUNTED, VISITS};
use crate::bench::Failure;
use crate::partners::GateState;

fn must(holds: bool, failure: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure(failure())) }
}

/// Whether a person is told of something that is out of order, and not only of a task that is still to be done.
fn is_flagged(order: &Order) -> bool {
    order.attention.iter().any(|attention| match attention.kind {
        AttentionKind::WaitsForConfirmation
        | AttentionKind::RefundWaits
        | AttentionKind::OpenBalance
        | AttentionKind::ArrivedLate
        | AttentionKind::PaymentLinkOver => false,
        AttentionKind::RefundUnderReview
        | AttentionKind::TooEarly
        | AttentionKind::NotTicketed
        | AttentionKind::RedeemedWhileRefunded
        | AttentionKind::LiveTicketBehindRefund
        | AttentionKind::CancelRefused
        | AttentionKind::TicketingFailed
        | AttentionKind::NoCapacity
        | AttentionKind::Rejected
        | AttentionKind::TestMode
        | AttentionKind::QuantityDiffers
        | AttentionKind::UnknownStatus
        | AttentionKind::CodesChanged
        | AttentionKind::PartnerGone
        | AttentionKind::TicketingOverdue
        | AttentionKind::ReviewOverdue
        | AttentionKind::NotificationRefused
        | AttentionKind::UnexpectedPayment
        | AttentionKind::Contradiction
        | AttentionKind::ManualTask
        | AttentionKind::RefundFailed
        | AttentionKind::AnswerAstray
        | AttentionKind::BooksDiffer => true,
    })
}

/// Everything.
pub(crate) async fn all(sim: &Sim) -> Result<(), Failure> {
    let mut orders = Vec::new();
    for (index, sale) in sim.sales.iter().enumerate() {
        let Some(order) = sim.order(index).await else {
            return Err(Failure(format!("an order was told and is not known: {}", sale.number)));
        };
        let broken = invariants::violations(&order);
        must(broken.is_empty(), || format!("an invariant is broken, {broken:?}: {}", order.id))?;
        match sale.is_trip {
            true => trip(sim, sale, &order)?,
            false => visit(sim, sale, &order)?,
        }
        tickets(sim, sale, &order)?;
        history(sim, &order).await?;
        orders.push(order);
    }
    gate(sim, &orders)?;
    stock(sim, &orders).await
}

/// The money is that of the platform's books, to the won.
fn money(order: &Order, purse: &Purse, is_off: bool) -> Result<(), Failure> {
    let (ours, theirs) = ((order.money.received(), order.money.refunded()), (purse.paid(), purse.returned()));
    must(order.money.mode != PaymentMode::Ledger || ours == theirs, || {
        format!(
            "the money is not the platform's: {} has {ours:?}, there {theirs:?}: {:?}",
            order.id, order.money.ledger
        )
    })?;
    let kept = purse.held();
    // What is kept of a visit that took place here is its price, whatever the platform calls it.
    let is_off = is_off && order.state == OrderState::Cancelled;
    must(
        !(is_off && purse.is_settled() && order.money.mode == PaymentMode::Ledger) || order.money.fee() == kept,
        || {
            format!(
                "what was kept is not the platform's: {} has {}, there {kept}: {:?}",
                order.id,
                order.money.fee(),
                order.money.ledger
            )
        },
    )
}

/// What the bridge had done is what people of ours wanted: never more, and no less unless a person is told.
fn done(sale: &Sale, order: &Order, what: &str, wanted: i64, done: i64) -> Result<(), Failure> {
    must(done <= wanted || sale.unsure, || format!("{what} more than was wanted: {} {done} of {wanted}", order.id))
}

fn known_state(sim: &Sim, order: &Order, revision: u64) -> Result<(), Failure> {
    let ours = order.channel_state.as_ref().map_or(0, |state| state.standing.revision);
    must(sim.variant == UNCOUNTED || ours == revision, || {
        format!("the newest state is not known: {} has {ours}, there is {revision}", order.id)
    })
}

fn visit(sim: &Sim, sale: &Sale, order: &Order) -> Result<(), Failure> {
    let found = sim.world().partners.kakao(|books| {
        let number = sale.number.as_str();
        let done = ["return", "cancel", "confirm", "reject", "use", "no-show"].map(|call| books.done(call, number));
        books.orders.get(number).map(|kept| (kept.revision, kept.it.clone(), done))
    });
    let Some((revision, it, [returned, cancelled, confirmed, rejected, used, stayed_away])) = found else {
        return Err(Failure(format!("an order that the platform does not have: {}", sale.number)));
    };
    known_state(sim, order, revision)?;
    money(order, &it.purse, it.status.is_canceled())?;
    stands(order, &it, sim.variant == BY_HAND)?;
    must(confirmed + rejected <= 1, || format!("decided twice: {} {confirmed} {rejected}", order.id))?;
    must(stayed_away <= 1, || format!("said twice that nobody came: {}", order.id))?;
    must(used <= i64::from(order.quantity), || format!("units were used twice: {} {used}", order.id))?;
    done(sale, order, "money went back", sale.returned, returned)?;
    // An order that policy cannot keep is cancelled without anybody's wish.
    must(cancelled <= i64::from(order.quantity), || format!("units were cancelled twice: {} {cancelled}", order.id))?;
    let kept = order.channel_state.as_deref().ok_or_else(|| Failure(format!("no state is kept: {}", order.id)))?;
    let lines: Vec<(i64, i64)> = it.lines.iter().map(|line| (line.off, line.used)).collect();
    let ours: Vec<(i64, i64)> =
        kept.standing.lines.iter().map(|line| (i64::from(line.cancelled), i64::from(line.used))).collect();
    must(lines == ours, || format!("the units are not the platform's: {} has {ours:?}, there {lines:?}", order.id))
}

/// The visit stands where the platform says, or a person is told why not; a platform that everything is done at by hand keeps no record of who
/// did not come.
fn stands(order: &Order, it: &Reservation, by_hand: bool) -> Result<(), Failure> {
    let state = order.booking.as_ref().map(|booking| booking.state);
    let same = match it.status {
        kakao::Status::Requested => state == Some(BookingState::Requested),
        kakao::Status::Confirmed => {
            // Where every unit is used or cancelled there is nothing left to tell it.
            let is_done = it.lines.iter().all(|line| line.left() == 0);
            state == Some(BookingState::Confirmed)
                || (is_done && state == Some(BookingState::Used))
                || (by_hand && state == Some(BookingState::NoShow))
        }
        kakao::Status::Canceled("REJECTED") => state == Some(BookingState::Rejected),
        kakao::Status::Canceled(_) => state == Some(BookingState::Cancelled),
        kakao::Status::Used => matches!(state, Some(BookingState::Used | BookingState::NoShow)),
        kakao::Status::NoShow => matches!(state, Some(BookingState::NoShow)),
    };
    must(same || is_flagged(order), || {
        format!("the visit stands elsewhere, unflagged: {} {state:?}, there {:?}", order.id, it.status)
    })
}

fn trip(sim: &Sim, sale: &Sale, order: &Order) -> Result<(), Failure> {
    let found = sim.world().partners.trip(|books, agency| {
        let number = sale.number.as_str();
        let done = ["return", "cancel", "complete", "link"].map(|call| books.done(call, number));
        let entry = agency.entries.get(number).cloned();
        books.orders.get(number).map(|kept| (kept.revision, kept.it.clone(), done, entry))
    });
    let Some((revision, it, [returned, cancelled, completed, links], entry)) = found else {
        return Err(Failure(format!("an order that the marketplace does not have: {}", sale.number)));
    };
    known_state(sim, order, revision)?;
    money(order, &it.purse, it.status == tripstore::Status::Canceled)?;
    let state = order.booking.as_ref().map(|booking| booking.state);
    let same = match it.status {
        tripstore::Status::Received => state == Some(BookingState::Requested),
        // A guest at our own gate: the marketplace has no word for it.
        tripstore::Status::Completed => {
            matches!(state, Some(BookingState::Confirmed | BookingState::Used | BookingState::NoShow))
        }
        tripstore::Status::CancelRequested => {
            matches!(state, Some(BookingState::Requested | BookingState::Confirmed))
        }
        tripstore::Status::Canceled => state == Some(BookingState::Cancelled),
        tripstore::Status::Departed => matches!(state, Some(BookingState::Used | BookingState::NoShow)),
    };
    must(same || is_flagged(order), || {
        format!("the trip stands elsewhere, unflagged: {} {state:?}, there {:?}", order.id, it.status)
    })?;
    must(completed <= 1 && cancelled <= 1, || format!("decided twice: {} {completed} {cancelled}", order.id))?;
    done(sale, order, "links were sent", sale.links, links)?;
    // What nobody expected goes back by itself; everything else only by a person.
    done(sale, order, "money went back", sale.returned + it.unexpected, returned)?;
    // Of a booking that was cancelled before, nobody has to tell the agency.
    let is_known = entry.is_some() || is_flagged(order) || sale.dropped || order.state == OrderState::Cancelled;
    must(is_known, || format!("the agency's books do not know the booking, unflagged: {}", order.id))?;
    if let (Some(entry), Some(state)) = (entry, order.channel_state.as_deref()) {
        let ours = state.partner_number();
        must(ours.is_some_and(|ours| *ours == *entry.number) || is_flagged(order), || {
            format!("the agency's number is not known, unflagged: {} has {ours:?}, there {}", order.id, entry.number)
        })?;
        must(entry.body["external_no"] == sale.number.as_str(), || format!("the agency knows another: {}", order.id))?;
    }
    Ok(())
}

fn bookings(order: &Order) -> impl Iterator<Item = &Booking> {
    order.booking.iter().chain(&order.past_bookings)
}

/// Tickets that are known here live at the gate, and the other way round.
fn tickets(sim: &Sim, sale: &Sale, order: &Order) -> Result<(), Failure> {
    if !sale.has_gate() {
        return Ok(());
    }
    for booking in bookings(order) {
        let at_gate = sim.world().partners.reservation(booking.id.as_str());
        let t = &booking.ticketing;
        let about =
            || format!("{} {:?} {:?} {:?}", order.id, booking.state, t.state, at_gate.as_ref().map(|r| r.state));
        let settled = !matches!(t.state, TicketingState::Requested | TicketingState::Cancelling);
        must(settled || is_flagged(order), || format!("ticketing is left half way, unflagged: {}", about()))?;
        if booking.is_active() && t.state == TicketingState::Issued && !t.manual {
            let lives = at_gate.as_ref().is_some_and(|r| matches!(r.state, GateState::Issued | GateState::Used));
            must(lives || is_flagged(order), || format!("tickets that the gate does not know: {}", about()))?;
        }
        if booking.is_active() && t.state == TicketingState::Queued && booking.state == BookingState::Confirmed {
            must(is_flagged(order) || order.is_read_only(), || {
                format!("tickets were never asked for, unflagged: {}", about())
            })?;
        }
        let is_off = matches!(booking.state, BookingState::Cancelled | BookingState::Rejected);
        if let Some(reservation) = at_gate.as_ref().filter(|reservation| is_off && reservation.is_live()) {
            must(is_flagged(order), || {
                format!("a live ticket behind a booking that is off, unflagged: {} {:?}", about(), reservation.state)
            })?;
        }
    }
    Ok(())
}

/// What the gate holds, against the orders.
fn gate(sim: &Sim, orders: &[Order]) -> Result<(), Failure> {
    let by_id: BTreeMap<&str, &Order> = orders.iter().map(|order| (order.id.as_str(), order)).collect();
    let mut live: BTreeMap<&str, usize> = BTreeMap::new();
    let reservations = sim.world().partners.reservations();
    for (id, reservation) in &reservations {
        let Some(order) = by_id.get(reservation.order.as_str()) else {
            return Err(Failure(format!("the gate holds tickets of no order: {id}")));
        };
        let Some(booking) = bookings(order).find(|booking| booking.id.as_str() == id) else {
            return Err(Failure(format!("the gate holds tickets of no booking: {id}")));
        };
        if reservation.is_live() {
            *live.entry(order.id.as_str()).or_default() += 1;
        }
        if reservation.state == GateState::Used {
            let noted = booking.state == BookingState::Used
                || order.parked_redemption.as_ref().is_some_and(|parked| parked.booking == booking.id);
            must(noted || is_flagged(order), || {
                format!("a guest went in and nobody noted it: {} {:?}", order.id, booking.state)
            })?;
        }
    }
    for (id, many) in live {
        let flagged = by_id.get(id).is_some_and(|order| is_flagged(order));
        must(many <= 1 || flagged, || format!("two live sets of tickets, unflagged: {id}"))?;
    }
    Ok(())
}

/// The history has every number once, in order.
async fn history(sim: &Sim, order: &Order) -> Result<(), Failure> {
    let events = sim.world().store().events(&order.id, 0, 1_000).await;
    let events = events.map_err(|error| Failure(format!("a history cannot be read: {error}")))?;
    let numbers: Vec<u64> = events.iter().map(|row| row.seq).collect();
    let expected: Vec<u64> = (1..=order.version).collect();
    must(numbers == expected || order.version > 1_000, || {
        format!("a history has holes: {} {numbers:?} at version {}", order.id, order.version)
    })
}

/// The units taken of a date are those of its visits that are still to come, or were. A visit that has been keeps its place, whatever becomes
/// of its money.
async fn stock(sim: &Sim, orders: &[Order]) -> Result<(), Failure> {
    for product in VISITS {
        // The units that must be taken, and those that may be.
        let mut days: BTreeMap<Date, (u32, u32)> = BTreeMap::new();
        for order in orders.iter().filter(|order| order.product.as_str() == product.code) {
            let off: u32 = order.channel_state.as_deref().map_or(0, |state| state.cancelled_units());
            for booking in bookings(order) {
                let Some(date) = booking.visit_date else { continue };
                let left = order.quantity - off;
                let (least, most) = match booking.state {
                    BookingState::Requested | BookingState::Confirmed => (left, left),
                    BookingState::Used | BookingState::NoShow => (left, order.quantity),
                    BookingState::Rejected | BookingState::Cancelled if booking.used_at.is_some() => {
                        (0, order.quantity)
                    }
                    BookingState::Rejected | BookingState::Cancelled => (0, 0),
                };
                let day = days.entry(date).or_default();
                *day = (day.0 + least, day.1 + most);
            }
        }
        for (date, (least, most)) in days {
            let key = StockKey { product: ProductCode::from(product.code), date: Some(date) };
            let left = sim.world().store().stock_left(&key, Some(DATE_STOCK)).await;
            let left = left.map_err(|error| Failure(format!("stock cannot be counted: {error}")))?;
            let taken = left.map(|left| i64::from(DATE_STOCK) - left);
            must(taken.is_some_and(|taken| (i64::from(least)..=i64::from(most)).contains(&taken)), || {
                format!("stock is miscounted: {} {date:?} has {taken:?} taken, not {least} to {most}", product.code)
            })?;
        }
    }
    Ok(())
}
