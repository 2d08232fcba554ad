// SPDX-License-Identifier: Apache-2.0

//! What is not in a recording, and what a report does not show: acts on older orders, what a crash took with it, codes.

use http::Method;
use serde_json::{Value, json};
use ticketbridge::app;
use ticketbridge::config::{Config, Environment};
use ticketbridge::recorder::export::export;
use ticketbridge::recorder::file::Recorded;
use ticketbridge::recorder::tape::{Piece, Run};
use ticketbridge::replay::{Expected, replay};
use ticketbridge::service::registry::Registry;
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{TapePiece, Tx};

use super::{Files, change, config, play, recording, taken, taken_from};
use crate::octo_reseller::{KEY, UUID, call, reservation, resold, sold};
use crate::support::{Ask, CHANNEL, START, TestBridge, douyin, environment};

const LAKESIDE: &str = "products/lakeside.toml";

async fn recording_resold() -> TestBridge {
    TestBridge::start_with(|files: &mut Files| {
        resold(files);
        files.get_mut("ticketbridge.toml").expect("the file").push_str("\n[recorder]\nkeep = \"48h\"\n");
    })
    .await
}

/// People and resellers go on with orders that began before the recording, by whatever name and many at once.
#[tokio::test]
async fn what_is_done_about_older_orders_is_left_out_and_counted() {
    let bridge = recording_resold().await;
    let octo = |method, path: &str| Ask::new(method, format!("/octo/{path}")).token(KEY);
    call(&bridge, octo(Method::POST, "bookings").json(&reservation(UUID, "DAY", 1))).await.expect(200);
    call(&bridge, octo(Method::POST, &format!("bookings/{UUID}/confirm")).json(&sold())).await.expect(200);
    for number in 0..6 {
        bridge.ticketed(&format!("V10{number}"), &format!("R10{number}")).await;
    }
    let applied = douyin::refund_apply("R102", "B2", 102, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    bridge.advance(Millis::hours(1));
    let from = bridge.now();
    let reason = json!({ "reason": "closed" });
    let id = bridge.stored("V100").await.id;
    bridge.post(&format!("orders/{id}/cancel"), &reason).await.expect(200);
    bridge.post(&format!("orders/{CHANNEL}:V101/cancel"), &reason).await.expect(200);
    let case = bridge.order("V102").await["refund_case"]["id"].as_str().expect("a case").to_owned();
    bridge.post(&format!("refunds/{case}/approve"), &json!({ "fee": 0 })).await.expect(200);
    let many = json!({ "items": [bridge.stored("V103").await.id, bridge.stored("V104").await.id], "reason": "storm" });
    let begun = bridge.post("bulk/cancel", &many).await.expect(200).json();
    let path = format!("bulk/{}", begun["id"].as_str().expect("an id"));
    bridge.eventually(&path, |said| said["state"] == "done").await;
    let listed = call(&bridge, octo(Method::GET, "bookings?localDate=2026-12-10")).await.expect(200).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    bridge.post(&format!("orders/{CHANNEL}:V999/cancel"), &reason).await.expect(404);
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.ticketed("V200", "R200").await;
    bridge.post(&format!("orders/{CHANNEL}:V200/cancel"), &reason).await.expect(200);
    bridge.drain().await;
    let recorded = taken_from(bridge, from).await;
    for begins in ["5 acts on orders that began before", "1 acts on many", "1 messages that name orders"] {
        assert!(recorded.left_out.iter().any(|said| said.starts_with(begins)), "{begins}: {:?}", recorded.left_out);
    }
    let (same, _bridge) = config(resold).await;
    let report = play(&recorded, same).await;
    assert_eq!((report.unexplained, report.expected), (0, 0), "{report}");
    assert!(report.equal > 10, "{report}");
}

/// A recording of a time in which nobody bought is no older version's.
#[tokio::test]
async fn a_time_without_a_sale_is_not_said_to_be_an_older_versions() {
    let bridge = recording().await;
    bridge.sell("V100").await;
    bridge.advance(Millis::hours(1));
    let from = bridge.now();
    bridge.douyin("create-order", &json!({ "order_id": 7 })).await;
    let recorded = taken_from(bridge, from).await;
    assert!(!recorded.left_out.iter().any(|said| said.contains("older version")), "{:?}", recorded.left_out);
    assert!(!recorded.stock.is_empty());
}

/// The tape as a process left it behind that was killed at `killed`, and was started again at `again`.
async fn killed(bridge: TestBridge, killed: UnixMillis, again: UnixMillis) -> Recorded {
    let (config, until) = (bridge.load_config(), bridge.now() + Millis(1));
    let kept = bridge.keep_files();
    bridge.bridge.stop().await;
    let store = app::open_store(&config).await.expect("the database");
    let mut runs: Vec<Run> = Vec::new();
    for piece in store.runs_on_tape().await.expect("a tape") {
        runs.push(serde_json::from_slice(&piece.content).expect("a run"));
    }
    let dead = runs.into_iter().find(|run| run.began < again).expect("the first run");
    assert!(dead.ended, "it was stopped: {dead:?}");
    let dead = Run { ended: false, until: killed, ..dead }.piece().expect("JSON");
    let pieces = store.read_tape((killed + Millis(1), again), None, 1_000).await.expect("a tape");
    // What an order takes of stock is written with the order.
    let is_lost = |piece: &&TapePiece| match serde_json::from_slice::<Piece>(&piece.content) {
        Ok(Piece::Moved(_)) | Err(_) => false,
        Ok(Piece::In(_) | Piece::Out(_) | Piece::Task { .. } | Piece::Ran(_)) => true,
    };
    let mut lost: Vec<String> = pieces.iter().filter(is_lost).map(|piece| piece.id.clone()).collect();
    assert!(!lost.is_empty());
    lost.push(dead.id.clone());
    let work = std::sync::Arc::new((lost, dead));
    let rewritten = store.write("test", move |tx: &Tx| {
        let work = work.clone();
        Box::pin(async move {
            tx.forget_tape(&work.0).await?;
            tx.tape(std::slice::from_ref(&work.1)).await
        })
    });
    let rewritten: Result<(), ticketbridge_store::StoreError> = rewritten.await;
    rewritten.expect("it is written");
    let registry = Registry::build(&config).expect("the partners");
    let recorded = export(&store, &registry, (START, until), [7; 32]).await.expect("a recording");
    store.close().await.expect("it closes");
    drop(kept);
    recorded
}

/// The process is killed: what it had committed is there, and what it had not written on the tape yet is not. It is no changed behaviour.
#[tokio::test]
async fn what_a_crash_took_with_it_is_named_and_no_difference() {
    let bridge = recording().await;
    bridge.ticketed("V100", "R100").await;
    bridge.sell("V101").await;
    bridge.advance(Millis::minutes(2));
    let last = bridge.now();
    bridge.advance(Millis(40));
    // Not on the tape: a sale, the booking of a sale that is, and a booking that was ticketed.
    bridge.sell("V102").await;
    bridge.book("R101", "V101", "2026-12-01").await;
    bridge.ticketed("V103", "R103").await;
    bridge.advance(Millis::seconds(3));
    let bridge = bridge.restart().await;
    let again = bridge.now();
    bridge.advance(Millis::seconds(1));
    // A repeat is answered as it was.
    bridge.sell("V102").await;
    bridge.book("R101", "V101", "2026-12-01").await;
    bridge.issue("R101", 2).await;
    bridge.drain().await;
    bridge.ticketed("V104", "R104").await;
    let recorded = killed(bridge, last, again).await;
    let said = recorded.left_out.iter().find(|said| said.contains("ended without warning")).expect("it is said");
    assert!(said.contains("3 orders that were touched then"), "{said}");
    let (same, _bridge) = config(|_| {}).await;
    let report = play(&recorded, same).await;
    assert_eq!((report.unexplained, report.expected), (0, 0), "{report}");
    assert_eq!(recorded.outcomes.len(), 2, "what was whole is played: {:?}", recorded.outcomes);
    assert!(report.to_string().contains("ended without warning"), "{report}");
}

/// Codes stand in a report of which many read: of back-ends, of pools, also where they admit no longer.
#[tokio::test]
async fn no_code_of_a_ticket_is_in_a_report() {
    let bridge = recording().await;
    let mut codes = Vec::new();
    for (sale, booking) in [("V100", "R100"), ("V101", "R101")] {
        let order = bridge.ticketed(sale, booking).await;
        let tickets = order.booking.expect("a booking").ticketing.tickets;
        codes.extend(tickets.iter().map(|ticket| ticket.code.reveal().to_owned()));
    }
    let applied = douyin::refund_apply("R101", "B1", 101, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    let mut recorded = taken(bridge).await;
    assert!(codes.len() > 2 && codes.iter().all(|code| recorded.codes.contains(code)), "{codes:?}");
    // As if the answers with the codes had been none.
    for (_, piece) in &mut recorded.pieces {
        if let Piece::In(came) = piece
            && came.path.ends_with("issue-voucher")
        {
            let mut answer: Value = serde_json::from_str(&came.answer).expect("JSON");
            answer["data"]["vouchers"] = json!([{ "qrcodes": codes, "text": format!("show {}", codes[0]) }]);
            came.answer = answer.to_string();
        }
    }
    let (same, _bridge) = config(|_| {}).await;
    let report = play(&recorded, same).await;
    let shown = format!("{report}\n{}", serde_json::to_string(&report).expect("JSON"));
    assert!(report.unexplained > 0 && shown.contains("code-"), "{shown}");
    for code in &codes {
        assert!(!shown.contains(code), "{code}: {shown}");
    }
}

/// Another price was planted and is wanted: the sales that it refuses, and everything about them, is expected by one rule about the answer.
#[tokio::test]
async fn what_follows_from_a_wanted_answer_is_wanted_and_each_cause_has_its_messages() {
    let bridge = recording().await;
    bridge.ticketed("V100", "R100").await;
    bridge.ticketed("V101", "R101").await;
    let applied = douyin::refund_apply("R101", "B1", 101, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    let recorded = taken(bridge).await;
    let edit = |files: &mut Files| change(files, LAKESIDE, "price    = 19900", "price    = 19800");
    let (changed, _bridge) = config(edit).await;
    let report = play(&recorded, changed).await;
    assert!(report.unexplained > 2, "{report}");
    assert!(report.causes.iter().all(|cause| !cause.sequence.is_empty()), "{report}");
    let rules = "[[expected]]\nwhat = \"answer\"\nwhere = \"douyin-main/create-order\"\nchange = \"/data/*\"\n\
                 reason = \"another price\"\n\
                 [[expected]]\nwhat = \"answer\"\nwhere = \"kakao/*\"\nreason = \"not on this day\"\n";
    let (changed, _bridge) = config(edit).await;
    let report = replay(recorded, changed, &Expected::read(rules).expect("rules")).await.expect("it can be played");
    assert_eq!(report.unexplained, 0, "{report}");
    assert!(report.expected > 2, "{report}");
    assert_eq!(report.unused_rules, ["answer kakao/*: * (not on this day)"], "{report}");
}

/// Of all secrets a replay needs the key of the file, and says which variable it is that is not set.
#[tokio::test]
async fn a_replay_without_the_key_of_the_file_names_the_variable() {
    let bridge = TestBridge::start().await;
    let report = Config::load_for_replay(&bridge.config_directory(), &Environment::only([])).expect_err("no key");
    let said = report.to_string();
    assert!(said.contains("TICKETBRIDGE_DATA_KEY") && !said.contains("DOUYIN_SECRET"), "{said}");
    let key = environment().get("TICKETBRIDGE_DATA_KEY").expect("the key of the tests");
    let alone = Environment::only([("TICKETBRIDGE_DATA_KEY", key.as_str())]);
    assert!(Config::load_for_replay(&bridge.config_directory(), &alone).is_ok());
}
