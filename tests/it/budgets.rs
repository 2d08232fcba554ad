// SPDX-License-Identifier: Apache-2.0

//! An answer never waits for a back-end beyond the channel's budget: "not yet" in time, and the tickets follow by a call.

use std::time::Duration;

use futures_util::future::join_all;
use ticketbridge_core::Millis;
use ticketbridge_sandbox::backend::IssueMode;
use ticketbridge_sandbox::douyin::Path;

use crate::real::stage::set_the_stage;
use crate::real::{ANY_PORT, PATIENCE};
use crate::support::{TestBridge, douyin};

/// What the channel's budget for a demand of tickets leaves, besides the margin for the answer itself.
const WAITED: Millis = Millis(2_750);

#[tokio::test]
async fn not_yet_is_said_exactly_when_the_budget_ends() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let demand = douyin::issue("R100", 2);
    let call = bridge.douyin("issue-voucher", &demand);
    tokio::pin!(call);
    let settle = async {
        while bridge.clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { biased; _ = &mut call => panic!("it waits for the tickets"), () = settle => {} }
    bridge.advance(Millis(WAITED.0 - 1));
    let later = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { biased; _ = &mut call => panic!("a millisecond is left"), () = later => {} }
    bridge.advance(Millis(1));
    let answer = call.await.expect(200).json();
    assert_eq!((&answer["data"]["error_code"], &answer["data"]["result"]), (&0.into(), &0.into()), "{answer}");
    bridge.drain().await;
    let told = bridge.partners.sent("/goodlife/v1/fulfilment/create/callback/");
    assert_eq!(told.len(), 1, "the tickets follow by one call");
    assert_eq!(told[0].body["order_id"], "R100");
    bridge.drain().await;
    let repeated = bridge.douyin("issue-voucher", &demand).await.expect(200).json();
    assert_eq!(repeated["data"]["result"], 1, "a repeat gets the tickets at once: {repeated}");
    assert_eq!(repeated["data"]["vouchers"], told[0].body["vouchers"], "the same ones");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_back_end_hangs_every_demand_is_answered_in_time_and_the_tickets_follow() {
    const SALES: usize = 30;
    let (stage, place) = set_the_stage(1.0, SALES).await;
    let bridge = place.serve(ANY_PORT).await;
    stage.channel.set_bridge_url(bridge.url());
    stage.backend.set_bridge_url(bridge.url());
    stage.backend.set_issue_mode(IssueMode::Hang);
    let bookings = join_all((0..SALES).map(async |_| {
        let sale = stage.channel.buy(&stage.purchase(1)).await;
        stage.channel.reserve(&sale.order_id, stage.in_days(7), &stage.visitors(1)).await
    }))
    .await;
    assert!(bookings.iter().all(|booking| booking.is_good()), "{bookings:?}");
    let answered = stage.channel.until(PATIENCE, |books| {
        let answers = books.calls.iter().filter(|call| call.call == "issue-voucher");
        let said: Vec<_> = answers.map(|call| (call.status, call.answer["data"]["result"].as_i64())).collect();
        (said.len() >= SALES).then_some(said)
    });
    let said = answered.await.expect("every demand is answered");
    assert!(said.iter().all(|answer| *answer == (200, Some(0))), "{said:?}");
    let took = stage.channel.journal().entries().into_iter().filter(|entry| entry.call == "issue-voucher");
    let longest = took.map(|entry| entry.took).max().expect("there were calls");
    // Douyin waits for 8 seconds, and for 5 in the second generation of its interface.
    assert!(longest < Duration::from_secs(5), "Douyin waited for {longest:?}");
    stage.backend.set_issue_mode(IssueMode::Immediate);
    for booking in bookings {
        let find = |books: &ticketbridge_sandbox::douyin::Books| books.reservations[&booking.order_id].codes.clone();
        let codes = stage.channel.until(PATIENCE * 2, find).await.expect("the tickets follow");
        assert_eq!(codes.path, Path::Callback);
    }
    assert!(stage.backend.books().reservations.values().all(|reservation| reservation.issues == 1));
    assert!(stage.channel.books().violations.is_empty());
    assert_eq!(bridge.terminate().await.code(), Some(0));
}
