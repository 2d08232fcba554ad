// SPDX-License-Identifier: Apache-2.0

//! Stopping: what is under way is finished, nothing is lost, the exit code is 0; and what others see meanwhile.

use std::time::Duration;

use serde_json::json;
use ticketbridge_sandbox::backend::IssueMode;
use ticketbridge_sandbox::douyin::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::real::stage::set_the_stage;
use crate::real::{ANY_PORT, PATIENCE, until};
use crate::support::{TestBridge, douyin};

/// Longest time in which a program with nothing to do stops: far below the time it gives what is under way.
const AT_ONCE: Duration = Duration::from_secs(8);

/// `GET path`: status line and body; `None` when nobody listens.
async fn get(address: std::net::SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

#[tokio::test]
async fn a_service_at_rest_is_ready_and_stops_at_once_with_code_0() {
    let (_stage, place) = set_the_stage(60.0, 10).await;
    for signal in ["TERM", "INT"] {
        let mut bridge = place.serve(ANY_PORT).await;
        for (path, body) in [("/healthz", "ok"), ("/readyz", "ready")] {
            let answer = get(bridge.address, path).await.expect("it listens");
            assert!(answer.starts_with("HTTP/1.1 200") && answer.trim_end().ends_with(body), "{answer}");
        }
        bridge.signal(signal).await;
        let status = tokio::time::timeout(AT_ONCE, bridge.ended()).await.expect("nothing holds it up");
        assert_eq!(status.code(), Some(0), "{}", place.log());
        assert_eq!(get(bridge.address, "/healthz").await, None, "nobody listens any more");
    }
    assert!(!place.log().contains("WARN"), "{}", place.log());
}

#[tokio::test]
async fn a_call_that_waits_for_tickets_is_answered_although_the_service_stops_and_the_tickets_follow_after_the_next_start()
 {
    let (stage, place) = set_the_stage(1.0, 10).await;
    let bridge = place.serve(ANY_PORT).await;
    let address = bridge.address;
    stage.channel.set_bridge_url(bridge.url());
    stage.backend.set_bridge_url(bridge.url());
    stage.backend.set_issue_mode(IssueMode::Hang);
    let sale = stage.channel.buy(&stage.purchase(1)).await;
    let booking = stage.channel.reserve(&sale.order_id, stage.in_days(7), &stage.visitors(1)).await;
    assert!(booking.is_good(), "{:?}", booking.outcome);
    let asked =
        stage.backend.until(PATIENCE, |books| books.calls.iter().any(|call| call.call == "reserve").then_some(()));
    asked.await.expect("the back-end is asked");
    // The bridge holds Douyin's demand, and its answer is not written yet.
    let ops = ticketbridge_sandbox::ops::Ops::new(&bridge.url(), "an-ops-token-for-tests");
    until("the tickets are demanded", async || {
        let order = ops.order("douyin-main", &sale.order_id).await.ok()??;
        (order["booking"]["ticketing"]["handover"] == "asked").then_some(())
    })
    .await;
    let answered = |books: &ticketbridge_sandbox::douyin::Books| {
        books.calls_about("issue-voucher", &booking.order_id).next().map(|call| (call.status, call.answer.clone()))
    };
    assert_eq!(bridge.terminate().await.code(), Some(0), "{}", place.log());
    let (status, answer) = stage.channel.until(PATIENCE, answered).await.expect("Douyin has its answer");
    assert_eq!((status, &answer["data"]["result"]), (200, &json!(0)), "{answer}");

    stage.backend.set_issue_mode(IssueMode::Immediate);
    let bridge = place.serve(address).await;
    let find = |books: &ticketbridge_sandbox::douyin::Books| books.reservations[&booking.order_id].codes.clone();
    let codes = stage.channel.until(PATIENCE, find).await.expect("the tickets follow");
    assert_eq!(codes.path, Path::Callback);
    assert!(stage.backend.books().reservations.values().all(|reservation| reservation.issues == 1));
    assert_eq!(bridge.terminate().await.code(), Some(0), "{}", place.log());
}

/// The clock stands still here: who waited for the end of the channel's time would wait for ever.
#[tokio::test]
async fn a_call_that_waits_for_tickets_says_not_yet_as_soon_as_the_service_stops() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let demand = douyin::issue("R100", 2);
    let stops = async {
        while bridge.clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        bridge.bridge.shared().stopping.cancel();
    };
    let (answer, ()) = tokio::join!(bridge.douyin("issue-voucher", &demand), stops);
    let answer = answer.expect(200).json();
    assert_eq!((&answer["data"]["error_code"], &answer["data"]["result"]), (&json!(0), &json!(0)), "{answer}");
    let bridge = bridge.restart().await;
    bridge.drain().await;
    assert_eq!(
        bridge.partners.sent("/goodlife/v1/fulfilment/create/callback/").len(),
        1,
        "the tickets follow by a call"
    );
}

#[tokio::test]
async fn a_caller_that_never_finishes_its_request_does_not_keep_the_service_from_stopping() {
    let (_stage, place) = set_the_stage(1.0, 10).await;
    let mut bridge = place.serve(ANY_PORT).await;
    let mut stream = TcpStream::connect(bridge.address).await.expect("it listens");
    stream
        .write_all(b"POST /channels/douyin-main/can-buy HTTP/1.1\r\nHost: bridge\r\nContent-Length: 100\r\n\r\n{")
        .await
        .expect("it takes the beginning");
    until("the service is busy with it", async || get(bridge.address, "/healthz").await).await;
    bridge.signal("TERM").await;
    assert_eq!(bridge.ended().await.code(), Some(0), "{}", place.log());
}
