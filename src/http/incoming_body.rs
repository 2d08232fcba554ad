//! A request's body: all of it, up to a limit, within a time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;

use crate::http::problem::Problem;

/// A sender that takes longer than this for its body holds the door open, and would hold a stopping service up.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// The body's bytes.
///
/// # Errors
/// 413 when there are more than `bytes_max`, 408 when they do not come in time.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let sentence = format!("a body of this call has at most {bytes_max} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", sentence))
        }
        Err(_) => {
            let sentence = format!("the body did not come within {} s", BODY_WITHIN.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", sentence))
        }
    }
}
