// SPDX-License-Identifier: Apache-2.0

//! `/console/orders`: lists of orders. Every filter stands in the address.

use http::Method;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::console::format::{money, text, time};
use crate::console::layout::{choice, entries, filters, link, may_act, numbered_link, pages, reason, table};
use crate::console::pages::bulk;
use crate::console::{Page, Said, Stop, Visit};
use crate::http::ops::words::{self, ATTENTION_KINDS};

/// The parameters of the list.
const FILTERS: [&str; 12] = [
    "channel",
    "state",
    "booking",
    "ticketing",
    "payment",
    "refund",
    "visit_date",
    "attention",
    "waiting",
    "q",
    "limit",
    "cursor",
];

/// Those that say which orders match, and not which part of them is shown.
const MATCHED: [&str; 10] =
    ["channel", "state", "booking", "ticketing", "payment", "refund", "visit_date", "attention", "waiting", "q"];
/// What can be done to many at once.
const ACTS: [&str; 9] =
    ["confirm", "decline", "redeem", "no-show", "cancel", "return-payment", "payment-links", "approve", "reject"];

/// A tab: a filter with a name.
struct Tab {
    key: &'static str,
    query: &'static str,
}

/// The tabs that a marketplace's partners know (`adapters/kakao/README.md`), as filters of our axes.
const TABS: [Tab; 8] = [
    Tab { key: "tab-all", query: "" },
    Tab { key: "tab-requested", query: "booking=requested" },
    Tab { key: "tab-awaiting", query: "booking=confirmed&payment=unpaid" },
    Tab { key: "tab-progress", query: "booking=confirmed&payment=partial" },
    Tab { key: "tab-complete", query: "booking=confirmed&payment=paid" },
    Tab { key: "tab-cancel", query: "refund=under_review" },
    Tab { key: "tab-cancelled", query: "state=cancelled" },
    Tab { key: "tab-departed", query: "booking=used" },
];

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let target = format!("/orders?{}", visit.filters(&FILTERS));
    let list = visit.ask(target.trim_end_matches('?')).await?;
    let channels: Vec<String> = visit.items("/channels").await?.iter().map(|channel| text(&channel["id"])).collect();
    let body = html! {
        (tabs(visit))
        (filter(visit, &channels))
        (by_guest(visit))
        (listed(visit, &list, may_act(visit)))
        (pages(visit, &list))
        @if may_act(visit) && !entries(&list).is_empty() { (bulk::choose(visit, &ACTS, &visit.filters(&MATCHED))) }
    };
    Ok(Page::of("orders", body))
}

fn tabs(visit: &Visit) -> Markup {
    // A tab is the present one when it is all that is filtered by.
    let present = visit.query.text_without(&["cursor", "limit", "lang"]);
    html! {
        nav aria-label=(visit.words.say("tabs")) {
            ul.tabs {
                @for tab in &TABS {
                    li {
                        a href={ (link("orders")) @if !tab.query.is_empty() { "?" (tab.query) } }
                            aria-current=[(present == tab.query).then_some("page")] { (visit.words.say(tab.key)) }
                    }
                }
            }
        }
    }
}

fn filter(visit: &Visit, channels: &[String]) -> Markup {
    let (say, query) = (|key: &str| visit.words.say(key), &visit.query);
    let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
    let chosen = query.text("attention");
    let fields = html! {
        label { (say("search-number")) input name="q" value=(query.text("q")) autocomplete="off"; }
        (choice(visit, "channel", "channel", &channels))
        (choice(visit, "state", "state", words::ORDER_STATES))
        (choice(visit, "booking", "booking", words::BOOKING_STATES))
        (choice(visit, "ticketing", "ticketing", words::TICKETING_STATES))
        (choice(visit, "payment", "payment", words::PAYMENT_STATES))
        (choice(visit, "refund", "refund", words::REFUND_STATES))
        label { (say("visit")) input name="visit_date" type="date" value=(query.text("visit_date")); }
        label {
            (say("attention"))
            select name="attention" {
                option value="" { (say("any")) }
                option value="any" selected[chosen == "any"] { (say("yes")) }
                @for kind in ATTENTION_KINDS { option value=(kind) selected[chosen == *kind] { (visit.words.attention(kind)) } }
            }
        }
    };
    filters(visit, &fields)
}

/// A phone or a name stands in no address, where proxies write it down.
fn by_guest(visit: &Visit) -> Markup {
    let words = &visit.words;
    html! {
        details {
            summary { (words.say("search-guest")) }
            p.quiet { (words.say("search-audited")) }
            form.row method="post" action=(link("orders/search")) {
                label { (words.say("phone")) input name="phone" type="tel" autocomplete="off"; }
                label { (words.say("search-name")) input name="name" autocomplete="off"; }
                (reason(visit))
                button type="submit" { (words.say("search")) }
            }
        }
    }
}

/// The orders of a list.
fn listed(visit: &Visit, list: &Value, with_boxes: bool) -> Markup {
    let rows: Vec<Markup> = entries(list).iter().map(|order| row(visit, order, with_boxes)).collect();
    let heads = [
        "choose",
        "number",
        "label",
        "state",
        "visit",
        "quantity",
        "total",
        "payment",
        "attention",
        "channel",
        "created",
    ];
    table(visit, Some("orders-table"), &heads, &rows)
}

fn row(visit: &Visit, order: &Value, with_boxes: bool) -> Markup {
    let words = &visit.words;
    let kind = text(&order["attention"]["kind"]);
    html! {
        tr {
            td {
                @if with_boxes {
                    (bulk::chosen(visit, &text(&order["id"]), order["version"].as_u64(), &text(&order["channel_order_id"])))
                }
            }
            td { (numbered_link(order)) }
            td { (text(&order["label"])) }
            td { (words.word(&text(&order["state"]))) }
            td { (text(&order["booking"]["visit_date"])) }
            td.n { (text(&order["quantity"])) }
            td.n { (money(&order["payment"]["total"], &order["payment"]["currency"])) }
            td { (words.word(&text(&order["payment"]["state"]))) }
            td.short {
                @if !kind.is_empty() { (words.attention(&kind)) }
                @if let Some(more @ 1..) = order["attention"]["more"].as_u64() { " +" (more) }
            }
            td { (text(&order["channel"])) }
            td { (time(&order["created_at"])) }
        }
    }
}

/// The orders that know a guest's phone or name; that somebody searched, and why, is written down.
pub(crate) async fn search(visit: &Visit) -> Result<Said, Stop> {
    let given = |name: &str| Some(visit.form.text(name)).filter(|text| !text.is_empty());
    let body = json!({ "phone": given("phone"), "name": given("name"), "reason": visit.form.text("reason") });
    let list = visit.call(Method::POST, "/orders/search", &body).await?.body;
    let body = html! {
        (listed(visit, &list, false))
        p { a href=(link("orders")) { (visit.words.say("back")) } }
    };
    Ok(Said::Page(Page::of("search-guest", body)))
}
