// SPDX-License-Identifier: Apache-2.0

//! The query of a request: known parameters alone, each in its form; and the part of a list that is wanted.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use ticketbridge_core::limits::TEXT_CHARS_MAX;
use ticketbridge_core::{Date, UnixMillis};
use ticketbridge_store::{Page, PageRequest};

use crate::http::ops::answers::Listed;
use crate::http::ops::fields::{Param, ParamKind};
use crate::http::problem::Problem;

/// Entries of a page, when nothing is said.
pub(crate) const LIMIT_DEFAULT: u32 = 50;
/// Entries of a page, at most.
pub(crate) const LIMIT_MAX: u32 = 200;

/// Parameters that were checked against the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Vec<(&'static str, String)>);

/// A 422 about a parameter.
pub(crate) fn refused(name: &str, sentence: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", sentence).at(name)
}

impl Asked {
    /// Reads a query string.
    ///
    /// # Errors
    /// A parameter that is not known, comes twice, or is not in its form.
    pub(crate) fn read(raw: &str, known: &'static [Param]) -> Result<Self, Problem> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name), decode(value));
            let Some(param) = known.iter().find(|param| param.name == name) else {
                let names: Vec<&str> = known.iter().map(|param| param.name).collect();
                let known = if names.is_empty() { "it takes none".to_owned() } else { names.join(", ") };
                return Err(refused(&name, format!("this call has no parameter `{name}`; known: {known}")));
            };
            if found.iter().any(|(name, _)| *name == param.name) {
                return Err(refused(&name, format!("`{name}` comes twice; give it once")));
            }
            // `?state=` is no wish, as an empty field of a form is none.
            if !value.is_empty() {
                check(param, &value)?;
                found.push((param.name, value));
            }
        }
        Ok(Self(found))
    }

    /// The same of an object, as a body has it: an entry is text, a number, or true or false.
    ///
    /// # Errors
    /// As [`Asked::read`]; and a part of a list, which is no filter.
    pub(crate) fn of_object(fields: &Map<String, Value>, known: &'static [Param]) -> Result<Self, Problem> {
        let mut parts = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            if matches!(name.as_str(), "limit" | "cursor") {
                return Err(refused(name, format!("`{name}` is a part of a list, and no filter")));
            }
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null => continue,
                Value::Array(_) | Value::Object(_) => {
                    return Err(refused(name, format!("`match.{name}` is text")));
                }
            };
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            parts.push(format!("{}={}", encoded(name), encoded(&text)));
        }
        Self::read(&parts.join("&"), known)
    }

    /// A parameter's text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
    /// A parameter that is a word for a value.
    pub(crate) fn word<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(Value::from(self.text(name)?)).ok()
    }
    /// A parameter that is a date.
    pub(crate) fn date(&self, name: &str) -> Option<Date> {
        self.text(name).and_then(Date::parse)
    }
    /// A parameter that is a time.
    pub(crate) fn time(&self, name: &str) -> Option<UnixMillis> {
        self.text(name).and_then(UnixMillis::parse_rfc3339)
    }
    /// How many entries are wanted.
    pub(crate) fn limit(&self) -> u32 {
        self.text("limit").and_then(|text| text.parse().ok()).unwrap_or(LIMIT_DEFAULT)
    }
    /// Which part of a list is wanted.
    pub(crate) fn page(&self) -> PageRequest {
        PageRequest { limit: self.limit(), cursor: self.text("cursor").map(str::to_owned) }
    }
}

fn decode(text: &str) -> String {
    // A plus sign stays one: offsets of times have it, and none of our words has a space.
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn check(param: &Param, value: &str) -> Result<(), Problem> {
    let name = param.name;
    let sentence = match param.kind {
        ParamKind::Word(words) if words.contains(&value) => return Ok(()),
        ParamKind::Word(words) => format!("`{name}` is one of {}", words.join(", ")),
        ParamKind::Text | ParamKind::Cursor if value.chars().count() <= TEXT_CHARS_MAX => return Ok(()),
        ParamKind::Text | ParamKind::Cursor => format!("`{name}` has at most {TEXT_CHARS_MAX} characters"),
        ParamKind::Date if Date::parse(value).is_some() => return Ok(()),
        ParamKind::Date => format!("`{name}` is a date YYYY-MM-DD"),
        ParamKind::Time if UnixMillis::parse_rfc3339(value).is_some() => return Ok(()),
        ParamKind::Time => format!("`{name}` is a time with an offset, for example 2026-12-01T09:00:00%2B08:00"),
        ParamKind::Limit if value.parse().is_ok_and(|limit: u32| (1..=LIMIT_MAX).contains(&limit)) => return Ok(()),
        ParamKind::Limit => format!("`{name}` is a whole number from 1 to {LIMIT_MAX}"),
    };
    Err(refused(name, sentence))
}

/// A page as it is answered.
pub(crate) fn listed<'p, T, V>(page: &'p Page<T>, view: impl FnMut(&'p T) -> V) -> Listed<V> {
    Listed { items: page.items.iter().map(view).collect(), next_cursor: page.next_cursor.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    static KNOWN: &[Param] = &[
        Param { name: "state", kind: ParamKind::Word(&["placed", "booked"]), needed: false, about: "" },
        Param { name: "visit_date", kind: ParamKind::Date, needed: false, about: "" },
        Param { name: "due_before", kind: ParamKind::Time, needed: false, about: "" },
        Param { name: "limit", kind: ParamKind::Limit, needed: false, about: "" },
        Param { name: "q", kind: ParamKind::Text, needed: false, about: "" },
    ];

    #[test]
    fn limits_are_one_to_two_hundred() {
        for (query, limit) in [("", Some(50)), ("limit=1", Some(1)), ("limit=200", Some(200)), ("limit=", Some(50))] {
            assert_eq!(Asked::read(query, KNOWN).ok().map(|asked| asked.limit()), limit, "{query}");
        }
        for query in ["limit=0", "limit=201", "limit=-1", "limit=ten", "limit=1.0"] {
            assert_eq!(Asked::read(query, KNOWN).unwrap_err().field.as_deref(), Some("limit"), "{query}");
        }
    }

    #[test]
    fn every_parameter_is_known_and_in_its_form() {
        for (query, field) in [
            ("stat=placed", "stat"),
            ("state=paid", "state"),
            ("visit_date=2026-13-01", "visit_date"),
            ("due_before=2026-12-01", "due_before"),
            ("q=a&q=b", "q"),
        ] {
            let problem = Asked::read(query, KNOWN).unwrap_err();
            assert_eq!((problem.status, problem.field.as_deref()), (422, Some(field)), "{query}");
        }
        let said = Asked::read("state=paid", KNOWN).unwrap_err().detail;
        assert!(said.contains("placed, booked"), "{said}");
        let asked = Asked::read("due_before=2026-12-01T09:00:00+08:00&q=a%7Cb%20c", KNOWN).unwrap();
        assert!(asked.time("due_before").is_some(), "a plus sign in a time may come unescaped");
        assert_eq!(asked.text("q"), Some("a|b c"));
    }
}
