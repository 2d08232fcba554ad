// SPDX-License-Identifier: Apache-2.0

//! Tickets on our side: demanded by the channel, taken on, made by a person, handed over, kept, voided. What the back-end says of them is
//! in [`crate::decide::facts`].

use crate::decide::draft::Draft;
use crate::id::ExternalId;
use crate::limits::{self, ANSWER_GRACE};
use crate::message::{DeadlineKind, Effect, Event, NewTicket, Notification, TicketOp};
use crate::order::channel_state::{ChannelState, Proposal};
use crate::order::{
    AttentionKind, Booking, BookingState, Handover, Order, OrderKind, RefundIntent, Ticket, TicketKind, TicketRequest,
    TicketingState,
};
use crate::personal::Person;
use crate::quoted::ForeignNumber;
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::rules::capacity::date_stock_key;
use crate::time::{Date, Millis, UnixMillis};

/// A cancelled reservation that the back-end did not know is looked at once more: its issue may still have been on the way.
pub(super) const SECOND_LOOK_AFTER: Millis = Millis::minutes(2);

/// The channel demands the tickets. It may do so early, late and often (H1, H10): what counts is the booking.
pub(super) fn request(
    draft: &mut Draft,
    target: &ExternalId,
    request: &TicketRequest,
    validity: Option<(UnixMillis, UnixMillis)>,
    date_left: Option<i64>,
) -> Result<(), Rejection> {
    let order = draft.order();
    let Some(booking) = order.booking_by_ref(target) else {
        let sentence = "the channel demanded tickets for the sale itself, which has none before a booking";
        draft.flag(AttentionKind::Contradiction, sentence);
        return Ok(());
    };
    if !booking.is_active() && booking.state != BookingState::Used {
        return Err(Rejection::new(Why::AlreadyCancelled, "this booking has been cancelled"));
    }
    if booking.ticketing.request.is_some() {
        return Ok(());
    }
    let dates = dates_demanded(&order, booking, validity);
    if let Some((first, _)) = dates
        && let Err(rejection) = date_fits(&order, booking, first, date_left, request.at)
    {
        // The channel has said yes to the guest already, and would refund at once what we refuse: a person has until the deadline.
        let sentence = format!("the date that the tickets are demanded for cannot be booked: {}", rejection.sentence);
        draft.flag(AttentionKind::Contradiction, sentence);
        return Ok(());
    }
    draft.event(Event::TicketsRequested { request: request.clone(), dates });
    let day = dates.and_then(|(first, _)| date_stock_key(&order.rules.booking, Some(first)));
    draft.maybe(day.map(|key| Effect::TakeStock { key, units: order.quantity }));
    if is_available(booking) {
        draft.effect(hand_over(booking, Some(request.at + ANSWER_GRACE)));
    } else if booking.visit_date.is_none() && booking.state == BookingState::Confirmed {
        // Only now is it known what is to be issued.
        start(draft);
    }
    Ok(())
}

/// Asks the back-end for tickets; where the guests are still under the channel's cipher, that is opened first. A booking without a
/// date waits for the channel's demand, which brings one.
pub(super) fn start(draft: &mut Draft) {
    let order = draft.order();
    let Some(booking) = &order.booking else { return };
    if has_remote_cipher(&order) {
        return draft.effect(Effect::DecryptGuests);
    }
    let waits_for_date =
        order.channel_state.is_none() && booking.visit_date.is_none() && booking.ticketing.request.is_none();
    let is_elsewhere = order.channel_state.as_deref().is_some_and(ChannelState::is_all_elsewhere);
    if booking.ticketing.state != TicketingState::Queued || booking.ticketing.asked || waits_for_date || is_elsewhere {
        return;
    }
    if order.names_other_product().is_some() {
        return;
    }
    if order.live_units() == 0 {
        let sentence = "every unit is cancelled, and the channel calls the booking alive: no tickets are asked for, ask the channel";
        return draft.flag(AttentionKind::Contradiction, sentence);
    }
    draft.event(Event::TicketingStarted);
    draft.call_backend(booking, TicketOp::Issue, None);
}

/// The visit is over, and the back-end was asked for tickets that nobody has seen: it is asked how they stand, and not for them any more.
pub(super) fn ask_after_visit(draft: &mut Draft) {
    let order = draft.order();
    let Some(booking) = &order.booking else { return };
    match booking.ticketing.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown => {
            draft.call_backend(booking, TicketOp::Query, None);
        }
        TicketingState::NotNeeded
        | TicketingState::Issued
        | TicketingState::Failed
        | TicketingState::Cancelling
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => {}
    }
}

/// Whether anybody's data is still under the channel's cipher.
pub(super) fn has_remote_cipher(order: &Order) -> bool {
    let booked = order.booking.iter().flat_map(|booking| booking.visitors.iter().chain(&booking.contact));
    order.buyer.has_remote_cipher() || booked.into_iter().any(Person::has_remote_cipher)
}

/// The first and the last day, where the demand is what names them.
pub fn dates_demanded(
    order: &Order,
    booking: &Booking,
    validity: Option<(UnixMillis, UnixMillis)>,
) -> Option<(Date, Date)> {
    let zone = order.rules.channel.time_zone;
    match (booking.visit_date, validity) {
        (None, Some((first, last))) => Some((zone.date_of(first), zone.date_of(last))),
        _ => None,
    }
}

/// What is checked when a booking names its date, for one that did not.
fn date_fits(
    order: &Order,
    booking: &Booking,
    date: Date,
    left: Option<i64>,
    now: UnixMillis,
) -> Result<(), Rejection> {
    rules::dates::check_date(&order.rules, date, now)?;
    let limits = &order.rules.booking.limits;
    rules::limits::check_age_and_sex(limits, &booking.visitors, booking.contact.as_ref(), Some(date))?;
    if order.kind == OrderKind::Direct {
        rules::check_direct_price(&order.rules, order.quantity, order.money.gross, Some(date))?;
    }
    rules::booking::check_left(order.quantity, left)
}

/// The answer is being written: tickets that exist go into it, or it says "not yet" and they follow by a call.
pub(super) fn answer(draft: &mut Draft, target: &ExternalId, with_tickets: bool) {
    let order = draft.order();
    let Some(booking) = order.booking.as_ref().filter(|b| &b.channel_booking_id == target) else { return };
    match (booking.ticketing.handover, is_available(booking)) {
        (Handover::Asked | Handover::Owed, true) if with_tickets => {
            draft.event(Event::TicketsAnswered);
            owes_no_more(draft, &order);
        }
        (Handover::Asked, true) => {
            draft.event(Event::TicketsDeferred);
            draft.effect(hand_over(booking, None));
        }
        (Handover::Asked, false) => draft.event(Event::TicketsDeferred),
        (
            Handover::NotAsked
            | Handover::Owed
            | Handover::InAnswer
            | Handover::Acknowledged
            | Handover::Refused
            | Handover::Reissued,
            _,
        ) => {}
    }
}

/// The channel has its tickets, or will not take them: nothing waits for its limit any more.
pub(super) fn owes_no_more(draft: &mut Draft, before: &Order) {
    if before.owes_tickets() && !draft.order().owes_tickets() {
        draft.disarm(&[DeadlineKind::Ticketing]);
        draft.settle_flag(AttentionKind::TicketingOverdue);
    }
}

/// Whether the booking's tickets can be given to the guest.
fn is_available(booking: &Booking) -> bool {
    matches!(booking.state, BookingState::Confirmed | BookingState::Used)
        && matches!(booking.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded)
}

/// Sends the tickets to the channel.
pub(super) fn hand_over(booking: &Booking, not_before: Option<UnixMillis>) -> Effect {
    Effect::TellChannel {
        notification: Notification::TicketsIssued { booking: booking.id.clone() },
        not_before,
        told_before: None,
    }
}

/// The tickets are held for a booking that is to be confirmed: now the channel can be asked.
fn confirm_held(draft: &mut Draft) {
    let order = draft.order();
    let waiting = order.booking.as_ref().filter(|b| b.state == BookingState::Requested);
    let confirms = order.channel_state.as_deref().is_some_and(|m| m.proposal == Some(Proposal::Confirm));
    if let Some(booking) = waiting.filter(|_| confirms) {
        draft.tell(Notification::BookingConfirmed { booking: booking.id.clone() });
    }
}

/// Takes tickets on, and hands them over when the channel has asked for them.
pub(super) fn take_on(
    draft: &mut Draft,
    booking: &Booking,
    backend_ref: Option<&ForeignNumber>,
    new: &[NewTicket],
    manual: bool,
) -> Result<(), Rejection> {
    let tickets = tickets_of(draft, new)?;
    draft.event(Event::TicketsIssued {
        booking: booking.id.clone(),
        backend_ref: backend_ref.cloned(),
        tickets,
        manual,
    });
    // What the channel waits for it has when it says so, and not when the back-end does.
    if !draft.order().owes_tickets() {
        draft.disarm(&[DeadlineKind::Ticketing]);
    }
    confirm_held(draft);
    hand_over_new(draft, booking);
    Ok(())
}

/// Tickets as they are kept, each with a number of ours.
pub(super) fn tickets_of(draft: &Draft, new: &[NewTicket]) -> Result<Vec<Ticket>, Rejection> {
    check_tickets(new)?;
    let seed = draft.moment.seed;
    let ticket = |(index, ticket): (usize, &NewTicket)| Ticket {
        id: seed.ticket(index),
        code: ticket.code.clone(),
        kind: ticket.kind,
        project_id: ticket.project_id.clone(),
        name: ticket.name.clone(),
    };
    Ok(new.iter().enumerate().map(ticket).collect())
}

/// Tickets that were taken on go out at once, where the channel waits for them. `booking` is as it was before.
fn hand_over_new(draft: &mut Draft, booking: &Booking) {
    let t = &booking.ticketing;
    let usable = booking.state == BookingState::Confirmed && t.state != TicketingState::Cancelling;
    let replaces = t.channel_holds_void();
    if replaces && t.request.is_none() {
        // They went out with the rejection of a refund only, and nothing else can carry others.
        draft.flag(
            AttentionKind::ManualTask,
            "the channel never asked for tickets, and those that it was given are void; hand the new ones over in its console",
        );
    } else if usable && (t.handover.is_owed() || replaces) && draft.order().case_under_review().is_none() {
        // While the answer is being written they may still go into it.
        let being_answered = t.request.as_ref().filter(|_| t.handover == Handover::Asked);
        let after_answer = being_answered.map(|request| request.at + ANSWER_GRACE).filter(|at| *at > draft.now());
        draft.effect(hand_over(booking, after_answer));
    }
}

fn check_tickets(new: &[NewTicket]) -> Result<(), Rejection> {
    if new.is_empty() || new.len() > limits::TICKETS_MAX {
        return Err(
            Rejection::new(Why::Invalid, format!("1 to {} tickets are needed", limits::TICKETS_MAX)).at("tickets")
        );
    }
    for (index, ticket) in new.iter().enumerate() {
        let length = ticket.code.reveal().chars().count();
        let most = match ticket.kind {
            TicketKind::Code | TicketKind::Document => limits::CODE_CHARS_MAX,
            TicketKind::Qr | TicketKind::Url => limits::QR_CHARS_MAX,
        };
        if length == 0 || length > most {
            return Err(Rejection::new(
                Why::Invalid,
                format!("a code has 1 to {most} characters, this one has {length}"),
            )
            .at(format!("tickets[{index}].code")));
        }
        if !ticket.kind.can_be(ticket.code.reveal()) {
            let sentence = "a ticket of kind `url` is an address of a page (http or https)";
            return Err(Rejection::new(Why::Invalid, sentence).at(format!("tickets[{index}].code")));
        }
    }
    Ok(())
}

/// Tickets made by a person. What the back-end may have made meanwhile is voided: at most one set is live.
pub(super) fn supply(draft: &mut Draft, new: &[NewTicket]) -> Result<(), Rejection> {
    let order = draft.order();
    let booking = misses_tickets(&order)?;
    let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
    let live = order.live_units().max(1);
    if count != 1 && !count.is_multiple_of(live) {
        let units = crate::words::units(live);
        let sentence = format!("one ticket for each of {units}, a multiple of that, or one for all is needed");
        return Err(Rejection::new(Why::Invalid, sentence).at("tickets"));
    }
    if let Some(twin) = NewTicket::first_twin(new) {
        let sentence = "another ticket of this order has the same code; each copy needs its own";
        return Err(Rejection::new(Why::Invalid, sentence).at(format!("tickets[{twin}].code")));
    }
    take_on(draft, booking, None, new, true)?;
    let t = &booking.ticketing;
    let may_have_more = matches!(t.state, TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown);
    if may_have_more && t.asked {
        let second_look = draft.now() + SECOND_LOOK_AFTER;
        draft.call_backend(booking, TicketOp::Cancel, None);
        draft.call_backend(booking, TicketOp::Query, Some(second_look));
    } else if t.state == TicketingState::Issued && t.manual {
        let sentence = "the tickets made by hand before still admit; stop them at the gate";
        draft.flag(AttentionKind::LiveTicketBehindRefund, sentence);
    } else if t.state == TicketingState::Issued {
        draft.call_backend(booking, TicketOp::Cancel, None);
    }
    Ok(())
}

/// The booking that a person may make tickets for.
fn misses_tickets(order: &Order) -> Result<&Booking, Rejection> {
    let refuse = |why, sentence: &'static str| Err(Rejection::new(why, sentence));
    let Some(booking) = order.active_booking().filter(|b| b.state == BookingState::Confirmed) else {
        return refuse(Why::NotBooked, "this order has no confirmed booking to issue tickets for");
    };
    match booking.ticketing.state {
        TicketingState::NotNeeded => return refuse(Why::AlreadyTicketed, "this product needs no tickets"),
        // What there is was made for something else.
        TicketingState::Issued if order.takes_new_tickets() => {}
        TicketingState::Issued | TicketingState::CancelRefused => {
            return refuse(Why::AlreadyTicketed, "this booking has its tickets already");
        }
        TicketingState::Cancelling => {
            return refuse(Why::RefundUnderReview, "the tickets are being voided; wait for the back-end");
        }
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Failed
        | TicketingState::Cancelled => {}
    }
    if order.case_under_review().is_some_and(|case| case.intent == RefundIntent::ApproveOnceVoid) {
        return refuse(Why::RefundUnderReview, "the refund of this booking is being approved");
    }
    not_going(order)?;
    Ok(booking)
}

/// While what was decided is carried out at the channel, no new tickets are put behind it: the money would go back, and they would admit.
fn not_going(order: &Order) -> Result<(), Rejection> {
    let proposal = order.channel_state.as_deref().and_then(|state| state.proposal.as_ref());
    let sentence = match proposal {
        _ if order.approved_there().is_some() => {
            "the refund of this booking is approved; wait for the channel's answer"
        }
        Some(Proposal::Cancel { .. }) => {
            "the channel has been asked to cancel it, or a part of it; wait for its answer"
        }
        Some(Proposal::Confirm | Proposal::Reject { .. }) | None => return Ok(()),
    };
    Err(Rejection::new(Why::AlreadyDecided, sentence))
}

/// The booking is off: whatever the back-end holds is voided.
pub(super) fn void(draft: &mut Draft, booking: &Booking) {
    let t = &booking.ticketing;
    if t.manual && t.state == TicketingState::Issued {
        let sentence = "these tickets were made by hand; void them at the gate";
        draft.flag(AttentionKind::LiveTicketBehindRefund, sentence);
    } else if t.state == TicketingState::Cancelling {
        // Asking may have been given up, and the flag that said so falls with the booking: ask once more.
        cancel(draft, booking, None);
    } else {
        start_cancel(draft, booking);
    }
}

/// Asks the back-end to void the tickets of `booking`, unless that is under way or there is nothing to void.
pub(super) fn start_cancel(draft: &mut Draft, booking: &Booking) {
    if booking.ticketing.may_be_live() && booking.ticketing.state != TicketingState::Cancelling {
        cancel(draft, booking, None);
    }
}

/// Asks the back-end to void the tickets of `booking`, once more if need be.
pub(super) fn cancel(draft: &mut Draft, booking: &Booking, not_before: Option<UnixMillis>) {
    draft.event(Event::TicketCancelStarted { booking: booking.id.clone() });
    draft.call_backend(booking, TicketOp::Cancel, not_before);
}

/// Tickets that were to be voided are good after all; what the channel still waits for goes out.
pub(super) fn keep(draft: &mut Draft, booking: &Booking) {
    ask_about_kept(draft, booking);
    if !booking.ticketing.tickets.is_empty() {
        send_kept(draft, booking);
    }
}

/// The back-end refused to void tickets. An answer that was lost may say otherwise, so it is asked once more.
pub(super) fn ask_about_kept(draft: &mut Draft, booking: &Booking) {
    draft.call_backend(booking, TicketOp::Query, None);
    if booking.ticketing.tickets.is_empty() {
        draft.flag(
            AttentionKind::TicketingFailed,
            "the refund is off, and the back-end keeps tickets that it has never shown; it is being asked for them",
        );
    }
}

/// What the channel still waits for after a refund that came to nothing.
pub(super) fn send_kept(draft: &mut Draft, booking: &Booking) {
    match booking.ticketing.handover {
        Handover::Asked | Handover::Owed => draft.effect(hand_over(booking, None)),
        Handover::Refused => draft.flag(
            AttentionKind::NotificationRefused,
            "the refund is off, and the channel has not taken the tickets; see that the guest gets them",
        ),
        Handover::NotAsked | Handover::InAnswer | Handover::Acknowledged | Handover::Reissued => {}
    }
}
