// SPDX-License-Identifier: Apache-2.0

//! A reservation in the platform's books, and how it is told (`adapters/kakao/README.md`).

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::policy::Policy;
use crate::platform::money::{self, Payment};
use crate::time::Zone;

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waits for the partner's decision.
    Requested,
    /// Accepted.
    Confirmed,
    /// Cancelled, in this way.
    Canceled(&'static str),
    /// The guest was there.
    Used,
    /// The guest was not there.
    NoShow,
}

impl Status {
    /// Its name on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Status::Requested => "REQUESTED",
            Status::Confirmed => "CONFIRMED",
            Status::Canceled(_) => "CANCELED",
            Status::Used => "USED",
            Status::NoShow => "NO_SHOW",
        }
    }
    /// Whether the guest has been there, or has not come.
    pub fn is_over(self) -> bool {
        matches!(self, Status::Used | Status::NoShow)
    }
}

/// Who accepts a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// The platform, at once.
    Platform,
    /// A manager of the partner's.
    Manager,
}

/// One line: so many units of one price.
#[derive(Clone, Debug)]
pub struct Line {
    /// The platform's number for it.
    pub detail: &'static str,
    /// Its words for the price.
    pub label: &'static str,
    /// Units.
    pub quantity: i64,
    /// Price of a unit, won.
    pub unit_price: i64,
}

/// What the platform said that cancelling would cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Fee, won.
    pub fee: i64,
    /// What goes back, won.
    pub refund: i64,
}

/// A reservation.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The platform's number.
    pub number: String,
    /// The bridge's product.
    pub product: String,
    /// Who accepts it.
    pub accepts: Accepts,
    /// Where it stands.
    pub status: Status,
    /// When it was made, milliseconds since 1970.
    pub booked_at_ms: i64,
    /// The day of the visit.
    pub visit: NaiveDate,
    /// The lines.
    pub lines: Vec<Line>,
    /// Taken off the sum of the lines, won.
    pub discount: i64,
    /// What was kept when it was cancelled, won.
    pub fee: i64,
    /// What was paid; nothing for a reservation without payment.
    pub payments: Vec<Payment>,
    /// What cancelling costs.
    pub policy: Policy,
    /// The guest's name; invented.
    pub name: String,
    /// The guest's phone; invented.
    pub phone: String,
    /// What the bridge was told last that cancelling would cost.
    pub quote: Option<Quote>,
}

impl Reservation {
    /// Units altogether.
    pub fn units(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }
    /// What is to be paid, won.
    pub fn net(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity * line.unit_price).sum::<i64>() - self.discount
    }
    /// What was paid and has not gone back, won.
    pub fn held(&self) -> i64 {
        money::paid(&self.payments) - money::returned(&self.payments)
    }
    /// What cancelling costs now.
    pub fn quote(&self, now_ms: i64) -> Quote {
        let rate = self.policy.rate_bp(self.booked_at_ms, self.status.is_over(), now_ms);
        let fee = Policy::fee(rate, self.net(), self.held());
        Quote { fee, refund: self.held() - fee }
    }

    /// As it is told.
    pub(super) fn told(&self) -> Value {
        let (is_canceled, is_used) = (matches!(self.status, Status::Canceled(_)), self.status == Status::Used);
        let cancel_kind = match self.status {
            Status::Canceled(kind) => Some(kind),
            _ => None,
        };
        let line = |line: &Line| {
            let none_or_all = |all: bool| if all { line.quantity } else { 0 };
            json!({
                "detail_no": line.detail, "price_id": line.detail, "label": line.label, "quantity": line.quantity,
                "unit_price_krw": line.unit_price, "amount_krw": line.quantity * line.unit_price,
                "canceled_quantity": none_or_all(is_canceled), "used_quantity": none_or_all(is_used),
            })
        };
        let payment = |payment: &Payment| {
            json!({
                "payment_id": payment.id, "method": payment.by, "amount_krw": payment.amount,
                "approved_at": Zone::SEOUL.written(payment.at_ms), "cancelable_krw": payment.left(),
                "cancels": payment.told_cancels(),
            })
        };
        let net = self.net();
        let hour = |hour: i64| Zone::SEOUL.written((Zone::SEOUL.midnight_s(self.visit) + hour * 3_600) * 1_000);
        json!({
            "reservation_no": self.number, "status": self.status.word(), "cancel_kind": cancel_kind, "ex_officio": false,
            "confirm_mode": match self.accepts { Accepts::Platform => "AUTO", Accepts::Manager => "MANAGER" },
            "payment_mode": if self.payments.is_empty() { "BOOKING_ONLY" } else { "PAY_WITH_BOOKING" },
            "booked_at": Zone::SEOUL.written(self.booked_at_ms),
            "product": { "product_id": self.product, "name": "숲속 체험", "type": "DATE_TIME", "category": "LEISURE" },
            "use": { "from": hour(10), "to": hour(12), "date": null, "valid_until": null },
            "booker": { "name": self.name, "phone": self.phone, "masked": false, "user_ref": null },
            "lines": self.lines.iter().map(line).collect::<Vec<_>>(),
            "amounts": {
                "gross_krw": net + self.discount, "discount_krw": self.discount, "net_krw": net, "onsite_krw": 0,
                "paid_krw": money::paid(&self.payments), "refunded_krw": money::returned(&self.payments), "fee_krw": self.fee,
            },
            "payments": self.payments.iter().map(payment).collect::<Vec<_>>(),
            "cancel_policy": self.policy.told(),
        })
    }
}
