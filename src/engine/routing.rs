// SPDX-License-Identifier: Apache-2.0

//! What a message does: the order that it makes, the booking that it asks for, the fact that it tells; and what its sender is answered.

use ticketbridge_core::message::{
    Command, Counts, PlaceOrder, ProductRef, RequestBooking, Sale, Snapshot, WhenUnknown,
};
use ticketbridge_core::order::{Order, OrderKind};
use ticketbridge_core::port::{Answer, Envelope, HttpReply, Inbound, Message};
use ticketbridge_core::quoted::{Guests, Quoted};
use ticketbridge_core::rules::pairing::{self, Pair};
use ticketbridge_core::{ChannelId, OrderId, Rejection, UnixMillis, Why};
use ticketbridge_store::{InboxVerdict as Verdict, OrderRefRow, Remembered, StoredAnswer, ToRemember, Tx};

use crate::engine::arrival::Incoming;
use crate::engine::early_messages::apply_remembered;
use crate::engine::snapshots::{self, Synced};
use crate::engine::{Applied, Change, EngineError, counts, credit, resold, unknown_product};

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
    let routed = match &incoming.refusal {
        Some(rejection) => Err(EngineError::Rejected(rejection.clone())),
        None => route(tx, change, incoming, envelope, inbox_id).await,
    };
    let routed = match routed {
        Ok(routed) => routed,
        Err(EngineError::Rejected(rejection)) => Routed::Refused(rejection),
        Err(other) => return Err(other),
    };
    if let Routed::Refused(rejection) = &routed {
        note_price(&incoming.channel.id, incoming.endpoint.name, rejection);
        unknown_product::note(incoming, inbox_id, rejection);
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
    if let Some(applied) = &applied {
        let key = Guests::of(&applied.order).code(&envelope.key);
        if key != Quoted::code(&envelope.key) {
            tx.quote_inbox_key(inbox_id, &key).await?;
        }
    }
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
        Message::Booking { sale, request } if request.hold.is_some() => {
            let (sale, request) = at_our_price(incoming, sale, request, change.moment.now)?;
            take_booking(tx, change, incoming, &sale, &request).await
        }
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
            tracing::warn!(channel = %incoming.channel.id, %what, key = %Quoted::code(&envelope.key),
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

async fn place_or_repeat(
    tx: &Tx,
    change: &Change<'_>,
    incoming: &Incoming,
    sale: &Sale,
    told: Told,
) -> Result<Applied, EngineError> {
    let known = tx.lock_ref(&incoming.channel.id, &sale.channel_order_id).await?;
    refuse_tombstone(&known)?;
    let rules = incoming.running.rules_of(&incoming.channel, &sale.product).ok_or_else(|| {
        let voucher = sale.product.voucher.as_ref();
        let known = voucher.and_then(|code| incoming.running.config.voucher(code));
        pairing::unknown(&sale.product, known)
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
    let is_stub = told == Told::ByItsBooking && sale.kind == OrderKind::Voucher;
    let placed = PlaceOrder { channel: incoming.channel.id.clone(), sale: sale.clone(), rules, is_stub };
    change.place(tx, &Command::PlaceOrder(Box::new(placed), counts)).await
}

fn refuse_tombstone(row: &OrderRefRow) -> Result<(), EngineError> {
    match &row.tombstone {
        Some(_) => Err(Rejection::new(Why::Tombstoned, "this order was cancelled before it was told to us").into()),
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
    let counts = counts::for_booking(tx, &order.rules, &order.buyer, request, None).await?;
    let command = Command::RequestBooking(Box::new(RequestBooking { counts, ..request.clone() }));
    let booked = change.next(1).on_locked(tx, order.clone(), &command).await;
    let applied = match booked {
        Ok(applied) => applied,
        // Without a voucher the booking is all that is bought, and the channel is told that there is none: of an order that was made for its
        // sake nothing stays, or it would hold the distributor's credit and stand in the statement.
        Err(EngineError::Rejected(rejection)) if sale_applied.changed && order.kind == OrderKind::Direct => {
            return Err(EngineError::RejectedWhole(rejection));
        }
        // The voucher is real even when its booking is refused: what became known of it stays.
        Err(EngineError::Rejected(rejection)) => return Ok(Routed::Refused(rejection)),
        Err(other) => return Err(other),
    };
    let booking = applied.order.booking_by_ref(reference).map(|booking| booking.id.clone());
    tx.bind_ref(&incoming.channel.id, reference, &applied.order.id, booking.as_ref()).await?;
    let applied = apply_remembered(tx, change, &incoming.channel, applied, reference).await?;
    Ok(Routed::Done(Box::new(Applied { changed: applied.changed || sale_applied.changed, ..applied })))
}

/// Whoever reserves before it sells pays our price of the day, and names none.
fn at_our_price(
    incoming: &Incoming,
    sale: &Sale,
    request: &RequestBooking,
    now: UnixMillis,
) -> Result<(Sale, RequestBooking), EngineError> {
    let product = resold::product(&incoming.running.config, sale.product.booking.as_ref())?;
    let gross = resold::price(product, request.visit_date, sale.quantity)?;
    let sale = Sale { gross, due: gross, placed_at: now, ..sale.clone() };
    Ok((sale, RequestBooking { requested_at: now, ..request.clone() }))
}

/// The booking's pair must be the one that was sold; a visit that has another name by now is noted.
fn check_pair(channel: &ChannelId, order: &Order, named: &ProductRef) -> Result<(), Rejection> {
    match pairing::check(&order.rules, named)? {
        Pair::AsSold => {}
        Pair::OtherVisit => {
            let visit = named.booking.as_ref().map_or("", |code| code.as_str());
            tracing::warn!(%channel, order = %order.id, sold_with = %order.rules.booking.code, named = %Quoted::code(visit),
                "a booking names another visit than the one that its voucher was sold with, which holds");
        }
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
            tracing::warn!(channel = %channel.id, about = %Quoted::code(about.as_str()), "a message came before its order; kept until the order comes");
            let command = Command::SyncSnapshot {
                snapshot: Box::new(snapshot.clone()),
                not_for_sale: None,
                paid_elsewhere: Vec::new(),
                lines_elsewhere: Vec::new(),
            };
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
        let command = counts::counted(tx, &order, command.clone()).await?;
        let command = resold::with_terms(tx, incoming, &order, command).await?;
        return Ok(Routed::Done(Box::new(change.on_locked(tx, order, &command).await?)));
    }
    let is_dead = row.tombstone.is_some();
    match command.when_unknown() {
        WhenUnknown::Remember if is_dead => {
            Err(Rejection::new(Why::Tombstoned, "this order was cancelled before it was told to us").into())
        }
        WhenUnknown::Remember => {
            tracing::warn!(channel = %incoming.channel.id, call = incoming.endpoint.name, about = %Quoted::code(envelope.about.as_str()),
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

/// A demand for tickets counts from when it reached us: an adapter has no clock.
fn stamp(command: &Command, now: UnixMillis) -> Command {
    let mut command = command.clone();
    if let Command::RequestTickets { request, .. } = &mut command {
        request.at = now;
    }
    command
}
