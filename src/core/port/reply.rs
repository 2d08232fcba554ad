// SPDX-License-Identifier: Apache-2.0

//! What goes back over the wire.

use bytes::Bytes;
use http::StatusCode;

/// An answer on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: StatusCode,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl HttpReply {
    /// A JSON answer.
    pub fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", body: Bytes::from(body.to_string()) }
    }
}
