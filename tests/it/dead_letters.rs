// SPDX-License-Identifier: Apache-2.0

//! Dead letters of decisions are tried again by ops under the same key, and refused only where the order has moved on.

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::AttentionKind;

use crate::support::kakao::{CAN, KAKAO, event, reservation};
use crate::support::partners::{Outcome, Sent};
use crate::support::{TestBridge, tripstore};

/// The one delivery that is dead.
async fn dead_letter(bridge: &TestBridge, call: &str) -> String {
    for _ in 0..8 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
    }
    let items = bridge.get("deliveries?state=dead").await.expect(200).json()["items"].clone();
    assert_eq!((items.as_array().map(Vec::len), &items[0]["call"]), (Some(1), &json!(call)), "{items}");
    items[0]["id"].as_str().expect("an id").to_owned()
}

/// Has it tried again while `part` answers well; what was sent there, before and now.
async fn tried_again(bridge: &TestBridge, id: &str, part: &str) -> (Sent, Sent) {
    bridge.partners.recover();
    let before = bridge.partners.sent(part);
    bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.expect(200);
    bridge.drain().await;
    let after = bridge.partners.sent(part);
    assert_eq!(after.len(), before.len() + 1, "it is sent once more");
    let state = bridge.get("deliveries").await.expect(200).json()["items"]
        .as_array()
        .and_then(|items| items.iter().find(|item| item["id"] == id).cloned())
        .expect("the delivery");
    assert_eq!(state["state"], "delivered", "{state}");
    let pair = (before[before.len() - 1].clone(), after[after.len() - 1].clone());
    let key = |sent: &Sent| sent.headers.get("idempotency-key").cloned();
    assert_eq!(key(&pair.0), key(&pair.1), "under the same key");
    pair
}

fn refused() -> Outcome {
    Outcome::Says(422, json!({"error": {"code": "not_now"}}))
}

async fn kakao_asked(status: &str) -> TestBridge {
    let bridge = TestBridge::start_kakao(CAN).await;
    let (kind, by) = match status {
        "REQUESTED" => ("reservation.requested", json!({})),
        _ => ("reservation.confirmed", json!({"by": "AUTO"})),
    };
    bridge.kakao_is(event("e1", kind, 1, &reservation("R1", "pd_plain", status), by), "accepted").await;
    bridge.drain().await;
    bridge
}

async fn act(bridge: &TestBridge, name: &str, body: &Value) {
    bridge.post(&format!("orders/{KAKAO}:R1/{name}"), body).await.expect(200);
}

#[tokio::test]
async fn tickets_that_the_channel_did_not_take_are_offered_again() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.issue_too_slow("R100", 2).await;
    let part = "/goodlife/v1/fulfilment/create/callback/";
    bridge.partners.always(part, Outcome::Says(500, json!({})));
    let id = dead_letter(&bridge, "tickets_issued").await;
    let (before, after) = tried_again(&bridge, &id, part).await;
    assert_eq!(before.body["order_id"], after.body["order_id"]);
    assert_eq!(bridge.order("V100").await["attention"], Value::Null);
}

#[tokio::test]
async fn a_confirmation_and_a_decline_are_sent_again() {
    for (name, body, call, part) in [
        ("confirm", json!({}), "booking_accepted", "R1/confirm"),
        ("decline", json!({"reason": "no guide"}), "booking_declined", "R1/reject"),
    ] {
        let bridge = kakao_asked("REQUESTED").await;
        bridge.partners.always(part, refused());
        act(&bridge, name, &body).await;
        let id = dead_letter(&bridge, call).await;
        let (before, after) = tried_again(&bridge, &id, part).await;
        assert_eq!(before.body["reason_text"], after.body["reason_text"]);
    }
}

#[tokio::test]
async fn a_cancellation_is_asked_for_again_on_the_same_terms() {
    let bridge = kakao_asked("CONFIRMED").await;
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 93_000})));
    // The word stands in the call itself only, not in the quote before it.
    bridge.partners.always("guide is ill", refused());
    act(&bridge, "cancel", &json!({"reason": "guide is ill"})).await;
    let id = dead_letter(&bridge, "cancel_wanted").await;
    let (before, after) = tried_again(&bridge, &id, "R1/cancel").await;
    assert_eq!((&before.body["fee"], &before.body["refund_krw"]), (&after.body["fee"], &after.body["refund_krw"]));
}

#[tokio::test]
async fn money_is_returned_again_under_the_same_key() {
    let bridge = kakao_asked("CONFIRMED").await;
    let used = reservation("R1", "pd_plain", "USED");
    bridge.kakao_is(event("e2", "reservation.used", 2, &used, json!({"by": "CODE"})), "accepted").await;
    bridge.partners.always("/payments/", refused());
    act(&bridge, "return-payment", &json!({"amount": 500, "reason": "late start"})).await;
    let id = dead_letter(&bridge, "payment_return").await;
    assert_eq!(bridge.booked("R1").await.money.refund_pending(), 0);
    let (before, after) = tried_again(&bridge, &id, "/payments/").await;
    assert_eq!(before.body["cancel_krw"], after.body["cancel_krw"]);
    assert_eq!(bridge.booked("R1").await.money.refund_pending() + bridge.booked("R1").await.money.refunded(), 500);
    bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.problem(409, "already_delivered");
}

#[tokio::test]
async fn a_payment_link_is_asked_for_again_while_it_is_of_use() {
    for is_over in [false, true] {
        let bridge = TestBridge::start_trip(tripstore::CAN).await;
        let it = tripstore::trip("T1", "COMPLETED");
        bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &it, json!({})), "accepted").await;
        bridge.drain().await;
        bridge.partners.always("/payment-links", refused());
        bridge.post("orders/trip:T1/payment-links", &json!({})).await.expect(200);
        let id = dead_letter(&bridge, "payment_link").await;
        if is_over {
            bridge.advance(Millis::hours(24 * 60));
            let how = bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.problem(409, "no_longer_wanted");
            assert!(how.contains("send a new one"), "{how}");
            continue;
        }
        bridge.partners.recover();
        let made = json!({"link_id": "L1", "url": "https://pay.example/L1"});
        bridge.partners.next("/payment-links", Outcome::Says(201, made));
        tried_again(&bridge, &id, "/payment-links").await;
    }
}

#[tokio::test]
async fn what_the_order_has_left_behind_is_refused_with_how_it_stands_and_can_be_dropped() {
    let bridge = kakao_asked("REQUESTED").await;
    bridge.partners.always("R1/confirm", refused());
    act(&bridge, "confirm", &json!({})).await;
    let id = dead_letter(&bridge, "booking_accepted").await;
    let confirmed = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e2", "reservation.confirmed", 2, &confirmed, json!({"by": "MANAGER"})), "accepted").await;
    let how = bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.problem(409, "no_longer_wanted");
    assert!(how.contains("confirmed by now"), "{how}");
    bridge.post(&format!("deliveries/{id}/drop"), &json!({"reason": "done there"})).await.expect(200);
}

/// What the books of reconciliation say of deliveries that nobody has heard: by the names of the calls.
async fn never_told(bridge: &TestBridge) -> Vec<String> {
    let report = bridge.post("reconciliation", &json!({})).await.expect(200).json();
    let of_deliveries = |found: &&Value| found["theirs"] == "never told";
    let items = report["differences"].as_array().expect("a list").clone();
    items.iter().filter(of_deliveries).map(|found| found["ours"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The platform refuses to hear how the visit ended, and ops put that aside: it is a difference in every round, and the act itself, said
/// once more, tells it after all; said when it has been told, it is refused.
#[tokio::test]
async fn how_a_visit_ended_is_told_after_all_when_it_is_said_again() {
    for (name, call, part, code) in [
        ("redeem", "redeemed", "/R1/use", "already_redeemed"),
        ("no-show", "no_show", "/R1/no-show", "already_decided"),
    ] {
        let bridge = kakao_asked("CONFIRMED").await;
        bridge.set_time("2026-12-13T13:00:00+09:00");
        bridge.partners.always(part, refused());
        act(&bridge, name, &json!({})).await;
        let id = dead_letter(&bridge, call).await;
        let path = format!("orders/{KAKAO}:R1/{name}");
        let how = bridge.post(&path, &json!({})).await.problem(409, code);
        assert!(how.contains("retry that delivery"), "{how}");
        assert_eq!(never_told(&bridge).await, Vec::<String>::new(), "{call}: a flag stands for it");
        bridge.post(&format!("deliveries/{id}/drop"), &json!({"reason": "told by phone"})).await.expect(200);
        assert!(bridge.booked("R1").await.attention.is_empty(), "{call}");
        for _ in 0..2 {
            assert_eq!(never_told(&bridge).await, [format!("`{call}` is to be told")]);
        }
        let steps = bridge.get(&format!("orders/{KAKAO}:R1/next-steps")).await.expect(200).json();
        assert_eq!(steps["deliveries"][0]["id"], json!(id), "{steps}");
        bridge.partners.recover();
        let before = bridge.partners.sent(part).len();
        bridge.post(&path, &json!({})).await.expect(200);
        bridge.drain().await;
        assert_eq!(bridge.partners.sent(part).len(), before + 1, "{call}: it is told");
        bridge.post(&path, &json!({})).await.problem(409, code);
        assert_eq!(never_told(&bridge).await, Vec::<String>::new(), "{call}");
    }
}

/// Whatever was put aside can be had again as it was, whoever was to hear it.
#[tokio::test]
async fn a_delivery_that_was_taken_out_is_tried_again_while_the_order_wants_it() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.issue_too_slow("R100", 2).await;
    let part = "/goodlife/v1/fulfilment/create/callback/";
    bridge.partners.always(part, Outcome::Says(500, json!({})));
    let id = dead_letter(&bridge, "tickets_issued").await;
    bridge.post(&format!("deliveries/{id}/drop"), &json!({"reason": "read out by phone"})).await.expect(200);
    assert_eq!(never_told(&bridge).await, ["`tickets_issued` is to be told"]);
    tried_again(&bridge, &id, part).await;
    bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.problem(409, "already_delivered");
    assert_eq!(never_told(&bridge).await, Vec::<String>::new());
}

/// Taken out before it was tried to its end: the order does not wait for it any more, and both the act and the delivery can be had again.
#[tokio::test]
async fn an_order_does_not_wait_for_a_delivery_that_was_taken_out_under_way() {
    for (name, body, call, part) in [
        ("confirm", json!({}), "booking_accepted", "/R1/confirm"),
        ("decline", json!({"reason": "full"}), "booking_declined", "/R1/reject"),
    ] {
        let bridge = kakao_asked("REQUESTED").await;
        bridge.partners.always(part, Outcome::Says(500, json!({})));
        act(&bridge, name, &body).await;
        bridge.drain().await;
        let waiting = bridge.get("deliveries?state=pending").await.expect(200).json()["items"][0].clone();
        assert_eq!(waiting["call"], json!(call));
        let id = waiting["id"].as_str().expect("an id").to_owned();
        bridge.post(&format!("deliveries/{id}/drop"), &json!({"reason": "wrong booking"})).await.expect(200);
        let order = bridge.booked("R1").await;
        assert!(
            order.channel_state.as_ref().is_some_and(|state| state.proposal.is_none()),
            "{name}: nothing is asked for"
        );
        assert!(order.needs(AttentionKind::WaitsForConfirmation), "{name}: {:?}", order.attention);
        bridge.partners.recover();
        let before = bridge.partners.sent(part).len();
        act(&bridge, name, &body).await;
        bridge.drain().await;
        assert!(bridge.partners.sent(part).len() > before, "{name}: the act does something");
    }
    let bridge = TestBridge::start().await;
    bridge.post("backends/gate/pause", &json!({})).await.expect(200);
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let waiting = bridge.get("deliveries?state=pending").await.expect(200).json()["items"][0].clone();
    let id = waiting["id"].as_str().expect("an id").to_owned();
    bridge.post(&format!("deliveries/{id}/drop"), &json!({"reason": "by hand"})).await.expect(200);
    assert_eq!(bridge.order("V100").await["attention"]["kind"], json!("ticketing_failed"));
    bridge.post("backends/gate/resume", &json!({})).await.expect(200);
    bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/bridge/reservations").len(), 1);
}
