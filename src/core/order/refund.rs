// SPDX-License-Identifier: Apache-2.0

//! Axis 5: a request for money back.

use serde::{Deserialize, Serialize};

use crate::id::{ExternalId, RefundCaseId};
use crate::order::money::{EntryStatus, LedgerEntry, PaymentMode};
use crate::order::{Order, OrderKind};
use crate::quoted::FreeText;
use crate::time::UnixMillis;

/// Axis 5: where a refund case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// Waits for a decision, or for the back-end to void the tickets first.
    UnderReview,
    /// Approved towards the channel.
    Approved,
    /// The channel has refunded. The end.
    Settled,
    /// Rejected. The end.
    Rejected,
    /// Taken back by the guest. The end.
    Withdrawn,
}

/// What a refund case asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundKind {
    /// The money, and with it the order.
    Refund,
    /// The booking; the voucher becomes bookable again.
    CancelBooking,
}

/// Who asks, as far as it changes the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundSource {
    /// The guest; also every source that the channel's documents do not name.
    Guest,
    /// The merchant, through the channel's console.
    Merchant,
    /// Customer service, adjudication, arbitration.
    CustomerService,
    /// The channel, because no ticket came in time: the tickets may still be handed over.
    TicketsLate,
    /// The channel, because the voucher expired.
    Expired,
    /// The channel, because nobody confirmed the booking in time.
    NotAccepted,
}

/// The decision taken, before it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundIntent {
    /// Nobody has decided.
    Undecided,
    /// A person must.
    WaitsForPerson,
    /// It will be approved once the tickets are void.
    ApproveOnceVoid,
}

/// One request for money back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RefundCase {
    /// Our id.
    pub id: RefundCaseId,
    /// The channel's number for it.
    pub channel_ref: String,
    /// The channel's number for what is to be refunded: the sale's or the booking's.
    pub target: ExternalId,
    /// The axis.
    pub state: RefundState,
    /// What is asked for.
    pub kind: RefundKind,
    /// Who asks.
    pub source: RefundSource,
    /// The channel's own code for the source, for people.
    pub source_code: Option<i64>,
    /// When the channel says it was asked.
    pub requested_at: UnixMillis,
    /// Until when the decision must be there.
    pub review_by: UnixMillis,
    /// Fee that the channel computed, minor units; never exceeded.
    pub channel_fee: i64,
    /// Fee that was decided.
    pub fee: Option<i64>,
    /// What is to happen.
    pub intent: RefundIntent,
    /// Who decided: `policy`, `channel`, or an ops user.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<UnixMillis>,
    /// Why.
    pub reason: Option<FreeText>,
    /// What really went back.
    pub settled_amount: Option<i64>,
    /// When it was opened, tickets were on their way to the channel by a call of ours.
    pub tickets_were_sent: bool,
    /// Whether the rejection carries the tickets.
    pub reissue: bool,
    /// The review limit passed without a decision.
    pub overdue: bool,
    /// How many copies it is about, where the channel names them one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<u32>,
}

impl RefundCase {
    /// The money that an approval sends on its way, unless some is already: all that is held but `fee`. What was kept as the fee of an
    /// earlier refund is nobody's to return. A booking that stands alone is never cancelled without its money.
    pub(crate) fn sends_back(&self, order: &Order, fee: i64, at: UnixMillis) -> Option<LedgerEntry> {
        let money = &order.money;
        let returns = money.held() - money.fee();
        let goes_back = (self.kind == RefundKind::Refund || order.kind == OrderKind::Direct)
            && money.mode == PaymentMode::Ledger
            && returns > fee
            && money.refund_pending() == 0;
        goes_back.then(|| LedgerEntry::presumed(EntryStatus::Pending, returns - fee, at))
    }
    /// Under review: the guest may not enter meanwhile (DY-14).
    pub fn is_under_review(&self) -> bool {
        self.state == RefundState::UnderReview
    }
    /// Neither settled nor rejected nor withdrawn.
    pub fn is_open(&self) -> bool {
        match self.state {
            RefundState::UnderReview | RefundState::Approved => true,
            RefundState::Settled | RefundState::Rejected | RefundState::Withdrawn => false,
        }
    }
}
