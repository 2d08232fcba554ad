//! Calls to the platform (`protocols/korea.md` 7.9), each by its capability; what it has no call for is a person's task.

use http::Method;
use serde_json::{Value, json};
use ticketbridge_core::command::Command;
use ticketbridge_core::effect::Report;
use ticketbridge_core::id::ExternalId;
use ticketbridge_core::mirror::Snapshot;
use ticketbridge_core::next_step::{CLOSED, SOLD_OUT};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Call, CallResult, Context, EncodeError, HttpResponse};

use super::map::snapshot_in;
use crate::fat_events::calls::{self, get, is_done, json, part, revision_of};
use crate::fat_events::settings::Common;

/// Characters of a reason that is written for the guest.
const REASON_CHARS_MAX: usize = 200;

fn reservation(settings: &Common, number: &str) -> String {
    format!("{}/v1/reservations/{}", settings.api_base, part(number))
}

fn by(settings: &Common, capability: &str, what: &'static str) -> Result<(), EncodeError> {
    if settings.can(capability) { Ok(()) } else { Err(EncodeError::Unsupported(what)) }
}

/// Writes a report.
pub(super) fn report(settings: &Common, report: &Report, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
    let base = reservation(settings, order.channel_order_id.as_str());
    let zone = settings.zone();
    let revision = revision_of(order);
    // The same on every attempt: the order changes when somebody says something new, and then it is another call.
    let decided_at = order.updated_at.rfc3339(zone);
    let (path, body) = match report {
        Report::BookingAccepted { .. } => {
            by(settings, "confirm", "confirm the booking")?;
            let backend_ref = order.booking.as_ref().and_then(|b| b.ticketing.backend_ref.as_deref());
            let body = json!({ "expected_revision": revision, "backend_ref": backend_ref, "decided_at": decided_at });
            ("/confirm".to_owned(), body)
        }
        Report::BookingDeclined { reason, .. } => {
            by(settings, "reject", "decline the booking")?;
            let (code, text) = refusal(reason);
            if text.chars().count() > REASON_CHARS_MAX {
                let sentence = format!("the reason for the guest has more than {REASON_CHARS_MAX} characters");
                return Err(EncodeError::Invalid(sentence));
            }
            ("/reject".to_owned(), json!({ "expected_revision": revision, "reason_code": code, "reason_text": text }))
        }
        Report::CancelQuote => {
            by(settings, "cancel", "cancel the booking")?;
            return get(&settings.api_secret, format!("{base}/cancel-quote"), cx);
        }
        Report::CancelWanted { fee, rate_bp, refund, reason } => {
            by(settings, "cancel", "cancel the booking")?;
            let body = json!({
                "expected_revision": revision,
                "fee": { "rate_bp": rate_bp, "amount_krw": fee },
                "refund_krw": refund,
                "expect_paid_krw": order.money.received(),
                "expect_refunded_krw": order.money.refunded(),
                "internal_reason": reason,
            });
            ("/cancel".to_owned(), body)
        }
        Report::Redeemed { at, .. } => {
            let body = json!({ "lines": unused(order), "used_at": at.rfc3339(zone), "method": "MANUAL" });
            ("/use".to_owned(), body)
        }
        Report::NoShow { at, .. } => {
            if !settings.can("no_show") {
                return Err(EncodeError::Obsolete("this platform keeps no record of guests who did not come"));
            }
            ("/no-show".to_owned(), json!({ "marked_at": at.rfc3339(zone) }))
        }
        Report::PaymentReturn { payment, amount, left, reason, .. } => {
            by(settings, "payment_only_cancel", "return the payment and leave the booking as it is")?;
            let body = json!({ "cancel_krw": amount, "expect_cancelable_krw": left, "reason": reason });
            (format!("/payments/{}/cancel", part(payment)), body)
        }
        Report::OrderCancelled { .. } => return Err(EncodeError::Unsupported("cancel the booking")),
        Report::TicketsIssued { .. }
        | Report::RefundApproved { .. }
        | Report::RefundRejected { .. }
        | Report::PaymentLink { .. }
        | Report::LinkRevoked { .. }
        | Report::HandOver => return Err(EncodeError::Obsolete("this platform has nothing of the kind")),
    };
    calls::write(&settings.api_secret, Method::POST, format!("{base}{path}"), &body, cx.delivery_id, cx)
}

/// The units that were neither used nor called off, line by line.
fn unused(order: &Order) -> Vec<Value> {
    let lines = order.mirror.as_deref().map(|m| m.picture.lines.as_slice()).unwrap_or_default();
    let left = lines.iter().map(|line| (line, line.quantity.saturating_sub(line.cancelled + line.used)));
    left.filter(|(_, units)| *units > 0)
        .map(|(line, units)| json!({ "detail_no": line.detail, "quantity": units }))
        .collect()
}

/// The platform's code for a refusal, and the words for the guest. Policy's own reasons have theirs; a person's words go as they are.
fn refusal(reason: &str) -> (&'static str, &str) {
    match reason {
        SOLD_OUT => ("SOLD_OUT", "예약 가능한 수량이 모두 소진되어 예약을 확정할 수 없습니다."),
        CLOSED => ("CLOSED", "현재 판매하지 않는 상품이어서 예약을 확정할 수 없습니다."),
        words => ("OTHER", words),
    }
}

/// What else an answer says: the whole reservation, or at least that it was done.
pub(super) fn learned(settings: &Common, report: &Report, order: &Order, response: &HttpResponse) -> Vec<Command> {
    let body = json(response);
    if let Some(snapshot) = snapshot_in(settings, &body, revision_of(order) + 1) {
        return vec![Command::SyncSnapshot { snapshot: Box::new(snapshot), not_for_sale: None }];
    }
    if !is_done(response) {
        return Vec::new();
    }
    match report {
        Report::CancelQuote => {
            let fee = body.get("fee_krw").and_then(Value::as_i64);
            fee.map(|fee| Command::RecordQuote { fee }).into_iter().collect()
        }
        _ => vec![Command::RecordAgreement { report: report.clone() }],
    }
}

/// Asks for a whole reservation.
pub(super) fn read_back(settings: &Common, about: &ExternalId, cx: &Context<'_>) -> Result<Call, EncodeError> {
    by(settings, "read_back", "look the booking up")?;
    get(&settings.api_secret, reservation(settings, about.as_str()), cx)
}

/// Reads the answer.
pub(super) fn read_read_back(settings: &Common, response: &HttpResponse) -> CallResult<Box<Snapshot>> {
    calls::read(response).and(|| match snapshot_in(settings, &json(response), 1) {
        Some(snapshot) => CallResult::Done(Box::new(snapshot)),
        None => CallResult::Unknown { why: "the answer holds no reservation that can be read".into() },
    })
}
