// SPDX-License-Identifier: Apache-2.0

//! People: opened by the channel, shown to one of ours, erased.

use crate::decide::draft::Draft;
use crate::decide::ticketing::{self, has_remote_cipher};
use crate::message::{Effect, Event};
use crate::order::{AttentionKind, BookingState, Order};
use crate::personal::Person;
use crate::quoted::FreeText;
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::time::UnixMillis;

/// The channel has opened its cipher.
pub(super) fn supply(
    draft: &mut Draft,
    buyer: &Person,
    visitors: &[Person],
    contact: Option<&Person>,
) -> Result<(), Rejection> {
    let before = draft.order();
    let (visitors, contact) = match &before.booking {
        Some(_) => (visitors.to_vec(), contact.cloned()),
        None => (Vec::new(), None),
    };
    if is_known(&before, buyer, &visitors, contact.as_ref()) {
        return Ok(());
    }
    if before.booking.as_ref().is_some_and(|booking| booking.visitors.len() != visitors.len()) {
        return Err(Rejection::new(Why::VisitorsMismatch, "the booking has another number of visitors by now"));
    }
    draft.event(Event::GuestsSupplied { buyer: buyer.clone(), visitors, contact });
    let order = draft.order();
    let Some(booking) = &order.booking else { return Ok(()) };
    if has_remote_cipher(&order) {
        // The channel opens only so many values in one call; this one has brought some.
        draft.effect(Effect::DecryptGuests);
        return Ok(());
    }
    if booking.state != BookingState::Confirmed {
        return Ok(());
    }
    if let Err(rejection) = opened_guests_fit(&order, draft.now()) {
        // The channel has been told yes already; a person weighs what to do.
        let sentence = format!("guests' details break the product's rules: {}", rejection.sentence);
        draft.flag(AttentionKind::Contradiction, sentence);
    }
    ticketing::start(draft);
    Ok(())
}

fn is_known(order: &Order, buyer: &Person, visitors: &[Person], contact: Option<&Person>) -> bool {
    let booked = order.booking.as_ref();
    order.buyer == *buyer
        && booked.is_none_or(|booking| booking.visitors == visitors && booking.contact.as_ref() == contact)
}

/// What could not be checked while it was under the channel's cipher.
fn opened_guests_fit(order: &Order, now: UnixMillis) -> Result<(), Rejection> {
    let Some(booking) = &order.booking else { return Ok(()) };
    let product = &order.rules.booking;
    let today = order.rules.channel.time_zone.date_of(now);
    let contact = booking.contact.as_ref();
    rules::guests::check_guests(product, order.quantity, &booking.visitors, contact, today)?;
    rules::limits::check_age_and_sex(&product.limits, &booking.visitors, contact, booking.visit_date)
}

/// Somebody of ours was shown them in clear.
pub(super) fn revealed(draft: &mut Draft, reason: &FreeText) {
    draft.event(Event::GuestsRevealed { reason: reason.to_owned() });
}

/// While an order lives its guests are needed: at the gate, for a refund, for limits.
pub(super) fn erase(draft: &mut Draft, reason: &FreeText) -> Result<(), Rejection> {
    let order = draft.order();
    if !order.is_over() || order.refund_case.as_ref().is_some_and(|case| case.is_open()) {
        let sentence = "the order has not come to its end; its guests' data can be erased afterwards";
        return Err(Rejection::new(Why::NotWaiting, sentence));
    }
    if order.knows_guests() {
        draft.event(Event::GuestsErased { reason: reason.to_owned() });
    }
    Ok(())
}
