// SPDX-License-Identifier: Apache-2.0

//! Deliveries from hand to hand: what a commit makes ready is begun at once, where its destination has room and nobody waits for it. Rows
//! that are found by a look, and those that come from hand to hand, are begun in the same way.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ticketbridge_core::{Order, UnixMillis};
use ticketbridge_store::{Desk, HandedOver, Job, JobEnd, Place};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::trouble::log_trouble;
use crate::worker::memory::Holding;
use crate::worker::{LEASE, Worker};

/// Deliveries under way at once, over all destinations: what the machine bears, not what partners take.
pub(super) const IN_FLIGHT_MAX: usize = 8_192;
/// Why a delivery that was handed over waits after all.
const HELD_BACK: &str = "deliveries to this partner are held back";

/// What is under way; ends with `cut`, when whoever began it is given up.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl UnderWay {
    /// How much that is.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
    /// Cuts everything off when it is dropped.
    pub(super) fn cut_when_dropped(&self) -> impl Drop + use<> {
        self.cut.clone().drop_guard()
    }
    /// Waits until all of it has ended.
    pub(super) async fn end(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = cut.cancelled() => {}
            }
        });
    }
}

/// A delivery that is ours, with what keeps its place.
pub(super) struct Begun {
    job: Job,
    /// Its order, where it came with it, and the turn by which it is as it is.
    order: Option<(Order, i64)>,
    seat: Box<dyn Any + Send>,
    holding: Holding,
}

/// The worker, where commits hand over.
pub(super) struct AtDesk {
    worker: Worker,
    under_way: UnderWay,
}

impl AtDesk {
    pub(super) fn new(worker: Worker, under_way: UnderWay) -> Arc<Self> {
        Arc::new(Self { worker, under_way })
    }
}

impl Desk for AtDesk {
    fn now(&self) -> UnixMillis {
        self.worker.engine.clock().now()
    }

    fn place(&self, destination: &str) -> Option<Place> {
        if self.under_way.len() >= IN_FLIGHT_MAX {
            return None;
        }
        let clock = self.worker.engine.clock();
        let limits = self.worker.engine.running().registry.lane_of(destination)?;
        let seat = self.worker.lanes.enter_if_free(destination, limits, clock.monotonic())?;
        Some(Place { until: clock.now() + LEASE, seat: Box::new(seat) })
    }

    fn take(&self, handed_over: Vec<HandedOver>) {
        // Held from now on, so that the leases are prolonged.
        let begun: Vec<Begun> =
            handed_over.into_iter().map(|it| self.worker.begun(it.job, it.order, it.seat)).collect();
        let (worker, under_way) = (self.worker.clone(), self.under_way.clone());
        self.under_way.spawn(async move {
            let begun = worker.let_go_if_paused(begun).await;
            worker.carry_all_out(begun, &under_way).await;
        });
    }
}

impl Worker {
    /// A delivery that is ours from now on.
    pub(super) fn begun(&self, job: Job, order: Option<Order>, seat: Box<dyn Any + Send>) -> Begun {
        let (holding, turn) = (self.held.hold(&job), self.engine.turn());
        let order = order.map(|order| (order, turn));
        Begun { job, order, seat, holding }
    }

    /// Begins them, each on a task of its own.
    pub(super) async fn carry_all_out(&self, begun: Vec<Begun>, under_way: &UnderWay) {
        let at_hand: BTreeSet<_> =
            begun.iter().filter_map(|it| it.order.as_ref()).map(|(order, _)| &order.id).collect();
        let ids: Vec<_> = begun.iter().map(|it| &it.job.order).filter(|id| !at_hand.contains(id)).cloned().collect();
        // It begins by what is read here, not by what the order has become once it is its turn. No two begin in the same turn.
        let turns: Vec<i64> = ids.iter().map(|_| self.engine.turn()).collect();
        // Without them, each delivery asks for its own.
        let orders = self.engine.store().load_orders(&ids).await.unwrap_or_default();
        let read = orders.into_iter().zip(turns);
        let mut orders: BTreeMap<_, _> = read.map(|(order, turn)| (order.id.clone(), (order, turn))).collect();
        for Begun { job, order, seat, holding } in begun {
            let worker = self.clone();
            // Of several deliveries of one order the first gets it: what that one does changes what the others find.
            let order = order.or_else(|| orders.remove(&job.order));
            under_way.spawn(async move {
                worker.carry_out_for(job, order).await;
                drop((seat, holding));
            });
        }
    }

    /// Puts back what a person, here or at another instance, holds back: a look would not have found it.
    async fn let_go_if_paused(&self, begun: Vec<Begun>) -> Vec<Begun> {
        let paused = match self.engine.store().paused().await {
            Ok(paused) => paused,
            Err(error) => {
                // Then a call is not made either: what it comes to could not be kept. The leases run out.
                log_trouble(
                    "it cannot be asked whether a partner is held back; what was handed over is tried later",
                    &error,
                );
                return Vec::new();
            }
        };
        if paused.is_empty() {
            return begun;
        }
        self.lanes.note_paused(&paused);
        let (held_back, free): (Vec<Begun>, Vec<Begun>) =
            begun.into_iter().partition(|it| paused.contains(&it.job.destination));
        for Begun { job, order: _, seat, holding } in held_back {
            let end = JobEnd::PutBack { due_at: job.due_at, why: HELD_BACK.to_owned() };
            if let Err(error) = self.end(&job, end).await {
                log_trouble("a delivery could not be put back; its lease runs out", &error);
            }
            drop((seat, holding));
        }
        free
    }
}
