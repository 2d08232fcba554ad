//! What is true after an event. Total, and the only way in which an order changes.

use crate::decide::NOT_DONE;
use crate::id::BookingId;
use crate::message::{Event, EventRecord, Notification, Sale};
use crate::order::channel_state::{ChannelState, PartnerNumber, ProofState, Unproven, confirmed_off_sale};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, Money, PRESUMED, PaymentState};
use crate::order::undelivered::{
    TOO_MUCH_BACK, UNDELIVERED, Undelivered, is_missed, makes_up_for, manual_sentence, refused_sentence,
};
use crate::order::{
    Attention, AttentionKind, Booking, BookingState, CancelReason, Handover, Hold, Order, OrderKind, OrderState,
    ParkedRedemption, RefundCase, RefundIntent, RefundState, TicketKind, Ticketing, TicketingState,
};
use crate::personal::{DocumentNumber, Person, in_clear};
use crate::quoted::Guests;
use crate::still_needed::is_notification_needed;
use crate::time::{Date, UnixMillis};

/// The order after `record`. `order` is `None` before [`Event::OrderPlaced`] only; any other first event leaves nothing.
pub fn evolve(order: Option<Order>, record: &EventRecord) -> Option<Order> {
    let mut order = match (order, &record.event) {
        (None, Event::OrderPlaced { id, sale }) => place(id.clone(), sale, record.at),
        (None, _) => return None,
        (Some(order), _) => order,
    };
    let flagged = UNDELIVERED.map(|kind| (kind, order.misses_any(kind)));
    apply(&mut order, &record.event, record.at);
    forget_undelivered(&mut order, flagged);
    forget_proven(&mut order);
    forget_off_sale(&mut order);
    tell_how_returns_stand(&mut order);
    order.version = record.seq;
    order.updated_at = record.at;
    Some(order)
}

fn place(id: crate::id::OrderId, placed: &crate::message::PlaceOrder, at: UnixMillis) -> Order {
    let sale = &placed.sale;
    Order {
        id,
        channel: placed.channel.clone(),
        channel_order_id: sale.channel_order_id.clone(),
        kind: sale.kind,
        state: OrderState::Placed,
        cancel_reason: None,
        product: placed
            .rules
            .voucher
            .as_ref()
            .map_or_else(|| placed.rules.booking.code.clone(), |voucher| voucher.code.clone()),
        quantity: sale.quantity,
        rules: placed.rules.clone(),
        money: Money {
            mode: sale.payment_mode,
            currency: sale.currency.clone(),
            gross: sale.gross,
            due: sale.due,
            ledger: Vec::new(),
        },
        buyer: sale.buyer.clone(),
        booking: None,
        past_bookings: Vec::new(),
        refund_case: None,
        past_refund_cases: Vec::new(),
        parked_redemption: None,
        attention: Vec::new(),
        undelivered: Vec::new(),
        channel_state: None,
        is_stub: placed.is_stub,
        placed_at: sale.placed_at,
        created_at: at,
        updated_at: at,
        version: 0,
    }
}

fn apply(order: &mut Order, event: &Event, at: UnixMillis) {
    match event {
        Event::OrderPlaced { .. } => {}
        Event::StubFilled { sale } => {
            order.is_stub = false;
            order.placed_at = sale.sale.placed_at;
            order.money.gross = sale.sale.gross;
            order.money.due = sale.sale.due;
            order.buyer = sale.sale.buyer.clone();
        }
        Event::PaymentRecorded { entry } => {
            order.money.record(entry.clone());
            settle_alarms(order);
        }
        Event::BookingOpened => order.state = OrderState::AwaitingBooking,
        Event::BookingRequested { booking } => {
            if let Some(previous) = order.booking.replace((**booking).clone()) {
                order.past_bookings.push(previous);
            }
            order.state = match order.kind {
                OrderKind::Voucher => OrderState::Booked,
                OrderKind::Direct => order.state,
            };
        }
        Event::HoldConfirmed { reference } => with_hold(order, |hold| {
            hold.open = false;
            if reference.is_some() {
                hold.reference = reference.clone();
            }
        }),
        Event::HoldExtended { until } => with_hold(order, |hold| hold.until = *until),
        Event::BookingConfirmed { ticketing_due } => {
            order.state = OrderState::Booked;
            clear(order, AttentionKind::WaitsForConfirmation);
            if let Some(booking) = &mut order.booking {
                booking.state = BookingState::Confirmed;
                booking.confirmed_at = Some(at);
                booking.ticketing.deadline = *ticketing_due;
            }
        }
        Event::BookingRejected { .. } => {
            clear(order, AttentionKind::WaitsForConfirmation);
            end_booking(order, BookingState::Rejected);
        }
        Event::GuestsSupplied { buyer, visitors, contact } => {
            order.buyer = buyer.clone();
            if let Some(booking) = &mut order.booking {
                booking.visitors = visitors.clone();
                booking.contact = contact.clone();
            }
        }
        Event::GuestsErased { .. } => erase_guests(order),
        Event::TicketingStarted => with_ticketing(order, |t| t.asked = true),
        Event::TicketsRequested { request, dates } => {
            if let Some(booking) = &mut order.booking {
                booking.ticketing.request = Some(request.clone());
                if booking.ticketing.handover == Handover::NotAsked {
                    booking.ticketing.handover = Handover::Asked;
                }
                if let Some((first, last)) = dates {
                    booking.visit_date = Some(*first);
                    booking.valid_until = Some(*last);
                }
            }
        }
        Event::TicketsPending { booking, backend_ref } => of(order, booking, |t| {
            t.state = TicketingState::Requested;
            keep_ref(t, backend_ref);
        }),
        Event::TicketsIssued { booking, backend_ref, tickets, manual } => {
            of(order, booking, |t| {
                if t.channel_holds_void() && t.request.is_some() {
                    t.handover = Handover::Owed;
                }
                t.tickets = tickets.clone();
                t.manual = *manual;
                t.reason = None;
                keep_ref(t, backend_ref);
                // Being made void already: the tickets are known now, and still not to be used.
                if t.state != TicketingState::Cancelling {
                    t.state = TicketingState::Issued;
                }
            });
            // They are held back while a refund is under review, whatever had been sent before it.
            if let Some(case) = order.refund_case.as_mut().filter(|case| case.is_under_review()) {
                case.tickets_were_sent = false;
            }
            if order.booking_by_id(booking).is_some_and(|b| b.ticketing.state == TicketingState::Issued) {
                AttentionKind::WITHOUT_TICKETS.into_iter().for_each(|kind| clear(order, kind));
                clear(order, AttentionKind::TicketingOverdue);
            }
        }
        Event::LateTicketsIssued { booking, backend_ref, .. } => of(order, booking, |t| {
            keep_ref(t, backend_ref);
            if !t.manual {
                t.state = TicketingState::Cancelling;
            }
        }),
        Event::TicketingRefused { booking, reason } => of(order, booking, |t| {
            t.state = TicketingState::Failed;
            t.reason = Some(reason.clone());
        }),
        Event::TicketingUnknown { booking, why } => of(order, booking, |t| {
            t.state = TicketingState::Unknown;
            t.reason = Some(why.clone());
        }),
        Event::TicketsDeferred => with_ticketing(order, |t| t.handover = Handover::Owed),
        Event::TicketsAnswered => with_ticketing(order, |t| t.handover = Handover::InAnswer),
        Event::TicketsHandedOver { acknowledged } => with_ticketing(order, |t| {
            t.handover = if *acknowledged { Handover::Acknowledged } else { Handover::Refused };
        }),
        Event::TicketCancelStarted { booking } => of(order, booking, |t| t.state = TicketingState::Cancelling),
        Event::TicketCancelPending { .. } => {}
        Event::TicketsCancelled { booking } => {
            of(order, booking, |t| {
                t.state = TicketingState::Cancelled;
                t.reason = None;
            });
            if !order.booking.iter().chain(&order.past_bookings).any(lives_behind_refund) {
                clear(order, AttentionKind::LiveTicketBehindRefund);
            }
            clear(order, AttentionKind::CancelRefused);
        }
        Event::TicketCancelRefused { booking, reason, .. } => {
            of(order, booking, |t| {
                t.state = TicketingState::CancelRefused;
                t.reason = Some(reason.clone());
            });
            keep_tickets(order);
        }
        Event::Redeemed { at: used_at, .. } => {
            order.parked_redemption = None;
            for kind in [AttentionKind::RefundUnderReview, AttentionKind::TooEarly, AttentionKind::NotTicketed] {
                clear(order, kind);
            }
            if let Some(booking) = &mut order.booking {
                booking.state = BookingState::Used;
                booking.used_at = Some(*used_at);
                if booking.ticketing.state == TicketingState::CancelRefused {
                    booking.ticketing.state = TicketingState::Issued;
                }
            }
            order.state = OrderState::Completed;
        }
        Event::RedemptionParked { booking, at: used_at, told_by, .. } => {
            order.parked_redemption =
                Some(ParkedRedemption { at: *used_at, booking: booking.clone(), told_by: told_by.clone() });
        }
        Event::NoShowMarked { .. } => {
            if let Some(booking) = &mut order.booking {
                booking.state = BookingState::NoShow;
            }
            order.state = OrderState::Completed;
        }
        Event::RefundApplied { case } => {
            if let Some(previous) = order.refund_case.replace((**case).clone()) {
                order.past_refund_cases.push(previous);
            }
        }
        Event::RefundEscalated { reason, .. } => with_case(order, |c| {
            c.intent = RefundIntent::WaitsForPerson;
            c.reason = Some(reason.clone());
        }),
        Event::RefundApprovalStarted { fee, by, reason, .. } => {
            clear(order, AttentionKind::RefundWaits);
            with_case(order, |c| {
                c.intent = RefundIntent::ApproveOnceVoid;
                c.fee = Some(*fee);
                c.decided_by = Some(by.clone());
                c.decided_at = Some(at);
                c.reason = reason.clone();
            });
        }
        Event::RefundApproved { fee, by, reason, pending, .. } => {
            case_is_over(order);
            with_case(order, |c| {
                c.state = RefundState::Approved;
                c.fee = Some(*fee);
                c.decided_by = Some(by.clone());
                c.decided_at = Some(at);
                c.reason = reason.clone().or_else(|| c.reason.take());
            });
            if let Some(entry) = pending {
                order.money.record(entry.clone());
            }
        }
        Event::RefundRejected { reason, by, reissue, .. } => {
            case_is_over(order);
            with_case(order, |c| {
                c.state = RefundState::Rejected;
                c.fee = None;
                c.decided_by = Some(by.clone());
                c.decided_at = Some(at);
                c.reason = Some(reason.clone());
                c.reissue = *reissue;
            });
            keep_tickets(order);
            if *reissue {
                with_ticketing(order, |t| t.handover = Handover::Reissued);
            }
        }
        Event::RefundWithdrawn { .. } => {
            case_is_over(order);
            with_case(order, |c| c.state = RefundState::Withdrawn);
            keep_tickets(order);
        }
        Event::RefundSettled { amount, by_channel, .. } => {
            case_is_over(order);
            with_case(order, |c| {
                c.state = RefundState::Settled;
                c.settled_amount = *amount;
                if *by_channel && c.decided_by.is_none() {
                    c.decided_by = Some("channel".to_owned());
                    c.decided_at = Some(at);
                }
            });
        }
        Event::RefundForced { .. } => {}
        Event::BookingCancelled { .. } => end_booking(order, BookingState::Cancelled),
        Event::OrderCancelled { reason, .. } => cancel_order(order, *reason),
        Event::NotificationAcknowledged { notification } => {
            if *notification == Notification::HandOver {
                with_channel_state(order, |m| m.handed_over = true);
            }
            with_channel_state(order, |m| m.unproven.retain(|unproven| unproven.notification != *notification));
            order.undelivered.retain(|undelivered| !makes_up_for(notification, &undelivered.notification));
        }
        Event::NotificationTaken { notification } => {
            if *notification == Notification::HandOver {
                with_channel_state(order, |m| m.handed_over = true);
            }
            with_channel_state(order, |m| told(m, notification));
            order.undelivered.retain(|undelivered| !makes_up_for(notification, &undelivered.notification));
        }
        Event::NotificationDenied { notification } => with_channel_state(order, |m| {
            for unproven in m.unproven.iter_mut().filter(|unproven| unproven.notification == *notification) {
                unproven.state = ProofState::Repeating;
            }
        }),
        Event::GuestsRevealed { .. } | Event::SnapshotContested => {}
        Event::NotificationRefused { notification, code, why } => {
            if *notification == Notification::HandOver && code == NOT_DONE {
                with_channel_state(order, |m| m.handed_over = false);
            }
            not_heard(
                order,
                notification,
                AttentionKind::NotificationRefused,
                refused_sentence(notification, code, why),
            );
        }
        Event::NotificationLeftToPerson { notification, what } => {
            not_heard(order, notification, AttentionKind::ManualTask, manual_sentence(what));
        }
        Event::NotificationDropped { notification } => {
            for undelivered in
                order.undelivered.iter_mut().filter(|undelivered| undelivered.notification == *notification)
            {
                undelivered.is_put_aside = true;
            }
        }
        Event::RefundReopened { .. } => with_case(order, |c| {
            c.state = RefundState::UnderReview;
            c.intent = RefundIntent::Undecided;
            c.fee = None;
            c.decided_by = None;
            c.decided_at = None;
        }),
        Event::SnapshotTaken { channel_state, sale, dates } => standing(order, channel_state, sale, *dates),
        Event::Proposed { proposal } => {
            clear(order, AttentionKind::WaitsForConfirmation);
            with_channel_state(order, |m| {
                m.proposal = Some(proposal.clone());
                m.refused = None;
            });
        }
        Event::ProposalEnded { agreed } => {
            clear(order, AttentionKind::ManualTask);
            with_channel_state(order, |m| m.refused = m.proposal.take().filter(|_| !agreed));
        }
        Event::PaymentLinkChanged { link } => {
            with_channel_state(order, |m| match m.links.iter_mut().find(|l| l.key == link.key) {
                Some(known) => *known = link.clone(),
                None => m.links.push(link.clone()),
            });
            if link.is_live() {
                clear(order, AttentionKind::PaymentLinkOver);
            }
        }
        Event::PartnerNumberChanged { new, .. } => with_channel_state(order, |m| {
            m.partner_numbers.push(PartnerNumber { number: new.clone(), since: at });
        }),
        Event::PaymentRetracted { reference } => order.money.ledger.retain(|entry| &entry.reference != reference),
        Event::NotificationOvertaken { .. } => {}
        Event::TicketingDeadlinePassed { .. } => with_ticketing(order, |t| t.overdue = true),
        Event::ReviewLimitPassed { .. } => with_case(order, |c| c.overdue = true),
        Event::TicketingDeadlineNear { .. }
        | Event::ReviewLimitNear { .. }
        | Event::DeadlineNear { .. }
        | Event::DeadlinePassed { .. } => {}
        Event::AttentionSettled { kind } => clear(order, *kind),
        Event::AttentionRaised { kind, sentence } => {
            clear(order, *kind);
            order.attention.push(Attention { kind: *kind, since: at, sentence: sentence.clone() });
        }
    }
}

/// The channel's picture replaces the one before; what was sold, to whom and for when is taken from it.
fn standing(order: &mut Order, channel_state: &ChannelState, sale: &Sale, (first, last): (Option<Date>, Option<Date>)) {
    // Who was erased stays so, whatever the channel still tells.
    let erased = order.channel_state.is_some() && order.buyer == Person::default();
    let buyer = if erased { Person::default() } else { sale.buyer.clone() };
    let moved = order.channel_state.as_ref().is_none_or(|known| known.standing.stage != channel_state.standing.stage);
    let moved_price = order.money.due != sale.due;
    order.channel_state = Some(Box::new(channel_state.clone()));
    // What a person still has to do there stays a task of hers.
    if moved && !order.misses_any(AttentionKind::ManualTask) {
        clear(order, AttentionKind::ManualTask);
    }
    order.is_stub = false;
    order.placed_at = sale.placed_at;
    order.quantity = sale.quantity;
    order.buyer = buyer.clone();
    order.money.mode = sale.payment_mode;
    order.money.gross = sale.gross;
    order.money.due = sale.due;
    if moved_price {
        settle_alarms(order);
    }
    if let Some(booking) = &mut order.booking {
        booking.visit_date = first;
        booking.valid_until = last;
        booking.contact = Some(buyer);
    }
}

fn with_channel_state(order: &mut Order, change: impl FnOnce(&mut ChannelState)) {
    if let Some(channel_state) = &mut order.channel_state {
        change(channel_state);
    }
}

/// People become nobody; how many they were stays.
fn erase_guests(order: &mut Order) {
    // What partners and colleagues have written about them goes with them, numbers too that hold a guest's own.
    let guests = Guests::of(order);
    if let Ok(mut document) = in_clear(|| serde_json::to_value(&*order)) {
        guests.forget(&mut document);
        // A document whose texts were changed reads as it did: only texts were, and none that means something to us.
        if let Ok(scrubbed) = serde_json::from_value(document) {
            *order = scrubbed;
        }
    }
    order.buyer = Person::default();
    for booking in order.booking.iter_mut().chain(&mut order.past_bookings) {
        booking.visitors.fill(Person::default());
        booking.contact = booking.contact.as_ref().map(|_| Person::default());
        if let Some(request) = &mut booking.ticketing.request {
            request.visitors.fill(Person::default());
        }
        for ticket in booking.ticketing.tickets.iter_mut().filter(|ticket| ticket.kind == TicketKind::Document) {
            ticket.code = DocumentNumber::new("");
        }
    }
}

fn clear(order: &mut Order, kind: AttentionKind) {
    order.attention.retain(|a| a.kind != kind);
}

fn not_heard(order: &mut Order, notification: &Notification, kind: AttentionKind, sentence: String) {
    order.undelivered.retain(|undelivered| undelivered.notification != *notification);
    order.undelivered.push(Undelivered { notification: notification.clone(), kind, is_put_aside: false, sentence });
}

/// The channel has said yes, once more or for the first time.
fn told(channel_state: &mut ChannelState, notification: &Notification) {
    let again = channel_state
        .unproven
        .iter()
        .any(|known| known.notification == *notification && known.state != ProofState::Told);
    channel_state.unproven.retain(|known| known.notification != *notification);
    let state = if again { ProofState::ToldAgain } else { ProofState::Told };
    channel_state.unproven.push(Unproven { notification: notification.clone(), state });
}

/// That a booking was accepted although its product is not for sale is settled with the booking.
fn forget_off_sale(order: &mut Order) {
    let why = order.channel_state.as_deref().and_then(|channel_state| channel_state.not_for_sale.as_deref());
    let Some(sentence) = why.filter(|_| order.is_over()).map(confirmed_off_sale) else { return };
    order.attention.retain(|flag| flag.kind != AttentionKind::Contradiction || flag.sentence != sentence);
}

/// A flag for money that was not due says how its return stands now. That more went back than came in is another matter.
fn tell_how_returns_stand(order: &mut Order) {
    let Some(sentence) = order.how_the_return_stands() else { return };
    let is_it = |flag: &&mut Attention| flag.kind == AttentionKind::UnexpectedPayment && flag.sentence != TOO_MUCH_BACK;
    for flag in order.attention.iter_mut().filter(is_it) {
        sentence.clone_into(&mut flag.sentence);
    }
}

/// What has come about, cannot any more, or has been left to a person, needs no proof.
fn forget_proven(order: &mut Order) {
    let Some(known) = order.channel_state.as_mut().map(|channel_state| std::mem::take(&mut channel_state.unproven))
    else {
        return;
    };
    let is_open = |notification: &Notification| {
        is_notification_needed(order, notification) && !order.was_undelivered(|undelivered| undelivered == notification)
    };
    let open: Vec<Unproven> = known.into_iter().filter(|unproven| is_open(&unproven.notification)).collect();
    with_channel_state(order, |channel_state| channel_state.unproven = open);
}

/// What the channel has heard since, or nobody needs any more, is no longer a person's task; nor is what ops have put aside.
fn forget_undelivered(order: &mut Order, flagged: [(AttentionKind, bool); 2]) {
    let known = std::mem::take(&mut order.undelivered);
    order.undelivered =
        known.into_iter().filter(|undelivered| is_missed(order, &undelivered.notification, undelivered.kind)).collect();
    for (kind, was_flagged) in flagged {
        if was_flagged && !order.misses_any(kind) {
            clear(order, kind);
        }
        // A flag that stands for several says what is still missed, the last of it.
        let is_it = |undelivered: &&Undelivered| {
            undelivered.kind == kind && !undelivered.is_put_aside && !undelivered.sentence.is_empty()
        };
        let last = order.undelivered.iter().rev().find(is_it).map(|undelivered| undelivered.sentence.clone());
        for flag in order.attention.iter_mut().filter(|flag| flag.kind == kind) {
            flag.sentence = last.clone().unwrap_or_else(|| std::mem::take(&mut flag.sentence));
        }
    }
}

/// Alarms about money end when the money is right: nothing that was not due is left here, and nothing that is due is missing.
fn settle_alarms(order: &mut Order) {
    let money = &order.money;
    let held = money.held();
    let is_even = match order.state {
        OrderState::Cancelled => held >= 0 && held == money.fee(),
        // Only a channel that tells its orders whole says what is due now.
        _ => held >= 0 && (order.channel_state.is_none() || held <= money.due),
    };
    let is_paid = money.received() >= money.due;
    if is_even {
        clear(order, AttentionKind::UnexpectedPayment);
    }
    if is_paid {
        clear(order, AttentionKind::OpenBalance);
        clear(order, AttentionKind::PaymentLinkOver);
    }
    if order.payment() != PaymentState::RefundFailed {
        clear(order, AttentionKind::RefundFailed);
    }
}

fn case_is_over(order: &mut Order) {
    for kind in [AttentionKind::RefundWaits, AttentionKind::CancelRefused, AttentionKind::ReviewOverdue] {
        clear(order, kind);
    }
}

/// Tickets of a live booking that the back-end refused to make void, and whose refund is off: they are good. If they were never
/// seen, the back-end is asked.
fn keep_tickets(order: &mut Order) {
    if order.case_under_review().is_some() {
        return;
    }
    let Some(booking) = order.booking.as_mut().filter(|b| b.is_active()) else { return };
    let t = &mut booking.ticketing;
    if t.state == TicketingState::CancelRefused {
        t.state = if t.tickets.is_empty() { TicketingState::Unknown } else { TicketingState::Issued };
        if t.state == TicketingState::Issued {
            AttentionKind::WITHOUT_TICKETS.into_iter().for_each(|kind| clear(order, kind));
        }
    }
}

/// Tickets of a called-off booking that may still admit, and that nothing is being done about.
fn lives_behind_refund(booking: &Booking) -> bool {
    let t = &booking.ticketing;
    booking.state == BookingState::Cancelled
        && (t.state == TicketingState::CancelRefused || (t.manual && t.state == TicketingState::Issued))
}

fn keep_ref(ticketing: &mut Ticketing, backend_ref: &Option<String>) {
    if backend_ref.is_some() {
        ticketing.backend_ref = backend_ref.clone();
    }
}

fn with_hold(order: &mut Order, change: impl FnOnce(&mut Hold)) {
    if let Some(hold) = order.booking.as_mut().and_then(|booking| booking.hold.as_mut()) {
        change(hold);
    }
}

fn with_ticketing(order: &mut Order, change: impl FnOnce(&mut Ticketing)) {
    if let Some(booking) = &mut order.booking {
        change(&mut booking.ticketing);
    }
}

fn with_case(order: &mut Order, change: impl FnOnce(&mut RefundCase)) {
    if let Some(case) = &mut order.refund_case {
        change(case);
    }
}

/// Changes the ticketing of a booking, current or past.
fn of(order: &mut Order, id: &BookingId, change: impl FnOnce(&mut Ticketing)) {
    let bookings = order.booking.iter_mut().chain(order.past_bookings.iter_mut());
    if let Some(booking) = bookings.into_iter().find(|b: &&mut Booking| &b.id == id) {
        change(&mut booking.ticketing);
    }
}

fn end_booking(order: &mut Order, state: BookingState) {
    if let Some(booking) = &mut order.booking {
        booking.state = state;
        // Nobody was asked for tickets, and nobody will be.
        if !booking.ticketing.asked && booking.ticketing.state == TicketingState::Queued {
            booking.ticketing.state = TicketingState::Cancelled;
        }
    }
    let others = [AttentionKind::TicketingOverdue, AttentionKind::WaitsForConfirmation];
    for kind in AttentionKind::WITHOUT_TICKETS.into_iter().chain(others) {
        clear(order, kind);
    }
    if order.kind == OrderKind::Voucher && order.state == OrderState::Booked {
        order.state = OrderState::AwaitingBooking;
    }
}

fn cancel_order(order: &mut Order, reason: CancelReason) {
    order.state = OrderState::Cancelled;
    order.cancel_reason = Some(reason);
    clear(order, AttentionKind::OpenBalance);
    clear(order, AttentionKind::PaymentLinkOver);
    // What was expected to come back, and never will be mentioned again, stays as it is: only the channel's word settles money.
    if order.money.received() == 0 {
        order.money.ledger.retain(|e: &LedgerEntry| {
            !(e.kind == EntryKind::Refund && e.status == EntryStatus::Pending && e.reference == PRESUMED)
        });
    }
}
