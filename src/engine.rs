// SPDX-License-Identifier: Apache-2.0

//! The one way in which an order changes: lock it, let the core decide, save the order with its events, and make a row of every
//! effect, in one transaction. Webhooks, workers, deadlines and ops all come through here.

mod apply;
mod arrival;
pub(crate) mod attention;
mod awaited;
pub mod backend_event;
mod capacity;
mod change;
mod ciphers;
mod counts;
pub(crate) mod credit;
pub(crate) mod digest;
mod early_messages;
pub mod effects;
mod elsewhere;
mod error;
pub mod guests;
pub(crate) mod held;
mod incoming;
mod late;
mod let_go;
pub mod manual_commands;
pub(crate) mod needs;
mod owned;
pub(crate) mod purchase_limits;
mod queries;
pub mod replay;
mod reservations;
mod resold;
mod routing;
pub mod settlement;
pub(crate) mod snapshots;
pub mod unknown_calls;
mod unknown_product;
mod unsold;
mod untaped;

pub use arrival::{Incoming, Received};
pub(crate) use awaited::SoFar;
pub(crate) use change::Change;
pub use change::{Applied, InReserve};
pub use error::EngineError;

use std::sync::{Arc, OnceLock};

use ticketbridge_core::{Moment, Order, OrderId};
use ticketbridge_store::{Store, Tx};
use tokio::sync::Notify;

use crate::clock::{Clock, Ids};
use crate::recorder::course::{self, Begun};
use crate::recorder::tape::{Recorder, Work};
use crate::recorder::turns::Turns;
use crate::service::live::{Live, Running};

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) live: Arc<Live>,
    work: Arc<Notify>,
    awaited: Arc<awaited::Awaited<Order>>,
    let_go: Arc<let_go::LetGo>,
    turns: Arc<Turns>,
    recorder: Arc<OnceLock<Recorder>>,
}

impl Engine {
    /// An engine over a store.
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, live: Arc<Live>) -> Self {
        Self {
            store,
            clock,
            ids,
            live,
            work: Arc::new(Notify::new()),
            awaited: Arc::default(),
            let_go: Arc::default(),
            turns: Arc::default(),
            recorder: Arc::default(),
        }
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
        self.live.at(|| self.clock.now())
    }
    /// The holder of the configuration in force.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }
    /// Signalled whenever there may be something for the worker to do.
    pub fn work(&self) -> &Arc<Notify> {
        &self.work
    }
    /// The present, with fresh identifiers.
    pub fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), seed: course::seed(|| self.ids.seed()) }
    }

    /// What is done by itself is written down there from now on.
    pub(crate) fn record_to(&self, recorder: Recorder) {
        // There is one recorder for as long as a service runs.
        let _first = self.recorder.set(recorder);
    }

    /// Where things are recorded, if they may be.
    pub(crate) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.get()
    }

    /// Something begins that is done by itself.
    pub(crate) fn begin(&self, what: Work) -> Begun {
        self.begun_in(self.turn(), what)
    }

    /// The same of something that began in this turn: by what it goes was read then.
    pub(crate) fn begun_in(&self, turn: i64, what: Work) -> Begun {
        Begun { recorder: self.recorder().cloned(), at: self.clock.now(), turn, what }
    }

    /// The order as it is now. When that was is known among everything that is decided: it is read under its lock, and a replay reads it then.
    /// What was asked before has been heard by then.
    pub(crate) async fn read_in_turn(&self, id: &OrderId) -> Result<Option<Order>, EngineError> {
        course::turn_of(id.as_str()).await;
        let (engine, decided, read) = (self.clone(), course::heard_of_calls(), id.clone());
        let turn = decided.clone();
        let order = self.store.write("read_in_turn", move |tx: &Tx| {
            let (engine, decided, read) = (engine.clone(), decided.clone(), read.clone());
            Box::pin(async move {
                let order = tx.lock_order(&read).await?;
                decided.note(engine.turn());
                Ok::<_, EngineError>(order)
            })
        });
        let order = order.await?;
        course::decided(id.as_str(), turn.turn());
        Ok(order)
    }

    /// Waits for its turn where a recording is played, and notes it otherwise: to be done before something is read of which a course goes on.
    pub(crate) async fn look_in_turn(&self, about: &str) {
        course::turn_of(about).await;
        let (decided, turn) = (course::heard_of_calls(), self.turn());
        decided.note(turn);
        course::decided(about, Some(turn));
    }

    /// The turn of something that is decided now.
    pub(crate) fn turn(&self) -> i64 {
        self.turns.next(self.clock.now())
    }

    /// Tells those who wait that an order has changed. Only after the commit.
    pub(crate) fn announce(&self, applied: &Applied) {
        if applied.changed {
            attention::say_what_began(&applied.order);
            self.let_go.note(&applied.order);
            let order = &applied.order;
            self.awaited.tell(&order.id, order.version, || order.clone());
        }
    }

    /// Places that are to be given back to back-ends.
    pub(crate) fn let_go(&self) -> &let_go::LetGo {
        &self.let_go
    }
}
