// SPDX-License-Identifier: Apache-2.0

//! Many at the same moment: the last unit goes to exactly one, and comes back when it is given back.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{TestBridge, douyin, on_each_database};

const BUYERS: usize = 100;

/// The answers' codes, counted.
fn codes(answers: &[Value]) -> BTreeMap<i64, usize> {
    let mut counted = BTreeMap::new();
    for answer in answers {
        *counted.entry(answer["data"]["error_code"].as_i64().expect("a number")).or_default() += 1;
    }
    counted
}

async fn all_at_once(bridge: &TestBridge, call: &str, bodies: Vec<Value>) -> Vec<Value> {
    let calls = bodies.iter().map(|body| bridge.douyin(call, body));
    join_all(calls).await.into_iter().map(|answer| answer.expect(200).json()).collect()
}

fn products(files: &mut BTreeMap<String, String>, from: &str, to: &str) {
    let products = files.get_mut("products/lakeside.toml").expect("the example's products");
    assert!(products.contains(from), "the example has changed: {from}");
    *products = products.replacen(from, to, 1);
}

#[tokio::test]
async fn the_last_unit_goes_to_exactly_one_of_a_hundred_buyers_and_comes_back_when_refunded() {
    on_each_database(
        |files| products(files, "stock    = 500", "stock    = 1"),
        async |bridge| {
            let now = bridge.now();
            let sale = |number: usize| douyin::sale(&format!("V{number}"), 1, now);
            let answers = all_at_once(bridge, "create-order", (1..=BUYERS).map(sale).collect()).await;
            assert_eq!(codes(&answers), BTreeMap::from([(0, 1), (1, BUYERS - 1)]));
            let winner = answers.iter().position(|answer| answer["data"]["error_code"] == 0).expect("one") + 1;
            let next = sale(BUYERS + 1);
            let may = bridge.douyin("can-buy", &next).await.expect(200).json();
            assert_eq!(may["data"]["error_code"], 1, "{may}");
            let refunded = json!({
                "order_id": format!("V{winner}"), "biz_uniq_key": "B1", "refund_amount": 19_900,
                "refund_time_unix": now.seconds(), "refund_scene": 1,
            });
            bridge.douyin("refund-notify", &refunded).await.expect(200);
            let again = (BUYERS + 1..=2 * BUYERS).map(sale).collect();
            let answers = all_at_once(bridge, "create-order", again).await;
            assert_eq!(codes(&answers), BTreeMap::from([(0, 1), (1, BUYERS - 1)]), "the unit came back once");
        },
    )
    .await;
}

#[tokio::test]
async fn the_last_place_of_a_day_goes_to_exactly_one_of_twenty() {
    on_each_database(
        |files| products(files, "stock = 200, price = 19900", "stock = 1, price = 19900"),
        async |bridge| {
            let now = bridge.now();
            let sales = (1..=20).map(|number| douyin::sale(&format!("V{number}"), 1, now)).collect();
            assert_eq!(codes(&all_at_once(bridge, "create-order", sales).await), BTreeMap::from([(0, 20)]));
            let booking =
                |number: usize| douyin::booking(&format!("R{number}"), &format!("V{number}"), "2026-12-01", 1, now);
            let answers = all_at_once(bridge, "create-order", (1..=20).map(booking).collect()).await;
            assert_eq!(codes(&answers), BTreeMap::from([(0, 1), (1, 19)]));
        },
    )
    .await;
}

#[tokio::test]
async fn two_bookings_of_one_voucher_at_once_leave_one() {
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.sell("V1").await;
            let now = bridge.now();
            let bookings = (1..=20).map(|n| douyin::booking(&format!("R{n}"), "V1", "2026-12-01", 2, now)).collect();
            let answers = all_at_once(bridge, "create-order", bookings).await;
            assert_eq!(codes(&answers), BTreeMap::from([(0, 1), (999_999, 19)]));
            bridge.drain().await;
            assert_eq!(bridge.partners.sent("/bridge/reservations").len(), 1);
        },
    )
    .await;
}
