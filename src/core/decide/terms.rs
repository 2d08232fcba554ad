// SPDX-License-Identifier: Apache-2.0

//! What the channel's books say of the terms of an order, against ours: what was sold, for which day, for how much. A newer count of changes
//! brings them with it; books that say otherwise at the same count, or never reach the count that we were told, are shown to a person.

use crate::decide::disagreement::Disagreement;
use crate::decide::draft::Draft;
use crate::message::Snapshot;
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry};
use crate::order::{AttentionKind, Order, OrderState};
use crate::time::{Millis, UnixMillis};

/// Books that still do not have what we were told so long ago will not have it by themselves.
const BOOKS_FOLLOW_WITHIN: Millis = Millis::minutes(10);

/// Money that was to go back so long ago, and of which the books show nothing, has been forgotten.
const RETURNS_FOLLOW_WITHIN: Millis = Millis::hours(48);

impl Snapshot {
    /// On which of its terms an order that is not over stands otherwise in the channel's books.
    pub(super) fn terms_differ(&self, order: &Order) -> Option<Disagreement> {
        if order.is_over() {
            return None;
        }
        let differs = |field, ours: String, theirs: String| {
            let sentence =
                format!("the channel's books name another {field} than ours; compare the two, and settle it there");
            (ours != theirs).then_some(Disagreement { field, ours, theirs, sentence })
        };
        let product = self.sale.product.booking.as_ref().filter(|_| self.sale.product.voucher.is_none());
        let day = order.active_booking().and_then(|booking| booking.visit_date).zip(self.visit_date);
        let product = product.and_then(|theirs| differs("product", order.product.to_string(), theirs.to_string()));
        let day = || day.and_then(|(ours, theirs)| differs("date", ours.to_string(), theirs.to_string()));
        let is_priced = self.sale.payment_mode == order.money.mode;
        let price = || differs("price", order.money.due.to_string(), self.sale.due.to_string()).filter(|_| is_priced);
        product.or_else(day).or_else(price)
    }

    /// Whether the channel, asked how the order stands, counts fewer changes than it has told us, and says otherwise.
    pub(super) fn lags(&self, order: &Order) -> Option<Disagreement> {
        let known = &order.channel_state.as_deref()?.standing;
        let told = &self.standing;
        let is_behind = self.asked && told.revision > 0 && told.revision < known.revision && self.differs_from(known);
        is_behind.then(|| Disagreement {
            field: "revision",
            ours: known.revision.to_string(),
            theirs: told.revision.to_string(),
            sentence: format!(
                "the channel's books stand at change {} and say otherwise, although it told us change {}; settle it there",
                told.revision, known.revision
            ),
        })
    }
}

/// What was to go back when an order was cancelled, and has not for so long. `order` is as the channel's books have it by now.
pub(super) fn return_is_overdue(order: &Order, now: UnixMillis) -> Option<String> {
    let waits = |e: &&LedgerEntry| {
        e.kind == EntryKind::Refund
            && e.status == EntryStatus::Pending
            && e.is_presumed()
            && now > e.at + RETURNS_FOLLOW_WITHIN
    };
    let missing: i64 = order.money.ledger.iter().filter(waits).map(|e| e.amount).sum();
    (order.state == OrderState::Cancelled && missing > 0).then(|| {
        format!("{missing} was to go back when the order was cancelled, and the channel's books do not show it; settle it there")
    })
}

/// Books that do not follow what the channel itself has told are a matter for a person.
pub(super) fn flag_lag(draft: &mut Draft, before: &Order, snapshot: &Snapshot) {
    let Some(lag) = snapshot.lags(before) else { return };
    let told_at = before.channel_state.as_deref().map(|state| state.standing.at);
    if told_at.is_some_and(|at| draft.now() > at + BOOKS_FOLLOW_WITHIN) {
        draft.flag(AttentionKind::BooksDiffer, lag.sentence);
    }
}
