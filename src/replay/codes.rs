// SPDX-License-Identifier: Apache-2.0

//! Codes of tickets in a report. Whoever has one is admitted, and a report goes where many read it: what stands there instead is the same for
//! the same code, and does not tell it.

use std::collections::HashSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::recorder::file::Recorded;
use crate::recorder::outcome::Outcome;

/// The part of an outcome that holds codes.
const PART: &str = "codes";
/// Fields of partners' messages that hold codes. `code` itself says what went wrong more often; codes that an order has are known anyway.
const FIELDS: [&str; 13] = [
    "qrcode",
    "qrcodes",
    "qr_code",
    "qr_codes",
    "codes",
    "barcode",
    "ticket_code",
    "ticketcode",
    "voucher_code",
    "vouchercode",
    "certificate_no",
    "ticket_no",
    "deliveryvalue",
];

/// The codes that are known.
#[derive(Default)]
pub(super) struct Codes(HashSet<String>);

impl Codes {
    /// All that a recording knows of.
    pub(super) fn of(recorded: &Recorded) -> Self {
        let drawn = recorded.drawn.iter().flat_map(|drawn| &drawn.codes);
        let pools = recorded.pools.values().flatten();
        let mut codes = Self(recorded.codes.iter().chain(drawn).chain(pools).cloned().collect());
        recorded.outcomes.iter().for_each(|outcome| codes.know(outcome));
        codes
    }

    /// What admits to an order.
    pub(super) fn know(&mut self, outcome: &Outcome) {
        outcome.parts.iter().filter(|(part, _)| part == PART).for_each(|(_, codes)| self.know_all(codes));
    }

    fn know_all(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.know_all(item)),
            Value::String(code) => drop(self.0.insert(code.clone())),
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A value as a report may show it; it is of a field at this place.
    pub(super) fn hidden(&self, at: &str, value: &Value) -> Value {
        let field = at.rsplit('/').find(|step| !step.bytes().all(|byte| byte.is_ascii_digit()));
        self.hidden_in(field.is_some_and(holds_codes), value)
    }

    fn hidden_in(&self, is_code: bool, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let hidden = |(key, inner): (&String, &Value)| {
                    (key.clone(), self.hidden_in(holds_codes(key) || is_code && inner.is_array(), inner))
                };
                Value::Object(fields.iter().map(hidden).collect())
            }
            Value::Array(items) => items.iter().map(|item| self.hidden_in(is_code, item)).collect(),
            Value::String(text) if is_code && !text.is_empty() => Value::String(stand_in(text)),
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                // JSON inside of JSON, as some partners write it.
                Ok(inner @ (Value::Object(_) | Value::Array(_))) => self.hidden_in(false, &inner).to_string().into(),
                Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | Err(_) => {
                    self.text(text).into()
                }
            },
            plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain.clone(),
        }
    }

    /// A text without the codes in it.
    pub(super) fn text(&self, text: &str) -> String {
        if self.0.contains(text) {
            return stand_in(text);
        }
        let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(begin) = rest.find(goes_on) {
            shown.push_str(&rest[..begin]);
            rest = &rest[begin..];
            let word = &rest[..rest.find(|c| !goes_on(c)).unwrap_or(rest.len())];
            if self.0.contains(word) {
                shown.push_str(&stand_in(word));
            } else {
                shown.push_str(word);
            }
            rest = &rest[word.len()..];
        }
        shown + rest
    }
}

fn holds_codes(field: &str) -> bool {
    FIELDS.contains(&field.to_ascii_lowercase().as_str())
}

/// What stands for a code: too short to find it by.
fn stand_in(code: &str) -> String {
    let [first, second, ..] =
        <[u8; 32]>::from(Sha256::new().chain_update(b"a code in a report ").chain_update(code).finalize());
    format!("code-{first:02x}{second:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_code_is_shown_and_each_has_its_own_stand_in() {
        let outcome = Outcome {
            order: ("c".to_owned(), "1".to_owned()),
            parts: vec![(PART.to_owned(), json!([["TK-1", "TK-2"]]))],
        };
        let mut codes = Codes::default();
        codes.know(&outcome);
        let told = json!({
            "vouchers": [{ "qrcodes": ["never-seen"], "code": "TK-1" }], "text": "show TK-2, please", "code": "not_found",
            "inner": "{\"code\":\"TK-2\"}", "url": "https://t.example/TK-1?x=1", "other": "TK-11",
        });
        let shown = codes.hidden("", &told).to_string();
        for code in ["never-seen", "TK-1\"", "TK-2", "TK-1?"] {
            assert!(!shown.contains(code), "{code}: {shown}");
        }
        for plain in ["not_found", "show code-", ", please", "TK-11"] {
            assert!(shown.contains(plain), "{plain}: {shown}");
        }
        assert_ne!(codes.hidden("", &json!("TK-1")), codes.hidden("", &json!("TK-2")));
        assert_ne!(codes.hidden("/data/codes/0", &json!("a")), json!("a"));
        assert_eq!(codes.hidden("/data/0", &json!("a")), json!("a"));
    }
}
