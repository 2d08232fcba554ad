//! Who asks: the holder of a bearer token.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::config::OpsToken;
use crate::http::belief::too_many_requests;
use crate::http::caller::Caller;
use crate::http::ops::call::Call;
use crate::http::problem::Problem;
use crate::http::rate::Callers;
use crate::service::live::Running;

/// The name under which calls to this interface are counted; no partner can have it.
const COUNTED_AS: &str = "/ops/v1";

/// The holder of the token in `Authorization`, unless that holder comes too often. Who brings no token, or one that opens nothing, is told so
/// as long as `caller` has not done so too often. `now` is monotonic.
///
/// # Errors
/// The whole answer: 401 and what is wanted, or 429.
pub(crate) fn holder(
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
        return Err(unauthenticated("send the header Authorization: Bearer with a token of [ops] tokens"));
    };
    if let Some(holder) = running.config.ops_token(token) {
        let index = running.config.ops_tokens.iter().position(|held| held.name == holder.name).unwrap_or(0);
        if !callers.admit(COUNTED_AS, index, rate) {
            let sentence = "more requests than one holder of a token may make in a second";
            return Err(Box::new(too_many_requests(sentence).into_response()));
        }
        return Ok(holder.clone());
    }
    let mut guesses = callers.guesses();
    let wait = guesses.wait(caller, now);
    guesses.was_wrong(caller, now);
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

/// Whether the holder's role may make this call.
///
/// # Errors
/// 403 with who may.
pub(crate) fn allow(call: &Call, holder: &OpsToken) -> Result<(), Problem> {
    if call.who.may(holder.role) {
        return Ok(());
    }
    let sentence = format!("your token's role does not allow this call ({})", call.who.words());
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", sentence))
}
