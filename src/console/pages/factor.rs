// SPDX-License-Identifier: Apache-2.0

//! `/console/factor`: the second factor of a session.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::form::{back, link};
use crate::console::format::text;
use crate::console::passkey::{self, Use};
use crate::console::{Page, Visit};

/// The form, which leads back to where it was wanted.
pub(crate) fn form(visit: &Visit, to: &str) -> Markup {
    let words = &visit.words;
    if visit.holder.signed().is_some_and(|signed| !signed.has_factor) {
        return html! {
            p { (words.say("factor-none")) " " a href=(link("account")) { (words.say("factor-begin")) } }
        };
    }
    let has_passkey = visit.holder.signed().is_some_and(|signed| signed.has_passkey);
    html! {
        @if has_passkey {
            (passkey::form(visit, "factor-passkey", &Use::Get, ("factor/passkey", "/session/factor/options"), &words.say("factor-passkey"),
                &html! { input type="hidden" name="back" value=(to); }))
        }
        form id="factor" method="post" action=(link("factor")) {
            input type="hidden" name="back" value=(to);
            p { (words.say("factor-ask")) }
            p { label { (words.say("code")) input name="code" required autocomplete="one-time-code" inputmode="text"; } }
            p { button type="submit" { (words.say("factor")) } }
        }
    }
}

/// Recovery codes, which are shown this once.
pub(crate) fn recovery(visit: &Visit, codes: &[Value]) -> Page {
    let words = &visit.words;
    let body = html! {
        h2 { (words.say("recovery-codes")) }
        p { (words.say("recovery-keep")) }
        ul id="recovery-codes" { @for code in codes { li { code { (text(code)) } } } }
        p { a href=(link("")) { (words.say("today")) } }
    };
    Page::of("factor", body)
}

/// The page.
pub(crate) fn show(visit: &Visit) -> Page {
    let to = back(visit.query.text("back"));
    let body = html! { (form(visit, &to)) p { a href=(to) { (visit.words.say("back")) } } };
    Page::of("factor", body)
}
