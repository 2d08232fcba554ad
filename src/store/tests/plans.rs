// SPDX-License-Identifier: Apache-2.0

//! No plan can go wrong: every statement that is put again and again is carried out through an index, on every kind of database, with
//! many rows, whatever the database believes of its tables. It is asked for its plan of the very statements that the store has put.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{DbBackend, QueryResult, Value};
use ticketbridge_core::message::DeadlineKind;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{BookingState, OrderState, RefundState, TicketingState};
use ticketbridge_core::{Millis, OrderId, UnixMillis};

use super::{NOW, after, booking, channel, insert, order, order_id, product, refund_case, work, write};
use crate::dialect::{Query as _, get, values};
use crate::test_support::for_each_database;
use crate::{
    CallFilter, CallRecord, ClaimKind, DeadlineFilter, DeadlineState, Direction, GuestClaim, InboxFilter, InboxVerdict,
    JobFilter, JobState, LaneRoom, LineKind, Needs, NewInbox, OrderFilter, PageRequest, RefundFilter, SettleTerms,
    StatementLine, Store, StoreError, Within,
};

/// Orders that are made one by one, and how often all rows are doubled.
const SEEDS: u128 = 40;
const DOUBLINGS: u32 = 8;
/// A plan that expects to go through so many rows goes through the table.
const MANY: f64 = 2_500.0;

/// Tables with many rows, the columns that make a row unique, and the time that differs.
const TABLES: &[(&str, &[&str], Option<&str>)] = &[
    ("orders", &["id", "ref_hash"], Some("created_ms")),
    ("order_archive", &["id", "ref_hash"], Some("created_ms")),
    ("job", &["id", "order_id"], Some("created_ms")),
    ("deadline", &["id", "order_id"], Some("due_ms")),
    ("deadline_archive", &["id", "order_id"], Some("due_ms")),
    ("inbox", &["id", "dedupe", "order_id"], Some("received_ms")),
    ("call_log", &["id", "order_id"], Some("at_ms")),
    ("statement_line", &["order_id"], Some("at_ms")),
    ("order_event", &["order_id", "id"], Some("at_ms")),
    ("order_ref", &["ref_hash", "reference", "order_id"], None),
    ("booking", &["id", "order_id"], None),
    ("refund_case", &["id", "order_id"], Some("requested_ms")),
    ("guest_ref", &["hash", "order_id"], None),
    ("guest_claim", &["hash", "order_id"], None),
];

/// What a guest has bought of the product that everybody buys.
fn claim(order: &OrderId) -> GuestClaim {
    GuestClaim { product: product("LP-V2"), kind: ClaimKind::Phone, hash: format!("a hash of {order}"), units: 1 }
}

/// One row of everything for each order.
async fn seed(store: &Store) {
    for n in 1..=SEEDS {
        let mut made = order(n);
        made.state = if n % 4 == 0 { OrderState::Placed } else { OrderState::Completed };
        let mut visit = booking(1_000 + n);
        visit.state = BookingState::Used;
        (made.booking, made.refund_case) = (Some(visit), Some(refund_case(2_000 + n, RefundState::Settled)));
        insert(store, &made).await;
        let mut waits = super::jobs::job(u32::try_from(n).unwrap(), n, "backend:gate", 1);
        (waits.id, waits.due_at) = (format!("dlv_{n:032}"), after(i64::try_from(n).unwrap()));
        write(store, work!(tx, made, waits => {
            tx.bind_ref(&channel(), &made.channel_order_id, &made.id, None).await?;
            tx.note_guests(&made.id, &[format!("a hash of {}", made.id)]).await?;
            tx.claim_guests(&made.id, &[claim(&made.id)]).await?;
            tx.arm(&made.id, DeadlineKind::Ticketing, after(1_000), &[], NOW).await?;
            tx.enqueue(&waits).await?;
            let (id, dedupe) = (format!("inb_{}", made.id), format!("{:064}", made.id.as_str()));
            let new = NewInbox {
                id: &id, dedupe: &dedupe[..64], channel: "douyin-main", call: "create-order", key: "k", received_at: NOW,
                body_sha256: "x", content_sha256: None, body: b"body",
            };
            tx.insert_inbox(&new).await?;
            tx.finish_inbox(&id, InboxVerdict::Accepted, Some(&made.id), None).await?;
            tx.log_call(&CallRecord {
                id: format!("cal_{}", made.id), order: Some(made.id.clone()), direction: Direction::In,
                partner: "douyin-main".to_owned(), call: "create-order".to_owned(), at: NOW, duration: Millis(1), attempt: 1,
                status: Some(200), verdict: "done".to_owned(), summary: String::new(),
            })?;
            let line = StatementLine {
                order: made.id.clone(), version: 1, kind: LineKind::Sale, channel: channel(),
                currency: made.money.currency.clone(), amount: 7, at: NOW,
            };
            let terms = SettleTerms { settle_id: "unit".to_owned(), commission_bp: 300 };
            tx.add_statement_lines(&terms, &[line]).await
        })).await;
    }
    // What is over is in both places here; only plans are looked at.
    write(
        store,
        work!(tx => {
            for (from, to, columns) in [
                ("orders", "order_archive", crate::archive::ORDER_COLUMNS),
                ("deadline", "deadline_archive", crate::deadlines::KEPT_COLUMNS),
            ] {
                tx.execute(&format!("INSERT INTO {to} ({columns}) SELECT {columns} FROM {from}"), values![]).await?;
            }
            Ok(())
        }),
    )
    .await;
}

async fn columns_of(store: &Store, table: &str) -> Vec<String> {
    let sql = match store.dialect().0 {
        DbBackend::Sqlite => "SELECT name AS name FROM pragma_table_info(?)",
        DbBackend::Postgres => {
            "SELECT CAST(column_name AS TEXT) AS name FROM information_schema.columns WHERE table_name = ?"
        }
        _ => {
            "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?"
        }
    };
    store.rows(sql, values![table]).await.unwrap().iter().map(|row| get(row, "name").unwrap()).collect()
}

async fn control(store: &Store, sql: &str) {
    store.0.address.open().await.unwrap().control(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Has the database look at its tables, or not look again on its own account.
async fn statistics(store: &Store, keep: bool) {
    for (table, _, _) in TABLES {
        match store.dialect().0 {
            DbBackend::Postgres if keep => {
                control(store, &format!("ALTER TABLE {table} SET (autovacuum_enabled = false); ANALYZE {table}")).await;
            }
            DbBackend::MySql if keep => {
                control(store, &format!("ALTER TABLE {table} STATS_PERSISTENT = 1, STATS_AUTO_RECALC = 0")).await;
                control(store, &format!("ANALYZE TABLE {table}")).await;
            }
            DbBackend::MySql => control(store, &format!("ANALYZE TABLE {table}")).await,
            DbBackend::Postgres => control(store, &format!("ANALYZE {table}")).await,
            // SQLite has no statistics: nobody asks it to make any.
            _ => {}
        }
    }
}

/// Doubles all rows, again and again: keys get a letter more, times lie further back.
async fn multiply(store: &Store) {
    for (table, unique, time) in TABLES {
        let columns = columns_of(store, table).await;
        for round in 0..DOUBLINGS {
            let step = 1_i64 << round;
            let letter = char::from(b'a' + u8::try_from(round).unwrap());
            let values: Vec<String> = columns
                .iter()
                .map(|column| {
                    if unique.contains(&column.as_str()) {
                        // What tells the seeds apart stands further behind: each round takes two other places.
                        let (head, tail) = (7 + 2 * round, 10 + 2 * round);
                        match store.dialect().0 {
                            DbBackend::MySql => {
                                format!("CONCAT(SUBSTR({column}, 1, {head}), 'z{letter}', SUBSTR({column}, {tail}))")
                            }
                            _ => format!("SUBSTR({column}, 1, {head}) || 'z{letter}' || SUBSTR({column}, {tail})"),
                        }
                    } else if time.is_some_and(|time| time == column) {
                        format!("{column} - {step}")
                    } else if column == "state" && *table == "job" {
                        "'delivered'".to_owned()
                    } else if column == "state" && table.starts_with("deadline") {
                        "'disarmed'".to_owned()
                    } else if column == "ready_ms" {
                        "NULL".to_owned()
                    } else {
                        column.clone()
                    }
                })
                .collect();
            let list = columns.join(", ");
            control(store, &format!("INSERT INTO {table} ({list}) SELECT {} FROM {table}", values.join(", "))).await;
        }
    }
}

fn page() -> PageRequest {
    PageRequest { limit: 50, cursor: None }
}

/// Only that it was put counts: what is in a row that was doubled opens under its first name alone.
fn put<T>(answer: Result<T, StoreError>) {
    assert!(matches!(answer, Ok(_) | Err(StoreError::Sealed(_))), "{:?}", answer.err());
}

async fn ask_for_lists(store: &Store) {
    let any = OrderFilter::default;
    let cursor = URL_SAFE_NO_PAD.encode(format!("{} {}", after(-100).0, order_id(7)));
    let second = PageRequest { cursor: Some(cursor), ..page() };
    for filter in [
        any(),
        OrderFilter { channel: Some(channel()), ..any() },
        OrderFilter { state: Some(OrderState::Placed), ..any() },
        OrderFilter { booking: Some(BookingState::Used), ..any() },
        OrderFilter { ticketing: Some(TicketingState::Issued), ..any() },
        OrderFilter { payment: Some(PaymentState::Unpaid), ..any() },
        OrderFilter { refund: Some(RefundState::Settled), ..any() },
        OrderFilter { visit_date: ticketbridge_core::Date::parse("2026-12-01"), ..any() },
        OrderFilter { q: Some("V7".to_owned()), ..any() },
        OrderFilter { q: Some(order_id(7).0), ..any() },
        OrderFilter { q: Some("T-1".to_owned()), given_out: vec!["a hash".to_owned(), "another".to_owned()], ..any() },
        OrderFilter { guest: vec![format!("a hash of {}", order_id(7))], ..any() },
        OrderFilter { guest: vec![format!("a hash of {}", order_id(7)), "another".to_owned()], ..any() },
        OrderFilter { attention: Some(crate::Needing::Anything), ..any() },
        OrderFilter { attention: Some(crate::Needing::Decision), ..any() },
        OrderFilter { within: Within::Channels(vec![channel()]), ..any() },
    ] {
        for page in [&page(), &second] {
            put(store.list_orders(&filter, page).await);
        }
    }
    for state in [None, Some(DeadlineState::Armed), Some(DeadlineState::Passed), Some(DeadlineState::Disarmed)] {
        for due_before in [None, Some(after(500))] {
            put(store
                .list_deadlines(&DeadlineFilter { state, due_before, ..DeadlineFilter::default() }, &page())
                .await);
        }
    }
    let of_order = Some(order_id(7));
    put(store.list_deadlines(&DeadlineFilter { order: of_order.clone(), ..DeadlineFilter::default() }, &page()).await);
    for filter in [
        JobFilter::default(),
        JobFilter { state: Some(JobState::Dead), ..JobFilter::default() },
        JobFilter { state: Some(JobState::Pending), ..JobFilter::default() },
        JobFilter { order: of_order.clone(), ..JobFilter::default() },
    ] {
        put(store.list_jobs(&filter, &page()).await);
    }
    put(store.list_refunds(&RefundFilter::default(), &page()).await);
    put(store
        .list_refunds(&RefundFilter { state: Some(RefundState::UnderReview), ..RefundFilter::default() }, &page())
        .await);
    put(store.list_inbox(&InboxFilter::default(), &page()).await);
    put(store.list_inbox(&InboxFilter { order: of_order.clone(), ..InboxFilter::default() }, &page()).await);
    put(store.list_calls(&CallFilter { order: of_order.clone() }, &page()).await);
    store.events(&order_id(7), 0, 50).await.unwrap();
    store.latest_events(&order_id(7), None, 50).await.unwrap();
    store.load_orders(&[order_id(7), order_id(8)]).await.unwrap();
    store.deadlines_of(&order_id(7)).await.unwrap();
    store.statement_lines("unit", after(-10), after(-5), 100).await.unwrap();
}

/// What the worker, the metrics and housekeeping put again and again.
async fn work_and_tidy(store: &Store) {
    let lanes = || vec![LaneRoom::unlimited("backend:gate"), LaneRoom::unlimited("channel:douyin-main")];
    store.look_ahead(&lanes()).await.unwrap();
    let claimed = store.claim(after(100), 16, Millis(1_000), lanes()).await.unwrap();
    assert!(!claimed.is_empty());
    store.renew_leases(claimed.iter().filter_map(crate::Job::lease).collect(), after(2_000)).await.unwrap();
    let first = claimed[0].clone();
    write(
        store,
        work!(tx, first => {
            tx.lock_order(&first.order).await?;
            tx.settle(&first, &crate::JobEnd::Delivered, after(200)).await
        }),
    )
    .await;
    let due = store.claim_due(after(1_000), 16, Millis(1_000)).await.unwrap();
    let passed = due[0].clone();
    write(store, work!(tx, passed => tx.mark_passed(&passed, after(1_000)).await)).await;
    store.next_deadline_due().await.unwrap();
    store.waiting_destinations().await.unwrap();
    store.job_counts().await.unwrap();
    store.attempt_counts().await.unwrap();
    store.deadline_counts().await.unwrap();
    store.attention_counts().await.unwrap();
    store
        .orders_without_tickets(
            ticketbridge_core::Date::parse("2026-11-01").unwrap(),
            ticketbridge_core::Date::parse("2026-11-02").unwrap(),
        )
        .await
        .unwrap();
    store.archive_orders(UnixMillis(0), "").await.unwrap();
    store.orders_with_guests(order_id(7).as_str(), 50).await.unwrap();
    // What some guests have bought, and what is left, as a batch of sales asks for it.
    let mut buyers = Needs::nothing();
    for n in 1..=5 {
        let claim = claim(&order_id(n));
        buyers = buyers.with_claims(&claim.product, claim.kind, &claim.hash);
    }
    store.write_needing("buyers", buyers, |_| Box::pin(async { Ok::<_, StoreError>(()) })).await.unwrap();
    write(store, work!(tx => tx.purge_calls(UnixMillis(0), 500).await)).await;
    write(store, work!(tx => tx.purge_deliveries(UnixMillis(0), 500).await)).await;
    write(store, work!(tx => tx.purge_inbox_bodies(UnixMillis(0), 500).await)).await;
    write(store, work!(tx => tx.purge_inbox_bodies_without_order(UnixMillis(0), 500).await)).await;
    write(store, work!(tx => tx.purge_inbox_of_nobody(UnixMillis(0), 500).await)).await;
    // An order that was put away is needed again.
    write(
        store,
        work!(tx => { tx.execute("DELETE FROM orders WHERE id = ?", values![order_id(9).as_str()]).await?;
        tx.execute("DELETE FROM deadline WHERE order_id = ?", values![order_id(9).as_str()]).await }),
    )
    .await;
    assert!(write(store, work!(tx => tx.lock_order(&order_id(9)).await)).await.is_some());
}

/// What is wrong with a plan; `None` when nothing is.
fn fault(backend: DbBackend, rows: &[QueryResult]) -> Option<String> {
    let of_many =
        |text: &str| TABLES.iter().any(|(table, _, _)| text.split([' ', '"', '(', ')']).any(|word| word == *table));
    let text =
        |row: &QueryResult, column: &str| row.try_get::<Option<String>>("", column).ok().flatten().unwrap_or_default();
    let lines: Vec<String> = match backend {
        DbBackend::Sqlite => rows.iter().map(|row| text(row, "detail")).collect(),
        DbBackend::Postgres => rows.iter().map(|row| text(row, "QUERY PLAN")).collect(),
        _ => rows
            .iter()
            .map(|row| {
                let many = row.try_get::<Option<u64>>("", "rows").ok().flatten();
                let many = many
                    .or_else(|| row.try_get::<Option<i64>>("", "rows").ok().flatten().map(i64::unsigned_abs))
                    .unwrap_or_default();
                format!(
                    "table={} type={} key={} rows={many} {}",
                    text(row, "table"),
                    text(row, "type"),
                    text(row, "key"),
                    text(row, "Extra")
                )
            })
            .collect(),
    };
    let expected = |line: &str| {
        line.split("rows=")
            .nth(1)
            .and_then(|rest| rest.split([' ', ')']).next())
            .and_then(|rows| rows.parse::<f64>().ok())
    };
    // Through an index, and yet past many rows that were not asked for.
    let passed_by = |line: &str| {
        let many = line.split("Rows Removed by Filter: ").nth(1)?;
        many.trim().parse::<f64>().ok()
    };
    let is_bad = |line: &String| match backend {
        DbBackend::Sqlite => line.starts_with("SCAN ") && !line.contains("INDEX") && of_many(line),
        DbBackend::Postgres => {
            (line.contains("Seq Scan on") && of_many(line))
                || (line.trim_start().trim_start_matches("->").trim_start().starts_with("Sort ")
                    && expected(line) > Some(MANY))
                || passed_by(line) > Some(MANY)
        }
        _ => {
            let table = line.split(' ').next().unwrap_or_default().trim_start_matches("table=");
            let big = TABLES.iter().any(|(name, _, _)| *name == table);
            big && (line.contains("type=ALL") || (line.contains("filesort") && expected(line) > Some(MANY)))
        }
    };
    lines.iter().any(is_bad).then(|| lines.join("\n"))
}

async fn explain(store: &Store, when: &str, heard: &BTreeSet<String>, values: &[(String, Vec<Value>)]) -> Vec<String> {
    let mut faults = Vec::new();
    for sql in heard {
        let how = match store.dialect().0 {
            DbBackend::Sqlite => "EXPLAIN QUERY PLAN",
            // Carried out, where that changes nothing.
            DbBackend::Postgres if sql.starts_with("SELECT") => "EXPLAIN (ANALYZE, TIMING OFF)",
            _ => "EXPLAIN",
        };
        let (_, values) = values.iter().find(|(known, _)| known == sql).unwrap();
        let rows = store.rows(&format!("{how} {sql}"), values.clone()).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let backend = store.dialect().0;
        faults.extend(fault(backend, &rows).map(|plan| format!("{backend:?}, statistics {when}:\n{sql}\n{plan}")));
    }
    faults
}

/// What is found when the database first believes that there are forty rows, or nothing at all, and then knows.
async fn faults_of_plans(store: &Store, first: &str) -> Vec<String> {
    if first == "none" {
        for (table, _, _) in TABLES {
            control(store, &format!("ALTER TABLE {table} SET (autovacuum_enabled = false)")).await;
        }
    }
    seed(store).await;
    if first == "stale" {
        statistics(store, true).await;
    }
    multiply(store).await;
    store.0.state.listen_to_statements();
    ask_for_lists(store).await;
    work_and_tidy(store).await;
    let heard = store.0.state.statements_heard();
    let is_planned = |sql: &str| ["SELECT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb));
    let planned = heard.iter().map(|(sql, _)| sql.clone()).filter(|sql| is_planned(sql));
    let planned: BTreeSet<String> = planned.collect();
    assert!(planned.len() > 60, "{}", planned.len());
    let mut found = explain(store, first, &planned, &heard).await;
    statistics(store, false).await;
    found.extend(explain(store, "fresh", &planned, &heard).await);
    found
}

#[tokio::test]
async fn nothing_that_is_asked_again_and_again_goes_through_a_table_whatever_the_statistics_say() {
    let faults = std::sync::Mutex::new(Vec::new());
    for first in ["stale", "none"] {
        for_each_database(|store| {
            let faults = &faults;
            async move {
                // A new table has none for a while on PostgreSQL alone: the others look at it when they are asked.
                if first == "stale" || store.dialect().0 == DbBackend::Postgres {
                    let found = faults_of_plans(&store, first).await;
                    faults.lock().unwrap().extend(found);
                }
            }
        })
        .await;
    }
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} plans go through tables:\n\n{}", faults.len(), faults.join("\n\n"));
}
