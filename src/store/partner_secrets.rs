// SPDX-License-Identifier: Apache-2.0

//! The secrets of partners whose changes take their time: those in force, and those that will be, sealed. Of a partner whose changes act at once
//! nothing is kept.

use sea_orm::QueryResult;
use serde_json::Value;
use ticketbridge_core::{Millis, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, get, values};
use crate::error::StoreError;
use crate::tx::Tx;

/// The secrets of a partner, with the time from which they hold.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretsRow {
    /// The channel or back-end.
    pub connection: String,
    /// What tells them from others without telling what they are.
    pub fingerprint: String,
    /// The settings that hold them, by name.
    pub values: Value,
    /// Time from a change of them until that takes effect.
    pub propagation: Millis,
    /// When they were saved.
    pub saved_at: UnixMillis,
    /// From when they hold.
    pub opens_at: UnixMillis,
}

fn row_name(connection: &str, fingerprint: &str) -> String {
    format!("partner_secrets/{connection}/{fingerprint}")
}

fn read(query: &impl Query, row: &QueryResult) -> Result<SecretsRow, StoreError> {
    let (connection, fingerprint): (String, String) = (get(row, "connection")?, get(row, "fingerprint")?);
    let sealed: String = get(row, "sealed")?;
    let values = query.sealer().open(&row_name(&connection, &fingerprint), &sealed)?;
    Ok(SecretsRow {
        values: serde_json::from_slice(&values)?,
        propagation: Millis(get(row, "propagation_ms")?),
        saved_at: UnixMillis(get(row, "saved_ms")?),
        opens_at: UnixMillis(get(row, "opens_ms")?),
        connection,
        fingerprint,
    })
}

async fn all(query: &impl Query, lock: &str) -> Result<Vec<SecretsRow>, StoreError> {
    let sql = format!(
        "SELECT connection, fingerprint, sealed, propagation_ms, saved_ms, opens_ms FROM partner_secrets \
         ORDER BY connection, opens_ms, fingerprint{lock}"
    );
    let rows = query.rows(&sql, values![]).await?;
    rows.iter().map(|row| read(query, row)).collect()
}

impl Store {
    /// All of them; those of a partner in the order in which they hold.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn partner_secrets(&self) -> Result<Vec<SecretsRow>, StoreError> {
        all(self, "").await
    }

    /// What tells the secrets of a partner from others, without telling what they are.
    pub fn fingerprint(&self, connection: &str, values: &Value) -> String {
        self.sealer().keyed_hash("partner_secrets", &format!("{connection}/{values}"))
    }
}

impl Tx {
    /// All of them, locked until the end of the transaction; those of a partner in the order in which they hold.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn lock_partner_secrets(&self) -> Result<Vec<SecretsRow>, StoreError> {
        all(self, self.dialect().for_update()).await
    }

    /// Keeps exactly these of a partner.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when another instance keeps some at the same moment: then it is run again.
    pub async fn put_partner_secrets(&self, connection: &str, rows: &[SecretsRow]) -> Result<(), StoreError> {
        self.execute("DELETE FROM partner_secrets WHERE connection = ?", values![connection]).await?;
        let sql = "INSERT INTO partner_secrets (connection, fingerprint, sealed, propagation_ms, saved_ms, opens_ms) \
                   VALUES (?, ?, ?, ?, ?, ?)";
        for row in rows {
            let sealed = self.sealer().seal(&row_name(connection, &row.fingerprint), &serde_json::to_vec(&row.values)?);
            let row = values![
                connection,
                row.fingerprint.as_str(),
                sealed,
                row.propagation.0,
                row.saved_at.0,
                row.opens_at.0,
            ];
            self.execute(sql, row).await?;
        }
        Ok(())
    }
}
