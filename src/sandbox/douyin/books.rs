// SPDX-License-Identifier: Apache-2.0

//! Douyin's own books: what it sold, what it was told, and where the bridge broke a rule.

use chrono::NaiveDate;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

use super::check::Terms;
use super::options::Generation;

/// A person who comes along; invented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// Name.
    pub name: String,
    /// Phone.
    pub phone: String,
    /// Kind of document (A.2): 1 ID card, 6 passport …
    pub document_type: i64,
    /// Its number.
    pub document_number: String,
}

/// Where a voucher order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoucherState {
    /// Paid, no visit date chosen.
    Unreserved,
    /// A reservation lives.
    Reserved,
    /// Used.
    Redeemed,
    /// The money went back.
    Refunded,
}

/// A voucher order.
#[derive(Clone, Debug)]
pub struct Voucher {
    /// Douyin's number.
    pub id: String,
    /// The bridge's product id.
    pub product_out_id: String,
    /// Copies.
    pub copies: u32,
    /// Amount, fen.
    pub amount: i64,
    /// The buyer's phone.
    pub phone: String,
    /// State.
    pub state: VoucherState,
    /// The bridge's number, once it said one.
    pub out_id: Option<String>,
    /// When it was bought, seconds since 1970.
    pub bought_at_s: i64,
    /// What went back, fen.
    pub refunded: i64,
}

/// Where a reservation order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationState {
    /// Told, not accepted.
    Requested,
    /// The bridge will say later whether it accepts.
    AwaitingConfirmation,
    /// Accepted; codes are awaited.
    Accepted,
    /// The guest has codes.
    Issued,
    /// Used.
    Redeemed,
    /// Refused by the bridge.
    Rejected,
    /// Over, not used.
    Cancelled,
}

/// How codes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// In the answer to the issue call.
    Answer,
    /// By the bridge's callback.
    Callback,
    /// With the rejection of a refund.
    Reissue,
}

/// Codes that Douyin has.
#[derive(Clone, Debug)]
pub struct Codes {
    /// Vouchers or certificates as received.
    pub body: Value,
    /// All codes and documents in it, sorted.
    pub codes: Vec<String>,
    /// How they came first.
    pub path: Path,
    /// When, stated time since the simulator's start.
    pub at: Duration,
    /// How often they came, identical.
    pub times: u32,
}

/// A reservation order.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// Douyin's number.
    pub id: String,
    /// The voucher order it was made from.
    pub voucher_id: String,
    /// The day of the visit.
    pub visit_date: NaiveDate,
    /// Who comes.
    pub visitors: Vec<Visitor>,
    /// Which generation of calls is spoken about it.
    pub generation: Generation,
    /// State.
    pub state: ReservationState,
    /// The bridge's number, once it said one.
    pub out_id: Option<String>,
    /// The answer accepted later, by order/confirm.
    pub asynchronous: bool,
    /// What order/confirm said.
    pub confirmed: Option<i64>,
    /// When the first issue call was sent, stated time since the start.
    pub ticketing_since: Option<Duration>,
    /// Whether the ten minutes are over without codes.
    pub expired: bool,
    /// What codes must look like.
    pub terms: Terms,
    /// The codes.
    pub codes: Option<Codes>,
    /// The redemption, once reported.
    pub redeemed: Option<Redemption>,
    /// Keys of its refund applications, in order.
    pub refunds: Vec<String>,
}

/// An accepted report of use.
#[derive(Clone, Debug)]
pub struct Redemption {
    /// The bridge's token for it.
    pub verify_token: String,
    /// The time it gave, seconds since 1970.
    pub verify_time_s: Option<i64>,
    /// The answer that every repeat gets.
    pub answer: Value,
    /// How often it was reported.
    pub times: u32,
}

/// What a refund application asks for (`after_sale_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSale {
    /// Money back.
    Refund = 1,
    /// The reservation off; the voucher lives on.
    CancelReservation = 2,
    /// Money back and nothing else.
    MoneyOnly = 3,
}

/// Where a refund application stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// No decision yet.
    Waiting,
    /// The bridge agreed.
    Accepted,
    /// The bridge refused.
    Rejected,
    /// Nobody decided in time; Douyin did.
    TimedOut,
}

/// A refund application.
#[derive(Clone, Debug)]
pub struct Refund {
    /// `biz_uniq_key`.
    pub key: String,
    /// The reservation (or voucher) it is about.
    pub order_id: String,
    /// `apply_source`.
    pub source: i64,
    /// `after_sale_type`.
    pub kind: AfterSale,
    /// Douyin's fee, fen.
    pub fee: i64,
    /// When it was asked for, seconds since 1970.
    pub applied_at_s: i64,
    /// When it was decided, seconds since 1970.
    pub decided_at_s: Option<i64>,
    /// State.
    pub state: RefundState,
    /// Everything that follows from it was told to the bridge.
    pub settled: bool,
}

/// Which way a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Douyin called the bridge.
    ToBridge,
    /// The bridge called Douyin.
    FromBridge,
}

/// One call, whole.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// When it began, real time since the start.
    pub at: Duration,
    /// Which way it went.
    pub direction: Direction,
    /// The wire's name.
    pub call: String,
    /// The order in it.
    pub order_id: Option<String>,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The query of the URL.
    pub query: String,
    /// Headers of the request.
    pub headers: Vec<(String, String)>,
    /// Body of the request.
    pub body: Value,
    /// HTTP status of the answer; 0 when there was none.
    pub status: u16,
    /// Body of the answer.
    pub answer: Value,
}

/// Which rule the bridge broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// An answer that cannot be read.
    MalformedAnswer,
    /// A number written as text.
    StringNumber,
    /// Two answers to the same message differ.
    AnswersDiffer,
    /// The bridge's own number of an order changed.
    OutIdChanged,
    /// Codes break a rule of 7.4.
    BadVouchers,
    /// Other codes than before.
    ContradictoryCodes,
    /// Another decision than before.
    ContradictoryDecision,
    /// A decision on something that was never asked.
    Uncalled,
    /// A fee above Douyin's.
    FeeTooHigh,
    /// A rejection of a 301 application without codes.
    RejectionWithoutVouchers,
    /// Use reported before the day.
    VerifyTooEarly,
    /// Use reported while a refund is pending.
    VerifyDuringRefund,
    /// Use reported for a voucher order.
    VerifyVoucherOrder,
    /// Use reported for a part.
    VerifyPartial,
    /// Use reported after a rejected refund without a time before the application.
    VerifyTime,
    /// Use reported of an order that is cancelled or refunded.
    VerifyCancelled,
    /// More online decryption than the quota allows.
    DecryptQuota,
}

/// A rule that the bridge broke.
#[derive(Clone, Debug)]
pub struct Violation {
    /// When, real time since the start.
    pub at: Duration,
    /// Which rule.
    pub rule: Rule,
    /// The order.
    pub order_id: String,
    /// What happened.
    pub sentence: String,
}

/// The books.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Voucher orders by number.
    pub vouchers: BTreeMap<String, Voucher>,
    /// Reservation orders by number.
    pub reservations: BTreeMap<String, Reservation>,
    /// Refund applications by key.
    pub refunds: BTreeMap<String, Refund>,
    /// Every call, both ways.
    pub calls: Vec<CallRecord>,
    /// Every broken rule.
    pub violations: Vec<Violation>,
    /// Units of online decryption used.
    pub decrypted: u32,
}

impl Books {
    /// The voucher order behind a number: itself, or that of the reservation.
    pub fn sale_of(&self, order_id: &str) -> Option<String> {
        if self.vouchers.contains_key(order_id) {
            return Some(order_id.to_owned());
        }
        self.reservations.get(order_id).map(|r| r.voucher_id.clone())
    }

    /// The undecided refund application about an order.
    pub fn waiting_refund(&self, order_id: &str) -> Option<&Refund> {
        self.refunds.values().find(|r| r.order_id == order_id && r.state == RefundState::Waiting)
    }

    /// The last refund application about an order.
    pub fn last_refund(&self, order_id: &str) -> Option<&Refund> {
        let key = self.reservations.get(order_id).and_then(|r| r.refunds.last())?;
        self.refunds.get(key)
    }

    /// Calls of this name about this order, both ways.
    pub fn calls_about<'b>(&'b self, call: &'b str, order_id: &'b str) -> impl Iterator<Item = &'b CallRecord> {
        self.calls.iter().filter(move |c| c.call == call && c.order_id.as_deref() == Some(order_id))
    }

    /// Rules broken about this order.
    pub fn violations_about<'b>(&'b self, order_id: &'b str) -> impl Iterator<Item = &'b Violation> {
        self.violations.iter().filter(move |v| v.order_id == order_id)
    }
}
