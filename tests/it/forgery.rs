// SPDX-License-Identifier: Apache-2.0

//! Calls forged from a captured one, over the wire: none is believed, none leaves a trace in the inbox, all are told alike.

use http::Method;
use serde_json::json;
use ticketbridge_adapters::douyin::request::query_pairs;
use ticketbridge_adapters::douyin::sign::sign;
use ticketbridge_core::Millis;

use crate::support::{Ask, CLIENT_KEY, CLIENT_SECRET, TestBridge, douyin};

/// What SHA-256 puts behind a text of `length` bytes.
fn padding(length: usize) -> Vec<u8> {
    let zeros = (64 + 55 - length % 64) % 64;
    [&[0x80][..], &vec![0; zeros], &(length as u64 * 8).to_be_bytes()].concat()
}

/// The digest of a text of `length` bytes, its padding and `suffix`, from the text's digest alone.
fn extended(digest: &str, length: usize, suffix: &[u8]) -> String {
    let bytes = hex::decode(digest).expect("hex");
    let mut state: [u32; 8] =
        std::array::from_fn(|n| u32::from_be_bytes(bytes[4 * n..4 * n + 4].try_into().expect("four bytes")));
    let rest = [suffix, &padding(length + padding(length).len() + suffix.len())].concat();
    let blocks: Vec<[u8; 64]> = rest.chunks(64).map(|block| block.try_into().expect("a block")).collect();
    sha2::block_api::compress256(&mut state, &blocks);
    hex::encode(state.map(u32::to_be_bytes).concat())
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

fn call(name: &str, query: &str, signature: &str, body: &[u8]) -> Ask {
    Ask::new(Method::POST, format!("/channels/douyin-main/{name}?{query}"))
        .header("x-life-clientkey", CLIENT_KEY)
        .header("x-life-sign", signature)
        .header("content-type", "application/json")
        .body(body)
}

#[tokio::test]
async fn a_captured_call_makes_no_order_and_no_refund() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let version = bridge.stored("V100").await.version;
    let inbox = bridge.get("inbox?limit=200").await.expect(200).json();
    // One harmless question, as it stands in a proxy's log.
    let (captured, stamp) = (r#"{"order_id":"V100"}"#, bridge.now().0.to_string());
    let plain = format!("client_key={CLIENT_KEY}&timestamp={stamp}");
    let (signature, _) = sign(CLIENT_SECRET, &query_pairs(&plain), captured.as_bytes());
    bridge.ask(call("query-order", &plain, &signature, captured.as_bytes())).await.expect(200);
    let length = CLIENT_SECRET.len() + format!("&{plain}&http_body={captured}").len();
    let absorbed = [format!("&http_body={captured}").as_bytes(), &padding(length)].concat();
    let sale = douyin::sale("V666", 2, bridge.now()).to_string();
    let refund = douyin::refund_apply("R100", "B666", 101, 0, bridge.now()).to_string();
    for (name, body) in [("create-order", &sale), ("refund-apply", &refund)] {
        let query = format!("{plain}{}", escaped(&absorbed));
        let forged = extended(&signature, length, format!("&http_body={body}").as_bytes());
        let (right, _) = sign(CLIENT_SECRET, &query_pairs(&query), body.as_bytes());
        assert_eq!(forged, right, "the attack itself works");
        let answer = bridge.ask(call(name, &query, &forged, body.as_bytes())).await.expect(401).json();
        assert!(answer["data"]["error_code"].as_i64().is_some_and(|code| code != 0), "{answer}");
        // The same bytes, cut elsewhere: the body in the query, and none behind it.
        let (signature, _) = sign(CLIENT_SECRET, &query_pairs(&plain), body.as_bytes());
        let moved = format!("{plain}{}", escaped(format!("&http_body={body}").as_bytes()));
        bridge.ask(call(name, &moved, &signature, b"")).await.expect(401);
        // And as it was sent once, a week too late.
        let old = call(name, &plain, &signature, body.as_bytes());
        bridge.advance(Millis::hours(7 * 24 + 1));
        bridge.ask(old).await.expect(401);
        bridge.advance(Millis(-Millis::hours(7 * 24 + 1).0));
    }
    let orders = bridge.get("orders").await.expect(200).json();
    assert_eq!(orders["items"].as_array().expect("items").len(), 1, "{orders}");
    assert_eq!(bridge.stored("V100").await.version, version);
    assert_eq!(bridge.get("inbox?limit=200").await.expect(200).json(), inbox, "strangers do not fill the inbox");
}

#[tokio::test]
async fn a_stranger_does_not_learn_which_applications_there_are() {
    let bridge = TestBridge::start().await;
    let stamp = bridge.now().0;
    let mut told = Vec::new();
    for key in [CLIENT_KEY, "awsomebodyelse00"] {
        let ask =
            Ask::new(Method::POST, format!("/channels/douyin-main/create-order?client_key={key}&timestamp={stamp}"))
                .header("x-life-clientkey", key)
                .header("x-life-sign", &"0".repeat(64))
                .json(&json!({ "order_id": "V100" }));
        told.push(bridge.ask(ask).await.expect(401).json());
    }
    assert_eq!(told[0], told[1]);
}
