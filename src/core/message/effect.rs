// SPDX-License-Identifier: Apache-2.0

//! What must be done outside, as a consequence of an event. Effects are intentions: the engine makes a row of each, in
//! the same transaction, and a worker carries it out later, at least once.

use serde::{Deserialize, Serialize};

use crate::ciphers::Ciphers;
use crate::id::{BackendId, BookingId, ProductCode};
use crate::message::{Notification, ToldBefore};
use crate::time::{Date, UnixMillis};

/// What a back-end is asked to do with a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketOp {
    /// Make the tickets.
    Issue,
    /// Say how it stands.
    Query,
    /// Void the tickets.
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

/// The times that are rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// A booking must be confirmed.
    Acceptance,
    /// Tickets must exist.
    Ticketing,
    /// A refund must be decided.
    Review,
    /// The voucher can no longer be booked.
    BookingWindow,
    /// A parked redemption can be applied.
    VisitDay,
    /// A payment link is over.
    PaymentLink,
}

impl DeadlineKind {
    /// All of them.
    pub const ALL: [DeadlineKind; 6] = [
        DeadlineKind::Acceptance,
        DeadlineKind::Ticketing,
        DeadlineKind::Review,
        DeadlineKind::BookingWindow,
        DeadlineKind::VisitDay,
        DeadlineKind::PaymentLink,
    ];
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            DeadlineKind::Acceptance => "acceptance",
            DeadlineKind::Ticketing => "ticketing",
            DeadlineKind::Review => "review",
            DeadlineKind::BookingWindow => "booking_window",
            DeadlineKind::VisitDay => "visit_day",
            DeadlineKind::PaymentLink => "payment_link",
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
        #[serde(rename = "report")]
        notification: Notification,
        /// Not before this time.
        not_before: Option<UnixMillis>,
        /// How it was told before, where the channel may still carry that out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told_before: Option<Box<ToldBefore>>,
    },
    /// Have the channel decrypt guests' data.
    DecryptGuests,
    /// Have the channel open the guests' data of a message and of its repeat, which came under other ciphers: is it the same?
    CompareGuests {
        /// Which call told them.
        call: String,
        /// As the first message told them.
        first: Vec<Ciphers>,
        /// As its repeat did.
        again: Vec<Ciphers>,
    },
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
                | Effect::CompareGuests { .. }
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
