//! Refund cases: applied for, decided, and the tickets made void first (DY-15, the refund matrix).
//!
//! *Who* decides is in [`crate::next_step`]; here stands what a decision does.

use crate::decide::{Decision, disarm, return_date_stock, sale, start_cancel, ticketing};
use crate::id::RefundCaseId;
use crate::message::{Actor, ActorKind, ApplyRefund, DeadlineKind, Effect, Event, RecordRejection, Report};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, PRESUMED, PaymentMode};
use crate::order::{
    AttentionKind, Booking, BookingState, CancelReason, Order, OrderKind, RefundCase, RefundIntent, RefundKind,
    RefundSource, RefundState, TicketingState,
};
use crate::rejection::{Rejection, Why};
use crate::time::Moment;

/// Somebody wants money back. The same request again changes nothing; a new one supersedes one that is still under review.
pub(super) fn apply(order: &Order, application: &ApplyRefund, moment: Moment) -> Result<Decision, Rejection> {
    if order.case_by_ref(&application.channel_ref).is_some() {
        return Ok(Decision::nothing());
    }
    if order.mirror.is_some() {
        // Its request would stand in the order that it tells: one that does not would never be taken back there.
        return Err(Rejection::new(Why::NotSupported, "this channel asks for money back by telling the whole order"));
    }
    let limits = &order.rules.channel;
    let review_by = application.requested_at + limits.review_limit;
    let case = RefundCase {
        id: moment.seed.refund_case(),
        channel_ref: application.channel_ref.clone(),
        target: application.target.clone(),
        state: RefundState::UnderReview,
        kind: application.kind,
        source: application.source,
        source_code: application.source_code,
        requested_at: application.requested_at,
        review_by,
        channel_fee: application.fee,
        fee: None,
        intent: RefundIntent::Undecided,
        decided_by: None,
        decided_at: None,
        reason: None,
        settled_amount: None,
        tickets_were_sent: tickets_were_sent(order),
        reissue: false,
        overdue: false,
    };
    let mut decision = Decision::nothing();
    if let Some(open) = order.case_under_review() {
        decision = decision.event(Event::RefundWithdrawn { case: open.id.clone() });
        if let Some(booking) = order.active_booking().filter(|b| b.ticketing.state == TicketingState::CancelRefused) {
            decision = decision.then(ticketing::ask_about_kept(order, booking));
        }
    }
    let warn_at = limits.review_warn_before.iter().map(|before| review_by - *before);
    let (missed, warn_at): (Vec<_>, Vec<_>) = warn_at.partition(|at| *at <= moment.now);
    let mut decision = decision.event(Event::RefundApplied { case: Box::new(case) });
    if !missed.is_empty() && moment.now < review_by {
        // It was long on its way, or told late: the warning that is over by now is given at once.
        decision = decision.event(Event::ReviewLimitNear { due_at: review_by });
    }
    Ok(decision.effect(Effect::ArmDeadline { kind: DeadlineKind::Review, due_at: review_by, warn_at }))
}

/// Whether tickets are on their way to the channel by a call of ours. Those that came while an earlier case was under review were
/// held back.
fn tickets_were_sent(order: &Order) -> bool {
    let owed = |b: &Booking| b.ticketing.handover.is_owed() && b.ticketing.state == TicketingState::Issued;
    order.active_booking().is_some_and(owed) && order.case_under_review().is_none_or(|open| open.tickets_were_sent)
}

/// Approves. Tickets that may admit are made void at the back-end first; only then is the channel told.
pub(super) fn approve(
    order: &Order,
    id: &RefundCaseId,
    fee: Option<i64>,
    without_backend: bool,
    reason: Option<&str>,
    actor: &Actor,
    moment: Moment,
) -> Result<Decision, Rejection> {
    let case = under_review(order, id)?;
    if order.mirror.is_some() && fee.or(case.fee).is_none() {
        let sentence = "this channel names no fee: say what is kept, 0 for nothing";
        return Err(Rejection::new(Why::FeeOutOfRange, sentence).at("fee"));
    }
    let fee = fee.or(case.fee).unwrap_or(case.channel_fee);
    if fee < 0 || fee > case.channel_fee {
        return Err(Rejection::new(
            Why::FeeOutOfRange,
            format!("the fee must be between 0 and the channel's own {}", case.channel_fee),
        )
        .at("fee"));
    }
    let by = match actor.kind {
        // Policy carries out what was decided before, by whomever.
        ActorKind::Policy => case.decided_by.clone().unwrap_or_else(|| "policy".to_owned()),
        _ => actor.name.clone(),
    };
    let reason = reason.map(str::to_owned);
    let live = order.booking_of(case).filter(|b| b.ticketing.may_be_live()).or_else(|| order.called_off_and_live());
    match live {
        Some(booking) if !without_backend => start_approval(order, case, booking, fee, by, reason),
        _ => Ok(finish_approval(order, case, fee, by, reason, moment)),
    }
}

fn start_approval(
    order: &Order,
    case: &RefundCase,
    booking: &Booking,
    fee: i64,
    by: String,
    reason: Option<String>,
) -> Result<Decision, Rejection> {
    if booking.ticketing.by_hand && booking.ticketing.state == TicketingState::Issued {
        return Err(Rejection::new(
            Why::Invalid,
            "these tickets were made by hand; make them void at the gate, then approve with without_backend",
        )
        .at("without_backend"));
    }
    if case.intent == RefundIntent::ApproveOnceVoid && booking.ticketing.state == TicketingState::Cancelling {
        return Ok(Decision::nothing());
    }
    Ok(Decision::nothing()
        .event(Event::RefundApprovalStarted { case: case.id.clone(), fee, by, reason })
        .then(start_cancel(order, booking)))
}

fn finish_approval(
    order: &Order,
    case: &RefundCase,
    fee: i64,
    by: String,
    reason: Option<String>,
    moment: Moment,
) -> Decision {
    // What was kept as the fee of an earlier refund is nobody's to return.
    let returns = order.money.received() - order.money.refunded() - order.money.fee();
    let pending = (case.kind == RefundKind::Refund && order.money.mode == PaymentMode::Ledger && returns > fee)
        .then(|| LedgerEntry {
            reference: PRESUMED.to_owned(),
            kind: EntryKind::Refund,
            status: EntryStatus::Pending,
            amount: returns - fee,
            at: moment.now,
        })
        .filter(|_| order.money.refund_pending() == 0);
    let mut decision =
        Decision::nothing().event(Event::RefundApproved { case: case.id.clone(), fee, by, reason, pending }).effect(
            Effect::TellChannel { report: Report::RefundApproved { case: case.id.clone(), fee }, not_before: None },
        );
    // A channel that tells whole orders ends the booking itself, once it agrees.
    let ended = order.booking_of(case).filter(|_| order.mirror.is_none());
    if let Some(booking) = ended {
        decision = decision
            .then(ticketing::void(order, booking))
            .event(Event::BookingCancelled { booking: booking.id.clone(), reason: CancelReason::RefundedBeforeUse })
            .maybe(return_date_stock(order, booking))
            .maybe(sale::booking_window(&order.rules));
        if order.parked_for(booking) {
            decision = decision.attention(
                order,
                AttentionKind::RedeemedWhileRefunded,
                "the refund was approved although the guest had entered; settle it with the channel",
            );
        }
        decision = disarm(decision, &[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay]);
        if order.kind == OrderKind::Direct {
            decision = decision.event(Event::OrderCancelled { reason: CancelReason::RefundedBeforeUse, why: None });
        }
    }
    disarm(decision, &[DeadlineKind::Review])
}

/// Rejects. Where the channel asked because tickets were late, the tickets must go with the rejection, or it is void
/// (`protocols/douyin.md` 10.2).
pub(super) fn reject(order: &Order, id: &RefundCaseId, reason: &str, actor: &Actor) -> Result<Decision, Rejection> {
    let case = under_review(order, id)?;
    let booking = order.booking.as_ref();
    let tickets = booking.map(|b| &b.ticketing);
    if tickets.is_some_and(|t| t.state == TicketingState::Cancelling) {
        return Err(Rejection::new(
            Why::RefundUnderReview,
            "the back-end is being asked to make the tickets void; wait for its answer",
        ));
    }
    let has_tickets = booking.is_some_and(|b| b.state != BookingState::Cancelled)
        && tickets.is_some_and(|t| match t.state {
            TicketingState::Issued | TicketingState::NotNeeded => true,
            TicketingState::CancelRefused => !t.tickets.is_empty(),
            TicketingState::Queued
            | TicketingState::Requested
            | TicketingState::Unknown
            | TicketingState::Failed
            | TicketingState::Cancelling
            | TicketingState::Cancelled => false,
        });
    let reissue = case.source == RefundSource::TicketsLate;
    if reissue && !has_tickets {
        return Err(Rejection::new(
            Why::TicketsMissing,
            "this refund was asked for because there are no tickets; issue them first, then reject",
        ));
    }
    let by = if actor.kind == ActorKind::Policy { "policy".to_owned() } else { actor.name.clone() };
    let decision = Decision::nothing()
        .event(Event::RefundRejected { case: case.id.clone(), reason: reason.to_owned(), by, reissue })
        .effect(Effect::TellChannel {
            report: Report::RefundRejected { case: case.id.clone(), reason: reason.to_owned(), reissue },
            not_before: None,
        });
    let kept = match order.active_booking() {
        // The tickets go with the rejection; only their back-end is still to be asked.
        Some(booking) if reissue && booking.ticketing.state == TicketingState::CancelRefused => {
            ticketing::ask_about_kept(order, booking)
        }
        _ if reissue => Decision::nothing(),
        _ => kept_tickets(order),
    };
    Ok(disarm(decision.then(kept), &[DeadlineKind::Review]))
}

/// The channel has refused without us: there is nothing to tell it, the guest keeps the booking, and a visit that waited is recorded.
pub(super) fn record_rejection(order: &Order, rejection: &RecordRejection) -> Decision {
    let is_meant = |case: &RefundCase| {
        let is_later = rejection.at.is_some_and(|at| at < case.requested_at);
        case.target == rejection.target && !is_later
    };
    let is_past = |number: &String| order.past_refund_cases.iter().any(|case| case.channel_ref == *number);
    if rejection.channel_ref.as_ref().is_some_and(is_past) {
        return Decision::nothing();
    }
    let Some(case) = order.refund_case.as_ref().filter(|case| is_meant(case)) else { return Decision::nothing() };
    match case.state {
        RefundState::UnderReview => {
            let rejected = Decision::nothing().event(Event::RefundRejected {
                case: case.id.clone(),
                reason: "refused at the channel".to_owned(),
                by: "channel".to_owned(),
                reissue: false,
            });
            disarm(rejected.then(kept_tickets(order)), &[DeadlineKind::Review])
        }
        RefundState::Approved => Decision::nothing().attention(
            order,
            AttentionKind::Contradiction,
            "the channel says that this refund was refused there, and it was approved here; settle it with the channel",
        ),
        RefundState::Rejected | RefundState::Withdrawn | RefundState::Settled => Decision::nothing(),
    }
}

/// Policy leaves it to a person, and says why.
pub(super) fn escalate(order: &Order, id: &RefundCaseId, reason: &str) -> Result<Decision, Rejection> {
    let case = under_review(order, id)?;
    if case.intent == RefundIntent::WaitsForPerson {
        return Ok(Decision::nothing());
    }
    Ok(Decision::nothing()
        .event(Event::RefundEscalated { case: case.id.clone(), reason: reason.to_owned() })
        .attention(order, AttentionKind::RefundWaits, format!("a refund waits for a person: {reason}")))
}

/// The guest took the request back.
pub(super) fn withdraw(order: &Order, channel_ref: &str) -> Result<Decision, Rejection> {
    match order.case_under_review() {
        Some(case) if case.channel_ref == channel_ref => {
            let decision = Decision::nothing().event(Event::RefundWithdrawn { case: case.id.clone() });
            Ok(disarm(decision.then(kept_tickets(order)), &[DeadlineKind::Review]))
        }
        _ => Ok(Decision::nothing()),
    }
}

/// The guest keeps the booking. Tickets that were held back go out now; what the back-end was asked to make void is missed.
pub(super) fn kept_tickets(order: &Order) -> Decision {
    let Some(booking) = order.active_booking() else { return Decision::nothing() };
    let t = &booking.ticketing;
    match t.state {
        TicketingState::CancelRefused => ticketing::keep(order, booking),
        TicketingState::Issued => {
            let is_sent = t.handover.is_owed() && order.case_under_review().is_some_and(|case| case.tickets_were_sent);
            if is_sent { Decision::nothing() } else { ticketing::send_kept(order, booking) }
        }
        TicketingState::Cancelling | TicketingState::Cancelled => Decision::nothing().attention(
            order,
            AttentionKind::TicketingFailed,
            "the refund is off, and its tickets were to be made void; issue new ones by hand once they are",
        ),
        TicketingState::NotNeeded
        | TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Failed => Decision::nothing(),
    }
}

fn under_review<'a>(order: &'a Order, id: &RefundCaseId) -> Result<&'a RefundCase, Rejection> {
    match &order.refund_case {
        Some(case) if &case.id == id && case.is_under_review() => Ok(case),
        Some(case) if &case.id == id => {
            Err(Rejection::new(Why::AlreadyDecided, "this refund has been decided already"))
        }
        _ if order.past_refund_cases.iter().any(|case| &case.id == id) => {
            Err(Rejection::new(Why::AlreadyDecided, "this refund has been decided already"))
        }
        _ => Err(Rejection::new(Why::NotFound, "this order has no such refund case")),
    }
}
