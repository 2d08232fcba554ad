// SPDX-License-Identifier: Apache-2.0

//! A back-end's event: taken once, applied to the order of its reservation.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use ticketbridge_core::message::{Actor, Command, ParkReason};
use ticketbridge_core::order::{AttentionKind, Order};
use ticketbridge_core::port::{BackendEvent, RawRequest, Verified};
use ticketbridge_core::product::Ticketing;
use ticketbridge_core::quoted::{Guests, Quoted};
use ticketbridge_core::{Answering, BackendId, OrderId, Rejection, Why};
use ticketbridge_store::{InboxRow, InboxVerdict, NewInbox, StoreError, StoredAnswer, Tx};

use crate::engine::digest::{body_sha256, meaning_of_act, sha256_hex};
use crate::engine::{Applied, Change, Engine, EngineError, held, needs};
use crate::recorder::turns::Decided;

/// An event that was verified and read.
#[derive(Clone, Debug)]
pub struct HeardEvent {
    /// Whose.
    pub backend: BackendId,
    /// The same, as it stands in the history.
    pub actor: Actor,
    /// The event.
    pub event: BackendEvent,
    /// What it means for the order.
    pub command: Command,
    /// The body.
    pub body: Bytes,
    /// The sender's trace; it is passed on to the calls that the event causes.
    pub traceparent: Option<String>,
    /// When it is decided, among everything else that is.
    pub decided: Decided,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It changed the order.
    Accepted,
    /// It was taken before.
    Duplicate,
    /// It said what was known.
    Stale,
    /// It is of no concern.
    Ignored,
    /// It names something of another reservation in this field, and is not believed; a person is told.
    Astray(&'static str),
    /// It is kept until the order's state allows it.
    Parked(ParkReason),
}

impl Engine {
    /// Takes an event.
    ///
    /// # Errors
    /// A rejection when the reservation is not known or the event contradicts its own repeat; store errors.
    pub async fn hear(&self, heard: HeardEvent) -> Result<(Heard, Option<Order>), EngineError> {
        let dedupe = sha256_hex(&["backend", heard.backend.as_str(), &heard.event.key]);
        let meaning = meaning_of_act(self.store.sealer(), &heard.command);
        let inbox_id = format!("inb_{:032x}", self.ids.seed().0);
        let moment = self.moment();
        let running = self.running();
        let named = held::hashes_named(self.store.sealer(), &heard.backend, false, &heard.command);
        let needs = needs::of_event(&heard.event.booking, &heard.command).with_message(&dedupe).with_held(named);
        let work = Arc::new((heard, dedupe, inbox_id, running, meaning));
        let (task, engine) = (work.clone(), self.clone());
        let result = self
            .store
            .write_needing("hear", needs, move |tx: &Tx| {
                let (work, engine) = (task.clone(), engine.clone());
                Box::pin(async move {
                    let (heard, dedupe, inbox_id, running, meaning) = &*work;
                    let new = NewInbox {
                        id: inbox_id,
                        dedupe,
                        channel: heard.backend.as_str(),
                        call: "events",
                        key: &heard.event.key,
                        received_at: moment.now,
                        body_sha256: &body_sha256(&heard.body),
                        content_sha256: Some(meaning),
                        body: &heard.body,
                    };
                    tx.insert_inbox(&new).await.map_err(|error| match error {
                        StoreError::Duplicate => EngineError::Known,
                        other => EngineError::Store(other),
                    })?;
                    let Some(id) = tx.order_of_booking(&heard.event.booking).await? else {
                        return Err(Rejection::new(Why::NotFound, "no such reservation was made from here")
                            .at("reservation_id")
                            .into());
                    };
                    let Some(order) = tx.lock_order(&id).await? else {
                        return Err(Rejection::new(Why::NotFound, "there is no such order").into());
                    };
                    let actor = &heard.actor;
                    let traceparent = heard.traceparent.clone();
                    let change = Change { running, actor, moment, answering: Answering::Nobody, traceparent };
                    let another = names_another(heard, &order);
                    let doubt = another.map(|field| Command::RecordAstray {
                        partner: heard.backend.to_string(),
                        why: format!("the event's `{field}` is none of this reservation's").into(),
                    });
                    let command = doubt.as_ref().unwrap_or(&heard.command);
                    let applied = change.on_locked(tx, order, command).await?;
                    let what = another.map_or_else(|| what_became(&heard.command, &applied), Heard::Astray);
                    let verdict = match what {
                        Heard::Accepted => InboxVerdict::Accepted,
                        Heard::Duplicate => InboxVerdict::Repeated,
                        Heard::Stale => InboxVerdict::Stale,
                        Heard::Ignored => InboxVerdict::Ignored,
                        Heard::Parked(_) => InboxVerdict::Parked,
                        Heard::Astray(_) => InboxVerdict::Conflict,
                    };
                    let answer = StoredAnswer { status: 200, body: Vec::new() };
                    tx.finish_inbox(inbox_id, verdict, Some(&id), Some(&answer)).await?;
                    let key = Guests::of(&applied.order).code(&heard.event.key);
                    if key != Quoted::code(&heard.event.key) {
                        tx.quote_inbox_key(inbox_id, &key).await?;
                    }
                    heard.decided.note(engine.turn());
                    Ok((applied, what))
                })
            })
            .await;
        match result {
            Ok((applied, what)) => {
                self.announce(&applied);
                Ok((what, Some(applied.order)))
            }
            Err(EngineError::Known) => self.heard_again(&work.0, &work.1, &work.4).await,
            Err(other) => Err(other),
        }
    }

    async fn heard_again(
        &self,
        heard: &HeardEvent,
        dedupe: &str,
        meaning: &str,
    ) -> Result<(Heard, Option<Order>), EngineError> {
        let Some(row) = self.store.inbox_by_dedupe(dedupe).await? else { return Err(EngineError::TryLater) };
        heard.decided.note(self.turn());
        let is_same = match &row.content_sha256 {
            // The same bytes say the same, also where an older version has read less in them.
            Some(known) => known == meaning || row.body_sha256 == body_sha256(&heard.body),
            None => self.said_the_same(heard, &row).await?,
        };
        if !is_same {
            tracing::warn!(backend = %heard.backend, key = %row.key, inbox = %row.id,
                "the same event id came with another body; the first one stands");
            self.note_contradiction(heard, row.order.clone(), meaning).await?;
            if let Some(order) = &row.order {
                let sentence = "the back-end sent an event again under the same id and says something else; the first one stands: \
                                compare the two in the inbox, and ask the back-end";
                let doubt = Command::RecordDoubt { sentence: sentence.into(), unread: false };
                self.apply(order, doubt, heard.actor.clone()).await?;
            }
            return Err(Rejection::new(Why::ContentDiffers, "this event id is known with another body")
                .at("webhook-id")
                .into());
        }
        let order = match &row.order {
            Some(id) => self.store.load_order(id).await?,
            None => None,
        };
        // What was not believed once is not believed when it comes again.
        let another = order.as_ref().filter(|_| row.verdict == InboxVerdict::Conflict);
        match another.map(|order| names_another(heard, order).unwrap_or("data")) {
            Some(field) => Ok((Heard::Astray(field), order)),
            None => Ok((Heard::Duplicate, order)),
        }
    }

    /// The same for a row of an older version, which has only the hash of the bytes; the body may still be there to be read again.
    async fn said_the_same(&self, heard: &HeardEvent, row: &InboxRow) -> Result<bool, EngineError> {
        if row.body_sha256 == body_sha256(&heard.body) {
            return Ok(true);
        }
        let running = self.running();
        let Some(backend) = running.registry.backend(&heard.backend) else { return Ok(false) };
        let Some(body) = self.store.inbox_body(&row.id).await? else { return Ok(false) };
        let mut headers = HeaderMap::new();
        if let Ok(id) = HeaderValue::from_str(&row.key) {
            headers.insert("webhook-id", id);
        }
        let raw = RawRequest { endpoint: "events", method: &Method::POST, query: "", headers: &headers, body: &body };
        Ok(match backend.backend.pushes().map(|pushes| pushes.decode(&Verified::attest(raw, 0))) {
            Some(Ok(event)) => event.booking == heard.event.booking && event.news == heard.event.news,
            Some(Err(_)) | None => false,
        })
    }
}

impl Engine {
    /// Keeps an event that contradicts an earlier one where a person can see it; once for each content.
    async fn note_contradiction(
        &self,
        heard: &HeardEvent,
        order: Option<OrderId>,
        meaning: &str,
    ) -> Result<(), EngineError> {
        let dedupe = sha256_hex(&["backend", heard.backend.as_str(), &heard.event.key, meaning, "noted"]);
        let id = format!("inb_{:032x}", self.ids.seed().0);
        let work = Arc::new((heard.clone(), dedupe, id, order, self.clock.now(), meaning.to_owned()));
        let noted = self
            .store
            .write("note", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (heard, dedupe, id, order, received_at, meaning) = &*work;
                    let new = NewInbox {
                        id,
                        dedupe,
                        channel: heard.backend.as_str(),
                        call: "events",
                        key: &heard.event.key,
                        received_at: *received_at,
                        body_sha256: &body_sha256(&heard.body),
                        content_sha256: Some(meaning),
                        body: &heard.body,
                    };
                    tx.insert_inbox(&new).await?;
                    tx.finish_inbox(id, InboxVerdict::Conflict, order.as_ref(), None).await
                })
            })
            .await;
        match noted {
            Ok(()) | Err(StoreError::Duplicate) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}

/// Whether a back-end has a say about an order: it made its tickets; or nobody that could tell of them did, and it has the gate.
fn has_a_say(heard: &HeardEvent, order: &Order) -> bool {
    match &order.rules.booking.ticketing {
        Ticketing::Backend { backend, .. } => *backend == heard.backend,
        Ticketing::CodePool { .. } | Ticketing::None => matches!(heard.command, Command::Redeem(_)),
    }
}

/// The field of an event that names something of another reservation, or another back-end's.
fn names_another(heard: &HeardEvent, order: &Order) -> Option<&'static str> {
    if !has_a_say(heard, order) {
        return Some("reservation_id");
    }
    heard.event.clues.another(order, order.booking_by_id(&heard.event.booking)?)
}

fn what_became(command: &Command, applied: &Applied) -> Heard {
    let order = &applied.order;
    if let (Command::Redeem(_), Some(_)) = (command, &order.parked_redemption) {
        let reasons = [ParkReason::RefundUnderReview, ParkReason::TooEarly, ParkReason::NotTicketed];
        let stands = reasons.into_iter().find(|reason| order.needs(flag_of(*reason)));
        return Heard::Parked(stands.unwrap_or(ParkReason::RefundUnderReview));
    }
    if applied.changed { Heard::Accepted } else { Heard::Stale }
}

/// The flag that stands for a redemption that waits for this.
fn flag_of(reason: ParkReason) -> AttentionKind {
    match reason {
        ParkReason::RefundUnderReview => AttentionKind::RefundUnderReview,
        ParkReason::TooEarly => AttentionKind::TooEarly,
        ParkReason::NotTicketed => AttentionKind::NotTicketed,
    }
}
