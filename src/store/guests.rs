// SPDX-License-Identifier: Apache-2.0

//! Where guests' data is: which orders know a phone, and which orders have been over for long enough to forget their guests.

use sea_orm::Value;
use ticketbridge_core::message::Effect;
use ticketbridge_core::personal::in_clear;
use ticketbridge_core::quoted::Guests;
use ticketbridge_core::{OrderId, UnixMillis};

use crate::buffer::GUEST_REF;
use crate::connect::Store;
use crate::dialect::{Query, get, marks, values, whole};
use crate::documents::{KeptEvent, read_event, seal_kept};
use crate::error::StoreError;
use crate::inbox::answer_row;
use crate::jobs::{effect_row, read_effect};
use crate::places::ORDERS_OVER;
use crate::tx::Tx;

impl Tx {
    /// Has an order found by these keyed hashes: of the phones that it knows, and of the name that its reseller gives it.
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

    /// Notes that an order's guests are to be erased as soon as it is over, and who asked for it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn wish_erasure(&self, order: &OrderId, asked_by: &str, now: UnixMillis) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO erasure_wish (order_id, asked_by, at_ms) VALUES (?, ?, ?){}",
            self.dialect().unless_exists("order_id")
        );
        self.execute(&sql, values![order.as_str(), asked_by, now.0]).await.map(drop)
    }

    /// Removes what is kept beside an order whose guests were erased: the hashes of their phones, released claims, the bodies
    /// of messages about it, the answers to the calls of these names, and what anybody has written of `named` in the order's history,
    /// deliveries, calls and answers. Hashes that a purchase limit still counts stay.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn forget_guests(
        &self,
        order: &OrderId,
        named: &Guests,
        calls: &[&str],
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let id = order.as_str();
        self.forget_in_events(order, named).await?;
        self.forget_in_deliveries(order, named).await?;
        self.forget_in_calls(order, named).await?;
        self.forget_in_messages(order, named).await?;
        self.execute("DELETE FROM guest_ref WHERE order_id = ?", values![id]).await?;
        self.execute("DELETE FROM guest_claim WHERE order_id = ? AND live = 0", values![id]).await?;
        self.execute("UPDATE inbox SET body = NULL WHERE order_id = ?", values![id]).await?;
        if !calls.is_empty() {
            let mut all = values![id];
            all.extend(calls.iter().map(|call| Value::from(*call)));
            let sql =
                format!("UPDATE inbox SET answer = NULL WHERE order_id = ? AND call_name IN ({})", marks(calls.len()));
            self.execute(&sql, all).await?;
        }
        self.execute("DELETE FROM erasure_wish WHERE order_id = ?", values![id]).await?;
        let sql = format!(
            "INSERT INTO guest_erasure (order_id, at_ms) VALUES (?, ?){}",
            self.dialect().unless_exists("order_id")
        );
        self.execute(&sql, values![id, now.0]).await?;
        Ok(())
    }
}

/// What is written of guests, in places that are not theirs.
impl Tx {
    async fn forget_in_events(&self, order: &OrderId, named: &Guests) -> Result<(), StoreError> {
        let sql = "SELECT order_id, seq, id, at_ms, kind, actor_kind, actor_name, reason, body FROM order_event \
                   WHERE order_id = ? ORDER BY seq";
        for row in &self.rows(sql, values![order.as_str()]).await? {
            let known = read_event(self.sealer(), row)?;
            let mut kept = KeptEvent { reason: known.reason.clone(), event: known.data.clone() };
            kept.reason = kept.reason.map(|reason| named.id(&reason).into());
            named.forget(&mut kept.event);
            if kept.event != known.data || kept.reason != known.reason {
                let sealed = seal_kept(self.sealer(), order, known.seq, &kept)?;
                let sql = "UPDATE order_event SET reason = NULL, body = ? WHERE order_id = ? AND seq = ?";
                self.execute(sql, values![sealed, order.as_str(), whole(known.seq)]).await?;
            }
        }
        Ok(())
    }

    async fn forget_in_deliveries(&self, order: &OrderId, named: &Guests) -> Result<(), StoreError> {
        let sql = "SELECT id, effect, last_error FROM job WHERE order_id = ?";
        for row in &self.rows(sql, values![order.as_str()]).await? {
            let (id, kept): (String, String) = (get(row, "id")?, get(row, "effect")?);
            let error: Option<String> = get(row, "last_error")?;
            let known = read_effect(self.sealer(), &id, &kept)?;
            // A cipher stands for a guest, and cannot be masked.
            let is_cipher = matches!(known, Effect::CompareGuests { .. });
            let without = Effect::CompareGuests { call: String::new(), first: Vec::new(), again: Vec::new() };
            let mut effect = in_clear(|| serde_json::to_value(if is_cipher { &without } else { &known }))?;
            let known = in_clear(|| serde_json::to_value(&known))?;
            named.forget(&mut effect);
            let masked = error.as_deref().map(|error| named.id(error).to_string());
            if effect != known || masked != error {
                let sealed = self.sealer().seal(&effect_row(&id), &serde_json::to_vec(&effect)?);
                let sql = "UPDATE job SET effect = ?, last_error = ? WHERE id = ?";
                self.execute(sql, values![sealed, masked, id.as_str()]).await?;
            }
        }
        Ok(())
    }

    async fn forget_in_calls(&self, order: &OrderId, named: &Guests) -> Result<(), StoreError> {
        let sql = "SELECT id, summary FROM call_log WHERE order_id = ?";
        for row in &self.rows(sql, values![order.as_str()]).await? {
            let (id, summary): (String, String) = (get(row, "id")?, get(row, "summary")?);
            let masked = named.id(&summary);
            if masked.as_str() != summary {
                let sql = "UPDATE call_log SET summary = ? WHERE id = ?";
                self.execute(sql, values![masked.as_str(), id]).await?;
            }
        }
        Ok(())
    }

    /// An answer repeats what its question said; the number of a message may be anything.
    async fn forget_in_messages(&self, order: &OrderId, named: &Guests) -> Result<(), StoreError> {
        let sql = "SELECT id, msg_key, answer FROM inbox WHERE order_id = ?";
        for row in &self.rows(sql, values![order.as_str()]).await? {
            let (id, key): (String, String) = (get(row, "id")?, get(row, "msg_key")?);
            let sealed: Option<String> = get(row, "answer")?;
            let masked = named.code(&key);
            let answer = sealed.as_deref().map(|sealed| self.without_named(&id, sealed, named)).transpose()?;
            if masked.as_str() != key || answer != sealed {
                let sql = "UPDATE inbox SET msg_key = ?, answer = ? WHERE id = ?";
                self.execute(sql, values![masked.as_str(), answer, id]).await?;
            }
        }
        Ok(())
    }

    fn without_named(&self, inbox_id: &str, sealed: &str, named: &Guests) -> Result<String, StoreError> {
        let row = answer_row(inbox_id);
        let body = self.sealer().open(&row, sealed)?;
        let Ok(known) = serde_json::from_slice::<serde_json::Value>(&body) else { return Ok(sealed.to_owned()) };
        let mut said = known.clone();
        named.forget(&mut said);
        if said == known { Ok(sealed.to_owned()) } else { Ok(self.sealer().seal(&row, &serde_json::to_vec(&said)?)) }
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

    /// Orders that are over and whose guests asked to be forgotten, with who noted it; `limit` at most, those after `after` in the
    /// order of their ids.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn wished_erasures(&self, after: &str, limit: u32) -> Result<Vec<(OrderId, String)>, StoreError> {
        let sql = "SELECT w.order_id, w.asked_by FROM erasure_wish w JOIN orders o ON o.id = w.order_id \
                   WHERE o.state IN ('completed', 'cancelled') AND w.order_id > ? ORDER BY w.order_id LIMIT ?";
        let rows = self.rows(sql, values![after, i64::from(limit)]).await?;
        rows.iter().map(|row| Ok((OrderId(get(row, "order_id")?), get(row, "asked_by")?))).collect()
    }

    /// Orders that may know their guests, whatever became of them; `limit` at most, those after `after` in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn orders_with_guests(&self, after: &str, limit: u32) -> Result<Vec<OrderId>, StoreError> {
        let part = |table: &str| {
            format!(
                "SELECT o.id FROM {table} o LEFT JOIN guest_erasure e ON e.order_id = o.id \
                 WHERE o.id > ? AND e.order_id IS NULL ORDER BY o.id LIMIT ?"
            )
        };
        self.ids_in_either(part, values![after, i64::from(limit)], limit).await
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
        let part = |table: &str| {
            format!(
                "SELECT o.id FROM {table} o LEFT JOIN guest_erasure e ON e.order_id = o.id \
                 LEFT JOIN order_end n ON n.order_id = o.id \
                 WHERE o.state IN ('completed', 'cancelled') AND COALESCE(n.ended_ms, o.updated_ms) < ? AND o.id > ? \
                 AND e.order_id IS NULL ORDER BY o.id LIMIT ?"
            )
        };
        self.ids_in_either(part, values![before.0, after, i64::from(limit)], limit).await
    }

    /// The first ids of what `part` finds among the orders and among those that were put away.
    async fn ids_in_either(
        &self,
        part: impl Fn(&str) -> String,
        one: Vec<Value>,
        limit: u32,
    ) -> Result<Vec<OrderId>, StoreError> {
        let sql = format!(
            "SELECT * FROM ({}) hot UNION ALL SELECT * FROM ({}) old ORDER BY id LIMIT ?",
            part("orders"),
            part(ORDERS_OVER)
        );
        let mut all = one.clone();
        all.extend(one);
        all.push(i64::from(limit).into());
        self.rows(&sql, all).await?.iter().map(|row| get(row, "id").map(OrderId)).collect()
    }
}
