// SPDX-License-Identifier: Apache-2.0

//! The second factor of a session: one-time codes and recovery codes. The other one is a passkey ([`passkeys`](super::passkeys)).

use std::sync::Arc;

use ticketbridge_store::{StoreError, Totp, Tx};

use crate::accounts::holder::{Holder, Signed, Via};
use crate::accounts::signing_in::{Accounts, Begun, From};
use crate::accounts::{About, Refused, entry, factor, secret_token};

impl Accounts {
    /// Passes the second factor: a one-time code, or a recovery code. The session gets a new token.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn pass_factor(&self, holder: &Holder, code: &str, from: &From) -> Result<Begun, Refused> {
        let Some(signed) = holder.signed() else { return Err(Refused::NotFound("session")) };
        let whose = format!("{}/factor", signed.account);
        let tried = self.begin_try(from, &whose).await?;
        let account = self.engine.store().account(&signed.account).await?.ok_or(Refused::NotFound("account"))?;
        if !account.has_factor() {
            return Err(Refused::FactorRequired);
        }
        let taken = self.take_code(&account.id, account.confirmed_totp(), code).await?;
        let Some(kind) = taken else { return Err(Refused::WrongCode) };
        tried.was_right(self.engine.store()).await?;
        self.passed(holder, signed, "factor_passed", serde_json::json!({ "factor": kind })).await
    }

    /// Takes a code; what kind of code it was, or `None`.
    async fn take_code(&self, account: &str, totp: Option<&Totp>, code: &str) -> Result<Option<&'static str>, Refused> {
        let now = self.engine.clock().now();
        let secret = totp.map(|totp| hex::decode(&totp.secret).unwrap_or_default());
        let step = secret.and_then(|secret| factor::step_of(&secret, code, self.engine.clock().outside()));
        let recovery = factor::plain_recovery_code(code);
        let work = Arc::new((account.to_owned(), step, recovery));
        let taken: Result<Option<&'static str>, StoreError> = self
            .engine
            .store()
            .write("take_code", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (account, step, recovery) = &*work;
                    if let Some(step) = step
                        && tx.take_totp_step(account, *step).await?
                    {
                        return Ok(Some("totp"));
                    }
                    match recovery {
                        Some(code) if tx.take_recovery_code(account, code, now).await? => Ok(Some("recovery_code")),
                        Some(_) | None => Ok(None),
                    }
                })
            })
            .await;
        Ok(taken?)
    }

    /// Gives the session of somebody who has passed his factor a new token.
    pub(super) async fn passed(
        &self,
        holder: &Holder,
        signed: &Signed,
        act: &str,
        detail: serde_json::Value,
    ) -> Result<Begun, Refused> {
        let (now, token) = (self.engine.clock().now(), secret_token(&self.engine));
        let about = About { scope: Some(holder.scope.clone()), detail, ..About::default() };
        let work = Arc::new((signed.session.clone(), token.clone(), entry(&self.engine, &signed.account, act, about)));
        let goes_on: Result<bool, StoreError> = self
            .engine
            .store()
            .write("pass_factor", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    tx.add_audit(&work.2).await?;
                    tx.pass_factor(&work.0, &work.1, now).await
                })
            })
            .await;
        if !goes_on? {
            return Err(Refused::NotFound("session"));
        }
        let signed = Signed { factor_at: Some(now), has_factor: true, ..signed.clone() };
        Ok(Begun { token, holder: Holder { via: Via::Session(signed), ..holder.clone() } })
    }

    /// Makes somebody a secret for one-time codes; in base 32, and as an address for authenticators. It counts when a code of it was given: one
    /// that he has already holds until then, or whoever has his password alone could make another.
    ///
    /// # Errors
    /// [`Refused::FreshFactorRequired`] when he has one already and has not passed it a moment ago.
    pub async fn begin_totp(&self, holder: &Holder) -> Result<(String, String), Refused> {
        let Some(signed) = holder.signed() else { return Err(Refused::NotFound("session")) };
        let now = self.engine.clock().now();
        holder.may_change_secrets(now)?;
        let mut secret = self.engine.ids().nonce().to_vec();
        secret.extend_from_slice(&self.engine.ids().nonce()[..4]);
        let shown = factor::shown(&secret, &signed.email).ok_or(Refused::NotFound("factor"))?;
        let work = Arc::new((signed.account.clone(), hex::encode(&secret)));
        let kept: Result<(), StoreError> = self
            .engine
            .store()
            .write("begin_totp", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move { tx.begin_totp(&work.0, &work.1, now).await })
            })
            .await;
        kept?;
        Ok(shown)
    }

    /// Confirms the secret by a code of it: gives ten recovery codes, and counts as having passed the factor.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn confirm_totp(
        &self,
        holder: &Holder,
        code: &str,
        from: &From,
    ) -> Result<(Begun, Vec<String>), Refused> {
        let Some(signed) = holder.signed() else { return Err(Refused::NotFound("session")) };
        let whose = format!("{}/factor", signed.account);
        let tried = self.begin_try(from, &whose).await?;
        let now = self.engine.clock().now();
        // He may have got another factor since he began with this one.
        holder.may_change_secrets(now)?;
        let account = self.engine.store().account(&signed.account).await?.ok_or(Refused::NotFound("account"))?;
        let Some(waiting) = account.totp.as_ref().and_then(Totp::waiting) else {
            return Err(Refused::State(
                "no_pending_factor",
                "there is nothing to confirm: POST account/totp first".to_owned(),
            ));
        };
        let secret = hex::decode(waiting).unwrap_or_default();
        let Some(step) = factor::step_of(&secret, code, self.engine.clock().outside()) else {
            return Err(Refused::WrongCode);
        };
        let codes = factor::recovery_codes(|| self.engine.ids().nonce());
        let work = Arc::new((account.id.clone(), waiting.to_owned(), codes.clone()));
        let kept: Result<bool, StoreError> = self
            .engine
            .store()
            .write("confirm_totp", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (account, secret, codes) = &*work;
                    if !tx.confirm_totp(account, secret, step, now).await? {
                        return Ok(false);
                    }
                    tx.put_recovery_codes(account, codes).await?;
                    Ok(true)
                })
            })
            .await;
        if !kept? {
            return Err(Refused::WrongCode);
        }
        tried.was_right(self.engine.store()).await?;
        let detail = serde_json::json!({ "factor": "totp" });
        Ok((self.passed(holder, signed, "factor_enrolled", detail).await?, codes))
    }
}
