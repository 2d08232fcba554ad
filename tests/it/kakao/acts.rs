// SPDX-License-Identifier: Apache-2.0

//! What ops and policy want of the platform, by what it can do (`adapters/kakao/README.md`): a part cancelled, a booking without a
//! ticket, stock, lists of changes; and what is refused here before anything is sent.

use serde_json::{Value, json};
use ticketbridge::housekeeping::reconcile::{Scope, reconcile};
use ticketbridge_core::Millis;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState};

use crate::support::TestBridge;
use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation, with_cancels};
use crate::support::partners::Outcome;

fn may_be_parted(mut it: Value) -> Value {
    it["cancel_policy"]["partial_allowed"] = json!(true);
    it
}

async fn booked(bridge: &TestBridge, product: &str) {
    let it = may_be_parted(reservation("R1", product, "CONFIRMED"));
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
}

#[tokio::test]
async fn a_part_is_cancelled_by_the_quote_for_its_lines() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(&format!("{CAN}, \"partial_cancel\"")).await;
    booked(&bridge, "pd_plain").await;
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 3_000, "refund_krw": 35_000})));
    let path = format!("orders/{KAKAO}:R1/cancel");
    let body = |units: u32| json!({"reason": "one fell ill", "lines": [{"detail": "D1", "quantity": units}]});
    bridge.post(&path, &body(3)).await.problem(422, "invalid");
    bridge
        .post(&path, &json!({"reason": "x", "lines": [{"detail": "D9", "quantity": 1}]}))
        .await
        .problem(422, "invalid");
    bridge.post(&path, &body(1)).await.expect(200);
    bridge.post(&path, &json!({"reason": "all of it"})).await.problem(409, "already_decided");
    bridge.drain().await;
    assert!(bridge.partners.sent("/cancel-quote")[0].url.ends_with("cancel-quote?lines=D1%3A1"));
    let call = bridge.partners.sent("R1/cancel").into_iter().find(|s| s.method == "POST").expect("a call");
    assert_eq!(call.body["lines"], json!([{"detail_no": "D1", "quantity": 1}]));
    assert_eq!((&call.body["fee"]["amount_krw"], &call.body["refund_krw"]), (&json!(3_000), &json!(35_000)));
    let mut part = may_be_parted(reservation("R1", "pd_plain", "CONFIRMED"));
    part["lines"][0]["canceled_quantity"] = json!(1);
    part["amounts"]["fee_krw"] = json!(3_000);
    let part = with_cancels(part, &[("pay_1", "cx_1", 35_000, "DONE")]);
    let change =
        json!({"by": "PARTNER", "lines": [{"detail_no": "D1", "quantity": 1}], "fee_krw": 3_000, "refund_krw": 35_000});
    bridge.kakao_is(event("e2", "reservation.canceled", 2, &part, change), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!((order.state, order.live_units()), (OrderState::Booked, 2));
    assert!(order.channel_state.as_ref().unwrap().proposal.is_none(), "the platform has agreed");
    assert_eq!((order.payment(), order.money.fee()), (PaymentState::PartiallyRefunded, 3_000));
    bridge.post(&path, &json!({"reason": "now all of it"})).await.expect(200);
}

#[tokio::test]
async fn a_part_of_what_is_sold_whole_is_refused_and_without_the_capability_it_is_a_task() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let whole = reservation("R2", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("f1", "reservation.confirmed", 1, &whole, json!({"by": "AUTO"})), "accepted").await;
    let body = json!({"reason": "x", "lines": [{"detail_no": "D1", "quantity": 1}]});
    bridge.post(&format!("orders/{KAKAO}:R2/cancel"), &body).await.problem(409, "partial_not_allowed");
    booked(&bridge, "pd_plain").await;
    bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &body).await.expect(200);
    bridge.drain().await;
    assert!(bridge.partners.sent("/cancel").is_empty());
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    assert_eq!(shown["attention"]["kind"], "to_do_by_hand");
}

#[tokio::test]
async fn what_the_platform_accepted_by_itself_and_the_gate_refuses_is_cancelled_for_nothing() {
    for (capabilities, calls) in [(CAN, 1), ("", 0)] {
        let bridge = TestBridge::start_kakao(capabilities).await;
        bridge.partners.next("/bridge/reservations", Outcome::Says(200, json!({"state": "refused", "reason": "full"})));
        bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 27_900, "refund_krw": 65_100})));
        let mut it = reservation("R1", "pd_auto", "CONFIRMED");
        it["confirm_mode"] = json!("AUTO");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
        bridge.drain().await;
        let sent: Vec<_> = bridge.partners.sent("R1/cancel").into_iter().filter(|s| s.method == "POST").collect();
        assert_eq!(sent.len(), calls);
        let order = bridge.booked("R1").await;
        if let Some(call) = sent.first() {
            assert_eq!((&call.body["fee"]["amount_krw"], &call.body["refund_krw"]), (&json!(0), &json!(93_000)));
            let back = [("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")];
            let off = cancelled("R1", "pd_auto", "BY_PARTNER", 0, &back);
            bridge.kakao_is(event("e2", "reservation.canceled", 2, &off, json!({"by": "PARTNER"})), "accepted").await;
            let order = bridge.booked("R1").await;
            assert_eq!((order.state, order.payment()), (OrderState::Cancelled, PaymentState::Refunded));
        } else {
            assert!(order.needs(AttentionKind::ManualTask), "a person does it there");
        }
    }
}

/// Whether a person is asked to look at a report that was refused.
async fn is_flagged(bridge: &TestBridge) -> bool {
    bridge.booked("R1").await.needs(AttentionKind::NotificationRefused)
}

fn refused() -> Outcome {
    Outcome::Says(422, json!({"error": {"code": "not_now"}}))
}

async fn act(bridge: &TestBridge, name: &str, body: &serde_json::Value) {
    bridge.post(&format!("orders/{KAKAO}:R1/{name}"), body).await.expect(200);
    bridge.drain().await;
}

async fn is_asked(bridge: &TestBridge, product: &str) {
    let asked = reservation("R1", product, "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    bridge.drain().await;
}

#[tokio::test]
async fn a_refused_report_is_forgotten_when_it_is_taken_after_all() {
    let bridge = TestBridge::start_kakao(CAN).await;
    booked(&bridge, "pd_plain").await;
    let reason = json!({"reason": "guide is ill"});
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 93_000})));
    bridge.partners.next("R1/cancel", refused());
    act(&bridge, "cancel", &reason).await;
    assert!(is_flagged(&bridge).await);
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 93_000})));
    bridge.partners.next("R1/cancel", Outcome::Says(200, json!({})));
    act(&bridge, "cancel", &reason).await;
    assert!(!is_flagged(&bridge).await);
}

#[tokio::test]
async fn a_refused_return_is_forgotten_when_the_money_goes_back_after_all() {
    let bridge = TestBridge::start_kakao(CAN).await;
    booked(&bridge, "pd_plain").await;
    let used = reservation("R1", "pd_plain", "USED");
    bridge.kakao_is(event("e2", "reservation.used", 2, &used, json!({"by": "CODE"})), "accepted").await;
    let part = json!({"amount": 500, "reason": "late start"});
    bridge.partners.next("/payments/", refused());
    act(&bridge, "return-payment", &part).await;
    assert!(is_flagged(&bridge).await);
    bridge.partners.next("/payments/", Outcome::Says(200, json!({})));
    act(&bridge, "return-payment", &part).await;
    assert!(!is_flagged(&bridge).await);
}

#[tokio::test]
async fn a_refused_report_is_forgotten_when_the_booking_has_moved_on() {
    let bridge = TestBridge::start_kakao(CAN).await;
    is_asked(&bridge, "pd_plain").await;
    bridge.partners.next("/confirm", refused());
    act(&bridge, "confirm", &json!({})).await;
    assert!(is_flagged(&bridge).await);
    // A short answer of the platform's own, and about this very reservation.
    bridge.partners.next("/reject", Outcome::Says(200, json!({"reservation_no": "R1", "status": "CANCELED"})));
    act(&bridge, "decline", &json!({"reason": "full"})).await;
    let order = bridge.booked("R1").await;
    assert_eq!((order.state, order.attention), (OrderState::Cancelled, Vec::new()));
}

#[tokio::test]
async fn a_refused_report_that_ops_drop_asks_for_nobody_and_is_not_sent_again() {
    let bridge = TestBridge::start_kakao(CAN).await;
    bridge.partners.next("/confirm", refused());
    is_asked(&bridge, "pd_auto").await;
    assert!(is_flagged(&bridge).await);
    let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
    let id = dead["items"][0]["id"].as_str().expect("an id").to_owned();
    bridge.post(&format!("deliveries/{id}/drop"), &json!({"reason": "told them by phone"})).await.expect(200);
    bridge.drain().await;
    assert!(!is_flagged(&bridge).await);
    assert_eq!(bridge.partners.sent("/confirm").len(), 1, "policy does not insist");
}

/// An earlier refusal of something else stands in nobody's way (`adapters/kakao/README.md`).
#[tokio::test]
async fn a_back_end_without_a_ticket_declines_although_something_else_was_refused_before() {
    let bridge = TestBridge::start_kakao(CAN).await;
    is_asked(&bridge, "pd_manual").await;
    bridge.partners.next("/reject", refused());
    act(&bridge, "decline", &json!({"reason": "rain"})).await;
    assert!(is_flagged(&bridge).await);
    bridge.partners.next("/bridge/reservations", Outcome::Says(200, json!({"state": "refused", "reason": "full"})));
    bridge.partners.next("/reject", refused());
    act(&bridge, "confirm", &json!({})).await;
    assert!(bridge.partners.sent("/confirm").is_empty());
    assert_eq!(bridge.partners.sent("/reject").len(), 2, "once by the person, once for want of a ticket, and no more");
}

#[tokio::test]
async fn edge_10_on_a_platform_without_no_shows_the_booking_counts_as_used_before_its_money_goes_back() {
    for (capabilities, calls) in [
        (r#""payment_only_cancel""#, vec!["/use", "/payments/pay_2/cancel", "/payments/pay_1/cancel"]),
        (r#""payment_only_cancel", "no_show""#, vec!["/no-show", "/payments/pay_2/cancel", "/payments/pay_1/cancel"]),
    ] {
        let bridge = TestBridge::start_kakao(capabilities).await;
        booked(&bridge, "pd_plain").await;
        bridge.set_time("2026-12-13T13:00:00+09:00");
        bridge.post(&format!("orders/{KAKAO}:R1/no-show"), &json!({})).await.expect(200);
        bridge.drain().await;
        bridge.post(&format!("orders/{KAKAO}:R1/return-payment"), &json!({"reason": "kindness"})).await.expect(200);
        bridge.drain().await;
        let mut sent: Vec<_> = bridge.partners.sent("/v1/reservations/R1").into_iter().map(|s| s.url).collect();
        sent[1..].sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(sent.len(), calls.len(), "{sent:?}");
        assert!(sent.iter().zip(&calls).all(|(url, end)| url.ends_with(end)), "{sent:?}");
        let order = bridge.booked("R1").await;
        assert_eq!(order.booking.unwrap().state, BookingState::NoShow);
    }
}

#[tokio::test]
async fn edge_30_31_confirming_is_of_the_whole_and_a_reason_for_the_guest_is_short() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let asked = reservation("R1", "pd_plain", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    let before = bridge.booked("R1").await.version;
    let part = json!({"lines": [{"detail": "D1", "quantity": 1}]});
    bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &part).await.problem(422, "invalid");
    let part = json!({"reason": "x", "lines": [{"detail": "D1", "quantity": 1}]});
    bridge.post(&format!("orders/{KAKAO}:R1/decline"), &part).await.problem(422, "invalid");
    let long = json!({"reason": "가".repeat(201)});
    bridge.post(&format!("orders/{KAKAO}:R1/decline"), &long).await.problem(422, "invalid");
    bridge.drain().await;
    assert_eq!(bridge.booked("R1").await.version, before);
    assert!(bridge.partners.sent("kakao.example").is_empty());
    let most = json!({"reason": "가".repeat(200)});
    bridge.post(&format!("orders/{KAKAO}:R1/decline"), &most).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/reject")[0].body["reason_text"], "가".repeat(200));
}

#[tokio::test]
async fn edge_49_stock_goes_to_what_is_live_and_not_to_what_the_platform_does_not_sell() {
    let bridge = TestBridge::start_kakao_also(&format!("{CAN}, \"stock\""), "schedule_id = \"S-{date}\"").await;
    let state = |id: &str, at: &str, from: &str, to: &str| {
        json!({"event_id": id, "event_type": "product.status_changed", "schema_version": "1", "occurred_at": at,
            "partner_id": "p_77", "place_id": "pl_5", "change": {"product_id": "pd_auto", "from": from, "to": to, "cause": "REVIEW"}})
    };
    let it = |number: &str| reservation(number, "pd_auto", "CONFIRMED");
    let mut left = 10;
    let steps = [
        ("R1", None, true),
        ("R2", Some(state("p1", "2026-11-21T10:10:00+09:00", "ON_SALE", "IN_REVIEW")), true),
        ("R3", Some(state("p2", "2026-11-21T10:20:00+09:00", "IN_REVIEW", "OFF_SALE")), false),
    ];
    for (number, told, pushed) in steps {
        if let Some(told) = told {
            bridge.kakao_is(told, "accepted").await;
        }
        let id = format!("e{number}");
        bridge.kakao_is(event(&id, "reservation.confirmed", 1, &it(number), json!({"by": "AUTO"})), "accepted").await;
        let before = bridge.partners.sent("/stock").len();
        bridge.drain().await;
        left -= 3;
        let sent = bridge.partners.sent("/stock");
        assert_eq!(sent.len() - before, usize::from(pushed), "{number}");
        if pushed {
            let last = sent.last().unwrap();
            assert_eq!(last.method, "PUT");
            assert!(last.url.ends_with("/v1/products/pd_auto/schedules/S-2026-12-13/stock"), "{}", last.url);
            assert_eq!(
                (&last.body["remaining"], &last.body["as_of"]),
                (&json!(left), &json!("2026-11-21T11:00:00+09:00"))
            );
        }
    }
}

#[tokio::test]
async fn a_product_in_review_goes_on_selling_what_is_live_until_it_is_refused_too() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let state = |id: &str, minute: u32, from: &str, to: &str| {
        json!({"event_id": id, "event_type": "product.status_changed", "schema_version": "1",
            "occurred_at": format!("2026-11-21T10:{minute:02}:00+09:00"), "change": {"product_id": "pd_auto", "from": from, "to": to}})
    };
    let can_be_booked = async |number: &str| {
        let it = reservation(number, "pd_auto", "REQUESTED");
        bridge.kakao_is(event(&format!("e{number}"), "reservation.requested", 1, &it, json!({})), "accepted").await;
        bridge.drain().await;
        bridge.partners.sent(&format!("{number}/confirm")).len() == 1
    };
    bridge.kakao_is(state("p1", 1, "ON_SALE", "IN_REVIEW"), "accepted").await;
    assert!(can_be_booked("R1").await);
    bridge.kakao_is(state("p2", 2, "IN_REVIEW", "REVIEW_REFUSED"), "accepted").await;
    assert!(can_be_booked("R2").await, "the live version is sold whatever becomes of the new one");
    bridge.kakao_is(state("p3", 4, "REVIEW_REFUSED", "SANCTIONED"), "accepted").await;
    bridge.kakao_is(state("p0", 3, "REVIEW_REFUSED", "ON_SALE"), "accepted").await;
    assert!(!can_be_booked("R3").await, "an older state takes nothing back");
}

#[tokio::test]
async fn edge_12_a_lost_message_is_found_in_the_platforms_list_and_a_late_use_the_next_morning() {
    let bridge = TestBridge::start_kakao(CAN).await;
    booked(&bridge, "pd_plain").await;
    let known = json!({"reservation": reservation("R1", "pd_plain", "CONFIRMED"), "revision": 1});
    let lost = json!({"reservation": reservation("R7", "pd_plain", "CONFIRMED"), "revision": 3});
    bridge.partners.next("changed_from", Outcome::Says(200, json!({"reservations": [known], "next_cursor": "p2"})));
    bridge.partners.next("changed_from", Outcome::Says(200, json!({"reservations": [lost], "next_cursor": null})));
    let report = bridge.post(&format!("reconciliation?channel={KAKAO}"), &json!({})).await.expect(200).json();
    assert_eq!(report["repaired"], 1, "{report}");
    assert_eq!(bridge.booked("R7").await.channel_state.unwrap().standing.revision, 3);
    let asked = bridge.partners.sent("changed_from");
    assert!(asked[0].url.contains("changed_from=2026-11-20T11%3A00%3A00%2B09%3A00"), "{}", asked[0].url);
    assert!(asked[1].url.ends_with("&cursor=p2"), "{}", asked[1].url);
    // The next look overlaps the last one by ten minutes.
    bridge.advance(Millis::minutes(10));
    bridge.partners.next("changed_from", Outcome::Says(200, json!({"reservations": []})));
    reconcile(bridge.bridge.worker(), Scope::Followed).await.unwrap();
    let asked = bridge.partners.sent("changed_from").pop().unwrap();
    assert!(asked.url.contains("changed_from=2026-11-21T10%3A50%3A00%2B09%3A00"), "{}", asked.url);

    // Marked as not come by us; the platform's own money movement of the night was lost.
    bridge.set_time("2026-12-13T13:00:00+09:00");
    bridge.post(&format!("orders/{KAKAO}:R1/no-show"), &json!({})).await.expect(200);
    bridge.drain().await;
    bridge.set_time("2026-12-14T11:00:00+09:00");
    let used = with_cancels(reservation("R1", "pd_plain", "USED"), &[("pay_2", "cx_9", 3_000, "DONE")]);
    bridge.partners.next("changed_from", Outcome::Says(500, json!({})));
    bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, json!({"reservation": used, "revision": 5})));
    let report = reconcile(bridge.bridge.worker(), Scope::Closed).await.unwrap();
    assert_eq!((report.orders, report.repaired), (1, 1));
    let order = bridge.booked("R1").await;
    assert_eq!((order.booking.unwrap().state, order.money.refunded()), (BookingState::NoShow, 3_000));
}

#[tokio::test]
async fn a_use_that_the_platform_has_told_meanwhile_is_not_reported_to_it() {
    let bridge = TestBridge::start_kakao(CAN).await;
    booked(&bridge, "pd_plain").await;
    bridge.set_time("2026-12-13T10:30:00+09:00");
    bridge.post(&format!("orders/{KAKAO}:R1/redeem"), &json!({})).await.expect(200);
    let used = reservation("R1", "pd_plain", "USED");
    bridge.kakao_is(event("e2", "reservation.used", 2, &used, json!({"by": "CODE"})), "accepted").await;
    bridge.drain().await;
    assert!(bridge.partners.sent("/use").is_empty());
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    assert_eq!(shown["channel_view"]["notes"]["by"], "CODE", "who said so can be seen");
}

#[tokio::test]
async fn a_request_older_than_half_its_limit_warns_and_after_it_the_platform_is_asked_first() {
    let bridge = TestBridge::start_kakao_also(CAN, "confirm_limit = \"2h\"").await;
    let asked = reservation("R1", "pd_plain", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    bridge.advance(Millis::minutes(61));
    bridge.drain().await;
    let events = bridge.get(&format!("orders/{KAKAO}:R1/events")).await.expect(200).text();
    assert!(events.contains("deadline_near"), "{events}");
    bridge.advance(Millis::hours(2));
    bridge.drain().await;
    let gone = json!({"reservation": cancelled("R1", "pd_plain", "BY_PLATFORM", 0, &[]), "revision": 2});
    bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, gone));
    bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert!(bridge.partners.sent("/confirm").is_empty(), "the platform had cancelled it by itself");
    assert_eq!(bridge.booked("R1").await.state, OrderState::Cancelled);
}

#[tokio::test]
async fn where_the_platform_quotes_nothing_our_own_count_of_its_policy_holds() {
    for (answer, when, fee) in [
        (Outcome::Says(404, json!({})), "2026-11-25T10:00:00+09:00", 0),
        (Outcome::Says(200, json!({})), "2026-12-05T10:00:00+09:00", 27_900),
        (Outcome::Says(405, json!({})), "2026-12-11T00:00:00+09:00", 93_000),
    ] {
        let bridge = TestBridge::start_kakao(CAN).await;
        booked(&bridge, "pd_plain").await;
        bridge.set_time(when);
        bridge.partners.next("/cancel-quote", answer);
        bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &json!({"reason": "x"})).await.expect(200);
        bridge.drain().await;
        let call = bridge.partners.sent("R1/cancel").into_iter().find(|s| s.method == "POST").expect("a call");
        assert_eq!(
            (&call.body["fee"]["amount_krw"], &call.body["refund_krw"]),
            (&json!(fee), &json!(93_000 - fee)),
            "{when}"
        );
    }
}

/// What the guest paid would have been neither kept nor returned.
#[tokio::test]
async fn a_quote_that_leaves_money_with_nobody_cancels_nothing_and_is_shown() {
    for (lines, fee, refund) in
        [(json!(null), 0, 0), (json!(null), 27_900, 65_099), (json!([{"detail": "D1", "quantity": 1}]), 0, 0)]
    {
        let bridge = TestBridge::start_kakao(&format!("{CAN}, \"partial_cancel\"")).await;
        let it = may_be_parted(reservation("R1", "pd_plain", "CONFIRMED"));
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
        bridge.drain().await;
        bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": fee, "refund_krw": refund})));
        let mut wish = json!({"reason": "storm"});
        if !lines.is_null() {
            wish["lines"] = lines;
        }
        bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &wish).await.expect(200);
        bridge.drain().await;
        let asked = bridge.partners.sent("R1/cancel").into_iter().filter(|sent| sent.method == "POST").count();
        let order = bridge.booked("R1").await;
        assert_eq!((asked, order.state), (0, OrderState::Booked), "{wish}");
        let flag = order.attention.iter().find(|flag| flag.kind == AttentionKind::NotificationRefused);
        let sentence = flag.map(|flag| flag.sentence.clone()).unwrap_or_default();
        assert!(sentence.contains("quote_below_price"), "{sentence}");
    }
}

#[tokio::test]
async fn what_was_used_is_never_cancelled_with_the_rest() {
    let bridge = TestBridge::start_kakao(&format!("{CAN}, \"partial_cancel\"")).await;
    booked(&bridge, "pd_plain").await;
    let path = format!("orders/{KAKAO}:R1/cancel");
    let used = |units: [u32; 2]| {
        let mut it = may_be_parted(reservation("R1", "pd_plain", "CONFIRMED"));
        it["lines"][0]["used_quantity"] = json!(units[0]);
        it["lines"][1]["used_quantity"] = json!(units[1]);
        it
    };
    bridge.kakao_is(event("e2", "reservation.used", 2, &used([1, 0]), json!({"by": "CODE"})), "accepted").await;
    // The platform's own quote speaks of all of the money.
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 93_000})));
    bridge.post(&path, &json!({"reason": "rain"})).await.expect(200);
    bridge.drain().await;
    assert!(bridge.partners.sent("/cancel-quote")[0].url.ends_with("?lines=D1%3A1%2CD2%3A1"));
    let call = bridge.partners.sent("R1/cancel").into_iter().find(|s| s.method == "POST").expect("a call");
    let lines = json!([{"detail_no": "D1", "quantity": 1}, {"detail_no": "D2", "quantity": 1}]);
    assert_eq!(call.body["lines"], lines);
    assert_eq!(call.body["refund_krw"], 93_000 - 36_061, "38,000 of 98,000, after discount, was used");

    let bridge = TestBridge::start_kakao(&format!("{CAN}, \"partial_cancel\"")).await;
    booked(&bridge, "pd_plain").await;
    bridge.kakao_is(event("e2", "reservation.used", 2, &used([2, 1]), json!({"by": "CODE"})), "accepted").await;
    bridge.post(&path, &json!({"reason": "rain"})).await.problem(409, "already_redeemed");
    let mut whole = used([1, 0]);
    whole["cancel_policy"]["partial_allowed"] = json!(false);
    bridge.kakao_is(event("e3", "reservation.used", 3, &whole, json!({"by": "CODE"})), "accepted").await;
    bridge.post(&path, &json!({"reason": "rain"})).await.problem(409, "partial_not_allowed");
}

#[tokio::test]
async fn stock_counted_anew_is_a_message_of_its_own() {
    let bridge = TestBridge::start_kakao_also(&format!("{CAN}, \"stock\""), "schedule_id = \"S-{date}\"").await;
    bridge.partners.next("/stock", Outcome::Says(500, json!({})));
    booked(&bridge, "pd_plain").await;
    bridge.advance(Millis::minutes(5));
    bridge.drain().await;
    let sent = bridge.partners.sent("/stock");
    assert_eq!(sent.len(), 2);
    for call in &sent {
        assert_eq!(call.headers["webhook-id"], call.headers["idempotency-key"], "one message, one key");
    }
    assert_ne!(sent[0].body, sent[1].body);
    assert_ne!(sent[0].headers["webhook-id"], sent[1].headers["webhook-id"]);
}

#[tokio::test]
async fn what_the_platform_accepts_by_itself_and_is_not_for_sale_is_shown_to_a_person() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    let auto = |number: &str, product: &str, adults: u32| {
        let mut it = reservation(number, product, "CONFIRMED");
        it["confirm_mode"] = json!("AUTO");
        it["lines"][0]["quantity"] = json!(adults);
        it["lines"][0]["unit_price_krw"] = json!(1_000);
        it["lines"][0]["amount_krw"] = json!(adults * 1_000);
        for name in ["unit_price_krw", "amount_krw"] {
            it["lines"][1][name] = json!(98_000 - adults * 1_000);
        }
        it
    };
    let off = json!({"event_id": "p1", "event_type": "product.status_changed", "schema_version": "1",
        "occurred_at": "2026-11-21T10:10:00+09:00", "change": {"product_id": "pd_auto", "from": "ON_SALE", "to": "OFF_SALE"}});
    bridge.kakao_is(off, "accepted").await;
    for (number, product, adults, why) in
        [("R1", "pd_plain", 4, None), ("R2", "pd_plain", 5, Some("(sold_out)")), ("R3", "pd_auto", 1, Some("(closed)"))]
    {
        let it = auto(number, product, adults);
        bridge.kakao_is(event(number, "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
        let order = bridge.booked(number).await;
        assert_eq!(order.state, OrderState::Booked, "{number}");
        let said: Vec<_> = order.attention.iter().map(|flag| flag.sentence.as_str()).collect();
        assert_eq!(said.len(), usize::from(why.is_some()), "{number}: {said:?}");
        assert!(why.is_none_or(|why| said[0].ends_with(why)), "{said:?}");
    }
}

#[tokio::test]
async fn a_quote_that_comes_with_its_reservation_is_not_lost() {
    let bridge = TestBridge::start_kakao(&format!("{CAN}, \"partial_cancel\"")).await;
    booked(&bridge, "pd_plain").await;
    let it = may_be_parted(reservation("R1", "pd_plain", "CONFIRMED"));
    let answer = json!({"fee_krw": 3_000, "refund_krw": 35_000, "revision": 1, "reservation": it});
    bridge.partners.next("/cancel-quote", Outcome::Says(200, answer));
    let body = json!({"reason": "one fell ill", "lines": [{"detail": "D1", "quantity": 1}]});
    bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &body).await.expect(200);
    bridge.drain().await;
    let call = bridge.partners.sent("R1/cancel").into_iter().find(|s| s.method == "POST").expect("a call");
    assert_eq!((&call.body["fee"]["amount_krw"], &call.body["refund_krw"]), (&json!(3_000), &json!(35_000)));
}

#[tokio::test]
async fn our_own_count_after_a_part_was_cancelled_is_of_the_rest() {
    let bridge = TestBridge::start_kakao(CAN).await;
    booked(&bridge, "pd_plain").await;
    let mut part = may_be_parted(reservation("R1", "pd_plain", "CONFIRMED"));
    part["lines"][0]["canceled_quantity"] = json!(1);
    let part = with_cancels(part, &[("pay_1", "cx_1", 36_061, "DONE")]);
    let change =
        json!({"by": "BOOKER", "lines": [{"detail_no": "D1", "quantity": 1}], "fee_krw": 0, "refund_krw": 36_061});
    bridge.kakao_is(event("e2", "reservation.canceled", 2, &part, change), "accepted").await;
    bridge.set_time("2026-12-05T10:00:00+09:00");
    bridge.partners.next("/cancel-quote", Outcome::Says(404, json!({})));
    bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &json!({"reason": "x"})).await.expect(200);
    bridge.drain().await;
    let call = bridge.partners.sent("R1/cancel").into_iter().find(|s| s.method == "POST").expect("a call");
    // One adult and one child after discount are 56,938 won, of which 30% are kept.
    let fee = 17_081;
    assert_eq!(
        (&call.body["fee"]["amount_krw"], &call.body["fee"]["rate_bp"], &call.body["refund_krw"]),
        (&json!(fee), &json!(3_000), &json!(93_000 - 36_061 - fee))
    );
}

#[tokio::test]
async fn what_the_guest_is_told_of_a_cancellation_is_a_persons_task_once_it_has_come_about() {
    let bridge = TestBridge::start_kakao(CAN).await;
    booked(&bridge, "pd_plain").await;
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 93_000})));
    let words = json!({"reason": "storm", "notify_text": "The forest is closed by a storm. All of it goes back."});
    act(&bridge, "cancel", &words).await;
    let call = bridge.partners.sent("R1/cancel").into_iter().find(|s| s.method == "POST").expect("a call");
    assert!(!call.body.to_string().contains("The forest"), "the platform has no place for it: {}", call.body);
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    assert_eq!(shown["attention"], json!(null), "nothing is cancelled yet");
    let back = [("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")];
    let off = cancelled("R1", "pd_plain", "BY_PARTNER", 0, &back);
    bridge.kakao_is(event("e2", "reservation.canceled", 2, &off, json!({"by": "PARTNER"})), "accepted").await;
    bridge.drain().await;
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    assert_eq!(shown["attention"]["kind"], "to_do_by_hand");
    let sentence = shown["attention"]["sentence"].as_str().unwrap_or_default();
    assert!(sentence.contains("notify_text"), "{sentence}");
    let events = bridge.get(&format!("orders/{KAKAO}:R1/events")).await.expect(200).json();
    assert!(events.to_string().contains("The forest is closed by a storm"), "the person finds the words: {events}");
    // The person has told the guest, and says so, once.
    let deliveries = bridge.get("deliveries?state=dropped").await.expect(200).json();
    let told = deliveries["items"].as_array().expect("a list").iter().find(|it| it["call"] == "guest_message");
    let path = format!("deliveries/{}/drop", told.expect("the task")["id"].as_str().expect("an id"));
    bridge.post(&path, &json!({"reason": "told by phone"})).await.expect(200);
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    assert_eq!(shown["attention"], json!(null));
    bridge.post(&path, &json!({"reason": "again"})).await.problem(409, "already_dropped");
}

#[tokio::test]
async fn a_cancellation_that_the_platform_refuses_leaves_nothing_to_tell_the_guest() {
    let bridge = TestBridge::start_kakao(CAN).await;
    booked(&bridge, "pd_plain").await;
    bridge.partners.always("R1/cancel", refused());
    act(&bridge, "cancel", &json!({"reason": "storm", "notify_text": "All of it goes back."})).await;
    let order = bridge.booked("R1").await;
    assert!(order.needs(AttentionKind::NotificationRefused) && !order.needs(AttentionKind::ManualTask));
}

#[tokio::test]
async fn a_quote_for_a_part_that_names_more_than_the_part_costs_is_no_quote() {
    let bridge = TestBridge::start_kakao(&format!("{CAN}, \"partial_cancel\"")).await;
    booked(&bridge, "pd_plain").await;
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 93_000})));
    let one = json!({"reason": "one fell ill", "lines": [{"detail_no": "D1", "quantity": 1}]});
    act(&bridge, "cancel", &one).await;
    let sent = bridge.partners.sent("R1/cancel");
    assert!(sent.iter().all(|call| call.method != "POST"), "nothing is called off for the price of the whole");
    assert!(is_flagged(&bridge).await, "a person looks");
    assert!(bridge.booked("R1").await.channel_state.unwrap().proposal.is_none(), "and may ask for it again");
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 36_061})));
    act(&bridge, "cancel", &one).await;
    let call = bridge.partners.sent("R1/cancel").into_iter().find(|call| call.method == "POST").expect("a call");
    assert_eq!(call.body["refund_krw"], 36_061);
}

#[tokio::test]
async fn units_that_are_no_longer_told_of_leave_tickets_behind() {
    let bridge = TestBridge::start_kakao(CAN).await;
    booked(&bridge, "pd_auto").await;
    let mut fewer = may_be_parted(reservation("R1", "pd_auto", "CONFIRMED"));
    fewer["lines"].as_array_mut().expect("lines").pop();
    fewer["amounts"] = json!({"gross_krw": 76_000, "discount_krw": 0, "net_krw": 76_000, "onsite_krw": 0, "paid_krw": 76_000,
        "refunded_krw": 0, "fee_krw": 0});
    fewer["payments"].as_array_mut().expect("payments").pop();
    fewer["payments"][0]["amount_krw"] = json!(76_000);
    fewer["payments"][0]["cancelable_krw"] = json!(76_000);
    bridge.kakao_is(event("e2", "reservation.confirmed", 2, &fewer, json!({"by": "AUTO"})), "accepted").await;
    let order = bridge.booked("R1").await;
    let flag = order.attention.iter().find(|flag| flag.kind == AttentionKind::LiveTicketBehindRefund);
    assert!(flag.is_some_and(|flag| flag.sentence.contains("2 units")), "{:?}", order.attention);
}
