//! Where guests' data is: which orders know a phone, and which orders have been over for long enough to forget their guests.

use ticketbridge_core::{OrderId, UnixMillis};

use crate::buffer::GUEST_REF;
use crate::connect::Store;
use crate::dialect::{Query, get, marks, values};
use crate::error::StoreError;
use crate::tx::Tx;

impl Tx {
    /// Notes that an order knows these phones, by their keyed hashes.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn note_guests(&self, order: &OrderId, hashes: &[String]) -> Result<(), StoreError> {
        for hash in hashes {
            self.keep(&GUEST_REF, values![hash.as_str(), order.as_str()])?;
        }
        Ok(())
    }

    /// Notes that an order has learnt of guests after its guests were erased: they are to be erased, too.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn note_known_again(&self, order: &OrderId) -> Result<(), StoreError> {
        self.execute("DELETE FROM guest_erasure WHERE order_id = ?", values![order.as_str()]).await.map(drop)
    }

    /// Removes what is kept beside an order whose guests were erased: the hashes of their phones, released claims, the bodies
    /// of messages about it, and the answers to the calls of these names. Hashes that a purchase limit still counts stay.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn forget_guests(&self, order: &OrderId, calls: &[&str], now: UnixMillis) -> Result<(), StoreError> {
        let id = order.as_str();
        self.execute("DELETE FROM guest_ref WHERE order_id = ?", values![id]).await?;
        self.execute("DELETE FROM guest_claim WHERE order_id = ? AND live = 0", values![id]).await?;
        self.execute("UPDATE inbox SET body = NULL WHERE order_id = ?", values![id]).await?;
        if !calls.is_empty() {
            let mut all = values![id];
            all.extend(calls.iter().map(|call| sea_orm::Value::from(*call)));
            let sql =
                format!("UPDATE inbox SET answer = NULL WHERE order_id = ? AND call_name IN ({})", marks(calls.len()));
            self.execute(&sql, all).await?;
        }
        let sql = format!(
            "INSERT INTO guest_erasure (order_id, at_ms) VALUES (?, ?){}",
            self.dialect().unless_exists("order_id")
        );
        self.execute(&sql, values![id, now.0]).await?;
        Ok(())
    }
}

impl Store {
    /// The orders that know a phone, by its keyed hash; oldest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn orders_of_guest(&self, hash: &str) -> Result<Vec<OrderId>, StoreError> {
        let sql = "SELECT order_id FROM guest_ref WHERE hash = ? ORDER BY order_id";
        let rows = self.rows(sql, values![hash]).await?;
        rows.iter().map(|row| get(row, "order_id").map(OrderId)).collect()
    }

    /// Orders that may know their guests, whatever became of them; `limit` at most, those after `after` in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn orders_with_guests(&self, after: &str, limit: u32) -> Result<Vec<OrderId>, StoreError> {
        let sql = "SELECT o.id FROM orders o LEFT JOIN guest_erasure e ON e.order_id = o.id \
                   WHERE o.id > ? AND e.order_id IS NULL ORDER BY o.id LIMIT ?";
        let rows = self.rows(sql, values![after, i64::from(limit)]).await?;
        rows.iter().map(|row| get(row, "id").map(OrderId)).collect()
    }

    /// Orders that came to their end before `before`, and still know their guests; `limit` at most, those after
    /// `after` in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn orders_to_forget(
        &self,
        before: UnixMillis,
        after: &str,
        limit: u32,
    ) -> Result<Vec<OrderId>, StoreError> {
        // Of orders from before ends were noted, the last change is known.
        let sql = "SELECT o.id FROM orders o LEFT JOIN guest_erasure e ON e.order_id = o.id \
                   LEFT JOIN order_end n ON n.order_id = o.id \
                   WHERE o.state IN ('completed', 'cancelled') AND COALESCE(n.ended_ms, o.updated_ms) < ? AND o.id > ? \
                   AND e.order_id IS NULL ORDER BY o.id LIMIT ?";
        let rows = self.rows(sql, values![before.0, after, i64::from(limit)]).await?;
        rows.iter().map(|row| get(row, "id").map(OrderId)).collect()
    }
}
