// SPDX-License-Identifier: Apache-2.0

//! The published schemas of OCTO judge the simulated supplier and ourselves, so that neither is judged by the other alone. Run by node where
//! the package is: `TICKETBRIDGE_OCTO_TYPES` names the `node_modules` with `@octocloud/types`.

use std::ffi::OsString;
use std::path::Path;

use serde_json::{Value, json};
use ticketbridge_sandbox::octo::{Asked, Books, OPTION, PASS, PRODUCT, Status, UNIT};

use super::{booked, books, pass, refund, start};
use ticketbridge_core::Millis;

/// Names the package.
const TYPES: &str = "TICKETBRIDGE_OCTO_TYPES";
/// Set where the package has to be there.
const REQUIRED: &str = "TICKETBRIDGE_REQUIRE_OCTO_TYPES";
const NOW: i64 = 1_795_226_400_000;
const UUID: &str = "7d7d6f2c-1111-5222-8333-444455556666";

/// A value, and the schema that it must fit.
pub(crate) fn case(what: &str, schema: &str, value: Value) -> Value {
    json!({ "what": what, "schema": schema, "value": value })
}

/// Every kind of answer of the supplier, with the schema that it must fit.
fn answers() -> Vec<Value> {
    let mut books = Books::new("k");
    let mut cases = Vec::new();
    let mut ask = |books: &mut Books, method: &str, path: &str, body: Value, schema: &str| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let asked = Asked { method, path, query, key: Some("k"), has_capabilities: true, body: &body };
        let (_, said) = books.call(&asked, NOW, false);
        let what = format!("the answer to {method} {path}");
        match &said {
            Value::Array(items) => cases.extend(items.iter().map(|item| case(&what, schema, item.clone()))),
            one => cases.push(case(&what, schema, one.clone())),
        }
        said
    };
    let dates = json!({ "productId": PRODUCT, "optionId": OPTION, "localDateStart": "2026-12-01", "localDateEnd": "2026-12-03" });
    ask(&mut books, "GET", "/supplier", Value::Null, "zSupplier");
    ask(&mut books, "GET", "/capabilities", Value::Null, "zCapability");
    ask(&mut books, "GET", "/products", Value::Null, "zProduct");
    ask(&mut books, "GET", &format!("/products/{PASS}"), Value::Null, "zProduct");
    ask(&mut books, "GET", "/products/none", Value::Null, "zErrorInvalidProductId");
    ask(&mut books, "POST", "/availability/calendar", dates.clone(), "zAvailabilityCalendar");
    let slots = ask(&mut books, "POST", "/availability", dates, "zAvailability");
    let reserve = json!({ "uuid": UUID, "productId": PRODUCT, "optionId": OPTION, "availabilityId": slots[0]["id"],
        "resellerReference": "bkg_1", "unitItems": [{ "uuid": "8d7d6f2c-1111-5222-8333-444455556666", "unitId": UNIT }] });
    let confirm = json!({ "contact": { "fullName": "A Guest" }, "emailReceipt": false });
    ask(&mut books, "POST", "/bookings", reserve, "zBooking");
    ask(&mut books, "POST", &format!("/bookings/{UUID}/extend"), json!({ "expirationMinutes": 15 }), "zBooking");
    books.switches.instant_confirmation = false;
    ask(&mut books, "POST", &format!("/bookings/{UUID}/confirm"), confirm, "zBooking");
    books.decide(true);
    ask(&mut books, "GET", &format!("/bookings/{UUID}"), Value::Null, "zBooking");
    ask(&mut books, "GET", "/bookings?resellerReference=bkg_1", Value::Null, "zBooking");
    ask(&mut books, "POST", &format!("/bookings/{UUID}/cancel"), json!({}), "zBooking");
    ask(&mut books, "POST", &format!("/bookings/{UUID}/cancel"), json!({}), "zErrorUnprocessableEntity");
    ask(&mut books, "GET", "/bookings/none", Value::Null, "zErrorInvalidBookingUuid");
    ask(&mut books, "GET", "/bookings", Value::Null, "zErrorBadRequest");
    for status in [Status::Expired, Status::Redeemed] {
        assert!(!status.takes_place() || status == Status::Redeemed);
    }
    cases
}

/// Every request of ours, with the schema that it must fit.
async fn requests() -> Vec<Value> {
    let bridge = start("").await;
    books(&bridge, |books| books.switches.hold_ms = 30_000);
    booked(&bridge).await;
    bridge.drain().await;
    bridge.issue("R100", 2).await;
    refund(&bridge).await;
    pass(&bridge, 2, Millis::seconds(5)).await;
    let mut cases = Vec::new();
    for (part, schema) in [
        ("/octo/availability", "zAvailabilityCheckBody"),
        ("/confirm", "zBookingConfirmationBody"),
        ("/cancel", "zBookingCancellationBody"),
    ] {
        let sent = bridge.partners.sent(part);
        assert!(!sent.is_empty(), "{part} was called");
        cases.extend(sent.into_iter().map(|sent| case(&format!("our {part}"), schema, sent.body)));
    }
    let reserves = bridge.partners.sent("/octo/bookings").into_iter();
    let reserves: Vec<Value> = reserves
        .filter(|sent| sent.method == "POST" && sent.url.ends_with("/bookings"))
        .map(|sent| sent.body)
        .collect();
    assert!(!reserves.is_empty());
    cases.extend(reserves.into_iter().map(|body| case("our reserve", "zBookingReservationBody", body)));
    cases
}

/// The `node_modules` with the schemas; `None`, and said aloud, where there are none and need not be.
pub(crate) fn package() -> Option<OsString> {
    let modules = std::env::var_os(TYPES);
    if modules.is_none() {
        assert!(std::env::var_os(REQUIRED).is_none(), "{TYPES} is not set, and the schemas are required here");
        eprintln!(
            "\nSKIPPED: the published schemas of OCTO judge nobody here: {TYPES} does not name the package @octocloud/types\n"
        );
    }
    modules
}

/// Has the schemas judge.
pub(crate) async fn judge(cases: Vec<Value>, modules: &OsString) {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("cases.json");
    std::fs::write(&file, Value::Array(cases).to_string()).expect("a file");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/octo/validate.js");
    let ran = tokio::process::Command::new("node").arg(script).arg(&file).env("NODE_PATH", modules).output().await;
    let ran = ran.expect("node runs");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}");
}

#[tokio::test]
async fn the_published_schemas_accept_what_the_supplier_answers_and_what_we_send() {
    let Some(modules) = package() else { return };
    let cases: Vec<Value> = answers().into_iter().chain(requests().await).collect();
    judge(cases, &modules).await;
}
