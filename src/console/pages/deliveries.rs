// SPDX-License-Identifier: Apache-2.0

//! `/console/deliveries`: what partners are yet to be told, and what could not be told.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use crate::console::format::{text, time};
use crate::console::layout::{act, choice, entries, filters, may_act, order_link, pages, reason, table};
use crate::console::pages::bulk;
use crate::console::{Page, Stop, Visit};
use crate::http::ops::words;

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let names = ["state", "destination", "order", "cursor", "limit"];
    let list = visit.ask(&format!("/deliveries?{}", visit.filters(&names))).await?;
    let numbers = visit.numbers(entries(&list)).await;
    let rows: Vec<Markup> = entries(&list).iter().map(|job| row(visit, &numbers, job)).collect();
    let heads = [
        "choose",
        "order",
        "destination",
        "call",
        "state",
        "actions",
        "last-error",
        "attempts",
        "next-attempt",
        "created",
    ];
    let fields = html! {
        (choice(visit, "state", "state", words::DELIVERY_STATES))
        label { (visit.words.say("destination")) input name="destination" value=(visit.query.text("destination")); }
        label { (visit.words.say("order")) input name="order" value=(visit.query.text("order")); }
    };
    let body = html! {
        (filters(visit, &fields))
        (table(visit, Some("deliveries-table"), &heads, &rows))
        (pages(visit, &list))
        @if may_act(visit) && !rows.is_empty() {
            (bulk::choose(visit, &["retry", "drop"], &visit.filters(&["state", "destination", "order"])))
        }
    };
    Ok(Page::of("deliveries", body))
}

fn row(visit: &Visit, numbers: &BTreeMap<String, String>, job: &Value) -> Markup {
    let words = &visit.words;
    let call = |act: &str| format!("/deliveries/{}/{act}", crate::console::form::encode(&text(&job["id"])));
    html! {
        tr {
            td {
                @if may_act(visit) && (job["state"] == "dead" || job["state"] == "pending") {
                    (bulk::chosen(visit, &text(&job["id"]), None, &format!("{} {}", text(&job["destination"]), text(&job["call"]))))
                }
            }
            td { (order_link(numbers, &job["order_id"])) }
            td { (text(&job["destination"])) }
            td { (words.call(&text(&job["call"]))) }
            td { (words.word(&text(&job["state"]))) }
            td {
                @if job["state"] == "dead" || job["state"] == "pending" {
                    (act(visit, None, &call("retry"), &words.say("retry"), &html! {}))
                    details {
                        summary { (words.say("drop")) }
                        (act(visit, None, &call("drop"), &words.say("drop"), &reason(visit)))
                    }
                }
                @if job["state"] == "dropped" {
                    (act(visit, None, &call("retry"), &words.say("retry"), &html! {}))
                }
            }
            td.wide { (text(&job["last_error"])) }
            td.n { (text(&job["attempts"])) }
            td { (time(&job["next_attempt_at"])) }
            td { (time(&job["created_at"])) }
        }
    }
}
