// SPDX-License-Identifier: Apache-2.0

//! Our answers in Douyin's envelope, with its codes.
//!
//! `error_code` is a number, and nothing stands beside `data`: Douyin counts both mistakes as a failed call.

use http::StatusCode;
use serde_json::{Map, Value, json};
use ticketbridge_core::id::ExternalId;
use ticketbridge_core::message::{ApplyRefund, Command, ProductRef};
use ticketbridge_core::order::{
    Booking, BookingState, Order, OrderState, RefundCase, RefundSource, RefundState, TicketRequest, TicketingState,
};
use ticketbridge_core::port::{Answer, CalendarDay, DecodeError, Envelope, HttpReply, Inbound, Message, Query};
use ticketbridge_core::product::{Acceptance, Confirmation};
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::rejection::{Rejection, Why};

use super::endpoints;
use super::settings::{Creation, Settings};
use super::vouchers::{self, ListNames};

/// Done.
const OK: i64 = 0;
/// Our system failed: call again.
const RETRY: i64 = 100;
/// Another reason, do not call again.
const OTHER: i64 = 999_999;
/// The second generation's one code for trouble with tickets: call again.
const SECOND_ISSUE_TROUBLE: i64 = 999;
/// The order query's code for any other error (15).
const QUERY_ERROR: i64 = 1;
/// The order query's code for an order that is not known (15).
const QUERY_NO_SUCH_ORDER: i64 = 2;
/// Tickets are waited for: `result` of the issue call. Its value 2 would refund the guest without asking us, and is
/// never sent.
const TICKETS_FOLLOW: i64 = 0;
/// Tickets are in the answer.
const TICKETS_HERE: i64 = 1;
/// Units that a day without a limit is said to have left.
const UNLIMITED_STOCK: i64 = 100_000;
/// Characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 300;

/// An answer before it is put into the envelope.
struct Data {
    code: i64,
    description: String,
    fields: Map<String, Value>,
}

impl Data {
    fn new(code: i64, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), fields: Map::new() }
    }
    fn success() -> Self {
        Self::new(OK, "success")
    }
    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }
    fn reply(self, status: StatusCode) -> HttpReply {
        let mut data = Map::new();
        data.insert("error_code".into(), json!(self.code));
        let description: String = self.description.chars().take(DESCRIPTION_CHARS_MAX).collect();
        data.insert("description".into(), json!(description));
        data.extend(self.fields);
        HttpReply::json(status, &json!({ "data": data }))
    }
}

/// Puts `answer` into Douyin's words.
pub(super) fn reply(settings: &Settings, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply {
    let mut status = StatusCode::OK;
    let data = match answer {
        Answer::Unauthenticated(error) => {
            status = StatusCode::UNAUTHORIZED;
            Data::new(other_code(endpoint), format!("not authenticated: {}", error.told()))
        }
        Answer::Malformed(error) => malformed(endpoint, error),
        Answer::ContentDiffers => {
            Data::new(other_code(endpoint), "this number came before, with other content; it is refused")
        }
        Answer::TryLater(_) => retry(endpoint),
        Answer::Refused(rejection) => refused(endpoint, rejection),
        Answer::Accepted(order) | Answer::Stale(order) | Answer::Repeated(Some(order)) => {
            accepted(settings, endpoint, inbound, order)
        }
        Answer::Status(order) => status_of(order, inbound),
        Answer::Calendar(days) => calendar(inbound, days),
        Answer::Kept | Answer::Repeated(None) => kept(endpoint),
        Answer::NoSuchOrder => no_such_order(endpoint),
        Answer::MaySell | Answer::Left(_) | Answer::Offers(_) | Answer::Reservations(_) | Answer::Noted => {
            Data::success()
        }
    };
    data.reply(status)
}

fn other_code(endpoint: &str) -> i64 {
    match endpoint {
        endpoints::QUERY_ORDER => QUERY_ERROR,
        endpoints::V2_ISSUE_VOUCHER => SECOND_ISSUE_TROUBLE,
        _ => OTHER,
    }
}

fn retry(endpoint: &str) -> Data {
    let code = if endpoint == endpoints::V2_ISSUE_VOUCHER { SECOND_ISSUE_TROUBLE } else { RETRY };
    Data::new(code, "please call again")
}

/// The code of 4.5 for a refusal.
fn code_of(why: Why, endpoint: &str) -> i64 {
    let second = endpoint == endpoints::V2_CREATE_ORDER;
    match why {
        Why::OutOfStock => 1,
        Why::OffSale => 2,
        // The second generation uses 4 for the visitor's ticket, so a date goes under "another limit" there.
        Why::VisitorHasTicket => 3 + i64::from(second),
        Why::DateNotBookable if second => 11,
        Why::DateNotBookable => 4,
        Why::AgeLimit => 5,
        Why::SexLimit => 6,
        Why::DocumentLimit => 7,
        Why::PhoneLimit => 8,
        Why::QuantityLimit => 9,
        Why::PhoneMissing => 12,
        Why::DocumentMissing => 13,
        Why::NameMissing => 14,
        Why::VisitorsMismatch => 15,
        Why::PhoneMalformed => 19,
        Why::DocumentMalformed | Why::DocumentNotAccepted => 20,
        Why::NameMalformed => 21,
        Why::CreditTooLow => 22,
        Why::PriceMismatch => 23,
        Why::VersionConflict => RETRY,
        Why::ContentDiffers
        | Why::Tombstoned
        | Why::AlreadyBooked
        | Why::NotPaid
        | Why::RefundUnderReview
        | Why::AlreadyRedeemed
        | Why::TooEarly
        | Why::NotTicketed
        | Why::AlreadyTicketed
        | Why::ReadOnlyOrder
        | Why::AlreadyCancelled
        | Why::NotBooked
        | Why::NotWaiting
        | Why::AlreadyDecided
        | Why::TicketsMissing
        | Why::FeeOutOfRange
        | Why::NoPayment
        | Why::FeeAboveDefault
        | Why::RefundExceeds
        | Why::PartialNotAllowed
        | Why::NotUsed
        | Why::LinkNotNeeded
        | Why::NotSupported
        | Why::NotFound
        | Why::Invalid => OTHER,
    }
}

fn takes_listed_codes(endpoint: &str) -> bool {
    matches!(
        endpoint,
        endpoints::CAN_BUY | endpoints::CREATE_ORDER | endpoints::V2_CREATE_ORDER | endpoints::PULL_CALENDAR
    )
}

fn malformed(endpoint: &str, error: &DecodeError) -> Data {
    let code = match &error.rejection {
        Some(rejection) if takes_listed_codes(endpoint) => code_of(rejection.why, endpoint),
        _ => other_code(endpoint),
    };
    Data::new(code, format!("{} {}", error.field, error.reason))
}

fn refused(endpoint: &str, rejection: &Rejection) -> Data {
    let sentence = match &rejection.field {
        Some(field) => format!("{field}: {}", rejection.sentence),
        None => rejection.sentence.to_string(),
    };
    if rejection.why == Why::VersionConflict {
        return retry(endpoint);
    }
    match endpoint {
        // A notice is a fact: it is stored, and a business error would only stop it.
        endpoints::CANCEL_NOTIFY | endpoints::REFUND_NOTIFY | endpoints::INFO_SYNC | endpoints::WEBHOOK => {
            Data::success()
        }
        // Used is a definite no; in any other case a person looks before the limit.
        endpoints::REFUND_APPLY if rejection.why == Why::AlreadyRedeemed => {
            Data::new(OK, sentence).with("audit_refund_result", 2)
        }
        endpoints::REFUND_APPLY => Data::new(OK, sentence).with("audit_refund_result", 3),
        endpoints::QUERY_ORDER if rejection.why == Why::NotFound => no_such_order(endpoint),
        _ if takes_listed_codes(endpoint) => Data::new(code_of(rejection.why, endpoint), sentence),
        _ => Data::new(other_code(endpoint), sentence),
    }
}

/// The message is stored and waits for its order.
fn kept(endpoint: &str) -> Data {
    match endpoint {
        endpoints::ISSUE_VOUCHER | endpoints::V2_ISSUE_VOUCHER => Data::success().with("result", TICKETS_FOLLOW),
        endpoints::REFUND_APPLY => Data::success().with("audit_refund_result", 3),
        endpoints::CANCEL_NOTIFY | endpoints::REFUND_NOTIFY | endpoints::INFO_SYNC | endpoints::WEBHOOK => {
            Data::success()
        }
        // These answers must say more than "stored".
        _ => retry(endpoint),
    }
}

fn no_such_order(endpoint: &str) -> Data {
    match endpoint {
        endpoints::QUERY_ORDER => Data::new(QUERY_NO_SUCH_ORDER, "no such order"),
        endpoints::PULL_CALENDAR | endpoints::CAN_BUY => Data::new(code_of(Why::OffSale, endpoint), "no such product"),
        endpoints::CREATE_ORDER | endpoints::V2_CREATE_ORDER => Data::new(OTHER, "no such order"),
        _ => kept(endpoint),
    }
}

fn envelope(inbound: Option<&Inbound>) -> Option<&Envelope> {
    let Some(Inbound::Message(envelope)) = inbound else { return None };
    Some(envelope)
}

fn accepted(settings: &Settings, endpoint: &str, inbound: Option<&Inbound>, order: &Order) -> Data {
    let envelope = envelope(inbound);
    match endpoint {
        endpoints::CREATE_ORDER => {
            let data = Data::success().with("order_out_id", order.id.as_str());
            match settings.creation {
                Creation::AfterPayment => data.with("confirm_info", confirm_info(order, envelope)),
                Creation::BeforePayment => data,
            }
        }
        endpoints::V2_CREATE_ORDER => {
            let about = envelope.map_or(&order.channel_order_id, |e| &e.about);
            Data::success()
                .with("order_id", about.as_str())
                .with("ext_order_id", order.id.as_str())
                .with("fail_sku_id_list", Value::Array(Vec::new()))
        }
        endpoints::PAY_NOTIFY => match settings.creation {
            Creation::BeforePayment => Data::success().with("confirm_info", confirm_info(order, envelope)),
            Creation::AfterPayment => Data::success(),
        },
        endpoints::ISSUE_VOUCHER | endpoints::V2_ISSUE_VOUCHER => issue(endpoint, envelope, order),
        endpoints::REFUND_APPLY => refund_apply(envelope, order),
        _ => Data::success(),
    }
}

/// Whether we say yes: a voucher at once; a booking when it is confirmed, unless a call of ours says so (6), as it
/// does for every booking that a person confirms.
fn confirm_info(order: &Order, envelope: Option<&Envelope>) -> Value {
    let booking = envelope.and_then(|e| order.booking_by_ref(&e.about));
    let is_booking = envelope.is_some_and(|e| matches!(e.message, Message::Booking { .. }));
    let accepted = json!({ "confirm_mode": 1, "confirm_result": 1 });
    let later = json!({ "confirm_mode": 2 });
    let rules = &order.rules;
    let by_call = rules.channel.acceptance == Acceptance::Async || rules.booking.confirm == Confirmation::Manual;
    match booking.map(|b| b.state) {
        Some(BookingState::Rejected | BookingState::Cancelled) if !by_call => {
            json!({ "confirm_mode": 1, "confirm_result": 2 })
        }
        Some(BookingState::Requested) => later,
        Some(_) if by_call => later,
        Some(_) => accepted,
        None if is_booking => later,
        // Paid after it was cancelled: refused, or Douyin would keep the money (D-06).
        None if order.state == OrderState::Cancelled => json!({ "confirm_mode": 1, "confirm_result": 2 }),
        None => accepted,
    }
}

/// The one command of a message that is an act on an order.
fn act(envelope: Option<&Envelope>) -> Option<&Command> {
    let Message::Act(command) = &envelope?.message else { return None };
    Some(command)
}

fn demand(envelope: Option<&Envelope>) -> Option<&TicketRequest> {
    let Command::RequestTickets { request, .. } = act(envelope)? else { return None };
    Some(request)
}

fn issue(endpoint: &str, envelope: Option<&Envelope>, order: &Order) -> Data {
    let follow = |why: &str| Data::new(OK, why).with("result", TICKETS_FOLLOW);
    let Some(booking) = envelope.and_then(|e| order.booking_by_ref(&e.about)) else {
        return follow("there is no booking of this number yet");
    };
    if matches!(booking.state, BookingState::Rejected | BookingState::Cancelled) {
        return Data::new(other_code(endpoint), "the booking is cancelled");
    }
    let is_accepted = matches!(booking.state, BookingState::Confirmed | BookingState::Used);
    if !is_accepted || !matches!(booking.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded) {
        return follow("the tickets are being made and follow by callback");
    }
    let request = demand(envelope).or(booking.ticketing.request.as_ref());
    let dealt = match vouchers::deal(order, booking, request) {
        Ok(dealt) => dealt,
        // Called again, and seen by ops through the error code: saying "they follow" would be a promise nobody keeps.
        Err(error) => return Data::new(other_code(endpoint), error.to_string()),
    };
    let data = Data::success().with("result", TICKETS_HERE);
    if endpoint == endpoints::ISSUE_VOUCHER {
        return data.with("vouchers", vouchers::first_generation(&dealt));
    }
    let list = vouchers::second_generation(&dealt, &order.rules.booking.name, ListNames::Answer);
    data.with("order_id", booking.channel_booking_id.as_str()).with("certificate_info", list)
}

fn application(envelope: Option<&Envelope>) -> Option<&ApplyRefund> {
    let Command::ApplyRefund(application) = act(envelope)? else { return None };
    Some(application)
}

fn refund_apply(envelope: Option<&Envelope>, order: &Order) -> Data {
    let waiting = Data::success().with("audit_refund_result", 3);
    let Some(application) = application(envelope) else { return waiting };
    let Some(case) = order.case_by_ref(&application.channel_ref) else { return waiting };
    // What took its place is the same wish: what is decided on one is decided on both.
    let case = if case.state == RefundState::Withdrawn { decided_instead(order, case).unwrap_or(case) } else { case };
    match case.state {
        RefundState::UnderReview | RefundState::Withdrawn => waiting,
        RefundState::Approved | RefundState::Settled => {
            // More than Douyin's own figure would turn the approval into a rejection.
            let fee = case.fee.unwrap_or(case.channel_fee).clamp(0, application.fee.max(0));
            Data::success().with("audit_refund_result", 1).with("refund_fee_amount", fee)
        }
        RefundState::Rejected => {
            let reason = case.reason.as_ref().map_or("rejected", FreeText::reveal);
            let rejected = Data::new(OK, reason).with("audit_refund_result", 2);
            if !case.reissue && case.source != RefundSource::TicketsLate {
                return rejected;
            }
            match decided_about(order, case).map(|b| vouchers::deal(order, b, b.ticketing.request.as_ref())) {
                Some(Ok(dealt)) => rejected.with("vouchers", vouchers::first_generation(&dealt)),
                // Without the vouchers the rejection would be void.
                Some(Err(_)) | None => waiting,
            }
        }
    }
}

/// The request that took the place of one, where it was decided on: an approval of any of them is one of the money, whatever else was rejected.
fn decided_instead<'o>(order: &'o Order, case: &RefundCase) -> Option<&'o RefundCase> {
    let later = || {
        let all = order.past_refund_cases.iter().skip_while(|past| past.id != case.id).chain(&order.refund_case);
        all.filter(|it| it.target == case.target && it.id != case.id)
    };
    let is_approved = |it: &&RefundCase| matches!(it.state, RefundState::Approved | RefundState::Settled);
    later().find(is_approved).or_else(|| later().find(|it| it.state == RefundState::Rejected))
}

/// The booking that a decided case was about, also when another one has taken its place since: a repeat is answered as the first time.
fn decided_about<'o>(order: &'o Order, case: &RefundCase) -> Option<&'o Booking> {
    let in_place_then = || {
        let bookings = order.past_bookings.iter().chain(&order.booking);
        bookings.rev().find(|booking| booking.requested_at <= case.requested_at)
    };
    let of_sale = || in_place_then().filter(|_| case.target == order.channel_order_id);
    order.booking_by_ref(&case.target).or_else(of_sale).or_else(|| order.booking_named_by(case))
}

fn status_of(order: &Order, inbound: Option<&Inbound>) -> Data {
    let about = match inbound {
        Some(Inbound::Query(Query::OrderStatus { about })) => Some(about),
        _ => None,
    };
    let by_ref = |reference: &ExternalId| order.booking_by_ref(reference);
    let booking = about.and_then(by_ref).or(order.booking.as_ref());
    // Whatever is called used here is redeemed by Douyin: only what we know to be used is.
    let used = booking.is_some_and(|b| b.state == BookingState::Used);
    let data = Data::success()
        .with("order_out_id", order.id.as_str())
        .with("total_voucher_quantity", order.quantity)
        .with("used_voucher_quantity", if used { order.quantity } else { 0 });
    let told = booking.filter(|b| {
        b.ticketing.request.is_some() && matches!(b.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded)
    });
    match told.map(|b| vouchers::deal(order, b, b.ticketing.request.as_ref())) {
        Some(Ok(dealt)) => data.with("vouchers", vouchers::statuses(&dealt, used)),
        Some(Err(_)) | None => data,
    }
}

fn product_text(product: &ProductRef) -> String {
    let parts = [&product.voucher, &product.booking];
    parts.into_iter().flatten().map(|code| code.as_str()).collect::<Vec<_>>().join("|")
}

/// Chapter 16: every run of equal days is one date range; all ranges of the product stand in one list.
fn calendar(inbound: Option<&Inbound>, days: &[CalendarDay]) -> Data {
    let product = match inbound {
        Some(Inbound::Query(Query::Calendar { product, .. })) => product_text(product),
        _ => String::new(),
    };
    let mut ranges: Vec<(&CalendarDay, &CalendarDay)> = Vec::new();
    for day in days {
        match ranges.last_mut() {
            Some((first, last))
                if last.date.plus_days(1) == day.date
                    && (first.left, first.price, first.open) == (day.left, day.price, day.open) =>
            {
                *last = day;
            }
            _ => ranges.push((day, day)),
        }
    }
    let list: Vec<Value> = ranges
        .into_iter()
        .map(|(first, last)| {
            let left = first.left.unwrap_or(UNLIMITED_STOCK).max(0);
            json!({
                "calendar_type": 1,
                "calendar_value": { "start_date": first.date.to_string(), "end_date": last.date.to_string() },
                "stock_qty": if first.open { left } else { 0 },
                "origin_amount": first.price,
                "actual_amount": first.price,
                "settle_amount": first.price,
                "status": i64::from(first.open),
            })
        })
        .collect();
    let sku = json!({ "ticket_specification": { "sku_out_id": product }, "calendar_list": list });
    Data::success().with("ticket_sku_and_calendar", Value::Array(vec![sku]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_code_that_douyin_defines() {
        let defined: Vec<i64> = (1..=15).chain(19..=23).chain([RETRY, OTHER]).collect();
        for why in Why::ALL {
            for endpoint in [endpoints::CREATE_ORDER, endpoints::V2_CREATE_ORDER] {
                assert!(defined.contains(&code_of(*why, endpoint)), "{why:?}");
            }
        }
    }
}
