// SPDX-License-Identifier: Apache-2.0

//! Channels, back-ends and code pools.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use ticketbridge_core::quoted::Quoted;

use super::Time;
use crate::http::ops::words;

/// How a channel or a back-end fares, and what it can do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "partner")]
pub(crate) struct Partner<'a> {
    pub(crate) id: &'a str,
    pub(crate) adapter: &'a str,
    #[schemars(extend("enum" = words::PARTNER_STATES))]
    pub(crate) state: &'a str,
    #[schemars(with = "Map<String, Value>")]
    pub(crate) capabilities: &'a Value,
    #[schemars(extend("enum" = words::BREAKER_STATES))]
    pub(crate) breaker: &'a str,
    pub(crate) in_flight: u32,
    pub(crate) pending: u64,
    pub(crate) dead: u64,
    pub(crate) last_ok_at: Option<Time>,
    #[schemars(with = "Option<String>")]
    pub(crate) last_error: Option<Quoted>,
    /// By how many seconds its clock goes before ours, where they differ by more than 30.
    pub(crate) clock_off_s: Option<i64>,
}

/// How full a code pool is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "pool")]
pub(crate) struct Pool<'a> {
    pub(crate) pool: &'a str,
    pub(crate) total: u64,
    pub(crate) issued: u64,
    /// Kept after a restore until somebody releases them.
    pub(crate) held_back: u64,
    pub(crate) available: u64,
    pub(crate) low_water: u64,
    /// Fewer are left than low_water: load more.
    pub(crate) is_low: bool,
}

/// What came of loading codes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "imported")]
pub(crate) struct Imported {
    pub(crate) added: u64,
    pub(crate) duplicates: u64,
}

/// What came of holding codes back, or of releasing them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "codes_changed")]
pub(crate) struct CodesChanged {
    /// How many changed.
    pub(crate) changed: u64,
}

/// What came of taking codes back.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "withdrawn")]
pub(crate) struct Withdrawn {
    pub(crate) withdrawn: u64,
    pub(crate) issued: u64,
    pub(crate) unknown: u64,
}
