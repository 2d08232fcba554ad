// SPDX-License-Identifier: Apache-2.0

//! A place that is kept for a reseller until it confirms: what it is called there, and until when.

use serde::{Deserialize, Serialize};

use crate::quoted::FreeText;
use crate::time::UnixMillis;

/// A place that a reseller has reserved, and has to confirm.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// Until when it is kept.
    pub until: UnixMillis,
    /// Whether the reseller has not confirmed yet.
    pub open: bool,
    /// The reseller's own name for the booking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The units, as the reseller names them.
    pub units: Vec<HeldUnit>,
    /// Why the reseller has cancelled it, in its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<FreeText>,
}

/// A unit of a reservation, as its reseller names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeldUnit {
    /// Its number.
    pub id: String,
    /// Its name in the reseller's own books.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}
