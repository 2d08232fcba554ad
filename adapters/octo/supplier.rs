// SPDX-License-Identifier: Apache-2.0

//! One supplier, as its settings have it.

use std::borrow::Cow;

use http::HeaderValue;
use ticketbridge_core::port::BackendSpec;
use ticketbridge_core::product::BackendTerms;
use ticketbridge_core::time::{Millis, TimeZone};

/// One supplier.
pub(super) struct Octo {
    pub(super) id: String,
    pub(super) base_url: String,
    /// `Bearer <key>`, marked as sensitive: it is never shown.
    pub(super) authorization: HeaderValue,
    /// The extensions that are asked for.
    pub(super) capabilities: HeaderValue,
    pub(super) supplier_path: &'static str,
    pub(super) cancel_style: CancelStyle,
    pub(super) hold: Millis,
    pub(super) hold_at: HoldAt,
    pub(super) on_deadline: OnDeadline,
    pub(super) repeat_reserve: RepeatReserve,
    pub(super) formats: Vec<String>,
    pub(super) test_mode: bool,
    pub(super) trailing_slash: bool,
    pub(super) time_zone: TimeZone,
    pub(super) timeouts: Timeouts,
    /// The last part of the address for hints.
    pub(super) hint_secret: Option<String>,
    pub(super) spec: BackendSpec,
}

/// Time for each kind of call.
#[derive(Clone, Copy)]
pub(super) struct Timeouts {
    pub(super) read: Millis,
    pub(super) reserve: Millis,
    pub(super) confirm: Millis,
}

/// When a place is held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HoldAt {
    /// When tickets are asked for.
    Ticketing,
    /// Before a booking is confirmed.
    Booking,
}

/// How a booking is cancelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CancelStyle {
    /// `POST …/cancel`.
    Post,
    /// `DELETE …`, as older servers have it.
    Delete,
}

/// What becomes of a booking whose tickets do not come in time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDeadline {
    /// They are waited for.
    Keep,
    /// It is cancelled, and only then called a failure.
    GiveUp,
}

/// Whether a reservation that a read does not find is sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RepeatReserve {
    /// Under the same uuid.
    ReadFirst,
    /// A person looks.
    Never,
}

impl Octo {
    pub(super) fn supplier_address(&self) -> &'static str {
        if self.supplier_path == "suppliers" { "/suppliers" } else { "/supplier" }
    }

    pub(super) fn hold_minutes(&self) -> i64 {
        (self.hold.0 + 59_999) / 60_000
    }
}

/// `PRODUCT/OPTION` names both; an id that has a slash of its own is written with `option` beside it.
pub(super) fn split<'a>(product: &'a str, terms: &'a BackendTerms) -> (&'a str, Cow<'a, BackendTerms>) {
    match product.rsplit_once('/').filter(|_| terms.option.is_none()) {
        Some((product, option)) => {
            (product, Cow::Owned(BackendTerms { option: Some(option.to_owned()), ..terms.clone() }))
        }
        None => (product, Cow::Borrowed(terms)),
    }
}
