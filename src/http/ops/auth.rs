// SPDX-License-Identifier: Apache-2.0

//! Who asks: the holder of a bearer token, or somebody who has signed in.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use ticketbridge_core::UnixMillis;

use crate::accounts::Holder;
use crate::config::OpsToken;
use crate::http::Shared;
use crate::http::belief::too_many_requests;
use crate::http::caller::Caller;
use crate::http::ops::call::{Call, Factor, Verb, Who};
use crate::http::problem::Problem;
use crate::http::rate::Callers;
use crate::service::live::Running;

/// The name under which calls to this interface are counted; no partner can have it.
const COUNTED_AS: &str = "/ops/v1";

/// The cookie of a session.
pub(crate) const COOKIE: &str = "ticketbridge_session";

/// Who makes a request: known only where a recording is played.
#[derive(Clone, Debug)]
pub(crate) struct GivenHolder(pub(crate) Holder);

/// Who makes a request for `call`: the holder of the token in `Authorization`, or else whoever has the session of the cookie, unless he comes
/// too often. Who brings neither, or one that opens nothing, is told so as long as `caller` has not done so too often. `now` is monotonic.
///
/// # Errors
/// The whole answer: 401 and what is wanted, 403 for a request that another page has made, or 429.
pub(crate) async fn holder(
    shared: &Shared,
    running: &Running,
    call: &Call,
    caller: Caller,
    headers: &HeaderMap,
    now: Duration,
) -> Result<Holder, Box<Response>> {
    if headers.contains_key(header::AUTHORIZATION) {
        return of_token(running, &shared.callers, caller, headers, now).map(|token| Holder::of_token(&token));
    }
    if call.verb != Verb::Get {
        same_site(running, headers)?;
    }
    if let Some(token) = cookie(headers) {
        let found = if call.is_asked_unattended() {
            shared.accounts.holder_unseen(&token).await.map(|found| found.map(|(_, holder)| holder))
        } else {
            shared.accounts.holder(&token).await
        };
        match found {
            Ok(Some(holder)) if shared.callers.admit(&holder.key(), 0, running.config.server.rate_per_caller) => {
                return Ok(holder);
            }
            Ok(Some(_)) => {
                let sentence = "more requests than one person may make in a second";
                return Err(Box::new(too_many_requests(sentence).into_response()));
            }
            Ok(None) => {}
            Err(error) => return Err(Box::new(Problem::from(error).into_response())),
        }
    }
    if call.who == Who::Anybody {
        return Ok(Holder::nobody());
    }
    of_token(running, &shared.callers, caller, headers, now).map(|token| Holder::of_token(&token))
}

/// What the cookie of the session holds.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found =
        all.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
    let is_token = found.len() == 64 && found.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_token.then(|| found.to_owned())
}

/// Makes sure that a request which changes something was made by a page of ours: browsers say which page has made it, and pages of others
/// cannot forge that. Who is no browser says nothing, and brings no cookie that somebody else has set.
///
/// # Errors
/// 403.
pub(crate) fn same_site(running: &Running, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let fits = |origin: &str| {
        let ours = running.config.server.public_url.as_str();
        // The public address, or the very host that was asked: behind a proxy they may differ.
        let host = origin.split_once("://").map(|(_, host)| host);
        origin == ours || (host.is_some() && host == text("host"))
    };
    let is_ours = match (text("sec-fetch-site"), text("origin")) {
        (Some("same-origin"), _) => true,
        (Some(_), _) => false,
        (None, Some(origin)) => fits(origin),
        (None, None) => !headers.contains_key(header::COOKIE),
    };
    if is_ours {
        return Ok(());
    }
    let sentence =
        "another page has made this request, or the browser does not say which; open the console itself and try there";
    Err(Box::new(Problem::new(StatusCode::FORBIDDEN, "cross_site", sentence).into_response()))
}

fn of_token(
    running: &Running,
    callers: &Callers,
    caller: Caller,
    headers: &HeaderMap,
    now: Duration,
) -> Result<OpsToken, Box<Response>> {
    let rate = running.config.server.rate_per_caller;
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let Some(token) = token else {
        if !callers.may_fail(caller, rate) {
            return Err(Box::new(
                too_many_requests("too many requests from this address bring no token").into_response(),
            ));
        }
        return Err(unauthenticated(
            "send the header Authorization: Bearer with a token of [ops] tokens, or sign in: POST session",
        ));
    };
    if let Some(holder) = running.config.ops_token(token) {
        let index = running.config.ops_tokens.iter().position(|held| held.name == holder.name).unwrap_or(0);
        if !callers.admit(COUNTED_AS, index, rate) {
            let sentence = "more requests than one holder of a token may make in a second";
            return Err(Box::new(too_many_requests(sentence).into_response()));
        }
        return Ok(holder.clone());
    }
    let mut auth_throttle = callers.auth_throttle();
    let wait = auth_throttle.wait(caller, now);
    auth_throttle.was_wrong(caller, now);
    let sentence = "this token opens nothing; see [ops] tokens of the configuration";
    Err(wait.map_or_else(|| unauthenticated(sentence), guessed_too_often))
}

fn unauthenticated(sentence: &str) -> Box<Response> {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", sentence).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Box::new(response)
}

fn guessed_too_often(wait: Duration) -> Box<Response> {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let seconds = u32::try_from(whole).unwrap_or(u32::MAX);
    let sentence = format!("too many tokens from this address open nothing; wait {seconds} s");
    Box::new(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", sentence).after(seconds).into_response())
}

/// Whether the holder may make this call: his role, and the second factor of somebody who has signed in.
///
/// # Errors
/// 403 with who may, or which factor is wanted.
pub(crate) fn allow(call: &Call, holder: &Holder, running: &Running, now: UnixMillis) -> Result<(), Problem> {
    if call.who == Who::Person && holder.signed().is_none() {
        let sentence = "this call is for those who have signed in; a token has no account";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", sentence));
    }
    if !call.who.may(holder.role) {
        let sentence = format!("your role does not allow this call ({})", call.who.words());
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", sentence));
    }
    let second_factor = running.config.console.second_factor;
    match call.factor() {
        Factor::None => Ok(()),
        Factor::Passed => Ok(holder.passed(second_factor)?),
        Factor::Fresh => Ok(holder.fresh(second_factor, now)?),
    }
}
