// SPDX-License-Identifier: Apache-2.0

//! From the core's types to the JSON of `docs/src/contract/ops.md`. Guests' data masks itself.

use crate::engine::attention::command_for;
use serde::Serialize;
use serde_json::{Value, json};
use ticketbridge_core::message::Destination;
use ticketbridge_core::order::channel_state::ChannelState;
use ticketbridge_core::order::{Attention, Booking, Order, RefundCase, Ticket, TicketKind};
use ticketbridge_core::personal::{Person, in_clear};
use ticketbridge_core::port::Context;
use ticketbridge_core::product::Currency;
use ticketbridge_core::quoted::{Guests, Quoted};
use ticketbridge_core::{ChannelId, Effect, OrderId, TimeZone, UnixMillis};
use ticketbridge_store::{CallRecord, EventRow, InboxRow, Job, JobState, RefundRow};

use crate::service::live::Running;

/// A value as JSON; our own types always have one.
pub(crate) fn value(of: impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}

/// The zone in which times of a channel are shown.
pub(crate) fn zone_of(running: &Running, channel: &str) -> TimeZone {
    let channel = running.registry.channel(&ChannelId::from(channel));
    channel.map_or_else(|| common_zone(running), |channel| channel.channel.rules().time_zone)
}

/// The zone for what belongs to no channel: the one that all channels share, or else UTC.
pub(crate) fn common_zone(running: &Running) -> TimeZone {
    let mut zones = running.registry.channels().map(|channel| channel.channel.rules().time_zone);
    let Some(first) = zones.next() else { return TimeZone::UTC };
    if zones.all(|zone| zone == first) { first } else { TimeZone::UTC }
}

fn times(at: Option<UnixMillis>, zone: TimeZone) -> Option<String> {
    at.map(|at| at.rfc3339(zone))
}

/// An order.
pub(crate) fn order(running: &Running, order: &Order) -> Value {
    let zone = order.rules.channel.time_zone;
    let channel = running.registry.channel(&order.channel);
    // A channel that is no longer configured has no words of its own.
    let label = channel.map_or_else(|| value(order.state), |channel| Value::from(channel.channel.label(order)));
    let case = order.refund_case.as_ref();
    let mut shown = json!({
        "id": order.id,
        "channel": order.channel,
        "channel_order_id": order.channel_order_id,
        "kind": order.kind,
        "state": order.state,
        "cancel_reason": order.cancel_reason,
        "product": order.product,
        "quantity": order.quantity,
        "label": label,
        "payment": {
            "state": order.payment(),
            "currency": order.money.currency,
            "total": order.money.due,
            "received": order.money.received(),
            "refunded": order.money.refunded(),
            "fee": order.money.fee(),
        },
        "buyer": { "name": order.buyer.name, "phone": order.buyer.phone },
        "booking": order.booking.as_ref().map(|it| booking(order, it)),
        "refund_case": case.map(|case| {
            refund_case(&order.id, &order.channel, &order.money.currency, (case, order.known_fee(case)), zone)
        }),
        "attention": order.attention().map(|it| most_urgent(order, it)),
        "attentions": order.attention.iter().map(|it| attention(order, it)).collect::<Vec<_>>(),
        "channel_view": order.channel_state.as_deref().map(|it| channel_state(it, zone)),
        // What it was placed under, whatever the configuration says now (DY-18). No guest's data is in it.
        "rules": order.rules,
        "version": order.version,
        "created_at": order.created_at.rfc3339(zone),
        "updated_at": order.updated_at.rfc3339(zone),
    });
    // Whatever a partner has written into a number, a label or a name, and wherever a field for it is added.
    Guests::of(order).json(&mut shown);
    shown
}

/// The same with its people in clear, for a session that has asked for them. What partners wrote elsewhere stays masked.
pub(crate) fn order_in_clear(running: &Running, of: &Order) -> Value {
    let mut shown = order(running, of);
    in_clear(|| {
        shown["buyer"] = json!({ "name": of.buyer.name, "phone": of.buyer.phone });
        if let Some(booking) = &of.booking {
            shown["booking"]["visitors"] = booking.visitors.iter().map(person).collect();
        }
    });
    shown
}

/// The channel's own state of it, where it is a snapshot channel; and what we have asked of it.
fn channel_state(channel_state: &ChannelState, zone: TimeZone) -> Value {
    let standing = &channel_state.standing;
    let links = channel_state.links.iter().map(|link| {
        json!({
            "id": link.id, "url": link.url, "amount": link.amount, "state": link.state,
            "expires_at": link.expires_at.rfc3339(zone),
        })
    });
    let numbers = channel_state.partner_numbers.iter();
    json!({
        "revision": standing.revision,
        "told_at": standing.at.rfc3339(zone),
        "read_only": standing.read_only,
        "lines": standing.lines,
        "payments": standing.payments.iter().map(|it| json!({
            "id": it.id, "left": it.left, "at": it.at.rfc3339(zone), "link": it.link,
        })).collect::<Vec<_>>(),
        "cancel_until": standing.policy.as_ref().and_then(|policy| policy.until).map(|at| at.rfc3339(zone)),
        "proposal": channel_state.proposal,
        "not_for_sale": channel_state.not_for_sale,
        "partner_number": channel_state.partner_number(),
        "partner_numbers": numbers.map(|it| json!({ "number": it.number, "since": it.since.rfc3339(zone) })).collect::<Vec<_>>(),
        "payment_links": links.collect::<Vec<_>>(),
        "extra": standing.extra,
        "pays_by": standing.pays_by,
        "notes": standing.notes,
    })
}

fn booking(order: &Order, booking: &Booking) -> Value {
    let zone = order.rules.channel.time_zone;
    let ticketing = &booking.ticketing;
    let backend = order.rules.booking.ticketing.issuer();
    json!({
        "id": booking.id,
        "channel_booking_id": booking.channel_booking_id,
        "state": booking.state,
        "product": order.rules.booking.code,
        "visit_date": booking.visit_date,
        "valid_until": booking.valid_until,
        "visitors": booking.visitors.iter().map(person).collect::<Vec<_>>(),
        "ticketing": {
            "state": ticketing.state,
            "backend": backend,
            "backend_ref": ticketing.backend_ref,
            "deadline": times(ticketing.deadline, zone),
            "overdue": ticketing.overdue,
            "reason": ticketing.reason,
            "handover": ticketing.handover,
            "by_hand": ticketing.manual,
            "tickets": ticketing.tickets.iter().map(ticket).collect::<Vec<_>>(),
            "other_tickets": ticketing.other_tickets.iter().map(ticket).collect::<Vec<_>>(),
        },
        "requested_at": booking.requested_at.rfc3339(zone),
        "accepted_at": times(booking.confirmed_at, zone),
        "used_at": times(booking.used_at, zone),
    })
}

/// A person, masked unless the caller serialises in clear.
pub(crate) fn person(person: &Person) -> Value {
    json!({ "name": person.name, "phone": person.phone, "document": person.document })
}

/// A code is shown, since that is what ops read out to a guest; a document's number is a person's data and stays masked.
fn ticket(ticket: &Ticket) -> Value {
    let code = match ticket.kind {
        TicketKind::Document => ticket.code.masked(),
        TicketKind::Code | TicketKind::Qr | TicketKind::Url => ticket.code.reveal().to_owned(),
    };
    json!({
        "id": ticket.id, "code": code, "kind": ticket.kind, "project_id": ticket.project_id, "name": ticket.name,
    })
}

/// What needs a person, with the command that helps.
fn attention(order: &Order, attention: &Attention) -> Value {
    let since = attention.since.rfc3339(order.rules.channel.time_zone);
    let command = command_for(order, attention.kind);
    let sentence = format!("{} ({command})", attention.sentence);
    json!({ "kind": attention.kind, "since": since, "sentence": sentence, "command": command })
}

/// The same of the most urgent one, and how many more there are.
fn most_urgent(order: &Order, it: &Attention) -> Value {
    let mut shown = attention(order, it);
    shown["more"] = json!(order.attention.len().saturating_sub(1));
    shown
}

/// A refund case. Until it is decided, its fee is the channel's, where that names one.
pub(crate) fn refund_case(
    order: &OrderId,
    channel: &ChannelId,
    currency: &Currency,
    (case, fee): (&RefundCase, Option<i64>),
    zone: TimeZone,
) -> Value {
    json!({
        "id": case.id,
        "order_id": order,
        "channel": channel,
        "state": case.state,
        "kind": case.kind,
        "source": case.source,
        "source_code": case.source_code,
        "channel_ref": case.channel_ref,
        "requested_at": case.requested_at.rfc3339(zone),
        // A channel without a limit has none.
        "review_by": times(Some(case.review_by).filter(|limit| *limit > case.requested_at), zone),
        "fee": fee,
        "channel_fee": case.channel_fee,
        "currency": currency,
        "intent": case.intent,
        "decided_by": case.decided_by,
        "decided_at": times(case.decided_at, zone),
        "reason": case.reason,
        "settled_amount": case.settled_amount,
        "overdue": case.overdue,
    })
}

/// A refund case of a list.
pub(crate) fn refund(running: &Running, row: &RefundRow) -> Value {
    let zone = zone_of(running, row.channel.as_str());
    let mut shown = refund_case(&row.order, &row.channel, &row.currency, (&row.case, row.fee), zone);
    row.guests.json(&mut shown);
    shown
}

/// The case of an order, current or past.
pub(crate) fn refund_of(order: &Order, id: &str) -> Value {
    let cases = order.refund_case.iter().chain(&order.past_refund_cases);
    let found = cases.into_iter().find(|case| case.id.as_str() == id);
    let zone = order.rules.channel.time_zone;
    let mut shown = found.map_or(Value::Null, |case| {
        refund_case(&order.id, &order.channel, &order.money.currency, (case, order.known_fee(case)), zone)
    });
    Guests::of(order).json(&mut shown);
    shown
}

/// An event of an order that knows these guests.
pub(crate) fn event(row: &EventRow, guests: &Guests, zone: TimeZone) -> Value {
    let mut data = row.data.clone();
    with_times(&mut data, zone);
    guests.json(&mut data);
    json!({
        "id": row.id,
        "order_id": row.order,
        "seq": row.seq,
        "at": row.at.rfc3339(zone),
        "kind": row.kind,
        "actor": { "kind": row.actor.kind, "name": row.actor.name },
        "reason": row.reason.as_deref().map(|reason| guests.id(reason)),
        "data": data,
    })
}

/// Milliseconds since 1970 are more than this; what else is a number is less.
const MOMENTS_FROM: i64 = 100_000_000_000;

/// Times that an event holds, as they are everywhere else. Dates are texts already.
fn with_times(data: &mut Value, zone: TimeZone) {
    const NAMES: [&str; 7] = ["at", "since", "until", "deadline", "ticketing_due", "review_by", "free_until"];
    match data {
        Value::Object(fields) => {
            if fields.contains_key("review_by") && fields.get("review_by") == fields.get("requested_at") {
                // A channel without a limit has none.
                fields.insert("review_by".to_owned(), Value::Null);
            }
            for (name, value) in fields.iter_mut() {
                let is_time = NAMES.contains(&name.as_str()) || name.ends_with("_at");
                // Minutes of a day are called `at`, too.
                match value.as_i64().filter(|at| is_time && *at > MOMENTS_FROM) {
                    Some(at) => *value = Value::from(UnixMillis(at).rfc3339(zone)),
                    None => with_times(value, zone),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| with_times(item, zone)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A message in or out, about an order that knows these guests.
pub(crate) fn call(row: &CallRecord, guests: &Guests, zone: TimeZone) -> Value {
    json!({
        "id": row.id,
        "order_id": row.order,
        "direction": row.direction,
        "partner": row.partner,
        "call": row.call,
        "at": row.at.rfc3339(zone),
        "duration_ms": row.duration,
        "attempt": row.attempt,
        "status": row.status,
        "verdict": row.verdict,
        "summary": guests.id(&row.summary),
    })
}

/// A delivery, for an order as it is now.
pub(crate) fn delivery(running: &Running, job: &Job, order: Option<&Order>) -> Value {
    let said = job.last_error.as_deref().map(Quoted::text);
    let (error, note) = if job.state == JobState::NotNeeded { (None, said) } else { (said, None) };
    let key = key_of(running, job, order);
    // What is told of an order has the times of its channel, wherever it is told: beside them on a page stand those of its deadlines.
    let zone = match (Destination::parse(&job.destination), order) {
        (Some(Destination::Channel(channel)), _) => zone_of(running, channel.as_str()),
        (Some(Destination::Agency(_) | Destination::Backend(_)) | None, Some(order)) => order.rules.channel.time_zone,
        (Some(Destination::Agency(_) | Destination::Backend(_)) | None, None) => common_zone(running),
    };
    json!({
        "id": job.id,
        // A count of stock may belong to no order.
        "order_id": Some(&job.order).filter(|order| order.as_str().starts_with("ord_")),
        "destination": job.destination,
        "call": job.call,
        "state": job.state,
        "attempts": job.attempts,
        "next_attempt_at": (job.state == JobState::Pending).then(|| job.due_at.rfc3339(zone)),
        // That nothing was needed is no error.
        "last_error": error,
        "note": note,
        "idempotency_key": key,
        "created_at": job.created_at.rfc3339(zone),
        "delivered_at": times(job.done_at.filter(|_| job.state == JobState::Delivered), zone),
    })
}

/// The key by which the partner knows a repeat: as it was sent, or as it will be for a report that was not sent yet. `order` is the
/// delivery's own.
fn key_of(running: &Running, job: &Job, order: Option<&Order>) -> Option<String> {
    let is_next = job.state == JobState::Pending && job.wire_key.is_none();
    match (&job.effect, order) {
        // Each count is another message, with a key of its own.
        (Effect::TellStock { .. }, _) => job.wire_key.clone(),
        (Effect::TellChannel { notification, .. }, Some(order)) if is_next => {
            let cx = Context {
                now: job.due_at,
                nonce: [0; 16],
                delivery_id: &job.id,
                access_token: Some(""),
                attempt: job.attempts.max(1),
            };
            let channel = running.registry.channel(&order.channel);
            let call = channel.and_then(|channel| channel.channel.notify(notification, order, &cx).ok());
            Some(call.and_then(|call| call.key).unwrap_or_else(|| job.id.clone()))
        }
        (
            Effect::TellChannel { .. }
            | Effect::CallBackend { .. }
            | Effect::DecryptGuests
            | Effect::CompareGuests { .. }
            | Effect::ReadBack { .. }
            | Effect::ArmDeadline { .. }
            | Effect::DisarmDeadline { .. }
            | Effect::TakeStock { .. }
            | Effect::ReturnStock { .. },
            _,
        ) => Some(job.wire_key.as_ref().unwrap_or(&job.id).clone()),
    }
}

/// A received message.
pub(crate) fn inbox(running: &Running, row: &InboxRow) -> Value {
    json!({
        "id": row.id,
        "channel": row.channel,
        "call": row.call,
        "key": Quoted::code(&row.key),
        "received_at": row.received_at.rfc3339(zone_of(running, &row.channel)),
        "verdict": row.verdict,
        "order_id": row.order,
        "body_sha256": row.body_sha256,
        "content_sha256": row.content_sha256,
    })
}
