// SPDX-License-Identifier: Apache-2.0

//! What has one owner, or is found by another's name for it. One payment pays for one order, and one line is of one order (`adapters/kakao/README.md`): whose they are is kept under their own numbers.

use ticketbridge_core::message::Snapshot;
use ticketbridge_core::order::Order;
use ticketbridge_core::order::channel_state::ChannelState;
use ticketbridge_core::order::money::EntryKind;
use ticketbridge_core::{ChannelId, Command, ExternalId};
use ticketbridge_store::{Sealer, StoreError, Tx};

/// What keeps numbers of payments and of lines apart from those of sales and bookings, and from each other; no partner's number holds a
/// control character.
const PAYMENT: &str = "payment\u{1f}";
const LINE: &str = "line\u{1f}";
/// What keeps the hashes of names that resellers give their bookings apart from those of guests' phones.
const REFERENCE: &str = "reference";

/// The command with what is told in it of other orders' payments and lines: those that are new become the order's, the others are named.
pub(crate) async fn claim(tx: &Tx, order: &Order, command: &Command) -> Result<Option<Command>, StoreError> {
    let Command::SyncSnapshot { snapshot, not_for_sale, .. } = command else { return Ok(None) };
    let paid_elsewhere = claim_all(tx, order, PAYMENT, payments(order, snapshot)).await?;
    let lines_elsewhere = claim_all(tx, order, LINE, lines(order, snapshot)).await?;
    if paid_elsewhere.is_empty() && lines_elsewhere.is_empty() {
        return Ok(None);
    }
    tracing::warn!(order = %order.id, payments = paid_elsewhere.len(), lines = lines_elsewhere.len(),
        "payments or lines of another order are told for this one");
    Ok(Some(Command::SyncSnapshot {
        snapshot: snapshot.clone(),
        not_for_sale: not_for_sale.clone(),
        paid_elsewhere,
        lines_elsewhere,
    }))
}

/// A number that is told, and whether the order has it already.
struct Told<'s> {
    number: &'s str,
    is_known: bool,
}

/// The payments whose owner is to be looked up. An order of an older version has some that nobody has written down as its own yet.
fn payments<'s>(order: &'s Order, snapshot: &'s Snapshot) -> Vec<Told<'s>> {
    let is_owned = order.channel_state.as_deref().is_some_and(|channel_state| channel_state.payments_are_owned);
    let charges = snapshot.entries.iter().filter(|entry| entry.kind == EntryKind::Charge);
    let told = charges.map(|entry| Told { number: &entry.reference, is_known: order.money.knows(entry) });
    told.filter(|told| !(told.is_known && is_owned)).collect()
}

/// The same of its lines.
fn lines<'s>(order: &'s Order, snapshot: &'s Snapshot) -> Vec<Told<'s>> {
    let state: Option<&ChannelState> = order.channel_state.as_deref();
    let is_owned = state.is_some_and(|channel_state| channel_state.lines_are_owned);
    let knows =
        |detail: &str| state.is_some_and(|state| state.standing.lines.iter().any(|known| known.detail == detail));
    let told = snapshot.standing.lines.iter().filter(|line| line.has_own_number());
    let told = told.map(|line| Told { number: &line.detail, is_known: knows(&line.detail) });
    told.filter(|told| !(told.is_known && is_owned)).collect()
}

/// Makes the order's own what nobody has, and says what another order has.
async fn claim_all(tx: &Tx, order: &Order, kind: &str, all: Vec<Told<'_>>) -> Result<Vec<String>, StoreError> {
    let mut elsewhere = Vec::new();
    for told in all {
        let number = ExternalId::new(format!("{kind}{}", told.number));
        match tx.lock_ref(&order.channel, &number).await?.order {
            Some(other) if other != order.id && !told.is_known => elsewhere.push(told.number.to_owned()),
            Some(_) => {}
            None => tx.bind_ref(&order.channel, &number, &order.id, None).await?,
        }
    }
    Ok(elsewhere)
}

/// By what the bookings are found that a reseller has given this name; it may give it to any number of them.
pub(crate) fn reference(sealer: &Sealer, channel: &ChannelId, name: &str) -> String {
    sealer.keyed_hash(REFERENCE, &format!("{channel}\u{1f}{name}"))
}

/// Has an order found by the name that its reseller has given it now, if that is another one.
pub(crate) async fn name(tx: &Tx, before: Option<&Order>, now: &Order) -> Result<(), StoreError> {
    fn named(order: &Order) -> Option<&String> {
        order.booking.as_ref()?.hold.as_ref()?.reference.as_ref()
    }
    match named(now) {
        Some(name) if before.and_then(named) != Some(name) => {
            tx.note_guests(&now.id, &[reference(tx.sealer(), &now.channel, name)]).await
        }
        Some(_) | None => Ok(()),
    }
}
