// SPDX-License-Identifier: Apache-2.0

//! `POST /backends/{backend}/hints/{secret}`: a push that nobody signs. The secret in the address keeps strangers away; what the push says is
//! not believed. It costs one read, and that only once in a second for each booking.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ticketbridge_core::BackendId;
use ticketbridge_core::port::HintError;

use crate::accounts::doors::Admitted;
use crate::http::problem::Problem;
use crate::http::{Shared, incoming_body};
use crate::worker::watch::Hinted;

/// Bytes of a push: some carry the whole booking.
const HINT_BYTES_MAX: usize = 256 * 1024;

/// Takes a push. It is answered at once, whatever the read will bring.
pub async fn receive(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((backend, secret)): Path<(String, String)>,
    request: Request,
) -> Response {
    let not_found =
        || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address").into_response();
    let Some(backend) = shared.engine.running().registry.backend(&BackendId::new(backend)) else { return not_found() };
    let running = shared.engine.running();
    let caller = shared.caller(peer, request.headers(), &running);
    if let Admitted::No(_) = shared.doors.load().admit(backend.id.as_str(), caller, shared.engine.clock().now()) {
        return not_found();
    }
    // Read before the secret is looked at, so that a guess takes as long as a hit.
    let body = match incoming_body::read(request.into_body(), HINT_BYTES_MAX).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let about = backend.backend.hints().map_or(Err(HintError::WrongAddress), |hints| hints.about(&secret, &body));
    let about = match about {
        Ok(about) => about,
        Err(HintError::WrongAddress) => {
            metrics::counter!("ticketbridge_hints_total", "backend" => backend.id.to_string(), "outcome" => "wrong_address")
                .increment(1);
            return not_found();
        }
        // Of something that concerns no booking; the sender need not repeat it.
        Err(HintError::AboutNothing) => return StatusCode::NO_CONTENT.into_response(),
    };
    let outcome = match shared.worker.follow_hint(backend.clone(), about) {
        Hinted::Followed => "followed",
        Hinted::TooSoon => "too_soon",
    };
    metrics::counter!("ticketbridge_hints_total", "backend" => backend.id.to_string(), "outcome" => outcome)
        .increment(1);
    tracing::info!(backend = %backend.id, outcome, "a hint was taken");
    StatusCode::NO_CONTENT.into_response()
}
