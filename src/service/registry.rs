// SPDX-License-Identifier: Apache-2.0

//! The partners of a configuration, built: names become channels and back-ends.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, Method};
use ipnet::IpNet;
use ticketbridge_core::message::Destination;
use ticketbridge_core::port::{Backend, Channel, DecodeError, Inbound, RawRequest, SettingsProblem, Verified};
use ticketbridge_core::{BackendId, ChannelId, Millis, UnixMillis};

use crate::config::{BackendConfig, ChannelConfig, Config, Kinds, LaneLimits, Settings};
use crate::http::caller::Caller;
use crate::service::propagation::AllHeld;

/// Why a partner cannot be built of a configuration that was checked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No adapter has this name.
    #[error("`{partner}` names the adapter `{adapter}`, which is not registered")]
    UnknownAdapter {
        /// The channel or back-end.
        partner: String,
        /// The name.
        adapter: String,
    },
    /// The adapter does not accept the settings.
    #[error("the settings of `{partner}` are refused: {}", keys(problems))]
    Settings {
        /// The channel or back-end.
        partner: String,
        /// What is wrong with them.
        problems: Vec<SettingsProblem>,
    },
}

fn keys(problems: &[SettingsProblem]) -> String {
    let said: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.key, problem.problem)).collect();
    said.join("; ")
}

/// A channel, ready to translate.
pub struct RegisteredChannel {
    /// Its name.
    pub id: ChannelId,
    /// Its adapter's name.
    pub adapter: &'static str,
    /// The translator.
    pub channel: Box<dyn Channel>,
    /// Callers that are accepted (PA-02); empty: any.
    pub allow_from: Vec<IpNet>,
    /// Requests a second from one caller.
    pub rate_per_caller: u32,
    /// The credit account that its orders are charged to.
    pub credit_account: Option<String>,
    /// Commission in ten-thousandths, for statements.
    pub commission_bp: Option<u32>,
    /// What it is sent at once and in a second.
    pub lane: LaneLimits,
}

impl RegisteredChannel {
    /// Reads a kept body of one of its calls once more. Its signature was verified when it came: nothing else is ever kept.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn read_again(&self, call: &str, body: &[u8]) -> Result<Inbound, DecodeError> {
        let headers = HeaderMap::new();
        let raw = RawRequest { endpoint: call, method: &Method::POST, query: "", headers: &headers, body };
        self.channel.decode(&Verified::attest(raw, 0))
    }

    /// Whether this caller is accepted; one that is unknown only where there is no list.
    pub fn allows(&self, caller: Caller) -> bool {
        let is_listed = |address: IpAddr| self.allow_from.iter().any(|network| network.contains(&address));
        match caller {
            _ if self.allow_from.is_empty() => true,
            Caller::Known(address) => is_listed(address.to_canonical()),
            Caller::Unknown => false,
        }
    }
}

/// A back-end, ready to translate.
pub struct RegisteredBackend {
    /// Its name.
    pub id: BackendId,
    /// Its adapter's name.
    pub adapter: &'static str,
    /// The translator.
    pub backend: Box<dyn Backend>,
    /// Time for a whole call.
    pub timeout: Millis,
    /// What it is sent at once and in a second.
    pub lane: LaneLimits,
}

/// Every partner of one configuration.
#[derive(Default)]
pub struct Registry {
    channels: BTreeMap<ChannelId, Arc<RegisteredChannel>>,
    backends: BTreeMap<BackendId, Arc<RegisteredBackend>>,
    /// Those whose secrets will be others, as they will be, and from when.
    coming_channels: BTreeMap<ChannelId, (Arc<RegisteredChannel>, UnixMillis)>,
    coming_backends: BTreeMap<BackendId, (Arc<RegisteredBackend>, UnixMillis)>,
}

impl Registry {
    /// Builds every partner of `config` with the adapters that are registered.
    pub fn build(config: &Config) -> Result<Self, RegistryError> {
        Self::build_of(config, Kinds::registered())
    }

    /// Builds every partner of `config` with these adapters.
    pub fn build_of(config: &Config, kinds: Kinds<'_>) -> Result<Self, RegistryError> {
        Self::build_holding(config, kinds, &AllHeld::default())
    }

    /// The same, where some partners still have the secrets of before: then those that they will have are known beside them.
    pub fn build_holding(config: &Config, kinds: Kinds<'_>, held: &AllHeld) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for channel in &config.channels {
            let built = Arc::new(channel_of(config, kinds, channel, &channel.settings)?);
            let built = match held.of(&Destination::Channel(channel.id.clone()).to_string()) {
                None => built,
                Some(held) => {
                    registry.coming_channels.insert(channel.id.clone(), (built, held.until));
                    let settings = channel.settings.with_secret_parts(channel.secrets, &held.values);
                    Arc::new(channel_of(config, kinds, channel, &settings)?)
                }
            };
            registry.channels.insert(channel.id.clone(), built);
        }
        for backend in &config.backends {
            let built = Arc::new(backend_of(config, kinds, backend, &backend.settings)?);
            let built = match held.of(&Destination::Backend(backend.id.clone()).to_string()) {
                None => built,
                Some(held) => {
                    registry.coming_backends.insert(backend.id.clone(), (built, held.until));
                    let settings = backend.settings.with_secret_parts(backend.secrets, &held.values);
                    Arc::new(backend_of(config, kinds, backend, &settings)?)
                }
            };
            registry.backends.insert(backend.id.clone(), built);
        }
        Ok(registry)
    }

    /// The channel with the secrets that it will have, and from when; `None` where it has those of its file.
    pub fn coming_channel(&self, id: &ChannelId) -> Option<&(Arc<RegisteredChannel>, UnixMillis)> {
        self.coming_channels.get(id)
    }

    /// The same of a back-end.
    pub fn coming_backend(&self, id: &BackendId) -> Option<&(Arc<RegisteredBackend>, UnixMillis)> {
        self.coming_backends.get(id)
    }

    /// The channel with this name.
    pub fn channel(&self, id: &ChannelId) -> Option<Arc<RegisteredChannel>> {
        self.channels.get(id).cloned()
    }

    /// The back-end with this name.
    pub fn backend(&self, id: &BackendId) -> Option<Arc<RegisteredBackend>> {
        self.backends.get(id).cloned()
    }

    /// Every destination of deliveries, and what it takes.
    pub fn lanes(&self) -> Vec<(String, LaneLimits)> {
        let channels = self.channels().flat_map(|channel| {
            [Destination::Channel(channel.id.clone()).to_string(), Destination::Agency(channel.id.clone()).to_string()]
                .map(|name| (name, channel.lane))
        });
        let backends =
            self.backends().map(|backend| (Destination::Backend(backend.id.clone()).to_string(), backend.lane));
        channels.chain(backends).collect()
    }

    /// What one destination of deliveries takes; `None` for one that is not configured.
    pub fn lane_of(&self, destination: &str) -> Option<LaneLimits> {
        match Destination::parse(destination)? {
            Destination::Channel(id) | Destination::Agency(id) => self.channel(&id).map(|channel| channel.lane),
            Destination::Backend(id) => self.backend(&id).map(|backend| backend.lane),
        }
    }

    /// Every channel, by name.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<RegisteredChannel>> {
        self.channels.values()
    }

    /// Every back-end, by name.
    pub fn backends(&self) -> impl Iterator<Item = &Arc<RegisteredBackend>> {
        self.backends.values()
    }
}

fn channel_of(
    config: &Config,
    kinds: Kinds<'_>,
    channel: &ChannelConfig,
    settings: &Settings,
) -> Result<RegisteredChannel, RegistryError> {
    let kind = kinds.channels.iter().find(|kind| kind.name == channel.adapter);
    let kind = kind.ok_or_else(|| unknown(channel.id.as_str(), channel.adapter))?;
    let built = (kind.build)(channel.id.as_str(), settings.expose())
        .map_err(|problems| RegistryError::Settings { partner: channel.id.to_string(), problems })?;
    Ok(RegisteredChannel {
        id: channel.id.clone(),
        adapter: channel.adapter,
        channel: built,
        allow_from: channel.allow_from.clone(),
        rate_per_caller: channel.rate_per_caller.unwrap_or(config.server.rate_per_caller),
        credit_account: channel.credit_account.clone(),
        commission_bp: channel.commission_bp,
        lane: channel.pace.or(config.delivery.lane),
    })
}

fn backend_of(
    config: &Config,
    kinds: Kinds<'_>,
    backend: &BackendConfig,
    settings: &Settings,
) -> Result<RegisteredBackend, RegistryError> {
    let kind = kinds.backends.iter().find(|kind| kind.name == backend.adapter);
    let kind = kind.ok_or_else(|| unknown(backend.id.as_str(), backend.adapter))?;
    let built = (kind.build)(backend.id.as_str(), settings.expose())
        .map_err(|problems| RegistryError::Settings { partner: backend.id.to_string(), problems })?;
    Ok(RegisteredBackend {
        id: backend.id.clone(),
        adapter: backend.adapter,
        backend: built,
        timeout: backend.timeout.unwrap_or(config.delivery.timeout),
        lane: backend.pace.or(config.delivery.lane),
    })
}

fn unknown(partner: &str, adapter: &str) -> RegistryError {
    RegistryError::UnknownAdapter { partner: partner.to_owned(), adapter: adapter.to_owned() }
}
