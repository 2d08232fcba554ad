//! A channel's message: taken once, answered the same every time. What it does is in [`crate::engine::routing`].

use std::sync::Arc;

use bytes::Bytes;
use ticketbridge_core::event::{Actor, ActorKind};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Answer, Endpoint, HttpReply, Inbound};
use ticketbridge_core::{Answering, ExternalId, OrderId, UnixMillis};
use ticketbridge_store::{InboxRow, InboxVerdict as Verdict, NewInbox, StoreError, StoredAnswer, Tx};

use crate::engine::content::sha256_hex;
use crate::engine::routing::{Taken, take};
use crate::engine::{Change, Engine, EngineError, InReserve};
use crate::live::Running;
use crate::registry::RegisteredChannel;

/// A message that was verified and read.
#[derive(Clone)]
pub struct Incoming {
    /// The configuration under which it was verified.
    pub running: Arc<Running>,
    /// Whose it is.
    pub channel: Arc<RegisteredChannel>,
    /// The call.
    pub endpoint: Endpoint,
    /// What was read.
    pub inbound: Inbound,
    /// The bytes received.
    pub body: Bytes,
    /// Lower-hex SHA-256 of the body's content, independent of how JSON was laid out.
    pub content_sha256: String,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
}

/// What became of a message.
#[derive(Debug)]
pub enum Received {
    /// Taken (again); the answer, and the order that it is about.
    Answered {
        /// The answer.
        reply: HttpReply,
        /// The order, where the answer may still wait for it.
        order: Option<Box<Order>>,
        /// The order that the message is about, as far as it is known.
        about: Option<OrderId>,
        /// For metrics and logs.
        verdict: Verdict,
        /// What is told by a call if this answer does not get out.
        in_reserve: Vec<InReserve>,
    },
    /// The same key came before with other content.
    ContentDiffers,
    /// The sender should come again.
    TryLater,
}

impl Engine {
    /// Takes a message: inbox first, then the change, then the answer, one commit.
    ///
    /// # Errors
    /// Store errors only; everything else is an answer.
    pub async fn receive(&self, incoming: Incoming) -> Result<Received, EngineError> {
        let Inbound::Message(envelope) = &incoming.inbound else {
            return self.note_hint(incoming).await;
        };
        let dedupe = dedupe(&incoming, &envelope.key);
        let new = self.inbox_row(&incoming, &envelope.key, dedupe.clone());
        let moment = self.moment();
        let actor = Actor::new(ActorKind::Channel, incoming.channel.id.as_str());
        let work = Arc::new((incoming, new, actor));
        let task = work.clone();
        let result = self
            .store
            .write("receive", move |tx: &Tx| {
                let work = task.clone();
                Box::pin(async move {
                    let (incoming, new, actor) = &*work;
                    tx.insert_inbox(&new.row()).await.map_err(|error| match error {
                        StoreError::Duplicate => EngineError::Known,
                        other => EngineError::Store(other),
                    })?;
                    let change = Change {
                        running: &incoming.running,
                        actor,
                        moment,
                        answering: Answering::InAnswer,
                        traceparent: incoming.traceparent.clone(),
                    };
                    take(tx, &change, incoming, &new.id).await
                })
            })
            .await;
        match result {
            Ok(Taken { applied, reply, verdict, about }) => {
                if let Some(applied) = &applied {
                    self.announce(applied);
                }
                let (order, in_reserve) = match applied {
                    Some(applied) => (Some(Box::new(applied.order)), applied.in_reserve),
                    None => (None, Vec::new()),
                };
                Ok(Received::Answered { reply, order, about, verdict, in_reserve })
            }
            Err(EngineError::Known) => self.repeat(&work.0, &dedupe).await,
            Err(EngineError::TryLater) => Ok(Received::TryLater),
            Err(other) => Err(other),
        }
    }

    /// A message that was taken before: the same answer, or a flag when its content is another.
    async fn repeat(&self, incoming: &Incoming, dedupe: &str) -> Result<Received, EngineError> {
        let Some(row) = self.store.inbox_by_dedupe(dedupe).await? else {
            return Ok(Received::TryLater);
        };
        if row.body_sha256 != incoming.content_sha256 {
            self.note(incoming, &row.key, Verdict::Conflict, row.order.clone()).await?;
            tracing::warn!(
                channel = %incoming.channel.id, call = incoming.endpoint.name, key = %row.key, inbox = %row.id,
                "the same key came with other content; the first message stands"
            );
            return Ok(Received::ContentDiffers);
        }
        if incoming.endpoint.answers_from_state {
            return self.answer_from_state(incoming, row).await;
        }
        match row.answer {
            Some(answer) => Ok(Received::Answered {
                reply: stored_reply(answer),
                order: None,
                about: row.order,
                verdict: Verdict::Repeated,
                in_reserve: Vec::new(),
            }),
            None => Ok(Received::TryLater),
        }
    }

    /// Some answers are the present truth, on a repeat too: tickets that have come meanwhile, for example.
    async fn answer_from_state(&self, incoming: &Incoming, row: InboxRow) -> Result<Received, EngineError> {
        let order = match &row.order {
            Some(id) => self.store.load_order(id).await?,
            None => match &incoming.inbound {
                Inbound::Message(envelope) => self.order_about(&incoming.channel, &envelope.about).await?,
                _ => None,
            },
        };
        let answer = match (&order, &row.answer) {
            // A refusal stays one.
            (_, Some(answer)) if row.verdict == Verdict::Refused => {
                return Ok(Received::Answered {
                    reply: stored_reply(answer.clone()),
                    order: None,
                    about: row.order,
                    verdict: Verdict::Repeated,
                    in_reserve: Vec::new(),
                });
            }
            (order, _) => Answer::Repeated(order.as_ref()),
        };
        let reply = incoming.channel.channel.reply(incoming.endpoint.name, Some(&incoming.inbound), &answer);
        let about = order.as_ref().map(|order| order.id.clone());
        let (order, in_reserve) = (order.map(Box::new), Vec::new());
        Ok(Received::Answered { reply, order, about, verdict: Verdict::Repeated, in_reserve })
    }

    /// The order behind a channel's number, whether a sale's or a booking's.
    ///
    /// # Errors
    /// Store errors.
    pub async fn order_about(
        &self,
        channel: &RegisteredChannel,
        about: &ExternalId,
    ) -> Result<Option<Order>, EngineError> {
        match self.store.resolve_ref(&channel.id, about).await?.and_then(|row| row.order) {
            Some(id) => Ok(self.store.load_order(&id).await?),
            None => Ok(None),
        }
    }

    /// Notes a message that changes nothing: malformed, contradictory, or only a hint. Its key is its own content.
    ///
    /// # Errors
    /// Store errors.
    pub async fn note(
        &self,
        incoming: &Incoming,
        key: &str,
        verdict: Verdict,
        order_id: Option<OrderId>,
    ) -> Result<(), EngineError> {
        let parts = [incoming.channel.id.as_str(), incoming.endpoint.name, key, &incoming.content_sha256, "noted"];
        let new = self.inbox_row(incoming, key, sha256_hex(&parts));
        let result = self
            .store
            .write("note", move |tx: &Tx| {
                let (new, order_id) = (new.clone(), order_id.clone());
                Box::pin(async move {
                    tx.insert_inbox(&new.row()).await?;
                    tx.finish_inbox(&new.id, verdict, order_id.as_ref(), None).await
                })
            })
            .await;
        match result {
            // Noted before: nothing is lost.
            Ok(()) | Err(StoreError::Duplicate) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    fn inbox_row(&self, incoming: &Incoming, key: &str, dedupe: String) -> OwnedInbox {
        OwnedInbox {
            id: format!("inb_{:032x}", self.ids.seed().0),
            dedupe,
            channel: incoming.channel.id.to_string(),
            call: incoming.endpoint.name,
            key: key.to_owned(),
            received_at: self.clock.now(),
            body_sha256: incoming.content_sha256.clone(),
            body: incoming.body.clone(),
        }
    }

    async fn note_hint(&self, incoming: Incoming) -> Result<Received, EngineError> {
        let (key, about) = match &incoming.inbound {
            Inbound::Hint { key, about, .. } => (key.clone(), about.clone()),
            _ => (String::new(), None),
        };
        let order = match &about {
            Some(about) => self.store.resolve_ref(&incoming.channel.id, about).await?.and_then(|row| row.order),
            None => None,
        };
        self.note(&incoming, &key, Verdict::Hint, order.clone()).await?;
        let reply = incoming.channel.channel.reply(incoming.endpoint.name, Some(&incoming.inbound), &Answer::Noted);
        let in_reserve = Vec::new();
        Ok(Received::Answered { reply, order: None, about: order, verdict: Verdict::Hint, in_reserve })
    }
}

/// A row of the inbox that a re-runnable transaction can borrow from.
#[derive(Clone)]
struct OwnedInbox {
    id: String,
    dedupe: String,
    channel: String,
    call: &'static str,
    key: String,
    received_at: UnixMillis,
    body_sha256: String,
    body: Bytes,
}

impl OwnedInbox {
    fn row(&self) -> NewInbox<'_> {
        NewInbox {
            id: &self.id,
            dedupe: &self.dedupe,
            channel: &self.channel,
            call: self.call,
            key: &self.key,
            received_at: self.received_at,
            body_sha256: &self.body_sha256,
            body: &self.body,
        }
    }
}

fn stored_reply(answer: StoredAnswer) -> HttpReply {
    HttpReply {
        status: http::StatusCode::from_u16(answer.status).unwrap_or(http::StatusCode::OK),
        content_type: "application/json",
        body: Bytes::from(answer.body),
    }
}

fn dedupe(incoming: &Incoming, key: &str) -> String {
    sha256_hex(&[incoming.channel.id.as_str(), incoming.endpoint.name, key])
}
