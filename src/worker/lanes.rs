// SPDX-License-Identifier: Apache-2.0

//! Lanes: how much goes to one destination at once and in a second, and whether it goes at all.
//!
//! An order whose last call failed is sick. Sick orders take a share of a lane's places at most, which grows while they recover; the
//! others go first. Whether a destination is tried at all is its breaker's business. All times are monotonic: a clock that is moved costs
//! nothing.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ticketbridge_core::{Millis, OrderId, UnixMillis};
use ticketbridge_store::{Job, LaneRoom};
use tokio::sync::Notify;

use crate::config::LaneLimits;
use crate::worker::breaker::Breaker;
pub use crate::worker::breaker::{FAILURES_TO_OPEN, Fault};

/// Sick orders that are remembered for one destination; beyond that the oldest count as healthy again.
const SICK_MAX: usize = 10_000;
/// The share of a lane's places for sick orders, and the share that is always kept free of them: one in so many.
const SHARE: u32 = 4;
/// Clocks that differ by no more than this are taken for the same: an answer's date is told in seconds, and is on its way for a while.
const CLOCK_OFF_MAX: Millis = Millis::seconds(30);

/// Whether a destination is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It is.
    Closed,
    /// It is being tried, by a few calls.
    HalfOpen,
    /// It is left alone until the next trial.
    Open,
}

impl BreakerState {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half_open",
            BreakerState::Open => "open",
        }
    }
    /// The same as a number, the worse the higher: 0, 1, 2.
    pub fn as_number(self) -> f64 {
        match self {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        }
    }
}

/// How one destination fares, for people.
#[derive(Clone, Debug)]
pub struct LaneState {
    /// Calls under way.
    pub in_flight: u32,
    /// Whether it is called.
    pub breaker: BreakerState,
    /// When it last answered as it should.
    pub last_ok_at: Option<UnixMillis>,
    /// What it last did wrong.
    pub last_error: Option<String>,
    /// By how much its clock goes before ours, where that is more than a network can explain.
    pub clock_off: Option<Millis>,
}

#[derive(Default)]
struct Lane {
    in_flight: u32,
    failed_in_flight: u32,
    breaker: Breaker,
    sick: BTreeSet<OrderId>,
    sick_since: VecDeque<OrderId>,
    /// Places for sick orders beyond their share, while they recover.
    eased: u32,
    /// What is left of this second's calls, in thousandths, as of `counted_at`.
    allowance: u64,
    counted_at: Option<Duration>,
    per_second: u32,
    last_ok_at: Option<UnixMillis>,
    last_error: Option<String>,
    clock_off: Option<Millis>,
    /// More was due than there was room for.
    has_more: bool,
    /// A person holds it back, as far as this instance has heard.
    is_paused: bool,
}

/// The lanes of this instance.
#[derive(Default)]
pub struct Lanes {
    lanes: Mutex<HashMap<String, Lane>>,
    freed: Arc<Notify>,
}

/// A place in a lane, given back when dropped.
pub struct Seat {
    lanes: Arc<Lanes>,
    destination: String,
    failed_last: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(lane) = self.lanes.all().get_mut(&self.destination) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            lane.failed_in_flight = lane.failed_in_flight.saturating_sub(u32::from(self.failed_last));
            if lane.has_more {
                self.lanes.freed.notify_one();
            }
        }
    }
}

impl Lanes {
    /// No lanes yet; each begins with the first call. `freed` is signalled when there is room again where there was none.
    pub fn new(freed: Arc<Notify>) -> Self {
        Self { lanes: Mutex::default(), freed }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How one destination fares.
    pub fn lane(&self, destination: &str) -> LaneState {
        let all = self.all();
        let breaker = |lane: &Lane| match (lane.breaker.is_open(), lane.in_flight) {
            (false, _) => BreakerState::Closed,
            (true, 0) => BreakerState::Open,
            (true, _) => BreakerState::HalfOpen,
        };
        let lane = all.get(destination);
        LaneState {
            in_flight: lane.map_or(0, |lane| lane.in_flight),
            breaker: lane.map_or(BreakerState::Closed, breaker),
            last_ok_at: lane.and_then(|lane| lane.last_ok_at),
            last_error: lane.and_then(|lane| lane.last_error.clone()),
            clock_off: lane.and_then(|lane| lane.clock_off),
        }
    }

    /// How much more each of these destinations takes now.
    pub fn room(&self, limits: &[(String, LaneLimits)], now: Duration) -> Vec<LaneRoom> {
        let mut all = self.all();
        let mut rooms = Vec::with_capacity(limits.len());
        for (destination, limits) in limits {
            let lane = all.entry(destination.clone()).or_default();
            let (total, failed) = lane.room(*limits, now);
            rooms.push(LaneRoom { destination: destination.clone(), total, failed });
        }
        rooms
    }

    /// What was handed out of what there was room for: a lane that was filled may have more.
    pub(crate) fn handed_out(&self, rooms: &[LaneRoom], jobs: &[Job]) {
        let mut all = self.all();
        for room in rooms {
            let of_lane = || jobs.iter().filter(|job| job.destination == room.destination);
            let (taken, failed) = (of_lane().count(), of_lane().filter(|job| job.failed_last).count());
            if let Some(lane) = all.get_mut(&room.destination) {
                lane.has_more = taken >= room.total as usize || failed >= room.failed as usize;
            }
        }
    }

    /// When the next lane that takes nothing now takes something again by itself: a breaker's next trial, or the next part of a second.
    pub fn next_opening(&self, now: Duration) -> Option<Duration> {
        self.all().values().filter_map(|lane| lane.next_opening(now)).min()
    }

    /// Takes a place for a delivery that has just been made, where one is free and no other waits for it.
    pub(crate) fn enter_if_free(
        self: &Arc<Self>,
        destination: &str,
        limits: LaneLimits,
        now: Duration,
    ) -> Option<Seat> {
        let mut all = self.all();
        if !all.contains_key(destination) {
            all.insert(destination.to_owned(), Lane::default());
        }
        let lane = all.get_mut(destination)?;
        if lane.is_paused || lane.has_more || lane.breaker.is_open() {
            return None;
        }
        if lane.room(limits, now).0 == 0 {
            // It waits from now on; what comes after it waits behind it.
            lane.has_more = true;
            return None;
        }
        lane.take_place(false, now);
        Some(Seat { lanes: self.clone(), destination: destination.to_owned(), failed_last: false })
    }

    /// Who is held back. That one is not any more is learned now and then: until then its deliveries are found by a look.
    pub(crate) fn note_paused(&self, paused: &[String]) {
        for (destination, lane) in self.all().iter_mut() {
            lane.is_paused = paused.contains(destination);
        }
    }

    /// Takes a place.
    pub fn enter(self: &Arc<Self>, job: &Job, now: Duration) -> Seat {
        let mut all = self.all();
        let lane = all.entry(job.destination.clone()).or_default();
        lane.take_place(job.failed_last, now);
        Seat { lanes: self.clone(), destination: job.destination.clone(), failed_last: job.failed_last }
    }

    /// The destination answered as it should, even if the answer was a refusal.
    pub fn succeeded(&self, job: &Job, at: UnixMillis) {
        let mut all = self.all();
        let lane = all.entry(job.destination.clone()).or_default();
        if lane.breaker.is_open() {
            tracing::info!(destination = %job.destination, "the breaker closes: a call went well");
        }
        lane.breaker.succeeded();
        lane.last_ok_at = Some(at);
        if lane.sick.remove(&job.order) || job.failed_last {
            lane.eased = lane.eased.saturating_mul(2).max(1);
        }
    }

    /// The destination did not answer, or not as it should.
    pub fn failed(&self, job: &Job, fault: Fault, why: &str, now: Duration) {
        let mut all = self.all();
        let lane = all.entry(job.destination.clone()).or_default();
        lane.last_error = Some(why.to_owned());
        let was_known = match fault {
            Fault::OfOrder | Fault::OfEither => !lane.falls_sick(&job.order),
            // Nothing is known of the order by that.
            Fault::OfPartner => false,
        };
        if lane.breaker.failed(&job.order, fault, was_known, now) {
            tracing::warn!(destination = %job.destination, "the breaker opens, several orders failed in a row: {why}");
        }
    }

    /// By how much the destination's clock goes before ours, by what an answer said. Its times (the end of a hold, a deadline) and ours mean
    /// different moments where they differ much; a person mends the clock that is wrong.
    pub fn clock_seen(&self, destination: &str, off: Millis) {
        let clock_off = (off.0.abs() > CLOCK_OFF_MAX.0).then_some(off);
        let mut all = self.all();
        let Some(lane) = all.get_mut(destination) else { return };
        let was = std::mem::replace(&mut lane.clock_off, clock_off);
        match (was, clock_off) {
            (None, Some(off)) => tracing::warn!(%destination, seconds = off.0 / 1_000,
                "a partner's clock and ours differ; its times are read by its own clock where they can be"),
            (Some(_), None) => tracing::info!(%destination, "a partner's clock and ours agree again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// Whether the order's last call to this destination failed, as far as this instance knows.
    pub fn is_sick(&self, job: &Job) -> bool {
        self.all().get(&job.destination).is_some_and(|lane| lane.sick.contains(&job.order))
    }
}

impl Lane {
    fn take_place(&mut self, failed_last: bool, now: Duration) {
        self.in_flight += 1;
        self.failed_in_flight += u32::from(failed_last);
        self.allowance = self.allowance.saturating_sub(1_000);
        self.breaker.begins(failed_last, now);
    }

    /// Notes that an order's call failed; whether that is new.
    fn falls_sick(&mut self, order: &OrderId) -> bool {
        self.eased = 0;
        if !self.sick.insert(order.clone()) {
            return false;
        }
        self.sick_since.push_back(order.clone());
        while self.sick_since.len() > SICK_MAX {
            if let Some(oldest) = self.sick_since.pop_front() {
                self.sick.remove(&oldest);
            }
        }
        true
    }

    fn room(&mut self, limits: LaneLimits, now: Duration) -> (u32, u32) {
        let places = limits.at_once.saturating_sub(self.in_flight).min(self.allowed(limits.per_second, now));
        match self.breaker.trials(now) {
            Some(trials) => (trials.total.min(places), trials.failed.min(places)),
            None => {
                let share = (limits.at_once / SHARE).max(1);
                let most = limits.at_once.saturating_sub(share).max(share);
                let failed = share.saturating_add(self.eased).min(most).saturating_sub(self.failed_in_flight);
                (places, failed.min(places))
            }
        }
    }

    /// How many calls the pace allows now: those of a second are saved up, no more.
    fn allowed(&mut self, per_second: u32, now: Duration) -> u32 {
        self.per_second = per_second;
        if per_second == 0 {
            return u32::MAX;
        }
        let full = u64::from(per_second) * 1_000;
        let since = self.counted_at.map_or(Duration::from_secs(1), |at| now.saturating_sub(at));
        let gained = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_mul(u64::from(per_second));
        // At the beginning a single call goes at once, and the others after it in their pace.
        let most = if self.counted_at.is_none() { 1_000 } else { full };
        self.allowance = self.allowance.saturating_add(gained).min(most);
        self.counted_at = Some(now);
        u32::try_from(self.allowance / 1_000).unwrap_or(u32::MAX)
    }

    fn next_opening(&self, now: Duration) -> Option<Duration> {
        if self.breaker.is_open() {
            return self.breaker.next_trial(now);
        }
        if self.per_second == 0 || self.allowance >= 1_000 {
            return None;
        }
        let wait = (1_000 - self.allowance).div_ceil(u64::from(self.per_second));
        Some(now + Duration::from_millis(wait.max(1)))
    }
}
