// SPDX-License-Identifier: Apache-2.0

//! What commits make ready goes from hand to hand.

use std::any::Any;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use ticketbridge_core::{Millis, UnixMillis};

use super::jobs::{enqueue, job};
use super::{NOW, after, insert, order, work, write};
use crate::test_support::{for_each_database, for_each_database_url, options};
use crate::{
    Ahead, CommitFault, CommitFaults, Desk, HandedOver, Job, JobEnd, JobState, LaneRoom, Place, Store, StoreError,
};

const LEASE: Millis = Millis(15_000);

/// Somebody with so many places, who keeps what it is given.
struct Clerk {
    now: Mutex<UnixMillis>,
    places: Arc<()>,
    room: usize,
    taken: Mutex<Vec<HandedOver>>,
}

impl Clerk {
    fn with_room_for(room: usize) -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(NOW), places: Arc::new(()), room, taken: Mutex::default() })
    }
    fn at(store: &Store, room: usize) -> Arc<Self> {
        let clerk = Self::with_room_for(room);
        store.hand_over_to(Some(clerk.clone()));
        clerk
    }
    /// Places that are taken at present.
    fn busy(&self) -> usize {
        Arc::strong_count(&self.places) - 1
    }
    fn take_out(&self) -> Vec<Job> {
        self.taken.lock().unwrap().drain(..).map(|it| it.job).collect()
    }
    fn ids(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|it| it.job.id.clone()).collect()
    }
}

impl Desk for Clerk {
    fn now(&self) -> UnixMillis {
        *self.now.lock().unwrap()
    }
    fn place(&self, destination: &str) -> Option<Place> {
        let seat: Box<dyn Any + Send> = Box::new(self.places.clone());
        (destination == "backend:gate" && self.busy() <= self.room).then_some(Place { until: self.now() + LEASE, seat })
    }
    fn take(&self, handed_over: Vec<HandedOver>) {
        self.taken.lock().unwrap().extend(handed_over);
    }
}

async fn claim(store: &Store, at: i64) -> Vec<Job> {
    let lanes = ["backend:gate", "backend:other"].map(LaneRoom::unlimited).to_vec();
    store.claim(after(at), 10, LEASE, lanes).await.unwrap()
}

async fn settle(store: &Store, job: &Job, end: JobEnd, at: i64) -> bool {
    let job = job.clone();
    write(store, work!(tx, job, end => tx.settle(&job, &end, after(at)).await)).await
}

#[tokio::test]
async fn what_is_due_is_taken_over_with_its_lease_and_found_by_nobody_else() {
    for_each_database(|store| async move {
        let clerk = Clerk::at(&store, 10);
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        let taken = clerk.take_out();
        let stored = store.job("dlv_0001").await.unwrap().unwrap();
        assert_eq!(taken, std::slice::from_ref(&stored), "it is the row as it was written");
        assert_eq!((stored.attempts, stored.lease_until, stored.read_back), (1, NOW + LEASE, false));
        assert_eq!(store.next_due().now_or_never(), None, "nobody needs to look");
        assert!(claim(&store, 14_999).await.is_empty());
        assert_eq!(store.renew_leases(vec![taken[0].lease().unwrap()], after(30_000)).await.unwrap(), 1);
        assert!(settle(&store, &taken[0], JobEnd::Delivered, 5).await);
        assert!(!settle(&store, &taken[0], JobEnd::Delivered, 6).await, "it is settled once");
    })
    .await;
}

#[tokio::test]
async fn the_first_of_an_orders_deliveries_brings_the_order_as_it_was_committed() {
    for_each_database(|store| async move {
        let clerk = Clerk::at(&store, 10);
        let mut made = order(1);
        insert(&store, &made).await;
        let before = made.version;
        (made.version, made.quantity) = (before + 1, 7);
        let looks = |id| crate::NewJob { blocks_order: false, ..job(id, 1, "backend:gate", u64::from(id)) };
        let (first, second) = (looks(1), looks(2));
        write(
            &store,
            work!(tx, made, first, second => {
                tx.save_order(&made, before, &[]).await?;
                tx.enqueue(&first).await?;
                tx.enqueue(&second).await
            }),
        )
        .await;
        let taken: Vec<HandedOver> = clerk.taken.lock().unwrap().drain(..).collect();
        let orders: Vec<_> = taken.iter().map(|it| it.order.as_ref()).collect();
        assert_eq!(orders, [Some(&made), None], "what the first one does changes what the second one finds");
        assert_eq!(store.load_order(&made.id).await.unwrap().as_ref(), Some(&made));
        enqueue(&store, vec![job(3, 1, "backend:gate", 3)]).await;
        assert_eq!(clerk.taken.lock().unwrap()[0].order, None, "nobody had opened it");
    })
    .await;
}

#[tokio::test]
async fn who_died_with_it_leaves_it_to_others_who_verify_first() {
    for_each_database(|store| async move {
        let clerk = Clerk::at(&store, 10);
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        let lost = clerk.take_out().remove(0);
        let found = claim(&store, 15_000).await.remove(0);
        assert_eq!((found.id.as_str(), found.attempts, found.read_back), ("dlv_0001", 2, true));
        assert!(!settle(&store, &lost, JobEnd::Delivered, 15_001).await, "the lease is lost");
        assert!(settle(&store, &found, JobEnd::Delivered, 15_002).await);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_due_waits_for_another_or_finds_no_place_is_found_by_a_look() {
    for_each_database(|store| async move {
        let clerk = Clerk::at(&store, 1);
        let later = crate::NewJob { due_at: after(50), ..job(3, 3, "backend:gate", 1) };
        let all = vec![
            job(1, 1, "backend:gate", 1),
            job(2, 1, "backend:gate", 2),
            later,
            job(4, 4, "backend:other", 1),
            job(5, 5, "backend:gate", 1),
        ];
        enqueue(&store, all).await;
        assert_eq!(clerk.ids(), ["dlv_0001"]);
        assert_eq!(store.next_due().await, Ahead { job: Some(NOW), deadline: None });
        let found: Vec<String> = claim(&store, 0).await.into_iter().map(|job| job.id).collect();
        assert_eq!(found, ["dlv_0004", "dlv_0005"], "they stand in line as before");
        assert_eq!(claim(&store, 50).await.remove(0).id, "dlv_0003");
    })
    .await;
}

#[tokio::test]
async fn what_waited_for_another_is_taken_over_when_that_ends() {
    for_each_database(|store| async move {
        let clerk = Clerk::at(&store, 10);
        enqueue(&store, vec![job(1, 1, "backend:gate", 1), job(2, 1, "backend:gate", 2)]).await;
        let first = clerk.take_out().remove(0);
        assert!(settle(&store, &first, JobEnd::Delivered, 1).await);
        assert_eq!(clerk.ids(), ["dlv_0002"]);
        let second = clerk.take_out().remove(0);
        // What is to be tried again is looked for: it has its own time, and its own share of the places.
        let again = JobEnd::Retry { due_at: NOW, read_back: true, error: "no answer".to_owned() };
        let sick = Job { failed_last: true, ..second };
        assert!(settle(&store, &sick, again, 2).await);
        assert!(clerk.ids().is_empty());
        assert_eq!(claim(&store, 3).await.remove(0).id, "dlv_0002");
    })
    .await;
}

#[tokio::test]
async fn what_comes_to_nothing_is_not_handed_over_and_its_place_is_given_back() {
    for_each_database(|store| async move {
        let clerk = Clerk::at(&store, 10);
        let (good, bad) = (job(1, 1, "backend:gate", 1), job(2, 2, "backend:gate", 1));
        let refused = store.write(
            "test",
            work!(tx, bad => {
                tx.enqueue(&bad).await?;
                Err::<(), _>(StoreError::Duplicate)
            }),
        );
        let kept = store.write("test", work!(tx, good => tx.enqueue(&good).await));
        let (refused, kept) = tokio::join!(refused, kept);
        assert!(refused.is_err() && kept.is_ok());
        assert_eq!(clerk.ids(), ["dlv_0001"]);
        assert_eq!(store.job("dlv_0002").await.unwrap(), None);
        clerk.take_out();
        assert_eq!(clerk.busy(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_fails_hands_nothing_over_and_one_that_nobody_heard_of_leaves_it_to_its_lease() {
    for_each_database_url(async |url| {
        let faults = CommitFaults::default();
        let store = Store::connect(&url, crate::StoreOptions { commit_faults: Some(faults.clone()), ..options() })
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let clerk = Clerk::at(&store, 10);
        for (number, fault) in [(1, CommitFault::Before), (2, CommitFault::After)] {
            let new = job(number, u128::from(number), "backend:gate", 1);
            faults.next(fault);
            let told = store.write("test", work!(tx, new => tx.enqueue(&new).await)).await;
            assert!(told.is_err(), "{fault:?}");
            assert!(clerk.ids().is_empty(), "{fault:?}");
            assert_eq!(clerk.busy(), 0, "{fault:?}");
        }
        assert_eq!(store.job("dlv_0001").await.unwrap(), None);
        assert_eq!(store.job("dlv_0002").await.unwrap().unwrap().state, JobState::Pending);
        assert!(claim(&store, 14_999).await.is_empty());
        assert_eq!(claim(&store, 15_000).await.remove(0).id, "dlv_0002");
        // A conflict runs all of it again: it is handed over once.
        let new = job(3, 3, "backend:gate", 1);
        faults.next(CommitFault::Conflict);
        write(&store, work!(tx, new => tx.enqueue(&new).await)).await;
        assert_eq!(clerk.ids(), ["dlv_0003"]);
        assert_eq!(clerk.busy(), 1);
    })
    .await;
}

#[tokio::test]
async fn when_nobody_is_there_any_more_everything_is_looked_for() {
    for_each_database(|store| async move {
        let clerk = Clerk::at(&store, 10);
        store.hand_over_to(None);
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        assert!(clerk.ids().is_empty());
        assert_eq!(claim(&store, 0).await.remove(0).id, "dlv_0001");
    })
    .await;
}
