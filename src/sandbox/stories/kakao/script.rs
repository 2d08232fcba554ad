// SPDX-License-Identifier: Apache-2.0

//! What the stories of the Kakao-style platform can do and see beside what those of every platform can that tells whole orders.

use chrono::NaiveDate;
use serde_json::{Value, json};
use std::time::Duration;

use crate::kakao::{Accepts, Reservation, Status, Wish};
use crate::platform::Platform;
use crate::stories::script::Broken;
use crate::stories::stage::{Channel, Stage};
use crate::stories::whole::{TellsWhole, difference, money_differences, ticket_differences};
use crate::time::Zone;
use crate::{Journal, SimBackend, SimKakao, SimTime};

/// A script with a Kakao-style platform in it.
pub(super) type Script = crate::stories::script::Script<SimKakao>;

/// An event that is not taken comes again after one, four and sixteen minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(21 * 60);

impl Channel for SimKakao {
    fn id(&self) -> &str {
        &self.options().channel_id
    }
    fn time(&self) -> &SimTime {
        Platform::time(self)
    }
    fn journal(&self) -> &Journal {
        Platform::journal(self)
    }
    fn today(&self) -> NaiveDate {
        Platform::time(self).today(Zone::SEOUL)
    }
    fn longest_wait(&self) -> Duration {
        LONGEST_WAIT
    }
    fn held_against(&self, orders: &[String]) -> Vec<String> {
        let held = self.books().held_against(orders);
        held.into_iter().map(|sentence| format!("Kakao holds against the bridge: {sentence}")).collect()
    }
    fn differences(&self, number: &str, order: &Value, backend: &SimBackend) -> Vec<String> {
        let Some(kept) = self.kept(number) else { return Vec::new() };
        let it = kept.it;
        let (booking, stands) = match it.status {
            Status::Requested => ("requested", None),
            Status::Confirmed => ("confirmed", Some(true)),
            Status::Canceled("REJECTED") => ("rejected", Some(false)),
            Status::Canceled(_) => ("cancelled", Some(false)),
            Status::Used => ("used", Some(true)),
            Status::NoShow => ("no_show", Some(true)),
        };
        let mut found: Vec<String> = difference(order, "booking.state", &json!(booking)).into_iter().collect();
        found.extend(difference(order, "booking.visit_date", &json!(it.visit.to_string())));
        found.extend(difference(order, "quantity", &json!(it.units())));
        if it.payments.is_empty() {
            found.extend(difference(order, "payment.state", &json!("none")));
        } else {
            found.extend(money_differences(order, &it.payments, it.net(), it.fee));
        }
        found.extend(ticket_differences(order, backend, stands));
        found
    }
    fn tidy(&self) {
        Platform::tidy(self);
    }
}

impl TellsWhole for SimKakao {
    type Trade = Reservation;
    fn platform(&self) -> &Platform<Reservation> {
        self
    }
}

impl Stage<SimKakao> {
    /// A paid booking by somebody who never came before.
    pub fn wish(&self, accepts: Accepts, visit: NaiveDate) -> Wish {
        Wish { accepts, visit, paid: true, free_minutes: 0, person: self.next_person() }
    }
}

impl Script {
    /// A guest books; the bridge must take it. The platform's number.
    pub(super) async fn booked(&mut self, wish: &Wish) -> String {
        let (number, told) = self.stage.channel.book(wish).await;
        self.orders.push(number.clone());
        self.taken(Some(&told), "accepted");
        number
    }

    /// A guest books what a manager must accept, and the manager accepts it: the platform's number.
    pub(super) async fn accepted(&mut self, wish: &Wish) -> Result<String, Broken> {
        let number = self.booked(wish).await;
        self.attention_is(&number, "waits_for_confirmation").await?;
        self.staff(&number, "accepts the booking", "confirm", json!({})).await?;
        self.there(&number, "it is accepted", |it| it.status == Status::Confirmed).await?;
        self.order_is(&number, "booking.state", "confirmed").await?;
        self.told("reservation.confirmed", &number).await?;
        Ok(number)
    }

    /// The guest goes in at the gate, and the platform hears of it.
    pub(super) async fn goes_in(&mut self, number: &str) -> Result<(), Broken> {
        let id = self.booking_id(number).await?;
        let answer = self.stage.backend.redeem(&id).await;
        self.check(answer.status == 200, format!("the gate's report is taken (HTTP {})", answer.status));
        self.there(number, "it is used", |it| it.status == Status::Used).await?;
        self.order_is(number, "state", "completed").await?;
        self.told("reservation.used", number).await
    }
}
