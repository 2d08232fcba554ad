//! What a back-end tells by itself: `POST /backends/{backend}/events`, over Standard Webhooks (`contract.md` 4 and 5).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::json;
use sha2::{Digest, Sha256};
use ticketbridge_core::command::{Command, Redeem, RedeemedBy};
use ticketbridge_core::event::{Actor, ActorKind};
use ticketbridge_core::limits::BODY_BYTES_MAX;
use ticketbridge_core::order::{AttentionKind, Order};
use ticketbridge_core::port::{AuthError, BackendEvent, BackendNews, Context, RawRequest};
use ticketbridge_core::{BackendId, Millis};
use ticketbridge_store::Direction;

use crate::call_log::InboundCall;
use crate::engine::backend_event::{Heard, HeardEvent};
use crate::http::problem::Problem;
use crate::http::webhook::trace_of;
use crate::http::{Shared, caller, incoming_body, nesting};
use crate::registry::RegisteredBackend;

/// `POST /backends/{backend}/events`.
pub async fn receive(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(backend): Path<String>,
    request: Request,
) -> Response {
    let started = (shared.engine.clock().now(), shared.engine.clock().monotonic());
    let running = shared.engine.running();
    let Some(backend) = running.registry.backend(&BackendId::new(backend)) else {
        return Problem::new(StatusCode::NOT_FOUND, "unknown_backend", "no back-end of this name is configured")
            .into_response();
    };
    let (parts, body) = request.into_parts();
    let caller = caller::identify(peer, &parts.headers, &running.config.server.trusted_proxies);
    let answer = if shared.stopping.is_cancelled() {
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the service is shutting down; try again")
            .after(5))
    } else if !shared.callers.admit(backend.id.as_str(), caller, running.config.server.rate_per_caller) {
        Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "too many requests from this address")
            .after(1))
    } else {
        match incoming_body::read(body, BODY_BYTES_MAX).await {
            Ok(body) => hear(&shared, &backend, &parts.headers, body).await,
            Err(problem) => Err(problem),
        }
    };
    let took = shared.engine.clock().monotonic().saturating_sub(started.1);
    let (response, status, outcome, order) = match answer {
        Ok((heard, order)) => {
            let (status, outcome, body) = words(&heard, order.as_ref());
            let id = order.map(|order| order.id);
            ((status, Json(body)).into_response(), status.as_u16(), outcome, id)
        }
        Err(problem) => {
            let status = problem.status;
            (problem.into_response(), status, "refused", None)
        }
    };
    let took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    metrics::counter!("ticketbridge_backend_events_total", "backend" => backend.id.to_string(), "outcome" => outcome)
        .increment(1);
    tracing::info!(backend = %backend.id, outcome, status, duration_ms = took_ms,
        order = order.as_ref().map_or("", |id| id.as_str()), "event answered");
    shared.call_log.record(InboundCall {
        order,
        direction: Direction::In,
        partner: backend.id.to_string(),
        call: "events".to_owned(),
        at: started.0,
        duration: Millis(took_ms),
        status,
        verdict: outcome.to_owned(),
    });
    response
}

async fn hear(
    shared: &Shared,
    backend: &Arc<RegisteredBackend>,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(Heard, Option<Order>), Problem> {
    let raw = RawRequest { endpoint: "events", method: &Method::POST, query: "", headers, body: &body };
    let now = shared.engine.clock().now();
    let cx = Context { now, nonce: shared.engine.ids().nonce(), delivery_id: "", access_token: None, attempt: 1 };
    let verified = backend.backend.verify(raw, &cx).map_err(|error| {
        tracing::warn!(backend = %backend.id, "a back-end's caller is not believed: {error}");
        unauthenticated(&error)
    })?;
    if !is_json(headers) {
        let what = "an event is JSON: send it as application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", what));
    }
    if let Some(reason) = nesting::too_deep(&body) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", format!("the body's {reason}")).at("body"));
    }
    if !serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|body| body.is_object()) {
        return Err(
            Problem::new(StatusCode::BAD_REQUEST, "malformed", "the body is not a JSON object in UTF-8").at("body")
        );
    }
    let event = backend.backend.decode(&verified).map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed", error.reason.clone()).at(error.field)
    })?;
    let Some(command) = command_of(&event) else { return Ok((Heard::Ignored, None)) };
    let heard = HeardEvent {
        backend: backend.id.clone(),
        actor: Actor::new(ActorKind::Backend, backend.id.as_str()),
        event,
        command,
        body_sha256: hex::encode(Sha256::digest(&body)),
        traceparent: trace_of(headers),
        body,
    };
    Ok(shared.engine.hear(heard).await?)
}

/// Whether the sender says that the body is JSON, or nothing at all.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn command_of(event: &BackendEvent) -> Option<Command> {
    match &event.news {
        BackendNews::Facts(facts) => {
            Some(Command::RecordTicketFacts { booking: event.booking.clone(), facts: facts.clone() })
        }
        BackendNews::Redeemed { at } => {
            Some(Command::Redeem(Redeem { booking: Some(event.booking.clone()), at: *at, by: RedeemedBy::Gate }))
        }
        BackendNews::Ignored => None,
    }
}

fn unauthenticated(error: &AuthError) -> Problem {
    let code = match error {
        AuthError::Missing(_) => "missing_signature",
        // One word for both: nobody learns by asking which keys there are.
        AuthError::UnknownKey(_) | AuthError::BadSignature | AuthError::Ambiguous(_) => "bad_signature",
        AuthError::BadTimestamp(_) | AuthError::StaleTimestamp { .. } => "bad_timestamp",
    };
    Problem::new(StatusCode::UNAUTHORIZED, code, error.told())
}

fn words(heard: &Heard, order: Option<&Order>) -> (StatusCode, &'static str, serde_json::Value) {
    let about = |result: &str| match order {
        Some(order) => json!({"result": result, "order_id": order.id, "version": order.version}),
        None => json!({"result": result}),
    };
    match heard {
        Heard::Accepted => (StatusCode::OK, "accepted", about("accepted")),
        Heard::Duplicate => (StatusCode::OK, "duplicate", about("duplicate")),
        Heard::Stale => (StatusCode::OK, "stale", about("stale")),
        Heard::Ignored => (StatusCode::OK, "ignored", about("ignored")),
        Heard::Parked(kind) => {
            let reason = match kind {
                AttentionKind::TooEarly => "too_early",
                AttentionKind::NotTicketed => "not_ticketed",
                _ => "refund_under_review",
            };
            let mut body = about("parked");
            body["reason"] = json!(reason);
            (StatusCode::ACCEPTED, "parked", body)
        }
    }
}
