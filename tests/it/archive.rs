// SPDX-License-Identifier: Apache-2.0

//! Orders that are put away: whoever asks the ops interface, and whoever sends a late message, cannot tell.

use serde_json::Value;
use ticketbridge::housekeeping::schedule;
use ticketbridge_core::Millis;

use crate::support::{Ask, SETTLEMENT, TestBridge, douyin};

/// Everything that anybody can ask about these orders.
async fn answers(bridge: &TestBridge) -> Vec<(String, Value)> {
    let mut paths: Vec<String> = [
        "orders?limit=200",
        "orders?limit=200&state=completed",
        "orders?limit=200&state=cancelled",
        "orders?limit=200&state=awaiting_booking",
        "orders?limit=200&booking=used",
        "orders?limit=200&ticketing=issued",
        "orders?limit=200&payment=paid",
        "orders?limit=200&visit_date=2026-12-01",
        "orders?limit=200&channel=douyin-main",
        "refunds?limit=200",
        "deadlines?limit=200",
        "deadlines?limit=200&state=disarmed",
        "deliveries?limit=200",
        "inbox?limit=200",
    ]
    .map(str::to_owned)
    .to_vec();
    for n in 0..4 {
        for number in [format!("V{n}"), format!("R{n}")] {
            paths.push(format!("orders?q={number}"));
            paths.push(format!("orders/douyin-main:{number}"));
            paths.push(format!("orders/douyin-main:{number}/events"));
            paths.push(format!("orders/douyin-main:{number}/calls"));
            paths.push(format!("orders/douyin-main:{number}/next-steps"));
        }
    }
    let mut said = Vec::new();
    for path in paths {
        let answer = bridge.get(&path).await.expect(200).json();
        said.push((path, answer));
    }
    let metrics = counted(bridge).await;
    let kept = |line: &&str| {
        ["ticketbridge_orders", "ticketbridge_deadlines", "ticketbridge_refund"]
            .iter()
            .any(|name| line.starts_with(name))
    };
    let mut lines: Vec<&str> = metrics.lines().filter(kept).collect();
    lines.sort_unstable();
    said.push(("metrics".to_owned(), lines.into()));
    let query = "statements?settle_id=unit&from=2026-01-01T00:00:00Z&to=2027-12-31T00:00:00Z";
    let statement = bridge.ask(Ask::get(query).token(SETTLEMENT)).await;
    said.push((query.to_owned(), statement.json()));
    said
}

/// What `/metrics` says of the database. On a busy machine a count may come too late, and says so: then it is looked at once more.
async fn counted(bridge: &TestBridge) -> String {
    for _ in 0..20 {
        let metrics = bridge.ask(Ask::new(http::Method::GET, "/metrics")).await.expect(200).text();
        if metrics.lines().any(|line| line == "ticketbridge_database_answers 1") {
            return metrics;
        }
    }
    panic!("the database does not answer");
}

#[track_caller]
fn same(before: &[(String, Value)], now: &[(String, Value)]) {
    for ((path, before), (_, now)) in before.iter().zip(now) {
        assert_eq!(before, now, "{path}");
    }
}

async fn archive(bridge: &TestBridge) -> u64 {
    schedule::archive(bridge.bridge.shared()).await.expect("a database that answers")
}

#[tokio::test]
async fn no_answer_and_no_late_message_shows_that_an_order_was_put_away() {
    let bridge = TestBridge::start().await;
    assert_eq!(archive(&bridge).await, 0, "it begins a day after the first start");
    for n in 0..3 {
        bridge.ticketed(&format!("V{n}"), &format!("R{n}")).await;
    }
    bridge.sell("V3").await;
    bridge.book("R3", "V3", "2026-12-01").await;
    bridge.set_time("2026-12-01T12:00:00+08:00");
    for n in 0..2 {
        let used = serde_json::json!({ "at": "2026-12-01T11:00:00+08:00" });
        bridge.post(&format!("orders/douyin-main:V{n}/redeem"), &used).await.expect(200);
    }
    bridge.drain().await;
    assert_eq!(archive(&bridge).await, 0, "nothing is over for long enough");
    bridge.advance(Millis::hours(40 * 24));
    bridge.drain().await;

    let before = answers(&bridge).await;
    assert_eq!(archive(&bridge).await, 2, "the two that were used");
    same(&before, &answers(&bridge).await);

    // The same messages again, and a new one: answered as if nothing had been put away, and the order is back.
    let again = bridge.sell("V0").await;
    assert_eq!(again["data"]["error_code"], 0);
    same(&before[..14], &answers(&bridge).await[..14]);
    let refund = douyin::refund_apply("F0", "R0", 101, 0, bridge.now());
    let refused = bridge.douyin("refund-apply", &refund).await.expect(200).json();
    let control = bridge.douyin("refund-apply", &douyin::refund_apply("F1", "R1", 101, 0, bridge.now())).await;
    assert_eq!(refused["data"]["error_code"], control.expect(200).json()["data"]["error_code"]);
    assert_eq!(bridge.stored("V0").await.state, ticketbridge_core::order::OrderState::Completed);
}
