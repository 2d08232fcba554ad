//! Tickets: demanded by the channel, made by a back-end or a person, handed over.

use crate::decide::booking::start_ticketing;
use crate::decide::{Decision, call_backend, date_stock_key, notifications, redemption, start_cancel};
use crate::id::{BookingId, ExternalId};
use crate::limits::{self, ANSWER_GRACE};
use crate::message::{
    Actor, DeadlineKind, Effect, Event, NewTicket, Notification, ParkReason, Redeem, RedeemedBy, TicketFacts, TicketOp,
};
use crate::order::{
    AttentionKind, Booking, BookingState, Handover, Order, OrderKind, RefundIntent, Ticket, TicketRequest,
    TicketingState,
};
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::time::{Date, Millis, Moment, UnixMillis};

/// A back-end that works on something is asked how it stands after this time.
const FIRST_LOOK_AFTER: Millis = Millis::seconds(30);
/// The longer it works, the longer the next question waits, up to this time.
const LAST_LOOK_AFTER: Millis = Millis::minutes(30);
/// A cancelled reservation that the back-end did not know is looked at once more: its issue may still have been on the way.
const SECOND_LOOK_AFTER: Millis = Millis::minutes(2);

/// The channel demands the tickets. It may do so early, late and often (H1, H10): what counts is the booking.
pub(super) fn request_tickets(
    order: &Order,
    target: &ExternalId,
    request: &TicketRequest,
    validity: Option<(UnixMillis, UnixMillis)>,
    date_left: Option<i64>,
) -> Result<Decision, Rejection> {
    let Some(booking) = order.booking_by_ref(target) else {
        return Ok(Decision::nothing().attention(
            order,
            AttentionKind::Contradiction,
            "the channel demanded tickets for the sale itself, which has none before a booking",
        ));
    };
    if !booking.is_active() && booking.state != BookingState::Used {
        return Err(Rejection::new(Why::AlreadyCancelled, "this booking has been called off"));
    }
    if booking.ticketing.request.is_some() {
        return Ok(Decision::nothing());
    }
    let dates = dates_demanded(order, booking, validity);
    if let Some((first, _)) = dates
        && let Err(rejection) = date_fits(order, booking, first, date_left, request.at)
    {
        // The channel has said yes to the guest already, and would refund at once what we refuse: a person has until the deadline.
        let sentence = format!("the date that the tickets are demanded for cannot be booked: {}", rejection.sentence);
        return Ok(Decision::nothing().attention(order, AttentionKind::Contradiction, sentence));
    }
    let day = dates.and_then(|(first, _)| date_stock_key(&order.rules.booking, Some(first)));
    let decision = Decision::nothing()
        .event(Event::TicketsRequested { request: request.clone(), dates })
        .maybe(day.map(|key| Effect::TakeStock { key, units: order.quantity }));
    if is_available(booking) {
        return Ok(decision.effect(hand_over(booking, Some(request.at + ANSWER_GRACE))));
    }
    if booking.visit_date.is_some() || booking.state != BookingState::Confirmed {
        return Ok(decision);
    }
    // Only now is it known what is to be issued.
    let mut dated = booking.clone();
    dated.visit_date = dates.map(|(first, _)| first);
    dated.ticketing.request = Some(request.clone());
    Ok(decision.then(start_ticketing(order, &dated)))
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
pub(super) fn answer_tickets(order: &Order, target: &ExternalId, with_tickets: bool) -> Decision {
    let Some(booking) = order.booking.as_ref().filter(|b| &b.channel_booking_id == target) else {
        return Decision::nothing();
    };
    let decision = Decision::nothing();
    match (booking.ticketing.handover, is_available(booking)) {
        (Handover::Asked | Handover::Owed, true) if with_tickets => decision.event(Event::TicketsAnswered),
        (Handover::Asked, true) => decision.event(Event::TicketsDeferred).effect(hand_over(booking, None)),
        (Handover::Asked, false) => decision.event(Event::TicketsDeferred),
        _ => decision,
    }
}

/// Whether the booking's tickets can be given to the guest.
fn is_available(booking: &Booking) -> bool {
    matches!(booking.state, BookingState::Confirmed | BookingState::Used)
        && matches!(booking.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded)
}

/// Sends the tickets to the channel.
pub(super) fn hand_over(booking: &Booking, not_before: Option<UnixMillis>) -> Effect {
    Effect::TellChannel { notification: Notification::TicketsIssued { booking: booking.id.clone() }, not_before }
}

/// What the back-end says of a reservation, against what we know of it.
pub(super) fn record_facts(
    order: &Order,
    id: &BookingId,
    facts: &TicketFacts,
    actor: &Actor,
    moment: Moment,
) -> Result<Decision, Rejection> {
    let Some(booking) = order.booking_by_id(id) else {
        return Err(Rejection::new(Why::NotFound, "this order has no such booking"));
    };
    if is_of_another(booking, facts) {
        return Ok(notifications::astray(order, &actor.name, "its number for the reservation is another one"));
    }
    let decision = answer_of_this(order, id, booking, facts, actor, moment)?;
    Ok(match facts {
        TicketFacts::Unknown { .. } | TicketFacts::GivenUp { .. } => decision,
        _ => notifications::settle_astray(order, decision),
    })
}

/// A back-end that has given a reservation its number does not give it another one: these are somebody else's tickets.
fn is_of_another(booking: &Booking, facts: &TicketFacts) -> bool {
    let told = match facts {
        TicketFacts::Issued { backend_ref, .. } | TicketFacts::Pending { backend_ref, .. } => backend_ref.as_ref(),
        TicketFacts::Refused { .. }
        | TicketFacts::Cancelled
        | TicketFacts::CancelPending
        | TicketFacts::CancelRefused { .. }
        | TicketFacts::Redeemed { .. }
        | TicketFacts::Unknown { .. }
        | TicketFacts::GivenUp { .. } => None,
    };
    let known = booking.ticketing.backend_ref.as_ref();
    told.is_some() && known.is_some() && told != known
}

fn answer_of_this(
    order: &Order,
    id: &BookingId,
    booking: &Booking,
    facts: &TicketFacts,
    actor: &Actor,
    moment: Moment,
) -> Result<Decision, Rejection> {
    Ok(match facts {
        TicketFacts::Issued { backend_ref, tickets } => {
            issued(order, booking, backend_ref.as_deref(), tickets, moment)?
        }
        TicketFacts::Pending { backend_ref, look_after } => {
            pending(order, booking, backend_ref.as_deref(), *look_after, moment)
        }
        TicketFacts::Refused { reason } => refused(order, booking, reason),
        TicketFacts::Unknown { why } => unknown(order, booking, why),
        TicketFacts::Cancelled => cancelled(order, booking, moment),
        TicketFacts::CancelPending => cancel_pending(order, booking, moment),
        TicketFacts::CancelRefused { reason, used } => cancel_refused(order, booking, reason, *used, moment),
        TicketFacts::Redeemed { at } => {
            let at = at.unwrap_or(moment.now);
            redemption::redeem(order, &Redeem { booking: Some(id.clone()), at, by: RedeemedBy::Gate }, actor, moment)?
        }
        TicketFacts::GivenUp { why } => given_up(order, booking, why),
    })
}

fn issued(
    order: &Order,
    booking: &Booking,
    backend_ref: Option<&str>,
    new: &[NewTicket],
    moment: Moment,
) -> Result<Decision, Rejection> {
    let t = &booking.ticketing;
    let same = t.tickets.len() == new.len() && t.tickets.iter().zip(new).all(|(have, got)| have.code == got.code);
    let late = || late_tickets(order, booking, backend_ref, new);
    Ok(match t.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Failed => {
            if booking.is_active() {
                take_on(order, booking, backend_ref, new, false, moment)?
            } else {
                late()
            }
        }
        // A person made tickets meanwhile: the back-end's own must not admit anybody.
        TicketingState::Issued if t.manual => late(),
        TicketingState::Issued | TicketingState::CancelRefused if same || t.tickets.is_empty() => Decision::nothing(),
        TicketingState::Issued | TicketingState::CancelRefused => Decision::nothing().attention(
            order,
            AttentionKind::CodesChanged,
            "the back-end names other codes than those that were handed over; the first ones are kept: ask it which of them admit",
        ),
        // Still not void. The tickets are noted in case that is refused, and the back-end is asked again.
        TicketingState::Cancelling if booking.is_active() => {
            let noted = if same && !t.tickets.is_empty() {
                Decision::nothing()
            } else {
                take_on(order, booking, backend_ref, new, t.manual, moment)?
            };
            noted.event(Event::TicketCancelStarted { booking: booking.id.clone() }).maybe(call_backend(
                order,
                booking,
                TicketOp::Cancel,
                Some(moment.now + FIRST_LOOK_AFTER),
            ))
        }
        TicketingState::Cancelling => late(),
        TicketingState::Cancelled if same && !t.tickets.is_empty() => Decision::nothing(),
        TicketingState::Cancelled => late(),
        TicketingState::NotNeeded => Decision::nothing().attention(
            order,
            AttentionKind::Contradiction,
            "a back-end issued tickets for a product that needs none",
        ),
    })
}

/// Tickets that nobody will get: made void at once, never shown.
fn late_tickets(order: &Order, booking: &Booking, backend_ref: Option<&str>, new: &[NewTicket]) -> Decision {
    Decision::nothing()
        .event(Event::LateTicketsIssued {
            booking: booking.id.clone(),
            backend_ref: backend_ref.map(str::to_owned),
            count: u32::try_from(new.len()).unwrap_or(u32::MAX),
        })
        .maybe(call_backend(order, booking, TicketOp::Cancel, None))
}

/// Takes tickets on, and hands them over when the channel has asked for them.
fn take_on(
    order: &Order,
    booking: &Booking,
    backend_ref: Option<&str>,
    new: &[NewTicket],
    manual: bool,
    moment: Moment,
) -> Result<Decision, Rejection> {
    check_tickets(new)?;
    let tickets = new
        .iter()
        .enumerate()
        .map(|(index, ticket)| Ticket {
            id: moment.seed.ticket(index),
            code: ticket.code.clone(),
            kind: ticket.kind,
            project_id: ticket.project_id.clone(),
            name: ticket.name.clone(),
        })
        .collect();
    let mut decision = Decision::nothing()
        .event(Event::TicketsIssued {
            booking: booking.id.clone(),
            backend_ref: backend_ref.map(str::to_owned),
            tickets,
            manual,
        })
        .effect(Effect::DisarmDeadline { kind: DeadlineKind::Ticketing });
    decision = decision.maybe(super::snapshot_channel::after_issue(order));
    let t = &booking.ticketing;
    let usable = booking.state == BookingState::Confirmed && t.state != TicketingState::Cancelling;
    let replaces = t.channel_holds_void();
    if replaces && t.request.is_none() {
        // They went out with the rejection of a refund only, and nothing else can carry others.
        return Ok(decision.attention(
            order,
            AttentionKind::ManualTask,
            "the channel never asked for tickets, and those that it was given are void; hand the new ones over in its console",
        ));
    }
    if usable && (t.handover.is_owed() || replaces) && order.case_under_review().is_none() {
        // While the answer is being written they may still go into it.
        let being_answered = t.request.as_ref().filter(|_| t.handover == Handover::Asked);
        let after_answer = being_answered.map(|request| request.at + ANSWER_GRACE).filter(|at| *at > moment.now);
        decision = decision.effect(hand_over(booking, after_answer));
    }
    Ok(decision)
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
            crate::order::TicketKind::Code | crate::order::TicketKind::Document => limits::CODE_CHARS_MAX,
            crate::order::TicketKind::Qr | crate::order::TicketKind::Url => limits::QR_CHARS_MAX,
        };
        if length == 0 || length > most {
            return Err(Rejection::new(
                Why::Invalid,
                format!("a code has 1 to {most} characters, this one has {length}"),
            )
            .at(format!("tickets[{index}].code")));
        }
    }
    Ok(())
}

fn pending(
    order: &Order,
    booking: &Booking,
    backend_ref: Option<&str>,
    look_after: Option<Millis>,
    moment: Moment,
) -> Decision {
    match booking.ticketing.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown if booking.is_active() => {
            let asked_for = booking.confirmed_at.map_or(Millis(0), |at| moment.now - at);
            let look_after = look_after.unwrap_or_else(|| asked_for.clamp(FIRST_LOOK_AFTER, LAST_LOOK_AFTER));
            Decision::nothing()
                .event(Event::TicketsPending {
                    booking: booking.id.clone(),
                    backend_ref: backend_ref.map(str::to_owned),
                })
                .maybe(call_backend(order, booking, TicketOp::Query, Some(moment.now + look_after)))
        }
        _ => Decision::nothing(),
    }
}

fn refused(order: &Order, booking: &Booking, reason: &str) -> Decision {
    match booking.ticketing.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown if booking.is_active() => {
            Decision::nothing()
                .event(Event::TicketingRefused { booking: booking.id.clone(), reason: reason.to_owned() })
                .attention(
                    order,
                    AttentionKind::of_refusal(reason),
                    format!("the back-end refused to issue ({reason}); issue by hand, or refund"),
                )
        }
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Cancelling
            if booking.ticketing.tickets.is_empty() =>
        {
            Decision::nothing().event(Event::TicketsCancelled { booking: booking.id.clone() })
        }
        // Void, or only not yet: what was issued and is to be cancelled has no other word in a back-end that knows "issued",
        // "pending" and "refused". The answer to a cancellation is plain, so it is asked for once more.
        TicketingState::Cancelling => Decision::nothing()
            .event(Event::TicketCancelStarted { booking: booking.id.clone() })
            .maybe(call_backend(order, booking, TicketOp::Cancel, None)),
        TicketingState::Issued if !booking.ticketing.manual => Decision::nothing().attention(
            order,
            AttentionKind::Contradiction,
            "the back-end refuses what it has issued before; ask it",
        ),
        _ => Decision::nothing(),
    }
}

fn unknown(order: &Order, booking: &Booking, why: &str) -> Decision {
    let decision = match booking.ticketing.state {
        TicketingState::Queued | TicketingState::Requested => {
            Decision::nothing().event(Event::TicketingUnknown { booking: booking.id.clone(), why: why.to_owned() })
        }
        _ => Decision::nothing(),
    };
    // It answered, and nobody knows the word: asking again does not help, a person does.
    match AttentionKind::of_refusal(why) {
        kind @ AttentionKind::UnknownStatus => decision.attention(order, kind, why),
        _ => decision,
    }
}

fn cancelled(order: &Order, booking: &Booking, moment: Moment) -> Decision {
    let t = &booking.ticketing;
    let void = Decision::nothing().event(Event::TicketsCancelled { booking: booking.id.clone() });
    match t.state {
        TicketingState::Cancelling | TicketingState::CancelRefused => {
            if t.tickets.is_empty() {
                return void.maybe(call_backend(order, booking, TicketOp::Query, Some(moment.now + SECOND_LOOK_AFTER)));
            }
            void
        }
        // The surplus of a set made by hand is gone, as it should be.
        TicketingState::Issued if t.manual => Decision::nothing(),
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Issued
            if booking.is_active() =>
        {
            void.attention(
                order,
                AttentionKind::Contradiction,
                "the back-end made the tickets of a live booking void; issue again by hand, or refund",
            )
        }
        _ => Decision::nothing(),
    }
}

fn cancel_pending(order: &Order, booking: &Booking, moment: Moment) -> Decision {
    match booking.ticketing.state {
        // Also tickets that are believed to be good, and the surplus beside a set made by hand: what becomes of them is asked.
        TicketingState::Cancelling | TicketingState::Issued => Decision::nothing()
            .event(Event::TicketCancelPending { booking: booking.id.clone() })
            .maybe(call_backend(order, booking, TicketOp::Query, Some(moment.now + FIRST_LOOK_AFTER))),
        _ => Decision::nothing(),
    }
}

/// The back-end does not make the tickets void. If that is because they were used, the guest was there: a fact.
fn cancel_refused(order: &Order, booking: &Booking, reason: &str, used: bool, moment: Moment) -> Decision {
    if booking.ticketing.manual && booking.ticketing.state == TicketingState::Issued {
        return surplus_stays(order, reason);
    }
    if booking.ticketing.state != TicketingState::Cancelling {
        return Decision::nothing();
    }
    let decision = Decision::nothing().event(Event::TicketCancelRefused {
        booking: booking.id.clone(),
        reason: reason.to_owned(),
        used,
    });
    if !booking.is_active() {
        let (kind, sentence) = if used {
            (AttentionKind::RedeemedWhileRefunded, "the tickets of this called-off booking had been used")
        } else {
            (
                AttentionKind::LiveTicketBehindRefund,
                "the back-end keeps tickets alive that must not admit; stop them there",
            )
        };
        return decision.attention(order, kind, sentence);
    }
    if order.case_under_review().is_none() {
        // The refund was taken back meanwhile.
        let kept = decision.then(keep(order, booking));
        return if used {
            kept.then(redemption::park(order, booking, ParkReason::NotTicketed, moment.now, "backend", moment))
        } else {
            kept
        };
    }
    if used {
        // Policy rejects the refund now; only the day may still be missing.
        let zone = order.rules.channel.time_zone;
        let too_early = booking.visit_date.is_some_and(|date| zone.date_of(moment.now) < date);
        let reason = if too_early { ParkReason::TooEarly } else { ParkReason::RefundUnderReview };
        return decision.then(redemption::park(order, booking, reason, moment.now, "backend", moment));
    }
    decision.attention(
        order,
        AttentionKind::CancelRefused,
        format!("the back-end refused to cancel ({reason}); approve without it, or reject the refund"),
    )
}

/// Two sets may admit: the one made by hand, and the back-end's own.
fn surplus_stays(order: &Order, why: &str) -> Decision {
    Decision::nothing().attention(
        order,
        AttentionKind::Contradiction,
        format!("the back-end keeps tickets of its own beside those made by hand ({why}); stop them there"),
    )
}

/// Tickets that were to be made void are good after all; what the channel still waits for goes out.
pub(super) fn keep(order: &Order, booking: &Booking) -> Decision {
    let asked = ask_about_kept(order, booking);
    if booking.ticketing.tickets.is_empty() { asked } else { asked.then(send_kept(order, booking)) }
}

/// The back-end refused to make tickets void. An answer that was lost may say otherwise, so it is asked once more.
pub(super) fn ask_about_kept(order: &Order, booking: &Booking) -> Decision {
    let asked = Decision::nothing().maybe(call_backend(order, booking, TicketOp::Query, None));
    if !booking.ticketing.tickets.is_empty() {
        return asked;
    }
    asked.attention(
        order,
        AttentionKind::TicketingFailed,
        "the refund is off, and the back-end keeps tickets that it has never shown; it is being asked for them",
    )
}

/// What the channel still waits for after a refund that came to nothing.
pub(super) fn send_kept(order: &Order, booking: &Booking) -> Decision {
    match booking.ticketing.handover {
        Handover::Asked | Handover::Owed => Decision::nothing().effect(hand_over(booking, None)),
        Handover::Refused => Decision::nothing().attention(
            order,
            AttentionKind::NotificationRefused,
            "the refund is off, and the channel has not taken the tickets; see that the guest gets them",
        ),
        Handover::NotAsked | Handover::InAnswer | Handover::Acknowledged | Handover::Reissued => Decision::nothing(),
    }
}

fn given_up(order: &Order, booking: &Booking, why: &str) -> Decision {
    match booking.ticketing.state {
        TicketingState::Cancelling => {
            let kind =
                if booking.is_active() { AttentionKind::CancelRefused } else { AttentionKind::LiveTicketBehindRefund };
            Decision::nothing().attention(
                order,
                kind,
                format!(
                    "the back-end could not be made to cancel ({why}); retry the delivery, or cancel there by hand"
                ),
            )
        }
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown => Decision::nothing().attention(
            order,
            AttentionKind::TicketingFailed,
            format!("the back-end could not be reached for tickets ({why}); retry the delivery, or issue by hand"),
        ),
        TicketingState::Issued if booking.ticketing.manual => surplus_stays(order, why),
        // The second look: an issue that was under way when it was cancelled may have gone through.
        TicketingState::Cancelled if booking.ticketing.tickets.is_empty() => Decision::nothing().attention(
            order,
            AttentionKind::LiveTicketBehindRefund,
            format!("the back-end could not be asked whether a late ticket exists ({why}); look there"),
        ),
        _ => Decision::nothing(),
    }
}

/// Tickets made by a person. What the back-end may have made meanwhile is made void: at most one set is live.
pub(super) fn supply_tickets(order: &Order, new: &[NewTicket], moment: Moment) -> Result<Decision, Rejection> {
    let Some(booking) = order.active_booking().filter(|b| b.state == BookingState::Confirmed) else {
        return Err(Rejection::new(Why::NotBooked, "this order has no confirmed booking to issue tickets for"));
    };
    let t = &booking.ticketing;
    match t.state {
        TicketingState::NotNeeded => return Err(Rejection::new(Why::AlreadyTicketed, "this product needs no tickets")),
        TicketingState::Issued | TicketingState::CancelRefused => {
            return Err(Rejection::new(Why::AlreadyTicketed, "this booking has its tickets already"));
        }
        TicketingState::Cancelling => {
            return Err(Rejection::new(
                Why::RefundUnderReview,
                "the tickets are being made void; wait for the back-end",
            ));
        }
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Failed
        | TicketingState::Cancelled => {}
    }
    if order.case_under_review().is_some_and(|case| case.intent == RefundIntent::ApproveOnceVoid) {
        return Err(Rejection::new(Why::RefundUnderReview, "the refund of this booking is being approved"));
    }
    let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
    if count != 1 && !count.is_multiple_of(order.quantity) {
        return Err(Rejection::new(
            Why::Invalid,
            format!(
                "one ticket for each of {}, a multiple of that, or one for all is needed",
                crate::words::units(order.quantity)
            ),
        )
        .at("tickets"));
    }
    let supplied = take_on(order, booking, None, new, true, moment)?;
    let may_have_more =
        matches!(t.state, TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown) && t.asked;
    if !may_have_more {
        return Ok(supplied);
    }
    let second_look = Some(moment.now + SECOND_LOOK_AFTER);
    Ok(supplied.maybe(call_backend(order, booking, TicketOp::Cancel, None)).maybe(call_backend(
        order,
        booking,
        TicketOp::Query,
        second_look,
    )))
}

/// The booking is off: whatever the back-end holds is made void.
pub(super) fn void(order: &Order, booking: &Booking) -> Decision {
    if booking.ticketing.manual && booking.ticketing.state == TicketingState::Issued {
        return Decision::nothing().attention(
            order,
            AttentionKind::LiveTicketBehindRefund,
            "these tickets were made by hand; make them void at the gate",
        );
    }
    // Asking may have been given up, and the flag that said so falls with the booking: ask once more.
    if booking.ticketing.state == TicketingState::Cancelling {
        return Decision::nothing()
            .event(Event::TicketCancelStarted { booking: booking.id.clone() })
            .maybe(call_backend(order, booking, TicketOp::Cancel, None));
    }
    start_cancel(order, booking)
}
