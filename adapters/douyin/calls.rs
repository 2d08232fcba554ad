// SPDX-License-Identifier: Apache-2.0

//! Calls to Douyin's OpenAPI and what its answers mean.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use ticketbridge_core::ciphers::Opened;
use ticketbridge_core::message::Notification;
use ticketbridge_core::order::{Booking, BookingState, Order, RefundCase, TicketingState};
use ticketbridge_core::port::{Call, CallResult, ChannelView, Context, EncodeError, HttpResponse, Token, Yes};
use ticketbridge_core::quoted::{ForeignCode, FreeText};
use ticketbridge_core::time::Millis;

use super::settings::Settings;
use super::vouchers::{self, ListNames};
use crate::about::{Answer, Key, astray};
use crate::one_reading;
use crate::reading::{partner_text, retry_after};

/// Gives everybody the same token as long as it is valid; not stated to be there for every application (2, U-09).
const STABLE_TOKEN: &str = "/oauth/stable_client_token/";
/// Gives a new one, and ends the one before it.
const TOKEN: &str = "/oauth/client_token/";
const CONFIRM: &str = "/goodlife/v1/trip/order/confirm/";
const CALLBACK: &str = "/goodlife/v1/fulfilment/create/callback/";
const SECOND_CALLBACK: &str = "/goodlife/v1/trip/scenic/groupon/certificate/callback/";
const AUDIT: &str = "/goodlife/v1/trip/refund/audit/";
const VERIFY: &str = "/goodlife/v1/trip/certificate/verify/";
const DECRYPT: &str = "/goodlife/v1/open/common_biz/crypto/decrypt/batch/";
const ORDER_QUERY: &str = "/goodlife/v1/trade/order/query/";

/// Cipher texts of one online decryption.
const CIPHERS_MAX: usize = 50;
/// How long to leave Douyin alone after "too frequent".
const TOO_FREQUENT: Millis = Millis::seconds(30);
/// How long to leave the token call alone: its limit counts five minutes (2).
const TOKEN_TOO_FREQUENT: Millis = Millis::minutes(5);
/// How long to wait when a quota is used up.
const QUOTA_USED: Millis = Millis::minutes(10);
/// Lifetime of a token whose answer names none (2).
const TOKEN_LIFE: Millis = Millis::seconds(7_200);

fn plain_headers() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))])
}

/// The headers of every call but the token's.
fn headers(settings: &Settings, cx: &Context<'_>) -> Result<HeaderMap, EncodeError> {
    let mut headers = plain_headers();
    let token = cx.access_token.ok_or_else(|| EncodeError::Invalid("an access token is needed first".into()))?;
    let mut token =
        HeaderValue::from_str(token).map_err(|_| EncodeError::Invalid("the access token is no header value".into()))?;
    token.set_sensitive(true);
    headers.insert(HeaderName::from_static("access-token"), token);
    // Required by some pages, optional on others: always sent.
    let account = HeaderValue::from_str(&settings.account_id)
        .map_err(|_| EncodeError::Invalid("account_id is no header value".into()))?;
    headers.insert(HeaderName::from_static("rpc-transit-life-account"), account);
    Ok(headers)
}

fn post(settings: &Settings, path: &str, headers: HeaderMap, body: &Value) -> Call {
    let url = format!("{}{path}", settings.api_base);
    Call { method: Method::POST, url, headers, body: Bytes::from(body.to_string()), timeout: None, key: None }
}

/// Writes a notification.
pub(super) fn notify(
    settings: &Settings,
    notification: &Notification,
    order: &Order,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    let booking = |id| order.booking_by_id(id).ok_or(EncodeError::Missing("booking"));
    let (path, body) = match notification {
        Notification::BookingConfirmed { booking: id } => (CONFIRM, confirm(booking(id)?, 1)),
        Notification::BookingRejected { booking: id, .. } => (CONFIRM, confirm(booking(id)?, 2)),
        Notification::TicketsIssued { booking: id } => callback(order, booking(id)?)?,
        Notification::RefundApproved { case, fee } => {
            let case = case_by_id(order, case)?;
            let mut body = audit(case, 1);
            // More than Douyin's own figure counts as a rejection (11).
            body["refund_fee_amount"] = json!((*fee).clamp(0, case.channel_fee.max(0)));
            (AUDIT, body)
        }
        Notification::RefundRejected { case, reissue, .. } => {
            let case = case_by_id(order, case)?;
            let mut body = audit(case, 2);
            if *reissue {
                let booking = order.booking_named_by(case).ok_or(EncodeError::Missing("booking"))?;
                let dealt = vouchers::deal(order, booking, booking.ticketing.request.as_ref())?;
                body["vouchers"] = vouchers::first_generation(&dealt);
            }
            (AUDIT, body)
        }
        Notification::Redeemed { booking: id, at } => {
            let order_id = booking(id)?.channel_booking_id.as_str().to_owned();
            // One token for the one redemption, on every attempt.
            let token = format!("v-{order_id}");
            (VERIFY, json!({ "order_id": order_id, "verify_token": token, "verify_time": at.seconds() }))
        }
        // It has no such call, and nothing of its own depends on it.
        Notification::NoShow { .. } => return Err(EncodeError::Obsolete("Douyin takes no report of a no-show")),
        Notification::OrderCancelled { .. } => return Err(EncodeError::Unsupported("cancelling an order")),
        Notification::CancelQuote
        | Notification::Cancellation { .. }
        | Notification::PaymentReturn { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => return Err(EncodeError::Unsupported("this")),
    };
    let key = body["verify_token"].as_str().map(str::to_owned);
    Ok(Call { key, ..post(settings, path, headers(settings, cx)?, &body) })
}

fn confirm(booking: &Booking, result: i64) -> Value {
    json!({ "order_id": booking.channel_booking_id, "confirm_result": result })
}

fn audit(case: &RefundCase, result: i64) -> Value {
    json!({ "order_id": case.target, "biz_uniq_key": case.channel_ref, "audit_result": result })
}

fn case_by_id<'o>(order: &'o Order, id: &ticketbridge_core::RefundCaseId) -> Result<&'o RefundCase, EncodeError> {
    let cases = order.refund_case.iter().chain(&order.past_refund_cases);
    cases.into_iter().find(|case| &case.id == id).ok_or(EncodeError::Missing("refund case"))
}

fn callback(order: &Order, booking: &Booking) -> Result<(&'static str, Value), EncodeError> {
    if matches!(booking.state, BookingState::Rejected | BookingState::Cancelled) {
        return Err(EncodeError::Obsolete("the booking is off"));
    }
    match booking.ticketing.state {
        // A cancellation that the back-end refused leaves the tickets alive.
        TicketingState::Issued | TicketingState::NotNeeded | TicketingState::CancelRefused => {}
        TicketingState::Cancelling | TicketingState::Cancelled => {
            return Err(EncodeError::Obsolete("the tickets are being cancelled, or are"));
        }
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Failed => {
            return Err(EncodeError::Missing("tickets"));
        }
    }
    let request = booking.ticketing.request.as_ref();
    let dealt = vouchers::deal(order, booking, request)?;
    let order_id = &booking.channel_booking_id;
    if request.is_some_and(|request| request.second_generation) {
        let list = vouchers::second_generation(&dealt, &order.rules.booking.name, ListNames::Callback);
        return Ok((SECOND_CALLBACK, json!({ "order_id": order_id, "result": 1, "certificate_info_list": list })));
    }
    let list = vouchers::first_generation(&dealt);
    Ok((CALLBACK, json!({ "order_id": order_id, "third_order_id": order.id, "result": 1, "vouchers": list })))
}

/// How far one should go on trying after an error that may be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// A deadline runs: everything but a definite no is tried again (6, 8, 11).
    UntilDeadline,
    /// A gap in configuration or permission will not close by itself.
    Ordinary,
}

/// What an error code means.
fn meaning<T>(code: i64, description: &str, patience: Patience) -> CallResult<T> {
    let why = || partner_text(description);
    let refused = || CallResult::Refused { code: code.to_string().into(), why: why() };
    let retry = |after| CallResult::Retry { why: FreeText::our_own(format!("{code}: {}", why())), after };
    match code {
        2190002 | 28001003 | 2190008 | 28001008 => CallResult::TokenRejected,
        2100005 | 2119001 | 28001007 | 5000001 => refused(),
        2190004 | 28001018 | 28001014 | 2119005 | 2100007 | 2119008 | 2119010 | 28001016 | 28001019 | 28001056
            if patience == Patience::Ordinary =>
        {
            refused()
        }
        2119003 | 28003018 | 28001052 => retry(Some(TOO_FREQUENT)),
        2190001 | 28003017 => retry(Some(QUOTA_USED)),
        _ => retry(None),
    }
}

/// Why an answer without an envelope is no success.
fn transport<T>(response: &HttpResponse) -> Option<CallResult<T>> {
    let status = response.status;
    if status == StatusCode::OK {
        return None;
    }
    let why = FreeText::our_own(format!("HTTP {}", status.as_u16()));
    Some(match status.as_u16() {
        429 | 503 => CallResult::Retry { why, after: retry_after(response) },
        500.. => CallResult::Unknown { why },
        _ => CallResult::Retry { why, after: None },
    })
}

fn code_in(part: Option<&Value>) -> Option<i64> {
    let code = part?.get("error_code")?;
    code.as_i64().or_else(|| code.as_str()?.parse().ok())
}

/// The `data` of an answer that plainly says success, or what the answer means instead.
fn success<T>(response: &HttpResponse, patience: Patience) -> Result<Value, CallResult<T>> {
    if let Some(result) = transport(response) {
        return Err(result);
    }
    let unreadable = || CallResult::Unknown { why: "the answer has no readable result".into() };
    let mut body: Value = one_reading::json(&response.body).map_err(|_| unreadable())?;
    let codes = [code_in(body.get("data")), code_in(body.get("extra"))];
    for (code, part) in codes.into_iter().zip(["data", "extra"]) {
        if let Some(code) = code.filter(|code| *code != 0) {
            let description = body[part]["description"].as_str().unwrap_or_default();
            return Err(meaning(code, description, patience));
        }
    }
    match codes[0] {
        Some(_) => Ok(body["data"].take()),
        None => Err(unreadable()),
    }
}

/// What the answer to a notification must be about: the sale or booking that it names, the request for a refund, our own order.
fn keys<'r>(notification: &'r Notification, order: &'r Order, body: &Value) -> Vec<Key<'r>> {
    let booking = |id| order.booking_by_id(id).map(|booking| booking.channel_booking_id.as_str());
    let case = |id| case_by_id(order, id).ok();
    let (number, reference) = match notification {
        Notification::BookingConfirmed { booking: id }
        | Notification::BookingRejected { booking: id, .. }
        | Notification::TicketsIssued { booking: id }
        | Notification::Redeemed { booking: id, .. }
        | Notification::NoShow { booking: id, .. } => (booking(id), None),
        Notification::RefundApproved { case: id, .. } | Notification::RefundRejected { case: id, .. } => {
            (case(id).map(|case| case.target.as_str()), case(id).map(|case| case.channel_ref.as_str()))
        }
        Notification::OrderCancelled { .. }
        | Notification::CancelQuote
        | Notification::Cancellation { .. }
        | Notification::PaymentReturn { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => (None, None),
    };
    // Some answers name the sale where the call named its booking.
    let sale = order.channel_order_id.as_str();
    let number = if body.pointer("/data/order_id").and_then(Value::as_str) == Some(sale) { Some(sale) } else { number };
    let numbers = number.map(|number| Key { number, places: &["/data/order_id"] });
    let references = reference.map(|number| Key { number, places: &["/data/biz_uniq_key"] });
    let ours = Key {
        number: order.id.as_str(),
        places: &["/data/third_order_id", "/data/order_out_id", "/data/ext_order_id", "/data/out_order_no"],
    };
    numbers.into_iter().chain(references).chain([ours]).collect()
}

/// Reads the answer to a notification. Douyin's yes is plain: its contract has no other.
pub(super) fn read_notification(
    notification: &Notification,
    order: &Order,
    response: &HttpResponse,
) -> CallResult<Yes> {
    let body: Value = one_reading::json(&response.body).unwrap_or_default();
    let keys = keys(notification, order, &body);
    if let Err(astray) = Answer::about(body, &keys) {
        return astray;
    }
    let read = match notification {
        Notification::Redeemed { booking, .. } => {
            read_verify(order.booking_by_id(booking), response, Patience::Ordinary)
        }
        _ => success(response, Patience::UntilDeadline).map(|_| ()),
    };
    match read {
        Ok(()) => CallResult::Done(Yes::Plain),
        Err(result) => result,
    }
}

/// Whether an error of a redemption only says that it was done before: the code alone is not believed.
fn is_repeat(code: i64, text: &str) -> bool {
    const SAID: [&str; 6] = ["已核销", "已验", "已使用", "重复", "already", "repeat"];
    let text = text.to_lowercase();
    matches!(code, 1208 | 2) && SAID.iter().any(|word| text.contains(word))
}

fn read_verify(booking: Option<&Booking>, response: &HttpResponse, patience: Patience) -> Result<(), CallResult<Yes>> {
    if let Ok(body) = one_reading::json(&response.body) {
        let description = body["data"]["description"].as_str().unwrap_or_default();
        if response.status == StatusCode::OK && is_repeat(code_in(body.get("data")).unwrap_or(0), description) {
            return Ok(());
        }
    }
    let data = success(response, patience)?;
    let unknown = |why: &'static str| Err(CallResult::Unknown { why: why.into() });
    let results = match &data["verify_results"] {
        Value::Null => return Ok(()),
        Value::Array(results) if results.is_empty() => return unknown("the answer says yes and lists nothing as used"),
        Value::Array(results) => results,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            return unknown("the answer's list of what was used is none");
        }
    };
    let known = booking.and_then(|b| b.ticketing.request.as_ref()).map_or(&[][..], |r| r.certificates.as_slice());
    for result in results {
        let certificate = result["certificate_id"].as_str().unwrap_or_default();
        if !certificate.is_empty() && !known.is_empty() && known.iter().all(|id| id != certificate) {
            return Err(astray("/data/verify_results/certificate_id"));
        }
        let code = code_in_result(result).unwrap_or(-1);
        let text = result["msg"].as_str().unwrap_or_default();
        if code != 0 && !is_repeat(code, text) {
            let why = FreeText::our_own(format!("{code}: {}", partner_text(text)));
            return Err(CallResult::Retry { why, after: None });
        }
    }
    Ok(())
}

fn code_in_result(result: &Value) -> Option<i64> {
    let code = result.get("code")?;
    code.as_i64().or_else(|| code.as_str()?.parse().ok())
}

/// The calls that fetch a token, for the current application.
pub(super) fn token_calls(settings: &Settings) -> Result<Vec<Call>, EncodeError> {
    let app = settings.apps.first().ok_or_else(|| EncodeError::Invalid("no application is configured".into()))?;
    let body = json!({
        "client_key": app.client_key,
        "client_secret": app.client_secret,
        "grant_type": "client_credential",
    });
    Ok([STABLE_TOKEN, TOKEN].map(|path| post(settings, path, plain_headers(), &body)).into())
}

/// Reads a token.
pub(super) fn read_token(response: &HttpResponse) -> CallResult<Token> {
    if let Some(result) = transport(response) {
        // Fetching a token once more harms nobody.
        return match result {
            CallResult::Unknown { why } => CallResult::Retry { why, after: None },
            other => other,
        };
    }
    let body: Value = one_reading::json(&response.body).unwrap_or_default();
    let data = &body["data"];
    let why = || partner_text(data["description"].as_str().unwrap_or_default());
    match (code_in(body.get("data")), data["access_token"].as_str()) {
        (Some(0) | None, Some(value)) if !value.is_empty() => {
            let lives_for = data["expires_in"].as_i64().filter(|s| *s > 0).map_or(TOKEN_LIFE, Millis::seconds);
            CallResult::Done(Token { value: value.to_owned(), lives_for })
        }
        (Some(code @ (10002 | 10003 | 10013)), _) => CallResult::Refused { code: code.to_string().into(), why: why() },
        (Some(10020), _) => {
            CallResult::Retry { why: "tokens were fetched too often".into(), after: Some(TOKEN_TOO_FREQUENT) }
        }
        (Some(code), _) => CallResult::Retry { why: FreeText::our_own(format!("{code}: {}", why())), after: None },
        (None, _) => CallResult::Retry { why: "the answer has no token".into(), after: None },
    }
}

/// The call that opens what only Douyin can open; 50 values at a time.
pub(super) fn decrypt_call(settings: &Settings, ciphers: &[String], cx: &Context<'_>) -> Result<Call, EncodeError> {
    let texts = &ciphers[..ciphers.len().min(CIPHERS_MAX)];
    if texts.is_empty() {
        return Err(EncodeError::Obsolete("nothing is encrypted any more"));
    }
    let body = json!({ "account_id": settings.account_id, "cipher_texts": texts });
    Ok(post(settings, DECRYPT, headers(settings, cx)?, &body))
}

/// Reads opened values. What Douyin did not open stays cipher; if it opened nothing, the call is repeated.
pub(super) fn read_decrypted(ciphers: &[String], response: &HttpResponse) -> CallResult<Opened> {
    let data = match success(response, Patience::UntilDeadline) {
        Ok(data) => data,
        Err(CallResult::Unknown { why }) => return CallResult::Retry { why, after: None },
        Err(result) => return result,
    };
    let results = data["results"].as_array().into_iter().flatten();
    let opened = Opened::new(
        results
            .filter(|result| result["is_success"].as_bool() != Some(false))
            .filter_map(|result| Some((result["cipher_text"].as_str()?, result["plain_text"].as_str()?)))
            // A success that says nothing has opened nothing: nobody encrypts what is not there.
            .filter(|(_, plain)| !plain.trim().is_empty())
            .map(|(cipher, plain)| (cipher.to_owned(), plain.to_owned())),
    );
    if !ciphers.iter().any(|cipher| opened.has(cipher)) {
        return CallResult::Retry { why: "nothing was decrypted".into(), after: Some(TOO_FREQUENT) };
    }
    CallResult::Done(opened)
}

/// The call that asks how Douyin sees an order.
pub(super) fn order_query(settings: &Settings, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
    let text = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let url = format!(
        "{}{ORDER_QUERY}?account_id={}&order_id={}&page_num=1&page_size=20",
        settings.api_base,
        text(&settings.account_id),
        text(order.channel_order_id.as_str()),
    );
    Ok(Call { method: Method::GET, url, headers: headers(settings, cx)?, body: Bytes::new(), timeout: None, key: None })
}

/// Reads Douyin's view. The numbers of its states are not documented (U-22): they are handed on as they are.
pub(super) fn read_order_query(order: &Order, response: &HttpResponse) -> CallResult<ChannelView> {
    let data = match success(response, Patience::Ordinary) {
        Ok(data) => data,
        Err(result) => return result,
    };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let wanted = order.channel_order_id.as_str();
    let found =
        data["orders"].as_array().into_iter().flatten().find(|o| text(&o["order_id"]).as_deref() == Some(wanted));
    let Some(found) = found else {
        // Nothing is an answer; others' orders are none.
        let others = data["orders"].as_array().is_some_and(|orders| !orders.is_empty());
        return if others { astray("/data/orders/order_id") } else { CallResult::Done(ChannelView::default()) };
    };
    let certificates = found["certificate"].as_array();
    CallResult::Done(ChannelView {
        known: true,
        state: text(&found["order_status"]).map(ForeignCode::new),
        paid: found["pay_amount"].as_i64(),
        refunded: certificates.map(|list| list.iter().filter_map(|c| c["refund_amount"].as_i64()).sum()),
        quantity: found["count"].as_u64().and_then(|count| u32::try_from(count).ok()),
    })
}
