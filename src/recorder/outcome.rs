// SPDX-License-Identifier: Apache-2.0

//! What an order had become: everything by which two runs of the same day are compared, and nothing that a clock or a dice may change.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ticketbridge_core::OrderId;
use ticketbridge_core::order::{Booking, Order};
use ticketbridge_store::{JobFilter, JobState, PageRequest, Store, StoreError};

/// Deliveries of one order that are looked at.
const DELIVERIES_MAX: u32 = 500;
/// Events of one order that are looked at.
const EVENTS_MAX: u32 = 5_000;

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
    let deadlines: Vec<Value> = store
        .deadlines_of(&order.id)
        .await?
        .iter()
        .map(|row| json!({ "kind": row.kind, "state": row.state }))
        .collect();
    let parts = vec![
        ("state".to_owned(), json!([order.state, order.cancel_reason])),
        ("money".to_owned(), money(order)),
        ("bookings".to_owned(), order.past_bookings.iter().chain(&order.booking).map(booking).collect()),
        ("refunds".to_owned(), refunds(order)),
        ("attention".to_owned(), order.attention.iter().map(|flag| json!(flag.kind)).collect()),
        ("deadlines".to_owned(), Value::Array(deadlines)),
        ("deliveries".to_owned(), deliveries(store, &order.id).await?),
        ("settlement".to_owned(), settlement(store, &order.id).await?),
        ("history".to_owned(), history(store, &order.id).await?),
    ];
    Ok(Outcome { order: (order.channel.to_string(), order.channel_order_id.to_string()), parts })
}

fn money(order: &Order) -> Value {
    let money = &order.money;
    json!({ "state": order.payment(), "due": money.due, "received": money.received(), "refunded": money.refunded() })
}

/// What is settled of it, and under which unit.
async fn settlement(store: &Store, order: &OrderId) -> Result<Value, StoreError> {
    let lines = store.settlement_of(order).await?;
    Ok(lines.iter().map(|(unit, line)| json!([unit, line.kind, line.amount])).collect())
}

fn booking(booking: &Booking) -> Value {
    let ticketing = &booking.ticketing;
    let mut codes: Vec<&str> = ticketing.tickets.iter().map(|ticket| ticket.code.reveal()).collect();
    codes.sort_unstable();
    json!({ "state": booking.state, "visit_date": booking.visit_date, "visitors": booking.visitors.len(),
        "tickets": ticketing.state, "overdue": ticketing.overdue, "codes": codes, "handover": ticketing.handover })
}

fn refunds(order: &Order) -> Value {
    let cases = order.past_refund_cases.iter().chain(&order.refund_case);
    cases
        .map(|case| json!({ "state": case.state, "kind": case.kind, "fee": case.fee, "settled": case.settled_amount }))
        .collect()
}

/// How many deliveries of each call ended how.
async fn deliveries(store: &Store, order: &OrderId) -> Result<Value, StoreError> {
    let mut counts: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for state in [JobState::Pending, JobState::Delivered, JobState::Dead, JobState::Dropped] {
        let filter = JobFilter { state: Some(state), order: Some(order.clone()), ..JobFilter::default() };
        let page = PageRequest { limit: DELIVERIES_MAX, cursor: None };
        for job in store.list_jobs(&filter, &page).await?.items {
            // A look is made as often as it takes.
            if job.call != "query" {
                *counts.entry(format!("{}: {} {state:?}", job.destination, job.call)).or_default() += 1;
            }
        }
    }
    Ok(json!(counts))
}

/// The names of its events. Which of two came first may be a matter of a millisecond, so they are counted.
async fn history(store: &Store, order: &OrderId) -> Result<Value, StoreError> {
    let mut counts: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for event in store.events(order, 0, EVENTS_MAX).await? {
        *counts.entry(event.kind).or_default() += 1;
    }
    Ok(json!(counts))
}
