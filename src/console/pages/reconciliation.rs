// SPDX-License-Identifier: Apache-2.0

//! `/console/reconciliation`: what the last comparison of books found.

use maud::{Markup, html};

use crate::console::format::{text, time};
use crate::console::layout::{act, order_link, table};
use crate::console::{Page, Stop, Visit};

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    // Whoever sees a part of the service is told that this is not his; that nothing was compared yet is true of the others only.
    let report = match visit.sees_all() {
        true => visit.ask_if_allowed("/reconciliation").await?,
        false => visit.ask("/reconciliation").await?,
    };
    let found = report["differences"].as_array().cloned().unwrap_or_default();
    let numbers = visit.numbers(&found).await;
    let rows: Vec<Markup> = found
        .iter()
        .map(|it| {
            html! { tr {
                td { (order_link(&numbers, &it["order_id"])) } td { (text(&it["partner"])) } td { (text(&it["field"])) }
                td { (text(&it["ours"])) } td { (text(&it["theirs"])) } td { (text(&it["reason"])) }
                td { @if it["repaired"] == true { (words.say("yes")) } @else { (words.say("no")) } }
            } }
        })
        .collect();
    let counts = ["orders", "unanswered", "repaired"].map(|name| (name, text(&report[name])));
    let body = html! {
        @if report.is_object() {
            p { (time(&report["started_at"])) " – " (time(&report["ended_at"])) ": " (words.say_with("looked-at", &counts)) }
        } @else { p { (words.say("not-compared")) } }
        @if visit.sees_all() {
            (act(visit, None, "/reconciliation", &words.say("compare"), &html! {}))
        }
        (table(visit, Some("differences"), &["order", "partners", "field", "ours", "theirs", "detail", "repaired"], &rows))
    };
    Ok(Page::of("reconciliation", body))
}
