// SPDX-License-Identifier: Apache-2.0

//! Money on its way back where the channel names its movements: what did not arrive, and what of a payment is left.

use crate::message::Notification;
use crate::order::channel_state::Payment;
use crate::order::money::{EntryStatus, LedgerEntry, UNNAMED};
use crate::order::{Order, OrderState};

impl Order {
    /// What did not go back although it was to, and was not returned otherwise since (KA-08).
    ///
    /// Of an order that is cancelled, what went back in all says it: all that is not kept was to. Otherwise a return is made good by another
    /// one of the same payment; what went back with other units is their money.
    pub fn open_failures(&self) -> i64 {
        let money = &self.money;
        if self.state == OrderState::Cancelled && self.channel_state.is_some() {
            return money.failed().min(money.left() - money.fee()).max(0);
        }
        money.failures_but(|failed, other| {
            let (of, by) = (self.payment_of(failed), self.payment_of(other));
            let is_of_units = by.is_some_and(|payment| payment.with_booking.contains(&other.reference));
            let is_same = of.is_none() || by.is_none() || of.map(|it| &it.id) == by.map(|it| &it.id);
            is_same && !is_of_units
        })
    }

    /// The payment that a movement gives back.
    fn payment_of(&self, entry: &LedgerEntry) -> Option<&Payment> {
        let payments = &self.channel_state.as_deref()?.standing.payments;
        let is_its = |payment: &&Payment| {
            payment.returns.contains(&entry.reference) || entry.reference.starts_with(&unnamed_prefix(&payment.id))
        };
        payments.iter().find(is_its)
    }

    /// Whether a return of this payment did not work.
    pub(crate) fn had_failure(&self, payment: &Payment) -> bool {
        let mut failed = self.money.ledger.iter().filter(|entry| entry.status == EntryStatus::Failed);
        failed.any(|entry| payment.returns.contains(&entry.reference))
    }

    /// What of a payment can still go back when the return `reference` is asked for, as the channel counts it by now. What was asked for
    /// before, and it has not named yet, is taken off. `None` where it lists no such payment.
    pub fn left_for_return(&self, payment: &str, reference: &str) -> Option<i64> {
        let payments = &self.channel_state.as_deref()?.standing.payments;
        let left = payments.iter().find(|it| it.id == payment)?.left;
        let prefix = unnamed_prefix(payment);
        let before = self.money.ledger.iter().take_while(|entry| entry.reference != reference);
        let asked = before.filter(|e| e.reference.starts_with(&prefix) && e.status != EntryStatus::Failed);
        Some(asked.fold(left, |left, entry| left.saturating_sub(entry.amount)).max(0))
    }

    /// Whether `notification` asks for the return of more than is left of its payment by now.
    pub fn has_less_left_than(&self, notification: &Notification) -> bool {
        let Notification::PaymentReturn { reference, payment, amount, .. } = notification else { return false };
        self.left_for_return(payment, reference).is_some_and(|left| *amount > left)
    }
}

/// How the returns of a payment begin that we asked for, and the channel has not named yet.
pub(crate) fn unnamed_prefix(payment: &str) -> String {
    format!("{UNNAMED}{payment}:")
}
