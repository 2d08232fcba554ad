// SPDX-License-Identifier: Apache-2.0

//! Nothing is issued twice: a code admits one guest, whoever gave it out, and a back-end's number means one reservation.

use serde_json::{Value, json};
use ticketbridge_core::Millis;

use crate::support::partners::Outcome;
use crate::support::{CHANNEL, TestBridge, douyin, on_each_database};

/// A booking `R…` of a sale `V…` that the gate answers with `said`, and what became of it.
async fn answered(bridge: &TestBridge, number: u32, said: Value) -> Value {
    let (sale, booking) = (format!("V{number}"), format!("R{number}"));
    bridge.partners.next("/bridge/reservations", Outcome::Says(201, said));
    bridge.sell(&sale).await;
    bridge.book(&booking, &sale, "2026-12-01").await;
    bridge.drain().await;
    bridge.order(&sale).await
}

/// An order of the pool's product, booked.
async fn of_the_pool(bridge: &TestBridge, number: u32) -> Value {
    let (sale, booking) = (format!("V{number}"), format!("R{number}"));
    let mut sold = douyin::sale(&sale, 1, bridge.now());
    sold["product_out_id"] = json!("LP-V1|LP-B1");
    sold["amount"] = json!({ "origin_amount": 10_900, "pay_amount": 10_900 });
    let mut booked = douyin::booking(&booking, &sale, "2026-12-01", 1, bridge.now());
    booked["product_out_id"] = json!("LP-V1|LP-B1");
    booked["amount"] = sold["amount"].clone();
    booked["tourists"] = json!([booked["tourists"][0]]);
    for body in [sold, booked] {
        let answer = bridge.douyin("create-order", &body).await.expect(200).json();
        assert_eq!(answer["data"]["error_code"], 0, "{answer}");
    }
    bridge.drain().await;
    bridge.order(&sale).await
}

fn codes(order: &Value) -> Vec<Value> {
    let tickets = order["booking"]["ticketing"]["tickets"].as_array().expect("a list");
    tickets.iter().map(|ticket| ticket["code"].clone()).collect()
}

fn issued(codes: &[&str], number: Option<&str>) -> Value {
    let tickets: Vec<Value> = codes.iter().map(|code| json!({ "code": code })).collect();
    json!({ "state": "issued", "backend_ref": number, "tickets": tickets })
}

/// Nothing of the answer was taken on, and a person is told why; the honest answer that follows is.
async fn held_until_the_gate_says_better(bridge: &TestBridge, number: u32, order: &Value, why: &str) {
    assert_eq!(codes(order), [] as [Value; 0], "{order}");
    assert_eq!(order["attention"]["kind"], "answer_astray", "{order}");
    let sentence = order["attention"]["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains(why), "{sentence}");
    let own = [format!("OWN-{number}-1"), format!("OWN-{number}-2")];
    let honest = issued(&own.each_ref().map(String::as_str), Some(&format!("G-{number}")));
    bridge.partners.next("/bridge/reservations", Outcome::Says(200, honest));
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    let order = bridge.order(&format!("V{number}")).await;
    assert_eq!(
        (&order["booking"]["ticketing"]["state"], &order["attention"]),
        (&json!("issued"), &Value::Null),
        "{order}"
    );
}

#[tokio::test]
async fn what_another_order_holds_is_not_handed_out_whoever_gives_it() {
    crate::support::leaves_work();
    on_each_database(
        |_| {},
        async |bridge| {
            let first = answered(bridge, 100, issued(&["DUP-1", "DUP-2"], Some("G-1"))).await;
            assert_eq!(first["booking"]["ticketing"]["state"], "issued", "{first}");
            let holder = first["id"].as_str().expect("an id");
            let cases = [
                (101, issued(&["NEW-1", "DUP-2"], None), "code"),
                (102, issued(&["NEW-1", "NEW-2"], Some("G-1")), "number"),
                (103, json!({ "state": "pending", "backend_ref": "G-1" }), "number"),
            ];
            for (number, said, what) in cases {
                let order = answered(bridge, number, said).await;
                let why =
                    format!("{what} is held by order {holder}").replace("number is", "number of the reservation is");
                held_until_the_gate_says_better(bridge, number, &order, &why).await;
            }
            let twins = answered(bridge, 104, issued(&["TWIN", "TWIN"], None)).await;
            held_until_the_gate_says_better(bridge, 104, &twins, "one code for several copies").await;
            // By an event of the gate, and by a person's hand.
            let waits = answered(bridge, 105, json!({ "state": "pending" })).await;
            let mut told = json!({ "type": "reservation.issued", "reservation_id": waits["booking"]["id"],
                "occurred_at": "2026-11-21T10:00:00+08:00", "data": issued(&["DUP-1", "NEW-5"], None) });
            bridge.backend_event("gate", "evt-1", &told).await.expect(200);
            let order = bridge.order("V105").await;
            assert_eq!((codes(&order), &order["attention"]["kind"]), (Vec::new(), &json!("answer_astray")), "{order}");
            let path = format!("orders/{CHANNEL}:V105/tickets");
            let by_hand =
                |codes: [&str; 2]| json!({ "tickets": codes.map(|code| json!({ "code": code, "kind": "code" })) });
            let refused = bridge.post(&path, &by_hand(["DUP-1", "NEW-5"])).await.problem(422, "invalid");
            assert!(refused.contains(holder), "{refused}");
            bridge.post(&path, &by_hand(["SAME", "SAME"])).await.problem(422, "invalid");
            bridge.post(&path, &by_hand(["HAND-1", "HAND-2"])).await.expect(200);
            // What is void there is free again.
            bridge
                .post(&format!("orders/{CHANNEL}:V100/cancel"), &json!({ "reason": "the lake is frozen" }))
                .await
                .expect(200);
            bridge.drain().await;
            assert_eq!(bridge.order("V100").await["booking"]["ticketing"]["state"], "cancelled");
            told["data"] = issued(&["DUP-1", "DUP-2"], Some("G-1"));
            let order = answered(bridge, 106, told["data"].clone()).await;
            assert_eq!(codes(&order).len(), 2, "{order}");
            assert_eq!(order["attention"], Value::Null);
        },
    )
    .await;
}

#[tokio::test]
async fn a_pool_gives_out_no_code_that_somebody_has_from_elsewhere() {
    crate::support::leaves_work();
    on_each_database(
        |_| {},
        async |bridge| {
            of_the_pool(bridge, 200).await;
            let by_hand = json!({ "tickets": [{ "code": "POOL-1", "kind": "code" }] });
            bridge.post(&format!("orders/{CHANNEL}:V200/tickets"), &by_hand).await.expect(200);
            bridge.post("codes/lp-2026", &json!({ "codes": ["POOL-1", "POOL-2"] })).await.expect(200);
            let next = of_the_pool(bridge, 201).await;
            assert_eq!(codes(&next), ["POOL-2"], "{next}");
            // Nor does a person give out what the pool has given.
            of_the_pool(bridge, 202).await;
            let taken = json!({ "tickets": [{ "code": "POOL-2", "kind": "code" }] });
            let refused = bridge.post(&format!("orders/{CHANNEL}:V202/tickets"), &taken).await.problem(422, "invalid");
            assert!(refused.contains(next["id"].as_str().expect("an id")), "{refused}");
        },
    )
    .await;
}

#[tokio::test]
async fn what_a_person_gives_from_the_list_of_a_pool_is_given_to_nobody_else() {
    crate::support::leaves_work();
    on_each_database(
        |_| {},
        async |bridge| {
            let import = async |codes: &[&str]| {
                let said = bridge.post("codes/lp-2026", &json!({ "codes": codes })).await.expect(200).json();
                (said["added"].as_u64().expect("a count"), said["duplicates"].as_u64().expect("a count"))
            };
            let left = async || bridge.get("codes/lp-2026").await.expect(200).json()["available"].clone();
            let by_hand = async |number: u32, codes: &[&str]| {
                let tickets: Vec<Value> = codes.iter().map(|code| json!({ "code": code, "kind": "code" })).collect();
                bridge.post(&format!("orders/{CHANNEL}:V{number}/tickets"), &json!({ "tickets": tickets })).await
            };
            assert_eq!(import(&["POOL-1", "POOL-2", "POOL-3", "POOL-4"]).await, (4, 0));
            let guest = of_the_pool(bridge, 300).await;
            assert_eq!((codes(&guest), left().await), (vec![json!("POOL-1")], json!(3)));
            // Orders of the gate, which does not answer: a person gives them codes.
            for number in [301, 302] {
                answered(bridge, number, json!({ "state": "pending" })).await;
            }
            let refused = by_hand(301, &["POOL-1", "OWN-1"]).await.problem(422, "invalid");
            assert!(refused.contains(guest["id"].as_str().expect("an id")), "it is a guest's already: {refused}");
            by_hand(301, &["POOL-2", "OWN-1"]).await.expect(200);
            assert_eq!(left().await, json!(2), "what it has left without it");
            by_hand(302, &["POOL-2", "OWN-2"]).await.problem(422, "invalid");
            by_hand(302, &["LATER-1", "POOL-3"]).await.expect(200);
            assert_eq!(import(&["LATER-1", "LATER-2", "OWN-1"]).await, (1, 2), "what somebody has is not taken in");
            assert_eq!(left().await, json!(2));
            let next = [of_the_pool(bridge, 303).await, of_the_pool(bridge, 304).await];
            assert_eq!(next.each_ref().map(codes), [[json!("POOL-4")], [json!("LATER-2")]], "{next:?}");
        },
    )
    .await;
}

/// Nothing goes on by itself once a pool was empty for too long: what helps is said with its names.
#[tokio::test]
async fn an_order_of_an_empty_pool_says_how_the_pool_is_filled_and_what_then() {
    let bridge = TestBridge::start().await;
    of_the_pool(&bridge, 400).await;
    for _ in 0..14 {
        bridge.advance(Millis::minutes(11));
        bridge.drain().await;
    }
    let order = bridge.order("V400").await;
    let flags = order["attentions"].as_array().expect("a list");
    let failed = flags.iter().find(|flag| flag["kind"] == "ticketing_failed").expect("it waits for a person");
    let command = failed["command"].as_str().expect("a command");
    let id = order["id"].as_str().expect("an id");
    for part in ["codes import lp-2026 FILE", &format!("deliveries list --order {id}"), "deliveries retry DELIVERY"] {
        assert!(command.contains(part), "{part}: {command}");
    }
    bridge.post("codes/lp-2026", &json!({ "codes": ["POOL-1"] })).await.expect(200);
    let dead = bridge.get(&format!("deliveries?order={id}&state=dead")).await.expect(200).json();
    let delivery = dead["items"][0]["id"].as_str().expect("a dead letter");
    bridge.post(&format!("deliveries/{delivery}/retry"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(codes(&bridge.order("V400").await), ["POOL-1"]);
}
