// SPDX-License-Identifier: Apache-2.0

//! Money that went back, as a channel tells it: the movement, the fee that it leaves behind, and what the channel did by itself.

use std::collections::BTreeSet;

use crate::decide::draft::Draft;
use crate::decide::sale;
use crate::message::{Event, RecordRefund, RefundScope};
use crate::order::money::{EntryKind, EntryStatus, FEE, LedgerEntry, PaymentMode};
use crate::order::{Order, OrderState};

/// The copies that are named, by their places.
#[derive(Default)]
pub(super) struct Which {
    /// Their money went back.
    pub(super) named: BTreeSet<u32>,
    /// Their reservation alone was cancelled.
    pub(super) off: BTreeSet<u32>,
}

/// What is told, as if it were told of the money alone.
pub(super) fn alone(refund: &RecordRefund) -> RecordRefund {
    RecordRefund { scope: RefundScope::MoneyOnly, ..refund.clone() }
}

/// Money that went back, and the fee that it leaves behind.
pub(super) struct Back {
    /// None where the fee is all there is.
    refund: Option<LedgerEntry>,
    /// What went back of other copies, and still has no number.
    others: Option<LedgerEntry>,
    fee: Option<LedgerEntry>,
}

impl Back {
    pub(super) fn amount(&self) -> i64 {
        self.refund.as_ref().map_or(0, |entry| entry.amount)
    }

    pub(super) fn record(self, draft: &mut Draft) {
        let is_refund = self.refund.is_some();
        for entry in self.refund.into_iter().chain(self.others) {
            draft.event(Event::PaymentRecorded { entry });
        }
        if is_refund {
            sale::too_much_back(draft);
        }
        if let Some(entry) = self.fee {
            draft.event(Event::PaymentRecorded { entry });
        }
    }
}

/// What the fact says about money, unless it is recorded already. Where the channel names no amount, what is left is presumed.
pub(super) fn money_back(order: &Order, refund: &RecordRefund) -> Option<Back> {
    let money = &order.money;
    if money.mode != PaymentMode::Ledger {
        return None;
    }
    let entry = match named_back(refund) {
        Some(entry) if money.knows(&entry) => return None,
        Some(entry) => Some(entry),
        None => Some(refund.announced.map_or(order.presumed_back(), |said| said.min(order.presumed_back())))
            .filter(|amount| *amount > 0)
            // With what went back before it, which has no number either.
            .map(|amount| LedgerEntry::presumed(EntryStatus::Done, money.presumed_done() + amount, refund.at)),
    };
    let is_it = |e: &LedgerEntry| entry.as_ref().is_some_and(|entry| e.reference == entry.reference);
    let other = |e: &LedgerEntry| e.status == EntryStatus::Done && !is_it(e);
    let amount = entry.as_ref().map_or(0, |entry| entry.amount);
    let others = of_others(order, refund, amount);
    let kept = money.received() - amount - others - money.named_refunds(other);
    // Nothing goes back only where all of it is a fee.
    let is_all_kept = money.held() > 0 && order.fee_expected() == money.held();
    if entry.is_none() && !is_all_kept {
        return None;
    }
    let fee = left_as_fee(order, refund, kept.max(0)).map(|amount| LedgerEntry::kept(amount, refund.at));
    let others = (others > 0).then(|| LedgerEntry::presumed(EntryStatus::Done, others, refund.at));
    (entry.is_some() || fee.is_some()).then_some(Back { refund: entry, others, fee })
}

/// What went back of copies that were named, where a number is told for some of them: the others' has none yet, and is not replaced by it.
fn of_others(order: &Order, refund: &RecordRefund, amount: i64) -> i64 {
    let is_of_some = refund.amount.is_some() && refund.copies.is_some_and(|copies| copies < order.quantity);
    if is_of_some && !order.copies_named.is_empty() { (order.money.presumed_done() - amount).max(0) } else { 0 }
}

/// The movement that a refund names, with its amount.
pub(super) fn named_back(refund: &RecordRefund) -> Option<LedgerEntry> {
    let amount = refund.amount?.max(0);
    let (reference, at) = (refund.channel_ref.clone(), refund.at);
    Some(LedgerEntry { reference, kind: EntryKind::Refund, status: EntryStatus::Done, amount, at })
}

/// The fee that a refund leaves behind, where it is another than before: what is kept when the order ends, and less once more of it
/// goes back.
fn left_as_fee(order: &Order, refund: &RecordRefund, kept: i64) -> Option<i64> {
    let fee = order.money.fee();
    let ends = refund.scope == RefundScope::Order && order.state != OrderState::Completed;
    if fee == 0 {
        return (ends && kept > 0).then_some(kept);
    }
    let of_channel: i64 = order
        .money
        .ledger
        .iter()
        .filter(|e| e.kind == EntryKind::Fee && e.status == EntryStatus::Done && e.reference != FEE)
        .map(|e| e.amount)
        .sum();
    // What the channel really kept, whatever was expected when the case was decided.
    if ends && of_channel == 0 && kept > fee {
        return Some(kept);
    }
    (kept < fee && of_channel < fee).then_some((kept - of_channel).max(0))
}

pub(super) fn has_open_case(order: &Order) -> bool {
    order.refund_case.as_ref().is_some_and(|case| case.is_open())
}

/// What the channel did by itself, for so many copies where it counts them, and for which where it names them.
pub(super) fn told_apart(draft: &mut Draft, refund: &RecordRefund, copies: Option<u32>, which: &Which) {
    let (channel_ref, scope, scene) = (refund.channel_ref.clone(), refund.scope, refund.scene);
    let (named, off) = (which.named.iter().copied().collect(), which.off.iter().copied().collect());
    draft.event(Event::RefundForced { channel_ref, scope, scene, copies, named, off });
}
