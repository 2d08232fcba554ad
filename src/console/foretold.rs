// SPDX-License-Identifier: Apache-2.0

//! What `GET orders/{id}/next-steps` foretells, in words: for the page of an order, and for a shell.

use serde_json::Value;

use crate::console::catalogue::{Language, Words};
use crate::console::format::{money, text, time};

/// What comes of an act. `state` is where the sale stands now: what stays as it is needs no word.
pub(crate) fn will(words: &Words, state: &Value, it: &Value) -> String {
    let mut said = Vec::new();
    // Who gives tickets himself wants none of those that were asked for.
    match (it["voids_tickets"] == true, it["act"] == "tickets") {
        (true, true) => said.push(words.say("will-take-back")),
        (true, false) => said.push(words.say("will-void")),
        (false, _) if is_of_money(it) => said.push(words.say("will-void-none")),
        (false, _) => {}
    }
    if it["asks_for_tickets"] == true {
        said.push(words.say("will-ask-tickets"));
    }
    if it["tells_channel"] == true {
        said.push(words.say("will-tell"));
    }
    if it["by_hand"] == true {
        said.push(words.say("will-by-hand"));
    }
    said.extend(money_moves(words, it));
    if it["state"] != *state && !it["state"].is_null() {
        said.push(words.say_with("will-state", &[("state", words.word(&text(&it["state"])))]));
    }
    if !it["act"].is_null() && !it["attention"].is_null() {
        said.push(words.say_with("will-need", &[("what", words.attention(&text(&it["attention"])))]));
    }
    said.join(" ")
}

/// Whether an act is one of which people expect that money or tickets hang on it.
fn is_of_money(it: &Value) -> bool {
    matches!(it["act"].as_str(), Some("approve" | "reject" | "cancel" | "decline"))
}

/// What becomes of the guest's money.
fn money_moves(words: &Words, it: &Value) -> Option<String> {
    let in_money = |name: &str| money(&it[name], &it["currency"]);
    let with = [("amount", in_money("returns")), ("fee", in_money("fee")), ("held", in_money("held"))];
    match it["money"].as_str() {
        Some("known") => Some(words.say_with("will-return", &with)),
        Some("expected") => Some(words.say_with("will-return-expected", &with)),
        Some("named") => Some(words.say_with("will-return-named", &with)),
        Some("channel") => Some(words.say_with("will-return-channel", &with)),
        Some(_) | None => {
            let has_money = it["held"].as_i64().is_some_and(|held| held > 0);
            (has_money && is_of_money(it)).then(|| words.say("will-return-nothing"))
        }
    }
}

/// What comes of a deadline when it passes and nobody has done anything, and what the channel is answered until then; nothing of one that
/// has passed.
pub(crate) fn then(words: &Words, state: &Value, row: &Value) -> Option<String> {
    let then = &row["then"];
    if row["passed"] == true {
        return None;
    }
    if then.is_null() {
        return Some(words.say("next-then-nothing"));
    }
    let mut said = vec![words.say("next-then")];
    if !then["attention"].is_null() {
        said.push(format!("{}.", words.attention(&text(&then["attention"]))));
    }
    let comes = will(words, state, then);
    let kind = text(&row["kind"]);
    // A hold that runs out frees the place: that is all of it.
    let is_whole = kind == "acceptance" && !comes.is_empty();
    said.extend(Some(comes).filter(|comes| !comes.is_empty()));
    if !is_whole {
        said.push(words.passes(&kind));
    }
    Some(said.join(" "))
}

/// A delivery that is to be made, or was not made.
pub(crate) fn delivery(words: &Words, job: &Value) -> String {
    let attempt = job["attempts"].as_i64().unwrap_or_default() + 1;
    let with = [
        ("to", text(&job["destination"])),
        ("call", words.call(&text(&job["call"]))),
        ("attempt", attempt.to_string()),
    ];
    match job["state"] == "dead" {
        true => words.say_with("next-dead", &with),
        false => words.say_with("next-delivery", &with),
    }
}

/// How long a deadline has left, or for how long it has passed.
pub(crate) fn left(words: &Words, row: &Value) -> String {
    let left = row["time_left_s"].as_i64().unwrap_or_default();
    match row["passed"] == true {
        true => words.say_with("passed-ago", &[("time", words.length(left.abs()))]),
        false => words.length(left),
    }
}

/// All of it for a shell: what happens by itself, which commands do something and what, and why the others do not.
pub(crate) fn in_lines(words: &Words, next: &Value) -> String {
    let list = |name: &str| next[name].as_array().cloned().unwrap_or_default();
    let (deliveries, deadlines, waits) = (list("deliveries"), list("deadlines"), list("waits"));
    let mut lines = vec![words.say("next")];
    if deliveries.is_empty() && deadlines.is_empty() && waits.is_empty() {
        lines.push(format!("  {}", words.say("next-nothing")));
    }
    for job in &deliveries {
        let at = if job["state"] == "dead" { String::new() } else { format!(" — {}", time(&job["next_attempt_at"])) };
        let error = Some(text(&job["last_error"])).filter(|error| !error.is_empty());
        lines.push(format!("  {}{at}", delivery(words, job)));
        lines.extend(error.map(|error| format!("    {error}")));
    }
    for row in &deadlines {
        let kind = words.word(&text(&row["kind"]));
        lines.push(format!("  {kind}: {} ({})", time(&row["due_at"]), left(words, row)));
        lines.extend(then(words, &next["state"], row).map(|then| format!("    {then}")));
    }
    lines.extend(waits.iter().map(|word| format!("  {}", words.waits(&text(word)))));
    let (allowed, refused): (Vec<Value>, Vec<Value>) =
        list("actions").into_iter().partition(|it| it["allowed"] == true);
    lines.extend([String::new(), words.say("actions")]);
    if allowed.is_empty() {
        lines.push(format!("  {}", words.say("none")));
    }
    for it in &allowed {
        lines.push(format!("  {}: {}", words.act(&text(&it["act"])), command(it)));
        lines.extend(
            Some(will(words, &next["state"], it)).filter(|will| !will.is_empty()).map(|will| format!("    {will}")),
        );
    }
    lines.extend([String::new(), words.say("not-now")]);
    lines.extend(refused.iter().map(|it| format!("  {}: {}", words.act(&text(&it["act"])), why_not(words, it))));
    lines.join("\n") + "\n"
}

/// Why an act is refused: in the language where there is a sentence for it, and in English as the interface says it.
fn why_not(words: &Words, it: &Value) -> String {
    let detail = text(&it["sentence"]);
    match words.problem(&text(&it["code"])).filter(|_| words.language() != Language::En) {
        Some(sentence) if detail.is_empty() => sentence,
        Some(sentence) => format!("{sentence} ({detail})"),
        None => detail,
    }
}

/// The command that does an act, with what it needs.
fn command(it: &Value) -> String {
    let call = text(&it["call"]);
    let steps: Vec<&str> = call.split('/').filter(|step| !step.is_empty()).collect();
    let (of, id) = (steps.first().copied().unwrap_or_default(), steps.get(1).copied().unwrap_or_default());
    let needs = match it["needs"].as_str() {
        Some("fee") => " --fee AMOUNT",
        Some("without_backend") => " --without-backend",
        Some(_) | None => "",
    };
    let words = match text(&it["act"]).as_str() {
        "tickets" => format!("tickets issue {id} CODE"),
        "payment-links" => format!("{of} payment-links send {id}"),
        "payment-links/revoke" => format!("{of} payment-links revoke {id}"),
        act @ ("decline" | "cancel" | "return-payment" | "reject") => format!("{of} {act} {id} --reason TEXT"),
        act => format!("{of} {act} {id}{needs}"),
    };
    format!("ticketbridge {words}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn waiting() -> Value {
        json!({
            "order_id": "ord_1", "state": "placed", "deliveries": [], "waits": ["acceptance"],
            "deadlines": [{ "kind": "acceptance", "due_at": "2026-12-02T10:00:00+09:00", "time_left_s": 7_260, "passed": false,
                "then": { "state": "placed", "attention": null, "voids_tickets": false, "tells_channel": false } }],
            "actions": [
                { "act": "confirm", "call": "/orders/ord_1/confirm", "allowed": true, "asks_for_tickets": true, "state": "booked" },
                { "act": "decline", "call": "/orders/ord_1/decline", "allowed": true, "tells_channel": true, "state": "cancelled" },
                { "act": "redeem", "call": "/orders/ord_1/redeem", "allowed": false, "code": "wrong_state", "sentence": "not booked yet" },
            ],
        })
    }

    #[test]
    fn a_shell_is_told_what_happens_and_which_command_does_what() {
        let said = in_lines(&Words::of(Language::En), &waiting());
        for expected in [
            "acceptance: 2026-12-02 10:00 +09:00 (2 h 1 min)",
            "then: The booking stays open",
            "Accept the booking: ticketbridge orders confirm ord_1\n    The ticketing system is asked for the tickets",
            "Decline the booking: ticketbridge orders decline ord_1 --reason TEXT",
            "Mark as used: not booked yet",
        ] {
            assert!(said.contains(expected), "{expected}\n{said}");
        }
        for language in Language::ALL {
            let said = in_lines(&Words::of(language), &waiting());
            assert!(said.lines().count() < 20 && !said.contains("actions."), "{said}");
        }
    }

    #[test]
    fn every_deadline_says_what_comes_of_it() {
        for kind in ticketbridge_core::message::DeadlineKind::ALL {
            let row = json!({ "kind": kind.name(), "passed": false, "then": { "state": "booked", "attention": null } });
            for language in Language::ALL {
                let words = Words::of(language);
                let said = then(&words, &json!("booked"), &row).expect("a sentence");
                assert!(
                    said.chars().count() > words.say("next-then").chars().count() + 5,
                    "{language:?} {kind:?}: {said}"
                );
            }
        }
    }
}
