// SPDX-License-Identifier: Apache-2.0

//! The booking of an order that the bridge leads: asked for, confirmed or rejected.

use crate::decide::draft::Draft;
use crate::decide::endings::{self, End};
use crate::decide::{sale, settlement, ticketing};
use crate::id::ExternalId;
use crate::message::{DeadlineKind, Effect, Event, HoldWish, Notification, RequestBooking};
use crate::order::money::PaymentMode;
use crate::order::{
    AttentionKind, Booking, BookingState, CancelReason, Handover, Hold, Order, OrderKind, OrderState, RefundKind,
    RefundState, Ticketing, TicketingState,
};
use crate::personal::Person;
use crate::product::{Acceptance, BookingProduct, Confirmation};
use crate::quoted::FreeText;
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::rules::capacity::date_stock_key;
use crate::time::{Date, Moment, UnixMillis};

/// A visit date is asked for. All units are booked together (DY-06); a voucher whose booking was cancelled can be booked again.
pub(super) fn request(draft: &mut Draft, request: &RequestBooking) -> Result<(), Rejection> {
    let order = draft.order();
    if order.booking_by_ref(&request.channel_booking_id).is_some() {
        return Ok(());
    }
    may_be_booked(&order)?;
    if request.hold.is_none() {
        check_phone_is_there(&order, request.contact.as_ref())?;
    }
    if order.is_stub {
        rules::sale::check_price_as_booked(&order.rules, order.quantity, &order.money)?;
    }
    rules::check_booking(&order.rules, order.quantity, request, draft.now())?;
    if order.kind == OrderKind::Direct {
        rules::check_direct_price(&order.rules, order.quantity, order.money.gross, request.visit_date)?;
    }

    let product = &order.rules.booking;
    if order.state == OrderState::Placed && order.kind == OrderKind::Voucher {
        // A channel lets nobody book what is not paid: the payment was told to somebody who did not listen (H11).
        if order.money.mode == PaymentMode::Ledger && order.money.received() < order.money.due {
            draft.event(sale::charge(order.money.due - order.money.received(), draft.now()));
        }
        draft.event(Event::BookingOpened);
    }
    let terms = Terms {
        channel_booking_id: &request.channel_booking_id,
        dates: (request.visit_date, request.visit_date.map(|date| rules::valid_until(product, date))),
        time: request.visit_time.clone().or_else(|| product.clock()),
        visitors: request.visitors.clone(),
        contact: request.contact.clone(),
        requested_at: request.requested_at,
        hold: request.hold.as_deref().map(|wish| kept(wish, draft.now())),
    };
    draft.event(Event::BookingRequested { booking: Box::new(terms.booking(product, draft.moment)) });
    let day = date_stock_key(product, request.visit_date);
    draft.maybe(day.map(|key| Effect::TakeStock { key, units: order.quantity }));
    draft.disarm(&[DeadlineKind::BookingWindow]);
    match &request.hold {
        Some(wish) => draft.effect(hold_deadline(draft.now() + wish.lasts)),
        None => wait_for_manager(draft),
    }
    Ok(())
}

/// A person confirms or rejects, where the product wants that.
pub(super) fn wait_for_manager(draft: &mut Draft) {
    let order = draft.order();
    match order.rules.booking.confirm {
        Confirmation::Auto => {}
        Confirmation::Manual => {
            draft.effect(Effect::ArmDeadline {
                kind: DeadlineKind::Acceptance,
                due_at: draft.now() + order.rules.channel.acceptance_limit,
                warn_at: Vec::new(),
            });
            draft.flag(AttentionKind::WaitsForConfirmation, "a booking waits for a manager: confirm or decline it");
        }
    }
}

/// What is kept for a wish.
fn kept(wish: &HoldWish, now: UnixMillis) -> Hold {
    let (reference, units) = (wish.reference.clone(), wish.units.clone());
    Hold { until: now + wish.lasts, open: true, reference, units, cancel_reason: None }
}

/// The end of a hold is a row, as every deadline.
pub(super) fn hold_deadline(until: UnixMillis) -> Effect {
    Effect::ArmDeadline { kind: DeadlineKind::Acceptance, due_at: until, warn_at: Vec::new() }
}

/// What was reserved is owed once the booking is accepted.
fn charge_reserved(draft: &mut Draft) {
    let money = &draft.order().money;
    let missing = money.due - money.received();
    match money.mode {
        PaymentMode::Ledger if missing > 0 => draft.event(sale::charge(missing, draft.now())),
        PaymentMode::Ledger | PaymentMode::BookingOnly | PaymentMode::External => {}
    }
}

/// Where a phone's bookings are counted, there must be one to count them by: the contact's, or the buyer's.
pub(super) fn check_phone_is_there(order: &Order, contact: Option<&Person>) -> Result<(), Rejection> {
    let has_phone = |person: &Person| person.phone.as_ref().is_some_and(|phone| !phone.is_empty());
    let counts = order.rules.booking.limits.per_phone.is_some();
    if counts && !contact.into_iter().chain([&order.buyer]).any(has_phone) {
        let sentence = "the visit may be booked so many times by one phone; the contact's phone is needed";
        return Err(Rejection::new(Why::PhoneMissing, sentence).at("contact.phone"));
    }
    Ok(())
}

/// What is wished for.
pub(super) struct Terms<'a> {
    pub(super) channel_booking_id: &'a ExternalId,
    /// First and last day.
    pub(super) dates: (Option<Date>, Option<Date>),
    /// The time of the first day.
    pub(super) time: Option<String>,
    pub(super) visitors: Vec<Person>,
    pub(super) contact: Option<Person>,
    pub(super) requested_at: UnixMillis,
    /// What its reseller keeps it for.
    pub(super) hold: Option<Hold>,
}

impl Terms<'_> {
    /// The booking that it begins as.
    pub(super) fn booking(self, product: &BookingProduct, moment: Moment) -> Booking {
        Booking {
            id: moment.seed.booking(),
            channel_booking_id: self.channel_booking_id.clone(),
            state: BookingState::Requested,
            visit_date: self.dates.0,
            visit_time: self.time,
            valid_until: self.dates.1,
            visitors: self.visitors,
            contact: self.contact,
            requested_at: self.requested_at,
            confirmed_at: None,
            used_at: None,
            ticketing: Ticketing {
                state: TicketingState::at_first(product),
                backend_ref: None,
                tickets: Vec::new(),
                other_tickets: Vec::new(),
                replaced: Vec::new(),
                voiding_since: None,
                units: Vec::new(),
                reason: None,
                deadline: None,
                overdue: false,
                asked: false,
                manual: false,
                handover: Handover::NotAsked,
                request: None,
            },
            hold: self.hold.map(Box::new),
        }
    }
}

fn may_be_booked(order: &Order) -> Result<(), Rejection> {
    if order.case_under_review().is_some() {
        return Err(Rejection::new(Why::RefundUnderReview, "a refund of this order is under review; reject it first"));
    }
    match order.state {
        OrderState::Cancelled => return Err(Rejection::new(Why::AlreadyCancelled, "this order is cancelled")),
        OrderState::Completed => return Err(Rejection::new(Why::AlreadyRedeemed, "this order has been used")),
        OrderState::Booked => return Err(Rejection::new(Why::AlreadyBooked, "this order has an active booking")),
        OrderState::Placed | OrderState::AwaitingBooking => {}
    }
    if order.active_booking().is_some() {
        return Err(Rejection::new(Why::AlreadyBooked, "this order has an active booking"));
    }
    match &order.refund_case {
        Some(case) if case.state == RefundState::Approved && case.kind == RefundKind::Refund => {
            Err(Rejection::new(Why::AlreadyCancelled, "the refund of this order has been approved"))
        }
        _ => Ok(()),
    }
}

/// The booking is confirmed, by policy or by a manager: from here the ticketing deadline runs.
pub(super) fn confirm(draft: &mut Draft) -> Result<(), Rejection> {
    let order = draft.order();
    let booking = waiting(&order)?;
    if order.case_under_review().is_some() {
        return Err(Rejection::new(
            Why::RefundUnderReview,
            "a refund of this booking is under review; reject it first",
        ));
    }
    if booking.is_on_hold() {
        let sentence = "this booking is only kept for its reseller, which has not said that it is sold";
        return Err(Rejection::new(Why::NotWaiting, sentence));
    }
    let needs_tickets = booking.ticketing.state != TicketingState::NotNeeded;
    confirmed(draft, needs_tickets);
    if booking.hold.is_some() {
        charge_reserved(draft);
    }
    if told_of_decision(&order) {
        draft.tell(Notification::BookingConfirmed { booking: booking.id.clone() });
    }
    if !needs_tickets && booking.ticketing.handover.is_owed() {
        draft.effect(ticketing::hand_over(booking, None));
    }
    ticketing::start(draft);
    Ok(())
}

/// The booking is confirmed, by whomever; where tickets are missing, the time for them runs.
pub(super) fn confirmed(draft: &mut Draft, misses_tickets: bool) {
    let order = draft.order();
    let product = &order.rules.booking;
    let due_at = draft.now() + product.ticketing_deadline;
    draft.event(Event::BookingConfirmed { ticketing_due: misses_tickets.then_some(due_at) });
    draft.disarm(&[DeadlineKind::Acceptance]);
    if misses_tickets {
        let warn_at = vec![due_at - product.ticketing_warn_before];
        draft.effect(Effect::ArmDeadline { kind: DeadlineKind::Ticketing, due_at, warn_at });
    }
}

/// Whether confirmation and rejection travel by a call of ours instead of in the answer.
fn told_of_decision(order: &Order) -> bool {
    order.rules.channel.acceptance == Acceptance::Async || order.rules.booking.confirm == Confirmation::Manual
}

/// The booking is rejected: a voucher becomes bookable again, a direct order is over.
pub(super) fn reject(draft: &mut Draft, reason: &FreeText) -> Result<(), Rejection> {
    let order = draft.order();
    let booking = waiting(&order)?;
    endings::end_booking(draft, booking, End::Rejected(reason));
    draft.tell(Notification::BookingRejected { booking: booking.id.clone(), reason: reason.to_owned() });
    if order.kind == OrderKind::Direct {
        endings::end_order(draft, CancelReason::Rejected, None);
        settlement::give_back_alone(draft, draft.now());
    }
    Ok(())
}

pub(super) fn waiting(order: &Order) -> Result<&Booking, Rejection> {
    match &order.booking {
        Some(booking) if booking.state == BookingState::Requested => Ok(booking),
        Some(booking) if booking.state == BookingState::Confirmed => {
            Err(Rejection::new(Why::NotWaiting, "this booking is confirmed already"))
        }
        _ => Err(Rejection::new(Why::NotWaiting, "no booking of this order waits for a decision")),
    }
}
