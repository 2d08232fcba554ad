// SPDX-License-Identifier: Apache-2.0

//! `people …` and `audit …`: accounts and invitations over the ops interface, and what people did. Administrators only.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::Part;
use super::question::{Question, act, escape, list};
use super::show::Shape;
use crate::accounts::scope;
use crate::http::ops::words;

/// Roles that an account can have.
const ROLES: [&str; 4] = ["admin", "operator", "settlement", "viewer"];

/// `people …`.
#[derive(Debug, Subcommand)]
pub enum People {
    /// Accounts, newest first
    Accounts {
        /// In this state
        #[arg(long, value_parser = PossibleValuesParser::new(words::ACCOUNT_STATES))]
        state: Option<String>,
        #[command(flatten)]
        part: Part,
    },
    /// Approve an account that waits, with a role and a scope
    Approve(Granted),
    /// Give an account another role and scope; its sessions end
    Role(Granted),
    /// Switch an account on again
    Activate(Account),
    /// Switch an account off; its sessions end
    Deactivate(Account),
    /// Forget the second factor of somebody who has lost it; his sessions end
    ResetFactor(Account),
    /// Make a link by which somebody gives himself another password; it is shown this once
    ResetPassword(Account),
    /// Invitations, newest first
    Invitations {
        /// In this state
        #[arg(long, value_parser = PossibleValuesParser::new(words::INVITATION_STATES))]
        state: Option<String>,
        #[command(flatten)]
        part: Part,
    },
    /// Invite somebody; the link is shown this once
    Invite {
        /// His e-mail address
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        #[command(flatten)]
        grant: Grant,
    },
    /// Take an invitation back, as long as nobody has accepted it
    Revoke {
        /// The invitation
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// An account.
#[derive(Debug, Args)]
pub struct Account {
    /// The account
    #[arg(value_name = "ID")]
    id: String,
}

/// A role and a scope.
#[derive(Debug, Args)]
pub struct Grant {
    /// What the account may do
    #[arg(long, value_parser = PossibleValuesParser::new(ROLES))]
    role: String,
    /// Whose data: everything, or dealer:ID, institution:ID, agency:ID
    #[arg(long, value_name = "SCOPE", value_parser = scope_of)]
    scope: Value,
}

/// A role and a scope for an account.
#[derive(Debug, Args)]
pub struct Granted {
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    grant: Grant,
}

/// `agency:north`.
fn scope_of(text: &str) -> Result<Value, String> {
    let (kind, id) = text.split_once(':').map_or((text, None), |(kind, id)| (kind, Some(id)));
    if !scope::KINDS.contains(&kind) || id.is_some_and(str::is_empty) {
        return Err(format!("write everything, or one of {} with a colon and its name", scope::KINDS[1..].join(", ")));
    }
    Ok(json!({ "kind": kind, "id": id }))
}

impl Grant {
    fn fields(self) -> Vec<(&'static str, Option<Value>)> {
        vec![("role", Some(json!(self.role))), ("scope", Some(self.scope))]
    }
}

pub(super) fn people(command: People) -> Question {
    let account = |id: &str, what: &str| format!("accounts/{}/{what}", escape(id));
    match command {
        People::Accounts { state, part } => list("accounts", Shape::Accounts, part, vec![("state", state)]),
        People::Approve(Granted { account: one, grant }) => {
            act(account(&one.id, "approve"), grant.fields(), Shape::One)
        }
        People::Role(Granted { account: one, grant }) => act(account(&one.id, "role"), grant.fields(), Shape::One),
        People::Activate(one) => act(account(&one.id, "activate"), Vec::new(), Shape::One),
        People::Deactivate(one) => act(account(&one.id, "deactivate"), Vec::new(), Shape::One),
        People::ResetFactor(one) => act(account(&one.id, "reset-factor"), Vec::new(), Shape::One),
        People::ResetPassword(one) => act(account(&one.id, "reset-password"), Vec::new(), Shape::One),
        People::Invitations { state, part } => list("invitations", Shape::Invitations, part, vec![("state", state)]),
        People::Invite { email, grant } => {
            let fields = std::iter::once(("email", Some(json!(email)))).chain(grant.fields()).collect();
            act("invitations".to_owned(), fields, Shape::One)
        }
        People::Revoke { id } => act(format!("invitations/{}/revoke", escape(&id)), Vec::new(), Shape::One),
    }
}

/// `audit …`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// What people did and looked at, newest first
    List {
        /// By this account, by its id; `token:` and a name for a token
        #[arg(long, value_name = "WHO")]
        actor: Option<String>,
        /// Of this order, by our id
        #[arg(long, value_name = "ORDER")]
        order: Option<String>,
        /// Since this time, for example 2026-12-01T09:00:00+08:00
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        #[command(flatten)]
        part: Part,
    },
}

pub(super) fn audit(command: Audit) -> Question {
    let Audit::List { actor, order, from, part } = command;
    list("audit", Shape::Audit, part, vec![("actor", actor), ("order", order), ("from", from)])
}
