// SPDX-License-Identifier: Apache-2.0

//! The connection to the database server is lost at every single statement of a sale, a booking, a call and its outcome, before the
//! server hears of the statement and after it has carried it out: nothing that was acknowledged is lost, and nothing is done twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use ticketbridge_core::Millis;
use ticketbridge_core::order::TicketingState;
use ticketbridge_store::test_support::for_each_database_url;

use crate::support::{TestBridge, douyin};
use ticketbridge_store::test_support::wire::{Loses, Wire};

/// A message that is not acknowledged is sent again so often.
const SENT_AT_MOST: usize = 6;
/// Rounds of twenty seconds in which what failed is tried again: a lease that has to run out, and the pauses between tries.
const ROUNDS: usize = 10;
/// More statements than all of this takes.
const STATEMENTS_MAX: u64 = 400;

fn roomy(files: &mut BTreeMap<String, String>, url: &str) {
    let products = files.get_mut("products/lakeside.toml").expect("the example's products");
    *products = products
        .lines()
        .filter(|line| !line.starts_with("limits"))
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .replace("stock    = 500", "stock    = 100000")
        .replace("stock = 200", "stock = 100000");
    let credit = files.get_mut("credit.toml").expect("the example's credit");
    *credit = credit.replace("limit    = 5000000 ", "limit    = 5000000000 ");
    let service = files.get_mut("ticketbridge.toml").expect("the file of the service");
    let line = service.lines().find(|line| line.starts_with("url = ")).expect("the database").to_owned();
    *service = service.replace(&line, &format!("url = \"{url}\""));
}

/// Sends it until it is acknowledged; every other answer says "come again".
async fn acknowledged(bridge: &TestBridge, body: &Value) {
    for _ in 0..SENT_AT_MOST {
        let reply = bridge.douyin("create-order", body).await;
        let said = reply.json();
        if reply.status == 200 && said["data"]["error_code"] == 0 {
            return;
        }
        assert!(reply.status.is_server_error() || said["data"]["error_code"] == 100, "{} {said}", reply.status);
    }
    panic!("{body} is never acknowledged");
}

/// A sale, its booking and its tickets, with the line cut at one statement; whether there were as many.
async fn one(bridge: &TestBridge, wire: &Wire, at: u64, loses: Loses) -> bool {
    let (sale, visit) = (format!("V{at}{loses:?}"), format!("R{at}{loses:?}"));
    wire.cut_at(at, loses);
    acknowledged(bridge, &douyin::sale(&sale, 2, bridge.now())).await;
    acknowledged(bridge, &douyin::booking(&visit, &sale, "2026-12-01", 2, bridge.now())).await;
    // What fails here is tried again when its lease has run out.
    drop(Box::pin(bridge.bridge.worker().drain()).await);
    let was_cut = wire.leave_alone();
    for _ in 0..ROUNDS {
        let issued = bridge.stored(&sale).await.booking.map(|booking| booking.ticketing.state);
        if issued == Some(TicketingState::Issued) {
            return was_cut;
        }
        bridge.advance(Millis::seconds(20));
        bridge.drain().await;
    }
    panic!("{sale} has no tickets: {:?}", bridge.stored(&sale).await);
}

#[tokio::test]
async fn a_connection_that_is_lost_at_any_statement_loses_nothing_and_doubles_nothing() {
    for_each_database_url(async |url: String| {
        if url.starts_with("sqlite") {
            return; // A file has no line to it.
        }
        let wire = Wire::to(&url).await;
        let bridge = TestBridge::start_with(|files| roomy(files, &wire.over(&url))).await;
        let mut sold = 0;
        for loses in [Loses::Statement, Loses::Answer] {
            for at in 1..STATEMENTS_MAX {
                sold += 1;
                if !Box::pin(one(&bridge, &wire, at, loses)).await {
                    eprintln!(
                        "{}: cut at each of {} statements, {loses:?}",
                        url.split(':').next().unwrap_or_default(),
                        at - 1
                    );
                    assert!(at > 20, "the line was not cut at all");
                    break;
                }
            }
        }
        let orders = Box::pin(all(&bridge, "orders?limit=200")).await;
        assert_eq!(orders.len(), sold, "each sale is one order");
        for order in &orders {
            assert_eq!((order["state"].as_str(), &order["attention"]), (Some("booked"), &Value::Null), "{order}");
            let reservation = order["booking"]["id"].as_str().expect("a booking").to_owned();
            let reserved = bridge.partners.sent(&reservation);
            let keys: BTreeSet<_> = reserved.iter().filter_map(|sent| sent.headers.get("idempotency-key")).collect();
            assert!(keys.len() <= 1, "one key for one reservation: {keys:?}");
        }
        for state in ["pending", "dead"] {
            let left = Box::pin(all(&bridge, &format!("deliveries?limit=200&state={state}"))).await;
            assert_eq!(left, Vec::<Value>::new(), "{state}");
        }
        bridge.bridge.stop().await;
    })
    .await;
}

/// All entries of a list.
async fn all(bridge: &TestBridge, path: &str) -> Vec<Value> {
    let (mut found, mut from) = (Vec::new(), String::new());
    loop {
        let page = bridge.get(&format!("{path}{from}")).await.expect(200).json();
        found.extend(page["items"].as_array().expect("a list").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => from = format!("&cursor={cursor}"),
            None => return found,
        }
    }
}
