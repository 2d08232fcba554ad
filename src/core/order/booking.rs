// SPDX-License-Identifier: Apache-2.0

//! Axis 2, the visit: the reservation of a date.

use serde::{Deserialize, Serialize};

use crate::id::{BookingId, ExternalId};
use crate::order::{Hold, Ticketing};
use crate::personal::Person;
use crate::time::{Date, UnixMillis};

/// Axis 2: where the visit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingState {
    /// Waits for confirmation.
    Requested,
    /// Confirmed.
    Confirmed,
    /// The guest was there. The end.
    Used,
    /// The guest was not there. The end.
    NoShow,
    /// Rejected. The end.
    Rejected,
    /// Cancelled. The end.
    Cancelled,
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
    /// At which local time of that day, `HH:MM`, where the channel says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit_time: Option<String>,
    /// Last day on which it admits.
    pub valid_until: Option<Date>,
    /// Who comes.
    pub visitors: Vec<Person>,
    /// Whom to reach about this visit.
    pub contact: Option<Person>,
    /// When the channel says it was asked for.
    pub requested_at: UnixMillis,
    /// When it was confirmed.
    #[serde(rename = "accepted_at")]
    pub confirmed_at: Option<UnixMillis>,
    /// When it was used.
    pub used_at: Option<UnixMillis>,
    /// Its tickets.
    pub ticketing: Ticketing,
    /// What its reseller has reserved, where it reserves before it sells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Box<Hold>>,
}

impl Booking {
    /// Whether it is only kept for a reseller, which has not said yet that it is sold.
    pub fn is_on_hold(&self) -> bool {
        self.state == BookingState::Requested && self.hold.as_ref().is_some_and(|hold| hold.open)
    }
    /// Whether the booking is the order's active one.
    pub fn is_active(&self) -> bool {
        match self.state {
            BookingState::Requested | BookingState::Confirmed => true,
            BookingState::Used | BookingState::NoShow | BookingState::Rejected | BookingState::Cancelled => false,
        }
    }
    /// Whether the guest has been there, or has not come.
    pub fn is_visit_over(&self) -> bool {
        match self.state {
            BookingState::Used | BookingState::NoShow => true,
            BookingState::Requested | BookingState::Confirmed | BookingState::Rejected | BookingState::Cancelled => {
                false
            }
        }
    }
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
    /// Whether it was some of the guests only ([`Order::entered`](crate::order::Order)).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_part: bool,
}
