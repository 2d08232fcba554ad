// SPDX-License-Identifier: Apache-2.0

//! What a message costs the database: a limit, so that nobody adds a statement unawares.

use std::collections::BTreeMap;

use crate::support::{TestBridge, on_each_database};

/// Statements of what `act` does; those of the record of calls, which is written beside it, may be among them.
async fn cost(bridge: &TestBridge, act: impl AsyncFnOnce(&TestBridge)) -> u64 {
    let store = bridge.bridge.engine().store().clone();
    let before = store.statements();
    act(bridge).await;
    store.statements() - before
}

#[tokio::test]
async fn a_message_costs_few_statements() {
    crate::support::leaves_work();
    on_each_database(
        |_: &mut BTreeMap<String, String>| {},
        async |bridge| {
            // The first of each kind makes rows that the others find.
            bridge.sell("V0").await;
            let sale = cost(bridge, async |bridge| drop(bridge.sell("V1").await)).await;
            let repeat = cost(bridge, async |bridge| drop(bridge.sell("V1").await)).await;
            bridge.book("R0", "V0", "2026-12-01").await;
            let booking = cost(bridge, async |bridge| drop(bridge.book("R1", "V1", "2026-12-01").await)).await;
            eprintln!("statements: sale {sale}, its repeat {repeat}, booking {booking}");
            assert!(sale <= 24, "a sale: {sale}");
            assert!(repeat <= 16, "a repeat: {repeat}");
            assert!(booking <= 26, "a booking: {booking}");
        },
    )
    .await;
}
