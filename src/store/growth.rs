// SPDX-License-Identifier: Apache-2.0

//! Which rows end, and by whom: a table that nobody ends grows until the disk is full. Each table of the schema has its rule here; a test
//! compares the list with the real schema.

use sea_orm::Value;
use ticketbridge_core::UnixMillis;

use crate::dialect::{Query, get, marks, values};
use crate::error::StoreError;
use crate::tx::Tx;

/// What bounds a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It grows with the orders, and is the record of them: kept for ever, a few rows for each.
    WithOrders,
    /// It grows with what partners send. What may hold guests' data in it goes with the retention of bodies; the key and the hash stay as
    /// long as their order, since by them a repeat is recognised. Housekeeping deletes what concerns no order.
    KeepsKeys,
    /// Housekeeping deletes its rows some time after their end.
    Purged,
    /// It has as many rows as the configuration has things.
    WithConfiguration,
    /// It grows with people and what they do, and is the record of it: kept for ever.
    WithPeople,
}

/// Every table, and what bounds it.
pub const TABLES: &[(&str, Growth)] = &[
    ("account", Growth::WithPeople),
    ("archived", Growth::WithConfiguration),
    ("audit", Growth::WithPeople),
    ("booking", Growth::WithOrders),
    ("bulk", Growth::Purged),
    ("bulk_item", Growth::Purged),
    ("call_log", Growth::Purged),
    ("code", Growth::WithOrders),
    ("code_pool", Growth::WithConfiguration),
    ("credit_account", Growth::WithConfiguration),
    ("credit_currency", Growth::WithConfiguration),
    ("credit_entry", Growth::WithOrders),
    ("deadline", Growth::WithOrders),
    ("deadline_archive", Growth::WithOrders),
    ("done_once", Growth::WithConfiguration),
    ("door", Growth::WithConfiguration),
    ("erasure_wish", Growth::Purged),
    ("guess", Growth::Purged),
    ("guest_claim", Growth::WithOrders),
    ("guest_erasure", Growth::WithOrders),
    ("guest_ref", Growth::WithOrders),
    ("held_code", Growth::WithOrders),
    ("idempotency", Growth::Purged),
    ("inbox", Growth::KeepsKeys),
    ("invitation", Growth::WithPeople),
    ("job", Growth::Purged),
    ("lease", Growth::WithConfiguration),
    ("listing", Growth::WithConfiguration),
    ("live_link", Growth::WithOrders),
    ("order_archive", Growth::WithOrders),
    ("order_end", Growth::WithOrders),
    ("order_event", Growth::WithOrders),
    ("order_ref", Growth::WithOrders),
    ("orders", Growth::WithOrders),
    ("partner_pause", Growth::WithConfiguration),
    ("partner_secrets", Growth::WithConfiguration),
    ("passkey", Growth::WithPeople),
    ("passkey_challenge", Growth::Purged),
    ("password_reset", Growth::WithPeople),
    ("recovery_code", Growth::WithPeople),
    ("refund_case", Growth::WithOrders),
    ("remembered", Growth::Purged),
    ("rule_set", Growth::WithOrders),
    ("secret", Growth::WithConfiguration),
    ("seaql_migrations", Growth::WithConfiguration),
    ("session", Growth::Purged),
    ("session_reveal", Growth::Purged),
    ("settled", Growth::WithPeople),
    ("statement_line", Growth::WithOrders),
    ("stock", Growth::WithConfiguration),
    ("tape", Growth::Purged),
];

impl Tx {
    /// Deletes records of calls from before `before`, `limit` at most; how many that were.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_calls(&self, before: UnixMillis, limit: u32) -> Result<u64, StoreError> {
        let sql = "SELECT id FROM call_log WHERE at_ms < ? ORDER BY at_ms LIMIT ?";
        self.delete_found("call_log", sql, values![before.0, i64::from(limit)]).await
    }

    /// Deletes deliveries that were made, taken out or not needed and were enqueued before `before`, `limit` at most; how many that were. Dead letters stay
    /// until somebody has looked at them.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_deliveries(&self, before: UnixMillis, limit: u32) -> Result<u64, StoreError> {
        let mut gone = 0;
        for state in ["delivered", "dropped", "not_needed"] {
            let sql = "SELECT id FROM job WHERE state = ? AND created_ms < ? ORDER BY created_ms LIMIT ?";
            let left = i64::from(limit).saturating_sub(i64::try_from(gone).unwrap_or(i64::MAX));
            gone += self.delete_found("job", sql, values![state, before.0, left.max(0)]).await?;
        }
        Ok(gone)
    }

    /// Deletes messages from before `before` that concern no order and wait for none, `limit` at most; how many those were. Nothing hangs on
    /// them: what they asked for was refused, told nothing, or could not be read.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_inbox_of_nobody(&self, before: UnixMillis, limit: u32) -> Result<u64, StoreError> {
        let sql = "SELECT id FROM inbox WHERE order_id IS NULL AND received_ms < ? AND verdict <> 'received' \
                   AND NOT EXISTS (SELECT 1 FROM remembered WHERE inbox_id = inbox.id) ORDER BY received_ms LIMIT ?";
        self.delete_found("inbox", sql, values![before.0, i64::from(limit)]).await
    }

    async fn delete_found(&self, table: &str, find: &str, all: Vec<Value>) -> Result<u64, StoreError> {
        let rows = self.rows(find, all).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let ids: Vec<Value> =
            rows.iter().map(|row| Ok(get::<String>(row, "id")?.into())).collect::<Result<_, StoreError>>()?;
        self.execute(&format!("DELETE FROM {table} WHERE id IN ({})", marks(ids.len())), ids).await
    }
}
