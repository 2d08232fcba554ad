// SPDX-License-Identifier: Apache-2.0

//! A booking as the supplier shows it.

use serde_json::{Value, json};

use super::books::{Booked, Books};
use super::products::OPTION;
use super::status::Status;

impl Books {
    /// Whether a code is on a ticket of a booking that is sold.
    pub fn made(&self, wanted: &str) -> bool {
        let has = |uuid: &str, booked: &Booked| {
            booked.has_codes && (0..booked.units.len()).any(|index| code(uuid, index) == wanted)
        };
        self.all().any(|(uuid, booked)| has(uuid, booked))
    }

    pub(super) fn shown(&self, uuid: &str) -> Value {
        let Some(booked) = self.booking(uuid) else { return Value::Null };
        let is_sold = matches!(booked.status, Status::Confirmed | Status::Redeemed);
        let redeemed = booked.redeemed_at.map(utc);
        let unit_status = if self.switches.stale_units { "ON_HOLD" } else { booked.status.word() };
        let newer = if self.switches.newer_codes { "-2" } else { "" };
        let status = self.switches.own_status.unwrap_or(booked.status.word());
        let short = uuid.get(..8).unwrap_or(uuid);
        let units = booked.units.iter().enumerate().map(|(index, unit)| {
            let ticket = (is_sold && booked.has_codes).then(|| {
                json!({ "redemptionMethod": "DIGITAL", "utcRedeemedAt": redeemed, "deliveryOptions": [
                    { "deliveryFormat": "QRCODE", "deliveryValue": format!("{}{newer}", code(uuid, index)) },
                    { "deliveryFormat": "PDF_URL", "deliveryValue": format!("https://supplier.example/t/{short}/{index}") }] })
            });
            json!({ "uuid": unit["uuid"], "resellerReference": null, "supplierReference": null, "unitId": unit["unitId"],
                "status": unit_status, "utcRedeemedAt": redeemed, "contact": contact(&unit["contact"]), "ticket": ticket })
        });
        let cancellation =
            booked.cancelled_at.map(|at| json!({ "refund": "FULL", "reason": null, "utcCancelledAt": utc(at) }));
        let mut shown = json!({
            "id": format!("SUP-{short}"), "uuid": uuid, "testMode": self.switches.test_mode,
            "resellerReference": booked.reference, "supplierReference": supplier_reference(uuid),
            "status": status, "utcCreatedAt": utc(booked.created_at), "utcUpdatedAt": utc(booked.updated_at),
            "utcExpiresAt": (booked.status == Status::OnHold).then(|| utc(booked.expires_at)),
            "utcRedeemedAt": redeemed, "utcConfirmedAt": booked.confirmed_at.filter(|_| is_sold).map(utc),
            "productId": booked.product, "optionId": OPTION,
            "cancellable": self.switches.cancellable && booked.status.can_be_cancelled(), "cancellation": cancellation,
            "freesale": false, "availabilityId": booked.slot.as_ref().map(|slot| slot.id()),
            "availability": booked.slot.as_ref().map(|slot| self.shown_slot(slot, 1)),
            "contact": contact(&booked.contact), "notes": null, "deliveryMethods": ["TICKET"], "voucher": null,
            "unitItems": units.collect::<Vec<_>>(),
        });
        if let Some(net) = self.switches.net {
            shown["pricing"] = price(net * i64::try_from(booked.units.len()).unwrap_or(i64::MAX));
        }
        shown
    }
}

/// A price, as octo/pricing has it.
pub(super) fn price(net: i64) -> Value {
    json!({ "original": net, "retail": net, "net": net, "currency": "CNY", "currencyPrecision": 2, "includedTaxes": [] })
}

/// The code on a unit's ticket.
fn code(uuid: &str, index: usize) -> String {
    format!("OCTO-{}-{index}", uuid.get(..8).unwrap_or(uuid))
}

/// What the gate's people call a booking.
fn supplier_reference(uuid: &str) -> String {
    format!("REF{}", uuid.get(..6).unwrap_or(uuid).to_uppercase())
}

/// A contact with every field that the standard has; what was not told is null.
fn contact(told: &Value) -> Value {
    json!({ "fullName": told["fullName"], "firstName": told["firstName"], "lastName": told["lastName"],
        "emailAddress": told["emailAddress"], "phoneNumber": told["phoneNumber"], "locales": [], "country": null, "notes": null,
        "postalCode": null, "allowMarketing": false })
}

fn utc(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms)
        .map_or_else(String::new, |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}
