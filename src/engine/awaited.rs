// SPDX-License-Identifier: Apache-2.0

//! Orders that somebody here waits for, which of their versions are news, and who is told: nobody hears of orders that he does not wait for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ticketbridge_core::OrderId;
use tokio::sync::watch;

/// Changes that are remembered for whoever begins to wait a little later; one who may have missed more looks for himself.
const CHANGES_KEPT: usize = 4_096;

/// Who waits for what. `T` is an order.
#[derive(Debug)]
pub(crate) struct Awaited<T>(Mutex<Waiting<T>>);

impl<T> Default for Awaited<T> {
    fn default() -> Self {
        let (orders, latest) = (HashMap::new(), VecDeque::new());
        Self(Mutex::new(Waiting { orders, is_looking: false, latest, counted: 0 }))
    }
}

#[derive(Debug)]
struct Waiting<T> {
    orders: HashMap<OrderId, Entry<T>>,
    is_looking: bool,
    /// The latest changes, the newest last: of which order, and to which version.
    latest: VecDeque<(OrderId, u64)>,
    /// How many there were in all.
    counted: u64,
}

#[derive(Debug)]
struct Entry<T> {
    /// How many wait for it.
    many: usize,
    /// Its newest version that is known here.
    version: u64,
    news: watch::Sender<Option<Arc<T>>>,
}

/// How many changes there had been at some time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoFar(u64);

/// Somebody waits for an order, until this is dropped.
pub(crate) struct Awaiting<T> {
    awaited: Arc<Awaited<T>>,
    order: OrderId,
    news: watch::Receiver<Option<Arc<T>>>,
}

impl<T> Awaiting<T> {
    /// Waits for the next change: the order as it is since then, where that is known here.
    pub(crate) async fn news(&mut self) -> Option<Arc<T>> {
        // Its sender stays as long as this does.
        if self.news.changed().await.is_err() {
            return std::future::pending().await;
        }
        self.news.borrow_and_update().clone()
    }
}

impl<T> Drop for Awaiting<T> {
    fn drop(&mut self) {
        let mut waiting = self.awaited.waiting();
        if let Some(entry) = waiting.orders.get_mut(&self.order) {
            entry.many -= 1;
            if entry.many == 0 {
                waiting.orders.remove(&self.order);
            }
        }
    }
}

/// Somebody who begins to wait.
pub(super) struct Beginning<T> {
    pub(super) awaiting: Awaiting<T>,
    /// The order may have changed since it was read.
    pub(super) may_be_old: bool,
    /// Somebody has to begin to look, where other instances may change it.
    pub(super) is_first: bool,
}

impl<T> Awaited<T> {
    /// How many changes there have been so far.
    pub(super) fn so_far(&self) -> SoFar {
        SoFar(self.waiting().counted)
    }

    /// One more waits for `order`, which was read at this version after `since`.
    pub(super) fn add(
        self: &Arc<Self>,
        order: &OrderId,
        version: u64,
        since: SoFar,
        has_other_instances: bool,
    ) -> Beginning<T> {
        let mut waiting = self.waiting();
        let may_be_old = waiting.may_have_changed(order, version, since);
        let entry = waiting.orders.entry(order.clone()).or_insert_with(|| Entry {
            many: 0,
            version,
            news: watch::Sender::new(None),
        });
        entry.many += 1;
        let news = entry.news.subscribe();
        let is_first = has_other_instances && !std::mem::replace(&mut waiting.is_looking, true);
        drop(waiting);
        let awaiting = Awaiting { awaited: self.clone(), order: order.clone(), news };
        Beginning { awaiting, may_be_old, is_first }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
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

    /// An order was changed here, to this version; who waits for it has it at once.
    pub(super) fn tell(&self, order: &OrderId, version: u64, whole: impl FnOnce() -> T) {
        let mut waiting = self.waiting();
        waiting.note(order, version);
        // Two changes may be told in the wrong order.
        if let Some(entry) = waiting.orders.get_mut(order).filter(|entry| entry.version < version) {
            entry.version = version;
            entry.news.send_replace(Some(Arc::new(whole())));
        }
    }

    /// An order was seen at this version; who waits for it looks, where that is news.
    pub(super) fn tell_version(&self, order: &OrderId, version: u64) {
        let mut waiting = self.waiting();
        if let Some(entry) = waiting.orders.get_mut(order).filter(|entry| entry.version < version) {
            entry.version = version;
            entry.news.send_replace(None);
        }
    }
}

impl<T> Waiting<T> {
    fn note(&mut self, order: &OrderId, version: u64) {
        if self.latest.len() >= CHANGES_KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back((order.clone(), version));
        self.counted += 1;
    }

    fn may_have_changed(&self, order: &OrderId, version: u64, since: SoFar) -> bool {
        if self.orders.get(order).is_some_and(|entry| entry.version > version) {
            return true;
        }
        let Ok(many) = usize::try_from(self.counted - since.0) else { return true };
        many > self.latest.len()
            || self.latest.iter().rev().take(many).any(|(changed, to)| changed == order && *to > version)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn id(text: &str) -> OrderId {
        OrderId(text.to_owned())
    }

    fn told(awaiting: &mut Awaiting<u64>) -> Option<Option<u64>> {
        awaiting.news().now_or_never().map(|news| news.map(|order| *order))
    }

    #[test]
    fn who_waits_for_an_order_is_told_of_it_and_of_no_other() {
        let awaited: Arc<Awaited<u64>> = Arc::default();
        let mut begins = awaited.add(&id("a"), 1, awaited.so_far(), false);
        assert!(!begins.may_be_old && !begins.is_first);
        awaited.tell(&id("b"), 7, || unreachable!("nobody waits for it"));
        assert_eq!(told(&mut begins.awaiting), None);
        awaited.tell(&id("a"), 3, || 3);
        awaited.tell(&id("a"), 2, || 2);
        assert_eq!(told(&mut begins.awaiting), Some(Some(3)), "an older version is no news");
        assert_eq!(told(&mut begins.awaiting), None, "once");
        awaited.tell_version(&id("a"), 3);
        assert_eq!(told(&mut begins.awaiting), None);
        awaited.tell_version(&id("a"), 4);
        assert_eq!(told(&mut begins.awaiting), Some(None), "where another instance has changed it he looks himself");
        assert_eq!(awaited.orders(), Some(vec![id("a")]));
        drop(begins);
        assert_eq!(awaited.orders(), None);
    }

    #[test]
    fn what_changed_before_somebody_began_to_wait_is_not_missed() {
        let awaited: Arc<Awaited<u64>> = Arc::default();
        let since = awaited.so_far();
        awaited.tell(&id("a"), 2, || 2);
        awaited.tell(&id("b"), 2, || 2);
        let may_be_old = |order, version, since| awaited.add(&id(order), version, since, false).may_be_old;
        assert!(may_be_old("a", 1, since) && may_be_old("b", 1, since));
        assert!(!may_be_old("a", 2, since), "it was read at this version");
        assert!(!may_be_old("a", 1, awaited.so_far()), "it was read afterwards");
        let waits = awaited.add(&id("c"), 1, awaited.so_far(), false);
        awaited.tell_version(&id("c"), 2);
        assert!(may_be_old("c", 1, awaited.so_far()), "what was told to others he has not heard");
        drop(waits);
        let long_ago = awaited.so_far();
        for n in 0..=CHANGES_KEPT {
            awaited.tell(&id("d"), n as u64, || 0);
        }
        assert!(may_be_old("a", 2, long_ago), "nobody remembers so many");
    }
}
