// SPDX-License-Identifier: Apache-2.0

//! A message of the platform while a call of ours is on its way: in every order, with every answer, with revisions and without.

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState, TicketingState};

use super::crossing::essence;
use crate::support::TestBridge;
use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation};
use crate::support::partners::Outcome;

const BACK: &[(&str, &str, i64, &str)] = &[("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")];

fn off(kind: &str) -> Value {
    cancelled("R1", "pd_manual", kind, 0, BACK)
}

/// The same event from a platform that counts nothing.
fn uncounted(mut event: Value, at: &str) -> Value {
    event.as_object_mut().expect("an event").remove("revision");
    event["occurred_at"] = json!(at);
    event
}

#[tokio::test]
async fn edge_13_a_cancel_arrives_while_our_confirmation_is_under_way() {
    let answers = [
        ("conflict with the order", Some(Outcome::Says(409, conflict(2)))),
        ("plain conflict", Some(Outcome::Says(409, json!({"error": {"code": "revision_conflict"}})))),
        ("already cancelled", Some(Outcome::Says(409, json!({"error": {"code": "already_canceled"}})))),
        ("closed", Some(Outcome::Says(410, json!({})))),
        ("taken, and cancelled at once", Some(Outcome::Says(200, json!({})))),
        ("taken, told later", None),
        ("lost", Some(Outcome::Interrupted)),
    ];
    let mut ends = Vec::new();
    for (name, answer) in answers {
        let bridge = TestBridge::start_kakao(CAN).await;
        let asked = reservation("R1", "pd_manual", "REQUESTED");
        bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
        bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
        if let Some(answer) = answer {
            bridge.partners.next("/confirm", answer);
        }
        let held = bridge.partners.hold("/confirm");
        let told = event("e2", "reservation.canceled", 2, &off("BY_BOOKER"), json!({"by": "BOOKER"}));
        bridge.meanwhile(&held, bridge.kakao_is(told, "accepted")).await;
        bridge.advance(Millis::hours(1));
        bridge.drain().await;
        let order = bridge.booked("R1").await;
        assert_eq!(order.state, OrderState::Cancelled, "{name}");
        assert_eq!(order.booking.as_ref().unwrap().ticketing.state, TicketingState::Cancelled, "{name}");
        assert_eq!(bridge.partners.sent("/confirm").len(), 1, "{name}: what is off is not confirmed again");
        assert!(!order.needs(AttentionKind::NotificationRefused), "{name}: {:?}", order.attention);
        ends.push((name, essence(&order)));
    }
    for (name, end) in &ends {
        assert_eq!(end, &ends[0].1, "{name}");
    }
}

fn conflict(revision: u64) -> Value {
    json!({"error": {"code": "revision_conflict"}, "reservation": off("BY_BOOKER"), "revision": revision})
}

/// The platform's short answer to a cancellation.
fn gone_there() -> Value {
    json!({"reservation_no": "R1", "status": "CANCELED"})
}

#[tokio::test]
async fn edge_13_a_confirmation_arrives_while_our_cancellation_is_under_way() {
    let now = reservation("R1", "pd_plain", "CONFIRMED");
    let newer = json!({"error": {"code": "revision_conflict"}, "reservation": now, "revision": 2});
    for (name, answer, calls) in
        [("conflict", Outcome::Says(409, newer), 2), ("taken", Outcome::Says(200, gone_there()), 1)]
    {
        let bridge = TestBridge::start_kakao(CAN).await;
        let booked = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
        bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 93_000})));
        bridge.partners.next("R1/cancel", answer);
        // The second attempt, where there is one, is taken.
        bridge.partners.next("R1/cancel", Outcome::Says(200, gone_there()));
        bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &json!({"reason": "ill"})).await.expect(200);
        // The first that fits an address is used up: the quote comes before the cancellation.
        let quote = bridge.partners.hold("R1/cancel-quote");
        let held = bridge.partners.hold("R1/cancel");
        let told = event("e2", "reservation.confirmed", 2, &now, json!({"by": "PLATFORM"}));
        let during = async {
            quote.arrived().await;
            quote.answer();
            held.arrived().await;
            bridge.kakao_is(told, "accepted").await;
            held.answer();
        };
        tokio::join!(bridge.drain(), during);
        bridge.drain().await;
        let sent = bridge.partners.sent("R1/cancel").into_iter().filter(|s| s.method == "POST").count();
        assert_eq!(sent, calls, "{name}");
        assert_eq!(bridge.booked("R1").await.state, OrderState::Cancelled, "{name}");
        let mut gone = cancelled("R1", "pd_plain", "BY_PARTNER", 0, BACK);
        gone["payments"][0]["cancels"][0]["kind"] = json!("WITH_BOOKING");
        bridge.kakao_is(event("e3", "reservation.canceled", 3, &gone, json!({"by": "PARTNER"})), "accepted").await;
        let order = bridge.booked("R1").await;
        assert_eq!((order.state, order.money.refunded()), (OrderState::Cancelled, 93_000), "{name}");
        assert!(!order.needs(AttentionKind::Contradiction), "{name}: {:?}", order.attention);
    }
}

#[tokio::test]
async fn a_guest_cancels_while_we_decline() {
    for answer in [Outcome::Says(409, conflict(2)), Outcome::Says(200, json!({})), Outcome::Interrupted] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let asked = reservation("R1", "pd_manual", "REQUESTED");
        bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
        bridge.post(&format!("orders/{KAKAO}:R1/decline"), &json!({"reason": "rain"})).await.expect(200);
        bridge.partners.next("/reject", answer.clone());
        let held = bridge.partners.hold("/reject");
        let told = event("e2", "reservation.canceled", 2, &off("BY_BOOKER"), json!({"by": "BOOKER"}));
        bridge.meanwhile(&held, bridge.kakao_is(told, "accepted")).await;
        bridge.advance(Millis::hours(1));
        bridge.drain().await;
        let order = bridge.booked("R1").await;
        assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Cancelled, "{answer:?}");
        assert!(!order.needs(AttentionKind::NotificationRefused), "{answer:?}: {:?}", order.attention);
        assert_eq!(bridge.partners.sent("/reject").len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn edge_14_a_cancel_arrives_while_the_gate_is_being_asked() {
    crate::support::leaves_work();
    for lost in [false, true] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let booked = reservation("R1", "pd_auto", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
        if lost {
            bridge.partners.next("/bridge/reservations", Outcome::Interrupted);
        }
        let held = bridge.partners.hold("/bridge/reservations");
        let mut gone = off("BY_BOOKER");
        gone["product"]["product_id"] = json!("pd_auto");
        let told = event("e2", "reservation.canceled", 2, &gone, json!({"by": "BOOKER"}));
        bridge.meanwhile(&held, bridge.kakao_is(told, "accepted")).await;
        bridge.advance(Millis::hours(1));
        bridge.drain().await;
        let order = bridge.booked("R1").await;
        assert_eq!(order.state, OrderState::Cancelled);
        assert_eq!(order.booking.as_ref().unwrap().ticketing.state, TicketingState::Cancelled, "lost: {lost}");
        assert_eq!(
            bridge.partners.sent("/bridge/reservations").iter().filter(|s| s.url.ends_with("/cancel")).count(),
            1
        );
    }
}

#[tokio::test]
async fn edge_15_without_revisions_the_platform_is_asked_before_and_after_and_an_end_is_never_left() {
    let early = "2026-11-21T11:00:00+09:00";
    let late = "2026-11-21T11:05:00+09:00";
    let asked = |id: &str| {
        uncounted(event(id, "reservation.requested", 1, &reservation("R1", "pd_manual", "REQUESTED"), json!({})), early)
    };
    let confirmed = |at: &str| {
        let now = reservation("R1", "pd_manual", "CONFIRMED");
        uncounted(event("e-on", "reservation.confirmed", 2, &now, json!({"by": "MANAGER"})), at)
    };
    let gone =
        |at: &str| uncounted(event("e-off", "reservation.canceled", 2, &off("BY_BOOKER"), json!({"by": "BOOKER"})), at);
    let stories: [(&str, Vec<Value>); 4] = [
        ("off, then on", vec![gone(late), confirmed(early)]),
        ("on, then off", vec![confirmed(early), gone(late)]),
        ("off, then on that says it is later", vec![gone(early), confirmed(late)]),
        ("on that says it is later, then off", vec![confirmed(late), gone(early)]),
    ];
    let mut ends = Vec::new();
    for (name, events) in stories {
        let bridge = TestBridge::start_kakao(CAN).await;
        bridge.kakao_is(asked("e1"), "accepted").await;
        bridge.drain().await;
        for told in events {
            // Whenever the platform is asked, it says how it is: cancelled.
            for _ in 0..2 {
                bridge
                    .partners
                    .next("/v1/reservations/R1", Outcome::Says(200, json!({"reservation": off("BY_BOOKER")})));
            }
            bridge.kakao(&told).await.expect(200);
            bridge.drain().await;
            bridge.kakao(&told).await.expect(200);
        }
        bridge.advance(Millis::hours(1));
        bridge.drain().await;
        let order = bridge.booked("R1").await;
        assert_eq!(order.state, OrderState::Cancelled, "{name}");
        ends.push((name, essence(&order)));
    }
    for (name, end) in &ends {
        assert_eq!(end, &ends[0].1, "{name}");
    }
}

#[tokio::test]
async fn edge_15_a_confirmation_of_ours_on_a_platform_without_revisions_is_surrounded_by_looks() {
    for (name, before, after, state, confirms) in [
        ("still asked for, then confirmed", "REQUESTED", "CONFIRMED", BookingState::Confirmed, 1),
        ("cancelled before", "CANCELED", "CANCELED", BookingState::Cancelled, 0),
        ("cancelled during the call", "REQUESTED", "CANCELED", BookingState::Cancelled, 1),
    ] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let asked = event("e1", "reservation.requested", 1, &reservation("R1", "pd_plain", "REQUESTED"), json!({}));
        bridge.kakao_is(uncounted(asked, "2026-11-21T11:00:00+09:00"), "accepted").await;
        let is = |status: &str| match status {
            "CANCELED" => json!({"reservation": cancelled("R1", "pd_plain", "BY_BOOKER", 0, BACK)}),
            status => json!({"reservation": reservation("R1", "pd_plain", status)}),
        };
        bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
        bridge.partners.next("/confirm", Outcome::Says(200, json!({})));
        bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, is(before)));
        bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, is(after)));
        bridge.drain().await;
        assert_eq!(bridge.booked("R1").await.booking.unwrap().state, state, "{name}");
        assert_eq!(bridge.partners.sent("/confirm").len(), confirms, "{name}");
    }
}

#[tokio::test]
async fn edge_17_what_had_no_answer_is_asked_for_before_it_is_repeated() {
    for (name, stands, repeats) in [("not done", "REQUESTED", 2), ("done", "CONFIRMED", 1)] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let asked = reservation("R1", "pd_plain", "REQUESTED");
        bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
        bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
        bridge.partners.next("/confirm", Outcome::Interrupted);
        bridge.drain().await;
        let revision = if stands == "CONFIRMED" { 2 } else { 1 };
        let answer = json!({"reservation": reservation("R1", "pd_plain", stands), "revision": revision});
        bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, answer));
        bridge.advance(Millis::minutes(1));
        bridge.drain().await;
        let sent = bridge.partners.sent("/confirm");
        assert_eq!(sent.len(), repeats, "{name}");
        assert!(sent.iter().all(|s| s.headers["idempotency-key"] == sent[0].headers["idempotency-key"]), "{name}");
        let calls: Vec<_> = bridge.partners.sent("/v1/reservations/R1").into_iter().map(|s| s.method).collect();
        assert_eq!(calls[1], http::Method::GET, "{name}: first the look, then the repeat");
        let expected = if repeats == 1 { BookingState::Confirmed } else { BookingState::Requested };
        assert_eq!(bridge.booked("R1").await.booking.unwrap().state, expected, "{name}");
    }
}

/// Where changes are not counted, an answer may be older than what was told while it was on its way: what was told stands, and the platform is
/// asked again.
#[tokio::test]
async fn a_look_that_was_overtaken_takes_back_nothing_that_was_told() {
    let is = |status: &str| Outcome::Says(200, json!({"reservation": reservation("R1", "pd_plain", status)}));
    let told = |id: &str, kind: &str, status: &str, at: &str| {
        uncounted(event(id, kind, 1, &reservation("R1", "pd_plain", status), json!({"by": "MANAGER"})), at)
    };
    for in_the_list in [false, true] {
        let bridge = TestBridge::start_kakao(CAN).await;
        bridge
            .kakao_is(told("e1", "reservation.requested", "REQUESTED", "2026-11-21T11:00:00+09:00"), "accepted")
            .await;
        bridge.drain().await;
        bridge.advance(Millis::seconds(1));
        let old = reservation("R1", "pd_plain", "REQUESTED");
        let list = if in_the_list { json!([{"reservation": old}]) } else { json!([]) };
        bridge.partners.next("changed_from", Outcome::Says(200, json!({"reservations": list, "next_cursor": null})));
        let held = bridge.partners.hold(if in_the_list { "changed_from" } else { "/v1/reservations/R1" });
        bridge.partners.next("/v1/reservations/R1", is(if in_the_list { "CONFIRMED" } else { "REQUESTED" }));
        let during = async {
            held.arrived().await;
            bridge.advance(Millis::seconds(1));
            let on = told("e2", "reservation.confirmed", "CONFIRMED", "2026-11-21T11:00:01+09:00");
            bridge.kakao_is(on, "accepted").await;
            held.answer();
        };
        let (nothing, body) = (format!("reconciliation?channel={KAKAO}"), json!({}));
        let (report, ()) = tokio::join!(bridge.post(&nothing, &body), during);
        let report = report.expect(200).json();
        bridge.drain().await;
        assert_eq!(report["repaired"], 0, "in the list: {in_the_list}, {report}");
        assert_eq!(bridge.booked("R1").await.booking.unwrap().state, BookingState::Confirmed, "{in_the_list}");
        // It is listed once more, and a look that nothing overtakes counts.
        bridge.advance(Millis::minutes(30));
        bridge.partners.next("changed_from", Outcome::Says(200, json!({"reservations": []})));
        let gone = cancelled("R1", "pd_plain", "BY_BOOKER", 0, BACK);
        bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, json!({"reservation": gone})));
        bridge.post(&nothing, &body).await.expect(200);
        bridge.drain().await;
        assert_eq!(bridge.booked("R1").await.state, OrderState::Cancelled, "{in_the_list}");
        let asked = bridge.partners.sent("changed_from");
        let from =
            |at: usize| asked[at].url.split("changed_from=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        assert_eq!(from(0) == from(1), in_the_list, "{} and {}", asked[0].url, asked[1].url);
    }
}

/// The same where the platform is asked because its messages contradict each other.
#[tokio::test]
async fn a_question_that_was_overtaken_is_asked_again() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let at = |second: u32| format!("2026-11-21T11:00:{second:02}+09:00");
    let now = reservation("R1", "pd_plain", "CONFIRMED");
    let on = event("e1", "reservation.confirmed", 1, &now, json!({"by": "MANAGER"}));
    bridge.kakao_is(uncounted(on, &at(5)), "accepted").await;
    bridge.drain().await;
    let gone = cancelled("R1", "pd_plain", "BY_BOOKER", 0, BACK);
    let off = |id: &str, second: u32| {
        uncounted(event(id, "reservation.canceled", 2, &gone, json!({"by": "BOOKER"})), &at(second))
    };
    let held = bridge.partners.hold("/v1/reservations/R1");
    for stands in [&now, &gone] {
        bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, json!({"reservation": stands})));
    }
    // Older than what is known: only the platform can say which of the two holds. While it is asked, it says so itself.
    bridge.kakao(&off("e2", 1)).await.expect(200);
    let later = off("e3", 9);
    bridge.meanwhile(&held, bridge.kakao(&later)).await.expect(200);
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Cancelled);
    let kinds = [AttentionKind::Contradiction, AttentionKind::BooksDiffer];
    assert!(!kinds.iter().any(|kind| order.needs(*kind)), "{:?}", order.attention);
    let looks = bridge.partners.sent("/v1/reservations/R1").into_iter().filter(|sent| sent.method == "GET");
    assert_eq!(looks.count(), 2, "it is asked again");
}
