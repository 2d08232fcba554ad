// SPDX-License-Identifier: Apache-2.0

//! What must hold once everything is worked off.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use ticketbridge_core::message::StockKey;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, Booking, BookingState, Order, OrderState, RefundState, TicketingState};
use ticketbridge_core::{Date, ExternalId, ProductCode, invariants};

use super::play::{Sale, Sim};
use super::world::{DATE_STOCK, PRODUCTS};
use crate::bench::Failure;
use crate::partners::{GateState, Reservation};

fn must(holds: bool, failure: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure(failure())) }
}

/// Everything.
pub(crate) async fn all(sim: &Sim) -> Result<(), Failure> {
    let mut orders = Vec::new();
    for (index, sale) in sim.sales.iter().enumerate() {
        let order = sim.order(index).await;
        let accepted = sale.order.is_some();
        let Some(order) = order else {
            must(!accepted, || format!("an accepted order is lost: {}", sale.number))?;
            continue;
        };
        known(sale, &order)?;
        tickets(sim, sale, &order)?;
        redemption(sim, &order)?;
        refunds(sim, sale, &order)?;
        deadlines(sim, &order)?;
        history(sim, &order).await?;
        orders.push(order);
    }
    gate(sim, &orders)?;
    stock(sim, &orders).await?;
    queries(sim).await
}

fn known(sale: &Sale, order: &Order) -> Result<(), Failure> {
    let broken = invariants::violations(order);
    must(broken.is_empty(), || format!("an invariant is broken, {broken:?}: {}", order.id))?;
    must(sale.order.as_deref().is_none_or(|id| id == order.id.as_str()), || {
        format!("two orders for one sale: {} {:?}", order.id, sale.order)
    })?;
    for number in &sale.accepted_bookings {
        must(order.booking_by_ref(&ExternalId::from(number.as_str())).is_some(), || {
            format!("an accepted booking is lost: {number}")
        })?;
    }
    let money = &order.money;
    must(money.refunded() + money.fee() <= money.received() || order.needs(AttentionKind::UnexpectedPayment), || {
        format!("more went back than came in: {} {:?}", order.id, money.ledger)
    })?;
    must(order.payment() != PaymentState::Unpaid || order.state == OrderState::Placed || order.is_over(), || {
        format!("an unpaid order went on: {}", order.id)
    })
}

fn bookings(order: &Order) -> impl Iterator<Item = &Booking> {
    order.booking.iter().chain(&order.past_bookings)
}

/// Tickets that are known here live at the gate, and the other way round.
fn tickets(sim: &Sim, sale: &Sale, order: &Order) -> Result<(), Failure> {
    if !PRODUCTS[sale.product].gate {
        return Ok(());
    }
    for booking in bookings(order) {
        let at_gate = sim.bench.world.partners.reservation(booking.id.as_str());
        let t = &booking.ticketing;
        let about =
            || format!("{} {:?} {:?} {:?}", order.id, booking.state, t.state, at_gate.as_ref().map(|r| r.state));
        let settled = !matches!(t.state, TicketingState::Requested | TicketingState::Cancelling);
        must(settled || !order.attention.is_empty(), || format!("ticketing is left half way, unflagged: {}", about()))?;
        if booking.is_active() && t.state == TicketingState::Issued && !t.manual {
            let lives = at_gate.as_ref().is_some_and(|r| matches!(r.state, GateState::Issued | GateState::Used));
            must(lives || !order.attention.is_empty(), || format!("tickets that the gate does not know: {}", about()))?;
        }
        if booking.is_active() && t.state == TicketingState::Queued && booking.state == BookingState::Confirmed {
            must(!order.attention.is_empty(), || format!("tickets were never asked for, unflagged: {}", about()))?;
        }
    }
    Ok(())
}

/// What the gate holds, against the orders.
fn gate(sim: &Sim, orders: &[Order]) -> Result<(), Failure> {
    let by_id: BTreeMap<&str, &Order> = orders.iter().map(|order| (order.id.as_str(), order)).collect();
    let mut live: BTreeMap<&str, usize> = BTreeMap::new();
    let reservations = sim.bench.world.partners.reservations();
    for (id, reservation) in &reservations {
        let Some(order) = by_id.get(reservation.order.as_str()) else {
            return Err(Failure(format!("the gate holds tickets of no order: {id}")));
        };
        let Some(booking) = bookings(order).find(|booking| booking.id.as_str() == id) else {
            return Err(Failure(format!("the gate holds tickets of no booking: {id}")));
        };
        if reservation.is_live() {
            *live.entry(order.id.as_str()).or_default() += 1;
        }
        admitted(order, booking, reservation)?;
    }
    for (id, many) in live {
        let flagged = by_id.get(id).is_some_and(|order| !order.attention.is_empty());
        must(many <= 1 || flagged, || format!("two live sets of tickets, unflagged: {id}"))?;
    }
    Ok(())
}

fn admitted(order: &Order, booking: &Booking, reservation: &Reservation) -> Result<(), Failure> {
    let flagged = !order.attention.is_empty();
    let about = || format!("{} {:?} {:?} {:?}", order.id, booking.state, booking.ticketing.state, reservation.state);
    match reservation.state {
        GateState::Issued | GateState::CancelPending => {
            let expected = matches!(booking.state, BookingState::Confirmed | BookingState::Requested)
                || matches!(booking.state, BookingState::Used | BookingState::NoShow);
            must(expected || flagged, || {
                format!("a live ticket behind a booking that is off, unflagged: {}", about())
            })?;
            let held = matches!(booking.ticketing.state, TicketingState::Issued | TicketingState::CancelRefused);
            must(held || flagged, || format!("a live ticket that nobody knows of, unflagged: {}", about()))
        }
        GateState::Used => {
            let noted = booking.state == BookingState::Used
                || order.parked_redemption.as_ref().is_some_and(|parked| parked.booking == booking.id);
            must(noted || flagged, || format!("a guest went in and nobody noted it: {}", about()))
        }
        GateState::Pending | GateState::Refused | GateState::Cancelled => Ok(()),
    }
}

/// A redemption is reported once, under one token, or a person is told why not.
fn redemption(sim: &Sim, order: &Order) -> Result<(), Failure> {
    for booking in bookings(order) {
        let number = booking.channel_booking_id.as_str();
        let told = sim.bench.world.partners.douyin(|douyin| douyin.redeemed.get(number).cloned().unwrap_or_default());
        let used = booking.state == BookingState::Used;
        must(used || told.is_empty(), || format!("a booking was reported as used and is not: {number}"))?;
        must(!used || told.len() == 1 || order.needs(AttentionKind::NotificationRefused), || {
            format!("a redemption was never reported, unflagged: {number}")
        })?;
    }
    if let Some(parked) = &order.parked_redemption {
        must(!order.attention.is_empty(), || format!("a redemption is parked, unflagged: {}", order.id))?;
        let active = order.active_booking().is_some_and(|booking| booking.id == parked.booking);
        must(active || order.is_over() || !order.attention.is_empty(), || {
            format!("a redemption is parked for ever: {}", order.id)
        })?;
    }
    Ok(())
}

/// What was decided of a refund is what the channel heard; what is not decided waits for somebody who knows.
fn refunds(sim: &Sim, sale: &Sale, order: &Order) -> Result<(), Failure> {
    for case in order.refund_case.iter().chain(&order.past_refund_cases) {
        let heard = sim.bench.world.partners.douyin(|d| d.cases.get(&case.channel_ref).map(|c| c.decisions.clone()));
        let heard: BTreeSet<i64> = heard.unwrap_or_default();
        let flagged = !order.attention.is_empty();
        let about = || format!("{} {} {:?} {heard:?}", order.id, case.channel_ref, case.state);
        match case.state {
            RefundState::UnderReview => {
                must(flagged, || format!("a refund is forgotten: {}", about()))?;
                must(heard.is_empty(), || format!("the channel heard a decision that was not taken: {}", about()))?;
            }
            RefundState::Approved => {
                must(!heard.contains(&2), || format!("the channel heard the contrary: {}", about()))?;
                must(heard.contains(&1) || flagged, || {
                    format!("the channel never heard of the approval: {}", about())
                })?;
            }
            RefundState::Rejected => {
                must(!heard.contains(&1), || format!("the channel heard the contrary: {}", about()))?;
                must(heard.contains(&2) || flagged, || {
                    format!("the channel never heard of the rejection: {}", about())
                })?;
            }
            RefundState::Settled | RefundState::Withdrawn => {}
        }
    }
    let used = order.booking.as_ref().is_some_and(|booking| booking.state == BookingState::Used);
    let accepted = sim.bench.world.partners.douyin(|douyin| {
        let of_it = |key: &String| {
            douyin.cases.get(key).is_some_and(|case| {
                case.decisions.contains(&1)
                    && order.booking.as_ref().is_some_and(|b| b.channel_booking_id.as_str() == case.booking)
            })
        };
        sale.cases.iter().any(of_it)
    });
    must(!(used && accepted), || format!("redeemed, and its refund accepted: {}", order.id))?;
    let behind = order.is_over() && order.state == OrderState::Cancelled && order.active_booking().is_some();
    must(!behind, || format!("a cancelled order has a live booking: {}", order.id))
}

fn deadlines(sim: &Sim, order: &Order) -> Result<(), Failure> {
    let now = sim.bench.world.now();
    let Some(booking) = order.active_booking() else { return Ok(()) };
    let t = &booking.ticketing;
    let late = t.deadline.is_some_and(|at| at < now)
        && matches!(
            t.state,
            TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Failed
        );
    must(!late || !order.attention.is_empty(), || {
        format!("a ticketing deadline passed unnoticed: {} {:?}", order.id, t.state)
    })
}

/// The history has every number once, in order.
async fn history(sim: &Sim, order: &Order) -> Result<(), Failure> {
    let events = sim.bench.world.store().events(&order.id, 0, 1_000).await;
    let events = events.map_err(|error| Failure(format!("a history cannot be read: {error}")))?;
    let numbers: Vec<u64> = events.iter().map(|row| row.seq).collect();
    let expected: Vec<u64> = (1..=order.version).collect();
    must(numbers == expected || order.version > 1_000, || {
        format!("a history has holes: {} {numbers:?} at version {}", order.id, order.version)
    })
}

/// The units taken are those that live.
async fn stock(sim: &Sim, orders: &[Order]) -> Result<(), Failure> {
    for product in PRODUCTS {
        let of_it: Vec<&Order> = orders.iter().filter(|order| order.product.as_str() == product.voucher).collect();
        let live: u32 = of_it.iter().filter(|o| o.state != OrderState::Cancelled).map(|o| o.quantity).sum();
        count(sim, product.voucher, None, product.stock, live).await?;
        let mut days: BTreeMap<Date, u32> = BTreeMap::new();
        for order in of_it {
            for booking in bookings(order) {
                let Some(date) = booking.visit_date else { continue };
                let holds = match booking.state {
                    BookingState::Requested | BookingState::Confirmed | BookingState::Used | BookingState::NoShow => {
                        order.quantity
                    }
                    BookingState::Rejected | BookingState::Cancelled => 0,
                };
                *days.entry(date).or_default() += holds;
            }
        }
        for (date, units) in days {
            count(sim, product.booking, Some(date), DATE_STOCK, units).await?;
        }
    }
    Ok(())
}

async fn count(sim: &Sim, product: &str, date: Option<Date>, total: u32, live: u32) -> Result<(), Failure> {
    let key = StockKey { product: ProductCode::from(product), date };
    let left = sim.bench.world.store().stock_left(&key, Some(total)).await;
    let left = left.map_err(|error| Failure(format!("stock cannot be counted: {error}")))?;
    let expected = i64::from(total) - i64::from(live);
    must(left == Some(expected), || {
        format!("stock is miscounted: {product} {date:?} has {left:?} left, not {expected}")
    })
}

/// The channel's own question gets the truth.
async fn queries(sim: &Sim) -> Result<(), Failure> {
    for (index, sale) in sim.sales.iter().enumerate().rev().take(3) {
        let Some(order) = sim.order(index).await else { continue };
        let Some(number) = sale.bookings.last() else { continue };
        let (_, answer) = sim.bench.world.call("query-order", &json!({ "order_id": number })).await;
        let booking = order.booking_by_ref(&ExternalId::from(number.as_str()));
        if booking.is_none() {
            continue;
        }
        let used = booking.is_some_and(|b| b.state == BookingState::Used);
        let expected = if used { order.quantity } else { 0 };
        must(answer["data"]["used_voucher_quantity"] == json!(expected), || {
            format!("query-order does not agree with the order: {answer}")
        })?;
    }
    Ok(())
}
