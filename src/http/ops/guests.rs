// SPDX-License-Identifier: Apache-2.0

//! One guest, found by a phone: everything that is known of him, and forgetting it.

use serde_json::Value;
use ticketbridge_core::message::Command;
use ticketbridge_core::order::Order;
use ticketbridge_core::personal::{Phone, in_clear};

use crate::engine::Engine;
use crate::http::ops::answers::Time;
use crate::http::ops::answers::guests::{GuestErasure, GuestExport, KnownOf, RecordOfGuest, StillNeeded, Visit};
use crate::http::ops::call::{Failure, Outcome, Request, Said, Turn};
use crate::http::ops::view;

/// The phone that is asked about; the table has seen that its digits are there.
pub(crate) fn phone_of(request: &Request) -> Phone {
    Phone::new(request.given.needed("phone"))
}

/// The orders of a guest, oldest first, that whoever asks may know of: what others know of him is theirs to export, and nothing here tells
/// that they do. What is audited of the request names none of their guests.
async fn orders_in_reach(request: &Request, phone: &Phone) -> Result<Vec<Order>, Failure> {
    let engine = &request.shared.engine;
    let mut orders = engine.store().load_orders(&engine.orders_of_guest(phone.reveal()).await?).await?;
    orders.retain(|order| request.reach.has_channel(&order.channel));
    orders.sort_by(|one, other| one.id.cmp(&other.id));
    request.speaks_of(&orders);
    Ok(orders)
}

/// `POST guests/export`: goes into the history of every order that is told of, before it is told of.
pub(crate) async fn export(request: Request) -> Outcome {
    // Before anything is written into a history.
    request.holder.passed_for_clear_text()?;
    let (phone, engine) = (phone_of(&request), &request.shared.engine);
    let reason = format!("export of a guest's data: {}", request.given.needed("reason"));
    let mut orders = Vec::new();
    for known in orders_in_reach(&request, &phone).await? {
        let order = match request.turn {
            Turn::First => {
                let command = Command::RecordReveal { reason: reason.clone().into() };
                engine.apply(&known.id, command, request.actor()).await?.order
            }
            // It is in the histories already. What was erased since is not told again.
            Turn::Again => known,
        };
        orders.push(known_of(&order, &phone));
    }
    tracing::info!(orders = orders.len(), by = %request.holder.name, "a guest's data was exported");
    Said::in_clear(&request.holder, &GuestExport { phone: &phone, orders: &orders })
}

/// What an order knows of the guest; others in it are no concern of his.
fn known_of(order: &Order, phone: &Phone) -> Value {
    let zone = order.rules.channel.time_zone;
    let people = order.people().filter(|(_, person)| Engine::is_phone(person, phone.reveal()));
    let visits = order
        .booking
        .iter()
        .chain(&order.past_bookings)
        .map(|booking| Visit {
            channel_booking_id: &booking.channel_booking_id,
            state: booking.state,
            visit_date: booking.visit_date,
            used_at: Time::maybe(booking.used_at, zone),
        })
        .collect();
    let known = KnownOf {
        order_id: &order.id,
        channel: &order.channel,
        channel_order_id: &order.channel_order_id,
        state: order.state,
        product: &order.product,
        quantity: order.quantity,
        currency: &order.money.currency,
        total: order.money.due,
        received: order.money.received(),
        refunded: order.money.refunded(),
        placed_at: Time::of(order.placed_at, zone),
        records: people.map(|(role, person)| RecordOfGuest { r#as: role, person: person.into() }).collect(),
        visits,
    };
    in_clear(|| view::value(known))
}

/// `POST guests/erase`: in every order that is over; the others are named, and follow by themselves when they are.
pub(crate) async fn erase(request: Request) -> Outcome {
    let (phone, engine) = (phone_of(&request), &request.shared.engine);
    let reason = request.given.needed("reason");
    // Afterwards nobody knows any more who they were.
    orders_in_reach(&request, &phone).await?;
    let result = engine.forget_guest(phone.reveal(), &request.reach.within(), &reason, &request.actor()).await?;
    tracing::info!(erased = result.erased.len(), kept = result.kept.len(), by = %request.holder.name,
        "a guest's data was erased on request");
    let kept =
        result.kept.iter().map(|(order, why)| StillNeeded { order_id: order, reason: why, noted: true }).collect();
    Ok(Said::ok(&GuestErasure { phone: &phone, erased: &result.erased, kept }))
}
