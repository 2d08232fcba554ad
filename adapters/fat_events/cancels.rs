// SPDX-License-Identifier: Apache-2.0

//! Cancels of payments: money that goes back, each movement with a number of its own.

use ticketbridge_core::limits::AMOUNT_MAX;
use ticketbridge_core::order::money::EntryStatus;
use ticketbridge_core::port::DecodeError;
use ticketbridge_core::time::UnixMillis;

use super::read::At;

/// Turned into credit is done: the guest has it.
pub(crate) const STATUSES: &[(&str, EntryStatus)] = &[
    ("PENDING", EntryStatus::Pending),
    ("DONE", EntryStatus::Done),
    ("FAILED", EntryStatus::Failed),
    ("CREDITED", EntryStatus::Done),
];

/// Money that goes back for a payment.
#[derive(Clone)]
pub(crate) struct Cancel {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) status: EntryStatus,
    pub(crate) done_at: Option<UnixMillis>,
    /// The payment, where it does not stand inside it.
    pub(crate) payment: Option<String>,
    /// Whether it is the money of what was cancelled with it, by the channel's own word.
    pub(crate) with_booking: bool,
}

fn sum_back<'c>(cancels: impl IntoIterator<Item = &'c Cancel>) -> i128 {
    let is_back = |cancel: &&Cancel| cancel.status != EntryStatus::Failed;
    cancels.into_iter().filter(is_back).map(|cancel| i128::from(cancel.amount)).sum()
}

/// Movements have to add up to an amount at all.
pub(crate) fn check_returned(at: &At<'_>, cancels: &[Cancel]) -> Result<(), DecodeError> {
    if sum_back(cancels) > i128::from(AMOUNT_MAX) {
        return Err(at.mismatch("are together more than an amount can be"));
    }
    Ok(())
}

/// More went back of a payment than it was: whoever says so is taken at its word, and a person settles it.
pub(crate) fn over_returned<'c>(
    payment: &str,
    paid: i64,
    cancels: impl IntoIterator<Item = &'c Cancel>,
) -> Option<String> {
    let back = sum_back(cancels);
    (back > i128::from(paid)).then(|| format!("{back} goes back of the payment `{payment}`, which was {paid}"))
}

impl Cancel {
    /// Reads one element of `cancels`.
    pub(crate) fn read(at: &At<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: at.field("cancel_id").id()?,
            amount: at.field("amount_krw").positive()?,
            status: at.field("status").word(STATUSES)?,
            done_at: at.field("done_at").maybe_instant()?,
            payment: at.field("payment_id").maybe_text()?,
            with_booking: at.field("kind").maybe_text()?.as_deref() == Some("WITH_BOOKING"),
        })
    }
}
