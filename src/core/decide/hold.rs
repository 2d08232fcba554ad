// SPDX-License-Identifier: Apache-2.0

//! A reseller that reserves before it sells: the place is kept until it confirms, lets go, or the time is over.
//!
//! The order is placed with the reservation, so that stock and credit are taken; it is paid for when the booking is accepted. Cancelling a
//! sold one is a refund case like any other, decided by the product's own rule at once: tickets are made void first.

use crate::decide::draft::Draft;
use crate::decide::{booking, endings, refund};
use crate::id::ExternalId;
use crate::message::{ApplyRefund, ChangeHold, ConfirmHold, DeadlineKind, Event, ReservationAct};
use crate::order::{
    AttentionKind, Booking, BookingState, CancelReason, HeldUnit, Hold, Order, OrderState, RefundKind, RefundSource,
    TicketingState,
};
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::rules::booking::{Guests, check_visitors};
use crate::time::UnixMillis;

/// Number of the case that a reseller's cancellation opens.
const CALLED_OFF: &str = "cancel";

/// What a reseller does with a reservation.
pub(super) fn act(draft: &mut Draft, target: &ExternalId, act: &ReservationAct) -> Result<(), Rejection> {
    let order = draft.order();
    let Some(booking) = order.booking.as_ref().filter(|booking| booking.channel_booking_id == *target) else {
        return Err(Rejection::new(Why::NotFound, "there is no such reservation"));
    };
    let Some(hold) = booking.hold.as_deref() else {
        return Err(Rejection::new(Why::NotSupported, "this booking was not reserved first"));
    };
    match act {
        ReservationAct::Confirm(sold) if hold.open => confirm(draft, booking, hold, sold),
        ReservationAct::Confirm(sold) => confirm_again(booking, sold),
        ReservationAct::Extend { lasts } => {
            still_kept(booking, hold, draft.now())?;
            let until = draft.now() + *lasts;
            if until > hold.until {
                draft.event(Event::HoldExtended { until });
                draft.effect(booking::hold_deadline(until));
            }
            Ok(())
        }
        ReservationAct::Change(wish) => change(draft, booking, hold, wish),
        ReservationAct::CallOff { reason } => call_off(draft, booking, reason.as_deref()),
    }
}

/// The end of a hold is exact, whenever its deadline is carried out.
fn still_kept(booking: &Booking, hold: &Hold, now: UnixMillis) -> Result<(), Rejection> {
    match booking.state {
        BookingState::Requested if hold.open && now < hold.until => Ok(()),
        BookingState::Requested if hold.open => Err(over()),
        BookingState::Cancelled | BookingState::Rejected => Err(over()),
        BookingState::Requested | BookingState::Confirmed | BookingState::Used | BookingState::NoShow => {
            Err(Rejection::new(Why::NotWaiting, "this reservation is confirmed already"))
        }
    }
}

fn over() -> Rejection {
    Rejection::new(Why::NotBooked, "the place is no longer kept: reserve anew, under another number")
}

/// The reseller has sold it: who comes is judged now, and whoever accepts bookings of the product does so.
fn confirm(draft: &mut Draft, booking: &Booking, hold: &Hold, sold: &ConfirmHold) -> Result<(), Rejection> {
    let order = draft.order();
    still_kept(booking, hold, draft.now())?;
    if let Some(quantity) = sold.quantity.filter(|quantity| *quantity != order.quantity) {
        let sentence = format!("the reservation is of {} units, not {quantity}: reserve anew", order.quantity);
        return Err(Rejection::new(Why::QuantityLimit, sentence).at("unitItems"));
    }
    booking::check_phone_is_there(&order, Some(&sold.contact))?;
    let guests = Guests {
        visitors: &sold.visitors,
        contact: Some(&sold.contact),
        visit_date: booking.visit_date,
        counts: &sold.counts,
    };
    check_visitors(&order.rules, order.quantity, &guests, draft.now())?;
    draft.event(Event::GuestsSupplied {
        buyer: sold.contact.clone(),
        visitors: sold.visitors.clone(),
        contact: Some(sold.contact.clone()),
    });
    draft.event(Event::HoldConfirmed { reference: sold.reference.clone() });
    draft.disarm(&[DeadlineKind::Acceptance]);
    booking::wait_for_manager(draft);
    Ok(())
}

/// A repeat changes nothing; other guests would be another booking.
fn confirm_again(booking: &Booking, sold: &ConfirmHold) -> Result<(), Rejection> {
    match booking.state {
        BookingState::Cancelled | BookingState::Rejected => return Err(over()),
        BookingState::Requested | BookingState::Confirmed | BookingState::Used | BookingState::NoShow => {}
    }
    let is_same = booking.contact.as_ref() == Some(&sold.contact) && booking.visitors == sold.visitors;
    if is_same {
        return Ok(());
    }
    Err(Rejection::new(Why::ContentDiffers, "this booking was confirmed for other guests; what came first stands"))
}

/// The reseller corrects what it said, as long as it could cancel. Another product, day or number of units is another booking: its place and its
/// price would be others.
fn change(draft: &mut Draft, booking: &Booking, hold: &Hold, wish: &ChangeHold) -> Result<(), Rejection> {
    let order = draft.order();
    if !booking.is_active() {
        return Err(over());
    }
    if hold.open {
        still_kept(booking, hold, draft.now())?;
    }
    fee_of_calling_off(&order, booking, draft.now())?;
    is_the_same_place(&order, booking, wish)?;
    let units = renamed(hold, wish)?;
    let reference = wish.reference.clone().or_else(|| hold.reference.clone());
    if reference != hold.reference || units != hold.units {
        draft.event(Event::HoldRenamed { reference, units });
    }
    change_guests(draft, booking, wish)?;
    if let Some(lasts) = wish.lasts.filter(|_| hold.open) {
        let until = draft.now() + lasts;
        if until > hold.until {
            draft.event(Event::HoldExtended { until });
            draft.effect(booking::hold_deadline(until));
        }
    }
    Ok(())
}

fn is_the_same_place(order: &Order, booking: &Booking, wish: &ChangeHold) -> Result<(), Rejection> {
    let anew = |what: &str, field: &'static str| {
        let sentence = format!("another {what} is another booking: reserve it, and cancel this one");
        Err(Rejection::new(Why::NotSupported, sentence).at(field))
    };
    if wish.product.as_ref().is_some_and(|product| *product != order.rules.booking.code) {
        return anew("product", "productId");
    }
    if wish.visit_date.is_some_and(|date| booking.visit_date != Some(date)) {
        return anew("day", "availabilityId");
    }
    match wish.units.as_ref().map(|units| u32::try_from(units.len()).unwrap_or(u32::MAX)) {
        Some(units) if units != order.quantity => anew("number of units", "unitItems"),
        Some(_) | None => Ok(()),
    }
}

/// The units as they are called now; each is named by its number, or by its place.
fn renamed(hold: &Hold, wish: &ChangeHold) -> Result<Vec<HeldUnit>, Rejection> {
    let mut units = hold.units.clone();
    for (place, change) in wish.units.iter().flatten().enumerate() {
        let at = match &change.id {
            Some(id) => units.iter().position(|unit| unit.id == *id),
            None => Some(place).filter(|place| *place < units.len()),
        };
        let Some(unit) = at.and_then(|at| units.get_mut(at)) else {
            let sentence = "a unit is named that this booking does not have";
            return Err(Rejection::new(Why::VisitorsMismatch, sentence).at("unitItems"));
        };
        if change.reference.is_some() {
            unit.reference.clone_from(&change.reference);
        }
    }
    Ok(units)
}

/// Who comes, said anew: judged as when it was sold. Tickets that were asked for before may bear the old names.
fn change_guests(draft: &mut Draft, booking: &Booking, wish: &ChangeHold) -> Result<(), Rejection> {
    let order = draft.order();
    let named: Vec<_> = wish.units.iter().flatten().filter_map(|unit| unit.visitor.clone()).collect();
    let visitors = if named.is_empty() { booking.visitors.clone() } else { named };
    let contact = wish.contact.clone().or_else(|| booking.contact.clone());
    if contact == booking.contact && visitors == booking.visitors {
        return Ok(());
    }
    let (is_sold, today) =
        (booking.state == BookingState::Confirmed, order.rules.channel.time_zone.date_of(draft.now()));
    if is_sold {
        rules::guests::check_guests(&order.rules.booking, order.quantity, &visitors, contact.as_ref(), today)?;
    }
    let buyer = contact.clone().unwrap_or_default();
    draft.event(Event::GuestsSupplied { buyer, visitors, contact });
    if is_sold && booking.ticketing.may_be_live() {
        let sentence = "the reseller names other guests than the tickets were asked for; tell the back-end";
        draft.flag(AttentionKind::Contradiction, sentence);
    }
    Ok(())
}

/// Nobody confirmed in time.
pub(super) fn run_out(draft: &mut Draft) {
    endings::end_all(draft, CancelReason::Expired, None);
}

/// Whether the reseller may call the booking off by itself at `now`, and what is kept then, minor units.
///
/// # Errors
/// Why it may not.
pub fn fee_of_calling_off(order: &Order, booking: &Booking, now: UnixMillis) -> Result<i64, Rejection> {
    match booking.state {
        // Nothing was sold, or it is over already.
        BookingState::Requested | BookingState::Cancelled | BookingState::Rejected => return Ok(0),
        BookingState::Used | BookingState::NoShow => {
            return Err(Rejection::new(Why::AlreadyRedeemed, "this booking has been used"));
        }
        BookingState::Confirmed => {}
    }
    if order.case_under_review().is_some() {
        let sentence = "the cancellation is being dealt with; read the booking to learn its outcome";
        return Err(Rejection::new(Why::RefundUnderReview, sentence));
    }
    if order.parked_for(booking) {
        return Err(Rejection::new(Why::AlreadyRedeemed, "the guest has entered already"));
    }
    match booking.ticketing.state {
        TicketingState::Issued | TicketingState::NotNeeded => {}
        // There is no ticket, and will be none by itself.
        TicketingState::Failed => return Ok(0),
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Cancelling
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => {
            let sentence = "the ticketing system has not said yet how the tickets stand; come again";
            return Err(Rejection::new(Why::NotTicketed, sentence));
        }
    }
    let (product, zone) = (&order.rules.booking, order.rules.channel.time_zone);
    if !rules::cancellable_at(product, booking.visit_date, now, zone) {
        return Err(Rejection::new(Why::NotSupported, "the product cannot be cancelled at this time"));
    }
    rules::refund_fee(product, order.money.due, booking.visit_date, now, zone).ok_or_else(|| {
        Rejection::new(Why::NotSupported, "the product has no refund rule for this time: ask the supplier's staff")
    })
}

fn call_off(draft: &mut Draft, booking: &Booking, reason: Option<&str>) -> Result<(), Rejection> {
    let order = draft.order();
    // What was asked for before is being dealt with: the booking shows what comes of it.
    if order.state == OrderState::Cancelled || order.case_under_review().is_some() {
        return Ok(());
    }
    let fee = fee_of_calling_off(&order, booking, draft.now())?;
    if booking.state == BookingState::Requested || booking.ticketing.state == TicketingState::Failed {
        endings::end_all(draft, CancelReason::ByChannel, reason);
        return Ok(());
    }
    // A person may have rejected an earlier one.
    let earlier = order.past_refund_cases.len() + usize::from(order.refund_case.is_some());
    let application = ApplyRefund {
        target: booking.channel_booking_id.clone(),
        channel_ref: format!("{CALLED_OFF}-{earlier}"),
        kind: RefundKind::Refund,
        source: RefundSource::Guest,
        source_code: None,
        fee,
        requested_at: draft.now(),
    };
    refund::apply(draft, &application)
}
