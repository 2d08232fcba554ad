// SPDX-License-Identifier: Apache-2.0

//! What an order had become: all of it, its deadlines, what is to be delivered and what is settled; two runs of the same day are compared by
//! it. What is left out stands in [`LEFT_OUT`], each with its reason. Whatever an order is given tomorrow is compared too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use ticketbridge_core::OrderId;
use ticketbridge_core::order::{Booking, Order};
use ticketbridge_store::{DeadlineRow, Job, JobFilter, JobState, PageRequest, StatementLine, Store, StoreError};

/// In which form an outcome is written down; one of another form cannot be compared.
pub const FORM: u32 = 1;
/// Deliveries of one order that are looked at.
const DELIVERIES_MAX: u32 = 500;
/// Events of one order that are looked at.
const EVENTS_MAX: u32 = 5_000;

/// What of an order is not compared, and why. A field by its name, with the names of those that it stands in as far as they matter.
pub const LEFT_OUT: [(&str, &str); 18] = [
    ("rules", "the configuration, which is what is tried: what comes of it is compared"),
    ("version", "how often it changed: its events are counted by their names"),
    ("updated_at", "when it changed last: whatever is done last, also what is told to nobody"),
    ("tickets/code", "a code may be a guest's document: the codes stand by themselves, with stand-ins"),
    ("other_tickets/code", "the same"),
    ("replaced/code", "the same"),
    ("tickets/name", "a partner's words, which may name a guest"),
    ("other_tickets/name", "the same"),
    ("replaced/name", "the same"),
    ("sentence", "words for people, which may quote a guest: what the flag is of is compared"),
    ("reason", "somebody's words, which may name a guest: what was decided is compared"),
    ("hold/cancel_reason", "the same"),
    ("why", "the same"),
    ("note", "the same"),
    ("notes", "the same"),
    ("notify_text", "the same"),
    ("text", "the same"),
    ("told/message", "a digest of what was sent, with guests in it"),
];
/// Fields that hold somebody's data: that there is some is compared, and not what it is.
const PEOPLE: [&str; 3] = ["buyer", "contact", "visitors"];
/// In which part of an outcome the fields of an order stand. All others are in the part `order`.
const PARTS: [(&str, &[&str]); 6] = [
    ("state", &["state", "cancel_reason"]),
    ("money", &["money"]),
    ("bookings", &["past_bookings", "booking"]),
    ("refunds", &["past_refund_cases", "refund_case"]),
    ("attention", &["attention"]),
    ("channel", &["mirror"]),
];

/// An order, part by part; each part is compared by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The channel's name and its number for the order.
    pub order: (String, String),
    /// The parts, by name.
    pub parts: Vec<(String, Value)>,
}

/// What an order amounts to now.
///
/// # Errors
/// Store errors.
pub async fn outcome(store: &Store, order: &Order) -> Result<Outcome, StoreError> {
    let mut parts = parts_of(order);
    let deadlines = store.deadlines_of(&order.id).await?;
    let settled = store.settlement_of(&order.id).await?;
    let jobs = jobs(store, &order.id).await?;
    parts.extend([
        ("deadlines".to_owned(), deadlines.iter().map(deadline).collect()),
        ("deliveries".to_owned(), ended(&jobs)),
        ("waiting".to_owned(), waiting(&jobs)),
        ("settlement".to_owned(), settled.iter().map(|(unit, line)| settlement(unit, line)).collect()),
        ("history".to_owned(), history(store, &order.id).await?),
    ]);
    Ok(Outcome { order: (order.channel.to_string(), order.channel_order_id.to_string()), parts })
}

/// The order itself, part by part.
fn parts_of(order: &Order) -> Vec<(String, Value)> {
    // Guests' data is masked in it.
    let whole = serde_json::to_value(order).unwrap_or_default();
    let mut fields = match compared(&[], whole) {
        Some(Value::Object(fields)) => fields,
        Some(_) | None => Map::new(),
    };
    let mut parts: Vec<(String, Value)> = PARTS
        .iter()
        .map(|(part, names)| {
            let of = |name: &&str| Some(((*name).to_owned(), fields.remove(*name)?));
            ((*part).to_owned(), Value::Object(names.iter().filter_map(of).collect()))
        })
        .collect();
    let codes = |booking: &Booking| {
        let mut codes: Vec<&str> = booking.ticketing.may_admit().map(|ticket| ticket.code.reveal()).collect();
        codes.sort_unstable();
        json!(codes)
    };
    parts.push(("codes".to_owned(), order.past_bookings.iter().chain(&order.booking).map(codes).collect()));
    let money = &order.money;
    let sums = json!({ "state": order.payment(), "received": money.received(), "refunded": money.refunded() });
    parts.push(("payment".to_owned(), sums));
    parts.push(("order".to_owned(), Value::Object(fields)));
    parts
}

/// What of a value is compared; `path` are the names of the fields that it stands in.
fn compared(path: &[&str], value: Value) -> Option<Value> {
    let is_left_out = |(name, _): &(&str, &str)| {
        let names: Vec<&str> = name.split('/').collect();
        path.ends_with(&names)
    };
    if LEFT_OUT.iter().any(is_left_out) {
        return None;
    }
    if path.last().is_some_and(|name| PEOPLE.contains(name)) {
        return Some(known_of(value));
    }
    Some(match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter_map(|(name, value)| {
                let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
                let value = compared(&path, value)?;
                Some((name, value))
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.into_iter().filter_map(|item| compared(path, item)).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    })
}

/// That something is known of somebody, and not what.
fn known_of(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, known_of(value))).collect(),
        Value::Array(items) => items.into_iter().map(known_of).collect(),
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::Bool(true),
    }
}

fn deadline(row: &DeadlineRow) -> Value {
    // What comes next of it follows from these.
    let DeadlineRow { order: _, kind, state, due_at, next_at: _, warn_at, warned_at, passed_at } = row;
    json!({ "kind": kind, "state": state, "due_at": due_at, "warn_at": warn_at, "warned_at": warned_at,
        "passed_at": passed_at })
}

/// What is settled of it, and under which unit.
fn settlement(unit: &str, line: &StatementLine) -> Value {
    // The version of the order with which a line came about is told by its time.
    let StatementLine { order: _, version: _, kind, channel, currency, amount, at } = line;
    json!([unit, kind, amount, currency, channel, at])
}

/// Its deliveries, the looks left out: one is made as often as it takes.
async fn jobs(store: &Store, order: &OrderId) -> Result<Vec<Job>, StoreError> {
    let filter = JobFilter { order: Some(order.clone()), ..JobFilter::default() };
    let page = PageRequest { limit: DELIVERIES_MAX, cursor: None };
    let mut jobs = store.list_jobs(&filter, &page).await?.items;
    jobs.retain(|job| job.call != "query");
    Ok(jobs)
}

/// How many deliveries of each call ended how.
fn ended(jobs: &[Job]) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for Job { destination, call, state, .. } in jobs {
        *counts.entry(format!("{destination}: {call} {state:?}")).or_default() += 1;
    }
    json!(counts)
}

/// What is still to be delivered, and when.
fn waiting(jobs: &[Job]) -> Value {
    let waits = |job: &&Job| job.state == JobState::Pending;
    let mut waiting: Vec<_> =
        jobs.iter().filter(waits).map(|job| (&job.destination, &job.call, job.due_at, job.attempts)).collect();
    waiting.sort_unstable();
    json!(waiting)
}

/// The names of its events. Which of two came first may be a matter of a millisecond, so they are counted.
async fn history(store: &Store, order: &OrderId) -> Result<Value, StoreError> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for event in store.events(order, 0, EVENTS_MAX).await? {
        *counts.entry(event.kind).or_default() += 1;
    }
    Ok(json!(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_nobody_has_named_is_compared_and_one_that_is_left_out_is_not() {
        let told = json!({
            "rules": { "price": 1 }, "version": 7, "of_tomorrow": { "due_at": 5 },
            "buyer": { "name": "W**", "phone": null, "document": { "kind": "passport", "number": "E123" } },
            "booking": { "valid_until": "2026-12-01", "ticketing": { "reason": "x", "tickets": [{ "code": "C", "id": "t" }] } },
        });
        let kept = json!({
            "of_tomorrow": { "due_at": 5 },
            "buyer": { "name": true, "phone": null, "document": { "kind": true, "number": true } },
            "booking": { "valid_until": "2026-12-01", "ticketing": { "tickets": [{ "id": "t" }] } },
        });
        assert_eq!(compared(&[], told), Some(kept));
    }

    #[test]
    fn whatever_is_left_out_has_its_reason_and_stands_there_once() {
        for (index, (name, why)) in LEFT_OUT.iter().enumerate() {
            assert!(!why.is_empty(), "{name}");
            assert!(LEFT_OUT[..index].iter().all(|(other, _)| other != name), "{name}");
        }
    }
}
