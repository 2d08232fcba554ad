//! Is it alive, is it ready, how does it fare.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::http::Shared;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers and has the schema that this program needs; and the service is not stopping.
pub async fn readyz(State(shared): State<Shared>) -> Response {
    if shared.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match shared.engine.store().ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            crate::worker::log_trouble("not ready", &error);
            (StatusCode::SERVICE_UNAVAILABLE, "the database is not ready\n").into_response()
        }
    }
}

/// Metrics in Prometheus' text format; what is counted in the database is counted now.
pub async fn metrics(State(shared): State<Shared>) -> Response {
    if let Err(error) = crate::telemetry::gauges::refresh(&shared).await {
        crate::worker::log_trouble("some metrics could not be counted", &error);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.metrics.render()).into_response()
}
