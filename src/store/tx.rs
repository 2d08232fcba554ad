//! A transaction, as the work inside it sees it.
//!
//! A failed statement dooms the piece of work it belongs to, on every database alike: PostgreSQL would refuse the next
//! statement and turn COMMIT into a rollback, MySQL would go on without the transaction after a deadlock.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sea_orm::{QueryResult, Value, sqlx};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::connection::{Connection, executing};
use crate::dialect::{Dialect, Query};
use crate::error::{StoreError, Trouble, trouble};
use crate::limits::TimeLimits;
use crate::seal::Sealer;
use crate::state::State;

/// How the work inside a transaction fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Health {
    /// All is well.
    Sound,
    /// A statement of the present work failed, and did nothing.
    Doomed,
    /// The transaction was chosen as the victim of a conflict.
    Conflict,
    /// A statement is under way, or nobody knows what became of one: this connection ends here, and whatever it carried.
    Broken,
}

impl Health {
    fn of(raw: u8) -> Self {
        match raw {
            0 => Health::Sound,
            1 => Health::Doomed,
            2 => Health::Conflict,
            _ => Health::Broken,
        }
    }
}

/// A transaction, inside [`crate::Store::write`].
pub struct Tx {
    connection: Mutex<Connection>,
    dialect: Dialect,
    sealer: Sealer,
    limits: TimeLimits,
    state: Arc<State>,
    health: AtomicU8,
    statements: AtomicU64,
}

impl Tx {
    pub(crate) fn on(
        connection: Connection,
        dialect: Dialect,
        sealer: Sealer,
        limits: TimeLimits,
        state: Arc<State>,
    ) -> Self {
        Self {
            connection: Mutex::new(connection),
            dialect,
            sealer,
            limits,
            state,
            health: AtomicU8::new(Health::Sound as u8),
            statements: AtomicU64::new(0),
        }
    }

    /// The connection, and how many statements were run on it.
    pub(crate) fn into_parts(self) -> (Connection, u64) {
        (self.connection.into_inner(), self.statements.into_inner())
    }

    /// A keyed hash of `text`; see [`Sealer::keyed_hash`].
    pub fn keyed_hash(&self, label: &str, text: &str) -> String {
        self.sealer.keyed_hash(label, text)
    }

    /// Runs a statement that changes rows; how many it found.
    pub(crate) async fn execute(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.check()?;
        let mut connection = self.connection.lock().await;
        self.guarded(connection.execute(sql, values)).await.map_err(StoreError::statement)
    }

    /// Begins, commits, or sets a mark.
    pub(crate) async fn control(&self, step: Step) -> Result<(), StoreError> {
        let mut connection = self.connection.lock().await;
        let done = self.guarded(async {
            match step {
                Step::Begin => connection.begin().await,
                Step::Commit => connection.commit().await,
                Step::Rollback => connection.rollback().await,
                Step::Mark => connection.control("SAVEPOINT member").await.map(drop),
                Step::BackToMark => {
                    connection.control("ROLLBACK TO SAVEPOINT member; RELEASE SAVEPOINT member").await.map(drop)
                }
                Step::KeepMark => connection.control("RELEASE SAVEPOINT member").await.map(drop),
            }
        });
        done.await.map_err(StoreError::Commit)
    }

    /// Awaits a statement. While it is under way, and when it is never heard of again, the connection counts as broken.
    async fn guarded<T>(&self, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sea_orm::DbErr> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let before = self.health.swap(Health::Broken as u8, Ordering::Relaxed);
        let error = match timeout(self.limits.patience(), statement).await {
            Ok(Ok(value)) => {
                self.health.store(before, Ordering::Relaxed);
                return Ok(value);
            }
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
        };
        self.state.note(&error);
        let health = match trouble(&error) {
            Trouble::Clean => Health::Doomed,
            Trouble::Conflict => Health::Conflict,
            Trouble::Broken | Trouble::Damaged => Health::Broken,
        };
        self.health.store((health as u8).max(before), Ordering::Relaxed);
        Err(executing(error))
    }

    pub(crate) fn health(&self) -> Health {
        Health::of(self.health.load(Ordering::Relaxed))
    }

    /// A rollback to before the failed statement makes the transaction sound again; nothing else does.
    pub(crate) fn heal(&self) {
        if self.health() == Health::Doomed {
            self.health.store(Health::Sound as u8, Ordering::Relaxed);
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.health() == Health::Sound { Ok(()) } else { Err(StoreError::Doomed) }
    }

    /// Carries `work` out; a panic and a failed statement that `work` passed over become errors.
    pub(crate) async fn carry_out<T, E: From<StoreError>>(
        &self,
        work: &(impl for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Sync),
    ) -> Result<T, E> {
        let result = AssertUnwindSafe(async { work(self).await }).catch_unwind().await;
        match result {
            Err(_panic) => Err(StoreError::Panicked.into()),
            Ok(Ok(value)) => self.check().map(|()| value).map_err(E::from),
            Ok(Err(error)) => Err(error),
        }
    }
}

/// What is done to a transaction as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Begin it.
    Begin,
    /// Commit it.
    Commit,
    /// Give it up.
    Rollback,
    /// Set a mark before a piece of work.
    Mark,
    /// Undo what came after the mark.
    BackToMark,
    /// Keep what came after the mark.
    KeepMark,
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
        let mut connection = self.connection.lock().await;
        self.guarded(connection.rows(sql, values)).await.map_err(StoreError::statement)
    }
}
