// SPDX-License-Identifier: Apache-2.0

//! What an order rests on where no delivery and no deadline moves it: at each kind of channel, and before a ticketing system that takes its time. Whoever
//! looks at an order is told whose turn it is, and the console says so in words.

use serde_json::{Value, json};
use ticketbridge_core::Millis;

use crate::octo;
use crate::octo_reseller::{KEY, UUID, call, reservation as resale, resold, sold};
use crate::support::kakao::{self, KAKAO, with_cancels};
use crate::support::tripstore::{self, TRIP, paid, trip};
use crate::support::{Ask, CHANNEL, TestBridge};

async fn waits(bridge: &TestBridge, order: &str) -> Vec<String> {
    let next = bridge.get(&format!("orders/{order}/next-steps")).await.expect(200).json();
    let words = next["waits"].as_array().unwrap_or_else(|| panic!("{next}"));
    words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

#[tokio::test]
async fn a_kakao_booking_waits_for_a_yes_for_its_tickets_for_the_platform_for_the_guest_and_for_his_money() {
    let bridge = TestBridge::start_kakao(kakao::CAN).await;
    let order = format!("{KAKAO}:R1");
    let asked = kakao::reservation("R1", "pd_manual", "REQUESTED");
    bridge.kakao_is(kakao::event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(waits(&bridge, &order).await, ["acceptance"]);
    bridge.post(&format!("orders/{order}/confirm"), &json!({})).await.expect(200);
    assert_eq!(waits(&bridge, &order).await, ["tickets"], "they are held before the platform hears of it");
    bridge.drain().await;
    assert_eq!(waits(&bridge, &order).await, ["agreement"], "the platform has heard of it, and has not agreed");
    let now = kakao::reservation("R1", "pd_manual", "CONFIRMED");
    bridge.kakao_is(kakao::event("e2", "reservation.confirmed", 2, &now, json!({"by": "MANAGER"})), "accepted").await;
    bridge.drain().await;
    assert_eq!(waits(&bridge, &order).await, ["visit"]);
    for (revision, status, rests_on) in [(3, "PENDING", "return"), (4, "FAILED", "return_by_hand")] {
        let cancels = [("pay_1", "cx_1", 90_000, status), ("pay_2", "cx_2", 3_000, "DONE")];
        let off = match revision {
            3 => kakao::cancelled("R1", "pd_manual", "BY_BOOKER", 0, &cancels),
            _ => with_cancels(kakao::cancelled("R1", "pd_manual", "BY_BOOKER", 0, &[]), &cancels),
        };
        let kind = if revision == 3 { "reservation.canceled" } else { "payment.refund_updated" };
        let change = if revision == 3 {
            json!({"by": "BOOKER"})
        } else {
            json!({"payment_id": "pay_1", "cancel_id": "cx_1", "amount_krw": 90_000, "kind": "WITH_BOOKING", "status": status})
        };
        bridge.kakao_is(kakao::event(&format!("e{revision}"), kind, revision, &off, change), "accepted").await;
        bridge.drain().await;
        assert_eq!(waits(&bridge, &order).await, [rests_on], "{status}");
    }
}

#[tokio::test]
async fn a_trip_waits_for_the_marketplace_for_the_balance_for_a_decision_and_rests_when_it_is_over() {
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let order = format!("{TRIP}:T1");
    let deposit = |status: &str| paid(trip("T1", status), "tp_1", "DEPOSIT", 300_000, None);
    let event = tripstore::event;
    bridge.trip_is(event("e1", "booking.received", 1, &deposit("RECEIVED"), json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(waits(&bridge, &order).await, ["payment", "acceptance"]);
    bridge.post(&format!("orders/{order}/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(waits(&bridge, &order).await, ["payment", "agreement"]);
    bridge.trip_is(event("e2", "booking.completed", 2, &deposit("COMPLETED"), json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(waits(&bridge, &order).await, ["payment", "visit"], "the balance is open");
    let change =
        json!({"requested_at": "2026-11-21T11:30:00+09:00", "from_status": "COMPLETED", "reason": "plans changed"});
    let wants = deposit("CANCEL_REQUESTED");
    bridge.trip_is(event("e3", "booking.cancel_requested", 3, &wants, change), "accepted").await;
    bridge.drain().await;
    assert_eq!(waits(&bridge, &order).await[0], "decision");
    // It can be approved by whoever says what is kept, which the marketplace leaves to the agency.
    let next = bridge.get(&format!("orders/{order}/next-steps")).await.expect(200).json();
    let approve = next["actions"].as_array().expect("acts").iter().find(|it| it["act"] == "approve").expect("approve");
    let said = ["allowed", "needs", "fee", "returns"].map(|field| approve[field].clone());
    assert_eq!(said, [json!(true), json!("fee"), json!(null), json!(null)], "{approve}");
    let call = approve["call"].as_str().expect("a call").trim_start_matches('/').to_owned();
    bridge.post(&call, &json!({})).await.problem(422, "fee_out_of_range");
    let off = tripstore::returned(deposit("CANCELED"), "tp_1", "cx", 300_000);
    bridge.trip_is(event("e4", "booking.canceled", 4, &off, json!({"by": "AGENCY"})), "accepted").await;
    bridge.drain().await;
    assert_eq!(waits(&bridge, &order).await, [""; 0]);
}

#[tokio::test]
async fn an_order_waits_for_a_supplier_until_that_has_made_its_tickets_or_refused_and_then_for_a_person() {
    for (says_yes, rests_on) in [(true, "visit"), (false, "tickets_by_hand")] {
        let bridge = octo::start("").await;
        let order = format!("{CHANNEL}:V100");
        // Somebody is asked there, and takes his time.
        octo::books(&bridge, |books| books.switches.instant_confirmation = false);
        octo::booked(&bridge).await;
        assert_eq!(waits(&bridge, &order).await, ["tickets"]);
        octo::pass(&bridge, 2, Millis::seconds(30)).await;
        assert_eq!(waits(&bridge, &order).await, ["tickets"]);
        octo::books(&bridge, |books| books.decide(says_yes));
        octo::pass(&bridge, 2, Millis::seconds(30)).await;
        assert_eq!(waits(&bridge, &order).await, [rests_on]);
    }
}

#[tokio::test]
async fn what_is_held_for_a_reseller_waits_for_its_sale_and_then_for_the_guest() {
    let bridge = TestBridge::start_with(resold).await;
    let order = format!("acme:{UUID}");
    let post = async |path: &str, body: &Value| {
        let ask = Ask::new(http::Method::POST, format!("/octo/{path}")).token(KEY);
        call(&bridge, ask.header("octo-capabilities", "").json(body)).await.expect(200)
    };
    post("bookings", &resale(UUID, "DAY", 1)).await;
    bridge.drain().await;
    let said = waits(&bridge, &order).await;
    assert!(said.contains(&"sale".to_owned()) && !said.contains(&"acceptance".to_owned()), "{said:?}");
    post(&format!("bookings/{UUID}/confirm"), &sold()).await;
    bridge.drain().await;
    assert_eq!(waits(&bridge, &order).await, ["visit"]);
}
