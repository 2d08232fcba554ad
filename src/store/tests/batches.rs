// SPDX-License-Identifier: Apache-2.0

//! Works of several senders in one transaction: each has its own outcome, and all see what those before them did.

use super::*;
use crate::dialect::{Query as _, get, values};
use crate::lane::TRIES_IN_COMPANY_MAX;
use crate::test_support::{for_each_database_url, options};
use crate::{InboxVerdict, Needs, NewInbox};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;
use ticketbridge_core::message::StockKey;
use tokio::sync::{Mutex, watch};

fn last_units() -> StockKey {
    StockKey { product: product("LP-V2"), date: None }
}

/// A store whose works share few transactions.
async fn narrow(url: &str) -> Store {
    let store = Store::connect(url, StoreOptions { lanes: 4, ..options() }).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// Takes a message and a sale with it: the inbox row, the number, the order, a unit of what is left.
async fn sell(store: &Store, n: u128, message: &str, total: u32) -> Result<(), StoreError> {
    let order = order(n);
    let needs = Needs::nothing()
        .with_message(message)
        .with_number(&order.channel, &order.channel_order_id)
        .with_stock(&last_units());
    let work = Arc::new((order, message.to_owned(), format!("inb_{n:032x}_{}", crate::seal::random_token())));
    store
        .write_needing("sell", needs, move |tx: &Tx| {
            let work = work.clone();
            Box::pin(async move {
                let (order, message, inbox) = &*work;
                let new = NewInbox {
                    id: inbox,
                    dedupe: message,
                    channel: "douyin-main",
                    call: "create-order",
                    key: message,
                    received_at: NOW,
                    body_sha256: "",
                    content_sha256: None,
                    body: b"{}",
                };
                tx.insert_inbox(&new).await?;
                if tx.lock_ref(&order.channel, &order.channel_order_id).await?.order.is_some() {
                    return Err(StoreError::Cursor);
                }
                if tx.stock_left(&last_units(), Some(total)).await? < Some(1) {
                    return Err(StoreError::TryLater);
                }
                assert!(tx.take_stock(&last_units(), 1).await?);
                assert!(order.id != order_id(13), "a bug in the work of order 13");
                tx.insert_order(order, &[placed(order)]).await?;
                tx.bind_ref(&order.channel, &order.channel_order_id, &order.id, None).await?;
                tx.finish_inbox(inbox, InboxVerdict::Accepted, Some(&order.id), None).await
            })
        })
        .await
}

async fn count(store: &Store, table: &str) -> i64 {
    let rows = store.rows(&format!("SELECT COUNT(*) AS many FROM {table}"), values![]).await.unwrap();
    get(&rows[0], "many").unwrap()
}

#[tokio::test]
async fn of_a_hundred_buyers_of_the_last_units_each_has_his_own_answer() {
    for_each_database_url(async |url| {
        let store = narrow(&url).await;
        let before = store.statements();
        let sold = join_all((0..100_u128).map(|n| {
            let store = store.clone();
            async move { sell(&store, n, &format!("m{n}"), 40).await }
        }))
        .await;
        let statements = store.statements() - before;
        assert_eq!(sold.iter().filter(|result| result.is_ok()).count(), 40);
        let sold_out = sold.iter().filter(|result| matches!(result, Err(StoreError::TryLater)));
        assert_eq!(sold_out.count(), 59);
        assert!(matches!(sold[13], Err(StoreError::Panicked)), "{:?}", sold[13]);
        for (n, result) in sold.iter().enumerate() {
            let stored = store.load_order(&order_id(n as u128)).await.unwrap();
            assert_eq!(stored.is_some(), result.is_ok(), "{n}");
        }
        assert_eq!(store.stock_left(&last_units(), Some(40)).await.unwrap(), Some(0));
        for table in ["inbox", "order_ref", "orders", "order_event"] {
            assert_eq!(count(&store, table).await, 40, "{table}");
        }
        // The first goes by itself, the others wait for it and go together.
        assert!(statements < 120, "{statements} statements for 100 sales");
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_second_change_of_an_order_sees_the_first_and_both_are_one_row() {
    for_each_database_url(async |url| {
        let store = narrow(&url).await;
        insert(&store, &order(1)).await;
        let changed = join_all((0..20_u64).map(|_| {
            let store = store.clone();
            async move {
                store
                    .write_needing("change", Needs::order(&order_id(1)), |tx: &Tx| {
                        Box::pin(async move {
                            let mut order = tx.lock_order(&order_id(1)).await?.ok_or(StoreError::Cursor)?;
                            let was = order.version;
                            order.version += 1;
                            tx.save_order(&order, was, &[opened(order.version)]).await?;
                            Ok::<_, StoreError>(order.version)
                        })
                    })
                    .await
                    .unwrap()
            }
        }))
        .await;
        let versions: BTreeSet<u64> = changed.into_iter().collect();
        assert_eq!(versions, (2..=21).collect::<BTreeSet<u64>>());
        assert_eq!(store.load_order(&order_id(1)).await.unwrap().unwrap().version, 21);
        assert_eq!(count(&store, "order_event").await, 21);
        let late = store.write_needing("late", Needs::order(&order_id(1)), |tx: &Tx| {
            Box::pin(async move { tx.save_order(&order(1), 20, &[]).await })
        });
        assert!(matches!(late.await, Err(StoreError::VersionConflict { expected: 20, .. })));
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_two_instances_that_hear_the_same_messages_each_takes_what_the_other_has_not() {
    for_each_database_url(async |url| {
        let (one, two) = (narrow(&url).await, narrow(&url).await);
        if one.dialect().0 == sea_orm::DbBackend::Sqlite {
            return; // One instance.
        }
        let told = (0..60_u128).flat_map(|n| [(one.clone(), n + 20), (two.clone(), n + 20)]);
        let heard =
            join_all(told.map(|(store, n)| async move { sell(&store, n, &format!("m{n}"), 1_000).await })).await;
        for (n, pair) in heard.chunks(2).enumerate() {
            let taken = pair.iter().filter(|result| result.is_ok()).count();
            let known = pair.iter().filter(|result| matches!(result, Err(StoreError::Duplicate))).count();
            assert_eq!((taken, known), (1, 1), "{n}: {pair:?}");
        }
        assert_eq!(one.stock_left(&last_units(), Some(1_000)).await.unwrap(), Some(940));
        assert_eq!(count(&one, "inbox").await, 60);
        one.close().await.unwrap();
        two.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_order_that_somebody_holds_keeps_nobody_else_waiting() {
    for_each_database_url(async |url| {
        // One lane for all: whoever waited in it would have everybody wait.
        let store = narrow(&url).await;
        if store.dialect().0 == sea_orm::DbBackend::Sqlite {
            return; // One writer: everybody waits for him.
        }
        for n in 0..8 {
            insert(&store, &order(n)).await;
        }
        let (release, holder) = hold(&store, 0, Touches::Later).await;
        let runs = Arc::new(watch::Sender::new(0_u8));
        let change = |n: u128| {
            let (store, runs) = (store.clone(), runs.clone());
            async move {
                store
                    .write_needing("change", Needs::order(&order_id(n)), move |tx: &Tx| {
                        if n == 0 {
                            runs.send_modify(|runs| *runs += 1);
                        }
                        Box::pin(async move {
                            let order = tx.lock_order(&order_id(n)).await?.ok_or(StoreError::Cursor)?;
                            tx.save_order(&Order { version: 2, ..order }, 1, &[opened(2)]).await
                        })
                    })
                    .await
            }
        };
        let mut waits = tokio::spawn(change(0));
        let tried_often = runs.subscribe().wait_for(|runs| *runs == TRIES_IN_COMPANY_MAX).await.map(|runs| *runs);
        assert_eq!(tried_often.unwrap(), TRIES_IN_COMPANY_MAX, "then it waits where nobody waits for it");
        let others = join_all((1..8).map(change)).await;
        assert!(others.iter().all(Result::is_ok), "{others:?}");
        tokio::select! { biased; done = &mut waits => panic!("it is held: {done:?}"), () = std::future::ready(()) => {} }
        release.notify_one();
        holder.await.unwrap().unwrap();
        waits.await.unwrap().expect("the lock is gone");
        assert_eq!(*runs.borrow(), TRIES_IN_COMPANY_MAX + 1);
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn whose_order_is_free_again_is_carried_out_with_the_next_batch() {
    for_each_database_url(async |url| {
        let store = narrow(&url).await;
        if store.dialect().0 == sea_orm::DbBackend::Sqlite {
            return; // One writer: nobody else holds anything.
        }
        for n in 0..2 {
            insert(&store, &order(n)).await;
        }
        let (release, holder) = hold(&store, 0, Touches::Later).await;
        let (holder, release) = (Arc::new(Mutex::new(Some(holder))), Arc::new(release));
        let runs = Arc::new(watch::Sender::new(0_u8));
        // Inside its first run the one who holds the order ends.
        let (freed, seen) = (holder.clone(), runs.clone());
        let changed = store.write_needing("change", Needs::order(&order_id(0)), move |tx: &Tx| {
            let (freed, release, seen) = (freed.clone(), release.clone(), seen.clone());
            Box::pin(async move {
                seen.send_modify(|runs| *runs += 1);
                if let Some(holder) = freed.lock().await.take() {
                    release.notify_one();
                    holder.await.map_err(|_| StoreError::Closed)??;
                }
                let order = tx.lock_order(&order_id(0)).await?.ok_or(StoreError::Cursor)?;
                tx.save_order(&Order { version: 2, ..order }, 1, &[opened(2)]).await
            })
        });
        changed.await.unwrap();
        assert_eq!(*runs.borrow(), 2);
        assert_eq!(store.load_order(&order_id(0)).await.unwrap().unwrap().version, 2);
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_commit_whose_end_nobody_knows_is_an_error_to_all_who_shared_it() {
    for_each_database_url(async |url| {
        for (fault, kept) in [(crate::CommitFault::Before, false), (crate::CommitFault::After, true)] {
            let faults = crate::CommitFaults::default();
            let options = StoreOptions { lanes: 4, commit_faults: Some(faults.clone()), ..options() };
            let store = Store::connect(&url, options).await.unwrap();
            store.migrate().await.unwrap();
            let from = if kept { 200 } else { 100 };
            sell(&store, from, &format!("m{from}"), 1_000).await.unwrap();
            faults.next(fault);
            let all = (from + 1..from + 11).map(|n| {
                let store = store.clone();
                async move { (n, sell(&store, n, &format!("m{n}"), 1_000).await) }
            });
            let mut failed = 0;
            for (n, result) in join_all(all).await {
                let stored = store.load_order(&order_id(n)).await.unwrap().is_some();
                match result {
                    Ok(()) => assert!(stored, "{n} was acknowledged"),
                    Err(error) => {
                        failed += 1;
                        assert!(matches!(error, StoreError::Commit(_)), "{error:?}");
                        assert_eq!(stored, kept, "{n}");
                        let again = sell(&store, n, &format!("m{n}"), 1_000).await;
                        assert_eq!(again.is_ok(), !kept, "{n}: the repeat finds the row or does not: {again:?}");
                    }
                }
            }
            assert!(failed > 0, "{fault:?}");
            store.close().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_conflict_undoes_is_done_again_and_counts_once() {
    for_each_database_url(async |url| {
        let faults = crate::CommitFaults::default();
        let options = StoreOptions { lanes: 4, commit_faults: Some(faults.clone()), ..options() };
        let store = Store::connect(&url, options).await.unwrap();
        store.migrate().await.unwrap();
        for round in 0..4_u128 {
            faults.next(crate::CommitFault::Conflict);
            let all = (0..15).map(|n| (round + 2) * 100 + n).map(|n| {
                let store = store.clone();
                async move { sell(&store, n, &format!("m{n}"), 1_000).await }
            });
            let sold = join_all(all).await;
            assert!(sold.iter().all(Result::is_ok), "{sold:?}");
            assert!(!faults.clear(), "it came");
        }
        assert_eq!(store.stock_left(&last_units(), Some(1_000)).await.unwrap(), Some(940));
        assert_eq!(count(&store, "orders").await, 60);
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_was_not_said_to_be_needed_is_had_as_well() {
    for_each_database_url(async |url| {
        let store = narrow(&url).await;
        let all = (0..30_u128).map(|n| {
            let store = store.clone();
            async move {
                store
                    .write_needing("unsaid", Needs::nothing(), move |tx: &Tx| {
                        Box::pin(async move {
                            assert!(tx.take_stock(&last_units(), 1).await?);
                            let sql = "INSERT INTO lease (name, holder, token, until_ms) VALUES (?, '', '', 0)";
                            tx.execute(sql, values![format!("l{n}")]).await?;
                            if n % 3 == 0 { Err(StoreError::Cursor) } else { Ok(()) }
                        })
                    })
                    .await
            }
        });
        for (n, result) in join_all(all).await.into_iter().enumerate() {
            assert_eq!(result.is_ok(), n % 3 != 0, "{n}: {result:?}");
        }
        assert_eq!(store.stock_left(&last_units(), Some(20)).await.unwrap(), Some(0));
        assert_eq!(count(&store, "lease").await, 20);
        store.close().await.unwrap();
    })
    .await;
}
