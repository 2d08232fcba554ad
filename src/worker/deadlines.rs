// SPDX-License-Identifier: Apache-2.0

//! Deadlines that are near or have passed: rows with a time, handed out under a lease like deliveries.

use std::sync::Arc;

use ticketbridge_core::message::{Actor, Command};
use ticketbridge_core::{Answering, Millis, Moment, UnixMillis};
use ticketbridge_store::{ClaimedDeadline, DeadlineRow, Tx};

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::engine::{Applied, Change, EngineError, needs};
use crate::recorder::tape::{Piece, Ran, Work};
use crate::recorder::turns::Decided;
use crate::trouble::log_trouble;
use crate::worker::{LEASE, Worker};

/// Deadlines handed out at once.
const CLAIM_MAX: u32 = 256;
/// Of these, carried out at the same time: the write path makes batches of them, and others are to get their turn between.
const AT_ONCE: usize = 128;
/// Pause after a failure of the database.
const AFTER_TROUBLE: Millis = Millis::seconds(1);

impl Worker {
    /// Passes deadlines as they fall due, until `stop`: a task of its own, so that however many are due, deliveries go on. `known` is
    /// when the nearest is due, as far as is known.
    pub(super) async fn keep_deadlines(self, known: Arc<watch::Sender<Option<UnixMillis>>>, stop: CancellationToken) {
        let clock = self.engine.clock().clone();
        let mut next = known.subscribe();
        while !stop.is_cancelled() {
            let due = *next.borrow_and_update();
            if due.is_some_and(|at| at <= clock.now()) {
                match self.pass_due(&known).await {
                    Ok(found) if found > 0 => continue,
                    Ok(_) => {}
                    Err(error) => {
                        log_trouble("deadlines cannot be looked for", &error);
                        tokio::select! {
                            () = clock.sleep_until(clock.now() + AFTER_TROUBLE) => continue,
                            () = stop.cancelled() => return,
                        }
                    }
                }
            }
            // What is due by now was done, or is held by somebody; the next one is told.
            let wakes = next.borrow().filter(|at| *at > clock.now());
            let sleep = async {
                match wakes {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = next.changed() => if changed.is_err() { return },
                () = sleep => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Passes what is due; when nothing is, asks for the next. What was told meanwhile counts as well.
    async fn pass_due(&self, known: &watch::Sender<Option<UnixMillis>>) -> Result<usize, EngineError> {
        let found = self.pass_due_deadlines().await?;
        if found == 0 {
            let (next, now) = (self.engine.store().next_deadline_due().await?, self.engine.clock().now());
            known.send_if_modified(|known| {
                let sooner = known.filter(|at| *at > now).into_iter().chain(next).min();
                std::mem::replace(known, sooner) != sooner
            });
        }
        Ok(found)
    }

    /// Passes what is due, up to [`CLAIM_MAX`]; how many that were.
    ///
    /// # Errors
    /// Store errors.
    pub async fn pass_due_deadlines(&self) -> Result<usize, EngineError> {
        let claimed = self.engine.store().claim_due(self.engine.clock().now(), CLAIM_MAX, LEASE).await?;
        let found = claimed.len();
        let mut claimed = claimed.into_iter();
        loop {
            let part: Vec<_> = claimed.by_ref().take(AT_ONCE).map(|deadline| self.pass_one(deadline)).collect();
            if part.is_empty() {
                break;
            }
            join_all(part).await;
        }
        Ok(found)
    }

    pub(super) async fn pass_one(&self, claimed: ClaimedDeadline) {
        match self.pass(claimed).await {
            Ok(()) | Err(EngineError::LeaseLost) => {}
            Err(error) => log_trouble("a deadline could not be carried out; it is tried again", &error),
        }
    }

    async fn pass(&self, claimed: ClaimedDeadline) -> Result<(), EngineError> {
        let moment = self.engine.moment();
        let is_passing = claimed.is_passing(moment.now);
        let row = claimed.row.clone();
        let needs = needs::of_deadline(&row.order, row.kind, is_passing);
        let work = Arc::new((claimed, self.engine.running()));
        let (decided, engine) = (Decided::default(), self.engine.clone());
        let turn = decided.clone();
        let applied = self
            .engine
            .store()
            .write_needing("deadline", needs, move |tx: &Tx| {
                let (work, engine, turn) = (work.clone(), engine.clone(), turn.clone());
                Box::pin(async move {
                    let (claimed, running) = &*work;
                    let applied = carry_out(tx, claimed, running, moment, is_passing).await?;
                    turn.note(engine.turn());
                    Ok::<_, EngineError>(applied)
                })
            })
            .await?;
        self.record_passed(&row, is_passing, moment, &decided);
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

    fn record_passed(&self, row: &DeadlineRow, passed: bool, moment: Moment, decided: &Decided) {
        let (Some(recorder), Some(began)) = (self.engine.recorder(), decided.turn()) else { return };
        recorder.record(moment.now, || {
            let what = Work::Deadline { order: row.order.clone(), deadline: row.kind, passed };
            Piece::Ran(Box::new(Ran {
                what,
                began,
                seeds: vec![format!("{:032x}", moment.seed.0)],
                points: Vec::new(),
            }))
        });
    }
}

async fn carry_out(
    tx: &Tx,
    claimed: &ClaimedDeadline,
    running: &crate::service::live::Running,
    moment: Moment,
    is_passing: bool,
) -> Result<Applied, EngineError> {
    let row = &claimed.row;
    // The order is locked before the deadline, as everywhere.
    let order = tx.lock_order(&row.order).await?;
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
    match order {
        Some(order) => change.on_locked(tx, order, &command).await,
        None => change.on(tx, &row.order, &command, None).await,
    }
}
