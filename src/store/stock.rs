// SPDX-License-Identifier: Apache-2.0

//! Units of a product, or of a product on a date. The last one goes to one taker.

use std::collections::BTreeMap;
use ticketbridge_core::message::StockKey;
use ticketbridge_core::{Date, ProductCode};

use crate::connect::Store;
use sea_orm::Value;

use crate::buffer::{Row, STOCK, key_text};
use crate::dialect::{Query, get, values, whole_of};
use crate::error::StoreError;
use crate::keys::date_column;
use crate::tx::Tx;

/// What a back-end says is left, and what it could know when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldStock {
    /// Units that it has left; `None` is no limit.
    pub left: Option<i64>,
    /// Units that were taken here before it was asked.
    pub taken_before: i64,
    /// Those among them that it had not been asked for yet, or had not answered: it may still count them as left.
    pub not_there_yet: i64,
}

/// What is left of a key whose total a back-end tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldLeft {
    /// Nobody has said yet: nothing of it can be offered, or booked.
    Unknown,
    /// There is no limit.
    NoLimit,
    /// So many units.
    Units(i64),
}

impl ToldLeft {
    /// Of a total that was told, and what was taken; `first` counts until one was.
    fn of(total: Option<i64>, taken: i64, first: Option<u32>) -> Self {
        match total.or(first.map(i64::from)) {
            None => Self::Unknown,
            Some(NO_LIMIT..) => Self::NoLimit,
            Some(total) => Self::Units(total - taken),
        }
    }
    /// Units that may be booked; `None` has no limit.
    pub fn bookable(self) -> Option<i64> {
        match self {
            Self::Unknown => Some(0),
            Self::NoLimit => None,
            Self::Units(left) => Some(left),
        }
    }
}

/// The row of a key.
#[derive(Clone, Copy, Debug)]
struct Stock {
    total: Option<i64>,
    taken: i64,
}

impl Stock {
    fn of(row: &[Value]) -> Self {
        let taken = whole_of(row, STOCK.at("taken")).unwrap_or_default();
        Self { total: whole_of(row, STOCK.at("total")), taken }
    }
    fn row(self, key: &StockKey) -> Row {
        values![key.product.as_str(), date_column(key), self.total, self.taken]
    }
}

/// The total of a key that a back-end says has no limit; none is a key of which nobody has said anything.
const NO_LIMIT: i64 = 1 << 52;

impl Tx {
    /// Units left, `None` when there is no limit. `total` is what the configuration allows now. The row is made when
    /// missing and locked until the end of the transaction, so what is read holds until [`Tx::take_stock`].
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn stock_left(&self, key: &StockKey, total: Option<u32>) -> Result<Option<i64>, StoreError> {
        let total = total.map(i64::from);
        let stock = self.lock_stock(key, total).await?;
        if stock.total != total {
            self.change_stock(key, Stock { total, ..stock })?;
        }
        Ok(total.map(|total| total - stock.taken))
    }

    /// The same for a key whose total a back-end tells ([`Tx::set_told_stock`]): `first` is what counts until it has.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn told_stock_left(&self, key: &StockKey, first: Option<u32>) -> Result<ToldLeft, StoreError> {
        let stock = self.lock_stock(key, None).await?;
        Ok(ToldLeft::of(stock.total, stock.taken, first))
    }

    /// Sets how many units there are by what a back-end says is left.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn set_told_stock(&self, key: &StockKey, told: ToldStock) -> Result<(), StoreError> {
        let stock = self.lock_stock(key, None).await?;
        // What was given back since may be in what is left already.
        let known_there = stock.taken.min(told.taken_before) - told.not_there_yet;
        let total = told.left.map_or(NO_LIMIT, |left| left.max(0).saturating_add(known_there));
        self.change_stock(key, Stock { total: Some(total), ..stock })
    }

    /// The row of a key, made when missing, locked until the end of the transaction. `first` is its total when it is made.
    async fn lock_stock(&self, key: &StockKey, first: Option<i64>) -> Result<Stock, StoreError> {
        let (product, date) = (key.product.as_str(), date_column(key));
        if let Some(Some(row)) = self.see(&STOCK, &key_text(&[product, &date])) {
            return Ok(Stock::of(&row));
        }
        self.check_late_lock()?;
        let sql = format!(
            "SELECT total, taken FROM stock WHERE product = ? AND visit_date = ?{}",
            self.dialect().for_update()
        );
        let mut row = self.row(&sql, values![product, date.as_str()]).await?;
        if row.is_none() {
            let make = format!(
                "INSERT INTO stock (product, visit_date, total, taken) VALUES (?, ?, ?, 0){}",
                self.dialect().unless_exists("product")
            );
            self.execute(&make, values![product, date.as_str(), first]).await?;
            row = self.row(&sql, values![product, date.as_str()]).await?;
        }
        let row = row.ok_or(StoreError::Column("stock.product"))?;
        let stock = Stock { total: get(&row, "total")?, taken: get(&row, "taken")? };
        self.buffer().note_read_row(&STOCK, stock.row(key));
        Ok(stock)
    }

    fn change_stock(&self, key: &StockKey, stock: Stock) -> Result<(), StoreError> {
        self.change(&STOCK, stock.row(key))
    }

    /// Makes the row of a key what it was elsewhere.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn set_stock(&self, key: &StockKey, total: Option<i64>, taken: i64) -> Result<(), StoreError> {
        self.lock_stock(key, total).await?;
        self.change_stock(key, Stock { total, taken })
    }

    /// Takes units if they are there; whether they were. A key never asked about before has no limit.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn take_stock(&self, key: &StockKey, units: u32) -> Result<bool, StoreError> {
        let stock = self.lock_stock(key, None).await?;
        let taken = stock.taken + i64::from(units);
        if stock.total.is_some_and(|total| taken > total) {
            return Ok(false);
        }
        self.change_stock(key, Stock { taken, ..stock }).map(|()| true)
    }

    /// Takes units that have been sold already, whatever the count says: it may go below nothing left.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn take_sold_stock(&self, key: &StockKey, units: u32) -> Result<(), StoreError> {
        let stock = self.lock_stock(key, None).await?;
        self.change_stock(key, Stock { taken: stock.taken + i64::from(units), ..stock })
    }

    /// Gives units back; never below none taken.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn give_back_stock(&self, key: &StockKey, units: u32) -> Result<(), StoreError> {
        let stock = self.lock_stock(key, None).await?;
        self.change_stock(key, Stock { taken: (stock.taken - i64::from(units)).max(0), ..stock })
    }
}

impl Store {
    /// Units left, without locking and without making a row; `None` when there is no limit.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn stock_left(&self, key: &StockKey, total: Option<u32>) -> Result<Option<i64>, StoreError> {
        let Some(total) = total else { return Ok(None) };
        let row = self
            .row(
                "SELECT taken FROM stock WHERE product = ? AND visit_date = ?",
                values![key.product.as_str(), date_column(key)],
            )
            .await?;
        let taken: i64 = row.map(|row| get(&row, "taken")).transpose()?.unwrap_or(0);
        Ok(Some(i64::from(total) - taken))
    }

    /// Units left of a key whose total a back-end tells, without locking; `first` counts until it has.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn told_stock_left(&self, key: &StockKey, first: Option<u32>) -> Result<ToldLeft, StoreError> {
        let sql = "SELECT total, taken FROM stock WHERE product = ? AND visit_date = ?";
        match self.row(sql, values![key.product.as_str(), date_column(key)]).await? {
            Some(row) => Ok(ToldLeft::of(get(&row, "total")?, get(&row, "taken")?, first)),
            None => Ok(ToldLeft::of(None, 0, first)),
        }
    }

    /// Every key with its total, as far as there is one, and what is taken of it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn all_stock(&self) -> Result<Vec<(StockKey, Option<i64>, i64)>, StoreError> {
        let rows = self.rows("SELECT product, visit_date, total, taken FROM stock", Vec::new()).await?;
        rows.iter()
            .map(|row| {
                let (product, date): (String, String) = (get(row, "product")?, get(row, "visit_date")?);
                let key = StockKey { product: ProductCode::new(product), date: Date::parse(&date) };
                Ok((key, get(row, "total")?, get(row, "taken")?))
            })
            .collect()
    }

    /// Units taken on each date from `from` to `to` on which any were.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn stock_taken(
        &self,
        product: &ProductCode,
        from: Date,
        to: Date,
    ) -> Result<BTreeMap<Date, i64>, StoreError> {
        let rows = self
            .rows(
                "SELECT visit_date, taken FROM stock WHERE product = ? AND visit_date >= ? AND visit_date <= ?",
                values![product.as_str(), from.to_string(), to.to_string()],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let date = Date::parse(&get::<String>(row, "visit_date")?).ok_or(StoreError::Column("visit_date"))?;
                Ok((date, get(row, "taken")?))
            })
            .collect()
    }
}
