// SPDX-License-Identifier: Apache-2.0

//! What ops do with an order. Each act is one command to the core, which alone decides whether the state allows it.

use serde_json::Value;
use ticketbridge_core::message::{Command, Notification, Redeem, RedeemedBy};
use ticketbridge_core::order::{AttentionKind, Order};
use ticketbridge_core::port::{Context, EncodeError};
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::{Millis, OrderId, Rejection, Why};
use ticketbridge_store::{Job, JobFilter, JobState, PageRequest, Store, StoreError};

use crate::engine::EngineError;
use crate::engine::manual_commands::{Act, Keep};
use crate::http::ops::body::refused;
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::orders::named;
use crate::http::ops::view;

/// Under this name an answer shows the deliveries by which what was asked for is carried out already.
pub(crate) const UNDER_WAY: &str = "under_way";
/// Deliveries that a refusal names at most.
const NAMED_MAX: u32 = 5;
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
    on_order(request, |request| Command::RejectBooking { reason: request.given.needed("reason").into() }).await
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
        Notification::BookingRejected { booking: booking.id.clone(), reason: request.given.needed("reason").into() };
    let now = request.shared.engine.clock().now();
    let cx = Context { access_token: Some(""), ..Context::without_delivery(now, [0; 16]) };
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
        Command::Redeem(Redeem { booking: None, at: at_or_now(request), by: RedeemedBy::Person, count: None })
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
        let reason = FreeText::new(request.given.needed("reason"));
        match (request.given.amount("fee"), request.given.lines(), request.given.text("notify_text").map(FreeText::new))
        {
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
        reason: request.given.needed("reason").into(),
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

/// `POST orders/{id}/settle-attention`.
pub(crate) async fn settle_attention(request: Request) -> Outcome {
    let word = request.given.needed("kind");
    let kind = serde_json::from_value::<AttentionKind>(Value::from(word.as_str()));
    let kind = kind.map_err(|_| refused("kind", "`kind` is no flag"))?;
    on_order(request, |request| Command::SettleAttention { kind, reason: request.given.needed("reason").into() }).await
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

/// Carries a command out under the request's key and version, and answers with a view of the order. Who says once more what is under way
/// already sees by which deliveries; who says something else then is refused, and told of them.
pub(crate) async fn carry_out(
    request: Request,
    order: OrderId,
    command: Command,
    keep: Keep,
    view: impl Fn(&Order) -> Value + Send + Sync + 'static,
) -> Result<Vec<u8>, Failure> {
    let act = Act {
        order: order.clone(),
        command,
        actor: request.actor(),
        expected_version: request.given.expected_version(),
        once: request.once,
        keep,
    };
    let running = request.running;
    let answer = move |order: &Order, under_way: &[Job]| {
        let mut said = view(order);
        if let (Value::Object(fields), [_, ..]) = (&mut said, under_way) {
            let shown = under_way.iter().map(|job| view::delivery(&running, job, Some(order)));
            fields.insert(UNDER_WAY.to_owned(), view::value(shown.collect::<Vec<_>>()));
        }
        said.to_string().into_bytes()
    };
    match request.shared.engine.act(act, answer).await {
        Err(EngineError::Rejected(rejection)) if rejection.why == Why::AlreadyDecided => {
            let under_way = under_way(request.shared.engine.store(), &order).await?;
            let sentence = format!("{}{under_way}", rejection.sentence);
            Err(EngineError::Rejected(Rejection { sentence: sentence.into(), ..rejection }).into())
        }
        other => Ok(other?),
    }
}

/// The deliveries of an order that wait or are tried, as a sentence goes on with them.
async fn under_way(store: &Store, order: &OrderId) -> Result<String, StoreError> {
    let filter = JobFilter { state: Some(JobState::Pending), order: Some(order.clone()), ..JobFilter::default() };
    let jobs = store.list_jobs(&filter, &PageRequest { limit: NAMED_MAX, cursor: None }).await?.items;
    let named: Vec<String> = jobs.iter().map(|job| format!("{} ({})", job.id, job.call)).collect();
    Ok(if named.is_empty() { String::new() } else { format!("; under way: {}", named.join(", ")) })
}
