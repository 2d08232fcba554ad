//! Sentences of attention in the language of who asks (`Accept-Language`), from the catalogue that the console shares. In English they
//! tell of the very case; in the others, what its kind means and what to do, with the English sentence kept beside it.

use http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::console::catalogue::{Language, Words};
use crate::http::ops::call::Said;

/// The language that a request wishes.
pub(crate) fn wished(headers: &HeaderMap) -> Language {
    let wish = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    wish.map_or(Language::En, Language::preferred)
}

/// An answer in that language.
pub(crate) fn in_language(language: Language, said: &mut Said) {
    if language == Language::En || !said.kind.contains("json") {
        return;
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&said.body) else { return };
    if translate(&Words::of(language), &mut body) {
        said.body = body.to_string().into_bytes();
    }
}

/// Whether there was something to translate.
fn translate(words: &Words, value: &mut Value) -> bool {
    match value {
        Value::Array(items) => items.iter_mut().fold(false, |found, item| translate(words, item) | found),
        Value::Object(fields) => {
            let named =
                ["kind", "command", "sentence"].map(|name| fields.get(name).and_then(Value::as_str).map(str::to_owned));
            if let [Some(kind), Some(command), Some(sentence)] = named {
                fields.insert("detail".to_owned(), json!(sentence));
                fields.insert("sentence".to_owned(), json!(format!("{} ({command})", words.attention_means(&kind))));
                return true;
            }
            fields.values_mut().fold(false, |found, field| translate(words, field) | found)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_translated_wherever_it_stands_and_the_case_is_kept() {
        let attention = json!({ "kind": "refund_waits", "since": "x", "command": "ticketbridge refunds", "sentence": "why (ticketbridge refunds)" });
        let mut page = json!({ "items": [{ "id": "ord_1", "attention": attention, "attentions": [attention] }] });
        assert!(translate(&Words::of(Language::Ko), &mut page));
        for place in ["/items/0/attention", "/items/0/attentions/0"] {
            let said = page.pointer(place).unwrap();
            assert!(said["sentence"].as_str().unwrap().starts_with("환불이"), "{said}");
            assert!(said["sentence"].as_str().unwrap().ends_with("(ticketbridge refunds)"));
            assert_eq!(said["detail"], "why (ticketbridge refunds)");
        }
        assert!(!translate(&Words::of(Language::Ko), &mut json!({ "kind": "x", "sentence": "y" })));
    }
}
