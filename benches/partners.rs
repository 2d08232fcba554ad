// SPDX-License-Identifier: Apache-2.0

//! The partners of the bridge: a ticketing system and the channels' own interfaces, which answer at once, after a set time, or not at
//! all, and keep books of what they were asked.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::moment::{self, Instant};

/// How the ticketing system behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It answers at once.
    AtOnce,
    /// It answers after this time.
    After(Duration),
    /// It takes the call and never answers. Nothing is issued.
    Never,
}

/// A reservation at the ticketing system.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    /// When it was first asked for.
    pub(crate) first_asked: Instant,
    /// The key of the first call; every repeat must bear it.
    pub(crate) key: String,
    /// Calls for it under another key.
    pub(crate) other_keys: u32,
}

/// What the ticketing system and the channels have been asked.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// By the channel's number of the booking, for which the visitor's name stands, then by the bridge's id of the reservation: two ids under one
    /// number are two tickets for one booking.
    pub(crate) gate: HashMap<String, HashMap<String, Reservation>>,
    /// The ids that have a ticket.
    issued: HashSet<String>,
    /// Reports of use that Douyin took, by booking: how many different tokens.
    pub(crate) used: HashMap<String, Vec<String>>,
    /// Bookings whose codes Douyin was told by a call of the bridge's: those that were not in the answer.
    pub(crate) told: HashSet<String>,
    /// Calls to the ticketing system that wait for their answer now.
    pub(crate) in_flight: u64,
    /// The most of them at one moment since somebody last asked.
    pub(crate) in_flight_max: u64,
    /// Calls to the ticketing system for tickets.
    pub(crate) gate_calls: u64,
}

#[derive(Debug)]
struct Shared {
    books: Mutex<Books>,
    manner: Mutex<Manner>,
}

/// The partners, listening. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Partners {
    shared: Arc<Shared>,
    /// Where all of them listen.
    pub(crate) address: SocketAddr,
}

impl Partners {
    /// Starts them on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { books: Mutex::default(), manner: Mutex::new(Manner::AtOnce) });
        let partners = Self { shared, address };
        tokio::spawn(partners.clone().serve(listener));
        Ok(partners)
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            // Without it every answer could wait for an acknowledgement.
            drop(stream.set_nodelay(true));
            let partners = self.clone();
            let service = service_fn(move |request| partners.clone().answer(request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move { drop(connection.await) });
        }
    }

    /// The books, to look at.
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.shared.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the ticketing system behaves this way.
    pub(crate) fn set_manner(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    fn manner(&self) -> Manner {
        *self.shared.manner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let path = head.uri.path();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        Ok(match path.strip_prefix("/gate/reservations") {
            Some("") => {
                let key = head.headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
                self.reserve(&body, key).await
            }
            Some(rest) if head.method == Method::GET => self.reservation(rest.trim_start_matches('/')),
            Some(_) => json(200, r#"{"state":"cancelled"}"#.to_owned()),
            None => self.channel(path, &body),
        })
    }

    async fn reserve(&self, body: &Value, key: &str) -> Response<Full<Bytes>> {
        let id = body["reservation_id"].as_str().unwrap_or_default().to_owned();
        let name = crate::wire::number_of(visitor(body));
        let manner = self.manner();
        self.note(&name, &id, key);
        let held = InFlight::begin(self);
        match manner {
            Manner::AtOnce => {}
            Manner::After(time) => moment::pause(time).await,
            Manner::Never => std::future::pending().await,
        }
        drop(held);
        self.books().issued.insert(id.clone());
        issued(&id)
    }

    fn note(&self, name: &str, id: &str, key: &str) {
        let mut books = self.books();
        books.gate_calls += 1;
        let reservation = books
            .gate
            .entry(name.to_owned())
            .or_default()
            .entry(id.to_owned())
            .or_insert_with(|| Reservation { first_asked: moment::now(), key: key.to_owned(), other_keys: 0 });
        if reservation.key != key {
            reservation.other_keys += 1;
        }
    }

    fn reservation(&self, id: &str) -> Response<Full<Bytes>> {
        let known = self.books().issued.contains(id);
        if known { issued(id) } else { json(404, "{}".to_owned()) }
    }

    /// Douyin and the Kakao-style platform take whatever they are told.
    fn channel(&self, path: &str, body: &Value) -> Response<Full<Bytes>> {
        if path.contains("/oauth/client_token/") {
            return json(200, TOKEN.to_owned());
        }
        if path.starts_with("/v1/") {
            return json(202, "{}".to_owned());
        }
        let booking = body["order_id"].as_str().unwrap_or_default();
        if path.contains("/certificate/verify/") {
            let token = body["verify_token"].as_str().unwrap_or_default().to_owned();
            let mut books = self.books();
            let tokens = books.used.entry(booking.to_owned()).or_default();
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        } else if path.contains("/fulfilment/create/callback/") {
            self.books().told.insert(booking.to_owned());
        }
        json(200, SUCCESS.to_owned())
    }
}

/// The name of the first visitor, or of the contact.
fn visitor(body: &Value) -> &str {
    let name = |person: &'_ Value| person["name"].as_str().map(str::len).unwrap_or_default() > 0;
    let person = Some(&body["visitors"][0]).filter(|person| name(person)).unwrap_or(&body["contact"]);
    person["name"].as_str().unwrap_or_default()
}

/// A call under way, counted until it ends or its caller goes away.
struct InFlight<'p>(&'p Partners);

impl<'p> InFlight<'p> {
    fn begin(partners: &'p Partners) -> Self {
        let mut books = partners.books();
        books.in_flight += 1;
        books.in_flight_max = books.in_flight_max.max(books.in_flight);
        Self(partners)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.books().in_flight -= 1;
    }
}

/// What partners that answer at once say to a call, in all its forms; for a bridge without sockets. Nothing is written into any books.
pub(crate) fn said(url: &str, body: &[u8]) -> String {
    if url.contains("/gate/reservations") {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let id = body["reservation_id"].as_str().or(url.rsplit('/').next());
        return ticket(id.unwrap_or_default());
    }
    if url.contains("/oauth/client_token/") { TOKEN } else { SUCCESS }.to_owned()
}

const TOKEN: &str = r#"{"data":{"error_code":0,"access_token":"clt.benchmark","expires_in":7200}}"#;
const SUCCESS: &str = r#"{"data":{"error_code":0,"description":"success"},"extra":{"error_code":0}}"#;

fn ticket(id: &str) -> String {
    let code: String = id.chars().rev().take(16).collect();
    format!(r#"{{"state":"issued","backend_ref":"G-{code}","tickets":[{{"code":"C{code}","kind":"code"}}]}}"#)
}

fn issued(id: &str) -> Response<Full<Bytes>> {
    json(200, ticket(id))
}

fn json(status: u16, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
