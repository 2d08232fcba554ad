//! A channel's message: taken once, answered the same every time.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use ticketbridge_core::command::{Command, Counts, PlaceOrder, ProductRef, RequestBooking, Sale, WhenUnknown};
use ticketbridge_core::decide::dates_demanded;
use ticketbridge_core::event::{Actor, ActorKind};
use ticketbridge_core::mirror::Snapshot;
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Answer, Endpoint, Envelope, HttpReply, Inbound, Message};
use ticketbridge_core::{Answering, ChannelId, ExternalId, OrderId, Rejection, UnixMillis, Why};
use ticketbridge_store::{
    InboxRow, InboxVerdict as Verdict, NewInbox, OrderRefRow, Remembered, StoreError, StoredAnswer, ToRemember, Tx,
};

use crate::config::Config;
use crate::engine::snapshots::{self, Synced};
use crate::engine::{Applied, Change, Engine, EngineError, InReserve, counts, credit};
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

/// What a message led to, before it is put into the channel's words.
enum Routed {
    Done(Box<Applied>),
    /// Taken; something later was known.
    Stale(Box<Applied>),
    /// Stored; it is about no order.
    Noted(Verdict),
    Kept,
    Refused(Rejection),
    NoSuchOrder,
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

/// Carries a new message out and writes its answer into its inbox row.
pub(crate) async fn take(
    tx: &Tx,
    change: &Change<'_>,
    incoming: &Incoming,
    inbox_id: &str,
) -> Result<Taken, EngineError> {
    let Inbound::Message(envelope) = &incoming.inbound else {
        return Err(EngineError::TryLater);
    };
    let routed = match route(tx, change, incoming, envelope, inbox_id).await {
        Ok(routed) => routed,
        Err(EngineError::Rejected(rejection)) => Routed::Refused(rejection),
        Err(other) => return Err(other),
    };
    if let Routed::Refused(rejection) = &routed {
        note_price(&incoming.channel.id, incoming.endpoint.name, rejection);
    }
    let (answer, verdict) = match &routed {
        Routed::Done(applied) => (Answer::Accepted(&applied.order), Verdict::Accepted),
        Routed::Stale(applied) => (Answer::Stale(&applied.order), Verdict::Accepted),
        Routed::Noted(verdict) => (Answer::Noted, *verdict),
        Routed::Kept => (Answer::Kept, Verdict::Parked),
        Routed::Refused(rejection) => (Answer::Refused(rejection), Verdict::Refused),
        Routed::NoSuchOrder => (Answer::NoSuchOrder, Verdict::Refused),
    };
    let reply = incoming.channel.channel.reply(incoming.endpoint.name, Some(&incoming.inbound), &answer);
    let applied = match routed {
        Routed::Done(applied) | Routed::Stale(applied) => Some(*applied),
        Routed::Noted(_) | Routed::Kept | Routed::Refused(_) | Routed::NoSuchOrder => None,
    };
    let about = match &applied {
        Some(applied) => Some(applied.order.id.clone()),
        None => order_behind(tx, incoming, envelope).await?,
    };
    let answer = StoredAnswer { status: reply.status.as_u16(), body: reply.body.to_vec() };
    tx.finish_inbox(inbox_id, verdict, about.as_ref(), Some(&answer)).await?;
    Ok(Taken { applied, reply, verdict, about })
}

/// Two prices that differ concern whoever keeps the configuration: the sentence names both (DY-03), and nobody's data.
pub(crate) fn note_price(channel: &ChannelId, call: &str, rejection: &Rejection) {
    if rejection.why == Why::PriceMismatch {
        tracing::warn!(%channel, call, "a price is not the configured one: {}", rejection.sentence);
    }
}

/// A message that was carried out, with its answer.
pub(crate) struct Taken {
    pub(crate) applied: Option<Applied>,
    pub(crate) reply: HttpReply,
    pub(crate) verdict: Verdict,
    pub(crate) about: Option<OrderId>,
}

/// The order that a refused message speaks of, so that it shows among that order's calls.
async fn order_behind(tx: &Tx, incoming: &Incoming, envelope: &Envelope) -> Result<Option<OrderId>, EngineError> {
    let number = match &envelope.message {
        Message::Booking { sale, .. } => &sale.channel_order_id,
        Message::Listing(_) => return Ok(None),
        Message::Sale(_) | Message::Snapshot(_) | Message::Act(_) | Message::Note { .. } => &envelope.about,
    };
    Ok(tx.resolve_ref(&incoming.channel.id, number).await?.and_then(|row| row.order))
}

async fn route(
    tx: &Tx,
    change: &Change<'_>,
    incoming: &Incoming,
    envelope: &Envelope,
    inbox_id: &str,
) -> Result<Routed, EngineError> {
    match &envelope.message {
        Message::Sale(sale) => take_sale(tx, change, incoming, sale).await,
        Message::Booking { sale, request } => take_booking(tx, change, incoming, sale, request).await,
        Message::Snapshot(snapshot) => take_snapshot(tx, change, incoming, snapshot, inbox_id).await,
        Message::Listing(listing) => {
            tx.put_listing(&incoming.channel.id, listing).await?;
            Ok(Routed::Noted(Verdict::Accepted))
        }
        Message::Note { known: true, .. } => Ok(Routed::Noted(Verdict::Accepted)),
        Message::Note { what, known: false } => {
            metrics::counter!("ticketbridge_unrouted_messages_total", "channel" => incoming.channel.id.to_string())
                .increment(1);
            tracing::warn!(channel = %incoming.channel.id, what, key = %envelope.key,
                "a message of a kind that nobody knows is kept, and changes nothing; replay it once it is known");
            Ok(Routed::Noted(Verdict::Unrouted))
        }
        Message::Act(command) => take_act(tx, change, incoming, envelope, command, inbox_id).await,
    }
}

async fn take_sale(tx: &Tx, change: &Change<'_>, incoming: &Incoming, sale: &Sale) -> Result<Routed, EngineError> {
    let applied = place_or_repeat(tx, change, incoming, sale, Told::ByItself).await?;
    let applied = apply_remembered(tx, change, &incoming.channel, applied, &sale.channel_order_id).await?;
    Ok(Routed::Done(Box::new(applied)))
}

/// How a sale became known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// By its own message.
    ByItself,
    /// Only through a booking that refers to it (H2).
    ByItsBooking,
}

/// Which half of `VOUCHER|BOOKING` is the wrong one.
fn why_unknown(config: &Config, product: &ProductRef) -> String {
    let voucher = product.voucher.as_ref();
    match (voucher.and_then(|code| config.voucher(code)), product.booking.as_ref()) {
        (Some(known), Some(named)) if known.booking_product != *named => {
            format!("`{}` is sold with `{}`, not with `{named}`", known.code, known.booking_product)
        }
        _ => {
            let code = voucher.or(product.booking.as_ref()).map_or("", |code| code.as_str());
            format!("no product `{code}` is configured")
        }
    }
}

async fn place_or_repeat(
    tx: &Tx,
    change: &Change<'_>,
    incoming: &Incoming,
    sale: &Sale,
    told: Told,
) -> Result<Applied, EngineError> {
    let known = tx.lock_ref(&incoming.channel.id, &sale.channel_order_id).await?;
    refuse_tombstone(&known)?;
    let rules =
        incoming.running.config.rule_snapshot(incoming.channel.channel.rules(), &sale.product).ok_or_else(|| {
            let sentence = why_unknown(&incoming.running.config, &sale.product);
            Rejection::new(Why::OffSale, sentence).at("product_out_id")
        });
    if let Some(id) = known.order.clone() {
        if told == Told::ByItsBooking {
            return match tx.lock_order(&id).await? {
                Some(order) => Ok(Applied { order, changed: false, in_reserve: Vec::new() }),
                None => Err(EngineError::TryLater),
            };
        }
        let Some(order) = tx.lock_order(&id).await? else { return Err(EngineError::TryLater) };
        let rules = order.rules.clone();
        let placed = PlaceOrder { channel: incoming.channel.id.clone(), sale: sale.clone(), rules, is_stub: false };
        let command = Command::PlaceOrder(Box::new(placed), Default::default());
        return change.on_locked(tx, order, &command).await;
    }
    let rules = rules?;
    let counts = counts::for_sale(tx, &rules, sale).await?;
    let credit_available = credit::available(tx, &incoming.running, &incoming.channel.id, sale).await?;
    let counts = Counts { credit_available, ..counts };
    let is_stub = told == Told::ByItsBooking && sale.kind == ticketbridge_core::order::OrderKind::Voucher;
    let placed = PlaceOrder { channel: incoming.channel.id.clone(), sale: sale.clone(), rules, is_stub };
    let applied = change.place(tx, &Command::PlaceOrder(Box::new(placed), counts)).await?;
    tx.bind_ref(&incoming.channel.id, &sale.channel_order_id, &applied.order.id, None).await?;
    Ok(applied)
}

fn refuse_tombstone(row: &OrderRefRow) -> Result<(), EngineError> {
    match &row.tombstone {
        Some(_) => Err(Rejection::new(Why::Tombstoned, "this order was called off before it was told to us").into()),
        None => Ok(()),
    }
}

async fn take_booking(
    tx: &Tx,
    change: &Change<'_>,
    incoming: &Incoming,
    sale: &Sale,
    request: &RequestBooking,
) -> Result<Routed, EngineError> {
    let reference = &request.channel_booking_id;
    let known = tx.lock_ref(&incoming.channel.id, reference).await?;
    refuse_tombstone(&known)?;
    let sale_applied = place_or_repeat(tx, change, incoming, sale, Told::ByItsBooking).await?;
    let order = sale_applied.order;
    check_pair(&incoming.channel.id, &order, &sale.product)?;
    if let Some(other) = known.order.filter(|id| id != &order.id) {
        let sentence = format!("this booking belongs to order {other}");
        return Err(Rejection::new(Why::ContentDiffers, sentence).at("source_order_id").into());
    }
    let counts = counts::for_booking(tx, &order.rules, &order.buyer, request).await?;
    let command = Command::RequestBooking(Box::new(RequestBooking { counts, ..request.clone() }));
    let booked = change.next(1).on_locked(tx, order.clone(), &command).await;
    let applied = match booked {
        Ok(applied) => applied,
        // The voucher is real even when its booking is refused: what became known of it stays.
        Err(EngineError::Rejected(rejection)) => return Ok(Routed::Refused(rejection)),
        Err(other) => return Err(other),
    };
    let booking = applied.order.booking_by_ref(reference).map(|booking| booking.id.clone());
    tx.bind_ref(&incoming.channel.id, reference, &applied.order.id, booking.as_ref()).await?;
    let applied = apply_remembered(tx, change, &incoming.channel, applied, reference).await?;
    Ok(Routed::Done(Box::new(Applied { changed: applied.changed || sale_applied.changed, ..applied })))
}

/// A voucher is booked as what it was sold as. Its visit may have another name by now: the one that it was sold with holds (DY-18).
fn check_pair(channel: &ChannelId, order: &Order, named: &ProductRef) -> Result<(), EngineError> {
    let (Some(sold), Some(voucher)) = (&order.rules.voucher, &named.voucher) else { return Ok(()) };
    if sold.code != *voucher {
        let sentence = format!("this order was sold as `{}`, and the booking names `{voucher}`", sold.code);
        return Err(Rejection::new(Why::OffSale, sentence).at("product_out_id").into());
    }
    if let Some(visit) = named.booking.as_ref().filter(|visit| **visit != order.rules.booking.code) {
        tracing::warn!(%channel, order = %order.id, sold_with = %order.rules.booking.code, named = %visit,
            "a booking names another visit than the one that its voucher was sold with, which holds");
    }
    Ok(())
}

/// A whole order as its channel tells it: taken over, made, or kept until an earlier message or a read-back makes it.
async fn take_snapshot(
    tx: &Tx,
    change: &Change<'_>,
    incoming: &Incoming,
    snapshot: &Snapshot,
    inbox_id: &str,
) -> Result<Routed, EngineError> {
    let channel = &incoming.channel;
    match snapshots::sync(tx, change, channel, snapshot).await? {
        Synced::Taken(applied) => Ok(Routed::Done(applied)),
        Synced::Stale(applied) => Ok(Routed::Stale(applied)),
        Synced::Made(applied) => {
            let applied = apply_remembered(tx, change, channel, *applied, &snapshot.sale.channel_order_id).await?;
            Ok(Routed::Done(Box::new(applied)))
        }
        Synced::Unknown => {
            let about = &snapshot.sale.channel_order_id;
            tracing::warn!(channel = %channel.id, %about, "a message came before its order; kept until the order comes");
            let command = Command::SyncSnapshot { snapshot: Box::new(snapshot.clone()), not_for_sale: None };
            let kept = ToRemember { inbox_id, message: &command, at: change.moment.now };
            if tx.remember(&channel.id, about, &kept).await? == Remembered::Full {
                return Err(EngineError::TryLater);
            }
            if snapshot.can_read_back {
                change.enqueue_read_back(tx, &channel.id, about).await?;
            }
            Ok(Routed::Kept)
        }
    }
}

/// What came too early is carried out now, in the order in which it came (H1).
pub(crate) async fn apply_remembered(
    tx: &Tx,
    change: &Change<'_>,
    channel: &RegisteredChannel,
    applied: Applied,
    reference: &ExternalId,
) -> Result<Applied, EngineError> {
    let mut current = applied;
    let remembered: Vec<Command> = tx.take_remembered(&channel.id, reference, &current.order.id).await?;
    for (index, command) in remembered.iter().enumerate() {
        let later = Change { answering: Answering::Nobody, ..change.next(2 + index as u128) };
        match carry_out_remembered(tx, &later, current.order.clone(), command).await {
            Ok(next) => current = Applied { changed: current.changed || next.changed, ..next },
            Err(EngineError::Rejected(rejection)) => {
                tracing::warn!(order = %current.order.id, command = command.name(), code = rejection.why.code(),
                    "a message that had come too early no longer applies");
            }
            Err(other) => return Err(other),
        }
    }
    Ok(current)
}

async fn carry_out_remembered(
    tx: &Tx,
    change: &Change<'_>,
    order: Order,
    command: &Command,
) -> Result<Applied, EngineError> {
    let command = &counted(tx, &order, command.clone()).await?;
    let applied = change.on_locked(tx, order, command).await?;
    let Command::RequestTickets { target, .. } = command else { return Ok(applied) };
    // Its answer has said "not yet", some time ago.
    let deferred = Command::AnswerTickets { target: target.clone(), with_tickets: false };
    change.next(1 << 32).on_locked(tx, applied.order, &deferred).await
}

async fn take_act(
    tx: &Tx,
    change: &Change<'_>,
    incoming: &Incoming,
    envelope: &Envelope,
    command: &Command,
    inbox_id: &str,
) -> Result<Routed, EngineError> {
    let row = tx.lock_ref(&incoming.channel.id, &envelope.about).await?;
    let stamped = stamp(command, change.moment.now);
    let command = &stamped;
    if let Some(id) = &row.order {
        let Some(order) = tx.lock_order(id).await? else { return Err(EngineError::TryLater) };
        let command = counted(tx, &order, command.clone()).await?;
        return Ok(Routed::Done(Box::new(change.on_locked(tx, order, &command).await?)));
    }
    let is_dead = row.tombstone.is_some();
    match command.when_unknown() {
        WhenUnknown::Remember if is_dead => {
            Err(Rejection::new(Why::Tombstoned, "this order was called off before it was told to us").into())
        }
        WhenUnknown::Remember => {
            tracing::warn!(channel = %incoming.channel.id, call = incoming.endpoint.name, about = %envelope.about,
                "a message came before its order; kept until the order comes");
            let kept = ToRemember { inbox_id, message: command, at: change.moment.now };
            match tx.remember(&incoming.channel.id, &envelope.about, &kept).await? {
                Remembered::Kept => Ok(Routed::Kept),
                Remembered::Full => Err(EngineError::TryLater),
            }
        }
        WhenUnknown::Tombstone => {
            tx.put_tombstone(&incoming.channel.id, &envelope.about, command.name()).await?;
            Ok(Routed::Kept)
        }
        WhenUnknown::TryLater => Err(EngineError::TryLater),
        WhenUnknown::Create | WhenUnknown::NotFound => Ok(Routed::NoSuchOrder),
    }
}

/// A demand for tickets that names the date has to find a place on it, as a booking has.
async fn counted(tx: &Tx, order: &Order, mut command: Command) -> Result<Command, EngineError> {
    if let Command::RequestTickets { target, validity, date_left, .. } = &mut command {
        let dates = order.booking_by_ref(target).and_then(|booking| dates_demanded(order, booking, *validity));
        *date_left = counts::date_left(tx, &order.rules.booking, dates.map(|(first, _)| first)).await?;
    }
    Ok(command)
}

/// A demand for tickets counts from when it reached us: an adapter has no clock.
fn stamp(command: &Command, now: UnixMillis) -> Command {
    let mut command = command.clone();
    if let Command::RequestTickets { request, .. } = &mut command {
        request.at = now;
    }
    command
}

fn dedupe(incoming: &Incoming, key: &str) -> String {
    sha256_hex(&[incoming.channel.id.as_str(), incoming.endpoint.name, key])
}

/// Lower-hex SHA-256 over parts that cannot run into each other.
pub(crate) fn sha256_hex(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// Lower-hex SHA-256 of a JSON body's content: the same for any order of keys and any white space; of the bytes when it is no JSON.
pub fn content_sha256(body: &[u8]) -> String {
    fn sorted(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| key.as_str());
                serde_json::Value::Object(entries.into_iter().map(|(k, v)| (k.clone(), sorted(v))).collect())
            }
            serde_json::Value::Array(items) => serde_json::Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => hex::encode(Sha256::digest(sorted(&value).to_string())),
        Err(_) => hex::encode(Sha256::digest(body)),
    }
}
