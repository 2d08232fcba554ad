// SPDX-License-Identifier: Apache-2.0

//! What a partner said and was answered, as text that may be shown: the order's own guests are masked wherever they are named, what looks
//! like somebody's phone, document or address too, and whatever stands under a name that is one of a person.

use serde_json::Value;
use ticketbridge_core::quoted::Guests;

/// Parts of names under which partners tell of people.
const OF_PEOPLE: [&str; 20] = [
    "name",
    "phone",
    "mobile",
    "tel",
    "mail",
    "document",
    "passport",
    "birth",
    "addr",
    "contact",
    "memo",
    "remark",
    "credential",
    "card",
    "identity",
    "guest",
    "traveler",
    "tourist",
    "buyer",
    "token",
];
/// Parts of names under which they tell of what is sold, although one of the above stands in them.
const OF_THINGS: [&str; 6] = ["product", "sku", "option", "unit", "account_name", "event"];
/// Parts of names under which stands what proves who one is.
const OF_PROOFS: [&str; 5] = ["token", "secret", "password", "credential", "sign"];
/// What stands for something that is not shown.
const MASKED: &str = "***";

/// A body, masked for these guests: as JSON where it is that, and as text otherwise.
pub(crate) fn shown(body: &[u8], guests: &Guests) -> Value {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut said) => {
            mask(&mut said, false, is_of_people);
            guests.json(&mut said);
            said
        }
        Err(_) => Value::from(guests.text(&String::from_utf8_lossy(body)).to_string()),
    }
}

/// A body for somebody who sees these guests in clear: what proves who one is stays hidden all the same, and so does what looks like
/// somebody in a text that is no JSON.
pub(crate) fn in_clear(body: &[u8]) -> Value {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut said) => {
            mask(&mut said, false, is_of_proofs);
            said
        }
        Err(_) => Value::from(Guests::nobody().text(&String::from_utf8_lossy(body)).to_string()),
    }
}

fn is_of_proofs(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OF_PROOFS.iter().any(|part| name.contains(part))
}

fn is_of_people(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OF_PEOPLE.iter().any(|part| name.contains(part)) && !OF_THINGS.iter().any(|part| name.contains(part))
}

/// Masks every text and number that stands under a name that is not for everybody, in whatever parts.
fn mask(said: &mut Value, is_hidden: bool, hides: fn(&str) -> bool) {
    match said {
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, value)| mask(value, is_hidden || hides(name), hides))
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, is_hidden, hides)),
        Value::String(text) if is_hidden && !text.is_empty() => MASKED.clone_into(text),
        Value::Number(_) if is_hidden => *said = Value::from(MASKED),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn people_are_masked_and_what_is_sold_is_not() {
        let body = json!({
            "order_id": "V100", "product_name": "Lake tour", "count": 2, "buyer": { "name": "Zoe Stranger", "phone": "13800000001" },
            "visitors": [{ "name": "Zoe Stranger", "mobile": 13_800_000_001_u64 }], "notes": "call 13800000001",
            "names": ["Zoe Stranger"], "amount": { "pay_amount": 19_900 },
        });
        let said = shown(body.to_string().as_bytes(), &Guests::nobody());
        for kept in ["V100", "Lake tour", "19900"] {
            assert!(said.to_string().contains(kept), "{kept}: {said}");
        }
        for hidden in ["Zoe", "13800000001"] {
            assert!(!said.to_string().contains(hidden), "{hidden}: {said}");
        }
        let clear = in_clear(
            br#"{"visitors":[{"name":"Zoe Stranger"}],"access_token":"t0ken","deep":{"client_secret":{"a":7}}}"#,
        );
        assert_eq!(
            clear,
            json!({ "visitors": [{ "name": "Zoe Stranger" }], "access_token": "***", "deep": { "client_secret": { "a": "***" } } })
        );
        let text = shown(b"Zoe rang from 13800000001", &Guests::nobody());
        assert!(!text.to_string().contains("13800000001"), "{text}");
    }
}
