// SPDX-License-Identifier: Apache-2.0

//! What happens next with an order, by itself and by whoever acts.

use schemars::JsonSchema;
use serde::Serialize;
use ticketbridge_core::OrderId;
use ticketbridge_core::order::{AttentionKind, OrderState};
use ticketbridge_core::product::Currency;

use super::history::{Deadline, Delivery};
use super::or_null;
use crate::http::ops::words;

/// What happens next with an order.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "next_steps")]
pub(crate) struct NextSteps<'a> {
    #[schemars(with = "String")]
    pub(crate) order_id: &'a OrderId,
    /// Where the sale stands now.
    #[schemars(with = "String", extend("enum" = words::ORDER_STATES))]
    pub(crate) state: OrderState,
    pub(crate) deliveries: Vec<Delivery<'a>>,
    pub(crate) deadlines: Vec<DeadlineAhead<'a>>,
    /// What is waited for.
    pub(crate) waits: Vec<Waiting>,
    pub(crate) actions: Vec<Action<'a>>,
}

/// One of the words for what an order waits for.
#[derive(Serialize, JsonSchema)]
#[schemars(inline, extend("enum" = words::WAITS))]
#[serde(transparent)]
pub(crate) struct Waiting(pub(crate) &'static str);

/// A deadline, and what comes of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "deadline_ahead")]
pub(crate) struct DeadlineAhead<'a> {
    #[serde(flatten)]
    pub(crate) deadline: Deadline<'a>,
    /// What comes of it when it passes and nobody has done anything; null where it passes for nothing.
    pub(crate) then: Option<Passing>,
}

/// What comes of a deadline that passes.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Passing {
    #[schemars(with = "String", extend("enum" = words::ORDER_STATES))]
    pub(crate) state: OrderState,
    #[schemars(with = "Option<String>", extend("enum" = or_null(words::ATTENTION_KINDS)))]
    pub(crate) attention: Option<AttentionKind>,
    pub(crate) voids_tickets: bool,
    pub(crate) tells_channel: bool,
}

/// An act, whether it is possible, and what would come of it once whom it asks has agreed. Amounts in minor units.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "action")]
pub(crate) struct Action<'a> {
    pub(crate) act: &'a str,
    /// Its path below `/ops/v1`.
    pub(crate) call: &'a str,
    pub(crate) allowed: bool,
    /// The field that whoever acts has to say.
    pub(crate) needs: Option<&'a str>,
    /// Why it is not possible.
    pub(crate) code: Option<&'a str>,
    pub(crate) sentence: Option<String>,
    pub(crate) voids_tickets: bool,
    pub(crate) tells_channel: bool,
    /// The back-end is asked for tickets; the channel is told once they are there.
    pub(crate) asks_for_tickets: bool,
    /// The channel has no call for it: whoever acts does it there himself.
    pub(crate) by_hand: bool,
    /// How far it is known what becomes of the money: `known`; `expected` by the channel's terms, whose own quote counts; `named` by whoever
    /// acts; or settled by the `channel`. Null where none moves.
    #[schemars(with = "Option<String>", extend("enum" = or_null(words::MONEY_MOVES)))]
    pub(crate) money: Option<&'static str>,
    /// What of the guest's money is there before.
    pub(crate) held: i64,
    pub(crate) fee: Option<i64>,
    pub(crate) returns: Option<i64>,
    #[schemars(with = "String")]
    pub(crate) currency: &'a Currency,
    #[schemars(with = "Option<String>", extend("enum" = or_null(words::ORDER_STATES)))]
    pub(crate) state: Option<OrderState>,
    /// What a person is needed for then.
    #[schemars(with = "Option<String>", extend("enum" = or_null(words::ATTENTION_KINDS)))]
    pub(crate) attention: Option<AttentionKind>,
}
