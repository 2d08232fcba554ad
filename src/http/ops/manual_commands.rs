//! What ops do with an order. Each act is one command to the core, which alone decides whether the state allows it.

use ticketbridge_core::message::{Command, Notification, Redeem, RedeemedBy};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Context, EncodeError};
use ticketbridge_core::{Millis, OrderId};

use crate::engine::manual_commands::{Act, Keep};
use crate::http::ops::body::refused;
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::orders::named;
use crate::http::ops::view;

/// How long a payment link can be paid, when nobody says otherwise.
const LINK_LIVES: Millis = Millis::hours(72);

/// `POST orders/{id}/confirm`.
pub(crate) async fn confirm(request: Request) -> Outcome {
    on_order(request, |_| Command::ConfirmBooking).await
}

/// `POST orders/{id}/decline`.
pub(crate) async fn decline(request: Request) -> Outcome {
    let order = named(&request, request.in_path("id")).await?;
    can_be_told(&request, &order)?;
    fresh_for_money(&request, &order)?;
    on_order(request, |request| Command::RejectBooking { reason: request.given.needed("reason") }).await
}

/// An act that gives money back wants a second factor that was passed a moment ago.
fn fresh_for_money(request: &Request, order: &Order) -> Result<(), Failure> {
    if order.money.received() > order.money.refunded() {
        let now = request.shared.engine.clock().now();
        request.holder.fresh(request.running.config.console.second_factor, now)?;
    }
    Ok(())
}

/// The reason goes to the guest through the channel: what the channel would not take is refused here, before anything is decided.
fn can_be_told(request: &Request, order: &Order) -> Result<(), Failure> {
    let (Some(channel), Some(booking)) = (request.running.registry.channel(&order.channel), &order.booking) else {
        return Ok(());
    };
    let notification =
        Notification::BookingRejected { booking: booking.id.clone(), reason: request.given.needed("reason") };
    let now = request.shared.engine.clock().now();
    let cx = Context { now, nonce: [0; 16], delivery_id: "", access_token: Some(""), attempt: 1 };
    match channel.channel.notify(&notification, order, &cx) {
        Err(EncodeError::Invalid(sentence)) => Err(refused("reason", sentence).into()),
        _ => Ok(()),
    }
}

/// `POST orders/{id}/tickets`.
pub(crate) async fn tickets(request: Request) -> Outcome {
    on_order(request, |request| Command::SupplyTickets { tickets: request.given.tickets() }).await
}

/// `POST orders/{id}/redeem`.
pub(crate) async fn redeem(request: Request) -> Outcome {
    on_order(request, |request| {
        Command::Redeem(Redeem { booking: None, at: at_or_now(request), by: RedeemedBy::Person })
    })
    .await
}

/// `POST orders/{id}/no-show`.
pub(crate) async fn no_show(request: Request) -> Outcome {
    on_order(request, |request| Command::MarkNoShow { at: at_or_now(request) }).await
}

/// `POST orders/{id}/cancel`.
pub(crate) async fn cancel(request: Request) -> Outcome {
    let order = named(&request, request.in_path("id")).await?;
    fresh_for_money(&request, &order)?;
    on_order(request, |request| {
        let reason = request.given.needed("reason");
        match (request.given.amount("fee"), request.given.lines(), request.given.text("notify_text")) {
            (None, parts, None) if parts.is_empty() => Command::CancelOrder { reason },
            (fee, parts, notify_text) => Command::AskCancellation { fee, reason, parts, notify_text },
        }
    })
    .await
}

/// `POST orders/{id}/return-payment`.
pub(crate) async fn return_payment(request: Request) -> Outcome {
    on_order(request, |request| Command::ReturnPayments {
        amount: request.given.amount("amount"),
        reason: request.given.needed("reason"),
    })
    .await
}

/// `POST orders/{id}/payment-links`.
pub(crate) async fn send_link(request: Request) -> Outcome {
    on_order(request, |request| {
        let usual = request.shared.engine.clock().now() + LINK_LIVES;
        let expires_at = request.given.time("expires_at").unwrap_or(usual);
        Command::SendPaymentLink { amount: request.given.amount("amount"), expires_at }
    })
    .await
}

/// `POST orders/{id}/payment-links/revoke`.
pub(crate) async fn revoke_link(request: Request) -> Outcome {
    on_order(request, |_| Command::RevokePaymentLink).await
}

fn at_or_now(request: &Request) -> ticketbridge_core::UnixMillis {
    request.given.time("at").unwrap_or_else(|| request.shared.engine.clock().now())
}

async fn on_order(request: Request, command: impl FnOnce(&Request) -> Command) -> Outcome {
    let order = named(&request, request.in_path("id")).await?.id;
    let command = command(&request);
    let running = request.running.clone();
    let body = carry_out(request, order, command, Keep::Answer, move |order| view::order(&running, order)).await?;
    Ok(Said::kept(body))
}

/// Carries a command out under the request's key and version, and answers with a view of the order.
pub(crate) async fn carry_out(
    request: Request,
    order: OrderId,
    command: Command,
    keep: Keep,
    view: impl Fn(&ticketbridge_core::Order) -> serde_json::Value + Send + Sync + 'static,
) -> Result<Vec<u8>, Failure> {
    let act = Act {
        order,
        command,
        actor: request.actor(),
        expected_version: request.given.expected_version(),
        once: request.once,
        keep,
    };
    Ok(request.shared.engine.act(act, move |order| view(order).to_string().into_bytes()).await?)
}
