// SPDX-License-Identifier: Apache-2.0

//! Orders, their history, and the index rows that are kept beside them.

use std::collections::BTreeMap;

use sea_orm::{QueryResult, Value};
use ticketbridge_core::message::StockKey;
use ticketbridge_core::order::{Attention, Booking, OrderState, RefundCase};
use ticketbridge_core::personal::in_clear;
use ticketbridge_core::{BookingId, ChannelId, Date, EventRecord, Order, OrderId, RefundCaseId};

use crate::buffer::{BOOKING, ORDER_END, ORDER_EVENT, ORDERS, REFUND_CASE, Row, key_text};
use crate::connect::Store;
use crate::dialect::{Query, get, get_count, padded, read_word, text_of, values, whole, word};
use crate::documents::{EventRow, KeptEvent, document_row, documents, event_id, read_event, seal_kept};
use crate::error::StoreError;
use crate::keys::ref_hash;
use crate::places::in_either;
use crate::refs::REFERENCE;
use crate::rule_sets::{open_orders, with_rules};
use crate::seal::Sealer;
use crate::tx::Tx;

/// How often an order is looked for that others bring back and put away at the same time.
const MOVES_MAX: u32 = 8;

impl Tx {
    /// Loads an order and locks it until the end of the transaction.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn lock_order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        if let Some(known) = self.see(&ORDERS, &key_text(&[id.as_str()])) {
            return match known {
                Some(row) => self.open_order(id, &row).await.map(Some),
                None => Ok(None),
            };
        }
        self.check_late_hold(id.as_str())?;
        for _ in 0..MOVES_MAX {
            if let Some(order) = self.lock_stored(id).await? {
                return Ok(Some(order));
            }
            // It was put away; or somebody else has brought it back meanwhile, and it may be put away again at any moment.
            if self.bring_back(id).await? {
                return self.lock_stored(id).await;
            }
            let sql = in_either("id", "id = ?");
            if self.rows(&sql, values![id.as_str(), id.as_str()]).await?.is_empty() {
                return Ok(None);
            }
        }
        Err(StoreError::TryLater)
    }

    /// An order as this transaction sees it, not locked.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn look_at_order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        if let Some(Some(row)) = self.see(&ORDERS, &key_text(&[id.as_str()])) {
            return self.open_order(id, &row).await.map(Some);
        }
        let sql = in_either("id, document", "id = ?");
        let rows = self.rows_stored(&sql, values![id.as_str(), id.as_str()]).await?;
        Ok(read_orders(self, &rows).await?.pop())
    }

    async fn lock_stored(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        let sql = format!("SELECT id, document FROM orders WHERE id = ?{}", self.dialect().for_update());
        let rows = self.rows_stored(&sql, values![id.as_str()]).await?;
        let Some(order) = read_orders(self, &rows).await?.pop() else { return Ok(None) };
        self.note_order(order.clone(), get(&rows[0], "document")?);
        Ok(Some(order))
    }

    /// Notes an order as it was read, locked.
    pub(crate) fn note_order(&self, order: Order, document: String) {
        let row = row_of(&order, self.sealer(), document.clone());
        self.buffer().note_read_row(&ORDERS, row);
        self.opened().0.insert(order.id.clone(), (document, order));
    }

    /// The order of a row that was read, made or changed here; opened once.
    async fn open_order(&self, id: &OrderId, row: &[Value]) -> Result<Order, StoreError> {
        let Some(Value::String(Some(document))) = row.last() else { return Err(StoreError::Column("orders.document")) };
        if let Some((known, order)) = self.opened().0.get(id)
            && known == document
        {
            return Ok(order.clone());
        }
        let mut opened = open_orders(self, vec![(id.0.clone(), document.clone())]).await?;
        let order = opened.pop().ok_or(StoreError::Column("orders.document"))??;
        self.opened().0.insert(id.clone(), (document.clone(), order.clone()));
        Ok(order)
    }

    /// An order as this transaction leaves it, where it was opened or made here.
    pub(crate) fn order_at_hand(&self, id: &OrderId) -> Option<Order> {
        let row = self.see(&ORDERS, &key_text(&[id.as_str()]))??;
        let Some(Value::String(Some(document))) = row.last() else { return None };
        self.opened().0.get(id).filter(|(known, _)| known == document).map(|(_, order)| order.clone())
    }

    /// The row of an order as it is to be stored.
    fn sealed_row(&self, order: &Order) -> Result<Row, StoreError> {
        let document = self.write_with_rules(|| in_clear(|| serde_json::to_vec(order)))??;
        let sealed = self.sealer().seal(&document_row(order.id.as_str()), &document);
        self.opened().0.insert(order.id.clone(), (sealed.clone(), order.clone()));
        Ok(row_of(order, self.sealer(), sealed))
    }

    /// Adds a new order with its first events, and makes the channel's number stand for it.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the order, or the channel's number for it, is known already.
    pub async fn insert_order(&self, order: &Order, events: &[EventRecord]) -> Result<(), StoreError> {
        match self.bind_ref(&order.channel, &order.channel_order_id, &order.id, None).await {
            Err(StoreError::RefTaken { .. }) => return Err(self.duplicate()),
            bound => bound?,
        }
        self.keep(&ORDERS, self.sealed_row(order)?)?;
        self.save_index_rows(order, None)?;
        self.note_end(order)?;
        self.insert_events(&order.id, events)
    }

    /// Saves an order that was at `expected_version`, and appends what happened.
    ///
    /// # Errors
    /// [`StoreError::VersionConflict`] when it no longer is.
    pub async fn save_order(
        &self,
        order: &Order,
        expected_version: u64,
        events: &[EventRecord],
    ) -> Result<(), StoreError> {
        // It is locked, so what it was when it was read it still is when this is written.
        let known = self.lock_order(&order.id).await?.filter(|known| known.version == expected_version);
        let Some(known) = known else {
            return Err(StoreError::VersionConflict { order: order.id.clone(), expected: expected_version });
        };
        self.change(&ORDERS, self.sealed_row(order)?)?;
        self.save_index_rows(order, Some(&known))?;
        self.note_end(order)?;
        self.insert_events(&order.id, events)
    }

    /// Notes when an order came to its end, once: that is never taken back.
    fn note_end(&self, order: &Order) -> Result<(), StoreError> {
        if !matches!(order.state, OrderState::Completed | OrderState::Cancelled) {
            return Ok(());
        }
        self.keep(&ORDER_END, values![order.id.as_str(), order.updated_at.0])
    }

    fn insert_events(&self, order: &OrderId, events: &[EventRecord]) -> Result<(), StoreError> {
        for record in events {
            let kept = KeptEvent { reason: record.event.reason(), event: &record.event };
            let sealed = self.write_with_rules(|| seal_kept(self.sealer(), order, record.seq, &kept))??;
            self.keep(
                &ORDER_EVENT,
                values![
                    order.as_str(),
                    whole(record.seq),
                    event_id(order, record.seq, record.at),
                    record.at.0,
                    record.event.name(),
                    word(&record.actor.kind),
                    record.actor.name.as_str(),
                    None::<String>,
                    sealed,
                ],
            )?;
        }
        Ok(())
    }

    /// Bookings and refund cases by their own ids, those that are not as they were `before`. The order's lock keeps others away meanwhile.
    fn save_index_rows(&self, order: &Order, before: Option<&Order>) -> Result<(), StoreError> {
        let is_changed = |now: &&Booking| {
            let was = before.and_then(|order| order.booking_by_id(&now.id));
            was.is_none_or(|was| (was.state, was.visit_date) != (now.state, now.visit_date))
        };
        for booking in order.past_bookings.iter().chain(&order.booking).filter(is_changed) {
            let (state, date) = (word(&booking.state), booking.visit_date.map(|d| d.to_string()));
            self.keep(&BOOKING, values![booking.id.as_str(), order.id.as_str(), state, date])?;
        }
        let cases_before = || before.into_iter().flat_map(|it| it.past_refund_cases.iter().chain(&it.refund_case));
        let is_changed = |now: &&RefundCase| {
            let was = cases_before().find(|was| was.id == now.id);
            was.is_none_or(|was| (was.state, was.review_by) != (now.state, now.review_by))
        };
        for case in order.past_refund_cases.iter().chain(&order.refund_case).filter(is_changed) {
            self.keep(
                &REFUND_CASE,
                values![
                    case.id.as_str(),
                    order.id.as_str(),
                    order.channel.as_str(),
                    word(&case.state),
                    self.sealer().keyed_hash(REFERENCE, &case.channel_ref),
                    case.requested_at.0,
                    case.review_by.0,
                ],
            )?;
        }
        Ok(())
    }

    /// Whose booking this is, current or past.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn order_of_booking(&self, id: &BookingId) -> Result<Option<OrderId>, StoreError> {
        match self.see(&BOOKING, &key_text(&[&id.0])) {
            Some(known) => known.map(|row| text_of(&row, BOOKING.at("order_id")).map(OrderId)).transpose(),
            None => order_of(self, "booking", id.as_str()).await,
        }
    }

    /// Whose refund case this is, current or past.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn order_of_case(&self, id: &RefundCaseId) -> Result<Option<OrderId>, StoreError> {
        order_of(self, "refund_case", id.as_str()).await
    }
}

impl Tx {
    /// Orders for a product's date whose booking waits for a decision.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn orders_waiting_for(&self, key: &StockKey) -> Result<Vec<Order>, StoreError> {
        let date = key.date.map(|date| date.to_string());
        let sql = "SELECT id, document FROM orders WHERE visit_date = ? AND booking_state = 'requested'";
        let rows = self.rows(sql, values![date]).await?;
        let mut orders = read_orders(self, &rows).await?;
        orders.retain(|order| order.rules.booking.code == key.product);
        Ok(orders)
    }
}

impl Store {
    /// Loads an order without locking it.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn load_order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        let sql = in_either("id, document", "id = ?");
        let rows = self.rows(&sql, values![id.as_str(), id.as_str()]).await?;
        Ok(read_orders(self, &rows).await?.into_iter().next())
    }

    /// Loads orders without locking them, those that there are, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn load_orders(&self, ids: &[OrderId]) -> Result<Vec<Order>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = padded(ids);
        let sql = in_either("id, document", &format!("id IN ({})", crate::dialect::marks(ids.len())));
        let all = ids.iter().chain(&ids).map(|id| id.as_str().into()).collect();
        read_orders(self, &self.rows(&sql, all).await?).await
    }

    /// From which channel each of these orders came, of those that there are.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn channels_of(&self, ids: &[OrderId]) -> Result<BTreeMap<OrderId, ChannelId>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids = padded(ids);
        let sql = in_either("id, channel", &format!("id IN ({})", crate::dialect::marks(ids.len())));
        let all = ids.iter().chain(&ids).map(|id| id.as_str().into()).collect();
        let rows = self.rows(&sql, all).await?;
        rows.iter().map(|row| Ok((OrderId(get(row, "id")?), ChannelId(get(row, "channel")?)))).collect()
    }

    /// Orders with tickets that may admit; `limit` at most, those after `after` in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn orders_with_live_tickets(&self, after: &str, limit: u32) -> Result<Vec<OrderId>, StoreError> {
        let sql = "SELECT id FROM orders WHERE id > ? \
                   AND ticketing_state IN ('requested', 'issued', 'unknown', 'cancelling', 'cancel_refused') ORDER BY id LIMIT ?";
        let rows = self.rows(sql, values![after, i64::from(limit)]).await?;
        rows.iter().map(|row| get(row, "id").map(OrderId)).collect()
    }

    /// Orders for visits from `from` to `to` whose tickets a back-end has still to make, or has not confirmed.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn orders_without_tickets(&self, from: Date, to: Date) -> Result<Vec<Order>, StoreError> {
        let sql = "SELECT id, document FROM orders WHERE visit_date >= ? AND visit_date <= ? \
                   AND booking_state IN ('requested', 'confirmed') AND ticketing_state IN ('queued', 'requested', 'unknown')";
        let rows = self.rows(sql, values![from.to_string(), to.to_string()]).await?;
        read_orders(self, &rows).await
    }

    /// Orders for visits that begin from `from` to `to`, whose guests have tickets and are not known to have come.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn orders_with_tickets(&self, from: Date, to: Date) -> Result<Vec<Order>, StoreError> {
        let sql = "SELECT id, document FROM orders WHERE visit_date >= ? AND visit_date <= ? \
                   AND booking_state = 'confirmed' AND ticketing_state = 'issued'";
        let rows = self.rows(sql, values![from.to_string(), to.to_string()]).await?;
        read_orders(self, &rows).await
    }

    /// The history of an order after event number `after_seq` (0 for all), oldest first, `limit` events at most.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Document`].
    pub async fn events(&self, order: &OrderId, after_seq: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let rows = self
            .rows(
                "SELECT order_id, seq, id, at_ms, kind, actor_kind, actor_name, reason, body FROM order_event \
                 WHERE order_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                values![order.as_str(), whole(after_seq), i64::from(limit)],
            )
            .await?;
        let events = rows.iter().map(|row| read_event(self.sealer(), row)).collect::<Result<_, _>>()?;
        with_rules(self, events).await
    }

    /// The history of an order before event number `before_seq` (`None` for all), newest first, `limit` events at most.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Document`].
    pub async fn latest_events(
        &self,
        order: &OrderId,
        before_seq: Option<u64>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let rows = self
            .rows(
                "SELECT order_id, seq, id, at_ms, kind, actor_kind, actor_name, reason, body FROM order_event \
                 WHERE order_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
                values![order.as_str(), before_seq.map_or(i64::MAX, whole), i64::from(limit)],
            )
            .await?;
        let events = rows.iter().map(|row| read_event(self.sealer(), row)).collect::<Result<_, _>>()?;
        with_rules(self, events).await
    }

    /// Whose booking this is, current or past.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn order_of_booking(&self, id: &BookingId) -> Result<Option<OrderId>, StoreError> {
        order_of(self, "booking", id.as_str()).await
    }

    /// Whose refund case this is, current or past.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn order_of_case(&self, id: &RefundCaseId) -> Result<Option<OrderId>, StoreError> {
        order_of(self, "refund_case", id.as_str()).await
    }

    /// The versions of these orders, of those that there are and were not put away: those do not change.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn versions_of(&self, ids: &[OrderId]) -> Result<Vec<(OrderId, u64)>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = padded(ids);
        let sql = format!("SELECT id, version FROM orders WHERE id IN ({})", crate::dialect::marks(ids.len()));
        let rows = self.rows(&sql, ids.iter().map(|id| id.as_str().into()).collect()).await?;
        rows.iter().map(|row| Ok((OrderId(get(row, "id")?), get_count(row, "version")?))).collect()
    }

    /// Whether other instances may use the same database.
    pub fn has_other_instances(&self) -> bool {
        self.dialect().shares_with_others()
    }

    /// How many orders stand in each state.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn order_counts(&self) -> Result<Vec<(ticketbridge_core::order::OrderState, u64)>, StoreError> {
        let rows = self.rows("SELECT state, COUNT(*) AS many FROM orders GROUP BY state", values![]).await?;
        let mut counts = BTreeMap::new();
        for row in &rows {
            counts.insert(get::<String>(row, "state")?, get_count::<u64>(row, "many")?);
        }
        for (state, many) in self.archived("orders").await? {
            *counts.entry(state).or_default() += many;
        }
        counts.into_iter().map(|(state, many)| Ok((read_word(&state, "state")?, many))).collect()
    }
}

/// The row of an order whose document is sealed, or was read.
fn row_of(order: &Order, sealer: &Sealer, document: String) -> Row {
    let booking = order.booking.as_ref();
    values![
        order.id.as_str(),
        order.channel.as_str(),
        sealer.keyed_hash(REFERENCE, order.channel_order_id.as_str()),
        ref_hash(&order.channel, &order.channel_order_id),
        word(&order.kind),
        order.created_at.0,
        word(&order.state),
        order.cancel_reason.map(|reason| word(&reason)),
        booking.map(|b| word(&b.state)),
        booking.map(|b| word(&b.ticketing.state)),
        word(&order.payment()),
        order.refund_case.as_ref().map(|case| word(&case.state)),
        order.attention().map(|Attention { kind, .. }| word(kind)),
        order.product.as_str(),
        i64::from(order.quantity),
        booking.and_then(|b| b.visit_date).map(|date| date.to_string()),
        order.money.currency.0.as_str(),
        order.money.due,
        whole(order.version),
        order.updated_at.0,
        document,
    ]
}

/// Reads orders from their columns `id` and `document`.
pub(crate) async fn read_orders(query: &impl Query, rows: &[QueryResult]) -> Result<Vec<Order>, StoreError> {
    open_orders(query, documents(rows)?).await?.into_iter().collect()
}

async fn order_of(query: &impl Query, table: &str, id: &str) -> Result<Option<OrderId>, StoreError> {
    let row = query.row(&format!("SELECT order_id FROM {table} WHERE id = ?"), values![id]).await?;
    row.map(|row| get(&row, "order_id").map(OrderId)).transpose()
}
