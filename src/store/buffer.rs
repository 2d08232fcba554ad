//! Rows that a transaction has still to write: what is new is kept in memory, read from there, and written at the end, many rows to
//! a statement, in one fixed order of tables.
//!
//! The rows of the work at hand lie over those of its predecessors in the same transaction: they are merged when it succeeds and
//! dropped when it is refused, so that neither needs the database.

use std::collections::BTreeMap;

use sea_orm::{DbBackend, Value};

use crate::dialect::Dialect;

/// A table whose new rows are kept back.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Its place among the tables: they are written in this order, everywhere.
    place: u8,
    /// Its name.
    name: &'static str,
    /// Its columns; those of the key first.
    columns: &'static [&'static str],
    /// How many of the columns are the key.
    key: usize,
    /// What happens to a row that is there already.
    known: Known,
}

impl Kept {
    /// Its columns behind the first `many`.
    pub(crate) fn columns_after(&self, many: usize) -> impl Iterator<Item = &'static str> {
        self.columns.iter().copied().skip(many)
    }
}

/// What happens to a row that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// That must not be: an error.
    Fails,
    /// It stays.
    Stays,
    /// It takes over these columns.
    TakesOver(&'static [&'static str]),
}

pub(crate) static ORDER_REF: Kept = Kept {
    place: 0,
    name: "order_ref",
    columns: &["ref_hash", "channel", "reference", "order_id", "booking_id", "tombstone", "tombstone_reason"],
    key: 1,
    known: Known::Fails,
};
pub(crate) static ORDERS: Kept = Kept {
    place: 1,
    name: "orders",
    columns: &[
        "id",
        "channel",
        "channel_order_id",
        "ref_hash",
        "kind",
        "created_ms",
        "state",
        "cancel_reason",
        "booking_state",
        "ticketing_state",
        "payment_state",
        "refund_state",
        "attention",
        "product",
        "quantity",
        "visit_date",
        "currency",
        "total",
        "version",
        "updated_ms",
        "document",
    ],
    key: 1,
    known: Known::Fails,
};
/// The key by which messages are found comes first, not that of the table.
pub(crate) static INBOX: Kept = Kept {
    place: 2,
    name: "inbox",
    columns: &[
        "dedupe",
        "id",
        "channel",
        "call_name",
        "msg_key",
        "received_ms",
        "body_sha256",
        "content_sha256",
        "body",
        "verdict",
        "order_id",
        "answer_status",
        "answer",
    ],
    key: 1,
    known: Known::Fails,
};
pub(crate) static ORDER_EVENT: Kept = Kept {
    place: 3,
    name: "order_event",
    columns: &["order_id", "seq", "id", "at_ms", "kind", "actor_kind", "actor_name", "reason", "body"],
    key: 2,
    known: Known::Fails,
};
pub(crate) static BOOKING: Kept = Kept {
    place: 4,
    name: "booking",
    columns: &["id", "order_id", "state", "visit_date"],
    key: 1,
    known: Known::TakesOver(&["state", "visit_date"]),
};
pub(crate) static REFUND_CASE: Kept = Kept {
    place: 5,
    name: "refund_case",
    columns: &["id", "order_id", "channel", "state", "channel_ref", "requested_ms", "review_by_ms"],
    key: 1,
    known: Known::TakesOver(&["state", "review_by_ms"]),
};
pub(crate) static JOB: Kept = Kept {
    place: 6,
    name: "job",
    columns: &[
        "id",
        "order_id",
        "destination",
        "call_name",
        "effect",
        "state",
        "seq",
        "holds_up",
        "due_ms",
        "lease_until_ms",
        "attempts",
        "read_back",
        "traceparent",
        "created_ms",
        "failed_last",
        "followed",
        "ready_ms",
        "urgent_ms",
    ],
    key: 1,
    known: Known::Fails,
};
pub(crate) static DEADLINE: Kept = Kept {
    place: 7,
    name: "deadline",
    columns: &[
        "id",
        "order_id",
        "kind",
        "state",
        "due_ms",
        "next_ms",
        "warn_at",
        "warned_ms",
        "passed_ms",
        "lease_until_ms",
        "lease_token",
    ],
    key: 1,
    known: Known::TakesOver(&[
        "state",
        "due_ms",
        "next_ms",
        "warn_at",
        "warned_ms",
        "passed_ms",
        "lease_until_ms",
        "lease_token",
    ]),
};
pub(crate) static GUEST_CLAIM: Kept = Kept {
    place: 8,
    name: "guest_claim",
    columns: &["order_id", "product", "kind", "hash", "units", "live"],
    key: 4,
    known: Known::TakesOver(&["units", "live"]),
};
pub(crate) static GUEST_REF: Kept =
    Kept { place: 9, name: "guest_ref", columns: &["hash", "order_id"], key: 2, known: Known::Stays };
pub(crate) static ORDER_END: Kept =
    Kept { place: 10, name: "order_end", columns: &["order_id", "ended_ms"], key: 1, known: Known::Stays };
pub(crate) static CREDIT_ENTRY: Kept = Kept {
    place: 11,
    name: "credit_entry",
    columns: &["account", "kind", "reference", "from_book", "to_book", "order_id", "amount", "at_ms"],
    key: 3,
    known: Known::Fails,
};
pub(crate) static STATEMENT_LINE: Kept = Kept {
    place: 12,
    name: "statement_line",
    columns: &["order_id", "version", "kind", "settle_id", "channel", "currency", "amount", "commission_bp", "at_ms"],
    key: 3,
    known: Known::Fails,
};

/// Rows of one statement, at most; smaller remainders go in fewer sizes, so that prepared statements are met again.
const SIZES: [usize; 3] = [64, 32, 16];
/// Rows that PostgreSQL takes for several tables in one statement, at most.
const TOGETHER_MAX: usize = 64;

type Row = Vec<Value>;

#[derive(Debug)]
struct Rows {
    of: &'static Kept,
    rows: Vec<Row>,
    /// By the key's text, where each row is.
    places: BTreeMap<String, usize>,
}

/// New rows, by table.
#[derive(Debug, Default)]
struct Layer(BTreeMap<u8, Rows>);

/// What remains of a key as text: keys hold strings and whole numbers.
fn key_of(of: &Kept, row: &[Value]) -> String {
    let mut text = String::new();
    for value in &row[..of.key] {
        match value {
            Value::String(Some(part)) => text.push_str(part),
            Value::BigInt(Some(number)) => text.push_str(&number.to_string()),
            other => text.push_str(&format!("{other:?}")),
        }
        text.push('\n');
    }
    text
}

impl Layer {
    /// Adds a row; `false` when its key is known and must not be.
    fn put(&mut self, of: &'static Kept, row: Row) -> bool {
        debug_assert_eq!(row.len(), of.columns.len(), "{}", of.name);
        let rows = self.0.entry(of.place).or_insert_with(|| Rows { of, rows: Vec::new(), places: BTreeMap::new() });
        let key = key_of(of, &row);
        match (rows.places.get(&key), of.known) {
            (Some(_), Known::Fails) => return false,
            (Some(_), Known::Stays) => {}
            (Some(at), Known::TakesOver(_)) => rows.rows[*at] = row,
            (None, _) => {
                rows.places.insert(key, rows.rows.len());
                rows.rows.push(row);
            }
        }
        true
    }

    fn find(&mut self, of: &Kept, key: &str) -> Option<&mut Row> {
        let rows = self.0.get_mut(&of.place)?;
        let at = *rows.places.get(key)?;
        rows.rows.get_mut(at)
    }
}

/// A statement that writes rows which were kept back.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

/// The rows that a transaction has still to write.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// Of works that succeeded.
    under: Layer,
    /// Of the work at hand.
    over: Layer,
    /// Rows of works that succeeded, written behind the mark of the work at hand: written again when that is undone.
    behind_mark: Vec<(&'static Kept, Row)>,
}

impl Buffer {
    /// Keeps a row back; `false` when its key is known and must not be.
    pub(crate) fn put(&mut self, of: &'static Kept, row: Vec<Value>) -> bool {
        if of.known == Known::Fails && self.under.find(of, &key_of(of, &row)).is_some() {
            return false;
        }
        self.over.put(of, row)
    }

    /// The row of this key, if it is kept back; what is changed of it belongs to the work at hand.
    pub(crate) fn find(&mut self, of: &'static Kept, key: &str) -> Option<&mut Vec<Value>> {
        self.over.find(of, &format!("{key}\n"))
    }

    /// The row of the work at hand that holds `value` in `column`.
    pub(crate) fn find_where(&mut self, of: &'static Kept, column: &str, value: &str) -> Option<&mut Vec<Value>> {
        let at = of.columns.iter().position(|name| *name == column)?;
        let rows = self.over.0.get_mut(&of.place)?;
        rows.rows.iter_mut().find(|row| matches!(row.get(at), Some(Value::String(Some(text))) if text == value))
    }

    /// Whether works before this one have made a row of this key that is still kept back.
    pub(crate) fn is_under(&mut self, of: &'static Kept, key: &str) -> bool {
        self.under.find(of, &format!("{key}\n")).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.under.0.is_empty() && self.over.0.is_empty()
    }

    /// Whether a row of the work at hand is kept back in a table that `sql` names, and whether one of its predecessors'.
    pub(crate) fn named(&self, sql: &str) -> bool {
        !self.is_empty() && self.under.0.values().chain(self.over.0.values()).any(|rows| names(sql, rows.of.name))
    }

    /// The work at hand succeeded.
    pub(crate) fn merge(&mut self) {
        self.behind_mark.clear();
        for (_, rows) in std::mem::take(&mut self.over).0 {
            for row in rows.rows {
                self.under.put(rows.of, row);
            }
        }
    }

    /// The work at hand came to nothing.
    pub(crate) fn drop_over(&mut self) {
        self.over = Layer::default();
        for (of, row) in std::mem::take(&mut self.behind_mark) {
            self.under.put(of, row);
        }
    }

    /// The statements that write the rows of works before this one, of the tables that `sql` names. When they are run behind a mark
    /// the rows are remembered until it is clear what becomes of that.
    pub(crate) fn take_under(&mut self, dialect: Dialect, sql: &str, marked: Marked) -> Vec<Write> {
        let taken = take_named(&mut self.under, sql);
        if marked == Marked::Yes {
            let rows = taken.iter().flat_map(|rows| rows.rows.iter().map(|row| (rows.of, row.clone())));
            self.behind_mark.extend(rows);
        }
        one_by_one(dialect, taken)
    }

    /// The same for the rows of the work at hand.
    pub(crate) fn take_over(&mut self, dialect: Dialect, sql: &str) -> Vec<Write> {
        one_by_one(dialect, take_named(&mut self.over, sql))
    }

    /// Everything, at the end.
    pub(crate) fn take_all(&mut self, dialect: Dialect) -> Vec<Write> {
        self.merge();
        let all: Vec<Rows> = std::mem::take(&mut self.under).0.into_values().collect();
        let many: usize = all.iter().map(|rows| rows.rows.len()).sum();
        if dialect.0 == DbBackend::Postgres && all.len() > 1 && many <= TOGETHER_MAX {
            return vec![together(dialect, all)];
        }
        one_by_one(dialect, all)
    }
}

/// Whether a mark is set in the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    Yes,
    No,
}

fn take_named(layer: &mut Layer, sql: &str) -> Vec<Rows> {
    let places: Vec<u8> = layer.0.values().filter(|rows| names(sql, rows.of.name)).map(|rows| rows.of.place).collect();
    places.into_iter().filter_map(|place| layer.0.remove(&place)).collect()
}

/// Whether `sql` holds `table` as a word.
fn names(sql: &str, table: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = sql.as_bytes();
    sql.match_indices(table).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !is_part(before) && !is_part(bytes.get(at + table.len()))
    })
}

fn one_by_one(dialect: Dialect, all: Vec<Rows>) -> Vec<Write> {
    let mut writes = Vec::new();
    for rows in all {
        let mut left = rows.rows.into_iter();
        while left.len() > 0 {
            let many = SIZES.into_iter().find(|size| *size <= left.len()).unwrap_or(left.len());
            let values: Vec<Value> = left.by_ref().take(many).flatten().collect();
            writes.push(Write { sql: insert(dialect, rows.of, many), values });
        }
    }
    writes
}

/// One round trip instead of one for each table. Every part is carried out, whether the last one reads it or not.
fn together(dialect: Dialect, mut all: Vec<Rows>) -> Write {
    let last = all.pop();
    let mut sql = String::from("WITH ");
    let mut values = Vec::new();
    for (n, rows) in all.into_iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        sql.push_str(&format!("{comma}part{n} AS ({})", insert(dialect, rows.of, rows.rows.len())));
        values.extend(rows.rows.into_iter().flatten());
    }
    if let Some(rows) = last {
        sql.push(' ');
        sql.push_str(&insert(dialect, rows.of, rows.rows.len()));
        values.extend(rows.rows.into_iter().flatten());
    }
    Write { sql, values }
}

fn insert(dialect: Dialect, of: &Kept, rows: usize) -> String {
    let ending = match (of.known, dialect.0) {
        (Known::Fails, _) => String::new(),
        (Known::Stays, _) => dialect.unless_exists(of.columns[0]),
        (Known::TakesOver(columns), DbBackend::MySql) => {
            let set: Vec<String> = columns.iter().map(|column| format!("{column} = VALUES({column})")).collect();
            format!(" ON DUPLICATE KEY UPDATE {}", set.join(", "))
        }
        (Known::TakesOver(columns), _) => {
            let set: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
            format!(" ON CONFLICT ({}) DO UPDATE SET {}", of.columns[..of.key].join(", "), set.join(", "))
        }
    };
    let marks = crate::dialect::rows_of_marks(rows, of.columns.len());
    format!("INSERT INTO {} ({}) VALUES {marks}{ending}", of.name, of.columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::values;

    const POSTGRES: Dialect = Dialect(DbBackend::Postgres);

    fn booking(id: &str, state: &str) -> Vec<Value> {
        values![id, "o", state, None::<String>]
    }

    #[test]
    fn what_a_refused_work_made_is_dropped_and_what_it_wrote_of_others_is_written_again() {
        let mut buffer = Buffer::default();
        assert!(buffer.put(&BOOKING, booking("a", "requested")));
        buffer.merge();
        assert!(buffer.put(&BOOKING, booking("b", "requested")));
        let sql = "SELECT state FROM booking WHERE id = ?";
        assert!(buffer.named(sql) && !buffer.named("SELECT booking_state FROM orders"));
        assert_eq!(buffer.take_under(POSTGRES, sql, Marked::Yes).len(), 1);
        assert_eq!(buffer.take_over(POSTGRES, sql).len(), 1);
        assert!(buffer.is_empty());
        buffer.drop_over();
        let all = buffer.take_all(POSTGRES);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].values, booking("a", "requested"));
    }

    #[test]
    fn a_row_is_written_once_as_it_was_last() {
        let mut buffer = Buffer::default();
        buffer.put(&BOOKING, booking("a", "requested"));
        buffer.put(&BOOKING, booking("a", "confirmed"));
        buffer.merge();
        buffer.put(&BOOKING, booking("a", "used"));
        buffer.put(&ORDER_END, values!["o", 1_i64]);
        let all = buffer.take_all(POSTGRES);
        assert_eq!(all.len(), 1, "one round trip");
        assert_eq!(
            all[0].sql,
            "WITH part0 AS (INSERT INTO booking (id, order_id, state, visit_date) VALUES (?, ?, ?, ?) \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, visit_date = excluded.visit_date) \
             INSERT INTO order_end (order_id, ended_ms) VALUES (?, ?) ON CONFLICT DO NOTHING"
        );
        assert_eq!(all[0].values[2], "used".into());
    }

    #[test]
    fn a_key_that_must_be_new_is_refused_whoever_made_it() {
        let mut buffer = Buffer::default();
        let line = || values!["o", 1_i64, "sale", "s", "c", "CNY", 1_i64, 0_i64, 1_i64];
        assert!(buffer.put(&STATEMENT_LINE, line()));
        assert!(!buffer.put(&STATEMENT_LINE, line()));
        buffer.merge();
        assert!(!buffer.put(&STATEMENT_LINE, line()));
    }
}
