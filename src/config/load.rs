// SPDX-License-Identifier: Apache-2.0

//! How a directory becomes a configuration: read file by file, checked across them, put together.

use std::path::Path;

use ticketbridge_core::product::{BookingProduct, VoucherProduct};
use ticketbridge_core::{Date, ProductCode};

use super::cross::{self, Sold};
use super::finding::{Findings, Place};
use super::names::{Named, Names, entries, named};
use super::partner::{self, Around, BackendConfig, ChannelConfig, Kinds};
use super::read::Table;
use super::report::Report;
use super::secret::{Environment, Purpose, Secrets};
use super::service::{self, CreditAccount, Service, Surroundings};
use super::source::{self, Part, Source};
use super::{Config, organisation, product, shown};

impl Config {
    /// Reads a directory to run with it. `Err` holds every problem, warnings among them.
    pub fn load(directory: &Path, environment: &Environment) -> Result<Config, Report> {
        load_for(Purpose::Serve, directory, environment)
    }

    /// Reads a directory to do something with its database on the same machine: of its secrets those have to be there that open it.
    ///
    /// # Errors
    /// Every problem, warnings among them.
    pub fn load_on_host(directory: &Path, environment: &Environment) -> Result<Config, Report> {
        load_for(Purpose::Host, directory, environment)
    }

    /// Reads a directory to play a recording to it: of its secrets only the key that opens the recording has to be there.
    ///
    /// # Errors
    /// Every problem, warnings among them.
    pub fn load_for_replay(directory: &Path, environment: &Environment) -> Result<Config, Report> {
        load_for(Purpose::Replay, directory, environment)
    }
}

fn load_for(purpose: Purpose, directory: &Path, environment: &Environment) -> Result<Config, Report> {
    let (config, report) = read(directory, environment, purpose, Kinds::registered(), None);
    config.filter(|_| report.is_usable()).ok_or(report)
}

/// Everything read so far, each with the table that it came from.
#[derive(Default)]
struct Parts<'a> {
    service: Option<Service>,
    channels: Vec<(ChannelConfig, Table<'a>)>,
    backends: Vec<BackendConfig>,
    vouchers: Vec<(VoucherProduct, Table<'a>)>,
    bookings: Vec<(BookingProduct, Table<'a>)>,
    accounts: Vec<CreditAccount>,
    organisation: organisation::Read<'a>,
    owners: Vec<(Vec<ProductCode>, String, Place)>,
    names: Names,
}

/// Reads a directory. The configuration is `None` when something that it cannot do without is missing or wrong.
pub(super) fn read(
    directory: &Path,
    environment: &Environment,
    purpose: Purpose,
    kinds: Kinds<'_>,
    today: Option<Date>,
) -> (Option<Config>, Report) {
    let findings = Findings::default();
    let secrets = Secrets::new(environment, directory);
    let sources = source::read_directory(directory, &findings);
    let tables: Vec<_> = sources.iter().map(|source| (source, source.parse(&findings))).collect();
    let mut parts = Parts::default();
    // Of what is no directory, nothing can be missing.
    parts.names.incomplete = !directory.is_dir();
    for (source, table) in &tables {
        let Some(table) = table else {
            parts.names.incomplete = true;
            continue;
        };
        let file = Table::file(source, table, &findings);
        let around = Around { kinds, secrets: &secrets, findings: &findings };
        read_file(source, file, &mut parts, around, environment);
    }
    check_across(&parts, today, &findings);
    secrets.report_unset(purpose, &findings);
    let mut config = assemble(directory, parts);
    if let Some(config) = &mut config {
        config.shown = sources.iter().flat_map(shown::of).collect();
    }
    let unwritten = findings.unwritten();
    let report = Report::new(directory, findings.sorted(), config.as_ref()).leaving_out(unwritten);
    (config, report)
}

fn read_file<'a>(
    source: &Source,
    file: Table<'a>,
    parts: &mut Parts<'a>,
    around: Around<'_>,
    environment: &Environment,
) {
    match source.part {
        Part::Service => {
            let surroundings = Surroundings { environment, secrets: around.secrets, findings: around.findings };
            parts.service = service::read(&file, &surroundings);
        }
        Part::Credit => {
            for table in entries(&file, "credit_account") {
                parts.names.accounts.extend(named(&table, "id"));
                parts.accounts.extend(service::credit_account(&table));
            }
            file.finish();
        }
        Part::Channels => {
            let (head, channel) = partner::channel(&file, around);
            parts.names.channels.extend(head.map(|head| head.named(&file)));
            parts.channels.extend(channel.map(|channel| (channel, file)));
        }
        Part::Backends => {
            let (head, backend) = partner::backend(&file, around);
            parts.names.backends.extend(head.map(|head| head.named(&file)));
            parts.backends.extend(backend);
        }
        Part::Partners => parts.organisation.file(&file, &mut parts.names.organisation),
        Part::Products => {
            let owner = file.opt("institution", |value| Some((value.clone().id()?, value.place())));
            let before = parts.bookings.len();
            for table in entries(&file, "voucher_product") {
                parts.names.vouchers.extend(named(&table, "code"));
                parts.vouchers.extend(product::voucher(&table).map(|voucher| (voucher, table)));
            }
            for table in entries(&file, "booking_product") {
                let own = named(&table, "code");
                let read = product::booking(&table).unwrap_or_default();
                // Sold by start times, it is known by the names of those.
                let timed =
                    read.iter().filter(|booking| booking.start.is_some()).map(|booking| booking.code.to_string());
                let timed: Vec<_> =
                    timed.zip(own.iter().cycle()).map(|(name, own)| Named { name, ..own.clone() }).collect();
                parts.names.bookings.extend(own.filter(|_| timed.is_empty()).into_iter().chain(timed));
                parts.bookings.extend(read.into_iter().map(|booking| (booking, table.clone())));
            }
            if let Some((owner, place)) = owner {
                let codes = parts.bookings.iter().skip(before).map(|(booking, _)| booking.code.clone()).collect();
                parts.owners.push((codes, owner, place));
            }
            file.finish();
        }
    }
}

fn check_across(parts: &Parts<'_>, today: Option<Date>, findings: &Findings) {
    parts.names.check_duplicates(findings);
    if parts.names.channels.is_empty() && !parts.names.incomplete {
        let place = Place { file: "channels".to_owned(), line: 0 };
        let mend = "add a file to the folder `channels`; until then the service answers no call, and /readyz says so";
        findings.warning(place, "no channel is configured", mend);
    }
    if let Some(service) = &parts.service {
        cross::check_metrics(&service.metrics, &parts.names, findings);
    }
    for (channel, file) in &parts.channels {
        cross::check_channel(channel, file, &parts.accounts, &parts.names, findings);
        cross::check_resold(channel, file, &parts.channels, findings);
    }
    parts.organisation.check(&parts.names, &parts.channels, findings);
    for (_, owner, place) in &parts.owners {
        let known = &parts.names.organisation.institutions;
        if !known.iter().any(|it| it.name == *owner) {
            parts.names.missing(findings, place.clone(), "the institution", owner, known);
        }
    }
    cross::check_days_and_times(&parts.bookings, findings);
    for (booking, table) in &parts.bookings {
        cross::check_booking(booking, table, &parts.names, today, findings);
    }
    let around = Sold { bookings: &parts.bookings, channels: &parts.channels, today };
    for (voucher, table) in &parts.vouchers {
        cross::check_voucher(voucher, table, &around, &parts.names, findings);
    }
}

fn assemble(directory: &Path, parts: Parts<'_>) -> Option<Config> {
    let service = parts.service?;
    let owners = parts.owners.into_iter();
    let product_institutions =
        owners.flat_map(|(codes, owner, _)| codes.into_iter().map(move |code| (code, owner.clone()))).collect();
    Some(Config {
        version: 0,
        shown: Vec::new(),
        changed: Vec::new(),
        source: directory.to_owned(),
        server: service.server,
        database: service.database,
        privacy: service.privacy,
        ops_tokens: service.ops_tokens,
        delivery: service.delivery,
        log: service.log,
        retention: service.retention,
        recorder: service.recorder,
        metrics: service.metrics,
        traces: service.traces,
        channels: parts.channels.into_iter().map(|(channel, _)| channel).collect(),
        backends: parts.backends,
        vouchers: parts.vouchers.into_iter().map(|(voucher, _)| (voucher.code.clone(), voucher)).collect(),
        bookings: parts.bookings.into_iter().map(|(booking, _)| (booking.code.clone(), booking)).collect(),
        organisation: parts.organisation.plain(),
        product_institutions,
        console: service.console,
        providers: service.providers,
        passkeys: service.passkeys,
        credit_accounts: parts.accounts.into_iter().map(|account| (account.id.clone(), account)).collect(),
    })
}
