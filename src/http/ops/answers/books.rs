// SPDX-License-Identifier: Apache-2.0

//! Money beside orders: credit accounts, statements, and comparing books. Amounts in minor units.

use schemars::JsonSchema;
use serde::Serialize;
use ticketbridge_core::Date as Day;
use ticketbridge_core::product::Currency;

use super::{Date, Time};
use crate::http::ops::words;

/// How a credit account stands.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "credit")]
pub(crate) struct Credit<'a> {
    pub(crate) id: &'a str,
    #[schemars(with = "String")]
    pub(crate) currency: &'a Currency,
    /// What the balance may fall below zero by.
    pub(crate) limit: i64,
    pub(crate) balance: i64,
    /// Kept back for orders that are not paid yet.
    pub(crate) held: i64,
    /// limit + balance - held.
    pub(crate) available: i64,
}

/// Amounts count in their kind's own direction; a correction is negative.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "statement")]
pub(crate) struct Statement<'a> {
    pub(crate) settle_id: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
    #[schemars(with = "Date")]
    pub(crate) from: Day,
    #[schemars(with = "Date")]
    pub(crate) to: Day,
    #[schemars(with = "String")]
    pub(crate) currency: &'a Currency,
    /// Of a settle id: lines before this time have been settled.
    pub(crate) settled_until: Option<Time>,
    pub(crate) lines: Vec<StatementLine<'a>>,
    pub(crate) totals: Totals,
}

/// One line of a statement.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "statement_line")]
pub(crate) struct StatementLine<'a> {
    pub(crate) order_id: Option<&'a str>,
    pub(crate) at: Time,
    #[schemars(extend("enum" = words::LINE_KINDS))]
    pub(crate) kind: &'a str,
    pub(crate) amount: i64,
}

/// What the lines add up to.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Totals {
    pub(crate) sales: i64,
    pub(crate) commission: i64,
    pub(crate) refunds: i64,
    /// Of a settle id: kept of refunds; in the balance already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fees: Option<i64>,
    /// Of an account: its balance when the period began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opening: Option<i64>,
    /// Of an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deposits: Option<i64>,
    /// Of a settle id: sales - commission - refunds. Of an account: opening + deposits - sales + refunds.
    pub(crate) balance: i64,
}

/// Until when a settle id is settled.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "settled")]
pub(crate) struct Settled<'a> {
    pub(crate) settle_id: &'a str,
    #[schemars(with = "Date")]
    pub(crate) to: Day,
    pub(crate) settled_until: Time,
}

/// What came of comparing books.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "reconciliation")]
pub(crate) struct Reconciliation<'a> {
    pub(crate) started_at: Time,
    pub(crate) ended_at: Time,
    pub(crate) orders: u64,
    /// Of which nobody answered.
    pub(crate) unanswered: u64,
    pub(crate) repaired: u64,
    #[schemars(with = "Vec<Difference>")]
    pub(crate) differences: &'a [crate::housekeeping::reconcile::Difference],
    /// Differences beyond those that are listed.
    pub(crate) not_listed: u64,
}

/// One difference between two books.
#[derive(JsonSchema)]
#[schemars(rename = "difference")]
#[expect(dead_code, reason = "only ever described; reconciliation keeps and writes its own")]
struct Difference {
    order_id: String,
    channel_order_id: String,
    partner: String,
    field: String,
    ours: String,
    theirs: String,
    reason: String,
    repaired: bool,
}
