// SPDX-License-Identifier: Apache-2.0

//! What the pages share by which somebody comes in: a field, the links to the providers, a form that was not right.

use http::StatusCode;
use maud::{Markup, html};

use crate::console::catalogue::Language;
use crate::console::layout::{link, why_not};
use crate::console::{Page, Said, Stop, Visit};

/// A field that must be filled in; what was typed stays.
pub(crate) fn field(visit: &Visit, name: &str, label: &str, kind: &str, autocomplete: &str) -> Markup {
    let value = if kind == "password" { "" } else { visit.form.text(name) };
    html! {
        p { label { (label) input name=(name) type=(kind) value=(value) required autocomplete=(autocomplete); } }
    }
}

/// The links to the providers, where there are any.
pub(crate) fn links(visit: &Visit, to: &str, invitation: Option<&str>) -> Markup {
    let running = visit.shared.engine.running();
    let query = match invitation {
        Some(token) => format!("?invitation={}", crate::console::form::encode(token)),
        None => format!("?back={}", crate::console::form::encode(to)),
    };
    html! {
        @if !running.config.providers.is_empty() {
            ul.chips {
                @for provider in &running.config.providers {
                    li { a href={ (link("with")) "/" (provider.id) (query) } { (visit.words.say_with("with-provider", &[("name", provider.name.clone())])) } }
                }
            }
        }
    }
}

/// What a link of somebody who has no account yet goes on with: the language that he chose, if he did.
pub(crate) fn chosen_language(visit: &Visit) -> Option<&'static str> {
    visit.query.get("lang").and_then(Language::of_word).map(Language::word)
}

/// Whoever chose a language while he had no account keeps it, now that he has one. Where that fails, it is chosen again on any page.
pub(crate) async fn keep_language(visit: &Visit, account: &str) {
    if let Some(language) = chosen_language(visit)
        && let Err(error) = visit.shared.accounts.set_language(account, language).await
    {
        tracing::warn!(%error, "the language of a new account was not kept");
    }
}

/// A form once more, with what is wrong above it.
pub(crate) fn refused(visit: &Visit, title: &'static str, stop: &Stop, form: &Markup) -> Said {
    let status = if stop.status == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { stop.status };
    let detail = why_not(visit, &stop.problem);
    let body = html! {
        div.card.warn role="alert" { p { strong { (visit.words.say("not-done")) } " " (detail) } }
        (form)
    };
    Said::Refused(status, Page::of(title, body))
}
