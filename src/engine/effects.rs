// SPDX-License-Identifier: Apache-2.0

//! Effects become rows: deliveries, deadlines, stock.

use sha2::{Digest, Sha256};
use ticketbridge_core::message::{Destination, Effect, Notification, StockKey, TicketOp};
use ticketbridge_core::order::{Order, TicketingState};
use ticketbridge_core::{OrderId, Rejection, UnixMillis, Why};
use ticketbridge_store::{NewJob, TapePiece, Tx};

use crate::engine::{Change, EngineError, InReserve};
use crate::recorder::tape::{Moved, Piece};

/// Effects of one command, at most: the place of each within the order's deliveries is `version × this + index`.
const EFFECTS_MAX: u64 = 1_000;

/// Where the places of what follows from moved stock begin among them.
const STOCK_FROM: usize = 500;
/// Why a delivery ends without a call.
pub(crate) const MOVED_ON: &str = "the order has moved on";
/// Name of the call that has a channel open the guests' data of a message and of its repeat.
pub(crate) const COMPARE_GUESTS: &str = "compare_guests";
/// Name of the call that tells a channel what is left.
pub(crate) const TELL_STOCK: &str = "tell_stock";

/// The id of effect number `index` of the command that found the order at `version`: the same on every run of the
/// transaction, and so the same idempotency key towards the partner.
fn delivery_id(order: &OrderId, version: u64, index: usize) -> String {
    let digest = Sha256::digest(format!("{order}|{version}|{index}"));
    format!("dlv_{}", &hex::encode(digest)[..32])
}

/// The deliveries of a command that tell a decision which its answer says as well: they alone wait.
pub(crate) fn in_reserve(order: &OrderId, version: u64, effects: &[Effect]) -> Vec<InReserve> {
    let found = effects.iter().enumerate().filter_map(|(index, effect)| match effect {
        Effect::TellChannel {
            notification: notification @ (Notification::RefundApproved { .. } | Notification::RefundRejected { .. }),
            not_before: Some(_),
            told_before: _,
        } => Some(InReserve { delivery: delivery_id(order, version, index), notification: notification.clone() }),
        _ => None,
    });
    found.collect()
}

/// The deadline that an effect serves: of many that wait, the nearest goes first.
fn urgent_at(order: &Order, effect: &Effect) -> Option<UnixMillis> {
    let deadline_of = |id| order.booking_by_id(id).and_then(|booking| booking.ticketing.deadline);
    match effect {
        Effect::CallBackend { booking, op: TicketOp::Issue | TicketOp::Query, .. }
        | Effect::TellChannel { notification: Notification::TicketsIssued { booking }, .. } => deadline_of(booking),
        Effect::TellChannel {
            notification: Notification::RefundApproved { case, .. } | Notification::RefundRejected { case, .. },
            ..
        } => order.refund_case.as_ref().filter(|open| open.id == *case).map(|open| open.review_by),
        Effect::CallBackend { op: TicketOp::Cancel, .. } => order.refund_case.as_ref().map(|open| open.review_by),
        _ => None,
    }
}

async fn take_stock(tx: &Tx, order: &Order, key: &StockKey, units: u32) -> Result<(), EngineError> {
    if (order.is_stub && key.date.is_none()) || order.channel_state.is_some() {
        // Sold already, whatever our count says.
        return Ok(tx.take_sold_stock(key, units).await?);
    }
    match tx.take_stock(key, units).await? {
        true => Ok(()),
        // The row was locked when it was counted; somebody who gets here has counted another row.
        false => Err(Rejection::new(Why::OutOfStock, "the last unit has just been taken").into()),
    }
}

/// An effect that is a call to a partner.
struct Delivery<'e> {
    destination: Destination,
    call: &'e str,
    /// Whether later calls about the order to the same partner wait for it.
    blocks_order: bool,
    not_before: Option<UnixMillis>,
    /// One that waits already is enough.
    once: bool,
}

impl<'e> Delivery<'e> {
    fn of(order: &Order, effect: &'e Effect) -> Option<Self> {
        let at_once =
            |destination, call| Self { destination, call, blocks_order: false, not_before: None, once: false };
        Some(match effect {
            Effect::CallBackend { backend, booking, op, not_before } => {
                let state = order.booking_by_id(booking).map(|b| b.ticketing.state);
                let once = match op {
                    TicketOp::Issue => false,
                    TicketOp::Cancel => true,
                    // One look watches a cancellation. Looks in other states each have their own time.
                    TicketOp::Query => state == Some(TicketingState::Cancelling),
                };
                let (blocks_order, not_before) = (*op != TicketOp::Query, *not_before);
                Self {
                    destination: Destination::Backend(backend.clone()),
                    call: op.name(),
                    blocks_order,
                    not_before,
                    once,
                }
            }
            Effect::TellChannel { notification, not_before, told_before: _ } => {
                let is_for_agency = *notification == Notification::HandOver;
                let whom = if is_for_agency { Destination::Agency } else { Destination::Channel };
                let (destination, not_before) = (whom(order.channel.clone()), *not_before);
                Self { destination, call: notification.name(), blocks_order: true, not_before, once: false }
            }
            Effect::DecryptGuests => at_once(Destination::Channel(order.channel.clone()), "decrypt_guests"),
            Effect::CompareGuests { .. } => at_once(Destination::Channel(order.channel.clone()), COMPARE_GUESTS),
            Effect::TellStock { channel, .. } => at_once(Destination::Channel(channel.clone()), TELL_STOCK),
            Effect::ReadBack { channel, .. } => at_once(Destination::Channel(channel.clone()), "read_back"),
            Effect::ArmDeadline { .. }
            | Effect::DisarmDeadline { .. }
            | Effect::TakeStock { .. }
            | Effect::ReturnStock { .. } => return None,
        })
    }
}

impl Change<'_> {
    /// Makes a row of every effect.
    pub(crate) async fn enqueue(
        &self,
        tx: &Tx,
        order: &Order,
        version: u64,
        effects: &[Effect],
    ) -> Result<(), EngineError> {
        for (index, effect) in effects.iter().enumerate() {
            if let Some(delivery) = Delivery::of(order, effect) {
                self.enqueue_delivery(tx, order, (version, index), effect, delivery).await?;
                continue;
            }
            match effect {
                Effect::ArmDeadline { kind, due_at, warn_at } => {
                    tx.arm(&order.id, *kind, *due_at, warn_at, self.moment.now).await?;
                }
                Effect::DisarmDeadline { kind } => {
                    tx.disarm(&order.id, *kind);
                }
                Effect::TakeStock { key, units } => {
                    take_stock(tx, order, key, *units).await?;
                    self.tape_moved(tx, order, (version, index), key, i64::from(*units)).await?;
                    self.tell_stock(tx, order, version, index, key).await?;
                }
                Effect::ReturnStock { key, units } => {
                    tx.give_back_stock(key, *units).await?;
                    self.tape_moved(tx, order, (version, index), key, -i64::from(*units)).await?;
                    self.tell_stock(tx, order, version, index, key).await?;
                }
                Effect::CallBackend { .. }
                | Effect::TellChannel { .. }
                | Effect::DecryptGuests
                | Effect::CompareGuests { .. }
                | Effect::TellStock { .. }
                | Effect::ReadBack { .. } => {}
            }
        }
        Ok(())
    }

    /// The recording is told in the same transaction: what it does not know of, it would count wrongly ever after.
    async fn tape_moved(
        &self,
        tx: &Tx,
        order: &Order,
        (version, index): (u64, usize),
        key: &StockKey,
        units: i64,
    ) -> Result<(), EngineError> {
        if self.running.config.recorder.keep.is_none() {
            return Ok(());
        }
        let digest = Sha256::digest(format!("moved|{}|{version}|{index}", order.id));
        let id = format!("tap_{}", &hex::encode(digest)[..32]);
        let moved = Piece::Moved(Moved { order: order.id.clone(), key: key.clone(), units });
        let content = serde_json::to_vec(&moved).unwrap_or_default();
        Ok(tx.tape(&[TapePiece { id, at: self.moment.now, content }]).await?)
    }

    async fn enqueue_delivery(
        &self,
        tx: &Tx,
        order: &Order,
        (version, index): (u64, usize),
        effect: &Effect,
        delivery: Delivery<'_>,
    ) -> Result<(), EngineError> {
        let new = NewJob {
            id: delivery_id(&order.id, version, index),
            order: order.id.clone(),
            destination: delivery.destination.to_string(),
            call: delivery.call.to_owned(),
            effect: effect.clone(),
            seq: version * EFFECTS_MAX + index as u64,
            blocks_order: delivery.blocks_order,
            due_at: delivery.not_before.unwrap_or(self.moment.now).max(self.moment.now),
            created_at: self.moment.now,
            traceparent: self.traceparent.clone(),
            urgent_at: urgent_at(order, effect),
        };
        if !delivery.once || !self.is_lined_up(tx, &new).await? {
            tx.enqueue(&new).await?;
        }
        Ok(())
    }

    /// Every channel that sells the product and takes stock hears what is left of the date.
    async fn tell_stock(
        &self,
        tx: &Tx,
        order: &Order,
        version: u64,
        index: usize,
        key: &StockKey,
    ) -> Result<(), EngineError> {
        if key.date.is_none() {
            return Ok(());
        }
        let channels: Vec<_> = self.running.registry.channels().filter(|c| c.channel.takes_stock().is_some()).collect();
        for (place, channel) in channels.iter().enumerate() {
            if channel.id != order.channel && tx.listing(&channel.id, &key.product).await?.is_none() {
                continue;
            }
            let index = STOCK_FROM + index * channels.len() + place;
            let seq = version * EFFECTS_MAX + index as u64;
            tx.enqueue(&NewJob {
                id: delivery_id(&order.id, version, index),
                order: order.id.clone(),
                destination: Destination::Channel(channel.id.clone()).to_string(),
                call: TELL_STOCK.to_owned(),
                effect: Effect::TellStock { channel: channel.id.clone(), key: key.clone() },
                seq,
                blocks_order: false,
                due_at: self.moment.now,
                created_at: self.moment.now,
                traceparent: self.traceparent.clone(),
                urgent_at: None,
            })
            .await?;
        }
        Ok(())
    }

    /// A row for asking the channel of an order that is not known: it carries the id that the order would get.
    pub(crate) async fn enqueue_read_back(
        &self,
        tx: &Tx,
        channel: &ticketbridge_core::ChannelId,
        about: &ticketbridge_core::ExternalId,
    ) -> Result<(), EngineError> {
        let order = self.moment.seed.order();
        tx.enqueue(&self.question(order.clone(), order, channel, about)).await?;
        Ok(())
    }

    /// The row that asks a channel how an order stands. `named` makes its id, and has no other delivery.
    fn question(
        &self,
        named: OrderId,
        order: OrderId,
        channel: &ticketbridge_core::ChannelId,
        about: &ticketbridge_core::ExternalId,
    ) -> NewJob {
        NewJob {
            id: delivery_id(&named, 0, 0),
            order,
            destination: Destination::Channel(channel.clone()).to_string(),
            call: "read_back".to_owned(),
            effect: Effect::ReadBack { channel: channel.clone(), about: about.clone() },
            seq: 0,
            blocks_order: false,
            due_at: self.moment.now,
            created_at: self.moment.now,
            traceparent: self.traceparent.clone(),
            urgent_at: None,
        }
    }

    /// A hint is a reason to read: the channel is asked at once how this order stands. However many hints come, one question waits.
    pub(crate) async fn follow_up(
        &self,
        tx: &Tx,
        order: &OrderId,
        channel: &ticketbridge_core::ChannelId,
        about: &ticketbridge_core::ExternalId,
    ) -> Result<(), EngineError> {
        let question = self.question(self.moment.seed.order(), order.clone(), channel, about);
        if !self.is_lined_up(tx, &question).await? {
            tx.enqueue(&question).await?;
        }
        Ok(())
    }

    /// Whether the same waits already. What changes something is then due no later than the new one would be; a look keeps its time,
    /// or the cancellation that it asks for would bring the next look forward, for ever.
    async fn is_lined_up(&self, tx: &Tx, job: &NewJob) -> Result<bool, EngineError> {
        let Some(id) = tx.waiting(job).await? else { return Ok(false) };
        if job.blocks_order {
            tx.bring_forward(&id, job.due_at).await?;
            if job.due_at <= self.moment.now {
                tx.expedite(&job.order, &job.destination, self.moment.now).await?;
            }
        }
        Ok(true)
    }
}
