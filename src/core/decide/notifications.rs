// SPDX-License-Identifier: Apache-2.0

//! How calls to the channel ended.

use crate::decide::draft::Draft;
use crate::decide::{snapshot_channel, ticketing};
use crate::message::{Event, Notification, NotificationOutcome};
use crate::order::missed::is_missed;
use crate::order::undelivered::{GIVEN_UP, TAKEN_OUT, TAKEN_OUT_WHY, manual_sentence, refused_sentence};
use crate::order::{AttentionKind, RefundSource};
use crate::quoted::{ForeignCode, FreeText};
use crate::rejection::{Rejection, Why};
use crate::repeat::repeat_notification;
use crate::still_needed::is_notification_needed;
use crate::time::Millis;

/// The channel took a notification, or did not.
pub(super) fn record(
    draft: &mut Draft,
    notification: &Notification,
    outcome: &NotificationOutcome,
) -> Result<(), Rejection> {
    if *outcome == NotificationOutcome::Repeated {
        let events = repeat_notification(&draft.order(), notification, &draft.actor.name, draft.now())
            .map_err(|how| Rejection::new(Why::VersionConflict, format!("the order has moved on: {how}")))?;
        if draft.order().is_let_go(notification) {
            draft.event(Event::NotificationRepeated { notification: notification.clone() });
        }
        events.into_iter().for_each(|event| draft.event(event));
        let now = draft.order();
        if snapshot_channel::leave_used_out(draft, &now) {
            draft.tell(Notification::CancelQuote);
        }
        return Ok(());
    }
    ended(draft, notification, outcome);
    Ok(())
}

/// What became of a notification, where that is no repeat of a dead letter.
pub(super) fn ended(draft: &mut Draft, notification: &Notification, outcome: &NotificationOutcome) {
    if let (Notification::TicketsIssued { booking }, false) = (notification, *outcome == NotificationOutcome::Dropped) {
        let order = draft.order();
        let booking = order.booking.as_ref().filter(|b| &b.id == booking);
        if booking.is_some_and(|b| b.ticketing.handover.is_owed()) {
            tickets_sent(draft, notification, outcome);
        }
        return;
    }
    let notification = notification.clone();
    match outcome {
        NotificationOutcome::Acknowledged => {
            if let Notification::LinkRevoked { id } = &notification {
                snapshot_channel::revoked(draft, id);
            }
            draft.event(Event::NotificationAcknowledged { notification });
            draft.settle_flag(AttentionKind::AnswerAstray);
        }
        NotificationOutcome::Taken { told } => {
            let is_revoke = matches!(notification, Notification::LinkRevoked { .. });
            draft.event(Event::NotificationTaken { notification, told: told.clone() });
            draft.settle_flag(AttentionKind::AnswerAstray);
            if is_revoke {
                snapshot_channel::make_link(draft);
            }
        }
        NotificationOutcome::LeftToPerson { what } => {
            let is_missed = is_missed(&draft.order(), &notification, AttentionKind::ManualTask);
            draft.event(Event::NotificationLeftToPerson { notification, what: what.clone() });
            // What has come about meanwhile is nobody's task.
            if is_missed {
                draft.flag(AttentionKind::ManualTask, manual_sentence(what));
            }
        }
        NotificationOutcome::Overtaken => snapshot_channel::overtaken(draft, &notification, None, None),
        NotificationOutcome::Unmoved { told, not_before } => {
            snapshot_channel::overtaken(draft, &notification, Some(told), *not_before);
        }
        NotificationOutcome::Refused { code, why } => {
            snapshot_channel::failed(draft, &notification, outcome);
            refused(draft, &notification, code, why);
        }
        NotificationOutcome::GivenUp { why } => {
            snapshot_channel::failed(draft, &notification, outcome);
            refused(draft, &notification, &GIVEN_UP.into(), why);
        }
        NotificationOutcome::Dropped => dropped(draft, notification),
        // It was taken care of before.
        NotificationOutcome::Repeated => {}
    }
}

/// Ops have taken it out. One that was still under way fails by that, as any other that is never told: the order does not wait for it.
fn dropped(draft: &mut Draft, notification: Notification) {
    let order = draft.order();
    if !order.is_untold(&notification) && is_notification_needed(&order, &notification) {
        let why = FreeText::from(TAKEN_OUT_WHY);
        snapshot_channel::failed(draft, &notification, &NotificationOutcome::GivenUp { why: why.clone() });
        if let Notification::TicketsIssued { .. } = &notification {
            draft.event(Event::TicketsHandedOver { acknowledged: false });
            ticketing::owes_no_more(draft, &order);
        }
        let code = TAKEN_OUT.into();
        draft.event(Event::NotificationRefused { notification: notification.clone(), code, why });
    }
    if draft.order().misses(&notification) {
        draft.event(Event::NotificationDropped { notification });
    }
}

/// The channel has the tickets that it waited for, or will not take them.
fn tickets_sent(draft: &mut Draft, notification: &Notification, outcome: &NotificationOutcome) {
    let acknowledged = *outcome == NotificationOutcome::Acknowledged;
    // It was refused before, and made again by ops.
    let before = draft.order();
    let makes_up = acknowledged && before.misses(notification);
    draft.event(Event::TicketsHandedOver { acknowledged });
    ticketing::owes_no_more(draft, &before);
    if makes_up {
        draft.event(Event::NotificationAcknowledged { notification: notification.clone() });
    }
    // While the channel's refund request for late tickets is open, that is where the tickets go; no other flag is needed.
    if draft.order().case_under_review().is_some_and(|case| case.source == RefundSource::TicketsLate) {
        return;
    }
    match outcome {
        NotificationOutcome::Refused { code, why } => refused(draft, notification, code, why),
        NotificationOutcome::GivenUp { why } => refused(draft, notification, &GIVEN_UP.into(), why),
        NotificationOutcome::Acknowledged
        | NotificationOutcome::LeftToPerson { .. }
        | NotificationOutcome::Overtaken
        | NotificationOutcome::Unmoved { .. }
        | NotificationOutcome::Taken { .. }
        | NotificationOutcome::Dropped
        | NotificationOutcome::Repeated => {}
    }
}

/// The channel will not take it; where that is missed, a person is told.
pub(super) fn refused(draft: &mut Draft, notification: &Notification, code: &ForeignCode, why: &FreeText) {
    let is_missed = is_missed(&draft.order(), notification, AttentionKind::NotificationRefused);
    let (code, why) = (code.to_owned(), why.to_owned());
    let sentence = refused_sentence(notification, &code, &why);
    draft.event(Event::NotificationRefused { notification: notification.clone(), code, why });
    if is_missed {
        draft.flag(AttentionKind::NotificationRefused, sentence);
    }
}

/// A partner answered about something else. What it answers in the end about this order settles it.
pub(super) fn astray(draft: &mut Draft, partner: &str, why: &FreeText) {
    let sentence = format!("`{partner}` answered about something else than this order ({why}); it is asked again");
    draft.flag(AttentionKind::AnswerAstray, sentence);
}

/// What the channel sent arrived long afterwards: its limits, and the guest's patience, have run since then.
pub(super) fn late(draft: &mut Draft, call: &str, by: Millis) {
    let minutes = crate::words::counted(u32::try_from(by.0 / 60_000).unwrap_or(u32::MAX), "minute", "minutes");
    let sentence = format!(
        "{call} was sent {minutes} before it arrived: limits may have run since; see how it stands at the channel"
    );
    draft.flag(AttentionKind::ArrivedLate, sentence);
}

/// A partner that has still to be called is no longer configured. What waits goes on by itself once it is again; that it is
/// missing is for a person to see.
pub(super) fn partner_gone(draft: &mut Draft, partner: &str) {
    let sentence = format!("{partner}: no longer configured, and a call about this order waits until that is mended");
    draft.flag(AttentionKind::PartnerGone, sentence);
}

/// A person has seen to what the order was flagged for. Flags that end by an act, or by themselves, are not taken away by a word.
pub(super) fn settle_attention(draft: &mut Draft, kind: AttentionKind, reason: &FreeText) -> Result<(), Rejection> {
    let order = draft.order();
    if !order.needs(kind) {
        return Err(Rejection::new(Why::NotWaiting, "this order is not flagged for that").at("kind"));
    }
    if !kind.ends_by_word(order.takes_no_acts()) {
        let sentence = "this flag ends with what the order waits for: `next-steps` says what can be done";
        return Err(Rejection::new(Why::NotSupported, sentence).at("kind"));
    }
    draft.event(Event::AttentionSettled { kind, reason: Some(reason.clone()) });
    Ok(())
}
