// SPDX-License-Identifier: Apache-2.0

//! The schemas as they are served and shipped, and answers that keep to them.

use http::{Method, header};
use serde_json::{Value, json};

use crate::real::Place;
use crate::support::kakao::{CAN, event, reservation};
use crate::support::{ADMIN, Ask, CHANNEL, Reply, SETTLEMENT, TestBridge};

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

/// Asks in every way that is refused, and gives each answer with the verb and the template of its call.
async fn refusals(bridge: &TestBridge) -> Vec<(&'static str, &'static str, Reply)> {
    let order = format!("/ops/v1/orders/{CHANNEL}:V100");
    let post = |path: &str, body: &Value| Ask::new(Method::POST, path).token(ADMIN).json(body);
    let get = |path: &str| Ask::new(Method::GET, format!("/ops/v1/{path}")).token(ADMIN);
    let product = bridge.read_config("products/lakeside.toml");
    bridge.write_config("products/lakeside.toml", &product.replace("stock    = 500", "stok     = 500"));
    let asks = [
        ("get", "/orders", Ask::new(Method::GET, "/ops/v1/orders"), 401),
        ("get", "/orders", Ask::new(Method::GET, "/ops/v1/orders").token("nobody's"), 401),
        ("get", "/orders/{id}", get("orders/ord_0"), 404),
        ("get", "/orders", get("orders?limit=many"), 422),
        ("get", "/orders", get("orders?colour=blue"), 422),
        ("get", "/inbox", get("inbox?cursor=none-of-ours"), 422),
        ("get", "/session", get("session"), 403),
        ("post", "/config/reload", post("/ops/v1/config/reload", &json!({})).token(SETTLEMENT), 403),
        ("post", "/config/reload", post("/ops/v1/config/reload", &json!({})), 422),
        ("post", "/config/reload", post("/ops/v1/config/reload", &json!({ "expected_version": 7 })), 409),
        ("post", "/orders/{id}/confirm", post(&format!("{order}/confirm"), &json!({})), 409),
        ("post", "/orders/{id}/decline", post(&format!("{order}/decline"), &json!({ "why": 1 })), 422),
        ("post", "/orders/{id}/tickets", post(&format!("{order}/tickets"), &json!({ "tickets": [{}] })), 422),
        ("post", "/orders/{id}/confirm", post(&format!("{order}/confirm"), &json!({})).body("{"), 400),
    ];
    let mut refused = Vec::new();
    for (verb, template, ask, status) in asks {
        refused.push((verb, template, bridge.ask(ask).await.expect(status)));
    }
    refused
}

#[tokio::test]
async fn what_is_refused_keeps_to_the_description_of_its_call() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let document = bridge.get("openapi.json").await.expect(200).json();
    for (verb, template, reply) in refusals(&bridge).await {
        let kind = reply.headers[header::CONTENT_TYPE].to_str().expect("text");
        let pointer = format!("/paths/{}/{verb}/responses/default/content", template.replace('/', "~1"));
        let content = document.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}"));
        let mut schema = content[kind]["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
        let said = reply.json();
        let errors: Vec<String> = validator.iter_errors(&said).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{verb} {template}: {said}: {errors:#?}");
    }
}

#[tokio::test]
async fn an_empty_parameter_is_none_and_is_described_so() {
    let bridge = TestBridge::start().await;
    let document = bridge.get("openapi.json").await.expect(200).json();
    bridge.get("inbox?limit=&verdict=&cursor=").await.expect(200);
    for parameter in document["paths"]["/inbox"]["get"]["parameters"].as_array().expect("parameters") {
        let validator = jsonschema::validator_for(&parameter["schema"]).expect("a schema");
        assert!(validator.is_valid(&json!("")), "{parameter}");
        assert!(parameter["name"] != "limit" || validator.is_valid(&json!(20)), "{parameter}");
        assert!(parameter["name"] != "limit" || !validator.is_valid(&json!(201)), "{parameter}");
    }
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
