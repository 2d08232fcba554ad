// SPDX-License-Identifier: Apache-2.0

//! A reseller that reserves before it sells: the place is kept until it confirms, lets go, or the time is over.
//!
//! The order is placed with the reservation, so that stock and credit are taken; it is paid for when the booking is accepted. Cancelling a
//! sold one is a refund case like any other, decided by the product's own rule at once: tickets are voided first.

use crate::decide::draft::Draft;
use crate::decide::kept::{fee_of_cancelling, keep_for, over, still_kept};
use crate::decide::{booking, endings, hold_change, refund};
use crate::id::ExternalId;
use crate::message::{ApplyRefund, ConfirmHold, DeadlineKind, Event, ReservationAct};
use crate::order::{
    Booking, BookingState, CancelReason, Hold, Order, OrderState, RefundKind, RefundSource, TicketingState,
};
use crate::quoted::FreeText;
use crate::rejection::{Rejection, Why};
use crate::rules::booking::{Guests, check_visitors};

/// Number of the case that a reseller's cancellation opens.
const CANCELLATION: &str = "cancel";

/// What a reseller does with a reservation.
pub(super) fn act(draft: &mut Draft, target: &ExternalId, act: &ReservationAct) -> Result<(), Rejection> {
    let order = draft.order();
    let Some(booking) = order.booking.as_ref().filter(|booking| booking.channel_booking_id == *target) else {
        return Err(Rejection::new(Why::NotFound, "there is no such reservation"));
    };
    let Some(hold) = booking.hold.as_deref() else {
        return Err(Rejection::new(Why::NotSupported, "this booking was not reserved first"));
    };
    match act {
        ReservationAct::Confirm(sold) if hold.open => confirm(draft, booking, hold, sold),
        ReservationAct::Confirm(sold) => confirm_again(&order, booking, sold),
        ReservationAct::Extend { lasts } => {
            still_kept(booking, hold, draft.now())?;
            keep_for(draft, hold, *lasts);
            Ok(())
        }
        ReservationAct::Change(wish) => hold_change::change(draft, booking, hold, wish),
        ReservationAct::Cancel { reason } => cancel(draft, booking, reason.as_ref()),
    }
}

/// The reseller has sold it: who comes is judged now, and whoever accepts bookings of the product does so.
fn confirm(draft: &mut Draft, booking: &Booking, hold: &Hold, sold: &ConfirmHold) -> Result<(), Rejection> {
    still_kept(booking, hold, draft.now())?;
    if let Some(units) = &sold.units {
        hold_change::rearrange(draft, booking, hold, units)?;
    }
    let order = draft.order();
    booking::check_phone_is_there(&order, Some(&sold.contact))?;
    let guests = Guests {
        visitors: &sold.visitors,
        contact: Some(&sold.contact),
        visit_date: booking.visit_date,
        counts: &sold.counts,
    };
    check_visitors(&order.rules, order.quantity, &guests, draft.now())?;
    draft.event(Event::GuestsSupplied {
        buyer: sold.contact.clone(),
        visitors: sold.visitors.clone(),
        contact: Some(sold.contact.clone()),
    });
    draft.event(Event::HoldConfirmed { reference: sold.reference.clone() });
    draft.disarm(&[DeadlineKind::Acceptance]);
    booking::wait_for_manager(draft);
    Ok(())
}

/// A repeat changes nothing; other guests would be another booking.
fn confirm_again(order: &Order, booking: &Booking, sold: &ConfirmHold) -> Result<(), Rejection> {
    match booking.state {
        BookingState::Cancelled | BookingState::Rejected => return Err(over()),
        BookingState::Requested | BookingState::Confirmed | BookingState::Used | BookingState::NoShow => {}
    }
    let names_others = sold.units.as_ref().is_some_and(|units| units.other_visit(order).is_some());
    let is_same = booking.contact.as_ref() == Some(&sold.contact) && booking.visitors == sold.visitors;
    if is_same && !names_others {
        return Ok(());
    }
    Err(Rejection::new(
        Why::ContentDiffers,
        "this booking was confirmed for other guests or units; what came first stands",
    ))
}

/// Nobody confirmed in time.
pub(super) fn run_out(draft: &mut Draft) {
    endings::end_all(draft, CancelReason::Expired, None);
}

fn cancel(draft: &mut Draft, booking: &Booking, reason: Option<&FreeText>) -> Result<(), Rejection> {
    let order = draft.order();
    // What was asked for before is being dealt with: the booking shows what comes of it.
    if order.state == OrderState::Cancelled || order.case_under_review().is_some() {
        return Ok(());
    }
    let fee = fee_of_cancelling(&order, booking, draft.now())?;
    if booking.state == BookingState::Requested || has_no_ticket(booking) {
        endings::end_all(draft, CancelReason::ByChannel, reason);
        return Ok(());
    }
    // A person may have rejected an earlier one.
    let earlier = order.past_refund_cases.len() + usize::from(order.refund_case.is_some());
    let application = ApplyRefund {
        copies: None,
        target: booking.channel_booking_id.clone(),
        channel_ref: format!("{CANCELLATION}-{earlier}"),
        kind: RefundKind::Refund,
        source: RefundSource::Guest,
        source_code: None,
        fee,
        requested_at: draft.now(),
    };
    refund::apply_saying(draft, &application, reason)
}

/// Whether no ticket of it admits, and none will come by itself: nothing is to be voided first.
fn has_no_ticket(booking: &Booking) -> bool {
    matches!(booking.ticketing.state, TicketingState::Failed | TicketingState::Cancelled)
}
