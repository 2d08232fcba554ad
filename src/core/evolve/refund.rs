// SPDX-License-Identifier: Apache-2.0

//! Axis 5, the refund cases.

use crate::evolve::attention::clear;
use crate::evolve::{booking, ticketing};
use crate::order::money::LedgerEntry;
use crate::order::{AttentionKind, Handover, Order, RefundCase, RefundIntent, RefundState};
use crate::quoted::FreeText;
use crate::time::UnixMillis;

pub(super) fn applied(order: &mut Order, case: &RefundCase) {
    // Whoever decides may give a reason of its own; the reseller is told its own again.
    booking::cancelled_saying(order, case.reason.as_ref());
    if let Some(previous) = order.refund_case.replace(case.clone()) {
        order.past_refund_cases.push(previous);
    }
}

pub(super) fn escalated(order: &mut Order, reason: &FreeText) {
    with_case(order, |c| {
        c.intent = RefundIntent::WaitsForPerson;
        c.reason = Some(reason.to_owned());
    });
}

pub(super) fn approval_started(order: &mut Order, fee: i64, by: &str, reason: &Option<FreeText>, at: UnixMillis) {
    clear(order, AttentionKind::RefundWaits);
    with_case(order, |c| {
        c.intent = RefundIntent::ApproveOnceVoid;
        c.fee = Some(fee);
        c.decided_by = Some(by.to_owned());
        c.decided_at = Some(at);
        c.reason = reason.clone();
    });
}

pub(super) fn approved(
    order: &mut Order,
    fee: i64,
    by: &str,
    reason: &Option<FreeText>,
    pending: &Option<LedgerEntry>,
    at: UnixMillis,
) {
    case_is_over(order);
    // There is nothing left to reject.
    clear(order, AttentionKind::RefundUnderReview);
    with_case(order, |c| {
        c.state = RefundState::Approved;
        c.fee = Some(fee);
        c.decided_by = Some(by.to_owned());
        c.decided_at = Some(at);
        c.reason = reason.clone().or_else(|| c.reason.take());
    });
    if let Some(entry) = pending {
        order.money.record(entry.clone());
    }
}

pub(super) fn rejected(order: &mut Order, reason: &FreeText, by: &str, reissue: bool, at: UnixMillis) {
    case_is_over(order);
    with_case(order, |c| {
        c.state = RefundState::Rejected;
        c.fee = None;
        c.decided_by = Some(by.to_owned());
        c.decided_at = Some(at);
        c.reason = Some(reason.to_owned());
        c.reissue = reissue;
    });
    ticketing::kept(order);
    if reissue {
        ticketing::handed_over(order, Handover::Reissued);
    }
}

pub(super) fn withdrawn(order: &mut Order) {
    case_is_over(order);
    with_case(order, |c| c.state = RefundState::Withdrawn);
    ticketing::kept(order);
}

pub(super) fn settled(order: &mut Order, (amount, fee): (Option<i64>, Option<i64>), by_channel: bool, at: UnixMillis) {
    case_is_over(order);
    with_case(order, |c| {
        c.state = RefundState::Settled;
        c.settled_amount = amount;
        // Where nobody of ours has decided, the channel has.
        c.fee = c.fee.or(fee);
        if by_channel && c.decided_by.is_none() {
            c.decided_by = Some("channel".to_owned());
            c.decided_at = Some(at);
        }
    });
}

pub(super) fn reopened(order: &mut Order) {
    with_case(order, |c| {
        c.state = RefundState::UnderReview;
        c.intent = RefundIntent::Undecided;
        c.fee = None;
        c.decided_by = None;
        c.decided_at = None;
    });
}

pub(super) fn overdue(order: &mut Order) {
    with_case(order, |c| c.overdue = true);
}

fn case_is_over(order: &mut Order) {
    for kind in [AttentionKind::RefundWaits, AttentionKind::CancelRefused, AttentionKind::ReviewOverdue] {
        clear(order, kind);
    }
}

fn with_case(order: &mut Order, change: impl FnOnce(&mut RefundCase)) {
    if let Some(case) = &mut order.refund_case {
        change(case);
    }
}
