// SPDX-License-Identifier: Apache-2.0

//! What browsers send: `application/x-www-form-urlencoded`, in a body or in an address.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

/// Where the console begins.
pub const PREFIX: &str = "/console";

/// A path of the console.
pub(crate) fn link(path: &str) -> String {
    if path.is_empty() { PREFIX.to_owned() } else { format!("{PREFIX}/{path}") }
}

/// Letters, digits, and what is harmless in a query.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Text as it stands in an address.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// Fields by name; a name may come several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads what was sent.
    pub(crate) fn read(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// A field that holds something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A field, or nothing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Every value of a field that may come several times.
    pub(crate) fn each<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The fields that hold something.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// As an address has it: these fields alone, those that hold something.
    pub(crate) fn only(&self, names: &[&str]) -> String {
        let kept = self.0.iter().filter(|(name, value)| names.contains(&name.as_str()) && !value.is_empty());
        joined(kept)
    }

    /// The same, without these.
    pub(crate) fn text_without(&self, names: &[&str]) -> String {
        joined(self.0.iter().filter(|(name, value)| !names.contains(&name.as_str()) && !value.is_empty()))
    }

    /// The same with one field set.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let rest = self.text_without(&[name]);
        let own = format!("{}={}", encode(name), encode(value));
        if rest.is_empty() { own } else { format!("{rest}&{own}") }
    }
}

fn joined<'f>(pairs: impl Iterator<Item = &'f (String, String)>) -> String {
    pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// `kind:id`, as the choices of a form have it.
pub(crate) fn scope_of(text: &str) -> Value {
    match text.split_once(':') {
        Some((kind, id)) => json!({ "kind": kind, "id": id }),
        None => json!({ "kind": text }),
    }
}

/// Where a form leads back to: a page of ours, or the first one. An address of somebody else is none.
pub(crate) fn back(text: &str) -> String {
    let is_ours = text == PREFIX || text.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with(['/', '?']));
    let is_plain = text.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    if is_ours && is_plain && !text.contains("//") { text.to_owned() } else { PREFIX.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_and_written_alike() {
        let form = Form::read("q=a%26b+c&state=&channel=kakao-%ED%95%9C".as_bytes());
        assert_eq!((form.get("q"), form.get("state"), form.text("channel")), (Some("a&b c"), None, "kakao-한"));
        assert_eq!(form.only(&["q"]), "q=a%26b%20c");
        assert_eq!(form.with("cursor", "x="), "q=a%26b%20c&channel=kakao-%ED%95%9C&cursor=x%3D");
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        for (text, to) in [
            ("/console/orders?q=1", "/console/orders?q=1"),
            ("/console", "/console"),
            ("/consolex", "/console"),
            ("//evil.example", "/console"),
            ("https://evil.example/console", "/console"),
            ("/console//evil.example", "/console"),
            ("/console/\\evil.example", "/console"),
            ("/console/\nSet-Cookie: x", "/console"),
            ("", "/console"),
        ] {
            assert_eq!(back(text), to, "{text}");
        }
    }
}
