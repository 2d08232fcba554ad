// SPDX-License-Identifier: Apache-2.0

//! What the channel's books say of what it had said yes to, and of what we hold to be so. A yes that says nothing is believed only once an
//! event, a look or the books show what came of it; books that show otherwise are told again once, and then shown to a person.

use crate::decide::disagreement::Disagreement;
use crate::decide::draft::Draft;
use crate::decide::notifications;
use crate::decide::snapshot_channel::counted;
use crate::decide::snapshot_channel::sums::{self, Unnamed};
use crate::decide::terms;
use crate::message::{Event, Notification, NotificationOutcome, Snapshot};
use crate::order::channel_state::{ProofState, Stage};
use crate::order::money::{LedgerEntry, PaymentMode};
use crate::order::undelivered::{NOT_DONE, NOT_DONE_WHY};
use crate::order::{AttentionKind, BookingState, Order};

impl Snapshot {
    /// On what `order` and this answer to a question differ, where the answer is as new as what we know. A difference needs no newer
    /// count of changes: the books may never have had what we hold to be done.
    pub fn disagreements(&self, order: &Order) -> Vec<Disagreement> {
        if !self.is_current(order.channel_state.as_deref()) {
            return self.lags(order).into_iter().collect();
        }
        let unproven = order.channel_state.iter().flat_map(|channel_state| &channel_state.unproven).filter_map(denied);
        let stands = self.stage_differs(order).into_iter().chain(self.money_differs(order));
        stands.chain(self.terms_differ(order)).chain(unproven).collect()
    }

    fn stage_differs(&self, order: &Order) -> Option<Disagreement> {
        let ours = order.booking.as_ref()?.state;
        let theirs = self.standing.stage;
        let agrees = match ours {
            BookingState::Requested => matches!(theirs, Stage::Requested | Stage::CancelRequested { .. }),
            BookingState::Confirmed => matches!(theirs, Stage::Confirmed | Stage::CancelRequested { .. }),
            BookingState::Rejected | BookingState::Cancelled => matches!(theirs, Stage::Rejected | Stage::Cancelled),
            // Ours is the richer information, and what the channel has still to hear of it is on its way, or unproven.
            BookingState::Used | BookingState::NoShow => true,
        };
        let word = |value: Option<serde_json::Value>| {
            value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let (ours, theirs) = (word(serde_json::to_value(ours).ok()), stage_word(theirs).to_owned());
        let sentence = format!("the channel's books say `{theirs}` where ours say `{ours}`; settle it there");
        (!agrees).then_some(Disagreement { field: "booking", ours, theirs, sentence })
    }

    fn money_differs(&self, order: &Order) -> Option<Disagreement> {
        if order.money.mode != PaymentMode::Ledger || self.sale.payment_mode != PaymentMode::Ledger {
            return None;
        }
        let is_other = |told: &&LedgerEntry| {
            let same = |e: &&LedgerEntry| e.kind == told.kind && e.reference == told.reference;
            order.money.ledger.iter().find(same).is_some_and(|known| known.amount != told.amount)
        };
        let amount = self.entries.iter().find(is_other).map(|told| {
            let ours = order.money.ledger.iter().find(|e| e.kind == told.kind && e.reference == told.reference);
            Disagreement {
                field: "amount",
                ours: ours.map(|e| e.amount).unwrap_or_default().to_string(),
                theirs: told.amount.to_string(),
                sentence: format!("the channel's books have the movement `{}` with another amount", told.reference),
            }
        });
        let sums = counted(order, self);
        // What it names is taken over with it.
        let mut named = order.money.clone();
        self.entries.iter().for_each(|entry| named.record(entry.clone()));
        sums::differs(&order.money, sums, Unnamed::Sought).or(amount).or_else(|| sums::beyond(&named, sums))
    }
}

fn denied(unproven: &crate::order::channel_state::Unproven) -> Option<Disagreement> {
    let is_told = match unproven.state {
        ProofState::Told | ProofState::ToldAgain => true,
        ProofState::Repeating => false,
    };
    (is_told && unproven.notification != Notification::HandOver).then(|| Disagreement {
        field: "report",
        ours: format!("`{}` told", unproven.notification.name()),
        theirs: "not done".to_owned(),
        sentence: format!(
            "the channel said yes to `{}`, and its books show nothing of it",
            unproven.notification.name()
        ),
    })
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Requested => "requested",
        Stage::Confirmed => "confirmed",
        Stage::CancelRequested { .. } => "cancel_requested",
        Stage::Rejected => "rejected",
        Stage::Cancelled => "cancelled",
        Stage::Used => "used",
        Stage::NoShow => "no_show",
    }
}

/// After an answer to a question was taken over: what it does not show of what the channel had said yes to is told again once, then left
/// to a person; what else it contradicts is shown.
pub(super) fn compare(draft: &mut Draft, snapshot: &Snapshot) {
    let order = draft.order();
    let told = order.channel_state.iter().flat_map(|channel_state| &channel_state.unproven);
    for unproven in told.filter(|unproven| unproven.notification != Notification::HandOver) {
        let notification = unproven.notification.clone();
        match unproven.state {
            ProofState::Told => {
                draft.event(Event::NotificationDenied { notification });
                draft.tell_again(unproven);
            }
            ProofState::Repeating => {}
            ProofState::ToldAgain => {
                let outcome = NotificationOutcome::Refused { code: NOT_DONE.into(), why: NOT_DONE_WHY.into() };
                notifications::ended(draft, &notification, &outcome);
            }
        }
    }
    let now = draft.order();
    let stands = snapshot.stage_differs(&now).or_else(|| snapshot.money_differs(&now));
    let differs = stands.or_else(|| snapshot.terms_differ(&now)).map(|differs| differs.sentence);
    match differs.or_else(|| terms::return_is_overdue(&now, draft.now())) {
        Some(sentence) => draft.flag(AttentionKind::BooksDiffer, sentence),
        None => draft.settle_flag(AttentionKind::BooksDiffer),
    }
    draft.settle_flag(AttentionKind::AnswerAstray);
}
