//! `ticketbridge check`: every problem of a configuration at once.

use std::process::ExitCode;

use ticketbridge_core::TimeZone;

use crate::cli::{ConfigDir, fail, say};
use crate::clock::{Clock as _, SystemClock};
use crate::config;

pub(super) fn check(config: &ConfigDir, explain: Option<&str>) -> ExitCode {
    if let Some(id) = explain {
        return match config::help::explain(id) {
            Some(text) => {
                say(&text);
                ExitCode::SUCCESS
            }
            None => {
                let known: Vec<String> = config::help::topics().into_iter().map(|(id, _)| id).collect();
                fail(format!("there is no requirement `{id}`; known are {}", known.join(", ")))
            }
        };
    }
    let report = config::check::report(&config.directory, TimeZone::SHANGHAI.date_of(SystemClock::new().now()));
    say(&report);
    if report.is_usable() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
