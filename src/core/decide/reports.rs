//! How calls to the channel ended.

use crate::decide::{Decision, snapshot_channel};
use crate::message::{Actor, Event, Report, ReportOutcome};
use crate::order::undelivered::{GIVEN_UP, by_hand_sentence, is_missed, refused_sentence};
use crate::order::{AttentionKind, Order, RefundSource};
use crate::rejection::{Rejection, Why};
use crate::repeat::repeat_report;
use crate::time::Moment;

/// The channel took a report, or did not.
pub(super) fn record(
    order: &Order,
    report: &Report,
    outcome: &ReportOutcome,
    actor: &Actor,
    moment: Moment,
) -> Result<Decision, Rejection> {
    if *outcome == ReportOutcome::Repeated {
        let events = repeat_report(order, report, &actor.name, moment.now)
            .map_err(|how| Rejection::new(Why::VersionConflict, format!("the order has moved on: {how}")))?;
        return Ok(events.into_iter().fold(Decision::nothing(), Decision::event));
    }
    Ok(heard(order, report, outcome))
}

/// What became of a report, where that is no repeat of a dead letter.
pub(super) fn heard(order: &Order, report: &Report, outcome: &ReportOutcome) -> Decision {
    if *outcome == ReportOutcome::Dropped {
        let dropped = Event::ReportDropped { report: report.clone() };
        return if order.misses(report) { Decision::nothing().event(dropped) } else { Decision::nothing() };
    }
    if let Report::TicketsIssued { booking } = report {
        let owed = order.booking.as_ref().is_some_and(|b| &b.id == booking && b.ticketing.handover.is_owed());
        if !owed {
            return Decision::nothing();
        }
        let acknowledged = *outcome == ReportOutcome::Acknowledged;
        let mut decision = Decision::nothing().event(Event::TicketsHandedOver { acknowledged });
        if acknowledged && order.misses(report) {
            // It was refused before, and made again by ops.
            decision = decision.event(Event::ReportAcknowledged { report: report.clone() });
        }
        // While the channel's refund request for late tickets is open, that is where the tickets go; no other flag is needed.
        let late = order.case_under_review().is_some_and(|case| case.source == RefundSource::TicketsLate);
        return if acknowledged || late { decision } else { flag(order, report, outcome, decision) };
    }
    if let ReportOutcome::LeftToPerson { what } = outcome {
        return Decision::nothing()
            .event(Event::ReportLeftToPerson { report: report.clone(), what: what.clone() })
            .attention(order, AttentionKind::ToDoByHand, by_hand_sentence(what));
    }
    if *outcome == ReportOutcome::Overtaken {
        return snapshot_channel::record_failure(order, report, outcome);
    }
    match outcome {
        ReportOutcome::Acknowledged => {
            settle_astray(order, Decision::nothing().event(Event::ReportAcknowledged { report: report.clone() }))
        }
        ReportOutcome::Taken => {
            settle_astray(order, Decision::nothing().event(Event::ReportTaken { report: report.clone() }))
        }
        ReportOutcome::Refused { .. } | ReportOutcome::GivenUp { .. } => {
            flag(order, report, outcome, snapshot_channel::record_failure(order, report, outcome))
        }
        ReportOutcome::LeftToPerson { .. }
        | ReportOutcome::Overtaken
        | ReportOutcome::Dropped
        | ReportOutcome::Repeated => Decision::nothing(),
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

fn flag(order: &Order, report: &Report, outcome: &ReportOutcome, decision: Decision) -> Decision {
    let (code, why) = match outcome {
        ReportOutcome::Acknowledged
        | ReportOutcome::LeftToPerson { .. }
        | ReportOutcome::Overtaken
        | ReportOutcome::Taken
        | ReportOutcome::Dropped
        | ReportOutcome::Repeated => return decision,
        ReportOutcome::Refused { code, why } => (code.clone(), why),
        ReportOutcome::GivenUp { why } => (GIVEN_UP.to_owned(), why),
    };
    let sentence = refused_sentence(report, &code, why);
    let decision = decision.event(Event::ReportRefused { report: report.clone(), code, why: why.clone() });
    if !is_missed(order, report, AttentionKind::ReportRefused) {
        return decision;
    }
    decision.attention(order, AttentionKind::ReportRefused, sentence)
}
