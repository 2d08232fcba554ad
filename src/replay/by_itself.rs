// SPDX-License-Identifier: Apache-2.0

//! What happens by itself in a replay: deliveries, deadlines, tasks. Each begins when it began then. What was not begun then is begun once it
//! has been due for a moment: then it is another version, or another configuration, that wants it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ticketbridge_core::message::DeadlineKind;
use ticketbridge_core::{BackendId, Millis, OrderId, UnixMillis};
use ticketbridge_store::{DeadlineRow, Job, Ready};
use tokio::task::JoinHandle;

use super::partners::Bound;
use super::waiting::{Points, WaitingRoom};
use crate::clock::{Clock as _, TestClock};
use crate::engine::EngineError;
use crate::housekeeping::schedule;
use crate::http::Shared;
use crate::recorder::course::{Caller, Gate, Known, playing};
use crate::recorder::tape::{Ran, Work};
use crate::recorder::turns::TURNS_PER_MS;
use crate::worker::lanes::Seat;

/// What was not begun then is begun so long after it is due.
const GRACE: Millis = Millis(1_000);
/// What is due so much later than it began then is due: its time hangs on a moment.
const SOON: Millis = Millis(1_000);
/// So often is looked for what was not begun then.
const LOOK_EVERY: Millis = Millis(500);
/// What cannot begin when it began then may do so for as long.
const OPEN_FOR: Millis = Millis(10_000);
/// Steps of the clock while something that is due cannot begin.
const STEP: Millis = Millis(250);
/// Turns that everything gets to come to rest in.
const TURNS_MAX: u32 = 1_000_000;
/// Turns in a row in which nothing is busy: what was told a moment ago has been heard then.
const QUIET_TURNS: u32 = 8;
/// Deliveries that are begun at once at most, where they were not begun then.
const AT_ONCE: u32 = 256;

/// What was begun then, and is still to begin.
#[derive(Default)]
pub(super) struct ToCome {
    deliveries: HashMap<String, u32>,
    /// The times of each.
    deadlines: HashMap<(OrderId, DeadlineKind, bool), VecDeque<UnixMillis>>,
    /// Whether the recording tells when something began; an older version did not.
    is_told: bool,
}

impl ToCome {
    /// Of all that was done by itself.
    pub(super) fn of<'r>(all: impl IntoIterator<Item = &'r Ran>) -> Self {
        let mut to_come = Self::default();
        for Ran { what, began, seeds: _, points: _ } in all {
            to_come.is_told = true;
            match what {
                Work::Delivery { id, .. } => *to_come.deliveries.entry(id.clone()).or_default() += 1,
                Work::Deadline { order, deadline, passed } => {
                    let of = (order.clone(), *deadline, *passed);
                    to_come.deadlines.entry(of).or_default().push_back(UnixMillis(began / TURNS_PER_MS));
                }
                Work::Hint { .. } | Work::Task { .. } => {}
            }
        }
        to_come
    }

    fn has_delivery(&self, id: &str) -> bool {
        self.deliveries.get(id).is_some_and(|times| *times > 0)
    }

    /// Whether something of it was done then, when it is due or soon after. One that is due earlier now does not wait for that.
    fn has_deadline(&self, row: &DeadlineRow) -> bool {
        let of = (row.order.clone(), row.kind, row.next_at >= row.due_at);
        let next = self.deadlines.get(&of).and_then(|times| times.front());
        next.is_some_and(|at| *at <= row.next_at + OPEN_FOR)
    }

    fn grace(&self) -> Millis {
        if self.is_told { GRACE } else { Millis(0) }
    }
}

/// A delivery that began then by now, and has not begun.
pub(super) struct Open {
    id: String,
    order: OrderId,
    destination: String,
    call: String,
    way: Way,
    until: UnixMillis,
}

/// How something went then: of what its identifiers were made, when it began, and where it waits on its way.
struct Way {
    seeds: Vec<String>,
    caller: Caller,
    points: Vec<(u32, Arc<Gate>)>,
}

impl Way {
    /// Of what was not done then.
    fn unknown(order: Option<OrderId>) -> Self {
        Self { seeds: Vec::new(), caller: Caller { order, began: None }, points: Vec::new() }
    }

    /// Does it, beside everything else.
    fn spawn(self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let Self { seeds, caller, points } = self;
        tokio::spawn(async move {
            playing(Known { seeds: &seeds, caller: Some(caller), points, answer: None }, work).await;
        })
    }
}

/// All that is under way or may begin.
pub(super) struct ByItself {
    shared: Shared,
    clock: TestClock,
    bound: Arc<Bound>,
    /// Messages whose answers wait while others come.
    pub(super) waiting: WaitingRoom,
    /// Where it waits on its way.
    pub(super) points: Points,
    to_come: ToCome,
    open: Vec<Open>,
    under_way: Mutex<Vec<JoinHandle<()>>>,
    /// When was last looked for what was not begun then.
    looked_at: Option<UnixMillis>,
    /// Who sleeps on the clock for good.
    asleep_anyway: usize,
}

impl ByItself {
    /// Of a bridge that has just been started.
    pub(super) fn new(shared: Shared, clock: TestClock, bound: Arc<Bound>, to_come: ToCome) -> Self {
        let asleep_anyway = clock.sleepers();
        let (waiting, open, under_way) = (WaitingRoom::default(), Vec::new(), Mutex::default());
        let points = Points::default();
        Self { shared, clock, bound, waiting, points, to_come, open, under_way, looked_at: None, asleep_anyway }
    }

    fn under_way(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what has not come to an end.
    pub(super) fn abort(&self) {
        self.under_way().iter().for_each(JoinHandle::abort);
    }

    /// How many are under way.
    fn busy(&self) -> usize {
        let mut under_way = self.under_way();
        under_way.retain(|task| !task.is_finished());
        under_way.len()
    }

    /// Puts the clock to `at`, if that is later.
    pub(super) fn reach(&self, at: UnixMillis) {
        if at > self.clock.now() {
            self.clock.set(at);
        }
    }

    /// Lets everything go on until it waits: for the place of an answer, or for its time.
    pub(super) async fn settle(&self) {
        let mut quiet = 0;
        for _ in 0..TURNS_MAX {
            let busy = self.busy() + self.waiting.busy();
            let asleep = self.clock.sleepers().saturating_sub(self.asleep_anyway);
            quiet = if busy <= self.bound.waiting() + self.points.waited_at() + asleep { quiet + 1 } else { 0 };
            if quiet > QUIET_TURNS {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Something began then by itself; by its number among everything that is played.
    pub(super) async fn begins(&mut self, ran: Ran, number: usize) -> Result<(), EngineError> {
        let Ran { what, began, seeds, points } = ran;
        let caller = Caller { order: what.order().cloned(), began: Some(began) };
        let way = Way { seeds, caller, points: self.points.of(number, &points) };
        match what {
            Work::Delivery { id, order, destination, call } => {
                if let Some(times) = self.to_come.deliveries.get_mut(&id) {
                    *times = times.saturating_sub(1);
                }
                let until = self.clock.now() + OPEN_FOR;
                self.open.push(Open { id, order, destination, call, way, until });
                Ok(())
            }
            Work::Deadline { order, deadline, passed } => {
                if let Some(times) = self.to_come.deadlines.get_mut(&(order.clone(), deadline, passed)) {
                    times.pop_front();
                }
                let until = self.clock.now() + SOON;
                let due = self.shared.engine.store().due_deadlines(until).await?;
                let Some(row) = due.into_iter().find(|row| row.order == order && row.kind == deadline) else {
                    return Ok(());
                };
                self.reach(if passed && row.due_at <= until { row.due_at } else { row.next_at });
                let known = Known { seeds: &way.seeds, ..Known::default() };
                playing(known, self.shared.worker.pass_deadline(&order, deadline)).await
            }
            Work::Hint { backend, about } => {
                if let Some(backend) = self.shared.engine.running().registry.backend(&BackendId::new(backend)) {
                    let worker = self.shared.worker.clone();
                    self.under_way().push(way.spawn(async move { worker.follow(&backend, about).await }));
                }
                Ok(())
            }
            Work::Task { name } => {
                self.carry_out_task(name, way);
                Ok(())
            }
        }
    }

    /// Carries a task of the housekeeping out of which nothing but its name is known, beside everything else.
    pub(super) fn task(&self, name: String) {
        self.carry_out_task(name, Way::unknown(None));
    }

    fn carry_out_task(&self, name: String, way: Way) {
        let shared = self.shared.clone();
        self.under_way().push(way.spawn(async move { schedule::carry_out(&shared, &name).await }));
    }

    fn carry_out(&self, (job, seat): (Job, Seat), way: Way) {
        let worker = self.shared.worker.clone();
        let work = async move {
            worker.carry_out(job).await;
            drop(seat);
        };
        self.under_way().push(way.spawn(work));
    }

    /// Begins the deliveries that began then by now, as far as they can begin.
    pub(super) async fn go_on(&mut self) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.open.retain(|open| open.until >= now);
        if self.open.is_empty() {
            return Ok(());
        }
        let destinations: BTreeSet<String> = self.open.iter().map(|open| open.destination.clone()).collect();
        let destinations: Vec<String> = destinations.into_iter().collect();
        let mut ready = self.shared.engine.store().ready_jobs(now + SOON, &destinations).await?;
        let mut index = 0;
        while let Some(open) = self.open.get(index) {
            let Some(found) = self.ready_for(open, &ready) else {
                index += 1;
                continue;
            };
            let (one, open) = (ready.swap_remove(found), self.open.remove(index));
            self.reach(one.at);
            if let Some(taken) = self.shared.worker.take_these(vec![one.id]).await?.pop() {
                self.carry_out(taken, open.way);
            }
            self.settle().await;
        }
        Ok(())
    }

    /// The delivery that began then; where another version has another one in its place, that.
    fn ready_for(&self, open: &Open, ready: &[Ready]) -> Option<usize> {
        let is_alike = |one: &Ready| {
            one.order == open.order
                && one.destination == open.destination
                && one.call == open.call
                && !self.is_to_come(&one.id)
        };
        let same = ready.iter().position(|one| one.id == open.id);
        same.or_else(|| ready.iter().position(is_alike))
    }

    /// Does what was not begun then and is due until `to`, each at its time.
    pub(super) async fn catch_up(&mut self, to: UnixMillis) -> Result<(), EngineError> {
        let is_soon = |looked: UnixMillis| self.to_come.is_told && to - looked < LOOK_EVERY;
        if self.looked_at.is_some_and(is_soon) {
            return Ok(());
        }
        self.looked_at = Some(to);
        let mut not_before = UnixMillis(i64::MIN);
        while let Some(at) = self.next_due(to).await?.map(|due| due.max(not_before)).filter(|at| *at <= to) {
            self.reach(at);
            self.settle().await;
            if self.do_what_is_due().await? {
                continue;
            }
            // It is due and was not handed out: it waits for its destination.
            let now = self.clock.now();
            let opens = self.shared.worker.next_opening().filter(|opens| *opens > now);
            not_before = opens.unwrap_or(now + STEP);
        }
        Ok(())
    }

    /// When something is to be done next that was not begun then; until `to`.
    async fn next_due(&self, to: UnixMillis) -> Result<Option<UnixMillis>, EngineError> {
        let (store, grace) = (self.shared.engine.store(), self.to_come.grace());
        let until = UnixMillis(to.0.saturating_sub(grace.0));
        let deadlines = store.due_deadlines(until).await?;
        let deadline = deadlines.iter().find(|row| !self.to_come.has_deadline(row)).map(|row| row.next_at);
        let ready = self.shared.worker.ready_until(until).await?;
        let job = ready.iter().find(|one| !self.is_to_come(&one.id)).map(|one| one.at);
        Ok(deadline.into_iter().chain(job).min().map(|at| at + grace))
    }

    fn is_to_come(&self, delivery: &str) -> bool {
        self.to_come.has_delivery(delivery) || self.open.iter().any(|open| open.id == delivery)
    }

    /// Does what was not begun then and is due now; whether that was anything.
    async fn do_what_is_due(&self) -> Result<bool, EngineError> {
        let (worker, store) = (&self.shared.worker, self.shared.engine.store());
        let until = UnixMillis(self.clock.now().0.saturating_sub(self.to_come.grace().0));
        let mut is_done = false;
        for row in store.due_deadlines(until).await? {
            if !self.to_come.has_deadline(&row) {
                worker.pass_deadline(&row.order, row.kind).await?;
                is_done = true;
            }
        }
        worker.find_strays().await?;
        let handed_out = worker.handed_out_now(AT_ONCE).await?;
        let due = self.shared.worker.ready_until(until).await?;
        let wanted = due.into_iter().map(|one| one.id).filter(|id| handed_out.contains(id) && !self.is_to_come(id));
        for taken in worker.take_these(wanted.collect()).await? {
            let way = Way::unknown(Some(taken.0.order.clone()));
            self.carry_out(taken, way);
            self.settle().await;
            is_done = true;
        }
        Ok(is_done)
    }
}
