// SPDX-License-Identifier: Apache-2.0

//! What the platform holds against a bridge that asks what it must not, rule by rule.

use serde_json::{Value, json};

use super::{Accepts, SimKakao, Status, Wish};
use crate::kakao::books::Quote;
use crate::net;
use crate::platform::PlatformOptions;
use crate::time::{SimTime, Zone};
use crate::webhook;

const SECRET: &str = "whsec_Y2FsbHMtZm9yLXRlc3Rz";

/// A platform whose events nobody takes, and a reservation in this state.
async fn kept(status: Status, accepts: Accepts, in_days: u64) -> (SimKakao, String) {
    let time = SimTime::new(1_000_000.0);
    let kakao = SimKakao::start(PlatformOptions::usual("kakao-jeju", SECRET, SECRET, "FOREST", time)).await.unwrap();
    kakao.set_faults(|faults| faults.hold_events = true);
    let visit = kakao.time().today(Zone::SEOUL) + chrono::Days::new(in_days);
    let (number, _) = kakao.book(&Wish { accepts, visit, paid: true, free_minutes: 0, person: 1 }).await;
    let set = kakao.note_change(&number, "set", |it| {
        it.status = status;
        it.quote = Some(Quote { fee: 0, refund: 0 });
        Value::Null
    });
    assert!(set.is_some());
    (kakao, number)
}

async fn call(kakao: &SimKakao, path: &str, body: &Value) -> (u16, Value) {
    let bytes = body.to_string().into_bytes();
    let now_s = kakao.time().now_s();
    let request = net::client()
        .post(format!("{}/v1/reservations/{path}", kakao.base_url()))
        .header("idempotency-key", "k")
        .header("webhook-id", "k")
        .header("webhook-timestamp", now_s.to_string())
        .header("webhook-signature", webhook::sign(SECRET, "k", now_s, &bytes).unwrap())
        .body(bytes);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn what_the_bridge_must_not_ask_is_refused_and_held_against_it() {
    use Accepts::{Manager, Platform};
    let off = Status::Canceled("BY_BOOKER");
    let fee = |amount: i64, refund: i64| json!({ "fee": { "rate_bp": 0, "amount_krw": amount }, "refund_krw": refund });
    let cases = [
        ("confirm", Status::Confirmed, Platform, 7, json!({}), "accepts this one by itself"),
        ("confirm", Status::Requested, Manager, 7, json!({ "lines": [] }), "whole or not at all"),
        ("confirm", off, Manager, 7, json!({}), "does not wait"),
        (
            "reject",
            Status::Confirmed,
            Manager,
            7,
            json!({ "reason_code": "OTHER", "reason_text": "x" }),
            "only what waits",
        ),
        (
            "reject",
            Status::Requested,
            Manager,
            7,
            json!({ "reason_code": "RAIN", "reason_text": "x" }),
            "written for the guest",
        ),
        (
            "reject",
            Status::Requested,
            Manager,
            7,
            json!({ "reason_code": "OTHER", "reason_text": "x".repeat(201) }),
            "200 characters",
        ),
        ("cancel", Status::Confirmed, Manager, 7, fee(27_901, 65_099), "more than the policy's"),
        ("cancel", Status::Confirmed, Manager, 7, fee(10_000, 93_000), "not what is held"),
        ("use", Status::Confirmed, Manager, 1, json!({ "lines": [{ "quantity": 3 }] }), "before the day"),
        ("use", Status::Confirmed, Manager, 0, json!({ "lines": [{ "quantity": 2 }] }), "not the units"),
        ("use", Status::Requested, Manager, 0, json!({ "lines": [{ "quantity": 3 }] }), "only what is accepted"),
        ("no-show", off, Manager, 0, json!({}), "only who was accepted"),
    ];
    for (act, status, accepts, in_days, body, words) in cases {
        let (kakao, number) = kept(status, accepts, in_days).await;
        let (said, _) = call(&kakao, &format!("{number}/{act}"), &body).await;
        assert_eq!(said, 422, "{act}: {words}");
        let held = kakao.books().held_against(std::slice::from_ref(&number));
        assert!(held.iter().any(|sentence| sentence.contains(words)), "{act}: {words}: {held:?}");
        assert_eq!(kakao.kept(&number).unwrap().it.status, status, "nothing has changed");
    }
}

#[tokio::test]
async fn a_payment_alone_goes_back_after_the_visit_only_and_within_what_is_left() {
    let part = |amount: i64, expected: i64| json!({ "cancel_krw": amount, "expect_cancelable_krw": expected });
    let cases = [
        (Status::Confirmed, part(90_000, 90_000), 422, true),
        (Status::Used, part(90_001, 90_000), 422, true),
        (Status::Used, part(90_000, 80_000), 409, false),
        (Status::Used, part(90_000, 90_000), 200, false),
    ];
    for (status, body, wanted, is_held) in cases {
        let (kakao, number) = kept(status, Accepts::Manager, 0).await;
        let (said, answer) = call(&kakao, &format!("{number}/payments/card-{number}/cancel"), &body).await;
        assert_eq!(said, wanted, "{answer}");
        assert_eq!(!kakao.books().held_against(std::slice::from_ref(&number)).is_empty(), is_held, "{body}");
        let it = kakao.kept(&number).unwrap().it;
        assert_eq!((it.status, it.held()), (status, if said == 200 { 3_000 } else { 93_000 }));
    }
}
