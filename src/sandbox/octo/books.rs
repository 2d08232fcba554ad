// SPDX-License-Identifier: Apache-2.0

//! The books of the supplier: what is held, sold, used and cancelled, and how each call changes that.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::answer::{Said, refuse};
use super::products::{OPTION, PASS, SlotOf, UNIT};
use super::status::Status;
use super::subscription::{Generation, Push, Subscription};
use super::switches::{RepeatedReserve, Switches};

/// A booking.
#[derive(Clone, Debug)]
pub struct Booked {
    /// How it stands.
    pub status: Status,
    /// The reseller's number for it.
    pub reference: String,
    /// How often it was confirmed, and really so.
    pub confirmed: u32,
    /// How often its hold was lengthened.
    pub extended: u32,
    /// The product.
    pub product: &'static str,
    /// What was asked for.
    pub request: Value,
    pub(super) units: Vec<Value>,
    pub(super) slot: Option<SlotOf>,
    pub(super) contact: Value,
    pub(super) expires_at: i64,
    pub(super) has_codes: bool,
    /// The answer that told of the sale was lost, so that the reseller cannot know of it before it has read.
    pub(super) confirmed_unknown: bool,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) confirmed_at: Option<i64>,
    pub(super) cancelled_at: Option<i64>,
    pub(super) redeemed_at: Option<i64>,
}

impl Booked {
    /// How many units it has.
    pub fn units(&self) -> usize {
        self.units.len()
    }
    /// The names of those who come with its units, one for each; empty where nobody told.
    pub fn guests(&self) -> Vec<&str> {
        self.units.iter().map(|unit| unit["contact"]["fullName"].as_str().unwrap_or_default()).collect()
    }
    /// When it begins, as its place says.
    pub fn starts(&self) -> Option<String> {
        self.slot.as_ref().map(SlotOf::start)
    }
}

/// A call, without its socket.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The path without the supplier's base and without a query.
    pub path: &'a str,
    /// The query, without the question mark.
    pub query: &'a str,
    /// The key that it came with.
    pub key: Option<&'a str>,
    /// Whether the header of the extensions was there.
    pub has_capabilities: bool,
    /// The body; null when there is none.
    pub body: &'a Value,
}

/// The books.
#[derive(Clone, Debug)]
pub struct Books {
    /// How this supplier behaves.
    pub switches: Switches,
    /// The key that it accepts.
    pub key: String,
    /// What it holds against the reseller, a sentence each.
    pub violations: Vec<String>,
    bookings: BTreeMap<String, Booked>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) pushes: Vec<Push>,
    /// The present of the last call.
    now: i64,
}

impl Books {
    /// Empty books of a supplier that accepts `key`.
    pub fn new(key: &str) -> Self {
        Self {
            switches: Switches::default(),
            key: key.to_owned(),
            violations: Vec::new(),
            bookings: BTreeMap::new(),
            subscriptions: Vec::new(),
            pushes: Vec::new(),
            now: 0,
        }
    }

    /// Every booking, by its uuid.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Booked)> {
        self.bookings.iter().map(|(uuid, booked)| (uuid.as_str(), booked))
    }

    /// A booking.
    pub fn booking(&self, uuid: &str) -> Option<&Booked> {
        self.bookings.get(uuid)
    }

    /// The bookings for a reseller's number.
    pub fn of(&self, reference: &str) -> Vec<Booked> {
        self.bookings.values().filter(|booked| booked.reference == reference).cloned().collect()
    }

    /// Bookings for a reseller's number that admit, or will.
    pub fn live(&self, reference: &str) -> usize {
        let lives = |booked: &&Booked| booked.reference == reference && booked.status.takes_place();
        self.bookings.values().filter(lives).count()
    }

    /// Changes bookings, with everything that follows: their time of change, and whoever wants to be told.
    fn change(&mut self, which: impl Fn(&Booked) -> bool, change: impl Fn(&mut Booked, i64)) {
        let now = self.now;
        let mut changed = Vec::new();
        for (uuid, booked) in self.bookings.iter_mut().filter(|(_, booked)| which(booked)) {
            change(booked, now);
            booked.updated_at = now;
            changed.push(uuid.clone());
        }
        changed.iter().for_each(|uuid| self.tell(uuid));
    }

    /// Somebody at the supplier says yes or no to everything that waits.
    pub fn decide(&mut self, yes: bool) {
        self.change(
            |booked| booked.status == Status::Pending,
            |booked, now| {
                booked.status = if yes { Status::Confirmed } else { Status::Rejected };
                booked.confirmed_at = yes.then_some(now);
            },
        );
    }

    /// The codes of everything that is sold are there.
    pub fn deliver(&mut self) {
        self.change(|booked| !booked.has_codes, |booked, _| booked.has_codes = true);
    }

    /// The guests of a booking of a reseller's number go in; `at` in milliseconds.
    pub fn redeem(&mut self, reference: &str, at: i64) {
        self.change(
            |booked| booked.reference == reference && booked.status == Status::Confirmed,
            |booked, _| (booked.status, booked.redeemed_at) = (Status::Redeemed, Some(at)),
        );
    }

    /// The supplier cancels what it has sold.
    pub fn cancel_sold(&mut self) {
        self.change(
            |booked| booked.status == Status::Confirmed,
            |booked, now| (booked.status, booked.cancelled_at) = (Status::Cancelled, Some(now)),
        );
    }

    /// Units that live at a time of a day.
    pub(super) fn taken(&self, slot: &SlotOf) -> usize {
        let there =
            self.bookings.values().filter(|booked| booked.slot.as_ref() == Some(slot) && booked.status.takes_place());
        there.map(|booked| booked.units.len()).sum()
    }

    /// The whole supplier is full from now on.
    pub fn fill_up(&mut self) {
        self.switches.capacity = 0;
    }

    /// The answer to the last confirm of a booking did not get out.
    pub(super) fn answer_lost(&mut self, uuid: &str) {
        if let Some(booked) = self.bookings.get_mut(uuid) {
            booked.confirmed_unknown = true;
        }
    }

    /// A hold is over now, whatever was said.
    pub(super) fn end_hold(&mut self, uuid: &str) {
        let now = self.now;
        if let Some(booked) = self.bookings.get_mut(uuid) {
            booked.expires_at = now;
        }
    }

    /// One call at `now`, in milliseconds. `late` says that it was held up on its way, so that the caller has long gone on.
    pub fn call(&mut self, asked: &Asked<'_>, now: i64, late: bool) -> Said {
        self.now = now;
        if let Some((status, code)) = self.switches.wrong_key
            && asked.key != Some(self.key.as_str())
        {
            return refuse(status, code);
        }
        self.run_out();
        self.judge(asked, late);
        let Asked { method, body, .. } = *asked;
        let steps: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        match (method, steps.as_slice()) {
            ("GET", ["supplier"]) if !self.switches.older_paths => (200, supplier()),
            ("GET", ["suppliers"]) if self.switches.older_paths => (200, json!([supplier()])),
            ("GET", ["capabilities"]) => (200, capabilities()),
            ("GET", ["products"]) => (200, self.products()),
            ("GET", ["products", id]) => match Self::known(&json!(id)) {
                Some(id) => (200, self.product(id)),
                None => refuse(400, "INVALID_PRODUCT_ID"),
            },
            ("POST", ["availability"]) => self.availability(body),
            ("POST", ["availability", "calendar"]) => self.calendar(body),
            ("POST", ["bookings"]) => self.reserve(body),
            ("GET", ["bookings"]) => self.list(asked.query),
            ("GET", ["bookings", uuid]) => self.read(uuid),
            ("PATCH", ["bookings", uuid]) => self.update(uuid, body),
            ("POST", ["bookings", uuid, "confirm"]) => self.confirm(uuid, body),
            ("POST", ["bookings", uuid, "extend"]) => self.extend(uuid, body),
            ("POST", ["bookings", uuid, "cancel"]) if !self.switches.cancels_by_delete => self.cancel(uuid),
            ("DELETE", ["bookings", uuid]) if self.switches.cancels_by_delete => self.cancel(uuid),
            (_, ["webhooks", rest @ ..]) => self.manage(Generation::Webhooks, method, rest.first().copied(), body),
            (_, ["notifications", "subscriptions", rest @ ..]) => {
                self.manage(Generation::Notifications, method, rest.first().copied(), body)
            }
            _ => refuse(404, "NOT_FOUND"),
        }
    }

    fn run_out(&mut self) {
        if self.switches.hold_over_stays {
            return;
        }
        let now = self.now;
        self.change(
            |booked| booked.status == Status::OnHold && booked.expires_at <= now,
            |booked, _| booked.status = Status::Expired,
        );
    }

    fn reserve(&mut self, body: &Value) -> Said {
        // Without a uuid the server chooses one; a reseller that wants to look its booking up sends its own.
        let uuid = body["uuid"].as_str().map_or_else(|| self.own_uuid(), str::to_owned);
        if self.bookings.contains_key(&uuid) {
            return match self.switches.repeated_reserve {
                RepeatedReserve::Same => (200, self.shown(&uuid)),
                RepeatedReserve::Refused => refuse(400, "INVALID_BOOKING_UUID"),
                RepeatedReserve::Error => refuse(500, "INTERNAL_SERVER_ERROR"),
            };
        }
        let Some(product) = Self::known(&body["productId"]) else { return refuse(400, "INVALID_PRODUCT_ID") };
        if body["optionId"] != OPTION {
            return refuse(400, "INVALID_OPTION_ID");
        }
        let slot = body["availabilityId"].as_str().and_then(|id| self.slot(product, id));
        if slot.is_none() && product != PASS {
            return refuse(400, "INVALID_AVAILABILITY_ID");
        }
        let mut units = body["unitItems"].as_array().cloned().unwrap_or_default();
        if units.is_empty() {
            return refuse(400, "UNPROCESSABLE_ENTITY");
        }
        if units.iter().any(|unit| unit["unitId"] != UNIT) {
            return refuse(400, "INVALID_UNIT_ID");
        }
        if slot.as_ref().is_some_and(|slot| units.len() > self.room(slot)) {
            return refuse(400, self.switches.sold_out_code);
        }
        for (index, unit) in units.iter_mut().enumerate() {
            if unit["uuid"].is_null() {
                unit["uuid"] = json!(format!("{}{index:04x}", uuid.get(..32).unwrap_or(&uuid)));
            }
        }
        units.truncate(units.len() - self.switches.loses_units.min(units.len() - 1));
        let booked = Booked {
            status: Status::OnHold,
            reference: body["resellerReference"].as_str().unwrap_or_default().to_owned(),
            confirmed: 0,
            extended: 0,
            product,
            request: body.clone(),
            units,
            slot,
            contact: body["contact"].clone(),
            expires_at: self.now + self.switches.hold_ms,
            has_codes: self.switches.instant_delivery,
            confirmed_unknown: false,
            created_at: self.now,
            updated_at: self.now,
            confirmed_at: None,
            cancelled_at: None,
            redeemed_at: None,
        };
        self.bookings.insert(uuid.clone(), booked);
        self.tell(&uuid);
        (200, self.shown(&uuid))
    }

    fn own_uuid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.bookings.len() + 1)
    }

    fn list(&self, query: &str) -> Said {
        let pairs: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let date = |name: &str| pairs.get(name).and_then(|text| text.parse::<NaiveDate>().ok());
        let days = date("localDate").map(|day| (day, day)).or(date("localDateStart").zip(date("localDateEnd")));
        let (reference, own) = (pairs.get("resellerReference"), pairs.get("supplierReference"));
        if days.is_none() && reference.is_none() && own.is_none() {
            return refuse(400, "BAD_REQUEST");
        }
        let matches = |uuid: &str, booked: &Booked| {
            reference.is_none_or(|wanted| booked.reference == *wanted)
                && own.is_none_or(|wanted| self.shown(uuid)["supplierReference"] == *wanted)
                && days
                    .is_none_or(|(from, to)| booked.slot.as_ref().is_some_and(|slot| (from..=to).contains(&slot.date)))
        };
        (200, self.all().filter(|(uuid, booked)| matches(uuid, booked)).map(|(uuid, _)| self.shown(uuid)).collect())
    }

    fn read(&mut self, uuid: &str) -> Said {
        match self.bookings.get_mut(uuid) {
            Some(booked) => booked.confirmed_unknown = false,
            None => return self.unknown(),
        }
        (200, self.shown(uuid))
    }

    fn unknown(&self) -> Said {
        let (status, code) = self.switches.unknown_booking;
        refuse(status, code)
    }

    fn update(&mut self, uuid: &str, body: &Value) -> Said {
        let (now, cancellable) = (self.now, self.switches.cancellable);
        let Some(booked) = self.bookings.get_mut(uuid) else { return self.unknown() };
        if !cancellable || !booked.status.can_be_cancelled() {
            return refuse(400, "UNPROCESSABLE_ENTITY");
        }
        if body["contact"].is_object() {
            booked.contact = body["contact"].clone();
        }
        if let Some(reference) = body["resellerReference"].as_str() {
            reference.clone_into(&mut booked.reference);
        }
        if let Some(units) = body["unitItems"].as_array().filter(|units| !units.is_empty()) {
            // Units that are left out are removed.
            booked.units.retain(|known| units.iter().any(|unit| unit["uuid"] == known["uuid"]));
        }
        booked.updated_at = now;
        self.tell(uuid);
        (200, self.shown(uuid))
    }

    fn confirm(&mut self, uuid: &str, body: &Value) -> Said {
        let (switches, now) = (self.switches.clone(), self.now);
        let Some(booked) = self.bookings.get_mut(uuid) else { return self.unknown() };
        let is_over = booked.expires_at <= now;
        // A list replaces the reserved one, with whatever it leaves out.
        let told = body["unitItems"].as_array().filter(|units| !units.is_empty());
        let units = told.unwrap_or(&booked.units).clone();
        let knows = |unit: &Value| switches.unit_contacts.iter().all(|field| unit["contact"][*field].is_string());
        if booked.status == Status::OnHold && !units.iter().all(knows) {
            return refuse(400, "BAD_REQUEST");
        }
        match booked.status {
            Status::OnHold if is_over && !switches.confirms_late => return refuse(400, "INVALID_BOOKING_UUID"),
            Status::OnHold => {
                booked.status = if switches.instant_confirmation { Status::Confirmed } else { Status::Pending };
            }
            Status::Expired if switches.confirms_late => booked.status = Status::Confirmed,
            Status::Pending | Status::Confirmed | Status::Redeemed if !switches.refuses_second_confirm => {
                return (200, self.shown(uuid));
            }
            Status::Expired => return refuse(400, "INVALID_BOOKING_UUID"),
            Status::Pending | Status::Confirmed | Status::Redeemed | Status::Rejected | Status::Cancelled => {
                return refuse(400, "UNPROCESSABLE_ENTITY");
            }
        }
        booked.confirmed += 1;
        booked.units = units;
        booked.contact = body["contact"].clone();
        booked.confirmed_at = (booked.status == Status::Confirmed).then_some(now);
        if let Some(reference) = body["resellerReference"].as_str() {
            reference.clone_into(&mut booked.reference);
        }
        booked.updated_at = now;
        self.tell(uuid);
        (200, self.shown(uuid))
    }

    fn extend(&mut self, uuid: &str, body: &Value) -> Said {
        let (now, extends) = (self.now, self.switches.extends);
        let Some(booked) = self.bookings.get_mut(uuid) else { return self.unknown() };
        if booked.status != Status::OnHold || !extends {
            return refuse(400, "UNPROCESSABLE_ENTITY");
        }
        booked.expires_at = now + body["expirationMinutes"].as_i64().unwrap_or(5) * 60_000;
        (booked.updated_at, booked.extended) = (now, booked.extended + 1);
        self.tell(uuid);
        (200, self.shown(uuid))
    }

    fn cancel(&mut self, uuid: &str) -> Said {
        let (switches, now) = (self.switches.clone(), self.now);
        let Some(booked) = self.bookings.get_mut(uuid) else { return self.unknown() };
        match booked.status {
            Status::OnHold => booked.status = switches.released_reads,
            Status::Confirmed | Status::Pending if switches.cancellable => booked.status = Status::Cancelled,
            Status::Cancelled | Status::Expired if !switches.refuses_second_cancel => return (200, self.shown(uuid)),
            Status::Confirmed
            | Status::Pending
            | Status::Cancelled
            | Status::Expired
            | Status::Rejected
            | Status::Redeemed => return refuse(400, "UNPROCESSABLE_ENTITY"),
        }
        booked.cancelled_at = (booked.status == Status::Cancelled).then_some(now);
        booked.updated_at = now;
        self.tell(uuid);
        (200, self.shown(uuid))
    }
}

fn supplier() -> Value {
    json!({ "id": "sim", "name": "Simulated supplier", "endpoint": "https://elsewhere.example/octo",
        "contact": { "website": null, "email": null, "telephone": null, "address": null } })
}

fn capabilities() -> Value {
    // Vendors document `octo/notifications` as well; the published contract has no such id.
    ["octo/webhooks"]
        .into_iter()
        .map(|id| {
            let none: [&str; 0] = [];
            json!({ "id": id, "revision": 1, "required": false, "dependencies": none, "docs": null, "default": false })
        })
        .collect()
}
