// SPDX-License-Identifier: Apache-2.0

//! What a person is told of an order of a platform that tells its orders whole: as long as it is so, as it stands now, and the most urgent
//! first. Everything speaks HTTP to a running bridge; nobody in it exists.

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::AttentionKind;

use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation, with_cancels};
use crate::support::partners::Outcome;
use crate::support::tripstore::{self, TRIP, kind, paid, trip};
use crate::support::{Reply, TestBridge};

fn says(status: u16, body: Value) -> Outcome {
    Outcome::Says(status, body)
}

/// Everything that is shown of an order: kinds and sentences.
async fn shown(bridge: &TestBridge, order: &str) -> Vec<(String, String)> {
    let order = bridge.get(&format!("orders/{order}")).await.expect(200).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    order["attentions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| (text(&it["kind"]), text(&it["sentence"])))
        .collect()
}

async fn settle(bridge: &TestBridge) {
    for _ in 0..8 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
    }
}

async fn dead_letter(bridge: &TestBridge) -> String {
    let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
    dead["items"][0]["id"].as_str().expect("a dead letter").to_owned()
}

fn link(id: &str) -> Outcome {
    says(201, json!({"link_id": id, "url": format!("https://pay.example/{id}")}))
}

/// The platform says yes to a return and its books do not show it, so that a person is told; later they do.
#[tokio::test]
async fn a_return_that_the_books_show_late_is_no_longer_said_not_to_be_done() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let (first, it) = (reservation("R1", "pd_plain", "CONFIRMED"), reservation("R1", "pd_plain", "USED"));
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &first, json!({"by": "AUTO"})), "accepted").await;
    let used = json!({"by": "CODE", "used_at": "2026-12-13T10:00:00+09:00"});
    bridge.kakao_is(event("e2", "reservation.used", 2, &it, used), "accepted").await;
    for _ in 0..2 {
        bridge.partners.next("/payments/pay_1/cancel", says(200, json!({})));
    }
    for _ in 0..6 {
        bridge.partners.next("/v1/reservations/R1", says(200, json!({"reservation": it, "revision": 2})));
    }
    let body = json!({"amount": 500, "reason": "late start"});
    bridge.post(&format!("orders/{KAKAO}:R1/return-payment"), &body).await.expect(200);
    settle(&bridge).await;
    let id = dead_letter(&bridge).await;
    assert!(bridge.booked("R1").await.needs(AttentionKind::NotificationRefused));
    let back = with_cancels(it, &[("pay_1", "cx_1", 500, "DONE")]);
    bridge.kakao_is(event("e3", "payment.canceled", 3, &back, json!({})), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!((order.money.refunded(), order.attention), (500, Vec::new()));
    let how = bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.problem(409, "no_longer_wanted");
    assert!(how.contains("the money has gone back"), "{how}");
}

/// Nobody knows whether the marketplace made a link, until it says so in the end, or another one has taken its place.
#[tokio::test]
async fn a_link_that_is_known_after_all_is_not_looked_for() {
    for act in ["retry", "drop"] {
        let bridge = TestBridge::start_trip(tripstore::CAN).await;
        let open = kind(trip("T1", "COMPLETED"), "LINK");
        bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &open, json!({})), "accepted").await;
        bridge.drain().await;
        let links = format!("orders/{TRIP}:T1/payment-links");
        bridge.partners.always("/T1/payment-links", says(500, json!({})));
        bridge.post(&links, &json!({})).await.expect(200);
        settle(&bridge).await;
        assert!(bridge.tripped("T1").await.needs(AttentionKind::Contradiction), "{act}");
        let id = dead_letter(&bridge).await;
        bridge.partners.recover();
        bridge.partners.next("/T1/payment-links", link("L1"));
        if act == "retry" {
            bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.expect(200);
        } else {
            bridge.post(&format!("deliveries/{id}/drop"), &json!({"reason": "looked there"})).await.expect(200);
            assert!(bridge.tripped("T1").await.needs(AttentionKind::Contradiction), "it may still be there");
            bridge.post(&links, &json!({})).await.expect(200);
        }
        bridge.drain().await;
        assert_eq!(shown(&bridge, &format!("{TRIP}:T1")).await, [], "{act}");
    }
}

fn with_units(mut it: Value, cancelled: [u32; 2]) -> Value {
    it["cancel_policy"]["partial_allowed"] = json!(true);
    for (line, units) in cancelled.into_iter().enumerate() {
        it["lines"][line]["canceled_quantity"] = json!(units);
    }
    it
}

#[tokio::test]
async fn units_that_were_cancelled_are_counted_as_they_stand_and_forgotten_with_the_booking() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut it = reservation("R1", "pd_auto", "CONFIRMED");
    it["confirm_mode"] = json!("AUTO");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    let key = format!("{KAKAO}:R1");
    for (revision, units, said) in [(2, [1, 0], "1 unit"), (3, [1, 1], "2 units"), (4, [1, 0], "1 unit")] {
        let now = with_units(it.clone(), units);
        let told = event(&format!("e{revision}"), "reservation.canceled", revision, &now, json!({"by": "BOOKER"}));
        bridge.kakao_is(told, "accepted").await;
        let all = shown(&bridge, &key).await;
        let about = all.iter().filter(|(kind, _)| kind == "live_ticket_behind_refund").collect::<Vec<_>>();
        assert_eq!(about.len(), 1, "{all:?}");
        assert!(about[0].1.starts_with(&format!("cancelled: {said};")), "{all:?}");
    }
    let returned = [("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")];
    let mut off = cancelled("R1", "pd_auto", "BY_BOOKER", 0, &returned);
    off["confirm_mode"] = json!("AUTO");
    bridge.kakao_is(event("e9", "reservation.canceled", 9, &off, json!({"by": "BOOKER"})), "accepted").await;
    bridge.drain().await;
    assert_eq!(shown(&bridge, &key).await, []);
}

/// Units that were added, and a visit that was moved, are two things to look at; each goes when it is taken back.
#[tokio::test]
async fn tickets_for_what_was_booked_before_are_shown_each_for_its_own_reason() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut it = reservation("R1", "pd_auto", "CONFIRMED");
    it["confirm_mode"] = json!("AUTO");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    let mut more = it.clone();
    more["lines"][1]["quantity"] = json!(2);
    more["lines"][1]["amount_krw"] = json!(44_000);
    more["amounts"]["gross_krw"] = json!(120_000);
    more["amounts"]["discount_krw"] = json!(27_000);
    bridge.kakao_is(event("e2", "reservation.confirmed", 2, &more, json!({"by": "AUTO"})), "accepted").await;
    let mut moved = more.clone();
    moved["use"]["from"] = json!("2026-12-14T10:00:00+09:00");
    moved["use"]["to"] = json!("2026-12-14T12:00:00+09:00");
    bridge.kakao_is(event("e3", "reservation.confirmed", 3, &moved, json!({"by": "AUTO"})), "accepted").await;
    let key = format!("{KAKAO}:R1");
    let all = shown(&bridge, &key).await;
    assert!(all.iter().any(|(_, sentence)| sentence.contains("1 unit was added")), "{all:?}");
    assert!(all.iter().any(|(_, sentence)| sentence.contains("the visit was moved")), "{all:?}");
    bridge.kakao_is(event("e4", "reservation.confirmed", 4, &more, json!({"by": "AUTO"})), "accepted").await;
    let all = shown(&bridge, &key).await;
    assert!(!all.iter().any(|(_, sentence)| sentence.contains("the visit was moved")), "{all:?}");
    bridge.kakao_is(event("e5", "reservation.confirmed", 5, &it, json!({"by": "AUTO"})), "accepted").await;
    let all = shown(&bridge, &key).await;
    assert!(!all.iter().any(|(_, sentence)| sentence.contains("added")), "{all:?}");
}

/// Another thing than what the tickets were made for is booked: each difference is named, and gone once it is taken back or the tickets are
/// new.
#[tokio::test]
async fn tickets_for_another_product_time_or_price_are_shown() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let key = format!("{KAKAO}:R1");
    let mut it = reservation("R1", "pd_auto", "CONFIRMED");
    it["confirm_mode"] = json!("AUTO");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    let mut revision = 1;
    let mut told = async |changed: &Value, wanted: Option<&str>| {
        revision += 1;
        let id = format!("e{revision}");
        let message = event(&id, "reservation.confirmed", revision, changed, json!({"by": "AUTO"}));
        bridge.kakao_is(message, "accepted").await;
        let all = shown(&bridge, &key).await;
        let found = all.iter().find(|(_, sentence)| sentence.contains("was booked after the tickets"));
        match wanted {
            Some(wanted) => {
                let sentence = format!("another {wanted} was booked after");
                assert!(found.is_some_and(|(_, said)| said.contains(&sentence)), "{wanted}: {all:?}");
            }
            None => assert_eq!(found, None),
        }
    };
    let mut other = it.clone();
    other["product"]["product_id"] = json!("pd_other");
    told(&other, Some("product")).await;
    told(&it, None).await;
    let mut later = it.clone();
    later["use"]["from"] = json!("2026-12-12T15:00:00+09:00");
    later["use"]["to"] = json!("2026-12-12T17:00:00+09:00");
    told(&later, Some("time")).await;
    let mut dearer = later.clone();
    dearer["lines"][0]["price_id"] = json!("senior");
    told(&dearer, Some("time and kind of price")).await;
    told(&it, None).await;
}

/// An order of a marketplace with something open and a link to pay it, as it was told.
async fn with_link() -> (TestBridge, Value) {
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let open = kind(trip("T1", "COMPLETED"), "LINK");
    bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &open, json!({})), "accepted").await;
    bridge.partners.next("/T1/payment-links", link("L1"));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    bridge.drain().await;
    (bridge, open)
}

/// A link that nobody tells anything of is over when its time is.
#[tokio::test]
async fn the_end_of_a_link_is_a_deadline() {
    let (bridge, _) = with_link().await;
    let deadlines = bridge.get("deadlines?state=armed").await.expect(200).json();
    let kinds: Vec<_> = deadlines["items"].as_array().unwrap().iter().map(|it| it["kind"].clone()).collect();
    assert!(kinds.contains(&json!("payment_link")), "{deadlines}");
    bridge.advance(Millis::hours(73));
    bridge.drain().await;
    let all = shown(&bridge, &format!("{TRIP}:T1")).await;
    let over = all.iter().find(|(kind, _)| kind == "payment_link_over");
    assert!(over.is_some_and(|(_, sentence)| sentence.contains("send another one")), "{all:?}");
}

/// Money through a link that was over goes back by itself, and what was open before is open again.
#[tokio::test]
async fn a_dead_link_is_shown_as_long_as_something_is_open() {
    crate::support::leaves_work();
    let (bridge, open) = with_link().await;
    let change = json!({"link_id": "L1", "status": "EXPIRED"});
    bridge.trip_is(tripstore::event("e2", "payment_link.updated", 2, &open, change), "accepted").await;
    let late = paid(open, "tp_1", "FULL", 3_180_000, Some("L1"));
    bridge.trip_is(tripstore::event("e3", "payment.recorded", 3, &late, json!({})), "accepted").await;
    let all = shown(&bridge, &format!("{TRIP}:T1")).await;
    let over = all.iter().find(|(kind, _)| kind == "payment_link_over");
    assert!(over.is_some_and(|(_, sentence)| sentence.contains("3180000 is still to be paid")), "{all:?}");
}

#[tokio::test]
async fn a_link_that_is_said_to_be_paid_without_a_payment_is_shown_until_there_is_one() {
    let (bridge, open) = with_link().await;
    let change = json!({"link_id": "L1", "status": "PAID"});
    bridge.trip_is(tripstore::event("e2", "payment_link.updated", 2, &open, change), "accepted").await;
    let key = format!("{TRIP}:T1");
    let all = shown(&bridge, &key).await;
    assert!(all.iter().any(|(_, sentence)| sentence.contains("lists no payment made with it")), "{all:?}");
    let done = paid(open, "tp_1", "FULL", 3_180_000, Some("L1"));
    bridge.trip_is(tripstore::event("e3", "payment.recorded", 3, &done, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(shown(&bridge, &key).await, []);
}

#[tokio::test]
async fn an_order_that_was_paid_to_nobody_is_not_said_to_be_paid() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let mut agency = trip("T1", "COMPLETED");
    agency["payment_owner"] = json!("AGENCY");
    agency["payment_kind"] = json!(null);
    bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &agency, json!({})), "accepted").await;
    let market = kind(trip("T1", "COMPLETED"), "LINK");
    bridge.trip_is(tripstore::event("e2", "booking.completed", 2, &market, json!({})), "accepted").await;
    let all = shown(&bridge, &format!("{TRIP}:T1")).await;
    assert!(all.iter().any(|(_, sentence)| sentence.contains("another collects the money")), "{all:?}");
    assert!(!all.iter().any(|(_, sentence)| sentence.contains("a paid order")), "{all:?}");
}

#[tokio::test]
async fn amounts_that_add_up_again_are_no_longer_doubted() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let mut odd = trip("T1", "COMPLETED");
    odd["amounts"]["outstanding_krw"] = json!(1);
    bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &odd, json!({})), "accepted").await;
    let key = format!("{TRIP}:T1");
    let all = shown(&bridge, &key).await;
    assert!(all.iter().any(|(_, sentence)| sentence.starts_with("amount_mismatch")), "{all:?}");
    let right = trip("T1", "COMPLETED");
    bridge.trip_is(tripstore::event("e2", "booking.completed", 2, &right, json!({})), "accepted").await;
    assert_eq!(shown(&bridge, &key).await, []);
}

/// Where a decision waits, what went wrong stands before it; and whoever sees the one is told that there are more.
#[tokio::test]
async fn what_went_wrong_stands_before_a_decision_that_waits() {
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let mut wants = paid(trip("T1", "COMPLETED"), "tp_1", "DEPOSIT", 300_000, None);
    bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &wants, json!({})), "accepted").await;
    wants["status"] = json!("CANCEL_REQUESTED");
    let change = json!({"requested_at": "2026-11-21T11:30:00+09:00", "from_status": "COMPLETED", "reason": "x"});
    bridge.trip_is(tripstore::event("e2", "booking.cancel_requested", 2, &wants, change), "accepted").await;
    let case = bridge.tripped("T1").await.refund_case.expect("a case");
    let key = format!("orders/{TRIP}:T1");
    let before = bridge.get(&key).await.expect(200).json();
    assert_eq!((&before["attention"]["kind"], &before["attention"]["more"]), (&json!("refund_waits"), &json!(0)));
    let command = before["attention"]["command"].as_str().expect("a command").to_owned();
    assert!(command.contains("--fee AMOUNT"), "{command}");
    bridge.partners.always("/T1/cancel", says(422, json!({"error": {"code": "no", "message": "not now"}})));
    bridge.post(&format!("refunds/{}/approve", case.id), &json!({"fee": 100_000})).await.expect(200);
    bridge.drain().await;
    let listed: Reply = bridge.get("orders").await.expect(200);
    let after = listed.json()["items"][0].clone();
    assert_eq!(
        (&after["attention"]["kind"], &after["attention"]["more"]),
        (&json!("report_refused"), &json!(1)),
        "{after}"
    );
}

/// Half of the time for a decision is over when the request comes at last: it is warned of at once, and the flag says so.
#[tokio::test]
async fn a_request_that_comes_late_is_warned_of_at_once() {
    let bridge = TestBridge::start_kakao_also(CAN, "confirm_limit = \"24h\"").await;
    let mut it = reservation("R1", "pd_plain", "REQUESTED");
    for (number, booked_at, near, word) in [
        ("R1", "2026-11-20T22:00:00+09:00", 1, "half of the time"),
        ("R2", "2026-11-20T05:00:00+09:00", 0, "nobody accepted the booking in time"),
        ("R3", "2026-11-21T10:00:00+09:00", 0, "a booking waits for a manager: confirm or decline it"),
    ] {
        it["reservation_no"] = json!(number);
        it["booked_at"] = json!(booked_at);
        for (payment, name) in [(0, "pay_1"), (1, "pay_2")] {
            it["payments"][payment]["payment_id"] = json!(format!("{name}-{number}"));
        }
        bridge.kakao_is(event(number, "reservation.requested", 1, &it, json!({})), "accepted").await;
        bridge.drain().await;
        let key = format!("{KAKAO}:{number}");
        let all = shown(&bridge, &key).await;
        assert!(all.iter().any(|(kind, said)| kind == "waits_for_confirmation" && said.contains(word)), "{all:?}");
        let events = bridge.get(&format!("orders/{key}/events?limit=200")).await.expect(200).text();
        assert_eq!(events.matches("\"kind\":\"deadline_near\"").count(), near, "{number}: {events}");
        let id = bridge.get(&format!("orders/{key}")).await.expect(200).json()["id"].clone();
        let rows = bridge.get("deadlines").await.expect(200).json();
        let row = rows["items"].as_array().expect("a list").iter().find(|row| row["order_id"] == id).cloned();
        // In the times of its channel, whatever zones the others have.
        let is_there = |row: &Value| row["due_at"].as_str().is_some_and(|at| at.ends_with("+09:00"));
        assert!(row.iter().all(is_there), "{rows}");
        let warned = row.is_some_and(|row| !row["warned_at"].is_null());
        assert_eq!(warned, number != "R3", "{number}: {rows}");
    }
}
