// SPDX-License-Identifier: Apache-2.0

//! The line to the database server is lost: at every single statement of a sale and of the outcome of a delivery, before the server hears
//! of the statement and after it has carried it out, and for good, when a standby takes over. Nothing that was acknowledged is lost, and
//! nothing is there twice.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::DbBackend;
use ticketbridge_core::message::DeadlineKind;
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_servers::{Server, start_postgresql, start_postgresql_standby};
use tokio::time::{Instant, timeout};

use super::{NOW, after, channel, order, placed, work};
use crate::dialect::{Query as _, get_count, values};
use crate::test_support::wire::{Loses, Wire, server_of};
use crate::test_support::{for_each_database_url, options};
use crate::{JobEnd, JobState, LaneRoom, Store, StoreError};

/// Longest real time for anything that must happen in the end.
const PATIENCE: Duration = Duration::from_secs(120);
/// More statements than a sale and its outcome take.
const STATEMENTS_MAX: u64 = 200;
/// Sales during the fail-over, and those of them before it.
const SALES: u64 = 300;
const SALES_BEFORE: u64 = 60;
const SELLERS: usize = 8;

fn id(n: u128) -> String {
    format!("dlv_{n:08}")
}

/// Stores a sale with what follows from it, again and again until it is stored, or was.
async fn sell(store: &Store, n: u128) {
    let mut sold = super::jobs::job(0, n, "backend:gate", 1);
    sold.id = id(n);
    loop {
        let (made, sold) = (order(n), sold.clone());
        let stored: Result<(), StoreError> = store
            .write(
                "sale",
                work!(tx, made, sold => {
                    tx.insert_order(&made, &[placed(&made)]).await?;
                    tx.bind_ref(&channel(), &made.channel_order_id, &made.id, None).await?;
                    tx.arm(&made.id, DeadlineKind::Ticketing, after(i64::MAX / 4), &[], NOW).await?;
                    tx.enqueue(&sold).await
                }),
            )
            .await;
        match stored {
            // The sender is told that it is stored, in both ways.
            Ok(()) | Err(StoreError::Duplicate) => return,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Carries the delivery of a sale out until that is stored; `now` goes on by more than a lease with each attempt.
async fn deliver(store: &Store, n: u128, now: &mut UnixMillis) {
    let name = id(n);
    loop {
        *now = *now + Millis(20_000);
        let lanes = vec![LaneRoom::unlimited("backend:gate")];
        let claimed = store.claim(*now, 1, Millis(15_000), lanes).await.unwrap_or_default();
        for job in claimed {
            let at = *now;
            let settled: Result<bool, StoreError> = store
                .write(
                    "settle",
                    work!(tx, job => {
                        tx.lock_order(&job.order).await?;
                        tx.settle(&job, &JobEnd::Delivered, at).await
                    }),
                )
                .await;
            drop(settled);
        }
        if store.job(&name).await.ok().flatten().is_some_and(|job| job.state == JobState::Delivered) {
            return;
        }
    }
}

async fn count(store: &Store, table: &str) -> u64 {
    let rows = store.rows(&format!("SELECT COUNT(*) AS many FROM {table}"), values![]).await.unwrap();
    get_count(&rows[0], "many").unwrap()
}

#[tokio::test]
async fn a_line_that_is_cut_at_any_statement_loses_nothing_and_doubles_nothing() {
    for_each_database_url(async |url| {
        if url.starts_with("sqlite") {
            return; // A file has no line to it.
        }
        let wire = Wire::to(&url).await;
        let store = Store::connect(&wire.over(&url), options()).await.unwrap();
        store.migrate().await.unwrap();
        let (mut sold, mut now) = (0_u64, NOW);
        for loses in [Loses::Statement, Loses::Answer] {
            for at in 1..STATEMENTS_MAX {
                sold += 1;
                wire.cut_at(at, loses);
                let whole = async {
                    sell(&store, u128::from(sold)).await;
                    deliver(&store, u128::from(sold), &mut now).await;
                };
                timeout(PATIENCE, whole).await.unwrap_or_else(|_| panic!("{loses:?} at {at}: in vain"));
                if !wire.leave_alone() {
                    eprintln!("{:?}: cut at each of {} statements, {loses:?}", store.dialect().0, at - 1);
                    assert!(at > 10, "the line was not cut at all");
                    break;
                }
            }
        }
        for table in ["orders", "order_event", "order_ref", "job", "deadline"] {
            assert_eq!(count(&store, table).await, sold, "{table}");
        }
        assert_eq!(count(&store, "job WHERE state <> 'delivered'").await, 0);
        store.close().await.unwrap();
    })
    .await;
}

/// Ends a server and all processes that it has made, at once.
fn kill(server: &Server) {
    let children = Path::new("/proc").join(server.pid().to_string()).join("task").join(server.pid().to_string());
    let children = std::fs::read_to_string(children.join("children")).unwrap_or_default();
    for pid in std::iter::once(server.pid().to_string()).chain(children.split_whitespace().map(str::to_owned)) {
        // One that has ended meanwhile need not be killed.
        let _status = Command::new("kill").args(["-KILL", &pid]).status();
    }
}

async fn control(url: &str, sql: &str) {
    let server = Store::connect(url, options()).await.unwrap();
    assert_eq!(server.dialect().0, DbBackend::Postgres);
    server.0.address.open().await.unwrap().control(sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_standby_takes_over_from_postgresql_nothing_is_lost_and_nothing_is_doubled() {
    // What is not on this machine is said beside the other tests.
    let Some(primary) = start_postgresql(&[]) else { return };
    let standby = start_postgresql_standby(&primary, &[]).expect("what starts a server starts its standby");
    // From now on a commit is confirmed when the standby has it.
    control(primary.url(), "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
    control(primary.url(), "SELECT pg_reload_conf()").await;
    let wire = Wire::to(primary.url()).await;
    let store = Store::connect(&wire.over(primary.url()), options()).await.unwrap();
    store.migrate().await.unwrap();
    let (next, stored) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut sellers = tokio::task::JoinSet::new();
    for _ in 0..SELLERS {
        let (store, next, stored) = (store.clone(), next.clone(), stored.clone());
        sellers.spawn(async move {
            while let Some(n) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < SALES) {
                sell(&store, u128::from(n) + 1).await;
                stored.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let reach = async |many: u64| {
        let reached = timeout(PATIENCE, async {
            while stored.load(Ordering::Relaxed) < many {
                tokio::task::yield_now().await;
            }
        });
        reached.await.unwrap_or_else(|_| panic!("{many} sales are never stored"));
    };
    reach(SALES_BEFORE).await;
    kill(&primary);
    let lost_at = Instant::now();
    let before = stored.load(Ordering::Relaxed);
    control(standby.url(), "SELECT pg_promote(true, 60)").await;
    wire.lead_to(server_of(standby.url()));
    let promoted = lost_at.elapsed();
    // The first of each seller may have been confirmed before the end.
    reach(before + SELLERS as u64 + 1).await;
    eprintln!(
        "fail-over: promoted after {:.2} s, sales are stored again after {:.2} s",
        promoted.as_secs_f64(),
        lost_at.elapsed().as_secs_f64()
    );
    timeout(PATIENCE, sellers.join_all()).await.expect("all sales are stored in the end");
    for table in ["orders", "order_event", "order_ref", "job", "deadline"] {
        assert_eq!(count(&store, table).await, SALES, "{table}");
    }
    store.close().await.unwrap();
}
