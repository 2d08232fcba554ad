//! What a cancellation costs: the share of the units, the channel's quote, and the rate that belongs to a fee.

use crate::decide::draft::Draft;
use crate::message::{Event, Notification};
use crate::order::Order;
use crate::order::channel_state::{ChannelState, Line, Part, Proposal};
use crate::rules::cancel_policy::{CancelPolicy, WHOLE_BP, share};
use crate::time::UnixMillis;

/// What the units cost that are to be called off: all that are left of the order, or their share after discount.
pub(super) fn price_of(order: &Order, channel_state: &ChannelState, parts: &[Part]) -> i64 {
    let lines = &channel_state.standing.lines;
    let units: Vec<(&Line, u32)> = if !parts.is_empty() {
        let line = |part: &Part| Some((lines.iter().find(|line| line.detail == part.detail)?, part.units));
        parts.iter().filter_map(line).collect()
    } else if channel_state.cancelled_units() > 0 {
        lines.iter().map(|line| (line, line.quantity.saturating_sub(line.cancelled))).collect()
    } else {
        return order.money.due;
    };
    let price =
        |(line, units): &(&Line, u32)| i128::from(line.amount) * i128::from(*units) / i128::from(line.quantity.max(1));
    let gross: i128 = units.iter().map(price).sum();
    let net = gross * i128::from(order.money.due) / i128::from(order.money.gross.max(1));
    i64::try_from(net).unwrap_or(order.money.due).min(order.money.due)
}

/// What we would quote ourselves, where the channel quotes nothing: its policy's fee for the units that are to be called off.
fn own_quote(order: &Order, channel_state: &ChannelState, parts: &[Part], now: UnixMillis) -> Option<i64> {
    let policy = channel_state.standing.policy.as_ref()?;
    Some(policy.fee(price_of(order, channel_state, parts), order.money.left(), false, now))
}

/// The channel says what it would keep; its number wins over ours, and ours may only be lower. `quoted` is `None` where the channel has
/// no quotes: then its policy counts.
pub(in crate::decide) fn record_quote(
    draft: &mut Draft,
    channel_state: Option<&ChannelState>,
    quoted: Option<i64>,
    returns: Option<i64>,
) {
    let Some(channel_state) = channel_state else { return };
    let Some(Proposal::Cancel { fee, reason, parts }) = channel_state.proposal.clone() else { return };
    let (order, now) = (draft.order(), draft.now());
    let order = &*order;
    let Some(quoted) = quoted.or_else(|| own_quote(order, channel_state, &parts, now)) else { return };
    let held = can_go_back(order, channel_state);
    // A part costs what the channel counts for it, or its share of the price.
    let price = match (parts.is_empty(), returns) {
        (true, _) => held,
        (false, Some(returns)) => (quoted.max(0) + returns.max(0)).min(held),
        (false, None) => price_of(order, channel_state, &parts).min(held),
    };
    let fee = fee.unwrap_or(quoted).min(quoted).clamp(0, price);
    let rate_bp = rate_of(fee, price_of(order, channel_state, &parts), channel_state.standing.policy.as_ref(), now);
    draft.event(Event::NotificationAcknowledged { notification: Notification::CancelQuote });
    draft.tell(Notification::Cancellation { fee, rate_bp, refund: price - fee, reason });
}

/// The rate whose fee is `fee` of `price`: the one of the policy that holds now, or else of any of its steps, where it comes to this very fee.
/// Several rates come to the same fee where the price is small, and the channel compares the rate, too. A fee that no step knows has the
/// lowest rate that comes to it: fees are rounded down, so that the rate is rounded up.
fn rate_of(fee: i64, price: i64, policy: Option<&CancelPolicy>, now: UnixMillis) -> u32 {
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

/// What can go back when the order is called off: neither what is on its way back for units that were called off before, nor the money for
/// units that were used, whatever is quoted.
fn can_go_back(order: &Order, channel_state: &ChannelState) -> i64 {
    let used: Vec<Part> = channel_state.used_parts();
    let kept = if used.is_empty() { 0 } else { price_of(order, channel_state, &used) };
    (order.money.left() - kept).max(0)
}

/// Whether the order is still what it was when the channel said what calling it off would cost.
pub(crate) fn quote_holds(order: &Order, fee: i64, refund: i64) -> bool {
    let Some(channel_state) = order.channel_state.as_deref() else { return true };
    let (priced, held) = (fee.saturating_add(refund), can_go_back(order, channel_state));
    let is_unchanged = |part: &Part| {
        let line = channel_state.standing.lines.iter().find(|line| line.detail == part.detail);
        line.is_none_or(|line| line.cancelled == part.before)
    };
    match channel_state.parts_to_cancel() {
        [] => priced == held,
        parts => priced <= held && parts.iter().all(is_unchanged),
    }
}

/// What is to be called off has changed since its price was asked for: it is asked for again.
pub(super) fn ask_price_again(draft: &mut Draft, before: &Order) {
    let wants = |order: &Order| {
        let channel_state = order.channel_state.as_deref();
        channel_state.is_some_and(|m| matches!(m.proposal, Some(Proposal::Cancel { .. }))) && !order.is_over()
    };
    let lines = |order: &Order| order.channel_state.as_deref().map(|m| m.standing.lines.clone());
    let now = draft.order();
    let is_same = before.money.left() == now.money.left() && lines(before) == lines(&now);
    if wants(before) && wants(&now) && !is_same {
        draft.tell(Notification::CancelQuote);
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
