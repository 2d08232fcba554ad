// SPDX-License-Identifier: Apache-2.0

//! Our answer to a channel.

use crate::order::Order;
use crate::port::{AuthError, DecodeError};
use crate::product::BookingProduct;
use crate::rejection::Rejection;
use crate::time::{Date, Millis};

/// A date with what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarDay {
    /// The date.
    pub date: Date,
    /// Units left; `None` is unlimited.
    pub left: Option<i64>,
    /// Price of one unit, minor units.
    pub price: i64,
    /// Whether it can be booked at all.
    pub open: bool,
}

/// A product, and what can be visited of it on the days that were asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The product.
    pub product: BookingProduct,
    /// The days of its calendar.
    pub days: Vec<CalendarDay>,
}

/// Our answer, before the adapter puts it into its channel's words.
#[derive(Debug)]
pub enum Answer<'a> {
    /// Done, or done before; this is the order now.
    Accepted(&'a Order),
    /// The same message came before; this is the order now, where there is one.
    Repeated(Option<&'a Order>),
    /// Something later has been told already; at most its money was new.
    Stale(&'a Order),
    /// So many units are left; `None` is unlimited.
    Left(Option<i64>),
    /// Kept for later: the order is not known yet.
    Kept,
    /// It may be sold.
    MaySell,
    /// How the order stands.
    Status(&'a Order),
    /// What can be visited.
    Calendar(&'a [CalendarDay]),
    /// The reservations that were asked for.
    Reservations(&'a [Order]),
    /// What can be sold.
    Offers(&'a [Offer]),
    /// Stored; nothing else to say.
    Noted,
    /// There is no such order.
    NoSuchOrder,
    /// Refused.
    Refused(&'a Rejection),
    /// The same key came with other content.
    ContentDiffers,
    /// The caller is not believed.
    Unauthenticated(&'a AuthError),
    /// The message cannot be read.
    Malformed(&'a DecodeError),
    /// Come again.
    TryLater(Millis),
}
