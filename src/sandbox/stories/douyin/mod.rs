// SPDX-License-Identifier: Apache-2.0

//! Stories of a Douyin guest.
//!
//! They need a channel whose automatically confirmed product may be booked for today, whose ticketing deadline and retries are as fast
//! as the simulators' time, and whose product leaves a missed deadline to a person (`overdue_policy = "manual"`).

mod guest;
mod hazards;
mod ordinary;
mod refunds;
mod script;

use super::story::{Story, story};
use crate::SimDouyin;

/// Every story, in the order in which a newcomer understands them best.
pub const STORIES: &[Story<SimDouyin>] = &[
    story!("purchase-to-gate", "a guest buys, books, gets tickets and goes in", ordinary::purchase_to_gate),
    story!("slow-backend", "the back-end needs time; tickets reach Douyin by callback", ordinary::slow_backend),
    story!("lost-answer", "the back-end issues and its answer is lost; nothing is issued twice", ordinary::lost_answer),
    story!("channel-hiccups", "Douyin fails while it is told of tickets; it is told until it knows", ordinary::hiccups),
    story!("second-generation", "the same purchase in the interface's second generation", ordinary::second_generation),
    story!("refund-before-booking", "a voucher that was never booked is refunded", refunds::before_booking),
    story!("refund-after-ticketing", "tickets are void first, then the refund is approved", refunds::after_ticketing),
    story!(
        "cancel-and-rebook",
        "a booking is cancelled and another one made on the same voucher",
        refunds::cancel_and_rebook
    ),
    story!(
        "missed-deadline",
        "no ticket in ten minutes; Douyin asks, and the money goes back",
        refunds::missed_deadline
    ),
    story!("late-ticket-reissue", "the ticket comes late and is handed over with the rejection", refunds::late_ticket),
    story!("forced-refund", "customer service refunds without asking (H7)", refunds::forced),
    story!(
        "redemption-during-review",
        "a guest goes in while his refund is reviewed (H8)",
        refunds::redeemed_in_review
    ),
    story!("used-before-void", "the ticket was used when the refund asks to void it (H9)", refunds::used_before_void),
    story!("issue-before-create", "H1: the issue call overtakes the creation", hazards::issue_first),
    story!("unknown-voucher", "H2: a booking on a voucher the bridge never heard of", hazards::unknown_voucher),
    story!("repeated-create", "H3: the answer to the creation is lost, it comes again", hazards::repeated_create),
    story!("cancel-after-create", "H4: Douyin gives a creation up that had succeeded", hazards::cancel_after_create),
    story!("cancel-before-create", "H5: the cancellation overtakes the creation", hazards::cancel_first),
    story!("callback-crosses-expiry", "H6: tickets and Douyin's refund request cross", hazards::crossing),
    story!("repeated-issue", "H10: the answer with the tickets is lost, the call comes again", hazards::repeated_issue),
    story!("payment-of-unknown-order", "H11: a payment for an order nobody told", hazards::unknown_payment),
    story!("repeated-info-sync", "H12: a forced refund is told twice without its number", hazards::repeated_info_sync),
    story!(
        "query-during-ticketing",
        "H13: Douyin asks for the state while tickets are made",
        hazards::query_in_ticketing
    ),
    story!("twice-at-once", "every message of Douyin's comes twice at the same moment", hazards::twice_at_once),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::douyin::{App, SimDouyinOptions, SimProduct};
    use crate::stories::{Stage, play};
    use crate::{SimBackend, SimBackendOptions, SimTime};

    #[tokio::test]
    async fn every_story_fails_without_a_bridge() {
        let app = App { client_key: "aw".to_owned(), client_secret: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".to_owned() };
        let time = SimTime::new(100_000.0);
        let products = vec![SimProduct::new("LP-V2|LP-B2", 2, 19_900)];
        let options = SimDouyinOptions::usual("douyin-main", app, "7123456789", products, time.clone());
        let douyin = SimDouyin::start(options).await.unwrap();
        let backend = SimBackend::start(SimBackendOptions::usual("gate", "whsec_c2FuZGJveA==", time)).await.unwrap();
        // Port 9 of this machine discards; nothing answers there.
        douyin.set_bridge_url("http://127.0.0.1:9");
        backend.set_bridge_url("http://127.0.0.1:9");
        let mut stage = Stage::new("http://127.0.0.1:9", "token", douyin, backend);
        stage.patience = Duration::from_millis(20);
        for story in STORIES {
            let verdict = play(story, &stage).await;
            assert!(!verdict.passed && !verdict.problems.is_empty(), "{} passed without a bridge", story.name);
        }
    }
}
