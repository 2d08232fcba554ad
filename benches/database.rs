// SPDX-License-Identifier: Apache-2.0

//! The database under the bridge: started here or named, and what it says about its own work.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sea_orm::sqlx::mysql::MySqlPoolOptions;
use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::{self, MySqlPool, PgPool};
use serde::Serialize;
use ticketbridge_servers::{Server, start_mariadb, start_postgresql};

use crate::process;

/// PostgreSQL as it is installed, with its own counter of statements: nothing is made faster than it would be for a user.
const POSTGRESQL_OPTIONS: &[&str] = &[
    "-c",
    "shared_preload_libraries=pg_stat_statements",
    "-c",
    "pg_stat_statements.max=10000",
    "-c",
    "shared_buffers=256MB",
    "-c",
    "max_wal_size=4GB",
];
/// MariaDB as it is installed, with room for its pages.
const MARIADB_OPTIONS: &[&str] = &["--innodb-buffer-pool-size=256M", "--innodb-log-file-size=512M"];

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    Mysql,
}

impl Kind {
    /// By the scheme of an address.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let scheme = url.split_once("://")?.0;
        match scheme {
            "sqlite" => Some(Kind::Sqlite),
            "postgres" | "postgresql" => Some(Kind::Postgres),
            "mysql" | "mariadb" => Some(Kind::Mysql),
            _ => None,
        }
    }
}

/// A database to measure on.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) kind: Kind,
    /// Address of the account that makes databases, on a server; of nothing on SQLite.
    admin: Option<Admin>,
    directory: PathBuf,
}

#[derive(Debug)]
struct Admin {
    url: String,
    probe: Probe,
    /// Started here, and stopped with this.
    server: Option<Server>,
}

#[derive(Clone, Debug)]
enum Probe {
    Postgres(PgPool),
    Mysql(MySqlPool),
}

/// What has been done so far. Where the database does not tell, there is nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub(crate) statements: Option<u64>,
    pub(crate) commits: Option<u64>,
    /// Bytes of the log of changes.
    pub(crate) log_bytes: Option<u64>,
    /// Processor time of the database's processes.
    pub(crate) cpu_ms: Option<f64>,
}

impl Database {
    /// SQLite files below `directory`.
    pub(crate) fn sqlite(directory: &Path) -> Self {
        Self { kind: Kind::Sqlite, admin: None, directory: directory.to_owned() }
    }

    /// Starts a server of this kind; `None` when it is not installed.
    ///
    /// # Errors
    /// When it runs and cannot be used.
    pub(crate) async fn start(kind: Kind, directory: &Path) -> anyhow::Result<Option<Self>> {
        let server = match kind {
            Kind::Sqlite => return Ok(Some(Self::sqlite(directory))),
            Kind::Postgres => start_postgresql(POSTGRESQL_OPTIONS),
            Kind::Mysql => start_mariadb(MARIADB_OPTIONS),
        };
        let Some(server) = server else { return Ok(None) };
        let url = server.url().to_owned();
        Self::named(&url, Some(server), directory).await.map(Some)
    }

    /// The server at an address of an account that may create databases.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(crate) async fn named(url: &str, server: Option<Server>, directory: &Path) -> anyhow::Result<Self> {
        let kind = Kind::of(url).context("an address begins with sqlite://, postgres:// or mysql://")?;
        let probe = match kind {
            Kind::Sqlite => bail!("SQLite is measured on a file of its own: say --db sqlite"),
            Kind::Postgres => Probe::Postgres(PgPoolOptions::new().max_connections(1).connect(url).await?),
            Kind::Mysql => Probe::Mysql(MySqlPoolOptions::new().max_connections(1).connect(url).await?),
        };
        if let Probe::Postgres(pool) = &probe {
            // Without it statements are not counted, and the table says so.
            drop(sqlx::query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").execute(pool).await);
        }
        let admin = Admin { url: url.to_owned(), probe, server };
        Ok(Self { kind, admin: Some(admin), directory: directory.to_owned() })
    }

    /// What it calls itself.
    pub(crate) async fn version(&self) -> String {
        let said: Result<String, sqlx::Error> = match self.admin.as_ref().map(|admin| &admin.probe) {
            None => {
                let pool = sqlx::SqlitePool::connect("sqlite::memory:").await;
                match pool {
                    Ok(pool) => sqlx::query_scalar("SELECT 'SQLite ' || sqlite_version()").fetch_one(&pool).await,
                    Err(error) => Err(error),
                }
            }
            Some(Probe::Postgres(pool)) => {
                sqlx::query_scalar("SELECT 'PostgreSQL ' || current_setting('server_version')").fetch_one(pool).await
            }
            Some(Probe::Mysql(pool)) => sqlx::query_scalar("SELECT VERSION()").fetch_one(pool).await,
        };
        said.unwrap_or_else(|error| format!("{:?}: {error}", self.kind))
    }

    /// The address of a new, empty database.
    ///
    /// # Errors
    /// When the account may not make one.
    pub(crate) async fn empty(&self, name: &str) -> anyhow::Result<String> {
        let Some(admin) = &self.admin else {
            return Ok(format!("sqlite://{}", self.directory.join(name).with_extension("db").display()));
        };
        let name = format!("ticketbridge_bench_{name}");
        for sql in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
            match &admin.probe {
                Probe::Postgres(pool) => sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await.map(|_| ())?,
                Probe::Mysql(pool) => sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await.map(|_| ())?,
            }
        }
        let start = admin.url.find("://").map_or(0, |at| at + 3);
        let (address, query) = admin.url.split_once('?').map_or((admin.url.as_str(), ""), |(a, q)| (a, q));
        let end = address[start..].find('/').map_or(address.len(), |at| start + at);
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        Ok(format!("{}/{name}{query}", &address[..end]))
    }

    /// Takes a database away that was made here.
    ///
    /// # Errors
    /// When somebody still uses it.
    pub(crate) async fn remove(&self, name: &str) -> anyhow::Result<()> {
        let Some(admin) = &self.admin else { return Ok(()) };
        let sql = format!("DROP DATABASE IF EXISTS ticketbridge_bench_{name}");
        match &admin.probe {
            Probe::Postgres(pool) => {
                let forced = sqlx::AssertSqlSafe(format!("{sql} WITH (FORCE)"));
                sqlx::query(forced).execute(pool).await.map(|_| ())?;
            }
            Probe::Mysql(pool) => sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await.map(|_| ())?,
        }
        Ok(())
    }

    /// What the whole server has done so far; its counters know nothing of us, so nobody else may use it meanwhile.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn work(&self) -> anyhow::Result<Work> {
        let Some(admin) = &self.admin else { return Ok(Work::default()) };
        let cpu_ms = admin.server.as_ref().map(|server| process::cpu_ms(server.pid()));
        let work = match &admin.probe {
            Probe::Postgres(pool) => postgres_work(pool).await?,
            Probe::Mysql(pool) => mysql_work(pool).await?,
        };
        Ok(Work { cpu_ms, ..work })
    }

    /// Rows and indexes of a database made here, bytes.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn stored_bytes(&self, name: &str) -> anyhow::Result<u64> {
        let Some(admin) = &self.admin else {
            let file = self.directory.join(name).with_extension("db");
            return Ok(std::fs::metadata(file)?.len());
        };
        let name = format!("ticketbridge_bench_{name}");
        let bytes: i64 = match &admin.probe {
            Probe::Postgres(pool) => {
                sqlx::query_scalar("SELECT pg_database_size($1)").bind(name).fetch_one(pool).await?
            }
            Probe::Mysql(pool) => {
                let sql = "SELECT CAST(SUM(data_length + index_length) AS SIGNED) FROM information_schema.tables WHERE table_schema = ?";
                sqlx::query_scalar(sql).bind(name).fetch_one(pool).await?
            }
        };
        Ok(u64::try_from(bytes).unwrap_or_default())
    }
}

async fn postgres_work(pool: &PgPool) -> anyhow::Result<Work> {
    // Statements of other databases only: the looks themselves are made in the account's own.
    const COUNT: &str = "SELECT COALESCE(SUM(calls), 0)::bigint, \
         COALESCE(SUM(calls) FILTER (WHERE upper(query) LIKE 'COMMIT%' OR upper(query) LIKE 'END%'), 0)::bigint \
         FROM pg_stat_statements WHERE dbid <> (SELECT oid FROM pg_database WHERE datname = current_database())";
    let counted: Option<(i64, i64)> = sqlx::query_as(COUNT).fetch_one(pool).await.ok();
    let log: i64 = sqlx::query_scalar("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
        .fetch_one(pool)
        .await?;
    let whole = |number: i64| u64::try_from(number).ok();
    Ok(Work {
        statements: counted.and_then(|(all, _)| whole(all)),
        commits: counted.and_then(|(_, commits)| whole(commits)),
        log_bytes: whole(log),
        cpu_ms: None,
    })
}

async fn mysql_work(pool: &MySqlPool) -> anyhow::Result<Work> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_commit', 'Innodb_os_log_written')",
    )
    .fetch_all(pool)
    .await?;
    let find = |name: &str| rows.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.parse().ok());
    Ok(Work {
        statements: find("Questions"),
        commits: find("Com_commit"),
        log_bytes: find("Innodb_os_log_written"),
        cpu_ms: None,
    })
}
