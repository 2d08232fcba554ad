//! The booking: asked for, accepted or declined.

use crate::decide::{Decision, backend_of, call_backend, date_stock_key, disarm, return_date_stock, sale};
use crate::id::ExternalId;
use crate::message::{DeadlineKind, Effect, Event, Notification, RequestBooking, TicketOp};
use crate::order::money::PaymentMode;
use crate::order::{
    AttentionKind, Booking, BookingState, CancelReason, Handover, Hold, Order, OrderKind, OrderState, RefundKind,
    RefundState, Ticketing, TicketingState,
};
use crate::personal::Person;
use crate::product::{Acceptance, BookingProduct, Confirmation};
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::time::{Date, Moment, UnixMillis};

/// A visit date is asked for. All units are booked together (DY-06); a voucher whose booking was cancelled can be booked again.
pub(super) fn request(order: &Order, request: &RequestBooking, moment: Moment) -> Result<Decision, Rejection> {
    if order.booking_by_ref(&request.channel_booking_id).is_some() {
        return Ok(Decision::nothing());
    }
    may_be_booked(order)?;
    if request.hold.is_none() {
        check_phone_is_there(order, request.contact.as_ref())?;
    }
    rules::check_booking(&order.rules, order.quantity, request, moment.now)?;
    if order.kind == OrderKind::Direct {
        rules::check_direct_price(&order.rules, order.quantity, order.money.gross, request.visit_date)?;
    }

    let product = &order.rules.booking;
    let booking = Terms {
        channel_booking_id: &request.channel_booking_id,
        dates: (request.visit_date, request.visit_date.map(|date| rules::valid_until(product, date))),
        time: request.visit_time.clone(),
        visitors: request.visitors.clone(),
        contact: request.contact.clone(),
        requested_at: request.requested_at,
        hold: request.hold.as_deref().map(|wish| super::hold::kept(wish, moment)),
    }
    .booking(product, moment);
    let mut decision = Decision::nothing();
    if order.state == OrderState::Placed && order.kind == OrderKind::Voucher {
        // A channel lets nobody book what is not paid: the payment was told to somebody who did not listen (H11).
        if order.money.mode == PaymentMode::Ledger && order.money.received() < order.money.due {
            decision = decision.event(sale::charge(order.money.due - order.money.received(), moment.now));
        }
        decision = decision.event(Event::BookingOpened);
    }
    decision = decision
        .event(Event::BookingRequested { booking: Box::new(booking) })
        .maybe(date_stock_key(product, request.visit_date).map(|key| Effect::TakeStock { key, units: order.quantity }))
        .effect(Effect::DisarmDeadline { kind: DeadlineKind::BookingWindow });
    Ok(match &request.hold {
        Some(wish) => decision.effect(super::hold::deadline(moment.now + wish.lasts)),
        None => decision.then(wait_for_manager(order, moment)),
    })
}

/// A person accepts or declines, where the product wants that.
pub(super) fn wait_for_manager(order: &Order, moment: Moment) -> Decision {
    match order.rules.booking.confirm {
        Confirmation::Auto => Decision::nothing(),
        Confirmation::Manual => Decision::nothing()
            .effect(Effect::ArmDeadline {
                kind: DeadlineKind::Acceptance,
                due_at: moment.now + order.rules.channel.acceptance_limit,
                warn_at: Vec::new(),
            })
            .attention(
                order,
                AttentionKind::WaitsForConfirmation,
                "a booking waits for a manager: confirm or decline it",
            ),
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
                state: if backend_of(product).is_some() { TicketingState::Queued } else { TicketingState::NotNeeded },
                backend_ref: None,
                tickets: Vec::new(),
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

/// The booking is accepted, by policy or by a manager: from here the ticketing deadline runs.
pub(super) fn confirm(order: &Order, moment: Moment) -> Result<Decision, Rejection> {
    if let Some(channel_state) = order.channel_state.as_deref() {
        return super::snapshot_channel::accept(order, channel_state);
    }
    let booking = waiting(order)?;
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
    let product = &order.rules.booking;
    let needs_tickets = booking.ticketing.state != TicketingState::NotNeeded;
    let due_at = moment.now + product.ticketing_deadline;
    let mut decision = Decision::nothing()
        .event(Event::BookingConfirmed { ticketing_due: needs_tickets.then_some(due_at) })
        .effect(Effect::DisarmDeadline { kind: DeadlineKind::Acceptance });
    if booking.hold.is_some() {
        decision = decision.then(super::hold::charge(order, moment));
    }
    if needs_tickets {
        decision = decision.effect(Effect::ArmDeadline {
            kind: DeadlineKind::Ticketing,
            due_at,
            warn_at: vec![due_at - product.ticketing_warn_before],
        });
    }
    if told_of_confirmation(order) {
        decision = decision.effect(Effect::TellChannel {
            notification: Notification::BookingConfirmed { booking: booking.id.clone() },
            not_before: None,
        });
    }
    if !needs_tickets && booking.ticketing.handover.is_owed() {
        decision = decision.effect(super::ticketing::hand_over(booking, None));
    }
    Ok(decision.then(start_ticketing(order, booking)))
}

/// Whether acceptance and refusal travel by a call of ours instead of in the answer.
fn told_of_confirmation(order: &Order) -> bool {
    order.rules.channel.acceptance == Acceptance::Async || order.rules.booking.confirm == Confirmation::Manual
}

/// Asks the back-end for tickets; where the guests are still under the channel's cipher, that is opened first. A booking without a
/// date waits for the channel's demand, which brings one.
pub(super) fn start_ticketing(order: &Order, booking: &Booking) -> Decision {
    if has_remote_cipher(order, booking) {
        return Decision::nothing().effect(Effect::DecryptGuests);
    }
    let waits_for_date =
        order.channel_state.is_none() && booking.visit_date.is_none() && booking.ticketing.request.is_none();
    if booking.ticketing.state != TicketingState::Queued || booking.ticketing.asked || waits_for_date {
        return Decision::nothing();
    }
    Decision::nothing().event(Event::TicketingStarted).maybe(call_backend(order, booking, TicketOp::Issue, None))
}

fn has_remote_cipher(order: &Order, booking: &Booking) -> bool {
    order.buyer.has_remote_cipher()
        || booking.visitors.iter().chain(booking.contact.iter()).any(Person::has_remote_cipher)
}

/// The booking is declined: a voucher becomes bookable again, a direct order is over.
pub(super) fn reject(order: &Order, reason: &str) -> Result<Decision, Rejection> {
    if let Some(channel_state) = order.channel_state.as_deref() {
        return super::snapshot_channel::reject(order, channel_state, reason);
    }
    let booking = waiting(order)?;
    let decision = Decision::nothing()
        .event(Event::BookingRejected { reason: reason.to_owned() })
        .maybe(return_date_stock(order, booking))
        .maybe(sale::booking_window(&order.rules))
        .effect(Effect::TellChannel {
            notification: Notification::BookingRejected { booking: booking.id.clone(), reason: reason.to_owned() },
            not_before: None,
        });
    let decision = disarm(decision, &[DeadlineKind::Acceptance]);
    Ok(match order.kind {
        OrderKind::Voucher => decision,
        OrderKind::Direct => decision.event(Event::OrderCancelled { reason: CancelReason::Rejected, why: None }),
    })
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

/// The channel has opened its cipher.
pub(super) fn supply_guests(
    order: &Order,
    buyer: &Person,
    visitors: &[Person],
    contact: Option<&Person>,
    moment: Moment,
) -> Result<Decision, Rejection> {
    let Some(booking) = &order.booking else {
        if &order.buyer == buyer {
            return Ok(Decision::nothing());
        }
        return Ok(Decision::nothing().event(Event::GuestsSupplied {
            buyer: buyer.clone(),
            visitors: Vec::new(),
            contact: None,
        }));
    };
    if &order.buyer == buyer && booking.visitors == visitors && booking.contact.as_ref() == contact {
        return Ok(Decision::nothing());
    }
    if visitors.len() != booking.visitors.len() {
        return Err(Rejection::new(Why::VisitorsMismatch, "the booking has another number of visitors by now"));
    }
    let decision = Decision::nothing().event(Event::GuestsSupplied {
        buyer: buyer.clone(),
        visitors: visitors.to_vec(),
        contact: contact.cloned(),
    });
    let supplied = Booking { visitors: visitors.to_vec(), contact: contact.cloned(), ..booking.clone() };
    let opened = Order { buyer: buyer.clone(), ..order.clone() };
    if has_remote_cipher(&opened, &supplied) {
        // The channel opens only so many values in one call; this one has brought some.
        return Ok(decision.effect(Effect::DecryptGuests));
    }
    if booking.state != BookingState::Confirmed {
        return Ok(decision);
    }
    let decision = match opened_guests_fit(&opened, &supplied, moment) {
        Ok(()) => decision,
        // The channel has been told yes already; a person weighs what to do.
        Err(rejection) => decision.attention(
            order,
            AttentionKind::Contradiction,
            format!("guests' details break the product's rules: {}", rejection.sentence),
        ),
    };
    Ok(decision.then(start_ticketing(&opened, &supplied)))
}

/// What could not be checked while it was under the channel's cipher.
fn opened_guests_fit(order: &Order, booking: &Booking, moment: Moment) -> Result<(), Rejection> {
    let product = &order.rules.booking;
    let today = order.rules.channel.time_zone.date_of(moment.now);
    let contact = booking.contact.as_ref();
    rules::guests::check_guests(product, order.quantity, &booking.visitors, contact, today)?;
    rules::limits::check_age_and_sex(&product.limits, &booking.visitors, contact, booking.visit_date)
}

/// A partner's system gives the order a number of its own, and may change it at any time: history, never a key (TS-07).
pub(super) fn partner_number(order: &Order, number: &str) -> Decision {
    let Some(channel_state) = order.channel_state.as_deref() else { return Decision::nothing() };
    if channel_state.partner_number() == Some(number) {
        return Decision::nothing();
    }
    let old = channel_state.partner_number().map(str::to_owned);
    Decision::nothing().event(Event::PartnerNumberChanged { old, new: number.to_owned() })
}
