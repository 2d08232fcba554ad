// SPDX-License-Identifier: Apache-2.0

//! By what rows are found that works name before they ask for them.

use serde::{Deserialize, Serialize};
use ticketbridge_core::message::{DeadlineKind, StockKey};
use ticketbridge_core::{ChannelId, ExternalId, OrderId};

use crate::seal::sha256_hex;

/// The hash under which a channel's number is known.
pub(crate) fn ref_hash(channel: &ChannelId, reference: &ExternalId) -> String {
    sha256_hex(&[channel.as_str().as_bytes(), &[0], reference.as_str().as_bytes()])
}

/// The column `visit_date` of what there is of a product on a date, or on none.
pub(crate) fn date_column(key: &StockKey) -> String {
    key.date.map(|date| date.to_string()).unwrap_or_default()
}

/// The id of an order's deadline of a kind.
pub(crate) fn deadline_id(order: &OrderId, kind: DeadlineKind) -> String {
    format!("{order}/{}", kind.name())
}

/// By what a guest is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// A phone number.
    Phone,
    /// An identity document.
    Document,
}
