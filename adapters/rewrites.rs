// SPDX-License-Identifier: Apache-2.0

//! How a signer's library may have written a body anew before it signed it: for telling somebody what went wrong, never for believing him.

use serde_json::Value;

/// The other ways in which a JSON body is commonly written: keys as they came or sorted, with and without blanks, letters beyond ASCII
/// as they are or escaped, on one line or on several; and with a line end more or less. None for a body that is no JSON.
pub(crate) fn of(body: &[u8]) -> Vec<Vec<u8>> {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let sorted = sorted(value.clone());
    let mut written = Vec::new();
    for value in [&value, &sorted] {
        for separators in [[",", ":"], [", ", ": "]] {
            let mut text = String::new();
            write(value, separators, &mut text);
            written.push(text);
        }
        written.extend(serde_json::to_string_pretty(value));
    }
    let escaped: Vec<String> = written.iter().map(|text| escaped(text)).collect();
    written.extend(escaped);
    written.into_iter().map(String::into_bytes).filter(|text| text != body).collect()
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn write(value: &Value, separators: [&str; 2], text: &mut String) {
    let [comma, colon] = separators;
    match value {
        Value::Object(map) => {
            text.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                text.push_str(if index > 0 { comma } else { "" });
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push_str(colon);
                write(value, separators, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, value) in items.iter().enumerate() {
                text.push_str(if index > 0 { comma } else { "" });
                write(value, separators, text);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

/// Every character beyond ASCII as `\uXXXX`, as some libraries write JSON.
fn escaped(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}")));
        }
    }
    ascii
}
