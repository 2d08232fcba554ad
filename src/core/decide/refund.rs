// SPDX-License-Identifier: Apache-2.0

//! Refund cases: applied for, decided, and the tickets voided first (DY-15, the refund matrix).
//!
//! *Who* decides is in [`crate::policy`]; here stands what a decision does.

use crate::decide::draft::Draft;
use crate::decide::endings::{End, end_booking, end_order};
use crate::decide::ticketing;
use crate::id::RefundCaseId;
use crate::message::{Actor, ActorKind, ApplyRefund, DeadlineKind, Effect, Event, Notification, RecordRejection};
use crate::order::{
    AttentionKind, Booking, BookingState, CancelReason, Order, OrderKind, RefundCase, RefundIntent, RefundKind,
    RefundSource, RefundState, TicketingState,
};
use crate::quoted::FreeText;
use crate::rejection::{Rejection, Why};
use crate::time::{Moment, UnixMillis};

/// Somebody wants money back. The same request again changes nothing; a new one supersedes one that is still under review.
pub(super) fn apply(draft: &mut Draft, application: &ApplyRefund) -> Result<(), Rejection> {
    apply_saying(draft, application, None)
}

/// The same, with the reason that was given.
pub(super) fn apply_saying(
    draft: &mut Draft,
    application: &ApplyRefund,
    reason: Option<&FreeText>,
) -> Result<(), Rejection> {
    let order = draft.order();
    if order.case_by_ref(&application.channel_ref).is_some() {
        return Ok(());
    }
    if order.channel_state.is_some() {
        // Its request would stand in the order that it tells: one that does not would never be taken back there.
        return Err(Rejection::new(Why::NotSupported, "this channel asks for money back by telling the whole order"));
    }
    let review_by = review_by(&order, application.requested_at, draft.now());
    let mut case = RefundCase {
        target: application.target.clone(),
        kind: application.kind,
        source: application.source,
        source_code: application.source_code,
        copies: application.copies,
        channel_fee: application.fee,
        tickets_were_sent: tickets_were_sent(&order),
        reason: reason.cloned(),
        ..new_case(&order, &application.channel_ref, application.requested_at, draft.moment)
    };
    if let Some(open) = order.case_under_review() {
        draft.event(Event::RefundWithdrawn { case: open.id.clone() });
        asking_is_over(draft);
        if let Some(booking) = order.active_booking().filter(|b| b.ticketing.state == TicketingState::CancelRefused) {
            ticketing::ask_about_kept(draft, booking);
        }
        take_over(&mut case, open, &draft.order());
    }
    draft.event(Event::RefundApplied { case: Box::new(case) });
    let warn_at = warnings(&order, review_by);
    draft.effect(Effect::ArmDeadline { kind: DeadlineKind::Review, due_at: review_by, warn_at });
    Ok(())
}

/// A person has approved the request before, and its tickets are being voided for that: whoever asks again wishes the same, and what was
/// decided goes on. What policy began it judges anew, by what this request names.
fn take_over(case: &mut RefundCase, before: &RefundCase, order: &Order) {
    let is_voided = order.booking_of(case).is_some_and(|b| b.ticketing.state == TicketingState::Cancelling);
    let by_person = before.decided_by.as_deref() != Some(Actor::policy().name.as_str());
    if before.intent == RefundIntent::ApproveOnceVoid && is_voided && by_person {
        case.intent = RefundIntent::ApproveOnceVoid;
        case.fee = before.fee.map(|fee| fee.min(case.channel_fee));
        case.decided_by.clone_from(&before.decided_by);
        case.decided_at = before.decided_at;
        case.reason.clone_from(&before.reason);
    }
}

/// Until when a request must be decided. One that is told to lie ahead of us runs from now: or it would never warn.
fn review_by(order: &Order, requested_at: UnixMillis, now: UnixMillis) -> UnixMillis {
    requested_at.min(now) + order.rules.channel.review_limit
}

/// A case that nobody has decided on: the guest asks for the money of the whole order, and no fee is named.
pub(super) fn new_case(order: &Order, channel_ref: &str, requested_at: UnixMillis, moment: Moment) -> RefundCase {
    RefundCase {
        id: moment.seed.refund_case(),
        channel_ref: channel_ref.to_owned(),
        target: order.channel_order_id.clone(),
        state: RefundState::UnderReview,
        kind: RefundKind::Refund,
        source: RefundSource::Guest,
        source_code: None,
        requested_at,
        review_by: review_by(order, requested_at, moment.now),
        channel_fee: 0,
        fee: None,
        intent: RefundIntent::Undecided,
        decided_by: None,
        decided_at: None,
        reason: None,
        settled_amount: None,
        tickets_were_sent: false,
        reissue: false,
        overdue: false,
        copies: None,
    }
}

/// When people are warned that a decision is due. A time that is over already warns at once: the request was long on its way.
pub(super) fn warnings(order: &Order, review_by: UnixMillis) -> Vec<UnixMillis> {
    order.rules.channel.review_warn_before.iter().map(|before| review_by - *before).collect()
}

/// Whether tickets are on their way to the channel by a call of ours. Those that came while an earlier case was under review were
/// held back.
fn tickets_were_sent(order: &Order) -> bool {
    let owed = |b: &Booking| b.ticketing.handover.is_owed() && b.ticketing.state == TicketingState::Issued;
    order.active_booking().is_some_and(owed) && order.case_under_review().is_none_or(|open| open.tickets_were_sent)
}

/// Who has decided, on what.
struct Verdict {
    case: RefundCaseId,
    fee: i64,
    by: String,
    reason: Option<FreeText>,
}

/// Approves. Tickets that may admit are voided at the back-end first; only then is the channel told.
pub(super) fn approve(
    draft: &mut Draft,
    id: &RefundCaseId,
    fee: Option<i64>,
    without_backend: bool,
    reason: Option<&FreeText>,
) -> Result<(), Rejection> {
    let order = draft.order();
    let case = under_review(&order, id)?;
    let fee = approved_fee(&order, case, fee)?;
    let by = match draft.actor.kind {
        // Policy carries out what was decided before, by whomever.
        ActorKind::Policy => case.decided_by.clone().unwrap_or_else(|| "policy".to_owned()),
        ActorKind::Channel | ActorKind::Backend | ActorKind::Ops | ActorKind::Timer => draft.actor.name.clone(),
    };
    let verdict = Verdict { case: case.id.clone(), fee, by, reason: reason.cloned() };
    let live = order.booking_of(case).filter(|b| b.ticketing.may_be_live()).or_else(|| order.cancelled_and_live());
    match live {
        Some(booking) if !without_backend => start_approval(draft, case, booking, verdict)?,
        _ => finish_approval(draft, case, verdict),
    }
    Ok(())
}

/// What is kept: what a person names, or else what was decided before, or the channel's own; never more than the channel's own.
fn approved_fee(order: &Order, case: &RefundCase, named: Option<i64>) -> Result<i64, Rejection> {
    if order.channel_state.is_some() && named.or(case.fee).is_none() {
        let sentence = "this channel names no fee: say what is kept, 0 for nothing";
        return Err(Rejection::new(Why::FeeOutOfRange, sentence).at("fee"));
    }
    let fee = named.or(case.fee).unwrap_or(case.channel_fee);
    if fee < 0 || fee > case.channel_fee {
        let most = order.money.currency.shown(case.channel_fee);
        let sentence = format!("the fee must be between 0 and the channel's own {most}");
        return Err(Rejection::new(Why::FeeOutOfRange, sentence).at("fee"));
    }
    Ok(fee)
}

fn start_approval(draft: &mut Draft, case: &RefundCase, booking: &Booking, verdict: Verdict) -> Result<(), Rejection> {
    if booking.ticketing.manual && booking.ticketing.state == TicketingState::Issued {
        return Err(Rejection::new(
            Why::Invalid,
            "these tickets were made by hand; void them at the gate, then approve with without_backend",
        )
        .at("without_backend"));
    }
    let given_up = draft.order().cancellation_given_up().is_some();
    let is_asked = booking.ticketing.state == TicketingState::Cancelling && !given_up;
    if case.intent == RefundIntent::ApproveOnceVoid && is_asked {
        return Ok(());
    }
    let Verdict { case, fee, by, reason } = verdict;
    draft.event(Event::RefundApprovalStarted { case, fee, by, reason });
    if given_up {
        ticketing::cancel(draft, booking, None);
    } else {
        ticketing::start_cancel(draft, booking);
    }
    Ok(())
}

fn finish_approval(draft: &mut Draft, case: &RefundCase, verdict: Verdict) {
    let order = draft.order();
    let Verdict { case: id, fee, by, reason } = verdict;
    let pending = case.sends_back(&order, fee, draft.now());
    draft.event(Event::RefundApproved { case: id.clone(), fee, by, reason, pending });
    draft.tell(Notification::RefundApproved { case: id, fee });
    // A channel that leads the order ends the booking itself, once it agrees.
    if let Some(booking) = order.booking_of(case).filter(|_| order.channel_state.is_none()) {
        end_booking(draft, booking, End::Cancelled(CancelReason::RefundedBeforeUse));
        if order.kind == OrderKind::Direct {
            end_order(draft, CancelReason::RefundedBeforeUse, None);
        }
    }
    draft.disarm(&[DeadlineKind::Review]);
}

/// Rejects. Where the channel asked because tickets were late, the tickets must go with the rejection, or it is void
/// (`adapters/douyin/README.md`).
pub(super) fn reject(draft: &mut Draft, id: &RefundCaseId, reason: &FreeText) -> Result<(), Rejection> {
    asking_is_over(draft);
    let order = draft.order();
    let case = under_review(&order, id)?;
    if order.booking.as_ref().is_some_and(|b| b.ticketing.state == TicketingState::Cancelling) {
        return Err(Rejection::new(
            Why::RefundUnderReview,
            "the back-end is being asked to void the tickets; wait for its answer",
        ));
    }
    let reissue = case.source == RefundSource::TicketsLate;
    if reissue && !has_tickets_to_send(&order, case) {
        return Err(Rejection::new(
            Why::TicketsMissing,
            "this refund was asked for because there are no tickets; issue them first, then reject",
        ));
    }
    let by = if draft.actor.kind == ActorKind::Policy { "policy".to_owned() } else { draft.actor.name.clone() };
    draft.event(Event::RefundRejected { case: case.id.clone(), reason: reason.to_owned(), by, reissue });
    draft.tell(Notification::RefundRejected { case: case.id.clone(), reason: reason.to_owned(), reissue });
    ticketing::owes_no_more(draft, &order);
    if !reissue {
        kept_tickets(draft, &order);
    } else if let Some(booking) = order.active_booking().filter(|b| b.ticketing.state == TicketingState::CancelRefused)
    {
        // The tickets go with the rejection; only their back-end is still to be asked.
        ticketing::ask_about_kept(draft, booking);
    }
    draft.disarm(&[DeadlineKind::Review]);
    Ok(())
}

/// Whether the booking that the request names, or the last one where it names none that we know, has tickets that admit: those go with the
/// rejection.
fn has_tickets_to_send(order: &Order, case: &RefundCase) -> bool {
    let named = order.booking_named_by(case).or(order.booking.as_ref());
    let booking = named.filter(|b| b.state != BookingState::Cancelled);
    booking.is_some_and(|b| match b.ticketing.state {
        TicketingState::Issued | TicketingState::NotNeeded => true,
        TicketingState::CancelRefused => !b.ticketing.tickets.is_empty(),
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Failed
        | TicketingState::Cancelling
        | TicketingState::Cancelled => false,
    })
}

/// The channel has refused without us: there is nothing to tell it, the guest keeps the booking, and a visit that waited is recorded.
pub(super) fn record_rejection(draft: &mut Draft, rejection: &RecordRejection) {
    let order = draft.order();
    let is_meant = |case: &&RefundCase| {
        let is_later = rejection.at.is_some_and(|at| at < case.requested_at);
        case.target == rejection.target && !is_later
    };
    let is_past = |number: &String| order.past_refund_cases.iter().any(|case| case.channel_ref == *number);
    if rejection.channel_ref.as_ref().is_some_and(is_past) {
        return;
    }
    let Some(case) = order.refund_case.as_ref().filter(is_meant) else { return };
    match case.state {
        RefundState::UnderReview => {
            let reason = "refused at the channel".into();
            let by = "channel".to_owned();
            asking_is_over(draft);
            let order = draft.order();
            draft.event(Event::RefundRejected { case: case.id.clone(), reason, by, reissue: false });
            kept_tickets(draft, &order);
            draft.disarm(&[DeadlineKind::Review]);
        }
        RefundState::Approved => draft.flag(
            AttentionKind::Contradiction,
            "the channel says that this refund was refused there, and it was approved here; settle it with the channel",
        ),
        RefundState::Rejected | RefundState::Withdrawn | RefundState::Settled => {}
    }
}

/// Policy leaves it to a person, and says why.
pub(super) fn escalate(draft: &mut Draft, id: &RefundCaseId, reason: &FreeText) -> Result<(), Rejection> {
    let order = draft.order();
    let case = under_review(&order, id)?;
    if case.intent != RefundIntent::WaitsForPerson {
        draft.event(Event::RefundEscalated { case: case.id.clone(), reason: reason.to_owned() });
        draft.flag(AttentionKind::RefundWaits, format!("a refund waits for a person: {reason}"));
    }
    Ok(())
}

/// The guest took the request back.
pub(super) fn withdraw(draft: &mut Draft, channel_ref: &str) {
    let order = draft.order();
    if let Some(case) = order.case_under_review().filter(|case| case.channel_ref == channel_ref) {
        asking_is_over(draft);
        let order = draft.order();
        draft.event(Event::RefundWithdrawn { case: case.id.clone() });
        kept_tickets(draft, &order);
        draft.disarm(&[DeadlineKind::Review]);
    }
}

/// Where asking the back-end to void the tickets was given up, they stand as far as anybody knows, as if it had refused.
fn asking_is_over(draft: &mut Draft) {
    if let Some(booking) = draft.order().cancellation_given_up() {
        let reason = "the back-end could not be asked".into();
        draft.event(Event::TicketCancelRefused { booking: booking.id.clone(), reason, used: false });
    }
}

/// The guest keeps the booking. Tickets that were held back go out now; what the back-end was asked to void is missed. `order` is as it
/// was under review.
pub(super) fn kept_tickets(draft: &mut Draft, order: &Order) {
    let Some(booking) = order.active_booking() else { return };
    let t = &booking.ticketing;
    match t.state {
        TicketingState::CancelRefused => ticketing::keep(draft, booking),
        TicketingState::Issued => {
            let is_sent = t.handover.is_owed() && order.case_under_review().is_some_and(|case| case.tickets_were_sent);
            if !is_sent {
                ticketing::send_kept(draft, booking);
            }
        }
        TicketingState::Cancelling | TicketingState::Cancelled => draft.flag(
            AttentionKind::TicketingFailed,
            "the refund is off, and its tickets were to be voided; issue new ones by hand once they are",
        ),
        TicketingState::NotNeeded
        | TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Failed => {}
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
