// SPDX-License-Identifier: Apache-2.0

//! A booking as the marketplace tells it, read field by field and checked.

use ticketbridge_core::limits::{AMOUNT_MAX, QUANTITY_MAX};
use ticketbridge_core::port::DecodeError;
use ticketbridge_core::time::{Date, UnixMillis};

use crate::fat_events::cancels::{Cancel, check_returned};
use crate::fat_events::read::{At, MISMATCH, real_phone};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Received,
    Completed,
    CancelRequested,
    Canceled,
    Departed,
}

pub(super) const STATUSES: &[(&str, Status)] = &[
    ("RECEIVED", Status::Received),
    ("COMPLETED", Status::Completed),
    ("CANCEL_REQUESTED", Status::CancelRequested),
    ("CANCELED", Status::Canceled),
    ("DEPARTED", Status::Departed),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PaymentKind {
    Full,
    Link,
    Partial,
}

pub(super) const PAYMENT_KINDS: &[(&str, PaymentKind)] =
    &[("FULL", PaymentKind::Full), ("LINK", PaymentKind::Link), ("PARTIAL", PaymentKind::Partial)];
/// Whether the agency takes the money itself.
pub(super) const OWNERS: &[(&str, bool)] = &[("TRIP", false), ("AGENCY", true)];
/// What a payment is for.
pub(super) const PURPOSES: &[(&str, &str)] = &[("FULL", "FULL"), ("DEPOSIT", "DEPOSIT"), ("BALANCE", "BALANCE")];

impl PaymentKind {
    /// The marketplace's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            PaymentKind::Full => "FULL",
            PaymentKind::Link => "LINK",
            PaymentKind::Partial => "PARTIAL",
        }
    }
}

pub(super) struct Payment {
    pub(super) id: String,
    pub(super) purpose: String,
    pub(super) amount: i64,
    pub(super) approved_at: UnixMillis,
    pub(super) link: Option<String>,
    pub(super) cancels: Vec<Cancel>,
}

pub(super) struct Booking {
    pub(super) number: String,
    pub(super) agency_number: Option<String>,
    pub(super) agency: String,
    pub(super) product: String,
    pub(super) event: String,
    pub(super) status: Status,
    pub(super) by_agency: bool,
    pub(super) kind: Option<PaymentKind>,
    pub(super) departure: Date,
    pub(super) back: Option<Date>,
    pub(super) travellers: [u32; 3],
    pub(super) booker_name: Option<String>,
    /// Only where it is a real one: a masked number is nobody's key.
    pub(super) booker_phone: Option<String>,
    pub(super) total: i64,
    pub(super) discount: i64,
    pub(super) paid: i64,
    pub(super) outstanding: i64,
    pub(super) deposit: Option<i64>,
    pub(super) balance_due: Option<Date>,
    pub(super) coupon: Option<String>,
    pub(super) payments: Vec<Payment>,
    pub(super) booked_at: UnixMillis,
}

impl Booking {
    /// Reads a booking and checks it. Paths of errors begin inside the booking.
    pub(super) fn read(at: &At<'_>) -> Result<Self, DecodeError> {
        let at = at.object()?.renamed();
        let (amounts, booker) = (at.field("amounts").object()?, at.field("booker").object()?);
        let travellers = at.field("travellers").object()?;
        let count = |name: &str| match travellers.field(name) {
            field if field.is_there() => field.count(QUANTITY_MAX),
            _ => Ok(0),
        };
        let kind = at.field("payment_kind");
        let departure = at.field("departure_date");
        let read = Self {
            number: at.field("booking_no").id()?,
            agency_number: at.field("agency_booking_no").maybe_id()?,
            agency: at.field("agency_code").id()?,
            product: at.field("product_code").id()?,
            event: at.field("event_code").id()?,
            status: at.field("status").word(STATUSES)?,
            by_agency: at.field("payment_owner").word(OWNERS)?,
            kind: if kind.is_there() { Some(kind.word(PAYMENT_KINDS)?) } else { None },
            departure: departure.maybe_date()?.ok_or_else(|| departure.wrong("is missing"))?,
            back: at.field("return_date").maybe_date()?,
            travellers: [count("adult")?, count("child")?, count("infant")?],
            booker_name: booker.field("name").maybe_text()?,
            booker_phone: real_phone(&booker)?,
            total: amounts.field("total_sale_krw").amount()?,
            discount: amounts.field("discount_krw").amount()?,
            paid: amounts.field("paid_krw").amount()?,
            outstanding: amounts.field("outstanding_krw").amount()?,
            deposit: amounts.field("deposit_krw").maybe_amount()?,
            balance_due: at.field("balance_due_date").maybe_date()?,
            coupon: at.field("coupon").field("coupon_id").maybe_text()?,
            payments: at.field("payments").list()?.iter().map(payment).collect::<Result<_, _>>()?,
            booked_at: at.field("booked_at").instant()?,
        };
        read.check(&at, &amounts)?;
        Ok(read)
    }

    fn check(&self, at: &At<'_>, amounts: &At<'_>) -> Result<(), DecodeError> {
        let coupon = at.field("coupon");
        if self.by_agency && (!self.payments.is_empty() || coupon.is_there()) {
            return Err(at.field("payments").wrong("must be empty for AGENCY, and there can be no coupon"));
        }
        if self.by_agency != self.kind.is_none() {
            return Err(at.field("payment_kind").wrong("must be null for AGENCY, and only then"));
        }
        if coupon.is_there() {
            if self.kind != Some(PaymentKind::Full) {
                return Err(coupon.wrong("needs full payment").coded("coupon_needs_full_payment"));
            }
            if coupon.field("amount_krw").amount()? > self.discount {
                return Err(coupon.field("amount_krw").wrong("must not be more than discount_krw").coded(MISMATCH));
            }
        }
        if self.discount > self.total {
            return Err(amounts.field("discount_krw").mismatch("must not be more than total_sale_krw"));
        }
        if self.kind == Some(PaymentKind::Full)
            && (self.payments.len() > 1 || self.payments.iter().any(|payment| payment.purpose != "FULL"))
        {
            return Err(at.field("payments").wrong("must be one at most for FULL, with the purpose FULL"));
        }
        if !(1..=QUANTITY_MAX).contains(&self.travellers.iter().sum::<u32>()) {
            return Err(at.field("travellers").wrong(format!("must be 1 to {QUANTITY_MAX} together")));
        }
        let paid: i128 = self.payments.iter().map(|payment| i128::from(payment.amount)).sum();
        if paid > i128::from(AMOUNT_MAX) {
            return Err(at.field("payments").mismatch("are together more than an amount can be"));
        }
        Ok(())
    }
}

/// Reads one payment.
pub(super) fn payment(at: &At<'_>) -> Result<Payment, DecodeError> {
    let read = Payment {
        id: at.field("payment_id").id()?,
        purpose: at.field("purpose").word(PURPOSES)?.to_owned(),
        amount: at.field("amount_krw").amount()?,
        approved_at: at.field("approved_at").instant()?,
        link: at.field("link_id").maybe_id()?,
        cancels: at.field("cancels").list()?.iter().map(Cancel::read).collect::<Result<_, _>>()?,
    };
    check_returned(&at.field("cancels"), &read.cancels)?;
    Ok(read)
}
