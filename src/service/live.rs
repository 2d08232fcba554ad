// SPDX-License-Identifier: Apache-2.0

//! What the service is running with at this moment: the configuration and the partners built from it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use secrecy::ExposeSecret as _;
use ticketbridge_core::message::ProductRef;
use ticketbridge_core::shared_rules::SharedRules;
use ticketbridge_core::{ChannelId, UnixMillis};
use tokio::sync::{Mutex, MutexGuard};

use crate::config::Config;
use crate::service::registry::{RegisteredChannel, Registry, RegistryError};

/// A configuration in force, with its partners. Work that has begun keeps the one it began with.
pub struct Running {
    /// The configuration.
    pub config: Config,
    /// Its partners.
    pub registry: Registry,
    /// When it came into force.
    pub applied_at: UnixMillis,
    /// The rules of what is sold, by channel and product, as far as somebody asked for them: orders share them.
    rules: RwLock<HashMap<(ChannelId, ProductRef), SharedRules>>,
}

impl Running {
    fn new(config: Config, now: UnixMillis) -> Result<Arc<Self>, RegistryError> {
        let registry = Registry::build(&config)?;
        Ok(Arc::new(Self { config, registry, applied_at: now, rules: RwLock::default() }))
    }

    /// The rules under which an order of this channel for `product` is placed now; `None` when that is not sold.
    pub fn rules_of(&self, channel: &RegisteredChannel, product: &ProductRef) -> Option<SharedRules> {
        let key = (channel.id.clone(), product.clone());
        if let Some(known) = self.rules.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(known.clone());
        }
        // What is not sold is not remembered: anybody may ask for anything.
        let rules = SharedRules::from(self.config.rule_snapshot(channel.channel.rules(), product)?);
        self.rules.write().unwrap_or_else(PoisonError::into_inner).insert(key, rules.clone());
        Some(rules)
    }
}

/// The last change of the configuration that was refused.
#[derive(Clone, Debug)]
pub struct RefusedChange {
    /// When.
    pub at: UnixMillis,
    /// Everything that `check` found.
    pub findings: Vec<crate::config::Finding>,
}

/// The configuration in force; replaced as a whole, or not at all.
pub struct Live {
    /// The one that the process began with.
    started: Arc<Running>,
    running: ArcSwap<Running>,
    refused: ArcSwap<Option<RefusedChange>>,
    changing: Mutex<()>,
}

impl Live {
    /// Begins with `config` as version 1.
    ///
    /// # Errors
    /// When a partner cannot be built from it.
    pub fn new(mut config: Config, now: UnixMillis) -> Result<Self, RegistryError> {
        config.version = 1;
        let started = Running::new(config, now)?;
        Ok(Self {
            running: ArcSwap::new(started.clone()),
            started,
            refused: ArcSwap::from_pointee(None),
            changing: Mutex::new(()),
        })
    }

    /// Held by whoever changes the configuration: two changes do not overtake each other.
    pub async fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Settings that are read at the start only, and are other than they were then.
    pub fn needs_restart(&self) -> Vec<&'static str> {
        let (now, then) = (&self.now().config, &self.started.config);
        let changed = [
            ("server.listen", now.server.listen != then.server.listen),
            ("server.lanes", now.server.lanes != then.server.lanes),
            ("database.url", now.database.url.expose_secret() != then.database.url.expose_secret()),
            ("metrics.listen", now.metrics.listen != then.metrics.listen),
            ("log", now.log != then.log),
        ];
        changed.into_iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| name).collect()
    }

    /// What is in force.
    pub fn now(&self) -> Arc<Running> {
        self.running.load_full()
    }

    /// Puts `config` into force, as the next version. Some settings stay those of the start ([`Live::needs_restart`]).
    ///
    /// # Errors
    /// When a partner cannot be built from it; then nothing changes.
    pub fn replace(&self, mut config: Config, now: UnixMillis) -> Result<u64, RegistryError> {
        config.version = self.now().config.version + 1;
        let version = config.version;
        self.running.store(Running::new(config, now)?);
        self.refused.store(Arc::new(None));
        Ok(version)
    }

    /// Notes that a change was refused.
    pub fn refuse(&self, change: RefusedChange) {
        self.refused.store(Arc::new(Some(change)));
    }

    /// The last change that was refused, unless a later one was accepted.
    pub fn refused(&self) -> Option<RefusedChange> {
        (**self.refused.load()).clone()
    }
}
