//! What is true after an event. Total, and the only way in which an order changes.

use crate::decide::NOT_DONE;
use crate::id::BookingId;
use crate::message::{Event, EventRecord, Report, Sale};
use crate::order::channel_state::{Mirror, PartnerNumber, ProofState, Unproven, accepted_off_sale};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, Money, PRESUMED, PaymentState};
use crate::order::undelivered::{UNHEARD, Unheard, by_hand_sentence, is_missed, makes_up_for, refused_sentence};
use crate::order::{
    Attention, AttentionKind, Booking, BookingState, CancelReason, Handover, Order, OrderKind, OrderState,
    ParkedRedemption, RefundCase, RefundIntent, RefundState, TicketKind, Ticketing, TicketingState,
};
use crate::personal::{DocumentNumber, Person, in_clear};
use crate::quoted::Guests;
use crate::still_needed::is_report_wanted;
use crate::time::{Date, UnixMillis};

/// The order after `record`. `order` is `None` before [`Event::OrderPlaced`] only; any other first event leaves nothing.
pub fn evolve(order: Option<Order>, record: &EventRecord) -> Option<Order> {
    let mut order = match (order, &record.event) {
        (None, Event::OrderPlaced { id, sale }) => place(id.clone(), sale, record.at),
        (None, _) => return None,
        (Some(order), _) => order,
    };
    let flagged = UNHEARD.map(|kind| (kind, order.misses_any(kind)));
    apply(&mut order, &record.event, record.at);
    forget_unheard(&mut order, flagged);
    forget_proven(&mut order);
    forget_off_sale(&mut order);
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
        unheard: Vec::new(),
        mirror: None,
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
        Event::BookingConfirmed { ticketing_due } => {
            order.state = OrderState::Booked;
            clear(order, AttentionKind::WaitsForConfirmation);
            if let Some(booking) = &mut order.booking {
                booking.state = BookingState::Confirmed;
                booking.accepted_at = Some(at);
                booking.ticketing.deadline = *ticketing_due;
            }
        }
        Event::BookingDeclined { .. } => {
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
        Event::TicketsIssued { booking, backend_ref, tickets, by_hand } => {
            of(order, booking, |t| {
                if t.channel_holds_void() && t.request.is_some() {
                    t.handover = Handover::Owed;
                }
                t.tickets = tickets.clone();
                t.by_hand = *by_hand;
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
                clear(order, AttentionKind::TicketingFailed);
                clear(order, AttentionKind::TicketingOverdue);
            }
        }
        Event::LateTicketsIssued { booking, backend_ref, .. } => of(order, booking, |t| {
            keep_ref(t, backend_ref);
            if !t.by_hand {
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
        Event::ReportAcknowledged { report } => {
            if *report == Report::HandOver {
                with_mirror(order, |m| m.handed_over = true);
            }
            with_mirror(order, |m| m.unproven.retain(|unproven| unproven.report != *report));
            order.unheard.retain(|unheard| !makes_up_for(report, &unheard.report));
        }
        Event::ReportTaken { report } => {
            if *report == Report::HandOver {
                with_mirror(order, |m| m.handed_over = true);
            }
            with_mirror(order, |m| told(m, report));
            order.unheard.retain(|unheard| !makes_up_for(report, &unheard.report));
        }
        Event::ReportDenied { report } => with_mirror(order, |m| {
            for unproven in m.unproven.iter_mut().filter(|unproven| unproven.report == *report) {
                unproven.state = ProofState::Repeating;
            }
        }),
        Event::GuestsRevealed { .. } | Event::PictureContested => {}
        Event::ReportRefused { report, code, why } => {
            if *report == Report::HandOver && code == NOT_DONE {
                with_mirror(order, |m| m.handed_over = false);
            }
            not_heard(order, report, AttentionKind::ReportRefused, refused_sentence(report, code, why));
        }
        Event::ReportLeftToPerson { report, what } => {
            not_heard(order, report, AttentionKind::ToDoByHand, by_hand_sentence(what));
        }
        Event::ReportDropped { report } => {
            for unheard in order.unheard.iter_mut().filter(|unheard| unheard.report == *report) {
                unheard.is_put_aside = true;
            }
        }
        Event::RefundReopened { .. } => with_case(order, |c| {
            c.state = RefundState::UnderReview;
            c.intent = RefundIntent::Undecided;
            c.fee = None;
            c.decided_by = None;
            c.decided_at = None;
        }),
        Event::PictureTaken { mirror, sale, dates } => picture(order, mirror, sale, *dates),
        Event::Proposed { proposal } => {
            clear(order, AttentionKind::WaitsForConfirmation);
            with_mirror(order, |m| {
                m.proposal = Some(proposal.clone());
                m.refused = None;
            });
        }
        Event::ProposalEnded { agreed } => {
            clear(order, AttentionKind::ToDoByHand);
            with_mirror(order, |m| m.refused = m.proposal.take().filter(|_| !agreed));
        }
        Event::PaymentLinkChanged { link } => {
            with_mirror(order, |m| match m.links.iter_mut().find(|l| l.key == link.key) {
                Some(known) => *known = link.clone(),
                None => m.links.push(link.clone()),
            });
            if link.is_live() {
                clear(order, AttentionKind::PaymentLinkOver);
            }
        }
        Event::PartnerNumberChanged { new, .. } => with_mirror(order, |m| {
            m.partner_numbers.push(PartnerNumber { number: new.clone(), since: at });
        }),
        Event::PaymentRetracted { reference } => order.money.ledger.retain(|entry| &entry.reference != reference),
        Event::ReportOvertaken { .. } => {}
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
fn picture(order: &mut Order, mirror: &Mirror, sale: &Sale, (first, last): (Option<Date>, Option<Date>)) {
    // Who was erased stays so, whatever the channel still tells.
    let erased = order.mirror.is_some() && order.buyer == Person::default();
    let buyer = if erased { Person::default() } else { sale.buyer.clone() };
    let moved = order.mirror.as_ref().is_none_or(|known| known.picture.stage != mirror.picture.stage);
    let moved_price = order.money.due != sale.due;
    order.mirror = Some(Box::new(mirror.clone()));
    // What a person still has to do there stays a task of hers.
    if moved && !order.misses_any(AttentionKind::ToDoByHand) {
        clear(order, AttentionKind::ToDoByHand);
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

fn with_mirror(order: &mut Order, change: impl FnOnce(&mut Mirror)) {
    if let Some(mirror) = &mut order.mirror {
        change(mirror);
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

fn not_heard(order: &mut Order, report: &Report, kind: AttentionKind, sentence: String) {
    order.unheard.retain(|unheard| unheard.report != *report);
    order.unheard.push(Unheard { report: report.clone(), kind, is_put_aside: false, sentence });
}

/// The channel has said yes, once more or for the first time.
fn told(mirror: &mut Mirror, report: &Report) {
    let again = mirror.unproven.iter().any(|known| known.report == *report && known.state != ProofState::Told);
    mirror.unproven.retain(|known| known.report != *report);
    let state = if again { ProofState::ToldAgain } else { ProofState::Told };
    mirror.unproven.push(Unproven { report: report.clone(), state });
}

/// That a booking was accepted although its product is not for sale is settled with the booking.
fn forget_off_sale(order: &mut Order) {
    let why = order.mirror.as_deref().and_then(|mirror| mirror.not_for_sale.as_deref());
    let Some(sentence) = why.filter(|_| order.is_over()).map(accepted_off_sale) else { return };
    order.attention.retain(|flag| flag.kind != AttentionKind::Contradiction || flag.sentence != sentence);
}

/// What has come about, cannot any more, or has been left to a person, needs no proof.
fn forget_proven(order: &mut Order) {
    let Some(known) = order.mirror.as_mut().map(|mirror| std::mem::take(&mut mirror.unproven)) else { return };
    let is_open = |report: &Report| is_report_wanted(order, report) && !order.was_unheard(|unheard| unheard == report);
    let open: Vec<Unproven> = known.into_iter().filter(|unproven| is_open(&unproven.report)).collect();
    with_mirror(order, |mirror| mirror.unproven = open);
}

/// What the channel has heard since, or nobody needs any more, is no longer a person's task; nor is what ops have put aside.
fn forget_unheard(order: &mut Order, flagged: [(AttentionKind, bool); 2]) {
    let known = std::mem::take(&mut order.unheard);
    order.unheard = known.into_iter().filter(|unheard| is_missed(order, &unheard.report, unheard.kind)).collect();
    for (kind, was_flagged) in flagged {
        if was_flagged && !order.misses_any(kind) {
            clear(order, kind);
        }
        // A flag that stands for several says what is still missed, the last of it.
        let is_it = |unheard: &&Unheard| unheard.kind == kind && !unheard.is_put_aside && !unheard.sentence.is_empty();
        let last = order.unheard.iter().rev().find(is_it).map(|unheard| unheard.sentence.clone());
        for flag in order.attention.iter_mut().filter(|flag| flag.kind == kind) {
            flag.sentence = last.clone().unwrap_or_else(|| std::mem::take(&mut flag.sentence));
        }
    }
}

/// Alarms about money end when the money is right: nothing that was not due is left here, and nothing that is due is missing.
fn settle_alarms(order: &mut Order) {
    let money = &order.money;
    let held = money.received() - money.refunded();
    let is_even = match order.state {
        OrderState::Cancelled => held >= 0 && held == money.fee(),
        // Only a channel that tells its orders whole says what is due now.
        _ => held >= 0 && (order.mirror.is_none() || held <= money.due),
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
            clear(order, AttentionKind::TicketingFailed);
        }
    }
}

/// Tickets of a called-off booking that may still admit, and that nothing is being done about.
fn lives_behind_refund(booking: &Booking) -> bool {
    let t = &booking.ticketing;
    booking.state == BookingState::Cancelled
        && (t.state == TicketingState::CancelRefused || (t.by_hand && t.state == TicketingState::Issued))
}

fn keep_ref(ticketing: &mut Ticketing, backend_ref: &Option<String>) {
    if backend_ref.is_some() {
        ticketing.backend_ref = backend_ref.clone();
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
    for kind in [AttentionKind::TicketingOverdue, AttentionKind::TicketingFailed, AttentionKind::WaitsForConfirmation] {
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
