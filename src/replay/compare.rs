// SPDX-License-Identifier: Apache-2.0

//! What is other than it was: answers, orders, calls. Each is compared by itself; what follows from one difference is counted with it, and
//! differences of one kind are one cause, shown by the shortest sequence of messages that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::codes::Codes;
use super::difference::{Difference, What, When};
use super::expect::Expected;
use super::partners::{Other, Stranger};
use super::values::{differing, place_of_call, shown, without_fields, without_guests};
use crate::recorder::file::Recorded;
use crate::recorder::outcome::Outcome;

/// Fields of answers that are not compared, and why. All others are; instants may differ by a moment.
const LEFT_OUT: [(&str, &str); 4] = [
    ("request_id", "another one each time"),
    ("logid", "another one each time"),
    ("log_id", "another one each time"),
    ("version", "how often the order changed: its events are counted by their names"),
];
/// Messages of a sequence that a report shows.
const SEQUENCE_MAX: usize = 12;

/// Why an order's differences are there, and how often.
#[derive(Clone, Debug, Serialize)]
pub struct Cause {
    /// What is compared.
    pub what: What,
    /// Of which.
    pub place: String,
    /// How it changed.
    pub change: String,
    /// Whether a rule covers it.
    pub expected: bool,
    /// Differences of this cause, what follows from them among them.
    pub differences: u64,
    /// Orders that it shows in.
    pub orders: u64,
    /// The shortest sequence of messages that has it.
    pub sequence: Vec<String>,
}

/// What a replay found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What is as it was.
    pub equal: u64,
    /// What is other, and wanted so.
    pub expected: u64,
    /// What is other.
    pub unexplained: u64,
    /// Why, the most frequent first.
    pub causes: Vec<Cause>,
    /// Messages played.
    pub messages: u64,
    /// Calls answered from the recording.
    pub calls: u64,
    /// What the recording does not have, a sentence each.
    pub left_out: Vec<String>,
    /// Rules that fit nothing.
    pub unused_rules: Vec<String>,
}

/// A message that was played.
struct Message {
    when: When,
    told: String,
}

/// Collects what is found.
#[derive(Default)]
pub struct Comparison {
    equal: u64,
    differences: Vec<Difference>,
    messages: Vec<Message>,
    /// Which of the messages are about each order.
    sequences: BTreeMap<String, Vec<usize>>,
    codes: Codes,
}

impl Comparison {
    /// Of what is compared with this recording.
    pub(super) fn with(recorded: &Recorded) -> Self {
        Self { codes: Codes::of(recorded), ..Self::default() }
    }

    /// A message was played, perhaps about an order.
    pub fn played(&mut self, when: When, order: Option<&str>, message: &str) {
        if let Some(order) = order {
            self.sequences.entry(order.to_owned()).or_default().push(self.messages.len());
        }
        self.messages.push(Message { when, told: message.to_owned() });
    }

    /// Compares an answer with the one that was given then.
    pub fn answer(&mut self, when: When, place: &str, order: Option<String>, then: (u16, &str), now: (u16, &str)) {
        let mut changes = Vec::new();
        if then.0 != now.0 {
            changes.push(format!("status {} -> {}", then.0, now.0));
        }
        match (serde_json::from_str::<Value>(then.1), serde_json::from_str::<Value>(now.1)) {
            (Ok(mut before), Ok(mut after)) => {
                [&mut before, &mut after].into_iter().for_each(|value| {
                    without_guests(value);
                    without_fields(value, &LEFT_OUT.map(|(name, _)| name));
                });
                differing("", &before, &after, &self.codes, &mut changes);
            }
            _ if then.1 != now.1 => changes.push("the body".to_owned()),
            _ => {}
        }
        self.found((What::Answer, place), order, when, changes);
    }

    /// Compares what an order is with what it was; `now` is nothing where there is none.
    pub fn order(&mut self, then: &Outcome, now: Option<&Outcome>) {
        let name = name_of(then);
        let Some(now) = now else {
            let changes = vec!["there was one -> there is none".to_owned()];
            return self.found((What::Order, "order"), Some(name), When::LAST, changes);
        };
        self.codes.know(now);
        for (part, before) in &then.parts {
            let after = now.parts.iter().find(|(known, _)| known == part).map(|(_, value)| value.clone());
            let mut changes = Vec::new();
            differing("", before, &after.unwrap_or_default(), &self.codes, &mut changes);
            self.found((What::Order, part), Some(name.clone()), When::LAST, changes);
        }
    }

    /// A call that was made otherwise than then, or not at all; `order` is the name of the one that it was made for.
    pub(super) fn call(&mut self, other: Other, order: Option<String>) {
        let Other { place, change, order: _, when } = other;
        self.differences.push(Difference { what: What::Call, place, change, order, when });
    }

    /// A call that was not made then.
    pub(super) fn stranger(&mut self, stranger: Stranger, order: Option<String>) {
        let Stranger { call, order: _, when } = stranger;
        let mut words = call.split(' ');
        let place = place_of_call(words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let change = format!("not made then -> made, {}", shown(&Value::String(self.codes.text(&call))));
        self.differences.push(Difference { what: What::Call, place, change, order, when });
    }

    fn found(&mut self, (what, place): (What, &str), order: Option<String>, when: When, changes: Vec<String>) {
        if changes.is_empty() {
            self.equal += 1;
            return;
        }
        let (place, change) = (place.to_owned(), changes.join("; "));
        self.differences.push(Difference { what, place, change, order, when });
    }

    /// The messages that lead to a difference: those about its order until it is found; where it is about none, the last one before it.
    fn sequence(&self, difference: &Difference) -> Vec<String> {
        let is_before = |index: &&usize| self.messages[**index].when <= difference.when;
        let own = difference.order.as_ref().and_then(|order| self.sequences.get(order));
        let own: Vec<String> =
            own.into_iter().flatten().filter(is_before).map(|index| self.messages[*index].told.clone()).collect();
        if !own.is_empty() || difference.what == What::Order {
            return own;
        }
        let last = self.messages.iter().rev().find(|message| message.when <= difference.when);
        last.map(|message| message.told.clone()).into_iter().collect()
    }

    /// Each difference with the one that it follows from, in the order in which they were found. The first difference of an order is the cause
    /// of what is other about it afterwards; from one that is wanted on, everything is.
    fn with_roots(&self, expected: &Expected) -> Vec<(Difference, Difference)> {
        let mut differences = self.differences.clone();
        differences.sort_by_key(|difference| difference.when);
        let mut roots: BTreeMap<String, Difference> = BTreeMap::new();
        let with_root = |difference: Difference| {
            let root = match &difference.order {
                Some(order) => {
                    let root = roots.entry(order.clone()).or_insert_with(|| difference.clone());
                    if !expected.covers(root) && expected.covers(&difference) {
                        *root = difference.clone();
                    }
                    root.clone()
                }
                None => difference.clone(),
            };
            (difference, root)
        };
        differences.into_iter().map(with_root).collect()
    }

    /// What was found, in all.
    pub fn report(self, expected: &Expected, messages: u64, calls: u64, left_out: Vec<String>) -> Report {
        let mut causes: BTreeMap<(What, String, String), (Cause, BTreeSet<String>)> = BTreeMap::new();
        let (mut wanted, mut unexplained) = (0, 0);
        for (difference, root) in self.with_roots(expected) {
            let is_expected = expected.covers(&root);
            let counted = if is_expected { &mut wanted } else { &mut unexplained };
            *counted += 1;
            let sequence = self.sequence(&root);
            let key = root.cause();
            let Difference { what, place, change, .. } = root;
            let (cause, orders) = causes.entry(key).or_insert_with(|| {
                let sequence = sequence.clone();
                (
                    Cause { what, place, change, expected: is_expected, differences: 0, orders: 0, sequence },
                    BTreeSet::new(),
                )
            });
            cause.differences += 1;
            if cause.sequence.is_empty() || (!sequence.is_empty() && sequence.len() < cause.sequence.len()) {
                cause.sequence = sequence;
            }
            orders.extend(difference.order);
        }
        let with_orders = |(cause, orders): (Cause, BTreeSet<String>)| Cause { orders: orders.len() as u64, ..cause };
        let mut causes: Vec<Cause> = causes.into_values().map(with_orders).collect();
        causes.sort_by_key(|cause| (cause.expected, std::cmp::Reverse(cause.differences)));
        let unused_rules = expected.unused(&self.differences);
        Report { equal: self.equal, expected: wanted, unexplained, causes, messages, calls, left_out, unused_rules }
    }
}

/// An order's name in a report.
pub(super) fn name_of(outcome: &Outcome) -> String {
    format!("{}:{}", outcome.order.0, outcome.order.1)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} messages and {} calls were played", self.messages, self.calls)?;
        for sentence in &self.left_out {
            writeln!(f, "not in the recording: {sentence}")?;
        }
        for cause in &self.causes {
            let word = if cause.expected { "expected" } else { "unexplained" };
            writeln!(f, "\n{word}: {} {}: {}", cause.what.word(), cause.place, cause.change)?;
            writeln!(f, "  {} differences in {} orders", cause.differences, cause.orders)?;
            for message in cause.sequence.iter().take(SEQUENCE_MAX) {
                writeln!(f, "    {message}")?;
            }
            if cause.sequence.len() > SEQUENCE_MAX {
                writeln!(f, "    … and {} more", cause.sequence.len() - SEQUENCE_MAX)?;
            }
        }
        for rule in &self.unused_rules {
            writeln!(f, "\na rule that fits nothing: {rule}")?;
        }
        write!(f, "\n{} equal, {} expected, {} unexplained", self.equal, self.expected, self.unexplained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use ticketbridge_core::{OrderId, UnixMillis};

    fn outcome(number: &str, state: &str) -> Outcome {
        Outcome { order: ("c".to_owned(), number.to_owned()), parts: vec![("state".to_owned(), json!(state))] }
    }

    fn at(turn: u64) -> When {
        When { at: UnixMillis(1), turn }
    }

    #[test]
    fn what_follows_from_a_difference_is_counted_with_it() {
        let mut found = Comparison::default();
        for number in ["1", "2"] {
            let order = Some(format!("c:{number}"));
            if number == "2" {
                found.played(at(1), order.as_deref(), "another 200");
            }
            found.played(at(2), order.as_deref(), "create-order 200");
            found.answer(at(3), "c/create-order", order.clone(), (200, r#"{"code":0}"#), (200, r#"{"code":5}"#));
            found.played(at(4), order.as_deref(), "what came after it 200");
            found.order(&outcome(number, "booked"), None);
        }
        found.order(&outcome("3", "booked"), Some(&outcome("3", "booked")));
        let report = found.report(&Expected::default(), 3, 0, Vec::new());
        assert_eq!((report.equal, report.expected, report.unexplained), (1, 0, 4));
        assert_eq!(report.causes.len(), 1, "{report}");
        let cause = &report.causes[0];
        assert_eq!((cause.change.as_str(), cause.orders, cause.differences), ("/code 0 -> 5", 2, 4));
        assert_eq!(cause.sequence, ["create-order 200"], "the shortest");
    }

    #[test]
    fn what_a_rule_covers_is_expected_with_what_follows() {
        let mut found = Comparison::default();
        found.answer(at(1), "c/create-order", Some("c:1".to_owned()), (200, r#"{"code":0}"#), (200, r#"{"code":5}"#));
        found.order(&outcome("1", "booked"), None);
        found.answer(at(2), "c/other", None, (200, "{}"), (500, "{}"));
        let rules = "[[expected]]\nwhat = \"answer\"\nwhere = \"c/create-*\"\nchange = \"/code *\"\nreason = \"r\"\n";
        let report = found.report(&Expected::read(rules).expect("rules"), 2, 0, Vec::new());
        assert_eq!((report.expected, report.unexplained), (2, 1), "{report}");
        assert!(report.to_string().ends_with("0 equal, 2 expected, 1 unexplained"));
    }

    #[test]
    fn guests_and_what_is_another_one_each_time_are_no_difference() {
        let mut found = Comparison::default();
        let (then, now) = (r#"{"name":"a","logid":"1","code":0}"#, r#"{"name":"b","logid":"2","code":0}"#);
        found.answer(at(1), "c/x", None, (200, then), (200, now));
        assert_eq!(found.report(&Expected::default(), 1, 0, Vec::new()).equal, 1);
    }

    #[test]
    fn a_call_is_a_cause_with_its_order_and_a_rule_that_fits_nothing_is_named() {
        let mut found = Comparison::default();
        let (order, name) = (Some(OrderId("ord_1".to_owned())), || Some("c:1".to_owned()));
        found.played(at(1), Some("c:1"), "create-order 200");
        found.played(at(2), None, "can-buy 200");
        let call = "POST /v1/reservations {}".to_owned();
        found.stranger(Stranger { call: call.clone(), order, when: at(3) }, name());
        found.stranger(Stranger { call, order: None, when: at(4) }, None);
        let unmade =
            |when| Other { place: "POST /x".to_owned(), change: "made then -> not made".to_owned(), order: None, when };
        found.call(unmade(at(5)), name());
        found.order(&outcome("1", "booked"), Some(&outcome("1", "failed")));
        let rules = "[[expected]]\nwhat = \"call\"\nwhere = \"GET *\"\nreason = \"r\"\n";
        let report = found.report(&Expected::read(rules).expect("rules"), 2, 0, Vec::new());
        assert_eq!(report.unexplained, 4, "{report}");
        assert_eq!(report.causes.len(), 1, "{report}");
        assert_eq!((report.causes[0].what, report.causes[0].sequence.len()), (What::Call, 1), "{report}");
        assert!(report.to_string().contains("a rule that fits nothing: call GET *: * (r)"), "{report}");
    }

    #[test]
    fn from_what_is_wanted_on_everything_about_an_order_is() {
        let mut found = Comparison::default();
        for (turn, place) in [(1, "c/first"), (2, "c/wanted"), (3, "c/later")] {
            found.answer(at(turn), place, Some("c:1".to_owned()), (200, "{}"), (500, "{}"));
        }
        let rules = "[[expected]]\nwhat = \"answer\"\nwhere = \"c/wanted\"\nreason = \"r\"\n";
        let report = found.report(&Expected::read(rules).expect("rules"), 3, 0, Vec::new());
        assert_eq!((report.expected, report.unexplained), (2, 1), "{report}");
    }
}
