// SPDX-License-Identifier: Apache-2.0

//! Guests' data: in clear for a reason, what is known of one of them, and what was forgotten.

use schemars::JsonSchema;
use serde::Serialize;
use ticketbridge_core::order::{BookingState, OrderState};
use ticketbridge_core::personal::Phone;
use ticketbridge_core::product::Currency;
use ticketbridge_core::{BookingId, ChannelId, Date as Day, ExternalId, OrderId, ProductCode};

use super::order::Person;
use super::{Date, Time};
use crate::http::ops::words;

/// The people of an order, in clear.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "guests")]
pub(crate) struct Guests<'a> {
    #[schemars(with = "String")]
    pub(crate) order_id: &'a OrderId,
    pub(crate) buyer: Person<'a>,
    pub(crate) booking: Option<GuestsOfBooking<'a>>,
    pub(crate) past_bookings: Vec<GuestsOfBooking<'a>>,
    pub(crate) version: u64,
}

/// The people of a booking.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "guests_of_booking")]
pub(crate) struct GuestsOfBooking<'a> {
    #[schemars(with = "String")]
    pub(crate) id: &'a BookingId,
    #[schemars(with = "String")]
    pub(crate) channel_booking_id: &'a ExternalId,
    pub(crate) contact: Option<Person<'a>>,
    pub(crate) visitors: Vec<Person<'a>>,
}

/// Everything that is known of a guest.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "guest_export")]
pub(crate) struct GuestExport<'a> {
    /// Masked.
    #[schemars(with = "String")]
    pub(crate) phone: &'a Phone,
    #[schemars(with = "Vec<KnownOf>")]
    pub(crate) orders: &'a [serde_json::Value],
}

/// What an order knows of a guest; amounts in minor units.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "known_of_guest")]
pub(crate) struct KnownOf<'a> {
    #[schemars(with = "String")]
    pub(crate) order_id: &'a OrderId,
    #[schemars(with = "String")]
    pub(crate) channel: &'a ChannelId,
    #[schemars(with = "String")]
    pub(crate) channel_order_id: &'a ExternalId,
    #[schemars(with = "String", extend("enum" = words::ORDER_STATES))]
    pub(crate) state: OrderState,
    #[schemars(with = "String")]
    pub(crate) product: &'a ProductCode,
    pub(crate) quantity: u32,
    #[schemars(with = "String")]
    pub(crate) currency: &'a Currency,
    pub(crate) total: i64,
    pub(crate) received: i64,
    pub(crate) refunded: i64,
    pub(crate) placed_at: Time,
    pub(crate) records: Vec<RecordOfGuest<'a>>,
    pub(crate) visits: Vec<Visit<'a>>,
}

/// Where a guest stands in an order.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct RecordOfGuest<'a> {
    #[schemars(extend("enum" = words::PEOPLE))]
    pub(crate) r#as: &'a str,
    pub(crate) person: Person<'a>,
}

/// A visit of an order.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Visit<'a> {
    #[schemars(with = "String")]
    pub(crate) channel_booking_id: &'a ExternalId,
    #[schemars(with = "String", extend("enum" = words::BOOKING_STATES))]
    pub(crate) state: BookingState,
    #[schemars(with = "Option<Date>")]
    pub(crate) visit_date: Option<Day>,
    pub(crate) used_at: Option<Time>,
}

/// What came of forgetting a guest.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "guest_erasure")]
pub(crate) struct GuestErasure<'a> {
    /// Masked.
    #[schemars(with = "String")]
    pub(crate) phone: &'a Phone,
    #[schemars(with = "Vec<String>")]
    pub(crate) erased: &'a [OrderId],
    /// Orders that still need the data; it is erased when they are over.
    pub(crate) kept: Vec<StillNeeded<'a>>,
}

/// An order that still needs a guest's data.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct StillNeeded<'a> {
    #[schemars(with = "String")]
    pub(crate) order_id: &'a OrderId,
    pub(crate) reason: &'a str,
    /// It is done by itself when the order is over.
    pub(crate) noted: bool,
}
