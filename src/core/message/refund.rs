// SPDX-License-Identifier: Apache-2.0

//! Refunds and cancellations, as a channel tells them.

use serde::{Deserialize, Serialize};

use crate::id::ExternalId;
use crate::order::{CancelReason, RefundKind, RefundSource};
use crate::personal::DocumentNumber;
use crate::time::UnixMillis;

/// A request for money back that waits for our decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ApplyRefund {
    /// The channel's number for the sale or the booking.
    pub target: ExternalId,
    /// The channel's number for the request; the same number is the same request.
    pub channel_ref: String,
    /// What is asked for.
    pub kind: RefundKind,
    /// Who asks.
    pub source: RefundSource,
    /// The channel's own code for the source.
    pub source_code: Option<i64>,
    /// Fee that the channel computed, minor units.
    pub fee: i64,
    /// When it was asked.
    pub requested_at: UnixMillis,
    /// How many copies it is about, where the channel names them one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<u32>,
}

/// Money went back, whoever decided it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordRefund {
    /// The channel's number for the sale or the booking.
    pub target: ExternalId,
    /// The channel's number for the refund.
    pub channel_ref: String,
    /// What went back by the movement of this number, minor units; `None` when the channel does not name one.
    pub amount: Option<i64>,
    /// What is said to go back altogether, minor units, where no movement is named yet: the one that is named later takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<i64>,
    /// When.
    pub at: UnixMillis,
    /// What becomes of order and booking.
    pub scope: RefundScope,
    /// The channel's own code for the occasion.
    pub scene: Option<i64>,
    /// Because the voucher expired.
    pub expired: bool,
    /// Of how many copies the money went back, where the channel counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<u32>,
    /// The copies that it is about, where the channel names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<NamedCopy>,
}

/// One copy of an order, as a channel names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NamedCopy {
    /// The channel's own number of it.
    pub certificate: Option<String>,
    /// The code that it has of us.
    pub code: Option<DocumentNumber>,
}

/// How far a refund reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundScope {
    /// Money and order: nothing will be used any more.
    Order,
    /// The booking only; no money moved.
    Booking,
    /// The money only; order, booking and tickets stay.
    MoneyOnly,
}

/// The channel cancelled something; a fact, not a question.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordCancellation {
    /// The channel's number for the sale or the booking.
    pub target: ExternalId,
    /// Why, in our words.
    pub reason: CancelReason,
    /// When.
    pub at: UnixMillis,
}

/// Somebody at the channel refused a refund, without us: in its console, or its customer service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordRejection {
    /// The channel's number for the sale or the booking.
    pub target: ExternalId,
    /// The channel's number for the refund, where it says.
    pub channel_ref: Option<String>,
    /// When it was refused, where it says: a case that was asked for later is another one.
    pub at: Option<UnixMillis>,
}
