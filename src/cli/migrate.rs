// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge migrate`: the schema of the database, brought up to date or, with `--check`, only looked at.

use std::process::ExitCode;

use secrecy::ExposeSecret as _;
use ticketbridge_store::Store;

use crate::app;
use crate::cli::findings::{Findings, is_known, is_whole};
use crate::cli::{ConfigDir, backup, database, fail, say, serve};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::trouble::chain;

/// Rows that a migration goes through in a second, at the least: for the estimate where it cannot be rehearsed.
const ROWS_PER_SECOND: u64 = 20_000;

pub(super) async fn migrate(directory: ConfigDir) -> ExitCode {
    let config = match serve::load_on_host(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    crate::telemetry::start_logging(&config.log);
    if let Err(sentence) = database::may_be_made(&config) {
        return fail(sentence);
    }
    match app::open_store(&config).await {
        Ok(store) => {
            say(format_args!("the schema of {} is up to date", kind_of(config.database.url.expose_secret())));
            match store.close().await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(chain(&error)),
            }
        }
        Err(error) => fail(chain(&error)),
    }
}

/// Says what a migration would do, and whether it can; changes nothing.
pub(super) async fn check(directory: ConfigDir) -> ExitCode {
    let config = match serve::load_on_host(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let mut findings = Findings::default();
    if let Some(path) = app::missing_file(&config) {
        let would = database::may_be_made(&config);
        findings
            .note("database", would.map(|()| format!("there is none at {}; a new one would be made", path.display())));
        return findings.end();
    }
    let url = config.database.url.expose_secret();
    let store = match app::connect(&config, url).await {
        Ok(store) => store,
        Err(error) => {
            findings.note("database", Err(chain(&error)));
            return findings.end();
        }
    };
    findings.note("database", Ok(format!("{} answers", app::shown(url))));
    look(&config, &store, &mut findings).await;
    let _closed = store.close().await;
    findings.end()
}

async fn look(config: &Config, store: &Store, findings: &mut Findings) {
    let gap = match store.schema_gap().await {
        Ok(gap) => gap,
        Err(error) => return findings.note("schema", Err(chain(&error))),
    };
    findings.note("version", is_known(&gap));
    findings.note("whole", is_whole(store).await);
    if gap.pending.is_empty() {
        return findings.note("schema", Ok("up to date, nothing would be done".to_owned()));
    }
    findings.note("schema", Ok(format!("would be brought up to date by: {}", gap.pending.join(", "))));
    if app::database_file(config).is_some() {
        rehearse(config, store, findings).await;
    } else {
        estimate(store, findings).await;
    }
}

/// The migration itself, on a copy.
async fn rehearse(config: &Config, store: &Store, findings: &mut Findings) {
    let place = match tempfile::Builder::new().prefix("ticketbridge-migrate").tempdir() {
        Ok(place) => place,
        Err(error) => return findings.note("rehearsal", Err(error.to_string())),
    };
    let copy = place.path().join("copy.db");
    let rehearsed = async {
        let bytes = store.back_up(&copy).await.map_err(|error| chain(&error))?;
        let copy = backup::open_at(config, &copy).await?;
        let clock = SystemClock::new();
        let began = clock.monotonic();
        let done = copy.migrate().await.map_err(|error| chain(&error));
        let took = clock.monotonic().saturating_sub(began);
        let _closed = copy.close().await;
        done.map(|()| format!("done on a copy of {} in {} ms", backup::in_words(bytes), took.as_millis()))
    };
    findings.note("rehearsal", rehearsed.await);
}

async fn estimate(store: &Store, findings: &mut Findings) {
    let estimated = store.row_counts().await.map_err(|error| chain(&error)).map(|counts| {
        let rows: u64 = counts.iter().map(|(_, rows)| rows).sum();
        format!(
            "{rows} rows, so {} s at most if every one of them is gone through; the service may run meanwhile",
            rows / ROWS_PER_SECOND + 1
        )
    });
    findings.note("time", estimated);
}

fn kind_of(url: &str) -> &str {
    url.split_once("://").map_or("the database", |(kind, _)| kind)
}
