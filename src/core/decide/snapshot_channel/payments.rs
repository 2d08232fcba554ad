//! Payments one by one, where a channel names them: merged by their numbers, returned alone, collected by link.

use super::quote::ask_price_again;
use crate::decide::draft::Draft;
use crate::decide::{Decision, sale};
use crate::message::{CalledOff, Effect, Event, Report, Snapshot};
use crate::order::channel_state::{LinkState, Payment};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, PRESUMED, PaymentMode, PaymentState};
use crate::order::{AttentionKind, BookingState, Order, OrderState};
use crate::rejection::{Rejection, Why};
use crate::time::{Moment, UnixMillis};

/// An entry of the ledger that keeps the rest.
pub(in crate::decide) fn fee_entry(amount: i64, at: UnixMillis) -> LedgerEntry {
    LedgerEntry { reference: "fee".to_owned(), kind: EntryKind::Fee, status: EntryStatus::Done, amount, at }
}

/// Movements that we asked for carry this before the payment's number, until the channel gives them one of its own.
const WANTED: &str = "wanted:";

/// Whether a movement is one that we asked for, and the channel has not named yet.
pub(in crate::decide) fn is_wanted(entry: &LedgerEntry) -> bool {
    entry.reference.starts_with(WANTED)
}

fn wanted_prefix(payment: &str) -> String {
    format!("{WANTED}{payment}:")
}

/// How far a movement has come; what is told late never takes it back.
fn rank(status: EntryStatus) -> u8 {
    match status {
        EntryStatus::Pending => 0,
        EntryStatus::Failed => 1,
        EntryStatus::Done => 2,
    }
}

/// Adds what is new among the movements. They are a set: the order in which they are told plays no part.
pub(in crate::decide) fn merge(draft: &mut Draft, snapshot: &Snapshot, is_news: bool) {
    for entry in snapshot.entries.iter().chain(&told_by_number(&draft.order, snapshot)) {
        let known =
            draft.order.money.ledger.iter().find(|e| e.kind == entry.kind && e.reference == entry.reference).cloned();
        let recorded = || Decision::nothing().event(Event::PaymentRecorded { entry: entry.clone() });
        match known {
            None => {
                retract_wanted(draft, snapshot, entry);
                draft.add(recorded());
            }
            Some(known) if known.amount != entry.amount => {
                let sentence =
                    format!("the movement `{}` was told with another amount; the first one stands", entry.reference);
                draft.flag(AttentionKind::Contradiction, sentence);
            }
            Some(known) if known.status == entry.status => {}
            Some(known) if is_news || rank(entry.status) > rank(known.status) => draft.add(recorded()),
            Some(_) => {}
        }
    }
    let part = sale::too_much_back(&draft.order, Decision::nothing());
    draft.add(part);
}

/// Returns that we know, as the channel tells of them by their numbers alone.
fn told_by_number(order: &Order, snapshot: &Snapshot) -> Vec<LedgerEntry> {
    let known = |reference: &str| {
        order.money.ledger.iter().find(|e| e.kind == EntryKind::Refund && e.reference == reference).cloned()
    };
    let news = snapshot.return_news.iter();
    news.filter_map(|news| Some(LedgerEntry { status: news.status, ..known(&news.reference)? })).collect()
}

/// A return that did not work is shown to a person until it is made good.
pub(in crate::decide) fn flag_failure(draft: &mut Draft) {
    if draft.order.payment() == PaymentState::RefundFailed {
        draft.flag(
            AttentionKind::RefundFailed,
            "money did not go back to the guest; return it again, or settle it there",
        );
    }
}

/// The channel has given the movement that we asked for its own number.
fn retract_wanted(draft: &mut Draft, snapshot: &Snapshot, entry: &LedgerEntry) {
    let Some(payment) = snapshot.picture.payments.iter().find(|p| p.returns.contains(&entry.reference)) else { return };
    let prefix = wanted_prefix(&payment.id);
    let wanted = draft.order.money.ledger.iter().find(|e| e.reference.starts_with(&prefix) && e.amount == entry.amount);
    if let Some(reference) = wanted.map(|e| e.reference.clone()) {
        draft.add(Decision::nothing().event(Event::PaymentRetracted { reference }));
    }
}

/// What is still to go back, and what is kept, once the order is called off.
pub(in crate::decide) fn settle_up(draft: &mut Draft, off: Option<&CalledOff>, now: UnixMillis) {
    let Some(off) = off.filter(|_| draft.order.state == OrderState::Cancelled) else { return };
    let money = &draft.order.money;
    if money.mode != PaymentMode::Ledger || money.received() == 0 {
        return;
    }
    let named: i64 =
        money.ledger.iter().filter(|e| e.kind == EntryKind::Refund && e.reference != PRESUMED).map(|e| e.amount).sum();
    let missing = off.returns.unwrap_or(money.received() - off.fee).min(money.received()) - named;
    // A return that did not work keeps nothing for the seller.
    let going = money.refunded() + money.refund_pending();
    let fee = off.fee.min(money.received() - going.max(off.returns.unwrap_or(0).min(money.received()))).max(0);
    let known_fee = money.fee();
    if missing > 0 && !money.presumes_refund() {
        let entry = LedgerEntry {
            reference: PRESUMED.to_owned(),
            kind: EntryKind::Refund,
            status: EntryStatus::Pending,
            amount: missing,
            at: now,
        };
        draft.add(Decision::nothing().event(Event::PaymentRecorded { entry }));
    }
    if fee != known_fee && (fee > 0 || known_fee > 0) {
        draft.add(Decision::nothing().event(Event::PaymentRecorded { entry: fee_entry(fee, now) }));
    }
}

/// Money that nobody expected: for an order that was called off, through a link that was taken back, or more than is due. It is
/// recorded, shown, and sent back.
pub(in crate::decide) fn unexpected(draft: &mut Draft, before: &Order, snapshot: &Snapshot, moment: Moment) {
    if draft.order.money.mode != PaymentMode::Ledger {
        return;
    }
    let news: Vec<&LedgerEntry> = snapshot
        .entries
        .iter()
        .filter(|e| e.kind == EntryKind::Charge && e.status == EntryStatus::Done && !before.money.knows(e))
        .collect();
    let dead_link = |entry: &LedgerEntry| {
        let payment = snapshot.picture.payments.iter().find(|p| p.id == entry.reference);
        let Some(link) = payment.and_then(|p| p.link.as_deref()) else { return false };
        let links = before.mirror.as_deref().map(|m| m.links.as_slice()).unwrap_or_default();
        links
            .iter()
            .filter(|l| l.id.as_deref() == Some(link))
            .any(|l| matches!(l.state, LinkState::Expired | LinkState::Revoked) || entry.at >= l.expires_at)
    };
    let mut flagged = false;
    for (index, entry) in news.iter().enumerate() {
        if before.mirror.is_some() && (before.state == OrderState::Cancelled || dead_link(entry)) {
            flagged = true;
            want_return(draft, &entry.reference, entry.amount, entry.amount, "unexpected payment", index, moment);
        }
    }
    let over = overpaid(&draft.order);
    if let Some(newest) = news.last().filter(|_| over > 0) {
        flagged = true;
        let amount = over.min(newest.amount);
        want_return(draft, &newest.reference, amount, newest.amount, "overpaid", news.len(), moment);
    }
    if flagged {
        let sentence = "money came that was not due; it is being returned";
        let part = Decision::nothing().attention(&draft.order, AttentionKind::UnexpectedPayment, sentence);
        draft.add(part);
    } else if over > 0 {
        // The price fell. The channel may return the rest by itself, so that a person decides.
        let sentence = format!("{over} more is paid than is due now; return it, unless the channel does");
        draft.flag(AttentionKind::UnexpectedPayment, sentence);
    }
}

/// What is held of a live order above its price, and is not on its way back.
fn overpaid(order: &Order) -> i64 {
    let money = &order.money;
    if order.state == OrderState::Cancelled || money.mode != PaymentMode::Ledger {
        return 0;
    }
    (money.received() - money.refunded() - money.refund_pending() - money.due).max(0)
}

fn want_return(draft: &mut Draft, payment: &str, amount: i64, left: i64, reason: &str, index: usize, moment: Moment) {
    let reference = format!("{}{:x}{index}", wanted_prefix(payment), moment.seed.0);
    let entry = LedgerEntry {
        reference: reference.clone(),
        kind: EntryKind::Refund,
        status: EntryStatus::Pending,
        amount,
        at: moment.now,
    };
    let report =
        Report::PaymentReturn { reference, payment: payment.to_owned(), amount, left, reason: reason.to_owned() };
    draft.add(
        Decision::nothing()
            .event(Event::PaymentRecorded { entry })
            .effect(Effect::TellChannel { report, not_before: None }),
    );
}

/// What of a payment can still go back, with what we have asked for already taken off.
fn left_of(order: &Order, payment: &Payment) -> i64 {
    let prefix = wanted_prefix(&payment.id);
    let asked: i64 = order
        .money
        .ledger
        .iter()
        .filter(|e| e.reference.starts_with(&prefix) && e.status != EntryStatus::Failed)
        .map(|e| e.amount)
        .sum();
    payment.left - asked
}

/// Ops return money and leave the booking as it is (KA-03): newest payment first, each within what it has left.
pub(in crate::decide) fn return_payments(
    order: &Order,
    amount: Option<i64>,
    reason: &str,
    moment: Moment,
) -> Result<Decision, Rejection> {
    let Some(mirror) = order.mirror.as_deref() else {
        return Err(Rejection::new(Why::NotSupported, "this channel does not return money without the order"));
    };
    if order.money.mode != PaymentMode::Ledger || mirror.picture.payments.is_empty() {
        return Err(Rejection::new(Why::NoPayment, "nothing was paid for this order through the channel"));
    }
    let state = order.booking.as_ref().map(|b| b.state);
    let is_ahead = matches!(state, Some(BookingState::Requested | BookingState::Confirmed));
    let over = overpaid(order);
    if is_ahead && over == 0 {
        let sentence = "only what has been used, or called off, is paid back alone; mark it used, or cancel it";
        return Err(Rejection::new(Why::NotUsed, sentence));
    }
    let mut payments: Vec<(&Payment, i64)> = mirror.picture.payments.iter().map(|p| (p, left_of(order, p))).collect();
    payments.sort_by_key(|(payment, _)| std::cmp::Reverse(payment.at));
    let left: i64 = payments.iter().map(|(_, left)| (*left).max(0)).sum();
    // What is still ahead keeps its price.
    let left = if is_ahead { left.min(over) } else { left };
    let mut open = amount.unwrap_or(left);
    if open <= 0 || open > left {
        return Err(Rejection::new(Why::RefundExceeds, format!("{left} can still go back")).at("amount"));
    }
    let mut draft = Draft::of(order, moment);
    // Money goes back alone only for what counts as used there; a channel without no-shows still waits for the guest.
    if let Some(booking) = order.booking.as_ref().filter(|b| b.state == BookingState::NoShow)
        && mirror.picture.stage.is_ahead()
    {
        let report = Report::Redeemed { booking: booking.id.clone(), at: moment.now };
        draft.add(Decision::nothing().effect(Effect::TellChannel { report, not_before: None }));
    }
    for (index, (payment, left)) in payments.iter().enumerate() {
        let part = open.min(*left);
        if part > 0 {
            want_return(&mut draft, &payment.id, part, *left, reason, index, moment);
            open -= part;
        }
    }
    ask_price_again(&mut draft, order);
    Ok(draft.decision)
}

/// The channel has paid back what we asked for, and has not named the movement yet.
pub(in crate::decide) fn returned(draft: &mut Draft, reference: &str) {
    let entry = draft.order.money.ledger.iter().find(|e| e.reference == reference && e.status == EntryStatus::Pending);
    if let Some(entry) = entry.cloned() {
        let entry = LedgerEntry { status: EntryStatus::Done, ..entry };
        draft.add(Decision::nothing().event(Event::PaymentRecorded { entry }));
    }
}

/// What is still to be paid.
pub(super) fn open_balance(order: &Order) -> i64 {
    order.money.due - order.money.received() + order.money.refunded()
}
