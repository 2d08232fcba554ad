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
pub mod unknown_calls;
pub mod webhook;
pub mod works;

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use http::HeaderMap;
use tokio_util::sync::CancellationToken;

use crate::accounts::doors::Doors;
use crate::accounts::signing_in::Accounts;
use crate::engine::Engine;
use crate::http::caller::Caller;
use crate::http::rate::{Arrival, Callers, Suspicion};
use crate::http::works::Works;
use crate::service::live::Running;
use crate::worker::Worker;

/// What every handler shares. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    /// The engine.
    pub engine: Engine,
    /// People who sign in.
    pub accounts: Accounts,
    /// From where partners may call.
    pub doors: Arc<ArcSwap<Doors>>,
    /// The worker: its lanes and tokens, and the way out.
    pub worker: Worker,
    /// Cancelled when the service begins to stop: nothing new is taken then.
    pub stopping: CancellationToken,
    /// Who calls how often.
    pub callers: Arc<Callers>,
    /// The rendered metrics.
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
    /// Where records of inbound calls go; written in batches, off the way to the answer.
    pub call_log: crate::http::call_log::CallLog,
    /// Where requests and calls are handed that are to be played again.
    pub recorder: crate::recorder::Recorder,
    /// What the last comparison of books found.
    pub reconciliation: crate::housekeeping::reconcile::LastReport,
    /// Where secrets are looked up on a reload.
    pub environment: crate::config::Environment,
    /// What is done for requests, in tasks of their own.
    pub works: Works,
    /// The name of this process among those on the same database.
    pub instance: String,
    /// The last look at what changed, for all who look on.
    pub looks: Arc<ops::stream::LastLook>,
    /// The questions after the service's health: one at a time.
    pub health: health::Health,
}

impl Shared {
    /// Who calls. Now and then the log names a proxy that the configuration does not.
    pub(crate) fn caller(&self, peer: SocketAddr, headers: &HeaderMap, running: &Running) -> Caller {
        let server = &running.config.server;
        let peer_ip = peer.ip().to_canonical();
        let arrival = Arrival {
            peer: peer_ip,
            is_trusted: server.trusted_proxies.iter().any(|network| network.contains(&peer_ip)),
            is_forwarded: headers.contains_key("forwarded") || headers.contains_key("x-forwarded-for"),
            is_https: server.public_url.starts_with("https://"),
        };
        let says = match self.callers.came_from(&arrival, self.engine.clock().monotonic()) {
            None => "",
            Some(Suspicion::SaysSo) => "it says that it passes requests on",
            Some(Suspicion::OneAddress) => "all requests come from it, although partners come over https",
        };
        if !says.is_empty() {
            tracing::warn!(address = %peer_ip,
                "this looks like a proxy ({says}), and [server] trusted_proxies does not name it: all callers behind it are one address to \
                 this service, and allow_from cannot tell them apart");
        }
        caller::identify(peer, headers, &server.trusted_proxies)
    }
}

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
