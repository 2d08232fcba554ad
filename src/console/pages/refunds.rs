// SPDX-License-Identifier: Apache-2.0

//! `/console/refunds`: refund cases, and one of them to be decided on, with what a decision does. Without a choice it is the first that waits.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use crate::console::form::encode;
use crate::console::format::{money, text, time};
use crate::console::layout::{choice, entries, filters, may_act, numbered_link, order_link, pages, refused_act, table};
use crate::console::pages::order::offer;
use crate::console::{Page, Stop, Visit};
use crate::http::ops::words;

/// The parameter that names the case to be decided on.
const CASE: &str = "case";

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let list = visit.ask(&format!("/refunds?{}", visit.filters(&["state", "channel", "cursor", "limit"]))).await?;
    let all = entries(&list);
    let decision = match chosen(visit, all) {
        Some(case) => decision(visit, case).await?,
        None => html! {},
    };
    let numbers = visit.numbers(all).await;
    let rows: Vec<Markup> = all.iter().map(|case| row(visit, &numbers, case)).collect();
    let heads = ["actions", "review-by", "order", "channel", "state", "fee", "source", "reason", "requested"];
    let body = html! {
        (filters(visit, &choice(visit, "state", "state", words::REFUND_STATES)))
        (decision)
        (table(visit, Some("refunds-table"), &heads, &rows))
        (pages(visit, &list))
    };
    Ok(Page::of("refunds", body))
}

/// The case that is decided on here: the one that was chosen, while it waits, or the first that does. After a decision the page does not go
/// on to another by itself, where the same press would decide that.
fn chosen<'c>(visit: &Visit, all: &'c [Value]) -> Option<&'c Value> {
    let mut waiting = all.iter().filter(|case| case["state"] == "under_review" && may_act(visit));
    match visit.query.get(CASE) {
        Some(id) => waiting.find(|case| case["id"] == id),
        None => waiting.next(),
    }
}

fn row(visit: &Visit, numbers: &BTreeMap<String, String>, case: &Value) -> Markup {
    let words = &visit.words;
    let to = format!("?{}#decision", visit.query.with(CASE, &text(&case["id"])));
    html! {
        tr {
            td { @if case["state"] == "under_review" && may_act(visit) { a href=(to) { (words.say("decide")) } } }
            td { (time(&case["review_by"])) }
            td { (order_link(numbers, &case["order_id"])) }
            td { (text(&case["channel"])) }
            td { (words.word(&text(&case["state"]))) }
            td.n { @if case["fee"].is_null() { (words.say("fee-open")) } @else { (money(&case["fee"], &case["currency"])) } }
            td { (words.word(&text(&case["source"]))) }
            td.wide { (words.reason(&text(&case["reason"]))) }
            td { (time(&case["requested_at"])) }
        }
    }
}

/// What can be decided on a case, each with what it does: as on the order's own page.
async fn decision(visit: &Visit, case: &Value) -> Result<Markup, Stop> {
    let path = format!("/orders/{}", encode(&text(&case["order_id"])));
    let order = visit.ask(&path).await?;
    let next = visit.ask(&format!("{path}/next-steps")).await?;
    let of_case = format!("/refunds/{}/", text(&case["id"]));
    let all = next["actions"].as_array().cloned().unwrap_or_default();
    let (allowed, refused): (Vec<Value>, Vec<Value>) = all
        .into_iter()
        .filter(|it| it["call"].as_str().is_some_and(|call| call.starts_with(&of_case)))
        .partition(|it| it["allowed"] == true);
    let words = &visit.words;
    Ok(html! {
        section id="decision" {
            h2 { (words.say("decide")) ": " (text(&order["channel"])) ":" (text(&order["channel_order_id"])) }
            p {
                (numbered_link(&order)) " " (text(&order["product"])) " × " (text(&order["quantity"])) " · "
                (words.say("received")) " " (money(&order["payment"]["received"], &order["payment"]["currency"])) " · "
                (words.reason(&text(&case["reason"])))
            }
            div.two { @for it in &allowed { (offer(visit, &order, it)) } }
            ul { @for it in &refused { li { strong { (words.act(&text(&it["act"]))) } ": " (refused_act(visit, it)) } } }
        }
    })
}
