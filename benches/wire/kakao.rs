// SPDX-License-Identifier: Apache-2.0

//! Events of a Kakao-style platform, signed by Standard Webhooks. Nobody in them exists.

use serde_json::{Value, json};

use super::http::{Answer, Ask};
use super::{name_of, webhook};
use crate::moment;

/// The channel.
pub(crate) const CHANNEL: &str = "kakao-bench";
/// The secret of its events.
pub(crate) const SECRET: &str = "whsec_YmVuY2htYXJrLWV2ZW50cy1zZWNyZXQ=";
/// The product that it sells, confirmed by itself.
pub(crate) const PRODUCT: &str = "WALK";
/// Another one, for which a manager decides.
pub(crate) const MANUAL: &str = "CLASS";
const PRICE: i64 = 38_000;

/// A confirmed and paid booking of one unit, as its first event tells it.
pub(crate) fn confirmed(number: &str, serial: u64, in_days: i64) -> Value {
    let (date, now) = (moment::date_in(in_days), format!("{}T00:00:01+09:00", moment::date_in(0)));
    json!({
        "event_id": format!("evt-{number}"), "event_type": "reservation.confirmed", "schema_version": "1",
        "occurred_at": now, "revision": 1, "partner_id": "p_1", "place_id": "pl_1", "change": { "by": "AUTO" },
        "reservation": {
            "reservation_no": number, "status": "CONFIRMED", "cancel_kind": null, "ex_officio": false,
            "confirm_mode": "AUTO", "payment_mode": "PAY_WITH_BOOKING", "booked_at": now,
            "product": { "product_id": PRODUCT, "name": "숲속 산책", "type": "DATE_TIME", "category": "LEISURE" },
            "use": { "from": format!("{date}T10:00:00+09:00"), "to": format!("{date}T12:00:00+09:00"), "date": null,
                     "valid_until": null },
            "booker": { "name": name_of(number), "phone": format!("010-{:04}-{:04}", serial / 10_000 % 10_000, serial % 10_000),
                        "masked": false, "user_ref": null },
            "lines": [
                { "detail_no": "D1", "price_id": "adult", "label": "성인", "quantity": 1, "unit_price_krw": PRICE,
                  "amount_krw": PRICE, "canceled_quantity": 0, "used_quantity": 0 },
            ],
            "amounts": { "gross_krw": PRICE, "discount_krw": 0, "net_krw": PRICE, "onsite_krw": 0, "paid_krw": PRICE,
                         "refunded_krw": 0, "fee_krw": 0 },
            "payments": [
                { "payment_id": format!("pay-{number}"), "method": "KAKAOPAY_CARD", "amount_krw": PRICE,
                  "approved_at": now, "cancelable_krw": PRICE, "cancels": [] },
            ],
            "cancel_policy": {
                "cancelable": true,
                "deadline": { "kind": "FIXED", "fixed_until": format!("{date}T00:00:00+09:00"), "days_before": null,
                              "at_time": null, "resolved_until": format!("{date}T00:00:00+09:00") },
                "free_minutes_after_booking": 60, "tiers": [], "unused_action": "AUTO_USE_NEXT_DAY",
                "partial_allowed": false },
        },
    })
}

/// A paid request that waits for a manager, as its first event tells it.
pub(crate) fn requested(number: &str, serial: u64, in_days: i64) -> Value {
    let mut event = confirmed(number, serial, in_days);
    event["event_type"] = json!("reservation.requested");
    event["change"] = json!({});
    event["reservation"]["status"] = json!("REQUESTED");
    event["reservation"]["confirm_mode"] = json!("MANAGER");
    event["reservation"]["product"]["product_id"] = json!(MANUAL);
    event
}

/// The event, signed.
///
/// # Errors
/// Never with the secret above.
pub(crate) fn event(body: &Value) -> anyhow::Result<Ask> {
    let id = body["event_id"].as_str().unwrap_or_default().to_owned();
    signed(format!("/channels/{CHANNEL}/events"), SECRET, &id, &body.to_string())
}

/// A message of a partner that signs by Standard Webhooks.
///
/// # Errors
/// When the secret is none.
pub(crate) fn signed(path: String, secret: &str, id: &str, body: &str) -> anyhow::Result<Ask> {
    let headers = webhook::headers(secret, id, moment::unix_ms() / 1_000, body)?;
    Ok(headers.into_iter().fold(Ask::post(path, body.to_owned()), |ask, (name, value)| ask.with(name, &value)))
}

/// Whether the answer says that the event was taken: 200 and `accepted`. Parked, ignored and stale are not what a benchmark wants.
///
/// # Errors
/// What it says instead.
pub(crate) fn accepted(answer: &Answer) -> Result<(), String> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (answer.status, body["result"].as_str()) {
        (200, Some("accepted")) => Ok(()),
        (status, said) => Err(format!("HTTP {status}: {}", said.or(body["code"].as_str()).unwrap_or("?"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn an_event_that_waits_is_not_accepted() {
        let answer = |status, body: &'static str| Answer { status, body: Bytes::from_static(body.as_bytes()) };
        assert_eq!(accepted(&answer(200, r#"{"result":"accepted"}"#)), Ok(()));
        assert!(accepted(&answer(202, r#"{"result":"parked"}"#)).is_err());
        assert!(accepted(&answer(200, r#"{"result":"duplicate"}"#)).is_err());
        assert!(accepted(&answer(503, "")).is_err());
    }
}
