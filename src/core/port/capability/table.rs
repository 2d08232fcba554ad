// SPDX-License-Identifier: Apache-2.0

//! What a back-end can do, asked by rules instead of its adapter's name.

use serde::Serialize;

use crate::time::Millis;

/// When a back-end that does not tell of visits is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchPlan {
    /// Once in this time on the days on which a ticket admits.
    pub every: Millis,
    /// From so long before the first of them.
    pub from_before: Millis,
    /// Until so long after the last of them; then once a day for one day more.
    pub until_after: Millis,
}

/// What a back-end can do: asked by rules instead of its adapter's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BackendTable {
    /// It keeps a place before it is bought.
    pub hold: bool,
    /// It may answer an issue with "later".
    pub async_issue: bool,
    /// Who makes the codes.
    pub code_maker: CodeMaker,
    /// Some units of a booking can be cancelled.
    pub partial_cancel: bool,
    /// A person there decides on a cancellation.
    pub audited_cancel: bool,
    /// What was used can be cancelled.
    pub cancel_after_use: bool,
    /// It can send the ticket to the guest again.
    pub resend: bool,
    /// A reservation can be found by our number.
    pub lookup_by_reference: bool,
    /// How a redemption becomes known.
    pub redemption: RedemptionNews,
    /// It tells prices that can be compared with ours.
    pub price_check: bool,
}

/// Who makes a ticket's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeMaker {
    /// The back-end.
    Backend,
    /// We draw it from codes that were loaded beforehand.
    Pool,
}

/// How a redemption becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedemptionNews {
    /// The back-end tells.
    Pushed,
    /// It is asked.
    Polled,
    /// Only a person tells.
    Manual,
}

impl BackendTable {
    /// The table for people, with what else an adapter has to say of itself.
    pub fn shown(&self, more: serde_json::Value) -> serde_json::Value {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        if let (Some(all), serde_json::Value::Object(more)) = (shown.as_object_mut(), more) {
            all.extend(more);
        }
        shown
    }
}
