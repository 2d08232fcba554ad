// SPDX-License-Identifier: Apache-2.0

//! What a passkey proves: who somebody is, and, since its authenticator has made sure of its owner, a second factor as well.

use std::sync::Arc;

use serde_json::{Value, json};
use ticketbridge_store::{ChallengeKind, PasskeyRow, StoreError, Tx};
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, Passkey, PasskeyAuthentication, PublicKeyCredential,
    WebauthnError,
};

use crate::accounts::holder::Holder;
use crate::accounts::passkeys::{credential_of, handle_of};
use crate::accounts::relying_party::unbelieved;
use crate::accounts::scope::Scope;
use crate::accounts::signing_in::{Accounts, Begun, From};
use crate::accounts::{About, Refused, note};
use crate::config::PASSWORD;

/// Which proof is wanted: of somebody who has signed in, or of whoever comes.
enum Wanted<'a> {
    Factor(&'a str),
    SignIn,
}

impl Accounts {
    /// What a browser is asked for the second factor of a session: one of its owner's own passkeys.
    ///
    /// # Errors
    /// [`Refused::FactorRequired`] where he has none.
    pub async fn ask_for_factor(&self, holder: &Holder) -> Result<Value, Refused> {
        let signed = holder.signed().ok_or(Refused::NotFound("session"))?;
        let own = self.engine.store().passkeys(&signed.account).await?;
        let own = own.iter().map(credential_of).collect::<Result<Vec<Passkey>, Refused>>()?;
        if own.is_empty() {
            return Err(Refused::FactorRequired);
        }
        let (asked, state) = self.relying_party()?.start_passkey_authentication(&own).map_err(unbelieved)?;
        let challenge = asked.public_key.challenge.clone();
        self.keep_challenge(&challenge, ChallengeKind::Factor, Some(&signed.session), &state).await?;
        serde_json::to_value(&asked).map_err(unbelieved)
    }

    /// What a browser is asked for signing in: any passkey of ours that it finds. Nobody has a name yet.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn ask_to_sign_in(&self) -> Result<Value, Refused> {
        let (mut asked, state) = self.relying_party()?.start_discoverable_authentication().map_err(unbelieved)?;
        // Asked by a button, and not beside a field.
        asked.mediation = None;
        let challenge = asked.public_key.challenge.clone();
        self.keep_challenge(&challenge, ChallengeKind::SignIn, None, &state).await?;
        serde_json::to_value(&asked).map_err(unbelieved)
    }

    /// Passes the second factor with a passkey. The session gets a new token.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn pass_factor_with(&self, holder: &Holder, assertion: &Value, from: &From) -> Result<Begun, Refused> {
        let signed = holder.signed().ok_or(Refused::NotFound("session"))?;
        let tried = self.begin_try(from, &format!("{}/factor", signed.account)).await?;
        let state = self.take_challenge(assertion, ChallengeKind::Factor, Some(&signed.session)).await?;
        let passkey = self.believed(assertion, state, &Wanted::Factor(&signed.account)).await?;
        tried.was_right(self.engine.store()).await?;
        let detail = json!({ "factor": "passkey", "passkey": passkey.id });
        self.passed(holder, signed, "factor_passed", detail).await
    }

    /// Signs somebody in with a passkey, which is a second factor as well. It stands for the password of his account: whoever has chosen a
    /// provider comes by that provider, and whom it has sent away comes no other way.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn sign_in_with(&self, assertion: &Value, from: &From) -> Result<Begun, Refused> {
        let tried = self.begin_try(from, &format!("passkey/{}", assertion["id"].as_str().unwrap_or_default())).await?;
        let state = match self.take_challenge(assertion, ChallengeKind::SignIn, None).await {
            Ok(state) => self.believed(assertion, state, &Wanted::SignIn).await,
            Err(refused) => Err(refused),
        };
        let passkey = match state {
            Ok(passkey) => passkey,
            Err(refused) => {
                let about =
                    About { detail: json!({ "address": from.address(), "with": "passkey" }), ..About::default() };
                note(&self.engine, "nobody", "sign_in_refused", about).await?;
                return Err(refused);
            }
        };
        tried.was_right(self.engine.store()).await?;
        let account = self.engine.store().account(&passkey.account).await?.ok_or(Refused::WrongPasskey)?;
        if account.sign_in != PASSWORD {
            let about = About {
                scope: Scope::of_words(&account.scope),
                detail: json!({ "passkey": passkey.id }),
                ..About::default()
            };
            note(&self.engine, &account.id, "provider_mismatch", about).await?;
            let sentence = format!(
                "your account signs in with {}; there your passkey is a second factor, and no way in",
                account.sign_in
            );
            return Err(Refused::State("provider_mismatch", sentence));
        }
        let about = About {
            scope: Scope::of_words(&account.scope),
            detail: json!({ "passkey": passkey.id }),
            ..About::default()
        };
        note(&self.engine, &account.id, "passkey_used", about).await?;
        self.begin(&account, Some(self.engine.clock().now()), from).await
    }

    /// The passkey that an answer is proven to be of: one that is known, of the account that it names (and that is wanted), for this service
    /// and its pages, with its owner's proof to his authenticator, and with a count that has gone on.
    async fn believed(&self, assertion: &Value, state: Value, wanted: &Wanted<'_>) -> Result<PasskeyRow, Refused> {
        let said: PublicKeyCredential = serde_json::from_value(assertion.clone()).map_err(unbelieved)?;
        let found = self.engine.store().passkey_of_credential(said.get_credential_id()).await?;
        let row = found.ok_or_else(|| unbelieved("nobody has this passkey"))?;
        let named = said.get_user_unique_id();
        let is_his = named == handle_of(&row.account).as_ref().map(|handle| handle.as_bytes().as_slice());
        let is_wanted = match wanted {
            // An authenticator need not name its owner where he is known already.
            Wanted::Factor(account) => row.account == *account && (named.is_none() || is_his),
            Wanted::SignIn => is_his,
        };
        if !is_wanted {
            return Err(unbelieved("the passkey is somebody else's"));
        }
        let mut passkey = credential_of(&row)?;
        let relying_party = self.relying_party()?;
        let judged = match wanted {
            Wanted::Factor(_) => {
                let state: PasskeyAuthentication = serde_json::from_value(state).map_err(unbelieved)?;
                relying_party.finish_passkey_authentication(&said, &state)
            }
            Wanted::SignIn => {
                let state: DiscoverableAuthentication = serde_json::from_value(state).map_err(unbelieved)?;
                relying_party.finish_discoverable_authentication_v2(&said, state, &passkey)
            }
        };
        let result = match judged {
            Ok(result) if result.user_verified() => result,
            Ok(_) => return Err(unbelieved("its owner has not proven himself to it")),
            Err(WebauthnError::CredentialPossibleCompromise) => return Err(self.went_back(&row).await?),
            Err(why) => return Err(unbelieved(why)),
        };
        match self.note_used(&row, &mut passkey, &result).await? {
            true => Ok(row),
            false => Err(self.went_back(&row).await?),
        }
    }

    /// Whether the count has gone on: of two answers with one count one is believed, on whichever instances they come.
    async fn note_used(
        &self,
        row: &PasskeyRow,
        passkey: &mut Passkey,
        result: &AuthenticationResult,
    ) -> Result<bool, Refused> {
        passkey.update_credential(result);
        let credential = serde_json::to_value(&*passkey).map_err(unbelieved)?;
        let (work, now) = (Arc::new((row.id.clone(), credential, result.counter())), self.engine.clock().now());
        let noted: Result<bool, StoreError> = self
            .engine
            .store()
            .write("use_passkey", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move { tx.use_passkey(&work.0, &work.1, work.2, now).await })
            })
            .await;
        Ok(noted?)
    }

    /// A count that has not gone on: somebody may have a copy of the key. That is on the record of its owner's account.
    async fn went_back(&self, row: &PasskeyRow) -> Result<Refused, Refused> {
        let account = self.engine.store().account(&row.account).await?;
        let about = About {
            scope: account.and_then(|account| Scope::of_words(&account.scope)),
            detail: json!({ "passkey": row.id, "counter": row.counter }),
            ..About::default()
        };
        note(&self.engine, &row.account, "passkey_counter_went_back", about).await?;
        Ok(unbelieved("its count has not gone on"))
    }
}
