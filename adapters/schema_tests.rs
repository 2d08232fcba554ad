// SPDX-License-Identifier: Apache-2.0

//! Schemas and readers judge alike: recorded bodies, the documents' examples, and every field of complete examples changed in every way.

use std::collections::BTreeSet;
use std::path::Path;

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use ticketbridge_core::port::{Backend, Channel, DecodeError, RawRequest, Verified};

use super::*;
use crate::{BACKENDS, CHANNELS};

/// Codes of errors between fields, and of ids that no schema can compare.
const BETWEEN_FIELDS: &[&str] = &["amount_mismatch", "event_id_mismatch", "coupon_needs_full_payment"];
/// Sentences of other rules between fields.
const BETWEEN: &[&str] =
    &["units together", "together", "name the detail", "in the order of their times", "must not be before use.from"];

fn channel(name: &str) -> Box<dyn Channel> {
    let kind = CHANNELS.iter().find(|kind| kind.name == name).expect("it is there");
    let settings = json!({
        "secrets": ["whsec_a2FrYW8tZXZlbnRzLWZvci10ZXN0cw=="], "api_base": "https://platform.example",
        "api_secret": "whsec_a2FrYW8tY2FsbHMtZm9yLXRlc3Rz", "capabilities": [],
    });
    (kind.build)("it", &settings).unwrap_or_else(|_| panic!("the settings of {name} are right"))
}

fn back_end() -> Box<dyn Backend> {
    let kind = BACKENDS.iter().find(|kind| kind.name == "ticketing_http").expect("it is there");
    let settings = json!({ "base_url": "https://tickets.example", "secret": "whsec_a2FrYW8tY2FsbHMtZm9yLXRlc3Rz" });
    (kind.build)("it", &settings).unwrap_or_else(|_| panic!("the settings are right"))
}

fn read(schema: &str, body: &Value) -> Result<(), DecodeError> {
    let text = body.to_string();
    let mut headers = HeaderMap::new();
    let id = body.get("event_id").and_then(Value::as_str).unwrap_or("evt");
    headers.insert("webhook-id", id.parse().unwrap_or_else(|_| http::HeaderValue::from_static("evt")));
    let raw =
        RawRequest { endpoint: "events", method: &Method::POST, query: "", headers: &headers, body: text.as_bytes() };
    let verified = Verified::attest(raw, 0);
    match schema {
        "kakao/event" => channel("kakao").decode(&verified).map(drop),
        "tripstore/event" => channel("tripstore").decode(&verified).map(drop),
        "ticketing_http/event" => back_end().pushes().expect("it calls").decode(&verified).map(drop),
        other => panic!("{other}"),
    }
}

fn is_between_fields(error: &DecodeError) -> bool {
    error.code.is_some_and(|code| BETWEEN_FIELDS.contains(&code))
        || BETWEEN.iter().any(|words| error.reason.contains(words))
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

fn examples() -> Vec<(&'static str, Value)> {
    let file = |name: &str| {
        let text = std::fs::read_to_string(root().join("examples/events").join(name)).expect("the example");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let issued = json!({
        "type": "reservation.issued", "reservation_id": "bkg_1", "occurred_at": "2026-11-21T10:01:00+08:00",
        "data": { "state": "issued", "backend_ref": "R-9", "tickets": [{ "code": "A1", "kind": "qr", "project_id": "p", "name": "gate" }] },
    });
    let redeemed = json!({ "type": "ticket.redeemed", "reservation_id": "bkg_1", "occurred_at": "2026-11-21T10:01:00+08:00", "data": {} });
    let refused = json!({ "type": "reservation.refused", "reservation_id": "bkg_1", "data": { "reason": "sold out" } });
    let mut cancelled = file("kakao-requested.json");
    cancelled["event_type"] = json!("payment.canceled");
    cancelled["reservation"]["cancel_policy"]["deadline"] =
        json!({ "kind": "RELATIVE", "days_before": 2, "at_time": "18:00" });
    cancelled["change"] = json!({ "by": "MANAGER", "canceled_at": "2026-12-01T09:00:00+09:00", "cancels": [{
        "cancel_id": "c1", "amount_krw": 1000, "status": "PENDING", "done_at": "2026-12-01T09:00:00+09:00", "payment_id": "pay_1" }] });
    let listing = json!({ "event_id": "p1", "event_type": "product.status_changed", "occurred_at": "2026-11-21T11:30:00+09:00",
        "change": { "product_id": "pd_9", "from": "IN_REVIEW", "to": "SANCTIONED" } });
    let mut paid = file("tripstore-received.json");
    paid["event_type"] = json!("payment.recorded");
    paid["change"] = json!({ "payment": { "payment_id": "tp_2", "purpose": "BALANCE", "amount_krw": 10, "approved_at": "2026-12-01T14:09:00+09:00",
        "link_id": "l1", "cancels": [] }, "link_id": "l1", "status": "PAID", "fee_krw": 1, "refund_krw": 2, "new_no": "A-1" });
    vec![
        ("kakao/event", file("kakao-requested.json")),
        ("kakao/event", cancelled),
        ("kakao/event", listing),
        ("tripstore/event", file("tripstore-received.json")),
        ("tripstore/event", paid),
        ("ticketing_http/event", issued),
        ("ticketing_http/event", redeemed),
        ("ticketing_http/event", refused),
    ]
}

/// Every place of a document.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), into)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| places(value, &format!("{at}/{i}"), into))
        }
        _ => {}
    }
}

#[test]
fn every_schema_is_one_and_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = all().iter().map(|one| one.name).collect();
    assert_eq!(names.len(), all().len());
    assert_eq!(validators().len(), all().len());
    for one in all() {
        assert!(jsonschema::meta::is_valid(&one.schema), "{}", one.name);
    }
}

#[test]
fn reader_and_schema_judge_every_changed_field_alike() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (schema, example) in examples() {
        assert_eq!(problems(schema, &example), [], "{schema}");
        read(schema, &example).unwrap_or_else(|error| panic!("{schema}: {error}"));
        let mut all_places = Vec::new();
        places(&example, "", &mut all_places);
        for place in all_places.iter().filter(|place| !place.is_empty()) {
            let (above, name) = place.rsplit_once('/').expect("a place");
            let mut changed: Vec<Value> = Vec::new();
            let mut without = example.clone();
            if let Some(Value::Object(fields)) = without.pointer_mut(above) {
                fields.shift_remove(name);
                changed.push(without);
            }
            let values = [
                json!(null),
                json!(true),
                json!(-1),
                json!(1.5),
                json!(99_999_999),
                json!("…"),
                json!([]),
                json!({}),
                json!("a b"),
            ];
            for value in values {
                let mut one = example.clone();
                *one.pointer_mut(place).expect("it is there") = value;
                changed.push(one);
            }
            for body in changed {
                tried += 1;
                let found = problems(schema, &body);
                match read(schema, &body) {
                    Ok(()) if !found.is_empty() && !is_stricter(place) => wrong.push(format!(
                        "{schema} {place}: read, and the schema says {found:?}: {}",
                        body.pointer(place).unwrap_or(&json!("(nothing)"))
                    )),
                    Err(error) if found.is_empty() && !is_between_fields(&error) => wrong.push(format!(
                        "{schema} {place}: the schema takes what the reader refuses: {error}: {}",
                        body.pointer(place).unwrap_or(&json!("(nothing)"))
                    )),
                    Ok(()) | Err(_) => {}
                }
            }
        }
    }
    assert!(tried > 2_000, "{tried}");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Where the contract asks for more than the reader needs: what is carried for people, or means nothing for the event's type.
fn is_stricter(place: &str) -> bool {
    const CARRIED: &[&str] = &[
        "/schema_version",
        "/partner_id",
        "/place_id",
        "/agency_code",
        "/occurred_at",
        "/change/by",
        "/change/from",
        "/change/fee_krw",
        "/change/refund_krw",
        "/deadline/days_before",
        "/deadline/at_time",
    ];
    CARRIED.iter().any(|carried| place.ends_with(carried))
}

#[test]
fn everything_wrong_is_told_at_once_and_nothing_of_a_value() {
    let (schema, mut body) = examples().remove(0);
    body["reservation"]["booked_at"] = json!("yesterday-of-Kim");
    body["reservation"]["lines"][0]["quantity"] = json!("two-of-Kim");
    body["reservation"]["amounts"]["paid_krw"] = json!(1.5);
    body["reservation"].as_object_mut().unwrap().shift_remove("status");
    let error = read(schema, &body).unwrap_err();
    let told = error.every();
    let pointers: BTreeSet<&str> = told.iter().map(|one| one.pointer.as_str()).collect();
    let expected = [
        "/reservation/amounts/paid_krw",
        "/reservation/booked_at",
        "/reservation/lines/0/quantity",
        "/reservation/status",
    ];
    assert_eq!(pointers.into_iter().collect::<Vec<_>>(), expected, "{told:?}");
    assert!(!format!("{told:?}").contains("Kim"), "{told:?}");
}

/// The JSON blocks of a document, each with the schema that the line before it names: `<!-- schema: NAME -->`, or `not NAME` for a bad one.
fn blocks(text: &str) -> Vec<(bool, String, Value)> {
    let mut found = Vec::new();
    for part in text.split("<!-- schema: ").skip(1) {
        let (name, rest) = part.split_once(" -->").expect("an end");
        let body =
            rest.trim_start().strip_prefix("```json\n").unwrap_or_else(|| panic!("{name}: a JSON block follows"));
        let body = body.split_once("\n```").expect("an end").0;
        let value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{name}: {error}: {body}"));
        let (is_good, name) = name.strip_prefix("not ").map_or((true, name), |name| (false, name));
        found.push((is_good, name.to_owned(), value));
    }
    found
}

#[test]
fn examples_of_the_documents_are_what_their_schemas_say() {
    let mut named = BTreeSet::new();
    for folder in ["docs/src/contract", "adapters/kakao", "adapters/tripstore", "adapters/ticketing_http"] {
        for file in std::fs::read_dir(root().join(folder)).expect("the folder") {
            let path = file.expect("a file").path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            // Every block of JSON says what it is.
            assert_eq!(text.matches("```json").count(), text.matches("<!-- schema: ").count(), "{}", path.display());
            for (is_good, name, body) in blocks(&text) {
                assert!(all().iter().any(|one| one.name == name), "{name}");
                let found = problems(&name, &body);
                assert_eq!(found.is_empty(), is_good, "{}: {name}: {found:?}\n{body}", path.display());
                if is_good {
                    named.insert(name);
                }
            }
        }
    }
    let missing: Vec<&str> = all().iter().map(|one| one.name).filter(|name| !named.contains(*name)).collect();
    assert!(missing.is_empty(), "no document shows a complete example of {missing:?}");
}

#[test]
fn recorded_bodies_are_judged_by_their_schema_as_by_their_reader() {
    let mut judged = 0;
    for (name, file) in [("kakao", "rows"), ("kakao", "events"), ("tripstore", "rows"), ("tripstore", "events")] {
        let schema = format!("{name}/event");
        for (case, body, is_read) in crate::cases::bodies(&format!("{name}/cases/{file}.toml"), "events") {
            let found = problems(&schema, &body);
            if is_read {
                assert_eq!(found, [], "{case}");
            }
            judged += 1;
        }
    }
    assert!(judged > 60, "{judged}");
}

#[test]
fn recorded_calls_of_ours_are_what_their_schemas_say() {
    let mut seen = BTreeSet::new();
    for (name, file) in [("kakao", "requests"), ("kakao", "calls"), ("tripstore", "requests")] {
        for (method, url, body) in crate::cases::calls(&format!("{name}/cases/{file}.toml")) {
            let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
            let last = path.rsplit('/').next().unwrap_or_default();
            let word = match last {
                "cancel" if path.contains("/payments/") => "payment-cancel",
                "payment-links" => "payment-link",
                _ if url.contains("erp") => "hand-over",
                word => word,
            };
            let schema = format!("{name}/{word}");
            assert!(all().iter().any(|one| one.name == schema && one.way == Way::Out), "{method} {url}");
            assert_eq!(problems(&schema, &body), [], "{method} {url} {body}");
            seen.insert(schema);
        }
    }
    let missing: Vec<&str> = all()
        .iter()
        .filter(|one| one.way == Way::Out && !one.name.starts_with("ticketing_http") && !seen.contains(one.name))
        .map(|one| one.name)
        .collect();
    assert!(missing.is_empty(), "nothing recorded shows {missing:?}");
}

/// Whoever mends what he is told is not told the next thing then.
#[test]
fn everything_that_does_not_add_up_is_told_at_once() {
    let text = std::fs::read_to_string(root().join("examples/events/kakao-requested.json")).expect("the example");
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    let mut body = whole.clone();
    let reservation = &mut body["reservation"];
    reservation["lines"][0]["canceled_quantity"] = json!(5);
    reservation["lines"][0]["amount_krw"] = json!(5);
    reservation["amounts"]["net_krw"] = json!(7);
    reservation["amounts"]["paid_krw"] = json!(9);
    reservation["booked_at"] = json!("yesterday");
    let told = read("kakao/event", &body).expect_err("nothing adds up").every();
    for (pointer, detail) in [
        ("/reservation/lines/0/amount_krw", "quantity times unit_price_krw"),
        ("/reservation/lines/0/used_quantity", "more than quantity"),
        ("/reservation/amounts/gross_krw", "the sum of the lines'"),
        ("/reservation/amounts/net_krw", "gross_krw less discount_krw"),
        ("/reservation/amounts/paid_krw", "the sum of the payments"),
        ("/reservation/booked_at", "RFC 3339 time with an offset"),
    ] {
        let it = told.iter().find(|one| one.pointer == pointer).unwrap_or_else(|| panic!("{pointer}: {told:?}"));
        assert!(it.detail.contains(detail), "{pointer}: {}", it.detail);
    }
    read("kakao/event", &whole).expect("what adds up is taken");
}
