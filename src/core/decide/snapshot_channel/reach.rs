//! Taking the order to where its channel says that it stands.

use crate::decide::draft::Draft;
use crate::decide::{Decision, booking, date_stock_key, disarm, refund, ticketing};
use crate::message::{CalledOff, DeadlineKind, Effect, Event};
use crate::order::channel_state::Stage;
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, PRESUMED, PaymentMode};
use crate::order::{
    AttentionKind, BookingState, CancelReason, Order, RefundCase, RefundIntent, RefundKind, RefundSource, RefundState,
    TicketingState,
};
use crate::time::{Moment, UnixMillis};

/// Takes the order to where the channel says that it stands.
pub(super) fn reach(draft: &mut Draft, stage: Stage, since: UnixMillis, off: Option<&CalledOff>, moment: Moment) {
    let Some(state) = draft.order.booking.as_ref().map(|booking| booking.state) else { return };
    match (state, stage) {
        (BookingState::Requested | BookingState::Confirmed, _) => reach_from_live(draft, stage, since, off, moment),
        (BookingState::Used | BookingState::NoShow, Stage::Cancelled) => {
            if off.is_some_and(|off| off.ex_officio) {
                called_off(draft, off.map_or(CancelReason::ByChannel, |off| off.reason), off);
            } else {
                let sentence = "the channel called off what has been used, and not ex officio; settle it there";
                draft.flag(AttentionKind::Contradiction, sentence);
            }
        }
        // Our information is the richer one: a guest who was there stays so, and one who was not.
        (BookingState::Used | BookingState::NoShow, _) => {}
        (BookingState::Rejected | BookingState::Cancelled, Stage::Rejected | Stage::Cancelled) => {
            let part = settle_case(&draft.order, off);
            draft.add(part);
        }
        (BookingState::Rejected | BookingState::Cancelled, _) => {
            let sentence = "the channel says by a higher revision that a called-off order is alive; settle it there";
            draft.flag(AttentionKind::Contradiction, sentence);
        }
    }
}

fn reach_from_live(draft: &mut Draft, stage: Stage, since: UnixMillis, off: Option<&CalledOff>, moment: Moment) {
    match stage {
        Stage::Requested => {
            stay(draft);
            wait_for_decision(draft);
        }
        Stage::Confirmed => {
            stay(draft);
            confirmed(draft, moment);
        }
        Stage::CancelRequested { confirmed: was_confirmed } => {
            if was_confirmed {
                confirmed(draft, moment);
            }
            open_case(draft, since, off, moment);
        }
        Stage::Rejected => declined(draft, off),
        Stage::Cancelled => called_off(draft, off.map_or(CancelReason::ByChannel, |off| off.reason), off),
        Stage::Used => {
            withdraw_case(draft);
            accepted_without_tickets(draft);
            let Some(booking) = draft.order.booking.as_ref().map(|b| b.id.clone()) else { return };
            let part = Decision::nothing().event(Event::Redeemed { booking, at: since });
            draft.add(disarm(part, &[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay]));
            if draft.order.money.mode == PaymentMode::Ledger && draft.order.money.received() < draft.order.money.due {
                draft.flag(AttentionKind::OpenBalance, "used, and not all of it is paid; collect the balance");
            }
        }
        Stage::NoShow => {
            withdraw_case(draft);
            accepted_without_tickets(draft);
            let part = Decision::nothing().event(Event::NoShowMarked { at: since });
            draft.add(disarm(part, &[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay]));
        }
    }
}

/// KA-01: the notice that cannot be switched off.
pub(super) fn wait_for_decision(draft: &mut Draft) {
    let Some(mirror) = draft.order.mirror.as_deref() else { return };
    if !mirror.picture.needs_decision || mirror.picture.read_only || mirror.proposal.is_some() {
        return;
    }
    let sentence = match &mirror.not_for_sale {
        Some(why) => {
            format!("a booking waits for a manager although its product is not for sale ({why}): confirm or decline it")
        }
        None => "a booking waits for a manager: confirm or decline it".to_owned(),
    };
    let limit = draft.order.rules.channel.acceptance_limit;
    let first = !draft.order.needs(AttentionKind::WaitsForConfirmation);
    draft.flag(AttentionKind::WaitsForConfirmation, sentence);
    if first && limit.0 > 0 {
        let due_at = draft.order.booking.as_ref().map_or(draft.at, |b| b.requested_at) + limit;
        let half = due_at - crate::time::Millis(limit.0 / 2);
        draft.decision.effects.push(Effect::ArmDeadline {
            kind: DeadlineKind::Acceptance,
            due_at,
            warn_at: vec![half],
        });
    }
}

pub(super) fn confirmed(draft: &mut Draft, moment: Moment) {
    let order = &draft.order;
    let Some(booking) = order.booking.as_ref().filter(|b| b.state == BookingState::Requested) else { return };
    let product = &order.rules.booking;
    let missing = match booking.ticketing.state {
        TicketingState::NotNeeded | TicketingState::Issued => false,
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Failed
        | TicketingState::Cancelling
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => true,
    };
    let due_at = moment.now + product.ticketing_deadline;
    let mut part = Decision::nothing()
        .event(Event::BookingConfirmed { ticketing_due: missing.then_some(due_at) })
        .effect(Effect::DisarmDeadline { kind: DeadlineKind::Acceptance });
    if missing {
        part = part.effect(Effect::ArmDeadline {
            kind: DeadlineKind::Ticketing,
            due_at,
            warn_at: vec![due_at - product.ticketing_warn_before],
        });
    }
    let part = part.then(booking::start_ticketing(order, booking));
    draft.add(part);
}

/// Used or missed before we knew that it was accepted: nobody needs tickets any more.
fn accepted_without_tickets(draft: &mut Draft) {
    if draft.order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested) {
        draft.add(Decision::nothing().event(Event::BookingConfirmed { ticketing_due: None }));
    }
}

pub(super) fn declined(draft: &mut Draft, off: Option<&CalledOff>) {
    let order = &draft.order;
    let Some(booking) = order.booking.as_ref().filter(|b| b.state == BookingState::Requested) else {
        return called_off(draft, CancelReason::Rejected, off);
    };
    let reason = off.and_then(|off| off.words.clone()).unwrap_or_else(|| "declined".to_owned());
    let part = ticketing::void(order, booking)
        .event(Event::BookingDeclined { reason })
        .maybe(give_back(draft))
        .then(settle_case(order, off))
        .event(Event::OrderCancelled { reason: CancelReason::Rejected, why: None });
    draft.add(disarm(part, &[DeadlineKind::Acceptance, DeadlineKind::Ticketing, DeadlineKind::VisitDay]));
}

fn called_off(draft: &mut Draft, reason: CancelReason, off: Option<&CalledOff>) {
    let order = &draft.order;
    let Some(booking) = &order.booking else { return };
    // A channel calls it ours, whoever of us it was: what policy has granted to the guest was no decision of ops.
    let by_policy = order.refund_case.as_ref().is_some_and(|case| case.decided_by.as_deref() == Some("policy"));
    let reason = match reason {
        CancelReason::ByOps if by_policy => CancelReason::RefundedBeforeUse,
        other => other,
    };
    let was_used = !booking.is_active();
    let mut part = if was_used { Decision::nothing() } else { ticketing::void(order, booking) };
    part = part.event(Event::BookingCancelled { booking: booking.id.clone(), reason });
    if !was_used {
        part = part.maybe(give_back(draft));
    }
    if order.parked_for(booking) {
        let sentence = "the booking was called off although the guest had entered; settle it with the channel";
        part = part.attention(order, AttentionKind::RedeemedWhileRefunded, sentence);
    }
    let part = part.then(settle_case(order, off)).event(Event::OrderCancelled { reason, why: None });
    draft.add(disarm(part, &[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay]));
}

/// All units that the date still holds for this order; the picture of a whole cancellation counts them as called off already.
fn give_back(draft: &Draft) -> Option<Effect> {
    let (booking, units) = (draft.order.booking.as_ref()?, draft.held);
    let key = date_stock_key(&draft.order.rules.booking, booking.visit_date).filter(|_| units > 0);
    key.map(|key| Effect::ReturnStock { key, units })
}

fn open_case(draft: &mut Draft, since: UnixMillis, off: Option<&CalledOff>, moment: Moment) {
    let order = &draft.order;
    if order.refund_case.as_ref().is_some_and(RefundCase::is_open) {
        return;
    }
    let review_by = since + order.rules.channel.review_limit;
    let number = format!("{}:{}", order.channel_order_id, order.mirror.as_deref().map_or(0, |m| m.picture.revision));
    let case = RefundCase {
        id: moment.seed.refund_case(),
        channel_ref: number,
        target: order.channel_order_id.clone(),
        state: RefundState::UnderReview,
        kind: RefundKind::Refund,
        source: RefundSource::Guest,
        source_code: None,
        requested_at: since,
        review_by,
        // What is kept is ours to say here, up to all of it.
        channel_fee: order.money.left().max(0),
        fee: None,
        intent: RefundIntent::Undecided,
        decided_by: None,
        decided_at: None,
        reason: off.and_then(|off| off.words.clone()),
        settled_amount: None,
        tickets_were_sent: false,
        reissue: false,
        overdue: false,
    };
    let warn_at = order.rules.channel.review_warn_before.iter().map(|before| review_by - *before);
    let warn_at = warn_at.filter(|at| *at > moment.now).collect();
    let mut part = Decision::nothing().event(Event::RefundApplied { case: Box::new(case) });
    if order.rules.channel.review_limit.0 > 0 {
        part = part.effect(Effect::ArmDeadline { kind: DeadlineKind::Review, due_at: review_by, warn_at });
    }
    // What was not sent yet is not sent any more; the request decides first.
    if order.mirror.as_deref().is_some_and(|m| m.proposal.is_some()) {
        part = part.event(Event::ProposalEnded { agreed: false });
    }
    draft.add(part);
}

/// The guest stays after all: tickets that were made void for the refund are missed.
fn stay(draft: &mut Draft) {
    let had_case = draft.order.refund_case.as_ref().is_some_and(RefundCase::is_open);
    withdraw_case(draft);
    if had_case {
        let part = refund::kept_tickets(&draft.order);
        draft.add(part);
    }
}

fn withdraw_case(draft: &mut Draft) {
    if let Some(case) = draft.order.refund_case.as_ref().filter(|case| case.is_open()) {
        let part = nothing_comes_back(&draft.order).event(Event::RefundWithdrawn { case: case.id.clone() });
        draft.add(disarm(part, &[DeadlineKind::Review]));
    }
}

/// What was approved does not happen: the money that was expected back is not on its way.
fn nothing_comes_back(order: &Order) -> Decision {
    let is_expected =
        |e: &LedgerEntry| e.kind == EntryKind::Refund && e.status == EntryStatus::Pending && e.reference == PRESUMED;
    if order.money.ledger.iter().any(is_expected) {
        Decision::nothing().event(Event::PaymentRetracted { reference: PRESUMED.to_owned() })
    } else {
        Decision::nothing()
    }
}

/// The channel does not do what was approved: somebody decides again, perhaps on other terms.
pub(super) fn reopen_case(order: &Order) -> Decision {
    let part = nothing_comes_back(order);
    match &order.refund_case {
        Some(case) => part.event(Event::RefundReopened { case: case.id.clone() }),
        None => part,
    }
}

/// The case ends with what goes back: as the channel says, or else as its movements add up.
fn settle_case(order: &Order, off: Option<&CalledOff>) -> Decision {
    let Some(case) = order.refund_case.as_ref().filter(|case| case.is_open()) else { return Decision::nothing() };
    let money = &order.money;
    let named: i64 = money
        .ledger
        .iter()
        .filter(|e| e.kind == EntryKind::Refund && e.status != EntryStatus::Failed && e.reference != PRESUMED)
        .fold(0, |sum, e| sum.saturating_add(e.amount));
    let back = off.and_then(|off| off.returns).unwrap_or(named).clamp(0, money.received());
    let settled = Event::RefundSettled {
        case: case.id.clone(),
        // Where the partner collects, nobody tells us.
        amount: (money.mode == PaymentMode::Ledger).then_some(back),
        by_channel: case.state == RefundState::UnderReview,
    };
    disarm(Decision::nothing().event(settled), &[DeadlineKind::Review])
}
