// SPDX-License-Identifier: Apache-2.0

//! Changed secrets of partners: those of before hold until their time, both are shown meanwhile, and who comes with those that are to come is
//! told from when.

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use ticketbridge_adapters::standard_webhooks::Secrets;
use ticketbridge_core::Millis;

use crate::octo_reseller::{KEY, resold};
use crate::support::{Ask, CHANNEL, GATE_SECRET, Reply, TestBridge, on_each_database};

/// The secret that takes the place of the gate's.
const NEXT: &str = "whsec_YW5vdGhlciBzZWNyZXQgdGhhdCB0aGUgZ2F0ZSB3aWxsIGhhdmU=";
const NEXT_KEY: &str = "another-key-of-acme-travel";

fn gate(secret: &str, more: &str) -> String {
    format!(
        "id = \"gate\"\nadapter = \"ticketing_http\"\n{more}\n[settings]\nbase_url = \"https://tickets.example/bridge\"\n\
         secret = \"{secret}\"\ntimeout = \"5s\"\n"
    )
}

async fn changed_to(bridge: &TestBridge, secret: &str, more: &str) {
    bridge.write_config("backends/gate.toml", &gate(secret, more));
    bridge.post("config/reload", &json!({})).await.expect(200);
}

/// What the gate hears when it calls with this secret.
async fn called(bridge: &TestBridge, secret: &str, id: &str) -> Reply {
    let event = json!({ "type": "ticket.redeemed", "reservation_id": "bkg_of_nobody", "occurred_at": "2026-11-21T10:00:00+08:00", "data": {} });
    let (body, mut headers) = (event.to_string(), HeaderMap::new());
    let secrets = Secrets::parse([secret]).expect("a secret");
    secrets.sign_into(&mut headers, id, bridge.now(), body.as_bytes()).expect("an id");
    let ask = Ask::new(Method::POST, "/backends/gate/events").header("content-type", "application/json");
    let ask = ["webhook-id", "webhook-timestamp", "webhook-signature"].into_iter().fold(ask, |ask, name| {
        let value = headers[name].to_str().expect("text").to_owned();
        ask.header(name, &value)
    });
    bridge.ask(ask.body(body)).await
}

/// Whether the gate is believed with this secret; where it is not, from when it will be.
async fn believed(bridge: &TestBridge, secret: &str, id: &str) -> (bool, Value) {
    let reply = called(bridge, secret, id).await;
    (reply.status.as_u16() != 401, reply.json()["pending_effective_at"].clone())
}

/// The state of each of the gate's secrets.
async fn shown(bridge: &TestBridge, id: &str) -> Vec<Value> {
    let partners = bridge.get("partners").await.expect(200).json();
    assert!(!partners.to_string().contains("whsec_") && !partners.to_string().contains(NEXT_KEY), "{partners}");
    let connections = partners["connections"].as_array().expect("connections").clone();
    let own = connections.iter().find(|it| it["id"] == id).expect("the partner")["secrets"].clone();
    own.as_array().expect("secrets").iter().map(|it| it["state"].clone()).collect()
}

#[tokio::test]
async fn a_changed_secret_takes_effect_after_its_time_and_survives_a_restart() {
    on_each_database(
        |files| {
            files.insert("backends/gate.toml".to_owned(), gate(GATE_SECRET, "propagation = \"5m\""));
        },
        async |bridge| {
            assert_eq!(believed(bridge, GATE_SECRET, "1").await, (true, Value::Null), "the first start acts at once");
            assert_eq!(shown(bridge, "gate").await, [] as [Value; 0]);
            changed_to(bridge, NEXT, "propagation = \"5m\"").await;
            let wait = json!("2026-11-21T10:05:00+08:00");
            assert_eq!(believed(bridge, GATE_SECRET, "2").await, (true, Value::Null));
            assert_eq!(believed(bridge, NEXT, "3").await, (false, wait));
            let other = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCwgd2hpY2ggaXMgbm9uZQ==";
            assert_eq!(believed(bridge, other, "4").await, (false, Value::Null), "nothing is told to strangers");
            assert_eq!(shown(bridge, "gate").await, [json!("effective"), json!("pending")]);
            // What we say ourselves is signed with the secret that holds.
            bridge.advance(Millis::minutes(5));
            assert_eq!(believed(bridge, NEXT, "5").await, (true, Value::Null));
            assert_eq!(believed(bridge, GATE_SECRET, "6").await, (false, Value::Null));
            assert_eq!(shown(bridge, "gate").await, [] as [Value; 0]);
        },
    )
    .await;
}

#[tokio::test]
async fn what_waits_is_in_the_database() {
    let bridge = TestBridge::start_with(|files| {
        files.insert("backends/gate.toml".to_owned(), gate(GATE_SECRET, "propagation = \"5m\""));
    })
    .await;
    // Changed while nobody ran: it waits all the same.
    bridge.write_config("backends/gate.toml", &gate(NEXT, "propagation = \"5m\""));
    let bridge = bridge.restart().await;
    let wait = json!("2026-11-21T10:05:00+08:00");
    assert_eq!(believed(&bridge, NEXT, "1").await, (false, wait.clone()));
    bridge.advance(Millis::minutes(3));
    let bridge = bridge.restart().await;
    assert_eq!(believed(&bridge, NEXT, "2").await, (false, wait), "from then on as before");
    assert_eq!(believed(&bridge, GATE_SECRET, "3").await, (true, Value::Null));
    // Taken back it never comes.
    changed_to(&bridge, GATE_SECRET, "propagation = \"5m\"").await;
    assert_eq!(believed(&bridge, NEXT, "4").await, (false, Value::Null));
    bridge.advance(Millis::minutes(10));
    assert_eq!(believed(&bridge, GATE_SECRET, "5").await, (true, Value::Null));
}

#[tokio::test]
async fn our_own_calls_are_signed_with_the_secret_that_holds() {
    let bridge = TestBridge::start_with(|files| {
        files.insert("backends/gate.toml".to_owned(), gate(GATE_SECRET, "propagation = \"5m\""));
    })
    .await;
    changed_to(&bridge, NEXT, "propagation = \"5m\"").await;
    let is_signed_with = |secret: &str, at: usize| {
        let sent = bridge.partners.sent("/reservations").remove(at);
        let secrets = Secrets::parse([secret]).expect("a secret");
        secrets.verify(&sent.headers, sent.body.to_string().as_bytes(), bridge.now()).is_ok()
    };
    bridge.ticketed("V100", "R100").await;
    assert!(is_signed_with(GATE_SECRET, 0) && !is_signed_with(NEXT, 0));
    bridge.advance(Millis::minutes(5));
    let before = bridge.partners.sent("/reservations").len();
    bridge.ticketed("V101", "R101").await;
    assert!(is_signed_with(NEXT, before) && !is_signed_with(GATE_SECRET, before));
}

#[tokio::test]
async fn in_an_emergency_a_secret_acts_at_once_and_is_on_the_record() {
    let bridge = TestBridge::start_with(|files| {
        files.insert("backends/gate.toml".to_owned(), gate(GATE_SECRET, "propagation = \"5m\""));
    })
    .await;
    changed_to(&bridge, NEXT, "propagation = \"5m\"").await;
    changed_to(&bridge, NEXT, "propagation = \"5m\"\nemergency = true").await;
    assert_eq!(believed(&bridge, NEXT, "1").await, (true, Value::Null), "also what waits already");
    assert_eq!(believed(&bridge, GATE_SECRET, "2").await, (false, Value::Null));
    // Read once more it is no change.
    bridge.post("config/reload", &json!({})).await.expect(200);
    let audit = bridge.get("audit").await.expect(200).json();
    let entries = audit["items"].as_array().expect("entries").iter();
    let entries: Vec<_> = entries.filter(|it| it["act"] == "secrets_changed_in_emergency").collect();
    assert_eq!((entries.len(), &entries[0]["detail"]["connection"]), (1, &json!("backend:gate")));
}

#[tokio::test]
async fn without_a_time_a_secret_acts_at_once_and_is_kept_nowhere() {
    let bridge = TestBridge::start().await;
    changed_to(&bridge, NEXT, "").await;
    assert_eq!(believed(&bridge, NEXT, "1").await, (true, Value::Null));
    assert_eq!(believed(&bridge, GATE_SECRET, "2").await, (false, Value::Null));
    let kept = bridge.bridge.shared().engine.store().partner_secrets().await.expect("rows");
    assert_eq!(kept, []);
}

#[tokio::test]
async fn a_channels_secret_and_a_resellers_key_wait_as_well() {
    let bridge = TestBridge::start_with(|files| {
        resold(files);
        let acme = files.get_mut("channels/acme.toml").expect("the reseller");
        *acme = acme.replace("adapter =", "propagation = \"5m\"\nadapter =");
        let douyin = files.get_mut("channels/douyin-main.toml").expect("the channel");
        *douyin = douyin.replace("adapter =", "propagation = \"5m\"\nadapter =");
    })
    .await;
    let acme =
        bridge.read_config("channels/acme.toml").replace("{ env = \"RESELLER_KEY\" }", &format!("\"{NEXT_KEY}\""));
    bridge.write_config("channels/acme.toml", &acme);
    let douyin = bridge.read_config("channels/douyin-main.toml");
    let douyin = douyin.replace("{ env = \"DOUYIN_SECRET\" }", "\"fedcba9876543210fedcba9876543210\"");
    bridge.write_config("channels/douyin-main.toml", &douyin);
    bridge.post("config/reload", &json!({})).await.expect(200);
    let supplier = async |key: &str| {
        bridge.ask(Ask::new(Method::GET, "/octo/supplier").token(key).header("octo-capabilities", "")).await
    };
    supplier(KEY).await.expect(200);
    let refused = supplier(NEXT_KEY).await.expect(403).text();
    assert!(refused.contains("2026-11-21T03:05:00+01:00"), "{refused}");
    bridge.sell("V100").await;
    assert_eq!(shown(&bridge, CHANNEL).await, [json!("effective"), json!("pending")]);
    bridge.advance(Millis::minutes(5));
    supplier(NEXT_KEY).await.expect(200);
    let refused = supplier(KEY).await.expect(403).text();
    assert!(!refused.contains("holds from"), "{refused}");
}
