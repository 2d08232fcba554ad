// SPDX-License-Identifier: Apache-2.0

//! What a snapshot names that belongs to another order already: it is shown, and counts there alone.

use super::around::Around;
use crate::decide::draft::Draft;
use crate::message::Snapshot;
use crate::order::AttentionKind;
use crate::order::channel_state::{Line, Payment, Sums};
use crate::order::money::{EntryKind, LedgerEntry};

/// The snapshot without what belongs to other orders; `None` where nothing does.
pub(super) fn without(snapshot: &Snapshot, around: &Around<'_>) -> Option<Snapshot> {
    if around.paid_elsewhere.is_empty() && around.lines_elsewhere.is_empty() {
        return None;
    }
    let mut rest = snapshot.clone();
    take_payments(&mut rest, around.paid_elsewhere);
    take_lines(&mut rest, around.lines_elsewhere);
    Some(rest)
}

/// A person settles with the channel what it has told of two orders.
pub(super) fn flag(draft: &mut Draft, around: &Around<'_>) {
    for (what, numbers, so) in [
        ("payment", around.paid_elsewhere, "nothing is booked for it here"),
        ("line", around.lines_elsewhere, "no ticket is asked for it here"),
    ] {
        for number in numbers {
            let sentence =
                format!("the {what} `{number}` belongs to another order already; {so}, settle it with the channel");
            draft.flag(AttentionKind::Contradiction, sentence);
        }
    }
}

/// Takes out payments, and what went back of them.
fn take_payments(rest: &mut Snapshot, elsewhere: &[String]) {
    let payments = std::mem::take(&mut rest.standing.payments);
    let (gone, own): (Vec<Payment>, Vec<Payment>) =
        payments.into_iter().partition(|payment| elsewhere.contains(&payment.id));
    rest.standing.payments = own;
    let is_gone = |entry: &LedgerEntry| match entry.kind {
        EntryKind::Charge => elsewhere.contains(&entry.reference),
        EntryKind::Refund => gone.iter().any(|payment| payment.returns.contains(&entry.reference)),
        EntryKind::Fee => false,
    };
    let others = Sums::of(rest.entries.iter().filter(|entry| is_gone(entry)));
    if let Some(sums) = &mut rest.standing.sums {
        sums.received -= others.received;
        sums.returned -= others.returned;
    }
    rest.entries.retain(|entry| !is_gone(entry));
}

/// Takes out lines with their units; an order of which none is left keeps its number of units, and nothing is issued for them. The price
/// stays what the channel says of it.
fn take_lines(rest: &mut Snapshot, elsewhere: &[String]) {
    if elsewhere.is_empty() {
        return;
    }
    let lines = std::mem::take(&mut rest.standing.lines);
    let (gone, own): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|line| elsewhere.contains(&line.detail));
    rest.standing.lines = own;
    if !rest.standing.lines.is_empty() {
        rest.sale.quantity = rest.standing.lines.iter().map(|line| line.quantity).sum();
    }
    rest.standing.lines_elsewhere = gone.into_iter().map(|line| line.detail).collect();
}
