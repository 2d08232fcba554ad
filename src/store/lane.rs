// SPDX-License-Identifier: Apache-2.0

//! The write path: the only way to a transaction.
//!
//! A lane is a task that owns one connection. Works reach it by a bounded queue; who asked waits for the result on a channel, and
//! may go away at any moment: then an ear is gone, never a transaction. A lane takes what is waiting, reads what all of it needs with
//! one statement for each kind, carries the works out one after the other in memory, writes what they changed with one statement for
//! each table, commits once, and only then hands out the results.
//!
//! On SQLite there is one lane, for everything. On PostgreSQL and MySQL a few lanes take the works that have said what they need
//! ([`Needs`]), one of them those that queue at a row which is counted; the other lanes take works one by one: those that have not said
//! it, and those that turned out to need a lock which they had not named. A work whose order somebody holds comes with the next batch of its lane, and goes
//! alone when the order is still held then, so that nobody waits for its sake. A transaction that became the victim of a conflict is run
//! again; after two runs its works go on one by one, so that a bad one fails alone.
//!
//! After every begin, mark, rollback or commit that failed, or whose end is not known, the connection is closed and a new one made. A
//! result is handed out only after a commit that the database has confirmed.

use futures_util::future::BoxFuture;
use sea_orm::DbErr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::{Address, Connection};
use crate::error::StoreError;
use crate::needs::Needs;
use crate::seal::Sealer;
use crate::state::State;
use crate::tx::{Company, Elsewhere, Health, Step, Tx};

/// Pieces of work that one commit carries at most.
pub const GROUP_COMMIT_MAX: usize = 128;
/// Pieces of work that wait for a lane at most; more wait to be let in.
pub const WRITE_QUEUE_MAX: usize = 1_024;
/// Runs of one piece of work at most, when conflicts with others undo it.
pub const CONFLICT_RUNS_MAX: u32 = 8;
/// Runs of one piece of work at most, when a row that it adds is there already.
const SPOILT_RUNS_MAX: u32 = 3;
/// Batches that a work comes with at most, whose order was held each time; then it goes alone, and waits for the lock.
pub(crate) const TRIES_IN_COMPANY_MAX: u8 = 4;
/// Longest wait before the first repetition, milliseconds; doubled for each further one.
const CONFLICT_WAIT_MS: u64 = 8;

/// How the next commit fails, when a test asks for it; clones are the same switch. It fails once.
#[derive(Clone, Debug, Default)]
pub struct CommitFaults(Arc<AtomicU8>);

/// A commit that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Before it took effect: everything is rolled back.
    Before,
    /// After it took effect: everything is kept, and nobody hears of it.
    After,
    /// The database chose it as the victim of a conflict: everything is rolled back, and done once more.
    Conflict,
}

impl CommitFaults {
    /// The next commit fails this way.
    pub fn next(&self, fault: CommitFault) {
        self.0.store(1 + fault as u8, Ordering::Relaxed);
    }
    /// Whether the fault that was asked for is still to come; it does not come any more.
    pub fn clear(&self) -> bool {
        self.take().is_some()
    }
    fn take(&self) -> Option<CommitFault> {
        match self.0.swap(0, Ordering::Relaxed) {
            0 => None,
            1 => Some(CommitFault::Before),
            2 => Some(CommitFault::After),
            _ => Some(CommitFault::Conflict),
        }
    }
    fn error() -> StoreError {
        StoreError::Commit(DbErr::Custom("a test wanted this commit to fail".to_owned()))
    }
}

const WAITS: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// A piece of work on its way.
pub(crate) trait Member: Send {
    /// Whether it is still to be done; from now on it counts as begun. One whose time is up, or that nobody waits for any more, is
    /// not begun.
    fn begin(&self) -> bool;
    /// It is not begun after all: what it did was undone.
    fn put_back(&mut self);
    /// In how many batches it was put back so far.
    fn tries(&self) -> u8;
    /// Until when its result is waited for.
    fn deadline(&self) -> Instant;
    /// What it will ask for, if it has said so.
    fn needs(&self) -> Option<&Needs>;
    /// Runs it; whether what it did is to be kept.
    fn run<'m>(&'m mut self, tx: &'m Tx) -> BoxFuture<'m, bool>;
    /// Hands out its result, or `failure` when its transaction came to nothing.
    fn finish(self: Box<Self>, failure: Option<StoreError>);
}

struct Waiting<T, E, F> {
    work: F,
    needs: Option<Needs>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    stage: Arc<AtomicU8>,
    tries: u8,
    deadline: Instant,
}

impl<T, E, F> Member for Waiting<T, E, F>
where
    F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
    T: Send,
    E: From<StoreError> + Send,
{
    fn begin(&self) -> bool {
        !self.reply.is_closed()
            && Instant::now() < self.deadline
            && self.stage.compare_exchange(WAITS, BEGUN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
    fn put_back(&mut self) {
        self.result = None;
        self.tries = self.tries.saturating_add(1);
        // Who has given up meanwhile was told that nobody knows; it is dropped when it would begin again.
        let _ = self.stage.compare_exchange(BEGUN, WAITS, Ordering::AcqRel, Ordering::Acquire);
    }
    fn tries(&self) -> u8 {
        self.tries
    }
    fn deadline(&self) -> Instant {
        self.deadline
    }
    fn needs(&self) -> Option<&Needs> {
        self.needs.as_ref()
    }
    fn run<'m>(&'m mut self, tx: &'m Tx) -> BoxFuture<'m, bool> {
        Box::pin(async move {
            let result = tx.carry_out(&self.work).await;
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }
    fn finish(self: Box<Self>, failure: Option<StoreError>) {
        let result = match (self.result, failure) {
            // A refusal stays what it is, whatever became of its neighbours.
            (Some(Err(error)), _) => Err(error),
            (_, Some(error)) => Err(error.into()),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(StoreError::Closed.into()),
        };
        // Who asked may have gone away; what was committed stays.
        drop(self.reply.send(result));
    }
}

/// What all lanes of a store share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) address: Address,
    pub(crate) sealer: Sealer,
    pub(crate) state: Arc<State>,
    pub(crate) faults: Option<CommitFaults>,
    /// Pieces of work that share a transaction at most.
    pub(crate) batch_max: usize,
}

type Ticket = Box<dyn Member>;
type Queue = Arc<Mutex<mpsc::Receiver<Ticket>>>;

/// Where works wait.
#[derive(Clone)]
struct Queues {
    /// For a lane that carries out many together.
    gathered: mpsc::Sender<Ticket>,
    /// For the one that does so with those that queue at a row: all buyers of a product that is counted meet in one batch, instead of one
    /// batch waiting for the row that another one holds until its commit.
    counted: mpsc::Sender<Ticket>,
    /// For one that carries out one at a time.
    alone: mpsc::Sender<Ticket>,
}

/// The lanes of a store.
pub(crate) struct Lanes {
    queues: std::sync::Mutex<Option<Queues>>,
    tasks: Mutex<JoinSet<()>>,
}

/// How many lanes there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Many {
    /// That carry out many works together.
    pub(crate) gathering: usize,
    /// That carry out one at a time; none: the others do that as well.
    pub(crate) alone: usize,
}

impl Lanes {
    /// Starts lanes; their connections are made when they are first needed.
    pub(crate) fn start(shared: &Shared, many: Many) -> Self {
        let (gathered, waiting) = mpsc::channel(WRITE_QUEUE_MAX);
        let waiting: Queue = Arc::new(Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        let alone = if many.alone == 0 {
            gathered.clone()
        } else {
            let (alone, waiting) = mpsc::channel(WRITE_QUEUE_MAX);
            let waiting: Queue = Arc::new(Mutex::new(waiting));
            for _ in 0..many.alone {
                let shared = Shared { batch_max: 1, ..shared.clone() };
                tasks.spawn(Lane::new(shared, None).work(waiting.clone()));
            }
            alone
        };
        let aside = (many.alone > 0).then(|| alone.clone());
        let lane = || Lane::new(shared.clone(), aside.clone());
        let mut others = many.gathering.max(1);
        let counted = if others == 1 {
            gathered.clone()
        } else {
            others -= 1;
            let (counted, waiting) = mpsc::channel(WRITE_QUEUE_MAX);
            tasks.spawn(lane().work(Arc::new(Mutex::new(waiting))));
            counted
        };
        for _ in 0..others {
            tasks.spawn(lane().work(waiting.clone()));
        }
        Self { queues: std::sync::Mutex::new(Some(Queues { gathered, counted, alone })), tasks: Mutex::new(tasks) }
    }

    fn queue(&self, needs: Option<&Needs>) -> Option<mpsc::Sender<Ticket>> {
        let queues = self.queues.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let queues = queues.as_ref()?;
        Some(match needs {
            None => queues.alone.clone(),
            Some(needs) if needs.queue_at_a_row() => queues.counted.clone(),
            Some(_) => queues.gathered.clone(),
        })
    }

    /// Runs `work` in a transaction named `name`; an answer comes within `limit`.
    pub(crate) async fn write<T, E, F>(
        &self,
        name: &'static str,
        limit: Duration,
        needs: Option<Needs>,
        work: F,
    ) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let begun = Instant::now();
        let result = self.hand_over(begun + limit, needs, work).await;
        let outcome = if result.is_ok() { "committed" } else { "rolled_back" };
        metrics::counter!("ticketbridge_transactions_total", "name" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("ticketbridge_transaction_seconds", "name" => name).record(begun.elapsed().as_secs_f64());
        result
    }

    async fn hand_over<T, E, F>(&self, deadline: Instant, needs: Option<Needs>, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let sender = self.queue(needs.as_ref()).ok_or(StoreError::Closed)?;
        let (reply, result) = oneshot::channel();
        let stage = Arc::new(AtomicU8::new(WAITS));
        let member = Waiting { work, needs, result: None, reply, stage: stage.clone(), tries: 0, deadline };
        match timeout_at(deadline, sender.send(Box::new(member))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(StoreError::Closed.into()),
            Err(_) => return Err(StoreError::TryLater.into()),
        }
        drop(sender);
        match timeout_at(deadline, result).await {
            Ok(Ok(result)) => result,
            // The lane did not begin it, or ended with the store.
            Ok(Err(_)) if stage.load(Ordering::Acquire) == BEGUN => Err(StoreError::Closed.into()),
            Ok(Err(_)) => Err(StoreError::TryLater.into()),
            Err(_) => {
                let waited = stage.compare_exchange(WAITS, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok();
                Err(if waited { StoreError::TryLater } else { StoreError::NotKnown }.into())
            }
        }
    }

    /// Takes nothing new, finishes what waits, and ends within `limit` whatever hangs.
    pub(crate) async fn close(&self, limit: Duration) {
        drop(self.queues.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        let mut tasks = self.tasks.lock().await;
        let ended = timeout(limit, async { while tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("a transaction did not end in time; the database rolls it back");
            tasks.shutdown().await;
        }
    }
}

struct Lane {
    shared: Shared,
    /// Where works go on one by one; `None`: here.
    aside: Option<mpsc::Sender<Ticket>>,
    /// Works whose order somebody held: they come with the next batch.
    again: Vec<Ticket>,
    connection: Option<Connection>,
}

/// How one run of a batch ended.
enum Ended {
    /// Committed; each member has its result, but for those of these numbers, which are to be run again.
    Committed(Vec<(usize, Elsewhere)>),
    /// Its only member was refused, or is to be run again, and what it did is rolled back.
    RolledBack(Option<Elsewhere>),
    /// Undone by a conflict with somebody else.
    Conflict(StoreError),
    /// Somebody spoilt it for all: the member of this number, or nobody knows who.
    Spoilt(Option<usize>, StoreError),
    /// The connection was gone before anything began.
    Gone(StoreError),
    /// It came to nothing, or nobody knows.
    Failed(StoreError),
}

/// What became of a group.
enum Done {
    /// Each member has its result.
    Over,
    /// All come to nothing.
    Failed(StoreError),
    /// It is tried again in parts.
    Cut,
}

impl Lane {
    fn new(shared: Shared, aside: Option<mpsc::Sender<Ticket>>) -> Self {
        Self { shared, aside, again: Vec::new(), connection: None }
    }

    async fn work(mut self, queue: Queue) {
        let mut group: Vec<Ticket> = Vec::with_capacity(self.shared.batch_max);
        loop {
            self.take(&queue, &mut group).await;
            if group.is_empty() {
                break;
            }
            group.retain(|member| member.begin());
            if !group.is_empty() {
                self.commit(std::mem::take(&mut group)).await;
            }
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// Takes what waits, those first that come again; nothing when nothing will come any more.
    async fn take(&mut self, queue: &Queue, group: &mut Vec<Ticket>) {
        group.append(&mut self.again);
        if group.is_empty() {
            queue.lock().await.recv_many(group, self.shared.batch_max).await;
        } else if let Ok(mut waiting) = queue.try_lock() {
            // Another lane that waits there for the next one has the lock, and then nobody else is waiting.
            while group.len() < self.shared.batch_max
                && let Ok(next) = waiting.try_recv()
            {
                group.push(next);
            }
        }
    }

    /// Carries a group out and hands out the results. What was cut out of it goes on one by one, where others are there for that;
    /// otherwise a group that a member spoilt is cut in halves. In both ways the bad one fails alone in the end.
    async fn commit(&mut self, group: Vec<Ticket>) {
        let mut parts = vec![group];
        while let Some(mut group) = parts.pop() {
            metrics::histogram!("ticketbridge_batch_works").record(group.len() as f64);
            let failure = match self.run_until_done(&mut group).await {
                Done::Over => None,
                Done::Failed(error) => Some(error),
                Done::Cut if group.len() > 1 => {
                    self.split(group, &mut parts).await;
                    continue;
                }
                Done::Cut => Some(StoreError::Doomed),
            };
            for member in group {
                member.finish(failure.clone());
            }
        }
    }

    async fn split(&mut self, mut group: Vec<Ticket>, parts: &mut Vec<Vec<Ticket>>) {
        if self.aside.is_some() {
            for member in group {
                self.set_aside(member).await;
            }
        } else {
            let half = group.split_off(group.len() / 2);
            parts.push(half);
            parts.push(group);
        }
    }

    /// Has a member run again alone.
    async fn set_aside(&mut self, mut member: Ticket) {
        member.put_back();
        metrics::counter!("ticketbridge_works_set_aside_total").increment(1);
        if let Some(aside) = &self.aside
            && let Err(closed) = aside.send(member).await
        {
            closed.0.finish(Some(StoreError::Closed));
        }
    }

    /// Has a member run again with the next batch, or alone when it was with enough of them.
    async fn send(&mut self, mut member: Ticket, elsewhere: Elsewhere) {
        match elsewhere {
            Elsewhere::NextBatch if member.tries() + 1 < TRIES_IN_COMPANY_MAX => {
                member.put_back();
                metrics::counter!("ticketbridge_works_again_total").increment(1);
                self.again.push(member);
            }
            Elsewhere::NextBatch | Elsewhere::Alone => self.set_aside(member).await,
        }
    }

    async fn run_until_done(&mut self, group: &mut Vec<Ticket>) -> Done {
        let mut run = 1;
        loop {
            match self.run(group).await {
                Ended::Committed(elsewhere) => {
                    self.shared.state.committed();
                    let members: Vec<_> =
                        elsewhere.into_iter().rev().map(|(number, to)| (group.remove(number), to)).collect();
                    // In the order in which they came: two may be about one order.
                    for (member, elsewhere) in members.into_iter().rev() {
                        self.send(member, elsewhere).await;
                    }
                    return Done::Over;
                }
                Ended::RolledBack(None) => return Done::Over,
                Ended::RolledBack(Some(elsewhere)) => {
                    if let Some(member) = group.pop() {
                        self.send(member, elsewhere).await;
                    }
                    return Done::Over;
                }
                // The others do without it.
                Ended::Spoilt(Some(number), _) if group.len() > 1 && self.aside.is_some() => {
                    let member = group.remove(number);
                    self.set_aside(member).await;
                    continue;
                }
                Ended::Spoilt(..) if group.len() > 1 && (run >= 2 || self.aside.is_none()) => return Done::Cut,
                // Somebody else wrote the same row first: it is seen when the work is run again.
                Ended::Spoilt(_, error) if run >= SPOILT_RUNS_MAX => return Done::Failed(error),
                Ended::Conflict(_) if group.len() > 1 && run >= 2 => return Done::Cut,
                Ended::Spoilt(_, error) | Ended::Conflict(error) | Ended::Gone(error) => {
                    let in_time = group.iter().any(|member| Instant::now() < member.deadline());
                    if run == CONFLICT_RUNS_MAX || !in_time {
                        return Done::Failed(error);
                    }
                }
                Ended::Failed(error) => {
                    self.shared.state.broke(&chain(&error));
                    return Done::Failed(error);
                }
            }
            metrics::counter!("ticketbridge_batches_repeated_total").increment(1);
            wait_before_run(run).await;
            run += 1;
        }
    }

    /// A connection, and whether it rested, so that it may be gone.
    async fn connection(&mut self) -> Result<(Connection, bool), StoreError> {
        match self.connection.take() {
            Some(connection) => Ok((connection, true)),
            None => Ok((self.shared.address.open().await?, false)),
        }
    }

    async fn run(&mut self, group: &mut [Ticket]) -> Ended {
        if let Err(error) = self.shared.address.is_in_place() {
            return Ended::Failed(error);
        }
        let (connection, rested) = match self.connection().await {
            Ok(found) => found,
            Err(error) => return Ended::Failed(error),
        };
        let shared = &self.shared;
        let company = match (group.len(), &self.aside) {
            (1, None) => Company::Alone,
            (1, Some(_)) => Company::First,
            _ => Company::Others,
        };
        let (dialect, limits) = (shared.address.dialect(), *shared.address.limits());
        let tx = Tx::on(connection, dialect, shared.sealer.clone(), limits, shared.state.clone(), company);
        let ended = match tx.control(Step::Begin).await {
            Ok(()) => Self::carry_out(&self.shared, &tx, group).await,
            Err(error) if tx.health() == Health::Conflict => Ended::Conflict(error),
            Err(error) if rested => Ended::Gone(error),
            Err(error) => Ended::Failed(error),
        };
        let keep = match &ended {
            Ended::Committed(_) | Ended::RolledBack(_) => tx.health() == Health::Sound,
            Ended::Conflict(_) => tx.health() == Health::Conflict && tx.control(Step::Rollback).await.is_ok(),
            Ended::Spoilt(..) => tx.health() <= Health::Doomed && tx.control(Step::Rollback).await.is_ok(),
            Ended::Gone(_) | Ended::Failed(_) => false,
        };
        if matches!(ended, Ended::Committed(_)) {
            tx.note_rules();
        }
        let (connection, statements) = tx.into_parts();
        self.shared.state.count("writers", statements);
        if keep {
            self.connection = Some(connection);
        } else {
            metrics::counter!("ticketbridge_connections_discarded_total").increment(1);
            connection.close().await;
        }
        ended
    }

    async fn carry_out(shared: &Shared, tx: &Tx, group: &mut [Ticket]) -> Ended {
        match Self::try_carry_out(shared, tx, group).await {
            Ok(ended) => ended,
            Err(error) if tx.health() == Health::Conflict => Ended::Conflict(error),
            Err(error) => Ended::Failed(error),
        }
    }

    async fn try_carry_out(shared: &Shared, tx: &Tx, group: &mut [Ticket]) -> Result<Ended, StoreError> {
        let begun = Instant::now();
        let alone = group.len() == 1;
        let needs = Needs::of_all(group.iter().filter_map(|member| member.needs()));
        if let Err(error) = tx.gather(&needs).await {
            return match tx.health() {
                Health::Sound | Health::Doomed => Ok(Ended::Spoilt(None, error)),
                Health::Conflict | Health::Broken => Err(error),
            };
        }
        let mut elsewhere = Vec::new();
        for (number, member) in group.iter_mut().enumerate() {
            let keep = member.run(tx).await;
            match tx.health() {
                Health::Sound | Health::Doomed => {}
                Health::Conflict => return Ok(Ended::Conflict(StoreError::TryLater)),
                Health::Broken => {
                    let broke = DbErr::Custom("the connection broke".to_owned());
                    return Ok(Ended::Failed(StoreError::Commit(broke)));
                }
            }
            if tx.is_spoilt() {
                return Ok(Ended::Spoilt(Some(number), StoreError::Duplicate));
            }
            if let Some(place) = tx.wants_elsewhere() {
                if alone {
                    tx.control(Step::Rollback).await?;
                    tx.forget();
                    return Ok(Ended::RolledBack(Some(place)));
                }
                tx.refuse().await?;
                elsewhere.push((number, place));
                continue;
            }
            if alone && !keep {
                tx.control(Step::Rollback).await?;
                tx.forget();
                return Ok(Ended::RolledBack(None));
            }
            if keep {
                tx.accept().await?
            } else {
                tx.refuse().await?
            }
            if tx.is_spoilt() {
                return Ok(Ended::Spoilt(Some(number), StoreError::Doomed));
            }
        }
        let (asking, carried_out) = (tx.time_asking(), begun.elapsed());
        phase("read", asking);
        phase("carry_out", carried_out.saturating_sub(asking));
        if let Err(error) = tx.write_all().await {
            return match tx.health() {
                Health::Sound | Health::Doomed => Ok(Ended::Spoilt(None, error)),
                Health::Conflict | Health::Broken => Err(error),
            };
        }
        let written = begun.elapsed();
        phase("write", written.saturating_sub(carried_out));
        let fault = shared.faults.as_ref().and_then(CommitFaults::take);
        match fault {
            Some(CommitFault::Before) => {
                tx.control(Step::Rollback).await?;
                return Err(CommitFaults::error());
            }
            Some(CommitFault::Conflict) => {
                tx.control(Step::Rollback).await?;
                return Ok(Ended::Conflict(StoreError::TryLater));
            }
            Some(CommitFault::After) | None => {}
        }
        tx.control(Step::Commit).await?;
        shared.state.wakes().committed(tx.leaves());
        if fault.is_none() {
            tx.is_committed();
        }
        phase("commit", begun.elapsed().saturating_sub(written));
        if fault.is_some() { Err(CommitFaults::error()) } else { Ok(Ended::Committed(elsewhere)) }
    }
}

fn phase(name: &'static str, took: Duration) {
    metrics::histogram!("ticketbridge_batch_seconds", "phase" => name).record(took.as_secs_f64());
}

fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

#[expect(
    clippy::disallowed_methods,
    reason = "losers of a conflict must not meet again at once; no state depends on it"
)]
async fn wait_before_run(run: u32) {
    let longest = CONFLICT_WAIT_MS << run.min(6);
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..=longest))).await;
}
