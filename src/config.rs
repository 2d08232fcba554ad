// SPDX-License-Identifier: Apache-2.0

//! The configuration: a directory of TOML, read once, checked as a whole, and from then on plain values.
//!
//! Reading never stops at the first mistake: [`Config::load`] gives a configuration without problems, or every
//! problem there is, each with its place and its mend. Nothing inside parses a date, a duration or a code again.

pub(crate) mod address;
pub mod check;
mod cross;
mod currency;
pub mod finding;
pub mod help;
mod load;
mod names;
pub mod organisation;
mod partner;
mod passkeys;
mod product;
mod read;
mod report;
mod secret;
mod service;
mod settings;
pub(crate) mod shown;
mod source;
mod start_times;

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use ticketbridge_core::message::ProductRef;
use ticketbridge_core::product::{BookingProduct, ChannelRules, RuleSnapshot, VoucherProduct};
use ticketbridge_core::{BackendId, ChannelId, ProductCode};

pub use finding::{Finding, Severity};
pub use organisation::{Organisation, SettleUnit};
pub use partner::{BASIS_POINTS, BackendConfig, ChannelConfig, Kinds, Pace, SecretChanges};
pub use passkeys::Passkeys;
pub use report::Report;
pub use secret::{DATA_KEY_BYTES, Environment, Purpose};
pub use service::{
    Backoff, CALL_TIMEOUT_MAX, Console, CreditAccount, DATABASE_URL_VARIABLE, Database, Delivery, LISTEN_VARIABLE,
    LaneLimits, Log, LogFormat, Metrics, OidcProvider, OpsToken, PASSWORD, Privacy, Recorder, Retention, Role,
    SecondFactor, Server, Traces,
};

pub use settings::Settings;
pub(crate) use shown::between as settings_between;
pub use shown::{ChangedSetting, ShownSetting};

use crate::transport::AddressPolicy;

/// A configuration without problems.
#[derive(Debug)]
pub struct Config {
    /// Which one it is; given by whoever holds the running configuration, 0 until then.
    pub version: u64,
    /// The directory that it was read from.
    pub source: PathBuf,
    /// Every setting as it may be shown, by file and key.
    pub shown: Vec<ShownSetting>,
    /// What is other than in the version before.
    pub changed: Vec<ChangedSetting>,
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
    /// Whether partners see a part of the service each, and `/metrics` tells the figures of all of them to whoever reaches it.
    pub(crate) fn tells_figures_to_all(&self) -> bool {
        let has_partners = !self.organisation.institutions.is_empty() || !self.organisation.dealers.is_empty();
        has_partners && self.metrics.are_open()
    }

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
