// SPDX-License-Identifier: Apache-2.0

//! Stories of a traveller at the TripStore-style marketplace.
//!
//! They need a channel with all its calls (`capabilities`) and an agency to be told (`erp`), and a product with `confirm = "manual"`, no
//! tickets, and days of departure from today on.

mod agency;
mod cancels;
mod payments;
mod script;

use super::story::{Story, story};
use crate::SimTripStore;

/// Every story, in the order in which a newcomer understands them best.
pub const STORIES: &[Story<SimTripStore>] = &[
    story!("part-payment", "a deposit, then the balance by link, then departure", payments::part_payment),
    story!("full-payment", "everything is paid with the booking; departure", payments::full_payment),
    story!("link-payment", "nothing is paid at first; one link replaces another, and is paid", payments::link_payment),
    story!("overpayment", "the balance is paid twice, and one of the two goes back", payments::overpayment),
    story!(
        "dead-link-payment",
        "a link is paid after it was taken back: the money goes back, and another link is sent",
        payments::dead_link
    ),
    story!("open-balance", "departed, and the balance was never paid: an alarm", payments::open_balance),
    story!("agency-paid", "the agency takes the money: the booking is shown, and never changed", agency::read_only),
    story!("agency-renumbers", "the agency changes its own number before the booking is completed", agency::renumbers),
    story!("agency-knows-already", "the agency has the booking in its books before it is told", agency::knows_already),
    story!(
        "cancel-request",
        "the traveller asks to cancel; a person names the fee, and finishes it",
        cancels::finished
    ),
    story!("cancel-withdrawn", "the traveller asks to cancel, and goes after all", cancels::withdrawn),
    story!("market-hiccups", "everything twice, answers lost, errors: nothing is done twice", cancels::hiccups),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::platform::PlatformOptions;
    use crate::stories::{Stage, play};
    use crate::{SimBackend, SimBackendOptions, SimTime};

    #[tokio::test]
    async fn every_story_fails_without_a_bridge() {
        let time = SimTime::new(1_000_000.0);
        let secret = "whsec_c2FuZGJveA==";
        let options = || PlatformOptions::usual("trip", secret, secret, "DANANG", time.clone());
        let trip = SimTripStore::start(options(), options()).await.unwrap();
        let backend = SimBackend::start(SimBackendOptions::usual("gate", secret, time.clone())).await.unwrap();
        // Port 9 of this machine discards; nothing answers there.
        trip.market.set_bridge_url("http://127.0.0.1:9");
        let mut stage = Stage::new("http://127.0.0.1:9", "token", trip, backend);
        stage.patience = Duration::from_millis(20);
        for story in STORIES {
            let verdict = play(story, &stage).await;
            assert!(!verdict.passed && !verdict.problems.is_empty(), "{} passed without a bridge", story.name);
        }
    }
}
