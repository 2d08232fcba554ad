// SPDX-License-Identifier: Apache-2.0

//! Payments one by one, where a channel names them: merged by their numbers, returned alone, collected by link.

use super::quote::ask_price_again;
use super::sums;
use crate::decide::draft::Draft;
use crate::decide::sale;
use crate::message::{Cancelled, Event, Notification, Snapshot};
use crate::order::channel_state::{ChannelState, LinkState, Payment, Stage, Sums};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, PaymentMode, PaymentState};
use crate::order::returns::unnamed_prefix;
use crate::order::undelivered::RETURNING;
use crate::order::{AttentionKind, Booking, BookingState, Fact, Order, OrderState, RefundState};
use crate::quoted::FreeText;
use crate::rejection::{Rejection, Why};

/// How far a movement has come; what is told late never takes it back.
fn rank(status: EntryStatus) -> u8 {
    match status {
        EntryStatus::Pending => 0,
        EntryStatus::Failed => 1,
        EntryStatus::Done => 2,
    }
}

/// Adds what is new among the movements. They are a set: the order in which they are told plays no part. Says whether what is told
/// contradicts what was told before.
pub(super) fn merge(draft: &mut Draft, snapshot: &Snapshot, is_news: bool) -> bool {
    let mut contradicted = is_news && sums::drop_replaced(draft, snapshot);
    for entry in snapshot.entries.iter().chain(&sums::told_by_number(&draft.order(), snapshot)) {
        let order = draft.order();
        let known = order.money.ledger.iter().find(|e| e.kind == entry.kind && e.reference == entry.reference);
        match known {
            None if !is_news && sums::is_replaced_since(&order, snapshot, entry) => {
                contradicted = true;
                sums::flag_replaced(draft, &entry.reference);
            }
            None => {
                retract_unnamed(draft, snapshot, entry);
                draft.event(Event::PaymentRecorded { entry: entry.clone() });
            }
            Some(known) if known.amount != entry.amount => {
                contradicted = true;
                let sentence =
                    format!("the movement `{}` was told with another amount; the first one stands", entry.reference);
                draft.flag(AttentionKind::Contradiction, sentence);
            }
            Some(known) if known.status == entry.status => {}
            Some(known) if is_news || rank(entry.status) > rank(known.status) => {
                // It goes back after all, and nobody has to make it again.
                if known.status == EntryStatus::Failed {
                    retract_unnamed(draft, snapshot, entry);
                }
                draft.event(Event::PaymentRecorded { entry: entry.clone() });
            }
            Some(_) => {}
        }
    }
    sale::too_much_back(draft);
    contradicted
}

/// A return that did not work is shown to a person until it is made good.
pub(super) fn flag_failure(draft: &mut Draft) {
    if draft.order().payment() == PaymentState::RefundFailed {
        draft.flag(
            AttentionKind::RefundFailed,
            "money did not go back to the guest; return it again, or settle it there",
        );
    }
}

/// The channel has given the movement that we asked for its own number.
fn retract_unnamed(draft: &mut Draft, snapshot: &Snapshot, entry: &LedgerEntry) {
    let Some(payment) = snapshot.standing.payments.iter().find(|p| p.returns.contains(&entry.reference)) else {
        return;
    };
    let prefix = unnamed_prefix(&payment.id);
    let order = draft.order();
    let asked_for = order.money.ledger.iter().find(|e| e.reference.starts_with(&prefix) && e.amount == entry.amount);
    if let Some(asked_for) = asked_for {
        draft.event(Event::PaymentRetracted { reference: asked_for.reference.clone() });
    }
}

/// What is still to go back, and what is kept, once the order is cancelled.
pub(super) fn settle_up(draft: &mut Draft, off: Option<&Cancelled>) {
    let order = draft.order();
    let Some(off) = off.filter(|_| order.state == OrderState::Cancelled) else { return };
    let off = &named(&order, off);
    let money = &order.money;
    if money.mode != PaymentMode::Ledger || money.received() == 0 {
        return;
    }
    let missing =
        off.returns.unwrap_or(money.received() - off.fee).min(money.received()) - money.named_refunds(|_| true);
    // A return that did not work keeps nothing for the seller.
    let going = money.refunded() + money.refund_pending();
    let fee = off.fee.min(money.received() - going.max(off.returns.unwrap_or(0).min(money.received()))).max(0);
    if missing > 0 && !money.presumes_refund() {
        let entry = LedgerEntry::presumed(EntryStatus::Pending, missing, draft.now());
        draft.event(Event::PaymentRecorded { entry });
    }
    if fee != money.fee() && (fee > 0 || money.fee() > 0) {
        draft.event(Event::PaymentRecorded { entry: LedgerEntry::kept(fee, draft.now()) });
    }
}

/// A channel that does not say what it keeps has kept what it does not return. Where a return did not work that is no fee that anybody has
/// decided: what was kept before, or what we had decided, stands.
pub(super) fn named(order: &Order, off: &Cancelled) -> Cancelled {
    let money = &order.money;
    let decided = match &order.refund_case {
        _ if money.fee() > 0 => Some(money.fee()),
        Some(case) if matches!(case.state, RefundState::Approved | RefundState::Settled) => case.fee,
        Some(_) | None => None,
    };
    if off.returns.is_some() {
        return off.clone();
    }
    let fee = decided.filter(|_| money.failed() > 0).unwrap_or(off.fee).min(money.received());
    Cancelled { fee, returns: Some(money.received() - fee), ..off.clone() }
}

/// What is kept of a part that was called off, while the rest of the order lives: once all of it is off, the whole is settled.
pub(super) fn keep_of_parts(draft: &mut Draft, kept: Option<i64>) {
    let order = draft.order();
    let Some(kept) = kept.filter(|_| order.state != OrderState::Cancelled) else { return };
    let money = &order.money;
    let fee = kept.min(money.left()).max(0);
    if money.mode == PaymentMode::Ledger && fee != money.fee() {
        draft.event(Event::PaymentRecorded { entry: LedgerEntry::kept(fee, draft.now()) });
    }
}

/// Money that nobody expected: for an order that was cancelled, through a link that was taken back, or more than is due. It is
/// recorded, shown, and sent back; by itself only where the channel's own count agrees that it is held and not due.
///
/// Once the visit is over, its links were taken back because no other one is sent, and not because nothing is owed: what comes through them
/// then is the balance (TS-08), and only what is more than that is sent back.
pub(super) fn unexpected(draft: &mut Draft, before: &Order, snapshot: &Snapshot, sums: Option<Sums>) {
    let order = draft.order();
    if order.money.mode != PaymentMode::Ledger {
        return;
    }
    let is_charge = |e: &LedgerEntry| e.kind == EntryKind::Charge && e.status == EntryStatus::Done;
    let stands = |order: &Order, told: &LedgerEntry| {
        order.money.ledger.iter().any(|e| is_charge(e) && e.reference == told.reference)
    };
    let is_new = |e: &&LedgerEntry| is_charge(e) && stands(&order, e) && !stands(before, e);
    let news: Vec<&LedgerEntry> = snapshot.entries.iter().filter(is_new).collect();
    let by_itself = sums::agree(&order, sums);
    let is_visit_over = order.booking.as_ref().is_some_and(Booking::is_visit_over);
    let is_on = order.channel_state.as_deref().is_some_and(|state| state.standing.stage == Stage::Confirmed);
    let mut flagged = false;
    for (index, entry) in news.iter().enumerate() {
        let is_late = !is_visit_over && through_dead_link(before, snapshot, entry);
        let is_over = before.state == OrderState::Cancelled || is_late;
        if before.channel_state.is_none() || !is_over {
            continue;
        }
        if by_itself {
            flagged = true;
            want_return(draft, &entry.reference, entry.amount, entry.amount, &"unexpected payment".into(), index);
            if is_late && is_on {
                // The guest wants to pay, and his money goes back: what it was for is open, and somebody sends a link that he can use.
                draft.flag_fact(Fact::LinkOver);
            }
        } else {
            draft.flag(AttentionKind::UnexpectedPayment, sums::NOT_BY_ITSELF);
        }
    }
    let now = draft.order();
    let over = overpaid(&now).min(sums::overpaid(&now, sums));
    if over > 0
        && by_itself
        && let Some(newest) = news.last()
    {
        flagged = true;
        let amount = over.min(newest.amount);
        want_return(draft, &newest.reference, amount, newest.amount, &"overpaid".into(), news.len());
    }
    if flagged {
        draft.flag(AttentionKind::UnexpectedPayment, RETURNING);
    } else if over > 0 {
        // The price fell. The channel may return the rest by itself, so that a person decides.
        let sentence = format!("{over} more is paid than is due now; return it, unless the channel does");
        draft.flag(AttentionKind::UnexpectedPayment, sentence);
    }
}

/// Whether it was paid through a link that was over by then, or had been taken back.
fn through_dead_link(before: &Order, snapshot: &Snapshot, entry: &LedgerEntry) -> bool {
    let payment = snapshot.standing.payments.iter().find(|p| p.id == entry.reference);
    let Some(link) = payment.and_then(|p| p.link.as_deref()) else { return false };
    let links = before.channel_state.as_deref().map(|m| m.links.as_slice()).unwrap_or_default();
    let mut meant = links.iter().filter(|l| l.id.as_deref() == Some(link));
    let is_dead = |state| matches!(state, LinkState::Expired | LinkState::Revoking | LinkState::Revoked);
    meant.any(|l| is_dead(l.state) || entry.at >= l.expires_at)
}

/// What is held of a live order above its price, and is not on its way back.
fn overpaid(order: &Order) -> i64 {
    let money = &order.money;
    if order.state == OrderState::Cancelled || money.mode != PaymentMode::Ledger {
        return 0;
    }
    money.excess()
}

fn want_return(draft: &mut Draft, payment: &str, amount: i64, left: i64, reason: &FreeText, index: usize) {
    let reference = format!("{}{:x}{index}", unnamed_prefix(payment), draft.moment.seed.0);
    let (kind, status) = (EntryKind::Refund, EntryStatus::Pending);
    let entry = LedgerEntry { reference: reference.clone(), kind, status, amount, at: draft.now() };
    draft.event(Event::PaymentRecorded { entry });
    let (payment, reason) = (payment.to_owned(), reason.to_owned());
    draft.tell(Notification::PaymentReturn { reference, payment, amount, left, reason });
}

/// What of a payment can still go back, with what we have asked for already taken off.
fn left_of(order: &Order, payment: &Payment) -> i64 {
    let prefix = unnamed_prefix(&payment.id);
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
    draft: &mut Draft,
    channel_state: Option<&ChannelState>,
    amount: Option<i64>,
    reason: &FreeText,
) -> Result<(), Rejection> {
    let Some(channel_state) = channel_state else {
        return Err(Rejection::new(Why::NotSupported, "this channel does not return money without the order"));
    };
    let before = draft.order();
    let failed = before.open_failures();
    if amount.is_none() && failed > 0 {
        let sentence = format!("{failed} of an earlier return did not go back; name the amount that is meant");
        return Err(Rejection::new(Why::Invalid, sentence).at("amount"));
    }
    let left = can_be_returned(&before, channel_state)?;
    let mut open = amount.unwrap_or(left);
    if open <= 0 || open > left {
        return Err(Rejection::new(Why::RefundExceeds, format!("{left} can still go back")).at("amount"));
    }
    // Money goes back alone only for what counts as used there; a channel without no-shows still waits for the guest.
    if let Some(booking) = before.booking.as_ref().filter(|b| b.state == BookingState::NoShow)
        && channel_state.standing.stage.is_ahead()
    {
        draft.tell(Notification::Redeemed { booking: booking.id.clone(), at: draft.now() });
    }
    let mut payments = newest_first(&before, channel_state);
    if failed > 0 {
        // What did not arrive is returned from where it was to come: another payment would give back what is its own.
        payments.sort_by_key(|(payment, _)| !before.had_failure(payment));
    }
    for (index, (payment, left)) in payments.iter().enumerate() {
        let part = open.min(*left);
        if part > 0 {
            want_return(draft, &payment.id, part, *left, reason, index);
            open -= part;
        }
    }
    ask_price_again(draft, &before);
    Ok(())
}

fn newest_first<'a>(order: &Order, channel_state: &'a ChannelState) -> Vec<(&'a Payment, i64)> {
    let payments = channel_state.standing.payments.iter();
    let mut payments: Vec<(&Payment, i64)> = payments.map(|p| (p, left_of(order, p))).collect();
    payments.sort_by_key(|(payment, _)| std::cmp::Reverse(payment.at));
    payments
}

/// How much money ops may send back without touching the booking.
fn can_be_returned(order: &Order, channel_state: &ChannelState) -> Result<i64, Rejection> {
    if order.money.mode != PaymentMode::Ledger || channel_state.standing.payments.is_empty() {
        return Err(Rejection::new(Why::NoPayment, "nothing was paid for this order through the channel"));
    }
    let state = order.booking.as_ref().map(|b| b.state);
    let is_ahead = matches!(state, Some(BookingState::Requested | BookingState::Confirmed));
    // What is still ahead keeps its price; what was to go back of a part of it may.
    let over = overpaid(order) + order.open_failures();
    if is_ahead && over == 0 {
        let sentence = "only what has been used, or cancelled, is paid back alone; mark it used, or cancel it";
        return Err(Rejection::new(Why::NotUsed, sentence));
    }
    let left: i64 = channel_state.standing.payments.iter().map(|p| left_of(order, p).max(0)).sum();
    if is_ahead {
        return Ok(left.min(over));
    }
    if state == Some(BookingState::Cancelled) && !order.rules.channel.returns_what_it_kept {
        return not_kept(order, left);
    }
    Ok(left)
}

/// What the channel was to give back of a cancelled booking, and has not: what it has kept it gives back in its own console only.
fn not_kept(order: &Order, left: i64) -> Result<i64, Rejection> {
    let missing = (order.money.left() - order.money.fee()).max(order.open_failures()).min(left);
    if missing <= 0 {
        let sentence = "this platform gives back alone only what was used: return what was kept of a cancelled booking in its own console";
        return Err(Rejection::new(Why::NotSupported, sentence));
    }
    Ok(missing)
}

/// The channel has paid back what we asked for, and has not named the movement yet.
pub(super) fn returned(draft: &mut Draft, reference: &str) {
    let order = draft.order();
    let entry = order.money.ledger.iter().find(|e| e.reference == reference && e.status == EntryStatus::Pending);
    if let Some(entry) = entry {
        let entry = LedgerEntry { status: EntryStatus::Done, ..entry.clone() };
        draft.event(Event::PaymentRecorded { entry });
    }
}

/// What is still to be paid.
pub(super) fn open_balance(order: &Order) -> i64 {
    order.money.due - order.money.held()
}
