// SPDX-License-Identifier: Apache-2.0

//! Every story of the two channels that tell whole orders, its messages shuffled and repeated: the end, the books, the stock and the
//! calls are what they are when everything comes once and in order. A run that fails names its seed.

use serde_json::{Value, json};
use ticketbridge_core::order::{BookingState, TicketingState};

use crate::kakao::crossing::essence;
use crate::support::TestBridge;
use crate::support::kakao::{self, KAKAO, SECRET, cancelled, reservation, signed, with_cancels};
use crate::support::tripstore::{self, kind, paid, returned, trip};

/// Shuffles of each story.
const RUNS: u64 = 12;

/// Numbers that look like chance and are the same every time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("a small number")
    }

    /// Every message at least once, some twice, in any order.
    fn deal(&mut self, count: usize) -> Vec<usize> {
        let mut cards: Vec<usize> = (0..count).collect();
        for _ in 0..count {
            cards.push(self.throw(count));
        }
        for place in (1..cards.len()).rev() {
            cards.swap(place, self.throw(place + 1));
        }
        cards
    }
}

/// What is left of a run: the order, the stock, and the calls in no order.
#[derive(Debug, PartialEq)]
struct End {
    order: Value,
    left: Value,
}

fn kakao_stories() -> Vec<(&'static str, Vec<Value>)> {
    let it = |status: &str| reservation("R1", "pd_auto", status);
    let all = [("pay_1", "cx_1", 90_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")];
    let pending = [("pay_1", "cx_1", 90_000, "PENDING"), ("pay_2", "cx_2", 3_000, "DONE")];
    let failed = [("pay_1", "cx_1", 90_000, "FAILED"), ("pay_2", "cx_2", 3_000, "DONE")];
    let off =
        |kind: &str, fee: i64, cancels: &[(&str, &str, i64, &str)]| cancelled("R1", "pd_auto", kind, fee, cancels);
    let mut part = it("CONFIRMED");
    part["lines"][0]["canceled_quantity"] = json!(1);
    let part = with_cancels(part, &[("pay_1", "cx_0", 38_000, "DONE")]);
    let mut rest = part.clone();
    rest["status"] = json!("CANCELED");
    rest["cancel_kind"] = json!("BY_BOOKER");
    rest["lines"][0]["canceled_quantity"] = json!(2);
    rest["lines"][1]["canceled_quantity"] = json!(1);
    let rest = with_cancels(rest, &[("pay_1", "cx_9", 52_000, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")]);
    let mut half = it("CONFIRMED");
    half["lines"][0]["used_quantity"] = json!(1);
    let mut used = it("USED");
    used["lines"][0]["used_quantity"] = json!(2);
    used["lines"][1]["used_quantity"] = json!(1);
    let story = |events: &[(&str, Value)]| -> Vec<Value> {
        let numbered = events.iter().zip(1..);
        numbered.map(|((what, it), n)| kakao::event(&format!("e{n}"), what, n, it, json!({}))).collect()
    };
    vec![
        (
            "asked, accepted, used, paid back",
            story(&[
                ("reservation.requested", it("REQUESTED")),
                ("reservation.confirmed", it("CONFIRMED")),
                ("reservation.used", half),
                ("reservation.used", used.clone()),
                ("payment.canceled", with_cancels(used, &all)),
            ]),
        ),
        (
            "asked and rejected",
            story(&[
                ("reservation.requested", it("REQUESTED")),
                ("reservation.rejected", off("REJECTED", 0, &pending)),
                ("payment.refund_updated", off("REJECTED", 0, &all)),
            ]),
        ),
        (
            "cancelled with a fee, the refund fails and is credited",
            story(&[
                ("reservation.confirmed", it("CONFIRMED")),
                ("reservation.canceled", off("BY_BOOKER", 0, &pending)),
                ("payment.refund_updated", off("BY_BOOKER", 0, &failed)),
                ("payment.refund_updated", off("BY_BOOKER", 0, &[("pay_1", "cx_1", 90_000, "CREDITED"), all[1]])),
            ]),
        ),
        (
            "cancelled in two parts",
            story(&[
                ("reservation.requested", it("REQUESTED")),
                ("reservation.confirmed", it("CONFIRMED")),
                ("reservation.canceled", part),
                ("reservation.canceled", rest),
            ]),
        ),
        (
            "not come, and paid back",
            story(&[
                ("reservation.confirmed", it("CONFIRMED")),
                ("reservation.no_show", it("NO_SHOW")),
                ("payment.canceled", with_cancels(it("NO_SHOW"), &all)),
            ]),
        ),
    ]
}

fn trip_stories() -> Vec<(&'static str, Vec<Value>)> {
    let deposit = |status: &str| paid(trip("T1", status), "tp_1", "DEPOSIT", 300_000, None);
    let full = |status: &str| paid(deposit(status), "tp_2", "BALANCE", 2_880_000, None);
    let story = |events: &[(&str, Value, Value)]| -> Vec<Value> {
        let numbered = events.iter().zip(1..);
        numbered
            .map(|((what, it, change), n)| tripstore::event(&format!("e{n}"), what, n, it, change.clone()))
            .collect()
    };
    let none = || json!({});
    let off = returned(deposit("CANCELED"), "tp_1", "cx_1", 200_000);
    let mut named = deposit("COMPLETED");
    named["agency_booking_no"] = json!("YB-2");
    let mut gone = full("DEPARTED");
    gone["agency_booking_no"] = json!("YB-2");
    vec![
        (
            "deposit, balance, departed",
            story(&[
                ("booking.received", trip("T1", "RECEIVED"), none()),
                ("payment.recorded", deposit("RECEIVED"), none()),
                ("booking.completed", deposit("COMPLETED"), none()),
                ("payment.recorded", full("COMPLETED"), none()),
                ("booking.departed", full("DEPARTED"), json!({"departed_on": "2027-02-14"})),
            ]),
        ),
        (
            "the guest wants out, stays, wants out again",
            story(&[
                ("booking.received", trip("T1", "RECEIVED"), none()),
                ("booking.completed", deposit("COMPLETED"), none()),
                ("booking.cancel_requested", deposit("CANCEL_REQUESTED"), json!({"from_status": "COMPLETED"})),
                ("booking.cancel_withdrawn", deposit("COMPLETED"), none()),
                ("booking.cancel_requested", deposit("CANCEL_REQUESTED"), json!({"from_status": "COMPLETED"})),
                ("booking.canceled", off, json!({"fee_krw": 100_000, "refund_krw": 200_000})),
            ]),
        ),
        (
            "paid in full, another number",
            story(&[
                ("booking.completed", kind(trip("T1", "COMPLETED"), "LINK"), none()),
                ("payment.recorded", deposit("COMPLETED"), none()),
                ("booking.agency_no_changed", named, json!({"old_no": null, "new_no": "YB-2"})),
                ("booking.departed", gone, none()),
            ]),
        ),
    ]
}

async fn left(bridge: &TestBridge) -> Value {
    let body = json!({"product_id": "pd_auto", "use": {"date": "2026-12-13"}, "quantity": 1}).to_string();
    let ask = signed(bridge, &format!("/channels/{KAKAO}/availability"), SECRET, "q", body.as_bytes());
    bridge.ask(ask).await.expect(200).json()
}

/// No call of the platform's is made twice; the gate is asked for tickets once at most, and once to void them.
fn calls_are_sound(bridge: &TestBridge, name: &str) {
    let writes: Vec<String> =
        bridge.partners.sent("/v1/").into_iter().filter(|s| s.method != "GET").map(|s| s.url).collect();
    let mut once = writes.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), writes.len(), "{name}: {writes:?}");
    let gate = bridge.partners.sent("/bridge/reservations");
    let (voids, issues): (Vec<_>, Vec<_>) =
        gate.iter().filter(|s| s.method == "POST").partition(|s| s.url.ends_with("/cancel"));
    assert!(issues.len() <= 1 && voids.len() <= 1, "{name}: {} issued, {} voided", issues.len(), voids.len());
}

async fn play_kakao(name: &str, events: &[Value], order: &[usize], dice: &mut Dice) -> End {
    let bridge = TestBridge::start_kakao(r#""confirm", "reject""#).await;
    for index in order {
        let reply = bridge.kakao(&events[*index]).await;
        assert!(matches!(reply.status.as_u16(), 200 | 202), "{name}: {}", reply.text());
        if dice.throw(3) == 0 {
            bridge.drain().await;
        }
    }
    bridge.drain().await;
    calls_are_sound(&bridge, name);
    let now = bridge.booked("R1").await;
    let booking = now.booking.as_ref().expect("a booking");
    let alive = matches!(booking.ticketing.state, TicketingState::Issued);
    let is_off = matches!(booking.state, BookingState::Cancelled | BookingState::Rejected);
    assert!(!(alive && is_off), "{name}: a ticket lives behind what is off");
    let mut essence = essence(&now);
    // A ticket that nobody needed any more when the first message came was never asked for.
    essence["live_ticket"] = json!(null);
    End { order: essence, left: left(&bridge).await }
}

#[tokio::test]
async fn edge_23_stories_of_bookings_end_the_same_however_their_messages_come() {
    for (name, events) in kakao_stories() {
        let straight: Vec<usize> = (0..events.len()).collect();
        let expected = play_kakao(name, &events, &straight, &mut Dice(1)).await;
        for seed in 1..=RUNS {
            let mut dice = Dice(seed * 0x9E37_79B9);
            let order = dice.deal(events.len());
            let found = play_kakao(name, &events, &order, &mut dice).await;
            assert_eq!(found, expected, "{name}, seed {seed}, order {order:?}");
        }
    }
}

async fn play_trip(name: &str, events: &[Value], order: &[usize], dice: &mut Dice) -> Value {
    let bridge = TestBridge::start_trip(r#""confirm", "cancel""#).await;
    for index in order {
        let reply = bridge.trip(&events[*index]).await;
        assert!(matches!(reply.status.as_u16(), 200 | 202), "{name}: {}", reply.text());
        if dice.throw(3) == 0 {
            bridge.drain().await;
        }
    }
    bridge.drain().await;
    let writes = bridge.partners.sent("trip.example");
    assert!(writes.iter().all(|s| s.method == "GET"), "{name}: nobody asked for anything");
    let posted = bridge.partners.sent("erp.example").into_iter().filter(|s| s.method == "POST");
    let keys: std::collections::BTreeSet<_> = posted.map(|s| s.headers["idempotency-key"].clone()).collect();
    assert!(keys.len() <= 1, "{name}: the agency's books take the booking once");
    let now = bridge.tripped("T1").await;
    let mut essence = essence(&now);
    essence["number"] = json!(now.channel_state.as_ref().and_then(|m| m.partner_number()));
    essence["label"] = json!(bridge.trip_label("T1").await);
    essence["case_is_open"] = json!(now.refund_case.as_ref().is_some_and(|case| case.is_open()));
    essence
}

#[tokio::test]
async fn edge_23_stories_of_the_marketplace_end_the_same_however_their_messages_come() {
    for (name, events) in trip_stories() {
        let straight: Vec<usize> = (0..events.len()).collect();
        let expected = play_trip(name, &events, &straight, &mut Dice(1)).await;
        for seed in 1..=RUNS {
            let mut dice = Dice(seed * 0x9E37_79B9);
            let order = dice.deal(events.len());
            let found = play_trip(name, &events, &order, &mut dice).await;
            assert_eq!(found, expected, "{name}, seed {seed}, order {order:?}");
        }
    }
}
