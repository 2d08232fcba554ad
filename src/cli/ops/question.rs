// SPDX-License-Identifier: Apache-2.0

//! A call of the ops interface to make.

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::arguments::Part;
use super::show::Shape;

/// What may stand in a path or a query as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');

/// A call to make.
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Bytes,
    pub(super) content_type: &'static str,
    /// How its answer is shown.
    pub(super) shape: Shape,
}

pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

pub(super) fn get(path: String, shape: Shape) -> Question {
    Question { method: Method::GET, path, body: Bytes::new(), content_type: "application/json", shape }
}

pub(super) fn list(path: &str, shape: Shape, part: Part, filters: Vec<(&str, Option<String>)>) -> Question {
    let part = [("limit", part.limit.map(|limit| limit.to_string())), ("cursor", part.cursor)];
    let pairs = filters.into_iter().chain(part);
    let query: Vec<String> = pairs.filter_map(|(name, value)| Some(format!("{name}={}", escape(&value?)))).collect();
    get(format!("{path}?{}", query.join("&")), shape)
}

pub(super) fn act(path: String, fields: Vec<(&str, Option<Value>)>, shape: Shape) -> Question {
    let body: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let body = Bytes::from(Value::from(body).to_string());
    Question { method: Method::POST, path, body, content_type: "application/json", shape }
}
