// SPDX-License-Identifier: Apache-2.0

//! What somebody changes about himself: his password and his numbers; and the link by which he gets another password when he has forgotten it.

use std::sync::Arc;

use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{AccountRow, Profile, StoreError, Tx};

use crate::accounts::people::{By, check_number};
use crate::accounts::scope::Scope;
use crate::accounts::signing_in::{Accounts, From};
use crate::accounts::{About, Holder, Refused, entry, password, secret_token};
use crate::config::PASSWORD;

/// How long a link for another password can be used.
const RESET_LIVES: Millis = Millis::hours(24);

/// A link for another password, which is shown once.
#[derive(Clone, Debug)]
pub struct Reset {
    /// The end of the link.
    pub token: String,
    /// Until when it can be used.
    pub expires_at: UnixMillis,
}

/// Whoever signs in elsewhere has no password of ours.
fn has_password(account: &AccountRow) -> Result<(), Refused> {
    if account.sign_in == PASSWORD {
        return Ok(());
    }
    Err(Refused::State(
        "no_password",
        format!("this account signs in with {} and has no password here", account.sign_in),
    ))
}

impl Accounts {
    async fn hashed(&self, new: &str, email: &str) -> Result<String, Refused> {
        password::check(new, Some(email)).map_err(|sentence| Refused::Invalid("password", sentence))?;
        let hash = password::hash(new.to_owned(), self.engine.ids().nonce()).await;
        hash.ok_or_else(|| Refused::Invalid("password", "`password` cannot be hashed".to_owned()))
    }

    async fn own(&self, holder: &Holder) -> Result<(AccountRow, String), Refused> {
        let signed = holder.signed().ok_or(Refused::NotFound("session"))?;
        let account = self.engine.store().account(&signed.account).await?.ok_or(Refused::NotFound("account"))?;
        Ok((account, signed.session.clone()))
    }

    /// Gives somebody another password, who knows the one he has. His other sessions end: if somebody else has his password, he is out.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn change_password(&self, holder: &Holder, current: &str, new: &str, from: &From) -> Result<(), Refused> {
        let (account, session) = self.own(holder).await?;
        has_password(&account)?;
        let tried = self.begin_try(from, &format!("{}/password", account.id)).await?;
        if !password::verify(current.to_owned(), account.password.clone()).await {
            return Err(Refused::Invalid("current", "`current` is not your password".to_owned()));
        }
        tried.was_right(self.engine.store()).await?;
        let hash = self.hashed(new, &account.profile.email).await?;
        let about = About { scope: Some(holder.scope.clone()), ..About::default() };
        let audit = entry(&self.engine, &account.id, "password_changed", about);
        let (work, now) = (Arc::new((account.id, session, hash, audit)), self.engine.clock().now());
        let done: Result<(), StoreError> = self
            .engine
            .store()
            .write("change_password", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (account, session, hash, audit) = &*work;
                    tx.set_account_password(account, hash, now).await?;
                    tx.end_other_sessions(account, session, now).await?;
                    tx.add_audit(audit).await
                })
            })
            .await;
        Ok(done?)
    }

    /// Keeps the numbers of somebody; one that is not given stays.
    ///
    /// # Errors
    /// [`Refused::Invalid`].
    pub async fn set_numbers(
        &self,
        holder: &Holder,
        mobile: Option<String>,
        direct: Option<String>,
    ) -> Result<(), Refused> {
        let (account, _) = self.own(holder).await?;
        for (field, number) in [("mobile", &mobile), ("direct", &direct)] {
            number.as_ref().map_or(Ok(()), |number| check_number(field, number))?;
        }
        let changed: Vec<&str> = [("mobile", &mobile), ("direct", &direct)]
            .iter()
            .filter(|(_, it)| it.is_some())
            .map(|(name, _)| *name)
            .collect();
        let about = About {
            scope: Some(holder.scope.clone()),
            detail: serde_json::json!({ "changed": changed }),
            ..About::default()
        };
        let audit = entry(&self.engine, &account.id, "numbers_changed", about);
        let profile = Profile {
            mobile: mobile.unwrap_or(account.profile.mobile),
            direct: direct.unwrap_or(account.profile.direct),
            ..account.profile
        };
        let (work, now) = (Arc::new((account.id, profile, audit)), self.engine.clock().now());
        let done: Result<(), StoreError> = self
            .engine
            .store()
            .write("set_numbers", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    tx.set_account_profile(&work.0, &work.1, now).await?;
                    tx.add_audit(&work.2).await
                })
            })
            .await;
        Ok(done?)
    }

    /// Makes a link by which somebody who has forgotten his password gives himself another. His second factor stays as it is: the link alone
    /// opens nothing that wants one.
    ///
    /// # Errors
    /// [`Refused`]; [`Refused::NotFound`] for an account of another scope.
    pub async fn password_link(&self, by: &By, id: &str) -> Result<Reset, Refused> {
        let account = self.engine.store().account(id).await?.filter(|account| self.concerns(by, account));
        let account = account.ok_or(Refused::NotFound("account"))?;
        has_password(&account)?;
        let now = self.engine.clock().now();
        let reset = Reset { token: secret_token(&self.engine), expires_at: now + RESET_LIVES };
        let about = About {
            scope: Scope::of_words(&account.scope),
            detail: serde_json::json!({ "account": id }),
            ..About::default()
        };
        let audit = entry(&self.engine, &by.actor(), "account_password_link", about);
        let work = Arc::new((account.id, reset.clone(), audit));
        let done: Result<(), StoreError> = self
            .engine
            .store()
            .write("password_link", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    tx.put_reset(&work.0, &work.1.token, work.1.expires_at).await?;
                    tx.add_audit(&work.2).await
                })
            })
            .await;
        done?;
        Ok(reset)
    }

    /// The e-mail address of whoever a link for another password is for.
    ///
    /// # Errors
    /// [`Refused::NotFound`] for one that is over, and for one that never was.
    pub async fn reset_email(&self, token: &str) -> Result<String, Refused> {
        let store = self.engine.store();
        let account = store.reset_of(token, self.engine.clock().now()).await?.ok_or(Refused::NotFound("link"))?;
        Ok(store.account(&account).await?.ok_or(Refused::NotFound("link"))?.profile.email)
    }

    /// Gives the account of a link another password. All of its sessions end; nobody is signed in.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn reset_password(&self, token: &str, new: &str, from: &From) -> Result<(), Refused> {
        let tried = self.begin_try(from, "reset").await?;
        let email = self.reset_email(token).await?;
        tried.was_right(self.engine.store()).await?;
        let hash = self.hashed(new, &email).await?;
        let audit = entry(&self.engine, "", "password_reset", About::default());
        let (work, now) = (Arc::new((token.to_owned(), hash, audit)), self.engine.clock().now());
        let done: Result<bool, StoreError> = self
            .engine
            .store()
            .write("reset_password", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (token, hash, audit) = &*work;
                    let Some(account) = tx.take_reset(token, now).await? else { return Ok(false) };
                    tx.set_account_password(&account, hash, now).await?;
                    tx.end_sessions(&account, now).await?;
                    let mut audit = audit.clone();
                    audit.scope = tx.lock_account(&account).await?.map(|account| account.scope);
                    audit.actor = account;
                    tx.add_audit(&audit).await?;
                    Ok(true)
                })
            })
            .await;
        if done? { Ok(()) } else { Err(Refused::NotFound("link")) }
    }
}
