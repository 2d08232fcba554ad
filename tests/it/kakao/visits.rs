// SPDX-License-Identifier: Apache-2.0

//! Guests at the gate one by one (KA-06): each uses a unit, and whoever has still to come may still cancel.

use serde_json::{Value, json};
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState};

use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation};
use crate::support::partners::Outcome;
use crate::support::{Reply, TestBridge};

/// Three units with a ticket each, on the day of the visit; the platform sells them in parts.
async fn ticketed() -> TestBridge {
    let bridge = TestBridge::start_kakao(&format!("{CAN}, \"partial_cancel\"")).await;
    bridge
        .kakao_is(event("e1", "reservation.confirmed", 1, &with_used([0, 0]), json!({"by": "AUTO"})), "accepted")
        .await;
    bridge.drain().await;
    bridge.set_time("2026-12-13T10:30:00+09:00");
    bridge
}

/// The reservation with so many units of each line used.
fn with_used(units: [u32; 2]) -> Value {
    let mut it = reservation("R1", "pd_auto", if units == [2, 1] { "USED" } else { "CONFIRMED" });
    it["cancel_policy"]["partial_allowed"] = json!(true);
    for (line, used) in units.into_iter().enumerate() {
        it["lines"][line]["used_quantity"] = json!(used);
    }
    it
}

async fn go_in(bridge: &TestBridge, id: &str, data: Value) -> Reply {
    let booking = bridge.booked("R1").await.booking.expect("a booking").id;
    let told = json!({"type": "ticket.redeemed", "reservation_id": booking, "occurred_at": "2026-12-13T10:20:00+09:00",
        "data": data});
    bridge.backend_event("gate", id, &told).await
}

/// What the platform was told as used, call by call.
fn told(bridge: &TestBridge) -> Vec<Value> {
    bridge.partners.sent("/v1/reservations/R1/use").into_iter().map(|call| call.body["lines"].clone()).collect()
}

fn line(detail: &str, units: u32) -> Value {
    json!({"detail_no": detail, "quantity": units})
}

/// The platform counts the use that it is told next.
fn counts(bridge: &TestBridge, revision: u64, units: [u32; 2]) {
    let body = json!({"reservation": with_used(units), "revision": revision});
    bridge.partners.next("R1/use", Outcome::Says(200, body));
}

#[tokio::test]
async fn a_running_total_uses_as_many_units_and_the_last_guest_ends_the_visit() {
    let bridge = ticketed().await;
    counts(&bridge, 2, [1, 0]);
    go_in(&bridge, "g1", json!({"used": 1})).await.expect(200);
    bridge.drain().await;
    assert_eq!(told(&bridge), [json!([line("D1", 1)])]);
    let order = bridge.booked("R1").await;
    assert_eq!((order.state, order.booking.as_ref().unwrap().state), (OrderState::Booked, BookingState::Confirmed));
    assert_eq!(go_in(&bridge, "g1", json!({"used": 1})).await.expect(200).json()["result"], "duplicate");
    assert_eq!(go_in(&bridge, "g2", json!({"used": 1})).await.expect(200).json()["result"], "stale");
    go_in(&bridge, "g2", json!({"used": 2})).await.problem(409, "content_differs");
    counts(&bridge, 3, [2, 1]);
    go_in(&bridge, "g3", json!({"used": 3})).await.expect(200);
    bridge.drain().await;
    assert_eq!(told(&bridge)[1..], [json!([line("D1", 1), line("D2", 1)])]);
    let order = bridge.booked("R1").await;
    assert_eq!((order.state, order.attention.len()), (OrderState::Completed, 1), "{:?}", order.attention);
    assert!(order.needs(AttentionKind::Contradiction), "one event id came with two counts");
}

#[tokio::test]
async fn a_code_uses_the_unit_that_it_was_dealt_to() {
    let bridge = ticketed().await;
    let tickets = bridge.booked("R1").await.booking.unwrap().ticketing.tickets;
    let code = |at: usize| json!({"code": tickets[at].code.reveal()});
    assert_eq!(tickets.len(), 3);
    counts(&bridge, 2, [0, 1]);
    go_in(&bridge, "g1", code(2)).await.expect(200);
    bridge.drain().await;
    assert_eq!(told(&bridge), [json!([line("D2", 1)])]);
    assert_eq!(go_in(&bridge, "g2", code(2)).await.expect(200).json()["result"], "stale", "the same guest again");
    counts(&bridge, 3, [1, 1]);
    go_in(&bridge, "g3", code(0)).await.expect(200);
    bridge.drain().await;
    assert_eq!(told(&bridge)[1..], [json!([line("D1", 1)])]);
    assert_eq!(bridge.booked("R1").await.state, OrderState::Booked);
}

#[tokio::test]
async fn who_has_still_to_come_may_cancel_and_who_was_there_may_not() {
    let bridge = ticketed().await;
    let path = format!("orders/{KAKAO}:R1/cancel");
    // The platform has not heard of it yet.
    bridge.partners.next("R1/use", Outcome::NotSent);
    go_in(&bridge, "g1", json!({"used": 1})).await.expect(200);
    bridge.drain().await;
    bridge.post(&path, &json!({"reason": "x", "lines": [line("D1", 2)]})).await.problem(422, "invalid");
    bridge.post(&format!("orders/{KAKAO}:R1/no-show"), &json!({})).await.problem(409, "already_redeemed");
    bridge.post(&path, &json!({"reason": "the others fell ill"})).await.expect(200);
    counts(&bridge, 2, [1, 0]);
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 56_939})));
    for _ in 0..3 {
        bridge.advance(ticketbridge_core::Millis::minutes(2));
        bridge.drain().await;
    }
    let call = bridge.partners.sent("R1/cancel").into_iter().find(|s| s.method == "POST").expect("a call");
    assert_eq!(call.body["lines"], json!([line("D1", 1), line("D2", 1)]));
    assert_eq!(call.body["refund_krw"], 93_000 - 36_061, "38,000 of 98,000, after discount, was used");
}

#[tokio::test]
async fn a_guest_before_the_day_is_one_guest_on_the_day_too() {
    let bridge = ticketed().await;
    bridge.set_time("2026-12-12T10:30:00+09:00");
    let early = go_in(&bridge, "g1", json!({"used": 1})).await.expect(202).json();
    assert_eq!(early["reason"], "too_early");
    bridge.drain().await;
    assert!(told(&bridge).is_empty());
    counts(&bridge, 2, [1, 0]);
    bridge.set_time("2026-12-13T00:00:01+09:00");
    bridge.drain().await;
    assert_eq!(told(&bridge), [json!([line("D1", 1)])]);
    let order = bridge.booked("R1").await;
    assert_eq!((order.state, order.attention.len()), (OrderState::Booked, 0), "{:?}", order.attention);
}

#[tokio::test]
async fn a_booking_that_is_called_off_behind_a_guest_is_shown() {
    let bridge = ticketed().await;
    counts(&bridge, 2, [1, 0]);
    go_in(&bridge, "g1", json!({"used": 1})).await.expect(200);
    bridge.drain().await;
    let back = [("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")];
    let off = cancelled("R1", "pd_auto", "BY_PLATFORM", 0, &back);
    bridge.kakao_is(event("e3", "reservation.canceled", 3, &off, json!({"by": "PLATFORM"})), "accepted").await;
    bridge.drain().await;
    assert!(bridge.booked("R1").await.needs(AttentionKind::RedeemedWhileRefunded));
}
