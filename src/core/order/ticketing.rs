// SPDX-License-Identifier: Apache-2.0

//! Axis 3, the tickets: what the back-end made, and what the channel was given of it.

use serde::{Deserialize, Serialize};

use crate::id::TicketId;
use crate::order::channel_state::UsedUnits;
use crate::personal::{DocumentNumber, Person};
use crate::product::BookingProduct;
use crate::quoted::{ForeignName, ForeignNumber, FreeText};
use crate::time::UnixMillis;

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
    /// The back-end refused to void them.
    CancelRefused,
}

impl TicketingState {
    /// Where they stand before anybody was asked for them.
    pub fn at_first(product: &BookingProduct) -> Self {
        if product.ticketing.issuer().is_some() { TicketingState::Queued } else { TicketingState::NotNeeded }
    }
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

impl TicketKind {
    /// Whether a ticket of this kind can have such a code. A guest opens a link: nothing but a page is let through, whoever made the ticket.
    pub fn can_be(self, code: &str) -> bool {
        let is_page = || {
            let parts = code.split_once("://").filter(|(_, rest)| !rest.is_empty());
            parts.is_some_and(|(scheme, _)| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)))
        };
        self != TicketKind::Url || is_page()
    }
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
    pub project_id: Option<ForeignNumber>,
    /// Name of the project for the guest.
    pub name: Option<ForeignName>,
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
    /// Where it stands once our call has ended.
    pub(crate) fn of_call(acknowledged: bool) -> Self {
        if acknowledged { Handover::Acknowledged } else { Handover::Refused }
    }
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
    pub backend_ref: Option<ForeignNumber>,
    /// What it issued.
    pub tickets: Vec<Ticket>,
    /// What it has called the same tickets since; which of them admit, it alone knows. What was handed over stays in `tickets`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_tickets: Vec<Ticket>,
    /// Those in whose place others were made: voided where they can be, and still this order's when a gate reads one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Ticket>,
    /// The units that they are for, line by line, where some of the order's were cancelled before; none are all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UsedUnits>,
    /// Why it refused, or why nothing is known.
    pub reason: Option<FreeText>,
    /// Since when it is being made void; none once it is, or is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voiding_since: Option<UnixMillis>,
    /// Until when tickets must exist; set on confirmation.
    pub deadline: Option<UnixMillis>,
    /// The deadline passed without tickets.
    pub overdue: bool,
    /// The back-end was asked, or is about to be: it may hold something that must be voided.
    pub asked: bool,
    /// A person made the tickets; the back-end cannot void them.
    #[serde(rename = "by_hand")]
    pub manual: bool,
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
    /// Everything that may be shown at the gate: what was handed over, and what the back-end has called it since.
    pub fn may_admit(&self) -> impl Iterator<Item = &Ticket> {
        self.tickets.iter().chain(&self.other_tickets)
    }
    /// The same, and those in whose place others were made.
    pub fn ever_made(&self) -> impl Iterator<Item = &Ticket> {
        self.may_admit().chain(&self.replaced)
    }
    /// The same, to change what they hold.
    pub(crate) fn ever_made_mut(&mut self) -> impl Iterator<Item = &mut Ticket> {
        self.tickets.iter_mut().chain(&mut self.other_tickets).chain(&mut self.replaced)
    }
    /// Whether the channel was given an earlier set of tickets, and those were voided.
    pub fn channel_holds_void(&self) -> bool {
        self.state == TicketingState::Cancelled && self.handover != Handover::NotAsked
    }
}
