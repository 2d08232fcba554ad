// SPDX-License-Identifier: Apache-2.0

//! Stories of an OCTO supplier behind a Douyin guest: OC-01 … OC-19, judged by the supplier's books.
//!
//! They need what the stories of a Douyin guest need, and beside it a product whose tickets a back-end of the adapter `octo` makes, the
//! same once more with `on_deadline = "give_up"`, and an address for hints (`hint_secret`). `examples/octo/` is such a configuration.

mod lost;
mod orderly;
mod refused;
mod script;
mod slow;

use super::story::{Story, story};
use crate::SimDouyin;

/// Every story, by the number of its row.
pub const STORIES: &[Story<SimDouyin>] = &[
    story!("octo-01", "the answer to the reservation is lost: it is looked up, and there is one", lost::reserve_answer),
    story!(
        "octo-02",
        "a reservation arrives long after it was given up: the same uuid, one booking",
        lost::late_reserve
    ),
    story!("octo-03", "the answer to the confirmation is lost: it is read, not sent again", lost::confirm_answer),
    story!("octo-04", "everything between two steps is lost once: one booking all the same", lost::every_step),
    story!("octo-05", "the supplier asks somebody for four minutes, and then says yes", slow::pending),
    story!("octo-06", "yes after the deadline: kept; the refund is rejected with the codes, or approved", slow::keep),
    story!("octo-07", "no yes by the deadline: given up at the supplier before it is called a failure", slow::give_up),
    story!("octo-08", "sold without codes, which come 90 seconds later: nothing is shown before", slow::codes_later),
    story!("octo-09", "the supplier says no: decided at once, and not tried again", refused::rejected),
    story!("octo-10", "a hold that is too short is lengthened; one that ran out is made anew", orderly::short_hold),
    story!("octo-11", "the last place goes between the question and the reservation: no room", refused::sold_out),
    story!("octo-12", "a booking that cannot be cancelled leaves the refund to a person", refused::not_cancellable),
    story!("octo-13", "a cancellation is repeated, and a released hold reads as expired", orderly::cancelled_twice),
    story!(
        "octo-14",
        "a guest goes in while his refund is under review: the refund is blocked",
        refused::used_in_review
    ),
    story!(
        "octo-15",
        "the key is withdrawn: held back, deadlines go on; then it is accepted again",
        orderly::key_withdrawn
    ),
    story!("octo-16", "the supplier holds fewer units than were asked for: nothing is shown", refused::fewer_units),
    story!("octo-17", "bookings queue up while the supplier is away: each is issued once", orderly::outage),
    story!("octo-18", "the supplier makes a test of a real order: refused", refused::test_mode),
    story!(
        "octo-19",
        "the confirmation is answered with codes, and was not carried out: nothing is shown before it is",
        lost::claimed
    ),
];
