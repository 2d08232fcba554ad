// SPDX-License-Identifier: Apache-2.0

//! What the bridge asks of a platform, and what is said to it.

use axum::http::Method;
use serde_json::Value;

/// A call of the bridge's that is believed.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// The parts of its path after `/v1`.
    pub path: Vec<String>,
    /// The trade that it is about; empty when it names none.
    pub number: String,
    /// `Idempotency-Key`; empty for a question.
    pub key: String,
    /// Its body.
    pub body: Value,
}

impl Asked {
    /// A part of the path; empty when there is none.
    pub fn part(&self, index: usize) -> &str {
        self.path.get(index).map(String::as_str).unwrap_or_default()
    }
    /// A number in its body.
    pub fn amount(&self, name: &str) -> Option<i64> {
        self.body.pointer(name).and_then(Value::as_i64)
    }
    /// A text in its body; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.body.pointer(name).and_then(Value::as_str).unwrap_or_default()
    }
    /// Whether it only asks.
    pub fn is_question(&self) -> bool {
        self.method == Method::GET
    }
}

/// What is said to a call.
#[derive(Clone, Debug)]
pub enum Said {
    /// Carried out: answered as the switch says.
    Done,
    /// Carried out, and this is the answer.
    With(u16, Value),
    /// The order has changed meanwhile: it is in the answer.
    Overtaken,
    /// No, with a code.
    No(u16, &'static str),
    /// A call that does not exist.
    NoSuchCall,
}
