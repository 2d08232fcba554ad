// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::dialect::values;
use crate::test_support::for_each_database;
use crate::{
    CallFilter, CallRecord, Direction, InboxVerdict, NewInbox, PageRequest, Remembered, StoredAnswer, ToRemember,
};

fn dedupe(n: u32) -> String {
    format!("{n:064x}")
}

/// Receives message number `n`.
pub(super) async fn receive(store: &Store, n: u32, body: &'static [u8]) -> Result<(), StoreError> {
    store
        .write("receive", move |tx| {
            Box::pin(async move {
                tx.insert_inbox(&NewInbox {
                    id: &format!("inb_{n}"),
                    dedupe: &dedupe(n),
                    channel: "douyin-main",
                    call: "create-order",
                    key: "k",
                    received_at: after(i64::from(n)),
                    body_sha256: &dedupe(7),
                    content_sha256: Some(&dedupe(8)),
                    body,
                })
                .await
            })
        })
        .await
}

#[tokio::test]
async fn a_message_counts_once_and_keeps_its_answer_byte_for_byte() {
    for_each_database(|store| async move {
        receive(&store, 1, b"{\"phone\":\"13800000001\"}").await.unwrap();
        assert!(matches!(receive(&store, 1, b"other").await, Err(StoreError::Duplicate)));
        let row = store.inbox_by_dedupe(&dedupe(1)).await.unwrap().unwrap();
        assert_eq!((row.verdict, row.answer, row.order), (InboxVerdict::Received, None, None));
        assert_eq!((row.call.as_str(), row.received_at, row.body_sha256), ("create-order", after(1), dedupe(7)));
        assert_eq!(store.inbox_body("inb_1").await.unwrap().unwrap(), b"{\"phone\":\"13800000001\"}");

        let answer = StoredAnswer { status: 200, body: vec![0, 255, 10] };
        let given = answer.clone();
        write(
            &store,
            work!(tx, given => {
                tx.finish_inbox("inb_1", InboxVerdict::Accepted, Some(&order_id(1)), Some(&given)).await
            }),
        )
        .await;
        let row = write(&store, work!(tx => tx.inbox_by_dedupe(&dedupe(1)).await)).await.unwrap();
        assert_eq!((row.verdict, row.answer, row.order), (InboxVerdict::Accepted, Some(answer), Some(order_id(1))));
        assert_eq!(store.inbox_row("inb_1").await.unwrap().unwrap().id, "inb_1");
        assert_eq!(store.inbox_row("inb_2").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn of_equal_messages_at_the_same_moment_one_counts() {
    for_each_database(|store| async move {
        let all = futures_util::future::join_all((0..20).map(|_| receive(&store, 1, b"x"))).await;
        assert_eq!(all.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(all.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Duplicate))), "{all:?}");
    })
    .await;
}

#[tokio::test]
async fn finishing_a_message_that_was_never_received_is_an_error() {
    for_each_database(|store| async move {
        let result: Result<(), StoreError> = store
            .write("finish", |tx| {
                Box::pin(async move { tx.finish_inbox("inb_9", InboxVerdict::Ignored, None, None).await })
            })
            .await;
        assert!(matches!(result, Err(StoreError::Column(_))));
    })
    .await;
}

#[tokio::test]
async fn bodies_are_purged_by_age_and_the_rest_stays() {
    for_each_database(|store| async move {
        for n in 1..=4 {
            receive(&store, n, b"body").await.unwrap();
        }
        assert_eq!(write(&store, work!(tx => tx.purge_inbox_bodies(after(4), 2).await)).await, 2);
        assert_eq!(write(&store, work!(tx => tx.purge_inbox_bodies(after(4), 9).await)).await, 1);
        assert_eq!(write(&store, work!(tx => tx.purge_inbox_bodies(after(4), 9).await)).await, 0);
        assert_eq!(store.inbox_body("inb_3").await.unwrap(), None);
        assert!(store.inbox_body("inb_4").await.unwrap().is_some());
        assert!(store.inbox_row("inb_3").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn bodies_that_belong_to_no_order_can_be_purged_alone() {
    for_each_database(|store| async move {
        for n in 1..=3 {
            receive(&store, n, b"body").await.unwrap();
        }
        write(&store, work!(tx => tx.finish_inbox("inb_2", InboxVerdict::Accepted, Some(&order_id(1)), None).await))
            .await;
        assert_eq!(write(&store, work!(tx => tx.purge_inbox_bodies_without_order(after(3), 9).await)).await, 1);
        assert_eq!(write(&store, work!(tx => tx.purge_inbox_bodies_without_order(after(3), 9).await)).await, 0);
        let body = async |n: u32| store.inbox_body(&format!("inb_{n}")).await.unwrap();
        assert_eq!((body(1).await, body(2).await.is_some(), body(3).await.is_some()), (None, true, true));
    })
    .await;
}

#[tokio::test]
async fn messages_that_concern_no_order_are_deleted_in_the_end_and_those_of_orders_stay() {
    for_each_database(|store| async move {
        for n in 1..=3 {
            receive(&store, n, b"body").await.unwrap();
        }
        remember(&store, 4, "V4").await;
        for (n, verdict, order) in [
            (1, InboxVerdict::Malformed, None),
            (2, InboxVerdict::Accepted, Some(order_id(1))),
            (3, InboxVerdict::Refused, None),
            (4, InboxVerdict::Parked, None),
        ] {
            let id = format!("inb_{n}");
            write(&store, work!(tx, id, order => tx.finish_inbox(&id, verdict, order.as_ref(), None).await)).await;
        }
        assert_eq!(write(&store, work!(tx => tx.purge_inbox_of_nobody(after(1), 9).await)).await, 0);
        assert_eq!(write(&store, work!(tx => tx.purge_inbox_of_nobody(after(9), 1).await)).await, 1);
        assert_eq!(write(&store, work!(tx => tx.purge_inbox_of_nobody(after(9), 9).await)).await, 1);
        let is_there = async |n: u32| store.inbox_row(&format!("inb_{n}")).await.unwrap().is_some();
        assert_eq!(
            [is_there(1).await, is_there(2).await, is_there(3).await, is_there(4).await],
            [false, true, false, true]
        );
        // It is no longer waited for.
        assert_eq!(write(&store, work!(tx => tx.purge_remembered(after(9), 9).await)).await, 1);
        assert_eq!(write(&store, work!(tx => tx.purge_inbox_of_nobody(after(9), 9).await)).await, 1);
        assert!(is_there(2).await && !is_there(4).await);
    })
    .await;
}

/// Keeps message `n` for a number until its order comes.
async fn remember(store: &Store, n: u32, number: &'static str) {
    receive(store, n, b"body").await.unwrap();
    assert_eq!(
        write(
            store,
            work!(tx => {
                let kept = ToRemember { inbox_id: &format!("inb_{n}"), message: &n, at: after(i64::from(n)) };
                tx.remember(&channel(), &number.into(), &kept).await
            })
        )
        .await,
        Remembered::Kept
    );
}

#[tokio::test]
async fn messages_for_an_order_that_never_comes_are_given_up() {
    for_each_database(|store| async move {
        for (n, number) in [(1, "V1"), (2, "V1"), (3, "V2"), (4, "V1")] {
            remember(&store, n, number).await;
        }
        assert_eq!(write(&store, work!(tx => tx.purge_remembered(after(3), 9).await)).await, 0);
        assert_eq!(write(&store, work!(tx => tx.purge_remembered(after(4), 9).await)).await, 1);
        assert_eq!(write(&store, work!(tx => tx.purge_remembered(after(4), 9).await)).await, 0);
        let waits =
            async |number: &str| store.resolve_ref(&channel(), &number.into()).await.unwrap().unwrap().has_remembered;
        assert_eq!((waits("V1").await, waits("V2").await), (true, false));

        receive(&store, 3, b"again").await.expect_err("the row of the first time keeps its id");
        assert_eq!(store.inbox_by_dedupe(&dedupe(3)).await.unwrap(), None, "a repeat is heard anew");
        assert!(store.inbox_by_dedupe(&dedupe(4)).await.unwrap().is_some());

        // The order comes after all: its messages are found with it.
        assert_eq!(
            write(&store, work!(tx => tx.take_remembered::<u32>(&channel(), &"V1".into(), &order_id(1)).await)).await,
            [1, 2, 4]
        );
        for (n, order) in [(1, Some(order_id(1))), (3, None), (4, Some(order_id(1)))] {
            assert_eq!(store.inbox_row(&format!("inb_{n}")).await.unwrap().unwrap().order, order);
        }
        assert_eq!(write(&store, work!(tx => tx.purge_remembered(after(9), 9).await)).await, 0);
    })
    .await;
}

#[tokio::test]
async fn messages_of_which_no_time_is_known_wait_from_now_on() {
    for_each_database(|store| async move {
        remember(&store, 1, "V1").await;
        let older = "DELETE FROM remembered";
        write(&store, work!(tx => tx.execute(older, values![]).await)).await;
        assert_eq!(write(&store, work!(tx => tx.date_remembered(after(10)).await)).await, 1);
        assert_eq!(write(&store, work!(tx => tx.date_remembered(after(11)).await)).await, 0);
        assert_eq!(write(&store, work!(tx => tx.purge_remembered(after(10), 9).await)).await, 0);
        assert_eq!(write(&store, work!(tx => tx.purge_remembered(after(11), 9).await)).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_body_of_the_largest_size_fits() {
    for_each_database(|store| async move {
        static LARGE: [u8; ticketbridge_core::limits::BODY_BYTES_MAX] =
            [b'x'; ticketbridge_core::limits::BODY_BYTES_MAX];
        receive(&store, 1, &LARGE).await.unwrap();
        assert_eq!(store.inbox_body("inb_1").await.unwrap().unwrap().len(), LARGE.len());
    })
    .await;
}

#[tokio::test]
async fn the_log_of_calls_is_read_by_order_newest_first() {
    for_each_database(|store| async move {
        let call = |n: i64, order: Option<u128>| CallRecord {
            id: format!("cal_{n}"),
            order: order.map(order_id),
            direction: if n % 2 == 0 { Direction::In } else { Direction::Out },
            partner: "douyin-main".to_owned(),
            call: "create-order".to_owned(),
            at: after(n),
            duration: Millis(12),
            attempt: 1,
            status: (n > 1).then_some(200),
            verdict: "accepted".to_owned(),
            summary: "王*".to_owned(),
        };
        let all = vec![call(1, Some(1)), call(2, Some(1)), call(3, Some(2)), call(4, None)];
        let logged = all.clone();
        write(
            &store,
            work!(tx, logged => {
                for call in &logged {
                    tx.log_call(call)?;
                }
                Ok(())
            }),
        )
        .await;
        let page = PageRequest { limit: 10, cursor: None };
        let of_one = store.list_calls(&CallFilter { order: Some(order_id(1)) }, &page).await.unwrap();
        assert_eq!(of_one.items, [all[1].clone(), all[0].clone()]);
        assert_eq!(store.list_calls(&CallFilter::default(), &page).await.unwrap().items.len(), 4);
    })
    .await;
}
