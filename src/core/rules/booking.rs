// SPDX-License-Identifier: Apache-2.0

//! Whether a booking may be confirmed: all that the other rules of this folder say of a visit, in one order.

use crate::message::{Counts, RequestBooking};
use crate::personal::Person;
use crate::product::RuleSnapshot;
use crate::rejection::{Rejection, Why};
use crate::rules::{dates, guests, limits};
use crate::time::{Date, UnixMillis};
use crate::words::{units, units_are};

/// Checks a wish for a visit date against the rules the order was placed under (DY-06 to DY-09). `order_quantity` is the
/// units of the order: they are booked together. Field paths count visitors from 0, as JSON does.
pub fn check_booking(
    rules: &RuleSnapshot,
    order_quantity: u32,
    request: &RequestBooking,
    now: UnixMillis,
) -> Result<(), Rejection> {
    if request.quantity != order_quantity {
        let sentence =
            format!("the order has {}, which are booked together; wanted: {}", units(order_quantity), request.quantity);
        return Err(Rejection::new(Why::QuantityLimit, sentence).at("quantity"));
    }
    if let Some(date) = request.visit_date {
        dates::check_date(rules, date, now)?;
    }
    if request.hold.is_none() {
        let guests = Guests {
            visitors: &request.visitors,
            contact: request.contact.as_ref(),
            visit_date: request.visit_date,
            counts: &request.counts,
        };
        check_visitors(rules, order_quantity, &guests, now)?;
    }
    check_left(request.quantity, request.counts.date_left)
}

/// Who comes, and when, and what they have booked already.
pub(crate) struct Guests<'a> {
    pub(crate) visitors: &'a [Person],
    pub(crate) contact: Option<&'a Person>,
    pub(crate) visit_date: Option<Date>,
    pub(crate) counts: &'a Counts,
}

/// Checks the people of a booking (DY-08, DY-09).
pub(crate) fn check_visitors(
    rules: &RuleSnapshot,
    order_quantity: u32,
    guests: &Guests<'_>,
    now: UnixMillis,
) -> Result<(), Rejection> {
    let (product, visitors, contact) = (&rules.booking, guests.visitors, guests.contact);
    let today = rules.channel.time_zone.date_of(now);
    guests::check_guests(product, order_quantity, visitors, contact, today)?;
    limits::check_age_and_sex(&product.limits, visitors, contact, guests.visit_date)?;
    limits::check_shares(&product.limits, order_quantity, visitors, contact, guests.counts)
}

/// Checks that the date has places for `quantity` units; `None` is no limit.
pub(crate) fn check_left(quantity: u32, left: Option<i64>) -> Result<(), Rejection> {
    match left {
        Some(left) if left < i64::from(quantity) => {
            let sentence = format!("{} left on this date, wanted: {quantity}", units_are(left.max(0)));
            Err(Rejection::new(Why::OutOfStock, sentence).at("visit_date"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "booking_tests.rs"]
mod tests;
