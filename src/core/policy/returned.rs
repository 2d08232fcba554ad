// SPDX-License-Identifier: Apache-2.0

//! Money of orders whose channel asks instead of being told.

use crate::message::{Command, RecordRefund, RefundScope};
use crate::order::{Order, OrderState, RefundState};
use crate::time::UnixMillis;

/// Number of a return that nobody asked for by a case of its own.
const RETURNED: &str = "returned";

/// A channel that asks is told of nothing, and tells nothing: what it may return of a cancelled order counts as returned.
pub(super) fn return_what_is_held(order: &Order, now: UnixMillis) -> Option<Command> {
    if order.rules.channel.news.is_by_calls() || order.state != OrderState::Cancelled {
        return None;
    }
    let approved = order.refund_case.as_ref().filter(|case| case.state == RefundState::Approved);
    let fee = approved.and_then(|case| case.fee).unwrap_or(0).max(order.money.fee());
    let returns = order.money.held() - fee;
    if approved.is_none() && returns <= 0 {
        return None;
    }
    Some(Command::RecordRefund(RecordRefund {
        copies: None,
        named: Vec::new(),
        target: order.channel_order_id.clone(),
        channel_ref: approved.map_or_else(|| RETURNED.to_owned(), |case| case.channel_ref.clone()),
        amount: Some(returns.max(0)),
        announced: None,
        at: now,
        scope: RefundScope::Order,
        scene: None,
        expired: false,
    }))
}
