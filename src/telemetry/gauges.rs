//! What is counted in the database whenever somebody looks.

use ticketbridge_core::effect::DeadlineKind;
use ticketbridge_store::{DeadlineState, StoreError};

use crate::http::Shared;

/// Seconds from `from` to `to`, in the form that Prometheus wants.
fn seconds(millis: ticketbridge_core::Millis) -> f64 {
    millis.0 as f64 / 1_000.0
}

/// Counts everything anew.
///
/// # Errors
/// Store errors; what was counted before stays.
pub async fn refresh(shared: &Shared) -> Result<(), StoreError> {
    let store = shared.engine.store();
    let now = shared.engine.clock().now();
    for (state, many) in store.order_counts().await? {
        let state = serde_json::to_value(state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        metrics::gauge!("ticketbridge_orders", "state" => state).set(many as f64);
    }
    for count in store.job_counts().await? {
        let state =
            serde_json::to_value(count.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let labels = [("destination", count.destination), ("state", state)];
        metrics::gauge!("ticketbridge_deliveries", &labels).set(count.many as f64);
        metrics::gauge!("ticketbridge_delivery_oldest_age_seconds", &labels).set(seconds(now - count.oldest));
    }
    for count in store.deadline_counts().await? {
        let kind = count.kind.name();
        let state =
            serde_json::to_value(count.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        metrics::gauge!("ticketbridge_deadlines", "kind" => kind, "state" => state).set(count.many as f64);
        if count.state == DeadlineState::Armed {
            let left = seconds(count.nearest - now);
            metrics::gauge!("ticketbridge_deadline_nearest_seconds", "kind" => kind).set(left);
            if count.kind == DeadlineKind::Review {
                metrics::gauge!("ticketbridge_refund_cases_waiting").set(count.many as f64);
                metrics::gauge!("ticketbridge_refund_review_nearest_seconds").set(left);
            }
        }
    }
    for backend in shared.engine.running().registry.backends() {
        if let Some(counts) = store.pool_counts(backend.id.as_str()).await? {
            metrics::gauge!("ticketbridge_code_pool_available", "pool" => backend.id.to_string())
                .set(counts.available() as f64);
        }
    }
    Ok(())
}
