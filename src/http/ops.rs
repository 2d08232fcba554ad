// SPDX-License-Identifier: Apache-2.0

//! The ops interface, `/ops/v1` (`docs/src/contract/ops.md`). [`table`](self) lists every call; from the list they are routed, checked and
//! described, so that none of the three can drift from the others.

mod answers;
mod audit;
pub(crate) mod auth;
mod body;
pub(crate) mod bulk;
pub(crate) mod call;
mod call_texts;
mod codes;
mod config;
mod credit;
mod deadlines;
mod deliveries;
mod faults;
pub(crate) mod fields;
mod foreseen;
mod gate;
mod guests;
mod inbox;
mod languages;
mod looks;
pub(crate) mod manual_commands;
mod next_steps;
pub(crate) mod numbers;
mod once;
pub(crate) mod openapi;
mod orders;
mod organisation;
mod partners;
mod passkeys;
mod people;
mod query;
mod reconciliation;
mod refunds;
mod reveal;
mod said;
mod session;
mod statements;
pub(crate) mod stream;
mod table;
mod view;
pub(crate) mod waits;
pub(crate) mod words;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, RawPathParams, State};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use http::header;
use ticketbridge_store::StoreError;

use crate::accounts::Holder;
use crate::accounts::signing_in::From as Comes;
use crate::console::catalogue::Language;
use crate::http::Shared;
use crate::http::ops::call::{Body, Call, Verb};
use crate::http::ops::gate::{Gate, Insider};

pub use call::PREFIX;
#[cfg(test)]
pub(crate) use call::Who;
pub(crate) use codes::from_csv as codes_of_csv;
pub(crate) use gate::Inside;
pub(crate) use looks::LastLook;
pub(crate) use people::{link as invitation_link, reset_link};
#[cfg(test)]
pub(crate) use table::CALLS;
pub(crate) use view::common_zone;

/// The routes of every call in the table.
pub fn routes() -> Router<Shared> {
    table::CALLS.iter().fold(Router::new(), |router, call| {
        let filter = match call.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Delete => MethodFilter::DELETE,
        };
        let serve = move |State(shared): State<Shared>,
                          ConnectInfo(peer): ConnectInfo<SocketAddr>,
                          path: RawPathParams,
                          request: axum::extract::Request| {
            let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            serve(call, shared, peer, path, request)
        };
        router.route(&format!("{PREFIX}{}", call.path), on(filter, serve))
    })
}

/// Serves one call, and says so in the log.
async fn serve(
    call: &'static Call,
    shared: Shared,
    peer: SocketAddr,
    path: Vec<(String, String)>,
    request: axum::extract::Request,
) -> Response {
    let started = shared.engine.clock().monotonic();
    let running = shared.engine.running();
    let clock = shared.engine.clock().clone();
    let caller = shared.caller(peer, request.headers(), &running);
    let (parts, body) = request.into_parts();
    let language = languages::wished(&parts.headers);
    let known = match parts.extensions.get::<auth::GivenHolder>() {
        Some(auth::GivenHolder(holder)) => Ok(holder.clone()),
        None => auth::holder(&shared, &running, call, caller, &parts.headers, started).await,
    };
    let (holder, response) = match known {
        Err(refusal) => (String::new(), *refusal),
        Ok(holder) => {
            let name = holder.key();
            let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
            let from = Comes { caller, agent: agent.to_owned() };
            let gate = Gate { call, calls: table::CALLS, shared, running, holder, from, path, parts };
            (name, gate.recorded(body).await)
        }
    };
    let response = languages::refused_in(language, response).await;
    let took = clock.monotonic().saturating_sub(started);
    let status = response.status().as_u16();
    metrics::counter!("ticketbridge_ops_calls_total", "call" => call.path, "status" => status.to_string()).increment(1);
    if !holder.is_empty() {
        tracing::info!(call = call.path, status, by = %holder, duration_ms = took.as_millis() as u64, "ops call answered");
    }
    response
}

/// The cookie of a session that was begun inside this process.
pub(crate) fn session_cookie(token: String, config: &crate::config::Config) -> Option<http::HeaderValue> {
    session::header(&call::Cookie::Set(token), config)
}

/// Makes a call of the interface from inside, as `holder`, with its sentences in a language. `target` is path and query below the interface.
pub(crate) async fn inside(
    shared: &Shared,
    holder: &Holder,
    (from, language): (&Comes, Language),
    method: http::Method,
    target: &str,
    body: Option<&serde_json::Value>,
) -> Inside {
    Insider { calls: table::CALLS, shared, holder, from, language }.make(method, target, body, None).await
}

/// Carries on what was begun on many and is in nobody's hands; how much that was.
///
/// # Errors
/// Store errors.
pub(crate) async fn carry_on_all(shared: &Shared) -> Result<u64, StoreError> {
    bulk::carry_on_all(shared, table::CALLS).await
}

/// The fields that the body of a call may have: what a form may send.
pub(crate) fn fields_of(path: &str) -> &'static [fields::Field] {
    match gate::body_of(table::CALLS, path) {
        Some(Body::Fields(fields)) => fields,
        Some(Body::None | Body::Codes) | None => &[],
    }
}

/// The shapes of the interface as schemas of their own.
pub(crate) fn schemas() -> Vec<(String, serde_json::Value)> {
    openapi::schemas(table::CALLS)
}
