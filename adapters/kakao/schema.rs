// SPDX-License-Identifier: Apache-2.0

//! The bodies of this channel as JSON Schemas (`/schemas/kakao/…`). Words come from the lists by which `wire` and `map` read.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;
use ticketbridge_core::limits::QUANTITY_MAX;

use super::map::LISTINGS;
use super::wire::{CANCEL_KINDS, CONFIRM_MODES, DEADLINES, PAYMENT_MODES, STATUSES, UNUSED_ACTIONS};
use crate::fat_events::read::LIST_MAX;
use crate::fat_events::schema::{
    Day, FieldError, FreeText, Id, Instant, MaybeId, PaymentCancel, Revision, SomeWon, Won, when, words,
};

/// Events that tell a whole reservation.
pub(super) const WHOLE: &[&str] = &[
    "reservation.requested",
    "reservation.confirmed",
    "reservation.rejected",
    "reservation.canceled",
    "reservation.used",
    "reservation.no_show",
    "payment.canceled",
    "payment.refund_updated",
];

/// An event of a Kakao-style platform: the whole reservation as it stands, with what changed beside it.
#[derive(JsonSchema)]
#[schemars(extend("allOf" = [
    when("event_type", WHOLE, &json!({ "required": ["reservation"], "properties": { "reservation": { "type": "object" } } })),
    when("event_type", &["product.status_changed"], &json!({
        "required": ["change"],
        "properties": { "change": { "type": "object", "required": ["to", "product_id"], "properties": {
            "product_id": { "$ref": "#/$defs/Id" }, "to": words(LISTINGS), "from": { "anyOf": [words(LISTINGS), { "type": "null" }] },
        } } },
    })),
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
    /// Which place of theirs.
    place_id: Option<FreeText>,
    /// The whole reservation.
    reservation: Option<Reservation>,
    /// What is particular to the event.
    change: Option<Change>,
}

/// A reservation. Sums must add up: lines to gross, gross less discount to net, payments to paid.
#[derive(JsonSchema)]
#[schemars(extend("allOf" = [
    when("status", &["CANCELED"], &json!({ "required": ["cancel_kind"], "properties": { "cancel_kind": { "type": "string" } } })),
    when("status", &["REQUESTED", "CONFIRMED", "USED", "NO_SHOW"], &json!({ "properties": { "cancel_kind": { "type": "null" } } })),
]))]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Reservation {
    /// The platform's number for it.
    reservation_no: Id,
    /// Where it stands.
    #[schemars(schema_with = "statuses")]
    status: (),
    /// Who ended it: needed for `CANCELED`, null otherwise.
    #[schemars(schema_with = "cancel_kinds", default)]
    cancel_kind: (),
    /// Against the platform's own rules.
    ex_officio: Option<bool>,
    /// Whether a manager has to accept it.
    #[schemars(schema_with = "confirm_modes")]
    confirm_mode: (),
    /// Whether it is paid at all.
    #[schemars(schema_with = "payment_modes")]
    payment_mode: (),
    /// When the guest booked.
    booked_at: Instant,
    /// What was booked.
    product: Product,
    /// For when.
    #[schemars(rename = "use")]
    visit: Use,
    /// Who booked.
    booker: Booker,
    /// What was booked, line by line; 1 to 1000 units together, each `detail_no` once.
    #[schemars(length(min = 1, max = LIST_MAX))]
    lines: Vec<Line>,
    /// What it costs.
    amounts: Amounts,
    /// What was paid; none for `BOOKING_ONLY`.
    #[schemars(length(max = LIST_MAX))]
    payments: Option<Vec<Payment>>,
    /// By when it can be cancelled, at what fee.
    cancel_policy: CancelPolicy,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Product {
    /// The code of a booking product in our configuration.
    product_id: Id,
    /// For people.
    name: Option<FreeText>,
}

/// The visit: a date, or times, or an end of validity alone.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Use {
    from: Option<Instant>,
    to: Option<Instant>,
    date: Option<Day>,
    valid_until: Option<Instant>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Booker {
    name: Option<FreeText>,
    phone: Option<FreeText>,
    /// Whether the phone is shortened: then it is nobody's key.
    masked: Option<bool>,
}

/// Some units at one price. `amount_krw` is `quantity` times `unit_price_krw`; used and cancelled together are never more than `quantity`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Line {
    detail_no: Id,
    label: Option<FreeText>,
    #[schemars(schema_with = "units")]
    quantity: (),
    unit_price_krw: Won,
    amount_krw: Won,
    #[schemars(schema_with = "units")]
    canceled_quantity: (),
    #[schemars(schema_with = "units")]
    used_quantity: (),
}

/// `net_krw` is `gross_krw` less `discount_krw`; no more is paid than net. More returned than paid is taken, and shown to a person.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Amounts {
    gross_krw: Won,
    discount_krw: Won,
    net_krw: Won,
    /// To be paid on the spot; for information.
    onsite_krw: Option<Won>,
    paid_krw: Won,
    refunded_krw: Won,
    fee_krw: Won,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Payment {
    payment_id: Id,
    amount_krw: SomeWon,
    approved_at: Instant,
    /// How much of it can still go back.
    cancelable_krw: Won,
    cancels: Option<Vec<PaymentCancel>>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct CancelPolicy {
    cancelable: Option<bool>,
    deadline: Deadline,
    /// Free of charge for so many minutes after booking, whatever else holds.
    #[schemars(schema_with = "minutes", default)]
    free_minutes_after_booking: (),
    /// Fees by time, in the order of their times; the bounds are exclusive.
    tiers: Option<Vec<Tier>>,
    /// What becomes of a visit that was not used.
    #[schemars(schema_with = "unused_actions")]
    unused_action: (),
    /// Whether single units can be cancelled.
    partial_allowed: Option<bool>,
}

/// The end of free cancellation. `resolved_until` is the platform's own result, and wins.
#[derive(JsonSchema)]
#[schemars(extend("allOf" = [
    when("kind", &["FIXED"], &json!({ "required": ["fixed_until"], "properties": { "fixed_until": { "type": "string" } } })),
    when("kind", &["RELATIVE"], &json!({
        "required": ["days_before", "at_time"],
        "properties": { "days_before": { "type": "integer" }, "at_time": { "type": "string" } },
    })),
]))]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Deadline {
    #[schemars(schema_with = "deadlines")]
    kind: (),
    fixed_until: Option<Instant>,
    /// Days before the visit.
    #[schemars(schema_with = "days_before", default)]
    days_before: (),
    /// HH:MM from 00:00 to 23:59; the end of a day is 00:00 of the next.
    #[schemars(schema_with = "time_of_day", default)]
    at_time: (),
    resolved_until: Option<Instant>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Tier {
    until: Instant,
    /// In ten-thousandths.
    #[schemars(schema_with = "rate")]
    fee_rate_bp: (),
}

/// What is particular to an event; which fields are there depends on its type.
#[derive(JsonSchema)]
#[schemars(extend("allOf" = [json!({
    "if": { "required": ["cancel_id"], "properties": { "cancel_id": { "type": "string", "pattern": "\\S" } } },
    "then": { "required": ["status"] },
})]))]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Change {
    /// Who did it.
    by: Option<FreeText>,
    reason_code: Option<FreeText>,
    /// For the guest.
    reason_text: Option<FreeText>,
    confirmed_at: Option<Instant>,
    canceled_at: Option<Instant>,
    used_at: Option<Instant>,
    marked_at: Option<Instant>,
    /// `payment.canceled`: money that goes back while the booking stays.
    cancels: Option<Vec<PaymentCancel>>,
    /// `payment.refund_updated`: which movement.
    cancel_id: Option<MaybeId>,
}

fn statuses(_: &mut SchemaGenerator) -> Schema {
    words(STATUSES)
}
fn cancel_kinds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [words(CANCEL_KINDS), { "type": "null" }] })
}
fn confirm_modes(_: &mut SchemaGenerator) -> Schema {
    words(CONFIRM_MODES)
}
fn payment_modes(_: &mut SchemaGenerator) -> Schema {
    words(PAYMENT_MODES)
}
fn unused_actions(_: &mut SchemaGenerator) -> Schema {
    words(UNUSED_ACTIONS)
}
fn deadlines(_: &mut SchemaGenerator) -> Schema {
    words(DEADLINES)
}
fn units(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": QUANTITY_MAX })
}
fn rate(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": super::wire::RATE_MAX })
}
fn days_before(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "null"], "minimum": 0, "maximum": super::wire::DAYS_BEFORE_MAX })
}
fn minutes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "null"], "minimum": 0, "maximum": super::wire::FREE_MINUTES_MAX })
}
fn time_of_day(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "pattern": "^([01]\\d|2[0-3]):[0-5]\\d$" })
}

/// The question whether there is room, before the platform confirms by itself. One of the ways to name a product, a date and a quantity.
#[derive(JsonSchema)]
#[schemars(extend("anyOf" = [
    { "required": ["product_id"], "properties": { "product_id": { "type": "string" } } },
    { "required": ["product"], "properties": { "product": { "type": "object" } } },
]))]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Availability {
    product_id: Option<Id>,
    product: Option<Product>,
    /// The date of the visit.
    date: Option<Day>,
    /// The same, where the visit has a time.
    from: Option<Instant>,
    /// How many units; 1 when left out.
    #[schemars(schema_with = "asked_units", default)]
    quantity: (),
}

fn asked_units(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "null"], "minimum": 0, "maximum": 1_000 })
}

/// Our answer to it; every doubt is a no.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct AvailabilityAnswer {
    available: bool,
    /// Units left; not there when they are not counted.
    #[schemars(default)]
    remaining: Option<i64>,
    /// `sold_out`, `closed` or `unknown`.
    #[schemars(default)]
    reason: Option<String>,
    /// Every field of the question that is missing or wrong, where that is why the answer is no.
    #[schemars(default)]
    errors: Option<Vec<FieldError>>,
}

/// `POST /v1/reservations/{reservation_no}/confirm`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Confirm {
    /// The revision that we decided on; null where none are counted. A later one is refused with 409 `revision_conflict`.
    expected_revision: Option<u64>,
    /// The ticketing system's number, where it has given one.
    backend_ref: Option<String>,
    decided_at: Instant,
}

/// `POST …/reject`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Reject {
    expected_revision: Option<u64>,
    /// `SOLD_OUT`, `CLOSED` or `OTHER`.
    reason_code: String,
    /// For the guest.
    #[schemars(length(max = 200))]
    reason_text: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct LineUnits {
    detail_no: Id,
    #[schemars(schema_with = "units")]
    quantity: (),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Fee {
    /// In ten-thousandths of the price.
    rate_bp: Option<u32>,
    amount_krw: Won,
}

/// `POST …/cancel`. What we count of the money stands beside it: where the platform counts otherwise, it answers 409.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Cancel {
    expected_revision: Option<u64>,
    fee: Fee,
    refund_krw: Option<Won>,
    expect_paid_krw: Won,
    expect_refunded_krw: Won,
    internal_reason: Option<String>,
    /// Only some units; not there for the whole booking.
    #[schemars(default)]
    lines: Option<Vec<LineUnits>>,
}

/// `POST …/use`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Used {
    lines: Vec<LineUnits>,
    used_at: Instant,
    /// `MANUAL`, or `CODE` with the place's code.
    method: String,
    /// The code that the place shows, where the channel's file has it.
    #[schemars(default)]
    use_code: Option<String>,
}

/// `POST …/no-show`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct NoShow {
    marked_at: Instant,
}

/// `POST …/payments/{payment_id}/cancel`: money goes back, the booking stays as it is.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct ReturnPayment {
    cancel_krw: SomeWon,
    expect_cancelable_krw: Won,
    #[schemars(default)]
    reason: Option<String>,
}

/// `PUT /v1/products/{product_id}/schedules/{schedule_id}/stock`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Stock {
    remaining: i64,
    as_of: Instant,
}

/// Your answer to our question what cancelling would cost (`GET …/cancel-quote`).
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Quote {
    /// Left out or null: our own count of the policy holds.
    fee_krw: Option<Won>,
    refund_krw: Option<Won>,
}

/// Your answer to our question which reservations have changed (`GET /v1/reservations?changed_from=…&changed_to=…`).
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Reservations {
    /// Each whole, as it stands now; its `revision` may stand in it.
    reservations: Vec<Reservation>,
    /// Where the list goes on: we ask again with it as `cursor`. Null, empty or not there at the end.
    next_cursor: Option<FreeText>,
}
