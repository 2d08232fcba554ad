// SPDX-License-Identifier: Apache-2.0

//! Who is told of changes, in which way, and of what.

use serde_json::Value;

/// Which of the two ways of pushing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// `octo/webhooks`: the whole booking.
    Webhooks,
    /// `octo/notifications`: its uuid.
    Notifications,
}

/// Who is told.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) generation: Generation,
}

/// A push that is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Push {
    pub(super) url: String,
    pub(super) body: Value,
}
