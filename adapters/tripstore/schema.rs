// SPDX-License-Identifier: Apache-2.0

//! The bodies of this channel as JSON Schemas (`/schemas/tripstore/…`). Words come from the lists by which `wire` and `map` read.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;
use ticketbridge_core::limits::{AMOUNT_MAX, QUANTITY_MAX};

use super::map::LINK_STATES;
use super::wire::{OWNERS, PAYMENT_KINDS, PURPOSES, STATUSES};
use crate::fat_events::read::LIST_MAX;
use crate::fat_events::schema::{
    Day, FreeText, Id, Instant, MaybeId, PaymentCancel, Revision, SomeWon, Won, when, words,
};

/// Events that tell a whole booking: all that are known.
pub(super) const WHOLE: &[&str] = &[
    "booking.received",
    "booking.completed",
    "booking.cancel_requested",
    "booking.cancel_withdrawn",
    "booking.canceled",
    "booking.departed",
    "payment.recorded",
    "payment.canceled",
    "payment_link.updated",
    "booking.agency_no_changed",
];

/// An event of a TripStore-style marketplace: the whole booking as it stands, with what changed beside it.
#[derive(JsonSchema)]
#[schemars(extend("allOf" = [
    when("event_type", WHOLE, &json!({ "required": ["booking"], "properties": { "booking": { "type": "object" } } })),
]))]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Event {
    /// The same as the header `webhook-id`, and the same on every attempt.
    event_id: Id,
    /// What happened. Types that are unknown here are kept, and answered `ignored`.
    #[schemars(length(min = 1))]
    event_type: FreeText,
    /// `"1"`.
    schema_version: Option<FreeText>,
    /// When it happened.
    occurred_at: Instant,
    revision: Option<Revision>,
    /// Whose.
    partner_id: Option<FreeText>,
    /// The settle unit; another one than the channel's is shown.
    settle_id: Option<FreeText>,
    /// Of which agency.
    agency_code: Option<FreeText>,
    /// The whole booking.
    booking: Option<Booking>,
    /// What is particular to the event.
    change: Option<Change>,
}

/// A booking. 1 to 1000 travellers together; a discount is never more than the total, a coupon's amount never more than the discount.
#[derive(JsonSchema)]
#[schemars(extend("allOf" = [
    when("payment_owner", &["AGENCY"], &json!({ "properties": {
        "payment_kind": { "type": "null" }, "coupon": { "type": "null" }, "payments": { "maxItems": 0 },
    } })),
    when("payment_owner", &["TRIP"], &json!({ "required": ["payment_kind"], "properties": { "payment_kind": { "type": "string" } } })),
    when("payment_kind", &["LINK", "PARTIAL"], &json!({ "properties": { "coupon": { "type": "null" } } })),
    when("payment_kind", &["FULL"], &json!({ "properties": { "payments": {
        "maxItems": 1, "items": { "properties": { "purpose": { "const": "FULL" } } },
    } } })),
]))]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Booking {
    /// The marketplace's number for it: the key.
    booking_no: Id,
    /// The agency's own number; it may change at any time.
    agency_booking_no: Option<MaybeId>,
    agency_code: Id,
    /// The code of a booking product in our configuration.
    product_code: Id,
    /// The departure.
    event_code: Id,
    /// Where it stands.
    #[schemars(schema_with = "statuses")]
    status: (),
    /// Who takes the money; a booking of `AGENCY` is only looked at.
    #[schemars(schema_with = "owners")]
    payment_owner: (),
    /// How it is paid: needed for `TRIP`, null for `AGENCY`.
    #[schemars(schema_with = "payment_kinds", default)]
    payment_kind: (),
    departure_date: Day,
    return_date: Option<Day>,
    travellers: Travellers,
    booker: Booker,
    amounts: Amounts,
    balance_due_date: Option<Day>,
    coupon: Option<Coupon>,
    #[schemars(length(max = LIST_MAX))]
    payments: Option<Vec<Payment>>,
    booked_at: Instant,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Travellers {
    #[schemars(schema_with = "travellers", default)]
    adult: (),
    #[schemars(schema_with = "travellers", default)]
    child: (),
    #[schemars(schema_with = "travellers", default)]
    infant: (),
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Booker {
    name: Option<FreeText>,
    phone: Option<FreeText>,
    /// Whether the phone is shortened: then it is nobody's key.
    masked: Option<bool>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Amounts {
    total_sale_krw: Won,
    discount_krw: Won,
    paid_krw: Won,
    /// What the marketplace says is open.
    outstanding_krw: Won,
    deposit_krw: Option<Won>,
}

/// Only with full payment.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Coupon {
    coupon_id: Option<FreeText>,
    amount_krw: Won,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Payment {
    payment_id: Id,
    /// For what it was.
    #[schemars(schema_with = "purposes")]
    purpose: (),
    amount_krw: Won,
    approved_at: Instant,
    /// The link by which it was paid.
    link_id: Option<MaybeId>,
    cancels: Option<Vec<PaymentCancel>>,
}

/// What is particular to an event; which fields are there depends on its type.
#[derive(JsonSchema)]
#[schemars(extend("allOf" = [json!({
    "if": { "required": ["link_id"], "properties": { "link_id": { "not": { "type": "null" } } } },
    "then": { "required": ["status"], "properties": { "status": words(LINK_STATES), "link_id": { "type": "string", "pattern": "\\S" } } },
})]))]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Change {
    completed_at: Option<Instant>,
    requested_at: Option<Instant>,
    canceled_at: Option<Instant>,
    /// Where a booking stood before its cancellation was asked for.
    from_status: Option<FreeText>,
    /// For people.
    reason: Option<FreeText>,
    fee_krw: Option<Won>,
    refund_krw: Option<Won>,
    /// A payment that is new.
    payment: Option<Payment>,
    /// Money that goes back.
    cancel: Option<PaymentCancel>,
    /// A payment link, whose `status` stands beside it.
    link_id: Option<MaybeId>,
    old_no: Option<FreeText>,
    new_no: Option<MaybeId>,
}

fn statuses(_: &mut SchemaGenerator) -> Schema {
    words(STATUSES)
}
fn owners(_: &mut SchemaGenerator) -> Schema {
    words(OWNERS)
}
fn payment_kinds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [words(PAYMENT_KINDS), { "type": "null" }] })
}
fn purposes(_: &mut SchemaGenerator) -> Schema {
    words(PURPOSES)
}
fn travellers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "null"], "minimum": 0, "maximum": QUANTITY_MAX })
}

/// `POST /v1/bookings/{booking_no}/complete`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Complete {
    /// The revision that we decided on; null where none are counted.
    expected_revision: Option<u64>,
    /// The agency's own number, where its books have given one.
    agency_booking_no: Option<String>,
    happy_call_at: Instant,
}

/// `POST …/cancel`: the end of a cancellation that the guest has asked for.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Cancel {
    expected_revision: Option<u64>,
    fee_krw: Won,
    refund_krw: Won,
    expect_paid_krw: Won,
}

/// `POST …/payments/{payment_id}/cancel`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct ReturnPayment {
    cancel_krw: SomeWon,
    expect_cancelable_krw: Won,
}

/// `POST …/payment-links`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct PaymentLink {
    #[schemars(schema_with = "purposes")]
    purpose: (),
    amount_krw: SomeWon,
    expires_at: Instant,
    /// `ALIMTALK`, or `NONE` where no number of the guest's is known.
    send: String,
}

/// Your answer to it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct PaymentLinkAnswer {
    /// The link's number.
    #[schemars(length(min = 1, max = 128))]
    link_id: String,
    /// Its address.
    #[schemars(length(max = 512))]
    url: Option<String>,
    /// The booking's number, where it is repeated.
    booking_no: Option<String>,
}

/// The hand-over to the agency's own books: `POST /v1/bookings`, and `PUT /v1/bookings/{agency_booking_no}` for a change.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct HandOver {
    /// The marketplace's number: the key. `Idempotency-Key` is `erp-` and this.
    external_no: String,
    /// `TRIPSTORE`.
    channel: String,
    event_code: Option<String>,
    booker_name: Option<String>,
    /// A constant that is nobody's number where the marketplace takes the money.
    booker_phone: Option<String>,
    phone_masked: bool,
    travellers: HandedTravellers,
    departure_date: Option<Day>,
    #[schemars(schema_with = "amount")]
    total_sale_krw: (),
    #[schemars(schema_with = "amount")]
    collect_from_customer_krw: (),
    /// Names the channel and the gross amount.
    memo: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct HandedTravellers {
    adult: u32,
    child: u32,
    infant: u32,
}

fn amount(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": AMOUNT_MAX })
}

/// The books' answer to it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct HandOverAnswer {
    /// The agency's own number for it.
    #[schemars(length(min = 1, max = 128))]
    agency_booking_no: String,
    /// The marketplace's number, where it is repeated.
    external_no: Option<String>,
}

/// Your answer to our question which bookings have changed (`GET /v1/bookings?updated_from=…&updated_to=…`).
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Bookings {
    /// Each whole, as it stands now; its `revision` may stand in it.
    bookings: Vec<Booking>,
    /// Where the list goes on: we ask again with it as `cursor`. Null, empty or not there at the end.
    next_cursor: Option<FreeText>,
}
