// SPDX-License-Identifier: Apache-2.0

//! `/console/sign-up`.

use http::Method;
use maud::{Markup, html};
use serde_json::json;

use crate::console::entrance::{field, links, refused};
use crate::console::layout::{done, link};
use crate::console::{Page, Said, Stop, Visit};

fn form(visit: &Visit) -> Markup {
    let words = &visit.words;
    html! {
        (links(visit, &link(""), None))
        form id="sign-up" method="post" action=(link("sign-up")) {
            (field(visit, "name", &words.say("name"), "text", "name"))
            (field(visit, "email", &words.say("email"), "email", "username"))
            (field(visit, "agency_code", &words.say("agency-code"), "text", "off"))
            (field(visit, "mobile", &words.say("mobile"), "tel", "tel"))
            (field(visit, "direct", &words.say("direct"), "tel", "off"))
            (field(visit, "password", &words.say("password"), "password", "new-password"))
            p.quiet { (words.say("password-rule")) }
            p { button type="submit" { (words.say("sign-up")) } }
        }
    }
}

/// The form.
pub(crate) fn show(visit: &Visit) -> Said {
    Said::Page(Page::of("sign-up", form(visit)))
}

/// Signs up.
pub(crate) async fn sign_up(visit: &Visit) -> Result<Said, Stop> {
    let sent = &visit.form;
    let body = json!({
        "name": sent.text("name"), "email": sent.text("email"), "agency_code": sent.text("agency_code"),
        "mobile": sent.text("mobile"), "direct": sent.text("direct"), "password": sent.text("password"),
    });
    match visit.call(Method::POST, "/sign-up", &body).await {
        Ok(_) => {
            let body = html! {
                (done(visit))
                p { (visit.words.say("signed-up")) }
                p { a href=(link("sign-in")) { (visit.words.say("sign-in")) } }
            };
            Ok(Said::Page(Page::of("sign-up", body)))
        }
        Err(stop) => Ok(refused(visit, "sign-up", &stop, &form(visit))),
    }
}
