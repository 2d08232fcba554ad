// SPDX-License-Identifier: Apache-2.0

//! Whether a booking that a channel tells should have been (KA-07): its product may be off sale there, its day closed, or full.

use crate::message::Snapshot;
use crate::order::channel_state::Stage;
use crate::port::Listing;
use crate::product::RuleSnapshot;

/// Why policy rejects a booking: the back-end has no ticket, or the date no place. An adapter has the words for the guest.
pub const SOLD_OUT: &str = "sold_out";
/// Why policy rejects a booking: the product is not on sale.
pub const CLOSED: &str = "closed";

/// Whether the question arises: a new booking that waits for us, or one that the channel confirmed by itself.
pub fn is_new_booking(snapshot: &Snapshot) -> bool {
    let standing = &snapshot.standing;
    let by_itself = standing.stage == Stage::Confirmed && !standing.needs_decision && !standing.read_only;
    standing.stage == Stage::Requested || by_itself
}

/// Why a new booking should not be, if so: `listing` is what the channel said last of the product, `left` what is left of its day. One that
/// waits for us is not confirmed by policy then; one that the channel confirmed by itself is shown to a person.
pub fn why_not(
    rules: &RuleSnapshot,
    snapshot: &Snapshot,
    listing: Option<&Listing>,
    left: Option<i64>,
) -> Option<&'static str> {
    let is_off = |listing: &Listing| listing.is_open == Some(false) && snapshot.sale.placed_at >= listing.since;
    let is_closed = |date| rules.booking.calendar_on(date).is_none();
    if listing.is_some_and(is_off) || snapshot.visit_date.is_some_and(is_closed) {
        return Some(CLOSED);
    }
    left.is_some_and(|left| left < i64::from(snapshot.sale.quantity)).then_some(SOLD_OUT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::{self, snapshot};
    use crate::time::{Millis, UnixMillis};

    #[test]
    fn the_question_arises_for_what_is_new() {
        for (stage, needs_decision, read_only, expected) in [
            (Stage::Requested, true, false, true),
            (Stage::Requested, false, true, true),
            (Stage::Confirmed, false, false, true),
            (Stage::Confirmed, true, false, false),
            (Stage::Confirmed, false, true, false),
            (Stage::Cancelled, false, false, false),
            (Stage::CancelRequested { confirmed: true }, false, false, false),
        ] {
            assert_eq!(is_new_booking(&snapshot(stage, needs_decision, read_only)), expected, "{stage:?}");
        }
    }

    #[test]
    fn a_booking_is_not_to_be_of_what_is_off_sale_closed_or_full() {
        let (rules, mut told) = (samples::rules(), snapshot(Stage::Requested, true, false));
        let listing = |is_open, since: UnixMillis| Listing {
            product: rules.booking.code.clone(),
            state: "OFF_SALE".to_owned(),
            is_open,
            since,
        };
        let placed = told.sale.placed_at;
        let later = placed + Millis::seconds(1);
        assert_eq!(why_not(&rules, &told, None, None), None);
        assert_eq!(why_not(&rules, &told, Some(&listing(Some(false), placed)), None), Some(CLOSED));
        assert_eq!(why_not(&rules, &told, Some(&listing(Some(false), later)), None), None, "it was on sale then");
        assert_eq!(why_not(&rules, &told, Some(&listing(None, placed)), None), None, "as before");
        assert_eq!(why_not(&rules, &told, None, Some(2)), None);
        assert_eq!(why_not(&rules, &told, None, Some(1)), Some(SOLD_OUT));
        told.visit_date = Some(samples::date("2027-04-01"));
        assert_eq!(why_not(&rules, &told, None, Some(9)), Some(CLOSED), "the season is over");
    }
}
