// SPDX-License-Identifier: Apache-2.0

//! Axis 4, the payment: it is computed from the ledger, and nothing else.

use crate::evolve::attention::clear;
use crate::order::money::{LedgerEntry, PaymentState};
use crate::order::undelivered::TOO_MUCH_BACK;
use crate::order::{Attention, AttentionKind, Order, OrderState};

pub(super) fn recorded(order: &mut Order, entry: &LedgerEntry) {
    order.money.record(entry.clone());
    settle_alarms(order);
}

pub(super) fn retracted(order: &mut Order, reference: &str) {
    order.money.ledger.retain(|entry| entry.reference != reference);
}

/// Alarms about money end when the money is right: nothing that was not due is left here, and nothing that is due is missing.
pub(super) fn settle_alarms(order: &mut Order) {
    let money = &order.money;
    let held = money.held();
    let is_even = match order.state {
        OrderState::Cancelled => held >= 0 && held == money.fee(),
        // Only a channel that tells its orders whole says what is due now.
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked | OrderState::Completed => {
            held >= 0 && (order.channel_state.is_none() || held <= money.due)
        }
    };
    if is_even {
        clear(order, AttentionKind::UnexpectedPayment);
    }
    if order.open_balance() <= 0 {
        clear(order, AttentionKind::OpenBalance);
    }
    if order.payment() != PaymentState::RefundFailed {
        clear(order, AttentionKind::RefundFailed);
    }
}

/// A flag for money that was not due says how its return stands now. That more went back than came in is another matter.
pub(super) fn tell_how_returns_stand(order: &mut Order) {
    let Some(sentence) = order.how_the_return_stands() else { return };
    let is_it = |flag: &&mut Attention| flag.kind == AttentionKind::UnexpectedPayment && flag.sentence != TOO_MUCH_BACK;
    for flag in order.attention.iter_mut().filter(is_it) {
        sentence.clone_into(&mut flag.sentence);
    }
}
