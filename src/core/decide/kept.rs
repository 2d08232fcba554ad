// SPDX-License-Identifier: Apache-2.0

//! Whether a reservation is still kept, for how long, and whether its reseller may cancel it.

use crate::decide::booking;
use crate::decide::draft::Draft;
use crate::message::Event;
use crate::order::{Booking, BookingState, Hold, Order, TicketingState};
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::time::{Millis, UnixMillis};

/// Keeps it for `lasts` from now, and never shorter than before.
pub(super) fn keep_for(draft: &mut Draft, hold: &Hold, lasts: Millis) {
    let until = draft.now() + lasts;
    if until > hold.until {
        draft.event(Event::HoldExtended { until });
        draft.effect(booking::hold_deadline(until));
    }
}

/// The end of a hold is exact, whenever its deadline is carried out.
pub(super) fn still_kept(booking: &Booking, hold: &Hold, now: UnixMillis) -> Result<(), Rejection> {
    match booking.state {
        BookingState::Requested if hold.open && now < hold.until => Ok(()),
        BookingState::Requested if hold.open => Err(over()),
        BookingState::Cancelled | BookingState::Rejected => Err(over()),
        BookingState::Requested | BookingState::Confirmed | BookingState::Used | BookingState::NoShow => {
            Err(Rejection::new(Why::NotWaiting, "this reservation is confirmed already"))
        }
    }
}

pub(super) fn over() -> Rejection {
    Rejection::new(Why::NotBooked, "the place is no longer kept: reserve anew, under another number")
}

/// Whether the reseller may call the booking off by itself at `now`, and what is kept then, minor units.
///
/// # Errors
/// Why it may not.
pub fn fee_of_cancelling(order: &Order, booking: &Booking, now: UnixMillis) -> Result<i64, Rejection> {
    match booking.state {
        // Nothing was sold, or it is over already.
        BookingState::Requested | BookingState::Cancelled | BookingState::Rejected => return Ok(0),
        BookingState::Used | BookingState::NoShow => {
            return Err(Rejection::new(Why::AlreadyRedeemed, "this booking has been used"));
        }
        BookingState::Confirmed => {}
    }
    if order.case_under_review().is_some() {
        let sentence = "the cancellation is being dealt with; read the booking to learn its outcome";
        return Err(Rejection::new(Why::RefundUnderReview, sentence));
    }
    if order.parked_for(booking) {
        return Err(Rejection::new(Why::AlreadyRedeemed, "the guest has entered already"));
    }
    let waits_for_tickets = match booking.ticketing.state {
        TicketingState::Issued | TicketingState::NotNeeded => false,
        // There is no ticket that admits, and will be none by itself.
        TicketingState::Failed | TicketingState::Cancelled => return Ok(0),
        TicketingState::CancelRefused => {
            let sentence = "the ticketing system keeps the tickets; the supplier's staff decides";
            return Err(Rejection::new(Why::NotSupported, sentence));
        }
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Cancelling => {
            true
        }
    };
    let (product, zone) = (&order.rules.booking, order.rules.channel.time_zone);
    if !rules::cancellable_at(product, booking.visit_date, now, zone) {
        return Err(Rejection::new(Why::NotSupported, "the product cannot be cancelled at this time"));
    }
    let fee = rules::refund_fee(product, order.money.due, booking.visit_date, now, zone).ok_or_else(|| {
        Rejection::new(Why::NotSupported, "the product has no refund rule for this time: ask the supplier's staff")
    })?;
    if waits_for_tickets {
        let sentence = "the ticketing system has not said yet how the tickets stand; come again";
        return Err(Rejection::new(Why::NotTicketed, sentence));
    }
    Ok(fee)
}

/// Whether the reseller may cancel the booking, now or once the ticketing system has said how its tickets stand: that it is to
/// come again is no refusal.
pub fn can_be_cancelled(order: &Order, booking: &Booking, now: UnixMillis) -> bool {
    match fee_of_cancelling(order, booking, now) {
        Ok(_) => true,
        Err(rejection) => rejection.why == Why::NotTicketed,
    }
}
