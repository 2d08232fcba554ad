//! A request's body: all of it, up to a limit, within a time.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
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
    let too_large = || {
        let sentence = format!("a body of this call has at most {bytes_max} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", sentence)
    };
    // What its length announces is not waited for.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let sentence = format!("the body did not come within {} s", BODY_WITHIN.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", sentence))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_announces_too_much_is_refused_before_it_comes() {
        /// It never comes; only its length is known.
        struct Announced(u64);
        impl hyper::body::Body for Announced {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
                Poll::Pending
            }
            fn size_hint(&self) -> hyper::body::SizeHint {
                hyper::body::SizeHint::with_exact(self.0)
            }
        }
        for (length, status) in [(1_025, 413), (1_024, 408)] {
            let began = tokio::time::Instant::now();
            let problem = read(Body::new(Announced(length)), 1_024).await.unwrap_err();
            assert_eq!(problem.status, status, "{length}");
            assert_eq!(began.elapsed().is_zero(), status == 413, "{length}");
        }
    }
}
