// SPDX-License-Identifier: Apache-2.0

//! The tape while the service runs: pieces are handed over without waiting, sealed and written in batches off the way to the answer. What
//! a crash can lose is the last moment, and what a slow database makes it drop is counted; of both, each [`Run`] tells when it was, and an
//! export says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use ticketbridge_core::message::{DeadlineKind, StockKey};
use ticketbridge_core::{Millis, OrderId, UnixMillis};
use ticketbridge_store::{Store, StoreError, TapePiece, Tx};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Ids};
use crate::recorder::acted::Acted;
use crate::service::batches::next_batch;

/// Pieces that wait to be written; more are dropped and counted, so that a slow database never holds an answer up.
const WAITING_MAX: usize = 10_000;
/// Times of a run that are remembered in which pieces were lost; of more, the last one goes on.
const GAPS_MAX: usize = 64;
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
    /// The turns of all that it read and changed on its way, as far as that has turns of its own. An older version did not record them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Point>,
}

/// A run of the service, as far as the tape is concerned. It is written with every part of the tape, in the same commit: a process that ends
/// without warning leaves behind until when the tape is whole. A tape of an older version has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which process.
    pub name: String,
    /// Since when it runs.
    pub began: UnixMillis,
    /// Everything that had come to its end by then is on the tape.
    pub until: UnixMillis,
    /// Whether it ended by itself, with everything written down.
    pub ended: bool,
    /// From when until when something was lost on the way to the tape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<(UnixMillis, UnixMillis)>,
}

impl Run {
    /// As the tape keeps it: it takes the place of what was written of it before.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn piece(&self) -> Result<TapePiece, serde_json::Error> {
        let id = format!("{}{}", ticketbridge_store::RUN_ID, self.name);
        Ok(TapePiece { id, at: self.until, content: serde_json::to_vec(self)? })
    }

    fn lost(&mut self, now: UnixMillis) {
        let is_full = self.gaps.len() >= GAPS_MAX;
        match self.gaps.last_mut() {
            Some(last) if is_full || last.1 >= self.until => last.1 = now,
            Some(_) | None => self.gaps.push((self.until, now)),
        }
    }
}

/// Something that was read or changed on the way of one thing: whatever takes its time is one thing with many turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Its turn.
    pub turn: i64,
    /// What it was about, as a short digest: a tape that forgets an order keeps what else was done on the same way.
    pub about: u32,
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
    /// The turn in which it began, where it took its time: it asked a partner on its way, or read and changed several things. Everything else
    /// is done when it is decided. An older version did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<i64>,
    /// The turns of what it read and changed on its way, where it took its time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Point>,
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
    /// The turn in which that began on whose way it was made. An older version did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<i64>,
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
    /// How many pieces were dropped.
    lost: Arc<AtomicU64>,
}

impl Recorder {
    /// A recorder that records while `is_on` says so, and the writer to be run beside it.
    pub fn new(is_on: Arc<dyn Fn() -> bool + Send + Sync>) -> (Self, Writer) {
        let (waiting, pieces) = mpsc::channel(WAITING_MAX);
        let lost = Arc::<AtomicU64>::default();
        let writer = Writer { pieces, is_on: is_on.clone(), lost: lost.clone() };
        (Self { waiting, is_on, lost }, writer)
    }

    /// One whose pieces a test takes itself.
    #[cfg(test)]
    pub(super) fn in_hand() -> (Self, mpsc::Receiver<(UnixMillis, Piece)>) {
        let (recorder, Writer { pieces, .. }) = Self::new(Arc::new(|| true));
        (recorder, pieces)
    }

    /// Whether anything is recorded at all.
    pub fn is_on(&self) -> bool {
        (self.is_on)()
    }

    /// Takes what `piece` makes, if anything is recorded; never waits.
    pub fn record(&self, at: UnixMillis, piece: impl FnOnce() -> Piece) {
        if self.is_on() && self.waiting.try_send((at, piece())).is_err() {
            self.lost.fetch_add(1, Ordering::AcqRel);
            metrics::counter!("ticketbridge_recorder_lost_total").increment(1);
        }
    }
}

/// Writes what was recorded.
pub struct Writer {
    pieces: mpsc::Receiver<(UnixMillis, Piece)>,
    is_on: Arc<dyn Fn() -> bool + Send + Sync>,
    lost: Arc<AtomicU64>,
}

/// What a writer needs.
pub struct Desk {
    /// Where the tape is.
    pub store: Store,
    /// Names for pieces.
    pub ids: Arc<dyn Ids>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The name of this process.
    pub name: String,
}

impl Writer {
    /// Writes until `stop`, and then what is still waiting.
    pub async fn run(mut self, desk: Desk, stop: CancellationToken) {
        let began = desk.clock.now();
        // A process may begin again under the same name.
        let name = format!("{}-{:x}", desk.name, began.0);
        let mut run = Run { name, began, until: began, ended: false, gaps: Vec::new() };
        let mut lost_before = 0;
        if (self.is_on)() {
            desk.write(Vec::new(), &run).await;
        }
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while next_batch(&mut self.pieces, &mut batch, BATCH_MAX, &stop).await {
            let now = desk.clock.now();
            let lost = self.lost.load(Ordering::Acquire);
            if lost > lost_before {
                lost_before = lost;
                run.lost(now);
            }
            let before = run.until;
            // Whatever was handed over before now is in this batch, where nothing waits behind it.
            run.until = if self.pieces.is_empty() { now } else { before.max(last_end(&batch)) };
            if !desk.write(std::mem::take(&mut batch), &run).await {
                run.until = before;
                run.lost(now);
            }
        }
        if (self.is_on)() {
            (run.until, run.ended) = (desk.clock.now(), true);
            desk.write(Vec::new(), &run).await;
        }
    }
}

/// When the last of these that tells its end had ended: they come in the order of their ends.
fn last_end(batch: &[(UnixMillis, Piece)]) -> UnixMillis {
    let end = |(at, piece): &(UnixMillis, Piece)| match piece {
        Piece::In(came) => Some(*at + came.took),
        Piece::Out(_) | Piece::Task { .. } | Piece::Ran(_) | Piece::Moved(_) => None,
    };
    batch.iter().filter_map(end).max().unwrap_or(UnixMillis(i64::MIN))
}

impl Desk {
    /// Writes pieces and how far the run has come, in one commit; whether they are written.
    async fn write(&self, pieces: Vec<(UnixMillis, Piece)>, run: &Run) -> bool {
        let piece = |(at, piece): (UnixMillis, Piece)| {
            let content = serde_json::to_vec(&piece).ok()?;
            Some(TapePiece { id: format!("tap_{:032x}", self.ids.seed().0), at, content })
        };
        let mut pieces: Vec<TapePiece> = pieces.into_iter().filter_map(piece).collect();
        let told = run.piece().ok();
        let replaced: Vec<String> = told.iter().map(|told| told.id.clone()).collect();
        pieces.extend(told);
        let work = Arc::new((pieces, replaced));
        let written: Result<(), StoreError> = self
            .store
            .write("record", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    tx.forget_tape(&work.1).await?;
                    tx.tape(&work.0).await
                })
            })
            .await;
        if let Err(error) = &written {
            crate::trouble::log_trouble("a part of the recording could not be written", error);
        }
        written.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_remembers_when_something_was_lost_and_not_more_than_it_has_room_for() {
        let run =
            Run { name: "r".to_owned(), began: UnixMillis(0), until: UnixMillis(0), ended: false, gaps: Vec::new() };
        let mut run = run;
        run.lost(UnixMillis(5));
        run.lost(UnixMillis(7));
        assert_eq!(run.gaps, [(UnixMillis(0), UnixMillis(7))], "nothing was written between them");
        for at in 1..200 {
            run.until = UnixMillis(at * 10);
            run.lost(UnixMillis(at * 10 + 5));
        }
        assert_eq!(run.gaps.len(), GAPS_MAX);
        assert_eq!(run.gaps.last().map(|gap| gap.1), Some(UnixMillis(1_995)));
    }
}
