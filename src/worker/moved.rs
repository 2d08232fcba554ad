// SPDX-License-Identifier: Apache-2.0

//! What has become another of an order since a call about it was written, and what that means for the call.

use ticketbridge_core::message::Notification;
use ticketbridge_core::order::Order;
use ticketbridge_core::order::channel_state::{ChannelState, Proposal, Standing};
use ticketbridge_core::order::undelivered::{LESS_LEFT_WHY, OVERTAKEN_WHY};
use ticketbridge_core::still_needed::is_notification_needed;

/// Whether a message says how the order stands, so that it is another message once the order stands otherwise.
pub(crate) fn says_how_the_order_stands(notification: &Notification) -> bool {
    match notification {
        Notification::BookingConfirmed { .. }
        | Notification::BookingRejected { .. }
        | Notification::Cancellation { .. }
        | Notification::RefundApproved { .. }
        | Notification::Redeemed { .. } => true,
        // Figures of their own, which stay as they were decided; or a key that is the order's and not the delivery's.
        Notification::TicketsIssued { .. }
        | Notification::RefundRejected { .. }
        | Notification::OrderCancelled { .. }
        | Notification::CancelQuote
        | Notification::NoShow { .. }
        | Notification::PaymentReturn { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => false,
    }
}

/// Whether the channel counts more changes of the order than it did.
pub(crate) fn has_moved_on(before: &Order, now: &Order) -> bool {
    let count = |order: &Order| order.channel_state.as_deref().map_or(0, |state| state.standing.revision);
    count(now) > count(before)
}

/// Whether anything but flags for people has changed: only then is what would be sent another message.
pub(crate) fn has_moved(before: &Order, now: &Order) -> bool {
    let unflagged = Order {
        attention: before.attention.clone(),
        version: before.version,
        updated_at: before.updated_at,
        ..now.clone()
    };
    unflagged != *before
}

/// Whether anything but the count of changes, and what is kept beside the order, is another.
pub(crate) fn has_news(before: &Order, now: &Order) -> bool {
    let mut unmoved = Order {
        attention: before.attention.clone(),
        version: before.version,
        updated_at: before.updated_at,
        ..now.clone()
    };
    if let (Some(unmoved), Some(before)) = (unmoved.channel_state.as_deref_mut(), before.channel_state.as_deref()) {
        let told = before.standing.clone();
        unmoved.standing = Standing {
            revision: told.revision,
            at: told.at,
            extra: told.extra,
            notes: told.notes,
            ..unmoved.standing.clone()
        };
        unmoved.unproven.clone_from(&before.unproven);
        unmoved.doubts.clone_from(&before.doubts);
    }
    unmoved != *before
}

/// Whether a channel's books tell nothing of what was asked for but that something has changed.
pub(crate) fn is_counted_only(notification: &Notification) -> bool {
    matches!(notification, Notification::LinkRevoked { .. })
}

/// Why something that the channel has refused since the order is another now is not wanted any more as the order is, although that lives:
/// units were cancelled meanwhile, or money went back, and nobody knows whether those were meant.
pub(crate) fn why_overtaken(notification: &Notification, now: &Order) -> Option<&'static str> {
    let is_wanted = |state: &ChannelState| matches!(state.proposal, Some(Proposal::Cancel { .. }));
    let is_cancellation = matches!(notification, Notification::Cancellation { .. });
    if is_cancellation && !now.is_over() && !now.channel_state.as_deref().is_some_and(is_wanted) {
        return Some(OVERTAKEN_WHY);
    }
    let is_open = is_notification_needed(now, notification);
    (is_open && now.has_less_left_than(notification)).then_some(LESS_LEFT_WHY)
}
