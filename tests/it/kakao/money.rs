// SPDX-License-Identifier: Apache-2.0

//! Money that goes back: with the booking, without it, late, failed, as credit; and what is kept.

use serde_json::json;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, BookingState, CancelReason, OrderState, TicketingState};

use crate::support::TestBridge;
use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation, with_cancels};
use crate::support::partners::Outcome;

async fn used(bridge: &TestBridge) {
    let booked = reservation("R1", "pd_auto", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    let used = reservation("R1", "pd_auto", "USED");
    let change = json!({"by": "CODE", "used_at": "2026-12-13T10:00:00+09:00"});
    bridge.kakao_is(event("e2", "reservation.used", 2, &used, change), "accepted").await;
}

#[tokio::test]
async fn edge_07_and_09_a_payment_goes_back_and_the_booking_stays_used() {
    let bridge = TestBridge::start_kakao(CAN).await;
    used(&bridge).await;
    let body = json!({"amount": 91_000, "reason": "late start"});
    bridge.post(&format!("orders/{KAKAO}:R1/return-payment"), &body).await.expect(200);
    bridge.drain().await;
    let calls = bridge.partners.sent("/payments/");
    let sent: Vec<_> =
        calls.iter().map(|s| (s.url.rsplit('/').nth(1).unwrap().to_owned(), s.body["cancel_krw"].clone())).collect();
    assert_eq!(
        sent,
        [("pay_1".to_owned(), json!(90_000)), ("pay_2".to_owned(), json!(1_000))],
        "one call for each means"
    );
    assert_eq!(calls[1].body["expect_cancelable_krw"], 3_000);
    assert_eq!(bridge.booked("R1").await.payment(), PaymentState::RefundPending);
    let back = with_cancels(
        reservation("R1", "pd_auto", "USED"),
        &[("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 1_000, "DONE")],
    );
    bridge.kakao_is(event("e3", "payment.canceled", 3, &back, json!({})), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Completed);
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Used);
    assert_eq!(order.booking.as_ref().unwrap().ticketing.state, TicketingState::Issued);
    assert_eq!(order.payment(), PaymentState::PartiallyRefunded);
    assert_eq!(order.money.refunded(), 91_000, "the platform's own numbers replace ours");
    bridge.drain().await;
    assert!(bridge.partners.sent("/bridge/reservations").iter().all(|s| !s.url.ends_with("/cancel")));
}

#[tokio::test]
async fn payments_told_back_in_the_change_alone_count_too() {
    let bridge = TestBridge::start_kakao(CAN).await;
    used(&bridge).await;
    let mut now = reservation("R1", "pd_auto", "USED");
    now["amounts"]["refunded_krw"] = json!(93_000);
    now["payments"][0]["cancelable_krw"] = json!(0);
    now["payments"][1]["cancelable_krw"] = json!(0);
    let cancel = |payment: &str, id: &str, amount: i64| {
        json!({"payment_id": payment, "cancel_id": id, "amount_krw": amount, "kind": "PAYMENT_ONLY", "status": "DONE",
               "done_at": "2026-12-14T11:02:00+09:00"})
    };
    let change = json!({"cancels": [cancel("pay_1", "cx_1", 90_000), cancel("pay_2", "cx_2", 3_000)]});
    bridge.kakao_is(event("e5", "payment.canceled", 5, &now, change), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!((order.state, order.payment()), (OrderState::Completed, PaymentState::Refunded));
    assert!(order.attention.is_empty(), "{:?}", order.attention);
}

#[tokio::test]
async fn edge_08_and_29_what_cannot_go_back_is_refused_here() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    used(&bridge).await;
    let path = format!("orders/{KAKAO}:R1/return-payment");
    bridge.post(&path, &json!({"amount": 93_001, "reason": "x"})).await.problem(409, "refund_exceeds");
    bridge.post(&path, &json!({"reason": "x"})).await.expect(200);
    bridge.post(&path, &json!({"amount": 1, "reason": "x"})).await.problem(409, "refund_exceeds");
    let mut free = reservation("R2", "pd_plain", "USED");
    free["payment_mode"] = json!("BOOKING_ONLY");
    free["payments"] = json!([]);
    free["amounts"] = json!({"gross_krw": 98000, "discount_krw": 0, "net_krw": 98000, "onsite_krw": 98000, "paid_krw": 0,
        "refunded_krw": 0, "fee_krw": 0});
    bridge.kakao_is(event("f1", "reservation.confirmed", 1, &free, json!({})), "accepted").await;
    assert_eq!(bridge.booked("R2").await.payment(), PaymentState::None);
    bridge.post(&format!("orders/{KAKAO}:R2/return-payment"), &json!({"reason": "x"})).await.problem(422, "no_payment");
    let live = reservation("R3", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("g1", "reservation.confirmed", 1, &live, json!({})), "accepted").await;
    bridge.post(&format!("orders/{KAKAO}:R3/return-payment"), &json!({"reason": "x"})).await.problem(409, "not_used");
}

#[tokio::test]
async fn a_refused_return_is_taken_off_the_books_and_shown() {
    let bridge = TestBridge::start_kakao(CAN).await;
    used(&bridge).await;
    bridge
        .partners
        .next("/payments/pay_1", Outcome::Says(409, json!({"error": {"code": "cancelable_changed", "message": "no"}})));
    bridge.post(&format!("orders/{KAKAO}:R1/return-payment"), &json!({"amount": 500, "reason": "x"})).await.expect(200);
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.payment(), PaymentState::Paid);
    assert_eq!(bridge.get("deliveries?state=dead").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn edge_10_the_money_of_a_guest_who_did_not_come_goes_back_and_nothing_else_moves() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let booked = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
    let gone = reservation("R1", "pd_plain", "NO_SHOW");
    bridge
        .kakao_is(
            event("e2", "reservation.no_show", 2, &gone, json!({"marked_at": "2026-12-13T13:00:00+09:00"})),
            "accepted",
        )
        .await;
    let back = with_cancels(gone, &[("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "CREDITED")]);
    bridge.kakao_is(event("e3", "payment.canceled", 3, &back, json!({})), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::NoShow);
    assert_eq!(order.payment(), PaymentState::Refunded, "credit is money returned");
}

#[tokio::test]
async fn edge_25_26_27_28_what_is_kept_and_what_goes_back() {
    use PaymentState::{Paid, PartiallyRefunded, RefundFailed, RefundPending, Refunded};
    let both = |status| vec![("pay_1", "cx_1", 90_000, status), ("pay_2", "cx_2", 3_000, status)];
    for (name, fee, cancels, payment, kept) in [
        ("a fee of everything", 93_000, vec![], Paid, 93_000),
        ("a fee above what was paid", 120_000, vec![], Paid, 93_000),
        ("all back", 0, both("DONE"), Refunded, 0),
        ("as credit", 0, both("CREDITED"), Refunded, 0),
        ("on its way", 0, both("PENDING"), RefundPending, 0),
        ("promised, no movement told", 0, vec![], RefundPending, 0),
        ("failed", 0, both("FAILED"), RefundFailed, 0),
        (
            "in parts",
            0,
            vec![("pay_1", "a", 50_000, "DONE"), ("pay_1", "b", 40_000, "DONE"), ("pay_2", "c", 3_000, "DONE")],
            Refunded,
            0,
        ),
        ("with a fee", 3_000, vec![("pay_1", "a", 90_000, "DONE")], PartiallyRefunded, 3_000),
        (
            "failed, and made again",
            0,
            vec![("pay_1", "a", 90_000, "FAILED"), ("pay_1", "b", 90_000, "DONE"), ("pay_2", "c", 3_000, "DONE")],
            Refunded,
            0,
        ),
        (
            "failed, and not made again",
            0,
            vec![("pay_1", "a", 90_000, "FAILED"), ("pay_2", "c", 3_000, "DONE")],
            RefundFailed,
            0,
        ),
    ] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let booked = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
        let off = cancelled("R1", "pd_plain", "BY_BOOKER", fee, &cancels);
        bridge.kakao_is(event("e2", "reservation.canceled", 2, &off, json!({"by": "BOOKER"})), "accepted").await;
        let order = bridge.booked("R1").await;
        assert_eq!((order.payment(), order.money.fee()), (payment, kept), "{name}");
        assert_eq!(order.state, OrderState::Cancelled, "{name}");
        let kinds: Vec<_> = order.attention.iter().map(|flag| flag.kind).collect();
        let shown: &[_] = if payment == RefundFailed { &[AttentionKind::RefundFailed] } else { &[] };
        assert_eq!(kinds, shown, "{name}");
    }
}

#[tokio::test]
async fn a_refund_that_failed_is_followed_to_its_end() {
    for end in ["DONE", "CREDITED"] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let booked = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
        for (revision, status, expected) in [
            (2, "PENDING", PaymentState::RefundPending),
            (3, "FAILED", PaymentState::RefundFailed),
            (4, end, PaymentState::PartiallyRefunded),
        ] {
            let off = cancelled("R1", "pd_plain", "BY_BOOKER", 3_000, &[("pay_1", "cx_1", 90_000, status)]);
            let change = json!({"cancel_id": "cx_1", "status": status});
            let id = format!("e{revision}");
            bridge.kakao_is(event(&id, "payment.refund_updated", revision, &off, change), "accepted").await;
            assert_eq!(bridge.booked("R1").await.payment(), expected, "{status}");
        }
        // An old message about the same movement takes nothing back.
        let old = cancelled("R1", "pd_plain", "BY_BOOKER", 3_000, &[("pay_1", "cx_1", 90_000, "PENDING")]);
        bridge.kakao_is(event("old", "payment.refund_updated", 2, &old, json!({})), "stale").await;
        assert_eq!(
            bridge.booked("R1").await.payment(),
            PaymentState::PartiallyRefunded,
            "what is kept is not returned"
        );
    }
}

#[tokio::test]
async fn ops_cancel_by_the_platforms_quote_and_may_lower_the_fee_only() {
    for (asked, quoted, sent) in
        [(None, 27_900, 27_900), (Some(10_000), 27_900, 10_000), (Some(0), 27_900, 0), (Some(27_900), 20_000, 20_000)]
    {
        let bridge = TestBridge::start_kakao(CAN).await;
        let booked = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
        bridge.set_time("2026-12-05T10:00:00+09:00");
        bridge
            .partners
            .next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": quoted, "refund_krw": 93_000 - quoted})));
        bridge.partners.next("R1/cancel", Outcome::Says(200, json!({"reservation_no": "R1", "status": "CANCELED"})));
        let mut body = json!({"reason": "guide is ill"});
        if let Some(fee) = asked {
            body["fee"] = json!(fee);
        }
        bridge
            .post(&format!("orders/{KAKAO}:R1/cancel"), &json!({"reason": "x", "fee": 27_901}))
            .await
            .problem(422, "fee_above_default");
        bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &body).await.expect(200);
        bridge.drain().await;
        let call = bridge.partners.sent("R1/cancel").pop().unwrap();
        assert_eq!(call.body["fee"]["amount_krw"], sent);
        assert_eq!(call.body["refund_krw"], 93_000 - sent);
        assert_eq!((&call.body["expect_paid_krw"], &call.body["expect_refunded_krw"]), (&json!(93_000), &json!(0)));
        assert_eq!(call.body["internal_reason"], "guide is ill", "edge 31: it stays inside");
        let order = bridge.booked("R1").await;
        assert_eq!((order.state, order.cancel_reason), (OrderState::Cancelled, Some(CancelReason::ByOps)));
        assert_eq!(order.payment(), PaymentState::RefundPending);
    }
}

#[tokio::test]
async fn a_cancel_after_use_needs_the_platforms_authority() {
    crate::support::leaves_work();
    for (ex_officio, state) in [(false, OrderState::Completed), (true, OrderState::Cancelled)] {
        let bridge = TestBridge::start_kakao(CAN).await;
        used(&bridge).await;
        let mut off = cancelled(
            "R1",
            "pd_auto",
            "BY_PARTNER",
            0,
            &[("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")],
        );
        off["ex_officio"] = json!(ex_officio);
        bridge.kakao_is(event("e3", "reservation.canceled", 3, &off, json!({"by": "PARTNER"})), "accepted").await;
        let order = bridge.booked("R1").await;
        assert_eq!(order.state, state);
        assert_eq!(order.payment(), PaymentState::Refunded);
        assert_eq!(order.attention.is_empty(), ex_officio);
    }
}

#[tokio::test]
async fn a_part_cancelled_leaves_the_rest_as_it_is() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut part = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &part, json!({"by": "AUTO"})), "accepted").await;
    part["lines"][0]["canceled_quantity"] = json!(1);
    let part = with_cancels(part, &[("pay_1", "cx_1", 38_000, "DONE")]);
    let change =
        json!({"by": "BOOKER", "lines": [{"detail_no": "D1", "quantity": 1}], "fee_krw": 0, "refund_krw": 38_000});
    bridge.kakao_is(event("e2", "reservation.canceled", 2, &part, change), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!((order.state, order.live_units()), (OrderState::Booked, 2));
    assert_eq!(order.payment(), PaymentState::PartiallyRefunded);
}

#[tokio::test]
async fn a_return_told_by_its_number_alone_is_followed_to_its_end_and_a_failed_one_is_shown_until_made_good() {
    let bridge = TestBridge::start_kakao(CAN).await;
    used(&bridge).await;
    let now = reservation("R1", "pd_auto", "USED");
    let cancel = json!({"payment_id": "pay_2", "cancel_id": "cx_1", "amount_krw": 3_000, "kind": "PAYMENT_ONLY", "status": "PENDING"});
    let told = |status: &str| json!({"cancel_id": "cx_1", "status": status});
    bridge.kakao_is(event("e3", "payment.canceled", 3, &now, json!({"cancels": [cancel]})), "accepted").await;
    assert_eq!(bridge.booked("R1").await.payment(), PaymentState::RefundPending);
    bridge.kakao_is(event("e4", "payment.refund_updated", 4, &now, told("FAILED")), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.payment(), PaymentState::RefundFailed);
    assert!(order.needs(AttentionKind::RefundFailed), "{:?}", order.attention);
    bridge.kakao_is(event("e5", "payment.refund_updated", 5, &now, told("CREDITED")), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!((order.payment(), order.money.refunded()), (PaymentState::PartiallyRefunded, 3_000));
    assert!(order.attention.is_empty(), "{:?}", order.attention);
}

#[tokio::test]
async fn a_failed_return_is_shown_again_when_its_repetition_is_refused() {
    let bridge = TestBridge::start_kakao(CAN).await;
    used(&bridge).await;
    let failed = with_cancels(reservation("R1", "pd_auto", "USED"), &[("pay_2", "cx_1", 3_000, "FAILED")]);
    bridge.kakao_is(event("e3", "payment.canceled", 3, &failed, json!({})), "accepted").await;
    let path = format!("orders/{KAKAO}:R1/return-payment");
    assert!(bridge.booked("R1").await.needs(AttentionKind::RefundFailed));
    bridge.partners.next("/payments/", Outcome::Says(409, json!({"error": {"code": "cancelable_changed"}})));
    bridge.advance(ticketbridge_core::Millis::minutes(1));
    bridge.post(&path, &json!({"amount": 3_000, "reason": "x"})).await.expect(200);
    assert!(!bridge.booked("R1").await.needs(AttentionKind::RefundFailed), "it is on its way");
    bridge.drain().await;
    assert!(bridge.booked("R1").await.needs(AttentionKind::RefundFailed));
}

#[tokio::test]
async fn one_payment_told_for_two_reservations_pays_for_the_first_alone() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let first = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &first, json!({"by": "AUTO"})), "accepted").await;
    let mut second = reservation("R2", "pd_plain", "CONFIRMED");
    second["payments"] = first["payments"].clone();
    for (id, revision) in [("e2", 1), ("e3", 2)] {
        let told = event(id, "reservation.confirmed", revision, &second, json!({"by": "AUTO"}));
        bridge.kakao_is(told, "accepted").await;
        let order = bridge.booked("R2").await;
        assert_eq!((order.money.received(), order.payment()), (0, PaymentState::Unpaid));
        let flags: Vec<_> = order.attention.iter().map(|flag| (flag.kind, flag.sentence.as_str())).collect();
        assert!(
            flags.iter().any(|(kind, said)| *kind == AttentionKind::Contradiction && said.contains("`pay_1`")),
            "{flags:?}"
        );
    }
    let order = bridge.booked("R1").await;
    assert_eq!((order.money.received(), order.attention.len()), (93_000, 0), "{:?}", order.attention);
    // The first one tells of its own payments for as long as it lives.
    bridge.kakao_is(event("e4", "reservation.confirmed", 2, &first, json!({"by": "AUTO"})), "accepted").await;
    assert_eq!(bridge.booked("R1").await.attention.len(), 0);
}

#[tokio::test]
async fn a_return_that_finishes_late_is_one_return_however_it_is_told() {
    for change in
        [json!({"cancel_id": "cx_1", "status": "DONE"}), json!({"cancel_id": "cx_1", "status": "CREDITED"}), json!({})]
    {
        let bridge = TestBridge::start_kakao(CAN).await;
        let booked = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
        let back = |status| {
            let both = [("pay_1", "cx_1", 90_000, status), ("pay_2", "cx_2", 3_000, "DONE")];
            cancelled("R1", "pd_plain", "BY_BOOKER", 0, &both)
        };
        bridge.kakao_is(event("e2", "reservation.canceled", 2, &back("PENDING"), json!({})), "accepted").await;
        assert_eq!(bridge.booked("R1").await.payment(), PaymentState::RefundPending);
        bridge.kakao_is(event("e3", "payment.refund_updated", 3, &back("DONE"), change.clone()), "accepted").await;
        let order = bridge.booked("R1").await;
        assert_eq!((order.payment(), order.money.refunded()), (PaymentState::Refunded, 93_000), "{change}");
        assert!(order.attention.is_empty(), "{change}: {:?}", order.attention);
    }
}

/// What makes the money of a reservation not add up.
type Spoil = dyn Fn(&mut serde_json::Value);

/// Money that does not add up is shown: counted and not named, named twice, kept of what lives, or left of what is whole (korea.md 7.4, 7.5).
#[tokio::test]
async fn money_that_does_not_add_up_is_shown() {
    use AttentionKind::{BooksDiffer, Contradiction};
    let twice = |it: &mut serde_json::Value| {
        it["payments"][0]["amount_krw"] = json!(46_500);
        it["payments"][0]["cancelable_krw"] = json!(46_500);
        it["payments"][1] = it["payments"][0].clone();
    };
    let wrong: [(&str, AttentionKind, &Spoil); 4] = [
        ("counted as returned, by no movement", BooksDiffer, &|it| it["amounts"]["refunded_krw"] = json!(5_000)),
        ("one payment named twice", BooksDiffer, &twice),
        ("a fee of what lives", Contradiction, &|it| it["amounts"]["fee_krw"] = json!(5_000)),
        ("little left of a whole payment", Contradiction, &|it| it["payments"][0]["cancelable_krw"] = json!(1)),
    ];
    for (name, kind, change) in wrong {
        let bridge = TestBridge::start_kakao(CAN).await;
        let mut it = reservation("R1", "pd_plain", "CONFIRMED");
        change(&mut it);
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
        let order = bridge.booked("R1").await;
        assert!(order.needs(kind), "{name}: {:?}", order.attention);
        let right = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao_is(event("e2", "payment.refund_updated", 2, &right, json!({})), "accepted").await;
        let is_one_still = name == "one payment named twice";
        assert_eq!(
            bridge.booked("R1").await.attention.is_empty(),
            !is_one_still,
            "{name}: a newer one that fits settles it"
        );
    }
}
