// SPDX-License-Identifier: Apache-2.0

//! Others judge what resellers are answered: the published schemas of OCTO, and an independent client.

use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use super::visits::{at, boat, guided};
use super::{DATE, KEY, OTHER, UUID, call, octo, reservation, sold};
use crate::octo::schemas::{self, case};
use crate::real::{ANY_PORT, Place};
use crate::support::TestBridge;

/// Names a Python in which `octo-api-client` is installed.
const CLIENT: &str = "TICKETBRIDGE_OCTO_CLIENT";
/// Set where it has to be there.
const REQUIRED: &str = "TICKETBRIDGE_REQUIRE_OCTO_CLIENT";

#[tokio::test]
async fn the_published_schemas_accept_what_resellers_are_answered() {
    let Some(modules) = schemas::package() else { return };
    let bridge = TestBridge::start_with(guided).await;
    let mut cases: Vec<Value> = Vec::new();
    let days = json!({ "productId": "DAY", "optionId": "DEFAULT", "localDateStart": DATE, "localDateEnd": "2026-12-12",
        "units": [{ "id": "unit", "quantity": 2 }] });
    let times = json!({ "productId": "BOAT", "optionId": "DEFAULT", "localDate": DATE });
    let (other, next) = (format!("bookings/{OTHER}"), at(DATE, "10:00"));
    let of = |step: &str| format!("bookings/{UUID}/{step}");
    for (method, path, body, schema) in [
        (Method::GET, "supplier".to_owned(), Value::Null, "zSupplier"),
        (Method::GET, "capabilities".to_owned(), Value::Null, "zCapability"),
        (Method::GET, "products".to_owned(), Value::Null, "zProduct"),
        (Method::GET, "products/TOUR".to_owned(), Value::Null, "zProduct"),
        (Method::GET, "products/none".to_owned(), Value::Null, "zErrorInvalidProductId"),
        (Method::POST, "availability/calendar".to_owned(), days.clone(), "zAvailabilityCalendar"),
        (Method::POST, "availability".to_owned(), days, "zAvailability"),
        (Method::POST, "bookings".to_owned(), reservation(UUID, "DAY", 2), "zBooking"),
        (Method::POST, of("extend"), json!({ "expirationMinutes": 60 }), "zBooking"),
        (Method::POST, of("confirm"), sold(), "zBooking"),
        (Method::POST, of("extend"), json!({}), "zErrorUnprocessableEntity"),
        (Method::GET, format!("bookings/{UUID}"), Value::Null, "zBooking"),
        (Method::PATCH, format!("bookings/{UUID}"), json!({ "resellerReference": "ACME-9" }), "zBooking"),
        (Method::PATCH, format!("bookings/{UUID}"), json!({ "availabilityId": next }), "zErrorUnprocessableEntity"),
        (Method::GET, "bookings?resellerReference=ACME-9".to_owned(), Value::Null, "zBooking"),
        (Method::GET, format!("bookings?localDate={DATE}"), Value::Null, "zBooking"),
        (Method::GET, "bookings".to_owned(), Value::Null, "zErrorBadRequest"),
        // By start times.
        (Method::GET, "products/BOAT".to_owned(), Value::Null, "zProduct"),
        (Method::POST, "availability/calendar".to_owned(), times.clone(), "zAvailabilityCalendar"),
        (Method::POST, "availability".to_owned(), times, "zAvailability"),
        (Method::POST, "bookings".to_owned(), boat(OTHER, &at(DATE, "14:00"), 2), "zBooking"),
        (Method::PATCH, other.clone(), json!({ "availabilityId": next }), "zBooking"),
        (Method::PATCH, other.clone(), json!({ "unitItems": [{ "unitId": "unit" }] }), "zBooking"),
        (Method::PATCH, other.clone(), json!({ "optionId": "VIP" }), "zErrorInvalidOptionId"),
        (Method::PATCH, other.clone(), json!({ "availabilityId": "none" }), "zErrorInvalidAvailabilityId"),
        (Method::PATCH, other.clone(), json!({ "unitItems": [{ "unitId": "child" }] }), "zErrorInvalidUnitId"),
        (Method::POST, format!("{other}/confirm"), sold(), "zBooking"),
        (Method::POST, of("cancel"), json!({}), "zBooking"),
        (Method::GET, "bookings/none".to_owned(), Value::Null, "zErrorInvalidBookingUuid"),
    ] {
        let ask = octo(method.clone(), &path);
        let ask = if body.is_null() { ask } else { ask.json(&body) };
        let said = call(&bridge, ask).await.json();
        let what = format!("the answer to {method} {path}");
        match &said {
            Value::Array(items) => {
                assert!(!items.is_empty(), "{what}");
                cases.extend(items.iter().map(|item| case(&what, schema, item.clone())));
            }
            one => cases.push(case(&what, schema, one.clone())),
        }
    }
    schemas::judge(cases, &modules).await;
}

/// The published client in Python books, reads and cancels at the built program.
#[tokio::test]
async fn an_independent_client_books_reads_and_cancels() {
    let Some(python) = std::env::var_os(CLIENT) else {
        assert!(std::env::var_os(REQUIRED).is_none(), "{CLIENT} is not set, and the client is required here");
        eprintln!("\nSKIPPED: no client but our own buys from us: {CLIENT} names no Python with octo-api-client\n");
        return;
    };
    let place = Place::with_example(|_, text| text);
    let port = std::net::TcpListener::bind(ANY_PORT).expect("a port").local_addr().expect("an address");
    let write = |name: &str, text: &str| crate::support::write_file(&place.config().join(name), text);
    write("channels/acme.toml", &super::CHANNEL.replace("127.0.0.1:8080", &port.to_string()));
    // Codes of a pool are there at once, and the dates are the next ones, whatever the day is.
    let products = super::PRODUCTS
        .replace(
            r#"{ mode = "backend", backend = "gate", product = "P-1" }"#,
            r#"{ mode = "code_pool", pool = "lp-2026" }"#,
        )
        .replace("from = \"2026-11-01\", to = \"2027-03-31\"", "from = \"2026-01-01\", to = \"2035-12-31\"");
    write("products/resold.toml", &products);
    let dates = |text: &str| {
        text.replace("from = \"2026-11-01\", to = \"2027-03-31\"", "from = \"2026-01-01\", to = \"2035-12-31\"")
    };
    write(
        "products/guided.toml",
        &dates(super::visits::GUIDED).replace(
            r#"{ mode = "backend", backend = "gate", product = "P-7" }"#,
            r#"{ mode = "code_pool", pool = "lp-2026" }"#,
        ),
    );
    let bridge = place.serve_with(port, &[("RESELLER_KEY", KEY)]).await;
    let codes = place.path().join("codes.txt");
    std::fs::write(&codes, "C-1\nC-2\nC-3\nC-4\nC-5\nC-6\n").expect("a file");
    let (url, file) = (bridge.url(), codes.display().to_string());
    let imported = place
        .run_bare(&["codes", "import", "lp-2026", &file, "--url", &url, "--token", "an-ops-token-for-tests"])
        .await;
    assert!(imported.status.success(), "{imported:?}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/octo_reseller/client.py");
    let ran = tokio::process::Command::new(python).arg(script).arg(format!("{url}/octo")).arg(KEY).output().await;
    let ran = ran.expect("python runs");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("booked, read and cancelled"), "{said}\n{}", place.log());
    assert!(bridge.terminate().await.success());
}
