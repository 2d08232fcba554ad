// SPDX-License-Identifier: Apache-2.0

//! The order: one purchase, one aggregate, five axes that move independently (`docs/src/introduction.md`, the order's life).

pub(crate) mod asked_for;
mod attention;
mod booking;
pub mod channel_state;
mod entered;
mod fact;
mod hold;
pub(crate) mod missed;
pub mod money;
mod refund;
pub(crate) mod returns;
mod ticketing;
pub mod undelivered;

pub use attention::{Attention, AttentionKind, Fact};
pub use booking::{Booking, BookingState, ParkedRedemption};
pub use entered::Entered;
pub(crate) use entered::{Came, Who};
pub(crate) use fact::used_units;
pub use hold::{HeldUnit, Hold};
pub use refund::{RefundCase, RefundIntent, RefundKind, RefundSource, RefundState};
pub use ticketing::{Handover, Ticket, TicketKind, TicketRequest, Ticketing, TicketingState};

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::id::{BookingId, ChannelId, ExternalId, OrderId, ProductCode};
use crate::order::channel_state::{ChannelState, Line, UsedUnits};
use crate::order::money::{Money, PaymentState};
use crate::personal::Person;
use crate::shared_rules::SharedRules;
use crate::time::UnixMillis;

/// How the order came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// Bought first, visit date chosen later.
    Voucher,
    /// Bought and booked in one step.
    Direct,
}

/// Axis 1: where the sale stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Known, not yet paid or not yet confirmed.
    Placed,
    /// Paid; no visit date.
    AwaitingBooking,
    /// There is an active booking.
    Booked,
    /// Used. The end.
    Completed,
    /// Will not be used. The end.
    Cancelled,
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The guest never paid.
    NeverPaid,
    /// The money went back before use.
    RefundedBeforeUse,
    /// The booking window closed.
    Expired,
    /// The booking was rejected, by us or by a person.
    Rejected,
    /// The channel decided alone.
    ByChannel,
    /// Ops decided.
    ByOps,
}

/// For fields that are left out where there is nothing.
fn is_none(copies: &u32) -> bool {
    *copies == 0
}

/// The aggregate. Changed by [`crate::evolve`] only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Order {
    /// Our id.
    pub id: OrderId,
    /// Where it was sold.
    pub channel: ChannelId,
    /// The channel's number for the sale.
    pub channel_order_id: ExternalId,
    /// How it came about.
    pub kind: OrderKind,
    /// Axis 1.
    pub state: OrderState,
    /// Why, once cancelled.
    pub cancel_reason: Option<CancelReason>,
    /// What was sold: the voucher product, or the booking product of a direct order.
    pub product: ProductCode,
    /// Units.
    pub quantity: u32,
    /// The rules it was placed under.
    pub rules: SharedRules,
    /// Its money; the payment axis is computed from it.
    pub money: Money,
    /// Who bought.
    pub buyer: Person,
    /// The active booking, or the last one.
    pub booking: Option<Booking>,
    /// Bookings before that one, oldest first.
    pub past_bookings: Vec<Booking>,
    /// The open refund case, or the last one.
    pub refund_case: Option<RefundCase>,
    /// Refund cases before that one, oldest first.
    pub past_refund_cases: Vec<RefundCase>,
    /// Copies whose money went back while the others stayed; a person was told.
    #[serde(default, skip_serializing_if = "is_none")]
    pub copies_back: u32,
    /// The copies among them that the channel has named: their places among those of the booking, from 0.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub copies_named: BTreeSet<u32>,
    /// The copies whose reservation was cancelled while that of the others stayed, in the same way.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub copies_off: BTreeSet<u32>,
    /// A redemption that waits.
    pub parked_redemption: Option<ParkedRedemption>,
    /// The guests who went in before the others, where the channel counts units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered: Option<Box<Entered>>,
    /// What a person must look at, most urgent last.
    pub attention: Vec<Attention>,
    /// What the channel was to hear and has not, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "unheard")]
    pub undelivered: Vec<crate::order::undelivered::Undelivered>,
    /// The channel's own state of it, where it tells the whole order with every message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "mirror")]
    pub channel_state: Option<Box<ChannelState>>,
    /// Created from a later message because the sale itself was never told.
    pub is_stub: bool,
    /// When the channel says it was placed.
    pub placed_at: UnixMillis,
    /// When we first knew of it.
    pub created_at: UnixMillis,
    /// When it last changed.
    pub updated_at: UnixMillis,
    /// Number of events so far.
    pub version: u64,
}

impl Order {
    /// Axis 4, computed.
    pub fn payment(&self) -> PaymentState {
        self.money.state_where(self.open_failures() > 0)
    }
    /// The booking, when it is active.
    pub fn active_booking(&self) -> Option<&Booking> {
        self.booking.as_ref().filter(|b| b.is_active())
    }
    /// The refund case, when it is under review.
    pub fn case_under_review(&self) -> Option<&RefundCase> {
        self.refund_case.as_ref().filter(|c| c.is_under_review())
    }
    /// What stays with the seller when what the guest asks for is carried out: what was decided, or else what the channel names itself.
    pub(crate) fn fee_expected(&self) -> i64 {
        let is_carried_out = |case: &&RefundCase| {
            (case.kind == RefundKind::Refund || self.kind == OrderKind::Direct)
                && match case.state {
                    RefundState::UnderReview | RefundState::Approved | RefundState::Settled => true,
                    RefundState::Rejected | RefundState::Withdrawn => false,
                }
        };
        let case = self.refund_case.as_ref().filter(is_carried_out);
        // A channel that tells its orders whole names none: what a case has there is the most that may be kept.
        let named = |case: &RefundCase| if self.channel_state.is_none() { case.channel_fee } else { 0 };
        let fee = case.map_or(0, |case| case.fee.unwrap_or_else(|| named(case)));
        fee.max(self.money.fee()).clamp(0, self.money.held().max(0))
    }
    /// What goes back when the channel says that all of it does, and names no amount: what is on its way, or else all but the fee.
    pub(crate) fn presumed_back(&self) -> i64 {
        match self.money.refund_pending() {
            0 => self.money.held() - self.fee_expected(),
            pending => pending,
        }
    }
    /// The refund case that stands between the booking and its use: under review; or approved, and not yet carried out by a channel that
    /// ends the booking itself.
    pub fn case_before_use(&self) -> Option<&RefundCase> {
        let ends_it_there = self.channel_state.is_some();
        self.refund_case.as_ref().filter(|case| case.is_under_review() || (ends_it_there && case.is_open()))
    }
    /// The refund case that is approved, and that a channel is carrying out which ends the booking itself.
    pub fn approved_there(&self) -> Option<&RefundCase> {
        self.case_before_use().filter(|case| case.state == RefundState::Approved)
    }
    /// Any booking, current or past, by the channel's number.
    pub fn booking_by_ref(&self, reference: &ExternalId) -> Option<&Booking> {
        self.booking.iter().chain(self.past_bookings.iter()).find(|b| &b.channel_booking_id == reference)
    }
    /// Any booking, current or past, by our id.
    pub fn booking_by_id(&self, id: &BookingId) -> Option<&Booking> {
        self.booking.iter().chain(self.past_bookings.iter()).find(|b| &b.id == id)
    }
    /// What is kept by a refund, as far as it is known: what was decided, or else what the channel names. One that leads the order names nothing before
    /// it is over; its `channel_fee` is the most that can be kept.
    pub fn known_fee(&self, case: &RefundCase) -> Option<i64> {
        case.fee.or((self.channel_state.is_none()).then_some(case.channel_fee))
    }
    /// The active booking, if `case` is about it: a late request to cancel another one does not touch it.
    pub fn booking_of(&self, case: &RefundCase) -> Option<&Booking> {
        let about_another = case.kind == RefundKind::CancelBooking
            && self.past_bookings.iter().any(|b| b.channel_booking_id == case.target);
        self.active_booking().filter(|_| !about_another)
    }
    /// Whether `case` asks for the money of a booking that is over, while another one stands in its place.
    pub fn is_replaced(&self, case: &RefundCase) -> bool {
        let was_booked = |b: &Booking| b.channel_booking_id == case.target;
        self.active_booking().is_some_and(|b| !was_booked(b)) && self.past_bookings.iter().any(was_booked)
    }
    /// A cancelled booking, current or past, whose tickets may still admit somebody; one on which the most is still to be done.
    pub fn cancelled_and_live(&self) -> Option<&Booking> {
        let cancelled = self.booking.iter().chain(&self.past_bookings).filter(|b| b.state == BookingState::Cancelled);
        cancelled.filter(|b| b.ticketing.may_be_live()).max_by_key(|b| b.ticketing.state != TicketingState::Cancelling)
    }
    /// The booking whose tickets go with the rejection of `case`: the one that it names, or the last one where it names the sale.
    pub fn booking_named_by(&self, case: &RefundCase) -> Option<&Booking> {
        let of_sale = || self.booking.as_ref().filter(|_| case.target == self.channel_order_id);
        self.booking_by_ref(&case.target).or_else(of_sale)
    }
    /// Any refund case, current or past, by the channel's number.
    pub fn case_by_ref(&self, channel_ref: &str) -> Option<&RefundCase> {
        self.refund_case.iter().chain(self.past_refund_cases.iter()).find(|c| c.channel_ref == channel_ref)
    }
    /// Whether tickets are made for which the channel has asked, and which it has not taken yet.
    pub fn owes_tickets(&self) -> bool {
        self.active_booking().is_some_and(|booking| {
            booking.ticketing.state == TicketingState::Issued && booking.ticketing.handover.is_owed()
        })
    }
    /// Whether the order has come to its end.
    pub fn is_over(&self) -> bool {
        match self.state {
            OrderState::Completed | OrderState::Cancelled => true,
            OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => false,
        }
    }
    /// Everybody whose data it holds, with what they are to it.
    pub fn people(&self) -> impl Iterator<Item = (&'static str, &Person)> {
        let bookings = self.booking.iter().chain(&self.past_bookings);
        let guests = bookings.flat_map(|booking| {
            let contact = booking.contact.iter().map(|person| ("contact", person));
            let visitors = booking.visitors.iter().map(|person| ("visitor", person));
            let named = booking.ticketing.request.iter().flat_map(|request| &request.visitors);
            contact.chain(visitors).chain(named.map(|person| ("visitor", person)))
        });
        std::iter::once(("buyer", &self.buyer)).chain(guests)
    }
    /// Whether it holds anybody's data.
    pub fn knows_guests(&self) -> bool {
        self.people().any(|(_, person)| *person != Person::default())
    }
    /// The most urgent flag: the last of those that something went wrong; where nothing did, a decision that waits.
    pub fn attention(&self) -> Option<&Attention> {
        let flags = || self.attention.iter().rev();
        flags().find(|flag| !flag.kind.is_decision()).or_else(|| flags().next())
    }
    /// Whether a guest has entered on this booking, and the state does not allow to record it yet.
    pub fn parked_for(&self, booking: &Booking) -> bool {
        self.parked_redemption.as_ref().is_some_and(|parked| parked.booking == booking.id)
    }
    /// Whether there are tickets to go in with. A back-end that refuses to void them has them; those that were voided for a request for money
    /// back let in who had gone in before, and waits to be recorded until it is decided.
    pub(crate) fn could_admit(&self, booking: &Booking) -> bool {
        match booking.ticketing.state {
            TicketingState::Issued | TicketingState::NotNeeded | TicketingState::CancelRefused => true,
            TicketingState::Cancelled => self.parked_for(booking) && self.needs(AttentionKind::RefundUnderReview),
            TicketingState::Queued
            | TicketingState::Requested
            | TicketingState::Unknown
            | TicketingState::Failed
            | TicketingState::Cancelling => false,
        }
    }
    /// Units that are not cancelled.
    pub fn live_units(&self) -> u32 {
        match self.channel_state.as_deref() {
            Some(channel_state) if channel_state.is_all_elsewhere() => 0,
            Some(channel_state) => self.quantity.saturating_sub(channel_state.cancelled_units()),
            None => self.quantity,
        }
    }
    /// Units that tickets are asked for: those that live, and never none.
    pub fn units_to_ticket(&self) -> u32 {
        self.live_units().max(1)
    }
    /// Units that lived when the tickets of `booking` were first to be asked for.
    pub fn units_first_asked_for(&self, booking: &Booking) -> u32 {
        UsedUnits::count(&booking.ticketing.units, self.quantity)
    }
    /// For how many units the tickets of `booking` may be: a part may have been cancelled since they were asked for, or before; or units were
    /// added since.
    pub fn units_maybe_ticketed(&self, booking: &Booking) -> RangeInclusive<u32> {
        let asked_for = self.units_first_asked_for(booking);
        self.units_to_ticket().min(asked_for)..=self.quantity.max(asked_for)
    }
    /// Whether its channel lists a payment that was made with this link.
    pub(crate) fn was_paid_by(&self, link: &str) -> bool {
        self.channel_state.as_deref().is_some_and(|state| state.standing.is_paid_by(link))
    }
    /// The lines of an order that its channel tells as a whole, as it told them last; none of any other.
    pub fn lines(&self) -> &[Line] {
        self.channel_state.as_deref().map(|state| state.standing.lines.as_slice()).unwrap_or_default()
    }
    /// Whether the order is only shown here, and changed elsewhere.
    pub fn is_read_only(&self) -> bool {
        self.channel_state.as_ref().is_some_and(|channel_state| channel_state.standing.read_only)
    }
    /// Whether no act of ours changes it any more: it has come to its end, or is changed elsewhere.
    pub fn takes_no_acts(&self) -> bool {
        self.is_over() || self.is_read_only()
    }
    /// Whether a flag of this kind stands.
    pub fn needs(&self, kind: AttentionKind) -> bool {
        self.attention.iter().any(|a| a.kind == kind)
    }
}
