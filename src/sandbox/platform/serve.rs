// SPDX-License-Identifier: Apache-2.0

//! How a platform answers the bridge's calls: signature first, then the idempotency key, then its business.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

use super::asked::{Asked, Said};
use super::books::{Books, CallRecord, Kept, Violation};
use super::gate::{Gate, Place};
use super::options::{Answering, Faults, PlatformOptions};
use super::running::{Platform, State};
use super::trade::{Desk, Event, Trade};
use crate::journal::{Ending, Entry, Party};
use crate::machine::Machine;
use crate::net::broken_answer;
use crate::webhook;

/// A gate that nobody opens lets the call go on after so much real time: less than the bridge waits for an answer.
const GATE_AT_MOST: Duration = Duration::from_secs(8);

fn router<T: Trade>(platform: Platform<T>) -> Router {
    Router::new().fallback(serve::<T>).with_state(platform)
}

async fn serve<T: Trade>(
    Extract(platform): Extract<Platform<T>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let at = platform.time().elapsed();
    let parts = uri.path().trim_matches('/').split('/').skip(1).map(str::to_owned);
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut asked = Asked { method, path: parts.collect(), number: String::new(), key, body: json };
    asked.number = T::number_of(&asked);
    let call = T::name_of(&asked);
    if let Some((status, code)) = platform.not_admitted(&headers, &body, &asked, call) {
        return platform.answered(&asked, call, at, status, error(code));
    }
    let gate = platform.take_gate(call);
    if let Some(gate) = gate.as_ref().filter(|gate| gate.place() == Place::Before) {
        gate.pass(GATE_AT_MOST).await;
    }
    let (status, answer, events) = platform.carried_out(&asked, &body);
    if let Some(gate) = gate.as_ref().filter(|gate| gate.place() == Place::After) {
        gate.pass(GATE_AT_MOST).await;
    }
    for event in events {
        platform.meanwhile(|platform| async move {
            platform.tell(event).await;
        });
    }
    let is_lost = platform.change(|state| {
        let left = state.faults.api_drop_answers;
        state.faults.api_drop_answers = left.saturating_sub(1);
        left > 0
    });
    if is_lost {
        platform.record(&asked, call, at, 0, &answer);
        return broken_answer();
    }
    platform.answered(&asked, call, at, status, answer)
}

fn error(code: &str) -> Value {
    json!({ "error": { "code": code, "message": code.replace('_', " "), "retryable": false } })
}

/// The whole of a trade, as answers have it.
fn whole<T: Trade>(kept: &Kept<T>) -> Value {
    json!({ T::WHOLE: kept.it.told(), "revision": kept.revision })
}

impl<T: Trade> State<T> {
    /// What is said instead of the truth, where a switch wants it; nothing is carried out, and nothing is remembered under its key.
    fn lie(&mut self, asked: &Asked) -> Option<(u16, Value)> {
        if self.faults.api_empty_yes > 0 && !asked.is_question() {
            self.faults.api_empty_yes -= 1;
            return Some((200, json!({})));
        }
        let other = self.books.trades.iter().find(|(number, _)| **number != asked.number).map(|(_, kept)| whole(kept));
        let other = other.filter(|_| self.faults.api_astray > 0)?;
        self.faults.api_astray -= 1;
        Some((200, other))
    }
}

impl<T: Trade> Platform<T> {
    /// Starts it.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(options: PlatformOptions) -> std::io::Result<Self> {
        let state = State {
            bridge_url: options.bridge_url.clone(),
            faults: Faults::default(),
            books: Books::default(),
            held: Vec::new(),
            gates: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_number: 0,
        };
        let (machine, listener) = Machine::open(options.listen, options, state).await?;
        let platform = Self { machine };
        platform.machine.serve(listener, router(platform.inside()));
        Ok(platform)
    }

    /// Why a call is not looked at: it fails on request, nobody signed it, or its key says nothing.
    fn not_admitted(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        asked: &Asked,
        call: &'static str,
    ) -> Option<(u16, &'static str)> {
        let counts_down = |of: fn(&mut Faults) -> &mut u32| {
            self.change(|state| {
                let left = of(&mut state.faults);
                let fails = *left > 0;
                *left = left.saturating_sub(1);
                fails
            })
        };
        if counts_down(|faults| &mut faults.api_5xx_times) {
            return Some((500, "internal"));
        }
        if counts_down(|faults| &mut faults.api_refuses) {
            return Some((422, "not_possible"));
        }
        if let Err(why) = webhook::admit(&self.options().calls_secret, headers, body, self.time().now_s()) {
            self.hold_against(asked, format!("{call}: a call that is not believed: {why}"));
            return Some((401, "bad_signature"));
        }
        if !asked.is_question() && asked.key.is_empty() {
            self.hold_against(asked, format!("{call}: a write without an Idempotency-Key"));
            return Some((400, "idempotency_key_missing"));
        }
        None
    }

    fn hold_against(&self, asked: &Asked, sentence: String) {
        let violation = Violation { number: asked.number.clone(), sentence };
        self.change(|state| state.books.violations.push(violation));
    }

    /// Carries a call out once for its key: a repeat gets the same answer, and another body is a violation.
    fn carried_out(&self, asked: &Asked, body: &[u8]) -> (u16, Value, Vec<Event>) {
        let now_ms = self.time().now_ms();
        let hash = hex::encode(Sha256::digest(body));
        self.change(|state| {
            if let Some((known, status, answer)) = state.keys.get(&asked.key).filter(|_| !asked.is_question()) {
                if *known == hash {
                    return (*status, answer.clone(), Vec::new());
                }
                let sentence = format!("{}: one Idempotency-Key for two different bodies", T::name_of(asked));
                state.books.violations.push(Violation { number: asked.number.clone(), sentence });
                return (422, error("idempotency_key_reused"), Vec::new());
            }
            if let Some((status, answer)) = state.lie(asked) {
                return (status, answer, Vec::new());
            }
            let answering = state.faults.answering;
            let mut desk = Desk {
                books: &mut state.books,
                faults: &state.faults,
                now_ms,
                next_number: &mut state.next_number,
                tell: Vec::new(),
            };
            let said = T::carry_out(&mut desk, asked);
            let events = desk.tell;
            let kept = state.books.trades.get(&asked.number);
            let (status, answer) = match (said, kept) {
                (Said::Done, Some(kept)) => match answering {
                    Answering::Whole => (200, whole(kept)),
                    Answering::Plain => (200, json!({})),
                    Answering::Later => (202, json!({})),
                },
                (Said::Overtaken, Some(kept)) => {
                    let mut body = whole(kept);
                    body["error"] = error("revision_conflict")["error"].clone();
                    (409, body)
                }
                (Said::With(status, body), _) => (status, body),
                (Said::No(status, code), _) => (status, error(code)),
                (Said::NoSuchCall, _) => (404, error("no_such_call")),
                (Said::Done | Said::Overtaken, None) => (404, error("not_found")),
            };
            // What failed for the moment may be tried again under the same key.
            if !asked.is_question() && status < 500 {
                state.keys.insert(asked.key.clone(), (hash, status, answer.clone()));
            }
            (status, answer, events)
        })
    }

    fn take_gate(&self, call: &'static str) -> Option<Gate> {
        self.change(|state| state.gates.remove(call))
    }

    fn answered(&self, asked: &Asked, call: &'static str, at: Duration, status: u16, answer: Value) -> Response<Body> {
        self.record(asked, call, at, status, &answer);
        let mut response = Response::new(Body::from(answer.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        response
    }

    fn record(&self, asked: &Asked, call: &'static str, at: Duration, status: u16, answer: &Value) {
        let code = answer.pointer("/error/code").and_then(Value::as_str).unwrap_or_default();
        let (ending, outcome) = match status {
            0 => (Ending::Failed, "the answer is lost".to_owned()),
            202 => (Ending::Waiting, "will be told".to_owned()),
            200..=299 => (Ending::Done, T::came_to(asked, answer).to_owned()),
            409 => (Ending::Refused, "no: it has changed".to_owned()),
            500..=599 => (Ending::Failed, format!("HTTP {status}")),
            _ => (Ending::Refused, format!("no: {code}")),
        };
        let record = CallRecord {
            at,
            call,
            number: asked.number.clone(),
            key: asked.key.clone(),
            body: asked.body.clone(),
            status,
            answer: answer.clone(),
        };
        let attempt = self.change(|state| {
            let calls = &mut state.books.calls;
            let same = |earlier: &&CallRecord| !record.key.is_empty() && earlier.key == record.key;
            let attempt = u32::try_from(calls.iter().filter(same).count()).unwrap_or(u32::MAX).saturating_add(1);
            calls.push(record);
            attempt
        });
        self.journal().add(Entry {
            at,
            from: Party::Bridge,
            to: T::PARTY,
            call: call.to_owned(),
            sale: Some(asked.number.clone()).filter(|number| !number.is_empty()),
            attempt,
            ending,
            outcome,
            took: self.time().elapsed().saturating_sub(at),
        });
    }
}
