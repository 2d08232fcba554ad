//! What we want of such an order, which the channel is asked for.

use super::quote::price_of;
use super::reach::wait_for_decision;
use crate::decide::draft::Draft;
use crate::decide::{Decision, booking, disarm};
use crate::message::{DeadlineKind, Effect, Event, Report};
use crate::order::channel_state::{Mirror, Part, Proposal};
use crate::order::money::PaymentMode;
use crate::order::{BookingState, Order, OrderState, TicketingState};
use crate::rejection::{Rejection, Why};
use crate::time::Moment;

/// What we had asked for has come about, or cannot any more.
pub(super) fn end_proposal(draft: &mut Draft) {
    let (Some(mirror), Some(booking)) = (draft.order.mirror.as_deref(), &draft.order.booking) else { return };
    let agreed = match (&mirror.proposal, booking.state) {
        (None, _) | (Some(Proposal::Accept | Proposal::Decline { .. }), BookingState::Requested) => return,
        (Some(Proposal::Cancel { parts, .. }), BookingState::Requested | BookingState::Confirmed) => {
            if parts.is_empty() || !mirror.parts_are_off(parts) {
                return;
            }
            true
        }
        (Some(Proposal::Accept), state) => {
            matches!(state, BookingState::Confirmed | BookingState::Used | BookingState::NoShow)
        }
        (Some(Proposal::Decline { .. }), state) => state == BookingState::Rejected,
        (Some(Proposal::Cancel { .. }), state) => state == BookingState::Cancelled,
    };
    let still_waits = booking.state == BookingState::Requested;
    draft.add(Decision::nothing().event(Event::ProposalEnded { agreed }));
    if still_waits {
        // Only a part of it was called off; the rest is still to be decided.
        wait_for_decision(draft);
    }
}

/// A manager, or policy, accepts: the tickets are held at the back-end first, then the channel is asked. State moves when it agrees.
pub(in crate::decide) fn accept(order: &Order, mirror: &Mirror) -> Result<Decision, Rejection> {
    let booking = booking::waiting(order)?;
    if order.case_under_review().is_some() {
        let sentence = "a cancellation of this booking is asked for; decide that first";
        return Err(Rejection::new(Why::RefundUnderReview, sentence));
    }
    match &mirror.proposal {
        Some(Proposal::Accept) => return Ok(Decision::nothing()),
        Some(_) => {
            return Err(Rejection::new(Why::AlreadyDecided, "the channel has been asked for something else already"));
        }
        None => {}
    }
    if !mirror.picture.needs_decision {
        return Err(Rejection::new(Why::NotWaiting, "the channel accepts bookings of this product by itself"));
    }
    let held = order.money.left();
    if order.money.mode == PaymentMode::Ledger && held < mirror.picture.accept_needs {
        let sentence = format!(
            "{held} is paid, and {} is needed before this booking can be accepted",
            mirror.picture.accept_needs
        );
        return Err(Rejection::new(Why::NotPaid, sentence));
    }
    let decision = Decision::nothing()
        .event(Event::Proposed { proposal: Proposal::Accept })
        .effect(Effect::DisarmDeadline { kind: DeadlineKind::Acceptance });
    Ok(match booking.ticketing.state {
        TicketingState::Queued if !booking.ticketing.asked => decision.then(booking::start_ticketing(order, booking)),
        _ => decision.effect(tell_accepted(order)),
    })
}

/// Asks the channel to accept.
pub(in crate::decide) fn tell_accepted(order: &Order) -> Effect {
    let booking = order.booking.as_ref().map_or_else(|| crate::id::BookingId::new(""), |b| b.id.clone());
    Effect::TellChannel { report: Report::BookingAccepted { booking }, not_before: None }
}

/// The tickets are held for a booking that is to be accepted: now the channel can be asked.
pub(in crate::decide) fn after_issue(order: &Order) -> Option<Effect> {
    let waits = order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested);
    let accepts = order.mirror.as_deref().is_some_and(|m| m.proposal == Some(Proposal::Accept));
    (waits && accepts).then(|| tell_accepted(order))
}

/// A manager, or policy, declines.
pub(in crate::decide) fn decline(order: &Order, mirror: &Mirror, reason: &str) -> Result<Decision, Rejection> {
    let booking = booking::waiting(order)?;
    if order.case_under_review().is_some() {
        let sentence = "a cancellation of this booking is asked for; decide that first";
        return Err(Rejection::new(Why::RefundUnderReview, sentence));
    }
    let tickets_failed = booking.ticketing.state == TicketingState::Failed;
    match &mirror.proposal {
        Some(Proposal::Decline { .. }) => return Ok(Decision::nothing()),
        Some(Proposal::Accept) if tickets_failed => {}
        Some(_) => {
            return Err(Rejection::new(Why::AlreadyDecided, "the channel has been asked for something else already"));
        }
        None => {}
    }
    if !mirror.picture.needs_decision {
        return Err(Rejection::new(Why::NotWaiting, "the channel accepts bookings of this product by itself"));
    }
    let decision = Decision::nothing()
        .event(Event::Proposed { proposal: Proposal::Decline { reason: reason.to_owned() } })
        .effect(Effect::TellChannel {
            report: Report::BookingDeclined { booking: booking.id.clone(), reason: reason.to_owned() },
            not_before: None,
        });
    Ok(disarm(decision, &[DeadlineKind::Acceptance]))
}

/// What of an order is to be called off, and on what terms.
pub(in crate::decide) struct Wish<'a> {
    /// What is to be kept; `None` is the channel's own fee.
    pub(in crate::decide) fee: Option<i64>,
    pub(in crate::decide) reason: &'a str,
    /// Units by line; none are all.
    pub(in crate::decide) parts: &'a [(String, u32)],
}

/// The order, or a part of it, is to be called off: the channel's own fee is asked for first.
pub(in crate::decide) fn ask_cancellation(
    order: &Order,
    wish: &Wish<'_>,
    moment: Moment,
) -> Result<Decision, Rejection> {
    let Some(mirror) = order.mirror.as_deref() else {
        return Err(Rejection::new(
            Why::NotSupported,
            "this channel's orders are called off whole, without a fee of ours",
        ));
    };
    match order.state {
        OrderState::Cancelled => return Err(Rejection::new(Why::AlreadyCancelled, "this order is cancelled already")),
        OrderState::Completed => {
            return Err(Rejection::new(Why::AlreadyRedeemed, "this order has been used; return the money alone"));
        }
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => {}
    }
    if order.case_under_review().is_some() {
        return Err(Rejection::new(Why::RefundUnderReview, "the guest asks for it already; decide that request"));
    }
    let parts = wanted_parts(mirror, wish.parts)?;
    match &mirror.proposal {
        Some(Proposal::Cancel { parts: before, .. }) if *before == parts => return Ok(Decision::nothing()),
        Some(Proposal::Cancel { .. }) => {
            return Err(Rejection::new(
                Why::AlreadyDecided,
                "the channel has been asked to call something off; wait for it",
            ));
        }
        // A request is declined, not called off; one that is being accepted may be.
        Some(Proposal::Decline { .. }) => {
            return Err(Rejection::new(Why::AlreadyDecided, "the channel has been asked to decline it already"));
        }
        Some(Proposal::Accept) | None => {}
    }
    if let (Some(fee), Some(policy)) = (wish.fee, &mirror.picture.policy) {
        let held = order.money.left();
        let most = policy.fee(price_of(order, mirror, &parts), held, false, moment.now);
        if fee < 0 || fee > most {
            let sentence = format!("the fee can be 0 to {most}: it may be lowered, never raised");
            return Err(Rejection::new(Why::FeeAboveDefault, sentence).at("fee"));
        }
    }
    let proposal = Proposal::Cancel { fee: wish.fee, reason: wish.reason.to_owned(), parts };
    Ok(Decision::nothing()
        .event(Event::Proposed { proposal })
        .effect(Effect::TellChannel { report: Report::CancelQuote, not_before: None }))
}

/// The units that are to be called off, line by line; none where that is all that is left of the order.
fn wanted_parts(mirror: &Mirror, wish: &[(String, u32)]) -> Result<Vec<Part>, Rejection> {
    let mut parts: Vec<Part> = Vec::new();
    // What was used is never called off with the rest.
    let unused = if wish.is_empty() { mirror.unused_beside_used() } else { Vec::new() };
    for (detail, units) in wish.iter().chain(&unused) {
        let invalid = |sentence: String| Err(Rejection::new(Why::Invalid, sentence).at("lines"));
        let Some(line) = mirror.picture.lines.iter().find(|line| &line.detail == detail) else {
            return invalid(format!("this order has no line `{detail}`"));
        };
        let left = line.quantity.saturating_sub(line.cancelled + line.used);
        if *units == 0 || *units > left || parts.iter().any(|part| &part.detail == detail) {
            return invalid(format!("of line `{detail}`, 1 to {left} units can be called off, named once"));
        }
        parts.push(Part { detail: detail.clone(), units: *units, before: line.cancelled });
    }
    let wanted: u32 = parts.iter().map(|part| part.units).sum();
    let left: u32 = mirror.picture.lines.iter().map(|line| line.quantity.saturating_sub(line.cancelled)).sum();
    if parts.is_empty() && !mirror.used_parts().is_empty() {
        return Err(Rejection::new(Why::AlreadyRedeemed, "every unit of this order has been used, or called off"));
    }
    if wanted == left {
        return Ok(Vec::new());
    }
    if !parts.is_empty() && mirror.picture.policy.as_ref().is_some_and(|policy| !policy.partial_allowed) {
        let sentence = "this product is called off whole or not at all";
        return Err(Rejection::new(Why::PartialNotAllowed, sentence).at("lines"));
    }
    Ok(parts)
}
