// SPDX-License-Identifier: Apache-2.0

//! `/console/with/{provider}`: signing in and signing up with a provider.

use http::{HeaderValue, StatusCode};
use maud::{Markup, html};

use crate::accounts::Refused;
use crate::accounts::oidc::Back;
use crate::accounts::people::Applicant;
use crate::accounts::provider::Identity;
use crate::console::entrance::{self, field};
use crate::console::form::back;
use crate::console::layout::{done, link};
use crate::console::{Page, Said, Stop, Visit};
use crate::http::ops;
use crate::http::problem::Problem;

/// The cookie of a beginning, or of what was proven; it is kept for as long as that lasts.
pub(crate) const COOKIE: &str = "ticketbridge_provider";

fn stop(refused: Refused) -> Stop {
    let problem = Problem::from(refused);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    Stop { status, problem: serde_json::to_value(&problem).unwrap_or_default() }
}

/// The header that keeps something for a while. It comes back with a request that another site leads here (`Lax`), as a provider does.
fn kept(visit: &Visit, value: &str) -> Option<HeaderValue> {
    let secure =
        if visit.shared.engine.running().config.server.public_url.starts_with("https://") { "; Secure" } else { "" };
    let age = if value.is_empty() { 0 } else { 15 * 60 };
    HeaderValue::from_str(&format!("{COOKIE}={value}; Path=/console; HttpOnly; SameSite=Lax; Max-Age={age}{secure}"))
        .ok()
}

/// Leads to the provider.
pub(crate) async fn go(visit: &Visit, id: &str) -> Result<Said, Stop> {
    let to = back(visit.query.text("back"));
    let invitation = visit.query.get("invitation").map(str::to_owned);
    let transport = visit.shared.worker.transport().clone();
    let sent = visit.shared.accounts.go_to_provider(transport, id, &to, invitation).await.map_err(stop)?;
    Ok(Said::Go(sent.to, kept(visit, &sent.cookie)))
}

/// Takes whoever comes back from there.
pub(crate) async fn come_back(visit: &Visit, id: &str) -> Result<Said, Stop> {
    let cookie = visit.cookie(COOKIE).unwrap_or_default();
    let (code, state) = (visit.query.text("code"), visit.query.text("state"));
    let transport = visit.shared.worker.transport().clone();
    let came = visit.shared.accounts.back_from_provider(transport, id, (code, state), &cookie, &visit.from).await;
    match came.map_err(stop)? {
        Back::SignedIn(begun, to) => {
            let has_factor = begun.holder.signed().is_some_and(|signed| signed.has_factor);
            let to = match has_factor {
                true => format!("{}?back={}", link("factor"), crate::console::form::encode(&back(&to))),
                false => back(&to),
            };
            Ok(Said::Go(to, ops::session_cookie(begun.token, &visit.shared.engine.running().config)))
        }
        Back::Unknown(identity, sealed, invitation) => {
            let page = Page::of("sign-up", form(visit, id, &identity, invitation.as_deref()));
            Ok(Said::page_with(page, kept(visit, &sealed)))
        }
    }
}

/// What is still to be said by somebody whom the provider has proven.
fn form(visit: &Visit, id: &str, identity: &Identity, invitation: Option<&str>) -> Markup {
    let words = &visit.words;
    let name = if visit.form.text("name").is_empty() {
        identity.name.as_deref().unwrap_or_default()
    } else {
        visit.form.text("name")
    };
    html! {
        form.narrow id="sign-up" method="post" action={ (link("with")) "/" (id) } {
            p { label { (words.say("name")) input name="name" value=(name) required autocomplete="name"; } }
            @match invitation {
                Some(token) => { input type="hidden" name="invitation" value=(token); }
                None => {
                    @match &identity.email {
                        Some(email) => { p { (words.say("email")) ": " strong { (email) } } }
                        None => { (field(visit, "email", &words.say("email"), "email", "username")) }
                    }
                    (field(visit, "agency_code", &words.say("agency-code"), "text", "off"))
                }
            }
            (field(visit, "mobile", &words.say("mobile"), "tel", "tel"))
            (field(visit, "direct", &words.say("direct"), "tel", "off"))
            p { button.main type="submit" { (words.say("sign-up")) } }
        }
    }
}

/// Signs up, or accepts the invitation.
pub(crate) async fn sign_up(visit: &Visit, id: &str) -> Result<Said, Stop> {
    let accounts = &visit.shared.accounts;
    let identity = accounts.kept_identity(&visit.cookie(COOKIE).unwrap_or_default()).map_err(stop)?;
    if identity.provider != id {
        return Err(stop(Refused::NotFound("provider")));
    }
    let sent = &visit.form;
    let applicant = Applicant {
        name: sent.text("name").to_owned(),
        email: identity.email.clone().unwrap_or_else(|| sent.text("email").to_owned()),
        mobile: sent.text("mobile").to_owned(),
        direct: sent.text("direct").to_owned(),
        password: String::new(),
    };
    let invitation = sent.get("invitation");
    let refused =
        |refused: Refused| entrance::refused(visit, "sign-up", &stop(refused), &form(visit, id, &identity, invitation));
    if let Some(token) = invitation {
        return Ok(match accounts.accept_with(identity.clone(), token, applicant, &visit.from).await {
            Ok(begun) => {
                Said::Go(link("account"), ops::session_cookie(begun.token, &visit.shared.engine.running().config))
            }
            Err(why) => refused(why),
        });
    }
    match accounts.sign_up_with(identity.clone(), &applicant, sent.text("agency_code"), &visit.from).await {
        Ok(()) => {
            let body = html! {
                (done(visit))
                p { (visit.words.say("signed-up")) }
                p { a href=(link("sign-in")) { (visit.words.say("sign-in")) } }
            };
            let page = Page::of("sign-up", body);
            Ok(Said::page_with(page, kept(visit, "")))
        }
        Err(why) => Ok(refused(why)),
    }
}
