// SPDX-License-Identifier: Apache-2.0

//! What a simulated Douyin is told when it starts, and the switches that can be thrown while it runs.

use crate::{Journal, SimTime};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::spi::Spi;

/// One application at Douyin: whose secret signs, whose tokens are given out.
#[derive(Clone, PartialEq, Eq)]
pub struct App {
    /// The application's key.
    pub client_key: String,
    /// Its secret.
    pub client_secret: String,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("client_key", &self.client_key).finish_non_exhaustive()
    }
}

/// Whether Douyin tells of the voucher purchase (`adapters/douyin/README.md`, trade mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeMode {
    /// Both orders are told.
    WithVoucher,
    /// The first thing told is the reservation.
    WithoutVoucher,
}

/// When orders are told (chapter 0, creation timing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreationTiming {
    /// One call after payment; its answer accepts or rejects.
    AfterPayment,
    /// One call at submission, then the payment notice, whose answer accepts or rejects.
    BeforePayment,
}

/// Which generation of the reservation and issue calls is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// `create_order` and the issue call with `vouchers`.
    First,
    /// `promissory_create_order` and `promissory_gen_code` with certificates.
    Second,
}

/// A product as the merchant typed it into the console.
#[derive(Clone, Debug)]
pub struct SimProduct {
    /// What the merchant typed as the bridge's product id, for example `LP-V2|LP-B2`.
    pub product_out_id: String,
    /// Douyin's product id.
    pub product_id: String,
    /// Douyin's SKU id.
    pub sku_id: String,
    /// Visitors that one copy admits.
    pub visitors_per_copy: u32,
    /// Price of one copy, fen.
    pub price: i64,
    /// Credential kinds that may be shown: 1 ID card, 2 code, 3 QR, 6 URL (A.5).
    pub code_sending_info: Vec<i64>,
    /// Cancellation rule: 2 never, 4 limited, 5 any time while unused (A.6).
    pub cancel_type: i64,
}

impl SimProduct {
    /// A product for two visitors a copy that shows codes and QR codes and can be cancelled while unused.
    pub fn new(product_out_id: impl Into<String>, visitors_per_copy: u32, price: i64) -> Self {
        Self {
            product_out_id: product_out_id.into(),
            product_id: "7400000000000000001".to_owned(),
            sku_id: "7400000000000000002".to_owned(),
            visitors_per_copy,
            price,
            code_sending_info: vec![1, 2, 3],
            cancel_type: 5,
        }
    }
}

/// Douyin's limits, as stated (chapter 19); they pass `time_scale` times as fast.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the first issue call until codes must be there.
    pub ticketing: Duration,
    /// From an asynchronous acceptance until it must be confirmed.
    pub acceptance: Duration,
    /// From a refund application until the decision must be there.
    pub review: Duration,
    /// How often, at most, a creation is sent.
    pub create_attempts: u32,
    /// An answer is waited for at least this long, real time, whatever the scale: the bridge is not scaled.
    pub answer_at_least: Duration,
}

impl Limits {
    /// As the protocol states them; answers get the longest of their limits, because a bridge may use what it has.
    pub fn stated() -> Self {
        Self {
            ticketing: Duration::from_secs(600),
            acceptance: Duration::from_secs(600),
            review: Duration::from_secs(72 * 3_600),
            create_attempts: 13,
            answer_at_least: Duration::from_secs(8),
        }
    }
}

/// What a simulated Douyin is told when it starts.
#[derive(Clone, Debug)]
pub struct SimDouyinOptions {
    /// The bridge's address without a path; can be set later.
    pub bridge_url: String,
    /// The channel's name at the bridge.
    pub channel_id: String,
    /// The application.
    pub app: App,
    /// The application's former identity, which a migrated application still shows in the URL.
    pub legacy_app: Option<App>,
    /// The merchant.
    pub account_id: String,
    /// Time, and how much faster than real it passes.
    pub time: SimTime,
    /// Limits, before scaling.
    pub limits: Limits,
    /// Whether voucher purchases are told.
    pub trade: TradeMode,
    /// When orders are told.
    pub creation: CreationTiming,
    /// The products on sale; the first one is taken for an unknown product id.
    pub products: Vec<SimProduct>,
    /// Units of online decryption a day.
    pub decrypt_quota: u32,
    /// Where what crosses the wire is written.
    pub journal: Journal,
    /// Switches, to begin with.
    pub faults: Faults,
    /// Where it listens.
    pub listen: std::net::SocketAddr,
}

impl SimDouyinOptions {
    /// The usual Douyin: with voucher, after payment, no faults, limits as stated.
    pub fn usual(channel_id: &str, app: App, account_id: &str, products: Vec<SimProduct>, time: SimTime) -> Self {
        Self {
            bridge_url: String::new(),
            channel_id: channel_id.to_owned(),
            app,
            legacy_app: None,
            account_id: account_id.to_owned(),
            time,
            limits: Limits::stated(),
            trade: TradeMode::WithVoucher,
            creation: CreationTiming::AfterPayment,
            products,
            decrypt_quota: 1_000,
            journal: Journal::default(),
            faults: Faults::default(),
            listen: crate::net::ANY_PORT,
        }
    }
}

/// An answer that comes at the very edge of its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// 0.2 s inside the limit.
    JustInTime,
    /// 0.2 s outside: for Douyin there was no answer.
    TooLate,
}

/// Which messages overtake each other (chapter 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reorder {
    /// H1: the issue call comes before the creation of the reservation.
    IssueFirst,
    /// H5: the cancellation comes before the creation of the reservation.
    CancelFirst,
    /// H6: the refund application of the tenth minute and the bridge's callback cross.
    ExpiryCrossesCallback,
}

/// When the automatic refund application is sent, against the ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundAt {
    /// At 9:59.
    Early,
    /// At 10:01.
    Late,
}

/// Things that go wrong on request. Counters count down to zero.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Every call is sent twice at the same moment, and both answers must agree.
    pub duplicate_delivery: bool,
    /// One order of messages that the bridge must bear; taken back once it has happened.
    pub reorder: Option<Reorder>,
    /// So many answers to this call get lost on the way.
    pub drop_answers: BTreeMap<Spi, u32>,
    /// Answers of the bridge arrive at the edge of the limit.
    pub slow: Option<Slow>,
    /// A number written as a string makes an answer a failure; on unless switched off.
    pub string_numbers_are_errors: bool,
    /// The other spelling of field names (D-14).
    pub swapped_field_names: bool,
    /// The automatic refund application comes a second early or late.
    pub refund_301_at: Option<RefundAt>,
    /// The application was migrated: legacy key in the URL.
    pub migrated_app: bool,
    /// A retry repeats the timestamp of the first attempt (U-04).
    pub same_timestamp_on_retry: bool,
    /// The next call of the bridge meets "token expired" although the token is good.
    pub fail_token_once: bool,
    /// So many calls of the bridge meet HTTP 500, unexecuted.
    pub api_5xx_times: u32,
    /// So many calls of the bridge are executed and their answers lost.
    pub api_drop_answers: u32,
    /// Calls of the bridge get no answer.
    pub api_hang: bool,
    /// Names and phones are sent as `Enc.` values for online decryption.
    pub enc_values: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            duplicate_delivery: false,
            reorder: None,
            drop_answers: BTreeMap::new(),
            slow: None,
            string_numbers_are_errors: true,
            swapped_field_names: false,
            refund_301_at: None,
            migrated_app: false,
            same_timestamp_on_retry: false,
            fail_token_once: false,
            api_5xx_times: 0,
            api_drop_answers: 0,
            api_hang: false,
            enc_values: false,
        }
    }
}
