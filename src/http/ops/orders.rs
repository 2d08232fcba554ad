// SPDX-License-Identifier: Apache-2.0

//! Orders: lists, one, its history, its calls.

use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::quoted::Guests;
use ticketbridge_core::{ChannelId, ExternalId, Order, OrderId};
use ticketbridge_store::{CallFilter, Needing, OrderFilter, Page};

use crate::accounts::{self, About};
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::call_texts::Sight;
use crate::http::ops::guests::phone_of;
use crate::http::ops::query::{Asked, listed};
use crate::http::ops::view;
use crate::http::ops::{body, call_texts, query};
use crate::http::problem::Problem;

/// `GET orders`.
pub(crate) async fn list(request: Request) -> Outcome {
    let query = &request.query;
    let filter = filter_of(&request, query)?;
    let page = request.shared.engine.store().list_orders(&filter, &query.page()).await?;
    if let (Some(q), Some(signed)) = (query.text("q"), request.holder.signed()) {
        // What somebody looks for is told by what he looked at afterwards; that he searched is written down.
        let about = About {
            scope: Some(request.holder.scope.clone()),
            detail: json!({ "chars": q.chars().count() }),
            ..About::default()
        };
        accounts::note(&request.shared.engine, &signed.account, "orders_searched", about).await?;
    }
    Ok(Said::ok(&listed(&page, |order| view::order(&request.running, order))))
}

/// The orders that a query means, within the scope of whoever asks.
///
/// # Errors
/// 422 about a parameter.
pub(crate) fn filter_of(request: &Request, query: &Asked) -> Result<OrderFilter, Failure> {
    Ok(OrderFilter {
        channel: query.text("channel").map(ChannelId::from),
        state: query.word("state"),
        booking: query.word("booking"),
        ticketing: query.word("ticketing"),
        payment: query.word("payment"),
        refund: query.word("refund"),
        visit_date: query.date("visit_date"),
        q: query.text("q").map(str::to_owned),
        given_out: query.text("q").map(|q| request.shared.engine.hashes_of_given_out(q)).unwrap_or_default(),
        updated_since: None,
        attention: needing(query)?,
        guest: Vec::new(),
        within: request.reach.within(),
    })
}

/// What the orders of a list need a person for, if they are to.
fn needing(query: &Asked) -> Result<Option<Needing>, Failure> {
    let kind = match query.text("attention") {
        None => None,
        Some("any") => Some(Needing::Anything),
        Some(text) => match serde_json::from_value(Value::from(text)) {
            Ok(kind) => Some(Needing::Kind(kind)),
            Err(_) => {
                let known = super::words::ATTENTION_KINDS.join(", ");
                let sentence = format!("`attention` is \"{text}\"; it is any, or one of {known}");
                return Err(query::refused("attention", sentence).into());
            }
        },
    };
    match (kind, query.text("waiting")) {
        (Some(_), Some(_)) => {
            Err(query::refused("waiting", "`waiting` and `attention` are two questions; ask one of them").into())
        }
        (None, Some(_)) => Ok(Some(Needing::Decision)),
        (kind, None) => Ok(kind),
    }
}

/// `POST orders/search`: a phone or a name stands in no address, where proxies write it down.
pub(crate) async fn search(request: Request) -> Outcome {
    let engine = &request.shared.engine;
    let (guest, by) = match (request.given.has("phone"), request.given.text("name")) {
        (true, None) => (vec![engine.guest_hash(phone_of(&request).reveal())], "phone"),
        (false, Some(name)) => (engine.name_hashes(&name), "name"),
        (true, Some(_)) => {
            return Err(body::refused("name", "`phone` and `name` are two questions; ask one of them").into());
        }
        (false, None) => return Err(body::refused("phone", "`phone` or `name` is needed: whom is it about?").into()),
    };
    if guest.is_empty() {
        return Err(body::refused("name", "`name` has no letter in it").into());
    }
    let filter = OrderFilter { guest, within: request.reach.within(), ..OrderFilter::default() };
    let page = engine.store().list_orders(&filter, &request.query.page()).await?;
    // Whoever searches may write whom he looks for: the guests that were found are known. Why he does is in the audit, and not in the log.
    request.speaks_of(&page.items);
    tracing::info!(orders = page.items.len(), by = %request.holder.name, "orders were searched by a guest's {by}");
    Ok(Said::ok(&listed(&page, |order| view::order(&request.running, order))))
}

/// `GET orders/{id}`.
pub(crate) async fn one(request: Request) -> Outcome {
    let order = named(&request, request.in_path("id")).await?;
    if !request.sees_clear(&order.id).await? {
        return Ok(Said::ok(&view::order(&request.running, &order)));
    }
    note_looked_in_clear(&request, &order).await?;
    Said::in_clear(&request.holder, &view::order_in_clear(&request.running, &order))
}

async fn note_looked_in_clear(request: &Request, order: &Order) -> Result<(), Failure> {
    let about = About { order: Some((order.id.clone(), order.channel.clone())), ..About::default() };
    Ok(accounts::note(&request.shared.engine, &request.holder.key(), "looked_in_clear", about).await?)
}

/// `GET orders/{id}/events`: newest first, as every list. The cursor is the number of the last event seen.
pub(crate) async fn events(request: Request) -> Outcome {
    let order = named(&request, request.in_path("id")).await?;
    let limit = request.query.limit();
    let before = match request.query.text("cursor").map(str::parse) {
        None => None,
        Some(Ok(before)) => Some(before),
        Some(Err(_)) => return Err(Problem::from(ticketbridge_store::StoreError::Cursor).into()),
    };
    let mut rows = request.shared.engine.store().latest_events(&order.id, before, limit + 1).await?;
    let goes_on = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| goes_on).map(|row| row.seq.to_string());
    let (zone, guests) = (order.rules.channel.time_zone, Guests::of(&order));
    let items: Vec<_> = rows.iter().map(|row| view::event(row, &guests, zone)).collect();
    Ok(Said::ok(&json!({ "items": items, "next_cursor": next_cursor })))
}

/// `GET orders/{id}/calls`.
pub(crate) async fn calls(request: Request) -> Outcome {
    let order = named(&request, request.in_path("id")).await?;
    let filter = CallFilter { order: Some(order.id.clone()) };
    let page: Page<_> = request.shared.engine.store().list_calls(&filter, &request.query.page()).await?;
    let (zone, guests) = (order.rules.channel.time_zone, Guests::of(&order));
    let mut told = listed(&page, |row| view::call(row, &guests, zone));
    if request.query.text("bodies") == Some("true") {
        let sight = if request.sees_clear(&order.id).await? { Sight::Clear } else { Sight::Masked };
        if sight == Sight::Clear {
            note_looked_in_clear(&request, &order).await?;
        }
        let texts = call_texts::of(&request.shared, &order, &page.items, sight).await?;
        told.items.iter_mut().zip(texts).for_each(|(call, said)| call.said = Some(said));
    }
    Ok(Said::ok(&told))
}

/// The order that a list is asked of (`?order=`), named as in a path.
///
/// # Errors
/// 404 when there is no such order by the channel's number; 422 when it is neither that nor an id of ours: an empty list would say that
/// nothing waits.
pub(crate) async fn of_filter(request: &Request, query: &Asked) -> Result<Option<OrderId>, Failure> {
    match query.text("order") {
        None => Ok(None),
        Some(name) if name.contains(':') => Ok(Some(named(request, name).await?.id)),
        Some(name) if name.starts_with("ord_") => Ok(Some(OrderId::from(name))),
        Some(_) => Err(query::refused(
            "order",
            "`order` is no id of ours (`ord_…`), nor channel:number with the channel's own number",
        )
        .into()),
    }
}

/// Our number of an order that is named by it, or by `channel:number`.
pub(crate) async fn id_of(request: &Request, name: &str) -> Result<Option<OrderId>, Failure> {
    let Some((channel, number)) = name.split_once(':') else { return Ok(Some(OrderId::from(name))) };
    let channel = ChannelId::from(channel);
    // Of another scope's channel nothing is looked up: the answer would come later for a number that is there.
    if !request.reach.has_channel(&channel) {
        return Ok(None);
    }
    let row = request.shared.engine.store().resolve_ref(&channel, &ExternalId::from(number)).await?;
    Ok(row.and_then(|row| row.order))
}

/// The order that a path names: by our id, or by `channel_id:number`, the channel's number of the sale or of a booking.
///
/// # Errors
/// 404 when there is none.
pub(crate) async fn named(request: &Request, name: &str) -> Result<Order, Failure> {
    let found = match id_of(request, name).await? {
        Some(id) => request.shared.engine.store().load_order(&id).await?,
        None => None,
    };
    // One of another scope is not there.
    let found = found.filter(|order| request.reach.has_channel(&order.channel));
    if let Some(order) = &found {
        request.concerns(order);
    }
    found.ok_or_else(|| {
        let sentence = "there is no such order; give our id, or channel:number with the channel's own number";
        Problem::new(StatusCode::NOT_FOUND, "not_found", sentence).into()
    })
}
