// SPDX-License-Identifier: Apache-2.0

//! Differences that are wanted: rules in a file, each with its reason.
//!
//! ```toml
//! [[expected]]
//! what   = "answer"                     # answer | order | call
//! where  = "douyin-main/refund-apply"   # which; * stands for anything
//! change = "/data/*"                    # what of it, as the report names it
//! reason = "refunds of less than a yuan are approved at once since 0.2"
//! ```

use std::fmt;

use serde::Deserialize;

use super::difference::{Difference, What};

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    what: What,
    #[serde(rename = "where", default = "anything")]
    place: String,
    #[serde(default = "anything")]
    change: String,
    /// Why it is wanted: for whoever reads the file.
    reason: String,
}

impl Rule {
    fn fits(&self, difference: &Difference) -> bool {
        self.what == difference.what
            && matches(&self.place, &difference.place)
            && matches(&self.change, &difference.change)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} ({})", self.what.word(), self.place, self.change, self.reason)
    }
}

fn anything() -> String {
    "*".to_owned()
}

/// The rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    #[serde(default)]
    expected: Vec<Rule>,
}

impl Expected {
    /// Reads the rules.
    ///
    /// # Errors
    /// What is wrong with them, with its line.
    pub fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Whether a difference is wanted.
    pub fn covers(&self, difference: &Difference) -> bool {
        self.expected.iter().any(|rule| rule.fits(difference))
    }

    /// The rules that fit none of these differences, as a report names them.
    pub(super) fn unused(&self, differences: &[Difference]) -> Vec<String> {
        let is_unused = |rule: &&Rule| !differences.iter().any(|difference| rule.fits(difference));
        self.expected.iter().filter(is_unused).map(Rule::to_string).collect()
    }
}

/// Whether a text is what a pattern says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            let Some(rest) = text.strip_prefix(before) else { return false };
            after.is_empty() || rest.char_indices().any(|(at, _)| matches(after, &rest[at..])) || matches(after, "")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, is) in [
            ("*", "anything", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("/data/*", "/data/error_code 0 -> 5", true),
            ("/data/* 5", "/data/error_code 0 -> 5", true),
            ("/data/* 6", "/data/error_code 0 -> 5", false),
            ("*x*", "axb", true),
            ("*x*", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn a_rule_needs_a_reason_and_nothing_unknown() {
        assert!(Expected::read("[[expected]]\nwhat = \"answer\"\nreason = \"r\"\n").is_ok());
        for bad in ["[[expected]]\nwhat = \"answer\"\n", "[[expected]]\nwhat = \"x\"\nreason = \"r\"\n", "other = 1\n"]
        {
            assert!(Expected::read(bad).is_err(), "{bad}");
        }
    }
}
