// SPDX-License-Identifier: Apache-2.0

//! Money that goes back alone at a TripStore-style marketplace, where its answers are lost, lie, or are about something else: it goes back once
//! or not at all, always under one name, and where it did not, a person hears of it. Everything speaks HTTP to a running bridge; nobody in it
//! exists.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::Order;

use crate::support::TestBridge;
use crate::support::partners::{Outcome, Sent};
use crate::support::tripstore::{CAN, TRIP, event, kind, paid, returned, trip};

const CALL: &str = "/v1/bookings/T1/payments/tp_1/cancel";
const BOOKS: &str = "/v1/bookings/T1";

/// What went back.
const AMOUNT: i64 = 500;

fn departed() -> Value {
    let mut it = paid(kind(trip("T1", "DEPARTED"), "FULL"), "tp_1", "FULL", 3_180_000, None);
    it["departure_date"] = json!("2026-11-21");
    it
}

fn books(done: bool) -> Value {
    match done {
        true => json!({"booking": returned(departed(), "tp_1", "tc_1", AMOUNT), "revision": 3}),
        false => json!({"booking": departed(), "revision": 2}),
    }
}

fn of_another() -> Value {
    let mut it = departed();
    it["booking_no"] = json!("T9");
    json!({"booking": it, "revision": 9})
}

/// Every way in which an answer says something else than what was done, or nothing.
fn answers() -> Vec<(&'static str, Outcome)> {
    let says = Outcome::Says;
    vec![
        ("no connection", Outcome::NotSent),
        ("an answer that is lost", Outcome::Interrupted),
        ("an error", says(500, json!({}))),
        ("an error of a gateway", Outcome::Garbage(502)),
        ("come again", says(503, json!({}))),
        ("too many", says(429, json!({}))),
        ("accepted for later", says(202, json!({}))),
        ("a yes that says nothing", says(200, json!({}))),
        ("a yes without a body", says(204, Value::Null)),
        ("a yes that nobody can read", Outcome::Garbage(200)),
        ("a yes that breaks off", Outcome::Cut(1)),
        ("a yes that speaks of an error", says(200, json!({"error": {"code": "busy"}}))),
        ("another booking", says(200, of_another())),
        ("another payment", says(200, json!({"payment_id": "tp_9", "cancel_id": "tc_9"}))),
        ("a conflict", says(409, json!({"error": {"code": "conflict"}}))),
        (
            "a conflict about another booking",
            says(409, {
                let mut it = of_another();
                it["error"] = json!({"code": "revision_conflict"});
                it
            }),
        ),
        ("closed", says(410, json!({}))),
        ("refused", says(422, json!({"error": {"code": "not_possible"}}))),
        ("unknown", says(404, json!({}))),
    ]
}

/// A trip that is over and paid, and ops return a part of it; how `first` is answered, and `later` every further call.
async fn attacked(first: &Outcome, later: &Outcome, done: bool) -> TestBridge {
    let bridge = TestBridge::start_trip(CAN).await;
    let mut before = departed();
    before["status"] = json!("COMPLETED");
    bridge.partners.always("erp.example", Outcome::Says(201, json!({"agency_booking_no": "YB-1"})));
    bridge.trip_is(event("e1", "booking.completed", 1, &before, json!({})), "accepted").await;
    let change = json!({"departed_on": "2026-11-21"});
    bridge.trip_is(event("e2", "booking.departed", 2, &departed(), change), "accepted").await;
    bridge.drain().await;
    bridge.partners.next(CALL, first.clone());
    bridge.partners.always(CALL, later.clone());
    bridge.partners.always(BOOKS, Outcome::Says(200, books(done)));
    let body = json!({"amount": AMOUNT, "reason": "the bus was late"});
    bridge.post(&format!("orders/{TRIP}:T1/return-payment"), &body).await.expect(200);
    for _ in 0..40 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(11));
    }
    bridge
}

/// The calls that were to return money.
fn told(bridge: &TestBridge) -> Vec<Sent> {
    bridge.partners.sent(CALL)
}

/// However often it was told: one name, one message.
fn assert_one_return(bridge: &TestBridge, name: &str) {
    let sent = told(bridge);
    let keys: BTreeSet<_> = sent.iter().map(|sent| sent.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys.len(), 1, "{name}: {} calls", sent.len());
    assert!(sent.iter().all(|again| again.body == sent[0].body), "{name}: one key stands for one message");
    assert!(sent.len() <= 12, "{name}: {} calls", sent.len());
}

/// Two rounds in which the marketplace's books are compared with ours.
async fn compare_twice(bridge: &TestBridge) -> Order {
    for _ in 0..2 {
        bridge.post("reconciliation", &json!({})).await.expect(200);
        bridge.drain().await;
    }
    bridge.tripped("T1").await
}

#[tokio::test]
async fn whatever_is_answered_when_it_was_done_the_money_is_counted_once() {
    for (name, answer) in answers() {
        for later in [&answer, &Outcome::Says(200, books(true))] {
            let bridge = attacked(&answer, later, true).await;
            let order = compare_twice(&bridge).await;
            assert_one_return(&bridge, name);
            assert_eq!(order.money.refunded(), AMOUNT, "{name}: {:?}", order.money.ledger);
            assert_eq!(order.money.refund_pending(), 0, "{name}: {:?}", order.money.ledger);
        }
    }
}

#[tokio::test]
async fn whatever_is_answered_when_nothing_was_done_a_person_hears_of_it() {
    for (name, answer) in answers() {
        let bridge = attacked(&answer, &answer, false).await;
        let order = compare_twice(&bridge).await;
        assert_one_return(&bridge, name);
        assert_eq!(order.money.refunded(), 0, "{name}: {:?}", order.money.ledger);
        assert!(!order.attention.is_empty(), "{name}: nothing went back, and nobody knows");
        // A person gives it another try, and this time it is done.
        let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
        let Some(id) = dead["items"][0]["id"].as_str() else { continue };
        bridge.partners.recover();
        bridge.partners.always(CALL, Outcome::Says(200, books(true)));
        bridge.partners.always(BOOKS, Outcome::Says(200, books(false)));
        bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.expect(200);
        for _ in 0..4 {
            bridge.drain().await;
            bridge.advance(Millis::minutes(11));
        }
        assert_one_return(&bridge, name);
        let order = bridge.tripped("T1").await;
        assert_eq!(order.money.refunded(), AMOUNT, "{name}: {:?}", order.money.ledger);
        assert!(order.attention.is_empty(), "{name}: {:?}", order.attention);
    }
}

#[tokio::test]
async fn two_who_return_the_same_at_once_return_it_once() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.partners.always("erp.example", Outcome::Says(201, json!({"agency_booking_no": "YB-1"})));
    let mut before = departed();
    before["status"] = json!("COMPLETED");
    bridge.trip_is(event("e1", "booking.completed", 1, &before, json!({})), "accepted").await;
    bridge.trip_is(event("e2", "booking.departed", 2, &departed(), json!({})), "accepted").await;
    bridge.drain().await;
    bridge.partners.always(CALL, Outcome::Says(202, json!({})));
    let (path, body) = (format!("orders/{TRIP}:T1/return-payment"), json!({"reason": "the bus was late"}));
    // All that is left; whoever comes second finds nothing left to return.
    let said = futures_util::future::join_all((0..4).map(|_| bridge.post(&path, &body))).await;
    let taken = said.iter().filter(|reply| reply.status == 200).count();
    bridge.drain().await;
    let sent = told(&bridge);
    let back: i64 = sent.iter().filter_map(|sent| sent.body["cancel_krw"].as_i64()).sum();
    assert_eq!((sent.len(), back), (1, 3_180_000), "{taken} were taken");
    let order = bridge.tripped("T1").await;
    assert_eq!(order.money.refund_pending(), 3_180_000, "{:?}", order.money.ledger);
}
