// SPDX-License-Identifier: Apache-2.0

//! A channel's numbers for sales and bookings: which order they mean, or why there is none.
//!
//! A number is known by a hash of channel and number, so that length, case and collation play no part. The row of a
//! number exists from the first message that names it; locking it puts messages for the same number one after the
//! other. Of two first messages at the same moment one finds, when it writes, that the row is there, and is run again.

use sea_orm::{QueryResult, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ticketbridge_core::limits::REMEMBERED_MAX;
use ticketbridge_core::personal::in_clear;
use ticketbridge_core::{BookingId, ChannelId, ExternalId, OrderId, UnixMillis};

use crate::buffer::{ORDER_REF, Row, key_text};
use crate::connect::Store;
use crate::dialect::{Query, flag, get, get_flag, values};
use crate::error::StoreError;
use crate::keys::ref_hash;
use crate::tx::Tx;

/// What is known of a channel's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRefRow {
    /// The order, once there is one.
    pub order: Option<OrderId>,
    /// The booking that the number stands for, when it is a booking's.
    pub booking: Option<BookingId>,
    /// Why there will never be an order: the reason its tombstone carries.
    pub tombstone: Option<String>,
    /// Whether messages are kept for it.
    pub has_remembered: bool,
}

/// Whether a message was kept for an order that is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// It was.
    Kept,
    /// There are [`REMEMBERED_MAX`] already.
    Full,
}

/// A message to be kept until its order is known.
#[derive(Clone, Copy, Debug)]
pub struct ToRemember<'a, T> {
    /// The message as it came.
    pub inbox_id: &'a str,
    /// What it asks for.
    pub message: &'a T,
    /// When.
    pub at: UnixMillis,
}

/// What keeps hashes of numbers apart from hashes of other things.
pub(crate) const REFERENCE: &str = "reference";

/// Places among the columns of [`ORDER_REF`].
const ORDER_ID: usize = 3;
const BOOKING_ID: usize = 4;
const TOMBSTONE: usize = 5;
const TOMBSTONE_REASON: usize = 6;

/// To be ended with the hashes that are looked for.
pub(crate) const SELECT: &str = "SELECT ref_hash, channel, reference, order_id, booking_id, tombstone, tombstone_reason, \
    CASE WHEN remembered IS NULL THEN 0 ELSE 1 END AS has_remembered FROM order_ref WHERE ref_hash";

/// The row of a number that has its order and nothing that waits for it, and that order: from then on only whoever holds the order changes it.
pub(crate) fn settled(row: &QueryResult) -> Result<Option<(Row, String)>, StoreError> {
    let known = read(row)?;
    let (Some(order), false) = (known.order, known.has_remembered) else { return Ok(None) };
    let (hash, channel, reference): (String, String, String) =
        (get(row, "ref_hash")?, get(row, "channel")?, get(row, "reference")?);
    let booking = known.booking.map(|id| id.0);
    let is_dead = flag(known.tombstone.is_some());
    Ok(Some((values![hash, channel, reference, order.as_str(), booking, is_dead, known.tombstone], order.0)))
}

impl Tx {
    /// What is known of a number, without locking it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn resolve_ref(
        &self,
        channel: &ChannelId,
        reference: &ExternalId,
    ) -> Result<Option<OrderRefRow>, StoreError> {
        if let Some(row) = self.kept_ref(&ref_hash(channel, reference)) {
            return Ok(Some(row));
        }
        resolve(self, channel, reference).await
    }

    /// The row of a number, where it was made here or read as one that is settled.
    fn kept_ref(&self, hash: &str) -> Option<OrderRefRow> {
        let text = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.clone(),
            _ => None,
        };
        let row = self.see(&ORDER_REF, &key_text(&[hash]))??;
        Some(OrderRefRow {
            order: text(row.get(ORDER_ID)).map(OrderId),
            booking: text(row.get(BOOKING_ID)).map(BookingId),
            tombstone: match row.get(TOMBSTONE) {
                Some(Value::SmallInt(Some(1))) => Some(text(row.get(TOMBSTONE_REASON)).unwrap_or_default()),
                _ => None,
            },
            has_remembered: false,
        })
    }

    /// What is known of a number; its row is made when missing, and locked until the end of the transaction.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn lock_ref(&self, channel: &ChannelId, reference: &ExternalId) -> Result<OrderRefRow, StoreError> {
        let hash = ref_hash(channel, reference);
        if let Some(row) = self.kept_ref(&hash) {
            return Ok(row);
        }
        if self.see(&ORDER_REF, &key_text(&[&hash])).is_none() {
            self.check_late_lock()?;
            let select = format!("{SELECT} = ?{}", self.dialect().for_update());
            if let Some(row) = self.rows_stored(&select, values![hash.as_str()]).await?.first() {
                return read(row);
            }
        }
        let (order, booking, reason) = (None::<String>, None::<String>, None::<String>);
        // A partner may write anything into a number, and this column is searched: what stands here is a keyed hash.
        let searched = self.sealer().keyed_hash(REFERENCE, reference.as_str());
        self.keep(&ORDER_REF, values![hash, channel.as_str(), searched, order, booking, flag(false), reason])?;
        Ok(OrderRefRow { order: None, booking: None, tombstone: None, has_remembered: false })
    }

    /// Makes a number stand for an order, and for one of its bookings when it is a booking's.
    ///
    /// # Errors
    /// [`StoreError::RefTaken`] when it stands for another order.
    pub async fn bind_ref(
        &self,
        channel: &ChannelId,
        reference: &ExternalId,
        order: &OrderId,
        booking: Option<&BookingId>,
    ) -> Result<(), StoreError> {
        let known = self.lock_ref(channel, reference).await?;
        if let Some(other) = known.order.as_ref().filter(|known| *known != order) {
            return Err(StoreError::RefTaken { order: other.clone() });
        }
        if known.order.is_some() && (booking.is_none() || booking == known.booking.as_ref()) {
            return Ok(());
        }
        let booking = booking.or(known.booking.as_ref()).map(|id| id.0.clone());
        if let Some(Some(mut row)) = self.see(&ORDER_REF, &key_text(&[&ref_hash(channel, reference)])) {
            row[ORDER_ID] = order.as_str().into();
            row[BOOKING_ID] = booking.into();
            return self.change(&ORDER_REF, row);
        }
        self.execute(
            "UPDATE order_ref SET order_id = ?, booking_id = ? WHERE ref_hash = ?",
            values![order.as_str(), booking, ref_hash(channel, reference)],
        )
        .await?;
        Ok(())
    }

    /// Notes that there will never be an order for a number, and why. One that has an order keeps it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn put_tombstone(
        &self,
        channel: &ChannelId,
        reference: &ExternalId,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.lock_ref(channel, reference).await?;
        if let Some(Some(mut row)) = self.see(&ORDER_REF, &key_text(&[&ref_hash(channel, reference)])) {
            if matches!(row[ORDER_ID], Value::String(None)) {
                row[TOMBSTONE] = flag(true).into();
                row[TOMBSTONE_REASON] = reason.into();
                return self.change(&ORDER_REF, row);
            }
            return Ok(());
        }
        self.execute(
            "UPDATE order_ref SET tombstone = 1, tombstone_reason = ? WHERE ref_hash = ? AND order_id IS NULL",
            values![reason, ref_hash(channel, reference)],
        )
        .await?;
        Ok(())
    }

    /// Keeps a message, sealed and in clear inside, until the order it speaks of is known. One that is kept already is not kept twice.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn remember<T: Serialize + Sync>(
        &self,
        channel: &ChannelId,
        reference: &ExternalId,
        kept: &ToRemember<'_, T>,
    ) -> Result<Remembered, StoreError> {
        self.lock_ref(channel, reference).await?;
        let hash = ref_hash(channel, reference);
        let sql = "SELECT inbox_id FROM remembered WHERE inbox_id = ?";
        if self.row(sql, values![kept.inbox_id]).await?.is_some() {
            return Ok(Remembered::Kept);
        }
        let mut all: Vec<serde_json::Value> = self.remembered(&hash).await?;
        if all.len() >= REMEMBERED_MAX {
            return Ok(Remembered::Full);
        }
        all.push(in_clear(|| serde_json::to_value(kept.message))?);
        let sealed = self.sealer().seal(&remembered_row(&hash), &serde_json::to_vec(&all)?);
        self.execute("UPDATE order_ref SET remembered = ? WHERE ref_hash = ?", values![sealed, hash.as_str()]).await?;
        let sql = "INSERT INTO remembered (inbox_id, ref_hash, at_ms) VALUES (?, ?, ?)";
        self.execute(sql, values![kept.inbox_id, hash, kept.at.0]).await?;
        Ok(Remembered::Kept)
    }

    /// Takes out the messages kept for a number, oldest first; the messages as they came are `order`'s from now on.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn take_remembered<T: DeserializeOwned>(
        &self,
        channel: &ChannelId,
        reference: &ExternalId,
        order: &OrderId,
    ) -> Result<Vec<T>, StoreError> {
        let hash = ref_hash(channel, reference);
        if self.kept_ref(&hash).is_some() {
            // Nobody has spoken of this number before, or what was said is carried out.
            return Ok(Vec::new());
        }
        let kept = self.remembered(&hash).await?;
        if !kept.is_empty() {
            let sql = "UPDATE inbox SET order_id = ? \
                       WHERE id IN (SELECT inbox_id FROM remembered WHERE ref_hash = ?) AND order_id IS NULL";
            self.execute(sql, values![order.as_str(), hash.as_str()]).await?;
            self.drop_remembered(&hash).await?;
        }
        kept.into_iter().map(|message| Ok(serde_json::from_value(message)?)).collect()
    }

    /// Gives up the messages for numbers of which nothing has been heard since `before`, of `limit` numbers at most; of how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_remembered(&self, before: UnixMillis, limit: u32) -> Result<u64, StoreError> {
        let sql = "SELECT ref_hash FROM remembered GROUP BY ref_hash HAVING MAX(at_ms) < ? ORDER BY ref_hash LIMIT ?";
        let old = self.rows(sql, values![before.0, i64::from(limit)]).await?;
        for row in &old {
            let hash: String = get(row, "ref_hash")?;
            // Another message, or the order itself, may come at this moment.
            let lock = format!("SELECT ref_hash FROM order_ref WHERE ref_hash = ?{}", self.dialect().for_update());
            self.row(&lock, values![hash.as_str()]).await?;
            let newer = "SELECT inbox_id FROM remembered WHERE ref_hash = ? AND at_ms >= ?";
            if self.row(newer, values![hash.as_str(), before.0]).await?.is_none() {
                // Whoever repeats such a message is heard anew: nothing was done about it.
                let sql =
                    "UPDATE inbox SET dedupe = id WHERE id IN (SELECT inbox_id FROM remembered WHERE ref_hash = ?)";
                self.execute(sql, values![hash.as_str()]).await?;
                self.drop_remembered(&hash).await?;
            }
        }
        Ok(old.len() as u64)
    }

    /// Lets the messages that were kept before their time was written down wait from `now` on.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn date_remembered(&self, now: UnixMillis) -> Result<u64, StoreError> {
        // Which messages they are is not known any more: the number stands for all of its own.
        let sql = "INSERT INTO remembered (inbox_id, ref_hash, at_ms) SELECT r.ref_hash, r.ref_hash, ? FROM order_ref r \
                   WHERE r.remembered IS NOT NULL AND NOT EXISTS (SELECT 1 FROM remembered k WHERE k.ref_hash = r.ref_hash)";
        self.execute(sql, values![now.0]).await
    }

    async fn drop_remembered(&self, hash: &str) -> Result<(), StoreError> {
        self.execute("UPDATE order_ref SET remembered = NULL WHERE ref_hash = ?", values![hash]).await?;
        self.execute("DELETE FROM remembered WHERE ref_hash = ?", values![hash]).await?;
        Ok(())
    }

    async fn remembered(&self, hash: &str) -> Result<Vec<serde_json::Value>, StoreError> {
        let sql = format!("SELECT remembered FROM order_ref WHERE ref_hash = ?{}", self.dialect().for_update());
        let Some(row) = self.row(&sql, values![hash]).await? else { return Ok(Vec::new()) };
        match get::<Option<String>>(&row, "remembered")? {
            Some(sealed) => Ok(serde_json::from_slice(&self.sealer().open(&remembered_row(hash), &sealed)?)?),
            None => Ok(Vec::new()),
        }
    }
}

impl Store {
    /// What is known of a number.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn resolve_ref(
        &self,
        channel: &ChannelId,
        reference: &ExternalId,
    ) -> Result<Option<OrderRefRow>, StoreError> {
        resolve(self, channel, reference).await
    }
}

async fn resolve(
    query: &impl Query,
    channel: &ChannelId,
    reference: &ExternalId,
) -> Result<Option<OrderRefRow>, StoreError> {
    query.row(&format!("{SELECT} = ?"), values![ref_hash(channel, reference)]).await?.map(|row| read(&row)).transpose()
}

fn read(row: &QueryResult) -> Result<OrderRefRow, StoreError> {
    let reason = get::<Option<String>>(row, "tombstone_reason")?;
    Ok(OrderRefRow {
        order: get::<Option<String>>(row, "order_id")?.map(OrderId),
        booking: get::<Option<String>>(row, "booking_id")?.map(BookingId),
        tombstone: if get_flag(row, "tombstone")? { Some(reason.unwrap_or_default()) } else { None },
        has_remembered: get::<i32>(row, "has_remembered")? != 0,
    })
}

fn remembered_row(hash: &str) -> String {
    format!("order_ref/{hash}")
}
