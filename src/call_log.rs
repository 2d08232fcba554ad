//! The record of calls that came in: written in batches, off the way to the answer. The messages themselves are in the inbox, committed
//! before they are answered; what a crash can lose here is only how long the last few answers took.

use std::sync::{Arc, Mutex, PoisonError};

use ticketbridge_core::{Millis, OrderId, UnixMillis};
use ticketbridge_store::{CallRecord, Direction, Store, StoreError, Tx};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Ids;

/// Records that wait to be written; more are dropped and counted, so that a slow database never holds an answer up.
const WAITING_MAX: usize = 10_000;
/// Records written in one transaction.
const BATCH_MAX: usize = 256;

/// Calls of nobody we know that are kept of each [`SAMPLE_WINDOW`]: enough to see what comes. The others are counted only: whoever has no
/// key must not be able to fill the disk.
const SAMPLE_MAX: u32 = 20;
/// See [`SAMPLE_MAX`].
const SAMPLE_WINDOW: Millis = Millis::minutes(10);

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
    sample: Arc<Mutex<Sample>>,
}

/// How many calls of strangers were kept since when.
#[derive(Debug, Default)]
struct Sample {
    since: UnixMillis,
    kept: u32,
}

impl Sample {
    fn takes(&mut self, at: UnixMillis) -> bool {
        // Also when the clock was put back.
        if (at - self.since).0.unsigned_abs() >= SAMPLE_WINDOW.0.unsigned_abs() {
            *self = Self { since: at, kept: 0 };
        }
        self.kept = self.kept.saturating_add(1);
        self.kept <= SAMPLE_MAX
    }
}

/// Whether a call that was turned away may have come from anybody: it names no order of ours, and was not answered as a message.
fn is_strangers(call: &InboundCall) -> bool {
    call.order.is_none() && call.status >= 400
}

impl CallLog {
    /// A log, and the writer to be run beside it.
    pub fn new() -> (Self, Writer) {
        let (waiting, records) = mpsc::channel(WAITING_MAX);
        (Self { waiting, sample: Arc::default() }, Writer { records })
    }

    /// Records a call; never waits. Of calls that were turned away before anybody was recognised only a sample is kept.
    pub fn record(&self, call: InboundCall) {
        if is_strangers(&call) && !self.sample.lock().unwrap_or_else(PoisonError::into_inner).takes(call.at) {
            metrics::counter!("ticketbridge_calls_turned_away_total", "partner" => call.partner).increment(1);
            return;
        }
        if self.waiting.try_send(call).is_err() {
            metrics::counter!("ticketbridge_call_records_lost_total").increment(1);
        }
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
        loop {
            let stopping = stop.is_cancelled();
            if stopping {
                self.records.close();
            }
            let found = tokio::select! {
                biased;
                found = self.records.recv_many(&mut batch, BATCH_MAX) => found,
                () = stop.cancelled(), if !stopping => continue,
            };
            if found == 0 {
                return;
            }
            let rows: Arc<Vec<CallRecord>> = Arc::new(batch.drain(..).map(|call| row(call, &*ids)).collect());
            let written: Result<(), StoreError> = store
                .write("log_calls", move |tx: &Tx| {
                    let rows = rows.clone();
                    Box::pin(async move {
                        for row in rows.iter() {
                            tx.log_call(row).await?;
                        }
                        Ok(())
                    })
                })
                .await;
            if let Err(error) = written {
                crate::worker::log_trouble("records of calls could not be written", &error);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_strangers_a_sample_is_kept_and_of_partners_everything() {
        let (log, mut writer) = CallLog::new();
        let call = |n: i64, status: u16, order: Option<&str>| InboundCall {
            order: order.map(OrderId::from),
            direction: Direction::In,
            partner: "douyin-main".to_owned(),
            call: "create-order".to_owned(),
            at: UnixMillis(1_795_226_400_000 + n),
            duration: Millis(1),
            status,
            verdict: "unauthenticated".to_owned(),
        };
        for n in 0..5_000 {
            log.record(call(n, if n % 2 == 0 { 401 } else { 429 }, None));
        }
        for n in 0..100 {
            log.record(call(n, 200, None));
            log.record(call(n, 409, Some("ord_1")));
        }
        log.record(call(SAMPLE_WINDOW.0 * 2, 401, None));
        let mut kept = Vec::new();
        while let Ok(record) = writer.records.try_recv() {
            kept.push(record.status);
        }
        assert_eq!(kept.iter().filter(|status| matches!(status, 401 | 429)).count(), SAMPLE_MAX as usize + 1);
        assert_eq!(kept.iter().filter(|status| matches!(status, 200 | 409)).count(), 200);
    }
}
