//! What others reach us by: channels' webhooks, back-ends' events, the ops interface, and the pages around them.

pub mod backend_events;
pub mod caller;
pub mod door;
pub mod health;
pub mod hints;
mod incoming_body;
mod nesting;
pub mod ops;
pub mod problem;
pub mod rate;
pub mod request_id;
pub mod seats;
pub mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::http::rate::Callers;
use crate::worker::Worker;

/// What every handler shares. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    /// The engine.
    pub engine: Engine,
    /// The worker: its lanes and tokens, and the way out.
    pub worker: Worker,
    /// Cancelled when the service begins to stop: nothing new is taken then.
    pub stopping: CancellationToken,
    /// Who calls how often.
    pub callers: Arc<Callers>,
    /// The rendered metrics.
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
    /// Where records of inbound calls go; written in batches, off the way to the answer.
    pub call_log: crate::call_log::CallLog,
    /// What the last comparison of books found.
    pub reconciliation: crate::reconcile::LastReport,
    /// Where secrets are looked up on a reload.
    pub environment: crate::config::Environment,
}

/// All routes.
pub fn router(shared: Shared) -> Router {
    Router::new()
        .route("/channels/{channel}/{call}", any(webhook::receive))
        .route("/backends/{backend}/events", post(backend_events::receive))
        .route("/backends/{backend}/hints/{secret}", post(hints::receive))
        .merge(ops::routes())
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        // Bodies are read by hand, up to a limit of our own.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(shared.clone(), request_id::carry))
        .with_state(shared)
}
