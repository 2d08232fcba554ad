// SPDX-License-Identifier: Apache-2.0

//! Guests' data in clear, for a reason that goes into the order's history first.

use serde_json::Value;
use ticketbridge_core::message::Command;
use ticketbridge_core::order::{Booking, Order};
use ticketbridge_core::personal::in_clear;

use ticketbridge_store::{StoreError, Tx};

use crate::engine::manual_commands::Keep;
use crate::http::ops::answers::guests::{Guests, GuestsOfBooking};
use crate::http::ops::call::{Outcome, Request, Said, Turn};
use crate::http::ops::manual_commands::carry_out;
use crate::http::ops::orders::named;
use crate::http::ops::view;

/// `POST orders/{id}/reveal`. The answer is written inside the commit that records it: no record, no answer.
pub(crate) async fn reveal(request: Request) -> Outcome {
    let order = named(&request, request.in_path("id")).await?;
    request.holder.passed_for_clear_text()?;
    if request.turn == Turn::Again {
        // It is in the history already. What was erased since is not shown again.
        return Said::in_clear(&request.holder, &in_clear(|| guests(&order)));
    }
    let order = order.id;
    let command = Command::RecordReveal { reason: request.given.needed("reason").into() };
    let session = request.holder.signed().map(|signed| signed.session.clone());
    let engine = request.shared.engine.clone();
    let seen = order.clone();
    let body = carry_out(request, order, command, Keep::Receipt, |order| in_clear(|| guests(order))).await?;
    // From now on this session sees this order in clear.
    if let Some(session) = session {
        let (work, now) = (std::sync::Arc::new((session, seen)), engine.clock().now());
        let noted: Result<(), StoreError> = engine
            .store()
            .write("note_revealed", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move { tx.note_revealed(&work.0, &work.1, now).await })
            })
            .await;
        noted?;
    }
    Ok(Said::kept(body))
}

fn guests(order: &Order) -> Value {
    view::value(Guests {
        order_id: &order.id,
        buyer: (&order.buyer).into(),
        booking: order.booking.as_ref().map(of_booking),
        past_bookings: order.past_bookings.iter().map(of_booking).collect(),
        version: order.version,
    })
}

fn of_booking(booking: &Booking) -> GuestsOfBooking<'_> {
    GuestsOfBooking {
        id: &booking.id,
        channel_booking_id: &booking.channel_booking_id,
        contact: booking.contact.as_ref().map(Into::into),
        visitors: booking.visitors.iter().map(Into::into).collect(),
    }
}
