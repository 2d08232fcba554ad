// SPDX-License-Identifier: Apache-2.0

//! `/console/refunds`: refund cases, and the decision.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::format::{money, text, time};
use crate::console::layout::{act, choice, entries, fee, filters, order_link, pages, reason, table};
use crate::console::{Page, Stop, Visit};
use crate::http::ops::words;

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let list = visit.ask(&format!("/refunds?{}", visit.filters(&["state", "channel", "cursor", "limit"]))).await?;
    let rows: Vec<Markup> = entries(&list).iter().map(|case| row(visit, case)).collect();
    let heads = ["order", "channel", "state", "source", "requested", "review-by", "fee", "reason", "actions"];
    let body = html! {
        (filters(visit, &choice(visit, "state", "state", words::REFUND_STATES)))
        (table(visit, Some("refunds-table"), &heads, &rows))
        (pages(visit, &list))
    };
    Ok(Page { title: "refunds", body })
}

fn row(visit: &Visit, case: &Value) -> Markup {
    let words = &visit.words;
    html! {
        tr {
            td { (order_link(&case["order_id"])) }
            td { (text(&case["channel"])) }
            td { (words.word(&text(&case["state"]))) }
            td { (words.word(&text(&case["source"]))) }
            td { (time(&case["requested_at"])) }
            td { (time(&case["review_by"])) }
            td.n { @if case["fee"].is_null() { (words.say("fee-open")) } @else { (money(&case["fee"], &case["currency"])) } }
            td { (text(&case["reason"])) }
            td { @if case["state"] == "under_review" { (decide(visit, case)) } }
        }
    }
}

fn decide(visit: &Visit, case: &Value) -> Markup {
    let words = &visit.words;
    let call = |act: &str| format!("/refunds/{}/{act}", text(&case["id"]));
    html! {
        (act(visit, None, &call("approve"), &words.act("approve"), &fee(visit, case["fee"].is_null())))
        (act(visit, None, &call("reject"), &words.act("reject"), &reason(visit)))
    }
}
