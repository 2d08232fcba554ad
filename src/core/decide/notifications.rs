//! How calls to the channel ended.

use crate::decide::{Decision, snapshot_channel};
use crate::message::{Actor, Event, Notification, NotificationOutcome};
use crate::order::undelivered::{GIVEN_UP, is_missed, manual_sentence, refused_sentence};
use crate::order::{AttentionKind, Order, RefundSource};
use crate::rejection::{Rejection, Why};
use crate::repeat::repeat_notification;
use crate::time::Moment;

/// The channel took a report, or did not.
pub(super) fn record(
    order: &Order,
    notification: &Notification,
    outcome: &NotificationOutcome,
    actor: &Actor,
    moment: Moment,
) -> Result<Decision, Rejection> {
    if *outcome == NotificationOutcome::Repeated {
        let events = repeat_notification(order, notification, &actor.name, moment.now)
            .map_err(|how| Rejection::new(Why::VersionConflict, format!("the order has moved on: {how}")))?;
        return Ok(events.into_iter().fold(Decision::nothing(), Decision::event));
    }
    Ok(heard(order, notification, outcome))
}

/// What became of a report, where that is no repeat of a dead letter.
pub(super) fn heard(order: &Order, notification: &Notification, outcome: &NotificationOutcome) -> Decision {
    if *outcome == NotificationOutcome::Dropped {
        let dropped = Event::NotificationDropped { notification: notification.clone() };
        return if order.misses(notification) { Decision::nothing().event(dropped) } else { Decision::nothing() };
    }
    if let Notification::TicketsIssued { booking } = notification {
        let owed = order.booking.as_ref().is_some_and(|b| &b.id == booking && b.ticketing.handover.is_owed());
        if !owed {
            return Decision::nothing();
        }
        let acknowledged = *outcome == NotificationOutcome::Acknowledged;
        let mut decision = Decision::nothing().event(Event::TicketsHandedOver { acknowledged });
        if acknowledged && order.misses(notification) {
            // It was refused before, and made again by ops.
            decision = decision.event(Event::NotificationAcknowledged { notification: notification.clone() });
        }
        // While the channel's refund request for late tickets is open, that is where the tickets go; no other flag is needed.
        let late = order.case_under_review().is_some_and(|case| case.source == RefundSource::TicketsLate);
        return if acknowledged || late { decision } else { flag(order, notification, outcome, decision) };
    }
    if let NotificationOutcome::LeftToPerson { what } = outcome {
        return Decision::nothing()
            .event(Event::NotificationLeftToPerson { notification: notification.clone(), what: what.clone() })
            .attention(order, AttentionKind::ManualTask, manual_sentence(what));
    }
    if *outcome == NotificationOutcome::Overtaken {
        return snapshot_channel::record_failure(order, notification, outcome);
    }
    match outcome {
        NotificationOutcome::Acknowledged => settle_astray(
            order,
            Decision::nothing().event(Event::NotificationAcknowledged { notification: notification.clone() }),
        ),
        NotificationOutcome::Taken => settle_astray(
            order,
            Decision::nothing().event(Event::NotificationTaken { notification: notification.clone() }),
        ),
        NotificationOutcome::Refused { .. } | NotificationOutcome::GivenUp { .. } => {
            flag(order, notification, outcome, snapshot_channel::record_failure(order, notification, outcome))
        }
        NotificationOutcome::LeftToPerson { .. }
        | NotificationOutcome::Overtaken
        | NotificationOutcome::Dropped
        | NotificationOutcome::Repeated => Decision::nothing(),
    }
}

/// A partner answered about something else. What it answers in the end about this order settles it.
pub(super) fn astray(order: &Order, partner: &str, why: &str) -> Decision {
    let sentence = format!("`{partner}` answered about something else than this order ({why}); it is asked again");
    Decision::nothing().attention(order, AttentionKind::AnswerAstray, sentence)
}

/// A partner that had answered about something else has answered about this order.
pub(super) fn settle_astray(order: &Order, decision: Decision) -> Decision {
    match order.needs(AttentionKind::AnswerAstray) {
        true => decision.event(Event::AttentionSettled { kind: AttentionKind::AnswerAstray }),
        false => decision,
    }
}

/// A partner that has still to be called is no longer configured. What waits goes on by itself once it is again; that it is
/// missing is for a person to see.
pub(super) fn partner_gone(order: &Order, partner: &str) -> Decision {
    let sentence = format!("{partner}: no longer configured, and a call about this order waits until that is mended");
    Decision::nothing().attention(order, AttentionKind::PartnerGone, sentence)
}

/// The partner is configured again, or the call is not needed any more.
pub(super) fn partner_back(order: &Order) -> Decision {
    match order.needs(AttentionKind::PartnerGone) {
        true => Decision::nothing().event(Event::AttentionSettled { kind: AttentionKind::PartnerGone }),
        false => Decision::nothing(),
    }
}

fn flag(order: &Order, notification: &Notification, outcome: &NotificationOutcome, decision: Decision) -> Decision {
    let (code, why) = match outcome {
        NotificationOutcome::Acknowledged
        | NotificationOutcome::LeftToPerson { .. }
        | NotificationOutcome::Overtaken
        | NotificationOutcome::Taken
        | NotificationOutcome::Dropped
        | NotificationOutcome::Repeated => return decision,
        NotificationOutcome::Refused { code, why } => (code.clone(), why),
        NotificationOutcome::GivenUp { why } => (GIVEN_UP.to_owned(), why),
    };
    let sentence = refused_sentence(notification, &code, why);
    let decision =
        decision.event(Event::NotificationRefused { notification: notification.clone(), code, why: why.clone() });
    if !is_missed(order, notification, AttentionKind::NotificationRefused) {
        return decision;
    }
    decision.attention(order, AttentionKind::NotificationRefused, sentence)
}
