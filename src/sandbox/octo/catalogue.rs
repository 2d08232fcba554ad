// SPDX-License-Identifier: Apache-2.0

//! When there is room for what the supplier sells.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::answer::{Said, refuse};
use super::books::Books;
use super::products::{BOAT, OPTION, PASS, PRODUCT, SlotOf, UNIT};
use super::shown::price;

/// When a boat leaves.
const BOAT_TIMES: [&str; 3] = ["10:00", "14:00", "16:30"];
/// Days that one question may span.
const DAYS_MAX: usize = 100;

impl Books {
    /// The times of a product's days; `None` where it is booked without one.
    fn times_of(&self, product: &str) -> Option<Vec<&'static str>> {
        match product {
            BOAT => Some(BOAT_TIMES.to_vec()),
            PRODUCT => Some(self.switches.start_times.clone()),
            _ => None,
        }
    }

    /// The product's own name for itself, if it is sold here.
    pub(super) fn known(product: &Value) -> Option<&'static str> {
        [PRODUCT, BOAT, PASS].into_iter().find(|known| product == known)
    }

    pub(super) fn products(&self) -> Value {
        [PRODUCT, BOAT, PASS].into_iter().map(|id| self.product(id)).collect()
    }

    pub(super) fn product(&self, id: &'static str) -> Value {
        let times = self.times_of(id);
        let by_time = times.as_ref().is_some_and(|times| times.len() > 1);
        let name = match id {
            BOAT => "Boat trip",
            PASS => "Year pass",
            _ => "Lake",
        };
        let contact: [&str; 0] = [];
        let pricing = |mut product: Value| {
            if let Some(net) = self.switches.net {
                product["options"][0]["units"][0]["pricingFrom"] = json!([price(net)]);
            }
            product
        };
        pricing(
            json!({ "id": id, "internalName": name, "reference": format!("REF-{id}"), "locale": "en", "timeZone": "Asia/Shanghai",
            "allowFreesale": false, "instantConfirmation": self.switches.instant_confirmation,
            "instantDelivery": self.switches.instant_delivery, "availabilityRequired": times.is_some(),
            "availabilityType": if by_time { "START_TIME" } else { "OPENING_HOURS" },
            "deliveryFormats": ["QRCODE", "PDF_URL"], "deliveryMethods": ["TICKET"], "redemptionMethod": "DIGITAL",
            "options": [{ "id": OPTION, "default": true, "internalName": name, "reference": null,
                "availabilityLocalStartTimes": times.unwrap_or_else(|| vec!["00:00"]), "cancellationCutoff": "0 hours",
                "cancellationCutoffAmount": 0, "cancellationCutoffUnit": "hour", "requiredContactFields": contact,
                "restrictions": { "minUnits": 1, "maxUnits": null },
                "units": [{ "id": UNIT, "internalName": "Adult", "reference": null, "type": "ADULT",
                    "requiredContactFields": self.switches.unit_contacts,
                    "restrictions": { "minAge": 0, "maxAge": 99, "idRequired": false, "minQuantity": null, "maxQuantity": null,
                        "paxCount": 1, "accompaniedBy": contact } }] }] }),
        )
    }

    /// The slot of this id.
    pub(super) fn slot(&self, product: &'static str, id: &str) -> Option<SlotOf> {
        let (rest, clock) = id.strip_prefix("slot.")?.rsplit_once('.')?;
        let date = NaiveDate::parse_from_str(rest.rsplit_once('.')?.1, "%Y%m%d").ok()?;
        let times = self.times_of(product)?;
        let time = times.into_iter().find(|time| time.replace(':', "") == clock)?;
        let slot = SlotOf { product, date, time };
        (slot.id() == id).then_some(slot)
    }

    pub(super) fn room(&self, slot: &SlotOf) -> usize {
        self.switches.capacity.saturating_sub(self.taken(slot))
    }

    /// What can be booked, time by time.
    pub(super) fn availability(&self, body: &Value) -> Said {
        let (product, dates) = match self.asked_of(body) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let wanted = body["units"]
            .as_array()
            .map_or(1, |units| units.iter().filter_map(|unit| unit["quantity"].as_u64()).sum::<u64>());
        let times = self.times_of(product).unwrap_or_else(|| vec!["00:00"]);
        let slots = dates.into_iter().flat_map(|date| times.iter().map(move |time| SlotOf { product, date, time }));
        let shown = slots.map(|slot| self.shown_slot(&slot, wanted.max(1)));
        (200, shown.collect())
    }

    /// A slot as it is answered, and as it stands inside a booking; `wanted` is the party that asks.
    pub(super) fn shown_slot(&self, slot: &SlotOf, wanted: u64) -> Value {
        let room = self.room(slot);
        let fits = u64::try_from(room).unwrap_or(0) >= wanted;
        json!({ "id": slot.id(), "localDateTimeStart": slot.start(), "localDateTimeEnd": slot.end(), "allDay": slot.is_whole_day(),
                "available": fits, "status": if fits { "AVAILABLE" } else { "SOLD_OUT" }, "vacancies": room,
                "capacity": self.switches.capacity, "maxUnits": null, "utcCutoffAt": format!("{}T15:59:00Z", slot.date),
                "openingHours": slot.opening_hours() })
    }

    /// The same, day by day.
    pub(super) fn calendar(&self, body: &Value) -> Said {
        let (product, dates) = match self.asked_of(body) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let times = self.times_of(product).unwrap_or_else(|| vec!["00:00"]);
        let days = dates.into_iter().map(|date| {
            let room: usize = times.iter().map(|time| self.room(&SlotOf { product, date, time })).sum();
            json!({ "localDate": date.to_string(), "available": room > 0,
                "status": if room > 0 { "AVAILABLE" } else { "SOLD_OUT" }, "vacancies": room,
                "capacity": self.switches.capacity * times.len(), "openingHours": [{ "from": "00:00", "to": "23:59" }] })
        });
        (200, days.collect())
    }

    /// Which product, on which days.
    fn asked_of(&self, body: &Value) -> Result<(&'static str, Vec<NaiveDate>), Said> {
        let product = Self::known(&body["productId"]).ok_or_else(|| refuse(400, "INVALID_PRODUCT_ID"))?;
        if body["optionId"] != OPTION {
            return Err(refuse(400, "INVALID_OPTION_ID"));
        }
        if let Some(ids) = body["availabilityIds"].as_array() {
            let slots = ids.iter().filter_map(|id| self.slot(product, id.as_str()?));
            return Ok((product, slots.map(|slot| slot.date).collect()));
        }
        let date = |field: &str| body[field].as_str().and_then(|text| text.parse::<NaiveDate>().ok());
        let (from, to) = (date("localDateStart"), date("localDateEnd"));
        let (from, to) = from.zip(to).or_else(|| date("localDate").map(|day| (day, day))).unzip();
        let (Some(from), Some(to)) = (from, to) else { return Err(refuse(400, "BAD_REQUEST")) };
        Ok((product, from.iter_days().take(DAYS_MAX).take_while(|day| *day <= to).collect()))
    }
}
