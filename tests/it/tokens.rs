// SPDX-License-Identifier: Apache-2.0

//! Access tokens of several instances on one database: one is fetched, all use it, and one that is refused is replaced once. Where the
//! platform gives everybody the same one, that one is asked for.

use std::sync::Arc;

use ticketbridge::transport::Transport;
use ticketbridge::worker::Worker;

use crate::support::partners::Stable;
use crate::support::{TestBridge, on_each_database};

async fn redeemed(bridge: &TestBridge, n: u32) {
    bridge.post(&format!("orders/douyin-main:V{n}/redeem"), &serde_json::json!({})).await.expect(200);
}

#[tokio::test]
async fn three_instances_share_one_token_and_replace_a_refused_one_once() {
    on_each_database(
        |files| {
            let products = files.get_mut("products/lakeside.toml").expect("the example's products");
            *products = products.lines().filter(|line| !line.starts_with("limits")).map(|l| format!("{l}\n")).collect();
        },
        async |bridge| {
            for n in 1..=9 {
                bridge.ticketed(&format!("V{n}"), &format!("R{n}")).await;
            }
            bridge.set_time("2026-12-01T09:00:00+08:00");
            let transport: Arc<dyn Transport> = bridge.partners.clone();
            let workers: Vec<_> =
                (0..3).map(|_| Worker::new(bridge.bridge.engine().clone(), transport.clone())).collect();
            let before = bridge.partners.tokens_given();
            for (n, worker) in (1..=6).zip(workers.iter().cycle()) {
                redeemed(bridge, n).await;
                worker.drain().await.expect("a worker");
            }
            assert!(bridge.partners.tokens_given() <= before + 1, "one for all");
            assert_eq!(bridge.partners.tokens_refused(), 0);
            // Somebody with the same credentials fetches one elsewhere.
            bridge.partners.forget_token();
            for (n, worker) in (7..=9).zip(&workers) {
                redeemed(bridge, n).await;
                worker.drain().await.expect("a worker");
            }
            assert!(bridge.partners.tokens_given() <= before + 2, "it is replaced once");
            assert!(bridge.partners.tokens_refused() <= 3, "each has found out for itself");
            assert_eq!(bridge.partners.sent("/certificate/verify/").len(), 9 + bridge.partners.tokens_refused());
        },
    )
    .await;
}

#[tokio::test]
async fn the_token_that_all_share_is_asked_for_where_there_is_one() {
    for stable in [Stable::Never, Stable::Always, Stable::EvenVoid] {
        let bridge = TestBridge::start_with(|files| {
            let products = files.get_mut("products/lakeside.toml").expect("the example's products");
            *products = products.lines().filter(|line| !line.starts_with("limits")).map(|l| format!("{l}\n")).collect();
        })
        .await;
        bridge.partners.gives_stable_tokens(stable);
        for n in 1..=3 {
            bridge.ticketed(&format!("V{n}"), &format!("R{n}")).await;
        }
        bridge.set_time("2026-12-01T09:00:00+08:00");
        let ordinary = || bridge.partners.sent("/oauth/client_token/").len();
        redeemed(&bridge, 1).await;
        bridge.drain().await;
        assert_eq!(bridge.partners.tokens_given(), 1, "{stable:?}");
        assert_eq!(ordinary(), usize::from(stable == Stable::Never), "{stable:?}");
        // It is refused: the one that all share is another by now, or the ordinary call ends it.
        bridge.partners.forget_token();
        for n in 2..=3 {
            redeemed(&bridge, n).await;
            bridge.drain().await;
        }
        assert_eq!((bridge.partners.tokens_given(), bridge.partners.tokens_refused()), (2, 1), "{stable:?}");
        let more = match stable {
            Stable::Never => 2,
            Stable::Always => 0,
            Stable::EvenVoid => 1,
        };
        assert_eq!(ordinary(), more, "{stable:?}");
        assert_eq!(bridge.partners.sent("/certificate/verify/").len(), 3 + 1, "{stable:?}");
    }
}
