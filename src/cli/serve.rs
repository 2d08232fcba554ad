//! `ticketbridge serve` and `ticketbridge migrate`.

use std::process::ExitCode;

use secrecy::ExposeSecret as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{self, Parts};
use crate::cli::{ConfigDir, fail, say, warn};
use crate::config::{Config, Environment};
use crate::reload;

pub(super) async fn serve(directory: ConfigDir) -> ExitCode {
    let config = match load(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    crate::telemetry::start_logging(&config.log);
    crate::transport::install_tls();
    let (mut terminate, mut interrupt, mut hang_up) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup())) {
            (Ok(terminate), Ok(interrupt), Ok(hang_up)) => (terminate, interrupt, hang_up),
            _ => return fail("signals cannot be listened to"),
        };
    let bridge = match app::start(config, Parts::system()).await {
        Ok(bridge) => bridge,
        Err(error) => return fail(crate::worker::chain(&error)),
    };
    say(format_args!("ticketbridge listens on {}", bridge.url()));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                // What was refused is logged, and kept for `GET /ops/v1/config`.
                let _outcome = reload::reload(bridge.shared()).await;
            }
        }
    }
    tracing::info!("stopping: nothing new is taken, what is under way is finished");
    bridge.stop().await;
    ExitCode::SUCCESS
}

pub(super) async fn migrate(directory: ConfigDir) -> ExitCode {
    let config = match load(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    crate::telemetry::start_logging(&config.log);
    match app::open_store(&config).await {
        Ok(store) => {
            say(format_args!("the schema of {} is up to date", kind_of(config.database.url.expose_secret())));
            match store.close().await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(crate::worker::chain(&error)),
            }
        }
        Err(error) => fail(crate::worker::chain(&error)),
    }
}

fn kind_of(url: &str) -> &str {
    url.split_once("://").map_or("the database", |(kind, _)| kind)
}

pub(super) fn load(directory: &ConfigDir) -> Result<Config, ExitCode> {
    Config::load(&directory.directory, &Environment::Process).map_err(|report| {
        warn(&report);
        fail("the configuration cannot be used; every problem is listed above")
    })
}
