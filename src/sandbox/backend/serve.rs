// SPDX-License-Identifier: Apache-2.0

//! The calls of `adapters/ticketing_http/README.md`, served.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::routing::{get, post};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

use super::books::{Books, CallRecord, Reservation, ReservationState};
use super::options::{CancelMode, IssueMode, SimBackendOptions};
use super::running::{SimBackend, State};
use crate::journal::{Ending, Entry, Party};
use crate::machine::Machine;
use crate::net::broken_answer;
use crate::webhook;

/// How long a call hangs when the mode says so, real time: longer than any caller waits.
const HANG: Duration = Duration::from_secs(120);
/// Stock and price of every day that is asked for.
const REMAINING: u32 = 200;

fn router(backend: SimBackend) -> Router {
    Router::new()
        .route("/reservations", post(reserve))
        .route("/reservations/{id}", get(read))
        .route("/reservations/{id}/cancel", post(cancel))
        .route("/availability", get(availability))
        .with_state(backend)
}

/// What a mode makes of one call.
enum Turn {
    Execute,
    ExecuteAndLose,
    Refuse(String),
    Pend(Option<Duration>),
    Hang,
    Status(u16),
}

/// One call while it is served.
struct Served<'a> {
    backend: &'a SimBackend,
    call: &'static str,
    reservation_id: Option<String>,
    headers: &'a HeaderMap,
    body: Value,
    at: Duration,
}

async fn reserve(Extract(backend): Extract<SimBackend>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let at = backend.time().elapsed();
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let id = request.get("reservation_id").and_then(Value::as_str).map(str::to_owned);
    let served = Served {
        backend: &backend,
        call: "reserve",
        reservation_id: id.clone(),
        headers: &headers,
        body: request.clone(),
        at,
    };
    if let Err(refused) = backend.admit(&headers, &body) {
        return served.answer(refused.0, refused.1);
    }
    let Some(id) = id else {
        return served
            .answer(StatusCode::BAD_REQUEST, json!({ "code": "malformed", "detail": "reservation_id is missing" }));
    };
    let turn = backend.next_issue_turn();
    match turn {
        Turn::Hang => return served.hang().await,
        Turn::Status(status) => return served.answer(status_of(status), json!({})),
        Turn::Execute | Turn::ExecuteAndLose | Turn::Refuse(_) | Turn::Pend(_) => {}
    }
    if let Err(conflict) = backend.enter(&id, &request) {
        return served.answer(StatusCode::CONFLICT, conflict);
    }
    backend.carry_out(&id, &turn);
    let answer = backend.answer_about(&id);
    match turn {
        Turn::ExecuteAndLose => served.lose(answer),
        _ => served.answer(StatusCode::CREATED, answer),
    }
}

async fn read(Extract(backend): Extract<SimBackend>, Path(id): Path<String>, headers: HeaderMap) -> Response<Body> {
    let at = backend.time().elapsed();
    let served = Served {
        backend: &backend,
        call: "read",
        reservation_id: Some(id.clone()),
        headers: &headers,
        body: Value::Null,
        at,
    };
    if let Err(refused) = backend.admit(&headers, b"") {
        return served.answer(refused.0, refused.1);
    }
    let known = backend.state().books.reservations.contains_key(&id);
    if known {
        served.answer(StatusCode::OK, backend.answer_about(&id))
    } else {
        served.answer(StatusCode::NOT_FOUND, json!({ "code": "unknown_reservation" }))
    }
}

async fn cancel(
    Extract(backend): Extract<SimBackend>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let at = backend.time().elapsed();
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let served = Served {
        backend: &backend,
        call: "cancel",
        reservation_id: Some(id.clone()),
        headers: &headers,
        body: request.clone(),
        at,
    };
    if let Err(refused) = backend.admit(&headers, &body) {
        return served.answer(refused.0, refused.1);
    }
    let turn = backend.next_cancel_turn();
    match turn {
        Turn::Hang => return served.hang().await,
        Turn::Status(status) => return served.answer(status_of(status), json!({})),
        Turn::Execute | Turn::ExecuteAndLose | Turn::Refuse(_) | Turn::Pend(_) => {}
    }
    let reason = request.get("reason").and_then(Value::as_str).unwrap_or_default();
    let answer = backend.cancel_asked(&id, reason, &turn);
    match (answer, turn) {
        (None, _) => served.answer(StatusCode::NOT_FOUND, json!({ "code": "unknown_reservation" })),
        (Some(answer), Turn::ExecuteAndLose) => served.lose(answer),
        (Some(answer), _) => served.answer(StatusCode::OK, answer),
    }
}

async fn availability(Extract(backend): Extract<SimBackend>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let at = backend.time().elapsed();
    let served = Served {
        backend: &backend,
        call: "availability",
        reservation_id: None,
        headers: &headers,
        body: Value::Null,
        at,
    };
    if let Err(refused) = backend.admit(&headers, b"") {
        return served.answer(refused.0, refused.1);
    }
    let query = uri.query().unwrap_or_default();
    let date = |name: &str| {
        let pair = query.split('&').filter_map(|p| p.split_once('=')).find(|(key, _)| *key == name);
        pair.and_then(|(_, value)| value.parse::<chrono::NaiveDate>().ok())
    };
    let (Some(from), Some(to)) = (date("from"), date("to")) else {
        return served
            .answer(StatusCode::BAD_REQUEST, json!({ "code": "malformed", "detail": "from and to are dates" }));
    };
    let days: Vec<Value> = from
        .iter_days()
        .take_while(|day| *day <= to)
        .take(100)
        .map(|day| json!({ "date": day.to_string(), "remaining": REMAINING, "price": 19_900, "currency": "CNY" }))
        .collect();
    served.answer(StatusCode::OK, json!({ "days": days }))
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl Served<'_> {
    fn answer(self, status: StatusCode, answer: Value) -> Response<Body> {
        self.record(status.as_u16(), &answer);
        let mut response = Response::new(Body::from(answer.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        response
    }

    /// What was to be answered was carried out, and the answer breaks off.
    fn lose(self, answer: Value) -> Response<Body> {
        self.record(0, &answer);
        broken_answer()
    }

    async fn hang(self) -> Response<Body> {
        self.record(0, &Value::Null);
        self.backend.time().pass_really(HANG).await;
        broken_answer()
    }

    fn record(&self, status: u16, answer: &Value) {
        let read = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let state = answer.get("state").and_then(Value::as_str);
        let reason = answer.get("reason").and_then(Value::as_str).unwrap_or_default();
        let (ending, outcome) = match (status, state) {
            (0, _) => (Ending::Failed, "no answer".to_owned()),
            (_, Some("issued")) => (Ending::Done, "tickets in the answer".to_owned()),
            (_, Some("cancelled")) => (Ending::Done, "tickets are void".to_owned()),
            (_, Some("pending")) => (Ending::Waiting, "works on it".to_owned()),
            (_, Some("refused")) => (Ending::Refused, format!("refused: {reason}")),
            (200..=299, _) => (Ending::Done, "ok".to_owned()),
            (status, _) => (Ending::Failed, format!("HTTP {status}")),
        };
        let record = CallRecord {
            at: self.at,
            call: self.call.to_owned(),
            reservation_id: self.reservation_id.clone(),
            headers: self.headers.iter().map(|(name, value)| (name.to_string(), read(value))).collect(),
            body: self.body.clone(),
            status,
            answer: answer.clone(),
        };
        let attempt = self.backend.change(|state| {
            let books = &mut state.books;
            let earlier =
                books.calls.iter().filter(|c| c.call == record.call && c.reservation_id == record.reservation_id);
            let attempt = u32::try_from(earlier.count()).unwrap_or(u32::MAX).saturating_add(1);
            books.calls.push(record);
            attempt
        });
        self.backend.journal().add(Entry {
            at: self.at,
            from: Party::Bridge,
            to: Party::Backend,
            call: self.call.to_owned(),
            sale: None,
            attempt,
            ending,
            outcome,
            took: self.backend.time().elapsed().saturating_sub(self.at),
        });
    }
}

type Problem = (StatusCode, Value);

impl SimBackend {
    /// Starts it on a free port of this machine. Fails when no port can be had.
    pub async fn start(options: SimBackendOptions) -> std::io::Result<Self> {
        let state = State {
            bridge_url: options.bridge_url.clone(),
            issue: options.issue.clone(),
            cancel: options.cancel.clone(),
            books: Books::default(),
            next_number: 0,
        };
        let (machine, listener) = Machine::open(options.listen, options, state).await?;
        let backend = Self { machine };
        backend.machine.serve(listener, router(backend.inside()));
        Ok(backend)
    }

    /// Verifies the signature, and that an idempotency key is not used for two things.
    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
        let unbelieved = webhook::admit(&self.machine.options().secret, headers, body, self.time().now_s()).err();
        if let Some(why) = unbelieved {
            self.violation("", format!("a call that is not believed: {why}"));
            return Err((StatusCode::UNAUTHORIZED, json!({ "code": "unauthenticated", "detail": why.to_string() })));
        }
        let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if body.is_empty() || key.is_empty() {
            return Ok(());
        }
        let hash = hex::encode(Sha256::digest(body));
        let before = self.change(|state| state.books.keys.insert(key.to_owned(), hash.clone()));
        if before.is_some_and(|before| before != hash) {
            self.violation("", "one Idempotency-Key for two different bodies");
            return Err((StatusCode::UNPROCESSABLE_ENTITY, json!({ "code": "idempotency_key_reused" })));
        }
        Ok(())
    }

    fn next_issue_turn(&self) -> Turn {
        self.change(|state| match &mut state.issue {
            IssueMode::Immediate => Turn::Execute,
            IssueMode::Pending { issue_after } => Turn::Pend(*issue_after),
            IssueMode::Refuse(reason) => Turn::Refuse(reason.clone()),
            IssueMode::Hang => Turn::Hang,
            IssueMode::Status(status) => Turn::Status(*status),
            IssueMode::Flaky(left) if *left > 0 => {
                *left -= 1;
                Turn::Status(500)
            }
            IssueMode::LoseAnswer(left) if *left > 0 => {
                *left -= 1;
                Turn::ExecuteAndLose
            }
            IssueMode::Flaky(_) | IssueMode::LoseAnswer(_) => Turn::Execute,
        })
    }

    fn next_cancel_turn(&self) -> Turn {
        self.change(|state| match &mut state.cancel {
            CancelMode::Accept => Turn::Execute,
            CancelMode::Pending { cancel_after } => Turn::Pend(*cancel_after),
            CancelMode::Refuse(reason) => Turn::Refuse(reason.clone()),
            CancelMode::Hang => Turn::Hang,
            CancelMode::Status(status) => Turn::Status(*status),
            CancelMode::LoseAnswer(left) if *left > 0 => {
                *left -= 1;
                Turn::ExecuteAndLose
            }
            CancelMode::LoseAnswer(_) => Turn::Execute,
        })
    }

    /// Enters a reservation, or recognises it: the same id with another content is a conflict.
    fn enter(&self, id: &str, request: &Value) -> Result<(), Value> {
        let quantity = request.get("quantity").and_then(Value::as_u64).and_then(|q| u32::try_from(q).ok()).unwrap_or(1);
        // The time limit may be written anew on a repeat; everything else must be the same.
        let essence = |body: &Value| {
            let mut body = body.clone();
            if let Some(fields) = body.as_object_mut() {
                fields.remove("issue_by");
            }
            body
        };
        let conflict = self.change(|state| match state.books.reservations.get_mut(id) {
            Some(known) => {
                known.asks += 1;
                essence(&known.request) != essence(request)
            }
            None => {
                let reservation = Reservation {
                    id: id.to_owned(),
                    request: request.clone(),
                    quantity,
                    state: ReservationState::Pending,
                    codes: Vec::new(),
                    issues: 0,
                    asks: 1,
                    cancels: 0,
                    cancel_reasons: Vec::new(),
                };
                state.books.reservations.insert(id.to_owned(), reservation);
                false
            }
        });
        if conflict {
            self.violation(id, "the same reservation asked for with another content");
            return Err(json!({ "code": "reservation_differs" }));
        }
        Ok(())
    }

    fn carry_out(&self, id: &str, turn: &Turn) {
        match turn {
            Turn::Execute | Turn::ExecuteAndLose => {
                // A repeat finds the tickets made: nothing is made twice.
                let _ = self.make_tickets(id);
            }
            Turn::Refuse(reason) => self.change(|state| {
                if let Some(r) = state.books.reservations.get_mut(id).filter(|r| r.state == ReservationState::Pending) {
                    r.state = ReservationState::Refused(reason.clone());
                }
            }),
            Turn::Pend(Some(after)) if self.is_first_ask(id) => {
                let (id, after) = (id.to_owned(), *after);
                self.meanwhile(|backend| async move {
                    backend.time().pass(after).await;
                    backend.issue_now(&id).await;
                });
            }
            Turn::Pend(_) | Turn::Hang | Turn::Status(_) => {}
        }
    }

    fn is_first_ask(&self, id: &str) -> bool {
        self.state().books.reservations.get(id).is_some_and(|r| r.asks == 1)
    }

    /// The answer of section 5 about a reservation as it stands.
    pub(super) fn answer_about(&self, id: &str) -> Value {
        let state = self.state();
        let Some(reservation) = state.books.reservations.get(id) else { return json!({}) };
        let (word, reason) = match &reservation.state {
            ReservationState::Pending => ("pending", None),
            ReservationState::Issued | ReservationState::Used | ReservationState::Cancelling => ("issued", None),
            ReservationState::Refused(reason) => ("refused", Some(reason.clone())),
            ReservationState::Cancelled => ("refused", Some("cancelled".to_owned())),
        };
        let tickets: Vec<Value> = reservation
            .codes
            .iter()
            .enumerate()
            .filter(|_| word == "issued")
            .map(|(n, code)| json!({ "code": code, "kind": "code", "project_id": format!("P{}", n + 1), "name": "Main gate" }))
            .collect();
        json!({ "state": word, "backend_ref": format!("SB-{id}"), "tickets": tickets, "reason": reason })
    }

    fn cancel_asked(&self, id: &str, reason: &str, turn: &Turn) -> Option<Value> {
        let (answer, pending) = self.change(|state| {
            let reservation = state.books.reservations.get_mut(id)?;
            reservation.cancels += 1;
            reservation.cancel_reasons.push(reason.to_owned());
            let refused = |why: &str| (json!({ "state": "refused", "reason": why }), None);
            Some(match (&reservation.state, turn) {
                (ReservationState::Used, _) => refused("used"),
                (ReservationState::Cancelled, _) => (json!({ "state": "cancelled" }), None),
                (_, Turn::Refuse(why)) => refused(why),
                (ReservationState::Cancelling, Turn::Pend(_)) => (json!({ "state": "pending" }), None),
                (_, Turn::Pend(after)) => {
                    reservation.state = ReservationState::Cancelling;
                    (json!({ "state": "pending" }), *after)
                }
                _ => {
                    reservation.state = ReservationState::Cancelled;
                    (json!({ "state": "cancelled" }), None)
                }
            })
        })?;
        if let Some(after) = pending {
            let id = id.to_owned();
            self.meanwhile(|backend| async move {
                backend.time().pass(after).await;
                backend.cancelled(&id).await;
            });
        }
        Some(answer)
    }
}
