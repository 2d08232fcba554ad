// SPDX-License-Identifier: Apache-2.0

//! `/console/deadlines`: the nearest first.

use maud::{Markup, html};

use crate::console::format::{text, time};
use crate::console::layout::{choice, entries, filters, order_link, pages, table, time_left};
use crate::console::{Page, Stop, Visit};
use crate::http::ops::words;

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let list = visit.ask(&format!("/deadlines?{}", visit.filters(&["state", "order", "cursor", "limit"]))).await?;
    let words_of = &visit.words;
    let numbers = visit.numbers(entries(&list)).await;
    let rows: Vec<Markup> = entries(&list)
        .iter()
        .map(|row| {
            html! { tr {
                td.n { (time_left(words_of, row)) }
                td { (time(&row["due_at"])) }
                td { (words_of.word(&text(&row["kind"]))) }
                td { (order_link(&numbers, &row["order_id"])) }
                td { (time(&row["warned_at"])) }
            } }
        })
        .collect();
    let body = html! {
        (filters(visit, &choice(visit, "state", "state", words::DEADLINE_STATES)))
        (table(visit, Some("deadlines-table"), &["left", "due", "kind", "order", "warned"], &rows))
        (pages(visit, &list))
    };
    Ok(Page::of("deadlines", body))
}
