// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::dialect::{Query as _, get, values};
use crate::test_support::for_each_database;
use crate::{ClaimKind, GuestClaim, Imported, PoolCode, PoolCounts, ToldStock};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use ticketbridge_core::BookingId;
use ticketbridge_core::message::StockKey;
use ticketbridge_core::order::TicketKind;

fn day(text: &str) -> StockKey {
    StockKey { product: product("LP-B2"), date: Date::parse(text) }
}

fn voucher() -> StockKey {
    StockKey { product: product("LP-V2"), date: None }
}

#[tokio::test]
async fn stock_is_taken_while_there_is_any_and_comes_back() {
    for_each_database(|store| async move {
        assert_eq!(store.stock_left(&voucher(), Some(3)).await.unwrap(), Some(3));
        write(
            &store,
            work!(tx => {
                assert_eq!(tx.stock_left(&voucher(), Some(3)).await?, Some(3));
                assert!(tx.take_stock(&voucher(), 2).await?);
                assert!(!tx.take_stock(&voucher(), 2).await?);
                assert_eq!(tx.stock_left(&voucher(), Some(3)).await?, Some(1));
                tx.give_back_stock(&voucher(), 1).await?;
                assert!(tx.take_stock(&voucher(), 2).await?);
                Ok(())
            }),
        )
        .await;
        assert_eq!(store.stock_left(&voucher(), Some(3)).await.unwrap(), Some(0));
        assert_eq!(store.stock_left(&voucher(), None).await.unwrap(), None);
        write(&store, work!(tx => tx.give_back_stock(&voucher(), 99).await)).await;
        assert_eq!(store.stock_left(&voucher(), Some(3)).await.unwrap(), Some(3), "never below none taken");
    })
    .await;
}

#[tokio::test]
async fn a_changed_total_counts_from_then_on_and_no_total_is_no_limit() {
    for_each_database(|store| async move {
        write(
            &store,
            work!(tx => {
                assert!(tx.take_stock(&voucher(), 1_000).await?, "nobody set a limit");
                assert_eq!(tx.stock_left(&voucher(), Some(10)).await?, Some(-990));
                assert!(!tx.take_stock(&voucher(), 1).await?);
                assert_eq!(tx.stock_left(&voucher(), None).await?, None);
                assert!(tx.take_stock(&voucher(), 1).await?);
                tx.stock_left(&voucher(), Some(1)).await?;
                tx.take_sold_stock(&voucher(), 5).await
            }),
        )
        .await;
        assert_eq!(store.stock_left(&voucher(), Some(2_000)).await.unwrap(), Some(994));
    })
    .await;
}

#[tokio::test]
async fn what_a_back_end_has_left_counts_with_what_it_could_not_know() {
    for_each_database(|store| async move {
        let key = day("2026-12-01");
        let told = |left, taken_before, not_there_yet| ToldStock { left: Some(left), taken_before, not_there_yet };
        // (taken since it was asked, what it said) → left
        let cases = [
            (0, told(5, 3, 0), 5),
            (0, told(5, 3, 2), 3),
            (0, told(1, 3, 3), -2),
            (2, told(5, 3, 0), 3),
            (-1, told(5, 3, 0), 5),
            (-1, told(-7, 3, 0), 0),
        ];
        for (since, told, left) in cases {
            let key = key.clone();
            write(
                &store,
                work!(tx, key => {
                    tx.give_back_stock(&key, u32::MAX).await?;
                    tx.take_sold_stock(&key, u32::try_from(told.taken_before + since).unwrap()).await?;
                    tx.set_told_stock(&key, told).await
                }),
            )
            .await;
            assert_eq!(
                store.told_stock_left(&key, None).await.unwrap(),
                crate::ToldLeft::Units(left),
                "{since} {told:?}"
            );
        }
        let no_limit = ToldStock { left: None, taken_before: 3, not_there_yet: 1 };
        write(&store, work!(tx, key => tx.set_told_stock(&key, no_limit).await)).await;
        assert_eq!(store.told_stock_left(&key, Some(1)).await.unwrap(), crate::ToldLeft::NoLimit);
    })
    .await;
}

#[tokio::test]
async fn each_date_has_its_own_stock() {
    for_each_database(|store| async move {
        write(
            &store,
            work!(tx => {
                for (date, units) in [("2026-12-01", 1), ("2026-12-02", 2), ("2026-12-05", 5)] {
                    tx.stock_left(&day(date), Some(5)).await?;
                    assert!(tx.take_stock(&day(date), units).await?);
                }
                Ok(())
            }),
        )
        .await;
        let (from, to) = (Date::parse("2026-12-02").unwrap(), Date::parse("2026-12-05").unwrap());
        let taken = store.stock_taken(&product("LP-B2"), from, to).await.unwrap();
        assert_eq!(taken.into_iter().collect::<Vec<_>>(), [(from, 2), (to, 5)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_unit_goes_to_one_of_a_hundred() {
    for_each_database(|store| async move {
        let takers = (0..100).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                write(
                    &store,
                    work!(tx => {
                        let left = tx.stock_left(&voucher(), Some(1)).await?;
                        if left < Some(1) { return Ok(false) }
                        tx.take_stock(&voucher(), 1).await
                    }),
                )
                .await
            })
        });
        let got = join_all(takers).await.into_iter().filter(|taken| *taken.as_ref().unwrap()).count();
        assert_eq!(got, 1);
        assert_eq!(store.stock_left(&voucher(), Some(1)).await.unwrap(), Some(0));
    })
    .await;
}

async fn import(store: &Store, codes: Vec<String>) -> Imported {
    write(store, work!(tx, codes => tx.import_codes("lp-2026", TicketKind::Qr, &codes).await)).await
}

async fn draw(store: &Store, count: usize, booking: &str) -> Option<Vec<PoolCode>> {
    let booking = BookingId::from(booking);
    write(store, work!(tx, booking => tx.draw_codes("lp-2026", count, &booking, NOW).await)).await
}

fn numbered(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| format!("CODE{n:05}")).collect()
}

#[tokio::test]
async fn codes_are_imported_once_and_drawn_oldest_first_all_or_none() {
    for_each_database(|store| async move {
        assert_eq!(store.pool_counts("lp-2026").await.unwrap(), None);
        let mut list = numbered(0..1_100);
        list.push("CODE00003".to_owned());
        assert_eq!(import(&store, list).await, Imported { added: 1_100, duplicates: 1 });
        assert_eq!(import(&store, numbered(1_099..1_101)).await, Imported { added: 1, duplicates: 1 });

        let mine = draw(&store, 2, "bkg_1").await.unwrap();
        let clear: Vec<&str> = mine.iter().map(|code| code.code.reveal()).collect();
        assert_eq!((clear, mine[0].kind), (vec!["CODE00000", "CODE00001"], TicketKind::Qr));
        assert_eq!(draw(&store, 2, "bkg_1").await, Some(mine), "the same again");
        assert_eq!(draw(&store, 1_100, "bkg_2").await, None);
        assert_eq!(draw(&store, 0, "bkg_2").await, None);
        let counts = store.pool_counts("lp-2026").await.unwrap().unwrap();
        assert_eq!((counts, counts.available()), (PoolCounts { total: 1_101, issued: 2, held_back: 0 }, 1_099));

        let result: Result<_, StoreError> = store
            .write("differ", |tx| Box::pin(async move { tx.draw_codes("lp-2026", 3, &"bkg_1".into(), NOW).await }))
            .await;
        assert!(matches!(result, Err(StoreError::CodesDiffer { held: 2, asked: 3 })), "{result:?}");
    })
    .await;
}

#[tokio::test]
async fn codes_differ_by_case_and_are_not_readable_in_the_database() {
    for_each_database(|store| async move {
        let list = vec!["abc-secret".to_owned(), "ABC-secret".to_owned()];
        assert_eq!(import(&store, list).await, Imported { added: 2, duplicates: 0 });
        let rows = store.rows("SELECT code FROM code", values![]).await.unwrap();
        assert!(rows.iter().all(|row| !get::<String>(row, "code").unwrap().contains("secret")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_code_is_handed_out_twice() {
    for_each_database(|store| async move {
        import(&store, numbered(0..90)).await;
        let draws = (0..50).map(|n| {
            let store = store.clone();
            // Every booking asks twice at the same moment.
            tokio::spawn(async move { (n / 2, draw(&store, 4, &format!("bkg_{}", n / 2)).await) })
        });
        let mut by_booking = std::collections::BTreeMap::new();
        for (booking, codes) in join_all(draws).await.into_iter().map(Result::unwrap) {
            if let Some(codes) = codes {
                let clear: Vec<String> = codes.iter().map(|code| code.code.reveal().to_owned()).collect();
                assert_eq!(*by_booking.entry(booking).or_insert(clear.clone()), clear, "the same codes again");
            }
        }
        let all: Vec<&String> = by_booking.values().flatten().collect();
        assert_eq!(all.len(), 88, "22 bookings of 4, the rest got none");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 88, "none twice");
        assert_eq!(store.pool_counts("lp-2026").await.unwrap().unwrap().issued, 88);
    })
    .await;
}

#[tokio::test]
async fn claims_are_counted_by_guest_and_released_with_the_order() {
    for_each_database(|store| async move {
        let hash = |text: &str| store.sealer().keyed_hash("phone", text);
        let (one, two) = (hash("13800000001"), hash("13800000002"));
        let claim = |hash: &str, units| GuestClaim {
            product: product("LP-V2"),
            kind: ClaimKind::Phone,
            hash: hash.to_owned(),
            units,
        };
        let (first, second) = (vec![claim(&one, 2), claim(&two, 1)], vec![claim(&one, 3)]);
        write(
            &store,
            work!(tx, first, second, one, two => {
                tx.claim_guests(&order_id(1), &first).await?;
                tx.claim_guests(&order_id(1), &first).await?;
                tx.claim_guests(&order_id(2), &second).await?;
                let (lp, phone) = (product("LP-V2"), ClaimKind::Phone);
                assert_eq!(tx.claimed_units(&lp, phone, &one, None).await?, 5);
                assert_eq!(tx.claimed_units(&lp, phone, &one, Some(&order_id(2))).await?, 2);
                assert_eq!(tx.claimed_units(&lp, ClaimKind::Document, &one, None).await?, 0);
                assert_eq!(tx.claimed_units(&product("other"), phone, &one, None).await?, 0);
                let both = [two.clone(), "unknown".to_owned(), one.clone()];
                assert_eq!(tx.claimed_orders(&lp, phone, &both, None).await?, [1, 0, 2]);
                assert_eq!(tx.claimed_orders(&lp, phone, &both, Some(&order_id(1))).await?, [0, 0, 1]);
                assert!(tx.claimed_orders(&lp, phone, &[], None).await?.is_empty());
                tx.release_claims(&order_id(1), &lp);
                assert_eq!(tx.claimed_units(&lp, phone, &one, None).await?, 3);
                tx.claim_guests(&order_id(1), &first).await?;
                assert_eq!(tx.claimed_units(&lp, phone, &one, None).await?, 5);
                Ok(())
            }),
        )
        .await;
    })
    .await;
}
