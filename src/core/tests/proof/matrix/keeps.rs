// SPDX-License-Identifier: Apache-2.0

//! What an order keeps in each state of the tables. Their lines say where it stands; here is all that it remembers of how it came there, each
//! state beside the earlier one that it is most like.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use ticketbridge_core::Order;

use super::{State, life, refunds, reserved, states, tickets};
use crate::support::{DIRECT, VOUCHER};

/// What an order keeps, by its path.
type Kept = BTreeMap<String, String>;

/// Everything below a value, by its path; what is not there is left out.
fn flat(path: &str, value: &Value, into: &mut Kept) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| flat(&format!("{path}[{index}]"), item, into));
        }
        Value::Object(fields) => {
            let dot = if path.is_empty() { "" } else { "." };
            fields.iter().for_each(|(name, value)| flat(&format!("{path}{dot}{name}"), value, into));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => drop(into.insert(path.to_owned(), value.to_string())),
    }
}

/// What it keeps, but for the rules that it was sold under: they never change.
fn kept(order: &Order) -> Kept {
    let mut document = serde_json::to_value(order).expect("an order can be written");
    document.as_object_mut().expect("an order is an object").remove("rules");
    let mut kept = BTreeMap::new();
    flat("", &document, &mut kept);
    kept
}

/// What is there beside the other: `+` what is new or otherwise, `-` what is gone.
fn beside(this: &Kept, other: &Kept) -> Vec<String> {
    let gone = other.keys().filter(|path| !this.contains_key(*path)).map(|path| format!("- {path}"));
    let new = this.iter().filter(|(path, value)| other.get(*path) != Some(value));
    gone.chain(new.map(|(path, value)| format!("+ {path}: {value}"))).collect()
}

fn all<'s>(orders: impl IntoIterator<Item = (&'s str, &'s Order)>) -> String {
    let mut text = String::new();
    let mut before: Vec<(&str, Kept)> = Vec::new();
    for (name, order) in orders {
        let kept = kept(order);
        let likest =
            before.iter().map(|(other, known)| (beside(&kept, known), *other)).min_by_key(|(lines, _)| lines.len());
        let (lines, like) = likest.unwrap_or_else(|| (beside(&kept, &BTreeMap::new()), "nothing"));
        let _ = writeln!(text, "## {name}, beside {like}");
        for line in lines {
            let _ = writeln!(text, "    {line}");
        }
        before.push((name, kept));
    }
    text
}

fn of(states: &[State]) -> String {
    all(states.iter().map(|(name, story)| (*name, story.order())))
}

fn of_places(places: &[states::Place]) -> String {
    all(places.iter().map(|(name, tale)| (*name, tale.order())))
}

#[test]
fn what_a_voucher_keeps() {
    insta::assert_snapshot!("keeps_voucher", of(&life(VOUCHER)));
    insta::assert_snapshot!("keeps_direct", of(&life(DIRECT)));
}

#[test]
fn what_tickets_and_refunds_leave_behind() {
    insta::assert_snapshot!("keeps_tickets", of(&tickets()));
    insta::assert_snapshot!("keeps_refunds", of(&refunds()));
}

#[test]
fn what_a_reservation_keeps() {
    insta::assert_snapshot!("keeps_reserved", of(&reserved::states()));
}

#[test]
fn what_an_order_keeps_that_is_told_whole() {
    for (name, places) in [
        ("decisions", states::decisions()),
        ("visits", states::visits()),
        ("endings", states::endings()),
        ("money", states::money()),
        ("packages", states::packages()),
        ("uncounted", states::uncounted()),
    ] {
        insta::assert_snapshot!(format!("keeps_{name}"), of_places(&places));
    }
}
