// SPDX-License-Identifier: Apache-2.0

//! What every handler shares.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use http::HeaderMap;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::accounts::doors::Doors;
use crate::accounts::signing_in::Accounts;
use crate::config::Environment;
use crate::engine::Engine;
use crate::housekeeping::reconcile::LastReport;
use crate::http::call_log::CallLog;
use crate::http::caller::{self, Caller};
use crate::http::ops::LastLook;
use crate::http::rate::{Arrival, Callers, Suspicion};
use crate::http::works::Works;
use crate::recorder::Recorder;
use crate::service::live::Running;
use crate::worker::Worker;

/// The questions after the service's health. A database that hangs is not asked again and again: one question waits for it, and whoever
/// comes meanwhile is told that.
#[derive(Clone, Default)]
pub struct Health {
    pub(super) ready: Arc<Mutex<()>>,
    pub(super) counts: Arc<Mutex<()>>,
    /// Whether counting took long the last time.
    pub(super) counts_slowly: Arc<AtomicBool>,
}

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
    pub call_log: CallLog,
    /// Where requests and calls are handed that are to be played again.
    pub recorder: Recorder,
    /// What the last comparison of books found.
    pub reconciliation: LastReport,
    /// Where secrets are looked up on a reload.
    pub environment: Environment,
    /// What is done for requests, in tasks of their own.
    pub works: Works,
    /// The name of this process among those on the same database.
    pub instance: String,
    /// The last look at what changed, for all who look on.
    pub looks: Arc<LastLook>,
    /// The questions after the service's health: one at a time.
    pub health: Health,
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
