// SPDX-License-Identifier: Apache-2.0

//! Errors as OCTO has them: read by their code, not by their status.

use http::StatusCode;
use serde_json::json;
use ticketbridge_core::port::HttpReply;

/// An error; `culprit` is the field that it is about, with what the reseller wrote there.
pub(super) fn error(status: StatusCode, code: &str, message: &str, culprit: Option<(&str, &str)>) -> HttpReply {
    let mut body = json!({ "error": code, "errorMessage": message });
    if let Some((field, said)) = culprit {
        body[field] = json!(said);
    }
    HttpReply::json(status, &body)
}

/// What cannot be done as it was asked.
pub(super) fn bad(code: &str, message: &str) -> HttpReply {
    error(StatusCode::BAD_REQUEST, code, message, None)
}
