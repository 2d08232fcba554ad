// SPDX-License-Identifier: Apache-2.0

//! Accounts of people: who they are (sealed), what they may, and how they prove who they are.

use sea_orm::{QueryResult, Value};
use serde::{Deserialize, Serialize};
use ticketbridge_core::UnixMillis;

use crate::connect::Store;
use crate::dialect::{Query, get, get_count, get_word, values, word};
use crate::error::StoreError;
use crate::lists::{Listing, Page, PageRequest};
use crate::scopes::{ScopeWords, ScopesWithin, within_scopes};
use crate::seal::sha256_hex;
use crate::tx::Tx;

/// What keeps hashes of e-mail addresses apart from hashes of other things.
const EMAIL: &str = "email";
/// The same for who somebody is at a provider.
const IDENTITY: &str = "identity";
/// The same for recovery codes.
const RECOVERY: &str = "recovery_code";

/// Whether somebody may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// An administrator has not approved it yet.
    PendingApproval,
    /// He may.
    Active,
    /// He was switched off.
    Inactive,
}

/// Who somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Name.
    pub name: String,
    /// E-mail address, in lower case.
    pub email: String,
    /// Mobile number.
    pub mobile: String,
    /// Direct number.
    pub direct: String,
    /// The agency code given at sign-up.
    pub agency_code: Option<String>,
}

/// An account to be.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its id.
    pub id: String,
    /// Who it is.
    pub profile: Profile,
    /// Whether he may sign in.
    pub state: AccountState,
    /// What he may; nothing before approval.
    pub role: Option<String>,
    /// Whose data he sees; for one that waits, whose administrators approve him.
    pub scope: ScopeWords,
    /// `password`, or the name of a provider.
    pub sign_in: String,
    /// The hash of his password, if he has one.
    pub password: Option<String>,
    /// Who he is at his provider, if he signs in with one; kept as a keyed hash.
    pub identity: Option<String>,
    /// When.
    pub at: UnixMillis,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its id.
    pub id: String,
    /// Who it is.
    pub profile: Profile,
    /// Whether he may sign in.
    pub state: AccountState,
    /// What he may; `None` before approval.
    pub role: Option<String>,
    /// Whose data he sees.
    pub scope: ScopeWords,
    /// `password`, or the name of a provider.
    pub sign_in: String,
    /// The hash of his password.
    pub password: Option<String>,
    /// The secret of his one-time codes, once it was confirmed or while it waits for that.
    pub totp: Option<Totp>,
    /// The last step of which a code was taken.
    pub totp_step: i64,
    /// How many passkeys he has.
    pub passkeys: u64,
    /// The language that he has chosen.
    pub language: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was changed.
    pub updated_at: UnixMillis,
}

/// The secret of one-time codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The secret, hex.
    pub secret: String,
    /// Whether a code of it was given: until then it is none.
    pub confirmed: bool,
    /// The secret that is to take its place, hex, once a code of that was given: until then this one holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

impl Totp {
    /// The secret that waits for a code of it.
    pub fn waiting(&self) -> Option<&str> {
        if self.confirmed { self.successor.as_deref() } else { Some(&self.secret) }
    }
}

impl AccountRow {
    /// The confirmed secret of his one-time codes.
    pub fn confirmed_totp(&self) -> Option<&Totp> {
        self.totp.as_ref().filter(|totp| totp.confirmed)
    }

    /// Whether he has a second factor: one-time codes, or a passkey.
    pub fn has_factor(&self) -> bool {
        self.confirmed_totp().is_some() || self.passkeys > 0
    }
}

/// Which accounts.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// In which state.
    pub state: Option<AccountState>,
    /// Of these scopes.
    pub within: ScopesWithin,
}

const COLUMNS: &str = "id, profile, state, role, scope_kind, scope_id, sign_in, password, totp, totp_step, language, created_ms, updated_ms, \
    (SELECT COUNT(*) FROM passkey WHERE passkey.account_id = account.id) AS passkeys";

fn profile_row(id: &str) -> String {
    format!("account.profile/{id}")
}
fn totp_row(id: &str) -> String {
    format!("account.totp/{id}")
}

fn read(query: &impl Query, row: &QueryResult) -> Result<AccountRow, StoreError> {
    let id: String = get(row, "id")?;
    let profile = query.sealer().open(&profile_row(&id), &get::<String>(row, "profile")?)?;
    let totp = match get::<Option<String>>(row, "totp")? {
        Some(sealed) => Some(serde_json::from_slice(&query.sealer().open(&totp_row(&id), &sealed)?)?),
        None => None,
    };
    Ok(AccountRow {
        profile: serde_json::from_slice(&profile)?,
        state: get_word(row, "state")?,
        role: get(row, "role")?,
        scope: ScopeWords {
            kind: get::<Option<String>>(row, "scope_kind")?.unwrap_or_default(),
            id: get(row, "scope_id")?,
        },
        sign_in: get(row, "sign_in")?,
        password: get(row, "password")?,
        totp,
        totp_step: get(row, "totp_step")?,
        passkeys: get_count(row, "passkeys")?,
        language: get(row, "language")?,
        created_at: UnixMillis(get(row, "created_ms")?),
        updated_at: UnixMillis(get(row, "updated_ms")?),
        id,
    })
}

async fn by(query: &impl Query, column: &str, value: String, lock: &str) -> Result<Option<AccountRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE {column} = ?{lock}");
    query.row(&sql, values![value]).await?.map(|row| read(query, &row)).transpose()
}

fn reset_hash(token: &str) -> String {
    sha256_hex(&[b"password_reset", token.as_bytes()])
}

/// An e-mail address as it is compared.
pub(crate) fn plain_email(email: &str) -> String {
    email.trim().to_lowercase()
}

impl Store {
    /// The account of this id.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn account(&self, id: &str) -> Result<Option<AccountRow>, StoreError> {
        by(self, "id", id.to_owned(), "").await
    }

    /// The account of this e-mail address.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn account_of_email(&self, email: &str) -> Result<Option<AccountRow>, StoreError> {
        by(self, "email_hash", self.sealer().keyed_hash(EMAIL, &plain_email(email)), "").await
    }

    /// The account of whoever this is at his provider.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn account_of_identity(&self, identity: &str) -> Result<Option<AccountRow>, StoreError> {
        by(self, "identity_hash", self.sealer().keyed_hash(IDENTITY, identity), "").await
    }

    /// Accounts, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn list_accounts(
        &self,
        filter: &AccountFilter,
        page: &PageRequest,
    ) -> Result<Page<AccountRow>, StoreError> {
        let mut wanted = crate::dialect::Where::new();
        wanted.equals("state", filter.state.as_ref().map(word));
        within_scopes(&mut wanted, &filter.within, None);
        self.list(&Listing::newest("account", COLUMNS, "created_ms"), wanted, page, |row| read(self, row)).await
    }

    /// Whose link for another password this is, while it can be used.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn reset_of(&self, token: &str, now: UnixMillis) -> Result<Option<String>, StoreError> {
        let sql = "SELECT account_id FROM password_reset WHERE token_hash = ? AND expires_ms > ?";
        let row = self.row(sql, values![reset_hash(token), now.0]).await?;
        row.map(|row| get(&row, "account_id")).transpose()
    }

    /// How many recovery codes an account has left.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn recovery_codes_left(&self, account: &str) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS many FROM recovery_code WHERE account_id = ? AND used_ms IS NULL";
        let row = self.row(sql, values![account]).await?;
        row.map_or(Ok(0), |row| get_count(&row, "many"))
    }
}

impl Tx {
    /// Adds an account.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when there is one with this e-mail address.
    pub async fn add_account(&self, new: &NewAccount) -> Result<(), StoreError> {
        let profile = Profile { email: plain_email(&new.profile.email), ..new.profile.clone() };
        let row = values![
            new.id.as_str(),
            self.sealer().keyed_hash(EMAIL, &profile.email),
            self.sealer().seal(&profile_row(&new.id), &serde_json::to_vec(&profile)?),
            word(&new.state),
            new.role.clone(),
            new.scope.kind.as_str(),
            new.scope.id.clone(),
            new.sign_in.as_str(),
            new.password.clone(),
            new.identity.as_deref().map(|identity| self.sealer().keyed_hash(IDENTITY, identity)),
            0_i64,
            new.at.0,
            new.at.0,
        ];
        let sql = "INSERT INTO account (id, email_hash, profile, state, role, scope_kind, scope_id, sign_in, password, identity_hash, totp_step, \
                   created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.execute(sql, row).await.map(drop)
    }

    /// The account of this id, locked until the end of the transaction.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn lock_account(&self, id: &str) -> Result<Option<AccountRow>, StoreError> {
        by(self, "id", id.to_owned(), self.dialect().for_update()).await
    }

    /// The account of this e-mail address.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn account_of_email(&self, email: &str) -> Result<Option<AccountRow>, StoreError> {
        by(self, "email_hash", self.sealer().keyed_hash(EMAIL, &plain_email(email)), "").await
    }

    /// The active administrators of everything, locked until the end of the transaction: of two that are switched off at once one stays.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn lock_administrators(&self) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "SELECT id FROM account WHERE state = 'active' AND role = 'admin' AND scope_kind = 'everything' ORDER BY id{}",
            self.dialect().for_update()
        );
        let rows = self.rows(&sql, values![]).await?;
        rows.iter().map(|row| get(row, "id")).collect()
    }

    async fn set_account(&self, id: &str, set: &str, mut row: Vec<Value>, now: UnixMillis) -> Result<(), StoreError> {
        row.extend(values![now.0, id]);
        self.execute(&format!("UPDATE account SET {set}, updated_ms = ? WHERE id = ?"), row).await.map(drop)
    }

    /// Switches an account on or off.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn set_account_state(&self, id: &str, state: AccountState, now: UnixMillis) -> Result<(), StoreError> {
        self.set_account(id, "state = ?", values![word(&state)], now).await
    }

    /// Says what an account may.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn set_account_role(
        &self,
        id: &str,
        role: &str,
        scope: &ScopeWords,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let row = values![role, scope.kind.as_str(), scope.id.clone()];
        self.set_account(id, "role = ?, scope_kind = ?, scope_id = ?", row, now).await
    }

    /// Gives somebody another password, by its hash.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn set_account_password(&self, id: &str, hash: &str, now: UnixMillis) -> Result<(), StoreError> {
        self.set_account(id, "password = ?", values![hash], now).await
    }

    /// Keeps what somebody says of himself. His e-mail address stays as it is: he is found by it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn set_account_profile(&self, id: &str, profile: &Profile, now: UnixMillis) -> Result<(), StoreError> {
        let sealed = self.sealer().seal(&profile_row(id), &serde_json::to_vec(profile)?);
        self.set_account(id, "profile = ?", values![sealed], now).await
    }

    /// Makes a link by which somebody gives himself another password; one that was made before is worth nothing.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn put_reset(&self, account: &str, token: &str, expires: UnixMillis) -> Result<(), StoreError> {
        self.execute("DELETE FROM password_reset WHERE account_id = ?", values![account]).await?;
        let sql = "INSERT INTO password_reset (token_hash, account_id, expires_ms) VALUES (?, ?, ?)";
        self.execute(sql, values![reset_hash(token), account, expires.0]).await.map(drop)
    }

    /// Takes such a link: whose it was. It works once, and of two who take it at once one gets it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn take_reset(&self, token: &str, now: UnixMillis) -> Result<Option<String>, StoreError> {
        let hash = reset_hash(token);
        let sql = "SELECT account_id FROM password_reset WHERE token_hash = ? AND expires_ms > ?";
        let Some(row) = self.row(sql, values![hash.as_str(), now.0]).await? else { return Ok(None) };
        let account: String = get(&row, "account_id")?;
        let taken = self.execute("DELETE FROM password_reset WHERE token_hash = ?", values![hash]).await?;
        Ok((taken == 1).then_some(account))
    }

    /// Forgets links for other passwords that are over; how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_resets(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.execute("DELETE FROM password_reset WHERE expires_ms <= ?", values![now.0]).await
    }

    /// Keeps the language that somebody has chosen.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn set_account_language(&self, id: &str, language: &str, now: UnixMillis) -> Result<(), StoreError> {
        self.set_account(id, "language = ?", values![language], now).await
    }

    /// Keeps a secret for somebody's one-time codes until a code of it is given. One that he has already holds until then.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn begin_totp(&self, id: &str, secret: &str, now: UnixMillis) -> Result<(), StoreError> {
        let known = self.lock_account(id).await?.and_then(|account| account.totp);
        match known.filter(|totp| totp.confirmed) {
            Some(totp) => {
                let totp = Totp { successor: Some(secret.to_owned()), ..totp };
                self.set_account(id, "totp = ?", values![self.sealed_totp(id, &totp)?], now).await
            }
            // A new one has no code that was taken before.
            None => {
                let totp = Totp { secret: secret.to_owned(), confirmed: false, successor: None };
                self.set_account(id, "totp = ?, totp_step = 0", values![self.sealed_totp(id, &totp)?], now).await
            }
        }
    }

    /// A code of the secret that waits was given, of this step: from now on that one holds. `false` when it waits no more.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn confirm_totp(&self, id: &str, secret: &str, step: i64, now: UnixMillis) -> Result<bool, StoreError> {
        let known = self.lock_account(id).await?.and_then(|account| account.totp);
        if known.as_ref().and_then(Totp::waiting) != Some(secret) {
            return Ok(false);
        }
        let totp = Totp { secret: secret.to_owned(), confirmed: true, successor: None };
        self.set_account(id, "totp = ?, totp_step = ?", values![self.sealed_totp(id, &totp)?, step], now).await?;
        Ok(true)
    }

    /// Forgets somebody's one-time codes.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn forget_totp(&self, id: &str, now: UnixMillis) -> Result<(), StoreError> {
        self.set_account(id, "totp = ?, totp_step = 0", values![None::<String>], now).await
    }

    fn sealed_totp(&self, id: &str, totp: &Totp) -> Result<String, StoreError> {
        Ok(self.sealer().seal(&totp_row(id), &serde_json::to_vec(totp)?))
    }

    /// Notes that a code of this step was taken; `false` when one of this step or a later one was taken before.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn take_totp_step(&self, id: &str, step: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE account SET totp_step = ? WHERE id = ? AND totp_step < ?";
        Ok(self.execute(sql, values![step, id, step]).await? == 1)
    }

    /// Gives somebody new recovery codes; the old ones are worth nothing.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn put_recovery_codes(&self, account: &str, codes: &[String]) -> Result<(), StoreError> {
        self.execute("DELETE FROM recovery_code WHERE account_id = ?", values![account]).await?;
        for code in codes {
            let row = values![account, self.sealer().keyed_hash(RECOVERY, &format!("{account}/{code}"))];
            self.execute("INSERT INTO recovery_code (account_id, code_hash) VALUES (?, ?)", row).await?;
        }
        Ok(())
    }

    /// Takes a recovery code; `false` when it is none, or was taken before.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn take_recovery_code(&self, account: &str, code: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let hash = self.sealer().keyed_hash(RECOVERY, &format!("{account}/{code}"));
        let sql = "UPDATE recovery_code SET used_ms = ? WHERE account_id = ? AND code_hash = ? AND used_ms IS NULL";
        Ok(self.execute(sql, values![now.0, account, hash]).await? == 1)
    }
}
