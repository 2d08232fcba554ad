// SPDX-License-Identifier: Apache-2.0

//! `/console/factor`: the second factor of a session.

use maud::{Markup, html};

use crate::console::form::{back, link};
use crate::console::{Page, Visit};

/// The form, which leads back to where it was wanted.
pub(crate) fn form(visit: &Visit, to: &str) -> Markup {
    let words = &visit.words;
    if visit.holder.signed().is_some_and(|signed| !signed.has_factor) {
        return html! {
            p { (words.say("factor-none")) " " a href=(link("account")) { (words.say("factor-begin")) } }
        };
    }
    html! {
        form id="factor" method="post" action=(link("factor")) {
            input type="hidden" name="back" value=(to);
            p { (words.say("factor-ask")) }
            p { label { (words.say("code")) input name="code" required autocomplete="one-time-code" inputmode="text"; } }
            p { button type="submit" { (words.say("factor")) } }
        }
    }
}

/// The page.
pub(crate) fn show(visit: &Visit) -> Page {
    let to = back(visit.query.text("back"));
    let body = html! { (form(visit, &to)) p { a href=(to) { (visit.words.say("back")) } } };
    Page { title: "factor", body }
}
