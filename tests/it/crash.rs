// SPDX-License-Identifier: Apache-2.0

//! `kill -9` at any moment while two hundred sales are under way, and every sale ends right all the same.
//!
//! The program runs as a process of its own between the two simulators. They judge: nothing lost, nothing issued twice, nothing
//! told twice under different keys, codes handed over identical, use acknowledged once.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use futures_util::future::join_all;
use ticketbridge::app;
use ticketbridge::config::{Config, Environment};
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{Order, OrderState, TicketingState};
use ticketbridge_sandbox::backend::ReservationState as AtBackend;
use ticketbridge_sandbox::douyin::api::path;
use ticketbridge_sandbox::douyin::books::Direction;
use ticketbridge_sandbox::douyin::refunds::SOURCE_CONSUMER;
use ticketbridge_sandbox::douyin::spi::TRY_AGAIN;
use ticketbridge_sandbox::douyin::{
    AfterSale, Books, RefundRequest, RefundState, Reservation, ReservationState, VoucherState,
};
use ticketbridge_sandbox::{SimBackend, Stage};
use ticketbridge_store::{JobFilter, JobState, OrderFilter, PageRequest, Store};

use crate::real::stage::{TICKETING, set_the_stage};
use crate::real::{ANY_PORT, ENVIRONMENT, Place, pause, until_within};

/// Sales under way at the same time.
const SALES: usize = 200;
/// How often the program is killed.
const KILLS: u32 = 5;
/// How many times as fast the simulators' stated times pass. The program's own start is not made faster: Douyin's patience of some
/// minutes must outlast a few starts on a busy machine.
const TIME_SCALE: f64 = 20.0;
/// Longest real time for anything that must happen in the end. On a busy machine all issue calls may fall into the times when the program
/// is down; then the codes go out after Douyin's ten minutes, with the rejection of the refund that it asks for (301).
pub(crate) const IN_THE_END: Duration = TICKETING.saturating_mul(2);

/// What becomes of a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Redeemed,
    RefundedWithTickets,
    BookedAgain,
    RefundedUnbooked,
    Kept,
}

impl Fate {
    pub(crate) fn of(sale: usize) -> Self {
        [Fate::Redeemed, Fate::RefundedWithTickets, Fate::BookedAgain, Fate::RefundedUnbooked, Fate::Kept][sale % 5]
    }
}

/// A sequence of numbers that a seed repeats (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// `TICKETBRIDGE_TEST_SEED`, or another one each time.
fn seed() -> u64 {
    let given = std::env::var("TICKETBRIDGE_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
    eprintln!("the moments of killing come from TICKETBRIDGE_TEST_SEED={seed}");
    seed
}

/// One guest's story; the sale's number.
pub(crate) async fn live(stage: &Stage, fate: Fate) -> String {
    let douyin = &stage.channel;
    let sale = douyin.buy(&stage.purchase(1)).await;
    assert!(sale.is_good(), "{fate:?}: the purchase: {:?}", sale.outcome);
    let sale = sale.order_id;
    match fate {
        Fate::Kept => drop(ticketed(stage, &sale, 7).await),
        Fate::RefundedUnbooked => {
            let told = douyin.refund_voucher(&sale).await;
            assert_eq!(told.code(), Some(0), "the notice of a refund");
        }
        Fate::Redeemed => {
            let reservation = ticketed(stage, &sale, 0).await;
            let at_gate = behind(&stage.backend, &reservation);
            until_within(IN_THE_END, "the gate's report is taken", async || {
                let answer = stage.backend.redeem(&at_gate).await;
                (answer.status == 200).then_some(())
            })
            .await;
            reach(stage, &reservation.id, |r| r.state == ReservationState::Redeemed).await;
        }
        Fate::RefundedWithTickets => {
            let reservation = ticketed(stage, &sale, 7).await;
            end_booking(stage, &reservation.id, AfterSale::Refund).await;
        }
        Fate::BookedAgain => {
            let reservation = ticketed(stage, &sale, 7).await;
            end_booking(stage, &reservation.id, AfterSale::CancelReservation).await;
            ticketed(stage, &sale, 9).await;
        }
    }
    sale
}

/// Books a visit and waits for the codes.
async fn ticketed(stage: &Stage, sale: &str, in_days: u64) -> Reservation {
    let booked = stage.channel.reserve(sale, stage.in_days(in_days), &stage.visitors(1)).await;
    assert!(booked.is_good(), "the booking of {sale}: {:?}", booked.outcome);
    reach(stage, &booked.order_id, |r| r.codes.is_some()).await
}

async fn reach(stage: &Stage, id: &str, look: impl Fn(&Reservation) -> bool) -> Reservation {
    let find = |books: &Books| books.reservations.get(id).filter(|r| look(r)).cloned();
    let found = stage.channel.until(IN_THE_END, find).await;
    found.unwrap_or_else(|| panic!("in vain: {:#?}", stage.channel.books().reservations.get(id)))
}

/// Asks for a refund, again and again where an answer is lost, until all that follows from it was told.
async fn end_booking(stage: &Stage, reservation: &str, kind: AfterSale) {
    let request = RefundRequest { order_id: reservation.to_owned(), source: SOURCE_CONSUMER, kind, fee: 0 };
    let douyin = &stage.channel;
    // Douyin itself would ask again after an hour, which is some minutes here.
    let asked = tokio::time::timeout(Duration::from_secs(6), douyin.apply_refund(request)).await;
    if let Ok(asked) = asked {
        asked.expect("Douyin takes the application");
    }
    let key = douyin.books().last_refund(reservation).expect("the application is on the books").key.clone();
    until_within(IN_THE_END, &format!("the refund {key} of {reservation} is decided and carried out"), async || {
        let refund = douyin.books().refunds.get(&key).cloned().expect("it stays on the books");
        if refund.state == RefundState::Waiting {
            drop(douyin.repeat_application(&key).await);
        }
        assert!(matches!(refund.state, RefundState::Waiting | RefundState::Accepted), "{refund:?}");
        refund.settled.then_some(())
    })
    .await;
}

/// The back-end's reservation whose codes Douyin has.
fn behind(backend: &SimBackend, reservation: &Reservation) -> String {
    let codes = &reservation.codes.as_ref().expect("it is ticketed").codes;
    let books = backend.books();
    let found: Vec<&String> = books.reservations.values().filter(|r| same(&r.codes, codes)).map(|r| &r.id).collect();
    assert_eq!(found.len(), 1, "codes {codes:?} belong to {found:?}");
    found[0].clone()
}

fn same(some: &[String], other: &[String]) -> bool {
    some.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>() && !some.is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_sales_end_right_however_often_the_program_is_killed() {
    let mut random = Random(seed());
    let (stage, place) = set_the_stage(TIME_SCALE, SALES).await;
    let mut bridge = place.serve(ANY_PORT).await;
    stage.channel.set_bridge_url(bridge.url());
    stage.backend.set_bridge_url(bridge.url());
    let sales = join_all((0..SALES).map(async |number| (live(&stage, Fate::of(number)).await, Fate::of(number))));
    let kills = async {
        for _ in 0..KILLS {
            pause(Duration::from_millis(200 + random.below(1_300))).await;
            let address = bridge.address;
            bridge.kill().await;
            bridge = place.serve(address).await;
        }
        bridge
    };
    let (sales, bridge) = tokio::join!(sales, kills);
    let fates: BTreeMap<String, Fate> = sales.into_iter().collect();
    let store = open(&place).await;
    until_within(IN_THE_END, "every delivery is made", async || {
        let left = store.job_counts().await.expect("the database answers");
        left.is_empty().then_some(())
    })
    .await;
    assert!(bridge.terminate().await.success(), "it stops well: {}", place.log());
    assert_eq!(fates.len(), SALES);
    judge_douyin(&stage.channel.books(), &fates);
    judge_backend(&stage, &fates);
    judge_bridge(&store, &stage, &fates).await;
    store.close().await.expect("connections can be closed");
    // A machine that is busy with other things lets a call's own limit pass: it was answered, came again, and is among what was judged above.
    let is_late = |line: &&str| line.contains("asked to come again") && line.contains("was not done in time");
    let log = place.log();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR") && !is_late(line)).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

async fn open(place: &Place) -> Store {
    let config = Config::load(&place.config(), &Environment::only(ENVIRONMENT));
    app::open_store(&config.unwrap_or_else(|report| panic!("{report}"))).await.expect("the program's own database")
}

pub(crate) fn judge_douyin(books: &Books, fates: &BTreeMap<String, Fate>) {
    assert!(books.violations.is_empty(), "Douyin holds against the bridge: {:#?}", books.violations);
    for (sale, fate) in fates {
        let expected = match fate {
            Fate::Redeemed => VoucherState::Redeemed,
            Fate::RefundedWithTickets | Fate::RefundedUnbooked => VoucherState::Refunded,
            Fate::BookedAgain | Fate::Kept => VoucherState::Reserved,
        };
        assert_eq!(books.vouchers[sale].state, expected, "{fate:?}");
    }
    let mut answers: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    let mut tokens: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for call in &books.calls {
        let Some(order) = call.order_id.as_deref() else { continue };
        match call.direction {
            Direction::ToBridge
                if call.status == 200 && matches!(call.call.as_str(), "create-order" | "refund-notify") =>
            {
                // "Please call again" leaves the question open.
                if call.answer["data"]["error_code"] == TRY_AGAIN {
                    continue;
                }
                answers.entry((&call.call, order)).or_default().insert(call.answer.to_string());
            }
            Direction::FromBridge if call.call == path::VERIFY => {
                tokens.entry(order).or_default().insert(call.body["verify_token"].to_string());
            }
            _ => {}
        }
    }
    assert!(answers.len() >= fates.len(), "{}", answers.len());
    for (call, said) in answers {
        assert_eq!(said.len(), 1, "{call:?} was answered in different ways: {said:?}");
    }
    let redeemed = fates.values().filter(|fate| **fate == Fate::Redeemed).count();
    assert_eq!(tokens.len(), redeemed, "use is reported for those who went in, and for nobody else");
    assert!(tokens.values().all(|used| used.len() == 1), "one verify_token for each order: {tokens:?}");
}

pub(crate) fn judge_backend(stage: &Stage, fates: &BTreeMap<String, Fate>) {
    let (books, douyin) = (stage.backend.books(), stage.channel.books());
    assert!(books.violations.is_empty(), "the back-end holds against the bridge: {:#?}", books.violations);
    let mut keys: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for call in books.calls.iter().filter(|call| matches!(call.call.as_str(), "reserve" | "cancel")) {
        let key = call.headers.iter().find(|(name, _)| name == "idempotency-key").map_or("", |(_, key)| key.as_str());
        let reservation = call.reservation_id.as_deref().unwrap_or_default();
        keys.entry((call.call.as_str(), reservation)).or_default().insert(key);
    }
    for (call, used) in &keys {
        assert!(used.len() == 1 && !used.contains(""), "{call:?} was sent under different keys: {used:?}");
    }
    assert!(books.reservations.values().all(|r| r.issues <= 1), "issued twice");
    let booked = fates.values().map(|fate| match fate {
        Fate::RefundedUnbooked => 0,
        Fate::BookedAgain => 2,
        Fate::Redeemed | Fate::RefundedWithTickets | Fate::Kept => 1,
    });
    assert_eq!(books.reservations.len(), booked.sum::<usize>(), "each booking is reserved once");
    for reservation in douyin.reservations.values() {
        let at_gate = &books.reservations[&behind(&stage.backend, reservation)];
        let expected = match reservation.state {
            ReservationState::Redeemed => AtBackend::Used,
            ReservationState::Issued => AtBackend::Issued,
            _ => AtBackend::Cancelled,
        };
        assert_eq!(at_gate.state, expected, "{reservation:?}");
    }
}

pub(crate) async fn judge_bridge(store: &Store, stage: &Stage, fates: &BTreeMap<String, Fate>) {
    let orders = all_orders(store).await;
    assert_eq!(orders.len(), fates.len(), "nothing is lost, and nothing is there twice");
    let douyin = stage.channel.books();
    for order in &orders {
        ticketbridge_core::invariants::check(order);
        let fate = fates[order.channel_order_id.as_str()];
        let expected = match fate {
            Fate::Redeemed => (OrderState::Completed, PaymentState::Paid),
            Fate::RefundedWithTickets | Fate::RefundedUnbooked => (OrderState::Cancelled, PaymentState::Refunded),
            Fate::BookedAgain | Fate::Kept => (OrderState::Booked, PaymentState::Paid),
        };
        assert_eq!((order.state, order.payment()), expected, "{fate:?}: {}", order.id);
        assert_eq!(order.attention, [], "{fate:?}: {}", order.id);
        for booking in order.booking.iter().chain(&order.past_bookings) {
            let told = &douyin.reservations[booking.channel_booking_id.as_str()].codes.as_ref().expect("codes").codes;
            let ours: Vec<String> = booking.ticketing.tickets.iter().map(|t| t.code.reveal().to_owned()).collect();
            assert!(same(&ours, told), "{fate:?}: {}", order.id);
            let live = fate != Fate::RefundedWithTickets && order.booking.as_ref() == Some(booking);
            let expected = if live { TicketingState::Issued } else { TicketingState::Cancelled };
            assert_eq!(booking.ticketing.state, expected, "{fate:?}: {}", order.id);
        }
    }
    for state in [JobState::Pending, JobState::Dead] {
        let filter = JobFilter { state: Some(state), ..JobFilter::default() };
        let page = PageRequest { limit: 1, cursor: None };
        assert!(store.list_jobs(&filter, &page).await.expect("a list").items.is_empty(), "deliveries are {state:?}");
    }
}

async fn all_orders(store: &Store) -> Vec<Order> {
    let (mut orders, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest { limit: 100, cursor };
        let found = store.list_orders(&OrderFilter::default(), &page).await.expect("a list");
        orders.extend(found.items);
        cursor = found.next_cursor;
        if cursor.is_none() {
            return orders;
        }
    }
}
