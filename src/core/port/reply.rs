// SPDX-License-Identifier: Apache-2.0

//! What goes back over the wire.

use bytes::Bytes;
use http::StatusCode;

/// An answer on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: StatusCode,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl std::fmt::Debug for HttpReply {
    /// Tickets and guests may stand in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpReply({}, {} bytes)", self.status.as_u16(), self.body.len())
    }
}

impl HttpReply {
    /// A JSON answer.
    pub fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", body: Bytes::from(body.to_string()) }
    }
}
