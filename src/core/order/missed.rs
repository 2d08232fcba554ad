// SPDX-License-Identifier: Apache-2.0

//! Which of the undelivered notifications still need a person, and what makes up for them.

use crate::notification::Notification;
use crate::order::asked_for::is_asked_for;
use crate::order::channel_state::{ChannelState, Stage};
use crate::order::money::{EntryStatus, LedgerEntry};
use crate::order::undelivered::{NOT_RETURNED, RETURNING, Undelivered};
use crate::order::{AttentionKind, Booking, BookingState, Order, OrderState, TicketingState};

impl Order {
    /// The active booking whose tickets the back-end was asked to void until asking was given up: nobody asks any more.
    pub(crate) fn cancellation_given_up(&self) -> Option<&Booking> {
        let booking = self.active_booking()?;
        let is_open = booking.ticketing.state == TicketingState::Cancelling && self.needs(AttentionKind::CancelRefused);
        is_open.then_some(booking)
    }
    /// Whether money is to go back by a call of ours that has neither been refused nor left to a person.
    fn is_returning(&self) -> bool {
        let left = |reference: &str| {
            self.undelivered.iter().any(|undelivered| match &undelivered.notification {
                Notification::PaymentReturn { reference: of, .. } => of == reference,
                _ => false,
            })
        };
        let unnamed =
            self.money.ledger.iter().filter(|entry| entry.is_unnamed() && entry.status == EntryStatus::Pending);
        unnamed.into_iter().any(|entry| !left(&entry.reference))
    }
    /// What a flag for money that was not due says now, where that has changed since it was raised.
    pub(crate) fn how_the_return_stands(&self) -> Option<&'static str> {
        if self.is_returning() {
            return Some(RETURNING);
        }
        let waits = self.undelivered.iter().any(|undelivered| {
            !undelivered.is_put_aside && matches!(undelivered.notification, Notification::PaymentReturn { .. })
        });
        waits.then_some(NOT_RETURNED)
    }
    /// Whether such a notification was refused, or left to a person, before: policy does not ask for it again.
    pub(crate) fn was_undelivered(&self, is_it: impl Fn(&Notification) -> bool) -> bool {
        self.undelivered.iter().any(|undelivered| is_it(&undelivered.notification))
    }
    /// What ops have put aside: no flag stands for it, and the partner has never been told.
    pub fn put_aside(&self) -> impl Iterator<Item = &Notification> {
        self.undelivered
            .iter()
            .filter(|undelivered| undelivered.is_put_aside)
            .map(|undelivered| &undelivered.notification)
    }
    /// Whether this very notification has not reached its partner, and nothing is under way: refused, left to a person, or put aside.
    pub fn is_untold(&self, notification: &Notification) -> bool {
        self.was_undelivered(|untold| untold == notification)
    }
    /// Whether a call is not needed to tell it once more: nobody but a person has it, or she has put it aside.
    pub(crate) fn is_let_go(&self, notification: &Notification) -> bool {
        let is_it = |undelivered: &&Undelivered| undelivered.notification == *notification;
        let found = self.undelivered.iter().find(is_it);
        found.is_some_and(|undelivered| undelivered.is_put_aside || undelivered.kind == AttentionKind::ManualTask)
    }
    /// Whether the money of an order that is off went back, but for what is kept as a fee.
    fn has_given_all_back(&self) -> bool {
        let money = &self.money;
        self.state == OrderState::Cancelled && money.refunded() > 0 && money.held() <= money.fee()
    }
    /// Whether a flag of `kind` stands for any of them.
    pub(crate) fn misses_any(&self, kind: AttentionKind) -> bool {
        self.undelivered.iter().any(|undelivered| !undelivered.is_put_aside && undelivered.kind == kind)
    }
    /// Whether a flag stands for this very notification.
    pub fn misses(&self, notification: &Notification) -> bool {
        self.undelivered
            .iter()
            .any(|undelivered| !undelivered.is_put_aside && undelivered.notification == *notification)
    }
}

/// Whether a person has to do something about `notification`, which ended in a flag of `kind`.
pub(crate) fn is_missed(order: &Order, notification: &Notification, kind: AttentionKind) -> bool {
    let Some(channel_state) = order.channel_state.as_deref() else {
        // Whoever gave the money back has cancelled it there.
        return !matches!(notification, Notification::OrderCancelled { .. }) || !order.has_given_all_back();
    };
    if kind == AttentionKind::ManualTask {
        let stands = match notification {
            Notification::RefundApproved { .. } | Notification::RefundRejected { .. } => {
                !order.is_over() && matches!(channel_state.standing.stage, Stage::CancelRequested { .. })
            }
            Notification::LinkRevoked { id } => !link_has_ended(channel_state, id),
            Notification::BookingConfirmed { .. }
            | Notification::BookingRejected { .. }
            | Notification::TicketsIssued { .. }
            | Notification::Redeemed { .. }
            | Notification::NoShow { .. }
            | Notification::OrderCancelled { .. }
            | Notification::CancelQuote
            | Notification::Cancellation { .. }
            | Notification::PaymentReturn { .. }
            | Notification::PaymentLink { .. }
            | Notification::HandOver
            | Notification::GuestMessage { .. } => true,
        };
        return stands && is_asked_for(order, notification);
    }
    match notification {
        Notification::BookingConfirmed { booking } | Notification::BookingRejected { booking, .. } => {
            order.booking_by_id(booking).is_some_and(|b| b.state == BookingState::Requested)
        }
        Notification::CancelQuote | Notification::Cancellation { .. } => !order.is_over(),
        Notification::RefundApproved { .. } | Notification::RefundRejected { .. } => {
            !order.is_over() && matches!(channel_state.standing.stage, Stage::CancelRequested { .. })
        }
        Notification::Redeemed { .. } | Notification::NoShow { .. } => is_asked_for(order, notification),
        Notification::PaymentReturn { payment, amount, left, .. } => {
            order.money.held() > 0 && !went_back(order, payment, *amount, *left)
        }
        Notification::PaymentLink { .. } => {
            let is_paid = order.money.held() >= order.money.due;
            order.state != OrderState::Cancelled && !is_paid && channel_state.live_link().is_none()
        }
        Notification::LinkRevoked { id } => !link_has_ended(channel_state, id),
        Notification::HandOver => order.state != OrderState::Cancelled,
        Notification::TicketsIssued { .. }
        | Notification::OrderCancelled { .. }
        | Notification::GuestMessage { .. } => true,
    }
}

/// Whether a return that was asked for when `left` was left of the payment has come about: there is no more left than there would be, and
/// where the channel lists what went back, this amount is among it. It may have returned another one by itself.
pub(crate) fn went_back(order: &Order, payment: &str, amount: i64, left: i64) -> bool {
    let payments = order.channel_state.iter().flat_map(|state| &state.standing.payments);
    let mut reduced = payments.filter(|known| known.id == payment && known.left <= left - amount);
    reduced.any(|known| {
        let is_it = |entry: &LedgerEntry| {
            entry.amount == amount && entry.status != EntryStatus::Failed && known.returns.contains(&entry.reference)
        };
        known.returns.is_empty() || order.money.ledger.iter().any(is_it)
    })
}

/// The link is over, whatever became of our wish.
pub(crate) fn link_has_ended(channel_state: &ChannelState, id: &str) -> bool {
    let link = channel_state.links.iter().find(|link| link.id.as_deref() == Some(id));
    link.is_some_and(|link| link.state.is_over())
}

/// Whether the channel, having taken `taken`, has what it once refused with `refused`.
pub(crate) fn makes_up_for(taken: &Notification, refused: &Notification) -> bool {
    match taken {
        Notification::PaymentReturn { payment, .. } => {
            matches!(refused, Notification::PaymentReturn { payment: before, .. } if payment == before)
        }
        Notification::RefundApproved { case, .. } => {
            matches!(refused, Notification::RefundApproved { case: before, .. } if case == before)
        }
        Notification::RefundRejected { case, .. } => {
            matches!(refused, Notification::RefundRejected { case: before, .. } if case == before)
        }
        Notification::LinkRevoked { id } => {
            matches!(refused, Notification::LinkRevoked { id: before } if id == before)
        }
        Notification::TicketsIssued { booking } => {
            matches!(refused, Notification::TicketsIssued { booking: before } if booking == before)
        }
        Notification::Redeemed { booking, .. } => {
            matches!(refused, Notification::Redeemed { booking: before, .. } if booking == before)
        }
        Notification::NoShow { booking, .. } => {
            matches!(refused, Notification::NoShow { booking: before, .. } if booking == before)
        }
        Notification::BookingConfirmed { booking } => {
            matches!(refused, Notification::BookingConfirmed { booking: before } if booking == before)
        }
        Notification::BookingRejected { booking, .. } => {
            matches!(refused, Notification::BookingRejected { booking: before, .. } if booking == before)
        }
        Notification::Cancellation { .. } => {
            matches!(refused, Notification::Cancellation { .. } | Notification::CancelQuote)
        }
        Notification::CancelQuote => matches!(refused, Notification::CancelQuote),
        Notification::OrderCancelled { .. } => matches!(refused, Notification::OrderCancelled { .. }),
        Notification::PaymentLink { .. } => matches!(refused, Notification::PaymentLink { .. }),
        Notification::HandOver => matches!(refused, Notification::HandOver),
        Notification::GuestMessage { .. } => matches!(refused, Notification::GuestMessage { .. }),
    }
}
