// SPDX-License-Identifier: Apache-2.0

//! What every simulated platform does on the wire: events until they are taken, calls once for their key, and books that judge.

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Faults, PlatformOptions};
use crate::kakao::{Accepts, SimKakao, Status, Wish};
use crate::net;
use crate::time::{SimTime, Zone};
use crate::webhook;

const EVENTS: &str = "whsec_ZXZlbnRzLWZvci10ZXN0cw==";
const CALLS: &str = "whsec_Y2FsbHMtZm9yLXRlc3Rz";

/// An event as a bridge received it.
#[derive(Clone)]
struct Seen {
    headers: HeaderMap,
    body: Vec<u8>,
}

type Script = fn(usize) -> (u16, Value);

#[derive(Clone)]
struct StubBridge {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Script,
}

/// A platform before a bridge that answers its n-th event (from 0) as `script` says.
async fn scene(script: Script) -> (SimKakao, StubBridge) {
    let stub = StubBridge { seen: Arc::default(), script };
    let router = Router::new().route("/channels/kakao-jeju/events", post(answer)).with_state(stub.clone());
    let (listener, address) = net::listen(net::ANY_PORT).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut options = PlatformOptions::usual("kakao-jeju", EVENTS, CALLS, "FOREST", SimTime::new(100_000.0));
    options.bridge_url = format!("http://{address}");
    (SimKakao::start(options).await.unwrap(), stub)
}

async fn answer(Extract(stub): Extract<StubBridge>, headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    let number = {
        let mut seen = stub.seen.lock().unwrap();
        seen.push(Seen { headers, body: body.to_vec() });
        seen.len() - 1
    };
    let (status, body) = (stub.script)(number);
    (StatusCode::from_u16(status).unwrap(), Json(body))
}

fn accepted(_: usize) -> (u16, Value) {
    (200, json!({ "result": "accepted" }))
}

fn wish(kakao: &SimKakao) -> Wish {
    let visit = kakao.time().today(Zone::SEOUL);
    Wish { accepts: Accepts::Manager, visit, paid: true, free_minutes: 0, person: 1 }
}

async fn call(kakao: &SimKakao, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let bytes = body.to_string().into_bytes();
    let now_s = kakao.time().now_s();
    let request = net::client()
        .post(format!("{}/v1/{path}", kakao.base_url()))
        .header("idempotency-key", key)
        .header("webhook-id", key)
        .header("webhook-timestamp", now_s.to_string())
        .header("webhook-signature", webhook::sign(CALLS, key, now_s, &bytes).unwrap())
        .body(bytes);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn an_event_comes_until_it_is_taken_with_the_same_body_and_a_signature_that_holds() {
    let (kakao, stub) = scene(|number| if number < 2 { (503, json!({})) } else { accepted(number) }).await;
    let (number, told) = kakao.book(&wish(&kakao)).await;
    assert_eq!(told.answer.result(), "accepted");
    let seen = stub.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 3);
    for one in &seen {
        assert_eq!(one.body, seen[0].body);
        webhook::admit(EVENTS, &one.headers, &one.body, kakao.time().now_s()).unwrap();
        assert_eq!(one.headers["webhook-id"], told.event.id.as_str());
    }
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!((&body["event_id"], &body["revision"]), (&json!(told.event.id), &json!(1)));
    assert_eq!(body["reservation"]["reservation_no"], number.as_str());
    assert!(kakao.books().held_against(&[number]).is_empty());
}

#[tokio::test]
async fn answers_that_are_not_the_contracts_are_held_against_the_bridge() {
    let cases: [(Script, &str); 5] = [
        (|_| (422, json!({ "code": "invalid_field" })), "HTTP 422"),
        (|_| (200, json!({ "result": "done" })), "HTTP 200 done"),
        (|_| (202, json!({ "result": "parked" })), "HTTP 202"),
        (|_| (409, json!({ "code": "event_id_reused" })), "event_id_reused"),
        (|_| (500, json!({})), "was never taken"),
    ];
    for (script, words) in cases {
        let (kakao, _stub) = scene(script).await;
        let (number, _) = kakao.book(&wish(&kakao)).await;
        let held = kakao.books().held_against(&[number]);
        assert!(held.iter().any(|sentence| sentence.contains(words)), "{words}: {held:?}");
    }
}

#[tokio::test]
async fn a_repeat_that_is_taken_as_new_is_held_against_the_bridge() {
    let (kakao, _stub) = scene(accepted).await;
    let (number, told) = kakao.book(&wish(&kakao)).await;
    assert!(kakao.books().held_against(std::slice::from_ref(&number)).is_empty());
    kakao.repeat(&told.event).await;
    let held = kakao.books().held_against(&[number]);
    assert_eq!(held, ["the same reservation.requested was taken as new 2 times"]);
}

#[tokio::test]
async fn a_lost_answer_brings_the_event_again_and_the_judge_knows_the_answer() {
    let (kakao, stub) = scene(accepted).await;
    kakao.set_faults(|faults| faults.drop_answers = 1);
    let (number, _) = kakao.book(&wish(&kakao)).await;
    assert_eq!(stub.seen.lock().unwrap().len(), 2);
    assert!(!kakao.books().held_against(&[number]).is_empty());
}

#[tokio::test]
async fn a_call_is_carried_out_once_for_its_key() {
    let (kakao, stub) = scene(accepted).await;
    let (number, _) = kakao.book(&wish(&kakao)).await;
    let path = format!("reservations/{number}/confirm");
    let body = json!({ "expected_revision": 1 });
    let first = call(&kakao, &path, "k1", &body).await;
    assert_eq!((first.0, &first.1["revision"]), (200, &json!(2)));
    assert_eq!(call(&kakao, &path, "k1", &body).await, first, "the same key, the same answer");
    assert_eq!(kakao.kept(&number).unwrap().revision, 2);
    let (status, said) = call(&kakao, &path, "k2", &body).await;
    assert_eq!((status, &said["error"]["code"]), (409, &json!("revision_conflict")));
    assert_eq!(said["reservation"]["status"], "CONFIRMED", "the reservation is in the answer");
    assert!(kakao.books().held_against(std::slice::from_ref(&number)).is_empty());
    let (status, _) = call(&kakao, &path, "k1", &json!({ "expected_revision": 2 })).await;
    assert_eq!(status, 422);
    let held = kakao.books().held_against(std::slice::from_ref(&number));
    assert!(held[0].contains("two different bodies"), "{held:?}");
    let told = |books: &super::Books<_>| (!books.results("reservation.confirmed", &number).is_empty()).then_some(());
    kakao.until(Duration::from_secs(5), told).await.expect("it is told");
    assert_eq!(stub.seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn events_can_be_kept_back_and_let_go_in_any_order() {
    let (kakao, stub) = scene(accepted).await;
    kakao.set_faults(|faults| faults.hold_events = true);
    let (number, told) = kakao.book(&wish(&kakao)).await;
    assert_eq!(told.answer.status, 0);
    kakao.guest_cancels(&number).await.unwrap();
    assert!(stub.seen.lock().unwrap().is_empty());
    let held = kakao.release();
    assert_eq!(held.iter().map(|event| event.revision).collect::<Vec<_>>(), [1, 2]);
    for event in held.into_iter().rev() {
        kakao.tell(event).await;
    }
    assert_eq!(stub.seen.lock().unwrap().len(), 2);
    assert_eq!(kakao.kept(&number).unwrap().it.status, Status::Canceled("BY_BOOKER"));
    kakao.set_faults(|faults| *faults = Faults { hold_events: true, ..Faults::default() });
    kakao.tidy();
    assert!(!kakao.faults().hold_events);
}
