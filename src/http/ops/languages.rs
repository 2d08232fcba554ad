// SPDX-License-Identifier: Apache-2.0

//! Sentences of attention, and why something was refused, in the language of who asks (`Accept-Language`), from the catalogue that the
//! console shares. In English they tell of the very case; in the others, what its kind means and what to do, with the English sentence kept
//! beside it: of a problem, `title` is what is translated, and `detail` tells of the case.

use axum::response::Response;
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

/// A refusal in that language, by its code; every other answer as it is.
pub(crate) async fn refused_in(language: Language, response: Response) -> Response {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().ends_with(b"json"));
    if language == Language::En
        || !is_json
        || !(response.status().is_client_error() || response.status().is_server_error())
    {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // Our own answer: it is as long as it is.
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Ok(mut problem) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(head, bytes.into());
    };
    let code = problem["code"].as_str().unwrap_or_default();
    let Some(sentence) = Words::of(language).problem(code) else { return Response::from_parts(head, bytes.into()) };
    problem["title"] = json!(sentence);
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, problem.to_string().into())
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

    #[tokio::test]
    async fn a_refusal_has_its_title_in_the_language_and_its_case_in_english() {
        use axum::response::IntoResponse as _;
        let problem = || crate::http::problem::Problem::new(http::StatusCode::CONFLICT, "off_sale", "P-1 is over");
        let told = async |language| {
            let response = refused_in(language, problem().into_response()).await;
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
            let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        let (english, korean) = (told(Language::En).await, told(Language::Ko).await);
        assert_eq!(english["title"], "Conflict");
        assert!(korean["title"].as_str().unwrap().starts_with("판매하지"), "{korean}");
        assert_eq!((&korean["detail"], &korean["code"]), (&english["detail"], &english["code"]));
    }
}
