// SPDX-License-Identifier: Apache-2.0

//! What resellers send, as far as it is read. Unknown fields are tolerated, and null is absence.

use serde::Deserialize;

/// The one option of a product.
pub(super) const OPTION: &str = "DEFAULT";
/// The one unit of it.
pub(super) const UNIT: &str = "unit";

/// Body of `POST /availability` and `POST /availability/calendar`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct AvailabilityIn {
    pub(super) product_id: String,
    pub(super) option_id: String,
    pub(super) local_date_start: Option<String>,
    pub(super) local_date_end: Option<String>,
    pub(super) local_date: Option<String>,
    pub(super) availability_ids: Option<Vec<String>>,
    pub(super) units: Option<Vec<UnitCountIn>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct UnitCountIn {
    pub(super) id: String,
    pub(super) quantity: u32,
}

/// Body of `POST /bookings`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct ReserveIn {
    pub(super) uuid: Option<String>,
    pub(super) product_id: String,
    pub(super) option_id: String,
    pub(super) availability_id: Option<String>,
    pub(super) expiration_minutes: Option<i64>,
    pub(super) reseller_reference: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) unit_items: Vec<UnitItemIn>,
    pub(super) contact: Option<ContactIn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct UnitItemIn {
    pub(super) uuid: Option<String>,
    pub(super) unit_id: String,
    pub(super) reseller_reference: Option<String>,
    pub(super) contact: Option<ContactIn>,
}

/// Guests' data, of which only what admits somebody is kept.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct ContactIn {
    pub(super) full_name: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) phone_number: Option<String>,
}

/// Body of `POST /bookings/{uuid}/confirm`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct ConfirmIn {
    pub(super) contact: ContactIn,
    pub(super) reseller_reference: Option<String>,
    pub(super) unit_items: Option<Vec<UnitItemIn>>,
}

/// Body of `POST /bookings/{uuid}/extend`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct ExtendIn {
    pub(super) expiration_minutes: Option<i64>,
}

/// Body of `POST /bookings/{uuid}/cancel`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct CancelIn {
    pub(super) reason: Option<String>,
}

/// Body of `PATCH /bookings/{uuid}`: what is left out stays.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct UpdateIn {
    pub(super) product_id: Option<String>,
    pub(super) option_id: Option<String>,
    pub(super) availability_id: Option<String>,
    pub(super) expiration_minutes: Option<i64>,
    pub(super) reseller_reference: Option<String>,
    pub(super) unit_items: Option<Vec<UnitItemIn>>,
    pub(super) contact: Option<ContactIn>,
}
