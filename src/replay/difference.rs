// SPDX-License-Identifier: Apache-2.0

//! Something that is other than it was.

use serde::{Deserialize, Serialize};

use super::partners::steady;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The answer to a request.
    Answer,
    /// What an order had become.
    Order,
    /// A call that was not made then.
    Call,
}

impl What {
    pub(super) fn word(self) -> &'static str {
        match self {
            What::Answer => "answer",
            What::Order => "order",
            What::Call => "call",
        }
    }
}

/// Something that is other than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What.
    pub what: What,
    /// Of which: a partner's call, a part of an order, a call's address.
    pub place: String,
    /// What of it, and how.
    pub change: String,
    /// The order, as its channel and its number there.
    pub order: Option<String>,
}

impl Difference {
    /// What is the same for all differences of this kind: what is one order's alone is left out.
    pub(super) fn cause(&self) -> (What, String, String) {
        (self.what, self.place.clone(), steady(&self.change))
    }
}
