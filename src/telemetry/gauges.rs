// SPDX-License-Identifier: Apache-2.0

//! What is counted in the database whenever somebody looks.
//!
//! A gauge keeps its last value until it is told another one, and what is no longer there is in no row that was counted: everything
//! that can be told apart is written each time, with nothing as 0.

use std::collections::BTreeMap;

use ticketbridge_core::Millis;
use ticketbridge_core::message::{DeadlineKind, Destination};
use ticketbridge_core::order::OrderState;
use ticketbridge_store::{DeadlineState, JobState, StoreError};

use crate::http::Shared;
use crate::http::ops::words::ATTENTION_KINDS;
use crate::telemetry::labels::word;

const ORDER_STATES: [OrderState; 5] =
    [OrderState::Placed, OrderState::AwaitingBooking, OrderState::Booked, OrderState::Completed, OrderState::Cancelled];

/// Seconds, as Prometheus wants them.
fn seconds(millis: Millis) -> f64 {
    millis.0 as f64 / 1_000.0
}

/// Counts everything anew.
///
/// # Errors
/// Store errors; what was counted before stays.
pub async fn refresh(shared: &Shared) -> Result<(), StoreError> {
    begin_at_nothing(shared);
    orders(shared).await?;
    deliveries(shared).await?;
    deadlines(shared).await?;
    attention(shared).await?;
    super::backends::refresh(shared).await?;
    partners(shared).await?;
    let store = shared.engine.store();
    for backend in shared.engine.running().registry.backends() {
        // A pool says of itself when it is low; one that nobody has filled is as empty as one that ran out.
        let Some(low_water) = backend.backend.spec().capabilities.get("low_water").and_then(serde_json::Value::as_u64)
        else {
            continue;
        };
        let counts = store.pool_counts(backend.id.as_str()).await?.unwrap_or_default();
        let pool = backend.id.to_string();
        metrics::gauge!("ticketbridge_code_pool_available", "pool" => pool.clone()).set(counts.available() as f64);
        metrics::gauge!("ticketbridge_code_pool_low_water", "pool" => pool).set(low_water as f64);
    }
    Ok(())
}

/// A counter that begins with its first event shows no increase, and an alarm on one stays silent: those that alarms look at begin at 0.
fn begin_at_nothing(shared: &Shared) {
    for kind in DeadlineKind::ALL {
        metrics::counter!("ticketbridge_deadlines_passed_total", "kind" => kind.name()).increment(0);
    }
    for channel in shared.engine.running().registry.channels() {
        for name in ["ticketbridge_unrouted_messages_total", "ticketbridge_unsold_messages_total"] {
            metrics::counter!(name, "channel" => channel.id.to_string()).increment(0);
        }
    }
    metrics::counter!("ticketbridge_call_records_lost_total").increment(0);
}

/// Who is held back, by a person or because a key was refused.
async fn partners(shared: &Shared) -> Result<(), StoreError> {
    let paused = shared.engine.store().paused().await?;
    for destination in destinations(shared) {
        let is_paused = paused.contains(&destination);
        metrics::gauge!("ticketbridge_partner_paused", "destination" => destination)
            .set(f64::from(u8::from(is_paused)));
    }
    Ok(())
}

/// Every partner that deliveries go to.
fn destinations(shared: &Shared) -> Vec<String> {
    let running = shared.engine.running();
    let channels = running.registry.channels().map(|channel| Destination::Channel(channel.id.clone()).to_string());
    let backends = running.registry.backends().map(|backend| Destination::Backend(backend.id.clone()).to_string());
    channels.chain(backends).collect()
}

async fn orders(shared: &Shared) -> Result<(), StoreError> {
    let mut counts: BTreeMap<String, u64> = ORDER_STATES.into_iter().map(|state| (word(state), 0)).collect();
    counts.extend(shared.engine.store().order_counts().await?.into_iter().map(|(state, many)| (word(state), many)));
    for (state, many) in counts {
        metrics::gauge!("ticketbridge_orders", "state" => state).set(many as f64);
    }
    Ok(())
}

async fn attention(shared: &Shared) -> Result<(), StoreError> {
    let mut counts: BTreeMap<String, u64> = ATTENTION_KINDS.iter().map(|kind| ((*kind).to_owned(), 0)).collect();
    let counted = shared.engine.store().attention_counts().await?;
    counts.extend(counted.into_iter().map(|(kind, many)| (word(kind), many)));
    for (kind, many) in counts {
        metrics::gauge!("ticketbridge_orders_attention", "kind" => kind).set(many as f64);
    }
    Ok(())
}

async fn deliveries(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.engine.clock().now();
    let mut counts = BTreeMap::new();
    for destination in destinations(shared) {
        for state in [JobState::Pending, JobState::Dead] {
            counts.insert((destination.clone(), word(state)), (0, Millis(0)));
        }
    }
    for count in shared.engine.store().job_counts().await? {
        counts.insert((count.destination, word(count.state)), (count.many, now - count.oldest));
    }
    for ((destination, state), (many, age)) in counts {
        let labels = [("destination", destination), ("state", state)];
        metrics::gauge!("ticketbridge_deliveries", &labels).set(many as f64);
        metrics::gauge!("ticketbridge_delivery_oldest_age_seconds", &labels).set(seconds(age));
    }
    Ok(())
}

async fn deadlines(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.engine.clock().now();
    let counted = shared.engine.store().deadline_counts().await?;
    for kind in DeadlineKind::ALL {
        let find = |state| counted.iter().find(|count| (count.kind, count.state) == (kind, state));
        for state in [DeadlineState::Armed, DeadlineState::Passed] {
            let many = find(state).map_or(0, |count| count.many);
            metrics::gauge!("ticketbridge_deadlines", "kind" => kind.name(), "state" => word(state)).set(many as f64);
        }
        let armed = find(DeadlineState::Armed);
        // Nothing is no number of seconds away; an alarm on "less than" stays silent.
        let left = armed.and_then(|count| count.nearest).map_or(f64::NAN, |nearest| seconds(nearest - now));
        metrics::gauge!("ticketbridge_deadline_nearest_seconds", "kind" => kind.name()).set(left);
        if kind == DeadlineKind::Review {
            metrics::gauge!("ticketbridge_refund_cases_waiting").set(armed.map_or(0, |count| count.many) as f64);
            metrics::gauge!("ticketbridge_refund_review_nearest_seconds").set(left);
        }
    }
    Ok(())
}
