// SPDX-License-Identifier: Apache-2.0

//! Deadlines that are near, and deadlines that have passed. One that no longer matters changes nothing.

use crate::decide::draft::Draft;
use crate::decide::{hold, snapshot_channel};
use crate::message::{DeadlineKind, Event};
use crate::order::{AttentionKind, Booking, BookingState, Order, OrderState};
use crate::time::UnixMillis;

pub(super) fn warn(draft: &mut Draft, kind: DeadlineKind, due_at: UnixMillis) {
    if !matters(&draft.order(), kind, due_at) {
        return;
    }
    draft.event(match kind {
        DeadlineKind::Ticketing => Event::TicketingDeadlineNear { due_at },
        DeadlineKind::Review => Event::ReviewLimitNear { due_at },
        DeadlineKind::Acceptance | DeadlineKind::BookingWindow | DeadlineKind::VisitDay | DeadlineKind::PaymentLink => {
            Event::DeadlineNear { kind, due_at }
        }
    });
    if kind == DeadlineKind::Acceptance && draft.order().needs(AttentionKind::WaitsForConfirmation) {
        let sentence = "a booking waits for a manager, and half of the time for it is over: confirm or decline it";
        draft.say_anew(AttentionKind::WaitsForConfirmation, sentence);
    }
}

pub(super) fn pass(draft: &mut Draft, kind: DeadlineKind, due_at: UnixMillis) {
    if !matters(&draft.order(), kind, due_at) {
        return;
    }
    match kind {
        DeadlineKind::Ticketing => {
            let is_made = draft.order().owes_tickets();
            draft.event(Event::TicketingDeadlinePassed { due_at });
            let sentence = if is_made {
                "the tickets are made, and the channel has not taken them in time; expect its refund request, and hand them over with the rejection"
            } else {
                "no ticket in time; issue it by hand, or expect the channel's refund request"
            };
            draft.flag(AttentionKind::TicketingOverdue, sentence);
        }
        DeadlineKind::Review => {
            draft.event(Event::ReviewLimitPassed { due_at });
            draft.flag(AttentionKind::ReviewOverdue, "no decision in time; the channel refunds by itself");
        }
        DeadlineKind::Acceptance if draft.order().booking.as_ref().is_some_and(Booking::is_on_hold) => {
            draft.event(Event::DeadlinePassed { kind, due_at });
            hold::run_out(draft);
        }
        DeadlineKind::Acceptance => {
            draft.event(Event::DeadlinePassed { kind, due_at });
            let sentence = "nobody accepted the booking in time; the channel cancels it";
            draft.say_anew(AttentionKind::WaitsForConfirmation, sentence);
        }
        DeadlineKind::PaymentLink => {
            draft.event(Event::DeadlinePassed { kind, due_at });
            snapshot_channel::end_links_by(draft, due_at);
        }
        DeadlineKind::VisitDay if draft.order().may_admit_the_cancelled() => {
            draft.event(Event::DeadlinePassed { kind, due_at });
            draft.settle_flag(AttentionKind::LiveTicketBehindRefund);
        }
        DeadlineKind::BookingWindow | DeadlineKind::VisitDay => draft.event(Event::DeadlinePassed { kind, due_at }),
    }
}

/// Whether the deadline still stands for something that has not happened.
fn matters(order: &Order, kind: DeadlineKind, due_at: UnixMillis) -> bool {
    match kind {
        DeadlineKind::Ticketing => order.active_booking().is_some_and(|b| {
            let t = &b.ticketing;
            t.deadline == Some(due_at) && (t.state.is_awaited() || order.owes_tickets())
        }),
        DeadlineKind::Review => order.case_under_review().is_some_and(|case| case.review_by == due_at),
        DeadlineKind::Acceptance => order.booking.as_ref().is_some_and(|b| {
            b.state == BookingState::Requested
                && (!b.is_on_hold() || b.hold.as_ref().is_some_and(|hold| hold.until == due_at))
        }),
        DeadlineKind::BookingWindow => order.state == OrderState::AwaitingBooking,
        DeadlineKind::VisitDay => order.parked_redemption.is_some() || order.may_admit_the_cancelled(),
        DeadlineKind::PaymentLink => snapshot_channel::end_of_link(order) == Some(due_at),
    }
}
