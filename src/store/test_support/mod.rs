// SPDX-License-Identifier: Apache-2.0

//! Temporary databases for tests, of every kind at hand.
//!
//! SQLite is always there. The environment variable `TICKETBRIDGE_TEST_DATABASES` may name servers by addresses,
//! separated by spaces, of accounts that may create databases; when it is not set, PostgreSQL and MariaDB are started
//! from what is installed on this machine, once per test process, and end with it. What is missing is skipped and said
//! loudly, or fails when `TICKETBRIDGE_REQUIRE_ALL_DATABASES=1`. An empty `TICKETBRIDGE_TEST_DATABASES` means SQLite
//! only.

mod servers;
pub mod wire;

use futures_util::FutureExt as _;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};

use crate::dialect::{Query as _, get};
use crate::seal::random_token;
use crate::{Sealer, Store, StoreOptions};

/// The data key of tests.
pub const TEST_KEY: [u8; 32] = [7; 32];

/// Options for a test's store.
pub fn options() -> StoreOptions {
    StoreOptions::new(Sealer::new(vec![TEST_KEY]))
}

/// Runs `test` on an empty, migrated database of every kind, one after the other.
///
/// # Panics
/// When `test` does, or when a database cannot be made.
pub async fn for_each_database<F, Fut>(test: F)
where
    F: Fn(Store) -> Fut,
    Fut: Future<Output = ()>,
{
    for_each_database_url(async |url: String| {
        let store = Store::connect(&url, options()).await.expect("the database was made a moment ago");
        store.migrate().await.expect("an empty database takes the schema");
        let result = AssertUnwindSafe(test(store.clone())).catch_unwind().await;
        store.close().await.expect("connections can be closed");
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    })
    .await;
}

/// Runs `test` with the address of an empty database of every kind, one after the other.
///
/// # Panics
/// When `test` does, or when a database cannot be made.
pub async fn for_each_database_url(test: impl AsyncFn(String)) {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    run("SQLite", test(url)).await;
    for admin_url in servers::admin_urls() {
        let name = format!("ticketbridge_test_{}", random_token());
        let admin = Database::connect(admin_url).await.expect("the test server accepts connections");
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("the account may create databases");
        let outcome = AssertUnwindSafe(run(admin_url, test(with_database(admin_url, &name)))).catch_unwind().await;
        drop_database(&admin, &name).await;
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
    }
}

/// Takes away what versions before the index of guests and the times of waiting messages did not store.
///
/// # Panics
/// When the database fails.
pub async fn as_an_older_version_left_it(store: &Store) {
    for table in ["guest_ref", "remembered", "done_once"] {
        let sql = format!("DELETE FROM {table}");
        let removed: Result<u64, crate::StoreError> = store
            .write("test", move |tx: &crate::Tx| {
                let sql = sql.clone();
                Box::pin(async move { tx.execute(&sql, Vec::new()).await })
            })
            .await;
        removed.expect("the tables are there");
    }
}

/// Every value of every column of every table, as text, with the place where it stands: what somebody sees who reads the database.
///
/// # Panics
/// When the database fails.
pub async fn everything_kept(store: &Store) -> Vec<(String, String)> {
    let backend = store.dialect().0;
    let (tables, text) = match backend {
        sea_orm::DbBackend::Sqlite => ("SELECT name AS table_name FROM sqlite_master WHERE type = 'table'", "TEXT"),
        sea_orm::DbBackend::Postgres => (
            "SELECT CAST(table_name AS TEXT) AS table_name FROM information_schema.tables WHERE table_schema = 'public'",
            "TEXT",
        ),
        _ => ("SELECT table_name AS table_name FROM information_schema.tables WHERE table_schema = DATABASE()", "CHAR"),
    };
    let mut found = Vec::new();
    for table in store.rows(tables, Vec::new()).await.expect("a database that answers") {
        let table: String = get(&table, "table_name").expect("a name");
        let columns = match backend {
            sea_orm::DbBackend::Sqlite => format!("SELECT name AS column_name FROM pragma_table_info('{table}')"),
            sea_orm::DbBackend::Postgres => format!(
                "SELECT CAST(column_name AS TEXT) AS column_name FROM information_schema.columns WHERE table_name = '{table}'"
            ),
            _ => format!(
                "SELECT column_name AS column_name FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = '{table}'"
            ),
        };
        for column in store.rows(&columns, Vec::new()).await.expect("a database that answers") {
            let column: String = get(&column, "column_name").expect("a name");
            let sql = format!("SELECT CAST({column} AS {text}) AS kept FROM {table} WHERE {column} IS NOT NULL");
            for row in store.rows(&sql, Vec::new()).await.expect("a database that answers") {
                found.push((format!("{table}.{column}"), get(&row, "kept").expect("a text")));
            }
        }
    }
    found
}

async fn run(what: &str, test: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(Box::pin(test)).catch_unwind().await {
        eprintln!("failed on {}", what.split("://").next().unwrap_or(what));
        resume_unwind(panic);
    }
}

async fn drop_database(admin: &DatabaseConnection, name: &str) {
    let force = if admin.get_database_backend() == sea_orm::DbBackend::Postgres { " WITH (FORCE)" } else { "" };
    admin.execute_unprepared(&format!("DROP DATABASE {name}{force}")).await.expect("what was made can be dropped");
    admin.close_by_ref().await.expect("connections can be closed");
}

/// The address of another database of the same server.
fn with_database(url: &str, database: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let end = address[start..].find('/').map_or(address.len(), |at| start + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{database}{query}", &address[..end])
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn an_address_keeps_all_but_its_database() {
        assert_eq!(with_database("mysql://root@127.0.0.1:3306", "x"), "mysql://root@127.0.0.1:3306/x");
        assert_eq!(
            with_database("postgres://a:b@h/postgres?sslmode=disable", "x"),
            "postgres://a:b@h/x?sslmode=disable"
        );
    }
}
