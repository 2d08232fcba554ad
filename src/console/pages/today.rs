// SPDX-License-Identifier: Apache-2.0

//! `/console`: what waits for a person, by how long it can still wait. An empty page is the goal.

use maud::{Markup, html};
use serde_json::Value;
use ticketbridge_core::{Millis, TimeZone};

use crate::console::form::encode;
use crate::console::format::{text, time};
use crate::console::layout::{items, link, named_table, numbered_link, order_link, time_left};
use crate::console::{Page, Stop, Visit};

/// A deadline is near when less than this is left.
const NEAR: Millis = Millis::hours(24);

/// One thing to look at: its heading, where the whole of it is, and its table.
struct Section {
    key: &'static str,
    more: String,
    table: Markup,
}

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let sections = [
        refunds(visit).await?,
        bookings(visit).await?,
        deadlines(visit).await?,
        dead(visit).await?,
        attention(visit).await?,
        partners(visit).await?,
        pools(visit).await?,
        books(visit).await?,
        people(visit).await?,
    ];
    let waiting: Vec<Section> = sections.into_iter().flatten().collect();
    let words = &visit.words;
    let body = html! {
        div id="today" {
            @if waiting.is_empty() { p.card.ok { (words.say("today-empty")) } }
            @for section in &waiting {
                section {
                    h2 { a href=(section.more) { (words.say(section.key)) } }
                    (section.table)
                }
            }
        }
    };
    Ok(Page::of("today", body))
}

/// Whoever has no business with it has no such section.
fn section(visit: &Visit, key: &'static str, more: &str, heads: &[&'static str], rows: &[Markup]) -> Option<Section> {
    let more = link(more);
    (!rows.is_empty()).then(|| Section { key, more, table: named_table(visit, None, key, heads, rows) })
}

async fn refunds(visit: &Visit) -> Result<Option<Section>, Stop> {
    let mut found = visit.items("/refunds?state=under_review&limit=50").await?;
    found.sort_by_key(|case| case["review_by"].as_str().unwrap_or("9").to_owned());
    let numbers = visit.numbers(&found).await;
    let rows: Vec<Markup> = found
        .iter()
        .map(|case| {
            html! { tr {
                td { (time(&case["review_by"])) } td { (order_link(&numbers, &case["order_id"])) } td { (text(&case["channel"])) }
                td { (visit.words.word(&text(&case["source"]))) } td.wide { (visit.words.reason(&text(&case["reason"]))) }
            } }
        })
        .collect();
    let heads = ["review-by", "order", "channel", "source", "reason"];
    Ok(section(visit, "waiting-refunds", "refunds?state=under_review", &heads, &rows))
}

async fn bookings(visit: &Visit) -> Result<Option<Section>, Stop> {
    let mut found = visit.items("/orders?attention=waits_for_confirmation&limit=200").await?;
    let deadlines = if found.is_empty() { Vec::new() } else { visit.items("/deadlines?limit=200").await? };
    // What can wait the least comes first; what waits without end, by how long it has.
    let due =
        |order: &Value| deadlines.iter().find(|row| row["order_id"] == order["id"] && row["kind"] == "acceptance");
    found.sort_by_key(|order| {
        let left = due(order).and_then(|row| row["time_left_s"].as_i64()).unwrap_or(i64::MAX);
        (left, order["attention"]["since"].as_str().unwrap_or_default().to_owned())
    });
    let rows: Vec<Markup> = found
        .iter()
        .map(|order| {
            html! { tr {
                td.n { @if let Some(row) = due(order) { (time_left(&visit.words, row)) } }
                td { (numbered_link(order)) } td { (text(&order["channel"])) } td { (text(&order["label"])) }
                td { (text(&order["booking"]["visit_date"])) } td { (time(&order["attention"]["since"])) }
            } }
        })
        .collect();
    let heads = ["left", "number", "channel", "label", "visit", "since"];
    Ok(section(visit, "waiting-bookings", "orders?booking=requested", &heads, &rows))
}

const ORDER_HEADS: [&str; 5] = ["number", "channel", "label", "visit", "attention"];

fn order_rows(visit: &Visit, found: &[Value]) -> Vec<Markup> {
    let row = |order: &Value| {
        let kind = text(&order["attention"]["kind"]);
        html! { tr {
            td { (numbered_link(order)) } td { (text(&order["channel"])) } td { (text(&order["label"])) }
            td { (text(&order["booking"]["visit_date"])) }
            td { @if !kind.is_empty() { (visit.words.attention(&kind)) } }
        } }
    };
    found.iter().map(row).collect()
}

async fn deadlines(visit: &Visit) -> Result<Option<Section>, Stop> {
    let before = (visit.now + NEAR).rfc3339(TimeZone::UTC);
    let found = visit.items(&format!("/deadlines?due_before={}&limit=50", encode(&before))).await?;
    let numbers = visit.numbers(&found).await;
    let rows: Vec<Markup> = found
        .iter()
        .map(|row| {
            html! { tr {
                td.n { (time_left(&visit.words, row)) }
                td { (order_link(&numbers, &row["order_id"])) } td { (visit.words.word(&text(&row["kind"]))) } td { (time(&row["due_at"])) }
            } }
        })
        .collect();
    Ok(section(visit, "waiting-deadlines", "deadlines", &["left", "order", "kind", "due"], &rows))
}

async fn dead(visit: &Visit) -> Result<Option<Section>, Stop> {
    let found = visit.items("/deliveries?state=dead&limit=50").await?;
    let numbers = visit.numbers(&found).await;
    let rows: Vec<Markup> = found
        .iter()
        .map(|job| {
            html! { tr {
                td { (order_link(&numbers, &job["order_id"])) } td { (text(&job["destination"])) } td { (visit.words.call(&text(&job["call"]))) }
                td.wide { (text(&job["last_error"])) }
            } }
        })
        .collect();
    Ok(section(visit, "waiting-dead", "deliveries?state=dead", &["order", "destination", "call", "last-error"], &rows))
}

async fn attention(visit: &Visit) -> Result<Option<Section>, Stop> {
    let found = visit.items("/orders?attention=any&limit=50").await?;
    // What stands above in a list of its own is not told twice.
    let told = ["waits_for_confirmation", "refund_under_review"];
    let mut rest: Vec<Value> = found
        .into_iter()
        .filter(|order| !told.contains(&order["attention"]["kind"].as_str().unwrap_or_default()))
        .collect();
    rest.sort_by_key(|order| order["attention"]["since"].as_str().unwrap_or_default().to_owned());
    Ok(section(visit, "waiting-attention", "orders?attention=any", &ORDER_HEADS, &order_rows(visit, &rest)))
}

async fn partners(visit: &Visit) -> Result<Option<Section>, Stop> {
    let mut all = visit.items("/channels").await?;
    all.extend(visit.items("/backends").await?);
    let rows: Vec<Markup> = all
        .iter()
        .filter(|it| it["state"] == "paused" || it["breaker"] != "closed")
        .map(|it| {
            html! { tr {
                td { (text(&it["id"])) } td { (visit.words.word(&text(&it["state"]))) }
                td { (visit.words.word(&text(&it["breaker"]))) } td.n { (text(&it["pending"])) } td { (text(&it["last_error"])) }
            } }
        })
        .collect();
    Ok(section(
        visit,
        "waiting-partners",
        "partners",
        &["partners", "state", "breaker", "pending", "last-error"],
        &rows,
    ))
}

async fn pools(visit: &Visit) -> Result<Option<Section>, Stop> {
    let rows: Vec<Markup> = super::codes::pools(visit)
        .await?
        .iter()
        .filter(|pool| pool["is_low"] == true)
        .map(|pool| {
            html! { tr { td { (text(&pool["pool"])) } td.n { (text(&pool["available"])) } td.n { (text(&pool["low_water"])) } } }
        })
        .collect();
    Ok(section(visit, "waiting-pools", "codes", &["codes", "available", "low-water"], &rows))
}

async fn books(visit: &Visit) -> Result<Option<Section>, Stop> {
    let report = visit.ask_if_allowed("/reconciliation").await?;
    let differences = items(&report["differences"]);
    let numbers = visit.numbers(differences).await;
    let rows: Vec<Markup> = differences
        .iter()
        .filter(|difference| difference["repaired"] != true)
        .map(|it| {
            html! { tr { td { (order_link(&numbers, &it["order_id"])) } td { (text(&it["partner"])) } td { (text(&it["reason"])) } } }
        })
        .collect();
    Ok(section(visit, "waiting-books", "reconciliation", &["order", "partners", "detail"], &rows))
}

async fn people(visit: &Visit) -> Result<Option<Section>, Stop> {
    let found = visit.items("/accounts?state=pending_approval&limit=50").await?;
    let rows: Vec<Markup> = found
        .iter()
        .map(|it| {
            html! { tr { td { (text(&it["name"])) } td { (text(&it["email"])) } td { (text(&it["agency_code"])) } td { (time(&it["created_at"])) } } }
        })
        .collect();
    Ok(section(visit, "waiting-people", "members", &["name", "email", "agency-code", "since"], &rows))
}
