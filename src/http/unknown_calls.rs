// SPDX-License-Identifier: Apache-2.0

//! Calls that nobody answers: an address that was typed wrongly into a partner's console, or a call that is new there. They are 404, and leave
//! a row in the inbox (`unknown_call`), so that they are found: of a partner's own one a day for each name, of anybody's one a day and partner,
//! without the body. However many come, the database is asked once a minute at most for each of them.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use ticketbridge_core::port::{AuthError, Context, RawRequest};
use ticketbridge_core::quoted::Quoted;
use ticketbridge_core::{BackendId, UnixMillis};
use ticketbridge_store::Direction;

use crate::engine::unknown_calls::UnknownCall;
use crate::http::Shared;
use crate::http::belief::Terms;
use crate::http::call_log::InboundCall;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::telemetry::seldom;

/// Characters of a stranger's word that are shown.
const WORD_CHARS_SHOWN_MAX: usize = 64;
/// Time for writing the row; the answer is 404 all the same.
const NOTE_WITHIN: Duration = Duration::from_secs(2);

/// Whose call it seems to be.
pub(crate) struct Partner<'a> {
    pub(crate) id: &'a str,
    pub(crate) rate: u32,
    pub(crate) bytes_max: usize,
    /// What stands in the path where a call's name would.
    pub(crate) call: &'a str,
}

/// `/backends/{backend}/…`, where it is neither events nor a hint.
pub async fn of_backend(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((backend, call)): Path<(String, String)>,
    request: Request,
) -> Response {
    let running = shared.engine.running();
    let Some(backend) = running.registry.backend(&BackendId::new(backend)) else {
        return Problem::new(StatusCode::NOT_FOUND, "unknown_backend", "no back-end of this name is configured")
            .into_response();
    };
    let caller = shared.caller(peer, request.headers(), &running);
    let partner = Partner {
        id: backend.id.as_str(),
        rate: running.config.server.rate_per_caller,
        bytes_max: ticketbridge_core::limits::BODY_BYTES_MAX,
        call: &call,
    };
    let verify = |raw: RawRequest<'_>, cx: &Context<'_>| {
        let pushes = backend.backend.pushes().ok_or(AuthError::Missing("a back-end that calls"))?;
        pushes.verify(raw, cx).map(|by| by.key_index())
    };
    note(&shared, &partner, caller, request, verify).await;
    Problem::new(StatusCode::NOT_FOUND, "unknown_call", "back-ends call /backends/{id}/events").into_response()
}

/// Counts the call, and leaves its trace.
pub(crate) async fn note(
    shared: &Shared,
    partner: &Partner<'_>,
    caller: Caller,
    request: Request,
    verify: impl Fn(RawRequest<'_>, &Context<'_>) -> Result<usize, AuthError>,
) {
    metrics::counter!("ticketbridge_unknown_calls_total", "channel" => partner.id.to_owned()).increment(1);
    let (now, at) = (shared.engine.clock().monotonic(), shared.engine.clock().now());
    let name = Quoted::code(&partner.call.chars().take(WORD_CHARS_SHOWN_MAX).collect::<String>());
    let is_proved = is_proved(shared, partner, caller, request, at, verify).await;
    let call = InboundCall {
        order: None,
        direction: Direction::In,
        partner: partner.id.to_owned(),
        call: if is_proved { name.as_str().to_owned() } else { "unknown".to_owned() },
        at,
        duration: ticketbridge_core::Millis(0),
        status: StatusCode::NOT_FOUND.as_u16(),
        verdict: if is_proved { "unknown_call".to_owned() } else { "unknown_call_unproved".to_owned() },
    };
    let is_noted = if is_proved { shared.call_log.sample_named(call, now) } else { shared.call_log.sample(call, now) };
    if !is_noted {
        return;
    }
    tracing::warn!(partner = partner.id, call = %name.as_str().escape_debug(), proved = is_proved,
        "there is no such call; is its address in the partner's console right?");
    let (engine, partner) = (shared.engine.clone(), partner.id.to_owned());
    let noted = async move { engine.note_unknown_call(UnknownCall { partner, name, is_proved, at }).await };
    if let Ok(Err(error)) = shared.works.within("unknown_call", NOTE_WITHIN, noted).await
        && let Some(unsaid) = seldom::is_due(&seldom::root(&error))
    {
        tracing::error!(error = %crate::trouble::chain(&error), unsaid, "the trace of an unknown call could not be written");
    }
}

/// Whether it carries the partner's own signature.
async fn is_proved(
    shared: &Shared,
    partner: &Partner<'_>,
    caller: Caller,
    request: Request,
    now: UnixMillis,
    verify: impl Fn(RawRequest<'_>, &Context<'_>) -> Result<usize, AuthError>,
) -> bool {
    let (parts, body) = request.into_parts();
    let terms = Terms { partner: partner.id, caller, rate: partner.rate, bytes_max: partner.bytes_max };
    let nonce = shared.engine.ids().nonce();
    let cx = Context::without_delivery(now, nonce);
    let (query, headers) = (parts.uri.query().unwrap_or(""), &parts.headers);
    let raw =
        |body: &[u8]| verify(RawRequest { endpoint: partner.call, method: &Method::POST, query, headers, body }, &cx);
    terms.let_in(shared, headers, body, raw).await.is_ok()
}
