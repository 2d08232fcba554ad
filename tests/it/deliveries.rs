// SPDX-License-Identifier: Apache-2.0

//! What a delivery says of itself: the key that the partner has seen, that nothing was needed where the order moved on, and that a partner
//! is missing.

use serde_json::{Value, json};
use ticketbridge_core::Millis;

use crate::support::kakao::{self, event, reservation};
use crate::support::partners::{Outcome, Sent};
use crate::support::{TestBridge, tripstore};

impl TestBridge {
    /// The deliveries of one call, newest first.
    async fn deliveries_of(&self, call: &str) -> Vec<Value> {
        let list = self.get("deliveries").await.expect(200).json();
        let items = list["items"].as_array().expect("deliveries").clone();
        items.into_iter().filter(|item| item["call"] == call).collect()
    }
}

fn key_of(sent: &Sent) -> &str {
    sent.headers["idempotency-key"].to_str().expect("text")
}

#[tokio::test]
async fn the_key_of_a_hand_over_is_the_one_that_the_agencys_books_have_seen() {
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    bridge.partners.next("erp.example", Outcome::Says(503, json!({})));
    let it = tripstore::trip("T1", "RECEIVED");
    bridge.trip_is(tripstore::event("e1", "booking.received", 1, &it, json!({})), "accepted").await;
    // Before it was sent, while it waits for its next attempt, and when it is done.
    for round in 0..3 {
        let shown = bridge.deliveries_of("hand_over").await;
        assert_eq!((shown.len(), &shown[0]["idempotency_key"]), (1, &json!("erp-T1")), "{round}: {shown:?}");
        if round == 1 {
            bridge.partners.next("erp.example", Outcome::Says(404, json!({})));
            bridge.partners.next("erp.example", Outcome::Says(201, json!({"agency_booking_no": "YB-1"})));
        }
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
    }
    assert_eq!(bridge.deliveries_of("hand_over").await[0]["state"], "delivered");
    let posted: Vec<Sent> =
        bridge.partners.sent("erp.example/v1/bookings").into_iter().filter(|sent| sent.method == "POST").collect();
    assert!(posted.len() >= 2 && posted.iter().all(|sent| key_of(sent) == "erp-T1"));
    // A change is told under its own delivery's id.
    let mut changed = it.clone();
    changed["booker"]["name"] = json!("이바뀜");
    bridge.trip_is(tripstore::event("e2", "booking.completed", 2, &changed, json!({})), "accepted").await;
    bridge.drain().await;
    for shown in bridge.deliveries_of("hand_over").await.iter().filter(|shown| shown["idempotency_key"] != "erp-T1") {
        assert_eq!(shown["idempotency_key"], shown["id"]);
        assert_eq!(bridge.partners.sent("erp.example").last().map(key_of), shown["id"].as_str());
    }
}

#[tokio::test]
async fn the_key_of_a_count_of_stock_is_that_of_the_last_count() {
    let can = format!("{}, \"stock\"", kakao::CAN);
    let bridge = TestBridge::start_kakao_also(&can, "schedule_id = \"S-{date}\"").await;
    bridge.partners.next("/stock", Outcome::Says(500, json!({})));
    let it = reservation("R1", "pd_plain", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &it, json!({})), "accepted").await;
    assert_eq!(bridge.deliveries_of("tell_stock").await[0]["idempotency_key"], Value::Null, "nothing is counted yet");
    for attempt in 1..=2 {
        bridge.drain().await;
        let sent = bridge.partners.sent("/stock");
        assert_eq!(sent.len(), attempt);
        assert_eq!(bridge.deliveries_of("tell_stock").await[0]["idempotency_key"], key_of(&sent[attempt - 1]));
        bridge.advance(Millis::minutes(5));
    }
}

#[tokio::test]
async fn what_goes_to_douyin_and_to_the_gate_is_known_there_by_the_key_that_is_shown() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let issued = bridge.partners.sent("/bridge/reservations").remove(0);
    assert_eq!(bridge.deliveries_of("issue").await[0]["idempotency_key"], key_of(&issued));
    bridge.set_time("2026-12-01T09:00:00+08:00");
    bridge.post("orders/douyin-main:V100/redeem", &json!({})).await.expect(200);
    for _ in 0..2 {
        let shown = bridge.deliveries_of("redeemed").await;
        assert_eq!(shown[0]["idempotency_key"], "v-R100", "{shown:?}");
        bridge.drain().await;
    }
    assert_eq!(bridge.partners.sent("/certificate/verify/")[0].body["verify_token"], "v-R100");
}

#[tokio::test]
async fn the_deliveries_of_a_sale_that_went_well_show_nothing_that_reads_as_failure() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    bridge.post("orders/douyin-main:V100/redeem", &json!({})).await.expect(200);
    bridge.drain().await;
    let all = bridge.get("deliveries").await.expect(200).json();
    let items = all["items"].as_array().expect("deliveries");
    assert!(!items.is_empty());
    for item in items {
        assert!(["delivered", "not_needed"].iter().any(|state| item["state"] == *state), "{item}");
        assert_eq!(item["last_error"], Value::Null, "{item}");
        assert_eq!(item["note"].is_string(), item["state"] == "not_needed", "{item}");
    }
    // The tickets went with the answer to Douyin's own call.
    let spared = bridge.get("deliveries?state=not_needed").await.expect(200).json();
    let spared = spared["items"].as_array().expect("deliveries");
    assert!(spared.iter().any(|item| item["call"] == "tickets_issued"), "{all}");
    let id = spared[0]["id"].as_str().expect("an id");
    for (act, body) in [("retry", json!({})), ("drop", json!({"reason": "x"}))] {
        bridge.post(&format!("deliveries/{id}/{act}"), &body).await.problem(409, "not_needed");
    }
}

/// The example without the gate, and its products without tickets: what was sold before keeps its rules.
fn without_gate(bridge: &TestBridge) -> (String, String) {
    let (gate, products) = (bridge.read_config("backends/gate.toml"), bridge.read_config("products/lakeside.toml"));
    std::fs::remove_file(bridge.config_directory().join("backends/gate.toml")).expect("a file");
    let ticketing = "{ mode = \"backend\", backend = \"gate\", product = \"P-778\" }";
    bridge.write_config("products/lakeside.toml", &products.replace(ticketing, "{ mode = \"none\" }"));
    (gate, products)
}

#[tokio::test]
async fn an_order_whose_back_end_was_taken_out_of_the_configuration_asks_for_a_person_until_it_is_back() {
    for dropped in [false, true] {
        let bridge = TestBridge::start().await;
        bridge.sell("V100").await;
        bridge.book("R100", "V100", "2026-12-01").await;
        let (gate, products) = without_gate(&bridge);
        bridge.post("config/reload", &json!({})).await.expect(200);
        let needs = async || {
            let shown = bridge.order("V100").await;
            shown["attentions"].as_array().is_some_and(|all| all.iter().any(|one| one["kind"] == "partner_gone"))
        };
        for _ in 0..3 {
            bridge.drain().await;
            assert!(needs().await);
            bridge.advance(Millis::minutes(1));
        }
        let listed = bridge.get("orders?attention=partner_gone").await.expect(200).json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
        let raised = bridge.get("orders/douyin-main:V100/events").await.expect(200).text();
        assert_eq!(raised.matches("\"kind\":\"partner_gone\"").count(), 1, "raised once: {raised}");
        let sentence = bridge.order("V100").await["attention"]["sentence"].to_string();
        assert!(sentence.contains("gate") && sentence.contains("deliveries"), "{sentence}");
        if dropped {
            let id = bridge.deliveries_of("issue").await[0]["id"].as_str().expect("an id").to_owned();
            bridge.post(&format!("deliveries/{id}/drop"), &json!({"reason": "issued by hand"})).await.expect(200);
            assert!(!needs().await, "nobody has to look at what ops have put aside");
            continue;
        }
        bridge.write_config("backends/gate.toml", &gate);
        bridge.write_config("products/lakeside.toml", &products);
        bridge.post("config/reload", &json!({})).await.expect(200);
        bridge.advance(Millis::minutes(3));
        bridge.drain().await;
        assert!(!needs().await);
        assert_eq!(bridge.deliveries_of("issue").await[0]["state"], "delivered");
    }
}

#[tokio::test]
async fn an_order_whose_channel_was_taken_out_of_the_configuration_asks_for_a_person_too() {
    let bridge = TestBridge::start_kakao(kakao::CAN).await;
    let it = reservation("R1", "pd_plain", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &it, json!({})), "accepted").await;
    bridge.drain().await;
    let order = bridge.booked("R1").await.id;
    bridge.post(&format!("orders/{order}/confirm"), &json!({})).await.expect(200);
    let file = bridge.read_config("channels/kakao.toml");
    std::fs::remove_file(bridge.config_directory().join("channels/kakao.toml")).expect("a file");
    bridge.post("config/reload", &json!({})).await.expect(200);
    bridge.drain().await;
    let needs = async || bridge.get(&format!("orders/{order}")).await.expect(200).text().contains("\"partner_gone\"");
    assert!(needs().await);
    bridge.write_config("channels/kakao.toml", &file);
    bridge.post("config/reload", &json!({})).await.expect(200);
    bridge.advance(Millis::minutes(3));
    bridge.drain().await;
    assert!(!needs().await);
    assert_eq!(bridge.partners.sent("/R1/confirm").len(), 1);
}

#[tokio::test]
async fn a_hand_over_waits_for_the_agencys_books_that_were_taken_out_of_the_configuration() {
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let file = bridge.read_config("channels/trip.toml");
    bridge.partners.next("erp.example", Outcome::NotSent);
    let it = tripstore::trip("T1", "RECEIVED");
    bridge.trip_is(tripstore::event("e1", "booking.received", 1, &it, json!({})), "accepted").await;
    bridge.drain().await;
    let without: String =
        file.lines().filter(|line| !line.starts_with("erp")).map(|line| format!("{line}\n")).collect();
    bridge.write_config("channels/trip.toml", &without);
    bridge.post("config/reload", &json!({})).await.expect(200);
    let order = bridge.tripped("T1").await.id;
    let needs = async || bridge.get(&format!("orders/{order}")).await.expect(200).text().contains("\"partner_gone\"");
    for _ in 0..3 {
        bridge.advance(Millis::minutes(3));
        bridge.drain().await;
        assert!(needs().await);
        assert_eq!(bridge.deliveries_of("hand_over").await[0]["state"], "pending");
    }
    let events = bridge.get(&format!("orders/{order}/events")).await.expect(200).text();
    assert_eq!(events.matches("\"kind\":\"partner_gone\"").count(), 1, "raised once: {events}");
    bridge.write_config("channels/trip.toml", &file);
    bridge.post("config/reload", &json!({})).await.expect(200);
    bridge.partners.next("erp.example", Outcome::Says(201, json!({"agency_booking_no": "YB-1"})));
    bridge.advance(Millis::minutes(3));
    bridge.drain().await;
    assert!(!needs().await);
    let told = bridge.deliveries_of("hand_over").await;
    assert_eq!(told[0]["state"], "delivered", "{told:?}");
}
