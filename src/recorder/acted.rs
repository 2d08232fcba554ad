// SPDX-License-Identifier: Apache-2.0

//! Who made a request of the ops interface, as far as it decides what may be done, as it is written down. What it comes to is in
//! [`super::rights`].

use serde::{Deserialize, Serialize};
use ticketbridge_core::Millis;

/// What somebody was allowed when a request was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    pub(super) role: String,
    pub(super) scope_kind: String,
    pub(super) scope_id: Option<String>,
    pub(super) by: By,
}

/// How he was known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    Token,
    Session {
        /// How long ago the second factor had been passed.
        factor_age: Option<Millis>,
        has_factor: bool,
    },
    Nobody,
}
