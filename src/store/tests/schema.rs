// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::dialect::{Query as _, get, values};
use crate::test_support::{for_each_database, for_each_database_url, options};
use sea_orm::DbBackend;

#[tokio::test]
async fn a_database_is_ready_once_it_is_migrated() {
    for_each_database_url(async |url| {
        let store = Store::connect(&url, options()).await.unwrap();
        let result = store.ready().await;
        assert!(matches!(result, Err(StoreError::Schema { pending }) if pending > 10), "{result:?}");
        store.migrate().await.unwrap();
        store.ready().await.unwrap();
        store.migrate().await.unwrap();
        store.close().await.unwrap();
        assert!(store.ready().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn instances_that_start_together_migrate_one_after_the_other() {
    for_each_database_url(async |url| {
        if url.starts_with("sqlite") {
            return; // One instance only.
        }
        let mut instances = Vec::new();
        for _ in 0..4 {
            instances.push(Store::connect(&url, options()).await.unwrap());
        }
        let results = futures_util::future::join_all(instances.iter().map(Store::migrate)).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        for instance in instances {
            instance.ready().await.unwrap();
            instance.close().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_migration_cut_short_is_completed_by_the_next_run() {
    for_each_database(|store| async move {
        for statement in [
            "DELETE FROM seaql_migrations WHERE version = 'm0016_idempotency'",
            "DELETE FROM seaql_migrations WHERE version = 'm0015_lease'",
            "DROP TABLE idempotency",
        ] {
            // Not in a transaction of the store's: MariaDB would commit before the DROP, and the store would notice.
            store.0.address.open().await.unwrap().control(statement).await.unwrap();
        }
        store.migrate().await.unwrap();
        store.ready().await.unwrap();
        assert_eq!(store.known_act("x").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_sqlite_file_and_its_folder_are_made_and_its_settings_hold() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/a/b/c.db", folder.path().display());
    let store = Store::connect(&url, options()).await.unwrap();
    assert!(folder.path().join("a/b/c.db").is_file());
    for (pragma, wanted) in [("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 1_500)] {
        let sql = format!("SELECT {0} AS setting FROM pragma_{0}", pragma).replace("busy_timeout AS", "timeout AS");
        let set = write(
            &store,
            work!(tx, sql => {
                let rows = tx.rows(&sql, values![]).await?;
                get::<i32>(&rows[0], "setting")
            }),
        )
        .await;
        assert_eq!(set, wanted, "{pragma}");
    }
    let rows = store.rows("SELECT journal_mode AS setting FROM pragma_journal_mode", values![]).await.unwrap();
    assert_eq!(get::<String>(&rows[0], "setting").unwrap(), "wal");
}

#[tokio::test]
async fn transactions_on_mysql_read_what_is_committed() {
    for_each_database(|store| async move {
        if store.dialect().0 != DbBackend::MySql {
            return;
        }
        let rows = store.rows("SELECT @@transaction_isolation AS level_is", values![]).await;
        let rows = match rows {
            Ok(rows) => rows,
            Err(_) => store.rows("SELECT @@tx_isolation AS level_is", values![]).await.unwrap(),
        };
        assert_eq!(get::<String>(&rows[0], "level_is").unwrap(), "READ-COMMITTED");
    })
    .await;
}

#[tokio::test]
async fn other_addresses_are_refused_without_being_repeated() {
    for url in ["oracle://user:secret@host/db", "sqlite", ""] {
        let error = Store::connect(url, options()).await.unwrap_err();
        assert!(matches!(error, StoreError::Address));
        assert!(!error.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn every_table_has_somebody_who_ends_its_growth() {
    for_each_database(|store| async move {
        let sql = match store.dialect().0 {
            DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            DbBackend::Postgres => {
                "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema()"
            }
            _ => {
                "SELECT CAST(table_name AS CHAR) AS name FROM information_schema.tables WHERE table_schema = DATABASE()"
            }
        };
        let rows = store.rows(sql, values![]).await.unwrap();
        let mut there: Vec<String> = rows.iter().map(|row| get(row, "name").unwrap()).collect();
        there.sort();
        let mut ruled: Vec<String> = crate::TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
        ruled.sort();
        assert_eq!(there, ruled, "say in growth.rs what bounds it, and see to it in housekeeping");
    })
    .await;
}

#[tokio::test]
async fn every_index_says_what_it_is_for() {
    for_each_database(|store| async move {
        let database = store.dialect().0;
        let sql = match database {
            DbBackend::Sqlite => {
                "SELECT tbl_name AS owner, name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'"
            }
            DbBackend::Postgres => {
                "SELECT CAST(tablename AS TEXT) AS owner, CAST(indexname AS TEXT) AS name FROM pg_indexes \
                 WHERE schemaname = current_schema() AND indexname NOT LIKE '%pkey'"
            }
            _ => {
                "SELECT DISTINCT CAST(table_name AS CHAR) AS owner, CAST(index_name AS CHAR) AS name \
                 FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name <> 'PRIMARY'"
            }
        };
        let rows = store.rows(sql, values![]).await.unwrap();
        let read = |row| (get::<String>(row, "owner").unwrap(), get::<String>(row, "name").unwrap());
        let mut there: Vec<(String, String)> = rows.iter().map(read).collect();
        there.sort();
        let mut ruled: Vec<(String, String)> = Vec::new();
        for index in crate::INDEXES {
            assert!(!index.serves.is_empty(), "{}", index.name);
            let names = match database {
                DbBackend::MySql if !index.on_mysql.is_empty() => index.on_mysql,
                _ => std::slice::from_ref(&index.name),
            };
            ruled.extend(names.iter().map(|name| (index.table.to_owned(), (*name).to_owned())));
        }
        ruled.sort();
        assert_eq!(there, ruled, "say in indexes.rs which question it answers, or leave it out");
    })
    .await;
}
