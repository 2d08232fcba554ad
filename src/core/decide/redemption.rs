//! The visit: used, or not.

use crate::decide::{Decision, disarm};
use crate::message::{Actor, DeadlineKind, Effect, Event, ParkReason, Redeem, RedeemedBy, Report};
use crate::order::{AttentionKind, Booking, BookingState, Order, RefundState, TicketingState};
use crate::rejection::{Rejection, Why};
use crate::time::{Millis, Moment, UnixMillis};

/// The guest was there. One report completes the whole order (DY-13); it is never undone.
///
/// From a gate it is a fact: what the state does not allow yet is parked, shown to a person, and applied by itself once it does.
/// From a person it is an act: what the state does not allow is refused.
pub(super) fn redeem(order: &Order, redeem: &Redeem, actor: &Actor, moment: Moment) -> Result<Decision, Rejection> {
    let booking = match &redeem.booking {
        Some(id) => order.booking_by_id(id),
        None => order.booking.as_ref(),
    };
    let Some(booking) = booking else {
        return Err(Rejection::new(Why::NotBooked, "this order has no booking that could be used"));
    };
    match booking.state {
        BookingState::Used => return repeated(redeem),
        BookingState::NoShow => return came_after_all(order, redeem),
        BookingState::Rejected | BookingState::Cancelled => return used_after_the_end(order, redeem),
        BookingState::Requested | BookingState::Confirmed => {}
    }
    if redeem.at > moment.now + CLOCKS_DIFFER_BY && redeem.by == RedeemedBy::Person {
        return Err(Rejection::new(Why::Invalid, "the time of use lies in the future").at("at"));
    }
    match obstacle(order, booking, redeem, moment.now) {
        // A gate whose clock runs ahead does not make the visit lie in the future.
        None => Ok(used(order, booking, redeem.at.min(moment.now))),
        Some(reason) => match redeem.by {
            RedeemedBy::Person => Err(refusal(reason)),
            RedeemedBy::Gate => Ok(park(order, booking, reason, redeem.at, &actor.name, moment)),
        },
    }
}

/// Clocks of gates and ours may differ by this much before a time counts as the future.
const CLOCKS_DIFFER_BY: Millis = Millis::minutes(5);

/// What stands against the redemption of a live booking, the first reason first.
fn obstacle(order: &Order, booking: &Booking, redeem: &Redeem, now: UnixMillis) -> Option<ParkReason> {
    if order.case_before_use().is_some() {
        return Some(ParkReason::RefundUnderReview);
    }
    if booking.state == BookingState::Requested || !has_tickets(booking) {
        return Some(ParkReason::NotTicketed);
    }
    let zone = order.rules.channel.time_zone;
    let day = match redeem.by {
        // The gate's word is applied when the day has come, with the time it named.
        RedeemedBy::Gate => zone.date_of(now),
        RedeemedBy::Person => zone.date_of(redeem.at),
    };
    booking.visit_date.filter(|date| day < *date).map(|_| ParkReason::TooEarly)
}

/// A back-end that refuses to make tickets void has them.
fn has_tickets(booking: &Booking) -> bool {
    matches!(
        booking.ticketing.state,
        TicketingState::Issued | TicketingState::NotNeeded | TicketingState::CancelRefused
    )
}

fn refusal(reason: ParkReason) -> Rejection {
    match reason {
        ParkReason::RefundUnderReview => {
            Rejection::new(Why::RefundUnderReview, "a refund is under review; reject it first")
        }
        ParkReason::TooEarly => Rejection::new(Why::TooEarly, "the visit date has not come yet").at("at"),
        ParkReason::NotTicketed => {
            Rejection::new(Why::NotTicketed, "there are no tickets yet; issue them first, by hand if need be")
        }
    }
}

fn used(order: &Order, booking: &Booking, at: UnixMillis) -> Decision {
    let mut decision = Decision::nothing().event(Event::Redeemed { booking: booking.id.clone(), at });
    if order.rules.channel.redemption_reported {
        decision = decision.effect(Effect::TellChannel {
            report: Report::Redeemed { booking: booking.id.clone(), at: told_time(order, at) },
            not_before: None,
        });
    }
    disarm(decision, &[DeadlineKind::Ticketing, DeadlineKind::VisitDay])
}

/// After a rejected refund the channel wants a time of use before the application (`protocols/douyin.md` 14.1, 14.3).
fn told_time(order: &Order, at: UnixMillis) -> UnixMillis {
    match &order.refund_case {
        Some(case) if case.state == RefundState::Rejected && case.requested_at <= at => {
            case.requested_at - Millis::seconds(1)
        }
        _ => at,
    }
}

/// Keeps a visit that cannot be recorded yet, tells a person, and comes back to it on its day.
pub(super) fn park(
    order: &Order,
    booking: &Booking,
    reason: ParkReason,
    at: UnixMillis,
    told_by: &str,
    moment: Moment,
) -> Decision {
    if order.parked_for(booking) {
        return Decision::nothing();
    }
    let zone = order.rules.channel.time_zone;
    let day = booking.visit_date.filter(|date| zone.date_of(moment.now) < *date);
    let (kind, sentence) = match reason {
        ParkReason::RefundUnderReview => (
            AttentionKind::RefundUnderReview,
            "the guest has entered while a refund is under review; reject the refund and the visit is recorded by itself",
        ),
        ParkReason::TooEarly => {
            (AttentionKind::TooEarly, "the gate reports a visit before its date; it is recorded by itself on the day")
        }
        ParkReason::NotTicketed => (
            AttentionKind::NotTicketed,
            "the gate reports a visit for which no ticket is known; it is recorded by itself once there is one",
        ),
    };
    let decision = Decision::nothing()
        .event(Event::RedemptionParked {
            booking: booking.id.clone(),
            at,
            waits_for: reason,
            told_by: told_by.to_owned(),
        })
        .attention(order, kind, sentence);
    // Whatever else it waits for, it waits for the day too.
    decision.maybe(day.map(|date| Effect::ArmDeadline {
        kind: DeadlineKind::VisitDay,
        due_at: zone.start_of(date),
        warn_at: Vec::new(),
    }))
}

fn repeated(redeem: &Redeem) -> Result<Decision, Rejection> {
    match redeem.by {
        RedeemedBy::Gate => Ok(Decision::nothing()),
        RedeemedBy::Person => Err(Rejection::new(Why::AlreadyRedeemed, "this order has been used already")),
    }
}

fn came_after_all(order: &Order, redeem: &Redeem) -> Result<Decision, Rejection> {
    match redeem.by {
        RedeemedBy::Gate => Ok(Decision::nothing().attention(
            order,
            AttentionKind::Contradiction,
            "a guest entered who had been marked as not come; settle it with the channel",
        )),
        RedeemedBy::Person => {
            Err(Rejection::new(Why::AlreadyRedeemed, "this order is over: the guest was marked as not come"))
        }
    }
}

fn used_after_the_end(order: &Order, redeem: &Redeem) -> Result<Decision, Rejection> {
    match redeem.by {
        RedeemedBy::Gate => Ok(Decision::nothing().attention(
            order,
            AttentionKind::RedeemedWhileRefunded,
            "a guest entered on a booking that had been called off; settle it with the channel",
        )),
        RedeemedBy::Person => Err(Rejection::new(Why::AlreadyCancelled, "this booking has been called off")),
    }
}

/// The guest was not there.
pub(super) fn no_show(order: &Order, at: UnixMillis) -> Result<Decision, Rejection> {
    let Some(booking) = order.booking.as_ref() else {
        return Err(Rejection::new(Why::NotBooked, "this order has no booking"));
    };
    match booking.state {
        BookingState::NoShow => return Ok(Decision::nothing()),
        BookingState::Used => return Err(Rejection::new(Why::AlreadyRedeemed, "this order has been used already")),
        BookingState::Rejected | BookingState::Cancelled => {
            return Err(Rejection::new(Why::AlreadyCancelled, "this booking has been called off"));
        }
        BookingState::Requested => return Err(Rejection::new(Why::NotBooked, "this booking is not confirmed")),
        BookingState::Confirmed => {}
    }
    if order.case_before_use().is_some() {
        return Err(Rejection::new(Why::RefundUnderReview, "a refund is under review; decide it first"));
    }
    if booking.ticketing.state == TicketingState::Cancelling {
        return Err(Rejection::new(Why::RefundUnderReview, "the tickets are being made void; wait for the back-end"));
    }
    if order.parked_for(booking) {
        return Err(Rejection::new(Why::AlreadyRedeemed, "the gate says that the guest has entered"));
    }
    if !has_tickets(booking) {
        return Err(Rejection::new(Why::NotTicketed, "the guest never had a ticket; issue one, or refund"));
    }
    if booking.visit_date.is_some_and(|date| order.rules.channel.time_zone.date_of(at) < date) {
        return Err(Rejection::new(Why::TooEarly, "the visit date has not come yet").at("at"));
    }
    let decision = Decision::nothing()
        .event(Event::NoShowMarked { at })
        .effect(Effect::TellChannel { report: Report::NoShow { booking: booking.id.clone(), at }, not_before: None });
    Ok(disarm(decision, &[DeadlineKind::Ticketing, DeadlineKind::VisitDay]))
}
