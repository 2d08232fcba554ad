// SPDX-License-Identifier: Apache-2.0

//! A Douyin of our own: sells vouchers, calls the bridge, is called by it, and keeps books.
//!
//! Specification: `adapters/douyin/README.md`. What the protocol leaves open is read as chosen there.
//! It never looks inside the bridge: all it knows came over HTTP.
//!
//! [`sale`] and [`refunds`] are what guests and Douyin itself do, [`ticketing`] the ten minutes, [`spi`] how the bridge
//! is called, [`api`] what the bridge can call, [`books`] what is remembered, [`options`] the switches.

pub mod api;
pub mod bodies;
pub mod books;
pub mod check;
pub mod options;
pub mod refunds;
pub mod sale;
pub mod spi;
pub mod ticketing;
pub mod tokens;
pub mod wire;

mod api_calls;

#[cfg(test)]
mod tests;

pub use books::{
    AfterSale, Books, Path, Refund, RefundState, Reservation, ReservationState, Rule, Visitor, VoucherState,
};
pub use options::{App, CreationTiming, Faults, Generation, Limits, RefundAt, Reorder, SimDouyinOptions, SimProduct};
pub use options::{Slow, TradeMode};
pub use refunds::{ForcedBy, RefundRequest, Refusal};
pub use sale::{Creation, Outcome, Purchase};
pub use spi::{Answer, Failure, Spi};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::HashMap;
use std::fmt;
use std::sync::MutexGuard;
use std::time::Duration;

use crate::machine::Machine;
use crate::{Journal, SimTime};
use books::Violation;
use tokens::Tokens;

/// A running Douyin. Clones are handles to the same one; it stops when the last handle is dropped.
#[derive(Clone)]
pub struct SimDouyin {
    machine: Machine<SimDouyinOptions, State>,
}

/// All that changes.
struct State {
    bridge_url: String,
    faults: Faults,
    books: Books,
    tokens: HashMap<String, Tokens>,
    /// Plain text by `Enc.` value.
    sealed: HashMap<String, String>,
    next_number: u64,
}

impl fmt::Debug for SimDouyin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDouyin").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl SimDouyin {
    /// Starts it on a free port of this machine. Fails when no port can be had.
    pub async fn start(options: SimDouyinOptions) -> std::io::Result<Self> {
        let state = State {
            bridge_url: options.bridge_url.clone(),
            faults: options.faults.clone(),
            books: Books::default(),
            tokens: HashMap::new(),
            sealed: HashMap::new(),
            next_number: 0,
        };
        let (machine, listener) = Machine::open(options.listen, options, state).await?;
        let douyin = Self { machine };
        douyin.machine.serve(listener, api::router(douyin.inside()));
        Ok(douyin)
    }

    /// The address to configure at the bridge as `api_base`.
    pub fn api_base(&self) -> String {
        self.machine.base_url()
    }

    /// Says where the bridge is: its address without a path.
    pub fn set_bridge_url(&self, url: impl Into<String>) {
        self.state().bridge_url = url.into();
    }

    /// What it was started with.
    pub fn options(&self) -> &SimDouyinOptions {
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
    pub fn books(&self) -> Books {
        self.state().books.clone()
    }

    /// Throws switches.
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state().faults);
    }

    /// The switches as they stand.
    pub fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    /// How many tokens were given out, over all applications.
    pub fn tokens_given(&self) -> u64 {
        self.state().tokens.values().map(Tokens::given).sum()
    }

    /// Waits until `look` finds something in the books, for `patience` of real time at most.
    pub async fn until<T>(&self, patience: Duration, mut look: impl FnMut(&Books) -> Option<T>) -> Option<T> {
        self.machine.until(patience, |state| look(&state.books)).await
    }

    /// Stops serving and ends all timers.
    pub async fn stop(&self) {
        self.machine.stop().await;
    }

    /// A handle for background work, which must not keep the simulator alive.
    fn inside(&self) -> Self {
        Self { machine: self.machine.inside() }
    }

    /// Does `work` in the background with a handle of its own.
    fn meanwhile<F, Work>(&self, work: F)
    where
        F: FnOnce(Self) -> Work,
        Work: Future<Output = ()> + Send + 'static,
    {
        self.machine.spawn(work(self.inside()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.machine.state()
    }

    /// Changes the state and wakes whoever waits for it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.machine.change(change)
    }

    /// A new number of 19 digits, as Douyin's are.
    fn new_number(&self) -> String {
        self.change(|state| {
            state.next_number += 1;
            format!("{:013}{:06}", self.time().now_ms().rem_euclid(10_000_000_000_000), state.next_number)
        })
    }

    fn violation(&self, rule: Rule, order_id: &str, sentence: impl Into<String>) {
        let violation =
            Violation { at: self.time().elapsed(), rule, order_id: order_id.to_owned(), sentence: sentence.into() };
        self.change(|state| state.books.violations.push(violation));
    }

    /// Seals a name or a phone for the wire (1.7, or 1.8 when the switch says so).
    fn seal(&self, text: &str) -> String {
        if !self.state().faults.enc_values {
            return wire::encrypt_field(&self.machine.options().app.client_secret, text);
        }
        self.change(|state| {
            let sealed = format!("Enc.{}", BASE64.encode(format!("sandbox-{:08}", state.sealed.len())));
            state.sealed.insert(sealed.clone(), text.to_owned());
            sealed
        })
    }

    fn product(&self, product_out_id: &str) -> SimProduct {
        let products = &self.machine.options().products;
        let known = products.iter().find(|p| p.product_out_id == product_out_id).or_else(|| products.first());
        let mut product = known.cloned().unwrap_or_else(|| SimProduct::new(product_out_id, 1, 0));
        product.product_out_id = product_out_id.to_owned();
        product
    }
}
