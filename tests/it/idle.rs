// SPDX-License-Identifier: Apache-2.0

//! An instance that has nothing to do leaves the database alone.

use tokio_util::sync::CancellationToken;

use ticketbridge_core::Millis;

use crate::support::on_each_database;

/// How long nothing happens, seconds.
const SECONDS: u64 = 60;
/// Those of the worker's tasks that wait for a time: handing out, prolonging leases, looking for strays.
const SLEEPERS: usize = 3;
/// Questions of the test's own after each second, so that whoever woke has put his.
const ASKED: u64 = 2;

#[tokio::test]
async fn an_idle_worker_puts_a_statement_a_second_at_most() {
    on_each_database(
        |_| {},
        async |bridge| {
            let store = bridge.bridge.engine().store().clone();
            let stop = CancellationToken::new();
            let worker = tokio::spawn(Box::pin(bridge.bridge.worker().clone().run(stop.clone())));
            let asleep = async || {
                while bridge.clock.sleepers() < SLEEPERS {
                    tokio::task::yield_now().await;
                }
            };
            asleep().await;
            let before = store.statements();
            for _ in 0..SECONDS {
                bridge.advance(Millis::seconds(1));
                for _ in 0..ASKED {
                    store.job_counts().await.expect("a database that answers");
                }
                asleep().await;
            }
            let statements = store.statements() - before - SECONDS * ASKED;
            eprintln!("{statements} statements in {SECONDS} s of doing nothing");
            assert!((1..=SECONDS).contains(&statements), "{statements}");
            stop.cancel();
            // What sleeps until a time of the test's clock is let go by it.
            bridge.advance(Millis::hours(1));
            worker.await.expect("it ends well");
        },
    )
    .await;
}
