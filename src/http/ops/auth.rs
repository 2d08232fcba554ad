//! Who asks: the holder of a bearer token.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::config::OpsToken;
use crate::http::ops::call::Call;
use crate::http::problem::Problem;
use crate::live::Running;

/// The holder of the token in `Authorization`.
///
/// # Errors
/// The whole answer: 401 and what is wanted.
pub(crate) fn holder(running: &Running, headers: &HeaderMap) -> Result<OpsToken, Box<Response>> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let holder = token.and_then(|token| running.config.ops_token(token)).cloned();
    holder.ok_or_else(|| {
        let sentence = match token {
            Some(_) => "this token opens nothing; see [ops] tokens of the configuration",
            None => "send the header Authorization: Bearer with a token of [ops] tokens",
        };
        let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", sentence).into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Box::new(response)
    })
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
