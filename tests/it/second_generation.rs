// SPDX-License-Identifier: Apache-2.0

//! The second generation's booking, whose date may come with the demand for its tickets only (`adapters/douyin/README.md`).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use ticketbridge_core::UnixMillis;
use ticketbridge_core::order::{AttentionKind, TicketingState};

use crate::support::{TestBridge, douyin, on_each_database};

/// A booking of one unit with its two visitors, without a date.
fn booking(number: &str, sale: &str, now: UnixMillis) -> Value {
    let visitors = douyin::visitors(number, 2).as_array().cloned().unwrap_or_default().into_iter().map(|visitor| {
        json!({ "name": visitor["name"], "phone": visitor["phone"], "credential_type": 6, "credential_no": visitor["license_id"] })
    });
    json!({
        "biz_type": 3, "order_id": number, "source_order_id": sale, "open_id": "o", "create_order_time": now.seconds(),
        "original_amount": 19_900, "pay_amount": 19_900, "currency_code": "CNY",
        "order_item_list": [{ "order_item_id": "1" }],
        "sku_info_list": [{ "product_out_id": "", "sku_out_id": "LP-V2|LP-B2", "sub_sku_info_list": [] }],
        "contact_list": [{ "name": "Ada Example", "phone": "13800000002" }],
        "reserve_info_list": visitors.collect::<Vec<Value>>(), "remark_info": {},
    })
}

fn demand(number: &str, day: &str) -> Value {
    let nanos = |time: &str| UnixMillis::parse_rfc3339(&format!("{day}T{time}+08:00")).expect("a time").0 * 1_000_000;
    let certificate = json!({ "certificate_id": format!("{number}-1"), "start_time": nanos("00:00:00"), "expire_time": nanos("23:59:59") });
    json!({ "order_id": number, "certificate_info_list": [certificate] })
}

async fn book(bridge: &TestBridge, number: &str, sale: &str) {
    let reply = bridge.douyin("create-order", &douyin::sale(sale, 1, bridge.now())).await.expect(200).json();
    assert_eq!(reply["data"]["error_code"], 0, "{reply}");
    let reply = bridge.douyin("v2-create-order", &booking(number, sale, bridge.now())).await.expect(200).json();
    assert_eq!(reply["data"]["error_code"], 0, "{reply}");
    bridge.drain().await;
}

#[tokio::test]
async fn a_date_told_with_the_demand_is_checked_and_its_last_place_goes_to_one() {
    let one_place = |files: &mut BTreeMap<String, String>| {
        let products = files.get_mut("products/lakeside.toml").expect("the products");
        *products = products.replace("stock = 200, price = 19900", "stock = 1, price = 19900");
    };
    on_each_database(one_place, async |bridge| {
        for (number, sale) in [("R1", "V1"), ("R2", "V2"), ("R3", "V3")] {
            book(bridge, number, sale).await;
        }
        assert!(bridge.partners.sent("/bridge/reservations").is_empty(), "nobody knows yet for which day");
        let demand = async |number: &str, day: &str| {
            let reply = bridge.issue_with("v2-issue-voucher", &demand(number, day)).await;
            assert_eq!(reply["data"]["error_code"], 0, "{reply}");
            reply["data"]["result"].clone()
        };
        assert_eq!(demand("R1", "2026-12-01").await, 1);
        assert_eq!(
            bridge.stored("R1").await.booking.expect("a booking").visit_date.expect("a date").to_string(),
            "2026-12-01"
        );
        // No place is left; and a day that is no day of the product's.
        for (number, day) in [("R2", "2026-12-01"), ("R3", "2027-06-01")] {
            assert_eq!(demand(number, day).await, 0, "{number}");
            let order = bridge.stored(number).await;
            assert!(order.needs(AttentionKind::Contradiction), "{number}");
            let booking = order.booking.expect("a booking");
            assert_eq!((booking.ticketing.state, booking.ticketing.tickets.len()), (TicketingState::Queued, 0));
        }
        let reservations = bridge.partners.sent("/bridge/reservations");
        assert_eq!(reservations.len(), 1);
        assert_eq!(reservations[0].body["visit_date"], "2026-12-01", "the back-end is told the day");
    })
    .await;
}

/// Whichever generation a booking comes in, and whether its voucher is known or not.
#[tokio::test]
async fn another_price_is_refused_in_every_way_that_a_booking_comes_in() {
    let bridge = TestBridge::start().await;
    for (way, (call, has_voucher)) in
        [("v2-create-order", false), ("v2-create-order", true), ("create-order", false), ("create-order", true)]
            .into_iter()
            .enumerate()
    {
        // More is never paid than before discounts.
        for (index, (gross, paid, code)) in
            [(1, 1, 23), (19_899, 19_899, 23), (19_900, 19_901, 23), (19_900, 15_000, 0)].into_iter().enumerate()
        {
            let (number, sale) = (format!("R{way}{index}"), format!("V{way}{index}"));
            let mut body = if call == "create-order" {
                let mut body = douyin::booking(&number, &sale, "2026-12-01", 1, bridge.now());
                body["amount"] = json!({ "origin_amount": gross, "pay_amount": paid });
                body
            } else {
                let mut body = booking(&number, &sale, bridge.now());
                (body["original_amount"], body["pay_amount"]) = (json!(gross), json!(paid));
                body
            };
            if !has_voucher {
                body.as_object_mut().expect("fields").remove("source_order_id");
            }
            let reply = bridge.douyin(call, &body).await.expect(200).json();
            assert_eq!(reply["data"]["error_code"], code, "{call} {has_voucher} {gross} {paid}: {reply}");
        }
    }
    crate::support::leaves_work();
}

#[tokio::test]
async fn a_booking_of_the_first_generation_names_its_date() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let mut undated = douyin::booking("R100", "V100", "", 2, bridge.now());
    for _ in 0..2 {
        let reply = bridge.douyin("create-order", &undated).await.expect(200).json();
        assert_eq!(reply["data"]["error_code"], 4, "{reply}");
        undated["book_start_day"] = Value::Null;
    }
    assert!(bridge.stored("V100").await.booking.is_none());
}
