// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::dialect::{Query as _, get, values};
use crate::test_support::{TEST_KEY, for_each_database};
use crate::{InboxVerdict, KnownAct, NewBulk, NewInbox, ScopeWords, SealedColumn, StoredAnswer, TapePiece, ToRemember};
use std::collections::BTreeSet;
use ticketbridge_core::order::TicketKind;

/// One row of everything that is sealed.
async fn seed(store: &Store, n: u128) {
    let hash = format!("{n:064x}");
    write(
        store,
        work!(tx, hash => {
            tx.insert_order(&order(n), &[placed(&order(n))]).await?;
            // As it would be once it was put away.
            let columns = crate::archive::ORDER_COLUMNS;
            let copy = format!("INSERT INTO order_archive ({columns}) SELECT {columns} FROM orders WHERE id = ?");
            tx.execute(&copy, values![order(n).id.as_str()]).await?;
            tx.enqueue(&super::jobs::job(u32::try_from(n).unwrap(), n, "backend:gate", 1)).await?;
            let (id, answer) = (format!("inb_{n}"), StoredAnswer { status: 200, body: b"{}".to_vec() });
            let new = NewInbox {
                id: &id, dedupe: &hash, channel: "c", call: "x", key: "k", received_at: NOW, body_sha256: &hash, content_sha256: None, body: b"body",
            };
            tx.insert_inbox(&new).await?;
            tx.finish_inbox(&id, InboxVerdict::Accepted, None, Some(&answer)).await?;
            let kept = ToRemember { inbox_id: &id, message: &"message", at: NOW };
            tx.remember(&channel(), &ExternalId(format!("X{n}")), &kept).await?;
            super::people::join(tx, n).await?;
            let bulk = NewBulk {
                id: format!("blk_{n}"),
                act: "reject".to_owned(),
                asked_by: "token:ada".to_owned(),
                scope: ScopeWords { kind: "everything".to_owned(), id: None },
                body: serde_json::json!({ "reason": "ill" }),
                targets: vec![(order(n).id.to_string(), None)],
                at: NOW,
            };
            tx.add_bulk(&bulk).await?;
            tx.end_bulk_item(&bulk.id, 0, &Err(("not_found".to_owned(), "there is no such case".to_owned()))).await?;
            tx.import_codes("pool", TicketKind::Code, &[format!("code {n}")]).await?;
            tx.tape(&[TapePiece { id: format!("tap_{n}"), at: NOW, content: b"{}".to_vec() }]).await?;
            tx.put_act(&hash, &KnownAct { request_hash: hash.clone(), status: 200, body: b"{}".to_vec() }, NOW).await
        }),
    )
    .await;
}

async fn left(store: &Store) -> u64 {
    let mut left = 0;
    for column in SealedColumn::ALL {
        left += store.under_old_keys(column).await.unwrap();
    }
    left
}

#[tokio::test]
async fn everything_sealed_is_sealed_anew_and_opens_without_the_old_key() {
    for_each_database(|store| async move {
        for n in 1..=5 {
            seed(&store, n).await;
        }
        let hash = store.sealer().keyed_hash("phone", "1");
        assert_eq!(left(&store).await, 0);
        store.sealer().replace(&[[9; 32], TEST_KEY]);
        assert_eq!(left(&store).await, 20 * 5 + 1);
        for column in SealedColumn::ALL {
            let (mut after, mut rows) = (None::<Vec<String>>, 0);
            loop {
                let batch = write(&store, work!(tx, after => tx.reseal(column, after.as_deref(), 2).await)).await;
                rows += batch.rows;
                after = batch.after;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(rows, if column.name() == "secret.sealed" { 1 } else { 5 }, "{}", column.name());
        }
        store.sealer().replace(&[[9; 32]]);
        assert_eq!(left(&store).await, 0);
        assert_eq!(store.load_order(&order(3).id).await.unwrap(), Some(order(3)));
        assert_eq!(store.inbox_body("inb_3").await.unwrap().as_deref(), Some(&b"body"[..]));
        assert_eq!(store.events(&order(3).id, 0, 9).await.unwrap()[0].data["event"], "order_placed");
        assert!(store.job("dlv_0003").await.unwrap().is_some());
        assert!(store.inbox_row("inb_3").await.unwrap().unwrap().answer.is_some());
        assert!(store.known_act(&format!("{:064x}", 3)).await.unwrap().is_some());
        let number = ExternalId::from("X3");
        let kept: Vec<String> =
            write(&store, work!(tx, number => tx.take_remembered(&channel(), &number, &order_id(3)).await)).await;
        assert_eq!(kept, ["message"]);
        assert_eq!(store.sealer().keyed_hash("phone", "1"), hash);
        store.migrate().await.expect("the key of hashes opens, too");
    })
    .await;
}

#[tokio::test]
async fn a_row_under_a_key_that_is_gone_stops_the_rotation() {
    for_each_database(|store| async move {
        seed(&store, 1).await;
        store.sealer().replace(&[[9; 32]]);
        let result = store
            .write("test", |tx: &Tx| {
                Box::pin(async move { tx.reseal(&SealedColumn::ALL[1], None, 10).await.map(drop) })
            })
            .await;
        assert!(matches!(result, Err(StoreError::Sealed(_))), "{result:?}");
        assert!(store.migrate().await.is_err(), "a database is not opened without any of its keys");
    })
    .await;
}

#[tokio::test]
async fn no_column_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let store = Store::connect(&url, crate::test_support::options()).await.unwrap();
    store.migrate().await.unwrap();
    seed(&store, 1).await;
    let known: BTreeSet<String> = SealedColumn::ALL.iter().map(SealedColumn::name).collect();
    let mut found = BTreeSet::new();
    for table in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'", values![]).await.unwrap() {
        let table: String = get(&table, "name").unwrap();
        for column in store.rows(&format!("SELECT name FROM pragma_table_info('{table}')"), values![]).await.unwrap() {
            let column: String = get(&column, "name").unwrap();
            let sql = format!("SELECT COUNT(*) AS many FROM \"{table}\" WHERE \"{column}\" LIKE 'v1.%'");
            let row = store.row(&sql, values![]).await.unwrap().unwrap();
            if get::<i64>(&row, "many").unwrap() > 0 {
                found.insert(format!("{table}.{column}"));
            }
        }
    }
    assert_eq!(found, known);
}

/// As the version before this one wrote them: events, effects and numbers in clear.
#[tokio::test]
async fn what_an_older_version_kept_in_clear_is_sealed_once_and_read_before_and_after() {
    for_each_database(|store| async move {
        seed(&store, 1).await;
        let id = order(1).id;
        write(
            &store,
            work!(tx, id => {
                // It put nothing away.
                tx.execute("DELETE FROM order_archive", values![]).await?;
                let clear = r#"{"event":"booking_declined","reason":"Guest One"}"#;
                let sql = "UPDATE order_event SET reason = 'Guest One', body = ? WHERE order_id = ?";
                tx.execute(sql, values![clear, id.as_str()]).await?;
                tx.execute("UPDATE job SET effect = '{\"effect\":\"decrypt_guests\"}'", values![]).await?;
                tx.execute("UPDATE order_ref SET reference = 'X1'", values![]).await?;
                tx.bind_ref(&channel(), &ExternalId::from("X1"), &id, None).await
            }),
        )
        .await;
        for _before_and_after in 0..2 {
            let events = store.events(&id, 0, 9).await.unwrap();
            assert_eq!(
                (events[0].reason.as_deref(), &events[0].data["reason"]),
                (Some("Guest One"), &"Guest One".into())
            );
            assert_eq!(store.job("dlv_0001").await.unwrap().unwrap().effect, ticketbridge_core::Effect::DecryptGuests);
            let filter = crate::OrderFilter { q: Some("X1".to_owned()), ..crate::OrderFilter::default() };
            let page = crate::PageRequest { limit: 9, cursor: None };
            assert_eq!(store.list_orders(&filter, &page).await.unwrap().items.len(), 1);
            store.seal_what_was_clear(NOW).await.unwrap();
        }
        for sql in [
            "SELECT body AS text FROM order_event",
            "SELECT COALESCE(reason, '') AS text FROM order_event",
            "SELECT effect AS text FROM job",
            "SELECT reference AS text FROM order_ref",
        ] {
            let row = store.row(sql, values![]).await.unwrap().unwrap();
            let text: String = get(&row, "text").unwrap();
            assert!(!text.contains("Guest One") && !text.starts_with('{') && text != "X1", "{sql}: {text}");
        }
    })
    .await;
}
