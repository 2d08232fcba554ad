// SPDX-License-Identifier: Apache-2.0

//! Connecting, and bringing the schema up to date.

use sea_orm::sqlx::sqlite::SqliteSynchronous;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    QueryResult, TransactionTrait as _, Value,
};
use sea_orm_migration::MigratorTrait as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_migrations::Migrator;

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use crate::connection::{Address, Durability};
use crate::dialect::{Dialect, Query, get, values};
use crate::error::{StoreError, is_forbidden};
use crate::files::{self, Alone};
use crate::lane::{CommitFaults, GROUP_COMMIT_MAX, Lanes, Many, Shared};
use crate::limits::TimeLimits;
use crate::needs::Needs;
use crate::readers::Readers;
use crate::rule_book::RuleBook;
use crate::seal::Sealer;
use crate::state::State;
use crate::tx::Tx;

/// Name of the lock under which instances apply migrations one after the other.
const MIGRATION_LOCK: i64 = 7_246_190_155;
/// Longest wait for another instance that applies migrations.
const MIGRATION_WAIT: Duration = Duration::from_secs(60);

/// Of so many lanes one carries out many works together, where there are several: more would have smaller batches, and fewer wait for their
/// own commits (`benches/README.md` has both measured).
const LANES_PER_GATHERING: usize = 4;

/// What a store needs beside the address.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Seals personal data.
    pub sealer: Sealer,
    /// Connections that read, at most.
    pub connections_max: u32,
    /// Lanes that write, each with a connection of its own; SQLite has one, whatever is said here.
    pub lanes: usize,
    /// Works that share a transaction at most.
    pub batch_max: usize,
    /// How long anything may take.
    pub limits: TimeLimits,
    /// What SQLite does to keep a commit through a power failure; other databases have settings of their own.
    pub durability: Durability,
    /// Makes commits fail on request, for tests of what is lost then.
    pub commit_faults: Option<CommitFaults>,
}

impl StoreOptions {
    /// Options for a service of usual size, and nothing lost with the power.
    pub fn new(sealer: Sealer) -> Self {
        Self {
            sealer,
            connections_max: 8,
            lanes: 12,
            batch_max: GROUP_COMMIT_MAX,
            limits: TimeLimits::default(),
            durability: Durability::PowerFailure,
            commit_faults: None,
        }
    }
}

pub(crate) struct Inner {
    url: String,
    pub(crate) address: Address,
    pub(crate) readers: Readers,
    lanes: Lanes,
    pub(crate) state: Arc<State>,
    sealer: Sealer,
    durability: Durability,
    /// Held while a service runs on an SQLite file.
    alone: Mutex<Option<Alone>>,
    /// What tells the other instances and listens to them.
    pub(crate) ears: Mutex<JoinSet<()>>,
}

/// A database. Cheap to clone.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?})", self.dialect().0)
    }
}

impl Store {
    /// Connects. `sqlite://path` is relative to the working directory, `sqlite:///path` absolute; the file and its
    /// folder are made when missing, for nobody else to read. `postgres://` and `mysql://` (MariaDB too) address a database that
    /// exists.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Folder`], [`StoreError::DiskFull`], [`StoreError::Unreachable`].
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Store, StoreError> {
        let address = Address::parse(url, options.durability, options.limits)?.without_links();
        if let Some(file) = address.file() {
            files::make(file)?;
        }
        let address = address.of_this_file();
        let state = Arc::new(State::default());
        let readers = Readers::new(address.clone(), state.clone(), options.connections_max);
        readers.open_one().await?;
        let is_sqlite = address.dialect().0 == DbBackend::Sqlite;
        let shared = Shared {
            address: address.clone(),
            sealer: options.sealer.clone(),
            state: state.clone(),
            faults: options.commit_faults,
            batch_max: options.batch_max.clamp(1, GROUP_COMMIT_MAX),
        };
        let many = if is_sqlite {
            Many { gathering: 1, alone: 0 }
        } else {
            let gathering = (options.lanes / LANES_PER_GATHERING).max(1);
            Many { gathering, alone: options.lanes.saturating_sub(gathering).max(1) }
        };
        let lanes = Lanes::start(&shared, many);
        Ok(Store(Arc::new(Inner {
            url: url.to_owned(),
            address,
            readers,
            lanes,
            state,
            sealer: options.sealer,
            durability: options.durability,
            alone: Mutex::default(),
            ears: Mutex::default(),
        })))
    }

    /// Makes sure that no other service uses this database, where only one may: SQLite. From now on no other one can, until this
    /// process ends or the store is closed.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Folder`], [`StoreError::DiskFull`].
    pub fn be_alone(&self) -> Result<(), StoreError> {
        let Some(file) = self.0.address.file() else { return Ok(()) };
        let mut alone = self.0.alone.lock().unwrap_or_else(PoisonError::into_inner);
        if alone.is_none() {
            *alone = Some(files::take(file)?);
        }
        Ok(())
    }

    /// Makes sure that another service would still be refused: where the file of the lock was taken away, it is taken anew.
    ///
    /// # Errors
    /// [`StoreError::InUse`]: another one has been quicker.
    pub(crate) fn stay_alone(&self) -> Result<(), StoreError> {
        let Some(file) = self.0.address.file() else { return Ok(()) };
        let mut alone = self.0.alone.lock().unwrap_or_else(PoisonError::into_inner);
        if alone.as_ref().is_some_and(|alone| !alone.is_in_place()) {
            *alone = Some(files::take(file)?);
        }
        Ok(())
    }

    /// Brings the schema up to date, and takes the database's own key of hashes into use. Instances that start together do so
    /// one after the other.
    ///
    /// # Errors
    /// [`StoreError::Migrate`], [`StoreError::DiskFull`]; [`StoreError::Sealed`] when none of the data keys is one of this database.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let connection = self.unhurried().await.map_err(|e| self.migrating_failed(e))?;
        let done = self.migrate_on(&connection).await;
        drop(tokio::time::timeout(self.0.address.limits().close, connection.close_by_ref()).await);
        done?;
        self.load_hash_key().await
    }

    async fn migrate_on(&self, connection: &DatabaseConnection) -> Result<(), StoreError> {
        let lock = self.migration_lock(connection).await.map_err(|e| self.migrating_failed(e))?;
        let done = Migrator::up(connection, None).await.map_err(|e| self.migrating_failed(e));
        if let Some(transaction) = lock {
            if self.dialect().0 == DbBackend::MySql {
                let release = format!("DO RELEASE_LOCK('ticketbridge{MIGRATION_LOCK}')");
                transaction.execute_unprepared(&release).await.map_err(StoreError::Migrate)?;
            }
            transaction.commit().await.map_err(StoreError::Migrate)?;
        }
        done
    }

    fn migrating_failed(&self, error: DbErr) -> StoreError {
        let full = self.0.address.file().filter(|file| files::unwritable(file).is_some_and(|why| why.contains("full")));
        match (full, self.dialect().0) {
            (Some(file), _) => StoreError::DiskFull { file: file.to_owned() },
            (None, _) if !is_forbidden(&error) => StoreError::Migrate(error),
            (None, DbBackend::MySql) => {
                StoreError::MayNotMigrate { mend: "GRANT ALL PRIVILEGES ON name.* TO user", source: error }
            }
            (None, _) => {
                let mend = "ALTER DATABASE name OWNER TO user, or in that database GRANT USAGE, CREATE ON SCHEMA public TO user";
                StoreError::MayNotMigrate { mend, source: error }
            }
        }
    }

    /// Connections for migrations and copies: statements of those may take long.
    pub(crate) async fn unhurried(&self) -> Result<DatabaseConnection, DbErr> {
        // sqlx knows MariaDB under MySQL's name only.
        let url = self.0.url.strip_prefix("mariadb://").map_or(self.0.url.clone(), |rest| format!("mysql://{rest}"));
        let mut options = ConnectOptions::new(url);
        options.max_connections(2).acquire_timeout(MIGRATION_WAIT).sqlx_logging(false).record_stmt_in_spans(false);
        let synchronous = match self.0.durability {
            Durability::PowerFailure => SqliteSynchronous::Full,
            Durability::ProcessEnd => SqliteSynchronous::Off,
        };
        options.map_sqlx_sqlite_opts(move |sqlite| sqlite.synchronous(synchronous).busy_timeout(MIGRATION_WAIT));
        options.set_application_name("ticketbridge migrate");
        Database::connect(options).await
    }

    /// The key of hashes is made once, and from then on kept sealed in the database.
    async fn load_hash_key(&self) -> Result<(), StoreError> {
        const NAME: &str = "keyed_hash";
        let row = format!("secret/{NAME}");
        let find = "SELECT sealed FROM secret WHERE name = ?";
        let mut found = self.row(find, values![NAME]).await?;
        if found.is_none() {
            let sealed = self.sealer().seal(&row, &self.sealer().first_hash_key());
            self.write("make_hash_key", move |tx: &Tx| {
                let sealed = sealed.clone();
                Box::pin(async move {
                    let sql = format!(
                        "INSERT INTO secret (name, sealed) VALUES (?, ?){}",
                        tx.dialect().unless_exists("name")
                    );
                    tx.execute(&sql, values![NAME, sealed]).await
                })
            })
            .await?;
            found = self.row(find, values![NAME]).await?;
        }
        let sealed: String = get(&found.ok_or(StoreError::Column("secret.name"))?, "sealed")?;
        let key = self.sealer().open(&row, &sealed)?;
        self.sealer().use_hash_key(key.try_into().map_err(|_| StoreError::Column("secret.sealed"))?);
        Ok(())
    }

    /// Takes the lock, on a connection of its own. SQLite has one instance only.
    #[expect(clippy::disallowed_methods, reason = "the lock is no transaction of the domain: it changes no row")]
    async fn migration_lock(&self, connection: &DatabaseConnection) -> Result<Option<DatabaseTransaction>, DbErr> {
        let wait = MIGRATION_WAIT.as_secs();
        let take = match self.dialect().0 {
            DbBackend::Postgres => {
                format!("SET LOCAL lock_timeout = '{wait}s'; SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            }
            DbBackend::MySql => format!("DO GET_LOCK('ticketbridge{MIGRATION_LOCK}', {wait})"),
            _ => return Ok(None),
        };
        let transaction = connection.begin().await?;
        transaction.execute_unprepared(&take).await?;
        Ok(Some(transaction))
    }

    /// Runs `work` in a transaction, which is committed when it returns `Ok` and rolled back otherwise. The result is
    /// handed out after the commit. `work` may be run several times, and never waits for anything but the database;
    /// after a failed statement (a [`StoreError::Duplicate`], for example) it can only return an error. `name` names
    /// the transaction in metrics. The transaction is not the caller's: one who goes away leaves it to its end.
    ///
    /// # Errors
    /// Those of `work`; [`StoreError::TryLater`] when its time was up before it began, [`StoreError::NotKnown`] when it was up
    /// before it was over; [`StoreError::Commit`], [`StoreError::Doomed`], [`StoreError::Panicked`], [`StoreError::Closed`],
    /// [`StoreError::Unreachable`].
    pub async fn write<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_within(self.0.address.limits().work, name, work).await
    }

    /// As [`Store::write`], together with other works that wait: `needs` says what `work` will ask for, so that it is read for all of
    /// them at once. What it has not said it gets as well, later than the others.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_needing<T, E, F>(&self, name: &'static str, needs: Needs, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.0.lanes.write(name, self.0.address.limits().work, Some(needs), work).await
    }

    /// The same for somebody who must have an answer within `limit`. An error [`StoreError::TryLater`] means that nothing was done
    /// and nothing will be; [`StoreError::NotKnown`] that it was begun and may take effect: what is stored tells.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_within<T, E, F>(&self, limit: Duration, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.0.lanes.write(name, limit, None, work).await
    }

    /// The sealer, for hashing phones and documents.
    pub fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// The time by the database's own clock: the one clock that all instances share. On SQLite it is this machine's.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::TryLater`], [`StoreError::Unreachable`].
    pub async fn database_now(&self) -> Result<UnixMillis, StoreError> {
        let sql = match self.dialect().0 {
            DbBackend::Postgres => "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT AS now_ms",
            DbBackend::MySql => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED) AS now_ms",
            _ => "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) AS now_ms",
        };
        let row = self.row(sql, values![]).await?;
        get(&row.ok_or(StoreError::Column("now_ms"))?, "now_ms").map(UnixMillis)
    }

    /// By how much the database's clock is ahead of `local`, which must be the present by the caller's. Add it to the caller's time
    /// to judge leases by the clock that all instances share.
    ///
    /// # Errors
    /// As [`Store::database_now`].
    pub async fn clock_offset(&self, local: impl Fn() -> UnixMillis + Send) -> Result<Millis, StoreError> {
        let before = local();
        let shared = self.database_now().await?;
        let after = local();
        // Asked about the middle of the question's way.
        Ok(shared - (before + Millis((after - before).0 / 2)))
    }

    /// Closes all connections; whatever is asked afterwards fails. Waits for what is under way, but not for ever.
    ///
    /// # Errors
    /// None at present; whatever hangs is left to the database.
    pub async fn close(&self) -> Result<(), StoreError> {
        let limit = self.0.address.limits().close;
        self.0.state.close();
        self.hear_nobody();
        self.0.lanes.close(limit).await;
        drop(tokio::time::timeout(limit, self.0.readers.close()).await);
        drop(self.0.alone.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }

    /// Statements that this store has put to the database so far, begins and commits among them.
    pub fn statements(&self) -> u64 {
        self.0.state.statements()
    }

    /// The file of an SQLite database.
    pub fn file(&self) -> Option<&Path> {
        self.0.address.file()
    }
}

impl Query for Store {
    fn dialect(&self) -> Dialect {
        self.0.address.dialect()
    }
    fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }
    fn rule_book(&self) -> &RuleBook {
        &self.0.state.rules
    }
    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        self.0.readers.rows(sql, values).await
    }
}
