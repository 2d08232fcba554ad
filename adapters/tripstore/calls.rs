// SPDX-License-Identifier: Apache-2.0

//! Calls to the marketplace, each by its capability.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use ticketbridge_core::id::ExternalId;
use ticketbridge_core::limits::EXTERNAL_ID_CHARS_MAX;
use ticketbridge_core::message::{Command, Notification, Snapshot};
use ticketbridge_core::order::channel_state::{LinkPart, LinkState, PaymentLink};
use ticketbridge_core::order::{Order, TicketKind};
use ticketbridge_core::port::{Call, CallResult, Changes, Context, EncodeError, HttpResponse, UNREADABLE_ORDER, Yes};
use ticketbridge_core::quoted::ForeignNumber;
use ticketbridge_core::time::{TimeZone, UnixMillis};

use super::map::{LINK_STATES, changes_in, snapshot_in};
use crate::about::{Answer, Key};
use crate::address::Address;
use crate::fat_events::calls::{self, TELL_THE_GUEST, by, expected_revision, get, left_of_payment};
use crate::fat_events::settings::Common;
use crate::reading::unusable_code;

fn booking(settings: &Common, number: &str) -> Result<Address, EncodeError> {
    Address::at(&settings.api_base).path("/v1/bookings").segment(number)
}

/// The booking that an answer must be about.
fn key(number: &ExternalId) -> Key<'_> {
    Key { number: number.as_str(), places: &["/booking_no", "/booking/booking_no"] }
}

/// Everything that the answer to a notification must be about.
fn keys<'r>(notification: &'r Notification, order: &'r Order) -> Vec<Key<'r>> {
    let part = match notification {
        Notification::PaymentReturn { payment, .. } => {
            Some(Key { number: payment, places: &["/payment_id", "/payment/payment_id"] })
        }
        Notification::LinkRevoked { id } => Some(Key { number: id, places: &["/link_id", "/link/link_id"] }),
        Notification::BookingConfirmed { .. }
        | Notification::BookingRejected { .. }
        | Notification::TicketsIssued { .. }
        | Notification::RefundApproved { .. }
        | Notification::RefundRejected { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::OrderCancelled { .. }
        | Notification::CancelQuote
        | Notification::Cancellation { .. }
        | Notification::PaymentLink { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => None,
    };
    part.into_iter().chain([key(&order.channel_order_id)]).collect()
}

/// Writes a notification.
pub(super) fn notify(
    settings: &Common,
    notification: &Notification,
    order: &Order,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    if order.is_read_only() {
        return Err(EncodeError::Obsolete("the agency's own system keeps this booking"));
    }
    let base = booking(settings, order.channel_order_id.as_str())?;
    let channel_state = order.channel_state.as_deref().ok_or(EncodeError::Missing("state of the marketplace's"))?;
    let zone = settings.zone();
    let revision = expected_revision(order);
    let held = order.money.held();
    let (at, body) = match notification {
        Notification::BookingConfirmed { .. } => {
            by(settings, "confirm", "complete the booking")?;
            let body = json!({
                "expected_revision": revision,
                "agency_booking_no": channel_state.partner_number().map(ForeignNumber::reveal),
                "happy_call_at": cx.decided_at.rfc3339(zone),
            });
            (base.path("/complete"), body)
        }
        Notification::RefundApproved { fee, .. } => {
            by(settings, "cancel", "finish the cancellation")?;
            let body = json!({
                "expected_revision": revision, "fee_krw": fee, "refund_krw": held - fee, "expect_paid_krw": held,
            });
            (base.path("/cancel"), body)
        }
        Notification::PaymentReturn { reference, payment, amount, left, .. } => {
            by(settings, "payment_only_cancel", "return the payment")?;
            let left = left_of_payment(order, (payment, reference), *amount, *left)?;
            let body = json!({ "cancel_krw": amount, "expect_cancelable_krw": left });
            (base.path("/payments").segment(payment)?.path("/cancel"), body)
        }
        Notification::PaymentLink { key } => {
            let link =
                channel_state.links.iter().find(|link| &link.key == key).ok_or(EncodeError::Missing("payment link"))?;
            (base.path("/payment-links"), link_body(link, order, zone))
        }
        Notification::LinkRevoked { id } => {
            let at = base.path("/payment-links").segment(id)?;
            return calls::write(&settings.api_secret, Method::DELETE, at, &Value::Null, cx.delivery_id, cx);
        }
        Notification::BookingRejected { .. } => return Err(EncodeError::Unsupported("reject the booking")),
        Notification::RefundRejected { .. } => return Err(EncodeError::Unsupported("refuse the cancellation")),
        Notification::GuestMessage { .. } => return Err(EncodeError::Unsupported(TELL_THE_GUEST)),
        Notification::CancelQuote | Notification::Cancellation { .. } | Notification::OrderCancelled { .. } => {
            return Err(EncodeError::Unsupported("cancel the booking, which the guest has not asked for"));
        }
        Notification::TicketsIssued { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::HandOver => {
            return Err(EncodeError::Obsolete("the marketplace has nothing of the kind"));
        }
    };
    calls::write(&settings.api_secret, Method::POST, at, &body, cx.delivery_id, cx)
}

/// A payment link that the marketplace is to make.
fn link_body(link: &PaymentLink, order: &Order, zone: TimeZone) -> Value {
    let (held, due) = (order.money.held(), order.money.due);
    let purpose = match link.part.unwrap_or_else(|| LinkPart::of(held, due - held, link.amount)) {
        LinkPart::All => "FULL",
        LinkPart::Deposit => "DEPOSIT",
        LinkPart::Balance => "BALANCE",
    };
    json!({
        "purpose": purpose, "amount_krw": link.amount, "expires_at": link.expires_at.rfc3339(zone),
        // Without a number of the guest's own there is nobody to send it to.
        "send": if order.buyer.phone.is_some() { "ALIMTALK" } else { "NONE" },
    })
}

/// What an answer to a notification means.
pub(super) fn read_notification(
    notification: &Notification,
    order: &Order,
    response: &HttpResponse,
) -> CallResult<Yes> {
    let keys = keys(notification, order);
    match notification {
        Notification::PaymentLink { .. } => calls::read(response, &keys, |answer| match link_in(answer) {
            Some(_) => CallResult::Done(Yes::Plain),
            None => CallResult::Unknown { why: "the answer names no link".into() },
        }),
        Notification::LinkRevoked { .. } => read_revoked(response, &keys),
        Notification::BookingConfirmed { .. }
        | Notification::BookingRejected { .. }
        | Notification::TicketsIssued { .. }
        | Notification::RefundApproved { .. }
        | Notification::RefundRejected { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::OrderCancelled { .. }
        | Notification::CancelQuote
        | Notification::Cancellation { .. }
        | Notification::PaymentReturn { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => calls::read_write(response, &keys),
    }
}

/// What an answer to taking a link back means: one that the marketplace does not know any more is taken back. A yes that names no
/// state of the link is a word only.
fn read_revoked(response: &HttpResponse, keys: &[Key<'_>]) -> CallResult<Yes> {
    let is_gone = matches!(response.status, StatusCode::NOT_FOUND | StatusCode::GONE);
    match calls::read_write(response, keys) {
        CallResult::Done(Yes::Bare) => match link_state(response, keys) {
            Some(LinkState::Revoked | LinkState::Expired) => CallResult::Done(Yes::Plain),
            Some(LinkState::Paid) => {
                let why = "the answer says that the link has been paid".into();
                CallResult::Refused { code: "link_paid".into(), why }
            }
            Some(LinkState::Requested | LinkState::Live | LinkState::Revoking) => {
                CallResult::Unknown { why: "the answer says that the link can still be paid".into() }
            }
            None => CallResult::Done(Yes::Bare),
        },
        CallResult::Absent | CallResult::Refused { .. } if is_gone => CallResult::Done(Yes::Plain),
        other => other,
    }
}

/// Where an answer says that the link stands.
fn link_state(response: &HttpResponse, keys: &[Key<'_>]) -> Option<LinkState> {
    let answer = Answer::read::<()>(response, keys).ok()?;
    let said = ["/status", "/link/status"].iter().find_map(|at| answer.json().pointer(at)?.as_str())?.trim();
    LINK_STATES.iter().find(|(word, _)| *word == said).map(|(_, state)| *state)
}

/// The link that was made: its number, and its address.
fn link_in(answer: &Answer) -> Option<(String, Option<String>)> {
    let text = |name: &str| answer.json().get(name).and_then(Value::as_str).map(str::trim).map(str::to_owned);
    let id = text("link_id").filter(|id| !id.is_empty() && id.chars().count() <= EXTERNAL_ID_CHARS_MAX)?;
    // A guest opens it: nothing but a page is given out.
    Some((id, text("url").filter(|url| unusable_code(TicketKind::Url, url).is_none())))
}

/// What else an answer says: the whole booking, the link, or in a word that it is done.
pub(super) fn learned(
    settings: &Common,
    hands_over: bool,
    notification: &Notification,
    order: &Order,
    response: &HttpResponse,
) -> Vec<Command> {
    let Ok(answer) = Answer::read::<()>(response, &keys(notification, order)) else { return Vec::new() };
    let mut learned = Vec::new();
    if let (Notification::PaymentLink { key }, true) = (notification, response.status.is_success())
        && let Some((id, url)) = link_in(&answer)
    {
        learned.push(Command::RecordPaymentLink { key: key.clone(), id, url });
    }
    if let Some(snapshot) = snapshot_in(settings, hands_over, &answer) {
        learned.push(Command::SyncSnapshot {
            snapshot: Box::new(snapshot),
            not_for_sale: None,
            paid_elsewhere: Vec::new(),
            lines_elsewhere: Vec::new(),
        });
    } else if response.status.is_success() && says_so(notification, &answer) {
        learned.push(Command::RecordAgreement { notification: notification.clone() });
    }
    learned
}

/// Whether a short answer says of this very booking that it stands where it was wanted.
fn says_so(notification: &Notification, answer: &Answer) -> bool {
    let status = answer.json().get("status").and_then(Value::as_str).unwrap_or_default();
    let stands = match notification {
        Notification::BookingConfirmed { .. } => status == "COMPLETED",
        Notification::RefundApproved { .. } => status == "CANCELED",
        Notification::BookingRejected { .. }
        | Notification::TicketsIssued { .. }
        | Notification::RefundRejected { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::OrderCancelled { .. }
        | Notification::CancelQuote
        | Notification::Cancellation { .. }
        | Notification::PaymentReturn { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => false,
    };
    stands && answer.is_named()
}

/// Asks for a whole booking.
pub(super) fn read_back(settings: &Common, about: &ExternalId, cx: &Context<'_>) -> Result<Call, EncodeError> {
    get(&settings.api_secret, booking(settings, about.as_str())?, cx)
}

/// Reads the answer.
pub(super) fn read_read_back(
    settings: &Common,
    hands_over: bool,
    about: &ExternalId,
    response: &HttpResponse,
) -> CallResult<Box<Snapshot>> {
    calls::read(response, &[key(about)], |answer| match snapshot_in(settings, hands_over, answer) {
        Some(snapshot) => CallResult::Done(Box::new(snapshot)),
        None if answer.is_named() => CallResult::Unknown { why: UNREADABLE_ORDER.into() },
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
    calls::list_changes(settings, "/v1/bookings", [("updated_from", from), ("updated_to", to)], cursor, cx)
}

/// Reads the answer.
pub(super) fn read_changes(settings: &Common, hands_over: bool, response: &HttpResponse) -> CallResult<Changes> {
    calls::read(response, &[], |answer| match changes_in(settings, hands_over, answer) {
        Some(changes) => CallResult::Done(changes),
        None => CallResult::Unknown { why: "the answer holds no list of bookings".into() },
    })
}
