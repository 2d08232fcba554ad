// SPDX-License-Identifier: Apache-2.0

//! How people come and go: sign-up, approval, roles, switching on and off, invitations.

use std::sync::Arc;

use ticketbridge_core::UnixMillis;
use ticketbridge_store::{
    AccountRow, AccountState, InvitationRow, InvitationState, NewAccount, NewAudit, NewInvitation, Profile, StoreError,
    Tx,
};

use crate::accounts::holder::Holder;
use crate::accounts::provider::Identity;
use crate::accounts::scope::{Reach, Scope};
use crate::accounts::signing_in::{Accounts, Begun, From};
use crate::accounts::{About, Refused, entry, link_expires, password, secret_token};
use crate::config::{PASSWORD, Role};

/// Characters of a name, an address or a number.
pub(crate) const FIELD_CHARS_MAX: usize = 200;

/// Who somebody says he is.
#[derive(Clone, Debug, Default)]
pub struct Applicant {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Mobile number.
    pub mobile: String,
    /// Direct number.
    pub direct: String,
    /// Password.
    pub password: String,
}

impl Applicant {
    fn check(&self) -> Result<(), Refused> {
        for (field, text) in [("name", &self.name), ("email", &self.email)] {
            let chars = text.trim().chars().count();
            if chars == 0 || chars > FIELD_CHARS_MAX {
                return Err(Refused::Invalid(field, format!("`{field}` has 1 to {FIELD_CHARS_MAX} characters")));
            }
        }
        check_email(&self.email)?;
        for (field, number) in [("mobile", &self.mobile), ("direct", &self.direct)] {
            check_number(field, number)?;
        }
        Ok(())
    }

    fn check_password(&self) -> Result<(), Refused> {
        password::check(&self.password, Some(self.email.trim()))
            .map_err(|sentence| Refused::Invalid("password", sentence))
    }

    fn profile(&self, agency_code: Option<String>) -> Profile {
        let plain = |text: &str| text.trim().to_owned();
        Profile {
            name: plain(&self.name),
            email: plain(&self.email).to_lowercase(),
            mobile: plain(&self.mobile),
            direct: plain(&self.direct),
            agency_code,
        }
    }
}

/// Makes sure that something is a telephone number.
pub(crate) fn check_number(field: &'static str, number: &str) -> Result<(), Refused> {
    if is_number(number) { Ok(()) } else { Err(Refused::Invalid(field, format!("`{field}` is a telephone number"))) }
}

/// Whether something is a telephone number.
pub(crate) fn is_number(number: &str) -> bool {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let is_plain = number.chars().all(|c| c.is_ascii_digit() || " +-()./#".contains(c));
    is_plain && digits >= 5 && number.chars().count() <= FIELD_CHARS_MAX
}

/// How somebody proves who he is, for life.
#[derive(Clone, Debug)]
pub enum Proof {
    /// By the password that he gives.
    Password,
    /// By a provider.
    Provider(Identity),
}

fn check_email(email: &str) -> Result<(), Refused> {
    if is_email(email) {
        return Ok(());
    }
    Err(Refused::Invalid("email", "`email` is an e-mail address".to_owned()))
}

/// Whether something is an e-mail address.
pub(crate) fn is_email(email: &str) -> bool {
    let email = email.trim();
    let is_plain = !email.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"(),:;".contains(c));
    let parts = email.rsplit_once('@').filter(|(name, host)| !name.is_empty() && host.len() > 2 && !name.contains('@'));
    parts.is_some() && is_plain && email.len() <= FIELD_CHARS_MAX
}

/// An invitation with its link, which is shown once.
#[derive(Clone, Debug)]
pub struct Invited {
    /// Its id.
    pub id: String,
    /// The end of its link.
    pub token: String,
    /// Until when it can be accepted.
    pub expires_at: UnixMillis,
}

/// What becomes of an account.
#[derive(Clone, Debug)]
pub enum Change {
    /// It may sign in, with this role and scope.
    Approve(Role, Scope),
    /// Another role and scope.
    Grant(Role, Scope),
    /// It may not sign in.
    Deactivate,
    /// It may again.
    Activate,
    /// Its second factor is forgotten.
    ResetFactor,
}

impl Change {
    /// The word for it in the audit.
    fn word(&self) -> &'static str {
        match self {
            Change::Approve(..) => "account_approved",
            Change::Grant(..) => "account_role",
            Change::Deactivate => "account_deactivated",
            Change::Activate => "account_activated",
            Change::ResetFactor => "account_factor_reset",
        }
    }
}

/// Who changes an account.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each request, and moved once")]
pub enum By {
    /// Somebody with his role and scope.
    Holder(Holder),
    /// Whoever can run commands on the host.
    Host,
}

impl By {
    pub(crate) fn actor(&self) -> String {
        match self {
            By::Holder(holder) => holder.key(),
            By::Host => "host".to_owned(),
        }
    }
}

impl Accounts {
    /// Who grants a role must hold it: an administrator holds every role within his scope, and only there.
    fn may_grant(&self, by: &By, role: Role, scope: &Scope) -> Result<(), Refused> {
        let running = self.engine.running();
        let organisation = &running.config.organisation;
        if let By::Holder(holder) = by {
            let holds_role = holder.role == Role::Admin || holder.role == role;
            // Whether there is such a scope beyond his own is none of his business: both are refused in the same words.
            let is_his = holder.scope == Scope::Everything || holder.scope.holds(scope, organisation);
            if !holds_role || !is_his {
                return Err(Refused::BeyondOwn(format!("{} of {}", holder.role.word(), holder.scope.kind())));
            }
        }
        if scope.exists(organisation) {
            return Ok(());
        }
        Err(Refused::Invalid("scope", format!("there is no {} of this name", scope.kind())))
    }

    /// Whether an account is any of his business.
    pub(crate) fn concerns(&self, by: &By, account: &AccountRow) -> bool {
        let By::Holder(holder) = by else { return true };
        let theirs = Scope::of_words(&account.scope);
        theirs.is_some_and(|scope| holder.scope.holds(&scope, &self.engine.running().config.organisation))
    }

    /// Signs somebody up: he waits for the approval of an administrator of his agency. Who is known already is told the same.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn sign_up(&self, applicant: &Applicant, agency_code: &str, from: &From) -> Result<(), Refused> {
        self.sign_up_by(Proof::Password, applicant, agency_code, from).await
    }

    pub(crate) async fn sign_up_by(
        &self,
        proof: Proof,
        applicant: &Applicant,
        agency_code: &str,
        from: &From,
    ) -> Result<(), Refused> {
        self.begin_try(from, "sign-up").await?;
        applicant.check()?;
        let running = self.engine.running();
        let Some(agency) = running.config.organisation.agency_of_code(agency_code.trim()) else {
            let sentence = "no agency has this code; ask your administrator for it".to_owned();
            return Err(Refused::Invalid("agency_code", sentence));
        };
        let scope = Scope::Agency(agency.id.clone());
        let account = self
            .new_account(proof, applicant, AccountState::PendingApproval, None, &scope, Some(agency.code.clone()))
            .await?;
        let about = About { scope: Some(scope), ..About::default() };
        let audit = entry(&self.engine, &account.id, "sign_up", about);
        match self.add(account, audit, None).await {
            Ok(()) | Err(Refused::Engine(crate::engine::EngineError::Store(StoreError::Duplicate))) => Ok(()),
            Err(other) => Err(other),
        }
    }

    async fn new_account(
        &self,
        proof: Proof,
        applicant: &Applicant,
        state: AccountState,
        role: Option<Role>,
        scope: &Scope,
        agency_code: Option<String>,
    ) -> Result<NewAccount, Refused> {
        let (sign_in, password, identity) = match proof {
            Proof::Password => {
                applicant.check_password()?;
                let hash = password::hash(applicant.password.clone(), self.engine.ids().nonce()).await;
                let hash =
                    hash.ok_or_else(|| Refused::Invalid("password", "`password` cannot be hashed".to_owned()))?;
                (PASSWORD.to_owned(), Some(hash), None)
            }
            Proof::Provider(identity) => {
                let key = identity.key();
                (identity.provider, None, Some(key))
            }
        };
        Ok(NewAccount {
            id: format!("acc_{:032x}", self.engine.ids().seed().0),
            profile: applicant.profile(agency_code),
            state,
            role: role.map(|role| role.word().to_owned()),
            scope: scope.words(),
            sign_in,
            password,
            identity,
            at: self.engine.clock().now(),
        })
    }

    /// Adds an account; of an invitation only while that is pending.
    async fn add(&self, account: NewAccount, audit: NewAudit, invitation: Option<String>) -> Result<(), Refused> {
        let now = self.engine.clock().now();
        let work = Arc::new((account, audit, invitation));
        let done: Result<bool, StoreError> = self
            .engine
            .store()
            .write("add_account", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (account, audit, invitation) = &*work;
                    if let Some(invitation) = invitation
                        && !tx.accept_invitation(invitation, &account.id, now).await?
                    {
                        return Ok(false);
                    }
                    tx.add_account(account).await?;
                    tx.add_audit(audit).await?;
                    Ok(true)
                })
            })
            .await;
        match done? {
            true => Ok(()),
            false => Err(invitation_over()),
        }
    }

    /// Changes an account.
    ///
    /// # Errors
    /// [`Refused`]; [`Refused::NotFound`] for one of another scope.
    pub async fn change(&self, by: &By, id: &str, change: Change) -> Result<AccountRow, Refused> {
        let known = self.engine.store().account(id).await?.filter(|account| self.concerns(by, account));
        let known = known.ok_or(Refused::NotFound("account"))?;
        if let Change::Approve(role, scope) | Change::Grant(role, scope) = &change {
            self.may_grant(by, *role, scope)?;
        }
        let detail = match &change {
            Change::Approve(role, scope) | Change::Grant(role, scope) => {
                serde_json::json!({ "account": id, "role": role.word(), "scope": scope.json() })
            }
            Change::Deactivate | Change::Activate | Change::ResetFactor => serde_json::json!({ "account": id }),
        };
        let about = About { scope: Scope::of_words(&known.scope), detail, ..About::default() };
        let audit = entry(&self.engine, &by.actor(), change.word(), about);
        let (work, now) = (Arc::new((id.to_owned(), change, audit)), self.engine.clock().now());
        let outcome: Result<Outcome, StoreError> = self
            .engine
            .store()
            .write("change_account", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (id, change, audit) = &*work;
                    let outcome = change_in(tx, id, change, now).await?;
                    if let Outcome::Done = outcome {
                        tx.add_audit(audit).await?;
                    }
                    Ok(outcome)
                })
            })
            .await;
        match outcome? {
            Outcome::Done => self.engine.store().account(id).await?.ok_or(Refused::NotFound("account")),
            Outcome::Last => Err(Refused::LastAdministrator),
            Outcome::State(state) => {
                let word = serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned));
                Err(Refused::State("account_state", format!("the account is {}", word.unwrap_or_default())))
            }
        }
    }

    /// Invites somebody.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn invite(&self, by: &By, email: &str, role: Role, scope: &Scope) -> Result<Invited, Refused> {
        check_email(email)?;
        self.may_grant(by, role, scope)?;
        let now = self.engine.clock().now();
        let invited = Invited {
            id: format!("inv_{:032x}", self.engine.ids().seed().0),
            token: secret_token(&self.engine),
            expires_at: link_expires(now),
        };
        let new = NewInvitation {
            id: invited.id.clone(),
            token: invited.token.clone(),
            email: email.to_owned(),
            role: role.word().to_owned(),
            scope: scope.words(),
            invited_by: by.actor(),
            at: now,
            expires_at: invited.expires_at,
        };
        let about = About {
            scope: Some(scope.clone()),
            detail: serde_json::json!({ "invitation": invited.id, "role": role.word(), "scope": scope.json() }),
            ..About::default()
        };
        let work = Arc::new((new, entry(&self.engine, &by.actor(), "invited", about)));
        let done: Result<(), StoreError> = self
            .engine
            .store()
            .write("invite", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    tx.add_invitation(&work.0).await?;
                    tx.add_audit(&work.1).await
                })
            })
            .await;
        done?;
        Ok(invited)
    }

    /// Takes an invitation back; of this and its being accepted one wins.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn revoke(&self, by: &By, reach: &Reach, id: &str) -> Result<InvitationRow, Refused> {
        let found =
            self.engine.store().invitation(id).await?.filter(|it| is_within(reach, it, &self.engine.running().config));
        let found = found.ok_or(Refused::NotFound("invitation"))?;
        let about = About {
            scope: Scope::of_words(&found.scope),
            detail: serde_json::json!({ "invitation": id }),
            ..About::default()
        };
        let (work, now) = (
            Arc::new((id.to_owned(), entry(&self.engine, &by.actor(), "invitation_revoked", about))),
            self.engine.clock().now(),
        );
        let done: Result<bool, StoreError> = self
            .engine
            .store()
            .write("revoke_invitation", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let revoked = tx.revoke_invitation(&work.0, now).await?;
                    if revoked {
                        tx.add_audit(&work.1).await?;
                    }
                    Ok(revoked)
                })
            })
            .await;
        match done? {
            true => Ok(InvitationRow { state: InvitationState::Revoked, ..found }),
            false => Err(Refused::State(
                "invitation_over",
                "it was accepted, taken back or has expired meanwhile".to_owned(),
            )),
        }
    }

    /// The invitation of a link, while it can be accepted.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub async fn pending_invitation(&self, token: &str) -> Result<InvitationRow, Refused> {
        let found = self.engine.store().invitation_of_token(token).await?.ok_or(Refused::NotFound("invitation"))?;
        match found.state_at(self.engine.clock().now()) {
            InvitationState::Pending => Ok(found),
            InvitationState::Accepted | InvitationState::Revoked | InvitationState::Expired => Err(invitation_over()),
        }
    }

    /// Accepts an invitation: makes the account and signs it in.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn accept(&self, token: &str, applicant: Applicant, from: &From) -> Result<Begun, Refused> {
        self.accept_by(Proof::Password, token, applicant, from).await
    }

    pub(crate) async fn accept_by(
        &self,
        proof: Proof,
        token: &str,
        applicant: Applicant,
        from: &From,
    ) -> Result<Begun, Refused> {
        let tried = self.begin_try(from, "accept").await?;
        let invitation = self.pending_invitation(token).await?;
        // Who has the link has guessed nothing: a whole office may accept its invitations from one address.
        tried.was_right(self.engine.store()).await?;
        let applicant = Applicant { email: invitation.email.clone(), ..applicant };
        applicant.check()?;
        let role = Role::of_word(&invitation.role);
        let proven = match &proof {
            Proof::Password => None,
            Proof::Provider(identity) => Some(identity.key()),
        };
        let scope = Scope::of_words(&invitation.scope).ok_or(Refused::NotFound("invitation"))?;
        let account = self.new_account(proof, &applicant, AccountState::Active, role, &scope, None).await?;
        let about = About {
            scope: Some(scope),
            detail: serde_json::json!({ "invitation": invitation.id }),
            ..About::default()
        };
        let (id, audit) = (account.id.clone(), entry(&self.engine, &account.id, "invitation_accepted", about));
        match self.add(account, audit, Some(invitation.id.clone())).await {
            Ok(()) => {}
            Err(Refused::Engine(crate::engine::EngineError::Store(StoreError::Duplicate))) => {
                // Who has proven to be somebody may hear of his own account.
                if let Some(key) = proven
                    && self.engine.store().account_of_identity(&key).await?.is_some()
                {
                    let sentence = "there is an account of yours already: sign in with it".to_owned();
                    return Err(Refused::State("account_exists", sentence));
                }
                self.end_of_known(invitation.id).await?;
                return Err(invitation_over());
            }
            Err(other) => return Err(other),
        }
        let account = self.engine.store().account(&id).await?.ok_or(Refused::NotFound("account"))?;
        self.begin(&account, None, from).await
    }

    /// The address has an account, perhaps in a scope that is none of the inviter's business: the invitation ends as if it had been taken
    /// back, and only who sees everything is told why.
    async fn end_of_known(&self, invitation: String) -> Result<(), Refused> {
        let about = About {
            scope: Some(Scope::Everything),
            detail: serde_json::json!({ "invitation": invitation }),
            ..About::default()
        };
        let audit = entry(&self.engine, "nobody", "invitation_of_known", about);
        let (work, now) = (Arc::new((invitation, audit)), self.engine.clock().now());
        let ended: Result<(), StoreError> = self
            .engine
            .store()
            .write("end_invitation", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    tx.revoke_invitation(&work.0, now).await?;
                    tx.add_audit(&work.1).await
                })
            })
            .await;
        Ok(ended?)
    }
}

/// What everybody is told whose invitation cannot be accepted, also the one whose address has an account already: otherwise an invitation
/// would tell who has one.
fn invitation_over() -> Refused {
    let sentence =
        "this invitation was accepted, taken back or has expired; who has an account already signs in with it";
    Refused::State("invitation_over", sentence.to_owned())
}

fn is_within(reach: &Reach, invitation: &InvitationRow, config: &crate::config::Config) -> bool {
    Scope::of_words(&invitation.scope).is_some_and(|scope| reach.scope().holds(&scope, &config.organisation))
}

enum Outcome {
    Done,
    Last,
    State(AccountState),
}

/// Changes an account inside its transaction: its row is locked, and, where an administrator of everything may go, those of all of them.
async fn change_in(tx: &Tx, id: &str, change: &Change, now: UnixMillis) -> Result<Outcome, StoreError> {
    let administrators = tx.lock_administrators().await?;
    let Some(account) = tx.lock_account(id).await? else { return Ok(Outcome::State(AccountState::Inactive)) };
    let is_last = administrators == [id.to_owned()];
    match (change, account.state) {
        (Change::Approve(role, scope), AccountState::PendingApproval) => {
            tx.set_account_role(id, role.word(), &scope.words(), now).await?;
            tx.set_account_state(id, AccountState::Active, now).await?;
        }
        (Change::Approve(..), state) => return Ok(Outcome::State(state)),
        (Change::Grant(..), AccountState::PendingApproval) => return Ok(Outcome::State(account.state)),
        (Change::Grant(role, scope), AccountState::Active | AccountState::Inactive) => {
            if is_last && (*role != Role::Admin || *scope != Scope::Everything) {
                return Ok(Outcome::Last);
            }
            tx.set_account_role(id, role.word(), &scope.words(), now).await?;
            // What was seen under the old role is not seen under the new one: everybody signs in anew.
            tx.end_sessions(id, now).await?;
        }
        (Change::Deactivate, AccountState::Active | AccountState::PendingApproval) => {
            if is_last {
                return Ok(Outcome::Last);
            }
            tx.set_account_state(id, AccountState::Inactive, now).await?;
            // A passkey signs in by itself: one that somebody has left with does nothing when his account is switched on again.
            tx.remove_passkeys(id).await?;
            tx.end_sessions(id, now).await?;
        }
        (Change::Deactivate, AccountState::Inactive) => return Ok(Outcome::State(account.state)),
        (Change::Activate, AccountState::Inactive) if account.role.is_some() => {
            tx.set_account_state(id, AccountState::Active, now).await?;
        }
        // It was refused before it was ever approved: it waits again.
        (Change::Activate, AccountState::Inactive) => {
            tx.set_account_state(id, AccountState::PendingApproval, now).await?
        }
        (Change::Activate, state) => return Ok(Outcome::State(state)),
        (Change::ResetFactor, _) => {
            tx.forget_totp(id, now).await?;
            tx.remove_passkeys(id).await?;
            tx.put_recovery_codes(id, &[]).await?;
            tx.end_sessions(id, now).await?;
        }
    }
    Ok(Outcome::Done)
}
