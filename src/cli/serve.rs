// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge serve`.

use std::process::ExitCode;

use sd_notify::NotifyState;
use secrecy::ExposeSecret as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{self, Parts};
use crate::cli::{ConfigDir, database, fail, manager, say, warn};
use crate::config::{Config, Environment, Report};
use crate::service::reload;

/// How long the log waits for the end of a reload before it says that it takes long.
const RELOAD_WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// What becomes of an SQLite database that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is made.
    Make,
    /// As `[database] create` says.
    AsConfigured,
}

pub(super) async fn serve(directory: ConfigDir, missing: Missing) -> ExitCode {
    let config = match load(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    crate::telemetry::start_logging(&config.log);
    crate::transport::install_tls();
    let exporting = match crate::telemetry::traces::start(&config.traces) {
        Ok(exporting) => exporting,
        Err(error) => return fail(format!("spans cannot be exported to [traces] endpoint: {error}")),
    };
    let told = match missing == Missing::Make || config.database.create {
        true => database::may_be_made(&config),
        false => database::is_there(&config),
    };
    if let Err(sentence) = told {
        return fail(sentence);
    }
    if let Some(path) = app::missing_file(&config) {
        tracing::info!("a new, empty database is made at {}", path.display());
    }
    let (mut terminate, mut interrupt, mut hang_up) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup())) {
            (Ok(terminate), Ok(interrupt), Ok(hang_up)) => (terminate, interrupt, hang_up),
            _ => return fail("signals cannot be listened to"),
        };
    let started = tokio::select! {
        started = app::start(config, Parts::system()) => started,
        _ = terminate.recv() => return stopped_early(),
        _ = interrupt.recv() => return stopped_early(),
    };
    let bridge = match started {
        Ok(bridge) => bridge,
        Err(error) => return fail(crate::trouble::chain(&error)),
    };
    say_what_runs(&bridge);
    say(format_args!("ticketbridge listens on {}", bridge.url()));
    manager::tell(&[NotifyState::Ready]);
    let mut watchdog = manager::Watchdog::of_process();
    loop {
        tokio::select! {
            () = watchdog.due() => manager::tell(&[NotifyState::Watchdog]),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                // Beside this loop: a database that hangs must not keep the service from hearing that it is to stop. What was refused is
                // logged, and kept for `GET /ops/v1/config`.
                let shared = bridge.shared().clone();
                let works = shared.works.clone();
                let reload = async move { reload::reload(&shared, None).await.map(drop).map_err(drop) };
                tokio::spawn(async move { works.within("reload", RELOAD_WITHIN, reload).await });
            }
        }
    }
    tracing::info!("stopping: nothing new is taken, what is under way is finished");
    manager::tell(&[NotifyState::Stopping]);
    let stopped = tokio::select! {
        stopped = bridge.stop() => stopped,
        _ = terminate.recv() => return told_twice(),
        _ = interrupt.recv() => return told_twice(),
    };
    if let Some(exporting) = exporting {
        exporting.end().await;
    }
    if stopped.abandoned.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// For whoever reads the log later: what was started, with what.
fn say_what_runs(bridge: &app::Bridge) {
    let running = bridge.engine().running();
    let channels = running.registry.channels().count();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), database = app::shown(running.config.database.url.expose_secret()),
        schema = ticketbridge_migrations::newest(), configuration = %bridge.source().display(), channels,
        backends = running.registry.backends().count(), "started");
    if running.config.tells_figures_to_all() {
        tracing::warn!(
            "/metrics tells the figures of every partner to whoever reaches the service's address: add `[metrics]` with a `token`, or a `listen` of its own"
        );
    }
    if channels == 0 {
        tracing::error!("no channel is configured: nothing can be taken, and /readyz says so");
    }
}

fn stopped_early() -> ExitCode {
    tracing::info!("told to stop before the service had started; nothing was taken");
    ExitCode::SUCCESS
}

fn told_twice() -> ExitCode {
    fail(
        "told to stop a second time: stopped at once; the database holds what was under way, and the next start goes on with it",
    )
}

pub(super) fn load(directory: &ConfigDir) -> Result<Config, ExitCode> {
    Config::load(&directory.directory, &Environment::Process).map_err(|report| unusable(&report))
}

/// The same for commands that call nobody: no secret of a partner's has to be there.
pub(super) fn load_on_host(directory: &ConfigDir) -> Result<Config, ExitCode> {
    Config::load_on_host(&directory.directory, &Environment::Process).map_err(|report| unusable(&report))
}

fn unusable(report: &Report) -> ExitCode {
    warn(report);
    fail("the configuration cannot be used; every problem is listed above")
}
