// SPDX-License-Identifier: Apache-2.0

//! Calls to a platform whose contract is ours, and what its answers mean.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Call, CallResult, Context, EncodeError, HttpResponse, Yes};
use ticketbridge_core::time::UnixMillis;

use crate::about::{Answer, Key};
use crate::address::Address;
use crate::fat_events::settings::Common;
use crate::reading::{partner_code, partner_text, retry_after};
use crate::standard_webhooks::Secrets;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Code of an answer that says that the order has changed meanwhile.
const REVISION_CONFLICT: &str = "revision_conflict";

/// What a person does where words of ours are to reach the guest: these contracts have no call for it.
pub(crate) const TELL_THE_GUEST: &str =
    "send the guest the words that were written for the cancellation (`notify_text`)";

/// A question.
pub(crate) fn get(secrets: &Secrets, at: Address, cx: &Context<'_>) -> Result<Call, EncodeError> {
    let mut headers = HeaderMap::new();
    secrets.sign_into(&mut headers, cx.delivery_id, cx.now, b"")?;
    Ok(Call { method: Method::GET, url: at.url(), headers, body: Bytes::new(), timeout: None, key: None })
}

/// A write. Its key is the same on every attempt, so that it is carried out once.
pub(crate) fn write(
    secrets: &Secrets,
    method: Method,
    at: Address,
    body: &Value,
    key: &str,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let mut headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))]);
    let value = HeaderValue::from_str(key).map_err(|_| EncodeError::Invalid("the key is no header value".into()))?;
    headers.insert(IDEMPOTENCY_KEY, value);
    secrets.sign_into(&mut headers, cx.delivery_id, cx.now, &body)?;
    Ok(Call { method, url: at.url(), headers, body, timeout: None, key: Some(key.to_owned()) })
}

/// Goes on where the platform has this capability; where it has not, a person does `what`.
pub(crate) fn by(settings: &Common, capability: &str, what: &'static str) -> Result<(), EncodeError> {
    if settings.can(capability) { Ok(()) } else { Err(EncodeError::Unsupported(what)) }
}

/// Asks which orders under `list` have changed between two times, each given under the platform's name for it.
pub(crate) fn list_changes(
    settings: &Common,
    list: &'static str,
    between: [(&'static str, UnixMillis); 2],
    cursor: Option<&str>,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    let zone = settings.zone();
    let at = Address::at(&settings.api_base).path(list);
    let at = between.into_iter().fold(at, |at, (name, time)| at.query(name, &time.rfc3339(zone)));
    let at = cursor.into_iter().fold(at, |at, cursor| at.query("cursor", cursor));
    get(&settings.api_secret, at, cx)
}

/// The elements of a list in an answer, and where it goes on.
pub(crate) fn list<'b>(body: &'b Value, names: &[&str]) -> Option<(&'b [Value], Option<String>)> {
    let items = names.iter().find_map(|name| body.get(name)?.as_array())?;
    let next = ["next_cursor", "cursor"].iter().find_map(|name| body.get(name)?.as_str());
    Some((items, next.filter(|cursor| !cursor.is_empty()).map(str::to_owned)))
}

/// The count of changes that a call of ours builds on; none where none are counted.
pub(crate) fn expected_revision(order: &Order) -> Option<u64> {
    Some(revision_of(order)).filter(|revision| *revision > 0)
}

/// What of a payment can still go back, as the channel counts it by now: the lock of a return of ours. It may be another one than when the
/// return was decided, and then the return may be more than is left.
pub(crate) fn left_of_payment(
    order: &Order,
    (payment, reference): (&String, &String),
    amount: i64,
    decided: i64,
) -> Result<i64, EncodeError> {
    let left = order.left_for_return(payment, reference).unwrap_or(decided);
    if amount > left {
        let sentence = format!("{amount} was to go back of the payment `{payment}`, and only {left} of it can by now");
        return Err(EncodeError::Invalid(sentence));
    }
    Ok(left)
}

/// The count of changes that we know of.
fn revision_of(order: &Order) -> u64 {
    order.channel_state.as_deref().map_or(0, |channel_state| channel_state.standing.revision)
}

/// What an answer to a call about `keys` says, once it is known to be about nothing else. What a success brings is for `brings` to say.
pub(crate) fn read<T>(
    response: &HttpResponse,
    keys: &[Key<'_>],
    brings: impl FnOnce(&Answer) -> CallResult<T>,
) -> CallResult<T> {
    match Answer::read(response, keys) {
        Err(astray) => astray,
        Ok(answer) => status(response, answer.json()).and(|| brings(&answer)),
    }
}

/// What an answer to a write says. The contract lets a yes be empty, and such a yes proves nothing; one that cannot be read, or
/// that speaks of an error, is none.
pub(crate) fn read_write(response: &HttpResponse, keys: &[Key<'_>]) -> CallResult<Yes> {
    read(response, keys, |answer| yes(response, answer))
}

fn yes(response: &HttpResponse, answer: &Answer) -> CallResult<Yes> {
    let unknown = |why: &'static str| CallResult::Unknown { why: why.into() };
    if response.status == StatusCode::ACCEPTED || response.body.trim_ascii().is_empty() {
        return CallResult::Done(Yes::Bare);
    }
    match answer.json() {
        Value::Object(fields) if fields.get("error").is_some_and(|error| !error.is_null()) => {
            unknown("the answer says yes and speaks of an error")
        }
        Value::Object(_) => CallResult::Done(Yes::Bare),
        _ => unknown("the answer says yes and cannot be read"),
    }
}

/// What the status of an answer means.
fn status(response: &HttpResponse, body: &Value) -> CallResult<()> {
    let status = response.status;
    let why = || {
        let said = ["/error/message", "/detail", "/message"].iter().find_map(|path| body.pointer(path)?.as_str());
        said.map_or_else(|| format!("HTTP {}", status.as_u16()).into(), partner_text)
    };
    let code = || {
        let said = ["/error/code", "/code"].iter().find_map(|path| body.pointer(path)?.as_str());
        said.map_or_else(|| format!("http_{}", status.as_u16()).into(), partner_code)
    };
    let after = retry_after(response);
    match status.as_u16() {
        200..=299 => CallResult::Done(()),
        401 | 403 => CallResult::Retry {
            why: format!("{}: THE PLATFORM REFUSES OUR SIGNATURE; compare secret and clocks", status.as_u16()).into(),
            after,
        },
        404 => CallResult::Absent,
        408 | 425 | 429 => CallResult::Retry { why: why(), after },
        503 if after.is_some() => CallResult::Retry { why: why(), after },
        409 if code() == REVISION_CONFLICT => CallResult::Overtaken,
        410 => CallResult::Refused { code: "closed".into(), why: why() },
        400..=499 => CallResult::Refused { code: code(), why: why() },
        _ => CallResult::Unknown { why: why() },
    }
}
