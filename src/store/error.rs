//! What can go wrong with a database, by operation.

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};
use std::sync::Arc;
use ticketbridge_core::OrderId;

/// Why an operation of the store failed. `Display` never prints the source, nor an address with its password.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is of no database that we know.
    #[error("the database address must begin with sqlite://, postgres:// or mysql://")]
    Address,
    /// The folder of an SQLite file cannot be made.
    #[error("the folder of the database file cannot be made")]
    Folder(#[source] Arc<std::io::Error>),
    /// No connection.
    #[error("the database cannot be reached")]
    Connect(#[source] DbErr),
    /// The schema could not be brought up to date.
    #[error("the database schema cannot be brought up to date")]
    Migrate(#[source] DbErr),
    /// The schema is older than this program.
    #[error("{pending} migrations have not been applied; run `ticketbridge migrate`")]
    Schema {
        /// How many are missing.
        pending: usize,
    },
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[source] DbErr),
    /// The transaction could not be begun or committed. Whether a failed commit took effect is not known.
    #[error("a transaction could not be begun or committed")]
    Commit(#[source] DbErr),
    /// A row with this key exists. The transaction can only be rolled back.
    #[error("a row with this key exists")]
    Duplicate,
    /// Somebody else changed the order in between.
    #[error("order {order} is no longer at version {expected}")]
    VersionConflict {
        /// Which order.
        order: OrderId,
        /// The version that was expected.
        expected: u64,
    },
    /// The channel's number already stands for another order.
    #[error("the channel's number already belongs to order {order}")]
    RefTaken {
        /// Whose it is.
        order: OrderId,
    },
    /// The pool knows too few codes for a booking that had some: asking again for another number.
    #[error("the booking already holds {held} codes, not {asked}")]
    CodesDiffer {
        /// What it holds.
        held: usize,
        /// What was asked for.
        asked: usize,
    },
    /// Sealed text could not be opened.
    #[error("sealed text cannot be opened: {0}")]
    Sealed(SealError),
    /// A value could not be written as, or read from, JSON.
    #[error("a stored document does not fit its type")]
    Document(#[source] Arc<serde_json::Error>),
    /// A column holds what it should not.
    #[error("column `{0}` holds an unexpected value")]
    Column(&'static str),
    /// A list was asked to go on from a place that is none.
    #[error("the cursor is not one of ours")]
    Cursor,
    /// A statement of the transaction had failed, and the transaction went on regardless.
    #[error("the transaction went on after a failed statement")]
    Doomed,
    /// The work of a transaction panicked; it was rolled back.
    #[error("the work of a transaction panicked")]
    Panicked,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// Why sealed text could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is not in our form.
    #[error("not in the sealed form")]
    Form,
    /// Its key is not among the configured ones.
    #[error("its key is not among the configured ones")]
    UnknownKey,
    /// It was changed, or belongs to another row.
    #[error("it was changed, or belongs to another row")]
    Forged,
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Document(Arc::new(error))
    }
}

impl StoreError {
    /// Sorts an error of a statement.
    pub(crate) fn statement(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::Duplicate,
            _ => StoreError::Statement(error),
        }
    }
}

/// Whether the database chose this transaction as the victim of a conflict, so that running it again may succeed:
/// serialization failures and deadlocks (PostgreSQL 40001, 40P01, 55P03; MySQL 1213, 1205, and 1020 of MariaDB's
/// snapshot isolation).
pub(crate) fn is_conflict(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source))
    | DbErr::Query(RuntimeErr::SqlxError(source))
    | DbErr::Conn(RuntimeErr::SqlxError(source))) = error
    else {
        return false;
    };
    let sqlx::Error::Database(database) = source.as_ref() else { return false };
    if let Some(mysql) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return matches!(mysql.number(), 1213 | 1205 | 1020);
    }
    matches!(database.code().as_deref(), Some("40001" | "40P01" | "55P03"))
}
