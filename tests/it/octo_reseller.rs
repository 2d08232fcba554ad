// SPDX-License-Identifier: Apache-2.0

//! Resellers that speak OCTO, with us as their supplier: what is kept, sold, cancelled and shown, on every database.

mod client;
mod visits;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::{CancelReason, OrderState, TicketingState};

use crate::support::partners::Outcome;
use crate::support::{Ask, Reply, TestBridge, on_each_database};

pub(crate) const KEY: &str = "the-key-of-acme-travel";
pub(crate) const CHANNEL: &str = r#"
id = "acme"
adapter = "octo_reseller"
[settings]
keys      = [{ env = "RESELLER_KEY" }]
endpoint  = "http://127.0.0.1:8080/octo"
supplier  = { id = "lakeside", name = "Lakeside Park", email = "desk@lakeside.example" }
currency  = "EUR"
time_zone = "Europe/Paris"
"#;
pub(crate) const PRODUCTS: &str = r#"
[[booking_product]]
code = "DAY"
name = "Lakeside Park, a day"
ticketing = { mode = "backend", backend = "gate", product = "P-1" }
guests = { who = "one", fields = ["name"] }
cancellation = { kind = "until", days_before = 1, at = "18:00" }
refund_rule  = { tiers = [{ before_visit = "96h", fee_bp = 0 }, { before_visit = "0h", fee_bp = 2000 }] }
calendar = [{ from = "2026-11-01", to = "2027-03-31", stock = 3, price = 5000 }]

[[booking_product]]
code = "TOUR"
name = "Lakeside Park, a tour"
confirm = "manual"
ticketing = { mode = "none" }
guests = { who = "each", fields = ["name"] }
cancellation = { kind = "never" }
calendar = [{ from = "2026-11-01", to = "2027-03-31", price = 2500 }]
"#;
pub(crate) const UUID: &str = "7d7d6f2c-1111-4222-8333-444455556666";
const OTHER: &str = "8e8e6f2c-1111-4222-8333-444455556666";
const DATE: &str = "2026-12-10";

pub(crate) fn resold(files: &mut BTreeMap<String, String>) {
    files.insert("channels/acme.toml".to_owned(), CHANNEL.to_owned());
    files.insert("products/resold.toml".to_owned(), PRODUCTS.to_owned());
}

fn octo(method: Method, path: &str) -> Ask {
    Ask::new(method, format!("/octo/{path}")).token(KEY).header("octo-capabilities", "octo/pricing")
}

/// A call, while the worker runs: what a back-end says at once is in the answer.
pub(crate) async fn call(bridge: &TestBridge, ask: Ask) -> Reply {
    let answered = AtomicBool::new(false);
    let asked = async {
        let reply = bridge.ask(ask).await;
        answered.store(true, Ordering::Release);
        reply
    };
    let work = async {
        while !answered.load(Ordering::Acquire) {
            bridge.drain().await;
            tokio::task::yield_now().await;
        }
    };
    let (reply, ()) = tokio::join!(asked, work);
    reply
}

async fn post(bridge: &TestBridge, path: &str, body: &Value) -> Reply {
    call(bridge, octo(Method::POST, path).json(body)).await
}
async fn get(bridge: &TestBridge, path: &str) -> Reply {
    call(bridge, octo(Method::GET, path)).await
}
async fn status(bridge: &TestBridge, uuid: &str) -> String {
    let read = get(bridge, &format!("bookings/{uuid}")).await.expect(200).json();
    read["status"].as_str().expect("a status").to_owned()
}

pub(crate) fn reservation(uuid: &str, product: &str, units: usize) -> Value {
    let items: Vec<Value> = (0..units).map(|_| json!({ "unitId": "unit" })).collect();
    json!({ "uuid": uuid, "productId": product, "optionId": "DEFAULT", "availabilityId": DATE, "unitItems": items,
        "resellerReference": "ACME-1" })
}
pub(crate) fn sold() -> Value {
    json!({ "contact": { "fullName": "Ada Guest", "emailAddress": "ada@guest.example" }, "emailReceipt": false })
}
async fn left(bridge: &TestBridge) -> Value {
    let asked = json!({ "productId": "DAY", "optionId": "DEFAULT", "availabilityIds": [DATE] });
    post(bridge, "availability", &asked).await.expect(200).json()[0]["vacancies"].clone()
}
/// The order behind a reseller's booking.
async fn order_of(bridge: &TestBridge, uuid: &str) -> ticketbridge_core::order::Order {
    bridge.order_of("acme", uuid).await.expect("an order")
}
#[track_caller]
fn refused(reply: &Reply, code: &str) {
    let body = reply.json();
    assert_eq!((reply.status.as_u16(), body["error"].as_str()), (400, Some(code)), "{}", reply.text());
    assert!(body["errorMessage"].as_str().is_some_and(|said| !said.is_empty()));
}

#[tokio::test]
async fn a_place_is_kept_sold_ticketed_and_cancelled_with_its_fee() {
    on_each_database(resold, async |bridge| {
        assert_eq!(left(bridge).await, json!(3));
        let kept = post(bridge, "bookings", &reservation(UUID, "DAY", 2)).await.expect(200).json();
        assert_eq!((&kept["status"], &kept["uuid"]), (&json!("ON_HOLD"), &json!(UUID)), "{kept}");
        assert_eq!(kept["utcExpiresAt"], json!("2026-11-21T02:30:00Z"), "half an hour, unless somebody says otherwise");
        assert_eq!(kept["pricing"]["retail"], json!(10_000), "our price, twice");
        assert_eq!(left(bridge).await, json!(1));
        let again = post(bridge, "bookings", &reservation(UUID, "DAY", 2)).await.expect(200).json();
        assert_eq!(again, kept, "the same reservation again is the same one");
        let other = post(bridge, "bookings", &reservation(UUID, "DAY", 1)).await;
        refused(&other, "INVALID_BOOKING_UUID");
        let full = post(bridge, "bookings", &reservation(OTHER, "DAY", 2)).await;
        refused(&full, "UNPROCESSABLE_ENTITY");

        let longer = json!({ "expirationMinutes": 60 });
        let longer = post(bridge, &format!("bookings/{UUID}/extend"), &longer).await.expect(200).json();
        assert_eq!(longer["utcExpiresAt"], json!("2026-11-21T03:00:00Z"));
        let confirm = format!("bookings/{UUID}/confirm");
        let booked = post(bridge, &confirm, &sold()).await.expect(200).json();
        assert_eq!(booked["status"], json!("CONFIRMED"), "{booked}");
        assert_eq!(booked["utcExpiresAt"], Value::Null);
        for unit in booked["unitItems"].as_array().expect("units") {
            assert!(unit["ticket"]["deliveryOptions"][0]["deliveryValue"].is_string(), "{unit}");
        }
        assert_eq!(post(bridge, &confirm, &sold()).await.expect(200).json(), booked, "a repeat is answered alike");
        let mut guests = sold();
        guests["contact"]["fullName"] = json!("Somebody Else");
        refused(&post(bridge, &confirm, &guests).await, "INVALID_BOOKING_UUID");
        assert_eq!(bridge.partners.sent("/bridge/reservations").len(), 1, "issued once");
        let order = bridge.get(&format!("orders/acme:{UUID}")).await.expect(200).json();
        assert_eq!((&order["payment"]["received"], &order["payment"]["currency"]), (&json!(10_000), &json!("EUR")));

        // Less than four days before the end of the visit day a fifth is kept.
        bridge.set_time("2026-12-08T12:00:00+01:00");
        let off =
            post(bridge, &format!("bookings/{UUID}/cancel"), &json!({ "reason": "ill" })).await.expect(200).json();
        assert_eq!((&off["status"], &off["cancellation"]["refund"]), (&json!("CANCELLED"), &json!("PARTIAL")), "{off}");
        assert!(off["unitItems"][0]["ticket"].is_null(), "what is void is not shown");
        let again = post(bridge, &format!("bookings/{UUID}/cancel"), &json!({})).await.expect(200).json();
        assert_eq!(again["status"], json!("CANCELLED"));
        let order = order_of(bridge, UUID).await;
        assert_eq!((order.money.refunded(), order.money.fee()), (8_000, 2_000));
        assert_eq!(order.booking.expect("a booking").ticketing.state, TicketingState::Cancelled);
        assert_eq!(left(bridge).await, json!(3), "the place is sold again");
        bridge.drain().await;
        let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
        assert_eq!(dead["items"], json!([]), "nobody is told, and nothing waits to be told");
    })
    .await;
}

#[tokio::test]
async fn a_reservation_that_is_refused_holds_no_credit_and_leaves_no_order() {
    let on_credit = |files: &mut BTreeMap<String, String>| {
        resold(files);
        let channel = CHANNEL.replace("[settings]", "[settings]\ncredit_account = \"purse\"");
        files.insert("channels/acme.toml".to_owned(), channel);
        let account = "\n[[credit_account]]\nid = \"purse\"\ncurrency = \"EUR\"\nlimit = 20000\n";
        files.entry("credit.toml".to_owned()).or_default().push_str(account);
    };
    on_each_database(on_credit, async |bridge| {
        let held = async || bridge.get("credit/purse").await.expect(200).json()["held"].clone();
        post(bridge, "bookings", &reservation(UUID, "DAY", 2)).await.expect(200);
        assert_eq!(held().await, json!(10_000));
        let on = |date: &str, units: usize| {
            let mut asked = reservation(OTHER, "DAY", units);
            asked["availabilityId"] = json!(date);
            asked
        };
        for asked in [on(DATE, 2), on(DATE, 9), on("2026-11-02", 1), on("2027-06-01", 1)] {
            for _ in 0..2 {
                let reply = post(bridge, "bookings", &asked).await;
                assert_eq!(reply.status.as_u16(), 400, "{}", reply.text());
            }
            assert_eq!(held().await, json!(10_000), "{asked}");
            assert!(bridge.order_of("acme", OTHER).await.is_none(), "{asked}");
        }
        let orders = bridge.get("orders?channel=acme").await.expect(200).json();
        assert_eq!(orders["items"].as_array().map(Vec::len), Some(1), "{orders}");
        let kept = reservation("9f9f6f2c-1111-4222-8333-444455556666", "DAY", 1);
        post(bridge, "bookings", &kept).await.expect(200);
        assert_eq!(held().await, json!(15_000));
    })
    .await;
}

#[tokio::test]
async fn reselling_everything_beside_a_channel_of_another_currency_is_warned_of() {
    for (products, warned) in [("", true), ("products = [\"DAY\"]\n", false)] {
        let bridge = TestBridge::start_with(|files| {
            resold(files);
            files.insert("channels/acme.toml".to_owned(), format!("{CHANNEL}{products}"));
        })
        .await;
        let report = ticketbridge::config::check::report_in(&bridge.config_directory(), &crate::support::environment());
        let warns = report.warnings().any(|warning| warning.problem.contains("resold at its number in EUR"));
        assert_eq!(warns, warned, "{report}");
    }
}

#[tokio::test]
async fn what_is_not_confirmed_in_time_is_given_up() {
    on_each_database(resold, async |bridge| {
        post(bridge, "bookings", &reservation(UUID, "DAY", 3)).await.expect(200);
        bridge.advance(Millis::minutes(30));
        // Exact, whether or not the deadline was carried out yet.
        let late = bridge.ask(octo(Method::POST, &format!("bookings/{UUID}/confirm")).json(&sold())).await;
        refused(&late, "INVALID_BOOKING_UUID");
        bridge.drain().await;
        assert_eq!(status(bridge, UUID).await, "EXPIRED");
        assert_eq!(left(bridge).await, json!(3));
        assert_eq!(order_of(bridge, UUID).await.cancel_reason, Some(CancelReason::Expired));
        refused(&post(bridge, &format!("bookings/{UUID}/extend"), &json!({})).await, "INVALID_BOOKING_UUID");
        assert!(bridge.partners.sent("/bridge/reservations").is_empty());
        // A new one, and let go at once.
        post(bridge, "bookings", &reservation(OTHER, "DAY", 1)).await.expect(200);
        let off = call(bridge, octo(Method::DELETE, &format!("bookings/{OTHER}"))).await.expect(200).json();
        assert_eq!((&off["status"], &off["cancellation"]["refund"]), (&json!("CANCELLED"), &json!("FULL")));
        assert_eq!(left(bridge).await, json!(3));
    })
    .await;
}

#[tokio::test]
async fn cancelling_waits_for_the_tickets_to_be_void_and_a_person_decides_what_the_back_end_keeps() {
    let bridge = TestBridge::start_with(resold).await;
    post(&bridge, "bookings", &reservation(UUID, "DAY", 1)).await.expect(200);
    post(&bridge, &format!("bookings/{UUID}/confirm"), &sold()).await.expect(200);
    let cancel = format!("bookings/{UUID}/cancel");
    bridge.partners.next("/cancel", Outcome::NotSent);
    let asked = bridge.ask(octo(Method::POST, &cancel).json(&json!({})));
    let time = async {
        while bridge.clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        bridge.advance(Millis::seconds(9));
    };
    let (reply, ()) = tokio::join!(asked, time);
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.headers.contains_key("retry-after"));
    assert_eq!(status(&bridge, UUID).await, "CONFIRMED", "not before its tickets are void");
    for _ in 0..4 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
    }
    assert_eq!(status(&bridge, UUID).await, "CANCELLED");

    post(&bridge, "bookings", &reservation(OTHER, "DAY", 1)).await.expect(200);
    post(&bridge, &format!("bookings/{OTHER}/confirm"), &sold()).await.expect(200);
    bridge.partners.next("/cancel", Outcome::Says(200, json!({ "state": "refused", "reason": "closed" })));
    let kept = post(&bridge, &format!("bookings/{OTHER}/cancel"), &json!({})).await;
    refused(&kept, "UNPROCESSABLE_ENTITY");
    let read = get(&bridge, &format!("bookings/{OTHER}")).await.json();
    assert_eq!((&read["status"], &read["cancellable"]), (&json!("CONFIRMED"), &json!(false)));
    assert_eq!(order_of(&bridge, OTHER).await.state, OrderState::Booked);
}

#[tokio::test]
async fn a_cancellation_while_the_tickets_are_made_is_to_come_again_and_no_refusal() {
    let bridge = TestBridge::start_with(resold).await;
    post(&bridge, "bookings", &reservation(UUID, "DAY", 1)).await.expect(200);
    bridge.partners.next("/bridge/reservations", Outcome::Says(200, json!({ "state": "pending" })));
    let confirm = bridge.ask(octo(Method::POST, &format!("bookings/{UUID}/confirm")).json(&sold()));
    let (reply, ()) = tokio::join!(confirm, waits(&bridge));
    reply.expect(200);
    let read = get(&bridge, &format!("bookings/{UUID}")).await.json();
    assert_eq!((&read["status"], &read["cancellable"]), (&json!("CONFIRMED"), &json!(true)));
    let cancel = format!("bookings/{UUID}/cancel");
    let waiting = post(&bridge, &cancel, &json!({})).await;
    assert_eq!(waiting.status, 503, "{}", waiting.text());
    assert!(waiting.headers.contains_key("retry-after"));
    let booking = order_of(&bridge, UUID).await.booking.expect("a booking").id;
    let made =
        json!({ "type": "reservation.issued", "reservation_id": booking, "data": { "tickets": [{ "code": "A-1" }] } });
    bridge.backend_event("gate", "g1", &made).await.expect(200);
    let off = post(&bridge, &cancel, &json!({ "reason": "rain" })).await.expect(200).json();
    assert_eq!((&off["status"], &off["cancellation"]["reason"]), (&json!("CANCELLED"), &json!("rain")));
}

/// Whoever waits for tickets is answered when its time is over.
async fn waits(bridge: &TestBridge) {
    bridge.drain().await;
    while bridge.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    bridge.drain().await;
    bridge.advance(Millis::seconds(9));
}

#[tokio::test]
async fn a_manager_accepts_where_the_product_wants_it_and_every_guest_is_named() {
    let bridge = TestBridge::start_with(resold).await;
    post(&bridge, "bookings", &reservation(UUID, "TOUR", 2)).await.expect(200);
    let confirm = format!("bookings/{UUID}/confirm");
    refused(&post(&bridge, &confirm, &sold()).await, "BAD_REQUEST");
    let guest = |name: &str| json!({ "unitId": "unit", "contact": { "firstName": name, "lastName": "Guest" } });
    let mut named = sold();
    named["unitItems"] = json!([guest("Ada"), guest("Eve")]);
    let waits = post(&bridge, &confirm, &named).await.expect(200).json();
    assert_eq!((&waits["status"], &waits["utcExpiresAt"]), (&json!("PENDING"), &Value::Null));
    assert_eq!(waits["unitItems"][1]["contact"]["fullName"], json!("Eve Guest"));
    bridge.advance(Millis::hours(2));
    bridge.drain().await;
    assert_eq!(status(&bridge, UUID).await, "PENDING", "the time of the hold is over, and it is no hold any more");
    bridge.post(&format!("orders/acme:{UUID}/confirm"), &json!({})).await.expect(200);
    let read = get(&bridge, &format!("bookings/{UUID}")).await.json();
    assert_eq!((&read["status"], &read["cancellable"]), (&json!("CONFIRMED"), &json!(false)));
    refused(&post(&bridge, &format!("bookings/{UUID}/cancel"), &json!({})).await, "UNPROCESSABLE_ENTITY");

    post(&bridge, "bookings", &reservation(OTHER, "TOUR", 1)).await.expect(200);
    named["unitItems"] = json!([guest("Ada")]);
    post(&bridge, &format!("bookings/{OTHER}/confirm"), &named).await.expect(200);
    bridge.post(&format!("orders/acme:{OTHER}/decline"), &json!({ "reason": "full" })).await.expect(200);
    assert_eq!(status(&bridge, OTHER).await, "REJECTED");
    assert_eq!(order_of(&bridge, OTHER).await.money.received(), 0, "what is rejected was never charged");
}

/// The fields of an extension are told to whoever asked for it; a client that knows none of them reads every answer.
#[tokio::test]
async fn prices_are_told_to_whoever_asks_for_them() {
    let bridge = TestBridge::start_with(resold).await;
    let calls = [
        (Method::GET, "products".to_owned(), Value::Null),
        (
            Method::POST,
            "availability".to_owned(),
            json!({ "productId": "TOUR", "optionId": "DEFAULT",
            "localDateStart": DATE, "localDateEnd": DATE, "units": [{ "id": "unit", "quantity": 1 }] }),
        ),
        (Method::POST, "bookings".to_owned(), reservation(UUID, "TOUR", 1)),
        (Method::GET, format!("bookings/{UUID}"), Value::Null),
    ];
    for (method, path, body) in calls {
        let ask = || {
            let ask = Ask::new(method.clone(), format!("/octo/{path}")).token(KEY);
            if body.is_null() { ask } else { ask.json(&body) }
        };
        for wanted in [None, Some(""), Some("octo/content")] {
            let mut asking = ask();
            if let Some(wanted) = wanted {
                asking = asking.header("octo-capabilities", wanted);
            }
            let reply = bridge.ask(asking).await.expect(200);
            assert_eq!(reply.headers["octo-capabilities"], "", "{path}");
            for field in ["pricing", "Pricing", "Currenc"] {
                assert!(!reply.text().contains(field), "{path}: {}", reply.text());
            }
        }
        let reply = bridge.ask(ask().header("octo-capabilities", "octo/content, octo/pricing")).await.expect(200);
        assert_eq!(reply.headers["octo-capabilities"], "octo/pricing", "{path}");
        assert!(reply.text().contains("ricing"), "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn only_the_key_opens_and_each_reseller_sees_its_own() {
    let bridge = TestBridge::start_with(|files| {
        resold(files);
        let second = CHANNEL.replace("\"acme\"", "\"bolt\"").replace("RESELLER_KEY", "OTHER_RESELLER_KEY");
        files.insert("channels/bolt.toml".to_owned(), second);
    })
    .await;
    let none = bridge.ask(Ask::new(Method::GET, "/octo/supplier")).await;
    assert_eq!((none.status.as_u16(), &none.json()["error"]), (401, &json!("UNAUTHORIZED")));
    let wrong = bridge.ask(Ask::new(Method::GET, "/octo/supplier").token("the-key-of-acme-trave")).await;
    assert_eq!((wrong.status.as_u16(), &wrong.json()["error"]), (403, &json!("FORBIDDEN")));
    let right = get(&bridge, "supplier").await.expect(200);
    assert_eq!(right.headers["octo-capabilities"], "octo/pricing");
    assert_eq!(right.json()["id"], json!("lakeside"));
    let nowhere = get(&bridge, "vouchers").await;
    assert_eq!((nowhere.status.as_u16(), &nowhere.json()["error"]), (404, &json!("NOT_FOUND")));

    post(&bridge, "bookings", &reservation(UUID, "DAY", 1)).await.expect(200);
    let foreign = Ask::new(Method::GET, format!("/octo/bookings/{UUID}")).token("the-key-of-bolt-travel");
    refused(&bridge.ask(foreign).await, "INVALID_BOOKING_UUID");
    refused(&get(&bridge, "bookings/none").await, "INVALID_BOOKING_UUID");
    refused(&get(&bridge, "products/none").await, "INVALID_PRODUCT_ID");
    let shown = get(&bridge, "products").await.expect(200).json();
    let shown: Vec<&str> = shown.as_array().expect("products").iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(shown, ["DAY", "LP-B1", "TOUR"], "what needs documents is not sold this way");
    for (index, (field, value, code)) in [
        ("productId", json!("LP-B2"), "INVALID_PRODUCT_ID"),
        ("optionId", json!("VIP"), "INVALID_OPTION_ID"),
        ("availabilityId", json!("2026-11-20"), "INVALID_AVAILABILITY_ID"),
        ("availabilityId", json!("tomorrow"), "INVALID_AVAILABILITY_ID"),
        ("unitItems", json!([]), "UNPROCESSABLE_ENTITY"),
        ("unitItems", json!([{ "unitId": "child" }]), "INVALID_UNIT_ID"),
        ("uuid", json!("none"), "INVALID_BOOKING_UUID"),
        ("currency", json!("USD"), "BAD_REQUEST"),
        ("expirationMinutes", json!(0), "BAD_REQUEST"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut wish = reservation(&format!("8e8e6f2c-1111-4222-8333-4444555566{index:02}"), "DAY", 1);
        wish[field] = value;
        refused(&post(&bridge, "bookings", &wish).await, code);
    }
    refused(&call(&bridge, octo(Method::POST, "bookings").body("no JSON")).await, "BAD_REQUEST");
}

#[tokio::test]
async fn the_last_place_goes_to_one_of_many() {
    on_each_database(resold, async |bridge| {
        let uuid = |index: usize| format!("9d7d6f2c-1111-4222-8333-4444555566{index:02}");
        let asked =
            (0..12).map(|index| bridge.ask(octo(Method::POST, "bookings").json(&reservation(&uuid(index), "DAY", 1))));
        let replies = futures_util::future::join_all(asked).await;
        let kept = replies.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(kept, 3, "three places are three reservations");
        for reply in replies.iter().filter(|reply| reply.status != 200) {
            refused(reply, "UNPROCESSABLE_ENTITY");
        }
    })
    .await;
}

#[tokio::test]
async fn every_answer_may_be_lost_and_a_repeat_finds_what_was_done() {
    let bridge = TestBridge::start_with(resold).await;
    for (step, body) in [
        ("bookings".to_owned(), reservation(UUID, "DAY", 2)),
        (format!("bookings/{UUID}/confirm"), sold()),
        (format!("bookings/{UUID}/cancel"), json!({})),
    ] {
        let ask = || octo(Method::POST, &step).json(&body);
        // Two at the same moment, and one more: as if the answers to the first had been lost.
        let (first, second) = tokio::join!(call(&bridge, ask()), call(&bridge, ask()));
        let third = call(&bridge, ask()).await.expect(200).json();
        for reply in [first, second] {
            assert_eq!(reply.expect(200).json()["status"], third["status"], "{step}");
        }
    }
    assert_eq!(
        bridge.partners.sent("/bridge/reservations").iter().filter(|sent| sent.url.ends_with("/reservations")).count(),
        1
    );
    assert_eq!(left(&bridge).await, json!(3));
    let order = order_of(&bridge, UUID).await;
    assert_eq!((order.money.received(), order.money.refunded()), (10_000, 10_000));
}

async fn listed(bridge: &TestBridge, filter: &str) -> Vec<String> {
    let all = get(bridge, &format!("bookings?{filter}")).await.expect(200).json();
    let number = |one: &Value| one["uuid"].as_str().expect("a uuid").to_owned();
    all.as_array().expect("a list").iter().map(number).collect()
}

#[tokio::test]
async fn bookings_are_listed_by_name_number_and_day() {
    on_each_database(resold, async |bridge| {
        let third = "9f9f6f2c-1111-4222-8333-444455556666";
        for (uuid, day, reference) in
            [(UUID, "2026-12-10", "ACME-1"), (OTHER, "2026-12-12", "ACME-1"), (third, "2026-12-12", "ACME-2")]
        {
            let mut wish = reservation(uuid, "DAY", 1);
            wish["availabilityId"] = json!(day);
            wish["resellerReference"] = json!(reference);
            post(bridge, "bookings", &wish).await.expect(200);
        }
        assert_eq!(listed(bridge, "resellerReference=ACME-1").await, [UUID, OTHER]);
        assert_eq!(listed(bridge, "resellerReference=ACME-3").await, [""; 0]);
        assert_eq!(listed(bridge, "localDate=2026-12-12").await, [OTHER, third]);
        assert_eq!(listed(bridge, "localDateStart=2026-12-01&localDateEnd=2026-12-31").await, [UUID, OTHER, third]);
        assert_eq!(listed(bridge, "localDate=2026-12-12&resellerReference=ACME-1").await, [OTHER]);
        let read = get(bridge, &format!("bookings/{third}")).await.json();
        let number = read["supplierReference"].as_str().expect("a number");
        assert_eq!(listed(bridge, &format!("supplierReference={number}")).await, [third]);
        // Another name takes the place of the first.
        let renamed = octo(Method::PATCH, &format!("bookings/{third}")).json(&json!({ "resellerReference": "ACME-1" }));
        call(bridge, renamed).await.expect(200);
        assert_eq!(listed(bridge, "resellerReference=ACME-1").await, [UUID, OTHER, third]);
        assert_eq!(listed(bridge, "resellerReference=ACME-2").await, [""; 0]);
        for filter in
            ["", "localDate=tomorrow", "localDateStart=2026-12-01", "localDateStart=2026-12-01&localDateEnd=2027-12-01"]
        {
            refused(&get(bridge, &format!("bookings?{filter}")).await, "BAD_REQUEST");
        }
    })
    .await;
}

/// The guest is forgotten; what the reseller calls the booking is its own.
#[tokio::test]
async fn a_booking_whose_guest_was_forgotten_is_still_found_by_its_name() {
    on_each_database(resold, async |bridge| {
        post(bridge, "bookings", &reservation(UUID, "DAY", 1)).await.expect(200);
        let mut sold = sold();
        sold["contact"]["phoneNumber"] = json!("13800000100");
        post(bridge, &format!("bookings/{UUID}/confirm"), &sold).await.expect(200);
        post(bridge, &format!("bookings/{UUID}/cancel"), &json!({})).await.expect(200);
        bridge.drain().await;
        let wish = json!({ "phone": "13800000100", "reason": "he asked" });
        let done = bridge.post("guests/erase", &wish).await.expect(200).json();
        assert_eq!(done["erased"].as_array().map(Vec::len), Some(1), "{done}");
        assert_eq!(listed(bridge, "resellerReference=ACME-1").await, [UUID]);
    })
    .await;
}

#[tokio::test]
async fn a_booking_is_corrected_while_it_can_be_cancelled_and_once_sold_its_visit_stays() {
    let bridge = TestBridge::start_with(resold).await;
    let patch = async |body: Value| call(&bridge, octo(Method::PATCH, &format!("bookings/{UUID}")).json(&body)).await;
    refused(&patch(json!({ "resellerReference": "X" })).await, "INVALID_BOOKING_UUID");
    let kept = post(&bridge, "bookings", &reservation(UUID, "DAY", 2)).await.expect(200).json();
    let unit = |index: usize, name: &str| json!({ "uuid": kept["unitItems"][index]["uuid"], "unitId": "unit", "resellerReference": name });
    // By their numbers, in whatever order they are named.
    let changed = patch(json!({ "resellerReference": "ACME-7", "unitItems": [unit(1, "second"), unit(0, "first")],
        "productId": "DAY", "optionId": "DEFAULT", "availabilityId": DATE, "expirationMinutes": 60 }));
    let changed = changed.await.expect(200).json();
    assert_eq!(changed["resellerReference"], json!("ACME-7"));
    assert_eq!(changed["unitItems"][0]["resellerReference"], json!("first"), "{changed}");
    assert_eq!(changed["utcExpiresAt"], json!("2026-11-21T03:00:00Z"));
    assert_eq!(left(&bridge).await, json!(1));
    refused(&patch(json!({ "optionId": "VIP" })).await, "INVALID_OPTION_ID");
    let none = json!({ "uuid": OTHER, "unitId": "unit" });
    refused(&patch(json!({ "unitItems": [none, none] })).await, "BAD_REQUEST");
    assert_eq!(get(&bridge, &format!("bookings/{UUID}")).await.json(), changed, "what is refused changes nothing");

    post(&bridge, &format!("bookings/{UUID}/confirm"), &sold()).await.expect(200);
    let sold = patch(json!({ "contact": { "fullName": "Eve Guest" } })).await.expect(200).json();
    assert_eq!(sold["contact"]["fullName"], json!("Eve Guest"));
    assert_eq!(sold["status"], json!("CONFIRMED"));
    for other in [
        json!({ "availabilityId": "2026-12-11" }),
        json!({ "productId": "TOUR" }),
        json!({ "unitItems": [{ "unitId": "unit" }] }),
    ] {
        refused(&patch(other).await, "UNPROCESSABLE_ENTITY");
    }
    let order = order_of(&bridge, UUID).await;
    assert!(order.needs(ticketbridge_core::order::AttentionKind::Contradiction), "{:?}", order.attention);
    post(&bridge, &format!("bookings/{UUID}/cancel"), &json!({})).await.expect(200);
    refused(&patch(json!({ "resellerReference": "X" })).await, "INVALID_BOOKING_UUID");
}
