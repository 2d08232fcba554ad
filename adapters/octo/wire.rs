// SPDX-License-Identifier: Apache-2.0

//! The JSON of OCTO, as far as we read and write it. Never leaves this folder. Unknown fields and words are tolerated everywhere.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Body of `POST /availability`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AvailabilityRequest<'a> {
    pub(super) product_id: &'a str,
    pub(super) option_id: &'a str,
    pub(super) local_date_start: String,
    pub(super) local_date_end: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) units: Vec<UnitCount<'a>>,
    /// In which prices are told, with octo/pricing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) currency: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct UnitCount<'a> {
    pub(super) id: &'a str,
    pub(super) quantity: usize,
}

/// Body of `POST /bookings`: fields that are absent are left out, since a null is refused by some.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReserveRequest<'a> {
    pub(super) uuid: &'a str,
    pub(super) product_id: &'a str,
    pub(super) option_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) availability_id: Option<&'a str>,
    pub(super) expiration_minutes: i64,
    pub(super) reseller_reference: &'a str,
    pub(super) unit_items: Vec<UnitItemOut<'a>>,
    /// In which prices are told, with octo/pricing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) currency: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnitItemOut<'a> {
    pub(super) uuid: Cow<'a, str>,
    pub(super) unit_id: &'a str,
    /// Only where the unit wants to know who comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contact: Option<ContactOut>,
}

/// Body of `POST /bookings/{uuid}/confirm`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmRequest<'a> {
    pub(super) reseller_reference: &'a str,
    pub(super) email_receipt: bool,
    pub(super) contact: ContactOut,
    /// Every unit that is held, or none: the list replaces the reserved one, so it is sent only where units want contacts of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unit_items: Vec<UnitItemOut<'a>>,
}

/// Guests' data in clear: it is who the supplier is asked to admit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContactOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) full_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phone_number: Option<String>,
}

impl ContactOut {
    /// Of this only the fields that are required.
    pub(super) fn only(self, required: &[String]) -> Self {
        let wants = |field: &str| required.iter().any(|name| name == field);
        Self {
            full_name: self.full_name.filter(|_| wants("fullName")),
            first_name: self.first_name.filter(|_| wants("firstName")),
            last_name: self.last_name.filter(|_| wants("lastName")),
            phone_number: self.phone_number.filter(|_| wants("phoneNumber")),
        }
    }
}

/// Body of `POST /bookings/{uuid}/extend`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExtendRequest {
    pub(super) expiration_minutes: i64,
}

/// Body of `POST /bookings/{uuid}/cancel`.
#[derive(Serialize)]
pub(super) struct CancelRequest {
    pub(super) reason: &'static str,
}

/// A product, as far as booking it needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct ProductIn {
    pub(super) id: String,
    /// In which its days are counted, by its IANA name; not every supplier tells.
    pub(super) time_zone: Option<String>,
    /// `false`: an open-dated ticket, booked without an availability.
    #[serde(default = "yes")]
    pub(super) availability_required: bool,
    #[serde(default)]
    pub(super) options: Vec<OptionIn>,
    #[serde(default)]
    pub(super) delivery_formats: Vec<String>,
    /// How its guests are known at the gate.
    pub(super) redemption_method: Option<String>,
    pub(super) instant_confirmation: Option<bool>,
    pub(super) instant_delivery: Option<bool>,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct OptionIn {
    pub(super) id: String,
    #[serde(default)]
    pub(super) default: bool,
    #[serde(default)]
    pub(super) units: Vec<UnitIn>,
    #[serde(default)]
    pub(super) availability_local_start_times: Vec<String>,
    #[serde(default)]
    pub(super) required_contact_fields: Vec<String>,
    pub(super) restrictions: Option<RestrictionsIn>,
}

/// How many units one booking takes; null is no limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct RestrictionsIn {
    pub(super) min_units: Option<u64>,
    pub(super) max_units: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct UnitIn {
    pub(super) id: String,
    /// What is wanted of each guest, besides the contact of the booking.
    #[serde(default)]
    pub(super) required_contact_fields: Vec<String>,
    pub(super) restrictions: Option<UnitRestrictionsIn>,
    /// The lowest prices of its days, one for each currency, with octo/pricing.
    pub(super) pricing_from: Option<serde_json::Value>,
}

/// With whom a unit is sold.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct UnitRestrictionsIn {
    /// How many of it one booking takes; null is no limit.
    pub(super) min_quantity: Option<u64>,
    pub(super) max_quantity: Option<u64>,
    /// One of these units at least has to be booked with it; null or none: it goes alone.
    #[serde(default)]
    pub(super) accompanied_by: Option<Vec<String>>,
}

/// An extension of the contract that the supplier has.
#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct CapabilityIn {
    pub(super) id: String,
    /// Whether nobody can do without it.
    #[serde(default)]
    pub(super) required: bool,
}

/// One time that can be booked; in a calendar, one day.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct AvailabilityIn {
    pub(super) id: Option<String>,
    pub(super) local_date_time_start: Option<String>,
    pub(super) local_date: Option<String>,
    pub(super) available: Option<bool>,
    pub(super) status: Option<String>,
    pub(super) vacancies: Option<i64>,
    /// The last moment at which it can be booked.
    pub(super) utc_cutoff_at: Option<String>,
}

/// A booking.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct BookingIn {
    pub(super) uuid: String,
    pub(super) id: Option<String>,
    pub(super) test_mode: Option<bool>,
    pub(super) supplier_reference: Option<String>,
    pub(super) reseller_reference: Option<String>,
    pub(super) status: String,
    pub(super) utc_expires_at: Option<String>,
    pub(super) utc_redeemed_at: Option<String>,
    pub(super) product_id: Option<String>,
    pub(super) option_id: Option<String>,
    pub(super) availability_id: Option<String>,
    pub(super) availability: Option<AvailabilityIn>,
    /// How its guests are known at the gate, where the supplier says it of a booking as well.
    pub(super) redemption_method: Option<String>,
    #[serde(default)]
    pub(super) delivery_methods: Option<Vec<String>>,
    pub(super) voucher: Option<TicketIn>,
    #[serde(default)]
    pub(super) unit_items: Option<Vec<UnitItemIn>>,
    /// How it was cancelled. Nothing depends on it but what is said of the money, so nothing about it makes an answer unreadable.
    pub(super) cancellation: Option<serde_json::Value>,
    /// What it costs, with octo/pricing; the same holds for it.
    pub(super) pricing: Option<serde_json::Value>,
}

/// A price.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct PriceIn {
    /// What the reseller pays, in minor units; not every supplier tells.
    pub(super) net: Option<i64>,
    pub(super) currency: String,
    /// Digits behind the point that the amounts are told with.
    pub(super) currency_precision: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct UnitItemIn {
    pub(super) uuid: Option<String>,
    pub(super) unit_id: Option<String>,
    pub(super) utc_redeemed_at: Option<String>,
    pub(super) ticket: Option<TicketIn>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct TicketIn {
    pub(super) redemption_method: Option<String>,
    #[serde(default)]
    pub(super) delivery_options: Option<Vec<DeliveryIn>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct DeliveryIn {
    pub(super) delivery_format: Option<String>,
    pub(super) delivery_value: Option<String>,
}

/// What is said when something is wrong; nearly always with HTTP 400, so that only `error` tells what.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct ErrorIn {
    pub(super) error: String,
    pub(super) error_message: Option<String>,
}
