// SPDX-License-Identifier: Apache-2.0

//! `/console/settings`: the running configuration, what waits for a restart, and what was refused and why.

use maud::{Markup, html};
use serde_json::Value;

use crate::config::help;
use crate::console::format::{text, time};
use crate::console::layout::{act, items, table};
use crate::console::{Page, Stop, Visit};

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let config = visit.ask("/config").await?;
    let inside = visit.ask("/config/settings").await?;
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
        (changed(visit, &inside))
        h2 { (words.say("settings-in-force")) }
        (in_force(visit, &inside))
        h2 { (words.say("requirements")) }
        @for topic in help::topics() { (explained(visit, &topic)) }
    };
    Ok(Page::of("settings", body))
}

/// What the last change has changed.
fn changed(visit: &Visit, inside: &Value) -> Markup {
    let row = |it: &Value| {
        html! { tr {
            td { code { (text(&it["key"])) } br; small { (text(&it["file"])) } }
            td.wide { code { (text(&it["before"])) } } td.wide { code { (text(&it["after"])) } }
        } }
    };
    let rows: Vec<Markup> = items(&inside["changed"]).iter().map(row).collect();
    html! {
        @if !rows.is_empty() {
            h2 { (visit.words.say_with("settings-changed", &[("version", text(&inside["version"]))])) }
            (table(visit, Some("settings-changed"), &["setting", "before", "after"], &rows))
        }
    }
}

/// Every setting, file by file; each leads to the requirement that it governs.
fn in_force(visit: &Visit, inside: &Value) -> Markup {
    let all = items(&inside["settings"]);
    let mut files: Vec<String> = all.iter().map(|it| text(&it["file"])).collect();
    files.dedup();
    let topics = help::topics();
    html! {
        @for file in &files {
            details {
                summary { code { (file) } }
                dl {
                    @for it in all.iter().filter(|it| it["file"] == **file) {
                        @let key = text(&it["key"]);
                        dt { code { (key) } }
                        dd {
                            code { (text(&it["value"])) }
                            @for id in governs(&topics, &key) { " " a href={ "#" (id) } title=(visit.words.requirement(id)) { (id) } }
                        }
                    }
                }
            }
        }
    }
}

/// The requirements that name a key.
fn governs<'t>(topics: &'t [help::Explanation], key: &str) -> Vec<&'t str> {
    // Of what there are several, the one that is meant stands in brackets.
    let plain: String = key
        .split('[')
        .enumerate()
        .map(|(at, part)| if at == 0 { part } else { part.split_once(']').map_or("", |(_, rest)| rest) })
        .collect();
    let names = |named: &str| {
        let of = ["channel ", "backend ", "back-end ", "partners "];
        let named = of.iter().find_map(|of| named.strip_prefix(of)).unwrap_or(named);
        let named = named.split([' ', '=']).next().unwrap_or_default();
        !named.is_empty() && (plain == named || plain.strip_prefix(named).is_some_and(|rest| rest.starts_with('.')))
    };
    topics.iter().filter(|topic| topic.keys.iter().any(|named| names(named))).map(|topic| topic.id.as_str()).collect()
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
