// SPDX-License-Identifier: Apache-2.0

//! What others reach us by: channels' webhooks, back-ends' events, the ops interface, and the pages around them.

pub mod acceptor;
pub mod backend_events;
mod belief;
pub mod call_log;
pub mod caller;
pub mod connection_limits;
mod faces;
pub mod health;
pub mod hints;
pub(crate) mod incoming_body;
mod nesting;
pub mod ops;
pub mod problem;
pub mod rate;
pub mod request_id;
pub mod schemas;
mod shared;
pub mod unknown_calls;
pub mod webhook;
pub mod works;

pub use shared::{Health, Shared};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};

/// All routes of the service's own address.
pub fn router(shared: Shared) -> Router {
    let routes = Router::new()
        .route("/channels/{channel}/{*call}", any(webhook::receive))
        .route("/backends/{backend}/{*call}", any(unknown_calls::of_backend))
        .route("/backends/{backend}/events", post(backend_events::receive))
        .route("/backends/{backend}/hints/{secret}", post(hints::receive))
        .merge(faces::routes())
        .merge(ops::routes())
        .merge(crate::console::routes())
        .route("/schemas", get(schemas::list))
        .route("/schemas/{*name}", get(schemas::show))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz));
    let routes = match shared.engine.running().config.metrics.listen {
        None => routes.route("/metrics", get(health::metrics)),
        // They have an address of their own.
        Some(_) => routes,
    };
    finish(routes, shared)
}

/// What is served at `[metrics] listen`.
pub fn metrics_router(shared: Shared) -> Router {
    let routes = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics));
    finish(routes, shared)
}

fn finish(routes: Router<Shared>, shared: Shared) -> Router {
    routes
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        // Bodies are read by hand, up to a limit of our own.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(shared.clone(), request_id::carry))
        .with_state(shared)
}
