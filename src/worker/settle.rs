// SPDX-License-Identifier: Apache-2.0

//! The end of an attempt: the row, the order and the record of the call change in one transaction, and only if the lease still holds.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use ticketbridge_core::message::{Actor, Command, Destination};
use ticketbridge_core::order::{AttentionKind, Order};
use ticketbridge_core::port::Operations;
use ticketbridge_core::retry::{Next, RetryPolicy, next_attempt};
use ticketbridge_core::time::Moment;
use ticketbridge_core::{Answering, Millis, UnixMillis};
use ticketbridge_store::{CallRecord, Direction, Job, JobEnd, Tx};

use crate::engine::{Applied, Change, EngineError, held, needs};
use crate::recorder::course;
use crate::service::live::Running;
use crate::worker::Worker;

/// Gap between two looks whether a partner is configured again.
const PARTNER_GAP: (Millis, Millis) = (Millis::seconds(10), Millis::minutes(2));

/// The end of an attempt, among what is done on its way.
const SETTLE: &str = "settle";

/// What one attempt came to.
pub(crate) struct Attempt {
    /// When it began.
    pub at: UnixMillis,
    /// What was called, when it is not the delivery's own call (a read-back).
    pub call: String,
    /// The key by which the partner knows a repeat of it, where one was sent.
    pub key: Option<String>,
    /// How long it took.
    pub took: Millis,
    /// The answer's status.
    pub status: Option<u16>,
    /// One word for how it ended.
    pub verdict: &'static str,
    /// One line for people, without personal data.
    pub summary: String,
}

impl Worker {
    /// Ends an attempt that says nothing about the order.
    pub(crate) async fn end(&self, job: &Job, end: JobEnd) -> Result<(), EngineError> {
        self.settle(job, end, None, Vec::new()).await.map(|_| ())
    }

    /// The partner is not configured at present. The delivery waits for it to come back, however long that takes: a configuration is
    /// mended, and what was under way goes on. Half of the time waited so far, within bounds, lies between two looks. The order asks for
    /// a person meanwhile.
    pub(crate) async fn wait_for_partner(
        &self,
        job: &Job,
        order: Option<&Order>,
        what: &str,
    ) -> Result<(), EngineError> {
        let now = self.engine.clock().now();
        let gap = Millis((now - job.created_at).0 / 2).clamp(PARTNER_GAP.0, PARTNER_GAP.1);
        let why = format!("{what}: no longer configured; this waits until that is mended, or is dropped");
        if job.last_error.as_ref() != Some(&why) {
            tracing::error!(delivery = %job.id, order = %job.order, "{why}");
        }
        let gone = Command::RecordPartnerGone { partner: what.to_owned() };
        let news = order.filter(|order| !order.needs(AttentionKind::PartnerGone)).map(|_| (Actor::policy(), gone));
        self.settle(job, JobEnd::PutBack { due_at: now + gap, why }, None, news.into_iter().collect()).await.map(|_| ())
    }

    /// The partner is configured, or is no longer needed: the order does not ask for a person because of it any more. The order
    /// afterwards.
    pub(crate) async fn partner_is_back(&self, job: &Job, order: Order) -> Result<Order, EngineError> {
        if !order.needs(AttentionKind::PartnerGone) {
            return Ok(order);
        }
        let back = Command::RecordPartnerBack { partner: partner(&job.destination) };
        Ok(self.engine.apply(&order.id, back, Actor::policy()).await?.order)
    }

    /// Ends an attempt: the row becomes `end`, the order hears `commands`, the call is recorded.
    pub(crate) async fn settle(
        &self,
        job: &Job,
        end: JobEnd,
        attempt: Option<Attempt>,
        commands: Vec<(Actor, Command)>,
    ) -> Result<Option<Applied>, EngineError> {
        course::turn_of(SETTLE).await;
        let moment = self.engine.moment();
        // What is to be repeated waits among those that failed, unless the failure was not the order's.
        let mut job = job.clone();
        job.failed_last = self.lanes.is_sick(&job);
        if let Some(key) = attempt.as_ref().and_then(|attempt| attempt.key.as_ref()) {
            job.wire_key = Some(key.clone()).filter(|key| *key != job.id);
        }
        let job = &job;
        let record = attempt.map(|attempt| self.record_of(job, attempt));
        let delivered = matches!(end, JobEnd::Delivered);
        let dead = match &end {
            JobEnd::Dead { error } => Some(error.clone()),
            JobEnd::Delivered
            | JobEnd::Retry { .. }
            | JobEnd::PutBack { .. }
            | JobEnd::Dropped { .. }
            | JobEnd::NotNeeded { .. } => None,
        };
        let needs = needs::of_commands(&job.order, commands.iter().map(|(_, command)| command))
            .with_held(commands.iter().flat_map(|(_, command)| self.held_named(job, command)));
        let work = Arc::new((job.clone(), end, record, commands, self.engine.running()));
        let (engine, decided) = (self.engine.clone(), course::heard_of_calls());
        let turn = decided.clone();
        let applied = self
            .engine
            .store()
            .write_needing("settle", needs, move |tx: &Tx| {
                let (work, engine, decided) = (work.clone(), engine.clone(), decided.clone());
                Box::pin(async move {
                    let (job, end, record, commands, running) = &*work;
                    if let Some(record) = record {
                        tx.log_call(record)?;
                    }
                    let applied = heard(tx, running, job, commands, moment).await?;
                    // The order is locked before the delivery, as everywhere.
                    if !tx.settle(job, end, moment.now).await? {
                        return Err(EngineError::LeaseLost);
                    }
                    decided.note(engine.turn());
                    Ok(applied)
                })
            })
            .await?;
        course::passed(SETTLE, turn.turn());
        if let Some(applied) = &applied {
            self.engine.announce(applied);
        }
        if let Some(error) = dead {
            tracing::warn!(delivery = %job.id, order = %job.order, destination = job.destination, attempts = job.attempts, reason = error,
                helps = format!("ticketbridge deliveries retry {0}, or deliveries drop {0} --reason TEXT", job.id),
                "a delivery is given up, and waits as a dead letter");
        }
        if delivered {
            metrics::counter!("ticketbridge_deliveries_delivered_total", "destination" => job.destination.clone())
                .increment(1);
        }
        // What waited for this delivery goes from hand to hand with the commit, or the commit has told that it is to be looked for.
        Ok(applied)
    }

    /// The hashes of what a back-end's answer says it gave out.
    fn held_named(&self, job: &Job, command: &Command) -> Vec<String> {
        let Some(Destination::Backend(id)) = Destination::parse(&job.destination) else { return Vec::new() };
        let registered = self.engine.running().registry.backend(&id);
        let is_pool = registered.is_some_and(|known| matches!(known.backend.operations(), Operations::Pool(_)));
        held::hashes_named(self.engine.store().sealer(), &id, is_pool, command)
    }

    /// An attempt as it is kept among the order's calls.
    pub(crate) fn record_of(&self, job: &Job, attempt: Attempt) -> CallRecord {
        CallRecord {
            id: format!("cal_{:032x}", self.engine.ids().seed().0),
            order: Some(job.order.clone()),
            direction: Direction::Out,
            partner: partner(&job.destination),
            call: attempt.call,
            at: attempt.at,
            duration: attempt.took,
            attempt: job.attempts,
            status: attempt.status,
            verdict: attempt.verdict.to_owned(),
            summary: attempt.summary,
        }
    }

    /// When to try again, or that it is given up.
    pub(crate) fn again(&self, job: &Job, after: Option<Millis>) -> Next {
        let delivery = &self.engine.running().config.delivery;
        let policy = RetryPolicy {
            attempts_max: delivery.attempts,
            first: delivery.backoff.first,
            factor: delivery.backoff.factor,
            max: delivery.backoff.max,
            jitter: delivery.backoff.jitter,
        };
        // Spread over the deliveries, and the same for one of them whenever it is asked: a day that is played again waits as long.
        let digest = Sha256::digest(format!("{}|{}", job.id, job.attempts));
        let random = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        next_attempt(&policy, job.attempts, after, self.engine.clock().now(), random, None)
    }
}

/// The partner's name in a destination.
pub(crate) fn partner(destination: &str) -> String {
    Destination::parse(destination).map_or_else(|| destination.to_owned(), |known| known.partner().to_owned())
}

/// Has the order hear what a call brought, one after the other.
async fn heard(
    tx: &Tx,
    running: &Running,
    job: &Job,
    commands: &[(Actor, Command)],
    moment: Moment,
) -> Result<Option<Applied>, EngineError> {
    let mut applied: Option<Applied> = None;
    for (index, (actor, command)) in commands.iter().enumerate() {
        let traceparent = job.traceparent.clone();
        let first = Change { running, actor, moment, answering: Answering::Nobody, traceparent };
        let change = first.next(index as u128);
        match change.on(tx, &job.order, command, None).await {
            Ok(next) => {
                let changed = next.changed || applied.is_some_and(|a| a.changed);
                applied = Some(Applied { changed, ..next });
            }
            // A fact that does not fit is no reason to repeat the call; it is in the record of calls.
            Err(EngineError::Rejected(rejection)) => {
                tracing::warn!(order = %job.order, command = command.name(), code = rejection.why.code(),
                    "what a call brought does not fit the order: {rejection}");
            }
            Err(other) => return Err(other),
        }
    }
    Ok(applied)
}
