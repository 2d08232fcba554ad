// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge record export` and `ticketbridge replay`: the last day as a test of the next version.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use ticketbridge_core::UnixMillis;

use crate::app;
use crate::cli::{ConfigDir, database, fail, say, serve, warn};
use crate::clock::{Ids as _, SystemClock, SystemIds};
use crate::config::{Config, Environment};
use crate::recorder::{export, file};
use crate::replay::{Expected, replay};
use crate::service::registry::Registry;

/// `record …`.
#[derive(Debug, Subcommand)]
pub(super) enum Record {
    /// Write what was recorded of a time into one sealed file, with stand-ins for guests
    Export {
        #[command(flatten)]
        config: ConfigDir,
        /// From when, RFC 3339: 2026-11-21T00:00:00+08:00
        #[arg(long, value_name = "TIME")]
        from: String,
        /// Until when
        #[arg(long, value_name = "TIME")]
        to: String,
        /// The file to be written
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// What `replay` is told.
#[derive(Debug, clap::Args)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    config: ConfigDir,
    /// The file that `record export` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Rules for differences that are wanted, as TOML
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn record(command: Record) -> ExitCode {
    let Record::Export { config, from, to, file } = command;
    let config = match serve::load(&config) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let (Some(from), Some(to)) = (UnixMillis::parse_rfc3339(&from), UnixMillis::parse_rfc3339(&to)) else {
        return fail("--from and --to are times with an offset, as 2026-11-21T00:00:00+08:00");
    };
    if from >= to {
        return fail("--from is not before --to");
    }
    match write(&config, (from, to), &file).await {
        Ok(sentence) => {
            say(sentence);
            ExitCode::SUCCESS
        }
        Err(sentence) => fail(sentence),
    }
}

async fn write(config: &Config, time: (UnixMillis, UnixMillis), path: &Path) -> Result<String, String> {
    let registry = Registry::build(config).map_err(|error| error.to_string())?;
    database::is_there(config)?;
    let store = app::open_store(config).await.map_err(|error| crate::trouble::chain(&error))?;
    let ids = SystemIds::new(std::sync::Arc::new(SystemClock::new()));
    let random = [ids.nonce(), ids.nonce(), ids.nonce()];
    let exported = export::export_to(path, &store, &registry, time, &app::sealer(config), random).await;
    let closed = store.close().await;
    let recorded = exported.map_err(|error| crate::trouble::chain(&error))?;
    closed.map_err(|error| crate::trouble::chain(&error))?;
    for sentence in &recorded.left_out {
        warn(format_args!("not in it: {sentence}"));
    }
    let (messages, calls) = recorded.counts();
    Ok(format!("{}: {messages} messages, {calls} calls, {} orders", path.display(), recorded.outcomes.len()))
}

pub(super) async fn play(arguments: ReplayArguments) -> ExitCode {
    match played(&arguments).await {
        Ok(report) => {
            if arguments.json {
                say(serde_json::to_string_pretty(&report).unwrap_or_default());
            } else {
                say(&report);
            }
            if report.unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(sentence) => fail(sentence),
    }
}

async fn played(arguments: &ReplayArguments) -> Result<crate::replay::Report, String> {
    let config = Config::load_for_replay(&arguments.config.directory, &Environment::Process)
        .map_err(|report| format!("the configuration cannot be used:\n{report}"))?;
    let recorded = file::read(&arguments.file, &app::sealer(&config))
        .map_err(|error| format!("{}: {}", arguments.file.display(), crate::trouble::chain(&error)))?;
    let expected = match &arguments.expect {
        None => Expected::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Expected::read(&text).map_err(|error| format!("{}: {error}", path.display()))?
        }
    };
    // What the bridge would say is about the day that is played, and would be read as of now: the report has what there is to say.
    crate::telemetry::start_logging(&crate::config::Log::none());
    replay(recorded, config, &expected).await.map_err(|error| crate::trouble::chain(&error))
}
