// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge check`: every problem of a configuration at once.

use std::process::ExitCode;

use std::sync::Arc;

use ticketbridge_core::port::{Context, LiveFinding, LiveProduct};
use ticketbridge_core::product::{BookingProduct, Currency, Ticketing};
use ticketbridge_core::words::counted;
use ticketbridge_core::{Millis, TimeZone};

use secrecy::ExposeSecret as _;
use ticketbridge_store::{Store, StoreOptions};

use crate::accounts::doors::{closed_with_lines, unsettled_from_before};
use crate::app;
use crate::cli::terminal::in_runtime;
use crate::cli::{ConfigDir, fail, say, serve};
use crate::clock::{Clock, Ids as _, SystemClock, SystemIds};
use crate::config::{self, Config};
use crate::service::registry::{RegisteredBackend, Registry};
use crate::transport::{CallLimits, HttpTransport, Transport as _};

pub(super) fn check(config: &ConfigDir, explain: Option<&str>) -> ExitCode {
    if let Some(id) = explain {
        return match config::help::explain(id) {
            Some(text) => {
                say(&text);
                ExitCode::SUCCESS
            }
            None => {
                let known: Vec<String> = config::help::topics().into_iter().map(|topic| topic.id).collect();
                fail(format!("there is no requirement `{id}`; known are {}", known.join(", ")))
            }
        };
    }
    match files(config) {
        Ok(Some(config)) => in_runtime(unsettled(config)),
        Ok(None) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

/// Says what is wrong in the files; where nothing is, the configuration that the database is asked about, if there is anything to ask.
fn files(config: &ConfigDir) -> Result<Option<Config>, ExitCode> {
    let report = config::check::report(&config.directory, TimeZone::SHANGHAI.date_of(SystemClock::new().now()));
    say(&report);
    if !report.is_usable() {
        return Err(ExitCode::from(1));
    }
    // With secrets that are not set the service does not start either: then there is nothing to ask the database about.
    let config = Config::load(&config.directory, &config::Environment::Process).ok();
    Ok(config.filter(|config| !config.organisation.settle_units.is_empty()))
}

/// Names a settle unit that is closed although lines of it are not settled, and channels with lines from before they had a unit, where the
/// database can be reached.
async fn unsettled(config: Config) -> ExitCode {
    if app::missing_file(&config).is_some() {
        return ExitCode::SUCCESS;
    }
    let options = StoreOptions::new(app::sealer(&config));
    let Ok(store) = Store::connect(config.database.url.expose_secret(), options).await else {
        return ExitCode::SUCCESS;
    };
    let found = closed_with_lines(&store, &config, None).await;
    let older = unsettled_from_before(&store, &config).await.unwrap_or_default();
    // What is wrong is said; that the database closes is no news then.
    let _closed = store.close().await;
    if !older.is_empty() {
        say(config::Report::of_lines_from_before(&config, &older));
    }
    match found {
        Ok(Some((unit, lines))) => {
            say(config::Report::of_unsettled_unit(&config, &unit, lines));
            ExitCode::from(1)
        }
        // A database of an older version knows nothing of settling; the service brings it up to date, and looks then.
        Ok(None) | Err(_) => ExitCode::SUCCESS,
    }
}

/// Time for one question of a live check.
const QUESTION_MAX: Millis = Millis::seconds(30);

/// `check --live`: the files first, then the back-ends that can be asked. Warnings leave the exit code 0.
pub(super) async fn live(directory: ConfigDir, holds: bool) -> ExitCode {
    let settled = match files(&directory) {
        Ok(Some(config)) => unsettled(config).await,
        Ok(None) => ExitCode::SUCCESS,
        Err(code) => code,
    };
    if settled != ExitCode::SUCCESS {
        return settled;
    }
    let config = match serve::load(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let registry = match Registry::build(&config) {
        Ok(registry) => registry,
        Err(error) => return fail(error),
    };
    let transport = match HttpTransport::new(config.delivery.connect_timeout, config.address_policy()) {
        Ok(transport) => transport,
        Err(error) => return fail(error),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let nonce = SystemIds::new(clock.clone()).nonce();
    let (mut problems, mut warnings, mut asked) = (0_u32, 0_u32, 0_u32);
    for backend in registry.backends() {
        let Some(Asked { findings, done }) = ask(&config, backend, &transport, (clock.as_ref(), nonce), holds).await
        else {
            continue;
        };
        asked += 1;
        for finding in findings {
            let place = place_of(&directory, backend.id.as_str(), finding.product.as_deref());
            let kind = if finding.warning { "warning: " } else { "" };
            let about = finding.product.map_or(String::new(), |code| format!("product {code}: "));
            say(format_args!("{place}: {kind}{}: {about}{}; {}", backend.id, finding.sentence, finding.mend));
            let count = if finding.warning { &mut warnings } else { &mut problems };
            *count += 1;
        }
        done.iter().for_each(|sentence| say(format_args!("{}: {sentence}", backend.id)));
    }
    let (asked, wrong) = (counted(asked, "back-end", "back-ends"), counted(problems, "problem", "problems"));
    match (problems, warnings) {
        (0, 0) => say(format_args!("asked {asked}: nothing wrong")),
        (0, _) => say(format_args!("asked {asked}: nothing wrong, {}", counted(warnings, "warning", "warnings"))),
        (_, 0) => say(format_args!("asked {asked}: {wrong}")),
        (_, _) => say(format_args!("asked {asked}: {wrong}, {}", counted(warnings, "warning", "warnings"))),
    }
    if problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// What one back-end was asked.
struct Asked {
    findings: Vec<LiveFinding>,
    /// What was done there.
    done: Vec<String>,
}

/// Where a back-end, or a product of it, stands in the files: `file:line`, as far as that can be found.
fn place_of(directory: &ConfigDir, backend: &str, product: Option<&str>) -> String {
    let (folder, key, name) = product.map_or(("backends", "id", backend), |code| ("products", "code", code));
    let folder = directory.directory.join(folder);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    // A start time is no line of its own.
    let name = name.split('@').next().unwrap_or(name);
    for file in files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "toml")) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let is_it = |line: &str| {
            let value = line.trim().strip_prefix(key).and_then(|rest| rest.trim_start().strip_prefix('='));
            value.and_then(|value| value.trim_start().strip_prefix('"')?.split('"').next()) == Some(name)
        };
        if let Some(index) = text.lines().position(is_it) {
            return format!("{}:{}", file.display(), index + 1);
        }
    }
    folder.display().to_string()
}

/// The lowest price of the vouchers that a booking stands behind.
fn sold_for<'a>(config: &'a Config, booking: &BookingProduct) -> Option<(i64, &'a Currency)> {
    let bound = config.vouchers.values().filter(|voucher| voucher.booking_product == booking.code);
    bound.map(|voucher| (voucher.price, &voucher.currency)).min_by_key(|(price, _)| *price)
}

/// Asks one back-end everything that it can be asked; `None` where it cannot be asked.
async fn ask(
    config: &Config,
    backend: &RegisteredBackend,
    transport: &HttpTransport,
    (clock, nonce): (&dyn Clock, [u8; 16]),
    holds: bool,
) -> Option<Asked> {
    let products: Vec<LiveProduct<'_>> = config
        .bookings
        .values()
        .filter_map(|booking| match &booking.ticketing {
            Ticketing::Backend { backend: named, product, terms } if *named == backend.id => Some(LiveProduct {
                code: booking.code.as_str(),
                product,
                terms,
                visitors_per_unit: booking.visitors_per_unit,
                sold_for: sold_for(config, booking),
            }),
            Ticketing::Backend { .. } | Ticketing::CodePool { .. } | Ticketing::None => None,
        })
        .collect();
    let mut talk = backend.backend.live_check(&products, holds, nonce)?;
    let limits = CallLimits { timeout: backend.timeout, at_most: QUESTION_MAX };
    loop {
        let cx = Context::without_delivery(clock.now(), nonce);
        let Some(call) = talk.next(&cx) else {
            return Some(Asked { findings: talk.findings().to_vec(), done: talk.done().to_vec() });
        };
        match transport.send(&call, limits).await {
            Ok(response) => talk.answered(&response, &cx),
            Err(error) => talk.unanswered(&error.to_string()),
        }
    }
}
