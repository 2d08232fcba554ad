// SPDX-License-Identifier: Apache-2.0

//! The handle of a running Douyin, and what it remembers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::HashMap;
use std::fmt;
use std::sync::MutexGuard;
use std::time::Duration;

use super::books::{Books, Rule, Violation};
use super::options::{Faults, SimDouyinOptions, SimProduct};
use super::tokens::Tokens;
use super::wire;
use crate::machine::Machine;
use crate::{Journal, SimTime};

/// A running Douyin. Clones are handles to the same one; it stops when the last handle is dropped.
#[derive(Clone)]
pub struct SimDouyin {
    pub(super) machine: Machine<SimDouyinOptions, State>,
}

/// All that changes.
pub(super) struct State {
    pub(super) bridge_url: String,
    pub(super) faults: Faults,
    pub(super) books: Books,
    pub(super) tokens: HashMap<String, Tokens>,
    /// Plain text by `Enc.` value.
    pub(super) sealed: HashMap<String, String>,
    pub(super) next_number: u64,
}

impl fmt::Debug for SimDouyin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDouyin").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl SimDouyin {
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
    pub(super) fn inside(&self) -> Self {
        Self { machine: self.machine.inside() }
    }

    /// Does `work` in the background with a handle of its own.
    pub(super) fn meanwhile<F, Work>(&self, work: F)
    where
        F: FnOnce(Self) -> Work,
        Work: Future<Output = ()> + Send + 'static,
    {
        self.machine.spawn(work(self.inside()));
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.machine.state()
    }

    /// Changes the state and wakes whoever waits for it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.machine.change(change)
    }

    /// A new number of 19 digits, as Douyin's are.
    pub(super) fn new_number(&self) -> String {
        self.change(|state| {
            state.next_number += 1;
            format!("{:013}{:06}", self.time().now_ms().rem_euclid(10_000_000_000_000), state.next_number)
        })
    }

    pub(super) fn violation(&self, rule: Rule, order_id: &str, sentence: impl Into<String>) {
        let violation =
            Violation { at: self.time().elapsed(), rule, order_id: order_id.to_owned(), sentence: sentence.into() };
        self.change(|state| state.books.violations.push(violation));
    }

    /// Seals a name or a phone for the wire (1.7, or 1.8 when the switch says so).
    pub(super) fn seal(&self, text: &str) -> String {
        if !self.state().faults.enc_values {
            return wire::encrypt_field(&self.machine.options().app.client_secret, text);
        }
        self.change(|state| {
            let sealed = format!("Enc.{}", BASE64.encode(format!("sandbox-{:08}", state.sealed.len())));
            state.sealed.insert(sealed.clone(), text.to_owned());
            sealed
        })
    }

    pub(super) fn product(&self, product_out_id: &str) -> SimProduct {
        let products = &self.machine.options().products;
        let known = products.iter().find(|p| p.product_out_id == product_out_id).or_else(|| products.first());
        let mut product = known.cloned().unwrap_or_else(|| SimProduct::new(product_out_id, 1, 0));
        product.product_out_id = product_out_id.to_owned();
        product
    }
}
