//! Deadlines that are near or have passed: rows with a time, handed out under a lease like deliveries.

use std::sync::Arc;

use ticketbridge_core::command::Command;
use ticketbridge_core::event::Actor;
use ticketbridge_core::{Answering, Moment};
use ticketbridge_store::{ClaimedDeadline, Tx};

use crate::engine::{Applied, Change, EngineError};
use crate::worker::{LEASE, Worker};

/// Deadlines handed out at once.
const CLAIM_MAX: u32 = 64;

impl Worker {
    /// Passes what is due; how many that were.
    ///
    /// # Errors
    /// Store errors.
    pub async fn pass_due_deadlines(&self) -> Result<usize, EngineError> {
        let store = self.engine.store();
        let now = self.engine.clock().now();
        // A look first: claiming is a write, and most of the time there is nothing to claim.
        if store.next_deadline_due().await?.is_none_or(|at| at > now) {
            return Ok(0);
        }
        let claimed = store.claim_due(now, CLAIM_MAX, LEASE).await?;
        let found = claimed.len();
        for deadline in claimed {
            match self.pass(deadline).await {
                Ok(()) | Err(EngineError::LeaseLost) => {}
                Err(error) => {
                    crate::worker::log_trouble("a deadline could not be carried out; it is tried again", &error)
                }
            }
        }
        Ok(found)
    }

    async fn pass(&self, claimed: ClaimedDeadline) -> Result<(), EngineError> {
        let moment = self.engine.moment();
        let is_passing = claimed.is_passing(moment.now);
        let row = claimed.row.clone();
        let work = Arc::new((claimed, self.engine.running()));
        let applied = self
            .engine
            .store()
            .write("deadline", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (claimed, running) = &*work;
                    carry_out(tx, claimed, running, moment, is_passing).await
                })
            })
            .await?;
        if applied.changed {
            let (order, kind, due) = (&row.order, row.kind.name(), row.due_at.0);
            if is_passing {
                metrics::counter!("ticketbridge_deadlines_passed_total", "kind" => kind).increment(1);
                tracing::warn!(%order, kind, due_ms = due, "a deadline has passed");
            } else {
                metrics::counter!("ticketbridge_deadline_warnings_total", "kind" => kind).increment(1);
                tracing::warn!(%order, kind, due_ms = due, left_ms = due - moment.now.0, "a deadline is near");
            }
        }
        self.engine.announce(&applied);
        Ok(())
    }
}

async fn carry_out(
    tx: &Tx,
    claimed: &ClaimedDeadline,
    running: &crate::live::Running,
    moment: Moment,
    is_passing: bool,
) -> Result<Applied, EngineError> {
    let row = &claimed.row;
    let held = if is_passing {
        tx.mark_passed(claimed, moment.now).await?
    } else {
        tx.mark_warned(claimed, moment.now).await?
    };
    if !held {
        return Err(EngineError::LeaseLost);
    }
    let (kind, due_at) = (row.kind, row.due_at);
    let command =
        if is_passing { Command::PassDeadline { kind, due_at } } else { Command::WarnDeadline { kind, due_at } };
    let actor = Actor::timer();
    let change = Change { running, actor: &actor, moment, answering: Answering::Nobody, traceparent: None };
    change.on(tx, &row.order, &command, None).await
}
