// SPDX-License-Identifier: Apache-2.0

//! A delivery, as it was read.

use serde::{Deserialize, Serialize};
use ticketbridge_core::{Effect, OrderId, UnixMillis};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// To be made.
    Pending,
    /// Made.
    Delivered,
    /// Given up; waits for a person.
    Dead,
    /// Taken out by a person, or left to one.
    Dropped,
    /// Not made, and nothing is missing: the order has moved on, or what it was to tell was told otherwise.
    NotNeeded,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// `dlv_…`; also the idempotency key towards the partner.
    pub id: String,
    /// For which order.
    pub order: OrderId,
    /// To whom.
    pub destination: String,
    /// Which call.
    pub call: String,
    /// What is to be done.
    pub effect: Effect,
    /// Where it stands.
    pub state: JobState,
    /// Place among the deliveries of the order to this destination.
    pub seq: u64,
    /// Not before this time.
    pub due_at: UnixMillis,
    /// Until when it is handed out; 0 when it is not.
    pub lease_until: UnixMillis,
    /// How often it was handed out.
    pub attempts: u32,
    /// The outcome of the last attempt is not known: ask before doing it again.
    pub read_back: bool,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// Its last attempt failed, and not because the partner could not be reached at all.
    pub failed_last: bool,
    /// The key by which the partner recognises a repeat, as the last attempt sent it; `None`: its id.
    pub wire_key: Option<String>,
    /// Since when.
    pub created_at: UnixMillis,
    /// When it was delivered, given up or dropped.
    pub done_at: Option<UnixMillis>,
    /// The fencing token under which it was handed out.
    pub(crate) token: Option<String>,
}

impl Job {
    /// Its id and the token of its lease, while it is handed out.
    pub fn lease(&self) -> Option<(String, String)> {
        self.token.clone().map(|token| (self.id.clone(), token))
    }
}
