// SPDX-License-Identifier: Apache-2.0

//! The tickets of an order in the books of whoever issued them. That tickets are void was a word of theirs; their books are the proof.

use ticketbridge_core::message::{Actor, ActorKind, Command, NewTicket, TicketFacts, TicketOp};
use ticketbridge_core::order::{AttentionKind, Booking, Order, TicketingState};
use ticketbridge_core::port::{CallResult, Context, HttpResponse, Operations};
use ticketbridge_core::{Millis, UnixMillis};

use super::report::{Difference, RECONCILE, Reconciliation, apply, astray, difference};
use crate::engine::EngineError;
use crate::transport::CallLimits;
use crate::worker::Worker;

/// Tickets that a back-end has called void are looked at for this long: a few rounds.
pub(super) const VOID_FOR: Millis = Millis::hours(6);

/// Asks who issued about an order: about its live tickets, and about those that are void for a short time only.
///
/// # Errors
/// Store errors.
pub(super) async fn ask(worker: &Worker, order: &Order, report: &mut Reconciliation) -> Result<(), EngineError> {
    ask_about_void(worker, order, report).await?;
    match order.active_booking().filter(|booking| booking.ticketing.asked && !booking.ticketing.manual) {
        Some(booking) => ask_about(worker, order, booking, report).await,
        None => Ok(()),
    }
}

/// Bookings whose tickets are void as far as we know, and have been for a short time only.
async fn ask_about_void(worker: &Worker, order: &Order, report: &mut Reconciliation) -> Result<(), EngineError> {
    if !is_to_be_seen(order, worker.engine.clock().now()) {
        return Ok(());
    }
    for booking in bookings(order).filter(|booking| is_void(booking)) {
        ask_about(worker, order, booking, report).await?;
    }
    Ok(())
}

/// Whether the back-end has said that it made the tickets void. That was a word; its books are the proof.
fn is_void(booking: &Booking) -> bool {
    let t = &booking.ticketing;
    !booking.is_active() && t.state == TicketingState::Cancelled && t.asked && !t.manual
}

/// Whether tickets of an order were called void so lately that the back-end's books have still to show it.
pub(super) fn is_to_be_seen(order: &Order, now: UnixMillis) -> bool {
    now - order.updated_at <= VOID_FOR && bookings(order).any(is_void)
}

fn bookings(order: &Order) -> impl Iterator<Item = &Booking> {
    order.past_bookings.iter().chain(&order.booking)
}

async fn ask_about(
    worker: &Worker,
    order: &Order,
    booking: &Booking,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    let Some(id) = order.rules.booking.ticketing.issuer() else { return Ok(()) };
    let Some(backend) = worker.engine.running().registry.backend(id) else { return Ok(()) };
    if !backend.backend.spec().can_query {
        return Ok(());
    }
    let answer = match worker.hear_of_booking(&backend, order, booking, None).await? {
        Some(answer) => answer,
        None => {
            let Operations::Calls(calls) = backend.backend.operations() else { return Ok(()) };
            let write = |cx: &Context<'_>| calls.call(TicketOp::Query, order, booking, cx);
            let read = |response: &HttpResponse| calls.read(TicketOp::Query, order, booking, response);
            let limits = CallLimits { timeout: backend.timeout, ..worker.call_timeout() };
            let Ok(exchange) = worker.ask(RECONCILE, limits, &write, &read).await else { return Ok(()) };
            exchange.result
        }
    };
    match answer {
        CallResult::Done(facts) => compare_backend(worker, order, booking, backend.id.as_str(), facts, report).await,
        CallResult::Absent => absent(worker, order, booking, backend.id.as_str(), report).await,
        CallResult::Astray { why } => {
            let actor = Actor::new(ActorKind::Backend, backend.id.as_str());
            astray(worker, order, actor, "reservation", &why, report).await
        }
        // It answers with a word that nobody knows: a person reads it.
        CallResult::Unknown { why } if AttentionKind::of_refusal(why.reveal()) == AttentionKind::UnknownStatus => {
            let facts = TicketFacts::Unknown { why: why.clone() };
            let actor = Actor::new(ActorKind::Backend, backend.id.as_str());
            let command = Command::RecordTicketFacts { booking: booking.id.clone(), facts };
            apply(worker, order, command, actor).await?;
            report.note(Difference {
                ours: state_word(booking),
                theirs: "a word that nobody knows".to_owned(),
                reason: why.to_string(),
                ..difference(order, backend.id.as_str(), "ticketing")
            });
            Ok(())
        }
        CallResult::Retry { .. }
        | CallResult::Refused { .. }
        | CallResult::Unknown { .. }
        | CallResult::Overtaken
        | CallResult::TokenRejected => {
            report.unanswered += 1;
            Ok(())
        }
    }
}

/// Tickets that a back-end has said it made are with the guest. That was a word; where its books have none, a person asks before the visit.
async fn not_issued(worker: &Worker, order: &Order, partner: &str, say: &str) -> Result<(), EngineError> {
    let sentence = format!("`{partner}` said that it made these tickets, and its books {say}: ask it before the visit");
    let actor = Actor::new(ActorKind::Backend, partner);
    apply(worker, order, Command::RecordDoubt { sentence: sentence.into(), unread: false }, actor).await.map(drop)
}

async fn absent(
    worker: &Worker,
    order: &Order,
    booking: &Booking,
    partner: &str,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    if booking.ticketing.state == TicketingState::Issued && booking.is_active() {
        not_issued(worker, order, partner, "know nothing of them").await?;
    }
    if matches!(booking.ticketing.state, TicketingState::Issued | TicketingState::Requested) {
        report.note(Difference {
            ours: state_word(booking),
            theirs: "unknown".to_owned(),
            reason: "the back-end does not know tickets that it has issued or promised; ask it before the visit"
                .to_owned(),
            ..difference(order, partner, "ticketing")
        });
    }
    Ok(())
}

async fn compare_backend(
    worker: &Worker,
    order: &Order,
    booking: &Booking,
    partner: &str,
    facts: TicketFacts,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    let theirs = match &facts {
        TicketFacts::Pending { .. } => TicketingState::Requested,
        TicketFacts::Issued { .. } => TicketingState::Issued,
        TicketFacts::Refused { .. } => TicketingState::Failed,
        TicketFacts::Cancelled | TicketFacts::CancelledKeeping { .. } => TicketingState::Cancelled,
        TicketFacts::CancelPending => TicketingState::Cancelling,
        TicketFacts::CancelRefused { .. } => TicketingState::CancelRefused,
        TicketFacts::Redeemed { .. } => return used_there(worker, order, booking, partner, facts, report).await,
        TicketFacts::HeldByAnother { .. } | TicketFacts::Unknown { .. } | TicketFacts::GivenUp { .. } => return Ok(()),
    };
    let ours = booking.ticketing.state;
    // What is on its way is no difference yet.
    // Some have no word of their own for what was cancelled, or take their time.
    let is_off = is_void(booking) && matches!(theirs, TicketingState::Failed | TicketingState::Cancelling);
    let under_way = matches!(ours, TicketingState::Queued | TicketingState::Unknown | TicketingState::Cancelling)
        && theirs == TicketingState::Requested;
    let other_codes = match &facts {
        TicketFacts::Issued { tickets, .. } => {
            ours == TicketingState::Issued
                && !booking.ticketing.manual
                && !NewTicket::are_those_of(tickets, &booking.ticketing)
        }
        _ => false,
    };
    let agrees = ours == theirs && !other_codes;
    // What it had contradicted before is settled by its word.
    let is_stale = agrees && order.needs(AttentionKind::CodesChanged);
    if (agrees || under_way || is_off) && !is_stale {
        return Ok(());
    }
    let actor = Actor::new(ActorKind::Backend, partner);
    let command = Command::RecordTicketFacts { booking: booking.id.clone(), facts };
    let repaired = apply(worker, order, command, actor.clone()).await?;
    if is_stale {
        return Ok(());
    }
    if !repaired && is_void(booking) && theirs == TicketingState::Issued {
        let sentence =
            format!("`{partner}` said that these tickets are void, and its books hold them: void them there");
        apply(worker, order, Command::RecordDoubt { sentence: sentence.into(), unread: false }, actor).await?;
    }
    if !repaired && booking.is_active() && ours == TicketingState::Issued && !other_codes {
        not_issued(worker, order, partner, &format!("call them `{}`", word(theirs))).await?;
    }
    report.note(Difference {
        ours: state_word(booking),
        theirs: if other_codes { "other codes".to_owned() } else { word(theirs) },
        reason: match repaired {
            true if other_codes => "the first codes are kept; ask the back-end which of them admit".to_owned(),
            true => "the back-end's word was taken over".to_owned(),
            false => "the back-end's word contradicts ours; a person must look".to_owned(),
        },
        repaired: repaired && !other_codes,
        ..difference(order, partner, "ticketing")
    });
    Ok(())
}

/// A visit that the back-end knows and did not tell: the guest was there.
async fn used_there(
    worker: &Worker,
    order: &Order,
    booking: &Booking,
    partner: &str,
    facts: TicketFacts,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    if order.parked_redemption.is_some() {
        return Ok(());
    }
    let actor = Actor::new(ActorKind::Backend, partner);
    let command = Command::RecordTicketFacts { booking: booking.id.clone(), facts };
    let repaired = apply(worker, order, command, actor).await?;
    report.note(Difference {
        ours: "not used".to_owned(),
        theirs: "used".to_owned(),
        reason: "the guest was there and the back-end had not told; recorded, or kept until the order allows it"
            .to_owned(),
        repaired,
        ..difference(order, partner, "redemption")
    });
    Ok(())
}

fn state_word(booking: &Booking) -> String {
    word(booking.ticketing.state)
}

fn word(state: TicketingState) -> String {
    serde_json::to_value(state).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
