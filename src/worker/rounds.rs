// SPDX-License-Identifier: Apache-2.0

//! The worker's rounds: what is handed out when, and what runs beside it. All of its state is in rows, so that another instance, or the next
//! start, goes on where it stopped.
//!
//! It looks when a commit has left something that is due, when something falls due, when there is room again, and now and then for what
//! other instances have left behind; a look that finds nothing is one statement.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{Ahead, Job, LaneRoom, Tx};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::EngineError;
use crate::trouble::log_trouble;
use crate::worker::desk::{AtDesk, IN_FLIGHT_MAX, UnderWay};
use crate::worker::memory::locked;
use crate::worker::{LEASE, Worker};

/// Deliveries handed out by one claim at most.
const CLAIM_MAX: u32 = 256;
/// Longest wait between two looks at the database, where the commits of other instances are not told here.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(2);
/// The same where they are told: a note can be lost.
const LOOK_THOUGH_TOLD_EVERY: Duration = Duration::from_secs(10);
/// Shortest wait for what is due and was not handed out: it is held by something that ends in its own time.
const LOOK_AGAIN_AFTER: Millis = Millis(20);
/// Leases of what is under way are prolonged so often.
const RENEW_EVERY: Millis = Millis::seconds(5);
/// How often is looked for what nobody here knows of: rows of an older version, and partners that are no longer configured.
const SEARCH_EVERY: Millis = Millis::seconds(60);
/// Rows of an older version that are taken over in one transaction.
const TAKE_OVER_MAX: u32 = 200;

impl Worker {
    /// Works until `stop`; then finishes what it holds.
    pub async fn run(self, stop: CancellationToken) {
        let deadline = Arc::new(watch::Sender::new(None));
        let mut beside = JoinSet::new();
        beside.spawn(self.clone().keep_deadlines(deadline.clone(), stop.clone()));
        beside.spawn(self.clone().search(stop.clone()));
        beside.spawn(self.clone().give_back_for_ever(stop.clone()));
        let finished = CancellationToken::new();
        beside.spawn(self.clone().renew(finished.clone()));
        let under_way = UnderWay::default();
        let _cut = under_way.cut_when_dropped();
        self.engine.store().hand_over_to(Some(AtDesk::new(self.clone(), under_way.clone())));
        self.hand_out(&under_way, &deadline, &stop).await;
        self.engine.store().hand_over_to(None);
        under_way.end().await;
        finished.cancel();
        while beside.join_next().await.is_some() {}
    }

    async fn hand_out(
        &self,
        under_way: &UnderWay,
        deadline: &watch::Sender<Option<UnixMillis>>,
        stop: &CancellationToken,
    ) {
        let clock = self.engine.clock().clone();
        let (mut asked_at, mut next): (Option<Duration>, Option<UnixMillis>) = (None, None);
        let mut is_to_look = true;
        while !stop.is_cancelled() {
            // Interest is registered before looking, so that nothing enqueued meanwhile is slept through.
            let work = self.engine.work().clone();
            let notified = work.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if is_to_look {
                match self.look(under_way).await {
                    Ok(found) if found == CLAIM_MAX as usize => continue,
                    Ok(_) => {}
                    Err(error) => log_trouble("the worker cannot look for work", &error),
                }
            }
            let (now, passed) = (clock.now(), clock.monotonic());
            let look_every = self.look_every();
            let is_over = |at: Duration| passed.saturating_sub(at) >= look_every;
            if asked_at.is_none_or(is_over) || next.is_some_and(|at| at <= now) {
                let before = next;
                next = self.look_ahead(deadline).await;
                asked_at = Some(passed);
                // Found by asking, and not looked for yet.
                if next.is_some_and(|at| at <= now) && before.is_none_or(|at| at > now) && !is_to_look {
                    is_to_look = true;
                    continue;
                }
            }
            let until = self.next_look(now, passed, asked_at.unwrap_or(passed), next);
            is_to_look = tokio::select! {
                () = notified => true,
                told = self.engine.store().next_due() => self.note_told(told, &mut next, deadline),
                () = clock.sleep_until(until.0) => until.1,
                () = stop.cancelled() => false,
            };
        }
    }

    /// A commit has left something to be done; whether it is to be looked for now. What is due later is only noted.
    fn note_told(
        &self,
        told: Ahead,
        next: &mut Option<UnixMillis>,
        deadline: &watch::Sender<Option<UnixMillis>>,
    ) -> bool {
        if told.deadline.is_some() {
            deadline.send_if_modified(|known| {
                let sooner = known.iter().copied().chain(told.deadline).min();
                std::mem::replace(known, sooner) != sooner
            });
        }
        let is_due = told.job.is_some_and(|at| at <= self.engine.clock().now());
        if !is_due {
            *next = next.iter().copied().chain(told.job).min();
        }
        is_due
    }

    fn look_every(&self) -> Duration {
        if self.engine.store().hears_others() { LOOK_THOUGH_TOLD_EVERY } else { LOOK_AT_LEAST_EVERY }
    }

    /// When to look again if nobody wakes the worker before, and whether there is something to be handed out then.
    fn next_look(
        &self,
        now: UnixMillis,
        passed: Duration,
        asked_at: Duration,
        next: Option<UnixMillis>,
    ) -> (UnixMillis, bool) {
        let in_from_now = |at: Duration| now + Millis::from_std(at.saturating_sub(passed)).max(Millis(1));
        let ask = in_from_now(asked_at + self.look_every());
        let due = next.map(|at| at.max(now + LOOK_AGAIN_AFTER));
        let opens = self.lanes.next_opening(passed).map(in_from_now);
        match due.into_iter().chain(opens).min() {
            Some(at) if at <= ask => (at, true),
            _ => (ask, false),
        }
    }

    async fn look_ahead(&self, deadline: &watch::Sender<Option<UnixMillis>>) -> Option<UnixMillis> {
        let rooms = self.rooms();
        match self.engine.store().look_ahead(&rooms).await {
            Ok(ahead) => {
                deadline.send_replace(ahead.deadline);
                ahead.job
            }
            Err(error) => {
                log_trouble("the worker cannot look ahead", &error);
                None
            }
        }
    }

    /// Destinations, and how much more each takes now.
    pub(super) fn rooms(&self) -> Vec<LaneRoom> {
        let running = self.engine.running();
        let mut limits = running.registry.lanes();
        let default = running.config.delivery.lane;
        for stray in locked(&self.strays).iter() {
            if !limits.iter().any(|(name, _)| name == stray) {
                limits.push((stray.clone(), default));
            }
        }
        self.lanes.room(&limits, self.engine.clock().monotonic())
    }

    /// Hands out up to `limit` deliveries that are due and for which there is room.
    ///
    /// # Errors
    /// Store errors.
    pub async fn claim(&self, limit: u32) -> Result<Vec<Job>, EngineError> {
        let rooms = self.rooms();
        let now = self.engine.clock().now();
        let jobs = self.engine.store().claim(now, limit, LEASE, rooms.clone()).await?;
        self.lanes.handed_out(&rooms, &jobs);
        Ok(jobs)
    }

    /// Hands out what is due and begins it; how much that was.
    async fn look(&self, under_way: &UnderWay) -> Result<usize, EngineError> {
        let room = IN_FLIGHT_MAX.saturating_sub(under_way.len());
        if room == 0 {
            return Ok(0);
        }
        let jobs = self.claim(CLAIM_MAX.min(u32::try_from(room).unwrap_or(CLAIM_MAX))).await?;
        let found = jobs.len();
        if found == 0 {
            return Ok(0);
        }
        // Held from now on, also while their orders are being loaded.
        let begun = jobs.into_iter().map(|job| {
            let seat = self.lanes.enter(&job, self.engine.clock().monotonic());
            self.begun(job, None, Box::new(seat))
        });
        self.carry_all_out(begun.collect(), under_way).await;
        Ok(found)
    }

    /// Prolongs the leases of what is under way, so that a call may take longer than a lease.
    async fn renew(self, finished: CancellationToken) {
        let clock = self.engine.clock().clone();
        loop {
            tokio::select! {
                () = clock.sleep_until(clock.now() + RENEW_EVERY) => {}
                () = finished.cancelled() => return,
            }
            let renewed = self.engine.store().renew_leases(self.held.all(), clock.now() + LEASE).await;
            if let Err(error) = renewed {
                log_trouble("the leases of deliveries under way could not be prolonged", &error);
            }
        }
    }

    /// Looks now and then for what nobody here knows of.
    async fn search(self, stop: CancellationToken) {
        let clock = self.engine.clock().clone();
        while !stop.is_cancelled() {
            match self.engine.store().paused().await {
                Ok(paused) => self.lanes.note_paused(&paused),
                Err(error) => log_trouble("it cannot be asked which partners are held back", &error),
            }
            if let Err(error) = self.find_strays().await {
                log_trouble("deliveries to partners that are not configured cannot be looked for", &error);
            }
            match self.adopt().await {
                Ok(0) => {}
                Ok(_) => {
                    self.engine.work().notify_one();
                    continue;
                }
                Err(error) => log_trouble("deliveries of an older version could not be taken over", &error),
            }
            tokio::select! {
                () = clock.sleep_until(clock.now() + SEARCH_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Gives back what resellers let go, as soon as they do, each beside the others: a back-end that says nothing holds up no other.
    async fn give_back_for_ever(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = self.engine.let_go().told() => {}
                () = self.something_still_held() => {}
                () = stop.cancelled() => {}
            }
            for (order, booking) in self.let_go() {
                self.release(order, booking);
            }
            // Each goes its own way.
            drop(self.give_back_what_is_due());
        }
    }

    async fn adopt(&self) -> Result<usize, EngineError> {
        Ok(self.engine.store().write("take_over_jobs", |tx: &Tx| Box::pin(tx.take_over_jobs(TAKE_OVER_MAX))).await?)
    }

    /// Partners that have deliveries waiting and are not configured: those are put back with a reason that ops can read.
    pub(crate) async fn find_strays(&self) -> Result<(), EngineError> {
        let found = self.engine.store().waiting_destinations().await?;
        let known = self.engine.running().registry.lanes();
        let strays: Vec<String> =
            found.into_iter().filter(|name| !known.iter().any(|(lane, _)| lane == name)).collect();
        let is_news = std::mem::replace(&mut *locked(&self.strays), strays.clone()) != strays;
        // Whoever waits for what is due has not counted them.
        if is_news && !strays.is_empty() {
            self.engine.work().notify_one();
        }
        Ok(())
    }

    /// Does everything that is due now, and what follows from it, one by one; for tests, which own the clock.
    ///
    /// # Errors
    /// Store errors.
    pub async fn drain(&self) -> Result<usize, EngineError> {
        let mut done = 0;
        self.find_strays().await?;
        loop {
            let deadlines = self.pass_due_deadlines().await?;
            self.give_all_back().await;
            join_all(self.give_back_what_is_due()).await;
            let jobs = self.claim(CLAIM_MAX).await?;
            if jobs.is_empty() && deadlines == 0 {
                return Ok(done);
            }
            done += jobs.len() + deadlines;
            for job in jobs {
                let seat = self.lanes.enter(&job, self.engine.clock().monotonic());
                self.carry_out(job).await;
                drop(seat);
            }
        }
    }
}
