// SPDX-License-Identifier: Apache-2.0

//! What can go wrong with a database, by operation.

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};
use std::path::PathBuf;
use std::sync::Arc;
use ticketbridge_core::OrderId;

/// Why an operation of the store failed. `Display` never prints the source, nor an address with its password.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is of no database that we know, or cannot be read.
    #[error(
        "the database address cannot be read: it begins with sqlite://, postgres:// or mysql://, and of a user name or a password `/` is written %2F, `?` %3F, `#` %23, `:` %3A, `@` %40 and `%` %25"
    )]
    Address,
    /// A file is there, and it is no database.
    #[error("{} is there, and is no SQLite database; name another file, or move it away", file.display())]
    NoDatabase {
        /// The file.
        file: std::path::PathBuf,
    },
    /// The folder of an SQLite file cannot be made.
    #[error("the folder of the database file cannot be made")]
    Folder(#[source] Arc<std::io::Error>),
    /// No connection.
    #[error("the database cannot be reached: {why} ({place})")]
    Unreachable {
        /// Host, port and database, or the file.
        place: String,
        /// What is likely to be the matter.
        why: String,
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// The disk of an SQLite file has no room.
    #[error("the disk is full: nothing can be written to {}", file.display())]
    DiskFull {
        /// What was to be written.
        file: PathBuf,
    },
    /// Another service uses this SQLite file.
    #[error("{} is in use by another service{}; stop that one first", file.display(), by(*pid))]
    InUse {
        /// The file.
        file: PathBuf,
        /// The process that holds it, as far as it said.
        pid: Option<u32>,
    },
    /// This SQLite file has several names.
    #[error(
        "{} has another name as well (a hard link): its log belongs to one of them, and a second service under the other would damage it; \
         make a copy instead", file.display()
    )]
    SeveralNames {
        /// The file.
        file: PathBuf,
    },
    /// A copy of its file was asked of a database that has none: one of a server, which has tools of its own.
    #[error("this database is no file of SQLite")]
    NoFile,
    /// Something has the name that was to be given.
    #[error("{} is there already; nothing is written over it", file.display())]
    Exists {
        /// The name.
        file: PathBuf,
    },
    /// The database is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The database takes no commits at present.
    #[error("the database takes no commits: {0}")]
    NoCommits(String),
    /// Its time was up before it was begun: nothing was done, and it can be tried again.
    #[error("the database is busy; nothing was done, try again")]
    TryLater,
    /// Its time was up before it was over. Whether it took effect will be seen when it is repeated.
    #[error("the database did not answer in time; whether this was done is not known yet")]
    NotKnown,
    /// The schema could not be brought up to date.
    #[error("the database schema cannot be brought up to date")]
    Migrate(#[source] DbErr),
    /// The user may make no tables in it.
    #[error(
        "the database schema cannot be brought up to date: the user of `[database] url` may make no tables there; let its administrator say: {mend}"
    )]
    MayNotMigrate {
        /// What the administrator of the database has to say to it.
        mend: &'static str,
        /// What the database said.
        #[source]
        source: DbErr,
    },
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
    /// An order or an event names rules that are not there.
    #[error("the rules kept as {digest} are missing from the database")]
    RulesUnknown {
        /// Their digest.
        digest: String,
    },
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
    /// The file of an SQLite database was moved away under the service, or another one has taken its place.
    #[error("{} is no longer the database that was opened: it was moved, taken away, or replaced; put it back, or restart the service", file.display())]
    Moved {
        /// Where it was.
        file: PathBuf,
    },
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

fn by(pid: Option<u32>) -> String {
    pid.map(|pid| format!(", process {pid}")).unwrap_or_default()
}

/// What an error of a statement means for its transaction and its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The statement did nothing; what came before it still stands, and the connection is good after a rollback.
    Clean,
    /// The database chose this transaction as the victim of a conflict: running it again may succeed.
    Conflict,
    /// Nobody knows what the connection is in the middle of.
    Broken,
    /// The database says that it is damaged.
    Damaged,
}

/// Sorts an error. What is not known is [`Trouble::Broken`].
pub(crate) fn trouble(error: &sqlx::Error) -> Trouble {
    let sqlx::Error::Database(database) = error else { return Trouble::Broken };
    if let Some(mysql) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return of_mysql(mysql.number());
    }
    let code = database.code().unwrap_or_default();
    if database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return of_sqlite(code.parse().unwrap_or(0));
    }
    of_postgres(&code)
}

/// 1213 deadlock, 1205 lock wait, 1020 MariaDB's snapshot isolation; duplicates, checks and syntax leave the transaction as it was. 1034,
/// 1194, 1195, 1712, 1812, 1877 and 1932 speak of a table that is not whole, or whose file is gone.
fn of_mysql(number: u16) -> Trouble {
    match number {
        1213 | 1205 | 1020 => Trouble::Conflict,
        1022 | 1048 | 1054 | 1062 | 1064 | 1136 | 1146 | 1264 | 1265 | 1364 | 1366 | 1406 | 1451 | 1452 | 1586
        | 1690 | 4025 => Trouble::Clean,
        1034 | 1194 | 1195 | 1712 | 1812 | 1877 | 1932 => Trouble::Damaged,
        _ => Trouble::Broken,
    }
}

/// By primary code: after ERROR, TOOBIG, CONSTRAINT, MISMATCH and RANGE the transaction is as it was before the statement; after all
/// others, FULL and IOERR among them, SQLite may have rolled it back by itself.
fn of_sqlite(code: i32) -> Trouble {
    match code & 0xff {
        1 | 18 | 19 | 20 | 25 => Trouble::Clean,
        5 => Trouble::Conflict,
        11 | 26 => Trouble::Damaged,
        _ => Trouble::Broken,
    }
}

/// 40001 serialization, 40P01 deadlock, 55P03 lock not available; classes of plain refusals: 21, 22, 23, 42, 44. XX001 and XX002 speak of
/// damaged data, 58P01 of a table's file that is gone.
fn of_postgres(code: &str) -> Trouble {
    match (code, code.get(..2).unwrap_or("")) {
        ("40001" | "40P01" | "55P03", _) => Trouble::Conflict,
        ("XX001" | "XX002" | "58P01", _) => Trouble::Damaged,
        (_, "21" | "22" | "23" | "42" | "44") => Trouble::Clean,
        _ => Trouble::Broken,
    }
}

/// Whether the answer to a question that only names tables says that one of them is gone, or cannot be read.
pub(crate) fn is_unreadable(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    match trouble(error) {
        Trouble::Clean | Trouble::Damaged => true,
        Trouble::Conflict | Trouble::Broken => false,
    }
}

/// Whether the database says that this user may not do this. PostgreSQL 42501; 1044, 1142 and 1370 of MySQL.
pub(crate) fn is_forbidden(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    let sqlx::Error::Database(database) = &**error else { return false };
    match database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        Some(mysql) => matches!(mysql.number(), 1044 | 1142 | 1370),
        None => database.code().as_deref() == Some("42501"),
    }
}

/// Whether the session had ended when the statement came, or ended before it said anything: to somebody who only reads it is as if he had
/// not asked. PostgreSQL 57P01 to 57P03 and class 08; 1053 shutdown, 1927 and 3169 killed.
pub(crate) fn is_gone(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return true };
    if let Some(mysql) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return matches!(mysql.number(), 1053 | 1927 | 3169);
    }
    if database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return false;
    }
    let code = database.code().unwrap_or_default();
    matches!(&*code, "57P01" | "57P02" | "57P03") || code.starts_with("08")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_ended_a_transaction_is_never_taken_for_harmless() {
        // FULL, IOERR and its kinds, NOMEM, INTERRUPT, CANTOPEN, PROTOCOL, READONLY.
        for code in [13, 10, 778, 1034, 4874, 7, 9, 14, 15, 8] {
            assert_eq!(of_sqlite(code), Trouble::Broken, "{code}");
        }
        for code in [2067, 1555, 1299] {
            assert_eq!(of_sqlite(code), Trouble::Clean, "{code}");
        }
        assert_eq!(
            (of_sqlite(11), of_sqlite(26), of_sqlite(5), of_sqlite(517)),
            (Trouble::Damaged, Trouble::Damaged, Trouble::Conflict, Trouble::Conflict)
        );
        for code in ["XX001", "XX002", "58P01"] {
            assert_eq!(of_postgres(code), Trouble::Damaged, "{code}");
        }
        for code in ["57014", "57P01", "25P03", "25P02", "53100", "58030", "08006", ""] {
            assert_eq!(of_postgres(code), Trouble::Broken, "{code}");
        }
        assert_eq!((of_postgres("23505"), of_postgres("40P01")), (Trouble::Clean, Trouble::Conflict));
        for number in [1021, 1026, 1030, 1114, 1053, 1317, 1927, 1969, 2013] {
            assert_eq!(of_mysql(number), Trouble::Broken, "{number}");
        }
        assert_eq!((of_mysql(1062), of_mysql(1213)), (Trouble::Clean, Trouble::Conflict));
    }
}
