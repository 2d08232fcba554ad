// SPDX-License-Identifier: Apache-2.0

//! A transaction, as the work inside it sees it.
//!
//! A failed statement dooms the piece of work it belongs to, on every database alike: PostgreSQL would refuse the next
//! statement and turn COMMIT into a rollback, MySQL would go on without the transaction after a deadlock.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sea_orm::{QueryResult, Value, sqlx};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use ticketbridge_core::port::Listing;
use ticketbridge_core::{ChannelId, ProductCode, UnixMillis};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::ahead::Ahead;
use crate::buffer::{Buffer, DEADLINE, JOB, Kept, Marked, RULE_SET, Row, Write, key_text, names};
use crate::connection::{Connection, executing};
use crate::desk::HandedOver;
use crate::dialect::{Dialect, Query, text_of, whole_of};
use crate::documents::Opened;
use crate::error::{StoreError, Trouble, trouble};
use crate::limits::TimeLimits;
use crate::rule_book::RuleBook;
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
    /// Time spent on asking, nanoseconds.
    asking: AtomicU64,
    /// Rows that are still to be written, and rows that were read.
    buffer: std::sync::Mutex<Buffer>,
    /// Orders as they were opened.
    opened: std::sync::Mutex<Opened>,
    /// By their digests, the rules that were written at the end.
    rules_written: std::sync::Mutex<Vec<String>>,
    /// Whether other works share this transaction, so that what one does must be undone alone.
    shared: Company,
    marked: AtomicBool,
    /// Whether something failed that concerns works before the one at hand: all of them come to nothing.
    spoilt: AtomicBool,
    /// Whether a statement of the work at hand failed in the database.
    failed: AtomicBool,
    /// Where the work at hand is to be run again; 0: nowhere.
    wants_elsewhere: AtomicU8,
    /// What is to be done after the commit, and from when.
    leaves: std::sync::Mutex<Ahead>,
    /// Deliveries that go from hand to hand when it is committed; dropped, their places are given back.
    handed_over: std::sync::Mutex<Vec<HandedOver>>,
    /// What channels said of their products, as far as it was asked for in company.
    listings: std::sync::Mutex<Listings>,
    /// Whether deliveries were written before the end, so that those that are kept back are not all that it leaves.
    wrote_early: AtomicBool,
}

/// What channels said last of their products.
pub(crate) type Listings = HashMap<(ChannelId, ProductCode), Option<Listing>>;

/// Where a work is run again that a batch could not carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// With the next batch.
    NextBatch = 1,
    /// In a transaction of its own.
    Alone = 2,
}

/// Whether a work has the transaction for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// It has, and all the time that it needs: it waits for whoever holds what it needs.
    Alone,
    /// It has, but others come after it, who are not to wait for its sake: an order that somebody holds is left out.
    First,
    /// Other works are in it.
    Others,
}

impl Tx {
    pub(crate) fn on(
        connection: Connection,
        dialect: Dialect,
        sealer: Sealer,
        limits: TimeLimits,
        state: Arc<State>,
        shared: Company,
    ) -> Self {
        Self {
            connection: Mutex::new(connection),
            dialect,
            sealer,
            limits,
            state,
            health: AtomicU8::new(Health::Sound as u8),
            statements: AtomicU64::new(0),
            asking: AtomicU64::new(0),
            buffer: std::sync::Mutex::default(),
            opened: std::sync::Mutex::default(),
            rules_written: std::sync::Mutex::default(),
            shared,
            marked: AtomicBool::new(false),
            spoilt: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            wants_elsewhere: AtomicU8::new(0),
            leaves: std::sync::Mutex::new(Ahead::NOTHING),
            handed_over: std::sync::Mutex::default(),
            listings: std::sync::Mutex::default(),
            wrote_early: AtomicBool::new(false),
        }
    }

    /// Whether other works are in this transaction.
    pub(crate) fn company(&self) -> Company {
        self.shared
    }

    /// The work at hand needs a lock that it had not named, or writes in a way that could not be undone alone: it is run again in a
    /// transaction of its own.
    pub(crate) fn go_alone(&self) -> StoreError {
        self.go_elsewhere(Elsewhere::Alone)
    }

    fn go_elsewhere(&self, to: Elsewhere) -> StoreError {
        self.wants_elsewhere.store(to as u8, Ordering::Relaxed);
        self.health.fetch_max(Health::Doomed as u8, Ordering::Relaxed);
        StoreError::Doomed
    }

    /// Whether a lock that was not named before is taken where it stands: where no other work is in the transaction, or where there is one writer.
    pub(crate) fn check_late_lock(&self) -> Result<(), StoreError> {
        let may = self.shared != Company::Others || !self.dialect.shares_with_others();
        if may { Ok(()) } else { Err(self.go_alone()) }
    }

    /// Whether an order may be locked that was not named before, or that was left out when all were looked for, since somebody held it: then it is
    /// likely to be free for the next batch.
    pub(crate) fn check_late_hold(&self, order: &str) -> Result<(), StoreError> {
        if self.buffer().is_missed(order) {
            return Err(self.go_elsewhere(Elsewhere::NextBatch));
        }
        self.check_late_lock()
    }

    pub(crate) fn listings(&self) -> MutexGuard<'_, Listings> {
        self.listings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a new row back until the end.
    pub(crate) fn keep(&self, of: &'static Kept, row: Vec<Value>) -> Result<(), StoreError> {
        self.check()?;
        self.note_due(left_by(of, &row));
        let is_new = self.buffer().put(of, row);
        if is_new { Ok(()) } else { Err(self.duplicate()) }
    }

    /// A row with this key exists: the work at hand can only be refused.
    pub(crate) fn duplicate(&self) -> StoreError {
        self.health.fetch_max(Health::Doomed as u8, Ordering::Relaxed);
        StoreError::Duplicate
    }

    /// Looks at the row that the work at hand has made and that holds `value` in `column`, if it is kept back; may change it.
    pub(crate) fn with_kept_where<T>(
        &self,
        of: &'static Kept,
        column: &str,
        value: &str,
        see: impl FnOnce(&mut Vec<Value>) -> T,
    ) -> Option<T> {
        self.buffer().find_where(of, column, value).map(see)
    }

    /// The row of this key, as far as is known without asking: `Some(None)` when there is none.
    pub(crate) fn see(&self, of: &'static Kept, key: &str) -> Option<Option<Row>> {
        self.buffer().see(of, key).map(|row| row.cloned())
    }

    /// Keeps back what a row becomes that was seen before.
    pub(crate) fn change(&self, of: &'static Kept, row: Row) -> Result<(), StoreError> {
        self.check()?;
        let left = left_by(of, &row);
        if left != Ahead::NOTHING {
            // What was there before was told before.
            let known = text_of(&row, 0).ok().and_then(|id| self.see(of, &key_text(&[&id])).flatten());
            if known.is_none_or(|known| left_by(of, &known) != left) {
                self.note_due(left);
            }
        }
        self.buffer().change(of, row);
        Ok(())
    }

    /// Something is to be done from then on, if this transaction is committed. What a work noted that is refused later wakes somebody in
    /// vain, no more.
    pub(crate) fn note_due(&self, ahead: Ahead) {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        *leaves = leaves.or_sooner(ahead);
    }

    /// What is handed over is done by whoever takes it; of what was kept back, `left` is all that remains to be done.
    pub(crate) fn note_handed_over(&self, handed_over: Vec<HandedOver>, left: Ahead) {
        if !self.wrote_early.load(Ordering::Relaxed) {
            self.leaves.lock().unwrap_or_else(PoisonError::into_inner).job = left.job;
        }
        *self.handed_over.lock().unwrap_or_else(PoisonError::into_inner) = handed_over;
    }

    /// What goes from hand to hand; asked once.
    pub(crate) fn handed_over(&self) -> Vec<HandedOver> {
        std::mem::take(&mut *self.handed_over.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// What is to be done after the commit.
    pub(crate) fn leaves(&self) -> Ahead {
        *self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what `sql` must find in the database, and sets a mark before what may have to be undone alone. Where several writers are,
    /// works in company neither write nor lock by themselves.
    async fn prepare(&self, sql: &str) -> Result<(), StoreError> {
        let kind = Kind::of(sql);
        let (is_named, marked) = (self.buffer().named(sql), self.marked.load(Ordering::Relaxed));
        if self.shared == Company::Others
            && self.dialect.shares_with_others()
            && (is_named || kind == Kind::Changes || sql.contains(" FOR UPDATE"))
        {
            return Err(self.go_alone());
        }
        let marked = if marked { Marked::Yes } else { Marked::No };
        let (under, over) = {
            let mut buffer = self.buffer();
            if is_named || kind == Kind::Changes {
                if names(sql, JOB.name()) {
                    self.wrote_early.store(true, Ordering::Relaxed);
                }
                buffer.forget_read(sql);
            }
            if is_named {
                (buffer.take_under(self.dialect, sql, marked), buffer.take_over(self.dialect, sql))
            } else {
                (Vec::new(), Vec::new())
            }
        };
        self.write_or_spoil(under).await?;
        if self.shared == Company::Others && marked == Marked::No && (kind == Kind::Changes || !over.is_empty()) {
            self.control(Step::Mark).await?;
            self.marked.store(true, Ordering::Relaxed);
        }
        self.write_or_spoil(over).await
    }

    /// A row that somebody else wrote meanwhile concerns whoever kept its like back, not the statement that needs it now: all is run
    /// again, and finds that row.
    async fn write_or_spoil(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let written = self.write_kept(writes).await;
        if written.is_err() {
            self.spoilt.store(true, Ordering::Relaxed);
        }
        written
    }

    async fn write_kept(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        for write in writes {
            let mut connection = self.connection.lock().await;
            let written = match write {
                Write::Values { sql, values } => self.guarded(connection.execute(&sql, values)).await,
                Write::Columns { sql, columns } => self.guarded(connection.execute_columns(&sql, columns)).await,
            };
            written.map_err(StoreError::statement)?;
        }
        Ok(())
    }

    /// Writes everything that is kept back, at the end of the transaction.
    pub(crate) async fn write_all(&self) -> Result<(), StoreError> {
        self.check()?;
        let all = {
            let mut buffer = self.buffer();
            buffer.merge();
            drop(buffer);
            self.hand_over()?;
            buffer = self.buffer();
            *self.rules_written.lock().unwrap_or_else(PoisonError::into_inner) = buffer.keys_under(&RULE_SET);
            buffer.take_all(self.dialect)
        };
        self.write_kept(all).await
    }

    /// It is committed, and the rules with it that were kept.
    pub(crate) fn note_rules(&self) {
        let mut written = self.rules_written.lock().unwrap_or_else(PoisonError::into_inner);
        self.state.rules.note_stored(std::mem::take(&mut written));
    }

    /// The work at hand succeeded: what it did is part of the transaction.
    pub(crate) async fn accept(&self) -> Result<(), StoreError> {
        if self.marked.swap(false, Ordering::Relaxed) {
            self.control(Step::KeepMark).await?;
        }
        self.buffer().merge();
        Ok(())
    }

    /// The work at hand came to nothing: what it did is undone, and nothing else.
    pub(crate) async fn refuse(&self) -> Result<(), StoreError> {
        let marked = self.marked.swap(false, Ordering::Relaxed);
        if marked {
            self.control(Step::BackToMark).await?;
            // What was read behind the mark may be of what is undone.
            self.buffer().forget_all_read();
        }
        self.buffer().drop_over();
        let failed = self.failed.swap(false, Ordering::Relaxed);
        let harmless = !failed || marked || self.dialect.0 == sea_orm::DbBackend::Sqlite;
        if self.health() == Health::Doomed {
            if harmless {
                self.health.store(Health::Sound as u8, Ordering::Relaxed);
            } else {
                // PostgreSQL goes on with nothing after a failed statement.
                self.spoilt.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// The whole transaction was rolled back: nothing of it is left, and nothing stands against another one.
    pub(crate) fn forget(&self) {
        self.buffer().drop_over();
        if self.health() == Health::Doomed {
            self.health.store(Health::Sound as u8, Ordering::Relaxed);
        }
    }

    /// Where the work at hand is to be run again; asked once.
    pub(crate) fn wants_elsewhere(&self) -> Option<Elsewhere> {
        match self.wants_elsewhere.swap(0, Ordering::Relaxed) {
            0 => None,
            1 => Some(Elsewhere::NextBatch),
            _ => Some(Elsewhere::Alone),
        }
    }

    /// Whether the transaction as a whole can only be given up.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.spoilt.load(Ordering::Relaxed)
    }

    /// How long the database was asked things.
    pub(crate) fn time_asking(&self) -> Duration {
        Duration::from_nanos(self.asking.load(Ordering::Relaxed))
    }

    /// All rows of a SELECT, which need not see what is kept back.
    pub(crate) async fn rows_stored(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        self.check()?;
        self.state.hear(sql, &values);
        let begun = Instant::now();
        let mut connection = self.connection.lock().await;
        let rows = self.guarded(connection.rows(sql, values)).await.map_err(StoreError::statement);
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.asking.fetch_add(took, Ordering::Relaxed);
        rows
    }

    /// The connection, and how many statements were run on it.
    pub(crate) fn into_parts(self) -> (Connection, u64) {
        (self.connection.into_inner(), self.statements.into_inner())
    }

    /// Hashes phones and documents, and opens what is sealed.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Runs a statement that changes rows; how many it found.
    pub(crate) async fn execute(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.check()?;
        self.prepare(sql).await?;
        self.state.hear(sql, &values);
        let mut connection = self.connection.lock().await;
        self.guarded(connection.execute(sql, values)).await.map_err(StoreError::statement)
    }

    /// The same while what works need is gathered: nothing is kept back yet, and nothing is to be undone alone.
    pub(crate) async fn execute_gathering(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
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
        self.failed.store(true, Ordering::Relaxed);
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

/// What a row that is written leaves to be done, and from when. The end of a lease is nothing new: who holds it ends it.
fn left_by(of: &'static Kept, row: &[Value]) -> Ahead {
    if std::ptr::eq(of, &JOB) && whole_of(row, JOB.at("lease_until_ms")) == Some(0) {
        return Ahead { job: whole_of(row, JOB.at("ready_ms")).map(UnixMillis), deadline: None };
    }
    let is_armed = |row: &[Value]| text_of(row, DEADLINE.at("state")).is_ok_and(|state| state == "armed");
    if std::ptr::eq(of, &DEADLINE) && is_armed(row) {
        return Ahead { job: None, deadline: whole_of(row, DEADLINE.at("next_ms")).map(UnixMillis) };
    }
    Ahead::NOTHING
}

/// Whether a statement changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reads,
    Changes,
}

impl Kind {
    fn of(sql: &str) -> Self {
        if sql.starts_with("SELECT") { Kind::Reads } else { Kind::Changes }
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
    fn rule_book(&self) -> &RuleBook {
        &self.state.rules
    }
    async fn rows_as_stored(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        self.rows_stored(sql, values).await
    }
    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        self.check()?;
        self.prepare(sql).await?;
        self.rows_stored(sql, values).await
    }
}
