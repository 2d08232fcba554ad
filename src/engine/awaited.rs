// SPDX-License-Identifier: Apache-2.0

//! Orders that somebody here waits for, and which of their versions are news.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ticketbridge_core::{Order, OrderId};

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
    /// One more waits for `order`; whether somebody has to begin to look, where other instances may change it.
    pub(super) fn add(self: &Arc<Self>, order: &Order, has_other_instances: bool) -> (Awaiting, bool) {
        let mut waiting = self.waiting();
        waiting.orders.entry(order.id.clone()).or_insert((0, order.version)).0 += 1;
        let begins = has_other_instances && !std::mem::replace(&mut waiting.is_looking, true);
        drop(waiting);
        (Awaiting { awaited: self.clone(), order: order.id.clone() }, begins)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is waited for; `None` when nothing is, and then nobody looks any more.
    pub(super) fn orders(&self) -> Option<Vec<OrderId>> {
        let mut waiting = self.waiting();
        if waiting.orders.is_empty() {
            waiting.is_looking = false;
            return None;
        }
        Some(waiting.orders.keys().cloned().collect())
    }

    /// Whether this version is news.
    pub(super) fn is_news(&self, order: &OrderId, version: u64) -> bool {
        let mut waiting = self.waiting();
        let Some((_, known)) = waiting.orders.get_mut(order) else { return false };
        std::mem::replace(known, version) != version
    }
}
