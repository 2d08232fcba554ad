//! Deadlines that are near, and deadlines that have passed. One that no longer matters changes nothing.

use crate::decide::{Decision, hold};
use crate::message::{DeadlineKind, Event};
use crate::order::{AttentionKind, Booking, BookingState, Order, OrderState};
use crate::time::UnixMillis;

pub(super) fn warn(order: &Order, kind: DeadlineKind, due_at: UnixMillis) -> Decision {
    if !matters(order, kind, due_at) {
        return Decision::nothing();
    }
    Decision::nothing().event(match kind {
        DeadlineKind::Ticketing => Event::TicketingDeadlineNear { due_at },
        DeadlineKind::Review => Event::ReviewLimitNear { due_at },
        DeadlineKind::Acceptance | DeadlineKind::BookingWindow | DeadlineKind::VisitDay => {
            Event::DeadlineNear { kind, due_at }
        }
    })
}

pub(super) fn pass(order: &Order, kind: DeadlineKind, due_at: UnixMillis) -> Decision {
    if !matters(order, kind, due_at) {
        return Decision::nothing();
    }
    let nothing = Decision::nothing();
    match kind {
        DeadlineKind::Ticketing => nothing.event(Event::TicketingDeadlinePassed { due_at }).attention(
            order,
            AttentionKind::TicketingOverdue,
            "no ticket in time; issue it by hand, or expect the channel's refund request",
        ),
        DeadlineKind::Review => nothing.event(Event::ReviewLimitPassed { due_at }).attention(
            order,
            AttentionKind::ReviewOverdue,
            "no decision in time; the channel refunds by itself",
        ),
        DeadlineKind::Acceptance if order.booking.as_ref().is_some_and(Booking::is_on_hold) => {
            nothing.event(Event::DeadlinePassed { kind, due_at }).then(hold::run_out(order))
        }
        DeadlineKind::Acceptance => nothing.event(Event::DeadlinePassed { kind, due_at }).attention(
            order,
            AttentionKind::WaitsForConfirmation,
            "nobody accepted the booking in time; the channel cancels it",
        ),
        DeadlineKind::BookingWindow | DeadlineKind::VisitDay => nothing.event(Event::DeadlinePassed { kind, due_at }),
    }
}

/// Whether the deadline still stands for something that has not happened.
fn matters(order: &Order, kind: DeadlineKind, due_at: UnixMillis) -> bool {
    match kind {
        DeadlineKind::Ticketing => order.active_booking().is_some_and(|b| {
            let t = &b.ticketing;
            t.deadline == Some(due_at) && t.state.is_awaited()
        }),
        DeadlineKind::Review => order.case_under_review().is_some_and(|case| case.review_by == due_at),
        DeadlineKind::Acceptance => order.booking.as_ref().is_some_and(|b| {
            b.state == BookingState::Requested
                && (!b.is_on_hold() || b.hold.as_ref().is_some_and(|h| h.until == due_at))
        }),
        DeadlineKind::BookingWindow => order.state == OrderState::AwaitingBooking,
        DeadlineKind::VisitDay => order.parked_redemption.is_some(),
    }
}
