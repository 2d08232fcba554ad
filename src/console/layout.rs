// SPDX-License-Identifier: Apache-2.0

//! What all pages have around them, and the parts that several have: tables, filters, forms.

use std::collections::BTreeMap;

use http::StatusCode;
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use crate::config::Role;
use crate::console::catalogue::{Language, Words};
use crate::console::foretold;
use crate::console::form::encode;
pub(crate) use crate::console::form::link;
use crate::console::format::{decimals, text};
use crate::console::{PREFIX, Page, Said, Stop, Visit};

/// The menu: the last part of a path, the key of its name, and who has it.
const MENU: &[(&str, &str, &[Role])] = {
    use Role::{Admin, Operator, Settlement, Viewer};
    &[
        ("", "today", &[Admin, Operator, Viewer, Settlement]),
        ("orders", "orders", &[Admin, Operator, Viewer]),
        ("refunds", "refunds", &[Admin, Operator, Viewer]),
        ("deliveries", "deliveries", &[Admin, Operator, Viewer]),
        ("deadlines", "deadlines", &[Admin, Operator, Viewer]),
        ("partners", "partners", &[Admin, Operator, Viewer, Settlement]),
        ("codes", "codes", &[Admin, Operator, Viewer]),
        ("reconciliation", "reconciliation", &[Admin, Operator]),
        ("statements", "statements", &[Admin, Settlement]),
        ("members", "members", &[Admin]),
        ("audit", "audit", &[Admin]),
        ("settings", "settings", &[Admin, Operator, Viewer, Settlement]),
    ]
};

/// A whole page.
pub(crate) fn document(visit: &Visit, page: &Page) -> Markup {
    let words = &visit.words;
    let title =
        if page.about.is_empty() { words.say(page.title) } else { format!("{} {}", words.say(page.title), page.about) };
    html! {
        (DOCTYPE)
        html lang=(words.language().word()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · " (words.say("app")) }
                link rel="stylesheet" href="/console/assets/console.css";
                @if live(visit).is_some() { script src="/console/assets/live.js" defer {} }
            }
            body {
                a.skip href="#main" { (words.say("skip")) }
                header {
                    span.brand { (words.say("app")) }
                    @if visit.holder.signed().is_some() { (menu(visit)) }
                    (languages(visit))
                }
                (content(visit, page, &title))
            }
        }
    }
}

/// The page itself. One that shows what changes says since when it stands so, and what it is about.
fn content(visit: &Visit, page: &Page, title: &str) -> Markup {
    let body = html! { h1 { (title) } (page.body) };
    match live(visit) {
        None => html! { main id="main" tabindex="-1" { (body) } },
        Some(order) => html! {
            main id="main" tabindex="-1" data-since=(visit.now.0) data-order=(order) data-listens=(if looks_on(visit) { "yes" } else { "no" })
                data-changed=(visit.words.say("changed")) { (body) }
            div id="live" role="status" {}
        },
    }
}

/// Whether somebody may be told what changes.
fn looks_on(visit: &Visit) -> bool {
    matches!(visit.holder.role, Role::Admin | Role::Operator | Role::Viewer)
}

/// Whether a page shows what changes; and the order that it is about, if it is about one.
fn live(visit: &Visit) -> Option<&str> {
    let is_shown = visit.method == http::Method::GET && visit.holder.signed().is_some();
    let path = visit.path.strip_prefix(PREFIX).filter(|_| is_shown)?;
    match path.split('/').filter(|step| !step.is_empty()).collect::<Vec<_>>().as_slice() {
        [] | ["orders" | "refunds" | "deliveries" | "deadlines"] | ["bulk", _] => Some(""),
        // By the channel's number it is found, too, but told of by ours.
        ["orders", id] => Some(if id.starts_with("ord_") { id } else { "" }),
        _ => None,
    }
}

fn menu(visit: &Visit) -> Markup {
    let words = &visit.words;
    let here = visit.path.strip_prefix(PREFIX).unwrap_or_default().trim_start_matches('/');
    let here = here.split('/').next().unwrap_or_default();
    let allowed = MENU.iter().filter(|(_, _, roles)| roles.contains(&visit.holder.role));
    // What concerns the whole service is not there for who sees a part of it.
    let is_there = |path: &str| visit.sees_all() || !["settings", "reconciliation"].contains(&path);
    html! {
        nav.menu aria-label=(words.say("nav")) {
            ul {
                @for (path, key, _) in allowed.filter(|(path, _, _)| is_there(path)) {
                    li { a href=(link(path)) aria-current=[(here == *path).then_some("page")] { (words.say(key)) } }
                }
            }
        }
        div.who {
            a href=(link("account")) aria-current=[(here == "account").then_some("page")] { (visit.holder.name) }
            form method="post" action=(link("sign-out")) { button type="submit" { (words.say("sign-out")) } }
        }
    }
}

fn languages(visit: &Visit) -> Markup {
    html! {
        nav aria-label=(visit.words.say("language")) {
            ul {
                @for language in Language::ALL {
                    li {
                        a href={ "?" (visit.query.with("lang", language.word())) } lang=(language.word())
                            aria-current=[(language == visit.words.language()).then_some("true")] { (language.name()) }
                    }
                }
            }
        }
    }
}

/// Whether whoever looks may also do something about orders.
pub(crate) fn may_act(visit: &Visit) -> bool {
    matches!(visit.holder.role, Role::Admin | Role::Operator)
}

/// A link to an order by its id, named as the channel names it: that is what a guest reads out on the phone, and what stands on the channel's
/// own pages.
pub(crate) fn order_link(numbers: &BTreeMap<String, String>, id: &Value) -> Markup {
    match id.as_str().filter(|id| !id.is_empty()) {
        Some(id) => {
            let named = numbers.get(id).cloned().unwrap_or_else(|| short(id));
            html! { a href=(link(&format!("orders/{}", encode(id)))) { (named) } }
        }
        None => html! {},
    }
}

/// A link to an order of a list, by the channel's number.
pub(crate) fn numbered_link(order: &Value) -> Markup {
    html! { a href=(link(&format!("orders/{}", encode(&text(&order["id"]))))) { (text(&order["channel_order_id"])) } }
}

/// The end of one of our ids, which is what differs.
pub(crate) fn short(id: &str) -> String {
    let (kind, rest) = id.split_once('_').unwrap_or(("", id));
    let chars: Vec<char> = rest.chars().collect();
    if chars.len() <= 12 {
        id.to_owned()
    } else {
        format!("{kind}_…{}", chars[chars.len() - 10..].iter().collect::<String>())
    }
}

/// There is no such page.
pub(crate) fn not_found(visit: &Visit) -> Said {
    let body = html! { p { (visit.words.say("not-found")) } p { a href=(PREFIX) { (visit.words.say("today")) } } };
    Said::Refused(StatusCode::NOT_FOUND, Page::of("not-done", body))
}

/// What the interface refuses: its own sentence, and, where a second factor is wanted, the way to pass it.
pub(crate) fn refusal(visit: &Visit, stop: &Stop) -> Said {
    let words = &visit.words;
    let code = stop.problem["code"].as_str().unwrap_or_default();
    let back = super::form::back(visit.form.get("back").unwrap_or(&visit.path));
    let wants_factor = matches!(code, "factor_required" | "fresh_factor_required");
    let body = html! {
        div.card.warn role="alert" {
            p {
                strong { (code) } " "
                @match stop.status {
                    StatusCode::NOT_FOUND => { (words.say("not-found")) }
                    StatusCode::FORBIDDEN if code == "forbidden" => { (words.say("forbidden")) }
                    _ => { (why_not(visit, &stop.problem)) }
                }
            }
            @if !stop.problem["field"].is_null() { p { (words.say("field")) ": " code { (text(&stop.problem["field"])) } } }
            (others(&stop.problem))
        }
        @if wants_factor { (super::pages::factor::form(visit, &back)) }
        p { a href=(back) { (words.say("back")) } }
    };
    Said::Refused(stop.status, Page::of("not-done", body))
}

/// What else is wrong, besides the first fault, whose sentence stands before.
fn others(problem: &Value) -> Markup {
    let others: Vec<&Value> = problem["errors"].as_array().into_iter().flatten().skip(1).collect();
    html! {
        @if !others.is_empty() {
            ul { @for other in others { li { code { (text(&other["pointer"])) } " " span lang="en" { (text(&other["detail"])) } } } }
        }
    }
}

/// A sentence that something was done.
pub(crate) fn done(visit: &Visit) -> Markup {
    html! { div.card.ok role="status" { p { (visit.words.say("done")) } } }
}

/// Why something was not done, in the words of whoever reads it where there are such; with the interface's own sentence, which says more.
pub(crate) fn why_not(visit: &Visit, problem: &Value) -> Markup {
    let code = problem["code"].as_str().unwrap_or_default();
    // What is said of a second factor beside the sentence is for those who make calls.
    let is_of_calls = matches!(code, "factor_required" | "fresh_factor_required");
    let detail = if is_of_calls { String::new() } else { text(&problem["detail"]) };
    let language = problem["language"].as_str().unwrap_or("en");
    match visit.words.problem(code) {
        Some(sentence) if visit.words.language() == Language::En => {
            html! { (if detail.is_empty() { sentence } else { detail }) }
        }
        Some(sentence) => html! { (sentence) @if !detail.is_empty() { br; small lang=(language) { (detail) } } },
        None => html! { span lang=(language) { (detail) } },
    }
}

/// What somebody is needed for, and what to do: in the language of the page, and without the command, which is for those who have a shell.
pub(crate) fn attention_sentence(it: &Value) -> Markup {
    let command = format!(" ({})", text(&it["command"]));
    let without = |sentence: String| sentence.strip_suffix(&command).map(str::to_owned).unwrap_or(sentence);
    html! { (without(text(&it["sentence"]))) }
}

/// Why an act is refused, in the language of the page where there is a sentence for it.
pub(crate) fn refused_act(visit: &Visit, it: &Value) -> Markup {
    why_not(visit, &serde_json::json!({ "code": it["code"], "detail": it["sentence"] }))
}

/// How long a deadline of the interface has left, or for how long it has passed.
pub(crate) fn time_left(words: &Words, deadline: &Value) -> Markup {
    let left = foretold::left(words, deadline);
    html! { @if deadline["passed"] == true { strong { (left) } } @else { (left) } }
}

/// A form that makes a call of the interface, and leads back here. `fields` is what stands in it before the button.
pub(crate) fn act(visit: &Visit, id: Option<&str>, call: &str, button: &str, fields: &Markup) -> Markup {
    html! {
        form.row method="post" action={ (PREFIX) "/act" (call) } id=[id] {
            input type="hidden" name="back" value=(visit.here());
            (fields)
            button.main[id.is_some()] type="submit" { (button) }
        }
    }
}

/// The field for a reason.
pub(crate) fn reason(visit: &Visit) -> Markup {
    html! { label { (visit.words.say("reason")) input name="reason" required maxlength="500" autocomplete="off"; } }
}

/// The field for what is kept of a refund; where the channel names nothing, somebody has to.
pub(crate) fn fee(visit: &Visit, currency: &Value, is_needed: bool) -> Markup {
    let (words, with) = (&visit.words, in_units(currency));
    let label = if is_needed { words.say_with("fee-to-name", &with) } else { words.say_with("fee-in", &with) };
    amount("fee", label, currency, is_needed)
}

/// What the label of an amount says of its currency.
pub(crate) fn in_units(currency: &Value) -> [(&'static str, String); 1] {
    [("currency", text(currency))]
}

/// The field for an amount, as people write it: in units of its currency, which goes with it.
pub(crate) fn amount(name: &str, label: String, currency: &Value, is_needed: bool) -> Markup {
    let currency = text(currency);
    let (mode, pattern) = match decimals(&currency) {
        0 => ("numeric", "[0-9,]*".to_owned()),
        places => ("decimal", format!("[0-9,]+([.][0-9]{{1,{places}}})?")),
    };
    html! {
        input type="hidden" name="currency" value=(currency);
        label { (label) input name=(name) inputmode=(mode) pattern=(pattern) autocomplete="off" required[is_needed]; }
    }
}

/// A choice among words of the interface; the first is none of them.
pub(crate) fn choice(visit: &Visit, name: &str, key: &'static str, all: &[&str]) -> Markup {
    let chosen = visit.query.text(name);
    html! {
        label {
            (visit.words.say(key))
            select name=(name) {
                option value="" { (visit.words.say("any")) }
                @for word in all {
                    option value=(word) selected[*word == chosen] { (visit.words.word(word)) }
                }
            }
        }
    }
}

/// A form that filters a list: what it asks for stands in the address.
pub(crate) fn filters(visit: &Visit, fields: &Markup) -> Markup {
    html! {
        form.row.filters method="get" action=(visit.path) {
            (fields)
            button type="submit" { (visit.words.say("filter")) }
        }
    }
}

/// A table in a frame that scrolls by itself where it is too wide.
pub(crate) fn table(visit: &Visit, id: Option<&str>, heads: &[&'static str], rows: &[Markup]) -> Markup {
    let named = heads.iter().find(|key| !key.is_empty()).copied().unwrap_or("none");
    named_table(visit, id, named, heads, rows)
}

/// The same with a name of its own, where a page has several.
pub(crate) fn named_table(
    visit: &Visit,
    id: Option<&str>,
    named: &'static str,
    heads: &[&'static str],
    rows: &[Markup],
) -> Markup {
    if rows.is_empty() {
        return html! { p id=[id] { (visit.words.say("none")) } };
    }
    html! {
        div.scroll role="region" tabindex="0" aria-label=(visit.words.say(named)) {
            table id=[id] {
                thead { tr { @for head in heads { th scope="col" { (visit.words.say(if head.is_empty() { "actions" } else { head })) } } } }
                tbody { @for row in rows { (row) } }
            }
        }
    }
}

/// Where a list goes on.
pub(crate) fn pages(visit: &Visit, list: &Value) -> Markup {
    let next = list["next_cursor"].as_str();
    html! {
        p {
            @if visit.query.get("cursor").is_some() {
                a href={ (visit.path) "?" (visit.query.text_without(&["cursor"])) } { (visit.words.say("first-page")) } " "
            }
            @if let Some(next) = next {
                a rel="next" href={ (visit.path) "?" (visit.query.with("cursor", next)) } { (visit.words.say("more")) }
            }
        }
    }
}

/// The entries of a list.
pub(crate) fn entries(list: &Value) -> &[Value] {
    items(&list["items"])
}

/// What stands in a list; nothing where there is none.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A scope in words.
pub(crate) fn scope(visit: &Visit, scope: &Value) -> String {
    let kind = visit.words.word(scope["kind"].as_str().unwrap_or_default());
    match scope["id"].as_str() {
        Some(id) => format!("{kind} {id}"),
        None => kind,
    }
}
