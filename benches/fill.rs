// SPDX-License-Identifier: Apache-2.0

//! A database with a history: orders that the product's own code has made, from the first message to the report of use, before anything is
//! measured on it. They are made in this process, without sockets, some days ago by the clock that the bridge is given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use ticketbridge::app::{self, Bridge, Parts, Work};
use ticketbridge::clock::{ShiftedClock, SystemIds};
use ticketbridge::config::{Config, Environment};
use ticketbridge::transport::{CallLimits, Transport, TransportError};
use ticketbridge_core::UnixMillis;
use ticketbridge_core::port::{Call, HttpResponse};
use tower::ServiceExt as _;

use crate::bridge::{ENVIRONMENT, GATE_SECRET, OPS_TOKEN, Place};
use crate::moment;
use crate::wire::douyin::{self, Product, Said};
use crate::wire::http::{Answer, Ask};
use crate::wire::kakao;

/// Messages under way at the same time: enough to fill the bridge's batches.
const AT_ONCE: u64 = 512;
const DAY_MS: i64 = 86_400_000;
/// How often one call is made while the bridge asks to come again, and how long is waited before.
const ASKED_MAX: u32 = 100;
const AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(500);

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Orders that are over: sold, booked, ticketed, used, a week ago.
    Finished(u64),
    /// Bookings that wait for a manager: an armed timer each, which comes due half a day from now.
    TimersLater(u64),
    /// The same, due as soon as the bridge runs.
    TimersDue(u64),
}

impl Wanted {
    fn many(self) -> u64 {
        match self {
            Wanted::Finished(many) | Wanted::TimersLater(many) | Wanted::TimersDue(many) => many,
        }
    }
    /// By how much its clock is behind. A manager has a day, and is reminded after half of it.
    fn shift_ms(self) -> i64 {
        match self {
            Wanted::Finished(_) => -7 * DAY_MS,
            Wanted::TimersLater(_) => 0,
            Wanted::TimersDue(_) => -DAY_MS - 60_000,
        }
    }
}

/// Makes it in the database of `place`'s configuration; how long that took, in seconds.
///
/// # Errors
/// When the bridge cannot start or refuses something.
pub(crate) fn fill(place: &Place, wanted: Wanted) -> anyhow::Result<f64> {
    let begun = moment::now();
    let config = place.config();
    moment::shift(wanted.shift_ms());
    let done = std::thread::scope(|scope| {
        // A runtime of its own, on all cores: nothing is measured meanwhile.
        let thread = scope.spawn(|| {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(make(&config, wanted))
        });
        thread.join().map_err(|_| anyhow::anyhow!("filling the database panicked")).and_then(|done| done)
    });
    moment::shift(0);
    done.map(|()| begun.elapsed().as_secs_f64())
}

async fn make(config: &std::path::Path, wanted: Wanted) -> anyhow::Result<()> {
    let environment = Environment::only(ENVIRONMENT);
    let config = Config::load(config, &environment).map_err(|report| anyhow::anyhow!("{report}"))?;
    let clock = Arc::new(ShiftedClock::starting_at(UnixMillis(moment::unix_ms())));
    let parts = Parts {
        ids: Arc::new(SystemIds::new(clock.clone())),
        clock,
        transport: Some(Arc::new(Gate)),
        environment,
        work: Work::ByItself,
    };
    let bridge = Arc::new(app::start(config, parts).await?);
    let next = Arc::new(AtomicU64::new(0));
    let tag = format!("{:x}", moment::unix_ms());
    let mut makers = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE.min(wanted.many()) {
        let (bridge, next, tag) = (bridge.clone(), next.clone(), tag.clone());
        makers.spawn(async move {
            while let Some(serial) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < wanted.many()) {
                one(&bridge, wanted, &tag, serial).await.with_context(|| format!("order {serial}"))?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(made) = makers.join_next().await {
        made??;
    }
    if matches!(wanted, Wanted::Finished(_)) {
        delivered(&bridge).await?;
    }
    let bridge = Arc::into_inner(bridge).context("every maker has ended")?;
    let stopped = bridge.stop().await;
    ensure!(stopped.abandoned.is_empty(), "the bridge abandoned {:?}", stopped.abandoned);
    Ok(())
}

/// Waits until the channel has been told of everything.
async fn delivered(bridge: &Bridge) -> anyhow::Result<()> {
    while ops(bridge, "deliveries?state=pending&limit=1").await?["items"].as_array().is_none_or(|left| !left.is_empty())
    {
        moment::pause(std::time::Duration::from_millis(100)).await;
    }
    Ok(())
}

/// The order, once its booking has a ticket: the answer to the demand may have come before.
async fn ticketed(bridge: &Bridge, product: Product, booking: &str) -> anyhow::Result<Value> {
    loop {
        let order = ops(bridge, &format!("orders/{}:{booking}", product.channel())).await?;
        if order["booking"]["ticketing"]["state"] == "issued" {
            return Ok(order);
        }
        moment::pause(std::time::Duration::from_millis(10)).await;
    }
}

/// `GET` of the ops interface.
async fn ops(bridge: &Bridge, path: &str) -> anyhow::Result<Value> {
    let asked = Ask::get(format!("/ops/v1/{path}")).with("authorization", &format!("Bearer {OPS_TOKEN}"));
    let answer = tell(bridge, asked).await?;
    ensure!(answer.status == 200, "GET {path}: HTTP {}", answer.status);
    Ok(serde_json::from_slice(&answer.body)?)
}

async fn one(bridge: &Bridge, wanted: Wanted, tag: &str, serial: u64) -> anyhow::Result<()> {
    if !matches!(wanted, Wanted::Finished(_)) {
        let number = format!("T{tag}{serial:08}");
        let said = kakao::accepted(&tell(bridge, kakao::event(&kakao::requested(&number, serial, 30))?).await?);
        return said.map_err(|why| anyhow::anyhow!("a request for a booking: {why}"));
    }
    let (sale, booking) = (format!("F{tag}{serial:08}"), format!("G{tag}{serial:08}"));
    let lean = Product::Lean;
    ask(bridge, "create-order", &douyin::sale(lean, &sale, serial)).await?;
    ask(bridge, "create-order", &douyin::booking(lean, &booking, &sale, serial, 0)).await?;
    ask(bridge, "issue-voucher", &douyin::issue(&booking)).await?;
    let order = ticketed(bridge, lean, &booking).await?;
    let reservation = order["booking"]["id"].as_str().context("it has a booking")?;
    let now = chrono::DateTime::from_timestamp_millis(moment::unix_ms()).context("a time")?.to_rfc3339();
    let used = json!({ "type": "ticket.redeemed", "reservation_id": reservation, "occurred_at": now, "data": {} });
    let event =
        kakao::signed("/backends/gate/events".to_owned(), GATE_SECRET, &format!("use-{booking}"), &used.to_string())?;
    kakao::accepted(&tell(bridge, event).await?).map_err(|why| anyhow::anyhow!("a use: {why}"))
}

async fn ask(bridge: &Bridge, call: &str, body: &Value) -> anyhow::Result<Value> {
    // A platform comes again when it is asked to, as a busy bridge asks: nothing is measured here.
    for _ in 0..ASKED_MAX {
        let answer = tell(bridge, douyin::call(Product::Lean, call, body)).await?;
        match douyin::read(&answer) {
            Said::Success(data) => return Ok(data),
            Said::No(_) if douyin::is_asked_again(&answer) => moment::pause(AGAIN_AFTER).await,
            Said::No(why) => anyhow::bail!("{call}: {why}"),
        }
    }
    anyhow::bail!("{call}: asked {ASKED_MAX} times, and each time told to come again")
}

/// A request to the bridge's own router: everything but the socket.
async fn tell(bridge: &Bridge, ask: Ask) -> anyhow::Result<Answer> {
    let mut request: Request<Body> = ask.into_request()?;
    let peer: SocketAddr = ([127, 0, 0, 1], 4711).into();
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = ticketbridge::http::router(bridge.shared().clone()).oneshot(request).await?;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
    ensure!(status < 500, "HTTP {status}");
    Ok(Answer { status, body })
}

/// Partners that answer inside this process.
struct Gate;

impl Transport for Gate {
    fn send<'a>(&'a self, call: &'a Call, _limits: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(std::future::ready(Ok(HttpResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from(crate::partners::said(&call.url, &call.body)),
        })))
    }
}
