// SPDX-License-Identifier: Apache-2.0

//! From the core's types to what is answered. Guests' data masks itself.

use crate::engine::attention::command_for;
use serde::Serialize;
use serde_json::Value;
use ticketbridge_core::message::Destination;
use ticketbridge_core::order::channel_state::ChannelState;
use ticketbridge_core::order::{Attention, Booking, Order, RefundCase, Ticket, TicketKind};
use ticketbridge_core::personal::in_clear;
use ticketbridge_core::port::Context;
use ticketbridge_core::product::Currency;
use ticketbridge_core::quoted::{Guests, Quoted};
use ticketbridge_core::{ChannelId, Effect, OrderId, TimeZone, UnixMillis};
use ticketbridge_store::{CallRecord, EventRow, InboxRow, Job, JobState, RefundRow};

use crate::http::ops::answers::{self, Time, history::Delivery, order::Person};
use crate::service::live::Running;
use crate::worker::told_before;

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

/// An order.
pub(crate) fn order(running: &Running, order: &Order) -> Value {
    // Whatever a partner has written into a number, a label or a name, and wherever a field for it is added.
    Guests::of(order).show(&answered(running, order))
}

fn answered<'o>(running: &Running, order: &'o Order) -> answers::order::Order<'o> {
    let zone = order.rules.channel.time_zone;
    let channel = running.registry.channel(&order.channel);
    let attentions: Vec<_> = order.attention.iter().map(|it| attention(order, it)).collect();
    answers::order::Order {
        id: &order.id,
        channel: &order.channel,
        channel_order_id: &order.channel_order_id,
        kind: order.kind,
        state: order.state,
        cancel_reason: order.cancel_reason,
        product: &order.product,
        quantity: order.quantity,
        // A channel that is no longer configured has no words of its own.
        label: channel.map_or_else(|| word_of(&order.state), |channel| channel.channel.label(order).to_string()),
        payment: answers::order::Payment {
            state: order.payment(),
            currency: &order.money.currency,
            total: order.money.due,
            received: order.money.received(),
            refunded: order.money.refunded(),
            fee: order.money.fee(),
        },
        buyer: answers::order::Buyer { name: order.buyer.name.as_ref(), phone: order.buyer.phone.as_ref() },
        booking: order.booking.as_ref().map(|it| booking(order, it)),
        refund_case: order.refund_case.as_ref().map(|case| {
            refund_case(&order.id, &order.channel, &order.money.currency, (case, order.known_fee(case)), zone)
        }),
        attention: most_urgent(order, &attentions),
        attentions,
        under_way: None,
        channel_view: order.channel_state.as_deref().map(|it| channel_state(it, zone)),
        // What it was placed under, whatever the configuration says now (DY-18). No guest's data is in it.
        rules: &order.rules,
        version: order.version,
        created_at: Time::of(order.created_at, zone),
        updated_at: Time::of(order.updated_at, zone),
    }
}

/// The word of a state.
fn word_of(state: &impl Serialize) -> String {
    value(state).as_str().unwrap_or_default().to_owned()
}

/// The same with its people in clear, for a session that has asked for them. What partners wrote elsewhere stays masked.
pub(crate) fn order_in_clear(running: &Running, of: &Order) -> Value {
    let mut shown = order(running, of);
    in_clear(|| {
        shown["buyer"] = value(answers::order::Buyer { name: of.buyer.name.as_ref(), phone: of.buyer.phone.as_ref() });
        if let Some(booking) = &of.booking {
            shown["booking"]["visitors"] = value(booking.visitors.iter().map(Person::from).collect::<Vec<_>>());
        }
    });
    shown
}

/// The channel's own state of it, where it is a snapshot channel; and what we have asked of it.
fn channel_state(of: &ChannelState, zone: TimeZone) -> answers::order::ChannelView<'_> {
    let standing = &of.standing;
    answers::order::ChannelView {
        revision: standing.revision,
        told_at: Time::of(standing.at, zone),
        read_only: standing.read_only,
        lines: &standing.lines,
        payments: standing
            .payments
            .iter()
            .map(|it| answers::order::ChannelPayment {
                id: &it.id,
                left: it.left,
                at: Time::of(it.at, zone),
                link: it.link.as_deref(),
            })
            .collect(),
        cancel_until: Time::maybe(standing.policy.as_ref().and_then(|policy| policy.until), zone),
        proposal: of.proposal.as_ref(),
        not_for_sale: of.not_for_sale.as_deref(),
        partner_number: of.partner_number(),
        partner_numbers: of
            .partner_numbers
            .iter()
            .map(|it| answers::order::PartnerNumber { number: &it.number, since: Time::of(it.since, zone) })
            .collect(),
        payment_links: of
            .links
            .iter()
            .map(|link| answers::order::PaymentLink {
                id: link.id.as_deref(),
                url: link.url.as_deref(),
                amount: link.amount,
                state: link.state,
                expires_at: Time::of(link.expires_at, zone),
            })
            .collect(),
        extra: &standing.extra,
        pays_by: standing.pays_by.as_deref(),
        notes: &standing.notes,
    }
}

fn booking<'o>(order: &'o Order, booking: &'o Booking) -> answers::order::Booking<'o> {
    let zone = order.rules.channel.time_zone;
    let ticketing = &booking.ticketing;
    answers::order::Booking {
        id: &booking.id,
        channel_booking_id: &booking.channel_booking_id,
        state: booking.state,
        product: &order.rules.booking.code,
        visit_date: booking.visit_date,
        valid_until: booking.valid_until,
        visitors: booking.visitors.iter().map(Into::into).collect(),
        ticketing: answers::order::Ticketing {
            state: ticketing.state,
            backend: order.rules.booking.ticketing.issuer(),
            backend_ref: ticketing.backend_ref.as_ref(),
            deadline: Time::maybe(ticketing.deadline, zone),
            overdue: ticketing.overdue,
            reason: ticketing.reason.as_ref(),
            handover: ticketing.handover,
            by_hand: ticketing.manual,
            tickets: ticketing.tickets.iter().map(ticket).collect(),
            other_tickets: ticketing.other_tickets.iter().map(ticket).collect(),
        },
        requested_at: Time::of(booking.requested_at, zone),
        accepted_at: Time::maybe(booking.confirmed_at, zone),
        used_at: Time::maybe(booking.used_at, zone),
    }
}

/// A code is shown, since that is what ops read out to a guest; a document's number is a person's data and stays masked.
fn ticket(ticket: &Ticket) -> answers::order::Ticket<'_> {
    let code = match ticket.kind {
        TicketKind::Document => ticket.code.masked(),
        TicketKind::Code | TicketKind::Qr | TicketKind::Url => ticket.code.reveal().to_owned(),
    };
    answers::order::Ticket {
        id: &ticket.id,
        code,
        kind: ticket.kind,
        project_id: ticket.project_id.as_ref(),
        name: ticket.name.as_ref(),
    }
}

/// The one that stands before all others.
fn most_urgent(order: &Order, all: &[answers::order::Attention]) -> Option<answers::order::MostUrgent> {
    let most = order.attention()?;
    let attention = all.iter().find(|it| it.kind == most.kind)?.clone();
    Some(answers::order::MostUrgent { attention, more: all.len().saturating_sub(1) })
}

/// What needs a person, with the command that helps.
fn attention(order: &Order, attention: &Attention) -> answers::order::Attention {
    let command = command_for(order, attention.kind);
    answers::order::Attention {
        kind: attention.kind,
        since: Time::of(attention.since, order.rules.channel.time_zone),
        sentence: format!("{} ({command})", attention.sentence),
        command,
        detail: None,
    }
}

/// A refund case. Until it is decided, its fee is the channel's, where that names one.
fn refund_case<'o>(
    order: &'o OrderId,
    channel: &'o ChannelId,
    currency: &'o Currency,
    (case, fee): (&'o RefundCase, Option<i64>),
    zone: TimeZone,
) -> answers::refund::RefundCase<'o> {
    answers::refund::RefundCase {
        id: &case.id,
        order_id: order,
        channel,
        state: case.state,
        kind: case.kind,
        source: case.source,
        source_code: case.source_code,
        channel_ref: &case.channel_ref,
        requested_at: Time::of(case.requested_at, zone),
        // A channel without a limit has none.
        review_by: Time::maybe(Some(case.review_by).filter(|limit| *limit > case.requested_at), zone),
        fee,
        channel_fee: case.channel_fee,
        currency,
        intent: case.intent,
        decided_by: case.decided_by.as_deref(),
        decided_at: Time::maybe(case.decided_at, zone),
        reason: case.reason.as_ref(),
        settled_amount: case.settled_amount,
        overdue: case.overdue,
        under_way: None,
    }
}

/// A refund case of a list.
pub(crate) fn refund(running: &Running, row: &RefundRow) -> Value {
    let zone = zone_of(running, row.channel.as_str());
    row.guests.show(&refund_case(&row.order, &row.channel, &row.currency, (&row.case, row.fee), zone))
}

/// The case of an order, current or past.
pub(crate) fn refund_of(order: &Order, id: &str) -> Value {
    let cases = order.refund_case.iter().chain(&order.past_refund_cases);
    let found = cases.into_iter().find(|case| case.id.as_str() == id);
    let zone = order.rules.channel.time_zone;
    Guests::of(order).show(
        &found.map(|case| {
            refund_case(&order.id, &order.channel, &order.money.currency, (case, order.known_fee(case)), zone)
        }),
    )
}

/// An event of an order that knows these guests.
pub(crate) fn event(row: &EventRow, guests: &Guests, zone: TimeZone) -> Value {
    let mut data = row.data.clone();
    with_times(&mut data, zone);
    guests.json(&mut data);
    value(answers::history::Event {
        id: &row.id,
        order_id: &row.order,
        seq: row.seq,
        at: Time::of(row.at, zone),
        kind: &row.kind,
        actor: answers::history::Actor { kind: row.actor.kind, name: &row.actor.name },
        reason: row.reason.as_deref().map(|reason| guests.id(reason)),
        data,
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
pub(crate) fn call<'r>(row: &'r CallRecord, guests: &Guests, zone: TimeZone) -> answers::history::Call<'r> {
    answers::history::Call {
        id: &row.id,
        order_id: row.order.as_ref(),
        direction: row.direction,
        partner: &row.partner,
        call: &row.call,
        at: Time::of(row.at, zone),
        duration_ms: row.duration.0,
        attempt: row.attempt,
        status: row.status,
        verdict: &row.verdict,
        summary: guests.id(&row.summary),
        said: None,
    }
}

/// A delivery, for an order as it is now.
pub(crate) fn delivery<'j>(running: &Running, job: &'j Job, order: Option<&Order>) -> Delivery<'j> {
    delivery_of(running, job, order, order.map(|order| &order.channel))
}

/// The same where no more may be known of its order than its channel.
pub(crate) fn delivery_of<'j>(
    running: &Running,
    job: &'j Job,
    order: Option<&Order>,
    channel: Option<&ChannelId>,
) -> Delivery<'j> {
    let said = job.last_error.as_deref().map(Quoted::text);
    let (error, note) = if job.state == JobState::NotNeeded { (None, said) } else { (said, None) };
    let key = key_of(running, job, order);
    // What is told of an order has the times of its channel, wherever it is told: beside them on a page stand those of its deadlines.
    let zone = match (Destination::parse(&job.destination), order, channel) {
        (Some(Destination::Channel(channel)), _, _) => zone_of(running, channel.as_str()),
        (Some(Destination::Agency(_) | Destination::Backend(_)) | None, Some(order), _) => {
            order.rules.channel.time_zone
        }
        (Some(Destination::Agency(_) | Destination::Backend(_)) | None, None, Some(channel)) => {
            zone_of(running, channel.as_str())
        }
        (Some(Destination::Agency(_) | Destination::Backend(_)) | None, None, None) => common_zone(running),
    };
    Delivery {
        id: &job.id,
        // A count of stock may belong to no order.
        order_id: Some(&job.order).filter(|order| order.as_str().starts_with("ord_")),
        destination: &job.destination,
        call: &job.call,
        state: job.state,
        attempts: job.attempts,
        next_attempt_at: (job.state == JobState::Pending).then(|| Time::of(job.due_at, zone)),
        // That nothing was needed is no error.
        last_error: error,
        note,
        idempotency_key: key,
        created_at: Time::of(job.created_at, zone),
        delivered_at: Time::maybe(job.done_at.filter(|_| job.state == JobState::Delivered), zone),
    }
}

/// The key by which the partner knows a repeat: as it was sent, or as it will be for a report that was not sent yet. `order` is the
/// delivery's own.
fn key_of(running: &Running, job: &Job, order: Option<&Order>) -> Option<String> {
    let is_next = job.state == JobState::Pending && job.wire_key.is_none();
    match (&job.effect, order) {
        // Each count is another message, with a key of its own.
        (Effect::TellStock { .. }, _) => job.wire_key.clone(),
        (Effect::TellChannel { notification, told_before, .. }, Some(order)) if is_next => {
            let cx = Context {
                now: job.due_at,
                nonce: [0; 16],
                delivery_id: &job.id,
                decided_at: job.created_at,
                access_token: Some(""),
                attempt: job.attempts.max(1),
            };
            let channel = running.registry.channel(&order.channel);
            let before = told_before.as_deref();
            let call = channel.and_then(|it| told_before::write(&*it.channel, notification, order, before, &cx).ok());
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
pub(crate) fn inbox<'r>(running: &Running, row: &'r InboxRow) -> answers::history::InboxRow<'r> {
    answers::history::InboxRow {
        id: &row.id,
        channel: &row.channel,
        call: &row.call,
        key: Quoted::code(&row.key),
        received_at: Time::of(row.received_at, zone_of(running, &row.channel)),
        verdict: row.verdict,
        order_id: row.order.as_ref(),
        body_sha256: &row.body_sha256,
        content_sha256: row.content_sha256.as_deref(),
    }
}
