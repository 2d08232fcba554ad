// SPDX-License-Identifier: Apache-2.0

//! What every simulation does with its world, whoever sells in it: deliveries that are carried out, hang, go on or die with the process,
//! deadlines that pass, and the end of all work.

use std::pin::Pin;

use ticketbridge::clock::Clock as _;
use ticketbridge::engine::EngineError;
use ticketbridge_core::Millis;
use ticketbridge_core::order::Order;
use ticketbridge_store::{CommitFault, JobFilter, JobState, LaneRoom, PageRequest, StoreError, Tx};

use crate::partners::GateState;
use crate::world::World;

/// Deliveries that hang at once.
const HANGING_MAX: usize = 4;
/// Rounds until everything must be worked off once nothing goes wrong any more.
const ROUNDS_MAX: usize = 400;

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    /// The same for every failure of this kind, whatever the numbers in it.
    pub(crate) fn class(&self) -> String {
        self.0.split(':').next().unwrap_or("").chars().filter(|c| !c.is_ascii_digit()).take(60).collect()
    }
}

/// What becomes of a delivery that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Retried,
    Dropped,
}

type Hanging = Pin<Box<dyn Future<Output = ()>>>;

/// A world, and the deliveries that hang in it.
pub(crate) struct Bench {
    pub(crate) world: World,
    hanging: Vec<Hanging>,
}

impl Bench {
    pub(crate) fn new(world: World) -> Self {
        Self { world, hanging: Vec::new() }
    }

    /// How many deliveries hang.
    pub(crate) fn hanging(&self) -> usize {
        self.hanging.len()
    }

    pub(crate) async fn end(mut self) {
        self.hanging.clear();
        self.world.end().await;
    }

    pub(crate) fn advance(&mut self, ms: i64) {
        self.world.advance(Millis(ms));
        self.world.partners.late_calls(false);
    }

    /// A delivery that hangs is given up by a crash.
    pub(crate) fn kill(&mut self, index: usize) {
        if index < self.hanging.len() {
            drop(self.hanging.remove(index));
        }
    }

    /// The next commit fails, before or after it took effect.
    pub(crate) fn fail_commit(&self, after: bool) {
        self.world.commit_faults.next(if after { CommitFault::After } else { CommitFault::Before });
    }

    /// The process ends, at once, and another begins.
    pub(crate) async fn restart(&mut self) {
        self.hanging.clear();
        self.world.commit_faults.clear();
        self.world.restart().await;
    }

    /// Nothing goes wrong any more: faults end, what is on the way is carried out, who hangs goes on, and the gate makes up its mind.
    pub(crate) async fn calm(&mut self) -> Result<(), Failure> {
        self.world.commit_faults.clear();
        self.world.partners.plan(&[]);
        self.world.partners.late_calls(true);
        while !self.hanging.is_empty() {
            self.go_on(0).await?;
        }
        for (id, reservation) in self.world.partners.reservations() {
            match reservation.state {
                GateState::Pending => self.world.partners.set(&id, GateState::Issued),
                GateState::CancelPending => self.world.partners.set(&id, GateState::Cancelled),
                GateState::Issued | GateState::Refused | GateState::Cancelled | GateState::Used => {}
            }
        }
        Ok(())
    }

    /// What happened to orders: their histories, and their deliveries.
    pub(crate) async fn story(&self, order: &Order) -> Vec<String> {
        let mut lines =
            vec![format!("{} {} {:?} {:?}", order.id, order.channel_order_id, order.state, order.attention)];
        let events = self.world.store().events(&order.id, 0, 200).await.unwrap_or_default();
        lines.extend(events.iter().map(|e| format!("  {} {} {} {:?} {}", e.seq, e.at.0, e.kind, e.actor.name, e.data)));
        let filter = JobFilter { order: Some(order.id.clone()), ..JobFilter::default() };
        let jobs = self.world.store().list_jobs(&filter, &PageRequest { limit: 100, cursor: None }).await;
        let jobs = jobs.map(|page| page.items).unwrap_or_default();
        lines.extend(
            jobs.iter().rev().map(|j| {
                format!("  {} {} {:?} {} tries {:?}", j.created_at.0, j.call, j.state, j.attempts, j.last_error)
            }),
        );
        lines
    }

    /// Whether a result is a failure of the world: a commit that was made to fail is none.
    pub(crate) fn tolerate<T>(result: Result<T, EngineError>, what: &str) -> Result<Option<T>, Failure> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(EngineError::Store(StoreError::Commit(_))) => Ok(None),
            Err(error) => Err(Failure(format!("{what}: {error:?}"))),
        }
    }

    /// One worker carries out so many deliveries, one after the other.
    pub(crate) async fn work(&mut self, instance: usize, many: u8) -> Result<usize, Failure> {
        let mut done = 0;
        for _ in 0..many {
            let worker = self.world.worker(instance).clone();
            let claimed = Self::tolerate(worker.claim(1).await, "deliveries cannot be claimed")?;
            let Some(job) = claimed.unwrap_or_default().into_iter().next() else { break };
            done += 1;
            let clock = self.world.clock.clone();
            let carry_out = async move {
                let seat = worker.lanes().enter(&job, clock.monotonic());
                worker.carry_out(job).await;
                drop(seat);
            };
            self.drive(Box::pin(carry_out)).await;
        }
        Ok(done)
    }

    /// Lets a delivery go on until it ends or hangs.
    async fn drive(&mut self, mut delivery: Hanging) {
        let partners = self.world.partners.clone();
        tokio::select! {
            biased;
            () = &mut delivery => {}
            () = partners.hangs.notified() => {
                self.hanging.push(delivery);
                if self.hanging.len() > HANGING_MAX {
                    drop(self.hanging.remove(0));
                }
            }
        }
    }

    pub(crate) async fn go_on(&mut self, index: usize) -> Result<(), Failure> {
        if index < self.hanging.len() {
            let delivery = self.hanging.remove(index);
            self.world.partners.plan(&[]);
            self.world.partners.release();
            self.drive(delivery).await;
        }
        Ok(())
    }

    pub(crate) async fn dead(&mut self, order: &Order, fate: Fate) -> Result<(), Failure> {
        let filter = JobFilter { state: Some(JobState::Dead), order: Some(order.id.clone()), ..JobFilter::default() };
        let page = PageRequest { limit: 1, cursor: None };
        let found = self.world.store().list_jobs(&filter, &page).await;
        let found = found.map_err(|error| Failure(format!("dead deliveries cannot be listed: {error}")))?;
        let Some(job) = found.items.into_iter().next() else { return Ok(()) };
        let now = self.world.now();
        let done: Result<bool, StoreError> = self
            .world
            .store()
            .write("act", move |tx: &Tx| {
                let id = job.id.clone();
                Box::pin(async move {
                    match fate {
                        Fate::Retried => tx.retry_job(&id, now).await,
                        Fate::Dropped => tx.drop_job(&id, "not needed", now).await,
                    }
                })
            })
            .await;
        match done {
            Ok(_) | Err(StoreError::Commit(_)) => Ok(()),
            Err(error) => Err(Failure(format!("a dead delivery: {error}"))),
        }
    }

    pub(crate) async fn deadlines(&mut self, instance: usize) -> Result<(), Failure> {
        let passed = self.world.worker(instance).pass_due_deadlines().await;
        Self::tolerate(passed, "deadlines cannot be passed").map(|_| ())
    }

    /// Carries out everything that is due; a delivery that makes itself due again, at once and for ever, is a fault.
    async fn work_now(&mut self) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            if self.work(0, 50).await? == 0 {
                return Ok(());
            }
        }
        Err(Failure(format!("deliveries are due at once again and again: {:?}", self.first_left().await)))
    }

    /// What is left to deliver, and why it did not get out.
    async fn first_left(&self) -> Option<(String, Option<String>)> {
        let filter = JobFilter { state: Some(JobState::Pending), ..JobFilter::default() };
        let left = self.world.store().list_jobs(&filter, &PageRequest { limit: 1, cursor: None }).await;
        left.ok().and_then(|page| page.items.into_iter().next()).map(|job| (job.call, job.last_error))
    }

    pub(crate) async fn work_off(&mut self) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            self.deadlines(0).await?;
            self.work_now().await?;
            let lanes = self.world.store().waiting_destinations().await;
            let lanes = lanes.map_err(|error| Failure(format!("deliveries cannot be looked for: {error}")))?;
            let lanes: Vec<_> = lanes.into_iter().map(LaneRoom::unlimited).collect();
            let due = self.world.store().look_ahead(&lanes).await;
            let due = due.map_err(|error| Failure(format!("the next delivery cannot be found: {error}")))?.job;
            let Some(due) = due else { return Ok(()) };
            // A breaker may hold back what is due.
            let wait = (due - self.world.now()).max(Millis::seconds(1));
            self.world.advance(wait);
        }
        Err(Failure(format!("a delivery never ends: {:?}", self.first_left().await)))
    }
}
