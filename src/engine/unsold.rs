// SPDX-License-Identifier: Apache-2.0

//! Bookings that a channel has told of a product which is not configured. They are refused and kept, people are told, and they are taken on
//! once the product is there: their guests may have paid.

use ticketbridge_core::ChannelId;
use ticketbridge_core::port::{Inbound, Message};
use ticketbridge_store::{InboxFilter, InboxRow, InboxVerdict, PageRequest};

use crate::engine::arrival::Incoming;
use crate::engine::replay::Replayed;
use crate::engine::{Engine, EngineError};
use crate::service::live::Running;
use crate::service::registry::RegisteredChannel;

/// Refused messages that are read at a time.
const PAGE: u32 = 100;
/// Refused messages that are looked through, the newest of a channel; older ones are for a person.
const LOOKED_AT: usize = 2_000;

/// Whether what was refused for want of its product can be taken on now.
fn is_sold_now(running: &Running, channel: &RegisteredChannel, row: &InboxRow, inbound: &Inbound) -> bool {
    let Inbound::Message(envelope) = inbound else { return false };
    let Message::Snapshot(snapshot) = &envelope.message else { return false };
    let is_open = row.verdict == InboxVerdict::Refused && row.order.is_none();
    is_open && running.rules_of(channel, &snapshot.sale.product).is_some()
}

impl Engine {
    /// Carries a repeat out anew that was refused for want of its product, where that is configured by now.
    pub(crate) async fn take_on_again(
        &self,
        incoming: &Incoming,
        row: &InboxRow,
    ) -> Result<Option<Replayed>, EngineError> {
        if !is_sold_now(&incoming.running, &incoming.channel, row, &incoming.inbound) {
            return Ok(None);
        }
        self.replay(&row.id, incoming.clone()).await.map(Some)
    }

    /// Takes on what was refused for want of a product that is configured by now, the oldest first; how many that were.
    ///
    /// # Errors
    /// Store errors.
    pub async fn take_on_unsold(&self) -> Result<usize, EngineError> {
        let running = self.running();
        let mut taken = 0;
        for channel in running.registry.channels() {
            for row in self.refused(&channel.id).await?.into_iter().rev() {
                taken += usize::from(self.take_on(&running, channel, &row).await?);
            }
        }
        if taken > 0 {
            tracing::info!(messages = taken, "bookings were taken on whose product is configured by now");
        }
        Ok(taken)
    }

    /// The refused messages of a channel that are about no order, the newest first.
    async fn refused(&self, channel: &ChannelId) -> Result<Vec<InboxRow>, EngineError> {
        let filter = InboxFilter {
            channel: Some(channel.to_string()),
            verdict: Some(InboxVerdict::Refused),
            ..InboxFilter::default()
        };
        let (mut found, mut cursor, mut looked_at) = (Vec::new(), None, 0);
        loop {
            let page = self.store().list_inbox(&filter, &PageRequest { limit: PAGE, cursor }).await?;
            looked_at += page.items.len();
            found.extend(page.items.into_iter().filter(|row| row.order.is_none()));
            cursor = page.next_cursor;
            if cursor.is_none() || looked_at >= LOOKED_AT {
                return Ok(found);
            }
        }
    }

    async fn take_on(
        &self,
        running: &std::sync::Arc<Running>,
        channel: &std::sync::Arc<RegisteredChannel>,
        row: &InboxRow,
    ) -> Result<bool, EngineError> {
        let endpoint = channel.channel.spec().endpoints.iter().find(|endpoint| endpoint.name == row.call).copied();
        let (Some(endpoint), Some(body)) = (endpoint, self.store().inbox_body(&row.id).await?) else {
            return Ok(false);
        };
        // What cannot be read any more is for a person.
        let Ok(inbound) = channel.read_again(&row.call, &body) else { return Ok(false) };
        if !is_sold_now(running, channel, row, &inbound) {
            return Ok(false);
        }
        let incoming = Incoming::kept((running.clone(), channel.clone()), endpoint, inbound, body, self.moment());
        let done = self.replay(&row.id, incoming).await?;
        Ok(done.verdict != InboxVerdict::Refused)
    }
}
