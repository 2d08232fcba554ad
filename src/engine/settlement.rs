// SPDX-License-Identifier: Apache-2.0

//! What an order's change means for the statement of those it is settled with (PA-05). Lines follow from the order's money before
//! and after, in the same commit.
//!
//! The commission is a share of what stays of an order after refunds, rounded to the nearest minor unit, halves up, once for each
//! detail number of the channel's (KA-02), or for the order where there is none: what was written before is corrected by the
//! difference, so that the lines of an order always add up to these roundings.

use ticketbridge_core::order::Order;
use ticketbridge_core::order::money::PaymentMode;
use ticketbridge_store::{LineKind, SettleTerms, StatementLine, StoreError, Tx};

use crate::config::BASIS_POINTS;
use crate::service::live::Running;

/// `share` ten-thousandths of `amount`, rounded to the nearest minor unit, halves up. Nothing of nothing or less.
pub fn commission(amount: i64, share_bp: u32) -> i64 {
    let whole = i128::from(BASIS_POINTS);
    let exact = i128::from(amount.max(0)) * i128::from(share_bp);
    i64::try_from((exact + whole / 2) / whole).unwrap_or(i64::MAX)
}

/// `net` dealt over the order's details in proportion to their prices, what does not divide to the last one.
fn dealt(order: &Order, net: i64) -> Vec<i64> {
    let lines =
        order.channel_state.as_deref().map(|channel_state| channel_state.standing.lines.as_slice()).unwrap_or_default();
    let prices: Vec<i64> = lines.iter().map(|line| line.amount.max(0)).filter(|price| *price > 0).collect();
    let all: i128 = prices.iter().copied().map(i128::from).sum();
    let Some((_, others)) = prices.split_last() else { return vec![net] };
    let share = |price: &i64| i64::try_from(i128::from(net) * i128::from(*price) / all).unwrap_or(net);
    let mut shares: Vec<i64> = others.iter().map(share).collect();
    shares.push(net - shares.iter().sum::<i64>());
    shares
}

/// The amounts of an order, each in its line's own direction.
fn amounts(order: &Order, share_bp: u32) -> [(LineKind, i64); 4] {
    let money = &order.money;
    let (received, refunded, fee) = match money.mode {
        PaymentMode::Ledger => {
            let (received, refunded) = (money.received(), money.refunded());
            // Later refunds eat into what the first one left.
            (received, refunded, money.fee().min(received - refunded).max(0))
        }
        PaymentMode::BookingOnly | PaymentMode::External => (0, 0, 0),
    };
    [
        (LineKind::Sale, received),
        (LineKind::Commission, dealt(order, received - refunded).iter().map(|part| commission(*part, share_bp)).sum()),
        (LineKind::Refund, refunded),
        (LineKind::Fee, fee),
    ]
}

/// Who the orders of a channel are settled with: the channel itself, unless it names somebody.
fn terms_now(running: &Running, order: &Order) -> SettleTerms {
    let channel = running.config.channel(&order.channel);
    SettleTerms {
        settle_id: channel.and_then(|it| it.settle_id.clone()).unwrap_or_else(|| order.channel.to_string()),
        commission_bp: channel.and_then(|it| it.commission_bp).unwrap_or(0),
    }
}

/// Writes the lines of a change.
pub(crate) async fn follow(
    tx: &Tx,
    running: &Running,
    before: Option<&Order>,
    after: &Order,
) -> Result<(), StoreError> {
    // Most changes move no money.
    if before.map_or(after.money.ledger.is_empty(), |order| order.money == after.money) {
        return Ok(());
    }
    let known = match before {
        Some(_) => tx.settle_terms(&after.id).await?,
        None => None,
    };
    let terms = known.unwrap_or_else(|| terms_now(running, after));
    let was = before.map(|order| amounts(order, terms.commission_bp));
    let is = amounts(after, terms.commission_bp);
    let lines: Vec<StatementLine> = is
        .into_iter()
        .enumerate()
        .map(|(index, (kind, amount))| (kind, amount - was.map_or(0, |was| was[index].1)))
        .filter(|(_, amount)| *amount != 0)
        .map(|(kind, amount)| StatementLine {
            order: after.id.clone(),
            version: after.version,
            kind,
            channel: after.channel.clone(),
            currency: after.money.currency.clone(),
            amount,
            at: after.updated_at,
        })
        .collect();
    tx.add_statement_lines(&terms, &lines).await
}

#[cfg(test)]
mod tests {
    use super::commission;

    #[test]
    fn commission_is_rounded_once_halves_up() {
        for (amount, share_bp, expected) in [
            (39_800, 300, 1_194),
            (50, 100, 1),
            (49, 100, 0),
            (150, 100, 2),
            (10_000, 10_000, 10_000),
            (1, 10_000, 1),
            (0, 300, 0),
            (-5, 300, 0),
            (9_007_199_254_740_991, 10_000, 9_007_199_254_740_991),
        ] {
            assert_eq!(commission(amount, share_bp), expected, "{share_bp} of {amount}");
        }
    }
}
