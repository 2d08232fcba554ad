// SPDX-License-Identifier: Apache-2.0

//! A bridge with its partners and its database, while loads are played on it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use crate::books::{Account, Promises, Seen, Stage as Far, Tickets, account};
use crate::bridge::Bridge;
use crate::database::Database;
use crate::moment::{self, Instant};
use crate::partners::Partners;
use crate::play::End;
use crate::wire::douyin::{self, Product, Said};
use crate::wire::http::{Answer, Ask, Client};

/// How often a look is taken at something that tells nobody when it is done.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Longest wait for codes that were not in the answer.
const CODES_WITHIN: Duration = Duration::from_secs(60);
/// Entries of a page of the ops interface.
const PAGE: usize = 200;

/// Everything that a load needs.
pub(crate) struct Stage<'s> {
    pub(crate) bridge: &'s Bridge,
    pub(crate) partners: &'s Partners,
    pub(crate) database: &'s Database,
    promises: RefCell<Promises>,
    bookings: Cell<u64>,
    /// When each booking was meant to be sent.
    sent: RefCell<HashMap<String, Instant>>,
    serial: Cell<u64>,
    /// Apart from every other run on the same database.
    tag: String,
}

/// One caller.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) client: Client,
}

/// A voucher that was sold and waits for its booking.
#[derive(Clone, Debug)]
pub(crate) struct Voucher {
    pub(crate) product: Product,
    pub(crate) sale: String,
    pub(crate) serial: u64,
}

impl<'s> Stage<'s> {
    pub(crate) fn new(bridge: &'s Bridge, partners: &'s Partners, database: &'s Database) -> Self {
        Self {
            bridge,
            partners,
            database,
            promises: RefCell::default(),
            bookings: Cell::new(0),
            sent: RefCell::default(),
            serial: Cell::new(0),
            tag: format!("{:x}", moment::unix_ms()),
        }
    }

    /// So many callers, each with a connection of its own.
    pub(crate) fn callers(&self, many: usize) -> Vec<Caller> {
        (0..many).map(|_| Caller { client: Client::new(self.bridge.address) }).collect()
    }

    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }
    pub(crate) fn number(&self, letter: char, serial: u64) -> String {
        format!("{letter}{}{serial:08}", self.tag)
    }

    /// An order has come so far, by an answer that said so.
    pub(crate) fn reached(&self, channel: &'static str, number: &str, far: Far, booking: Option<&str>) {
        if far == Far::Booked {
            self.bookings.set(self.bookings.get() + 1);
        }
        self.promises.borrow_mut().reached(channel, number, far, booking);
    }

    /// Makes a call; without an answer nobody knows what became of `number`.
    ///
    /// # Errors
    /// How the step ends then.
    pub(crate) async fn send(&self, caller: &mut Caller, ask: Ask, number: &str) -> Result<Answer, End> {
        caller.client.send(ask).await.map_err(|error| {
            self.promises.borrow_mut().unanswered(number);
            End::Bad(format!("no answer: {}", error.root_cause()))
        })
    }

    /// Makes a signed call of Douyin's that must succeed; what it says.
    ///
    /// # Errors
    /// How the step ends otherwise.
    pub(crate) async fn douyin(
        &self,
        caller: &mut Caller,
        product: Product,
        call: &str,
        body: &serde_json::Value,
    ) -> Result<serde_json::Value, End> {
        let number = body["order_id"].as_str().unwrap_or_default();
        match douyin::read(&self.send(caller, douyin::call(product, call, body), number).await?) {
            Said::Success(data) => Ok(data),
            Said::No(why) => Err(End::Bad(format!("{call}: {why}"))),
        }
    }

    /// Sells a voucher.
    ///
    /// # Errors
    /// How the step ends when it is not accepted.
    pub(crate) async fn sell(&self, caller: &mut Caller, product: Product) -> Result<Voucher, End> {
        let serial = self.next_serial();
        let sale = self.number('S', serial);
        self.douyin(caller, product, "create-order", &douyin::sale(product, &sale, serial)).await?;
        self.reached(product.channel(), &sale, Far::Sold, None);
        Ok(Voucher { product, sale, serial })
    }

    /// Books a visit for a voucher; the booking's number.
    ///
    /// # Errors
    /// How the step ends when it is not accepted.
    pub(crate) async fn book(
        &self,
        caller: &mut Caller,
        voucher: &Voucher,
        in_days: i64,
        intended: Instant,
    ) -> Result<String, End> {
        let booking = self.number('R', voucher.serial);
        self.sent.borrow_mut().insert(booking.clone(), intended);
        let body = douyin::booking(voucher.product, &booking, &voucher.sale, voucher.serial, in_days);
        self.douyin(caller, voucher.product, "create-order", &body).await?;
        self.reached(voucher.product.channel(), &voucher.sale, Far::Booked, Some(&booking));
        Ok(booking)
    }

    /// The ticketing system's name for a booking.
    pub(crate) fn reservation(&self, booking: &str) -> Option<String> {
        self.partners.books().gate.get(booking).and_then(|all| all.keys().next().cloned())
    }

    /// Waits until the channel was told the codes of a booking, which were not in the answer.
    ///
    /// # Errors
    /// How the step ends when that does not happen.
    pub(crate) async fn told(&self, booking: &str) -> Result<(), End> {
        let begun = moment::now();
        while !self.partners.books().told.contains(booking) {
            if begun.elapsed() > CODES_WITHIN {
                return Err(End::Bad("no codes in a minute".to_owned()));
            }
            moment::pause(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// A booking that is made in one step was sent.
    pub(crate) fn sent_at(&self, booking: &str, intended: Instant) {
        self.sent.borrow_mut().insert(booking.to_owned(), intended);
    }

    /// When bookings were sent, and how long it took until the ticketing system was called for them; each is told once.
    pub(crate) fn fact_to_call(&self) -> Vec<Duration> {
        let books = self.partners.books();
        let mut times = Vec::new();
        self.sent.borrow_mut().retain(|booking, intended| {
            let first = books.gate.get(booking).and_then(|all| all.values().map(|one| one.first_asked).min());
            if let Some(first) = first {
                times.push(first.saturating_duration_since(*intended));
            }
            first.is_none()
        });
        times
    }

    /// Accepted bookings for which the ticketing system has not been called.
    pub(crate) fn backlog(&self) -> u64 {
        self.bookings.get().saturating_sub(self.partners.books().gate.len() as u64)
    }

    /// Waits until every accepted booking has reached the ticketing system; how long that took, or `None` when it was too long.
    pub(crate) async fn caught_up(&self, within: Duration) -> Option<Duration> {
        let begun = moment::now();
        while self.backlog() > 0 {
            if begun.elapsed() > within {
                return None;
            }
            moment::pause(LOOK_EVERY).await;
        }
        Some(begun.elapsed())
    }

    /// Waits until no delivery is pending.
    ///
    /// # Errors
    /// When the ops interface does not answer.
    pub(crate) async fn quiet(&self, within: Duration) -> anyhow::Result<bool> {
        let begun = moment::now();
        loop {
            let pending = self.bridge.ops("deliveries?state=pending&limit=1").await?;
            if pending["items"].as_array().is_some_and(Vec::is_empty) {
                return Ok(true);
            }
            if begun.elapsed() > within {
                return Ok(false);
            }
            moment::pause(LOOK_EVERY * 5).await;
        }
    }

    /// Asks for every order of this run, newest first, and compares them with what was promised.
    ///
    /// # Errors
    /// When the ops interface does not answer.
    pub(crate) async fn settle(&self, tickets: Tickets) -> anyhow::Result<Account> {
        let mut seen: Vec<Seen> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.bridge.ops(&format!("orders?limit={PAGE}&cursor={cursor}")).await?;
            let orders: Vec<Seen> = page["items"].as_array().into_iter().flatten().map(Seen::of).collect();
            let of_this_run = |order: &Seen| order.number.get(1..).is_some_and(|rest| rest.starts_with(&self.tag));
            let older = orders.iter().filter(|order| !of_this_run(order)).count();
            let whole_page_is_older = older == orders.len();
            seen.extend(orders.into_iter().filter(of_this_run));
            match page["next_cursor"].as_str() {
                Some(next) if !whole_page_is_older => cursor = next.to_owned(),
                _ => break,
            }
        }
        Ok(account(&self.promises.borrow(), &seen, &self.partners.books(), tickets))
    }
}
