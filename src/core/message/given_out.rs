// SPDX-License-Identifier: Apache-2.0

//! What an event gives out that admits a guest, or names one reservation: it belongs to one order at a time.

use crate::id::BookingId;
use crate::message::Event;
use crate::order::Ticket;
use crate::quoted::ForeignNumber;

/// What a booking was given.
#[derive(Clone, Copy, Debug)]
pub struct GivenOut<'e> {
    /// Which booking.
    pub booking: &'e BookingId,
    /// The back-end's number for it.
    pub number: Option<&'e str>,
    /// What admits.
    pub tickets: &'e [Ticket],
}

impl Event {
    /// What became the order's own by it.
    pub fn gives_out(&self) -> Option<GivenOut<'_>> {
        match self {
            Event::TicketsIssued { booking, backend_ref, tickets, manual: _ } => {
                Some(GivenOut { booking, number: backend_ref.as_ref().map(ForeignNumber::reveal), tickets })
            }
            Event::OtherCodesNamed { booking, tickets } => Some(GivenOut { booking, number: None, tickets }),
            Event::TicketsPending { booking, backend_ref } => {
                Some(GivenOut { booking, number: backend_ref.as_ref().map(ForeignNumber::reveal), tickets: &[] })
            }
            Event::OrderPlaced { .. }
            | Event::StubFilled { .. }
            | Event::PaymentRecorded { .. }
            | Event::BookingOpened
            | Event::BookingRequested { .. }
            | Event::HoldConfirmed { .. }
            | Event::HoldExtended { .. }
            | Event::HoldMoved { .. }
            | Event::HoldRenamed { .. }
            | Event::BookingConfirmed { .. }
            | Event::BookingRejected { .. }
            | Event::GuestsSupplied { .. }
            | Event::TicketingStarted
            | Event::TicketsRequested { .. }
            | Event::LateTicketsIssued { .. }
            | Event::TicketingRefused { .. }
            | Event::TicketingUnknown { .. }
            | Event::TicketsAnswered
            | Event::TicketsDeferred
            | Event::TicketsHandedOver { .. }
            | Event::TicketCancelStarted { .. }
            | Event::TicketCancelPending { .. }
            | Event::TicketsCancelled { .. }
            | Event::TicketCancelRefused { .. }
            | Event::Redeemed { .. }
            | Event::GuestsEntered { .. }
            | Event::RedemptionParked { .. }
            | Event::NoShowMarked { .. }
            | Event::RefundApplied { .. }
            | Event::RefundEscalated { .. }
            | Event::RefundApprovalStarted { .. }
            | Event::RefundApproved { .. }
            | Event::RefundRejected { .. }
            | Event::RefundWithdrawn { .. }
            | Event::RefundSettled { .. }
            | Event::RefundForced { .. }
            | Event::BookingCancelled { .. }
            | Event::OrderCancelled { .. }
            | Event::NotificationAcknowledged { .. }
            | Event::NotificationRefused { .. }
            | Event::SnapshotTaken { .. }
            | Event::SnapshotContested
            | Event::Proposed { .. }
            | Event::ProposalEnded { .. }
            | Event::PaymentLinkChanged { .. }
            | Event::PartnerNumberChanged { .. }
            | Event::PaymentRetracted { .. }
            | Event::NotificationLeftToPerson { .. }
            | Event::NotificationDropped { .. }
            | Event::NotificationRepeated { .. }
            | Event::RefundReopened { .. }
            | Event::NotificationOvertaken { .. }
            | Event::NotificationTaken { .. }
            | Event::NotificationDenied { .. }
            | Event::GuestsRevealed { .. }
            | Event::GuestsErased { .. }
            | Event::TicketingDeadlineNear { .. }
            | Event::TicketingDeadlinePassed { .. }
            | Event::ReviewLimitNear { .. }
            | Event::ReviewLimitPassed { .. }
            | Event::DeadlineNear { .. }
            | Event::DeadlinePassed { .. }
            | Event::AttentionSettled { .. }
            | Event::AttentionRaised { .. } => None,
        }
    }
}
