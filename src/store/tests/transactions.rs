// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::dialect::{Query as _, get, values};
use crate::test_support::{for_each_database, for_each_database_url, options};
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;

async fn lease_names(store: &Store) -> Vec<String> {
    let rows = store.rows("SELECT name FROM lease ORDER BY name", values![]).await.unwrap();
    rows.iter().map(|row| get(row, "name").unwrap()).collect()
}

async fn add(tx: &Tx, name: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO lease (name, holder, token, until_ms) VALUES (?, '', '', 0)";
    tx.execute(sql, values![name]).await.map(drop)
}

#[tokio::test]
async fn work_that_fails_leaves_nothing_and_harms_nobody_in_its_group() {
    for_each_database(|store| async move {
        let all = (0..50).map(|n| {
            let store = store.clone();
            async move {
                store
                    .write::<(), StoreError, _>("mixed", move |tx| {
                        Box::pin(async move {
                            add(tx, &format!("{n:02}")).await?;
                            if n % 3 == 0 { Err(StoreError::Cursor) } else { Ok(()) }
                        })
                    })
                    .await
            }
        });
        for (n, result) in join_all(all).await.into_iter().enumerate() {
            assert_eq!(result.is_err(), n % 3 == 0, "{n}: {result:?}");
        }
        let kept: Vec<String> = (0..50).filter(|n| n % 3 != 0).map(|n| format!("{n:02}")).collect();
        assert_eq!(lease_names(&store).await, kept);
    })
    .await;
}

#[tokio::test]
async fn writers_that_wait_together_are_committed_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::connect(&format!("sqlite://{}/x.db", folder.path().display()), options()).await.unwrap();
    store.migrate().await.unwrap();
    let (gate, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first = tokio::spawn({
        let (store, gate, entered) = (store.clone(), gate.clone(), entered.clone());
        async move {
            store
                .write::<(), StoreError, _>(
                    "first",
                    work!(tx, gate, entered => {
                        add(tx, "first").await?;
                        entered.notify_one();
                        gate.notified().await;
                        Ok(())
                    }),
                )
                .await
        }
    });
    entered.notified().await;
    // While the first is at work these can only wait; all of them see the same number of commits before them.
    let others = join_all((0..20).map(|n| {
        let store = store.clone();
        async move {
            store
                .write::<i64, StoreError, _>("other", move |tx| {
                    Box::pin(async move {
                        add(tx, &format!("{n}")).await?;
                        let rows = tx.rows("SELECT COUNT(*) AS many FROM lease", values![]).await?;
                        get(&rows[0], "many")
                    })
                })
                .await
                .unwrap()
        }
    }));
    let release = async {
        assert!(lease_names(&store).await.is_empty(), "nothing is visible before the commit");
        gate.notify_one();
    };
    let (seen, ()) = tokio::join!(others, release);
    first.await.unwrap().unwrap();
    assert_eq!(seen, (2..=21).collect::<Vec<i64>>(), "each sees what its group did before");
    assert_eq!(lease_names(&store).await.len(), 21);
}

#[tokio::test]
async fn a_panic_is_an_error_of_its_own_work_only() {
    for_each_database(|store| async move {
        let result: Result<(), StoreError> = store
            .write("panics", |tx| {
                Box::pin(async move {
                    add(tx, "gone").await?;
                    panic!("a bug")
                })
            })
            .await;
        assert!(matches!(result, Err(StoreError::Panicked)), "{result:?}");
        write(&store, |tx| Box::pin(add(tx, "kept"))).await;
        assert_eq!(lease_names(&store).await, ["kept"]);
    })
    .await;
}

#[tokio::test]
async fn a_failed_statement_dooms_the_work_even_when_it_is_passed_over() {
    for_each_database(|store| async move {
        write(&store, |tx| Box::pin(add(tx, "a"))).await;
        let result: Result<(), StoreError> = store
            .write("careless", |tx| {
                Box::pin(async move {
                    add(tx, "b").await?;
                    assert!(matches!(add(tx, "a").await, Err(StoreError::Duplicate)));
                    Ok(())
                })
            })
            .await;
        assert!(matches!(result, Err(StoreError::Doomed)), "{result:?}");
        assert_eq!(lease_names(&store).await, ["a"]);
    })
    .await;
}

#[tokio::test]
async fn the_victim_of_a_deadlock_is_run_again() {
    for_each_database(|store| async move {
        if store.dialect().0 == sea_orm::DbBackend::Sqlite {
            return; // One writer: nobody to collide with.
        }
        write(&store, |tx| {
            Box::pin(async move {
                add(tx, "a").await?;
                add(tx, "b").await
            })
        })
        .await;
        let (runs, both) = (Arc::new(AtomicU32::new(0)), Arc::new(tokio::sync::Barrier::new(2)));
        let all = [("a", "b"), ("b", "a")].map(|(one, two)| {
            let (store, runs, both) = (store.clone(), runs.clone(), both.clone());
            async move {
                store
                    .write::<(), StoreError, _>("deadlock", move |tx| {
                        let (runs, both) = (runs.clone(), both.clone());
                        Box::pin(async move {
                            let sql = "UPDATE lease SET until_ms = until_ms + 1 WHERE name = ?";
                            tx.execute(sql, values![one]).await?;
                            if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                                both.wait().await;
                            }
                            tx.execute(sql, values![two]).await.map(drop)
                        })
                    })
                    .await
            }
        });
        let results = join_all(all).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert_eq!(runs.load(Ordering::SeqCst), 3, "one of the two was run again");
        let rows = store.rows("SELECT until_ms FROM lease", values![]).await.unwrap();
        assert!(rows.iter().all(|row| get::<i64>(row, "until_ms").unwrap() == 2));
    })
    .await;
}

#[tokio::test]
async fn a_closed_store_refuses_work() {
    for_each_database_url(async |url| {
        let store = Store::connect(&url, options()).await.unwrap();
        store.migrate().await.unwrap();
        store.close().await.unwrap();
        let result: Result<(), StoreError> = store.write("late", |tx| Box::pin(add(tx, "x"))).await;
        assert!(result.is_err());
    })
    .await;
}
