// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::dialect::{Query as _, get, values};
use crate::test_support::for_each_database;
use crate::{Remembered, ToRemember, event_id};
use ticketbridge_core::BookingId;
use ticketbridge_core::limits::REMEMBERED_MAX;
use ticketbridge_core::order::{Attention, AttentionKind};

#[tokio::test]
async fn an_order_comes_back_as_it_went_in_guest_data_included() {
    for_each_database(|store| async move {
        let mut full = order(1);
        (full.booking, full.refund_case) = (Some(booking(2)), Some(refund_case(3, RefundState::UnderReview)));
        insert(&store, &full).await;
        let loaded = store.load_order(&full.id).await.unwrap().unwrap();
        assert_eq!(loaded, full);
        assert_eq!(loaded.buyer.phone.unwrap().reveal(), "13800000001");
        let id = full.id.clone();
        assert_eq!(write(&store, work!(tx, id => tx.lock_order(&id).await)).await, Some(full));
        assert_eq!(store.load_order(&order_id(9)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn nothing_personal_is_readable_in_the_database() {
    for_each_database(|store| async move {
        insert(&store, &order(1)).await;
        for sql in ["SELECT document AS text FROM orders", "SELECT body AS text FROM order_event"] {
            let rows = store.rows(sql, values![]).await.unwrap();
            let text: String = get(&rows[0], "text").unwrap();
            assert!(!text.contains("13800000001") && !text.contains("Guest One"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_document_moved_to_another_row_does_not_open() {
    for_each_database(|store| async move {
        insert(&store, &order(1)).await;
        insert(&store, &order(2)).await;
        let stolen: String = get(
            &store.rows("SELECT document FROM orders WHERE id = ?", values![order_id(1).as_str()]).await.unwrap()[0],
            "document",
        )
        .unwrap();
        write(
            &store,
            work!(tx, stolen => {
                let all = values![stolen, order_id(2).as_str()];
                tx.execute("UPDATE orders SET document = ? WHERE id = ?", all).await
            }),
        )
        .await;
        assert!(matches!(store.load_order(&order_id(2)).await, Err(StoreError::Sealed(_))));
    })
    .await;
}

#[tokio::test]
async fn an_order_is_saved_at_the_version_it_was_read_at_only() {
    for_each_database(|store| async move {
        let mut changed = order(1);
        insert(&store, &changed).await;
        (changed.state, changed.version) = (OrderState::AwaitingBooking, 2);
        let save = changed.clone();
        write(&store, work!(tx, save => tx.save_order(&save, 1, &[opened(2)]).await)).await;
        assert_eq!(store.load_order(&changed.id).await.unwrap().unwrap(), changed);

        let late = changed.clone();
        let result: Result<(), StoreError> =
            store.write("late", work!(tx, late => tx.save_order(&late, 1, &[opened(3)]).await)).await;
        assert!(matches!(result, Err(StoreError::VersionConflict { expected: 1, .. })), "{result:?}");
        assert_eq!(store.events(&changed.id, 0, 10).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_order_is_stored_once_per_id_and_per_channel_number() {
    for_each_database(|store| async move {
        insert(&store, &order(1)).await;
        let mut same_number = order(2);
        same_number.channel_order_id = "V1".into();
        for again in [order(1), same_number] {
            let result: Result<(), StoreError> =
                store.write("again", work!(tx, again => tx.insert_order(&again, &[placed(&again)]).await)).await;
            assert!(matches!(result, Err(StoreError::Duplicate)), "{result:?}");
        }
        let mut other_channel = order(3);
        (other_channel.channel, other_channel.channel_order_id) = ("kakao".into(), "V1".into());
        insert(&store, &other_channel).await;
    })
    .await;
}

#[tokio::test]
async fn the_history_is_read_in_order_and_in_parts() {
    for_each_database(|store| async move {
        let (mut longer, events) = (order(1), (2..=251).map(opened).collect::<Vec<_>>());
        insert(&store, &longer).await;
        longer.version = 251;
        let save = longer.clone();
        write(&store, work!(tx, save, events => tx.save_order(&save, 1, &events).await)).await;

        let first = store.events(&longer.id, 0, 2).await.unwrap();
        assert_eq!(first[0].kind, "order_placed");
        assert_eq!(first[0].data["sale"]["sale"]["buyer"]["phone"], "138****0001");
        assert_eq!(first[0].actor, Actor::new(ActorKind::Channel, "douyin-main"));
        assert_eq!(first[1].id, event_id(&longer.id, 2, after(2)));
        let rest = store.events(&longer.id, 2, 1_000).await.unwrap();
        assert_eq!(rest.iter().map(|e| e.seq).collect::<Vec<_>>(), (3..=251).collect::<Vec<_>>());
        assert!(rest.windows(2).all(|pair| pair[0].id < pair[1].id), "ids sort by time");
        let latest = store.latest_events(&longer.id, None, 2).await.unwrap();
        assert_eq!(latest.iter().map(|e| e.seq).collect::<Vec<_>>(), [251, 250]);
        let before = store.latest_events(&longer.id, Some(3), 10).await.unwrap();
        assert_eq!(before.iter().map(|e| e.seq).collect::<Vec<_>>(), [2, 1]);
    })
    .await;
}

#[tokio::test]
async fn bookings_and_refund_cases_lead_to_their_order_even_when_past() {
    for_each_database(|store| async move {
        let mut changed = order(1);
        (changed.booking, changed.refund_case) = (Some(booking(2)), Some(refund_case(3, RefundState::UnderReview)));
        changed.attention.push(Attention {
            kind: AttentionKind::RefundWaits,
            since: NOW,
            sentence: "decide".into(),
            fact: None,
        });
        insert(&store, &changed).await;
        changed.past_bookings.push(booking(2));
        changed.past_refund_cases.push(refund_case(3, RefundState::Rejected));
        (changed.booking, changed.refund_case) = (Some(booking(4)), Some(refund_case(5, RefundState::UnderReview)));
        changed.version = 2;
        let save = changed.clone();
        write(&store, work!(tx, save => tx.save_order(&save, 1, &[opened(2)]).await)).await;
        for n in [2, 4] {
            assert_eq!(store.order_of_booking(&Seed(n).booking()).await.unwrap(), Some(changed.id.clone()));
        }
        for n in [3, 5] {
            assert_eq!(store.order_of_case(&Seed(n).refund_case()).await.unwrap(), Some(changed.id.clone()));
        }
        assert_eq!(store.order_of_booking(&Seed(9).booking()).await.unwrap(), None);
        let found = write(&store, work!(tx => tx.order_of_booking(&Seed(4).booking()).await)).await;
        assert_eq!(found, Some(changed.id.clone()));
        let found = write(&store, work!(tx => tx.order_of_case(&Seed(3).refund_case()).await)).await;
        assert_eq!(found, Some(changed.id.clone()));
        assert_eq!(store.order_counts().await.unwrap(), vec![(OrderState::Placed, 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_channels_number_leads_to_one_order_only() {
    for_each_database(|store| async move {
        let number = ExternalId::from("V1");
        assert_eq!(store.resolve_ref(&channel(), &number).await.unwrap(), None);
        let (a, b) = (order_id(1), BookingId::from("bkg_1"));
        write(
            &store,
            work!(tx, number, a, b => {
                assert_eq!(tx.lock_ref(&channel(), &number).await?.order, None);
                tx.bind_ref(&channel(), &number, &a, None).await?;
                tx.bind_ref(&channel(), &number, &a, Some(&b)).await?;
                tx.bind_ref(&channel(), &number, &a, None).await
            }),
        )
        .await;
        let row = store.resolve_ref(&channel(), &number).await.unwrap().unwrap();
        assert_eq!((row.order, row.booking, row.tombstone), (Some(a.clone()), Some(b), None));
        for (other_channel, other) in [("kakao", "V1"), ("douyin-main", "v1")] {
            assert_eq!(store.resolve_ref(&other_channel.into(), &other.into()).await.unwrap(), None);
        }
        let result: Result<(), StoreError> =
            store.write("steal", work!(tx, number => tx.bind_ref(&channel(), &number, &order_id(2), None).await)).await;
        assert!(matches!(result, Err(StoreError::RefTaken { order }) if order == a));
    })
    .await;
}

#[tokio::test]
async fn a_tombstone_says_why_there_is_no_order() {
    for_each_database(|store| async move {
        let number = ExternalId::from("V1");
        write(&store, work!(tx, number => tx.put_tombstone(&channel(), &number, "never_paid").await)).await;
        let row = write(&store, work!(tx, number => tx.resolve_ref(&channel(), &number).await)).await.unwrap();
        assert_eq!((row.order, row.tombstone.as_deref()), (None, Some("never_paid")));

        let known = ExternalId::from("V2");
        write(
            &store,
            work!(tx, known => {
                tx.bind_ref(&channel(), &known, &order_id(1), None).await?;
                tx.put_tombstone(&channel(), &known, "never_paid").await
            }),
        )
        .await;
        assert_eq!(store.resolve_ref(&channel(), &known).await.unwrap().unwrap().tombstone, None);
    })
    .await;
}

#[tokio::test]
async fn messages_wait_sealed_for_their_order_up_to_the_limit() {
    for_each_database(|store| async move {
        let number = ExternalId::from("V1");
        write(
            &store,
            work!(tx, number => {
                for n in 0..REMEMBERED_MAX {
                    let kept = ToRemember { inbox_id: &format!("inb_{n}"), message: &guest(), at: NOW };
                    // A message that a person replays is the same one.
                    for _ in 0..2 {
                        assert_eq!(tx.remember(&channel(), &number, &kept).await?, Remembered::Kept);
                    }
                }
                let kept = ToRemember { inbox_id: "inb_more", message: &guest(), at: NOW };
                assert_eq!(tx.remember(&channel(), &number, &kept).await?, Remembered::Full);
                Ok(())
            }),
        )
        .await;
        let rows = store.rows("SELECT remembered FROM order_ref", values![]).await.unwrap();
        assert!(!get::<String>(&rows[0], "remembered").unwrap().contains("13800000001"));
        assert!(store.resolve_ref(&channel(), &number).await.unwrap().unwrap().has_remembered);

        let kept: Vec<Person> =
            write(&store, work!(tx, number => tx.take_remembered(&channel(), &number, &order_id(1)).await)).await;
        assert_eq!(kept, vec![guest(); REMEMBERED_MAX]);
        let kept: Vec<Person> =
            write(&store, work!(tx, number => tx.take_remembered(&channel(), &number, &order_id(1)).await)).await;
        assert!(kept.is_empty());
    })
    .await;
}

#[tokio::test]
async fn orders_whose_tickets_are_still_to_come_are_found_by_their_dates() {
    for_each_database(|store| async move {
        for (n, state) in [(1, TicketingState::Queued), (2, TicketingState::Issued), (3, TicketingState::Unknown)] {
            let mut order = order(n);
            let mut its = booking(n + 10);
            (its.visit_date, its.ticketing.state) = (Date::parse(&format!("2026-12-{n:02}")), state);
            order.booking = Some(its);
            insert(&store, &order).await;
        }
        let day = |day: &str| Date::parse(day).unwrap();
        let found = async |from: &str, to: &str| {
            let found = store.orders_without_tickets(day(from), day(to)).await.unwrap();
            found.into_iter().map(|order| order.id).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(found("2026-12-01", "2026-12-03").await, [order_id(1), order_id(3)].into());
        assert_eq!(found("2026-12-02", "2026-12-03").await, [order_id(3)].into());
        assert_eq!(found("2026-12-04", "2026-12-31").await, [].into());
    })
    .await;
}
