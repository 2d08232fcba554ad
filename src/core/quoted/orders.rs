// SPDX-License-Identifier: Apache-2.0

//! Whom an order knows.

use super::guests::Guests;
use crate::order::Order;

impl Guests {
    /// Everybody of whom the order knows something.
    pub fn of(order: &Order) -> Self {
        let mut guests = Self::nobody();
        guests.learn(order.people().map(|(_, person)| person));
        let bookings = order.booking.iter().chain(&order.past_bookings);
        let numbers = bookings.map(|booking| &booking.channel_booking_id).chain([&order.channel_order_id]);
        let cases = order.past_refund_cases.iter().chain(&order.refund_case).map(|case| case.channel_ref.as_str());
        guests.own = numbers.map(|number| number.as_str()).chain(cases).map(str::to_owned).collect();
        guests
    }
}

impl Order {
    /// `text` with every name, phone and document number of this order's people masked, and whatever else may be such a number.
    pub fn without_guests(&self, text: &str) -> String {
        Guests::of(self).text(text).into()
    }
}
