// SPDX-License-Identifier: Apache-2.0

//! What the back-end says of a reservation, against what we know of it.

use crate::decide::draft::Draft;
use crate::decide::ticketing::{SECOND_LOOK_AFTER, cancel, keep, take_on, tickets_of};
use crate::decide::{notifications, redemption};
use crate::id::BookingId;
use crate::message::{Event, Keeps, NewTicket, ParkReason, Redeem, RedeemedBy, TicketFacts, TicketOp};
use crate::order::{
    AttentionKind, Booking, BookingState, Fact, Order, RefundCase, RefundIntent, RefundState, TicketingState,
};
use crate::quoted::{ForeignNumber, FreeText};
use crate::rejection::{Rejection, Why};
use crate::time::{Millis, UnixMillis};

/// A back-end that works on something is asked how it stands after this time.
const FIRST_LOOK_AFTER: Millis = Millis::seconds(30);
/// Codes of one booking that are known, under whatever names: a back-end that makes up others at each look is not followed for ever.
const CODES_KEPT_MAX: usize = 4 * crate::limits::TICKETS_MAX;
/// The longer it works, the longer the next question waits, up to this time.
const LAST_LOOK_AFTER: Millis = Millis::minutes(30);

/// Tickets that must not admit any more, and that a back-end is still making void after this time, are shown.
const VOID_SHOWN_AFTER: Millis = Millis::minutes(10);

/// The back-end has answered, or told.
pub(super) fn record(draft: &mut Draft, id: &BookingId, facts: &TicketFacts) -> Result<(), Rejection> {
    let order = draft.order();
    let Some(booking) = order.booking_by_id(id) else {
        return Err(Rejection::new(Why::NotFound, "this order has no such booking"));
    };
    if let Some(why) = why_not_believed(&order, booking, facts) {
        not_believed(draft, booking, &why);
        return Ok(());
    }
    match facts {
        TicketFacts::Issued { backend_ref, tickets } => issued(draft, booking, backend_ref.as_ref(), tickets)?,
        TicketFacts::Pending { backend_ref, look_after } => {
            pending(draft, booking, backend_ref.as_ref(), *look_after);
        }
        TicketFacts::Refused { reason } => refused(draft, booking, reason),
        TicketFacts::Cancelled => cancelled(draft, booking, None),
        TicketFacts::CancelledKeeping { keeps } => cancelled(draft, booking, Some(*keeps)),
        TicketFacts::CancelPending => cancel_pending(draft, booking),
        // Nobody waits for that word; whoever went through the gate was there all the same.
        TicketFacts::CancelRefused { used: true, .. } if had_admitted(booking) => went_in(draft, booking, draft.now())?,
        TicketFacts::CancelRefused { reason, used } => cancel_refused(draft, booking, reason, *used),
        TicketFacts::Redeemed { at } => went_in(draft, booking, at.unwrap_or(draft.now()))?,
        // Said above: it is none of this reservation's.
        TicketFacts::HeldByAnother { .. } => return Ok(()),
        // It has not answered about this reservation yet.
        TicketFacts::Unknown { why } => {
            unknown(draft, booking, why);
            return Ok(());
        }
        TicketFacts::GivenUp { why } => {
            given_up(draft, booking, why);
            return Ok(());
        }
    }
    draft.settle_flag(AttentionKind::AnswerAstray);
    Ok(())
}

/// Why an answer cannot be about this reservation: it names what is somebody else's.
fn why_not_believed(order: &Order, booking: &Booking, facts: &TicketFacts) -> Option<FreeText> {
    let told = match facts {
        TicketFacts::HeldByAnother { order, what } => {
            return Some(FreeText::our_own(format!("{} is held by order {order}", what.in_words())));
        }
        TicketFacts::Issued { backend_ref, .. } | TicketFacts::Pending { backend_ref, .. } => backend_ref.as_ref(),
        TicketFacts::Refused { .. }
        | TicketFacts::Cancelled
        | TicketFacts::CancelledKeeping { .. }
        | TicketFacts::CancelPending
        | TicketFacts::CancelRefused { .. }
        | TicketFacts::Redeemed { .. }
        | TicketFacts::Unknown { .. }
        | TicketFacts::GivenUp { .. } => None,
    };
    let is_to_be_taken_on = booking.is_active() && booking.ticketing.state.is_awaited();
    if let TicketFacts::Issued { tickets, .. } = facts
        && is_to_be_taken_on
    {
        if NewTicket::first_twin(tickets).is_some() {
            return Some("it gave one code for several copies".into());
        }
        if !can_be_dealt(order, booking, tickets.len()) {
            let (tickets, units) = (tickets.len(), crate::words::units(order.live_units()));
            let why = format!("it gave {tickets} tickets for {units}, and nobody knows whose is whose");
            return Some(FreeText::our_own(why));
        }
    }
    // A back-end that has given a reservation its number does not give it another one: these are somebody else's tickets.
    let known = booking.ticketing.backend_ref.as_ref();
    let is_another = told.is_some() && known.is_some() && told != known;
    is_another.then(|| "its number for the reservation is another one".into())
}

/// Whether so many tickets can be dealt to the units: one or more to each, or one for all.
fn can_be_dealt(order: &Order, booking: &Booking, tickets: usize) -> bool {
    let tickets = u32::try_from(tickets).unwrap_or(u32::MAX);
    tickets == 1 || order.units_maybe_ticketed(booking).any(|units| tickets.is_multiple_of(units))
}

/// Nothing of the answer is taken on or handed out. A person is told, and the back-end is asked again, each time later.
fn not_believed(draft: &mut Draft, booking: &Booking, why: &FreeText) {
    let backend = draft.actor.name.clone();
    notifications::astray(draft, &backend, why);
    match booking.ticketing.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown if booking.is_active() => {
            draft.event(Event::TicketingUnknown { booking: booking.id.clone(), why: why.to_owned() });
            draft.call_backend(booking, TicketOp::Query, Some(draft.now() + next_look(draft, booking)));
        }
        TicketingState::Cancelling if booking.is_active() => {
            cancel(draft, booking, Some(draft.now() + FIRST_LOOK_AFTER));
        }
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::NotNeeded
        | TicketingState::Issued
        | TicketingState::Failed
        | TicketingState::Cancelling
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => {}
    }
}

/// In what time a back-end is asked again: the longer it has had, the later.
fn next_look(draft: &Draft, booking: &Booking) -> Millis {
    let asked_for = booking.confirmed_at.map_or(Millis(0), |at| draft.now() - at);
    asked_for.clamp(FIRST_LOOK_AFTER, LAST_LOOK_AFTER)
}

fn issued(
    draft: &mut Draft,
    booking: &Booking,
    backend_ref: Option<&ForeignNumber>,
    new: &[NewTicket],
) -> Result<(), Rejection> {
    let t = &booking.ticketing;
    let same = NewTicket::are_those_of(new, t);
    match t.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Failed
            if booking.is_active() =>
        {
            take_on(draft, booking, backend_ref, new, false)?;
            // They come too late: the refund is approved, and on its way. They are noted in case it comes to nothing.
            if draft.order().approved_there().is_some() {
                cancel(draft, booking, None);
            }
        }
        // The guest has been there: these are the tickets that let him in.
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Failed
            if booking.state == BookingState::Used =>
        {
            take_on(draft, booking, backend_ref, new, false)?;
        }
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Failed => {
            late_tickets(draft, booking, backend_ref, new);
        }
        // A person made tickets meanwhile: the back-end's own must not admit anybody.
        TicketingState::Issued if t.manual => late_tickets(draft, booking, backend_ref, new),
        // What it calls them is what was handed over, by now or again.
        TicketingState::Issued | TicketingState::CancelRefused if same || t.tickets.is_empty() => {
            draft.settle_flag(AttentionKind::CodesChanged);
        }
        TicketingState::Issued | TicketingState::CancelRefused => named_otherwise(draft, booking, new)?,
        // Still not void. The tickets are noted in case that is refused, and the back-end is asked again.
        TicketingState::Cancelling if booking.is_active() => {
            if NewTicket::first_twin(new).is_none() && (!same || t.tickets.is_empty()) {
                take_on(draft, booking, backend_ref, new, t.manual)?;
            }
            cancel(draft, booking, Some(draft.now() + FIRST_LOOK_AFTER));
        }
        TicketingState::Cancelling => late_tickets(draft, booking, backend_ref, new),
        TicketingState::Cancelled if same && !t.tickets.is_empty() => {}
        // It made them void by itself, and has some all the same: which of its words is the last, it says when it is asked.
        TicketingState::Cancelled if is_kept(&draft.order(), booking) => {
            let why = "the back-end has tickets after it made them void".into();
            draft.event(Event::TicketingUnknown { booking: booking.id.clone(), why });
            draft.call_backend(booking, TicketOp::Query, None);
        }
        TicketingState::Cancelled => late_tickets(draft, booking, backend_ref, new),
        TicketingState::NotNeeded => {
            draft.flag(AttentionKind::Contradiction, "a back-end issued tickets for a product that needs none")
        }
    }
    Ok(())
}

/// Whether the booking stands and nobody wanted its tickets void: a live guest waits for them.
fn is_kept(order: &Order, booking: &Booking) -> bool {
    let is_voided = |case: &RefundCase| {
        case.is_open() && (case.state == RefundState::Approved || case.intent == RefundIntent::ApproveOnceVoid)
    };
    booking.state == BookingState::Confirmed
        && !booking.ticketing.manual
        && !order.refund_case.as_ref().is_some_and(is_voided)
}

/// The back-end calls the tickets otherwise than when they were handed over. Both names are known from then on, wherever a code is told again;
/// which of them admit, a person asks.
fn named_otherwise(draft: &mut Draft, booking: &Booking, new: &[NewTicket]) -> Result<(), Rejection> {
    let unknown = NewTicket::unknown_to(new, &booking.ticketing);
    let kept = booking.ticketing.may_admit().count() + unknown.len();
    if !unknown.is_empty() && NewTicket::first_twin(&unknown).is_none() && kept <= CODES_KEPT_MAX {
        let tickets = tickets_of(draft, &unknown)?;
        draft.event(Event::OtherCodesNamed { booking: booking.id.clone(), tickets });
    }
    draft.flag(
        AttentionKind::CodesChanged,
        "the back-end names other codes than those that were handed over; both are known here, and the first ones stay handed out: ask it which of them admit",
    );
    Ok(())
}

/// Tickets that nobody will get: voided at once, never shown.
fn late_tickets(draft: &mut Draft, booking: &Booking, backend_ref: Option<&ForeignNumber>, new: &[NewTicket]) {
    draft.event(Event::LateTicketsIssued {
        booking: booking.id.clone(),
        backend_ref: backend_ref.cloned(),
        count: u32::try_from(new.len()).unwrap_or(u32::MAX),
    });
    draft.call_backend(booking, TicketOp::Cancel, None);
}

fn pending(draft: &mut Draft, booking: &Booking, backend_ref: Option<&ForeignNumber>, look_after: Option<Millis>) {
    match booking.ticketing.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown if booking.is_active() => {
            let look_after = look_after.unwrap_or_else(|| next_look(draft, booking));
            let backend_ref = backend_ref.cloned();
            draft.event(Event::TicketsPending { booking: booking.id.clone(), backend_ref });
            draft.call_backend(booking, TicketOp::Query, Some(draft.now() + look_after));
        }
        // Some have one word for all that they are at: what becomes of it is asked.
        TicketingState::Cancelling => cancel_pending(draft, booking),
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::NotNeeded
        | TicketingState::Issued
        | TicketingState::Failed
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => {}
    }
}

fn refused(draft: &mut Draft, booking: &Booking, reason: &FreeText) {
    match booking.ticketing.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown if booking.is_active() => {
            draft.event(Event::TicketingRefused { booking: booking.id.clone(), reason: reason.to_owned() });
            let sentence = format!("the back-end refused to issue ({reason}); issue by hand, or refund");
            draft.flag(AttentionKind::of_refusal(reason.reveal()), sentence);
        }
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Cancelling
            if booking.ticketing.tickets.is_empty() =>
        {
            draft.event(Event::TicketsCancelled { booking: booking.id.clone(), keeps: None });
        }
        // Void, or only not yet: what was issued and is to be cancelled has no other word in a back-end that knows "issued",
        // "pending" and "refused". The answer to a cancellation is plain, so it is asked for once more.
        TicketingState::Cancelling => cancel(draft, booking, None),
        TicketingState::Issued if !booking.ticketing.manual => {
            draft.flag(AttentionKind::Contradiction, "the back-end refuses what it has issued before; ask it")
        }
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::NotNeeded
        | TicketingState::Issued
        | TicketingState::Failed
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => {}
    }
}

fn unknown(draft: &mut Draft, booking: &Booking, why: &FreeText) {
    if matches!(booking.ticketing.state, TicketingState::Queued | TicketingState::Requested) {
        draft.event(Event::TicketingUnknown { booking: booking.id.clone(), why: why.to_owned() });
    }
    // It answered with something that asking again does not mend: a person is told at once, and not when the attempts are used up.
    let kind = AttentionKind::of_refusal(why.reveal());
    if kind != AttentionKind::TicketingFailed {
        draft.flag(kind, why.to_string());
    }
}

fn cancelled(draft: &mut Draft, booking: &Booking, keeps: Option<Keeps>) {
    let t = &booking.ticketing;
    let void = Event::TicketsCancelled { booking: booking.id.clone(), keeps };
    match t.state {
        TicketingState::Cancelling | TicketingState::CancelRefused => {
            draft.event(void);
            if t.tickets.is_empty() {
                draft.call_backend(booking, TicketOp::Query, Some(draft.now() + SECOND_LOOK_AFTER));
            }
        }
        // The surplus of a set made by hand is gone, as it should be.
        TicketingState::Issued if t.manual => {}
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Issued
            if booking.is_active() =>
        {
            draft.event(void);
            draft.flag_fact(Fact::TicketsVoid);
        }
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::NotNeeded
        | TicketingState::Issued
        | TicketingState::Failed
        | TicketingState::Cancelled => {}
    }
}

fn cancel_pending(draft: &mut Draft, booking: &Booking) {
    // Also tickets that are believed to be good, and the surplus beside a set made by hand: what becomes of them is asked.
    if matches!(booking.ticketing.state, TicketingState::Cancelling | TicketingState::Issued) {
        draft.event(Event::TicketCancelPending { booking: booking.id.clone() });
        draft.call_backend(booking, TicketOp::Query, Some(draft.now() + FIRST_LOOK_AFTER));
    }
    let is_late = booking.ticketing.voiding_since.is_some_and(|since| draft.now() - since >= VOID_SHOWN_AFTER);
    if is_late && !booking.is_active() {
        let sentence =
            "the back-end has still not made the tickets of this cancelled booking void; stop them at the gate";
        draft.flag(AttentionKind::LiveTicketBehindRefund, sentence);
    }
}

/// The gate has seen the guests.
fn went_in(draft: &mut Draft, booking: &Booking, at: UnixMillis) -> Result<(), Rejection> {
    redemption::redeem(draft, &Redeem { booking: Some(booking.id.clone()), at, by: RedeemedBy::Gate, count: None })
}

/// Whether its back-end's tickets were out, and nobody asks to have them voided.
fn had_admitted(booking: &Booking) -> bool {
    match booking.ticketing.state {
        TicketingState::Issued => !booking.ticketing.manual,
        TicketingState::Cancelled | TicketingState::CancelRefused => true,
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::NotNeeded
        | TicketingState::Failed
        | TicketingState::Cancelling => false,
    }
}

/// The back-end does not void the tickets. If that is because they were used, the guest was there: a fact.
fn cancel_refused(draft: &mut Draft, booking: &Booking, reason: &FreeText, used: bool) {
    let order = draft.order();
    if booking.ticketing.manual && booking.ticketing.state == TicketingState::Issued {
        return surplus_stays(draft, reason);
    }
    if booking.ticketing.state != TicketingState::Cancelling {
        return;
    }
    draft.event(Event::TicketCancelRefused { booking: booking.id.clone(), reason: reason.to_owned(), used });
    if !booking.is_active() {
        return if used {
            draft.flag(AttentionKind::RedeemedWhileRefunded, "the tickets of this cancelled booking had been used");
        } else {
            let sentence = "the back-end keeps tickets alive that must not admit; stop them there";
            draft.flag(AttentionKind::LiveTicketBehindRefund, sentence);
        };
    }
    let now = draft.now();
    if order.case_under_review().is_none() {
        // The refund was taken back meanwhile.
        keep(draft, booking);
        if used {
            redemption::park(draft, booking, ParkReason::NotTicketed, now, "backend", false);
        }
    } else if used {
        // Policy rejects the refund now; only the day may still be missing.
        let zone = order.rules.channel.time_zone;
        let too_early = booking.visit_date.is_some_and(|date| zone.date_of(now) < date);
        let reason = if too_early { ParkReason::TooEarly } else { ParkReason::RefundUnderReview };
        redemption::park(draft, booking, reason, now, "backend", false);
    } else {
        let sentence = format!("the back-end refused to cancel ({reason}); approve without it, or reject the refund");
        draft.flag(AttentionKind::CancelRefused, sentence);
    }
}

/// Two sets may admit: the one made by hand, and the back-end's own.
fn surplus_stays(draft: &mut Draft, why: &FreeText) {
    let sentence = format!("the back-end keeps tickets of its own beside those made by hand ({why}); stop them there");
    draft.flag(AttentionKind::Contradiction, sentence);
}

fn given_up(draft: &mut Draft, booking: &Booking, why: &FreeText) {
    let (kind, sentence) = match booking.ticketing.state {
        TicketingState::Cancelling if booking.is_active() => (
            AttentionKind::CancelRefused,
            format!(
                "the back-end could not be made to cancel ({why}); approve again to ask it again, or reject the refund"
            ),
        ),
        TicketingState::Cancelling => (
            AttentionKind::LiveTicketBehindRefund,
            format!("the back-end could not be made to cancel ({why}); retry the delivery, or cancel there by hand"),
        ),
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown => (
            AttentionKind::TicketingFailed,
            format!("no tickets could be had ({why}); retry the delivery, or issue by hand"),
        ),
        TicketingState::Issued if booking.ticketing.manual => return surplus_stays(draft, why),
        // The second look: an issue that was under way when it was cancelled may have gone through.
        TicketingState::Cancelled if booking.ticketing.tickets.is_empty() => (
            AttentionKind::LiveTicketBehindRefund,
            format!("the back-end could not be asked whether a late ticket exists ({why}); look there"),
        ),
        TicketingState::NotNeeded
        | TicketingState::Issued
        | TicketingState::Failed
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => return,
    };
    draft.flag(kind, sentence);
}
