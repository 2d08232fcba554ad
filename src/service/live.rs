// SPDX-License-Identifier: Apache-2.0

//! What the service is running with at this moment: the configuration and the partners built from it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use secrecy::ExposeSecret as _;
use ticketbridge_core::message::ProductRef;
use ticketbridge_core::shared_rules::SharedRules;
use ticketbridge_core::{ChannelId, UnixMillis};
use tokio::sync::{Mutex, MutexGuard};

use crate::config::{Config, Kinds};
use crate::service::propagation::AllHeld;
use crate::service::registry::{RegisteredChannel, Registry, RegistryError};

/// A configuration in force, with its partners. Work that has begun keeps the one it began with.
pub struct Running {
    /// The configuration.
    pub config: Arc<Config>,
    /// Secrets of partners that hold although the configuration has others by now.
    pub held: AllHeld,
    /// Its partners.
    pub registry: Registry,
    /// When it came into force.
    pub applied_at: UnixMillis,
    /// The rules of what is sold, by channel and product, as far as somebody asked for them: orders share them.
    rules: RwLock<HashMap<(ChannelId, ProductRef), SharedRules>>,
}

impl Running {
    fn new(config: Arc<Config>, held: AllHeld, applied_at: UnixMillis) -> Result<Arc<Self>, RegistryError> {
        let registry = Registry::build_holding(&config, Kinds::registered(), &held)?;
        Ok(Arc::new(Self { config, held, registry, applied_at, rules: RwLock::default() }))
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
    /// Whether changed secrets have come into force that nobody has acted on yet.
    let_through: AtomicBool,
    changing: Mutex<()>,
}

impl Live {
    /// Begins with `config` as version 1.
    ///
    /// # Errors
    /// When a partner cannot be built from it.
    pub fn new(mut config: Config, now: UnixMillis) -> Result<Self, RegistryError> {
        config.version = 1;
        let started = Running::new(Arc::new(config), AllHeld::default(), now)?;
        Ok(Self {
            running: ArcSwap::new(started.clone()),
            started,
            refused: ArcSwap::from_pointee(None),
            let_through: AtomicBool::new(false),
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

    /// What was put into force last. Changed secrets may have come into force since: [`Live::at`] knows.
    pub fn now(&self) -> Arc<Running> {
        self.running.load_full()
    }

    /// What is in force at a time: changed secrets come into force by themselves.
    pub fn at(&self, now: impl FnOnce() -> UnixMillis) -> Arc<Running> {
        let running = self.now();
        let Some(next) = running.held.next_end() else { return running };
        let now = now();
        if now < next { running } else { self.let_through(&running, now) }
    }

    fn let_through(&self, before: &Arc<Running>, now: UnixMillis) -> Arc<Running> {
        match Running::new(before.config.clone(), before.held.at(now), before.applied_at) {
            Ok(running) => {
                // Where somebody else was faster, or has read other files meanwhile, his is in force.
                self.running.compare_and_swap(before, running);
                self.let_through.store(true, Ordering::SeqCst);
                tracing::info!("changed secrets of partners are in force");
                self.now()
            }
            // They were built like this when the files were read.
            Err(error) => {
                tracing::error!(%error, "changed secrets cannot come into force; those of before hold on");
                before.clone()
            }
        }
    }

    /// Whether changed secrets have come into force since this was asked last.
    pub fn has_let_through(&self) -> bool {
        self.let_through.swap(false, Ordering::SeqCst)
    }

    /// Lets secrets of before hold on, as the database knows them: at the start, before anybody is served.
    ///
    /// # Errors
    /// When a partner cannot be built with them; then nothing changes.
    pub fn hold(&self, held: AllHeld) -> Result<(), RegistryError> {
        let running = self.now();
        self.running.store(Running::new(running.config.clone(), held, running.applied_at)?);
        Ok(())
    }

    /// Whether every partner of `config` can be built while these secrets hold on.
    ///
    /// # Errors
    /// Why one cannot.
    pub fn could_be(config: &Config, held: &AllHeld) -> Result<(), RegistryError> {
        Registry::build_holding(config, Kinds::registered(), held).map(drop)
    }

    /// Puts `config` into force, as the next version, with the secrets of before that hold on. Some settings stay those of the start
    /// ([`Live::needs_restart`]).
    ///
    /// # Errors
    /// When a partner cannot be built from it; then nothing changes.
    pub fn replace(&self, mut config: Config, held: AllHeld, now: UnixMillis) -> Result<u64, RegistryError> {
        let before = self.now();
        config.version = before.config.version + 1;
        config.changed = crate::config::settings_between(&before.config.shown, &config.shown);
        let version = config.version;
        self.running.store(Running::new(Arc::new(config), held, now)?);
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
