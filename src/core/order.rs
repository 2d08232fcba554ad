//! The order: one purchase, one aggregate, five axes that move independently (`product.md`, the order's life).

use serde::{Deserialize, Serialize};

use crate::id::{BookingId, ChannelId, ExternalId, OrderId, ProductCode, RefundCaseId, TicketId};
use crate::mirror::Mirror;
use crate::money::{Money, PaymentState};
use crate::personal::{DocumentNumber, Person};
use crate::product::RuleSnapshot;
use crate::time::{Date, UnixMillis};

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
    /// Known, not yet paid or not yet accepted.
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
    /// The booking was declined, by us or by a person.
    Rejected,
    /// The channel decided alone.
    ByChannel,
    /// Ops decided.
    ByOps,
}

/// Axis 2: where the visit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingState {
    /// Waits for acceptance.
    Requested,
    /// Accepted.
    Confirmed,
    /// The guest was there. The end.
    Used,
    /// The guest was not there. The end.
    NoShow,
    /// Declined. The end.
    Rejected,
    /// Called off. The end.
    Cancelled,
}

/// Axis 3: where the tickets stand at the back-end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketingState {
    /// This product has none.
    NotNeeded,
    /// To be asked for.
    Queued,
    /// Asked for; the back-end works on it.
    Requested,
    /// They exist.
    Issued,
    /// The back-end did not answer; the truth is being asked for.
    Unknown,
    /// The back-end refused.
    Failed,
    /// Cancellation was asked for.
    Cancelling,
    /// The back-end confirmed that they are void.
    Cancelled,
    /// The back-end refused to make them void.
    CancelRefused,
}

/// What a ticket's code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketKind {
    /// Plain text to type or read out.
    Code,
    /// Content of a QR picture.
    Qr,
    /// A link to show.
    Url,
    /// The visitor's document itself admits.
    Document,
}

/// A ticket's code; masked in events and logs, in clear only where tickets are handed over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// Our id.
    pub id: TicketId,
    /// What admits. For [`TicketKind::Document`] it is personal data.
    pub code: DocumentNumber,
    /// What `code` is.
    pub kind: TicketKind,
    /// The back-end's project, when it names one (unique within an order towards Douyin).
    pub project_id: Option<String>,
    /// Name of the project for the guest.
    pub name: Option<String>,
}

/// The channel's demand for tickets (Douyin's issue-voucher call).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TicketRequest {
    /// Copies: how many vouchers the answer must hold.
    pub copies: u32,
    /// Visitors per copy: the most elements any list may have.
    pub per_copy: u32,
    /// Kinds that may be returned; empty means any.
    pub kinds: Vec<TicketKind>,
    /// Visitors as named in the demand; only their documents may be returned.
    pub visitors: Vec<Person>,
    /// The channel's own names for the copies, when it has any (second generation: certificate ids).
    pub certificates: Vec<String>,
    /// Whether the demand came in the interface's second generation.
    pub second_generation: bool,
    /// When the demand arrived.
    pub at: UnixMillis,
}

impl TicketingState {
    /// Whether tickets are still to come, from the back-end or from a person.
    pub fn is_awaited(self) -> bool {
        match self {
            TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Failed => {
                true
            }
            TicketingState::NotNeeded
            | TicketingState::Issued
            | TicketingState::Cancelling
            | TicketingState::Cancelled
            | TicketingState::CancelRefused => false,
        }
    }
}

/// Where the handing over of tickets to the channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handover {
    /// The channel has not asked, or never does.
    NotAsked,
    /// It asked; the answer to its demand is being written.
    Asked,
    /// The answer said "not yet"; tickets are owed by a call of ours.
    Owed,
    /// They went out in the answer to its demand.
    InAnswer,
    /// Our call was acknowledged.
    Acknowledged,
    /// Our call was refused for good, or given up.
    Refused,
    /// They went out with the rejection of a refund.
    Reissued,
}

impl Handover {
    /// The channel asked for tickets and does not have them.
    pub fn is_owed(self) -> bool {
        match self {
            Handover::Asked | Handover::Owed => true,
            Handover::NotAsked
            | Handover::InAnswer
            | Handover::Acknowledged
            | Handover::Refused
            | Handover::Reissued => false,
        }
    }
}

/// The tickets of one booking.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticketing {
    /// The axis.
    pub state: TicketingState,
    /// The back-end's own number.
    pub backend_ref: Option<String>,
    /// What it issued.
    pub tickets: Vec<Ticket>,
    /// Why it refused, or why nothing is known.
    pub reason: Option<String>,
    /// Until when tickets must exist; set on acceptance.
    pub deadline: Option<UnixMillis>,
    /// The deadline passed without tickets.
    pub overdue: bool,
    /// The back-end was asked, or is about to be: it may hold something that must be made void.
    pub asked: bool,
    /// A person made the tickets; the back-end cannot make them void.
    pub by_hand: bool,
    /// Handing over to the channel.
    pub handover: Handover,
    /// The channel's demand, once made.
    pub request: Option<TicketRequest>,
}

impl Ticketing {
    /// Whether tickets that admit exist, or may exist.
    pub fn may_be_live(&self) -> bool {
        match self.state {
            TicketingState::NotNeeded | TicketingState::Failed | TicketingState::Cancelled => false,
            TicketingState::Queued => self.asked,
            TicketingState::Requested
            | TicketingState::Unknown
            | TicketingState::Issued
            | TicketingState::Cancelling
            | TicketingState::CancelRefused => true,
        }
    }
    /// Whether the channel was given an earlier set of tickets, and those were made void.
    pub fn channel_holds_void(&self) -> bool {
        self.state == TicketingState::Cancelled && self.handover != Handover::NotAsked
    }
}

/// The reservation of a visit date.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Booking {
    /// Our id; the reservation id at the back-end.
    pub id: BookingId,
    /// The channel's own number (for a direct order the order's).
    pub channel_booking_id: ExternalId,
    /// The axis.
    pub state: BookingState,
    /// First day on which it admits; `None` when any day until `valid_until` does.
    pub visit_date: Option<Date>,
    /// Last day on which it admits.
    pub valid_until: Option<Date>,
    /// Who comes.
    pub visitors: Vec<Person>,
    /// Whom to reach about this visit.
    pub contact: Option<Person>,
    /// When the channel says it was asked for.
    pub requested_at: UnixMillis,
    /// When it was accepted.
    pub accepted_at: Option<UnixMillis>,
    /// When it was used.
    pub used_at: Option<UnixMillis>,
    /// Its tickets.
    pub ticketing: Ticketing,
}

impl Booking {
    /// Whether the booking is the order's active one.
    pub fn is_active(&self) -> bool {
        match self.state {
            BookingState::Requested | BookingState::Confirmed => true,
            BookingState::Used | BookingState::NoShow | BookingState::Rejected | BookingState::Cancelled => false,
        }
    }
}

/// Axis 5: where a refund case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// Waits for a decision, or for the back-end to make the tickets void first.
    UnderReview,
    /// Approved towards the channel.
    Approved,
    /// The channel has refunded. The end.
    Settled,
    /// Rejected. The end.
    Rejected,
    /// Taken back by the guest. The end.
    Withdrawn,
}

/// What a refund case asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundKind {
    /// The money, and with it the order.
    Refund,
    /// The booking; the voucher becomes bookable again.
    CancelBooking,
}

/// Who asks, as far as it changes the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundSource {
    /// The guest; also every source that the channel's documents do not name.
    Guest,
    /// The merchant, through the channel's console.
    Merchant,
    /// Customer service, adjudication, arbitration.
    CustomerService,
    /// The channel, because no ticket came in time: the tickets may still be handed over.
    TicketsLate,
    /// The channel, because the voucher expired.
    Expired,
    /// The channel, because nobody accepted the booking in time.
    NotAccepted,
}

/// The decision taken, before it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundIntent {
    /// Nobody has decided.
    Undecided,
    /// A person must.
    WaitsForPerson,
    /// It will be approved once the tickets are void.
    ApproveOnceVoid,
}

/// One request for money back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RefundCase {
    /// Our id.
    pub id: RefundCaseId,
    /// The channel's number for it.
    pub channel_ref: String,
    /// The channel's number for what is to be refunded: the sale's or the booking's.
    pub target: ExternalId,
    /// The axis.
    pub state: RefundState,
    /// What is asked for.
    pub kind: RefundKind,
    /// Who asks.
    pub source: RefundSource,
    /// The channel's own code for the source, for people.
    pub source_code: Option<i64>,
    /// When the channel says it was asked.
    pub requested_at: UnixMillis,
    /// Until when the decision must be there.
    pub review_by: UnixMillis,
    /// Fee that the channel computed, minor units; never exceeded.
    pub channel_fee: i64,
    /// Fee that was decided.
    pub fee: Option<i64>,
    /// What is to happen.
    pub intent: RefundIntent,
    /// Who decided: `policy`, `channel`, or an ops user.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<UnixMillis>,
    /// Why.
    pub reason: Option<String>,
    /// What really went back.
    pub settled_amount: Option<i64>,
    /// When it was opened, tickets were on their way to the channel by a call of ours.
    pub tickets_were_sent: bool,
    /// Whether the rejection carries the tickets.
    pub reissue: bool,
    /// The review limit passed without a decision.
    pub overdue: bool,
}

impl RefundCase {
    /// Under review: the guest may not enter meanwhile (DY-14).
    pub fn is_under_review(&self) -> bool {
        self.state == RefundState::UnderReview
    }
    /// Neither settled nor rejected nor withdrawn.
    pub fn is_open(&self) -> bool {
        match self.state {
            RefundState::UnderReview | RefundState::Approved => true,
            RefundState::Settled | RefundState::Rejected | RefundState::Withdrawn => false,
        }
    }
}

/// Why a person must look at an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// The guest went through the gate while the refund is under review.
    RefundUnderReview,
    /// The guest went through the gate before the visit date.
    TooEarly,
    /// The guest went through the gate with a ticket that we do not know of yet.
    NotTicketed,
    /// The guest went through the gate although the money went back.
    RedeemedWhileRefunded,
    /// A ticket lives behind an order that is cancelled or refunded.
    LiveTicketBehindRefund,
    /// The back-end refused to cancel; the refund waits for a person.
    CancelRefused,
    /// The back-end refused to issue.
    TicketingFailed,
    /// The ticketing deadline passed.
    TicketingOverdue,
    /// The review limit passed without a decision.
    ReviewOverdue,
    /// A call to the channel was refused for good or given up.
    ReportRefused,
    /// A booking waits for a person.
    WaitsForConfirmation,
    /// A refund waits for a person.
    RefundWaits,
    /// Money came that nobody expected.
    UnexpectedPayment,
    /// Facts contradict each other.
    Contradiction,
    /// The channel has no call for what is to be done there; a person does it by hand.
    ToDoByHand,
    /// Used, and not all of it is paid.
    OpenBalance,
    /// Money that was to go back did not.
    RefundFailed,
    /// A partner answered about something else than what it was asked.
    AnswerAstray,
    /// The channel's books, asked, say otherwise than ours.
    BooksDiffer,
    /// A payment link is over, and what it was to collect is still open.
    PaymentLinkOver,
    /// A partner that has still to be called about the order is no longer configured.
    PartnerGone,
}

/// A flag that stays until it is cleared by what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attention {
    /// Which kind.
    pub kind: AttentionKind,
    /// Since when.
    pub since: UnixMillis,
    /// One sentence for the person who looks, without personal data.
    pub sentence: String,
}

/// A guest went in, and the state does not allow it yet; applied by itself when it does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ParkedRedemption {
    /// When the guest went in.
    pub at: UnixMillis,
    /// Which booking.
    pub booking: BookingId,
    /// Who told.
    pub told_by: String,
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
    pub rules: RuleSnapshot,
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
    /// A redemption that waits.
    pub parked_redemption: Option<ParkedRedemption>,
    /// What a person must look at, most urgent last.
    pub attention: Vec<Attention>,
    /// What the channel was to hear and has not, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unheard: Vec<crate::unheard::Unheard>,
    /// The channel's own picture, where it tells the whole order with every message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Box<Mirror>>,
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
        self.money.state()
    }
    /// The booking, when it is active.
    pub fn active_booking(&self) -> Option<&Booking> {
        self.booking.as_ref().filter(|b| b.is_active())
    }
    /// The refund case, when it is under review.
    pub fn case_under_review(&self) -> Option<&RefundCase> {
        self.refund_case.as_ref().filter(|c| c.is_under_review())
    }
    /// The refund case that stands between the booking and its use: under review; or approved, and not yet carried out by a channel that
    /// ends the booking itself.
    pub fn case_before_use(&self) -> Option<&RefundCase> {
        let ends_it_there = self.mirror.is_some();
        self.refund_case.as_ref().filter(|case| case.is_under_review() || (ends_it_there && case.is_open()))
    }
    /// Any booking, current or past, by the channel's number.
    pub fn booking_by_ref(&self, reference: &ExternalId) -> Option<&Booking> {
        self.booking.iter().chain(self.past_bookings.iter()).find(|b| &b.channel_booking_id == reference)
    }
    /// Any booking, current or past, by our id.
    pub fn booking_by_id(&self, id: &BookingId) -> Option<&Booking> {
        self.booking.iter().chain(self.past_bookings.iter()).find(|b| &b.id == id)
    }
    /// The active booking, if `case` is about it: a late request to call off another one does not touch it.
    pub fn booking_of(&self, case: &RefundCase) -> Option<&Booking> {
        let about_another = case.kind == RefundKind::CancelBooking
            && self.past_bookings.iter().any(|b| b.channel_booking_id == case.target);
        self.active_booking().filter(|_| !about_another)
    }
    /// A called-off booking, current or past, whose tickets may still admit somebody; one on which the most is still to be done.
    pub fn called_off_and_live(&self) -> Option<&Booking> {
        let called_off = self.booking.iter().chain(&self.past_bookings).filter(|b| b.state == BookingState::Cancelled);
        called_off.filter(|b| b.ticketing.may_be_live()).max_by_key(|b| b.ticketing.state != TicketingState::Cancelling)
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
    /// The most urgent flag.
    pub fn attention(&self) -> Option<&Attention> {
        self.attention.last()
    }
    /// Whether a guest has entered on this booking, and the state does not allow to record it yet.
    pub fn parked_for(&self, booking: &Booking) -> bool {
        self.parked_redemption.as_ref().is_some_and(|parked| parked.booking == booking.id)
    }
    /// Units that are not called off.
    pub fn live_units(&self) -> u32 {
        self.quantity.saturating_sub(self.mirror.as_ref().map_or(0, |mirror| mirror.cancelled_units()))
    }
    /// Whether the order is only shown here, and changed elsewhere.
    pub fn is_read_only(&self) -> bool {
        self.mirror.as_ref().is_some_and(|mirror| mirror.picture.read_only)
    }
    /// Whether a flag of this kind stands.
    pub fn needs(&self, kind: AttentionKind) -> bool {
        self.attention.iter().any(|a| a.kind == kind)
    }
}
