// SPDX-License-Identifier: Apache-2.0

//! What the adapters read from outside, fed with any bytes. Shared by the fuzz targets and by the property tests of the suite. Nothing
//! here may panic, whatever comes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::json;
use ticketbridge_adapters::standard_webhooks::Secrets;
use ticketbridge_adapters::{douyin, kakao, ticketing_http, tripstore};
use ticketbridge_core::UnixMillis;
use ticketbridge_core::message::TicketOp;
use ticketbridge_core::port::{Answer, Backend, Channel, Context, HttpResponse, Operations, RawRequest, Verified};

#[path = "../adapters/fixture.rs"]
#[expect(dead_code, reason = "the adapters' own tests need more of it")]
mod fixture;

const NOW: UnixMillis = UnixMillis(1_795_226_400_000);
const SECRET: &str = "whsec_dGVzdHMgc2hhcmUgdGhpcyB3aXRoIHRoZSBnYXRl";

fn context() -> Context<'static> {
    Context { now: NOW, decided_at: NOW, nonce: [7; 16], delivery_id: "dlv_1", access_token: None, attempt: 1 }
}

fn channel() -> Box<dyn Channel> {
    let settings = json!({
        "account_id": "7123456789", "api_base": "https://open.example",
        "apps": [{ "client_key": "awexample", "client_secret": "0123456789abcdef0123456789abcdef" }],
        "accept_url_signature": true,
    });
    (douyin::KIND.build)("douyin-main", &settings).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn backend() -> Box<dyn Backend> {
    let settings = json!({ "base_url": "https://tickets.example/bridge", "secret": SECRET });
    (ticketing_http::KIND.build)("gate", &settings).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The first line of the bytes is the call's name, or the query and headers; the rest is the body.
fn split(bytes: &[u8]) -> (&str, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let head = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
    (head, bytes.get(end + 1..).unwrap_or_default())
}

/// `name: value` pairs, separated by tabs, as headers.
fn headers(text: &str) -> HeaderMap {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once(':')?;
        Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    text.split('\t').filter_map(pair).collect()
}

/// A message of Douyin's whose signature is right.
pub(crate) fn douyin_decode(bytes: &[u8]) {
    let channel = channel();
    let (endpoint, body) = split(bytes);
    let headers = HeaderMap::new();
    let raw = RawRequest { endpoint, method: &Method::POST, query: "", headers: &headers, body };
    match channel.decode(&Verified::attest(raw, 0)) {
        Ok(inbound) => {
            let reply = channel.reply(endpoint, Some(&inbound), &Answer::Kept);
            assert!(reply.status.is_success());
        }
        Err(error) => {
            let reply = channel.reply(endpoint, None, &Answer::Malformed(&error));
            assert!(!reply.body.is_empty());
        }
    }
}

/// A call of anybody's who claims to be Douyin: never believed, since nobody here knows the secret.
pub(crate) fn douyin_verify(bytes: &[u8]) {
    let channel = channel();
    let (head, body) = split(bytes);
    let (query, fields) = head.split_once('\t').unwrap_or((head, ""));
    let headers = headers(fields);
    let raw = RawRequest { endpoint: "can-buy", method: &Method::POST, query, headers: &headers, body };
    assert!(channel.verify(raw, &context()).is_err(), "somebody is believed who does not know the secret");
    channel.explain_verify(raw, &context());
}

/// The same for Standard Webhooks; and what was signed is believed, until one bit of it is another.
pub(crate) fn standard_webhooks_verify(bytes: &[u8]) {
    let secrets = Secrets::parse([SECRET]).expect("a secret");
    let (head, body) = split(bytes);
    assert!(secrets.verify(&headers(head), body, NOW).is_err());
    let mut signed = HeaderMap::new();
    if secrets.sign_into(&mut signed, "msg_1", NOW, body).is_ok() {
        assert!(secrets.verify(&signed, body, NOW).is_ok());
        let mut other = body.to_vec();
        other.push(b' ');
        assert!(secrets.verify(&signed, &other, NOW).is_err());
    }
    secrets.explain(&headers(head), body, NOW);
}

/// A back-end's answer to any of our calls.
pub(crate) fn ticketing_http_read(bytes: &[u8]) {
    let backend = backend();
    let (head, body) = split(bytes);
    let status = head.trim().parse().ok().and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
    let response = HttpResponse { status, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) };
    let order = fixture::order();
    let mut booking = order.booking.clone().expect("it is booked");
    booking.ticketing.backend_ref = Some("R-9".into());
    let Operations::Calls(calls) = backend.operations() else { panic!("one call for each operation") };
    for op in [TicketOp::Issue, TicketOp::Query, TicketOp::Cancel] {
        calls.read(op, &order, &booking, &response);
    }
    backend.availability().expect("it knows what is left").read("P-1", &response);
}

/// A back-end's event whose signature is right.
pub(crate) fn ticketing_http_decode(bytes: &[u8]) {
    let backend = backend();
    let (head, body) = split(bytes);
    let headers = headers(head);
    let raw = RawRequest { endpoint: "events", method: &Method::POST, query: "", headers: &headers, body };
    let pushes = backend.pushes().expect("it calls us");
    let _ = pushes.decode(&Verified::attest(raw, 0));
    assert!(pushes.verify(raw, &context()).is_err());
}

/// Channels that tell whole orders, by the name of their adapter.
fn whole_orders(adapter: &str) -> Box<dyn Channel> {
    let settings = json!({
        "secrets": [SECRET], "api_base": "https://platform.example", "api_secret": SECRET,
        "capabilities": ["confirm", "cancel", "read_back"],
    });
    let kind = if adapter == "tripstore" { tripstore::KIND } else { kakao::KIND };
    (kind.build)("whole", &settings).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A message of a channel that tells whole orders, whose signature is right: adapter and call on the first line.
pub(crate) fn whole_orders_decode(bytes: &[u8]) {
    let (head, body) = split(bytes);
    let (adapter, endpoint) = head.split_once(' ').unwrap_or((head, "events"));
    let channel = whole_orders(adapter);
    let headers = HeaderMap::new();
    let raw = RawRequest { endpoint, method: &Method::POST, query: "", headers: &headers, body };
    match channel.decode(&Verified::attest(raw, 0)) {
        Ok(inbound) => {
            channel.reply(endpoint, Some(&inbound), &Answer::Kept);
        }
        Err(error) => {
            assert!(!error.field.is_empty(), "what is wrong has a name");
            channel.reply(endpoint, None, &Answer::Malformed(&error));
        }
    }
    assert!(channel.verify(raw, &context()).is_err(), "somebody is believed who does not know the secret");
}
