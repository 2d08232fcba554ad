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
                // While an approved return is on its way, its fee is what it leaves.
                let leaves = if money.presumes_refund() && money.refund_pending() > 0 { money.left() } else { 0 };
                let kept = money.fee().max(leaves).min(received - refunded).max(0);
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
    use crate::order::channel_state::Stage;
    use crate::order::money::{EntryKind, EntryStatus, LedgerEntry};
    use crate::rules::samples;
    use crate::time::UnixMillis;

    /// An order of 100 that stands so, after these movements.
    fn order(state: OrderState, movements: &[(EntryKind, i64)]) -> Order {
        let mut order = samples::told(1, samples::snapshot(Stage::Requested, true, false), None);
        order.state = state;
        order.money.mode = PaymentMode::Ledger;
        (order.money.gross, order.money.due) = (100, 100);
        let entry = |(index, (kind, amount)): (usize, &(EntryKind, i64))| LedgerEntry {
            reference: format!("m{index}"),
            kind: *kind,
            status: EntryStatus::Done,
            amount: *amount,
            at: UnixMillis(0),
        };
        order.money.ledger = movements.iter().enumerate().map(entry).collect();
        order
    }

    #[test]
    fn an_account_covers_its_limit_and_its_balance_without_what_is_kept_back() {
        let (sale, yuan) = (samples::sale(1), samples::sale(1).currency);
        let account = Account { id: "main", currency: &yuan, limit: 500, balance: -200, held: 70 };
        assert_eq!(covers(&account, &sale), Ok(230));
        let won = Currency("KRW".to_owned());
        let refused = covers(&Account { currency: &won, ..account }, &sale).expect_err("it is in another currency");
        assert_eq!((refused.why, refused.field.as_deref()), (Why::CreditTooLow, Some("currency")));
    }

    #[test]
    fn only_a_sale_whose_money_is_ours_to_count_is_charged() {
        for (mode, charged) in
            [(PaymentMode::Ledger, true), (PaymentMode::BookingOnly, false), (PaymentMode::External, false)]
        {
            assert_eq!(is_charged(&Sale { payment_mode: mode, ..samples::sale(1) }), charged, "{mode:?}");
            let mut order = order(OrderState::Booked, &[(EntryKind::Charge, 100)]);
            order.money.mode = mode;
            assert_eq!(Position::of(&order) != Position::default(), charged, "{mode:?}");
        }
    }

    #[test]
    fn where_an_order_stands_follows_from_its_money() {
        use EntryKind::{Charge, Fee, Refund};
        let at = |held, taken, returned| Position { held, taken, returned };
        for (state, movements, expected) in [
            (OrderState::Placed, &[][..], at(100, 0, 0)),
            (OrderState::Placed, &[(Charge, 40)], at(60, 40, 0)),
            (OrderState::Booked, &[(Charge, 120)], at(0, 120, 0)),
            (OrderState::Booked, &[(Charge, 100), (Refund, 30)], at(0, 100, 30)),
            // More went back than came in: the account is not given what was never taken.
            (OrderState::Completed, &[(Charge, 100), (Refund, 130)], at(0, 100, 100)),
            (OrderState::Cancelled, &[], at(0, 0, 0)),
            (OrderState::Cancelled, &[(Charge, 100)], at(0, 100, 100)),
            (OrderState::Cancelled, &[(Charge, 100), (Refund, 80), (Fee, 20)], at(0, 100, 80)),
            // Of a fee only what did not go back is left.
            (OrderState::Cancelled, &[(Charge, 100), (Refund, 95), (Fee, 20)], at(0, 100, 95)),
            (OrderState::Cancelled, &[(Charge, 100), (Refund, 110), (Fee, 20)], at(0, 100, 100)),
        ] {
            assert_eq!(Position::of(&order(state, movements)), expected, "{state:?} {movements:?}");
        }
        // What an approval leaves is the distributor's cost at once, and no other return that is on its way.
        for (presumed, returned) in [(true, 80), (false, 100)] {
            let mut order = order(OrderState::Cancelled, &[(Charge, 100)]);
            let mut back = LedgerEntry::presumed(EntryStatus::Pending, 80, UnixMillis(0));
            if !presumed {
                back.reference = "r1".to_owned();
            }
            order.money.record(back);
            assert_eq!(Position::of(&order), at(0, 100, returned), "{presumed}");
        }
    }

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
