// SPDX-License-Identifier: Apache-2.0

//! Kakao-style booking from outside: events in, calls out, and the order between them (KA-01 to KA-08; the numbers
//! are those of `adapters/kakao/README.md`).

mod acts;
pub(crate) mod crossing;
mod inflight;
mod money;
mod units;
mod visits;
mod wire;

use serde_json::json;
use ticketbridge_core::Millis;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, BookingState, CancelReason, OrderState, TicketingState};

use crate::support::TestBridge;
use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation};
use crate::support::partners::Outcome;

#[tokio::test]
async fn a_booking_waits_for_a_manager_and_moves_when_the_platform_agrees() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let asked = reservation("R1", "pd_manual", "REQUESTED");
    let said = bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!(said["order_id"], order.id.as_str());
    assert_eq!(said["version"], order.version);
    assert_eq!(order.state, OrderState::Placed);
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Requested);
    assert!(order.needs(AttentionKind::WaitsForConfirmation));
    assert_eq!(order.payment(), PaymentState::Paid);

    bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Requested, "nobody has agreed yet");
    assert_eq!(order.booking.as_ref().unwrap().ticketing.state, TicketingState::Issued, "the tickets are held first");
    let told = bridge.partners.sent("/v1/reservations/R1/confirm");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].body["expected_revision"], 1);
    assert!(told[0].body["backend_ref"].is_string());
    assert_eq!(told[0].headers["idempotency-key"], told[0].headers["webhook-id"]);

    let now = reservation("R1", "pd_manual", "CONFIRMED");
    bridge.kakao_is(event("e2", "reservation.confirmed", 2, &now, json!({"by": "MANAGER"})), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Booked);
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Confirmed);
    assert!(order.channel_state.as_ref().unwrap().proposal.is_none());
    assert!(!order.needs(AttentionKind::WaitsForConfirmation));
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/bridge/reservations").len(), 1, "the gate is asked once");
}

#[tokio::test]
async fn a_plain_yes_of_the_platform_is_agreement_too() {
    for (answer, state) in [
        (Outcome::Says(200, json!({"reservation_no": "R1", "status": "CONFIRMED"})), BookingState::Confirmed),
        (Outcome::Says(200, json!({})), BookingState::Requested),
        (Outcome::Says(200, json!({"status": "CONFIRMED"})), BookingState::Requested),
        (Outcome::Says(202, json!({})), BookingState::Requested),
        (
            Outcome::Says(200, json!({"reservation": reservation("R1", "pd_plain", "CONFIRMED"), "revision": 2})),
            BookingState::Confirmed,
        ),
    ] {
        let bridge = TestBridge::start_kakao(CAN).await;
        let asked = reservation("R1", "pd_plain", "REQUESTED");
        bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
        bridge.partners.next("/confirm", answer.clone());
        bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
        bridge.drain().await;
        assert_eq!(bridge.booked("R1").await.booking.unwrap().state, state, "{answer:?}");
        let now = reservation("R1", "pd_plain", "CONFIRMED");
        bridge.kakao(&event("e2", "reservation.confirmed", 2, &now, json!({"by": "MANAGER"}))).await.expect(200);
        assert_eq!(bridge.booked("R1").await.booking.unwrap().state, BookingState::Confirmed);
    }
}

#[tokio::test]
async fn a_manager_declines_with_a_reason_for_the_guest() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let asked = reservation("R1", "pd_manual", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    let reason = "비가 와서 진행하지 않습니다";
    bridge.post(&format!("orders/{KAKAO}:R1/decline"), &json!({"reason": reason})).await.expect(200);
    bridge.drain().await;
    let told = bridge.partners.sent("/v1/reservations/R1/reject");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].body, json!({"expected_revision": 1, "reason_code": "OTHER", "reason_text": reason}));
    assert_eq!(bridge.booked("R1").await.booking.unwrap().state, BookingState::Requested);
    let off = cancelled(
        "R1",
        "pd_manual",
        "REJECTED",
        0,
        &[("pay_1", "cx_1", 90_000, "PENDING"), ("pay_2", "cx_2", 3_000, "DONE")],
    );
    bridge
        .kakao_is(
            event("e2", "reservation.rejected", 2, &off, json!({"by": "MANAGER", "reason_text": reason})),
            "accepted",
        )
        .await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Rejected);
    assert_eq!(order.cancel_reason, Some(CancelReason::Rejected));
    assert_eq!(order.payment(), PaymentState::RefundPending);
    assert!(bridge.partners.sent("/bridge/reservations").is_empty(), "no ticket was ever asked for");
}

#[tokio::test]
async fn policy_accepts_what_the_product_accepts_by_itself() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let asked = reservation("R1", "pd_auto", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/v1/reservations/R1/confirm").len(), 1);
}

#[tokio::test]
async fn a_back_end_without_a_ticket_declines_the_request() {
    let bridge = TestBridge::start_kakao(CAN).await;
    bridge.partners.next("/bridge/reservations", Outcome::Says(200, json!({"state": "refused", "reason": "full"})));
    let asked = reservation("R1", "pd_auto", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    bridge.drain().await;
    assert!(bridge.partners.sent("/confirm").is_empty());
    let told = bridge.partners.sent("/v1/reservations/R1/reject");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].body["reason_code"], "SOLD_OUT");
}

#[tokio::test]
async fn what_the_platform_confirms_by_itself_is_never_confirmed_by_us() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut booked = reservation("R1", "pd_auto", "CONFIRMED");
    booked["confirm_mode"] = json!("AUTO");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.unwrap().ticketing.state, TicketingState::Issued);
    assert!(bridge.partners.sent("/v1/reservations/").is_empty());
    bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.problem(409, "not_waiting");
}

#[tokio::test]
async fn a_missing_capability_is_a_task_for_a_person_and_no_error() {
    let bridge = TestBridge::start_kakao("").await;
    let asked = reservation("R1", "pd_plain", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert!(bridge.partners.sent("kakao.example").is_empty());
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    assert_eq!(shown["attention"]["kind"], "to_do_by_hand", "{shown}");
    assert!(bridge.get("deliveries?state=dead").await.expect(200).json()["items"].as_array().unwrap().is_empty());
    let now = reservation("R1", "pd_plain", "CONFIRMED");
    bridge.kakao_is(event("e2", "reservation.confirmed", 2, &now, json!({"by": "MANAGER"})), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.as_ref().unwrap().state, BookingState::Confirmed);
    assert!(!order.needs(AttentionKind::ManualTask), "the person has done it");
}

#[tokio::test]
async fn the_places_code_goes_with_a_use_and_a_changed_one_counts_at_once() {
    let bridge = TestBridge::start_kakao_also(&format!("{CAN}, \"use_code\""), "use_code = \"0417\"").await;
    let booked = reservation("R1", "pd_auto", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    bridge.set_time("2026-12-13T10:30:00+09:00");
    bridge.partners.next("R1/use", Outcome::Says(422, json!({"error": {"code": "wrong_use_code"}})));
    bridge.post(&format!("orders/{KAKAO}:R1/redeem"), &json!({})).await.expect(200);
    bridge.drain().await;
    let changed = bridge.read_config("channels/kakao.toml").replace("\"0417\"", "\"2233\"");
    bridge.write_config("channels/kakao.toml", &changed);
    bridge.post("config/reload", &json!({})).await.expect(200);
    let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
    let id = dead["items"][0]["id"].as_str().expect("a dead letter").to_owned();
    bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.expect(200);
    bridge.drain().await;
    let told: Vec<_> = bridge.partners.sent("R1/use").into_iter().map(|call| call.body).collect();
    let said: Vec<_> = told.iter().map(|body| (&body["method"], &body["use_code"])).collect();
    assert_eq!(said, [(&json!("CODE"), &json!("0417")), (&json!("CODE"), &json!("2233"))]);
    let order = bridge.get(&format!("orders/{KAKAO}:R1/calls")).await.expect(200).text();
    assert!(!order.contains("0417") && !order.contains("2233"), "the code is shown nowhere: {order}");
}

#[tokio::test]
async fn a_guest_at_the_gate_is_reported_and_the_platforms_own_word_is_taken() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let booked = reservation("R1", "pd_auto", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    let booking = bridge.booked("R1").await.booking.unwrap();
    bridge.set_time("2026-12-13T10:30:00+09:00");
    let used = json!({"type": "ticket.redeemed", "reservation_id": booking.id,
        "occurred_at": "2026-12-13T10:20:00+09:00", "data": {}});
    bridge.backend_event("gate", "g1", &used).await.expect(200);
    bridge.drain().await;
    let told = bridge.partners.sent("/v1/reservations/R1/use");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].body["lines"], json!([{"detail_no": "D1", "quantity": 2}, {"detail_no": "D2", "quantity": 1}]));
    assert_eq!(told[0].body["used_at"], "2026-12-13T10:20:00+09:00");
    // The platform's own event crosses ours, and an older snapshot of it changes nothing.
    let crossing = reservation("R1", "pd_auto", "CONFIRMED");
    bridge.kakao_is(event("e2", "payment.refund_updated", 2, &crossing, json!({})), "accepted").await;
    assert_eq!(bridge.booked("R1").await.state, OrderState::Completed);
}

#[tokio::test]
async fn used_by_the_platform_whole_or_in_part() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let booked = reservation("R1", "pd_auto", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
    let mut part = booked.clone();
    part["lines"][0]["used_quantity"] = json!(1);
    let lines =
        json!({"by": "CODE", "lines": [{"detail_no": "D1", "quantity": 1}], "used_at": "2026-12-13T10:00:00+09:00"});
    bridge.kakao_is(event("e2", "reservation.used", 2, &part, lines), "accepted").await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Booked);
    assert_eq!(order.channel_state.as_ref().unwrap().standing.lines[0].used, 1);
    let mut all = part;
    all["status"] = json!("USED");
    all["lines"][0]["used_quantity"] = json!(2);
    all["lines"][1]["used_quantity"] = json!(1);
    let change = json!({"by": "AUTO_NEXT_DAY", "used_at": "2026-12-14T00:10:00+09:00"});
    bridge.kakao_is(event("e3", "reservation.used", 3, &all, change), "accepted").await;
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Completed);
    assert!(bridge.partners.sent("/use").is_empty(), "edge 12: the platform knows what it has told");
}

#[tokio::test]
async fn a_guest_who_did_not_come_stays_so_whatever_the_platform_does_the_next_day() {
    for (capabilities, calls) in [(CAN, 1), (r#""confirm""#, 0)] {
        let bridge = TestBridge::start_kakao(capabilities).await;
        let booked = reservation("R1", "pd_auto", "CONFIRMED");
        bridge.kakao_is(event("e1", "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
        bridge.drain().await;
        bridge.set_time("2026-12-13T13:00:00+09:00");
        bridge.post(&format!("orders/{KAKAO}:R1/no-show"), &json!({})).await.expect(200);
        bridge.drain().await;
        assert_eq!(bridge.partners.sent("/v1/reservations/R1/no-show").len(), calls);
        let order = bridge.booked("R1").await;
        assert!(!order.needs(AttentionKind::NotificationRefused) && !order.needs(AttentionKind::ManualTask));
        let used = reservation("R1", "pd_auto", "USED");
        bridge.kakao_is(event("e2", "reservation.used", 2, &used, json!({"by": "AUTO_NEXT_DAY"})), "accepted").await;
        assert_eq!(bridge.booked("R1").await.booking.unwrap().state, BookingState::NoShow);
    }
}

#[tokio::test]
async fn edge_48_a_product_off_sale_stops_new_bookings_only() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let open = reservation("R1", "pd_auto", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &open, json!({})), "accepted").await;
    bridge.drain().await;
    let closed = json!({"event_id": "p1", "event_type": "product.status_changed", "schema_version": "1",
        "occurred_at": "2026-11-21T11:30:00+09:00", "partner_id": "p_77", "place_id": "pl_5",
        "change": {"product_id": "pd_auto", "from": "ON_SALE", "to": "CLOSED_BY_SELLER", "cause": "SELLER"}});
    bridge.kakao_is(closed.clone(), "accepted").await;
    bridge.kakao_is(closed, "duplicate").await;
    assert_eq!(bridge.booked("R1").await.state, OrderState::Placed);
    bridge.advance(Millis::hours(1));
    let mut late = reservation("R2", "pd_auto", "REQUESTED");
    late["booked_at"] = json!("2026-11-21T11:45:00+09:00");
    bridge.kakao_is(event("e2", "reservation.requested", 1, &late, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/v1/reservations/R2/reject")[0].body["reason_code"], "CLOSED");
    // Booked before it closed, told after: that one is accepted.
    let mut early = reservation("R3", "pd_auto", "REQUESTED");
    early["booked_at"] = json!("2026-11-21T11:15:00+09:00");
    bridge.kakao_is(event("e3", "reservation.requested", 1, &early, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/v1/reservations/R3/confirm").len(), 1);
}

#[tokio::test]
async fn a_full_date_declines_and_a_cancelled_booking_opens_it_again() {
    let bridge = TestBridge::start_kakao(CAN).await;
    for index in 0..3 {
        let number = format!("R{index}");
        let booked = reservation(&number, "pd_auto", "CONFIRMED");
        let id = format!("e{index}");
        bridge.kakao_is(event(&id, "reservation.confirmed", 1, &booked, json!({"by": "AUTO"})), "accepted").await;
    }
    let full = reservation("R9", "pd_auto", "REQUESTED");
    bridge.kakao_is(event("e9", "reservation.requested", 1, &full, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/v1/reservations/R9/reject")[0].body["reason_code"], "SOLD_OUT");
    for number in ["R0", "R9"] {
        let off = cancelled(number, "pd_auto", "BY_BOOKER", 0, &[]);
        bridge.kakao_is(event(&format!("x{number}"), "reservation.canceled", 2, &off, json!({})), "accepted").await;
    }
    let again = reservation("R10", "pd_auto", "REQUESTED");
    bridge.kakao_is(event("e10", "reservation.requested", 1, &again, json!({})), "accepted").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/v1/reservations/R10/confirm").len(), 1);
}

#[tokio::test]
async fn nobody_confirms_a_booking_for_which_there_is_no_place() {
    let bridge = TestBridge::start_kakao(CAN).await;
    for index in 0..5 {
        let asked = reservation(&format!("R{index}"), "pd_manual", "REQUESTED");
        bridge.kakao_is(event(&format!("e{index}"), "reservation.requested", 1, &asked, json!({})), "accepted").await;
    }
    bridge.drain().await;
    let confirm = async |number: &str| bridge.post(&format!("orders/{KAKAO}:{number}/confirm"), &json!({})).await;
    // Three units each, of ten: the first three came while there was a place.
    confirm("R0").await.expect(200);
    let refused = confirm("R3").await;
    refused.problem(409, "out_of_stock");
    assert!(
        refused.json()["detail"].as_str().is_some_and(|text| text.contains("raise the stock")),
        "{}",
        refused.json()
    );
    let products = bridge.read_config("products/kakao.toml");
    let more = products.replace("stock = 10", "stock = 12");
    bridge.write_config("products/kakao.toml", &more);
    bridge.post("config/reload", &json!({})).await.expect(200);
    confirm("R3").await.expect(200);
    confirm("R4").await.problem(409, "out_of_stock");
    confirm("R1").await.expect(200);
    bridge.drain().await;
    let told =
        ["R0", "R1", "R2", "R3", "R4"].map(|n| bridge.partners.sent(&format!("/v1/reservations/{n}/confirm")).len());
    assert_eq!(told, [1, 1, 0, 1, 0]);
}

#[tokio::test]
async fn availability_answers_yes_only_when_it_knows() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let ask = |body: serde_json::Value| {
        let bridge = &bridge;
        async move {
            let body = body.to_string();
            let path = format!("/channels/{KAKAO}/availability");
            let ask =
                crate::support::kakao::signed(bridge, &path, crate::support::kakao::SECRET, "a1", body.as_bytes());
            bridge.ask(ask).await.expect(200).json()
        }
    };
    let question =
        |date: &str, quantity: u32| json!({"product_id": "pd_auto", "use": {"date": date}, "quantity": quantity});
    assert_eq!(ask(question("2026-12-13", 3)).await, json!({"available": true, "remaining": 10}));
    assert_eq!(ask(question("2026-12-13", 11)).await, json!({"available": false, "reason": "sold_out"}));
    assert_eq!(ask(question("2027-12-13", 1)).await["available"], false);
    let unknown = json!({"product_id": "nobody", "use": {"date": "2026-12-13"}});
    assert_eq!(ask(unknown).await, json!({"available": false, "reason": "unknown"}));
    // Who asks badly is told so: he would take a plain no for a full house.
    for (wrong, pointers) in [
        (json!({"product_id": 7, "date": "x", "quantity": "1"}), &["/product_id", "/date", "/quantity"][..]),
        (json!([]), &[""]),
    ] {
        let said = ask(wrong).await;
        assert_eq!((&said["available"], &said["reason"]), (&json!(false), &json!("unknown")), "{said}");
        for pointer in pointers {
            let errors = said["errors"].as_array().unwrap_or_else(|| panic!("{said}"));
            assert!(errors.iter().any(|error| error["pointer"] == *pointer), "{pointer}: {said}");
        }
    }
    let closed = json!({"event_id": "p1", "event_type": "product.status_changed", "schema_version": "1",
        "occurred_at": "2026-11-21T10:30:00+09:00", "change": {"product_id": "pd_auto", "from": "ON_SALE", "to": "OFF_SALE"}});
    bridge.kakao_is(closed, "accepted").await;
    assert_eq!(ask(question("2026-12-13", 1)).await, json!({"available": false, "reason": "closed"}));
}
