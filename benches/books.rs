// SPDX-License-Identifier: Apache-2.0

//! What was promised to the buyers, compared at the end with what the bridge and its partners know: nothing lost, nothing doubled.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::Value;

use crate::partners::Books as PartnersBooks;

/// How far an order came, by answers that said success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The sale was accepted.
    Sold,
    /// The booking too.
    Booked,
    /// The back-end's report of use too.
    Used,
}

/// What the generator was told about one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) stage: Stage,
    /// The channel's number of the booking, once one was sent.
    pub(crate) booking: Option<String>,
}

/// What the generator was told about all of them, by channel and number.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    made: HashMap<(&'static str, String), Promise>,
    /// Sent, and no answer came: they may be there or not.
    unanswered: BTreeSet<String>,
}

impl Promises {
    /// An order came so far.
    pub(crate) fn reached(&mut self, channel: &'static str, number: &str, stage: Stage, booking: Option<&str>) {
        let key = (channel, number.to_owned());
        let promise = self.made.entry(key).or_insert_with(|| Promise { stage, booking: None });
        promise.stage = promise.stage.max(stage);
        if let Some(booking) = booking {
            promise.booking = Some(booking.to_owned());
        }
    }
    /// Nobody knows whether this message was taken.
    pub(crate) fn unanswered(&mut self, number: &str) {
        self.unanswered.insert(number.to_owned());
    }
    pub(crate) fn len(&self) -> usize {
        self.made.len()
    }
    pub(crate) fn unanswered_count(&self) -> usize {
        self.unanswered.len()
    }
}

/// An order as the ops interface shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) channel: String,
    pub(crate) number: String,
    pub(crate) state: String,
    pub(crate) booking: Option<String>,
    pub(crate) ticketing: Option<String>,
    pub(crate) tickets: usize,
}

impl Seen {
    /// Reads one entry of `GET orders`.
    pub(crate) fn of(order: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let booking = &order["booking"];
        Self {
            channel: text(&order["channel"]).unwrap_or_default(),
            number: text(&order["channel_order_id"]).unwrap_or_default(),
            state: text(&order["state"]).unwrap_or_default(),
            booking: text(&booking["channel_booking_id"]),
            ticketing: text(&booking["ticketing"]["state"]),
            tickets: booking["ticketing"]["tickets"].as_array().map_or(0, Vec::len),
        }
    }
}

/// What must hold of the tickets, besides that every order is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tickets {
    /// Every booking has its ticket by now.
    All,
    /// The ticketing system was out of order for some of them: only doubles are looked for.
    NoneTwice,
}

/// The outcome of the comparison.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Account {
    /// Orders that were promised.
    pub(crate) promised: usize,
    /// Messages without an answer: those may be there or not.
    pub(crate) unanswered: usize,
    /// What is not as it was promised, with the first few numbers.
    pub(crate) faults: BTreeMap<String, Fault>,
}

/// One kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    pub(crate) many: u64,
    /// The first five.
    pub(crate) examples: Vec<String>,
}

impl Account {
    fn fault(&mut self, what: &str, number: &str) {
        let fault = self.faults.entry(what.to_owned()).or_default();
        fault.many += 1;
        if fault.examples.len() < 5 {
            fault.examples.push(number.to_owned());
        }
    }
    pub(crate) fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Compares.
pub(crate) fn account(promises: &Promises, seen: &[Seen], partners: &PartnersBooks, tickets: Tickets) -> Account {
    let mut account =
        Account { promised: promises.len(), unanswered: promises.unanswered_count(), ..Account::default() };
    let mut found: HashMap<(&str, &str), &Seen> = HashMap::new();
    for order in seen {
        if found.insert((&order.channel, &order.number), order).is_some() {
            account.fault("an order is there twice", &order.number);
        }
    }
    for ((channel, number), promise) in &promises.made {
        match found.get(&(*channel, number.as_str())) {
            None => account.fault("an accepted order is lost", number),
            Some(order) => compare(&mut account, promise, order, partners, tickets),
        }
    }
    for (name, reservations) in &partners.gate {
        if reservations.len() > 1 {
            account.fault("a booking was ticketed twice", name);
        }
        if reservations.values().any(|reservation| reservation.other_keys > 0) {
            account.fault("a reservation was asked for under two keys", name);
        }
    }
    for (booking, tokens) in &partners.used {
        if tokens.len() > 1 {
            account.fault("a use was reported under two tokens", booking);
        }
    }
    account
}

fn compare(account: &mut Account, promise: &Promise, order: &Seen, partners: &PartnersBooks, tickets: Tickets) {
    if promise.stage == Stage::Sold {
        return;
    }
    let number = &order.number;
    let booking = promise.booking.as_deref().unwrap_or(number);
    if order.booking.is_none() {
        account.fault("an accepted booking is lost", number);
        return;
    }
    if promise.stage == Stage::Used && order.state != "completed" {
        account.fault("an accepted use is lost", number);
    }
    if tickets == Tickets::NoneTwice {
        return;
    }
    if order.ticketing.as_deref() != Some("issued") || order.tickets == 0 {
        account.fault("a booking has no ticket", number);
    }
    if !partners.gate.contains_key(booking) {
        account.fault("the ticketing system knows nothing of a booking", booking);
    }
    if promise.stage == Stage::Used && !partners.used.contains_key(booking) {
        account.fault("the channel was not told of a use", booking);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment;
    use crate::partners::Reservation;

    fn seen(number: &str) -> Seen {
        Seen {
            channel: "c".to_owned(),
            number: number.to_owned(),
            state: "completed".to_owned(),
            booking: Some(format!("R{number}")),
            ticketing: Some("issued".to_owned()),
            tickets: 1,
        }
    }

    fn promises(numbers: &[&str]) -> Promises {
        let mut promises = Promises::default();
        for number in numbers {
            promises.reached("c", number, Stage::Used, Some(&format!("R{number}")));
        }
        promises
    }

    async fn partners(numbers: &[&str]) -> PartnersBooks {
        let mut books = PartnersBooks::default();
        for number in numbers {
            let reservation = Reservation { first_asked: moment::now(), key: "k".to_owned(), other_keys: 0 };
            books.gate.entry(format!("R{number}")).or_default().insert(format!("b{number}"), reservation);
            books.used.insert(format!("R{number}"), vec!["v".to_owned()]);
        }
        books
    }

    #[tokio::test]
    async fn everything_as_promised_is_clean() {
        let partners = partners(&["1", "2"]).await;
        let account = account(&promises(&["1", "2"]), &[seen("1"), seen("2")], &partners, Tickets::All);
        assert!(account.is_clean(), "{account:?}");
        assert_eq!(account.promised, 2);
    }

    #[tokio::test]
    async fn a_dropped_order_is_found() {
        let partners = partners(&["1", "2"]).await;
        let account = account(&promises(&["1", "2"]), &[seen("1")], &partners, Tickets::All);
        assert_eq!(account.faults["an accepted order is lost"], Fault { many: 1, examples: vec!["2".to_owned()] });
    }

    #[tokio::test]
    async fn an_order_of_another_channel_is_not_the_one_that_was_promised() {
        let partners = partners(&["1"]).await;
        let other = Seen { channel: "d".to_owned(), ..seen("1") };
        assert!(
            account(&promises(&["1"]), &[other], &partners, Tickets::All)
                .faults
                .contains_key("an accepted order is lost")
        );
    }

    #[tokio::test]
    async fn doubles_are_found_on_every_side() {
        let mut partners = partners(&["1"]).await;
        let again = Reservation { first_asked: moment::now(), key: "k".to_owned(), other_keys: 1 };
        partners.gate.get_mut("R1").unwrap().insert("other".to_owned(), again);
        partners.used.get_mut("R1").unwrap().push("w".to_owned());
        let account = account(&promises(&["1"]), &[seen("1"), seen("1")], &partners, Tickets::NoneTwice);
        let faults: Vec<&str> = account.faults.keys().map(String::as_str).collect();
        assert_eq!(
            faults,
            [
                "a booking was ticketed twice",
                "a reservation was asked for under two keys",
                "a use was reported under two tokens",
                "an order is there twice",
            ]
        );
    }

    #[tokio::test]
    async fn a_booking_without_its_ticket_and_a_use_without_its_report_are_found() {
        let empty = PartnersBooks::default();
        let unticketed =
            Seen { ticketing: Some("queued".to_owned()), tickets: 0, state: "booked".to_owned(), ..seen("1") };
        let account = account(&promises(&["1"]), &[unticketed], &empty, Tickets::All);
        assert_eq!(account.faults.len(), 4, "{account:?}");
    }
}
