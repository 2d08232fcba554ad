// SPDX-License-Identifier: Apache-2.0

//! A booking in the marketplace's books, and how it is told (`adapters/tripstore/README.md`).

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use crate::platform::money::{self, Payment};
use crate::time::Zone;

/// Days between departure and return.
const TRIP_DAYS: u64 = 4;

/// Where a booking stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Booked; the agency has not completed it.
    Received,
    /// The trip is certain.
    Completed,
    /// The traveller wants out.
    CancelRequested,
    /// Cancelled.
    Canceled,
    /// On the way.
    Departed,
}

impl Status {
    /// Its name on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Status::Received => "RECEIVED",
            Status::Completed => "COMPLETED",
            Status::CancelRequested => "CANCEL_REQUESTED",
            Status::Canceled => "CANCELED",
            Status::Departed => "DEPARTED",
        }
    }
}

/// Who takes the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The marketplace.
    Market,
    /// The agency: the booking is only shown.
    Agency,
}

/// How the marketplace is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// All of it with the booking.
    Full,
    /// By a link that is sent later.
    Link,
    /// A deposit with the booking, the balance later.
    Partial,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Way::Full => "FULL",
            Way::Link => "LINK",
            Way::Partial => "PARTIAL",
        }
    }
}

/// Where a payment link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It can be paid.
    Sent,
    /// It was paid.
    Paid,
    /// It was taken back.
    Revoked,
}

impl LinkState {
    /// Its name on the wire.
    pub fn word(self) -> &'static str {
        match self {
            LinkState::Sent => "SENT",
            LinkState::Paid => "PAID",
            LinkState::Revoked => "REVOKED",
        }
    }
}

/// A payment link.
#[derive(Clone, Debug)]
pub struct Link {
    /// The marketplace's number for it.
    pub id: String,
    /// What it is for: `FULL`, `DEPOSIT`, `BALANCE`.
    pub purpose: &'static str,
    /// What it collects, won.
    pub amount: i64,
    /// Where it stands.
    pub state: LinkState,
}

/// A booking of two adults and a child.
#[derive(Clone, Debug)]
pub struct Booking {
    /// The marketplace's number.
    pub number: String,
    /// The agency's number, once it is known here; it changes.
    pub agency_number: Option<String>,
    /// The bridge's product.
    pub product: String,
    /// Where it stands.
    pub status: Status,
    /// Where it stood when the traveller asked to cancel.
    pub before: Status,
    /// Who takes the money.
    pub owner: Owner,
    /// How.
    pub way: Way,
    /// The day of departure.
    pub departure: NaiveDate,
    /// Price, won.
    pub total: i64,
    /// Deposit that is asked for, won.
    pub deposit: i64,
    /// What was kept when it was cancelled, won.
    pub fee: i64,
    /// What was paid.
    pub payments: Vec<Payment>,
    /// Payment links, oldest first.
    pub links: Vec<Link>,
    /// The traveller's name; invented.
    pub name: String,
    /// The traveller's phone; invented.
    pub phone: String,
    /// When it was made, milliseconds since 1970.
    pub booked_at_ms: i64,
}

impl Booking {
    /// The departure's own number, which the agency knows.
    pub fn event_code(&self) -> String {
        format!("{}-{}", self.product, self.departure.format("%y%m%d"))
    }
    /// What was paid and has not gone back, won.
    pub fn held(&self) -> i64 {
        money::paid(&self.payments) - money::returned(&self.payments)
    }
    /// What is still to be paid, won; negative when too much was.
    pub fn open(&self) -> i64 {
        self.total - self.held()
    }
    /// The name that the guide has for where it stands: what is fully paid comes first.
    pub fn label(&self) -> String {
        let name = match self.status {
            Status::Received => "예약접수",
            Status::CancelRequested => "취소요청",
            Status::Canceled => "예약취소",
            Status::Departed => "출발완료",
            Status::Completed if self.owner == Owner::Agency => "예약완료",
            Status::Completed if self.open() <= 0 => "예약완료·결제완료",
            Status::Completed if self.held() == 0 => "예약완료·결제대기",
            Status::Completed => "예약완료·결제진행",
        };
        if self.owner == Owner::Agency { format!("{name}·여행사결제") } else { name.to_owned() }
    }

    /// As it is told.
    pub(super) fn told(&self) -> Value {
        let is_ours = self.owner == Owner::Market;
        let payment = |payment: &Payment| {
            json!({
                "payment_id": payment.id, "purpose": payment.by, "amount_krw": payment.amount, "method": "CARD",
                "approved_at": Zone::SEOUL.written(payment.at_ms), "link_id": payment.link, "cancels": payment.told_cancels(),
            })
        };
        let back = self.departure.checked_add_days(Days::new(TRIP_DAYS)).unwrap_or(self.departure);
        let deposit = (is_ours && self.way != Way::Full).then_some(self.deposit);
        json!({
            "booking_no": self.number, "agency_booking_no": self.agency_number, "agency_code": "AG-014",
            "product_code": self.product, "event_code": self.event_code(), "status": self.status.word(),
            "payment_owner": if is_ours { "TRIP" } else { "AGENCY" },
            "payment_kind": is_ours.then(|| self.way.word()),
            "departure_date": self.departure.to_string(), "return_date": back.to_string(),
            "travellers": { "adult": 2, "child": 1, "infant": 0 },
            "booker": { "name": self.name, "phone": self.phone, "masked": false },
            "amounts": {
                "total_sale_krw": self.total, "discount_krw": 0, "paid_krw": self.held(),
                "outstanding_krw": self.open().max(0), "deposit_krw": deposit,
            },
            "balance_due_date": self.departure.to_string(), "coupon": null,
            "payments": self.payments.iter().map(payment).collect::<Vec<_>>(),
            "booked_at": Zone::SEOUL.written(self.booked_at_ms), "updated_at": Zone::SEOUL.written(self.booked_at_ms),
        })
    }
}
