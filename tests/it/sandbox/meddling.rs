// SPDX-License-Identifier: Apache-2.0

//! A bridge that misbehaves: what it sends is changed, kept back or sent twice on its way out, correctly signed.

use futures_util::future::BoxFuture;
use serde_json::Value;
use ticketbridge::transport::{CallLimits, HttpTransport, Transport, TransportError};
use ticketbridge_adapters::standard_webhooks::{ID, Secrets};
use ticketbridge_core::port::{Call, HttpResponse};
use ticketbridge_core::time::UnixMillis;

use super::CALLS_SECRET;

/// What is done with calls whose address ends with this.
#[derive(Clone, Copy)]
pub(super) struct Meddle {
    pub(super) ends_with: &'static str,
    pub(super) how: How,
}

/// How.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// It is not sent, and the bridge believes that it was done.
    Swallow,
    /// It is sent once more, under another key.
    Again,
    /// Its body is changed.
    Change(fn(&mut Value)),
    /// Nobody signs it.
    Unsigned,
    /// It is sent without its key.
    WithoutKey,
}

/// The way out, meddled with.
pub(super) struct Meddling {
    http: HttpTransport,
    meddle: Option<Meddle>,
}

impl Meddling {
    pub(super) fn new(http: HttpTransport, meddle: Option<Meddle>) -> Self {
        Self { http, meddle }
    }
}

impl Transport for Meddling {
    fn send<'a>(&'a self, call: &'a Call, limits: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        let meddle = self.meddle.filter(|meddle| call.url.ends_with(meddle.ends_with));
        Box::pin(async move {
            let mut call = call.clone();
            match meddle.map(|meddle| meddle.how) {
                None => {}
                Some(How::Swallow) => {
                    let (status, headers) = (http::StatusCode::OK, http::HeaderMap::new());
                    return Ok(HttpResponse { status, headers, body: b"{}".to_vec().into() });
                }
                Some(How::Again) => {
                    self.http.send(&call, limits).await?;
                    call.headers.insert("idempotency-key", "another-key".parse().expect("a header value"));
                }
                Some(How::Change(change)) => {
                    let mut body: Value = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
                    change(&mut body);
                    call.body = body.to_string().into();
                    sign(&mut call);
                }
                Some(How::Unsigned) => {
                    call.headers.insert("webhook-signature", "v1,AAAA".parse().expect("a header value"));
                }
                Some(How::WithoutKey) => drop(call.headers.remove("idempotency-key")),
            }
            self.http.send(&call, limits).await
        })
    }
}

/// Signs a changed body with the time that the call bears.
fn sign(call: &mut Call) {
    let text = |name: &str| call.headers[name].to_str().expect("a text").to_owned();
    let id = text(ID.as_str());
    let seconds: i64 = text("webhook-timestamp").parse().expect("seconds");
    let secrets = Secrets::parse([CALLS_SECRET]).expect("a secret");
    let body = call.body.clone();
    secrets.sign_into(&mut call.headers, &id, UnixMillis(seconds * 1_000), &body).expect("an id fit for a header");
}
