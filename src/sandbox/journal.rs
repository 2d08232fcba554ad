// SPDX-License-Identifier: Apache-2.0

//! Everything that crossed the wire between the simulators and the bridge, in the order in which it ended.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Who speaks or is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// The simulated Douyin.
    Douyin,
    /// The simulated Kakao-style booking platform.
    Kakao,
    /// The simulated TripStore-style marketplace.
    Market,
    /// The travel agency's own books behind the marketplace.
    Agency,
    /// The bridge under trial.
    Bridge,
    /// The simulated ticketing back-end.
    Backend,
    /// The simulated OCTO supplier.
    Supplier,
    /// The guest: what he does is noted so that a timeline tells why calls happen.
    Guest,
    /// A person who works with the ops interface.
    Ops,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Party::Douyin => "Douyin",
            Party::Kakao => "Kakao",
            Party::Market => "market",
            Party::Agency => "agency",
            Party::Bridge => "bridge",
            Party::Backend => "back-end",
            Party::Supplier => "supplier",
            Party::Guest => "guest",
            Party::Ops => "ops",
        })
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// As the caller wished.
    Done,
    /// The other side works on it and will say later.
    Waiting,
    /// A clear no.
    Refused,
    /// No usable answer: time limit, connection, malformed.
    Failed,
    /// Not a call: something that a person did, or a note.
    Note,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it began, real time since the journal began.
    pub at: Duration,
    /// Who called.
    pub from: Party,
    /// Who was called.
    pub to: Party,
    /// The wire's own name of the call; empty for a note.
    pub call: String,
    /// The sale it belongs to (the voucher order, or the reservation when no voucher order was told), when known.
    pub sale: Option<String>,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// How it ended.
    pub ending: Ending,
    /// The same in words, without personal data.
    pub outcome: String,
    /// How long it took, real time.
    pub took: Duration,
}

/// A shared, append-only list of [`Entry`]. Cloning it gives another handle to the same list.
#[derive(Clone)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
    changed: watch::Sender<usize>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { entries: Arc::default(), changed: watch::Sender::new(0) }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("entries", &self.lock().len()).finish()
    }
}

impl Journal {
    /// Adds what happened and wakes whoever follows.
    pub fn add(&self, entry: Entry) {
        let length = {
            let mut entries = self.lock();
            entries.push(entry);
            entries.len()
        };
        self.changed.send_replace(length);
    }

    /// Notes what a person did, `at` after the journal's begin.
    pub fn note(&self, at: Duration, who: Party, sale: Option<&str>, what: impl Into<String>) {
        self.add(Entry {
            at,
            from: who,
            to: who,
            call: String::new(),
            sale: sale.map(str::to_owned),
            attempt: 1,
            ending: Ending::Note,
            outcome: what.into(),
            took: Duration::ZERO,
        });
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// The entries from number `from` (0 is the first) on.
    pub fn since(&self, from: usize) -> Vec<Entry> {
        self.lock().get(from..).map(<[Entry]>::to_vec).unwrap_or_default()
    }

    /// Tells the length of the journal each time it grows.
    pub fn follow(&self) -> watch::Receiver<usize> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
