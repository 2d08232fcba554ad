// SPDX-License-Identifier: Apache-2.0

//! Work that is done once for data which is older than the version at hand.

use ticketbridge_core::UnixMillis;

use crate::connect::Store;
use crate::dialect::{Query, get, values};
use crate::error::StoreError;
use crate::tx::Tx;

impl Store {
    /// Whether the work of this name was done.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn is_done_once(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.done_at(name).await?.is_some())
    }

    /// When the work of this name was done.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn done_at(&self, name: &str) -> Result<Option<UnixMillis>, StoreError> {
        let row = self.row("SELECT at_ms FROM done_once WHERE name = ?", values![name]).await?;
        row.map(|row| get(&row, "at_ms").map(UnixMillis)).transpose()
    }
}

impl Tx {
    /// Notes that the work of this name was done.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn note_done_once(&self, name: &str, now: UnixMillis) -> Result<(), StoreError> {
        let sql = format!("INSERT INTO done_once (name, at_ms) VALUES (?, ?){}", self.dialect().unless_exists("name"));
        self.execute(&sql, values![name, now.0]).await?;
        Ok(())
    }
}
