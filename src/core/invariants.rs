// SPDX-License-Identifier: Apache-2.0

//! What must hold for every order, always. Checked before every save and after every load; a violation is a bug, and stops the
//! transaction before it can be saved.

use crate::order::{BookingState, Handover, Order, OrderKind, OrderState, RefundState, TicketingState};

/// Every rule that `order` breaks, in words.
pub fn violations(order: &Order) -> Vec<&'static str> {
    let mut broken = Vec::new();
    let mut must = |holds: bool, rule: &'static str| {
        if !holds {
            broken.push(rule);
        }
    };
    let booking = order.booking.as_ref();
    let state = booking.map(|b| b.state);

    must(
        (order.state == OrderState::Cancelled) == order.cancel_reason.is_some(),
        "an order has a cancel reason exactly when it is cancelled",
    );
    must(
        order.state != OrderState::Completed || matches!(state, Some(BookingState::Used | BookingState::NoShow)),
        "a completed order has a booking that was used, or a guest who did not come",
    );
    must(
        !matches!(state, Some(BookingState::Used | BookingState::NoShow)) || order.state == OrderState::Completed,
        "a used booking completes its order",
    );
    must(
        order.state != OrderState::Booked || booking.is_some_and(|b| b.is_active()),
        "a booked order has an active booking",
    );
    must(
        !booking.is_some_and(|b| b.is_active())
            || order.state == OrderState::Booked
            || (order.kind == OrderKind::Direct && order.state == OrderState::Placed),
        "an active booking makes its order booked",
    );
    must(order.past_bookings.iter().all(|b| !b.is_active()), "an order has at most one active booking");
    must(
        order.past_refund_cases.iter().all(|c| c.state != RefundState::UnderReview),
        "an order has at most one refund case under review",
    );
    must(
        !(order.state == OrderState::Completed
            && order.refund_case.as_ref().is_some_and(|c| c.state == RefundState::UnderReview)),
        "nothing is redeemed while its refund is under review",
    );
    must(order.quantity > 0, "an order has units");
    must(order.money.ledger.iter().all(|e| e.amount >= 0), "no entry of the ledger is negative");
    must(
        order.channel_state.as_ref().is_none_or(|m| m.links.iter().filter(|link| link.is_live()).count() <= 1),
        "an order has at most one live payment link",
    );
    for b in order.booking.iter().chain(&order.past_bookings) {
        let t = &b.ticketing;
        must(t.state != TicketingState::Issued || !t.tickets.is_empty(), "issued tickets are known");
        must(
            !matches!(t.handover, Handover::Asked | Handover::Owed | Handover::InAnswer | Handover::Acknowledged)
                || t.request.is_some(),
            "tickets are handed over on demand only",
        );
        must(b.state != BookingState::Used || b.used_at.is_some(), "a used booking knows when");
    }
    broken
}

/// Stops when a rule is broken.
pub fn check(order: &Order) {
    let broken = violations(order);
    assert!(broken.is_empty(), "order {} breaks: {}", order.id, broken.join("; "));
}
