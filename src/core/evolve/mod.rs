// SPDX-License-Identifier: Apache-2.0

//! What is true after an event. Total, and the only way in which an order changes: one file for each axis, and one for each thing that
//! stands beside them. This one only says where an event goes.

mod attention;
mod booking;
mod channel_state;
mod guests;
mod payment;
mod refund;
mod sale;
mod ticketing;
mod undelivered;

use crate::message::{Event, EventRecord};
use crate::order::{BookingState, CancelReason, Handover, Order, OrderState, TicketingState};
use crate::time::UnixMillis;

/// The order after `record`. `order` is `None` before [`Event::OrderPlaced`] only; any other first event leaves nothing.
pub fn evolve(order: Option<Order>, record: &EventRecord) -> Option<Order> {
    let mut order = match (order, &record.event) {
        (None, Event::OrderPlaced { id, sale }) => sale::place(id.clone(), sale, record.at),
        (None, _) => return None,
        (Some(order), _) => order,
    };
    change(&mut order, record);
    Some(order)
}

/// The same, for an order that is there.
pub(crate) fn change(order: &mut Order, record: &EventRecord) {
    let flagged = undelivered::flagged(order);
    apply(order, &record.event, record.at);
    undelivered::forget(order, flagged);
    channel_state::forget_proven(order);
    payment::tell_how_returns_stand(order);
    attention::follow_facts(order);
    order.version = record.seq;
    order.updated_at = record.at;
}

fn apply(order: &mut Order, event: &Event, at: UnixMillis) {
    match event {
        Event::StubFilled { sale } => sale::filled(order, sale),
        Event::BookingOpened => order.state = OrderState::AwaitingBooking,
        Event::OrderCancelled { reason, why } => {
            sale::cancelled(order, *reason);
            // What ops say among themselves is not told.
            booking::cancelled_saying(order, why.as_ref().filter(|_| *reason == CancelReason::ByChannel));
        }

        Event::BookingRequested { booking } => booking::requested(order, booking),
        Event::HoldConfirmed { reference } => booking::hold_confirmed(order, reference.as_deref()),
        Event::HoldRenamed { reference, units } => booking::with_hold(order, |hold| {
            hold.reference.clone_from(reference);
            hold.units.clone_from(units);
        }),
        Event::HoldMoved { sale, visit, units } => {
            sale::changed(order, sale);
            booking::moved(order, visit, units);
        }
        Event::HoldExtended { until } => booking::with_hold(order, |hold| hold.until = *until),
        Event::BookingConfirmed { ticketing_due } => booking::confirmed(order, *ticketing_due, at),
        Event::BookingRejected { .. } => booking::ended(order, BookingState::Rejected),
        Event::BookingCancelled { .. } => booking::ended(order, BookingState::Cancelled),
        Event::Redeemed { at: used_at, .. } => booking::used(order, *used_at),
        Event::RedemptionParked { booking, at, told_by, in_part, .. } => {
            booking::parked(order, booking, *at, told_by, *in_part);
        }
        Event::GuestsEntered { entered, waits, .. } => booking::entered(order, entered, *waits),
        Event::NoShowMarked { .. } => booking::no_show(order),
        Event::GuestsSupplied { buyer, visitors, contact } => guests::supplied(order, buyer, visitors, contact),
        Event::GuestsErased { .. } => guests::erased(order),

        Event::TicketingStarted => ticketing::started(order),
        Event::TicketsRequested { request, dates } => ticketing::demanded(order, request, *dates),
        Event::TicketsPending { booking, backend_ref } => ticketing::pending(order, booking, backend_ref),
        Event::TicketsIssued { booking, backend_ref, tickets, manual } => {
            ticketing::issued(order, booking, backend_ref, tickets, *manual);
        }
        Event::OtherCodesNamed { booking, tickets } => ticketing::renamed(order, booking, tickets),
        Event::LateTicketsIssued { booking, backend_ref, .. } => ticketing::late(order, booking, backend_ref, at),
        Event::TicketingRefused { booking, reason } => {
            ticketing::stopped(order, booking, TicketingState::Failed, reason);
        }
        Event::TicketingUnknown { booking, why } => ticketing::stopped(order, booking, TicketingState::Unknown, why),
        Event::TicketsDeferred => ticketing::handed_over(order, Handover::Owed),
        Event::TicketsAnswered => ticketing::handed_over(order, Handover::InAnswer),
        Event::TicketsHandedOver { acknowledged } => ticketing::handed_over(order, Handover::of_call(*acknowledged)),
        Event::TicketCancelStarted { booking } => ticketing::cancelling(order, booking, at),
        Event::TicketsCancelled { booking, keeps: _ } => ticketing::cancelled(order, booking),
        Event::TicketCancelRefused { booking, reason, .. } => ticketing::cancel_refused(order, booking, reason),
        Event::TicketingDeadlinePassed { .. } => ticketing::overdue(order),

        Event::PaymentRecorded { entry } => payment::recorded(order, entry),
        Event::PaymentRetracted { reference } => payment::retracted(order, reference),

        Event::RefundApplied { case } => refund::applied(order, case),
        Event::RefundEscalated { reason, .. } => refund::escalated(order, reason),
        Event::RefundApprovalStarted { fee, by, reason, .. } => refund::approval_started(order, *fee, by, reason, at),
        Event::RefundApproved { fee, by, reason, pending, .. } => {
            refund::approved(order, *fee, by, reason, pending, at)
        }
        Event::RefundRejected { reason, by, reissue, .. } => refund::rejected(order, reason, by, *reissue, at),
        Event::RefundWithdrawn { .. } => refund::withdrawn(order),
        Event::RefundSettled { amount, by_channel, fee, .. } => {
            refund::settled(order, (*amount, *fee), *by_channel, at)
        }
        Event::RefundReopened { .. } => refund::reopened(order),
        Event::ReviewLimitPassed { .. } => refund::overdue(order),

        Event::SnapshotTaken { channel_state, sale, dates } => channel_state::taken(order, channel_state, sale, *dates),
        Event::Proposed { proposal } => channel_state::proposed(order, proposal),
        Event::ProposalEnded { agreed } => channel_state::proposal_ended(order, *agreed),
        Event::PaymentLinkChanged { link } => channel_state::link_changed(order, link),
        Event::PartnerNumberChanged { new, .. } => channel_state::numbered(order, new, at),

        Event::NotificationAcknowledged { notification } => undelivered::acknowledged(order, notification),
        Event::NotificationTaken { notification, told } => undelivered::taken(order, notification, told.as_ref()),
        Event::NotificationDenied { notification } => channel_state::denied(order, notification),
        Event::NotificationRefused { notification, code, why } => undelivered::refused(order, notification, code, why),
        Event::NotificationLeftToPerson { notification, what } => {
            undelivered::left_to_person(order, notification, what)
        }
        Event::NotificationDropped { notification } => undelivered::dropped(order, notification),
        Event::NotificationRepeated { notification } => undelivered::repeated(order, notification),

        Event::RefundForced { copies, named, off, .. } => {
            order.copies_back = order.copies_back.saturating_add(copies.unwrap_or(0));
            order.copies_named.extend(named);
            order.copies_off.extend(off);
        }

        Event::AttentionSettled { kind, .. } => attention::clear(order, *kind),
        Event::AttentionRaised { kind, sentence, fact } => {
            attention::raised(order, *kind, sentence, fact.as_deref(), at);
        }

        // Told for people; the first has made the order.
        Event::OrderPlaced { .. }
        | Event::TicketCancelPending { .. }
        | Event::SnapshotContested
        | Event::NotificationOvertaken { .. }
        | Event::GuestsRevealed { .. }
        | Event::TicketingDeadlineNear { .. }
        | Event::ReviewLimitNear { .. }
        | Event::DeadlineNear { .. }
        | Event::DeadlinePassed { .. } => {}
    }
}
