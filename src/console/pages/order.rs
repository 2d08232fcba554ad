// SPDX-License-Identifier: Apache-2.0

//! `/console/orders/{id}`: one order on one screen: what happened over all systems, what happens next, and what can be done.

use maud::{Markup, html};
use serde_json::Value;
use ticketbridge_core::order::AttentionKind;

use crate::console::acts::NOTED;
use crate::console::foretold;
use crate::console::form::encode;
use crate::console::format::{clock, day, money, text, time};
use crate::console::layout::{
    act, amount, attention_sentence, entries, fee, in_units, items, may_act, reason, refused_act, time_left,
};
use crate::console::{Page, Stop, Visit};
use crate::http::ops::manual_commands::UNDER_WAY;

/// Entries of the history and of the calls that are shown.
const SHOWN: u32 = 200;
/// The parameter that names the call whose texts are unfolded.
const SAID: &str = "said";

/// The page.
pub(crate) async fn show(visit: &Visit, id: &str) -> Result<Page, Stop> {
    let path = format!("/orders/{}", encode(id));
    let order = visit.ask(&path).await?;
    let events = visit.ask(&format!("{path}/events?limit={SHOWN}")).await?;
    // What was said is read when somebody unfolds it.
    let bodies = if visit.query.text(SAID).is_empty() { "" } else { "&bodies=true" };
    let calls = visit.ask(&format!("{path}/calls?limit={SHOWN}{bodies}")).await?;
    let next = visit.ask(&format!("{path}/next-steps")).await?;
    let messages = visit.items(&format!("/inbox?order={}&limit={SHOWN}", encode(&text(&order["id"])))).await?;
    let body = html! {
        @if visit.query.text(NOTED) == UNDER_WAY {
            div.card.warn role="status" id="under-way" { p { (visit.words.say("under-way")) } }
        }
        (standing(visit, &order))
        (needs(visit, &order))
        div.two {
            div {
                (next_steps(visit, &order, &next))
                (actions(visit, &order, &next))
            }
            (facts(visit, &order))
        }
        (timeline(visit, &events, &calls))
        (super::inbox::of_order(visit, &messages))
    };
    Ok(Page::of("order", body).about(format!("{}:{}", text(&order["channel"]), text(&order["channel_order_id"]))))
}

/// Where it stands, at one look.
fn standing(visit: &Visit, order: &Value) -> Markup {
    let words = &visit.words;
    let booking = &order["booking"];
    let chip = |key: &str, word: &Value| html! { li { (words.say(key)) ": " b { (words.word(&text(word))) } } };
    html! {
        ul.chips {
            li { b { (text(&order["label"])) } }
            (chip("state", &order["state"]))
            @if booking.is_object() {
                (chip("booking", &booking["state"]))
                (chip("ticketing", &booking["ticketing"]["state"]))
            }
            (chip("payment", &order["payment"]["state"]))
            @if order["refund_case"].is_object() { (chip("refund", &order["refund_case"]["state"])) }
        }
    }
}

fn needs(visit: &Visit, order: &Value) -> Markup {
    let all = items(&order["attentions"]);
    html! {
        div id="attention" {
            @for it in all {
                div.card.warn {
                    strong { (visit.words.attention(&text(&it["kind"]))) }
                    " " small { (visit.words.say("since")) " " (time(&it["since"])) }
                    p { (attention_sentence(it)) }
                    @if may_act(visit) && ends_by_word(order, &it["kind"]) { (settle(visit, order, it)) }
                }
            }
        }
    }
}

/// Whether a flag ends when somebody says that it was seen to.
fn ends_by_word(order: &Value, kind: &Value) -> bool {
    let is_over = ["completed", "cancelled"].into_iter().any(|state| order["state"] == state);
    let no_acts = is_over || order["channel_view"]["read_only"] == true;
    serde_json::from_value(kind.clone()).is_ok_and(|kind: AttentionKind| kind.ends_by_word(no_acts))
}

fn settle(visit: &Visit, order: &Value, it: &Value) -> Markup {
    let fields = html! {
        input type="hidden" name="kind" value=(text(&it["kind"]));
        @if let Some(version) = order["version"].as_u64() { input type="hidden" name="expected_version" value=(version); }
        (reason(visit))
    };
    let call = format!("/orders/{}/settle-attention", text(&order["id"]));
    act(visit, None, &call, &visit.words.say("settle-attention"), &fields)
}

fn facts(visit: &Visit, order: &Value) -> Markup {
    let (words, payment, booking) = (&visit.words, &order["payment"], &order["booking"]);
    let say = |key: &str| words.say(key);
    let in_money = |value: &Value| money(value, &payment["currency"]);
    html! {
        section {
            h2 { (say("facts")) }
            dl {
                dt { (say("number")) } dd { (text(&order["channel"])) ":" (text(&order["channel_order_id"])) " " small { (text(&order["id"])) } }
                dt { (say("product")) } dd { (text(&order["product"])) " × " (text(&order["quantity"])) }
                @if booking.is_object() {
                    dt { (say("visit")) } dd { (text(&booking["visit_date"])) }
                    @if !booking["ticketing"]["backend"].is_null() {
                        dt { (say("tickets-from")) } dd { (text(&booking["ticketing"]["backend"])) }
                    }
                    @if !booking["ticketing"]["deadline"].is_null() {
                        dt { (say("ticketing-until")) } dd { (time(&booking["ticketing"]["deadline"])) }
                    }
                }
                dt { (say("total")) } dd { (in_money(&payment["total"])) }
                dt { (say("received")) } dd { (in_money(&payment["received"])) }
                dt { (say("refunded")) } dd { (in_money(&payment["refunded"])) }
                dt { (say("fee")) } dd { (in_money(&payment["fee"])) }
                @if order["refund_case"].is_object() {
                    dt { (say("refund")) } dd {
                        (words.word(&text(&order["refund_case"]["state"]))) " " (words.reason(&text(&order["refund_case"]["reason"])))
                        " " (time(&order["refund_case"]["review_by"]))
                    }
                }
                dt { (say("buyer")) } dd { (person(&order["buyer"])) }
                dt { (say("version")) } dd { (text(&order["version"])) }
            }
            (guests(visit, order))
        }
    }
}

fn person(person: &Value) -> String {
    let document = text(&person["document"]["number"]);
    let parts = [text(&person["name"]), text(&person["phone"]), document];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// The visitors and their tickets; in clear where this session has asked for that.
fn guests(visit: &Visit, order: &Value) -> Markup {
    let words = &visit.words;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (visitors, tickets) = (list(&order["booking"]["visitors"]), list(&order["booking"]["ticketing"]["tickets"]));
    let call = format!("/orders/{}/reveal", text(&order["id"]));
    html! {
        @if !visitors.is_empty() {
            h2 { (words.say("visitors")) }
            ul { @for visitor in &visitors { li { (person(visitor)) } } }
        }
        @if !tickets.is_empty() {
            h2 { (words.say("codes-of-order")) }
            ul {
                @for ticket in &tickets { li { code { (text(&ticket["code"])) } } }
                @for ticket in &list(&order["booking"]["ticketing"]["other_tickets"]) {
                    li { code { (text(&ticket["code"])) } " " small { (words.say("other-code")) } }
                }
            }
        }
        @if !matches!(visit.holder.role, crate::config::Role::Viewer) {
            p.quiet { (words.say("reveal-what")) }
            (act(visit, Some("reveal"), &call, &words.say("reveal"), &reason(visit)))
        }
    }
}

/// What happens if nobody does anything.
fn next_steps(visit: &Visit, order: &Value, next: &Value) -> Markup {
    let words = &visit.words;
    let (deliveries, deadlines, waits) = (list(&next["deliveries"]), list(&next["deadlines"]), list(&next["waits"]));
    html! {
        section id="next-steps" {
            h2 { (words.say("next")) }
            @if deliveries.is_empty() && deadlines.is_empty() && waits.is_empty() { p { (words.say("next-nothing")) } }
            ul {
                @for job in &deliveries { (delivery(visit, job)) }
                @for row in &deadlines { (deadline(visit, order, row)) }
                @for word in &waits { li { (words.waits(&text(word))) } }
            }
        }
    }
}

fn delivery(visit: &Visit, job: &Value) -> Markup {
    let said = foretold::delivery(&visit.words, job);
    html! {
        li {
            @if job["state"] == "dead" { strong { (said) } }
            @else { (said) " — " (time(&job["next_attempt_at"])) }
            @if !job["last_error"].is_null() { br; small { (text(&job["last_error"])) } }
        }
    }
}

/// A deadline, and what comes of it when it passes.
fn deadline(visit: &Visit, order: &Value, row: &Value) -> Markup {
    let words = &visit.words;
    html! {
        li {
            (words.word(&text(&row["kind"]))) ": " (time(&row["due_at"])) " ("
            @if row["passed"] != true { (words.say("left")) " " }
            (time_left(words, row))
            ")"
            @if let Some(then) = foretold::then(words, &order["state"], row) { br; small { (then) } }
        }
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// What the state allows, each saying what it will do; and the rest with the reason why not.
fn actions(visit: &Visit, order: &Value, next: &Value) -> Markup {
    let words = &visit.words;
    let all = list(&next["actions"]);
    let (allowed, refused): (Vec<_>, Vec<_>) = all.iter().partition(|it| it["allowed"] == true);
    html! {
        section id="actions" {
            h2 { (words.say("actions")) }
            @if allowed.is_empty() { p { (words.say("none")) } }
            @for it in &allowed { (offer(visit, order, it)) }
            details {
                summary { (words.say("not-now")) }
                ul { @for it in &refused { li { strong { (words.act(&text(&it["act"]))) } ": " (refused_act(visit, it)) } } }
            }
        }
    }
}

/// An act that is possible: what it does, and the form that does it.
pub(crate) fn offer(visit: &Visit, order: &Value, it: &Value) -> Markup {
    html! {
        div.card {
            h3 { (visit.words.act(&text(&it["act"]))) }
            p.quiet { (foretold::will(&visit.words, &order["state"], it)) }
            @if may_act(visit) { (form(visit, order, it)) } @else { p { (visit.words.say("forbidden")) } }
        }
    }
}

/// The form of an act, with the fields that it needs. It is done only to the order that was looked at: what was said of its units, its day, its
/// money and its tickets holds for no other.
fn form(visit: &Visit, order: &Value, it: &Value) -> Markup {
    let words = &visit.words;
    let (name, call) = (text(&it["act"]), text(&it["call"]));
    let id = match name.as_str() {
        "approve" => Some("refund-approve"),
        "reject" => Some("refund-reject"),
        _ => None,
    };
    let fields = match name.as_str() {
        // What a channel keeps by its own terms may be lowered.
        "cancel" if it["money"] == "expected" => html! { (reason(visit)) (fee(visit, &it["currency"], false)) },
        "decline" | "cancel" | "reject" => reason(visit),
        "return-payment" => {
            html! { (reason(visit)) (amount("amount", words.say_with("amount-in", &in_units(&it["currency"])), &it["currency"], false)) }
        }
        "payment-links" => {
            amount("amount", words.say_with("amount-in", &in_units(&it["currency"])), &it["currency"], false)
        }
        "approve" if it["needs"] == "without_backend" => html! {
            label { input type="checkbox" name="without_backend" required; " " (words.say("void-at-the-gate")) }
        },
        "approve" => fee(visit, &it["currency"], it["needs"] == "fee"),
        "tickets" => html! { label { (words.say("codes-lines")) textarea name="tickets" rows="3" required {} } },
        _ => html! {},
    };
    let seen = order["version"].as_u64();
    let fields = html! {
        @if let Some(version) = seen { input type="hidden" name="expected_version" value=(version); }
        (fields)
    };
    act(visit, id, &call, &words.act(&name), &fields)
}

/// Everything that happened, oldest first: what was decided and why, and each message in and out.
fn timeline(visit: &Visit, events: &Value, calls: &Value) -> Markup {
    let words = &visit.words;
    let mut all: Vec<(&Value, bool)> = entries(events).iter().map(|event| (event, true)).collect();
    all.extend(entries(calls).iter().map(|call| (call, false)));
    // The times have one zone and one form: their text sorts as they do.
    all.sort_by(|a, b| a.0["at"].as_str().cmp(&b.0["at"].as_str()).then(a.0["seq"].as_i64().cmp(&b.0["seq"].as_i64())));
    let days: Vec<String> = all.iter().map(|(it, _)| day(&it["at"])).collect();
    let begins = |at: usize| at == 0 || days[at - 1] != days[at];
    html! {
        section {
            h2 { (words.say("timeline")) }
            ol.time id="order-timeline" {
                @for (at, (it, is_event)) in all.iter().enumerate() {
                    @if begins(at) { li.day { (days[at]) } }
                    @if *is_event { (event(visit, it)) } @else { (call(visit, it)) }
                }
            }
        }
    }
}

fn when(it: &Value) -> Markup {
    html! { time datetime=(text(&it["at"])) { (clock(&it["at"])) } }
}

/// Who did it: the channel, the back-end or the person by name; the rule and the clock have none.
fn by(visit: &Visit, actor: &Value) -> String {
    let (kind, name) = (text(&actor["kind"]), text(&actor["name"]));
    match kind.as_str() {
        "policy" | "timer" => visit.words.word(&kind),
        _ => format!("{} {name}", visit.words.word(&kind)),
    }
}

fn event(visit: &Visit, it: &Value) -> Markup {
    let words = &visit.words;
    html! {
        li.act {
            (when(it))
            div {
                p { strong { (words.event(&text(&it["kind"]))) } " " small { (words.say("actor")) ": " (by(visit, &it["actor"])) } }
                @if !it["reason"].is_null() { p { (words.reason(&text(&it["reason"]))) } }
            }
        }
    }
}

fn call(visit: &Visit, it: &Value) -> Markup {
    let words = &visit.words;
    let (id, summary) = (text(&it["id"]), text(&it["summary"]));
    let attempt = it["attempt"].as_i64().unwrap_or(1);
    let line = html! {
        @if it["direction"] == "in" { (words.say("direction-in")) } @else { (words.say("direction-out")) }
        " " code { (text(&it["partner"])) } " " (words.call(&text(&it["call"]))) " → " (words.verdict(&text(&it["verdict"])))
        " " (text(&it["status"]))
        small { " " (text(&it["duration_ms"])) " ms" @if attempt > 1 { " · " (words.say("attempts")) " " (attempt) } }
    };
    html! {
        li id=(id) {
            (when(it))
            div {
                details open[visit.query.text(SAID) == id] {
                    summary { (line) }
                    @if !summary.is_empty() { p { code { (summary) } } }
                    @if it["said"].is_object() { (texts(visit, &it["said"])) }
                    @else { p { a href=(format!("?{}#{id}", visit.query.with(SAID, &id))) { (words.say("call-texts")) } } }
                }
            }
        }
    }
}

/// What was asked and answered in a call.
fn texts(visit: &Visit, said: &Value) -> Markup {
    let words = &visit.words;
    html! {
        @if said["asked"].is_null() && said["answered"].is_null() { p { (words.say("call-texts-not-kept")) } }
        @else {
            @if said["masked"] == true { p.quiet { (words.say("call-texts-masked")) } }
            h3 { (words.say("message-asked")) }
            @if !said["to"].is_null() { p { code { (text(&said["to"])) } } }
            (super::inbox::written(&said["asked"], "—", &words.say("message-asked")))
            h3 { (words.say("message-answered")) }
            (super::inbox::written(&said["answered"], "—", &words.say("message-answered")))
        }
    }
}
