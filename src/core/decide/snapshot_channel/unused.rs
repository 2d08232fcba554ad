// SPDX-License-Identifier: Apache-2.0

//! A cancellation of all that is left, while guests go in: what was used is never cancelled with the rest (KA-05, KA-06).

use crate::decide::draft::Draft;
use crate::message::Event;
use crate::order::Order;
use crate::order::channel_state::{ChannelState, Part, Proposal};
use crate::rules::cancel_price::are_all_left;

/// The units that are to be cancelled, where all that are left were to be, and some were used since; `None` where that changes nothing.
fn left_of_wish(before: &Order, now: &Order) -> Option<Vec<Part>> {
    let parts = |order: &Order| Some(order.channel_state.as_deref()?.parts_to_cancel().to_vec());
    let (wanted_before, wanted) = (parts(before)?, parts(now)?);
    let were_all = wanted.is_empty() || (wanted == wanted_before && are_all_left(before, &wanted));
    let state: &ChannelState = &now.as_used(now.channel_state.as_deref()?);
    // What has come about already is no wish any more.
    let is_done = !wanted.is_empty() && state.parts_are_off(&wanted);
    if !were_all || is_done || state.used_parts().is_empty() {
        return None;
    }
    let of_line = |(detail, units): (String, u32)| {
        let before = state.standing.lines.iter().find(|line| line.detail == detail).map_or(0, |line| line.cancelled);
        Part { detail, units, before }
    };
    let left: Vec<Part> = state.unused_beside_used().into_iter().map(of_line).collect();
    (left != wanted).then_some(left)
}

/// A guest has gone in while the whole order was to be cancelled: what can still be cancelled is the rest, at the price of that. Whether the
/// wish has changed.
pub(in crate::decide) fn leave_used_out(draft: &mut Draft, before: &Order) -> bool {
    let order = draft.order();
    let Some(Proposal::Cancel { fee, reason, notify_text, .. }) =
        order.channel_state.as_deref().and_then(|state| state.proposal.clone()).filter(|_| !order.is_over())
    else {
        return false;
    };
    let Some(parts) = left_of_wish(before, &order) else { return false };
    // Every unit was used, or cancelled.
    draft.event(match parts.is_empty() {
        true => Event::ProposalEnded { agreed: false },
        false => Event::Proposed { proposal: Proposal::Cancel { fee, reason, parts, notify_text } },
    });
    true
}
