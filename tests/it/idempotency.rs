// SPDX-License-Identifier: Apache-2.0

//! A message that comes twice, or twenty times at once, has one effect and one answer; the same key with another body is refused.

use futures_util::future::join_all;
use serde_json::{Value, json};
use ticketbridge_core::order::AttentionKind;
use ticketbridge_store::{JobFilter, OrderFilter, PageRequest};

use crate::support::{Reply, TestBridge, douyin, on_each_database};

const AT_ONCE: usize = 20;

/// What a message could have changed: versions of all orders, and the deliveries there are.
async fn effects(bridge: &TestBridge) -> (Vec<(String, u64)>, usize) {
    let store = bridge.bridge.engine().store();
    let page = PageRequest { limit: 200, cursor: None };
    let orders = store.list_orders(&OrderFilter::default(), &page).await.unwrap().items;
    let jobs = store.list_jobs(&JobFilter::default(), &page).await.unwrap().items;
    (orders.into_iter().map(|order| (order.id.to_string(), order.version)).collect(), jobs.len())
}

/// Every call of Douyin's that a sale can meet, in the order of a life that ends with a refund.
fn life(bridge: &TestBridge) -> Vec<(&'static str, Value)> {
    let now = bridge.now();
    let (sale, booking) = (douyin::sale("V100", 2, now), douyin::booking("R100", "V100", "2026-12-01", 2, now));
    let cancelled = json!({ "order_id": "R100", "cancel_type": 2, "cancel_order_time_unix": now.seconds() });
    let refunded = json!({
        "order_id": "V100", "biz_uniq_key": "B100", "refund_amount": 39_800, "refund_time_unix": now.seconds(),
        "refund_scene": 1,
    });
    let synced = json!({ "order_id": "R100", "after_sale_type": 1, "after_sale_id": "B100" });
    vec![
        ("can-buy", sale.clone()),
        ("create-order", sale),
        ("create-order", booking),
        ("issue-voucher", douyin::issue("R100", 2)),
        ("query-order", json!({ "order_id": "R100" })),
        ("refund-apply", douyin::refund_apply("R100", "B100", 101, 0, now)),
        ("info-sync", synced),
        ("cancel-notify", cancelled),
        ("refund-notify", refunded),
    ]
}

/// The same message `times` times at once, with the worker beside it where tickets are waited for.
async fn send(bridge: &TestBridge, call: &str, body: &Value, times: usize) -> Vec<Reply> {
    if call == "issue-voucher" {
        bridge.drain().await;
    }
    join_all((0..times).map(|_| bridge.douyin(call, body))).await
}

#[tokio::test]
async fn every_call_sent_twice_has_one_effect_and_the_same_answer() {
    on_each_database(
        |_| {},
        async |bridge| {
            for (call, body) in life(bridge) {
                let first = send(bridge, call, &body, 1).await.remove(0).expect(200);
                assert_eq!(first.json()["data"]["error_code"], 0, "{call}: {}", first.text());
                let before = effects(bridge).await;
                let again = bridge.douyin(call, &body).await;
                assert_eq!((again.status, again.text()), (first.status, first.text()), "{call}");
                assert_eq!(effects(bridge).await, before, "{call}");
                bridge.drain().await;
            }
            assert_eq!(bridge.order("V100").await["payment"]["state"], "refunded");
        },
    )
    .await;
}

#[tokio::test]
async fn every_call_sent_twenty_times_at_once_has_one_effect_and_the_same_answer() {
    on_each_database(
        |_| {},
        async |bridge| {
            for (call, body) in life(bridge) {
                let answers = send(bridge, call, &body, AT_ONCE).await;
                let first = answers[0].clone().expect(200);
                assert_eq!(first.json()["data"]["error_code"], 0, "{call}: {}", first.text());
                for answer in &answers {
                    assert_eq!((answer.status, answer.text()), (first.status, first.text()), "{call}");
                }
                let before = effects(bridge).await;
                assert_eq!(bridge.douyin(call, &body).await.text(), first.text(), "{call}");
                assert_eq!(effects(bridge).await, before, "{call}");
                bridge.drain().await;
            }
            let (orders, _) = effects(bridge).await;
            assert_eq!(orders.len(), 1);
            let reserved = bridge.partners.sent("/bridge/reservations");
            let keys: Vec<&str> =
                reserved.iter().map(|call| call.headers["idempotency-key"].to_str().unwrap()).collect();
            assert_eq!(keys.len(), 2, "reserved once and cancelled once: {keys:?}");
            assert_ne!(keys[0], keys[1]);
        },
    )
    .await;
}

/// The message with something in it that matters changed.
fn saying_else(call: &str, body: &Value) -> Value {
    let (field, value) = match call {
        "create-order" => ("count", json!(3)),
        "issue-voucher" => ("copies", json!(1)),
        "refund-apply" => ("refund_fee_amount", json!(7)),
        "info-sync" => ("after_sale_type", json!(3)),
        "refund-notify" => ("refund_amount", json!(1)),
        _ => panic!("{call} changes nothing"),
    };
    let mut other = body.clone();
    other[field] = value;
    other
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_and_shows_in_the_inbox() {
    on_each_database(
        |_| {},
        async |bridge| {
            for (call, body) in life(bridge) {
                let first = send(bridge, call, &body, 1).await.remove(0).expect(200);
                // That a booking is cancelled is all that its number says.
                if !matches!(call, "can-buy" | "query-order" | "cancel-notify") {
                    let (before, state) = (effects(bridge).await.1, bridge.order("V100").await);
                    let refused = bridge.douyin(call, &saying_else(call, &body)).await.expect(200).json();
                    assert_eq!(refused["data"]["error_code"], 999_999, "{call}: {refused}");
                    assert_eq!(effects(bridge).await.1, before, "{call}");
                    let now = bridge.order("V100").await;
                    for part in ["state", "booking", "ticketing", "payment", "refund_case"] {
                        assert_eq!(now[part], state[part], "{call}");
                    }
                    assert!(bridge.stored("V100").await.needs(AttentionKind::Contradiction), "{call}: a person looks");
                    let rows = bridge.get(&format!("inbox?verdict=conflict&call={call}")).await.expect(200).json();
                    let about = rows["items"][0]["key"].as_str().unwrap_or_default().to_owned();
                    assert!(about.contains("100"), "{call}: {rows}");
                    assert_eq!(bridge.douyin(call, &body).await.text(), first.text(), "{call}: the first one stands");
                }
                bridge.drain().await;
            }
        },
    )
    .await;
}

#[tokio::test]
async fn an_event_of_a_back_end_counts_once_and_another_body_under_its_id_is_refused() {
    on_each_database(
        |_| {},
        async |bridge| {
            let booking = bridge.ticketed("V100", "R100").await.booking.expect("a booking").id;
            bridge.set_time("2026-12-01T09:00:00+08:00");
            let used = |at: &str| {
                json!({
                    "type": "ticket.redeemed", "reservation_id": booking, "occurred_at": at, "data": {},
                })
            };
            let body = used("2026-12-01T08:59:00+08:00");
            let answers = join_all((0..AT_ONCE).map(|_| bridge.backend_event("gate", "evt-1", &body))).await;
            let words: Vec<Value> =
                answers.into_iter().map(|answer| answer.expect(200).json()["result"].clone()).collect();
            assert_eq!(words.iter().filter(|word| *word == "accepted").count(), 1, "{words:?}");
            assert_eq!(words.iter().filter(|word| *word == "duplicate").count(), AT_ONCE - 1, "{words:?}");
            let other = bridge.backend_event("gate", "evt-1", &used("2026-12-01T08:58:00+08:00")).await;
            other.problem(409, "content_differs");
            let rows = bridge.get("inbox?verdict=conflict").await.expect(200).json();
            assert_eq!(rows["items"][0]["key"], "evt-1", "{rows}");
            assert!(bridge.stored("V100").await.needs(AttentionKind::Contradiction), "a person looks");
            bridge.drain().await;
            assert_eq!(bridge.partners.sent("/goodlife/v1/trip/certificate/verify/").len(), 1);
        },
    )
    .await;
}
