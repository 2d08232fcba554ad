// SPDX-License-Identifier: Apache-2.0

//! The record of calls that came in: written in batches, off the way to the answer. The messages themselves are in the inbox, committed
//! before they are answered; what a crash can lose here is only how long the last few answers took.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ticketbridge_core::{Millis, OrderId, UnixMillis};
use ticketbridge_store::{CallRecord, Direction, Needs, Store, StoreError, Tx};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Ids;
use crate::service::batches::next_batch;
use crate::telemetry::seldom;

/// Records that wait to be written; more are dropped and counted, so that a slow database never holds an answer up.
const WAITING_MAX: usize = 10_000;
/// Records written in one transaction.
const BATCH_MAX: usize = 256;
/// How long the first record waits for others: a commit of its own for each would compete with the messages' commits.
const GATHERED_FOR: Duration = Duration::from_millis(100);
/// Of calls that nobody has signed, one of each partner and outcome is recorded so often: a flood of them fills no disk.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(60);

/// Kinds of such calls that are told apart in that time; calls that a partner signed and nobody knows have names of its own.
const KINDS_MAX: usize = 512;

/// A call that came in.
#[derive(Clone, Debug)]
pub struct InboundCall {
    /// The order that it was about.
    pub order: Option<OrderId>,
    /// Always in.
    pub direction: Direction,
    /// Who called.
    pub partner: String,
    /// Which call.
    pub call: String,
    /// When it began.
    pub at: UnixMillis,
    /// How long the answer took.
    pub duration: Millis,
    /// The answer's status.
    pub status: u16,
    /// One word for how it ended.
    pub verdict: String,
}

/// Where records go.
#[derive(Clone)]
pub struct CallLog {
    waiting: mpsc::Sender<InboundCall>,
    sampled: Arc<Mutex<HashMap<(String, String), Duration>>>,
}

impl CallLog {
    /// A log, and the writer to be run beside it.
    pub fn new() -> (Self, Writer) {
        let (waiting, records) = mpsc::channel(WAITING_MAX);
        (Self { waiting, sampled: Arc::default() }, Writer { records })
    }

    /// Records a call of somebody who has proved who he is; never waits. Always true: the call is worth a line of the log.
    pub fn record(&self, call: InboundCall) -> bool {
        if self.waiting.try_send(call).is_err() {
            metrics::counter!("ticketbridge_call_records_lost_total").increment(1);
        }
        true
    }

    /// Records a call of anybody, if none of its partner with its outcome was recorded in the last [`SAMPLE_EVERY`]; whether it was. All of
    /// them are counted in the metrics. `now` is monotonic.
    pub fn sample(&self, call: InboundCall, now: Duration) -> bool {
        let kind = call.verdict.clone();
        self.sample_of(kind, call, now)
    }

    /// The same for a partner's own calls that have no name of ours: each name has its turn.
    pub fn sample_named(&self, call: InboundCall, now: Duration) -> bool {
        let kind = format!("{}:{}", call.verdict, call.call);
        self.sample_of(kind, call, now)
    }

    fn sample_of(&self, kind: String, call: InboundCall, now: Duration) -> bool {
        {
            // Partners and outcomes are few: they are the configuration's and our own words. Names are for those who have proved who they are.
            let mut sampled = self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
            let kind = (call.partner.clone(), kind);
            let seen = sampled.get(&kind);
            if seen.is_some_and(|last| now.saturating_sub(*last) < SAMPLE_EVERY) {
                return false;
            }
            if seen.is_none() && sampled.len() >= KINDS_MAX {
                sampled.retain(|_, last| now.saturating_sub(*last) < SAMPLE_EVERY);
                if sampled.len() >= KINDS_MAX {
                    return false;
                }
            }
            sampled.insert(kind, now);
        }
        self.record(call)
    }
}

/// Writes what was recorded.
pub struct Writer {
    records: mpsc::Receiver<InboundCall>,
}

impl Writer {
    /// Writes until `stop`, and then what is still waiting.
    pub async fn run(mut self, store: Store, ids: Arc<dyn Ids>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut more_wait = false;
        while next_batch(&mut self.records, &mut batch, BATCH_MAX, &stop).await {
            if !more_wait {
                self.gather(&mut batch, &stop).await;
            }
            more_wait = batch.len() == BATCH_MAX;
            let rows: Arc<Vec<CallRecord>> = Arc::new(batch.drain(..).map(|call| row(call, &*ids)).collect());
            let written: Result<(), StoreError> = store
                .write_needing("log_calls", Needs::nothing(), move |tx: &Tx| {
                    let rows = rows.clone();
                    Box::pin(async move {
                        for row in rows.iter() {
                            tx.log_call(row)?;
                        }
                        Ok(())
                    })
                })
                .await;
            if let Err(error) = written {
                // Most often whoever sent the calls could not be served either, and that is said.
                if let Some(unsaid) = seldom::is_due(&seldom::root(&error)) {
                    tracing::error!(error = %crate::trouble::chain(&error), unsaid, "records of calls could not be written");
                }
            }
        }
    }

    /// Takes along what comes in the next moment.
    async fn gather(&mut self, batch: &mut Vec<InboundCall>, stop: &CancellationToken) {
        if batch.len() < BATCH_MAX && tokio::time::timeout(GATHERED_FOR, stop.cancelled()).await.is_err() {
            while batch.len() < BATCH_MAX
                && let Ok(next) = self.records.try_recv()
            {
                batch.push(next);
            }
        }
    }
}

fn row(call: InboundCall, ids: &dyn Ids) -> CallRecord {
    CallRecord {
        id: format!("cal_{:032x}", ids.seed().0),
        order: call.order,
        direction: call.direction,
        partner: call.partner,
        call: call.call,
        at: call.at,
        duration: call.duration,
        attempt: 1,
        status: Some(call.status),
        summary: call.verdict.clone(),
        verdict: call.verdict,
    }
}
