//! What the service is running with at this moment: the configuration and the partners built from it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ticketbridge_core::UnixMillis;

use crate::config::Config;
use crate::registry::{Registry, RegistryError};

/// A configuration in force, with its partners. Work that has begun keeps the one it began with.
pub struct Running {
    /// The configuration.
    pub config: Config,
    /// Its partners.
    pub registry: Registry,
    /// When it came into force.
    pub applied_at: UnixMillis,
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
    running: ArcSwap<Running>,
    refused: ArcSwap<Option<RefusedChange>>,
}

impl Live {
    /// Begins with `config` as version 1.
    ///
    /// # Errors
    /// When a partner cannot be built from it.
    pub fn new(mut config: Config, now: UnixMillis) -> Result<Self, RegistryError> {
        config.version = 1;
        let registry = Registry::build(&config)?;
        Ok(Self {
            running: ArcSwap::from_pointee(Running { config, registry, applied_at: now }),
            refused: ArcSwap::from_pointee(None),
        })
    }

    /// What is in force.
    pub fn now(&self) -> Arc<Running> {
        self.running.load_full()
    }

    /// Puts `config` into force, as the next version. Listening address and database stay those of the start.
    ///
    /// # Errors
    /// When a partner cannot be built from it; then nothing changes.
    pub fn replace(&self, mut config: Config, now: UnixMillis) -> Result<u64, RegistryError> {
        config.version = self.now().config.version + 1;
        let version = config.version;
        let registry = Registry::build(&config)?;
        self.running.store(Arc::new(Running { config, registry, applied_at: now }));
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
