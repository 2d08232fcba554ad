// SPDX-License-Identifier: Apache-2.0

//! How answers say things: times as RFC 3339 in the channel's zone, nothing for what is not there, whatever the channel and the database.

use serde_json::{Value, json};

use crate::support::kakao::{self, KAKAO};
use crate::support::tripstore::{self, TRIP};
use crate::support::{CHANNEL, TestBridge, douyin, on_each_database};

/// A number that can only be a time.
fn raw_time(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_i64().filter(|n| *n > 100_000_000_000).map(|n| n.to_string()),
        Value::Array(items) => items.iter().find_map(raw_time),
        Value::Object(fields) => {
            fields.iter().find_map(|(name, value)| raw_time(value).map(|found| format!("{name}: {found}")))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// A name under which an empty text stands.
fn empty_id(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let is_id = name == "id" || name.ends_with("_id");
            if is_id && value == "" { Some(name.clone()) } else { empty_id(value) }
        }),
        Value::Array(items) => items.iter().find_map(empty_id),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A story on each channel: sold, booked, ticketed, cancelled in part, told twice, told in vain.
async fn live(bridge: &TestBridge) -> [String; 3] {
    bridge.ticketed("V100", "R100").await;
    bridge.douyin("refund-apply", &douyin::refund_apply("R100", "A1", 101, 0, bridge.now())).await.expect(200);
    bridge.douyin("create-order", &json!({ "order_id": "V300", "order_type": 7 })).await.expect(200);
    bridge.douyin("issue-voucher", &douyin::issue("R900", 2)).await.expect(200);
    let it = kakao::reservation("K1", "pd_manual", "REQUESTED");
    bridge.kakao_is(kakao::event("k1", "reservation.requested", 1, &it, json!({})), "accepted").await;
    bridge.post(&format!("orders/{KAKAO}:K1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    let it = kakao::reservation("K1", "pd_manual", "CONFIRMED");
    bridge.kakao_is(kakao::event("k2", "reservation.confirmed", 2, &it, json!({ "by": "MANAGER" })), "accepted").await;
    let it = tripstore::trip("T1", "COMPLETED");
    bridge.trip_is(tripstore::event("t1", "booking.completed", 1, &it, json!({})), "accepted").await;
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    let it = tripstore::trip("T1", "CANCEL_REQUESTED");
    bridge.trip_is(tripstore::event("t2", "booking.cancel_requested", 2, &it, json!({})), "accepted").await;
    bridge.drain().await;
    [format!("{CHANNEL}:V100"), format!("{KAKAO}:K1"), format!("{TRIP}:T1")]
}

#[tokio::test]
async fn every_time_is_a_time_and_nothing_is_an_empty_text() {
    let edit = |files: &mut std::collections::BTreeMap<String, String>| {
        files.insert("channels/kakao.toml".to_owned(), kakao::channel_file(kakao::CAN));
        files.insert("products/kakao.toml".to_owned(), kakao::PRODUCTS.to_owned());
        files.insert("channels/trip.toml".to_owned(), tripstore::channel_file(tripstore::CAN));
        files.insert("products/trip.toml".to_owned(), tripstore::PRODUCTS.to_owned());
    };
    on_each_database(edit, async |bridge| {
        let orders = live(bridge).await;
        let mut paths: Vec<String> =
            ["orders", "refunds", "deliveries", "deadlines", "inbox", "channels", "backends"].map(str::to_owned).into();
        for order in &orders {
            paths.extend(["", "/events", "/calls"].map(|part| format!("orders/{order}{part}")));
        }
        for path in paths {
            let shown = bridge.get(&path).await.expect(200).json();
            assert_eq!(raw_time(&shown), None, "{path}: {shown}");
            assert_eq!(empty_id(&shown), None, "{path}: {shown}");
        }
        let cases = bridge.get("refunds").await.expect(200).json();
        for case in cases["items"].as_array().expect("cases") {
            let has_limit = case["channel"] == CHANNEL;
            assert_eq!(case["review_by"].is_string(), has_limit, "{case}");
        }
        assert!(cases["items"].as_array().expect("cases").iter().any(|case| case["channel"] == TRIP), "{cases}");
    })
    .await;
}
