// SPDX-License-Identifier: Apache-2.0

//! Whether an effect that was decided earlier is still needed when its turn comes. A row that is not is closed without a call.

use crate::message::{Effect, Notification, TicketOp};
use crate::order::asked_for::is_asked_for;
use crate::order::{Order, TicketingState};
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
        Effect::CompareGuests { .. }
        | Effect::ReadBack { .. }
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
        | Effect::CompareGuests { .. }
        | Effect::ReadBack { .. }
        | Effect::TellStock { .. }
        | Effect::ArmDeadline { .. }
        | Effect::DisarmDeadline { .. }
        | Effect::TakeStock { .. }
        | Effect::ReturnStock { .. } => false,
    }
}

/// Whether the order still asks for `notification`, with the figures that it names.
pub fn is_notification_needed(order: &Order, notification: &Notification) -> bool {
    let fits = match notification {
        // Its figures are those of the quote; what has changed since is quoted again.
        Notification::Cancellation { fee, refund, .. } => quote_holds(order, *fee, *refund),
        Notification::BookingConfirmed { .. }
        | Notification::BookingRejected { .. }
        | Notification::TicketsIssued { .. }
        | Notification::RefundApproved { .. }
        | Notification::RefundRejected { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::OrderCancelled { .. }
        | Notification::CancelQuote
        | Notification::PaymentReturn { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::HandOver
        | Notification::GuestMessage { .. } => true,
    };
    fits && is_asked_for(order, notification)
}
