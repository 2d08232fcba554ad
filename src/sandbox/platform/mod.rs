// SPDX-License-Identifier: Apache-2.0

//! What the simulated platforms have in common whose contract is ours (`docs/src/contract/signatures.md`, `adapters/kakao/README.md`): they tell whole orders
//! by signed events with a revision, repeat them until they are taken, serve signed calls, and keep books of their own.
//!
//! A platform says with [`Trade`] what it sells and what its calls do; everything on the wire is here. It never looks inside the
//! bridge: all it knows came over HTTP.
//!
//! [`books`] is what is remembered, [`tell`] how events are sent, [`serve`] how calls are answered, [`money`] payments and what of them
//! went back, [`options`] the switches.

pub mod books;
pub mod money;
pub mod options;
pub mod tell;

mod gate;
mod serve;

#[cfg(test)]
mod tests;

pub use books::{Books, CallRecord, EventRecord, Kept, Violation};
pub use gate::Gate;
pub use money::{Cancel, CancelKind, CancelStatus, Payment};
pub use options::{Answering, Faults, Limits, PlatformOptions};
pub use serve::{Asked, Said};
pub use tell::{Event, Told};

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::MutexGuard;
use std::time::Duration;

use super::machine::Machine;
use super::{Journal, Party, SimTime};

/// What a platform sells or keeps, one of it: how it is told, and what its calls do with it.
pub trait Trade: Clone + fmt::Debug + Send + Sync + 'static {
    /// Who the platform is.
    const PARTY: Party;
    /// The name of the whole in messages: `reservation`, `booking`.
    const WHOLE: &'static str;
    /// How its numbers begin.
    const PREFIX: &'static str;
    /// What a timeline calls its calls, by the last parts of a path.
    fn name_of(asked: &Asked) -> &'static str;
    /// What a call that was carried out came to, in a few words for a timeline.
    fn came_to(_asked: &Asked, _answer: &Value) -> &'static str {
        "done"
    }
    /// The trade that a call is about.
    fn number_of(asked: &Asked) -> String {
        asked.part(1).to_owned()
    }
    /// The whole, as it is told.
    fn told(&self) -> Value;
    /// Carries out a call that is believed, or does not.
    fn carry_out(desk: &mut Desk<'_, Self>, asked: &Asked) -> Said;
}

/// What is in reach of a call that is carried out.
pub struct Desk<'a, T: Trade> {
    /// The books.
    pub books: &'a mut Books<T>,
    /// The switches.
    pub faults: &'a Faults,
    /// The time, milliseconds since 1970.
    pub now_ms: i64,
    next_number: &'a mut u64,
    tell: Vec<Event>,
}

impl<T: Trade> Desk<'_, T> {
    /// A new number that begins with `prefix`.
    pub fn number(&mut self, prefix: &str) -> String {
        *self.next_number += 1;
        numbered(prefix, self.now_ms, *self.next_number)
    }

    /// Enters a new trade that nobody is told of.
    pub fn enter(&mut self, number: &str, it: T) {
        self.books.trades.insert(number.to_owned(), Kept { revision: 1, it });
    }

    /// Writes down what the bridge must not do.
    pub fn violation(&mut self, number: &str, sentence: impl Into<String>) {
        self.books.violations.push(Violation { number: number.to_owned(), sentence: sentence.into() });
    }

    /// Changes a trade, counts its revision up, and tells of it once the call is answered.
    pub fn change(&mut self, number: &str, kind: &'static str, change: impl FnOnce(&mut T) -> Value) {
        let Some(kept) = self.books.trades.get_mut(number) else { return };
        let said = change(&mut kept.it);
        kept.revision += 1;
        *self.next_number += 1;
        let id = numbered("evt_", self.now_ms, *self.next_number);
        self.tell.push(Event::about(id, kind, number, kept, &said, self.now_ms));
    }
}

fn numbered(prefix: &str, now_ms: i64, number: u64) -> String {
    format!("{prefix}{:09}{:04}", now_ms.rem_euclid(1_000_000_000), number % 10_000)
}

/// A running platform. Clones are handles to the same one; it stops when the last handle is dropped.
pub struct Platform<T: Trade> {
    machine: Machine<PlatformOptions, State<T>>,
}

/// All that changes.
struct State<T> {
    bridge_url: String,
    faults: Faults,
    books: Books<T>,
    /// Events that are kept back, oldest first.
    held: Vec<Event>,
    gates: BTreeMap<&'static str, Gate>,
    /// Body and answer by `Idempotency-Key`.
    keys: BTreeMap<String, (String, u16, Value)>,
    next_number: u64,
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
    /// Starts it.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(options: PlatformOptions) -> std::io::Result<Self> {
        let state = State {
            bridge_url: options.bridge_url.clone(),
            faults: Faults::default(),
            books: Books::default(),
            held: Vec::new(),
            gates: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_number: 0,
        };
        let (machine, listener) = Machine::open(options.listen, options, state).await?;
        let platform = Self { machine };
        platform.machine.serve(listener, serve::router(platform.inside()));
        Ok(platform)
    }

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
    fn meanwhile<F, Work>(&self, work: F)
    where
        F: FnOnce(Self) -> Work,
        Work: Future<Output = ()> + Send + 'static,
    {
        self.machine.spawn(work(self.inside()));
    }

    /// A handle for background work, which must not keep the platform alive.
    fn inside(&self) -> Self {
        Self { machine: self.machine.inside() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.machine.state()
    }

    /// Changes the state and wakes whoever waits for it.
    fn change<R>(&self, change: impl FnOnce(&mut State<T>) -> R) -> R {
        self.machine.change(change)
    }
}
