// SPDX-License-Identifier: Apache-2.0

//! Until when settle units have been settled. A line that came later is unsettled.

use ticketbridge_core::UnixMillis;

use crate::connect::Store;
use crate::dialect::{Query, get, get_count, values};
use crate::error::StoreError;
use crate::tx::Tx;

impl Store {
    /// Until when a settle unit has been settled; lines at this time or later are not.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn settled_until(&self, settle_id: &str) -> Result<Option<UnixMillis>, StoreError> {
        let sql = "SELECT until_ms FROM settled WHERE settle_id = ? ORDER BY until_ms DESC LIMIT 1";
        self.row(sql, values![settle_id]).await?.map(|row| get(&row, "until_ms").map(UnixMillis)).transpose()
    }

    /// Whether any line stands under this name.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn has_lines(&self, settle_id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT order_id FROM statement_line WHERE settle_id = ? LIMIT 1";
        Ok(self.row(sql, values![settle_id]).await?.is_some())
    }

    /// How many lines of a settle unit have not been settled.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn unsettled_lines(&self, settle_id: &str) -> Result<u64, StoreError> {
        let from = self.settled_until(settle_id).await?.unwrap_or(UnixMillis(i64::MIN));
        let sql = "SELECT COUNT(*) AS many FROM statement_line WHERE settle_id = ? AND at_ms >= ?";
        let row = self.row(sql, values![settle_id, from.0]).await?;
        row.map_or(Ok(0), |row| get_count(&row, "many"))
    }
}

impl Tx {
    /// Settles everything of a unit before `until`; `false` when as much or more was settled before.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn settle_until(
        &self,
        settle_id: &str,
        until: UnixMillis,
        by: &str,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let known = "SELECT until_ms FROM settled WHERE settle_id = ? AND until_ms >= ? LIMIT 1";
        if self.row(known, values![settle_id, until.0]).await?.is_some() {
            return Ok(false);
        }
        let sql = "INSERT INTO settled (settle_id, until_ms, settled_by, at_ms) VALUES (?, ?, ?, ?)";
        self.execute(sql, values![settle_id, until.0, by, now.0]).await?;
        Ok(true)
    }
}
