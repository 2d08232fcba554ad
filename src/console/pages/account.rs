// SPDX-License-Identifier: Apache-2.0

//! `/console/account`: one's own second factor, sessions and language.

use http::Method;
use maud::{Markup, html};
use serde_json::json;

use crate::config::SecondFactor;
use crate::console::catalogue::Language;
use crate::console::format::{text, time};
use crate::console::layout::{act, entries, link, scope, table};
use crate::console::{Page, Said, Stop, Visit, qr};

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let session = visit.ask("/session").await?;
    let sessions = visit.ask("/sessions").await?;
    let passkeys = super::passkeys::own(visit).await?;
    let rows: Vec<Markup> = entries(&sessions)
        .iter()
        .map(|row| {
            let end = link(&format!("sessions/{}/end", text(&row["id"])));
            html! {
                tr {
                    td { (time(&row["created_at"])) @if row["is_this"] == true { " (" (words.say("this-session")) ")" } }
                    td { (time(&row["seen_at"])) }
                    td { (text(&row["address"])) }
                    td { (text(&row["agent"])) }
                    td {
                        form method="post" action=(end) {
                            input type="hidden" name="back" value=(link("account"));
                            button type="submit" { (words.say("end-session")) }
                        }
                    }
                }
            }
        })
        .collect();
    let language = html! {
        label {
            (words.say("language"))
            select name="language" {
                @for language in Language::ALL {
                    option value=(language.word()) selected[language == words.language()] { (language.name()) }
                }
            }
        }
    };
    let body = html! {
        dl {
            dt { (words.say("name")) } dd { (text(&session["name"])) }
            dt { (words.say("email")) } dd { (text(&session["email"])) }
            dt { (words.say("role")) } dd { (words.word(&text(&session["role"]))) }
            dt { (words.say("scope")) } dd { (scope(visit, &session["scope"])) }
        }
        h2 { (words.say("factor")) }
        (factor(visit))
        h3 { (words.say("passkeys")) }
        (passkeys)
        h2 { (words.say("language")) }
        (act(visit, None, "/account", &words.say("save"), &language))
        h2 { (words.say("numbers")) }
        (act(visit, None, "/account", &words.say("save"), &numbers(visit)))
        @if session["sign_in"] == "password" {
            h2 { (words.say("password-change")) }
            (act(visit, None, "/account/password", &words.say("save"), &passwords(visit)))
        }
        h2 { (words.say("sessions")) }
        (table(visit, Some("sessions"), &["since", "seen", "address", "detail", ""], &rows))
    };
    Ok(Page::of("account", body))
}

/// What is left empty stays as it is.
fn numbers(visit: &Visit) -> Markup {
    html! {
        label { (visit.words.say("mobile")) input name="mobile" type="tel" autocomplete="tel"; }
        label { (visit.words.say("direct")) input name="direct" type="tel" autocomplete="off"; }
    }
}

fn passwords(visit: &Visit) -> Markup {
    html! {
        label { (visit.words.say("password-current")) input name="current" type="password" required autocomplete="current-password"; }
        label { (visit.words.say("password-new")) input name="password" type="password" required minlength="10" autocomplete="new-password"; }
    }
}

fn factor(visit: &Visit) -> Markup {
    let words = &visit.words;
    let Some(signed) = visit.holder.signed() else { return html! {} };
    let without = match visit.shared.engine.running().config.console.second_factor {
        SecondFactor::Required => "factor-open",
        SecondFactor::Optional => "factor-optional",
    };
    html! {
        @match (signed.has_factor, signed.factor_at) {
            (true, Some(_)) => { p.card.ok { (words.say("factor-passed")) } }
            (true, None) => {
                p.card.warn { (words.say("factor-open")) }
                (super::factor::form(visit, &link("account")))
            }
            (false, _) => { p.card.warn { (words.say("factor-none")) " " (words.say(without)) } }
        }
        form method="post" action=(link("account/totp")) { button type="submit" { (words.say("factor-begin")) } }
    }
}

/// Makes a secret, and asks for a code of it.
pub(crate) async fn begin_totp(visit: &Visit) -> Result<Said, Stop> {
    let words = &visit.words;
    let begun = visit.call(Method::POST, "/account/totp", &json!({})).await?.body;
    let body = html! {
        p { (words.say("factor-secret")) }
        @if let Some(drawn) = qr::drawn(&text(&begun["otpauth_uri"]), &words.say("factor-picture")) { (drawn) }
        p { code id="totp-secret" { (text(&begun["secret"])) } }
        p.quiet { a href=(text(&begun["otpauth_uri"])) { code { (text(&begun["otpauth_uri"])) } } }
        form method="post" action=(link("account/totp/confirm")) {
            p { label { (words.say("code")) input name="code" required autocomplete="one-time-code" inputmode="numeric"; } }
            p { button type="submit" { (words.say("save")) } }
        }
    };
    Ok(Said::Page(Page::of("factor", body)))
}

/// Confirms it, and shows the recovery codes once.
pub(crate) async fn confirm_totp(visit: &Visit) -> Result<Said, Stop> {
    let said = visit.call(Method::POST, "/account/totp/confirm", &json!({ "code": visit.form.text("code") })).await?;
    let codes = said.body["recovery_codes"].as_array().cloned().unwrap_or_default();
    Ok(Said::page_with(super::factor::recovery(visit, &codes), said.cookie))
}
