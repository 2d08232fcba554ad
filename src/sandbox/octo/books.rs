//! The books of the supplier: what is held, sold, used and cancelled, and how each call changes that.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{RepeatedReserve, Said, Switches, refuse};

/// The product on sale, and its parts.
pub const PRODUCT: &str = "LAKE";
/// Its option.
pub const OPTION: &str = "DEFAULT";
/// Its unit.
pub const UNIT: &str = "adult";

/// How a booking stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its place is kept.
    OnHold,
    /// Somebody has still to say yes.
    Pending,
    /// Sold.
    Confirmed,
    /// Refused.
    Rejected,
    /// Run out.
    Expired,
    /// Cancelled.
    Cancelled,
    /// Used.
    Redeemed,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::OnHold => "ON_HOLD",
            Status::Pending => "PENDING",
            Status::Confirmed => "CONFIRMED",
            Status::Rejected => "REJECTED",
            Status::Expired => "EXPIRED",
            Status::Cancelled => "CANCELLED",
            Status::Redeemed => "REDEEMED",
        }
    }
    /// Whether it takes a place.
    fn takes_place(self) -> bool {
        matches!(self, Status::OnHold | Status::Pending | Status::Confirmed | Status::Redeemed)
    }
}

/// A booking.
#[derive(Clone, Debug)]
pub struct Booked {
    /// How it stands.
    pub status: Status,
    /// Its day.
    pub date: String,
    /// The reseller's number for it.
    pub reference: String,
    /// How often it was confirmed, and really so.
    pub confirmed: u32,
    units: Vec<Value>,
    availability: Value,
    expires_at: i64,
    has_codes: bool,
    redeemed_at: Option<i64>,
}

/// The books.
#[derive(Debug)]
pub struct Books {
    /// How this supplier behaves.
    pub switches: Switches,
    /// The key that it accepts.
    pub key: String,
    bookings: BTreeMap<String, Booked>,
}

impl Books {
    /// Empty books of a supplier that accepts `key`.
    pub fn new(key: &str) -> Self {
        Self { switches: Switches::default(), key: key.to_owned(), bookings: BTreeMap::new() }
    }

    /// Every booking, by its uuid.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Booked)> {
        self.bookings.iter().map(|(uuid, booked)| (uuid.as_str(), booked))
    }

    /// Bookings for a reseller's number that admit, or will.
    pub fn live(&self, reference: &str) -> usize {
        let lives = |booked: &&Booked| booked.reference == reference && booked.status.takes_place();
        self.bookings.values().filter(lives).count()
    }

    /// Somebody at the supplier says yes or no to everything that waits.
    pub fn decide(&mut self, yes: bool) {
        for booked in self.bookings.values_mut().filter(|booked| booked.status == Status::Pending) {
            booked.status = if yes { Status::Confirmed } else { Status::Rejected };
        }
    }

    /// The codes of everything that is sold are there.
    pub fn deliver(&mut self) {
        self.bookings.values_mut().for_each(|booked| booked.has_codes = true);
    }

    /// The guests of a booking of a reseller's number go in; `at` in milliseconds.
    pub fn redeem(&mut self, reference: &str, at: i64) {
        for booked in self.bookings.values_mut() {
            if booked.reference == reference && booked.status == Status::Confirmed {
                (booked.status, booked.redeemed_at) = (Status::Redeemed, Some(at));
            }
        }
    }

    /// One call; `path` without the supplier's base, `now` in milliseconds.
    pub fn call(&mut self, method: &str, path: &str, key: Option<&str>, body: &Value, now: i64) -> Said {
        if let Some((status, code)) = self.switches.wrong_key
            && key != Some(self.key.as_str())
        {
            return refuse(status, code);
        }
        self.run_out(now);
        let steps: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method, steps.as_slice()) {
            ("GET", ["supplier"]) if !self.switches.older_paths => (200, supplier()),
            ("GET", ["suppliers"]) if self.switches.older_paths => (200, json!([supplier()])),
            ("GET", ["products"]) => (200, json!([self.product()])),
            ("GET", ["products", PRODUCT]) => (200, self.product()),
            ("GET", ["products", _]) => refuse(400, "INVALID_PRODUCT_ID"),
            ("POST", ["availability"]) => self.availability(body),
            ("POST", ["availability", "calendar"]) => self.calendar(body),
            ("POST", ["bookings"]) => self.reserve(body, now),
            ("GET", ["bookings", uuid]) => self.read(uuid),
            ("POST", ["bookings", uuid, "confirm"]) => self.confirm(uuid, now),
            ("POST", ["bookings", uuid, "extend"]) => self.extend(uuid, body, now),
            ("POST", ["bookings", uuid, "cancel"]) if !self.switches.cancels_by_delete => self.cancel(uuid),
            ("DELETE", ["bookings", uuid]) if self.switches.cancels_by_delete => self.cancel(uuid),
            _ => refuse(404, "NOT_FOUND"),
        }
    }

    fn run_out(&mut self, now: i64) {
        if self.switches.hold_over_stays {
            return;
        }
        for booked in self.bookings.values_mut() {
            if booked.status == Status::OnHold && booked.expires_at <= now {
                booked.status = Status::Expired;
            }
        }
    }

    fn product(&self) -> Value {
        json!({ "id": PRODUCT, "internalName": "Lake", "timeZone": "Asia/Shanghai", "availabilityRequired": true,
            "availabilityType": if self.switches.start_times.len() > 1 { "START_TIME" } else { "OPENING_HOURS" },
            "instantConfirmation": self.switches.instant_confirmation, "instantDelivery": self.switches.instant_delivery,
            "deliveryMethods": ["TICKET"], "deliveryFormats": ["QRCODE", "PDF_URL"], "redemptionMethod": "DIGITAL",
            "options": [{ "id": OPTION, "default": true, "internalName": "Lake", "availabilityLocalStartTimes": self.switches.start_times,
                "units": [{ "id": UNIT, "internalName": "Adult", "type": "ADULT" }] }] })
    }

    fn taken(&self, date: &str) -> usize {
        let there = self.bookings.values().filter(|booked| booked.date == date && booked.status.takes_place());
        there.map(|booked| booked.units.len()).sum()
    }

    fn room(&self, date: &str) -> usize {
        self.switches.capacity.saturating_sub(self.taken(date))
    }

    fn availability(&self, body: &Value) -> Said {
        if body["productId"] != PRODUCT {
            return refuse(400, "INVALID_PRODUCT_ID");
        }
        if body["optionId"] != OPTION {
            return refuse(400, "INVALID_OPTION_ID");
        }
        let Some(date) = body["localDateStart"].as_str() else { return refuse(400, "BAD_REQUEST") };
        let wanted = body["units"]
            .as_array()
            .map_or(1, |units| units.iter().filter_map(|unit| unit["quantity"].as_u64()).sum::<u64>());
        let room = self.room(date);
        let fits = u64::try_from(room).unwrap_or(0) >= wanted.max(1);
        let slot = |time: &&str| {
            json!({ "id": format!("{date}T{time}:00+08:00"), "localDateTimeStart": format!("{date}T{time}:00+08:00"),
                "localDateTimeEnd": format!("{date}T23:59:00+08:00"), "allDay": false, "available": fits,
                "status": if fits { "AVAILABLE" } else { "SOLD_OUT" }, "vacancies": room, "capacity": self.switches.capacity })
        };
        (200, Value::Array(self.switches.start_times.iter().map(slot).collect()))
    }

    fn calendar(&self, body: &Value) -> Said {
        let (Some(from), Some(to)) = (body["localDateStart"].as_str(), body["localDateEnd"].as_str()) else {
            return refuse(400, "BAD_REQUEST");
        };
        let days = days_between(from, to).into_iter().map(|date| {
            let room = self.room(&date);
            json!({ "localDate": date, "available": room > 0, "status": if room > 0 { "AVAILABLE" } else { "SOLD_OUT" },
                "vacancies": room, "capacity": self.switches.capacity })
        });
        (200, Value::Array(days.collect()))
    }

    fn reserve(&mut self, body: &Value, now: i64) -> Said {
        let Some(uuid) = body["uuid"].as_str().map(str::to_owned) else { return refuse(400, "BAD_REQUEST") };
        if self.bookings.contains_key(&uuid) {
            return match self.switches.repeated_reserve {
                RepeatedReserve::Same => (200, self.shown(&uuid)),
                RepeatedReserve::Refused => refuse(400, "INVALID_BOOKING_UUID"),
                RepeatedReserve::Error => refuse(500, "INTERNAL_SERVER_ERROR"),
            };
        }
        let Some(date) = body["availabilityId"].as_str().and_then(|id| id.get(..10)).map(str::to_owned) else {
            return refuse(400, "INVALID_AVAILABILITY_ID");
        };
        let mut units = body["unitItems"].as_array().cloned().unwrap_or_default();
        if units.is_empty() || units.iter().any(|unit| unit["unitId"] != UNIT) {
            return refuse(400, "INVALID_UNIT_ID");
        }
        if units.len() > self.room(&date) {
            return refuse(400, self.switches.sold_out_code);
        }
        units.truncate(units.len() - self.switches.loses_units.min(units.len() - 1));
        let booked = Booked {
            status: Status::OnHold,
            date,
            reference: body["resellerReference"].as_str().unwrap_or_default().to_owned(),
            confirmed: 0,
            units,
            availability: body["availabilityId"].clone(),
            expires_at: now + self.switches.hold_ms,
            has_codes: self.switches.instant_delivery,
            redeemed_at: None,
        };
        self.bookings.insert(uuid.clone(), booked);
        (200, self.shown(&uuid))
    }

    fn read(&self, uuid: &str) -> Said {
        if self.bookings.contains_key(uuid) { (200, self.shown(uuid)) } else { self.unknown() }
    }

    fn unknown(&self) -> Said {
        let (status, code) = self.switches.unknown_booking;
        refuse(status, code)
    }

    fn confirm(&mut self, uuid: &str, now: i64) -> Said {
        let switches = self.switches.clone();
        let Some(booked) = self.bookings.get_mut(uuid) else { return self.unknown() };
        let is_over = booked.expires_at <= now;
        match booked.status {
            Status::OnHold if is_over && !switches.confirms_late => return refuse(400, "INVALID_BOOKING_UUID"),
            Status::OnHold => {
                booked.status = if switches.instant_confirmation { Status::Confirmed } else { Status::Pending };
                booked.confirmed += 1;
            }
            Status::Expired if switches.confirms_late => {
                (booked.status, booked.confirmed) = (Status::Confirmed, booked.confirmed + 1);
            }
            Status::Pending | Status::Confirmed | Status::Redeemed if !switches.refuses_second_confirm => {}
            Status::Expired => return refuse(400, "INVALID_BOOKING_UUID"),
            Status::Pending | Status::Confirmed | Status::Redeemed | Status::Rejected | Status::Cancelled => {
                return refuse(400, "UNPROCESSABLE_ENTITY");
            }
        }
        (200, self.shown(uuid))
    }

    fn extend(&mut self, uuid: &str, body: &Value, now: i64) -> Said {
        let Some(booked) = self.bookings.get_mut(uuid) else { return self.unknown() };
        if booked.status != Status::OnHold {
            return refuse(400, "UNPROCESSABLE_ENTITY");
        }
        booked.expires_at = now + body["expirationMinutes"].as_i64().unwrap_or(5) * 60_000;
        (200, self.shown(uuid))
    }

    fn cancel(&mut self, uuid: &str) -> Said {
        let switches = self.switches.clone();
        let Some(booked) = self.bookings.get_mut(uuid) else { return self.unknown() };
        match booked.status {
            Status::OnHold => booked.status = switches.released_reads,
            Status::Confirmed | Status::Pending if switches.cancellable => booked.status = Status::Cancelled,
            Status::Cancelled | Status::Expired if !switches.refuses_second_cancel => {}
            Status::Confirmed
            | Status::Pending
            | Status::Cancelled
            | Status::Expired
            | Status::Rejected
            | Status::Redeemed => return refuse(400, "UNPROCESSABLE_ENTITY"),
        }
        (200, self.shown(uuid))
    }

    fn shown(&self, uuid: &str) -> Value {
        let Some(booked) = self.bookings.get(uuid) else { return Value::Null };
        let is_sold = matches!(booked.status, Status::Confirmed | Status::Redeemed);
        let redeemed = booked.redeemed_at.map(utc);
        let unit_status = if self.switches.stale_units { "ON_HOLD" } else { booked.status.word() };
        let units = booked.units.iter().enumerate().map(|(index, unit)| {
            let ticket = (is_sold && booked.has_codes).then(|| {
                json!({ "redemptionMethod": "DIGITAL", "utcRedeemedAt": redeemed, "deliveryOptions": [
                    { "deliveryFormat": "QRCODE", "deliveryValue": format!("OCTO-{}-{index}", &uuid[..8]) },
                    { "deliveryFormat": "PDF_URL", "deliveryValue": format!("https://supplier.example/t/{}/{index}", &uuid[..8]) }] })
            });
            json!({ "uuid": unit["uuid"], "resellerReference": null, "supplierReference": null, "unitId": unit["unitId"],
                "status": unit_status, "utcRedeemedAt": redeemed, "contact": {}, "ticket": ticket })
        });
        let is_cancelled = booked.status == Status::Cancelled;
        json!({
            "id": format!("SUP-{}", &uuid[..8]), "uuid": uuid, "testMode": self.switches.test_mode,
            "resellerReference": booked.reference, "supplierReference": format!("REF{}", &uuid[..6].to_uppercase()),
            "status": booked.status.word(), "utcCreatedAt": "2026-11-01T00:00:00Z", "utcUpdatedAt": "2026-11-01T00:00:00Z",
            "utcExpiresAt": (booked.status == Status::OnHold).then(|| utc(booked.expires_at)),
            "utcRedeemedAt": redeemed, "utcConfirmedAt": is_sold.then_some("2026-11-01T00:00:00Z"),
            "productId": PRODUCT, "optionId": OPTION, "cancellable": self.switches.cancellable && booked.status.takes_place(),
            "cancellation": is_cancelled.then(|| json!({ "refund": "FULL", "reason": null, "utcCancelledAt": "2026-11-01T00:00:00Z" })),
            "freesale": false, "availabilityId": booked.availability,
            "availability": { "id": booked.availability, "localDateTimeStart": booked.availability,
                "localDateTimeEnd": format!("{}T23:59:00+08:00", booked.date), "allDay": false, "openingHours": [] },
            "contact": {}, "notes": null, "deliveryMethods": ["TICKET"], "voucher": null,
            "unitItems": units.collect::<Vec<_>>(),
        })
    }
}

fn supplier() -> Value {
    json!({ "id": "sim", "name": "Simulated supplier", "endpoint": "https://elsewhere.example/octo",
        "contact": { "website": null, "email": null, "telephone": null, "address": null } })
}

fn utc(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms)
        .map_or_else(String::new, |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The dates of a range, both ends included; at most 100.
fn days_between(from: &str, to: &str) -> Vec<String> {
    let (Ok(from), Ok(to)) = (from.parse::<chrono::NaiveDate>(), to.parse::<chrono::NaiveDate>()) else {
        return Vec::new();
    };
    from.iter_days().take(100).take_while(|day| *day <= to).map(|day| day.to_string()).collect()
}
