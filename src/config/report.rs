// SPDX-License-Identifier: Apache-2.0

//! Everything that is wrong with a configuration, in one go.

use std::fmt;
use std::path::Path;

use super::finding::{Finding, Severity};
use super::{Config, CreditAccount};

/// The findings about one directory, by file and line.
#[derive(Clone, Debug)]
pub struct Report {
    findings: Vec<Finding>,
    summary: String,
    unwritten: Vec<String>,
}

impl Report {
    pub(super) fn new(directory: &Path, findings: Vec<Finding>, config: Option<&Config>) -> Self {
        let problems = findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
        let warnings = findings.len() - problems;
        let summary = match config {
            Some(config) if problems == 0 => format!(
                "{}: {}, {}, {}, {}; {}",
                directory.display(),
                plural(config.channels.len(), "channel"),
                plural(config.backends.len(), "back-end"),
                plural(config.vouchers.len(), "voucher product"),
                plural(config.bookings.len(), "booking product"),
                if warnings == 0 { "nothing wrong".to_owned() } else { plural(warnings, "warning") },
            ),
            _ => format!("{}: {}, {}", directory.display(), plural(problems, "problem"), plural(warnings, "warning")),
        };
        Self { findings, summary, unwritten: Vec::new() }
    }

    pub(super) fn leaving_out(self, unwritten: Vec<String>) -> Self {
        Self { unwritten, ..self }
    }

    /// The keys of the tables that were read which could stand there and stand nowhere, as `file.table.key`, `*` for any element of a
    /// list.
    pub fn unwritten(&self) -> &[String] {
        &self.unwritten
    }

    /// Trouble that shows only when the partners are built from a configuration that reads well.
    pub fn of_trouble(directory: &Path, problem: &str) -> Self {
        let finding = Finding {
            file: directory.display().to_string(),
            line: 0,
            problem: problem.to_owned(),
            mend: "mend the partner's settings".to_owned(),
            severity: Severity::Problem,
        };
        Self::new(directory, vec![finding], None)
    }

    /// Data keys that are taken out although `column` still holds text that only they open.
    pub fn of_missing_data_key(config: &Config, column: &str) -> Self {
        let place = config.privacy.place.clone();
        let finding = Finding {
            file: place.file,
            line: place.line,
            problem: format!("`privacy.key` lacks a key under which `{column}` is still sealed"),
            mend: "put it back behind the new one, run `ticketbridge keys rotate`, then take it out".to_owned(),
            severity: Severity::Problem,
        };
        Self::new(&config.source, vec![finding], None)
    }

    /// A data key that is not the database's own: nothing that it holds can be read.
    pub fn of_other_data_key(config: &Config) -> Self {
        let place = config.privacy.place.clone();
        let finding = Finding {
            file: place.file,
            line: place.line,
            problem: "`privacy.key` is not the key that this database was begun with, and what it holds cannot be read"
                .to_owned(),
            mend: "set the one that was kept, in the variable or the file that this line names; a new one is for an empty database only"
                .to_owned(),
            severity: Severity::Problem,
        };
        Self::new(&config.source, vec![finding], None)
    }

    /// A credit account in another currency than `was`, in which it has entries.
    pub fn of_changed_currency(config: &Config, account: &CreditAccount, was: &str) -> Self {
        let finding = Finding {
            file: account.place.file.clone(),
            line: account.place.line,
            problem: format!(
                "`credit_account.currency` of \"{}\" is \"{}\", and the account has entries in {was}",
                account.id, account.currency.0
            ),
            mend: format!("leave it in {was}, and add an account under another name for {}", account.currency.0),
            severity: Severity::Problem,
        };
        Self::new(&config.source, vec![finding], None)
    }

    /// A settle unit that is closed, or gone, while `lines` of it have not been settled.
    pub fn of_unsettled_unit(config: &Config, unit: &str, lines: u64) -> Self {
        let place = config.organisation.settle_unit(unit).map(|unit| unit.place.clone());
        let what = if place.is_some() { "closed" } else { "gone" };
        let (file, line) = place.map_or_else(|| ("partners".to_owned(), 0), |place| (place.file, place.line));
        let finding = Finding {
            file,
            line,
            problem: format!("the settle unit \"{unit}\" is {what}, and {lines} of its lines are not settled"),
            mend: "settle them (POST statements/close), or leave the unit open until then".to_owned(),
            severity: Severity::Problem,
        };
        Self::new(&config.source, vec![finding], None)
    }

    /// Lines of channels that name a settle unit now, from before they did.
    pub fn of_lines_from_before(config: &Config, channels: &[(String, u64)]) -> Self {
        let found = channels.iter().map(|(channel, lines)| Finding {
            file: "channels".to_owned(),
            line: 0,
            problem: format!(
                "{lines} lines of \"{channel}\" were written before it named a settle unit, stand under its own name, and are not settled"
            ),
            mend: format!(
                "look at them and settle them under that name: ticketbridge statements show, then close, with --settle-id {channel}"
            ),
            severity: Severity::Warning,
        });
        Self::new(&config.source, found.collect(), None)
    }

    /// Whether the configuration can be used: no problems, though perhaps warnings.
    pub fn is_usable(&self) -> bool {
        self.problems().next().is_none()
    }

    /// All findings, by file and line.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Those for which the configuration is refused: the `problems` of `GET /ops/v1/config`.
    pub fn problems(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Problem)
    }

    /// Those that are only to be mended some day.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Warning)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        f.write_str(&self.summary)
    }
}

impl std::error::Error for Report {}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
