// SPDX-License-Identifier: Apache-2.0

//! What an event means for the order.

use std::collections::BTreeMap;

use ticketbridge_core::id::{ExternalId, ProductCode};
use ticketbridge_core::message::{Cancelled, ProductRef, ReturnNews, Sale, Snapshot};
use ticketbridge_core::order::channel_state::{Line, Payment, Stage, Standing, Sums};
use ticketbridge_core::order::money::{EntryKind, EntryStatus, LedgerEntry, PaymentMode};
use ticketbridge_core::order::{CancelReason, OrderKind};
use ticketbridge_core::personal::{Person, PersonName, Phone};
use ticketbridge_core::port::{Changes, DecodeError, Envelope, Inbound, Listing, Message, Query, Verified};
use ticketbridge_core::product::Currency;
use ticketbridge_core::quoted::{ForeignName, ForeignNote, ForeignNumber, FreeText};
use ticketbridge_core::rules::cancel_policy::{CancelPolicy, PolicyTier, exclusive, relative_deadline};
use ticketbridge_core::time::{Date, Millis, TimeZone, UnixMillis};

use super::endpoints::{AVAILABILITY, CHANNEL};
use super::legacy;
use super::wire::{CancelKind, Deadline, Policy, Reservation, Status};
use crate::about::Answer;
use crate::fat_events::calls::list;
use crate::fat_events::cancels::{Cancel, STATUSES, check_returned, over_returned};
use crate::fat_events::read::At;
use crate::fat_events::settings::Common;
use crate::fat_events::{self, Envelope as Wire, revision_at};

/// Reads a verified call.
pub(super) fn decode(settings: &Common, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
    if request.endpoint() == CHANNEL {
        return Ok(legacy::decode(request));
    }
    let body = fat_events::body(request)?;
    if request.endpoint() == AVAILABILITY {
        let body = At::in_zone(&body, settings.naive_zone);
        let nested = body.field("reservation");
        return availability(settings.zone(), if nested.is_there() { &nested } else { &body });
    }
    let wire = Wire::read(settings, request, &body)?;
    let creates = match wire.kind.as_str() {
        "reservation.requested" | "reservation.confirmed" => true,
        "reservation.rejected"
        | "reservation.canceled"
        | "reservation.used"
        | "reservation.no_show"
        | "payment.canceled"
        | "payment.refund_updated" => false,
        "product.status_changed" => return listing(&wire),
        "inquiry.opened" => return Ok(wire.note(true)),
        _ => return Ok(wire.note(false)),
    };
    let revision = wire.revision(settings)?;
    let reservation = Reservation::read(&wire.whole.field("reservation"))?;
    wire.whole.field("reservation").field("booked_at").past(wire.sent_at)?;
    let of_use = wire.kind == "reservation.used";
    let told = Told { revision, at: wire.at, change: Some(&wire.change), creates, of_use };
    let mut snapshot = snapshot(settings, reservation, &told)?;
    snapshot.settle_id = wire.whole.field("settle_id").maybe_text()?.map(ForeignNumber::new);
    let about = snapshot.sale.channel_order_id.clone();
    Ok(Inbound::Message(Envelope { key: wire.id, about, message: Message::Snapshot(Box::new(snapshot)) }))
}

/// Whether enough is left; every doubt about the question is answered with no.
fn availability(zone: TimeZone, body: &At<'_>) -> Result<Inbound, DecodeError> {
    let product = match body.field("product_id") {
        named if named.is_there() => named.id()?,
        _ => body.field("product").object()?.field("product_id").id()?,
    };
    let visit = body.field("use").maybe_object()?;
    let given = [body.field("date"), body.field("use_date"), visit.field("date")].into_iter().find(At::is_there);
    let from = [visit.field("from"), body.field("from"), body.field("starts_at")].into_iter().find(At::is_there);
    let date = match (given, from) {
        (Some(date), _) => date.maybe_date()?,
        (None, Some(from)) => from.maybe_instant()?.map(|at| zone.date_of(at)),
        (None, None) => None,
    };
    let units = match body.field("quantity") {
        quantity if quantity.is_there() => quantity.count(1_000)?,
        _ => body
            .field("lines")
            .list()?
            .iter()
            .try_fold(0, |sum, line| line.field("quantity").count(1_000).map(|quantity| sum + quantity))?,
    };
    Ok(Inbound::Query(Query::Left { product: ProductCode::new(product), date, units: units.max(1) }))
}

/// Whether a product is sold in a state.
#[derive(Clone, Copy)]
pub(super) enum Sold {
    Yes,
    No,
    /// A version in review changes nothing of the one that is live.
    AsBefore,
}

/// The states, in our words and in those of the partner centre.
pub(super) const LISTINGS: &[(&str, Sold)] = &[
    ("ON_SALE", Sold::Yes),
    ("DRAFT", Sold::No),
    ("SCHEDULED", Sold::No),
    ("SOLD_OUT", Sold::No),
    ("CLOSED_BY_SELLER", Sold::No),
    ("CLOSED", Sold::No),
    ("OFF_SALE", Sold::No),
    ("SANCTIONED", Sold::No),
    ("IN_REVIEW", Sold::AsBefore),
    ("REVIEW_REFUSED", Sold::AsBefore),
    ("예약가능", Sold::Yes),
    ("임시저장", Sold::No),
    ("판매예정", Sold::No),
    ("예약마감", Sold::No),
    ("예약불가", Sold::No),
    ("운영제재", Sold::No),
    ("심사중", Sold::AsBefore),
    ("심사반려", Sold::AsBefore),
];

/// A product's state. One in review keeps selling the version that is live.
fn listing(wire: &Wire<'_>) -> Result<Inbound, DecodeError> {
    let (to, from) = (wire.change.field("to"), wire.change.field("from"));
    let word = to.text()?;
    let places = [
        wire.change.field("product_id"),
        wire.whole.field("product_id"),
        wire.whole.field("product").field("product_id"),
        wire.change.field("product").field("product_id"),
    ];
    let [first, ..] = &places;
    let product = places.iter().find(|place| place.is_there()).unwrap_or(first).id()?;
    let is_open = match (to.word(LISTINGS)?, from.maybe_text()?) {
        (Sold::Yes, _) => Some(true),
        (Sold::No, _) => Some(false),
        (Sold::AsBefore, None) => None,
        (Sold::AsBefore, Some(_)) => match from.word(LISTINGS)? {
            Sold::Yes => Some(true),
            Sold::No => Some(false),
            Sold::AsBefore => None,
        },
    };
    let about = ExternalId::new(product.as_str());
    let listing = Listing { product: ProductCode::new(product), state: word, is_open, since: wire.at };
    Ok(Inbound::Message(Envelope { key: wire.id.clone(), about, message: Message::Listing(listing) }))
}

/// What stands around a reservation.
pub(super) struct Told<'t> {
    pub(super) revision: u64,
    pub(super) at: UnixMillis,
    /// What is particular to the event; `None` in an answer to a question.
    pub(super) change: Option<&'t At<'t>>,
    pub(super) creates: bool,
    /// Whether the event tells of the use, so that its time is when that was.
    pub(super) of_use: bool,
}

/// A whole reservation.
pub(super) fn snapshot(settings: &Common, it: Reservation, told: &Told<'_>) -> Result<Snapshot, DecodeError> {
    let zone = settings.zone();
    let visit_date = it.use_date.or(it.use_from.map(|at| zone.date_of(at)));
    let last = it.valid_until.or(it.use_to).map(|at| zone.date_of(at - Millis(1)));
    let mut doubts = Vec::new();
    let policy = policy(&it.policy, it.booked_at, visit_date, zone, &mut doubts);
    let cancels = cancels(&it, told)?;
    let entries = entries(&it, &cancels, told.at);
    doubts.extend(doubts_of(&it, told, &cancels, &entries, visit_date, zone)?);
    let booker = Person {
        name: it.booker_name.as_deref().and_then(PersonName::typed),
        phone: it.booker_phone.as_deref().and_then(Phone::typed),
        document: None,
    };
    let standing = Standing {
        revision: told.revision,
        at: told.at,
        stage: stage(&it),
        needs_decision: it.by_manager,
        confirm_needs: 0,
        read_only: false,
        lines: it.lines.iter().map(line).collect(),
        lines_elsewhere: Vec::new(),
        payments: payments(&it, &cancels),
        sums: Some(Sums { received: it.paid, returned: it.refunded }),
        policy: Some(policy),
        hand_over: false,
        extra: BTreeMap::new(),
        pays_by: None,
        notes: notes(&it, told)?,
    };
    let is_cancelled_in_part = it.status != Status::Canceled && it.lines.iter().any(|line| line.cancelled > 0);
    let kept_of_parts = is_cancelled_in_part.then_some(it.fee);
    Ok(Snapshot {
        cancelled: cancelled(&it, told)?,
        since: since(told)?,
        sale: Sale {
            channel_order_id: ExternalId::new(it.number),
            kind: OrderKind::Direct,
            product: ProductRef { voucher: None, booking: Some(ProductCode::new(it.product)) },
            quantity: it.lines.iter().map(|line| line.quantity).sum(),
            payment_mode: if it.booking_only { PaymentMode::BookingOnly } else { PaymentMode::Ledger },
            currency: Currency("KRW".to_owned()),
            gross: it.gross,
            due: it.net,
            paid: false,
            buyer: booker,
            placed_at: it.booked_at,
        },
        standing,
        visit_date,
        departure: None,
        visit_time: it.use_from.map(|at| zone.clock_of(at)),
        valid_until: last.or(visit_date),
        entries,
        kept_of_parts,
        settle_id: None,
        cancel_asked_at: None,
        return_news: return_news(told)?,
        link: None,
        partner_number: None,
        doubts,
        creates: told.creates,
        can_read_back: settings.can("read_back"),
        asked: told.change.is_none(),
    })
}

/// What in it contradicts itself, a sentence each.
fn doubts_of(
    it: &Reservation,
    told: &Told<'_>,
    cancels: &[Cancel],
    entries: &[LedgerEntry],
    visit_date: Option<Date>,
    zone: TimeZone,
) -> Result<Vec<String>, DecodeError> {
    let mut doubts = Vec::new();
    let returned: i64 = done(entries);
    if entries.iter().any(|e| e.kind == EntryKind::Refund) && returned != it.refunded {
        doubts.push(format!("the platform counts {} returned, its movements add up to {returned}", it.refunded));
    }
    doubts.extend(doubts_of_money(it, cancels));
    let used_on = zone.date_of(since(told)?);
    // Of the whole the order itself shows it; that a part was used before its day is told here alone.
    let is_in_part = told.of_use && it.status != Status::Used && it.lines.iter().any(|line| line.used > 0);
    if let Some(day) = visit_date.filter(|day| is_in_part && used_on < *day) {
        doubts.push(format!("used in part on {used_on}, before the day of the visit, {day}"));
    }
    Ok(doubts)
}

/// What in the payments, and in what is kept, does not fit.
fn doubts_of_money(it: &Reservation, cancels: &[Cancel]) -> Vec<String> {
    let is_ahead = matches!(it.status, Status::Requested | Status::Confirmed);
    let mut doubts = Vec::new();
    for payment in &it.payments {
        let of_it = || cancels.iter().filter(|cancel| cancel.payment.as_ref() == Some(&payment.id));
        doubts.extend(over_returned(&payment.id, payment.amount, of_it()));
        // Once something moves, platforms differ in when they take it off.
        let stands_still = is_ahead && it.refunded == 0 && of_it().next().is_none();
        if stands_still && payment.left != payment.amount {
            let (id, left, amount) = (&payment.id, payment.left, payment.amount);
            doubts.push(format!(
                "of the payment `{id}` of {amount} the platform says that {left} can go back, and names no return"
            ));
        }
    }
    if is_ahead && it.fee > 0 && it.lines.iter().all(|line| line.cancelled == 0) {
        doubts.push(format!("the platform keeps a fee of {} for a booking of which nothing was cancelled", it.fee));
    }
    doubts
}

/// What people may want to know besides: who did it, and whether against the rules (직권취소).
fn notes(it: &Reservation, told: &Told<'_>) -> Result<BTreeMap<String, ForeignNote>, DecodeError> {
    let mut notes = BTreeMap::from([
        ("product_name".to_owned(), it.product_name.clone()),
        ("confirm_mode".to_owned(), if it.by_manager { "manager" } else { "auto" }.to_owned()),
        ("discount".to_owned(), it.discount.to_string()),
    ]);
    if it.onsite > 0 {
        // Shown for information; it is no amount due to the platform.
        notes.insert("onsite".to_owned(), it.onsite.to_string());
    }
    if it.ex_officio {
        notes.insert("ex_officio".to_owned(), "true".to_owned());
    }
    if let Some(change) = told.change {
        for name in ["by", "reason_code", "reason_text"] {
            if let Some(text) = change.field(name).maybe_text()? {
                notes.insert(name.to_owned(), text);
            }
        }
    }
    Ok(notes.into_iter().map(|(name, value)| (name, ForeignNote::new(value))).collect())
}

fn stage(it: &Reservation) -> Stage {
    match (it.status, it.cancel_kind) {
        (Status::Requested, _) => Stage::Requested,
        (Status::Confirmed, _) => Stage::Confirmed,
        (Status::Used, _) => Stage::Used,
        (Status::NoShow, _) => Stage::NoShow,
        (Status::Canceled, Some(CancelKind::Rejected)) => Stage::Rejected,
        (Status::Canceled, _) => Stage::Cancelled,
    }
}

/// When the stage was reached: the event's own field for it, or the event's time.
fn since(told: &Told<'_>) -> Result<UnixMillis, DecodeError> {
    let Some(change) = told.change else { return Ok(told.at) };
    for name in ["used_at", "marked_at", "canceled_at", "confirmed_at"] {
        if let Some(at) = change.field(name).maybe_instant()? {
            return Ok(at);
        }
    }
    Ok(told.at)
}

fn line(line: &super::wire::Line) -> Line {
    Line {
        detail: line.detail.clone(),
        label: ForeignName::new(line.label.clone()),
        price: line.price.clone(),
        quantity: line.quantity,
        amount: line.amount,
        cancelled: line.cancelled,
        used: line.used,
    }
}

fn cancelled(it: &Reservation, told: &Told<'_>) -> Result<Option<Cancelled>, DecodeError> {
    let reason = match it.cancel_kind {
        None => return Ok(None),
        Some(CancelKind::Rejected) => CancelReason::Rejected,
        Some(CancelKind::ByBooker) => CancelReason::RefundedBeforeUse,
        Some(CancelKind::ByPartner) => CancelReason::ByOps,
        Some(CancelKind::ByPlatform) => CancelReason::ByChannel,
        Some(CancelKind::AutoUnused) => CancelReason::Expired,
    };
    let words = match told.change {
        Some(change) => change.field("reason_text").maybe_text()?.or(change.field("reason_code").maybe_text()?),
        None => None,
    };
    // A fee above what was paid keeps all of it, and nothing more.
    let fee = it.fee.min(it.paid);
    Ok(Some(Cancelled {
        reason,
        ex_officio: it.ex_officio,
        fee,
        returns: Some(it.paid - fee),
        words: words.map(FreeText::new),
    }))
}

fn done(entries: &[LedgerEntry]) -> i64 {
    let is_done = |e: &&LedgerEntry| e.kind == EntryKind::Refund && e.status == EntryStatus::Done;
    entries.iter().filter(is_done).map(|e| e.amount).sum()
}

/// Every cancel by its number, with its payment's. The event's own cancels and their news stand beside the snapshot.
fn cancels(it: &Reservation, told: &Told<'_>) -> Result<Vec<Cancel>, DecodeError> {
    let inside = it.payments.iter().flat_map(|payment| {
        payment.cancels.iter().map(|cancel| Cancel { payment: Some(payment.id.clone()), ..cancel.clone() })
    });
    let mut cancels: Vec<Cancel> = inside.collect();
    let Some(change) = told.change else { return Ok(cancels) };
    for cancel in change.field("cancels").list()? {
        let cancel = Cancel::read(&cancel)?;
        match cancels.iter_mut().find(|known| known.id == cancel.id) {
            Some(known) => known.status = cancel.status,
            None => cancels.push(cancel),
        }
    }
    for payment in &it.payments {
        let of_it: Vec<Cancel> =
            cancels.iter().filter(|cancel| cancel.payment.as_ref() == Some(&payment.id)).cloned().collect();
        check_returned(&change.field("cancels"), &of_it)?;
    }
    for news in return_news(told)? {
        cancels.iter_mut().filter(|known| known.id == news.reference).for_each(|known| known.status = news.status);
    }
    Ok(cancels)
}

/// How far one cancel has come, where the event says it; the snapshot need not repeat the cancel.
fn return_news(told: &Told<'_>) -> Result<Vec<ReturnNews>, DecodeError> {
    let Some(change) = told.change else { return Ok(Vec::new()) };
    let Some(reference) = change.field("cancel_id").maybe_id()? else { return Ok(Vec::new()) };
    Ok(vec![ReturnNews { reference, status: change.field("status").word(STATUSES)? }])
}

/// Every movement of money by its number.
fn entries(it: &Reservation, cancels: &[Cancel], at: UnixMillis) -> Vec<LedgerEntry> {
    let charges = it.payments.iter().map(|payment| LedgerEntry {
        reference: payment.id.clone(),
        kind: EntryKind::Charge,
        status: EntryStatus::Done,
        amount: payment.amount,
        at: payment.approved_at,
    });
    let returns = cancels.iter().map(|cancel| LedgerEntry {
        reference: cancel.id.clone(),
        kind: EntryKind::Refund,
        status: cancel.status,
        amount: cancel.amount,
        at: cancel.done_at.unwrap_or(at),
    });
    charges.chain(returns).collect()
}

/// What can still go back of each payment, and by which movements a part of it did.
fn payments(it: &Reservation, cancels: &[Cancel]) -> Vec<Payment> {
    let returns = |id: &str, is_meant: fn(&Cancel) -> bool| {
        let of_it = cancels.iter().filter(|cancel| cancel.payment.as_deref() == Some(id) && is_meant(cancel));
        of_it.map(|cancel| cancel.id.clone()).collect()
    };
    let one = |payment: &super::wire::Payment| Payment {
        id: payment.id.clone(),
        left: payment.left,
        at: payment.approved_at,
        returns: returns(&payment.id, |_| true),
        with_booking: returns(&payment.id, |cancel| cancel.with_booking),
        link: None,
    };
    it.payments.iter().map(one).collect()
}

/// The policy with its bounds as instants. The platform's own result wins; one that differs from ours is shown to a person.
fn policy(
    told: &Policy,
    booked_at: UnixMillis,
    visit: Option<Date>,
    zone: TimeZone,
    doubts: &mut Vec<String>,
) -> CancelPolicy {
    let ours = match (told.deadline, visit) {
        (Deadline::Fixed(until), _) => Some(exclusive(until, zone)),
        (Deadline::Relative { days_before, minute }, Some(date)) => {
            Some(exclusive(relative_deadline(date, days_before, minute, zone), zone))
        }
        (Deadline::Relative { .. }, None) | (Deadline::None, _) => None,
    };
    let resolved = told.resolved_until.map(|until| exclusive(until, zone));
    if let (Some(ours), Some(theirs)) = (ours, resolved)
        && ours != theirs
    {
        let (ours, theirs) = (ours.rfc3339(zone), theirs.rfc3339(zone));
        doubts.push(format!(
            "the platform ends free cancellation at {theirs}, its own rule says {ours}; the platform's holds"
        ));
    }
    CancelPolicy {
        cancelable: told.cancelable,
        until: resolved.or(ours),
        free_until: (told.free_minutes > 0).then(|| booked_at + Millis::minutes(i64::from(told.free_minutes))),
        tiers: told.tiers.iter().map(|tier| PolicyTier { until: exclusive(tier.until, zone), ..*tier }).collect(),
        unused: told.unused,
        partial_allowed: told.partial_allowed,
    }
}

/// A whole reservation in an answer of the platform's.
pub(super) fn snapshot_in(settings: &Common, answer: &Answer) -> Option<Snapshot> {
    let body = At::in_zone(answer.json(), settings.naive_zone);
    let inside = body.field("reservation");
    let reservation = if inside.is_there() { inside } else { body.renamed() };
    if !reservation.field("reservation_no").is_there() {
        return None;
    }
    let named = [body.field("revision"), reservation.field("revision")];
    // One that names none is how things stand now.
    let revision = named.iter().find_map(|at| revision_at(at).ok()?).unwrap_or(0);
    let at =
        [body.field("occurred_at"), reservation.field("updated_at")].iter().find_map(|at| at.maybe_instant().ok()?);
    let read = Reservation::read(&reservation).ok()?;
    let told = Told { revision, at: at.unwrap_or(read.booked_at), change: None, creates: true, of_use: false };
    snapshot(settings, read, &told).ok()
}

/// The reservations of a list.
pub(super) fn changes_in(settings: &Common, answer: &Answer) -> Option<Changes> {
    let (items, next) = list(answer.json(), &["reservations", "items", "data"])?;
    // Each names itself, and nothing was asked about any one of them.
    let each = items.iter().filter_map(|item| Answer::about::<()>(item.clone(), &[]).ok());
    let orders: Vec<Snapshot> = each.filter_map(|item| snapshot_in(settings, &item)).collect();
    Some(Changes { unread: items.len() - orders.len(), orders, next })
}
