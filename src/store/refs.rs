//! A channel's numbers for sales and bookings: which order they mean, or why there is none.
//!
//! A number is known by a hash of channel and number, so that length, case and collation play no part. The row of a
//! number exists from the first message that names it; locking it puts messages for the same number one after the
//! other before there is an order to lock.

use sea_orm::QueryResult;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ticketbridge_core::limits::REMEMBERED_MAX;
use ticketbridge_core::personal::in_clear;
use ticketbridge_core::{BookingId, ChannelId, ExternalId, OrderId};

use crate::connect::Store;
use crate::dialect::{Query, get, get_flag, values};
use crate::error::StoreError;
use crate::seal::sha256_hex;
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

/// The hash under which a channel's number is known.
pub(crate) fn ref_hash(channel: &ChannelId, reference: &ExternalId) -> String {
    sha256_hex(&[channel.as_str().as_bytes(), &[0], reference.as_str().as_bytes()])
}

const SELECT: &str = "SELECT order_id, booking_id, tombstone, tombstone_reason, \
    CASE WHEN remembered IS NULL THEN 0 ELSE 1 END AS has_remembered FROM order_ref WHERE ref_hash = ?";

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
        resolve(self, channel, reference).await
    }

    /// What is known of a number; its row is made when missing, and locked until the end of the transaction.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn lock_ref(&self, channel: &ChannelId, reference: &ExternalId) -> Result<OrderRefRow, StoreError> {
        let hash = ref_hash(channel, reference);
        let select = format!("{SELECT}{}", self.dialect().for_update());
        if let Some(row) = self.row(&select, values![hash.as_str()]).await? {
            return read(&row);
        }
        let sql = format!(
            "INSERT INTO order_ref (ref_hash, channel, reference, tombstone) VALUES (?, ?, ?, 0){}",
            self.dialect().unless_exists("ref_hash")
        );
        self.execute(&sql, values![hash.as_str(), channel.as_str(), reference.as_str()]).await?;
        let row = self.row(&select, values![hash]).await?;
        read(&row.ok_or(StoreError::Column("ref_hash"))?)
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
        if let Some(other) = known.order.filter(|known| known != order) {
            return Err(StoreError::RefTaken { order: other });
        }
        let booking = booking.or(known.booking.as_ref()).map(|id| id.0.clone());
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
        self.execute(
            "UPDATE order_ref SET tombstone = 1, tombstone_reason = ? WHERE ref_hash = ? AND order_id IS NULL",
            values![reason, ref_hash(channel, reference)],
        )
        .await?;
        Ok(())
    }

    /// Keeps a message, sealed and in clear inside, until the order it speaks of is known.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn remember<T: Serialize + Sync>(
        &self,
        channel: &ChannelId,
        reference: &ExternalId,
        message: &T,
    ) -> Result<Remembered, StoreError> {
        self.lock_ref(channel, reference).await?;
        let hash = ref_hash(channel, reference);
        let mut kept: Vec<serde_json::Value> = self.remembered(&hash).await?;
        if kept.len() >= REMEMBERED_MAX {
            return Ok(Remembered::Full);
        }
        kept.push(in_clear(|| serde_json::to_value(message))?);
        let sealed = self.sealer().seal(&remembered_row(&hash), &serde_json::to_vec(&kept)?);
        self.execute("UPDATE order_ref SET remembered = ? WHERE ref_hash = ?", values![sealed, hash]).await?;
        Ok(Remembered::Kept)
    }

    /// Takes out the messages kept for a number, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`], [`StoreError::Document`].
    pub async fn take_remembered<T: DeserializeOwned>(
        &self,
        channel: &ChannelId,
        reference: &ExternalId,
    ) -> Result<Vec<T>, StoreError> {
        let hash = ref_hash(channel, reference);
        let kept = self.remembered(&hash).await?;
        if !kept.is_empty() {
            self.execute("UPDATE order_ref SET remembered = NULL WHERE ref_hash = ?", values![hash]).await?;
        }
        kept.into_iter().map(|message| Ok(serde_json::from_value(message)?)).collect()
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
    query.row(SELECT, values![ref_hash(channel, reference)]).await?.map(|row| read(&row)).transpose()
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
