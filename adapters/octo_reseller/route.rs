// SPDX-License-Identifier: Apache-2.0

//! Addresses under `/octo`: which call is meant, and about what.
//!
//! What stands in an address goes into the call's query: `id`, the number at hand; `once`, a number that nobody else has, for what is
//! reserved without one; `at`, when it came. What the reseller writes there comes after, so that it cannot take their place.

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use ticketbridge_core::port::{Context, Face, HttpReply, Routed};
use ticketbridge_core::time::UnixMillis;

use super::errors::error;

/// What is seen under `/octo`.
pub(super) const FACE: Face = Face { root: "octo", route, refusal, dress, wanted };

pub(super) const SUPPLIER: &str = "supplier";
pub(super) const SUPPLIERS: &str = "suppliers";
pub(super) const CAPABILITIES: &str = "capabilities";
pub(super) const PRODUCTS: &str = "products";
pub(super) const PRODUCT: &str = "product";
pub(super) const AVAILABILITY: &str = "availability";
pub(super) const CALENDAR: &str = "calendar";
pub(super) const RESERVE: &str = "reserve";
pub(super) const BOOKING: &str = "booking";
pub(super) const BOOKINGS: &str = "bookings";
pub(super) const UPDATE: &str = "update";
pub(super) const CONFIRM: &str = "confirm";
pub(super) const EXTEND: &str = "extend";
pub(super) const CANCEL: &str = "cancel";

/// The one that there is: prices, told to whoever asks for them.
pub(super) const PRICING: &str = "octo/pricing";
/// Where a reseller asks for extensions, and is told which of them an answer follows.
const ASKED_FOR: &str = "octo-capabilities";
/// The fields that belong to it.
const OF_PRICING: [&str; 7] = [
    "pricing",
    "pricingFrom",
    "unitPricing",
    "unitPricingFrom",
    "pricingPer",
    "defaultCurrency",
    "availableCurrencies",
];
/// When a reseller may come again, seconds.
const COME_AGAIN_S: &str = "5";

fn route(method: &Method, path: &str, query: &str, cx: &Context<'_>) -> Option<Routed> {
    let path = path.trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let (endpoint, id) = match (method.as_str(), parts.as_slice()) {
        ("GET", ["supplier"]) => (SUPPLIER, ""),
        ("GET", ["suppliers"]) => (SUPPLIERS, ""),
        ("GET", ["suppliers", id]) => (SUPPLIER, *id),
        ("GET", ["capabilities"]) => (CAPABILITIES, ""),
        ("GET", ["products"]) => (PRODUCTS, ""),
        ("GET", ["products", id]) => (PRODUCT, *id),
        ("POST", ["availability"]) => (AVAILABILITY, ""),
        ("POST", ["availability", "calendar"]) => (CALENDAR, ""),
        ("POST", ["bookings"]) => (RESERVE, ""),
        ("GET", ["bookings"]) => (BOOKINGS, ""),
        ("GET", ["bookings", id]) => (BOOKING, *id),
        ("PATCH", ["bookings", id]) => (UPDATE, *id),
        ("POST", ["bookings", id, "confirm"]) => (CONFIRM, *id),
        ("POST", ["bookings", id, "extend"]) => (EXTEND, *id),
        ("POST", ["bookings", id, "cancel"]) | ("DELETE", ["bookings", id]) => (CANCEL, *id),
        _ => return None,
    };
    let (once, at) = (uuid_of(cx.nonce), cx.now.0);
    Some(Routed { endpoint, query: format!("id={id}&once={once}&at={at}&{query}") })
}

/// A random uuid, version 4 (RFC 9562).
fn uuid_of(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn refusal(status: StatusCode, sentence: &str) -> HttpReply {
    let code = match status.as_u16() {
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        400..=499 => "BAD_REQUEST",
        _ => "INTERNAL_SERVER_ERROR",
    };
    error(status, code, sentence, None)
}

/// Whether prices are asked for.
fn wants_prices(asked: &HeaderMap) -> bool {
    let all = asked.get_all(ASKED_FOR).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|id| id.trim() == PRICING)
}

/// What belongs to an extension is told to whoever asked for it: others may not know its fields.
fn wanted(asked: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    if wants_prices(asked) {
        return None;
    }
    let mut body: Value = serde_json::from_slice(body).ok()?;
    without_prices(&mut body);
    serde_json::to_vec(&body).ok()
}

fn without_prices(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !OF_PRICING.contains(&name.as_str()));
            fields.values_mut().for_each(without_prices);
        }
        Value::Array(items) => items.iter_mut().for_each(without_prices),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn dress(asked: &HeaderMap, reply: &HttpReply, headers: &mut HeaderMap) {
    headers.insert(ASKED_FOR, HeaderValue::from_static(if wants_prices(asked) { PRICING } else { "" }));
    if reply.status == StatusCode::SERVICE_UNAVAILABLE && !headers.contains_key(http::header::RETRY_AFTER) {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static(COME_AGAIN_S));
    }
}

/// The first value under `name`.
pub(super) fn asked(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// The number that the address is about.
pub(super) fn id(query: &str) -> Option<String> {
    asked(query, "id")
}
/// A number that no other call has.
pub(super) fn once(query: &str) -> String {
    asked(query, "once").unwrap_or_default()
}
/// When it came.
pub(super) fn at(query: &str) -> UnixMillis {
    UnixMillis(asked(query, "at").and_then(|at| at.parse().ok()).unwrap_or_default())
}

/// A uuid in lower case; `None` where the text is none.
pub(super) fn uuid(text: &str) -> Option<String> {
    let is_its = |(index, byte): (usize, u8)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    (text.len() == 36 && text.bytes().enumerate().all(is_its)).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(method: &Method, path: &str, query: &str) -> Option<(&'static str, Option<String>)> {
        let cx = Context::without_delivery(UnixMillis(7), [255; 16]);
        let routed = route(method, path, query, &cx)?;
        assert_eq!(at(&routed.query), UnixMillis(7), "whatever the reseller writes");
        assert_eq!(once(&routed.query), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        Some((routed.endpoint, id(&routed.query)))
    }

    #[test]
    fn an_address_names_its_call_and_a_query_cannot_take_the_place_of_its_number() {
        let about = |endpoint, id: &str| Some((endpoint, Some(id.to_owned())));
        assert_eq!(routed(&Method::GET, "products/P%2F1/", ""), about(PRODUCT, "P/1"));
        assert_eq!(routed(&Method::POST, "bookings/B1/confirm", "id=B2&at=9&once=x"), about(CONFIRM, "B1"));
        assert_eq!(routed(&Method::POST, "bookings", "id=B2"), Some((RESERVE, None)));
        assert_eq!(routed(&Method::DELETE, "bookings/B1", ""), about(CANCEL, "B1"));
        assert_eq!(routed(&Method::PATCH, "bookings/B1", ""), about(UPDATE, "B1"));
        assert_eq!(routed(&Method::GET, "bookings", "localDate=2026-12-10"), Some((BOOKINGS, None)));
        assert_eq!(routed(&Method::POST, "/availability/calendar", ""), Some((CALENDAR, None)));
        for (method, path) in [(Method::PUT, "bookings/B1"), (Method::GET, "bookings/B1/confirm"), (Method::GET, "")] {
            assert_eq!(routed(&method, path, ""), None);
        }
        assert_eq!(
            uuid("7D7D6F2C-1111-5222-8333-444455556666").as_deref(),
            Some("7d7d6f2c-1111-5222-8333-444455556666")
        );
        assert_eq!(uuid("7d7d6f2c-1111-5222-8333-44445555666g"), None);
    }
}
