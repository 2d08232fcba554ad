// SPDX-License-Identifier: Apache-2.0

//! What a back-end tells by itself: `POST /backends/{backend}/events`, over Standard Webhooks (`docs/src/contract/signatures.md`).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::json;
use ticketbridge_core::limits::BODY_BYTES_MAX;
use ticketbridge_core::message::{Actor, ActorKind, Command, ParkReason, Redeem, RedeemedBy};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{AuthError, BackendEvent, BackendNews, Context, DecodeError, RawRequest, Verified};
use ticketbridge_core::{BackendId, Millis};
use ticketbridge_store::Direction;

use crate::accounts::doors::Admitted;
use crate::engine::backend_event::{Heard, HeardEvent};
use crate::http::belief::{Believed, Terms, TurnedAway};
use crate::http::call_log::InboundCall;
use crate::http::caller::Caller;
use crate::http::ops::common_zone;
use crate::http::problem::Problem;
use crate::http::webhook::trace_of;
use crate::http::{Shared, nesting};
use crate::recorder::course;
use crate::recorder::tape::{Came, Piece, headers_of};
use crate::recorder::turns::Decided;
use crate::service::registry::RegisteredBackend;
use crate::telemetry::seldom;
use crate::telemetry::traces::Open;

/// Time for the answer to an event, from when it is there: senders of webhooks wait for longer, and send it again.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_750);

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
    let caller = shared.caller(peer, request.headers(), &running);
    let (parts, body) = request.into_parts();
    let (believed, decided) = (OnceLock::new(), Decided::default());
    let came = trace_of(&parts.headers);
    let mut span = Open::incoming(format!("POST /backends/{}/events", backend.id), came.as_deref());
    let trace = span.traceparent(came);
    let (answer, course) = if shared.stopping.is_cancelled() {
        (Err(NotTaken::Unverified(Problem::stopping())), Arc::default())
    } else {
        let (headers, decided) = (&parts.headers, decided.clone());
        let head = Head { shared: &shared, backend: &backend, headers, caller, body: &believed, trace, decided };
        let hears = Box::pin(head.hear(body, running.config.server.rate_per_caller));
        course::noting(shared.engine.turn(), hears).await
    };
    let took = shared.engine.clock().monotonic().saturating_sub(started.1);
    let took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    let record = |order, status, outcome: &str| InboundCall {
        order,
        direction: Direction::In,
        partner: backend.id.to_string(),
        call: "events".to_owned(),
        at: started.0,
        duration: Millis(took_ms),
        status,
        verdict: outcome.to_owned(),
    };
    let record_on_tape = |status: u16, order: Option<&Order>, said: String| {
        let Some(body) = believed.get() else { return };
        shared.recorder.record(started.0, || {
            Piece::In(Box::new(Came {
                path: format!("/backends/{}/events", backend.id),
                query: String::new(),
                headers: headers_of(&parts.headers),
                body: String::from_utf8_lossy(body).into_owned(),
                by: None,
                acted: None,
                seed: None,
                status,
                answer: said,
                took: Millis(took_ms),
                order: order.map(|order| order.id.clone()),
                decided: decided.turn(),
                answered: None,
                seeds: course.seeds(),
                // Nobody is asked on its way.
                began: None,
                points: Vec::new(),
            }))
        });
    };
    let (response, call, is_recorded) = match answer {
        Ok((heard, order)) => {
            let (status, outcome, body) = words(&heard, order.as_ref());
            record_on_tape(status.as_u16(), order.as_ref(), body.to_string());
            let call = record(order.map(|order| order.id), status.as_u16(), outcome);
            ((status, Json(body)).into_response(), call.clone(), shared.call_log.record(call))
        }
        Err(NotTaken::Verified(problem)) => {
            record_on_tape(problem.status, None, String::new());
            let call = record(None, problem.status, "refused");
            (problem.into_response(), call.clone(), shared.call_log.record(call))
        }
        Err(NotTaken::Unverified(problem)) => {
            let outcome = if problem.status == 401 { "unauthenticated" } else { "refused" };
            let call = record(None, problem.status, outcome);
            (problem.into_response(), call.clone(), shared.call_log.sample(call, started.1))
        }
    };
    span.note("ticketbridge.outcome", call.verdict.clone());
    if let Some(order) = &call.order {
        span.note("ticketbridge.order", order.to_string());
    }
    span.end(Some(call.status));
    metrics::counter!("ticketbridge_backend_events_total", "backend" => backend.id.to_string(), "outcome" => call.verdict.clone())
        .increment(1);
    if is_recorded {
        tracing::info!(backend = %backend.id, outcome = call.verdict, status = call.status, duration_ms = took_ms,
            order = call.order.as_ref().map(|id| id.as_str()), "event answered");
    }
    response
}

/// Why an event is not heard.
enum NotTaken {
    /// The back-end has sent it, as was proved.
    Verified(Problem),
    /// Nobody knows who has.
    Unverified(Problem),
}

impl<P: Into<Problem>> From<P> for NotTaken {
    fn from(problem: P) -> Self {
        NotTaken::Verified(problem.into())
    }
}

/// An event without its body.
struct Head<'a> {
    shared: &'a Shared,
    backend: &'a Arc<RegisteredBackend>,
    headers: &'a HeaderMap,
    caller: Caller,
    /// What it brought, once it was believed.
    body: &'a OnceLock<Bytes>,
    /// The trace that goes on with what it causes.
    trace: Option<String>,
    /// When it is decided, among everything else that is.
    decided: Decided,
}

impl Head<'_> {
    fn raw<'a>(&'a self, body: &'a [u8]) -> RawRequest<'a> {
        RawRequest { endpoint: "events", method: &Method::POST, query: "", headers: self.headers, body }
    }

    async fn hear(&self, body: axum::body::Body, rate: u32) -> Result<(Heard, Option<Order>), NotTaken> {
        let engine = &self.shared.engine;
        let now = engine.clock().now();
        if let Admitted::No(opens_at) = self.shared.doors.load().admit(self.backend.id.as_str(), self.caller, now) {
            let sentence = "this address is not on the back-end's list";
            let problem = Problem::new(StatusCode::FORBIDDEN, "ip_not_registered", sentence);
            let zone = common_zone(&engine.running());
            return Err(NotTaken::Unverified(problem.pending(opens_at.map(|at| at.rfc3339(zone)))));
        }
        let cx = Context::without_delivery(now, engine.ids().nonce());
        let partner = self.backend.id.as_str();
        let terms = Terms { partner, caller: self.caller, rate, bytes_max: BODY_BYTES_MAX };
        let proves = |backend: &RegisteredBackend, body: &[u8]| {
            let pushes = backend.backend.pushes().ok_or(AuthError::Missing("a back-end that calls"))?;
            pushes.verify(self.raw(body), &cx).map(|proved| proved.key_index())
        };
        // Of the body that was looked at last: the first is only the head's.
        let is_to_come = AtomicBool::new(false);
        let running = engine.running();
        let coming = running.registry.coming_backend(&self.backend.id);
        let verify = |body: &[u8]| {
            let proved = proves(self.backend, body);
            let will_be = coming.is_some_and(|(coming, _)| proves(coming, body).is_ok());
            is_to_come.store(proved.is_err() && will_be, Ordering::Relaxed);
            proved
        };
        let believed = match terms.let_in(self.shared, self.headers, body, verify).await {
            Ok(believed) => believed,
            Err(TurnedAway::Problem(problem)) => return Err(NotTaken::Unverified(problem)),
            Err(TurnedAway::NotBelieved(error)) => {
                tracing::warn!(backend = %self.backend.id, "a back-end's caller is not believed: {error}");
                let problem = match coming.filter(|_| is_to_come.load(Ordering::Relaxed)) {
                    Some((_, from)) => Problem::of_coming_secret(from.rfc3339(common_zone(&running))),
                    None => unauthenticated(&error),
                };
                return Err(NotTaken::Unverified(problem));
            }
        };
        self.body.set(believed.body.clone()).ok();
        let Some(heard) = self.read(believed)? else { return Ok((Heard::Ignored, None)) };
        let engine = engine.clone();
        let heard = self.shared.works.within("events", ANSWER_WITHIN, async move { engine.hear(heard).await }).await;
        Ok(heard.map_err(|error| {
            if let Some(unsaid) = seldom::is_due(&seldom::root(&error)) {
                tracing::error!(backend = %self.backend.id, unsaid, "an event could not be taken; the sender is asked to come again: {error}");
            }
            Problem::trouble()
        })??)
    }

    /// What a verified event says; `None` when it changes nothing.
    fn read(&self, believed: Believed) -> Result<Option<HeardEvent>, Problem> {
        let Believed { body, key_index } = believed;
        if !is_json(self.headers) {
            let what = "an event is JSON: send it as application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", what));
        }
        if let Some(reason) = nesting::too_deep(&body) {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", format!("the body's {reason}")).at("body"));
        }
        if !serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|body| body.is_object()) {
            let what = "the body is not a JSON object in UTF-8";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", what).at("body"));
        }
        let verified = Verified::attest(self.raw(&body), key_index);
        let pushes =
            self.backend.backend.pushes().ok_or_else(|| DecodeError::new("body", "this back-end does not call"));
        let event = pushes.and_then(|pushes| pushes.decode(&verified)).map_err(|error| {
            let errors = error.every();
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed", error.reason.clone())
                .at(error.field)
                .with_errors(&errors)
        })?;
        let Some(command) = command_of(&event) else { return Ok(None) };
        Ok(Some(HeardEvent {
            backend: self.backend.id.clone(),
            actor: Actor::new(ActorKind::Backend, self.backend.id.as_str()),
            event,
            command,
            traceparent: self.trace.clone(),
            body,
            decided: self.decided.clone(),
        }))
    }
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
            let (booking, count) = (Some(event.booking.clone()), event.clues.count());
            Some(Command::Redeem(Redeem { booking, at: *at, by: RedeemedBy::Gate, count }))
        }
        BackendNews::Ignored => None,
    }
}

fn unauthenticated(error: &AuthError) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, error.code(), error.told())
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
        Heard::Astray(field) => {
            let what =
                "the event names something of another reservation; nothing of it is taken over, and a person is told";
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "another_reservation", what).at(*field);
            (StatusCode::UNPROCESSABLE_ENTITY, "astray", serde_json::to_value(problem).unwrap_or_default())
        }
        Heard::Parked(kind) => {
            let reason = match kind {
                ParkReason::TooEarly => "too_early",
                ParkReason::NotTicketed => "not_ticketed",
                ParkReason::RefundUnderReview => "refund_under_review",
            };
            let mut body = about("parked");
            body["reason"] = json!(reason);
            (StatusCode::ACCEPTED, "parked", body)
        }
    }
}
