// SPDX-License-Identifier: Apache-2.0

//! A bridge to test against: the real router and the real engine on a temporary SQLite file, with a clock, partners and a worker that the test
//! drives by hand. Nothing sleeps; nothing leaves the process.
//!
//! ```ignore
//! let bridge = TestBridge::start().await;
//! bridge.sell("V100").await;                        // a paid voucher of two units
//! bridge.book("R100", "V100", "2026-12-01").await;  // booked; the tickets are to be asked for
//! bridge.drain().await;                             // … asked for, and issued by the gate
//! let order = bridge.order("V100").await;           // GET /ops/v1/orders/douyin-main:V100
//! ```

pub(crate) mod authenticator;
pub(crate) mod douyin;
pub(crate) mod kakao;
pub(crate) mod partners;
pub(crate) mod people;
pub(crate) mod tripstore;
pub(crate) mod unfinished;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use ticketbridge::app::{self, Bridge, Parts, StartError, Work};
use ticketbridge::clock::{Clock, TestClock, TestIds};
use ticketbridge::config::{Config, Environment};
use ticketbridge_adapters::standard_webhooks::Secrets;
use ticketbridge_core::order::{Order, OrderState, TicketingState};
use ticketbridge_core::{ChannelId, ExternalId, Millis, UnixMillis};
use ticketbridge_store::StoreError;
use tower::ServiceExt as _;

use partners::Partners;
use unfinished::Unfinished;
pub(crate) use unfinished::leaves_work;

/// 2026-11-21T10:00:00+08:00: when every test begins.
pub(crate) const START: UnixMillis = UnixMillis(1_795_226_400_000);
/// The channel of the example configuration.
pub(crate) const CHANNEL: &str = "douyin-main";
/// Its application, and the secret of it.
pub(crate) const CLIENT_KEY: &str = "awexampleclientkey";
pub(crate) const CLIENT_SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Shared with the back-end `gate`.
pub(crate) const GATE_SECRET: &str = "whsec_dGVzdHMgc2hhcmUgdGhpcyB3aXRoIHRoZSBnYXRl";
/// The ops tokens, by role.
pub(crate) const ADMIN: &str = "an-admin-token-for-tests";
pub(crate) const OPERATOR: &str = "an-operator-token-for-tests";
pub(crate) const SETTLEMENT: &str = "a-settlement-token-for-tests";
/// Longest real time that one request of a test may take; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a bridge is started whose database is there and does not greet in time.
const STARTS_TRIED: usize = 5;

/// An answer, read.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    /// The body as JSON; `null` when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
    /// The same, after making sure of the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }
    /// Makes sure of a problem's status and code; gives its sentence.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> String {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["code"].as_str()), (status, Some(code)), "{}", self.text());
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        body["detail"].as_str().expect("a problem has a sentence").to_owned()
    }
}

/// A request to be.
pub(crate) struct Ask {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: HeaderMap::new(), body: Vec::new() }
    }
    /// `GET /ops/v1/{path}` by the administrator.
    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, format!("/ops/v1/{path}")).token(ADMIN)
    }
    /// `POST /ops/v1/{path}` by the administrator.
    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::new(Method::POST, format!("/ops/v1/{path}")).token(ADMIN).json(body)
    }
    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header value"));
        self
    }
    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
    /// As it goes over a connection of its own.
    pub(crate) fn as_bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("{} {} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A running bridge on a directory of its own.
pub(crate) struct TestBridge {
    pub(crate) bridge: Bridge,
    pub(crate) clock: TestClock,
    pub(crate) partners: Arc<Partners>,
    /// Looks when the bridge has gone and its files have not; one beside another leaves that to it.
    unfinished: Option<Unfinished>,
    directory: Arc<TempDir>,
    starts: u64,
}

impl TestBridge {
    /// A bridge with the example configuration.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A bridge whose configuration is the example, edited: file names (`products/lakeside.toml`) to text.
    pub(crate) async fn start_with(edit: impl FnOnce(&mut BTreeMap<String, String>)) -> Self {
        let directory = Arc::new(TempDir::new().expect("a temporary directory"));
        let mut files = BTreeMap::new();
        read_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config/example"), "", &mut files);
        files.insert("ticketbridge.toml".to_owned(), service_file(directory.path()));
        edit(&mut files);
        for (name, text) in &files {
            write_file(&directory.path().join("config").join(name), text);
        }
        let clock = TestClock::at(START);
        let partners = Arc::new(Partners::new());
        let unfinished = Unfinished::of(&directory.path().join("config"));
        Self { unfinished: Some(unfinished), ..Self::start_on(directory, clock, partners, 1).await }
    }

    async fn start_on(directory: Arc<TempDir>, clock: TestClock, partners: Arc<Partners>, starts: u64) -> Self {
        let machine = Arc::new(clock.clone());
        Self::start_by(machine, Work::ByHand, directory, clock, partners, starts).await
    }

    /// A further instance on the same files and database, whose machine has a clock of its own. It works by itself, in real time.
    pub(crate) async fn beside(&self, machine: Arc<dyn Clock>, starts: u64) -> Self {
        let (directory, partners) = (self.directory.clone(), self.partners.clone());
        Self::start_by(machine, Work::ByItself, directory, self.clock.clone(), partners, starts).await
    }

    async fn start_by(
        machine: Arc<dyn Clock>,
        work: Work,
        directory: Arc<TempDir>,
        clock: TestClock,
        partners: Arc<Partners>,
        starts: u64,
    ) -> Self {
        let mut started = None;
        for _ in 0..STARTS_TRIED {
            let environment = environment();
            let config = Config::load(&directory.path().join("config"), &environment)
                .unwrap_or_else(|report| panic!("the configuration of a test: {report}"));
            let parts = Parts {
                clock: machine.clone(),
                ids: Arc::new(TestIds::starting_at(starts)),
                transport: Some(partners.clone()),
                environment,
                work,
            };
            match app::start(config, parts).await {
                // On a machine that is full, a server may take longer to greet than a bridge waits.
                Err(StartError::Unusable { source: StoreError::Unreachable { .. }, .. }) => {}
                other => {
                    started = Some(other.unwrap_or_else(|error| panic!("the bridge of a test: {error:?}")));
                    break;
                }
            }
        }
        let bridge = started.expect("the database of a test answers");
        Self { bridge, clock, partners, directory, starts, unfinished: None }
    }

    /// Stops and starts again on the same files: what is not in the database is gone.
    pub(crate) async fn restart(self) -> Self {
        let Self { bridge, clock, partners, directory, starts, unfinished } = self;
        bridge.stop().await;
        Self { unfinished, ..Self::start_on(directory, clock, partners, starts + 1).await }
    }

    /// The directory of the configuration, for tests that change it.
    pub(crate) fn config_directory(&self) -> PathBuf {
        self.directory.path().join("config")
    }

    /// Keeps the files while the bridge itself is stopped.
    pub(crate) fn keep_files(&self) -> Arc<TempDir> {
        self.directory.clone()
    }

    /// Replaces one file of the configuration; nothing notices before a reload.
    pub(crate) fn write_config(&self, name: &str, text: &str) {
        write_file(&self.config_directory().join(name), text);
    }

    /// The configuration as its files say now.
    pub(crate) fn load_config(&self) -> Config {
        Config::load(&self.config_directory(), &environment()).unwrap_or_else(|report| panic!("{report}"))
    }

    /// One file of the configuration.
    pub(crate) fn read_config(&self, name: &str) -> String {
        std::fs::read_to_string(self.config_directory().join(name)).expect("a file of the configuration")
    }

    /// Makes a request as it is.
    pub(crate) async fn ask(&self, ask: Ask) -> Reply {
        let mut request =
            Request::builder().method(ask.method).uri(ask.path).body(Body::from(ask.body)).expect("a request");
        *request.headers_mut() = ask.headers;
        let peer: SocketAddr = ([203, 0, 113, 9], 4711).into();
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = ticketbridge::http::router(self.bridge.shared().clone());
        let answer = async move {
            let response = router.oneshot(request).await.expect("a router does not fail");
            let (parts, body) = response.into_parts();
            let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a whole body").to_vec();
            Reply { status: parts.status, headers: parts.headers, bytes }
        };
        tokio::time::timeout(PATIENCE, answer).await.expect("an answer in time")
    }

    /// `GET /ops/v1/{path}` by the administrator.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Ask::get(path)).await
    }

    /// `POST /ops/v1/{path}` by the administrator.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(Ask::post(path, body)).await
    }

    /// The order with this number of the channel's (a sale's or a booking's), as it is in the database.
    pub(crate) async fn stored(&self, number: &str) -> Order {
        let engine = self.bridge.engine();
        let channel = engine.running().registry.channel(&ChannelId::from(CHANNEL)).expect("the channel of the example");
        let found = engine.order_about(&channel, &ExternalId::from(number)).await.expect("a database that answers");
        found.unwrap_or_else(|| panic!("there is no order {number}"))
    }

    /// The same, as the ops interface shows it.
    pub(crate) async fn order(&self, number: &str) -> Value {
        self.get(&format!("orders/{CHANNEL}:{number}")).await.expect(200).json()
    }

    /// A signed call of Douyin's.
    pub(crate) async fn douyin(&self, call: &str, body: &Value) -> Reply {
        self.ask(self.signed(call, body)).await
    }

    /// A call of Douyin's, signed and not sent yet.
    pub(crate) fn signed(&self, call: &str, body: &Value) -> Ask {
        douyin::signed(&format!("/channels/{CHANNEL}/{call}"), body, self.now())
    }

    /// A paid voucher `LP-V2|LP-B2` of two units.
    pub(crate) async fn sell(&self, number: &str) -> Value {
        let reply = self.douyin("create-order", &douyin::sale(number, 2, self.now())).await.expect(200).json();
        assert_eq!(reply["data"]["error_code"], 0, "{reply}");
        reply
    }

    /// A booking of that voucher with four visitors.
    pub(crate) async fn book(&self, number: &str, sale: &str, date: &str) -> Value {
        let body = douyin::booking(number, sale, date, 2, self.now());
        let reply = self.douyin("create-order", &body).await.expect(200).json();
        assert_eq!(reply["data"]["error_code"], 0, "{reply}");
        reply
    }

    /// Douyin demands the tickets; the worker runs meanwhile, so that tickets that come at once are in the answer.
    pub(crate) async fn issue(&self, number: &str, copies: u32) -> Value {
        self.issue_with("issue-voucher", &douyin::issue(number, copies)).await
    }

    /// The same by any demand.
    pub(crate) async fn issue_with(&self, call: &str, demand: &Value) -> Value {
        let answered = AtomicBool::new(false);
        let call = async {
            let reply = self.douyin(call, demand).await;
            answered.store(true, Ordering::Release);
            reply
        };
        let work = async {
            while !answered.load(Ordering::Acquire) {
                self.drain().await;
                tokio::task::yield_now().await;
            }
        };
        let (reply, ()) = tokio::join!(call, work);
        reply.expect(200).json()
    }

    /// Douyin demands the tickets, and the back-end does not answer inside the channel's budget: the clock goes on by three seconds.
    pub(crate) async fn issue_too_slow(&self, number: &str, copies: u32) -> Value {
        let demand = douyin::issue(number, copies);
        let call = self.douyin("issue-voucher", &demand);
        let time = async {
            while self.clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            self.advance(Millis::seconds(3));
        };
        let (reply, ()) = tokio::join!(call, time);
        reply.expect(200).json()
    }

    /// A sold, booked and ticketed order: sale `V…`, booking `R…` for 2026-12-01, tickets handed over in the answer.
    pub(crate) async fn ticketed(&self, sale: &str, booking: &str) -> Order {
        self.sell(sale).await;
        self.book(booking, sale, "2026-12-01").await;
        let answer = self.issue(booking, 2).await;
        assert_eq!(answer["data"]["result"], 1, "{answer}");
        self.drain().await;
        self.stored(sale).await
    }

    /// A signed event of a back-end; `id` is its webhook-id.
    pub(crate) async fn backend_event(&self, backend: &str, id: &str, body: &Value) -> Reply {
        let body = body.to_string();
        let mut ask = Ask::new(Method::POST, format!("/backends/{backend}/events"));
        Secrets::parse([GATE_SECRET])
            .expect("a secret")
            .sign_into(&mut ask.headers, id, self.now(), body.as_bytes())
            .expect("an id fit for a header");
        self.ask(ask.header("content-type", "application/json").body(body)).await
    }

    /// Does everything that is due now; how much that was.
    pub(crate) async fn drain(&self) -> usize {
        Box::pin(self.bridge.worker().drain()).await.unwrap_or_else(|error| panic!("the worker of a test: {error:?}"))
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, length: Millis) {
        self.clock.advance(length);
    }

    /// Puts the clock to an RFC 3339 time.
    pub(crate) fn set_time(&self, time: &str) {
        self.clock.set(UnixMillis::parse_rfc3339(time).expect("a time of a test"));
    }

    /// The present.
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Asks until `is_there` holds: for what is written off the way to an answer, such as the record of calls.
    pub(crate) async fn eventually(&self, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        let asked = async {
            loop {
                let found = self.get(path).await.expect(200).json();
                if is_there(&found) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("GET {path} never showed it"))
    }
}

pub(crate) fn environment() -> Environment {
    Environment::only([
        ("TICKETBRIDGE_DATA_KEY", "VGhpcyBpcyBhIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU="),
        ("DOUYIN_SECRET", CLIENT_SECRET),
        ("GATE_SECRET", GATE_SECRET),
        ("OCTO_KEY", "octo-key"),
        ("RESELLER_KEY", "the-key-of-acme-travel"),
        ("OTHER_RESELLER_KEY", "the-key-of-bolt-travel"),
        ("ADMIN_TOKEN", ADMIN),
        ("OPERATOR_TOKEN", OPERATOR),
        ("SETTLEMENT_TOKEN", SETTLEMENT),
    ])
}

fn service_file(directory: &Path) -> String {
    format!(
        r#"[server]
listen = "127.0.0.1:0"
public_url = "http://127.0.0.1:8080"
rate_per_caller = 100000

[database]
url = "sqlite://{}/ticketbridge.db"

[privacy]
key = {{ env = "TICKETBRIDGE_DATA_KEY" }}

[ops]
tokens = [
  {{ name = "ada", role = "admin", token = {{ env = "ADMIN_TOKEN" }} }},
  {{ name = "desk", role = "operator", token = {{ env = "OPERATOR_TOKEN" }} }},
  {{ name = "books", role = "settlement", token = {{ env = "SETTLEMENT_TOKEN" }} }},
]

[delivery]
attempts = 4
backoff = {{ first = "1s", factor = 2.0, max = "1m", jitter = 0.0 }}
"#,
        directory.display()
    )
}

/// The files below `directory`, by their path in it.
pub(crate) fn read_files(directory: &Path, prefix: &str, into: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = format!("{prefix}{}", path.file_name().and_then(|name| name.to_str()).expect("a name"));
        if path.is_dir() {
            read_files(&path, &format!("{name}/"), into);
        } else {
            into.insert(name, std::fs::read_to_string(&path).expect("a text file"));
        }
    }
}

pub(crate) fn write_file(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory");
    std::fs::write(path, text).expect("a file");
}

#[tokio::test]
async fn a_voucher_is_sold_booked_ticketed_and_used() {
    let bridge = TestBridge::start().await;
    let booking = bridge.ticketed("V100", "R100").await.booking.expect("a booking");
    assert_eq!(booking.ticketing.state, TicketingState::Issued);
    bridge.set_time("2026-12-01T09:00:00+08:00");
    let used = json!({
        "type": "ticket.redeemed", "reservation_id": booking.id,
        "occurred_at": "2026-12-01T08:59:00+08:00", "data": {},
    });
    bridge.backend_event("gate", "evt-1", &used).await.expect(200);
    let bridge = bridge.restart().await;
    bridge.drain().await;
    assert_eq!(bridge.stored("V100").await.state, OrderState::Completed);
    let told = bridge.partners.sent("/goodlife/v1/trip/certificate/verify/");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].method, &told[0].body["order_id"]), (&Method::POST, &json!("R100")));
    assert_eq!(told[0].headers["access-token"], "clt.a-token-for-tests");
}

#[tokio::test]
async fn tickets_that_come_too_late_for_the_answer_follow_by_a_call() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.partners.next("/bridge/reservations", partners::Outcome::NotSent);
    bridge.partners.next("/bridge/reservations", partners::Outcome::Interrupted);
    let answer = bridge.issue_too_slow("R100", 2).await;
    assert_eq!(answer["data"]["result"], 0, "{answer}");
    for _ in 0..3 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
    }
    let asked: Vec<_> = bridge.partners.sent("/bridge/reservations").into_iter().map(|sent| sent.method).collect();
    assert_eq!(asked, [Method::POST, Method::POST, Method::GET], "an answer that was lost is asked for, not guessed");
    assert_eq!(bridge.partners.sent("/goodlife/v1/fulfilment/create/callback/").len(), 1);
}

/// Runs `test` against a bridge on an empty database of every kind at hand, one after the other.
pub(crate) async fn on_each_database(edit: impl Fn(&mut BTreeMap<String, String>), test: impl AsyncFn(&TestBridge)) {
    ticketbridge_store::test_support::for_each_database_url(async |url: String| {
        let bridge = TestBridge::start_with(|files| {
            edit(files);
            let service = files.get_mut("ticketbridge.toml").expect("the file of the service");
            let line = service.lines().find(|line| line.starts_with("url = ")).expect("the database").to_owned();
            *service = service.replace(&line, &format!("url = \"{url}\""));
        })
        .await;
        // On the heap: a test's stack is small, and this is polled within a few others.
        Box::pin(test(&bridge)).await;
        bridge.bridge.stop().await;
    })
    .await;
}
