use super::*;
use crate::test_support::for_each_database;
use crate::{Job, JobEnd, JobState, NewJob};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use ticketbridge_core::Effect;
use ticketbridge_core::effect::TicketOp;

const LEASE: Millis = Millis(15_000);

pub(super) fn job(id: u32, order: u128, destination: &str, seq: u64) -> NewJob {
    NewJob {
        id: format!("dlv_{id:04}"),
        order: order_id(order),
        destination: destination.to_owned(),
        call: "decrypt".to_owned(),
        effect: Effect::DecryptGuests,
        seq,
        holds_up: true,
        due_at: NOW,
        created_at: NOW,
        traceparent: Some("00-trace".to_owned()),
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

async fn claim(store: &Store, at: i64, limit: u32) -> Vec<Job> {
    store.claim(after(at), limit, LEASE, vec![]).await.unwrap()
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
        assert!(write(&store, work!(tx, renewed => tx.renew(&renewed, after(20_000)).await)).await);
        assert!(claim(&store, 15_001, 1).await.is_empty(), "the lease was prolonged");
        let quick = claim(&store, 20_000, 1).await.remove(0);
        assert_eq!(quick.attempts, 2);
        let late = slow.clone();
        assert!(!write(&store, work!(tx, late => tx.renew(&late, after(90_000)).await)).await);
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
        assert!(!write(&store, work!(tx => tx.retry_job("dlv_0001", after(705)).await)).await);

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
        let lanes = vec![("backend:slow".to_owned(), 2)];
        let got = store.claim(after(10), 5, LEASE, lanes).await.unwrap();
        assert_eq!(got.iter().filter(|job| job.destination == "backend:slow").count(), 2);
        assert_eq!(got.len(), 5);
        let lanes = vec![("backend:slow".to_owned(), 0)];
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
        assert_eq!(store.next_job_due(&[]).await.unwrap(), None);
        write(&store, work!(tx => tx.resume("backend:gate", "ops", NOW).await)).await;
        assert!(store.paused().await.unwrap().is_empty());
        assert_eq!(claim(&store, 0, 10).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_next_due_time_is_one_at_which_something_can_be_done() {
    for_each_database(|store| async move {
        assert_eq!(store.next_job_due(&[]).await.unwrap(), None);
        let mut later = job(3, 2, "backend:gate", 1);
        later.due_at = after(900);
        enqueue(&store, vec![job(1, 1, "channel:c", 1), job(2, 1, "channel:c", 2), later]).await;
        assert_eq!(store.next_job_due(&[]).await.unwrap(), Some(NOW));
        assert_eq!(store.next_job_due(&["channel:c".to_owned()]).await.unwrap(), Some(after(900)));
        claim(&store, 0, 1).await;
        assert_eq!(store.next_job_due(&[]).await.unwrap(), Some(after(900)), "number 2 is blocked");
        assert_eq!(claim(&store, 900, 10).await.len(), 1);
        assert_eq!(store.next_job_due(&[]).await.unwrap(), Some(NOW + LEASE), "a lease may run out");
    })
    .await;
}

#[tokio::test]
async fn waiting_deliveries_are_hurried_and_counted() {
    for_each_database(|store| async move {
        let mut later = job(1, 1, "backend:gate", 1);
        later.due_at = after(900);
        enqueue(&store, vec![later, job(2, 2, "backend:gate", 1)]).await;
        let hurried = write(&store, work!(tx => tx.hurry(&order_id(1), "backend:gate", after(1)).await)).await;
        assert_eq!(hurried, 1);
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
                    if part.is_empty() && store.next_job_due(&[]).await.unwrap() != Some(NOW) {
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
        let look = NewJob { holds_up: false, due_at: after(60_000), ..job(1, 1, "backend:gate", 1) };
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

/// A look that finds the tickets alive, again and again, once queued a cancellation each time and was itself hurried by it.
#[tokio::test]
async fn a_look_is_not_hurried_and_what_waits_already_is_known() {
    for_each_database(|store| async move {
        let call = |op: TicketOp, not_before| Effect::CallBackend {
            backend: "gate".into(),
            booking: "bkg_1".into(),
            op,
            not_before,
        };
        let due_at = after(60_000);
        let look = NewJob { holds_up: false, due_at, ..job(1, 1, "backend:gate", 1) };
        let effect = call(TicketOp::Cancel, Some(due_at));
        let cancel = NewJob { due_at, call: "cancel".to_owned(), effect, ..job(2, 1, "backend:gate", 2) };
        enqueue(&store, vec![look, cancel.clone()]).await;
        let again = NewJob { id: "dlv_0003".to_owned(), seq: 3, effect: call(TicketOp::Cancel, None), ..cancel };
        let waits = write(&store, work!(tx, again => tx.waiting(&again).await)).await;
        assert_eq!(waits.as_deref(), Some("dlv_0002"), "the same is to be done already, at whatever time");
        let other = NewJob { effect: call(TicketOp::Query, None), ..again.clone() };
        assert_eq!(write(&store, work!(tx, other => tx.waiting(&other).await)).await, None);
        write(&store, work!(tx => tx.bring_forward("dlv_0002", after(90_000)).await)).await;
        assert_eq!(store.next_job_due(&[]).await.expect("a time"), Some(due_at), "not later than it was");
        write(&store, work!(tx => tx.bring_forward("dlv_0002", after(30_000)).await)).await;
        assert_eq!(store.next_job_due(&[]).await.expect("a time"), Some(after(30_000)));
        let order = order_id(1);
        write(&store, work!(tx, order => tx.hurry(&order, "backend:gate", NOW).await)).await;
        assert_eq!(ids(&claim(&store, 0, 10).await), ["dlv_0002"], "the look keeps its time");
        let begun = write(&store, work!(tx, again => tx.waiting(&again).await)).await;
        assert_eq!(begun, None, "what has begun may be over too early");
    })
    .await;
}
