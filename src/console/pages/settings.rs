// SPDX-License-Identifier: Apache-2.0

//! `/console/settings`: the running configuration, what waits for a restart, and what was refused and why.

use maud::{Markup, html};
use serde_json::Value;

use crate::config::help;
use crate::console::format::{text, time};
use crate::console::layout::{act, table};
use crate::console::{Page, Stop, Visit};

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let config = visit.ask("/config").await?;
    let restart = config["needs_restart"].as_array().cloned().unwrap_or_default();
    let body = html! {
        dl {
            dt { (words.say("version")) } dd { (text(&config["version"])) }
            dt { (words.say("applied")) } dd { (time(&config["applied_at"])) }
            dt { (words.say("read-from")) } dd { code { (text(&config["source"])) } }
            @if !restart.is_empty() {
                dt { (words.say("needs-restart")) } dd { @for name in &restart { code { (text(name)) } " " } }
            }
        }
        @if config["refused"].is_object() { (refused(visit, &config["refused"])) }
        @if visit.holder.role == crate::config::Role::Admin {
            (act(visit, None, "/config/reload", &words.say("reload"), &html! {}))
        }
        h2 { (words.say("requirements")) }
        @for topic in help::topics() { (explained(visit, &topic)) }
    };
    Ok(Page::of("settings", body))
}

/// What a requirement means, and the keys that govern it; folded away until somebody asks.
fn explained(visit: &Visit, topic: &help::Explanation) -> Markup {
    html! {
        details id=(topic.id) {
            summary { code { (topic.id) } " " (visit.words.requirement(&topic.id)) }
            p lang="en" { (topic.means.trim()) }
            @if topic.keys.is_empty() { p.quiet { (visit.words.say("keys-none")) } }
            @else { ul { @for key in &topic.keys { li { code { (key) } } } } }
        }
    }
}

fn refused(visit: &Visit, refused: &Value) -> Markup {
    let problems = refused["problems"].as_array().cloned().unwrap_or_default();
    let rows: Vec<Markup> = problems
        .iter()
        .map(|it| {
            html! { tr { td { code { (text(&it["file"])) ":" (text(&it["line"])) } } td { (text(&it["problem"])) } td { (text(&it["mend"])) } } }
        })
        .collect();
    html! {
        h2 { (visit.words.say("refused-change")) " " small { (time(&refused["at"])) } }
        (table(visit, Some("refused"), &["read-from", "detail", "actions"], &rows))
    }
}
