// SPDX-License-Identifier: Apache-2.0

//! Whether what the channel is to be told is what we want, as the order stands.

use crate::id::RefundCaseId;
use crate::notification::Notification;
use crate::order::channel_state::{LinkState, Proposal};
use crate::order::money::EntryStatus;
use crate::order::{BookingState, Order, OrderState, RefundState, TicketingState};

/// Whether what the notification asks for is what we want, whatever its figures.
pub(crate) fn is_asked_for(order: &Order, notification: &Notification) -> bool {
    match notification {
        Notification::TicketsIssued { booking } => order.booking_by_id(booking).is_some_and(|b| {
            matches!(b.state, BookingState::Confirmed | BookingState::Used)
                && b.ticketing.handover.is_owed()
                && matches!(b.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded)
        }),
        Notification::BookingConfirmed { .. } if order.channel_state.is_some() => proposed(order, &Proposal::Confirm),
        Notification::BookingRejected { reason, .. } if order.channel_state.is_some() => {
            proposed(order, &Proposal::Reject { reason: reason.clone() })
        }
        Notification::CancelQuote | Notification::Cancellation { .. } => {
            let channel_state = order.channel_state.as_ref();
            !order.is_over() && channel_state.is_some_and(|m| matches!(m.proposal, Some(Proposal::Cancel { .. })))
        }
        Notification::PaymentReturn { reference, .. } => {
            order.money.ledger.iter().any(|e| &e.reference == reference && e.status == EntryStatus::Pending)
        }
        Notification::PaymentLink { key } => order
            .channel_state
            .as_ref()
            .is_some_and(|m| m.links.iter().any(|l| &l.key == key && l.state == LinkState::Requested)),
        Notification::LinkRevoked { .. } => true,
        Notification::HandOver => order.state != OrderState::Cancelled,
        Notification::BookingConfirmed { booking } => order
            .booking_by_id(booking)
            .is_some_and(|b| matches!(b.state, BookingState::Confirmed | BookingState::Used | BookingState::NoShow)),
        Notification::RefundApproved { case, .. } => case_is(order, case, RefundState::Approved),
        Notification::RefundRejected { case, .. } => case_is(order, case, RefundState::Rejected),
        // A channel that has told it by itself meanwhile knows it.
        Notification::Redeemed { booking, .. } if order.is_used_in_part(booking) => {
            is_ahead(order) && !order.used_and_untold().is_empty()
        }
        Notification::Redeemed { .. } | Notification::NoShow { .. } => is_ahead(order),
        Notification::BookingRejected { .. }
        | Notification::OrderCancelled { .. }
        | Notification::GuestMessage { .. } => true,
    }
}

/// Whether the channel has still to hear how the visit ended.
fn is_ahead(order: &Order) -> bool {
    order.channel_state.as_ref().is_none_or(|channel_state| channel_state.standing.stage.is_ahead())
}

/// Whether we still want this, and the booking still waits for it.
fn proposed(order: &Order, wanted: &Proposal) -> bool {
    let waits = order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested);
    waits && order.channel_state.as_ref().is_some_and(|m| m.proposal.as_ref() == Some(wanted))
}

fn case_is(order: &Order, id: &RefundCaseId, state: RefundState) -> bool {
    order.refund_case.iter().chain(&order.past_refund_cases).any(|c| &c.id == id && c.state == state)
}
