// SPDX-License-Identifier: Apache-2.0

//! What needs a person: said in the log when it begins, and with the command that helps.

use ticketbridge_core::message::NewTicket;
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState, TicketKind, TicketingState};
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::product::Ticketing;
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::{Actor, ActorKind, Answering, BackendId, Command, Millis, Moment, Order, Seed, run};

/// A way out, as it is typed.
struct Way {
    typed: String,
    /// What it wants of the order; `None` where it wants nothing of it.
    act: Option<Command>,
}

/// The command that helps with what an order needs a person for, as it is typed. What the order would refuse as it stands is not among it.
pub(crate) fn command_for(order: &Order, kind: AttentionKind) -> String {
    let ways: Vec<String> =
        ways(order, kind).into_iter().filter(|way| is_open(order, way)).map(|it| it.typed).collect();
    let command = if ways.is_empty() { looking(order) } else { ways.join(", or ") };
    if !kind.ends_by_word(order.takes_no_acts()) {
        return format!("ticketbridge {command}");
    }
    let word = serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
    format!("ticketbridge {command}; once it is seen to: orders settle {} --kind {word} --reason TEXT", order.id)
}

/// Whether the order takes it, and it changes something.
fn is_open(order: &Order, way: &Way) -> bool {
    let Some(act) = &way.act else { return true };
    let moment = Moment { now: order.updated_at, seed: Seed(0) };
    let tried = run(Some(order), act, &Actor::new(ActorKind::Ops, "trial"), moment, Answering::Nobody);
    tried.is_ok_and(|done| !done.events.is_empty())
}

/// What may help, the likeliest first.
fn ways(order: &Order, kind: AttentionKind) -> Vec<Way> {
    let id = &order.id;
    let free = |typed: String| vec![Way { typed, act: None }];
    match kind {
        AttentionKind::RefundUnderReview | AttentionKind::RefundWaits => decisions(order, false),
        AttentionKind::CancelRefused => decisions(order, true),
        // Nothing was asked of anybody: once the pool has codes, the delivery draws them.
        AttentionKind::TicketingFailed if pool_of(order).is_some() => {
            let pool = pool_of(order).map_or("POOL", BackendId::as_str);
            let drawn = format!(
                "codes import {pool} FILE, then deliveries list --order {id} --state dead, and deliveries retry DELIVERY"
            );
            with(free(drawn), [new_tickets(order, ""), cancelling(order, "")])
        }
        // Nobody knows whether the back-end has made them: to ask it again is the one way that makes none twice.
        AttentionKind::TicketingFailed if is_given_up(order) => {
            let again = format!("deliveries list --order {id} --state dead, then deliveries retry DELIVERY");
            let certain = ", once it is certain that none were made";
            with(free(again), [new_tickets(order, certain), cancelling(order, certain)])
        }
        // They are made: what they wait for is the channel.
        AttentionKind::TicketingOverdue if order.owes_tickets() => {
            free(format!("deliveries list --order {id}, then deliveries retry DELIVERY"))
        }
        AttentionKind::NotTicketed
        | AttentionKind::TicketingFailed
        | AttentionKind::NoCapacity
        | AttentionKind::Rejected
        | AttentionKind::TestMode
        | AttentionKind::QuantityDiffers
        | AttentionKind::UnknownStatus
        | AttentionKind::CodesChanged
        | AttentionKind::TicketingOverdue => vec![new_tickets(order, ""), cancelling(order, "")],
        AttentionKind::LiveTicketBehindRefund if is_cancelling(order) => {
            free(format!("deliveries list --order {id} --state dead, then deliveries retry DELIVERY"))
        }
        AttentionKind::NotificationRefused => {
            free(format!("deliveries list --order {id} --state dead, then deliveries retry or drop"))
        }
        AttentionKind::PartnerGone => {
            free(format!("deliveries list --order {id}, then deliveries drop, or configure it again"))
        }
        AttentionKind::WaitsForConfirmation => {
            let confirm = Way { typed: format!("orders confirm {id}"), act: Some(Command::ConfirmBooking) };
            vec![confirm, rejecting(order)]
        }
        AttentionKind::UnexpectedPayment => returning(order, excess(order)),
        AttentionKind::RefundFailed => returning(order, order.open_failures()),
        AttentionKind::PaymentLinkOver
            if order.booking.as_ref().is_none_or(|it| it.state == BookingState::Confirmed) =>
        {
            // When it is over is for whoever sends it to say.
            let act = Command::SendPaymentLink { amount: None, expires_at: order.updated_at + Millis::hours(1) };
            vec![Way { typed: format!("orders payment-links send {id}"), act: Some(act) }]
        }
        // No link is made for a journey that has begun: the balance is collected otherwise, and the channel's books tell of it.
        AttentionKind::PaymentLinkOver
        | AttentionKind::OpenBalance
        | AttentionKind::ReviewOverdue
        | AttentionKind::BooksDiffer
        | AttentionKind::ArrivedLate => free(format!("orders reconcile --channel {}", order.channel)),
        AttentionKind::Contradiction if order.takes_new_tickets() => {
            vec![new_tickets(order, ""), cancelling(order, "")]
        }
        AttentionKind::Contradiction if order.names_other_product().is_some() => {
            vec![rejecting(order), cancelling(order, "")]
        }
        AttentionKind::TooEarly
        | AttentionKind::RedeemedWhileRefunded
        | AttentionKind::LiveTicketBehindRefund
        | AttentionKind::Contradiction
        | AttentionKind::AnswerAstray
        | AttentionKind::ManualTask => Vec::new(),
    }
}

/// Where there is nothing to be done here, there is something to look at.
fn looking(order: &Order) -> String {
    format!("orders events {0}, and orders calls {0}", order.id)
}

fn with(mut ways: Vec<Way>, more: impl IntoIterator<Item = Way>) -> Vec<Way> {
    ways.extend(more);
    ways
}

/// What is written where a person is to write something.
fn text() -> FreeText {
    FreeText::our_own("TEXT")
}

fn new_tickets(order: &Order, when: &str) -> Way {
    let ticket = NewTicket {
        code: DocumentNumber::new("CODE".to_owned()),
        kind: TicketKind::Code,
        project_id: None,
        name: None,
    };
    let act = Some(Command::SupplyTickets { tickets: vec![ticket] });
    Way { typed: format!("tickets issue {} CODE{when}", order.id), act }
}

fn cancelling(order: &Order, when: &str) -> Way {
    let act = Some(Command::CancelOrder { reason: text() });
    Way { typed: format!("orders cancel {} --reason TEXT{when}", order.id), act }
}

fn rejecting(order: &Order) -> Way {
    let act = Some(Command::RejectBooking { reason: text() });
    Way { typed: format!("orders decline {} --reason TEXT", order.id), act }
}

/// To approve or to reject what the guest asks for.
fn decisions(order: &Order, without_backend: bool) -> Vec<Way> {
    let Some(case) = &order.refund_case else { return Vec::new() };
    // A channel that tells its orders whole names no fee: what is kept is ours to say.
    let fee = order.channel_state.is_some().then_some(0);
    let said = match (without_backend, fee) {
        (true, _) => " --without-backend",
        (false, Some(_)) => " --fee AMOUNT",
        (false, None) => "",
    };
    let id = case.id.clone();
    let approve = Command::ApproveRefund { case: id.clone(), fee, without_backend, reason: None };
    let reject = Command::RejectRefund { case: id.clone(), reason: text() };
    vec![
        Way { typed: format!("refunds approve {id}{said}"), act: Some(approve) },
        Way { typed: format!("refunds reject {id} --reason TEXT"), act: Some(reject) },
    ]
}

/// To return this much and no more. Where the channel returns its payments itself, there is only something to look at.
fn returning(order: &Order, amount: i64) -> Vec<Way> {
    if amount <= 0 {
        return Vec::new();
    }
    let act = Some(Command::ReturnPayments { amount: Some(amount), reason: text() });
    vec![Way { typed: format!("orders return-payment {} --amount {amount} --reason TEXT", order.id), act }]
}

/// The code pool that its tickets are drawn from.
fn pool_of(order: &Order) -> Option<&BackendId> {
    match &order.rules.booking.ticketing {
        Ticketing::CodePool { pool } => Some(pool),
        Ticketing::Backend { .. } | Ticketing::None => None,
    }
}

/// Whether the back-end was asked for tickets in vain, and what came of it is not known.
fn is_given_up(order: &Order) -> bool {
    order.active_booking().is_some_and(|booking| booking.ticketing.state == TicketingState::Unknown)
}

/// Whether the back-end was asked in vain to void the tickets of a booking that is off.
fn is_cancelling(order: &Order) -> bool {
    order.cancelled_and_live().is_some_and(|booking| booking.ticketing.state == TicketingState::Cancelling)
}

/// What is held and is not due. Of an order that is off, nothing is due but what is kept.
fn excess(order: &Order) -> i64 {
    match order.state {
        OrderState::Cancelled => order.money.left() - order.money.fee(),
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked | OrderState::Completed => {
            order.money.excess()
        }
    }
}

/// Says what the last change of an order began to need a person for. Only after the commit.
pub(crate) fn say_what_began(order: &Order) {
    for attention in order.attention.iter().filter(|attention| attention.since == order.updated_at) {
        let kind = serde_json::to_value(attention.kind).ok();
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default();
        metrics::counter!("ticketbridge_attention_total", "kind" => kind.to_owned()).increment(1);
        tracing::warn!(order = %order.id, channel = %order.channel, kind, reason = attention.sentence,
            helps = command_for(order, attention.kind), "an order needs a person");
    }
}
