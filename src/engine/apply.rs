// SPDX-License-Identifier: Apache-2.0

//! Carrying a command out: lock the order, let the core decide, save it with its events, make a row of every effect, and let everything
//! that is counted beside orders follow.

use std::sync::Arc;

use ticketbridge_core::message::{Destination, Effect};
use ticketbridge_core::order::{AttentionKind, Order};
use ticketbridge_core::still_needed::is_still_needed;
use ticketbridge_core::{Actor, Answering, Command, Event, OrderId, Rejection, Why, run};
use ticketbridge_store::{StoreError, Tx};

use crate::engine::effects::MOVED_ON;
use crate::engine::{
    Applied, Change, Engine, EngineError, InReserve, credit, effects, guests, held, needs, owned, purchase_limits,
    settlement,
};
use crate::recorder::course;

impl Engine {
    /// Carries one command out on one order.
    ///
    /// # Errors
    /// [`EngineError::Rejected`] when the order does not allow it (also when there is none); store errors.
    pub async fn apply(&self, id: &OrderId, command: Command, actor: Actor) -> Result<Applied, EngineError> {
        self.apply_at(id, command, actor, None).await
    }

    /// The same, only if the order is still at `expected_version`.
    ///
    /// # Errors
    /// As [`Engine::apply`]; a rejection `version_conflict` when it is not.
    pub async fn apply_at(
        &self,
        id: &OrderId,
        command: Command,
        actor: Actor,
        expected_version: Option<u64>,
    ) -> Result<Applied, EngineError> {
        course::turn_of(id.as_str()).await;
        let moment = self.moment();
        let running = self.running();
        let (target, name) = (id.clone(), command.name());
        let needs = needs::of_commands(id, std::iter::once(&command));
        let work = Arc::new((running, command, actor));
        let (engine, decided) = (self.clone(), course::heard_of_calls());
        let turn = decided.clone();
        let applied = self
            .store
            .write_needing(name, needs, move |tx: &Tx| {
                let (work, target) = (work.clone(), target.clone());
                let (engine, decided) = (engine.clone(), decided.clone());
                Box::pin(async move {
                    let (running, command, actor) = &*work;
                    let change = Change { running, actor, moment, answering: Answering::Nobody, traceparent: None };
                    let applied = change.on(tx, &target, command, expected_version).await;
                    decided.note(engine.turn());
                    applied
                })
            })
            .await;
        course::decided(id.as_str(), turn.turn());
        let applied = applied?;
        self.announce(&applied);
        Ok(applied)
    }

    /// The answer goes out: what was kept in case it does not is cancelled. That this fails is no harm, the same is told twice then.
    pub async fn spare_reserve(&self, in_reserve: Vec<InReserve>) {
        if in_reserve.is_empty() {
            return;
        }
        let (in_reserve, now) = (Arc::new(in_reserve), self.clock.now());
        let dropped = self.store.write("spare_reserve", move |tx: &Tx| {
            let in_reserve = in_reserve.clone();
            Box::pin(async move {
                for delivery in in_reserve.iter() {
                    tx.spare_job(&delivery.delivery, "the answer to the channel's own call has told it", now).await?;
                }
                Ok::<(), StoreError>(())
            })
        });
        if let Err(error) = dropped.await {
            tracing::warn!("what the answer says is told by a call as well: {error}");
        }
    }
}

impl Change<'_> {
    /// Locks the order, decides, saves, enqueues.
    pub(crate) async fn on(
        &self,
        tx: &Tx,
        id: &OrderId,
        command: &Command,
        expected_version: Option<u64>,
    ) -> Result<Applied, EngineError> {
        let Some(order) = tx.lock_order(id).await? else {
            return Err(Rejection::new(Why::NotFound, "there is no such order").into());
        };
        if let Some(expected) = expected_version.filter(|version| *version != order.version) {
            let sentence = format!("the order is at version {}, not {expected}; read it again", order.version);
            return Err(Rejection::new(Why::VersionConflict, sentence).into());
        }
        self.on_locked(tx, order, command).await
    }

    /// The same for an order that is locked already.
    pub(crate) async fn on_locked(&self, tx: &Tx, before: Order, command: &Command) -> Result<Applied, EngineError> {
        ticketbridge_core::invariants::check(&before);
        let claimed = owned::claim(tx, &before, command).await?;
        let command = claimed.as_ref().unwrap_or(command);
        let mut outcome = run(Some(&before), command, self.actor, self.moment, self.answering)?;
        if let Some(held) = held::claim(tx, &outcome.order, &outcome.events).await? {
            let instead = held.instead_of(command)?;
            outcome = run(Some(&before), &instead, self.actor, self.moment, self.answering)?;
        }
        if outcome.events.is_empty() {
            return Ok(Applied { order: before, changed: false, in_reserve: Vec::new() });
        }
        tx.save_order(&outcome.order, before.version, &outcome.events).await?;
        self.enqueue(tx, &outcome.order, before.version, &outcome.effects).await?;
        if outcome.events.iter().any(|record| record.event == Event::TicketsAnswered) {
            // The call that was kept in reserve is no longer wanted. Where the partner was gone, the worker also says that it is back.
            let now = &outcome.order;
            let is_needed = |effect: &Effect| now.needs(AttentionKind::PartnerGone) || is_still_needed(now, effect);
            let channel = Destination::Channel(before.channel.clone()).to_string();
            tx.expedite_needed(&before.id, &channel, self.moment.now, is_needed, MOVED_ON).await?;
        }
        owned::name(tx, Some(&before), &outcome.order).await?;
        purchase_limits::follow(tx, Some(&before), &outcome.order).await?;
        credit::follow(tx, self.running, Some(&before), &outcome.order).await?;
        settlement::follow(tx, self.running, Some(&before), &outcome.order).await?;
        guests::follow(tx, Some(&before), &outcome.order).await?;
        let in_reserve = effects::in_reserve(&before.id, before.version, &outcome.effects);
        Ok(Applied { order: outcome.order, changed: true, in_reserve })
    }

    /// Takes a sale on that is not known yet.
    pub(crate) async fn place(&self, tx: &Tx, command: &Command) -> Result<Applied, EngineError> {
        let outcome = run(None, command, self.actor, self.moment, self.answering)?;
        tx.insert_order(&outcome.order, &outcome.events).await?;
        owned::name(tx, None, &outcome.order).await?;
        self.enqueue(tx, &outcome.order, 0, &outcome.effects).await?;
        purchase_limits::follow(tx, None, &outcome.order).await?;
        credit::follow(tx, self.running, None, &outcome.order).await?;
        settlement::follow(tx, self.running, None, &outcome.order).await?;
        guests::follow(tx, None, &outcome.order).await?;
        Ok(Applied { order: outcome.order, changed: true, in_reserve: Vec::new() })
    }
}
