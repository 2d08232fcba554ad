// SPDX-License-Identifier: Apache-2.0

//! Is the database there, has it this program's schema, is it whole, does it take commits; and what makes it slow or large.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sea_orm::DbBackend;
use tokio::time::timeout;

use crate::connect::{Inner, Store};
use crate::connection::executing;
use crate::dialect::{Query as _, get, values};
use crate::error::{StoreError, Trouble, is_unreadable, trouble};
use crate::files::beside;
use crate::growth::TABLES;
use crate::seal::random_token;
use crate::tx::Tx;

/// How often the database is looked after.
const ROUND: Duration = Duration::from_secs(15);
/// SQLite's log above this size is emptied as soon as nobody reads, bytes.
const WAL_LARGE: u64 = 32 * 1_024 * 1_024;
/// Files up to this size are looked through whenever somebody asks whether the database is ready, bytes.
const LOOK_THROUGH_MAX: u64 = 32 * 1_024 * 1_024;
/// Time for a look at every table.
const TABLES_WITHIN: Duration = Duration::from_millis(500);
/// A write lock that nobody of us gets for this long is somebody else's, milliseconds.
const LOCK_PATIENCE_MS: u32 = 500;
/// A transaction that is open for longer holds up the database's tidying and slows every claim, seconds.
const OLD_TRANSACTION_SECONDS: f64 = 30.0;

/// One row at each end of the tables that every message needs.
const HOT: [&str; 5] = [
    "SELECT document FROM orders ORDER BY id DESC LIMIT 1",
    "SELECT answer FROM inbox ORDER BY id DESC LIMIT 1",
    "SELECT effect FROM job ORDER BY id DESC LIMIT 1",
    "SELECT warn_at FROM deadline ORDER BY id DESC LIMIT 1",
    "SELECT body FROM order_event ORDER BY order_id DESC, seq DESC LIMIT 1",
];

impl Store {
    /// Whether the database answers, has this program's schema, is whole as far as a short look shows, and takes commits. The answer
    /// comes within [`crate::TimeLimits::ready`].
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], [`StoreError::TryLater`], [`StoreError::Schema`], [`StoreError::Damaged`],
    /// [`StoreError::NoCommits`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        let (store, limit) = (self.clone(), self.0.address.limits().ready);
        timeout(limit, async move { store.look().await }).await.map_err(|_| StoreError::TryLater)?
    }

    async fn look(&self) -> Result<(), StoreError> {
        if self.0.state.is_closed() {
            return Err(StoreError::Closed);
        }
        self.0.address.is_in_place()?;
        self.stay_alone()?;
        let pending = self.schema_gap().await?.pending.len();
        if pending > 0 {
            return Err(StoreError::Schema { pending });
        }
        self.look_at_tables().await?;
        let small = self.file().is_some_and(|file| size(file) <= LOOK_THROUGH_MAX);
        if small || self.0.state.damage().is_some() {
            self.look_through().await?;
        }
        for sql in HOT {
            self.rows(sql, values![]).await?;
        }
        if let Some(damage) = self.0.state.damage() {
            return Err(StoreError::Damaged(damage));
        }
        match self.0.state.writer_trouble() {
            Some(why) => self.try_commit(why).await,
            None => self.can_begin().await,
        }
    }

    /// Whether SQLite lets us write. Somebody else's lock shows before a message of ours has waited for it in vain; that we commit meanwhile
    /// shows that the lock is ours.
    async fn can_begin(&self) -> Result<(), StoreError> {
        if self.dialect().0 != DbBackend::Sqlite {
            return Ok(());
        }
        let before = self.0.state.commits();
        let mut connection = self.0.address.open().await?;
        let begin = format!("PRAGMA busy_timeout = {LOCK_PATIENCE_MS}; BEGIN IMMEDIATE; ROLLBACK");
        let begun = connection.control(&begin).await;
        connection.close().await;
        match begun {
            Err(error) if trouble(&error) == Trouble::Conflict && self.0.state.commits() == before => {
                Err(StoreError::NoCommits("somebody else holds the database's write lock".to_owned()))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether the last transaction could be begun and committed, as far as is known.
    pub fn takes_commits(&self) -> bool {
        self.0.state.writer_trouble().is_none()
    }

    /// Asks every table for a row: one that is gone, or whose file is, is missed by whoever needs it, and by nobody else.
    async fn look_at_tables(&self) -> Result<(), StoreError> {
        let looks: Vec<String> = TABLES
            .iter()
            .enumerate()
            .map(|(n, (table, _))| format!("(SELECT COUNT(*) FROM (SELECT 1 AS one FROM {table} LIMIT 1) t{n})"))
            .collect();
        let sql = format!("SELECT {} AS found", looks.join(" + "));
        // A table that somebody has locked for himself is not damaged, and whoever needs it says so.
        let Ok(asked) = timeout(TABLES_WITHIN, self.rows(&sql, values![])).await else { return Ok(()) };
        match asked {
            Ok(_) => {
                self.0.state.looked_at_tables(None);
                Ok(())
            }
            Err(StoreError::Statement(error)) if is_unreadable(&error) => {
                let damage = error.to_string();
                self.0.state.looked_at_tables(Some(damage.clone()));
                Err(StoreError::Damaged(damage))
            }
            Err(other) => Err(other),
        }
    }

    /// Whether anything is known to be damaged.
    pub fn is_damaged(&self) -> bool {
        self.0.state.damage().is_some()
    }

    /// Looks through an SQLite file, by a connection that has nothing of it in memory.
    async fn look_through(&self) -> Result<(), StoreError> {
        if self.dialect().0 != DbBackend::Sqlite {
            return Ok(());
        }
        let mut connection = self.0.address.open().await?;
        let found = connection.control("PRAGMA quick_check(1)").await;
        connection.close().await;
        let damage = match found {
            Ok(rows) => {
                let said: Option<String> = rows.first().and_then(|row| row.try_get("", "quick_check").ok());
                said.filter(|said| said != "ok")
            }
            Err(error) => {
                self.0.state.note(&error);
                return Err(match self.0.state.damage() {
                    Some(damage) => StoreError::Damaged(damage),
                    None => StoreError::Statement(executing(error)),
                });
            }
        };
        self.0.state.looked(damage.clone());
        damage.map_or(Ok(()), |damage| Err(StoreError::Damaged(damage)))
    }

    /// Whether a commit succeeds again after one failed: without a caller nobody would ever know.
    async fn try_commit(&self, why: String) -> Result<(), StoreError> {
        let tried: Result<(), StoreError> = self
            .write_within(self.0.address.limits().ready, "try_commit", |tx: &Tx| {
                Box::pin(async move {
                    let make = format!(
                        "INSERT INTO lease (name, holder, token, until_ms) VALUES ('commit-probe', '', '', 0){}",
                        tx.dialect().unless_exists("name")
                    );
                    tx.execute(&make, values![]).await?;
                    let sql = "UPDATE lease SET token = ? WHERE name = 'commit-probe'";
                    tx.execute(sql, values![random_token()]).await?;
                    // As much as a message takes: where a row of a few bytes still has room, none of those may have.
                    let forget = "DELETE FROM idempotency WHERE key_hash = 'commit-probe'";
                    tx.execute(forget, values![]).await?;
                    let sql = "INSERT INTO idempotency (key_hash, request_hash, status, body, at_ms) VALUES ('commit-probe', '', 0, ?, 0)";
                    tx.execute(sql, values![random_token().repeat(PROBE_TOKENS)]).await.map(drop)
                })
            })
            .await;
        tried.map_err(|_| StoreError::NoCommits(why))
    }

    /// Looks after the database until the store is closed or gone: keeps SQLite's log small, and names who holds it, or who holds an
    /// old transaction open elsewhere.
    pub fn look_after(&self) {
        tokio::spawn(look_after(Arc::downgrade(&self.0)));
    }
}

async fn look_after(store: Weak<Inner>) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let Some(store) = store.upgrade().map(Store).filter(|store| !store.0.state.is_closed()) else { return };
        match store.look_at_load().await {
            Ok(None) => {}
            Ok(Some(Load::Log { bytes, held_by })) => tracing::warn!(
                bytes,
                held_by,
                "the database's log grows because somebody reads an old state of the database; end that process"
            ),
            Ok(Some(Load::Transaction { pid, application, account, doing, seconds })) => tracing::warn!(
                pid,
                application,
                account,
                state = doing,
                seconds,
                "somebody holds a transaction open; the database cannot tidy up, and claims become slow until it ends"
            ),
            Err(error) => tracing::debug!("the database could not be looked after: {error}"),
        }
    }
}

/// Tokens in what is written to find out whether the database takes commits: some tens of kilobytes.
const PROBE_TOKENS: usize = 2_000;

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |found| found.len())
}

const OLDEST_ON_POSTGRESQL: &str = "SELECT CAST(pid AS BIGINT) AS pid, COALESCE(application_name, '') AS application, \
    COALESCE(CAST(usename AS TEXT), '') AS account, COALESCE(state, '') AS doing, \
    CAST(EXTRACT(EPOCH FROM clock_timestamp() - xact_start) AS DOUBLE PRECISION) AS seconds \
    FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend' \
    ORDER BY xact_start LIMIT 1";

const OLDEST_ON_MYSQL: &str = "SELECT CAST(trx_mysql_thread_id AS SIGNED) AS pid, '' AS application, \
    COALESCE(p.user, '') AS account, LOWER(trx_state) AS doing, \
    CAST(TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS DOUBLE) AS seconds \
    FROM information_schema.innodb_trx LEFT JOIN information_schema.processlist p ON p.id = trx_mysql_thread_id \
    ORDER BY trx_started LIMIT 1";

/// What makes the database slow or large, and who is behind it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Load {
    /// SQLite's log cannot be emptied.
    Log {
        /// Its size.
        bytes: u64,
        /// The processes that have the file open: `4711 (sqlite3)`.
        held_by: String,
    },
    /// A transaction has been open for long.
    Transaction {
        /// The database's number for its session.
        pid: i64,
        /// What its program calls itself.
        application: String,
        /// Whose it is.
        account: String,
        /// What it does at present.
        doing: String,
        /// For how long.
        seconds: f64,
    },
}

impl Store {
    /// Keeps SQLite's log small; tells what stands in the way of that, or what has been open for long.
    async fn look_at_load(&self) -> Result<Option<Load>, StoreError> {
        if self.dialect().0 == DbBackend::Sqlite {
            return self.keep_log_small(WAL_LARGE).await;
        }
        self.find_old_transaction(OLD_TRANSACTION_SECONDS).await
    }

    /// The oldest transaction of somebody else, if it is older than this.
    pub(crate) async fn find_old_transaction(&self, older_than: f64) -> Result<Option<Load>, StoreError> {
        let sql = if self.dialect().0 == DbBackend::Postgres { OLDEST_ON_POSTGRESQL } else { OLDEST_ON_MYSQL };
        let row = self.row(sql, values![]).await?;
        let seconds = row.as_ref().map_or(Ok(0.0), |row| get::<f64>(row, "seconds"))?;
        metrics::gauge!("ticketbridge_oldest_transaction_seconds").set(seconds);
        let Some(row) = row.filter(|_| seconds > older_than) else { return Ok(None) };
        Ok(Some(Load::Transaction {
            pid: get(&row, "pid")?,
            application: get(&row, "application")?,
            account: get(&row, "account")?,
            doing: get(&row, "doing")?,
            seconds,
        }))
    }

    /// A checkpoint empties the log only when nobody reads an older state of the database; ours read shortly.
    pub(crate) async fn keep_log_small(&self, large: u64) -> Result<Option<Load>, StoreError> {
        let Some(file) = self.file() else { return Ok(None) };
        let log = beside(file, "-wal");
        let before = size(&log);
        metrics::gauge!("ticketbridge_sqlite_wal_bytes").set(before as f64);
        if before <= large {
            return Ok(None);
        }
        let mut connection = self.0.address.open().await?;
        let done = connection.control("PRAGMA busy_timeout = 200; PRAGMA wal_checkpoint(TRUNCATE)").await;
        connection.close().await;
        if let Err(error) = done {
            self.0.state.note(&error);
        }
        let after = size(&log);
        metrics::gauge!("ticketbridge_sqlite_wal_bytes").set(after as f64);
        Ok((after > large).then(|| Load::Log { bytes: after, held_by: holders(file) }))
    }
}

/// Other processes that have the file open, where the system tells: `4711 (sqlite3)`.
fn holders(file: &Path) -> String {
    let Ok(wanted) = std::fs::canonicalize(file) else { return "unknown".to_owned() };
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == std::process::id() {
            continue;
        }
        let open = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        if open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|path| path == wanted) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(format!("{pid} ({})", name.trim()));
        }
    }
    if found.is_empty() { "unknown".to_owned() } else { found.join(", ") }
}
