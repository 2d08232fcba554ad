// SPDX-License-Identifier: Apache-2.0

//! What can be asked of an order. Commands are imperative; where a partner reports a fact, they begin with `Record`.

use serde::{Deserialize, Serialize};

use crate::id::{BookingId, ExternalId, RefundCaseId};
use crate::message::{
    ApplyRefund, Counts, DeadlineKind, NewTicket, Notification, NotificationOutcome, PlaceOrder, RecordCancellation,
    RecordRefund, RecordRejection, Redeem, RedeemedBy, RequestBooking, ReservationAct, Snapshot, TicketFacts,
};
use crate::order::money::LedgerEntry;
use crate::order::{AttentionKind, TicketRequest};
use crate::personal::Person;
use crate::quoted::{ForeignNumber, FreeText};
use crate::time::{Millis, UnixMillis};

/// What can be asked of an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Take a sale on. The only command that needs no order.
    PlaceOrder(Box<PlaceOrder>, Counts),
    /// Record movements of money by their numbers; the order in which they come does not matter.
    RecordPayments {
        /// The movements.
        entries: Vec<LedgerEntry>,
    },
    /// The channel says the sale is paid in full (Douyin's pay-notify).
    RecordPaid {
        /// When.
        at: UnixMillis,
    },
    /// Reserve a visit date.
    RequestBooking(Box<RequestBooking>),
    /// What a reseller does with a reservation of its own.
    Reservation {
        /// Its number.
        target: ExternalId,
        /// What it does.
        act: Box<ReservationAct>,
        /// When it asked: what its answer says is true then.
        at: UnixMillis,
    },
    /// Accept the booking that waits.
    ConfirmBooking,
    /// Reject the booking that waits.
    #[serde(rename = "decline_booking")]
    RejectBooking {
        /// Written for the guest.
        reason: FreeText,
    },
    /// Clear text for guests whose data came as the channel's cipher.
    SupplyGuests {
        /// The buyer.
        buyer: Person,
        /// The active booking's visitors, in order.
        visitors: Vec<Person>,
        /// The active booking's contact.
        contact: Option<Person>,
    },
    /// The channel demands the tickets of a booking.
    RequestTickets {
        /// The channel's number for the booking.
        target: ExternalId,
        /// The demand.
        request: TicketRequest,
        /// First and last instant of validity, where the channel names the dates only here.
        validity: Option<(UnixMillis, UnixMillis)>,
        /// Units left on the date that these name; `None` is no limit.
        #[serde(default)]
        date_left: Option<i64>,
    },
    /// The answer to that demand is being written now.
    AnswerTickets {
        /// The channel's number for the booking.
        target: ExternalId,
        /// Whether tickets that exist go into it; otherwise it says "not yet".
        with_tickets: bool,
    },
    /// What the back-end says.
    RecordTicketFacts {
        /// Our booking.
        booking: BookingId,
        /// What it says.
        facts: TicketFacts,
    },
    /// Tickets made by a person.
    SupplyTickets {
        /// The tickets.
        tickets: Vec<NewTicket>,
    },
    /// The guest was there.
    Redeem(Redeem),
    /// The guest was not there.
    MarkNoShow {
        /// When that was established.
        at: UnixMillis,
    },
    /// Somebody wants money back.
    ApplyRefund(ApplyRefund),
    /// Approve the case under review.
    ApproveRefund {
        /// Our case.
        case: RefundCaseId,
        /// Fee; `None` is the channel's.
        fee: Option<i64>,
        /// Do not wait for the back-end to void the tickets.
        without_backend: bool,
        /// Why, for the record.
        reason: Option<FreeText>,
    },
    /// Reject the case under review.
    RejectRefund {
        /// Our case.
        case: RefundCaseId,
        /// Why; shown to the guest where the channel carries it.
        reason: FreeText,
    },
    /// Leave the case under review to a person.
    EscalateRefund {
        /// Our case.
        case: RefundCaseId,
        /// Why policy does not decide.
        reason: FreeText,
    },
    /// The guest took the request back.
    WithdrawRefund {
        /// The channel's number for the request.
        channel_ref: String,
    },
    /// Money went back, or a decision was taken without us.
    RecordRefund(RecordRefund),
    /// A refund was refused without us.
    RecordRejection(RecordRejection),
    /// A partner said something under a number that it had used before for something else; what came first stands.
    RecordDoubt {
        /// What, for a person; without personal data.
        sentence: FreeText,
        /// What it told of the whole order cannot be read: until its books can be again, nobody knows whether ours are right.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    /// A sale or a request for money back was sent long before it arrived here.
    RecordLate {
        /// The call that told it.
        call: String,
        /// How long before.
        by: Millis,
    },
    /// The channel cancelled something.
    RecordCancellation(RecordCancellation),
    /// Ops call the order off.
    CancelOrder {
        /// Why.
        reason: FreeText,
    },
    /// The channel tells the whole order.
    SyncSnapshot {
        /// The order.
        snapshot: Box<Snapshot>,
        /// Why its product was not for sale when it was booked, if it was not.
        not_for_sale: Option<String>,
        /// Numbers of its payments that belong to other orders of the channel: one payment pays for one order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paid_elsewhere: Vec<String>,
        /// Numbers of its lines that belong to other orders of the channel: what was sold once is sold once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines_elsewhere: Vec<String>,
    },
    /// The channel has carried out what was asked for, and says no more than that.
    RecordAgreement {
        /// What was asked for.
        #[serde(rename = "report")]
        notification: Notification,
    },
    /// The channel says what calling the order off would cost.
    RecordQuote {
        /// What would be kept, minor units; `None` where the channel has no quotes, and its policy counts.
        fee: Option<i64>,
        /// What would go back, minor units, where the channel says.
        refund: Option<i64>,
    },
    /// The order, or a part of it, is to be cancelled at the channel.
    AskCancellation {
        /// What is to be kept, minor units; `None` is the channel's own fee.
        fee: Option<i64>,
        /// Why; not shown to the guest.
        reason: FreeText,
        /// Units by line, as the channel numbers its lines; none are all.
        parts: Vec<(String, u32)>,
        /// What the guest is told once it is cancelled, in words of their own: the channel shows no reason (`adapters/kakao/README.md`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notify_text: Option<FreeText>,
    },
    /// Ops return money; the booking stays as it is.
    ReturnPayments {
        /// How much, minor units; `None` is all of it.
        amount: Option<i64>,
        /// Why.
        reason: FreeText,
    },
    /// Ops send the guest a payment link.
    SendPaymentLink {
        /// What it collects, minor units; `None` is the next part that is due.
        amount: Option<i64>,
        /// Until when it can be paid.
        expires_at: UnixMillis,
    },
    /// Ops take the live payment link back.
    RevokePaymentLink,
    /// Ops have seen to what the order was flagged for, with whoever it concerned.
    SettleAttention {
        /// Which flag.
        kind: AttentionKind,
        /// What was done; without personal data.
        reason: FreeText,
    },
    /// The channel has made a payment link.
    RecordPaymentLink {
        /// Our name for it.
        key: String,
        /// The channel's number.
        id: String,
        /// The address.
        url: Option<String>,
    },
    /// A partner's system has its own number for the order.
    RecordPartnerNumber {
        /// The number.
        number: ForeignNumber,
    },
    /// Somebody of ours was shown guests' data in clear.
    RecordReveal {
        /// Why that person asked.
        reason: FreeText,
    },
    /// Guests' data is no longer needed, or its owner does not want it kept.
    EraseGuests {
        /// Why; without personal data.
        reason: FreeText,
    },
    /// A call to the channel has ended.
    #[serde(rename = "record_report")]
    RecordNotification {
        /// What was reported.
        #[serde(rename = "report")]
        notification: Notification,
        /// How it ended.
        outcome: NotificationOutcome,
    },
    /// A partner answered about something else than what it was asked; the answer counts for nothing.
    RecordAstray {
        /// Who answered.
        partner: String,
        /// What the answer is about instead, without anybody's number.
        why: FreeText,
    },
    /// A partner that has still to be called about the order is no longer configured: the call waits.
    RecordPartnerGone {
        /// Which, as a person reads it.
        partner: String,
    },
    /// It is configured again, or need not be called any more.
    RecordPartnerBack {
        /// Which.
        partner: String,
    },
    /// A deadline is near.
    WarnDeadline {
        /// Which.
        kind: DeadlineKind,
        /// When it is due.
        due_at: UnixMillis,
    },
    /// A deadline has passed.
    PassDeadline {
        /// Which.
        kind: DeadlineKind,
        /// When it was due.
        due_at: UnixMillis,
    },
}

/// What to do with a command whose order is not known (hazards H1, H2, H5 and H11 of Douyin's messages).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnknown {
    /// The command itself brings the order into being.
    Create,
    /// Keep it and apply it when the order comes; the answer says "not yet".
    Remember,
    /// Note that the number is dead, so that a late creation is refused; the answer says "taken".
    Tombstone,
    /// Ask the sender to come again.
    TryLater,
    /// There is nothing to act on.
    NotFound,
}

impl Command {
    /// Its name: in events, metrics, spans and the matrix of the tests.
    pub fn name(&self) -> &'static str {
        match self {
            Command::PlaceOrder(..) => "place_order",
            Command::RecordPayments { .. } => "record_payments",
            Command::RecordPaid { .. } => "record_paid",
            Command::RequestBooking(_) => "request_booking",
            Command::Reservation { .. } => "reservation",
            Command::ConfirmBooking => "confirm_booking",
            Command::RejectBooking { .. } => "decline_booking",
            Command::SupplyGuests { .. } => "supply_guests",
            Command::RequestTickets { .. } => "request_tickets",
            Command::AnswerTickets { .. } => "answer_tickets",
            Command::RecordTicketFacts { .. } => "record_ticket_facts",
            Command::SupplyTickets { .. } => "supply_tickets",
            Command::Redeem(_) => "redeem",
            Command::MarkNoShow { .. } => "mark_no_show",
            Command::ApplyRefund(_) => "apply_refund",
            Command::ApproveRefund { .. } => "approve_refund",
            Command::RejectRefund { .. } => "reject_refund",
            Command::EscalateRefund { .. } => "escalate_refund",
            Command::WithdrawRefund { .. } => "withdraw_refund",
            Command::RecordRefund(_) => "record_refund",
            Command::RecordRejection(_) => "record_rejection",
            Command::RecordDoubt { .. } => "record_doubt",
            Command::RecordLate { .. } => "record_late",
            Command::RecordCancellation(_) => "record_cancellation",
            Command::CancelOrder { .. } => "cancel_order",
            Command::SyncSnapshot { .. } => "sync_snapshot",
            Command::RecordAgreement { .. } => "record_agreement",
            Command::RecordQuote { .. } => "record_quote",
            Command::AskCancellation { .. } => "ask_cancellation",
            Command::ReturnPayments { .. } => "return_payments",
            Command::SendPaymentLink { .. } => "send_payment_link",
            Command::RevokePaymentLink => "revoke_payment_link",
            Command::SettleAttention { .. } => "settle_attention",
            Command::RecordPaymentLink { .. } => "record_payment_link",
            Command::RecordPartnerNumber { .. } => "record_partner_number",
            Command::RecordReveal { .. } => "record_reveal",
            Command::EraseGuests { .. } => "erase_guests",
            Command::RecordNotification { .. } => "record_report",
            Command::RecordAstray { .. } => "record_astray",
            Command::RecordPartnerGone { .. } => "record_partner_gone",
            Command::RecordPartnerBack { .. } => "record_partner_back",
            Command::WarnDeadline { .. } => "warn_deadline",
            Command::PassDeadline { .. } => "pass_deadline",
        }
    }

    /// What becomes of it when its order is not known.
    pub fn when_unknown(&self) -> WhenUnknown {
        match self {
            Command::PlaceOrder(..) | Command::RequestBooking(_) => WhenUnknown::Create,
            Command::RequestTickets { .. }
            | Command::ApplyRefund(_)
            | Command::RecordRejection(_)
            | Command::SyncSnapshot { .. } => WhenUnknown::Remember,
            Command::RecordRefund(_) | Command::RecordCancellation(_) => WhenUnknown::Tombstone,
            Command::RecordPaid { .. } | Command::RecordPayments { .. } => WhenUnknown::TryLater,
            Command::Reservation { .. }
            | Command::ConfirmBooking
            | Command::RejectBooking { .. }
            | Command::SupplyGuests { .. }
            | Command::AnswerTickets { .. }
            | Command::RecordTicketFacts { .. }
            | Command::SupplyTickets { .. }
            | Command::Redeem(_)
            | Command::MarkNoShow { .. }
            | Command::ApproveRefund { .. }
            | Command::RejectRefund { .. }
            | Command::EscalateRefund { .. }
            | Command::WithdrawRefund { .. }
            | Command::RecordDoubt { .. }
            | Command::RecordLate { .. }
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
            | Command::PassDeadline { .. } => WhenUnknown::NotFound,
        }
    }

    /// Whether somebody of ours wants something changed; what partners tell is a fact, whatever we may change.
    pub fn is_act(&self) -> bool {
        match self {
            Command::ConfirmBooking
            | Command::RejectBooking { .. }
            | Command::SupplyTickets { .. }
            | Command::MarkNoShow { .. }
            | Command::ApproveRefund { .. }
            | Command::RejectRefund { .. }
            | Command::CancelOrder { .. }
            | Command::AskCancellation { .. }
            | Command::ReturnPayments { .. }
            | Command::SendPaymentLink { .. }
            | Command::RevokePaymentLink => true,
            Command::Redeem(redeem) => redeem.by == RedeemedBy::Person,
            Command::SettleAttention { .. }
            | Command::PlaceOrder(..)
            | Command::RecordPayments { .. }
            | Command::RecordPaid { .. }
            | Command::RequestBooking(_)
            | Command::Reservation { .. }
            | Command::SupplyGuests { .. }
            | Command::RequestTickets { .. }
            | Command::AnswerTickets { .. }
            | Command::RecordTicketFacts { .. }
            | Command::ApplyRefund(_)
            | Command::EscalateRefund { .. }
            | Command::WithdrawRefund { .. }
            | Command::RecordRefund(_)
            | Command::RecordRejection(_)
            | Command::RecordDoubt { .. }
            | Command::RecordLate { .. }
            | Command::RecordCancellation(_)
            | Command::SyncSnapshot { .. }
            | Command::RecordAgreement { .. }
            | Command::RecordQuote { .. }
            | Command::RecordPaymentLink { .. }
            | Command::RecordPartnerNumber { .. }
            | Command::RecordReveal { .. }
            | Command::EraseGuests { .. }
            | Command::RecordNotification { .. }
            | Command::RecordAstray { .. }
            | Command::RecordPartnerGone { .. }
            | Command::RecordPartnerBack { .. }
            | Command::WarnDeadline { .. }
            | Command::PassDeadline { .. } => false,
        }
    }
}
