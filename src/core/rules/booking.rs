//! Whether a booking may be confirmed: all that the other rules of this folder say of a visit, in one order.

use crate::message::RequestBooking;
use crate::product::RuleSnapshot;
use crate::rejection::{Rejection, Why};
use crate::rules::{dates, guests, limits};
use crate::time::UnixMillis;
use crate::words::{units, units_are};

/// Checks a wish for a visit date against the rules the order was placed under (DY-06 to DY-09). `order_quantity` is the
/// units of the order: they are booked together. Field paths count visitors from 0, as JSON does.
pub fn check_booking(
    rules: &RuleSnapshot,
    order_quantity: u32,
    request: &RequestBooking,
    now: UnixMillis,
) -> Result<(), Rejection> {
    let (product, contact) = (&rules.booking, request.contact.as_ref());
    if request.quantity != order_quantity {
        let sentence =
            format!("the order has {}, which are booked together; wanted: {}", units(order_quantity), request.quantity);
        return Err(Rejection::new(Why::QuantityLimit, sentence).at("quantity"));
    }
    if let Some(date) = request.visit_date {
        dates::check_date(rules, date, now)?;
    }
    let today = rules.channel.time_zone.date_of(now);
    guests::check_guests(product, order_quantity, &request.visitors, contact, today)?;
    limits::check_age_and_sex(&product.limits, &request.visitors, contact, request.visit_date)?;
    limits::check_shares(&product.limits, order_quantity, &request.visitors, contact, &request.counts)?;
    check_left(request.quantity, request.counts.date_left)
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
