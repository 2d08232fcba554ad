// SPDX-License-Identifier: Apache-2.0

//! `/console/inbox/{id}`: one message as it came and as it was answered, masked.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::form::encode;
use crate::console::format::{text, time};
use crate::console::layout::link;
use crate::console::{Page, Stop, Visit};

/// The page.
pub(crate) async fn show(visit: &Visit, id: &str) -> Result<Page, Stop> {
    let words = &visit.words;
    let it = visit.ask(&format!("/inbox/{}", encode(id))).await?;
    let body = html! {
        p {
            (time(&it["received_at"])) " · " code { (text(&it["channel"])) } " " (words.call(&text(&it["call"]))) " → "
            (words.verdict(&text(&it["verdict"])))
        }
        p.quiet { (words.say("message-masked")) }
        h2 { (words.say("message-asked")) }
        (written(&it["body"], &words.say("message-gone"), &words.say("message")))
        h2 { (words.say("message-answered")) " " (text(&it["answer_status"])) }
        (written(&it["answer"], &words.say("message-gone"), &words.say("message")))
        @if let Some(order) = it["order_id"].as_str() {
            p { a href=(link(&format!("orders/{}", encode(order)))) { (words.say("order")) } }
        }
    };
    Ok(Page::of("message", body))
}

/// A text as it was said, or instead of one that is not there.
pub(super) fn written(said: &Value, instead: &str, label: &str) -> Markup {
    let pretty = match said {
        Value::String(plain) => plain.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    html! {
        @if said.is_null() { p { (instead) } }
        @else { div.scroll role="region" tabindex="0" aria-label=(label) { pre { (pretty) } } }
    }
}

/// The messages of an order, each leading to what was said.
pub(crate) fn of_order(visit: &Visit, messages: &[Value]) -> Markup {
    let words = &visit.words;
    html! {
        @if !messages.is_empty() {
            details id="messages" {
                summary { (words.say("messages")) " (" (messages.len()) ")" }
                ul {
                    @for it in messages {
                        li {
                            a href=(link(&format!("inbox/{}", encode(&text(&it["id"]))))) {
                                (time(&it["received_at"])) " " (text(&it["channel"])) " " (words.call(&text(&it["call"])))
                            }
                            " → " (words.verdict(&text(&it["verdict"])))
                        }
                    }
                }
            }
        }
    }
}
