// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::dialect::Query as _;
use crate::test_support::for_each_database;
use crate::{KnownAct, LeaseToken};

async fn lease(store: &Store, holder: &'static str, at: i64) -> Option<LeaseToken> {
    write(store, work!(tx => tx.try_lease("purge", holder, Millis(100), after(at)).await)).await
}

#[tokio::test]
async fn one_instance_holds_a_lease_until_it_ends_or_is_given_back() {
    for_each_database(|store| async move {
        let first = lease(&store, "a", 0).await.unwrap();
        assert_eq!(lease(&store, "b", 99).await, None);
        let renewed = lease(&store, "a", 50).await.unwrap();
        assert_ne!(first, renewed);
        assert_eq!(lease(&store, "b", 149).await, None);
        assert!(lease(&store, "b", 150).await.is_some());
        assert!(!write(&store, work!(tx, renewed => tx.release_lease("purge", &renewed).await)).await);

        let held = lease(&store, "b", 160).await.unwrap();
        assert!(write(&store, work!(tx, held => tx.release_lease("purge", &held).await)).await);
        assert!(lease(&store, "a", 161).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn of_instances_that_ask_together_one_gets_the_lease() {
    for_each_database(|store| async move {
        let names = ["a", "b", "c", "d", "e", "f"];
        let all = futures_util::future::join_all(names.map(|name| lease(&store, name, 0))).await;
        assert_eq!(all.iter().flatten().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_act_is_kept_once_with_its_answer_and_forgotten_by_age() {
    for_each_database(|store| async move {
        let act = KnownAct { request_hash: "r".repeat(64), status: 409, body: b"{}".to_vec() };
        let key = "k".repeat(64);
        let (kept, k) = (act.clone(), key.clone());
        write(&store, work!(tx, kept, k => tx.put_act(&k, &kept, NOW).await)).await;
        assert_eq!(store.known_act(&key).await.unwrap(), Some(act.clone()));
        let k = key.clone();
        assert_eq!(write(&store, work!(tx, k => tx.known_act(&k).await)).await, Some(act.clone()));
        let (again, k) = (act.clone(), key.clone());
        let result: Result<(), StoreError> =
            store.write("again", work!(tx, again, k => tx.put_act(&k, &again, NOW).await)).await;
        assert!(matches!(result, Err(StoreError::Duplicate)));

        assert_eq!(write(&store, work!(tx => tx.purge_acts(NOW).await)).await, 0);
        assert_eq!(write(&store, work!(tx => tx.purge_acts(after(1)).await)).await, 1);
        assert_eq!(store.known_act(&key).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_is_done_once_is_noted_once() {
    for_each_database(|store| async move {
        assert!(!store.is_done_once("index").await.unwrap());
        for at in [1, 2] {
            write(&store, work!(tx => tx.note_done_once("index", after(at)).await)).await;
        }
        assert!(store.is_done_once("index").await.unwrap());
        assert!(!store.is_done_once("other").await.unwrap());
    })
    .await;
}

/// Writes rows until SQLite's log is longer than `bytes`.
async fn write_much(store: &Store, bytes: u64) {
    let file = store.file().expect("a file").to_owned();
    let log = crate::files::beside(&file, "-wal");
    while std::fs::metadata(&log).map_or(0, |found| found.len()) <= bytes {
        let (name, much) = (crate::seal::random_token(), "x".repeat(100_000));
        let sql = format!("INSERT INTO lease (name, holder, token, until_ms) VALUES ('{name}', '{much}', '', 0)");
        write(store, work!(tx, sql => tx.execute(&sql, Vec::new()).await)).await;
    }
}

#[tokio::test]
async fn the_log_of_sqlite_is_emptied_once_nobody_reads_an_old_state_and_who_does_is_named() {
    const LARGE: u64 = 1_024 * 1_024;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let store = Store::connect(&url, crate::test_support::options()).await.unwrap();
    store.migrate().await.unwrap();
    write_much(&store, LARGE).await;
    assert_eq!(store.keep_log_small(LARGE).await.unwrap(), None, "nobody reads");
    let file = store.file().unwrap().to_owned();
    let size = || std::fs::metadata(crate::files::beside(&file, "-wal")).map_or(0, |found| found.len());
    assert!(size() <= LARGE, "{}", size());

    let mut reader = store.0.address.open().await.unwrap();
    reader.control("BEGIN; SELECT COUNT(*) FROM lease").await.unwrap();
    // Another process has the file open as well, as whoever reads from a shell has.
    let mut other = std::process::Command::new("sh")
        .args(["-c", "exec 3<\"$0\"; echo ready; read -r _"])
        .arg(&file)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(other.stdout.take().unwrap()), &mut ready).unwrap();
    write_much(&store, 2 * LARGE).await;
    match store.keep_log_small(LARGE).await.unwrap() {
        Some(crate::health::Load::Log { bytes, held_by }) => {
            assert!(bytes > LARGE);
            assert!(held_by.contains(&other.id().to_string()), "{held_by}");
        }
        found => panic!("{found:?}"),
    }
    drop(other.stdin.take());
    other.wait().unwrap();
    reader.control("ROLLBACK").await.unwrap();
    reader.close().await;
    assert_eq!(store.keep_log_small(LARGE).await.unwrap(), None);
    assert!(size() <= LARGE, "what one reader kept is given back: {}", size());
    store.close().await.unwrap();
}

#[tokio::test]
async fn who_holds_a_transaction_open_is_named() {
    for_each_database(|store| async move {
        let (begin, own) = match store.dialect().0 {
            sea_orm::DbBackend::Sqlite => return,
            sea_orm::DbBackend::Postgres => {
                ("BEGIN; UPDATE lease SET holder = holder", "SELECT CAST(pg_backend_pid() AS BIGINT) AS pid")
            }
            _ => (
                "START TRANSACTION; UPDATE lease SET holder = 'somebody'",
                "SELECT CAST(CONNECTION_ID() AS SIGNED) AS pid",
            ),
        };
        lease(&store, "a", 0).await;
        let mut session = store.0.address.open().await.unwrap();
        session.control(begin).await.unwrap();
        let pid: i64 = crate::dialect::get(&session.control(own).await.unwrap()[0], "pid").unwrap();
        // Of many on one server the oldest is named, and tests run side by side: it is ours or older.
        match store.find_old_transaction(-1.0).await.unwrap() {
            Some(crate::health::Load::Transaction { pid: found, account, seconds, .. }) => {
                assert!(found == pid || seconds > 0.0, "{found} {seconds}");
                assert!(!account.is_empty());
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.find_old_transaction(1_000_000.0).await.unwrap(), None, "it is not old yet");
        session.control("ROLLBACK").await.unwrap();
        session.close().await;
    })
    .await;
}
