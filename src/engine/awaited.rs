// SPDX-License-Identifier: Apache-2.0

//! Orders that somebody here waits for. What happens to them here is announced at once; what another instance does is seen by looking, once
//! for all of them together, as long as anybody waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ticketbridge_core::{Millis, Order, OrderId};

use crate::engine::Engine;
use crate::worker::log_trouble;

/// Time between two looks: what an answer may come later because another instance has done the work.
const LOOK_EVERY: Millis = Millis(50);

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Awaited(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// How many wait for an order, and its version when somebody looked last.
    orders: HashMap<OrderId, (usize, u64)>,
    is_looking: bool,
}

/// Somebody waits for an order, until this is dropped.
pub(crate) struct Awaiting {
    awaited: Arc<Awaited>,
    order: OrderId,
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        let mut waiting = self.awaited.waiting();
        if let Some((many, _)) = waiting.orders.get_mut(&self.order) {
            *many -= 1;
            if *many == 0 {
                waiting.orders.remove(&self.order);
            }
        }
    }
}

impl Awaited {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is waited for; `None` when nothing is, and then nobody looks any more.
    fn orders(&self) -> Option<Vec<OrderId>> {
        let mut waiting = self.waiting();
        if waiting.orders.is_empty() {
            waiting.is_looking = false;
            return None;
        }
        Some(waiting.orders.keys().cloned().collect())
    }

    /// Whether this version is news.
    fn is_news(&self, order: &OrderId, version: u64) -> bool {
        let mut waiting = self.waiting();
        let Some((_, known)) = waiting.orders.get_mut(order) else { return false };
        std::mem::replace(known, version) != version
    }
}

impl Engine {
    /// Somebody waits for changes of this order, as it was read: also for those that another instance makes.
    pub(crate) fn await_changes(&self, order: &Order) -> Awaiting {
        let awaited = self.awaited.clone();
        let begins = {
            let mut waiting = awaited.waiting();
            waiting.orders.entry(order.id.clone()).or_insert((0, order.version)).0 += 1;
            // Where one instance uses the database, nobody else changes anything.
            self.store.has_other_instances() && !std::mem::replace(&mut waiting.is_looking, true)
        };
        if begins {
            tokio::spawn(self.clone().look_at_awaited());
        }
        Awaiting { awaited, order: order.id.clone() }
    }

    async fn look_at_awaited(self) {
        loop {
            self.clock.sleep_until(self.clock.now() + LOOK_EVERY).await;
            let Some(orders) = self.awaited.orders() else { return };
            let versions = match self.store.versions_of(&orders).await {
                Ok(versions) => versions,
                Err(error) => {
                    log_trouble(
                        "it cannot be seen what another instance has done; whoever waits looks at the end",
                        &error,
                    );
                    continue;
                }
            };
            for (order, version) in versions {
                if self.awaited.is_news(&order, version) {
                    self.say_changed(order);
                }
            }
        }
    }
}
