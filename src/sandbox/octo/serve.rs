//! The supplier on a socket, with faults on its writes.

use std::net::SocketAddr;
use std::sync::MutexGuard;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use serde_json::{Value, json};

use super::Books;
use crate::SimTime;
use crate::machine::Machine;
use crate::net::{self, broken_answer};

/// How long an answer that never comes hangs, real time: longer than any caller waits.
const HANG: Duration = Duration::from_secs(120);

/// What happens to the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Carried out, and the answer lost.
    AnswerLost,
    /// Lost on the way here.
    RequestLost,
    /// 500 before anything was done.
    ErrorBefore,
    /// 500 after it was done.
    ErrorAfter,
    /// A 200 that cannot be read.
    Garbage,
    /// 429 with a time to come again.
    TooMany,
    /// Carried out after the caller has given up.
    Late(Duration),
}

/// What a simulated supplier is told when it starts.
#[derive(Clone)]
pub struct SimOctoOptions {
    /// The key that it accepts.
    pub key: String,
    /// Time.
    pub time: SimTime,
    /// Where it listens.
    pub listen: SocketAddr,
}

impl SimOctoOptions {
    /// The usual supplier, on any port.
    pub fn usual(key: &str, time: SimTime) -> Self {
        Self { key: key.to_owned(), time, listen: net::ANY_PORT }
    }
}

struct State {
    books: Books,
    faults: Vec<(&'static str, Fault)>,
}

/// A running supplier. Clones are handles to the same one; it stops when the last handle is dropped.
#[derive(Clone)]
pub struct SimOcto {
    machine: Machine<SimOctoOptions, State>,
}

impl SimOcto {
    /// Starts it.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(options: SimOctoOptions) -> std::io::Result<Self> {
        let state = State { books: Books::new(&options.key), faults: Vec::new() };
        let (machine, listener) = Machine::open(options.listen, options, state).await?;
        let inside = Self { machine: machine.inside() };
        machine.serve(listener, Router::new().fallback(answer).with_state(inside));
        Ok(Self { machine })
    }

    /// `http://` and its address, with the path that it serves.
    pub fn base_url(&self) -> String {
        format!("{}/octo", self.machine.base_url())
    }

    /// Its books, for whoever judges or directs it.
    pub fn with_books<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.state().books)
    }

    /// The next call whose last step is `step` (`bookings`, `confirm`, `cancel`) goes wrong this way.
    pub fn next(&self, step: &'static str, fault: Fault) {
        self.state().faults.push((step, fault));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.machine.state()
    }

    fn fault_of(&self, path: &str) -> Option<Fault> {
        let last = path.trim_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let mut state = self.state();
        let place = state.faults.iter().position(|(step, _)| *step == last)?;
        Some(state.faults.remove(place).1)
    }
}

async fn answer(
    Extract(octo): Extract<SimOcto>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = uri.path().trim_start_matches("/octo").to_owned();
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = key.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let carry_out = {
        let (octo, path) = (octo.clone(), path.clone());
        move || {
            let now = octo.machine.options().time.now_ms();
            octo.with_books(|books| books.call(method.as_str(), &path, key.as_deref(), &body, now))
        }
    };
    let fault = if uri.path().contains("/bookings") { octo.fault_of(&path) } else { None };
    match fault {
        None => said(carry_out()),
        Some(Fault::AnswerLost) => {
            carry_out();
            broken_answer()
        }
        Some(Fault::RequestLost) => {
            octo.machine.options().time.pass_really(HANG).await;
            broken_answer()
        }
        Some(Fault::ErrorBefore) => said((500, json!({ "error": "INTERNAL_SERVER_ERROR", "errorMessage": "no" }))),
        Some(Fault::ErrorAfter) => {
            carry_out();
            said((500, json!({ "error": "INTERNAL_SERVER_ERROR", "errorMessage": "no" })))
        }
        Some(Fault::Garbage) => {
            carry_out();
            said((200, json!({ "ok": true })))
        }
        Some(Fault::TooMany) => {
            let mut response = said((429, json!({})));
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            response
        }
        Some(Fault::Late(after)) => {
            let time = octo.machine.options().time.clone();
            let later = time.clone();
            octo.machine.spawn(async move {
                later.pass_really(after).await;
                carry_out();
            });
            time.pass_really(HANG).await;
            broken_answer()
        }
    }
}

fn said((status, body): super::Said) -> Response<Body> {
    let response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, "application/json");
    response.body(Body::from(body.to_string())).unwrap_or_default()
}
