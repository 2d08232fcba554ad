// SPDX-License-Identifier: Apache-2.0

//! Who makes a request: the holder of an ops token, or somebody who has signed in.

use ticketbridge_core::{Millis, UnixMillis};

use crate::accounts::Refused;
use crate::accounts::scope::Scope;
use crate::config::{OpsToken, Role, SecondFactor};

/// How long a passed factor counts as fresh.
pub const FRESH_FOR: Millis = Millis::minutes(5);

/// Who makes a request.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The name in the history of orders.
    pub name: String,
    /// What may be done.
    pub role: Role,
    /// With whose data.
    pub scope: Scope,
    /// How we know.
    pub via: Via,
}

/// How we know who it is.
#[derive(Clone, Debug)]
pub enum Via {
    /// By a token of the configuration.
    Token,
    /// By the session of an account.
    Session(Signed),
    /// Not at all: signing in, signing up, accepting an invitation.
    Nobody,
}

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// His account.
    pub account: String,
    /// His session.
    pub session: String,
    /// His e-mail address.
    pub email: String,
    /// His one way of signing in: `password`, or the name of a provider.
    pub sign_in: String,
    /// When he passed his second factor in this session.
    pub factor_at: Option<UnixMillis>,
    /// Whether he has a second factor at all.
    pub has_factor: bool,
    /// Whether he has a passkey.
    pub has_passkey: bool,
    /// The language that he has chosen.
    pub language: Option<String>,
}

impl Holder {
    /// The holder of a token: it is bound to no scope.
    pub fn of_token(token: &OpsToken) -> Self {
        Self { name: token.name.clone(), role: token.role, scope: Scope::Everything, via: Via::Token }
    }

    /// Nobody in particular, who may do what everybody may.
    pub fn nobody() -> Self {
        Self { name: String::new(), role: Role::Viewer, scope: Scope::Agency(String::new()), via: Via::Nobody }
    }

    /// The session, if there is one.
    pub fn signed(&self) -> Option<&Signed> {
        match &self.via {
            Via::Session(signed) => Some(signed),
            Via::Token | Via::Nobody => None,
        }
    }

    /// What keeps his keys and entries apart from those of others with the same name.
    pub fn key(&self) -> String {
        match &self.via {
            Via::Token => format!("token:{}", self.name),
            Via::Session(signed) => signed.account.clone(),
            Via::Nobody => "nobody".to_owned(),
        }
    }

    /// Makes sure that a second factor was passed in this session, where one is needed.
    ///
    /// # Errors
    /// [`Refused::FactorRequired`].
    pub fn passed(&self, second_factor: SecondFactor) -> Result<(), Refused> {
        match &self.via {
            Via::Session(Signed { factor_at: None, has_factor, .. })
                if *has_factor || second_factor == SecondFactor::Required =>
            {
                Err(Refused::FactorRequired)
            }
            Via::Session(_) | Via::Token | Via::Nobody => Ok(()),
        }
    }

    /// Makes sure that it was passed whatever the configuration says: clear text is shown to nobody else.
    ///
    /// # Errors
    /// [`Refused::FactorRequired`].
    pub fn passed_for_clear_text(&self) -> Result<(), Refused> {
        self.passed(SecondFactor::Required)
    }

    /// Makes sure that he may have another factor, one factor less, or another password: who has a factor has to have passed it a moment ago.
    ///
    /// # Errors
    /// [`Refused::FactorRequired`], [`Refused::FreshFactorRequired`].
    pub fn may_change_secrets(&self, now: UnixMillis) -> Result<(), Refused> {
        match self.signed() {
            Some(signed) if signed.has_factor => self.fresh(SecondFactor::Required, now),
            Some(_) | None => Ok(()),
        }
    }

    /// Makes sure that it was passed a moment ago.
    ///
    /// # Errors
    /// [`Refused::FactorRequired`], [`Refused::FreshFactorRequired`].
    pub fn fresh(&self, second_factor: SecondFactor, now: UnixMillis) -> Result<(), Refused> {
        self.passed(second_factor)?;
        match &self.via {
            // Who has none, where none is needed, has nothing to pass again.
            Via::Session(Signed { factor_at: Some(at), has_factor, .. })
                if now - *at > FRESH_FOR && (*has_factor || second_factor == SecondFactor::Required) =>
            {
                Err(Refused::FreshFactorRequired)
            }
            Via::Session(_) | Via::Token | Via::Nobody => Ok(()),
        }
    }
}
