// SPDX-License-Identifier: Apache-2.0

//! What came of what the channel was asked for, where it does not tell the whole order.

use super::propose::end_proposal;
use super::reach::{Reached, reach, reopen_case, wait_for_decision};
use super::{links, payments};
use crate::decide::draft::Draft;
use crate::decide::notifications::refused;
use crate::message::{Cancelled, Effect, Event, Notification, NotificationOutcome, ToldBefore};
use crate::order::asked_for::is_asked_for;
use crate::order::channel_state::{ChannelState, Stage};
use crate::order::undelivered::{LESS_LEFT_WHY, OVERTAKEN};
use crate::order::{BookingState, CancelReason, Order, RefundCase, RefundState};
use crate::quoted::FreeText;
use crate::rules::cancel_price::kept_of_parts;
use crate::still_needed::is_notification_needed;
use crate::time::UnixMillis;

/// The channel has done what was asked for, without telling the whole order.
pub(in crate::decide) fn record_agreement(draft: &mut Draft, notification: &Notification) {
    if let Notification::PaymentReturn { reference, .. } = notification {
        return payments::returned(draft, reference);
    }
    let Some((stage, off)) = agreed_stage(&draft.order(), notification) else { return };
    let since = draft.now();
    reach(draft, &Reached { stage, since, off: off.as_ref(), is_refused: false });
    end_proposal(draft);
    payments::settle_up(draft, off.as_ref());
}

/// Where the order stands by the channel's yes; `None` where that says nothing, or nothing new.
fn agreed_stage(order: &Order, notification: &Notification) -> Option<(Stage, Option<Cancelled>)> {
    if !is_asked_for(order, notification) {
        return None;
    }
    let off = |reason, fee: i64, words: Option<FreeText>| {
        Some(Cancelled { reason, ex_officio: false, fee, returns: Some(order.money.received() - fee), words })
    };
    match notification {
        Notification::BookingConfirmed { .. } => Some((Stage::Confirmed, None)),
        Notification::BookingRejected { reason, .. } => {
            Some((Stage::Rejected, off(CancelReason::Rejected, 0, Some(reason.clone()))))
        }
        // Of a part, only the channel's snapshot says how the lines stand.
        Notification::Cancellation { fee, .. } => {
            let is_whole = order.channel_state.as_deref().is_none_or(|m| m.parts_to_cancel().is_empty());
            // What was kept of units that were cancelled before stays kept beside it.
            is_whole.then(|| (Stage::Cancelled, off(CancelReason::ByOps, *fee + kept_of_parts(order), None)))
        }
        Notification::RefundApproved { fee, .. } => {
            order.active_booking().map(|_| (Stage::Cancelled, off(CancelReason::RefundedBeforeUse, *fee, None)))
        }
        Notification::TicketsIssued { .. }
        | Notification::RefundRejected { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::OrderCancelled { .. }
        | Notification::CancelQuote
        | Notification::PaymentReturn { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => None,
    }
}

/// The order had changed at the channel before our call: what is still needed is told again, with what is known of the attempts before.
pub(in crate::decide) fn overtaken(
    draft: &mut Draft,
    notification: &Notification,
    told: Option<&ToldBefore>,
    not_before: Option<UnixMillis>,
) {
    let again = is_notification_needed(&draft.order(), notification);
    draft.event(Event::NotificationOvertaken { notification: notification.clone() });
    if !again {
        return;
    }
    if draft.order().has_less_left_than(notification) {
        // How much of it the guest is still to have is for a person to say: what went back may have been this very money.
        let why = FreeText::from(LESS_LEFT_WHY);
        failed(draft, notification, &NotificationOutcome::GivenUp { why: why.clone() });
        return refused(draft, notification, &OVERTAKEN.into(), &why);
    }
    let (notification, told_before) = (with_what_is_left(&draft.order(), notification), told.cloned().map(Box::new));
    draft.effect(Effect::TellChannel { notification, not_before, told_before });
}

/// A return of money names what is left of its payment: as the channel counts it now, not as it did before.
fn with_what_is_left(order: &Order, notification: &Notification) -> Notification {
    let mut again = notification.clone();
    if let Notification::PaymentReturn { reference, payment, left, .. } = &mut again {
        *left = order.left_for_return(payment, reference).unwrap_or(*left);
    }
    again
}

/// A call of ours did not do what was wanted.
pub(in crate::decide) fn failed(draft: &mut Draft, notification: &Notification, outcome: &NotificationOutcome) {
    let order = draft.order();
    let channel_state = order.channel_state.as_deref();
    match notification {
        Notification::BookingConfirmed { .. }
        | Notification::BookingRejected { .. }
        | Notification::CancelQuote
        | Notification::Cancellation { .. } => proposal_failed(draft, channel_state),
        Notification::PaymentReturn { reference, .. } => {
            draft.event(Event::PaymentRetracted { reference: reference.clone() });
            payments::flag_failure(draft);
        }
        Notification::PaymentLink { key } => links::link_failed(draft, key, outcome),
        Notification::LinkRevoked { id } => links::revoke_failed(draft, id),
        Notification::RefundApproved { case, .. } => {
            let stands = |c: &&RefundCase| c.id == *case && c.state == RefundState::Approved;
            let is_open = channel_state.is_some() && !order.is_over();
            if is_open && order.refund_case.as_ref().filter(stands).is_some() {
                reopen_case(draft);
            }
        }
        Notification::TicketsIssued { .. }
        | Notification::RefundRejected { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::OrderCancelled { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => {}
    }
}

/// What we asked for does not come about; a booking that still waits is decided by a person.
fn proposal_failed(draft: &mut Draft, channel_state: Option<&ChannelState>) {
    if channel_state.is_none_or(|channel_state| channel_state.proposal.is_none()) {
        return;
    }
    draft.event(Event::ProposalEnded { agreed: false });
    if draft.order().booking.as_ref().is_some_and(|b| b.state == BookingState::Requested) {
        wait_for_decision(draft);
    }
}
