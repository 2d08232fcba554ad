//! What came of what the channel was asked for, where it does not tell the whole order.

use super::propose::end_proposal;
use super::reach::{reach, reopen_case, wait_for_decision};
use super::{links, payments};
use crate::decide::Decision;
use crate::decide::draft::Draft;
use crate::message::{Cancelled, Effect, Event, Notification, NotificationOutcome};
use crate::order::channel_state::Stage;
use crate::order::{BookingState, CancelReason, Order, RefundCase, RefundState};
use crate::time::Moment;

/// The channel has done what was asked for, without telling the whole order.
pub(in crate::decide) fn record_agreement(order: &Order, notification: &Notification, moment: Moment) -> Decision {
    let mut draft = Draft::of(order, moment);
    let off = |reason, fee: i64, words: Option<String>| Cancelled {
        reason,
        ex_officio: false,
        fee,
        returns: Some(order.money.received() - fee),
        words,
    };
    let wanted = crate::still_needed::is_asked_for(order, notification);
    let (stage, off) = match notification {
        Notification::BookingConfirmed { .. } if wanted => (Stage::Confirmed, None),
        Notification::BookingRejected { reason, .. } if wanted => {
            (Stage::Rejected, Some(off(CancelReason::Rejected, 0, Some(reason.clone()))))
        }
        // Of a part, only the channel's picture says how the lines stand.
        Notification::Cancellation { .. }
            if order.channel_state.as_deref().is_some_and(|m| !m.parts_to_cancel().is_empty()) =>
        {
            return Decision::nothing();
        }
        Notification::Cancellation { fee, .. } if wanted => {
            (Stage::Cancelled, Some(off(CancelReason::ByOps, *fee, None)))
        }
        Notification::RefundApproved { fee, .. } if wanted && order.active_booking().is_some() => {
            (Stage::Cancelled, Some(off(CancelReason::RefundedBeforeUse, *fee, None)))
        }
        Notification::PaymentReturn { reference, .. } => {
            payments::returned(&mut draft, reference);
            return draft.decision;
        }
        _ => return Decision::nothing(),
    };
    reach(&mut draft, stage, moment.now, off.as_ref(), moment);
    end_proposal(&mut draft);
    payments::settle_up(&mut draft, off.as_ref(), moment.now);
    draft.decision
}

/// A call of ours did not do what was wanted.
pub(in crate::decide) fn record_failure(
    order: &Order,
    notification: &Notification,
    outcome: &NotificationOutcome,
) -> Decision {
    let mut draft = Draft::at(order, order.updated_at);
    if let NotificationOutcome::Overtaken = outcome {
        let again = crate::still_needed::is_notification_needed(order, notification);
        let part = Decision::nothing().event(Event::NotificationOvertaken { notification: notification.clone() });
        draft.add(if again {
            part.effect(Effect::TellChannel { notification: notification.clone(), not_before: None })
        } else {
            part
        });
        return draft.decision;
    }
    match notification {
        Notification::BookingConfirmed { .. }
        | Notification::BookingRejected { .. }
        | Notification::CancelQuote
        | Notification::Cancellation { .. }
            if order.channel_state.as_deref().is_some_and(|m| m.proposal.is_some()) =>
        {
            draft.add(Decision::nothing().event(Event::ProposalEnded { agreed: false }));
            if draft.order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested) {
                wait_for_decision(&mut draft);
            }
        }
        Notification::PaymentReturn { reference, .. } => {
            draft.add(Decision::nothing().event(Event::PaymentRetracted { reference: reference.clone() }));
            payments::flag_failure(&mut draft);
        }
        Notification::PaymentLink { key } => links::link_failed(&mut draft, key, outcome),
        Notification::RefundApproved { case, .. } if order.channel_state.is_some() => {
            let stands = |c: &&RefundCase| c.id == *case && c.state == RefundState::Approved;
            if !order.is_over() && order.refund_case.as_ref().filter(stands).is_some() {
                draft.add(reopen_case(order));
            }
        }
        _ => {}
    }
    draft.decision
}
