// SPDX-License-Identifier: Apache-2.0

//! How a supplier behaves.

use super::status::Status;

/// What servers do differently where the standard is silent, or is not kept.
#[derive(Clone, Debug)]
pub struct Switches {
    /// A reserve under a uuid that is known.
    pub repeated_reserve: RepeatedReserve,
    /// How a full slot is refused at reserve.
    pub sold_out_code: &'static str,
    /// How an unknown booking is refused: status and code.
    pub unknown_booking: (u16, &'static str),
    /// How a wrong key is refused: status and code; `None` is not checked at all.
    pub wrong_key: Option<(u16, &'static str)>,
    /// A hold that has run out is still shown as a hold.
    pub hold_over_stays: bool,
    /// A hold that has run out can be confirmed.
    pub confirms_late: bool,
    /// A repeated confirm is refused.
    pub refuses_second_confirm: bool,
    /// How a released hold reads.
    pub released_reads: Status,
    /// A repeated cancel is refused.
    pub refuses_second_cancel: bool,
    /// The status of unit items is never kept up.
    pub stale_units: bool,
    /// `/suppliers` instead of `/supplier`.
    pub older_paths: bool,
    /// `DELETE /bookings/{uuid}` instead of `POST …/cancel`.
    pub cancels_by_delete: bool,
    /// How its own errors look.
    pub own_error: OwnError,
    /// The extensions that were asked for are repeated in the answer.
    pub repeats_capabilities: bool,
    /// How long a hold lasts, whatever is asked for.
    pub hold_ms: i64,
    /// Holds can be lengthened.
    pub extends: bool,
    /// Confirmed only when somebody says so (`Books::decide`).
    pub instant_confirmation: bool,
    /// Codes come only when they are released (`Books::deliver`).
    pub instant_delivery: bool,
    /// Bookings can be cancelled.
    pub cancellable: bool,
    /// Every booking is a test.
    pub test_mode: bool,
    /// Units are lost on the way: so many fewer are booked.
    pub loses_units: usize,
    /// Places at each time of each day.
    pub capacity: usize,
    /// Times of each day.
    pub start_times: Vec<&'static str>,
    /// Every push is sent twice.
    pub pushes_twice: bool,
    /// Tickets that were sold show other codes than they did.
    pub newer_codes: bool,
    /// What it wants to know of the guest of each unit.
    pub unit_contacts: &'static [&'static str],
    /// What it asks of its resellers for a unit, in hundredths of a yuan; `None`: it tells no prices.
    pub net: Option<i64>,
    /// By how much its clock goes before everybody else's.
    pub clock_off_ms: i64,
    /// A word for how every booking stands that is none of OCTO's.
    pub own_status: Option<&'static str>,
}

/// What becomes of a reserve under a uuid that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatedReserve {
    /// The booking there is.
    Same,
    /// Refused as used already.
    Refused,
    /// The database's own error.
    Error,
}

/// How an error of the server itself looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnError {
    /// 500 with a body as the standard has it.
    WithCode,
    /// 400, and only the code tells.
    As400,
    /// 502 of a proxy, in HTML.
    OfProxy,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            repeated_reserve: RepeatedReserve::Same,
            sold_out_code: "UNPROCESSABLE_ENTITY",
            unknown_booking: (400, "INVALID_BOOKING_UUID"),
            wrong_key: Some((403, "FORBIDDEN")),
            hold_over_stays: false,
            confirms_late: false,
            refuses_second_confirm: false,
            released_reads: Status::Cancelled,
            refuses_second_cancel: true,
            stale_units: false,
            older_paths: false,
            cancels_by_delete: false,
            own_error: OwnError::WithCode,
            repeats_capabilities: true,
            hold_ms: 15 * 60_000,
            extends: true,
            instant_confirmation: true,
            instant_delivery: true,
            cancellable: true,
            test_mode: false,
            loses_units: 0,
            capacity: 1_000,
            start_times: vec!["00:00"],
            pushes_twice: false,
            newer_codes: false,
            unit_contacts: &[],
            net: None,
            clock_off_ms: 0,
            own_status: None,
        }
    }
}
