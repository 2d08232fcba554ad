// SPDX-License-Identifier: Apache-2.0

//! What must hold in every world that can be reached, and what must be reachable.

use stateright::Property;
use ticketbridge_core::invariants::violations;
use ticketbridge_core::message::DeadlineKind;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{
    AttentionKind, BookingState, CancelReason, Handover, OrderState, RefundState, TicketingState,
};

use super::Search;
use super::world::{Held, World};
use crate::support::is_given_back;

pub(crate) const NO_LIVE_TICKET_BEHIND: &str =
    "once quiet, no ticket admits behind a cancelled booking, unless somebody is told";
pub(crate) const VOID_BEFORE_APPROVAL: &str =
    "the channel hears of an approval only when no ticket admits, or a person has taken it upon himself";
pub(crate) const NOBODY_WAITS_UNSEEN: &str =
    "once quiet, no guest waits for a ticket, unless the deadline is still to come or somebody is told";

pub(crate) const NO_DEADLINE_PASSES_UNSEEN: &str = "no order is past its ticketing deadline, unless somebody is told";

/// All of them.
pub(crate) fn all(search: &Search) -> Vec<Property<Search>> {
    let mut all = vec![
        Property::always("the core never stops, and its invariants hold", |_, w: &World| {
            !w.stopped && violations(&w.order).is_empty()
        }),
        Property::always("once quiet, at most one set of tickets admits, unless somebody is told", one_live_set),
        Property::always("once quiet, nobody entered on a refunded order, unless somebody is told", used_or_refunded),
        Property::always("a booking is never told issued and rejected", |_, w: &World| {
            w.reservations.iter().all(|r| !(r.told_issued && r.told_rejected))
        }),
        Property::always("a refund is never told approved and rejected", |_, w: &World| {
            w.asked.iter().all(|a| !(a.told_approved && a.told_rejected))
        }),
        Property::always("a redemption is reported under one key only", |_, w: &World| w.redemptions_reported <= 1),
        Property::always(VOID_BEFORE_APPROVAL, |_, w: &World| !w.approved_while_live),
        Property::always(NO_LIVE_TICKET_BEHIND, no_live_ticket_behind),
        Property::always(NOBODY_WAITS_UNSEEN, nobody_waits_unseen),
        Property::always(NO_DEADLINE_PASSES_UNSEEN, no_deadline_passes_unseen),
        Property::always("once quiet, no refund is forgotten", no_forgotten_refund),
        Property::always(
            "once quiet, no ticket that the channel waits for is held back, unless somebody is told",
            no_owed_ticket,
        ),
        Property::always("once quiet, a guest who entered is recorded, or waits for something", no_forgotten_visit),
        Property::always("once quiet, tickets that we believe in admit", believed_tickets_admit),
        Property::always("stock is taken once and returned once", stock_is_right),
        Property::always(
            "a booking that stands alone gives back all but its fee when it ends, on the account as in the books",
            |_, w: &World| is_given_back(&w.order),
        ),
    ];
    if search.whole {
        all.extend(reached());
    }
    all
}

fn one_live_set(_: &Search, w: &World) -> bool {
    !w.is_quiet()
        || w.reservations.iter().filter(|r| r.held == Held::Live).count()
            + w.reservations.iter().filter(|r| r.manual == Held::Live).count()
            <= 1
        || w.needs_any(&[AttentionKind::LiveTicketBehindRefund, AttentionKind::Contradiction])
}

fn used_or_refunded(_: &Search, w: &World) -> bool {
    let refunded = w.order.cancel_reason == Some(CancelReason::RefundedBeforeUse);
    !w.is_quiet()
        || !refunded
        || !w.reservations.iter().any(|r| r.was_used())
        || w.needs_any(&[
            AttentionKind::RedeemedWhileRefunded,
            AttentionKind::LiveTicketBehindRefund,
            AttentionKind::Contradiction,
        ])
}

fn no_live_ticket_behind(_: &Search, w: &World) -> bool {
    if !w.is_quiet() || w.needs_any(&[AttentionKind::LiveTicketBehindRefund, AttentionKind::RedeemedWhileRefunded]) {
        return true;
    }
    w.reservations.iter().filter(|r| r.admits()).all(|r| {
        let booking = w.order.booking_by_id(&r.booking);
        booking.is_some_and(|b| match b.state {
            BookingState::Requested | BookingState::Confirmed | BookingState::Used | BookingState::NoShow => true,
            BookingState::Rejected | BookingState::Cancelled => false,
        })
    })
}

fn nobody_waits_unseen(_: &Search, w: &World) -> bool {
    let Some(booking) = w.order.active_booking().filter(|b| b.state == BookingState::Confirmed) else { return true };
    let has_tickets = matches!(booking.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded);
    let deadline_to_come = w.timers.iter().any(|(kind, _)| *kind == DeadlineKind::Ticketing);
    !w.is_quiet()
        || has_tickets
        || deadline_to_come
        || w.needs_any(&[
            AttentionKind::TicketingOverdue,
            AttentionKind::TicketingFailed,
            AttentionKind::CancelRefused,
            AttentionKind::RefundWaits,
            AttentionKind::Contradiction,
            AttentionKind::NotTicketed,
        ])
}

fn no_deadline_passes_unseen(_: &Search, w: &World) -> bool {
    let Some(booking) = w.order.active_booking() else { return true };
    let t = &booking.ticketing;
    let missing = match t.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Failed => true,
        TicketingState::NotNeeded
        | TicketingState::Issued
        | TicketingState::Cancelling
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => false,
    };
    w.due().is_some()
        || !missing
        || t.deadline.is_none_or(|due_at| due_at > w.now())
        || w.needs_any(&[AttentionKind::TicketingOverdue, AttentionKind::TicketingFailed])
}

fn no_forgotten_refund(_: &Search, w: &World) -> bool {
    let deadline_to_come = w.timers.iter().any(|(kind, _)| *kind == DeadlineKind::Ticketing);
    !w.is_quiet()
        || w.order.case_under_review().is_none()
        || deadline_to_come
        || w.needs_any(&[
            AttentionKind::RefundWaits,
            AttentionKind::CancelRefused,
            AttentionKind::ReviewOverdue,
            AttentionKind::TicketingFailed,
            AttentionKind::TicketingOverdue,
            AttentionKind::LiveTicketBehindRefund,
        ])
}

fn no_owed_ticket(_: &Search, w: &World) -> bool {
    let Some(booking) = &w.order.booking else { return true };
    let available = matches!(booking.state, BookingState::Confirmed | BookingState::Used)
        && matches!(booking.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded);
    let handover = booking.ticketing.handover;
    let missing = handover.is_owed() || handover == Handover::Refused;
    let held_back = w.is_quiet() && available && missing;
    !held_back || w.order.case_under_review().is_some() || w.needs_any(&[AttentionKind::NotificationRefused])
}

fn no_forgotten_visit(_: &Search, w: &World) -> bool {
    if !w.is_quiet() {
        return true;
    }
    w.reservations.iter().filter(|r| r.was_used()).all(|r| {
        let Some(booking) = w.order.booking_by_id(&r.booking) else { return false };
        let waits_for_day = w.timers.iter().any(|(kind, _)| *kind == DeadlineKind::VisitDay);
        booking.state == BookingState::Used
            || (w.order.parked_for(booking) && (waits_for_day || w.order.case_under_review().is_some()))
            || w.needs_any(&[
                AttentionKind::RefundUnderReview,
                AttentionKind::NotTicketed,
                AttentionKind::RedeemedWhileRefunded,
                AttentionKind::Contradiction,
            ])
    })
}

fn believed_tickets_admit(_: &Search, w: &World) -> bool {
    let Some(booking) = w.order.active_booking() else { return true };
    let Some(r) = w.reservations.iter().find(|r| r.booking == booking.id) else { return false };
    let t = &booking.ticketing;
    let admits = if t.manual { r.manual != Held::Void } else { matches!(r.held, Held::Live | Held::Used) };
    !w.is_quiet() || t.state != TicketingState::Issued || admits || w.needs_any(&[AttentionKind::Contradiction])
}

fn stock_is_right(_: &Search, w: &World) -> bool {
    let of_date = w.order.booking.as_ref().is_some_and(|b| match b.state {
        BookingState::Requested | BookingState::Confirmed | BookingState::Used | BookingState::NoShow => true,
        BookingState::Rejected | BookingState::Cancelled => false,
    });
    let of_voucher = w.order.rules.voucher.is_some() && w.order.state != OrderState::Cancelled;
    w.stock == (i8::from(of_date), i8::from(of_voucher))
}

macro_rules! met {
    ($($name:literal: $condition:expr),+ $(,)?) => { vec![$(Property::sometimes($name, $condition)),+] };
}

fn ticketing(w: &World, state: TicketingState) -> bool {
    w.order.booking.iter().chain(&w.order.past_bookings).any(|b| b.ticketing.state == state)
}
fn booked(w: &World, state: BookingState) -> bool {
    w.order.booking.as_ref().is_some_and(|b| b.state == state)
}
fn refunded(w: &World, state: RefundState) -> bool {
    w.order.refund_case.as_ref().is_some_and(|c| c.state == state)
}
fn handed(w: &World, state: Handover) -> bool {
    w.order.booking.as_ref().is_some_and(|b| b.ticketing.handover == state)
}

/// Every state of every axis that these terms allow.
fn reached() -> Vec<Property<Search>> {
    met![
        "an order awaits its booking": |_, w: &World| w.order.state == OrderState::AwaitingBooking,
        "an order is booked": |_, w: &World| w.order.state == OrderState::Booked,
        "an order is completed": |_, w: &World| w.order.state == OrderState::Completed,
        "an order is cancelled": |_, w: &World| w.order.state == OrderState::Cancelled,
        "a booking is confirmed": |_, w: &World| booked(w, BookingState::Confirmed),
        "a booking is used": |_, w: &World| booked(w, BookingState::Used),
        "a guest did not come": |_, w: &World| booked(w, BookingState::NoShow),
        "a booking is cancelled": |_, w: &World| booked(w, BookingState::Cancelled),
        "tickets are queued": |_, w: &World| ticketing(w, TicketingState::Queued),
        "tickets are requested": |_, w: &World| ticketing(w, TicketingState::Requested),
        "tickets are issued": |_, w: &World| ticketing(w, TicketingState::Issued),
        "tickets are unknown": |_, w: &World| ticketing(w, TicketingState::Unknown),
        "tickets have failed": |_, w: &World| ticketing(w, TicketingState::Failed),
        "tickets are being cancelled": |_, w: &World| ticketing(w, TicketingState::Cancelling),
        "tickets are cancelled": |_, w: &World| ticketing(w, TicketingState::Cancelled),
        "a cancellation of tickets is refused": |_, w: &World| ticketing(w, TicketingState::CancelRefused),
        "a refund is under review": |_, w: &World| refunded(w, RefundState::UnderReview),
        "a refund is approved": |_, w: &World| refunded(w, RefundState::Approved),
        "a refund is settled": |_, w: &World| refunded(w, RefundState::Settled),
        "a refund is rejected": |_, w: &World| refunded(w, RefundState::Rejected),
        "a refund is withdrawn": |_, w: &World| refunded(w, RefundState::Withdrawn),
        "tickets are owed": |_, w: &World| handed(w, Handover::Owed),
        "tickets went out in the answer": |_, w: &World| handed(w, Handover::InAnswer),
        "tickets were acknowledged": |_, w: &World| handed(w, Handover::Acknowledged),
        "tickets were refused by the channel": |_, w: &World| handed(w, Handover::Refused),
        "tickets were reissued": |_, w: &World| handed(w, Handover::Reissued),
        "money is on its way back": |_, w: &World| w.order.payment() == PaymentState::RefundPending,
        "money went back": |_, w: &World| w.order.payment() == PaymentState::Refunded,
        "a guest entered and waits": |_, w: &World| w.order.parked_redemption.is_some(),
        "a ticket lives behind a refund": |_, w: &World| w.order.needs(AttentionKind::LiveTicketBehindRefund),
    ]
}
