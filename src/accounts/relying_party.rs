// SPDX-License-Identifier: Apache-2.0

//! WebAuthn as a service has it: who we are to browsers, and the challenges that we set. Each is a row until it is answered, in the session in
//! which it was set, for what it was set for, once, and not for long. What an answer has to be is the crate's business.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use ticketbridge_core::Millis;
use ticketbridge_store::{ChallengeKind, NewChallenge, StoreError, Tx};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::accounts::Refused;
use crate::accounts::signing_in::Accounts;

/// The name that authenticators show.
const NAME: &str = "ticketbridge";
/// How long somebody may take to find his authenticator.
const CHALLENGE_LIVES: Millis = Millis::minutes(5);

/// What an authenticator says is not believed, and why is told to nobody outside.
pub(super) fn unbelieved(why: impl std::fmt::Display) -> Refused {
    tracing::info!(%why, "a passkey was not accepted");
    Refused::WrongPasskey
}

/// The challenge that an answer says it answers. What it says is made sure of later, by the state that was kept with that challenge.
fn answered(answer: &Value) -> Option<String> {
    let data = URL_SAFE_NO_PAD.decode(answer["response"]["clientDataJSON"].as_str()?).ok()?;
    let data: Value = serde_json::from_slice(&data).ok()?;
    // A page of somebody else's that frames ours: ours are not framed.
    let is_framed = data["crossOrigin"].as_bool().unwrap_or(false);
    data["challenge"].as_str().filter(|_| !is_framed).map(str::to_owned)
}

impl Accounts {
    /// Who we are to browsers.
    ///
    /// # Errors
    /// [`Refused::State`] where there is no name that passkeys could be bound to.
    pub(super) fn relying_party(&self) -> Result<Webauthn, Refused> {
        let running = self.engine.running();
        let built = running.config.passkeys.as_ref().and_then(|passkeys| {
            let (first, others) = passkeys.origins.split_first()?;
            let builder = WebauthnBuilder::new(&passkeys.domain, first).ok()?.rp_name(NAME);
            let builder = others.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
            // On this machine the port is often another than the public one: a demonstration's, or one that is forwarded.
            let builder = builder.allow_any_port(passkeys.domain == "localhost");
            builder.timeout(std::time::Duration::from_millis(CHALLENGE_LIVES.0.unsigned_abs())).build().ok()
        });
        built.ok_or_else(|| {
            let sentence = "there are no passkeys here: `server.public_url` is no name that they could be bound to; see `console.passkeys`";
            Refused::State("passkeys_off", sentence.to_owned())
        })
    }

    /// Keeps a challenge that was set, and what its answer will be judged by.
    ///
    /// # Errors
    /// Store errors.
    pub(super) async fn keep_challenge(
        &self,
        challenge: &[u8],
        kind: ChallengeKind,
        session: Option<&str>,
        state: &impl Serialize,
    ) -> Result<(), Refused> {
        let new = Arc::new(NewChallenge {
            challenge: URL_SAFE_NO_PAD.encode(challenge),
            kind,
            session: session.map(str::to_owned),
            state: serde_json::to_value(state).map_err(unbelieved)?,
            expires_at: self.engine.clock().now() + CHALLENGE_LIVES,
        });
        let kept: Result<(), StoreError> = self
            .engine
            .store()
            .write("put_challenge", move |tx: &Tx| {
                let new = new.clone();
                Box::pin(async move { tx.put_challenge(&new).await })
            })
            .await;
        Ok(kept?)
    }

    /// Takes the challenge that an answer answers, before the answer is judged: right or wrong, there is no second answer to it.
    ///
    /// # Errors
    /// [`Refused::WrongPasskey`].
    pub(super) async fn take_challenge(
        &self,
        answer: &Value,
        kind: ChallengeKind,
        session: Option<&str>,
    ) -> Result<Value, Refused> {
        let challenge = answered(answer).ok_or_else(|| unbelieved("the answer names no challenge"))?;
        let (work, now) = (Arc::new((challenge, session.map(str::to_owned))), self.engine.clock().now());
        let taken: Result<Option<Value>, StoreError> = self
            .engine
            .store()
            .write("take_challenge", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move { tx.take_challenge(&work.0, kind, work.1.as_deref(), now).await })
            })
            .await;
        taken?.ok_or_else(|| unbelieved("no such challenge was set here, or it was answered before, or too late"))
    }
}
