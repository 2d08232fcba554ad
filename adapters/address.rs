// SPDX-License-Identifier: Apache-2.0

//! Addresses of calls, made of parts. Partners' numbers stand in paths, and a number is never a way to another path: each is one segment,
//! escaped, or the call is not made.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ticketbridge_core::port::EncodeError;

/// What may stand in a segment or a value of the query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How often a text is unescaped to see what a server that unescapes twice would see.
const UNESCAPED_TIMES: usize = 3;
/// Bytes of one segment before it is escaped.
const SEGMENT_BYTES_MAX: usize = 512;

/// An address in the making: a configured base, then words of ours and numbers of others.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    text: String,
    has_query: bool,
}

impl Address {
    /// The configured base, which may end with a slash or not.
    pub(crate) fn at(base: &str) -> Self {
        Self { text: base.trim_end_matches('/').to_owned(), has_query: false }
    }
    /// Words of the contract, such as `/v1/bookings`.
    pub(crate) fn path(mut self, words: &'static str) -> Self {
        debug_assert!(words.starts_with('/') && !self.has_query);
        self.text.push_str(words);
        self
    }
    /// A number, a code, a name: one segment of the path, whatever it holds.
    ///
    /// # Errors
    /// [`EncodeError::Invalid`] for what is empty, too long, has control characters, or would be another path where somebody unescapes it.
    pub(crate) fn segment(mut self, number: &str) -> Result<Self, EncodeError> {
        check(number)?;
        self.text.push('/');
        self.text.extend(utf8_percent_encode(number, PLAIN));
        Ok(self)
    }
    /// A parameter of the query.
    pub(crate) fn query(mut self, name: &'static str, value: &str) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.text.push_str(name);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, PLAIN));
        self
    }
    /// The whole.
    pub(crate) fn url(self) -> String {
        self.text
    }
}

fn check(number: &str) -> Result<(), EncodeError> {
    let refuse = |why: &str| Err(EncodeError::Invalid(format!("a number that stands in the address of a call {why}")));
    if number.is_empty() || number.len() > SEGMENT_BYTES_MAX {
        return refuse(&format!("must have 1 to {SEGMENT_BYTES_MAX} bytes"));
    }
    let mut seen = number.to_owned();
    for _ in 0..=UNESCAPED_TIMES {
        if seen.chars().any(char::is_control) {
            return refuse("has control characters");
        }
        if seen.split(['/', '\\']).any(|part| matches!(part.trim(), "." | "..")) {
            return refuse("would lead to another path");
        }
        let unescaped = percent_decode_str(&seen).decode_utf8_lossy().into_owned();
        if unescaped == seen {
            break;
        }
        seen = unescaped;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: &str) -> Option<String> {
        let address = Address::at("https://p.example/api/").path("/v1/bookings").segment(number).ok()?;
        Some(address.path("/cancel").url())
    }

    #[test]
    fn a_number_is_one_segment_or_no_call_is_made() {
        for (number, segment) in [
            ("R2025-000123", "R2025-000123"),
            ("a.b", "a.b"),
            ("...", "..."),
            ("예약/1", "%EC%98%88%EC%95%BD%2F1"),
            ("a b?c#d&e=f", "a%20b%3Fc%23d%26e%3Df"),
            ("100%", "100%25"),
            ("%41", "%2541"),
        ] {
            assert_eq!(of(number).as_deref(), Some(&*format!("https://p.example/api/v1/bookings/{segment}/cancel")));
        }
        for number in [
            "",
            ".",
            "..",
            "%2e",
            "%2E%2e",
            ".%2e",
            "%252e%252e",
            "../x",
            "x/../y",
            "x%2f..%2fy",
            "x\\..\\y",
            "..%5cx",
            " .. ",
            "a\nb",
            "a\0b",
            "a%0ab",
            "a%00",
        ] {
            assert_eq!(of(number), None, "{number:?}");
        }
        assert!(of(&"x".repeat(SEGMENT_BYTES_MAX)).is_some());
        assert!(of(&"x".repeat(SEGMENT_BYTES_MAX + 1)).is_none());
        // What a library makes of the whole is what was meant.
        for number in ["...", "예약/1", "100%", "%41", "a;b", "a:b", "@"] {
            let text = of(number).unwrap();
            let url: http::Uri = text.parse().unwrap();
            assert_eq!(url.path().split('/').count(), 6, "{text}");
        }
    }

    #[test]
    fn a_query_is_escaped_too() {
        let url = Address::at("https://p.example").path("/v1/x").query("a", "1&b=2").query("c", "..").url();
        assert_eq!(url, "https://p.example/v1/x?a=1%26b%3D2&c=..");
    }
}
