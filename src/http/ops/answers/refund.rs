// SPDX-License-Identifier: Apache-2.0

//! A refund case.

use schemars::JsonSchema;
use serde::Serialize;
use ticketbridge_core::order::{RefundIntent, RefundKind, RefundSource, RefundState};
use ticketbridge_core::product::Currency;
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::{ChannelId, OrderId, RefundCaseId};

use super::Time;
use super::history::Delivery;
use crate::http::ops::words;

/// A refund case; amounts in minor units.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "refund_case")]
pub(crate) struct RefundCase<'a> {
    #[schemars(with = "String")]
    pub(crate) id: &'a RefundCaseId,
    #[schemars(with = "String")]
    pub(crate) order_id: &'a OrderId,
    #[schemars(with = "String")]
    pub(crate) channel: &'a ChannelId,
    #[schemars(with = "String", extend("enum" = words::REFUND_STATES))]
    pub(crate) state: RefundState,
    #[schemars(with = "String", extend("enum" = words::REFUND_KINDS))]
    pub(crate) kind: RefundKind,
    #[schemars(with = "String", extend("enum" = words::REFUND_SOURCES))]
    pub(crate) source: RefundSource,
    pub(crate) source_code: Option<i64>,
    pub(crate) channel_ref: &'a str,
    pub(crate) requested_at: Time,
    /// null where the channel has no limit.
    pub(crate) review_by: Option<Time>,
    /// Decided; until then the channel's, and null where that names none.
    pub(crate) fee: Option<i64>,
    /// What the channel names, or the most that can be kept where it names nothing.
    pub(crate) channel_fee: i64,
    #[schemars(with = "String")]
    pub(crate) currency: &'a Currency,
    #[schemars(with = "String", extend("enum" = words::REFUND_INTENTS))]
    pub(crate) intent: RefundIntent,
    pub(crate) decided_by: Option<&'a str>,
    pub(crate) decided_at: Option<Time>,
    #[schemars(with = "Option<String>")]
    pub(crate) reason: Option<&'a FreeText>,
    pub(crate) settled_amount: Option<i64>,
    pub(crate) overdue: bool,
    /// Only in the answer to an act that changed nothing, for it was asked for before: the deliveries that carry it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) under_way: Option<Vec<Delivery<'a>>>,
}
