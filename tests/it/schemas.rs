// SPDX-License-Identifier: Apache-2.0

//! The schemas as they are served and shipped, and answers that keep to them.

use http::Method;
use serde_json::{Value, json};

use crate::real::Place;
use crate::support::kakao::{CAN, event, reservation};
use crate::support::{Ask, TestBridge};

async fn schema(bridge: &TestBridge, name: &str) -> Value {
    bridge.ask(Ask::new(Method::GET, format!("/schemas/{name}.json"))).await.expect(200).json()
}

#[tokio::test]
async fn every_listed_schema_is_served_and_every_reference_leads_somewhere() {
    let bridge = TestBridge::start().await;
    let listed = bridge.ask(Ask::new(Method::GET, "/schemas")).await.expect(200).json();
    let items = listed["items"].as_array().expect("a list");
    assert!(items.len() > 80, "{}", items.len());
    for item in items {
        let name = item["name"].as_str().expect("a name");
        let document = schema(&bridge, name).await;
        assert!(document["$schema"].as_str().is_some_and(|draft| draft.contains("2020-12")), "{name}");
        assert_eq!(document["$id"], item["url"], "{name}");
        for reference in document.to_string().split("\"$ref\":\"").skip(1) {
            let reference = reference.split('"').next().expect("an end");
            match reference.strip_prefix('#') {
                Some(inside) => assert!(document.pointer(inside).is_some(), "{name}: {reference}"),
                None => {
                    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let target = match reference.strip_prefix("../") {
                        Some(above) => format!("{}/{above}", folder.rsplit_once('/').map_or("", |(above, _)| above)),
                        None => format!("{folder}/{reference}"),
                    };
                    let target = target.strip_suffix(".json").expect("a file");
                    assert!(items.iter().any(|item| item["name"] == target), "{name}: {reference}");
                }
            }
        }
    }
    bridge.ask(Ask::new(Method::GET, "/schemas/no-such.json")).await.problem(404, "not_found");
}

#[tokio::test]
async fn an_event_with_many_faults_is_answered_with_all_of_them() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut it = reservation("R1", "pd_plain", "REQUESTED");
    it["booked_at"] = json!("soon");
    it["lines"][0]["quantity"] = json!("2");
    it.as_object_mut().expect("an object").remove("product");
    let reply = bridge.kakao(&event("e1", "reservation.requested", 1, &it, json!({}))).await;
    reply.problem(422, "missing_field");
    let said = reply.json();
    let pointers: Vec<&str> =
        said["errors"].as_array().expect("errors").iter().filter_map(|one| one["pointer"].as_str()).collect();
    for expected in ["/reservation/product", "/reservation/booked_at", "/reservation/lines/0/quantity"] {
        assert!(pointers.contains(&expected), "{expected}: {said}");
    }
    let wrong = json!({ "type": "ticket.redeemed", "data": {} });
    let bridge = TestBridge::start().await;
    let said = bridge.backend_event("gate", "evt-1", &wrong).await.expect(422).json();
    let errors = said["errors"].to_string();
    assert!(errors.contains("/occurred_at") && errors.contains("/reservation_id"), "{said}");
}

#[tokio::test]
async fn orders_keep_to_the_schema_that_is_served_of_them() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let document = bridge.get("openapi.json").await.expect(200).json();
    let schema = json!({ "$ref": "#/components/schemas/order", "components": document["components"] });
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
    let order = bridge.order("V100").await;
    let errors: Vec<String> = validator.iter_errors(&order).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[tokio::test]
async fn the_program_prints_and_writes_the_schemas_and_its_manual() {
    let place = Place::with_example(|_, text| text);
    let said = |output: std::process::Output| {
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(said(place.run_bare(&["schemas"]).await).contains("kakao/event"));
    let one: Value = serde_json::from_str(&said(place.run_bare(&["schemas", "kakao/event"]).await)).expect("JSON");
    assert_eq!(one["$id"], "/schemas/kakao/event.json");
    said(place.run_bare(&["schemas", "--out", "shapes"]).await);
    assert!(place.path().join("shapes/ops/order.json").is_file());
    said(place.run_bare(&["man", "manual"]).await);
    let page = std::fs::read_to_string(place.path().join("manual/ticketbridge-orders-list.1")).expect("a page");
    assert!(page.contains("awaiting_booking"), "values stand in the manual");
    assert!(said(place.run_bare(&["completions", "bash"]).await).contains("ticketbridge"));
}
