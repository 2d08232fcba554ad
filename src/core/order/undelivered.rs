//! Reports that the channel did not take, until they are taken, or nobody needs them any more. The flag for a person stands as long.

use serde::{Deserialize, Serialize};

use crate::message::Report;
use crate::order::channel_state::{LinkState, Mirror, Stage};
use crate::order::{AttentionKind, BookingState, Order, OrderState};
use crate::still_needed::is_asked_for;

/// The flags that stand for such reports.
pub(crate) const UNHEARD: [AttentionKind; 2] = [AttentionKind::ReportRefused, AttentionKind::ToDoByHand];

/// Code of a report whose attempts are used up.
pub(crate) const GIVEN_UP: &str = "given_up";

/// A report that the channel was to hear, and has not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unheard {
    /// Which.
    pub report: Report,
    /// The flag that it raised: [`AttentionKind::ReportRefused`] or [`AttentionKind::ToDoByHand`].
    pub kind: AttentionKind,
    /// Ops have put it aside: no flag stands for it, and policy still does not ask for it again.
    pub is_put_aside: bool,
    /// What the flag says as long as this is the last of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sentence: String,
}

/// What is said of a report that the channel did not take.
pub(crate) fn refused_sentence(report: &Report, code: &str, why: &str) -> String {
    let whom = if *report == Report::HandOver { "the partner's own books" } else { "the channel" };
    let said = if code == GIVEN_UP { why.to_owned() } else { format!("{why} ({code})") };
    format!("{whom} could not be told `{}`: {said}", report.name())
}

/// What is said of a report that the channel has no call for.
pub(crate) fn by_hand_sentence(what: &str) -> String {
    format!("the channel has no call for this; do it there by hand: {what}")
}

impl Order {
    /// Whether such a report was refused, or left to a person, before: policy does not ask for it again.
    pub(crate) fn was_unheard(&self, is_it: impl Fn(&Report) -> bool) -> bool {
        self.unheard.iter().any(|unheard| is_it(&unheard.report))
    }
    /// Whether a flag of `kind` stands for any of them.
    pub(crate) fn misses_any(&self, kind: AttentionKind) -> bool {
        self.unheard.iter().any(|unheard| !unheard.is_put_aside && unheard.kind == kind)
    }
    /// Whether a flag stands for this very report.
    pub(crate) fn misses(&self, report: &Report) -> bool {
        self.unheard.iter().any(|unheard| !unheard.is_put_aside && unheard.report == *report)
    }
}

/// Whether a person has to do something about `report`, which ended in a flag of `kind`.
pub(crate) fn is_missed(order: &Order, report: &Report, kind: AttentionKind) -> bool {
    let Some(mirror) = order.mirror.as_deref() else { return true };
    if kind == AttentionKind::ToDoByHand {
        let stands = match report {
            Report::RefundApproved { .. } | Report::RefundRejected { .. } => {
                !order.is_over() && matches!(mirror.picture.stage, Stage::CancelRequested { .. })
            }
            Report::LinkRevoked { id } => !link_has_ended(mirror, id),
            _ => true,
        };
        return stands && is_asked_for(order, report);
    }
    match report {
        Report::BookingAccepted { booking } | Report::BookingDeclined { booking, .. } => {
            order.booking_by_id(booking).is_some_and(|b| b.state == BookingState::Requested)
        }
        Report::CancelQuote | Report::CancelWanted { .. } => !order.is_over(),
        Report::RefundApproved { .. } | Report::RefundRejected { .. } => {
            !order.is_over() && matches!(mirror.picture.stage, Stage::CancelRequested { .. })
        }
        Report::Redeemed { .. } | Report::NoShow { .. } => mirror.picture.stage.is_ahead(),
        Report::PaymentReturn { .. } => order.money.received() > order.money.refunded(),
        Report::PaymentLink { .. } => {
            let is_paid = order.money.received() - order.money.refunded() >= order.money.due;
            order.state != OrderState::Cancelled && !is_paid && mirror.live_link().is_none()
        }
        Report::LinkRevoked { id } => !link_has_ended(mirror, id),
        Report::HandOver => order.state != OrderState::Cancelled,
        Report::TicketsIssued { .. } | Report::OrderCancelled { .. } => true,
    }
}

/// The channel says that the link is over, whatever became of our wish.
fn link_has_ended(mirror: &Mirror, id: &str) -> bool {
    let link = mirror.links.iter().find(|link| link.id.as_deref() == Some(id));
    link.is_some_and(|link| matches!(link.state, LinkState::Expired | LinkState::Paid))
}

/// Whether the channel, having taken `taken`, has what it once refused with `refused`.
pub(crate) fn makes_up_for(taken: &Report, refused: &Report) -> bool {
    match (taken, refused) {
        (Report::PaymentReturn { payment, .. }, Report::PaymentReturn { payment: before, .. }) => payment == before,
        (Report::RefundApproved { case, .. }, Report::RefundApproved { case: before, .. }) => case == before,
        (Report::RefundRejected { case, .. }, Report::RefundRejected { case: before, .. }) => case == before,
        (Report::LinkRevoked { id }, Report::LinkRevoked { id: before }) => id == before,
        (Report::TicketsIssued { booking }, Report::TicketsIssued { booking: before })
        | (Report::Redeemed { booking, .. }, Report::Redeemed { booking: before, .. })
        | (Report::NoShow { booking, .. }, Report::NoShow { booking: before, .. })
        | (Report::BookingAccepted { booking }, Report::BookingAccepted { booking: before })
        | (Report::BookingDeclined { booking, .. }, Report::BookingDeclined { booking: before, .. }) => {
            booking == before
        }
        (Report::CancelWanted { .. }, Report::CancelQuote) => true,
        _ => taken.name() == refused.name(),
    }
}
