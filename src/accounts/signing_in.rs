// SPDX-License-Identifier: Apache-2.0

//! Signing in and out with a password; sessions as rows. The second factor has files of its own ([`second_factor`](super::second_factor),
//! [`passkeys`](super::passkeys)).

use std::sync::{Arc, Mutex};

use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{AccountRow, AccountState, NewSession, SessionRow, StoreError, Tx};

use crate::accounts::guessing::Try;
use crate::accounts::holder::{Holder, Signed, Via};
use crate::accounts::provider::Described;
use crate::accounts::scope::Scope;
use crate::accounts::{About, Refused, entry, note, password, secret_token};
use crate::config::{PASSWORD, Role};
use crate::engine::Engine;
use crate::http::caller::Caller;

/// How often it is noted that a session is used.
const SEEN_EVERY: Millis = Millis::minutes(1);
/// Where sessions end sooner without a request, as often as this in that time: one that is used does not end.
const SEEN_OF_IDLE: i64 = 4;

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
    pub(super) fn address(&self) -> String {
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
        let seen_every = SEEN_EVERY.min(Millis(self.engine.running().config.console.idle.0 / SEEN_OF_IDLE));
        if now - session.seen_at >= seen_every {
            let id = session.id;
            store
                .write("see_session", move |tx: &Tx| {
                    let id = id.clone();
                    Box::pin(async move { tx.see_session(&id, seen_every, now).await })
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
            has_factor: account.has_factor(),
            has_passkey: account.passkeys > 0,
            language: account.language.clone(),
        }),
    })
}
