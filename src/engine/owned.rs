// SPDX-License-Identifier: Apache-2.0

//! What has one owner, or is found by another's name for it. One payment pays for one order, and one line is of one order (`adapters/kakao/README.md`): whose they are is kept under their own numbers.

use ticketbridge_core::message::Snapshot;
use ticketbridge_core::order::Order;
use ticketbridge_core::order::channel_state::ChannelState;
use ticketbridge_core::order::money::{EntryKind, LedgerEntry};
use ticketbridge_core::quoted::{ForeignNumber, FreeText};
use ticketbridge_core::{ChannelId, Command, ExternalId};
use ticketbridge_store::{Sealer, StoreError, Tx};

use crate::engine::{Engine, EngineError};

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

/// Under what the payments and lines of a whole order are looked up.
pub(crate) fn numbers(snapshot: &Snapshot) -> impl Iterator<Item = ExternalId> {
    let payments = charges(snapshot).map(|entry| named(PAYMENT, &entry.reference));
    let lines = snapshot.standing.lines.iter().filter(|line| line.has_own_number());
    payments.chain(lines.map(|line| named(LINE, &line.detail)))
}

fn named(kind: &str, number: &str) -> ExternalId {
    ExternalId::new(format!("{kind}{number}"))
}

fn charges(snapshot: &Snapshot) -> impl Iterator<Item = &LedgerEntry> {
    snapshot.entries.iter().filter(|entry| entry.kind == EntryKind::Charge)
}

/// A number that is told, and whether the order has it already.
struct Told<'s> {
    number: &'s str,
    is_known: bool,
}

/// The payments whose owner is to be looked up. An order of an older version has some that nobody has written down as its own yet.
fn payments<'s>(order: &'s Order, snapshot: &'s Snapshot) -> Vec<Told<'s>> {
    let is_owned = order.channel_state.as_deref().is_some_and(|channel_state| channel_state.payments_are_owned);
    let told = charges(snapshot).map(|entry| Told { number: &entry.reference, is_known: order.money.knows(entry) });
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
        let number = named(kind, told.number);
        match tx.lock_ref(&order.channel, &number).await?.order {
            Some(other) if other != order.id && !told.is_known => elsewhere.push(told.number.to_owned()),
            Some(_) => {}
            None => tx.bind_ref(&order.channel, &number, &order.id, None).await?,
        }
    }
    Ok(elsewhere)
}

fn found_by(sealer: &Sealer, what: &str, channel: &ChannelId, number: &str) -> String {
    sealer.keyed_hash(what, &format!("{channel}\u{1f}{number}"))
}

/// By what the bookings are found that a reseller has given this name; it may give it to any number of them.
pub(crate) fn reference(sealer: &Sealer, channel: &ChannelId, name: &str) -> String {
    found_by(sealer, REFERENCE, channel, name)
}

/// Something of which each order has its own, as an answer names it.
#[derive(Clone, Copy)]
enum Own<'a> {
    /// A payment link.
    Link(&'a str),
    /// Its number in the agency's books.
    PartnerNumber(&'a str),
}

impl<'a> Own<'a> {
    fn of(told: &'a Command) -> Option<Self> {
        if let Command::RecordPaymentLink { id, .. } = told {
            return Some(Own::Link(id));
        }
        if let Command::RecordPartnerNumber { number } = told {
            return Some(Own::PartnerNumber(number.reveal()));
        }
        None
    }

    /// What it is, and by what it is found.
    fn what(self) -> &'static str {
        match self {
            Own::Link(_) => "payment link",
            Own::PartnerNumber(_) => "number in the agency's books",
        }
    }

    fn hash(self, sealer: &Sealer, channel: &ChannelId) -> String {
        let (Own::Link(number) | Own::PartnerNumber(number)) = self;
        found_by(sealer, self.what(), channel, number)
    }

    /// Whether an order has it: the payment link, whatever became of it; or the number in the agency's books, as long as it is the present
    /// one, since an agency may give it to another booking afterwards (TS-07).
    fn is_of(self, order: &Order) -> bool {
        let Some(state) = order.channel_state.as_deref() else { return false };
        match self {
            Own::Link(id) => state.links.iter().any(|link| link.id.as_deref() == Some(id)),
            Own::PartnerNumber(number) => state.partner_number().is_some_and(|present| present.reveal() == number),
        }
    }
}

impl Engine {
    /// What an answer about `order` names that another order of the channel has, in words: then it is about that one.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn named_elsewhere(
        &self,
        order: &Order,
        learned: &[Command],
    ) -> Result<Option<FreeText>, EngineError> {
        for own in learned.iter().filter_map(Own::of) {
            let hash = own.hash(self.store.sealer(), &order.channel);
            let mut others = self.store.orders_of_guest(&hash).await?;
            others.retain(|id| *id != order.id);
            let others = self.store.load_orders(&others).await?;
            if let Some(other) = others.iter().find(|other| own.is_of(other)) {
                return Ok(Some(FreeText::our_own(format!("its {} is that of order {}", own.what(), other.id))));
            }
        }
        Ok(None)
    }
}

/// Has an order found by what only it may have, and by the name that its reseller has given it now, where that is new.
pub(crate) async fn name(tx: &Tx, before: Option<&Order>, now: &Order) -> Result<(), StoreError> {
    fn named(order: &Order) -> Option<&String> {
        order.booking.as_ref()?.hold.as_ref()?.reference.as_ref()
    }
    fn number_of(order: &Order) -> Option<&ForeignNumber> {
        order.channel_state.as_deref()?.partner_number()
    }
    fn links(order: &Order) -> impl Iterator<Item = &String> {
        order.channel_state.iter().flat_map(|state| &state.links).filter_map(|link| link.id.as_ref())
    }
    let (sealer, channel, mut new) = (tx.sealer(), &now.channel, Vec::new());
    if let Some(name) = named(now).filter(|name| before.and_then(named) != Some(*name)) {
        new.push(reference(sealer, channel, name));
    }
    if let Some(number) = number_of(now).filter(|number| before.and_then(number_of) != Some(*number)) {
        new.push(Own::PartnerNumber(number.reveal()).hash(sealer, channel));
    }
    let is_known = |id: &String| before.is_some_and(|before| links(before).any(|known| known == id));
    new.extend(links(now).filter(|id| !is_known(id)).map(|id| Own::Link(id).hash(sealer, channel)));
    if new.is_empty() { Ok(()) } else { tx.note_guests(&now.id, &new).await }
}
