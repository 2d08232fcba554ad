// SPDX-License-Identifier: Apache-2.0

//! TripStore-style bookings from outside: events in, calls out, money by parts (TS-01 to TS-08; the numbers are those of
//! `adapters/tripstore/README.md`).

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::channel_state::LinkState;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState, RefundCase, RefundState};

use crate::support::partners::Outcome;
use crate::support::tripstore::{CAN, PRODUCTS, TRIP, channel_file, event, kind, paid, returned, trip};
use crate::support::{TestBridge, leaves_work};

/// A completed booking with its deposit paid.
fn with_deposit(number: &str) -> Value {
    paid(trip(number, "COMPLETED"), "tp_1", "DEPOSIT", 300_000, None)
}

#[tokio::test]
async fn edge_32_33_43_44_the_eight_names_follow_from_state_and_money() {
    let full = || kind(trip("T", "COMPLETED"), "FULL");
    let mut free = full();
    free["amounts"] = json!({"total_sale_krw": 50_000, "discount_krw": 50_000, "paid_krw": 0, "outstanding_krw": 0, "deposit_krw": null});
    free["coupon"] = json!({"coupon_id": "c1", "amount_krw": 50_000});
    let all = |status: &str| paid(kind(trip("T", status), "FULL"), "tp_1", "FULL", 3_180_000, None);
    let cases: [(&str, Value, &str); 9] = [
        ("booking.received", trip("T", "RECEIVED"), "예약접수"),
        ("booking.completed", trip("T", "COMPLETED"), "예약완료·결제대기"),
        ("booking.completed", with_deposit("T"), "예약완료·결제진행"),
        ("booking.completed", all("COMPLETED"), "예약완료·결제완료"),
        ("booking.completed", free, "예약완료·결제완료"),
        ("booking.completed", trip("T", "CANCEL_REQUESTED"), "취소요청"),
        ("booking.completed", trip("T", "CANCELED"), "예약취소"),
        ("booking.completed", returned(all("CANCELED"), "tp_1", "cx", 3_180_000), "예약취소"),
        ("booking.completed", all("DEPARTED"), "출발완료"),
    ];
    for (index, (what, mut booking, label)) in cases.into_iter().enumerate() {
        let bridge = TestBridge::start_trip(CAN).await;
        booking["booking_no"] = json!(format!("T{index}"));
        bridge.trip_is(event("e1", what, 1, &booking, json!({})), "accepted").await;
        assert_eq!(bridge.trip_label(&format!("T{index}")).await, label);
    }
}

#[tokio::test]
async fn each_kind_of_payment_has_its_own_rule_for_completing() {
    let received = |name: &str| kind(trip("T1", "RECEIVED"), name);
    for (name, booking, code) in [
        ("full, unpaid", received("FULL"), Some("not_paid")),
        ("full, paid", paid(received("FULL"), "p", "FULL", 3_180_000, None), None),
        ("partial, unpaid", received("PARTIAL"), Some("not_paid")),
        ("partial, less than the deposit", paid(received("PARTIAL"), "p", "DEPOSIT", 299_999, None), Some("not_paid")),
        ("partial, deposit", paid(received("PARTIAL"), "p", "DEPOSIT", 300_000, None), None),
        ("link, unpaid", received("LINK"), None),
    ] {
        let bridge = TestBridge::start_trip(CAN).await;
        bridge.trip_is(event("e1", "booking.received", 1, &booking, json!({})), "accepted").await;
        let reply = bridge.post(&format!("orders/{TRIP}:T1/confirm"), &json!({})).await;
        match code {
            Some(code) => drop(reply.problem(409, code)),
            None => drop(reply.expect(200)),
        }
        bridge.drain().await;
        let sent = bridge.partners.sent("/v1/bookings/T1/complete");
        assert_eq!(sent.len(), usize::from(code.is_none()), "{name}");
        assert_eq!(bridge.tripped("T1").await.booking.unwrap().state, BookingState::Requested, "{name}");
    }
}

#[tokio::test]
async fn edge_36_37_agency_paid_orders_are_shown_and_never_changed() {
    let bridge = TestBridge::start_trip(CAN).await;
    let mut booking = trip("T1", "RECEIVED");
    booking["payment_owner"] = json!("AGENCY");
    booking["payment_kind"] = json!(null);
    booking["amounts"]["deposit_krw"] = json!(null);
    bridge.trip_is(event("e1", "booking.received", 1, &booking, json!({})), "accepted").await;
    bridge.drain().await;
    let before = bridge.tripped("T1").await;
    assert_eq!(before.payment(), PaymentState::External);
    let acts = [
        ("confirm", json!({})),
        ("decline", json!({"reason": "x"})),
        ("cancel", json!({"reason": "x"})),
        ("cancel", json!({"reason": "x", "fee": 0})),
        ("no-show", json!({})),
        ("redeem", json!({})),
        ("return-payment", json!({"reason": "x"})),
        ("payment-links", json!({})),
        ("payment-links/revoke", json!({})),
    ];
    for (act, body) in acts {
        bridge.post(&format!("orders/{TRIP}:T1/{act}"), &body).await.problem(409, "read_only_order");
    }
    bridge.drain().await;
    assert!(bridge.partners.sent("trip.example").is_empty());
    assert_eq!(bridge.tripped("T1").await.version, before.version, "no row was made");
    let told = bridge.partners.sent("erp.example/v1/bookings");
    assert_eq!(told.len(), 1, "the agency's books hear of it all the same");
    assert_eq!(
        (&told[0].body["booker_phone"], &told[0].body["phone_masked"]),
        (&json!("010-9876-5432"), &json!(false))
    );
    assert_eq!((&told[0].body["memo"], &told[0].body["collect_from_customer_krw"]), (&json!(""), &json!(3_180_000)));
    assert_eq!(bridge.trip_label("T1").await, "예약접수·여행사결제");
}

/// What would end a flag is refused for such an order, so it is not advised: that somebody has seen to it ends the flag.
#[tokio::test]
async fn an_agency_paid_order_without_tickets_is_seen_to_by_a_word() {
    leaves_work();
    let bridge = TestBridge::start_with(|files| {
        files.insert("channels/trip.toml".to_owned(), channel_file(CAN));
        let of_the_pool = PRODUCTS.replace(r#"{ mode = "none" }"#, r#"{ mode = "code_pool", pool = "lp-2026" }"#);
        files.insert("products/trip.toml".to_owned(), of_the_pool);
    })
    .await;
    let mut booking = trip("T1", "COMPLETED");
    booking["payment_owner"] = json!("AGENCY");
    (booking["payment_kind"], booking["amounts"]["deposit_krw"]) = (json!(null), json!(null));
    bridge.trip_is(event("e1", "booking.completed", 1, &booking, json!({})), "accepted").await;
    for _ in 0..14 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(11));
    }
    let path = format!("orders/{TRIP}:T1");
    let shown = bridge.get(&path).await.expect(200).json();
    assert_eq!(shown["attention"]["kind"], "ticketing_failed", "{shown}");
    let helps = shown["attention"]["command"].as_str().expect("the command that helps");
    assert!(helps.starts_with("ticketbridge codes import lp-2026 FILE") && helps.contains("orders settle"), "{helps}");
    for refused in ["tickets issue", "orders cancel"] {
        assert!(!helps.contains(refused), "{helps}");
    }
    for kind in ["ticketing_failed", "ticketing_overdue"] {
        let seen_to = json!({ "kind": kind, "reason": "the agency has sent them" });
        bridge.post(&format!("{path}/settle-attention"), &seen_to).await.expect(200);
    }
    let order = bridge.tripped("T1").await;
    assert!(order.attention.is_empty(), "{:?}", order.attention);
}

#[tokio::test]
async fn edge_40_41_the_agencys_books_get_a_constant_phone_and_a_memo() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.partners.next("erp.example", Outcome::Says(201, json!({"agency_booking_no": "YB-1"})));
    bridge.trip_is(event("e1", "booking.received", 1, &trip("TS-88120", "RECEIVED"), json!({})), "accepted").await;
    bridge.drain().await;
    let told = bridge.partners.sent("erp.example/v1/bookings");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].headers["idempotency-key"], "erp-TS-88120");
    let body = &told[0].body;
    assert_eq!((&body["booker_phone"], &body["phone_masked"]), (&json!("010-0000-0000"), &json!(true)));
    assert_eq!(
        body["memo"],
        "트립결제 / 트립스토어 / 총 판매금액 3,180,000원 / 상세 예약내용 및 결제내역은 트립파트너스에서 확인"
    );
    assert_eq!((&body["collect_from_customer_krw"], &body["total_sale_krw"]), (&json!(0), &json!(3_180_000)));
    assert_eq!(body["travellers"], json!({"adult": 2, "child": 1, "infant": 0}));
    assert_eq!(bridge.tripped("TS-88120").await.channel_state.unwrap().partner_number(), Some(&"YB-1".into()));
    // A payment changes nothing that the books were told; another day of departure does.
    bridge
        .trip_is(
            event("e2", "payment.recorded", 2, &with_number(with_deposit("TS-88120"), "YB-1"), json!({})),
            "accepted",
        )
        .await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("erp.example").len(), 1);
    let mut moved = with_number(with_deposit("TS-88120"), "YB-1");
    moved["departure_date"] = json!("2027-02-15");
    bridge.trip_is(event("e3", "booking.completed", 3, &moved, json!({})), "accepted").await;
    bridge.drain().await;
    let told = bridge.partners.sent("erp.example");
    assert_eq!(told.len(), 2);
    assert_eq!((told[1].method.as_str(), told[1].url.as_str()), ("PUT", "https://erp.example/v1/bookings/YB-1"));
}

/// The marketplace may know the agency's number before the agency's books have heard of the booking.
#[tokio::test]
async fn a_booking_that_comes_with_a_number_is_handed_over_as_a_new_one() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.partners.next("erp.example", Outcome::NotSent);
    let booked = with_number(trip("T1", "RECEIVED"), "YB-1");
    bridge.trip_is(event("e1", "booking.received", 1, &booked, json!({})), "accepted").await;
    bridge.drain().await;
    bridge.partners.next("erp.example", Outcome::Says(201, json!({"agency_booking_no": "YB-1"})));
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    let mut moved = booked;
    moved["departure_date"] = json!("2027-02-15");
    bridge.trip_is(event("e2", "booking.completed", 2, &moved, json!({})), "accepted").await;
    bridge.drain().await;
    let told: Vec<(String, String)> = bridge
        .partners
        .sent("erp.example/v1/bookings")
        .iter()
        .filter(|call| call.method != "GET")
        .map(|call| {
            let key = call.headers["idempotency-key"].to_str().expect("text").to_owned();
            (call.method.to_string(), key.split('_').next().unwrap_or_default().to_owned())
        })
        .collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(method, key)| (method.as_str(), key.as_str())).collect();
    assert_eq!(told, [("POST", "erp-T1"), ("POST", "erp-T1"), ("PUT", "dlv")]);
}

fn with_number(mut booking: Value, number: &str) -> Value {
    booking["agency_booking_no"] = json!(number);
    booking
}

/// T1, as the agency's books have taken it: YB-1.
async fn handed_over() -> TestBridge {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.partners.next("erp.example", Outcome::Says(201, json!({"agency_booking_no": "YB-1"})));
    bridge.trip_is(event("e1", "booking.received", 1, &trip("T1", "RECEIVED"), json!({})), "accepted").await;
    bridge.drain().await;
    bridge
}

/// Time for everything that is tried again.
async fn half_an_hour(bridge: &TestBridge) {
    for _ in 0..3 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(10));
    }
}

/// A change that may not have arrived is there once the books show it: that they have the booking says nothing of it.
#[tokio::test]
async fn a_change_that_may_not_have_arrived_is_told_until_the_books_show_it() {
    let entry = |adults: u32| {
        json!({"bookings": [{"external_no": "T1", "agency_booking_no": "YB-1",
        "travellers": {"adult": adults, "child": 1, "infant": 0}, "departure_date": "2027-02-14",
        "total_sale_krw": 3_180_000, "collect_from_customer_krw": 0}]})
    };
    let number_only = json!({"bookings": [{"external_no": "T1", "agency_booking_no": "YB-1"}]});
    for (name, lost, shown, puts) in [
        ("it shows the old one", Outcome::Says(503, json!({})), entry(2), 2),
        ("it shows the number alone", Outcome::Interrupted, number_only.clone(), 2),
        ("it had arrived", Outcome::Interrupted, entry(4), 1),
        ("a bare yes, and the old one", Outcome::Says(200, json!({})), entry(2), 2),
        ("a bare yes, and the number alone", Outcome::Says(200, json!({})), number_only, 1),
    ] {
        let bridge = handed_over().await;
        let mut more = with_number(trip("T1", "COMPLETED"), "YB-1");
        more["travellers"]["adult"] = json!(4);
        bridge.partners.next("erp.example", lost);
        bridge.partners.next("external_no", Outcome::Says(200, shown));
        bridge.partners.next("bookings/YB-1", Outcome::Says(200, json!({"agency_booking_no": "YB-1"})));
        bridge.trip_is(event("e2", "booking.completed", 2, &more, json!({})), "accepted").await;
        half_an_hour(&bridge).await;
        let sent = bridge.partners.sent("erp.example/v1/bookings/YB-1");
        assert_eq!(sent.len(), puts, "{name}");
        assert!(sent.iter().all(|put| put.body["travellers"]["adult"] == 4), "{name}");
        let keys: std::collections::BTreeSet<_> =
            sent.iter().map(|put| put.headers["idempotency-key"].to_str().expect("text").to_owned()).collect();
        assert_eq!(keys.len(), 1, "{name}: one change has one key");
        let order = bridge.tripped("T1").await;
        assert!(!order.needs(AttentionKind::NotificationRefused), "{name}: {:?}", order.attention);
    }
}

/// The agency may give a booking another number at any time: one that its books do not know any more is asked for by the marketplace's.
#[tokio::test]
async fn a_number_that_the_books_do_not_know_any_more_is_asked_for() {
    let bridge = handed_over().await;
    let mut moved = with_number(trip("T1", "COMPLETED"), "YB-1");
    moved["departure_date"] = json!("2027-02-15");
    bridge.partners.next("bookings/YB-1", Outcome::Says(404, json!({"error": {"code": "not_found"}})));
    let renamed = json!({"bookings": [{"external_no": "T1", "agency_booking_no": "NEW-9"}]});
    bridge.partners.next("external_no", Outcome::Says(200, renamed));
    bridge.partners.next("bookings/NEW-9", Outcome::Says(200, json!({"agency_booking_no": "NEW-9"})));
    bridge.trip_is(event("e2", "booking.completed", 2, &moved, json!({})), "accepted").await;
    half_an_hour(&bridge).await;
    assert_eq!(bridge.partners.sent("bookings/NEW-9").len(), 1);
    let order = bridge.tripped("T1").await;
    assert!(!order.needs(AttentionKind::NotificationRefused), "{:?}", order.attention);
}

/// A yes to the hand-over that did nothing: books that do not know the booking are told again, and a person hears of it where that does not help.
#[tokio::test]
async fn a_hand_over_that_the_books_do_not_know_is_told_again() {
    for helps in [true, false] {
        let bridge = TestBridge::start_trip(CAN).await;
        let (nothing, unknown) = (Outcome::Says(200, json!({})), Outcome::Says(404, json!({})));
        for _ in 0..3 {
            bridge.partners.next("external_no", unknown.clone());
        }
        bridge.partners.next("erp.example", nothing.clone());
        bridge.partners.next(
            "erp.example",
            if helps { Outcome::Says(201, json!({"agency_booking_no": "YB-1"})) } else { nothing.clone() },
        );
        bridge.trip_is(event("e1", "booking.received", 1, &trip("T1", "RECEIVED"), json!({})), "accepted").await;
        half_an_hour(&bridge).await;
        let told = bridge.partners.sent("erp.example/v1/bookings").into_iter().filter(|sent| sent.method == "POST");
        let keys: Vec<_> =
            told.map(|sent| sent.headers["idempotency-key"].to_str().expect("text").to_owned()).collect();
        assert_eq!(keys, ["erp-T1", "erp-T1"], "helps: {helps}");
        let order = bridge.tripped("T1").await;
        assert_eq!(order.needs(AttentionKind::NotificationRefused), !helps, "{helps}: {:?}", order.attention);
    }
}

#[tokio::test]
async fn edge_16_books_that_know_the_booking_already_count_as_told() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.partners.next(
        "erp.example",
        Outcome::Says(409, json!({"error": {"code": "already_exists"}, "agency_booking_no": "YB-7"})),
    );
    bridge.trip_is(event("e1", "booking.received", 1, &trip("T1", "RECEIVED"), json!({})), "accepted").await;
    bridge.drain().await;
    let order = bridge.tripped("T1").await;
    assert_eq!(order.channel_state.as_ref().unwrap().partner_number(), Some(&"YB-7".into()));
    assert!(!order.needs(AttentionKind::NotificationRefused));
}

#[tokio::test]
async fn edge_42_the_agencys_number_changes_with_history_and_is_never_a_key() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge
        .trip_is(
            event("e1", "booking.received", 1, &with_number(kind(trip("T1", "RECEIVED"), "LINK"), "YB-1"), json!({})),
            "accepted",
        )
        .await;
    let change = json!({"old_no": "YB-1", "new_no": "YB-2"});
    let now = with_number(kind(trip("T1", "RECEIVED"), "LINK"), "YB-2");
    bridge.trip_is(event("e2", "booking.agency_no_changed", 2, &now, change), "accepted").await;
    let other = with_number(trip("T2", "RECEIVED"), "YB-1");
    bridge.trip_is(event("e3", "booking.received", 1, &other, json!({})), "accepted").await;
    let order = bridge.tripped("T1").await;
    assert_ne!(order.id, bridge.tripped("T2").await.id);
    let numbers: Vec<_> = order.channel_state.unwrap().partner_numbers.into_iter().map(|held| held.number).collect();
    assert_eq!(numbers, ["YB-1", "YB-2"]);
    bridge.post(&format!("orders/{TRIP}:T1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/T1/complete")[0].body["agency_booking_no"], "YB-2", "the newest goes out");
}

/// What each booking has of its own is never another one's, whatever an answer says.
#[tokio::test]
async fn an_answer_that_names_another_bookings_link_or_number_is_none() {
    let bridge = TestBridge::start_trip(CAN).await;
    let made = |id: &str| Outcome::Says(201, json!({"link_id": id, "url": format!("https://pay.example/{id}")}));
    let number = |number: &str| Outcome::Says(201, json!({"agency_booking_no": number}));
    for (index, booking) in ["T1", "T2"].into_iter().enumerate() {
        if booking == "T2" {
            // T1's number, and T1's link; then, asked again, its own.
            bridge.partners.next("erp.example", number("YB-1"));
            bridge
                .partners
                .next("erp.example", Outcome::Says(200, json!({"bookings": [{"agency_booking_no": "YB-1"}]})));
            bridge
                .partners
                .next("erp.example", Outcome::Says(200, json!({"bookings": [{"agency_booking_no": "YB-2"}]})));
            bridge.partners.next("/T2/payment-links", made("L1"));
            bridge.partners.next("/T2/payment-links", made("L2"));
        } else {
            bridge.partners.next("erp.example", number("YB-1"));
            bridge.partners.next("/T1/payment-links", made("L1"));
        }
        let completed = event(&format!("e{index}"), "booking.completed", 1, &trip(booking, "COMPLETED"), json!({}));
        bridge.trip_is(completed, "accepted").await;
        bridge.post(&format!("orders/{TRIP}:{booking}/payment-links"), &json!({})).await.expect(200);
        bridge.drain().await;
    }
    let other = bridge.tripped("T2").await;
    let state = other.channel_state.as_deref().expect("a state");
    assert!(other.needs(AttentionKind::AnswerAstray), "{:?}", other.attention);
    assert_eq!((state.partner_number(), state.links[0].id.as_deref()), (None, None));
    for _ in 0..3 {
        bridge.advance(Millis::minutes(10));
        bridge.drain().await;
    }
    let other = bridge.tripped("T2").await;
    let state = other.channel_state.as_deref().expect("a state");
    assert_eq!((state.partner_number(), state.links[0].id.as_deref()), (Some(&"YB-2".into()), Some("L2")));
    assert!(!other.needs(AttentionKind::AnswerAstray), "{:?}", other.attention);
    let first = bridge.tripped("T1").await;
    assert_eq!(first.channel_state.as_deref().expect("a state").links[0].state, LinkState::Live);
    let written = bridge.partners.sent("erp.example");
    assert!(written.iter().all(|sent| sent.method != "PUT"), "nothing is written under the other's number");
    // A number that the agency has taken from a booking may be another's.
    let change = json!({"old_no": "YB-1", "new_no": "YB-3"});
    let renamed = with_number(trip("T1", "COMPLETED"), "YB-3");
    bridge.trip_is(event("e3", "booking.agency_no_changed", 2, &renamed, change), "accepted").await;
    bridge.drain().await;
    bridge.partners.next("erp.example", number("YB-1"));
    bridge.trip_is(event("e4", "booking.received", 1, &trip("T3", "RECEIVED"), json!({})), "accepted").await;
    bridge.drain().await;
    let third = bridge.tripped("T3").await;
    assert_eq!(third.channel_state.as_deref().expect("a state").partner_number(), Some(&"YB-1".into()));
    assert!(!third.needs(AttentionKind::AnswerAstray));
}

/// The marketplace says of a link that it is taken back.
fn gone(id: &str) -> Outcome {
    Outcome::Says(200, json!({"link_id": id, "status": "REVOKED"}))
}

#[tokio::test]
async fn a_link_is_sent_made_replaced_and_paid() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &trip("T1", "COMPLETED"), json!({})), "accepted").await;
    let links = format!("orders/{TRIP}:T1/payment-links");
    for (id, amount) in [("L1", None), ("L2", Some(200_000))] {
        let made = json!({"link_id": id, "url": format!("https://pay.example/{id}"), "expires_at": "2026-11-24T11:00:00+09:00"});
        if id == "L2" {
            // The one that is live is taken back first.
            bridge.partners.next("/payment-links", gone("L1"));
        }
        bridge.partners.next("/payment-links", Outcome::Says(201, made));
        let body = amount.map_or(json!({}), |amount| json!({"amount": amount}));
        bridge.post(&links, &body).await.expect(200);
        bridge.drain().await;
    }
    let sent = bridge.partners.sent("/T1/payment-links");
    let calls: Vec<_> =
        sent.iter().map(|s| (s.method.as_str(), s.body["purpose"].as_str(), s.body["amount_krw"].as_i64())).collect();
    assert_eq!(calls[0], ("POST", Some("DEPOSIT"), Some(300_000)));
    assert!(calls.contains(&("DELETE", None, None)), "{calls:?}");
    assert!(calls.contains(&("POST", Some("DEPOSIT"), Some(200_000))), "{calls:?}");
    let order = bridge.tripped("T1").await;
    let states: Vec<_> = order.channel_state.unwrap().links.into_iter().map(|link| link.state).collect();
    assert_eq!(states, [LinkState::Revoked, LinkState::Live]);
    let done = paid(kind(trip("T1", "COMPLETED"), "LINK"), "tp_9", "FULL", 3_180_000, Some("L2"));
    bridge.trip_is(event("e2", "payment.recorded", 2, &done, json!({})), "accepted").await;
    bridge.drain().await;
    let order = bridge.tripped("T1").await;
    assert_eq!(order.payment(), PaymentState::Paid);
    assert_eq!(order.channel_state.as_ref().unwrap().links[1].state, LinkState::Paid);
    assert!(!order.needs(AttentionKind::UnexpectedPayment));
    bridge.post(&links, &json!({})).await.problem(409, "link_not_needed");
}

#[tokio::test]
async fn no_link_goes_where_nothing_is_to_be_paid() {
    for (name, booking) in [
        ("not accepted", trip("T1", "RECEIVED")),
        ("cancelled", trip("T1", "CANCELED")),
        ("cancel requested", trip("T1", "CANCEL_REQUESTED")),
        ("paid", paid(kind(trip("T1", "COMPLETED"), "FULL"), "p", "FULL", 3_180_000, None)),
    ] {
        let bridge = TestBridge::start_trip(CAN).await;
        bridge.trip_is(event("e1", "booking.completed", 1, &booking, json!({})), "accepted").await;
        let reply = bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await;
        assert!(!reply.problem(409, "link_not_needed").is_empty(), "{name}");
        bridge.drain().await;
        assert!(bridge.partners.sent("/payment-links").is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_cancel_request_takes_the_link_back_and_waits_for_the_agency() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &with_deposit("T1"), json!({})), "accepted").await;
    bridge
        .partners
        .next("/payment-links", Outcome::Says(201, json!({"link_id": "L1", "url": "https://pay.example/L1"})));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    bridge.drain().await;
    let mut wants = with_deposit("T1");
    wants["status"] = json!("CANCEL_REQUESTED");
    let change =
        json!({"requested_at": "2026-11-21T11:30:00+09:00", "from_status": "COMPLETED", "reason": "plans changed"});
    bridge.trip_is(event("e2", "booking.cancel_requested", 2, &wants, change), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/payment-links/L1").last().unwrap().method, "DELETE");
    let order = bridge.tripped("T1").await;
    let case = order.refund_case.clone().unwrap();
    assert_eq!(case.state, RefundState::UnderReview);
    let approve = format!("refunds/{}/approve", case.id);
    // What is kept is ours to say: until somebody has said it, the list says that nobody has.
    let listed = async || bridge.get("refunds").await.expect(200).json()["items"][0].clone();
    let undecided = listed().await;
    assert_eq!((&undecided["fee"], &undecided["channel_fee"]), (&Value::Null, &json!(300_000)));
    bridge.post(&approve, &json!({})).await.problem(422, "fee_out_of_range");
    bridge.post(&approve, &json!({"fee": 300_001})).await.problem(422, "fee_out_of_range");
    bridge.post(&approve, &json!({"fee": 100_000})).await.expect(200);
    assert_eq!(listed().await["fee"], 100_000);
    bridge.drain().await;
    let told = bridge.partners.sent("/T1/cancel");
    assert_eq!(
        told[0].body,
        json!({"expected_revision": 2, "fee_krw": 100_000, "refund_krw": 200_000, "expect_paid_krw": 300_000})
    );
    assert_eq!(bridge.tripped("T1").await.state, OrderState::Booked, "the marketplace has not agreed yet");
    let mut off = returned(with_deposit("T1"), "tp_1", "cx_1", 200_000);
    off["status"] = json!("CANCELED");
    bridge
        .trip_is(
            event("e3", "booking.canceled", 3, &off, json!({"fee_krw": 100_000, "refund_krw": 200_000})),
            "accepted",
        )
        .await;
    let order = bridge.tripped("T1").await;
    assert_eq!((order.state, order.money.refunded(), order.money.fee()), (OrderState::Cancelled, 200_000, 100_000));
    assert_eq!(order.refund_case.unwrap().state, RefundState::Settled);
}

#[tokio::test]
async fn a_cancel_request_that_is_taken_back_leaves_the_booking_as_it_was() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &with_deposit("T1"), json!({})), "accepted").await;
    let mut wants = with_deposit("T1");
    wants["status"] = json!("CANCEL_REQUESTED");
    bridge
        .trip_is(event("e2", "booking.cancel_requested", 2, &wants, json!({"from_status": "COMPLETED"})), "accepted")
        .await;
    bridge.trip_is(event("e3", "booking.cancel_withdrawn", 3, &with_deposit("T1"), json!({})), "accepted").await;
    let order = bridge.tripped("T1").await;
    assert_eq!(order.refund_case.unwrap().state, RefundState::Withdrawn);
    assert_eq!(order.booking.unwrap().state, BookingState::Confirmed);
    assert_eq!(bridge.trip_label("T1").await, "예약완료·결제진행");
}

/// A booking with its deposit, whose guest asks for the cancellation; its refund case.
async fn wants_out(bridge: &TestBridge) -> RefundCase {
    bridge.trip_is(event("e1", "booking.completed", 1, &with_deposit("T1"), json!({})), "accepted").await;
    let mut wants = with_deposit("T1");
    wants["status"] = json!("CANCEL_REQUESTED");
    let change = json!({"from_status": "COMPLETED"});
    bridge.trip_is(event("e2", "booking.cancel_requested", 2, &wants, change), "accepted").await;
    bridge.drain().await;
    bridge.tripped("T1").await.refund_case.expect("a case")
}

#[tokio::test]
async fn a_cancellation_that_a_withdrawal_overtakes_leaves_no_refund_behind() {
    let bridge = TestBridge::start_trip(CAN).await;
    let case = wants_out(&bridge).await;
    bridge.post(&format!("refunds/{}/approve", case.id), &json!({"fee": 0})).await.expect(200);
    assert_eq!(bridge.tripped("T1").await.payment(), PaymentState::RefundPending);
    let newer = json!({"error": {"code": "revision_conflict"}, "booking": with_deposit("T1"), "revision": 3});
    bridge.partners.next("/T1/cancel", Outcome::Says(409, newer));
    let held = bridge.partners.hold("/T1/cancel");
    let withdrawn = event("e3", "booking.cancel_withdrawn", 3, &with_deposit("T1"), json!({}));
    let during = async {
        held.arrived().await;
        bridge.trip_is(withdrawn, "accepted").await;
        held.answer();
    };
    tokio::join!(bridge.drain(), during);
    let order = bridge.tripped("T1").await;
    assert_eq!(order.refund_case.as_ref().unwrap().state, RefundState::Withdrawn);
    assert_eq!((order.payment(), order.money.refund_pending()), (PaymentState::Partial, 0));
    let all = paid(with_deposit("T1"), "tp_2", "BALANCE", 2_880_000, None);
    bridge.trip_is(event("e4", "payment.recorded", 4, &all, json!({})), "accepted").await;
    assert_eq!(bridge.tripped("T1").await.payment(), PaymentState::Paid);
}

#[tokio::test]
async fn an_approved_cancellation_that_the_marketplace_refuses_is_decided_again() {
    let bridge = TestBridge::start_trip(CAN).await;
    let case = wants_out(&bridge).await;
    let approve = format!("refunds/{}/approve", case.id);
    bridge.partners.next("/T1/cancel", Outcome::Says(422, json!({"error": {"code": "fee_too_low"}})));
    bridge.post(&approve, &json!({"fee": 0})).await.expect(200);
    bridge.drain().await;
    let order = bridge.tripped("T1").await;
    assert_eq!(order.refund_case.as_ref().unwrap().state, RefundState::UnderReview);
    assert_eq!((order.payment(), order.money.refund_pending()), (PaymentState::Partial, 0));
    assert!(order.needs(AttentionKind::NotificationRefused) && order.needs(AttentionKind::RefundWaits));
    bridge.partners.next("/T1/cancel", Outcome::Says(200, json!({"booking_no": "T1", "status": "CANCELED"})));
    bridge.post(&approve, &json!({"fee": 100_000})).await.expect(200);
    bridge.drain().await;
    let told = bridge.partners.sent("/T1/cancel");
    assert_eq!((told.len(), &told[1].body["fee_krw"]), (2, &json!(100_000)));
    let order = bridge.tripped("T1").await;
    assert_eq!((order.state, order.attention), (OrderState::Cancelled, Vec::new()));
}

#[tokio::test]
async fn a_request_that_was_refused_is_the_same_one_until_another_is_made() {
    let bridge = TestBridge::start_trip(CAN).await;
    let first = wants_out(&bridge).await;
    bridge.post(&format!("refunds/{}/reject", first.id), &json!({"reason": "too late"})).await.expect(200);
    bridge.drain().await;
    let mut booking = paid(with_deposit("T1"), "tp_2", "BALANCE", 2_880_000, None);
    booking["status"] = json!("CANCEL_REQUESTED");
    bridge.trip_is(event("n1", "payment.recorded", 10, &booking, json!({})), "accepted").await;
    let change = json!({"old_no": "YB-1", "new_no": "YB-2"});
    bridge.trip_is(event("n2", "booking.agency_no_changed", 11, &booking, change), "accepted").await;
    let case = bridge.tripped("T1").await.refund_case.expect("a case");
    assert_eq!((case.id, case.state), (first.id.clone(), RefundState::Rejected));
    // The event of a request that was taken back is lost; that of the next request is not.
    let later = first.requested_at + ticketbridge_core::Millis::hours(1);
    let change = json!({"from_status": "COMPLETED", "requested_at": later.rfc3339(ticketbridge_core::TimeZone::SEOUL)});
    bridge.trip_is(event("n3", "booking.cancel_requested", 12, &booking, change), "accepted").await;
    let case = bridge.tripped("T1").await.refund_case.expect("a case");
    assert_ne!(case.id, first.id);
    assert_eq!(case.state, RefundState::UnderReview);
}

#[tokio::test]
async fn a_cancel_request_that_is_parked_keeps_where_it_came_from() {
    for (from, state) in [("COMPLETED", BookingState::Confirmed), ("RECEIVED", BookingState::Requested)] {
        let bridge = TestBridge::start_trip(CAN).await;
        let mut wants = with_deposit("T1");
        wants["status"] = json!("CANCEL_REQUESTED");
        bridge
            .partners
            .next("trip.example/v1/bookings/T1", Outcome::Says(200, json!({"booking": wants, "revision": 4})));
        let told = event("e1", "booking.cancel_requested", 4, &wants, json!({"from_status": from}));
        bridge.trip_is(told, "parked").await;
        bridge.drain().await;
        let order = bridge.tripped("T1").await;
        assert_eq!(order.booking.as_ref().unwrap().state, state, "{from}");
        assert_eq!(order.refund_case.as_ref().unwrap().state, RefundState::UnderReview, "{from}");
        assert_eq!(bridge.trip_label("T1").await, "취소요청");
    }
}

#[tokio::test]
async fn edge_34_money_that_was_not_due_is_recorded_shown_and_sent_back() {
    // More than is due; on a link that was over; on a cancelled booking.
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &with_deposit("T1"), json!({})), "accepted").await;
    let over = paid(with_deposit("T1"), "tp_2", "BALANCE", 3_000_000, None);
    bridge.trip_is(event("e2", "payment.recorded", 2, &over, json!({})), "accepted").await;
    bridge.drain().await;
    let order = bridge.tripped("T1").await;
    assert!(order.needs(AttentionKind::UnexpectedPayment));
    let back = bridge.partners.sent("/payments/tp_2/cancel");
    assert_eq!((back.len(), &back[0].body["cancel_krw"]), (1, &json!(120_000)));

    let bridge = TestBridge::start_trip(CAN).await;
    let mut off = with_deposit("T1");
    off["status"] = json!("CANCELED");
    bridge.trip_is(event("e1", "booking.completed", 1, &with_deposit("T1"), json!({})), "accepted").await;
    let gone = json!({"fee_krw": 300_000, "refund_krw": 0});
    bridge.trip_is(event("e2", "booking.canceled", 2, &off, gone.clone()), "accepted").await;
    bridge.drain().await;
    assert!(bridge.partners.sent("/payments/").is_empty());
    bridge
        .trip_is(event("e3", "payment.recorded", 3, &paid(off, "tp_2", "BALANCE", 50_000, None), gone), "accepted")
        .await;
    bridge.drain().await;
    let back = bridge.partners.sent("/payments/tp_2/cancel");
    assert_eq!(
        (back.len(), &back[0].body["cancel_krw"], &back[0].body["expect_cancelable_krw"]),
        (1, &json!(50_000), &json!(50_000))
    );
    assert!(bridge.tripped("T1").await.needs(AttentionKind::UnexpectedPayment));
}

#[tokio::test]
async fn money_for_a_cancelled_booking_is_no_concern_once_it_went_back() {
    let bridge = TestBridge::start_trip(CAN).await;
    let mut off = kind(trip("T1", "COMPLETED"), "LINK");
    bridge.trip_is(event("e1", "booking.completed", 1, &off, json!({})), "accepted").await;
    off["status"] = json!("CANCELED");
    let free = json!({"fee_krw": 0, "refund_krw": 0});
    bridge.trip_is(event("e2", "booking.canceled", 2, &off, free), "accepted").await;
    let late = paid(off, "tp_1", "FULL", 3_180_000, None);
    bridge.trip_is(event("e3", "payment.recorded", 3, &late, json!({})), "accepted").await;
    assert!(bridge.tripped("T1").await.needs(AttentionKind::UnexpectedPayment));
    let back = returned(late, "tp_1", "cx_1", 3_180_000);
    bridge.partners.next("/payments/tp_1/cancel", Outcome::Says(200, json!({"booking": back, "revision": 4})));
    bridge.drain().await;
    let order = bridge.tripped("T1").await;
    assert_eq!((order.payment(), order.money.fee()), (PaymentState::Refunded, 0));
    assert!(!order.needs(AttentionKind::UnexpectedPayment));
}

#[tokio::test]
async fn edge_34_a_price_that_falls_below_what_is_paid_is_left_to_a_person() {
    let bridge = TestBridge::start_trip(CAN).await;
    let full = paid(kind(trip("T1", "COMPLETED"), "FULL"), "tp_1", "FULL", 3_180_000, None);
    bridge.trip_is(event("e1", "booking.completed", 1, &full, json!({})), "accepted").await;
    let give = format!("orders/{TRIP}:T1/return-payment");
    bridge.post(&give, &json!({"reason": "x"})).await.problem(409, "not_used");
    let mut less = full.clone();
    less["amounts"]["discount_krw"] = json!(180_000);
    bridge.trip_is(event("e2", "booking.completed", 2, &less, json!({})), "accepted").await;
    bridge.drain().await;
    assert!(bridge.tripped("T1").await.needs(AttentionKind::UnexpectedPayment));
    assert_eq!(bridge.trip_label("T1").await, "예약완료·결제완료");
    assert!(bridge.partners.sent("/payments/").is_empty(), "the marketplace may return it by itself");
    bridge.post(&give, &json!({"amount": 180_001, "reason": "x"})).await.problem(409, "refund_exceeds");
    let back = returned(less, "tp_1", "cx_1", 180_000);
    bridge.partners.next("/payments/tp_1/cancel", Outcome::Says(200, json!({"booking": back, "revision": 3})));
    bridge.post(&give, &json!({"reason": "cheaper"})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/payments/tp_1/cancel")[0].body["cancel_krw"], 180_000);
    let order = bridge.tripped("T1").await;
    assert_eq!((order.state, order.money.refunded()), (OrderState::Booked, 180_000));
    assert!(!order.needs(AttentionKind::UnexpectedPayment));
}

#[tokio::test]
async fn money_on_a_link_that_is_over_leaves_the_live_one_alone() {
    let bridge = TestBridge::start_trip(CAN).await;
    let it = kind(trip("T1", "COMPLETED"), "LINK");
    bridge.trip_is(event("e1", "booking.completed", 1, &it, json!({})), "accepted").await;
    for id in ["L1", "L2"] {
        if id == "L2" {
            bridge.partners.next("/payment-links", gone("L1"));
        }
        let made = json!({"link_id": id, "url": format!("https://pay.example/{id}")});
        bridge.partners.next("/payment-links", Outcome::Says(201, made));
        bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
        bridge.drain().await;
    }
    let late = paid(it, "tp_1", "FULL", 3_180_000, Some("L1"));
    bridge.trip_is(event("e2", "payment.recorded", 2, &late, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/payments/tp_1/cancel").len(), 1);
    let states: Vec<_> =
        bridge.tripped("T1").await.channel_state.unwrap().links.into_iter().map(|link| link.state).collect();
    assert_eq!(states, [LinkState::Revoked, LinkState::Live]);
    assert!(bridge.partners.sent("/payment-links/L2").is_empty());
}

#[tokio::test]
async fn money_on_a_link_that_was_over_is_sent_back() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &with_deposit("T1"), json!({})), "accepted").await;
    bridge
        .partners
        .next("/payment-links", Outcome::Says(201, json!({"link_id": "L1", "url": "https://pay.example/L1"})));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    bridge.drain().await;
    let change = json!({"link_id": "L1", "status": "EXPIRED"});
    bridge.trip_is(event("e2", "payment_link.updated", 2, &with_deposit("T1"), change), "accepted").await;
    let late = paid(with_deposit("T1"), "tp_2", "BALANCE", 2_880_000, Some("L1"));
    bridge.trip_is(event("e3", "payment.recorded", 3, &late, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/payments/tp_2/cancel").len(), 1);
}

/// Money that crosses the taking back of its link on the wire: whichever message comes first, the link is what the marketplace says it is.
#[tokio::test]
async fn a_link_that_was_taken_back_while_it_was_paid_is_taken_back_on_both_sides() {
    for news_first in [true, false] {
        let bridge = TestBridge::start_trip(CAN).await;
        bridge.trip_is(event("e1", "booking.completed", 1, &with_deposit("T1"), json!({})), "accepted").await;
        let made = json!({"link_id": "L1", "url": "https://pay.example/L1"});
        bridge.partners.next("/payment-links", Outcome::Says(201, made));
        bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
        bridge.drain().await;
        bridge.post(&format!("orders/{TRIP}:T1/payment-links/revoke"), &json!({})).await.expect(200);
        let change = json!({"link_id": "L1", "status": "REVOKED"});
        let gone_there = event("e2", "payment_link.updated", 2, &with_deposit("T1"), change);
        let late = paid(with_deposit("T1"), "tp_2", "BALANCE", 2_880_000, Some("L1"));
        let came = event("e3", "payment.recorded", 3, &late, json!({}));
        if news_first {
            bridge.trip_is(gone_there, "accepted").await;
            bridge.trip_is(came, "accepted").await;
        } else {
            bridge.trip_is(came, "accepted").await;
            bridge.trip_is(gone_there, "stale").await;
        }
        bridge.partners.next("/payment-links/L1", gone("L1"));
        bridge.drain().await;
        let order = bridge.tripped("T1").await;
        assert_eq!(order.channel_state.as_deref().expect("a state").links[0].state, LinkState::Revoked, "{news_first}");
        assert_eq!(bridge.partners.sent("/payments/tp_2/cancel").len(), 1, "{news_first}");
    }
}

#[tokio::test]
async fn edge_35_amounts_that_contradict_each_other_are_kept_and_shown() {
    let bridge = TestBridge::start_trip(CAN).await;
    let mut odd = with_deposit("T1");
    odd["amounts"]["outstanding_krw"] = json!(1);
    bridge.trip_is(event("e1", "booking.completed", 1, &odd, json!({})), "accepted").await;
    let order = bridge.tripped("T1").await;
    assert!(order.needs(AttentionKind::Contradiction));
    assert_eq!(order.money.due - order.money.received(), 2_880_000);
    assert!(bridge.partners.sent("/payment-links").is_empty());
}

#[tokio::test]
async fn edge_38_and_the_checks_of_a_booking() {
    let bridge = TestBridge::start_trip(CAN).await;
    let coupon = json!({"coupon_id": "c1", "amount_krw": 10_000});
    let cases: [(&str, Value, &str); 6] = [
        ("/coupon", coupon, "coupon_needs_full_payment"),
        ("/amounts/paid_krw", json!("300000"), "invalid_amount"),
        ("/amounts/discount_krw", json!(3_180_001), "amount_mismatch"),
        ("/payment_kind", json!(null), "invalid_field"),
        ("/payment_owner", json!("AGENCY"), "invalid_field"),
        ("/payments/0/purpose", json!("TIP"), "invalid_field"),
    ];
    for (pointer, value, code) in cases {
        let mut booking = with_deposit("T1");
        *booking.pointer_mut(pointer).expect(pointer) = value;
        bridge.trip(&event("e1", "booking.completed", 1, &booking, json!({}))).await.problem(422, code);
    }
    let mut two = kind(trip("T1", "COMPLETED"), "FULL");
    two = paid(paid(two, "a", "FULL", 1, None), "b", "FULL", 1, None);
    bridge.trip(&event("e1", "booking.completed", 1, &two, json!({}))).await.problem(422, "invalid_field");
}

#[tokio::test]
async fn edge_45_departed_with_an_open_balance_raises_an_alarm() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &with_deposit("T1"), json!({})), "accepted").await;
    bridge.set_time("2027-02-14T09:00:00+09:00");
    let mut gone = with_deposit("T1");
    gone["status"] = json!("DEPARTED");
    let mut told = event("e2", "booking.departed", 2, &gone, json!({"departed_on": "2027-02-14"}));
    told["occurred_at"] = json!("2027-02-14T08:00:00+09:00");
    bridge.trip_is(told, "accepted").await;
    let order = bridge.tripped("T1").await;
    assert_eq!((order.state, order.payment()), (OrderState::Completed, PaymentState::Partial));
    let shown = bridge.get(&format!("orders/{TRIP}:T1")).await.expect(200).json();
    assert_eq!(shown["attention"]["kind"], "open_balance");
    // A journey that has begun gets no link, so none is advised: the channel's books say when it is paid.
    let helps = shown["attention"]["command"].as_str().expect("the command that helps");
    assert!(helps.starts_with("ticketbridge orders reconcile --channel"), "{helps}");
    let settled = paid(gone, "tp_2", "BALANCE", 2_880_000, None);
    bridge.trip_is(event("e3", "payment.recorded", 3, &settled, json!({})), "accepted").await;
    let order = bridge.tripped("T1").await;
    assert_eq!((order.payment(), order.needs(AttentionKind::OpenBalance)), (PaymentState::Paid, false));
}

/// A link was sent, the guests have left, and our side took the link back. The guest pays with it all the same.
async fn departed_with_link(bridge: &TestBridge) -> Value {
    let mut booking = with_deposit("T1");
    bridge.trip_is(event("e1", "booking.completed", 1, &booking, json!({})), "accepted").await;
    let made = json!({"link_id": "L1", "url": "https://pay.example/L1"});
    bridge.partners.next("/payment-links", Outcome::Says(201, made));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    bridge.drain().await;
    bridge.set_time("2027-02-14T09:00:00+09:00");
    booking["status"] = json!("DEPARTED");
    let mut told = event("e2", "booking.departed", 2, &booking, json!({"departed_on": "2027-02-14"}));
    told["occurred_at"] = json!("2027-02-14T08:00:00+09:00");
    bridge.partners.next("/payment-links/L1", gone("L1"));
    bridge.trip_is(told, "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/payment-links/L1").len(), 1, "no link collects for a journey that has begun");
    booking
}

#[tokio::test]
async fn a_balance_that_comes_after_departure_is_kept_and_only_what_is_more_goes_back() {
    for (first, second, back) in [(2_880_000, 0, 0), (2_000_000, 0, 0), (2_000_000, 880_000, 0), (2_900_000, 0, 20_000)]
    {
        let bridge = TestBridge::start_trip(CAN).await;
        let mut booking = departed_with_link(&bridge).await;
        for (index, amount) in [first, second].into_iter().enumerate().filter(|(_, amount)| *amount > 0) {
            booking = paid(booking, &format!("tp_{}", index + 2), "BALANCE", amount, Some("L1"));
            let (id, revision) = (format!("p{index}"), 3 + index as u64);
            bridge.trip_is(event(&id, "payment.recorded", revision, &booking, json!({})), "accepted").await;
            bridge.drain().await;
        }
        let returned: Vec<_> =
            bridge.partners.sent("/payments/").iter().map(|sent| sent.body["cancel_krw"].as_i64().unwrap()).collect();
        assert_eq!(returned.iter().sum::<i64>(), back, "{first} and {second}: {returned:?}");
        let open = 2_880_000 - first - second;
        let shown = bridge.get(&format!("orders/{TRIP}:T1")).await.expect(200).json();
        let order = bridge.tripped("T1").await;
        assert_eq!(order.needs(AttentionKind::OpenBalance), open > 0, "{first} and {second}: {:?}", order.attention);
        if open > 0 {
            let sentence = shown["attention"]["sentence"].as_str().expect("a sentence");
            assert!(sentence.contains(&open.to_string()), "{sentence}");
        }
    }
}

/// What a guest pays through a link that was taken back before departure is on its way back: it is no part of what came in.
#[tokio::test]
async fn money_on_a_link_that_was_taken_back_goes_back_and_what_is_open_stays_shown() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &with_deposit("T1"), json!({})), "accepted").await;
    let made = json!({"link_id": "L1", "url": "https://pay.example/L1"});
    bridge.partners.next("/payment-links", Outcome::Says(201, made));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    bridge.drain().await;
    bridge.partners.next("/payment-links/L1", gone("L1"));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links/revoke"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert!(bridge.tripped("T1").await.attention.is_empty());
    let mut late = paid(with_deposit("T1"), "tp_2", "BALANCE", 2_880_000, Some("L1"));
    bridge.trip_is(event("e2", "payment.recorded", 2, &late, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/payments/tp_2/cancel").len(), 1);
    let waits = || async {
        let steps = bridge.get(&format!("orders/{TRIP}:T1/next-steps")).await.expect(200).json();
        steps["waits"].as_array().expect("a list").clone()
    };
    assert!(waits().await.contains(&json!("payment")), "{:?}", waits().await);
    late = returned(late, "tp_2", "cx_1", 2_880_000);
    bridge.trip_is(event("e3", "payment.canceled", 3, &late, json!({})), "accepted").await;
    bridge.drain().await;
    let order = bridge.tripped("T1").await;
    assert_eq!((order.payment(), order.money.held()), (PaymentState::PartiallyRefunded, 300_000));
    assert!(order.needs(AttentionKind::PaymentLinkOver), "{:?}", order.attention);
    assert!(!order.needs(AttentionKind::UnexpectedPayment), "{:?}", order.attention);
    assert!(waits().await.contains(&json!("payment")), "{:?}", waits().await);
    // As much as came in went back of it: the guests leave with a balance that is open.
    bridge.set_time("2027-02-14T09:00:00+09:00");
    late["status"] = json!("DEPARTED");
    let mut told = event("e4", "booking.departed", 4, &late, json!({"departed_on": "2027-02-14"}));
    told["occurred_at"] = json!("2027-02-14T08:00:00+09:00");
    bridge.trip_is(told, "accepted").await;
    assert!(bridge.tripped("T1").await.needs(AttentionKind::OpenBalance));
}

#[tokio::test]
async fn a_refund_goes_to_the_newest_payment_first() {
    let bridge = TestBridge::start_trip(CAN).await;
    let mut gone = paid(with_deposit("T1"), "tp_2", "BALANCE", 2_880_000, None);
    bridge.trip_is(event("e1", "booking.completed", 1, &gone, json!({})), "accepted").await;
    gone["status"] = json!("DEPARTED");
    bridge.trip_is(event("e2", "booking.departed", 2, &gone, json!({})), "accepted").await;
    let body = json!({"amount": 3_000_000, "reason": "hotel closed"});
    bridge.post(&format!("orders/{TRIP}:T1/return-payment"), &body).await.expect(200);
    bridge.drain().await;
    let sent: Vec<_> = bridge
        .partners
        .sent("/payments/")
        .into_iter()
        .map(|s| (s.url, s.body["cancel_krw"].as_i64().unwrap()))
        .collect();
    assert!(sent[0].0.ends_with("/tp_2/cancel") && sent[1].0.ends_with("/tp_1/cancel"), "{sent:?}");
    assert_eq!((sent[0].1, sent[1].1), (2_880_000, 120_000));
    // Also where both were approved in the same second.
    let mut gone = paid(with_deposit("T2"), "tp_4", "BALANCE", 2_880_000, None);
    gone["payments"][1]["approved_at"] = gone["payments"][0]["approved_at"].clone();
    bridge.trip_is(event("e3", "booking.completed", 1, &gone, json!({})), "accepted").await;
    gone["status"] = json!("DEPARTED");
    bridge.trip_is(event("e4", "booking.departed", 2, &gone, json!({})), "accepted").await;
    bridge
        .post(&format!("orders/{TRIP}:T2/return-payment"), &json!({"amount": 1_000, "reason": "late bus"}))
        .await
        .expect(200);
    bridge.drain().await;
    let sent = bridge.partners.sent("/payments/");
    assert!(sent[2].url.ends_with("/tp_4/cancel"), "{}", sent[2].url);
}

#[tokio::test]
async fn every_event_of_the_marketplace_may_be_repeated_and_reordered() {
    let mut wants = with_deposit("T1");
    wants["status"] = json!("CANCEL_REQUESTED");
    let full = paid(with_deposit("T1"), "tp_2", "BALANCE", 2_880_000, None);
    let mut gone = full.clone();
    gone["status"] = json!("DEPARTED");
    let events = [
        event("e1", "booking.received", 1, &trip("T1", "RECEIVED"), json!({})),
        event("e2", "booking.completed", 2, &with_deposit("T1"), json!({})),
        event("e3", "booking.cancel_requested", 3, &wants, json!({"from_status": "COMPLETED"})),
        event("e4", "booking.cancel_withdrawn", 4, &with_deposit("T1"), json!({})),
        event("e5", "payment.recorded", 5, &full, json!({})),
        event("e6", "booking.departed", 6, &gone, json!({})),
    ];
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [0, 5, 1, 4, 2, 3], [1, 3, 5, 0, 2, 4], [2, 0, 4, 1, 5, 3]] {
        let bridge = TestBridge::start_trip("").await;
        for index in order {
            bridge.trip(&events[index]).await;
        }
        for index in order {
            assert_eq!(bridge.trip(&events[index]).await.expect(200).json()["result"], "duplicate");
        }
        let end = bridge.tripped("T1").await;
        assert_eq!((end.state, end.payment()), (OrderState::Completed, PaymentState::Paid), "{order:?}");
        assert_eq!(end.money.received(), 3_180_000, "{order:?}");
        assert!(end.refund_case.is_none_or(|case| !case.is_open()), "{order:?}");
    }
}

#[tokio::test]
async fn a_link_that_the_marketplace_no_longer_knows_is_taken_back() {
    for status in [404, 410] {
        let bridge = TestBridge::start_trip(CAN).await;
        bridge.trip_is(event("e1", "booking.completed", 1, &trip("T1", "COMPLETED"), json!({})), "accepted").await;
        let made = json!({"link_id": "L1", "url": "https://pay.example/L1"});
        bridge.partners.next("/payment-links", Outcome::Says(201, made));
        bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
        bridge.drain().await;
        bridge.partners.next("/payment-links/L1", Outcome::Says(status, json!({})));
        bridge.post(&format!("orders/{TRIP}:T1/payment-links/revoke"), &json!({})).await.expect(200);
        bridge.drain().await;
        let deletes = bridge.partners.sent("/payment-links/L1");
        assert_eq!(deletes.len(), 1);
        let order = bridge.tripped("T1").await;
        assert!(order.attention.is_empty(), "{status}: {:?}", order.attention);
        assert_eq!(order.channel_state.unwrap().links[0].state, LinkState::Revoked);
        assert!(bridge.get("deliveries?state=dead").await.expect(200).json()["items"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_link_whose_making_was_not_answered_is_asked_for_and_taken_back() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &trip("T1", "COMPLETED"), json!({})), "accepted").await;
    bridge.drain().await;
    bridge.partners.next("/payment-links", Outcome::Interrupted);
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    bridge.drain().await;
    bridge.post(&format!("orders/{TRIP}:T1/payment-links/revoke"), &json!({})).await.expect(200);
    let made = json!({"link_id": "L1", "url": "https://pay.example/L1"});
    bridge.partners.next("/payment-links", Outcome::Says(201, made));
    bridge.partners.next("/payment-links/L1", gone("L1"));
    bridge.advance(Millis::minutes(30));
    bridge.drain().await;
    let sent = bridge.partners.sent("/T1/payment-links");
    let made: Vec<_> = sent.iter().filter(|s| s.method == "POST").collect();
    assert_eq!(made.len(), 2, "asked for again");
    assert_eq!(made[0].headers.get("idempotency-key"), made[1].headers.get("idempotency-key"), "under the same key");
    assert_eq!(made[0].body, made[1].body);
    assert_eq!(sent.iter().filter(|s| s.method == "DELETE" && s.url.ends_with("/L1")).count(), 1);
    let order = bridge.tripped("T1").await;
    assert_eq!(order.channel_state.unwrap().links[0].state, LinkState::Revoked);
}

/// What the marketplace would not take back is alive there: it is shown so, can be taken back, and no second link lives beside it.
#[tokio::test]
async fn a_link_that_could_not_be_taken_back_is_alive_until_it_is() {
    for act in ["retry", "drop"] {
        let bridge = TestBridge::start_trip(CAN).await;
        bridge.trip_is(event("e1", "booking.completed", 1, &trip("T1", "COMPLETED"), json!({})), "accepted").await;
        let made = json!({"link_id": "L1", "url": "https://pay.example/L1"});
        bridge.partners.next("/payment-links", Outcome::Says(201, made));
        let links = format!("orders/{TRIP}:T1/payment-links");
        bridge.post(&links, &json!({})).await.expect(200);
        bridge.drain().await;
        let no = json!({"error": {"code": "busy", "message": "not now"}});
        bridge.partners.next("/payment-links/L1", Outcome::Says(422, no));
        bridge.post(&format!("{links}/revoke"), &json!({})).await.expect(200);
        bridge.drain().await;
        let state = async || bridge.tripped("T1").await.channel_state.unwrap().links[0].state;
        assert_eq!(state().await, LinkState::Live, "{act}: it was not taken back");
        assert!(bridge.tripped("T1").await.needs(AttentionKind::NotificationRefused), "{act}");
        bridge.post(&links, &json!({})).await.problem(409, "link_not_needed");
        let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
        let id = dead["items"][0]["id"].as_str().expect("an id").to_owned();
        let body = if act == "drop" { json!({"reason": "x"}) } else { json!({}) };
        bridge.post(&format!("deliveries/{id}/{act}"), &body).await.expect(200);
        if act == "drop" {
            bridge.drain().await;
            assert_eq!(state().await, LinkState::Live, "dropped, and as alive as before");
            bridge.post(&links, &json!({})).await.problem(409, "link_not_needed");
            bridge.post(&format!("{links}/revoke"), &json!({})).await.expect(200);
        }
        bridge.partners.next("/payment-links/L1", Outcome::Says(200, json!({"link_id": "L1", "status": "REVOKED"})));
        bridge.drain().await;
        assert_eq!(state().await, LinkState::Revoked, "{act}");
        assert!(bridge.tripped("T1").await.attention.is_empty(), "{act}: {:?}", bridge.tripped("T1").await.attention);
        let deletes = bridge.partners.sent("/payment-links/L1");
        assert_eq!(deletes.iter().filter(|sent| sent.method == "DELETE").count(), 2, "{act}");
        let made = json!({"link_id": "L2", "url": "https://pay.example/L2"});
        bridge.partners.next("/payment-links", Outcome::Says(201, made));
        bridge.post(&links, &json!({})).await.expect(200);
        bridge.drain().await;
        let order = bridge.tripped("T1").await;
        assert_eq!(order.channel_state.unwrap().live_link().unwrap().id.as_deref(), Some("L2"), "{act}");
    }
}

#[tokio::test]
async fn an_answer_that_says_that_the_link_lives_has_not_taken_it_back() {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &trip("T1", "COMPLETED"), json!({})), "accepted").await;
    let made = json!({"link_id": "L1", "url": "https://pay.example/L1"});
    bridge.partners.next("/payment-links", Outcome::Says(201, made));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links"), &json!({})).await.expect(200);
    bridge.drain().await;
    bridge.partners.next("/payment-links/L1", Outcome::Says(200, json!({"link_id": "L1", "status": "SENT"})));
    bridge.partners.next("/payment-links/L1", Outcome::Says(200, json!({"link_id": "L1", "status": "REVOKED"})));
    bridge.post(&format!("orders/{TRIP}:T1/payment-links/revoke"), &json!({})).await.expect(200);
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    let deletes = bridge.partners.sent("/payment-links/L1").into_iter().filter(|sent| sent.method == "DELETE").count();
    assert_eq!(deletes, 2, "told again");
}

/// A booking whose link `L1` the guest has.
async fn with_link() -> (TestBridge, String) {
    let bridge = TestBridge::start_trip(CAN).await;
    bridge.trip_is(event("e1", "booking.completed", 1, &trip("T1", "COMPLETED"), json!({})), "accepted").await;
    bridge
        .partners
        .next("/payment-links", Outcome::Says(201, json!({"link_id": "L1", "url": "https://pay.example/L1"})));
    let links = format!("orders/{TRIP}:T1/payment-links");
    bridge.post(&links, &json!({})).await.expect(200);
    bridge.drain().await;
    (bridge, links)
}

/// The state of each link, oldest first.
async fn states(bridge: &TestBridge) -> Vec<LinkState> {
    bridge.tripped("T1").await.channel_state.unwrap().links.into_iter().map(|link| link.state).collect()
}

/// A yes without a word, and books that count nothing new: it is told once more under the same key, then the link counts as alive, a
/// person sees it, and no other one is made beside it.
#[tokio::test]
async fn a_yes_to_taking_a_link_back_is_a_word_until_the_books_count_a_change() {
    for (status, body) in
        [(200, json!({})), (204, json!({})), (200, json!({"link_id": "L1"})), (200, json!({"ok": true}))]
    {
        for act in ["payment-links/revoke", "payment-links"] {
            let (bridge, links) = with_link().await;
            for _ in 0..2 {
                bridge.partners.next("/payment-links/L1", Outcome::Says(status, body.clone()));
            }
            for _ in 0..8 {
                let stands = json!({"booking": trip("T1", "COMPLETED"), "revision": 1});
                bridge.partners.next("/v1/bookings/T1", Outcome::Says(200, stands));
            }
            bridge.post(&format!("orders/{TRIP}:T1/{act}"), &json!({})).await.expect(200);
            bridge.drain().await;
            assert_eq!(states(&bridge).await[0], LinkState::Revoking, "{act} {status} {body}");
            bridge.advance(Millis::minutes(1));
            bridge.drain().await;
            let told: Vec<_> =
                bridge.partners.sent("/payment-links/L1").into_iter().filter(|sent| sent.method == "DELETE").collect();
            assert_eq!(told.len(), 2, "{act} {status} {body}");
            assert_eq!(told[0].headers["idempotency-key"], told[1].headers["idempotency-key"]);
            assert_eq!(states(&bridge).await[0], LinkState::Live, "{act} {status} {body}");
            assert!(bridge.tripped("T1").await.needs(AttentionKind::NotificationRefused), "{act} {status} {body}");
            let made =
                bridge.partners.sent("/T1/payment-links").into_iter().filter(|sent| sent.method == "POST").count();
            assert_eq!(made, 1, "{act} {status} {body}: no other one lives beside it");
            bridge.post(&links, &json!({})).await.problem(409, "link_not_needed");
        }
    }
}

/// The guest pays while the link is being taken back: the marketplace's answer tells who was sooner, whenever the payment is heard of.
#[tokio::test]
async fn a_payment_that_crosses_the_taking_back_of_its_link_does_not_say_how_that_ends() {
    leaves_work();
    let no = json!({"error": {"code": "paid", "message": "it is paid"}});
    let gone = json!({"link_id": "L1", "status": "REVOKED"});
    for (answer, ends) in [(Outcome::Says(200, gone), LinkState::Revoked), (Outcome::Says(422, no), LinkState::Paid)] {
        for is_heard_first in [true, false] {
            let (bridge, links) = with_link().await;
            bridge.partners.next("/payment-links/L1", answer.clone());
            bridge.post(&format!("{links}/revoke"), &json!({})).await.expect(200);
            if !is_heard_first {
                bridge.drain().await;
            }
            let paid = paid(trip("T1", "COMPLETED"), "tp_9", "FULL", 3_180_000, Some("L1"));
            bridge.trip(&event("e2", "payment.recorded", 2, &paid, json!({}))).await.expect(200);
            bridge.drain().await;
            assert_eq!(states(&bridge).await, [ends], "heard first: {is_heard_first}");
        }
    }
}

/// What proves it: the marketplace's own event, or books that count one change more. Then the one that takes its place is made.
#[tokio::test]
async fn a_link_is_gone_once_an_event_or_the_books_show_it() {
    for by in ["answer", "books", "books, after no answer", "event"] {
        let (bridge, links) = with_link().await;
        let made = json!({"link_id": "L2", "url": "https://pay.example/L2"});
        let counted = json!({"booking": trip("T1", "COMPLETED"), "revision": 2});
        let answer = match by {
            "answer" => Outcome::Says(200, counted.clone()),
            "books" => Outcome::Says(204, json!({})),
            "books, after no answer" => Outcome::Interrupted,
            _ => Outcome::Says(202, json!({})),
        };
        bridge.partners.next("/payment-links/L1", answer);
        bridge.partners.next("/T1/payment-links", Outcome::Says(201, made));
        bridge.partners.next("/v1/bookings/T1", Outcome::Says(200, counted));
        bridge.post(&links, &json!({})).await.expect(200);
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
        bridge.drain().await;
        if by == "event" {
            assert_eq!(states(&bridge).await[0], LinkState::Revoking);
            let change = json!({"link_id": "L1", "status": "REVOKED"});
            bridge.trip_is(event("e2", "payment_link.updated", 2, &trip("T1", "COMPLETED"), change), "accepted").await;
        }
        assert_eq!(states(&bridge).await, [LinkState::Revoked, LinkState::Live], "{by}");
        let deletes =
            bridge.partners.sent("/payment-links/L1").into_iter().filter(|sent| sent.method == "DELETE").count();
        assert_eq!(deletes, 1, "{by}");
        assert!(bridge.tripped("T1").await.attention.is_empty(), "{by}");
    }
}
