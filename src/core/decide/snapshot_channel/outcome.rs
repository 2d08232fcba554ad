//! What came of what the channel was asked for, where it does not tell the whole order.

use super::propose::end_proposal;
use super::reach::{reach, reopen_case, wait_for_decision};
use super::{links, payments};
use crate::decide::Decision;
use crate::decide::draft::Draft;
use crate::message::{CalledOff, Effect, Event, Report, ReportOutcome};
use crate::order::channel_state::Stage;
use crate::order::{AttentionKind, BookingState, CancelReason, Order, RefundCase, RefundState};
use crate::time::Moment;

/// The channel has done what was asked for, without telling the whole order.
pub(in crate::decide) fn record_agreement(order: &Order, report: &Report, moment: Moment) -> Decision {
    let mut draft = Draft::of(order, moment);
    let off = |reason, fee: i64, words: Option<String>| CalledOff {
        reason,
        ex_officio: false,
        fee,
        returns: Some(order.money.received() - fee),
        words,
    };
    let wanted = crate::still_needed::is_asked_for(order, report);
    let (stage, off) = match report {
        Report::BookingAccepted { .. } if wanted => (Stage::Confirmed, None),
        Report::BookingDeclined { reason, .. } if wanted => {
            (Stage::Rejected, Some(off(CancelReason::Rejected, 0, Some(reason.clone()))))
        }
        // Of a part, only the channel's picture says how the lines stand.
        Report::CancelWanted { .. } if order.mirror.as_deref().is_some_and(|m| !m.wanted_parts().is_empty()) => {
            return Decision::nothing();
        }
        Report::CancelWanted { fee, .. } if wanted => (Stage::Cancelled, Some(off(CancelReason::ByOps, *fee, None))),
        Report::RefundApproved { fee, .. } if wanted && order.active_booking().is_some() => {
            (Stage::Cancelled, Some(off(CancelReason::RefundedBeforeUse, *fee, None)))
        }
        Report::PaymentReturn { reference, .. } => {
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
pub(in crate::decide) fn record_failure(order: &Order, report: &Report, outcome: &ReportOutcome) -> Decision {
    let mut draft = Draft::at(order, order.updated_at);
    if let ReportOutcome::Overtaken = outcome {
        let again = crate::still_needed::is_report_wanted(order, report);
        let part = Decision::nothing().event(Event::ReportOvertaken { report: report.clone() });
        draft.add(if again {
            part.effect(Effect::TellChannel { report: report.clone(), not_before: None })
        } else {
            part
        });
        return draft.decision;
    }
    match report {
        Report::BookingAccepted { .. }
        | Report::BookingDeclined { .. }
        | Report::CancelQuote
        | Report::CancelWanted { .. }
            if order.mirror.as_deref().is_some_and(|m| m.proposal.is_some()) =>
        {
            draft.add(Decision::nothing().event(Event::ProposalEnded { agreed: false }));
            if draft.order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested) {
                wait_for_decision(&mut draft);
            }
        }
        Report::PaymentReturn { reference, .. } => {
            draft.add(Decision::nothing().event(Event::PaymentRetracted { reference: reference.clone() }));
            payments::flag_failure(&mut draft);
            if draft.order.needs(AttentionKind::UnexpectedPayment) {
                let sentence =
                    "money came that was not due, and the channel does not return it; return it there".to_owned();
                let kind = AttentionKind::UnexpectedPayment;
                draft.add(Decision::nothing().event(Event::AttentionRaised { kind, sentence }));
            }
        }
        Report::PaymentLink { key } => links::link_failed(&mut draft, key),
        Report::RefundApproved { case, .. } if order.mirror.is_some() => {
            let stands = |c: &&RefundCase| c.id == *case && c.state == RefundState::Approved;
            if !order.is_over() && order.refund_case.as_ref().filter(stands).is_some() {
                draft.add(reopen_case(order));
            }
        }
        _ => {}
    }
    draft.decision
}
