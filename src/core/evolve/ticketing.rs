// SPDX-License-Identifier: Apache-2.0

//! Axis 3, the tickets: at the back-end, and at the channel.

use crate::evolve::attention::{clear, replaced_by_hand};
use crate::id::BookingId;
use crate::order::channel_state::UsedUnits;
use crate::order::{
    AttentionKind, Booking, BookingState, Handover, Order, Ticket, TicketRequest, Ticketing, TicketingState,
};
use crate::quoted::{ForeignNumber, FreeText};
use crate::time::{Date, UnixMillis};

pub(super) fn started(order: &mut Order) {
    let living = order.living();
    with_ticketing(order, |t| {
        t.asked = true;
        t.units = living;
    });
}

pub(super) fn demanded(order: &mut Order, request: &TicketRequest, dates: Option<(Date, Date)>) {
    let Some(booking) = &mut order.booking else { return };
    booking.ticketing.request = Some(request.clone());
    if booking.ticketing.handover == Handover::NotAsked {
        booking.ticketing.handover = Handover::Asked;
    }
    if let Some((first, last)) = dates {
        booking.visit_date = Some(first);
        booking.valid_until = Some(last);
    }
}

pub(super) fn pending(order: &mut Order, booking: &BookingId, backend_ref: &Option<ForeignNumber>) {
    of(order, booking, |t| {
        t.state = TicketingState::Requested;
        keep_ref(t, backend_ref);
    });
}

pub(super) fn issued(
    order: &mut Order,
    booking: &BookingId,
    backend_ref: &Option<ForeignNumber>,
    tickets: &[Ticket],
    manual: bool,
) {
    let (living, sold) = (order.living(), order.quantity);
    of(order, booking, |t| {
        t.units = dealt_to(std::mem::take(&mut t.units), living, sold, tickets.len(), manual);
        if t.channel_holds_void() && t.request.is_some() {
            t.handover = Handover::Owed;
        }
        let is_made = |old: &Ticket| tickets.iter().any(|new| new.id == old.id);
        let before = std::mem::replace(&mut t.tickets, tickets.to_vec());
        let others = std::mem::take(&mut t.other_tickets);
        t.replaced.extend(before.into_iter().chain(others).filter(|old| !is_made(old)));
        t.manual = manual;
        t.reason = None;
        keep_ref(t, backend_ref);
        // Being voided already: the tickets are known now, and still not to be used.
        if t.state != TicketingState::Cancelling {
            t.state = TicketingState::Issued;
        }
    });
    // They are held back while a refund is under review, whatever had been sent before it.
    if let Some(case) = order.refund_case.as_mut().filter(|case| case.is_under_review()) {
        case.tickets_were_sent = false;
    }
    if order.booking_by_id(booking).is_some_and(|b| b.ticketing.state == TicketingState::Issued) {
        AttentionKind::WITHOUT_TICKETS.into_iter().for_each(|kind| clear(order, kind));
        clear(order, AttentionKind::TicketingOverdue);
    }
    if manual {
        replaced_by_hand(order);
    }
}

/// The units that so many tickets are for: those that they were `asked` for, or those that are `living` now, where a part was cancelled since and
/// the last attempt asked for the rest.
fn dealt_to(asked: Vec<UsedUnits>, living: Vec<UsedUnits>, sold: u32, tickets: usize, manual: bool) -> Vec<UsedUnits> {
    let count = |units: &[UsedUnits]| UsedUnits::count(units, sold);
    let tickets = u32::try_from(tickets).unwrap_or(u32::MAX);
    let deals = |units: &[UsedUnits]| tickets.is_multiple_of(count(units));
    let is_for_living = manual || tickets == count(&living) || (!deals(&asked) && deals(&living));
    if is_for_living { living } else { asked }
}

pub(super) fn renamed(order: &mut Order, booking: &BookingId, tickets: &[Ticket]) {
    of(order, booking, |t| t.other_tickets.extend_from_slice(tickets));
}

pub(super) fn late(order: &mut Order, booking: &BookingId, backend_ref: &Option<ForeignNumber>, at: UnixMillis) {
    of(order, booking, |t| {
        keep_ref(t, backend_ref);
        if !t.manual {
            make_void(t, at);
        }
    });
}

/// Asked for once more, they are still to be made void since the first time.
fn make_void(t: &mut Ticketing, at: UnixMillis) {
    t.voiding_since = t.voiding_since.filter(|_| t.state == TicketingState::Cancelling).or(Some(at));
    t.state = TicketingState::Cancelling;
}

/// Refused, or nothing is known of it: where the tickets stand now, and why.
pub(super) fn stopped(order: &mut Order, booking: &BookingId, state: TicketingState, why: &FreeText) {
    of(order, booking, |t| {
        t.state = state;
        t.reason = Some(why.to_owned());
    });
}

pub(super) fn handed_over(order: &mut Order, handover: Handover) {
    with_ticketing(order, |t| t.handover = handover);
}

pub(super) fn cancelling(order: &mut Order, booking: &BookingId, at: UnixMillis) {
    of(order, booking, |t| make_void(t, at));
    // It is asked, again perhaps.
    clear(order, AttentionKind::CancelRefused);
}

pub(super) fn cancelled(order: &mut Order, booking: &BookingId) {
    let is_over = order.booking_by_id(booking).is_some_and(Booking::is_visit_over);
    of(order, booking, |t| {
        // None were made, and the guest has been there, or not: that there are none is how it should be.
        let were_none = is_over && t.tickets.is_empty() && t.state.is_awaited();
        t.state = if were_none { TicketingState::NotNeeded } else { TicketingState::Cancelled };
        t.reason = None;
        t.voiding_since = None;
    });
    if !order.booking.iter().chain(&order.past_bookings).any(lives_behind_refund) {
        clear(order, AttentionKind::LiveTicketBehindRefund);
    }
    clear(order, AttentionKind::CancelRefused);
}

pub(super) fn cancel_refused(order: &mut Order, booking: &BookingId, reason: &FreeText) {
    stopped(order, booking, TicketingState::CancelRefused, reason);
    of(order, booking, |t| t.voiding_since = None);
    kept(order);
}

pub(super) fn overdue(order: &mut Order) {
    with_ticketing(order, |t| t.overdue = true);
}

/// Tickets of a live booking that the back-end refused to void, and whose refund is off: they are good. If they were never
/// seen, the back-end is asked.
pub(super) fn kept(order: &mut Order) {
    if order.case_under_review().is_some() {
        return;
    }
    let Some(booking) = order.booking.as_mut().filter(|b| b.is_active()) else { return };
    let t = &mut booking.ticketing;
    if t.state == TicketingState::CancelRefused {
        t.state = if t.tickets.is_empty() { TicketingState::Unknown } else { TicketingState::Issued };
        if t.state == TicketingState::Issued {
            AttentionKind::WITHOUT_TICKETS.into_iter().for_each(|kind| clear(order, kind));
        }
    }
}

/// Tickets of a cancelled booking that may still admit, and that nothing is being done about.
fn lives_behind_refund(booking: &Booking) -> bool {
    let t = &booking.ticketing;
    booking.state == BookingState::Cancelled
        && (t.state == TicketingState::CancelRefused || (t.manual && t.state == TicketingState::Issued))
}

fn keep_ref(ticketing: &mut Ticketing, backend_ref: &Option<ForeignNumber>) {
    if backend_ref.is_some() {
        ticketing.backend_ref = backend_ref.clone();
    }
}

fn with_ticketing(order: &mut Order, change: impl FnOnce(&mut Ticketing)) {
    if let Some(booking) = &mut order.booking {
        change(&mut booking.ticketing);
    }
}

/// Changes the ticketing of a booking, current or past.
fn of(order: &mut Order, id: &BookingId, change: impl FnOnce(&mut Ticketing)) {
    let bookings = order.booking.iter_mut().chain(order.past_bookings.iter_mut());
    if let Some(booking) = bookings.into_iter().find(|b: &&mut Booking| &b.id == id) {
        change(&mut booking.ticketing);
    }
}
