// SPDX-License-Identifier: Apache-2.0

//! Housekeeping by the clock: tidying up. Never for deadlines, which are rows.
//!
//! Each job is a cron expression (a repeated job of the scheduler stops for good after one stall), runs on one instance at a time
//! behind a lease in the database, and says when it last ran.

use futures_util::future::BoxFuture;
use ticketbridge_core::Millis;
use ticketbridge_store::{LeaseToken, StoreError, Tx};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::engine::EngineError;
use crate::housekeeping::reconcile::{Scope, reconcile};
use crate::http::Shared;
use crate::recorder::course;
use crate::recorder::tape::Work;
use crate::worker::conversation::TRY_KEYS_AGAIN;

/// How long one run may hold its lease.
const LEASE: Millis = Millis::minutes(10);
/// How long the answers to acts under an `Idempotency-Key` are kept for repeats; some hold guests' data.
const ACTS_KEPT: Millis = Millis::hours(24);
/// How long records of calls, deliveries that were made, taken out or not needed, and messages that concern no order are kept after they
/// were written.
const CALLS_KEPT: Millis = Millis::hours(180 * 24);
/// Under this name is noted since when this version knows the database.
const ARCHIVE: &str = "archive";
/// An instance of the version before does not look among what was put away: so long may it run beside this one.
const UPGRADE_TAKES: Millis = Millis::hours(24);
/// Rows that one statement tidies.
const PURGE_MAX: u32 = 500;

/// When this instance tells the others that it runs: four times before it would count as gone.
const PRESENCE: &str = "*/20 * * * * *";
/// When the samples of the metrics are summed up: every minute.
const METRICS_UPKEEP: &str = "7 * * * * *";

/// The running scheduler.
pub struct Schedule(JobScheduler);

impl Schedule {
    /// Stops it; a run under way ends by itself.
    pub async fn stop(mut self) {
        if let Err(error) = self.0.shutdown().await {
            crate::trouble::log_trouble("the scheduler did not stop well", &error);
        }
    }
}

/// Starts the jobs. Without them the service works, only untidily: a failure is logged, not fatal.
pub async fn start(shared: Shared) -> Option<Schedule> {
    match try_start(shared).await {
        Ok(scheduler) => Some(Schedule(scheduler)),
        Err(error) => {
            crate::trouble::log_trouble("housekeeping cannot be scheduled", &error);
            None
        }
    }
}

async fn try_start(shared: Shared) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for task in Task::ALL {
        let shared = shared.clone();
        let job = Job::new_async(task.cron(), move |_, _| {
            let shared = shared.clone();
            Box::pin(async move { run(&shared, task).await })
        })?;
        scheduler.add(job).await?;
    }
    // Of this instance alone, and so without a lease: samples that nobody scrapes are kept until they are summed up.
    let upkeep = Job::new(METRICS_UPKEEP, |_, _| crate::telemetry::metrics().run_upkeep())?;
    scheduler.add(upkeep).await?;
    let of = shared.clone();
    let presence = Job::new_async(PRESENCE, move |_, _| {
        let shared = of.clone();
        Box::pin(async move {
            crate::service::instance::tell_or_log(&shared).await;
            crate::service::held_secrets::after_a_change(&shared).await;
        })
    })?;
    scheduler.add(presence).await?;
    scheduler.start().await?;
    // What fell due while nothing ran, night after night perhaps, is made up for.
    tokio::spawn(async move { at_start(&shared).await });
    Ok(scheduler)
}

/// What is not left to the clock alone: a service that is started anew every night would never come to it.
pub async fn at_start(shared: &Shared) {
    if let Err(error) = shared.worker.try_keys_again().await {
        crate::trouble::log_trouble("back-ends whose key was refused could not be let go", &error);
    }
    // Until a back-end has said what is left, its dates cannot be sold as they are there.
    run(shared, Task::Availability).await;
    run(shared, Task::ForgetGuests).await;
    crate::service::reload::take_on_unsold(shared).await;
}

/// What is done by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Tidy up.
    Purge,
    /// Compare books with channels and back-ends.
    Reconcile,
    /// Follow the snapshot channels: a message may be lost, and is not sent again.
    Follow,
    /// The same for orders that came to their end lately: a use or a refund is told late, or never.
    FollowClosed,
    /// Add up the credit accounts' books.
    CheckCredit,
    /// Forget the guests of orders that have long been over.
    ForgetGuests,
    /// Put orders away that have been over for long.
    Archive,
    /// Ask back-ends what is left.
    Availability,
    /// Ask back-ends that do not tell whether guests have come.
    Watch,
    /// Carry on what was begun on many and is in nobody's hands.
    CarryOn,
}

impl Task {
    const ALL: [Task; 10] = [
        Task::Purge,
        Task::Reconcile,
        Task::Follow,
        Task::FollowClosed,
        Task::CheckCredit,
        Task::ForgetGuests,
        Task::Archive,
        Task::Availability,
        Task::Watch,
        Task::CarryOn,
    ];

    fn name(self) -> &'static str {
        match self {
            Task::Purge => "purge",
            Task::Reconcile => "reconcile",
            Task::Follow => "follow",
            Task::FollowClosed => "follow_closed",
            Task::CheckCredit => "check_credit",
            Task::ForgetGuests => "forget_guests",
            Task::Archive => "archive",
            Task::Availability => "availability",
            Task::Watch => "watch",
            Task::CarryOn => "carry_on",
        }
    }
    /// Second, minute, hour, day, month, weekday.
    fn cron(self) -> &'static str {
        match self {
            Task::Purge => "17 23 * * * *",
            Task::Reconcile => "41 7,37 * * * *",
            Task::Follow => "47 */10 * * * *",
            // 11:00 in Seoul: before 10:00 yesterday's uses may be missing there (`adapters/kakao/README.md`).
            Task::FollowClosed => "0 0 2 * * *",
            Task::CheckCredit => "29 52 * * * *",
            Task::ForgetGuests => "53 11 * * * *",
            Task::Archive => "11 34 * * * *",
            Task::Availability => "5 */10 * * * *",
            Task::Watch => "33 * * * * *",
            Task::CarryOn => "3 * * * * *",
        }
    }
    /// How much was done.
    async fn carry_out(self, shared: &Shared) -> Result<u64, EngineError> {
        match self {
            Task::Purge => Ok(purge(shared).await?),
            Task::Reconcile => {
                let report = reconcile(&shared.worker, Scope::Open(None)).await?;
                let orders = report.orders;
                shared.reconciliation.keep(report);
                Ok(orders)
            }
            Task::Follow => Ok(reconcile(&shared.worker, Scope::Followed).await?.orders),
            Task::FollowClosed => Ok(reconcile(&shared.worker, Scope::Closed).await?.orders),
            Task::CheckCredit => check_credit(shared).await,
            Task::ForgetGuests => {
                Ok(shared.engine.forget_as_wished().await? + shared.engine.forget_old_guests().await?)
            }
            Task::Archive => Ok(archive(shared).await?),
            Task::Availability => Ok(shared.worker.refresh_availability().await?),
            Task::Watch => shared.worker.watch_for_use().await,
            Task::CarryOn => Ok(carry_on(shared).await?),
        }
    }
}

/// Carries out the task of this name, where a recording is played; one that there is no longer is none.
pub(crate) async fn carry_out(shared: &Shared, name: &str) {
    let done = match Task::ALL.into_iter().find(|task| task.name() == name) {
        Some(task) => task.carry_out(shared).await,
        None if name == TRY_KEYS_AGAIN => shared.worker.try_keys_again().await.map_err(EngineError::Store),
        None => Ok(0),
    };
    if let Err(error) = done {
        crate::trouble::log_trouble("housekeeping failed", &error);
    }
}

/// Carries on what was begun on many and is in nobody's hands; how much that was.
///
/// # Errors
/// Store errors.
pub async fn carry_on(shared: &Shared) -> Result<u64, StoreError> {
    crate::http::ops::carry_on_all(shared).await
}

/// Runs the task of this name now as the clock would: for who has a clock of his own. One that there is not is none.
pub async fn run_named(shared: &Shared, name: &str) {
    if let Some(task) = Task::ALL.into_iter().find(|task| task.name() == name) {
        run(shared, task).await;
    }
}

/// One run of a task, if no other instance runs it.
async fn run(shared: &Shared, task: Task) {
    let name = task.name();
    let now = shared.engine.clock().now();
    let holder = format!("{:032x}", shared.engine.ids().seed().0);
    let taken: Result<Option<LeaseToken>, StoreError> = shared
        .engine
        .store()
        .write("try_lease", move |tx: &Tx| {
            let holder = holder.clone();
            Box::pin(async move { tx.try_lease(name, &holder, LEASE, now).await })
        })
        .await;
    let lease = match taken {
        Ok(Some(lease)) => lease,
        Ok(None) => return,
        Err(error) => return crate::trouble::log_trouble("a task's lease cannot be had", &error),
    };
    let begun = shared.engine.begin(Work::Task { name: name.to_owned() });
    match course::doing(begun, Box::pin(task.carry_out(shared))).await {
        Ok(done) => {
            metrics::gauge!("ticketbridge_job_last_run_timestamp_seconds", "job" => name).set(now.seconds() as f64);
            tracing::info!(job = name, done, "housekeeping is done");
        }
        Err(error) => crate::trouble::log_trouble("housekeeping failed; it is tried at the next turn", &error),
    }
    let released: Result<bool, StoreError> = shared
        .engine
        .store()
        .write("release_lease", move |tx: &Tx| {
            let lease = lease.clone();
            Box::pin(async move { tx.release_lease(name, &lease).await })
        })
        .await;
    if let Err(error) = released {
        crate::trouble::log_trouble("a task's lease could not be given back; it runs out by itself", &error);
    }
}

/// Removes raw bodies that have been kept long enough, messages for orders that never came, and answers to ops that nobody
/// repeats any more. What belongs to no order is not forgotten with one: it goes when guests' data is to go, if that is sooner.
///
/// # Errors
/// Store errors.
pub async fn purge(shared: &Shared) -> Result<u64, StoreError> {
    let now = shared.engine.clock().now();
    let retention = shared.engine.running().config.retention;
    let before = now - retention.bodies;
    let orphans_before = now - retention.guests.map_or(retention.bodies, |guests| guests.min(retention.bodies));
    let mut rows: u64 = shared
        .engine
        .store()
        .write("purge_acts", move |tx: &Tx| Box::pin(async move { tx.purge_acts(now - ACTS_KEPT).await }))
        .await?;
    // Who was signed in from where is known for as long as calls are.
    rows += shared
        .engine
        .store()
        .write("purge_sessions", move |tx: &Tx| Box::pin(async move { tx.purge_sessions(now - CALLS_KEPT).await }))
        .await?;
    rows += shared
        .engine
        .store()
        .write("purge_people", move |tx: &Tx| {
            Box::pin(async move {
                let guesses = tx.purge_guesses(now - crate::accounts::guessing::WAIT_MAX).await?;
                let links = tx.purge_resets(now).await? + tx.purge_challenges(now).await?;
                Ok::<_, StoreError>(guesses + links + tx.purge_bulks(crate::http::ops::bulk::KEPT, now).await?)
            })
        })
        .await?;
    rows += in_parts(shared, move |tx| Box::pin(tx.purge_inbox_bodies(before, PURGE_MAX))).await?;
    rows += in_parts(shared, move |tx| Box::pin(tx.purge_calls(now - CALLS_KEPT, PURGE_MAX))).await?;
    rows += in_parts(shared, move |tx| Box::pin(tx.purge_deliveries(now - CALLS_KEPT, PURGE_MAX))).await?;
    rows +=
        in_parts(shared, move |tx| Box::pin(tx.purge_inbox_bodies_without_order(orphans_before, PURGE_MAX))).await?;
    rows += in_parts(shared, move |tx| Box::pin(tx.purge_inbox_of_nobody(now - CALLS_KEPT, PURGE_MAX))).await?;
    // What is no longer recorded is kept no longer either.
    let tape_before = now - retention_of_tape(shared).unwrap_or(Millis(0));
    rows += in_parts(shared, move |tx| Box::pin(tx.purge_tape(tape_before, PURGE_MAX))).await?;
    let given_up = in_parts(shared, move |tx| Box::pin(tx.purge_remembered(orphans_before, PURGE_MAX))).await?;
    if given_up > 0 {
        tracing::warn!(numbers = given_up, "messages for orders that never came are given up");
    }
    let store = shared.engine.store();
    let parted = if store.keep_rules_apart(now).await? { store.part_old_rules(now).await? } else { 0 };
    if parted > 0 {
        tracing::info!(documents = parted, "the rules that orders were placed under are stored once each now");
    }
    Ok(rows + given_up + parted)
}

/// Puts orders away that have been over for long; how many. Not before a day has passed since this version first knew the database.
///
/// # Errors
/// Store errors.
pub async fn archive(shared: &Shared) -> Result<u64, StoreError> {
    let (store, now) = (shared.engine.store(), shared.engine.clock().now());
    match store.done_at(ARCHIVE).await? {
        Some(at) if now - at >= UPGRADE_TAKES => {}
        Some(_) => return Ok(0),
        None => {
            let noted = store
                .write("note_archive", move |tx: &Tx| Box::pin(async move { tx.note_done_once(ARCHIVE, now).await }));
            return noted.await.map(|()| 0);
        }
    }
    let before = now - shared.engine.running().config.retention.archive;
    let (mut orders, mut from) = (0, String::new());
    loop {
        let round = store.archive_orders(before, &from).await?;
        orders += round.orders;
        match round.after {
            Some(after) => from = after,
            None => return Ok(orders),
        }
    }
}

/// How long the recording is kept, while anything is recorded.
fn retention_of_tape(shared: &Shared) -> Option<Millis> {
    shared.engine.running().config.recorder.keep
}

/// Repeats what does [`PURGE_MAX`] at a time until nothing is left; how much that was.
async fn in_parts<F>(shared: &Shared, part: F) -> Result<u64, StoreError>
where
    F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<u64, StoreError>> + Copy + Send + Sync + 'static,
{
    let mut rows = 0;
    loop {
        let tidied: u64 = shared.engine.store().write("purge", part).await?;
        rows += tidied;
        if tidied < u64::from(PURGE_MAX) {
            return Ok(rows);
        }
    }
}

/// Makes sure that every credit account is what its entries add up to; how many are not.
async fn check_credit(shared: &Shared) -> Result<u64, EngineError> {
    let differences = shared.engine.store().credit_differences().await?;
    metrics::gauge!("ticketbridge_credit_accounts_wrong").set(differences.len() as f64);
    for wrong in &differences {
        tracing::error!(account = %wrong.account, balance = wrong.row.balance, held = wrong.row.held,
            entries_balance = wrong.entries.balance, entries_held = wrong.entries.held,
            "a credit account is not what its entries add up to; somebody has changed the database by hand");
    }
    Ok(differences.len() as u64)
}
