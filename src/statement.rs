// SPDX-License-Identifier: Apache-2.0

//! Statements: what was sold, kept and returned in a period, under one settle id or on one credit account. They add up: the balance is
//! computed from the very lines that are shown.

use std::collections::BTreeSet;

use ticketbridge_core::product::{Currency, DateRange};
use ticketbridge_core::{TimeZone, UnixMillis};
use ticketbridge_store::{CreditKind, LineKind, Store, StoreError};

use crate::config::CreditAccount;

/// Lines of one statement at most; a longer period is asked for in parts.
pub const LINES_MAX: u32 = 100_000;
/// Days of one statement at most.
pub const DAYS_MAX: i64 = 366;

/// Why there is no statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The period has too many days, or none.
    #[error("a statement covers 1 to {DAYS_MAX} days; ask for it in parts")]
    Period,
    /// Too many lines.
    #[error("the period has more than {LINES_MAX} lines; ask for it in parts")]
    TooLong,
    /// Amounts of several currencies cannot be added up.
    #[error("there were sales in {0}; name one of them as `currency`")]
    Currencies(String),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose; `None` for a deposit.
    pub order: Option<String>,
    /// When it was recorded.
    pub at: UnixMillis,
    /// Its word: `sale`, `commission`, `refund`, `fee`, `deposit`.
    pub kind: &'static str,
    /// Minor units in the kind's own direction; a correction is negative.
    pub amount: i64,
}

/// Whose statement it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A settle id's: the balance is what the period left.
    SettleId(String),
    /// A credit account's: the balance is that of the account at the end of the period.
    Account {
        /// Its name.
        id: String,
        /// Its balance when the period began.
        opening: i64,
    },
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whose.
    pub whose: Whose,
    /// Which days, both ends included.
    pub period: DateRange,
    /// The zone of these days.
    pub zone: TimeZone,
    /// Currency of every amount.
    pub currency: Currency,
    /// The lines, oldest first.
    pub lines: Vec<Line>,
}

/// The first instant of a period, and the first one after it.
fn instants(period: DateRange, zone: TimeZone) -> Result<(UnixMillis, UnixMillis), StatementError> {
    let days = period.to.days_since(period.from) + 1;
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(StatementError::Period);
    }
    Ok((zone.start_of(period.from), zone.end_of(period.to)))
}

impl Statement {
    /// The statement of a settle id. `currency` chooses where there were sales in several; `usual` is that of a period without any.
    ///
    /// # Errors
    /// [`StatementError`].
    pub async fn of_settle_id(
        store: &Store,
        settle_id: &str,
        period: DateRange,
        zone: TimeZone,
        currency: Option<Currency>,
        usual: Currency,
    ) -> Result<Self, StatementError> {
        let (from, to) = instants(period, zone)?;
        let rows = store.statement_lines(settle_id, from, to, LINES_MAX + 1).await?;
        if rows.len() > LINES_MAX as usize {
            return Err(StatementError::TooLong);
        }
        let found: BTreeSet<&str> = rows.iter().map(|row| row.currency.0.as_str()).collect();
        let currency = match (currency, found.len()) {
            (Some(wanted), _) => wanted,
            (None, 0) => usual,
            (None, 1) => rows[0].currency.clone(),
            (None, _) => return Err(StatementError::Currencies(found.into_iter().collect::<Vec<_>>().join(", "))),
        };
        let lines = rows
            .into_iter()
            .filter(|row| row.currency == currency)
            .map(|row| Line { order: Some(row.order.0), at: row.at, kind: word_of(row.kind), amount: row.amount })
            .collect();
        Ok(Self { whose: Whose::SettleId(settle_id.to_owned()), period, zone, currency, lines })
    }

    /// The statement of a credit account. What is only held is no line: nothing of it is spent.
    ///
    /// # Errors
    /// [`StatementError`].
    pub async fn of_account(
        store: &Store,
        account: &CreditAccount,
        period: DateRange,
        zone: TimeZone,
    ) -> Result<Self, StatementError> {
        let (from, to) = instants(period, zone)?;
        let opening = store.credit_balance_at(&account.id, from).await?;
        let entries = store.credit_entries(&account.id, from, to).await?;
        if entries.len() > LINES_MAX as usize {
            return Err(StatementError::TooLong);
        }
        let lines = entries
            .into_iter()
            .filter_map(|entry| {
                let kind = match entry.kind {
                    CreditKind::Capture => "sale",
                    CreditKind::Refund => "refund",
                    CreditKind::Deposit => "deposit",
                    CreditKind::Hold | CreditKind::Release => return None,
                };
                Some(Line { order: entry.order.map(|id| id.0), at: entry.at, kind, amount: entry.amount })
            })
            .collect();
        let whose = Whose::Account { id: account.id.clone(), opening };
        Ok(Self { whose, period, zone, currency: account.currency.clone(), lines })
    }

    /// What the lines of a kind add up to.
    pub fn total(&self, kind: &str) -> i64 {
        self.lines.iter().filter(|line| line.kind == kind).map(|line| line.amount).sum()
    }

    /// For a settle id: sales, less commission, less refunds. For an account: opening balance and deposits, less sales, and what
    /// refunds gave back.
    pub fn balance(&self) -> i64 {
        let (sales, refunds) = (self.total("sale"), self.total("refund"));
        match &self.whose {
            Whose::SettleId(_) => sales - self.total("commission") - refunds,
            Whose::Account { opening, .. } => opening + self.total("deposit") - sales + refunds,
        }
    }

    fn totals(&self) -> Vec<(&'static str, i64)> {
        let mut totals = vec![
            ("sales", self.total("sale")),
            ("commission", self.total("commission")),
            ("refunds", self.total("refund")),
        ];
        match self.whose {
            Whose::SettleId(_) => totals.push(("fees", self.total("fee"))),
            // What was kept is what its refunds did not give back.
            Whose::Account { opening, .. } => {
                totals.extend([("opening", opening), ("deposits", self.total("deposit"))]);
            }
        }
        totals.push(("balance", self.balance()));
        totals
    }

    /// As CSV: a header, the lines, then a line for each total, whose kind begins with `total_`.
    pub fn csv(&self) -> String {
        let mut csv = String::from("order_id,at,kind,amount,currency\r\n");
        let currency = &self.currency.0;
        for line in &self.lines {
            let (order, at) = (line.order.as_deref().unwrap_or(""), line.at.rfc3339(self.zone));
            csv.push_str(&format!("{order},{at},{},{},{currency}\r\n", line.kind, line.amount));
        }
        for (name, amount) in self.totals() {
            csv.push_str(&format!(",,total_{name},{amount},{currency}\r\n"));
        }
        csv
    }
}

fn word_of(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Sale => "sale",
        LineKind::Commission => "commission",
        LineKind::Refund => "refund",
        LineKind::Fee => "fee",
    }
}
