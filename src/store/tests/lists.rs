// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::test_support::for_each_database;
use crate::{
    DeadlineFilter, DeadlineState, InboxFilter, InboxVerdict, JobFilter, JobState, NewJob, OrderFilter, Page,
    PageRequest, RefundFilter,
};
use ticketbridge_core::Effect;
use ticketbridge_core::message::DeadlineKind;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{Attention, AttentionKind};

fn page(limit: u32) -> PageRequest {
    PageRequest { limit, cursor: None }
}

async fn orders(store: &Store, filter: OrderFilter) -> Vec<OrderId> {
    store.list_orders(&filter, &page(50)).await.unwrap().items.into_iter().map(|order| order.id).collect()
}

/// Follows the cursors of a list in parts of `limit`; every entry, in order.
async fn walk<T, F: Future<Output = Page<T>>>(limit: u32, part: impl Fn(PageRequest) -> F) -> Vec<T> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let got = part(PageRequest { limit, cursor }).await;
        assert!(got.items.len() <= limit as usize);
        all.extend(got.items);
        match got.next_cursor {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
}

#[tokio::test]
async fn orders_are_listed_newest_first_and_the_cursor_stands_still() {
    for_each_database(|store| async move {
        for n in 1..=7 {
            let mut order = order(n);
            order.created_at = after((n / 2) as i64); // Some share their time.
            insert(&store, &order).await;
        }
        let wanted: Vec<OrderId> = (1..=7).rev().map(order_id).collect();
        for limit in [1, 2, 3, 7, 8] {
            let all = walk(limit, |page| {
                let store = store.clone();
                async move { store.list_orders(&OrderFilter::default(), &page).await.unwrap() }
            })
            .await;
            assert_eq!(all.into_iter().map(|order| order.id).collect::<Vec<_>>(), wanted, "limit {limit}");
        }
        let first = store.list_orders(&OrderFilter::default(), &page(2)).await.unwrap();
        let mut newest = order(8);
        newest.created_at = after(100);
        insert(&store, &newest).await;
        let second =
            store.list_orders(&OrderFilter::default(), &PageRequest { limit: 2, cursor: first.next_cursor }).await;
        assert_eq!(second.unwrap().items[0].id, order_id(5));
    })
    .await;
}

#[tokio::test]
async fn orders_are_found_by_each_filter() {
    for_each_database(|store| async move {
        let mut busy = order(2);
        (busy.channel, busy.state) = ("kakao".into(), OrderState::Booked);
        (busy.booking, busy.refund_case) = (Some(booking(2)), Some(refund_case(2, RefundState::UnderReview)));
        busy.money.mode = PaymentMode::External;
        insert(&store, &order(1)).await;
        insert(&store, &busy).await;
        let any = OrderFilter::default;
        let filters = [
            OrderFilter { channel: Some("kakao".into()), ..any() },
            OrderFilter { state: Some(OrderState::Booked), ..any() },
            OrderFilter { booking: Some(BookingState::Confirmed), ..any() },
            OrderFilter { ticketing: Some(TicketingState::Issued), ..any() },
            OrderFilter { payment: Some(PaymentState::External), ..any() },
            OrderFilter { refund: Some(RefundState::UnderReview), ..any() },
            OrderFilter { visit_date: Date::parse("2026-12-01"), ..any() },
        ];
        for filter in filters {
            assert_eq!(orders(&store, filter.clone()).await, [order_id(2)], "{filter:?}");
        }
        let neither = OrderFilter { channel: Some("kakao".into()), state: Some(OrderState::Placed), ..any() };
        assert!(orders(&store, neither).await.is_empty());
    })
    .await;
}

/// One for each reason, some for several, and one that nobody waits for.
#[tokio::test]
async fn orders_that_wait_for_a_person_are_listed_once_each_whatever_they_wait_for() {
    for_each_database(|store| async move {
        for n in 1..=7_u128 {
            let mut it = order(n);
            it.created_at = after(i64::try_from(n).unwrap());
            if [1, 5].contains(&n) {
                let sentence = "somebody is to look".to_owned();
                it.attention = vec![Attention { kind: AttentionKind::TooEarly, since: NOW, sentence, fact: None }];
            }
            if [2, 5, 6].contains(&n) {
                let mut asked = booking(100 + n);
                asked.state = BookingState::Requested;
                it.booking = Some(asked);
            }
            if [3, 5, 6].contains(&n) {
                it.refund_case = Some(refund_case(200 + n, RefundState::UnderReview));
            }
            insert(&store, &it).await;
        }
        for order in [4, 5, 6] {
            jobs::enqueue(&store, vec![jobs::job(order, u128::from(order), "backend:gate", 1)]).await;
        }
        write(&store, work!(tx => tx.execute("UPDATE job SET state = 'dead'", vec![]).await)).await;
        let waiting = OrderFilter { attention: Some(crate::Needing::Decision), ..OrderFilter::default() };
        for limit in [1, 2, 3, 50] {
            let all = walk(limit, |page| {
                let (store, waiting) = (store.clone(), waiting.clone());
                async move { store.list_orders(&waiting, &page).await.unwrap() }
            })
            .await;
            let wanted: Vec<OrderId> = [6, 5, 4, 3, 2, 1].map(order_id).into();
            assert_eq!(all.into_iter().map(|order| order.id).collect::<Vec<_>>(), wanted, "limit {limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn orders_are_found_by_any_of_their_numbers() {
    for_each_database(|store| async move {
        let mut full = order(1);
        (full.booking, full.refund_case) = (Some(booking(2)), Some(refund_case(3, RefundState::UnderReview)));
        insert(&store, &full).await;
        insert(&store, &order(9)).await;
        write(
            &store,
            work!(tx => {
                tx.bind_ref(&channel(), &"V1".into(), &order_id(1), None).await?;
                tx.bind_ref(&channel(), &"R2".into(), &order_id(1), Some(&Seed(2).booking())).await?;
                tx.put_tombstone(&channel(), &"V404".into(), "never_paid").await
            }),
        )
        .await;
        let ours = [order_id(1).0, Seed(2).booking().0, Seed(3).refund_case().0];
        for q in ours.into_iter().chain(["V1".to_owned(), "R2".to_owned()]) {
            let filter = OrderFilter { q: Some(q.clone()), ..OrderFilter::default() };
            assert_eq!(orders(&store, filter).await, [order_id(1)], "{q}");
        }
        for q in ["V404", "", "%", "V1' OR '1'='1"] {
            let filter = OrderFilter { q: Some(q.to_owned()), ..OrderFilter::default() };
            assert!(orders(&store, filter).await.is_empty(), "{q}");
        }
    })
    .await;
}

#[tokio::test]
async fn refund_cases_are_listed_by_state_past_ones_too() {
    for_each_database(|store| async move {
        let mut twice = order(1);
        twice.past_refund_cases.push(refund_case(11, RefundState::Rejected));
        twice.refund_case = Some(refund_case(12, RefundState::UnderReview));
        let mut once = order(2);
        once.refund_case = Some(refund_case(13, RefundState::UnderReview));
        insert(&store, &twice).await;
        insert(&store, &once).await;
        let filter = |state| RefundFilter { state, channel: Some(channel()), ..RefundFilter::default() };
        let open = store.list_refunds(&filter(Some(RefundState::UnderReview)), &page(10)).await.unwrap().items;
        let shown: Vec<_> = open.iter().map(|row| (row.order.clone(), row.case.channel_ref.as_str())).collect();
        assert_eq!(shown, [(order_id(2), "A13"), (order_id(1), "A12")]);
        assert_eq!((open[0].channel.as_str(), open[0].currency.0.as_str()), ("douyin-main", "CNY"));
        assert_eq!(store.list_refunds(&filter(None), &page(10)).await.unwrap().items.len(), 3);
        let elsewhere = RefundFilter { channel: Some("kakao".into()), ..RefundFilter::default() };
        assert!(store.list_refunds(&elsewhere, &page(10)).await.unwrap().items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn deliveries_are_listed_by_state_destination_and_order() {
    for_each_database(|store| async move {
        let jobs = (1..=3_u32).map(|n| NewJob {
            id: format!("dlv_{n}"),
            order: order_id(u128::from(n)),
            destination: if n == 3 { "backend:gate" } else { "channel:c" }.to_owned(),
            call: "decrypt".to_owned(),
            effect: Effect::DecryptGuests,
            blocks_order: true,
            seq: 1,
            due_at: NOW,
            created_at: after(i64::from(n)),
            traceparent: None,
            urgent_at: None,
        });
        super::jobs::enqueue(&store, jobs.collect()).await;
        assert!(write(&store, work!(tx => tx.drop_job("dlv_1", "x", NOW).await)).await);
        for (filter, wanted) in [
            (JobFilter::default(), vec!["dlv_3", "dlv_2", "dlv_1"]),
            (JobFilter { state: Some(JobState::Pending), ..JobFilter::default() }, vec!["dlv_3", "dlv_2"]),
            (JobFilter { destination: Some("channel:c".to_owned()), ..JobFilter::default() }, vec!["dlv_2", "dlv_1"]),
            (JobFilter { order: Some(order_id(3)), ..JobFilter::default() }, vec!["dlv_3"]),
        ] {
            let items = store.list_jobs(&filter, &page(10)).await.unwrap().items;
            assert_eq!(items.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), wanted, "{filter:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn deadlines_are_listed_nearest_first_without_the_disarmed() {
    for_each_database(|store| async move {
        for (n, due) in [(1, 300), (2, 100), (3, 200), (4, 200)] {
            super::deadlines::arm(&store, n, DeadlineKind::Ticketing, due, &[]).await;
        }
        write(&store, work!(tx => { tx.disarm(&order_id(3), DeadlineKind::Ticketing); Ok(()) })).await;
        let all = walk(2, |page| {
            let store = store.clone();
            async move { store.list_deadlines(&DeadlineFilter::default(), &page).await.unwrap() }
        })
        .await;
        let shown: Vec<OrderId> = all.into_iter().map(|row| row.order).collect();
        assert_eq!(shown, [order_id(2), order_id(4), order_id(1)]);
        let soon = DeadlineFilter { due_before: Some(after(200)), ..DeadlineFilter::default() };
        assert_eq!(store.list_deadlines(&soon, &page(10)).await.unwrap().items.len(), 1);
        let disarmed = DeadlineFilter { state: Some(DeadlineState::Disarmed), ..DeadlineFilter::default() };
        assert_eq!(store.list_deadlines(&disarmed, &page(10)).await.unwrap().items.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn received_messages_are_found_by_each_filter() {
    for_each_database(|store| async move {
        for n in 1..=3 {
            super::messages::receive(&store, n, b"x").await.unwrap();
        }
        write(&store, work!(tx => tx.finish_inbox("inb_2", InboxVerdict::Refused, Some(&order_id(2)), None).await))
            .await;
        let any = InboxFilter::default;
        for (filter, wanted) in [
            (any(), 3),
            (InboxFilter { channel: Some("douyin-main".to_owned()), ..any() }, 3),
            (InboxFilter { channel: Some("kakao".to_owned()), ..any() }, 0),
            (InboxFilter { call: Some("create-order".to_owned()), ..any() }, 3),
            (InboxFilter { key: Some("k".to_owned()), ..any() }, 3),
            (InboxFilter { key: Some("K".to_owned()), ..any() }, 0),
            (InboxFilter { verdict: Some(InboxVerdict::Refused), ..any() }, 1),
            (InboxFilter { order: Some(order_id(2)), ..any() }, 1),
        ] {
            let items = store.list_inbox(&filter, &page(10)).await.unwrap().items;
            assert_eq!(items.len(), wanted, "{filter:?}");
            assert!(items.windows(2).all(|pair| pair[0].received_at > pair[1].received_at));
        }
    })
    .await;
}

#[tokio::test]
async fn a_made_up_cursor_is_refused() {
    for_each_database(|store| async move {
        for cursor in ["", "%%%", "eHg", "MTIz"] {
            let page = PageRequest { limit: 1, cursor: Some(cursor.to_owned()) };
            let result = store.list_orders(&OrderFilter::default(), &page).await;
            assert!(matches!(result, Err(StoreError::Cursor)), "{cursor}");
        }
    })
    .await;
}
