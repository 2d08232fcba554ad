// SPDX-License-Identifier: Apache-2.0

//! Taking the order to where its channel says that it stands.

use super::payments;
use crate::decide::draft::Draft;
use crate::decide::endings::{End, end_booking, end_order};
use crate::decide::{booking, redemption, refund, settlement, ticketing};
use crate::message::{Cancelled, DeadlineKind, Effect, Event};
use crate::order::channel_state::Stage;
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, PRESUMED, PaymentMode};
use crate::order::{AttentionKind, BookingState, CancelReason, Fact, RefundCase, TicketingState};
use crate::time::{Millis, UnixMillis};

/// Where the channel says that the order stands.
pub(super) struct Reached<'a> {
    pub(super) stage: Stage,
    /// Since when.
    pub(super) since: UnixMillis,
    /// How it was cancelled, or is asked to be.
    pub(super) off: Option<&'a Cancelled>,
    /// It only says once more that a cancellation is asked for which was refused here.
    pub(super) is_refused: bool,
}

/// Takes the order to where the channel says that it stands.
pub(super) fn reach(draft: &mut Draft, reached: &Reached<'_>) {
    let (stage, off) = (reached.stage, reached.off);
    let Some(state) = draft.order().booking.as_ref().map(|booking| booking.state) else { return };
    match (state, stage) {
        (BookingState::Requested | BookingState::Confirmed, _) => reach_from_live(draft, reached),
        (BookingState::Used | BookingState::NoShow, Stage::Cancelled) => {
            if off.is_some_and(|off| off.ex_officio) {
                cancelled(draft, off);
            } else {
                let is_ours = off.is_some_and(|off| off.reason == CancelReason::ByOps);
                let sentence = match is_ours {
                    true => {
                        "our own cancellation came about after the guest had gone in; settle it with the guest, or at the channel"
                    }
                    false => "the channel cancelled what has been used, and not ex officio; settle it there",
                };
                draft.flag(AttentionKind::Contradiction, sentence);
            }
        }
        (BookingState::Used | BookingState::NoShow, Stage::CancelRequested { .. }) => {
            draft.flag_fact(Fact::CancelOfUsedAsked);
        }
        // Our information is the richer one: a guest who was there stays so, and one who was not.
        (
            BookingState::Used | BookingState::NoShow,
            Stage::Requested | Stage::Confirmed | Stage::Rejected | Stage::Used | Stage::NoShow,
        ) => {}
        (BookingState::Rejected | BookingState::Cancelled, Stage::Rejected | Stage::Cancelled) => {
            settle_case(draft, off);
        }
        (BookingState::Rejected | BookingState::Cancelled, _) => {
            let sentence = "the channel says by a higher revision that a cancelled order is alive; settle it there";
            draft.flag(AttentionKind::Contradiction, sentence);
        }
    }
}

fn reach_from_live(draft: &mut Draft, reached: &Reached<'_>) {
    let &Reached { stage, since, off, is_refused } = reached;
    match stage {
        Stage::Requested => {
            stay(draft);
            wait_for_decision(draft);
        }
        Stage::Confirmed => {
            stay(draft);
            confirmed(draft);
        }
        Stage::CancelRequested { confirmed: was_confirmed } => {
            if was_confirmed {
                confirmed(draft);
            }
            if !is_refused {
                open_case(draft, since, off);
            }
        }
        Stage::Rejected => rejected(draft, off),
        Stage::Cancelled => cancelled(draft, off),
        Stage::Used | Stage::NoShow => visit_over(draft, stage, since),
    }
}

/// The channel says how the visit ended: nobody is refunded any more, and nobody needs tickets.
fn visit_over(draft: &mut Draft, stage: Stage, since: UnixMillis) {
    withdraw_case(draft);
    confirmed_without_tickets(draft);
    let order = draft.order();
    let Some(booking) = &order.booking else { return };
    let was_used = stage == Stage::Used;
    draft.event(match was_used {
        true => Event::Redeemed { booking: booking.id.clone(), at: since },
        false => Event::NoShowMarked { at: since },
    });
    ticketing::ask_after_visit(draft);
    draft.disarm(&[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay]);
    redemption::end_with_last_day(draft);
}

/// KA-01: the notice that cannot be switched off.
pub(super) fn wait_for_decision(draft: &mut Draft) {
    let order = draft.order();
    let Some(channel_state) = order.channel_state.as_deref() else { return };
    if !channel_state.standing.needs_decision || channel_state.standing.read_only || channel_state.proposal.is_some() {
        return;
    }
    let sentence = match &channel_state.not_for_sale {
        Some(why) => {
            format!("a booking waits for a manager although its product is not for sale ({why}): confirm or decline it")
        }
        None => "a booking waits for a manager: confirm or decline it".to_owned(),
    };
    let limit = order.rules.channel.acceptance_limit;
    let first = !order.needs(AttentionKind::WaitsForConfirmation);
    draft.flag(AttentionKind::WaitsForConfirmation, sentence);
    if first && limit.0 > 0 {
        let due_at = order.booking.as_ref().map_or(draft.now(), |b| b.requested_at) + limit;
        let warn_at = vec![due_at - Millis(limit.0 / 2)];
        draft.effect(Effect::ArmDeadline { kind: DeadlineKind::Acceptance, due_at, warn_at });
    }
}

pub(super) fn confirmed(draft: &mut Draft) {
    let order = draft.order();
    let Some(booking) = order.booking.as_ref().filter(|b| b.state == BookingState::Requested) else { return };
    let misses_tickets = match booking.ticketing.state {
        TicketingState::NotNeeded | TicketingState::Issued => false,
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Failed
        | TicketingState::Cancelling
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => true,
    };
    booking::confirmed(draft, misses_tickets);
    ticketing::start(draft);
}

/// Used or missed before we knew that it was confirmed: nobody needs tickets any more.
fn confirmed_without_tickets(draft: &mut Draft) {
    if draft.order().booking.as_ref().is_some_and(|b| b.state == BookingState::Requested) {
        draft.event(Event::BookingConfirmed { ticketing_due: None });
    }
}

fn rejected(draft: &mut Draft, off: Option<&Cancelled>) {
    let order = draft.order();
    match order.booking.as_ref().filter(|b| b.state == BookingState::Requested) {
        Some(booking) => {
            let reason = off.and_then(|off| off.words.clone()).unwrap_or_else(|| "rejected".into());
            end_booking(draft, booking, End::Rejected(&reason));
            end_with_case(draft, CancelReason::Rejected, off);
        }
        None => end(draft, CancelReason::Rejected, off),
    }
}

fn cancelled(draft: &mut Draft, off: Option<&Cancelled>) {
    end(draft, off.map_or(CancelReason::ByChannel, |off| off.reason), off);
}

fn end(draft: &mut Draft, reason: CancelReason, off: Option<&Cancelled>) {
    let order = draft.order();
    let Some(booking) = &order.booking else { return };
    // A channel calls it ours, whoever of us it was: what policy has granted to the guest was no decision of ops.
    let by_policy = order.refund_case.as_ref().is_some_and(|case| case.decided_by.as_deref() == Some("policy"));
    let reason = match reason {
        CancelReason::ByOps if by_policy => CancelReason::RefundedBeforeUse,
        other => other,
    };
    end_booking(draft, booking, End::Cancelled(reason));
    end_with_case(draft, reason, off);
}

fn end_with_case(draft: &mut Draft, reason: CancelReason, off: Option<&Cancelled>) {
    settle_case(draft, off);
    end_order(draft, reason, None);
}

fn open_case(draft: &mut Draft, since: UnixMillis, off: Option<&Cancelled>) {
    let order = draft.order();
    if order.refund_case.as_ref().is_some_and(RefundCase::is_open) {
        return;
    }
    let channel_state = order.channel_state.as_deref();
    let number = format!("{}:{}", order.channel_order_id, channel_state.map_or(0, |m| m.standing.revision));
    let case = RefundCase {
        // What is kept is ours to say here, up to all of it.
        channel_fee: order.money.left().max(0),
        reason: off.and_then(|off| off.words.clone()),
        ..refund::new_case(&order, &number, since, draft.moment)
    };
    let due_at = case.review_by;
    draft.event(Event::RefundApplied { case: Box::new(case) });
    if order.rules.channel.review_limit.0 > 0 {
        let warn_at = refund::warnings(&order, due_at);
        draft.effect(Effect::ArmDeadline { kind: DeadlineKind::Review, due_at, warn_at });
    }
    // What was not sent yet is not sent any more; the request decides first.
    if channel_state.is_some_and(|m| m.proposal.is_some()) {
        draft.event(Event::ProposalEnded { agreed: false });
    }
}

/// The guest stays after all: tickets that were voided for the refund are missed.
fn stay(draft: &mut Draft) {
    let had_case = draft.order().refund_case.as_ref().is_some_and(RefundCase::is_open);
    withdraw_case(draft);
    if had_case {
        let order = draft.order();
        refund::kept_tickets(draft, &order);
    }
}

fn withdraw_case(draft: &mut Draft) {
    let order = draft.order();
    if let Some(case) = order.refund_case.as_ref().filter(|case| case.is_open()) {
        nothing_comes_back(draft);
        draft.event(Event::RefundWithdrawn { case: case.id.clone() });
        draft.disarm(&[DeadlineKind::Review]);
    }
}

/// What was approved does not happen: the money that was expected back is not on its way.
fn nothing_comes_back(draft: &mut Draft) {
    let is_expected =
        |e: &LedgerEntry| e.kind == EntryKind::Refund && e.status == EntryStatus::Pending && e.is_presumed();
    if draft.order().money.ledger.iter().any(is_expected) {
        draft.event(Event::PaymentRetracted { reference: PRESUMED.to_owned() });
    }
}

/// The channel does not do what was approved: somebody decides again, perhaps on other terms.
pub(super) fn reopen_case(draft: &mut Draft) {
    nothing_comes_back(draft);
    let order = draft.order();
    if let Some(case) = &order.refund_case {
        draft.event(Event::RefundReopened { case: case.id.clone() });
    }
}

/// The case ends with what goes back: as the channel says, or else as its movements add up.
fn settle_case(draft: &mut Draft, off: Option<&Cancelled>) {
    let order = draft.order();
    let off = off.map(|off| payments::named(&order, off));
    let off = off.as_ref();
    let money = &order.money;
    let named = money.named_refunds(|e| e.status != EntryStatus::Failed);
    let back = off.and_then(|off| off.returns).unwrap_or(named).clamp(0, money.received());
    // Where the partner collects, nobody tells us.
    let is_told = money.mode == PaymentMode::Ledger;
    settlement::settle_case_for(draft, is_told.then_some(back), off.map(|off| off.fee).filter(|_| is_told));
}
