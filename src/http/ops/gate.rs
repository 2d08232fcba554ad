// SPDX-License-Identifier: Apache-2.0

//! How a call of the ops interface goes: who asks is known, then it is checked against the table, carried out once, audited and recorded.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{StatusCode, header};
use ticketbridge_core::limits::BODY_BYTES_MAX;
use ticketbridge_core::port::FieldError;
use ticketbridge_core::quoted::Quoted;

use crate::accounts::scope::Reach;
use crate::accounts::signing_in::From as Comes;
use crate::accounts::{self, Holder};
use crate::console::catalogue::Language;
use crate::engine::EngineError;
use crate::engine::manual_commands::{Keep, Once, is_receipt};
use crate::http::ops::body::Given;
use crate::http::ops::call::{Body, Call, Failure, JSON, Outcome, PREFIX, Request, Said, Turn, Verb};
use crate::http::ops::fields::FieldKind;
use crate::http::ops::query::Asked;
use crate::http::ops::{auth, languages, once, session};
use crate::http::problem::Problem;
use crate::http::works::Unfinished;
use crate::http::{Shared, health, incoming_body};
use crate::recorder::course;
use crate::recorder::rights;
use crate::recorder::tape::{Came, Piece, headers_of};
use crate::service::live::Running;

/// Bytes of a body that brings codes.
const CODES_BYTES_MAX: usize = 16 * BODY_BYTES_MAX;

/// Time for the answer to a call.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The same for the acts that go through many rows, or ask partners.
const LONG_ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Which those are.
const LONG_CALLS: [&str; 7] = [
    "/codes/{pool}",
    "/codes/{pool}/withdraw",
    "/reconciliation",
    "/config/reload",
    "/guests/export",
    "/guests/erase",
    "/bulk/{id}",
];

/// What a call answers to somebody inside this process.
pub(crate) struct Inside {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body; `null` when it is no JSON.
    pub(crate) body: serde_json::Value,
    /// The cookie of the session, if it changes.
    pub(crate) cookie: Option<http::HeaderValue>,
}

/// Somebody inside this process who makes calls of the interface: the console's pages are built of its answers, so that nobody sees or does
/// there what he could not see or do here.
pub(crate) struct Insider<'a> {
    /// The table of calls.
    pub(crate) calls: &'static [Call],
    /// What every handler shares.
    pub(crate) shared: &'a Shared,
    /// As whom.
    pub(crate) holder: &'a Holder,
    /// From where.
    pub(crate) from: &'a Comes,
    /// In which language sentences are wanted.
    pub(crate) language: Language,
}

impl Insider<'_> {
    /// Makes a call, under an `Idempotency-Key` if there is one. `target` is path and query below the interface.
    pub(crate) async fn make(
        &self,
        method: http::Method,
        target: &str,
        body: Option<&serde_json::Value>,
        key: Option<&str>,
    ) -> Inside {
        let nothing = |problem: Problem| Inside {
            status: StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body: serde_json::to_value(&problem).unwrap_or_default(),
            cookie: None,
        };
        let not_found = || nothing(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"));
        let mut request = http::Request::builder().method(method).uri(format!("{PREFIX}{target}"));
        request = request.header(header::ACCEPT_LANGUAGE, self.language.word());
        if let Some(key) = key {
            request = request.header(once::KEY, key);
        }
        let Ok(request) = request.body(()) else { return not_found() };
        let (parts, ()) = request.into_parts();
        let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let found = self.calls.iter().find_map(|call| {
            let is_same_verb = parts.method.as_str().eq_ignore_ascii_case(call.verb.word());
            Some((call, matched(call.path, path).filter(|_| is_same_verb)?))
        });
        let Some((call, path)) = found else { return not_found() };
        let gate = Gate {
            call,
            calls: self.calls,
            shared: self.shared.clone(),
            running: self.shared.engine.running(),
            holder: self.holder.clone(),
            from: self.from.clone(),
            path,
            parts,
        };
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let response = gate.recorded(axum::body::Body::from(body)).await;
        let (head, body) = response.into_parts();
        // Our own answer: it is as long as it is.
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        Inside {
            status: head.status,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            cookie: head.headers.get(header::SET_COOKIE).cloned(),
        }
    }
}

/// What the body of an act may be.
pub(super) fn body_of(calls: &'static [Call], path: &str) -> Option<&'static Body> {
    let found = calls.iter().find(|call| call.verb == Verb::Post && matched(call.path, path).is_some());
    found.map(|call| &call.body)
}

/// The values in a path that is one of a template's.
fn matched(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (mut wanted, mut given, mut values) = (template.split('/'), path.split('/'), Vec::new());
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(values),
            (Some(step), Some(value)) => match step.strip_prefix('{').and_then(|step| step.strip_suffix('}')) {
                Some(name) => {
                    let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
                    values.push((name.to_owned(), value));
                }
                None if step == value => {}
                None => return None,
            },
            (Some(_), None) | (None, Some(_)) => return None,
        }
    }
}

/// A request whose sender is known.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) call: &'static Call,
    pub(super) calls: &'static [Call],
    pub(super) shared: Shared,
    pub(super) running: std::sync::Arc<Running>,
    pub(super) holder: Holder,
    pub(super) from: Comes,
    pub(super) path: Vec<(String, String)>,
    pub(super) parts: Parts,
}

impl Gate {
    /// Answers; an act is handed to the recorder, since other things follow from it.
    pub(super) async fn recorded(self, body: axum::body::Body) -> Response {
        let at = self.shared.engine.clock().now();
        let (recorder, clock) = (self.shared.recorder.clone(), self.shared.engine.clock().clone());
        let is_act = match self.call.verb {
            Verb::Post | Verb::Delete => true,
            Verb::Get => false,
        };
        let (query, raw) = match self.read(body).await {
            Ok(read) => read,
            Err(problem) => return problem.into_response(),
        };
        // Whose guests are to be forgotten is not to be remembered by a recording.
        let names_guests = self.call.path.starts_with("/guests");
        if !is_act || names_guests || !recorder.is_on() {
            return self.answer(query, raw).await;
        }
        let (uri, headers, by) = (self.parts.uri.clone(), headers_of(&self.parts.headers), self.holder.name.clone());
        let acted = rights::of(&self.holder, at);
        // Where nothing is noted of its decision, it is that of its coming; what it leads to follows it.
        let turn = self.shared.engine.turn();
        let body = raw.clone();
        let (response, course) = course::noting(turn, Box::pin(self.answer(query, raw))).await;
        let status = response.status().as_u16();
        let (began, points) = course.way();
        recorder.record(at, || {
            Piece::In(Box::new(Came {
                path: uri.path().to_owned(),
                query: uri.query().unwrap_or_default().to_owned(),
                headers,
                body: String::from_utf8_lossy(&body).into_owned(),
                by: Some(by),
                acted: Some(acted),
                seed: None,
                status,
                // What a person was shown is not compared; what became of the order is.
                answer: String::new(),
                took: clock.now() - at,
                order: None,
                decided: Some(course.decided().unwrap_or(turn)),
                answered: None,
                seeds: course.seeds(),
                began,
                points,
            }))
        });
        response
    }

    async fn answer(self, query: Asked, raw: Bytes) -> Response {
        let (call, works, limit) = (self.call, self.shared.works.clone(), limit_of(self.call));
        if limit > ANSWER_WITHIN
            && let Err(why) = health::database(&self.shared).await
        {
            // Nobody waits a minute for a database that hangs.
            crate::trouble::log_trouble(call.path, &why);
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", format!("{why}; nothing was done"))
                .after(5)
                .into_response();
        }
        match works.within(call.path, limit, self.carry_out(query, raw)).await {
            Ok(response) => response,
            Err(error) => unfinished(call, limit, error),
        }
    }

    /// What can be said without the database; and the body.
    async fn read(&self, body: axum::body::Body) -> Result<(Asked, Bytes), Problem> {
        auth::allow(self.call, &self.holder, &self.running, self.shared.engine.clock().now())?;
        let query = Asked::read(self.parts.uri.query().unwrap_or(""), self.call.query)?;
        if let Some(problem) = incoming_body::encoded(&self.parts.headers) {
            return Err(problem);
        }
        Ok((query, read_body(self.call, body).await?))
    }

    async fn carry_out(self, query: Asked, raw: Bytes) -> Response {
        let (shared, again) = (self.shared.clone(), self.clone());
        let (once, outcome) = match self.check(query.clone(), raw.clone()).await {
            Err(problem) => return problem.into_response(),
            Ok(Checked::Again(response)) => return *response,
            Ok(Checked::Go(call, request)) => (request.once.clone(), run(call, *request).await),
        };
        if !matches!(outcome, Err(Failure::Overtaken)) {
            return conclude(&shared, once, outcome).await;
        }
        // Another request with this key has acted meanwhile: now it is known, and this one is a repeat.
        match again.check(query, raw).await {
            Err(problem) => problem.into_response(),
            Ok(Checked::Again(response)) => *response,
            Ok(Checked::Go(call, request)) => {
                let once = request.once.clone();
                conclude(&shared, once, run(call, *request).await).await
            }
        }
    }

    /// Everything else that can be said before the act.
    async fn check(self, query: Asked, raw: Bytes) -> Result<Checked, Problem> {
        let Self { call, calls, shared, running, holder, from, path, parts } = self;
        let once = match call.verb {
            Verb::Get | Verb::Delete => None,
            Verb::Post if !call.who.is_somebody() => None,
            Verb::Post => once::of(&parts.headers, &holder, "POST", parts.uri.path(), &raw)?,
        };
        let (mut once, mut turn) = (once, Turn::First);
        if let Some(key) = &once
            && let Some(known) = shared.engine.store().known_act(&key.key_hash).await?
        {
            if !(is_receipt(&known) && known.request_hash == key.request_hash) {
                return Ok(Checked::Again(Box::new(once::again(&shared, key, known).await)));
            }
            // Who shows guests to a program again shows it what it has seen. A person who looks later, or in another session, looks once more.
            (once, turn) = (None, if holder.signed().is_some() { Turn::First } else { Turn::Again });
        }
        let (is_csv, wants_csv) = (is_csv(&parts, header::CONTENT_TYPE), is_csv(&parts, header::ACCEPT));
        let given = match call.body {
            Body::None => Given::default(),
            Body::Fields(fields) => Given::read(&raw, fields)?,
            Body::Codes if is_csv => Given::default(),
            Body::Codes => Given::version_of(&raw)?,
        };
        let reach = Reach::of(&holder.scope, &running.config);
        let last_event = parts.headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let about = Arc::default();
        let request = Request {
            shared,
            running,
            holder,
            reach,
            from,
            about,
            path,
            query,
            given,
            raw,
            is_csv,
            wants_csv,
            last_event,
            language: languages::wished(&parts.headers),
            once,
            turn,
            calls,
        };
        Ok(Checked::Go(call, Box::new(request)))
    }
}

/// Time for the answer to a call, from when it is there.
fn limit_of(call: &Call) -> Duration {
    if LONG_CALLS.contains(&call.path) && call.verb == Verb::Post { LONG_ANSWER_WITHIN } else { ANSWER_WITHIN }
}

/// The answer where there is none: what was begun goes on, and may still come to its end.
fn unfinished(call: &Call, limit: Duration, why: Unfinished) -> Response {
    crate::trouble::log_trouble(call.path, &why);
    let sentence = match (why, call.verb) {
        (Unfinished::NoRoom, _) => "too much is being worked on; nothing was done, try again".to_owned(),
        (Unfinished::TooLate, Verb::Get) => {
            format!("the database has not answered within {} s; try again", limit.as_secs())
        }
        (Unfinished::TooLate, Verb::Post | Verb::Delete) => format!(
            "this has not ended within {} s and goes on by itself: look before you repeat it, or repeat it with the same Idempotency-Key",
            limit.as_secs()
        ),
        (Unfinished::Broken, _) => "this broke off; what it did not commit was not done".to_owned(),
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", sentence).after(5).into_response()
}

/// A request that was checked.
enum Checked {
    /// It is a repeat; this is its answer.
    Again(Box<Response>),
    /// It can be carried out.
    Go(&'static Call, Box<Request>),
}

fn is_csv(parts: &Parts, name: header::HeaderName) -> bool {
    let kind = parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    matches!(kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str(), "text/csv" | "text/plain")
}

async fn read_body(call: &Call, body: axum::body::Body) -> Result<Bytes, Problem> {
    let bytes_max = match call.body {
        Body::None => return Ok(Bytes::new()),
        Body::Fields(_) => BODY_BYTES_MAX,
        Body::Codes => CODES_BYTES_MAX,
    };
    incoming_body::read(body, bytes_max).await
}

/// Turns an outcome into an answer; under a key the answer is kept first, if it was not kept with the act itself.
async fn conclude(shared: &Shared, once: Option<Once>, outcome: Outcome) -> Response {
    let (status, kind, body, keep, cookie) = match outcome {
        Ok(Said { live: Some(live), status, kind, .. }) => return once::live(status, kind, live),
        Ok(said) => (said.status, said.kind, said.body, said.keep, said.cookie),
        Err(Failure::Overtaken) => return overtaken(shared, once).await,
        Err(Failure::Problem(problem)) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            // Trouble of ours is no answer that a repeat should get again.
            if status.is_server_error() {
                return problem.into_response();
            }
            // What is to be waited for is said in a header, too.
            if problem.retry_after.is_some() && once.is_none() {
                return problem.into_response();
            }
            (status, JSON, serde_json::to_vec(&problem).unwrap_or_default(), Some(Keep::Answer), None)
        }
    };
    if let (Some(once), Some(keep)) = (&once, keep) {
        match shared.engine.keep_answer(once, status.as_u16(), &body, keep).await {
            Ok(()) => {}
            Err(EngineError::Known) => return overtaken(shared, Some(once.clone())).await,
            Err(error) => return Problem::from(error).into_response(),
        }
    }
    let mut response = once::answer(status, kind, body);
    if let Some(cookie) = cookie.and_then(|cookie| session::header(&cookie, &shared.engine.running().config)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Carries a call out, and writes down that somebody did so: what cannot be written down is not answered.
async fn run(call: &'static Call, request: Request) -> Outcome {
    let (engine, about) = (request.shared.engine.clone(), request.about.clone());
    let (actor, scope, reason) = (request.holder.key(), request.holder.scope.clone(), request.given.text("reason"));
    let is_first = request.turn == Turn::First;
    let language = request.language;
    let subject = subject(call, &request);
    let mut said = (call.run)(request).await.map_err(|failure| pointed(call, failure))?;
    languages::in_language(language, &mut said);
    if let Some(act) = call.act().filter(|_| is_first) {
        let mut about = std::mem::take(&mut *about.lock().unwrap_or_else(PoisonError::into_inner));
        if about.order.is_none() && about.scope.is_none() {
            about.scope = Some(scope);
        }
        if let (Some(reason), serde_json::Value::Null) = (reason, &about.detail) {
            about.detail = serde_json::json!({ "reason": Quoted::text(&reason) });
        }
        if let (serde_json::Value::Null, false) = (&about.detail, subject.is_empty()) {
            about.detail = serde_json::json!({});
        }
        if let Some(detail) = about.detail.as_object_mut() {
            for (name, value) in subject {
                detail.entry(name).or_insert(value);
            }
        }
        accounts::note(&engine, &actor, &act, about).await?;
    }
    Ok(said)
}

/// The same, where it is a fault of one field of the body that only the act itself could find: with its pointer, as the others.
fn pointed(call: &Call, failure: Failure) -> Failure {
    let Failure::Problem(problem) = failure else { return failure };
    let Body::Fields(fields) = call.body else { return Failure::Problem(problem) };
    let named = problem.field.as_deref().and_then(|field| field.split(['.', '[']).next());
    let is_of_body = named.is_some_and(|named| fields.iter().any(|field| field.name == named));
    if is_of_body && problem.status == StatusCode::UNPROCESSABLE_ENTITY && problem.errors.is_none() {
        let steps = problem.field.as_deref().into_iter().flat_map(|field| field.split(['.', '[']));
        let pointer = steps.map(|step| format!("/{}", step.trim_end_matches(']'))).collect();
        let error = FieldError { pointer, detail: problem.detail.clone() };
        return problem.with_errors(&[error]).into();
    }
    Failure::Problem(problem)
}

/// What an act was done to, and with, as the audit says it: where no order says so, nothing else does. No field in which a guest, or a secret,
/// could stand is among it.
fn subject(call: &Call, request: &Request) -> serde_json::Map<String, serde_json::Value> {
    /// What stands in the path, and how the audit calls it. Invitations and links of passwords are known by secrets.
    const IN_PATH: [(&str, &str); 9] = [
        ("backends", "backend"),
        ("bulk", "each"),
        ("channels", "channel"),
        ("codes", "pool"),
        ("credit", "credit_account"),
        ("deliveries", "delivery"),
        ("inbox", "message"),
        ("refunds", "refund"),
        ("accounts", "account"),
    ];
    /// Texts that are names of ours, or numbers.
    const NAMES: [&str; 5] = ["settle_id", "to", "role", "reference", "kind"];
    let mut subject = serde_json::Map::new();
    let first = call.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let known_as = IN_PATH.iter().find(|(segment, _)| *segment == first);
    if let (Some((_, name)), Some((_, value))) = (known_as, request.path.first()) {
        subject.insert((*name).to_owned(), value.as_str().into());
    }
    // What was only looked at was done to nobody.
    if request.query.text("dry_run") == Some("true") {
        subject.insert("dry_run".to_owned(), true.into());
    }
    let many = request.given.value("items").and_then(|items| items.as_array().map(Vec::len));
    subject.extend(many.map(|many| ("many".to_owned(), many.into())));
    let fields = match call.body {
        Body::Fields(fields) => fields,
        Body::None | Body::Codes => &[],
    };
    for field in fields {
        let is_said = match field.kind {
            FieldKind::Amount | FieldKind::Flag | FieldKind::Time | FieldKind::Scope => true,
            FieldKind::Text | FieldKind::Word(_) | FieldKind::Date => NAMES.contains(&field.name),
            FieldKind::Name
            | FieldKind::Email
            | FieldKind::Telephone
            | FieldKind::GuestPhone
            | FieldKind::NewPassword
            | FieldKind::Version
            | FieldKind::Tickets
            | FieldKind::Lines
            | FieldKind::Items
            | FieldKind::Match
            | FieldKind::Credential => false,
        };
        let value = request.given.value(field.name).filter(|_| is_said).cloned();
        // A number of theirs may be anything that somebody has typed.
        let value = value.map(|value| match value.as_str() {
            Some(text) => Quoted::text(text).as_str().into(),
            None => value,
        });
        subject.extend(value.map(|value| (field.name.to_owned(), value)));
    }
    subject
}

/// Two requests with one key: the other one has acted, and its answer is the answer.
async fn overtaken(shared: &Shared, once: Option<Once>) -> Response {
    let Some(once) = once else { return Problem::trouble().into_response() };
    match shared.engine.store().known_act(&once.key_hash).await {
        // The other one is being answered at this moment, from what is known.
        Ok(Some(known)) if is_receipt(&known) => Problem::trouble().into_response(),
        Ok(Some(known)) => once::again(shared, &once, known).await,
        Ok(None) => Problem::trouble().into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}
