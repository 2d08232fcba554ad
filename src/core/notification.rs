// SPDX-License-Identifier: Apache-2.0

//! What a channel is told, and what became of it.

use serde::{Deserialize, Serialize};

use crate::id::{BookingId, RefundCaseId};
use crate::quoted::{ForeignCode, FreeText};
use crate::time::UnixMillis;

/// What the channel is told. The details are taken from the order when the call is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Notification {
    /// The booking is confirmed (asynchronous confirmation).
    #[serde(rename = "booking_accepted")]
    BookingConfirmed {
        /// Which.
        booking: BookingId,
    },
    /// The booking is rejected.
    #[serde(rename = "booking_declined")]
    BookingRejected {
        /// Which.
        booking: BookingId,
        /// Written for the guest.
        reason: FreeText,
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
        reason: FreeText,
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
        reason: FreeText,
    },
    /// What would calling the order off cost, by the channel's own count?
    CancelQuote,
    /// The order is to be cancelled.
    #[serde(rename = "cancel_wanted")]
    Cancellation {
        /// What is kept, minor units.
        fee: i64,
        /// The same as a share, in ten-thousandths.
        rate_bp: u32,
        /// What goes back, minor units.
        refund: i64,
        /// Why; not shown to the guest.
        reason: FreeText,
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
        reason: FreeText,
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
    /// The guest is to be told why the order was cancelled, which no channel does by itself.
    GuestMessage {
        /// Written for the guest.
        text: FreeText,
    },
    /// A partner's system is told of the order.
    HandOver,
}

impl Notification {
    /// Its name: in deliveries, metrics and spans.
    pub fn name(&self) -> &'static str {
        match self {
            Notification::BookingConfirmed { .. } => "booking_accepted",
            Notification::BookingRejected { .. } => "booking_declined",
            Notification::TicketsIssued { .. } => "tickets_issued",
            Notification::RefundApproved { .. } => "refund_approved",
            Notification::RefundRejected { .. } => "refund_rejected",
            Notification::Redeemed { .. } => "redeemed",
            Notification::NoShow { .. } => "no_show",
            Notification::OrderCancelled { .. } => "order_cancelled",
            Notification::CancelQuote => "cancel_quote",
            Notification::Cancellation { .. } => "cancel_wanted",
            Notification::PaymentReturn { .. } => "payment_return",
            Notification::PaymentLink { .. } => "payment_link",
            Notification::LinkRevoked { .. } => "link_revoked",
            Notification::GuestMessage { .. } => "guest_message",
            Notification::HandOver => "hand_over",
        }
    }
}

/// How the channel was told something before: a repeat that says the same goes under the same name, so that it is carried out once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ToldBefore {
    /// The delivery, by whose id the channel knows a repeat.
    pub delivery: String,
    /// When what it tells was decided.
    pub decided_at: UnixMillis,
    /// The fingerprint of the call, without its signature; empty where nothing is known of it.
    pub message: String,
    /// How often it was told in vain, where its books have moved on since and show nothing of it: those attempts count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_vain: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How a call to the channel ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationOutcome {
    /// The channel took it.
    Acknowledged,
    /// The channel will never take it.
    Refused {
        /// Its code.
        code: ForeignCode,
        /// Its words.
        why: FreeText,
    },
    /// Attempts are used up.
    GivenUp {
        /// The last error.
        why: FreeText,
    },
    /// The channel has no call for it; a person does it there.
    LeftToPerson {
        /// What the person has to do.
        what: FreeText,
    },
    /// The order had changed at the channel meanwhile; what it is now has been taken over.
    Overtaken,
    /// The channel counts more changes of the order than it did, and they say nothing of what was asked for: that is told again as it is now,
    /// and counts as one more attempt.
    Unmoved {
        /// How it was told.
        told: ToldBefore,
        /// When it is told again; at once where nothing is named.
        not_before: Option<UnixMillis>,
    },
    /// The channel said yes, and nothing of what came of it: an event, a look or its books will show it.
    Taken {
        /// How it was told, where the channel knows a repeat of it.
        told: Option<ToldBefore>,
    },
    /// Ops have taken the call out: nobody is to look at it any more.
    Dropped,
    /// Ops have it made again.
    Repeated,
}
