// SPDX-License-Identifier: Apache-2.0

//! Passkeys, and what browsers are asked for them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

use super::Time;

/// A passkey of one's own.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "passkey")]
pub(crate) struct Passkey<'a> {
    pub(crate) id: &'a str,
    /// What its owner calls it.
    pub(crate) name: &'a str,
    /// The algorithm of its key.
    pub(crate) algorithm: &'a str,
    /// How its authenticator is reached, in the words of WebAuthn.
    #[schemars(with = "Vec<String>")]
    pub(crate) transports: &'a [String],
    /// Whether it is on several devices.
    pub(crate) is_synced: bool,
    /// How often it was used, as it says itself; 0 where it does not count.
    pub(crate) counter: i64,
    pub(crate) created_at: Time,
    pub(crate) used_at: Option<Time>,
}

/// What `navigator.credentials` is to be asked, in the JSON of WebAuthn.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Options(pub(crate) Value);

impl JsonSchema for Options {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "passkey_options".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "What `navigator.credentials` is to be asked, in the JSON of WebAuthn.",
            "properties": { "publicKey": { "type": "object", "additionalProperties": true } },
            "required": ["publicKey"],
        })
    }
}

/// A passkey just added.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "passkey_added")]
pub(crate) struct Added<'a> {
    pub(crate) id: &'a str,
    /// Where it is the first factor of its owner; otherwise none.
    #[schemars(with = "Vec<String>")]
    pub(crate) recovery_codes: &'a [String],
}

/// A passkey just removed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "passkey_removed")]
pub(crate) struct Removed<'a> {
    pub(crate) id: &'a str,
}
