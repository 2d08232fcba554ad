// SPDX-License-Identifier: Apache-2.0

//! What a store knows of the rules in its database.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ticketbridge_core::shared_rules::{KnownRules, with_known};

use crate::error::StoreError;

/// What is known of the rules in the database.
#[derive(Debug, Default)]
pub(crate) struct RuleBook {
    /// Those that were loaded, by their digests.
    pub(crate) known: KnownRules,
    /// By their digests, those that were seen in the database or committed to it. They never leave it.
    stored: Mutex<HashSet<String>>,
    /// Whether new documents name their rules.
    is_apart: AtomicBool,
}

impl RuleBook {
    /// Whether it is in the database as far as is known here.
    pub(crate) fn is_stored(&self, digest: &str) -> bool {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    /// Whether new documents name their rules, as far as is known here.
    pub(crate) fn is_apart(&self) -> bool {
        self.is_apart.load(Ordering::Relaxed)
    }

    /// They do from now on.
    pub(crate) fn keep_apart(&self) {
        self.is_apart.store(true, Ordering::Relaxed);
    }

    /// These are in the database now.
    pub(crate) fn note_stored(&self, digests: Vec<String>) {
        if !digests.is_empty() {
            let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
            if stored.len() >= KnownRules::REMEMBERED_MAX {
                stored.clear();
            }
            stored.extend(digests);
        }
    }

    /// Reads a document, whose rules may stand in it by their digest.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self, clear: &[u8]) -> Result<T, Unread> {
        match with_known(&self.known, || serde_json::from_slice(clear)) {
            (Ok(read), _) => Ok(read),
            (Err(_), Some(digest)) => Err(Unread::Unknown(digest)),
            (Err(error), None) => Err(Unread::Never(error.into())),
        }
    }
}

/// Why something could not be read.
pub(crate) enum Unread {
    /// It names rules that were not loaded.
    Unknown(String),
    /// It never can be.
    Never(StoreError),
}
