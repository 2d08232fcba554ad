// SPDX-License-Identifier: Apache-2.0

//! Options and start times: each is found, kept, ticketed and counted by itself; and a kept booking that is to be another visit.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::{Order, TicketingState};

use super::{OTHER, UUID, call, get, left, octo, order_of, post, refused, reservation, resold, sold, status};
use crate::support::{Reply, TestBridge, on_each_database};

const DATE: &str = "2026-12-10";
const NEXT: &str = "2026-12-11";
pub(super) const GUIDED: &str = r#"
[[booking_product]]
code = "BOAT"
name = "Boat tour"
start_times = ["10:00", "14:00"]
duration = "90m"
ticketing = { mode = "backend", backend = "gate", product = "P-7" }
guests = { who = "one", fields = ["name"] }
cancellation = { kind = "until", days_before = 0, at = "09:00" }
refund_rule  = { tiers = [{ before_visit = "0h", fee_bp = 0 }] }
calendar = [
  { from = "2026-11-01", to = "2027-03-31", start_times = ["10:00"], stock = 2, price = 3000 },
  { from = "2026-11-01", to = "2027-03-31", start_times = ["14:00"], stock = 5, price = 2500 },
]

[[booking_product]]
code = "BOAT/LUNCH"
name = "Boat tour with lunch"
start_times = ["12:00"]
ticketing = { mode = "none" }
guests = { who = "one", fields = ["name"] }
cancellation = { kind = "anytime" }
refund_rule  = { tiers = [{ before_visit = "0h", fee_bp = 0 }] }
calendar = [{ from = "2026-11-01", to = "2027-03-31", stock = 1, price = 9000 }]
"#;

pub(super) fn guided(files: &mut BTreeMap<String, String>) {
    resold(files);
    files.insert("products/guided.toml".to_owned(), GUIDED.to_owned());
}

/// A reservation of the boat.
pub(super) fn boat(uuid: &str, visit: &str, units: usize) -> Value {
    let mut wish = reservation(uuid, "BOAT", units);
    wish["availabilityId"] = json!(visit);
    wish
}
async fn patch(bridge: &TestBridge, uuid: &str, body: &Value) -> Reply {
    call(bridge, octo(Method::PATCH, &format!("bookings/{uuid}")).json(body)).await
}

/// What is left of visits: of each its id and its number.
async fn vacancies(bridge: &TestBridge, option: &str, date: &str) -> Vec<(String, Value)> {
    let asked = json!({ "productId": "BOAT", "optionId": option, "localDate": date });
    let rows = post(bridge, "availability", &asked).await.expect(200).json();
    let row = |row: &Value| (row["id"].as_str().expect("an id").to_owned(), row["vacancies"].clone());
    rows.as_array().expect("rows").iter().map(row).collect()
}
async fn boats_left(bridge: &TestBridge, date: &str) -> Vec<Value> {
    vacancies(bridge, "DEFAULT", date).await.into_iter().map(|(_, left)| left).collect()
}
pub(super) fn at(date: &str, time: &str) -> String {
    format!("{date}T{time}")
}

#[tokio::test]
async fn start_times_and_options_are_offered_kept_and_ticketed_each_by_itself() {
    on_each_database(guided, async |bridge| {
        let product = get(bridge, "products/BOAT").await.expect(200).json();
        assert_eq!(product["availabilityType"], json!("START_TIME"));
        let option = |index: usize| &product["options"][index];
        assert_eq!((&option(0)["id"], &option(1)["id"]), (&json!("DEFAULT"), &json!("LUNCH")));
        assert_eq!((&option(0)["default"], &option(1)["default"]), (&json!(true), &json!(false)));
        assert_eq!(option(0)["availabilityLocalStartTimes"], json!(["10:00", "14:00"]));
        assert_eq!(option(1)["availabilityLocalStartTimes"], json!(["12:00"]));
        assert_eq!(option(0)["pricingFrom"][0]["retail"], json!(2500));
        let all = get(bridge, "products").await.expect(200).json();
        let all: Vec<&str> = all.as_array().expect("products").iter().filter_map(|one| one["id"].as_str()).collect();
        assert_eq!(all, ["BOAT", "DAY", "LP-B1", "TOUR"], "one product, whatever its times");

        let (ten, two) = (at(DATE, "10:00"), at(DATE, "14:00"));
        let visits = vacancies(bridge, "DEFAULT", DATE).await;
        assert_eq!(visits, [(ten.clone(), json!(2)), (two.clone(), json!(5))]);
        let asked = json!({ "productId": "BOAT", "optionId": "DEFAULT", "availabilityIds": [two] });
        let row = post(bridge, "availability", &asked).await.expect(200).json();
        assert_eq!(row.as_array().map(Vec::len), Some(1), "{row}");
        assert_eq!(row[0]["localDateTimeStart"], json!("2026-12-10T14:00:00+01:00"));
        assert_eq!(row[0]["localDateTimeEnd"], json!("2026-12-10T15:30:00+01:00"));
        assert_eq!((&row[0]["allDay"], &row[0]["utcCutoffAt"]), (&json!(false), &json!("2026-12-10T13:00:00Z")));
        let asked = json!({ "productId": "BOAT", "optionId": "DEFAULT", "localDateStart": DATE, "localDateEnd": NEXT });
        let days = post(bridge, "availability/calendar", &asked).await.expect(200).json();
        assert_eq!((days.as_array().map(Vec::len), &days[0]["vacancies"]), (Some(2), &json!(7)), "a day is its times");
        assert_eq!(days[0]["unitPricingFrom"][0]["retail"], json!(2500));

        let kept = post(bridge, "bookings", &boat(UUID, &two, 2)).await.expect(200).json();
        assert_eq!((&kept["productId"], &kept["optionId"]), (&json!("BOAT"), &json!("DEFAULT")));
        assert_eq!((&kept["availabilityId"], &kept["pricing"]["retail"]), (&json!(two), &json!(5000)), "{kept}");
        assert_eq!(boats_left(bridge, DATE).await, [json!(2), json!(3)], "the other time is not touched");
        assert_eq!(left(bridge).await, json!(3));
        let booked = post(bridge, &format!("bookings/{UUID}/confirm"), &sold()).await.expect(200).json();
        assert_eq!(booked["status"], json!("CONFIRMED"), "{booked}");
        assert_eq!(booked["availability"]["localDateTimeStart"], json!("2026-12-10T14:00:00+01:00"));
        let asked = bridge.partners.sent("/bridge/reservations");
        let asked = &asked.first().expect("the back-end is asked").body;
        assert_eq!((&asked["visit_date"], &asked["visit_time"]), (&json!(DATE), &json!("14:00")), "{asked}");

        let mut lunch = boat(OTHER, &at(DATE, "12:00"), 1);
        lunch["optionId"] = json!("LUNCH");
        let kept = post(bridge, "bookings", &lunch).await.expect(200).json();
        assert_eq!((&kept["optionId"], &kept["pricing"]["retail"]), (&json!("LUNCH"), &json!(9000)));
        assert_eq!(vacancies(bridge, "LUNCH", DATE).await, [(at(DATE, "12:00"), json!(0))]);
    })
    .await;
}

#[tokio::test]
async fn what_there_is_not_is_refused_by_its_name() {
    let bridge = TestBridge::start_with(guided).await;
    // It is 02:00 in UTC, which is three in the morning in Paris.
    bridge.set_time("2026-12-10T10:00:00+01:00");
    let far = at(NEXT, "14:00");
    for (index, (field, value, code)) in [
        ("availabilityId", json!(at(NEXT, "11:00")), "INVALID_AVAILABILITY_ID"),
        ("availabilityId", json!(NEXT), "INVALID_AVAILABILITY_ID"),
        ("availabilityId", json!(at(DATE, "10:00")), "INVALID_AVAILABILITY_ID"),
        ("optionId", json!("VIP"), "INVALID_OPTION_ID"),
        ("optionId", json!("LUNCH"), "INVALID_AVAILABILITY_ID"),
        ("optionId", json!("LUNCH@12:00"), "INVALID_OPTION_ID"),
        ("productId", json!("BOAT/LUNCH"), "INVALID_PRODUCT_ID"),
        ("productId", json!("BOAT@14:00"), "INVALID_PRODUCT_ID"),
        ("productId", json!("DAY"), "INVALID_AVAILABILITY_ID"),
        ("productId", json!("FERRY"), "INVALID_PRODUCT_ID"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut wish = boat(&format!("8e8e6f2c-1111-4222-8333-4444555566{index:02}"), &far, 1);
        wish[field] = value;
        let reply = post(&bridge, "bookings", &wish).await;
        refused(&reply, code);
        let culprit = match code {
            "INVALID_AVAILABILITY_ID" => "availabilityId",
            "INVALID_OPTION_ID" => "optionId",
            _ => "productId",
        };
        assert_eq!(reply.json()[culprit], wish[culprit], "what was wrong is told again: {}", reply.text());
    }
    let rows = vacancies(&bridge, "DEFAULT", DATE).await;
    assert_eq!(rows, [(at(DATE, "10:00"), json!(0)), (at(DATE, "14:00"), json!(5))], "the boat of ten has left");
    let asked = json!({ "productId": "BOAT", "optionId": "VIP", "localDate": DATE });
    refused(&post(&bridge, "availability", &asked).await, "INVALID_OPTION_ID");
}

/// What the order behind a booking is, as far as a visit makes it.
fn visit_of(order: &Order) -> (&str, Option<String>, Option<&str>, u32, i64) {
    let booking = order.booking.as_ref().expect("a booking");
    let date = booking.visit_date.map(|date| date.to_string());
    (order.product.as_str(), date, booking.visit_time.as_deref(), order.quantity, order.money.due)
}

#[tokio::test]
async fn a_kept_booking_becomes_another_visit_and_gives_the_first_one_back() {
    on_each_database(guided, async |bridge| {
        post(bridge, "bookings", &boat(UUID, &at(DATE, "10:00"), 2)).await.expect(200);
        assert_eq!(boats_left(bridge, DATE).await, [json!(0), json!(5)]);
        // Another time.
        let moved = patch(bridge, UUID, &json!({ "availabilityId": at(DATE, "14:00") })).await.expect(200).json();
        assert_eq!((&moved["status"], &moved["availabilityId"]), (&json!("ON_HOLD"), &json!(at(DATE, "14:00"))));
        assert_eq!(
            (&moved["pricing"]["retail"], &moved["utcExpiresAt"]),
            (&json!(5000), &json!("2026-11-21T02:30:00Z"))
        );
        assert_eq!(boats_left(bridge, DATE).await, [json!(2), json!(3)]);
        // Another day, and one unit more; the first two are still themselves.
        let unit = |item: &Value| json!({ "unitId": "unit", "uuid": item["uuid"] });
        let units = [unit(&moved["unitItems"][1]), unit(&moved["unitItems"][0]), json!({ "unitId": "unit" })];
        let wish = json!({ "availabilityId": at(NEXT, "14:00"), "unitItems": units });
        let more = patch(bridge, UUID, &wish).await.expect(200).json();
        assert_eq!(more["pricing"]["retail"], json!(7500));
        for place in 0..2 {
            assert_eq!(more["unitItems"][place]["uuid"], moved["unitItems"][place]["uuid"], "{more}");
        }
        assert_eq!(
            (boats_left(bridge, DATE).await, boats_left(bridge, NEXT).await),
            (vec![json!(2), json!(5)], vec![json!(2), json!(2)])
        );
        // Fewer units on the same day.
        let wish = json!({ "unitItems": [unit(&more["unitItems"][2])] });
        let fewer = patch(bridge, UUID, &wish).await.expect(200).json();
        assert_eq!(fewer["unitItems"].as_array().map(Vec::len), Some(1));
        assert_eq!(fewer["unitItems"][0]["uuid"], more["unitItems"][2]["uuid"]);
        assert_eq!(boats_left(bridge, NEXT).await, [json!(2), json!(4)]);
        // Another option, with rules of its own; and at last another product.
        let wish = json!({ "optionId": "LUNCH", "availabilityId": at(NEXT, "12:00") });
        let lunch = patch(bridge, UUID, &wish).await.expect(200).json();
        assert_eq!((&lunch["optionId"], &lunch["pricing"]["retail"]), (&json!("LUNCH"), &json!(9000)));
        assert_eq!(order_of(bridge, UUID).await.booking.expect("a booking").ticketing.state, TicketingState::NotNeeded);
        assert_eq!(boats_left(bridge, NEXT).await, [json!(2), json!(5)]);
        let day = json!({ "productId": "DAY", "availabilityId": DATE });
        let day = patch(bridge, UUID, &day).await.expect(200).json();
        assert_eq!((&day["productId"], &day["optionId"]), (&json!("DAY"), &json!("DEFAULT")));
        assert_eq!(vacancies(bridge, "LUNCH", NEXT).await, [(at(NEXT, "12:00"), json!(1))]);
        assert_eq!(left(bridge).await, json!(2));
        let order = order_of(bridge, UUID).await;
        assert_eq!(visit_of(&order), ("DAY", Some(DATE.to_owned()), None, 1, 5000));
        assert_eq!(order.booking.expect("a booking").ticketing.state, TicketingState::Queued);

        // It is sold as what it has become, and given back as that.
        let booked = post(bridge, &format!("bookings/{UUID}/confirm"), &sold()).await.expect(200).json();
        assert_eq!(booked["status"], json!("CONFIRMED"), "{booked}");
        assert_eq!(order_of(bridge, UUID).await.money.received(), 5000);
        for other in
            [json!({ "availabilityId": NEXT }), json!({ "unitItems": [{ "unitId": "unit" }, { "unitId": "unit" }] })]
        {
            refused(&patch(bridge, UUID, &other).await, "UNPROCESSABLE_ENTITY");
        }
        post(bridge, &format!("bookings/{UUID}/cancel"), &json!({})).await.expect(200);
        assert_eq!((left(bridge).await, status(bridge, UUID).await), (json!(3), "CANCELLED".to_owned()));
        let history = bridge.get(&format!("orders/acme:{UUID}/events")).await.expect(200).json();
        let moves = history["items"].as_array().expect("events").iter().filter(|one| one["kind"] == "hold_moved");
        assert_eq!(moves.count(), 5, "{history}");
    })
    .await;
}

#[tokio::test]
async fn a_visit_that_cannot_be_had_leaves_the_kept_one_as_it_is() {
    on_each_database(guided, async |bridge| {
        let ten = at(DATE, "10:00");
        post(bridge, "bookings", &boat(UUID, &at(DATE, "14:00"), 1)).await.expect(200);
        post(bridge, "bookings", &boat(OTHER, &ten, 2)).await.expect(200);
        let before = get(bridge, &format!("bookings/{UUID}")).await.json();
        let units = |count: usize| json!((0..count).map(|_| json!({ "unitId": "unit" })).collect::<Vec<_>>());
        for (wish, code) in [
            (json!({ "availabilityId": ten }), "UNPROCESSABLE_ENTITY"),
            (json!({ "unitItems": units(6) }), "UNPROCESSABLE_ENTITY"),
            (json!({ "unitItems": [] }), "UNPROCESSABLE_ENTITY"),
            (json!({ "availabilityId": at(DATE, "11:00") }), "INVALID_AVAILABILITY_ID"),
            (json!({ "availabilityId": at("2027-06-01", "14:00") }), "INVALID_AVAILABILITY_ID"),
            (json!({ "availabilityId": at("2026-11-20", "14:00") }), "INVALID_AVAILABILITY_ID"),
            (json!({ "optionId": "VIP" }), "INVALID_OPTION_ID"),
            (json!({ "productId": "FERRY" }), "INVALID_PRODUCT_ID"),
            (json!({ "unitItems": [{ "unitId": "child" }] }), "INVALID_UNIT_ID"),
        ] {
            refused(&patch(bridge, UUID, &wish).await, code);
        }
        assert_eq!(get(bridge, &format!("bookings/{UUID}")).await.json(), before);
        assert_eq!(boats_left(bridge, DATE).await, [json!(0), json!(4)]);
        // All of a day's places, one of which is its own.
        patch(bridge, UUID, &json!({ "unitItems": units(5) })).await.expect(200);
        assert_eq!(boats_left(bridge, DATE).await, [json!(0), json!(0)]);
        bridge.advance(Millis::minutes(31));
        refused(&patch(bridge, UUID, &json!({ "availabilityId": at(NEXT, "14:00") })).await, "INVALID_BOOKING_UUID");
        bridge.drain().await;
        assert_eq!(boats_left(bridge, DATE).await, [json!(2), json!(5)], "what nobody confirmed is free again");
    })
    .await;
}

/// The last places of a time go to one of many that move there, and nobody loses the place that he has.
#[tokio::test]
async fn many_that_move_to_the_last_places_keep_one_place_each() {
    on_each_database(guided, async |bridge| {
        let uuid = |index: usize| format!("9d7d6f2c-1111-4222-8333-4444555566{index:02}");
        for index in 0..5 {
            post(bridge, "bookings", &boat(&uuid(index), &at(DATE, "14:00"), 1)).await.expect(200);
        }
        let wish = json!({ "availabilityId": at(DATE, "10:00") });
        let asked =
            (0..5).map(|index| bridge.ask(octo(Method::PATCH, &format!("bookings/{}", uuid(index))).json(&wish)));
        let replies = futures_util::future::join_all(asked).await;
        assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 2, "two places");
        for reply in replies.iter().filter(|reply| reply.status != 200) {
            refused(reply, "UNPROCESSABLE_ENTITY");
        }
        assert_eq!(boats_left(bridge, DATE).await, [json!(0), json!(2)]);
    })
    .await;
}

/// Limits of a phone follow the visit: what was left behind counts no more.
#[tokio::test]
async fn what_a_phone_has_reserved_is_counted_where_it_is_now() {
    let bridge = TestBridge::start_with(|files| {
        guided(files);
        let boats = files.get_mut("products/guided.toml").expect("the boats");
        *boats = boats.replacen("duration = \"90m\"", "duration = \"90m\"\nlimits = { per_phone = 4 }", 1);
    })
    .await;
    let with_phone = |uuid: &str, time: &str, units: usize| {
        let mut wish = boat(uuid, &at(DATE, time), units);
        wish["contact"] = json!({ "fullName": "Ada Guest", "phoneNumber": "13800000100" });
        wish
    };
    let mut sale = sold();
    sale["contact"]["phoneNumber"] = json!("13800000100");
    post(&bridge, "bookings", &with_phone(UUID, "14:00", 3)).await.expect(200);
    let units = json!([{ "unitId": "unit" }, { "unitId": "unit" }]);
    let wish = json!({ "availabilityId": at(DATE, "10:00"), "unitItems": units });
    patch(&bridge, UUID, &wish).await.expect(200);
    post(&bridge, &format!("bookings/{UUID}/confirm"), &sale).await.expect(200);
    post(&bridge, "bookings", &with_phone(OTHER, "14:00", 4)).await.expect(200);
    post(&bridge, &format!("bookings/{OTHER}/confirm"), &sale).await.expect(200);
}

#[tokio::test]
async fn a_confirmation_may_name_more_units_or_fewer_and_is_charged_for_those() {
    let bridge = TestBridge::start_with(guided).await;
    for (uuid, reserved, named, left) in [(UUID, 2, 3, 2), (OTHER, 2, 1, 1)] {
        post(&bridge, "bookings", &boat(uuid, &at(DATE, "14:00"), reserved)).await.expect(200);
        let mut sale = sold();
        sale["unitItems"] = (0..named).map(|_| json!({ "unitId": "unit" })).collect();
        let confirm = format!("bookings/{uuid}/confirm");
        let booked = post(&bridge, &confirm, &sale).await.expect(200).json();
        assert_eq!(booked["unitItems"].as_array().map(Vec::len), Some(named), "{booked}");
        assert_eq!(order_of(&bridge, uuid).await.money.received(), 2500 * i64::try_from(named).expect("a few"));
        assert_eq!(boats_left(&bridge, DATE).await, [json!(2), json!(left)]);
        assert_eq!(post(&bridge, &confirm, &sale).await.expect(200).json()["uuid"], json!(uuid), "a repeat");
        sale["unitItems"] = (0..=named).map(|_| json!({ "unitId": "unit" })).collect();
        refused(&post(&bridge, &confirm, &sale).await, "INVALID_BOOKING_UUID");
    }
    let mut sale = sold();
    let third = "9f9f6f2c-1111-4222-8333-444455556666";
    post(&bridge, "bookings", &boat(third, &at(DATE, "14:00"), 1)).await.expect(200);
    sale["unitItems"] = (0..9).map(|_| json!({ "unitId": "unit" })).collect();
    refused(&post(&bridge, &format!("bookings/{third}/confirm"), &sale).await, "UNPROCESSABLE_ENTITY");
    assert_eq!(status(&bridge, third).await, "ON_HOLD");
}

/// The back-end `octo` is asked for the time that was sold, without a word about it in the product's file.
#[tokio::test]
async fn a_back_end_that_speaks_octo_books_the_start_time_that_was_sold() {
    let bridge = TestBridge::start_with(|files| {
        guided(files);
        files.insert("backends/ventrata.toml".to_owned(), crate::octo::BACKEND.to_owned());
        let boats = files.get_mut("products/guided.toml").expect("the boats");
        *boats = boats.replace(r#"backend = "gate", product = "P-7""#, r#"backend = "ventrata", product = "BOAT""#);
    })
    .await;
    crate::octo::books(&bridge, |_| ());
    for (uuid, time) in [(UUID, "14:00"), (OTHER, "10:00")] {
        post(&bridge, "bookings", &boat(uuid, &at(DATE, time), 1)).await.expect(200);
        let booked = post(&bridge, &format!("bookings/{uuid}/confirm"), &sold()).await.expect(200).json();
        assert!(booked["unitItems"][0]["ticket"].is_object(), "{booked}");
        let asked = bridge.partners.sent("/octo/bookings");
        let asked = asked.iter().rfind(|sent| sent.url.ends_with("/bookings")).expect("a reservation");
        let slot = asked.body["availabilityId"].as_str().expect("a slot").to_owned();
        assert!(slot.contains(&time.replace(':', "")), "{time}: {slot}");
    }
}

/// A place that the back-end keeps too cannot be moved there.
#[tokio::test]
async fn what_a_back_end_keeps_as_well_is_reserved_anew() {
    let bridge = TestBridge::start_with(|files| {
        guided(files);
        files.insert("backends/ventrata.toml".to_owned(), format!("{}hold_at = \"booking\"\n", crate::octo::BACKEND));
        let boats = files.get_mut("products/guided.toml").expect("the boats");
        *boats = boats.replace(r#"backend = "gate", product = "P-7""#, r#"backend = "ventrata", product = "BOAT""#);
    })
    .await;
    crate::octo::books(&bridge, |_| ());
    post(&bridge, "bookings", &boat(UUID, &at(DATE, "14:00"), 1)).await.expect(200);
    refused(&patch(&bridge, UUID, &json!({ "availabilityId": at(DATE, "10:00") })).await, "UNPROCESSABLE_ENTITY");
    post(&bridge, "bookings", &reservation(OTHER, "DAY", 1)).await.expect(200);
    let wish = json!({ "productId": "BOAT", "availabilityId": at(DATE, "10:00") });
    refused(&patch(&bridge, OTHER, &wish).await, "UNPROCESSABLE_ENTITY");
    assert_eq!((boats_left(&bridge, DATE).await, left(&bridge).await), (vec![json!(2), json!(4)], json!(2)));
}

/// However a place ends that was only kept: what the back-end keeps for it is given back there.
#[tokio::test]
async fn what_a_reseller_lets_go_is_given_back_to_the_back_end_as_well() {
    for how in ["the reseller cancels", "its time is over", "ops cancel it"] {
        let bridge = TestBridge::start_with(|files| {
            guided(files);
            let backend = format!("{}hold_at = \"booking\"\n", crate::octo::BACKEND);
            files.insert("backends/ventrata.toml".to_owned(), backend);
            let boats = files.get_mut("products/guided.toml").expect("the boats");
            *boats = boats.replace(r#"backend = "gate", product = "P-7""#, r#"backend = "ventrata", product = "BOAT""#);
        })
        .await;
        crate::octo::books(&bridge, |_| ());
        let kept = || {
            crate::octo::books(&bridge, |books| books.all().filter(|(_, booked)| booked.status.takes_place()).count())
        };
        post(&bridge, "bookings", &boat(UUID, &at(DATE, "14:00"), 1)).await.expect(200);
        assert_eq!(kept(), 1, "{how}");
        match how {
            "the reseller cancels" => {
                post(&bridge, &format!("bookings/{UUID}/cancel"), &json!({})).await.expect(200);
            }
            "its time is over" => bridge.advance(ticketbridge_core::Millis::hours(3)),
            _ => {
                let orders = bridge.get("orders?channel=acme").await.expect(200).json();
                let id = orders["items"][0]["id"].as_str().expect("an order").to_owned();
                bridge.post(&format!("orders/{id}/cancel"), &json!({ "reason": "closed" })).await.expect(200);
            }
        }
        bridge.drain().await;
        assert_eq!(kept(), 0, "{how}");
        // And the place is free for somebody else.
        post(&bridge, "bookings", &boat(OTHER, &at(DATE, "14:00"), 1)).await.expect(200);
        assert_eq!(kept(), 1, "{how}");
        crate::support::leaves_work();
    }
}
