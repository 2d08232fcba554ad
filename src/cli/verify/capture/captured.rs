// SPDX-License-Identifier: Apache-2.0

//! A request out of a capture.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ticketbridge_core::port::RawRequest;

/// A request as it was sent.
#[derive(Debug)]
pub struct Captured {
    method: Method,
    path: String,
    query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Captured {
    /// A request out of its parts. `target` is what stands in the request line, or a whole address.
    pub(super) fn new<'h>(
        method: &str,
        target: &str,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
        body: Vec<u8>,
    ) -> Result<Self, String> {
        let method = method.parse().map_err(|_| format!("`{method}` is no method of HTTP"))?;
        let target = target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut read = HeaderMap::new();
        for (name, value) in headers {
            // What HTTP/2 has instead of a request line is no header.
            if name.starts_with(b":") {
                continue;
            }
            let shown = String::from_utf8_lossy(name);
            let name = HeaderName::from_bytes(name.trim_ascii()).map_err(|_| format!("`{shown}` is no header name"))?;
            let value = HeaderValue::from_bytes(value.trim_ascii())
                .map_err(|_| format!("the value of `{shown}` is not allowed"))?;
            read.append(name, value);
        }
        Ok(Self { method, path: path.to_owned(), query: query.to_owned(), headers: read, body })
    }

    /// The same, with another body: for captures that show none.
    pub(in crate::cli::verify) fn with_body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    /// Bytes of the body that its headers announce and the capture does not have.
    pub(in crate::cli::verify) fn bytes_missing(&self) -> usize {
        let announced = self.headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        announced.unwrap_or(0).saturating_sub(self.body.len())
    }

    /// Whether a request that should have a body shows none, and does not say that it has none.
    pub(in crate::cli::verify) fn shows_no_body(&self) -> bool {
        self.method == Method::POST && self.body.is_empty() && !self.headers.contains_key("content-length")
    }

    /// The channel and the call that its path names, where it is one of ours.
    pub(in crate::cli::verify) fn named(&self) -> Option<(&str, &str)> {
        let (_, named) = self.path.split_once("/channels/")?;
        named.trim_end_matches('/').split_once('/')
    }

    /// Whether it was sent to this channel. A proxy may have taken off what stands before `/channels/`.
    pub(in crate::cli::verify) fn is_for(&self, channel: &str) -> bool {
        let mut words = self.path.split('/').filter(|word| !word.is_empty()).rev();
        let (_call, named) = (words.next(), words.next());
        named == Some(channel)
    }

    /// The request, as an adapter checks it.
    pub fn raw(&self) -> RawRequest<'_> {
        let endpoint = self.path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("");
        RawRequest { endpoint, method: &self.method, query: &self.query, headers: &self.headers, body: &self.body }
    }

    /// Its path, for people.
    pub(in crate::cli::verify) fn path(&self) -> &str {
        &self.path
    }
}

/// A body without the lengths of its pieces (`Transfer-Encoding: chunked`).
pub(super) fn unchunked(headers: &HeaderMap, body: Vec<u8>) -> Result<Vec<u8>, String> {
    let is_chunked =
        headers.get("transfer-encoding").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !is_chunked {
        return Ok(body);
    }
    let mut whole = Vec::new();
    let mut rest = body.as_slice();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|line| {
            let digits = line.split(';').next().unwrap_or_default().trim();
            usize::from_str_radix(digits, 16).ok()
        });
        // Whoever saved it may have put the pieces together already.
        let Some(size) = size else {
            return if whole.is_empty() { Ok(body) } else { Err("a piece of the body has no length".to_owned()) };
        };
        if size == 0 {
            return Ok(whole);
        }
        let piece = rest
            .get(end + 2..)
            .and_then(|rest| rest.get(..size))
            .ok_or("a piece of the body is shorter than it says")?;
        whole.extend_from_slice(piece);
        rest = rest.get(end + 2 + size + 2..).unwrap_or_default();
    }
    if whole.is_empty() { Ok(body) } else { Ok(whole) }
}
