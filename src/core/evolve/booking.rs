// SPDX-License-Identifier: Apache-2.0

//! Axis 2, the visit: asked for, confirmed, used, or off.

use crate::evolve::attention::clear;
use crate::id::BookingId;
use crate::order::{
    AttentionKind, Booking, BookingState, Entered, HeldUnit, Hold, Order, OrderKind, OrderState, ParkedRedemption,
    TicketingState,
};
use crate::quoted::FreeText;
use crate::rules::valid_until;
use crate::time::UnixMillis;
use crate::variant::Visit;

pub(super) fn requested(order: &mut Order, booking: &Booking) {
    if let Some(previous) = order.booking.replace(booking.clone()) {
        order.past_bookings.push(previous);
    }
    order.state = match order.kind {
        OrderKind::Voucher => OrderState::Booked,
        OrderKind::Direct => order.state,
    };
}

pub(super) fn hold_confirmed(order: &mut Order, reference: Option<&str>) {
    with_hold(order, |hold| {
        hold.open = false;
        if let Some(reference) = reference {
            hold.reference = Some(reference.to_owned());
        }
    });
}

/// The reseller gives up what it has reserved, and says why.
pub(super) fn cancelled_saying(order: &mut Order, why: Option<&FreeText>) {
    if let Some(why) = why {
        with_hold(order, |hold| hold.cancel_reason = Some(why.clone()));
    }
}

/// Another visit is kept, under the rules that hold for it.
pub(super) fn moved(order: &mut Order, visit: &Visit, units: &[HeldUnit]) {
    let product = &order.rules.booking;
    let (last, state) = (valid_until(product, visit.date), TicketingState::at_first(product));
    if let Some(booking) = &mut order.booking {
        booking.visit_date = Some(visit.date);
        booking.visit_time.clone_from(&visit.time);
        booking.valid_until = Some(last);
        booking.ticketing.state = state;
    }
    with_hold(order, |hold| hold.units = units.to_vec());
}

pub(super) fn with_hold(order: &mut Order, change: impl FnOnce(&mut Hold)) {
    if let Some(hold) = order.booking.as_mut().and_then(|booking| booking.hold.as_mut()) {
        change(hold);
    }
}

pub(super) fn confirmed(order: &mut Order, ticketing_due: Option<UnixMillis>, at: UnixMillis) {
    order.state = OrderState::Booked;
    clear(order, AttentionKind::WaitsForConfirmation);
    if let Some(booking) = &mut order.booking {
        booking.state = BookingState::Confirmed;
        booking.confirmed_at = Some(at);
        booking.ticketing.deadline = ticketing_due;
    }
}

pub(super) fn used(order: &mut Order, at: UnixMillis) {
    waits_no_more(order);
    if let Some(booking) = &mut order.booking {
        booking.state = BookingState::Used;
        booking.used_at = Some(at);
        if booking.ticketing.state == TicketingState::CancelRefused {
            booking.ticketing.state = TicketingState::Issued;
        }
        nobody_needs_tickets(booking);
    }
    order.state = OrderState::Completed;
}

/// Nothing that the gate has told waits for anything.
fn waits_no_more(order: &mut Order) {
    order.parked_redemption = None;
    for kind in [AttentionKind::RefundUnderReview, AttentionKind::TooEarly, AttentionKind::NotTicketed] {
        clear(order, kind);
    }
}

pub(super) fn parked(order: &mut Order, booking: &BookingId, at: UnixMillis, told_by: &str, in_part: bool) {
    let (booking, told_by) = (booking.clone(), told_by.to_owned());
    order.parked_redemption = Some(ParkedRedemption { at, booking, told_by, in_part });
}

/// Some of the guests went in. Once that counts, it waits no more.
pub(super) fn entered(order: &mut Order, entered: &Entered, waits: bool) {
    if !waits {
        waits_no_more(order);
    }
    order.entered = Some(Box::new(entered.clone()));
}

pub(super) fn no_show(order: &mut Order) {
    if let Some(booking) = &mut order.booking {
        booking.state = BookingState::NoShow;
        nobody_needs_tickets(booking);
    }
    order.state = OrderState::Completed;
}

/// The visit is over: tickets that the back-end was never asked for are not asked for any more.
fn nobody_needs_tickets(booking: &mut Booking) {
    if booking.ticketing.state == TicketingState::Queued && !booking.ticketing.asked {
        booking.ticketing.state = TicketingState::NotNeeded;
    }
}

/// Rejected or cancelled: a voucher can be booked again.
pub(super) fn ended(order: &mut Order, state: BookingState) {
    if let Some(booking) = &mut order.booking {
        booking.state = state;
        // Nobody was asked for tickets, and nobody will be.
        if !booking.ticketing.asked && booking.ticketing.state == TicketingState::Queued {
            booking.ticketing.state = TicketingState::Cancelled;
        }
    }
    // A visit that was told before its day is recorded for no booking that is over; what it means then is shown by itself.
    let others = [AttentionKind::TicketingOverdue, AttentionKind::WaitsForConfirmation, AttentionKind::TooEarly];
    for kind in AttentionKind::WITHOUT_TICKETS.into_iter().chain(others) {
        clear(order, kind);
    }
    if order.kind == OrderKind::Voucher && order.state == OrderState::Booked {
        order.state = OrderState::AwaitingBooking;
    }
}
