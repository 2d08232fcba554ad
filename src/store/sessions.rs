// SPDX-License-Identifier: Apache-2.0

//! Sessions of browsers. A cookie holds a token; what is stored is its hash, so that who reads the database can sign in as nobody.

use sea_orm::QueryResult;
use ticketbridge_core::{Millis, OrderId, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, get, values};
use crate::error::StoreError;
use crate::seal::sha256_hex;
use crate::tx::Tx;

/// A session to be.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// What the cookie holds.
    pub token: String,
    /// Its id, for lists.
    pub id: String,
    /// Whose.
    pub account: String,
    /// When it began: a new token of a session that goes on keeps this.
    pub created_at: UnixMillis,
    /// When it was seen.
    pub seen_at: UnixMillis,
    /// When the second factor was passed.
    pub factor_at: Option<UnixMillis>,
    /// From which address.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: String,
    /// Whose.
    pub account: String,
    /// When it began.
    pub created_at: UnixMillis,
    /// When it was used last.
    pub seen_at: UnixMillis,
    /// When the second factor was passed last.
    pub factor_at: Option<UnixMillis>,
    /// From which address it began.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    /// When it was ended.
    pub ended_at: Option<UnixMillis>,
}

const COLUMNS: &str = "id, account_id, created_ms, seen_ms, factor_ms, address, agent, ended_ms";

fn token_hash(token: &str) -> String {
    sha256_hex(&[b"session", token.as_bytes()])
}

fn read(row: &QueryResult) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        id: get(row, "id")?,
        account: get(row, "account_id")?,
        created_at: UnixMillis(get(row, "created_ms")?),
        seen_at: UnixMillis(get(row, "seen_ms")?),
        factor_at: get::<Option<i64>>(row, "factor_ms")?.map(UnixMillis),
        address: get(row, "address")?,
        agent: get(row, "agent")?,
        ended_at: get::<Option<i64>>(row, "ended_ms")?.map(UnixMillis),
    })
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

impl Store {
    /// The session whose cookie holds this token.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn session(&self, token: &str) -> Result<Option<SessionRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM session WHERE token_hash = ?");
        self.row(&sql, values![token_hash(token)]).await?.map(|row| read(&row)).transpose()
    }

    /// The session of this id.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn session_of_id(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM session WHERE id = ?");
        self.row(&sql, values![id]).await?.map(|row| read(&row)).transpose()
    }

    /// The sessions of somebody that have not been ended and began after `since`, newest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn sessions(&self, account: &str, since: UnixMillis) -> Result<Vec<SessionRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM session WHERE account_id = ? AND created_ms > ? AND ended_ms IS NULL ORDER BY created_ms DESC, id"
        );
        self.rows(&sql, values![account, since.0]).await?.iter().map(read).collect()
    }

    /// Whether a session has asked to see the guests of an order in clear.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn has_revealed(&self, session: &str, order: &OrderId) -> Result<bool, StoreError> {
        let sql = "SELECT at_ms FROM session_reveal WHERE session_id = ? AND order_id = ?";
        Ok(self.row(sql, values![session, order.as_str()]).await?.is_some())
    }
}

impl Tx {
    /// Begins a session.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when its id or token is known.
    pub async fn begin_session(&self, new: &NewSession) -> Result<(), StoreError> {
        let sql = "INSERT INTO session (token_hash, id, account_id, created_ms, seen_ms, factor_ms, address, agent) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let row = values![
            token_hash(&new.token),
            new.id.as_str(),
            new.account.as_str(),
            new.created_at.0,
            new.seen_at.0,
            new.factor_at.map(|at| at.0),
            cut(&new.address, 64),
            cut(&new.agent, 200),
        ];
        self.execute(sql, row).await.map(drop)
    }

    /// Gives a session another token, as after its second factor; `false` when it has ended meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn pass_factor(&self, session: &str, token: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let sql = "UPDATE session SET token_hash = ?, factor_ms = ?, seen_ms = ? WHERE id = ? AND ended_ms IS NULL";
        Ok(self.execute(sql, values![token_hash(token), now.0, now.0, session]).await? == 1)
    }

    /// Notes that a session was used, if that was not noted for `every`.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn see_session(&self, session: &str, every: Millis, now: UnixMillis) -> Result<(), StoreError> {
        let sql = "UPDATE session SET seen_ms = ? WHERE id = ? AND seen_ms < ?";
        self.execute(sql, values![now.0, session, (now - every).0]).await.map(drop)
    }

    /// Ends a session of somebody; `false` when he has no such one that goes on.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn end_session(&self, account: &str, session: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let sql = "UPDATE session SET ended_ms = ? WHERE id = ? AND account_id = ? AND ended_ms IS NULL";
        Ok(self.execute(sql, values![now.0, session, account]).await? == 1)
    }

    /// Ends every session of somebody but this one; how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn end_other_sessions(&self, account: &str, but: &str, now: UnixMillis) -> Result<u64, StoreError> {
        let sql = "UPDATE session SET ended_ms = ? WHERE account_id = ? AND id <> ? AND ended_ms IS NULL";
        self.execute(sql, values![now.0, account, but]).await
    }

    /// Ends every session of somebody; how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn end_sessions(&self, account: &str, now: UnixMillis) -> Result<u64, StoreError> {
        let sql = "UPDATE session SET ended_ms = ? WHERE account_id = ? AND ended_ms IS NULL";
        self.execute(sql, values![now.0, account]).await
    }

    /// Notes that a session has asked to see the guests of an order in clear.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn note_revealed(&self, session: &str, order: &OrderId, now: UnixMillis) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO session_reveal (session_id, order_id, at_ms) VALUES (?, ?, ?){}",
            self.dialect().unless_exists("order_id")
        );
        self.execute(&sql, values![session, order.as_str(), now.0]).await.map(drop)
    }

    /// Forgets sessions that began before `before`, and what they have seen; how many rows.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_sessions(&self, before: UnixMillis) -> Result<u64, StoreError> {
        let looks = self.execute("DELETE FROM session_reveal WHERE at_ms < ?", values![before.0]).await?;
        Ok(looks + self.execute("DELETE FROM session WHERE created_ms < ?", values![before.0]).await?)
    }
}
