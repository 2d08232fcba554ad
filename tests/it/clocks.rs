// SPDX-License-Identifier: Apache-2.0

//! Machines whose clocks are wrong, or are moved: two instances on one database go by the database's time, so that nothing is made twice and
//! nothing stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::Days;
use futures_util::future::BoxFuture;
use serde_json::Value;
use ticketbridge::clock::{Clock, SystemClock};
use ticketbridge_core::{Millis, TimeZone, UnixMillis};

use crate::real::stage::product;
use crate::real::until;
use crate::support::kakao::signed_at;
use crate::support::partners::Outcome;
use crate::support::tripstore::{self, TRIP};
use crate::support::{CHANNEL, TestBridge, douyin, on_each_database};

/// The machine's clock, wrong by so many milliseconds.
#[derive(Clone)]
struct WrongClock {
    machine: SystemClock,
    by: Arc<AtomicI64>,
}

impl WrongClock {
    fn new(by: Millis) -> Self {
        Self { machine: SystemClock::new(), by: Arc::new(AtomicI64::new(by.0)) }
    }
    fn is_moved(&self, by: Millis) {
        self.by.fetch_add(by.0, Ordering::Relaxed);
    }
}

impl Clock for WrongClock {
    fn now(&self) -> UnixMillis {
        self.machine.now() + Millis(self.by.load(Ordering::Relaxed))
    }
    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
    fn is_machines(&self) -> bool {
        true
    }
    fn sleep_until(&self, at: UnixMillis) -> BoxFuture<'static, ()> {
        self.machine.sleep_until(at - Millis(self.by.load(Ordering::Relaxed)))
    }
}

/// Sold and booked by one instance.
async fn booked(bridge: &TestBridge, n: u32, now: UnixMillis) {
    let say = async |body: &Value| {
        let signed = douyin::signed(&format!("/channels/{CHANNEL}/create-order"), body, now);
        let answer = bridge.ask(signed).await.expect(200).json();
        assert_eq!(answer["data"]["error_code"], 0, "{answer}");
    };
    say(&douyin::sale(&format!("V{n}"), 2, now)).await;
    let date = TimeZone::SHANGHAI.date_of(now).plus_days(7).to_string();
    say(&douyin::booking(&format!("R{n}"), &format!("V{n}"), &date, 2, now)).await;
}

async fn issued(bridge: &TestBridge, numbers: std::ops::RangeInclusive<u32>) {
    until("every booking has its tickets", async || {
        for n in numbers.clone() {
            if bridge.order(&format!("V{n}")).await["booking"]["ticketing"]["state"] != "issued" {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_whose_clocks_differ_make_nothing_twice_and_go_on() {
    let now = SystemClock::new().now();
    let today = chrono::DateTime::from_timestamp_millis(now.0).expect("a time").date_naive();
    for (first, second) in
        [(Millis::seconds(60), Millis::seconds(-60)), (Millis::hours(1), Millis(0)), (Millis(0), Millis::hours(-1))]
    {
        on_each_database(
            |files| {
                let (from, to) = (today - Days::new(2), today + Days::new(60));
                files.insert(
                    "products/lakeside.toml".to_owned(),
                    product(&from.to_string(), &to.to_string(), 500).replace("resident_id", "passport"),
                );
                let service = files.get_mut("ticketbridge.toml").expect("the file of the service");
                *service =
                    service.replace("attempts = 4", "attempts = 30").replace("first = \"1s\"", "first = \"50ms\"");
            },
            async |place| {
                let store = place.bridge.engine().store();
                if store.database_time().await.expect("a database that answers").is_none() {
                    // One process has SQLite for itself.
                    return;
                }
                let (a, b) = (WrongClock::new(first), WrongClock::new(second));
                let one = place.beside(Arc::new(a.clone()), 1_000).await;
                let other = place.beside(Arc::new(b.clone()), 2_000_000).await;
                let partners = &place.partners;
                let made = |method: &str| {
                    partners.sent("/bridge/reservations").iter().filter(|sent| sent.method == *method).count()
                };
                for n in 1..=12 {
                    booked(if n % 2 == 0 { &one } else { &other }, n, now).await;
                }
                issued(&one, 1..=12).await;
                assert_eq!((made("POST"), made("GET")), (12, 0), "made once, and nobody had to ask");

                // A machine's clock is moved while retries wait.
                for _ in 0..6 {
                    partners.next("/bridge/reservations", Outcome::NotSent);
                }
                for n in 13..=18 {
                    booked(if n % 2 == 0 { &one } else { &other }, n, now).await;
                }
                a.is_moved(Millis::hours(-1));
                b.is_moved(Millis::hours(1));
                issued(&other, 13..=18).await;
                assert_eq!((made("POST"), made("GET")), (12 + 6 + 6, 0));

                // A partner that is down is found again, whatever the clocks say.
                partners.always("/bridge/reservations", Outcome::NotSent);
                for n in 19..=30 {
                    booked(if n % 2 == 0 { &one } else { &other }, n, now).await;
                }
                until("a breaker opens", async || {
                    for bridge in [&one, &other] {
                        if bridge.get("backends").await.expect(200).json()["items"][0]["breaker"] == "open" {
                            return Some(());
                        }
                    }
                    None
                })
                .await;
                a.is_moved(Millis::hours(2));
                b.is_moved(Millis::hours(-2));
                partners.recover();
                issued(&one, 19..=30).await;
                one.bridge.stop().await;
                other.bridge.stop().await;
            },
        )
        .await;
    }
}

/// A signed event of the marketplace, at this time.
async fn told(bridge: &TestBridge, body: &Value, now: UnixMillis) {
    let (id, text) = (body["event_id"].as_str().expect("an id"), body.to_string());
    let path = format!("/channels/{TRIP}/events");
    bridge.ask(signed_at(now, &path, tripstore::SECRET, id, text.as_bytes())).await.expect(200);
}

/// The end of a payment link is a time that was named to the guest: it comes neither an hour early nor an hour late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_link_ends_at_its_time_although_the_machines_clock_is_moved() {
    const LASTS: Millis = Millis::seconds(6);
    for by in [Millis::hours(1), Millis::hours(-1)] {
        on_each_database(
            |files| {
                files.insert("channels/trip.toml".to_owned(), tripstore::channel_file(tripstore::CAN));
                files.insert("products/trip.toml".to_owned(), tripstore::PRODUCTS.to_owned());
            },
            async |place| {
                let store = place.bridge.engine().store();
                if store.database_time().await.expect("a database that answers").is_none() {
                    // One process has SQLite for itself, and its clock is tried by itself (`clock::agreed`).
                    return;
                }
                let machine = SystemClock::new();
                let (clock, now) = (WrongClock::new(Millis(0)), machine.now());
                let one = place.beside(Arc::new(clock.clone()), 1_000).await;
                let mut it = tripstore::kind(tripstore::trip("T1", "COMPLETED"), "FULL");
                let day = TimeZone::SEOUL.date_of(now).plus_days(40).to_string();
                it["departure_date"] = day.clone().into();
                it["return_date"] = day.into();
                let mut event = tripstore::event("e1", "booking.completed", 1, &it, serde_json::json!({}));
                event["occurred_at"] = now.rfc3339(TimeZone::SEOUL).into();
                told(&one, &event, now).await;
                let made = serde_json::json!({ "link_id": "L1", "url": "https://pay.example/L1" });
                place.partners.next("/payment-links", Outcome::Says(201, made));
                let begun = machine.monotonic();
                let ends = (machine.now() + LASTS).rfc3339(TimeZone::SEOUL);
                let link = serde_json::json!({ "amount": 3_180_000, "expires_at": ends });
                one.post(&format!("orders/{TRIP}:T1/payment-links"), &link).await.expect(200);
                let order = async || one.get(&format!("orders/{TRIP}:T1")).await.expect(200).json();
                until("the link is there", async || order().await.to_string().contains("\"L1\"").then_some(())).await;
                clock.is_moved(by);
                until("the link is over", async || {
                    let is_over = order().await["attention"]["kind"] == "payment_link_over";
                    is_over.then_some(())
                })
                .await;
                let lasted = Millis::from_std(machine.monotonic().saturating_sub(begun));
                assert!((5_000..16_000).contains(&lasted.0), "moved by {by:?}, it lasted {lasted:?}");
                one.bridge.stop().await;
            },
        )
        .await;
    }
}
