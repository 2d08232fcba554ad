// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::test_support::for_each_database;
use crate::{ClaimedDeadline, DeadlineState};
use ticketbridge_core::message::DeadlineKind;

const LEASE: Millis = Millis(15_000);

/// Arms a deadline of order `n`.
pub(super) async fn arm(store: &Store, n: u128, kind: DeadlineKind, due: i64, warn: &'static [i64]) {
    write(store, move |tx| {
        Box::pin(async move {
            let warn_at: Vec<UnixMillis> = warn.iter().map(|ms| after(*ms)).collect();
            tx.arm(&order_id(n), kind, after(due), &warn_at, NOW).await
        })
    })
    .await;
}

async fn claim_one(store: &Store, at: i64) -> Option<ClaimedDeadline> {
    store.claim_due(after(at), 10, LEASE).await.unwrap().into_iter().next()
}

#[tokio::test]
async fn each_warning_comes_once_and_then_the_passing() {
    for_each_database(|store| async move {
        arm(&store, 1, DeadlineKind::Review, 1_000, &[-5, 200, 600]).await;
        // It became known after its first warning, which is given at once.
        assert_eq!(store.next_deadline_due().await.unwrap(), Some(NOW));
        for (at, next) in [(0, 200), (200, 600), (600, 1_000)] {
            assert_eq!(claim_one(&store, at - 1).await, None);
            let claimed = claim_one(&store, at).await.unwrap();
            assert!(!claimed.is_passing(after(at)));
            assert_eq!(claim_one(&store, at).await, None, "it is handed out once");
            assert_eq!(store.next_deadline_due().await.unwrap(), Some(after(at) + LEASE));
            assert!(write(&store, work!(tx, claimed => tx.mark_warned(&claimed, after(at)).await)).await);
            let row = store.deadlines_of(&order_id(1)).await.unwrap().remove(0);
            assert_eq!((row.warned_at, row.next_at, row.state), (Some(after(at)), after(next), DeadlineState::Armed));
        }
        let claimed = claim_one(&store, 1_000).await.unwrap();
        assert!(claimed.is_passing(after(1_000)));
        assert!(write(&store, work!(tx, claimed => tx.mark_passed(&claimed, after(1_001)).await)).await);
        assert!(!write(&store, work!(tx, claimed => tx.mark_passed(&claimed, after(1_002)).await)).await);
        let row = store.deadlines_of(&order_id(1)).await.unwrap().remove(0);
        assert_eq!((row.state, row.passed_at, row.due_at), (DeadlineState::Passed, Some(after(1_001)), after(1_000)));
        assert_eq!(claim_one(&store, 99_999).await, None);
        assert_eq!(store.next_deadline_due().await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_is_not_completed_is_handed_out_again() {
    for_each_database(|store| async move {
        arm(&store, 1, DeadlineKind::Ticketing, 100, &[]).await;
        let lost = claim_one(&store, 100).await.unwrap();
        assert_eq!(claim_one(&store, 15_099).await, None);
        let second = claim_one(&store, 15_100).await.unwrap();
        assert!(!write(&store, work!(tx, lost => tx.mark_passed(&lost, after(15_101)).await)).await);
        assert!(write(&store, work!(tx, second => tx.mark_passed(&second, after(15_102)).await)).await);
    })
    .await;
}

#[tokio::test]
async fn disarming_takes_a_deadline_from_whoever_holds_it() {
    for_each_database(|store| async move {
        arm(&store, 1, DeadlineKind::Ticketing, 100, &[]).await;
        let held = claim_one(&store, 100).await.unwrap();
        for _ in 0..2 {
            write(
                &store,
                work!(tx => {
                    tx.disarm(&order_id(1), DeadlineKind::Ticketing);
                    Ok(())
                }),
            )
            .await;
            let row = &store.deadlines_of(&order_id(1)).await.unwrap()[0];
            assert_eq!(row.state, DeadlineState::Disarmed);
        }
        assert!(!write(&store, work!(tx, held => tx.mark_passed(&held, after(101)).await)).await);
        assert_eq!(store.next_deadline_due().await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn arming_again_replaces_the_deadline_of_the_same_kind_only() {
    for_each_database(|store| async move {
        arm(&store, 1, DeadlineKind::Ticketing, 100, &[]).await;
        arm(&store, 1, DeadlineKind::Review, 50, &[]).await;
        let held = claim_one(&store, 50).await.unwrap();
        assert!(write(&store, work!(tx, held => tx.mark_passed(&held, after(50)).await)).await);
        arm(&store, 1, DeadlineKind::Ticketing, 300, &[]).await;
        let rows = store.deadlines_of(&order_id(1)).await.unwrap();
        let shown: Vec<_> = rows.iter().map(|row| (row.kind, row.state, row.due_at)).collect();
        assert_eq!(
            shown,
            [
                (DeadlineKind::Review, DeadlineState::Passed, after(50)),
                (DeadlineKind::Ticketing, DeadlineState::Armed, after(300)),
            ]
        );
        assert_eq!(claim_one(&store, 299).await, None);
        let counts = store.deadline_counts().await.unwrap();
        let shown: Vec<_> =
            counts.iter().map(|count| (count.kind, count.state, count.many, count.nearest.unwrap())).collect();
        assert_eq!(
            shown,
            [
                (DeadlineKind::Review, DeadlineState::Passed, 1, after(50)),
                (DeadlineKind::Ticketing, DeadlineState::Armed, 1, after(300)),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn two_instances_never_hold_the_same_deadline() {
    for_each_database(|store| async move {
        for n in 0..40 {
            arm(&store, n, DeadlineKind::Ticketing, 1, &[]).await;
        }
        let all = futures_util::future::join_all((0..8).map(|_| store.claim_due(after(1), 5, LEASE))).await;
        let mut orders: Vec<_> = all.into_iter().flat_map(Result::unwrap).map(|claimed| claimed.row.order).collect();
        let claimed = orders.len();
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), claimed, "none twice");
        while let Some(more) = Some(store.claim_due(after(1), 50, LEASE).await.unwrap()).filter(|m| !m.is_empty()) {
            orders.extend(more.into_iter().map(|claimed| claimed.row.order));
        }
        assert_eq!(orders.len(), 40);
    })
    .await;
}
