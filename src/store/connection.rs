// SPDX-License-Identifier: Apache-2.0

//! One connection, owned by one task at a time.
//!
//! Nobody but a task of the store's own ever awaits a statement, so none is left half-way by somebody who went away. After an error
//! whose consequences are not fully known the connection is closed, and another is made: nothing goes on with it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sea_orm::sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _};
use sea_orm::{DbBackend, DbErr, QueryResult, RuntimeErr, Value, Values};
use sea_query_sqlx::SqlxValues;

use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::files::Identity;
use crate::limits::TimeLimits;

/// Prepared statements that a connection keeps.
const STATEMENTS_KEPT: usize = 512;
/// What SQLite leaves of its log when a checkpoint has emptied it, bytes.
const WAL_KEPT_BYTES: &str = "16777216";
/// How long closing may take before the connection is simply dropped.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Under which name instances are listed by the database.
const APPLICATION: &str = "ticketbridge";

/// What a commit survives, on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power failure: every commit waits for the disk. A webhook is acknowledged after its commit, so nothing less will do.
    PowerFailure,
    /// The end of the process only. For simulations, which commit millions of times and never lose power.
    ProcessEnd,
}

#[derive(Clone)]
enum Options {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
    MySql(MySqlConnectOptions),
}

/// Where the database is, and how to speak to it.
#[derive(Clone)]
pub(crate) struct Address {
    options: Options,
    limits: TimeLimits,
    /// Which file an SQLite database is, whatever its name leads to later.
    is: Option<Identity>,
}

impl Address {
    /// Reads an address; nothing is connected yet.
    pub(crate) fn parse(url: &str, durability: Durability, limits: TimeLimits) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").ok_or(StoreError::Address)?;
        let unreadable = |_| StoreError::Address;
        let options = match scheme {
            "sqlite" => {
                let synchronous = match durability {
                    Durability::PowerFailure => SqliteSynchronous::Full,
                    Durability::ProcessEnd => SqliteSynchronous::Off,
                };
                let options = SqliteConnectOptions::from_str(url).map_err(unreadable)?;
                Options::Sqlite(
                    options
                        // It was made, where it was to be made, before anything is opened.
                        .create_if_missing(false)
                        .journal_mode(SqliteJournalMode::Wal)
                        .synchronous(synchronous)
                        .foreign_keys(true)
                        .busy_timeout(limits.lock)
                        .pragma("journal_size_limit", WAL_KEPT_BYTES)
                        .statement_cache_capacity(STATEMENTS_KEPT)
                        .disable_statement_logging(),
                )
            }
            "postgres" | "postgresql" => {
                let options = PgConnectOptions::from_str(url).map_err(unreadable)?;
                Options::Postgres(
                    options
                        .application_name(APPLICATION)
                        .statement_cache_capacity(STATEMENTS_KEPT)
                        .disable_statement_logging(),
                )
            }
            // sqlx knows MariaDB under MySQL's name only.
            "mysql" | "mariadb" => {
                let options = MySqlConnectOptions::from_str(&format!("mysql://{rest}")).map_err(unreadable)?;
                Options::MySql(options.statement_cache_capacity(STATEMENTS_KEPT).disable_statement_logging())
            }
            _ => return Err(StoreError::Address),
        };
        Ok(Self { options, limits, is: None })
    }

    /// The same, of the very file that is there now.
    pub(crate) fn of_this_file(mut self) -> Self {
        self.is = self.file().and_then(crate::files::identity);
        self
    }

    /// Whether the file of this name is still the one that was opened: what is written into another one's place, nobody finds after the next
    /// start.
    ///
    /// # Errors
    /// [`StoreError::Moved`].
    pub(crate) fn is_in_place(&self) -> Result<(), StoreError> {
        match self.file() {
            Some(file) if self.is.is_some() && crate::files::identity(file) != self.is => {
                Err(StoreError::Moved { file: file.to_owned() })
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        Dialect(match self.options {
            Options::Sqlite(_) => DbBackend::Sqlite,
            Options::Postgres(_) => DbBackend::Postgres,
            Options::MySql(_) => DbBackend::MySql,
        })
    }

    /// The file of an SQLite database.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.options {
            Options::Sqlite(options) => Some(options.get_filename()),
            Options::Postgres(_) | Options::MySql(_) => None,
        }
    }

    /// The same, with what a link leads to instead of the link.
    pub(crate) fn without_links(mut self) -> Self {
        if let Options::Sqlite(options) = &self.options {
            let file = crate::files::real(options.get_filename());
            self.options = Options::Sqlite(options.clone().filename(file));
        }
        self
    }

    /// How PostgreSQL is spoken to, if it is that.
    pub(crate) fn postgres(&self) -> Option<PgConnectOptions> {
        match &self.options {
            Options::Postgres(options) => Some(options.clone()),
            Options::Sqlite(_) | Options::MySql(_) => None,
        }
    }

    pub(crate) fn limits(&self) -> &TimeLimits {
        &self.limits
    }

    /// Host, port and database, or the file; never the password.
    fn place(&self) -> String {
        let server = |kind: &str, host: &str, port: u16, socket: Option<&PathBuf>, database: Option<&str>| {
            let at = socket.map_or_else(|| format!("{host}:{port}"), |path| path.display().to_string());
            format!("{kind} at {at}, database {}", database.unwrap_or("(none named)"))
        };
        match &self.options {
            Options::Sqlite(options) => format!("SQLite file {}", options.get_filename().display()),
            Options::Postgres(o) => server("PostgreSQL", o.get_host(), o.get_port(), o.get_socket(), o.get_database()),
            Options::MySql(o) => server("MySQL/MariaDB", o.get_host(), o.get_port(), o.get_socket(), o.get_database()),
        }
    }

    /// Connects, within the time limit.
    pub(crate) async fn open(&self) -> Result<Connection, StoreError> {
        // A file has no network between; a busy machine opens it late, but does.
        let limit = match self.options {
            Options::Sqlite(_) => self.limits.connect.max(self.limits.patience()),
            Options::Postgres(_) | Options::MySql(_) => self.limits.connect,
        };
        match tokio::time::timeout(limit, self.try_open()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.unreachable(self.likely_reason(&error), Some(error))),
            Err(_) => {
                let why =
                    format!("no answer within {:?}; is it running, and is a firewall between?", self.limits.connect);
                Err(self.unreachable(why, None))
            }
        }
    }

    fn unreachable(&self, why: String, error: Option<sqlx::Error>) -> StoreError {
        let source = error.map_or_else(|| DbErr::Custom("timed out".to_owned()), connecting);
        StoreError::Unreachable { place: self.place(), why, source }
    }

    fn likely_reason(&self, error: &sqlx::Error) -> String {
        if let Some(full) = self.file().and_then(crate::files::unwritable) {
            return full;
        }
        match error {
            sqlx::Error::Io(io) => match io.kind() {
                std::io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
                std::io::ErrorKind::NotFound => "there is no such socket or file".to_owned(),
                std::io::ErrorKind::PermissionDenied => "access is not permitted".to_owned(),
                std::io::ErrorKind::TimedOut => "the host does not answer".to_owned(),
                _ if io.to_string().contains("lookup") => "the host's name is not known".to_owned(),
                _ => "the connection failed".to_owned(),
            },
            sqlx::Error::Tls(_) => "the encrypted connection could not be set up".to_owned(),
            sqlx::Error::Database(error) => match error.code().as_deref() {
                Some("28P01" | "28000" | "1045") => "user or password are wrong".to_owned(),
                Some("3D000" | "1049") => "there is no such database".to_owned(),
                Some("53300" | "1040") => "it has too many connections already".to_owned(),
                Some("57P03") => "it is starting up or shutting down".to_owned(),
                _ => "it refuses".to_owned(),
            },
            _ => "the connection failed".to_owned(),
        }
    }

    async fn try_open(&self) -> Result<Connection, sqlx::Error> {
        let (lock, statement) = (self.limits.lock, self.limits.statement);
        let mut connection = match &self.options {
            Options::Sqlite(options) => return Ok(Connection::Sqlite(Box::new(options.connect().await?))),
            Options::Postgres(options) => Connection::Postgres(Box::new(options.connect().await?)),
            Options::MySql(options) => {
                let mut connection = options.connect().await?;
                let version = connection.server_version_is_mariadb().await?;
                Connection::MySql(Box::new(connection), version)
            }
        };
        let settings = match &connection {
            Connection::Sqlite(_) => return Ok(connection),
            // Every statement of ours has its index (`src/store/tests/plans.rs`): none is to go through a table because the database believes, for
            // a while, that it is small. Compiling a plan that it thinks expensive would only take time.
            Connection::Postgres(_) => format!(
                "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
                 SET enable_seqscan = off; SET jit = off",
                statement.as_millis(),
                lock.as_millis(),
                self.limits.patience().as_millis()
            ),
            // The default, REPEATABLE READ, locks gaps and reads stale counts.
            Connection::MySql(_, flavour) => format!(
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION innodb_lock_wait_timeout = {0}, \
                 lock_wait_timeout = {0}, {1}",
                lock.as_secs().max(1),
                match flavour {
                    Flavour::MariaDb => format!("max_statement_time = {}", statement.as_secs_f64()),
                    Flavour::MySql => format!("max_execution_time = {}", statement.as_millis()),
                }
            ),
        };
        connection.control(&settings).await?;
        Ok(connection)
    }
}

/// Whether it is MariaDB or MySQL proper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    MariaDb,
    MySql,
}

/// Asks a server of MySQL's kind which of the two it is.
trait AskFlavour {
    async fn server_version_is_mariadb(&mut self) -> Result<Flavour, sqlx::Error>;
}

impl AskFlavour for MySqlConnection {
    async fn server_version_is_mariadb(&mut self) -> Result<Flavour, sqlx::Error> {
        let version: String = sqlx::query_scalar("SELECT VERSION()").fetch_one(self).await?;
        Ok(if version.contains("MariaDB") { Flavour::MariaDb } else { Flavour::MySql })
    }
}

/// One connection.
pub(crate) enum Connection {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
    MySql(Box<MySqlConnection>, Flavour),
}

impl Connection {
    fn dialect(&self) -> Dialect {
        Dialect(match self {
            Connection::Sqlite(_) => DbBackend::Sqlite,
            Connection::Postgres(_) => DbBackend::Postgres,
            Connection::MySql(..) => DbBackend::MySql,
        })
    }

    fn sql(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(match self.dialect().sql(sql) {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        })
    }

    /// Runs a statement that changes rows; how many it found.
    pub(crate) async fn execute(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, sqlx::Error> {
        let (sql, values) = (self.sql(sql), SqlxValues(Values(values)));
        Ok(match self {
            Connection::Sqlite(c) => sqlx::query_with(sql, values).execute(&mut **c).await?.rows_affected(),
            Connection::Postgres(c) => sqlx::query_with(sql, values).execute(&mut **c).await?.rows_affected(),
            Connection::MySql(c, _) => sqlx::query_with(sql, values).execute(&mut **c).await?.rows_affected(),
        })
    }

    /// Runs a statement that takes a list of values for each mark; PostgreSQL's only.
    pub(crate) async fn execute_columns(&mut self, sql: &str, columns: Vec<Vec<Value>>) -> Result<u64, sqlx::Error> {
        let sql = self.sql(sql);
        let Connection::Postgres(connection) = self else {
            return Err(sqlx::Error::Protocol("lists of values are PostgreSQL's".to_owned()));
        };
        let mut lists = PgArguments::default();
        for column in columns {
            add_list(&mut lists, column).map_err(sqlx::Error::Encode)?;
        }
        Ok(sqlx::query_with(sql, lists).execute(&mut **connection).await?.rows_affected())
    }

    /// All rows of a SELECT.
    pub(crate) async fn rows(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, sqlx::Error> {
        let (sql, values) = (self.sql(sql), SqlxValues(Values(values)));
        Ok(match self {
            Connection::Sqlite(c) => all(sqlx::query_with(sql, values).fetch_all(&mut **c).await?),
            Connection::Postgres(c) => all(sqlx::query_with(sql, values).fetch_all(&mut **c).await?),
            Connection::MySql(c, _) => all(sqlx::query_with(sql, values).fetch_all(&mut **c).await?),
        })
    }

    /// Runs statements without values, in one go; the rows of all of them.
    pub(crate) async fn control(&mut self, sql: &str) -> Result<Vec<QueryResult>, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Connection::Sqlite(c) => all(sqlx::raw_sql(sql).fetch_all(&mut **c).await?),
            Connection::Postgres(c) => all(sqlx::raw_sql(sql).fetch_all(&mut **c).await?),
            Connection::MySql(c, _) => all(sqlx::raw_sql(sql).fetch_all(&mut **c).await?),
        })
    }

    /// Begins a transaction, after a proof that none is open.
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        match self {
            // Fails inside a transaction.
            Connection::Sqlite(_) => self.control("BEGIN IMMEDIATE").await.map(drop),
            // The time of a transaction that is open already began before this message came.
            Connection::Postgres(_) => {
                let rows = self.control("BEGIN; SELECT now() = statement_timestamp() AS fresh").await?;
                proven(&rows, |row| row.try_get::<bool>("", "fresh").is_ok_and(|fresh| fresh))
            }
            Connection::MySql(_, Flavour::MariaDb) => {
                let rows = self.control("SELECT CAST(@@in_transaction AS SIGNED) AS inside; START TRANSACTION").await?;
                proven(&rows, |row| row.try_get::<i64>("", "inside").is_ok_and(|inside| inside == 0))
            }
            Connection::MySql(_, Flavour::MySql) => self.control("START TRANSACTION").await.map(drop),
        }
    }

    /// Commits; success means that there was a transaction, and that it is committed.
    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        match self {
            // Fails when SQLite has ended the transaction by itself.
            Connection::Sqlite(_) => self.control("COMMIT").await.map(drop),
            // COMMIT alone turns into a rollback without an error when a statement has failed; SELECT fails then.
            Connection::Postgres(_) => self.control("SELECT 1; COMMIT").await.map(drop),
            Connection::MySql(_, Flavour::MariaDb) => {
                let rows = self.control("SELECT CAST(@@in_transaction AS SIGNED) AS inside; COMMIT").await?;
                proven(&rows, |row| row.try_get::<i64>("", "inside").is_ok_and(|inside| inside == 1))
            }
            Connection::MySql(_, Flavour::MySql) => self.control("COMMIT").await.map(drop),
        }
    }

    /// Rolls back; an error when there was nothing to roll back where the database says so.
    pub(crate) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        self.control("ROLLBACK").await.map(drop)
    }

    /// Closes it for good.
    pub(crate) async fn close(self) {
        let closing = async {
            match self {
                Connection::Sqlite(connection) => connection.close().await,
                Connection::Postgres(connection) => connection.close_hard().await,
                Connection::MySql(connection, _) => connection.close_hard().await,
            }
        };
        // One that does not even close is left behind; nothing of ours uses it again.
        drop(tokio::time::timeout(CLOSE_WITHIN, closing).await);
    }
}

/// Columns of ours hold texts and whole numbers.
fn add_list(lists: &mut PgArguments, column: Vec<Value>) -> Result<(), sqlx::error::BoxDynError> {
    match column.first() {
        Some(Value::BigInt(_)) => lists.add(list(column, |value| match value {
            Value::BigInt(number) => Some(number),
            _ => None,
        })?),
        Some(Value::SmallInt(_)) => lists.add(list(column, |value| match value {
            Value::SmallInt(number) => Some(number),
            _ => None,
        })?),
        _ => lists.add(list(column, |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })?),
    }
}

fn list<T>(column: Vec<Value>, take: impl Fn(Value) -> Option<Option<T>>) -> Result<Vec<Option<T>>, String> {
    column.into_iter().map(|value| take(value).ok_or_else(|| "a column of several types".to_owned())).collect()
}

fn all<R: Into<QueryResult>>(rows: Vec<R>) -> Vec<QueryResult> {
    rows.into_iter().map(Into::into).collect()
}

fn proven(rows: &[QueryResult], holds: impl Fn(&QueryResult) -> bool) -> Result<(), sqlx::Error> {
    if rows.first().is_some_and(holds) {
        return Ok(());
    }
    Err(sqlx::Error::Protocol("the connection was not where a transaction begins or ends".to_owned()))
}

/// The error of a statement, in the library's form.
pub(crate) fn executing(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

/// The error of a connection, in the library's form.
pub(crate) fn connecting(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}
