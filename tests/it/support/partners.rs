// SPDX-License-Identifier: Apache-2.0

//! The partners of a test, in the process: Douyin takes every report, and the gate issues what it is asked for and remembers it. What
//! should go otherwise is said beforehand ([`Partners::next`]), and everything that was sent can be looked at ([`Partners::sent`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use ticketbridge::transport::{CallLimits, Transport, TransportError};
use ticketbridge_core::UnixMillis;
use ticketbridge_core::port::{Call, HttpResponse};
use ticketbridge_sandbox::octo::{Asked, Books};
use tokio::sync::Notify;

/// Marks a call that never ends.
const HANGS: &str = "hangs";

/// A call that was made.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// How a call goes, where it does not go well by itself.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// This status and body.
    Says(u16, Value),
    /// No connection: certainly not carried out.
    NotSent,
    /// Carried out, but the answer is lost.
    Interrupted,
    /// There is no answer, as long as the test lasts.
    Hangs,
    /// An answer that nobody can read.
    Garbage(u16),
    /// Carried out, and the answer ends after so many bytes, as if it were whole.
    Cut(usize),
}

/// What `gate` holds.
#[derive(Clone, Debug)]
enum Reservation {
    Issued(Value),
    Cancelled,
}

/// A call that was sent and waits for its answer; a test may do something else meanwhile.
#[derive(Clone, Default)]
pub(crate) struct Held {
    arrived: Arc<Notify>,
    answered: Arc<Notify>,
}

impl Held {
    /// Completes once the call has been sent.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }
    /// Lets the partner answer.
    pub(crate) fn answer(&self) {
        self.answered.notify_one();
    }
}

#[derive(Default)]
struct State {
    sent: Vec<Sent>,
    /// By a part of the address.
    held: Vec<(String, Held)>,
    /// By a part of the address.
    next: Vec<(String, VecDeque<Outcome>)>,
    /// By a part of the address or of the body, for every call.
    sick: Vec<(String, Outcome)>,
    gate: BTreeMap<String, Reservation>,
    tokens: DouyinTokens,
    /// An OCTO supplier, where a test has one, and the present there in milliseconds.
    supplier: Option<(Books, i64)>,
}

/// Douyin's access tokens: the newest is the one that is accepted.
#[derive(Default)]
struct DouyinTokens {
    given: usize,
    refused: usize,
    is_void: bool,
    /// Whether it gives everybody the same one.
    stable: Stable,
}

/// Whether Douyin gives everybody the same token while it is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stable {
    /// It has no such call.
    #[default]
    Never,
    /// It does.
    Always,
    /// It does, also when that one is no longer accepted.
    EvenVoid,
}

impl DouyinTokens {
    fn newest(&self) -> String {
        if self.given <= 1 { "clt.a-token-for-tests".to_owned() } else { format!("clt.token-{}", self.given) }
    }

    /// The answer to who asks for the one that all share.
    fn stable_answer(&mut self) -> HttpResponse {
        let is_new = match self.stable {
            Stable::Never => return response(404, &json!({ "message": "no such path" })),
            Stable::Always => self.given == 0 || self.is_void,
            Stable::EvenVoid => self.given == 0,
        };
        if is_new {
            self.given += 1;
            self.is_void = false;
        }
        let data = json!({ "error_code": 0, "access_token": self.newest(), "expires_in": 7200 });
        response(200, &json!({ "data": data, "extra": { "error_code": 0 } }))
    }

    /// What it says to a call with this token, if it does not take it.
    fn refusal(&mut self, call: &Call) -> Option<HttpResponse> {
        let token = call.headers.get("access-token")?;
        if !self.is_void && token.to_str().is_ok_and(|token| token == self.newest()) {
            return None;
        }
        self.refused += 1;
        let data = json!({ "error_code": 2_190_002, "description": "access token is invalid" });
        Some(response(200, &json!({ "data": data, "extra": { "error_code": 2_190_002 } })))
    }
}

/// The partners.
#[derive(Default)]
pub(crate) struct Partners(Mutex<State>);

impl Partners {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the partners")
    }

    /// The next call whose address holds `part` goes this way; several are used up in order.
    pub(crate) fn next(&self, part: &str, outcome: Outcome) {
        let mut state = self.state();
        match state.next.iter_mut().find(|(known, _)| known == part) {
            Some((_, outcomes)) => outcomes.push_back(outcome),
            None => state.next.push((part.to_owned(), VecDeque::from([outcome]))),
        }
    }

    /// Every call whose address or body holds `part` goes this way from now on.
    pub(crate) fn always(&self, part: &str, outcome: Outcome) {
        self.state().sick.push((part.to_owned(), outcome));
    }

    /// How many access tokens Douyin has given out.
    pub(crate) fn tokens_given(&self) -> usize {
        self.state().tokens.given
    }
    /// How many calls came with one that is void.
    pub(crate) fn tokens_refused(&self) -> usize {
        self.state().tokens.refused
    }
    /// Whether it gives everybody the same one.
    pub(crate) fn gives_stable_tokens(&self, stable: Stable) {
        self.state().tokens.stable = stable;
    }
    /// The token that was given out last is void.
    pub(crate) fn forget_token(&self) {
        self.state().tokens.is_void = true;
    }

    /// Everything goes well from now on.
    pub(crate) fn recover(&self) {
        self.state().sick.clear();
    }

    /// The next call whose address holds `part` waits for its answer until the test lets it have one.
    pub(crate) fn hold(&self, part: &str) -> Held {
        let held = Held::default();
        self.state().held.push((part.to_owned(), held.clone()));
        held
    }

    /// What holds this call up, used up.
    fn held(&self, url: &str) -> Option<Held> {
        let mut state = self.state();
        let place = state.held.iter().position(|(part, _)| url.contains(part.as_str()))?;
        Some(state.held.remove(place).1)
    }

    /// The calls whose address holds `part`, oldest first.
    pub(crate) fn sent(&self, part: &str) -> Vec<Sent> {
        self.state().sent.iter().filter(|sent| sent.url.contains(part)).cloned().collect()
    }

    /// Has an OCTO supplier under every address with `/octo`, or looks at it; `now` is its present.
    pub(crate) fn supplier<T>(&self, now: UnixMillis, look: impl FnOnce(&mut Books) -> T) -> T {
        let mut state = self.state();
        let (books, present) = state.supplier.get_or_insert_with(|| (Books::new("octo-key"), now.0));
        *present = now.0;
        look(books)
    }

    fn answer(&self, call: &Call) -> Result<HttpResponse, TransportError> {
        let mut state = self.state();
        // A form, for example, is kept as the text that it is.
        let as_text = || Value::from(String::from_utf8_lossy(&call.body));
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_else(|_| as_text());
        state.sent.push(Sent {
            method: call.method.clone(),
            url: call.url.clone(),
            headers: call.headers.clone(),
            body: body.clone(),
        });
        let scripted =
            state.next.iter_mut().filter(|(part, _)| call.url.contains(part)).find_map(|(_, next)| next.pop_front());
        let text = body.to_string();
        let sick = || state.sick.iter().find(|(part, _)| call.url.contains(part) || text.contains(part));
        match scripted.or_else(|| sick().map(|(_, outcome)| outcome.clone())) {
            // The future that asked never looks at it.
            Some(Outcome::Hangs) => Err(TransportError::Interrupted { why: HANGS.to_owned() }),
            Some(Outcome::Garbage(status)) => Ok(HttpResponse {
                status: StatusCode::from_u16(status).expect("a status"),
                headers: HeaderMap::new(),
                body: Bytes::from_static(b"<html>down for maintenance"),
            }),
            Some(Outcome::Says(status, said)) => Ok(response(status, &said)),
            Some(Outcome::NotSent) => Err(TransportError::NotSent { why: "connection refused".to_owned() }),
            Some(Outcome::Interrupted) => {
                let newest = state.tokens.newest();
                carry_out(&mut state, call, &body, &newest);
                Err(TransportError::Interrupted { why: "connection reset".to_owned() })
            }
            Some(Outcome::Cut(length)) => {
                let newest = state.tokens.newest();
                let mut whole = carry_out(&mut state, call, &body, &newest);
                whole.body.truncate(length.min(whole.body.len().saturating_sub(1)));
                Ok(whole)
            }
            None => {
                if call.url.contains("/oauth/stable_client_token/") {
                    return Ok(state.tokens.stable_answer());
                }
                if call.url.contains("/oauth/client_token/") {
                    state.tokens.given += 1;
                    state.tokens.is_void = false;
                }
                if let Some(refusal) = state.tokens.refusal(call) {
                    return Ok(refusal);
                }
                let newest = state.tokens.newest();
                Ok(carry_out(&mut state, call, &body, &newest))
            }
        }
    }
}

fn carry_out(state: &mut State, call: &Call, body: &Value, token: &str) -> HttpResponse {
    if let Some((_, path)) = call.url.split_once("/octo")
        && let Some((books, now)) = &mut state.supplier
    {
        let key = call.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = key.and_then(|value| value.strip_prefix("Bearer "));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let has_capabilities = call.headers.contains_key("octo-capabilities");
        let asked = Asked { method: call.method.as_str(), path, query, key, has_capabilities, body };
        let its_now = *now + books.switches.clock_off_ms;
        let (status, said) = books.call(&asked, its_now, false);
        let mut response = response(status, &said);
        response.headers.insert(http::header::DATE, http_date(its_now));
        return response;
    }
    let gate = &mut state.gate;
    // A platform of bookings takes what it is asked, and tells what came of it by an event.
    if call.url.contains("/v1/") && call.url.contains(".example") && !call.url.contains("/goodlife/") {
        return response(202, &json!({}));
    }
    let Some((_, path)) = call.url.split_once("/bridge") else {
        return response(200, &douyin(&call.url, token));
    };
    let id = path.split('/').nth(2).unwrap_or_default();
    if path.ends_with("/cancel") {
        gate.insert(id.to_owned(), Reservation::Cancelled);
        return response(200, &json!({ "state": "cancelled" }));
    }
    if call.method == Method::POST {
        let id = body["reservation_id"].as_str().unwrap_or_default();
        let known = gate.entry(id.to_owned()).or_insert_with(|| Reservation::Issued(issued(id, body)));
        return reservation(known);
    }
    gate.get(id).map_or_else(|| response(404, &json!({})), reservation)
}

fn http_date(ms: i64) -> http::HeaderValue {
    let at = chrono::DateTime::from_timestamp_millis(ms).expect("a time of a test");
    http::HeaderValue::from_str(&at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).expect("a date")
}

fn reservation(known: &Reservation) -> HttpResponse {
    match known {
        Reservation::Issued(answer) => response(200, answer),
        Reservation::Cancelled => response(200, &json!({ "state": "cancelled" })),
    }
}

/// One code for each unit, made of the reservation's id.
fn issued(id: &str, body: &Value) -> Value {
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(id, &mut hasher);
    let short = format!("{:012x}", std::hash::Hasher::finish(&hasher) >> 16);
    let tickets: Vec<Value> = (1..=body["quantity"].as_u64().unwrap_or(1))
        .map(|index| json!({ "code": format!("GATE-{short}-{index}"), "kind": "code", "name": "Lakeside Park" }))
        .collect();
    json!({ "state": "issued", "backend_ref": format!("G-{short}"), "tickets": tickets })
}

fn douyin(url: &str, token: &str) -> Value {
    let mut data = json!({ "error_code": 0, "description": "success" });
    if url.contains("/oauth/client_token/") {
        data["access_token"] = json!(token);
        data["expires_in"] = json!(7200);
    }
    json!({ "data": data, "extra": { "error_code": 0 } })
}

fn response(status: u16, body: &Value) -> HttpResponse {
    HttpResponse {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
    }
}

impl Transport for Partners {
    fn send<'a>(&'a self, call: &'a Call, _limits: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        let answer = self.answer(call);
        let held = self.held(&call.url);
        Box::pin(async move {
            if matches!(&answer, Err(TransportError::Interrupted { why }) if why == HANGS) {
                return std::future::pending().await;
            }
            if let Some(held) = held {
                held.arrived.notify_one();
                held.answered.notified().await;
            }
            answer
        })
    }
}
