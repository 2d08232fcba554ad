// SPDX-License-Identifier: Apache-2.0

//! What differs between databases, and the small helpers for writing SQL that all of them understand.
//!
//! Statements are written once, with `?` for each value.

use sea_orm::{DbBackend, QueryResult, TryGetable, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::future::Future;

use crate::error::StoreError;
use crate::rule_book::RuleBook;
use crate::seal::Sealer;

/// The kind of database behind a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect(pub(crate) DbBackend);

impl Dialect {
    /// `sql`, in which every `?` stands for the next value, as this database wants it.
    pub(crate) fn sql(self, sql: &str) -> Cow<'_, str> {
        match self.0 {
            DbBackend::Postgres => Cow::Owned(numbered(sql)),
            _ => Cow::Borrowed(sql),
        }
    }

    /// Whether several instances may work on the same database.
    pub(crate) fn shares_with_others(self) -> bool {
        self.0 != DbBackend::Sqlite
    }

    /// Locks the rows of a SELECT until the end of the transaction. SQLite has one writer anyway.
    pub(crate) fn for_update(self) -> &'static str {
        match self.0 {
            DbBackend::Sqlite => "",
            _ => " FOR UPDATE",
        }
    }

    /// The same, passing over rows that somebody else holds: faster, not more correct (`docs/src/decisions/README.md`).
    pub(crate) fn for_update_skip_locked(self) -> &'static str {
        match self.0 {
            DbBackend::Sqlite => "",
            _ => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The end of an INSERT that does nothing when the key exists. The number of rows it reports is not to be
    /// trusted: MySQL counts the row that it left alone. `column` is any column of the key.
    pub(crate) fn unless_exists(self, column: &str) -> String {
        match self.0 {
            DbBackend::MySql => format!(" ON DUPLICATE KEY UPDATE {column} = {column}"),
            _ => " ON CONFLICT DO NOTHING".to_owned(),
        }
    }

    /// A sum as a 64-bit integer; PostgreSQL and MySQL would make it a decimal.
    pub(crate) fn sum(self, expression: &str) -> String {
        let kind = if self.0 == DbBackend::MySql { "SIGNED" } else { "BIGINT" };
        format!("CAST(COALESCE(SUM({expression}), 0) AS {kind})")
    }
}

/// Replaces each `?` by `$1`, `$2`, … No statement of ours has a question mark in a literal.
fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 32);
    for (i, part) in sql.split('?').enumerate() {
        if i > 0 {
            out.push('$');
            out.push_str(&i.to_string());
        }
        out.push_str(part);
    }
    out
}

/// `?, ?, …`, `count` of them.
pub(crate) fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// `(?, ?), (?, ?), …`: `rows` of `columns`.
pub(crate) fn rows_of_marks(rows: usize, columns: usize) -> String {
    vec![format!("({})", marks(columns)); rows].join(", ")
}

/// A list of values of any type.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(sea_orm::Value::from($value)),*] };
}
pub(crate) use values;

/// What can be asked: a transaction, or the store outside any.
pub(crate) trait Query: Sync {
    /// The kind of database.
    fn dialect(&self) -> Dialect;
    /// Opens what is sealed.
    fn sealer(&self) -> &Sealer;
    /// What is known of the rules in the database.
    fn rule_book(&self) -> &RuleBook;
    /// All rows of a SELECT, which need not see what a transaction keeps back.
    fn rows_as_stored(
        &self,
        sql: &str,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<QueryResult>, StoreError>> + Send {
        self.rows(sql, values)
    }
    /// All rows of a SELECT.
    fn rows(&self, sql: &str, values: Vec<Value>) -> impl Future<Output = Result<Vec<QueryResult>, StoreError>> + Send;
    /// The first row of a SELECT.
    fn row(
        &self,
        sql: &str,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Option<QueryResult>, StoreError>> + Send {
        async move { Ok(self.rows(sql, values).await?.into_iter().next()) }
    }
}

/// Keys of one statement, padded to few sizes so that prepared statements are met again.
pub(crate) fn padded<T: Clone>(keys: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut keys: Vec<T> = keys.into_iter().collect();
    if let Some(last) = keys.last().cloned() {
        keys.resize(keys.len().next_power_of_two(), last);
    }
    keys
}

/// The value of a column.
pub(crate) fn get<T: TryGetable>(row: &QueryResult, column: &'static str) -> Result<T, StoreError> {
    row.try_get("", column).map_err(StoreError::Statement)
}

/// The text at a place of a row that is kept in memory.
pub(crate) fn text_of(row: &[Value], at: usize) -> Result<String, StoreError> {
    match row.get(at) {
        Some(Value::String(Some(text))) => Ok(text.clone()),
        _ => Err(StoreError::Column("a text")),
    }
}

/// The whole number at a place of a row that is kept in memory; `None` for NULL.
pub(crate) fn whole_of(row: &[Value], at: usize) -> Option<i64> {
    match row.get(at) {
        Some(Value::BigInt(number)) => *number,
        Some(Value::SmallInt(number)) => number.map(i64::from),
        _ => None,
    }
}

/// The value of a column that holds a count.
pub(crate) fn get_count<T: TryFrom<i64>>(row: &QueryResult, column: &'static str) -> Result<T, StoreError> {
    T::try_from(get::<i64>(row, column)?).map_err(|_| StoreError::Column(column))
}

/// The value of a column that holds 0 or 1.
pub(crate) fn get_flag(row: &QueryResult, column: &'static str) -> Result<bool, StoreError> {
    Ok(get::<i16>(row, column)? != 0)
}

/// The value of a column that holds the word of an enum.
pub(crate) fn get_word<T: DeserializeOwned>(row: &QueryResult, column: &'static str) -> Result<T, StoreError> {
    read_word(&get::<String>(row, column)?, column)
}

/// The enum without fields whose word this is; `column` is where it was found.
pub(crate) fn read_word<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| StoreError::Column(column))
}

/// The word under which an enum without fields is stored and shown.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        other => unreachable!("an enum without fields is written as a word, not as {other:?}"),
    }
}

/// The value of a column for 0 or 1.
pub(crate) fn flag(value: bool) -> i16 {
    i16::from(value)
}

/// A count as a column holds it.
pub(crate) fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A WHERE clause under construction.
#[derive(Clone)]
pub(crate) struct Where {
    sql: String,
    values: Vec<Value>,
    few: bool,
}

impl Where {
    /// No condition yet.
    pub(crate) fn new() -> Self {
        Self { sql: String::new(), values: Vec::new(), few: false }
    }
    /// Adds a condition that few rows fulfil, however many there are: by it they are to be found.
    pub(crate) fn and_few(&mut self, condition: &str, values: Vec<Value>) {
        self.and(condition, values);
        self.expect_few();
    }
    /// What is added elsewhere leaves few rows.
    pub(crate) fn expect_few(&mut self) {
        self.few = true;
    }
    /// Whether few rows fulfil it.
    pub(crate) fn leaves_few(&self) -> bool {
        self.few
    }
    /// Adds a condition.
    pub(crate) fn and(&mut self, condition: &str, values: Vec<Value>) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
        self.values.extend(values);
    }
    /// Adds `column = value` when there is a value.
    pub(crate) fn equals<T: Into<Value>>(&mut self, column: &str, value: Option<T>) {
        if let Some(value) = value {
            self.and(&format!("{column} = ?"), vec![value.into()]);
        }
    }
    /// The clause and its values.
    pub(crate) fn into_parts(self) -> (String, Vec<Value>) {
        (self.sql, self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_where_needed() {
        let sql = "SELECT 1 WHERE a = ? AND b IN (?, ?)";
        assert_eq!(numbered(sql), "SELECT 1 WHERE a = $1 AND b IN ($2, $3)");
        assert_eq!(Dialect(DbBackend::MySql).sql(sql), sql);
        assert_eq!(rows_of_marks(2, 3), "(?, ?, ?), (?, ?, ?)");
    }

    #[test]
    fn keys_are_padded_with_their_last_one() {
        assert!(padded(Vec::<u8>::new()).is_empty());
        assert_eq!(padded([1]), [1]);
        assert_eq!(padded([1, 2, 3]), [1, 2, 3, 3]);
    }

    #[test]
    fn conditions_add_up() {
        let mut wanted = Where::new();
        wanted.equals("a", Some("x"));
        wanted.equals("b", None::<i64>);
        wanted.and("(c < ? OR d IS NULL)", values![1_i64]);
        let (sql, values) = wanted.into_parts();
        assert_eq!(sql, " WHERE a = ? AND (c < ? OR d IS NULL)");
        assert_eq!(values.len(), 2);
    }
}
