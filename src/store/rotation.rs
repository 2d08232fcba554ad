//! Rotating the data key: everything sealed with an older key is sealed anew with the current one, in batches, while the service runs.

use sea_orm::Value;

use crate::connect::Store;
use crate::dialect::{Query, get, get_count, marks, values};
use crate::error::StoreError;
use crate::tx::Tx;

/// A column that holds sealed text.
#[derive(Clone, Copy, Debug)]
pub struct SealedColumn {
    table: &'static str,
    column: &'static str,
    /// The columns of the table's primary key, all of them text.
    key: &'static [&'static str],
    /// What comes before the key in the name of the row.
    row: &'static str,
}

impl SealedColumn {
    /// `table.column`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }

    /// Every one there is; a test looks into all tables for others.
    pub const ALL: &'static [SealedColumn] = &[
        SealedColumn { table: "secret", column: "sealed", key: &["name"], row: "secret" },
        SealedColumn { table: "orders", column: "document", key: &["id"], row: "orders" },
        SealedColumn { table: "order_ref", column: "remembered", key: &["ref_hash"], row: "order_ref" },
        SealedColumn { table: "inbox", column: "body", key: &["id"], row: "inbox.body" },
        SealedColumn { table: "inbox", column: "answer", key: &["id"], row: "inbox.answer" },
        SealedColumn { table: "code", column: "code", key: &["pool", "code_hash"], row: "code" },
        SealedColumn { table: "idempotency", column: "body", key: &["key_hash"], row: "idempotency" },
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
        let SealedColumn { table, column: name, key, row } = *column;
        let keys = key.join(", ");
        let mut all = values![self.sealer().current_like()];
        let beyond = match after {
            Some(after) => {
                all.extend(after.iter().map(|part| Value::from(part.as_str())));
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
            let at: Vec<String> = key.iter().map(|part| get(found, part)).collect::<Result<_, _>>()?;
            let (old, place): (String, String) = (get(found, "sealed")?, format!("{row}/{}", at.join("/")));
            let new = self.sealer().seal(&place, &self.sealer().open(&place, &old)?);
            let wanted: Vec<String> = key.iter().map(|part| format!("{part} = ?")).collect();
            let mut all = values![new];
            all.extend(at.iter().map(|part| Value::from(part.as_str())));
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
