// SPDX-License-Identifier: Apache-2.0

//! What an older version kept in clear: what partners write, in events, deliveries and numbers. Sealed or hashed once, when a newer
//! version first opens the database.

use sea_orm::{QueryResult, Value};
use ticketbridge_core::{OrderId, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, get, get_count, values, whole};
use crate::documents::{KeptEvent, seal_kept};
use crate::error::StoreError;
use crate::jobs::effect_row;
use crate::refs::REFERENCE;
use crate::tx::Tx;

/// Rows of one transaction.
const BATCH_MAX: i64 = 200;
/// The name under which it is noted that this was done.
const SEALED: &str = "seal_partner_text";
/// Columns of numbers that partners choose, with their tables' keys. What is searched by is a keyed hash.
const NUMBERS: [[&str; 3]; 3] = [
    ["order_ref", "ref_hash", "reference"],
    ["orders", "id", "channel_order_id"],
    ["refund_case", "id", "channel_ref"],
];

/// Where a look through a table has come to: its key.
type Place = (String, i64);

impl Store {
    /// Seals what an older version kept in clear, unless that was done.
    ///
    /// # Errors
    /// Store errors.
    pub async fn seal_what_was_clear(&self, now: UnixMillis) -> Result<(), StoreError> {
        if self.is_done_once(SEALED).await? {
            return Ok(());
        }
        for what in 0..2 + NUMBERS.len() {
            let mut after: Option<Place> = Some((String::new(), 0));
            while let Some(place) = after {
                after = self
                    .write("seal_partner_text", move |tx: &Tx| {
                        let place = place.clone();
                        Box::pin(async move {
                            match what {
                                0 => tx.seal_old_events(&place).await,
                                1 => tx.seal_old_effects(&place).await,
                                table => tx.hash_old_numbers(NUMBERS[table - 2], &place).await,
                            }
                        })
                    })
                    .await?;
            }
        }
        self.write("seal_partner_text", move |tx: &Tx| Box::pin(async move { tx.note_done_once(SEALED, now).await }))
            .await
    }
}

impl Tx {
    async fn seal_old_events(&self, (order, seq): &Place) -> Result<Option<Place>, StoreError> {
        let sql = "SELECT order_id, seq, reason, body FROM order_event \
                   WHERE order_id >= ? AND (order_id > ? OR seq > ?) ORDER BY order_id, seq LIMIT ?";
        let rows = self.rows(sql, values![order.as_str(), order.as_str(), *seq, BATCH_MAX]).await?;
        let mut last = None;
        for row in &rows {
            let (order, seq) = (OrderId(get(row, "order_id")?), get_count::<u64>(row, "seq")?);
            last = Some((order.0.clone(), get::<i64>(row, "seq")?));
            let body: String = get(row, "body")?;
            if body.starts_with('{') {
                let kept =
                    KeptEvent { reason: get(row, "reason")?, event: serde_json::from_str::<serde_json::Value>(&body)? };
                let sealed = seal_kept(self.sealer(), &order, seq, &kept)?;
                let sql = "UPDATE order_event SET reason = NULL, body = ? WHERE order_id = ? AND seq = ?";
                self.execute(sql, values![sealed, order.as_str(), whole(seq)]).await?;
            }
        }
        Ok(last.filter(|_| is_full(&rows)))
    }

    async fn seal_old_effects(&self, (id, _): &Place) -> Result<Option<Place>, StoreError> {
        let rows =
            self.rows("SELECT id, effect FROM job WHERE id > ? ORDER BY id LIMIT ?", values![id.as_str(), BATCH_MAX]);
        let rows = rows.await?;
        let mut last = None;
        for row in &rows {
            let (id, effect): (String, String) = (get(row, "id")?, get(row, "effect")?);
            if effect.starts_with('{') {
                let sealed = self.sealer().seal(&effect_row(&id), effect.as_bytes());
                self.execute("UPDATE job SET effect = ? WHERE id = ?", values![sealed, id.as_str()]).await?;
            }
            last = Some((id, 0));
        }
        Ok(last.filter(|_| is_full(&rows)))
    }

    async fn hash_old_numbers(
        &self,
        [table, key, column]: [&'static str; 3],
        (at, _): &Place,
    ) -> Result<Option<Place>, StoreError> {
        let sql =
            format!("SELECT {key} AS row_key, {column} AS number FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?");
        let rows = self.rows(&sql, values![at.as_str(), BATCH_MAX]).await?;
        let mut last = None;
        for row in &rows {
            let (at, number): (String, String) = (get(row, "row_key")?, get(row, "number")?);
            if !is_hash(&number) {
                let all: Vec<Value> = values![self.sealer().keyed_hash(REFERENCE, &number), at.as_str()];
                self.execute(&format!("UPDATE {table} SET {column} = ? WHERE {key} = ?"), all).await?;
            }
            last = Some((at, 0));
        }
        Ok(last.filter(|_| is_full(&rows)))
    }
}

fn is_full(rows: &[QueryResult]) -> bool {
    i64::try_from(rows.len()).is_ok_and(|many| many == BATCH_MAX)
}

/// Hashed before a crash, or by this version: a hash is not hashed again.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
