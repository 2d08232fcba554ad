// SPDX-License-Identifier: Apache-2.0

//! `/console/audit`: what people did and looked at.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::form::encode;
use crate::console::format::{text, time};
use crate::console::layout::{entries, filters, link, order_link, pages, table};
use crate::console::{Page, Stop, Visit};

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let list = visit.ask(&format!("/audit?{}", visit.filters(&["actor", "order", "cursor", "limit"]))).await?;
    let numbers = visit.numbers(entries(&list)).await;
    let rows: Vec<Markup> = entries(&list)
        .iter()
        .map(|it| {
            html! { tr {
                td { (time(&it["at"])) } td { (by(visit, it)) } td { (words.audited(&text(&it["act"]))) }
                td { (order_link(&numbers, &it["order_id"])) } td.wide { (detail(visit, &it["detail"])) }
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

/// Who did it: a person by his name, whose id leads to everything that he did; a token by its own name; the host itself.
fn by(visit: &Visit, it: &Value) -> Markup {
    let (words, actor) = (&visit.words, text(&it["actor"]));
    let to = link(&format!("audit?actor={}", encode(&actor)));
    let named = match it["actor_name"].as_str() {
        Some(name) if actor.starts_with("token:") => words.say_with("actor-token", &[("name", name.to_owned())]),
        Some(name) => name.to_owned(),
        None if actor == "host" => words.say("actor-host"),
        None => words.say("somebody-else"),
    };
    html! { a href=(to) { (named) } }
}

/// What is told beside: a reason as it was written, everything else by its name.
fn detail(visit: &Visit, detail: &Value) -> Markup {
    let fields = detail.as_object();
    let told = fields.into_iter().flatten().filter(|(_, value)| !value.is_null() && !text(value).is_empty());
    html! {
        @for (name, value) in told {
            @if name == "reason" { (visit.words.reason(&text(value))) " " }
            @else { small { (visit.words.word(name)) ": " (visit.words.word(&text(value))) " " } }
        }
    }
}
