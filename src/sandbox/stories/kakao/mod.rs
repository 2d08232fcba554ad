// SPDX-License-Identifier: Apache-2.0

//! Stories of a guest of the Kakao-style platform.
//!
//! They need a channel with all its calls (`capabilities`), and a product with `confirm = "manual"`, tickets of the back-end, and days that
//! can be booked from today on.

mod crossing;
mod money;
mod visits;

use chrono::NaiveDate;
use serde_json::{Value, json};
use std::time::Duration;

use super::whole::{TellsWhole, difference, money_differences, ticket_differences};
use super::{Channel, Stage, Story, story};
use crate::kakao::{Accepts, Reservation, Status, Wish};
use crate::platform::Platform;
use crate::time::Zone;
use crate::{Journal, SimBackend, SimKakao, SimTime};

/// A script with a Kakao-style platform in it.
type Script = super::Script<SimKakao>;

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
    async fn booked(&mut self, wish: &Wish) -> String {
        let (number, told) = self.stage.channel.book(wish).await;
        self.orders.push(number.clone());
        self.taken(Some(&told), "accepted");
        number
    }

    /// A guest books what a manager must accept, and the manager accepts it: the platform's number.
    async fn accepted(&mut self, wish: &Wish) -> Result<String, super::Broken> {
        let number = self.booked(wish).await;
        self.attention_is(&number, "waits_for_confirmation").await?;
        self.staff(&number, "accepts the booking", "confirm", json!({})).await?;
        self.there(&number, "it is accepted", |it| it.status == Status::Confirmed).await?;
        self.order_is(&number, "booking.state", "confirmed").await?;
        self.told("reservation.confirmed", &number).await?;
        Ok(number)
    }

    /// The guest goes in at the gate, and the platform hears of it.
    async fn goes_in(&mut self, number: &str) -> Result<(), super::Broken> {
        let id = self.booking_id(number).await?;
        let answer = self.stage.backend.redeem(&id).await;
        self.check(answer.status == 200, format!("the gate's report is taken (HTTP {})", answer.status));
        self.there(number, "it is used", |it| it.status == Status::Used).await?;
        self.order_is(number, "state", "completed").await?;
        self.told("reservation.used", number).await
    }
}

/// Every story, in the order in which a newcomer understands them best.
pub const STORIES: &[Story<SimKakao>] = &[
    story!("booked-and-used", "the platform accepts a booking by itself; the guest goes in", visits::booked_and_used),
    story!(
        "payment-only-cancel",
        "a manager accepts; after the visit the money goes back, and the visit stays used",
        visits::payment_only_cancel
    ),
    story!("booking-only", "nothing is paid with the booking, so nothing can go back", visits::booking_only),
    story!("declined", "a manager declines, with a reason for the guest", visits::declined),
    story!("no-show", "the guest does not come, and is paid back a part all the same", visits::no_show),
    story!(
        "cancel-in-free-hour",
        "the guest thinks better of it within the hour: nothing is kept",
        money::cancel_in_free_hour
    ),
    story!("product-closed", "the seller closes the product: only new bookings stop", visits::product_closed),
    story!("cancel-in-a-tier", "the guest calls it off ten days before, and a fee is kept", money::cancel_in_a_tier),
    story!("cancel-by-partner", "the partner calls it off for less than the policy's fee", money::cancel_by_partner),
    story!(
        "refund-fails",
        "it is called off, the refund fails at the card company, and ends as credit",
        money::refund_fails
    ),
    story!("cancel-before-confirm", "the guest calls it off while our yes is on its way", crossing::cancel_first),
    story!("cancel-behind-confirm", "the same, and it is told only after our yes was answered", crossing::told_last),
    story!(
        "cancel-after-confirm",
        "our yes comes first, and its answer after the cancellation",
        crossing::confirm_first
    ),
    story!(
        "overtaking-events",
        "the cancellation is told first, then the booking, then its acceptance",
        crossing::overtaking
    ),
    story!("platform-hiccups", "everything twice, answers lost, errors: nothing is done twice", crossing::hiccups),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SimBackendOptions;
    use crate::platform::PlatformOptions;
    use crate::stories::play;

    #[tokio::test]
    async fn every_story_fails_without_a_bridge() {
        let time = SimTime::new(1_000_000.0);
        let secret = "whsec_c2FuZGJveA==";
        let options = PlatformOptions::usual("kakao-jeju", secret, secret, "FOREST", time.clone());
        let kakao = SimKakao::start(options).await.unwrap();
        let backend = SimBackend::start(SimBackendOptions::usual("gate", secret, time)).await.unwrap();
        // Port 9 of this machine discards; nothing answers there.
        kakao.set_bridge_url("http://127.0.0.1:9");
        backend.set_bridge_url("http://127.0.0.1:9");
        let mut stage = Stage::new("http://127.0.0.1:9", "token", kakao, backend);
        stage.patience = Duration::from_millis(20);
        for story in STORIES {
            let verdict = play(story, &stage).await;
            assert!(!verdict.passed && !verdict.problems.is_empty(), "{} passed without a bridge", story.name);
        }
    }
}
