// SPDX-License-Identifier: Apache-2.0

//! What was received, and carrying it out again.

use http::StatusCode;
use ticketbridge_core::ChannelId;
use ticketbridge_core::message::WhenUnknown;
use ticketbridge_core::port::{Endpoint, Envelope, Inbound, Message};
use ticketbridge_core::quoted::Guests;
use ticketbridge_store::{InboxFilter, InboxRow, InboxVerdict};

use crate::engine::Incoming;
use crate::http::ops::answers::history::{InboxMessage, Replayed};
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::config::check_version;
use crate::http::ops::orders::of_filter;
use crate::http::ops::query::listed;
use crate::http::ops::said;
use crate::http::ops::view;
use crate::http::problem::Problem;
use crate::service::registry::RegisteredChannel;

/// `GET inbox`.
pub(crate) async fn list(request: Request) -> Outcome {
    let query = &request.query;
    let filter = InboxFilter {
        channel: query.text("channel").map(str::to_owned),
        call: query.text("call").map(str::to_owned),
        key: query.text("key").map(str::to_owned),
        verdict: query.word("verdict"),
        order: of_filter(&request, query).await?,
        within: request.reach.within(),
    };
    let page = request.shared.engine.store().list_inbox(&filter, &query.page()).await?;
    Ok(Said::ok(&listed(&page, |row| view::inbox(&request.running, row))))
}

/// `GET inbox/{id}`: with what was said and answered, masked for the guests of the order that it is about.
pub(crate) async fn one(request: Request) -> Outcome {
    let store = request.shared.engine.store();
    let row = store.inbox_row(request.in_path("id")).await?;
    let Some(row) = row.filter(|row| request.reach.has_channel(&ChannelId::from(row.channel.as_str()))) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "no such message was received").into());
    };
    let order = match &row.order {
        Some(id) => store.load_order(id).await?,
        None => None,
    };
    let guests = order.as_ref().map(Guests::of).unwrap_or_default();
    let body = store.inbox_body(&row.id).await?;
    Ok(Said::ok(&InboxMessage {
        row: view::inbox(&request.running, &row),
        body: body.map(|body| said::shown(&body, &guests)),
        answer_status: row.answer.as_ref().map(|answer| answer.status),
        answer: row.answer.as_ref().map(|answer| said::shown(&answer.body, &guests)),
    }))
}

/// `POST inbox/{id}/replay`. What was taken stays taken: only a message that changed nothing is carried out again.
pub(crate) async fn replay(request: Request) -> Outcome {
    check_version(&request)?;
    let store = request.shared.engine.store();
    let row = store.inbox_row(request.in_path("id")).await?;
    let Some(row) = row.filter(|row| request.reach.has_channel(&ChannelId::from(row.channel.as_str()))) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "no such message was received").into());
    };
    match row.verdict {
        InboxVerdict::Refused | InboxVerdict::Malformed | InboxVerdict::Parked | InboxVerdict::Unrouted => {}
        InboxVerdict::Accepted | InboxVerdict::Repeated | InboxVerdict::Stale | InboxVerdict::Ignored => {
            return Ok(replayed(&row, row.verdict, row.order.as_ref(), false, "it was taken before; nothing was done"));
        }
        InboxVerdict::Received | InboxVerdict::Conflict | InboxVerdict::Hint | InboxVerdict::UnknownCall => {
            let sentence = "this message changes nothing by itself; there is nothing to carry out";
            return Err(conflict("not_replayable", sentence));
        }
    }
    let Some(body) = store.inbox_body(&row.id).await? else {
        return Err(conflict("body_purged", "its body is no longer kept; only its hash is"));
    };
    let (channel, endpoint) = call_of(&request, &row)?;
    let inbound = decode(&channel, &row, &body)?;
    if let Some(envelope) = waits_for_its_order(&row, &inbound)
        && request.shared.engine.order_about(&channel, &envelope.about).await?.is_none()
    {
        let sentence = "its order is not known yet; the message is kept and carried out by itself when the order comes";
        return Ok(replayed(&row, row.verdict, None, false, sentence));
    }
    let moment = request.shared.engine.moment();
    let incoming = Incoming::kept((request.running.clone(), channel), endpoint, inbound, body, moment);
    let done = request.shared.engine.replay(&row.id, incoming).await?;
    let sentence = match (done.verdict, done.changed) {
        (InboxVerdict::Accepted, true) => "it was carried out; what the channel must know follows by calls".to_owned(),
        (InboxVerdict::Accepted, false) => "it is taken now; the order was so already".to_owned(),
        (InboxVerdict::Parked, _) => "it is kept until its order comes".to_owned(),
        (
            InboxVerdict::Received
            | InboxVerdict::Repeated
            | InboxVerdict::Stale
            | InboxVerdict::Ignored
            | InboxVerdict::Refused
            | InboxVerdict::Unrouted
            | InboxVerdict::Conflict
            | InboxVerdict::Malformed
            | InboxVerdict::Hint
            | InboxVerdict::UnknownCall,
            _,
        ) => format!("it is refused again; the channel would be answered {}", done.answer),
    };
    Ok(replayed(&row, done.verdict, done.order.as_ref(), done.changed, &sentence))
}

fn conflict(code: &'static str, sentence: &str) -> Failure {
    Problem::new(StatusCode::CONFLICT, code, sentence).into()
}

fn replayed(
    row: &InboxRow,
    verdict: InboxVerdict,
    order: Option<&ticketbridge_core::OrderId>,
    changed: bool,
    sentence: &str,
) -> Said {
    Said::ok(&Replayed { id: &row.id, before: row.verdict, verdict, order_id: order, changed, sentence })
}

fn call_of(request: &Request, row: &InboxRow) -> Result<(std::sync::Arc<RegisteredChannel>, Endpoint), Failure> {
    let channel = request.running.registry.channel(&ChannelId::from(row.channel.as_str()));
    let found = channel.and_then(|channel| {
        let endpoint = channel.channel.spec().endpoints.iter().find(|endpoint| endpoint.name == row.call).copied()?;
        Some((channel, endpoint))
    });
    found.ok_or_else(|| conflict("not_replayable", "it came from no channel that is configured now"))
}

/// Reads the stored bytes.
fn decode(channel: &RegisteredChannel, row: &InboxRow, body: &[u8]) -> Result<Inbound, Failure> {
    let malformed = |sentence: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed", sentence);
    match channel.read_again(&row.call, body) {
        Ok(inbound @ Inbound::Message(_)) => Ok(inbound),
        Ok(_) => Err(conflict("not_replayable", "it asks for no change; there is nothing to carry out")),
        Err(error) => Err(malformed(format!("it still cannot be read: {error}")).at(error.field).into()),
    }
}

/// A message that was kept for its order is in the order's own list; carried out again before that it would be kept twice.
fn waits_for_its_order<'i>(row: &InboxRow, inbound: &'i Inbound) -> Option<&'i Envelope> {
    let Inbound::Message(envelope) = inbound else { return None };
    let Message::Act(command) = &envelope.message else { return None };
    let is_kept = matches!(command.when_unknown(), WhenUnknown::Remember | WhenUnknown::Tombstone);
    (row.verdict == InboxVerdict::Parked && is_kept).then_some(envelope)
}
