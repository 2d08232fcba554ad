// SPDX-License-Identifier: Apache-2.0

//! What is sold, under which rules: the validated form of `config/products/*.toml`, and the snapshot that an order keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{BackendId, ProductCode};
use crate::personal::DocumentType;
use crate::time::{Date, Millis, TimeZone};
use crate::variant::Start;

/// An ISO 4217 code, upper case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Currency(pub String);

/// A range of dates, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DateRange {
    /// First date.
    pub from: Date,
    /// Last date.
    pub to: Date,
}
impl DateRange {
    /// Whether `date` is inside.
    pub fn contains(self, date: Date) -> bool {
        self.from <= date && date <= self.to
    }
}

/// A group-buy voucher: sold first, its visit date chosen later.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VoucherProduct {
    /// Left of the bar in the channel's product id.
    pub code: ProductCode,
    /// Name for people.
    pub name: String,
    /// Price of one unit in the currency's minor unit.
    pub price: i64,
    /// Currency of `price`.
    pub currency: Currency,
    /// Units for sale; `None` is unlimited.
    pub stock: Option<u32>,
    /// Visit dates that can be booked with it; `None` leaves it to the booking product.
    pub booking_window: Option<DateRange>,
    /// Units in one order.
    pub max_per_order: Option<u32>,
    /// The one booking product bound to it.
    pub booking_product: ProductCode,
    /// Units that one phone may buy over the product's life.
    pub per_phone: Option<u32>,
}

/// Where tickets come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Ticketing {
    /// A back-end issues them for its own `product`.
    Backend {
        /// Which back-end.
        backend: BackendId,
        /// The product's name there.
        product: String,
        /// What else that back-end has to know of it.
        #[serde(default, skip_serializing_if = "BackendTerms::is_plain")]
        terms: BackendTerms,
    },
    /// They are drawn from a pool of codes loaded by ops; the pool is a back-end of its own.
    CodePool {
        /// Which pool.
        pool: BackendId,
    },
    /// None are needed: the visitors' documents, or the booking's number, admit.
    None,
}

impl Ticketing {
    /// Who issues, if anybody: a pool of codes is a back-end of its own.
    pub fn issuer(&self) -> Option<&BackendId> {
        match self {
            Ticketing::Backend { backend, .. } => Some(backend),
            Ticketing::CodePool { pool } => Some(pool),
            Ticketing::None => None,
        }
    }
}

/// How a booking of ours becomes one of a back-end that sells options, kinds of units and times of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendTerms {
    /// The option of the product; `None` is its default one.
    pub option: Option<String>,
    /// Kinds of guests, and the unit that each of them is there. Without a kind the only entry applies.
    pub units: BTreeMap<String, String>,
    /// Which time of the day is meant.
    pub slot: Slot,
    /// When a booking of several units counts as used.
    pub redeem_when: RedeemWhen,
}

impl BackendTerms {
    /// Whether nothing beside the product's name is said.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Which of the times that a back-end offers on a day is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// There is only one; more are a mistake of the configuration.
    #[default]
    Only,
    /// The earliest that has room.
    First,
    /// The one that begins at this local time, `HH:MM`.
    At(String),
    /// The one that begins at the time that the channel names.
    Channel,
}

/// When a booking of several units counts as used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedeemWhen {
    /// When all of them are.
    #[default]
    All,
    /// When the first one is.
    Any,
}

/// Who confirms a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmation {
    /// The rules alone.
    Auto,
    /// A person.
    Manual,
}

/// Whose details a booking needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestsWho {
    /// One guest for the order.
    One,
    /// Every visitor.
    Each,
}

/// A field of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestField {
    /// Full name.
    Name,
    /// Phone number.
    Phone,
    /// Identity document.
    Document,
}

/// Which guest details a booking needs (DY-08).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GuestRule {
    /// One guest, or each.
    pub who: GuestsWho,
    /// Fields that must be there.
    pub fields: Vec<GuestField>,
    /// Documents that are accepted.
    pub documents: Vec<DocumentType>,
}

/// Until when a visit can be booked: until `before_minute` of the day `days` before it (DY-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AdvanceRule {
    /// Whole days before the visit date.
    pub days: u32,
    /// Minute of that day, 0…1440, exclusive.
    pub before_minute: u32,
}

/// Until when a guest may cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cancellation {
    /// Not at all.
    Never,
    /// Until `at_minute` of the day `days_before` the visit date, exclusive.
    Until {
        /// Whole days before the visit date.
        days_before: u32,
        /// Minute of that day, 0…1440.
        at_minute: u32,
    },
    /// Any time before use, also after the date.
    Anytime,
}

/// What a refund costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fee {
    /// A share of the order's amount, in ten-thousandths.
    Share(u32),
    /// A fixed amount for the order, in minor units.
    Amount(i64),
}

/// One step of the fee ladder: at least `before_visit` before 24:00 of the visit day, the fee is `fee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FeeTier {
    /// Time before 24:00 of the visit day.
    pub before_visit: Millis,
    /// What the refund then costs.
    pub fee: Fee,
}

/// What to do when the channel asks for a refund because tickets were late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverduePolicy {
    /// A person decides.
    Manual,
    /// Hand the codes over with the rejection when they exist; approve when they cannot exist any more.
    Reissue,
    /// Cancel at the back-end and approve.
    Approve,
}

/// A sex, as read from a resident ID card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// Even sequence digit.
    Female,
    /// Odd sequence digit.
    Male,
}

/// Limits on who may book (DY-09).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BookingLimits {
    /// Units of live bookings for one phone.
    pub per_phone: Option<u32>,
    /// Live bookings for one document.
    pub per_document: Option<u32>,
    /// Youngest age in full years on the visit date.
    pub min_age: Option<u32>,
    /// Oldest age in full years on the visit date.
    pub max_age: Option<u32>,
    /// Only this sex.
    pub sex: Option<Sex>,
}

/// Who knows how many units a date has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StockFrom {
    /// The calendar of the configuration.
    #[default]
    Calendar,
    /// The back-end, which is asked again and again; the calendar's figure until it has answered.
    Backend,
}

/// Days that can be visited, with stock and price.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CalendarRange {
    /// The dates.
    pub range: DateRange,
    /// Weekdays inside them, Monday being 0; all seven when everything is open.
    pub weekdays: Vec<u8>,
    /// Units for each date; `None` is unlimited.
    pub stock: Option<u32>,
    /// Price of one unit on these dates, minor units.
    pub price: Option<i64>,
}

/// The visit behind a voucher: dates, guests, ticketing, refund.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BookingProduct {
    /// Right of the bar in the channel's product id.
    pub code: ProductCode,
    /// Name for people.
    pub name: String,
    /// When its visits begin, where it is sold by start times: its code ends with that time then (`crate::variant`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// People that one unit admits.
    pub visitors_per_unit: u32,
    /// Who confirms a booking.
    pub confirm: Confirmation,
    /// Where tickets come from.
    pub ticketing: Ticketing,
    /// Time from confirmation until tickets must exist.
    pub ticketing_deadline: Millis,
    /// How long before that deadline ops are warned.
    pub ticketing_warn_before: Millis,
    /// Days after the visit date on which the tickets still admit (DY-12).
    pub valid_days_after: u32,
    /// Which guest details are needed.
    pub guests: GuestRule,
    /// Until when a visit can be booked.
    pub advance: Option<AdvanceRule>,
    /// Until when it can be cancelled.
    pub cancellation: Cancellation,
    /// Fee ladder, longest time first; `None`: a person decides.
    pub refund_rule: Option<Vec<FeeTier>>,
    /// Who may book.
    pub limits: BookingLimits,
    /// When it can be visited.
    pub calendar: Vec<CalendarRange>,
    /// Answer to the channel's refund request for late tickets.
    pub overdue_policy: OverduePolicy,
    /// Who knows how many units a date has.
    #[serde(default)]
    pub stock_from: StockFrom,
}

impl BookingProduct {
    /// The calendar entry that opens `date`.
    pub fn calendar_on(&self, date: Date) -> Option<&CalendarRange> {
        self.calendar.iter().find(|c| c.range.contains(date) && c.weekdays.contains(&date.weekday()))
    }
    /// The start time of its visits, `HH:MM`, where it has one.
    pub fn clock(&self) -> Option<String> {
        self.start.map(Start::clock)
    }
}

/// How a channel learns that a booking is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acceptance {
    /// In the answer to its request.
    Sync,
    /// By a later call of ours.
    Async,
}

/// How tickets reach the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketDelivery {
    /// The channel asks for them; they go into the answer, or follow by a call of ours.
    OnRequest,
    /// The channel does not carry tickets.
    NotCarried,
}

/// What the order's channel demands, as far as the machine must know.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChannelRules {
    /// Zone in which its dates are read.
    pub time_zone: TimeZone,
    /// How it learns of confirmation.
    pub acceptance: Acceptance,
    /// Time for an asynchronous acceptance (`adapters/douyin/README.md`).
    pub acceptance_limit: Millis,
    /// How tickets reach it.
    pub tickets: TicketDelivery,
    /// Time for the decision on a refund, after which it refunds by itself (DY-16).
    pub review_limit: Millis,
    /// Warnings before that limit, longest first; each warns once.
    pub review_warn_before: Vec<Millis>,
    /// Whether its price must equal ours (DY-03).
    pub price_check: bool,
    /// Whether it wants to be told of a redemption.
    pub redemption_reported: bool,
    /// Whether it gives back what it has kept of a booking that is cancelled.
    #[serde(default = "gives_back", skip_serializing_if = "is_so")]
    pub returns_what_it_kept: bool,
    /// How it learns what became of its orders.
    #[serde(default, skip_serializing_if = "News::is_by_calls")]
    pub news: News,
}

/// Channels do, unless they say otherwise.
fn gives_back() -> bool {
    true
}

fn is_so(it: &bool) -> bool {
    *it
}

/// How a channel learns what became of its orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// By calls of ours.
    #[default]
    ByCalls,
    /// It asks, and is sent nothing. Nobody tells us of money that went back there: it has, once we said that it may.
    WhenAsked,
}

impl News {
    /// Whether it is called.
    pub fn is_by_calls(&self) -> bool {
        *self == News::ByCalls
    }
}

/// The rules an order was placed under; they never change for it (DY-18).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuleSnapshot {
    /// Version of the configuration it was taken from.
    pub config_version: u64,
    /// The voucher, for a voucher order.
    pub voucher: Option<VoucherProduct>,
    /// The visit.
    pub booking: BookingProduct,
    /// The channel.
    pub channel: ChannelRules,
}
