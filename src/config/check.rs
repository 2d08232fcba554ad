// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge check`: reads a directory only to say what is wrong with it.

use std::path::Path;

use ticketbridge_core::Date;

use super::load::read;
use super::partner::Kinds;
use super::report::Report;
use super::secret::{Environment, Purpose};

/// Checks a directory in this process's environment, with the adapters that are registered, as on the day `today`.
pub fn report(directory: &Path, today: Date) -> Report {
    report_on(directory, &Environment::Process, Some(today))
}

/// Checks a directory in a given environment, whatever the day.
pub fn report_in(directory: &Path, environment: &Environment) -> Report {
    report_on(directory, environment, None)
}

/// Checks a directory in a given environment, as on the day `today`.
pub fn report_on(directory: &Path, environment: &Environment, today: Option<Date>) -> Report {
    let (_, report) = read(directory, environment, Purpose::Check, Kinds::registered(), today);
    report
}
