// SPDX-License-Identifier: Apache-2.0

//! Reading a partner's settings: everything that is wrong is found at once, each with its key and how to mend it.

use http::Uri;
use serde_json::Value;
use ticketbridge_core::port::SettingsProblem;
use ticketbridge_core::time::{Millis, TimeZone};

use crate::standard_webhooks::{Secret, Secrets};

/// Reads a settings table and gathers its problems. Unknown keys are the configuration's business, which knows the list of known ones.
pub struct Settings<'a> {
    table: &'a Value,
    problems: Vec<SettingsProblem>,
}

impl<'a> Settings<'a> {
    /// Begins to read `table`.
    pub fn new(table: &'a Value) -> Self {
        Self { table, problems: Vec::new() }
    }

    /// Remembers a problem at `key`.
    pub fn problem(&mut self, key: impl Into<String>, problem: impl Into<String>, mend: impl Into<String>) {
        let (key, problem, mend) = (key.into(), problem.into(), mend.into());
        self.problems.push(SettingsProblem { key, problem, mend, warning: false });
    }

    /// Ends the reading: what was read, or everything that is wrong.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Vec<SettingsProblem>> {
        match read {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(self.problems),
        }
    }

    /// A value by its key; a dot leads into a table.
    fn get(&self, key: &str) -> Option<&'a Value> {
        let found = key.split('.').try_fold(self.table, |table, step| table.get(step))?;
        Some(found).filter(|value| !value.is_null())
    }

    /// A value that must be there; `mend` says what to write.
    fn required(&mut self, key: &str, mend: &str) -> Option<&'a Value> {
        let value = self.get(key);
        if value.is_none() {
            self.problem(key, format!("`{key}` is missing"), mend);
        }
        value
    }

    /// One word of `words`, which must be there.
    pub fn word(&mut self, key: &str, words: &[&'static str]) -> Option<&'static str> {
        let list = words.join(" | ");
        let value = self.required(key, &format!("write {key} = one of {list}"))?;
        let known = value.as_str().and_then(|text| words.iter().find(|word| **word == text));
        if known.is_none() {
            self.problem(key, format!("{value} is not one of {list}"), format!("write one of {list}"));
        }
        known.copied()
    }

    /// One word of `words`; the first when nothing is said.
    pub fn word_or(&mut self, key: &str, words: &[&'static str]) -> &'static str {
        let default = words.first().copied().unwrap_or_default();
        if self.get(key).is_none() { default } else { self.word(key, words).unwrap_or(default) }
    }

    /// Some of `known`, at least one; `None` when nothing is said.
    pub fn words(&mut self, key: &str, known: &[&'static str]) -> Option<Vec<&'static str>> {
        let said = self.texts(key)?;
        let mut words = Vec::with_capacity(said.len());
        for (index, text) in said.iter().enumerate() {
            match known.iter().find(|word| *word == text) {
                Some(word) => words.push(*word),
                None => {
                    let list = known.join(" | ");
                    self.problem(format!("{key}.{index}"), format!("`{text}` is not one of {list}"), "take it out");
                }
            }
        }
        if said.is_empty() {
            self.problem(key, "the list is empty", "name at least one, or leave the list out");
        }
        Some(words)
    }

    /// A list of texts; `None` when nothing is said.
    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let value = self.get(key)?;
        let texts = value.as_array().map(|all| all.iter().map(|one| one.as_str().map(str::to_owned)));
        let texts: Option<Vec<String>> = texts.and_then(Iterator::collect);
        if texts.is_none() {
            self.problem(key, format!("{value} is not a list of texts"), "write [\"one\", \"two\"]");
        }
        texts
    }

    /// A text that must be there and not empty. It may be a secret, so no problem shows it.
    pub fn text(&mut self, key: &str, mend: &str) -> Option<&'a str> {
        let value = self.required(key, mend)?;
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
        if text.is_none() {
            self.problem(key, "it is empty, or no text", mend);
        }
        text
    }

    /// A text that may be left out. It may be a secret, so no problem shows it.
    pub fn optional_text(&mut self, key: &str) -> Option<&'a str> {
        self.get(key)?;
        self.text(key, "write a text, or leave it out")
    }

    /// Yes or no; no when nothing is said.
    pub fn flag(&mut self, key: &str) -> bool {
        let Some(value) = self.get(key) else { return false };
        let flag = value.as_bool();
        if flag.is_none() {
            self.problem(key, format!("{value} is neither true nor false"), "write true or false, without quotes");
        }
        flag.unwrap_or(false)
    }

    /// A zone of the world's time, by its IANA name.
    pub fn time_zone(&mut self, key: &str) -> Option<TimeZone> {
        let value = self.get(key)?;
        let zone = value.as_str().and_then(TimeZone::parse);
        if zone.is_none() {
            self.problem(
                key,
                format!("{value} is not a time zone"),
                "write an IANA name, for example \"Europe/Paris\"",
            );
        }
        zone
    }

    /// A whole number of zero or more, or `default`.
    pub fn count(&mut self, key: &str, default: u32) -> u32 {
        let Some(value) = self.get(key) else { return default };
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
        if number.is_none() {
            self.problem(key, format!("{value} is not a whole number of 0 or more"), "write a number, for example 50");
        }
        number.unwrap_or(default)
    }

    /// A length of time of 1 ms up to `max`; `None` when it is not given.
    pub fn duration(&mut self, key: &str, max: Millis) -> Option<Millis> {
        let value = self.get(key)?;
        let length = value.as_str().and_then(Millis::parse).filter(|length| (1..=max.0).contains(&length.0));
        if length.is_none() {
            let problem = format!("{value} is not a length of time from 1 ms to {} s", max.0 / 1_000);
            self.problem(key, problem, "write a number and a unit, for example \"5s\" or \"1m30s\"");
        }
        length
    }

    /// One Standard Webhooks secret, or a list of them while they are being replaced. Problems never show a value.
    pub fn webhook_secrets(&mut self, key: &str) -> Option<Secrets> {
        const MEND: &str = "write a Standard Webhooks secret: whsec_ and base64, best from { env = \"NAME\" }";
        let value = self.required(key, MEND)?;
        let texts: Vec<(String, &Value)> = match value {
            Value::Array(list) => list.iter().enumerate().map(|(index, v)| (format!("{key}.{index}"), v)).collect(),
            one => vec![(key.to_owned(), one)],
        };
        let before = self.problems.len();
        let mut secrets = Vec::with_capacity(texts.len());
        for (path, value) in texts {
            match value.as_str().map(Secret::parse) {
                Some(Ok(secret)) => secrets.push(secret),
                Some(Err(error)) => self.problem(path, format!("the secret cannot be used: {error}"), MEND),
                None => self.problem(path, "the secret is not a text", MEND),
            }
        }
        if self.problems.len() > before {
            return None;
        }
        match Secrets::new(secrets) {
            Ok(secrets) => Some(secrets),
            Err(error) => {
                self.problem(
                    key,
                    error.to_string(),
                    "keep the present secret, and older ones only while they are in use",
                );
                None
            }
        }
    }

    /// An address that calls are made under, which must be there; without a slash at its end. It must be `https`, except on this machine.
    pub fn base_url(&mut self, key: &str) -> Option<String> {
        const MEND: &str =
            "write the address of the partner's interface, for example \"https://tickets.example/bridge\"";
        let value = self.required(key, MEND)?;
        match value.as_str().ok_or("it is not a text").and_then(read_base_url) {
            Ok(url) => Some(url),
            Err(why) => {
                self.problem(key, format!("the address cannot be used: {why}"), MEND);
                None
            }
        }
    }
}

fn read_base_url(text: &str) -> Result<String, &'static str> {
    if text.contains(['?', '#']) {
        return Err("it has a query or a fragment");
    }
    let uri: Uri = text.parse().map_err(|_| "it is not a URL")?;
    let authority = uri.authority().ok_or("it has no host")?;
    if authority.as_str().contains('@') {
        return Err("it has a user name; calls are signed instead");
    }
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if is_loopback(authority.host()) => {}
        Some("http") => return Err("it is http; only https protects guests' data on the way"),
        _ => return Err("it is neither https nor http"),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether a host, as written in a URL, is this machine.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_are_https_except_on_this_machine() {
        for (text, expected) in [
            ("https://tickets.example/bridge/", Some("https://tickets.example/bridge")),
            ("https://tickets.example", Some("https://tickets.example")),
            ("http://127.0.0.1:9/x", Some("http://127.0.0.1:9/x")),
            ("http://localhost:9", Some("http://localhost:9")),
            ("http://[::1]:9", Some("http://[::1]:9")),
            ("http://tickets.example", None),
            ("http://127.0.0.1.example", None),
            ("ftp://tickets.example", None),
            ("tickets.example", None),
            ("/bridge", None),
            ("https://user:password@tickets.example", None),
            ("https://tickets.example/?a=b", None),
            ("https://tickets.example/#a", None),
            ("", None),
        ] {
            assert_eq!(read_base_url(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn every_problem_is_found_at_once_and_no_secret_is_shown() {
        let table =
            json!({ "kind": "qrs", "low_water": -1, "timeout": "0s", "secret": ["whsec_QUI=", "very-secret", 7] });
        let mut settings = Settings::new(&table);
        assert_eq!(settings.word("kind", &["code", "qr"]), None);
        assert_eq!(settings.count("low_water", 50), 50);
        assert_eq!(settings.duration("timeout", Millis::minutes(1)), None);
        assert_eq!(settings.webhook_secrets("secret"), None);
        assert_eq!(settings.base_url("base_url"), None);
        let problems = settings.finish(Some(())).unwrap_err();
        let keys: Vec<_> = problems.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(keys, ["kind", "low_water", "timeout", "secret.1", "secret.2", "base_url"]);
        assert!(!format!("{problems:?}").contains("very-secret"));
    }

    #[test]
    fn lengths_of_time_have_both_bounds() {
        for (text, expected) in [("1ms", Some(1)), ("60s", Some(60_000)), ("60001ms", None), ("0ms", None), ("5", None)]
        {
            let table = json!({ "timeout": text });
            let mut settings = Settings::new(&table);
            assert_eq!(settings.duration("timeout", Millis::minutes(1)).map(|l| l.0), expected, "{text}");
            assert_eq!(settings.finish(Some(())).is_ok(), expected.is_some(), "{text}");
        }
    }
}
