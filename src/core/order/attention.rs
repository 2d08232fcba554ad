// SPDX-License-Identifier: Apache-2.0

//! What a person must look at.

use serde::{Deserialize, Serialize};

use crate::order::channel_state::Sold;
use crate::time::{Date, UnixMillis};

/// Why a person must look at an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// The guest went through the gate while the refund is under review.
    RefundUnderReview,
    /// The guest went through the gate before the visit date.
    TooEarly,
    /// The guest went through the gate with a ticket that we do not know of yet.
    NotTicketed,
    /// The guest went through the gate although the money went back.
    RedeemedWhileRefunded,
    /// A ticket lives behind an order that is cancelled or refunded.
    LiveTicketBehindRefund,
    /// The back-end refused to cancel; the refund waits for a person.
    CancelRefused,
    /// The back-end refused to issue.
    TicketingFailed,
    /// The back-end has no room for it.
    NoCapacity,
    /// Somebody at the back-end said no to it.
    Rejected,
    /// The back-end made a test of a real order, or the other way around.
    TestMode,
    /// The back-end holds another number of units than was asked for.
    QuantityDiffers,
    /// The back-end has a word for the reservation that nobody knows.
    UnknownStatus,
    /// The back-end names other codes than it did.
    CodesChanged,
    /// The ticketing deadline passed.
    TicketingOverdue,
    /// The review limit passed without a decision.
    ReviewOverdue,
    /// A call to the channel was refused for good or given up.
    #[serde(rename = "report_refused")]
    NotificationRefused,
    /// A booking waits for a person.
    WaitsForConfirmation,
    /// A refund waits for a person.
    RefundWaits,
    /// Money came that nobody expected.
    UnexpectedPayment,
    /// Facts contradict each other.
    Contradiction,
    /// The channel has no call for what is to be done there; a person does it by hand.
    #[serde(rename = "to_do_by_hand")]
    ManualTask,
    /// Used, and not all of it is paid.
    OpenBalance,
    /// Money that was to go back did not.
    RefundFailed,
    /// A partner answered about something else than what it was asked.
    AnswerAstray,
    /// A sale or a request for money back was sent long before it arrived.
    ArrivedLate,
    /// The channel's books, asked, say otherwise than ours.
    BooksDiffer,
    /// A payment link is over, and what it was to collect is still open.
    PaymentLinkOver,
    /// A partner that has still to be called about the order is no longer configured.
    PartnerGone,
}

impl AttentionKind {
    /// Everything that is to be looked at because no tickets came.
    pub const WITHOUT_TICKETS: [AttentionKind; 6] = [
        AttentionKind::TicketingFailed,
        AttentionKind::NoCapacity,
        AttentionKind::Rejected,
        AttentionKind::TestMode,
        AttentionKind::QuantityDiffers,
        AttentionKind::UnknownStatus,
    ];

    /// Whether it ends when a person says that it was seen to: nothing else tells us that those were stopped at the gate, or that money and
    /// facts were settled with the channel. Where no act is left (`no_acts`), since the order is over or only looked at here, what would end by one
    /// does.
    pub fn ends_by_word(self, no_acts: bool) -> bool {
        match self {
            AttentionKind::RedeemedWhileRefunded
            | AttentionKind::LiveTicketBehindRefund
            | AttentionKind::TestMode
            | AttentionKind::QuantityDiffers
            | AttentionKind::UnknownStatus
            | AttentionKind::CodesChanged
            | AttentionKind::UnexpectedPayment
            | AttentionKind::Contradiction
            | AttentionKind::OpenBalance
            | AttentionKind::AnswerAstray
            | AttentionKind::ArrivedLate
            | AttentionKind::BooksDiffer
            | AttentionKind::PaymentLinkOver => true,
            AttentionKind::RefundUnderReview
            | AttentionKind::NotTicketed
            | AttentionKind::CancelRefused
            | AttentionKind::TicketingFailed
            | AttentionKind::NoCapacity
            | AttentionKind::Rejected
            | AttentionKind::TicketingOverdue
            | AttentionKind::ReviewOverdue
            | AttentionKind::WaitsForConfirmation
            | AttentionKind::RefundWaits
            | AttentionKind::RefundFailed => no_acts,
            AttentionKind::TooEarly
            | AttentionKind::NotificationRefused
            | AttentionKind::ManualTask
            | AttentionKind::PartnerGone => false,
        }
    }

    /// Whether it is only a decision that waits, and nothing that went wrong.
    pub fn is_decision(self) -> bool {
        matches!(self, AttentionKind::WaitsForConfirmation | AttentionKind::RefundWaits)
    }

    /// The kind for a refusal to issue: back-ends' reasons begin with a word of ours, where there is one for them, and a colon.
    pub fn of_refusal(reason: &str) -> Self {
        match reason.split_once(':').map(|(word, _)| word) {
            Some("no_capacity") => AttentionKind::NoCapacity,
            Some("rejected") => AttentionKind::Rejected,
            Some("test_mode") => AttentionKind::TestMode,
            Some("quantity_differs") => AttentionKind::QuantityDiffers,
            Some("unknown_status") => AttentionKind::UnknownStatus,
            Some(_) | None => AttentionKind::TicketingFailed,
        }
    }
}

/// A flag that stays until it is cleared by what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attention {
    /// Which kind.
    pub kind: AttentionKind,
    /// Since when.
    pub since: UnixMillis,
    /// One sentence for the person who looks, without personal data.
    pub sentence: String,
    /// What it tells of, where the order shows by itself whether that is still so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<Fact>,
}

/// Something that a person is to look at for as long as it is so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// Units were cancelled after tickets were asked for.
    UnitsCalledOff {
        /// How many had been cancelled before.
        before: u32,
    },
    /// Units were added after tickets were asked for.
    UnitsAdded {
        /// How many the tickets are for.
        tickets_for: u32,
    },
    /// Units are no longer told of, and were not cancelled, after tickets were asked for.
    UnitsGone {
        /// How many the tickets are for.
        tickets_for: u32,
    },
    /// The channel counts fewer units as used than it did.
    UsedLess {
        /// How many it counted before.
        before: u32,
    },
    /// The price rose after it had been paid, and the channel has no way to collect the rest.
    PriceRaised {
        /// What had been paid, minor units.
        paid: i64,
    },
    /// The visit was moved after tickets were asked for.
    VisitMoved {
        /// The day that the tickets are for.
        from: Option<Date>,
    },
    /// Another product, time, departure or kind of price was booked after tickets were asked for.
    SoldOtherwise {
        /// What the tickets are for.
        tickets_for: Box<Sold>,
    },
    /// The back-end made the tickets of a live booking void.
    TicketsVoid,
    /// The channel names another product than was booked, and no tickets were asked for yet.
    OtherProduct,
    /// A booking is for a visit whose last day was over when it was told.
    VisitPast {
        /// The day on which it was told.
        on: Date,
    },
    /// A sale that only its booking tells of would have been refused, if it had been told.
    SoldAmiss {
        /// Why.
        why: String,
    },
    /// The channel accepted a booking by itself whose product is not for sale.
    ConfirmedOffSale {
        /// Why it is not.
        why: String,
    },
    /// The visit was over before its day.
    VisitOverEarly {
        /// The day on which it was so, or was known to be.
        on: Date,
    },
    /// What the channel told last contradicts itself.
    Doubts,
    /// The channel has never said whether it made a payment link.
    LinkUnanswered {
        /// Our name for it.
        key: String,
    },
    /// A payment link is over, and what it was to collect is still open.
    LinkOver,
    /// The channel says that a payment link was paid, and lists no payment made with it.
    LinkPaidUnseen {
        /// The channel's number for it.
        id: String,
    },
    /// The visit is over, and not all of it is paid.
    OpenBalance,
    /// The guest asks the channel to cancel what has been used, and it has not decided yet.
    CancelOfUsedAsked,
}
