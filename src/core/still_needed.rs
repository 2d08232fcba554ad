//! Whether an effect that was decided earlier is still needed when its turn comes. A row that is not is closed without a call.

use crate::message::{Effect, Notification, TicketOp};
use crate::order::channel_state::{LinkState, Proposal};
use crate::order::money::EntryStatus;
use crate::order::{BookingState, Order, OrderState, RefundState, TicketingState};
use crate::rules::cancel_price::quote_holds;

/// Whether `effect` still serves `order` as it is now.
pub fn is_still_needed(order: &Order, effect: &Effect) -> bool {
    match effect {
        Effect::CallBackend { booking, op, .. } => order.booking_by_id(booking).is_some_and(|b| {
            let t = &b.ticketing;
            match op {
                TicketOp::Issue => b.is_active() && t.state.is_awaited(),
                TicketOp::Cancel => {
                    t.manual || matches!(t.state, TicketingState::Cancelling | TicketingState::CancelRefused)
                }
                // Where the truth may still differ from what we believe.
                TicketOp::Query => match t.state {
                    TicketingState::Queued
                    | TicketingState::Requested
                    | TicketingState::Unknown
                    | TicketingState::Issued
                    | TicketingState::Cancelling
                    | TicketingState::Cancelled => true,
                    TicketingState::NotNeeded | TicketingState::Failed | TicketingState::CancelRefused => false,
                },
            }
        }),
        Effect::TellChannel { notification, .. } => is_notification_needed(order, notification),
        Effect::DecryptGuests => {
            order.buyer.has_remote_cipher()
                || order.booking.as_ref().is_some_and(|b| {
                    b.visitors.iter().chain(b.contact.iter()).any(crate::personal::Person::has_remote_cipher)
                })
        }
        Effect::ReadBack { .. }
        | Effect::TellStock { .. }
        | Effect::ArmDeadline { .. }
        | Effect::DisarmDeadline { .. }
        | Effect::TakeStock { .. }
        | Effect::ReturnStock { .. } => true,
    }
}

/// Whether a call that was made once, and not answered, is made again under its key although nobody needs it any more: what it may have made
/// there would live on, known to nobody here. Its answer names what is then taken back.
pub fn must_be_answered(order: &Order, effect: &Effect) -> bool {
    match effect {
        Effect::TellChannel { notification: Notification::PaymentLink { key }, .. } => {
            let links = order.channel_state.iter().flat_map(|channel_state| &channel_state.links);
            links.filter(|link| &link.key == key).any(|link| link.id.is_none())
        }
        Effect::TellChannel { .. }
        | Effect::CallBackend { .. }
        | Effect::DecryptGuests
        | Effect::ReadBack { .. }
        | Effect::TellStock { .. }
        | Effect::ArmDeadline { .. }
        | Effect::DisarmDeadline { .. }
        | Effect::TakeStock { .. }
        | Effect::ReturnStock { .. } => false,
    }
}

pub(crate) fn is_notification_needed(order: &Order, notification: &Notification) -> bool {
    let fits = match notification {
        // Its figures are those of the quote; what has changed since is quoted again.
        Notification::Cancellation { fee, refund, .. } => quote_holds(order, *fee, *refund),
        _ => true,
    };
    fits && is_asked_for(order, notification)
}

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
        Notification::Redeemed { .. } | Notification::NoShow { .. } => {
            order.channel_state.as_ref().is_none_or(|channel_state| channel_state.standing.stage.is_ahead())
        }
        Notification::BookingRejected { .. }
        | Notification::OrderCancelled { .. }
        | Notification::GuestMessage { .. } => true,
    }
}

/// Whether we still want this, and the booking still waits for it.
fn proposed(order: &Order, wanted: &Proposal) -> bool {
    let waits = order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested);
    waits && order.channel_state.as_ref().is_some_and(|m| m.proposal.as_ref() == Some(wanted))
}

fn case_is(order: &Order, id: &crate::id::RefundCaseId, state: RefundState) -> bool {
    order.refund_case.iter().chain(&order.past_refund_cases).any(|c| &c.id == id && c.state == state)
}
