// SPDX-License-Identifier: Apache-2.0

//! The back-end against hand-made calls: signatures, idempotency, modes.

use super::*;
use crate::{SimTime, net, webhook};
use serde_json::{Value, json};

const SECRET: &str = "whsec_c2FuZGJveC1zZWNyZXQtMDE=";

async fn backend() -> SimBackend {
    SimBackend::start(SimBackendOptions::usual("gate", SECRET, SimTime::new(100.0))).await.unwrap()
}

/// Calls as a bridge would; the `key` is delivery id and idempotency key.
async fn post(backend: &SimBackend, path: &str, key: &str, secret: &str, body: &Value) -> (u16, Value) {
    let bytes = body.to_string().into_bytes();
    let now_s = backend.time().now_s();
    let request = net::client()
        .post(format!("{}{path}", backend.base_url()))
        .header("webhook-id", key)
        .header("idempotency-key", key)
        .header("webhook-timestamp", now_s.to_string())
        .header("webhook-signature", webhook::sign(secret, key, now_s, &bytes).unwrap())
        .body(bytes);
    match request.send().await {
        Err(_) => (0, Value::Null),
        Ok(response) => {
            let status = response.status().as_u16();
            match response.json().await {
                Ok(body) => (status, body),
                Err(_) => (0, Value::Null),
            }
        }
    }
}

fn wish(id: &str, quantity: u32) -> Value {
    json!({"reservation_id": id, "order_id": "ord_1", "product": "P-778", "visit_date": "2026-12-01", "quantity": quantity})
}

#[tokio::test]
async fn a_reservation_is_issued_once_however_often_it_is_asked_for() {
    let backend = backend().await;
    let (status, first) = post(&backend, "/reservations", "dlv_1", SECRET, &wish("bkg_1", 2)).await;
    assert_eq!((status, first["state"].as_str()), (201, Some("issued")));
    assert_eq!(first["tickets"].as_array().unwrap().len(), 2);
    let (_, second) = post(&backend, "/reservations", "dlv_1", SECRET, &wish("bkg_1", 2)).await;
    assert_eq!(first, second);
    let books = backend.books();
    assert_eq!((books.reservations["bkg_1"].issues, books.reservations["bkg_1"].asks), (1, 2));
    assert!(books.violations.is_empty());
}

#[tokio::test]
async fn a_wrong_signature_and_a_reused_key_are_refused_and_remembered() {
    let backend = backend().await;
    let (status, _) = post(&backend, "/reservations", "dlv_1", "whsec_b3RoZXI=", &wish("bkg_1", 1)).await;
    assert_eq!(status, 401);
    post(&backend, "/reservations", "dlv_2", SECRET, &wish("bkg_1", 1)).await;
    assert_eq!(post(&backend, "/reservations", "dlv_2", SECRET, &wish("bkg_2", 1)).await.0, 422);
    assert_eq!(post(&backend, "/reservations", "dlv_3", SECRET, &wish("bkg_1", 3)).await.0, 409);
    assert_eq!(backend.books().violations.len(), 3);
}

#[tokio::test]
async fn a_lost_answer_was_executed_and_a_500_was_not() {
    let backend = backend().await;
    backend.set_issue_mode(IssueMode::LoseAnswer(1));
    assert_eq!(post(&backend, "/reservations", "dlv_1", SECRET, &wish("bkg_1", 1)).await.0, 0);
    assert_eq!(backend.books().reservations["bkg_1"].issues, 1);
    backend.set_issue_mode(IssueMode::Flaky(1));
    assert_eq!(post(&backend, "/reservations", "dlv_2", SECRET, &wish("bkg_2", 1)).await.0, 500);
    assert!(!backend.books().reservations.contains_key("bkg_2"));
    assert_eq!(post(&backend, "/reservations", "dlv_2", SECRET, &wish("bkg_2", 1)).await.0, 201);
}

#[tokio::test]
async fn what_was_used_cannot_be_cancelled() {
    let backend = backend().await;
    post(&backend, "/reservations", "dlv_1", SECRET, &wish("bkg_1", 1)).await;
    backend.mark_used("bkg_1");
    let (_, answer) = post(&backend, "/reservations/bkg_1/cancel", "dlv_2", SECRET, &json!({"reason": "refund"})).await;
    assert_eq!((answer["state"].as_str(), answer["reason"].as_str()), (Some("refused"), Some("used")));
    assert_eq!(backend.books().live().count(), 1);
    assert_eq!(post(&backend, "/reservations/bkg_9/cancel", "dlv_3", SECRET, &json!({"reason": "x"})).await.0, 404);
}

#[tokio::test]
async fn a_pending_cancellation_ends_when_it_is_told_to() {
    let backend = backend().await;
    backend.set_cancel_mode(CancelMode::Pending { cancel_after: None });
    post(&backend, "/reservations", "dlv_1", SECRET, &wish("bkg_1", 1)).await;
    let (_, answer) = post(&backend, "/reservations/bkg_1/cancel", "dlv_2", SECRET, &json!({"reason": "refund"})).await;
    assert_eq!(answer["state"], "pending");
    assert_eq!(backend.books().reservations["bkg_1"].state, ReservationState::Cancelling);
}

#[tokio::test]
async fn what_became_of_a_reservation_can_be_read() {
    let backend = backend().await;
    post(&backend, "/reservations", "dlv_1", SECRET, &wish("bkg_1", 1)).await;
    let now_s = backend.time().now_s();
    let signature = webhook::sign(SECRET, "dlv_2", now_s, b"").unwrap();
    for (id, status) in [("bkg_1", 200), ("bkg_2", 404)] {
        let request = net::client()
            .get(format!("{}/reservations/{id}", backend.base_url()))
            .header("webhook-id", "dlv_2")
            .header("webhook-timestamp", now_s.to_string())
            .header("webhook-signature", &signature);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }
}
