// SPDX-License-Identifier: Apache-2.0

//! Money: a ledger of entries, and the payment state derived from it. Nothing sets a payment state.

use serde::{Deserialize, Serialize};

use crate::product::Currency;
use crate::time::UnixMillis;

/// Who holds the guest's money for this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMode {
    /// The channel collects, and tells us each payment.
    Ledger,
    /// Nothing is paid for this booking.
    BookingOnly,
    /// Paid elsewhere; not our business.
    External,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Money received from the guest.
    Charge,
    /// Money returned to the guest.
    Refund,
    /// Money kept when the rest was returned.
    Fee,
}

/// How far an entry has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryStatus {
    /// Expected.
    Pending,
    /// Done; a refund turned into credit counts as done.
    Done,
    /// It did not work and waits for somebody.
    Failed,
}

/// One movement of money; entries with the same `reference` and `kind` are the same movement.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The channel's number for the movement.
    pub reference: String,
    /// What it is.
    pub kind: EntryKind,
    /// How far it is.
    pub status: EntryStatus,
    /// Minor units, zero or more; the direction is in `kind`.
    pub amount: i64,
    /// When it happened.
    pub at: UnixMillis,
}

/// Reference of a refund that is expected, or was told without its number: the first one with a number replaces it.
pub const PRESUMED: &str = "presumed";

/// Movements that we asked for carry this before the payment's number, until the channel gives them one of its own.
pub(crate) const UNNAMED: &str = "wanted:";

/// Reference of the fee that a refund leaves behind.
pub const FEE: &str = "fee";

impl LedgerEntry {
    /// A refund that is expected, or was told without its number.
    pub(crate) fn presumed(status: EntryStatus, amount: i64, at: UnixMillis) -> Self {
        Self { reference: PRESUMED.to_owned(), kind: EntryKind::Refund, status, amount, at }
    }
    /// What is kept as a fee once the rest went back.
    pub(crate) fn kept(amount: i64, at: UnixMillis) -> Self {
        Self { reference: FEE.to_owned(), kind: EntryKind::Fee, status: EntryStatus::Done, amount, at }
    }
    /// Whether it stands for a refund without a number.
    pub(crate) fn is_presumed(&self) -> bool {
        self.reference == PRESUMED
    }
    /// Whether it is one that we asked for, and the channel has not named yet.
    pub(crate) fn is_unnamed(&self) -> bool {
        self.reference.starts_with(UNNAMED)
    }
}

/// The payment axis (`docs/src/introduction.md`, the order's life).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Nothing to pay.
    None,
    /// Paid elsewhere.
    External,
    /// Nothing received yet.
    Unpaid,
    /// A part was received.
    Partial,
    /// All was received.
    Paid,
    /// Money is on its way back.
    RefundPending,
    /// A part was returned.
    PartiallyRefunded,
    /// All that was received was returned.
    Refunded,
    /// A return did not work.
    RefundFailed,
}

/// The money of one order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Who collects.
    pub mode: PaymentMode,
    /// Currency of every amount.
    pub currency: Currency,
    /// Price before any discount, minor units.
    pub gross: i64,
    /// What is to be received, minor units.
    pub due: i64,
    /// All movements, oldest first.
    pub ledger: Vec<LedgerEntry>,
}

impl Money {
    /// Sum of the entries of `kind` that are `status`.
    fn sum(&self, kind: EntryKind, status: EntryStatus) -> i64 {
        self.ledger
            .iter()
            .filter(|e| e.kind == kind && e.status == status)
            .fold(0, |sum, e| sum.saturating_add(e.amount))
    }
    /// Received so far.
    pub fn received(&self) -> i64 {
        self.sum(EntryKind::Charge, EntryStatus::Done)
    }
    /// Returned so far.
    pub fn refunded(&self) -> i64 {
        self.sum(EntryKind::Refund, EntryStatus::Done)
    }
    /// What came in and has not gone back.
    pub fn held(&self) -> i64 {
        self.received() - self.refunded()
    }
    /// On its way back.
    pub fn refund_pending(&self) -> i64 {
        self.sum(EntryKind::Refund, EntryStatus::Pending)
    }
    /// What came in and neither went back nor is on its way back: all that can still be kept or returned.
    pub fn left(&self) -> i64 {
        self.held() - self.refund_pending()
    }
    /// Kept as a fee.
    pub fn fee(&self) -> i64 {
        self.sum(EntryKind::Fee, EntryStatus::Done)
    }
    /// Sum of the refunds that carry a number of their own and are meant; a presumed one is replaced by the next that does.
    pub(crate) fn named_refunds(&self, is_meant: impl Fn(&LedgerEntry) -> bool) -> i64 {
        self.ledger
            .iter()
            .filter(|e| e.kind == EntryKind::Refund && !e.is_presumed() && is_meant(e))
            .fold(0, |sum, e| sum.saturating_add(e.amount))
    }
    /// Whether there is any entry of `kind` that is `status`.
    fn any(&self, kind: EntryKind, status: EntryStatus) -> bool {
        self.ledger.iter().any(|e| e.kind == kind && e.status == status)
    }

    /// The payment axis, computed (`adapters/kakao/README.md`).
    ///
    /// ```
    /// use ticketbridge_core::UnixMillis;
    /// use ticketbridge_core::order::money::{EntryKind, EntryStatus, LedgerEntry, Money, PaymentMode, PaymentState};
    /// use ticketbridge_core::product::Currency;
    ///
    /// let currency = Currency("CNY".to_owned());
    /// let mut money = Money { mode: PaymentMode::Ledger, currency, gross: 9_900, due: 9_900, ledger: Vec::new() };
    /// let entry = |reference: &str, kind, status, amount| {
    ///     LedgerEntry { reference: reference.to_owned(), kind, status, amount, at: UnixMillis(0) }
    /// };
    /// money.record(entry("p1", EntryKind::Charge, EntryStatus::Done, 9_900));
    /// assert_eq!((money.held(), money.state()), (9_900, PaymentState::Paid));
    /// money.record(entry("r1", EntryKind::Refund, EntryStatus::Pending, 5_000));
    /// assert_eq!((money.held(), money.left(), money.state()), (9_900, 4_900, PaymentState::RefundPending));
    /// // The same movement, further on.
    /// money.record(entry("r1", EntryKind::Refund, EntryStatus::Done, 5_000));
    /// assert_eq!((money.held(), money.state()), (4_900, PaymentState::PartiallyRefunded));
    /// ```
    pub fn state(&self) -> PaymentState {
        self.state_where(self.open_failures() > 0)
    }

    /// The same, where it is known whether a return that did not work is still to be made good.
    pub(crate) fn state_where(&self, has_open_failure: bool) -> PaymentState {
        match self.mode {
            PaymentMode::BookingOnly => return PaymentState::None,
            PaymentMode::External => return PaymentState::External,
            PaymentMode::Ledger => {}
        }
        let (received, refunded) = (self.received(), self.refunded());
        if has_open_failure {
            PaymentState::RefundFailed
        } else if self.any(EntryKind::Refund, EntryStatus::Pending) {
            PaymentState::RefundPending
        } else if received == 0 {
            if self.due == 0 { PaymentState::Paid } else { PaymentState::Unpaid }
        } else if refunded >= received {
            PaymentState::Refunded
        } else if refunded > 0 {
            PaymentState::PartiallyRefunded
        } else if received >= self.due {
            PaymentState::Paid
        } else {
            PaymentState::Partial
        }
    }

    /// What did not go back although it was to, and was not returned otherwise since.
    pub fn open_failures(&self) -> i64 {
        self.failures_but(|_, _| true)
    }

    /// The same, where it is known of a return whether it can stand in for one that did not work. One return makes one good: a later one of
    /// the same amount, or else smaller ones, piece by piece.
    pub(crate) fn failures_but(&self, can_make_good: impl Fn(&LedgerEntry, &LedgerEntry) -> bool) -> i64 {
        let (mut failed, mut others): (Vec<_>, Vec<_>) = self
            .ledger
            .iter()
            .enumerate()
            .filter(|(_, e)| e.kind == EntryKind::Refund)
            .partition(|(_, e)| e.status == EntryStatus::Failed);
        let is_later = |(at, failed): &(usize, &LedgerEntry), (index, e): &(usize, &LedgerEntry)| {
            (e.at > failed.at || (e.at == failed.at && index > at)) && can_make_good(failed, e)
        };
        // One that was made again and failed again is the same money.
        let tries = failed.clone();
        failed.retain(|it| !tries.iter().any(|other| other.1.amount == it.1.amount && is_later(it, other)));
        failed.retain(|it| {
            let again = others.iter().position(|other| other.1.amount == it.1.amount && is_later(it, other));
            again.map(|at| others.remove(at)).is_none()
        });
        let open = failed.iter().fold(0_i64, |sum, it| {
            let is_piece = |other: &(usize, &LedgerEntry)| other.1.amount < it.1.amount && is_later(it, other);
            let (pieces, rest): (Vec<_>, Vec<_>) = others.drain(..).partition(is_piece);
            others = rest;
            let back = pieces.iter().fold(0_i64, |sum, piece| sum.saturating_add(piece.1.amount));
            sum.saturating_add((it.1.amount - back).max(0))
        });
        open.min(self.left() - self.fee()).max(0)
    }

    /// Every return that did not work, made good or not.
    pub(crate) fn failed(&self) -> i64 {
        self.sum(EntryKind::Refund, EntryStatus::Failed)
    }

    /// What came in above what is to be received, and is not on its way back.
    pub fn excess(&self) -> i64 {
        (self.left() - self.due).max(0)
    }

    /// Adds an entry, or replaces the one with the same reference and kind.
    ///
    /// A refund with a number of its own replaces the presumed one: it is the same money.
    pub fn record(&mut self, entry: LedgerEntry) {
        if entry.kind == EntryKind::Refund && !entry.is_presumed() {
            self.ledger.retain(|e| !(e.kind == EntryKind::Refund && e.is_presumed()));
        }
        match self.ledger.iter_mut().find(|e| e.kind == entry.kind && e.reference == entry.reference) {
            Some(known) => *known = entry,
            None => self.ledger.push(entry),
        }
    }
    /// What went back and has no number yet.
    pub(crate) fn presumed_done(&self) -> i64 {
        let is_it = |e: &&LedgerEntry| e.kind == EntryKind::Refund && e.is_presumed() && e.status == EntryStatus::Done;
        self.ledger.iter().filter(is_it).map(|e| e.amount).sum()
    }
    /// Whether a refund stands here that the channel has given no number yet.
    pub fn presumes_refund(&self) -> bool {
        self.ledger.iter().any(|e| e.kind == EntryKind::Refund && e.is_presumed())
    }
    /// Whether this very movement is already recorded.
    pub fn knows(&self, entry: &LedgerEntry) -> bool {
        self.ledger.iter().any(|e| {
            e.kind == entry.kind
                && e.reference == entry.reference
                && e.amount == entry.amount
                && e.status == entry.status
        })
    }
}
