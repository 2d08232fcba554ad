// SPDX-License-Identifier: Apache-2.0

//! Statements on every kind of database at hand: what they add up to, and where one period ends and the next begins.

use serde_json::{Value, json};

use crate::support::{Ask, TestBridge, on_each_database};

const PRICE: i64 = 39_800;

impl TestBridge {
    /// A statement by the ops interface, after its lines were added up and its CSV was compared.
    async fn stated(&self, about: &str, from: &str, to: &str) -> Value {
        let path = format!("statements?{about}&from={from}&to={to}");
        let statement = self.get(&path).await.expect(200).json();
        let lines = statement["lines"].as_array().expect("lines");
        let sum = |kind: &str| -> i64 {
            let of_kind = lines.iter().filter(|line| line["kind"] == kind);
            of_kind.map(|line| line["amount"].as_i64().expect("an amount")).sum()
        };
        for (total, kind) in [("sales", "sale"), ("refunds", "refund"), ("commission", "commission")] {
            let stated = statement["totals"][total].as_i64().unwrap_or(0);
            assert_eq!(stated, sum(kind), "{total}: {statement}");
        }
        let csv = self.ask(Ask::get(&path).header("accept", "text/csv")).await.expect(200).text();
        let amounts = |kind: &str| -> i64 {
            let rows = csv.lines().map(|row| row.split(',').collect::<Vec<_>>());
            let of_kind = rows.filter(|row| row.get(2) == Some(&kind));
            of_kind.map(|row| row[3].parse::<i64>().expect("an amount")).sum()
        };
        assert_eq!((amounts("sale"), amounts("refund")), (sum("sale"), sum("refund")), "{csv}");
        statement["totals"].clone()
    }
}

#[tokio::test]
async fn statements_add_up_on_every_database() {
    on_each_database(|_| {}, async |bridge| {
        for number in ["V100", "V200", "V300"] {
            bridge.sell(number).await;
        }
        // The first moment of the next day in Shanghai, which is still the same day in UTC.
        bridge.set_time("2026-11-22T00:00:00+08:00");
        bridge.sell("V400").await;
        let back = json!({
            "order_id": "V200", "order_type": 1, "after_sale_id": "A1", "after_sale_type": 1, "refund_amount": PRICE,
            "refund_time_unix": bridge.now().seconds(), "biz_uniq_key": "A1",
        });
        bridge.douyin("refund-notify", &back).await.expect(200);
        let (first, second) = ("2026-11-21", "2026-11-22");
        let of = async |about: &str, from: &str, to: &str| {
            let totals = bridge.stated(about, from, to).await;
            (totals["sales"].as_i64(), totals["refunds"].as_i64())
        };
        for about in ["settle_id=douyin-main", "account=acme"] {
            assert_eq!(of(about, first, first).await, (Some(3 * PRICE), Some(0)), "{about}");
            assert_eq!(of(about, second, second).await, (Some(PRICE), Some(PRICE)), "{about}");
            assert_eq!(of(about, first, second).await, (Some(4 * PRICE), Some(PRICE)), "{about}");
        }
        let account = bridge.stated("account=acme", first, first).await;
        assert_eq!(account["balance"], bridge.stated("account=acme", second, second).await["opening"]);
        assert!(bridge.bridge.engine().store().credit_differences().await.expect("a database that answers").is_empty());
    })
    .await;
}
