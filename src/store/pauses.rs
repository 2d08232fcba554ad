// SPDX-License-Identifier: Apache-2.0

//! Partners whose deliveries wait.

use ticketbridge_core::UnixMillis;

use crate::connect::Store;
use crate::dialect::{Query, flag, get, values};
use crate::error::StoreError;
use crate::tx::Tx;

impl Tx {
    /// Holds back the deliveries to `partner`, a destination of the outbox.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn pause(&self, partner: &str, by: &str, now: UnixMillis) -> Result<(), StoreError> {
        self.set_pause(partner, flag(true), by, now).await
    }

    /// Lets them go again.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn resume(&self, partner: &str, by: &str, now: UnixMillis) -> Result<(), StoreError> {
        self.set_pause(partner, flag(false), by, now).await
    }

    async fn set_pause(&self, partner: &str, paused: i16, by: &str, now: UnixMillis) -> Result<(), StoreError> {
        let make = format!(
            "INSERT INTO partner_pause (partner, paused, changed_by, changed_ms) VALUES (?, 0, '', 0){}",
            self.dialect().unless_exists("partner")
        );
        self.execute(&make, values![partner]).await?;
        self.execute(
            "UPDATE partner_pause SET paused = ?, changed_by = ?, changed_ms = ? WHERE partner = ?",
            values![paused, by, now.0, partner],
        )
        .await?;
        Ok(())
    }
}

impl Tx {
    /// Lets every partner go that `by` holds back; how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn resume_all(&self, by: &str, now: UnixMillis) -> Result<u64, StoreError> {
        let sql = "UPDATE partner_pause SET paused = 0, changed_ms = ? WHERE paused = 1 AND changed_by = ?";
        self.execute(sql, values![now.0, by]).await
    }
}

impl Store {
    /// The partners that are paused.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn paused(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.rows("SELECT partner FROM partner_pause WHERE paused = 1 ORDER BY partner", values![]).await?;
        rows.iter().map(|row| get(row, "partner")).collect()
    }
}
