// SPDX-License-Identifier: Apache-2.0

//! Passkeys: those of one's own, below *My account*, and what comes of showing one.

use http::Method;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::console::entrance::refused;
use crate::console::form::back;
use crate::console::format::{text, time};
use crate::console::layout::{entries, link, table};
use crate::console::passkey::{Use, domain, form};
use crate::console::{Said, Stop, Visit};

/// One's own, with what can be done with them.
pub(crate) async fn own(visit: &Visit) -> Result<Markup, Stop> {
    let words = &visit.words;
    let Some(domain) = domain(visit) else { return Ok(html! { p { (words.say("passkeys-off")) } }) };
    let passkeys = visit.ask("/account/passkeys").await?;
    let rows: Vec<Markup> = entries(&passkeys).iter().map(|passkey| row(visit, passkey)).collect();
    let fields = html! {
        p { label { (words.say("passkey-name")) input name="name" required maxlength="60" autocomplete="off"; } }
    };
    let options = ("account/passkeys", "/account/passkeys/options");
    Ok(html! {
        p.quiet { (words.say_with("passkeys-about", &[("domain", domain)])) }
        (table(visit, Some("passkeys"), &["passkey-name", "since", "seen", "detail", ""], &rows))
        (form(visit, "passkey-add", &Use::Create, options, &words.say("passkey-add"), &fields))
    })
}

fn row(visit: &Visit, passkey: &Value) -> Markup {
    let words = &visit.words;
    let at = |what: &str| link(&format!("account/passkeys/{}/{what}", text(&passkey["id"])));
    let transports: Vec<String> = passkey["transports"].as_array().into_iter().flatten().map(text).collect();
    html! {
        tr {
            td {
                form.row method="post" action=(at("rename")) {
                    label { (words.say("passkey-name")) input name="name" value=(text(&passkey["name"])) required maxlength="60" autocomplete="off"; }
                    button type="submit" { (words.say("save")) }
                }
            }
            td { (time(&passkey["created_at"])) }
            td { @if passkey["used_at"].is_null() { (words.say("never")) } @else { (time(&passkey["used_at"])) } }
            td {
                (text(&passkey["algorithm"]))
                @if !transports.is_empty() { ", " (transports.join(", ")) }
                @if passkey["is_synced"] == true { ", " (words.say("passkey-synced")) }
            }
            td { form method="post" action=(at("remove")) { button type="submit" { (words.say("passkey-remove")) } } }
        }
    }
}

/// What the browser has given; where it has given nothing, why: whatever it was refused to ask.
async fn given(visit: &Visit, options: &str) -> Result<Value, Stop> {
    if let Some(given) = visit.form.get("credential").and_then(|text| serde_json::from_str(text).ok()) {
        return Ok(given);
    }
    visit.call(Method::POST, options, &json!({})).await?;
    Ok(json!({}))
}

/// Adds one; with the first factor come recovery codes.
pub(crate) async fn add(visit: &Visit) -> Result<Said, Stop> {
    let attestation = given(visit, "/account/passkeys/options").await?;
    let body = json!({ "attestation": attestation, "name": visit.form.text("name") });
    let said = visit.call(Method::POST, "/account/passkeys", &body).await?;
    match said.body["recovery_codes"].as_array() {
        Some(codes) if !codes.is_empty() => Ok(Said::page_with(super::factor::recovery(visit, codes), said.cookie)),
        Some(_) | None => Ok(Said::Go(link("account"), said.cookie)),
    }
}

/// Calls one something else.
pub(crate) async fn rename(visit: &Visit, id: &str) -> Result<Said, Stop> {
    let body = json!({ "name": visit.form.text("name") });
    visit.call(Method::POST, &format!("/account/passkeys/{id}"), &body).await?;
    Ok(Said::Go(link("account"), None))
}

/// Removes one.
pub(crate) async fn remove(visit: &Visit, id: &str) -> Result<Said, Stop> {
    visit.call(Method::DELETE, &format!("/account/passkeys/{id}"), &json!({})).await?;
    Ok(Said::Go(link("account"), None))
}

/// Passes the second factor with one.
pub(crate) async fn factor(visit: &Visit) -> Result<Said, Stop> {
    let assertion = given(visit, "/session/factor/options").await?;
    let said = visit.call(Method::POST, "/session/factor", &json!({ "assertion": assertion })).await?;
    Ok(Said::Go(back(visit.form.text("back")), said.cookie))
}

/// Signs in with one. What is refused is said above the form for the password.
pub(crate) async fn sign_in(visit: &Visit) -> Result<Said, Stop> {
    let said = match given(visit, "/session/passkey/options").await {
        Ok(assertion) => visit.call(Method::POST, "/session/passkey", &json!({ "assertion": assertion })).await,
        Err(stop) => Err(stop),
    };
    match said {
        Ok(said) => Ok(Said::Go(back(visit.form.text("back")), said.cookie)),
        Err(stop) => Ok(refused(visit, "sign-in", &stop, &super::sign_in::form(visit))),
    }
}
