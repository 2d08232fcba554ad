// SPDX-License-Identifier: Apache-2.0

//! What the channel says that a cancellation costs, and when it is asked again.

use crate::decide::draft::Draft;
use crate::message::{Event, Notification};
use crate::order::Order;
use crate::order::channel_state::{ChannelState, Proposal};
use crate::rules::cancel_price::{can_go_back, fee_for, kept_of_parts, own_quote, price_of, rate_of};

/// The channel says what it would keep; its number wins over ours, and ours may only be lower. `quoted` is `None` where the channel has
/// no quotes: then its policy counts.
pub(in crate::decide) fn record_quote(
    draft: &mut Draft,
    channel_state: Option<&ChannelState>,
    quoted: Option<i64>,
    returns: Option<i64>,
) {
    let Some(channel_state) = channel_state else { return };
    let Some(Proposal::Cancel { fee, reason, parts, .. }) = channel_state.proposal.clone() else { return };
    let (order, now) = (draft.order(), draft.now());
    let order = &*order;
    let Some(quoted) = quoted.or_else(|| own_quote(order, channel_state, &parts, now)) else { return };
    let held = can_go_back(order, channel_state);
    let quoted = fee_for(channel_state, &parts, (quoted, returns.unwrap_or(0)), held);
    // A part costs what the channel counts for it, or its share of the price; so does all that is left where something was kept before.
    let price = match (parts.is_empty(), returns) {
        (true, None) => held,
        (true, Some(_)) if kept_of_parts(order) == 0 => held,
        (_, Some(returns)) => (quoted.max(0) + returns.max(0)).min(held),
        (false, None) => price_of(order, channel_state, &parts).min(held),
    };
    let fee = fee.unwrap_or(quoted).min(quoted).clamp(0, price);
    let rate_bp = rate_of(fee, price_of(order, channel_state, &parts), channel_state.standing.policy.as_ref(), now);
    draft.event(Event::NotificationAcknowledged { notification: Notification::CancelQuote });
    draft.tell(Notification::Cancellation { fee, rate_bp, refund: price - fee, reason });
}

/// What is to be cancelled has changed since its price was asked for: it is asked for again.
pub(in crate::decide) fn ask_price_again(draft: &mut Draft, before: &Order) {
    let wants = |order: &Order| {
        let channel_state = order.channel_state.as_deref();
        channel_state.is_some_and(|m| matches!(m.proposal, Some(Proposal::Cancel { .. }))) && !order.is_over()
    };
    let lines = |order: &Order| {
        let state = order.channel_state.as_deref()?;
        Some((order.as_used(state).standing.lines.clone(), state.parts_to_cancel().to_vec()))
    };
    let now = draft.order();
    let is_same = before.money.left() == now.money.left() && lines(before) == lines(&now);
    if wants(before) && wants(&now) && !is_same {
        draft.tell(Notification::CancelQuote);
    }
}
