// SPDX-License-Identifier: Apache-2.0

//! What is other than it was: answers, orders, calls. Each is compared by itself; what follows from one difference is counted with it, and
//! differences of one kind are one cause, shown by the shortest sequence of messages that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::difference::{Difference, What};
use super::expect::Expected;
use super::values::{differing, place_of_call, shown, without_fields, without_guests};
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
}

/// Collects what is found.
#[derive(Default)]
pub struct Comparison {
    equal: u64,
    differences: Vec<Difference>,
    /// The messages of each order.
    sequences: BTreeMap<String, Vec<String>>,
}

impl Comparison {
    /// A message of an order was played.
    pub fn played(&mut self, order: Option<&str>, message: &str) {
        if let Some(order) = order {
            self.sequences.entry(order.to_owned()).or_default().push(message.to_owned());
        }
    }

    /// Compares an answer with the one that was given then.
    pub fn answer(&mut self, place: &str, order: Option<String>, then: (u16, &str), now: (u16, &str)) {
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
                differing("", &before, &after, &mut changes);
            }
            _ if then.1 != now.1 => changes.push("the body".to_owned()),
            _ => {}
        }
        self.found(What::Answer, place, order, changes);
    }

    /// Compares what an order is with what it was; `now` is nothing where there is none.
    pub fn order(&mut self, then: &Outcome, now: Option<&Outcome>) {
        let name = format!("{}:{}", then.order.0, then.order.1);
        let Some(now) = now else {
            let changes = vec!["there was one -> there is none".to_owned()];
            return self.found(What::Order, "order", Some(name), changes);
        };
        for (part, before) in &then.parts {
            let after = now.parts.iter().find(|(known, _)| known == part).map(|(_, value)| value.clone());
            let mut changes = Vec::new();
            differing("", before, &after.unwrap_or_default(), &mut changes);
            self.found(What::Order, part, Some(name.clone()), changes);
        }
    }

    /// Calls that were made otherwise than then; each with its address and how.
    pub fn calls(&mut self, calls: Vec<(String, String)>) {
        for (place, change) in calls {
            self.differences.push(Difference { what: What::Call, place, change, order: None });
        }
    }

    /// Calls that were not made then.
    pub fn strangers(&mut self, strangers: BTreeMap<String, u64>) {
        for (call, times) in strangers {
            let mut words = call.split(' ');
            let place = place_of_call(words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let change = format!("not made then -> made, {}", shown(&Value::String(call)));
            for _ in 0..times {
                let difference =
                    Difference { what: What::Call, place: place.clone(), change: change.clone(), order: None };
                self.differences.push(difference);
            }
        }
    }

    fn found(&mut self, what: What, place: &str, order: Option<String>, changes: Vec<String>) {
        if changes.is_empty() {
            self.equal += 1;
            return;
        }
        let (place, change) = (place.to_owned(), changes.join("; "));
        self.differences.push(Difference { what, place, change, order });
    }

    /// What was found, in all.
    pub fn report(self, expected: &Expected, messages: u64, calls: u64, left_out: Vec<String>) -> Report {
        let Self { equal, differences, sequences } = self;
        // The first difference of an order is the cause of what is other about it afterwards.
        let mut first: BTreeMap<String, Difference> = BTreeMap::new();
        let mut causes: BTreeMap<(What, String, String), (Cause, BTreeSet<String>)> = BTreeMap::new();
        let (mut wanted, mut unexplained) = (0, 0);
        for difference in differences {
            let root = match &difference.order {
                Some(order) => first.entry(order.clone()).or_insert_with(|| difference.clone()).clone(),
                None => difference.clone(),
            };
            let is_expected = expected.covers(&root) || expected.covers(&difference);
            if is_expected {
                wanted += 1
            } else {
                unexplained += 1
            }
            let root = if is_expected || expected.covers(&root) == is_expected { root } else { difference.clone() };
            let (cause, orders) = causes.entry(root.cause()).or_insert_with(|| {
                let Difference { what, place, change, .. } = root.clone();
                let sequence = Vec::new();
                (
                    Cause { what, place, change, expected: is_expected, differences: 0, orders: 0, sequence },
                    BTreeSet::new(),
                )
            });
            cause.differences += 1;
            orders.extend(difference.order.clone());
        }
        let mut causes: Vec<Cause> = causes
            .into_values()
            .map(|(cause, orders)| {
                let of = |order: &String| sequences.get(order).cloned().unwrap_or_default();
                let sequence = orders.iter().map(of).min_by_key(Vec::len).unwrap_or_default();
                Cause { orders: orders.len() as u64, sequence, ..cause }
            })
            .collect();
        causes.sort_by_key(|cause| (cause.expected, std::cmp::Reverse(cause.differences)));
        Report { equal, expected: wanted, unexplained, causes, messages, calls, left_out }
    }
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
        write!(f, "\n{} equal, {} expected, {} unexplained", self.equal, self.expected, self.unexplained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcome(number: &str, state: &str) -> Outcome {
        Outcome { order: ("c".to_owned(), number.to_owned()), parts: vec![("state".to_owned(), json!(state))] }
    }

    #[test]
    fn what_follows_from_a_difference_is_counted_with_it() {
        let mut found = Comparison::default();
        for number in ["1", "2"] {
            let order = Some(format!("c:{number}"));
            found.played(order.as_deref(), "create-order 200");
            if number == "2" {
                found.played(order.as_deref(), "another 200");
            }
            found.answer("c/create-order", order.clone(), (200, r#"{"code":0}"#), (200, r#"{"code":5}"#));
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
        found.answer("c/create-order", Some("c:1".to_owned()), (200, r#"{"code":0}"#), (200, r#"{"code":5}"#));
        found.order(&outcome("1", "booked"), None);
        found.answer("c/other", None, (200, "{}"), (500, "{}"));
        let rules = "[[expected]]\nwhat = \"answer\"\nwhere = \"c/create-*\"\nchange = \"/code *\"\nreason = \"r\"\n";
        let report = found.report(&Expected::read(rules).expect("rules"), 2, 0, Vec::new());
        assert_eq!((report.expected, report.unexplained), (2, 1), "{report}");
        assert!(report.to_string().ends_with("0 equal, 2 expected, 1 unexplained"));
    }

    #[test]
    fn guests_and_what_is_another_one_each_time_are_no_difference() {
        let mut found = Comparison::default();
        let (then, now) = (r#"{"name":"a","logid":"1","code":0}"#, r#"{"name":"b","logid":"2","code":0}"#);
        found.answer("c/x", None, (200, then), (200, now));
        assert_eq!(found.report(&Expected::default(), 1, 0, Vec::new()).equal, 1);
    }
}
