// SPDX-License-Identifier: Apache-2.0

//! The supplier does what its switches say, and its books hold against a reseller what a reseller must not do.

use serde_json::{Value, json};

use super::books::Asked;
use super::{Books, OPTION, PASS, PRODUCT, RepeatedReserve, Said, Status, UNIT};

const KEY: &str = "a-key";
const NOW: i64 = 1_795_226_400_000;
const UUID: &str = "7d7d6f2c-1111-5222-8333-444455556666";

fn call(books: &mut Books, method: &str, path: &str, body: &Value) -> Said {
    at(books, NOW, method, path, body)
}

fn at(books: &mut Books, now: i64, method: &str, path: &str, body: &Value) -> Said {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    books.call(&Asked { method, path, query, key: Some(KEY), has_capabilities: true, body }, now, false)
}

fn slot(books: &mut Books) -> String {
    let body = json!({ "productId": PRODUCT, "optionId": OPTION, "localDateStart": "2026-12-01", "localDateEnd": "2026-12-01" });
    let (_, found) = call(books, "POST", "/availability", &body);
    found[0]["id"].as_str().expect("a slot").to_owned()
}

fn reserve(slot: &str, uuid: &str, reference: &str) -> Value {
    json!({ "uuid": uuid, "productId": PRODUCT, "optionId": OPTION, "availabilityId": slot, "resellerReference": reference,
        "unitItems": [{ "uuid": format!("{uuid}-1"), "unitId": UNIT }, { "uuid": format!("{uuid}-2"), "unitId": UNIT }] })
}

fn confirm() -> Value {
    json!({ "contact": {}, "emailReceipt": false, "resellerReference": "bkg_1" })
}

/// Books with a hold in them.
fn held() -> (Books, String) {
    let mut books = Books::new(KEY);
    let slot = slot(&mut books);
    let (status, said) = call(&mut books, "POST", "/bookings", &reserve(&slot, UUID, "bkg_1"));
    assert_eq!((status, &said["status"]), (200, &json!("ON_HOLD")), "{said}");
    (books, slot)
}

fn path(step: &str) -> String {
    format!("/bookings/{UUID}{step}")
}

#[test]
fn a_hold_is_confirmed_used_and_cancelled_as_the_standard_says() {
    let (mut books, _) = held();
    let (_, sold) = call(&mut books, "POST", &path("/confirm"), &confirm());
    assert_eq!(sold["status"], "CONFIRMED");
    assert_eq!(sold["utcExpiresAt"], Value::Null);
    assert_eq!(sold["unitItems"].as_array().expect("units").len(), 2);
    assert!(
        books.made(sold["unitItems"][0]["ticket"]["deliveryOptions"][0]["deliveryValue"].as_str().expect("a code"))
    );
    let (_, cancelled) = call(&mut books, "POST", &path("/cancel"), &json!({ "reason": "no" }));
    assert_eq!((&cancelled["status"], &cancelled["cancellation"]["refund"]), (&json!("CANCELLED"), &json!("FULL")));
    assert_eq!(books.violations, Vec::<String>::new());
}

#[test]
fn every_switch_changes_what_it_says() {
    type Set = fn(&mut Books);
    let rows: [(Set, &str, &str, Value, u16, &str); 12] = [
        (
            |b| b.switches.repeated_reserve = RepeatedReserve::Refused,
            "POST",
            "/bookings",
            Value::Null,
            400,
            "INVALID_BOOKING_UUID",
        ),
        (
            |b| b.switches.repeated_reserve = RepeatedReserve::Error,
            "POST",
            "/bookings",
            Value::Null,
            500,
            "INTERNAL_SERVER_ERROR",
        ),
        (|b| b.switches.unknown_booking = (404, "NOT_FOUND"), "GET", "/bookings/none", json!({}), 404, "NOT_FOUND"),
        (|b| b.key = "another".to_owned(), "GET", "/supplier", json!({}), 403, "FORBIDDEN"),
        (|b| b.switches.older_paths = true, "GET", "/supplier", json!({}), 404, "NOT_FOUND"),
        (|b| b.switches.cancels_by_delete = true, "POST", "/bookings/UUID/cancel", json!({}), 404, "NOT_FOUND"),
        (|b| b.switches.extends = false, "POST", "/bookings/UUID/extend", json!({}), 400, "UNPROCESSABLE_ENTITY"),
        (|b| b.switches.released_reads = Status::Expired, "POST", "/bookings/UUID/cancel", json!({}), 200, "EXPIRED"),
        (|b| b.switches.instant_confirmation = false, "POST", "/bookings/UUID/confirm", confirm(), 200, "PENDING"),
        (|_| (), "GET", "/bookings", json!({}), 400, "BAD_REQUEST"),
        (|_| (), "GET", "/products/none", json!({}), 400, "INVALID_PRODUCT_ID"),
        (|_| (), "GET", "/bookings/UUID", json!({}), 200, "ON_HOLD"),
    ];
    for (set, method, path, body, status, word) in rows {
        let (mut books, slot) = held();
        set(&mut books);
        let body = if body.is_null() { reserve(&slot, UUID, "bkg_1") } else { body };
        let (code, said) = call(&mut books, method, &path.replace("UUID", UUID), &body);
        let heard = said["error"].as_str().or(said["status"].as_str());
        assert_eq!((code, heard), (status, Some(word)), "{method} {path}: {said}");
    }
}

#[test]
fn a_hold_runs_out_or_seems_to_stay() {
    for (stays, late, shown, confirmed) in [
        (false, false, "EXPIRED", 400),
        (true, false, "ON_HOLD", 400),
        (false, true, "EXPIRED", 200),
        (true, true, "ON_HOLD", 200),
    ] {
        let (mut books, _) = held();
        (books.switches.hold_over_stays, books.switches.confirms_late) = (stays, late);
        let later = NOW + books.switches.hold_ms + 1;
        assert_eq!(at(&mut books, later, "GET", &path(""), &Value::Null).1["status"], shown);
        assert_eq!(at(&mut books, later, "POST", &path("/confirm"), &confirm()).0, confirmed, "{stays} {late}");
    }
}

#[test]
fn the_last_place_is_sold_once() {
    let (mut books, slot) = held();
    books.switches.capacity = 3;
    let other = "9d7d6f2c-1111-5222-8333-444455556666";
    let (status, said) = call(&mut books, "POST", "/bookings", &reserve(&slot, other, "bkg_2"));
    assert_eq!((status, &said["error"]), (400, &json!("UNPROCESSABLE_ENTITY")));
    call(&mut books, "POST", &path("/cancel"), &json!({}));
    assert_eq!(call(&mut books, "POST", "/bookings", &reserve(&slot, other, "bkg_2")).0, 200);
}

#[test]
fn an_open_dated_product_needs_no_slot() {
    let mut books = Books::new(KEY);
    let mut body = reserve("", UUID, "bkg_1");
    body["productId"] = json!(PASS);
    body.as_object_mut().expect("an object").remove("availabilityId");
    let (status, said) = call(&mut books, "POST", "/bookings", &body);
    assert_eq!((status, &said["availability"]), (200, &Value::Null), "{said}");
}

#[test]
fn a_reseller_that_misbehaves_is_found_out() {
    type Do = fn(&mut Books, &str);
    let rows: [(Do, &str); 6] = [
        (|books, slot| drop(call(books, "POST", "/bookings", &reserve(slot, "another", "bkg_1"))), "still lives"),
        (
            |books, slot| {
                let mut other = reserve(slot, UUID, "bkg_1");
                other["unitItems"] = json!([{ "uuid": "x", "unitId": UNIT }]);
                drop(call(books, "POST", "/bookings", &other));
            },
            "other content",
        ),
        (
            |books, _| drop(call(books, "POST", &path("/confirm"), &json!({ "emailReceipt": false }))),
            "without a contact",
        ),
        (|books, _| drop(call(books, "POST", &path("/confirm"), &json!({ "contact": {} }))), "left the mail"),
        (
            |books, _| {
                drop(call(books, "POST", &path("/confirm"), &confirm()));
                drop(call(books, "POST", &path("/confirm"), &confirm()));
            },
            "sent again",
        ),
        (|books, _| drop(call(books, "POST", &path("/cancel"), &json!({ "force": true }))), "forced"),
    ];
    for (misbehave, words) in rows {
        let (mut books, slot) = held();
        misbehave(&mut books, &slot);
        assert!(books.violations.iter().any(|held| held.contains(words)), "{words}: {:?}", books.violations);
    }
}
