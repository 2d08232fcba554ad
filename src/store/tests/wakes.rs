// SPDX-License-Identifier: Apache-2.0

//! Who is woken by a commit, here and elsewhere.

use std::time::Duration;

use futures_util::FutureExt as _;
use sea_orm::DbBackend;
use ticketbridge_core::message::{DeadlineKind, Effect};
use ticketbridge_core::{Millis, UnixMillis};
use tokio::time::timeout;

use super::{NOW, after, insert, order, order_id, work, write};
use crate::dialect::{Query as _, values};
use crate::test_support::{for_each_database, for_each_database_url, options};
use crate::{Ahead, NewJob, Store};

/// Longest real wait for something that comes.
const PATIENCE: Duration = Duration::from_secs(30);

fn delivery(n: u32, due_at: UnixMillis) -> NewJob {
    NewJob {
        id: format!("dlv_{n:04}"),
        order: order_id(1),
        destination: "backend:gate".to_owned(),
        call: "reserve".to_owned(),
        effect: Effect::DecryptGuests,
        seq: u64::from(n),
        blocks_order: true,
        due_at,
        created_at: NOW,
        traceparent: None,
        urgent_at: None,
    }
}

async fn enqueue(store: &Store, new: NewJob) {
    write(store, work!(tx, new => tx.enqueue(&new).await)).await;
}

#[tokio::test]
async fn a_commit_wakes_for_what_it_leaves_to_be_done_and_for_nothing_else() {
    for_each_database(|store| async move {
        insert(&store, &order(1)).await;
        assert_eq!(store.next_due().now_or_never(), None, "an order by itself is nothing to be done");
        enqueue(&store, delivery(1, after(50))).await;
        assert_eq!(store.next_due().await, Ahead { job: Some(after(50)), deadline: None });
        // One that waits for another is nothing to be done yet, and so is one that a lease was given to.
        enqueue(&store, delivery(2, after(60))).await;
        assert_eq!(store.next_due().now_or_never(), None);
        let lanes = vec![crate::LaneRoom::unlimited("backend:gate")];
        let first = store.claim(after(50), 10, Millis(1_000), lanes).await.unwrap().remove(0);
        assert_eq!(store.next_due().now_or_never(), None);
        write(&store, work!(tx, first => tx.settle(&first, &crate::JobEnd::Delivered, after(70)).await)).await;
        assert_eq!(store.next_due().await.job, Some(after(60)), "its end lets the next one go");
        write(&store, work!(tx => tx.arm(&order_id(1), DeadlineKind::Ticketing, after(900), &[after(400)], NOW).await))
            .await;
        assert_eq!(store.next_due().await, Ahead { job: None, deadline: Some(after(400)) });
        write(&store, work!(tx => { tx.disarm(&order_id(1), DeadlineKind::Ticketing); Ok(()) })).await;
        assert_eq!(store.next_due().now_or_never(), None);
    })
    .await;
}

/// Waits, without measuring time, until it holds.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("it comes to hold");
}

#[tokio::test]
async fn instances_on_postgresql_tell_each_other_also_after_the_line_was_cut() {
    for_each_database_url(async |url| {
        let one = Store::connect(&url, options()).await.unwrap();
        one.migrate().await.unwrap();
        let other = Store::connect(&url, options()).await.unwrap();
        other.migrate().await.unwrap();
        one.hear_others();
        other.hear_others();
        if one.0.address.dialect().0 != DbBackend::Postgres {
            assert!(!one.hears_others(), "others pass no notes on");
            return;
        }
        until(async || one.hears_others() && other.hears_others()).await;
        // Whoever begins to listen looks once.
        let look = Ahead { job: Some(UnixMillis(0)), deadline: Some(UnixMillis(0)) };
        assert_eq!(timeout(PATIENCE, other.next_due()).await, Ok(look));

        insert(&one, &order(1)).await;
        enqueue(&one, delivery(1, after(50))).await;
        // Left to its maker for a moment.
        assert_eq!(timeout(PATIENCE, other.next_due()).await.unwrap().job, Some(after(150)));

        let cut = "SELECT COUNT(pg_terminate_backend(pid)) AS cut FROM pg_stat_activity \
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        one.rows(cut, values![]).await.unwrap();
        until(async || !other.hears_others()).await;
        until(async || one.hears_others() && other.hears_others()).await;
        assert_eq!(timeout(PATIENCE, other.next_due()).await, Ok(look), "what was missed is looked for");
        enqueue(&one, delivery(2, after(70))).await;
        write(&one, work!(tx => tx.drop_job("dlv_0001", "by hand", after(80)).await)).await;
        assert_eq!(timeout(PATIENCE, other.next_due()).await.unwrap().job, Some(after(170)));
        one.close().await.unwrap();
        other.close().await.unwrap();
        assert!(!one.hears_others());
    })
    .await;
}
