// SPDX-License-Identifier: Apache-2.0

//! Is it alive, is it ready, how does it fare. Each answers within a time of its own, whatever the database does.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use ticketbridge_store::StoreError;

use crate::http::Shared;
use crate::http::belief::too_many_requests;
use crate::http::problem::Problem;
use crate::http::works::Unfinished;

/// Time for the database to say that it is well.
const READY_WITHIN: Duration = Duration::from_millis(1_500);
/// Time for what is counted in the database for `/metrics`.
const COUNTED_WITHIN: Duration = Duration::from_secs(2);
/// Time for an answer with what was counted before, where counting is known to take longer.
const SEEN_WITHIN: Duration = Duration::from_millis(10);
/// Requests a second of one address to what is open to everybody.
const LOOKS_PER_SECOND: u32 = 50;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Why the service cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// It stops.
    #[error("stopping")]
    Stopping,
    /// Nobody could send it anything.
    #[error("no channel is configured")]
    NoChannel,
    /// The database says nothing.
    #[error("the database has not answered within {} ms", READY_WITHIN.as_millis())]
    Silent,
    /// The database says no.
    #[error("the database is not ready: {0}")]
    Database(#[source] StoreError),
    /// Something else.
    #[error("the question could not be asked: {0}")]
    Unasked(#[source] Unfinished),
}

/// Whether the service can do its work: the database answers and has the schema that this program needs, there is a channel, and the service
/// is not stopping. Answers in less than two seconds.
///
/// # Errors
/// What is wrong.
pub async fn ready(shared: &Shared) -> Result<(), Unready> {
    if shared.stopping.is_cancelled() {
        return Err(Unready::Stopping);
    }
    if shared.engine.running().registry.channels().next().is_none() {
        return Err(Unready::NoChannel);
    }
    database(shared).await
}

/// Whether the database answers and has this program's schema; says so in less than two seconds.
///
/// # Errors
/// What is wrong.
pub async fn database(shared: &Shared) -> Result<(), Unready> {
    let one_at_a_time = tokio::time::timeout(READY_WITHIN, shared.health.ready.clone().lock_owned());
    let Ok(one_at_a_time) = one_at_a_time.await else { return Err(Unready::Silent) };
    let store = shared.engine.store().clone();
    let asked = async move {
        let _one_at_a_time = one_at_a_time;
        store.ready().await
    };
    match shared.works.within("readiness", READY_WITHIN, asked).await {
        Ok(answer) => answer.map_err(Unready::Database),
        Err(Unfinished::TooLate) => Err(Unready::Silent),
        Err(other @ (Unfinished::NoRoom | Unfinished::Broken)) => Err(Unready::Unasked(other)),
    }
}

/// [`ready`], for load balancers.
pub async fn readyz(State(shared): State<Shared>) -> Response {
    match ready(&shared).await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => {
            if !matches!(why, Unready::Stopping) {
                crate::trouble::log_trouble("not ready", &why);
            }
            (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
        }
    }
}

/// Metrics in Prometheus' text format; what is counted in the database is counted now, unless the database takes too long: then those are as
/// they were, and `ticketbridge_database_answers` is 0. Where there is much to count, they are those of the look before: nobody who looks
/// waits for longer than [`SEEN_WITHIN`], again and again.
pub async fn metrics(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let running = shared.engine.running();
    if let Some(token) = &running.config.metrics.token
        && !is_held(&headers, token.expose_secret())
    {
        let sentence = "send the header Authorization: Bearer with the token of [metrics] token";
        let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", sentence).into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    let caller = shared.caller(peer, &headers, &running);
    if !shared.callers.may_look("/metrics", caller, LOOKS_PER_SECOND) {
        return too_many_requests("too many requests from this address").into_response();
    }
    let slowly = shared.health.counts_slowly.load(Ordering::Relaxed);
    let counting = tokio::spawn(count(shared.clone()));
    if slowly {
        drop(tokio::time::timeout(SEEN_WITHIN, counting).await);
    } else {
        drop(counting.await);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.metrics.render()).into_response()
}

async fn count(shared: Shared) {
    let clock = shared.engine.clock().clone();
    let begun = clock.monotonic();
    count_within(&shared).await;
    shared.health.counts_slowly.store(clock.monotonic().saturating_sub(begun) > SEEN_WITHIN, Ordering::Relaxed);
}

async fn count_within(shared: &Shared) {
    let one_at_a_time = tokio::time::timeout(COUNTED_WITHIN, shared.health.counts.clone().lock_owned()).await;
    let counted = match one_at_a_time {
        Err(_) => Err(Unfinished::TooLate),
        Ok(one_at_a_time) => {
            let of = shared.clone();
            let count = async move {
                let _one_at_a_time = one_at_a_time;
                crate::telemetry::gauges::refresh(&of).await
            };
            shared.works.within("metrics", COUNTED_WITHIN, count).await
        }
    };
    let answers = match counted {
        // One that reads and takes no commits is no use to anybody, nor one of which a part cannot be read.
        Ok(Ok(())) if !shared.engine.store().takes_commits() || shared.engine.store().is_damaged() => 0.0,
        Ok(Ok(())) => 1.0,
        Ok(Err(error)) => {
            crate::trouble::log_trouble("some metrics could not be counted", &error);
            0.0
        }
        Err(error) => {
            crate::trouble::log_trouble("some metrics could not be counted", &error);
            0.0
        }
    };
    metrics::gauge!("ticketbridge_database_answers").set(answers);
}

/// Whether the request brings this token; takes as long for a wrong one as for the right one.
fn is_held(headers: &HeaderMap, token: &str) -> bool {
    let presented = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    presented.is_some_and(|presented| bool::from(digest(presented).as_slice().ct_eq(digest(token).as_slice())))
}
