//! What must be done outside, as a consequence of an event. Effects are intentions: the engine makes a row of each, in
//! the same transaction, and a worker carries it out later, at least once.

use serde::{Deserialize, Serialize};

use crate::id::{BackendId, BookingId, ProductCode, RefundCaseId};
use crate::time::{Date, UnixMillis};

/// What a back-end is asked to do with a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketOp {
    /// Make the tickets.
    Issue,
    /// Say how it stands.
    Query,
    /// Make the tickets void.
    Cancel,
}

impl TicketOp {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            TicketOp::Issue => "issue",
            TicketOp::Query => "query",
            TicketOp::Cancel => "cancel",
        }
    }
}

/// What the channel is told. The details are taken from the order when the call is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// The booking is accepted (asynchronous acceptance).
    BookingAccepted {
        /// Which.
        booking: BookingId,
    },
    /// The booking is declined.
    BookingDeclined {
        /// Which.
        booking: BookingId,
        /// Written for the guest.
        reason: String,
    },
    /// The tickets.
    TicketsIssued {
        /// Whose.
        booking: BookingId,
    },
    /// The refund is approved.
    RefundApproved {
        /// Which case.
        case: RefundCaseId,
        /// Fee, minor units.
        fee: i64,
    },
    /// The refund is rejected.
    RefundRejected {
        /// Which case.
        case: RefundCaseId,
        /// Why.
        reason: String,
        /// The tickets go with it.
        reissue: bool,
    },
    /// The guest was there.
    Redeemed {
        /// Which booking.
        booking: BookingId,
        /// When, as the channel is to be told.
        at: UnixMillis,
    },
    /// The guest was not there.
    NoShow {
        /// Which booking.
        booking: BookingId,
        /// When that was established.
        at: UnixMillis,
    },
    /// We called the order off.
    OrderCancelled {
        /// Why.
        reason: String,
    },
    /// What would calling the order off cost, by the channel's own count?
    CancelQuote,
    /// The order is to be called off.
    CancelWanted {
        /// What is kept, minor units.
        fee: i64,
        /// The same as a share, in ten-thousandths.
        rate_bp: u32,
        /// What goes back, minor units.
        refund: i64,
        /// Why; not shown to the guest.
        reason: String,
    },
    /// Money is to go back; the booking stays as it is.
    PaymentReturn {
        /// Our name for the movement.
        reference: String,
        /// The channel's number for the payment.
        payment: String,
        /// How much, minor units.
        amount: i64,
        /// What we believe can still go back of this payment, minor units.
        left: i64,
        /// Why.
        reason: String,
    },
    /// The guest is to get a payment link.
    PaymentLink {
        /// Our name for it.
        key: String,
    },
    /// A payment link is taken back.
    LinkRevoked {
        /// The channel's number for it.
        id: String,
    },
    /// A partner's system is told of the order.
    HandOver,
}

impl Report {
    /// Its name: in deliveries, metrics and spans.
    pub fn name(&self) -> &'static str {
        match self {
            Report::BookingAccepted { .. } => "booking_accepted",
            Report::BookingDeclined { .. } => "booking_declined",
            Report::TicketsIssued { .. } => "tickets_issued",
            Report::RefundApproved { .. } => "refund_approved",
            Report::RefundRejected { .. } => "refund_rejected",
            Report::Redeemed { .. } => "redeemed",
            Report::NoShow { .. } => "no_show",
            Report::OrderCancelled { .. } => "order_cancelled",
            Report::CancelQuote => "cancel_quote",
            Report::CancelWanted { .. } => "cancel_wanted",
            Report::PaymentReturn { .. } => "payment_return",
            Report::PaymentLink { .. } => "payment_link",
            Report::LinkRevoked { .. } => "link_revoked",
            Report::HandOver => "hand_over",
        }
    }
}

/// The times that are rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// A booking must be accepted.
    Acceptance,
    /// Tickets must exist.
    Ticketing,
    /// A refund must be decided.
    Review,
    /// The voucher can no longer be booked.
    BookingWindow,
    /// A parked redemption can be applied.
    VisitDay,
}

impl DeadlineKind {
    /// All of them.
    pub const ALL: [DeadlineKind; 5] = [
        DeadlineKind::Acceptance,
        DeadlineKind::Ticketing,
        DeadlineKind::Review,
        DeadlineKind::BookingWindow,
        DeadlineKind::VisitDay,
    ];
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            DeadlineKind::Acceptance => "acceptance",
            DeadlineKind::Ticketing => "ticketing",
            DeadlineKind::Review => "review",
            DeadlineKind::BookingWindow => "booking_window",
            DeadlineKind::VisitDay => "visit_day",
        }
    }
    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// What stock is kept for: a voucher, or a booking product on a date.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StockKey {
    /// The product.
    pub product: ProductCode,
    /// The date; `None` for a voucher.
    pub date: Option<Date>,
}

/// What must be done outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Call the back-end.
    CallBackend {
        /// Which.
        backend: BackendId,
        /// For which booking.
        booking: BookingId,
        /// What.
        op: TicketOp,
        /// Not before this time.
        not_before: Option<UnixMillis>,
    },
    /// Tell the channel.
    TellChannel {
        /// What.
        report: Report,
        /// Not before this time.
        not_before: Option<UnixMillis>,
    },
    /// Have the channel decrypt guests' data.
    DecryptGuests,
    /// Ask the channel for an order that is not known yet.
    ReadBack {
        /// Which channel.
        channel: crate::id::ChannelId,
        /// Its number for the order.
        about: crate::id::ExternalId,
    },
    /// Tell a channel what is left of a date.
    TellStock {
        /// Which channel.
        channel: crate::id::ChannelId,
        /// Of what.
        key: StockKey,
    },
    /// Arm a deadline; one of each kind per order, the new one replaces the old.
    ArmDeadline {
        /// Which.
        kind: DeadlineKind,
        /// When it passes.
        due_at: UnixMillis,
        /// When to warn before, in order.
        warn_at: Vec<UnixMillis>,
    },
    /// Disarm a deadline.
    DisarmDeadline {
        /// Which.
        kind: DeadlineKind,
    },
    /// Take units out of stock; the decision has seen that they are there.
    TakeStock {
        /// Of what.
        key: StockKey,
        /// How many.
        units: u32,
    },
    /// Give units back.
    ReturnStock {
        /// Of what.
        key: StockKey,
        /// How many.
        units: u32,
    },
}

impl Effect {
    /// Whether both ask the same partner for the same thing, be it at different times.
    #[must_use]
    pub fn is_same_call(&self, other: &Effect) -> bool {
        match (self, other) {
            (
                Effect::CallBackend { backend, booking, op, not_before: _ },
                Effect::CallBackend { backend: other_backend, booking: other_booking, op: other_op, not_before: _ },
            ) => (backend, booking, op) == (other_backend, other_booking, other_op),
            (Effect::ReadBack { channel, about }, Effect::ReadBack { channel: other_channel, about: other_about }) => {
                (channel, about) == (other_channel, other_about)
            }
            (
                Effect::CallBackend { .. }
                | Effect::TellChannel { .. }
                | Effect::DecryptGuests
                | Effect::ReadBack { .. }
                | Effect::TellStock { .. }
                | Effect::ArmDeadline { .. }
                | Effect::DisarmDeadline { .. }
                | Effect::TakeStock { .. }
                | Effect::ReturnStock { .. },
                _,
            ) => false,
        }
    }
}
