// SPDX-License-Identifier: Apache-2.0

//! A sale and a booking, as a channel tells them.

use serde::{Deserialize, Serialize};

use crate::id::{ChannelId, ExternalId, ProductCode};
use crate::order::money::PaymentMode;
use crate::order::{HeldUnit, Order, OrderKind};
use crate::personal::Person;
use crate::product::Currency;
use crate::shared_rules::SharedRules;
use crate::time::{Date, Millis, UnixMillis};

/// Which products a channel's product id names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProductRef {
    /// The voucher, for a voucher order.
    pub voucher: Option<ProductCode>,
    /// The booking product; `None` when the channel does not name it (the voucher's own is meant).
    pub booking: Option<ProductCode>,
}

/// A sale, as its channel tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sale {
    /// The channel's number for the sale.
    pub channel_order_id: ExternalId,
    /// Voucher or direct.
    pub kind: OrderKind,
    /// The product sold.
    pub product: ProductRef,
    /// Units.
    pub quantity: u32,
    /// Who collects the money.
    pub payment_mode: PaymentMode,
    /// Currency of the amounts.
    pub currency: Currency,
    /// Price before discounts, minor units.
    pub gross: i64,
    /// What is to be received, minor units.
    pub due: i64,
    /// Whether it is paid already.
    pub paid: bool,
    /// Who bought.
    pub buyer: Person,
    /// When the channel says it was placed.
    pub placed_at: UnixMillis,
}

/// A sale, with the rules that hold for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// Where it was sold.
    pub channel: ChannelId,
    /// The sale.
    pub sale: Sale,
    /// The rules in force, from the running configuration.
    pub rules: SharedRules,
    /// Made up from a later message, because the sale was never told: no rule of the sale is checked again.
    pub is_stub: bool,
}

impl PlaceOrder {
    /// What `order` would be as a sale of so many of this product under its rules, at this price altogether, still to be paid.
    pub fn instead_of(order: &Order, product: ProductRef, rules: SharedRules, (quantity, gross): (u32, i64)) -> Self {
        let sale = Sale {
            channel_order_id: order.channel_order_id.clone(),
            kind: order.kind,
            product,
            quantity,
            payment_mode: order.money.mode,
            currency: order.money.currency.clone(),
            gross,
            due: gross,
            paid: false,
            buyer: order.buyer.clone(),
            placed_at: order.placed_at,
        };
        Self { channel: order.channel.clone(), sale, rules, is_stub: order.is_stub }
    }
}

/// A wish to keep a place before it is sold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HoldWish {
    /// How long it is to be kept.
    pub lasts: Millis,
    /// The reseller's own name for the booking.
    pub reference: Option<String>,
    /// The units, as the reseller names them.
    pub units: Vec<HeldUnit>,
}

/// A wish for a visit date.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestBooking {
    /// The channel's number for the booking.
    pub channel_booking_id: ExternalId,
    /// Units; all of the order's.
    pub quantity: u32,
    /// The date; `None` when the channel sends it later, with its demand for tickets.
    pub visit_date: Option<Date>,
    /// At which local time of that day, `HH:MM`, where the channel says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit_time: Option<String>,
    /// Who comes.
    pub visitors: Vec<Person>,
    /// Whom to reach.
    pub contact: Option<Person>,
    /// When the channel says it was asked for.
    pub requested_at: UnixMillis,
    /// The place is only to be kept: who comes is said, and the sale made, when it is confirmed. Its price is ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Box<HoldWish>>,
    /// What the engine looked up for the decision, inside the same transaction.
    pub counts: Counts,
}

/// What others have taken already; read under lock, so that the last unit goes to one buyer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Counts {
    /// Units left of the voucher; `None` is unlimited.
    pub voucher_left: Option<i64>,
    /// Units left on the visit date; `None` is unlimited.
    pub date_left: Option<i64>,
    /// Units that the buyer's phone has already bought or booked.
    pub phone_units: u32,
    /// For each visitor with a document, in order: live bookings of that document for this product.
    pub document_bookings: Vec<u32>,
    /// What the channel's credit account still covers, minor units; `None` when it has none.
    pub credit_available: Option<i64>,
}
