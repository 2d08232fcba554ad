// SPDX-License-Identifier: Apache-2.0

//! Deadlines are rows: warned of before, flagged after, also when the program was stopped in between.

use serde_json::{Value, json};
use ticketbridge_core::Millis;

use crate::support::partners::Outcome;
use crate::support::{TestBridge, douyin};

/// The kinds of what happened to an order, oldest first.
async fn kinds(bridge: &TestBridge, sale: &str) -> Vec<String> {
    let id = bridge.order(sale).await["id"].as_str().expect("an id").to_owned();
    let events = bridge.get(&format!("orders/{id}/events?limit=200")).await.expect(200).json();
    let items = events["items"].as_array().expect("items").iter().rev();
    items.map(|event| event["kind"].as_str().expect("a kind").to_owned()).collect()
}

fn count(kinds: &[String], kind: &str) -> usize {
    kinds.iter().filter(|known| *known == kind).count()
}

async fn deadline(bridge: &TestBridge, kind: &str) -> Value {
    let rows = bridge.get("deadlines").await.expect(200).json();
    let found = rows["items"].as_array().expect("items").iter().find(|row| row["kind"] == kind).cloned();
    found.unwrap_or_else(|| panic!("no {kind} in {rows}"))
}

#[tokio::test]
async fn the_ticketing_deadline_is_warned_of_at_five_minutes_and_flagged_at_ten_also_after_a_restart() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    for _ in 0..100 {
        bridge.partners.next("/bridge/reservations", Outcome::NotSent);
    }
    bridge.drain().await;
    assert_eq!(deadline(&bridge, "ticketing").await["time_left_s"], 600);
    bridge.advance(Millis(Millis::minutes(5).0 - 1));
    bridge.drain().await;
    assert_eq!(count(&kinds(&bridge, "V100").await, "ticketing_deadline_near"), 0);
    bridge.advance(Millis(1));
    bridge.drain().await;
    assert_eq!(count(&kinds(&bridge, "V100").await, "ticketing_deadline_near"), 1);
    assert!(!deadline(&bridge, "ticketing").await["warned_at"].is_null());
    assert_eq!(bridge.order("V100").await["booking"]["ticketing"]["overdue"], false);
    bridge.advance(Millis(Millis::minutes(5).0 - 1));
    bridge.drain().await;
    assert_eq!(bridge.order("V100").await["booking"]["ticketing"]["overdue"], false, "a millisecond is left");
    bridge.advance(Millis::minutes(1));
    let bridge = bridge.restart().await;
    bridge.drain().await;
    let order = bridge.order("V100").await;
    assert_eq!(order["booking"]["ticketing"]["overdue"], true, "{order}");
    assert!(!order["attention"].is_null(), "{order}");
    assert_eq!(deadline(&bridge, "ticketing").await["passed"], true);
    assert_eq!(count(&kinds(&bridge, "V100").await, "ticketing_deadline_near"), 1, "warned once");
}

#[tokio::test]
async fn tickets_in_time_leave_no_deadline_behind() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.advance(Millis::minutes(30));
    bridge.drain().await;
    let order = bridge.order("V100").await;
    assert_eq!((&order["booking"]["ticketing"]["overdue"], &order["attention"]), (&json!(false), &Value::Null));
    assert_eq!(count(&kinds(&bridge, "V100").await, "ticketing_deadline_near"), 0);
}

#[tokio::test]
async fn the_review_limit_is_warned_of_at_each_configured_time_and_what_the_channel_decides_is_recorded() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    // Customer service: a person decides, and nobody does.
    let applied = douyin::refund_apply("R100", "B1", 103, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    for (after, warnings) in
        [(Millis::hours(47), 0), (Millis::hours(1), 1), (Millis::hours(20), 2), (Millis::hours(3), 2)]
    {
        bridge.advance(after);
        bridge.drain().await;
        assert_eq!(count(&kinds(&bridge, "V100").await, "review_limit_near"), warnings);
    }
    assert_eq!(bridge.order("V100").await["refund_case"]["state"], "under_review");
    bridge.advance(Millis::hours(1));
    bridge.drain().await;
    let order = bridge.order("V100").await;
    assert_eq!(order["refund_case"]["state"], "under_review", "nothing is decided here: {order}");
    assert!(!order["attention"].is_null(), "{order}");
    assert!(bridge.partners.sent("/goodlife/v1/trip/refund/audit/").is_empty());
    let synced = json!({ "order_id": "R100", "after_sale_type": 1, "after_sale_id": "B1" });
    bridge.douyin("info-sync", &synced).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/cancel").len(), 1, "the back-end is told");
    assert_eq!(bridge.order("V100").await["refund_case"]["state"], "settled");
}
