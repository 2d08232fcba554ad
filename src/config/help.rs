// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge check --explain DY-03`: what a requirement means, which keys govern it, and an example.

use serde::Deserialize;

const EXPLANATIONS: &str = include_str!("explain.toml");

/// One requirement of `explain.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// `DY-03`.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// What it means, in some lines.
    pub means: String,
    /// The keys of the configuration that govern it; none where it holds for every product.
    pub keys: Vec<String>,
    example: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explanations {
    requirement: Vec<Explanation>,
}

/// All that can be explained.
pub fn topics() -> Vec<Explanation> {
    let read: Result<Explanations, _> = toml::from_str(EXPLANATIONS);
    read.map(|read| read.requirement).expect("a test reads the file, which is part of the program")
}

/// The explanation of a requirement, for a terminal; `None` when there is none with this id (upper or lower case).
pub fn explain(id: &str) -> Option<String> {
    let found = topics().into_iter().find(|explanation| explanation.id.eq_ignore_ascii_case(id.trim()))?;
    let Explanation { id, title, means, keys, example } = found;
    let keys = if keys.is_empty() { "  none: it holds for every product".to_owned() } else { bullets(&keys) };
    Some(format!("{id}  {title}\n\n{}\n\nGoverned by\n{keys}\n\nExample\n{}\n", means.trim(), indented(example.trim())))
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_requirement_is_explained_once() {
        let ids: Vec<String> = topics().into_iter().map(|topic| topic.id).collect();
        let kinds = [("DY", 19), ("KA", 8), ("TS", 8), ("PA", 6)];
        let wanted = kinds.into_iter().flat_map(|(kind, last)| (1..=last).map(move |n| format!("{kind}-{n:02}")));
        assert_eq!(ids, wanted.collect::<Vec<_>>());
    }

    #[test]
    fn an_explanation_names_its_keys_and_is_found_in_any_case() {
        let text = explain("dy-03").expect("there is one");
        assert!(text.starts_with("DY-03"), "{text}");
        assert!(text.contains("price_check"), "{text}");
        assert_eq!(explain("DY-99"), None);
    }

    #[test]
    fn examples_are_toml() {
        for explanation in topics() {
            let read: Result<toml::Table, _> = toml::from_str(&explanation.example);
            assert!(read.is_ok(), "{}: {:?}", explanation.id, read.err());
        }
    }
}
