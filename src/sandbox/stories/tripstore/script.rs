// SPDX-License-Identifier: Apache-2.0

//! What the stories of the marketplace can do and see beside what those of every platform can that tells whole orders.

use chrono::NaiveDate;
use serde_json::{Value, json};
use std::time::Duration;

use crate::platform::Platform;
use crate::stories::script::Broken;
use crate::stories::stage::{Channel, Stage};
use crate::stories::whole::{TellsWhole, difference, money_differences};
use crate::time::Zone;
use crate::tripstore::agency::MASKED_PHONE;
use crate::tripstore::{Booking, LinkState, Owner, Status, Way, Wish};
use crate::{Journal, SimBackend, SimTime, SimTripStore};

/// A script with a marketplace in it.
pub(super) type Script = crate::stories::script::Script<SimTripStore>;

/// An event that is not taken comes again after one, four and sixteen minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(21 * 60);

impl Channel for SimTripStore {
    fn id(&self) -> &str {
        &self.market.options().channel_id
    }
    fn time(&self) -> &SimTime {
        self.market.time()
    }
    fn journal(&self) -> &Journal {
        self.market.journal()
    }
    fn today(&self) -> NaiveDate {
        self.market.time().today(Zone::SEOUL)
    }
    fn longest_wait(&self) -> Duration {
        LONGEST_WAIT
    }
    fn held_against(&self, orders: &[String]) -> Vec<String> {
        let by = |who: &'static str, held: Vec<String>| {
            held.into_iter().map(move |sentence| format!("{who} holds against the bridge: {sentence}"))
        };
        let market = by("the marketplace", self.market.books().held_against(orders));
        market.chain(by("the agency", self.agency.books().held_against(orders))).collect()
    }
    fn differences(&self, number: &str, order: &Value, _backend: &SimBackend) -> Vec<String> {
        let Some(kept) = self.market.kept(number) else { return Vec::new() };
        let it = kept.it;
        let stage = if it.status == Status::CancelRequested { it.before } else { it.status };
        let booking = match stage {
            Status::Received | Status::CancelRequested => "requested",
            Status::Completed => "confirmed",
            Status::Canceled => "cancelled",
            Status::Departed => "used",
        };
        let mut found: Vec<String> = difference(order, "booking.state", &json!(booking)).into_iter().collect();
        found.extend(difference(order, "label", &json!(it.label())));
        found.extend(difference(order, "booking.visit_date", &json!(it.departure.to_string())));
        match it.owner {
            Owner::Agency => found.extend(difference(order, "payment.state", &json!("external"))),
            Owner::Market => found.extend(money_differences(order, &it.payments, it.total, it.fee)),
        }
        found.extend(link_differences(order, &it));
        found.extend(self.agency_differences(number, order, &it));
        found
    }
    fn tidy(&self) {
        self.market.tidy();
        self.agency.tidy();
    }
}

/// Payment links that stand otherwise at the bridge than at the marketplace.
fn link_differences(order: &Value, it: &Booking) -> Vec<String> {
    let shown = order.pointer("/channel_view/payment_links").and_then(Value::as_array).cloned().unwrap_or_default();
    let at_bridge = |id: &str| shown.iter().find(|link| link["id"] == *id).map(|link| link["state"].clone());
    let differing = it.links.iter().filter_map(|link| {
        let wanted = match link.state {
            LinkState::Sent => "live",
            LinkState::Paid => "paid",
            LinkState::Revoked => "revoked",
        };
        let shown = at_bridge(&link.id);
        (shown != Some(json!(wanted))).then(|| {
            let shown = shown.as_ref().map_or("none of its own", |state| state.as_str().unwrap_or_default());
            format!("the bridge shows the link {} as {shown}, the marketplace's books say {wanted}", link.id)
        })
    });
    differing.collect()
}

impl SimTripStore {
    /// What the agency's books have otherwise than the marketplace's; and the number that the bridge goes by.
    fn agency_differences(&self, number: &str, order: &Value, it: &Booking) -> Vec<String> {
        let Some(kept) = self.agency.kept(number) else {
            return vec!["the agency's books know nothing of the booking".to_owned()];
        };
        let told = kept.it.body;
        let is_ours = it.owner == Owner::Market;
        let wanted = [
            ("channel", json!("TRIPSTORE")),
            ("event_code", json!(it.event_code())),
            ("booker_name", json!(it.name)),
            ("booker_phone", json!(if is_ours { MASKED_PHONE } else { it.phone.as_str() })),
            ("phone_masked", json!(is_ours)),
            ("travellers", json!({ "adult": 2, "child": 1, "infant": 0 })),
            ("departure_date", json!(it.departure.to_string())),
            ("total_sale_krw", json!(it.total)),
            ("collect_from_customer_krw", json!(if is_ours { 0 } else { it.total })),
        ];
        let wrong = wanted.into_iter().filter(|(field, wanted)| told.get(*field) != Some(wanted));
        // What is wrong is not quoted: it may be a traveller's own number.
        let mut found: Vec<String> =
            wrong.map(|(field, _)| format!("the agency's books have another {field} than the marketplace's")).collect();
        found.extend(difference(order, "channel_view.partner_number", &json!(kept.it.agency_number)));
        found
    }
}

impl TellsWhole for SimTripStore {
    type Trade = Booking;
    fn platform(&self) -> &Platform<Booking> {
        &self.market
    }
}

impl Stage<SimTripStore> {
    /// A booking that leaves on this day, by somebody who never came before.
    pub fn trip(&self, way: Way, departure: NaiveDate) -> Wish {
        Wish { owner: Owner::Market, way, departure, person: self.next_person() }
    }
}

impl Script {
    /// A traveller books; the bridge must take it, and tell the agency. The marketplace's number.
    pub(super) async fn booked(&mut self, wish: &Wish) -> Result<String, Broken> {
        let (number, told) = self.stage.channel.market.book(wish).await;
        self.orders.push(number.clone());
        self.taken(Some(&told), "accepted");
        self.agency_knows(&number).await?;
        Ok(number)
    }

    /// Waits until the agency has the booking in its books, and the bridge its number.
    pub(super) async fn agency_knows(&mut self, number: &str) -> Result<String, Broken> {
        let find = |books: &crate::platform::Books<crate::tripstore::AgencyBooking>| {
            books.trades.get(number).map(|kept| kept.it.agency_number.clone())
        };
        let found = self.stage.channel.agency.until(self.stage.patience, find).await;
        self.check(found.is_some(), "the agency is told of the booking");
        let agency_number = found.ok_or_else(|| Broken("the agency was never told".to_owned()))?;
        self.order_is(number, "channel_view.partner_number", &agency_number).await?;
        Ok(agency_number)
    }

    /// A member of the staff completes a booking, and the marketplace agrees.
    pub(super) async fn completed(&mut self, number: &str) -> Result<(), Broken> {
        self.staff(number, "completes the booking", "confirm", json!({})).await?;
        self.there(number, "it is completed", |it| it.status == Status::Completed).await?;
        self.order_is(number, "booking.state", "confirmed").await?;
        self.told("booking.completed", number).await
    }

    /// A member of the staff sends a payment link over what is open, or over `amount`: the link's number.
    pub(super) async fn link_sent(&mut self, number: &str, amount: Option<i64>) -> Result<String, Broken> {
        let body = amount.map_or(json!({}), |amount| json!({ "amount": amount }));
        let before = self.stage.channel.market.kept(number).map_or(0, |kept| kept.it.links.len());
        self.staff(number, "sends a payment link", "payment-links", body).await?;
        let sent = self.there(number, "a payment link is sent", |it| it.links.len() > before).await?;
        let id = sent.it.links.last().map(|link| link.id.clone()).unwrap_or_default();
        // The answer brings the link's number; only then can news of it be understood.
        self.order_is(number, &format!("channel_view.payment_links.{before}.id"), &id).await?;
        Ok(id)
    }
}
