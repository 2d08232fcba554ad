//! Connecting, and bringing the schema up to date.

use sea_orm::sqlx::Executor as _;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    QueryResult, TransactionTrait as _, Value,
};
use sea_orm_migration::MigratorTrait as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ticketbridge_migrations::Migrator;

use futures_util::future::BoxFuture;

use crate::dialect::{Dialect, Query, get, values};
use crate::error::StoreError;
use crate::seal::Sealer;
use crate::tx::{CommitFaults, Tx, Writer};

/// How long SQLite waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Name of the lock under which instances apply migrations one after the other.
const MIGRATION_LOCK: i64 = 7_246_190_155;

/// What a store needs beside the address.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Seals personal data.
    pub sealer: Sealer,
    /// Connections at most; on SQLite those that read, beside the one that writes.
    pub connections_max: u32,
    /// How long an operation waits for a free connection.
    pub acquire_timeout: Duration,
    /// What SQLite does to keep a commit through a power failure; other databases have settings of their own.
    pub durability: Durability,
    /// Makes commits of SQLite fail on request, for tests of what is lost then.
    pub commit_faults: Option<CommitFaults>,
}

/// What a commit survives, on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power failure: every commit waits for the disk. A webhook is acknowledged after its commit, so nothing less will do.
    PowerFailure,
    /// The end of the process only. For simulations, which commit millions of times and never lose power.
    ProcessEnd,
}

impl StoreOptions {
    /// Options for a service of usual size: 16 connections, 5 seconds, and nothing lost with the power.
    pub fn new(sealer: Sealer) -> Self {
        Self {
            sealer,
            connections_max: 16,
            acquire_timeout: Duration::from_secs(5),
            durability: Durability::PowerFailure,
            commit_faults: None,
        }
    }
}

struct Inner {
    reader: DatabaseConnection,
    /// The same as `reader`, except on SQLite.
    writing: DatabaseConnection,
    writer: Writer,
    dialect: Dialect,
    sealer: Sealer,
}

/// A database. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?})", self.0.dialect.0)
    }
}

impl Store {
    /// Connects. `sqlite://path` is relative to the working directory, `sqlite:///path` absolute; the file and its
    /// folder are made when missing. `postgres://` and `mysql://` (MariaDB too) address a database that exists.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Folder`], [`StoreError::Connect`].
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Store, StoreError> {
        let backend = backend(url).ok_or(StoreError::Address)?;
        let (dialect, sealer) = (Dialect(backend), options.sealer.clone());
        if backend == DbBackend::Sqlite {
            make_folder(url)?;
            let writing = open(sqlite(url, &options, 1)).await?;
            let reader = open(sqlite(url, &options, options.connections_max)).await?;
            let writer = Writer::grouped(writing.clone(), dialect, sealer.clone(), options.commit_faults);
            return Ok(Store(Arc::new(Inner { reader, writing, writer, dialect, sealer })));
        }
        let reader = open(server(url, &options)).await?;
        let writer = Writer::Single(reader.clone(), dialect, sealer.clone());
        Ok(Store(Arc::new(Inner { writing: reader.clone(), reader, writer, dialect, sealer })))
    }

    /// Brings the schema up to date, and takes the database's own key of hashes into use. Instances that start together do so
    /// one after the other.
    ///
    /// # Errors
    /// [`StoreError::Migrate`]; [`StoreError::Sealed`] when none of the data keys is one of this database.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let lock = self.migration_lock().await.map_err(StoreError::Migrate)?;
        let done = Migrator::up(&self.0.writing, None).await.map_err(StoreError::Migrate);
        if let Some(transaction) = lock {
            if self.0.dialect.0 == DbBackend::MySql {
                let release = format!("DO RELEASE_LOCK('ticketbridge{MIGRATION_LOCK}')");
                transaction.execute_unprepared(&release).await.map_err(StoreError::Migrate)?;
            }
            transaction.commit().await.map_err(StoreError::Migrate)?;
        }
        done?;
        self.load_hash_key().await
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
    async fn migration_lock(&self) -> Result<Option<DatabaseTransaction>, DbErr> {
        let take = match self.0.dialect.0 {
            DbBackend::Postgres => format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"),
            DbBackend::MySql => format!("DO GET_LOCK('ticketbridge{MIGRATION_LOCK}', 60)"),
            _ => return Ok(None),
        };
        let transaction = self.0.writing.begin().await?;
        transaction.execute_unprepared(&take).await?;
        Ok(Some(transaction))
    }

    /// Whether the database answers and has this program's schema.
    ///
    /// # Errors
    /// [`StoreError::Connect`], [`StoreError::Schema`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.0.reader.ping().await.map_err(StoreError::Connect)?;
        let pending = Migrator::get_pending_migrations_read_only(&self.0.reader).await.map_err(StoreError::Connect)?;
        if pending.is_empty() { Ok(()) } else { Err(StoreError::Schema { pending: pending.len() }) }
    }

    /// Runs `work` in a transaction, which is committed when it returns `Ok` and rolled back otherwise. The result is
    /// handed out after the commit. `work` may be run several times, and never waits for anything but the database;
    /// after a failed statement (a [`StoreError::Duplicate`], for example) it can only return an error. `name` names
    /// the transaction in metrics.
    ///
    /// # Errors
    /// Those of `work`; [`StoreError::Commit`], [`StoreError::Doomed`], [`StoreError::Panicked`], [`StoreError::Closed`].
    pub async fn write<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.0.writer.write(name, work).await
    }

    /// The sealer, for hashing phones and documents.
    pub fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// Closes all connections; whatever is asked afterwards fails. Waits for what is under way.
    ///
    /// # Errors
    /// [`StoreError::Connect`].
    pub async fn close(&self) -> Result<(), StoreError> {
        self.0.reader.close_by_ref().await.map_err(StoreError::Connect)?;
        self.0.writing.close_by_ref().await.map_err(StoreError::Connect)
    }
}

impl Query for Store {
    fn dialect(&self) -> Dialect {
        self.0.dialect
    }
    fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }
    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        let statement = self.0.dialect.statement(sql, values);
        self.0.reader.query_all_raw(statement).await.map_err(StoreError::Statement)
    }
}

fn backend(url: &str) -> Option<DbBackend> {
    let (scheme, _) = url.split_once("://")?;
    match scheme {
        "sqlite" => Some(DbBackend::Sqlite),
        "postgres" | "postgresql" => Some(DbBackend::Postgres),
        "mysql" | "mariadb" => Some(DbBackend::MySql),
        _ => None,
    }
}

fn make_folder(url: &str) -> Result<(), StoreError> {
    let path = url.trim_start_matches("sqlite://");
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    match Path::new(path).parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            std::fs::create_dir_all(folder).map_err(|e| StoreError::Folder(Arc::new(e)))
        }
        _ => Ok(()),
    }
}

async fn open(options: ConnectOptions) -> Result<DatabaseConnection, StoreError> {
    Database::connect(options).await.map_err(StoreError::Connect)
}

fn common(url: &str, options: &StoreOptions) -> ConnectOptions {
    let mut connect = ConnectOptions::new(url);
    connect.acquire_timeout(options.acquire_timeout);
    connect.sqlx_logging(false).record_stmt_in_spans(false);
    connect
}

fn sqlite(url: &str, options: &StoreOptions, connections_max: u32) -> ConnectOptions {
    let mut connect = common(url, options);
    connect.max_connections(connections_max).test_before_acquire(false);
    // A connection to a file is never stale.
    connect.idle_timeout(None).max_lifetime(None);
    let synchronous = match options.durability {
        Durability::PowerFailure => SqliteSynchronous::Full,
        Durability::ProcessEnd => SqliteSynchronous::Off,
    };
    connect.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
    });
    connect
}

fn server(url: &str, options: &StoreOptions) -> ConnectOptions {
    // sqlx knows MariaDB under MySQL's name only.
    let url = url.strip_prefix("mariadb://").map_or(url.to_owned(), |rest| format!("mysql://{rest}"));
    let mut connect = common(&url, options);
    connect.max_connections(options.connections_max);
    connect.test_before_acquire_if_idle_for(Duration::from_secs(10));
    connect.map_sqlx_mysql_pool_opts(|pool| {
        pool.after_connect(|connection, _| {
            Box::pin(async move {
                // Its default, REPEATABLE READ, locks gaps and reads stale counts.
                connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
                Ok(())
            })
        })
    });
    connect
}
