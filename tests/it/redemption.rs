// SPDX-License-Identifier: Apache-2.0

//! A guest at the gate: reported once, never before the day, never while a refund is under review, never twice.

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::{OrderState, TicketingState};

use crate::support::partners::Outcome;
use crate::support::{Reply, TestBridge, douyin};

const VERIFY: &str = "/goodlife/v1/trip/certificate/verify/";

async fn go_in(bridge: &TestBridge, id: &str, at: &str) -> Reply {
    let booking = bridge.stored("V100").await.booking.expect("a booking").id;
    let body = json!({ "type": "ticket.redeemed", "reservation_id": booking, "occurred_at": at, "data": {} });
    bridge.backend_event("gate", id, &body).await
}

fn said(reply: Reply, status: u16) -> (Value, Value) {
    let body = reply.expect(status).json();
    (body["result"].clone(), body["reason"].clone())
}

#[tokio::test]
async fn use_is_reported_until_acknowledged_under_one_token_and_only_once() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    bridge.partners.next(VERIFY, Outcome::NotSent);
    bridge.partners.next(VERIFY, Outcome::Interrupted);
    bridge.partners.next(VERIFY, Outcome::Says(500, json!({})));
    assert_eq!(said(go_in(&bridge, "evt-1", "2026-12-01T08:59:00+08:00").await, 200).0, "accepted");
    for _ in 0..5 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(2));
    }
    let told = bridge.partners.sent(VERIFY);
    assert_eq!(told.len(), 4, "three that failed and the one that did not");
    assert!(told.iter().all(|call| call.body["verify_token"] == told[0].body["verify_token"]), "{told:?}");
    assert_eq!(
        said(go_in(&bridge, "evt-2", "2026-12-01T09:30:00+08:00").await, 200).0,
        "stale",
        "another event, the same fact"
    );
    bridge.drain().await;
    assert_eq!(bridge.partners.sent(VERIFY).len(), 4);
    let order = bridge.order("V100").await;
    assert_eq!((&order["state"], &order["booking"]["state"]), (&json!("completed"), &json!("used")), "{order}");
}

#[tokio::test]
async fn a_guest_who_comes_before_the_day_is_kept_and_counted_on_the_day() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.set_time("2026-11-30T12:00:00+08:00");
    assert_eq!(
        said(go_in(&bridge, "evt-1", "2026-11-30T11:59:00+08:00").await, 202),
        (json!("parked"), json!("too_early"))
    );
    bridge.drain().await;
    assert!(bridge.partners.sent(VERIFY).is_empty());
    assert_eq!(bridge.order("V100").await["attention"]["kind"], "too_early");
    assert_eq!(said(go_in(&bridge, "evt-1", "2026-11-30T11:59:00+08:00").await, 200).0, "duplicate");
    bridge.set_time("2026-12-01T00:00:01+08:00");
    bridge.drain().await;
    assert_eq!(bridge.partners.sent(VERIFY).len(), 1, "by itself, as soon as the day has come");
    assert_eq!(bridge.order("V100").await["state"], "completed");
}

#[tokio::test]
async fn a_guest_who_comes_while_a_refund_is_under_review_counts_once_it_is_rejected_with_the_real_time() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    let applied = douyin::refund_apply("R100", "B1", 103, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    let manual = bridge.post("orders/douyin-main:V100/redeem", &json!({ "at": "2026-12-01T09:00:00+08:00" })).await;
    manual.problem(409, "refund_under_review");
    let parked = said(go_in(&bridge, "evt-1", "2026-12-01T08:59:00+08:00").await, 202);
    assert_eq!(parked, (json!("parked"), json!("refund_under_review")));
    bridge.drain().await;
    assert!(bridge.partners.sent(VERIFY).is_empty(), "not while it is under review");
    let case = bridge.order("V100").await["refund_case"]["id"].as_str().expect("an id").to_owned();
    bridge.post(&format!("refunds/{case}/reject"), &json!({ "reason": "the guest is inside" })).await.expect(200);
    bridge.drain().await;
    let told = bridge.partners.sent(VERIFY);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].body["verify_time"], 1_796_086_740, "08:59, when the guest really went in");
    assert_eq!(bridge.order("V100").await["state"], "completed");
}

#[tokio::test]
async fn a_guest_who_comes_after_an_approved_refund_is_a_matter_for_a_person() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let applied = douyin::refund_apply("R100", "B1", 101, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    go_in(&bridge, "evt-1", "2026-12-01T08:59:00+08:00").await;
    bridge.drain().await;
    assert!(bridge.partners.sent(VERIFY).is_empty());
    let order = bridge.order("V100").await;
    assert_eq!(order["attention"]["kind"], "redeemed_while_refunded", "{order}");
}

#[tokio::test]
async fn ops_redeem_as_the_gate_does_and_are_refused_where_the_state_does_not_allow_it() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let redeem = async || {
        let now = bridge.now().rfc3339(ticketbridge_core::TimeZone::SHANGHAI);
        bridge.post("orders/douyin-main:V100/redeem", &json!({ "at": now })).await
    };
    assert_eq!(redeem().await.status, 409, "nothing is booked");
    bridge.book("R100", "V100", "2026-12-01").await;
    redeem().await.problem(409, "not_ticketed");
    bridge.issue("R100", 2).await;
    redeem().await.problem(409, "too_early");
    bridge.set_time("2026-12-01T10:00:00+08:00");
    redeem().await.expect(200);
    redeem().await.problem(409, "already_redeemed");
    bridge.drain().await;
    assert_eq!(bridge.partners.sent(VERIFY).len(), 1);
}

#[tokio::test]
async fn a_gate_whose_clock_runs_ahead_reports_a_visit_of_now() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    // Local time with the wrong offset: eight hours ahead.
    assert_eq!(said(go_in(&bridge, "evt-1", "2026-12-01T09:00:00Z").await, 200).0, "accepted");
    bridge.drain().await;
    assert_eq!(bridge.order("V100").await["booking"]["used_at"], "2026-12-01T09:00:00+08:00");
    assert_eq!(bridge.partners.sent(VERIFY)[0].body["verify_time"], bridge.now().seconds());
}

#[tokio::test]
async fn a_no_show_that_the_channel_has_no_word_for_leaves_nothing_dead_behind() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.set_time("2026-12-02T09:00:00+08:00");
    let id = bridge.order("V100").await["id"].as_str().expect("an id").to_owned();
    bridge.post(&format!("orders/{id}/no-show"), &json!({})).await.expect(200);
    bridge.drain().await;
    let order = bridge.order("V100").await;
    assert_eq!((&order["booking"]["state"], &order["attention"]), (&json!("no_show"), &Value::Null), "{order}");
    assert_eq!(bridge.get("deliveries?state=dead").await.json()["items"], json!([]));
}

#[tokio::test]
async fn what_the_gate_says_of_another_reservation_is_not_believed_and_a_person_is_told() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.ticketed("V200", "R200").await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    let (mine, other) = (bridge.stored("V100").await, bridge.stored("V200").await);
    let booking = mine.booking.as_ref().expect("a booking");
    let others = other.booking.as_ref().expect("a booking");
    let others_code = others.ticketing.tickets[0].code.reveal();
    let event = |kind: &str, data: Value| json!({ "type": kind, "reservation_id": booking.id, "occurred_at": "2026-12-01T08:59:00+08:00", "data": data });
    for (kind, data, field) in [
        ("ticket.redeemed", json!({ "code": others_code }), "data.code"),
        ("ticket.redeemed", json!({ "code": "NOBODYS" }), "data.code"),
        ("ticket.redeemed", json!({ "used": 0 }), "data.used"),
        ("ticket.redeemed", json!({ "used": -1 }), "data.used"),
        ("ticket.redeemed", json!({ "used": 99 }), "data.used"),
        ("ticket.redeemed", json!({ "order_id": other.id }), "data.order_id"),
        ("reservation.cancelled", json!({ "reservation_id": others.id }), "data.reservation_id"),
        ("reservation.cancelled", json!({ "backend_ref": "somebody-elses" }), "data.backend_ref"),
    ] {
        let id = format!("evt-{kind}-{data}").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        for time in ["first", "again"] {
            let reply = bridge.backend_event("gate", &id, &event(kind, data.clone())).await;
            let said = reply.expect(422).json();
            assert_eq!(
                (&said["code"], &said["field"]),
                (&json!("another_reservation"), &json!(field)),
                "{time} {data}"
            );
        }
        bridge.drain().await;
        let now = bridge.stored("V100").await;
        assert_eq!(now.state, mine.state, "{data}");
        assert_eq!(now.booking.map(|b| b.ticketing.state), Some(booking.ticketing.state), "{data}");
        assert_eq!(bridge.order("V100").await["attention"]["kind"], "answer_astray", "{data}");
    }
    assert!(bridge.partners.sent(VERIFY).is_empty());

    // Its own code, and one guest of one: that is the visit.
    let code = booking.ticketing.tickets[0].code.reveal();
    let own = event("ticket.redeemed", json!({ "code": code, "used": 1, "order_id": "their-4711" }));
    assert_eq!(said(bridge.backend_event("gate", "evt-own", &own).await, 200).0, "accepted");
    assert_eq!(bridge.order("V100").await["state"], "completed");
}

/// A back-end speaks of what it has issued; the tickets of another one are none of its business, whatever it signs.
#[tokio::test]
async fn a_back_end_neither_voids_nor_redeems_the_tickets_of_another() {
    let bridge = TestBridge::start_with(|files| {
        let gate = files.get("backends/gate.toml").expect("the example's back-end").clone();
        files.insert("backends/gate2.toml".to_owned(), gate.replace("\"gate\"", "\"gate2\""));
    })
    .await;
    let booking = bridge.ticketed("V100", "R100").await.booking.expect("a booking");
    bridge.set_time("2026-12-01T09:00:00+08:00");
    for kind in ["ticket.redeemed", "reservation.cancelled", "reservation.issued", "reservation.refused"] {
        let event = json!({ "type": kind, "reservation_id": booking.id, "occurred_at": "2026-12-01T08:59:00+08:00", "data": {} });
        let refused = bridge.backend_event("gate2", &format!("evt-{kind}"), &event).await.expect(422).json();
        assert!(
            ["another_reservation", "invalid", "malformed"].contains(&refused["code"].as_str().unwrap_or_default()),
            "{kind}: {refused}"
        );
        let now = bridge.stored("V100").await;
        let ticketing = now.booking.map(|it| it.ticketing.state);
        assert_eq!((now.state, ticketing), (OrderState::Booked, Some(TicketingState::Issued)), "{kind}");
    }
    let order = bridge.order("V100").await;
    assert_eq!(order["attention"]["kind"], "answer_astray");
    // Nothing tells us that it was settled with them, but whoever has done it; what ends by an act does not end by a word.
    let settle = format!("orders/{}/settle-attention", order["id"].as_str().expect("an id"));
    let seen_to = |kind: &str| json!({ "kind": kind, "reason": "their gate was set up with our secret" });
    bridge.post(&settle, &seen_to("refund_waits")).await.problem(409, "not_waiting");
    assert_eq!(bridge.post(&settle, &seen_to("nonsense")).await.expect(422).json()["field"], "kind");
    bridge.post(&settle, &seen_to("answer_astray")).await.expect(200);
    assert_eq!(bridge.order("V100").await["attention"], json!(null));
    let events =
        bridge.get(&format!("orders/{}/events", order["id"].as_str().expect("an id"))).await.expect(200).json();
    assert_eq!(events["items"][0]["reason"], "their gate was set up with our secret");
    assert_eq!(said(go_in(&bridge, "evt-own", "2026-12-01T08:59:00+08:00").await, 200).0, "accepted");
}

#[tokio::test]
async fn a_gate_whose_clock_stands_before_the_booking_reports_a_visit_of_now() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    assert_eq!(said(go_in(&bridge, "evt-1", "2020-01-01T00:00:00+08:00").await, 200).0, "accepted");
    let used_at = bridge.stored("V100").await.booking.and_then(|booking| booking.used_at);
    assert_eq!(used_at, Some(bridge.now()));
}

/// A back-end that issues again under other codes: whichever of them the guest shows, it is this booking's.
#[tokio::test]
async fn a_guest_is_known_by_the_codes_that_he_was_given_and_by_those_named_since() {
    for code in ["new-1", "of the first set", "nobody's"] {
        let bridge = TestBridge::start().await;
        let booking = bridge.ticketed("V100", "R100").await.booking.expect("a booking");
        let first = booking.ticketing.tickets[0].code.reveal().to_owned();
        let number = booking.ticketing.backend_ref.clone();
        let data = json!({ "state": "issued", "backend_ref": number,
            "tickets": [{ "code": "new-1", "kind": "code" }, { "code": "new-2", "kind": "code" }] });
        let issued = json!({ "type": "reservation.issued", "reservation_id": booking.id,
            "occurred_at": "2026-11-21T12:00:00+08:00", "data": data });
        bridge.backend_event("gate", "evt-1", &issued).await.expect(200);
        let shown = bridge.order("V100").await;
        assert_eq!(shown["attention"]["kind"], "codes_changed");
        let ticketing = &shown["booking"]["ticketing"];
        assert_eq!(
            (&ticketing["tickets"][0]["code"], &ticketing["other_tickets"][0]["code"]),
            (&json!(first), &json!("new-1"))
        );
        bridge.set_time("2026-12-01T09:00:00+08:00");
        let read = if code == "of the first set" { first.as_str() } else { code };
        let body = json!({ "type": "ticket.redeemed", "reservation_id": booking.id,
            "occurred_at": "2026-12-01T08:59:00+08:00", "data": { "code": read } });
        let said = bridge.backend_event("gate", "evt-2", &body).await;
        if code == "nobody's" {
            assert_eq!(said.expect(422).json()["code"], "another_reservation");
        } else {
            said.expect(200);
            assert_eq!(bridge.order("V100").await["state"], "completed", "{code}");
        }
    }
}
