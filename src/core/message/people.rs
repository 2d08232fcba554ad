// SPDX-License-Identifier: Apache-2.0

//! Whom a command names.

use crate::message::{Command, ReservationAct};
use crate::personal::Person;

impl Command {
    /// Everybody whom it names.
    pub fn people(&self) -> Vec<&Person> {
        match self {
            Command::PlaceOrder(placed, _) => vec![&placed.sale.buyer],
            Command::RequestBooking(request) => request.visitors.iter().chain(&request.contact).collect(),
            Command::Reservation { act, .. } => match &**act {
                ReservationAct::Confirm(sold) => sold.visitors.iter().chain([&sold.contact]).collect(),
                ReservationAct::Change(change) => {
                    let visitors = change.units.iter().flatten().filter_map(|unit| unit.visitor.as_ref());
                    change.contact.iter().chain(visitors).collect()
                }
                ReservationAct::Extend { .. } | ReservationAct::Cancel { .. } => Vec::new(),
            },
            Command::SupplyGuests { buyer, visitors, contact } => {
                std::iter::once(buyer).chain(visitors).chain(contact).collect()
            }
            Command::RequestTickets { request, .. } => request.visitors.iter().collect(),
            Command::SyncSnapshot { snapshot, .. } => vec![&snapshot.sale.buyer],
            Command::RecordPayments { .. }
            | Command::RecordPaid { .. }
            | Command::ConfirmBooking
            | Command::RejectBooking { .. }
            | Command::AnswerTickets { .. }
            | Command::RecordTicketFacts { .. }
            | Command::SupplyTickets { .. }
            | Command::Redeem(_)
            | Command::MarkNoShow { .. }
            | Command::ApplyRefund(_)
            | Command::ApproveRefund { .. }
            | Command::RejectRefund { .. }
            | Command::EscalateRefund { .. }
            | Command::WithdrawRefund { .. }
            | Command::RecordRefund(_)
            | Command::RecordRejection(_)
            | Command::RecordDoubt { .. }
            | Command::RecordLate { .. }
            | Command::RecordCancellation(_)
            | Command::CancelOrder { .. }
            | Command::RecordAgreement { .. }
            | Command::RecordQuote { .. }
            | Command::AskCancellation { .. }
            | Command::ReturnPayments { .. }
            | Command::SendPaymentLink { .. }
            | Command::RevokePaymentLink
            | Command::SettleAttention { .. }
            | Command::RecordPaymentLink { .. }
            | Command::RecordPartnerNumber { .. }
            | Command::RecordReveal { .. }
            | Command::EraseGuests { .. }
            | Command::RecordNotification { .. }
            | Command::RecordAstray { .. }
            | Command::RecordPartnerGone { .. }
            | Command::RecordPartnerBack { .. }
            | Command::WarnDeadline { .. }
            | Command::PassDeadline { .. } => Vec::new(),
        }
    }
}
