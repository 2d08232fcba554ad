// SPDX-License-Identifier: Apache-2.0

//! What happened. Events are past tense, append-only, and readable by a person; personal data in them is masked.

use serde::{Deserialize, Serialize};

use crate::id::{BookingId, OrderId, RefundCaseId};
use crate::message::{DeadlineKind, Keeps, Notification, ParkReason, PlaceOrder, RefundScope, ToldBefore};
use crate::order::channel_state::{ChannelState, PaymentLink, Proposal};
use crate::order::money::LedgerEntry;
use crate::order::{AttentionKind, Booking, CancelReason, Entered, Fact, HeldUnit, RefundCase, Ticket, TicketRequest};
use crate::personal::Person;
use crate::quoted::{ForeignCode, ForeignNumber, FreeText};
use crate::time::{Date, UnixMillis};
use crate::variant::Visit;

/// Who caused something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// The place where it was sold.
    Channel,
    /// The system that issues.
    Backend,
    /// The configured rules.
    Policy,
    /// A person of ours.
    Ops,
    /// A deadline.
    Timer,
}

/// Who caused something, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// What kind.
    pub kind: ActorKind,
    /// Which one.
    pub name: String,
}

impl Actor {
    /// An actor.
    pub fn new(kind: ActorKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
    /// The rules of the configuration.
    pub fn policy() -> Self {
        Self::new(ActorKind::Policy, "policy")
    }
    /// The clock.
    pub fn timer() -> Self {
        Self::new(ActorKind::Timer, "timer")
    }
}

/// What happened to an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A sale was taken on.
    OrderPlaced {
        /// The id it got.
        id: OrderId,
        /// The sale.
        sale: Box<PlaceOrder>,
    },
    /// The sale that had been made up from a later message was told after all.
    StubFilled {
        /// The sale.
        sale: Box<PlaceOrder>,
    },
    /// Money moved.
    PaymentRecorded {
        /// The movement.
        entry: LedgerEntry,
    },
    /// The voucher can be booked now.
    BookingOpened,
    /// A visit date was asked for.
    BookingRequested {
        /// The new booking.
        booking: Box<Booking>,
    },
    /// The reseller sold what was kept for it.
    HoldConfirmed {
        /// Its own name for the booking, where it gave another one.
        reference: Option<String>,
    },
    /// The reseller calls the reservation, or units of it, otherwise.
    HoldRenamed {
        /// Its own name for the booking.
        reference: Option<String>,
        /// The units, as it names them now.
        units: Vec<HeldUnit>,
    },
    /// Another visit is kept than before: another day, start time, option, product or number of units.
    HoldMoved {
        /// The sale as it is now.
        sale: Box<PlaceOrder>,
        /// Its visit.
        visit: Visit,
        /// The units, as the reseller names them.
        units: Vec<HeldUnit>,
    },
    /// The place is kept longer.
    HoldExtended {
        /// Until when.
        until: UnixMillis,
    },
    /// The booking was confirmed.
    BookingConfirmed {
        /// When tickets are due; `None` when none are needed.
        ticketing_due: Option<UnixMillis>,
    },
    /// The booking was rejected.
    #[serde(rename = "booking_declined")]
    BookingRejected {
        /// Why.
        reason: FreeText,
    },
    /// The channel's cipher was opened.
    GuestsSupplied {
        /// The buyer.
        buyer: Person,
        /// The visitors.
        visitors: Vec<Person>,
        /// The contact.
        contact: Option<Person>,
    },
    /// The back-end is going to be asked for tickets.
    TicketingStarted,
    /// The channel demanded the tickets.
    TicketsRequested {
        /// The demand.
        request: TicketRequest,
        /// First and last day, where they were not known before.
        dates: Option<(Date, Date)>,
    },
    /// The back-end works on the tickets.
    TicketsPending {
        /// Whose.
        booking: BookingId,
        /// The back-end's number.
        backend_ref: Option<ForeignNumber>,
    },
    /// The tickets exist.
    TicketsIssued {
        /// Whose.
        booking: BookingId,
        /// The back-end's number.
        backend_ref: Option<ForeignNumber>,
        /// The tickets.
        tickets: Vec<Ticket>,
        /// A person made them.
        #[serde(rename = "by_hand")]
        manual: bool,
    },
    /// The back-end calls tickets that exist otherwise than before: both names are known from now on.
    OtherCodesNamed {
        /// Whose.
        booking: BookingId,
        /// What it calls them now.
        tickets: Vec<Ticket>,
    },
    /// Tickets came for a booking that is over; they are voided and never shown.
    LateTicketsIssued {
        /// Whose.
        booking: BookingId,
        /// The back-end's number.
        backend_ref: Option<ForeignNumber>,
        /// How many.
        count: u32,
    },
    /// The back-end refused.
    TicketingRefused {
        /// Whose.
        booking: BookingId,
        /// Why.
        reason: FreeText,
    },
    /// The back-end did not answer; it is asked how it stands.
    TicketingUnknown {
        /// Whose.
        booking: BookingId,
        /// What went wrong.
        why: FreeText,
    },
    /// The tickets went to the channel in the answer to its demand.
    TicketsAnswered,
    /// The answer to its demand said "not yet"; they follow by a call of ours.
    TicketsDeferred,
    /// The channel has, or refused, the tickets that we sent.
    TicketsHandedOver {
        /// Whether it has them.
        acknowledged: bool,
    },
    /// The back-end is going to be asked to void tickets.
    TicketCancelStarted {
        /// Whose.
        booking: BookingId,
    },
    /// The back-end works on voiding them.
    TicketCancelPending {
        /// Whose.
        booking: BookingId,
    },
    /// The tickets are void.
    TicketsCancelled {
        /// Whose.
        booking: BookingId,
        /// What the back-end does not give back of their price: the difference is the seller's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keeps: Option<Keeps>,
    },
    /// The back-end did not void them.
    TicketCancelRefused {
        /// Whose.
        booking: BookingId,
        /// Why.
        reason: FreeText,
        /// Because they were used.
        used: bool,
    },
    /// The guest was there.
    Redeemed {
        /// Which booking.
        booking: BookingId,
        /// When.
        at: UnixMillis,
    },
    /// The guest went in, and the state does not allow it yet.
    RedemptionParked {
        /// Which booking.
        booking: BookingId,
        /// When the guest went in.
        at: UnixMillis,
        /// What it waits for.
        waits_for: ParkReason,
        /// Who told.
        told_by: String,
        /// Whether it was some of the guests only.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_part: bool,
    },
    /// Some of the guests went in, and others may still come.
    GuestsEntered {
        /// Who, altogether.
        entered: Box<Entered>,
        /// When the last of them did.
        at: UnixMillis,
        /// Whether that waits for something before it counts.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        waits: bool,
    },
    /// The guest was not there.
    NoShowMarked {
        /// When that was established.
        at: UnixMillis,
    },
    /// A refund case was opened.
    RefundApplied {
        /// The case.
        case: Box<RefundCase>,
    },
    /// A person must decide.
    RefundEscalated {
        /// Which case.
        case: RefundCaseId,
        /// Why policy does not.
        reason: FreeText,
    },
    /// It was decided to approve; the tickets are voided first.
    RefundApprovalStarted {
        /// Which case.
        case: RefundCaseId,
        /// Fee.
        fee: i64,
        /// Who decided.
        by: String,
        /// Why.
        reason: Option<FreeText>,
    },
    /// The refund is approved.
    RefundApproved {
        /// Which case.
        case: RefundCaseId,
        /// Fee.
        fee: i64,
        /// Who decided.
        by: String,
        /// Why.
        reason: Option<FreeText>,
        /// The money that is now on its way.
        pending: Option<LedgerEntry>,
    },
    /// The refund is rejected.
    RefundRejected {
        /// Which case.
        case: RefundCaseId,
        /// Why.
        reason: FreeText,
        /// Who decided.
        by: String,
        /// The tickets went with it.
        reissue: bool,
    },
    /// The request was taken back.
    RefundWithdrawn {
        /// Which case.
        case: RefundCaseId,
    },
    /// The case has come to its end.
    RefundSettled {
        /// Which case.
        case: RefundCaseId,
        /// What went back; `None` when the channel did not say.
        amount: Option<i64>,
        /// The channel decided, not we.
        by_channel: bool,
        /// What was kept, where the channel says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fee: Option<i64>,
    },
    /// A refund or cancellation that nobody asked us about, or the money of some copies, of which others follow.
    RefundForced {
        /// The channel's number.
        channel_ref: String,
        /// How far it reaches.
        scope: RefundScope,
        /// The channel's own code for the occasion.
        scene: Option<i64>,
        /// How many copies it is about, where it is not about all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        copies: Option<u32>,
        /// Which copies, where they are named: their places among those of the booking, from 0.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        named: Vec<u32>,
        /// The same, where only their reservation was cancelled.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        off: Vec<u32>,
    },
    /// The booking was cancelled.
    BookingCancelled {
        /// Which booking.
        booking: BookingId,
        /// Why.
        reason: CancelReason,
    },
    /// The order was cancelled.
    OrderCancelled {
        /// Why.
        reason: CancelReason,
        /// What the person says who cancelled it.
        #[serde(default)]
        why: Option<FreeText>,
    },
    /// The channel took a notification.
    #[serde(rename = "report_acknowledged")]
    NotificationAcknowledged {
        /// Which.
        #[serde(rename = "report")]
        notification: Notification,
    },
    /// The channel did not take a notification, and will not.
    #[serde(rename = "report_refused")]
    NotificationRefused {
        /// Which.
        #[serde(rename = "report")]
        notification: Notification,
        /// Its code.
        code: ForeignCode,
        /// Its words.
        why: FreeText,
    },
    /// The channel told the whole order.
    #[serde(rename = "picture_taken")]
    SnapshotTaken {
        /// What the channel says, and what is kept beside it.
        #[serde(rename = "mirror")]
        channel_state: Box<ChannelState>,
        /// The sale as it is now.
        sale: Box<crate::message::Sale>,
        /// First and last day on which it admits.
        dates: (Option<Date>, Option<Date>),
    },
    /// The channel told two things of which only one can hold, and does not count its changes: it is asked which.
    #[serde(rename = "picture_contested")]
    SnapshotContested,
    /// We asked the channel for a change; nothing has changed yet.
    Proposed {
        /// What we want.
        proposal: Proposal,
    },
    /// What we asked for came to an end.
    ProposalEnded {
        /// Whether the channel agreed.
        agreed: bool,
    },
    /// A payment link was asked for, made, paid, or taken back.
    PaymentLinkChanged {
        /// The link as it is now.
        link: PaymentLink,
    },
    /// A partner's system has another number for the order.
    PartnerNumberChanged {
        /// The number before.
        old: Option<ForeignNumber>,
        /// The number that holds.
        new: ForeignNumber,
    },
    /// A movement of money that we had asked for is told by its own number now, or will not happen.
    PaymentRetracted {
        /// Our name for it.
        reference: String,
    },
    /// The channel has no call for this; a person does it there.
    #[serde(rename = "report_left_to_person")]
    NotificationLeftToPerson {
        /// What was to be reported.
        #[serde(rename = "report")]
        notification: Notification,
        /// What the person has to do.
        what: FreeText,
    },
    /// Ops have taken out what the channel could not be told.
    #[serde(rename = "report_dropped")]
    NotificationDropped {
        /// What was to be reported.
        #[serde(rename = "report")]
        notification: Notification,
    },
    /// What was put aside, or left to a person, is told again after all.
    #[serde(rename = "report_repeated")]
    NotificationRepeated {
        /// What is to be reported.
        #[serde(rename = "report")]
        notification: Notification,
    },
    /// The channel does not do what was approved: the case is to be decided again, and the money is not on its way.
    RefundReopened {
        /// Which case.
        case: RefundCaseId,
    },
    /// The order had changed at the channel before our call; it is decided again.
    #[serde(rename = "report_overtaken")]
    NotificationOvertaken {
        /// What was to be reported.
        #[serde(rename = "report")]
        notification: Notification,
    },
    /// The channel said yes to a notification, and nothing of what came of it.
    #[serde(rename = "report_taken")]
    NotificationTaken {
        /// Which.
        #[serde(rename = "report")]
        notification: Notification,
        /// How it was told, where the channel knows a repeat of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told: Option<ToldBefore>,
    },
    /// The channel had said yes to a notification, and its books show that nothing came of it.
    #[serde(rename = "report_denied")]
    NotificationDenied {
        /// Which.
        #[serde(rename = "report")]
        notification: Notification,
    },
    /// Somebody of ours was shown guests' data in clear.
    GuestsRevealed {
        /// Why that person asked.
        reason: FreeText,
    },
    /// Guests' data was erased; what was sold, when and for how much stays.
    GuestsErased {
        /// Why.
        reason: FreeText,
    },
    /// The ticketing deadline is near.
    TicketingDeadlineNear {
        /// When it passes.
        due_at: UnixMillis,
    },
    /// The ticketing deadline passed without tickets.
    TicketingDeadlinePassed {
        /// When.
        due_at: UnixMillis,
    },
    /// The review limit is near.
    ReviewLimitNear {
        /// When it passes.
        due_at: UnixMillis,
    },
    /// The review limit passed without a decision; the channel decides.
    ReviewLimitPassed {
        /// When.
        due_at: UnixMillis,
    },
    /// Another deadline is near.
    DeadlineNear {
        /// Which.
        kind: DeadlineKind,
        /// When it passes.
        due_at: UnixMillis,
    },
    /// Another deadline passed.
    DeadlinePassed {
        /// Which.
        kind: DeadlineKind,
        /// When.
        due_at: UnixMillis,
    },
    /// What a person had to look at is settled.
    AttentionSettled {
        /// Which kind.
        kind: AttentionKind,
        /// What a person has done about it, where one says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<FreeText>,
    },
    /// A person must look.
    AttentionRaised {
        /// Which kind.
        kind: AttentionKind,
        /// One sentence.
        sentence: String,
        /// What it tells of, where the order shows by itself whether that is still so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fact: Option<Box<Fact>>,
    },
}

impl Event {
    /// Whether what is said to a partner about the order may be another message after it. Flags for people, what came of a call, and the
    /// clock change nothing that a partner is told.
    pub fn alters_messages(&self) -> bool {
        match self {
            Event::OrderPlaced { .. }
            | Event::HoldConfirmed { .. }
            | Event::HoldExtended { .. }
            | Event::HoldMoved { .. }
            | Event::HoldRenamed { .. }
            | Event::StubFilled { .. }
            | Event::PaymentRecorded { .. }
            | Event::BookingOpened
            | Event::BookingRequested { .. }
            | Event::BookingConfirmed { .. }
            | Event::BookingRejected { .. }
            | Event::GuestsSupplied { .. }
            | Event::TicketingStarted
            | Event::TicketsRequested { .. }
            | Event::TicketsPending { .. }
            | Event::TicketsIssued { .. }
            | Event::LateTicketsIssued { .. }
            | Event::OtherCodesNamed { .. }
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
            | Event::SnapshotTaken { .. }
            | Event::Proposed { .. }
            | Event::ProposalEnded { .. }
            | Event::PaymentLinkChanged { .. }
            | Event::PartnerNumberChanged { .. }
            | Event::PaymentRetracted { .. }
            | Event::RefundReopened { .. }
            | Event::GuestsErased { .. } => true,
            Event::RedemptionParked { .. }
            | Event::NotificationAcknowledged { .. }
            | Event::NotificationRefused { .. }
            | Event::SnapshotContested
            | Event::NotificationLeftToPerson { .. }
            | Event::NotificationDropped { .. }
            | Event::NotificationRepeated { .. }
            | Event::NotificationOvertaken { .. }
            | Event::NotificationTaken { .. }
            | Event::NotificationDenied { .. }
            | Event::GuestsRevealed { .. }
            | Event::TicketingDeadlineNear { .. }
            | Event::TicketingDeadlinePassed { .. }
            | Event::ReviewLimitNear { .. }
            | Event::ReviewLimitPassed { .. }
            | Event::DeadlineNear { .. }
            | Event::DeadlinePassed { .. }
            | Event::AttentionSettled { .. }
            | Event::AttentionRaised { .. } => false,
        }
    }

    /// Its name in the history: the variant in snake case.
    pub fn name(&self) -> &'static str {
        match self {
            Event::OrderPlaced { .. } => "order_placed",
            Event::StubFilled { .. } => "stub_filled",
            Event::PaymentRecorded { .. } => "payment_recorded",
            Event::BookingOpened => "booking_opened",
            Event::BookingRequested { .. } => "booking_requested",
            Event::HoldConfirmed { .. } => "hold_confirmed",
            Event::HoldExtended { .. } => "hold_extended",
            Event::HoldMoved { .. } => "hold_moved",
            Event::HoldRenamed { .. } => "hold_renamed",
            Event::BookingConfirmed { .. } => "booking_confirmed",
            Event::BookingRejected { .. } => "booking_declined",
            Event::GuestsSupplied { .. } => "guests_supplied",
            Event::TicketingStarted => "ticketing_started",
            Event::TicketsRequested { .. } => "tickets_requested",
            Event::TicketsPending { .. } => "tickets_pending",
            Event::TicketsIssued { .. } => "tickets_issued",
            Event::LateTicketsIssued { .. } => "late_tickets_issued",
            Event::OtherCodesNamed { .. } => "other_codes_named",
            Event::TicketingRefused { .. } => "ticketing_refused",
            Event::TicketingUnknown { .. } => "ticketing_unknown",
            Event::TicketsAnswered => "tickets_answered",
            Event::TicketsDeferred => "tickets_deferred",
            Event::TicketsHandedOver { .. } => "tickets_handed_over",
            Event::TicketCancelStarted { .. } => "ticket_cancel_started",
            Event::TicketCancelPending { .. } => "ticket_cancel_pending",
            Event::TicketsCancelled { .. } => "tickets_cancelled",
            Event::TicketCancelRefused { .. } => "ticket_cancel_refused",
            Event::Redeemed { .. } => "redeemed",
            Event::RedemptionParked { .. } => "redemption_parked",
            Event::GuestsEntered { .. } => "guests_entered",
            Event::NoShowMarked { .. } => "no_show_marked",
            Event::RefundApplied { .. } => "refund_applied",
            Event::RefundEscalated { .. } => "refund_escalated",
            Event::RefundApprovalStarted { .. } => "refund_approval_started",
            Event::RefundApproved { .. } => "refund_approved",
            Event::RefundRejected { .. } => "refund_rejected",
            Event::RefundWithdrawn { .. } => "refund_withdrawn",
            Event::RefundSettled { .. } => "refund_settled",
            Event::RefundForced { .. } => "refund_forced",
            Event::BookingCancelled { .. } => "booking_cancelled",
            Event::OrderCancelled { .. } => "order_cancelled",
            Event::NotificationAcknowledged { .. } => "report_acknowledged",
            Event::NotificationRefused { .. } => "report_refused",
            Event::SnapshotTaken { .. } => "picture_taken",
            Event::SnapshotContested => "picture_contested",
            Event::Proposed { .. } => "proposed",
            Event::ProposalEnded { .. } => "proposal_ended",
            Event::PaymentLinkChanged { .. } => "payment_link_changed",
            Event::PartnerNumberChanged { .. } => "partner_number_changed",
            Event::PaymentRetracted { .. } => "payment_retracted",
            Event::NotificationLeftToPerson { .. } => "report_left_to_person",
            Event::NotificationDropped { .. } => "report_dropped",
            Event::NotificationRepeated { .. } => "report_repeated",
            Event::RefundReopened { .. } => "refund_reopened",
            Event::NotificationOvertaken { .. } => "report_overtaken",
            Event::NotificationTaken { .. } => "report_taken",
            Event::NotificationDenied { .. } => "report_denied",
            Event::GuestsRevealed { .. } => "guests_revealed",
            Event::GuestsErased { .. } => "guests_erased",
            Event::TicketingDeadlineNear { .. } => "ticketing_deadline_near",
            Event::TicketingDeadlinePassed { .. } => "ticketing_deadline_passed",
            Event::ReviewLimitNear { .. } => "review_limit_near",
            Event::ReviewLimitPassed { .. } => "review_limit_passed",
            Event::DeadlineNear { .. } => "deadline_near",
            Event::DeadlinePassed { .. } => "deadline_passed",
            Event::AttentionSettled { .. } => "attention_settled",
            Event::AttentionRaised { .. } => "attention_raised",
        }
    }

    /// The reason that it carries, for people.
    pub fn reason(&self) -> Option<String> {
        match self {
            Event::BookingRejected { reason }
            | Event::TicketingRefused { reason, .. }
            | Event::TicketCancelRefused { reason, .. }
            | Event::RefundEscalated { reason, .. }
            | Event::GuestsRevealed { reason }
            | Event::GuestsErased { reason }
            | Event::RefundRejected { reason, .. } => Some(reason.to_string()),
            Event::RefundApprovalStarted { reason, .. }
            | Event::RefundApproved { reason, .. }
            | Event::AttentionSettled { reason, .. }
            | Event::OrderCancelled { why: reason, .. } => reason.as_ref().map(FreeText::to_string),
            Event::TicketingUnknown { why, .. } | Event::NotificationRefused { why, .. } => Some(why.to_string()),
            Event::NotificationLeftToPerson { what, .. } => Some(what.to_string()),
            Event::TicketsCancelled { keeps, .. } => keeps.map(|keeps| keeps.in_words().to_owned()),
            Event::AttentionRaised { sentence, .. } => Some(sentence.clone()),
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
            | Event::GuestsSupplied { .. }
            | Event::TicketingStarted
            | Event::TicketsRequested { .. }
            | Event::TicketsPending { .. }
            | Event::TicketsIssued { .. }
            | Event::LateTicketsIssued { .. }
            | Event::OtherCodesNamed { .. }
            | Event::TicketsAnswered
            | Event::TicketsDeferred
            | Event::TicketsHandedOver { .. }
            | Event::TicketCancelStarted { .. }
            | Event::TicketCancelPending { .. }
            | Event::Redeemed { .. }
            | Event::GuestsEntered { .. }
            | Event::RedemptionParked { .. }
            | Event::NoShowMarked { .. }
            | Event::RefundApplied { .. }
            | Event::RefundWithdrawn { .. }
            | Event::RefundSettled { .. }
            | Event::RefundForced { .. }
            | Event::BookingCancelled { .. }
            | Event::NotificationAcknowledged { .. }
            | Event::NotificationTaken { .. }
            | Event::NotificationDenied { .. }
            | Event::SnapshotTaken { .. }
            | Event::SnapshotContested
            | Event::Proposed { .. }
            | Event::ProposalEnded { .. }
            | Event::PaymentLinkChanged { .. }
            | Event::PartnerNumberChanged { .. }
            | Event::PaymentRetracted { .. }
            | Event::NotificationDropped { .. }
            | Event::NotificationRepeated { .. }
            | Event::RefundReopened { .. }
            | Event::NotificationOvertaken { .. }
            | Event::TicketingDeadlineNear { .. }
            | Event::TicketingDeadlinePassed { .. }
            | Event::ReviewLimitNear { .. }
            | Event::ReviewLimitPassed { .. }
            | Event::DeadlineNear { .. }
            | Event::DeadlinePassed { .. } => None,
        }
    }
}

/// An event with its place in the order's history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventRecord {
    /// 1 for the first event of the order.
    pub seq: u64,
    /// When it was decided.
    pub at: UnixMillis,
    /// Who caused it.
    pub actor: Actor,
    /// What happened.
    pub event: Event,
}
