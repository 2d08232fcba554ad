// SPDX-License-Identifier: Apache-2.0

//! What stands around the sales (`docs/src/operating/production.md`): metrics that tell the present, traces that are passed on; and money for what was cancelled.

use std::collections::BTreeMap;

use http::Method;
use serde_json::json;
use ticketbridge_core::Millis;

use crate::support::partners::Outcome;
use crate::support::{Ask, TestBridge, douyin};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The value of a metric, its labels as they are printed.
async fn metric(bridge: &TestBridge, name: &str) -> Option<f64> {
    let text = bridge.ask(Ask::new(Method::GET, "/metrics")).await.expect(200).text();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// What is under way at a back-end, by state; without the states in which nothing is.
async fn attempts(bridge: &TestBridge, backend: &str) -> BTreeMap<String, f64> {
    let text = bridge.ask(Ask::new(Method::GET, "/metrics")).await.expect(200).text();
    let begin = format!("ticketbridge_backend_attempts{{backend=\"{backend}\",state=\"");
    let read = text.lines().filter_map(|line| {
        let (state, many) = line.strip_prefix(&begin)?.split_once("\"} ")?;
        Some((state.to_owned(), many.parse().ok()?))
    });
    read.filter(|(_, many)| *many > 0.0).collect()
}

/// The files of the example, with a back-end of a name that no other test has: the metrics are the process's.
async fn with_a_back_end_called(name: &'static str) -> TestBridge {
    TestBridge::start_with(move |files| {
        let gate = files.remove("backends/gate.toml").expect("the back-end of the example");
        files.insert(format!("backends/{name}.toml"), gate.replace("\"gate\"", &format!("\"{name}\"")));
        let products = files.get_mut("products/lakeside.toml").expect("the products of the example");
        *products = products.replace("backend = \"gate\"", &format!("backend = \"{name}\""));
    })
    .await
}

#[tokio::test]
async fn what_may_still_be_made_for_a_booking_that_is_over_is_on_the_watch_list() {
    let bridge = with_a_back_end_called("watched").await;
    let watched = "ticketbridge_backend_watch_list{backend=\"watched\"}";
    bridge.partners.always("/bridge/reservations", Outcome::NotSent);
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.drain().await;
    assert_eq!(metric(&bridge, watched).await, Some(0.0));
    let order = bridge.order("V100").await;
    bridge
        .post(&format!("orders/{}/cancel", order["id"].as_str().expect("an id")), &json!({ "reason": "closed" }))
        .await
        .expect(200);
    bridge.drain().await;
    assert_eq!(metric(&bridge, watched).await, Some(1.0));
    crate::support::leaves_work();
}

#[tokio::test]
async fn a_trace_goes_on_to_the_back_end_and_to_the_channel() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let booking = douyin::booking("R100", "V100", "2026-12-01", 2, bridge.now());
    bridge.ask(bridge.signed("create-order", &booking).header("traceparent", TRACE)).await.expect(200);
    bridge.drain().await;
    let refund = douyin::refund_apply("R100", "k1", 101, 0, bridge.now());
    bridge.ask(bridge.signed("refund-apply", &refund).header("traceparent", TRACE)).await.expect(200);
    bridge.drain().await;
    for part in ["/bridge/reservations", "/cancel", "/trip/refund/audit/"] {
        let sent = bridge.partners.sent(part);
        assert!(!sent.is_empty(), "{part}");
        for call in sent {
            assert_eq!(call.headers.get("traceparent").and_then(|v| v.to_str().ok()), Some(TRACE), "{}", call.url);
        }
    }
}

#[tokio::test]
async fn a_gauge_goes_back_to_nothing_when_there_is_nothing() {
    let bridge = with_a_back_end_called("turnstile").await;
    let pending = "ticketbridge_deliveries{destination=\"backend:turnstile\",state=\"pending\"}";
    assert_eq!(metric(&bridge, pending).await, Some(0.0));
    assert_eq!(metric(&bridge, &pending.replace("pending", "dead")).await, Some(0.0));
    bridge.partners.next("/bridge/reservations", Outcome::NotSent);
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.drain().await;
    assert_eq!(metric(&bridge, pending).await, Some(1.0));
    assert_eq!(attempts(&bridge, "turnstile").await, BTreeMap::from([("queued".to_owned(), 1.0)]));
    assert_eq!(metric(&bridge, "ticketbridge_backend_breaker{backend=\"turnstile\"}").await, Some(0.0));
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    assert_eq!(attempts(&bridge, "turnstile").await, BTreeMap::new());
    assert_eq!(metric(&bridge, pending).await, Some(0.0));
    let delivered = "ticketbridge_deliveries_delivered_total{destination=\"backend:turnstile\"}";
    assert_eq!(metric(&bridge, delivered).await, Some(1.0));
}

#[tokio::test]
async fn money_for_an_order_that_was_cancelled_is_not_accepted() {
    let bridge = TestBridge::start_with(|files| {
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel of the example");
        *channel = channel.replace("\"after_payment\"", "\"before_payment\"");
    })
    .await;
    let paid = json!({ "order_id": "V100", "pay_time_unix": bridge.now().seconds() });
    bridge.sell("V100").await;
    let cancelled = json!({ "order_id": "V100", "cancel_type": 1, "cancel_order_time_unix": bridge.now().seconds() });
    bridge.douyin("cancel-notify", &cancelled).await.expect(200);
    for _ in 0..2 {
        let answer = bridge.douyin("pay-notify", &paid).await.expect(200).json();
        assert_eq!(answer["data"]["error_code"], 0, "{answer}");
        assert_eq!(answer["data"]["confirm_info"], json!({ "confirm_mode": 1, "confirm_result": 2 }));
    }
    let order = bridge.order("V100").await;
    assert_eq!((&order["state"], &order["attention"]["kind"]), (&json!("cancelled"), &json!("unexpected_payment")));
}
