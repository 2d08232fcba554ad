// SPDX-License-Identifier: Apache-2.0

//! `B32` and `S32`: the thinnest inbox that acknowledges after its commit. A message, an order, an event and a delivery, a row each.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::ensure;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, MySqlConnection, PgConnection, SqliteConnection};

use super::{Ceiling, Length, TOGETHER};
use crate::database::{Database, Kind};
use crate::latency::Times;
use crate::moment;
use crate::play::{End, Load, Notes, Pace, Played, Turn, play};

const TABLES: [&str; 4] = [
    "CREATE TABLE thin_inbox (id BIGINT PRIMARY KEY, body TEXT NOT NULL, answer TEXT NOT NULL)",
    "CREATE TABLE thin_order (id BIGINT PRIMARY KEY, state VARCHAR(32) NOT NULL, document TEXT NOT NULL)",
    "CREATE TABLE thin_event (order_id BIGINT NOT NULL, seq INT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (order_id, seq))",
    "CREATE TABLE thin_job (id BIGINT PRIMARY KEY, order_id BIGINT NOT NULL, body TEXT NOT NULL)",
];
/// As long as a small message.
const BODY: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
);
/// `pgbench` knows whole seconds only, and its first one goes into connecting.
const PGBENCH_SECONDS_MIN: u64 = 2;
/// The name of its database.
const NAME: &str = "thin";

/// Measures it on an empty database of `database`'s.
///
/// # Errors
/// When the database fails.
pub(crate) async fn measure(database: &Database, length: Length, directory: &Path) -> anyhow::Result<Vec<Ceiling>> {
    let url = database.empty(NAME).await?;
    let ceilings = match database.kind {
        Kind::Postgres => vec![postgres(database, &url, length, directory).await?],
        Kind::Mysql => vec![mysql(database, &url, length).await?],
        Kind::Sqlite => vec![sqlite(&url, length, TOGETHER).await?, sqlite(&url, Length(length.0 / 4), 1).await?],
    };
    database.remove(NAME).await?;
    Ok(ceilings)
}

/// Spread over the whole key, as hashes are.
fn key(serial: u64) -> i64 {
    let mixed = serial.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    i64::try_from(mixed >> 1).unwrap_or(i64::MAX)
}

async fn postgres(database: &Database, url: &str, length: Length, directory: &Path) -> anyhow::Result<Ceiling> {
    let mut connection = PgConnection::connect(url).await?;
    for sql in TABLES {
        sqlx::query(sql).execute(&mut connection).await?;
    }
    connection.close().await?;
    let before = database.work().await?;
    let (how, per_second, times) = match pgbench(url, length.0, directory).await? {
        Some((per_second, times)) => ("pgbench, 32 clients, prepared".to_owned(), per_second, times),
        None => {
            let played = postgres_by_driver(url, length.0).await?;
            ("sqlx, 32 connections".to_owned(), played.reached, times_of(&played))
        }
    };
    let after = database.work().await?;
    Ok(ceiling("B32", how, per_second, &times, before, after))
}

fn ceiling(
    name: &'static str,
    how: String,
    per_second: f64,
    times: &Times,
    before: crate::database::Work,
    after: crate::database::Work,
) -> Ceiling {
    let latency = times.figures();
    let each = latency.count.max(1) as f64;
    Ceiling {
        name,
        how,
        per_second,
        database_cpu_ms: before.cpu_ms.zip(after.cpu_ms).map(|(before, after)| (after - before) / each),
        log_bytes: before.log_bytes.zip(after.log_bytes).map(|(b, a)| a.saturating_sub(b) as f64 / each),
        latency,
    }
}

fn times_of(played: &Played) -> Times {
    played.calls.get("transaction").cloned().unwrap_or_default()
}

/// PostgreSQL's own load generator, when it is installed.
async fn pgbench(url: &str, length: Duration, directory: &Path) -> anyhow::Result<Option<(f64, Times)>> {
    let Some(folder) = ticketbridge_servers::find(&["pgbench"], "/usr/lib/postgresql") else { return Ok(None) };
    let script = directory.join("four.sql");
    std::fs::write(
        &script,
        format!(
            "\\set id random(1, 9000000000000000000)\nBEGIN;\n\
             INSERT INTO thin_inbox VALUES (:id, '{BODY}', 'accepted');\n\
             INSERT INTO thin_order VALUES (:id, 'placed', '{BODY}');\n\
             INSERT INTO thin_event VALUES (:id, 1, '{BODY}');\n\
             INSERT INTO thin_job VALUES (:id, :id, '{BODY}');\nCOMMIT;\n"
        ),
    )?;
    let logs = tempfile::tempdir_in(directory)?;
    let output = tokio::process::Command::new(folder.join("pgbench"))
        .args(["-n", "-M", "prepared", "-c", "32", "-j", "1", "-l", "--log-prefix=times"])
        .arg("-T")
        .arg(length.as_secs().max(PGBENCH_SECONDS_MIN).to_string())
        .arg("-f")
        .arg(&script)
        .arg(url)
        .current_dir(logs.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    // It says none when no transaction has ended in its time.
    let Some(per_second) = rate else { return Ok(None) };
    let mut times = Times::default();
    for file in std::fs::read_dir(logs.path())? {
        for line in std::fs::read_to_string(file?.path())?.lines() {
            // client, transaction, microseconds, …
            if let Some(micros) = line.split(' ').nth(2).and_then(|field| field.parse().ok()) {
                times.add(Duration::from_micros(micros));
            }
        }
    }
    Ok(Some((per_second, times)))
}

struct Caller<C> {
    connection: C,
    serial: u64,
}

impl<C> Caller<C> {
    fn next(&mut self) -> i64 {
        self.serial += 1;
        key(self.serial)
    }
}

fn load(length: Duration) -> Load {
    Load { callers: TOGETHER, pace: Pace::Closed, length }
}

fn first_serial(caller: usize) -> u64 {
    caller as u64 * 1_000_000_000
}

fn end(done: Result<(), sqlx::Error>, turn: Turn, notes: &mut Notes) -> End {
    notes.took("transaction", moment::now() - turn.intended);
    match done {
        Ok(()) => End::Good,
        Err(error) => End::Bad(error.to_string()),
    }
}

async fn postgres_by_driver(url: &str, length: Duration) -> anyhow::Result<Played> {
    let mut callers = Vec::new();
    for number in 0..TOGETHER {
        callers.push(Caller { connection: PgConnection::connect(url).await?, serial: first_serial(number) });
    }
    Ok(play(load(length), &mut callers, async |caller, turn, notes| {
        let id = caller.next();
        let done = async {
            let mut tx = caller.connection.begin().await?;
            sqlx::query("INSERT INTO thin_inbox VALUES ($1, $2, 'accepted')")
                .bind(id)
                .bind(BODY)
                .execute(&mut *tx)
                .await?;
            sqlx::query("INSERT INTO thin_order VALUES ($1, 'placed', $2)")
                .bind(id)
                .bind(BODY)
                .execute(&mut *tx)
                .await?;
            sqlx::query("INSERT INTO thin_event VALUES ($1, 1, $2)").bind(id).bind(BODY).execute(&mut *tx).await?;
            sqlx::query("INSERT INTO thin_job VALUES ($1, $1, $2)").bind(id).bind(BODY).execute(&mut *tx).await?;
            tx.commit().await
        };
        end(done.await, turn, notes)
    })
    .await)
}

async fn mysql(database: &Database, url: &str, length: Length) -> anyhow::Result<Ceiling> {
    let mut callers = Vec::new();
    for number in 0..TOGETHER {
        callers.push(Caller { connection: MySqlConnection::connect(url).await?, serial: first_serial(number) });
    }
    for sql in TABLES {
        sqlx::query(sql).execute(&mut callers[0].connection).await?;
    }
    let before = database.work().await?;
    let played = play(load(length.0), &mut callers, async |caller, turn, notes| {
        let id = caller.next();
        let done = async {
            let mut tx = caller.connection.begin().await?;
            sqlx::query("INSERT INTO thin_inbox VALUES (?, ?, 'accepted')")
                .bind(id)
                .bind(BODY)
                .execute(&mut *tx)
                .await?;
            sqlx::query("INSERT INTO thin_order VALUES (?, 'placed', ?)").bind(id).bind(BODY).execute(&mut *tx).await?;
            sqlx::query("INSERT INTO thin_event VALUES (?, 1, ?)").bind(id).bind(BODY).execute(&mut *tx).await?;
            sqlx::query("INSERT INTO thin_job VALUES (?, ?, ?)").bind(id).bind(id).bind(BODY).execute(&mut *tx).await?;
            tx.commit().await
        };
        end(done.await, turn, notes)
    })
    .await;
    let after = database.work().await?;
    for caller in callers {
        caller.connection.close().await?;
    }
    ensure!(played.bad.is_empty(), "the four statements failed: {:?}", played.bad);
    Ok(ceiling("B32", "sqlx, 32 connections".to_owned(), played.reached, &times_of(&played), before, after))
}

async fn sqlite(url: &str, length: Length, together: usize) -> anyhow::Result<Ceiling> {
    let mut connection = open_sqlite(url).await?;
    for sql in TABLES {
        sqlx::query(sql).execute(&mut connection).await?;
    }
    let mut caller = [Caller { connection, serial: 0 }];
    let load = Load { callers: 1, pace: Pace::Closed, length: length.0 };
    let played = play(load, &mut caller, async |caller, turn, notes| {
        let ids: Vec<i64> = (0..together).map(|_| caller.next()).collect();
        let done = async {
            let mut tx = caller.connection.begin().await?;
            for id in ids {
                sqlx::query("INSERT INTO thin_inbox VALUES (?, ?, 'accepted')")
                    .bind(id)
                    .bind(BODY)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("INSERT INTO thin_order VALUES (?, 'placed', ?)")
                    .bind(id)
                    .bind(BODY)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("INSERT INTO thin_event VALUES (?, 1, ?)").bind(id).bind(BODY).execute(&mut *tx).await?;
                sqlx::query("INSERT INTO thin_job VALUES (?, ?, ?)")
                    .bind(id)
                    .bind(id)
                    .bind(BODY)
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await
        };
        end(done.await, turn, notes)
    })
    .await;
    let [caller] = caller;
    caller.connection.close().await?;
    remove_sqlite(url);
    ensure!(played.bad.is_empty(), "the four statements failed: {:?}", played.bad);
    let nothing = crate::database::Work::default();
    let (name, how) = if together == 1 { ("S1", "one to a commit") } else { ("S32", "32 to a commit") };
    let how = format!("sqlx, synchronous=FULL, {how}, a statement for each row");
    Ok(ceiling(name, how, played.reached * together as f64, &times_of(&played), nothing, nothing))
}

/// Takes the files of a database away.
pub(super) fn remove_sqlite(url: &str) {
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", url.trim_start_matches("sqlite://"))));
    }
}

/// A connection that keeps a commit through a power failure, as the bridge's does.
pub(super) async fn open_sqlite(url: &str) -> anyhow::Result<SqliteConnection> {
    let options: SqliteConnectOptions = url.parse()?;
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true);
    Ok(options.connect().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_two_callers_never_meet() {
        let mut seen = std::collections::HashSet::new();
        for caller in 0..TOGETHER {
            for serial in 0..1_000 {
                assert!(seen.insert(key(first_serial(caller) + serial)));
            }
        }
    }
}
