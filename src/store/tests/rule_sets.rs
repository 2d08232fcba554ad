// SPDX-License-Identifier: Apache-2.0

//! Rules that are stored once, and named by the orders that were placed under them.

use super::*;
use crate::dialect::{Query as _, get, values};
use crate::test_support::{for_each_database, for_each_database_url, options};

async fn rule_sets(store: &Store) -> i64 {
    let rows = store.rows("SELECT COUNT(*) AS many FROM rule_set", values![]).await.unwrap();
    get(&rows[0], "many").unwrap()
}

async fn document_bytes(store: &Store) -> usize {
    let rows = store.rows("SELECT document FROM orders", values![]).await.unwrap();
    rows.iter().map(|row| get::<String>(row, "document").unwrap().len()).sum()
}

#[tokio::test]
async fn orders_under_the_same_rules_name_one_set_and_another_process_finds_it() {
    for_each_database_url(async |url| {
        let store = Store::connect(&url, options()).await.unwrap();
        store.migrate().await.unwrap();
        assert!(store.keep_rules_apart(NOW).await.unwrap(), "nothing is in the way in an empty database");
        let (first, mut second, mut third) = (order(1), order(2), order(3));
        second.rules.config_version = 7;
        third.rules.booking.visitors_per_unit = 4;
        for order in [&first, &second] {
            insert(&store, order).await;
        }
        assert_eq!(rule_sets(&store).await, 1, "the version of the configuration is the order's, not the rules'");
        insert(&store, &third).await;
        assert_eq!(rule_sets(&store).await, 2);
        let other = Store::connect(&url, options()).await.unwrap();
        for order in [&first, &second, &third] {
            assert_eq!(other.load_order(&order.id).await.unwrap().as_ref(), Some(order));
        }
        let told = other.events(&second.id, 0, 10).await.unwrap();
        assert_eq!(told[0].data["sale"]["rules"], serde_json::to_value(&second.rules).unwrap(), "written out");
        other.close().await.unwrap();
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_set_that_a_refused_work_named_first_is_stored_by_the_next() {
    for_each_database(|store| async move {
        store.keep_rules_apart(NOW).await.unwrap();
        let first = order(1);
        let refused: Result<(), StoreError> = store
            .write(
                "refused",
                work!(tx, first => {
                    tx.insert_order(&first, &[placed(&first)]).await?;
                    Err(StoreError::Cursor)
                }),
            )
            .await;
        assert!(refused.is_err());
        assert_eq!(rule_sets(&store).await, 0);
        insert(&store, &first).await;
        assert_eq!(rule_sets(&store).await, 1);
    })
    .await;
}

#[tokio::test]
async fn rules_from_before_are_parted_once_and_change_nothing() {
    for_each_database(|store| async move {
        let all: Vec<Order> = (1..=205).map(order).collect();
        for order in &all {
            insert(&store, order).await;
        }
        assert_eq!(rule_sets(&store).await, 0, "written out, as an older version reads them");
        assert_eq!(store.part_old_rules(NOW).await.unwrap(), 0, "not before all can read them");
        let (before, history) = (document_bytes(&store).await, store.events(&all[9].id, 0, 10).await.unwrap());
        let sql = "INSERT INTO lease (name, holder, token, until_ms) VALUES ('instance/old', '', '', ?)";
        write(&store, work!(tx => tx.execute(sql, values![after(60_000).0]).await)).await;
        let alone = !store.dialect().shares_with_others();
        assert_eq!(store.keep_rules_apart(NOW).await.unwrap(), alone, "an older version may still run");
        write(&store, work!(tx => tx.note_instance("old", "", Millis(60_000), NOW).await)).await;
        assert!(store.keep_rules_apart(NOW).await.unwrap());
        assert_eq!(store.part_old_rules(NOW).await.unwrap(), 410, "an order and its first event each");
        assert_eq!(store.part_old_rules(NOW).await.unwrap(), 0);
        assert_eq!(rule_sets(&store).await, 1);
        assert!(document_bytes(&store).await < before);
        for order in &all {
            assert_eq!(store.load_order(&order.id).await.unwrap().as_ref(), Some(order));
        }
        assert_eq!(store.events(&all[9].id, 0, 10).await.unwrap(), history);
    })
    .await;
}

#[tokio::test]
async fn an_order_whose_rules_are_missing_says_which() {
    for_each_database_url(async |url| {
        let store = Store::connect(&url, options()).await.unwrap();
        store.migrate().await.unwrap();
        store.keep_rules_apart(NOW).await.unwrap();
        let first = order(1);
        insert(&store, &first).await;
        write(&store, work!(tx => tx.execute("DELETE FROM rule_set", values![]).await)).await;
        let other = Store::connect(&url, options()).await.unwrap();
        let result = other.load_order(&first.id).await;
        assert!(
            matches!(&result, Err(StoreError::RulesUnknown { digest }) if digest == first.rules.digest()),
            "{result:?}"
        );
        other.close().await.unwrap();
        store.close().await.unwrap();
    })
    .await;
}
