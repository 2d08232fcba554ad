// SPDX-License-Identifier: Apache-2.0

//! What works will ask for, said before they begin: so one statement for each kind reads it for all works of a transaction, and all
//! locks are taken there, sorted and in one order of tables (`gather.rs`). Works that keep to it cannot stand in each other's way.
//!
//! Needs are a promise to be quick, not to be right: what a work asks for beyond them is read when it asks. Only a lock that it has not
//! named sends it away from the others, into a transaction of its own.

use std::collections::BTreeSet;

use ticketbridge_core::message::{DeadlineKind, StockKey};
use ticketbridge_core::{BookingId, ChannelId, ExternalId, OrderId, ProductCode};

use crate::dialect::word;
use crate::keys::{ClaimKind, date_column, deadline_id, ref_hash};

/// What a work will ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub(crate) messages: BTreeSet<String>,
    pub(crate) numbers: BTreeSet<String>,
    pub(crate) bookings: BTreeSet<String>,
    pub(crate) orders: BTreeSet<String>,
    pub(crate) moves_stock: bool,
    takes_turns: bool,
    pub(crate) stock: BTreeSet<(String, String)>,
    pub(crate) accounts: BTreeSet<String>,
    pub(crate) claims: BTreeSet<(String, String, String)>,
    /// Of which orders, and their rows.
    pub(crate) deadlines: BTreeSet<(String, String)>,
    pub(crate) held: BTreeSet<String>,
}

impl Needs {
    /// Nothing: its rows are new, or it says what it needs when it needs it.
    pub fn nothing() -> Self {
        Self::default()
    }
    /// This order, locked.
    pub fn order(id: &OrderId) -> Self {
        Self::default().with_order(id)
    }
    /// Whether a message of this key is known.
    #[must_use]
    pub fn with_message(mut self, dedupe: &str) -> Self {
        self.messages.insert(dedupe.to_owned());
        self
    }
    /// What a channel's number means, and the order behind it, locked.
    #[must_use]
    pub fn with_number(mut self, channel: &ChannelId, reference: &ExternalId) -> Self {
        self.numbers.insert(ref_hash(channel, reference));
        self
    }
    /// Whose booking this is, and that order, locked.
    #[must_use]
    pub fn with_booking(mut self, id: &BookingId) -> Self {
        self.bookings.insert(id.0.clone());
        self
    }
    /// This order, locked.
    #[must_use]
    pub fn with_order(mut self, id: &OrderId) -> Self {
        self.orders.insert(id.as_str().to_owned());
        self
    }
    /// The stock that its orders have taken or may take, locked; it takes its turn with all who change what is counted.
    #[must_use]
    pub fn moving_stock(mut self) -> Self {
        self.takes_turns = true;
        self.perhaps_moving_stock()
    }
    /// The same stock, but what it is about is seldom counted: it goes with those that need no turn.
    #[must_use]
    pub fn perhaps_moving_stock(mut self) -> Self {
        self.moves_stock = true;
        self
    }
    /// How much of this there is, locked.
    #[must_use]
    pub fn with_stock(mut self, key: &StockKey) -> Self {
        self.stock.insert((key.product.as_str().to_owned(), date_column(key)));
        self
    }
    /// A credit account, locked.
    #[must_use]
    pub fn with_credit(mut self, account: &str) -> Self {
        self.accounts.insert(account.to_owned());
        self
    }
    /// What a guest, by his hash, has claimed of a product.
    #[must_use]
    pub fn with_claims(mut self, product: &ProductCode, kind: ClaimKind, hash: &str) -> Self {
        self.claims.insert((product.as_str().to_owned(), word(&kind), hash.to_owned()));
        self
    }
    /// A deadline of an order, locked.
    #[must_use]
    pub fn with_deadline(mut self, order: &OrderId, kind: DeadlineKind) -> Self {
        self.deadlines.insert((order.as_str().to_owned(), deadline_id(order, kind)));
        self
    }

    /// Who holds these codes, by their hashes.
    #[must_use]
    pub fn with_held(mut self, hashes: impl IntoIterator<Item = String>) -> Self {
        self.held.extend(hashes);
        self
    }

    /// Whether it must take its turn at a row that many want to change: stock, or a credit account.
    pub(crate) fn queue_at_a_row(&self) -> bool {
        self.takes_turns || !self.stock.is_empty() || !self.accounts.is_empty()
    }

    /// Those of several works together.
    pub(crate) fn of_all<'n>(all: impl Iterator<Item = &'n Needs>) -> Needs {
        let mut joined = Needs::default();
        for needs in all {
            joined.messages.extend(needs.messages.iter().cloned());
            joined.numbers.extend(needs.numbers.iter().cloned());
            joined.bookings.extend(needs.bookings.iter().cloned());
            joined.orders.extend(needs.orders.iter().cloned());
            joined.moves_stock |= needs.moves_stock;
            joined.takes_turns |= needs.takes_turns;
            joined.stock.extend(needs.stock.iter().cloned());
            joined.accounts.extend(needs.accounts.iter().cloned());
            joined.claims.extend(needs.claims.iter().cloned());
            joined.deadlines.extend(needs.deadlines.iter().cloned());
            joined.held.extend(needs.held.iter().cloned());
        }
        joined
    }
}
