// SPDX-License-Identifier: Apache-2.0

//! `/console/reset/{token}`: another password, by the link that an administrator has made.

use http::{Method, StatusCode};
use maud::{Markup, html};
use serde_json::json;

use crate::console::entrance::{field, refused};
use crate::console::layout::link;
use crate::console::{Page, Said, Stop, Visit};
use crate::http::problem::Problem;

fn form(visit: &Visit, token: &str, email: &str) -> Markup {
    let words = &visit.words;
    html! {
        p { (email) }
        form.narrow id="reset" method="post" action=(link(&format!("reset/{token}"))) {
            (field(visit, "password", &words.say("password-new"), "password", "new-password"))
            p.quiet { (words.say("password-rule")) }
            p { button.main type="submit" { (words.say("save")) } }
        }
    }
}

async fn email_of(visit: &Visit, token: &str) -> Result<String, Stop> {
    visit.shared.accounts.reset_email(token).await.map_err(|refused| {
        let problem = Problem::from(refused);
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::NOT_FOUND);
        Stop { status, problem: serde_json::to_value(&problem).unwrap_or_default() }
    })
}

/// Whose password, and the form that takes another.
pub(crate) async fn show(visit: &Visit, token: &str) -> Result<Said, Stop> {
    let email = email_of(visit, token).await?;
    Ok(Said::Page(Page::of("password-change", form(visit, token, &email))))
}

/// Takes it; whoever has the link signs in with it next.
pub(crate) async fn take(visit: &Visit, token: &str) -> Result<Said, Stop> {
    let email = email_of(visit, token).await?;
    let body = json!({ "password": visit.form.text("password") });
    match visit.call(Method::POST, &format!("/password-resets/{token}"), &body).await {
        Ok(_) => Ok(Said::Go(link("sign-in"), None)),
        Err(stop) => Ok(refused(visit, "password-change", &stop, &form(visit, token, &email))),
    }
}
