// SPDX-License-Identifier: Apache-2.0

//! People: whom the channel has opened, and who are erased.

use crate::order::{Order, TicketKind};
use crate::personal::{DocumentNumber, Person, in_clear};
use crate::quoted::Guests;

pub(super) fn supplied(order: &mut Order, buyer: &Person, visitors: &[Person], contact: &Option<Person>) {
    order.buyer = buyer.clone();
    if let Some(booking) = &mut order.booking {
        booking.visitors = visitors.to_vec();
        booking.contact = contact.clone();
    }
}

/// People become nobody; how many they were stays.
pub(super) fn erased(order: &mut Order) {
    // What partners and colleagues have written about them goes with them, numbers too that hold a guest's own.
    let guests = Guests::of(order);
    if let Ok(mut document) = in_clear(|| serde_json::to_value(&*order)) {
        guests.forget(&mut document);
        // A document whose texts were changed reads as it did: only texts were, and none that means something to us.
        if let Ok(scrubbed) = serde_json::from_value(document) {
            *order = scrubbed;
        }
    }
    order.buyer = Person::default();
    for booking in order.booking.iter_mut().chain(&mut order.past_bookings) {
        booking.visitors.fill(Person::default());
        booking.contact = booking.contact.as_ref().map(|_| Person::default());
        if let Some(request) = &mut booking.ticketing.request {
            request.visitors.fill(Person::default());
        }
        for ticket in booking.ticketing.ever_made_mut().filter(|ticket| ticket.kind == TicketKind::Document) {
            ticket.code = DocumentNumber::new("");
        }
    }
}
