// SPDX-License-Identifier: Apache-2.0

//! A channel's message: taken once, answered the same every time. What it does is in [`crate::engine::routing`].

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ticketbridge_core::message::{Actor, ActorKind, Command, RecordRejection};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Answer, Envelope, HttpReply, Inbound, Message};
use ticketbridge_core::quoted::{FreeText, Quoted};
use ticketbridge_core::{Answering, ExternalId, OrderId, Seed, UnixMillis};
use ticketbridge_store::{InboxRow, InboxVerdict as Verdict, NewInbox, StoreError, StoredAnswer, Tx};

use crate::engine::arrival::{Incoming, Received};
use crate::engine::digest::{body_sha256, meaning_of, sha256_hex, sorted_json_sha256};
use crate::engine::routing::{Taken, take};
use crate::engine::{Change, Engine, EngineError, late, needs};
use crate::recorder::course;
use crate::recorder::turns::Decided;
use crate::service::registry::RegisteredChannel;

/// What a message does on its way, by which its turns are told apart.
const FORESEE: &str = "foresee";
const RECEIVE: &str = "receive";

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
        let new = self.inbox_row(&incoming, &envelope.key, dedupe.clone(), self.meaning(&incoming));
        let needs = needs::of_message(self.store.sealer(), &incoming, envelope, &dedupe);
        course::turn_of(RECEIVE).await;
        let moment = incoming.moment;
        let actor = Actor::new(ActorKind::Channel, incoming.channel.id.as_str());
        let work = Arc::new((incoming, new, actor));
        let (task, engine, heard) = (work.clone(), self.clone(), course::heard_of_calls());
        let turn = heard.clone();
        let result = self
            .store
            .write_needing("receive", needs, move |tx: &Tx| {
                let (work, engine, heard) = (task.clone(), engine.clone(), heard.clone());
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
                    let taken = take(tx, &change, incoming, &new.id).await?;
                    let shown = late::show(tx, &change, incoming, taken).await?;
                    let turn = engine.turn();
                    heard.note(turn);
                    incoming.decided.note(turn);
                    Ok(shown)
                })
            })
            .await;
        course::passed(RECEIVE, turn.turn());
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
            Err(EngineError::RejectedWhole(rejection)) => {
                let refused = Incoming { refusal: Some(rejection), ..work.0.clone() };
                Box::pin(self.receive(refused)).await
            }
            Err(EngineError::TryLater) => Ok(Received::TryLater),
            Err(other) => Err(other),
        }
    }

    /// What the ids are made of that a message gives: the same for each of its repeats. A back-end is asked to keep a place before anything is
    /// committed; after a crash the repeat asks for the same place under the same number, and finds it.
    pub(crate) fn steady_seed(&self, incoming: &Incoming, envelope: &Envelope) -> Seed {
        let hash = self.store.sealer().keyed_hash("seed", &dedupe(incoming, &envelope.key));
        Seed(hash.get(..32).and_then(|digits| u128::from_str_radix(digits, 16).ok()).unwrap_or(incoming.moment.seed.0))
    }

    /// What a message would make of its order, without making it; `None` where it was taken before, or would be refused.
    ///
    /// # Errors
    /// Store errors.
    pub async fn foresee(&self, incoming: &Incoming) -> Result<Option<Order>, EngineError> {
        let Inbound::Message(envelope) = &incoming.inbound else { return Ok(None) };
        let new = self.inbox_row(incoming, &envelope.key, dedupe(incoming, &envelope.key), None);
        let actor = Actor::new(ActorKind::Channel, incoming.channel.id.as_str());
        let seen: Arc<Mutex<Option<Order>>> = Arc::default();
        course::turn_of(FORESEE).await;
        let (engine, turn) = (self.clone(), Decided::default());
        let decided = turn.clone();
        let work = Arc::new((incoming.clone(), new, actor, seen.clone()));
        let undone: Result<(), EngineError> = self
            .store
            .write("foresee", move |tx: &Tx| {
                let (work, engine, decided) = (work.clone(), engine.clone(), decided.clone());
                Box::pin(async move {
                    let (incoming, new, actor, seen) = &*work;
                    tx.insert_inbox(&new.row()).await.map_err(|error| match error {
                        StoreError::Duplicate => EngineError::Known,
                        other => EngineError::Store(other),
                    })?;
                    let change = Change {
                        running: &incoming.running,
                        actor,
                        moment: incoming.moment,
                        answering: Answering::InAnswer,
                        traceparent: None,
                    };
                    let taken = take(tx, &change, incoming, &new.id).await?;
                    *seen.lock().unwrap_or_else(PoisonError::into_inner) = taken.applied.map(|applied| applied.order);
                    decided.note(engine.turn());
                    // Nothing of it is to stay.
                    Err(EngineError::TryLater)
                })
            })
            .await;
        course::passed(FORESEE, turn.turn());
        match undone {
            Ok(())
            | Err(
                EngineError::TryLater | EngineError::Known | EngineError::Rejected(_) | EngineError::RejectedWhole(_),
            ) => {}
            Err(other) => return Err(other),
        }
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(seen)
    }

    /// What a message means, as a digest; nothing where it is no message.
    fn meaning(&self, incoming: &Incoming) -> Option<String> {
        match &incoming.inbound {
            Inbound::Message(envelope) => Some(meaning_of(self.store.sealer(), envelope, &incoming.body)),
            Inbound::Ping(_) | Inbound::Hint { .. } | Inbound::Query(_) => None,
        }
    }

    /// Whether a message says what the one of `row` said.
    async fn says_the_same(&self, incoming: &Incoming, row: &InboxRow) -> Result<bool, EngineError> {
        let meaning = self.meaning(incoming);
        if row.content_sha256.is_some() {
            return Ok(row.content_sha256 == meaning);
        }
        // A row of an older version: its hash is of the JSON, and its body may still be there to be read again.
        if row.body_sha256 == sorted_json_sha256(&incoming.body) {
            return Ok(true);
        }
        let Some(body) = self.store.inbox_body(&row.id).await? else { return Ok(false) };
        Ok(match incoming.channel.read_again(incoming.endpoint.name, &body) {
            Ok(Inbound::Message(envelope)) => Some(meaning_of(self.store.sealer(), &envelope, &body)) == meaning,
            Ok(Inbound::Ping(_) | Inbound::Hint { .. } | Inbound::Query(_)) | Err(_) => false,
        })
    }

    /// The same key came with another meaning: the first message stands, and a person sees both.
    async fn contradiction(&self, incoming: &Incoming, row: &InboxRow) -> Result<Received, EngineError> {
        let order = match (&row.order, &incoming.inbound) {
            (Some(order), _) => Some(order.clone()),
            (None, Inbound::Message(envelope)) => {
                self.order_about(&incoming.channel, &envelope.about).await?.map(|order| order.id)
            }
            (None, Inbound::Ping(_) | Inbound::Hint { .. } | Inbound::Query(_)) => None,
        };
        self.note(incoming, &row.key, Verdict::Conflict, order.clone()).await?;
        tracing::warn!(
            channel = %incoming.channel.id, call = incoming.endpoint.name, key = %row.key, inbox = %row.id,
            "the same key came with other content; the first message stands"
        );
        if let Some(order) = order {
            let call = incoming.endpoint.name;
            let sentence = format!(
                "the channel sent {call} again under the same number and says something else; the first message stands: compare the \
                 two in the inbox, and settle it with the channel"
            );
            let actor = Actor::new(ActorKind::Channel, incoming.channel.id.as_str());
            self.apply(&order, Command::RecordDoubt { sentence: sentence.into(), unread: false }, actor).await?;
        }
        Ok(Received::ContentDiffers)
    }

    /// A refusal without a number of its own looks the same for each case of an order; its time tells which one is meant.
    async fn refused_once_more(&self, incoming: &Incoming, row: &InboxRow) -> Result<(), EngineError> {
        let Inbound::Message(Envelope { message: Message::Act(command), .. }) = &incoming.inbound else {
            return Ok(());
        };
        if let (Command::RecordRejection(RecordRejection { at: Some(_), .. }), Some(order)) = (&**command, &row.order) {
            let actor = Actor::new(ActorKind::Channel, incoming.channel.id.as_str());
            self.apply(order, (**command).clone(), actor).await?;
        }
        Ok(())
    }

    /// A message that was taken before: the same answer, or a flag when its content is another.
    async fn repeat(&self, incoming: &Incoming, dedupe: &str) -> Result<Received, EngineError> {
        let Some(row) = self.store.inbox_by_dedupe(dedupe).await? else {
            return Ok(Received::TryLater);
        };
        incoming.decided.note(self.turn());
        if !self.says_the_same(incoming, &row).await? {
            return self.contradiction(incoming, &row).await;
        }
        self.refused_once_more(incoming, &row).await?;
        if self.take_on_again(incoming, &row).await?.is_some() {
            return Box::pin(self.repeat(incoming, dedupe)).await;
        }
        self.compare_guests(incoming, &row).await?;
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
                Inbound::Ping(_) | Inbound::Hint { .. } | Inbound::Query(_) => None,
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

    /// Notes a message that changes nothing: malformed, contradictory, or only a hint. Its key is its own content, by its meaning where it
    /// has one: whoever writes the same anew does not fill the inbox.
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
        let moment = self.moment();
        let actor = Actor::new(ActorKind::Channel, incoming.channel.id.as_str());
        let about = match &incoming.inbound {
            Inbound::Hint { about, .. } => about.clone(),
            Inbound::Ping(_) | Inbound::Query(_) | Inbound::Message(_) => None,
        };
        let around = Arc::new((incoming.running.clone(), actor, incoming.channel.id.clone(), about));
        let traceparent = incoming.traceparent.clone();
        let meaning = self.meaning(incoming);
        let content = meaning.clone().unwrap_or_else(|| body_sha256(&incoming.body));
        let parts = [incoming.channel.id.as_str(), incoming.endpoint.name, key, &content, "noted"];
        let new = self.inbox_row(incoming, key, sha256_hex(&parts), meaning);
        let result = self
            .store
            .write("note", move |tx: &Tx| {
                let (new, order_id) = (new.clone(), order_id.clone());
                let (around, traceparent) = (around.clone(), traceparent.clone());
                Box::pin(async move {
                    tx.insert_inbox(&new.row()).await?;
                    tx.finish_inbox(&new.id, verdict, order_id.as_ref(), None).await?;
                    let (running, actor, channel, about) = &*around;
                    if let (Some(order), Some(about)) = (&order_id, about) {
                        let change = Change { running, actor, moment, answering: Answering::Nobody, traceparent };
                        change.follow_up(tx, order, channel, about).await?;
                    }
                    Ok(())
                })
            })
            .await;
        match result {
            Ok(()) => {
                self.work.notify_one();
                Ok(())
            }
            // Noted before: nothing is lost.
            Err(EngineError::Store(StoreError::Duplicate)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Notes a message that cannot be read. Where it names an order of ours, that is shown to a person: its sender does not send it again, and
    /// what it told, a cancellation with its money perhaps, is not in our books.
    ///
    /// # Errors
    /// Store errors.
    pub async fn note_unread(
        &self,
        incoming: &Incoming,
        key: &str,
        about: Option<&ExternalId>,
        field: &str,
    ) -> Result<Option<OrderId>, EngineError> {
        let order = match about {
            Some(about) => self.order_about(&incoming.channel, about).await?.map(|order| order.id),
            None => None,
        };
        self.note(incoming, key, Verdict::Malformed, order.clone()).await?;
        if let Some(order) = &order {
            let sentence = format!(
                "the channel told `{}` of this order, which was refused because of {}: what it told is not in our books, see the inbox, and compare",
                incoming.endpoint.name,
                Quoted::code(field)
            );
            let actor = Actor::new(ActorKind::Channel, incoming.channel.id.as_str());
            self.apply(order, Command::RecordDoubt { sentence: FreeText::our_own(sentence), unread: true }, actor)
                .await?;
        }
        Ok(order)
    }

    fn inbox_row(&self, incoming: &Incoming, key: &str, dedupe: String, content_sha256: Option<String>) -> OwnedInbox {
        OwnedInbox {
            id: format!("inb_{:032x}", self.ids.seed().0),
            dedupe,
            channel: incoming.channel.id.to_string(),
            call: incoming.endpoint.name,
            key: key.to_owned(),
            received_at: self.clock.now(),
            body_sha256: body_sha256(&incoming.body),
            content_sha256,
            body: incoming.body.clone(),
        }
    }

    async fn note_hint(&self, incoming: Incoming) -> Result<Received, EngineError> {
        let (key, about) = match &incoming.inbound {
            Inbound::Hint { key, about, .. } => (key.clone(), about.clone()),
            Inbound::Ping(_) | Inbound::Query(_) | Inbound::Message(_) => (String::new(), None),
        };
        let order = match &about {
            Some(about) => self.store.resolve_ref(&incoming.channel.id, about).await?.and_then(|row| row.order),
            None => None,
        };
        self.note(&incoming, &key, Verdict::Hint, order.clone()).await?;
        incoming.decided.note(self.turn());
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
    content_sha256: Option<String>,
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
            content_sha256: self.content_sha256.as_deref(),
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
