//! Whether an effect that was decided earlier is still wanted when its turn comes. A row that is not is closed without a call.

use crate::decide::quote_holds;
use crate::message::{Effect, Report, TicketOp};
use crate::order::channel_state::{LinkState, Proposal};
use crate::order::money::EntryStatus;
use crate::order::{BookingState, Order, OrderState, RefundState, TicketingState};

/// Whether `effect` still serves `order` as it is now.
pub fn is_wanted(order: &Order, effect: &Effect) -> bool {
    match effect {
        Effect::CallBackend { booking, op, .. } => order.booking_by_id(booking).is_some_and(|b| {
            let t = &b.ticketing;
            match op {
                TicketOp::Issue => b.is_active() && t.state.is_awaited(),
                TicketOp::Cancel => {
                    t.by_hand || matches!(t.state, TicketingState::Cancelling | TicketingState::CancelRefused)
                }
                // Where the truth may still differ from what we believe.
                TicketOp::Query => match t.state {
                    TicketingState::Queued
                    | TicketingState::Requested
                    | TicketingState::Unknown
                    | TicketingState::Issued
                    | TicketingState::Cancelling
                    | TicketingState::Cancelled => true,
                    TicketingState::NotNeeded | TicketingState::Failed | TicketingState::CancelRefused => false,
                },
            }
        }),
        Effect::TellChannel { report, .. } => is_report_wanted(order, report),
        Effect::DecryptGuests => {
            order.buyer.has_remote_cipher()
                || order.booking.as_ref().is_some_and(|b| {
                    b.visitors.iter().chain(b.contact.iter()).any(crate::personal::Person::has_remote_cipher)
                })
        }
        Effect::ReadBack { .. }
        | Effect::TellStock { .. }
        | Effect::ArmDeadline { .. }
        | Effect::DisarmDeadline { .. }
        | Effect::TakeStock { .. }
        | Effect::ReturnStock { .. } => true,
    }
}

pub(crate) fn is_report_wanted(order: &Order, report: &Report) -> bool {
    let fits = match report {
        // Its figures are those of the quote; what has changed since is quoted again.
        Report::CancelWanted { fee, refund, .. } => quote_holds(order, *fee, *refund),
        _ => true,
    };
    fits && is_asked_for(order, report)
}

/// Whether what the report asks for is what we want, whatever its figures.
pub(crate) fn is_asked_for(order: &Order, report: &Report) -> bool {
    match report {
        Report::TicketsIssued { booking } => order.booking_by_id(booking).is_some_and(|b| {
            matches!(b.state, BookingState::Confirmed | BookingState::Used)
                && b.ticketing.handover.is_owed()
                && matches!(b.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded)
        }),
        Report::BookingAccepted { .. } if order.mirror.is_some() => proposed(order, &Proposal::Accept),
        Report::BookingDeclined { reason, .. } if order.mirror.is_some() => {
            proposed(order, &Proposal::Decline { reason: reason.clone() })
        }
        Report::CancelQuote | Report::CancelWanted { .. } => {
            let mirror = order.mirror.as_ref();
            !order.is_over() && mirror.is_some_and(|m| matches!(m.proposal, Some(Proposal::Cancel { .. })))
        }
        Report::PaymentReturn { reference, .. } => {
            order.money.ledger.iter().any(|e| &e.reference == reference && e.status == EntryStatus::Pending)
        }
        Report::PaymentLink { key } => {
            order.mirror.as_ref().is_some_and(|m| m.links.iter().any(|l| &l.key == key && l.state == LinkState::Wanted))
        }
        Report::LinkRevoked { .. } => true,
        Report::HandOver => order.state != OrderState::Cancelled,
        Report::BookingAccepted { booking } => order
            .booking_by_id(booking)
            .is_some_and(|b| matches!(b.state, BookingState::Confirmed | BookingState::Used | BookingState::NoShow)),
        Report::RefundApproved { case, .. } => case_is(order, case, RefundState::Approved),
        Report::RefundRejected { case, .. } => case_is(order, case, RefundState::Rejected),
        // A channel that has told it by itself meanwhile knows it.
        Report::Redeemed { .. } | Report::NoShow { .. } => {
            order.mirror.as_ref().is_none_or(|mirror| mirror.picture.stage.is_ahead())
        }
        Report::BookingDeclined { .. } | Report::OrderCancelled { .. } => true,
    }
}

/// Whether we still want this, and the booking still waits for it.
fn proposed(order: &Order, wanted: &Proposal) -> bool {
    let waits = order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested);
    waits && order.mirror.as_ref().is_some_and(|m| m.proposal.as_ref() == Some(wanted))
}

fn case_is(order: &Order, id: &crate::id::RefundCaseId, state: RefundState) -> bool {
    order.refund_case.iter().chain(&order.past_refund_cases).any(|c| &c.id == id && c.state == state)
}
