// SPDX-License-Identifier: Apache-2.0

//! What a channel has that is no order: products on or off sale, as it told us last; and links that may exist once only.

use ticketbridge_core::port::Listing;
use ticketbridge_core::{ChannelId, OrderId, ProductCode, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, flag, get, get_flag, values};
use crate::error::StoreError;
use crate::tx::{Company, Tx};

impl Tx {
    /// Keeps what a channel says of a product, unless something later is known.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn put_listing(&self, channel: &ChannelId, listing: &Listing) -> Result<(), StoreError> {
        let key = values![channel.as_str(), listing.product.as_str()];
        let insert = format!(
            "INSERT INTO listing (channel, product, state, is_open, since_ms) VALUES (?, ?, ?, ?, ?){}",
            self.dialect().unless_exists("product")
        );
        let mut row = key.clone();
        // A product of which nothing was said is sold.
        row.extend(values![listing.state.as_str(), flag(listing.is_open.unwrap_or(true)), listing.since.0]);
        self.execute(&insert, row).await?;
        let (mut set, mut row) = ("state = ?, since_ms = ?", values![listing.state.as_str(), listing.since.0]);
        if let Some(is_open) = listing.is_open {
            set = "state = ?, since_ms = ?, is_open = ?";
            row.extend(values![flag(is_open)]);
        }
        row.extend(key);
        row.extend(values![listing.since.0]);
        let update = format!("UPDATE listing SET {set} WHERE channel = ? AND product = ? AND since_ms <= ?");
        self.execute(&update, row).await?;
        Ok(())
    }

    /// What a channel said last of a product.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn listing(&self, channel: &ChannelId, product: &ProductCode) -> Result<Option<Listing>, StoreError> {
        // Nobody changes one in company, so all who are in it ask once.
        if self.company() != Company::Others || !self.dialect().shares_with_others() {
            return listing(self, channel, product).await;
        }
        let key = (channel.clone(), product.clone());
        let known = self.listings().get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = listing(self, channel, product).await?;
        self.listings().insert(key, found.clone());
        Ok(found)
    }

    /// Notes the live payment link of an order.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the order has one already.
    pub async fn begin_live_link(&self, order: &OrderId, key: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO live_link (order_id, link_key) VALUES (?, ?)";
        self.execute(sql, values![order.as_str(), key]).await.map(drop)
    }

    /// Notes that the order has no live payment link any more.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn end_live_link(&self, order: &OrderId) -> Result<(), StoreError> {
        self.execute("DELETE FROM live_link WHERE order_id = ?", values![order.as_str()]).await.map(drop)
    }
}

impl Store {
    /// What a channel said last of a product.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn listing(&self, channel: &ChannelId, product: &ProductCode) -> Result<Option<Listing>, StoreError> {
        listing(self, channel, product).await
    }
}

async fn listing(
    query: &impl Query,
    channel: &ChannelId,
    product: &ProductCode,
) -> Result<Option<Listing>, StoreError> {
    let sql = "SELECT state, is_open, since_ms FROM listing WHERE channel = ? AND product = ?";
    let row = query.row(sql, values![channel.as_str(), product.as_str()]).await?;
    row.map(|row| {
        Ok(Listing {
            product: product.clone(),
            state: get(&row, "state")?,
            is_open: Some(get_flag(&row, "is_open")?),
            since: UnixMillis(get(&row, "since_ms")?),
        })
    })
    .transpose()
}
