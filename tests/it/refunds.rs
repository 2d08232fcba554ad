// SPDX-License-Identifier: Apache-2.0

//! The refund matrix, row by row, through the channel's own calls.

use serde_json::{Value, json};
use ticketbridge::engine::{Incoming, Received};
use ticketbridge_core::message::ApplyRefund;
use ticketbridge_core::order::{RefundKind, RefundSource};
use ticketbridge_core::port::{Envelope, Inbound, Message};
use ticketbridge_core::{ChannelId, Command, Millis};

use crate::support::partners::Outcome;
use crate::support::{CHANNEL, TestBridge, douyin};

/// Douyin's words for our decision: approved, rejected, not yet.
const APPROVED: i64 = 1;
const REJECTED: i64 = 2;
const WAITS: i64 = 3;

async fn apply(bridge: &TestBridge, number: &str, key: &str, source: i64, fee: i64) -> Value {
    let body = douyin::refund_apply(number, key, source, fee, bridge.now());
    let answer = bridge.douyin("refund-apply", &body).await.expect(200).json();
    assert_eq!(answer["data"]["error_code"], 0, "{answer}");
    answer["data"].clone()
}

async fn refunded(bridge: &TestBridge, number: &str, key: &str, scene: i64) {
    let body = json!({
        "order_id": number, "biz_uniq_key": key, "refund_amount": 39_800, "refund_time_unix": bridge.now().seconds(),
        "refund_scene": scene,
    });
    let answer = bridge.douyin("refund-notify", &body).await.expect(200).json();
    assert_eq!(answer["data"]["error_code"], 0, "{answer}");
}

/// What our audits have told Douyin: 1 approved, 2 rejected.
fn audits(bridge: &TestBridge) -> Vec<Value> {
    bridge.partners.sent("/goodlife/v1/trip/refund/audit/").into_iter().map(|sent| sent.body).collect()
}

fn cancellations(bridge: &TestBridge) -> usize {
    bridge.partners.sent("/cancel").len()
}

/// The open case, as ops see it.
async fn case(bridge: &TestBridge, sale: &str) -> Value {
    bridge.order(sale).await["refund_case"].clone()
}

/// The example, with another rule for cancelling.
async fn with_cancellation(rule: &str) -> TestBridge {
    TestBridge::start_with(|files| {
        let products = files.get_mut("products/lakeside.toml").expect("the products");
        let before = "cancellation = { kind = \"until\", days_before = 1, at = \"18:00\" }";
        assert!(products.contains(before), "the example has changed");
        *products = products.replacen(before, &format!("cancellation = {rule}"), 1);
    })
    .await
}

#[tokio::test]
async fn not_booked_and_told_afterwards_is_recorded() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    refunded(&bridge, "V100", "B1", 1).await;
    let order = bridge.order("V100").await;
    assert_eq!((&order["state"], &order["payment"]["state"]), (&json!("cancelled"), &json!("refunded")), "{order}");
    assert_eq!(order["cancel_reason"], "refunded_before_use");
}

#[tokio::test]
async fn not_booked_and_asked_is_approved_at_once() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    assert_eq!(apply(&bridge, "V100", "B1", 101, 0).await["audit_refund_result"], APPROVED);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/bridge/").len(), 0, "the back-end never heard of it");
}

#[tokio::test]
async fn not_booked_and_expired_is_cancelled_for_that_reason() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    refunded(&bridge, "V100", "B1", 150).await;
    assert_eq!(bridge.order("V100").await["cancel_reason"], "expired");
}

/// An answer "not yet" that is asked for again later must not hold up a decision that was taken meanwhile.
#[tokio::test]
async fn an_application_that_comes_again_hears_what_was_decided_meanwhile() {
    let bridge = with_cancellation("{ kind = \"never\" }").await;
    bridge.ticketed("V100", "R100").await;
    let application = douyin::refund_apply("R100", "B1", 103, 700, bridge.now());
    let again = async || bridge.douyin("refund-apply", &application).await.expect(200).json()["data"].clone();
    assert_eq!(again().await["audit_refund_result"], WAITS);
    assert_eq!(again().await["audit_refund_result"], WAITS);
    let id = case(&bridge, "V100").await["id"].as_str().expect("an id").to_owned();
    bridge.post(&format!("refunds/{id}/reject"), &json!({ "reason": "not agreed" })).await.expect(200);
    assert_eq!(again().await["audit_refund_result"], REJECTED, "told or not, it is decided");
    bridge.drain().await;
    assert_eq!(again().await["audit_refund_result"], REJECTED);

    apply(&bridge, "R100", "B2", 103, 700).await;
    let id = case(&bridge, "V100").await["id"].as_str().expect("an id").to_owned();
    bridge.post(&format!("refunds/{id}/approve"), &json!({ "fee": 300 })).await.expect(200);
    assert_eq!(apply(&bridge, "R100", "B2", 103, 700).await["audit_refund_result"], WAITS, "not void yet");
    bridge.drain().await;
    let told = apply(&bridge, "R100", "B2", 103, 700).await;
    assert_eq!((&told["audit_refund_result"], &told["refund_fee_amount"]), (&json!(APPROVED), &json!(300)));
    assert_eq!(again().await["audit_refund_result"], REJECTED, "the first one stays as it was");
    assert_eq!(audits(&bridge).len(), 2, "nothing is decided twice");
}

/// An application that is taken, and whose answer never gets out: the program dies between its commit and the answer.
async fn applied_and_died(bridge: &TestBridge, number: &str, key: &str) {
    let engine = bridge.bridge.engine();
    let running = engine.running();
    let channel = running.registry.channel(&ChannelId::from(CHANNEL)).expect("the channel of the example");
    let endpoint = channel.channel.spec().endpoints.iter().find(|endpoint| endpoint.name == "refund-apply");
    let body = douyin::refund_apply(number, key, 101, 0, bridge.now()).to_string();
    let application = ApplyRefund {
        copies: None,
        target: number.into(),
        channel_ref: key.to_owned(),
        kind: RefundKind::Refund,
        source: RefundSource::Guest,
        source_code: Some(101),
        fee: 0,
        requested_at: bridge.now(),
    };
    let message = Message::Act(Box::new(Command::ApplyRefund(application)));
    let taken = engine.receive(Incoming {
        endpoint: *endpoint.expect("Douyin's call"),
        inbound: Inbound::Message(Envelope { key: format!("refund:{key}"), about: number.into(), message }),
        body: body.into(),
        traceparent: None,
        moment: engine.moment(),
        late: None,
        refusal: None,
        decided: ticketbridge::recorder::turns::Decided::default(),
        running: running.clone(),
        channel: channel.clone(),
    });
    assert!(matches!(taken.await, Ok(Received::Answered { .. })));
}

/// Douyin need not ask again, and would refund after 72 hours whatever we had decided (`adapters/douyin/README.md`).
#[tokio::test]
async fn a_decision_whose_answer_did_not_get_out_is_told_by_a_call() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    applied_and_died(&bridge, "V100", "B1").await;
    bridge.drain().await;
    assert_eq!(audits(&bridge).len(), 0, "it may still be on its way");
    let bridge = bridge.restart().await;
    bridge.advance(Millis::seconds(11));
    bridge.drain().await;
    let told = audits(&bridge);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["biz_uniq_key"], &told[0]["audit_result"]), (&json!("B1"), &json!(APPROVED)));
}

/// The ordinary case: the answer got out, and nothing is said twice.
#[tokio::test]
async fn a_decision_that_stands_in_the_answer_is_not_told_by_a_call() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    assert_eq!(apply(&bridge, "V100", "B1", 101, 0).await["audit_refund_result"], APPROVED);
    bridge.ticketed("V200", "R200").await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    bridge.post("orders/douyin-main:V200/redeem", &json!({ "at": "2026-12-01T09:00:00+08:00" })).await.expect(200);
    assert_eq!(apply(&bridge, "R200", "B2", 101, 0).await["audit_refund_result"], REJECTED);
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    assert_eq!(audits(&bridge).len(), 0);
}

#[tokio::test]
async fn a_payment_for_a_sale_that_was_cancelled_is_refused() {
    let bridge = TestBridge::start_with(|files| {
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel");
        *channel = channel.replacen("\"after_payment\" ", "\"before_payment\" ", 1);
    })
    .await;
    bridge.sell("V100").await;
    let off = json!({ "order_id": "V100", "cancel_type": 1, "cancel_order_time_unix": bridge.now().seconds() });
    bridge.douyin("cancel-notify", &off).await.expect(200);
    let paid = json!({ "order_id": "V100", "order_out_id": "x", "pay_time_unix": bridge.now().seconds() });
    let answer = bridge.douyin("pay-notify", &paid).await.expect(200).json();
    assert_eq!(answer["data"]["error_code"], 0, "{answer}");
    assert_eq!(answer["data"]["confirm_info"], json!({ "confirm_mode": 1, "confirm_result": 2 }));
    let order = bridge.order("V100").await;
    assert_eq!((&order["state"], &order["attention"]["kind"]), (&json!("cancelled"), &json!("unexpected_payment")));
}

/// A booking whose tickets do not come: the back-end works on it.
async fn late(bridge: &TestBridge) {
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.partners.next("/bridge/reservations", Outcome::Says(202, json!({ "state": "pending" })));
    // The first that fits is taken: a cancellation works, a look finds it still at work.
    bridge.partners.next("/cancel", Outcome::Says(200, json!({ "state": "cancelled" })));
    for _ in 0..12 {
        bridge.partners.next("/bridge/reservations/", Outcome::Says(200, json!({ "state": "pending" })));
    }
    bridge.drain().await;
    assert_eq!(bridge.issue_too_slow("R100", 2).await["data"]["result"], 0);
    bridge.advance(Millis::minutes(10));
    bridge.drain().await;
    let order = bridge.order("V100").await;
    assert_eq!(order["booking"]["ticketing"]["overdue"], true, "{order}");
}

async fn tickets_come(bridge: &TestBridge) {
    let booking = bridge.stored("V100").await.booking.expect("a booking").id;
    let tickets = json!([{ "code": "LATE-1", "kind": "code" }, { "code": "LATE-2", "kind": "code" }]);
    let issued = json!({
        "type": "reservation.issued", "reservation_id": booking, "occurred_at": "2026-11-21T10:11:00+08:00",
        "data": { "state": "issued", "tickets": tickets },
    });
    bridge.backend_event("gate", "evt-1", &issued).await.expect(200);
}

#[tokio::test]
async fn tickets_too_late_wait_for_a_person_who_hands_them_over_with_the_rejection() {
    let bridge = TestBridge::start().await;
    late(&bridge).await;
    assert_eq!(apply(&bridge, "R100", "B1", 301, 0).await["audit_refund_result"], WAITS);
    let id = case(&bridge, "V100").await["id"].as_str().expect("an id").to_owned();
    let path = format!("refunds/{id}/reject");
    bridge.post(&path, &json!({ "reason": "they are coming" })).await.problem(409, "tickets_missing");
    tickets_come(&bridge).await;
    bridge.post(&path, &json!({ "reason": "here they are" })).await.expect(200);
    bridge.drain().await;
    let told = audits(&bridge);
    assert_eq!((told.len(), &told[0]["audit_result"]), (1, &json!(REJECTED)), "{told:?}");
    assert!(told[0]["vouchers"].to_string().contains("LATE-1"), "the codes go with it: {told:?}");
    assert_eq!(bridge.order("V100").await["state"], "booked");
}

#[tokio::test]
async fn tickets_too_late_are_given_up_when_a_person_approves() {
    let bridge = TestBridge::start().await;
    late(&bridge).await;
    apply(&bridge, "R100", "B1", 301, 0).await;
    let id = case(&bridge, "V100").await["id"].as_str().expect("an id").to_owned();
    bridge.post(&format!("refunds/{id}/approve"), &json!({ "fee": 0 })).await.expect(200);
    bridge.drain().await;
    assert_eq!(cancellations(&bridge), 1, "what the back-end works on is cancelled first");
    assert_eq!(audits(&bridge).iter().map(|told| &told["audit_result"]).collect::<Vec<_>>(), [&json!(APPROVED)]);
    refunded(&bridge, "V100", "B1", 155).await;
    bridge.drain().await;
    assert_eq!(bridge.order("V100").await["payment"]["state"], "refunded");
}

#[tokio::test]
async fn inside_the_deadline_without_tickets_is_always_a_persons_decision() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    assert_eq!(apply(&bridge, "R100", "B1", 101, 0).await["audit_refund_result"], WAITS);
    bridge.drain().await;
    let case = case(&bridge, "V100").await;
    assert_eq!(case["state"], "under_review", "{case}");
    assert!(audits(&bridge).is_empty());
}

#[tokio::test]
async fn a_product_that_cannot_be_cancelled_leaves_customer_service_to_a_person() {
    let bridge = with_cancellation("{ kind = \"never\" }").await;
    bridge.ticketed("V100", "R100").await;
    assert_eq!(apply(&bridge, "R100", "B1", 103, 0).await["audit_refund_result"], WAITS);
    bridge.drain().await;
    assert_eq!((case(&bridge, "V100").await["state"].clone(), cancellations(&bridge)), (json!("under_review"), 0));
}

#[tokio::test]
async fn inside_the_rule_policy_approves_once_the_tickets_are_void() {
    for rule in ["{ kind = \"until\", days_before = 1, at = \"18:00\" }", "{ kind = \"anytime\" }"] {
        let bridge = with_cancellation(rule).await;
        bridge.ticketed("V100", "R100").await;
        bridge.partners.next("/cancel", Outcome::NotSent);
        assert_eq!(apply(&bridge, "R100", "B1", 101, 0).await["audit_refund_result"], WAITS, "{rule}");
        bridge.drain().await;
        assert!(audits(&bridge).is_empty(), "no approval before the tickets are void");
        bridge.advance(Millis::seconds(2));
        bridge.drain().await;
        let told = audits(&bridge);
        assert_eq!(
            (told.len(), &told[0]["audit_result"], cancellations(&bridge)),
            (1, &json!(APPROVED), 2),
            "{told:?}"
        );
        refunded(&bridge, "V100", "B1", 1).await;
        let order = bridge.order("V100").await;
        assert_eq!((&order["state"], &order["payment"]["state"]), (&json!("cancelled"), &json!("refunded")), "{order}");
    }
}

#[tokio::test]
async fn a_fee_below_the_rules_or_a_time_outside_it_is_a_persons_decision() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    // Within 48 hours of 24:00 of the visit day the rule takes 20 %: 7960 of 39800.
    bridge.set_time("2026-11-30T10:00:00+08:00");
    assert_eq!(apply(&bridge, "R100", "B1", 101, 7_959).await["audit_refund_result"], WAITS);
    bridge.drain().await;
    assert_eq!((case(&bridge, "V100").await["state"].clone(), cancellations(&bridge)), (json!("under_review"), 0));

    let other = TestBridge::start().await;
    other.ticketed("V100", "R100").await;
    other.set_time("2026-11-30T10:00:00+08:00");
    apply(&other, "R100", "B1", 101, 7_960).await;
    other.drain().await;
    assert_eq!(audits(&other)[0]["refund_fee_amount"], 7_960, "the fee that Douyin computed");

    let past = TestBridge::start().await;
    past.ticketed("V100", "R100").await;
    past.set_time("2026-11-30T18:00:01+08:00");
    apply(&past, "R100", "B1", 101, 39_800).await;
    past.drain().await;
    assert_eq!((case(&past, "V100").await["state"].clone(), cancellations(&past)), (json!("under_review"), 0));
}

#[tokio::test]
async fn what_was_redeemed_is_refused() {
    let bridge = TestBridge::start().await;
    let booking = bridge.ticketed("V100", "R100").await.booking.expect("a booking").id;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    let used = json!({
        "type": "ticket.redeemed", "reservation_id": booking, "occurred_at": "2026-12-01T08:59:00+08:00", "data": {},
    });
    bridge.backend_event("gate", "evt-1", &used).await.expect(200);
    assert_eq!(apply(&bridge, "R100", "B1", 101, 0).await["audit_refund_result"], REJECTED);
    bridge.drain().await;
    let order = bridge.order("V100").await;
    assert_eq!((&order["state"], &order["payment"]["state"]), (&json!("completed"), &json!("paid")), "{order}");
    assert_eq!(cancellations(&bridge), 0);
}

#[tokio::test]
async fn a_ticket_that_comes_after_the_refund_is_cancelled_and_never_shown() {
    let bridge = TestBridge::start().await;
    late(&bridge).await;
    let gone = json!({ "order_id": "R100", "cancel_type": 2, "cancel_order_time_unix": bridge.now().seconds() });
    bridge.douyin("cancel-notify", &gone).await.expect(200);
    refunded(&bridge, "V100", "B1", 155).await;
    tickets_come(&bridge).await;
    bridge.drain().await;
    assert!(cancellations(&bridge) >= 1);
    assert!(bridge.partners.sent("/goodlife/v1/fulfilment/create/callback/").is_empty(), "Douyin never sees it");
    assert_eq!(bridge.stored("V100").await.state, ticketbridge_core::order::OrderState::Cancelled);
}

#[tokio::test]
async fn a_back_end_that_refuses_to_cancel_leaves_the_refund_to_a_person() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.partners.next("/cancel", Outcome::Says(200, json!({ "state": "refused", "reason": "too late" })));
    apply(&bridge, "R100", "B1", 101, 0).await;
    bridge.drain().await;
    let order = bridge.order("V100").await;
    assert_eq!(order["refund_case"]["state"], "under_review", "{order}");
    assert!(audits(&bridge).is_empty() && !order["attention"].is_null(), "{order}");
}

/// A gate that answers a question with "issued", "pending" and "refused" only, as `adapters/ticketing_http/README.md` has it. The answer to the cancellation was
/// lost, once through a crash, and "refused" ended the delivery: the refund waited for ever.
#[tokio::test]
async fn a_cancellation_whose_answer_is_lost_is_sent_again_to_a_gate_that_then_says_refused() {
    let bridge = with_cancellation("{ kind = \"anytime\" }").await;
    bridge.ticketed("V100", "R100").await;
    bridge.partners.next("/cancel", Outcome::Interrupted);
    bridge
        .partners
        .next("/reservations/bkg_", Outcome::Says(200, json!({ "state": "refused", "reason": "cancelled" })));
    let application = douyin::refund_apply("R100", "B1", 101, 700, bridge.now());
    let asked = async || bridge.douyin("refund-apply", &application).await.expect(200).json()["data"].clone();
    assert_eq!(asked().await["audit_refund_result"], WAITS);
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    let told = bridge.partners.sent("/cancel");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].headers["idempotency-key"], told[1].headers["idempotency-key"]);
    assert_eq!(audits(&bridge).iter().map(|audit| &audit["audit_result"]).collect::<Vec<_>>(), [APPROVED]);
    assert_eq!(asked().await["audit_refund_result"], APPROVED);
}

/// The same gate works on the cancellation for a while, and the event that tells its end never comes.
#[tokio::test]
async fn a_cancellation_that_was_worked_on_is_asked_for_once_more_when_the_gate_says_refused() {
    let bridge = with_cancellation("{ kind = \"anytime\" }").await;
    bridge.ticketed("V100", "R100").await;
    bridge.partners.next("/cancel", Outcome::Says(200, json!({ "state": "pending" })));
    apply(&bridge, "R100", "B1", 101, 700).await;
    bridge.drain().await;
    assert_eq!(audits(&bridge).len(), 0);
    bridge
        .partners
        .next("/reservations/bkg_", Outcome::Says(200, json!({ "state": "refused", "reason": "cancelled" })));
    bridge.advance(Millis::seconds(31));
    bridge.drain().await;
    assert_eq!(cancellations(&bridge), 2);
    assert_eq!(audits(&bridge).iter().map(|audit| &audit["audit_result"]).collect::<Vec<_>>(), [APPROVED]);
}

/// However long a gate works on a cancellation, and whatever it says meanwhile: it is asked now and then, and not more and more often.
#[tokio::test]
async fn a_gate_that_never_ends_a_cancellation_is_asked_ever_more_seldom() {
    let refused = json!({ "state": "refused", "reason": "closed" });
    for stands in [None, Some(refused), Some(json!({ "state": "pending" }))] {
        let bridge = with_cancellation("{ kind = \"anytime\" }").await;
        bridge.ticketed("V100", "R100").await;
        for _ in 0..500 {
            bridge.partners.next("/cancel", Outcome::Says(200, json!({ "state": "pending" })));
            if let Some(stands) = &stands {
                bridge.partners.next("/reservations/bkg_", Outcome::Says(200, stands.clone()));
            }
        }
        apply(&bridge, "R100", "B1", 101, 700).await;
        let mut asked = Vec::new();
        for _ in 0..3 {
            for _ in 0..360 {
                bridge.drain().await;
                bridge.advance(Millis::seconds(10));
            }
            asked.push(bridge.partners.sent("/reservations/bkg_").len());
        }
        assert!(
            asked[2] - asked[1] <= 20,
            "{asked:?} calls after one, two, three hours to a gate that says {stands:?}"
        );
        assert_eq!(case(&bridge, "V100").await["state"], "under_review");
    }
}

/// The answer was lost, and Douyin has called the booking off and booked anew before it repeats the application.
#[tokio::test]
async fn a_rejection_is_repeated_with_its_vouchers_after_the_booking_was_replaced() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.advance(Millis::minutes(11));
    let late = douyin::refund_apply("V100", "K1", 301, 0, bridge.now());
    let first = bridge.douyin("refund-apply", &late).await.expect(200).json();
    assert_eq!(first["data"]["audit_refund_result"], REJECTED, "{first}");
    let off = json!({ "order_id": "R100", "cancel_type": 2, "cancel_order_time_unix": bridge.now().seconds() });
    bridge.douyin("cancel-notify", &off).await.expect(200);
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.book("R200", "V100", "2026-12-02").await;
    assert_eq!(bridge.douyin("refund-apply", &late).await.expect(200).json(), first);
}
