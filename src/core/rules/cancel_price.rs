// SPDX-License-Identifier: Apache-2.0

//! What cancelling costs where the channel leads the order: the share of the units, the rate that belongs to a fee, and whether a quote still
//! holds.

use crate::order::Order;
use crate::order::channel_state::{ChannelState, Line, Part};
use crate::rules::cancel_policy::{CancelPolicy, WHOLE_BP, share};
use crate::time::UnixMillis;

/// What the units cost that are to be cancelled: all that are left of the order, or their share after discount.
pub(crate) fn price_of(order: &Order, channel_state: &ChannelState, parts: &[Part]) -> i64 {
    let lines = &channel_state.standing.lines;
    let units: Vec<(&Line, u32)> = if !parts.is_empty() {
        let line = |part: &Part| Some((lines.iter().find(|line| line.detail == part.detail)?, part.units));
        parts.iter().filter_map(line).collect()
    } else if channel_state.cancelled_units() > 0 {
        lines.iter().map(|line| (line, line.live())).collect()
    } else {
        return order.money.due;
    };
    let gross: i128 = units.into_iter().map(|(line, units)| line.gross_of(units)).sum();
    let net = gross * i128::from(order.money.due) / i128::from(order.money.gross.max(1));
    i64::try_from(net).unwrap_or(order.money.due).min(order.money.due)
}

/// Why a quote cannot be for the units that are to be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misquoted {
    /// It names more than they cost.
    TooMuch,
    /// It names less: something would neither be kept nor go back.
    TooLittle,
}

/// Whether the channel's quote can be for the units that are to be cancelled: what is kept and what goes back of a part are together what the
/// part costs, with all of the discount taken off or none of it. A channel that prices the whole order when it is asked about a part would
/// give all of it back for one unit. Of all that is left, no more goes back than can, whatever is quoted.
pub fn misquoted(order: &Order, fee: i64, refund: Option<i64>) -> Option<Misquoted> {
    let channel_state = order.channel_state.as_deref()?;
    let parts = channel_state.parts_to_cancel();
    let quoted = i128::from(fee) + i128::from(refund.unwrap_or(0));
    let is_all = parts.is_empty() || are_all_left(order, parts);
    let price = if is_all { gross_left(channel_state) } else { gross_of(channel_state, parts) };
    if !is_all && quoted > price {
        return Some(Misquoted::TooMuch);
    }
    (refund.is_some() && quoted < least_of(order, channel_state, price)).then_some(Misquoted::TooLittle)
}

/// The least that units of a price can cost: with all of the discount taken off them. What did not go back of other units is none of these.
fn least_of(order: &Order, channel_state: &ChannelState, price: i128) -> i128 {
    let discount = i128::from(order.money.gross - order.money.due).max(0);
    (price - discount).min(i128::from(can_go_back(order, channel_state)))
}

/// Whether nothing of the order stays that was neither used nor cancelled.
pub(crate) fn are_all_left(order: &Order, parts: &[Part]) -> bool {
    let Some(channel_state) = order.channel_state.as_deref() else { return false };
    let stays = |line: &Line| {
        let named: u32 = parts.iter().filter(|part| part.detail == line.detail).map(|part| part.units).sum();
        line.left() > named
    };
    !order.as_used(channel_state).standing.lines.iter().any(stays)
}

/// The fee that a quote names, for the units that are to be cancelled, of which `held` can go back: one for more than those cost was asked for
/// before some of them were used, and its fee is theirs by their share.
pub(crate) fn fee_for(state: &ChannelState, parts: &[Part], (fee, refund): (i64, i64), held: i64) -> i64 {
    let (whole, price) = (i128::from(fee.max(0)) + i128::from(refund.max(0)), gross_of(state, parts));
    if parts.is_empty() || whole <= price {
        return fee;
    }
    i64::try_from(i128::from(fee.max(0)) * price.min(i128::from(held.max(0))) / whole).unwrap_or(fee)
}

/// What the units cost before any discount that were neither cancelled nor used.
fn gross_left(channel_state: &ChannelState) -> i128 {
    channel_state.standing.lines.iter().map(|line| line.gross_of(line.left())).sum()
}

/// What units cost before any discount.
fn gross_of(channel_state: &ChannelState, parts: &[Part]) -> i128 {
    let lines = &channel_state.standing.lines;
    let price = |part: &Part| {
        let line = lines.iter().find(|line| line.detail == part.detail)?;
        Some(line.gross_of(part.units))
    };
    parts.iter().filter_map(price).sum()
}

/// What we would quote ourselves, where the channel quotes nothing: its policy's fee for the units that are to be cancelled.
pub(crate) fn own_quote(order: &Order, channel_state: &ChannelState, parts: &[Part], now: UnixMillis) -> Option<i64> {
    let policy = channel_state.standing.policy.as_ref()?;
    let held = order.money.left() - kept_of_parts(order);
    Some(policy.fee(price_of(order, channel_state, parts), held, false, now))
}

/// The rate whose fee is `fee` of `price`: the one of the policy that holds now, or else of any of its steps, where it comes to this very fee.
/// Several rates come to the same fee where the price is small, and the channel compares the rate, too. A fee that no step knows has the
/// lowest rate that comes to it: fees are rounded down, so that the rate is rounded up.
pub(crate) fn rate_of(fee: i64, price: i64, policy: Option<&CancelPolicy>, now: UnixMillis) -> u32 {
    if price <= 0 {
        return 0;
    }
    let steps = policy.into_iter().flat_map(|policy| {
        let tiers = policy.tiers.iter().map(|tier| tier.rate_bp.min(WHOLE_BP));
        std::iter::once(policy.rate_bp(false, now)).chain(tiers).chain([0, WHOLE_BP])
    });
    let mut fits = steps.filter(|rate| share(price, *rate) == fee);
    fits.next().unwrap_or_else(|| {
        let (whole, price) = (i128::from(WHOLE_BP), i128::from(price));
        u32::try_from((i128::from(fee) * whole + price - 1) / price).unwrap_or(WHOLE_BP).min(WHOLE_BP)
    })
}

/// What can go back when the order is cancelled: neither what is on its way back for units that were cancelled before, nor what was kept of
/// those, nor the money for units that were used, whatever is quoted.
pub(crate) fn can_go_back(order: &Order, channel_state: &ChannelState) -> i64 {
    let used: Vec<Part> = order.as_used(channel_state).used_parts();
    let kept = if used.is_empty() { 0 } else { price_of(order, channel_state, &used) };
    (order.money.left() - kept_of_parts(order) - kept).max(0)
}

/// What was kept of units that were cancelled before, while the rest of the order lives.
pub fn kept_of_parts(order: &Order) -> i64 {
    if order.is_over() { 0 } else { order.money.fee() }
}

/// Whether the order is still what it was when the channel said what cancelling it would cost.
pub(crate) fn quote_holds(order: &Order, fee: i64, refund: i64) -> bool {
    let Some(channel_state) = order.channel_state.as_deref() else { return true };
    let (priced, held) = (fee.saturating_add(refund), can_go_back(order, channel_state));
    let is_unchanged = |part: &Part| {
        let line = channel_state.standing.lines.iter().find(|line| line.detail == part.detail);
        line.is_none_or(|line| line.cancelled == part.before)
    };
    match channel_state.parts_to_cancel() {
        [] if kept_of_parts(order) == 0 => priced == held,
        [] => priced <= held && i128::from(priced) >= least_of(order, channel_state, gross_left(channel_state)),
        parts => priced <= held && parts.iter().all(is_unchanged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cancel_policy::{PolicyTier, UnusedAction};

    fn one_step(rate_bp: u32) -> CancelPolicy {
        CancelPolicy {
            cancelable: true,
            until: None,
            free_until: None,
            tiers: vec![PolicyTier { until: UnixMillis(1_000), rate_bp }],
            unused: UnusedAction::Nothing,
            partial_allowed: true,
        }
    }

    #[test]
    fn a_fee_of_the_policy_has_the_policys_own_rate_however_small_the_price() {
        for price in [1_i64, 2, 3, 7, 99, 7_777, 93_000, 3_180_000, 9_007_199_254_740_991] {
            for rate in [0, 1, 33, 999, 1_500, 2_999, 3_000, 3_333, 9_999, 10_000] {
                let policy = one_step(rate);
                assert_eq!(rate_of(share(price, rate), price, Some(&policy), UnixMillis(0)), rate, "{rate} of {price}");
            }
        }
    }

    #[test]
    fn a_fee_of_a_step_that_has_just_ended_keeps_that_steps_rate() {
        let policy = one_step(3_333);
        assert_eq!(rate_of(share(7, 3_333), 7, Some(&policy), UnixMillis(2_000)), 3_333);
    }

    #[test]
    fn a_fee_that_no_step_knows_has_the_lowest_rate_that_comes_to_it() {
        for price in [1_i64, 3, 99, 7_777, 93_000, 3_180_000, 9_007_199_254_740_991] {
            for rate in [1, 33, 999, 1_500, 2_999, 3_000, 3_333, 9_999] {
                for policy in [None, Some(one_step(5_000))] {
                    let fee = share(price, rate);
                    let said = rate_of(fee, price, policy.as_ref(), UnixMillis(0));
                    assert_eq!(share(price, said), fee, "{rate} of {price}");
                    assert!(policy.is_some() || said <= rate, "never more than the rate that was named");
                }
            }
        }
    }
}
