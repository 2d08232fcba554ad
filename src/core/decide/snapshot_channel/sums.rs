// SPDX-License-Identifier: Apache-2.0

//! What the channel itself counts of an order's money, against our ledger. A ledger that the channel's own count contradicts moves no
//! money by itself: a person settles it.

use crate::decide::disagreement::Disagreement;
use crate::decide::draft::Draft;
use crate::message::{Event, Snapshot};
use crate::order::channel_state::Sums;
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, Money, PaymentMode};
use crate::order::{AttentionKind, Order};

/// What is said of money that was not due, and that does not go back by itself.
pub(super) const NOT_BY_ITSELF: &str =
    "money came that was not due, and what the channel says of it contradicts itself; settle it there";

fn is_charge(entry: &LedgerEntry) -> bool {
    entry.kind == EntryKind::Charge && entry.status == EntryStatus::Done
}

fn names(entries: &[LedgerEntry], entry: &LedgerEntry) -> bool {
    entries.iter().any(|e| e.kind == entry.kind && e.reference == entry.reference)
}

/// Whether a snapshot lists every payment that it counts.
fn lists_all(snapshot: &Snapshot) -> bool {
    let listed = Sums::of(&snapshot.entries).received;
    snapshot.standing.sums.is_none_or(|sums| sums.received == listed)
}

/// Payments of ours that are not in the whole list of the channel, which names others in their place.
pub(super) fn replaced(order: &Order, snapshot: &Snapshot) -> Vec<LedgerEntry> {
    let brings_others = snapshot.entries.iter().any(|told| is_charge(told) && !names(&order.money.ledger, told));
    if !brings_others || !lists_all(snapshot) {
        return Vec::new();
    }
    let ours = order.money.ledger.iter().filter(|entry| is_charge(entry));
    ours.filter(|entry| !names(&snapshot.entries, entry)).cloned().collect()
}

/// A payment that is told under another number is the same money: the list that holds now is followed, and a person looks.
pub(super) fn drop_replaced(draft: &mut Draft, snapshot: &Snapshot) -> bool {
    let gone = replaced(&draft.order(), snapshot);
    for entry in &gone {
        draft.event(Event::PaymentRetracted { reference: entry.reference.clone() });
        flag_replaced(draft, &entry.reference);
    }
    !gone.is_empty()
}

/// Whether a payment that is told late is not in the list that holds now, which counts others in its place.
pub(super) fn is_replaced_since(order: &Order, late: &Snapshot, entry: &LedgerEntry) -> bool {
    let Some(now) = order.channel_state.as_deref().map(|state| &state.standing).filter(|_| is_charge(entry)) else {
        return false;
    };
    let is_listed = now.payments.iter().any(|payment| payment.id == entry.reference);
    let lists_others = now.payments.iter().any(|p| late.standing.payments.iter().all(|told| told.id != p.id));
    let is_full = now.sums.is_some_and(|sums| order.money.received() >= sums.received);
    !is_listed && lists_others && is_full
}

/// What is said of such a payment.
pub(super) fn flag_replaced(draft: &mut Draft, reference: &str) {
    let sentence = format!(
        "the channel lists another payment in place of `{reference}`; the money is counted once, compare with its books"
    );
    draft.flag(AttentionKind::Contradiction, sentence);
}

/// The channel's count as it holds now. Where changes are not counted, nobody can say which of two messages is the later one, and a
/// message that tells more money is not denied by the one before.
pub(super) fn holds(order: &Order, snapshot: &Snapshot, is_news: bool) -> Option<Sums> {
    let known = &order.channel_state.as_deref()?.standing;
    let sums = known.sums?;
    if is_news || (known.revision > 0 && snapshot.standing.revision > 0) {
        return Some(sums);
    }
    let told = counted(order, snapshot);
    Some(Sums { received: sums.received.max(told.received), returned: sums.returned.max(told.returned) })
}

/// Whether the channel counts as our ledger does.
pub(super) fn agree(order: &Order, sums: Option<Sums>) -> bool {
    sums.is_some_and(|sums| differs(&order.money, sums, Unnamed::Left).is_none())
}

/// What the channel's own count holds above the price, and is not on its way back.
pub(super) fn overpaid(order: &Order, sums: Option<Sums>) -> i64 {
    let money = &order.money;
    sums.map_or(0, |sums| sums.received - sums.returned.max(money.refunded()) - money.refund_pending() - money.due)
}

/// Whether returns that we asked for, and the channel has not named yet, are looked for in its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decide) enum Unnamed {
    /// They may still be on their way there.
    Left,
    /// It was asked: they are there, or did not happen.
    Sought,
}

/// On what our ledger and the channel's count differ. What the channel counts beyond ours is taken over as it tells it; only what it does not
/// count contradicts us, and what is impossible.
pub(in crate::decide) fn differs(money: &Money, sums: Sums, unnamed: Unnamed) -> Option<Disagreement> {
    if money.mode != PaymentMode::Ledger {
        return None;
    }
    let is_sought = |e: &&LedgerEntry| !e.is_presumed() && (unnamed == Unnamed::Sought || !e.is_unnamed());
    let ours = Sums::of(money.ledger.iter().filter(is_sought));
    let found = |field: &'static str, ours: i64, theirs: i64, sentence: String| {
        Some(Disagreement { field, ours: ours.to_string(), theirs: theirs.to_string(), sentence })
    };
    if ours.received > sums.received {
        let (ours, theirs) = (ours.received, sums.received);
        let sentence = format!("{ours} came in by our ledger, and {theirs} by the channel's books; settle it there");
        return found("received", ours, theirs, sentence);
    }
    if ours.returned > sums.returned {
        let (ours, theirs) = (ours.returned, sums.returned);
        let sentence = format!("{ours} went back by our ledger, and {theirs} by the channel's books; settle it there");
        return found("refunded", ours, theirs, sentence);
    }
    if sums.returned > sums.received {
        let (received, theirs) = (sums.received, sums.returned);
        let sentence = format!("by the channel's books {theirs} went back of {received} that came in; settle it there");
        return found("refunded", received, theirs, sentence);
    }
    None
}

/// Money that the channel counts, and names no movement of: it moves nothing here, and a person asks what it is. What is on its way back may
/// have arrived.
pub(in crate::decide) fn beyond(money: &Money, sums: Sums) -> Option<Disagreement> {
    if money.mode != PaymentMode::Ledger {
        return None;
    }
    let found = |field: &'static str, ours: i64, theirs: i64, what: &str, named: &str| {
        let sentence = format!("by the channel's books {theirs} {what}, and {named} come to {ours}; settle it there");
        Some(Disagreement { field, ours: ours.to_string(), theirs: theirs.to_string(), sentence })
    };
    let (received, back) = (money.received(), money.refunded().saturating_add(money.refund_pending()));
    if sums.received > received {
        return found("received", received, sums.received, "came in", "the payments that it names");
    }
    if sums.returned > back {
        return found("refunded", back, sums.returned, "went back", "the returns that it names");
    }
    None
}

/// After an event: money that the channel no longer counts, that it names no movement of, or that cannot be, is shown; a newer one that
/// agrees settles it. What contradicts itself in one message, or an earlier one, is shown as that.
pub(super) fn compare(draft: &mut Draft, snapshot: &Snapshot, is_news: bool, is_shown: bool) {
    let order = draft.order();
    let Some(sums) = holds(&order, snapshot, is_news) else { return };
    let more = || beyond(&order.money, sums).filter(|_| !is_shown);
    match differs(&order.money, sums, Unnamed::Left).or_else(more) {
        Some(found) => draft.flag(AttentionKind::BooksDiffer, found.sentence),
        None if is_news => draft.settle_flag(AttentionKind::BooksDiffer),
        None => {}
    }
}

/// What the channel counts of the money: its own sums, and at least what it tells went back. A return that it lists and tells of by its number
/// as well is one return.
pub(in crate::decide) fn counted(order: &Order, snapshot: &Snapshot) -> Sums {
    let by_number = told_by_number(order, snapshot);
    let told = Sums::of(snapshot.entries.iter().filter(|entry| !names(&by_number, entry)).chain(&by_number));
    let sums = snapshot.standing.sums.unwrap_or(told);
    Sums { returned: sums.returned.max(told.returned), ..sums }
}

/// Returns that we know, as the channel tells of them by their numbers alone.
pub(super) fn told_by_number(order: &Order, snapshot: &Snapshot) -> Vec<LedgerEntry> {
    let known = |reference: &str| {
        order.money.ledger.iter().find(|e| e.kind == EntryKind::Refund && e.reference == reference).cloned()
    };
    let news = snapshot.return_news.iter();
    news.filter_map(|news| Some(LedgerEntry { status: news.status, ..known(&news.reference)? })).collect()
}
