// SPDX-License-Identifier: Apache-2.0

//! The handle of a running platform, and what it remembers.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::MutexGuard;
use std::time::Duration;

use super::books::{Books, Kept};
use super::gate::Gate;
use super::options::{Faults, PlatformOptions};
use super::trade::{Event, Trade, numbered};
use crate::machine::Machine;
use crate::{Journal, Party, SimTime};

/// A running platform. Clones are handles to the same one; it stops when the last handle is dropped.
pub struct Platform<T: Trade> {
    pub(super) machine: Machine<PlatformOptions, State<T>>,
}

/// All that changes.
pub(super) struct State<T> {
    pub(super) bridge_url: String,
    pub(super) faults: Faults,
    pub(super) books: Books<T>,
    /// Events that are kept back, oldest first.
    pub(super) held: Vec<Event>,
    pub(super) gates: BTreeMap<&'static str, Gate>,
    /// Body and answer by `Idempotency-Key`.
    pub(super) keys: BTreeMap<String, (String, u16, Value)>,
    pub(super) next_number: u64,
}

impl<T: Trade> Clone for Platform<T> {
    fn clone(&self) -> Self {
        Self { machine: self.machine.clone() }
    }
}

impl<T: Trade> fmt::Debug for Platform<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("party", &T::PARTY).field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl<T: Trade> Platform<T> {
    /// The address to configure at the bridge.
    pub fn base_url(&self) -> String {
        self.machine.base_url()
    }

    /// Says where the bridge is: its address without a path.
    pub fn set_bridge_url(&self, url: impl Into<String>) {
        self.state().bridge_url = url.into();
    }

    /// What it was started with.
    pub fn options(&self) -> &PlatformOptions {
        self.machine.options()
    }

    /// Its time.
    pub fn time(&self) -> &SimTime {
        &self.machine.options().time
    }

    /// What crossed the wire.
    pub fn journal(&self) -> &Journal {
        &self.machine.options().journal
    }

    /// A copy of the books.
    pub fn books(&self) -> Books<T> {
        self.state().books.clone()
    }

    /// One trade as the books have it.
    pub fn kept(&self, number: &str) -> Option<Kept<T>> {
        self.state().books.trades.get(number).cloned()
    }

    /// Throws switches.
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state().faults);
    }

    /// Puts all switches back, opens all gates, and forgets what was kept back.
    pub fn tidy(&self) {
        self.change(|state| {
            state.faults = Faults::default();
            state.held.clear();
            // A gate that nobody holds is open.
            state.gates.clear();
        });
    }

    /// Stops the bridge's next call of this name before it is carried out, until the gate is opened.
    pub fn stop_before(&self, call: &'static str) -> Gate {
        let gate = Gate::before();
        self.change(|state| state.gates.insert(call, gate.clone()));
        gate
    }

    /// Carries the bridge's next call of this name out, and keeps the answer back until the gate is opened.
    pub fn stop_after(&self, call: &'static str) -> Gate {
        let gate = Gate::after();
        self.change(|state| state.gates.insert(call, gate.clone()));
        gate
    }

    /// Waits until `look` finds something in the books, for `patience` of real time at most.
    pub async fn until<F>(&self, patience: Duration, mut look: impl FnMut(&Books<T>) -> Option<F>) -> Option<F> {
        self.machine.until(patience, |state| look(&state.books)).await
    }

    /// Stops serving and ends all timers.
    pub async fn stop(&self) {
        self.machine.stop().await;
    }

    /// The switches as they stand.
    pub fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    /// A new number of a trade.
    pub fn new_number(&self) -> String {
        self.new_id(T::PREFIX)
    }

    /// A new number that begins with `prefix`.
    pub fn new_id(&self, prefix: &str) -> String {
        let now_ms = self.time().now_ms();
        self.change(|state| {
            state.next_number += 1;
            numbered(prefix, now_ms, state.next_number)
        })
    }

    /// Notes what a person did.
    pub fn note(&self, who: Party, number: &str, what: impl Into<String>) {
        self.journal().note(self.time().elapsed(), who, Some(number), what);
    }

    /// Does `work` in the background with a handle of its own.
    pub(super) fn meanwhile<F, Work>(&self, work: F)
    where
        F: FnOnce(Self) -> Work,
        Work: Future<Output = ()> + Send + 'static,
    {
        self.machine.spawn(work(self.inside()));
    }

    /// A handle for background work, which must not keep the platform alive.
    pub(super) fn inside(&self) -> Self {
        Self { machine: self.machine.inside() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<T>> {
        self.machine.state()
    }

    /// Changes the state and wakes whoever waits for it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State<T>) -> R) -> R {
        self.machine.change(change)
    }
}
