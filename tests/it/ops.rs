// SPDX-License-Identifier: Apache-2.0

//! The ops interface through the real router: shapes, acts, roles, keys, and what is refused.

use http::{Method, header};
use serde_json::{Value, json};
use ticketbridge_core::Millis;

use crate::support::partners::Outcome;
use crate::support::{Ask, CHANNEL, OPERATOR, SETTLEMENT, TestBridge, douyin};

/// The description, for comparing answers with it.
async fn document(bridge: &TestBridge) -> Value {
    bridge.get("openapi.json").await.expect(200).json()
}

/// Whether an answer has exactly the fields that the description gives it, down to the leaves.
fn fits(document: &Value, schema: &Value, value: &Value, path: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(&reference[1..]).expect("a schema");
        return fits(document, schema, value, path);
    }
    if let Some(either) = schema["anyOf"].as_array() {
        if !value.is_null() {
            fits(document, &either[0], value, path);
        }
        return;
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{path} is {value}");
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(kinds.contains(&kind), "{path} is {value}, not {kinds:?}");
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(document, &schema["items"], item, &format!("{path}[{index}]"));
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        let required = schema["required"].as_array();
        let is_required = |name: &str| required.is_none_or(|all| all.iter().any(|it| it == name));
        for (name, schema) in properties {
            match fields.get(name) {
                Some(value) => fits(document, schema, value, &format!("{path}.{name}")),
                // What is there only sometimes is not required.
                None => assert!(!is_required(name), "{path}.{name} is missing"),
            }
        }
        for name in fields.keys() {
            assert!(properties.contains_key(name), "{path}.{name} is not described");
        }
    }
}

/// A GET's answer, after comparing it with its description.
async fn described(bridge: &TestBridge, document: &Value, template: &str, path: &str) -> Value {
    let found = bridge.get(path).await.expect(200).json();
    let schema = &document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{template} is not described");
    fits(document, schema, &found, path);
    found
}

#[tokio::test]
async fn an_order_is_shown_as_the_contract_says_and_guests_are_masked() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let document = document(&bridge).await;
    let order = described(&bridge, &document, "/orders/{id}", &format!("orders/{CHANNEL}:V100")).await;
    for (pointer, expected) in [
        ("/channel", json!(CHANNEL)),
        ("/kind", json!("voucher")),
        ("/state", json!("booked")),
        ("/label", json!("已预约未出票")),
        ("/quantity", json!(2)),
        (
            "/payment",
            json!({ "state": "paid", "currency": "CNY", "total": 39_800, "received": 39_800, "refunded": 0, "fee": 0 }),
        ),
        ("/buyer/phone", json!("138****0100")),
        ("/booking/channel_booking_id", json!("R100")),
        ("/booking/product", json!("LP-B2")),
        ("/booking/visit_date", json!("2026-12-01")),
        (
            "/booking/visitors/0",
            json!({
                "name": "A********", "phone": "139****0001",
                "document": { "type": "passport", "number": "R100*0001" },
            }),
        ),
        ("/booking/ticketing/backend", json!("gate")),
        ("/booking/ticketing/deadline", json!("2026-11-21T10:10:00+08:00")),
        ("/created_at", json!("2026-11-21T10:00:00+08:00")),
        ("/refund_case", Value::Null),
        ("/attention", Value::Null),
    ] {
        assert_eq!(order.pointer(pointer), Some(&expected), "{pointer}");
    }
    let id = order["id"].as_str().unwrap();
    let other_names = [id.to_owned(), format!("{CHANNEL}:R100"), format!("{CHANNEL}%3AR100")];
    for name in other_names {
        assert_eq!(bridge.get(&format!("orders/{name}")).await.expect(200).json()["id"], id, "{name}");
    }
    for name in ["ord_0", "douyin-main:V999", "nowhere:V100"] {
        bridge.get(&format!("orders/{name}")).await.problem(404, "not_found");
    }
    bridge.drain().await;
    let order = bridge.order("V100").await;
    let tickets = order["booking"]["ticketing"]["tickets"].as_array().unwrap();
    assert_eq!(tickets.len(), 2);
    assert!(tickets[0]["code"].as_str().unwrap().starts_with("GATE-"), "{tickets:?}");
}

#[tokio::test]
async fn lists_answer_in_their_shapes_go_on_by_cursor_and_filter() {
    let bridge = TestBridge::start().await;
    for number in 1..=3 {
        bridge.sell(&format!("V10{number}")).await;
        bridge.advance(Millis::seconds(1));
    }
    bridge.book("R101", "V101", "2026-12-01").await;
    bridge.drain().await;
    let document = document(&bridge).await;
    let first = described(&bridge, &document, "/orders", "orders?limit=2").await;
    let numbers = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|order| order["channel_order_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(numbers(&first), ["V103", "V102"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = described(&bridge, &document, "/orders", &format!("orders?limit=2&cursor={cursor}")).await;
    assert_eq!((numbers(&rest), &rest["next_cursor"]), (vec!["V101".to_owned()], &Value::Null));
    for (query, found) in [
        ("state=booked", vec!["V101"]),
        ("ticketing=issued&visit_date=2026-12-01", vec!["V101"]),
        ("visit_date=2026-12-02", vec![]),
        ("payment=paid", vec!["V103", "V102", "V101"]),
        ("q=R101", vec!["V101"]),
        ("channel=elsewhere", vec![]),
        ("refund=under_review", vec![]),
    ] {
        assert_eq!(numbers(&bridge.get(&format!("orders?{query}")).await.expect(200).json()), found, "{query}");
    }
    let events = described(&bridge, &document, "/orders/{id}/events", "orders/douyin-main:V101/events?limit=3").await;
    let seqs: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!((seqs[0] - seqs[1], seqs[1] - seqs[2]), (1, 1), "newest first");
    let path = format!("orders/douyin-main:V101/events?cursor={}", events["next_cursor"].as_str().unwrap());
    assert_eq!(described(&bridge, &document, "/orders/{id}/events", &path).await["items"][0]["seq"], seqs[2] - 1);
    let has_both = |calls: &Value| {
        let directions: Vec<_> =
            calls["items"].as_array().unwrap().iter().map(|call| call["direction"].clone()).collect();
        directions.contains(&json!("in")) && directions.contains(&json!("out"))
    };
    bridge.eventually("orders/douyin-main:V101/calls", has_both).await;
    described(&bridge, &document, "/orders/{id}/calls", "orders/douyin-main:V101/calls").await;
    let deliveries = described(&bridge, &document, "/deliveries", "deliveries?state=delivered").await;
    assert_eq!(deliveries["items"][0]["destination"], "backend:gate");
    described(&bridge, &document, "/deadlines", "deadlines").await;
    let inbox = described(&bridge, &document, "/inbox", "inbox?call=create-order&verdict=accepted").await;
    assert_eq!(inbox["items"].as_array().unwrap().len(), 4);
    for list in ["channels", "backends"] {
        described(&bridge, &document, &format!("/{list}"), list).await;
    }
    described(&bridge, &document, "/config", "config").await;
    described(&bridge, &document, "/refunds", "refunds").await;
    described(&bridge, &document, "/codes/{pool}", "codes/lp-2026").await;
}

#[tokio::test]
async fn all_faults_of_a_body_are_told_at_once_by_their_pointers() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let order = format!("orders/{CHANNEL}:V100");
    let bad_invitation = json!({ "email": "x", "role": "boss", "scope": { "kind": "planet" } });
    let bad_cancel =
        json!({ "why": "x", "reason": " ", "fee": "1", "lines": [{ "quantity": 0 }], "expected_version": -1 });
    let bad_tickets =
        json!({ "tickets": [{ "kind": "stone" }, { "code": "A" }, { "code": "A" }], "expected_version": "1" });
    let bad_codes = json!({ "codes": ["A", 7, null], "colour": "red" });
    for (path, body, pointers) in [
        ("sign-up", json!({}), &["/name", "/email", "/agency_code", "/mobile", "/direct", "/password"][..]),
        ("invitations", bad_invitation, &["/email", "/role", "/scope"]),
        (
            &format!("{order}/cancel"),
            bad_cancel,
            &["/why", "/reason", "/lines/0/detail", "/lines/0/quantity", "/fee", "/expected_version"],
        ),
        (
            &format!("{order}/tickets"),
            bad_tickets,
            &["/tickets/0/kind", "/tickets/0/code", "/tickets/2/code", "/expected_version"],
        ),
        ("statements/close", json!({ "to": "yesterday" }), &["/settle_id", "/to"]),
        ("guests/erase", json!({ "phone": "12" }), &["/phone", "/reason"]),
        ("codes/lp-2026", bad_codes, &["/colour", "/codes/1", "/codes/2"]),
        ("codes/lp-2026", json!({ "codes": ["", "B\u{7}"] }), &["/codes/0", "/codes/1"]),
        ("bulk/reject", json!({ "items": [7, ""] }), &["/items/0", "/items/1"]),
        ("bulk/reject", json!({}), &["/items", "/reason"]),
        ("bulk/reject", json!({ "match": { "stat": "x" }, "reason": "r" }), &["/match/stat"]),
        ("orders/search", json!({ "phone": "1" }), &["/phone", "/reason"]),
        ("config/reload", json!([]), &[""]),
    ] {
        let said = bridge.post(path, &body).await;
        said.problem(422, "invalid");
        let errors = said.json()["errors"].as_array().cloned().unwrap_or_default();
        let found: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap_or_default()).collect();
        assert_eq!(found, pointers, "{path}: {}", said.text());
        assert!(errors.iter().all(|error| error["detail"].as_str().is_some_and(|detail| !detail.is_empty())));
    }
}

#[tokio::test]
async fn what_a_query_may_not_hold_is_refused_by_name() {
    let bridge = TestBridge::start().await;
    for (path, field) in [
        ("orders?limit=201", "limit"),
        ("orders?limit=0", "limit"),
        ("orders?state=paid", "state"),
        ("orders?colour=red", "colour"),
        ("orders?cursor=x", "cursor"),
        ("orders?visit_date=tomorrow", "visit_date"),
        ("deadlines?due_before=noon", "due_before"),
        ("config?x=1", "x"),
    ] {
        let reply = bridge.get(path).await;
        reply.problem(422, "invalid");
        assert_eq!(reply.json()["field"], field, "{path}");
    }
    assert_eq!(bridge.get("orders?limit=200").await.status, 200);
}

#[tokio::test]
async fn only_holders_of_a_token_come_in_and_roles_bound_them() {
    let bridge = TestBridge::start().await;
    let nobody = bridge.ask(Ask::new(Method::GET, "/ops/v1/orders")).await;
    nobody.problem(401, "unauthenticated");
    assert_eq!(nobody.headers[header::WWW_AUTHENTICATE], "Bearer");
    bridge
        .ask(Ask::new(Method::GET, "/ops/v1/orders").token("an-admin-token-for-test"))
        .await
        .problem(401, "unauthenticated");
    for (token, path, status) in [
        (OPERATOR, "orders", 200),
        (OPERATOR, "config", 200),
        (SETTLEMENT, "orders", 403),
        (SETTLEMENT, "refunds", 403),
        (SETTLEMENT, "config", 200),
        (SETTLEMENT, "channels", 200),
    ] {
        let reply = bridge.ask(Ask::new(Method::GET, format!("/ops/v1/{path}")).token(token)).await;
        assert_eq!(reply.status, status, "{token} {path}");
    }
    let reload = |token: &str| Ask::new(Method::POST, "/ops/v1/config/reload").token(token);
    bridge.ask(reload(OPERATOR)).await.problem(403, "forbidden");
    bridge.post("config/reload", &json!({})).await.expect(200);
}

/// What `docs/src/contract/ops.md` promises.
const PROMISED: [&str; 87] = [
    "DELETE account/passkeys/{id}",
    "DELETE session",
    "DELETE sessions/{id}",
    "GET account/passkeys",
    "GET accounts",
    "GET audit",
    "GET backends",
    "GET bulk",
    "GET bulk/{id}",
    "GET channels",
    "GET codes/{pool}",
    "GET config",
    "GET config/settings",
    "GET credit/{id}",
    "GET deadlines",
    "GET deliveries",
    "GET inbox",
    "GET inbox/{id}",
    "GET invitations",
    "GET openapi.json",
    "GET orders",
    "GET orders/{id}",
    "GET orders/{id}/calls",
    "GET orders/{id}/events",
    "GET orders/{id}/next-steps",
    "GET partners",
    "GET reconciliation",
    "GET refunds",
    "GET session",
    "GET sessions",
    "GET statements",
    "GET stream",
    "POST account",
    "POST account/passkeys",
    "POST account/passkeys/options",
    "POST account/passkeys/{id}",
    "POST account/password",
    "POST account/totp",
    "POST account/totp/confirm",
    "POST accounts/{id}/activate",
    "POST accounts/{id}/approve",
    "POST accounts/{id}/deactivate",
    "POST accounts/{id}/reset-factor",
    "POST accounts/{id}/reset-password",
    "POST accounts/{id}/role",
    "POST backends/{id}/pause",
    "POST backends/{id}/resume",
    "POST bulk/{id}",
    "POST channels/{id}/pause",
    "POST channels/{id}/resume",
    "POST codes/{pool}",
    "POST codes/{pool}/hold",
    "POST codes/{pool}/release",
    "POST codes/{pool}/withdraw",
    "POST config/reload",
    "POST credit/{id}/deposits",
    "POST deliveries/{id}/drop",
    "POST deliveries/{id}/retry",
    "POST guests/erase",
    "POST guests/export",
    "POST inbox/{id}/replay",
    "POST invitations",
    "POST invitations/{id}/accept",
    "POST invitations/{id}/revoke",
    "POST orders/search",
    "POST orders/{id}/cancel",
    "POST orders/{id}/confirm",
    "POST orders/{id}/decline",
    "POST orders/{id}/no-show",
    "POST orders/{id}/payment-links",
    "POST orders/{id}/payment-links/revoke",
    "POST orders/{id}/redeem",
    "POST orders/{id}/return-payment",
    "POST orders/{id}/reveal",
    "POST orders/{id}/settle-attention",
    "POST orders/{id}/tickets",
    "POST password-resets/{id}",
    "POST reconciliation",
    "POST refunds/{id}/approve",
    "POST refunds/{id}/reject",
    "POST session",
    "POST session/factor",
    "POST session/factor/options",
    "POST session/passkey",
    "POST session/passkey/options",
    "POST sign-up",
    "POST statements/close",
];

#[tokio::test]
async fn every_route_is_described_and_everything_described_is_routed() {
    let bridge = TestBridge::start().await;
    let document = document(&bridge).await;
    let mut described = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (verb, operation) in operations.as_object().unwrap() {
            let method: Method = verb.to_uppercase().parse().unwrap();
            described.push(format!("{method} {}", &path[1..]));
            let path = path.replace("{id}", "x").replace("{pool}", "x");
            // Without a token a call that is served says 401; one that is not, 404 or 405.
            let reply = bridge.ask(Ask::new(method, format!("/ops/v1{path}"))).await;
            // What anybody may call looks at what it was given, where it wants anything.
            let expected = match (operation["security"] == json!([]), &operation["requestBody"]["required"]) {
                (true, Value::Bool(false)) => 200,
                (true, _) => 422,
                (false, _) => 401,
            };
            assert_eq!(reply.status, expected, "{verb} {path}");
        }
    }
    described.sort_unstable();
    assert_eq!(described, PROMISED);
    bridge.get("nothing/acme").await.problem(404, "not_found");
    bridge.post("orders", &json!({})).await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn a_manager_confirms_or_declines_what_waits() {
    let bridge = TestBridge::start().await;
    for (sale, booking) in [("V101", "R101"), ("V102", "R102")] {
        let mut body = douyin::sale(sale, 1, bridge.now());
        let product = |body: &mut Value| {
            body["product_out_id"] = json!("LP-V9|LP-B9");
            body["amount"] = json!({ "origin_amount": 29_900, "pay_amount": 29_900 });
        };
        product(&mut body);
        bridge.douyin("create-order", &body).await.expect(200);
        let mut body = douyin::booking(booking, sale, "2026-12-04", 1, bridge.now());
        product(&mut body);
        body["tourists"] = douyin::visitors(booking, 1);
        let reply = bridge.douyin("create-order", &body).await.expect(200).json();
        assert_eq!(reply["data"]["confirm_info"]["confirm_mode"], 2, "{reply}");
    }
    let reply = bridge.post("orders/douyin-main:V101/confirm", &json!({})).await.expect(200).json();
    assert_eq!(reply["booking"]["state"], "confirmed");
    bridge.post("orders/douyin-main:V102/decline", &json!({})).await.problem(422, "invalid");
    let reply = bridge.post("orders/douyin-main:V102/decline", &json!({ "reason": "the guide is ill" })).await;
    assert_eq!(reply.expect(200).json()["booking"]["state"], "rejected");
    bridge.post("orders/douyin-main:V102/confirm", &json!({})).await.problem(409, "not_waiting");
    bridge.drain().await;
    let told: Vec<_> =
        bridge.partners.sent("/trip/order/confirm/").iter().map(|sent| sent.body["confirm_result"].clone()).collect();
    assert_eq!(told, [1, 2]);
    let events = bridge.get("orders/douyin-main:V102/events").await.json();
    let declined =
        events["items"].as_array().unwrap().iter().find(|event| event["kind"] == "booking_declined").unwrap();
    assert_eq!(declined["actor"], json!({ "kind": "ops", "name": "ada" }));
    assert_eq!(declined["reason"], "the guide is ill");
}

#[tokio::test]
async fn acts_that_the_state_does_not_allow_say_what_to_do_first() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.post("orders/douyin-main:V100/redeem", &json!({})).await.problem(409, "not_booked");
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.post("orders/douyin-main:V100/redeem", &json!({})).await.problem(409, "not_ticketed");
    bridge.drain().await;
    bridge.post("orders/douyin-main:V100/redeem", &json!({})).await.problem(409, "too_early");
    let tickets = json!({ "tickets": [{ "code": "H1", "kind": "code" }] });
    bridge.post("orders/douyin-main:V100/tickets", &tickets).await.problem(409, "already_ticketed");
    let conflict =
        bridge.post("orders/douyin-main:V100/cancel", &json!({ "reason": "r", "expected_version": 1 })).await;
    let said = conflict.problem(409, "version_conflict");
    assert!(said.contains("not 1"), "{said}");
    bridge.set_time("2026-12-01T09:00:00+08:00");
    let apply = douyin::refund_apply("R100", "B1", 101, 0, bridge.now());
    bridge.douyin("refund-apply", &apply).await.expect(200);
    let said = bridge.post("orders/douyin-main:V100/redeem", &json!({})).await.problem(409, "refund_under_review");
    assert!(said.contains("reject it first"), "{said}");
    let case = bridge.get("refunds?state=under_review").await.json()["items"][0].clone();
    assert_eq!((&case["channel_ref"], &case["fee"]), (&json!("B1"), &json!(0)));
    let id = case["id"].as_str().unwrap();
    let rejected =
        bridge.post(&format!("refunds/{id}/reject"), &json!({ "reason": "inside the day" })).await.expect(200);
    assert_eq!((&rejected.json()["state"], &rejected.json()["decided_by"]), (&json!("rejected"), &json!("ada")));
    bridge.post(&format!("refunds/{id}/reject"), &json!({ "reason": "again" })).await.problem(409, "already_decided");
    let used = bridge.post("orders/douyin-main:V100/redeem", &json!({})).await.expect(200).json();
    assert_eq!((&used["state"], &used["booking"]["state"]), (&json!("completed"), &json!("used")));
    bridge.post("orders/douyin-main:V100/redeem", &json!({})).await.problem(409, "already_redeemed");
    bridge.post("refunds/rfc_0/approve", &json!({})).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_fee_is_between_zero_and_the_channels() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let apply = douyin::refund_apply("R100", "B1", 101, 500, bridge.now());
    bridge.douyin("refund-apply", &apply).await.expect(200);
    let case = bridge.get("refunds").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let approve = format!("refunds/{case}/approve");
    for fee in [-1, 501] {
        let refused = bridge.post(&approve, &json!({ "fee": fee })).await;
        refused.problem(422, "fee_out_of_range");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/fee", "what only the case could find: {}", refused.text());
    }
    let said = bridge.post(&approve, &json!({ "fee": "500" })).await;
    said.problem(422, "invalid");
    assert_eq!(said.json()["field"], "fee");
    bridge.post(&approve, &json!({ "fee": 300 })).await.expect(200);
    bridge.drain().await;
    let audits = bridge.partners.sent("/trip/refund/audit/");
    assert_eq!((audits.len(), &audits[0].body["refund_fee_amount"]), (1, &json!(300)));
    assert_eq!(bridge.get("refunds").await.json()["items"][0]["fee"], 300);
}

#[tokio::test]
async fn a_key_makes_one_act_however_often_and_however_fast_it_is_sent() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let ask = || Ask::post("orders/douyin-main:V100/reveal", &json!({ "reason": "the guest called" })).key("k1");
    let replies = futures_util::future::join_all((0..8).map(|_| bridge.ask(ask()))).await;
    for reply in &replies {
        assert_eq!((reply.status.as_u16(), &reply.bytes), (200, &replies[0].bytes), "{}", reply.text());
    }
    let events = bridge.get("orders/douyin-main:V100/events?limit=200").await.json();
    let reveals = events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == "guests_revealed").count();
    assert_eq!(reveals, 1);
    let other_body = Ask::post("orders/douyin-main:V100/reveal", &json!({ "reason": "another" })).key("k1");
    bridge.ask(other_body).await.problem(422, "idempotency_key_reused");
    let other_act = Ask::post("orders/douyin-main:V100/cancel", &json!({ "reason": "the guest called" })).key("k1");
    bridge.ask(other_act).await.problem(422, "idempotency_key_reused");
    let other_holder = bridge.ask(ask().token(OPERATOR)).await;
    assert_ne!(other_holder.expect(200).bytes, replies[0].bytes, "keys of two holders are two keys");
    // A refusal is an answer too.
    let early = || Ask::post("orders/douyin-main:V100/redeem", &json!({})).key("k2");
    let first = bridge.ask(early()).await;
    first.problem(409, "too_early");
    bridge.set_time("2026-12-01T09:00:00+08:00");
    assert_eq!(bridge.ask(early()).await.bytes, first.bytes);
}

#[tokio::test]
async fn guests_are_revealed_for_a_reason_and_on_the_record() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.post("orders/douyin-main:V100/reveal", &json!({ "reason": " " })).await.problem(422, "invalid");
    let ask =
        |token: &str| Ask::post("orders/douyin-main:V100/reveal", &json!({ "reason": "lost phone" })).token(token);
    bridge.ask(ask(SETTLEMENT)).await.problem(403, "forbidden");
    let reply = bridge.ask(ask(OPERATOR)).await.expect(200);
    assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
    let shown = reply.json();
    assert_eq!(shown["booking"]["visitors"][0]["name"], "Ada Example");
    assert_eq!(shown["booking"]["visitors"][0]["document"]["number"], "R100X0001");
    assert_eq!(shown["buyer"]["phone"], "13800000100");
    let all = bridge.get("orders/douyin-main:V100/events?limit=200").await;
    let last = all.json()["items"].as_array().unwrap().first().unwrap().clone();
    assert_eq!(
        (&last["kind"], &last["actor"]["name"], &last["reason"]),
        (&json!("guests_revealed"), &json!("desk"), &json!("lost phone"))
    );
    assert!(!all.text().contains("Ada Example") && !all.text().contains("13800000100"), "the history stays masked");
}

#[tokio::test]
async fn a_dead_delivery_is_retried_or_dropped() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    for _ in 0..4 {
        bridge.partners.next("/certificate/verify/", Outcome::Says(500, json!({})));
    }
    bridge.post("orders/douyin-main:V100/redeem", &json!({})).await.expect(200);
    for _ in 0..8 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
    }
    let dead = bridge.get("deliveries?state=dead").await.json()["items"][0].clone();
    assert_eq!((&dead["call"], &dead["attempts"]), (&json!("redeemed"), &json!(4)), "{dead}");
    let id = dead["id"].as_str().unwrap();
    let again = bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.expect(200).json();
    assert_eq!((&again["state"], &again["attempts"]), (&json!("pending"), &json!(0)));
    bridge.drain().await;
    assert_eq!(bridge.get("deliveries?state=dead").await.json()["items"], json!([]));
    bridge.post(&format!("deliveries/{id}/retry"), &json!({})).await.problem(409, "already_delivered");
    bridge.post(&format!("deliveries/{id}/drop"), &json!({ "reason": "r" })).await.problem(409, "already_delivered");
    bridge.post("deliveries/dlv_0/retry", &json!({})).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_paused_partner_keeps_its_deliveries() {
    let bridge = TestBridge::start().await;
    let paused = bridge.post("backends/gate/pause", &json!({})).await.expect(200).json();
    assert_eq!((&paused["state"], &paused["adapter"]), (&json!("paused"), &json!("ticketing_http")));
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/bridge/").len(), 0);
    let gate = bridge.get("backends").await.json()["items"][0].clone();
    assert_eq!((&gate["id"], &gate["state"], &gate["pending"]), (&json!("gate"), &json!("paused"), &json!(1)));
    let waiting = bridge.get("deliveries?state=pending").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let dropped =
        bridge.post(&format!("deliveries/{waiting}/drop"), &json!({ "reason": "by hand" })).await.expect(200).json();
    assert_eq!((&dropped["state"], &dropped["last_error"]), (&json!("dropped"), &json!("ada: by hand")));
    bridge.post("backends/gate/resume", &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.partners.sent("/bridge/").len(), 0, "what was dropped is gone");
    let tickets = json!({ "tickets": [{ "code": "H1", "kind": "code" }, { "code": "H2", "kind": "qr" }] });
    let order = bridge.post("orders/douyin-main:V100/tickets", &tickets).await.expect(200).json();
    assert_eq!(order["booking"]["ticketing"]["state"], "issued");
    bridge.post("channels/nowhere/pause", &json!({})).await.problem(404, "not_found");
    bridge.post("channels/douyin-main/pause", &json!({ "why": "x" })).await.problem(422, "invalid");
}

#[tokio::test]
async fn codes_are_loaded_once_from_json_or_csv() {
    let bridge = TestBridge::start().await;
    let added = bridge.post("codes/lp-2026", &json!({ "codes": ["A1", "A2", "A1"] })).await.expect(200).json();
    assert_eq!(added, json!({ "added": 2, "duplicates": 1 }));
    let csv = Ask::new(Method::POST, "/ops/v1/codes/lp-2026")
        .token(OPERATOR)
        .header("content-type", "text/csv; charset=utf-8");
    let added = bridge.ask(csv.body("id,code\n1,A2\n2,A3\n")).await.expect(200).json();
    assert_eq!(added, json!({ "added": 1, "duplicates": 1 }));
    let pool = bridge.get("codes/lp-2026").await.expect(200).json();
    let expected = json!({ "pool": "lp-2026", "total": 3, "issued": 0, "held_back": 0, "available": 3, "low_water": 50, "is_low": true });
    assert_eq!(pool, expected);
    for path in ["codes/gate", "codes/nowhere"] {
        bridge.get(path).await.problem(404, "not_found");
        bridge.post(path, &json!({ "codes": ["A1"] })).await.problem(404, "not_found");
    }
    for body in [json!({ "codes": [] }), json!({ "codes": [1] }), json!({}), json!({ "codes": ["A"], "more": 1 })] {
        bridge.post("codes/lp-2026", &body).await.problem(422, "invalid");
    }
}

#[tokio::test]
async fn a_changed_configuration_applies_as_a_whole_or_not_at_all() {
    let bridge = TestBridge::start().await;
    let product = bridge.read_config("products/lakeside.toml");
    bridge.write_config("products/lakeside.toml", &product.replace("stock    = 500", "stok    = 500"));
    bridge.advance(Millis::minutes(1));
    let refused = bridge.post("config/reload", &json!({})).await;
    refused.problem(422, "config_refused");
    let problem = refused.json()["problems"][0].clone();
    assert!(problem["problem"].as_str().unwrap().contains("stok"), "{problem}");
    assert!(
        problem["file"].as_str().unwrap().ends_with("lakeside.toml") && problem["line"].as_u64() > Some(0),
        "{problem}"
    );
    let shown = bridge.get("config").await.json();
    assert_eq!((&shown["version"], &shown["refused"]["problems"][0]), (&json!(1), &problem));
    assert_eq!(shown["refused"]["at"], "2026-11-21T10:01:00+08:00");
    bridge.write_config("products/lakeside.toml", &product.replace("stock    = 500", "stock    = 1"));
    bridge.post("config/reload", &json!({ "expected_version": 7 })).await.problem(409, "version_conflict");
    let applied = bridge.post("config/reload", &json!({ "expected_version": 1 })).await.expect(200).json();
    assert_eq!((&applied["version"], &applied["refused"]), (&json!(2), &Value::Null));
    assert_eq!(applied["needs_restart"], json!([]));
    let service = bridge.read_config("ticketbridge.toml");
    bridge.write_config("ticketbridge.toml", &format!("{service}\n[log]\nformat = \"json\"\n"));
    let applied = bridge.post("config/reload", &json!({})).await.expect(200).json();
    assert_eq!(applied["needs_restart"], json!(["log"]), "what a reload cannot bring about is said");
    let reply = bridge.douyin("create-order", &douyin::sale("V100", 2, bridge.now())).await.json();
    assert_ne!(reply["data"]["error_code"], 0, "two units of one: {reply}");
}

#[tokio::test]
async fn what_is_under_way_waits_for_a_partner_that_is_taken_out_and_comes_back() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.issue_too_slow("R100", 2).await;
    let (product, gate) = (bridge.read_config("products/lakeside.toml"), bridge.read_config("backends/gate.toml"));
    let ticketing = "{ mode = \"backend\", backend = \"gate\", product = \"P-778\" }";
    bridge.write_config("products/lakeside.toml", &product.replace(ticketing, "{ mode = \"none\" }"));
    std::fs::remove_file(bridge.config_directory().join("backends/gate.toml")).expect("the back-end's file");
    bridge.post("config/reload", &json!({})).await.expect(200);
    for _ in 0..20 {
        bridge.drain().await;
        bridge.advance(Millis::seconds(15));
    }
    let list = bridge.get("deliveries?state=pending").await.expect(200).json();
    let waiting = &list["items"][0];
    assert_eq!((&waiting["destination"], &waiting["attempts"]), (&json!("backend:gate"), &json!(0)), "{list}");
    let error = waiting["last_error"].as_str().unwrap_or_default();
    assert!(error.contains("`gate`: no longer configured"), "{list}");
    assert_eq!(bridge.get("deliveries?state=dead").await.expect(200).json()["items"], json!([]));

    bridge.write_config("products/lakeside.toml", &product);
    bridge.write_config("backends/gate.toml", &gate);
    bridge.post("config/reload", &json!({})).await.expect(200);
    bridge.advance(Millis::minutes(2));
    bridge.drain().await;
    assert_eq!(bridge.order("V100").await["booking"]["ticketing"]["state"], "issued");
}

#[tokio::test]
async fn a_refused_message_is_carried_out_again_after_what_was_wrong_is_mended() {
    let bridge = TestBridge::start().await;
    let product = bridge.read_config("products/lakeside.toml");
    bridge.write_config("products/lakeside.toml", &product.replace("stock    = 500", "stock    = 1"));
    bridge.post("config/reload", &json!({})).await.expect(200);
    bridge.douyin("create-order", &douyin::sale("V100", 2, bridge.now())).await.expect(200);
    let row = bridge.get("inbox?verdict=refused").await.json()["items"][0].clone();
    let replay = format!("inbox/{}/replay", row["id"].as_str().unwrap());
    let still = bridge.post(&replay, &json!({})).await.expect(200).json();
    assert_eq!((&still["verdict"], &still["changed"]), (&json!("refused"), &json!(false)), "{still}");
    bridge.write_config("products/lakeside.toml", &product.replace("stock    = 500", "# unlimited"));
    bridge.post("config/reload", &json!({})).await.expect(200);
    let taken = bridge.post(&replay, &json!({})).await.expect(200).json();
    assert_eq!(
        (&taken["before"], &taken["verdict"], &taken["changed"]),
        (&json!("refused"), &json!("accepted"), &json!(true))
    );
    assert_eq!(bridge.order("V100").await["id"], taken["order_id"]);
    let repeat = bridge.post(&replay, &json!({})).await.expect(200).json();
    assert_eq!((&repeat["verdict"], &repeat["changed"]), (&json!("accepted"), &json!(false)), "{repeat}");
    bridge.post("inbox/inb_0/replay", &json!({})).await.problem(404, "not_found");
}

/// The order's calls with what was asked and answered in them: of what came in as long as it is kept, of everything else from the recording.
#[tokio::test]
async fn what_was_asked_and_answered_in_a_call_is_shown_on_demand() {
    crate::support::leaves_work();
    let recording = |files: &mut std::collections::BTreeMap<String, String>| {
        files.get_mut("ticketbridge.toml").expect("the file").push_str("\n[recorder]\nkeep = \"48h\"\n");
    };
    let quiet = |_: &mut std::collections::BTreeMap<String, String>| {};
    for (is_recorded, bridge) in
        [(true, TestBridge::start_with(recording).await), (false, TestBridge::start_with(quiet).await)]
    {
        bridge.ticketed("V100", "R100").await;
        let path = format!("orders/{CHANNEL}:V100/calls");
        let all_there = |calls: &Value| {
            let items = calls["items"].as_array().expect("a list");
            let out = items.iter().any(|call| call["direction"] == "out" && !call["said"]["asked"].is_null());
            items.iter().filter(|call| call["direction"] == "in").count() >= 2 && out == is_recorded
        };
        bridge.eventually(&format!("{path}?bodies=true"), all_there).await;
        let calls = bridge.get(&format!("{path}?bodies=true")).await.expect(200).json();
        let items = calls["items"].as_array().expect("a list");
        let of = |call: &str| items.iter().find(|it| it["call"] == call).map(|it| it["said"].clone()).expect("a call");
        let sale = of("create-order");
        assert!(sale["asked"].is_object() && sale["answered"]["data"].is_object(), "{sale}");
        let issue = items.iter().find(|it| it["direction"] == "out" && it["partner"] == "gate").expect("a call");
        if is_recorded {
            assert_eq!(issue["said"]["to"], "POST https://tickets.example/bridge/reservations", "{issue}");
            assert_eq!(issue["said"]["asked"]["product"], "P-778", "{issue}");
            assert_eq!(issue["said"]["answered"]["state"], "issued", "{issue}");
        } else {
            assert_eq!(issue["said"], json!({ "to": null, "asked": null, "answered": null, "masked": true }));
        }
        for nobody in ["Example", "13800000100", "13900000001"] {
            assert!(!calls.to_string().contains(nobody), "{nobody}: {calls}");
        }
        let plain = bridge.get(&path).await.expect(200).json();
        assert!(plain["items"].as_array().expect("a list").iter().all(|call| call["said"].is_null()), "{plain}");
        bridge.get(&format!("{path}?bodies=no")).await.problem(422, "invalid");
    }
}

/// Whoever asks what was said sees it, and nobody in it.
#[tokio::test]
async fn what_was_said_is_shown_masked() {
    crate::support::leaves_work();
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let order = bridge.order("V100").await;
    let path = format!("inbox?order={}", order["id"].as_str().expect("an id"));
    let rows = bridge.get(&path).await.expect(200).json()["items"].as_array().expect("a list").clone();
    assert!(rows.len() >= 2, "{rows:?}");
    let mut all = String::new();
    for row in &rows {
        let one = bridge.get(&format!("inbox/{}", row["id"].as_str().expect("an id"))).await.expect(200).json();
        assert_eq!((&one["id"], &one["answer_status"]), (&row["id"], &json!(200)));
        assert!(one["body"].is_object() && one["answer"].is_object(), "{one}");
        all += &one.to_string();
    }
    assert!(all.contains("V100") && all.contains("R100") && all.contains("LP-V2|LP-B2"), "{all}");
    for nobody in ["Example", "13800000100", "13900000001"] {
        assert!(!all.contains(nobody), "{nobody}: {all}");
    }
    bridge.get("inbox/inb_0").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_kept_message_is_not_kept_twice() {
    let bridge = TestBridge::start().await;
    bridge.douyin("issue-voucher", &douyin::issue("R100", 2)).await.expect(200);
    let row = bridge.get("inbox?verdict=parked").await.json()["items"][0].clone();
    let replay = format!("inbox/{}/replay", row["id"].as_str().unwrap());
    let waits = bridge.post(&replay, &json!({})).await.expect(200).json();
    assert_eq!((&waits["verdict"], &waits["changed"]), (&json!("parked"), &json!(false)), "{waits}");
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let taken = bridge.post(&replay, &json!({})).await.expect(200).json();
    assert_eq!((&taken["verdict"], &taken["changed"]), (&json!("accepted"), &json!(false)), "{taken}");
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let bridge = TestBridge::start().await;
    let padded = |length: usize| {
        let body = format!("{{{}}}", " ".repeat(length - 2));
        Ask::new(Method::POST, "/ops/v1/channels/douyin-main/pause").token(OPERATOR).body(body)
    };
    assert_eq!(bridge.ask(padded(1024 * 1024)).await.status, 200);
    bridge.ask(padded(1024 * 1024 + 1)).await.problem(413, "too_large");
    bridge.ask(padded(16).body("{")).await.problem(400, "malformed");
}

#[tokio::test]
async fn every_answer_carries_the_id_of_its_request() {
    let bridge = TestBridge::start().await;
    for path in ["/ops/v1/config", "/healthz", "/nowhere", "/channels/douyin-main/can-buy"] {
        let own = bridge.ask(Ask::new(Method::GET, path).header("x-request-id", "from-the-proxy-7")).await;
        assert_eq!(own.headers["x-request-id"], "from-the-proxy-7", "{path}");
        let made = bridge.ask(Ask::new(Method::GET, path)).await;
        assert!(made.headers["x-request-id"].to_str().unwrap().starts_with("req_"), "{path}");
    }
}
