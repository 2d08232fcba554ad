// SPDX-License-Identifier: Apache-2.0

//! A repeat whose guests come under other ciphers says nothing until they are opened: it is answered as a repeat, and compared later.

use std::sync::Arc;

use ticketbridge_core::OrderId;
use ticketbridge_core::ciphers::{Ciphers, texts};
use ticketbridge_core::message::{Destination, Effect};
use ticketbridge_core::personal::Person;
use ticketbridge_core::port::{Envelope, Inbound, Message};
use ticketbridge_store::{InboxRow, NewJob, StoreError, Tx};

use crate::engine::digest::{body_sha256, sha256_hex};
use crate::engine::effects::COMPARE_GUESTS;
use crate::engine::{Engine, EngineError, Incoming};

impl Engine {
    /// Has the guests of a repeat compared with those of the first message, where both came under ciphers and those differ.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn compare_guests(&self, incoming: &Incoming, row: &InboxRow) -> Result<(), EngineError> {
        let Inbound::Message(envelope) = &incoming.inbound else { return Ok(()) };
        let (again, Some(order)) = (Ciphers::of_all(people(envelope)), row.order.clone()) else { return Ok(()) };
        if again.is_empty() || row.body_sha256 == body_sha256(&incoming.body) {
            return Ok(());
        }
        let Some(body) = self.store.inbox_body(&row.id).await? else {
            tracing::warn!(order = %order, call = incoming.endpoint.name, "a message came again with its guests under other \
                ciphers, and the first one is no longer kept: they cannot be compared");
            return Ok(());
        };
        let call = incoming.endpoint.name;
        let Ok(Inbound::Message(before)) = incoming.channel.read_again(call, &body) else { return Ok(()) };
        let first = Ciphers::of_all(people(&before));
        if texts(&first) == texts(&again) {
            return Ok(());
        }
        self.enqueue_comparison(incoming, order, Effect::CompareGuests { call: call.to_owned(), first, again }).await
    }

    /// The same ciphers once more are compared once.
    async fn enqueue_comparison(&self, incoming: &Incoming, order: OrderId, effect: Effect) -> Result<(), EngineError> {
        let now = incoming.moment.now;
        let written = serde_json::to_string(&effect).map_err(StoreError::from)?;
        let job = NewJob {
            id: format!("dlv_{}", &sha256_hex(&[order.as_str(), &written])[..32]),
            order,
            destination: Destination::Channel(incoming.channel.id.clone()).to_string(),
            call: COMPARE_GUESTS.to_owned(),
            effect,
            seq: 0,
            blocks_order: false,
            due_at: now,
            created_at: now,
            traceparent: incoming.traceparent.clone(),
            urgent_at: None,
        };
        let job = Arc::new(job);
        let enqueued = self.store.write("compare_guests", move |tx: &Tx| {
            let job = job.clone();
            Box::pin(async move { tx.enqueue(&job).await })
        });
        match enqueued.await {
            Ok(()) => self.work.notify_one(),
            Err(StoreError::Duplicate) => {}
            Err(other) => return Err(other.into()),
        }
        Ok(())
    }
}

/// Everybody whom a message names.
fn people(envelope: &Envelope) -> Vec<&Person> {
    match &envelope.message {
        Message::Sale(sale) => vec![&sale.buyer],
        Message::Booking { sale, request } => {
            std::iter::once(&sale.buyer).chain(&request.visitors).chain(&request.contact).collect()
        }
        Message::Act(command) => command.people(),
        Message::Snapshot(_) | Message::Listing(_) | Message::Note { .. } => Vec::new(),
    }
}
