// SPDX-License-Identifier: Apache-2.0

//! Money that was to go back and did not, returns that cross others, and cancellations that meet a guest's entry, from outside, on both kinds
//! of channels that tell their orders whole.

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, Order, OrderState};

use crate::support::partners::Outcome;
use crate::support::tripstore::{TRIP, kind, paid, returned, trip};
use crate::support::{TestBridge, kakao, tripstore};

/// A booking of 3,180,000 won, paid at once.
fn full(status: &str) -> Value {
    paid(kind(trip("T1", status), "FULL"), "tp_1", "FULL", 3_180_000, None)
}

/// The same, cancelled, with its return this far; `paid_krw` counts what is done.
fn off(status: &str) -> Value {
    let mut it = full("CANCELED");
    let done = status == "DONE";
    it["payments"][0]["cancels"] = json!([{ "cancel_id": "cx_1", "amount_krw": 3_080_000, "kind": "WITH_BOOKING",
        "status": status, "done_at": done.then_some("2026-11-22T11:00:00+09:00") }]);
    let held = if done { 100_000 } else { 3_180_000 };
    it["amounts"]["paid_krw"] = json!(held);
    it["amounts"]["outstanding_krw"] = json!(3_180_000 - held);
    it
}

fn stands(order: &Order) -> (OrderState, PaymentState, i64, i64) {
    (order.state, order.payment(), order.money.fee(), order.open_failures())
}

async fn next_steps(bridge: &TestBridge, order: &str) -> Value {
    bridge.get(&format!("orders/{order}/next-steps")).await.expect(200).json()
}

fn allowed(steps: &Value, act: &str) -> bool {
    let actions = steps["actions"].as_array().expect("actions");
    actions.iter().any(|it| it["act"] == act && it["allowed"] == true)
}

async fn is_listed(bridge: &TestBridge, number: &str) -> bool {
    let listed = bridge.get("orders?waiting=true").await.expect(200).json();
    listed["items"].as_array().expect("items").iter().any(|it| it["channel_order_id"] == number)
}

/// It was booked as a fee of everything, waited for nothing, and was listed nowhere.
#[tokio::test]
async fn a_return_of_a_cancelled_trip_that_fails_is_shown_and_made_again() {
    for first in ["answer", "event", "by the marketplace"] {
        let bridge = TestBridge::start_trip(tripstore::CAN).await;
        bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &full("COMPLETED"), json!({})), "accepted").await;
        if first == "by the marketplace" {
            let named =
                json!({"canceled_at": "2026-11-22T10:00:00+09:00", "fee_krw": 100_000, "refund_krw": 3_080_000});
            bridge.trip_is(tripstore::event("e3", "booking.canceled", 3, &off("PENDING"), named), "accepted").await;
        } else {
            let change = json!({"from_status": "COMPLETED"});
            let wants = tripstore::event("e2", "booking.cancel_requested", 2, &full("CANCEL_REQUESTED"), change);
            bridge.trip_is(wants, "accepted").await;
            let case = bridge.tripped("T1").await.refund_case.expect("a case");
            let said = off(if first == "answer" { "FAILED" } else { "PENDING" });
            bridge.partners.next("/T1/cancel", Outcome::Says(200, json!({"booking": said, "revision": 3})));
            bridge.post(&format!("refunds/{}/approve", case.id), &json!({"fee": 100_000})).await.expect(200);
            bridge.drain().await;
        }
        if first != "answer" {
            let order = bridge.tripped("T1").await;
            assert_eq!(stands(&order), (OrderState::Cancelled, PaymentState::RefundPending, 100_000, 0), "{first}");
            // The event says it; the booking beside it is a step behind.
            let change = json!({"cancel": {"payment_id": "tp_1", "cancel_id": "cx_1", "amount_krw": 3_080_000, "status": "FAILED"}});
            let told = tripstore::event("e4", "payment.canceled", 4, &off("PENDING"), change);
            bridge.trip_is(told, "accepted").await;
        }
        let order = bridge.tripped("T1").await;
        let failed = (OrderState::Cancelled, PaymentState::RefundFailed, 100_000, 3_080_000);
        assert_eq!(stands(&order), failed, "{first}");
        assert!(order.needs(AttentionKind::RefundFailed), "{first}: {:?}", order.attention);
        assert!(is_listed(&bridge, "T1").await, "{first}");
        let steps = next_steps(&bridge, &format!("{TRIP}:T1")).await;
        assert_eq!(steps["waits"], json!(["return_by_hand"]), "{first}");
        assert!(allowed(&steps, "return-payment"), "{first}: {steps}");
        bridge.advance(Millis::minutes(1));
        let again = json!({"amount": 3_080_000, "reason": "the card was closed"});
        bridge.post(&format!("orders/{TRIP}:T1/return-payment"), &again).await.expect(200);
        // It fails once more: that is the same money, and no more of it.
        let mut twice = off("FAILED");
        let cancels = twice["payments"][0]["cancels"].as_array_mut().expect("cancels");
        let mut second = cancels[0].clone();
        second["cancel_id"] = json!("cx_2");
        cancels.push(second);
        bridge.partners.next("/payments/tp_1/cancel", Outcome::Says(200, json!({"booking": twice, "revision": 5})));
        bridge.drain().await;
        assert_eq!(stands(&bridge.tripped("T1").await), failed, "{first}");
        bridge.advance(Millis::minutes(1));
        bridge.post(&format!("orders/{TRIP}:T1/return-payment"), &again).await.expect(200);
        let both = returned(twice, "tp_1", "cx_3", 3_080_000);
        bridge.partners.next("/payments/tp_1/cancel", Outcome::Says(200, json!({"booking": both, "revision": 6})));
        bridge.drain().await;
        let order = bridge.tripped("T1").await;
        let done = (OrderState::Cancelled, PaymentState::PartiallyRefunded, 100_000, 0);
        assert_eq!((stands(&order), order.attention), (done, Vec::new()), "{first}");
    }
}

/// The second call had the first one's lock, and every retry after it.
#[tokio::test]
async fn a_return_that_crosses_another_one_builds_on_what_is_left_then() {
    let trip_used = || {
        let mut it = full("DEPARTED");
        it["departure_date"] = json!("2026-11-21");
        it["return_date"] = json!("2026-11-25");
        it
    };
    for is_kakao in [true, false] {
        for retried in [false, true] {
            let (bridge, path, payment) = if is_kakao {
                let bridge = TestBridge::start_kakao(kakao::CAN).await;
                let used = kakao::reservation("R1", "pd_plain", "USED");
                bridge.kakao_is(kakao::event("e1", "reservation.confirmed", 1, &used, json!({})), "accepted").await;
                (bridge, format!("orders/{}:R1/return-payment", kakao::KAKAO), "/payments/pay_1/cancel")
            } else {
                let bridge = TestBridge::start_trip(tripstore::CAN).await;
                let departed = tripstore::event("e1", "booking.completed", 1, &trip_used(), json!({}));
                bridge.trip_is(departed, "accepted").await;
                (bridge, format!("orders/{TRIP}:T1/return-payment"), "/payments/tp_1/cancel")
            };
            let now = match is_kakao {
                true => json!({"reservation": kakao::with_cancels(kakao::reservation("R1", "pd_plain", "USED"),
                    &[("pay_1", "cx_1", 20_000, "DONE")]), "revision": 2}),
                false => json!({"booking": returned(trip_used(), "tp_1", "cx_1", 20_000), "revision": 2}),
            };
            let mut conflict = json!({"error": {"code": "revision_conflict"}});
            if !retried {
                conflict.as_object_mut().expect("an object").extend(now.as_object().expect("an object").clone());
            }
            bridge.partners.next(payment, Outcome::Says(409, conflict));
            bridge.post(&path, &json!({"amount": 50_000, "reason": "late start"})).await.expect(200);
            bridge.drain().await;
            if retried {
                let told = if is_kakao {
                    let event = kakao::event("e2", "payment.canceled", 2, &now["reservation"], json!({}));
                    bridge.kakao_is(event, "accepted").await
                } else {
                    let event = tripstore::event("e2", "payment.canceled", 2, &now["booking"], json!({}));
                    bridge.trip_is(event, "accepted").await
                };
                assert!(told.is_object());
                let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
                let id = dead["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{dead}")).to_owned();
                bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.expect(200);
                bridge.drain().await;
            }
            let sent = bridge.partners.sent(payment);
            let locks: Vec<_> = sent.iter().map(|call| call.body["expect_cancelable_krw"].clone()).collect();
            let first = if is_kakao { 90_000 } else { 3_180_000 };
            assert_eq!(locks, [json!(first), json!(first - 20_000)], "kakao {is_kakao}, retried {retried}");
        }
    }
}

/// More than is left by now is not asked for: it is a dead letter that says so.
#[tokio::test]
async fn a_return_of_more_than_another_one_has_left_is_shown() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(kakao::CAN).await;
    let used = kakao::reservation("R1", "pd_plain", "USED");
    bridge.kakao_is(kakao::event("e1", "reservation.confirmed", 1, &used, json!({})), "accepted").await;
    let now = kakao::with_cancels(used, &[("pay_1", "cx_1", 60_000, "DONE")]);
    let conflict = json!({"error": {"code": "revision_conflict"}, "reservation": now, "revision": 2});
    bridge.partners.next("/payments/pay_1/cancel", Outcome::Says(409, conflict));
    let path = format!("orders/{}:R1/return-payment", kakao::KAKAO);
    bridge.post(&path, &json!({"amount": 50_000, "reason": "late start"})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/payments/pay_1/cancel").len(), 1);
    let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
    let why = dead["items"][0]["last_error"].as_str().unwrap_or_else(|| panic!("{dead}"));
    assert!(why.contains("less is left than was to go back"), "{why}");
    let order = bridge.booked("R1").await;
    assert!(order.needs(AttentionKind::NotificationRefused), "{:?}", order.attention);
    assert_eq!((order.money.refunded(), order.money.refund_pending()), (60_000, 0));
}

/// A reservation of three units that may be cancelled in part, of which so many have been used.
fn used_in_part(used: u32) -> Value {
    let mut it = kakao::reservation("R1", "pd_auto", "CONFIRMED");
    it["cancel_policy"]["partial_allowed"] = json!(true);
    it["lines"][0]["used_quantity"] = json!(used);
    it
}

/// The used unit was cancelled with the others, for a fee of all of them.
#[tokio::test]
async fn a_whole_cancellation_that_meets_an_entry_is_of_the_units_that_are_left() {
    for crosses in [true, false] {
        let bridge = TestBridge::start_kakao(&format!("{}, \"partial_cancel\"", kakao::CAN)).await;
        bridge
            .kakao_is(
                kakao::event("e1", "reservation.confirmed", 1, &used_in_part(0), json!({"by": "AUTO"})),
                "accepted",
            )
            .await;
        bridge.drain().await;
        bridge.set_time("2026-12-13T10:30:00+09:00");
        let whole = Outcome::Says(200, json!({"fee_krw": 9_300, "refund_krw": 83_700}));
        let rest = Outcome::Says(200, json!({"fee_krw": 5_700, "refund_krw": 51_239}));
        if crosses {
            bridge.partners.next("/cancel-quote", whole);
            bridge.partners.next("/cancel-quote", rest);
            let now = json!({"error": {"code": "revision_conflict"}, "reservation": used_in_part(1), "revision": 2});
            bridge.partners.next("R1/cancel", Outcome::Says(409, now));
        } else {
            bridge.partners.next("/cancel-quote", rest.clone());
            bridge.partners.next("/cancel-quote", rest);
            let told = json!({"reservation": used_in_part(1), "revision": 2});
            bridge.partners.next("R1/use", Outcome::Says(200, told));
            bridge.post(&format!("channels/{}/pause", kakao::KAKAO), &json!({})).await.expect(200);
        }
        let path = format!("orders/{}:R1/cancel", kakao::KAKAO);
        bridge.post(&path, &json!({"reason": "storm"})).await.expect(200);
        if !crosses {
            let booking = bridge.booked("R1").await.booking.expect("a booking");
            let used = json!({"type": "ticket.redeemed", "reservation_id": booking.id,
                "occurred_at": "2026-12-13T10:20:00+09:00", "data": {"used": 1}});
            bridge.backend_event("gate", "g1", &used).await.expect(200);
            bridge.post(&format!("channels/{}/resume", kakao::KAKAO), &json!({})).await.expect(200);
        }
        let mut done = used_in_part(1);
        done["lines"][0]["canceled_quantity"] = json!(1);
        done["lines"][1]["canceled_quantity"] = json!(1);
        done["amounts"]["fee_krw"] = json!(5_700);
        let done = kakao::with_cancels(done, &[("pay_1", "cx_1", 51_239, "DONE")]);
        bridge.partners.next("R1/cancel", Outcome::Says(200, json!({"reservation": done, "revision": 4})));
        bridge.drain().await;
        let calls = bridge.partners.sent("R1/cancel");
        let call = calls.iter().rfind(|call| call.method == "POST").expect("a call");
        let units = json!([{"detail_no": "D1", "quantity": 1}, {"detail_no": "D2", "quantity": 1}]);
        assert_eq!(call.body["lines"], units, "crosses {crosses}");
        assert_eq!((&call.body["fee"]["amount_krw"], &call.body["refund_krw"]), (&json!(5_700), &json!(51_239)));
        let order = bridge.booked("R1").await;
        assert_eq!((order.state, order.money.fee()), (OrderState::Booked, 5_700), "crosses {crosses}");
        assert!(order.channel_state.expect("told whole").proposal.is_none());
    }
}
