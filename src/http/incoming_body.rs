// SPDX-License-Identifier: Apache-2.0

//! A request's body: all of it, up to a limit, within a time.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;

use crate::http::problem::Problem;

/// A sender that takes longer than this for its body holds the door open, and would hold a stopping service up.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// 415 for a body that is compressed or otherwise encoded: what is signed and stored are the bytes themselves.
pub(crate) fn encoded(headers: &HeaderMap) -> Option<Problem> {
    let named = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let encoding = named
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))?;
    let sentence = format!(
        "the body is encoded (Content-Encoding: {}), and bodies are taken as they are; send it without an encoding",
        encoding.chars().filter(char::is_ascii_graphic).take(32).collect::<String>()
    );
    Some(
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", sentence)
            .at("content-encoding"),
    )
}

/// Whether a body was not read to its end because it is too long.
fn is_of_length(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<LengthLimitError>())
}

/// The body's bytes.
///
/// # Errors
/// 413 when there are more than `bytes_max`, 408 when they do not come in time, 400 when they break off.
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
        Ok(Err(error)) if is_of_length(&error) => Err(too_large()),
        // Nothing is wrong with what is sent, but that it did not all come: it may be sent again.
        Ok(Err(_)) => {
            let sentence = "the body broke off before its announced end; send it again";
            Err(Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", sentence))
        }
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

    #[test]
    fn an_encoded_body_is_named() {
        for (value, named) in [("gzip", true), ("identity, br", true), ("identity", false), ("", false)] {
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, value.parse().unwrap())]);
            assert_eq!(encoded(&headers).is_some_and(|problem| problem.status == 415), named, "{value}");
        }
        assert!(encoded(&HeaderMap::new()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_breaks_off_is_not_too_long() {
        let broken = || {
            let end = Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
            Body::from_stream(futures_util::stream::iter([Ok(Bytes::from_static(b"half")), end]))
        };
        assert_eq!(read(broken(), 1_024).await.unwrap_err().status, 400);
        assert_eq!(read(broken(), 3).await.unwrap_err().status, 413);
    }

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
