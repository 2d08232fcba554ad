// SPDX-License-Identifier: Apache-2.0

//! `/console/partners`: channels and back-ends, how they fare and from where they may call; and whose they are.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::format::{text, time};
use crate::console::layout::{act, items, named_table};
use crate::console::{Page, Stop, Visit};

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let (channels, backends) = (visit.items("/channels").await?, visit.items("/backends").await?);
    let tree = visit.ask("/partners").await?;
    let body = html! {
        h2 { (words.say("channels")) }
        (partners(visit, "channels", &channels))
        h2 { (words.say("backends")) }
        (partners(visit, "backends", &backends))
        h2 { (words.say("addresses")) }
        (addresses(visit, &tree))
        h2 { (words.say("secrets")) }
        (secrets(visit, &tree))
        h2 { (words.say("organisation")) }
        (organisation(visit, &tree))
    };
    Ok(Page::of("partners", body))
}

fn partners(visit: &Visit, kind: &str, all: &[Value]) -> Markup {
    let words = &visit.words;
    let rows: Vec<Markup> = all
        .iter()
        .map(|it| {
            let is_paused = it["state"] == "paused";
            let (act_word, button) =
                if is_paused { ("resume", words.say("resume")) } else { ("pause", words.say("pause")) };
            let call = format!("/{kind}/{}/{act_word}", text(&it["id"]));
            html! { tr {
                td { (text(&it["id"])) br; small { (text(&it["adapter"])) } }
                td { @if is_paused { strong { (words.say("paused")) } } @else { (words.say("running")) } }
                td { (words.word(&text(&it["breaker"]))) }
                td.n { (text(&it["in_flight"])) } td.n { (text(&it["pending"])) } td.n { (text(&it["dead"])) }
                td { (time(&it["last_ok_at"])) }
                td { (text(&it["last_error"])) }
                td { details { summary { (words.say("capabilities")) } code { (text(&it["capabilities"])) } } }
                td { (act(visit, None, &call, &button, &html! {})) }
            } }
        })
        .collect();
    let heads = [
        "partners",
        "state",
        "breaker",
        "in-flight",
        "pending",
        "dead",
        "last-ok",
        "last-error",
        "capabilities",
        "actions",
    ];
    named_table(visit, Some(kind), if kind == "channels" { "channels" } else { "backends" }, &heads, &rows)
}

fn addresses(visit: &Visit, tree: &Value) -> Markup {
    let connections = tree["connections"].as_array().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for connection in &connections {
        for door in items(&connection["addresses"]) {
            rows.push(html! { tr {
                td { (text(&connection["id"])) } td { code { (text(&door["network"])) } }
                td { (visit.words.word(&text(&door["state"]))) } td { (time(&door["opens_at"])) } td { (time(&door["closes_at"])) }
            } });
        }
    }
    named_table(visit, Some("addresses"), "addresses", &["partners", "address", "state", "opens", "closes"], &rows)
}

/// Secrets that change: until when those of before hold, and from when the others.
fn secrets(visit: &Visit, tree: &Value) -> Markup {
    let connections = tree["connections"].as_array().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for connection in &connections {
        for secrets in items(&connection["secrets"]) {
            rows.push(html! { tr {
                td { (text(&connection["id"])) } td { code { (text(&secrets["fingerprint"])) } }
                td { (visit.words.word(&text(&secrets["state"]))) } td { (time(&secrets["opens_at"])) } td { (time(&secrets["closes_at"])) }
            } });
        }
    }
    named_table(visit, Some("secrets"), "secrets", &["partners", "fingerprint", "state", "opens", "closes"], &rows)
}

fn organisation(visit: &Visit, tree: &Value) -> Markup {
    let words = &visit.words;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    html! {
        ul id="organisation" {
            @for it in &list(&tree["institutions"]) {
                li {
                    strong { (text(&it["id"])) } " " (words.word(&text(&it["contract"])))
                    @if !it["dealer"].is_null() { " · " (words.word("dealer")) " " (text(&it["dealer"])) }
                    " · " (words.say("registration")) " " (text(&it["registration_number"]))
                    ul {
                        @for agency in &list(&it["agencies"]) {
                            li { (words.word("agency")) " " (text(&agency["id"])) " — " (text(&agency["sender_name"])) " (" (text(&agency["code"])) ")" }
                        }
                        @for unit in &list(&it["settle_units"]) {
                            li {
                                (words.say("settle-unit")) " " (text(&unit["id"]))
                                @if unit["closed"] == true { " (" (words.say("closed")) ")" }
                                @if !unit["settled_until"].is_null() { " · " (words.say("settled-until")) " " (time(&unit["settled_until"])) }
                            }
                        }
                    }
                }
            }
        }
    }
}
