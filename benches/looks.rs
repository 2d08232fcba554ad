// SPDX-License-Identifier: Apache-2.0

//! Somebody who looks around in the ops interface, one question after the other: what a page costs, however many orders are stored.

use anyhow::Context as _;
use chrono::{DateTime, Days};

use crate::bridge::OPS_TOKEN;
use crate::moment;
use crate::play::End;
use crate::stage::{Caller, Stage};
use crate::wire::http::Ask;

/// A question: its name in the report, and where it is asked.
type Look = (&'static str, String);

/// What is asked in turn. Numbers and places in lists are those of orders that are there.
///
/// # Errors
/// When the interface does not answer.
pub(crate) async fn questions(stage: &Stage<'_>) -> anyhow::Result<Vec<Look>> {
    let newest = stage.bridge.ops("orders?limit=200").await?;
    let order = newest["items"].as_array().and_then(|items| items.last()).context("there is an order")?;
    let (id, number) = (text(&order["id"])?, text(&order["channel_order_id"])?);
    let channel = text(&order["channel"])?;
    let now = DateTime::from_timestamp_millis(moment::unix_ms()).context("it is now")?.date_naive();
    let month_ago = now.checked_sub_days(Days::new(30)).context("there was a month before")?;
    let mut looks = vec![
        ("orders", "/ops/v1/orders".to_owned()),
        ("orders?state", "/ops/v1/orders?state=completed".to_owned()),
        ("orders?attention", "/ops/v1/orders?attention=any".to_owned()),
        ("orders?waiting", "/ops/v1/orders?waiting=true".to_owned()),
        ("orders?q", format!("/ops/v1/orders?q={number}")),
        ("orders?q, unknown", "/ops/v1/orders?q=nobody-has-this-number".to_owned()),
        ("one order", format!("/ops/v1/orders/{id}")),
        ("events of it", format!("/ops/v1/orders/{id}/events")),
        ("deliveries", "/ops/v1/deliveries".to_owned()),
        ("deliveries?state", "/ops/v1/deliveries?state=dead".to_owned()),
        ("deadlines", "/ops/v1/deadlines".to_owned()),
        ("refunds", "/ops/v1/refunds?state=under_review".to_owned()),
        ("inbox", "/ops/v1/inbox".to_owned()),
        ("statements", format!("/ops/v1/statements?settle_id={channel}&from={month_ago}&to={now}")),
        ("/metrics", "/metrics".to_owned()),
    ];
    if let Some(cursor) = newest["next_cursor"].as_str() {
        looks.push(("orders, a later page", format!("/ops/v1/orders?cursor={cursor}")));
    }
    Ok(looks)
}

fn text(value: &serde_json::Value) -> anyhow::Result<&str> {
    value.as_str().context("it is a text")
}

/// Asks one of them.
pub(crate) async fn ask(caller: &mut Caller, path: &str) -> End {
    let ask = Ask::get(path).with("authorization", &format!("Bearer {OPS_TOKEN}"));
    match caller.client.send(ask).await {
        Ok(answer) if answer.status == 200 => End::Good,
        Ok(answer) => End::Bad(format!("HTTP {} to {path}", answer.status)),
        Err(error) => End::Bad(format!("no answer: {}", error.root_cause())),
    }
}
