// SPDX-License-Identifier: Apache-2.0

//! Statements (PA-05): they add up, and they are what the orders' histories say.

use serde_json::{Value, json};
use ticketbridge::statement::{Statement, Whose};
use ticketbridge_core::product::{Currency, DateRange};
use ticketbridge_core::{Date, Millis, TimeZone};

use crate::support::{Ask, CHANNEL, SETTLEMENT, TestBridge, kakao};

const COMMISSION_BP: i64 = 333;
const PRICE: i64 = 39_800;

async fn bridge() -> TestBridge {
    TestBridge::start_with(|files| {
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel of the example");
        *channel = channel.replace("[settings]", &format!("[settings]\ncommission_bp = {COMMISSION_BP}"));
    })
    .await
}

fn days(from: &str, to: &str) -> DateRange {
    DateRange { from: Date::parse(from).expect("a date"), to: Date::parse(to).expect("a date") }
}

impl TestBridge {
    async fn refund(&self, number: &str, reference: &str, kind: i64, amount: i64) {
        let body = json!({
            "order_id": number, "order_type": 1, "after_sale_id": reference, "after_sale_type": kind,
            "refund_amount": amount, "refund_time_unix": self.now().seconds(), "biz_uniq_key": reference,
        });
        let reply = self.douyin("refund-notify", &body).await.expect(200).json();
        assert_eq!(reply["data"]["error_code"], 0, "{reply}");
    }

    async fn statement(&self, period: DateRange) -> Statement {
        let (store, usual) = (self.bridge.engine().store(), Currency("CNY".to_owned()));
        Statement::of_settle_id(store, CHANNEL, period, TimeZone::SHANGHAI, None, usual).await.expect("a statement")
    }

    /// Received, returned and commission of an order, from nothing but its history.
    async fn recomputed(&self, number: &str) -> (i64, i64, i64) {
        let order = self.stored(number).await;
        let events = self.bridge.engine().store().events(&order.id, 0, 200).await.expect("a history");
        let mut entries: Vec<(String, String, i64)> = Vec::new();
        for event in &events {
            match event.kind.as_str() {
                "payment_recorded" => {}
                "payment_retracted" => {
                    entries.retain(|(_, reference, _)| event.data["reference"] != *reference);
                    continue;
                }
                _ => continue,
            }
            let entry = &event.data["entry"];
            if entry["status"] != "done" {
                continue;
            }
            let text = |key: &str| entry[key].as_str().expect("a word").to_owned();
            let (kind, reference, amount) =
                (text("kind"), text("reference"), entry["amount"].as_i64().expect("an amount"));
            entries.retain(|(k, r, _)| !(*k == kind && *r == reference));
            entries.push((kind, reference, amount));
        }
        let sum =
            |wanted: &str| entries.iter().filter(|(kind, _, _)| kind == wanted).map(|(_, _, amount)| amount).sum();
        let (received, refunded): (i64, i64) = (sum("charge"), sum("refund"));
        let commission = ((received - refunded).max(0) * COMMISSION_BP * 2 + 10_000) / 20_000;
        (received, refunded, commission)
    }
}

#[tokio::test]
async fn a_statement_is_what_the_histories_add_up_to() {
    let bridge = bridge().await;
    let numbers: Vec<String> = (1..=6).map(|number| format!("V{number}00")).collect();
    for number in &numbers {
        bridge.sell(number).await;
        bridge.advance(Millis::minutes(7));
    }
    bridge.refund("V200", "A2", 1, PRICE).await;
    bridge.refund("V300", "A3", 1, PRICE - 7_961).await;
    bridge.refund("V400", "A4", 3, 1).await;
    bridge.refund("V400", "A5", 3, 12_345).await;
    // Douyin settles a sale without an amount first, and names it afterwards.
    let synced = json!({ "order_id": "V500", "after_sale_id": "A6", "after_sale_type": 1, "notice_list": [{ "certificate_id": "C5" }] });
    bridge.douyin("info-sync", &synced).await.expect(200);
    bridge.refund("V500", "A7", 1, PRICE - 1_000).await;
    let statement = bridge.statement(days("2026-11-21", "2026-11-21")).await;

    let (mut sales, mut refunds, mut commission, mut fees) = (0, 0, 0, 0);
    for number in &numbers {
        let (received, refunded, kept) = bridge.recomputed(number).await;
        (sales, refunds, commission) = (sales + received, refunds + refunded, commission + kept);
        let id = bridge.stored(number).await.id.to_string();
        let of_order = |kind: &str| -> i64 {
            let lines = statement.lines.iter().filter(|line| line.order.as_ref() == Some(&id) && line.kind == kind);
            lines.map(|line| line.amount).sum()
        };
        fees += of_order("fee");
        let fees_kept = [("V300", 7_961), ("V500", 1_000)];
        if let Some((_, expected)) = fees_kept.iter().find(|(of, _)| of == number) {
            assert_eq!(of_order("fee"), *expected, "{number}");
        }
        assert!(of_order("fee") <= received - refunded, "what was kept is no more than what is left");
        assert_eq!(
            (of_order("sale"), of_order("refund"), of_order("commission")),
            (received, refunded, kept),
            "{number}"
        );
    }
    assert_eq!(sales, 6 * PRICE);
    assert_eq!(refunds, PRICE + (PRICE - 7_961) + 12_346 + (PRICE - 1_000));
    let of_kind = ["sale", "refund", "commission", "fee"].map(|kind| statement.total(kind));
    assert_eq!(of_kind, [sales, refunds, commission, fees]);
    assert_eq!(statement.balance(), sales - refunds - commission);
}

#[tokio::test]
async fn what_was_stated_never_changes_and_periods_do_not_overlap() {
    let bridge = bridge().await;
    bridge.sell("V100").await;
    let first = days("2026-11-21", "2026-11-21");
    let before = bridge.statement(first).await;
    // The last millisecond of the day belongs to it, the next one to the next day.
    bridge.set_time("2026-11-21T23:59:59.999+08:00");
    bridge.sell("V200").await;
    bridge.set_time("2026-11-22T00:00:00+08:00");
    bridge.refund("V100", "A1", 1, PRICE).await;
    let (after, next) = (bridge.statement(first).await, bridge.statement(days("2026-11-22", "2026-11-22")).await);
    assert_eq!(before.lines.as_slice(), &after.lines[..before.lines.len()]);
    assert_eq!((after.total("sale"), after.total("refund")), (2 * PRICE, 0));
    assert_eq!((next.total("sale"), next.total("refund")), (0, PRICE));
    assert_eq!(next.total("commission"), -1_325, "the commission of what went back is given back");
    let both = bridge.statement(days("2026-11-21", "2026-11-22")).await;
    assert_eq!(both.balance(), after.balance() + next.balance());
}

#[tokio::test]
async fn a_statement_as_csv_has_a_row_for_each_line_and_total() {
    let bridge = bridge().await;
    bridge.sell("V100").await;
    let statement = bridge.statement(days("2026-11-01", "2026-11-30")).await;
    let csv = statement.csv();
    let rows: Vec<Vec<&str>> = csv.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!(rows[0], ["order_id", "at", "kind", "amount", "currency"]);
    assert!(rows.iter().all(|row| row.len() == 5), "{csv}");
    let balance = rows.iter().find(|row| row[2] == "total_balance").expect("a total");
    assert_eq!(balance[3], statement.balance().to_string());
    assert_eq!(statement.lines.len(), 2);
}

#[tokio::test]
async fn an_accounts_statement_begins_where_the_last_one_ended() {
    let bridge = bridge().await;
    bridge.sell("V100").await;
    bridge.set_time("2026-11-22T09:00:00+08:00");
    bridge.sell("V200").await;
    bridge.advance(Millis::seconds(1));
    bridge.refund("V100", "A1", 1, PRICE).await;
    let running = bridge.bridge.engine().running();
    let account = running.config.credit_account("acme").expect("the account of the example");
    let of = async |from: &str, to: &str| {
        let store = bridge.bridge.engine().store();
        Statement::of_account(store, account, days(from, to), TimeZone::SHANGHAI).await.expect("a statement")
    };
    let (first, second) = (of("2026-11-21", "2026-11-21").await, of("2026-11-22", "2026-11-22").await);
    assert_eq!(first.balance(), -PRICE);
    assert_eq!(second.whose, Whose::Account { id: "acme".to_owned(), opening: -PRICE });
    assert_eq!(second.balance(), -PRICE);
    let sums = bridge.bridge.engine().store().credit_sums("acme").await.expect("a database that answers");
    assert_eq!(sums.balance, second.balance());
    let kinds: Vec<&str> = second.lines.iter().map(|line| line.kind).collect();
    assert_eq!(kinds, ["sale", "refund"]);
}

#[tokio::test]
async fn what_a_cancelled_order_keeps_after_all_is_less_refund_not_a_second_sale() {
    let bridge = bridge().await;
    bridge.sell("V100").await;
    let off = json!({ "order_id": "V100", "cancel_type": 2, "cancel_order_time_unix": bridge.now().seconds() });
    bridge.douyin("cancel-notify", &off).await.expect(200);
    bridge.advance(Millis::seconds(1));
    bridge.refund("V100", "A1", 1, PRICE - 4_000).await;
    let shown = bridge.get("statements?account=acme&from=2026-11-21&to=2026-11-21").await.expect(200).json();
    let totals = &shown["totals"];
    assert_eq!(
        (&totals["sales"], &totals["refunds"], &totals["balance"]),
        (&json!(PRICE), &json!(PRICE - 4_000), &json!(-4_000)),
        "{shown}"
    );
    assert_eq!(bridge.bridge.engine().store().credit_differences().await.expect("a database that answers"), []);
}

#[tokio::test]
async fn the_days_of_an_account_are_those_of_the_channels_that_it_pays_for() {
    let bridge = TestBridge::start_with(|files| {
        let file = kakao::channel_file(kakao::CAN);
        files.insert("channels/kakao-jeju.toml".to_owned(), file);
    })
    .await;
    // Still the 21st in UTC.
    bridge.set_time("2026-11-22T00:20:00+08:00");
    bridge.sell("V100").await;
    for (day, sales) in [("2026-11-21", 0), ("2026-11-22", PRICE)] {
        for whose in ["account=acme", "settle_id=douyin-main"] {
            let shown = bridge.get(&format!("statements?{whose}&from={day}&to={day}")).await.expect(200).json();
            assert_eq!(shown["totals"]["sales"], sales, "{shown}");
        }
    }
}

#[tokio::test]
async fn statements_are_asked_for_as_json_or_csv() {
    let bridge = bridge().await;
    bridge.sell("V100").await;
    let path = "statements?settle_id=douyin-main&from=2026-11-01&to=2026-11-30";
    let shown = bridge.ask(Ask::get(path).token(SETTLEMENT)).await.expect(200).json();
    assert_eq!(
        (&shown["settle_id"], &shown["from"], &shown["to"]),
        (&json!(CHANNEL), &json!("2026-11-01"), &json!("2026-11-30"))
    );
    assert_eq!(shown["totals"]["balance"], PRICE - 1_325);
    let kinds: Vec<&Value> = shown["lines"].as_array().expect("lines").iter().map(|line| &line["kind"]).collect();
    assert_eq!(kinds, ["commission", "sale"]);
    for ask in [Ask::get(path).header("accept", "text/csv"), Ask::get(&format!("{path}&format=csv"))] {
        let reply = bridge.ask(ask).await.expect(200);
        assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8");
        assert!(reply.text().starts_with("order_id,at,kind,amount,currency\r\n"), "{}", reply.text());
    }
    let account = bridge.get("statements?account=acme&from=2026-11-01&to=2026-11-30").await.expect(200).json();
    assert_eq!((&account["account"], &account["totals"]["balance"]), (&json!("acme"), &json!(-PRICE)));
    for (path, status, code) in [
        ("statements?from=2026-11-01&to=2026-11-30", 422, "invalid"),
        ("statements?settle_id=a&account=b&from=2026-11-01&to=2026-11-30", 422, "invalid"),
        ("statements?settle_id=douyin-main&from=2026-11-01", 422, "invalid"),
        ("statements?settle_id=douyin-main&from=2026-11-02&to=2026-11-01", 422, "invalid"),
        ("statements?settle_id=douyin-main&from=2026-01-01&to=2027-01-02", 422, "invalid"),
        ("statements?settle_id=nobody&from=2026-11-01&to=2026-11-30", 404, "not_found"),
        ("statements?account=nobody&from=2026-11-01&to=2026-11-30", 404, "not_found"),
    ] {
        bridge.get(path).await.problem(status, code);
    }
    bridge.get("statements?settle_id=douyin-main&from=2026-01-01&to=2027-01-01").await.expect(200);
}
