// SPDX-License-Identifier: Apache-2.0

//! Orders that have been over for long leave the tables that every message works on, and their deadlines with them: what is written for
//! each message, and what is read for each look, does not grow with history.
//!
//! Whoever asks for an order finds it in either place, in one statement. Whoever locks an order brings it back first, so a late message,
//! an erasure or an act of ops is carried out like any other; housekeeping puts it away again when nothing has happened to it for long.
//! What is found by an order's id alone (history, numbers, calls, deliveries, lines of statements) stays where it is. How many were put
//! away is counted beside them, so that nobody has to count the archive.

use std::collections::BTreeMap;

use sea_orm::Value;
use ticketbridge_core::{OrderId, UnixMillis};

use crate::connect::Store;
use crate::deadlines;
use crate::dialect::{Query, get, get_count, marks, values};
use crate::documents::document_row;
use crate::error::StoreError;
use crate::places::{DEADLINES_OVER, ORDERS_OVER};
use crate::tx::Tx;

/// Orders that are looked through at a time.
const WINDOW: i64 = 500;

/// All columns of an order.
pub(crate) const ORDER_COLUMNS: &str = "id, channel, channel_order_id, ref_hash, kind, state, cancel_reason, booking_state, ticketing_state, \
    payment_state, refund_state, attention, product, quantity, visit_date, currency, total, version, created_ms, updated_ms, document";

/// What is over for good, as far as anybody here knows: nobody is to decide, to do or to look at anything.
const OVER: &str = "updated_ms < ? AND state IN ('completed', 'cancelled') AND attention IS NULL \
    AND (booking_state IS NULL OR booking_state IN ('used', 'no_show', 'rejected', 'cancelled')) \
    AND (ticketing_state IS NULL OR ticketing_state NOT IN ('queued', 'requested', 'unknown', 'cancelling')) \
    AND payment_state NOT IN ('refund_pending', 'refund_failed') \
    AND (refund_state IS NULL OR refund_state IN ('settled', 'rejected', 'withdrawn')) \
    AND NOT EXISTS (SELECT 1 FROM job WHERE job.order_id = orders.id AND job.state IN ('pending', 'dead')) \
    AND NOT EXISTS (SELECT 1 FROM deadline WHERE deadline.order_id = orders.id AND deadline.state = 'armed') \
    AND NOT EXISTS (SELECT 1 FROM erasure_wish WHERE erasure_wish.order_id = orders.id)";

/// How far one round came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// Orders that were put away.
    pub orders: u64,
    /// The id after which to go on; `None` when the end was reached.
    pub after: Option<String>,
}

impl Store {
    /// Puts orders away that are over and have not changed since `before`, some of those after the id `after`.
    ///
    /// # Errors
    /// Store errors.
    pub async fn archive_orders(&self, before: UnixMillis, after: &str) -> Result<Archived, StoreError> {
        let window = "SELECT id FROM orders WHERE id > ? ORDER BY id LIMIT ?";
        let rows = self.rows(window, values![after, WINDOW]).await?;
        let Some(last) = rows.last().map(|row| get::<String>(row, "id")).transpose()? else {
            return Ok(Archived::default());
        };
        let is_last = i64::try_from(rows.len()).is_ok_and(|many| many < WINDOW);
        let (from, to) = (after.to_owned(), last.clone());
        let look = format!("SELECT id FROM orders WHERE id > ? AND id <= ? AND {OVER} LIMIT 1");
        let orders = match self.row(&look, values![after, last.as_str(), before.0]).await? {
            None => 0,
            Some(_) => {
                self.write("archive", move |tx: &Tx| {
                    let (from, to) = (from.clone(), to.clone());
                    Box::pin(async move { tx.put_away(before, &from, &to).await })
                })
                .await?
            }
        };
        Ok(Archived { orders, after: (!is_last).then_some(last) })
    }

    /// How many orders, or deadlines, were put away, by what was counted: `orders/completed`, `deadlines/review/passed`.
    pub(crate) async fn archived(&self, of: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT name, many FROM archived WHERE name LIKE ? AND many > 0 ORDER BY name";
        let rows = self.rows(sql, values![format!("{of}/%")]).await?;
        let read = |row: &sea_orm::QueryResult| -> Result<(String, u64), StoreError> {
            let name: String = get(row, "name")?;
            Ok((name[of.len() + 1..].to_owned(), get_count(row, "many")?))
        };
        rows.iter().map(read).collect()
    }
}

impl Tx {
    async fn put_away(&self, before: UnixMillis, from: &str, to: &str) -> Result<u64, StoreError> {
        let lock = self.dialect().for_update_skip_locked();
        // Held by somebody: not over, or next time.
        let sql = format!("SELECT id, state FROM orders WHERE id > ? AND id <= ? AND {OVER} ORDER BY id{lock}");
        let rows = self.rows(&sql, values![from, to, before.0]).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let ids: Vec<String> = rows.iter().map(|row| get(row, "id")).collect::<Result<_, _>>()?;
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for row in &rows {
            *counts.entry(format!("orders/{}", get::<String>(row, "state")?)).or_default() += 1;
        }
        self.count_deadlines("deadline", &ids, 1, &mut counts).await?;
        self.move_rows("deadline", DEADLINES_OVER, deadlines::KEPT_COLUMNS, "order_id", &ids).await?;
        self.move_rows("orders", ORDERS_OVER, ORDER_COLUMNS, "id", &ids).await?;
        self.note_archived(counts).await?;
        Ok(ids.len() as u64)
    }

    /// Brings an order back that was put away; whether there was one. It is sealed with the current key then: whoever goes through the
    /// tables to seal anew must not miss what moves meanwhile.
    pub(crate) async fn bring_back(&self, id: &OrderId) -> Result<bool, StoreError> {
        let lock = self.dialect().for_update();
        let sql = format!("SELECT id, state, document FROM {ORDERS_OVER} WHERE id = ?{lock}");
        let rows = self.rows(&sql, values![id.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let ids = [id.as_str().to_owned()];
        let mut counts = BTreeMap::from([(format!("orders/{}", get::<String>(row, "state")?), -1)]);
        self.count_deadlines(DEADLINES_OVER, &ids, -1, &mut counts).await?;
        self.move_rows(ORDERS_OVER, "orders", ORDER_COLUMNS, "id", &ids).await?;
        self.move_rows(DEADLINES_OVER, "deadline", deadlines::KEPT_COLUMNS, "order_id", &ids).await?;
        self.note_archived(counts).await?;
        let (name, document) = (document_row(id.as_str()), get::<String>(row, "document")?);
        let sealed = self.sealer().seal(&name, &self.sealer().open(&name, &document)?);
        self.execute("UPDATE orders SET document = ? WHERE id = ?", values![sealed, id.as_str()]).await?;
        tracing::info!(order = %id, "an order that was put away is needed again");
        Ok(true)
    }

    async fn move_rows(
        &self,
        from: &str,
        to: &str,
        columns: &str,
        key: &str,
        ids: &[String],
    ) -> Result<(), StoreError> {
        let (list, all) = (marks(ids.len()), || ids.iter().map(|id| Value::from(id.as_str())).collect::<Vec<_>>());
        let copy = format!("INSERT INTO {to} ({columns}) SELECT {columns} FROM {from} WHERE {key} IN ({list})");
        let copied = self.execute(&copy, all()).await?;
        let gone = self.execute(&format!("DELETE FROM {from} WHERE {key} IN ({list})"), all()).await?;
        if copied == gone { Ok(()) } else { Err(StoreError::Column("rows that move")) }
    }

    async fn count_deadlines(
        &self,
        table: &str,
        ids: &[String],
        each: i64,
        counts: &mut BTreeMap<String, i64>,
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT kind, state FROM {table} WHERE order_id IN ({})", marks(ids.len()));
        let all = ids.iter().map(|id| id.as_str().into()).collect();
        for row in &self.rows(&sql, all).await? {
            let name = format!("deadlines/{}/{}", get::<String>(row, "kind")?, get::<String>(row, "state")?);
            *counts.entry(name).or_default() += each;
        }
        Ok(())
    }

    async fn note_archived(&self, counts: BTreeMap<String, i64>) -> Result<(), StoreError> {
        let make = format!("INSERT INTO archived (name, many) VALUES (?, 0){}", self.dialect().unless_exists("name"));
        for (name, by) in counts {
            self.execute(&make, values![name.as_str()]).await?;
            self.execute("UPDATE archived SET many = many + ? WHERE name = ?", values![by, name]).await?;
        }
        Ok(())
    }
}
