// SPDX-License-Identifier: Apache-2.0

//! One act on many.

use schemars::JsonSchema;
use serde::Serialize;
use ticketbridge_store::BulkState;

use super::Time;
use crate::http::ops::words;

/// One act on many: what it would do, or how far it has come.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "bulk")]
#[serde(untagged)]
pub(crate) enum Bulk<'a> {
    /// What it would do.
    Preview(Preview<'a>),
    /// How far it has come.
    Running(Progress<'a>),
}

/// What an act on many would do; nothing was done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "bulk_preview")]
pub(crate) struct Preview<'a> {
    pub(crate) act: &'a str,
    pub(crate) total: usize,
    pub(crate) allowed: usize,
    pub(crate) refused: usize,
    /// What the allowed ones come to, by currency, in minor units.
    pub(crate) sums: Vec<Sum<'a>>,
    pub(crate) refusals: Vec<Refusal<'a>>,
    /// The allowed ones: what `items` of the act itself is.
    pub(crate) targets: Vec<Target<'a>>,
}

/// How far an act on many has come.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "bulk_progress")]
pub(crate) struct Progress<'a> {
    #[serde(flatten)]
    pub(crate) row: BulkRow<'a>,
    pub(crate) waiting: u64,
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) refusals: Vec<Refusal<'a>>,
}

/// An act on many.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "bulk_row")]
pub(crate) struct BulkRow<'a> {
    pub(crate) id: &'a str,
    pub(crate) act: &'a str,
    #[schemars(with = "String", extend("enum" = words::BULK_STATES))]
    pub(crate) state: BulkState,
    pub(crate) total: u64,
    pub(crate) created_at: Time,
    pub(crate) done_at: Option<Time>,
}

/// What orders of one currency come to.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Sum<'a> {
    pub(crate) currency: &'a str,
    pub(crate) orders: i64,
    pub(crate) total: i64,
    pub(crate) returns: i64,
}

/// One that was refused.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Refusal<'a> {
    pub(crate) id: &'a str,
    pub(crate) code: Option<&'a str>,
    pub(crate) sentence: Option<&'a str>,
}

/// One that is acted on.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Target<'a> {
    pub(crate) id: &'a str,
    pub(crate) expected_version: Option<u64>,
}
