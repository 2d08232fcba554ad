// SPDX-License-Identifier: Apache-2.0

//! What is wrong with the configuration: one finding for each thing, with its place and its mend.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Whether a finding stops the configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration is refused.
    Problem,
    /// It works, and should not stay as it is.
    Warning,
}

/// One thing that is wrong. In JSON it is `{file, line, problem, mend}` (`docs/src/contract/configuration.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, as the reader of the message can open it.
    pub file: String,
    /// The line, from 1; 0 when the whole file, or something that is no file, is meant.
    pub line: usize,
    /// What is wrong, with the value.
    pub problem: String,
    /// What to do about it.
    pub mend: String,
    /// Whether it stops the configuration from being used.
    #[serde(skip)]
    pub severity: Severity,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        let word = match self.severity {
            Severity::Problem => "",
            Severity::Warning => "warning: ",
        };
        write!(f, ": {word}{}; {}", self.problem, self.mend)
    }
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file as shown.
    pub(super) file: String,
    /// The line, from 1; 0 for the whole file.
    pub(super) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Findings as they are made; shared by all readers, so that none of them stops at its first.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: RefCell<Vec<Finding>>,
    /// Every key that something was looked up under, and whether it stood there anywhere.
    asked: RefCell<BTreeMap<String, bool>>,
}

impl Findings {
    /// Notes that a key was asked for.
    pub(super) fn asked(&self, key: String, is_there: bool) {
        *self.asked.borrow_mut().entry(key).or_insert(false) |= is_there;
    }
    /// The keys that could have been written and were not, anywhere.
    pub(super) fn unwritten(&self) -> Vec<String> {
        self.asked.borrow().iter().filter(|(_, is_there)| !**is_there).map(|(key, _)| key.clone()).collect()
    }
    fn add(&self, severity: Severity, place: Place, problem: String, mend: String) {
        self.found.borrow_mut().push(Finding { file: place.file, line: place.line, problem, mend, severity });
    }
    /// Something that stops the configuration from being used.
    pub(super) fn problem(&self, place: Place, problem: impl Into<String>, mend: impl Into<String>) {
        self.add(Severity::Problem, place, problem.into(), mend.into());
    }
    /// Something that works and should not stay.
    pub(super) fn warning(&self, place: Place, problem: impl Into<String>, mend: impl Into<String>) {
        self.add(Severity::Warning, place, problem.into(), mend.into());
    }
    /// All of them, by file and line; each once.
    pub(super) fn sorted(self) -> Vec<Finding> {
        let mut all = self.found.into_inner();
        all.sort_by(|a, b| (&a.file, a.line, a.severity).cmp(&(&b.file, b.line, b.severity)));
        all.dedup();
        all
    }
}

/// The known word nearest to `word`, when one is near enough to be what was meant.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    /// Below this likeness (0 to 1) a suggestion confuses more than it helps.
    const LIKENESS_MIN: f64 = 0.72;
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// A mend for a word that is not known: the nearest one, or all of them.
pub(super) fn suggest<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let mut all: Vec<&str> = Vec::new();
            // A table that is read from two places asks for its names twice.
            known.into_iter().for_each(|name| {
                if !all.contains(&name) {
                    all.push(name)
                }
            });
            if all.is_empty() { "none is known".to_owned() } else { format!("known: {}", all.join(", ")) }
        }
    }
}
