// SPDX-License-Identifier: Apache-2.0

//! A message of the past, carried out again: what a person asks for after mending what made it fail.

use std::sync::Arc;

use ticketbridge_core::message::{Actor, ActorKind};
use ticketbridge_core::port::Inbound;
use ticketbridge_core::quoted::Quoted;
use ticketbridge_core::{Answering, OrderId};
use ticketbridge_store::{InboxVerdict, Tx};

use crate::engine::arrival::Incoming;
use crate::engine::routing::{Taken, take};
use crate::engine::{Change, Engine, EngineError};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What the message is now.
    pub verdict: InboxVerdict,
    /// The order that it is about.
    pub order: Option<OrderId>,
    /// Whether anything changed.
    pub changed: bool,
    /// What the channel would be answered now, as text.
    pub answer: String,
}

impl Engine {
    /// Carries the stored message `inbox_id` out, as `incoming` reads it now. Nobody waits for its answer, so what the channel
    /// must know follows by calls of ours; a repeat by the channel gets the new answer.
    ///
    /// # Errors
    /// Store errors; [`EngineError::TryLater`] when it is no message, or its order is not known yet.
    pub async fn replay(&self, inbox_id: &str, incoming: Incoming) -> Result<Replayed, EngineError> {
        let Inbound::Message(envelope) = &incoming.inbound else { return Err(EngineError::TryLater) };
        let key = envelope.key.clone();
        let moment = self.moment();
        let actor = Actor::new(ActorKind::Channel, incoming.channel.id.as_str());
        let work = Arc::new((incoming, inbox_id.to_owned(), actor));
        let Taken { applied, reply, verdict, about } = self
            .store
            .write("replay", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (incoming, inbox_id, actor) = &*work;
                    let change = Change {
                        running: &incoming.running,
                        actor,
                        moment,
                        answering: Answering::Nobody,
                        traceparent: incoming.traceparent.clone(),
                    };
                    take(tx, &change, incoming, inbox_id).await
                })
            })
            .await?;
        if let Some(applied) = &applied {
            self.announce(applied);
        }
        tracing::info!(inbox = inbox_id, key = %Quoted::code(&key), verdict = verdict.word(), "a message was carried out again");
        Ok(Replayed {
            verdict,
            changed: applied.as_ref().is_some_and(|applied| applied.changed),
            order: about,
            answer: String::from_utf8_lossy(&reply.body).into_owned(),
        })
    }
}
