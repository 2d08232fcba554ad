//! Named stories: what happens to a guest, and the verdict on the bridge.
//!
//! A story is judged only from what any outsider can see: the books of the two simulators and the ops interface.
//! It needs a bridge on which the simulators are configured as channel and back-end, whose automatically confirmed product
//! may be booked for today, whose ticketing deadline and retries are as fast as the simulators' time, and whose product
//! leaves a missed deadline to a person (`overdue_policy = "manual"`).

mod hazards;
mod ordinary;
mod refunds;
mod script;

pub(in crate::sandbox) use script::text_at;
pub use script::{Broken, Script};

use chrono::{Days, NaiveDate};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::douyin::{Purchase, Visitor};
use super::ops::Ops;
use super::{SimBackend, SimDouyin};

/// What a story is about to find out about: a bridge, the two simulators around it, and what is on sale.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The ops interface of the bridge.
    pub ops: Ops,
    /// The channel.
    pub douyin: SimDouyin,
    /// The back-end.
    pub backend: SimBackend,
    /// The product as the merchant typed it: `LP-V2|LP-B2`.
    pub product_out_id: String,
    /// Price of one copy, fen.
    pub price: i64,
    /// Visitors that one copy admits.
    pub visitors_per_copy: u32,
    /// How long the bridge may take for anything that has no longer limit, real time.
    pub patience: Duration,
    people: Arc<AtomicU64>,
}

impl Stage {
    /// A stage; the first product of `douyin` is the one on sale, at `price` fen a copy.
    pub fn new(bridge_url: &str, ops_token: &str, douyin: SimDouyin, backend: SimBackend, price: i64) -> Self {
        let product = douyin.options().products.first();
        let product_out_id = product.map(|p| p.product_out_id.clone()).unwrap_or_default();
        let visitors_per_copy = product.map_or(1, |p| p.visitors_per_copy);
        let first_person = u64::try_from(douyin.time().now_s()).unwrap_or_default();
        Self {
            ops: Ops::new(bridge_url, ops_token),
            douyin,
            backend,
            product_out_id,
            price,
            visitors_per_copy,
            patience: Duration::from_secs(20),
            people: Arc::new(AtomicU64::new(first_person)),
        }
    }

    /// A visit on which the guest can go in at once.
    pub fn today(&self) -> NaiveDate {
        self.douyin.time().today()
    }

    /// A visit in a while.
    pub fn in_days(&self, days: u64) -> NaiveDate {
        self.today().checked_add_days(Days::new(days)).unwrap_or_default()
    }

    /// A purchase of `count` copies by somebody who never bought before.
    pub fn purchase(&self, count: u32) -> Purchase {
        let (product_out_id, amount) = (self.product_out_id.clone(), self.price * i64::from(count));
        Purchase { product_out_id, count, amount, phone: phone(self.next_person()) }
    }

    /// As many people as `copies` admit; none of them came before.
    pub fn visitors(&self, copies: u32) -> Vec<Visitor> {
        (0..copies * self.visitors_per_copy).map(|_| visitor(self.next_person())).collect()
    }

    fn next_person(&self) -> u64 {
        self.people.fetch_add(1, Ordering::Relaxed)
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

/// One thing a story found.
#[derive(Clone, Debug)]
pub struct Step {
    /// When, real time since the sandbox began.
    pub at: Duration,
    /// What was seen, in a sentence.
    pub text: String,
    /// Whether it is as it should be.
    pub good: bool,
}

/// How a story ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The story's name.
    pub name: &'static str,
    /// Whether everything was as it should be.
    pub passed: bool,
    /// What was seen, in order.
    pub steps: Vec<Step>,
    /// What was not as it should be.
    pub problems: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", if self.passed { "ok    " } else { "FAILED" }, self.name)?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "       {problem}"))
    }
}

/// A story may use up the patience of its stage this often before it is given up.
const STEPS_WITHIN_PATIENCE: u32 = 3;

type Run = for<'a> fn(&'a mut Script) -> Pin<Box<dyn Future<Output = Result<(), Broken>> + Send + 'a>>;

/// A story.
#[derive(Clone, Copy)]
pub struct Story {
    /// Its name, as given on the command line.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    run: Run,
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").field("name", &self.name).finish_non_exhaustive()
    }
}

macro_rules! story {
    ($name:literal, $about:literal, $run:path) => {
        Story { name: $name, about: $about, run: |script| Box::pin($run(script)) }
    };
}

/// Every story, in the order in which a newcomer understands them best.
pub const STORIES: &[Story] = &[
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

/// Plays one story and judges it. Switches and modes are put back afterwards.
pub async fn play(story: &Story, stage: &Stage) -> Verdict {
    let mut script = Script::new(stage.clone());
    let limit = script.past_deadline() + stage.patience * STEPS_WITHIN_PATIENCE;
    match tokio::time::timeout(limit, (story.run)(&mut script)).await {
        Ok(Ok(())) => {}
        Ok(Err(Broken(problem))) => script.fail(problem),
        Err(_) => {
            script.fail("the story did not come to its end: a call was answered badly until time was over".to_owned())
        }
    }
    script.judge_books();
    script.tidy();
    let (steps, problems) = script.into_findings();
    Verdict { name: story.name, passed: problems.is_empty(), steps, problems }
}

/// The story of this name.
pub fn find(name: &str) -> Option<&'static Story> {
    STORIES.iter().find(|story| story.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_different_and_found() {
        let mut names: Vec<&str> = STORIES.iter().map(|s| s.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STORIES.len());
        assert!(find("forced-refund").is_some());
        assert!(find("no-such-story").is_none());
    }

    #[test]
    fn invented_id_cards_have_a_right_check_digit_and_differ() {
        // The example printed in the standard's own annex.
        assert_eq!(id_card_check_digit("11010519491231002"), 'X');
        assert_ne!(visitor(1).document_number, visitor(2).document_number);
        assert_eq!(visitor(1).document_number.len(), 18);
    }

    #[tokio::test]
    async fn every_story_fails_without_a_bridge() {
        use crate::sandbox::douyin::{App, SimDouyinOptions, SimProduct};
        use crate::sandbox::{SimBackendOptions, SimTime};
        let app = App { client_key: "aw".to_owned(), client_secret: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".to_owned() };
        let time = SimTime::new(100_000.0);
        let products = vec![SimProduct::new("LP-V2|LP-B2", 2)];
        let options = SimDouyinOptions::usual("douyin-main", app, "7123456789", products, time.clone());
        let douyin = SimDouyin::start(options).await.unwrap();
        let backend = SimBackend::start(SimBackendOptions::usual("gate", "whsec_c2FuZGJveA==", time)).await.unwrap();
        // Port 9 of this machine discards; nothing answers there.
        douyin.set_bridge_url("http://127.0.0.1:9");
        backend.set_bridge_url("http://127.0.0.1:9");
        let mut stage = Stage::new("http://127.0.0.1:9", "token", douyin, backend, 19_900);
        stage.patience = Duration::from_millis(20);
        for story in STORIES {
            let verdict = play(story, &stage).await;
            assert!(!verdict.passed && !verdict.problems.is_empty(), "{} passed without a bridge", story.name);
        }
    }
}
