// SPDX-License-Identifier: Apache-2.0

//! The bridge of a simulation: the real router, engine and workers over a real SQLite file, a clock and identifiers that follow from
//! the seed, and partners that do as they are told.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Method, Request};
use serde_json::{Value, json};
use tempfile::TempDir;
use ticketbridge::accounts::signing_in::Accounts;
use ticketbridge::app;
use ticketbridge::clock::{Clock as _, TestClock, TestIds};
use ticketbridge::config::{Config, Environment};
use ticketbridge::engine::Engine;
use ticketbridge::housekeeping::reconcile::LastReport;
use ticketbridge::http::Health;
use ticketbridge::http::call_log::CallLog;
use ticketbridge::http::works::{Pace, WORKS_MAX, Works};
use ticketbridge::http::{Shared, rate::Callers, router};
use ticketbridge::recorder::Recorder;
use ticketbridge::service::live::Live;
use ticketbridge::worker::Worker;
use ticketbridge_adapters::standard_webhooks::Secrets;
use ticketbridge_core::order::Order;
use ticketbridge_core::{ChannelId, ExternalId, Millis, UnixMillis};
use ticketbridge_store::{CommitFaults, Durability, Store, StoreOptions};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::partners::Partners;

/// 2026-11-21T10:00:00+08:00: when every world begins.
const START: UnixMillis = UnixMillis(1_795_226_400_000);
/// The client secret of the Douyin app.
pub(crate) const CLIENT_SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The secret of the events of platforms that tell whole orders.
pub(crate) const EVENTS_SECRET: &str = "whsec_ZXZlbnRzLWluLXNpbXVsYXRpb25zLG9ubHk=";
/// The secret of calls to them.
const CALLS_SECRET: &str = "whsec_Y2FsbHMtaW4tc2ltdWxhdGlvbnMtb25seSE=";
const GATE_SECRET: &str = "whsec_dGVzdHMgc2hhcmUgdGhpcyB3aXRoIHRoZSBnYXRl";
const SERVICE: &str = r#"
[server]
listen = "127.0.0.1:0"
public_url = "http://127.0.0.1:8080"
rate_per_caller = 1000000
[database]
url = "sqlite://unused.db"
[privacy]
key = { env = "DATA_KEY" }
[ops]
tokens = [{ name = "ada", role = "admin", token = { env = "ADMIN_TOKEN" } }]
[delivery]
attempts = 6
backoff = { first = "1s", factor = 2.0, max = "1m", jitter = 0.2 }
"#;

const GATE: &str = "id = \"gate\"\nadapter = \"ticketing_http\"\n[settings]\nbase_url = \"https://tickets.example/bridge\"\n\
                    secret = { env = \"GATE_SECRET\" }\ntimeout = \"5s\"\n";

/// What lives as long as the process of the bridge does.
struct Process {
    engine: Engine,
    workers: [Worker; 2],
    router: Router,
}

/// A bridge and its surroundings.
pub(crate) struct World {
    directory: TempDir,
    process: Option<Process>,
    pub(crate) clock: TestClock,
    pub(crate) partners: Arc<Partners>,
    pub(crate) commit_faults: CommitFaults,
    starts: u64,
    gate_secrets: Secrets,
}

impl World {
    /// A new world with an empty database, and these files beside the service's own and the gate's.
    pub(crate) async fn new(files: &[(&str, String)]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            let path = directory.path().join("config").join(name);
            std::fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        };
        write("ticketbridge.toml", SERVICE);
        write("backends/gate.toml", GATE);
        for (name, text) in files {
            write(name, text);
        }
        let clock = TestClock::at(START);
        let mut world = Self {
            directory,
            process: None,
            partners: Arc::new(Partners::new(clock.clone())),
            clock,
            commit_faults: CommitFaults::default(),
            starts: 0,
            gate_secrets: Secrets::parse([GATE_SECRET]).expect("a secret"),
        };
        world.start().await;
        world
    }

    async fn start(&mut self) {
        self.starts += 1;
        let environment = Environment::only([
            ("DATA_KEY", "VGhpcyBpcyBhIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU="),
            ("DOUYIN_SECRET", CLIENT_SECRET),
            ("EVENTS_SECRET", EVENTS_SECRET),
            ("CALLS_SECRET", CALLS_SECRET),
            ("GATE_SECRET", GATE_SECRET),
            ("ADMIN_TOKEN", "an-admin-token-for-simulations"),
        ]);
        let config = Config::load(&self.directory.path().join("config"), &environment)
            .unwrap_or_else(|report| panic!("the configuration of a simulation: {report}"));
        let mut options = StoreOptions::new(app::sealer(&config));
        options.durability = Durability::ProcessEnd;
        options.commit_faults = Some(self.commit_faults.clone());
        options.connections_max = 2;
        let url = format!("sqlite://{}/bridge.db", path_text(self.directory.path()));
        let store = Store::connect(&url, options).await.expect("a database");
        store.migrate().await.expect("a schema");
        let ids = Arc::new(TestIds::starting_at(self.starts));
        let live = Arc::new(Live::new(config, self.clock.now()).expect("partners that can be built"));
        let engine = Engine::new(store, Arc::new(self.clock.clone()), ids, live);
        let workers = [(); 2].map(|()| Worker::new(engine.clone(), self.partners.clone()));
        let (call_log, _nobody_reads) = CallLog::new();
        let (recorder, _nothing_recorded) = Recorder::new(Arc::new(|| false));
        let router = router(Shared {
            accounts: Accounts::new(engine.clone()),
            doors: Arc::default(),
            engine: engine.clone(),
            worker: workers[0].clone(),
            stopping: CancellationToken::new(),
            callers: Arc::new(Callers::default()),
            metrics: ticketbridge::telemetry::metrics(),
            call_log,
            recorder,
            reconciliation: LastReport::default(),
            environment,
            works: Works::new(WORKS_MAX, Pace::Unhurried),
            looks: Arc::default(),
            health: Health::default(),
            instance: "simulated".to_owned(),
        });
        self.process = Some(Process { engine, workers, router });
    }

    /// The process ends, at once, and another begins on the same files.
    pub(crate) async fn restart(&mut self) {
        let process = self.process.take().expect("it runs");
        let store = process.engine.store().clone();
        drop(process);
        store.close().await.expect("a database that closes");
        self.start().await;
    }

    /// Ends the world; its files are removed.
    pub(crate) async fn end(mut self) {
        let process = self.process.take().expect("it runs");
        process.engine.store().close().await.expect("a database that closes");
        // Nobody reads the metrics here, and what is never read is kept.
        ticketbridge::telemetry::metrics().run_upkeep();
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }
    pub(crate) fn engine(&self) -> &Engine {
        &self.process().engine
    }
    pub(crate) fn store(&self) -> &Store {
        self.engine().store()
    }
    pub(crate) fn worker(&self, instance: usize) -> &Worker {
        &self.process().workers[instance % 2]
    }
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }
    pub(crate) fn advance(&self, length: Millis) {
        self.clock.advance(length);
    }

    /// An order of a channel's by the channel's number for it.
    pub(crate) async fn order_of(&self, channel: &str, number: &str) -> Option<Order> {
        let engine = self.engine();
        let channel = engine.running().registry.channel(&ChannelId::from(channel)).expect("the channel is configured");
        engine.order_about(&channel, &ExternalId::from(number)).await.expect("a database that answers")
    }

    /// A signed event of the gate's.
    pub(crate) fn event(&self, id: &str, body: &Value) -> impl Future<Output = (u16, Value)> + use<> {
        self.signed_event("/backends/gate/events", &self.gate_secrets, id, body)
    }

    /// An event that is signed as Standard Webhooks are.
    pub(crate) fn signed_event(
        &self,
        path: &str,
        secrets: &Secrets,
        id: &str,
        body: &Value,
    ) -> impl Future<Output = (u16, Value)> + use<> {
        let body = body.to_string();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body.clone()))
            .expect("a request");
        secrets.sign_into(request.headers_mut(), id, self.now(), body.as_bytes()).expect("an id fit for a header");
        self.ask(request)
    }

    pub(crate) fn ask(&self, mut request: Request<Body>) -> impl Future<Output = (u16, Value)> + use<> {
        let peer: SocketAddr = ([203, 0, 113, 9], 4711).into();
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = self.process().router.clone();
        async move {
            let response = router.oneshot(request).await.expect("a router does not fail");
            let status = response.status().as_u16();
            let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
            (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))))
        }
    }
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}
