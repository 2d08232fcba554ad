// SPDX-License-Identifier: Apache-2.0

//! The own ceiling: the rows that the bridge itself writes for one sale, read back from its database, and written again under fresh keys by
//! the bare driver, all rows of a table in one statement, 32 sales to a commit.
//!
//! Nothing of the bridge's code takes part, so whatever lies between this and the rate of accepted sales is the bridge's own doing:
//! deciding, sealing, HTTP, and reading what must be read. Rows that a sale only changes (stock, credit) are not part of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Row as _, TypeInfo as _, ValueRef as _};
use sea_orm::sqlx::{MySqlConnection, PgConnection, SqliteConnection};
use sha2::{Digest as _, Sha256};

use super::{Ceiling, Length, TOGETHER};
use crate::database::{Database, Kind};
use crate::latency::Times;
use crate::moment;
use crate::play::{End, Load, Pace, play};

/// Connections that write at the same time; SQLite has one.
const CONNECTIONS: usize = 2;
/// The name of its database.
const NAME: &str = "own";

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Null,
    Whole(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The rows of one table, with the names of its columns.
#[derive(Clone, Debug)]
struct Table {
    name: String,
    columns: Vec<String>,
    /// As PostgreSQL names them, for its casts.
    types: Vec<String>,
    rows: BTreeSet<Vec<Cell>>,
}

/// Every row of a database.
#[derive(Clone, Debug)]
pub(crate) struct Rows(Vec<Table>);

impl Rows {
    /// Reads all of them; for a database that holds next to nothing.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn read(kind: Kind, url: &str) -> anyhow::Result<Self> {
        match kind {
            Kind::Postgres => postgres::read(url).await,
            Kind::Mysql => mysql::read(url).await,
            Kind::Sqlite => sqlite::read(url).await,
        }
    }

    /// The rows that are here and were not there.
    pub(crate) fn since(self, before: &Rows) -> Rows {
        let before: BTreeMap<&str, &BTreeSet<Vec<Cell>>> =
            before.0.iter().map(|table| (table.name.as_str(), &table.rows)).collect();
        let tables = self.0.into_iter().filter_map(|mut table| {
            table.rows.retain(|row| !before.get(table.name.as_str()).is_some_and(|rows| rows.contains(row)));
            (!table.rows.is_empty()).then_some(table)
        });
        Rows(tables.collect())
    }

    /// Without the rows of tables whose rows are counters shared by all sales, and of those that are written off the way.
    pub(crate) fn without(mut self, names: &[&str]) -> Rows {
        self.0.retain(|table| !names.contains(&table.name.as_str()));
        self
    }

    /// `orders 1, inbox 1, …`
    pub(crate) fn summary(&self) -> String {
        let each = self.0.iter().map(|table| format!("{} {}", table.name, table.rows.len()));
        each.collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text of one sale, as another sale would have it: hashes are other hashes, identifiers end differently and grow, the rest stays.
/// The same text becomes the same text wherever it stands, so that rows still belong together.
fn fresh(text: &str, serial: u64) -> Option<String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(hex::encode(Sha256::digest(format!("{text}{serial}"))));
    }
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b'/'));
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    // PostgreSQL's numbers come as text too, and times stay as they are.
    let is_name = is_name && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    if !is_name || !(12..=200).contains(&text.len()) || digits < 6 {
        return None;
    }
    Some(format!("{}{serial:012x}", &text[..text.len() - 12]))
}

fn fresh_cell(cell: &Cell, serial: u64) -> Cell {
    match cell {
        Cell::Text(text) => Cell::Text(fresh(text, serial).unwrap_or_else(|| text.clone())),
        Cell::Bytes(bytes) if (16..=32).contains(&bytes.len()) => {
            let mut hash = Sha256::new();
            hash.update(bytes);
            hash.update(serial.to_be_bytes());
            Cell::Bytes(hash.finalize()[..bytes.len()].to_vec())
        }
        other => other.clone(),
    }
}

/// The rows of 32 sales, by table.
fn batch(rows: &Rows, first: u64) -> Vec<(&Table, Vec<Vec<Cell>>)> {
    let of_sale = |table: &Table, serial: u64| -> Vec<Vec<Cell>> {
        table.rows.iter().map(|row| row.iter().map(|cell| fresh_cell(cell, serial)).collect()).collect()
    };
    rows.0
        .iter()
        .map(|table| (table, (first..first + TOGETHER as u64).flat_map(|serial| of_sale(table, serial)).collect()))
        .collect()
}

/// Measures it: `schema` makes the bridge's tables at an address.
///
/// # Errors
/// When the database fails, or takes a row for one that it has already.
pub(crate) async fn measure(
    database: &Database,
    rows: &Rows,
    length: Length,
    schema: impl AsyncFn(&str) -> anyhow::Result<()>,
) -> anyhow::Result<Ceiling> {
    ensure!(!rows.is_empty(), "a sale left no row behind");
    let url = database.empty(NAME).await?;
    schema(&url).await?;
    let ceiling = match database.kind {
        Kind::Postgres => {
            let mut writers = Vec::new();
            for _ in 0..CONNECTIONS {
                writers.push(PgConnection::connect(&url).await?);
            }
            run(database, rows, length, writers, postgres::write).await
        }
        Kind::Mysql => {
            let mut writers = Vec::new();
            for _ in 0..CONNECTIONS {
                writers.push(MySqlConnection::connect(&url).await?);
            }
            run(database, rows, length, writers, mysql::write).await
        }
        Kind::Sqlite => {
            let writers = vec![super::four::open_sqlite(&url).await?];
            run(database, rows, length, writers, sqlite::write).await
        }
    };
    database.remove(NAME).await?;
    if database.kind == Kind::Sqlite {
        super::four::remove_sqlite(&url);
    }
    ceiling
}

async fn run<C>(
    database: &Database,
    rows: &Rows,
    length: Length,
    writers: Vec<C>,
    write: impl AsyncFn(&mut C, Vec<(&Table, Vec<Vec<Cell>>)>) -> Result<(), sqlx::Error>,
) -> anyhow::Result<Ceiling> {
    let load = Load { callers: writers.len(), pace: Pace::Closed, length: length.0 };
    let how = format!("sqlx, {} connection(s), 32 sales to a commit: {}", writers.len(), rows.summary());
    let mut callers: Vec<(C, u64)> =
        writers.into_iter().zip(0..).map(|(writer, n)| (writer, n * 0x10_0000_0000)).collect();
    let before = database.work().await?;
    let played = play(load, &mut callers, async |(writer, serial), turn, notes| {
        let sales = batch(rows, *serial);
        *serial += TOGETHER as u64;
        let done = write(writer, sales).await;
        notes.took("commit", moment::now() - turn.intended);
        match done {
            Ok(()) => End::Good,
            Err(error) => End::Bad(error.to_string()),
        }
    })
    .await;
    let after = database.work().await?;
    drop(callers);
    ensure!(played.bad.is_empty(), "the bridge's rows could not be written again: {:?}", played.bad);
    let times: Times = played.calls.get("commit").cloned().unwrap_or_default();
    let sales = (played.good * TOGETHER as u64).max(1) as f64;
    Ok(Ceiling {
        name: "own",
        how,
        per_second: played.reached * TOGETHER as f64,
        latency: times.figures(),
        database_cpu_ms: before.cpu_ms.zip(after.cpu_ms).map(|(b, a)| (a - b) / sales),
        log_bytes: before.log_bytes.zip(after.log_bytes).map(|(b, a)| a.saturating_sub(b) as f64 / sales),
    })
}

mod postgres {
    use super::*;

    pub(super) async fn read(url: &str) -> anyhow::Result<Rows> {
        let mut connection = PgConnection::connect(url).await?;
        let columns: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)::text FROM pg_class c \
             JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace \
             AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY c.relname, a.attnum",
        )
        .fetch_all(&mut connection)
        .await?;
        let mut tables = Vec::new();
        for (name, columns, types) in grouped(columns) {
            // As text: PostgreSQL itself turns it into whatever the column is.
            let list: Vec<String> = columns.iter().map(|column| format!("{column}::text")).collect();
            let sql = format!("SELECT {} FROM {name}", list.join(", "));
            let found = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
            let cell = |row: &sqlx::postgres::PgRow, at| -> Result<Cell, sqlx::Error> {
                Ok(row.try_get::<Option<String>, usize>(at)?.map_or(Cell::Null, Cell::Text))
            };
            let rows: Result<BTreeSet<Vec<Cell>>, sqlx::Error> =
                found.iter().map(|row| (0..columns.len()).map(|at| cell(row, at)).collect()).collect();
            tables.push(Table { name, columns, types, rows: rows? });
        }
        connection.close().await?;
        Ok(Rows(tables))
    }

    /// A statement for each table, a parameter for each column.
    pub(super) async fn write(to: &mut PgConnection, sales: Vec<(&Table, Vec<Vec<Cell>>)>) -> Result<(), sqlx::Error> {
        let mut tx = to.begin().await?;
        for (table, rows) in sales {
            let marks: Vec<String> = (1..=table.columns.len()).map(|n| format!("${n}::text[]")).collect();
            let names: Vec<String> = (1..=table.columns.len()).map(|n| format!("c{n}")).collect();
            let casts: Vec<String> =
                names.iter().zip(&table.types).map(|(name, kind)| format!("{name}::{kind}")).collect();
            let sql = format!(
                "INSERT INTO {} ({}) SELECT {} FROM UNNEST({}) AS v({})",
                table.name,
                table.columns.join(", "),
                casts.join(", "),
                marks.join(", "),
                names.join(", ")
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for at in 0..table.columns.len() {
                let column: Vec<Option<String>> = rows
                    .iter()
                    .map(|row| match row.get(at) {
                        Some(Cell::Text(text)) => Some(text.clone()),
                        _ => None,
                    })
                    .collect();
                query = query.bind(column);
            }
            query.execute(&mut *tx).await?;
        }
        tx.commit().await
    }
}

/// `(…, …), (…, …)`
fn values(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row; rows].join(", ")
}

fn insert(table: &Table, rows: usize) -> String {
    let columns = table.columns.join(", ");
    format!("INSERT INTO {} ({columns}) VALUES {}", table.name, values(rows, table.columns.len()))
}

macro_rules! bind_all {
    ($table:expr, $rows:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe(insert($table, $rows.len())));
        for cell in $rows.into_iter().flatten() {
            query = match cell {
                Cell::Null => query.bind(None::<String>),
                Cell::Whole(whole) => query.bind(whole),
                Cell::Text(text) => query.bind(text),
                Cell::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}

/// A value that the driver calls bytes. MySQL calls text so whose order is that of its bytes.
fn bytes_or_text(kind: Kind, bytes: Vec<u8>) -> Cell {
    match kind {
        Kind::Mysql => String::from_utf8(bytes).map_or_else(|error| Cell::Bytes(error.into_bytes()), Cell::Text),
        Kind::Sqlite | Kind::Postgres => Cell::Bytes(bytes),
    }
}

/// Reads a row whose columns are whole numbers, text or bytes.
macro_rules! cells {
    ($database:expr, $row:expr) => {{
        let row = $row;
        let mut cells = Vec::new();
        for (at, _) in row.columns().iter().enumerate() {
            let raw = row.try_get_raw(at)?;
            let kind = raw.type_info().name().to_owned();
            let cell = if raw.is_null() {
                Cell::Null
            } else if kind.contains("INT") {
                Cell::Whole(row.try_get_unchecked::<i64, usize>(at)?)
            } else if kind.contains("BLOB") || kind.contains("BINARY") {
                bytes_or_text($database, row.try_get_unchecked::<Vec<u8>, usize>(at)?)
            } else {
                Cell::Text(row.try_get_unchecked::<String, usize>(at)?)
            };
            cells.push(cell);
        }
        cells
    }};
}

/// Reads every table whole, and closes the connection.
macro_rules! read_all {
    ($database:expr, $connection:ident, $columns:expr) => {{
        let mut tables = Vec::new();
        for (name, columns, types) in grouped($columns) {
            let sql = format!("SELECT {} FROM {name}", columns.join(", "));
            let mut rows = BTreeSet::new();
            for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut $connection).await? {
                rows.insert(cells!($database, &row));
            }
            tables.push(Table { name, columns, types, rows });
        }
        $connection.close().await?;
        Ok(Rows(tables))
    }};
}

/// Writes the rows in one transaction, with a statement for each table.
macro_rules! write_all {
    ($to:expr, $sales:expr) => {{
        let mut tx = $to.begin().await?;
        for (table, rows) in $sales {
            bind_all!(table, rows).execute(&mut *tx).await?;
        }
        tx.commit().await
    }};
}

mod mysql {
    use super::*;

    pub(super) async fn read(url: &str) -> anyhow::Result<Rows> {
        let mut connection = MySqlConnection::connect(url).await?;
        let columns: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT CONVERT(table_name USING utf8mb4), CONVERT(column_name USING utf8mb4), CONVERT(data_type USING utf8mb4) \
             FROM information_schema.columns WHERE table_schema = DATABASE() AND COALESCE(generation_expression, '') = '' \
             ORDER BY table_name, ordinal_position",
        )
        .fetch_all(&mut connection)
        .await?;
        read_all!(Kind::Mysql, connection, columns)
    }

    pub(super) async fn write(
        to: &mut MySqlConnection,
        sales: Vec<(&Table, Vec<Vec<Cell>>)>,
    ) -> Result<(), sqlx::Error> {
        write_all!(to, sales)
    }
}

mod sqlite {
    use super::*;

    pub(super) async fn read(url: &str) -> anyhow::Result<Rows> {
        let mut connection = SqliteConnection::connect(url).await?;
        let columns: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid",
        )
        .fetch_all(&mut connection)
        .await?;
        read_all!(Kind::Sqlite, connection, columns)
    }

    pub(super) async fn write(
        to: &mut SqliteConnection,
        sales: Vec<(&Table, Vec<Vec<Cell>>)>,
    ) -> Result<(), sqlx::Error> {
        write_all!(to, sales)
    }
}

fn grouped(columns: Vec<(String, String, String)>) -> Vec<(String, Vec<String>, Vec<String>)> {
    let mut tables: Vec<(String, Vec<String>, Vec<String>)> = Vec::new();
    for (table, column, kind) in columns {
        if tables.last().is_none_or(|(last, ..)| *last != table) {
            tables.push((table, Vec::new(), Vec::new()));
        }
        if let Some((_, columns, kinds)) = tables.last_mut() {
            columns.push(column);
            kinds.push(kind);
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_hashes_change_with_the_sale_and_nothing_else_does() {
        let id = "ord_01ketmq0kdjqqy9x4e61m7r4bb8";
        assert_ne!(fresh(id, 1), fresh(id, 2));
        assert!(fresh(id, 1) < fresh(id, 2), "they grow, as the bridge's own do");
        assert_eq!(fresh(id, 7), fresh(id, 7), "the same everywhere");
        assert_eq!(fresh(id, 7).map(|text| text.len()), Some(id.len()));
        let ours = "cal_01a2247788c5765db86fe4a888d489ad".to_owned();
        assert_eq!(
            bytes_or_text(Kind::Mysql, ours.clone().into_bytes()),
            Cell::Text(ours.clone()),
            "its bytes are text"
        );
        assert_ne!(fresh(&ours, 1), None);
        let hash = "ab".repeat(32);
        assert_ne!(fresh(&hash, 1), fresh(&hash, 2));
        for text in
            ["awaiting_booking", "douyin-lean", "CNY", "1796086800000", "2026-11-28", "{\"a\": 123456789012345}"]
        {
            assert_eq!(fresh(text, 1), None, "{text}");
        }
    }

    #[tokio::test]
    async fn what_a_sale_left_behind_is_written_again_under_other_keys() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.db").display());
        let mut connection = super::super::four::open_sqlite(&url).await.unwrap();
        let ddl = "CREATE TABLE things (id VARCHAR(64) PRIMARY KEY, amount BIGINT NOT NULL, note TEXT NULL)";
        sqlx::query(ddl).execute(&mut connection).await.unwrap();
        sqlx::query("INSERT INTO things VALUES ('thg_000000000001', 1, NULL)").execute(&mut connection).await.unwrap();
        let before = Rows::read(Kind::Sqlite, &url).await.unwrap();
        sqlx::query("INSERT INTO things VALUES ('thg_000000000002', 5, 'x')").execute(&mut connection).await.unwrap();
        let sale = Rows::read(Kind::Sqlite, &url).await.unwrap().since(&before);
        assert_eq!(sale.summary(), "things 1");
        let database = Database::sqlite(folder.path());
        let ceiling = measure(&database, &sale, Length(std::time::Duration::from_millis(50)), async |url: &str| {
            let mut connection = super::super::four::open_sqlite(url).await?;
            sqlx::query(ddl).execute(&mut connection).await?;
            Ok(connection.close().await?)
        })
        .await
        .unwrap();
        assert!(ceiling.per_second > 0.0 && ceiling.latency.count > 0, "{ceiling:?}");
    }
}
