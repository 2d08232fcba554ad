// SPDX-License-Identifier: Apache-2.0

//! `/console/sign-in`.

use http::Method;
use maud::{Markup, html};
use serde_json::json;

use crate::console::entrance::{links, refused};
use crate::console::form::back;
use crate::console::layout::link;
use crate::console::passkey::{self, Use};
use crate::console::{Page, Said, Stop, Visit};

pub(crate) fn form(visit: &Visit) -> Markup {
    let words = &visit.words;
    let to = visit.query.get("back").or(visit.form.get("back")).unwrap_or_default();
    html! {
        form id="sign-in" method="post" action=(link("sign-in")) {
            input type="hidden" name="back" value=(back(to));
            p { label { (words.say("email")) input name="email" type="email" required autocomplete="username"; } }
            p { label { (words.say("password")) input name="password" type="password" required autocomplete="current-password"; } }
            p { button type="submit" { (words.say("sign-in")) } }
        }
        (passkey::form(visit, "passkey-sign-in", &Use::Get, ("sign-in/passkey", "/session/passkey/options"), &words.say("passkey-sign-in"),
            &html! { input type="hidden" name="back" value=(back(to)); }))
        (links(visit, &back(to), None))
        p { a href=(link("sign-up")) { (words.say("no-account")) } }
    }
}

/// The form.
pub(crate) fn show(visit: &Visit) -> Said {
    Said::Page(Page::of("sign-in", form(visit)))
}

/// Signs in; who has a second factor is asked for it next.
pub(crate) async fn sign_in(visit: &Visit) -> Result<Said, Stop> {
    let body = json!({ "email": visit.form.text("email"), "password": visit.form.text("password") });
    match visit.call(Method::POST, "/session", &body).await {
        Ok(said) => {
            let to = back(visit.form.text("back"));
            let to = match said.body["has_factor"].as_bool() {
                Some(true) => format!("{}?back={}", link("factor"), crate::console::form::encode(&to)),
                Some(false) | None => to,
            };
            Ok(Said::Go(to, said.cookie))
        }
        Err(stop) => Ok(refused(visit, "sign-in", &stop, &form(visit))),
    }
}
