// SPDX-License-Identifier: Apache-2.0

//! What one phone may buy (DY-09), for which price (DY-03), and as what it is booked.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use ticketbridge_core::order::AttentionKind;

use crate::support::{TestBridge, douyin};

impl TestBridge {
    /// The code that a sale with this buyer is answered with.
    async fn sold_to(&self, call: &str, number: &str, buyer: &Value) -> i64 {
        let mut sale = douyin::sale(number, 1, self.now());
        sale["buyer"] = buyer.clone();
        let reply = self.douyin(call, &sale).await.expect(200).json();
        reply["data"]["error_code"].as_i64().unwrap_or_else(|| panic!("{reply}"))
    }
}

#[tokio::test]
async fn a_buyer_without_a_phone_buys_nothing_that_is_counted_by_phone() {
    let bridge = TestBridge::start().await;
    for (number, buyer) in [("V1", Value::Null), ("V2", json!({})), ("V3", json!({ "phone": " " }))] {
        // The question may come without the buyer (3); the sale may not (4.3).
        assert_eq!(bridge.sold_to("can-buy", number, &buyer).await, 0, "{buyer}");
        assert_eq!(bridge.sold_to("create-order", number, &buyer).await, 12, "{buyer}");
    }
}

#[tokio::test]
async fn a_booking_without_a_phone_is_not_made_where_it_is_counted_by_phone() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_with(|files| {
        let products = files.get_mut("products/lakeside.toml").expect("the products");
        // Only the visit counts.
        *products = products.replacen("limits   = { per_phone = 5 }", "", 1);
    })
    .await;
    assert_eq!(bridge.sold_to("create-order", "V100", &json!({})).await, 0);
    let mut booking = douyin::booking("R100", "V100", "2026-12-01", 1, bridge.now());
    booking["buyer"] = json!({ "name": "Ada Example" });
    let reply = bridge.douyin("create-order", &booking).await.expect(200).json();
    assert_eq!(reply["data"]["error_code"], 12, "{reply}");
    booking["order_id"] = json!("R101");
    booking["buyer"] = json!({ "name": "Ada Example", "phone": "13800000100" });
    let reply = bridge.douyin("create-order", &booking).await.expect(200).json();
    assert_eq!(reply["data"]["error_code"], 0, "{reply}");
}

#[tokio::test]
async fn one_phone_is_counted_together_however_it_is_written() {
    let bridge = TestBridge::start().await;
    let written = [
        "13822220001",
        "+86 138-2222-0001",
        "008613822220001",
        "0086 138 2222 0001",
        "(86)13822220001",
        "8613822220001",
    ];
    for (index, phone) in written.into_iter().enumerate() {
        let code = bridge.sold_to("create-order", &format!("V{index}"), &json!({ "phone": phone })).await;
        assert_eq!(code, if index < 5 { 0 } else { 8 }, "{phone}");
    }
    let asked = json!({ "phone": "(86) 13822220001", "reason": "the guest asked" });
    let known = bridge.post("guests/export", &asked).await.expect(200).json();
    assert_eq!(known["orders"].as_array().map(Vec::len), Some(5));
}

#[tokio::test]
async fn a_voucher_is_booked_as_what_it_was_sold_as() {
    crate::support::leaves_work();
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let mut other = douyin::booking("R100", "V100", "2026-12-01", 2, bridge.now());
    other["product_out_id"] = json!("LP-V1|LP-B1");
    let reply = bridge.douyin("create-order", &other).await.expect(200).json();
    assert_eq!(reply["data"]["error_code"], 2, "{reply}");
    assert!(bridge.stored("V100").await.booking.is_none());
    bridge.book("R101", "V100", "2026-12-01").await;
}

#[tokio::test]
async fn a_sale_first_told_by_its_booking_shows_what_is_wrong_with_it() {
    crate::support::leaves_work();
    let bridge = TestBridge::start().await;
    for (number, count, amount, code, says) in [
        ("V100", 2, 2, 23, Some("the channel's price for 2 units is 2, ours is 39800")),
        ("V200", 6, 6 * 19_900, 0, Some("an order has at least 1 unit and at most 5; this one has 6")),
        ("V300", 2, 2 * 19_900, 0, None),
    ] {
        let mut booking = douyin::booking(&format!("R{number}"), number, "2026-12-01", count, bridge.now());
        booking["amount"] = json!({ "origin_amount": amount, "pay_amount": amount });
        let reply = bridge.douyin("create-order", &booking).await.expect(200).json();
        assert_eq!(reply["data"]["error_code"], code, "{reply}");
        let order = bridge.stored(number).await;
        assert!(order.is_stub);
        assert_eq!(order.booking.is_some(), code == 0, "{number}");
        let doubt = order.attention.iter().find(|a| a.kind == AttentionKind::Contradiction);
        assert_eq!(doubt.is_some(), says.is_some(), "{:?}", order.attention);
        assert!(doubt.is_none_or(|doubt| doubt.sentence.contains(says.unwrap_or_default())), "{doubt:?}");
    }
    // The sale itself says what was paid; another price there is refused as that of any sale.
    for (number, amount, code) in [("V100", 39_800, 0), ("V300", 2, 23)] {
        let mut sale = douyin::sale(number, 2, bridge.now());
        sale["amount"] = json!({ "origin_amount": amount, "pay_amount": amount });
        let reply = bridge.douyin("create-order", &sale).await.expect(200).json();
        assert_eq!(reply["data"]["error_code"], code, "{reply}");
    }
    let order = bridge.stored("V100").await;
    assert_eq!((order.is_stub, order.money.received(), order.attention.len()), (false, 39_800, 0));
    bridge.book("R101", "V100", "2026-12-01").await;
}

/// A log that a test reads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn another_price_is_refused_and_the_log_names_both() {
    let bridge = TestBridge::start().await;
    for call in ["can-buy", "create-order"] {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let guard = tracing::subscriber::set_default(subscriber);
        let mut sale = douyin::sale("V100", 2, bridge.now());
        sale["amount"] = json!({ "origin_amount": 39_700, "pay_amount": 39_700 });
        let reply = bridge.douyin(call, &sale).await.expect(200).json();
        drop(guard);
        assert_eq!(reply["data"]["error_code"], 23, "{reply}");
        let written = String::from_utf8(log.0.lock().expect("nobody panics with it").clone()).expect("text");
        let line = written.lines().find(|line| line.contains("WARN")).unwrap_or_else(|| panic!("{written}"));
        assert!(line.contains("39700") && line.contains("39800") && line.contains("douyin-main"), "{line}");
    }
}
