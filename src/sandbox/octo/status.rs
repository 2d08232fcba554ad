// SPDX-License-Identifier: Apache-2.0

//! How a booking stands at the supplier.

/// How a booking stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its place is kept.
    OnHold,
    /// Somebody has still to say yes.
    Pending,
    /// Sold.
    Confirmed,
    /// Refused.
    Rejected,
    /// Run out.
    Expired,
    /// Cancelled.
    Cancelled,
    /// Used.
    Redeemed,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Status::OnHold => "ON_HOLD",
            Status::Pending => "PENDING",
            Status::Confirmed => "CONFIRMED",
            Status::Rejected => "REJECTED",
            Status::Expired => "EXPIRED",
            Status::Cancelled => "CANCELLED",
            Status::Redeemed => "REDEEMED",
        }
    }
    /// Whether it takes a place.
    pub fn takes_place(self) -> bool {
        matches!(self, Status::OnHold | Status::Pending | Status::Confirmed | Status::Redeemed)
    }
    pub(super) fn can_be_cancelled(self) -> bool {
        matches!(self, Status::OnHold | Status::Pending | Status::Confirmed)
    }
}
