// SPDX-License-Identifier: Apache-2.0

//! The tape while the service runs: pieces are handed over without waiting, sealed and written in batches off the way to the answer. What
//! a crash can lose is the last moment; what a slow database makes it drop is counted, and an export says so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use ticketbridge_core::message::{DeadlineKind, StockKey};
use ticketbridge_core::port::{Call, HttpResponse};
use ticketbridge_core::{Millis, OrderId, Seed, UnixMillis};
use ticketbridge_store::{Store, StoreError, TapePiece, Tx};
use tokio::sync::{mpsc, watch};
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
/// Calls that are kept until their order has heard of them.
const KEPT_MAX: usize = 64;
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
    /// A task of the housekeeping began, as an older version wrote it down.
    Task {
        /// Its name.
        name: String,
    },
    /// Something was done by itself: a delivery, a deadline, a task of the housekeeping.
    Ran(Box<Ran>),
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

/// Something that was done by itself. Whatever waits is carried out some milliseconds after it may be, or much later where there is no room: a
/// replay does it when it was done then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// What.
    pub what: Work,
    /// The turn in which it began; of a deadline, in which it was decided.
    pub began: i64,
    /// Of what the identifiers were made that it led to, in hex and in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<String>,
}

/// What is done by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// A delivery.
    Delivery {
        /// Its id.
        id: String,
        /// For which order.
        order: OrderId,
        /// To whom.
        destination: String,
        /// Which call.
        call: String,
    },
    /// A deadline that was near, or passed.
    Deadline {
        /// Of which order.
        order: OrderId,
        /// Which kind.
        deadline: DeadlineKind,
        /// Whether it passed.
        passed: bool,
    },
    /// A look at a booking, after a push that nobody signs.
    Hint {
        /// Whose.
        backend: String,
        /// About which booking, in its words.
        about: String,
    },
    /// A task of the housekeeping.
    Task {
        /// Its name.
        name: String,
    },
}

impl Work {
    /// The order that it is about, where it is about one.
    pub fn order(&self) -> Option<&OrderId> {
        match self {
            Work::Delivery { order, .. } | Work::Deadline { order, .. } => Some(order),
            Work::Hint { .. } | Work::Task { .. } => None,
        }
    }
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
    /// The turn in which the answer was there, of one that waited for something. An older version did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<i64>,
    /// Of what all identifiers were made that it led to, in hex and in that order. An older version recorded the first at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<String>,
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
        /// `Date`: by the partner's clock, which its own times are judged by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        date: Option<String>,
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

    /// A call is kept until its order has heard what came of it, and is written down then with the turn of that.
    fn hand_over(&self, at: UnixMillis, went: Went) {
        let mut went = Some(went);
        let _outside = DOING.try_with(|doing| {
            let mut calls = locked(&doing.calls);
            let recorder = self.recorder.clone();
            calls.extend(went.take().map(|went| Kept { recorder, at, went, decided: None, is_heard: false }));
            // A task asks many partners before it changes anything.
            if calls.len() > KEPT_MAX {
                doing.write_down(calls.remove(0));
            }
        });
        if let Some(went) = went {
            self.recorder.record(at, || Piece::Out(Box::new(went)));
        }
    }
}

tokio::task_local! {
    /// What is being done in this task by itself.
    static DOING: Doing;
    /// The course of what is being done in this task, and in those that go on with it.
    static COURSE: Arc<Course>;
}

/// The course of one thing: of what identifiers are made in it, and what was decided last.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Of what they are to be made: known only where a recording is played.
    given: Mutex<VecDeque<Seed>>,
    drawn: Mutex<Vec<Seed>>,
    decided: Decided,
    /// Where it waits for its turn before its last decision, where a recording is played.
    gate: Option<Arc<Gate>>,
}

/// A gate that is opened once.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    is_open: watch::Sender<bool>,
    is_waited_at: AtomicBool,
}

impl Gate {
    /// Lets whoever waits, or will wait, go on.
    pub(crate) fn open(&self) {
        self.is_waited_at.store(false, Ordering::Release);
        self.is_open.send_replace(true);
    }
    /// Whether somebody waits.
    pub(crate) fn is_waited_at(&self) -> bool {
        self.is_waited_at.load(Ordering::Acquire)
    }
    async fn pass(&self) {
        let mut is_open = self.is_open.subscribe();
        if !*is_open.borrow() {
            self.is_waited_at.store(true, Ordering::Release);
        }
        // The sender lives as long as this does.
        let _opened = is_open.wait_for(|is_open| *is_open).await;
        self.is_waited_at.store(false, Ordering::Release);
    }
}

impl Course {
    fn current() -> Option<Arc<Self>> {
        COURSE.try_with(Arc::clone).ok()
    }
    /// Of what identifiers were made, in hex and in that order.
    pub(crate) fn seeds(&self) -> Vec<String> {
        locked(&self.drawn).iter().map(|seed| format!("{:032x}", seed.0)).collect()
    }
    /// The turn of what was decided last, if anything was.
    pub(crate) fn decided(&self) -> Option<i64> {
        self.decided.turn()
    }
}

/// What another thread left behind is whole: each is one value put into a list.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call until its order has heard what came of it.
struct Kept {
    recorder: Recorder,
    at: UnixMillis,
    went: Went,
    /// Where the first change after it notes its turn. Of several calls before one change it is the last one's.
    decided: Option<Decided>,
    is_heard: bool,
}

/// Something that begins, with where it is written down.
pub(crate) struct Begun {
    /// Where; nowhere, where nothing is recorded.
    pub(crate) recorder: Option<Recorder>,
    /// When it began.
    pub(crate) at: UnixMillis,
    /// In which turn.
    pub(crate) turn: i64,
    /// What it is.
    pub(crate) what: Work,
}

/// Something that is being done by itself.
struct Doing {
    begun: Begun,
    calls: Mutex<Vec<Kept>>,
    course: Arc<Course>,
}

impl Doing {
    fn write_down(&self, Kept { recorder, at, went, decided, is_heard: _ }: Kept) {
        let (order, decided) = (self.begun.what.order().cloned(), decided.and_then(|decided| decided.turn()));
        recorder.record(at, || Piece::Out(Box::new(Went { order, decided, ..went })));
    }
}

impl Drop for Doing {
    // Also of what was cut off: what was said was said.
    fn drop(&mut self) {
        let calls: Vec<Kept> = locked(&self.calls).drain(..).collect();
        calls.into_iter().for_each(|kept| self.write_down(kept));
        let Begun { recorder, at, turn, what } = &self.begun;
        if let Some(recorder) = recorder {
            let ran = || Ran { what: what.clone(), began: *turn, seeds: self.course.seeds() };
            recorder.record(*at, || Piece::Ran(Box::new(ran())));
        }
    }
}

/// Does something that is written down with its calls, and with when its order heard of them. It has a place of its own, as what follows: it
/// would lie several times in the task of whoever does it.
pub(crate) async fn doing<T>(begun: Begun, work: BoxFuture<'_, T>) -> T {
    let course = Course::current().unwrap_or_default();
    let doing = Doing { begun, calls: Mutex::default(), course: course.clone() };
    COURSE.scope(course, DOING.scope(doing, work)).await
}

/// Does something whose course is told.
pub(crate) async fn noting<T>(work: BoxFuture<'_, T>) -> (T, Arc<Course>) {
    let course = Course::current().unwrap_or_default();
    (COURSE.scope(course.clone(), work).await, course)
}

/// Does something whose identifiers are made of these, as far as they reach.
pub(crate) async fn with_seeds<T>(seeds: &[String], work: impl Future<Output = T>) -> T {
    with_course(seeds, None, work).await
}

/// The same, where its last decision waits at a gate.
pub(crate) async fn with_course<T>(seeds: &[String], gate: Option<Arc<Gate>>, work: impl Future<Output = T>) -> T {
    let read = |seed: &String| u128::from_str_radix(seed, 16).ok().map(Seed);
    let given = Mutex::new(seeds.iter().filter_map(read).collect());
    COURSE.scope(Arc::new(Course { given, gate, ..Course::default() }), work).await
}

/// Waits for its turn where a recording is played: to be done before what follows the first decision of a course is decided.
pub(crate) async fn its_turn() {
    if let Some(gate) = Course::current().and_then(|course| course.gate.clone()) {
        gate.pass().await;
    }
}

/// The same work, to go on in another task with the course of this one.
pub(crate) fn carried<'a, T>(work: BoxFuture<'a, T>) -> impl Future<Output = T> + use<'a, T> {
    let course = Course::current();
    async move {
        match course {
            Some(course) => COURSE.scope(course, work).await,
            None => work.await,
        }
    }
}

/// Of what identifiers are made: what was given where a recording is played, otherwise something fresh.
pub(crate) fn seed(fresh: impl FnOnce() -> Seed) -> Seed {
    let Some(course) = Course::current() else { return fresh() };
    let given = locked(&course.given).pop_front();
    let seed = given.unwrap_or_else(fresh);
    locked(&course.drawn).push(seed);
    seed
}

/// Something was decided in this course, in this turn.
pub(crate) fn decided(turn: Option<i64>) {
    if let (Some(course), Some(turn)) = (Course::current(), turn) {
        course.decided.note(turn);
    }
}

/// Where a change notes its turn by which the order hears of the calls that were made before it; nowhere, where it has heard of all of them.
pub(crate) fn heard_of_calls() -> Decided {
    let decided = Decided::default();
    let _outside = DOING.try_with(|doing| {
        let mut calls = locked(&doing.calls);
        if let Some(last) = calls.last_mut().filter(|last| !last.is_heard) {
            last.decided = Some(decided.clone());
        }
        calls.iter_mut().for_each(|kept| kept.is_heard = true);
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

fn header_of(response: &HttpResponse, name: &http::HeaderName) -> Option<String> {
    response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn went(call: &Call, answer: &Result<HttpResponse, TransportError>, took: Millis) -> Went {
    let back = match answer {
        Ok(response) => Back::Answered {
            status: response.status.as_u16(),
            retry_after: header_of(response, &http::header::RETRY_AFTER),
            date: header_of(response, &http::header::DATE),
            body: String::from_utf8_lossy(&response.body).into_owned(),
        },
        Err(TransportError::NotSent { .. }) => Back::NotSent,
        Err(TransportError::Interrupted { .. }) => Back::Interrupted,
    };
    let body = String::from_utf8_lossy(&call.body).into_owned();
    Went { method: call.method.to_string(), url: call.url.clone(), body, back, took, order: None, decided: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn identifiers_are_made_of_what_was_given_also_in_a_task_that_goes_on() {
        let given = [7_u128, 8].map(|seed| format!("{seed:032x}"));
        let work = async {
            let first = seed(|| Seed(1));
            let goes_on = tokio::spawn(carried(Box::pin(async { seed(|| Seed(2)) }))).await.expect("it ends");
            decided(Some(5));
            [first, goes_on, seed(|| Seed(3))]
        };
        let (made, course) = with_seeds(&given, noting(Box::pin(work))).await;
        assert_eq!(made, [Seed(7), Seed(8), Seed(3)]);
        assert_eq!((course.seeds().len(), course.decided()), (3, Some(5)));
        assert_eq!(seed(|| Seed(9)), Seed(9), "nobody notes it");
    }

    #[tokio::test]
    async fn who_waits_for_its_turn_goes_on_when_the_gate_is_opened() {
        let gate = Arc::new(Gate::default());
        let through = gate.clone();
        let waits = tokio::spawn(async move { with_course(&[], Some(through), its_turn()).await });
        while !gate.is_waited_at() {
            tokio::task::yield_now().await;
        }
        gate.open();
        assert!(!gate.is_waited_at(), "it goes on");
        waits.await.expect("it ends");
        with_course(&[], Some(gate), its_turn()).await;
        with_seeds(&[], its_turn()).await;
    }

    #[tokio::test]
    async fn of_the_calls_before_a_change_the_last_one_has_its_turn() {
        let (recorder, mut writer) = Recorder::new(Arc::new(|| true));
        let order = OrderId("ord_1".to_owned());
        let what = Work::Delivery {
            id: "dlv_1".to_owned(),
            order: order.clone(),
            destination: "backend:gate".to_owned(),
            call: "issue".to_owned(),
        };
        let begun = Begun { recorder: Some(recorder.clone()), at: UnixMillis(1), turn: 1_000, what: what.clone() };
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::TestClock::at(UnixMillis(1)));
        let inner: Arc<dyn Transport> = Arc::new(Nobody);
        let recording = Recording::new(inner, recorder, clock);
        let (method, headers) = (http::Method::POST, HeaderMap::new());
        let url = "http://nobody.example/".to_owned();
        let call = Call { method, url, headers, body: bytes::Bytes::new(), timeout: None, key: None };
        let limits = CallLimits { timeout: Millis(1), at_most: Millis(1) };
        let work = async {
            assert!(recording.send(&call, limits).await.is_err());
            assert!(recording.send(&call, limits).await.is_err());
            heard_of_calls().note(2_000);
            heard_of_calls().note(3_000);
            assert!(recording.send(&call, limits).await.is_err());
        };
        doing(begun, Box::pin(work)).await;
        let mut turns = Vec::new();
        let mut ran = None;
        while let Ok((_, piece)) = writer.pieces.try_recv() {
            match piece {
                Piece::Out(went) => {
                    assert_eq!(went.order.as_ref(), Some(&order));
                    turns.push(went.decided);
                }
                Piece::Ran(it) => ran = Some(it),
                Piece::In(_) | Piece::Task { .. } | Piece::Moved(_) => panic!("{piece:?}"),
            }
        }
        assert_eq!(turns, [None, Some(2_000), None]);
        assert_eq!(ran, Some(Box::new(Ran { what, began: 1_000, seeds: Vec::new() })));
    }

    /// A way out to nobody.
    struct Nobody;

    impl Transport for Nobody {
        fn send<'a>(&'a self, _: &'a Call, _: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
            Box::pin(async { Err(TransportError::NotSent { why: "nobody is there".to_owned() }) })
        }
    }
}
