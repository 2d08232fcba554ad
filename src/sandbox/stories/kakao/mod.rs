// SPDX-License-Identifier: Apache-2.0

//! Stories of a guest of the Kakao-style platform.
//!
//! They need a channel with all its calls (`capabilities`), and a product with `confirm = "manual"`, tickets of the back-end, and days that
//! can be booked from today on.

mod crossing;
mod money;
mod script;
mod visits;

use super::story::{Story, story};
use crate::SimKakao;

/// Every story, in the order in which a newcomer understands them best.
pub const STORIES: &[Story<SimKakao>] = &[
    story!("booked-and-used", "the platform accepts a booking by itself; the guest goes in", visits::booked_and_used),
    story!(
        "payment-only-cancel",
        "a manager accepts; after the visit the money goes back, and the visit stays used",
        visits::payment_only_cancel
    ),
    story!("booking-only", "nothing is paid with the booking, so nothing can go back", visits::booking_only),
    story!("declined", "a manager declines, with a reason for the guest", visits::declined),
    story!("no-show", "the guest does not come, and is paid back a part all the same", visits::no_show),
    story!(
        "cancel-in-free-hour",
        "the guest thinks better of it within the hour: nothing is kept",
        money::cancel_in_free_hour
    ),
    story!("product-closed", "the seller closes the product: only new bookings stop", visits::product_closed),
    story!("cancel-in-a-tier", "the guest cancels it ten days before, and a fee is kept", money::cancel_in_a_tier),
    story!("cancel-by-partner", "the partner cancels it for less than the policy's fee", money::cancel_by_partner),
    story!(
        "refund-fails",
        "it is cancelled, the refund fails at the card company, and ends as credit",
        money::refund_fails
    ),
    story!("cancel-before-confirm", "the guest cancels it while our yes is on its way", crossing::cancel_first),
    story!("cancel-behind-confirm", "the same, and it is told only after our yes was answered", crossing::told_last),
    story!(
        "cancel-after-confirm",
        "our yes comes first, and its answer after the cancellation",
        crossing::confirm_first
    ),
    story!(
        "overtaking-events",
        "the cancellation is told first, then the booking, then its acceptance",
        crossing::overtaking
    ),
    story!("platform-hiccups", "everything twice, answers lost, errors: nothing is done twice", crossing::hiccups),
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
        let options = PlatformOptions::usual("kakao-jeju", secret, secret, "FOREST", time.clone());
        let kakao = SimKakao::start(options).await.unwrap();
        let backend = SimBackend::start(SimBackendOptions::usual("gate", secret, time)).await.unwrap();
        // Port 9 of this machine discards; nothing answers there.
        kakao.set_bridge_url("http://127.0.0.1:9");
        backend.set_bridge_url("http://127.0.0.1:9");
        let mut stage = Stage::new("http://127.0.0.1:9", "token", kakao, backend);
        stage.patience = Duration::from_millis(20);
        for story in STORIES {
            let verdict = play(story, &stage).await;
            assert!(!verdict.passed && !verdict.problems.is_empty(), "{} passed without a bridge", story.name);
        }
    }
}
