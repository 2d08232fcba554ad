// SPDX-License-Identifier: Apache-2.0

//! Some orders fail again and again: the others pass all the same, to back-ends and to channels, by calls, codes, ciphers and looks, on
//! every kind of database; and a partner that is down is left alone.

use std::collections::BTreeMap;

use serde_json::json;
use ticketbridge_core::Millis;
use ticketbridge_core::order::TicketingState;
use tokio_util::sync::CancellationToken;

use crate::support::partners::Outcome;
use crate::support::{TestBridge, douyin, kakao, on_each_database};

/// Longest time that a healthy order waits, whatever the others do.
const PASSES_WITHIN: Millis = Millis::seconds(5);

/// Many attempts, and no limit that forty orders would meet.
fn roomy(files: &mut BTreeMap<String, String>) {
    let products = files.get_mut("products/lakeside.toml").expect("the example's products");
    let lines = products.lines().filter(|line| !line.starts_with("limits")).map(|line| format!("{line}\n"));
    *products = lines.collect();
    let service = files.get_mut("ticketbridge.toml").expect("the file of the service");
    *service = service.replace("attempts = 4", "attempts = 12");
}

async fn bridge() -> TestBridge {
    TestBridge::start_with(roomy).await
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

/// Forty orders whose call to the gate goes this way, and three healthy ones behind them.
async fn tickets_come_all_the_same(bridge: &TestBridge, way: &Outcome) {
    for n in 1..=40 {
        let id = booked(bridge, n).await;
        bridge.partners.always(&id, way.clone());
        // They come one after the other, and are tried as they come.
        bridge.drain().await;
        bridge.advance(Millis(50));
    }
    for n in 41..=43 {
        booked(bridge, n).await;
        bridge.drain().await;
        let took = wait_for(bridge, async || has_tickets(bridge, n).await).await;
        assert!(took <= PASSES_WITHIN, "{way:?}: {took:?}");
        bridge.advance(Millis::seconds(7));
        bridge.drain().await;
    }
}

#[tokio::test]
async fn a_healthy_order_gets_its_tickets_whatever_forty_sick_ones_do() {
    let ways = [
        Outcome::Says(503, json!({})),
        Outcome::Garbage(200),
        Outcome::Says(200, json!({"state": "issued"})),
        Outcome::Interrupted,
    ];
    for way in ways {
        tickets_come_all_the_same(&bridge().await, &way).await;
    }
}

#[tokio::test]
async fn the_same_on_every_kind_of_database() {
    on_each_database(roomy, async |bridge| tickets_come_all_the_same(bridge, &Outcome::Says(500, json!({}))).await)
        .await;
}

#[tokio::test]
async fn a_healthy_guest_is_known_whatever_forty_ciphers_do() {
    on_each_database(roomy, async |bridge| {
        let book = async |n: u32| {
            bridge.sell(&format!("V{n}")).await;
            let mut body = douyin::booking(&format!("R{n}"), &format!("V{n}"), "2026-12-01", 2, bridge.now());
            body["tourists"][0]["name"] = json!(format!("Enc.cipher{n}="));
            let answer = bridge.douyin("create-order", &body).await.expect(200).json();
            assert_eq!(answer["data"]["error_code"], 0, "{answer}");
        };
        for n in 1..=40 {
            bridge.partners.always(&format!("Enc.cipher{n}="), Outcome::Says(500, json!({})));
            book(n).await;
            bridge.drain().await;
        }
        let opened = json!({ "cipher_text": "Enc.cipher41=", "plain_text": "Grace Example", "is_success": true });
        let opened = json!({ "data": { "error_code": 0, "results": [opened] }, "extra": { "error_code": 0 } });
        bridge.partners.always("Enc.cipher41=", Outcome::Says(200, opened));
        book(41).await;
        let took = wait_for(bridge, async || has_tickets(bridge, 41).await).await;
        assert!(took <= PASSES_WITHIN, "{took:?}");
        assert!(!has_tickets(bridge, 40).await, "nobody knows for whom");
    })
    .await;
}

#[tokio::test]
async fn a_healthy_order_gets_its_code_whatever_forty_do_that_want_more_than_there_are() {
    on_each_database(roomy, async |bridge| {
        bridge.post("codes/lp-2026", &json!({ "codes": ["CODE-1", "CODE-2"] })).await.expect(200);
        let book = async |n: u32, units: i64| {
            let (sale, booking) = (format!("V{n}"), format!("R{n}"));
            let mut sold = douyin::sale(&sale, units, bridge.now());
            let mut visit = douyin::booking(&booking, &sale, "2026-12-01", units, bridge.now());
            for body in [&mut sold, &mut visit] {
                body["product_out_id"] = json!("LP-V1|LP-B1");
                body["amount"] = json!({ "origin_amount": 10_900 * units, "pay_amount": 10_900 * units });
            }
            visit["tourists"].as_array_mut().expect("visitors").truncate(units as usize);
            for body in [sold, visit] {
                let answer = bridge.douyin("create-order", &body).await.expect(200).json();
                assert_eq!(answer["data"]["error_code"], 0, "{answer}");
            }
        };
        for n in 1..=40 {
            book(n, 3).await;
            bridge.drain().await;
        }
        book(41, 1).await;
        let took = wait_for(bridge, async || has_tickets(bridge, 41).await).await;
        assert!(took <= PASSES_WITHIN, "{took:?}");
    })
    .await;
}

#[tokio::test]
async fn a_healthy_confirmation_goes_out_whatever_forty_sick_ones_do() {
    on_each_database(
        |files: &mut BTreeMap<String, String>| {
            roomy(files);
            files.insert("channels/kakao.toml".to_owned(), kakao::channel_file(kakao::CAN));
            files.insert("products/kakao.toml".to_owned(), kakao::PRODUCTS.replace("stock = 10", "stock = 1000"));
        },
        async |bridge| {
            let confirm = async |n: u32| {
                let it = kakao::reservation(&format!("S{n}"), "pd_plain", "REQUESTED");
                bridge
                    .kakao_is(kakao::event(&format!("e{n}"), "reservation.requested", 1, &it, json!({})), "accepted")
                    .await;
                bridge.drain().await;
                bridge.post(&format!("orders/{}:S{n}/confirm", kakao::KAKAO), &json!({})).await.expect(200);
            };
            for n in 1..=40 {
                bridge.partners.always(&format!("/S{n}/confirm"), Outcome::Says(500, json!({})));
                confirm(n).await;
                bridge.drain().await;
            }
            confirm(41).await;
            let took = wait_for(bridge, async || !bridge.partners.sent("/S41/confirm").is_empty()).await;
            assert!(took <= PASSES_WITHIN, "{took:?}");
        },
    )
    .await;
}

/// The worker runs by itself, on a clock that stands still: whoever needs time to pass, waits for ever.
#[tokio::test]
async fn forty_looks_that_hang_leave_room_for_the_next_one() {
    on_each_database(
        |files: &mut BTreeMap<String, String>| {
            roomy(files);
            files.insert("backends/ventrata.toml".to_owned(), crate::octo::BACKEND.to_owned());
            let product = files.get_mut("products/lakeside.toml").expect("the products");
            *product = product.replace(
                r#"{ mode = "backend", backend = "gate", product = "P-778" }"#,
                r#"{ mode = "backend", backend = "ventrata", product = "LAKE/DEFAULT", units = { adult = "adult" } }"#,
            );
        },
        async |bridge| {
            let supplier = || bridge.partners.supplier(bridge.now(), |books| books.switches.capacity = 1_000);
            supplier();
            for n in 1..=41 {
                bridge.ticketed(&format!("V{n}"), &format!("R{n}")).await;
            }
            bridge.set_time("2026-12-01T09:00:00+08:00");
            supplier();
            let reads = || -> Vec<String> {
                let sent = bridge.partners.sent("/octo/bookings/").into_iter().filter(|sent| sent.method == "GET");
                sent.map(|sent| sent.url).collect()
            };
            let before = reads().len();
            // Whichever is asked about last is the one that answers.
            let ids = bridge
                .partners
                .supplier(bridge.now(), |books| books.all().map(|(uuid, _)| uuid.to_owned()).collect::<Vec<_>>());
            let newest = ids.last().expect("bookings").clone();
            for id in ids.iter().filter(|id| **id != newest) {
                bridge.partners.always(&format!("/bookings/{id}"), Outcome::Hangs);
            }
            let looking = tokio::spawn({
                let worker = bridge.bridge.worker().clone();
                async move { worker.watch_for_use().await }
            });
            while !reads()[before..].iter().any(|url| url.ends_with(&newest)) {
                tokio::task::yield_now().await;
            }
            looking.abort();
        },
    )
    .await;
}

#[tokio::test]
async fn a_healthy_callback_goes_out_whatever_sick_ones_do() {
    on_each_database(roomy, async |bridge| {
        for n in 1..=9 {
            booked(bridge, n).await;
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
        wait_for(bridge, told).await;
        assert!(bridge.now() - begun <= PASSES_WITHIN, "{:?}", bridge.now() - begun);
    })
    .await;
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

/// Whose application was moved, say: the token is good for everybody else.
#[tokio::test]
async fn a_healthy_callback_goes_out_whatever_forty_do_whose_token_is_refused() {
    let bridge = bridge().await;
    let refused = json!({ "data": { "error_code": 2_190_002, "description": "access token is invalid" },
        "extra": { "error_code": 2_190_002 } });
    for n in 1..=42 {
        booked(&bridge, n).await;
        if n <= 40 {
            bridge.partners.always(&format!("\"R{n}\""), Outcome::Says(200, refused.clone()));
        }
        bridge.issue_too_slow(&format!("R{n}"), 2).await;
        if n <= 40 {
            bridge.drain().await;
            bridge.advance(Millis(50));
        }
    }
    let told = async || {
        let sent = bridge.partners.sent("/goodlife/v1/fulfilment/create/callback/");
        let is_told = |n: u32| sent.iter().any(|call| call.body.to_string().contains(&format!("\"R{n}\"")));
        is_told(41) && is_told(42)
    };
    let begun = bridge.now();
    bridge.drain().await;
    wait_for(&bridge, told).await;
    assert!(bridge.now() - begun <= PASSES_WITHIN, "{:?}", bridge.now() - begun);
}
