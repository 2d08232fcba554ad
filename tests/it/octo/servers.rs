// SPDX-License-Identifier: Apache-2.0

//! Servers differ. Whatever a supplier answers of the variants that `adapters/octo/README.md` lists, a lost answer leaves one booking, and a
//! refund leaves none.

use serde_json::json;
use ticketbridge_core::Millis;
use ticketbridge_core::order::TicketingState;
use ticketbridge_sandbox::octo::{Books, OwnError, RepeatedReserve, Status};

use super::{booked, books, live, order, pass, refund, start, state};
use crate::support::partners::Outcome;
use crate::support::{TestBridge, leaves_work};

type Set = fn(&mut Books);

/// Every variant of a row, by its name.
const VARIANTS: &[(&str, Set)] = &[
    ("a repeated reserve: the same booking", |books| books.switches.repeated_reserve = RepeatedReserve::Same),
    ("a repeated reserve: refused", |books| books.switches.repeated_reserve = RepeatedReserve::Refused),
    ("a repeated reserve: 500", |books| books.switches.repeated_reserve = RepeatedReserve::Error),
    ("an unknown booking: 400 INVALID_BOOKING_UUID", |books| {
        books.switches.unknown_booking = (400, "INVALID_BOOKING_UUID");
    }),
    ("an unknown booking: 400 BAD_REQUEST", |books| books.switches.unknown_booking = (400, "BAD_REQUEST")),
    ("an unknown booking: 404 with a word of its own", |books| {
        books.switches.unknown_booking = (404, "BOOKING_NOT_FOUND");
    }),
    ("an unknown booking: 404 as a framework says it", |books| books.switches.unknown_booking = (404, "Not Found")),
    ("an unknown booking: 410", |books| books.switches.unknown_booking = (410, "GONE")),
    ("an unknown booking: 404", |books| books.switches.unknown_booking = (404, "NOT_FOUND")),
    ("the key is not looked at", |books| books.switches.wrong_key = None),
    ("a hold that is over reads ON_HOLD", |books| books.switches.hold_over_stays = true),
    ("a hold that is over is confirmed", |books| {
        (books.switches.hold_over_stays, books.switches.confirms_late) = (true, true);
    }),
    ("a repeated confirm is refused", |books| books.switches.refuses_second_confirm = true),
    ("a released hold reads CANCELLED", |books| books.switches.released_reads = Status::Cancelled),
    ("a released hold reads EXPIRED", |books| books.switches.released_reads = Status::Expired),
    ("a repeated cancel: refused", |books| books.switches.refuses_second_cancel = true),
    ("a repeated cancel: the same booking", |books| books.switches.refuses_second_cancel = false),
    ("the status of units is never kept up", |books| books.switches.stale_units = true),
    ("its own errors: 500 with a code", |books| books.switches.own_error = OwnError::WithCode),
    ("its own errors: 400", |books| books.switches.own_error = OwnError::As400),
    ("its own errors: HTML of a proxy", |books| books.switches.own_error = OwnError::OfProxy),
    ("extensions are not repeated in answers", |books| books.switches.repeats_capabilities = false),
];

/// A booking of which the answer to each write is lost, and its refund.
async fn lives(bridge: &TestBridge, what: &str) {
    booked(bridge).await;
    for part in ["/octo/bookings", "/confirm"] {
        bridge.partners.next(part, Outcome::Interrupted);
    }
    pass(bridge, 8, Millis::seconds(20)).await;
    assert_eq!(state(bridge).await, TicketingState::Issued, "{what}");
    assert_eq!(live(bridge, &order(bridge).await), 1, "{what}");
    let confirmed: u32 = books(bridge, |books| books.all().map(|(_, booked)| booked.confirmed).sum());
    assert_eq!(confirmed, 1, "{what}");
    bridge.issue("R100", 2).await;
    bridge.partners.next("/cancel", Outcome::Interrupted);
    refund(bridge).await;
    pass(bridge, 4, Millis::seconds(20)).await;
    assert_eq!(live(bridge, &order(bridge).await), 0, "{what}");
    let order = order(bridge).await;
    let booking = order.booking.as_ref().or(order.past_bookings.last()).expect("a booking");
    assert_eq!(booking.ticketing.state, TicketingState::Cancelled, "{what}");
}

#[tokio::test]
async fn every_variant_of_a_server_leaves_one_booking_and_its_refund_none() {
    for (what, set) in VARIANTS {
        let bridge = start("").await;
        books(&bridge, set);
        lives(&bridge, what).await;
    }
}

/// Sold out has two words; neither is an error.
#[tokio::test]
async fn sold_out_is_known_by_each_of_its_words() {
    for word in ["UNPROCESSABLE_ENTITY", "BAD_REQUEST"] {
        let bridge = start("").await;
        books(&bridge, |books| {
            (books.switches.sold_out_code, books.switches.capacity) = (word, 3);
        });
        booked(&bridge).await;
        bridge.drain().await;
        let reason = order(&bridge).await.booking.expect("a booking").ticketing.reason.expect("a reason");
        assert!(reason.to_string().contains("no_capacity"), "{word}: {reason}");
    }
}

/// A wrong key has many answers; each pauses the back-end, and none is a refusal to the guest.
#[tokio::test]
async fn a_wrong_key_is_known_by_each_of_its_answers() {
    // It waits until the key is mended.
    leaves_work();
    let answers = [(401, "UNAUTHORIZED"), (403, "FORBIDDEN"), (400, "UNAUTHORIZED"), (400, "FORBIDDEN")];
    for (status, code) in answers.into_iter().chain([(401, "Unauthorized"), (403, "ACCESS_DENIED")]) {
        let bridge = start("").await;
        books(&bridge, |books| {
            books.switches.wrong_key = Some((status, code));
            books.key = "another-key".to_owned();
        });
        booked(&bridge).await;
        pass(&bridge, 2, Millis::seconds(30)).await;
        let all = bridge.get("backends").await.expect(200).json();
        let ours = all["items"].as_array().expect("back-ends").iter().find(|one| one["id"] == "ventrata");
        assert_eq!(ours.expect("ours")["state"], json!("paused"), "{status} {code}");
        assert_ne!(state(&bridge).await, TicketingState::Failed, "{status} {code}");
    }
}

/// What cannot be seen from answers has a setting.
#[tokio::test]
async fn an_older_server_cancels_by_delete_where_the_settings_say_so() {
    let bridge = start("cancel_style = \"delete\"\nsupplier_path = \"suppliers\"\n").await;
    books(&bridge, |books| (books.switches.cancels_by_delete, books.switches.older_paths) = (true, true));
    bridge.ticketed("V100", "R100").await;
    refund(&bridge).await;
    pass(&bridge, 4, Millis::seconds(20)).await;
    assert_eq!(live(&bridge, &order(&bridge).await), 0);
    let deleted = bridge.partners.sent("/octo/bookings/").into_iter().filter(|sent| sent.method == "DELETE").count();
    assert_eq!(deleted, 1);
}
