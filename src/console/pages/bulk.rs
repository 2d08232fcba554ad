// SPDX-License-Identifier: Apache-2.0

//! `/console/bulk`: one act on many. First what it would do, then a yes, then how far it has come, and at the end what became of it.

use std::collections::BTreeMap;

use http::{HeaderValue, Method};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::console::form::{Form, back, encode};
use crate::console::format::{money, text, time};
use crate::console::layout::{entries, items, link, order_link, pages, table};
use crate::console::{Page, Said, Stop, Visit};
use crate::http::ops::bulk::{ACT_WORDS, returns_money};

/// The form below a list: what is to be done to the rows that are chosen, or to all that match. The boxes of the rows belong to it by its id.
pub(crate) fn choose(visit: &Visit, acts: &[&str], filters: &str) -> Markup {
    let words = &visit.words;
    html! {
        form.row.card id="bulk-preview" method="post" action=(link("bulk")) aria-label=(words.say("bulk")) {
            input type="hidden" name="back" value=(visit.here());
            input type="hidden" name="match" value=(filters);
            label {
                (words.say("bulk-act"))
                select name="act" { @for act in acts { option value=(act) { (words.act(act)) } } }
            }
            label { (words.say("reason")) input name="reason" maxlength="500" autocomplete="off"; }
            label.check { input type="checkbox" name="all" value="1"; (words.say("select-all")) }
            button type="submit" { (words.say("bulk-look")) }
        }
    }
}

/// The box of a row.
pub(crate) fn chosen(visit: &Visit, id: &str, version: Option<u64>, called: &str) -> Markup {
    let value = version.map_or_else(|| id.to_owned(), |version| format!("{id}@{version}"));
    html! {
        input type="checkbox" name="item" value=(value) form="bulk-preview"
            aria-label=(visit.words.say_with("bulk-choose", &[("what", called.to_owned())]));
    }
}

/// What a form means, as the interface has it: these, or all that match.
fn wanted(form: &Form) -> Value {
    let mut body = Map::new();
    if let Some(reason) = form.get("reason") {
        body.insert("reason".to_owned(), json!(reason));
    }
    if form.get("all").is_some() {
        let filters: Map<String, Value> = Form::read(form.text("match").as_bytes())
            .pairs()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        body.insert("match".to_owned(), Value::Object(filters));
    } else {
        let item = |text: &str| match text.rsplit_once('@') {
            Some((id, version)) => json!({ "id": id, "expected_version": version.parse::<u64>().ok() }),
            None => json!(text),
        };
        body.insert("items".to_owned(), form.each("item").map(item).collect());
    }
    Value::Object(body)
}

fn act_of(form: &Form) -> Option<&'static str> {
    ACT_WORDS.into_iter().find(|act| *act == form.text("act"))
}

/// What it would do, and the question whether it is to be done.
pub(crate) async fn preview(visit: &Visit) -> Result<Said, Stop> {
    let (words, form) = (&visit.words, &visit.form);
    let Some(act) = act_of(form) else { return Ok(crate::console::layout::not_found(visit)) };
    let to = back(form.text("back"));
    let said = visit.call(Method::POST, &format!("/bulk/{act}?dry_run=true"), &wanted(form)).await?.body;
    let numbers = visit.numbers(items(&said["refusals"])).await;
    let many = said["allowed"].as_u64().unwrap_or_default();
    let body = html! {
        p { (words.act(act)) @if let Some(reason) = form.get("reason") { ": " (reason) } }
        ul.sums {
            li { b { (many) } (words.say("bulk-allowed")) }
            li { b { (text(&said["refused"])) } (words.say("bulk-refused")) }
            @for sum in items(&said["sums"]) {
                li { b { (money(&sum["total"], &sum["currency"])) } (words.say("total")) }
                @if sum["returns"] != 0 { li { b { (money(&sum["returns"], &sum["currency"])) } (words.say("bulk-returns")) } }
            }
        }
        @if many > 0 { (confirm_form(visit, act, &said, &to)) }
        (refusals(visit, &numbers, &said))
        p { a href=(to) { (words.say("back")) } }
    };
    Ok(Said::Page(Page::of("bulk", body)))
}

/// The yes: to exactly what was looked at, each as it was then.
fn confirm_form(visit: &Visit, act: &str, said: &Value, to: &str) -> Markup {
    let words = &visit.words;
    let needs_code = needs_code(visit, act);
    html! {
        form.row.card id="bulk-confirm" method="post" action=(link("bulk/confirm")) {
            input type="hidden" name="act" value=(act);
            input type="hidden" name="back" value=(to);
            @if let Some(reason) = visit.form.get("reason") { input type="hidden" name="reason" value=(reason); }
            @for item in items(&said["targets"]) {
                @let version = item["expected_version"].as_u64().map(|version| format!("@{version}")).unwrap_or_default();
                input type="hidden" name="item" value={ (text(&item["id"])) (version) };
            }
            @if needs_code {
                label { (words.say("code")) input name="code" required autocomplete="one-time-code"; }
            }
            button.main type="submit" { (words.say("bulk-yes")) }
        }
    }
}

/// Whether the act wants a factor that has to be passed anew first.
fn needs_code(visit: &Visit, act: &str) -> bool {
    let console = visit.shared.engine.running().config.console;
    let has_factor = visit.holder.signed().is_some_and(|signed| signed.has_factor);
    has_factor && returns_money(act) && visit.holder.fresh(console.second_factor, visit.now).is_err()
}

/// Begins it.
pub(crate) async fn confirm(visit: &Visit) -> Result<Said, Stop> {
    let Some(act) = act_of(&visit.form) else { return Ok(crate::console::layout::not_found(visit)) };
    let mut cookie: Option<HeaderValue> = None;
    let mut holder = visit.holder.clone();
    if let Some(code) = visit.form.get("code") {
        let passed = visit.call(Method::POST, "/session/factor", &json!({ "code": code })).await?;
        cookie = passed.cookie;
        holder = visit.shared.accounts.again(&holder).await.ok().flatten().unwrap_or(holder);
    }
    let said = visit.call_as(&holder, Method::POST, &format!("/bulk/{act}"), &wanted(&visit.form)).await?;
    Ok(Said::Go(link(&format!("bulk/{}", text(&said.body["id"]))), cookie.or(said.cookie)))
}

/// How far it has come.
pub(crate) async fn show(visit: &Visit, id: &str) -> Result<Page, Stop> {
    let words = &visit.words;
    let said = visit.ask(&format!("/bulk/{}", encode(id))).await?;
    let numbers = visit.numbers(items(&said["refusals"])).await;
    let (total, waiting) = (said["total"].as_u64().unwrap_or_default(), said["waiting"].as_u64().unwrap_or_default());
    let is_running = said["state"] == "running";
    let body = html! {
        p { strong { (words.act(&text(&said["act"]))) } " " small { (time(&said["created_at"])) } }
        div id="bulk-report" data-running=[is_running.then_some("yes")] {
            label { (words.say(if is_running { "bulk-running" } else { "bulk-over" })) progress max=(total) value=(total - waiting) {} }
            ul.sums {
                li { b { (text(&said["done"])) } (words.say("bulk-done")) }
                li { b { (text(&said["refused"])) } (words.say("bulk-refused")) }
                li { b { (waiting) } (words.say("bulk-waiting")) }
            }
        }
        (refusals(visit, &numbers, &said))
        p { a href=(link("bulk")) { (words.say("bulk-all")) } }
    };
    Ok(Page::of("bulk", body))
}

/// What one has done to many.
pub(crate) async fn all(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let said = visit.ask(&format!("/bulk?{}", visit.filters(&["cursor", "limit"]))).await?;
    let row = |it: &Value| {
        html! { tr {
            td { a href=(link(&format!("bulk/{}", encode(&text(&it["id"]))))) { (time(&it["created_at"])) } }
            td { (words.act(&text(&it["act"]))) } td.n { (text(&it["total"])) }
            td { (words.say(if it["state"] == "running" { "bulk-running" } else { "bulk-over" })) } td { (time(&it["done_at"])) }
        } }
    };
    let rows: Vec<Markup> = entries(&said).iter().map(row).collect();
    let body = html! {
        (table(visit, Some("bulk-table"), &["since", "act", "total-many", "state", "at"], &rows))
        (pages(visit, &said))
    };
    Ok(Page::of("bulk-all", body))
}

fn refusals(visit: &Visit, numbers: &BTreeMap<String, String>, said: &Value) -> Markup {
    let rows: Vec<Markup> = items(&said["refusals"])
        .iter()
        .map(|it| {
            let is_order = it["id"].as_str().is_some_and(|id| id.starts_with("ord_"));
            html! { tr {
                td { @if is_order { (order_link(numbers, &it["id"])) } @else { (text(&it["id"])) } }
                td { code { (text(&it["code"])) } } td.wide { (text(&it["sentence"])) }
            } }
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            h2 { (visit.words.say("bulk-why")) }
            (table(visit, Some("bulk-refusals"), &["order", "code-word", "detail"], &rows))
        }
    }
}
