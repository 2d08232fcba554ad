// SPDX-License-Identifier: Apache-2.0

//! `/console/statements`: what was sold, kept and returned in a period, by settle unit.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde_json::Value;

use crate::accounts::scope::Reach;
use crate::console::format::{money, text, time};
use crate::console::layout::{act, items, order_link, table};
use crate::console::{Page, Stop, Visit};

/// Lines that a page shows; the table for machines has all of them.
const LINES_SHOWN: usize = 500;

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let tree = visit.ask("/partners").await?;
    let units = units(&tree);
    let currencies = currencies(visit);
    let names: &[&str] = match visit.query.text("currency") {
        "" => &["settle_id", "from", "to"],
        _ => &["settle_id", "from", "to", "currency"],
    };
    let query = visit.filters(names);
    let statement = match visit.query.get("settle_id") {
        Some(_) => Some(visit.ask(&format!("/statements?{query}&format=json")).await?),
        None => None,
    };
    let lines = statement.as_ref().and_then(|statement| statement["lines"].as_array());
    let numbers = visit.numbers(&lines.into_iter().flatten().take(LINES_SHOWN).cloned().collect::<Vec<_>>()).await;
    let chosen = visit.query.text("settle_id");
    let body = html! {
        form.row method="get" action=(visit.path) {
            label {
                (words.say("settle-unit"))
                select name="settle_id" required { @for unit in &units { option value=(unit) selected[chosen == unit] { (unit) } } }
            }
            label { (words.say("from")) input name="from" type="date" required value=(visit.query.text("from")); }
            label { (words.say("to")) input name="to" type="date" required value=(visit.query.text("to")); }
            // A statement is of one currency.
            @if currencies.len() > 1 {
                label {
                    (words.say("currency"))
                    select name="currency" {
                        option value="" { "" }
                        @for currency in &currencies {
                            option value=(currency) selected[visit.query.text("currency") == currency] { (currency) }
                        }
                    }
                }
            }
            button type="submit" { (words.say("show")) }
        }
        @if let Some(statement) = &statement {
            (shown(visit, &numbers, statement))
            p { a href={ "/ops/v1/statements?" (query) "&format=csv" } download { (words.say("csv")) } }
            @if can_be_settled(&tree, chosen) { (settle(visit, chosen)) }
        }
    };
    Ok(Page::of("statements", body))
}

/// The currencies that the channels sell in which whoever looks may see.
fn currencies(visit: &Visit) -> BTreeSet<String> {
    let running = visit.shared.engine.running();
    let reach = Reach::of(&visit.holder.scope, &running.config);
    let seen = running.config.channels.iter().filter(|channel| reach.has_channel(&channel.id));
    seen.map(|channel| channel.currency.clone()).collect()
}

/// Settle units, and channels that are settled under their own name.
fn units(tree: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut found: Vec<String> = list(&tree["institutions"])
        .iter()
        .flat_map(|it| list(&it["settle_units"]))
        .map(|unit| text(&unit["id"]))
        .collect();
    let own = list(&tree["connections"]).into_iter().filter(|it| it["kind"] == "channel");
    for channel in own {
        found.extend(
            Some(text(&channel["id"])).filter(|_| channel["settle_id"].is_null() || channel["older_lines"] == true),
        );
        found.extend(Some(text(&channel["settle_id"])).filter(|unit| !unit.is_empty()));
    }
    found.sort();
    found.dedup();
    found
}

/// Whether something can be settled under this name: a unit, or a channel's own name from before it had one.
fn can_be_settled(tree: &Value, unit: &str) -> bool {
    let connections = items(&tree["connections"]);
    if connections.iter().any(|it| it["id"] == unit && it["older_lines"] == true) {
        return true;
    }
    let institutions = items(&tree["institutions"]);
    institutions
        .iter()
        .any(|it| it["settle_units"].as_array().is_some_and(|all| all.iter().any(|known| known["id"] == unit)))
}

fn settle(visit: &Visit, unit: &str) -> Markup {
    let fields = html! {
        input type="hidden" name="settle_id" value=(unit);
        label { (visit.words.say("to")) input name="to" type="date" required value=(visit.query.text("to")); }
    };
    act(visit, None, "/statements/close", &visit.words.say("settle"), &fields)
}

fn shown(visit: &Visit, numbers: &BTreeMap<String, String>, statement: &Value) -> Markup {
    let (words, totals, currency) = (&visit.words, &statement["totals"], &statement["currency"]);
    let lines = items(&statement["lines"]);
    let rows: Vec<Markup> = lines
        .iter()
        .take(LINES_SHOWN)
        .map(|line| {
            html! { tr {
                td { (time(&line["at"])) } td { (words.word(&text(&line["kind"]))) }
                td.n { (money(&line["amount"], currency)) } td { (order_link(numbers, &line["order_id"])) }
            } }
        })
        .collect();
    let parts = [
        ("sales", words.say("sales")),
        ("commission", words.say("commission")),
        ("refunds", words.say("refunds")),
        ("balance", words.say("balance")),
    ];
    html! {
        @if !statement["settled_until"].is_null() {
            p { (words.say("settled-until")) " " (time(&statement["settled_until"])) }
        }
        h2 { (words.say("picture")) }
        dl { @for (name, label) in &parts { dt { (label) } dd { (money(&totals[*name], currency)) } } }
        (picture(totals, &parts))
        h2 { (words.say("lines")) " (" (lines.len()) ")" }
        (table(visit, Some("lines"), &["at", "kind", "amount", "order"], &rows))
    }
}

/// The sums as bars; the numbers stand beside them, so that nothing is said by the picture alone.
fn picture(totals: &Value, parts: &[(&str, String)]) -> Markup {
    let amount = |name: &str| totals[name].as_i64().unwrap_or_default();
    let most = parts.iter().map(|(name, _)| amount(name).unsigned_abs()).max().unwrap_or_default().max(1);
    html! {
        svg.sums-drawn viewBox="0 0 640 112" width="100%" height="112" aria-hidden="true" {
            @for (index, (name, label)) in parts.iter().enumerate() {
                @let width = amount(name).unsigned_abs().saturating_mul(460) / most;
                text x="0" y=(index * 28 + 16) { (label) }
                rect x="160" y=(index * 28 + 4) width=(width) height="16" {}
            }
        }
    }
}
