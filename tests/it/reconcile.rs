// SPDX-License-Identifier: Apache-2.0

//! Books are compared with the channel and the back-end: what is certain is repaired, everything else is listed.

use serde_json::{Value, json};
use ticketbridge_core::order::{AttentionKind, TicketingState};

use crate::support::TestBridge;
use crate::support::partners::Outcome;

const ORDER_QUERY: &str = "/goodlife/v1/trade/order/query/";

/// What Douyin says of a sale.
fn douyin_knows(bridge: &TestBridge, number: &str, paid: i64, count: i64, refunded: i64) {
    let order = json!({ "order_id": number, "order_status": 1, "count": count, "pay_amount": paid,
        "certificate": [{ "certificate_id": "1", "refund_amount": refunded }] });
    let answer = json!({ "data": { "error_code": 0, "orders": [order] }, "extra": { "error_code": 0 } });
    bridge.partners.next(ORDER_QUERY, Outcome::Says(200, answer));
}

async fn compare(bridge: &TestBridge) -> Value {
    bridge.post("reconciliation", &json!({})).await.expect(200).json()
}

fn fields(report: &Value) -> Vec<(String, bool)> {
    let differences = report["differences"].as_array().expect("a list");
    differences
        .iter()
        .map(|d| (d["field"].as_str().unwrap_or("").to_owned(), d["repaired"].as_bool().unwrap_or(false)))
        .collect()
}

#[tokio::test]
async fn an_answer_about_another_order_is_shown_to_a_person_and_nothing_of_it_taken_over() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V1", "R1").await;
    let before = bridge.stored("V1").await;
    douyin_knows(&bridge, "V2", 100, 7, 100);
    let report = compare(&bridge).await;
    assert_eq!(report["differences"][0]["theirs"], "another order", "{report}");
    assert_eq!(fields(&report), [("order".to_owned(), false)], "{report}");
    let after = bridge.stored("V1").await;
    assert!(after.needs(AttentionKind::AnswerAstray), "{after:?}");
    assert_eq!(after.money, before.money);
}

#[tokio::test]
async fn books_that_agree_have_no_differences() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V1", "R1").await;
    douyin_knows(&bridge, "V1", 39_800, 2, 0);
    let report = compare(&bridge).await;
    assert_eq!(report["orders"], 1, "{report}");
    assert_eq!(report["differences"], json!([]), "{report}");
    assert_eq!(bridge.get("reconciliation").await.expect(200).json(), report, "the last report is kept");
}

#[tokio::test]
async fn a_refund_whose_notice_was_lost_cancels_the_order_and_its_tickets() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V1", "R1").await;
    douyin_knows(&bridge, "V1", 39_800, 2, 39_800);
    let report = compare(&bridge).await;
    assert_eq!(fields(&report), [("refunded".to_owned(), true)], "{report}");
    bridge.drain().await;
    let order = bridge.order("V1").await;
    assert_eq!((&order["state"], &order["payment"]["state"]), (&json!("cancelled"), &json!("refunded")), "{order}");
    assert_eq!(order["booking"]["ticketing"]["state"], "cancelled", "{order}");
}

#[tokio::test]
async fn what_is_not_certain_is_listed_and_left_alone() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V1", "R1").await;
    let before = bridge.order("V1").await;
    douyin_knows(&bridge, "V1", 39_700, 3, 100);
    let report = compare(&bridge).await;
    let found = fields(&report);
    assert_eq!(found, [("quantity".to_owned(), false), ("paid".to_owned(), false), ("refunded".to_owned(), false)]);
    assert_eq!(bridge.order("V1").await["version"], before["version"], "nothing was changed");
    // Its own default answer knows no orders at all.
    let report = compare(&bridge).await;
    assert_eq!(fields(&report), [("order".to_owned(), false)], "{report}");
}

#[tokio::test]
async fn a_visit_that_the_back_end_did_not_tell_is_found() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V1", "R1").await;
    bridge.set_time("2026-12-01T10:00:00+08:00");
    douyin_knows(&bridge, "V1", 39_800, 2, 0);
    let used = json!({ "state": "redeemed", "redeemed_at": "2026-12-01T09:00:00+08:00" });
    bridge.partners.next("/reservations/", Outcome::Says(200, used));
    let report = compare(&bridge).await;
    assert_eq!(fields(&report), [("redemption".to_owned(), true)], "{report}");
    bridge.drain().await;
    let order = bridge.order("V1").await;
    assert_eq!(order["state"], "completed", "{order}");
    let told = bridge.partners.sent("/trip/certificate/verify/");
    assert_eq!(told.len(), 1, "Douyin is told once");
    assert_eq!(told[0].body["verify_time"], 1_796_086_800, "with the real time");
}

#[tokio::test]
async fn partners_that_do_not_answer_are_counted() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V1", "R1").await;
    bridge.partners.next(ORDER_QUERY, Outcome::NotSent);
    bridge.partners.next("/reservations/", Outcome::NotSent);
    let report = compare(&bridge).await;
    assert_eq!((&report["unanswered"], &report["differences"]), (&json!(2), &json!([])), "{report}");
}

/// It said that the tickets are made, handed out codes, and its books have none: the guest would stand before a closed gate.
#[tokio::test]
async fn tickets_that_a_back_end_said_it_made_and_does_not_hold_are_shown_within_one_round() {
    for (says, theirs) in [((404, json!({})), "unknown"), ((200, json!({ "state": "pending" })), "requested")] {
        let bridge = TestBridge::start().await;
        bridge.ticketed("V1", "R1").await;
        assert!(bridge.stored("V1").await.attention.is_empty());
        douyin_knows(&bridge, "V1", 39_800, 2, 0);
        bridge.partners.next("/reservations/", Outcome::Says(says.0, says.1));
        let report = compare(&bridge).await;
        assert_eq!(fields(&report), [("ticketing".to_owned(), false)], "{report}");
        assert_eq!(report["differences"][0]["theirs"], theirs, "{report}");
        let order = bridge.stored("V1").await;
        assert!(order.needs(AttentionKind::Contradiction), "{theirs}: {:?}", order.attention);
        assert_eq!(order.booking.expect("a booking").ticketing.state, TicketingState::Issued, "{theirs}");
    }
}
