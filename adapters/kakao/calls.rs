// SPDX-License-Identifier: Apache-2.0

//! Calls to the platform, each by its capability; what it has no call for is a person's task.

use http::Method;
use serde_json::{Value, json};
use ticketbridge_core::id::{BookingId, ExternalId};
use ticketbridge_core::limits::AMOUNT_MAX;
use ticketbridge_core::message::{Command, Notification, Snapshot};
use ticketbridge_core::order::channel_state::{ChannelState, Part};
use ticketbridge_core::order::{BookingState, Order};
use ticketbridge_core::port::{
    Call, CallResult, Changes, Context, EncodeError, HttpResponse, StockLeft, UNREADABLE_ORDER, Yes,
};
use ticketbridge_core::quoted::ForeignNumber;
use ticketbridge_core::rules::cancel_price::{Misquoted, kept_of_parts, misquoted};
use ticketbridge_core::rules::for_sale::{CLOSED, SOLD_OUT};
use ticketbridge_core::time::UnixMillis;

use super::map::{changes_in, snapshot_in};
use crate::about::{Answer, Key};
use crate::address::Address;
use crate::fat_events::calls::{self, TELL_THE_GUEST, by, expected_revision, get, left_of_payment};
use crate::fat_events::settings::Common;

/// Characters of a reason that is written for the guest.
const REASON_CHARS_MAX: usize = 200;

fn reservation(settings: &Common, number: &str) -> Result<Address, EncodeError> {
    Address::at(&settings.api_base).path("/v1/reservations").segment(number)
}

/// The reservation that an answer must be about.
fn key(number: &ExternalId) -> Key<'_> {
    Key { number: number.as_str(), places: &["/reservation_no", "/reservation/reservation_no"] }
}

/// Everything that the answer to a notification must be about.
fn keys<'r>(notification: &'r Notification, order: &'r Order) -> Vec<Key<'r>> {
    let payment = match notification {
        Notification::PaymentReturn { payment, .. } => {
            Some(Key { number: payment, places: &["/payment_id", "/payment/payment_id"] })
        }
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
        | Notification::LinkRevoked { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => None,
    };
    payment.into_iter().chain([key(&order.channel_order_id)]).collect()
}

/// Writes a notification.
pub(super) fn notify(
    settings: &Common,
    use_code: Option<&str>,
    notification: &Notification,
    order: &Order,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    let base = reservation(settings, order.channel_order_id.as_str())?;
    let zone = settings.zone();
    let revision = expected_revision(order);
    let decided_at = cx.decided_at.rfc3339(zone);
    let (at, body) = match notification {
        Notification::BookingConfirmed { .. } => {
            by(settings, "confirm", "confirm the booking")?;
            let backend_ref = order.booking.as_ref().and_then(|b| b.ticketing.backend_ref.as_ref());
            let backend_ref = backend_ref.map(ForeignNumber::reveal);
            let body = json!({ "expected_revision": revision, "backend_ref": backend_ref, "decided_at": decided_at });
            (base.path("/confirm"), body)
        }
        Notification::BookingRejected { reason, .. } => {
            by(settings, "reject", "reject the booking")?;
            let (code, text) = told_refusal(reason.reveal())?;
            (base.path("/reject"), json!({ "expected_revision": revision, "reason_code": code, "reason_text": text }))
        }
        Notification::CancelQuote => {
            by(settings, "cancel", "cancel the booking")?;
            return get(&settings.api_secret, quote_address(settings, base, order)?, cx);
        }
        Notification::Cancellation { fee, rate_bp, refund, reason } => {
            by(settings, "cancel", "cancel the booking")?;
            let fee = json!({ "rate_bp": rate_bp, "amount_krw": fee });
            (base.path("/cancel"), cancellation(settings, order, fee, *refund, reason.reveal())?)
        }
        Notification::Redeemed { .. } if is_told_as_no_show(settings, order) => {
            return Err(EncodeError::Obsolete("the platform knows that the guest did not come"));
        }
        Notification::Redeemed { booking, .. } if used_lines(order, booking).is_empty() => {
            return Err(EncodeError::Obsolete("every unit is used there, or cancelled"));
        }
        Notification::Redeemed { at, booking } => {
            let lines = used_lines(order, booking);
            let mut body = json!({ "lines": lines, "used_at": at.rfc3339(zone), "method": "MANUAL" });
            if let Some(code) = use_code {
                body["method"] = json!("CODE");
                body["use_code"] = json!(code);
            }
            (base.path("/use"), body)
        }
        Notification::NoShow { at, .. } => {
            if !settings.can("no_show") {
                return Err(EncodeError::Obsolete("this platform keeps no record of guests who did not come"));
            }
            (base.path("/no-show"), json!({ "marked_at": at.rfc3339(zone) }))
        }
        Notification::PaymentReturn { reference, payment, amount, left, reason } => {
            by(settings, "payment_only_cancel", "return the payment and leave the booking as it is")?;
            let left = left_of_payment(order, (payment, reference), *amount, *left)?;
            let body = json!({ "cancel_krw": amount, "expect_cancelable_krw": left, "reason": reason.reveal() });
            (base.path("/payments").segment(payment)?.path("/cancel"), body)
        }
        Notification::OrderCancelled { .. } => return Err(EncodeError::Unsupported("cancel the booking")),
        Notification::GuestMessage { .. } => return Err(EncodeError::Unsupported(TELL_THE_GUEST)),
        Notification::TicketsIssued { .. }
        | Notification::RefundApproved { .. }
        | Notification::RefundRejected { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::HandOver => return Err(EncodeError::Obsolete("this platform has nothing of the kind")),
    };
    calls::write(&settings.api_secret, Method::POST, at, &body, cx.delivery_id, cx)
}

/// A cancellation on the terms that were quoted.
fn cancellation(settings: &Common, order: &Order, fee: Value, refund: i64, reason: &str) -> Result<Value, EncodeError> {
    let mut body = json!({
        "expected_revision": expected_revision(order),
        "fee": fee,
        "refund_krw": refund,
        "expect_paid_krw": order.money.received(),
        "expect_refunded_krw": order.money.refunded(),
        "internal_reason": reason,
    });
    if let Some(lines) = wanted_lines(settings, order)? {
        body["lines"] = lines;
    }
    Ok(body)
}

/// The platform's code for a reason, and the words for the guest, which have a limit.
fn told_refusal(reason: &str) -> Result<(&str, &str), EncodeError> {
    let (code, text) = refusal(reason);
    if text.chars().count() > REASON_CHARS_MAX {
        let sentence = format!("the reason for the guest has more than {REASON_CHARS_MAX} characters");
        return Err(EncodeError::Invalid(sentence));
    }
    Ok((code, text))
}

/// The units that are to be cancelled where they are not all; that takes a capability of its own.
fn parts_to_cancel<'o>(settings: &Common, order: &'o Order) -> Result<&'o [Part], EncodeError> {
    let parts = order.channel_state.as_deref().map(ChannelState::parts_to_cancel).unwrap_or_default();
    if !parts.is_empty() {
        by(settings, "partial_cancel", "cancel a part of the booking")?;
    }
    Ok(parts)
}

/// The same line by line; none are the whole booking. Where something was kept of units that were cancelled before, all that is left is named,
/// too: of a whole booking the platform would give that back with the rest.
fn wanted_units<'o>(settings: &Common, order: &'o Order) -> Result<Vec<(&'o str, u32)>, EncodeError> {
    let parts = parts_to_cancel(settings, order)?;
    if parts.is_empty() && kept_of_parts(order) > 0 && settings.can("partial_cancel") {
        return Ok(left(order).collect());
    }
    Ok(parts.iter().map(|part| (part.detail.as_str(), part.units)).collect())
}

/// The same as the platform writes lines; `None` is the whole booking.
fn wanted_lines(settings: &Common, order: &Order) -> Result<Option<Value>, EncodeError> {
    let lines: Vec<Value> = wanted_units(settings, order)?.into_iter().map(line_of).collect();
    Ok((!lines.is_empty()).then(|| Value::from(lines)))
}

/// Units of a line as the platform writes them.
fn line_of((detail, units): (&str, u32)) -> Value {
    json!({ "detail_no": detail, "quantity": units })
}

/// Where the platform says what cancelling would cost.
fn quote_address(settings: &Common, base: Address, order: &Order) -> Result<Address, EncodeError> {
    let at = base.path("/cancel-quote");
    let units = wanted_units(settings, order)?;
    let named: Vec<String> = units.into_iter().map(|(detail, units)| format!("{detail}:{units}")).collect();
    Ok(if named.is_empty() { at } else { at.query("lines", &named.join(",")) })
}

/// Where the platform keeps no-shows, it has been told; elsewhere the booking counts as used before its money goes back (edge 10).
fn is_told_as_no_show(settings: &Common, order: &Order) -> bool {
    settings.can("no_show") && order.booking.as_ref().is_some_and(|booking| booking.state == BookingState::NoShow)
}

/// The units that the platform is told as used, line by line: those of the guests who came before the others, or all that are left.
fn used_lines(order: &Order, booking: &BookingId) -> Vec<Value> {
    if !order.is_used_in_part(booking) {
        return unused(order);
    }
    let told = order.used_and_untold();
    told.iter().map(|line| line_of((line.detail.as_str(), line.units))).collect()
}

/// The units that were neither used nor cancelled, line by line.
fn unused(order: &Order) -> Vec<Value> {
    left(order).map(line_of).collect()
}

fn left(order: &Order) -> impl Iterator<Item = (&str, u32)> {
    order.lines().iter().map(|line| (line.detail.as_str(), line.left())).filter(|(_, units)| *units > 0)
}

/// The platform's code for a refusal, and the words for the guest. Policy's own reasons have theirs; a person's words go as they are.
fn refusal(reason: &str) -> (&'static str, &str) {
    match reason {
        SOLD_OUT => ("SOLD_OUT", "예약 가능한 수량이 모두 소진되어 예약을 확정할 수 없습니다."),
        CLOSED => ("CLOSED", "현재 판매하지 않는 상품이어서 예약을 확정할 수 없습니다."),
        words => ("OTHER", words),
    }
}

/// Whether the platform has no quotes: then ours counts.
fn has_no_quotes(response: &HttpResponse) -> bool {
    matches!(response.status.as_u16(), 404 | 405 | 501)
}

/// What an answer to a notification means.
pub(super) fn read_notification(
    notification: &Notification,
    order: &Order,
    response: &HttpResponse,
) -> CallResult<Yes> {
    let keys = keys(notification, order);
    match notification {
        Notification::CancelQuote if has_no_quotes(response) => match Answer::read(response, &keys) {
            Ok(_) => CallResult::Done(Yes::Plain),
            Err(astray) => astray,
        },
        Notification::CancelQuote => calls::read(response, &keys, |answer| match quoted(answer) {
            Some(quote) => match misquoted(order, quote.fee, quote.refund) {
                None => CallResult::Done(Yes::Plain),
                Some(Misquoted::TooMuch) => CallResult::Refused {
                    code: "quote_above_price".into(),
                    why: "its quote is more than the named units cost: it prices the whole order, or another one"
                        .into(),
                },
                Some(Misquoted::TooLittle) => CallResult::Refused {
                    code: "quote_below_price".into(),
                    why: "its quote is less than the named units cost: what would neither be kept nor go back?".into(),
                },
            },
            None if quotes_nothing(answer) => CallResult::Done(Yes::Plain),
            None => CallResult::Unknown { why: "the answer's fee cannot be read".into() },
        }),
        Notification::BookingConfirmed { .. }
        | Notification::BookingRejected { .. }
        | Notification::TicketsIssued { .. }
        | Notification::RefundApproved { .. }
        | Notification::RefundRejected { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::OrderCancelled { .. }
        | Notification::Cancellation { .. }
        | Notification::PaymentReturn { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => calls::read_write(response, &keys),
    }
}

/// A yes that quotes nothing: then our own count of the policy holds, too.
fn quotes_nothing(answer: &Answer) -> bool {
    answer.json().as_object().is_some_and(|fields| fields.get("fee_krw").is_none_or(Value::is_null))
}

/// The platform's own quote.
#[derive(Clone, Copy)]
struct Quote {
    fee: i64,
    refund: Option<i64>,
}

impl From<Quote> for Command {
    fn from(quote: Quote) -> Self {
        Command::RecordQuote { fee: Some(quote.fee), refund: quote.refund }
    }
}

/// What an answer quotes.
fn quoted(answer: &Answer) -> Option<Quote> {
    let amount = |name: &str| {
        let amount = answer.json().get(name).and_then(Value::as_i64);
        amount.filter(|amount| (0..=AMOUNT_MAX).contains(amount))
    };
    Some(Quote { fee: amount("fee_krw")?, refund: amount("refund_krw") })
}

/// What else an answer says: the whole reservation, the quote, or in a word that it is done.
pub(super) fn learned(
    settings: &Common,
    notification: &Notification,
    order: &Order,
    response: &HttpResponse,
) -> Vec<Command> {
    let Ok(answer) = Answer::read::<()>(response, &keys(notification, order)) else { return Vec::new() };
    let whole = snapshot_in(settings, &answer);
    let has_whole = whole.is_some();
    let sync = |snapshot| Command::SyncSnapshot {
        snapshot: Box::new(snapshot),
        not_for_sale: None,
        paid_elsewhere: Vec::new(),
        lines_elsewhere: Vec::new(),
    };
    let mut learned: Vec<Command> = whole.map(sync).into_iter().collect();
    let no_quote = Command::RecordQuote { fee: None, refund: None };
    match notification {
        Notification::CancelQuote if has_no_quotes(response) => learned.push(no_quote),
        // A quote stands beside the reservation that it is for, or alone.
        Notification::CancelQuote if response.status.is_success() => {
            let quote = match quoted(&answer) {
                Some(quote) => misquoted(order, quote.fee, quote.refund).is_none().then(|| quote.into()),
                None => quotes_nothing(&answer).then_some(no_quote),
            };
            learned.extend(quote);
        }
        _ if !has_whole && response.status.is_success() && says_so(notification, order, &answer) => {
            learned.push(Command::RecordAgreement { notification: notification.clone() });
        }
        _ => {}
    }
    learned
}

/// Whether a short answer says of this very reservation that it stands where it was wanted.
fn says_so(notification: &Notification, order: &Order, answer: &Answer) -> bool {
    let status = answer.json().get("status").and_then(Value::as_str).unwrap_or_default();
    let stands = match notification {
        Notification::BookingConfirmed { .. } => status == "CONFIRMED",
        Notification::BookingRejected { .. } => status == "CANCELED",
        Notification::Cancellation { .. } => {
            status == "CANCELED"
                && order
                    .channel_state
                    .as_deref()
                    .is_some_and(|channel_state| channel_state.parts_to_cancel().is_empty())
        }
        Notification::TicketsIssued { .. }
        | Notification::RefundApproved { .. }
        | Notification::RefundRejected { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::OrderCancelled { .. }
        | Notification::CancelQuote
        | Notification::PaymentReturn { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => false,
    };
    stands && answer.is_named()
}

/// Asks for a whole reservation.
pub(super) fn read_back(settings: &Common, about: &ExternalId, cx: &Context<'_>) -> Result<Call, EncodeError> {
    get(&settings.api_secret, reservation(settings, about.as_str())?, cx)
}

/// Reads the answer.
pub(super) fn read_read_back(
    settings: &Common,
    about: &ExternalId,
    response: &HttpResponse,
) -> CallResult<Box<Snapshot>> {
    calls::read(response, &[key(about)], |answer| match snapshot_in(settings, answer) {
        Some(snapshot) => CallResult::Done(Box::new(snapshot)),
        None if answer.is_named() => CallResult::Unknown { why: UNREADABLE_ORDER.into() },
        None => CallResult::Unknown { why: "the answer holds no reservation that can be read".into() },
    })
}

/// Asks which reservations have changed.
pub(super) fn list_changes(
    settings: &Common,
    (from, to): (UnixMillis, UnixMillis),
    cursor: Option<&str>,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    calls::list_changes(settings, "/v1/reservations", [("changed_from", from), ("changed_to", to)], cursor, cx)
}

/// Reads the answer.
pub(super) fn read_changes(settings: &Common, response: &HttpResponse) -> CallResult<Changes> {
    calls::read(response, &[], |answer| match changes_in(settings, answer) {
        Some(changes) => CallResult::Done(changes),
        None => CallResult::Unknown { why: "the answer holds no list of reservations".into() },
    })
}

/// States in which the platform takes no stock; one in review takes it for the version that is live.
const WITHOUT_STOCK: &[&str] = &["DRAFT", "OFF_SALE", "SANCTIONED", "임시저장", "예약불가", "운영제재"];
/// States in review.
const IN_REVIEW: &[&str] = &["IN_REVIEW", "REVIEW_REFUSED", "심사중", "심사반려"];

/// Says what is left of a date.
pub(super) fn stock(
    settings: &Common,
    schedule_id: &str,
    stock: &StockLeft<'_>,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    if let Some(listing) = stock.listing {
        let never_live = IN_REVIEW.contains(&listing.state.as_str()) && listing.is_open == Some(false);
        if never_live || WITHOUT_STOCK.contains(&listing.state.as_str()) {
            return Err(EncodeError::Obsolete("the platform takes no stock of this product in its present state"));
        }
    }
    let product = stock.product.as_str();
    let schedule = schedule_id.replace("{product}", product).replace("{date}", &stock.date.to_string());
    let as_of = stock.as_of.rfc3339(settings.zone());
    let at = Address::at(&settings.api_base).path("/v1/products").segment(product)?;
    let at = at.path("/schedules").segment(&schedule)?.path("/stock");
    let body = json!({ "remaining": stock.left, "as_of": as_of });
    // Counted anew for each attempt, and so another message each time: it has an id of its own, which is its key too.
    let id = format!("{}-{}", cx.delivery_id, stock.as_of.0);
    let cx = Context { delivery_id: &id, ..*cx };
    calls::write(&settings.api_secret, Method::PUT, at, &body, &id, &cx)
}

/// Reads the answer. The platform keeps no stock that could be asked for: its yes stands until the next count.
pub(super) fn read_stock(stock: &StockLeft<'_>, response: &HttpResponse) -> CallResult<()> {
    let product = Key { number: stock.product.as_str(), places: &["/product_id"] };
    match calls::read_write(response, &[product]) {
        CallResult::Done(Yes::Plain | Yes::Bare) => CallResult::Done(()),
        other => other.unread(),
    }
}
