// SPDX-License-Identifier: Apache-2.0

//! What happened and what is to happen: events, calls, messages, deliveries, deadlines, and what people did.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use ticketbridge_core::message::DeadlineKind;
use ticketbridge_core::quoted::Quoted;
use ticketbridge_core::{ActorKind, OrderId};
use ticketbridge_store::{Direction, InboxVerdict, JobState};

use super::Time;
use crate::http::ops::words;

/// Something that happened to an order.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "event")]
pub(crate) struct Event<'a> {
    pub(crate) id: &'a str,
    #[schemars(with = "String")]
    pub(crate) order_id: &'a OrderId,
    pub(crate) seq: u64,
    pub(crate) at: Time,
    pub(crate) kind: &'a str,
    pub(crate) actor: Actor<'a>,
    #[schemars(with = "Option<String>")]
    pub(crate) reason: Option<Quoted>,
    #[schemars(with = "Map<String, Value>")]
    pub(crate) data: Value,
}

/// Who caused it.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Actor<'a> {
    #[schemars(with = "String", extend("enum" = words::ACTOR_KINDS))]
    pub(crate) kind: ActorKind,
    pub(crate) name: &'a str,
}

/// A message in or out.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "call")]
pub(crate) struct Call<'a> {
    pub(crate) id: &'a str,
    #[schemars(with = "Option<String>")]
    pub(crate) order_id: Option<&'a OrderId>,
    #[schemars(with = "String", extend("enum" = words::DIRECTIONS))]
    pub(crate) direction: Direction,
    pub(crate) partner: &'a str,
    pub(crate) call: &'a str,
    pub(crate) at: Time,
    pub(crate) duration_ms: i64,
    pub(crate) attempt: u32,
    pub(crate) status: Option<u16>,
    pub(crate) verdict: &'a str,
    #[schemars(with = "String")]
    pub(crate) summary: Quoted,
    /// With `bodies=true`: what was asked and answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CallTexts")]
    pub(crate) said: Option<CallTexts>,
}

/// What was asked and answered in a call.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "call_texts")]
pub(crate) struct CallTexts {
    /// Of a call of ours that was recorded: method and address.
    pub(crate) to: Option<String>,
    /// null where it was empty, or is not kept: `[retention] bodies` of messages that came in, `[recorder] keep` of everything else.
    pub(crate) asked: Option<Value>,
    /// The same.
    pub(crate) answered: Option<Value>,
    /// Whether guests are masked: in a session that has asked to see those of this order they are not.
    pub(crate) masked: bool,
}

/// Something that a partner is told or asked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "delivery")]
pub(crate) struct Delivery<'a> {
    pub(crate) id: &'a str,
    /// null where it belongs to no order, as a count of stock.
    #[schemars(with = "Option<String>")]
    pub(crate) order_id: Option<&'a OrderId>,
    pub(crate) destination: &'a str,
    pub(crate) call: &'a str,
    #[schemars(with = "String", extend("enum" = words::DELIVERY_STATES))]
    pub(crate) state: JobState,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at: Option<Time>,
    #[schemars(with = "Option<String>")]
    pub(crate) last_error: Option<Quoted>,
    /// Why nothing was needed.
    #[schemars(with = "Option<String>")]
    pub(crate) note: Option<Quoted>,
    /// The key by which the partner knows a repeat.
    pub(crate) idempotency_key: Option<String>,
    pub(crate) created_at: Time,
    pub(crate) delivered_at: Option<Time>,
}

/// A deadline.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "deadline")]
pub(crate) struct Deadline<'a> {
    pub(crate) id: String,
    #[schemars(with = "String")]
    pub(crate) order_id: &'a OrderId,
    #[schemars(with = "String", extend("enum" = words::DEADLINE_KINDS))]
    pub(crate) kind: DeadlineKind,
    pub(crate) due_at: Time,
    pub(crate) warned_at: Option<Time>,
    pub(crate) passed: bool,
    /// Negative once it is over.
    pub(crate) time_left_s: i64,
}

/// A received message.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "inbox_row")]
pub(crate) struct InboxRow<'a> {
    pub(crate) id: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) call: &'a str,
    #[schemars(with = "String")]
    pub(crate) key: Quoted,
    pub(crate) received_at: Time,
    #[schemars(with = "String", extend("enum" = words::VERDICTS))]
    pub(crate) verdict: InboxVerdict,
    #[schemars(with = "Option<String>")]
    pub(crate) order_id: Option<&'a OrderId>,
    /// Of the bytes as they were received.
    pub(crate) body_sha256: &'a str,
    /// Of what the message means.
    pub(crate) content_sha256: Option<&'a str>,
}

/// A received message with what was said, masked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "inbox_message")]
pub(crate) struct InboxMessage<'a> {
    #[serde(flatten)]
    pub(crate) row: InboxRow<'a>,
    /// What was said, masked; null where it is no longer kept.
    pub(crate) body: Option<Value>,
    pub(crate) answer_status: Option<u16>,
    /// What was answered, masked.
    pub(crate) answer: Option<Value>,
}

/// What came of carrying a message out again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "replayed")]
pub(crate) struct Replayed<'a> {
    pub(crate) id: &'a str,
    #[schemars(with = "String", extend("enum" = words::VERDICTS))]
    pub(crate) before: InboxVerdict,
    #[schemars(with = "String", extend("enum" = words::VERDICTS))]
    pub(crate) verdict: InboxVerdict,
    #[schemars(with = "Option<String>")]
    pub(crate) order_id: Option<&'a OrderId>,
    pub(crate) changed: bool,
    pub(crate) sentence: &'a str,
}

/// What somebody did or looked at.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "audit_entry")]
pub(crate) struct AuditEntry<'a> {
    pub(crate) id: &'a str,
    pub(crate) at: Time,
    pub(crate) actor: &'a str,
    /// What a person is called, and a token; null where it is somebody of another scope, or nobody knows.
    pub(crate) actor_name: Option<&'a str>,
    pub(crate) act: &'a str,
    #[schemars(with = "Option<String>")]
    pub(crate) order_id: Option<&'a OrderId>,
    #[schemars(with = "Option<Map<String, Value>>")]
    pub(crate) detail: &'a Value,
}

/// One of the things that change while somebody listens.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "change")]
pub(crate) struct Change<'a> {
    #[schemars(with = "String", extend("enum" = words::CHANGE_KINDS))]
    pub(crate) kind: &'a str,
    /// null where too much changed to be named.
    pub(crate) id: Option<&'a str>,
}
