// SPDX-License-Identifier: Apache-2.0

//! A platform's own books: what it sold, what it told, what it was asked, and where the bridge broke a rule.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A trade, and how often it has changed.
#[derive(Clone, Debug)]
pub struct Kept<T> {
    /// Count of its changes, from 1.
    pub revision: u64,
    /// The trade.
    pub it: T,
}

/// An attempt at telling an event.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// When it began, real time since the start.
    pub at: Duration,
    /// The event's number.
    pub id: String,
    /// What happened.
    pub kind: &'static str,
    /// The trade it is about.
    pub number: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// HTTP status of the answer; 0 when there was none.
    pub status: u16,
    /// Body of the answer.
    pub answer: Value,
    /// The answer got lost on the way: the platform knows nothing of it, its judge does.
    pub lost: bool,
}

impl EventRecord {
    /// The `result` of the answer.
    pub fn result(&self) -> &str {
        self.answer.get("result").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A call of the bridge's, whole.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// When it began, real time since the start.
    pub at: Duration,
    /// What it is called in a timeline.
    pub call: &'static str,
    /// The trade it is about.
    pub number: String,
    /// Its `Idempotency-Key`; empty for a question.
    pub key: String,
    /// Body of the request.
    pub body: Value,
    /// HTTP status of the answer; 0 when there was none.
    pub status: u16,
    /// Body of the answer.
    pub answer: Value,
}

/// Something the bridge must not do.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The trade; empty when it is not known.
    pub number: String,
    /// What happened.
    pub sentence: String,
}

/// The books.
#[derive(Clone, Debug)]
pub struct Books<T> {
    /// Trades by number.
    pub trades: BTreeMap<String, Kept<T>>,
    /// Attempts at telling events, in the order in which they ended.
    pub events: Vec<EventRecord>,
    /// Calls of the bridge's, in the order in which they ended.
    pub calls: Vec<CallRecord>,
    /// What the bridge must not have done.
    pub violations: Vec<Violation>,
}

impl<T> Default for Books<T> {
    fn default() -> Self {
        Self { trades: BTreeMap::new(), events: Vec::new(), calls: Vec::new(), violations: Vec::new() }
    }
}

impl<T> Books<T> {
    /// Calls of this name about a trade that were carried out.
    pub fn done<'b>(&'b self, call: &'b str, number: &'b str) -> impl Iterator<Item = &'b CallRecord> {
        let is_done = |record: &&CallRecord| matches!(record.status, 0 | 200..=299);
        self.calls.iter().filter(move |record| record.call == call && record.number == number).filter(is_done)
    }

    /// The different results that attempts at events of this kind about a trade had.
    pub fn results(&self, kind: &str, number: &str) -> BTreeSet<&str> {
        let about = self.events.iter().filter(|record| record.kind == kind && record.number == number);
        about.map(EventRecord::result).collect()
    }

    /// What is held against the bridge about these trades, a sentence each.
    pub fn held_against(&self, numbers: &[String]) -> Vec<String> {
        let about = |number: &str| number.is_empty() || numbers.iter().any(|known| known == number);
        let violations = self.violations.iter().filter(|violation| about(&violation.number));
        let mut held: Vec<String> = violations.map(|violation| violation.sentence.clone()).collect();
        held.extend(self.taken_twice(&about));
        held
    }

    /// Events that were taken as new more than once.
    fn taken_twice(&self, about: &impl Fn(&str) -> bool) -> Vec<String> {
        let mut times: BTreeMap<&str, (&str, u32)> = BTreeMap::new();
        for record in self.events.iter().filter(|record| about(&record.number) && record.result() == "accepted") {
            times.entry(&record.id).or_insert((record.kind, 0)).1 += 1;
        }
        let twice = times.into_values().filter(|(_, times)| *times > 1);
        twice.map(|(kind, times)| format!("the same {kind} was taken as new {times} times")).collect()
    }
}
