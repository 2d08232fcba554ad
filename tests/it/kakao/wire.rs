// SPDX-License-Identifier: Apache-2.0

//! The wire: who is believed, what is read, and under which code the rest is refused.

use serde_json::{Value, json};
use ticketbridge_core::Millis;

use crate::support::TestBridge;
use crate::support::kakao::{CAN, KAKAO, SECRET, event, reservation, signed};

fn path() -> String {
    format!("/channels/{KAKAO}/events")
}

fn sample() -> Value {
    event("e1", "reservation.requested", 1, &reservation("R1", "pd_plain", "REQUESTED"), json!({}))
}

#[tokio::test]
async fn edge_51_and_the_sums_of_a_reservation() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let cases: [(&str, Value, &str, &str); 20] = [
        ("amounts.paid_krw", json!("93000"), "invalid_amount", "amounts.paid_krw"),
        ("amounts.paid_krw", json!(93000.0), "invalid_amount", "amounts.paid_krw"),
        ("amounts.paid_krw", json!(-1), "invalid_amount", "amounts.paid_krw"),
        ("amounts.gross_krw", json!(98_001), "amount_mismatch", "amounts.gross_krw"),
        ("amounts.net_krw", json!(92_999), "amount_mismatch", "amounts.net_krw"),
        ("amounts.paid_krw", json!(93_001), "amount_mismatch", "amounts.paid_krw"),
        ("amounts.refunded_krw", json!(93_001), "amount_mismatch", "amounts.refunded_krw"),
        ("lines.0.amount_krw", json!(76_001), "amount_mismatch", "lines[0].amount_krw"),
        ("lines.0.used_quantity", json!(3), "amount_mismatch", "lines[0].used_quantity"),
        ("lines.0.unit_price_krw", json!("4444"), "invalid_amount", "lines[0].unit_price_krw"),
        ("payments.0.amount_krw", json!(50000.5), "invalid_amount", "payments[0].amount_krw"),
        ("payment_mode", json!("BOOKING_ONLY"), "amount_mismatch", "payments"),
        ("cancel_kind", json!("BY_BOOKER"), "invalid_field", "cancel_kind"),
        ("status", json!("DONE"), "invalid_field", "status"),
        ("reservation_no", json!("R 1"), "invalid_field", "reservation_no"),
        ("booked_at", json!("2026-11-21T10:59:58"), "invalid_field", "booked_at"),
        ("lines", json!([]), "invalid_field", "lines"),
        ("product", json!(null), "missing_field", "product"),
        ("cancel_policy.deadline.kind", json!("SOON"), "invalid_field", "cancel_policy.deadline.kind"),
        ("cancel_policy.tiers.0.fee_rate_bp", json!(10_001), "invalid_field", "cancel_policy.tiers[0].fee_rate_bp"),
    ];
    for (where_, value, code, field) in cases {
        let mut body = sample();
        let pointer = format!("/reservation/{}", where_.replace('.', "/"));
        *body.pointer_mut(&pointer).expect(where_) = value.clone();
        let reply = bridge.kakao(&body).await;
        reply.problem(422, code);
        let said = reply.json();
        assert_eq!(said["field"], field, "{where_} {value}");
        assert!(said["fields"][field][0].is_string(), "{said}");
    }
    let mut exponent = sample().to_string();
    exponent = exponent.replace("\"paid_krw\":93000", "\"paid_krw\":9.3e4");
    let ask = signed(&bridge, &path(), SECRET, "e1", exponent.as_bytes());
    bridge.ask(ask).await.problem(422, "invalid_amount");
    bridge.kakao_is(sample(), "accepted").await;
}

#[tokio::test]
async fn a_time_of_day_is_written_as_the_platform_writes_it() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut body = sample();
    body["reservation"]["cancel_policy"]["deadline"] =
        json!({"kind": "RELATIVE", "days_before": 2, "at_time": "24:00", "resolved_until": null});
    bridge.kakao(&body).await.problem(422, "invalid_field");
    body["reservation"]["cancel_policy"]["deadline"]["at_time"] = json!("18:00");
    bridge.kakao_is(body, "accepted").await;
    let policy = bridge.booked("R1").await.channel_state.unwrap().standing.policy.unwrap();
    assert_eq!(policy.until, ticketbridge_core::UnixMillis::parse_rfc3339("2026-12-11T18:00:00+09:00"));
}

#[tokio::test]
async fn a_deadline_that_the_platform_resolves_otherwise_holds_and_is_shown() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut body = sample();
    body["reservation"]["cancel_policy"]["deadline"]["resolved_until"] = json!("2026-12-12T00:00:00+09:00");
    bridge.kakao_is(body, "accepted").await;
    let order = bridge.booked("R1").await;
    assert!(order.needs(ticketbridge_core::order::AttentionKind::Contradiction));
    let until = order.channel_state.unwrap().standing.policy.unwrap().until;
    assert_eq!(until, ticketbridge_core::UnixMillis::parse_rfc3339("2026-12-12T00:00:00+09:00"));
}

#[tokio::test]
async fn edge_18_to_22_ids_signatures_and_times() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let body = sample().to_string();
    let good = || signed(&bridge, &path(), SECRET, "e1", body.as_bytes());
    let mut wrong = body.clone().into_bytes();
    wrong[10] ^= 1;
    bridge.ask(good().body(wrong)).await.problem(401, "bad_signature");
    bridge.ask(signed(&bridge, &path(), "whsec_b3RoZXI=", "e1", body.as_bytes())).await.problem(401, "bad_signature");
    bridge.ask(good().header("webhook-timestamp", "1795226400000")).await.problem(401, "bad_timestamp");
    bridge
        .ask(super::super::support::Ask::new(http::Method::POST, path()).body(body.clone()))
        .await
        .problem(401, "missing_signature");
    bridge.ask(signed(&bridge, &path(), SECRET, "e2", body.as_bytes())).await.problem(400, "event_id_mismatch");
    bridge.ask(signed(&bridge, &path(), SECRET, "e1", b"{")).await.problem(400, "malformed_json");
    let text = good().header("content-type", "text/plain");
    bridge.ask(text).await.problem(415, "unsupported_media_type");
    let long = format!("{{\"event_id\":\"e1\",\"x\":\"{}\"}}", "x".repeat(256 * 1024));
    bridge.ask(signed(&bridge, &path(), SECRET, "e1", long.as_bytes())).await.problem(413, "too_large");
    bridge
        .ask(signed(&bridge, "/channels/nobody/events", SECRET, "e1", body.as_bytes()))
        .await
        .problem(404, "unknown_channel");
    bridge
        .ask(signed(&bridge, &format!("/channels/{KAKAO}/other"), SECRET, "e1", body.as_bytes()))
        .await
        .problem(404, "unknown_call");

    let early = good();
    bridge.advance(Millis::minutes(6));
    let reply = bridge.ask(early).await;
    let says = reply.problem(401, "stale_timestamp");
    assert_eq!(says, "the time stamp is 360 s in the past, more than 5 minutes away; check the clocks");
    assert_eq!(reply.json()["server_time"], "2026-11-21T11:06:00+09:00");

    bridge.kakao_is(sample(), "accepted").await;
    bridge.kakao_is(sample(), "duplicate").await;
    // Another layout and other escapes of the same content are the same content.
    let pretty = serde_json::to_string_pretty(&sample()).unwrap().replace("김예시", "\\uae40\\uc608\\uc2dc");
    let said = bridge.ask(signed(&bridge, &path(), SECRET, "e1", pretty.as_bytes())).await.expect(200).json();
    assert_eq!(said["result"], "duplicate");
    let mut other = sample();
    other["reservation"]["status"] = json!("CONFIRMED");
    bridge.kakao(&other).await.problem(409, "event_id_reused");
    assert_eq!(
        bridge.get("inbox?verdict=conflict").await.expect(200).json()["items"].as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn what_nobody_knows_is_kept_and_said_to_be_ignored() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut new = sample();
    new["event_type"] = json!("reservation.dreamt");
    assert_eq!(bridge.kakao(&new).await.expect(200).json()["result"], "ignored");
    assert!(bridge.order_of(KAKAO, "R1").await.is_none());
    let inquiry = json!({"event_id": "i1", "event_type": "inquiry.opened", "schema_version": "1",
        "occurred_at": "2026-11-21T11:00:00+09:00", "change": {"inquiry_id": "q1", "subject": "PRODUCT"}});
    assert_eq!(bridge.kakao(&inquiry).await.expect(200).json()["result"], "accepted");
    assert_eq!(bridge.kakao(&new).await.expect(200).json()["result"], "duplicate");
    assert_eq!(bridge.kakao(&inquiry).await.expect(200).json()["result"], "duplicate");
    new["change"] = json!({"other": 1});
    bridge.kakao(&new).await.problem(409, "event_id_reused");
    let kept = bridge.get("inbox?verdict=unrouted").await.expect(200).json();
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(1), "a person can see it, and replay it");
    let mut unknown = sample();
    unknown["event_id"] = json!("e2");
    unknown["reservation"]["product"]["product_id"] = json!("pd_nobody");
    let refused = bridge.kakao(&unknown).await;
    refused.problem(422, "unknown_product");
    assert_eq!(refused.json()["errors"][0]["pointer"], "/reservation/product/product_id");
}

#[tokio::test]
async fn guests_are_masked_where_people_look() {
    let bridge = TestBridge::start_kakao(CAN).await;
    bridge.kakao_is(sample(), "accepted").await;
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200);
    assert_eq!(shown.json()["buyer"]["name"], "김**");
    let events = bridge.get(&format!("orders/{KAKAO}:R1/events")).await.expect(200).text();
    for text in [shown.text(), events] {
        assert!(!text.contains("1234-5678") && !text.contains("김예시"), "{text}");
    }
}
