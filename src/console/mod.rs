// SPDX-License-Identifier: Apache-2.0

//! The console, `/console`: pages for people, rendered here, readable without scripts. Each page is built of answers of the ops interface made
//! as whoever has signed in ([`Visit::ask`]): nobody sees or does here what he could not see or do there.
//!
//! One page is one file below `pages/`; [`respond`] says which path leads to which. What forms send goes through [`acts`]. The words are in
//! `catalogue/`, one file for each language.

mod acts;
pub(crate) mod catalogue;
mod entrance;
pub(crate) mod foretold;
mod form;
mod format;
mod layout;
mod pages;
mod passkey;
mod qr;
mod visit;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::accounts::Holder;
use crate::accounts::signing_in::From as Comes;
use crate::http::ops::{self, auth};
use crate::http::{Shared, incoming_body};

use catalogue::{Language, Words};
use form::Form;
pub use form::PREFIX;
pub(crate) use visit::{Page, Said, Stop, Visit};

/// Bytes of a form.
const FORM_BYTES_MAX: usize = 1024 * 1024;
/// What pages load: its path below `assets/`, its type, and itself.
const ASSETS: [(&str, &str, &str); 3] = [
    ("console.css", "text/css; charset=utf-8", include_str!("assets/console.css")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("assets/live.js")),
    ("passkeys.js", "text/javascript; charset=utf-8", include_str!("assets/passkeys.js")),
];
/// Nothing is loaded from elsewhere or asked elsewhere, nothing that stands in a page is executed, nobody frames it, and forms go nowhere else.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'";
/// By this a page says that it asks for itself again while nobody is there.
const UNATTENDED: HeaderName = HeaderName::from_static("x-live");

/// The routes of the console.
pub fn routes() -> Router<Shared> {
    Router::new().route(PREFIX, any(serve)).route("/console/{*path}", any(serve))
}

async fn serve(State(shared): State<Shared>, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    let running = shared.engine.running();
    let caller = shared.caller(peer, request.headers(), &running);
    let (parts, body) = request.into_parts();
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let from = Comes { caller, agent: agent.to_owned() };
    if parts.method != Method::GET && parts.method != Method::HEAD {
        // Pages of others send nothing here, whether or not somebody is signed in.
        if let Err(refusal) = auth::same_site(&running, &parts.headers) {
            return secured(*refusal);
        }
    }
    let holder = match auth::cookie(&parts.headers) {
        Some(token) => match holder_of(&shared, &token, parts.headers.contains_key(UNATTENDED)).await {
            Ok(holder) => holder,
            Err(error) => return secured(crate::http::problem::Problem::from(error).into_response()),
        },
        None => None,
    };
    let raw = match incoming_body::read(body, FORM_BYTES_MAX).await {
        Ok(raw) => raw,
        Err(problem) => return secured(problem.into_response()),
    };
    let query = Form::read(parts.uri.query().unwrap_or_default().as_bytes());
    let language = language_of(&query, holder.as_ref(), &parts.headers);
    let visit = Visit {
        now: shared.engine.clock().now(),
        shared,
        holder: holder.unwrap_or_else(Holder::nobody),
        from,
        words: Words::of(language),
        method: parts.method,
        path: parts.uri.path().trim_end_matches('/').to_owned(),
        query,
        form: Form::read(&raw),
        headers: parts.headers,
    };
    let said = respond(&visit).await.unwrap_or_else(|stop| layout::refusal(&visit, &stop));
    secured(rendered(&visit, said))
}

async fn holder_of(
    shared: &Shared,
    token: &str,
    is_unattended: bool,
) -> Result<Option<Holder>, ticketbridge_store::StoreError> {
    match is_unattended {
        true => Ok(shared.accounts.holder_unseen(token).await?.map(|(_, holder)| holder)),
        false => shared.accounts.holder(token).await,
    }
}

/// By what somebody wishes: this once, for his account, in his browser.
fn language_of(query: &Form, holder: Option<&Holder>, headers: &HeaderMap) -> Language {
    let chosen = holder.and_then(Holder::signed).and_then(|signed| signed.language.as_deref());
    let wished = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    query
        .get("lang")
        .and_then(Language::of_word)
        .or_else(|| chosen.and_then(Language::of_word))
        .unwrap_or_else(|| Language::preferred(wished))
}

/// Which path leads to which page.
async fn respond(visit: &Visit) -> Result<Said, Stop> {
    let path = visit.path.strip_prefix(PREFIX).unwrap_or_default();
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let is_get = matches!(visit.method, Method::GET | Method::HEAD);
    // What is there for those who have not signed in.
    match (is_get, steps.as_slice()) {
        (true, ["assets", name]) => {
            let found = ASSETS.iter().find(|(known, _, _)| known == name);
            return Ok(found.map_or_else(|| layout::not_found(visit), |(_, kind, text)| Said::Asset(kind, text)));
        }
        (true, ["enter", token]) => {
            if let Some(begun) = visit.shared.accounts.take_link(token) {
                let running = visit.shared.engine.running();
                return Ok(Said::Go(PREFIX.to_owned(), ops::session_cookie(begun.token, &running.config)));
            }
        }
        (true, ["sign-in"]) => return Ok(pages::sign_in::show(visit)),
        (false, ["sign-in"]) => return pages::sign_in::sign_in(visit).await,
        (false, ["sign-in", "passkey"]) => return pages::passkeys::sign_in(visit).await,
        (true, ["sign-up"]) => return Ok(pages::sign_up::show(visit)),
        (false, ["sign-up"]) => return pages::sign_up::sign_up(visit).await,
        (true, ["reset", token]) => return pages::reset::show(visit, token).await,
        (false, ["reset", token]) => return pages::reset::take(visit, token).await,
        (true, ["with", id]) => return pages::with::go(visit, id).await,
        (true, ["with", id, "back"]) => return pages::with::come_back(visit, id).await,
        (false, ["with", id]) => return pages::with::sign_up(visit, id).await,
        (true, ["invitations", token]) => return pages::invitation::show(visit, token).await,
        (false, ["invitations", token]) => return pages::invitation::accept(visit, token).await,
        _ => {}
    }
    if visit.holder.signed().is_none() {
        // Of an act nothing is kept: whoever has signed in again looks at the page that it was on.
        let to = if is_get { visit.here() } else { form::back(visit.form.text("back")) };
        return Ok(Said::Go(format!("{PREFIX}/sign-in?back={}", form::encode(&to)), None));
    }
    if !is_get {
        return acts::carry_out(visit, &steps).await;
    }
    let page = match steps.as_slice() {
        [] => pages::today::show(visit).await?,
        ["orders"] => pages::orders::show(visit).await?,
        ["orders", id] => pages::order::show(visit, id).await?,
        ["bulk"] => pages::bulk::all(visit).await?,
        ["bulk", id] => pages::bulk::show(visit, id).await?,
        ["refunds"] => pages::refunds::show(visit).await?,
        ["deliveries"] => pages::deliveries::show(visit).await?,
        ["deadlines"] => pages::deadlines::show(visit).await?,
        ["partners"] => pages::partners::show(visit).await?,
        ["inbox", id] => pages::inbox::show(visit, id).await?,
        ["codes"] => pages::codes::show(visit).await?,
        ["reconciliation"] => pages::reconciliation::show(visit).await?,
        ["statements"] => pages::statements::show(visit).await?,
        ["members"] => pages::members::show(visit).await?,
        ["audit"] => pages::audit::show(visit).await?,
        ["settings"] => pages::settings::show(visit).await?,
        ["account"] => pages::account::show(visit).await?,
        ["factor"] => pages::factor::show(visit),
        _ => return Ok(layout::not_found(visit)),
    };
    Ok(Said::Page(page))
}

fn rendered(visit: &Visit, said: Said) -> Response {
    let html = |status: StatusCode, page: Page, cookie: Option<HeaderValue>| {
        let text = layout::document(visit, &page).into_string();
        let mut response = (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response();
        if let Some(cookie) = cookie {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    };
    match said {
        Said::Page(page) => html(StatusCode::OK, page, None),
        Said::With(page, cookie) => html(StatusCode::OK, page, Some(cookie)),
        Said::Refused(status, page) => html(status, page, None),
        Said::Go(to, cookie) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            let to = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static(PREFIX));
            response.headers_mut().insert(header::LOCATION, to);
            if let Some(cookie) = cookie {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Said::Asset(kind, text) => {
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=3600")], text).into_response()
        }
    }
}

/// What every answer says to the browser.
fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Guests' data is kept by no cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
