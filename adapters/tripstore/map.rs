// SPDX-License-Identifier: Apache-2.0

//! What an event means for the order.

use std::collections::{BTreeMap, BTreeSet};

use ticketbridge_core::id::{ExternalId, ProductCode};
use ticketbridge_core::message::{Cancelled, LinkNews, ProductRef, Sale, Snapshot};
use ticketbridge_core::order::channel_state::{LinkState, Payment, Stage, Standing, Sums};
use ticketbridge_core::order::money::{EntryKind, EntryStatus, LedgerEntry, PaymentMode};
use ticketbridge_core::order::{CancelReason, OrderKind};
use ticketbridge_core::personal::{Person, PersonName, Phone};
use ticketbridge_core::port::{Changes, DecodeError, Envelope, Inbound, Message, Verified};
use ticketbridge_core::product::Currency;
use ticketbridge_core::quoted::{ForeignNote, ForeignNumber, FreeText};
use ticketbridge_core::time::UnixMillis;

use super::wire::{Booking, PaymentKind, Status, payment};
use crate::about::Answer;
use crate::fat_events::calls::list;
use crate::fat_events::cancels::{Cancel, check_returned, over_returned};
use crate::fat_events::read::At;
use crate::fat_events::settings::Common;
use crate::fat_events::{self, Envelope as Wire, revision_at};

/// Names of what the adapter keeps with an order for its calls.
pub(super) const EVENT: &str = "event_code";
pub(super) const ADULTS: &str = "adults";
pub(super) const CHILDREN: &str = "children";
pub(super) const INFANTS: &str = "infants";
pub(super) const DEPARTURE: &str = "departure_date";
/// How it is paid.
pub(super) const KIND: &str = "payment_kind";

/// Reads a verified call.
pub(super) fn decode(settings: &Common, hands_over: bool, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
    let body = fat_events::body(request)?;
    let wire = Wire::read(settings, request, &body)?;
    let creates = match wire.kind.as_str() {
        "booking.received" | "booking.completed" => true,
        "booking.cancel_requested"
        | "booking.cancel_withdrawn"
        | "booking.canceled"
        | "booking.departed"
        | "payment.recorded"
        | "payment.canceled"
        | "payment_link.updated"
        | "booking.agency_no_changed" => false,
        _ => return Ok(wire.note(false)),
    };
    let revision = wire.revision(settings)?;
    let mut booking = Booking::read(&wire.whole.field("booking"))?;
    wire.whole.field("booking").field("booked_at").past(wire.sent_at)?;
    told_beside(&mut booking, &wire.change)?;
    let told = Told { revision, at: wire.at, change: Some(&wire.change), creates, hands_over };
    let mut snapshot = snapshot(settings, booking, &told)?;
    snapshot.settle_id = wire.whole.field("settle_id").maybe_text()?.map(ForeignNumber::new);
    let about = snapshot.sale.channel_order_id.clone();
    Ok(Inbound::Message(Envelope { key: wire.id, about, message: Message::Snapshot(Box::new(snapshot)) }))
}

/// What an event says beside the booking, where the booking does not hold it yet.
fn told_beside(booking: &mut Booking, change: &At<'_>) -> Result<(), DecodeError> {
    if change.field("payment").is_there() && !booking.by_agency {
        let payment = payment(&change.field("payment").object()?)?;
        if booking.payments.iter().all(|known| known.id != payment.id) {
            booking.payments.push(payment);
        }
    }
    if change.field("cancel").is_there() {
        let cancel = Cancel::read(&change.field("cancel").object()?)?;
        let mut all = booking.payments.iter_mut().flat_map(|payment| &mut payment.cancels);
        let known = all.find(|it| it.id == cancel.id).map(|known| known.status = cancel.status).is_some();
        let named = |payment: &&mut super::wire::Payment| cancel.payment.as_ref().is_none_or(|id| id == &payment.id);
        // Without a number, it is the newest payment's.
        if let Some(payment) = booking.payments.iter_mut().rev().find(named).filter(|_| !known) {
            payment.cancels.push(cancel);
            check_returned(&change.field("cancel"), &payment.cancels)?;
        }
    }
    if let Some(number) = change.field("new_no").maybe_id()? {
        booking.agency_number = Some(number);
    }
    Ok(())
}

/// What stands around a booking.
pub(super) struct Told<'t> {
    pub(super) revision: u64,
    pub(super) at: UnixMillis,
    /// What is particular to the event; `None` in an answer to a question.
    pub(super) change: Option<&'t At<'t>>,
    pub(super) creates: bool,
    pub(super) hands_over: bool,
}

/// A whole booking.
pub(super) fn snapshot(settings: &Common, it: Booking, told: &Told<'_>) -> Result<Snapshot, DecodeError> {
    let net = it.total - it.discount;
    let (entries, payments) = money(&it, told);
    let doubts = doubts(&it, &entries);
    // What it counts as paid is what it still holds.
    let returned = Sums::of(&entries).returned;
    let sums = Sums { received: it.paid.saturating_add(returned), returned };
    let stage = stage(&it, told)?;
    let (extra, notes) = (needed_again(&it), notes(&it));
    let booker = Person {
        name: it.booker_name.as_deref().and_then(PersonName::typed),
        phone: it.booker_phone.as_deref().and_then(Phone::typed),
        document: None,
    };
    let confirm_needs = match it.kind {
        Some(PaymentKind::Full) => net,
        Some(PaymentKind::Partial) => it.deposit.unwrap_or(0).min(net),
        // That is what waiting for payment is for.
        Some(PaymentKind::Link) | None => 0,
    };
    Ok(Snapshot {
        cancelled: cancelled(&it, told, net)?,
        link: link(told)?,
        since: since(told)?,
        cancel_asked_at: cancel_asked_at(&it, told)?,
        sale: Sale {
            channel_order_id: ExternalId::new(it.number),
            kind: OrderKind::Direct,
            product: ProductRef { voucher: None, booking: Some(ProductCode::new(it.product)) },
            quantity: it.travellers.iter().sum(),
            payment_mode: if it.by_agency { PaymentMode::External } else { PaymentMode::Ledger },
            currency: Currency("KRW".to_owned()),
            gross: it.total,
            due: net,
            paid: false,
            buyer: booker,
            placed_at: it.booked_at,
        },
        standing: Standing {
            revision: told.revision,
            at: told.at,
            stage,
            // It is always the agency that completes a booking.
            needs_decision: true,
            confirm_needs,
            read_only: it.by_agency,
            lines: Vec::new(),
            lines_elsewhere: Vec::new(),
            payments,
            sums: Some(sums),
            policy: None,
            hand_over: told.hands_over,
            extra,
            pays_by: it.kind.map(|kind| kind.word().to_owned()),
            notes,
        },
        visit_date: Some(it.departure),
        visit_time: None,
        departure: Some(it.event.clone()),
        valid_until: it.back.or(Some(it.departure)),
        entries,
        kept_of_parts: None,
        settle_id: None,
        return_news: Vec::new(),
        partner_number: it.agency_number.map(ForeignNumber::new),
        doubts,
        creates: told.creates,
        can_read_back: settings.can("read_back"),
        asked: told.change.is_none(),
    })
}

/// What calls of ours, and the agency's books, need again.
fn needed_again(it: &Booking) -> BTreeMap<String, ForeignNumber> {
    let [adults, children, infants] = it.travellers;
    let needed = BTreeMap::from([
        (EVENT.to_owned(), it.event.clone()),
        (ADULTS.to_owned(), adults.to_string()),
        (CHILDREN.to_owned(), children.to_string()),
        (INFANTS.to_owned(), infants.to_string()),
        (DEPARTURE.to_owned(), it.departure.to_string()),
        ("agency_code".to_owned(), it.agency.clone()),
        (KIND.to_owned(), it.kind.map_or("AGENCY", PaymentKind::word).to_owned()),
    ]);
    needed.into_iter().map(|(name, value)| (name, ForeignNumber::new(value))).collect()
}

/// What the marketplace says of the money, for people: what it reports stands beside what follows from its amounts (edge 35).
fn notes(it: &Booking) -> BTreeMap<String, ForeignNote> {
    let mut notes = BTreeMap::from([
        ("reported_paid".to_owned(), it.paid.to_string()),
        ("reported_outstanding".to_owned(), it.outstanding.to_string()),
        ("discount".to_owned(), it.discount.to_string()),
    ]);
    let more = [
        ("deposit", it.deposit.map(|amount| amount.to_string())),
        ("balance_due", it.balance_due.map(|date| date.to_string())),
        ("coupon", it.coupon.clone()),
    ];
    notes.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    notes.into_iter().map(|(name, value)| (name, ForeignNote::new(value))).collect()
}

fn stage(it: &Booking, told: &Told<'_>) -> Result<Stage, DecodeError> {
    Ok(match it.status {
        Status::Received => Stage::Requested,
        Status::Completed => Stage::Confirmed,
        Status::CancelRequested => {
            let from = match told.change {
                Some(change) => change.field("from_status").maybe_text()?,
                None => None,
            };
            Stage::CancelRequested { confirmed: from.as_deref() == Some("COMPLETED") }
        }
        Status::Canceled => Stage::Cancelled,
        Status::Departed => Stage::Used,
    })
}

fn since(told: &Told<'_>) -> Result<UnixMillis, DecodeError> {
    let Some(change) = told.change else { return Ok(told.at) };
    for name in ["completed_at", "requested_at", "canceled_at"] {
        if let Some(at) = change.field(name).maybe_instant()? {
            return Ok(at);
        }
    }
    Ok(told.at)
}

/// When the guest asked for a cancellation; only the event of the request itself says so.
fn cancel_asked_at(it: &Booking, told: &Told<'_>) -> Result<Option<UnixMillis>, DecodeError> {
    match told.change.filter(|_| it.status == Status::CancelRequested) {
        Some(change) => change.field("requested_at").maybe_instant(),
        None => Ok(None),
    }
}

/// What was kept of a cancelled booking: the event says so, or else what was not returned.
fn cancelled(it: &Booking, told: &Told<'_>, net: i64) -> Result<Option<Cancelled>, DecodeError> {
    let words = match told.change {
        Some(change) => change.field("reason").maybe_text()?.map(FreeText::new),
        None => None,
    };
    if it.status == Status::CancelRequested {
        let off =
            Cancelled { reason: CancelReason::RefundedBeforeUse, ex_officio: false, fee: 0, returns: None, words };
        return Ok(Some(off));
    }
    if it.status != Status::Canceled {
        return Ok(None);
    }
    let received: i64 = it.payments.iter().map(|payment| payment.amount).sum();
    let named = match told.change {
        Some(change) => (change.field("fee_krw").maybe_amount()?, change.field("refund_krw").maybe_amount()?),
        None => (None, None),
    };
    let is_named = named.0.is_some() || named.1.is_some();
    // A return that did not work keeps nothing for the seller.
    let kept = (it.paid - open_failures(it)).max(0);
    let fee = named.0.unwrap_or(kept).min(received).min(net.max(0));
    let returns = is_named.then(|| named.1.unwrap_or(received - fee).min(received));
    Ok(Some(Cancelled { reason: CancelReason::RefundedBeforeUse, ex_officio: false, fee, returns, words }))
}

/// What of the returns did not work, and was not made again: by another one of the same amount of the same payment. One that was made again
/// and failed again is the same money.
fn open_failures(it: &Booking) -> i64 {
    let of = |payment: &super::wire::Payment| {
        let (failed, others): (Vec<&Cancel>, Vec<&Cancel>) =
            payment.cancels.iter().partition(|cancel| cancel.status == EntryStatus::Failed);
        let amounts = |cancels: Vec<&Cancel>| cancels.iter().map(|cancel| cancel.amount).collect::<BTreeSet<i64>>();
        amounts(failed).difference(&amounts(others)).fold(0_i64, |sum, amount| sum.saturating_add(*amount))
    };
    it.payments.iter().map(of).fold(0, i64::saturating_add)
}

/// Movements of money by their numbers, and what can still go back of each payment.
fn money(it: &Booking, told: &Told<'_>) -> (Vec<LedgerEntry>, Vec<Payment>) {
    let mut entries = Vec::new();
    let mut payments = Vec::new();
    for payment in &it.payments {
        entries.push(LedgerEntry {
            reference: payment.id.clone(),
            kind: EntryKind::Charge,
            status: EntryStatus::Done,
            amount: payment.amount,
            at: payment.approved_at,
        });
        let mut left = payment.amount;
        for cancel in &payment.cancels {
            let status = cancel.status;
            if status != EntryStatus::Failed {
                left -= cancel.amount;
            }
            let at = cancel.done_at.unwrap_or(told.at);
            entries.push(LedgerEntry {
                reference: cancel.id.clone(),
                kind: EntryKind::Refund,
                status,
                amount: cancel.amount,
                at,
            });
        }
        payments.push(Payment {
            id: payment.id.clone(),
            left: left.max(0),
            at: payment.approved_at,
            returns: payment.cancels.iter().map(|cancel| cancel.id.clone()).collect(),
            with_booking: payment.cancels.iter().filter(|it| it.with_booking).map(|it| it.id.clone()).collect(),
            link: payment.link.clone(),
        });
    }
    // Newest first, also of two that were approved in the same second: the balance goes back before the deposit.
    payments.reverse();
    (entries, payments)
}

/// What the marketplace says of itself that does not fit: kept, and shown (8.3; edge 35).
fn doubts(it: &Booking, entries: &[LedgerEntry]) -> Vec<String> {
    let mut doubts = Vec::new();
    let sum = |kind: EntryKind| -> i64 {
        entries.iter().filter(|e| e.kind == kind && e.status == EntryStatus::Done).map(|e| e.amount).sum()
    };
    let paid = sum(EntryKind::Charge) - sum(EntryKind::Refund);
    if !it.by_agency && paid != it.paid {
        doubts.push(format!("amount_mismatch: the marketplace counts {} paid, its payments add up to {paid}", it.paid));
    }
    let open = (it.total - it.discount - it.paid).max(0);
    let is_live = matches!(it.status, Status::Received | Status::Completed | Status::Departed);
    if !it.by_agency && is_live && it.outstanding != open {
        doubts.push(format!(
            "amount_mismatch: the marketplace says {} is outstanding, its amounts say {open}",
            it.outstanding
        ));
    }
    for payment in &it.payments {
        doubts.extend(over_returned(&payment.id, payment.amount, &payment.cancels));
    }
    doubts
}

/// How a payment link stands.
pub(super) const LINK_STATES: &[(&str, LinkState)] = &[
    ("SENT", LinkState::Live),
    ("OPENED", LinkState::Live),
    ("PAID", LinkState::Paid),
    ("EXPIRED", LinkState::Expired),
    ("REVOKED", LinkState::Revoked),
];

fn link(told: &Told<'_>) -> Result<Option<LinkNews>, DecodeError> {
    let Some(change) = told.change.filter(|change| change.field("link_id").is_there()) else { return Ok(None) };
    Ok(Some(LinkNews { id: change.field("link_id").id()?, state: change.field("status").word(LINK_STATES)? }))
}

/// A whole booking in an answer of the marketplace's.
pub(super) fn snapshot_in(settings: &Common, hands_over: bool, answer: &Answer) -> Option<Snapshot> {
    let body = At::in_zone(answer.json(), settings.naive_zone);
    let inside = body.field("booking");
    let booking = if inside.is_there() { inside } else { body.renamed() };
    if !booking.field("booking_no").is_there() {
        return None;
    }
    let named = [body.field("revision"), booking.field("revision")];
    // One that names none is how things stand now.
    let revision = named.iter().find_map(|at| revision_at(at).ok()?).unwrap_or(0);
    let at = booking.field("updated_at").maybe_instant().ok()?;
    let read = Booking::read(&booking).ok()?;
    let told = Told { revision, at: at.unwrap_or(read.booked_at), change: None, creates: true, hands_over };
    snapshot(settings, read, &told).ok()
}

/// The bookings of a list.
pub(super) fn changes_in(settings: &Common, hands_over: bool, answer: &Answer) -> Option<Changes> {
    let (items, next) = list(answer.json(), &["bookings", "items", "data"])?;
    // Each names itself, and nothing was asked about any one of them.
    let each = items.iter().filter_map(|item| Answer::about::<()>(item.clone(), &[]).ok());
    let orders: Vec<Snapshot> = each.filter_map(|item| snapshot_in(settings, hands_over, &item)).collect();
    Some(Changes { unread: items.len() - orders.len(), orders, next })
}
