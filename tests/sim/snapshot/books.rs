// SPDX-License-Identifier: Apache-2.0

//! What simulated platforms have in common that tell whole orders (`docs/` on Kakao-style and TripStore-style channels): books with a
//! count of changes, events that carry the whole, calls that are carried out once for their key, payments and what of them went back.
//!
//! A call that a bridge with its knowledge should not have made is noted ([`Books::wrong`]). What the bridge could not know yet, because
//! no event of it had arrived, is not held against it.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use ticketbridge_core::port::{Call, HttpResponse};
use ticketbridge_core::{TimeZone, UnixMillis};

use crate::partners::{How, Way, response};

/// An event on its way to the bridge. Its body is the same on every attempt.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) number: String,
    pub(crate) revision: u64,
    pub(crate) body: Value,
}

/// An order in the platform's books.
#[derive(Clone, Debug)]
pub(crate) struct Kept<T> {
    /// Count of its changes, from 1.
    pub(crate) revision: u64,
    /// The highest count that the bridge has said yes to.
    pub(crate) heard: u64,
    changed_at: UnixMillis,
    pub(crate) it: T,
}

/// Something that the bridge had done: which call changed what, and by how much.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    pub(crate) call: &'static str,
    pub(crate) number: String,
    /// Won, or units.
    pub(crate) amount: i64,
}

/// A call of the bridge's.
pub(crate) struct Asked {
    method: Method,
    path: Vec<String>,
    query: String,
    pub(crate) key: String,
    pub(crate) body: Value,
    way: Way,
}

impl Asked {
    pub(crate) fn read(call: &Call, way: Way) -> Self {
        let after_host = call.url.splitn(4, '/').nth(3).unwrap_or_default();
        let (path, query) = after_host.split_once('?').unwrap_or((after_host, ""));
        let key = call.headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self {
            method: call.method.clone(),
            // The first part is the version.
            path: path.split('/').skip(1).map(str::to_owned).collect(),
            query: query.to_owned(),
            key: key.to_owned(),
            body: serde_json::from_slice(&call.body).unwrap_or(Value::Null),
            way,
        }
    }
    /// Method and address below the version: `POST reservations/R1/confirm`.
    fn act(&self) -> String {
        format!("{} {}?{}", self.method, self.path.join("/"), self.query)
    }
    pub(crate) fn is_question(&self) -> bool {
        self.method == Method::GET
    }
    pub(crate) fn is_removal(&self) -> bool {
        self.method == Method::DELETE
    }
    /// A part of the address; empty when there is none.
    pub(crate) fn part(&self, index: usize) -> &str {
        self.path.get(index).map(String::as_str).unwrap_or_default()
    }
    /// A value of the query, as it is written there.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
    pub(crate) fn amount(&self, pointer: &str) -> Option<i64> {
        self.body.pointer(pointer).and_then(Value::as_i64)
    }
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What is said to a call.
pub(crate) enum Said {
    /// Carried out.
    Done,
    /// This, with a status.
    With(u16, Value),
    /// No, for good.
    No(u16, &'static str),
    /// No, and the bridge should have known better.
    Wrong(&'static str, &'static str),
}

/// What a platform sells.
pub(crate) trait Trade: Clone {
    /// The name of the whole in messages.
    const WHOLE: &'static str;
    /// The name of a list of it.
    const LIST: &'static str;
    fn told(&self) -> Value;
    /// Answers a question about one order, apart from the order itself.
    fn answer(books: &mut Books<Self>, asked: &Asked, now: UnixMillis) -> Said;
    /// Carries a call out, or does not.
    fn carry_out(books: &mut Books<Self>, asked: &Asked, now: UnixMillis) -> Said;
}

/// The books.
pub(crate) struct Books<T> {
    pub(crate) orders: BTreeMap<String, Kept<T>>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) wrong: Vec<String>,
    /// Events that are not on the way yet.
    events: Vec<Event>,
    /// What was said under a key: the act with its body, status and answer.
    keys: BTreeMap<String, (String, u16, Value)>,
    numbers: u64,
    /// Whether the platform counts its changes for others.
    pub(crate) is_counted: bool,
}

impl<T> Default for Books<T> {
    fn default() -> Self {
        Self {
            orders: BTreeMap::new(),
            effects: Vec::new(),
            wrong: Vec::new(),
            events: Vec::new(),
            keys: BTreeMap::new(),
            numbers: 0,
            is_counted: true,
        }
    }
}

impl<T: Trade> Books<T> {
    /// A number that begins with `prefix`.
    pub(crate) fn number(&mut self, prefix: &str) -> String {
        self.numbers += 1;
        format!("{prefix}{}", self.numbers)
    }

    /// Events that happened since the last time.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.events.is_empty()
    }

    /// A new order, and its first event.
    pub(crate) fn open(&mut self, number: &str, it: T, kind: &'static str, change: &Value, now: UnixMillis) {
        self.orders.insert(number.to_owned(), Kept { revision: 0, heard: 0, changed_at: now, it });
        self.change(number, kind, now, |_| change.clone());
    }

    /// Changes an order, and tells of it.
    pub(crate) fn change(
        &mut self,
        number: &str,
        kind: &'static str,
        now: UnixMillis,
        change: impl FnOnce(&mut T) -> Value,
    ) {
        let Some(kept) = self.orders.get_mut(number) else { return };
        let change = change(&mut kept.it);
        kept.revision += 1;
        kept.changed_at = now;
        let revision = kept.revision;
        let mut body = json!({
            "event_id": format!("evt-{number}-{revision}"), "event_type": kind, "schema_version": "1",
            "occurred_at": written(now), "partner_id": "p_77", "place_id": "pl_5", "agency_code": "AG-014",
            T::WHOLE: kept.it.told(), "change": change,
        });
        if self.is_counted {
            body["revision"] = json!(revision);
        }
        self.events.push(Event { number: number.to_owned(), revision, body });
    }

    /// Notes what the bridge had done.
    pub(crate) fn effect(&mut self, call: &'static str, number: &str, amount: i64) {
        self.effects.push(Effect { call, number: number.to_owned(), amount });
    }

    /// What the bridge has had done by a call about an order, altogether.
    pub(crate) fn done(&self, call: &str, number: &str) -> i64 {
        self.effects.iter().filter(|e| e.call == call && e.number == number).map(|e| e.amount).sum()
    }

    /// The bridge has said yes to an event.
    pub(crate) fn heard(&mut self, number: &str, revision: u64) {
        if let Some(kept) = self.orders.get_mut(number) {
            kept.heard = kept.heard.max(revision);
        }
    }

    fn whole(&self, kept: &Kept<T>) -> Value {
        let mut told = json!({ T::WHOLE: kept.it.told() });
        if self.is_counted {
            told["revision"] = json!(kept.revision);
        }
        told
    }

    /// Answers a call, which goes this way.
    pub(crate) fn call(&mut self, call: &Call, how: How, way: Way, now: UnixMillis) -> HttpResponse {
        let asked = Asked::read(call, way);
        let (status, body) =
            if asked.is_question() { self.question(&asked, now) } else { self.write(&asked, how, now) };
        response(status, &body)
    }

    fn question(&mut self, asked: &Asked, now: UnixMillis) -> (u16, Value) {
        if asked.part(1).is_empty() {
            return (200, self.list(asked));
        }
        let Some(kept) = self.orders.get_mut(asked.part(1)) else { return (404, error("not_found")) };
        if asked.part(2).is_empty() {
            let kept = kept.clone();
            return (200, self.whole(&kept));
        }
        match T::answer(self, asked, now) {
            Said::With(status, body) => (status, body),
            Said::Done => (200, json!({})),
            Said::No(status, code) => (status, error(code)),
            Said::Wrong(code, why) => self.refuse(asked, code, why),
        }
    }

    /// What has changed between two times, one page with five orders at a time.
    fn list(&self, asked: &Asked) -> Value {
        const PAGE: usize = 5;
        let time = |names: [&str; 2]| {
            let text = names.iter().find_map(|name| asked.query(name))?;
            UnixMillis::parse_rfc3339(&text.replace("%3A", ":").replace("%2B", "+"))
        };
        let from = time(["changed_from", "updated_from"]).unwrap_or(UnixMillis(0));
        let to = time(["changed_to", "updated_to"]).unwrap_or(UnixMillis(i64::MAX));
        let skip = asked.query("cursor").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
        let found: Vec<&Kept<T>> =
            self.orders.values().filter(|kept| (from..=to).contains(&kept.changed_at)).skip(skip).collect();
        let next = (found.len() > PAGE).then(|| (skip + PAGE).to_string());
        let items: Vec<Value> = found.iter().take(PAGE).map(|kept| self.whole(kept)).collect();
        json!({ T::LIST: items, "next_cursor": next })
    }

    fn write(&mut self, asked: &Asked, how: How, now: UnixMillis) -> (u16, Value) {
        let act = format!("{} {}", asked.act(), asked.body);
        if asked.key.is_empty() {
            self.wrong.push(format!("a write without a key: {act}"));
            return (400, error("key_missing"));
        }
        if let Some((known, status, answer)) = self.keys.get(&asked.key) {
            if *known == act {
                return (*status, answer.clone());
            }
            let sentence = format!("one key for two acts: {} stood for `{known}`, now for `{act}`", asked.key);
            self.wrong.push(sentence);
            return (422, error("key_reused"));
        }
        if how == How::Refuses {
            return (422, error("refused"));
        }
        let (status, answer) = self.decide(asked, how, now);
        self.keys.insert(asked.key.clone(), (act, status, answer.clone()));
        (status, answer)
    }

    fn decide(&mut self, asked: &Asked, how: How, now: UnixMillis) -> (u16, Value) {
        let Some(kept) = self.orders.get(asked.part(1)) else { return (404, error("not_found")) };
        let expected = asked.amount("/expected_revision").and_then(|revision| u64::try_from(revision).ok());
        if expected.is_some_and(|revision| revision != kept.revision) {
            let kept = kept.clone();
            let mut body = self.whole(&kept);
            body["error"] = error("revision_conflict")["error"].clone();
            return (409, body);
        }
        match T::carry_out(self, asked, now) {
            Said::Done => match how {
                How::Pending => (202, json!({})),
                How::TokenRejected => (200, json!({})),
                _ => {
                    let kept = self.orders[asked.part(1)].clone();
                    (200, self.whole(&kept))
                }
            },
            Said::With(status, body) => (status, body),
            Said::No(status, code) => (status, error(code)),
            Said::Wrong(code, why) => self.refuse(asked, code, why),
        }
    }

    /// No; held against the bridge where it knew everything that had happened when it made the call.
    fn refuse(&mut self, asked: &Asked, code: &str, why: &str) -> (u16, Value) {
        let number = asked.part(1);
        let knew = self.orders.get(number).is_some_and(|kept| {
            let named = asked.amount("/expected_revision").and_then(|revision| u64::try_from(revision).ok());
            named == Some(kept.revision) || (asked.way == Way::Direct && kept.heard >= kept.revision)
        });
        if knew {
            self.wrong.push(format!("{why}: {} {}", asked.act(), asked.body));
        }
        (422, error(code))
    }
}

/// A refusal's body.
pub(crate) fn error(code: &str) -> Value {
    json!({ "error": { "code": code, "message": code.replace('_', " "), "retryable": false } })
}

/// An instant as people in Seoul write it.
pub(crate) fn written(at: UnixMillis) -> String {
    at.rfc3339(TimeZone::SEOUL)
}

/// Where a return of money stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelStatus {
    Pending,
    Done,
    Failed,
    Credited,
}

impl CancelStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            CancelStatus::Pending => "PENDING",
            CancelStatus::Done => "DONE",
            CancelStatus::Failed => "FAILED",
            CancelStatus::Credited => "CREDITED",
        }
    }
    fn is_back(self) -> bool {
        matches!(self, CancelStatus::Done | CancelStatus::Credited)
    }
}

/// Money that goes back.
#[derive(Clone, Debug)]
pub(crate) struct Cancel {
    pub(crate) id: String,
    pub(crate) amount: i64,
    /// The order stays as it is.
    pub(crate) alone: bool,
    pub(crate) status: CancelStatus,
    pub(crate) at: UnixMillis,
}

impl Cancel {
    pub(crate) fn told(&self) -> Value {
        json!({
            "cancel_id": self.id, "amount_krw": self.amount, "kind": if self.alone { "PAYMENT_ONLY" } else { "WITH_BOOKING" },
            "status": self.status.word(), "done_at": self.status.is_back().then(|| written(self.at)),
        })
    }
}

/// A payment.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) id: String,
    /// By what it was made, or for what.
    pub(crate) by: &'static str,
    pub(crate) amount: i64,
    pub(crate) at: UnixMillis,
    pub(crate) link: Option<String>,
    pub(crate) cancels: Vec<Cancel>,
}

impl Payment {
    /// What can still go back.
    pub(crate) fn left(&self) -> i64 {
        let gone = self.cancels.iter().filter(|cancel| cancel.status != CancelStatus::Failed);
        self.amount - gone.map(|cancel| cancel.amount).sum::<i64>()
    }
    fn returned(&self) -> i64 {
        self.cancels.iter().filter(|cancel| cancel.status.is_back()).map(|cancel| cancel.amount).sum()
    }
}

/// The payments of an order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Purse(pub(crate) Vec<Payment>);

impl Purse {
    pub(crate) fn paid(&self) -> i64 {
        self.0.iter().map(|payment| payment.amount).sum()
    }
    /// What has gone back.
    pub(crate) fn returned(&self) -> i64 {
        self.0.iter().map(Payment::returned).sum()
    }
    /// What was paid and has not gone back.
    pub(crate) fn held(&self) -> i64 {
        self.paid() - self.returned()
    }
    /// What neither went back nor is on its way.
    pub(crate) fn left(&self) -> i64 {
        self.0.iter().map(Payment::left).sum()
    }
    pub(crate) fn is_settled(&self) -> bool {
        self.0.iter().flat_map(|payment| &payment.cancels).all(|cancel| cancel.status.is_back())
    }
    /// So much goes back, newest payment first.
    pub(crate) fn give_back(&mut self, amount: i64, alone: bool, waits: bool, now: UnixMillis, prefix: &str) {
        let mut open = amount;
        for (index, payment) in self.0.iter_mut().enumerate().rev() {
            let part = open.min(payment.left());
            if part > 0 {
                open -= part;
                let id = format!("{prefix}-{index}-{}", payment.cancels.len());
                let status = if waits { CancelStatus::Pending } else { CancelStatus::Done };
                payment.cancels.push(Cancel { id, amount: part, alone, status, at: now });
            }
        }
    }
    /// The first return of money that is not finished: what becomes of it.
    pub(crate) fn settle(&mut self, status: CancelStatus, now: UnixMillis) -> Option<Value> {
        let is_open = |cancel: &&mut Cancel| matches!(cancel.status, CancelStatus::Pending | CancelStatus::Failed);
        let open = self.0.iter_mut().find_map(|payment| {
            let left = payment.left();
            let cancel = payment.cancels.iter_mut().find(is_open)?;
            // What failed is left again, and may have gone back otherwise meanwhile.
            (cancel.status == CancelStatus::Pending || left >= cancel.amount).then_some(cancel)
        })?;
        (open.status, open.at) = (status, now);
        Some(json!({ "cancel_id": open.id, "status": status.word() }))
    }
}
