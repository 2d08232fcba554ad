//! Calls to the marketplace (`protocols/korea.md` 8.5), each by its capability.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use ticketbridge_core::command::Command;
use ticketbridge_core::effect::Report;
use ticketbridge_core::id::ExternalId;
use ticketbridge_core::mirror::Snapshot;
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Call, CallResult, Changes, Context, EncodeError, HttpResponse};
use ticketbridge_core::time::UnixMillis;

use super::map::{changes_in, snapshot_in};
use crate::fat_events::calls::{self, by, expected_revision, get, is_done, json, next_revision, part};
use crate::fat_events::settings::Common;

/// Writes a report.
pub(super) fn report(settings: &Common, report: &Report, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
    if order.is_read_only() {
        return Err(EncodeError::Obsolete("the agency's own system keeps this booking"));
    }
    let base = format!("{}/v1/bookings/{}", settings.api_base, part(order.channel_order_id.as_str()));
    let mirror = order.mirror.as_deref().ok_or(EncodeError::Missing("picture of the marketplace's"))?;
    let zone = settings.zone();
    let revision = expected_revision(order);
    let held = order.money.received() - order.money.refunded();
    let (path, body) = match report {
        Report::BookingAccepted { .. } => {
            by(settings, "confirm", "complete the booking")?;
            let body = json!({
                "expected_revision": revision,
                "agency_booking_no": mirror.partner_number(),
                "happy_call_at": order.updated_at.rfc3339(zone),
            });
            ("/complete".to_owned(), body)
        }
        Report::RefundApproved { fee, .. } => {
            by(settings, "cancel", "finish the cancellation")?;
            let body = json!({
                "expected_revision": revision, "fee_krw": fee, "refund_krw": held - fee, "expect_paid_krw": held,
            });
            ("/cancel".to_owned(), body)
        }
        Report::PaymentReturn { payment, amount, left, .. } => {
            by(settings, "payment_only_cancel", "return the payment")?;
            let body = json!({ "cancel_krw": amount, "expect_cancelable_krw": left });
            (format!("/payments/{}/cancel", part(payment)), body)
        }
        Report::PaymentLink { key } => {
            let link = mirror.links.iter().find(|link| &link.key == key).ok_or(EncodeError::Missing("payment link"))?;
            let open = order.money.due - held;
            let purpose = match (held, link.amount) {
                (0, amount) if amount == open => "FULL",
                (0, _) => "DEPOSIT",
                _ => "BALANCE",
            };
            let body = json!({
                "purpose": purpose, "amount_krw": link.amount, "expires_at": link.expires_at.rfc3339(zone),
                // Without a number of the guest's own there is nobody to send it to.
                "send": if order.buyer.phone.is_some() { "ALIMTALK" } else { "NONE" },
            });
            ("/payment-links".to_owned(), body)
        }
        Report::LinkRevoked { id } => {
            let url = format!("{base}/payment-links/{}", part(id));
            return calls::write(&settings.api_secret, Method::DELETE, url, &Value::Null, cx.delivery_id, cx);
        }
        Report::BookingDeclined { .. } => return Err(EncodeError::Unsupported("decline the booking")),
        Report::RefundRejected { .. } => return Err(EncodeError::Unsupported("refuse the cancellation")),
        Report::CancelQuote | Report::CancelWanted { .. } | Report::OrderCancelled { .. } => {
            return Err(EncodeError::Unsupported("cancel the booking, which the guest has not asked for"));
        }
        Report::TicketsIssued { .. } | Report::Redeemed { .. } | Report::NoShow { .. } | Report::HandOver => {
            return Err(EncodeError::Obsolete("the marketplace has nothing of the kind"));
        }
    };
    calls::write(&settings.api_secret, Method::POST, format!("{base}{path}"), &body, cx.delivery_id, cx)
}

/// What an answer to taking a link back means: one that the marketplace does not know any more is taken back (6.7).
pub(super) fn read_revoked(response: &HttpResponse) -> CallResult<()> {
    match response.status {
        StatusCode::NOT_FOUND | StatusCode::GONE => CallResult::Done(()),
        _ => calls::read(response),
    }
}

/// What else an answer says: the whole booking, the link, or at least that it was done.
pub(super) fn learned(
    settings: &Common,
    hands_over: bool,
    report: &Report,
    order: &Order,
    response: &HttpResponse,
) -> Vec<Command> {
    let body = json(response);
    let mut learned = Vec::new();
    if let (Report::PaymentLink { key }, true) = (report, response.status.is_success())
        && let Some(id) = body.get("link_id").and_then(Value::as_str)
    {
        let url = body.get("url").and_then(Value::as_str).map(str::to_owned);
        learned.push(Command::RecordPaymentLink { key: key.clone(), id: id.to_owned(), url });
    }
    if let Some(snapshot) = snapshot_in(settings, hands_over, &body, next_revision(order)) {
        learned.push(Command::SyncSnapshot { snapshot: Box::new(snapshot), not_for_sale: None });
    } else if is_done(response) {
        learned.push(Command::RecordAgreement { report: report.clone() });
    }
    learned
}

/// Asks for a whole booking.
pub(super) fn read_back(settings: &Common, about: &ExternalId, cx: &Context<'_>) -> Result<Call, EncodeError> {
    by(settings, "read_back", "look the booking up")?;
    get(&settings.api_secret, format!("{}/v1/bookings/{}", settings.api_base, part(about.as_str())), cx)
}

/// Reads the answer.
pub(super) fn read_read_back(
    settings: &Common,
    hands_over: bool,
    response: &HttpResponse,
) -> CallResult<Box<Snapshot>> {
    calls::read(response).and(|| match snapshot_in(settings, hands_over, &json(response), 0) {
        Some(snapshot) => CallResult::Done(Box::new(snapshot)),
        None => CallResult::Unknown { why: "the answer holds no booking that can be read".into() },
    })
}

/// Asks which bookings have changed.
pub(super) fn list_changes(
    settings: &Common,
    (from, to): (UnixMillis, UnixMillis),
    cursor: Option<&str>,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    calls::list_changes(settings, "bookings", [("updated_from", from), ("updated_to", to)], cursor, cx)
}

/// Reads the answer.
pub(super) fn read_changes(settings: &Common, hands_over: bool, response: &HttpResponse) -> CallResult<Changes> {
    calls::read(response).and(|| match changes_in(settings, hands_over, &json(response)) {
        Some(changes) => CallResult::Done(changes),
        None => CallResult::Unknown { why: "the answer holds no list of bookings".into() },
    })
}
