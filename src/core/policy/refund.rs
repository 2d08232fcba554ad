// SPDX-License-Identifier: Apache-2.0

//! Refunds that policy decides: the refund matrix, row by row.

use crate::message::{Actor, Command};
use crate::order::{
    Booking, BookingState, Handover, Order, OrderState, RefundCase, RefundIntent, RefundSource, RefundState,
    TicketingState,
};
use crate::product::OverduePolicy;
use crate::rules;

pub(super) fn decide_refund(order: &Order) -> Option<Command> {
    let case = order.case_under_review()?;
    match review(order, case) {
        Review::Wait => None,
        Review::Approve => Some(Command::ApproveRefund {
            case: case.id.clone(),
            fee: None,
            without_backend: false,
            reason: case.reason.clone(),
        }),
        Review::Reject(reason) => Some(Command::RejectRefund { case: case.id.clone(), reason: reason.into() }),
        Review::Person(reason) => match case.intent {
            RefundIntent::WaitsForPerson => None,
            RefundIntent::Undecided | RefundIntent::ApproveOnceVoid => {
                Some(Command::EscalateRefund { case: case.id.clone(), reason: reason.into() })
            }
        },
    }
}

/// What policy thinks of a refund case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Review {
    /// Approve it; tickets are voided first.
    Approve,
    /// Reject it, for this reason.
    Reject(&'static str),
    /// A person decides, for this reason.
    Person(&'static str),
    /// Nothing can be said before an outcome is known.
    Wait,
}

/// The refund matrix, row by row.
fn review(order: &Order, case: &RefundCase) -> Review {
    if order.state == OrderState::Completed {
        let came = order.booking.as_ref().is_none_or(|booking| booking.state != BookingState::NoShow);
        return Review::Reject(if came { "already redeemed" } else { "nobody came, and the booking was closed" });
    }
    if order.is_read_only() {
        // It is decided in the system that it belongs to.
        return Review::Wait;
    }
    if order.channel_state.is_some() {
        return review_of_channel(order, case);
    }
    if case.channel_fee > order.money.left() && case.intent == RefundIntent::Undecided {
        return Review::Person(FEE_ABOVE_PAYMENT);
    }
    if is_of_a_part(order, case) {
        return Review::Person(OF_A_PART);
    }
    let Some(booking) = order.booking_of(case) else {
        return not_booked(order);
    };
    if order.is_replaced(case) && case.intent != RefundIntent::ApproveOnceVoid {
        return Review::Person(REPLACED);
    }
    if let Some(review) = tickets_first(order, case, booking) {
        return review;
    }
    if case.source == RefundSource::TicketsLate {
        return tickets_late(order, case, booking);
    }
    if case.intent == RefundIntent::WaitsForPerson {
        return Review::Wait;
    }
    if order.parked_for(booking) {
        return Review::Person("the guest has entered already");
    }
    match booking.ticketing.state {
        TicketingState::Issued | TicketingState::NotNeeded => ticketed(order, case, booking),
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Failed => {
            Review::Person("the booking has no tickets yet")
        }
        TicketingState::Cancelling | TicketingState::Cancelled | TicketingState::CancelRefused => {
            Review::Person("the tickets were voided before")
        }
    }
}

/// What is to be said before anything else is looked at: a decision was taken and waits for the tickets, or they were asked back in vain.
fn tickets_first(order: &Order, case: &RefundCase, booking: &Booking) -> Option<Review> {
    if is_begun_before(order, case, booking) && !order.parked_for(booking) {
        return Some(by_rule(order, case, booking));
    }
    let by_policy = case.decided_by.as_deref() == Some(Actor::policy().name.as_str());
    // A person was asked only because the tickets could not be voided: now they are.
    let intent = match case.intent {
        RefundIntent::WaitsForPerson if case.decided_by.is_some() && is_void(booking) => RefundIntent::ApproveOnceVoid,
        intent => intent,
    };
    match (intent, booking.ticketing.state) {
        // Policy began before the gate spoke: what was redeemed is not refunded on a rule alone.
        (
            RefundIntent::ApproveOnceVoid,
            TicketingState::Cancelled | TicketingState::Failed | TicketingState::NotNeeded,
        ) if by_policy && order.parked_for(booking) => {
            Some(Review::Person("the guest entered before the tickets were voided"))
        }
        // A decision was taken; the back-end is being asked, or has answered.
        (
            RefundIntent::ApproveOnceVoid,
            TicketingState::Cancelled | TicketingState::Failed | TicketingState::NotNeeded,
        ) => {
            // The approval voids the tickets of a cancelled booking too; what its back-end keeps is not asked for again.
            match order.cancelled_and_live().map(|other| other.ticketing.state) {
                Some(TicketingState::Cancelling) => Some(Review::Wait),
                Some(TicketingState::CancelRefused) => Some(Review::Person(OTHER_TICKET)),
                Some(
                    TicketingState::NotNeeded
                    | TicketingState::Queued
                    | TicketingState::Requested
                    | TicketingState::Unknown
                    | TicketingState::Issued
                    | TicketingState::Failed
                    | TicketingState::Cancelled,
                )
                | None => Some(Review::Approve),
            }
        }
        (RefundIntent::ApproveOnceVoid, TicketingState::Cancelling) => Some(Review::Wait),
        (_, TicketingState::CancelRefused) if order.parked_for(booking) => Some(Review::Reject("already redeemed")),
        (_, TicketingState::CancelRefused) => Some(Review::Person("the back-end refused to cancel the tickets")),
        (
            RefundIntent::ApproveOnceVoid,
            TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Issued,
        )
        | (
            RefundIntent::Undecided | RefundIntent::WaitsForPerson,
            TicketingState::NotNeeded
            | TicketingState::Queued
            | TicketingState::Requested
            | TicketingState::Unknown
            | TicketingState::Issued
            | TicketingState::Failed
            | TicketingState::Cancelling
            | TicketingState::Cancelled,
        ) => None,
    }
}

/// Whether policy had begun to void the tickets of `booking` for a request that `case` has taken the place of: it is the same wish, and what
/// was begun goes on.
fn is_begun_before(order: &Order, case: &RefundCase, booking: &Booking) -> bool {
    let is_open = case.intent == RefundIntent::Undecided
        && matches!(booking.ticketing.state, TicketingState::Cancelling | TicketingState::Cancelled);
    let before = order.past_refund_cases.last().filter(|before| {
        before.state == RefundState::Withdrawn
            && before.intent == RefundIntent::ApproveOnceVoid
            && before.decided_by.as_deref() == Some(Actor::policy().name.as_str())
    });
    is_open && before.and_then(|before| order.booking_of(before)).is_some_and(|named| named.id == booking.id)
}

/// Whether no ticket of it can admit anybody any more.
fn is_void(booking: &Booking) -> bool {
    match booking.ticketing.state {
        TicketingState::Cancelled | TicketingState::Failed => true,
        TicketingState::NotNeeded
        | TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Issued
        | TicketingState::Cancelling
        | TicketingState::CancelRefused => false,
    }
}

/// A channel that leads the order names no fee: a person does, and it is approved once the tickets are void.
fn review_of_channel(order: &Order, case: &RefundCase) -> Review {
    match (case.intent, order.booking_of(case).map(|b| b.ticketing.state)) {
        (RefundIntent::WaitsForPerson, _) | (RefundIntent::ApproveOnceVoid, Some(TicketingState::Cancelling)) => {
            Review::Wait
        }
        (
            RefundIntent::ApproveOnceVoid,
            None | Some(TicketingState::Cancelled | TicketingState::Failed | TicketingState::NotNeeded),
        ) => Review::Approve,
        (RefundIntent::ApproveOnceVoid, _) => Review::Person("the back-end refused to cancel the tickets"),
        (RefundIntent::Undecided, _) => Review::Person("the guest asks to cancel; name the fee, and approve"),
    }
}

/// Such a fee would make the refund less than nothing.
const FEE_ABOVE_PAYMENT: &str = "the fee that the channel names is above what was paid";
const OF_A_PART: &str = "the channel asks for some of the copies only; an order is kept or cancelled as a whole";
const REPLACED: &str = "the booking that this was asked for is cancelled, and another one has taken its place";
const OTHER_TICKET: &str = "a ticket of the cancelled booking may still admit somebody";

/// Whether nobody has decided yet about a request for some of the copies: approving it would void the tickets of all.
fn is_of_a_part(order: &Order, case: &RefundCase) -> bool {
    case.intent != RefundIntent::ApproveOnceVoid && case.copies.is_some_and(|copies| copies < order.quantity)
}

/// Not booked, or no longer: approved as soon as no ticket of a cancelled booking can admit anybody.
fn not_booked(order: &Order) -> Review {
    match order.cancelled_and_live().map(|booking| booking.ticketing.state) {
        None => Review::Approve,
        Some(TicketingState::Cancelling) => Review::Wait,
        Some(_) => Review::Person(OTHER_TICKET),
    }
}

/// The channel asks because no ticket came in time: it may still be handed over, together with the rejection.
fn tickets_late(order: &Order, case: &RefundCase, booking: &Booking) -> Review {
    let t = &booking.ticketing;
    let available = matches!(t.state, TicketingState::Issued | TicketingState::NotNeeded);
    match t.handover {
        // The channel has them, or lost our answer: they were there in time, and go out once more (H6, H10).
        Handover::InAnswer | Handover::Acknowledged | Handover::Reissued if available => {
            return Review::Reject("the tickets were delivered");
        }
        // Our call is on its way; what becomes of it decides.
        Handover::Asked | Handover::Owed if available && t.request.is_some() && call_under_way(order, booking) => {
            return Review::Wait;
        }
        Handover::NotAsked
        | Handover::Asked
        | Handover::Owed
        | Handover::InAnswer
        | Handover::Acknowledged
        | Handover::Refused
        | Handover::Reissued => {}
    }
    if case.intent == RefundIntent::WaitsForPerson {
        return Review::Wait;
    }
    if booking.state == BookingState::Requested {
        return Review::Person("the booking was never accepted");
    }
    match (order.rules.booking.overdue_policy, t.state) {
        (OverduePolicy::Manual, _) => Review::Person("the tickets were late"),
        (OverduePolicy::Approve, _) => Review::Approve,
        (OverduePolicy::Reissue, TicketingState::Issued | TicketingState::NotNeeded) => {
            Review::Reject("the tickets are here")
        }
        (OverduePolicy::Reissue, TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown) => {
            Review::Wait
        }
        (
            OverduePolicy::Reissue,
            TicketingState::Failed
            | TicketingState::Cancelling
            | TicketingState::Cancelled
            | TicketingState::CancelRefused,
        ) => Review::Approve,
    }
}

/// Tickets that exist before the case was opened are sent by a call of ours; later ones go with the decision.
fn call_under_way(order: &Order, booking: &Booking) -> bool {
    booking.ticketing.handover.is_owed() && order.refund_case.as_ref().is_some_and(|case| case.tickets_were_sent)
}

/// Tickets exist: the product's own rule decides, where it has one.
fn ticketed(order: &Order, case: &RefundCase, booking: &Booking) -> Review {
    match case.source {
        RefundSource::CustomerService | RefundSource::Merchant => {
            Review::Person("customer service or the merchant asked for it")
        }
        RefundSource::Guest | RefundSource::TicketsLate | RefundSource::Expired | RefundSource::NotAccepted => {
            by_rule(order, case, booking)
        }
    }
}

/// What the product's own rule says, whoever asks.
fn by_rule(order: &Order, case: &RefundCase, booking: &Booking) -> Review {
    let product = &order.rules.booking;
    let zone = order.rules.channel.time_zone;
    if !rules::cancellable_at(product, booking.visit_date, case.requested_at, zone) {
        return Review::Person("the product cannot be cancelled at this time");
    }
    match rules::refund_fee(product, order.money.due, booking.visit_date, case.requested_at, zone) {
        None => Review::Person("the product has no refund rule for this time"),
        Some(fee) if case.channel_fee >= fee => Review::Approve,
        Some(_) => Review::Person("the channel's fee is lower than the product's"),
    }
}
