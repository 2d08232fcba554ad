// SPDX-License-Identifier: Apache-2.0

//! What is known of tickets and of their use.

use serde::{Deserialize, Serialize};

use crate::id::{BookingId, OrderId};
use crate::order::{TicketKind, Ticketing};
use crate::quoted::{ForeignName, ForeignNumber, FreeText};
use crate::time::{Millis, UnixMillis};

/// A ticket as a back-end or a person hands it in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewTicket {
    /// What admits.
    pub code: crate::personal::DocumentNumber,
    /// What `code` is.
    pub kind: TicketKind,
    /// The back-end's project.
    pub project_id: Option<ForeignNumber>,
    /// Its name.
    pub name: Option<ForeignName>,
}

/// What a back-end gives out once: one order at a time holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// A code that admits.
    Code,
    /// The back-end's own number of a reservation.
    Number,
}

impl Held {
    /// What it is, in a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Held::Code => "a ticket's code",
            Held::Number => "its number of the reservation",
        }
    }
}

impl NewTicket {
    /// The first ticket whose code another one before it has. A visitor's document may well admit to several copies.
    pub fn first_twin(told: &[NewTicket]) -> Option<usize> {
        let has_twin = |(at, ticket): (usize, &NewTicket)| {
            ticket.kind != TicketKind::Document && told.iter().take(at).any(|other| other.code == ticket.code)
        };
        told.iter().enumerate().position(has_twin)
    }
    /// Whether these are the tickets that a booking has: as many, with the same codes in the same order.
    pub fn are_those_of(told: &[NewTicket], known: &Ticketing) -> bool {
        known.tickets.len() == told.len() && known.tickets.iter().zip(told).all(|(known, told)| known.code == told.code)
    }
    /// Those of them whose code the booking does not know, under whatever name the back-end gave it.
    pub fn unknown_to(told: &[NewTicket], known: &Ticketing) -> Vec<NewTicket> {
        told.iter().filter(|told| known.may_admit().all(|known| known.code != told.code)).cloned().collect()
    }
}

/// What a back-end keeps of the price of tickets that are void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeps {
    /// All of it.
    All,
    /// A part.
    Part,
}

impl Keeps {
    /// What it means, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Keeps::All => "the back-end gives nothing back for them",
            Keeps::Part => "the back-end gives back a part of their price only",
        }
    }
}

/// What a back-end says of a reservation; the whole truth as it knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TicketFacts {
    /// It works on it.
    Pending {
        /// The back-end's own number.
        backend_ref: Option<ForeignNumber>,
        /// When to ask again; `None` leaves it to us.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        look_after: Option<Millis>,
    },
    /// The tickets exist.
    Issued {
        /// The back-end's own number.
        backend_ref: Option<ForeignNumber>,
        /// The tickets, in its order.
        tickets: Vec<NewTicket>,
    },
    /// It will never issue.
    Refused {
        /// Why.
        reason: FreeText,
    },
    /// The tickets are void, or were never made and never will be.
    Cancelled,
    /// The tickets are void, and the back-end does not give back all that they cost.
    CancelledKeeping {
        /// How much of it stays there.
        keeps: Keeps,
    },
    /// It works on the cancellation.
    CancelPending,
    /// It does not void them.
    CancelRefused {
        /// Why.
        reason: FreeText,
        /// Because they were used.
        used: bool,
    },
    /// The tickets were used.
    Redeemed {
        /// When, if it says so.
        at: Option<UnixMillis>,
    },
    /// What it names is another order's already: nothing of it is this reservation's.
    HeldByAnother {
        /// Whose it is.
        order: OrderId,
        /// What it named.
        what: Held,
    },
    /// No answer: perhaps it did, perhaps not.
    Unknown {
        /// What went wrong.
        why: FreeText,
    },
    /// Attempts are used up; a person must look.
    GivenUp {
        /// The last error.
        why: FreeText,
    },
}

/// Who says that a ticket was used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedeemedBy {
    /// The gate: a fact, which is parked when the state does not allow it yet.
    Gate,
    /// Ops: an act, which is refused when the state does not allow it.
    Person,
}

/// Why a redemption waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParkReason {
    /// A refund is under review.
    RefundUnderReview,
    /// The visit date has not come.
    TooEarly,
    /// The tickets are not known here yet.
    NotTicketed,
}

/// The tickets were used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Redeem {
    /// Which booking; `None` is the active one.
    pub booking: Option<BookingId>,
    /// When the guest entered.
    pub at: UnixMillis,
    /// Who says so.
    pub by: RedeemedBy,
    /// Which of the guests, where the gate says; otherwise it is the visit of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<GateCount>,
}

/// What a gate says of who went in. Neither is said again of guests who were counted before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GateCount {
    /// What was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<crate::personal::DocumentNumber>,
    /// How many guests have gone in so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guests: Option<u32>,
}
