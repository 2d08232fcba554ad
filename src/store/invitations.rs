// SPDX-License-Identifier: Apache-2.0

//! Invitations. Accepting one and taking it back meet on its row, and one of them wins.

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use ticketbridge_core::UnixMillis;

use crate::accounts::plain_email;
use crate::connect::Store;
use crate::dialect::{Query, Where, get, get_word, values, word};
use crate::error::StoreError;
use crate::lists::{Listing, Page, PageRequest};
use crate::scopes::{ScopeWords, ScopesWithin, within_scopes};
use crate::seal::sha256_hex;
use crate::tx::Tx;

/// Where an invitation stands. One that is pending beyond its time has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    /// Nobody has accepted it yet.
    Pending,
    /// Somebody has.
    Accepted,
    /// It was taken back.
    Revoked,
    /// Nobody accepted it in time.
    Expired,
}

/// An invitation to be.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Its id.
    pub id: String,
    /// What its link holds.
    pub token: String,
    /// To whom.
    pub email: String,
    /// What he will be allowed.
    pub role: String,
    /// Whose data he will see.
    pub scope: ScopeWords,
    /// By whom.
    pub invited_by: String,
    /// When.
    pub at: UnixMillis,
    /// Until when it can be accepted.
    pub expires_at: UnixMillis,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRow {
    /// Its id.
    pub id: String,
    /// To whom.
    pub email: String,
    /// What he will be allowed.
    pub role: String,
    /// Whose data he will see.
    pub scope: ScopeWords,
    /// As it is stored: see [`InvitationRow::state_at`].
    pub state: InvitationState,
    /// By whom.
    pub invited_by: String,
    /// When.
    pub created_at: UnixMillis,
    /// Until when it can be accepted.
    pub expires_at: UnixMillis,
    /// Who has accepted it.
    pub account: Option<String>,
}

impl InvitationRow {
    /// Where it stands at a time.
    pub fn state_at(&self, now: UnixMillis) -> InvitationState {
        match self.state {
            InvitationState::Pending if self.expires_at <= now => InvitationState::Expired,
            state => state,
        }
    }
}

const COLUMNS: &str = "id, email, role, scope_kind, scope_id, state, invited_by, created_ms, expires_ms, account_id";

fn token_hash(token: &str) -> String {
    sha256_hex(&[b"invitation", token.as_bytes()])
}

fn row_name(id: &str) -> String {
    format!("invitation/{id}")
}

fn read(query: &impl Query, row: &QueryResult) -> Result<InvitationRow, StoreError> {
    let id: String = get(row, "id")?;
    let email = query.sealer().open(&row_name(&id), &get::<String>(row, "email")?)?;
    Ok(InvitationRow {
        email: String::from_utf8_lossy(&email).into_owned(),
        role: get(row, "role")?,
        scope: ScopeWords { kind: get(row, "scope_kind")?, id: get(row, "scope_id")? },
        state: get_word(row, "state")?,
        invited_by: get(row, "invited_by")?,
        created_at: UnixMillis(get(row, "created_ms")?),
        expires_at: UnixMillis(get(row, "expires_ms")?),
        account: get(row, "account_id")?,
        id,
    })
}

impl Store {
    /// The invitation of this id.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn invitation(&self, id: &str) -> Result<Option<InvitationRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM invitation WHERE id = ?");
        self.row(&sql, values![id]).await?.map(|row| read(self, &row)).transpose()
    }

    /// The invitation whose link holds this token.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn invitation_of_token(&self, token: &str) -> Result<Option<InvitationRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM invitation WHERE token_hash = ?");
        self.row(&sql, values![token_hash(token)]).await?.map(|row| read(self, &row)).transpose()
    }

    /// Invitations, newest first, that stand so at `now`.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn list_invitations(
        &self,
        state: Option<InvitationState>,
        within: &ScopesWithin,
        now: UnixMillis,
        page: &PageRequest,
    ) -> Result<Page<InvitationRow>, StoreError> {
        let mut wanted = Where::new();
        match state {
            None => {}
            Some(InvitationState::Pending) => wanted.and("state = 'pending' AND expires_ms > ?", values![now.0]),
            Some(InvitationState::Expired) => wanted.and("state = 'pending' AND expires_ms <= ?", values![now.0]),
            Some(state @ (InvitationState::Accepted | InvitationState::Revoked)) => {
                wanted.equals("state", Some(word(&state)));
            }
        }
        within_scopes(&mut wanted, within, None);
        self.list(&Listing::newest("invitation", COLUMNS, "created_ms"), wanted, page, |row| read(self, row)).await
    }
}

impl Tx {
    /// Adds an invitation.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn add_invitation(&self, new: &NewInvitation) -> Result<(), StoreError> {
        let sql = "INSERT INTO invitation (id, token_hash, email, role, scope_kind, scope_id, state, invited_by, created_ms, expires_ms) \
                   VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?)";
        let row = values![
            new.id.as_str(),
            token_hash(&new.token),
            self.sealer().seal(&row_name(&new.id), plain_email(&new.email).as_bytes()),
            new.role.as_str(),
            new.scope.kind.as_str(),
            new.scope.id.clone(),
            new.invited_by.as_str(),
            new.at.0,
            new.expires_at.0,
        ];
        self.execute(sql, row).await.map(drop)
    }

    /// Takes an invitation back; `false` when it is no longer pending.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn revoke_invitation(&self, id: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let sql = "UPDATE invitation SET state = 'revoked' WHERE id = ? AND state = 'pending' AND expires_ms > ?";
        Ok(self.execute(sql, values![id, now.0]).await? == 1)
    }

    /// Accepts an invitation for an account; `false` when it is no longer pending.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn accept_invitation(&self, id: &str, account: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let sql = "UPDATE invitation SET state = 'accepted', account_id = ? WHERE id = ? AND state = 'pending' AND expires_ms > ?";
        Ok(self.execute(sql, values![account, id, now.0]).await? == 1)
    }
}
