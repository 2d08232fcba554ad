// SPDX-License-Identifier: Apache-2.0

//! What needs a person: said in the log when it begins, and with the command that helps.

use ticketbridge_core::order::{AttentionKind, BookingState, OrderState, TicketingState};
use ticketbridge_core::product::Ticketing;
use ticketbridge_core::{BackendId, Order};

/// The command that helps with what an order needs a person for, as it is typed.
pub(crate) fn command_for(order: &Order, kind: AttentionKind) -> String {
    let id = &order.id;
    let case = order.refund_case.as_ref().map_or_else(|| "CASE".to_owned(), |case| case.id.to_string());
    let command = match kind {
        // A channel that tells its orders whole names no fee: what is kept is ours to say.
        AttentionKind::RefundUnderReview | AttentionKind::RefundWaits if order.channel_state.is_some() => {
            format!("refunds approve {case} --fee AMOUNT, or refunds reject {case} --reason TEXT")
        }
        AttentionKind::RefundUnderReview | AttentionKind::RefundWaits => {
            format!("refunds approve {case}, or refunds reject {case} --reason TEXT")
        }
        AttentionKind::CancelRefused => {
            format!("refunds approve {case} --without-backend, or refunds reject {case} --reason TEXT")
        }
        // Nothing was asked of anybody: once the pool has codes, the delivery draws them.
        AttentionKind::TicketingFailed if pool_of(order).is_some() => {
            let pool = pool_of(order).map_or("POOL", BackendId::as_str);
            format!(
                "codes import {pool} FILE, then deliveries list --order {id} --state dead, and deliveries retry DELIVERY; or tickets issue {id} CODE, or orders cancel {id} --reason TEXT"
            )
        }
        // Nobody knows whether the back-end has made them: to ask it again is the one way that makes none twice.
        AttentionKind::TicketingFailed if is_given_up(order) => {
            format!(
                "deliveries list --order {id} --state dead, then deliveries retry DELIVERY; tickets issue {id} CODE, or orders cancel {id} --reason TEXT, once it is certain that none were made"
            )
        }
        AttentionKind::NotTicketed
        | AttentionKind::TicketingFailed
        | AttentionKind::NoCapacity
        | AttentionKind::Rejected
        | AttentionKind::TestMode
        | AttentionKind::QuantityDiffers
        | AttentionKind::UnknownStatus
        | AttentionKind::CodesChanged
        | AttentionKind::TicketingOverdue => {
            format!("tickets issue {id} CODE, or orders cancel {id} --reason TEXT")
        }
        AttentionKind::LiveTicketBehindRefund if is_cancelling(order) => {
            format!("deliveries list --order {id} --state dead, then deliveries retry DELIVERY")
        }
        AttentionKind::ReviewOverdue => format!("orders reconcile --channel {}", order.channel),
        AttentionKind::NotificationRefused => {
            format!("deliveries list --order {id} --state dead, then deliveries retry or drop")
        }
        AttentionKind::PartnerGone => {
            format!("deliveries list --order {id}, then deliveries drop, or configure it again")
        }
        AttentionKind::WaitsForConfirmation => {
            format!("orders confirm {id}, or orders decline {id} --reason TEXT")
        }
        AttentionKind::UnexpectedPayment => return_of(order, excess(order)),
        AttentionKind::RefundFailed => return_of(order, order.open_failures()),
        AttentionKind::BooksDiffer | AttentionKind::ArrivedLate => {
            format!("orders reconcile --channel {}", order.channel)
        }
        // No link is made for a journey that has begun: the balance is collected otherwise, and the channel's books tell of it.
        AttentionKind::OpenBalance => format!("orders reconcile --channel {}", order.channel),
        AttentionKind::PaymentLinkOver
            if order.booking.as_ref().is_none_or(|it| it.state == BookingState::Confirmed) =>
        {
            format!("orders payment-links send {id}")
        }
        AttentionKind::PaymentLinkOver => format!("orders reconcile --channel {}", order.channel),
        AttentionKind::Contradiction if order.takes_new_tickets() => {
            format!("tickets issue {id} CODE, or orders cancel {id} --reason TEXT")
        }
        AttentionKind::Contradiction if order.names_other_product().is_some() => {
            format!("orders decline {id} --reason TEXT, or orders cancel {id} --reason TEXT")
        }
        AttentionKind::TooEarly
        | AttentionKind::RedeemedWhileRefunded
        | AttentionKind::LiveTicketBehindRefund
        | AttentionKind::Contradiction
        | AttentionKind::AnswerAstray
        | AttentionKind::ManualTask => format!("orders events {id}, and orders calls {id}"),
    };
    if !kind.ends_by_word() {
        return format!("ticketbridge {command}");
    }
    let word = serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
    format!("ticketbridge {command}; once it is seen to: orders settle {id} --kind {word} --reason TEXT")
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

/// A command that returns this much and no more; where that is nothing, or the channel returns its payments itself, there is only something
/// to look at.
fn return_of(order: &Order, amount: i64) -> String {
    let id = &order.id;
    match amount {
        1.. if order.channel_state.is_some() => format!("orders return-payment {id} --amount {amount} --reason TEXT"),
        _ => format!("orders events {id}, and orders calls {id}"),
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
