// SPDX-License-Identifier: Apache-2.0

//! What is over for long is put away, and nobody can tell by any answer.

use std::fmt::Debug;
use std::future::Future;

use futures_util::future::join_all;
use ticketbridge_core::message::DeadlineKind;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState, RefundState, TicketingState};
use ticketbridge_core::quoted::Guests;
use ticketbridge_core::{Millis, Order, OrderId, UnixMillis};

use super::{NOW, after, booking, channel, insert, opened, order, order_id, refund_case, work, write};
use crate::dialect::{Query as _, get_count, values};
use crate::test_support::for_each_database;
use crate::{
    Archived, DeadlineFilter, DeadlineState, JobFilter, LineKind, Needing, OrderFilter, Page, PageRequest,
    RefundFilter, SettleTerms, StatementLine, Store, Within,
};

const DAY: i64 = 24 * 3_600_000;
/// When everything of these tests has been over for long.
const MUCH_LATER: UnixMillis = UnixMillis(NOW.0 + 100 * DAY);

/// An order that is over: used, or cancelled before that.
fn over(n: u128) -> Order {
    let mut over = order(n);
    let mut visit = booking(100 + n);
    over.created_at = after(i64::try_from(n / 3).unwrap());
    if n.is_multiple_of(2) {
        (over.state, visit.state) = (OrderState::Completed, BookingState::Used);
    } else {
        (over.state, visit.state) = (OrderState::Cancelled, BookingState::Cancelled);
        visit.ticketing.state = TicketingState::Cancelled;
        over.refund_case = Some(refund_case(200 + n, RefundState::Settled));
    }
    over.booking = Some(visit);
    over
}

/// Orders 1 to 10 are over; of 11 to 16 something is still to be done.
async fn fill(store: &Store) {
    for n in 1..=16 {
        let mut order = over(n);
        match n {
            11 => order.state = OrderState::Booked,
            12 => order.booking.iter_mut().for_each(|visit| visit.ticketing.state = TicketingState::Unknown),
            13 => order.refund_case = Some(refund_case(213, RefundState::UnderReview)),
            14 => order.updated_at = MUCH_LATER,
            _ => {}
        }
        insert(store, &order).await;
        let (sale, visit) = (order.channel_order_id.clone(), order.booking.clone().unwrap());
        let line = StatementLine {
            order: order.id.clone(),
            version: 1,
            kind: LineKind::Sale,
            channel: channel(),
            currency: order.money.currency.clone(),
            amount: 7,
            at: after(5),
        };
        write(
            store,
            work!(tx, order, sale, visit, line => {
                tx.bind_ref(&channel(), &sale, &order.id, None).await?;
                tx.bind_ref(&channel(), &visit.channel_booking_id, &order.id, Some(&visit.id)).await?;
                tx.note_guests(&order.id, &["a phone".to_owned()]).await?;
                tx.arm(&order.id, DeadlineKind::Ticketing, after(10), &[], NOW).await?;
                tx.arm(&order.id, DeadlineKind::Review, after(20), &[], NOW).await?;
                if order.id != order_id(15) {
                    tx.disarm(&order.id, DeadlineKind::Ticketing);
                }
                let terms = SettleTerms { settle_id: "unit".to_owned(), commission_bp: 300 };
                tx.add_statement_lines(&terms, &[line]).await
            }),
        )
        .await;
    }
    for claimed in store.claim_due(after(20), 100, Millis(1_000)).await.unwrap() {
        if claimed.row.kind == DeadlineKind::Review {
            write(store, work!(tx, claimed => tx.mark_passed(&claimed, after(21)).await)).await;
        }
    }
    let waits = super::jobs::job(1, 16, "channel:douyin-main", 1);
    write(store, work!(tx, waits => tx.enqueue(&waits).await)).await;
}

async fn all<T: Debug, F: Future<Output = Page<T>>>(part: impl Fn(PageRequest) -> F) -> String {
    let (mut said, mut cursor) = (String::new(), None);
    loop {
        let page = part(PageRequest { limit: 3, cursor }).await;
        said.push_str(&format!("{:#?}\n", page.items));
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return said,
        }
    }
}

fn filters() -> Vec<OrderFilter> {
    let any = OrderFilter::default;
    let mut filters = vec![
        any(),
        OrderFilter { channel: Some(channel()), ..any() },
        OrderFilter { channel: Some("another".into()), ..any() },
        OrderFilter { visit_date: ticketbridge_core::Date::parse("2026-12-01"), ..any() },
        OrderFilter { updated_since: Some(NOW), ..any() },
        OrderFilter { guest: vec!["a phone".to_owned()], ..any() },
        OrderFilter { within: Within::Channels(vec![channel()]), ..any() },
        OrderFilter { within: Within::Channels(vec![]), ..any() },
        OrderFilter { attention: Some(Needing::Anything), ..any() },
        OrderFilter { attention: Some(Needing::Decision), ..any() },
        OrderFilter { attention: Some(Needing::Kind(AttentionKind::TooEarly)), ..any() },
    ];
    for state in [OrderState::Placed, OrderState::Booked, OrderState::Completed, OrderState::Cancelled] {
        filters.push(OrderFilter { state: Some(state), ..any() });
    }
    for booking in [BookingState::Used, BookingState::Cancelled, BookingState::Confirmed] {
        filters.push(OrderFilter { booking: Some(booking), ..any() });
    }
    for ticketing in [TicketingState::Issued, TicketingState::Cancelled, TicketingState::Unknown] {
        filters.push(OrderFilter { ticketing: Some(ticketing), ..any() });
    }
    for payment in [PaymentState::None, PaymentState::Unpaid] {
        filters.push(OrderFilter { payment: Some(payment), ..any() });
    }
    for refund in [RefundState::Settled, RefundState::UnderReview] {
        filters.push(OrderFilter { refund: Some(refund), ..any() });
    }
    for n in 1..=16_u128 {
        let numbers = [order_id(n).0, format!("V{n}"), format!("R{}", 100 + n)];
        let ours =
            [ticketbridge_core::id::Seed(100 + n).booking().0, ticketbridge_core::id::Seed(200 + n).refund_case().0];
        for q in numbers.into_iter().chain(ours) {
            filters.push(OrderFilter { q: Some(q), ..any() });
        }
    }
    filters
}

/// Every answer that anybody can ask for.
async fn answers(store: &Store) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for filter in filters() {
        let answer = all(async |page| store.list_orders(&filter, &page).await.unwrap()).await;
        said.push((format!("orders {filter:?}"), answer));
    }
    let ids: Vec<OrderId> = (1..=17).map(order_id).collect();
    said.push(("together".to_owned(), {
        let mut orders = store.load_orders(&ids).await.unwrap();
        orders.sort_by(|a, b| a.id.cmp(&b.id));
        format!("{orders:#?}")
    }));
    for id in &ids {
        said.push((format!("{id}"), format!("{:#?}", store.load_order(id).await.unwrap())));
        said.push((format!("events of {id}"), format!("{:?}", store.events(id, 0, 100).await.unwrap())));
        said.push((format!("deadlines of {id}"), format!("{:?}", store.deadlines_of(id).await.unwrap())));
    }
    for within in [Within::Everything, Within::Channels(vec![channel()]), Within::Channels(vec!["another".into()])] {
        for state in [None, Some(DeadlineState::Armed), Some(DeadlineState::Passed), Some(DeadlineState::Disarmed)] {
            for due_before in [None, Some(after(15))] {
                let filter = DeadlineFilter { due_before, state, order: None, within: within.clone() };
                let answer = all(async |page| store.list_deadlines(&filter, &page).await.unwrap()).await;
                said.push((format!("{filter:?}"), answer));
            }
        }
        let filter = RefundFilter { within: within.clone(), ..RefundFilter::default() };
        said.push((format!("{filter:?}"), all(async |page| store.list_refunds(&filter, &page).await.unwrap()).await));
        let filter = JobFilter { within: within.clone(), ..JobFilter::default() };
        said.push((format!("{filter:?}"), all(async |page| store.list_jobs(&filter, &page).await.unwrap()).await));
    }
    said.push(("states".to_owned(), format!("{:?}", store.order_counts().await.unwrap())));
    said.push(("attention".to_owned(), format!("{:?}", store.attention_counts().await.unwrap())));
    let counts = store.deadline_counts().await.unwrap();
    let mut counts: Vec<_> =
        counts.iter().map(|count| format!("{:?}", (count.kind, count.state, count.many))).collect();
    counts.sort();
    said.push(("deadlines".to_owned(), counts.join("\n")));
    said.push(("with guests".to_owned(), format!("{:?}", store.orders_with_guests("", 7).await.unwrap())));
    let to_forget = store.orders_to_forget(MUCH_LATER, order_id(2).as_str(), 9).await.unwrap();
    said.push(("to forget".to_owned(), format!("{to_forget:?}")));
    said.push(("of a guest".to_owned(), format!("{:?}", store.orders_of_guest("a phone").await.unwrap())));
    let lines = store.statement_lines("unit", NOW, MUCH_LATER, 100).await.unwrap();
    said.push(("lines".to_owned(), format!("{lines:?}")));
    said
}

#[track_caller]
fn same(before: &[(String, String)], now: &[(String, String)]) {
    for ((what, before), (_, now)) in before.iter().zip(now) {
        assert_eq!(before, now, "{what}");
    }
    assert_eq!(before.len(), now.len());
}

/// Puts away what may be; how much that was.
async fn put_away(store: &Store) -> u64 {
    let (mut many, mut from) = (0, String::new());
    loop {
        let Archived { orders, after } = store.archive_orders(MUCH_LATER, &from).await.unwrap();
        many += orders;
        match after {
            Some(after) => from = after,
            None => return many,
        }
    }
}

async fn hot(store: &Store, table: &str) -> u64 {
    let rows = store.rows(&format!("SELECT COUNT(*) AS many FROM {table}"), values![]).await.unwrap();
    get_count(&rows[0], "many").unwrap()
}

#[tokio::test]
async fn what_is_put_away_is_in_every_answer_as_it_was() {
    for_each_database(|store| async move {
        fill(&store).await;
        let before = answers(&store).await;
        assert_eq!(put_away(&store).await, 10, "all but those of which something is still to be done");
        assert_eq!((hot(&store, "orders").await, hot(&store, "deadline").await), (6, 12));
        same(&before, &answers(&store).await);
        assert_eq!(put_away(&store).await, 0);
        same(&before, &answers(&store).await);
    })
    .await;
}

#[tokio::test]
async fn whoever_locks_an_order_that_was_put_away_brings_it_back() {
    for_each_database(|store| async move {
        fill(&store).await;
        put_away(&store).await;
        let before = answers(&store).await;
        // A look changes nothing but where it is.
        let found = write(&store, work!(tx => tx.lock_order(&order_id(4)).await)).await;
        assert_eq!(found.map(|order| order.id), Some(order_id(4)));
        assert_eq!((hot(&store, "orders").await, hot(&store, "deadline").await), (7, 14));
        same(&before, &answers(&store).await);
        assert_eq!(write(&store, work!(tx => tx.lock_order(&order_id(99)).await)).await, None);
        assert_eq!(put_away(&store).await, 1);
        same(&before, &answers(&store).await);

        // A late message changes it, and an erasure forgets whom it names.
        let mut late = store.load_order(&order_id(2)).await.unwrap().unwrap();
        (late.version, late.updated_at) = (2, MUCH_LATER);
        write(&store, work!(tx, late => tx.save_order(&late, 1, &[opened(2)]).await)).await;
        assert_eq!(store.load_order(&order_id(2)).await.unwrap().unwrap().version, 2);
        assert_eq!(store.events(&order_id(2), 0, 10).await.unwrap().len(), 2);
        write(
            &store,
            work!(tx => {
                let named = tx.lock_order(&order_id(6)).await?.map(|order| Guests::of(&order)).unwrap_or_default();
                tx.forget_guests(&order_id(6), &named, &[], NOW).await
            }),
        )
        .await;
        assert!(!store.orders_with_guests("", 100).await.unwrap().contains(&order_id(6)));
        assert_eq!(put_away(&store).await, 1, "the other one has just changed");
        assert!(!store.orders_with_guests("", 100).await.unwrap().contains(&order_id(6)));
    })
    .await;
}

#[tokio::test]
async fn an_order_is_never_missed_while_it_is_put_away_and_brought_back() {
    for_each_database(|store| async move {
        fill(&store).await;
        let before = answers(&store).await;
        for _ in 0..8 {
            let housekeeping = async {
                put_away(&store).await;
            };
            let locking =
                join_all(
                    (1..=10).chain(1..=10).map(|n| {
                        let store = store.clone();
                        async move {
                            write(&store, work!(tx => tx.lock_order(&order_id(n)).await)).await.map(|order| order.id)
                        }
                    }),
                );
            let reading = join_all((1..=10).map(|n| {
                let store = store.clone();
                async move { store.load_order(&order_id(n)).await.unwrap().map(|order| order.id) }
            }));
            let ((), locked, read) = tokio::join!(housekeeping, locking, reading);
            assert!(locked.iter().all(Option::is_some), "{locked:?}");
            assert!(read.iter().all(Option::is_some), "{read:?}");
        }
        same(&before, &answers(&store).await);
    })
    .await;
}

#[tokio::test]
async fn the_tables_of_what_was_put_away_have_the_columns_of_the_others() {
    for_each_database(|store| async move {
        for (table, over) in [("orders", "order_archive"), ("deadline", "deadline_archive")] {
            let sql = match store.dialect().0 {
                sea_orm::DbBackend::Sqlite => "SELECT name AS name FROM pragma_table_info(?)",
                sea_orm::DbBackend::Postgres => {
                    "SELECT CAST(column_name AS TEXT) AS name FROM information_schema.columns WHERE table_name = ?"
                }
                _ => {
                    "SELECT column_name AS name FROM information_schema.columns \
                     WHERE table_schema = DATABASE() AND table_name = ?"
                }
            };
            let mut columns = Vec::new();
            for table in [table, over] {
                let rows = store.rows(sql, values![table]).await.unwrap();
                let mut names: Vec<String> = rows.iter().map(|row| crate::dialect::get(row, "name").unwrap()).collect();
                names.sort();
                columns.push(names);
            }
            assert_eq!(columns[0], columns[1], "whatever {table} gets, {over} gets, and archive.rs moves it");
            let moved = if table == "orders" { crate::archive::ORDER_COLUMNS } else { crate::deadlines::KEPT_COLUMNS };
            let mut moved: Vec<&str> = moved.split(',').map(str::trim).collect();
            moved.sort_unstable();
            assert_eq!(columns[0], moved, "{table}");
        }
    })
    .await;
}
