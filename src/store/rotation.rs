// SPDX-License-Identifier: Apache-2.0

//! Rotating the data key: everything sealed with an older key is sealed anew with the current one, in batches, while the service runs.

use sea_orm::{QueryResult, Value};

use crate::connect::Store;
use crate::dialect::{Query, get, get_count, marks, values};
use crate::error::StoreError;
use crate::tx::Tx;

/// A column that holds sealed text.
#[derive(Clone, Copy, Debug)]
pub struct SealedColumn {
    table: &'static str,
    column: &'static str,
    /// The columns of the table's primary key.
    key: &'static [&'static str],
    /// Those of them that are whole numbers; the others are text.
    whole: &'static [&'static str],
    /// What comes before the key in the name of the row.
    row: &'static str,
}

impl SealedColumn {
    /// `table.column`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }

    fn key_part(&self, row: &QueryResult, part: &'static str) -> Result<String, StoreError> {
        if self.whole.contains(&part) { get::<i64>(row, part).map(|whole| whole.to_string()) } else { get(row, part) }
    }

    fn key_values(&self, at: &[String]) -> Result<Vec<Value>, StoreError> {
        let parts = self.key.iter().zip(at);
        let values = parts.map(|(name, part)| match self.whole.contains(name) {
            true => part.parse::<i64>().map(Value::from).map_err(|_| StoreError::Column(name)),
            false => Ok(Value::from(part.as_str())),
        });
        values.collect()
    }

    /// Every one there is; a test looks into all tables for others.
    pub const ALL: &'static [SealedColumn] = &[
        SealedColumn { table: "secret", column: "sealed", key: &["name"], whole: &[], row: "secret" },
        SealedColumn { table: "orders", column: "document", key: &["id"], whole: &[], row: "orders" },
        // After the orders that are not put away: see `archive.rs`.
        SealedColumn { table: "order_archive", column: "document", key: &["id"], whole: &[], row: "orders" },
        SealedColumn { table: "order_ref", column: "remembered", key: &["ref_hash"], whole: &[], row: "order_ref" },
        SealedColumn { table: "inbox", column: "body", key: &["id"], whole: &[], row: "inbox.body" },
        SealedColumn { table: "inbox", column: "answer", key: &["id"], whole: &[], row: "inbox.answer" },
        SealedColumn { table: "code", column: "code", key: &["pool", "code_hash"], whole: &[], row: "code" },
        SealedColumn { table: "idempotency", column: "body", key: &["key_hash"], whole: &[], row: "idempotency" },
        SealedColumn {
            table: "order_event",
            column: "body",
            key: &["order_id", "seq"],
            whole: &["seq"],
            row: "order_event",
        },
        SealedColumn { table: "job", column: "effect", key: &["id"], whole: &[], row: "job" },
        SealedColumn { table: "tape", column: "sealed", key: &["id"], whole: &[], row: "tape" },
        SealedColumn { table: "account", column: "profile", key: &["id"], whole: &[], row: "account.profile" },
        SealedColumn { table: "account", column: "totp", key: &["id"], whole: &[], row: "account.totp" },
        SealedColumn {
            table: "partner_secrets",
            column: "sealed",
            key: &["connection", "fingerprint"],
            whole: &[],
            row: "partner_secrets",
        },
        SealedColumn { table: "passkey", column: "name", key: &["id"], whole: &[], row: "passkey.name" },
        SealedColumn { table: "passkey", column: "credential", key: &["id"], whole: &[], row: "passkey.credential" },
        SealedColumn {
            table: "passkey_challenge",
            column: "state",
            key: &["challenge_hash"],
            whole: &[],
            row: "passkey_challenge",
        },
        SealedColumn { table: "invitation", column: "email", key: &["id"], whole: &[], row: "invitation" },
        SealedColumn { table: "audit", column: "detail", key: &["id"], whole: &[], row: "audit" },
        SealedColumn { table: "bulk", column: "body", key: &["id"], whole: &[], row: "bulk" },
        SealedColumn {
            table: "bulk_item",
            column: "sentence",
            key: &["bulk_id", "place"],
            whole: &["place"],
            row: "bulk_item",
        },
    ];
}

/// How far one batch came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Rows that were sealed anew.
    pub rows: u64,
    /// The key after which to go on; `None` when the end was reached.
    pub after: Option<Vec<String>>,
}

impl Tx {
    /// Seals up to `limit` rows anew that are not under the current key, after the key `after`. Can be repeated at any time:
    /// what is done is passed over.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when a row is under a key that is not in the list; store errors.
    pub async fn reseal(
        &self,
        column: &SealedColumn,
        after: Option<&[String]>,
        limit: u32,
    ) -> Result<Resealed, StoreError> {
        let SealedColumn { table, column: name, key, row, .. } = *column;
        let keys = key.join(", ");
        let mut all = values![self.sealer().current_like()];
        let beyond = match after {
            Some(after) => {
                all.extend(column.key_values(after)?);
                format!(" AND ({keys}) > ({})", marks(key.len()))
            }
            None => String::new(),
        };
        all.push(i64::from(limit).into());
        let sql = format!(
            "SELECT {keys}, {name} AS sealed FROM {table} WHERE {name} IS NOT NULL AND {name} NOT LIKE ?{beyond} \
             ORDER BY {keys} LIMIT ?{}",
            self.dialect().for_update()
        );
        let found = self.rows(&sql, all).await?;
        let mut done = Resealed::default();
        for found in &found {
            let at: Vec<String> = key.iter().map(|part| column.key_part(found, part)).collect::<Result<_, _>>()?;
            let (old, place): (String, String) = (get(found, "sealed")?, format!("{row}/{}", at.join("/")));
            let new = self.sealer().seal(&place, &self.sealer().open(&place, &old)?);
            let wanted: Vec<String> = key.iter().map(|part| format!("{part} = ?")).collect();
            let mut all = values![new];
            all.extend(column.key_values(&at)?);
            all.push(old.into());
            let sql = format!("UPDATE {table} SET {name} = ? WHERE {} AND {name} = ?", wanted.join(" AND "));
            done.rows += self.execute(&sql, all).await?;
            done.after = Some(at);
        }
        if (found.len() as u64) < u64::from(limit) {
            done.after = None;
        }
        Ok(done)
    }
}

impl Store {
    /// Rows of a column that are not under the current key.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn under_old_keys(&self, column: &SealedColumn) -> Result<u64, StoreError> {
        let SealedColumn { table, column: name, .. } = *column;
        let sql = format!("SELECT COUNT(*) AS many FROM {table} WHERE {name} IS NOT NULL AND {name} NOT LIKE ?");
        let row = self.row(&sql, values![self.sealer().current_like()]).await?;
        row.map_or(Ok(0), |row| get_count(&row, "many"))
    }

    /// A column with text that could not be opened any more under `keys` alone; `None` when every key that is left out is done with.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn sealed_beyond(&self, keys: &[[u8; 32]]) -> Result<Option<&'static SealedColumn>, StoreError> {
        for like in self.sealer().like_without(keys) {
            for column in SealedColumn::ALL {
                let SealedColumn { table, column: name, .. } = *column;
                let sql = format!("SELECT 1 AS found FROM {table} WHERE {name} LIKE ? LIMIT 1");
                if self.row(&sql, values![like.as_str()]).await?.is_some() {
                    return Ok(Some(column));
                }
            }
        }
        Ok(None)
    }
}
