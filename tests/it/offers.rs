// SPDX-License-Identifier: Apache-2.0

//! What is offered is what can be had: one rule for calendars, questions and bookings; and what nobody knows is not promised.

use serde_json::{Value, json};
use ticketbridge_adapters::douyin::crypto::encrypt_field;
use ticketbridge_core::Millis;
use ticketbridge_core::order::AttentionKind;

use crate::support::kakao::{CAN, KAKAO, SECRET, event, reservation, signed};
use crate::support::{CLIENT_SECRET, TestBridge, douyin};

/// The days that a pull says are on sale.
async fn on_sale(bridge: &TestBridge, from: &str, to: &str) -> Vec<String> {
    let ask = json!({ "product_out_id": "LP-V2|LP-B2", "start_date": from, "end_date": to });
    let reply = bridge.douyin("pull-calendar", &ask).await.expect(200).json();
    let list = reply["data"]["ticket_sku_and_calendar"][0]["calendar_list"].as_array().expect("a list").clone();
    let mut days = Vec::new();
    for range in list.iter().filter(|range| range["status"] == 1) {
        assert!(range["stock_qty"].as_i64().is_some_and(|left| left > 0), "{range}");
        let day = |end: &str| {
            ticketbridge_core::Date::parse(range["calendar_value"][end].as_str().expect("a day")).expect("a date")
        };
        let mut day_now = day("start_date");
        while day_now <= day("end_date") {
            days.push(day_now.to_string());
            day_now = day_now.plus_days(1);
        }
    }
    days
}

#[tokio::test]
async fn a_pulled_calendar_offers_exactly_what_a_booking_is_taken_for() {
    let bridge = TestBridge::start_with(|files| {
        let products = files.get_mut("products/lakeside.toml").expect("the products of the example");
        *products = products
            .replacen(
                "advance      = { days = 0, before = \"12:00\" }",
                "advance      = { days = 2, before = \"12:00\" }",
                1,
            )
            .replacen("weekdays = [\"mon\", \"tue\",", "weekdays = [\"tue\",", 1)
            .replacen(
                "booking_window = { from = \"2026-11-01\", to = \"2027-03-31\" }",
                "booking_window = { from = \"2026-11-01\", to = \"2026-12-20\" }",
                1,
            );
    })
    .await;
    bridge.set_time("2026-11-30T13:00:00+08:00");
    let offered = on_sale(&bridge, "2026-11-25", "2027-01-10").await;
    assert!(!offered.is_empty());
    let mut day = ticketbridge_core::Date::parse("2026-11-25").expect("a date");
    let mut can_be_booked = Vec::new();
    for number in 0..47 {
        let mut question = douyin::booking(&format!("R{number}"), "V1", &day.to_string(), 2, bridge.now());
        question["tourists"] = douyin::visitors(&format!("R{number}"), 4);
        if bridge.douyin("can-buy", &question).await.expect(200).json()["data"]["error_code"] == 0 {
            can_be_booked.push(day.to_string());
        }
        day = day.plus_days(1);
    }
    assert_eq!(offered, can_be_booked);
    assert_eq!(offered.first().map(String::as_str), Some("2026-12-03"), "noon is over two days before the 2nd");
    assert_eq!(offered.last().map(String::as_str), Some("2026-12-20"));
}

#[tokio::test]
async fn what_a_back_end_has_not_told_is_not_promised() {
    let bridge =
        TestBridge::start_with(|files| {
            let products = files.get_mut("products/lakeside.toml").expect("the products of the example");
            *products = products
                .replacen("overdue_policy =", "stock_from = \"backend\"\noverdue_policy =", 1)
                .replacen(", stock = 200, price = 19900", ", price = 19900", 1);
        })
        .await;
    let told = |remaining: Value| {
        let days = json!({ "days": [{ "date": "2026-12-01", "remaining": remaining, "price": 1, "currency": "CNY" }] });
        crate::support::partners::Outcome::Says(200, days)
    };
    assert_eq!(on_sale(&bridge, "2026-12-01", "2026-12-01").await, Vec::<String>::new(), "nobody has said anything");
    for (remaining, offered) in [(Value::Null, 1), (json!(0), 0), (json!(3), 1)] {
        bridge.partners.next("/availability?product=P-778&from=2026-11-20", told(remaining.clone()));
        bridge.bridge.worker().refresh_availability().await.expect("a database that answers");
        assert_eq!(on_sale(&bridge, "2026-12-01", "2026-12-01").await.len(), offered, "{remaining}");
    }
}

#[tokio::test]
async fn a_question_without_a_date_is_answered_by_what_is_known() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let body = json!({ "product_id": "pd_auto", "quantity": 1 }).to_string();
    let path = format!("/channels/{KAKAO}/availability");
    let answer = bridge.ask(signed(&bridge, &path, SECRET, "a1", body.as_bytes())).await.expect(200).json();
    assert_eq!(answer, json!({ "available": false, "reason": "unknown" }), "the stock is each date's own");
}

#[tokio::test]
async fn a_name_with_control_characters_is_a_name() {
    let bridge = TestBridge::start().await;
    for (number, name, phone) in [
        ("V101", "Ada\u{7} Example\r\n", "\t13800000101"),
        ("V102", "\u{feff}Ada\u{200b} Example", "\u{202d}13800000102\u{202c}"),
    ] {
        let mut sale = douyin::sale(number, 2, bridge.now());
        sale["buyer"] = json!({
            "name": encrypt_field(CLIENT_SECRET, name), "phone": encrypt_field(CLIENT_SECRET, phone),
        });
        let answer = bridge.douyin("create-order", &sale).await.expect(200).json();
        assert_eq!(answer["data"]["error_code"], 0, "{name:?}: {answer}");
        let buyer = bridge.stored(number).await.buyer;
        assert_eq!(buyer.name.expect("a name").reveal(), "Ada Example");
        assert_eq!(buyer.phone.expect("a phone").reveal(), phone.trim_matches(|c: char| !c.is_ascii_digit()));
    }
    let mut sale = douyin::sale("V103", 2, bridge.now());
    sale["buyer"]["name"] = json!(encrypt_field(CLIENT_SECRET, "\u{0}\u{1}"));
    assert_eq!(bridge.douyin("create-order", &sale).await.expect(200).json()["data"]["error_code"], 0);
    assert_eq!(bridge.stored("V103").await.buyer.name, None, "nothing is left of it");

    let bridge = TestBridge::start_kakao(CAN).await;
    let mut it = reservation("R1", "pd_auto", "CONFIRMED");
    it["booker"]["name"] = json!("김\u{b}예시\u{7f}");
    it["booker"]["phone"] = json!("010-1234-5678\u{0}");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    let buyer = bridge.booked("R1").await.buyer;
    assert_eq!(buyer.name.expect("a name").reveal(), "김 예시");
    assert_eq!(buyer.phone.expect("a phone").reveal(), "010-1234-5678");
}

#[tokio::test]
async fn a_request_that_comes_when_its_warning_is_over_is_warned_of_at_once() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let asked = bridge.now();
    bridge.advance(Millis::hours(70));
    bridge.douyin("refund-apply", &douyin::refund_apply("R100", "B1", 103, 0, asked)).await.expect(200);
    bridge.drain().await;
    let events = bridge.get("orders/douyin-main:V100/events?limit=200").await.expect(200).text();
    assert_eq!(events.matches("\"kind\":\"review_limit_near\"").count(), 1, "{events}");
    bridge.advance(Millis::hours(2));
    bridge.drain().await;
    assert!(bridge.stored("V100").await.needs(AttentionKind::ReviewOverdue));
}

#[tokio::test]
async fn a_sale_of_another_merchant_is_not_ours() {
    let bridge = TestBridge::start().await;
    let mut sale = douyin::sale("V100", 2, bridge.now());
    sale["account_id"] = json!("7999999999");
    let answer = bridge.douyin("create-order", &sale).await.expect(200).json();
    assert_eq!(answer["data"]["error_code"], 999_999, "{answer}");
    sale["account_id"] = json!("7123456789");
    assert_eq!(bridge.douyin("create-order", &sale).await.expect(200).json()["data"]["error_code"], 0);
}

#[tokio::test]
async fn a_pushed_message_makes_us_ask_for_the_order_it_names() {
    use ticketbridge_adapters::douyin::sign::sign_webhook;
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.drain().await;
    let push = |id: &str, content: Value| {
        let body = json!({ "event": "life_trade_order_notify", "content": content.to_string() }).to_string();
        crate::support::Ask::new(http::Method::POST, "/channels/douyin-main/webhook")
            .header("x-douyin-signature", &sign_webhook(CLIENT_SECRET, body.as_bytes()))
            .header("msg-id", id)
            .body(body)
    };
    let view = json!({ "order_id": "V100", "order_status": 1, "pay_amount": 39_800, "count": 2 });
    for _ in 0..2 {
        let answer = json!({ "data": { "error_code": 0, "orders": [view] } });
        bridge.partners.next("/goodlife/v1/trade/order/query/", crate::support::partners::Outcome::Says(200, answer));
    }
    for id in ["m1", "m2", "m3"] {
        bridge.ask(push(id, json!({ "action": "pay_success", "order": { "order_id": "V100" } }))).await.expect(200);
    }
    bridge.drain().await;
    assert_eq!(
        bridge.partners.sent("/goodlife/v1/trade/order/query/").len(),
        1,
        "however many hints come, one question waits"
    );
    bridge.ask(push("m4", json!({ "certificates": [{ "order_id": "V100" }] }))).await.expect(200);
    bridge.ask(push("m5", json!({ "order": { "order_id": "nobodys" } }))).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/goodlife/v1/trade/order/query/").len(), 2);
}
