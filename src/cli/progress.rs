// SPDX-License-Identifier: Apache-2.0

//! Work that takes long says so: after two seconds on standard error, on one line where that is a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use ticketbridge_core::Millis;
use tokio::task::JoinHandle;

use crate::clock::{Clock as _, SystemClock};

/// After so long it is said that the work goes on.
const PATIENCE: Millis = Millis::seconds(2);
/// How often it is said again where every time is a line of its own.
const LINE_EVERY: u64 = 10;

/// Says that work goes on, until it is dropped.
pub(super) struct Progress {
    telling: JoinHandle<()>,
}

impl Progress {
    /// For work that `what` names, for example "the database is copied". Needs a runtime, and a thread of it that the work leaves free.
    pub(super) fn of(what: &'static str) -> Self {
        Self { telling: tokio::spawn(tell(what)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.telling.abort();
        if std::io::stderr().is_terminal() {
            // What stands on the line is over.
            let _nobody_reads = write!(std::io::stderr(), "\r\u{1b}[2K");
        }
    }
}

async fn tell(what: &'static str) {
    let clock = SystemClock::new();
    let one_line = std::io::stderr().is_terminal();
    let mut next = clock.now() + PATIENCE;
    loop {
        clock.sleep_until(next).await;
        let seconds = clock.monotonic().as_secs();
        if let Some(line) = line(what, seconds, one_line) {
            let _nobody_reads = write!(std::io::stderr(), "{line}");
        }
        next = next + Millis::from_std(Duration::from_secs(1));
    }
}

/// What is written after so many seconds.
fn line(what: &str, seconds: u64, one_line: bool) -> Option<String> {
    match one_line {
        true => Some(format!("\r\u{1b}[2K{what}: {seconds} s")),
        false if seconds <= 2 || seconds.is_multiple_of(LINE_EVERY) => Some(format!("{what}: {seconds} s\n")),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_one_line_and_a_file_few() {
        assert_eq!(line("it goes on", 3, true).as_deref(), Some("\r\u{1b}[2Kit goes on: 3 s"));
        let said: Vec<u64> = (2..=30).filter(|seconds| line("it goes on", *seconds, false).is_some()).collect();
        assert_eq!(said, [2, 10, 20, 30]);
    }
}
