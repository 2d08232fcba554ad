// SPDX-License-Identifier: Apache-2.0

//! The JSON of `adapters/ticketing_http/README.md`, as it is on the wire. Never leaves this folder.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ticketbridge_core::limits::{AMOUNT_MAX, CODE_CHARS_MAX, EXTERNAL_ID_CHARS_MAX, QR_CHARS_MAX, TICKETS_MAX};

use crate::fat_events::schema::{Day, Instant, when};

/// Body of `POST reservations`. Guests' data is in clear: it is what the back-end is asked to admit.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct ReservationRequest<'a> {
    /// Our number for it, by which everything else is told: the key.
    pub(super) reservation_id: &'a str,
    /// The order that it belongs to.
    pub(super) order_id: &'a str,
    /// Your product's code, as our configuration names it.
    pub(super) product: &'a str,
    /// The day of the visit; null when any day until `valid_until` admits.
    #[schemars(with = "Option<Day>")]
    pub(super) visit_date: Option<String>,
    /// `HH:MM`, of a product that is sold by start times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) visit_time: Option<String>,
    /// The last day on which the tickets admit.
    #[schemars(with = "Option<Day>")]
    pub(super) valid_until: Option<String>,
    /// Units that were sold.
    #[schemars(range(min = 1))]
    pub(super) quantity: u32,
    /// People who come: units times visitors of each.
    pub(super) visitor_count: u32,
    /// Who comes, as far as the product asks for it.
    pub(super) visitors: Vec<PersonOut<'a>>,
    /// Whom to reach.
    pub(super) contact: Option<PersonOut<'a>>,
    /// When the tickets are needed.
    #[schemars(with = "Option<Instant>")]
    pub(super) issue_by: Option<String>,
}

/// A guest, in clear.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct PersonOut<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) phone: Option<&'a str>,
    pub(super) document: Option<DocumentOut<'a>>,
}

/// An identity document.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DocumentOut<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Option<&'static str>,
    pub(super) number: &'a str,
}

/// Body of `POST reservations/{id}/cancel`.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct CancelRequest {
    /// Why: always the same word.
    pub(super) reason: &'static str,
}

/// Answer to everything about a reservation; also `data` of the event `reservation.issued`.
#[derive(Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
#[schemars(extend("allOf" = [when("state", &["issued"], &json!({
    "required": ["tickets"], "properties": { "tickets": { "type": "array", "minItems": 1 } },
}))]))]
pub(crate) struct ReservationAnswer {
    /// How the reservation stands.
    #[schemars(schema_with = "states", required)]
    pub(super) state: Option<String>,
    /// Your own number for it; once told, always the same.
    #[schemars(schema_with = "reference")]
    #[serde(default)]
    pub(super) backend_ref: Option<Text>,
    /// Needed with `issued`.
    #[serde(default)]
    #[schemars(length(max = TICKETS_MAX))]
    pub(super) tickets: Option<Vec<TicketIn>>,
    /// Why it was refused, for people; `used` for a cancellation means that the guest was there.
    pub(super) reason: Option<String>,
    /// When the guest was there, with `redeemed`.
    #[schemars(with = "Option<Instant>")]
    #[serde(default)]
    pub(super) redeemed_at: Option<String>,
}

fn states(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": [
        "issued", "pending", "refused", "redeemed", "used", "cancelled", "cancel_pending", "cancel_refused",
    ] })
}

fn reference(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "integer", "null"], "minimum": 0, "maxLength": EXTERNAL_ID_CHARS_MAX })
}

/// Your answer to `POST …/cancel`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is read as every answer about a reservation")]
pub(crate) struct CancelAnswer {
    /// `refused` with the reason `used`: the guest was there.
    #[schemars(schema_with = "cancel_states")]
    state: (),
    reason: Option<String>,
}

fn cancel_states(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": [
        "cancelled", "pending", "refused", "redeemed", "used", "cancel_pending", "cancel_refused",
    ] })
}

#[derive(Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
#[schemars(extend("if" = json!({ "properties": { "kind": { "enum": ["code", "document", null] } } })),
    extend("then" = json!({ "properties": { "code": { "maxLength": CODE_CHARS_MAX } } })))]
pub(crate) struct TicketIn {
    /// What the guest shows: at most 100 characters for a code or a document, 512 for a QR picture's content or a link.
    #[schemars(schema_with = "code", required)]
    pub(super) code: Option<Text>,
    /// What `code` is; `code` when left out.
    #[schemars(schema_with = "kinds")]
    #[serde(default)]
    pub(super) kind: Option<String>,
    /// Your project or gate, where a channel asks for it.
    #[schemars(schema_with = "reference")]
    #[serde(default)]
    pub(super) project_id: Option<Text>,
    /// For the guest.
    pub(super) name: Option<String>,
}

fn code(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "integer"], "minimum": 0, "maxLength": QR_CHARS_MAX, "pattern": "^[^\\x00-\\x1f\\x7f]*[^\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$" })
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["code", "qr", "url", "document", null] })
}

/// A text, which many systems write as a number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text")]
pub(super) enum Text {
    Written(String),
    Number(u64),
}

impl Text {
    pub(super) fn into_string(self) -> String {
        match self {
            Text::Written(text) => text,
            Text::Number(number) => number.to_string(),
        }
    }
}

/// Answer to `GET availability`.
#[derive(Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
pub(crate) struct AvailabilityAnswer {
    pub(super) days: Vec<DayIn>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
pub(crate) struct DayIn {
    #[schemars(with = "Day")]
    pub(super) date: String,
    /// Places left; null is unlimited.
    #[schemars(range(max = AMOUNT_MAX))]
    pub(super) remaining: Option<i64>,
    /// In minor units.
    #[schemars(range(min = 0, max = AMOUNT_MAX))]
    pub(super) price: i64,
}

/// An event that you tell.
#[derive(Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
#[schemars(extend("allOf" = [
    when("type", &["reservation.issued"], &json!({ "required": ["data"], "properties": { "data": {
        "$ref": "#/$defs/Issued", "type": "object",
    } } })),
    when("type", &["reservation.refused", "reservation.cancel_refused"], &json!({ "properties": { "data": {
        "properties": { "reason": { "type": ["string", "null"] } },
    } } })),
    when("type", &["ticket.redeemed"], &json!({ "required": ["occurred_at"], "properties": { "occurred_at": { "type": "string" } } })),
    when("type", KNOWN, &json!({ "required": ["reservation_id"], "properties": {
        "reservation_id": { "minLength": 1 },
        "data": { "properties": {
            "used": { "type": ["integer", "null"] }, "code": { "type": ["string", "number", "null"], "pattern": "\\S" },
            "reservation_id": { "type": ["string", "number", "null"] }, "order_id": { "type": ["string", "number", "null"] },
            "backend_ref": { "type": ["string", "number", "null"] },
        } },
    } })),
]))]
pub(crate) struct EventIn {
    /// What happened; types that are unknown here are answered `ignored`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Our number for the reservation.
    #[serde(default)]
    #[schemars(length(max = EXTERNAL_ID_CHARS_MAX))]
    pub(super) reservation_id: String,
    /// When it happened; for `ticket.redeemed` the time of entry, and needed.
    #[schemars(with = "Option<Instant>")]
    #[serde(default)]
    pub(super) occurred_at: Option<String>,
    /// What is particular to the type.
    #[serde(default)]
    #[schemars(schema_with = "data")]
    pub(super) data: Value,
}

fn data(generator: &mut SchemaGenerator) -> Schema {
    // The condition above speaks of it by name.
    let _named = generator.subschema_for::<Issued>();
    json_schema!({ "type": ["object", "null"] })
}

/// `data` of `reservation.issued`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is read as an answer about the reservation")]
struct Issued {
    /// `issued`, if it is there.
    #[schemars(schema_with = "issued", default)]
    state: (),
    #[schemars(schema_with = "reference", default)]
    backend_ref: (),
    #[schemars(length(min = 1, max = TICKETS_MAX))]
    tickets: Vec<TicketIn>,
}

fn issued(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["issued", null] })
}

/// The types that mean something.
const KNOWN: &[&str] = &[
    "reservation.issued",
    "reservation.refused",
    "reservation.cancelled",
    "reservation.cancel_refused",
    "ticket.redeemed",
];

/// `data` of an event that carries a reason.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
pub(crate) struct ReasonIn {
    pub(super) reason: Option<String>,
}
