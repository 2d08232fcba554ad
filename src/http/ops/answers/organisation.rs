// SPDX-License-Identifier: Apache-2.0

//! Dealers, institutions, agencies, settle units, and what is connected to them.

use schemars::JsonSchema;
use serde::Serialize;

use super::Time;
use crate::http::ops::words;

/// The tree of dealers, institutions and agencies, with settle units and connections.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "partners")]
pub(crate) struct Organisation<'a> {
    pub(crate) dealers: Vec<Dealer<'a>>,
    pub(crate) institutions: Vec<Institution<'a>>,
    pub(crate) connections: Vec<Connection<'a>>,
}

/// A dealer.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Dealer<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
}

/// An institution.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Institution<'a> {
    pub(crate) id: &'a str,
    pub(crate) registration_number: &'a str,
    #[schemars(extend("enum" = words::CONTRACTS))]
    pub(crate) contract: &'a str,
    pub(crate) dealer: Option<&'a str>,
    pub(crate) agencies: Vec<Agency<'a>>,
    pub(crate) settle_units: Vec<SettleUnit<'a>>,
}

/// An agency.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Agency<'a> {
    pub(crate) id: &'a str,
    pub(crate) code: &'a str,
    pub(crate) sender_name: &'a str,
}

/// A settle unit.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct SettleUnit<'a> {
    pub(crate) id: &'a str,
    pub(crate) closed: bool,
    /// Lines before this time have been settled.
    pub(crate) settled_until: Option<Time>,
}

/// A channel or a back-end, with whom it belongs to and from where it may be called.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Connection<'a> {
    pub(crate) id: &'a str,
    #[schemars(extend("enum" = words::CONNECTION_KINDS))]
    pub(crate) kind: &'static str,
    pub(crate) settle_id: Option<&'a str>,
    /// Whether lines of it stand under its own name, from before it named a settle unit: they are shown and settled under that name.
    pub(crate) older_lines: bool,
    pub(crate) agency: Option<&'a str>,
    pub(crate) institution: Option<&'a str>,
    pub(crate) allow_from: Vec<String>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) secrets: Vec<Secrets>,
}

/// An address from where a connection may be called, with its change that is on its way.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Address {
    pub(crate) network: String,
    #[schemars(extend("enum" = words::DOOR_STATES))]
    pub(crate) state: &'static str,
    pub(crate) saved_at: Time,
    pub(crate) opens_at: Time,
    pub(crate) closes_at: Option<Time>,
}

/// Secrets of a connection whose change is on its way.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Secrets {
    /// What tells them from others.
    pub(crate) fingerprint: String,
    #[schemars(extend("enum" = words::DOOR_STATES))]
    pub(crate) state: &'static str,
    pub(crate) saved_at: Time,
    pub(crate) opens_at: Time,
    pub(crate) closes_at: Option<Time>,
}
