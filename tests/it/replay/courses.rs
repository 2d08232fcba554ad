// SPDX-License-Identifier: Apache-2.0

//! What takes its time, and is crossed by everything else: it asks partners on its way, and reads and changes one order after another. Played, it
//! begins when it began, and goes on when it went on.

use serde_json::json;
use ticketbridge::housekeeping::schedule;
use ticketbridge::recorder::file::Recorded;
use ticketbridge::recorder::tape::Piece;
use ticketbridge_core::Millis;
use ticketbridge_core::order::OrderState;

use super::{Files, config, play, taken, with_kakao};
use crate::availability::told_by_the_gate;
use crate::octo::{BACKEND, books};
use crate::support::partners::Outcome;
use crate::support::{Ask, TestBridge, douyin, kakao};

const HINT: &str = "0123456789abcdef0123";
/// A day on which the tickets of the tests admit.
const VISIT: &str = "2026-12-01T09:00:00+08:00";
const USED_AT: i64 = 1_796_086_000_000;

/// The example with an OCTO supplier as the back-end, and these settings of it.
fn with_supplier(files: &mut Files, settings: &str) {
    files.insert("backends/ventrata.toml".to_owned(), format!("{BACKEND}{settings}"));
    let product = files.get_mut("products/lakeside.toml").expect("the products");
    *product = product.replace(
        r#"{ mode = "backend", backend = "gate", product = "P-778" }"#,
        r#"{ mode = "backend", backend = "ventrata", product = "LAKE/DEFAULT", units = { adult = "adult" } }"#,
    );
}

async fn recording(edit: impl FnOnce(&mut Files)) -> TestBridge {
    let bridge = TestBridge::start_with(|files| {
        edit(files);
        files.get_mut("ticketbridge.toml").expect("the file").push_str("\n[recorder]\nkeep = \"48h\"\n");
    })
    .await;
    books(&bridge, |_| ());
    bridge
}

/// The same as an older version would have recorded it: each thing has one time.
fn without_ways(recorded: &Recorded) -> Recorded {
    let mut older = recorded.clone();
    for (_, piece) in &mut older.pieces {
        match piece {
            Piece::In(came) => (came.began, came.points) = (None, Vec::new()),
            Piece::Ran(ran) => ran.points = Vec::new(),
            Piece::Out(went) => {
                went.of = None;
                went.decided = went.decided.filter(|_| went.order.is_some());
            }
            Piece::Task { .. } | Piece::Moved(_) => {}
        }
    }
    older
}

/// Plays what was recorded to the same version and the same configuration: nothing is other.
async fn is_equal(bridge: TestBridge, edit: impl FnOnce(&mut Files)) -> Recorded {
    let recorded = taken(bridge).await;
    let (same, _bridge) = config(edit).await;
    let report = play(&recorded, same).await;
    assert_eq!((report.unexplained, report.expected), (0, 0), "{report}");
    assert!(report.equal > 10, "{report}");
    recorded
}

/// That it is equal is owed to what is recorded of its way.
async fn is_owed_to_its_way(recorded: &Recorded, edit: impl FnOnce(&mut Files)) {
    let (same, _bridge) = config(edit).await;
    assert!(play(&without_ways(recorded), same).await.unexplained > 0, "it is what makes the difference");
}

/// Three sold, booked and ticketed orders.
async fn three_ticketed(bridge: &TestBridge) {
    for number in 0..3 {
        bridge.ticketed(&format!("V10{number}"), &format!("R10{number}")).await;
    }
}

/// A supplier takes three seconds for a place that is kept before a booking is accepted, and others are sold and booked meanwhile. The booking
/// is as old as its message.
#[tokio::test]
async fn a_message_that_waits_for_a_place_is_as_old_as_it_was() {
    let edit = |files: &mut Files| with_supplier(files, "hold_at = \"booking\"\n");
    let bridge = recording(edit).await;
    bridge.sell("V100").await;
    bridge.sell("V101").await;
    let held = bridge.partners.hold("/octo/bookings");
    let meanwhile = async {
        held.arrived().await;
        bridge.advance(Millis::seconds(2));
        bridge.book("R101", "V101", "2026-12-02").await;
        bridge.advance(Millis::seconds(1));
        held.answer();
    };
    tokio::join!(bridge.book("R100", "V100", "2026-12-01"), meanwhile);
    bridge.drain().await;
    for booking in ["R100", "R101"] {
        bridge.issue(booking, 2).await;
    }
    let accepted = [bridge.stored("V100").await, bridge.stored("V101").await].map(|order| order.booking.expect("one"));
    assert!(accepted[0].confirmed_at < accepted[1].confirmed_at, "{accepted:?}");
    let recorded = is_equal(bridge, edit).await;
    is_owed_to_its_way(&recorded, edit).await;
}

/// Books are compared by a person or by the clock, and the supplier is slow: one order is refunded, one is sold and ticketed and one goes on
/// meanwhile, and what the channel says of another makes a difference.
async fn books_are_compared(bridge: &TestBridge, compare: impl Future<Output = ()>) {
    three_ticketed(bridge).await;
    bridge.advance(Millis::minutes(1));
    // What the channel says of whichever is asked about first is about none of them.
    let answer = json!({ "data": { "error_code": 0, "orders": [{ "order_id": "V9", "order_status": 1, "count": 2 }] },
        "extra": { "error_code": 0 } });
    bridge.partners.next("/trade/order/query/", Outcome::Says(200, answer));
    let held = bridge.partners.hold("/octo/bookings/");
    let meanwhile = async {
        held.arrived().await;
        for (index, booking) in ["R100", "R101", "R102"].into_iter().enumerate() {
            let applied = douyin::refund_apply(booking, &format!("B{index}"), 101, 0, bridge.now());
            bridge.douyin("refund-apply", &applied).await.expect(200);
            bridge.advance(Millis::seconds(1));
            bridge.drain().await;
        }
        bridge.ticketed("V103", "R103").await;
        bridge.advance(Millis::seconds(2));
        held.answer();
    };
    tokio::join!(compare, meanwhile);
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
}

#[tokio::test]
async fn books_that_a_person_compares_while_orders_go_on_are_compared_as_they_were() {
    let edit = |files: &mut Files| with_supplier(files, "");
    let bridge = recording(edit).await;
    books_are_compared(&bridge, async {
        let report = bridge.post("reconciliation", &json!({})).await.expect(200).json();
        assert!(report["orders"].as_u64() > Some(0), "{report}");
    })
    .await;
    let recorded = is_equal(bridge, edit).await;
    is_owed_to_its_way(&recorded, edit).await;
}

#[tokio::test]
async fn books_that_are_compared_by_the_clock_while_orders_go_on_are_compared_as_they_were() {
    let edit = |files: &mut Files| with_supplier(files, "");
    let bridge = recording(edit).await;
    books_are_compared(&bridge, schedule::run_named(bridge.bridge.shared(), "reconcile")).await;
    is_equal(bridge, edit).await;
}

/// Visits are looked for at several bookings at once; one answer comes late, and an order is refunded meanwhile.
#[tokio::test]
async fn visits_that_are_looked_for_together_are_found_as_they_were() {
    let edit = |files: &mut Files| with_supplier(files, "");
    let bridge = recording(edit).await;
    three_ticketed(&bridge).await;
    bridge.set_time(VISIT);
    for sale in ["V100", "V102"] {
        let id = bridge.stored(sale).await.booking.expect("a booking").id;
        books(&bridge, |books| books.redeem(id.as_str(), USED_AT));
    }
    let held = bridge.partners.hold("/octo/bookings/");
    let meanwhile = async {
        held.arrived().await;
        let applied = douyin::refund_apply("R101", "B1", 101, 0, bridge.now());
        bridge.douyin("refund-apply", &applied).await.expect(200);
        bridge.advance(Millis::seconds(2));
        held.answer();
    };
    tokio::join!(schedule::run_named(bridge.bridge.shared(), "watch"), meanwhile);
    bridge.drain().await;
    assert_eq!(bridge.stored("V100").await.state, OrderState::Completed);
    is_equal(bridge, edit).await;
}

/// A push that nobody signs is followed, and its answer comes after the same booking was looked at by the clock.
#[tokio::test]
async fn a_push_that_is_followed_while_the_clock_looks_too_is_followed_as_it_was() {
    let edit = |files: &mut Files| with_supplier(files, &format!("hint_secret = \"{HINT}\"\n"));
    let bridge = recording(edit).await;
    bridge.ticketed("V100", "R100").await;
    bridge.set_time(VISIT);
    let uuid = books(&bridge, |books| books.all().next().expect("a booking").0.to_owned());
    let held = bridge.partners.hold("/octo/bookings/");
    let path = format!("/backends/ventrata/hints/{HINT}");
    let pushed = bridge.ask(Ask::new(http::Method::POST, path).json(&json!({ "data": { "uuid": uuid } }))).await;
    assert_eq!(pushed.status.as_u16(), 204);
    held.arrived().await;
    bridge.advance(Millis::seconds(2));
    let id = bridge.stored("V100").await.booking.expect("a booking").id;
    books(&bridge, |books| books.redeem(id.as_str(), USED_AT));
    schedule::run_named(bridge.bridge.shared(), "watch").await;
    bridge.advance(Millis::seconds(1));
    held.answer();
    bridge.drain().await;
    bridge.eventually("orders/douyin-main:V100", |order| order["booking"]["state"] == "used").await;
    is_equal(bridge, edit).await;
}

/// A channel's list of changes tells of an order whose own message comes while the list is on its way, and of one whose message is lost.
#[tokio::test]
async fn a_list_of_changes_that_a_message_crosses_is_taken_over_as_it_was() {
    let bridge = recording(with_kakao).await;
    let asked = |number: &str| kakao::reservation(number, "pd_plain", "REQUESTED");
    let event = |id: &str, number: &str| kakao::event(id, "reservation.requested", 1, &asked(number), json!({}));
    bridge.kakao_is(event("a1", "K1"), "accepted").await;
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    let listed = |number: &str| json!({ "reservation": asked(number), "revision": 1 });
    let answer = json!({ "reservations": [listed("K2"), listed("K3")] });
    bridge.partners.next("/v1/reservations?", Outcome::Says(200, answer));
    let held = bridge.partners.hold("/v1/reservations?");
    let meanwhile = async {
        held.arrived().await;
        bridge.advance(Millis::seconds(2));
        bridge.kakao_is(event("b1", "K2"), "accepted").await;
        held.answer();
    };
    tokio::join!(schedule::run_named(bridge.bridge.shared(), "follow"), meanwhile);
    bridge.drain().await;
    assert_eq!(bridge.booked("K3").await.state, OrderState::Placed, "its message was lost");
    is_equal(bridge, with_kakao).await;
}

/// A back-end is asked what is left of a day, and the last places are taken while its answer is on its way: it could not know of them.
#[tokio::test]
async fn what_is_left_at_a_back_end_is_as_it_was_when_it_was_asked() {
    let bridge = recording(told_by_the_gate).await;
    for sale in ["V100", "V101", "V102"] {
        bridge.sell(sale).await;
    }
    let says = |left: i64| {
        let day = json!({ "date": "2026-12-01", "remaining": left, "price": 19_900, "currency": "CNY" });
        bridge
            .partners
            .next("/availability?product=P-778&from=2026-11-20", Outcome::Says(200, json!({ "days": [day] })));
    };
    let asks = || schedule::run_named(bridge.bridge.shared(), "availability");
    says(4);
    asks().await;
    says(2);
    let held = bridge.partners.hold("/availability");
    let meanwhile = async {
        held.arrived().await;
        bridge.book("R100", "V100", "2026-12-01").await;
        bridge.advance(Millis::seconds(2));
        held.answer();
    };
    tokio::join!(asks(), meanwhile);
    let full = bridge.douyin("create-order", &douyin::booking("R101", "V101", "2026-12-01", 2, bridge.now())).await;
    assert_ne!(full.expect(200).json()["data"]["error_code"], 0, "nothing is left");
    bridge.drain().await;
    says(2);
    asks().await;
    bridge.book("R102", "V102", "2026-12-01").await;
    bridge.drain().await;
    is_equal(bridge, told_by_the_gate).await;
}

/// A person does something to many: each of the acts stands in the recording, and none is done twice.
#[tokio::test]
async fn what_is_done_to_many_is_done_to_each_when_it_was_done() {
    let bridge = recording(|_| {}).await;
    for number in 0..4 {
        let booking = format!("R10{number}");
        bridge.ticketed(&format!("V10{number}"), &booking).await;
        let applied = douyin::refund_apply(&booking, &format!("K{number}"), 102, 0, bridge.now());
        bridge.douyin("refund-apply", &applied).await.expect(200);
        bridge.drain().await;
    }
    let begun = bridge.post("bulk/approve", &json!({ "match": { "channel": "douyin-main" } })).await.expect(200).json();
    let path = format!("bulk/{}", begun["id"].as_str().expect("an id"));
    bridge.eventually(&path, |said| said["state"] == "done").await;
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    is_equal(bridge, |_| {}).await;
}
