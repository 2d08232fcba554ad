// SPDX-License-Identifier: Apache-2.0

//! Partners as files through the real router: doors that open and close in time, and settle units that are closed only when nothing is left.

use serde_json::{Value, json};
use ticketbridge_core::Millis;

use crate::support::people::PARTNERS;
use crate::support::{CHANNEL, TestBridge, douyin};

fn addresses(networks: &str, propagation: &str, more: &str) -> String {
    format!(
        "{PARTNERS}\n[[operating_addresses]]\nconnection = \"{CHANNEL}\"\nnetworks = [{networks}]\npropagation = \"{propagation}\"\n{more}\n"
    )
}

async fn bridge(partners: &str) -> TestBridge {
    TestBridge::start_with(|files| {
        files.insert("partners/all.toml".to_owned(), partners.to_owned());
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel");
        *channel = channel.replace("adapter = \"douyin\"", "adapter = \"douyin\"\nsettle_id = \"park-1\"");
    })
    .await
}

/// What a call from 203.0.113.9 gets: 200, or 403 with the time from which it will be let in.
async fn called(bridge: &TestBridge) -> (u16, Value) {
    let reply = bridge.douyin("create-order", &douyin::sale("V1", 2, bridge.now())).await;
    (reply.status.as_u16(), reply.json()["pending_effective_at"].clone())
}

#[tokio::test]
async fn a_changed_list_of_addresses_takes_effect_after_its_time_and_survives_a_restart() {
    let bridge = bridge(&addresses("\"198.51.100.0/24\"", "5m", "")).await;
    assert_eq!(called(&bridge).await, (403, Value::Null), "the first start acts at once");
    bridge.write_config("partners/all.toml", &addresses("\"203.0.113.0/24\"", "5m", ""));
    bridge.post("config/reload", &json!({})).await.expect(200);
    let pending = (403, json!("2026-11-21T10:05:00+08:00"));
    assert_eq!(called(&bridge).await, pending);
    let shown = bridge.get("partners").await.expect(200).json();
    let doors = |shown: &Value| {
        let connection =
            shown["connections"].as_array().expect("connections").iter().find(|it| it["id"] == CHANNEL).cloned();
        let all = connection.expect("the channel")["addresses"].as_array().expect("addresses").clone();
        all.iter().map(|door| (door["network"].clone(), door["state"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(
        doors(&shown),
        [(json!("198.51.100.0/24"), json!("effective")), (json!("203.0.113.0/24"), json!("pending"))]
    );
    let bridge = bridge.restart().await;
    assert_eq!(called(&bridge).await, pending, "what waits is in the database");
    bridge.advance(Millis::minutes(5));
    assert_eq!(called(&bridge).await.0, 200);
    let shown = bridge.get("partners").await.expect(200).json();
    assert_eq!(
        doors(&shown),
        [(json!("198.51.100.0/24"), json!("removed")), (json!("203.0.113.0/24"), json!("effective"))]
    );
    // In an emergency nothing waits.
    bridge.write_config("partners/all.toml", &addresses("\"198.51.100.0/24\"", "5m", "emergency = true"));
    bridge.post("config/reload", &json!({})).await.expect(200);
    assert_eq!(called(&bridge).await, (403, Value::Null));
    let audit = bridge.get("audit").await.expect(200).json();
    let acts = audit["items"].as_array().expect("entries").iter().map(|it| it["act"].clone()).collect::<Vec<_>>();
    assert!(acts.contains(&json!("addresses_changed_in_emergency")), "{acts:?}");
}

#[tokio::test]
async fn a_settle_unit_is_closed_when_nothing_of_it_is_unsettled() {
    let bridge = bridge(PARTNERS).await;
    bridge.sell("V100").await;
    bridge.drain().await;
    let statement = "statements?settle_id=park-1&from=2026-11-21&to=2026-11-21";
    let sold = bridge.get(statement).await.expect(200).json();
    assert!(!sold["lines"].as_array().expect("lines").is_empty(), "{sold}");
    // The channel goes to another unit of the same institution, and the old one is closed.
    let second = "\n[[settle_unit]]\nid = \"park-2\"\ninstitution = \"park\"\n";
    let closed = PARTNERS
        .replace("id = \"park-1\"\ninstitution = \"park\"", "id = \"park-1\"\ninstitution = \"park\"\nclosed = true")
        + second;
    let channel = bridge.read_config("channels/douyin-main.toml").replace("park-1", "park-2");
    bridge.write_config("channels/douyin-main.toml", &channel);
    bridge.write_config("partners/all.toml", &closed);
    let refused = bridge.post("config/reload", &json!({})).await.expect(422).json();
    let problem = refused["problems"][0]["problem"].as_str().expect("a problem");
    assert!(problem.contains("\"park-1\" is closed") && problem.contains("not settled"), "{problem}");
    // Nor can it go without a word: nobody below everything would see its lines any more.
    bridge.write_config("partners/all.toml", &PARTNERS.replace("id = \"park-1\"\n", "id = \"park-2\"\n"));
    let refused = bridge.post("config/reload", &json!({})).await.expect(422).json();
    let problem = refused["problems"][0]["problem"].as_str().expect("a problem");
    assert!(problem.contains("\"park-1\" is gone") && problem.contains("not settled"), "{problem}");
    bridge.write_config("partners/all.toml", &closed);
    let close = json!({ "settle_id": "park-1", "to": "2026-11-21" });
    assert_eq!(bridge.post("statements/close", &close).await.expect(422).json()["field"], "to", "the day is not over");
    bridge.set_time("2026-11-22T00:00:00+08:00");
    bridge.post("statements/close", &close).await.expect(200);
    bridge.post("statements/close", &close).await.problem(409, "already_settled");
    // Who looks at the audit sees what was settled, until when; of other acts, which partner, pool or account they were about.
    bridge.post("backends/gate/pause", &json!({})).await.expect(200);
    let audit = bridge.get("audit").await.expect(200).json();
    let entry = |act: &str| {
        let entries = audit["items"].as_array().expect("entries");
        entries.iter().find(|it| it["act"] == act).expect("an entry")["detail"].clone()
    };
    assert_eq!(entry("statements_close"), json!({ "settle_id": "park-1", "to": "2026-11-21" }));
    assert_eq!(entry("backends_pause"), json!({ "backend": "gate" }));
    bridge.post("backends/gate/resume", &json!({})).await.expect(200);
    bridge.post("config/reload", &json!({})).await.expect(200);
    // Its lines stay, and the new unit begins empty.
    let mut settled = bridge.get(statement).await.expect(200).json();
    assert_eq!(settled["settled_until"].take(), "2026-11-22T00:00:00+08:00");
    assert_eq!(settled, sold, "{}", sold["settled_until"]);
    let tree = bridge.get("partners").await.expect(200).json();
    let units = tree["institutions"].as_array().expect("institutions").iter();
    let mut units = units.flat_map(|it| it["settle_units"].as_array().expect("units"));
    let closed = units.find(|unit| unit["id"] == "park-1").expect("the unit");
    assert_eq!(closed["settled_until"], "2026-11-22T00:00:00+08:00");
    let empty = bridge.get("statements?settle_id=park-2&from=2026-11-21&to=2026-11-22").await.expect(200).json();
    assert_eq!(empty["lines"], json!([]));
}

/// An installation grows from one channel to partners' files: what it sold before is not lost to whoever settles.
#[tokio::test]
async fn what_was_sold_before_the_first_settle_unit_is_settled_under_its_own_name() {
    crate::support::leaves_work();
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.drain().await;
    bridge.write_config("partners/all.toml", PARTNERS);
    let channel = bridge.read_config("channels/douyin-main.toml");
    let named = channel.replace("adapter = \"douyin\"", "adapter = \"douyin\"\nsettle_id = \"park-1\"");
    bridge.write_config("channels/douyin-main.toml", &named);
    bridge.post("config/reload", &json!({})).await.expect(200);
    let older = async || {
        let tree = bridge.get("partners").await.expect(200).json();
        let connections = tree["connections"].as_array().expect("connections").clone();
        connections.iter().find(|it| it["id"] == CHANNEL).expect("the channel")["older_lines"].clone()
    };
    assert_eq!(older().await, json!(true));
    let statement = format!("statements?settle_id={CHANNEL}&from=2026-11-21&to=2026-11-21");
    let sold = bridge.get(&statement).await.expect(200).json();
    assert!(!sold["lines"].as_array().expect("lines").is_empty(), "{sold}");
    let store = bridge.bridge.engine().store().clone();
    let config = bridge.load_config();
    let left = async || ticketbridge::accounts::doors::unsettled_from_before(&store, &config).await.expect("an answer");
    assert_eq!(left().await.first().map(|(channel, _)| channel.clone()), Some(CHANNEL.to_owned()));
    bridge.set_time("2026-11-22T00:00:00+08:00");
    let close = json!({ "settle_id": CHANNEL, "to": "2026-11-21" });
    bridge.post("statements/close", &close).await.expect(200);
    bridge.post("statements/close", &close).await.problem(409, "already_settled");
    assert!(left().await.is_empty(), "`check` has nothing to name any more");
    let mut settled = bridge.get(&statement).await.expect(200).json();
    assert_eq!(settled["settled_until"].take(), "2026-11-22T00:00:00+08:00");
    assert_eq!((older().await, settled), (json!(true), sold), "they are shown on");
    let unknown = json!({ "settle_id": "nowhere", "to": "2026-11-21" });
    bridge.post("statements/close", &unknown).await.problem(404, "not_found");
}
