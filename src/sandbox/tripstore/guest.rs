// SPDX-License-Identifier: Apache-2.0

//! What travellers do at the marketplace, what it does by itself, and what the agency does with its own number.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::SimTripStore;
use super::books::{Booking, LinkState, Owner, Status, Way};
use crate::journal::Party;
use crate::platform::money::{Payment, with_commas};
use crate::platform::{Platform, Told};
use crate::time::Zone;

/// Price of a trip for two adults and a child, won.
const TOTAL: i64 = 3_180_000;
/// Deposit, won.
const DEPOSIT: i64 = 300_000;

/// What a traveller wishes to book: a trip for two adults and a child.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Who takes the money.
    pub owner: Owner,
    /// How it is paid.
    pub way: Way,
    /// The day of departure.
    pub departure: NaiveDate,
    /// Number of somebody who never came before.
    pub person: u64,
}

impl Wish {
    fn booking(&self, number: &str, product: &str, now_ms: i64) -> Booking {
        let mut booking = Booking {
            number: number.to_owned(),
            agency_number: None,
            product: product.to_owned(),
            status: Status::Received,
            before: Status::Received,
            owner: self.owner,
            way: self.way,
            departure: self.departure,
            total: TOTAL,
            deposit: DEPOSIT,
            fee: 0,
            payments: Vec::new(),
            links: Vec::new(),
            name: "이예시".to_owned(),
            phone: format!("010-0001-{:04}", self.person % 10_000),
            booked_at_ms: now_ms,
        };
        match (self.owner, self.way) {
            (Owner::Market, Way::Full) => pay(&mut booking, format!("full-{number}"), "FULL", TOTAL, None, now_ms),
            (Owner::Market, Way::Partial) => {
                pay(&mut booking, format!("dep-{number}"), "DEPOSIT", DEPOSIT, None, now_ms)
            }
            (Owner::Market, Way::Link) | (Owner::Agency, _) => {}
        }
        booking
    }
}

fn pay(booking: &mut Booking, id: String, by: &'static str, amount: i64, link: Option<String>, at_ms: i64) {
    booking.payments.push(Payment { id, by, amount, at_ms, link, cancels: Vec::new() });
}

fn recorded(booking: &Booking) -> Value {
    json!({ "payment": booking.told()["payments"].as_array().and_then(|all| all.last()) })
}

impl Platform<Booking> {
    /// A traveller books. Its number beside what was told.
    pub async fn book(&self, wish: &Wish) -> (String, Told) {
        let number = self.new_number();
        let it = wish.booking(&number, &self.options().product, self.time().now_ms());
        let how = match (wish.owner, it.held()) {
            (Owner::Agency, _) => "and will pay the agency".to_owned(),
            (Owner::Market, 0) => "and waits for a payment link".to_owned(),
            (Owner::Market, paid) => format!("and pays {} of {} won", with_commas(paid), with_commas(it.total)),
        };
        self.note(Party::Guest, &number, format!("books a trip for three, leaving on {}, {how}", wish.departure));
        let told = self.open(it, &number, "booking.received", json!({})).await;
        (number, told)
    }

    /// The traveller pays, through a link or without one.
    pub async fn pays(&self, number: &str, by: &'static str, amount: i64, link: Option<&str>) -> Option<Told> {
        let through = link.map_or(String::new(), |link| format!(" through the link {link}"));
        self.note(Party::Guest, number, format!("pays {} won{through}", with_commas(amount)));
        let (id, now_ms, link) = (self.new_id("tp_"), self.time().now_ms(), link.map(str::to_owned));
        self.happens(number, "payment.recorded", move |it| {
            if let Some(link) = it.links.iter_mut().find(|known| Some(&known.id) == link.as_ref())
                && link.state == LinkState::Sent
            {
                link.state = LinkState::Paid;
            }
            pay(it, id, by, amount, link, now_ms);
            recorded(it)
        })
        .await
    }

    /// The traveller pays what the live link asks for, and the marketplace says what became of the link.
    pub async fn pays_link(&self, number: &str) -> Option<Told> {
        let link = self.kept(number)?.it.links.into_iter().find(|link| link.state == LinkState::Sent)?;
        let told = self.pays(number, link.purpose, link.amount, Some(&link.id)).await;
        self.happens(number, "payment_link.updated", |_| json!({ "link_id": link.id, "status": "PAID" })).await;
        told
    }

    /// The traveller asks to cancel; the agency finishes it.
    pub async fn asks_to_cancel(&self, number: &str, reason: &str) -> Option<Told> {
        self.note(Party::Guest, number, format!("asks to cancel: {reason}"));
        let (at, reason) = (Zone::SEOUL.written(self.time().now_ms()), reason.to_owned());
        self.happens(number, "booking.cancel_requested", move |it| {
            it.before = it.status;
            it.status = Status::CancelRequested;
            json!({ "requested_at": at, "from_status": it.before.word(), "reason": reason })
        })
        .await
    }

    /// The traveller wants to go after all.
    pub async fn goes_after_all(&self, number: &str) -> Option<Told> {
        self.note(Party::Guest, number, "wants to go after all");
        self.happens(number, "booking.cancel_withdrawn", |it| {
            it.status = it.before;
            json!({})
        })
        .await
    }

    /// The day has come.
    pub async fn departs(&self, number: &str) -> Option<Told> {
        self.note(Party::Guest, number, "departs");
        self.happens(number, "booking.departed", |it| {
            it.status = Status::Departed;
            json!({ "departed_on": it.departure.to_string() })
        })
        .await
    }
}

impl SimTripStore {
    /// The agency gives the booking another number, in its books and at the marketplace. The new number, beside what was told.
    pub async fn agency_renumbers(&self, number: &str) -> Option<(String, Told)> {
        let new = self.agency.new_number();
        self.market.note(Party::Agency, number, format!("gives the booking another number, {new}"));
        let mut old = None;
        self.agency.note_change(number, "renumbered", |it| {
            old = Some(std::mem::replace(&mut it.agency_number, new.clone()));
            Value::Null
        })?;
        let change = json!({ "old_no": old, "new_no": new });
        let held = new.clone();
        let told = self.market.happens(number, "booking.agency_no_changed", move |it| {
            it.agency_number = Some(held);
            change
        });
        Some((new, told.await?))
    }
}
