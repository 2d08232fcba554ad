// SPDX-License-Identifier: Apache-2.0

//! What a platform's message means: what makes two of them one, what is refused with its field, and what is taken and shown.

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState};

use crate::support::TestBridge;
use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation};
use crate::support::partners::Outcome;

fn requested() -> Value {
    event("e1", "reservation.requested", 1, &reservation("R1", "pd_plain", "REQUESTED"), json!({}))
}

/// One round of reconciliation in which the platform's list is empty, and its books say this of each number.
async fn round(bridge: &TestBridge, books: &[(&str, &Value, u64)]) -> Value {
    bridge.partners.next("/v1/reservations?", Outcome::Says(200, json!({"reservations": []})));
    for (number, stands, revision) in books {
        let says = Outcome::Says(200, json!({"reservation": stands, "revision": revision}));
        bridge.partners.next(&format!("/v1/reservations/{number}"), says);
    }
    bridge.post("reconciliation", &json!({})).await.expect(200).json()
}

/// One event is told twice; its time of telling, and how the phone is written, are no part of what it says.
#[tokio::test]
async fn a_repeat_is_judged_by_what_it_says() {
    let bridge = TestBridge::start_kakao(CAN).await;
    bridge.kakao_is(requested(), "accepted").await;
    for phone in ["+82 10-1234-5678", "01012345678", "+821012345678", "0082 10 1234 5678"] {
        let mut again = requested();
        again["occurred_at"] = json!("2026-11-21T11:05:00+09:00");
        again["reservation"]["booker"]["phone"] = json!(phone);
        bridge.kakao_is(again, "duplicate").await;
    }
    assert!(!bridge.booked("R1").await.needs(AttentionKind::Contradiction));
    let mut other = requested();
    other["reservation"]["booker"]["phone"] = json!("010-1234-5679");
    bridge.kakao(&other).await.problem(409, "event_id_reused");
}

#[tokio::test]
async fn a_number_with_a_blank_is_no_number() {
    let bridge = TestBridge::start_kakao(CAN).await;
    bridge.kakao_is(requested(), "accepted").await;
    for number in [" R1", "R1 ", "R1\n", "\tR1"] {
        let mut told = requested();
        told["event_id"] = json!("e2");
        told["reservation"]["reservation_no"] = json!(number);
        let said = bridge.kakao(&told).await.problem(422, "invalid_field");
        assert!(said.contains("reservation_no"), "{said}");
    }
}

#[tokio::test]
async fn a_use_before_the_day_of_the_visit_is_taken_and_shown() {
    for (used_at, is_shown) in [("2026-12-12T23:59:59+09:00", true), ("2026-12-13T00:00:00+09:00", false)] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let first = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &first, json!({"by": "AUTO"})), "accepted").await;
        let mut it = reservation("R1", "pd_plain", "USED");
        for line in it["lines"].as_array_mut().expect("lines") {
            line["used_quantity"] = line["quantity"].clone();
        }
        let told = event("e2", "reservation.used", 2, &it, json!({"by": "CODE", "used_at": used_at}));
        bridge.kakao_is(told, "accepted").await;
        let order = bridge.booked("R1").await;
        assert_eq!(order.state, OrderState::Completed, "{used_at}");
        assert_eq!(order.needs(AttentionKind::Contradiction), is_shown, "{used_at}: {:?}", order.attention);
    }
}

/// Neither a time of it nor a count: when the platform said so, or is asked and says so, the day had not come.
#[tokio::test]
async fn a_visit_that_is_over_before_its_day_is_shown_without_a_date_or_a_count() {
    for (kind, status, words) in [
        ("reservation.used", "USED", "used on 2026-11-21, before the day of the visit, 2026-12-13"),
        ("reservation.no_show", "NO_SHOW", "marked as not come on 2026-11-21, before the day"),
    ] {
        for is_told in [true, false] {
            let bridge = TestBridge::start_kakao(CAN).await;
            let first = reservation("R1", "pd_plain", "CONFIRMED");
            bridge.kakao_is(event("e1", "reservation.confirmed", 1, &first, json!({"by": "AUTO"})), "accepted").await;
            let it = reservation("R1", "pd_plain", status);
            if is_told {
                bridge.kakao_is(event("e2", kind, 2, &it, json!({})), "accepted").await;
            } else {
                round(&bridge, &[("R1", &it, 2)]).await;
            }
            let order = bridge.booked("R1").await;
            assert_eq!(order.state, OrderState::Completed, "{status}");
            let flags: Vec<_> = order.attention.iter().map(|flag| flag.sentence.as_str()).collect();
            assert!(flags.len() == 1 && flags[0].starts_with(words), "{status}, told {is_told}: {flags:?}");
            // What comes after its day finds nothing odd about it; what was odd stays shown.
            bridge.set_time("2026-12-13T13:00:00+09:00");
            let mut later = event("e3", "payment.canceled", 3, &it, json!({}));
            later["occurred_at"] = json!("2026-12-13T12:59:00+09:00");
            bridge.kakao_is(later, "accepted").await;
            assert_eq!(bridge.booked("R1").await.attention.len(), 1, "{status}, told {is_told}");
        }
        let bridge = TestBridge::start_kakao(CAN).await;
        let first = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &first, json!({"by": "AUTO"})), "accepted").await;
        bridge.set_time("2026-12-13T13:00:00+09:00");
        round(&bridge, &[("R1", &reservation("R1", "pd_plain", status), 2)]).await;
        let order = bridge.booked("R1").await;
        assert!(order.attention.is_empty(), "{status} on its day: {:?}", order.attention);
    }
}

/// A payment that two reservations name is one payment: that is shown, and no round says that it has repaired anything.
#[tokio::test]
async fn a_payment_of_another_order_is_no_news_in_any_round() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let first = reservation("R1", "pd_plain", "CONFIRMED");
    let mut second = reservation("R2", "pd_plain", "CONFIRMED");
    second["payments"][0]["payment_id"] = json!("pay_1");
    for (id, it) in [("e1", &first), ("e2", &second)] {
        bridge.kakao_is(event(id, "reservation.confirmed", 1, it, json!({"by": "AUTO"})), "accepted").await;
    }
    assert!(bridge.booked("R2").await.needs(AttentionKind::Contradiction));
    for _ in 0..2 {
        let report = round(&bridge, &[("R1", &first, 1), ("R2", &second, 1)]).await;
        assert_eq!((&report["repaired"], &report["differences"]), (&json!(0), &json!([])), "{report}");
    }
}

/// The platform cancelled it, keeps nothing, and returns nothing either: after two days a person sees it.
#[tokio::test]
async fn money_that_does_not_go_back_is_shown() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    let off = cancelled("R1", "pd_plain", "BY_BOOKER", 0, &[]);
    bridge.kakao_is(event("e2", "reservation.canceled", 2, &off, json!({"by": "BOOKER"})), "accepted").await;
    round(&bridge, &[("R1", &off, 2)]).await;
    assert!(!bridge.booked("R1").await.needs(AttentionKind::BooksDiffer), "it takes its time");
    bridge.advance(Millis::hours(49));
    round(&bridge, &[("R1", &off, 2)]).await;
    let order = bridge.booked("R1").await;
    let flag = order.attention.iter().find(|flag| flag.kind == AttentionKind::BooksDiffer);
    assert!(flag.is_some_and(|flag| flag.sentence.starts_with("93000 was to go back")), "{:?}", order.attention);
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    assert_eq!(shown["payment"]["state"], "refund_pending");
    let returned = [("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")];
    let back = cancelled("R1", "pd_plain", "BY_BOOKER", 0, &returned);
    bridge.kakao_is(event("e3", "payment.refund_updated", 3, &back, json!({})), "accepted").await;
    assert!(bridge.booked("R1").await.attention.is_empty(), "{:?}", bridge.booked("R1").await.attention);
}

/// A guest may have paid for it: it is kept and shown, and taken on once the product is there.
#[tokio::test]
async fn a_booking_of_a_product_that_is_not_configured_is_taken_on_once_it_is() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    let named = |number: &str| {
        let mut it = reservation(number, "pd_new", "CONFIRMED");
        for line in it["lines"].as_array_mut().expect("lines") {
            line["detail_no"] = json!(format!("{}-{number}", line["detail_no"].as_str().expect("a number")));
        }
        event(&format!("e-{number}"), "reservation.confirmed", 1, &it, json!({"by": "AUTO"}))
    };
    for number in ["R1", "R2"] {
        for _ in 0..2 {
            let answer = bridge.kakao(&named(number)).await.expect(422).json();
            assert_eq!(answer["code"], "unknown_product", "{answer}");
        }
    }
    let kept = bridge.get("inbox?verdict=refused").await.expect(200).json();
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(2), "{kept}");
    let products = bridge.read_config("products/kakao.toml").replace("pd_plain", "pd_new");
    bridge.write_config("products/kakao.toml", &products);
    ticketbridge::service::reload::reload(bridge.bridge.shared(), None).await.expect("the configuration is right");
    for number in ["R1", "R2"] {
        let order = bridge.booked(number).await;
        assert_eq!((order.money.received(), order.booking.map(|it| it.state)), (93_000, Some(BookingState::Confirmed)));
        let again = bridge.kakao_is(named(number), "duplicate").await;
        assert_eq!(again["order_id"], order.id.as_str());
    }
    assert_eq!(bridge.get("inbox?verdict=refused").await.expect(200).json()["items"], json!([]));
}

/// Each connection has one settle unit: money that the platform settles under another one is shown.
#[tokio::test]
async fn a_message_that_names_another_settle_unit_is_shown() {
    crate::support::leaves_work();
    let file = crate::support::kakao::channel_file(CAN).replace("adapter = ", "settle_id = \"park-1\"\nadapter = ");
    let bridge = TestBridge::start_with(|files| {
        files.insert("channels/kakao.toml".to_owned(), file);
        files.insert("products/kakao.toml".to_owned(), crate::support::kakao::PRODUCTS.to_owned());
        let partners = "[[institution]]\nid = \"park\"\nregistration_number = \"1\"\ncontract = \"direct\"\n\
            [[settle_unit]]\nid = \"park-1\"\ninstitution = \"park\"\ntime_zone = \"Asia/Seoul\"\n";
        files.insert("partners/park.toml".to_owned(), partners.to_owned());
        let others =
            files.iter_mut().filter(|(name, _)| name.starts_with("channels/") && !name.ends_with("kakao.toml"));
        for (_, text) in others {
            *text = text.replacen("adapter = ", "settle_id = \"park-1\"\nadapter = ", 1);
        }
    })
    .await;
    for (revision, unit, doubted) in [(1, "park-1", false), (2, "zoo-1", true), (3, "park-1", false)] {
        let mut told = requested();
        (told["event_id"], told["revision"], told["settle_id"]) =
            (json!(format!("e{revision}")), json!(revision), json!(unit));
        bridge.kakao_is(told, "accepted").await;
        let order = bridge.booked("R1").await;
        let sentence = order.attention.iter().find(|it| it.kind == AttentionKind::Contradiction).map(|it| &it.sentence);
        assert_eq!(sentence.is_some_and(|it| it.contains("zoo-1") && it.contains("park-1")), doubted, "{sentence:?}");
    }
}
