// SPDX-License-Identifier: Apache-2.0

//! Who takes part in a story: the bridge, a channel, a back-end, and perhaps a supplier.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{Days, NaiveDate};
use serde_json::Value;

use crate::ops::Ops;
use crate::{Journal, SimBackend, SimDouyin, SimOcto, SimTime};

/// A simulated channel, as far as every story needs it.
pub trait Channel: Clone + Send + Sync + 'static {
    /// Its name at the bridge.
    fn id(&self) -> &str;
    /// Its time.
    fn time(&self) -> &SimTime;
    /// What crossed the wire.
    fn journal(&self) -> &Journal;
    /// Today, where its days are counted.
    fn today(&self) -> NaiveDate;
    /// Stated time that the longest wait of its stories takes.
    fn longest_wait(&self) -> Duration;
    /// What its books hold against the bridge about these orders, a sentence each.
    fn held_against(&self, orders: &[String]) -> Vec<String>;
    /// Where its books differ from the order that the bridge shows, a sentence each.
    fn differences(&self, number: &str, order: &Value, backend: &SimBackend) -> Vec<String>;
    /// Puts the switches back.
    fn tidy(&self);
}

/// What a story is about to find out about: a bridge, and the simulators around it.
#[derive(Clone, Debug)]
pub struct Stage<C = SimDouyin> {
    /// The ops interface of the bridge.
    pub ops: Ops,
    /// The channel.
    pub channel: C,
    /// The back-end.
    pub backend: SimBackend,
    /// An OCTO supplier beside it, for the stories that need one.
    pub supplier: Option<Supplier>,
    /// How long the bridge may take for anything that has no longer limit, real time.
    pub patience: Duration,
    people: Arc<AtomicU64>,
}

impl<C: Channel> Stage<C> {
    /// A stage on which everybody is there.
    pub fn new(bridge_url: &str, ops_token: &str, channel: C, backend: SimBackend) -> Self {
        let first_person = u64::try_from(channel.time().now_s()).unwrap_or_default();
        Self {
            ops: Ops::new(bridge_url, ops_token),
            channel,
            backend,
            supplier: None,
            patience: Duration::from_secs(20),
            people: Arc::new(AtomicU64::new(first_person)),
        }
    }

    /// A visit on which the guest can go in at once.
    pub fn today(&self) -> NaiveDate {
        self.channel.today()
    }

    /// A visit in a while.
    pub fn in_days(&self, days: u64) -> NaiveDate {
        self.today().checked_add_days(Days::new(days)).unwrap_or_default()
    }

    /// The number of somebody who never came before.
    pub(super) fn next_person(&self) -> u64 {
        self.people.fetch_add(1, Ordering::Relaxed)
    }
}

/// An OCTO supplier, and what of the bridge's configuration is about it.
#[derive(Clone, Debug)]
pub struct Supplier {
    /// The supplier.
    pub octo: SimOcto,
    /// The back-end's name at the bridge.
    pub backend: String,
    /// Where the bridge takes pushes; `None` where it takes none.
    pub hints: Option<String>,
    /// Which of the channel's products has its tickets from there.
    pub sells: usize,
    /// The same for one whose back-end gives up at the deadline.
    pub gives_up: Option<usize>,
}

impl Supplier {
    /// What its books hold against the bridge.
    pub(super) fn violations(&self) -> Vec<String> {
        self.octo.with_books(|books| books.violations.clone())
    }
}
