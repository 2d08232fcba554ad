// SPDX-License-Identifier: Apache-2.0

//! Credit accounts: a double-entry ledger, append-only, and beside it each account's sums, which change with it only.
//!
//! Every entry moves an amount from one book of an account to another: nothing comes from nowhere. What stands in the
//! account's row is what its entries add up to; [`Store::credit_differences`] makes sure of it.

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use ticketbridge_core::{OrderId, UnixMillis};

use crate::buffer::{CREDIT_ACCOUNT, CREDIT_ENTRY, Row, key_text};
use crate::connect::Store;
use crate::dialect::{Query, get, get_word, text_of, values, whole_of, word};
use crate::error::StoreError;
use crate::places::ORDERS_OVER;
use crate::tx::Tx;

/// The books of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditBook {
    /// The distributor's money, outside.
    Bank,
    /// What can be spent.
    Available,
    /// What orders that are not paid yet keep back.
    Held,
    /// What orders have taken.
    Sales,
}

/// What moved the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditKind {
    /// An order was placed.
    Hold,
    /// It was paid.
    Capture,
    /// It was cancelled before it was paid.
    Release,
    /// It was refunded, or cancelled after it was paid.
    Refund,
    /// The distributor paid in.
    Deposit,
}

impl CreditKind {
    /// From which book to which.
    pub fn books(self) -> (CreditBook, CreditBook) {
        match self {
            CreditKind::Hold => (CreditBook::Available, CreditBook::Held),
            CreditKind::Capture => (CreditBook::Held, CreditBook::Sales),
            CreditKind::Release => (CreditBook::Held, CreditBook::Available),
            CreditKind::Refund => (CreditBook::Sales, CreditBook::Available),
            CreditKind::Deposit => (CreditBook::Bank, CreditBook::Available),
        }
    }

    /// By how much `amount` changes an account's balance and what is held of it.
    fn changes(self, amount: i64) -> CreditSums {
        let part = |book| {
            let (from, to) = self.books();
            i64::from(to == book) - i64::from(from == book)
        };
        let held = part(CreditBook::Held);
        CreditSums { balance: (part(CreditBook::Available) + held) * amount, held: held * amount }
    }
}

/// What an account's entries add up to, minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreditSums {
    /// Deposits, less what orders have taken; negative when on credit. What is held is still in it.
    pub balance: i64,
    /// What orders that are not paid yet keep back.
    pub held: i64,
}

/// One movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditEntry {
    /// What moved it.
    pub kind: CreditKind,
    /// How much, minor units; negative where it takes back a part of what was written before.
    pub amount: i64,
    /// The same kind and reference is the same movement.
    pub reference: String,
    /// For which order.
    pub order: Option<OrderId>,
    /// When.
    pub at: UnixMillis,
}

/// What became of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deposited {
    /// It was added.
    Added,
    /// It was known.
    Known,
    /// Its reference is known with another amount.
    AnotherAmount,
}

/// An account whose row is not what its entries add up to: a fault of ours, or a hand in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditDifference {
    /// Which account.
    pub account: String,
    /// What its row says.
    pub row: CreditSums,
    /// What its entries add up to.
    pub entries: CreditSums,
}

impl Tx {
    /// Locks an account until the end of the transaction; made when missing. What it says holds until [`Tx::move_credit`].
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn lock_credit(&self, account: &str) -> Result<CreditSums, StoreError> {
        if let Some(Some(row)) = self.see(&CREDIT_ACCOUNT, &key_text(&[account])) {
            return Ok(sums_of(&row));
        }
        self.check_late_lock()?;
        let select = format!("SELECT balance, held FROM credit_account WHERE id = ?{}", self.dialect().for_update());
        if let Some(row) = self.row(&select, values![account]).await? {
            return self.note_account(account, read_sums(&row)?);
        }
        let make = format!(
            "INSERT INTO credit_account (id, balance, held) VALUES (?, 0, 0){}",
            self.dialect().unless_exists("id")
        );
        self.execute(&make, values![account]).await?;
        let row = self.row(&select, values![account]).await?;
        self.note_account(account, read_sums(&row.ok_or(StoreError::Column("credit_account.id"))?)?)
    }

    /// Notes an account as it was read, locked.
    fn note_account(&self, account: &str, sums: CreditSums) -> Result<CreditSums, StoreError> {
        self.buffer().note_read_row(&CREDIT_ACCOUNT, account_row(account, sums));
        Ok(sums)
    }

    /// Adds entries to an account, and changes its sums with them.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when an entry of this kind and reference is there; [`StoreError::Column`] when more would
    /// be released or captured than is held.
    pub async fn move_credit(&self, account: &str, entries: &[CreditEntry]) -> Result<CreditSums, StoreError> {
        let mut sums = self.lock_credit(account).await?;
        for entry in entries {
            let ((from, to), change) = (entry.kind.books(), entry.kind.changes(entry.amount));
            sums = CreditSums { balance: sums.balance + change.balance, held: sums.held + change.held };
            if sums.held < 0 {
                return Err(StoreError::Column("credit_account.held"));
            }
            self.keep(
                &CREDIT_ENTRY,
                values![
                    account,
                    word(&entry.kind),
                    entry.reference.as_str(),
                    word(&from),
                    word(&to),
                    entry.order.as_ref().map(|order| order.0.clone()),
                    entry.amount,
                    entry.at.0,
                ],
            )?;
        }
        self.change(&CREDIT_ACCOUNT, account_row(account, sums))?;
        Ok(sums)
    }

    /// Notes what an account's entries are in from now on.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn note_credit_currency(&self, account: &str, currency: &str) -> Result<(), StoreError> {
        let known = self.row("SELECT currency FROM credit_currency WHERE account = ?", values![account]).await?;
        let sql = match known {
            Some(row) if get::<String>(&row, "currency")? == currency => return Ok(()),
            Some(_) => "UPDATE credit_currency SET currency = ? WHERE account = ?".to_owned(),
            None => format!(
                "INSERT INTO credit_currency (currency, account) VALUES (?, ?){}",
                self.dialect().unless_exists("account")
            ),
        };
        self.execute(&sql, values![currency, account]).await.map(drop)
    }

    /// Adds a deposit, once for each reference.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn deposit_credit(&self, account: &str, deposit: &CreditEntry) -> Result<Deposited, StoreError> {
        self.lock_credit(account).await?;
        let known = self
            .row(
                "SELECT amount FROM credit_entry WHERE account = ? AND kind = ? AND reference = ?",
                values![account, word(&deposit.kind), deposit.reference.as_str()],
            )
            .await?;
        if let Some(row) = known {
            let amount: i64 = get(&row, "amount")?;
            return Ok(if amount == deposit.amount { Deposited::Known } else { Deposited::AnotherAmount });
        }
        self.move_credit(account, std::slice::from_ref(deposit)).await?;
        Ok(Deposited::Added)
    }

    /// The account that an order was charged to when it was placed.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn credit_account_of(&self, order: &OrderId) -> Result<Option<String>, StoreError> {
        let columns = [("order_id", order.as_str())];
        if !self.buffer().knows_group(&CREDIT_ENTRY, order.as_str()) {
            self.read_for_orders(&CREDIT_ENTRY, order, "account, kind, reference, order_id, at_ms", entry_as_read)
                .await?;
        }
        let rows = self.buffer().group(&CREDIT_ENTRY, order.as_str(), &columns);
        let first = rows.iter().min_by_key(|row| whole_of(row, CREDIT_ENTRY.at("at_ms")));
        first.map(|row| text_of(row, CREDIT_ENTRY.at("account"))).transpose()
    }
}

impl Store {
    /// What an account stands at; zero when nothing has happened on it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn credit_sums(&self, account: &str) -> Result<CreditSums, StoreError> {
        let row = self.row("SELECT balance, held FROM credit_account WHERE id = ?", values![account]).await?;
        row.map_or(Ok(CreditSums::default()), |row| read_sums(&row))
    }

    /// What the entries of an account are in; `None` when it has none, or when nobody can tell any more.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn credit_currency(&self, account: &str) -> Result<Option<String>, StoreError> {
        if self.row("SELECT kind FROM credit_entry WHERE account = ? LIMIT 1", values![account]).await?.is_none() {
            return Ok(None);
        }
        let noted = "SELECT currency FROM credit_currency WHERE account = ?";
        let row = match self.row(noted, values![account]).await? {
            Some(row) => Some(row),
            // Entries from before currencies were noted: orders know theirs.
            None => {
                let of_orders = format!(
                    "SELECT o.currency FROM credit_entry e JOIN orders o ON o.id = e.order_id WHERE e.account = ? \
                     UNION ALL \
                     SELECT o.currency FROM credit_entry e JOIN {ORDERS_OVER} o ON o.id = e.order_id \
                     WHERE e.account = ? LIMIT 1"
                );
                self.row(&of_orders, values![account, account]).await?
            }
        };
        row.map(|row| get(&row, "currency")).transpose()
    }

    /// The entries of an account from `from` until before `to`, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn credit_entries(
        &self,
        account: &str,
        from: UnixMillis,
        to: UnixMillis,
    ) -> Result<Vec<CreditEntry>, StoreError> {
        let sql = "SELECT kind, amount, reference, order_id, at_ms FROM credit_entry \
                   WHERE account = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms, reference, kind";
        let rows = self.rows(sql, values![account, from.0, to.0]).await?;
        rows.iter()
            .map(|row| {
                Ok(CreditEntry {
                    kind: get_word(row, "kind")?,
                    amount: get(row, "amount")?,
                    reference: get(row, "reference")?,
                    order: get::<Option<String>>(row, "order_id")?.map(OrderId),
                    at: UnixMillis(get(row, "at_ms")?),
                })
            })
            .collect()
    }

    /// The balance of an account before `before`, from its entries.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn credit_balance_at(&self, account: &str, before: UnixMillis) -> Result<i64, StoreError> {
        let sql = format!(
            "SELECT {} AS total FROM credit_entry WHERE account = ? AND at_ms < ?",
            self.dialect().sum(
                "CASE kind WHEN 'capture' THEN -amount WHEN 'refund' THEN amount WHEN 'deposit' THEN amount ELSE 0 END"
            )
        );
        self.row(&sql, values![account, before.0]).await?.map_or(Ok(0), |row| get(&row, "total"))
    }

    /// What could be spent of an account before a time: without what was held of it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn credit_available_at(&self, account: &str, before: UnixMillis) -> Result<i64, StoreError> {
        let sum = self
            .dialect()
            .sum("CASE WHEN to_book = 'available' THEN amount WHEN from_book = 'available' THEN -amount ELSE 0 END");
        let sql = format!("SELECT {sum} AS total FROM credit_entry WHERE account = ? AND at_ms < ?");
        self.row(&sql, values![account, before.0]).await?.map_or(Ok(0), |row| get(&row, "total"))
    }

    /// Every account whose row is not what its entries add up to; none, as long as all is well.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn credit_differences(&self) -> Result<Vec<CreditDifference>, StoreError> {
        let sum = self
            .dialect()
            .sum("CASE WHEN e.to_book = b.book THEN e.amount WHEN e.from_book = b.book THEN -e.amount ELSE 0 END");
        let sql = format!(
            "SELECT a.id, a.balance, a.held, b.book, {sum} AS total FROM credit_account a \
             CROSS JOIN (SELECT 'available' AS book UNION ALL SELECT 'held') b \
             LEFT JOIN credit_entry e ON e.account = a.id GROUP BY a.id, a.balance, a.held, b.book ORDER BY a.id, b.book"
        );
        let rows = self.rows(&sql, values![]).await?;
        let mut differences = Vec::new();
        // Two rows for each account: what is available, then what is held.
        for pair in rows.chunks_exact(2) {
            let (available, held): (i64, i64) = (get(&pair[0], "total")?, get(&pair[1], "total")?);
            let (row, entries) = (read_sums(&pair[0])?, CreditSums { balance: available + held, held });
            if row != entries {
                differences.push(CreditDifference { account: get(&pair[0], "id")?, row, entries });
            }
        }
        Ok(differences)
    }
}

fn account_row(account: &str, sums: CreditSums) -> Row {
    values![account, sums.balance, sums.held]
}

fn sums_of(row: &[sea_orm::Value]) -> CreditSums {
    let whole = |column| whole_of(row, CREDIT_ACCOUNT.at(column)).unwrap_or_default();
    CreditSums { balance: whole("balance"), held: whole("held") }
}

/// An entry as far as it is needed to know the account.
fn entry_as_read(row: &QueryResult) -> Result<Row, StoreError> {
    let mut kept: Row = vec![None::<String>.into(); CREDIT_ENTRY.width()];
    for column in ["account", "kind", "reference", "order_id"] {
        kept[CREDIT_ENTRY.at(column)] = get::<String>(row, column)?.into();
    }
    kept[CREDIT_ENTRY.at("at_ms")] = get::<i64>(row, "at_ms")?.into();
    Ok(kept)
}

pub(crate) fn read_sums(row: &QueryResult) -> Result<CreditSums, StoreError> {
    Ok(CreditSums { balance: get(row, "balance")?, held: get(row, "held")? })
}
