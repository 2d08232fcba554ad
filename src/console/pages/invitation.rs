// SPDX-License-Identifier: Apache-2.0

//! `/console/invitations/{token}`: the page behind an invitation's link.

use http::{Method, StatusCode};
use maud::{Markup, html};
use serde_json::json;

use crate::console::entrance::{chosen_language, field, keep_language, links, refused};
use crate::console::layout::link;
use crate::console::{Page, Said, Stop, Visit};
use crate::http::problem::Problem;

fn form(visit: &Visit, token: &str, email: &str, role: &str) -> Markup {
    let words = &visit.words;
    let language = chosen_language(visit).map(|word| format!("?lang={word}")).unwrap_or_default();
    html! {
        p { (words.say_with("invited-as", &[("email", email.to_owned()), ("role", words.word(role))])) }
        (links(visit, &link(""), Some(token)))
        form id="accept" method="post" action={ (link(&format!("invitations/{token}"))) (language) } {
            (field(visit, "name", &words.say("name"), "text", "name"))
            (field(visit, "mobile", &words.say("mobile"), "tel", "tel"))
            (field(visit, "direct", &words.say("direct"), "tel", "off"))
            (field(visit, "password", &words.say("password"), "password", "new-password"))
            p.quiet { (words.say("password-rule")) }
            p { button type="submit" { (words.say("accept")) } }
        }
    }
}

async fn pending(visit: &Visit, token: &str) -> Result<ticketbridge_store::InvitationRow, Stop> {
    let found = visit.shared.accounts.pending_invitation(token).await;
    found.map_err(|refused| {
        let problem = Problem::from(refused);
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::NOT_FOUND);
        Stop { status, problem: serde_json::to_value(&problem).unwrap_or_default() }
    })
}

/// What the invitation is to, and the form that accepts it.
pub(crate) async fn show(visit: &Visit, token: &str) -> Result<Said, Stop> {
    let invitation = pending(visit, token).await?;
    Ok(Said::Page(Page::of("accept", form(visit, token, &invitation.email, &invitation.role))))
}

/// Accepts it: the account is made, and signed in.
pub(crate) async fn accept(visit: &Visit, token: &str) -> Result<Said, Stop> {
    let invitation = pending(visit, token).await?;
    let sent = &visit.form;
    let body = json!({
        "name": sent.text("name"), "mobile": sent.text("mobile"), "direct": sent.text("direct"), "password": sent.text("password"),
    });
    match visit.call(Method::POST, &format!("/invitations/{token}/accept"), &body).await {
        // The next thing is a second factor.
        Ok(said) => {
            keep_language(visit, said.body["account"].as_str().unwrap_or_default()).await;
            Ok(Said::Go(link("account"), said.cookie))
        }
        Err(stop) => {
            let form = form(visit, token, &invitation.email, &invitation.role);
            Ok(refused(visit, "accept", &stop, &form))
        }
    }
}
