// SPDX-License-Identifier: Apache-2.0

//! Bookings that policy confirms, rejects, or cancels because no ticket can be had.

use crate::message::{Command, Notification};
use crate::order::channel_state::{ChannelState, Proposal};
use crate::order::money::PaymentMode;
use crate::order::{Booking, BookingState, Fact, Order, TicketingState};
use crate::product::Confirmation;
use crate::quoted::FreeText;
use crate::rules::for_sale::SOLD_OUT;

pub(super) fn decide_booking(order: &Order) -> Option<Command> {
    let booking = order.booking.as_ref()?;
    let waits = booking.state == BookingState::Requested;
    if let Some(channel_state) = order.channel_state.as_deref() {
        return answer_request(order, channel_state, booking).filter(|_| waits);
    }
    let auto = order.rules.booking.confirm == Confirmation::Auto;
    (waits && auto && !booking.is_on_hold() && order.case_under_review().is_none()).then_some(Command::ConfirmBooking)
}

/// A booking whose channel asks us to decide, and then decides itself. What the channel has refused once is left to a person.
fn answer_request(order: &Order, channel_state: &ChannelState, booking: &Booking) -> Option<Command> {
    let stuck = channel_state.standing.read_only || !channel_state.standing.needs_decision;
    if stuck || order.case_under_review().is_some() {
        return None;
    }
    if booking.ticketing.state == TicketingState::Failed && channel_state.proposal == Some(Proposal::Confirm) {
        return reject_unless_refused(order, booking, SOLD_OUT);
    }
    let hopeless = booking.ticketing.state == TicketingState::Failed;
    if order.rules.booking.confirm != Confirmation::Auto || channel_state.proposal.is_some() || hopeless {
        return None;
    }
    if let Some(reason) = &channel_state.not_for_sale {
        return reject_unless_refused(order, booking, reason);
    }
    let paid = order.money.left() >= channel_state.standing.confirm_needs;
    // Nobody has agreed to what is sold by now instead of what was booked.
    let is_another = order.attention.iter().any(|flag| matches!(flag.fact, Some(Fact::SoldOtherwise { .. })));
    // Nor does policy confirm what somebody wanted rejected.
    let answered_before = order.was_undelivered(|notification| {
        matches!(notification, Notification::BookingConfirmed { .. } | Notification::BookingRejected { .. })
    });
    let may = (paid || order.money.mode != PaymentMode::Ledger) && !answered_before && !is_another;
    may.then_some(Command::ConfirmBooking)
}

/// What the channel has refused, or has no call for, is not asked for again.
fn reject_unless_refused(order: &Order, booking: &Booking, reason: &str) -> Option<Command> {
    let reason = FreeText::our_own(reason.to_owned());
    let rejected = Notification::BookingRejected { booking: booking.id.clone(), reason: reason.clone() };
    let asked_before = order.was_undelivered(|notification| *notification == rejected);
    (!asked_before).then(|| Command::RejectBooking { reason })
}

/// The channel confirmed by itself, and the back-end has no ticket: nobody keeps money for a visit that cannot be
/// (`adapters/kakao/README.md`).
pub(super) fn cancel_without_tickets(order: &Order) -> Option<Command> {
    let (channel_state, booking) = (order.channel_state.as_deref()?, order.booking.as_ref()?);
    let by_itself = !channel_state.standing.needs_decision && !channel_state.standing.read_only;
    let hopeless = booking.state == BookingState::Confirmed && booking.ticketing.state == TicketingState::Failed;
    let asked_before = order.was_undelivered(|notification| match notification {
        Notification::CancelQuote => true,
        Notification::Cancellation { reason, .. } => *reason == SOLD_OUT,
        _ => false,
    });
    let is_open = channel_state.proposal.is_none() && order.case_under_review().is_none() && !asked_before;
    (by_itself && hopeless && is_open).then(|| Command::AskCancellation {
        fee: Some(0),
        reason: SOLD_OUT.into(),
        parts: Vec::new(),
        notify_text: None,
    })
}
