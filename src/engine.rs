//! The one way in which an order changes: lock it, let the core decide, save the order with its events, and make a row of every
//! effect, in one transaction. Webhooks, workers, deadlines and ops all come through here.

pub(crate) mod attention;
pub mod backend_event;
mod capacity;
mod counts;
pub(crate) mod credit;
pub(crate) mod digest;
mod early_messages;
pub mod effects;
pub mod guests;
mod incoming;
pub mod manual_commands;
pub(crate) mod needs;
mod payments;
mod purchase_limits;
mod queries;
pub mod replay;
mod routing;
pub mod settlement;
pub(crate) mod snapshots;

pub use incoming::{Incoming, Received};

use std::sync::Arc;

use ticketbridge_core::message::Destination;
use ticketbridge_core::order::Order;
use ticketbridge_core::{Actor, Answering, Command, Event, Moment, Notification, OrderId, Rejection, Seed, Why, run};
use ticketbridge_store::{Store, StoreError, Tx};
use tokio::sync::{Notify, broadcast};

use crate::clock::{Clock, Ids};
use crate::service::live::{Live, Running};

/// Orders whose change may wait to be noticed by a slow listener; one that misses some looks again.
const CHANGES_KEPT: usize = 4_096;

/// Why the engine could not carry something out. A rejection is an answer; everything else is trouble of ours.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The order's state, or the rules, do not allow it.
    #[error("refused: {0}")]
    Rejected(Rejection),
    /// The same message has been taken before.
    #[error("the message is known")]
    Known,
    /// The sender should come again.
    #[error("not yet")]
    TryLater,
    /// Somebody else holds the delivery by now.
    #[error("the lease of the delivery is lost")]
    LeaseLost,
    /// The database failed.
    #[error("the database failed")]
    Store(#[source] StoreError),
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        EngineError::Store(error)
    }
}
impl From<Rejection> for EngineError {
    fn from(rejection: Rejection) -> Self {
        EngineError::Rejected(rejection)
    }
}

/// What an order was, and is.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The order afterwards.
    pub order: Order,
    /// Whether anything happened.
    pub changed: bool,
    /// Deliveries that are kept in reserve: they tell what the answer that is about to go out says as well.
    pub in_reserve: Vec<InReserve>,
}

/// A delivery that is called off when the answer gets out.
#[derive(Clone, Debug)]
pub struct InReserve {
    /// `dlv_…`.
    pub delivery: String,
    /// What it tells.
    pub notification: Notification,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) live: Arc<Live>,
    work: Arc<Notify>,
    changes: broadcast::Sender<OrderId>,
}

impl Engine {
    /// An engine over a store.
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, live: Arc<Live>) -> Self {
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        Self { store, clock, ids, live, work: Arc::new(Notify::new()), changes }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }
    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
    /// The source of identifiers.
    pub fn ids(&self) -> &Arc<dyn Ids> {
        &self.ids
    }
    /// The configuration in force.
    pub fn running(&self) -> Arc<Running> {
        self.live.now()
    }
    /// The holder of the configuration in force.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }
    /// Signalled whenever there may be something for the worker to do.
    pub fn work(&self) -> &Arc<Notify> {
        &self.work
    }
    /// The ids of orders that change, from now on.
    pub fn changes(&self) -> broadcast::Receiver<OrderId> {
        self.changes.subscribe()
    }
    /// The present, with fresh identifiers.
    pub fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), seed: self.ids.seed() }
    }

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
        let moment = self.moment();
        let running = self.running();
        let (target, name) = (id.clone(), command.name());
        let needs = needs::of_commands(id, std::iter::once(&command));
        let work = Arc::new((running, command, actor));
        let applied = self
            .store
            .write_needing(name, needs, move |tx: &Tx| {
                let (work, target) = (work.clone(), target.clone());
                Box::pin(async move {
                    let (running, command, actor) = &*work;
                    let change = Change { running, actor, moment, answering: Answering::Nobody, traceparent: None };
                    change.on(tx, &target, command, expected_version).await
                })
            })
            .await?;
        self.announce(&applied);
        Ok(applied)
    }

    /// The answer goes out: what was kept in case it does not is called off. That this fails is no harm, the same is told twice then.
    pub async fn call_off(&self, in_reserve: Vec<InReserve>) {
        if in_reserve.is_empty() {
            return;
        }
        let (in_reserve, now) = (Arc::new(in_reserve), self.clock.now());
        let dropped = self.store.write("call_off_reserve", move |tx: &Tx| {
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

    /// Tells those who wait that an order has changed. Only after the commit.
    pub(crate) fn announce(&self, applied: &Applied) {
        if applied.changed {
            attention::say_what_began(&applied.order);
            // Nobody may be listening; then nobody waits.
            let _ = self.changes.send(applied.order.id.clone());
        }
    }
}

/// One change of one order inside a transaction: who causes it, when, under which configuration.
pub(crate) struct Change<'a> {
    pub(crate) running: &'a Running,
    pub(crate) actor: &'a Actor,
    pub(crate) moment: Moment,
    pub(crate) answering: Answering,
    pub(crate) traceparent: Option<String>,
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
        let claimed = payments::claim(tx, &before, command).await?;
        let command = claimed.as_ref().unwrap_or(command);
        let outcome = run(Some(&before), command, self.actor, self.moment, self.answering)?;
        if outcome.events.is_empty() {
            return Ok(Applied { order: before, changed: false, in_reserve: Vec::new() });
        }
        tx.save_order(&outcome.order, before.version, &outcome.events).await?;
        self.enqueue(tx, &outcome.order, before.version, &outcome.effects).await?;
        if outcome.events.iter().any(|record| record.event == Event::TicketsAnswered) {
            // The call that was kept in reserve is looked at now, and found to be no longer wanted.
            tx.hurry(&before.id, &Destination::Channel(before.channel.clone()).to_string(), self.moment.now).await?;
        }
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
        self.enqueue(tx, &outcome.order, 0, &outcome.effects).await?;
        purchase_limits::follow(tx, None, &outcome.order).await?;
        credit::follow(tx, self.running, None, &outcome.order).await?;
        settlement::follow(tx, self.running, None, &outcome.order).await?;
        guests::follow(tx, None, &outcome.order).await?;
        Ok(Applied { order: outcome.order, changed: true, in_reserve: Vec::new() })
    }

    /// A change that follows in the same transaction needs identifiers of its own.
    pub(crate) fn next(&self, step: u128) -> Change<'_> {
        let seed = Seed(self.moment.seed.0.wrapping_add(step));
        Change {
            moment: Moment { now: self.moment.now, seed },
            running: self.running,
            actor: self.actor,
            answering: self.answering,
            traceparent: self.traceparent.clone(),
        }
    }
}
