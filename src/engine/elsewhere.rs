// SPDX-License-Identifier: Apache-2.0

//! What another instance does to an order that somebody here waits for. What happens here is announced at once; the rest is seen by looking,
//! once for all of them together, as long as anybody waits.

use ticketbridge_core::{Millis, Order};

use crate::engine::Engine;
use crate::engine::awaited::{Awaiting, Beginning, SoFar};
use crate::telemetry::seldom;

/// Time between two looks: what an answer may come later because another instance has done the work.
const LOOK_EVERY: Millis = Millis(50);

impl Engine {
    /// How many changes of orders have been told here.
    pub(crate) fn changes_so_far(&self) -> SoFar {
        self.awaited.so_far()
    }

    /// Somebody waits for changes of this order, as it was read after `since`: also for those that another instance makes. And whether it may
    /// have changed before he began to wait.
    pub(crate) fn await_changes(&self, order: &Order, since: SoFar) -> (Awaiting<Order>, bool) {
        let Beginning { awaiting, may_be_old, is_first } =
            self.awaited.add(&order.id, order.version, since, self.store.has_other_instances());
        if is_first {
            tokio::spawn(self.clone().look_at_awaited());
        }
        (awaiting, may_be_old)
    }

    async fn look_at_awaited(self) {
        loop {
            self.clock.sleep_until(self.clock.now() + LOOK_EVERY).await;
            let Some(orders) = self.awaited.orders() else { return };
            let versions = match self.store.versions_of(&orders).await {
                Ok(versions) => versions,
                Err(error) => {
                    if seldom::is_due("elsewhere").is_some() {
                        tracing::warn!(%error, "it cannot be seen what another instance has done; whoever waits looks at the end");
                    }
                    continue;
                }
            };
            for (order, version) in versions {
                self.awaited.tell_version(&order, version);
            }
        }
    }
}
