// SPDX-License-Identifier: Apache-2.0

//! This process among the others on the same database: what it tells them of itself.

use sha2::{Digest as _, Sha256};
use ticketbridge_core::Millis;
use ticketbridge_store::{StoreError, Tx};

use crate::config::DATA_KEY_BYTES;
use crate::http::Shared;

/// How long an instance counts as running after it was heard of last.
const HEARD_WITHIN: Millis = Millis::seconds(90);
/// Keys of which an instance tells.
const KEYS_TOLD: usize = 4;

/// By what a data key is known without being known.
pub(crate) fn fingerprint(key: &[u8; DATA_KEY_BYTES]) -> String {
    let digest = Sha256::new().chain_update(b"ticketbridge data key ").chain_update(key).finalize();
    hex::encode(digest).chars().take(12).collect()
}

/// Tells the others that this instance runs, and which data keys it holds: whoever rotates them must know that everybody can read.
///
/// # Errors
/// Store errors.
pub(crate) async fn tell(shared: &Shared) -> Result<(), StoreError> {
    let keys = shared.engine.running().config.data_keys();
    let says: Vec<String> = keys.iter().take(KEYS_TOLD).map(fingerprint).collect();
    let told = (shared.instance.clone(), says.join(","));
    let now = shared.engine.clock().now();
    let store = shared.engine.store();
    store
        .write("note_instance", move |tx: &Tx| {
            let (name, says) = told.clone();
            Box::pin(async move { tx.note_instance(&name, &says, HEARD_WITHIN, now).await })
        })
        .await?;
    // Another instance may have found meanwhile that all can read them.
    store.rules_are_apart().await.map(drop)
}

/// The same as a part of housekeeping.
pub(crate) async fn tell_or_log(shared: &Shared) {
    if let Err(error) = tell(shared).await {
        crate::trouble::log_trouble("the other instances cannot be told which keys this one holds", &error);
    }
}

/// This instance ends.
pub(crate) async fn leave(shared: &Shared) {
    let name = shared.instance.clone();
    let left: Result<(), StoreError> = shared
        .engine
        .store()
        .write("forget_instance", move |tx: &Tx| {
            let name = name.clone();
            Box::pin(async move { tx.forget_instance(&name).await })
        })
        .await;
    if let Err(error) = left {
        crate::trouble::log_trouble("this instance could not take its leave; it is forgotten by itself", &error);
    }
}
