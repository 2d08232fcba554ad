// SPDX-License-Identifier: Apache-2.0

//! `/console/members`: accounts and invitations of one's scope.

use http::Method;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::accounts::scope::Scope;
use crate::config::Role;
use crate::console::form::scope_of;
use crate::console::format::{text, time};
use crate::console::layout::{act, choice, entries, filters, link, pages, scope, table};
use crate::console::{Page, Said, Stop, Visit};

/// The words of an account's state.
const STATES: [&str; 3] = ["pending_approval", "active", "inactive"];

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let accounts = visit.ask(&format!("/accounts?{}", visit.filters(&["state", "cursor", "limit"]))).await?;
    let invitations = visit.ask("/invitations").await?;
    let rows: Vec<Markup> = entries(&accounts).iter().map(|account| row(visit, account)).collect();
    let invited: Vec<Markup> = entries(&invitations).iter().map(|it| invitation(visit, it)).collect();
    let body = html! {
        (filters(visit, &choice(visit, "state", "state", &STATES)))
        (table(visit, Some("members-table"), &["name", "email", "state", "role", "scope", "factor", "actions"], &rows))
        (pages(visit, &accounts))
        h2 { (words.say("invite")) }
        form.row id="invite" method="post" action=(link("members/invite")) {
            label { (words.say("email")) input name="email" type="email" required; }
            (grant(visit, None))
            button type="submit" { (words.say("invite")) }
        }
        h2 { (words.say("invitations")) }
        (table(visit, Some("invitations-table"), &["email", "state", "role", "scope", "expires", "actions"], &invited))
    };
    Ok(Page::of("members", body))
}

fn row(visit: &Visit, account: &Value) -> Markup {
    let words = &visit.words;
    let call = |act: &str| format!("/accounts/{}/{act}", text(&account["id"]));
    let state = text(&account["state"]);
    html! {
        tr {
            td { (text(&account["name"])) br; small { (text(&account["mobile"])) " " (text(&account["direct"])) } }
            td { (text(&account["email"])) }
            td { (words.word(&state)) }
            td { (words.word(&text(&account["role"]))) }
            td { (scope(visit, &account["scope"])) }
            td { @if account["has_factor"] == true { (words.say("yes")) } @else { (words.say("no")) } }
            td {
                @match state.as_str() {
                    "pending_approval" => {
                        (act(visit, None, &call("approve"), &words.say("approve"), &grant(visit, Some(account))))
                        (act(visit, None, &call("deactivate"), &words.say("deactivate"), &html! {}))
                    }
                    "active" => {
                        details {
                            summary { (words.say("role")) }
                            (act(visit, None, &call("role"), &words.say("save"), &grant(visit, Some(account))))
                        }
                        (act(visit, None, &call("deactivate"), &words.say("deactivate"), &html! {}))
                        (act(visit, None, &call("reset-factor"), &words.say("reset-factor"), &html! {}))
                        @if account["sign_in"] == "password" {
                            form.row method="post" action=(link(&format!("members/{}/reset-password", text(&account["id"])))) {
                                input type="hidden" name="back" value=(visit.here());
                                button type="submit" { (words.say("password-link")) }
                            }
                        }
                    }
                    _ => { (act(visit, None, &call("activate"), &words.say("activate"), &html! {})) }
                }
            }
        }
    }
}

/// A role and a scope to choose: those that whoever looks may grant. Nothing is chosen beforehand but what somebody has already: a right is
/// given knowingly.
fn grant(visit: &Visit, account: Option<&Value>) -> Markup {
    let words = &visit.words;
    let value = |scope: &Scope| match scope.id() {
        Some(id) => format!("{}:{id}", scope.kind()),
        None => scope.kind().to_owned(),
    };
    let shown = |scope: &Scope| match scope.id() {
        Some(id) => format!("{} {id}", words.word(scope.kind())),
        None => words.word(scope.kind()),
    };
    let role = account.map(|account| text(&account["role"])).unwrap_or_default();
    let current = account.map(|account| &account["scope"]);
    let has_scope = |all: &[Scope]| all.iter().any(|scope| current.is_some_and(|it| *it == scope.json()));
    let all = scopes(visit);
    html! {
        label {
            (words.say("role"))
            select name="role" required {
                @if role.is_empty() { option value="" selected { (words.say("choose")) } }
                @for (word, _) in Role::WORDS { option value=(word) selected[role == word] { (words.word(word)) } }
            }
        }
        label {
            (words.say("scope"))
            select name="scope" required {
                @if !has_scope(&all) { option value="" selected { (words.say("choose")) } }
                @for scope in &all {
                    option value=(value(scope)) selected[current.is_some_and(|it| *it == scope.json())] { (shown(scope)) }
                }
            }
        }
    }
}

/// The scopes within one's own.
fn scopes(visit: &Visit) -> Vec<Scope> {
    let running = visit.shared.engine.running();
    let of = &running.config.organisation;
    let all = [Scope::Everything]
        .into_iter()
        .chain(of.dealers.iter().map(|it| Scope::Dealer(it.id.clone())))
        .chain(of.institutions.iter().map(|it| Scope::Institution(it.id.clone())))
        .chain(of.agencies.iter().map(|it| Scope::Agency(it.id.clone())));
    all.filter(|scope| visit.holder.scope.holds(scope, of)).collect()
}

fn invitation(visit: &Visit, it: &Value) -> Markup {
    let words = &visit.words;
    let call = format!("/invitations/{}/revoke", text(&it["id"]));
    html! {
        tr {
            td { (text(&it["email"])) } td { (words.word(&text(&it["state"]))) } td { (words.word(&text(&it["role"]))) }
            td { (scope(visit, &it["scope"])) } td { (time(&it["expires_at"])) }
            td { @if it["state"] == "pending" { (act(visit, None, &call, &words.say("revoke"), &html! {})) } }
        }
    }
}

/// Makes a link by which somebody gives himself another password, and shows it once.
pub(crate) async fn password_link(visit: &Visit, id: &str) -> Result<Said, Stop> {
    let said = visit.call(Method::POST, &format!("/accounts/{id}/reset-password"), &json!({})).await?.body;
    Ok(Said::Page(Page::of("password-link", link_once(visit, "password-reset-link", &said))))
}

/// A link that is shown this once.
fn link_once(visit: &Visit, id: &str, said: &Value) -> Markup {
    html! {
        p { (visit.words.say("link-once")) }
        p.card { code id=(id) { (text(&said["link"])) } }
        p { (visit.words.say("expires")) " " (time(&said["expires_at"])) }
        p { a href=(link("members")) { (visit.words.say("back")) } }
    }
}

/// Invites somebody, and shows the link once.
pub(crate) async fn invite(visit: &Visit) -> Result<Said, Stop> {
    let sent = &visit.form;
    let body = json!({ "email": sent.text("email"), "role": sent.text("role"), "scope": scope_of(sent.text("scope")) });
    let said = visit.call(Method::POST, "/invitations", &body).await?.body;
    Ok(Said::Page(Page::of("invite", link_once(visit, "invitation-link", &said))))
}
