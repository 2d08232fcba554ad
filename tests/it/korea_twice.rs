// SPDX-License-Identifier: Apache-2.0

//! What is said twice, too late or too early: one line told for two reservations, an act said again while it is under way, a request that
//! was long on its way, a use that came before its tickets or before its day.

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::{AttentionKind, OrderState, TicketingState};

use crate::support::TestBridge;
use crate::support::kakao::{CAN, KAKAO, event, reservation};
use crate::support::partners::Outcome;
use crate::support::tripstore::{self, kind, paid, trip};

/// A reservation whose lines have the platform's own numbers.
fn numbered(number: &str, lines: [&str; 2]) -> Value {
    let mut it = reservation(number, "pd_auto", "CONFIRMED");
    it["confirm_mode"] = json!("AUTO");
    for (line, detail) in it["lines"].as_array_mut().expect("lines").iter_mut().zip(lines) {
        line["detail_no"] = json!(detail);
    }
    it
}

#[tokio::test]
async fn a_line_that_two_reservations_name_is_sold_once() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let told = [
        ("R1", numbered("R1", ["DT-9001", "DT-9002"])),
        ("R2", numbered("R2", ["DT-9001", "DT-9003"])),
        ("R3", numbered("R3", ["DT-9002", "DT-9001"])),
        // Numbers that count the lines of one reservation name nothing else.
        ("R4", numbered("R4", ["D1", "D2"])),
        ("R5", numbered("R5", ["D1", "D2"])),
    ];
    for (at, (_, it)) in told.iter().enumerate() {
        let told = event(&format!("e{at}"), "reservation.confirmed", 1, it, json!({"by": "AUTO"}));
        bridge.kakao_is(told, "accepted").await;
        bridge.drain().await;
    }
    for (number, units, asked_for) in [("R1", 3, Some(3)), ("R2", 1, Some(1)), ("R3", 0, None), ("R5", 3, Some(3))] {
        let order = bridge.booked(number).await;
        assert_eq!(order.live_units(), units, "{number}");
        let flag = order.attention.iter().find(|flag| flag.kind == AttentionKind::Contradiction);
        assert_eq!(flag.is_some(), matches!(number, "R2" | "R3"), "{number}: {:?}", order.attention);
        if let Some(flag) = flag {
            assert!(flag.sentence.contains("the line `DT-900"), "{}", flag.sentence);
        }
        let asked = bridge.partners.sent("/bridge/reservations");
        let of_it = asked.iter().find(|sent| sent.body["order_id"] == json!(order.id));
        assert_eq!(
            of_it.map(|sent| sent.body["quantity"].clone()),
            asked_for.map(|units: u32| json!(units)),
            "{number}"
        );
    }
    // Told once more it is no news, for either of them.
    let again = event("f1", "reservation.confirmed", 2, &told[1].1, json!({"by": "AUTO"}));
    bridge.kakao_is(again, "accepted").await;
    assert_eq!(bridge.booked("R2").await.live_units(), 1);
    assert_eq!(bridge.booked("R1").await.live_units(), 3);
}

fn id_of(delivery: &Value) -> String {
    delivery["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn an_act_said_again_while_it_is_under_way_names_the_delivery() {
    crate::support::leaves_work();
    for (act, first, other) in [
        ("decline", json!({"reason": "full"}), json!({"reason": "closed"})),
        ("cancel", json!({"reason": "rain"}), json!({"reason": "rain", "fee": 0})),
        ("confirm", json!({}), json!({})),
    ] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let (stands, told) = match act {
            "cancel" => ("CONFIRMED", "reservation.confirmed"),
            _ => ("REQUESTED", "reservation.requested"),
        };
        let it = reservation("R1", "pd_plain", stands);
        bridge.kakao_is(event("e1", told, 1, &it, json!({})), "accepted").await;
        let path = format!("orders/{KAKAO}:R1/{act}");
        let said = bridge.post(&path, &first).await.expect(200).json();
        assert!(said.get("under_way").is_none(), "{act}: it is new");
        let listed = bridge.get("deliveries?state=pending").await.expect(200).json();
        let own = id_of(&listed["items"][0]);
        let again = bridge.post(&path, &first).await.expect(200).json();
        assert_eq!(again["version"], said["version"], "{act}");
        assert_eq!(again["under_way"].as_array().map(Vec::len), Some(1), "{act}: {again}");
        assert_eq!(id_of(&again["under_way"][0]), own, "{act}");
        if act != "confirm" {
            let refused = bridge.post(&path, &other).await.problem(409, "already_decided");
            assert!(refused.contains(&own), "{act}: {refused}");
        }
        let listed = bridge.get("deliveries?state=pending").await.expect(200).json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{act}: {listed}");
    }
}

/// A request that the platform told as long ago as this.
fn long_ago(mut told: Value, bridge: &TestBridge, by: Millis) -> Value {
    let zone = ticketbridge_core::time::TimeZone::UTC;
    told["occurred_at"] = json!((bridge.now() - by).rfc3339(zone));
    told
}

#[tokio::test]
async fn a_request_that_arrives_late_is_shown_whoever_made_it() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    for (number, status, kind, minutes, is_shown) in [
        ("R1", "REQUESTED", "reservation.requested", 14, false),
        ("R2", "REQUESTED", "reservation.requested", 16, true),
        ("R3", "CONFIRMED", "reservation.confirmed", 16, true),
    ] {
        let it = reservation(number, "pd_plain", status);
        let told = event(&format!("e{number}"), kind, 1, &it, json!({}));
        bridge.kakao_is(long_ago(told, &bridge, Millis::minutes(minutes)), "accepted").await;
        let order = bridge.booked(number).await;
        assert_eq!(order.needs(AttentionKind::ArrivedLate), is_shown, "{number}: {:?}", order.attention);
    }
    // That an order which is known was accepted is no request of anybody's.
    bridge.advance(Millis::minutes(1));
    let it = reservation("R1", "pd_plain", "CONFIRMED");
    let told = event("f1", "reservation.confirmed", 2, &it, json!({"by": "PARTNER"}));
    bridge.kakao_is(long_ago(told, &bridge, Millis::hours(1)), "accepted").await;
    assert!(!bridge.booked("R1").await.needs(AttentionKind::ArrivedLate));
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let it = paid(kind(trip("T1", "COMPLETED"), "PARTIAL"), "tp_1", "DEPOSIT", 300_000, None);
    bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &it, json!({})), "accepted").await;
    assert!(!bridge.tripped("T1").await.needs(AttentionKind::ArrivedLate));
    let mut wants = it.clone();
    wants["status"] = json!("CANCEL_REQUESTED");
    let told = tripstore::event("e2", "booking.cancel_requested", 2, &wants, json!({"from_status": "COMPLETED"}));
    bridge.trip_is(long_ago(told, &bridge, Millis::hours(3)), "accepted").await;
    assert!(bridge.tripped("T1").await.needs(AttentionKind::ArrivedLate));
}

/// The platform says that the guest was there before any ticket was made: nobody asks for one any more.
#[tokio::test]
async fn a_use_before_the_tickets_settles_them() {
    for (answer, settled) in [
        (
            json!({"state": "issued", "backend_ref": "B1", "tickets": [
            {"code": "C-1", "kind": "code"}, {"code": "C-2", "kind": "code"}, {"code": "C-3", "kind": "code"}]}),
            TicketingState::Issued,
        ),
        (Value::Null, TicketingState::NotNeeded),
    ] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let mut it = reservation("R1", "pd_auto", "CONFIRMED");
        it["confirm_mode"] = json!("AUTO");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
        assert_eq!(bridge.booked("R1").await.booking.expect("a booking").ticketing.state, TicketingState::Queued);
        it["status"] = json!("USED");
        let used = json!({"by": "CODE", "used_at": "2026-12-13T10:00:00+09:00"});
        bridge.kakao_is(event("e2", "reservation.used", 2, &it, used), "accepted").await;
        let status = if answer.is_null() { 404 } else { 200 };
        bridge.partners.always("/bridge/reservations/", Outcome::Says(status, answer));
        bridge.drain().await;
        let asked = bridge.partners.sent("/bridge/reservations");
        assert!(asked.iter().all(|sent| sent.method == "GET"), "it is asked how it stands, and for nothing: {asked:?}");
        let order = bridge.booked("R1").await;
        let ticketing = order.booking.expect("a booking").ticketing;
        assert_eq!((order.state, ticketing.state), (OrderState::Completed, settled));
        assert!(order.attention.is_empty(), "{:?}", order.attention);
    }
    // Nobody was asked for tickets before the platform had agreed.
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R2", "pd_manual", "REQUESTED");
    bridge.kakao_is(event("f1", "reservation.requested", 1, &it, json!({})), "accepted").await;
    let it = reservation("R2", "pd_manual", "USED");
    let used = json!({"by": "CODE", "used_at": "2026-12-13T10:00:00+09:00"});
    bridge.kakao_is(event("f2", "reservation.used", 2, &it, used), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.booked("R2").await.booking.expect("a booking").ticketing.state, TicketingState::NotNeeded);
    assert!(bridge.partners.sent("/bridge/reservations").is_empty());
}

#[tokio::test]
async fn a_use_before_the_day_is_shown_without_a_count_too() {
    for (used_at, is_shown) in [("2026-12-12T23:59:59+09:00", true), ("2026-12-13T00:00:00+09:00", false)] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let first = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &first, json!({"by": "AUTO"})), "accepted").await;
        let it = reservation("R1", "pd_plain", "USED");
        let told = event("e2", "reservation.used", 2, &it, json!({"by": "CODE", "used_at": used_at}));
        bridge.kakao_is(told, "accepted").await;
        let order = bridge.booked("R1").await;
        assert_eq!(order.needs(AttentionKind::Contradiction), is_shown, "{used_at}: {:?}", order.attention);
    }
}

/// What the marketplace kept is what the case says, not the most that it could have kept.
#[tokio::test]
async fn a_case_says_what_was_kept() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let it = paid(kind(trip("T1", "COMPLETED"), "PARTIAL"), "tp_1", "DEPOSIT", 300_000, None);
    bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &it, json!({})), "accepted").await;
    let mut wants = it.clone();
    wants["status"] = json!("CANCEL_REQUESTED");
    let asked = tripstore::event("e2", "booking.cancel_requested", 2, &wants, json!({"from_status": "COMPLETED"}));
    bridge.trip_is(asked, "accepted").await;
    let mut off = tripstore::returned(it, "tp_1", "cx_1", 210_000);
    off["status"] = json!("CANCELED");
    let change = json!({"fee_krw": 90_000, "refund_krw": 210_000});
    bridge.trip_is(tripstore::event("e3", "booking.canceled", 3, &off, change), "accepted").await;
    let shown = bridge.get("refunds").await.expect(200).json();
    let case = &shown["items"][0];
    assert_eq!(
        (&case["state"], &case["fee"], &case["settled_amount"]),
        (&json!("settled"), &json!(90_000), &json!(210_000)),
        "{case}"
    );
}
