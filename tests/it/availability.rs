// SPDX-License-Identifier: Apache-2.0

//! What is left of a date, from the back-end: asked by the clock and after a refusal, and answered from the table.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::partners::Outcome;
use crate::support::{TestBridge, douyin, on_each_database};

/// What Douyin is told of a date without units (`adapters/douyin/README.md`).
const OUT_OF_STOCK: i64 = 1;
const DAY: &str = "2026-12-01";

/// The example, with the visit of two counted by the gate.
pub(crate) fn told_by_the_gate(files: &mut BTreeMap<String, String>) {
    let products = files.get_mut("products/lakeside.toml").expect("the products of the example");
    *products = products.replacen("overdue_policy =", "stock_from = \"backend\"\noverdue_policy =", 1);
}

impl TestBridge {
    /// The gate says what is left of the day, and is asked for everything that can be booked.
    async fn refresh(&self, remaining: i64) {
        self.partners.next(
            "/availability?product=P-778&from=2026-11-20",
            Outcome::Says(
                200,
                json!({ "days": [{ "date": DAY, "remaining": remaining, "price": 19_900, "currency": "CNY" }] }),
            ),
        );
        self.bridge.worker().refresh_availability().await.expect("a database that answers");
    }

    async fn try_book(&self, number: &str, sale: &str) -> i64 {
        let body = douyin::booking(number, sale, DAY, 2, self.now());
        let reply = self.douyin("create-order", &body).await.expect(200).json();
        reply["data"]["error_code"].as_i64().expect("a code")
    }

    /// What the calendar pull says is left of the day.
    async fn left(&self) -> Value {
        let ask = json!({ "product_out_id": "LP-V2|LP-B2", "start_date": DAY, "end_date": DAY });
        let reply = self.douyin("pull-calendar", &ask).await.expect(200).json();
        reply["data"]["ticket_sku_and_calendar"][0]["calendar_list"][0]["stock_qty"].clone()
    }
}

#[tokio::test]
async fn what_the_back_end_has_left_is_what_can_be_booked() {
    crate::support::leaves_work();
    on_each_database(told_by_the_gate, async |bridge| {
        for number in ["V100", "V200", "V300"] {
            bridge.sell(number).await;
        }
        // Two units are left there: one booking of two, and no second one.
        bridge.refresh(2).await;
        assert_eq!(bridge.left().await, 2);
        assert_eq!(bridge.try_book("R100", "V100").await, 0);
        assert_eq!(bridge.try_book("R200", "V200").await, OUT_OF_STOCK);
        bridge.drain().await;
        // The gate has issued two of its own, and one was given back there.
        bridge.refresh(1).await;
        assert_eq!(bridge.try_book("R201", "V200").await, OUT_OF_STOCK);
        bridge.refresh(2).await;
        assert_eq!(bridge.try_book("R202", "V200").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_booking_whose_tickets_are_still_to_come_keeps_its_place() {
    crate::support::leaves_work();
    on_each_database(told_by_the_gate, async |bridge| {
        for number in ["V100", "V200"] {
            bridge.sell(number).await;
        }
        bridge.refresh(2).await;
        assert_eq!(bridge.try_book("R100", "V100").await, 0);
        // The gate has not been asked for the tickets of this booking, and says what it said before.
        bridge.refresh(2).await;
        assert_eq!(bridge.left().await, 0);
        assert_eq!(bridge.try_book("R200", "V200").await, OUT_OF_STOCK);
        // Now it has, and counts them itself.
        bridge.drain().await;
        bridge.refresh(0).await;
        assert_eq!(bridge.left().await, 0);
        bridge.refresh(2).await;
        assert_eq!(bridge.try_book("R201", "V200").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_back_end_that_does_not_answer_leaves_the_last_word_standing() {
    crate::support::leaves_work();
    on_each_database(told_by_the_gate, async |bridge| {
        bridge.sell("V100").await;
        bridge.sell("V200").await;
        bridge.refresh(2).await;
        bridge.partners.next("/availability", Outcome::NotSent);
        bridge.partners.next("/availability", Outcome::Says(500, json!({})));
        bridge.partners.next("/availability", Outcome::Says(200, json!({ "days": "none" })));
        bridge.bridge.worker().refresh_availability().await.expect("a database that answers");
        assert_eq!(bridge.try_book("R100", "V100").await, 0);
        assert_eq!(bridge.try_book("R200", "V200").await, OUT_OF_STOCK);
    })
    .await;
}

#[tokio::test]
async fn a_refused_reservation_makes_the_next_guest_hear_it_before_he_books() {
    on_each_database(told_by_the_gate, async |bridge| {
        for number in ["V100", "V200"] {
            bridge.sell(number).await;
        }
        bridge.book("R100", "V100", DAY).await;
        bridge
            .partners
            .next("/bridge/reservations", Outcome::Says(200, json!({ "state": "refused", "reason": "sold out" })));
        bridge.partners.next(
            "/availability",
            Outcome::Says(
                200,
                json!({ "days": [{ "date": DAY, "remaining": 0, "price": 19_900, "currency": "CNY" }] }),
            ),
        );
        bridge.issue("R100", 2).await;
        bridge.drain().await;
        let asked = bridge.partners.sent("/availability");
        assert_eq!(asked.len(), 1);
        assert!(asked[0].url.ends_with(&format!("from={DAY}&to={DAY}")), "{}", asked[0].url);
        assert_eq!(bridge.try_book("R200", "V200").await, OUT_OF_STOCK);
    })
    .await;
}

#[tokio::test]
async fn the_calendar_counts_where_it_is_asked_to() {
    let bridge = TestBridge::start().await;
    assert_eq!(bridge.bridge.worker().refresh_availability().await.expect("a database that answers"), 0);
    assert_eq!(bridge.partners.sent("/availability").len(), 0);
}

#[tokio::test]
async fn before_the_back_end_has_spoken_a_day_is_offered_as_it_is_booked() {
    crate::support::leaves_work();
    // The calendar counts until then; where it names no number, nobody knows, and nothing is offered or booked.
    on_each_database(told_by_the_gate, async |bridge| {
        for number in ["V100", "V200"] {
            bridge.sell(number).await;
        }
        assert_eq!(bridge.left().await, 200);
        assert_eq!(bridge.try_book("R100", "V100").await, 0);
        assert_eq!(bridge.left().await, 198);
        assert_eq!(bridge.try_book("R200", "V200").await, 0);
        bridge.refresh(5).await;
        assert_eq!(bridge.left().await, 1, "both are still to be ticketed there");
    })
    .await;
    let no_number = |files: &mut BTreeMap<String, String>| {
        told_by_the_gate(files);
        let products = files.get_mut("products/lakeside.toml").expect("the products of the example");
        *products = products.replacen(", stock = 200, price = 19900", ", price = 19900", 1);
    };
    on_each_database(no_number, async |bridge| {
        bridge.sell("V100").await;
        assert_eq!(bridge.left().await, 0);
        assert_eq!(bridge.try_book("R100", "V100").await, OUT_OF_STOCK);
        bridge.refresh(2).await;
        assert_eq!(bridge.left().await, 2);
        assert_eq!(bridge.try_book("R101", "V100").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_service_that_starts_asks_what_is_left() {
    let bridge = TestBridge::start_with(told_by_the_gate).await;
    ticketbridge::housekeeping::schedule::at_start(bridge.bridge.shared()).await;
    assert!(!bridge.partners.sent("/availability").is_empty());
}
