// SPDX-License-Identifier: Apache-2.0

//! People who sign in: what they may ([`holder`]), whose data they see ([`scope`]), and how they come and go ([`people`], [`signing_in`]).
//!
//! Nothing here answers HTTP: the ops interface and the console both do what is here, and so may nothing that the other may not.

pub mod credentials;
mod demonstration;
pub mod doors;
pub mod factor;
pub mod guessing;
pub mod holder;
pub mod oidc;
pub mod passkeys;
pub mod password;
pub mod people;
pub mod proofs;
pub mod provider;
mod relying_party;
pub mod scope;
pub mod second_factor;
pub mod signing_in;

use serde_json::Value;
use ticketbridge_core::{ChannelId, OrderId, UnixMillis};
use ticketbridge_store::{NewAudit, StoreError, Tx};

use crate::engine::{Engine, EngineError};
use scope::Scope;

pub use holder::{Holder, Signed, Via};

/// Why something about accounts is not done. Each has a stable code.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The e-mail address, the password or the code is wrong; which of them is told to nobody.
    #[error("the e-mail address or the password is not right")]
    WrongCredentials,
    /// A one-time code is not right, or was used before.
    #[error("the code is not right, or was used before; wait for the next one")]
    WrongCode,
    /// What an authenticator says is not believed; why is in the log alone.
    #[error("this passkey was not accepted; begin anew, and if it happens again use another way")]
    WrongPasskey,
    /// Too many wrong tries.
    #[error("too many tries went wrong; wait {0} s")]
    TooManyTries(u32),
    /// A factor must be passed first.
    #[error(
        "pass your second factor first: POST session/factor; without one yet, begin with POST account/totp or POST account/passkeys/options"
    )]
    FactorRequired,
    /// It was passed too long ago.
    #[error("this wants a second factor that is not older than 5 minutes: POST session/factor again")]
    FreshFactorRequired,
    /// There is none, or it is none of the caller's business.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A field is not right.
    #[error("{1}")]
    Invalid(&'static str, String),
    /// The one who grants does not hold it.
    #[error("you can grant only what you hold: {0}")]
    BeyondOwn(String),
    /// Nobody would be left.
    #[error("this is the last active administrator of everything: make another one first")]
    LastAdministrator,
    /// The provider with which somebody signs in does not answer.
    #[error("the provider cannot be reached at present; try again later")]
    ProviderAway,
    /// It is no longer in the state for that.
    #[error("{1}")]
    State(&'static str, String),
    /// The database.
    #[error("the database failed")]
    Engine(#[from] EngineError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused::Engine(EngineError::Store(error))
    }
}

/// What an entry of the audit is about.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// An order and its channel.
    pub order: Option<(OrderId, ChannelId)>,
    /// Whose affair it is, where it is no order's.
    pub scope: Option<Scope>,
    /// More.
    pub detail: Value,
}

/// An entry of the audit.
pub(crate) fn entry(engine: &Engine, actor: &str, act: &str, about: About) -> NewAudit {
    let (order, channel) = about.order.unzip();
    NewAudit {
        id: format!("aud_{:032x}", engine.ids().seed().0),
        at: engine.clock().now(),
        actor: actor.to_owned(),
        act: act.to_owned(),
        order,
        channel,
        scope: about.scope.map(|scope| scope.words()),
        detail: about.detail,
    }
}

/// Writes an entry of the audit.
///
/// # Errors
/// Store errors: what cannot be written down has not been shown, and whoever asked is told.
pub(crate) async fn note(engine: &Engine, actor: &str, act: &str, about: About) -> Result<(), StoreError> {
    let entry = std::sync::Arc::new(entry(engine, actor, act, about));
    engine
        .store()
        .write("audit", move |tx: &Tx| {
            let entry = entry.clone();
            Box::pin(async move { tx.add_audit(&entry).await })
        })
        .await
}

/// 256 random bits as hex: what a cookie or a link holds.
pub(crate) fn secret_token(engine: &Engine) -> String {
    let (first, second) = (engine.ids().nonce(), engine.ids().nonce());
    format!("{}{}", hex::encode(first), hex::encode(second))
}

/// Until when a link that is made now can be used.
pub(crate) fn link_expires(now: UnixMillis) -> UnixMillis {
    /// How long an invitation can be accepted.
    const INVITATION_LIVES: ticketbridge_core::Millis = ticketbridge_core::Millis::hours(7 * 24);
    now + INVITATION_LIVES
}
