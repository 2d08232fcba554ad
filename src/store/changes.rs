// SPDX-License-Identifier: Apache-2.0

//! What changed of late: for those who look on, and ask again only when there is something to see.

use ticketbridge_core::{ChannelId, OrderId, RefundCaseId, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, Where, get, marks, values};
use crate::error::StoreError;
use crate::lists::Within;

/// An order that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub order: OrderId,
    /// Sold where.
    pub channel: ChannelId,
    /// Its version.
    pub version: u64,
    /// When.
    pub at: UnixMillis,
}

/// Orders that changed, the earliest change first; and whether there were more than were asked for, of which the latest are here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The orders.
    pub orders: Vec<Changed>,
    /// Whether some are missing.
    pub is_cut: bool,
}

impl Store {
    /// The latest `limit` orders of those that changed at `since` or later.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn changes_since(&self, since: UnixMillis, within: &Within, limit: u32) -> Result<Changes, StoreError> {
        let mut wanted = Where::new();
        wanted.and("updated_ms >= ?", values![since.0]);
        within.channel(&mut wanted);
        let (clause, mut row) = wanted.into_parts();
        row.push((i64::from(limit) + 1).into());
        let sql =
            format!("SELECT id, channel, version, updated_ms FROM orders{clause} ORDER BY updated_ms DESC LIMIT ?");
        let rows = self.rows(&sql, row).await?;
        let read = |row| {
            Ok(Changed {
                order: OrderId(get(row, "id")?),
                channel: ChannelId(get(row, "channel")?),
                version: u64::try_from(get::<i64>(row, "version")?).unwrap_or_default(),
                at: UnixMillis(get(row, "updated_ms")?),
            })
        };
        let mut orders = rows.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        let is_cut = orders.len() > limit as usize;
        orders.truncate(limit as usize);
        orders.reverse();
        Ok(Changes { orders, is_cut })
    }

    /// The refund cases of these orders, and their deliveries that are not over.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn open_of(&self, orders: &[OrderId]) -> Result<(Vec<RefundCaseId>, Vec<String>), StoreError> {
        if orders.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let list = marks(orders.len());
        let ids = || orders.iter().map(|id| id.as_str().into()).collect::<Vec<sea_orm::Value>>();
        let cases = format!("SELECT id FROM refund_case WHERE order_id IN ({list})");
        let jobs = format!("SELECT id FROM job WHERE order_id IN ({list}) AND state IN ('pending', 'dead')");
        let cases = self.rows(&cases, ids()).await?;
        let jobs = self.rows(&jobs, ids()).await?;
        let cases = cases.iter().map(|row| Ok(RefundCaseId(get(row, "id")?))).collect::<Result<_, StoreError>>()?;
        let jobs = jobs.iter().map(|row| get(row, "id")).collect::<Result<_, StoreError>>()?;
        Ok((cases, jobs))
    }
}
