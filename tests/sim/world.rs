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
use ticketbridge::app;
use ticketbridge::clock::{Clock as _, TestClock, TestIds};
use ticketbridge::config::{Config, Environment};
use ticketbridge::engine::Engine;
use ticketbridge::housekeeping::reconcile::LastReport;
use ticketbridge::http::call_log::CallLog;
use ticketbridge::http::health::Health;
use ticketbridge::http::works::{Pace, WORKS_MAX, Works};
use ticketbridge::http::{Shared, rate::Callers, router};
use ticketbridge::service::live::Live;
use ticketbridge::worker::Worker;
use ticketbridge_adapters::douyin::sign::sign;
use ticketbridge_adapters::standard_webhooks::Secrets;
use ticketbridge_core::order::{Order, TicketKind};
use ticketbridge_core::{ChannelId, ExternalId, Millis, UnixMillis};
use ticketbridge_store::{CommitFaults, Durability, Store, StoreOptions, Tx};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::partners::Partners;

/// 2026-11-21T10:00:00+08:00: when every world begins.
const START: UnixMillis = UnixMillis(1_795_226_400_000);
/// The channel.
pub(crate) const CHANNEL: &str = "douyin-main";
const CLIENT_KEY: &str = "awsimulatedkey";
const CLIENT_SECRET: &str = "0123456789abcdef0123456789abcdef";
const GATE_SECRET: &str = "whsec_dGVzdHMgc2hhcmUgdGhpcyB3aXRoIHRoZSBnYXRl";
/// Codes in the pool: fewer than are asked for in a long world, so that it runs dry.
const POOL_CODES: usize = 60;

/// What is sold: each pair with another policy, so that every row of the refund matrix is met.
pub(crate) const PRODUCTS: [Product; 6] = [
    Product::new("V1", "B1", 60, true),
    Product::new("V2", "B2", 60, true),
    Product::new("V3", "B3", 60, true),
    Product::new("V4", "B4", 60, true),
    Product::new("V5", "B5", 60, false),
    Product::new("V6", "B6", 60, false),
];
/// Units for each date.
pub(crate) const DATE_STOCK: u32 = 9;
/// Price of one unit.
pub(crate) const PRICE: i64 = 10_000;

/// A voucher and its booking product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) voucher: &'static str,
    pub(crate) booking: &'static str,
    pub(crate) stock: u32,
    /// Whether the gate issues its tickets.
    pub(crate) gate: bool,
}

impl Product {
    const fn new(voucher: &'static str, booking: &'static str, stock: u32, gate: bool) -> Self {
        Self { voucher, booking, stock, gate }
    }
}

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

const POOL: &str = "id = \"pool\"\nadapter = \"code_pool\"\n[settings]\nkind = \"code\"\nlow_water = 1\n";
const GATE: &str = "id = \"gate\"\nadapter = \"ticketing_http\"\n[settings]\nbase_url = \"https://tickets.example/bridge\"\n\
                    secret = { env = \"GATE_SECRET\" }\ntimeout = \"5s\"\n";

fn channel(confirm: &str) -> String {
    format!(
        r#"id = "{CHANNEL}"
adapter = "douyin"
[settings]
account_id = "7123456789"
apps = [{{ client_key = "{CLIENT_KEY}", client_secret = {{ env = "DOUYIN_SECRET" }} }}]
api_base = "https://open.douyin.com"
creation = "after_payment"
confirm = "{confirm}"
price_check = true
time_zone = "Asia/Shanghai"
review_limit = "72h"
review_warn_before = ["24h", "4h"]
"#
    )
}

/// The six pairs: late tickets decided by a person, reissued, approved; a person's confirmation; the pool; no tickets at all.
fn products() -> String {
    let rules = [
        (
            "ticketing = { mode = \"backend\", backend = \"gate\", product = \"P\" }\noverdue_policy = \"manual\"",
            "until",
        ),
        (
            "ticketing = { mode = \"backend\", backend = \"gate\", product = \"P\" }\noverdue_policy = \"reissue\"",
            "anytime",
        ),
        (
            "ticketing = { mode = \"backend\", backend = \"gate\", product = \"P\" }\noverdue_policy = \"approve\"",
            "anytime",
        ),
        (
            "ticketing = { mode = \"backend\", backend = \"gate\", product = \"P\" }\nconfirm = \"manual\"\noverdue_policy = \"reissue\"",
            "never",
        ),
        ("ticketing = { mode = \"code_pool\", pool = \"pool\" }\noverdue_policy = \"reissue\"", "anytime"),
        ("ticketing = { mode = \"none\" }", "anytime"),
    ];
    let mut text = String::new();
    for (product, (rule, cancellation)) in PRODUCTS.iter().zip(rules) {
        let cancellation = match cancellation {
            "until" => "{ kind = \"until\", days_before = 1, at = \"18:00\" }".to_owned(),
            other => format!("{{ kind = \"{other}\" }}"),
        };
        let refund = if product.voucher == "V3" {
            ""
        } else {
            "refund_rule = { tiers = [{ before_visit = \"48h\", fee_bp = 0 }, { before_visit = \"0h\", fee_bp = 2000 }] }"
        };
        let (voucher, booking, stock) = (product.voucher, product.booking, product.stock);
        text.push_str(&format!(
            r#"
[[voucher_product]]
code = "{voucher}"
name = "A voucher"
price = {PRICE}
currency = "CNY"
stock = {stock}
booking_product = "{booking}"

[[booking_product]]
code = "{booking}"
name = "A visit"
guests = {{ who = "one", fields = ["name", "phone"] }}
ticketing_deadline = "10m"
ticketing_warn_before = "5m"
{rule}
cancellation = {cancellation}
{refund}
calendar = [{{ from = "2026-11-01", to = "2030-12-31", stock = {DATE_STOCK}, price = {PRICE} }}]
"#
        ));
    }
    text
}

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
    secrets: Secrets,
}

impl World {
    /// A new world with an empty database.
    pub(crate) async fn new(confirm: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            let path = directory.path().join("config").join(name);
            std::fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        };
        write("ticketbridge.toml", SERVICE);
        write("channels/douyin.toml", &channel(confirm));
        write("backends/gate.toml", GATE);
        write("backends/pool.toml", POOL);
        write("products/all.toml", &products());
        let clock = TestClock::at(START);
        let mut world = Self {
            directory,
            process: None,
            partners: Arc::new(Partners::new(clock.clone())),
            clock,
            commit_faults: CommitFaults::default(),
            starts: 0,
            secrets: Secrets::parse([GATE_SECRET]).expect("a secret"),
        };
        world.start().await;
        let codes: Vec<String> = (1..=POOL_CODES).map(|n| format!("POOL-{n:04}")).collect();
        let store = world.engine().store().clone();
        let imported = store
            .write("import", move |tx: &Tx| {
                let codes = codes.clone();
                Box::pin(async move { tx.import_codes("pool", TicketKind::Code, &codes).await })
            })
            .await;
        imported.expect("codes can be imported");
        world
    }

    async fn start(&mut self) {
        self.starts += 1;
        let environment = Environment::only([
            ("DATA_KEY", "VGhpcyBpcyBhIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU="),
            ("DOUYIN_SECRET", CLIENT_SECRET),
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
        let router = router(Shared {
            engine: engine.clone(),
            worker: workers[0].clone(),
            stopping: CancellationToken::new(),
            callers: Arc::new(Callers::default()),
            metrics: ticketbridge::telemetry::metrics(),
            call_log,
            reconciliation: LastReport::default(),
            environment,
            works: Works::new(WORKS_MAX, Pace::Unhurried),
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

    /// The order behind a number of the channel's.
    pub(crate) async fn order(&self, number: &str) -> Option<Order> {
        let engine = self.engine();
        let channel = engine.running().registry.channel(&ChannelId::from(CHANNEL)).expect("the channel is configured");
        engine.order_about(&channel, &ExternalId::from(number)).await.expect("a database that answers")
    }

    /// A signed call of the channel's; the answer's status and body.
    pub(crate) fn call(&self, call: &str, body: &Value) -> impl Future<Output = (u16, Value)> + use<> {
        let (body, timestamp) = (body.to_string(), self.now().0.to_string());
        let pairs = [("client_key", CLIENT_KEY), ("timestamp", timestamp.as_str())];
        let (signature, _) = sign(CLIENT_SECRET, &pairs, body.as_bytes());
        let uri = format!("/channels/{CHANNEL}/{call}?client_key={CLIENT_KEY}&timestamp={timestamp}");
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header("x-life-clientkey", CLIENT_KEY)
            .header("x-life-sign", signature)
            .header("content-type", "application/json")
            .body(Body::from(body))
            .expect("a request");
        self.ask(request)
    }

    /// A signed event of the gate's.
    pub(crate) fn event(&self, id: &str, body: &Value) -> impl Future<Output = (u16, Value)> + use<> {
        let body = body.to_string();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/backends/gate/events")
            .header("content-type", "application/json")
            .body(Body::from(body.clone()))
            .expect("a request");
        self.secrets.sign_into(request.headers_mut(), id, self.now(), body.as_bytes()).expect("an id fit for a header");
        self.ask(request)
    }

    fn ask(&self, mut request: Request<Body>) -> impl Future<Output = (u16, Value)> + use<> {
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
