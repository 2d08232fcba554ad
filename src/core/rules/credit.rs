// SPDX-License-Identifier: Apache-2.0

//! What a channel's credit account covers, and what an order moves on it (DY-05): placing holds the amount, payment takes it, cancel and
//! refund return it. Where an order stands with its account follows from its own money: the order carries nothing for it.

use crate::message::Sale;
use crate::order::money::PaymentMode;
use crate::order::{Order, OrderState};
use crate::product::Currency;
use crate::rejection::{Rejection, Why};

/// An account, as its row says.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Its name.
    pub id: &'a str,
    /// Its currency.
    pub currency: &'a Currency,
    /// How far below nothing its balance may go, minor units.
    pub limit: i64,
    /// Its balance.
    pub balance: i64,
    /// What is kept back of it.
    pub held: i64,
}

/// Whether a sale is charged to an account at all.
pub fn is_charged(sale: &Sale) -> bool {
    sale.payment_mode == PaymentMode::Ledger
}

/// What of a sale an account still covers, minor units.
///
/// # Errors
/// `credit_too_low`, where the sale is in another currency.
pub fn covers(account: &Account<'_>, sale: &Sale) -> Result<i64, Rejection> {
    if *account.currency != sale.currency {
        let sentence = format!(
            "the sale is in {}, and the channel's credit account `{}` in {}; name another account",
            sale.currency.0, account.id, account.currency.0
        );
        return Err(Rejection::new(Why::CreditTooLow, sentence).at("currency"));
    }
    Ok(account.limit.saturating_add(account.balance).saturating_sub(account.held))
}

/// Where an order stands with its account, minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Kept back until it is paid.
    pub held: i64,
    /// Taken for what was sold.
    pub taken: i64,
    /// Given back of that.
    pub returned: i64,
}

impl Position {
    /// The position of an order.
    pub fn of(order: &Order) -> Self {
        let money = &order.money;
        if money.mode != PaymentMode::Ledger {
            return Self::default();
        }
        let (received, refunded) = (money.received(), money.refunded());
        match order.state {
            // What a refund left behind is the distributor's cost; everything else goes back.
            OrderState::Cancelled => {
                let kept = money.fee().min(received - refunded).max(0);
                Self { held: 0, taken: received, returned: received - kept }
            }
            OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked | OrderState::Completed => {
                Self { held: (money.due - received).max(0), taken: received, returned: refunded.min(received) }
            }
        }
    }

    /// What moves between this position and the next.
    pub fn moves_to(self, next: Self) -> Moves {
        let captured = next.taken - self.taken;
        // What is captured leaves the hold; what it cannot cover is held first.
        let to_hold = next.held - self.held + captured;
        Moves {
            hold: to_hold.max(0),
            capture: captured,
            release: (-to_hold).max(0),
            refund: next.returned - self.returned,
        }
    }
}

/// What a change of an order moves on its account, minor units. What turns out to be less than was told before is negative: a sale stays
/// what was sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Kept back.
    pub hold: i64,
    /// Taken.
    pub capture: i64,
    /// No longer kept back.
    pub release: i64,
    /// Given back.
    pub refund: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_is_taken_and_what_was_not_is_held_first() {
        let at = |held, taken, returned| Position { held, taken, returned };
        let moves = |hold, capture, release, refund| Moves { hold, capture, release, refund };
        for (from, to, expected) in [
            (at(0, 0, 0), at(100, 0, 0), moves(100, 0, 0, 0)),
            (at(100, 0, 0), at(0, 100, 0), moves(0, 100, 0, 0)),
            (at(0, 0, 0), at(0, 100, 0), moves(100, 100, 0, 0)),
            (at(100, 0, 0), at(0, 0, 0), moves(0, 0, 100, 0)),
            (at(0, 100, 0), at(0, 100, 40), moves(0, 0, 0, 40)),
            (at(0, 100, 100), at(0, 100, 40), moves(0, 0, 0, -60)),
            (at(60, 40, 0), at(0, 100, 0), moves(0, 60, 0, 0)),
        ] {
            assert_eq!(from.moves_to(to), expected, "{from:?} -> {to:?}");
        }
    }
}
