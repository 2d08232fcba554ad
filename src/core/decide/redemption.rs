// SPDX-License-Identifier: Apache-2.0

//! The visit: used, or not.

use crate::decide::draft::Draft;
use crate::decide::{snapshot_channel, ticketing};
use crate::id::BookingId;
use crate::message::{DeadlineKind, Effect, Event, Notification, ParkReason, Redeem, RedeemedBy};
use crate::order::{AttentionKind, Booking, BookingState, Came, Entered, Order, RefundState, TicketingState, Who};
use crate::rejection::{Rejection, Why};
use crate::time::{Millis, UnixMillis};

/// The guest was there. One report completes the whole order (DY-13), unless the channel counts units and the gate tells of some of the
/// guests only (KA-06); it is never undone.
///
/// From a gate it is a fact: what the state does not allow yet is parked, shown to a person, and applied by itself once it does.
/// From a person it is an act: what the state does not allow is refused.
pub(super) fn redeem(draft: &mut Draft, redeem: &Redeem) -> Result<(), Rejection> {
    let order = draft.order();
    let booking = match &redeem.booking {
        Some(id) => order.booking_by_id(id),
        None => order.booking.as_ref(),
    };
    let Some(booking) = booking else {
        return Err(Rejection::new(Why::NotBooked, "this order has no booking that could be used"));
    };
    match booking.state {
        BookingState::Used => {
            let more = more_than_paid(draft, redeem, &order.came(booking, redeem.count.as_ref()));
            return if more { Ok(()) } else { repeated(draft, redeem, &booking.id) };
        }
        BookingState::NoShow => return came_after_all(draft, redeem),
        BookingState::Rejected | BookingState::Cancelled => return used_after_the_end(draft, redeem),
        BookingState::Requested | BookingState::Confirmed => {}
    }
    let told = believable(redeem, booking, draft.now());
    let redeem = &told;
    if redeem.at > draft.now() + CLOCKS_DIFFER_BY && redeem.by == RedeemedBy::Person {
        return Err(Rejection::new(Why::Invalid, "the time of use lies in the future").at("at"));
    }
    let came = order.came(booking, redeem.count.as_ref());
    more_than_paid(draft, redeem, &came);
    if came.on_replaced {
        let sentence = "a guest entered on a ticket in whose place another had been made; see at the gate that the other one does not admit, too";
        draft.flag(AttentionKind::LiveTicketBehindRefund, sentence);
    }
    let part = match came.who {
        Who::Everybody => None,
        Who::Some(entered) => Some(entered),
        // It is kept: what the gate counts from now on has this guest among them.
        Who::Nobody(entered) => {
            if order.entered_for(booking) != Some(&entered) {
                note_entered(draft, entered, redeem.at, true);
            }
            return Ok(());
        }
    };
    // A gate whose clock runs ahead does not make the visit lie in the future.
    let at = redeem.at.min(draft.now());
    match (obstacle(&order, booking, redeem, draft.now()), &redeem.by, part) {
        (None, _, None) => used(draft, booking, at),
        (None, _, Some(entered)) => used_in_part(draft, booking, order.with_lines(booking, entered), at),
        (Some(reason), RedeemedBy::Person, _) => return Err(refusal(reason)),
        // Told before, and counted.
        (Some(_), RedeemedBy::Gate, Some(entered)) if is_counted(&order, booking, &entered) => {}
        (Some(reason), RedeemedBy::Gate, part) => {
            let (told_by, in_part) = (draft.actor.name.clone(), part.is_some());
            if let Some(entered) = part.filter(|entered| order.entered_for(booking) != Some(entered)) {
                note_entered(draft, entered, redeem.at, true);
            }
            park(draft, booking, reason, redeem.at, &told_by, in_part);
        }
    }
    Ok(())
}

/// Somebody went in whose unit was cancelled: a person settles it, whatever becomes of the visit of the others. Whether that is so.
fn more_than_paid(draft: &mut Draft, redeem: &Redeem, came: &Came) -> bool {
    let is_told = came.beyond && redeem.by == RedeemedBy::Gate;
    if is_told {
        let sentence = "a guest entered on a unit that had been cancelled; settle it with the channel";
        draft.flag(AttentionKind::RedeemedWhileRefunded, sentence);
    }
    is_told
}

/// Units that were cancelled after their guests had gone in, while others of the order live.
pub(super) fn cancelled_once_in(draft: &mut Draft, before: &Order) {
    let now = draft.order();
    let is_fewer = now.live_units() > 0 && now.live_units() < before.live_units();
    // Where the channel hears of no guest, the first one is the visit of all.
    let were_all_in = before.rules.channel.redemption_reported
        && before.booking.as_ref().is_some_and(|booking| booking.state == BookingState::Used)
        && before.channel_state.as_deref().is_some_and(|state| state.standing.stage.is_ahead());
    if is_fewer && (were_all_in || now.more_are_in_than_live()) {
        let sentence = "a unit was cancelled whose guest had gone in already; settle it with the channel";
        draft.flag(AttentionKind::RedeemedWhileRefunded, sentence);
    }
}

/// Whether these guests count as having used it already.
fn is_counted(order: &Order, booking: &Booking, entered: &Entered) -> bool {
    let known = order.entered_for(booking);
    !order.parked_for(booking) && known.is_some_and(|known| known == entered && !known.lines.is_empty())
}

/// Some of the guests have used it; the others may still come, or cancel.
fn used_in_part(draft: &mut Draft, booking: &Booking, entered: Entered, at: UnixMillis) {
    let before = draft.order();
    let is_parked = before.parked_for(booking);
    let counts_more = before.entered_for(booking).is_none_or(|known| known.lines != entered.lines);
    if is_parked || before.entered_for(booking) != Some(&entered) {
        note_entered(draft, entered, at, false);
    }
    let order = draft.order();
    if (counts_more || is_parked) && !order.used_and_untold().is_empty() {
        draft.tell(Notification::Redeemed { booking: booking.id.clone(), at: told_time(&order, at) });
    }
    snapshot_channel::leave_used_out(draft, &before);
    snapshot_channel::ask_price_again(draft, &before);
}

/// Keeps who has gone in so far.
fn note_entered(draft: &mut Draft, entered: Entered, at: UnixMillis, waits: bool) {
    draft.event(Event::GuestsEntered { entered: Box::new(entered), at, waits });
}

/// A gate whose clock stands before the booking was made does not know the time: what it reports has just happened.
fn believable(redeem: &Redeem, booking: &Booking, now: UnixMillis) -> Redeem {
    let is_impossible = redeem.by == RedeemedBy::Gate && redeem.at + CLOCKS_DIFFER_BY < booking.requested_at;
    Redeem { at: if is_impossible { now } else { redeem.at }, ..redeem.clone() }
}

/// Clocks of gates and ours may differ by this much before a time counts as the future.
const CLOCKS_DIFFER_BY: Millis = Millis::minutes(5);

/// What stands against the redemption of a live booking, the first reason first.
fn obstacle(order: &Order, booking: &Booking, redeem: &Redeem, now: UnixMillis) -> Option<ParkReason> {
    if order.case_before_use().is_some() {
        return Some(ParkReason::RefundUnderReview);
    }
    if booking.state == BookingState::Requested || !order.could_admit(booking) {
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

fn used(draft: &mut Draft, booking: &Booking, at: UnixMillis) {
    let order = draft.order();
    draft.event(Event::Redeemed { booking: booking.id.clone(), at });
    if order.rules.channel.redemption_reported {
        draft.tell(Notification::Redeemed { booking: booking.id.clone(), at: told_time(&order, at) });
    }
    draft.disarm(&[DeadlineKind::Ticketing, DeadlineKind::VisitDay]);
    end_with_last_day(draft);
}

/// Tickets of units that were cancelled may admit somebody after all others have come, until the last day is over.
pub(super) fn end_with_last_day(draft: &mut Draft) {
    let order = draft.order();
    let last = order.booking.as_ref().and_then(|booking| booking.valid_until.or(booking.visit_date));
    if let Some(last) = last.filter(|_| order.may_admit_the_cancelled()) {
        let due_at = order.rules.channel.time_zone.start_of(last.plus_days(1));
        draft.effect(Effect::ArmDeadline { kind: DeadlineKind::VisitDay, due_at, warn_at: Vec::new() });
    }
}

/// After a rejected refund the channel wants a time of use before the application (`adapters/douyin/README.md`).
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
    draft: &mut Draft,
    booking: &Booking,
    reason: ParkReason,
    at: UnixMillis,
    told_by: &str,
    in_part: bool,
) {
    let order = draft.order();
    // That all of them are in is more than that some are.
    if order.parked_redemption.as_ref().is_some_and(|it| it.booking == booking.id && (in_part || !it.in_part)) {
        return;
    }
    let zone = order.rules.channel.time_zone;
    let day = booking.visit_date.filter(|date| zone.date_of(draft.now()) < *date);
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
    let (booking, told_by) = (booking.id.clone(), told_by.to_owned());
    draft.event(Event::RedemptionParked { booking, at, waits_for: reason, told_by, in_part });
    draft.flag(kind, sentence);
    // Whatever else it waits for, it waits for the day too.
    draft.maybe(day.map(|date| Effect::ArmDeadline {
        kind: DeadlineKind::VisitDay,
        due_at: zone.start_of(date),
        warn_at: Vec::new(),
    }));
}

fn repeated(draft: &mut Draft, redeem: &Redeem, used: &BookingId) -> Result<(), Rejection> {
    let is_it = |untold: &Notification| matches!(untold, Notification::Redeemed { booking, .. } if booking == used);
    match redeem.by {
        RedeemedBy::Gate => Ok(()),
        RedeemedBy::Person if tell_again(draft, is_it) => Ok(()),
        RedeemedBy::Person if draft.order().was_undelivered(is_it) => Err(Rejection::new(
            Why::AlreadyRedeemed,
            "this order has been used already, and the channel could not be told: retry that delivery",
        )),
        RedeemedBy::Person => Err(Rejection::new(Why::AlreadyRedeemed, "this order has been used already")),
    }
}

/// How a visit ended, as ops say it once more: what they had put aside of it is told after all. `false` where nothing was.
fn tell_again(draft: &mut Draft, is_it: impl Fn(&Notification) -> bool) -> bool {
    let Some(notification) = draft.order().put_aside().find(|untold| is_it(untold)).cloned() else { return false };
    draft.event(Event::NotificationRepeated { notification: notification.clone() });
    draft.tell(notification);
    true
}

fn came_after_all(draft: &mut Draft, redeem: &Redeem) -> Result<(), Rejection> {
    match redeem.by {
        RedeemedBy::Gate => {
            let sentence = "a guest entered who had been marked as not come; settle it with the channel";
            draft.flag(AttentionKind::Contradiction, sentence);
            Ok(())
        }
        RedeemedBy::Person => {
            Err(Rejection::new(Why::AlreadyRedeemed, "this order is over: the guest was marked as not come"))
        }
    }
}

fn used_after_the_end(draft: &mut Draft, redeem: &Redeem) -> Result<(), Rejection> {
    match redeem.by {
        RedeemedBy::Gate => {
            let sentence = "a guest entered on a booking that had been cancelled; settle it with the channel";
            draft.flag(AttentionKind::RedeemedWhileRefunded, sentence);
            Ok(())
        }
        RedeemedBy::Person => Err(Rejection::new(Why::AlreadyCancelled, "this booking has been cancelled")),
    }
}

/// The guest was not there.
pub(super) fn no_show(draft: &mut Draft, at: UnixMillis) -> Result<(), Rejection> {
    let order = draft.order();
    let Some(booking) = order.booking.as_ref() else {
        return Err(Rejection::new(Why::NotBooked, "this order has no booking"));
    };
    if booking.state == BookingState::NoShow {
        return marked_again(draft, &booking.id);
    }
    could_have_come(&order, booking, at)?;
    draft.event(Event::NoShowMarked { at });
    ticketing::ask_after_visit(draft);
    draft.tell(Notification::NoShow { booking: booking.id.clone(), at });
    draft.disarm(&[DeadlineKind::Ticketing, DeadlineKind::VisitDay]);
    Ok(())
}

/// Marked already: said once more, it is told after all where ops had put it aside, and is refused otherwise.
fn marked_again(draft: &mut Draft, missed: &BookingId) -> Result<(), Rejection> {
    let is_it = |untold: &Notification| matches!(untold, Notification::NoShow { booking, .. } if booking == missed);
    if tell_again(draft, is_it) {
        return Ok(());
    }
    Err(match draft.order().was_undelivered(is_it) {
        true => Rejection::new(
            Why::AlreadyDecided,
            "this guest has been marked as not come, and the channel could not be told: retry that delivery",
        ),
        false => Rejection::new(Why::AlreadyDecided, "this guest has been marked as not come already"),
    })
}

/// Only who could have come can have stayed away.
fn could_have_come(order: &Order, booking: &Booking, at: UnixMillis) -> Result<(), Rejection> {
    let refuse = |why, sentence: &'static str| Err(Rejection::new(why, sentence));
    match booking.state {
        BookingState::Used => return refuse(Why::AlreadyRedeemed, "this order has been used already"),
        BookingState::Rejected | BookingState::Cancelled => {
            return refuse(Why::AlreadyCancelled, "this booking has been cancelled");
        }
        BookingState::Requested => return refuse(Why::NotBooked, "this booking is not confirmed"),
        BookingState::Confirmed | BookingState::NoShow => {}
    }
    if order.case_before_use().is_some() {
        return refuse(Why::RefundUnderReview, "a refund is under review; decide it first");
    }
    if booking.ticketing.state == TicketingState::Cancelling {
        return refuse(Why::RefundUnderReview, "the tickets are being voided; wait for the back-end");
    }
    if order.parked_for(booking) || order.entered_for(booking).is_some() {
        return refuse(Why::AlreadyRedeemed, "the gate says that the guest has entered");
    }
    if !order.could_admit(booking) {
        return refuse(Why::NotTicketed, "the guest never had a ticket; issue one, or refund");
    }
    if booking.visit_date.is_some_and(|date| order.rules.channel.time_zone.date_of(at) < date) {
        return Err(Rejection::new(Why::TooEarly, "the visit date has not come yet").at("at"));
    }
    Ok(())
}
