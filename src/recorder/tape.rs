// SPDX-License-Identifier: Apache-2.0

//! The tape while the service runs: pieces are handed over without waiting, sealed and written in batches off the way to the answer. What
//! a crash can lose is the last moment; what a slow database makes it drop is counted, and an export says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use ticketbridge_core::message::StockKey;
use ticketbridge_core::port::{Call, HttpResponse};
use ticketbridge_core::{Millis, OrderId, UnixMillis};
use ticketbridge_store::{Store, StoreError, TapePiece, Tx};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Ids};
use crate::recorder::acted::Acted;
use crate::recorder::turns::Decided;
use crate::service::batches::next_batch;
use crate::transport::{AddressPolicy, CallLimits, Transport, TransportError};

/// Pieces that wait to be written; more are dropped and counted, so that a slow database never holds an answer up.
const WAITING_MAX: usize = 10_000;
/// Pieces written in one transaction.
const BATCH_MAX: usize = 256;
/// Headers that a recording has no use for, or that are keys.
const LEFT_OUT: [&str; 6] = ["authorization", "access-token", "cookie", "user-agent", "accept", "traceparent"];

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Piece {
    /// A request that was believed, and its answer.
    In(Box<Came>),
    /// A call of ours, and what came back.
    Out(Box<Went>),
    /// A task of the housekeeping began.
    Task {
        /// Its name.
        name: String,
    },
    /// An order took units of stock, or gave them back.
    Moved(Moved),
}

/// Units that an order took, or gave back. Of orders that begin in a recording a replay finds out by itself; of older ones, and of what had
/// been taken when the recording began, this is all that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The order.
    pub order: OrderId,
    /// Of what.
    pub key: StockKey,
    /// How many; what is given back is below nothing.
    pub units: i64,
}

/// A request of a channel, of a back-end or of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Came {
    /// The path.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// The headers, without keys.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// Who made it, by the name in the history of orders; `None`: a partner.
    pub by: Option<String>,
    /// What he was allowed. An older version did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted: Option<Acted>,
    /// Of what the identifiers were made that it led to, in hex.
    pub seed: Option<String>,
    /// The answer's status.
    pub status: u16,
    /// The answer's body.
    pub answer: String,
    /// How long the answer took.
    pub took: Millis,
    /// The order that it was about.
    pub order: Option<OrderId>,
    /// The turn in which it was decided ([`super::turns`]). An older version did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<i64>,
}

/// A call to a partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Went {
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// The body.
    pub body: String,
    /// What came back.
    pub back: Back,
    /// How long it took.
    pub took: Millis,
    /// The order that it was made for, where it was one's delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The turn in which the order heard what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<i64>,
}

/// What came back of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "back", rename_all = "snake_case")]
pub enum Back {
    /// An answer.
    Answered {
        /// Its status.
        status: u16,
        /// `Retry-After`, where there was one.
        retry_after: Option<String>,
        /// Its body.
        body: String,
    },
    /// It never arrived.
    NotSent,
    /// Perhaps it did.
    Interrupted,
}

/// The headers of a request as they are recorded.
pub fn headers_of(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = headers.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
    kept.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect()
}

/// Where pieces go. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    waiting: mpsc::Sender<(UnixMillis, Piece)>,
    is_on: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Recorder {
    /// A recorder that records while `is_on` says so, and the writer to be run beside it.
    pub fn new(is_on: Arc<dyn Fn() -> bool + Send + Sync>) -> (Self, Writer) {
        let (waiting, pieces) = mpsc::channel(WAITING_MAX);
        (Self { waiting, is_on }, Writer { pieces })
    }

    /// Whether anything is recorded at all.
    pub fn is_on(&self) -> bool {
        (self.is_on)()
    }

    /// Takes what `piece` makes, if anything is recorded; never waits.
    pub fn record(&self, at: UnixMillis, piece: impl FnOnce() -> Piece) {
        if self.is_on() && self.waiting.try_send((at, piece())).is_err() {
            metrics::counter!("ticketbridge_recorder_lost_total").increment(1);
        }
    }
}

/// Writes what was recorded.
pub struct Writer {
    pieces: mpsc::Receiver<(UnixMillis, Piece)>,
}

impl Writer {
    /// Writes until `stop`, and then what is still waiting.
    pub async fn run(mut self, store: Store, ids: Arc<dyn Ids>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while next_batch(&mut self.pieces, &mut batch, BATCH_MAX, &stop).await {
            let piece = |(at, piece): (UnixMillis, Piece)| {
                let content = serde_json::to_vec(&piece).ok()?;
                Some(TapePiece { id: format!("tap_{:032x}", ids.seed().0), at, content })
            };
            let pieces: Arc<Vec<TapePiece>> = Arc::new(batch.drain(..).filter_map(piece).collect());
            let written: Result<(), StoreError> = store
                .write("record", move |tx: &Tx| {
                    let pieces = pieces.clone();
                    Box::pin(async move { tx.tape(&pieces).await })
                })
                .await;
            if let Err(error) = written {
                crate::trouble::log_trouble("a part of the recording could not be written", &error);
            }
        }
    }
}

/// A way out of which everything is recorded.
pub struct Recording {
    inner: Arc<dyn Transport>,
    recorder: Recorder,
    clock: Arc<dyn Clock>,
}

impl Recording {
    /// Records what goes through `inner`.
    pub fn new(inner: Arc<dyn Transport>, recorder: Recorder, clock: Arc<dyn Clock>) -> Self {
        Self { inner, recorder, clock }
    }

    /// A call of a delivery is kept until its order has heard what came of it, and is written down then with the turn of that.
    fn hand_over(&self, at: UnixMillis, went: Went) {
        let kept = CONVERSATION.try_with(|conversation| {
            let recorder = self.recorder.clone();
            conversation.calls().push(Kept { recorder, at, went: went.clone(), decided: None });
        });
        if kept.is_err() {
            self.recorder.record(at, || Piece::Out(Box::new(went)));
        }
    }
}

tokio::task_local! {
    /// The conversation that is under way in this task.
    static CONVERSATION: Conversation;
}

/// A call until its order has heard what came of it.
struct Kept {
    recorder: Recorder,
    at: UnixMillis,
    went: Went,
    /// Where the first change after it notes its turn.
    decided: Option<Decided>,
}

/// The calls of a delivery.
struct Conversation {
    order: OrderId,
    calls: Mutex<Vec<Kept>>,
}

impl Conversation {
    fn calls(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Conversation {
    // Also of one that was cut off: what was said was said.
    fn drop(&mut self) {
        let calls = self.calls.get_mut().unwrap_or_else(PoisonError::into_inner);
        for Kept { recorder, at, went, decided } in calls.drain(..) {
            let (order, decided) = (Some(self.order.clone()), decided.and_then(|decided| decided.turn()));
            recorder.record(at, || Piece::Out(Box::new(Went { order, decided, ..went })));
        }
    }
}

/// Carries a delivery of this order out: its calls are one conversation.
pub(crate) async fn conversing<T>(order: &OrderId, work: impl Future<Output = T>) -> T {
    let conversation = Conversation { order: order.clone(), calls: Mutex::new(Vec::new()) };
    CONVERSATION.scope(conversation, work).await
}

/// Where a change notes its turn by which the order hears of the calls that were made before it; nowhere, where it has heard of all of them.
pub(crate) fn heard_of_calls() -> Decided {
    let decided = Decided::default();
    let _outside = CONVERSATION.try_with(|conversation| {
        for kept in conversation.calls().iter_mut().filter(|kept| kept.decided.is_none()) {
            kept.decided = Some(decided.clone());
        }
    });
    decided
}

impl Transport for Recording {
    fn send<'a>(&'a self, call: &'a Call, limits: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        if !self.recorder.is_on() {
            return self.inner.send(call, limits);
        }
        Box::pin(async move {
            let started = (self.clock.now(), self.clock.monotonic());
            let answer = self.inner.send(call, limits).await;
            let took = Millis::from_std(self.clock.monotonic().saturating_sub(started.1));
            self.hand_over(started.0, went(call, &answer, took));
            answer
        })
    }

    fn allow(&self, policy: AddressPolicy) {
        self.inner.allow(policy);
    }
}

fn went(call: &Call, answer: &Result<HttpResponse, TransportError>, took: Millis) -> Went {
    let back = match answer {
        Ok(response) => Back::Answered {
            status: response.status.as_u16(),
            retry_after: response
                .headers
                .get(http::header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            body: String::from_utf8_lossy(&response.body).into_owned(),
        },
        Err(TransportError::NotSent { .. }) => Back::NotSent,
        Err(TransportError::Interrupted { .. }) => Back::Interrupted,
    };
    let body = String::from_utf8_lossy(&call.body).into_owned();
    Went { method: call.method.to_string(), url: call.url.clone(), body, back, took, order: None, decided: None }
}
