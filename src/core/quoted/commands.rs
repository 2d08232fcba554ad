// SPDX-License-Identifier: Apache-2.0

//! Commands and outcomes with what outsiders say in their own words masked before anything is decided on them.
//!
//! What is kept exactly, because a partner is told it again (numbers, names of tickets), is listed here too, so that a new field has to be
//! thought about; it lives in sealed places and is masked where it leaves them.

use std::borrow::Cow;

use super::{Guests, Quoted};
use crate::message::{Command, NotificationOutcome, ReservationAct, TicketFacts};
use crate::order::Order;
use crate::port::CallResult;

type Masking = fn(&Guests, &str) -> Quoted;
const TEXT: Masking = Guests::text;
const CODE: Masking = Guests::code;

impl Command {
    /// The command with what its free text says of the order's guests masked.
    pub fn without_guests(&self, order: &Order) -> Cow<'_, Command> {
        // A clone of a whole order only to find nothing in it would cost every message of a channel.
        if matches!(self, Command::SyncSnapshot { .. } | Command::PlaceOrder(..) | Command::RequestBooking(_)) {
            return Cow::Borrowed(self);
        }
        let mut command = self.clone();
        let words = command.words();
        if words.is_empty() {
            return Cow::Borrowed(self);
        }
        let guests = Guests::of(order);
        for (words, mask) in words {
            *words = mask(&guests, words).into();
        }
        Cow::Owned(command)
    }

    /// What partners and people say in their own words, and how each of it is masked.
    fn words(&mut self) -> Vec<(&mut String, Masking)> {
        match self {
            Command::RejectBooking { reason }
            | Command::RejectRefund { reason, .. }
            | Command::EscalateRefund { reason, .. }
            | Command::CancelOrder { reason }
            | Command::ReturnPayments { reason, .. }
            | Command::RecordReveal { reason }
            | Command::EraseGuests { reason } => vec![(reason, TEXT)],
            Command::AskCancellation { reason, notify_text, .. } => {
                std::iter::once(reason).chain(notify_text).map(|words| (words, TEXT)).collect()
            }
            Command::RecordDoubt { sentence } => vec![(sentence, TEXT)],
            Command::RecordAstray { why, .. } => vec![(why, TEXT)],
            Command::Reservation { act, .. } => match &mut **act {
                ReservationAct::Cancel { reason } => reason.iter_mut().map(|reason| (reason, TEXT)).collect(),
                // Its own names, which it is told again.
                ReservationAct::Confirm(_) | ReservationAct::Change(_) | ReservationAct::Extend { .. } => Vec::new(),
            },
            Command::ApproveRefund { reason, .. } => reason.iter_mut().map(|reason| (reason, TEXT)).collect(),
            Command::RecordTicketFacts { facts, .. } => words_of_facts(facts),
            Command::RecordNotification { outcome, .. } => words_of_outcome(outcome),
            // Sales, bookings and snapshots: kept as they came, in the sealed document. Numbers and links: said again to partners.
            Command::PlaceOrder(..)
            | Command::RequestBooking(_)
            | Command::SyncSnapshot { .. }
            | Command::SupplyGuests { .. }
            | Command::SupplyTickets { .. }
            | Command::RequestTickets { .. }
            | Command::AnswerTickets { .. }
            | Command::ApplyRefund(_)
            | Command::WithdrawRefund { .. }
            | Command::RecordRefund(_)
            | Command::RecordRejection(_)
            | Command::RecordCancellation(_)
            | Command::RecordPayments { .. }
            | Command::RecordPaymentLink { .. }
            | Command::RecordPartnerNumber { .. }
            | Command::RecordAgreement { .. } => Vec::new(),
            // No text of anybody's.
            Command::RecordPaid { .. }
            | Command::RecordLate { .. }
            | Command::ConfirmBooking
            | Command::Redeem(_)
            | Command::MarkNoShow { .. }
            | Command::RecordQuote { .. }
            | Command::SendPaymentLink { .. }
            | Command::RevokePaymentLink
            | Command::RecordPartnerGone { .. }
            | Command::RecordPartnerBack { .. }
            | Command::WarnDeadline { .. }
            | Command::PassDeadline { .. } => Vec::new(),
        }
    }
}

fn words_of_facts(facts: &mut TicketFacts) -> Vec<(&mut String, Masking)> {
    match facts {
        TicketFacts::Refused { reason } | TicketFacts::CancelRefused { reason, .. } => vec![(reason, TEXT)],
        TicketFacts::Unknown { why } | TicketFacts::GivenUp { why } => vec![(why, TEXT)],
        TicketFacts::Pending { .. }
        | TicketFacts::Issued { .. }
        | TicketFacts::Cancelled
        | TicketFacts::CancelPending
        | TicketFacts::HeldByAnother { .. }
        | TicketFacts::Redeemed { .. } => Vec::new(),
    }
}

fn words_of_outcome(outcome: &mut NotificationOutcome) -> Vec<(&mut String, Masking)> {
    match outcome {
        NotificationOutcome::Refused { code, why } => vec![(code, CODE), (why, TEXT)],
        NotificationOutcome::GivenUp { why } => vec![(why, TEXT)],
        NotificationOutcome::LeftToPerson { what } => vec![(what, TEXT)],
        NotificationOutcome::Acknowledged
        | NotificationOutcome::Taken { .. }
        | NotificationOutcome::Overtaken
        | NotificationOutcome::Repeated
        | NotificationOutcome::Dropped => Vec::new(),
    }
}

impl<T> CallResult<T> {
    /// The result with what the partner says of the order's guests masked, in its code too.
    pub fn without_guests(self, order: &Order) -> Self {
        let guests = Guests::of(order);
        let masked = |why: Cow<'static, str>| match why {
            Cow::Borrowed(ours) => Cow::Borrowed(ours),
            Cow::Owned(theirs) => Cow::Owned(guests.text(&theirs).into()),
        };
        match self {
            CallResult::Retry { why, after } => CallResult::Retry { why: masked(why), after },
            CallResult::Refused { code, why } => {
                CallResult::Refused { code: guests.code(&code).into(), why: guests.text(&why).into() }
            }
            CallResult::Unknown { why } => CallResult::Unknown { why: masked(why) },
            CallResult::Astray { why } => CallResult::Astray { why: masked(why) },
            CallResult::Done(_) | CallResult::Absent | CallResult::Overtaken | CallResult::TokenRejected => self,
        }
    }
}
