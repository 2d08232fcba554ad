// SPDX-License-Identifier: Apache-2.0

//! Acts of ops under an `Idempotency-Key`: a repeat gets the same answer.

use ticketbridge_core::UnixMillis;

use crate::connect::Store;
use crate::dialect::{Query, get, get_count, values};
use crate::error::StoreError;
use crate::tx::Tx;

/// An act that was carried out under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAct {
    /// Hash of what was asked; another one under the same key is a mistake of the caller.
    pub request_hash: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Body of the answer.
    pub body: Vec<u8>,
}

impl Tx {
    /// Keeps the answer to an act, sealed. `key_hash` is 64 hex digits over the caller and the key.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the key was used meanwhile.
    pub async fn put_act(&self, key_hash: &str, act: &KnownAct, now: UnixMillis) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO idempotency (key_hash, request_hash, status, body, at_ms) VALUES (?, ?, ?, ?, ?)",
            values![
                key_hash,
                act.request_hash.as_str(),
                i64::from(act.status),
                self.sealer().seal(&body_row(key_hash), &act.body),
                now.0,
            ],
        )
        .await?;
        Ok(())
    }

    /// Forgets acts from before `before`; how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_acts(&self, before: UnixMillis) -> Result<u64, StoreError> {
        self.execute("DELETE FROM idempotency WHERE at_ms < ?", values![before.0]).await
    }

    /// The act under a key.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn known_act(&self, key_hash: &str) -> Result<Option<KnownAct>, StoreError> {
        known_act(self, key_hash).await
    }
}

impl Store {
    /// The act under a key.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn known_act(&self, key_hash: &str) -> Result<Option<KnownAct>, StoreError> {
        known_act(self, key_hash).await
    }
}

async fn known_act(query: &impl Query, key_hash: &str) -> Result<Option<KnownAct>, StoreError> {
    let sql = "SELECT request_hash, status, body FROM idempotency WHERE key_hash = ?";
    let Some(row) = query.row(sql, values![key_hash]).await? else { return Ok(None) };
    Ok(Some(KnownAct {
        request_hash: get(&row, "request_hash")?,
        status: get_count(&row, "status")?,
        body: query.sealer().open(&body_row(key_hash), &get::<String>(&row, "body")?)?,
    }))
}

fn body_row(key_hash: &str) -> String {
    format!("idempotency/{key_hash}")
}
