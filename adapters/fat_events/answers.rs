// SPDX-License-Identifier: Apache-2.0

//! Answers to inbound calls (`docs/src/contract/signatures.md`): a result, or a problem with a stable code.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Answer, AuthError, DecodeError, HttpReply, Inbound, Message};
use ticketbridge_core::rejection::{Rejection, Why};
use ticketbridge_core::time::TimeZone;

/// What the core calls the product that an order names.
const PRODUCT: &str = "product";

/// What one channel calls things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    /// The reason under which an event waits for its order.
    pub(crate) unknown: &'static str,
    /// Where the product stands in an event.
    pub(crate) product: &'static str,
}

/// Puts an answer to an event into words.
pub(crate) fn reply(zone: TimeZone, words: Words, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply {
    let unknown = words.unknown;
    let id = match inbound {
        Some(Inbound::Message(envelope)) => Some(envelope.key.as_str()),
        Some(Inbound::Hint { key, .. }) => Some(key.as_str()),
        _ => None,
    };
    match answer {
        Answer::Accepted(order) | Answer::Status(order) => result("accepted", id, Some(order)),
        Answer::Stale(order) => result("stale", id, Some(order)),
        Answer::Repeated(Some(order)) => result("duplicate", id, Some(order)),
        // One that waits goes on waiting.
        Answer::Repeated(None) if is_snapshot(inbound) => parked(id, unknown),
        Answer::Repeated(None) => result("duplicate", id, None),
        Answer::Kept => parked(id, unknown),
        Answer::Noted => match inbound {
            Some(Inbound::Message(envelope)) if matches!(envelope.message, Message::Note { known: false, .. }) => {
                result("ignored", id, None)
            }
            _ => result("accepted", id, None),
        },
        Answer::NoSuchOrder => problem(StatusCode::NOT_FOUND, "not_found", "there is no such order", None),
        Answer::Refused(rejection) => refused(words, rejection),
        Answer::ContentDiffers => {
            let detail = "this event_id came before with other content; the first one stands";
            problem(StatusCode::CONFLICT, "event_id_reused", detail, Some("event_id"))
        }
        Answer::Unauthenticated(error) => unauthenticated(error, zone),
        Answer::Malformed(error) => malformed(error),
        Answer::TryLater(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again", None),
        Answer::MaySell | Answer::Left(_) | Answer::Calendar(_) | Answer::Offers(_) | Answer::Reservations(_) => {
            result("accepted", id, None)
        }
    }
}

fn is_snapshot(inbound: Option<&Inbound>) -> bool {
    matches!(inbound, Some(Inbound::Message(envelope)) if matches!(envelope.message, Message::Snapshot(_)))
}

fn result(word: &str, id: Option<&str>, order: Option<&Order>) -> HttpReply {
    let revision =
        order.and_then(|order| order.channel_state.as_deref()).map(|channel_state| channel_state.standing.revision);
    let body = json!({
        "result": word,
        "event_id": id,
        "order_id": order.map(|order| &order.id),
        "version": order.map(|order| order.version),
        "revision": revision,
    });
    HttpReply::json(StatusCode::OK, &body)
}

fn parked(id: Option<&str>, reason: &str) -> HttpReply {
    HttpReply::json(StatusCode::ACCEPTED, &json!({ "result": "parked", "reason": reason, "event_id": id }))
}

fn refused(words: Words, rejection: &Rejection) -> HttpReply {
    let (status, code) = match rejection.why {
        Why::OffSale => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_product"),
        Why::Invalid | Why::FeeAboveDefault | Why::NoPayment => {
            (StatusCode::UNPROCESSABLE_ENTITY, rejection.why.code())
        }
        Why::NotFound => (StatusCode::NOT_FOUND, rejection.why.code()),
        Why::OutOfStock
        | Why::VisitorHasTicket
        | Why::DateNotBookable
        | Why::AgeLimit
        | Why::SexLimit
        | Why::DocumentLimit
        | Why::PhoneLimit
        | Why::QuantityLimit
        | Why::CreditTooLow
        | Why::PriceMismatch
        | Why::ContentDiffers
        | Why::Tombstoned
        | Why::AlreadyBooked
        | Why::NotPaid
        | Why::RefundUnderReview
        | Why::AlreadyRedeemed
        | Why::TooEarly
        | Why::NotTicketed
        | Why::AlreadyTicketed
        | Why::ReadOnlyOrder
        | Why::VersionConflict
        | Why::AlreadyCancelled
        | Why::NotBooked
        | Why::NotWaiting
        | Why::AlreadyDecided
        | Why::TicketsMissing
        | Why::RefundExceeds
        | Why::PartialNotAllowed
        | Why::NotUsed
        | Why::LinkNotNeeded
        | Why::NotSupported
        | Why::PhoneMissing
        | Why::DocumentMissing
        | Why::NameMissing
        | Why::VisitorsMismatch
        | Why::PhoneMalformed
        | Why::DocumentMalformed
        | Why::DocumentNotAccepted
        | Why::NameMalformed
        | Why::FeeOutOfRange => (StatusCode::CONFLICT, rejection.why.code()),
    };
    let field = match rejection.field.as_deref() {
        Some(PRODUCT) => Some(words.product),
        other => other,
    };
    let mut body = problem_body(status, code, &rejection.sentence, field);
    if let (StatusCode::UNPROCESSABLE_ENTITY, Some(field)) = (status, field) {
        body["errors"] = json!(DecodeError::new(field, rejection.sentence.clone()).every());
    }
    write(status, &body)
}

fn unauthenticated(error: &AuthError, zone: TimeZone) -> HttpReply {
    let mut body = problem_body(StatusCode::UNAUTHORIZED, error.code(), &error.told(), None);
    if let AuthError::StaleTimestamp { now, .. } = error {
        body["server_time"] = json!(now.rfc3339(zone));
    }
    write(StatusCode::UNAUTHORIZED, &body)
}

fn malformed(error: &DecodeError) -> HttpReply {
    let code = error.code.unwrap_or("malformed");
    let status = match code {
        "malformed" | "malformed_json" | "event_id_mismatch" => StatusCode::BAD_REQUEST,
        "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "unsupported_media_type" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut body = problem_body(status, code, &error.to_string(), Some(&error.field));
    body["fields"] = json!({ error.field.as_str(): [error.reason.as_str()] });
    if status == StatusCode::UNPROCESSABLE_ENTITY {
        body["errors"] = json!(error.every());
    }
    write(status, &body)
}

fn problem(status: StatusCode, code: &str, detail: &str, field: Option<&str>) -> HttpReply {
    write(status, &problem_body(status, code, detail, field))
}

fn problem_body(status: StatusCode, code: &str, detail: &str, field: Option<&str>) -> Value {
    let retryable = matches!(status.as_u16(), 401 | 403 | 404 | 429 | 503);
    let mut body = json!({
        "type": format!("urn:ticketbridge:problem:{code}"),
        "code": code,
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
        "retryable": retryable,
    });
    if let Some(field) = field {
        body["field"] = json!(field);
    }
    body
}

fn write(status: StatusCode, body: &Value) -> HttpReply {
    HttpReply { status, content_type: "application/problem+json", body: Bytes::from(body.to_string()) }
}
