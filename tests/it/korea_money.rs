// SPDX-License-Identifier: Apache-2.0

//! Money where a platform contradicts itself or us: nothing goes back by itself unless its own count agrees, and what its books deny, or
//! hold beyond what was paid, is shown. Everything speaks HTTP to a running bridge; nobody in it exists.

use serde_json::{Value, json};
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState};

use crate::support::TestBridge;
use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation, with_cancels};
use crate::support::partners::Outcome;
use crate::support::tripstore::{self, kind, paid, trip};

/// How a change reaches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Event,
    /// A look at a newer count of changes.
    Books,
    /// A look at the count that we know.
    BooksUncounted,
}

const WAYS: [By; 3] = [By::Event, By::Books, By::BooksUncounted];

async fn confirmed() -> (TestBridge, Value) {
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    (bridge, it)
}

/// One round of reconciliation in which the platform's books say this.
async fn round(bridge: &TestBridge, stands: &Value, revision: u64) -> Value {
    bridge.partners.next("/v1/reservations?", Outcome::Says(200, json!({"reservations": []})));
    let answer = json!({"reservation": stands, "revision": revision});
    bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, answer));
    bridge.post("reconciliation", &json!({})).await.expect(200).json()
}

/// The platform says how the reservation stands now.
async fn says(bridge: &TestBridge, by: By, stands: &Value, kind: &str) {
    match by {
        By::Event => {
            bridge.kakao_is(event("e2", kind, 2, stands, json!({"by": "AUTO"})), "accepted").await;
        }
        By::Books => drop(round(bridge, stands, 2).await),
        By::BooksUncounted => drop(round(bridge, stands, 1).await),
    }
    bridge.drain().await;
}

fn nothing_went_back(bridge: &TestBridge, name: &str) {
    assert!(bridge.partners.sent("/payments/").is_empty(), "{name}: nothing goes back by itself");
}

#[tokio::test]
async fn a_payment_that_is_told_under_another_number_is_no_second_payment() {
    for by in WAYS {
        let (bridge, mut it) = confirmed().await;
        it["payments"][0]["payment_id"] = json!("re_1");
        says(&bridge, by, &it, "reservation.confirmed").await;
        nothing_went_back(&bridge, &format!("{by:?}"));
        let order = bridge.booked("R1").await;
        assert_eq!((order.money.received(), order.payment()), (93_000, PaymentState::Paid), "{by:?}");
        let flag = order.attention.iter().find(|flag| flag.kind == AttentionKind::Contradiction);
        assert!(flag.is_some_and(|flag| flag.sentence.contains("`pay_1`")), "{by:?}: {:?}", order.attention);
        // The list that holds now is what a person works with.
        let numbers: Vec<_> =
            order.channel_state.unwrap().standing.payments.into_iter().map(|payment| payment.id).collect();
        assert_eq!(numbers, ["re_1", "pay_2"], "{by:?}");
    }
}

#[tokio::test]
async fn a_payment_under_another_number_is_counted_once_whichever_is_told_first() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_plain", "CONFIRMED");
    let mut now = it.clone();
    now["payments"][0]["payment_id"] = json!("re_1");
    bridge.kakao_is(event("e2", "reservation.confirmed", 2, &now, json!({"by": "AUTO"})), "accepted").await;
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "stale").await;
    bridge.drain().await;
    nothing_went_back(&bridge, "late");
    let order = bridge.booked("R1").await;
    assert_eq!(order.money.received(), 93_000);
    assert!(order.needs(AttentionKind::Contradiction), "{:?}", order.attention);
}

#[tokio::test]
async fn a_payment_that_is_told_lower_sends_nothing_back() {
    for by in WAYS {
        let (bridge, mut it) = confirmed().await;
        it["amounts"]["discount_krw"] = json!(6_000);
        it["amounts"]["net_krw"] = json!(92_000);
        it["amounts"]["paid_krw"] = json!(92_000);
        it["payments"][0]["amount_krw"] = json!(89_000);
        it["payments"][0]["cancelable_krw"] = json!(89_000);
        says(&bridge, by, &it, "reservation.confirmed").await;
        nothing_went_back(&bridge, &format!("{by:?}"));
        let order = bridge.booked("R1").await;
        assert!(order.needs(AttentionKind::Contradiction), "{by:?}: {:?}", order.attention);
        assert!(!order.needs(AttentionKind::UnexpectedPayment), "{by:?}: by the platform nothing is too much");
        let report = round(&bridge, &it, 2).await;
        let found = &report["differences"][0];
        assert_eq!(
            (&found["field"], &found["ours"], &found["theirs"]),
            (&json!("received"), &json!("93000"), &json!("92000"))
        );
    }
}

/// The marketplace counts the money itself, too: a list that its own sum does not bear out moves nothing.
#[tokio::test]
async fn the_marketplaces_own_sum_decides_whether_something_is_too_much() {
    let full = || paid(kind(trip("T1", "COMPLETED"), "PARTIAL"), "tp_1", "DEPOSIT", 3_180_000, None);
    for counted in [3_180_000, 3_200_000] {
        let bridge = TestBridge::start_trip(tripstore::CAN).await;
        bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &full(), json!({})), "accepted").await;
        let mut more = paid(full(), "tp_2", "BALANCE", 20_000, None);
        more["amounts"]["paid_krw"] = json!(counted);
        bridge.trip_is(tripstore::event("e2", "payment.recorded", 2, &more, json!({})), "accepted").await;
        bridge.drain().await;
        let back = bridge.partners.sent("/payments/");
        let order = bridge.tripped("T1").await;
        if counted == 3_180_000 {
            assert!(back.is_empty(), "its own sum says that nothing is too much");
            assert!(order.needs(AttentionKind::Contradiction), "{:?}", order.attention);
        } else {
            assert_eq!(back.iter().map(|sent| sent.body["cancel_krw"].clone()).collect::<Vec<_>>(), [json!(20_000)]);
        }
        // Another number in place of one that is no longer listed is the same money here, too.
        let renamed = paid(kind(trip("T2", "COMPLETED"), "PARTIAL"), "tp_3", "DEPOSIT", 3_180_000, None);
        bridge.trip_is(tripstore::event("f1", "booking.completed", 1, &renamed, json!({})), "accepted").await;
        let renamed = paid(kind(trip("T2", "COMPLETED"), "PARTIAL"), "tp_4", "DEPOSIT", 3_180_000, None);
        bridge.trip_is(tripstore::event("f2", "booking.completed", 2, &renamed, json!({})), "accepted").await;
        bridge.drain().await;
        assert!(bridge.partners.sent("/T2/payments/").is_empty());
        let order = bridge.tripped("T2").await;
        assert_eq!(order.money.received(), 3_180_000);
        assert!(order.needs(AttentionKind::Contradiction), "{:?}", order.attention);
    }
}

#[tokio::test]
async fn money_that_the_books_deny_is_shown_within_one_round() {
    let gone = |it: &Value| {
        let mut it = it.clone();
        it["payments"] = json!([]);
        it["amounts"]["paid_krw"] = json!(0);
        it
    };
    for by in WAYS {
        let (bridge, it) = confirmed().await;
        says(&bridge, by, &gone(&it), "reservation.confirmed").await;
        let order = bridge.booked("R1").await;
        assert!(order.needs(AttentionKind::BooksDiffer), "{by:?}: {:?}", order.attention);
        assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Confirmed, "{by:?}");
        let report = round(&bridge, &gone(&it), 2).await;
        let found = &report["differences"][0];
        assert_eq!(
            (&found["field"], &found["ours"], &found["theirs"], &found["repaired"]),
            (&json!("received"), &json!("93000"), &json!("0"), &json!(false)),
            "{by:?}: {report}"
        );
        // Books that have it again settle it.
        let report = round(&bridge, &it, 3).await;
        assert!(bridge.booked("R1").await.attention.is_empty(), "{by:?}: {report}");
        nothing_went_back(&bridge, &format!("{by:?}"));
    }
}

#[tokio::test]
async fn a_return_that_is_no_longer_told_is_shown_within_one_round() {
    for by in WAYS {
        let (bridge, it) = confirmed().await;
        let told = with_cancels(it.clone(), &[("pay_1", "cx_1", 9_000, "DONE")]);
        let revision = if by == By::Event { 2 } else { 1 };
        // An order that has come to its end is looked at as long as it is unsettled.
        let mut back = event("e3", "payment.canceled", 2, &told, json!({}));
        if by != By::Event {
            bridge.kakao_is(back, "accepted").await;
            let report = round(&bridge, &it, revision + u64::from(by == By::Books) + 1).await;
            assert_eq!(report["differences"][0]["field"], "refunded", "{by:?}: {report}");
        } else {
            back["revision"] = json!(2);
            bridge.kakao_is(back, "accepted").await;
            let used = reservation("R1", "pd_plain", "USED");
            bridge.kakao_is(event("e4", "reservation.used", 3, &used, json!({"by": "CODE"})), "accepted").await;
            assert_eq!(bridge.booked("R1").await.state, OrderState::Completed);
            let report = round(&bridge, &used, 3).await;
            assert_eq!(report["differences"][0]["field"], "refunded", "{by:?}: {report}");
        }
        let order = bridge.booked("R1").await;
        assert!(order.needs(AttentionKind::BooksDiffer), "{by:?}: {:?}", order.attention);
    }
}

/// Money that an older message told and the newest one does not have.
#[tokio::test]
async fn money_of_an_older_message_that_the_newest_does_not_list_is_shown() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_plain", "CONFIRMED");
    let told = with_cancels(it.clone(), &[("pay_1", "cx_1", 9_000, "DONE")]);
    bridge.kakao_is(event("e3", "reservation.confirmed", 3, &it, json!({"by": "AUTO"})), "accepted").await;
    bridge.kakao_is(event("e2", "payment.canceled", 2, &told, json!({})), "stale").await;
    let order = bridge.booked("R1").await;
    assert!(order.needs(AttentionKind::BooksDiffer), "{:?}", order.attention);
}

/// What cannot be is taken at its word with everything else that the message tells: the guest was there.
#[tokio::test]
async fn more_that_went_back_than_was_paid_hides_nothing_else() {
    let over = with_cancels(
        reservation("R1", "pd_plain", "USED"),
        &[("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")],
    );
    let mut over = with_cancels(over, &[("pay_2", "cx_3", 1_000, "DONE")]);
    over["payments"][1]["cancelable_krw"] = json!(0);
    over["amounts"]["refunded_krw"] = json!(94_000);
    for by in WAYS {
        let (bridge, _) = confirmed().await;
        says(&bridge, by, &over, "payment.canceled").await;
        let order = bridge.booked("R1").await;
        assert_eq!(order.state, OrderState::Completed, "{by:?}");
        assert_eq!(order.money.refunded(), 94_000, "{by:?}");
        for kind in [AttentionKind::Contradiction, AttentionKind::BooksDiffer, AttentionKind::UnexpectedPayment] {
            assert!(order.needs(kind), "{by:?} {kind:?}: {:?}", order.attention);
        }
        let report = round(&bridge, &over, 2).await;
        let found = &report["differences"][0];
        assert_eq!((&found["field"], &found["theirs"]), (&json!("refunded"), &json!("94000")), "{by:?}: {report}");
        assert_eq!(report["unanswered"], 0, "{by:?}");
    }
    // A count that no movement bears out is a mistake in the message.
    let (bridge, mut it) = confirmed().await;
    it["amounts"]["refunded_krw"] = json!(93_001);
    bridge.kakao(&event("e9", "reservation.confirmed", 2, &it, json!({}))).await.problem(422, "amount_mismatch");
}

#[tokio::test]
async fn a_return_that_failed_is_made_again_by_its_own_amount() {
    let (bridge, _) = confirmed().await;
    let failed = with_cancels(reservation("R1", "pd_plain", "USED"), &[("pay_2", "cx_1", 2_000, "FAILED")]);
    bridge.kakao_is(event("e2", "payment.canceled", 2, &failed, json!({})), "accepted").await;
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    let sentence = shown["attention"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("return-payment") && sentence.contains("--amount 2000 "), "{sentence}");
    let path = format!("orders/{KAKAO}:R1/return-payment");
    bridge.post(&path, &json!({"reason": "x"})).await.problem(422, "invalid");
    bridge.post(&path, &json!({"amount": 2_000, "reason": "x"})).await.expect(200);
    bridge.drain().await;
    let back = bridge.partners.sent("/payments/");
    assert_eq!(back.iter().map(|sent| sent.body["cancel_krw"].clone()).collect::<Vec<_>>(), [json!(2_000)]);
}

/// The platform gives nothing back alone of a booking that is cancelled: it would be a call that is refused.
#[tokio::test]
async fn what_was_kept_of_a_cancelled_booking_is_not_returned_alone() {
    let (bridge, _) = confirmed().await;
    let kept = cancelled(
        "R1",
        "pd_plain",
        "BY_PARTNER",
        1_000,
        &[("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 2_000, "DONE")],
    );
    let change = json!({"by": "PARTNER", "ex_officio": false, "fee_krw": 1_000, "refund_krw": 92_000, "canceled_at": "2026-11-22T11:00:00+09:00"});
    bridge.kakao_is(event("e2", "reservation.canceled", 2, &kept, change), "accepted").await;
    bridge.drain().await;
    let body = json!({"amount": 700, "reason": "kindness"});
    bridge.post(&format!("orders/{KAKAO}:R1/return-payment"), &body).await.problem(409, "not_supported");
    let steps = bridge.get(&format!("orders/{KAKAO}:R1/next-steps")).await.expect(200).json();
    let acts = steps["actions"].as_array().expect("acts");
    let act = acts.iter().find(|act| act["act"] == "return-payment").expect("the act");
    assert_eq!(act["allowed"], false, "{act}");
    bridge.drain().await;
    assert!(bridge.partners.sent("/payments/").is_empty());
}
