// SPDX-License-Identifier: Apache-2.0

//! A booking that a channel has told of a product which is not configured: it is refused, and people are told, since its guest may have paid.

use ticketbridge_core::port::{Inbound, Message};
use ticketbridge_core::quoted::Quoted;
use ticketbridge_core::{ProductCode, Rejection, Why};

use crate::engine::arrival::Incoming;

/// Says aloud that a booking was refused whose product nobody knows.
pub(crate) fn note(incoming: &Incoming, inbox_id: &str, rejection: &Rejection) {
    let (Why::OffSale, Some(code)) = (rejection.why, product_of(&incoming.inbound)) else { return };
    let channel = &incoming.channel.id;
    metrics::counter!("ticketbridge_unsold_messages_total", "channel" => channel.to_string()).increment(1);
    tracing::warn!(%channel, call = incoming.endpoint.name, inbox = inbox_id, product = %Quoted::code(code.as_str()),
        "a booking is refused, since no such product is configured, and is kept: add the product and reload, and it is taken on");
}

/// The product of a whole order that a channel tells: one that it has sold, whatever we say. What other channels sell, they do not sell when
/// we refuse it.
fn product_of(inbound: &Inbound) -> Option<&ProductCode> {
    let Inbound::Message(envelope) = inbound else { return None };
    match &envelope.message {
        Message::Snapshot(snapshot) => snapshot.sale.product.booking.as_ref(),
        Message::Sale(_) | Message::Booking { .. } | Message::Listing(_) | Message::Act(_) | Message::Note { .. } => {
            None
        }
    }
}
