// SPDX-License-Identifier: Apache-2.0

//! What was found from outside: partners that say what is not so, the path after an error, and what strangers leave behind.

use http::Method;
use serde_json::{Value, json};
use ticketbridge::housekeeping::reconcile::{Scope, reconcile};
use ticketbridge_core::Millis;
use ticketbridge_store::test_support::everything_kept;

use crate::support::partners::Outcome;
use crate::support::{Ask, CHANNEL, TestBridge, douyin, leaves_work, on_each_database};

/// A ticketed order for which the guest asks for the money, inside the rule: policy approves once the tickets are void.
async fn asked_back(bridge: &TestBridge) {
    bridge.ticketed("V100", "R100").await;
    let body = douyin::refund_apply("R100", "B1", 101, 0, bridge.now());
    let answer = bridge.douyin("refund-apply", &body).await.expect(200).json();
    assert_eq!(answer["data"]["audit_refund_result"], 3, "{answer}");
}

fn audits(bridge: &TestBridge) -> Vec<Value> {
    let sent = bridge.partners.sent("/goodlife/v1/trip/refund/audit/");
    sent.into_iter().map(|sent| sent.body["audit_result"].clone()).collect()
}

async fn later(bridge: &TestBridge) {
    for _ in 0..8 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
    }
}

/// The gate has refused to be reached until the cancellation was a dead letter; the case, and the dead letter.
async fn given_up(bridge: &TestBridge) -> (String, String) {
    bridge.partners.always("/cancel", Outcome::Says(500, json!({})));
    asked_back(bridge).await;
    later(bridge).await;
    let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
    let letter = dead["items"][0]["id"].as_str().expect("a dead letter").to_owned();
    let order = bridge.order("V100").await;
    assert_eq!(order["attention"]["kind"], "cancel_refused", "{order}");
    bridge.partners.recover();
    (order["refund_case"]["id"].as_str().expect("a case").to_owned(), letter)
}

#[tokio::test]
async fn approving_asks_again_for_a_cancellation_that_was_given_up() {
    for dropped in [false, true] {
        let bridge = TestBridge::start().await;
        let (case, letter) = given_up(&bridge).await;
        if dropped {
            bridge.post(&format!("deliveries/{letter}/drop"), &json!({"reason": "later"})).await.expect(200);
        }
        let before = bridge.partners.sent("/cancel").len();
        bridge.post(&format!("refunds/{case}/approve"), &json!({"fee": 0})).await.expect(200);
        bridge.drain().await;
        assert_eq!(bridge.partners.sent("/cancel").len(), before + 1, "the gate is asked again");
        let order = bridge.order("V100").await;
        assert_eq!(order["refund_case"]["state"], "approved", "{order}");
        assert_eq!((order["attention"].clone(), audits(&bridge)), (Value::Null, vec![json!(1)]));
    }
}

#[tokio::test]
async fn a_refund_whose_cancellation_was_given_up_can_be_rejected_and_the_tickets_stand() {
    for dropped in [false, true] {
        let bridge = TestBridge::start().await;
        let (case, letter) = given_up(&bridge).await;
        if dropped {
            bridge.post(&format!("deliveries/{letter}/drop"), &json!({"reason": "later"})).await.expect(200);
        }
        bridge.post(&format!("refunds/{case}/reject"), &json!({"reason": "too late"})).await.expect(200);
        bridge.drain().await;
        let order = bridge.order("V100").await;
        assert_eq!(order["booking"]["ticketing"]["state"], "issued", "{order}");
        assert_eq!((order["attention"].clone(), audits(&bridge)), (Value::Null, vec![json!(2)]));
        let reads = bridge.partners.sent("/bridge/reservations/").into_iter().filter(|sent| sent.method == Method::GET);
        assert!(reads.count() > 0, "the gate is asked whether they do");
    }
}

#[tokio::test]
async fn not_to_be_found_is_no_cancellation_while_the_gate_holds_the_tickets() {
    let bridge = TestBridge::start().await;
    bridge.partners.always("/cancel", Outcome::Says(404, json!({})));
    asked_back(&bridge).await;
    later(&bridge).await;
    let order = bridge.order("V100").await;
    assert_eq!(order["refund_case"]["state"], "under_review", "{order}");
    assert_eq!(order["booking"]["ticketing"]["state"], "cancelling", "{order}");
    assert!(audits(&bridge).is_empty() && order["attention"] != Value::Null, "{order}");
}

#[tokio::test]
async fn tickets_that_were_called_void_and_are_not_are_shown_within_one_round() {
    let bridge = TestBridge::start().await;
    bridge.partners.always("/cancel", Outcome::Says(200, json!({"state": "cancelled"})));
    asked_back(&bridge).await;
    bridge.drain().await;
    let order = bridge.order("V100").await;
    assert_eq!((&order["refund_case"]["state"], &order["attention"]), (&json!("approved"), &Value::Null), "{order}");
    let report = reconcile(bridge.bridge.worker(), Scope::Open(None)).await.expect("a round");
    assert!(report.differences.iter().any(|found| found.field == "ticketing"), "{:?}", report.differences);
    let order = bridge.order("V100").await;
    assert_eq!(order["attention"]["kind"], "contradiction", "{order}");
    // A gate that did what it said is asked, and nothing is shown.
    let honest = TestBridge::start().await;
    asked_back(&honest).await;
    honest.drain().await;
    let report = reconcile(honest.bridge.worker(), Scope::Open(None)).await.expect("a round");
    assert!(report.differences.iter().all(|found| found.field != "ticketing"), "{:?}", report.differences);
    assert_eq!(honest.order("V100").await["attention"], Value::Null);
}

#[tokio::test]
async fn an_answer_about_another_order_or_visit_is_none() {
    for other in [json!({"order_id": "ord_other"}), json!({"visit_date": "2030-01-01"}), json!({"quantity": 9})] {
        let bridge = TestBridge::start().await;
        let mut said = json!({"state": "issued", "tickets": [{"code": "OF-ANOTHER"}]});
        said.as_object_mut().expect("an object").extend(other.as_object().expect("an object").clone());
        bridge.partners.next("/bridge/reservations", Outcome::Says(201, said));
        bridge.sell("V100").await;
        bridge.book("R100", "V100", "2026-12-01").await;
        bridge.drain().await;
        let order = bridge.order("V100").await;
        assert_eq!(order["booking"]["ticketing"]["tickets"], json!([]), "{other}: {order}");
        assert_eq!(order["attention"]["kind"], "answer_astray", "{other}: {order}");
        later(&bridge).await;
        let order = bridge.order("V100").await;
        assert_eq!(order["booking"]["ticketing"]["state"], "issued", "{other}: {order}");
        assert_eq!(order["attention"], Value::Null, "{other}: {order}");
    }
}

#[tokio::test]
async fn what_people_give_as_a_reason_names_no_guest_wherever_it_is_kept_and_after_erasure() {
    // Reasons are kept whatever becomes of what they were given for.
    leaves_work();
    let bridge = TestBridge::start().await;
    bridge.partners.always("/bridge/reservations", Outcome::Says(500, json!({})));
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    later(&bridge).await;
    later(&bridge).await;
    let visitor = bridge.stored("V100").await.booking.expect("a booking").visitors[0].clone();
    let (name, phone) = (visitor.name.expect("a name"), visitor.phone.expect("a phone"));
    let reason = format!("{} has called from {}", name.reveal(), phone.reveal());
    let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
    let letter = dead["items"][0]["id"].as_str().expect("a dead letter").to_owned();
    bridge.post(&format!("deliveries/{letter}/drop"), &json!({"reason": reason})).await.expect(200);
    bridge.post(&format!("orders/{CHANNEL}:V100/reveal"), &json!({"reason": reason})).await.expect(200);
    let back = json!({
        "order_id": "V100", "biz_uniq_key": "B1", "refund_amount": 39_800, "refund_time_unix": bridge.now().seconds(),
        "refund_scene": 1,
    });
    for erased in [false, true] {
        if erased {
            bridge.douyin("refund-notify", &back).await.expect(200);
            bridge.drain().await;
            let wish = json!({"phone": phone.reveal(), "reason": reason});
            let done = bridge.post("guests/erase", &wish).await.expect(200).json();
            assert_eq!(done["kept"], json!([]), "{done}");
        }
        for path in ["deliveries", "audit", &format!("orders/{CHANNEL}:V100/events")] {
            let shown = bridge.get(path).await.expect(200).text();
            assert!(!shown.contains(name.reveal()) && !shown.contains(phone.reveal()), "{path}: {shown}");
        }
        for (place, kept) in everything_kept(bridge.bridge.engine().store()).await {
            assert!(!kept.contains(name.reveal()) && !kept.contains(phone.reveal()), "{place}: {kept}");
        }
    }
}

/// The rows that unknown calls have left.
async fn traces(bridge: &TestBridge) -> Vec<Value> {
    let inbox = bridge.get("inbox?verdict=unknown_call").await.expect(200).json();
    inbox["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn calls_that_nobody_answers_leave_few_traces_that_ops_see() {
    on_each_database(
        |_| {},
        async |bridge| {
            let sale = douyin::sale("V100", 2, bridge.now());
            for n in 0..30 {
                // Nobody has signed these; the addresses are all different.
                for path in [format!("/channels/{CHANNEL}/guess-{n}"), format!("/backends/gate/guess/{n}")] {
                    bridge.ask(Ask::new(Method::POST, path).json(&sale)).await.problem(404, "unknown_call");
                }
            }
            for name in ["v3-create-order", "v3-create-order", "spi/create-order", "v3-refund"] {
                bridge.ask(bridge.signed(name, &sale)).await.problem(404, "unknown_call");
                bridge.advance(Millis::minutes(2));
            }
            let traces = traces(bridge).await;
            let count = |channel: &str, key: &str| {
                let is_one = |row: &&Value| {
                    row["channel"] == channel && row["key"].as_str().is_some_and(|own| own.contains(key))
                };
                traces.iter().filter(is_one).count()
            };
            assert_eq!(count(CHANNEL, ":unsigned:"), 1, "{traces:?}");
            assert_eq!(count("gate", ":unsigned:"), 1, "{traces:?}");
            assert_eq!(count(CHANNEL, ":signed:"), 3, "each name once: {traces:?}");
            assert_eq!(traces.len(), 5, "{traces:?}");
            let id = traces[0]["id"].as_str().expect("an id");
            bridge.post(&format!("inbox/{id}/replay"), &json!({})).await.problem(409, "not_replayable");
        },
    )
    .await;
}

/// The same call, signed so long before it arrives.
async fn arrives_late(bridge: &TestBridge, call: &str, body: &Value, by: Millis) -> Value {
    let ask = douyin::signed(&format!("/channels/{CHANNEL}/{call}"), body, bridge.now() - by);
    bridge.ask(ask).await.expect(200).json()
}

#[tokio::test]
async fn a_sale_or_a_refund_that_arrives_late_is_shown() {
    let bridge = TestBridge::start().await;
    for (number, by, is_late) in [("V100", 14, false), ("V200", 16, true)] {
        let sale = douyin::sale(number, 2, bridge.now());
        let answer = arrives_late(&bridge, "create-order", &sale, Millis::minutes(by)).await;
        assert_eq!(answer["data"]["error_code"], 0, "{answer}");
        let order = bridge.order(number).await;
        assert_eq!(order["attention"]["kind"] == "arrived_late", is_late, "{order}");
        // Repeats say nothing new.
        let version = bridge.stored(number).await.version;
        arrives_late(&bridge, "create-order", &sale, Millis::hours(1)).await;
        assert_eq!(bridge.stored(number).await.version, version);
    }
    let sentence = bridge.order("V200").await["attention"]["sentence"].to_string();
    assert!(sentence.contains("create-order was sent 16 minutes before"), "{sentence}");
    bridge.ticketed("V300", "R300").await;
    let body = douyin::refund_apply("R300", "B1", 101, 0, bridge.now());
    arrives_late(&bridge, "refund-apply", &body, Millis::hours(5)).await;
    let order = bridge.stored("V300").await;
    assert!(order.needs(ticketbridge_core::order::AttentionKind::ArrivedLate), "{:?}", order.attention);
    let counted = bridge.ask(Ask::new(Method::GET, "/metrics")).await.expect(200).text();
    assert!(
        counted.contains("ticketbridge_late_calls_total{channel=\"douyin-main\",call=\"create-order\"}"),
        "{counted}"
    );
    bridge.drain().await;
}

#[tokio::test]
async fn a_decision_of_the_console_that_cannot_be_read_is_shown() {
    let bridge = TestBridge::start().await;
    let entries = [
        ("V100", json!({ "certificate_id": "1", "audit_result": 3 })),
        ("V200", json!({ "certificate_id": "1", "audit_result": 0 })),
        ("V300", json!({ "certificate_id": "1", "audit_result": {"is": "agreed"} })),
    ];
    for (number, entry) in entries {
        bridge.sell(number).await;
        let body = json!({ "order_id": number, "after_sale_id": "S1", "after_sale_type": 1, "notice_list": [entry] });
        let answer = bridge.douyin("info-sync", &body).await.expect(200).json();
        assert_eq!(answer["data"]["error_code"], 0, "{answer}");
        let order = bridge.order(number).await;
        assert_eq!(
            (&order["state"], &order["attention"]["kind"]),
            (&json!("awaiting_booking"), &json!("contradiction")),
            "{order}"
        );
    }
    // A time or a number as text is the same as without quotes.
    bridge.sell("V400").await;
    let agreed =
        json!({ "certificate_id": "1", "audit_result": "1", "audit_time": bridge.now().seconds().to_string() });
    let body = json!({ "order_id": "V400", "after_sale_id": "S1", "after_sale_type": 1, "notice_list": [agreed] });
    bridge.douyin("info-sync", &body).await.expect(200);
    let order = bridge.order("V400").await;
    assert_eq!((&order["state"], &order["attention"]), (&json!("cancelled"), &Value::Null), "{order}");
}

#[tokio::test]
async fn a_request_from_the_end_of_time_is_due_like_one_of_today() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let mut body = douyin::refund_apply("R100", "B1", 101, 0, bridge.now());
    body["apply_refund_time_unix"] = json!(253_402_300_799_i64);
    bridge.douyin("refund-apply", &body).await.expect(200);
    let case = bridge.stored("V100").await.refund_case.expect("a case");
    assert_eq!(case.review_by, bridge.now() + Millis::hours(72), "{case:?}");
}
