// SPDX-License-Identifier: Apache-2.0

//! The 52 edge cases of `adapters/kakao/README.md`, each with the tests that show it. 46 and 47 are about the addresses and the people
//! of partners, and stand elsewhere. What is missing in the other files stands here; all of it speaks HTTP to a running bridge.
//!
//! | # | where |
//! | --- | --- |
//! | 1 – 4 | here |
//! | 5, 6, 52 | here, and `adapters/fat_events/read.rs` |
//! | 7 – 10 | `kakao/money.rs`, `kakao/acts.rs` |
//! | 11 | here |
//! | 12 | `kakao/acts.rs`, `kakao.rs` |
//! | 13 – 15, 17 | `kakao/crossing.rs`, `kakao/inflight.rs` |
//! | 16 | here, `tripstore.rs` |
//! | 18 – 22, 51 | `kakao/wire.rs` |
//! | 23, 24 | `kakao/crossing.rs`, `korea_orders.rs` |
//! | 25 – 28 | `kakao/money.rs` |
//! | 29 – 31 | `kakao/money.rs`, `kakao/acts.rs` |
//! | 32 – 45 | `tripstore.rs`, here |
//! | 48 – 50 | `kakao.rs`, `kakao/acts.rs`, here |

use serde_json::json;
use ticketbridge_core::Millis;
use ticketbridge_core::order::{AttentionKind, BookingState, TicketingState};

use crate::support::kakao::{CAN, KAKAO, SECRET, cancelled, event, reservation, signed, with_cancels};
use crate::support::partners::Outcome;
use crate::support::tripstore::{self, TRIP, kind, paid, trip};
use crate::support::{Ask, TestBridge};

/// Each number with a test that carries it in its name, and the file in which that stands.
const INDEX: &[(u32, &str, &str)] = &[
    (1, "edge_01_02_the_end_of_a_day_is_midnight_and_exclusive_whoever_writes_it", HERE),
    (2, "edge_01_02_the_end_of_a_day_is_midnight_and_exclusive_whoever_writes_it", HERE),
    (3, "edge_03_days_before_the_visit_are_counted_in_seoul", HERE),
    (4, "edge_04_the_day_of_the_visit_begins_at_fifteen_hours_utc", HERE),
    (5, "edge_05_52_the_platforms_older_webhooks_are_answered_200_and_move_nothing", HERE),
    (6, "edge_06_a_time_without_offset_needs_a_named_zone", HERE),
    (7, "edge_07_and_09_a_payment_goes_back_and_the_booking_stays_used", MONEY),
    (8, "edge_08_and_29_what_cannot_go_back_is_refused_here", MONEY),
    (9, "edge_07_and_09_a_payment_goes_back_and_the_booking_stays_used", MONEY),
    (10, "edge_10_the_money_of_a_guest_who_did_not_come_goes_back_and_nothing_else_moves", MONEY),
    (11, "edge_11_a_refund_after_the_settlement_is_an_entry_of_the_next_statement", HERE),
    (12, "edge_12_a_lost_message_is_found_in_the_platforms_list_and_a_late_use_the_next_morning", ACTS),
    (13, "edge_13_a_cancel_arrives_while_our_confirmation_is_under_way", INFLIGHT),
    (14, "edge_14_a_cancel_arrives_while_the_gate_is_being_asked", INFLIGHT),
    (15, "edge_15_without_revisions_the_platform_is_asked_before_and_after_and_an_end_is_never_left", INFLIGHT),
    (16, "edge_16_a_number_that_exists_already_is_read_and_counts_as_success", HERE),
    (17, "edge_17_what_had_no_answer_is_asked_for_before_it_is_repeated", INFLIGHT),
    (18, "edge_18_to_22_ids_signatures_and_times", WIRE),
    (19, "edge_18_to_22_ids_signatures_and_times", WIRE),
    (20, "edge_18_to_22_ids_signatures_and_times", WIRE),
    (21, "edge_18_to_22_ids_signatures_and_times", WIRE),
    (22, "edge_18_to_22_ids_signatures_and_times", WIRE),
    (23, "edge_23_events_in_the_order_three_one_two", CROSSING),
    (24, "edge_24_a_cancel_of_an_unknown_booking_is_parked_and_read_back_as_cancelled", CROSSING),
    (25, "edge_25_26_27_28_what_is_kept_and_what_goes_back", MONEY),
    (26, "edge_25_26_27_28_what_is_kept_and_what_goes_back", MONEY),
    (27, "edge_25_26_27_28_what_is_kept_and_what_goes_back", MONEY),
    (28, "edge_25_26_27_28_what_is_kept_and_what_goes_back", MONEY),
    (29, "edge_29_of_two_who_refund_at_once_one_is_refused", HERE),
    (30, "edge_30_31_confirming_is_of_the_whole_and_a_reason_for_the_guest_is_short", ACTS),
    (31, "edge_31_a_reason_of_staff_stays_inside", HERE),
    (32, "edge_32_33_43_44_the_eight_names_follow_from_state_and_money", TRIPSTORE),
    (33, "edge_32_33_43_44_the_eight_names_follow_from_state_and_money", TRIPSTORE),
    (34, "edge_34_money_that_was_not_due_is_recorded_shown_and_sent_back", TRIPSTORE),
    (35, "edge_35_amounts_that_contradict_each_other_are_kept_and_shown", TRIPSTORE),
    (36, "edge_36_37_agency_paid_orders_are_shown_and_never_changed", TRIPSTORE),
    (37, "edge_36_37_agency_paid_orders_are_shown_and_never_changed", TRIPSTORE),
    (38, "edge_38_and_the_checks_of_a_booking", TRIPSTORE),
    (39, "edge_39_another_way_of_paying_is_another_booking", HERE),
    (40, "edge_40_nobodys_number_is_no_key_and_no_recipient", HERE),
    (41, "edge_40_41_the_agencys_books_get_a_constant_phone_and_a_memo", TRIPSTORE),
    (42, "edge_42_the_agencys_number_changes_with_history_and_is_never_a_key", TRIPSTORE),
    (43, "edge_43_one_word_means_what_its_own_channel_means", HERE),
    (44, "edge_32_33_43_44_the_eight_names_follow_from_state_and_money", TRIPSTORE),
    (45, "edge_45_departed_with_an_open_balance_raises_an_alarm", TRIPSTORE),
    (48, "edge_48_a_product_off_sale_stops_new_bookings_only", KAKAO_FILE),
    (49, "edge_49_stock_goes_to_what_is_live_and_not_to_what_the_platform_does_not_sell", ACTS),
    (50, "edge_50_a_message_that_comes_again_in_the_morning_is_the_same_message", HERE),
    (51, "edge_51_and_the_sums_of_a_reservation", WIRE),
    (52, "edge_05_52_the_platforms_older_webhooks_are_answered_200_and_move_nothing", HERE),
];
const HERE: &str = include_str!("korea_edges.rs");
const KAKAO_FILE: &str = include_str!("kakao.rs");
const ACTS: &str = include_str!("kakao/acts.rs");
const CROSSING: &str = include_str!("kakao/crossing.rs");
const INFLIGHT: &str = include_str!("kakao/inflight.rs");
const MONEY: &str = include_str!("kakao/money.rs");
const WIRE: &str = include_str!("kakao/wire.rs");
const TRIPSTORE: &str = include_str!("tripstore.rs");

#[test]
fn every_edge_case_has_a_test_that_is_found_by_its_number() {
    let numbers: Vec<u32> = INDEX.iter().map(|(number, ..)| *number).collect();
    let all: Vec<u32> = (1..=52).filter(|number| !matches!(number, 46 | 47)).collect();
    assert_eq!(numbers, all);
    for (number, name, file) in INDEX {
        assert!(file.contains(&format!("async fn {name}(")), "{number}: there is no test {name}");
        let digits: Vec<u32> = name.split('_').filter_map(|part| part.parse().ok()).collect();
        let is_range = name.contains("_to_");
        let first = *digits.first().expect("a number in the name");
        let last = *digits.get(1).unwrap_or(&first);
        assert!(digits.contains(number) || (is_range && (first..=last).contains(number)), "{number}: {name}");
    }
}

async fn fee_can_be(bridge: &TestBridge, number: &str) -> String {
    let body = json!({"reason": "x", "fee": 1_000_000});
    bridge.post(&format!("orders/{KAKAO}:{number}/cancel"), &body).await.problem(422, "fee_above_default")
}

#[tokio::test]
async fn edge_01_02_the_end_of_a_day_is_midnight_and_exclusive_whoever_writes_it() {
    for bound in
        ["2026-12-11T00:00:00+09:00", "2026-12-10T15:00:00Z", "2026-12-10T23:59:00+09:00", "2026-12-10T23:59:59+09:00"]
    {
        let bridge = TestBridge::start_kakao(CAN).await;
        let mut it = reservation("R1", "pd_plain", "CONFIRMED");
        it["cancel_policy"]["deadline"]["fixed_until"] = json!(bound);
        it["cancel_policy"]["deadline"]["resolved_until"] = json!(null);
        it["cancel_policy"]["tiers"] = json!([{"until": bound, "fee_rate_bp": 0}]);
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
        let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
        assert_eq!(shown["channel_view"]["cancel_until"], "2026-12-11T00:00:00+09:00", "{bound}");
        bridge.set_time("2026-12-10T23:59:59.999+09:00");
        assert!(fee_can_be(&bridge, "R1").await.contains("0 to 0"), "{bound}: in time");
        bridge.advance(Millis(1));
        assert!(fee_can_be(&bridge, "R1").await.contains("0 to 93000"), "{bound}: late");
    }
}

#[tokio::test]
async fn edge_03_days_before_the_visit_are_counted_in_seoul() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut it = reservation("R1", "pd_plain", "CONFIRMED");
    it["cancel_policy"]["deadline"] =
        json!({"kind": "RELATIVE", "days_before": 10, "at_time": "00:00", "fixed_until": null, "resolved_until": null});
    it["cancel_policy"]["tiers"] = json!([]);
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    // The visit is on 13 December in Seoul; ten days before it begins on the evening of the 2nd in UTC.
    bridge.set_time("2026-12-02T14:59:59.999Z");
    assert!(fee_can_be(&bridge, "R1").await.contains("0 to 0"));
    bridge.set_time("2026-12-02T15:10:00Z");
    assert!(fee_can_be(&bridge, "R1").await.contains("0 to 93000"));
}

#[tokio::test]
async fn tickets_never_end_before_the_visit_begins() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    let midnight = "2026-12-13T00:00:00+09:00";
    for (number, from, to, until) in [
        ("R1", midnight, midnight, json!(null)),
        ("R2", midnight, "2026-12-13T12:00:00+09:00", json!(midnight)),
        ("R3", midnight, "2026-12-14T00:00:00+09:00", json!(null)),
    ] {
        let mut it = reservation(number, "pd_auto", "CONFIRMED");
        (it["use"]["from"], it["use"]["to"], it["use"]["valid_until"]) = (json!(from), json!(to), until);
        for line in it["lines"].as_array_mut().expect("lines") {
            line["detail_no"] = json!(format!("{}-{number}", line["detail_no"].as_str().expect("a number")));
        }
        bridge.kakao_is(event(number, "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
        bridge.drain().await;
        let booking = bridge.booked(number).await.booking.expect("a booking");
        let days = [booking.visit_date, booking.valid_until].map(|day| day.expect("a day").to_string());
        assert_eq!(days, ["2026-12-13", "2026-12-13"], "{number}");
    }
    for asked in bridge.partners.sent("/bridge/reservations") {
        assert_eq!(
            (&asked.body["visit_date"], &asked.body["valid_until"]),
            (&json!("2026-12-13"), &json!("2026-12-13"))
        );
    }
}

#[tokio::test]
async fn edge_04_the_day_of_the_visit_begins_at_fifteen_hours_utc() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    let path = format!("orders/{KAKAO}:R1/redeem");
    bridge.set_time("2026-12-12T14:59:59.999Z");
    bridge.post(&path, &json!({})).await.problem(409, "too_early");
    bridge.set_time("2026-12-12T15:00:00Z");
    bridge.post(&path, &json!({})).await.expect(200);
    bridge.drain().await;

    // A departure is the marketplace's to tell; one before its day, as Seoul counts days, is taken and shown.
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let gone = paid(kind(trip("T1", "DEPARTED"), "FULL"), "tp_1", "FULL", 3_180_000, None);
    for (number, at, doubtful) in [("T1", "2027-02-13T14:59:59Z", true), ("T2", "2027-02-13T15:00:00Z", false)] {
        let mut gone = gone.clone();
        gone["booking_no"] = json!(number);
        gone["payments"][0]["payment_id"] = json!(format!("tp_{number}"));
        let first = kind(trip(number, "COMPLETED"), "FULL");
        bridge
            .trip_is(tripstore::event(&format!("a{number}"), "booking.completed", 1, &first, json!({})), "accepted")
            .await;
        let mut told = tripstore::event(&format!("b{number}"), "booking.departed", 2, &gone, json!({}));
        told["occurred_at"] = json!(at);
        bridge.trip_is(told, "accepted").await;
        assert_eq!(bridge.tripped(number).await.needs(AttentionKind::Contradiction), doubtful, "{at}");
    }
}

#[tokio::test]
async fn edge_05_52_the_platforms_older_webhooks_are_answered_200_and_move_nothing() {
    let also = "admin_key = \"a-key-of-nobody\"\nallow_from = [\"203.0.113.0/24\"]";
    let bridge = TestBridge::start_kakao_also(CAN, also).await;
    let ask = |key: &str, body: &str| {
        Ask::new(http::Method::POST, format!("/channels/{KAKAO}/channel")).header("authorization", key).body(body)
    };
    let key = "KakaoAK a-key-of-nobody";
    for _ in 0..2 {
        bridge.ask(ask(key, "app_id=7&user_id=404404&referrer_type=ACCOUNT_DELETE")).await.expect(200);
    }
    let added = r#"{"event":"added","id":"1","id_type":"app_user_id","updated_at":"2026-11-21T02:00:00Z"}"#;
    for body in [added, added, r#"{"event":"blocked"}"#, "not even JSON"] {
        bridge.ask(ask(key, body).header("x-kakao-resource-id", "res-1")).await.expect(200);
    }
    bridge.ask(ask("KakaoAK somebody-elses", "{}")).await.problem(401, "bad_signature");
    bridge
        .ask(Ask::new(http::Method::POST, format!("/channels/{KAKAO}/channel")).body("{}"))
        .await
        .problem(401, "missing_signature");
    assert!(bridge.get("orders").await.expect(200).json()["items"].as_array().unwrap().is_empty());
    let kept = bridge.get(&format!("inbox?channel={KAKAO}&call=channel")).await.expect(200).json();
    assert!(kept["items"].as_array().unwrap().len() >= 2, "{kept}");
    // Without a key of its own the call is nobody's.
    let bridge = TestBridge::start_kakao(CAN).await;
    bridge.ask(ask(key, "{}")).await.problem(401, "bad_signature");
}

#[tokio::test]
async fn edge_06_a_time_without_offset_needs_a_named_zone() {
    let mut it = reservation("R1", "pd_plain", "CONFIRMED");
    it["use"]["from"] = json!("2026-12-13T00:30:00");
    it["use"]["to"] = json!(null);
    let body = event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"}));
    let bridge = TestBridge::start_kakao(CAN).await;
    bridge.kakao(&body).await.problem(422, "invalid_field");
    for (zone, date) in
        [("Asia/Seoul", "2026-12-13"), ("America/New_York", "2026-12-13"), ("Pacific/Kiritimati", "2026-12-12")]
    {
        let bridge = TestBridge::start_kakao_also(CAN, &format!("naive_timezone = \"{zone}\"")).await;
        bridge.kakao_is(body.clone(), "accepted").await;
        let booking = bridge.booked("R1").await.booking.unwrap();
        assert_eq!(booking.visit_date.unwrap().to_string(), date, "{zone}");
    }
}

/// KA-02: each detail number is rounded by itself, so that the platform's statement and ours agree to the last won.
#[tokio::test]
async fn commission_is_rounded_for_each_detail_number() {
    for (details, price, commission) in [(3, 50, 6), (5, 16, 0), (5, 17, 5)] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let mut it = reservation("R1", "pd_plain", "CONFIRMED");
        let line = |number: i64| {
            json!({ "detail_no": format!("D{number}"), "price_id": "adult", "label": "성인", "quantity": 1,
                "unit_price_krw": price, "amount_krw": price, "canceled_quantity": 0, "used_quantity": 0 })
        };
        it["lines"] = (1..=details).map(line).collect();
        let all = details * price;
        for (name, amount) in [("gross_krw", all), ("discount_krw", 0), ("net_krw", all), ("paid_krw", all)] {
            it["amounts"][name] = json!(amount);
        }
        it["payments"] = json!([{ "payment_id": "pay_1", "method": "CARD", "amount_krw": all,
            "approved_at": "2026-11-21T10:59:57+09:00", "cancelable_krw": all, "cancels": [] }]);
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
        let path = format!("statements?settle_id={KAKAO}&from=2026-11-01&to=2026-11-30");
        let shown = bridge.get(&path).await.expect(200).json();
        assert_eq!(shown["totals"]["commission"], commission, "{details} of {price}: {shown}");
    }
}

#[tokio::test]
async fn edge_11_a_refund_after_the_settlement_is_an_entry_of_the_next_statement() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    let mut free = reservation("R2", "pd_plain", "CONFIRMED");
    free["payment_mode"] = json!("BOOKING_ONLY");
    free["payments"] = json!([]);
    for (name, amount) in [("net_krw", 98_000), ("discount_krw", 0), ("onsite_krw", 98_000), ("paid_krw", 0)] {
        free["amounts"][name] = json!(amount);
    }
    bridge.kakao_is(event("f1", "reservation.confirmed", 1, &free, json!({"by": "AUTO"})), "accepted").await;
    let of = |from: &str, to: &str| format!("statements?settle_id={KAKAO}&from={from}&to={to}");
    bridge.set_time("2026-12-13T13:00:00+09:00");
    let november = bridge.get(&of("2026-11-01", "2026-11-30")).await.expect(200).json();
    assert_eq!(
        (&november["totals"]["sales"], &november["totals"]["commission"]),
        (&json!(93_000), &json!(2_790)),
        "booking-only costs nothing"
    );

    bridge.post(&format!("orders/{KAKAO}:R1/no-show"), &json!({})).await.expect(200);
    bridge.drain().await;
    let gone = with_cancels(reservation("R1", "pd_plain", "NO_SHOW"), &[("pay_1", "cx_1", 90_000, "DONE")]);
    bridge.kakao_is(event("e2", "payment.canceled", 2, &gone, json!({})), "accepted").await;
    assert_eq!(
        bridge.get(&of("2026-11-01", "2026-11-30")).await.expect(200).json(),
        november,
        "what was settled stays"
    );
    let december = bridge.get(&of("2026-12-01", "2026-12-31")).await.expect(200).json();
    let totals = &december["totals"];
    assert_eq!((&totals["refunds"], &totals["commission"]), (&json!(90_000), &json!(-2_700)), "{december}");
    assert_eq!(totals["balance"], json!(-87_300), "taken off the next payout");
}

#[tokio::test]
async fn edge_16_a_number_that_exists_already_is_read_and_counts_as_success() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_auto", "CONFIRMED");
    bridge.partners.next("/bridge/reservations", Outcome::Says(409, json!({"reason": "number exists already"})));
    let issued = json!({"state": "issued", "backend_ref": "G-1", "tickets": [{"code": "GATE-1", "kind": "code"}]});
    bridge.partners.next("/bridge/reservations", Outcome::Says(200, issued));
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.as_ref().unwrap().ticketing.state, TicketingState::Issued);
    assert!(order.attention.is_empty(), "nobody refunds what lives: {:?}", order.attention);
    let calls: Vec<_> = bridge.partners.sent("/bridge/reservations").into_iter().map(|s| s.method).collect();
    assert_eq!(calls, [http::Method::POST, http::Method::GET]);

    // The agency's books: known there, under a number that the refusal does not name.
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    bridge.partners.next("erp.example", Outcome::Says(409, json!({"error": {"code": "already_exists"}})));
    let found = json!({"bookings": [{"external_no": "T1", "agency_booking_no": "YB-9"}]});
    bridge.partners.next("external_no=T1", Outcome::Says(200, found));
    bridge.trip_is(tripstore::event("e1", "booking.received", 1, &trip("T1", "RECEIVED"), json!({})), "accepted").await;
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    let order = bridge.tripped("T1").await;
    assert_eq!(order.channel_state.as_ref().unwrap().partner_number(), Some(&"YB-9".into()));
    assert!(!order.needs(AttentionKind::NotificationRefused));
    let posted = bridge.partners.sent("erp.example").into_iter().filter(|s| s.method == "POST").count();
    assert_eq!(posted, 1, "it is not handed over twice");
}

#[tokio::test]
async fn edge_29_of_two_who_refund_at_once_one_is_refused() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let used = reservation("R1", "pd_plain", "USED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &used, json!({"by": "AUTO"})), "accepted").await;
    let path = format!("orders/{KAKAO}:R1/return-payment");
    let body = json!({"amount": 60_000, "reason": "late start"});
    let (one, two) = tokio::join!(bridge.post(&path, &body), bridge.post(&path, &body));
    let mut said = [one.status.as_u16(), two.status.as_u16()];
    said.sort_unstable();
    assert_eq!(said, [200, 409]);
    bridge.drain().await;
    let sent: i64 = bridge.partners.sent("/payments/").iter().filter_map(|s| s.body["cancel_krw"].as_i64()).sum();
    assert_eq!(sent, 60_000);
}

#[tokio::test]
async fn edge_31_a_reason_of_staff_stays_inside() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": 0, "refund_krw": 93_000})));
    let reason = "the guide is unreliable";
    bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &json!({"reason": reason})).await.expect(200);
    bridge.drain().await;
    for call in bridge.partners.sent("kakao.example") {
        let mut body = call.body.clone();
        if let Some(body) = body.as_object_mut() {
            body.remove("internal_reason");
        }
        assert!(!body.to_string().contains(reason), "{} {body}", call.url);
    }
    assert!(bridge.partners.sent("R1/cancel").iter().any(|s| s.body["internal_reason"] == reason));
}

#[tokio::test]
async fn edge_39_another_way_of_paying_is_another_booking() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let full = paid(kind(trip("T1", "COMPLETED"), "FULL"), "tp_1", "FULL", 3_180_000, None);
    bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &full, json!({})), "accepted").await;
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.problem(409, "link_not_needed");
    bridge.post(&format!("orders/{TRIP}:T1/payment-kind"), &json!({"kind": "LINK"})).await.expect(404);
    let other = kind(full.clone(), "LINK");
    bridge.trip_is(tripstore::event("e2", "booking.completed", 2, &other, json!({})), "accepted").await;
    let shown = bridge.get(&format!("orders/{TRIP}:T1")).await.expect(200).json();
    assert_eq!(shown["attention"]["kind"], "contradiction", "{shown}");
    assert!(bridge.partners.sent("/payment-links").is_empty());
    // The way that works: a new booking, and the old one cancelled.
    let mut wants = full.clone();
    wants["status"] = json!("CANCEL_REQUESTED");
    bridge
        .trip_is(
            tripstore::event("e3", "booking.cancel_requested", 3, &wants, json!({"from_status": "COMPLETED"})),
            "accepted",
        )
        .await;
    let again = kind(trip("T2", "RECEIVED"), "LINK");
    bridge.trip_is(tripstore::event("n1", "booking.received", 1, &again, json!({})), "accepted").await;
    assert_ne!(bridge.tripped("T1").await.id, bridge.tripped("T2").await.id);
}

#[tokio::test]
async fn edge_40_nobodys_number_is_no_key_and_no_recipient() {
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    for number in ["T1", "T2"] {
        let mut it = trip(number, "COMPLETED");
        it["booker"]["phone"] = json!("010-0000-0000");
        bridge
            .trip_is(tripstore::event(&format!("e{number}"), "booking.completed", 1, &it, json!({})), "accepted")
            .await;
        assert!(bridge.tripped(number).await.buyer.phone.is_none());
    }
    assert_ne!(bridge.tripped("T1").await.id, bridge.tripped("T2").await.id);
    let found = bridge.post("guests/export", &json!({"phone": "01000000000", "reason": "asked"})).await;
    assert!(found.json().to_string().find("T1").is_none() && !found.text().contains("T2"), "{}", found.text());
    bridge
        .partners
        .next("/payment-links", Outcome::Says(201, json!({"link_id": "L1", "url": "https://pay.example/L1"})));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/T1/payment-links")[0].body["send"], "NONE", "it is made, and sent to nobody");
    let masked = json!({"name": "김*시", "phone": "010-****-5678", "masked": true, "user_ref": null});
    let kakao = TestBridge::start_kakao(CAN).await;
    let mut it = reservation("R1", "pd_plain", "CONFIRMED");
    it["booker"] = masked;
    kakao.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({})), "accepted").await;
    assert!(kakao.booked("R1").await.buyer.phone.is_none(), "a masked number merges guests just as well");
}

#[tokio::test]
async fn edge_43_one_word_means_what_its_own_channel_means() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    // The customer has finished the form; on this platform that is no state.
    let mut it = reservation("R1", "pd_plain", "예약완료");
    bridge.kakao(&event("e1", "reservation.confirmed", 1, &it, json!({}))).await.problem(422, "invalid_field");
    it["status"] = json!("COMPLETED");
    bridge.kakao(&event("e1", "reservation.confirmed", 1, &it, json!({}))).await.problem(422, "invalid_field");
    assert!(bridge.order_of(KAKAO, "R1").await.is_none());
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    bridge
        .trip_is(tripstore::event("e1", "booking.completed", 1, &trip("T1", "COMPLETED"), json!({})), "accepted")
        .await;
    assert_eq!(bridge.tripped("T1").await.booking.unwrap().state, BookingState::Confirmed);
    let kakaos = trip("T2", "CONFIRMED");
    bridge
        .trip(&tripstore::event("e2", "booking.completed", 1, &kakaos, json!({})))
        .await
        .problem(422, "invalid_field");
}

#[tokio::test]
async fn edge_50_a_message_that_comes_again_in_the_morning_is_the_same_message() {
    let bridge = TestBridge::start_kakao(CAN).await;
    bridge.set_time("2026-11-21T23:30:00+09:00");
    let mut told = event("e1", "reservation.requested", 1, &reservation("R1", "pd_auto", "REQUESTED"), json!({}));
    told["occurred_at"] = json!("2026-11-21T23:29:00+09:00");
    bridge.kakao_is(told.clone(), "accepted").await;
    bridge.drain().await;
    let before = bridge.booked("R1").await;
    // After nine everything that was held back over night goes out at once; the signature is of the morning, the event is not.
    bridge.set_time("2026-11-22T09:00:05+09:00");
    for _ in 0..2 {
        bridge.kakao_is(told.clone(), "duplicate").await;
    }
    bridge.drain().await;
    let after = bridge.booked("R1").await;
    assert_eq!(after.version, before.version);
    assert_eq!(
        after.channel_state.unwrap().standing.at.rfc3339(ticketbridge_core::TimeZone::SEOUL),
        "2026-11-21T23:29:00+09:00"
    );
    assert_eq!(bridge.partners.sent("/v1/reservations/R1/confirm").len(), 1);
}

#[tokio::test]
async fn a_cancel_request_stops_a_confirmation_that_was_not_sent_yet() {
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let it = kind(trip("T1", "RECEIVED"), "LINK");
    bridge.trip_is(tripstore::event("e1", "booking.received", 1, &it, json!({})), "accepted").await;
    bridge.post(&format!("orders/{TRIP}:T1/confirm"), &json!({})).await.expect(200);
    let mut wants = it.clone();
    wants["status"] = json!("CANCEL_REQUESTED");
    bridge
        .trip_is(
            tripstore::event("e2", "booking.cancel_requested", 2, &wants, json!({"from_status": "RECEIVED"})),
            "accepted",
        )
        .await;
    bridge.drain().await;
    assert!(bridge.partners.sent("/complete").is_empty());
    bridge.post(&format!("orders/{TRIP}:T1/confirm"), &json!({})).await.problem(409, "refund_under_review");
    bridge.trip_is(tripstore::event("e3", "booking.cancel_withdrawn", 3, &it, json!({})), "accepted").await;
    let order = bridge.tripped("T1").await;
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Requested);
    assert!(order.needs(AttentionKind::WaitsForConfirmation), "it is to be decided again");
    bridge.post(&format!("orders/{TRIP}:T1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/complete").len(), 1);
}

#[tokio::test]
async fn what_an_event_tells_beside_the_booking_counts_too() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    bridge
        .trip_is(tripstore::event("e1", "booking.completed", 1, &trip("T1", "COMPLETED"), json!({})), "accepted")
        .await;
    let payment = json!({"payment_id": "tp_1", "purpose": "DEPOSIT", "amount_krw": 300_000, "method": "CARD",
        "approved_at": "2026-11-21T11:00:00+09:00", "link_id": null, "cancels": []});
    let mut now = trip("T1", "COMPLETED");
    now["amounts"]["paid_krw"] = json!(300_000);
    now["amounts"]["outstanding_krw"] = json!(2_880_000);
    bridge.trip_is(tripstore::event("e2", "payment.recorded", 2, &now, json!({"payment": payment})), "accepted").await;
    assert_eq!(bridge.trip_label("T1").await, "예약완료·결제진행");
    let change = json!({"old_no": null, "new_no": "YB-5"});
    bridge.trip_is(tripstore::event("e3", "booking.agency_no_changed", 3, &now, change), "accepted").await;
    let order = bridge.tripped("T1").await;
    assert_eq!(
        (order.money.received(), order.channel_state.unwrap().partner_number()),
        (300_000, Some(&"YB-5".into()))
    );
}

#[tokio::test]
async fn the_example_of_the_contract_serves_both_channels() {
    // `docs/src/contract/configuration.md` shows one file for both adapters.
    let bridge =
        TestBridge::start_trip(r#""confirm", "reject", "cancel", "payment_only_cancel", "no_show", "read_back""#).await;
    bridge
        .trip_is(tripstore::event("e1", "booking.completed", 1, &trip("T1", "COMPLETED"), json!({})), "accepted")
        .await;
    bridge
        .partners
        .next("/payment-links", Outcome::Says(201, json!({"link_id": "L1", "url": "https://pay.example/L1"})));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/T1/payment-links").len(), 1);
}

#[tokio::test]
async fn a_cancelled_order_is_not_said_to_be_refunded_while_a_part_is_kept() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    let off = cancelled("R1", "pd_plain", "BY_BOOKER", 27_900, &[("pay_1", "cx_1", 65_100, "DONE")]);
    bridge
        .kakao_is(event("e2", "reservation.canceled", 2, &off, json!({"by": "BOOKER", "fee_krw": 27_900})), "accepted")
        .await;
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    assert_eq!(
        (&shown["payment"]["state"], &shown["payment"]["refunded"], &shown["payment"]["fee"]),
        (&json!("partially_refunded"), &json!(65_100), &json!(27_900))
    );
    assert!(bridge.get("orders?payment=partially_refunded").await.expect(200).text().contains("R1"));
    // The wire's own words stay a matter of the wire.
    bridge
        .ask(signed(&bridge, &format!("/channels/{KAKAO}/events"), SECRET, "e9", b"[]"))
        .await
        .problem(400, "malformed_json");
}
