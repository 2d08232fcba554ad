// SPDX-License-Identifier: Apache-2.0

//! Whose turn it is: what an order rests on where no delivery and no deadline moves it.

use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{Booking, BookingState, Order, OrderState, RefundState, TicketingState};

/// Something that an order waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// The guest pays what is open, or the channel calls the order off.
    Payment,
    /// The guest chooses a day, or asks for his money.
    Booking,
    /// The reseller says that it is sold, or the hold runs out.
    Sale,
    /// Somebody accepts the booking or declines it.
    Acceptance,
    /// The channel agrees to what was decided, by an event of its own.
    Agreement,
    /// The back-end makes the tickets.
    Tickets,
    /// The back-end has refused: somebody supplies tickets, or the money goes back.
    TicketsByHand,
    /// The back-end voids the tickets.
    Void,
    /// The back-end has refused to void them: somebody settles it.
    VoidByHand,
    /// The guest comes, and the gate or the channel says so.
    Visit,
    /// Somebody decides on the refund.
    Decision,
    /// The channel says that the money is back.
    Return,
    /// Money did not go back: somebody returns it again.
    ReturnByHand,
}

impl Waits {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Waits; 13] = [
        Waits::Payment,
        Waits::Booking,
        Waits::Sale,
        Waits::Acceptance,
        Waits::Agreement,
        Waits::Tickets,
        Waits::TicketsByHand,
        Waits::Void,
        Waits::VoidByHand,
        Waits::Visit,
        Waits::Decision,
        Waits::Return,
        Waits::ReturnByHand,
    ];

    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Waits::Payment => "payment",
            Waits::Booking => "booking",
            Waits::Sale => "sale",
            Waits::Acceptance => "acceptance",
            Waits::Agreement => "agreement",
            Waits::Tickets => "tickets",
            Waits::TicketsByHand => "tickets_by_hand",
            Waits::Void => "void",
            Waits::VoidByHand => "void_by_hand",
            Waits::Visit => "visit",
            Waits::Decision => "decision",
            Waits::Return => "return",
            Waits::ReturnByHand => "return_by_hand",
        }
    }
}

/// Everything that an order waits for; nothing where it is over.
pub(crate) fn of(order: &Order) -> Vec<Waits> {
    let mut all = Vec::new();
    match order.refund_case.as_ref().map(|case| case.state) {
        Some(RefundState::UnderReview) => all.push(Waits::Decision),
        Some(RefundState::Approved) => all.push(Waits::Return),
        Some(RefundState::Settled | RefundState::Rejected | RefundState::Withdrawn) | None => {}
    }
    let is_over = match order.state {
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => false,
        OrderState::Completed | OrderState::Cancelled => true,
    };
    // What went back, or is on its way, has paid for nothing, unless it is that of a refund.
    let is_refunded = order.refund_case.as_ref().is_some_and(|case| case.state == RefundState::Approved);
    let is_open = order.is_collected_later() && order.to_collect() > 0 && !is_refunded;
    let is_owed = match order.payment() {
        PaymentState::Unpaid | PaymentState::Partial => true,
        PaymentState::RefundPending
        | PaymentState::PartiallyRefunded
        | PaymentState::Refunded
        | PaymentState::RefundFailed => is_open,
        PaymentState::None | PaymentState::External | PaymentState::Paid => false,
    };
    if is_owed && !is_over {
        all.push(Waits::Payment);
    }
    match order.payment() {
        PaymentState::RefundPending if !all.contains(&Waits::Return) => all.push(Waits::Return),
        PaymentState::RefundFailed => all.push(Waits::ReturnByHand),
        PaymentState::None
        | PaymentState::External
        | PaymentState::Unpaid
        | PaymentState::Partial
        | PaymentState::Paid
        | PaymentState::RefundPending
        | PaymentState::PartiallyRefunded
        | PaymentState::Refunded => {}
    }
    let is_proposed = order.channel_state.as_ref().is_some_and(|it| it.proposal.is_some());
    all.extend(order.booking.as_ref().and_then(|booking| of_booking(booking, is_over, is_proposed)));
    // Before a booking is agreed to, its tickets are held: those are waited for first.
    if is_proposed && !is_over && !all.contains(&Waits::Tickets) {
        all.push(Waits::Agreement);
    }
    if order.state == OrderState::AwaitingBooking {
        all.push(Waits::Booking);
    }
    all
}

fn of_booking(booking: &Booking, is_over: bool, is_proposed: bool) -> Option<Waits> {
    // Tickets are voided behind an order that is over, too.
    match booking.ticketing.state {
        TicketingState::Cancelling => return Some(Waits::Void),
        TicketingState::CancelRefused => return Some(Waits::VoidByHand),
        TicketingState::NotNeeded
        | TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Issued
        | TicketingState::Unknown
        | TicketingState::Failed
        | TicketingState::Cancelled => {}
    }
    match booking.state {
        BookingState::Requested if is_over => None,
        BookingState::Requested if booking.is_on_hold() => Some(Waits::Sale),
        BookingState::Requested if is_proposed => match booking.ticketing.state {
            TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown => Some(Waits::Tickets),
            TicketingState::NotNeeded
            | TicketingState::Issued
            | TicketingState::Failed
            | TicketingState::Cancelling
            | TicketingState::Cancelled
            | TicketingState::CancelRefused => None,
        },
        BookingState::Requested => Some(Waits::Acceptance),
        BookingState::Confirmed if is_over => None,
        BookingState::Confirmed => match booking.ticketing.state {
            TicketingState::NotNeeded | TicketingState::Issued => Some(Waits::Visit),
            TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown => Some(Waits::Tickets),
            TicketingState::Failed => Some(Waits::TicketsByHand),
            TicketingState::Cancelling | TicketingState::Cancelled | TicketingState::CancelRefused => None,
        },
        BookingState::Used | BookingState::NoShow | BookingState::Rejected | BookingState::Cancelled => None,
    }
}
