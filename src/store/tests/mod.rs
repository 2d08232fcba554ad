// SPDX-License-Identifier: Apache-2.0

//! Every function of the store, on every kind of database.

mod archive;
mod batches;
mod credit;
mod deadlines;
mod desk;
mod faults;
mod jobs;
mod lines;
mod lists;
mod messages;
mod orders;
mod people;
mod plans;
mod rotation;
mod rule_sets;
mod schema;
mod selling;
mod tape;
mod transactions;
mod upkeep;
mod wakes;

use futures_util::future::BoxFuture;
use ticketbridge_core::message::{ActorKind, PlaceOrder, ProductRef, Sale};
use ticketbridge_core::order::money::{Money, PaymentMode};
use ticketbridge_core::order::{
    Booking, BookingState, Handover, OrderKind, OrderState, RefundCase, RefundIntent, RefundKind, RefundSource,
    RefundState, Ticketing, TicketingState,
};
use ticketbridge_core::personal::{Person, PersonName, Phone};
use ticketbridge_core::product::{
    Acceptance, BookingLimits, BookingProduct, Cancellation, ChannelRules, Confirmation, Currency, GuestRule,
    GuestsWho, OverduePolicy, RuleSnapshot, TicketDelivery, Ticketing as TicketingRule,
};
use ticketbridge_core::{
    Actor, ChannelId, Date, Event, EventRecord, ExternalId, Millis, Order, OrderId, ProductCode, TimeZone, UnixMillis,
    id::Seed,
};

use crate::{Store, StoreError, StoreOptions, Tx};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The present of most tests.
const NOW: UnixMillis = UnixMillis(1_796_000_000_000);

fn after(ms: i64) -> UnixMillis {
    NOW + Millis(ms)
}

/// Runs `work` in a transaction that must succeed.
async fn write<T, F>(store: &Store, work: F) -> T
where
    F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    T: Send + 'static,
{
    store.write("test", work).await.expect("the transaction commits")
}

/// `|tx| async block` with clones of what it uses, as a transaction may run several times.
macro_rules! work {
    ($tx:ident $(, $name:ident)* => $body:expr) => {{
        $(let $name = $name.clone();)*
        move |$tx: &crate::Tx| {
            $(let $name = $name.clone();)*
            Box::pin(async move { $body })
        }
    }};
}
use work;

fn channel() -> ChannelId {
    "douyin-main".into()
}

fn rules() -> RuleSnapshot {
    RuleSnapshot {
        config_version: 1,
        voucher: None,
        booking: BookingProduct {
            code: "LP-B2".into(),
            name: "Lakeside Park".into(),
            start: None,
            visitors_per_unit: 1,
            confirm: Confirmation::Auto,
            ticketing: TicketingRule::None,
            ticketing_deadline: Millis::minutes(10),
            ticketing_warn_before: Millis::minutes(5),
            valid_days_after: 0,
            guests: GuestRule { who: GuestsWho::One, fields: vec![], documents: vec![] },
            advance: None,
            cancellation: Cancellation::Anytime,
            refund_rule: None,
            limits: BookingLimits::default(),
            calendar: vec![],
            overdue_policy: OverduePolicy::Manual,
            stock_from: Default::default(),
        },
        channel: ChannelRules {
            time_zone: TimeZone::SHANGHAI,
            acceptance: Acceptance::Sync,
            acceptance_limit: Millis::minutes(10),
            tickets: TicketDelivery::NotCarried,
            review_limit: Millis::hours(72),
            review_warn_before: vec![],
            price_check: false,
            redemption_reported: true,
            returns_what_it_kept: true,
            news: Default::default(),
        },
    }
}

fn guest() -> Person {
    Person { name: Some(PersonName::new("Guest One")), phone: Some(Phone::new("13800000001")), document: None }
}

/// An unpaid direct order, number `n`.
fn order(n: u128) -> Order {
    Order {
        id: Seed(n).order(),
        channel: channel(),
        channel_order_id: ExternalId(format!("V{n}")),
        kind: OrderKind::Direct,
        state: OrderState::Placed,
        cancel_reason: None,
        product: "LP-B2".into(),
        quantity: 2,
        rules: rules().into(),
        money: Money {
            mode: PaymentMode::Ledger,
            currency: Currency("CNY".to_owned()),
            gross: 39_800,
            due: 39_800,
            ledger: vec![],
        },
        buyer: guest(),
        booking: None,
        past_bookings: vec![],
        refund_case: None,
        past_refund_cases: vec![],
        copies_back: 0,
        copies_named: Default::default(),
        copies_off: Default::default(),
        parked_redemption: None,
        entered: None,
        attention: vec![],
        undelivered: vec![],
        channel_state: None,
        is_stub: false,
        placed_at: NOW,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

fn booking(n: u128) -> Booking {
    Booking {
        id: Seed(n).booking(),
        channel_booking_id: ExternalId(format!("R{n}")),
        state: BookingState::Confirmed,
        visit_date: Date::parse("2026-12-01"),
        visit_time: None,
        hold: None,
        valid_until: Date::parse("2026-12-01"),
        visitors: vec![guest()],
        contact: None,
        requested_at: NOW,
        confirmed_at: Some(NOW),
        used_at: None,
        ticketing: Ticketing {
            state: TicketingState::Issued,
            backend_ref: None,
            tickets: vec![],
            other_tickets: Vec::new(),
            replaced: Vec::new(),
            voiding_since: None,
            units: Vec::new(),
            reason: None,
            deadline: None,
            overdue: false,
            asked: false,
            manual: false,
            handover: Handover::NotAsked,
            request: None,
        },
    }
}

fn refund_case(n: u128, state: RefundState) -> RefundCase {
    RefundCase {
        copies: None,
        id: Seed(n).refund_case(),
        channel_ref: format!("A{n}"),
        target: ExternalId(format!("V{n}")),
        state,
        kind: RefundKind::Refund,
        source: RefundSource::Guest,
        source_code: None,
        requested_at: NOW,
        review_by: after(1_000),
        channel_fee: 0,
        fee: None,
        intent: RefundIntent::Undecided,
        decided_by: None,
        decided_at: None,
        reason: None,
        settled_amount: None,
        reissue: false,
        tickets_were_sent: false,
        overdue: false,
    }
}

/// The event that places `order`.
fn placed(order: &Order) -> EventRecord {
    let sale = Sale {
        channel_order_id: order.channel_order_id.clone(),
        kind: order.kind,
        product: ProductRef { voucher: None, booking: Some(order.product.clone()) },
        quantity: order.quantity,
        payment_mode: PaymentMode::Ledger,
        currency: Currency("CNY".to_owned()),
        gross: 39_800,
        due: 39_800,
        paid: false,
        buyer: order.buyer.clone(),
        placed_at: NOW,
    };
    let place = PlaceOrder { channel: channel(), sale, rules: order.rules.clone(), is_stub: false };
    EventRecord {
        seq: 1,
        at: NOW,
        actor: Actor::new(ActorKind::Channel, "douyin-main"),
        event: Event::OrderPlaced { id: order.id.clone(), sale: Box::new(place) },
    }
}

/// A further event, number `seq`.
fn opened(seq: u64) -> EventRecord {
    EventRecord { seq, at: after(seq as i64), actor: Actor::policy(), event: Event::BookingOpened }
}

/// Stores `order` with the event that places it.
async fn insert(store: &Store, order: &Order) {
    let (order, event) = (order.clone(), placed(order));
    write(store, work!(tx, order, event => tx.insert_order(&order, &[event]).await)).await;
}

fn product(code: &str) -> ProductCode {
    code.into()
}

/// When somebody who holds an order touches its deliveries.
#[derive(Clone, Copy, PartialEq)]
enum Touches {
    AtOnce,
    Later,
}

/// Somebody holds an order until he is let go.
async fn hold(store: &Store, n: u128, touches: Touches) -> (Arc<Notify>, JoinHandle<Result<(), StoreError>>) {
    let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let holder = tokio::spawn({
        let (store, held, release) = (store.clone(), held.clone(), release.clone());
        async move {
            store
                .write_within::<(), StoreError, _>(
                    Duration::from_secs(60),
                    "hold",
                    work!(tx, held, release => {
                        tx.lock_order(&order_id(n)).await?;
                        if touches == Touches::AtOnce {
                            tx.expedite(&order_id(n), "backend:gate", NOW).await?;
                        }
                        held.notify_one();
                        release.notified().await;
                        tx.expedite(&order_id(n), "backend:gate", NOW).await.map(drop)
                    }),
                )
                .await
        }
    });
    held.notified().await;
    (release, holder)
}

fn order_id(n: u128) -> OrderId {
    Seed(n).order()
}
