//! Some orders fail again and again: the others pass all the same, to back-ends and to channels, and a partner that is down is left alone.

use serde_json::json;
use ticketbridge_core::Millis;
use ticketbridge_core::order::TicketingState;
use tokio_util::sync::CancellationToken;

use crate::support::TestBridge;
use crate::support::partners::Outcome;

/// Longest time that a healthy order waits, whatever the others do.
const PASSES_WITHIN: Millis = Millis::seconds(5);

async fn bridge() -> TestBridge {
    TestBridge::start_with(|files| {
        let products = files.get_mut("products/lakeside.toml").expect("the example's products");
        let lines = products.lines().filter(|line| !line.starts_with("limits")).map(|line| format!("{line}\n"));
        *products = lines.collect();
        let service = files.get_mut("ticketbridge.toml").expect("the file of the service");
        *service = service.replace("attempts = 4", "attempts = 12");
    })
    .await
}

/// Sells and books; the tickets are to be asked for. The booking's id.
async fn booked(bridge: &TestBridge, n: u32) -> String {
    bridge.sell(&format!("V{n}")).await;
    bridge.book(&format!("R{n}"), &format!("V{n}"), "2026-12-01").await;
    bridge.stored(&format!("V{n}")).await.booking.expect("a booking").id.to_string()
}

async fn has_tickets(bridge: &TestBridge, n: u32) -> bool {
    let order = bridge.stored(&format!("V{n}")).await;
    order.booking.is_some_and(|booking| booking.ticketing.state == TicketingState::Issued)
}

/// Lets the time pass by tenths of a second until `is_there`; how long that took.
async fn wait_for(bridge: &TestBridge, is_there: impl AsyncFn() -> bool) -> Millis {
    let begun = bridge.now();
    while !is_there().await {
        assert!(bridge.now() - begun < Millis::minutes(2), "it never came");
        bridge.advance(Millis(100));
        bridge.drain().await;
    }
    bridge.now() - begun
}

#[tokio::test]
async fn a_healthy_order_gets_its_tickets_whatever_forty_sick_ones_do() {
    let ways = [
        Outcome::Says(500, json!({})),
        Outcome::Says(503, json!({})),
        Outcome::Garbage(200),
        Outcome::Says(200, json!({"state": "issued"})),
        Outcome::Interrupted,
    ];
    for way in ways {
        let bridge = bridge().await;
        for n in 1..=40 {
            let id = booked(&bridge, n).await;
            bridge.partners.always(&id, way.clone());
            // They come one after the other, and are tried as they come.
            bridge.drain().await;
            bridge.advance(Millis(50));
        }
        for n in 41..=43 {
            booked(&bridge, n).await;
            bridge.drain().await;
            let took = wait_for(&bridge, async || has_tickets(&bridge, n).await).await;
            assert!(took <= PASSES_WITHIN, "{way:?}: {took:?}");
            bridge.advance(Millis::seconds(7));
            bridge.drain().await;
        }
    }
}

#[tokio::test]
async fn a_healthy_callback_goes_out_whatever_sick_ones_do() {
    let bridge = bridge().await;
    for n in 1..=9 {
        booked(&bridge, n).await;
        if n <= 8 {
            bridge.partners.always(&format!("\"R{n}\""), Outcome::Says(500, json!({})));
        }
        // Douyin asks, and the tickets come too late for the answer: they follow by a call.
        bridge.issue_too_slow(&format!("R{n}"), 2).await;
    }
    let begun = bridge.now();
    bridge.drain().await;
    let told = async || {
        let sent = bridge.partners.sent("/goodlife/v1/fulfilment/create/callback/");
        sent.iter().any(|call| call.body.to_string().contains("\"R9\""))
    };
    wait_for(&bridge, told).await;
    assert!(bridge.now() - begun <= PASSES_WITHIN, "{:?}", bridge.now() - begun);
}

#[tokio::test]
async fn a_partner_that_is_down_is_left_alone_and_found_again() {
    for (way, most) in [(Outcome::NotSent, 25), (Outcome::Says(502, json!({})), 70)] {
        let bridge = bridge().await;
        bridge.partners.always("/bridge/reservations", way.clone());
        for n in 1..=40 {
            booked(&bridge, n).await;
            bridge.drain().await;
        }
        for _ in 0..600 {
            bridge.advance(Millis(100));
            bridge.drain().await;
        }
        let calls = bridge.partners.sent("/bridge/reservations").len();
        assert!(calls <= most, "{way:?}: {calls} calls in a minute");
        let shown = bridge.get("backends").await.expect(200).json();
        assert_eq!(shown["items"][0]["breaker"], "open", "{shown}");
        bridge.partners.recover();
        let took = wait_for(&bridge, async || has_tickets(&bridge, 1).await && has_tickets(&bridge, 40).await).await;
        assert!(took <= Millis::minutes(1), "{way:?}: {took:?}");
    }
}

/// The worker runs by itself here, on a clock that stands still: whoever needs time to pass, waits for ever.
#[tokio::test]
async fn forty_calls_that_hang_leave_room_for_the_next_order() {
    let bridge = bridge().await;
    for n in 1..=40 {
        let id = booked(&bridge, n).await;
        bridge.partners.always(&id, Outcome::Hangs);
    }
    let stop = CancellationToken::new();
    let working = tokio::spawn(bridge.bridge.worker().clone().run(stop.clone()));
    bridge.eventually("backends", |shown| shown["items"][0]["in_flight"] == 40).await;
    booked(&bridge, 41).await;
    let issued = |shown: &serde_json::Value| shown["booking"]["ticketing"]["state"] == "issued";
    bridge.eventually("orders/douyin-main:V41", issued).await;
    working.abort();
}
