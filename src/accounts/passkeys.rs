// SPDX-License-Identifier: Apache-2.0

//! One's own passkeys: adding, naming, looking at and removing them. What they prove is in [`proofs`](super::proofs).

use std::sync::Arc;

use serde_json::{Value, json};
use ticketbridge_core::UnixMillis;
use ticketbridge_store::{ChallengeKind, NewPasskey, PasskeyRow, StoreError, Tx};
use webauthn_rs::prelude::{Credential, Passkey, PasskeyRegistration, RegisterPublicKeyCredential, Uuid};

use crate::accounts::holder::{Holder, Signed};
use crate::accounts::relying_party::unbelieved;
use crate::accounts::signing_in::{Accounts, Begun};
use crate::accounts::{About, Refused, entry, factor};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 60;
/// Passkeys of one account.
const PASSKEYS_MAX: usize = 20;

/// A passkey, as its owner sees it.
#[derive(Clone, Debug)]
pub struct OwnPasskey {
    /// Its id.
    pub id: String,
    /// What he calls it.
    pub name: String,
    /// The algorithm of its key.
    pub algorithm: String,
    /// How its authenticator is reached, in the words of WebAuthn.
    pub transports: Vec<String>,
    /// Whether it is on several devices.
    pub is_synced: bool,
    /// How often it was used, as it says itself; 0 where it does not count.
    pub counter: i64,
    /// When it was added.
    pub created_at: UnixMillis,
    /// When it was used last.
    pub used_at: Option<UnixMillis>,
}

/// What came of adding one.
#[derive(Debug)]
pub struct Added {
    /// The session goes on under another token: the factor is passed.
    pub begun: Begun,
    /// Its id.
    pub id: String,
    /// Recovery codes, where it is the first factor of its owner.
    pub recovery_codes: Vec<String>,
}

/// What came of adding one, in the transaction.
enum Outcome {
    Added {
        is_first_factor: bool,
    },
    /// He has got a factor since he was let in without one.
    NotFresh,
    TooMany,
    NoAccount,
}

/// The number under which an account is known to authenticators: its own, which says nothing of its owner.
pub(super) fn handle_of(account: &str) -> Option<Uuid> {
    let digits = account.strip_prefix("acc_")?;
    u128::from_str_radix(digits, 16).ok().map(Uuid::from_u128)
}

/// The credential of a row.
pub(super) fn credential_of(row: &PasskeyRow) -> Result<Passkey, Refused> {
    serde_json::from_value(row.credential.clone()).map_err(unbelieved)
}

fn shown(row: PasskeyRow) -> Result<OwnPasskey, Refused> {
    let credential = Credential::from(credential_of(&row)?);
    let transports = credential.transports.iter().flatten().map(ToString::to_string).collect();
    Ok(OwnPasskey {
        id: row.id,
        name: row.name,
        algorithm: format!("{:?}", credential.cred.type_),
        transports,
        is_synced: credential.backup_state,
        counter: row.counter,
        created_at: row.created_at,
        used_at: row.used_at,
    })
}

fn name_of(name: &str) -> Result<String, Refused> {
    let name = name.trim();
    match name.chars().count() {
        1..=NAME_CHARS_MAX if !name.chars().any(char::is_control) => Ok(name.to_owned()),
        _ => Err(Refused::Invalid("name", format!("`name` has 1 to {NAME_CHARS_MAX} characters"))),
    }
}

fn too_many() -> Refused {
    Refused::State("too_many_passkeys", format!("an account has at most {PASSKEYS_MAX} passkeys: remove one first"))
}

fn signed_in(holder: &Holder) -> Result<&Signed, Refused> {
    holder.signed().ok_or(Refused::NotFound("session"))
}

impl Accounts {
    /// The passkeys of somebody, the oldest first.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn passkeys(&self, holder: &Holder) -> Result<Vec<OwnPasskey>, Refused> {
        let rows = self.engine.store().passkeys(&signed_in(holder)?.account).await?;
        rows.into_iter().map(shown).collect()
    }

    /// What a browser is asked for a new passkey: one that its authenticator finds by itself, so that it signs in without a name, and
    /// whose owner has proven himself to it.
    ///
    /// # Errors
    /// [`Refused`]: who has a factor already has to have passed it a moment ago.
    pub async fn begin_passkey(&self, holder: &Holder) -> Result<Value, Refused> {
        let signed = signed_in(holder)?;
        holder.may_change_secrets(self.engine.clock().now())?;
        let known = self.engine.store().passkeys(&signed.account).await?;
        if known.len() >= PASSKEYS_MAX {
            return Err(too_many());
        }
        let known = known.iter().map(|row| Ok(credential_of(row)?.cred_id().clone()));
        let known = known.collect::<Result<Vec<_>, Refused>>()?;
        let handle = handle_of(&signed.account).ok_or(Refused::NotFound("account"))?;
        let relying_party = self.relying_party()?;
        let (asked, state) = relying_party
            .start_passkey_registration(handle, &signed.email, &holder.name, Some(known))
            .map_err(unbelieved)?;
        let challenge = asked.public_key.challenge.clone();
        self.keep_challenge(&challenge, ChallengeKind::Add, Some(&signed.session), &state).await?;
        let mut asked = serde_json::to_value(&asked).map_err(unbelieved)?;
        let selection = &mut asked["publicKey"]["authenticatorSelection"];
        selection["residentKey"] = json!("required");
        selection["requireResidentKey"] = json!(true);
        Ok(asked)
    }

    /// Adds a passkey by what the authenticator said. It counts as passing the factor; where it is the first one, there are recovery codes.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn add_passkey(&self, holder: &Holder, attestation: &Value, name: &str) -> Result<Added, Refused> {
        let (signed, now) = (signed_in(holder)?, self.engine.clock().now());
        holder.may_change_secrets(now)?;
        let name = name_of(name)?;
        let relying_party = self.relying_party()?;
        let state = self.take_challenge(attestation, ChallengeKind::Add, Some(&signed.session)).await?;
        let state: PasskeyRegistration = serde_json::from_value(state).map_err(unbelieved)?;
        let said: RegisterPublicKeyCredential = serde_json::from_value(attestation.clone()).map_err(unbelieved)?;
        let passkey = relying_party.finish_passkey_registration(&said, &state).map_err(unbelieved)?;
        // What the browser says of the ways to it is signed by nobody, and is a hint for the browser alone.
        let credential = Credential { transports: said.response.transports, ..Credential::from(passkey) };
        let new = NewPasskey {
            id: format!("pky_{:032x}", self.engine.ids().seed().0),
            account: signed.account.clone(),
            credential_id: credential.cred_id.clone(),
            name,
            counter: credential.counter,
            credential: serde_json::to_value(Passkey::from(credential)).map_err(unbelieved)?,
            at: now,
        };
        let (id, codes) = (new.id.clone(), factor::recovery_codes(|| self.engine.ids().nonce()));
        let is_first_factor = self.put(signed, new, codes.clone()).await?;
        let detail = json!({ "factor": "passkey", "passkey": id });
        let begun = self.passed(holder, signed, "passkey_added", detail).await?;
        Ok(Added { begun, id, recovery_codes: if is_first_factor { codes } else { Vec::new() } })
    }

    /// Whether it is the first factor of its owner.
    async fn put(&self, signed: &Signed, new: NewPasskey, codes: Vec<String>) -> Result<bool, Refused> {
        let work = Arc::new((new, codes, signed.has_factor));
        let done: Result<Outcome, StoreError> = self
            .engine
            .store()
            .write("add_passkey", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (new, codes, had_factor) = &*work;
                    let Some(account) = tx.lock_account(&new.account).await? else { return Ok(Outcome::NoAccount) };
                    if account.has_factor() && !had_factor {
                        return Ok(Outcome::NotFresh);
                    }
                    if account.passkeys >= PASSKEYS_MAX as u64 {
                        return Ok(Outcome::TooMany);
                    }
                    tx.add_passkey(new).await?;
                    if !account.has_factor() {
                        tx.put_recovery_codes(&new.account, codes).await?;
                    }
                    Ok(Outcome::Added { is_first_factor: !account.has_factor() })
                })
            })
            .await;
        match done {
            Ok(Outcome::Added { is_first_factor }) => Ok(is_first_factor),
            Ok(Outcome::NotFresh) => Err(Refused::FreshFactorRequired),
            Ok(Outcome::TooMany) => Err(too_many()),
            Ok(Outcome::NoAccount) => Err(Refused::NotFound("account")),
            Err(StoreError::Duplicate) => {
                Err(Refused::State("passkey_known", "this passkey is there already".to_owned()))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Calls a passkey something else.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn rename_passkey(&self, holder: &Holder, id: &str, name: &str) -> Result<(), Refused> {
        let signed = signed_in(holder)?;
        if signed.has_factor {
            holder.passed_for_clear_text()?;
        }
        let name = name_of(name)?;
        self.change_own(holder, signed, id, "passkey_renamed", Own::Rename(name)).await
    }

    /// Forgets a passkey. One's other sessions end: if somebody else has it, he is out. The recovery codes go with the last factor.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn remove_passkey(&self, holder: &Holder, id: &str) -> Result<(), Refused> {
        let signed = signed_in(holder)?;
        holder.may_change_secrets(self.engine.clock().now())?;
        self.change_own(holder, signed, id, "passkey_removed", Own::Remove).await
    }

    async fn change_own(
        &self,
        holder: &Holder,
        signed: &Signed,
        id: &str,
        act: &str,
        change: Own,
    ) -> Result<(), Refused> {
        let about = About { scope: Some(holder.scope.clone()), detail: json!({ "passkey": id }), ..About::default() };
        let audit = entry(&self.engine, &signed.account, act, about);
        let (signed, now) = (signed.clone(), self.engine.clock().now());
        let work = Arc::new((signed, id.to_owned(), change, audit));
        let done: Result<bool, StoreError> = self
            .engine
            .store()
            .write("change_passkey", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (signed, id, change, audit) = &*work;
                    let is_done = change_in(tx, signed, id, change, now).await?;
                    if is_done {
                        tx.add_audit(audit).await?;
                    }
                    Ok(is_done)
                })
            })
            .await;
        if done? { Ok(()) } else { Err(Refused::NotFound("passkey")) }
    }
}

/// What becomes of a passkey.
enum Own {
    Rename(String),
    Remove,
}

async fn change_in(tx: &Tx, signed: &Signed, id: &str, change: &Own, now: UnixMillis) -> Result<bool, StoreError> {
    match change {
        Own::Rename(name) => tx.rename_passkey(&signed.account, id, name).await,
        Own::Remove => {
            let account = tx.lock_account(&signed.account).await?;
            if !tx.remove_passkey(&signed.account, id).await? {
                return Ok(false);
            }
            if account.is_some_and(|account| account.confirmed_totp().is_none() && account.passkeys == 1) {
                tx.put_recovery_codes(&signed.account, &[]).await?;
            }
            tx.end_other_sessions(&signed.account, &signed.session, now).await?;
            Ok(true)
        }
    }
}
