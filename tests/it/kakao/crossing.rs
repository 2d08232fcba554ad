// SPDX-License-Identifier: Apache-2.0

//! Messages that cross: confirm and cancel in every order, repeats, reorders, answers that are lost.

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, BookingState, Order, OrderState, TicketingState};

use crate::support::TestBridge;
use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation, with_cancels};
use crate::support::partners::Outcome;

/// What must be the same however messages came: everything but times, versions and the back-end's names.
pub(crate) fn essence(order: &Order) -> Value {
    let booking = order.booking.as_ref().expect("a booking");
    let mut ledger: Vec<_> = order
        .money
        .ledger
        .iter()
        .map(|e| (e.reference.clone(), format!("{:?} {:?}", e.kind, e.status), e.amount))
        .collect();
    ledger.sort();
    json!({
        "state": order.state, "reason": order.cancel_reason, "booking": booking.state, "payment": order.payment(),
        "ledger": ledger, "revision": order.channel_state.as_ref().map(|m| m.standing.revision),
        "live_ticket": booking.ticketing.state == TicketingState::Issued,
    })
}

async fn asked(bridge: &TestBridge) {
    let asked = reservation("R1", "pd_manual", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
}

fn off() -> Value {
    cancelled("R1", "pd_manual", "BY_BOOKER", 0, &[("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")])
}

fn off_event(revision: u64) -> Value {
    event(
        "e-off",
        "reservation.canceled",
        revision,
        &off(),
        json!({"by": "BOOKER", "fee_krw": 0, "refund_krw": 93_000}),
    )
}

fn conflict(revision: u64) -> Outcome {
    let body = json!({"error": {"code": "revision_conflict"}, "reservation": off(), "revision": revision});
    Outcome::Says(409, body)
}

#[tokio::test]
async fn edge_13_confirm_and_cancel_cross_in_every_order_and_end_the_same() {
    let mut ends = Vec::new();
    // The event before our call, between the call and its answer, after the answer; and the answer alone.
    for order in
        ["event first", "answer then event", "event then answer", "answer alone", "plain conflict", "lost answer"]
    {
        let bridge = TestBridge::start_kakao(CAN).await;
        asked(&bridge).await;
        if order == "event first" {
            bridge.kakao_is(off_event(2), "accepted").await;
            bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.problem(409, "not_waiting");
        } else {
            bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
            match order {
                "event then answer" => {
                    bridge.kakao_is(off_event(2), "accepted").await;
                }
                "plain conflict" => bridge
                    .partners
                    .next("/confirm", Outcome::Says(409, json!({"error": {"code": "revision_conflict"}}))),
                "lost answer" => bridge.partners.next("/confirm", Outcome::Interrupted),
                _ => bridge.partners.next("/confirm", conflict(2)),
            }
            bridge.drain().await;
            if order != "event then answer" && order != "answer alone" {
                let result = if order == "answer then event" { "stale" } else { "accepted" };
                bridge.kakao_is(off_event(2), result).await;
            }
        }
        bridge.advance(Millis::hours(1));
        bridge.drain().await;
        let order_now = bridge.booked("R1").await;
        let mut end = essence(&order_now);
        end["live_ticket"] = json!(order_now.booking.as_ref().unwrap().ticketing.state == TicketingState::Issued);
        assert_eq!(order_now.state, OrderState::Cancelled, "{order}");
        assert_eq!(end["live_ticket"], false, "{order}: the back-end is released");
        assert!(order_now.channel_state.as_ref().unwrap().proposal.is_none(), "{order}");
        ends.push((order, end));
    }
    for (order, end) in &ends {
        assert_eq!(end, &ends[0].1, "{order}");
    }
}

#[tokio::test]
async fn a_confirmation_that_won_stands_against_a_later_cancel_of_a_lower_revision() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    asked(&bridge).await;
    let now = reservation("R1", "pd_manual", "CONFIRMED");
    bridge.kakao_is(event("e3", "reservation.confirmed", 3, &now, json!({"by": "MANAGER"})), "accepted").await;
    bridge.kakao_is(off_event(2), "stale").await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Confirmed);
    assert_eq!(order.money.refunded(), 93_000, "its money is merged all the same");
}

#[tokio::test]
async fn our_cancel_and_the_platforms_confirmation_cross_and_the_cancel_is_decided_again() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let booked = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 93_000})));
    let newer = json!({"error": {"code": "revision_conflict"}, "reservation": booked, "revision": 2});
    bridge.partners.next("R1/cancel", Outcome::Says(409, newer));
    bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &json!({"reason": "guide is ill"})).await.expect(200);
    bridge.drain().await;
    let sent: Vec<_> = bridge.partners.sent("R1/cancel").into_iter().filter(|s| s.method == "POST").collect();
    assert_eq!(sent.len(), 2, "the conflict is applied, and it is decided again");
    assert_eq!(sent[0].body["expected_revision"], 1);
    assert_eq!(sent[1].body["expected_revision"], 2);
    assert_ne!(sent[0].headers["idempotency-key"], sent[1].headers["idempotency-key"]);
}

#[tokio::test]
async fn a_platform_that_always_conflicts_is_not_asked_for_ever() {
    let bridge = TestBridge::start_kakao(CAN).await;
    asked(&bridge).await;
    let same = json!({"error": {"code": "revision_conflict"}, "reservation": reservation("R1", "pd_manual", "REQUESTED"), "revision": 1});
    for _ in 0..5 {
        bridge.partners.next("/confirm", Outcome::Says(409, same.clone()));
    }
    bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/confirm").len(), 1);
    let order = bridge.booked("R1").await;
    assert!(order.needs(AttentionKind::NotificationRefused) && order.needs(AttentionKind::WaitsForConfirmation));
}

#[tokio::test]
async fn edge_14_a_cancel_while_the_gate_works_voids_the_ticket_that_comes_later() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    let booked = reservation("R1", "pd_auto", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
    bridge.partners.next("/bridge/reservations", Outcome::Says(202, json!({"state": "pending"})));
    bridge.drain().await;
    let mut gone = off();
    gone["product"]["product_id"] = json!("pd_auto");
    bridge.kakao_is(event("e2", "reservation.canceled", 2, &gone, json!({"by": "BOOKER"})), "accepted").await;
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Cancelled);
    assert_eq!(order.booking.as_ref().unwrap().ticketing.state, TicketingState::Cancelled);
    assert_eq!(bridge.partners.sent("/cancel").iter().filter(|s| s.url.contains("/bridge/")).count(), 1);
}

#[tokio::test]
async fn edge_17_a_confirmation_without_an_answer_is_repeated_under_the_same_key() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let asked = reservation("R1", "pd_plain", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    bridge.partners.next("/confirm", Outcome::Interrupted);
    bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    let sent = bridge.partners.sent("/confirm");
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].headers["idempotency-key"], sent[1].headers["idempotency-key"]);
    assert_eq!(sent[0].body, sent[1].body);
}

#[tokio::test]
async fn edge_23_events_in_the_order_three_one_two() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let third = with_cancels(reservation("R1", "pd_plain", "CONFIRMED"), &[]);
    bridge.kakao_is(event("e3", "reservation.confirmed", 3, &third, json!({"by": "MANAGER"})), "accepted").await;
    let first = reservation("R1", "pd_plain", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &first, json!({})), "stale").await;
    let second = with_cancels(reservation("R1", "pd_plain", "REQUESTED"), &[("pay_2", "cx_9", 1_000, "DONE")]);
    bridge.kakao_is(event("e2", "payment.canceled", 2, &second, json!({})), "stale").await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Confirmed);
    assert_eq!((order.money.received(), order.money.refunded()), (93_000, 1_000));
}

#[tokio::test]
async fn every_event_may_be_repeated_and_reordered() {
    let booked = reservation("R1", "pd_plain", "CONFIRMED");
    let used = reservation("R1", "pd_plain", "USED");
    let back = with_cancels(used.clone(), &[("pay_1", "cx_1", 90_000, "PENDING")]);
    let done = with_cancels(used.clone(), &[("pay_1", "cx_1", 90_000, "DONE")]);
    let events = [
        event("e1", "reservation.requested", 1, &reservation("R1", "pd_plain", "REQUESTED"), json!({})),
        event("e2", "reservation.confirmed", 2, &booked, json!({"by": "MANAGER"})),
        event("e3", "reservation.used", 3, &used, json!({"by": "CODE"})),
        event("e4", "payment.canceled", 4, &back, json!({})),
        event("e5", "payment.refund_updated", 5, &done, json!({"cancel_id": "cx_1", "status": "DONE"})),
    ];
    let straight = [0, 1, 2, 3, 4];
    let mut orders = vec![straight.to_vec()];
    for first in 0..5 {
        for second in 0..5 {
            let mut rest: Vec<usize> = straight.iter().copied().filter(|i| *i != first && *i != second).collect();
            rest.reverse();
            let mut one = vec![first, second];
            one.extend(rest);
            orders.push(one);
        }
    }
    let mut end = None;
    for order in orders {
        let bridge = TestBridge::start_kakao("").await;
        for index in &order {
            bridge.kakao(&events[*index]).await;
        }
        for index in order.iter().rev() {
            let said = bridge.kakao(&events[*index]).await.expect(200).json();
            assert_eq!(said["result"], "duplicate", "{order:?}");
        }
        let found = essence(&bridge.booked("R1").await);
        assert_eq!(found["booking"], "used", "{order:?}");
        assert_eq!(found["payment"], "partially_refunded", "{order:?}");
        assert_eq!(&found, end.get_or_insert(found.clone()), "{order:?}");
    }
}

#[tokio::test]
async fn edge_24_a_cancel_of_an_unknown_booking_is_parked_and_read_back_as_cancelled() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let answer = json!({"reservation": off(), "revision": 5});
    bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, answer));
    let said = bridge.kakao_is(off_event(4), "parked").await;
    assert_eq!(said["reason"], "unknown_reservation");
    assert!(bridge.order_of(KAKAO, "R1").await.is_none());
    bridge.drain().await;
    let asked = bridge.partners.sent("/v1/reservations/R1");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].method, "GET");
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Cancelled);
    assert_eq!(order.payment(), PaymentState::Refunded);
    assert_eq!(order.channel_state.as_ref().unwrap().standing.revision, 5);
    bridge.kakao_is(off_event(4), "duplicate").await;
}

#[tokio::test]
async fn a_parked_event_is_applied_when_the_earlier_one_arrives() {
    let bridge = TestBridge::start_kakao("").await;
    bridge.kakao_is(off_event(2), "parked").await;
    bridge.kakao_is(off_event(2), "parked").await;
    bridge.drain().await;
    assert!(bridge.partners.sent("kakao.example").is_empty(), "it cannot be asked");
    asked(&bridge).await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Cancelled);
    assert_eq!(order.channel_state.as_ref().unwrap().standing.revision, 2);
}

#[tokio::test]
async fn a_cancelled_order_that_is_said_to_live_is_held_for_a_person() {
    let bridge = TestBridge::start_kakao(CAN).await;
    asked(&bridge).await;
    bridge.kakao_is(off_event(2), "accepted").await;
    let alive = reservation("R1", "pd_manual", "CONFIRMED");
    bridge.kakao_is(event("e9", "reservation.confirmed", 9, &alive, json!({"by": "PLATFORM"})), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Cancelled, "edge 15: an end is never left");
    assert!(order.needs(AttentionKind::Contradiction));
}
