// SPDX-License-Identifier: Apache-2.0

//! The back-end's books: what it was asked, what it issued, who used it.

use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a reservation stands at the back-end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReservationState {
    /// Works on it.
    Pending,
    /// Tickets exist.
    Issued,
    /// Will not issue.
    Refused(String),
    /// Asked to cancel; works on it.
    Cancelling,
    /// Void.
    Cancelled,
    /// A guest went in.
    Used,
}

/// A reservation.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The bridge's id of it.
    pub id: String,
    /// The body that asked for it.
    pub request: Value,
    /// Units.
    pub quantity: u32,
    /// State.
    pub state: ReservationState,
    /// Ticket codes; empty until issued.
    pub codes: Vec<String>,
    /// How often tickets were made: more than once is a fault of the pair.
    pub issues: u32,
    /// How often a reservation call for it came.
    pub asks: u32,
    /// How often a cancellation was asked for.
    pub cancels: u32,
    /// Reasons given with the cancellations.
    pub cancel_reasons: Vec<String>,
}

/// One call, whole.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// When it began, real time since the start.
    pub at: Duration,
    /// `reserve`, `read`, `cancel`, `availability`, or the type of an event that was sent.
    pub call: String,
    /// The bridge's id of the reservation.
    pub reservation_id: Option<String>,
    /// Headers of the request.
    pub headers: Vec<(String, String)>,
    /// Body of the request.
    pub body: Value,
    /// HTTP status of the answer; 0 when there was none.
    pub status: u16,
    /// Body of the answer.
    pub answer: Value,
}

/// Something the bridge must not do.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The reservation.
    pub reservation_id: String,
    /// What happened.
    pub sentence: String,
}

/// The books.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Reservations by the bridge's id.
    pub reservations: BTreeMap<String, Reservation>,
    /// Every call, both ways.
    pub calls: Vec<CallRecord>,
    /// What the bridge must not have done.
    pub violations: Vec<Violation>,
    /// Hash of the body by `Idempotency-Key`.
    pub(super) keys: BTreeMap<String, String>,
}

impl Books {
    /// The reservations that admit: issued and not void.
    pub fn live(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations.values().filter(|r| matches!(r.state, ReservationState::Issued | ReservationState::Used))
    }
}
