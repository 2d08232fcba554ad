// SPDX-License-Identifier: Apache-2.0

//! What an answer is about. A partner that answers about another order than the one it was asked about has not answered: such a body is
//! never read further. Every reader of answers asks here first, so that there is one place where a number is compared.

use std::borrow::Cow;

use serde_json::Value;
use ticketbridge_core::port::{CallResult, HttpResponse};

use crate::one_reading;

/// A number that an answer must be about, and where it may say so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    /// What was asked about.
    pub(crate) number: &'a str,
    /// The places in the answer, as JSON pointers.
    pub(crate) places: &'static [&'static str],
}

/// A JSON body that says nothing against being about what was asked. There is no other way to one than [`Answer::read`].
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    body: Value,
    is_named: bool,
}

impl Answer {
    /// Reads the JSON of an answer, `null` where it is none or has two readings, and compares every number that it names with what was asked.
    ///
    /// # Errors
    /// [`CallResult::Astray`] when a number is another one.
    pub(crate) fn read<T>(response: &HttpResponse, keys: &[Key<'_>]) -> Result<Self, CallResult<T>> {
        Self::about(one_reading::json(&response.body).unwrap_or(Value::Null), keys)
    }

    /// The same for what has been read as JSON already.
    ///
    /// # Errors
    /// [`CallResult::Astray`] when a number is another one.
    pub(crate) fn about<T>(body: Value, keys: &[Key<'_>]) -> Result<Self, CallResult<T>> {
        let mut is_named = false;
        for key in keys {
            for place in key.places {
                match body.pointer(place).and_then(number) {
                    Some(said) if said == key.number => is_named = true,
                    Some(_) => return Err(astray(place)),
                    None => {}
                }
            }
        }
        Ok(Self { body, is_named })
    }

    /// The JSON.
    pub(crate) fn json(&self) -> &Value {
        &self.body
    }
    /// Whether it names what was asked about: silence is no proof.
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }
}

/// A number as partners write it: a text, or an integer.
fn number(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The verdict on an answer about something else; what it names instead is not repeated, it may be somebody's.
pub(crate) fn astray<T>(place: &str) -> CallResult<T> {
    let field = place.trim_start_matches('/').replace('/', ".");
    CallResult::Astray { why: format!("the answer's `{field}` is not what was asked about").into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PLACES: &[&str] = &["/order_no", "/order/order_no"];

    fn read(body: Value) -> Option<bool> {
        let key = Key { number: "77", places: PLACES };
        Answer::about::<()>(body, &[key]).ok().map(|answer| answer.is_named())
    }

    #[test]
    fn an_answer_that_names_another_number_anywhere_is_none() {
        assert_eq!(read(json!({ "order_no": "77" })), Some(true));
        assert_eq!(read(json!({ "order_no": 77 })), Some(true), "many systems write numbers as numbers");
        assert_eq!(read(json!({ "order": { "order_no": "77" }, "order_no": null })), Some(true));
        for silent in [json!({}), json!(null), json!([]), json!("77"), json!({ "order_no": null })] {
            assert_eq!(read(silent), Some(false));
        }
        for other in [
            json!({ "order_no": "78" }),
            json!({ "order_no": "" }),
            json!({ "order_no": "77 " }),
            json!({ "order_no": 78 }),
            json!({ "order_no": "77", "order": { "order_no": "78" } }),
        ] {
            assert_eq!(read(other), None);
        }
    }
}
