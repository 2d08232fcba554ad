// SPDX-License-Identifier: Apache-2.0

//! The hand-over to the agency's own books (TS-04): where the marketplace takes the money, they get a
//! constant for the traveller's phone, and a memo with the gross amount.

use http::Method;
use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::currency::grouped;
use ticketbridge_core::limits::EXTERNAL_ID_CHARS_MAX;
use ticketbridge_core::message::{Command, Notification, NotificationOutcome};
use ticketbridge_core::order::Order;
use ticketbridge_core::personal::Personal;
use ticketbridge_core::port::{Call, CallResult, CarriedOut, Checked, Context, EncodeError, HttpResponse, Yes};
use ticketbridge_core::quoted::ForeignNumber;

use super::map;
use crate::about::{Answer, Key, astray};
use crate::address::Address;
use crate::fat_events::calls;
use crate::fat_events::read::NOBODYS_PHONE;
use crate::standard_webhooks::Secrets;

/// The agency's own books.
pub(super) struct Erp {
    pub(super) base_url: String,
    pub(super) secret: Secrets,
}

/// The end of the memo, unless the settings say otherwise.
pub(super) const MEMO_TAIL: &str = "상세 예약내용 및 결제내역은 트립파트너스에서 확인";

/// A new booking; or a changed one, once the books have taken it.
pub(super) fn call(erp: &Erp, memo_tail: &str, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
    let body = body(memo_tail, order)?;
    let at = Address::at(&erp.base_url).path("/v1/bookings");
    let (method, at, key) = match told_under(order) {
        Some(agency_number) => (Method::PUT, at.segment(agency_number)?, cx.delivery_id.to_owned()),
        None => (Method::POST, at, format!("erp-{}", order.channel_order_id.as_str())),
    };
    calls::write(&erp.secret, method, at, &body, &key, cx)
}

/// What the books are told of a booking.
fn body(memo_tail: &str, order: &Order) -> Result<Value, EncodeError> {
    let channel_state = order.channel_state.as_deref().ok_or(EncodeError::Missing("state of the marketplace's"))?;
    let number = order.channel_order_id.as_str();
    let by_agency = channel_state.standing.read_only;
    let extra = |name: &str| channel_state.standing.extra.get(name).map(ForeignNumber::reveal);
    let count = |name: &str| extra(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let phone = match by_agency {
        true => order.buyer.phone.as_ref().map(Personal::reveal),
        false => Some(NOBODYS_PHONE),
    };
    let memo = match by_agency {
        true => String::new(),
        false => {
            format!("트립결제 / 트립스토어 / 총 판매금액 {}원 / {memo_tail}", grouped(order.money.gross.unsigned_abs()))
        }
    };
    Ok(json!({
        "external_no": number,
        "channel": "TRIPSTORE",
        "event_code": extra(map::EVENT),
        "booker_name": order.buyer.name.as_ref().map(Personal::reveal),
        "booker_phone": phone,
        "phone_masked": !by_agency,
        "travellers": { "adult": count(map::ADULTS), "child": count(map::CHILDREN), "infant": count(map::INFANTS) },
        "departure_date": extra(map::DEPARTURE),
        "total_sale_krw": order.money.gross,
        // The marketplace collects what is paid through it.
        "collect_from_customer_krw": if by_agency { order.money.due } else { 0 },
        "memo": memo,
    }))
}

/// What of a booking tells whether the books have it as it is.
const COMPARED: [&str; 4] = ["travellers", "departure_date", "total_sale_krw", "collect_from_customer_krw"];

/// How the books' entry compares with what they are to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// It shows all of it.
    Same,
    /// Something of it is otherwise.
    Otherwise,
    /// It shows nothing, or not all, and nothing otherwise.
    Silent,
}

fn compare(entry: &Value, ours: &Value) -> Entry {
    let shown: Vec<bool> = COMPARED
        .iter()
        .filter_map(|field| entry.get(*field).filter(|told| !told.is_null()).map(|told| is_same(told, &ours[*field])))
        .collect();
    match shown.iter().all(|same| *same) {
        false => Entry::Otherwise,
        true if shown.len() == COMPARED.len() => Entry::Same,
        true => Entry::Silent,
    }
}

/// Whether the books say the same, in whatever detail: a kind of traveller that they leave out is none of them.
fn is_same(told: &Value, ours: &Value) -> bool {
    match (told.as_object(), ours.as_object()) {
        (Some(told), Some(ours)) => ours.iter().all(|(name, count)| told.get(name).unwrap_or(&json!(0)) == count),
        _ => told == ours,
    }
}

/// The booking that an answer must be about: the marketplace's number is the key, the agency's may change.
fn key(order: &Order) -> Key<'_> {
    Key { number: order.channel_order_id.as_str(), places: &["/external_no", "/booking/external_no"] }
}

/// The number under which the books are told of a change, if it is one: the marketplace may know the agency's number before the agency's books
/// know the booking.
fn told_under(order: &Order) -> Option<&str> {
    let channel_state = order.channel_state.as_deref()?;
    channel_state.partner_number().filter(|_| channel_state.handed_over).map(ForeignNumber::reveal)
}

/// What the answer means. A plain yes brings the agency's number; any other one is asked for, and so is what exists already.
pub(super) fn read(order: &Order, response: &HttpResponse) -> CallResult<Yes> {
    let keys = [key(order)];
    let answer = match Answer::read(response, &keys) {
        Ok(answer) => answer,
        Err(astray) => return astray,
    };
    let number = agency_number(answer.json());
    // A change was told under the agency's own number: another one, without the marketplace's beside it, is another booking's.
    if let (Some(told), Some(said), false) = (told_under(order), &number, answer.is_named())
        && told != said
    {
        return astray("/agency_booking_no");
    }
    if response.status == StatusCode::CONFLICT && number.is_some() {
        return CallResult::Done(Yes::Plain);
    }
    match calls::read_write(response, &keys) {
        CallResult::Done(_) if number.is_some() => CallResult::Done(Yes::Plain),
        // It has another number there by now: the booking is looked up by the marketplace's, which stays.
        CallResult::Absent if told_under(order).is_some() => CallResult::Unknown {
            why: "the agency's books do not know the booking by the number that they gave it".into(),
        },
        CallResult::Refused { code, .. } if code == "already_exists" => {
            CallResult::Unknown { why: "the agency's books know the booking already; its number is asked for".into() }
        }
        other => other,
    }
}

/// Asks whether the books know the booking, by the marketplace's number.
pub(super) fn look_up(erp: &Erp, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
    let at = Address::at(&erp.base_url).path("/v1/bookings").query("external_no", order.channel_order_id.as_str());
    calls::get(&erp.secret, at, cx)
}

/// The books do not know the booking.
const NOT_THERE: Checked = Checked { learned: Vec::new(), carried_out: CarriedOut::No };

/// Reads the answer: what is found there was handed over, if it is there as it is to be.
pub(super) fn read_look_up(order: &Order, response: &HttpResponse) -> CallResult<Checked> {
    if response.status == StatusCode::NOT_FOUND {
        return CallResult::Done(NOT_THERE);
    }
    calls::read(response, &[key(order)], |answer| {
        let found = match calls::list(answer.json(), &["bookings", "items", "data"]) {
            // Books that leave the question's number out of the list's elements are believed; an element of another number is not ours.
            Some((items, _)) => items
                .iter()
                .filter_map(|item| Answer::about::<()>(item.clone(), &[key(order)]).ok())
                .map(|item| item.json().clone())
                .find(|item| agency_number(item).is_some()),
            None => Some(answer.json().get("booking").unwrap_or(answer.json()).clone()),
        };
        let found = found.and_then(|entry| agency_number(&entry).map(|number| (number, entry)));
        CallResult::Done(found.map_or(NOT_THERE, |(number, entry)| checked(order, number, &entry)))
    })
}

/// What an entry of the books says of the hand-over. A new booking is handed over once it is there; a change when it shows. What is there
/// otherwise is changed: from then on it is known that the books have it.
fn checked(order: &Order, number: String, entry: &Value) -> Checked {
    let is_change = told_under(order).is_some();
    // The memo's end is not compared.
    let found = body("", order).map_or(Entry::Silent, |ours| compare(entry, &ours));
    let mut learned = vec![Command::RecordPartnerNumber { number: ForeignNumber::new(number) }];
    if found == Entry::Otherwise && !is_change {
        let (notification, outcome) = (Notification::HandOver, NotificationOutcome::Acknowledged);
        learned.push(Command::RecordNotification { notification, outcome });
    }
    let carried_out = match found {
        Entry::Same => CarriedOut::Yes,
        Entry::Otherwise => CarriedOut::No,
        Entry::Silent if is_change => CarriedOut::Unsaid,
        Entry::Silent => CarriedOut::Yes,
    };
    Checked { learned, carried_out }
}

/// The agency's own number.
pub(super) fn learned(order: &Order, response: &HttpResponse) -> Vec<Command> {
    let Ok(answer) = Answer::read::<()>(response, &[key(order)]) else { return Vec::new() };
    agency_number(answer.json())
        .map(|number| Command::RecordPartnerNumber { number: ForeignNumber::new(number) })
        .into_iter()
        .collect()
}

fn agency_number(body: &Value) -> Option<String> {
    let said = body.get("agency_booking_no").and_then(Value::as_str).map(str::trim);
    said.filter(|no| !no.is_empty() && no.chars().count() <= EXTERNAL_ID_CHARS_MAX).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_41_amounts_in_a_memo_have_commas() {
        for (amount, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (4_357_000, "4,357,000"), (12, "12")] {
            assert_eq!(grouped(amount), text);
        }
    }
}
