// SPDX-License-Identifier: Apache-2.0

//! The books of a simulated TripStore-style marketplace, and of the travel agency behind it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use ticketbridge_core::port::{Call, HttpResponse};
use ticketbridge_core::{Date, UnixMillis};

use super::books::{Asked, Books, Cancel, CancelStatus, Payment, Purse, Said, Trade, error, written};
use crate::partners::{How, Way, response};

/// Price of a trip, won.
pub(crate) const TOTAL: i64 = 3_180_000;
/// Deposit, won.
const DEPOSIT: i64 = 300_000;
/// Stands for every traveller whose number the marketplace keeps.
const MASKED_PHONE: &str = "010-0000-0000";

/// Where a booking stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Received,
    Completed,
    CancelRequested,
    Canceled,
    Departed,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Received => "RECEIVED",
            Status::Completed => "COMPLETED",
            Status::CancelRequested => "CANCEL_REQUESTED",
            Status::Canceled => "CANCELED",
            Status::Departed => "DEPARTED",
        }
    }
}

/// How the marketplace is paid; `None` where the agency is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pays {
    Full,
    Link,
    Partial,
    Agency,
}

impl Pays {
    fn word(self) -> Option<&'static str> {
        match self {
            Pays::Full => Some("FULL"),
            Pays::Link => Some("LINK"),
            Pays::Partial => Some("PARTIAL"),
            Pays::Agency => None,
        }
    }
}

/// Where a payment link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    Sent,
    Paid,
    Expired,
    Revoked,
}

impl LinkState {
    fn word(self) -> &'static str {
        match self {
            LinkState::Sent => "SENT",
            LinkState::Paid => "PAID",
            LinkState::Expired => "EXPIRED",
            LinkState::Revoked => "REVOKED",
        }
    }
}

/// A payment link.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    id: String,
    purpose: &'static str,
    amount: i64,
    expires_at: UnixMillis,
    pub(crate) state: LinkState,
}

/// A booking of two adults and a child.
#[derive(Clone, Debug)]
pub(crate) struct Booking {
    number: String,
    pub(crate) agency_number: Option<String>,
    product: &'static str,
    pub(crate) status: Status,
    before: Status,
    pub(crate) pays: Pays,
    pub(crate) departure: Date,
    /// What was kept, won.
    pub(crate) fee: i64,
    /// What came after the end, through a link that was over, or beyond the price, won. It goes back without anybody's wish.
    pub(crate) unexpected: i64,
    /// When the agency last decided to return money. What was paid since, it could not know of.
    pub(crate) return_decided: Option<UnixMillis>,
    pub(crate) purse: Purse,
    pub(crate) links: Vec<Link>,
    booked_at: UnixMillis,
    updated_at: UnixMillis,
}

/// What happens at the marketplace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum There {
    PaysLink,
    /// Through the newest link, whatever became of it.
    PaysOldLink,
    Pays,
    LinkExpires,
    AsksToCancel,
    GoesAfterAll,
    /// The agency completes the booking on the marketplace's own screen.
    Completes,
    /// The agency finishes the cancellation on the marketplace's own screen.
    FinishesCancel,
    Departs,
    Renumbers,
    ReturnsPayment,
    RefundsEnd(CancelStatus),
}

impl Booking {
    pub(crate) fn new(number: &str, product: &'static str, pays: Pays, departure: Date, now: UnixMillis) -> Self {
        let paid = match pays {
            Pays::Full => Some(("FULL", TOTAL)),
            Pays::Partial => Some(("DEPOSIT", DEPOSIT)),
            Pays::Link | Pays::Agency => None,
        };
        let payment = |(by, amount)| Payment {
            id: format!("tp-{number}-0"),
            by,
            amount,
            at: now,
            link: None,
            cancels: Vec::new(),
        };
        Self {
            number: number.to_owned(),
            agency_number: None,
            product,
            status: Status::Received,
            before: Status::Received,
            pays,
            departure,
            fee: 0,
            unexpected: 0,
            return_decided: None,
            purse: Purse(paid.map(payment).into_iter().collect()),
            links: Vec::new(),
            booked_at: now,
            updated_at: now,
        }
    }
    /// What is still to be paid, won.
    pub(crate) fn open(&self) -> i64 {
        TOTAL - self.purse.held()
    }
    fn pay(&mut self, by: &'static str, amount: i64, link: Option<String>, now: UnixMillis) -> Value {
        let id = format!("tp-{}-{}", self.number, self.purse.0.len());
        self.unexpected +=
            match self.status == Status::Canceled || link.as_deref().is_some_and(|id| self.is_over(id, now)) {
                true => amount,
                false => amount.min((self.purse.left() + amount - TOTAL).max(0)),
            };
        self.purse.0.push(Payment { id, by, amount, at: now, link, cancels: Vec::new() });
        json!({ "payment": self.told()["payments"].as_array().and_then(|all| all.last()) })
    }
    /// Whether nobody should pay through this link any more.
    fn is_over(&self, id: &str, now: UnixMillis) -> bool {
        let link = self.links.iter().find(|link| link.id == id);
        link.is_none_or(|link| matches!(link.state, LinkState::Expired | LinkState::Revoked) || now >= link.expires_at)
    }
    fn live_link(&self, now: UnixMillis) -> Option<usize> {
        self.links.iter().position(|link| link.state == LinkState::Sent && now < link.expires_at)
    }
}

impl Trade for Booking {
    const WHOLE: &'static str = "booking";
    const LIST: &'static str = "bookings";

    fn told(&self) -> Value {
        let payment = |payment: &Payment| {
            json!({
                "payment_id": payment.id, "purpose": payment.by, "amount_krw": payment.amount, "method": "CARD",
                "approved_at": written(payment.at), "link_id": payment.link,
                "cancels": payment.cancels.iter().map(Cancel::told).collect::<Vec<_>>(),
            })
        };
        let deposit = matches!(self.pays, Pays::Link | Pays::Partial).then_some(DEPOSIT);
        json!({
            "booking_no": self.number, "agency_booking_no": self.agency_number, "agency_code": "AG-014",
            "product_code": self.product, "event_code": format!("{}-{}", self.product, self.departure),
            "status": self.status.word(),
            "payment_owner": if self.pays == Pays::Agency { "AGENCY" } else { "TRIP" }, "payment_kind": self.pays.word(),
            "departure_date": self.departure.to_string(), "return_date": self.departure.plus_days(4).to_string(),
            "travellers": { "adult": 2, "child": 1, "infant": 0 },
            "booker": { "name": "Ada Example", "phone": "010-9876-5432", "masked": false },
            "amounts": {
                "total_sale_krw": TOTAL, "discount_krw": 0, "paid_krw": self.purse.held(),
                "outstanding_krw": self.open().max(0), "deposit_krw": deposit,
            },
            "balance_due_date": self.departure.to_string(), "coupon": null,
            "payments": self.purse.0.iter().map(payment).collect::<Vec<_>>(),
            "booked_at": written(self.booked_at), "updated_at": written(self.updated_at),
        })
    }

    fn answer(_: &mut Books<Self>, _: &Asked, _: UnixMillis) -> Said {
        Said::No(404, "no_such_question")
    }

    fn carry_out(books: &mut Books<Self>, asked: &Asked, now: UnixMillis) -> Said {
        let it = books.orders[asked.part(1)].it.clone();
        if it.pays == Pays::Agency {
            return Said::Wrong("read_only_order", "a write about a booking that the agency keeps");
        }
        match (asked.part(2), asked.part(4)) {
            ("complete", "") => complete(books, asked, &it, now),
            ("payment-links", "") if asked.is_removal() => revoke_link(books, asked, &it, now),
            ("payment-links", "") => send_link(books, asked, &it, now),
            ("cancel", "") => cancel(books, asked, &it, now),
            ("payments", "cancel") => return_payment(books, asked, &it, now),
            _ => Said::Wrong("no_such_call", "a call that this marketplace does not have"),
        }
    }
}

impl Books<Booking> {
    fn changes(
        &mut self,
        number: &str,
        kind: &'static str,
        now: UnixMillis,
        change: impl FnOnce(&mut Booking) -> Value,
    ) {
        self.change(number, kind, now, |it| {
            it.updated_at = now;
            change(it)
        });
    }
}

fn complete(books: &mut Books<Booking>, asked: &Asked, it: &Booking, now: UnixMillis) -> Said {
    match it.status {
        Status::Received => {}
        Status::Completed => return Said::Done,
        Status::CancelRequested | Status::Canceled | Status::Departed => {
            return Said::Wrong("not_received", "completed what was not just received");
        }
    }
    let needed = match it.pays {
        Pays::Full => TOTAL,
        Pays::Partial => DEPOSIT,
        Pays::Link | Pays::Agency => 0,
    };
    if it.purse.held() < needed {
        return Said::Wrong("not_paid", "completed before it was paid as it must be");
    }
    let named = asked.body["agency_booking_no"].as_str().map(str::to_owned);
    if it.agency_number.is_some() && it.agency_number != named {
        return Said::Wrong("agency_number_old", "completed under a number that the agency has changed");
    }
    books.effect("complete", asked.part(1), 1);
    completed(books, asked.part(1), named, now);
    Said::Done
}

fn completed(books: &mut Books<Booking>, number: &str, named: Option<String>, now: UnixMillis) {
    books.changes(number, "booking.completed", now, |it| {
        it.status = Status::Completed;
        it.agency_number = named.or(it.agency_number.take());
        json!({ "completed_at": written(now), "by_account": "acc_3" })
    });
}

fn send_link(books: &mut Books<Booking>, asked: &Asked, it: &Booking, now: UnixMillis) -> Said {
    let purpose = ["FULL", "DEPOSIT", "BALANCE"].into_iter().find(|known| *known == asked.text("/purpose"));
    let fits = match (it.purse.held(), purpose) {
        (0, Some(purpose)) => matches!(purpose, "FULL" | "DEPOSIT"),
        (_, Some(purpose)) => purpose == "BALANCE",
        (_, None) => false,
    };
    if it.status != Status::Completed {
        return Said::Wrong("link_not_needed", "a link goes to a completed booking, for what is still open");
    }
    if it.open() <= 0 || !fits {
        // The guest may have paid while the call was under way: the marketplace refuses, and nobody is to blame.
        return Said::No(422, "link_not_needed");
    }
    let amount = asked.amount("/amount_krw").unwrap_or(0);
    if amount <= 0 || amount > it.open() {
        return Said::Wrong("amount_invalid", "the link asks for more than is open");
    }
    if it.live_link(now).is_some() {
        return Said::Wrong("link_live", "a second link while one is live");
    }
    let Some(expires_at) = UnixMillis::parse_rfc3339(asked.text("/expires_at")).filter(|at| *at > now) else {
        return Said::No(422, "expires_at_invalid");
    };
    let id = books.number(&format!("L-{}-", asked.part(1)));
    let link = Link { id: id.clone(), purpose: purpose.unwrap_or("FULL"), amount, expires_at, state: LinkState::Sent };
    books.effect("link", asked.part(1), 1);
    let told = json!({ "link_id": id, "status": "SENT" });
    books.changes(asked.part(1), "payment_link.updated", now, |it| {
        it.links.push(link);
        told
    });
    Said::With(
        201,
        json!({ "link_id": id, "url": format!("https://pay.example/{id}"), "expires_at": written(expires_at) }),
    )
}

fn revoke_link(books: &mut Books<Booking>, asked: &Asked, it: &Booking, now: UnixMillis) -> Said {
    let id = asked.part(3).to_owned();
    match it.links.iter().find(|link| link.id == id).map(|link| link.state) {
        None => return Said::No(404, "not_found"),
        Some(LinkState::Paid | LinkState::Expired) => return Said::No(410, "closed"),
        Some(LinkState::Revoked) => return Said::With(200, json!({})),
        Some(LinkState::Sent) => {}
    }
    link_is(books, asked.part(1), &id, LinkState::Revoked, now);
    Said::With(200, json!({}))
}

fn link_is(books: &mut Books<Booking>, number: &str, id: &str, state: LinkState, now: UnixMillis) {
    books.changes(number, "payment_link.updated", now, |it| {
        it.links.iter_mut().filter(|link| link.id == id).for_each(|link| link.state = state);
        json!({ "link_id": id, "status": state.word() })
    });
}

fn cancel(books: &mut Books<Booking>, asked: &Asked, it: &Booking, now: UnixMillis) -> Said {
    let (fee, back) = (asked.amount("/fee_krw").unwrap_or(-1), asked.amount("/refund_krw").unwrap_or(-1));
    match it.status {
        Status::CancelRequested => {}
        Status::Canceled => return Said::No(410, "closed"),
        Status::Received | Status::Completed | Status::Departed => {
            return Said::Wrong("not_requested", "cancelled what the traveller did not ask for");
        }
    }
    if fee < 0 || back < 0 || fee + back != it.purse.held() {
        return Said::Wrong("refund_invalid", "cancelled with a fee and a refund that are not what is held");
    }
    books.effect("cancel", asked.part(1), 1);
    canceled(books, asked.part(1), fee, false, now);
    Said::Done
}

fn canceled(books: &mut Books<Booking>, number: &str, fee: i64, waits: bool, now: UnixMillis) {
    books.changes(number, "booking.canceled", now, |it| {
        let back = it.purse.left() - fee;
        it.status = Status::Canceled;
        it.fee = fee;
        it.purse.give_back(back, false, waits, now, &format!("tx-{number}"));
        json!({ "canceled_at": written(now), "fee_krw": fee, "refund_krw": back })
    });
}

fn return_payment(books: &mut Books<Booking>, asked: &Asked, it: &Booking, now: UnixMillis) -> Said {
    let Some(index) = it.purse.0.iter().position(|payment| payment.id == asked.part(3)) else {
        return Said::No(404, "not_found");
    };
    let (amount, left) = (asked.amount("/cancel_krw").unwrap_or(0), it.purse.0[index].left());
    if asked.amount("/expect_cancelable_krw") != Some(left) {
        return Said::No(409, "cancelable_changed");
    }
    if amount <= 0 || amount > left {
        return Said::Wrong("amount_invalid", "more than what is left of the payment");
    }
    let mut newer = it.purse.0.iter().skip(index + 1).filter(|newer| newer.left() > 0);
    if let Some(next) = newer.next() {
        let is_known = it.return_decided.is_none_or(|decided| next.at < decided);
        return match is_known {
            true => Said::Wrong("newest_first", "a newer payment has not gone back yet"),
            false => Said::No(422, "newest_first"),
        };
    }
    books.effect("return", asked.part(1), amount);
    payment_goes_back(books, asked.part(1), index, amount, now);
    Said::Done
}

fn payment_goes_back(books: &mut Books<Booking>, number: &str, index: usize, amount: i64, now: UnixMillis) {
    books.changes(number, "payment.canceled", now, |it| {
        let payment = &mut it.purse.0[index];
        let id = format!("ta-{}-{}", payment.id, payment.cancels.len());
        let cancel = Cancel { id, amount, alone: true, status: CancelStatus::Done, at: now };
        let told = json!({ "payment_id": payment.id, "cancel": cancel.told() });
        payment.cancels.push(cancel);
        told
    });
}

impl Books<Booking> {
    /// A traveller books.
    pub(crate) fn book(&mut self, number: &str, it: Booking, now: UnixMillis) {
        self.open(number, it, "booking.received", &json!({}), now);
    }

    /// Something happens at the marketplace, if it can.
    pub(crate) fn happens(&mut self, number: &str, what: There, waits: bool, agency: &mut Agency, now: UnixMillis) {
        let Some(it) = self.orders.get(number).map(|kept| kept.it.clone()) else { return };
        let is_ours = it.pays != Pays::Agency;
        match what {
            There::PaysLink => {
                let Some(link) = it.live_link(now).map(|index| it.links[index].clone()) else { return };
                self.pays_link(number, &link, now);
            }
            There::PaysOldLink => {
                let Some(link) = it.links.last().cloned() else { return };
                if link.state != LinkState::Paid {
                    self.pays_link(number, &link, now);
                }
            }
            There::Pays if is_ours && it.pays != Pays::Full && it.open() > 0 => {
                let by = if it.purse.held() == 0 { "DEPOSIT" } else { "BALANCE" };
                let amount = if by == "DEPOSIT" { DEPOSIT } else { it.open() };
                self.changes(number, "payment.recorded", now, |it| it.pay(by, amount, None, now));
            }
            There::LinkExpires => {
                let Some(link) = it.links.iter().find(|link| link.state == LinkState::Sent) else { return };
                link_is(self, number, &link.id, LinkState::Expired, now);
            }
            There::AsksToCancel if matches!(it.status, Status::Received | Status::Completed) => {
                self.changes(number, "booking.cancel_requested", now, |it| {
                    (it.before, it.status) = (it.status, Status::CancelRequested);
                    json!({ "requested_at": written(now), "from_status": it.before.word(), "reason": "ill" })
                });
            }
            There::GoesAfterAll if it.status == Status::CancelRequested => {
                self.changes(number, "booking.cancel_withdrawn", now, |it| {
                    it.status = it.before;
                    json!({})
                });
            }
            There::Completes if it.status == Status::Received => completed(self, number, None, now),
            There::FinishesCancel if it.status == Status::CancelRequested => {
                canceled(self, number, if waits { 0 } else { it.purse.left() / 10 }, waits, now);
            }
            There::Departs if it.status == Status::Completed => {
                self.changes(number, "booking.departed", now, |it| {
                    it.status = Status::Departed;
                    json!({ "departed_on": it.departure.to_string() })
                });
            }
            There::Renumbers => {
                let Some((old, new)) = agency.renumber(number) else { return };
                self.changes(number, "booking.agency_no_changed", now, |it| {
                    it.agency_number = Some(new.clone());
                    json!({ "old_no": old, "new_no": new })
                });
            }
            There::ReturnsPayment if matches!(it.status, Status::Completed | Status::Departed) => {
                let Some(index) = it.purse.0.iter().rposition(|payment| payment.left() > 0) else { return };
                let amount = it.purse.0[index].left().min(10_000);
                payment_goes_back(self, number, index, amount, now);
            }
            There::RefundsEnd(status) if !it.purse.is_settled() => {
                let mut settled = it.purse.clone();
                if settled.settle(status, now).is_none() {
                    return;
                }
                self.changes(number, "payment.canceled", now, |it| {
                    it.purse = settled;
                    json!({})
                });
            }
            There::Pays
            | There::AsksToCancel
            | There::GoesAfterAll
            | There::Completes
            | There::FinishesCancel
            | There::Departs
            | There::ReturnsPayment
            | There::RefundsEnd(_) => {}
        }
    }

    fn pays_link(&mut self, number: &str, link: &Link, now: UnixMillis) {
        self.changes(number, "payment.recorded", now, |it| {
            let told = it.pay(link.purpose, link.amount, Some(link.id.clone()), now);
            it.links.iter_mut().filter(|known| known.id == link.id).for_each(|known| known.state = LinkState::Paid);
            told
        });
        link_is(self, number, &link.id, LinkState::Paid, now);
    }
}

/// A booking in the agency's books.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The agency's number; it changes.
    pub(crate) number: String,
    old: Vec<String>,
    /// What it was told last.
    pub(crate) body: Value,
}

/// The agency's books.
#[derive(Default)]
pub(crate) struct Agency {
    pub(crate) entries: BTreeMap<String, Entry>,
    numbers: u64,
    keys: BTreeMap<String, Value>,
    pub(crate) wrong: Vec<String>,
}

impl Agency {
    fn number(&mut self) -> String {
        self.numbers += 1;
        format!("YB{:04}", self.numbers)
    }

    /// The agency gives a booking another number: the old one and the new one.
    fn renumber(&mut self, external: &str) -> Option<(String, String)> {
        let new = self.number();
        let entry = self.entries.get_mut(external)?;
        let old = std::mem::replace(&mut entry.number, new.clone());
        entry.old.push(old.clone());
        Some((old, new))
    }

    /// Answers a call, which goes this way.
    pub(crate) fn call(&mut self, call: &Call, how: How, way: Way) -> HttpResponse {
        let asked = Asked::read(call, way);
        let (status, body) = self.decide(&asked, how);
        response(status, &body)
    }

    fn decide(&mut self, asked: &Asked, how: How) -> (u16, Value) {
        if asked.is_question() {
            let external = asked.query("external_no").unwrap_or_default();
            let found = self.entries.get(external);
            let item = |entry: &Entry| json!({ "external_no": external, "agency_booking_no": entry.number });
            return (200, json!({ "bookings": found.map(item).into_iter().collect::<Vec<_>>() }));
        }
        let external = asked.text("/external_no").to_owned();
        match self.keys.get(&asked.key) {
            Some(known) if *known != asked.body => {
                self.wrong.push(format!("one key for two hand-overs: {}", asked.key));
                return (422, error("key_reused"));
            }
            _ => drop(self.keys.insert(asked.key.clone(), asked.body.clone())),
        }
        if how == How::Refuses {
            return (422, error("sold_out"));
        }
        if asked.body["phone_masked"] == json!(true)
            && (asked.body["booker_phone"] != json!(MASKED_PHONE)
                || asked.body["collect_from_customer_krw"] != json!(0))
        {
            self.wrong.push(format!("the agency is told what the marketplace keeps: {}", asked.body));
        }
        let named = asked.part(1).to_owned();
        match (named.is_empty(), self.entries.get(&external).map(|entry| entry.number.clone())) {
            (true, Some(number)) => {
                let mut body = error("already_exists");
                body["agency_booking_no"] = json!(number);
                (409, body)
            }
            (true, None) => {
                if asked.key != format!("erp-{external}") {
                    self.wrong.push(format!("a new booking under another key than erp-{external}: {}", asked.key));
                }
                let number = self.number();
                let body = asked.body.clone();
                self.entries.insert(external, Entry { number: number.clone(), old: Vec::new(), body });
                (201, json!({ "agency_booking_no": number }))
            }
            (false, Some(number)) if number == named => {
                if let Some(entry) = self.entries.get_mut(&external) {
                    entry.body = asked.body.clone();
                }
                (200, json!({ "agency_booking_no": number }))
            }
            (false, _) => (404, error("not_found")),
        }
    }
}
