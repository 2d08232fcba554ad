// SPDX-License-Identifier: Apache-2.0

//! One act on many: first what it would do, then doing it as the act on one does, and a report.

use serde_json::{Value, json};
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::Millis;
use ticketbridge_store::{NewBulk, ScopeWords, StoreError, Tx};

use crate::accounts::bridge;
use crate::support::people::Person;
use crate::support::{TestBridge, douyin, on_each_database};

/// Orders `V1…` with a refund under review each, of which one is decided already.
async fn under_review(bridge: &TestBridge, many: u32) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..many {
        let (sale, booking) = (format!("V10{n}"), format!("R10{n}"));
        bridge.ticketed(&sale, &booking).await;
        let applied = douyin::refund_apply(&booking, &format!("K{n}"), 102, 0, bridge.now());
        bridge.douyin("refund-apply", &applied).await.expect(200);
        bridge.drain().await;
        ids.push(bridge.stored(&sale).await.id.to_string());
    }
    ids
}

/// Waits until it is over: what is done goes on by itself, in a task of its own.
async fn report(bridge: &TestBridge, id: &str) -> Value {
    bridge.eventually(&format!("bulk/{id}"), |said| said["state"] == "done").await
}

#[tokio::test]
async fn many_are_looked_at_first_and_then_done_each_as_one_would_be() {
    on_each_database(
        |_| {},
        async |bridge| {
            let ids = under_review(bridge, 3).await;
            let case = bridge.stored("V100").await.refund_case.expect("a case").id;
            bridge.post(&format!("refunds/{case}/reject"), &json!({ "reason": "used" })).await.expect(200);
            let all = json!({ "match": { "channel": "douyin-main" } });
            let said = bridge.post("bulk/approve?dry_run=true", &all).await.expect(200).json();
            assert_eq!(
                (&said["total"], &said["allowed"], &said["refused"]),
                (&json!(3), &json!(2), &json!(1)),
                "{said}"
            );
            let total = bridge.stored("V101").await.money.due;
            assert_eq!(said["sums"][0]["currency"], "CNY");
            assert_eq!(said["sums"][0]["total"], json!(2 * total));
            assert_eq!(said["sums"][0]["returns"], json!(2 * total));
            assert_eq!(said["refusals"][0]["id"], json!(ids[0]));
            // Nothing was done.
            assert_eq!(bridge.order("V101").await["refund_case"]["state"], "under_review");
            // One of them changes after it was looked at: that one is refused, and nothing of the others is.
            let changed = bridge.stored("V102").await.id;
            bridge.post(&format!("orders/{changed}/reveal"), &json!({ "reason": "calls" })).await.expect(200);
            let chosen = json!({ "items": said["targets"] });
            let begun = bridge.post("bulk/approve", &chosen).await.expect(200).json();
            let over = report(bridge, begun["id"].as_str().expect("an id")).await;
            assert_eq!((&over["total"], &over["done"], &over["refused"]), (&json!(2), &json!(1), &json!(1)), "{over}");
            assert_eq!(over["refusals"][0]["code"], "version_conflict");
            bridge.drain().await;
            assert_eq!(bridge.order("V101").await["refund_case"]["state"], "approved");
            assert_eq!(bridge.order("V102").await["refund_case"]["state"], "under_review");
            // Each act stands in the audit as that of one would.
            let audit = bridge.get("audit").await.expect(200).json();
            let acts = audit["items"].as_array().expect("entries").iter().filter(|it| it["act"] == "refunds_approve");
            assert_eq!(acts.count(), 1, "{audit}");
            // And what was done to many, or only looked at.
            let many = audit["items"].as_array().expect("entries").iter().filter(|it| it["act"] == "bulk");
            let said: Vec<&Value> = many.map(|it| &it["detail"]).collect();
            assert_eq!(
                said,
                [&json!({ "each": "approve", "many": 2 }), &json!({ "each": "approve", "dry_run": true })]
            );
        },
    )
    .await;
}

#[tokio::test]
async fn what_was_begun_and_left_is_carried_on_and_nothing_is_done_twice() {
    crate::support::leaves_work();
    let bridge = bridge().await;
    let ids = under_review(&bridge, 2).await;
    // As an instance leaves it that is killed before it has done anything, or between doing and noting it.
    let new = NewBulk {
        id: "blk_1".to_owned(),
        act: "reject".to_owned(),
        asked_by: "token:ada".to_owned(),
        scope: ScopeWords { kind: "everything".to_owned(), id: None },
        body: json!({ "reason": "the tickets are here" }),
        targets: ids.iter().map(|id| (id.clone(), None)).collect(),
        at: bridge.now(),
    };
    let new = std::sync::Arc::new(new);
    let store = bridge.bridge.engine().store().clone();
    let kept: Result<(), StoreError> = store
        .write("add_bulk", move |tx: &Tx| {
            let new = new.clone();
            Box::pin(async move { tx.add_bulk(&new).await })
        })
        .await;
    kept.expect("it is kept");
    // Its first was done under its key, and that was not noted.
    let case = bridge.stored("V100").await.refund_case.expect("a case").id;
    let done =
        crate::support::Ask::post(&format!("refunds/{case}/reject"), &json!({ "reason": "the tickets are here" }));
    bridge.ask(done.key("blk_1/0")).await.expect(200);
    let version = bridge.stored("V100").await.version;
    let shared = bridge.bridge.shared();
    let (one, other) = tokio::join!(
        ticketbridge::housekeeping::schedule::carry_on(shared),
        ticketbridge::housekeeping::schedule::carry_on(shared)
    );
    assert!(one.is_ok() && other.is_ok());
    let over = report(&bridge, "blk_1").await;
    assert_eq!((&over["done"], &over["refused"]), (&json!(2), &json!(0)), "{over}");
    assert_eq!(bridge.stored("V100").await.version, version, "not twice");
    for sale in ["V100", "V101"] {
        assert_eq!(bridge.order(sale).await["refund_case"]["state"], "rejected", "{sale}: decided");
    }
}

#[tokio::test]
async fn many_of_another_agency_are_not_there_and_money_wants_a_fresh_factor() {
    crate::support::leaves_work();
    let bridge = bridge().await;
    let ids = under_review(&bridge, 2).await;
    let south = Person::joins(&bridge, "boss@south.example", Role::Admin, Scope::Agency("south".into())).await;
    let mut north = Person::joins(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    // Time passes while people join; nobody is idle for long.
    south.get(&bridge, "session").await.expect(200);
    let viewer = Person::joins(&bridge, "see@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    for person in [&south, &north] {
        person.get(&bridge, "session").await.expect(200);
    }
    let named = json!({ "items": ids });
    let said = south.post(&bridge, "bulk/approve?dry_run=true", &named).await.expect(200).json();
    assert_eq!((&said["allowed"], &said["sums"]), (&json!(0), &json!([])), "{said}");
    let unknown = south.post(&bridge, "bulk/approve?dry_run=true", &json!({ "items": ["ord_nothing"] })).await;
    let code = |said: &Value| said["refusals"][0]["code"].clone();
    assert_eq!(code(&said), code(&unknown.expect(200).json()), "as if it were not there");
    let all = south.post(&bridge, "bulk/approve?dry_run=true", &json!({ "match": {} })).await.expect(200).json();
    assert_eq!(all["total"], json!(0));
    viewer.post(&bridge, "bulk/approve?dry_run=true", &named).await.problem(403, "forbidden");
    bridge.advance(Millis::minutes(6));
    // What it would do may be looked at; doing it wants the factor.
    north.post(&bridge, "bulk/approve?dry_run=true", &named).await.expect(200);
    north.post(&bridge, "bulk/approve", &named).await.problem(403, "fresh_factor_required");
    north.passes_factor(&bridge).await;
    let begun = north.post(&bridge, "bulk/approve", &named).await.expect(200).json();
    let id = begun["id"].as_str().expect("an id").to_owned();
    south.get(&bridge, &format!("bulk/{id}")).await.problem(404, "not_found");
    bridge.get(&format!("bulk/{id}")).await.problem(404, "not_found");
    for _ in 0..10_000 {
        if north.get(&bridge, &format!("bulk/{id}")).await.expect(200).json()["state"] == "done" {
            break;
        }
        tokio::task::yield_now().await;
    }
    let over = north.get(&bridge, &format!("bulk/{id}")).await.expect(200).json();
    assert_eq!((&over["state"], &over["done"]), (&json!("done"), &json!(2)), "{over}");
    assert_eq!(north.get(&bridge, "bulk").await.expect(200).json()["items"][0]["id"], json!(id));
}

#[tokio::test]
async fn what_is_wrong_with_a_wish_for_many_is_said_by_its_field() {
    let bridge = bridge().await;
    for (path, body, status, field) in [
        ("bulk/approve", json!({}), 422, "items"),
        ("bulk/approve", json!({ "items": ["a"], "match": {} }), 422, "items"),
        ("bulk/approve", json!({ "items": [] }), 422, "items"),
        ("bulk/approve", json!({ "items": [7] }), 422, "items[0]"),
        ("bulk/approve", json!({ "items": [{ "id": "a", "version": 1 }] }), 422, "items[0].version"),
        ("bulk/approve", json!({ "match": { "stat": "booked" } }), 422, "stat"),
        ("bulk/approve", json!({ "match": { "limit": 5 } }), 422, "limit"),
        ("bulk/reject", json!({ "items": ["a"] }), 422, "reason"),
        ("bulk/drop?dry_run=perhaps", json!({ "items": ["a"], "reason": "x" }), 422, "dry_run"),
    ] {
        let said = bridge.post(path, &body).await.expect(status).json();
        assert_eq!(said["field"], json!(field), "{path} {body}: {said}");
    }
    bridge.post("bulk/explode", &json!({ "items": ["a"] })).await.problem(404, "not_found");
}
