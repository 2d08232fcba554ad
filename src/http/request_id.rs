// SPDX-License-Identifier: Apache-2.0

//! `X-Request-Id`: taken from the caller or made here, given back, and on every line that the log says about the request.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use ticketbridge_core::quoted::Quoted;
use tracing::Instrument as _;

use crate::http::Shared;

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of an id that is taken from a caller.
const ID_CHARS_MAX: usize = 128;

/// Gives the request its id and carries it through.
pub async fn carry(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let id = of_caller(request.headers())
        .map_or_else(|| format!("req_{:032x}", shared.engine.ids().seed().0), str::to_owned);
    // At level error, so that the id stands on a warning even where nothing milder is logged.
    let span = tracing::error_span!("request", request_id = %Quoted::code(&id));
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// The caller's own id, if it is fit for a log: a line break or a quote in it would forge one.
fn of_caller(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(HEADER)?.to_str().ok()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '+' | '=');
    ((1..=ID_CHARS_MAX).contains(&id.len()) && id.chars().all(is_plain)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ids_are_taken_from_callers() {
        let long = "x".repeat(ID_CHARS_MAX + 1);
        for (id, taken) in [
            ("7f3b-1", true),
            ("Root=1-67891233-abcdef012345678912345678", true),
            (&long[1..], true),
            (long.as_str(), false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
        ] {
            let headers = HeaderMap::from_iter([(HEADER, HeaderValue::from_str(id).unwrap())]);
            assert_eq!(of_caller(&headers).is_some(), taken, "{id}");
        }
    }
}
