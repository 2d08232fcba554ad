// SPDX-License-Identifier: Apache-2.0

//! Every call of every partner is answered in its time while the database hangs, and afterwards everything works again; and the service ends
//! in its time, whatever hangs. The real program, in real time, on every database.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{Days, Utc};
use futures_util::future::join_all;
use http::{HeaderMap, Method};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};
use serde_json::{Value, json};
use ticketbridge_adapters::standard_webhooks::Secrets;
use ticketbridge_core::UnixMillis;
use ticketbridge_store::test_support::for_each_database_url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::real::stage::product;
use crate::real::{ANY_PORT, Place, Running, until};
use crate::support::{Ask, CHANNEL, GATE_SECRET, douyin, kakao, tripstore};

/// What a busy machine may add to a time limit.
pub(crate) const SLACK: Duration = Duration::from_millis(1_500);
/// How long the service of these tests may take to stop.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(4);

/// The present of the machine, by which the real program lives.
#[expect(clippy::disallowed_methods, reason = "a process of its own lives by the machine's clock")]
fn now() -> UnixMillis {
    UnixMillis(Utc::now().timestamp_millis())
}

/// When the tests began: the time that stands in their messages, whenever those are sent again.
fn begin() -> UnixMillis {
    static BEGIN: OnceLock<UnixMillis> = OnceLock::new();
    *BEGIN.get_or_init(now)
}

/// What somebody sends, and the time in which it has to be answered.
struct Sent {
    name: &'static str,
    ask: Ask,
    within: Duration,
    /// Whether this answer says "come again", or that it does not work now.
    says_later: fn(u16, &Value) -> bool,
}

fn retry_code(status: u16, body: &Value) -> bool {
    // 100 is Douyin's "system error, call again"; where a call has no such code the status says it.
    status >= 500 || body["data"]["error_code"] == 100
}
fn unavailable(status: u16, _: &Value) -> bool {
    status == 503
}

fn standard(path: &str, secret: &str, id: &str, body: &Value) -> Ask {
    let (mut headers, body) = (HeaderMap::new(), body.to_string());
    let secrets = Secrets::parse([secret]).expect("a secret");
    secrets.sign_into(&mut headers, id, now(), body.as_bytes()).expect("an id fit for a header");
    let ask = Ask::new(Method::POST, path.to_owned()).header("content-type", "application/json").body(body);
    ["webhook-id", "webhook-timestamp", "webhook-signature"].into_iter().fold(ask, |ask, name| {
        let value = headers[name].to_str().expect("text").to_owned();
        ask.header(name, &value)
    })
}

/// One of each kind; `round` makes their keys new.
fn everything(round: &str) -> Vec<Sent> {
    let (now, begin) = (now(), begin());
    let seconds = Duration::from_secs;
    let spi = |name: &'static str, body: &Value, within: u64| Sent {
        name,
        ask: douyin::signed(&format!("/channels/{CHANNEL}/{name}"), body, now),
        within: seconds(within),
        says_later: retry_code,
    };
    let token = |method, path: &str| Ask::new(method, format!("/ops/v1/{path}")).token("an-ops-token-for-tests");
    let ops = |name: &'static str, ask: Ask| Sent { name, ask, within: seconds(6), says_later: unavailable };
    let korean = |name, path: &str, secret, body: &Value| Sent {
        name,
        ask: standard(path, secret, &format!("{name}-{round}"), body),
        within: seconds(3),
        says_later: unavailable,
    };
    let reservation = kakao::reservation(&format!("RSV-{round}"), "pd_auto", "REQUESTED");
    let event = kakao::event(&format!("kakao events-{round}"), "reservation.requested", 1, &reservation, Value::Null);
    let trip = tripstore::trip(&format!("TRIP-{round}"), "REQUESTED");
    let trip = tripstore::event(&format!("trip events-{round}"), "booking.requested", 1, &trip, Value::Null);
    let news = json!({ "type": "ticket.redeemed", "reservation_id": "bkg_1", "occurred_at": "2026-11-21T10:00:00+08:00", "data": {} });
    vec![
        spi("can-buy", &douyin::sale(&format!("C{round}"), 1, begin), 2),
        spi("create-order", &douyin::sale(&format!("V{round}"), 1, begin), 3),
        spi("query-order", &json!({ "order_id": format!("V{round}") }), 3),
        spi("refund-apply", &douyin::refund_apply(&format!("R{round}"), round, 101, 0, begin), 3),
        spi("issue-voucher", &douyin::issue(&format!("R{round}"), 2), 5),
        // Cannot be read, and is kept.
        spi("pay-notify", &json!({ "order_id": round.len() }), 3),
        korean("kakao events", &format!("/channels/{}/events", kakao::KAKAO), kakao::SECRET, &event),
        korean("trip events", &format!("/channels/{}/events", tripstore::TRIP), tripstore::SECRET, &trip),
        korean("gate events", "/backends/gate/events", GATE_SECRET, &news),
        ops("orders", token(Method::GET, "orders")),
        ops(
            "cancel",
            token(Method::POST, &format!("orders/{CHANNEL}:V{round}/cancel"))
                .json(&json!({ "reason": "x" }))
                .key(round),
        ),
        ops("reconciliation", token(Method::POST, "reconciliation")),
        Sent { name: "readyz", ask: Ask::new(Method::GET, "/readyz"), within: seconds(2), says_later: unavailable },
        Sent {
            name: "metrics",
            ask: Ask::new(Method::GET, "/metrics"),
            within: seconds(5),
            says_later: |status, _| status == 200,
        },
        Sent {
            name: "healthz",
            ask: Ask::new(Method::GET, "/healthz"),
            within: seconds(1),
            says_later: |status, _| status == 200,
        },
    ]
}

/// Sends it on a connection of its own: status, body, and how long that took.
pub(crate) async fn send(to: SocketAddr, ask: &Ask) -> (u16, Value, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(to).await.expect("it listens");
    stream.write_all(&ask.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    let all = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    all.unwrap_or_else(|_| panic!("never answered")).expect("it answers");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"));
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)), began.elapsed())
}

/// Sends everything at once; each has to be answered in its time, with "come again" where `hangs`.
pub(crate) async fn all_in_time(to: SocketAddr, round: &str, hangs: bool) {
    let everything = everything(round);
    let answers = join_all(everything.iter().map(|sent| send(to, &sent.ask))).await;
    for (sent, (status, body, took)) in everything.iter().zip(answers) {
        assert!(took <= sent.within + SLACK, "{round}: {} took {took:?}: {status} {body}", sent.name);
        if hangs {
            assert!((sent.says_later)(status, &body), "{round}: {} says {status} {body}", sent.name);
        } else {
            assert!(status < 500, "{round}: {} says {status} {body}", sent.name);
        }
    }
}

/// The service with a channel of every kind, on the database at `url`.
pub(crate) async fn serve(url: &str) -> (Place, Running) {
    let today = Utc::now_date();
    let place = Place::with_example(|name, text| match name {
        "ticketbridge.toml" => {
            text.replace("[server]", &format!("[server]\nstop_within = \"{}s\"", STOP_WITHIN.as_secs()))
        }
        "products/lakeside.toml" => {
            product(&(today - Days::new(2)).to_string(), &(today + Days::new(60)).to_string(), 500)
        }
        _ => text,
    });
    for (name, text) in [
        ("channels/kakao.toml", kakao::channel_file(kakao::CAN)),
        ("products/kakao.toml", kakao::PRODUCTS.to_owned()),
        ("channels/trip.toml", tripstore::channel_file(tripstore::CAN)),
        ("products/trip.toml", tripstore::PRODUCTS.to_owned()),
    ] {
        crate::support::write_file(&place.config().join(name), &text);
    }
    let running = place.serve_with(ANY_PORT, &[("TICKETBRIDGE_DATABASE_URL", url)]).await;
    (place, running)
}

/// The day of the machine.
trait Today {
    fn now_date() -> chrono::NaiveDate;
}
impl Today for Utc {
    #[expect(clippy::disallowed_methods, reason = "a process of its own lives by the machine's clock")]
    fn now_date() -> chrono::NaiveDate {
        Utc::now().date_naive()
    }
}

/// Everything works again: what is asked again is taken, and what was taken before is there.
pub(crate) async fn works_again(running: &Running, rounds: &[&str]) {
    until("it is ready again", async || {
        (send(running.address, &Ask::new(Method::GET, "/readyz")).await.0 == 200).then_some(())
    })
    .await;
    for round in rounds {
        let sale = everything(round).swap_remove(1);
        assert_eq!(sale.name, "create-order");
        until("the sale is taken", async || {
            let (status, body, _) = send(running.address, &sale.ask).await;
            (status == 200 && body["data"]["error_code"] == 0).then_some(())
        })
        .await;
        let order = Ask::new(Method::GET, format!("/ops/v1/orders/{CHANNEL}:V{round}")).token("an-ops-token-for-tests");
        assert_eq!(send(running.address, &order).await.0, 200, "{round}");
    }
}

/// A connection of another session, which keeps others out.
pub(crate) async fn session(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("the database takes one more")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_another_session_holds_the_tables_every_call_is_answered_in_time() {
    for_each_database_url(async |url: String| {
        let (place, running) = serve(&url).await;
        all_in_time(running.address, "before", false).await;
        let other = session(&url).await;
        let (take, give_back): (&[&str], &[&str]) = match url.split(':').next() {
            Some("sqlite") => (&["BEGIN EXCLUSIVE"], &["ROLLBACK"]),
            Some("postgres") => {
                (&["BEGIN", "LOCK TABLE orders, inbox, order_event, job IN ACCESS EXCLUSIVE MODE"], &["ROLLBACK"])
            }
            _ => (&["LOCK TABLES orders WRITE, inbox WRITE, order_event WRITE, job WRITE"], &["UNLOCK TABLES"]),
        };
        for statement in take {
            other.execute_unprepared(statement).await.expect("it can be locked");
        }
        let sales = everything("locked").swap_remove(1);
        let (status, body, took) = send(running.address, &sales.ask).await;
        assert!(retry_code(status, &body) && took <= sales.within + SLACK, "{url}: {took:?} {status} {body}");
        let health = Ask::new(Method::GET, "/healthz");
        assert!(send(running.address, &health).await.2 < SLACK);
        for statement in give_back {
            other.execute_unprepared(statement).await.expect("it can be given back");
        }
        works_again(&running, &["before", "locked"]).await;
        assert_eq!(running.terminate().await.code(), Some(0), "{}", place.log());
    })
    .await;
}

/// A way to a server that can be stopped: connections stay open, new ones are taken, and nothing comes back.
struct Way {
    address: SocketAddr,
    flows: watch::Sender<bool>,
}

impl Way {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (flows, flowing) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let flowing = flowing.clone();
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(server).await else { return };
                    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                    tokio::join!(pass(near_read, far_write, flowing.clone()), pass(far_read, near_write, flowing));
                });
            }
        });
        Self { address, flows }
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut flowing: watch::Receiver<bool>,
) {
    let mut bytes = [0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if flowing.wait_for(|flows| *flows).await.is_err() || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_says_nothing_every_call_is_answered_in_time_and_the_service_ends_in_its_time() {
    for_each_database_url(async |url: String| {
        let Some((server, port)) =
            url.split_once("127.0.0.1:").and_then(|(_, rest)| rest.split_once('/')).map(|(port, _)| {
                let address: SocketAddr = format!("127.0.0.1:{port}").parse().expect("an address");
                (address, port.to_owned())
            })
        else {
            return;
        };
        let way = Way::to(server).await;
        let url = url.replace(&format!("127.0.0.1:{port}"), &way.address.to_string());
        let (place, running) = serve(&url).await;
        all_in_time(running.address, "before", false).await;
        way.flows.send_replace(false);
        for round in ["stopped", "still-stopped"] {
            all_in_time(running.address, round, true).await;
        }
        let (_, says, _) = send(running.address, &Ask::new(Method::GET, "/readyz")).await;
        assert!(says.as_str().is_some_and(|says| says.contains("the database has not answered")), "{says}");
        way.flows.send_replace(true);
        works_again(&running, &["before", "stopped", "still-stopped"]).await;

        way.flows.send_replace(false);
        all_in_time(running.address, "at-the-end", true).await;
        let began = Instant::now();
        let code = running.terminate().await.code();
        assert!(began.elapsed() <= STOP_WITHIN + SLACK + Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(code, Some(1), "{}", place.log());
        assert!(place.log().contains("abandoned="), "{}", place.log());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_waits_for_its_database_can_be_stopped() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("postgres://postgres@{}/nothing", silent.local_addr().expect("an address"));
    let place = Place::with_example(|_, text| text);
    let mut child = place
        .command(&["serve"])
        .env("TICKETBRIDGE_DATABASE_URL", url)
        .env("TICKETBRIDGE_LISTEN", "127.0.0.1:0")
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program can be started");
    let _taken = silent.accept().await.expect("it asks the database");
    let began = Instant::now();
    let id = child.id().expect("it runs").to_string();
    tokio::process::Command::new("kill").args(["-TERM", &id]).status().await.expect("kill is there");
    tokio::time::timeout(Duration::from_secs(30), child.wait()).await.expect("it ends").expect("it can be waited for");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
