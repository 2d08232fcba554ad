// SPDX-License-Identifier: Apache-2.0

//! Signing in and out: password, then second factor; sessions as rows.

use std::sync::{Arc, Mutex};

use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{AccountRow, AccountState, NewSession, SessionRow, StoreError, Totp, Tx};

use crate::accounts::guessing::Try;
use crate::accounts::holder::{Holder, Signed, Via};
use crate::accounts::provider::Described;
use crate::accounts::scope::Scope;
use crate::accounts::{About, Refused, entry, factor, note, password, secret_token};
use crate::config::{PASSWORD, Role};
use crate::engine::Engine;
use crate::http::caller::Caller;

/// How often it is noted that a session is used.
const SEEN_EVERY: Millis = Millis::minutes(1);

/// Accounts, and what is needed to do something about them. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) engine: Engine,
    /// Sessions that a link opens once: made inside this process alone, by the demonstration.
    pub(super) links: Arc<Mutex<Vec<(String, Begun)>>>,
    /// What providers have said of themselves a moment ago.
    pub(super) described: Described,
}

/// From where somebody comes.
#[derive(Clone, Debug)]
pub struct From {
    /// His address.
    pub caller: Caller,
    /// What his browser calls itself.
    pub agent: String,
}

impl From {
    fn address(&self) -> String {
        match self.caller {
            Caller::Known(address) => address.to_string(),
            Caller::Unknown => String::new(),
        }
    }
}

/// A session that has begun, with what its cookie holds.
#[derive(Clone, Debug)]
pub struct Begun {
    /// What the cookie holds.
    pub token: String,
    /// Who has signed in.
    pub holder: Holder,
}

impl Accounts {
    /// Of those that `engine` keeps.
    pub fn new(engine: Engine) -> Self {
        Self { engine, links: Arc::default(), described: Described::default() }
    }

    /// Begins a try at something that can be guessed, unless its time has not come.
    pub(crate) async fn begin_try(&self, from: &From, whose: &str) -> Result<Try, Refused> {
        let tried = Try::of(from.caller, whose);
        match tried.begin(self.engine.store(), self.engine.clock().now()).await? {
            Some(seconds) => Err(Refused::TooManyTries(seconds)),
            None => Ok(tried),
        }
    }

    /// Signs somebody in with his password. Who is not known, has another way of signing in, or gives a wrong password learns no more than
    /// that, and as late.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn sign_in(&self, email: &str, given: &str, from: &From) -> Result<Begun, Refused> {
        let email = email.trim().to_lowercase();
        let tried = self.begin_try(from, &email).await?;
        let found = self.engine.store().account_of_email(&email).await?;
        let hash = found.as_ref().filter(|it| it.sign_in == PASSWORD).and_then(|it| it.password.clone());
        let is_right = password::verify(given.to_owned(), hash).await;
        let Some(account) = found.filter(|_| is_right) else {
            let about = About { detail: serde_json::json!({ "address": from.address() }), ..About::default() };
            note(&self.engine, "nobody", "sign_in_refused", about).await?;
            return Err(Refused::WrongCredentials);
        };
        tried.was_right(self.engine.store()).await?;
        self.begin(&account, None, from).await
    }

    /// Begins a session of somebody who has proven who he is.
    pub(crate) async fn begin(
        &self,
        account: &AccountRow,
        factor_at: Option<UnixMillis>,
        from: &From,
    ) -> Result<Begun, Refused> {
        match account.state {
            AccountState::Active => {}
            AccountState::PendingApproval => {
                return Err(Refused::State(
                    "pending_approval",
                    "your administrator has not approved your account yet".to_owned(),
                ));
            }
            AccountState::Inactive => {
                return Err(Refused::State(
                    "inactive",
                    "your account is switched off; ask your administrator".to_owned(),
                ));
            }
        }
        let now = self.engine.clock().now();
        let session = NewSession {
            token: secret_token(&self.engine),
            id: format!("ses_{:032x}", self.engine.ids().seed().0),
            account: account.id.clone(),
            created_at: now,
            seen_at: now,
            factor_at,
            address: from.address(),
            agent: from.agent.clone(),
        };
        let holder = holder_of(account, &session.id, factor_at).ok_or(Refused::WrongCredentials)?;
        let about = About {
            scope: Scope::of_words(&account.scope),
            detail: serde_json::json!({ "address": from.address() }),
            ..About::default()
        };
        let token = session.token.clone();
        let work = Arc::new((session, entry(&self.engine, &account.id, "sign_in", about)));
        self.engine
            .store()
            .write("sign_in", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    tx.begin_session(&work.0).await?;
                    tx.add_audit(&work.1).await
                })
            })
            .await?;
        Ok(Begun { token, holder })
    }

    /// Who has the session whose cookie holds this token; nobody when it has ended, rested too long, lived too long, or his account was
    /// switched off.
    ///
    /// # Errors
    /// Store errors.
    pub async fn holder(&self, token: &str) -> Result<Option<Holder>, StoreError> {
        let store = self.engine.store();
        let Some((session, holder)) = self.holder_unseen(token).await? else { return Ok(None) };
        let now = self.engine.clock().now();
        if now - session.seen_at >= SEEN_EVERY {
            let id = session.id;
            store
                .write("see_session", move |tx: &Tx| {
                    let id = id.clone();
                    Box::pin(async move { tx.see_session(&id, SEEN_EVERY, now).await })
                })
                .await?;
        }
        Ok(Some(holder))
    }

    /// The same of what a page asks by itself while nobody is there: that does not keep a session from ending.
    ///
    /// # Errors
    /// Store errors.
    pub async fn holder_unseen(&self, token: &str) -> Result<Option<(SessionRow, Holder)>, StoreError> {
        match self.engine.store().session(token).await? {
            Some(session) => self.of_session(session).await,
            None => Ok(None),
        }
    }

    /// Who `holder` is now, if he still is anybody: his session may have ended meanwhile, his role may be another, his token may be gone.
    ///
    /// # Errors
    /// Store errors.
    pub async fn again(&self, holder: &Holder) -> Result<Option<Holder>, StoreError> {
        match &holder.via {
            Via::Nobody => Ok(None),
            Via::Token => {
                let running = self.engine.running();
                let held = running.config.ops_tokens.iter().find(|token| token.name == holder.name);
                Ok(held.map(Holder::of_token))
            }
            Via::Session(signed) => match self.engine.store().session_of_id(&signed.session).await? {
                Some(session) => Ok(self.of_session(session).await?.map(|(_, holder)| holder)),
                None => Ok(None),
            },
        }
    }

    /// Who an account is now, without a session: for what he has begun and is still under way. Nobody when he was switched off.
    ///
    /// # Errors
    /// Store errors.
    pub async fn holder_of_account(&self, account: &str) -> Result<Option<Holder>, StoreError> {
        let found = self.engine.store().account(account).await?;
        let found = found.filter(|account| account.state == AccountState::Active);
        Ok(found.and_then(|account| holder_of(&account, "", None)))
    }

    async fn of_session(&self, session: SessionRow) -> Result<Option<(SessionRow, Holder)>, StoreError> {
        let store = self.engine.store();
        let now = self.engine.clock().now();
        if !self.goes_on(&session, now) {
            return Ok(None);
        }
        let Some(account) = store.account(&session.account).await? else { return Ok(None) };
        if account.state != AccountState::Active {
            return Ok(None);
        }
        let holder = holder_of(&account, &session.id, session.factor_at);
        Ok(holder.map(|holder| (session, holder)))
    }

    fn goes_on(&self, session: &SessionRow, now: UnixMillis) -> bool {
        let limits = self.engine.running().config.console;
        session.ended_at.is_none() && now - session.seen_at < limits.idle && now - session.created_at < limits.absolute
    }

    /// The sessions of somebody that go on.
    ///
    /// # Errors
    /// Store errors.
    pub async fn sessions(&self, account: &str) -> Result<Vec<SessionRow>, StoreError> {
        let now = self.engine.clock().now();
        let since = now - self.engine.running().config.console.absolute;
        let mut found = self.engine.store().sessions(account, since).await?;
        found.retain(|session| self.goes_on(session, now));
        Ok(found)
    }

    /// Passes the second factor: a one-time code, or a recovery code. The session gets a new token.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn pass_factor(&self, holder: &Holder, code: &str, from: &From) -> Result<Begun, Refused> {
        let Some(signed) = holder.signed() else { return Err(Refused::NotFound("session")) };
        let whose = format!("{}/factor", signed.account);
        let tried = self.begin_try(from, &whose).await?;
        let account = self.engine.store().account(&signed.account).await?.ok_or(Refused::NotFound("account"))?;
        let Some(totp) = account.confirmed_totp() else { return Err(Refused::FactorRequired) };
        let taken = self.take_code(&account.id, totp, code).await?;
        let Some(kind) = taken else { return Err(Refused::WrongCode) };
        tried.was_right(self.engine.store()).await?;
        self.passed(holder, signed, "factor_passed", kind).await
    }

    /// Takes a code; what kind of code it was, or `None`.
    async fn take_code(&self, account: &str, totp: &Totp, code: &str) -> Result<Option<&'static str>, Refused> {
        let now = self.engine.clock().now();
        let secret = hex::decode(&totp.secret).unwrap_or_default();
        let step = factor::step_of(&secret, code, now);
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
    async fn passed(&self, holder: &Holder, signed: &Signed, act: &str, kind: &str) -> Result<Begun, Refused> {
        let (now, token) = (self.engine.clock().now(), secret_token(&self.engine));
        let about = About {
            scope: Some(holder.scope.clone()),
            detail: serde_json::json!({ "factor": kind }),
            ..About::default()
        };
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

    /// Makes somebody a secret for one-time codes; in base 32, and as an address for authenticators. It counts when a code of it was given.
    ///
    /// # Errors
    /// [`Refused::FreshFactorRequired`] when he has one already and has not passed it a moment ago.
    pub async fn begin_totp(&self, holder: &Holder) -> Result<(String, String), Refused> {
        let Some(signed) = holder.signed() else { return Err(Refused::NotFound("session")) };
        let now = self.engine.clock().now();
        if signed.has_factor {
            holder.fresh(crate::config::SecondFactor::Required, now)?;
        }
        let mut secret = self.engine.ids().nonce().to_vec();
        secret.extend_from_slice(&self.engine.ids().nonce()[..4]);
        let shown = factor::shown(&secret, &signed.email).ok_or(Refused::NotFound("factor"))?;
        let work = Arc::new((signed.account.clone(), Totp { secret: hex::encode(&secret), confirmed: false }));
        let kept: Result<(), StoreError> = self
            .engine
            .store()
            .write("begin_totp", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move { tx.set_totp(&work.0, Some(&work.1), now).await })
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
        let account = self.engine.store().account(&signed.account).await?.ok_or(Refused::NotFound("account"))?;
        let Some(waiting) = account.totp.filter(|totp| !totp.confirmed) else {
            return Err(Refused::State(
                "no_pending_factor",
                "there is nothing to confirm: POST account/totp first".to_owned(),
            ));
        };
        let secret = hex::decode(&waiting.secret).unwrap_or_default();
        let Some(step) = factor::step_of(&secret, code, now) else { return Err(Refused::WrongCode) };
        let codes = factor::recovery_codes(|| self.engine.ids().nonce());
        let work = Arc::new((account.id.clone(), Totp { confirmed: true, ..waiting }, codes.clone()));
        let kept: Result<bool, StoreError> = self
            .engine
            .store()
            .write("confirm_totp", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (account, totp, codes) = &*work;
                    if !tx.take_totp_step(account, step).await? {
                        return Ok(false);
                    }
                    tx.set_totp(account, Some(totp), now).await?;
                    tx.put_recovery_codes(account, codes).await?;
                    Ok(true)
                })
            })
            .await;
        if !kept? {
            return Err(Refused::WrongCode);
        }
        tried.was_right(self.engine.store()).await?;
        Ok((self.passed(holder, signed, "factor_enrolled", "totp").await?, codes))
    }

    /// Ends a session of somebody.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub async fn end_session(&self, holder: &Holder, session: &str) -> Result<(), Refused> {
        let Some(signed) = holder.signed() else { return Err(Refused::NotFound("session")) };
        let now = self.engine.clock().now();
        let about = About {
            scope: Some(holder.scope.clone()),
            detail: serde_json::json!({ "session": session }),
            ..About::default()
        };
        let audit = entry(&self.engine, &signed.account, "sign_out", about);
        let work = Arc::new((signed.account.clone(), session.to_owned(), audit));
        let ended: Result<bool, StoreError> = self
            .engine
            .store()
            .write("end_session", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let ended = tx.end_session(&work.0, &work.1, now).await?;
                    if ended {
                        tx.add_audit(&work.2).await?;
                    }
                    Ok(ended)
                })
            })
            .await;
        if ended? { Ok(()) } else { Err(Refused::NotFound("session")) }
    }

    /// Keeps the language that somebody has chosen.
    ///
    /// # Errors
    /// Store errors.
    pub async fn set_language(&self, account: &str, language: &str) -> Result<(), StoreError> {
        let (work, now) = (Arc::new((account.to_owned(), language.to_owned())), self.engine.clock().now());
        self.engine
            .store()
            .write("set_language", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move { tx.set_account_language(&work.0, &work.1, now).await })
            })
            .await
    }
}

fn holder_of(account: &AccountRow, session: &str, factor_at: Option<UnixMillis>) -> Option<Holder> {
    Some(Holder {
        name: account.profile.name.clone(),
        role: account.role.as_deref().and_then(Role::of_word)?,
        scope: Scope::of_words(&account.scope)?,
        via: Via::Session(Signed {
            account: account.id.clone(),
            session: session.to_owned(),
            email: account.profile.email.clone(),
            sign_in: account.sign_in.clone(),
            factor_at,
            has_factor: account.confirmed_totp().is_some(),
            language: account.language.clone(),
        }),
    })
}
