// SPDX-License-Identifier: Apache-2.0

//! The credit account of a channel (DY-05): held, taken, given back; the last fen goes to one buyer.

use serde_json::{Value, json};
use ticketbridge::app::{self, Parts, Work};
use ticketbridge_core::Millis;
use ticketbridge_store::CreditSums;
use ticketbridge_store::test_support::everything_kept;

use crate::support::{Ask, OPERATOR, SETTLEMENT, TestBridge, douyin};

/// What Douyin is told when the credit does not suffice (`adapters/douyin/README.md`).
const BALANCE_TOO_LOW: i64 = 22;
/// What one voucher of two units costs.
const PRICE: i64 = 39_800;

/// A bridge whose channel has credit for so many fen; its vouchers are not limited otherwise.
async fn bridge_with(limit: i64, creation: &str) -> TestBridge {
    TestBridge::start_with(|files| {
        files.insert(
            "credit.toml".to_owned(),
            format!("[[credit_account]]\nid = \"acme\"\ncurrency = \"CNY\"\nlimit = {limit}\n"),
        );
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel of the example");
        *channel = channel.replace("\"after_payment\"", &format!("\"{creation}\""));
    })
    .await
}

impl TestBridge {
    async fn credit(&self) -> (i64, i64) {
        let store = self.bridge.engine().store();
        assert_eq!(store.credit_differences().await.expect("a database that answers"), []);
        let CreditSums { balance, held } = store.credit_sums("acme").await.expect("a database that answers");
        (balance, held)
    }

    async fn try_sell(&self, number: &str) -> i64 {
        let reply = self.douyin("create-order", &douyin::sale(number, 2, self.now())).await.expect(200).json();
        reply["data"]["error_code"].as_i64().expect("a code")
    }

    async fn may_sell(&self) -> i64 {
        let mut question = douyin::sale("V900", 2, self.now());
        question.as_object_mut().expect("an object").remove("order_id");
        let reply = self.douyin("can-buy", &question).await.expect(200).json();
        reply["data"]["error_code"].as_i64().unwrap_or_else(|| panic!("{reply}"))
    }

    async fn tell(&self, call: &str, body: Value) {
        let reply = self.douyin(call, &body).await.expect(200).json();
        assert_eq!(reply["data"]["error_code"], 0, "{call}: {reply}");
    }
}

#[tokio::test]
async fn a_paid_sale_is_taken_from_the_account_and_a_refund_returns_it() {
    let bridge = bridge_with(2 * PRICE, "after_payment").await;
    bridge.sell("V100").await;
    assert_eq!(bridge.credit().await, (-PRICE, 0));
    let refund = json!({
        "order_id": "V100", "order_type": 1, "after_sale_id": "A1", "after_sale_type": 1, "refund_amount": PRICE,
        "refund_time_unix": bridge.now().seconds(), "biz_uniq_key": "A1",
    });
    bridge.tell("refund-notify", refund).await;
    assert_eq!(bridge.credit().await, (0, 0));
}

#[tokio::test]
async fn placing_holds_payment_takes_and_cancelling_releases() {
    let bridge = bridge_with(2 * PRICE, "before_payment").await;
    bridge.sell("V100").await;
    bridge.sell("V200").await;
    assert_eq!(bridge.credit().await, (0, 2 * PRICE));
    assert_eq!(bridge.try_sell("V300").await, BALANCE_TOO_LOW);
    bridge.tell("pay-notify", json!({ "order_id": "V100", "pay_time_unix": bridge.now().seconds() })).await;
    assert_eq!(bridge.credit().await, (-PRICE, PRICE));
    bridge
        .tell(
            "cancel-notify",
            json!({ "order_id": "V200", "cancel_type": 1, "cancel_order_time_unix": bridge.now().seconds() }),
        )
        .await;
    assert_eq!(bridge.credit().await, (-PRICE, 0));
    // The same again moves nothing.
    bridge.tell("pay-notify", json!({ "order_id": "V100", "pay_time_unix": bridge.now().seconds() })).await;
    assert_eq!(bridge.credit().await, (-PRICE, 0));
    assert_eq!(bridge.try_sell("V400").await, 0);
}

#[tokio::test]
async fn credit_is_checked_to_the_last_fen_before_and_at_the_sale() {
    let short = bridge_with(PRICE - 1, "after_payment").await;
    assert_eq!((short.may_sell().await, short.try_sell("V100").await), (BALANCE_TOO_LOW, BALANCE_TOO_LOW));
    assert_eq!(short.credit().await, (0, 0));
    let enough = bridge_with(PRICE, "after_payment").await;
    assert_eq!((enough.may_sell().await, enough.try_sell("V100").await), (0, 0));
    assert_eq!((enough.may_sell().await, enough.try_sell("V200").await), (BALANCE_TOO_LOW, BALANCE_TOO_LOW));
}

#[tokio::test]
async fn the_last_fen_goes_to_one_of_forty_buyers() {
    let bridge = bridge_with(PRICE, "after_payment").await;
    let numbers: Vec<String> = (0..40).map(|number| format!("V{number}00")).collect();
    let sold = futures_util::future::join_all(numbers.iter().map(|number| bridge.try_sell(number))).await;
    assert_eq!(sold.iter().filter(|code| **code == 0).count(), 1);
    assert_eq!(sold.iter().filter(|code| **code == BALANCE_TOO_LOW).count(), 39);
    assert_eq!(bridge.credit().await, (-PRICE, 0));
}

#[tokio::test]
async fn a_sale_known_only_through_its_booking_is_charged_without_a_check() {
    crate::support::leaves_work();
    let bridge = bridge_with(0, "after_payment").await;
    bridge.advance(Millis::seconds(1));
    bridge.book("R100", "V100", "2026-12-01").await;
    assert!(bridge.stored("V100").await.is_stub);
    assert_eq!(bridge.credit().await, (-PRICE, 0));
}

#[tokio::test]
async fn an_order_stays_with_the_account_that_it_was_placed_on() {
    let bridge = bridge_with(PRICE, "after_payment").await;
    bridge.sell("V100").await;
    let channel = bridge.read_config("channels/douyin-main.toml").replace("credit_account = \"acme\"", "");
    bridge.write_config("channels/douyin-main.toml", &channel);
    ticketbridge::service::reload::reload(bridge.bridge.shared(), None).await.expect("the configuration is right");
    bridge.sell("V200").await;
    assert_eq!(bridge.credit().await, (-PRICE, 0));
    let refund = json!({
        "order_id": "V100", "order_type": 1, "after_sale_id": "A1", "after_sale_type": 1, "refund_amount": PRICE - 800,
        "refund_time_unix": bridge.now().seconds(), "biz_uniq_key": "A1",
    });
    bridge.tell("refund-notify", refund).await;
    assert_eq!(bridge.credit().await, (-800, 0), "the fee that the refund left behind stays charged");
}

/// Without a voucher the channel is told that there is no order at all: nothing is charged for it, and nothing stands in the books.
#[tokio::test]
async fn a_reservation_without_a_voucher_that_is_refused_costs_nothing() {
    let bridge = bridge_with(100_000, "after_payment").await;
    let alone = |number: &str, date: &str| {
        let mut body = douyin::booking(number, "V1", date, 1, bridge.now());
        body.as_object_mut().expect("fields").remove("source_order_id");
        body
    };
    for (number, date, price) in [("R1", "2026-11-01", 19_900), ("R2", "2027-06-01", 19_900), ("R3", "2026-12-01", 1)] {
        let mut body = alone(number, date);
        body["amount"] = json!({ "origin_amount": price, "pay_amount": price });
        for again in [false, true] {
            let reply = bridge.douyin("create-order", &body).await.expect(200).json();
            assert_ne!(reply["data"]["error_code"], 0, "{number} {again}: {reply}");
        }
    }
    assert_eq!(bridge.credit().await, (0, 0));
    assert_eq!(bridge.get("orders").await.expect(200).json()["items"], json!([]));
    let books = bridge.get("statements?settle_id=douyin-main&from=2026-11-01&to=2026-12-31").await.expect(200).json();
    assert_eq!(books["lines"], json!([]));
    let reply = bridge.douyin("create-order", &alone("R4", "2026-12-01")).await.expect(200).json();
    assert_eq!(reply["data"]["error_code"], 0, "{reply}");
    assert_eq!(bridge.credit().await.0, -19_900);
    crate::support::leaves_work();
}

#[tokio::test]
async fn ops_see_the_account_and_pay_in_once_for_each_reference() {
    let bridge = bridge_with(1_000, "before_payment").await;
    let account = bridge.get("credit/acme").await.expect(200).json();
    let expected =
        json!({ "id": "acme", "currency": "CNY", "limit": 1_000, "balance": 0, "held": 0, "available": 1_000 });
    assert_eq!(account, expected);
    let deposit = |amount: i64, reference: &str| json!({ "amount": amount, "reference": reference });
    for _ in 0..2 {
        let paid = bridge.post("credit/acme/deposits", &deposit(PRICE, "transfer 1")).await.expect(200).json();
        assert_eq!((&paid["balance"], &paid["available"]), (&json!(PRICE), &json!(PRICE + 1_000)));
    }
    bridge.post("credit/acme/deposits", &deposit(PRICE + 1, "transfer 1")).await.problem(409, "content_differs");
    bridge.post("credit/acme/deposits", &deposit(0, "transfer 2")).await.problem(422, "invalid");
    bridge.post("credit/acme/deposits", &json!({ "amount": 1 })).await.problem(422, "invalid");
    // What is kept in clear for ever names nobody, and is told apart all the same.
    for reference in ["from 13800000007", "from 13800000007", "from 13800000008"] {
        bridge.post("credit/acme/deposits", &deposit(1, reference)).await.expect(200);
    }
    bridge.post("credit/acme/deposits", &deposit(2, "from 13800000007")).await.problem(409, "content_differs");
    let kept = everything_kept(bridge.bridge.engine().store()).await;
    let named: Vec<_> = kept.iter().filter(|(_, text)| text.contains("1380000000")).collect();
    assert!(named.is_empty(), "{named:?}");
    // A bank's own numbers are long.
    bridge.post("credit/acme/deposits", &deposit(1, "20261129000123456")).await.expect(200);
    bridge.post("credit/nobody/deposits", &deposit(1, "x")).await.problem(404, "not_found");
    bridge.sell("V100").await;
    let account = bridge.get("credit/acme").await.expect(200).json();
    assert_eq!(
        (&account["balance"], &account["held"], &account["available"]),
        (&json!(PRICE + 3), &json!(PRICE), &json!(1_003))
    );
}

#[tokio::test]
async fn operators_see_no_money() {
    let bridge = bridge_with(0, "after_payment").await;
    for path in ["credit/acme", "statements?settle_id=douyin-main&from=2026-11-01&to=2026-11-30"] {
        bridge.ask(Ask::get(path).token(OPERATOR)).await.problem(403, "forbidden");
        bridge.ask(Ask::get(path).token(SETTLEMENT)).await.expect(200);
    }
}

#[tokio::test]
async fn an_account_with_entries_stays_in_its_currency() {
    let bridge = bridge_with(10 * PRICE, "after_payment").await;
    let credit = bridge.read_config("credit.toml");
    let in_won = credit.replace("CNY", "KRW");
    // A distributor in won has no business on a channel in yuan, so the channel lets go of the account.
    let channel = bridge.read_config("channels/douyin-main.toml");
    let line = channel.lines().find(|line| line.starts_with("credit_account")).expect("the account of the channel");
    let without = channel.replace(line, "");
    bridge.write_config("channels/douyin-main.toml", &without);
    for text in [&in_won, &credit] {
        bridge.write_config("credit.toml", text);
        bridge.post("config/reload", &json!({})).await.expect(200);
    }
    bridge.write_config("channels/douyin-main.toml", &channel);
    bridge.post("config/reload", &json!({})).await.expect(200);
    let deposit = json!({ "amount": 500, "reference": "d1" });
    bridge.post("credit/acme/deposits", &deposit).await.expect(200);

    bridge.write_config("channels/douyin-main.toml", &without);
    bridge.write_config("credit.toml", &in_won);
    let refused = bridge.post("config/reload", &json!({})).await.expect(422).json();
    let problem = &refused["problems"][0];
    assert_eq!((&problem["line"], refused["problems"].as_array().map(Vec::len)), (&json!(3), Some(1)), "{refused}");
    assert!(problem["file"].as_str().is_some_and(|file| file.ends_with("credit.toml")), "{refused}");
    assert!(problem["problem"].as_str().is_some_and(|text| text.contains("entries in CNY")), "{refused}");
    assert_eq!(bridge.get("credit/acme").await.expect(200).json()["currency"], "CNY");

    let config = bridge.load_config();
    let parts = Parts { work: Work::ByHand, ..Parts::system() };
    let error = app::start(config, parts).await.err().expect("a start is refused as well");
    assert!(error.to_string().contains("entries in CNY"), "{error}");
    bridge.write_config(
        "credit.toml",
        &format!("{credit}\n[[credit_account]]\nid = \"won\"\ncurrency = \"KRW\"\nlimit = 0\n"),
    );
    bridge.post("config/reload", &json!({})).await.expect(200);
}

impl TestBridge {
    /// A booking of 19900 that stands alone, with tickets where they come at once.
    async fn book_alone(&self, number: &str) {
        let mut body = douyin::booking(number, "V1", "2026-12-01", 1, self.now());
        body.as_object_mut().expect("fields").remove("source_order_id");
        self.tell("create-order", body).await;
        self.drain().await;
    }

    /// What the statement leaves of an order: what came in, and what went back.
    async fn in_books(&self, number: &str) -> (i64, i64) {
        let (order, path) =
            (self.stored(number).await, "statements?settle_id=douyin-main&from=2026-11-01&to=2026-12-31");
        let books = self.get(path).await.expect(200).json();
        let of_order = |kind: &str| -> i64 {
            let lines = books["lines"].as_array().expect("lines").iter();
            let lines = lines.filter(|line| line["order_id"] == order.id.as_str() && line["kind"] == kind);
            lines.map(|line| line["amount"].as_i64().expect("an amount")).sum()
        };
        (of_order("sale"), of_order("refund"))
    }

    async fn cancelled(&self, number: &str) {
        let body = json!({ "order_id": number, "cancel_type": 2, "cancel_order_time_unix": self.now().seconds() });
        self.tell("cancel-notify", body).await;
        self.drain().await;
    }
}

/// However it ends, the account is given what the books give back, and both keep what was kept as a fee.
#[tokio::test]
async fn a_booking_that_stands_alone_gives_its_money_back_on_the_account_and_in_the_books() {
    const ALONE: i64 = 19_900;
    let bridge = bridge_with(1_000_000, "after_payment").await;
    let asked = async |number: &str, kind: i64, source: i64, fee: i64| {
        let mut body = douyin::refund_apply(number, &format!("A-{number}"), source, fee, bridge.now());
        body["after_sale_type"] = json!(kind);
        bridge.tell("refund-apply", body).await;
        bridge.drain().await;
    };
    let mut kept = 0;
    let cases = ["cancelled", "refunded", "refunded for a fee", "called off", "decided by the channel", "by ops"];
    for (index, how) in cases.into_iter().enumerate() {
        let number = format!("R{index}");
        bridge.book_alone(&number).await;
        assert_eq!(bridge.credit().await.0, -kept - ALONE, "{how}");
        let fee = if how == "refunded for a fee" { 800 } else { 0 };
        match how {
            "refunded" | "refunded for a fee" => asked(&number, 1, 101, fee).await,
            "called off" => asked(&number, 2, 101, 0).await,
            _ => {}
        }
        match how {
            "decided by the channel" => {
                let notices = json!([{ "certificate_id": "c1", "code": "q", "audit_result": 1 }]);
                let body = json!({
                    "order_id": number, "after_sale_id": "S1", "after_sale_type": 1, "notice_list": notices,
                });
                bridge.tell("info-sync", body).await;
            }
            "by ops" => {
                let path = format!("orders/douyin-main:{number}/cancel");
                bridge.post(&path, &json!({ "reason": "storm" })).await.expect(200);
            }
            _ => {}
        }
        if how != "decided by the channel" {
            bridge.cancelled(&number).await;
        }
        bridge.drain().await;
        kept += fee;
        assert_eq!(bridge.credit().await.0, -kept, "{how}");
        assert_eq!(bridge.in_books(&number).await, (ALONE, ALONE - fee), "{how}");
        let payment = if fee > 0 { "partially_refunded" } else { "refunded" };
        assert_eq!(bridge.order(&number).await["payment"]["state"], payment, "{how}");
    }
}

#[tokio::test]
async fn a_booking_that_a_manager_declines_gives_its_money_back_on_the_account_and_in_the_books() {
    let bridge = TestBridge::start_with(|files| {
        let credit = "[[credit_account]]\nid = \"acme\"\ncurrency = \"CNY\"\nlimit = 1000000\n";
        files.insert("credit.toml".to_owned(), credit.to_owned());
        let product = files.get_mut("products/lakeside.toml").expect("the products of the example");
        *product = product.replace("confirm  = \"auto\"", "confirm  = \"manual\"");
    })
    .await;
    bridge.book_alone("R1").await;
    assert_eq!(bridge.order("R1").await["booking"]["state"], "requested");
    assert_eq!(bridge.credit().await.0, -19_900);
    bridge.post("orders/douyin-main:R1/decline", &json!({ "reason": "full" })).await.expect(200);
    bridge.drain().await;
    for again in [false, true] {
        assert_eq!((bridge.credit().await.0, bridge.in_books("R1").await), (0, (19_900, 19_900)), "{again}");
        assert_eq!(bridge.order("R1").await["payment"]["state"], "refunded");
        bridge.cancelled("R1").await;
    }
}
