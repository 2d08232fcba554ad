// SPDX-License-Identifier: Apache-2.0

//! The looks at what changed, which all who look on have in common: the database is asked once a second at most.

use std::sync::Arc;

use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{Changes, Store, StoreError, Within};

/// How often it is looked for changes.
pub(super) const LOOK_EVERY: Millis = Millis::seconds(1);
/// A change may be committed so long after the time that it bears.
pub(super) const LATE: Millis = Millis::seconds(10);
/// Orders of one look; of more at once it is told that everything may have changed.
pub(super) const ORDERS_MAX: u32 = 500;

/// The last look at what changed, for all who look on.
#[derive(Debug, Default)]
pub struct LastLook {
    look: tokio::sync::Mutex<Option<(UnixMillis, Arc<Changes>)>>,
}

impl LastLook {
    /// What changed of late, by a look that is not older than [`LOOK_EVERY`].
    pub(super) async fn recent(&self, store: &Store, now: UnixMillis) -> Result<Arc<Changes>, StoreError> {
        let mut look = self.look.lock().await;
        if let Some((at, changes)) = &*look
            && now >= *at
            && now - *at < LOOK_EVERY
        {
            return Ok(changes.clone());
        }
        let since = now - LATE - LOOK_EVERY - LOOK_EVERY;
        let changes = Arc::new(store.changes_since(since, &Within::Everything, ORDERS_MAX).await?);
        *look = Some((now, changes.clone()));
        Ok(changes)
    }
}
