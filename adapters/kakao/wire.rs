// SPDX-License-Identifier: Apache-2.0

//! A reservation as the platform tells it, read field by field and checked sum by sum.

use std::collections::BTreeSet;

use ticketbridge_core::limits::QUANTITY_MAX;
use ticketbridge_core::order::money::EntryStatus;
use ticketbridge_core::port::DecodeError;
use ticketbridge_core::rules::cancel_policy::{PolicyTier, UnusedAction};
use ticketbridge_core::time::{Date, UnixMillis};

use crate::fat_events::cancels::{Cancel, check_returned};
use crate::fat_events::read::{At, real_phone};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Requested,
    Confirmed,
    Canceled,
    Used,
    NoShow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CancelKind {
    Rejected,
    ByBooker,
    ByPartner,
    ByPlatform,
    AutoUnused,
}

pub(super) const STATUSES: &[(&str, Status)] = &[
    ("REQUESTED", Status::Requested),
    ("CONFIRMED", Status::Confirmed),
    ("CANCELED", Status::Canceled),
    ("USED", Status::Used),
    ("NO_SHOW", Status::NoShow),
];
pub(super) const CANCEL_KINDS: &[(&str, CancelKind)] = &[
    ("REJECTED", CancelKind::Rejected),
    ("BY_BOOKER", CancelKind::ByBooker),
    ("BY_PARTNER", CancelKind::ByPartner),
    ("BY_PLATFORM", CancelKind::ByPlatform),
    ("AUTO_UNUSED", CancelKind::AutoUnused),
];

/// Whether a manager decides.
pub(super) const CONFIRM_MODES: &[(&str, bool)] = &[("AUTO", false), ("MANAGER", true)];
/// Whether it is paid nowhere.
pub(super) const PAYMENT_MODES: &[(&str, bool)] = &[("PAY_WITH_BOOKING", false), ("BOOKING_ONLY", true)];
pub(super) const UNUSED_ACTIONS: &[(&str, UnusedAction)] = &[
    ("AUTO_USE_NEXT_DAY", UnusedAction::UseNextDay),
    ("AUTO_CANCEL_REFUND", UnusedAction::CancelAndRefund),
    ("NONE", UnusedAction::Nothing),
];

/// How the end of free cancellation is written.
#[derive(Clone, Copy)]
pub(super) enum DeadlineKind {
    Fixed,
    Relative,
    None,
}
pub(super) const DEADLINES: &[(&str, DeadlineKind)] =
    &[("FIXED", DeadlineKind::Fixed), ("RELATIVE", DeadlineKind::Relative), ("NONE", DeadlineKind::None)];
/// Ten-thousandths of everything.
pub(super) const RATE_MAX: u32 = 10_000;
pub(super) const DAYS_BEFORE_MAX: u32 = 3_650;
pub(super) const FREE_MINUTES_MAX: u32 = 1_000_000;

pub(super) struct Line {
    pub(super) detail: String,
    pub(super) label: String,
    pub(super) price: Option<String>,
    pub(super) quantity: u32,
    pub(super) amount: i64,
    pub(super) cancelled: u32,
    pub(super) used: u32,
}

pub(super) struct Payment {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) approved_at: UnixMillis,
    pub(super) left: i64,
    pub(super) cancels: Vec<Cancel>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    None,
    Fixed(UnixMillis),
    Relative { days_before: u32, minute: u32 },
}

pub(super) struct Policy {
    pub(super) cancelable: bool,
    pub(super) deadline: Deadline,
    pub(super) resolved_until: Option<UnixMillis>,
    pub(super) free_minutes: u32,
    pub(super) tiers: Vec<PolicyTier>,
    pub(super) unused: UnusedAction,
    pub(super) partial_allowed: bool,
}

pub(super) struct Reservation {
    pub(super) number: String,
    pub(super) status: Status,
    pub(super) cancel_kind: Option<CancelKind>,
    pub(super) ex_officio: bool,
    pub(super) by_manager: bool,
    pub(super) booking_only: bool,
    pub(super) booked_at: UnixMillis,
    pub(super) product: String,
    pub(super) product_name: String,
    pub(super) use_from: Option<UnixMillis>,
    pub(super) use_to: Option<UnixMillis>,
    pub(super) use_date: Option<Date>,
    pub(super) valid_until: Option<UnixMillis>,
    pub(super) booker_name: Option<String>,
    /// Only where it is a real one: a masked number is nobody's key.
    pub(super) booker_phone: Option<String>,
    pub(super) lines: Vec<Line>,
    pub(super) gross: i64,
    pub(super) discount: i64,
    pub(super) onsite: i64,
    pub(super) net: i64,
    pub(super) paid: i64,
    pub(super) refunded: i64,
    pub(super) fee: i64,
    pub(super) payments: Vec<Payment>,
    pub(super) policy: Policy,
}

impl Reservation {
    /// Reads a reservation and checks its sums. Paths of errors begin inside the reservation.
    pub(super) fn read(at: &At<'_>) -> Result<Self, DecodeError> {
        let at = at.object()?.renamed();
        let (product, visit, booker) =
            (at.field("product").object()?, at.field("use").object()?, at.field("booker").object()?);
        let amounts = at.field("amounts").object()?;
        let lines: Vec<Line> = at.field("lines").list()?.iter().map(line).collect::<Result<_, _>>()?;
        if lines.is_empty() {
            return Err(at.field("lines").wrong("must have at least one line"));
        }
        let payments: Vec<Payment> = at.field("payments").list()?.iter().map(payment).collect::<Result<_, _>>()?;
        let cancel_kind = at.field("cancel_kind");
        let read = Self {
            number: at.field("reservation_no").id()?,
            status: at.field("status").word(STATUSES)?,
            cancel_kind: if cancel_kind.is_there() { Some(cancel_kind.word(CANCEL_KINDS)?) } else { None },
            ex_officio: at.field("ex_officio").flag()?,
            by_manager: at.field("confirm_mode").word(CONFIRM_MODES)?,
            booking_only: at.field("payment_mode").word(PAYMENT_MODES)?,
            booked_at: at.field("booked_at").instant()?,
            product: product.field("product_id").id()?,
            product_name: product.field("name").maybe_text()?.unwrap_or_default(),
            use_from: visit.field("from").maybe_instant()?,
            use_to: visit.field("to").maybe_instant()?,
            use_date: visit.field("date").maybe_date()?,
            valid_until: visit.field("valid_until").maybe_instant()?,
            booker_name: booker.field("name").maybe_text()?,
            booker_phone: real_phone(&booker)?,
            lines,
            gross: amounts.field("gross_krw").amount()?,
            discount: amounts.field("discount_krw").amount()?,
            onsite: amounts.field("onsite_krw").maybe_amount()?.unwrap_or(0),
            net: amounts.field("net_krw").amount()?,
            paid: amounts.field("paid_krw").amount()?,
            refunded: amounts.field("refunded_krw").amount()?,
            fee: amounts.field("fee_krw").amount()?,
            payments,
            policy: policy(&at.field("cancel_policy").object()?)?,
        };
        read.check(&at, &amounts)?;
        Ok(read)
    }

    fn check(&self, at: &At<'_>, amounts: &At<'_>) -> Result<(), DecodeError> {
        let sum: i128 = self.lines.iter().map(|line| i128::from(line.amount)).sum();
        if sum != i128::from(self.gross) {
            return Err(amounts.field("gross_krw").mismatch("must be the sum of the lines' amount_krw"));
        }
        if self.gross - self.discount != self.net {
            return Err(amounts.field("net_krw").mismatch("must be gross_krw less discount_krw"));
        }
        if self.paid > self.net {
            return Err(amounts.field("paid_krw").mismatch("must not be more than net_krw"));
        }
        let is_done = |cancel: &&Cancel| cancel.status == EntryStatus::Done;
        let cancels = self.payments.iter().flat_map(|payment| &payment.cancels);
        let movements: i128 = cancels.filter(is_done).map(|cancel| i128::from(cancel.amount)).sum();
        // More than was paid that movements bear out is a fact, and a person settles it; a bare count is a mistake in the message.
        if self.refunded > self.paid && i128::from(self.refunded) > movements {
            return Err(amounts.field("refunded_krw").mismatch("must not be more than paid_krw"));
        }
        if self.booking_only && (!self.payments.is_empty() || self.paid > 0) {
            return Err(at.field("payments").mismatch("must be empty for BOOKING_ONLY, and paid_krw 0"));
        }
        let paid: i128 = self.payments.iter().map(|payment| i128::from(payment.amount)).sum();
        if paid != i128::from(self.paid) {
            return Err(amounts.field("paid_krw").mismatch("must be the sum of the payments"));
        }
        if self.use_from.zip(self.use_to).is_some_and(|(from, to)| to < from) {
            return Err(at.field("use").field("to").wrong("must not be before use.from"));
        }
        let mut details = BTreeSet::new();
        if let Some(twice) = self.lines.iter().find(|line| !details.insert(&line.detail)) {
            return Err(at.field("lines").wrong(format!("name the detail {} twice", twice.detail)));
        }
        if !(1..=QUANTITY_MAX).contains(&self.lines.iter().map(|line| line.quantity).sum::<u32>()) {
            return Err(at.field("lines").wrong(format!("must have 1 to {QUANTITY_MAX} units together")));
        }
        if (self.status == Status::Canceled) != self.cancel_kind.is_some() {
            return Err(at.field("cancel_kind").wrong("must be set for CANCELED, and only then"));
        }
        Ok(())
    }
}

fn line(at: &At<'_>) -> Result<Line, DecodeError> {
    let read = Line {
        detail: at.field("detail_no").id()?,
        label: at.field("label").maybe_text()?.unwrap_or_default(),
        // Only to notice that it becomes another one: a message is not refused for it.
        price: at.field("price_id").maybe_text().ok().flatten(),
        quantity: at.field("quantity").count(QUANTITY_MAX)?,
        amount: at.field("amount_krw").amount()?,
        cancelled: at.field("canceled_quantity").count(QUANTITY_MAX)?,
        used: at.field("used_quantity").count(QUANTITY_MAX)?,
    };
    let unit = at.field("unit_price_krw").amount()?;
    if i128::from(unit) * i128::from(read.quantity) != i128::from(read.amount) {
        return Err(at.field("amount_krw").mismatch("must be quantity times unit_price_krw"));
    }
    if read.cancelled + read.used > read.quantity {
        return Err(at.field("used_quantity").mismatch("and canceled_quantity together are more than quantity"));
    }
    Ok(read)
}

fn payment(at: &At<'_>) -> Result<Payment, DecodeError> {
    let read = Payment {
        id: at.field("payment_id").id()?,
        amount: at.field("amount_krw").positive()?,
        approved_at: at.field("approved_at").instant()?,
        left: at.field("cancelable_krw").amount()?,
        cancels: at.field("cancels").list()?.iter().map(Cancel::read).collect::<Result<_, _>>()?,
    };
    if read.left > read.amount {
        return Err(at.field("cancelable_krw").mismatch("must not be more than amount_krw"));
    }
    check_returned(&at.field("cancels"), &read.cancels)?;
    Ok(read)
}

fn policy(at: &At<'_>) -> Result<Policy, DecodeError> {
    let deadline = at.field("deadline").object()?;
    let kind = deadline.field("kind").word(DEADLINES)?;
    let fixed = match kind {
        DeadlineKind::None => Deadline::None,
        DeadlineKind::Fixed => Deadline::Fixed(deadline.field("fixed_until").instant()?),
        DeadlineKind::Relative => Deadline::Relative {
            days_before: deadline.field("days_before").count(DAYS_BEFORE_MAX)?,
            minute: minute(&deadline.field("at_time"))?,
        },
    };
    let tier = |at: &At<'_>| -> Result<PolicyTier, DecodeError> {
        Ok(PolicyTier { until: at.field("until").instant()?, rate_bp: at.field("fee_rate_bp").count(RATE_MAX)? })
    };
    let tiers: Vec<PolicyTier> = at.field("tiers").list()?.iter().map(tier).collect::<Result<_, _>>()?;
    if tiers.windows(2).any(|pair| matches!(pair, [a, b] if a.until >= b.until)) {
        return Err(at.field("tiers").wrong("must be in the order of their times"));
    }
    Ok(Policy {
        cancelable: at.field("cancelable").flag()?,
        deadline: fixed,
        resolved_until: deadline.field("resolved_until").maybe_instant()?,
        free_minutes: match at.field("free_minutes_after_booking") {
            minutes if minutes.is_there() => minutes.count(FREE_MINUTES_MAX)?,
            _ => 0,
        },
        tiers,
        unused: at.field("unused_action").word(UNUSED_ACTIONS)?,
        partial_allowed: at.field("partial_allowed").flag()?,
    })
}

/// `HH:MM`; the end of a day is 00:00 of the next.
fn minute(at: &At<'_>) -> Result<u32, DecodeError> {
    let text = at.text()?;
    let parts = text.split_once(':').and_then(|(h, m)| Some((h.parse::<u32>().ok()?, m.parse::<u32>().ok()?)));
    match parts {
        Some((hour, minute)) if text.len() == 5 && hour < 24 && minute < 60 => Ok(hour * 60 + minute),
        _ => Err(at.wrong("must be HH:MM from 00:00 to 23:59; the end of a day is 00:00 of the next")),
    }
}
