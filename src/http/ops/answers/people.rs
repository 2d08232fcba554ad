// SPDX-License-Identifier: Apache-2.0

//! Accounts, invitations and sessions.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;
use ticketbridge_store::{AccountState, InvitationState};

use super::Time;
use crate::http::ops::words;

/// Whose data somebody sees, as `accounts::Scope` writes it; null for whoever has none yet.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Scope(pub(crate) Value);

impl JsonSchema for Scope {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "scope".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["object", "null"],
            "properties": {
                "kind": { "type": "string", "enum": ["everything", "dealer", "institution", "agency"] },
                "id": { "type": ["string", "null"] },
            },
            "required": ["kind"],
        })
    }
}

/// Who has signed in.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "session")]
pub(crate) struct Session<'a> {
    pub(crate) account: Option<&'a str>,
    pub(crate) session: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) email: Option<&'a str>,
    /// The one way of signing in of this account.
    pub(crate) sign_in: Option<&'a str>,
    pub(crate) role: &'a str,
    pub(crate) scope: Scope,
    pub(crate) language: Option<&'a str>,
    pub(crate) has_factor: bool,
    /// When the second factor was passed in this session.
    pub(crate) factor_at: Option<Time>,
    pub(crate) factor_is_fresh: bool,
}

/// A session of one's own.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "session_row")]
pub(crate) struct SessionRow<'a> {
    pub(crate) id: &'a str,
    pub(crate) created_at: Time,
    pub(crate) seen_at: Time,
    pub(crate) factor_at: Option<Time>,
    pub(crate) address: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) is_this: bool,
}

/// A session that has ended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "signed_out")]
pub(crate) struct SignedOut<'a> {
    pub(crate) session: &'a str,
}

/// Somebody asked for an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "signed_up")]
pub(crate) struct SignedUp {
    pub(crate) state: &'static str,
}

/// What an authenticator is given.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "totp")]
pub(crate) struct Totp<'a> {
    pub(crate) secret: &'a str,
    pub(crate) otpauth_uri: &'a str,
}

/// Codes for the day on which the authenticator is lost; each works once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "recovery_codes")]
pub(crate) struct RecoveryCodes<'a> {
    #[schemars(with = "Vec<String>")]
    pub(crate) recovery_codes: &'a [String],
}

/// An account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "account")]
pub(crate) struct Account<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) email: &'a str,
    pub(crate) mobile: &'a str,
    pub(crate) direct: &'a str,
    pub(crate) agency_code: Option<&'a str>,
    #[schemars(with = "String", extend("enum" = words::ACCOUNT_STATES))]
    pub(crate) state: AccountState,
    pub(crate) role: Option<&'a str>,
    pub(crate) scope: Scope,
    pub(crate) sign_in: &'a str,
    pub(crate) has_factor: bool,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

/// An invitation.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "invitation")]
pub(crate) struct Invitation<'a> {
    pub(crate) id: &'a str,
    pub(crate) email: &'a str,
    pub(crate) role: &'a str,
    pub(crate) scope: Scope,
    #[schemars(with = "String", extend("enum" = words::INVITATION_STATES))]
    pub(crate) state: InvitationState,
    pub(crate) invited_by: &'a str,
    pub(crate) created_at: Time,
    pub(crate) expires_at: Time,
    /// Whose account came of it.
    pub(crate) account: Option<&'a str>,
}

/// An invitation just made. Its link is told here and nowhere else.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "invited")]
pub(crate) struct Invited<'a> {
    pub(crate) id: &'a str,
    pub(crate) state: &'static str,
    pub(crate) expires_at: Time,
    pub(crate) link: String,
}

/// A way to another password. It is told here and nowhere else.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "password_link")]
pub(crate) struct PasswordLink<'a> {
    pub(crate) account: &'a str,
    pub(crate) expires_at: Time,
    pub(crate) link: String,
}

/// A password was changed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "password_reset")]
pub(crate) struct PasswordReset {
    pub(crate) state: &'static str,
}
