// SPDX-License-Identifier: Apache-2.0

//! The supplier on a socket, with faults on its writes.

use std::net::SocketAddr;
use std::sync::MutexGuard;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header};
use serde_json::{Value, json};

use super::answer::Said;
use super::books::{Asked, Books};
use super::switches::{OwnError, Switches};
use crate::journal::{Ending, Entry, Party};
use crate::machine::Machine;
use crate::net::{self, broken_answer, cut_answer};
use crate::{Journal, SimTime};

/// How long an answer that never comes hangs, real time: longer than any caller waits.
const HANG: Duration = Duration::from_secs(120);
/// How long a push may take, real time.
const PUSH_LIMIT: Duration = Duration::from_secs(5);
/// The header of the extensions.
const CAPABILITIES: HeaderName = HeaderName::from_static("octo-capabilities");

/// A call that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// `POST /bookings`.
    Reserve,
    /// `POST …/extend`.
    Extend,
    /// `POST …/confirm`.
    Confirm,
    /// `POST …/cancel`, or `DELETE`.
    Cancel,
}

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Carried out, and the answer lost.
    AnswerLost,
    /// Carried out, and the answer breaks off after so many bytes.
    AnswerCut(usize),
    /// Lost on the way here.
    RequestLost,
    /// An error of the server before anything was done.
    ErrorBefore,
    /// The same after it was done.
    ErrorAfter,
    /// Carried out, and a 200 that cannot be read.
    Garbage,
    /// Answered as if it were carried out, codes and all, and nothing was.
    Claimed,
    /// 429 with a time to come again.
    TooMany,
    /// Carried out so long, as the protocol counts, after the caller has given up.
    Late(Duration),
    /// A hold that is over as soon as it is made.
    RunsOut,
    /// Somebody else takes the last place first.
    TakenBefore,
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
    /// Where its calls are written down.
    pub journal: Journal,
}

impl SimOctoOptions {
    /// The usual supplier, on any port.
    pub fn usual(key: &str, time: SimTime) -> Self {
        Self { key: key.to_owned(), time, listen: net::ANY_PORT, journal: Journal::default() }
    }
}

struct State {
    books: Books,
    faults: Vec<(Write, Fault)>,
}

/// A running supplier. Clones are handles to the same one; it stops when the last handle is dropped.
#[derive(Clone, Debug)]
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
        let octo = Self { machine };
        octo.machine.serve(listener, octo.router());
        Ok(octo)
    }

    fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.inside())
    }

    /// The present by its own clock.
    fn own_now(&self) -> i64 {
        let off = self.with_books(|books| books.switches.clock_off_ms);
        self.time().now_ms() + off
    }

    fn inside(&self) -> Self {
        Self { machine: self.machine.inside() }
    }

    /// `http://` and its address, with the path that it serves.
    pub fn base_url(&self) -> String {
        format!("{}/octo", self.machine.base_url())
    }

    /// Its time.
    pub fn time(&self) -> &SimTime {
        &self.machine.options().time
    }

    /// Its books, for whoever judges or directs it. Whoever wants to be told of what changes is.
    pub fn with_books<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        let (found, pushes) =
            self.machine.change(|state| (look(&mut state.books), std::mem::take(&mut state.books.pushes)));
        for push in pushes {
            let octo = self.inside();
            self.machine.spawn(async move {
                let at = octo.time().elapsed();
                let sent = octo.machine.client().post(&push.url).json(&push.body).timeout(PUSH_LIMIT).send().await;
                let (ending, outcome) = match sent {
                    Ok(response) if response.status().is_success() => (Ending::Done, "noted".to_owned()),
                    Ok(response) => (Ending::Refused, format!("HTTP {}", response.status().as_u16())),
                    Err(_) => (Ending::Failed, "no answer".to_owned()),
                };
                octo.note((Party::Supplier, Party::Bridge), "push", at, ending, outcome);
            });
        }
        found
    }

    /// Waits until `look` finds something in the books, for `patience` of real time at most.
    pub async fn until<T>(&self, patience: Duration, mut look: impl FnMut(&Books) -> Option<T>) -> Option<T> {
        self.machine.until(patience, |state| look(&state.books)).await
    }

    /// The next call of this kind goes wrong this way.
    pub fn next(&self, write: Write, fault: Fault) {
        self.machine.change(|state| state.faults.push((write, fault)));
    }

    /// Faults that no call has met yet.
    pub fn faults_left(&self) -> usize {
        self.state().faults.len()
    }

    /// It behaves as it should again: switches, faults, key and pushes are as at the start; the books stay.
    pub fn tidy(&self) {
        self.machine.change(|state| {
            state.faults.clear();
            state.books.switches = Switches::default();
            state.books.key.clone_from(&self.machine.options().key);
            state.books.unsubscribe_all();
        });
    }

    /// Refuses every connection for so long, as the protocol counts.
    ///
    /// # Errors
    /// When its address cannot be had again.
    pub async fn go_away(&self, stated: Duration) -> std::io::Result<()> {
        self.machine.close().await;
        self.time().pass(stated).await;
        self.machine.reopen(self.router()).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.machine.state()
    }

    fn fault_of(&self, write: Option<Write>) -> Option<Fault> {
        let write = write?;
        let mut state = self.state();
        let place = state.faults.iter().position(|(step, _)| *step == write)?;
        Some(state.faults.remove(place).1)
    }

    fn note(&self, (from, to): (Party, Party), call: &str, at: Duration, ending: Ending, outcome: String) {
        let took = self.time().elapsed().saturating_sub(at);
        let call = format!("octo/{call}");
        self.machine.options().journal.add(Entry { at, from, to, call, sale: None, attempt: 1, ending, outcome, took });
    }
}

/// A call with everything that it brought.
#[derive(Clone)]
struct Came {
    method: Method,
    path: String,
    query: String,
    key: Option<String>,
    capabilities: Option<HeaderValue>,
    body: Value,
    at: Duration,
}

impl Came {
    fn write(&self) -> Option<Write> {
        let steps: Vec<&str> = self.path.trim_matches('/').split('/').collect();
        match (self.method.as_str(), steps.as_slice()) {
            ("POST", ["bookings"]) => Some(Write::Reserve),
            ("POST", ["bookings", _, "extend"]) => Some(Write::Extend),
            ("POST", ["bookings", _, "confirm"]) => Some(Write::Confirm),
            ("POST", ["bookings", _, "cancel"]) | ("DELETE", ["bookings", _]) => Some(Write::Cancel),
            _ => None,
        }
    }

    /// The call's name for people.
    fn name(&self) -> &'static str {
        let steps: Vec<&str> = self.path.trim_matches('/').split('/').collect();
        match (self.write(), steps.as_slice()) {
            (Some(Write::Reserve), _) => "reserve",
            (Some(Write::Extend), _) => "extend",
            (Some(Write::Confirm), _) => "confirm",
            (Some(Write::Cancel), _) => "cancel",
            (None, ["bookings", _]) => "read",
            (None, ["bookings"]) => "list",
            (None, ["products", ..]) => "product",
            (None, ["availability", ..]) => "availability",
            (None, _) => "other",
        }
    }

    fn carry_out(&self, octo: &SimOcto, late: bool) -> Said {
        let now = octo.own_now();
        octo.with_books(|books| self.asked_of(books, now, late))
    }

    fn asked_of(&self, books: &mut Books, now: i64, late: bool) -> Said {
        let asked = Asked {
            method: self.method.as_str(),
            path: &self.path,
            query: &self.query,
            key: self.key.as_deref(),
            has_capabilities: self.capabilities.is_some(),
            body: &self.body,
        };
        books.call(&asked, now, late)
    }

    /// The booking that it is about.
    fn uuid(&self) -> &str {
        self.path.trim_matches('/').split('/').nth(1).or(self.body["uuid"].as_str()).unwrap_or_default()
    }
}

/// Carries a call out once its caller has hung up.
struct OnceGone {
    octo: SimOcto,
    came: Came,
    after: Duration,
}

impl Drop for OnceGone {
    fn drop(&mut self) {
        let (octo, came, after) = (self.octo.clone(), self.came.clone(), self.after);
        self.octo.machine.spawn(async move {
            octo.time().pass(after).await;
            came.carry_out(&octo, true);
        });
    }
}

async fn answer(
    Extract(octo): Extract<SimOcto>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let came = Came {
        method,
        path: uri.path().strip_prefix("/octo").unwrap_or(uri.path()).to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        key: key.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned),
        capabilities: headers.get(CAPABILITIES).cloned(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        at: octo.time().elapsed(),
    };
    let lost = |octo: &SimOcto| {
        octo.note((Party::Bridge, Party::Supplier), came.name(), came.at, Ending::Failed, "answer lost".to_owned());
    };
    match octo.fault_of(came.write()) {
        None => said(&octo, &came, came.carry_out(&octo, false)),
        Some(Fault::AnswerLost) => {
            came.carry_out(&octo, false);
            octo.with_books(|books| books.answer_lost(came.uuid()));
            lost(&octo);
            broken_answer()
        }
        Some(Fault::AnswerCut(bytes)) => {
            let (_, body) = came.carry_out(&octo, false);
            octo.with_books(|books| books.answer_lost(came.uuid()));
            lost(&octo);
            cut_answer(body.to_string(), bytes)
        }
        Some(Fault::RequestLost) => {
            octo.note(
                (Party::Bridge, Party::Supplier),
                came.name(),
                came.at,
                Ending::Failed,
                "never arrived".to_owned(),
            );
            octo.time().pass_really(HANG).await;
            broken_answer()
        }
        Some(Fault::ErrorBefore) => own_error(&octo, &came),
        Some(Fault::ErrorAfter) => {
            came.carry_out(&octo, false);
            octo.with_books(|books| books.answer_lost(came.uuid()));
            own_error(&octo, &came)
        }
        Some(Fault::Garbage) => {
            came.carry_out(&octo, false);
            octo.with_books(|books| books.answer_lost(came.uuid()));
            said(&octo, &came, (200, json!({ "ok": true })))
        }
        Some(Fault::Claimed) => {
            let now = octo.own_now();
            let (status, body) = octo.with_books(|books| {
                let mut before = books.clone();
                let said = came.asked_of(books, now, false);
                before.violations = std::mem::take(&mut books.violations);
                *books = before;
                said
            });
            said(&octo, &came, (status, body))
        }
        Some(Fault::TooMany) => {
            let mut response = said(&octo, &came, (429, json!({})));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        Some(Fault::Late(after)) => {
            octo.note((Party::Bridge, Party::Supplier), came.name(), came.at, Ending::Failed, "held up".to_owned());
            let _late = OnceGone { octo: octo.clone(), came, after };
            octo.time().pass_really(HANG).await;
            broken_answer()
        }
        Some(Fault::RunsOut) => {
            let (status, body) = came.carry_out(&octo, false);
            octo.with_books(|books| books.end_hold(came.uuid()));
            said(&octo, &came, (status, body))
        }
        Some(Fault::TakenBefore) => {
            octo.with_books(Books::fill_up);
            said(&octo, &came, came.carry_out(&octo, false))
        }
    }
}

/// An error of the server itself.
fn own_error(octo: &SimOcto, came: &Came) -> Response<Body> {
    let how = octo.with_books(|books| books.switches.own_error);
    let coded = || json!({ "error": "INTERNAL_SERVER_ERROR", "errorMessage": "an error of the simulated supplier" });
    match how {
        OwnError::WithCode => said(octo, came, (500, coded())),
        OwnError::As400 => said(octo, came, (400, coded())),
        OwnError::OfProxy => {
            octo.note((Party::Bridge, Party::Supplier), came.name(), came.at, Ending::Failed, "HTTP 502".to_owned());
            let response =
                Response::builder().status(StatusCode::BAD_GATEWAY).header(header::CONTENT_TYPE, "text/html");
            let response = response.header(header::DATE, http_date(octo.own_now()));
            response.body(Body::from("<html><body>502 Bad Gateway</body></html>")).unwrap_or_default()
        }
    }
}

fn http_date(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms)
        .map_or_else(String::new, |at| at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

fn said(octo: &SimOcto, came: &Came, (status, body): Said) -> Response<Body> {
    let word = body["status"].as_str().or(body["error"].as_str()).unwrap_or("answered").to_owned();
    let ending = match status {
        200 if word == "PENDING" => Ending::Waiting,
        200 => Ending::Done,
        500.. => Ending::Failed,
        _ => Ending::Refused,
    };
    octo.note((Party::Bridge, Party::Supplier), came.name(), came.at, ending, word);
    let mut response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::DATE, http_date(octo.own_now()));
    if let Some(capabilities) =
        came.capabilities.clone().filter(|_| octo.with_books(|b| b.switches.repeats_capabilities))
    {
        response = response.header(CAPABILITIES, capabilities);
    }
    response.body(Body::from(body.to_string())).unwrap_or_default()
}
