// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::dialect::values;
use crate::test_support::for_each_database;
use crate::{CreditEntry, CreditKind, CreditSums, Deposited};
use futures_util::future::join_all;

fn entry(kind: CreditKind, amount: i64, reference: &str) -> CreditEntry {
    CreditEntry { kind, amount, reference: reference.to_owned(), order: Some(order(1).id), at: NOW }
}

fn sums(balance: i64, held: i64) -> CreditSums {
    CreditSums { balance, held }
}

#[tokio::test]
async fn money_is_held_taken_and_returned_and_the_books_agree() {
    for_each_database(|store| async move {
        assert_eq!(store.credit_sums("acme").await.unwrap(), sums(0, 0));
        for (kind, amount, expected) in [
            (CreditKind::Deposit, 1_000, sums(1_000, 0)),
            (CreditKind::Hold, 400, sums(1_000, 400)),
            (CreditKind::Capture, 300, sums(700, 100)),
            (CreditKind::Release, 100, sums(700, 0)),
            (CreditKind::Refund, 250, sums(950, 0)),
        ] {
            let moved = write(&store, work!(tx => tx.move_credit("acme", &[entry(kind, amount, "r1")]).await)).await;
            assert_eq!(moved, expected, "{kind:?}");
        }
        assert_eq!(store.credit_sums("acme").await.unwrap(), sums(950, 0));
        assert_eq!(store.credit_differences().await.unwrap(), []);
        let of = write(&store, work!(tx => tx.credit_account_of(&order(1).id).await)).await;
        assert_eq!(of.as_deref(), Some("acme"));
        assert_eq!(store.credit_entries("acme", NOW, after(1)).await.unwrap().len(), 5);
        assert_eq!(store.credit_entries("acme", after(1), after(2)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_released_that_was_not_held_and_nothing_is_moved_twice() {
    for_each_database(|store| async move {
        let attempt = |entries: Vec<CreditEntry>| {
            store.write("test", move |tx: &Tx| {
                let entries = entries.clone();
                Box::pin(async move { tx.move_credit("acme", &entries).await })
            })
        };
        assert!(attempt(vec![entry(CreditKind::Release, 1, "r")]).await.is_err());
        assert!(attempt(vec![entry(CreditKind::Hold, -1, "r")]).await.is_err());
        attempt(vec![entry(CreditKind::Hold, 1, "r")]).await.unwrap();
        assert!(matches!(attempt(vec![entry(CreditKind::Hold, 1, "r")]).await, Err(StoreError::Duplicate)));
        assert_eq!(store.credit_sums("acme").await.unwrap(), sums(0, 1));
    })
    .await;
}

#[tokio::test]
async fn a_deposit_counts_once() {
    for_each_database(|store| async move {
        for (amount, expected) in [(500, Deposited::Added), (500, Deposited::Known), (501, Deposited::AnotherAmount)] {
            let deposit = CreditEntry { order: None, ..entry(CreditKind::Deposit, amount, "transfer 1") };
            let found = write(&store, work!(tx, deposit => tx.deposit_credit("acme", &deposit).await)).await;
            assert_eq!(found, expected, "{amount}");
        }
        assert_eq!(store.credit_sums("acme").await.unwrap(), sums(500, 0));
    })
    .await;
}

#[tokio::test]
async fn the_last_of_it_goes_to_one_taker() {
    for_each_database(|store| async move {
        write(&store, work!(tx => tx.move_credit("acme", &[entry(CreditKind::Deposit, 7, "d")]).await)).await;
        let takers = (0..20).map(|taker| {
            store.write("test", move |tx: &Tx| {
                Box::pin(async move {
                    let sums = tx.lock_credit("acme").await?;
                    if sums.balance - sums.held < 2 {
                        return Ok::<bool, StoreError>(false);
                    }
                    tx.move_credit("acme", &[entry(CreditKind::Hold, 2, &format!("t{taker}"))]).await?;
                    Ok(true)
                })
            })
        });
        let served = join_all(takers).await.into_iter().filter(|taken| *taken.as_ref().unwrap()).count();
        assert_eq!(served, 3);
        assert_eq!(store.credit_sums("acme").await.unwrap(), sums(7, 6));
    })
    .await;
}

#[tokio::test]
async fn a_hand_in_the_books_is_found() {
    for_each_database(|store| async move {
        for account in ["acme", "bolt"] {
            let account = account.to_owned();
            write(&store, work!(tx, account => tx.move_credit(&account, &[entry(CreditKind::Deposit, 9, "d")]).await))
                .await;
        }
        write(
            &store,
            work!(tx => tx.execute("UPDATE credit_account SET balance = 10 WHERE id = 'bolt'", values![]).await),
        )
        .await;
        let found = store.credit_differences().await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].account.as_str(), found[0].row, found[0].entries), ("bolt", sums(10, 0), sums(9, 0)));
    })
    .await;
}
