//! The hand-over to the agency's own books (`protocols/korea.md` 8.6; TS-04): where the marketplace takes the money, they get a
//! constant for the traveller's phone, and a memo with the gross amount.

use http::Method;
use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::command::Command;
use ticketbridge_core::order::Order;
use ticketbridge_core::personal::Personal;
use ticketbridge_core::port::{Call, CallResult, Checked, Context, EncodeError, HttpResponse};

use super::{Erp, map};
use crate::fat_events::calls::{self, json, part};
use crate::fat_events::read::NOBODYS_PHONE;

/// The end of the memo, unless the settings say otherwise.
pub(super) const MEMO_TAIL: &str = "상세 예약내용 및 결제내역은 트립파트너스에서 확인";

/// A new booking; or a changed one, once the books have taken it.
pub(super) fn call(erp: &Erp, memo_tail: &str, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
    let mirror = order.mirror.as_deref().ok_or(EncodeError::Missing("picture of the marketplace's"))?;
    let number = order.channel_order_id.as_str();
    let by_agency = mirror.picture.read_only;
    let extra = |name: &str| mirror.picture.extra.get(name).map(String::as_str);
    let count = |name: &str| extra(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let phone = match by_agency {
        true => order.buyer.phone.as_ref().map(Personal::reveal),
        false => Some(NOBODYS_PHONE),
    };
    let memo = match by_agency {
        true => String::new(),
        false => format!("트립결제 / 트립스토어 / 총 판매금액 {}원 / {memo_tail}", thousands(order.money.gross)),
    };
    let body = json!({
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
    });
    // The marketplace may know the agency's number before the agency's books know the booking.
    let known = mirror.partner_number().filter(|_| mirror.handed_over);
    let (method, url, key) = match known {
        Some(agency_number) => {
            let url = format!("{}/v1/bookings/{}", erp.base_url, part(agency_number));
            (Method::PUT, url, cx.delivery_id.to_owned())
        }
        None => (Method::POST, format!("{}/v1/bookings", erp.base_url), format!("erp-{number}")),
    };
    calls::write(&erp.secret, method, url, &body, &key, cx)
}

/// A number with a comma every three digits.
fn thousands(amount: i64) -> String {
    let digits = amount.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What the answer means: what exists already was handed over before. Under which number is asked for, where the answer does not say.
pub(super) fn read(response: &HttpResponse) -> CallResult<()> {
    if response.status == StatusCode::CONFLICT && agency_number(&json(response)).is_some() {
        return CallResult::Done(());
    }
    match calls::read(response) {
        CallResult::Refused { code, .. } if code == "already_exists" => {
            CallResult::Unknown { why: "the agency's books know the booking already; its number is asked for".into() }
        }
        other => other,
    }
}

/// Asks whether the books know the booking, by the marketplace's number.
pub(super) fn look_up(erp: &Erp, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
    let number = order.channel_order_id.as_str().to_owned();
    calls::get(&erp.secret, calls::query(&format!("{}/v1/bookings", erp.base_url), &[("external_no", number)]), cx)
}

/// Reads the answer: what is found there was handed over.
pub(super) fn read_look_up(order: &Order, response: &HttpResponse) -> CallResult<Checked> {
    calls::read(response).and(|| {
        let body = json(response);
        let ours = |it: &&Value| {
            it.get("external_no").and_then(Value::as_str).is_none_or(|no| no == order.channel_order_id.as_str())
        };
        let found = match calls::list(&body, &["bookings", "items", "data"]) {
            Some((items, _)) => items.iter().find(ours).and_then(agency_number),
            None => agency_number(body.get("booking").unwrap_or(&body)),
        };
        let learned = found.clone().map(|number| Command::RecordPartnerNumber { number }).into_iter().collect();
        CallResult::Done(Checked { learned, done: found.is_some() })
    })
}

/// The agency's own number.
pub(super) fn learned(response: &HttpResponse) -> Vec<Command> {
    agency_number(&json(response)).map(|number| Command::RecordPartnerNumber { number }).into_iter().collect()
}

fn agency_number(body: &Value) -> Option<String> {
    body.get("agency_booking_no").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_41_amounts_in_a_memo_have_commas() {
        for (amount, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (4_357_000, "4,357,000"), (12, "12")] {
            assert_eq!(thousands(amount), text);
        }
    }
}
