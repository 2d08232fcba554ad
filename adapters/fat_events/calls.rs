//! Calls to a platform whose contract is ours (`protocols/korea.md` 6.7), and what its answers mean.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Call, CallResult, Context, EncodeError, HttpResponse};
use ticketbridge_core::time::UnixMillis;

use crate::fat_events::settings::Common;
use crate::reading::{partner_text, retry_after};
use crate::standard_webhooks::Secrets;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Code of an answer that says that the order has changed meanwhile.
const REVISION_CONFLICT: &str = "revision_conflict";

/// A part of a path, with everything escaped that is not plain.
pub(crate) fn part(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// A question.
pub(crate) fn get(secrets: &Secrets, url: String, cx: &Context<'_>) -> Result<Call, EncodeError> {
    let mut headers = HeaderMap::new();
    secrets.sign_into(&mut headers, cx.delivery_id, cx.now, b"")?;
    Ok(Call { method: Method::GET, url, headers, body: Bytes::new(), timeout: None })
}

/// A write. Its key is the same on every attempt, so that it is carried out once.
pub(crate) fn write(
    secrets: &Secrets,
    method: Method,
    url: String,
    body: &Value,
    key: &str,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let mut headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))]);
    let key = HeaderValue::from_str(key).map_err(|_| EncodeError::Invalid("the key is no header value".into()))?;
    headers.insert(IDEMPOTENCY_KEY, key);
    secrets.sign_into(&mut headers, cx.delivery_id, cx.now, &body)?;
    Ok(Call { method, url, headers, body, timeout: None })
}

/// A question with parameters.
pub(crate) fn query(url: &str, parameters: &[(&str, String)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", part(value))).collect();
    format!("{url}?{}", pairs.join("&"))
}

/// Goes on where the platform has this capability; where it has not, a person does `what`.
pub(crate) fn by(settings: &Common, capability: &str, what: &'static str) -> Result<(), EncodeError> {
    if settings.can(capability) { Ok(()) } else { Err(EncodeError::Unsupported(what)) }
}

/// Asks which of the platform's `things` have changed between two times, each given under the platform's name for it.
pub(crate) fn list_changes(
    settings: &Common,
    things: &str,
    between: [(&str, UnixMillis); 2],
    cursor: Option<&str>,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    by(settings, "read_back", "list what has changed")?;
    let zone = settings.zone();
    let mut parameters: Vec<_> = between.map(|(name, at)| (name, at.rfc3339(zone))).into();
    parameters.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
    get(&settings.api_secret, query(&format!("{}/v1/{things}", settings.api_base), &parameters), cx)
}

/// The elements of a list in an answer, and where it goes on.
pub(crate) fn list<'b>(body: &'b Value, names: &[&str]) -> Option<(&'b [Value], Option<String>)> {
    let items = names.iter().find_map(|name| body.get(name)?.as_array())?;
    let next = ["next_cursor", "cursor"].iter().find_map(|name| body.get(name)?.as_str());
    Some((items, next.filter(|cursor| !cursor.is_empty()).map(str::to_owned)))
}

/// The count of changes after a change that we know to have happened; 0 where none are counted.
pub(crate) fn next_revision(order: &Order) -> u64 {
    match revision_of(order) {
        0 => 0,
        known => known + 1,
    }
}

/// The count of changes that a call of ours builds on; none where none are counted.
pub(crate) fn expected_revision(order: &Order) -> Option<u64> {
    Some(revision_of(order)).filter(|revision| *revision > 0)
}

/// The count of changes that we know of.
fn revision_of(order: &Order) -> u64 {
    order.mirror.as_deref().map_or(0, |mirror| mirror.picture.revision)
}

/// The body of an answer as JSON.
pub(crate) fn json(response: &HttpResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap_or(Value::Null)
}

/// Whether an answer says that what was asked is done; 202 says that it will be told by an event.
pub(crate) fn is_done(response: &HttpResponse) -> bool {
    response.status.is_success() && response.status != StatusCode::ACCEPTED
}

/// What an answer means.
pub(crate) fn read(response: &HttpResponse) -> CallResult<()> {
    let status = response.status;
    let why = |response: &HttpResponse| {
        let body = json(response);
        let said = ["/error/message", "/detail", "/message"].iter().find_map(|path| body.pointer(path)?.as_str());
        said.map_or_else(|| format!("HTTP {}", status.as_u16()), partner_text)
    };
    match status.as_u16() {
        200..=299 => CallResult::Done(()),
        401 | 403 => CallResult::Retry {
            why: Cow::Owned(format!(
                "{}: THE PLATFORM REFUSES OUR SIGNATURE; compare secret and clocks",
                status.as_u16()
            )),
            after: retry_after(&response.headers),
        },
        404 => CallResult::Absent,
        408 | 425 | 429 => CallResult::Retry { why: Cow::Owned(why(response)), after: retry_after(&response.headers) },
        503 if retry_after(&response.headers).is_some() => {
            CallResult::Retry { why: Cow::Owned(why(response)), after: retry_after(&response.headers) }
        }
        409 if code(response) == REVISION_CONFLICT => CallResult::Overtaken,
        410 => CallResult::Refused { code: "closed".to_owned(), why: why(response) },
        400..=499 => CallResult::Refused { code: code(response), why: why(response) },
        _ => CallResult::Unknown { why: Cow::Owned(why(response)) },
    }
}

fn code(response: &HttpResponse) -> String {
    let body = json(response);
    let said = ["/error/code", "/code"].iter().find_map(|path| body.pointer(path)?.as_str());
    said.map_or_else(|| format!("http_{}", response.status.as_u16()), partner_text)
}
