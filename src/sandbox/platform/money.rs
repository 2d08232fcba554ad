// SPDX-License-Identifier: Apache-2.0

//! Payments, and what of them went back (`adapters/kakao/README.md`).

use serde_json::{Value, json};

use crate::time::Zone;

/// How a return of money came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelKind {
    /// With the order.
    WithBooking,
    /// Alone; the order stays as it is.
    PaymentOnly,
}

/// Where a return of money stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelStatus {
    /// On its way.
    Pending,
    /// The guest has it.
    Done,
    /// The card company refused it.
    Failed,
    /// The guest has it as credit.
    Credited,
}

impl CancelStatus {
    /// Its name on the wire.
    pub fn word(self) -> &'static str {
        match self {
            CancelStatus::Pending => "PENDING",
            CancelStatus::Done => "DONE",
            CancelStatus::Failed => "FAILED",
            CancelStatus::Credited => "CREDITED",
        }
    }
    fn is_finished(self) -> bool {
        matches!(self, CancelStatus::Done | CancelStatus::Credited)
    }
}

/// Money that goes back.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// Its number.
    pub id: String,
    /// How much, won.
    pub amount: i64,
    /// How it came about.
    pub kind: CancelKind,
    /// Where it stands.
    pub status: CancelStatus,
    /// When it was finished, milliseconds since 1970.
    pub done_at_ms: Option<i64>,
}

impl Cancel {
    /// As it is told.
    pub fn told(&self) -> Value {
        json!({
            "cancel_id": self.id, "amount_krw": self.amount,
            "kind": match self.kind {
                CancelKind::WithBooking => "WITH_BOOKING",
                CancelKind::PaymentOnly => "PAYMENT_ONLY",
            },
            "status": self.status.word(),
            "done_at": self.done_at_ms.map(|at| Zone::SEOUL.written(at)),
        })
    }
}

/// A payment.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Its number.
    pub id: String,
    /// By what, or for what: `KAKAOPAY_CARD`, `DEPOSIT` …
    pub by: &'static str,
    /// How much, won.
    pub amount: i64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// The link that it was made through.
    pub link: Option<String>,
    /// What of it goes back.
    pub cancels: Vec<Cancel>,
}

impl Payment {
    /// What can still go back.
    pub fn left(&self) -> i64 {
        let gone = self.cancels.iter().filter(|cancel| cancel.status != CancelStatus::Failed);
        self.amount - gone.map(|cancel| cancel.amount).sum::<i64>()
    }

    /// What has gone back.
    pub fn returned(&self) -> i64 {
        self.cancels.iter().filter(|cancel| cancel.status.is_finished()).map(|cancel| cancel.amount).sum()
    }

    /// Its cancels as they are told.
    pub fn told_cancels(&self) -> Vec<Value> {
        self.cancels.iter().map(Cancel::told).collect()
    }
}

/// What was paid.
pub fn paid(payments: &[Payment]) -> i64 {
    payments.iter().map(|payment| payment.amount).sum()
}

/// What has gone back.
pub fn returned(payments: &[Payment]) -> i64 {
    payments.iter().map(Payment::returned).sum()
}

/// Finds a cancel by its number.
pub fn find_cancel<'p>(payments: &'p mut [Payment], id: &str) -> Option<&'p mut Cancel> {
    payments.iter_mut().flat_map(|payment| &mut payment.cancels).find(|cancel| cancel.id == id)
}

/// Parts of `amount`, payment by payment, newest first: index and part.
pub fn parts(payments: &[Payment], amount: i64) -> Vec<(usize, i64)> {
    let mut open = amount;
    let mut parts = Vec::new();
    for (index, payment) in payments.iter().enumerate().rev() {
        let part = open.min(payment.left());
        if part > 0 {
            parts.push((index, part));
            open -= part;
        }
    }
    parts
}

/// `amount` goes back with the order, newest payment first; numbers come from `number`. It waits, or is there at once.
pub fn give_back(payments: &mut [Payment], amount: i64, waits: bool, now_ms: i64, mut number: impl FnMut() -> String) {
    for (index, part) in parts(payments, amount) {
        let Some(payment) = payments.get_mut(index) else { continue };
        let status = if waits { CancelStatus::Pending } else { CancelStatus::Done };
        let done_at_ms = (!waits).then_some(now_ms);
        payment.cancels.push(Cancel { id: number(), amount: part, kind: CancelKind::WithBooking, status, done_at_ms });
    }
}

/// Won as people write them: a comma after every three digits from the right.
pub fn with_commas(amount: i64) -> String {
    match amount {
        0..1_000 => amount.to_string(),
        _ => format!("{},{:03}", with_commas(amount / 1_000), amount % 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_goes_back_newest_first_and_what_failed_is_left_again() {
        let payment = |id: &str, amount| Payment {
            id: id.to_owned(),
            by: "CARD",
            amount,
            at_ms: 0,
            link: None,
            cancels: Vec::new(),
        };
        let mut payments = vec![payment("a", 90_000), payment("b", 3_000)];
        give_back(&mut payments, 65_100, true, 7, || "x".to_owned());
        let lefts = |payments: &[Payment]| payments.iter().map(Payment::left).collect::<Vec<_>>();
        assert_eq!((lefts(&payments), returned(&payments), paid(&payments)), (vec![27_900, 0], 0, 93_000));
        for payment in &mut payments {
            payment.cancels[0].status = CancelStatus::Failed;
        }
        assert_eq!(lefts(&payments), [90_000, 3_000]);
        find_cancel(&mut payments, "x").unwrap().status = CancelStatus::Credited;
        assert_eq!((lefts(&payments), returned(&payments)), (vec![27_900, 3_000], 62_100));
        assert_eq!([0, 999, 1_000, 3_180_000].map(with_commas), ["0", "999", "1,000", "3,180,000"]);
        assert_eq!(parts(&payments, 1_000_000), [(1, 3_000), (0, 27_900)], "no more than there is");
    }
}
