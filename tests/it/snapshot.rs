// SPDX-License-Identifier: Apache-2.0

//! An order keeps the rules that it was placed under (DY-18).

use serde_json::json;
use ticketbridge_core::order::RefundState;

use crate::support::{TestBridge, douyin};

const PRODUCTS: &str = "products/lakeside.toml";
/// What Douyin is told of a date that cannot be booked (`adapters/douyin/README.md`).
const DATE_NOT_BOOKABLE: i64 = 4;

impl TestBridge {
    async fn change_products(&self, changes: &[(&str, &str)]) {
        let mut text = self.read_config(PRODUCTS);
        for (from, to) in changes {
            assert!(text.contains(from), "the example no longer says {from}");
            text = text.replacen(from, to, 1);
        }
        self.write_config(PRODUCTS, &text);
        ticketbridge::service::reload::reload(self.bridge.shared(), None).await.expect("the configuration is right");
    }

    async fn book_for(&self, number: &str, sale: &str, date: &str) -> i64 {
        let body = douyin::booking(number, sale, date, 2, self.now());
        let reply = self.douyin("create-order", &body).await.expect(200).json();
        reply["data"]["error_code"].as_i64().expect("a code")
    }
}

#[tokio::test]
async fn a_reload_touches_only_orders_placed_afterwards() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let before = bridge.order("V100").await["rules"].clone();
    assert_eq!(before["config_version"], 1);
    assert_eq!(before["voucher"]["price"], 19_900);
    bridge
        .change_products(&[
            // Fewer dates, another refund fee, another deadline.
            (
                "booking_window = { from = \"2026-11-01\", to = \"2027-03-31\" }",
                "booking_window = { from = \"2026-11-01\", to = \"2026-12-15\" }",
            ),
            ("{ before_visit = \"48h\", fee_bp = 0 }", "{ before_visit = \"48h\", fee_bp = 5000 }"),
            ("ticketing_deadline    = \"10m\"", "ticketing_deadline    = \"20m\""),
        ])
        .await;
    bridge.sell("V200").await;
    assert_eq!(bridge.order("V100").await["rules"], before);
    let after = bridge.order("V200").await["rules"].clone();
    assert_eq!((&after["config_version"], &after["booking"]["ticketing_deadline"]), (&json!(2), &json!(1_200_000)));
    assert_eq!(after["voucher"]["booking_window"]["to"], "2026-12-15");

    // The date is outside the new window: the old order may be booked for it, the new one not.
    assert_eq!(bridge.book_for("R200", "V200", "2026-12-20").await, DATE_NOT_BOOKABLE);
    assert_eq!(bridge.book_for("R100", "V100", "2026-12-20").await, 0);
    assert_eq!(bridge.book_for("R201", "V200", "2026-12-14").await, 0);
    let deadline = async |number| bridge.stored(number).await.booking.expect("a booking").ticketing.deadline;
    assert_eq!(
        deadline("V200").await.expect("a time") - deadline("V100").await.expect("a time"),
        ticketbridge_core::Millis::minutes(10)
    );

    // What the channel offers is enough for the old rule, and too little for the new one: a person decides.
    for number in ["R100", "R201"] {
        bridge.issue(number, 2).await;
        let body = douyin::refund_apply(number, &format!("K{number}"), 101, 0, bridge.now());
        let reply = bridge.douyin("refund-apply", &body).await.expect(200).json();
        assert_eq!(reply["data"]["error_code"], 0, "{reply}");
        bridge.drain().await;
    }
    let case = async |number| bridge.stored(number).await.refund_case.expect("a case").state;
    assert_eq!((case("V100").await, case("V200").await), (RefundState::Approved, RefundState::UnderReview));
}

#[tokio::test]
async fn a_product_that_left_the_configuration_is_still_good_for_those_who_bought_it() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let products = bridge.read_config(PRODUCTS);
    let (_, others) = products.split_once("# ── LP-V1|LP-B1").expect("a heading of the example");
    bridge.write_config(PRODUCTS, &format!("# {others}"));
    ticketbridge::service::reload::reload(bridge.bridge.shared(), None).await.expect("the configuration is right");
    let refused = bridge.douyin("create-order", &douyin::sale("V200", 2, bridge.now())).await.expect(200).json();
    assert_ne!(refused["data"]["error_code"], 0, "it is no longer sold");
    assert_eq!(bridge.book_for("R100", "V100", "2026-12-20").await, 0);
    let bridge = bridge.restart().await;
    assert_eq!(bridge.order("V100").await["rules"]["voucher"]["code"], "LP-V2");
}
