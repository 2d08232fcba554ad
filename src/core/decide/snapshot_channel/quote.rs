//! What a cancellation costs: the share of the units, the channel's quote, and the rate that belongs to a fee.

use crate::decide::Decision;
use crate::decide::draft::Draft;
use crate::message::{Effect, Event, Report};
use crate::order::Order;
use crate::order::channel_state::{Line, Mirror, Part, Proposal};

/// What the units cost that are to be called off: all that are left of the order, or their share after discount.
pub(super) fn price_of(order: &Order, mirror: &Mirror, parts: &[Part]) -> i64 {
    let lines = &mirror.picture.lines;
    let units: Vec<(&Line, u32)> = if !parts.is_empty() {
        let line = |part: &Part| Some((lines.iter().find(|line| line.detail == part.detail)?, part.units));
        parts.iter().filter_map(line).collect()
    } else if mirror.cancelled_units() > 0 {
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

/// The channel says what it would keep; its number wins over ours, and ours may only be lower.
pub(in crate::decide) fn record_quote(order: &Order, quoted: i64, returns: Option<i64>) -> Decision {
    let Some(mirror) = order.mirror.as_deref() else { return Decision::nothing() };
    let Some(Proposal::Cancel { fee, reason, parts }) = mirror.proposal.clone() else {
        return Decision::nothing();
    };
    let held = can_go_back(order, mirror);
    // A part costs what the channel counts for it, or its share of the price.
    let price = match (parts.is_empty(), returns) {
        (true, _) => held,
        (false, Some(returns)) => (quoted.max(0) + returns.max(0)).min(held),
        (false, None) => price_of(order, mirror, &parts).min(held),
    };
    let fee = fee.unwrap_or(quoted).min(quoted).clamp(0, price);
    let rate_bp = match price_of(order, mirror, &parts) {
        due if due > 0 => rate_of(fee, due),
        _ => 0,
    };
    let report = Report::CancelWanted { fee, rate_bp, refund: price - fee, reason };
    Decision::nothing()
        .event(Event::ReportAcknowledged { report: Report::CancelQuote })
        .effect(Effect::TellChannel { report, not_before: None })
}

/// The rate whose fee is `fee` of `price`: fees are rounded down, so that the rate is rounded up.
fn rate_of(fee: i64, price: i64) -> u32 {
    let (fee, price) = (i128::from(fee) * 10_000, i128::from(price));
    u32::try_from((fee + price - 1) / price).unwrap_or(10_000).min(10_000)
}

/// What can go back when the order is called off: neither what is on its way back for units that were called off before, nor the money for
/// units that were used, whatever is quoted.
fn can_go_back(order: &Order, mirror: &Mirror) -> i64 {
    let used: Vec<Part> = mirror.used_parts();
    let kept = if used.is_empty() { 0 } else { price_of(order, mirror, &used) };
    (order.money.left() - kept).max(0)
}

/// Whether the order is still what it was when the channel said what calling it off would cost.
pub(crate) fn quote_holds(order: &Order, fee: i64, refund: i64) -> bool {
    let Some(mirror) = order.mirror.as_deref() else { return true };
    let (priced, held) = (fee.saturating_add(refund), can_go_back(order, mirror));
    let is_unchanged = |part: &Part| {
        let line = mirror.picture.lines.iter().find(|line| line.detail == part.detail);
        line.is_none_or(|line| line.cancelled == part.before)
    };
    match mirror.wanted_parts() {
        [] => priced == held,
        parts => priced <= held && parts.iter().all(is_unchanged),
    }
}

/// What is to be called off has changed since its price was asked for: it is asked for again.
pub(in crate::decide) fn ask_price_again(draft: &mut Draft, before: &Order) {
    let wants = |order: &Order| {
        let mirror = order.mirror.as_deref();
        mirror.is_some_and(|m| matches!(m.proposal, Some(Proposal::Cancel { .. }))) && !order.is_over()
    };
    let lines = |order: &Order| order.mirror.as_deref().map(|m| m.picture.lines.clone());
    let now = &draft.order;
    let is_same = before.money.left() == now.money.left() && lines(before) == lines(now);
    if wants(before) && wants(now) && !is_same {
        draft.decision.effects.push(Effect::TellChannel { report: Report::CancelQuote, not_before: None });
    }
}

#[cfg(test)]
mod tests {
    use super::rate_of;

    #[test]
    fn a_rate_and_its_fee_belong_together() {
        for price in [1_i64, 3, 99, 7_777, 93_000, 3_180_000, 9_007_199_254_740_991] {
            for rate in [0, 1, 33, 999, 1_500, 2_999, 3_000, 3_333, 9_999, 10_000] {
                let of = |rate: u32| i64::try_from(i128::from(price) * i128::from(rate) / 10_000).unwrap();
                let said = rate_of(of(rate), price);
                assert_eq!(of(said), of(rate), "{rate} of {price}");
                assert!(said <= rate, "never more than the rate that was quoted");
                assert!(price < 10_000 || said == rate, "{rate} of {price}: {said}");
            }
        }
    }
}
