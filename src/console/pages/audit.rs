// SPDX-License-Identifier: Apache-2.0

//! `/console/audit`: what people did and looked at.

use maud::{Markup, html};

use crate::console::format::{text, time};
use crate::console::layout::{entries, filters, order_link, pages, table};
use crate::console::{Page, Stop, Visit};

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let list = visit.ask(&format!("/audit?{}", visit.filters(&["actor", "order", "cursor", "limit"]))).await?;
    let rows: Vec<Markup> = entries(&list)
        .iter()
        .map(|it| {
            html! { tr {
                td { (time(&it["at"])) } td { (text(&it["actor"])) } td { (text(&it["act"])) } td { (order_link(&it["order_id"])) }
                td { code { @if !it["detail"].is_null() { (text(&it["detail"])) } } }
            } }
        })
        .collect();
    let fields = html! {
        label { (words.say("actor")) input name="actor" value=(visit.query.text("actor")); }
        label { (words.say("order")) input name="order" value=(visit.query.text("order")); }
    };
    let body = html! {
        (filters(visit, &fields))
        (table(visit, Some("audit-table"), &["at", "actor", "act", "order", "detail"], &rows))
        (pages(visit, &list))
    };
    Ok(Page::of("audit", body))
}
