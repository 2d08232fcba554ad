// SPDX-License-Identifier: Apache-2.0

//! The worker where somebody else says what is done when: where a recording is played.

use ticketbridge_core::message::DeadlineKind;
use ticketbridge_core::{Millis, OrderId, UnixMillis};
use ticketbridge_store::{Job, Ready};

use crate::engine::EngineError;
use crate::worker::lanes::Seat;
use crate::worker::still_held::Place;
use crate::worker::{LEASE, Worker};

/// Nobody else is there who could take a delivery over.
const HELD_FOR: Millis = Millis::hours(1_000);

impl Worker {
    /// Takes these deliveries, as far as they may be handed out; each with what keeps its place.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn take_these(&self, ids: Vec<String>) -> Result<Vec<(Job, Seat)>, EngineError> {
        let clock = self.engine.clock();
        let jobs = self.engine.store().claim_these(ids, clock.now(), HELD_FOR).await?;
        Ok(jobs
            .into_iter()
            .map(|job| {
                let seat = self.lanes.enter(&job, clock.monotonic());
                (job, seat)
            })
            .collect())
    }

    /// Which deliveries would be handed out now, as far as there is room.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn handed_out_now(&self, limit: u32) -> Result<Vec<String>, EngineError> {
        Ok(self.engine.store().claimable(self.engine.clock().now(), limit, &self.rooms()).await?)
    }

    /// Deliveries that may be handed out until `until`, whatever room there is.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn ready_until(&self, until: UnixMillis) -> Result<Vec<Ready>, EngineError> {
        let destinations: Vec<String> = self.rooms().into_iter().map(|room| room.destination).collect();
        Ok(self.engine.store().ready_jobs(until, &destinations).await?)
    }

    /// When a destination that takes nothing now takes something again by itself.
    pub(crate) fn next_opening(&self) -> Option<UnixMillis> {
        let clock = self.engine.clock();
        let (now, passed) = (clock.now(), clock.monotonic());
        self.lanes.next_opening(passed).map(|at| now + Millis::from_std(at.saturating_sub(passed)))
    }

    /// Passes a deadline, or warns of it, if that is due.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn pass_deadline(&self, order: &OrderId, kind: DeadlineKind) -> Result<(), EngineError> {
        let claimed = self.engine.store().claim_deadline(order, kind, self.engine.clock().now(), LEASE).await?;
        if let Some(claimed) = claimed {
            self.pass_one(claimed).await;
        }
        Ok(())
    }

    /// Gives back what resellers have let go.
    pub(crate) async fn give_all_back(&self) {
        for (order, booking) in self.let_go() {
            self.give_back_or_wait(Place::new(order, booking)).await;
        }
    }
}
