// SPDX-License-Identifier: Apache-2.0

//! The configuration: a directory of TOML, read once, checked as a whole, and from then on plain values.
//!
//! Reading never stops at the first mistake: [`Config::load`] gives a configuration without problems, or every
//! problem there is, each with its place and its mend. Nothing inside parses a date, a duration or a code again.

pub mod check;
mod cross;
mod currency;
pub mod finding;
pub mod help;
mod names;
pub mod organisation;
mod partner;
mod passkeys;
mod product;
mod read;
mod secret;
mod service;
mod settings;
mod source;
mod start_times;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use ticketbridge_core::message::ProductRef;
use ticketbridge_core::product::{BookingProduct, ChannelRules, RuleSnapshot, VoucherProduct};
use ticketbridge_core::{BackendId, ChannelId, Date, ProductCode};

pub use check::Report;
pub use finding::{Finding, Severity};
pub use organisation::{Organisation, SettleUnit};
pub use partner::{BASIS_POINTS, BackendConfig, ChannelConfig, Kinds, Pace, SecretChanges};
pub use passkeys::Passkeys;
pub use secret::{DATA_KEY_BYTES, Environment, Purpose};
pub use service::{
    Backoff, CALL_TIMEOUT_MAX, Console, CreditAccount, DATABASE_URL_VARIABLE, Database, Delivery, LISTEN_VARIABLE,
    LaneLimits, Log, LogFormat, Metrics, OidcProvider, OpsToken, PASSWORD, Privacy, Recorder, Retention, Role,
    SecondFactor, Server, Traces,
};

pub use settings::Settings;

use crate::transport::AddressPolicy;
use cross::Sold;
use finding::Findings;
use names::{Named, Names, entries, named};
use partner::Around;
use read::Table;
use secret::Secrets;
use service::{Service, Surroundings};
use source::{Part, Source};

/// A configuration without problems.
#[derive(Debug)]
pub struct Config {
    /// Which one it is; given by whoever holds the running configuration, 0 until then.
    pub version: u64,
    /// The directory that it was read from.
    pub source: PathBuf,
    /// `[server]`.
    pub server: Server,
    /// `[database]`.
    pub database: Database,
    /// `[privacy]`.
    pub privacy: Privacy,
    /// `[ops] tokens`.
    pub ops_tokens: Vec<OpsToken>,
    /// `[delivery]`.
    pub delivery: Delivery,
    /// `[log]`.
    pub log: Log,
    /// `[retention]`.
    pub retention: Retention,
    /// `[recorder]`.
    pub recorder: Recorder,
    /// `[metrics]`.
    pub metrics: Metrics,
    /// `[traces]`.
    pub traces: Traces,
    /// `channels/*.toml`.
    pub channels: Vec<ChannelConfig>,
    /// `backends/*.toml`.
    pub backends: Vec<BackendConfig>,
    /// Every `[[voucher_product]]`.
    pub vouchers: BTreeMap<ProductCode, VoucherProduct>,
    /// Every `[[booking_product]]`.
    pub bookings: BTreeMap<ProductCode, BookingProduct>,
    /// `partners/*.toml`.
    pub organisation: Organisation,
    /// The institution of a products file, by the codes of its booking products.
    pub product_institutions: BTreeMap<ProductCode, String>,
    /// `[console]`.
    pub console: Console,
    /// The providers with which people sign in.
    pub providers: Vec<OidcProvider>,
    /// Where passkeys are used; `None` where the public address has no name that they could be bound to.
    pub passkeys: Option<Passkeys>,
    /// Every `[[credit_account]]`.
    pub credit_accounts: BTreeMap<String, CreditAccount>,
}

impl Config {
    /// The keys for guests' data, the current one first.
    pub(crate) fn data_keys(&self) -> Vec<[u8; DATA_KEY_BYTES]> {
        self.privacy.keys.iter().map(|key| *key.expose_secret()).collect()
    }

    /// Which hosts ops have named as partners: only those may have private addresses.
    pub(crate) fn address_policy(&self) -> AddressPolicy {
        let channels = self.channels.iter().flat_map(ChannelConfig::hosts);
        let backends = self.backends.iter().flat_map(BackendConfig::hosts);
        let providers = self.providers.iter().map(|provider| provider.issuer.as_str());
        AddressPolicy::for_base_urls(false, channels.chain(backends).chain(providers))
    }

    /// Reads a directory to run with it. `Err` holds every problem, warnings among them.
    pub fn load(directory: &Path, environment: &Environment) -> Result<Config, Report> {
        let (config, report) = read(directory, environment, Purpose::Serve, Kinds::registered(), None);
        match config {
            Some(config) if report.is_usable() => Ok(config),
            _ => Err(report),
        }
    }

    /// Reads a directory to play a recording to it: of its secrets only the key that opens the recording has to be there.
    ///
    /// # Errors
    /// Every problem, warnings among them.
    pub fn load_for_replay(directory: &Path, environment: &Environment) -> Result<Config, Report> {
        let (config, report) = read(directory, environment, Purpose::Replay, Kinds::registered(), None);
        match config {
            Some(config) if report.is_usable() => Ok(config),
            _ => Err(report),
        }
    }

    /// The voucher product with this code.
    pub fn voucher(&self, code: &ProductCode) -> Option<&VoucherProduct> {
        self.vouchers.get(code)
    }

    /// The booking product with this code.
    pub fn booking(&self, code: &ProductCode) -> Option<&BookingProduct> {
        self.bookings.get(code)
    }

    /// Every booking product, by code.
    pub fn bookings(&self) -> impl Iterator<Item = &BookingProduct> {
        self.bookings.values()
    }

    /// The channel with this name.
    pub fn channel(&self, id: &ChannelId) -> Option<&ChannelConfig> {
        self.channels.iter().find(|channel| channel.id == *id)
    }

    /// The back-end with this name.
    pub fn backend(&self, id: &BackendId) -> Option<&BackendConfig> {
        self.backends.iter().find(|backend| backend.id == *id)
    }

    /// The credit account with this name.
    pub fn credit_account(&self, id: &str) -> Option<&CreditAccount> {
        self.credit_accounts.get(id)
    }

    /// The holder of a presented ops token. Takes as long for a wrong token as for a right one.
    pub fn ops_token(&self, presented: &str) -> Option<&OpsToken> {
        let presented = Sha256::digest(presented.as_bytes());
        let is_same = |token: &OpsToken| {
            let digest = Sha256::digest(token.token.expose_secret().as_bytes());
            bool::from(digest.as_slice().ct_eq(presented.as_slice()))
        };
        self.ops_tokens.iter().fold(None, |found, token| if is_same(token) { Some(token) } else { found })
    }

    /// The rules under which an order for `product` is placed now (DY-18). `None` when the product is not sold: unknown,
    /// or a voucher together with another booking product than its own.
    pub fn rule_snapshot(&self, channel: ChannelRules, product: &ProductRef) -> Option<RuleSnapshot> {
        let voucher = match &product.voucher {
            Some(code) => Some(self.voucher(code)?),
            None => None,
        };
        let bound = voucher.map(|voucher| &voucher.booking_product);
        let code = match (bound, product.booking.as_ref()) {
            (Some(bound), Some(named)) if bound != named => return None,
            (Some(bound), _) => bound,
            (None, named) => named?,
        };
        let booking = self.booking(code)?.clone();
        Some(RuleSnapshot { config_version: self.version, voucher: voucher.cloned(), booking, channel })
    }
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
    owners: Vec<(Vec<ProductCode>, String, finding::Place)>,
    names: Names,
}

/// Reads a directory. The configuration is `None` when something that it cannot do without is missing or wrong.
fn read(
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
    let config = assemble(directory, parts);
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
        let place = finding::Place { file: "channels".to_owned(), line: 0 };
        let mend = "add a file to the folder `channels`; until then the service answers no call, and /readyz says so";
        findings.warning(place, "no channel is configured", mend);
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
