//! What one phone may buy (DY-09).

use serde_json::{Value, json};

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
