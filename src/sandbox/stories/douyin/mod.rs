// SPDX-License-Identifier: Apache-2.0

//! Stories of a Douyin guest.
//!
//! They need a channel whose automatically confirmed product may be booked for today, whose ticketing deadline and retries are as fast
//! as the simulators' time, and whose product leaves a missed deadline to a person (`overdue_policy = "manual"`).

mod hazards;
mod ordinary;
mod refunds;
mod script;

use chrono::{Days, NaiveDate};
use serde_json::Value;
use std::time::Duration;

use super::{Channel, Stage, Story, story};
use crate::douyin::{Faults, Purchase, SimProduct, Visitor};
use crate::time::Zone;
use crate::{Journal, SimBackend, SimDouyin, SimTime};

/// A script with a Douyin in it.
type Script = super::Script<SimDouyin>;

/// How much longer than the ten minutes the application of the tenth minute may take, stated time.
const AFTER_DEADLINE: Duration = Duration::from_secs(2);

impl Channel for SimDouyin {
    fn id(&self) -> &str {
        &self.options().channel_id
    }
    fn time(&self) -> &SimTime {
        SimDouyin::time(self)
    }
    fn journal(&self) -> &Journal {
        SimDouyin::journal(self)
    }
    fn today(&self) -> NaiveDate {
        SimDouyin::time(self).today(Zone::SHANGHAI)
    }
    fn longest_wait(&self) -> Duration {
        self.options().limits.ticketing + AFTER_DEADLINE
    }
    fn held_against(&self, orders: &[String]) -> Vec<String> {
        let books = self.books();
        let held = orders.iter().flat_map(|id| books.violations_about(id));
        held.map(|violation| format!("Douyin holds against the bridge: {}", violation.sentence)).collect()
    }
    /// Its stories look at both sides themselves, where they must agree.
    fn differences(&self, _number: &str, _order: &Value, _backend: &SimBackend) -> Vec<String> {
        Vec::new()
    }
    fn tidy(&self) {
        self.set_faults(|faults| *faults = Faults::default());
    }
}

impl Stage<SimDouyin> {
    fn product(&self) -> SimProduct {
        let sells = self.supplier.as_ref().map_or(0, |supplier| supplier.sells);
        self.channel.options().products.get(sells).cloned().unwrap_or_else(|| SimProduct::new("", 1, 0))
    }

    /// A purchase of `count` copies of the product on sale by somebody who never bought before.
    pub fn purchase(&self, count: u32) -> Purchase {
        let product = self.product();
        let amount = product.price * i64::from(count);
        Purchase { product_out_id: product.product_out_id, count, amount, phone: phone(self.next_person()) }
    }

    /// As many people as `copies` admit; none of them came before.
    pub fn visitors(&self, copies: u32) -> Vec<Visitor> {
        (0..copies * self.product().visitors_per_copy).map(|_| visitor(self.next_person())).collect()
    }
}

fn phone(number: u64) -> String {
    format!("1380000{:04}", number % 10_000)
}

/// An invented person. The serial number 000 of the ID card is given to nobody, so the card is nobody's.
fn visitor(number: u64) -> Visitor {
    const BIRTHDAYS: u64 = 14_600;
    let born = NaiveDate::from_ymd_opt(1960, 1, 1).and_then(|d| d.checked_add_days(Days::new(number % BIRTHDAYS)));
    let head = format!("110101{}000", born.unwrap_or_default().format("%Y%m%d"));
    Visitor {
        name: "测试甲".to_owned(),
        phone: phone(number),
        document_type: 1,
        document_number: format!("{head}{}", id_card_check_digit(&head)),
    }
}

/// Check digit of a resident ID card (GB 11643: weights 2^(17-i), modulo 11).
fn id_card_check_digit(head: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let digits = head.chars().filter_map(|c| c.to_digit(10));
    let sum: u32 = digits.zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    "10X98765432".chars().nth((sum % 11) as usize).expect("a remainder of 11 is one of eleven characters")
}

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
    use super::*;
    use crate::stories::play;

    #[test]
    fn invented_id_cards_have_a_right_check_digit_and_differ() {
        // The example printed in the standard's own annex.
        assert_eq!(id_card_check_digit("11010519491231002"), 'X');
        assert_ne!(visitor(1).document_number, visitor(2).document_number);
        assert_eq!(visitor(1).document_number.len(), 18);
    }

    #[tokio::test]
    async fn every_story_fails_without_a_bridge() {
        use crate::SimBackendOptions;
        use crate::douyin::{App, SimDouyinOptions};
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
