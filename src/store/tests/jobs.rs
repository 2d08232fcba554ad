// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::dialect::Query as _;
use crate::test_support::for_each_database;
use crate::{Job, JobEnd, JobState, LaneRoom, Needs, NewJob};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use ticketbridge_core::Effect;
use ticketbridge_core::message::TicketOp;

const LEASE: Millis = Millis(15_000);

pub(super) fn job(id: u32, order: u128, destination: &str, seq: u64) -> NewJob {
    NewJob {
        id: format!("dlv_{id:04}"),
        order: order_id(order),
        destination: destination.to_owned(),
        call: "decrypt".to_owned(),
        effect: Effect::DecryptGuests,
        seq,
        blocks_order: true,
        due_at: NOW,
        created_at: NOW,
        traceparent: Some("00-trace".to_owned()),
        urgent_at: None,
    }
}

/// Queues deliveries.
pub(super) async fn enqueue(store: &Store, jobs: Vec<NewJob>) {
    write(
        store,
        work!(tx, jobs => {
            for job in &jobs {
                tx.enqueue(job).await?;
            }
            Ok(())
        }),
    )
    .await;
}

/// Every destination for which something waits, without limits.
async fn lanes(store: &Store) -> Vec<LaneRoom> {
    store.waiting_destinations().await.unwrap().into_iter().map(LaneRoom::unlimited).collect()
}

async fn claim(store: &Store, at: i64, limit: u32) -> Vec<Job> {
    store.claim(after(at), limit, LEASE, lanes(store).await).await.unwrap()
}

/// When something can be handed out next.
async fn next_due(store: &Store) -> Option<UnixMillis> {
    store.look_ahead(&lanes(store).await).await.unwrap().job
}

fn ids(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.id.as_str()).collect()
}

async fn settle(store: &Store, job: &Job, end: JobEnd, at: i64) -> bool {
    let job = job.clone();
    write(store, work!(tx, job, end => tx.settle(&job, &end, after(at)).await)).await
}

#[tokio::test]
async fn a_delivery_is_handed_out_once_and_settled_under_its_lease() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        let mine = claim(&store, 0, 10).await;
        assert_eq!(ids(&mine), ["dlv_0001"]);
        assert_eq!((mine[0].attempts, mine[0].lease_until, mine[0].read_back), (1, NOW + LEASE, false));
        assert_eq!((&mine[0].effect, mine[0].traceparent.as_deref()), (&Effect::DecryptGuests, Some("00-trace")));
        assert!(claim(&store, 1, 10).await.is_empty());

        assert!(settle(&store, &mine[0], JobEnd::Delivered, 5).await);
        assert!(!settle(&store, &mine[0], JobEnd::Delivered, 6).await, "it is settled once");
        let done = store.job("dlv_0001").await.unwrap().unwrap();
        assert_eq!((done.state, done.done_at), (JobState::Delivered, Some(after(5))));
        assert!(claim(&store, 100_000, 10).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_lost_the_lease_changes_nothing() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        let slow = claim(&store, 0, 1).await.remove(0);
        let renewed = slow.clone();
        assert_eq!(store.renew_leases(vec![renewed.lease().unwrap()], after(20_000)).await.unwrap(), 1);
        assert!(claim(&store, 15_001, 1).await.is_empty(), "the lease was prolonged");
        let quick = claim(&store, 20_000, 1).await.remove(0);
        assert_eq!(quick.attempts, 2);
        let late = slow.clone();
        assert_eq!(store.renew_leases(vec![late.lease().unwrap()], after(90_000)).await.unwrap(), 0);
        assert!(!settle(&store, &slow, JobEnd::Dead { error: "late".to_owned() }, 20_001).await);
        assert!(settle(&store, &quick, JobEnd::Delivered, 20_002).await);
    })
    .await;
}

#[tokio::test]
async fn ends_of_an_attempt() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        let first = claim(&store, 0, 1).await.remove(0);
        let again = JobEnd::Retry { due_at: after(500), read_back: true, error: "no answer".to_owned() };
        assert!(settle(&store, &first, again, 1).await);
        assert!(claim(&store, 499, 1).await.is_empty());
        let second = claim(&store, 500, 1).await.remove(0);
        assert_eq!((second.attempts, second.read_back, second.last_error.as_deref()), (2, true, Some("no answer")));
        assert!(
            settle(&store, &second, JobEnd::PutBack { due_at: after(600), why: "the partner is away".to_owned() }, 501)
                .await
        );
        let third = claim(&store, 600, 1).await.remove(0);
        assert_eq!(third.attempts, 2, "what was put back does not count");
        assert!(settle(&store, &third, JobEnd::Dead { error: "gone".to_owned() }, 601).await);
        let dead = write(&store, work!(tx => tx.job("dlv_0001").await)).await.unwrap();
        assert_eq!((dead.state, dead.last_error.as_deref()), (JobState::Dead, Some("gone")));

        assert!(write(&store, work!(tx => tx.retry_job("dlv_0001", after(700)).await)).await);
        let fourth = claim(&store, 700, 1).await.remove(0);
        assert_eq!((fourth.attempts, fourth.done_at), (1, None));
        assert!(!write(&store, work!(tx => tx.retry_job("dlv_0001", after(701)).await)).await, "it is being tried");
        assert!(write(&store, work!(tx => tx.drop_job("dlv_0001", "by hand", after(702)).await)).await);
        assert!(!settle(&store, &fourth, JobEnd::Delivered, 703).await, "it was taken out meanwhile");
        assert_eq!(store.job("dlv_0001").await.unwrap().unwrap().state, JobState::Dropped);
        assert!(!write(&store, work!(tx => tx.drop_job("dlv_0001", "again", after(704)).await)).await);
        // Taken out is not gone: somebody may want it told after all.
        assert!(write(&store, work!(tx => tx.retry_job("dlv_0001", after(705)).await)).await);
        assert!(write(&store, work!(tx => tx.drop_job("dlv_0001", "again", after(706)).await)).await);

        enqueue(&store, vec![job(2, 1, "backend:gate", 2)]).await;
        let other = claim(&store, 800, 1).await.remove(0);
        assert!(settle(&store, &other, JobEnd::Dropped { reason: "overtaken".to_owned() }, 801).await);
        assert_eq!(store.job("dlv_0002").await.unwrap().unwrap().last_error.as_deref(), Some("overtaken"));
    })
    .await;
}

#[tokio::test]
async fn the_same_delivery_twice_is_a_mistake() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        let result: Result<(), StoreError> =
            store.write("again", |tx| Box::pin(async move { tx.enqueue(&job(1, 1, "backend:gate", 1)).await })).await;
        assert!(matches!(result, Err(StoreError::Duplicate)));
    })
    .await;
}

#[tokio::test]
async fn deliveries_of_one_order_to_one_partner_keep_their_order() {
    for_each_database(|store| async move {
        let mut early = job(2, 1, "channel:c", 2);
        early.due_at = after(-50);
        enqueue(
            &store,
            vec![job(1, 1, "channel:c", 1), early, job(3, 1, "backend:gate", 3), job(4, 2, "channel:c", 1)],
        )
        .await;
        let first = claim(&store, 0, 10).await;
        assert_eq!(ids(&first), ["dlv_0001", "dlv_0004", "dlv_0003"]);
        assert!(claim(&store, 1, 10).await.is_empty(), "number 2 waits for number 1, even while it is handed out");
        assert!(settle(&store, &first[0], JobEnd::Dead { error: "x".to_owned() }, 2).await);
        assert_eq!(ids(&claim(&store, 3, 10).await), ["dlv_0002"], "a dead one no longer holds up");
    })
    .await;
}

#[tokio::test]
async fn a_full_lane_is_left_alone_and_does_not_hide_the_others() {
    for_each_database(|store| async move {
        let slow = (1..=30).map(|n| job(n, u128::from(n), "backend:slow", 1));
        let mut quick: Vec<NewJob> = (31..=34).map(|n| job(n, u128::from(n), "backend:quick", 1)).collect();
        quick.iter_mut().for_each(|job| job.due_at = after(5));
        enqueue(&store, slow.chain(quick).collect()).await;
        let lane = |total| LaneRoom { destination: "backend:slow".to_owned(), total, failed: total };
        let lanes = vec![lane(2), LaneRoom::unlimited("backend:quick")];
        let got = store.claim(after(10), 5, LEASE, lanes).await.unwrap();
        assert_eq!(got.iter().filter(|job| job.destination == "backend:slow").count(), 2);
        assert_eq!(got.len(), 5);
        let lanes = vec![lane(0), LaneRoom::unlimited("backend:quick")];
        assert_eq!(store.claim(after(11), 5, LEASE, lanes).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_paused_partner_keeps_its_deliveries() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        write(&store, work!(tx => tx.pause("backend:gate", "ops", NOW).await)).await;
        write(&store, work!(tx => tx.pause("backend:gate", "ops", NOW).await)).await;
        assert_eq!(store.paused().await.unwrap(), ["backend:gate"]);
        assert!(claim(&store, 0, 10).await.is_empty());
        assert_eq!(next_due(&store).await, None);
        write(&store, work!(tx => tx.resume("backend:gate", "ops", NOW).await)).await;
        assert!(store.paused().await.unwrap().is_empty());
        assert_eq!(claim(&store, 0, 10).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_next_due_time_is_one_at_which_something_can_be_done() {
    for_each_database(|store| async move {
        assert_eq!(next_due(&store).await, None);
        let mut later = job(3, 2, "backend:gate", 1);
        later.due_at = after(900);
        enqueue(&store, vec![job(1, 1, "channel:c", 1), job(2, 1, "channel:c", 2), later]).await;
        assert_eq!(next_due(&store).await, Some(NOW));
        let gate = [LaneRoom::unlimited("backend:gate")];
        assert_eq!(store.look_ahead(&gate).await.unwrap().job, Some(after(900)));
        claim(&store, 0, 1).await;
        assert_eq!(next_due(&store).await, Some(after(900)), "number 2 is blocked");
        assert_eq!(claim(&store, 900, 10).await.len(), 1);
        assert_eq!(next_due(&store).await, Some(NOW + LEASE), "a lease may run out");
    })
    .await;
}

#[tokio::test]
async fn waiting_deliveries_are_expedited_and_counted() {
    for_each_database(|store| async move {
        let mut later = job(1, 1, "backend:gate", 1);
        later.due_at = after(900);
        enqueue(&store, vec![later, job(2, 2, "backend:gate", 1)]).await;
        let expedited = write(&store, work!(tx => tx.expedite(&order_id(1), "backend:gate", after(1)).await)).await;
        assert_eq!(expedited, 1);
        let mine = claim(&store, 1, 10).await;
        assert_eq!(mine.len(), 2);
        settle(&store, &mine[0], JobEnd::Dead { error: "x".to_owned() }, 2).await;
        let counts = store.job_counts().await.unwrap();
        let of = |state| counts.iter().find(|count| count.state == state).map(|count| (count.many, count.oldest));
        assert_eq!(of(JobState::Pending), Some((1, NOW)));
        assert_eq!(of(JobState::Dead), Some((1, NOW)));
    })
    .await;
}

#[tokio::test]
async fn what_waits_and_is_not_needed_any_more_ends_where_the_rest_is_expedited() {
    for_each_database(|store| async move {
        let waits = |id, seq, effect| {
            let mut it = job(id, 1, "channel:d", seq);
            (it.effect, it.due_at) = (effect, after(900));
            it
        };
        let other = || Effect::TellStock {
            channel: channel(),
            key: ticketbridge_core::message::StockKey { product: product("P"), date: None },
        };
        let all = vec![waits(1, 1, Effect::DecryptGuests), waits(2, 2, other()), waits(3, 3, Effect::DecryptGuests)];
        enqueue(&store, all).await;
        write(
            &store,
            work!(tx => {
                let is_needed = |effect: &Effect| *effect != Effect::DecryptGuests;
                tx.expedite_needed(&order_id(1), "channel:d", after(1), is_needed, "told in the answer").await
            }),
        )
        .await;
        for id in ["dlv_0001", "dlv_0003"] {
            let over = store.job(id).await.unwrap().unwrap();
            assert_eq!((over.state, over.done_at), (JobState::NotNeeded, Some(after(1))), "{id}");
            assert_eq!((over.attempts, over.last_error.as_deref()), (0, Some("told in the answer")), "{id}");
        }
        assert_eq!(ids(&claim(&store, 1, 10).await), ["dlv_0002"], "it is due, and nothing stands before it");
    })
    .await;
}

#[tokio::test]
async fn what_somebody_has_begun_is_left_to_him_needed_or_not() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "channel:d", 1)]).await;
        let begun = claim(&store, 0, 1).await.remove(0);
        write(&store, work!(tx => tx.expedite_needed(&order_id(1), "channel:d", after(1), |_| false, "told").await))
            .await;
        assert_eq!(store.job("dlv_0001").await.unwrap().unwrap().state, JobState::Pending);
        assert!(settle(&store, &begun, JobEnd::Delivered, 2).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_claimers_get_five_hundred_deliveries_and_none_twice() {
    for_each_database(|store| async move {
        enqueue(&store, (0..500).map(|n| job(n, u128::from(n), "backend:gate", 1)).collect()).await;
        let claimers = (0..8).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                loop {
                    let part = claim(&store, 0, 7).await;
                    if got.len() > 500 {
                        return got; // More than there are: the test fails below.
                    }
                    if part.is_empty() && next_due(&store).await != Some(NOW) {
                        return got;
                    }
                    got.extend(part.into_iter().map(|job| job.id));
                }
            })
        });
        let all: Vec<String> = join_all(claimers).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(all.len(), 500);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 500, "none twice");
    })
    .await;
}

#[tokio::test]
async fn what_somebody_crashed_over_is_asked_about_first() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        assert!(!claim(&store, 0, 1).await[0].read_back, "nobody has tried it");
        let after_crash = claim(&store, LEASE.0 + 1, 1).await.remove(0);
        assert!(after_crash.read_back, "whoever held it may have sent it");
        let again = JobEnd::Retry { due_at: after(20_000), read_back: false, error: "it had not arrived".to_owned() };
        assert!(settle(&store, &after_crash, again, 20_000).await);
        assert!(!claim(&store, 20_000, 1).await[0].read_back, "it is known not to have arrived");
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_holds_nothing_up_lets_later_ones_pass() {
    for_each_database(|store| async move {
        let look = NewJob { blocks_order: false, due_at: after(60_000), ..job(1, 1, "backend:gate", 1) };
        enqueue(&store, vec![look, job(2, 1, "backend:gate", 2), job(3, 1, "backend:gate", 3)]).await;
        assert_eq!(
            ids(&claim(&store, 0, 10).await),
            ["dlv_0002"],
            "the look waits for its time, the third for the second"
        );
    })
    .await;
}

#[tokio::test]
async fn a_restart_on_sqlite_need_not_wait_for_leases() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "backend:gate", 1)]).await;
        assert_eq!(claim(&store, 0, 1).await.len(), 1);
        store.end_leases_of_the_dead().await.unwrap();
        let at_once = claim(&store, 1, 1).await;
        if crate::dialect::Query::dialect(&store).shares_with_others() {
            assert!(at_once.is_empty(), "another instance may hold it");
        } else {
            assert!(at_once[0].read_back);
        }
    })
    .await;
}

/// A look that finds the tickets alive, again and again, once queued a cancellation each time and was itself expedited by it.
#[tokio::test]
async fn a_look_is_not_expedited_and_what_waits_already_is_known() {
    for_each_database(|store| async move {
        let call = |op: TicketOp, not_before| Effect::CallBackend {
            backend: "gate".into(),
            booking: "bkg_1".into(),
            op,
            not_before,
        };
        let due_at = after(60_000);
        let look = NewJob { blocks_order: false, due_at, ..job(1, 1, "backend:gate", 1) };
        let effect = call(TicketOp::Cancel, Some(due_at));
        let cancel = NewJob { due_at, call: "cancel".to_owned(), effect, ..job(2, 1, "backend:gate", 2) };
        enqueue(&store, vec![look, cancel.clone()]).await;
        let again = NewJob { id: "dlv_0003".to_owned(), seq: 3, effect: call(TicketOp::Cancel, None), ..cancel };
        let waits = write(&store, work!(tx, again => tx.waiting(&again).await)).await;
        assert_eq!(waits.as_deref(), Some("dlv_0002"), "the same is to be done already, at whatever time");
        let other = NewJob { effect: call(TicketOp::Query, None), ..again.clone() };
        assert_eq!(write(&store, work!(tx, other => tx.waiting(&other).await)).await, None);
        write(&store, work!(tx => tx.bring_forward("dlv_0002", after(90_000)).await)).await;
        assert_eq!(next_due(&store).await, Some(due_at), "not later than it was");
        write(&store, work!(tx => tx.bring_forward("dlv_0002", after(30_000)).await)).await;
        assert_eq!(next_due(&store).await, Some(after(30_000)));
        let order = order_id(1);
        write(&store, work!(tx, order => tx.expedite(&order, "backend:gate", NOW).await)).await;
        assert_eq!(ids(&claim(&store, 0, 10).await), ["dlv_0002"], "the look keeps its time");
        let begun = write(&store, work!(tx, again => tx.waiting(&again).await)).await;
        assert_eq!(begun, None, "what has begun may be over too early");
    })
    .await;
}

#[tokio::test]
async fn what_failed_last_takes_a_share_and_what_did_not_goes_first() {
    for_each_database(|store| async move {
        enqueue(&store, (1..=6).map(|n| job(n, u128::from(n), "backend:gate", 1)).collect()).await;
        let mut tried = claim(&store, 0, 6).await;
        tried.sort_by(|a, b| a.id.cmp(&b.id));
        for job in &mut tried[..4] {
            job.failed_last = true;
            let again = JobEnd::Retry { due_at: after(1), read_back: false, error: "500".to_owned() };
            assert!(settle(&store, job, again, 1).await);
        }
        for job in &tried[4..] {
            let not_reached = JobEnd::Retry { due_at: after(5), read_back: false, error: "no connection".to_owned() };
            assert!(settle(&store, job, not_reached, 1).await);
        }
        let room = |total, failed| vec![LaneRoom { destination: "backend:gate".to_owned(), total, failed }];
        let got = store.claim(after(10), 10, LEASE, room(3, 2)).await.unwrap();
        assert_eq!(ids(&got)[..2], ["dlv_0005", "dlv_0006"], "{got:?}");
        assert_eq!(got.iter().map(|job| job.failed_last).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(store.claim(after(11), 10, LEASE, room(9, 1)).await.unwrap().len(), 1, "its share");
        assert_eq!(store.look_ahead(&room(9, 0)).await.unwrap().job, Some(after(10) + LEASE), "a lease may run out");
        assert_eq!(store.look_ahead(&room(9, 1)).await.unwrap().job, Some(after(1)));
    })
    .await;
}

#[tokio::test]
async fn the_nearest_deadline_goes_first_when_many_wait() {
    for_each_database(|store| async move {
        let of = |n: u32, urgent: Option<i64>| NewJob {
            urgent_at: urgent.map(after),
            due_at: after(i64::from(n) - 100),
            ..job(n, u128::from(n), "backend:gate", 1)
        };
        enqueue(&store, vec![of(1, None), of(2, Some(900)), of(3, Some(100)), of(4, Some(500))]).await;
        let room = || vec![LaneRoom { destination: "backend:gate".to_owned(), total: 1, failed: 1 }];
        let mut order = Vec::new();
        for at in 0..4 {
            order.extend(store.claim(after(at), 10, LEASE, room()).await.unwrap().into_iter().map(|job| job.id));
        }
        assert_eq!(order, ["dlv_0003", "dlv_0004", "dlv_0002", "dlv_0001"]);
    })
    .await;
}

/// Whoever adds a delivery while the one before it ends either sees it end or is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_delivery_that_is_added_while_the_one_before_ends_is_never_forgotten() {
    for_each_database(|store| async move {
        for round in 0..40_u32 {
            let order = u128::from(round) + 1;
            enqueue(&store, vec![job(round * 2, order, "channel:c", 1)]).await;
            let first = claim(&store, 0, 10).await.remove(0);
            let next = vec![job(round * 2 + 1, order, "channel:c", 2)];
            let (adds, ends) = (store.clone(), store.clone());
            let adding = tokio::spawn(async move { enqueue(&adds, next).await });
            let ending = tokio::spawn(async move { settle(&ends, &first, JobEnd::Delivered, 1).await });
            adding.await.unwrap();
            assert!(ending.await.unwrap());
            let second = claim(&store, 2, 10).await;
            assert_eq!(ids(&second), [format!("dlv_{:04}", round * 2 + 1)], "round {round}");
            assert!(settle(&store, &second[0], JobEnd::Delivered, 3).await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_dead_one_that_is_tried_again_goes_before_what_comes_after_it() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "channel:c", 1), job(2, 1, "channel:c", 2), job(3, 1, "channel:c", 3)]).await;
        let first = claim(&store, 0, 10).await.remove(0);
        assert!(settle(&store, &first, JobEnd::Dead { error: "x".to_owned() }, 1).await);
        assert_eq!(next_due(&store).await, Some(NOW), "the second may go");
        assert!(write(&store, work!(tx => tx.retry_job("dlv_0001", after(2)).await)).await);
        assert_eq!(ids(&claim(&store, 3, 10).await), ["dlv_0001"]);
        assert!(write(&store, work!(tx => tx.drop_job("dlv_0001", "by hand", after(4)).await)).await);
        assert_eq!(ids(&claim(&store, 5, 10).await), ["dlv_0002"]);
        assert!(write(&store, work!(tx => tx.drop_job("dlv_0003", "by hand", after(6)).await)).await);
    })
    .await;
}

#[tokio::test]
async fn rows_of_an_older_version_are_taken_over() {
    for_each_database(|store| async move {
        enqueue(&store, vec![job(1, 1, "channel:c", 1), job(2, 1, "channel:c", 2), job(3, 2, "backend:gate", 1)]).await;
        let forget = "UPDATE job SET failed_last = NULL, followed = NULL, ready_ms = NULL, urgent_ms = NULL";
        write(&store, work!(tx => tx.execute(forget, crate::dialect::values![]).await)).await;
        assert!(claim(&store, 0, 10).await.is_empty());
        assert!(write(&store, work!(tx => tx.take_over_jobs(10).await)).await > 0);
        assert_eq!(write(&store, work!(tx => tx.take_over_jobs(10).await)).await, 0);
        let mine = claim(&store, 0, 10).await;
        assert_eq!(mine.len(), 2, "{mine:?}");
        let first = mine.iter().find(|job| job.id == "dlv_0001").unwrap();
        assert!(settle(&store, first, JobEnd::Delivered, 1).await);
        // An older instance has ended the second and said nothing.
        let ended = "UPDATE job SET state = 'delivered' WHERE id = 'dlv_0002'";
        write(&store, work!(tx => tx.execute(ended, crate::dialect::values![]).await)).await;
        assert!(claim(&store, 2, 10).await.is_empty());
        assert_eq!(next_due(&store).await, Some(NOW + LEASE), "only the gate's lease is left");
    })
    .await;
}

#[tokio::test]
async fn leases_of_what_is_under_way_are_renewed_together() {
    for_each_database(|store| async move {
        enqueue(&store, (1..=3).map(|n| job(n, u128::from(n), "backend:gate", 1)).collect()).await;
        let mine = claim(&store, 0, 10).await;
        assert!(settle(&store, &mine[2], JobEnd::Delivered, 1).await);
        let held: Vec<_> = mine.iter().map(|job| job.lease().unwrap()).collect();
        assert_eq!(store.renew_leases(held, after(40_000)).await.unwrap(), 2);
        assert!(claim(&store, LEASE.0 + 1, 10).await.is_empty());
        assert_eq!(claim(&store, 40_000, 10).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn whoever_prolongs_leases_waits_for_nobody() {
    for_each_database(|store| async move {
        if !store.dialect().shares_with_others() {
            return; // One writer: everybody waits for him.
        }
        for n in [1, 2] {
            insert(&store, &order(n)).await;
        }
        enqueue(&store, (1..=2).map(|n| job(n, u128::from(n), "backend:gate", 1)).collect()).await;
        let held: Vec<_> = claim(&store, 0, 10).await.iter().map(|job| job.lease().unwrap()).collect();
        let (release, holder) = hold(&store, 1, Touches::AtOnce).await;
        assert_eq!(store.renew_leases(held.clone(), after(40_000)).await.unwrap(), 1, "the other one");
        release.notify_one();
        holder.await.unwrap().unwrap();
        assert_eq!(store.renew_leases(held, after(40_000)).await.unwrap(), 2);
    })
    .await;
}

/// Otherwise two transactions come to wait for each other, each with deliveries in hand that the other one wants: PostgreSQL finds
/// that out after a second.
#[tokio::test]
async fn a_delivery_ends_only_in_the_hands_of_who_holds_its_order() {
    for_each_database(|store| async move {
        if !store.dialect().shares_with_others() {
            return;
        }
        for n in 1..=8 {
            insert(&store, &order(n)).await;
        }
        let jobs = (1..=8).map(|n| job(n, u128::from(n), "backend:gate", 1)).collect();
        enqueue(&store, jobs).await;
        let claimed = claim(&store, 0, 10).await;
        let (release, holder) = hold(&store, 1, Touches::Later).await;
        let ends = |job: Job| {
            let store = store.clone();
            async move {
                let needs = Needs::order(&job.order);
                store
                    .write_needing::<bool, StoreError, _>(
                        "settle",
                        needs,
                        work!(tx, job => tx.settle(&job, &JobEnd::Delivered, after(1)).await),
                    )
                    .await
            }
        };
        let (of_held, others): (Vec<Job>, Vec<Job>) = claimed.into_iter().partition(|job| job.order == order_id(1));
        let mut waits = tokio::spawn(join_all(of_held.into_iter().map(ends)));
        for ended in join_all(others.into_iter().map(ends)).await {
            assert!(ended.unwrap());
        }
        tokio::select! { biased; done = &mut waits => panic!("its order is held: {done:?}"), () = std::future::ready(()) => {} }
        release.notify_one();
        holder.await.unwrap().unwrap();
        assert!(waits.await.unwrap().into_iter().all(Result::unwrap), "the lock is gone");
    })
    .await;
}

/// 20,000 deliveries wait and PostgreSQL has no statistics of them: the plan reads the beginning of one index all the same.
#[tokio::test]
async fn handing_out_reads_one_index_whatever_the_statistics_say() {
    for_each_database(|store| async move {
        let query = crate::dialect::Query::dialect(&store);
        if query.0 != sea_orm::DbBackend::Postgres {
            return; // The others have no plans that follow statistics which are old.
        }
        for (many, offset) in [(2_000, 0), (18_000, 2_000)] {
            let fill = format!(
                "INSERT INTO job (id, order_id, destination, call_name, effect, state, seq, holds_up, due_ms, lease_until_ms, \
                 attempts, read_back, created_ms, failed_last, followed, ready_ms) \
                 SELECT 'dlv_' || n, 'ord_' || n, 'backend:gate', 'issue', '{{\"effect\":\"decrypt_guests\"}}', 'pending', 1, 1, \
                 {now}, 0, 0, 0, {now}, n % 2, 0, {now} FROM generate_series({offset} + 1, {offset} + {many}) AS n",
                now = NOW.0
            );
            write(&store, work!(tx, fill => tx.execute(&fill, crate::dialect::values![]).await)).await;
            let room = vec![LaneRoom { destination: "backend:gate".to_owned(), total: 64, failed: 16 }];
            let (sql, all) = crate::handout::claimable(after(1), 256, &room).expect("room");
            let explain = format!("EXPLAIN (ANALYZE, COSTS OFF) {sql}");
            let plan = crate::dialect::Query::rows(&store, &explain, all).await.unwrap();
            let plan: Vec<String> =
                plan.iter().map(|row| crate::dialect::get(row, "QUERY PLAN").unwrap()).collect();
            let text = plan.join("\n");
            assert!(text.contains("ix_job_destination_failed_last_ready_ms"), "{text}");
            assert!(!text.contains("Seq Scan on job"), "{text}");
            let took = plan.iter().find_map(|line| line.trim().strip_prefix("Execution Time: ")).expect("a time");
            let took: f64 = took.trim_end_matches(" ms").parse().unwrap();
            eprintln!("a claim at a backlog of {} rows without statistics: {took} ms", offset + many);
            assert!(took < 200.0, "{text}");
            assert_eq!(store.claim(after(1), 256, LEASE, room).await.unwrap().len(), 64);
        }
    })
    .await;
}
