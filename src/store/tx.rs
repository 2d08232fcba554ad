//! The write path: the only way to a transaction.
//!
//! SQLite: all writers pass through one task. It takes what is waiting, runs each piece of work in a savepoint of its
//! own, commits once, and only then hands out the results (`architecture.md` 8.4). PostgreSQL and MySQL: each piece of
//! work has its own transaction, which is run again when the database made it the victim of a conflict.
//!
//! A failed statement dooms the piece of work it belongs to, on every database alike: PostgreSQL would refuse the next
//! statement and turn COMMIT into a rollback, MySQL would go on without the transaction after a deadlock.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, QueryResult, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _, Value,
};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

use crate::dialect::{Dialect, Query};
use crate::error::{StoreError, is_conflict};
use crate::seal::Sealer;

/// Pieces of work that one commit of SQLite carries at most.
pub const GROUP_COMMIT_MAX: usize = 128;
/// Pieces of work that wait for SQLite's writer at most; more wait to be let in.
pub const WRITE_QUEUE_MAX: usize = 1_024;
/// Runs of one piece of work at most, when conflicts with others undo it.
pub const CONFLICT_RUNS_MAX: u32 = 8;
/// Longest wait before the first repetition, milliseconds; doubled for each further one.
const CONFLICT_WAIT_MS: u64 = 8;

const SOUND: u8 = 0;
const DOOMED: u8 = 1;
const CONFLICT: u8 = 2;

/// How the next commit of SQLite fails, when a test asks for it; clones are the same switch. It fails once.
#[derive(Clone, Debug, Default)]
pub struct CommitFaults(Arc<AtomicU8>);

/// A commit that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Before it took effect: everything is rolled back.
    Before,
    /// After it took effect: everything is kept, and nobody hears of it.
    After,
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
            _ => Some(CommitFault::After),
        }
    }
    fn error() -> StoreError {
        StoreError::Commit(DbErr::Custom("a test wanted this commit to fail".to_owned()))
    }
}

/// A transaction, inside [`crate::Store::write`].
pub struct Tx {
    transaction: DatabaseTransaction,
    dialect: Dialect,
    sealer: Sealer,
    health: AtomicU8,
}

impl Tx {
    async fn begin(connection: &DatabaseConnection, dialect: Dialect, sealer: Sealer) -> Result<Self, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = connection.begin_with_options(options).await?;
        Ok(Self { transaction, dialect, sealer, health: AtomicU8::new(SOUND) })
    }

    /// A keyed hash of `text`; see [`Sealer::keyed_hash`].
    pub fn keyed_hash(&self, label: &str, text: &str) -> String {
        self.sealer.keyed_hash(label, text)
    }

    /// Runs a statement that changes rows; how many it found.
    pub(crate) async fn execute(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.check()?;
        let statement = self.dialect.statement(sql, values);
        let done = self.transaction.execute_raw(statement).await.map_err(|e| self.doom(e))?;
        Ok(done.rows_affected())
    }

    async fn control(&self, sql: &str) -> Result<(), StoreError> {
        self.transaction.execute_unprepared(sql).await.map(drop).map_err(StoreError::Commit)
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.health.load(Ordering::Relaxed) == SOUND { Ok(()) } else { Err(StoreError::Doomed) }
    }

    fn doom(&self, error: DbErr) -> StoreError {
        self.health.store(if is_conflict(&error) { CONFLICT } else { DOOMED }, Ordering::Relaxed);
        StoreError::statement(error)
    }

    /// Carries `work` out; a panic and a failed statement that `work` passed over become errors.
    async fn carry_out<T, E: From<StoreError>>(
        &self,
        work: &(impl for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Sync),
    ) -> Result<T, E> {
        self.health.store(SOUND, Ordering::Relaxed);
        let result = AssertUnwindSafe(async { work(self).await }).catch_unwind().await;
        match result {
            Err(_panic) => Err(StoreError::Panicked.into()),
            Ok(Ok(value)) => self.check().map(|()| value).map_err(E::from),
            Ok(Err(error)) => Err(error),
        }
    }
}

impl Query for Tx {
    fn dialect(&self) -> Dialect {
        self.dialect
    }
    fn sealer(&self) -> &Sealer {
        &self.sealer
    }
    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        self.check()?;
        let statement = self.dialect.statement(sql, values);
        self.transaction.query_all_raw(statement).await.map_err(|e| self.doom(e))
    }
}

/// How transactions are made: depends on the kind of database.
#[derive(Clone)]
pub(crate) enum Writer {
    /// Through the one task.
    Grouped(mpsc::Sender<Box<dyn Member>>),
    /// Each for itself.
    Single(DatabaseConnection, Dialect, Sealer),
}

impl Writer {
    /// The writer of an SQLite database; its task ends with the last sender.
    pub(crate) fn grouped(
        connection: DatabaseConnection,
        dialect: Dialect,
        sealer: Sealer,
        faults: Option<CommitFaults>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WRITE_QUEUE_MAX);
        tokio::spawn(commit_groups(receiver, connection, dialect, sealer, faults));
        Self::Grouped(sender)
    }

    /// Runs `work` in a transaction named `name`.
    #[expect(clippy::disallowed_methods, reason = "measures how long a transaction takes; nothing is decided by it")]
    pub(crate) async fn write<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let begun = Instant::now();
        let result = match self {
            Writer::Grouped(sender) => write_grouped(sender, work).await,
            Writer::Single(connection, dialect, sealer) => write_single(connection, *dialect, sealer, name, work).await,
        };
        let outcome = if result.is_ok() { "committed" } else { "rolled_back" };
        metrics::counter!("ticketbridge_transactions_total", "name" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("ticketbridge_transaction_seconds", "name" => name).record(begun.elapsed().as_secs_f64());
        result
    }
}

/// A piece of work on its way through SQLite's writer.
pub(crate) trait Member: Send {
    /// Runs it; whether what it did is to be kept.
    fn run<'m>(&'m mut self, tx: &'m Tx) -> BoxFuture<'m, bool>;
    /// Hands out its result, or `failure` when the commit that carried it failed.
    fn finish(self: Box<Self>, failure: Option<StoreError>);
}

struct Waiting<T, E, F> {
    work: F,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Member for Waiting<T, E, F>
where
    F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run<'m>(&'m mut self, tx: &'m Tx) -> BoxFuture<'m, bool> {
        Box::pin(async move {
            let result = tx.carry_out(&self.work).await;
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }
    fn finish(self: Box<Self>, failure: Option<StoreError>) {
        let result = match failure {
            Some(error) => Err(error.into()),
            None => self.result.unwrap_or_else(|| Err(StoreError::Closed.into())),
        };
        // Who asked may have gone away; what was committed stays.
        drop(self.reply.send(result));
    }
}

async fn write_grouped<T, E, F>(sender: &mpsc::Sender<Box<dyn Member>>, work: F) -> Result<T, E>
where
    F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (reply, result) = oneshot::channel();
    let member = Box::new(Waiting { work, result: None, reply });
    sender.send(member).await.map_err(|_| StoreError::Closed)?;
    result.await.map_err(|_| StoreError::Closed)?
}

async fn commit_groups(
    mut waiting: mpsc::Receiver<Box<dyn Member>>,
    connection: DatabaseConnection,
    dialect: Dialect,
    sealer: Sealer,
    faults: Option<CommitFaults>,
) {
    let mut group = Vec::with_capacity(GROUP_COMMIT_MAX);
    while waiting.recv_many(&mut group, GROUP_COMMIT_MAX).await > 0 {
        metrics::histogram!("ticketbridge_group_commit_members").record(group.len() as f64);
        let failure = commit_group(&mut group, &connection, dialect, &sealer, faults.as_ref()).await.err();
        for member in group.drain(..) {
            member.finish(failure.clone());
        }
    }
}

async fn commit_group(
    group: &mut [Box<dyn Member>],
    connection: &DatabaseConnection,
    dialect: Dialect,
    sealer: &Sealer,
    faults: Option<&CommitFaults>,
) -> Result<(), StoreError> {
    let tx = Tx::begin(connection, dialect, sealer.clone()).await.map_err(StoreError::Commit)?;
    for member in group {
        tx.control("SAVEPOINT member").await?;
        if !member.run(&tx).await {
            tx.control("ROLLBACK TO SAVEPOINT member").await?;
        }
        tx.control("RELEASE SAVEPOINT member").await?;
    }
    let fault = faults.and_then(CommitFaults::take);
    if fault == Some(CommitFault::Before) {
        tx.transaction.rollback().await.map_err(StoreError::Commit)?;
        return Err(CommitFaults::error());
    }
    tx.transaction.commit().await.map_err(StoreError::Commit)?;
    if fault.is_some() { Err(CommitFaults::error()) } else { Ok(()) }
}

async fn write_single<T, E, F>(
    connection: &DatabaseConnection,
    dialect: Dialect,
    sealer: &Sealer,
    name: &'static str,
    work: F,
) -> Result<T, E>
where
    F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
    E: From<StoreError>,
{
    let mut run = 1;
    loop {
        let tx = Tx::begin(connection, dialect, sealer.clone()).await.map_err(StoreError::Commit)?;
        let result = tx.carry_out(&work).await;
        let conflict = tx.health.load(Ordering::Relaxed) == CONFLICT;
        let (result, conflict) = match result {
            Ok(value) => match tx.transaction.commit().await {
                Ok(()) => return Ok(value),
                Err(error) => (Err(StoreError::Commit(error.clone()).into()), is_conflict(&error)),
            },
            Err(error) => {
                // A connection that cannot even roll back is thrown away by the pool, and with it the transaction.
                drop(tx.transaction.rollback().await);
                (Err(error), conflict)
            }
        };
        if !conflict || run == CONFLICT_RUNS_MAX {
            return result;
        }
        metrics::counter!("ticketbridge_transactions_total", "name" => name, "outcome" => "repeated").increment(1);
        wait_before_run(run).await;
        run += 1;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "losers of a conflict must not meet again at once; no state depends on it"
)]
async fn wait_before_run(run: u32) {
    let longest = CONFLICT_WAIT_MS << run.min(6);
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..=longest))).await;
}
