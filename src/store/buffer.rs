// SPDX-License-Identifier: Apache-2.0

//! Rows that a transaction has still to write: what is new or changed is kept in memory, read from there, and written at the end, many
//! rows to a statement, in one fixed order of tables.
//!
//! The rows of the work at hand lie over those of its predecessors in the same transaction, and these over what was read from the
//! database: they are merged when the work succeeds and dropped when it is refused, so that neither needs the database. Whatever is
//! changed here was locked when it was read, so what is written at the end cannot meet anybody else's change.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{DbBackend, Value};

use crate::dialect::{Dialect, marks, values};

/// A table whose rows are kept back.
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
    /// What happens when a new row is there already.
    known: Known,
    /// The columns that may change after the row was made.
    changing: &'static [&'static str],
}

impl Kept {
    /// Where a column stands in a row.
    ///
    /// # Panics
    /// When there is no such column: a slip of the pen.
    pub(crate) fn at(&self, column: &str) -> usize {
        match self.columns.iter().position(|name| *name == column) {
            Some(at) => at,
            None => unreachable!("{} has no column {column}", self.name),
        }
    }
    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
    /// How many columns there are.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }
}

/// What happens when a new row is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// That must not be: an error.
    Fails,
    /// It stays.
    Stays,
    /// It takes over the columns that may change.
    TakesOver,
}

pub(crate) static ORDER_REF: Kept = Kept {
    place: 0,
    name: "order_ref",
    columns: &["ref_hash", "channel", "reference", "order_id", "booking_id", "tombstone", "tombstone_reason"],
    key: 1,
    known: Known::Fails,
    changing: &["order_id", "booking_id", "tombstone", "tombstone_reason"],
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
    changing: &[
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
    changing: &[],
};
pub(crate) static ORDER_EVENT: Kept = Kept {
    place: 3,
    name: "order_event",
    columns: &["order_id", "seq", "id", "at_ms", "kind", "actor_kind", "actor_name", "reason", "body"],
    key: 2,
    known: Known::Fails,
    changing: &[],
};
pub(crate) static BOOKING: Kept = Kept {
    place: 4,
    name: "booking",
    columns: &["id", "order_id", "state", "visit_date"],
    key: 1,
    known: Known::TakesOver,
    changing: &["state", "visit_date"],
};
pub(crate) static REFUND_CASE: Kept = Kept {
    place: 5,
    name: "refund_case",
    columns: &["id", "order_id", "channel", "state", "channel_ref", "requested_ms", "review_by_ms"],
    key: 1,
    known: Known::TakesOver,
    changing: &["state", "review_by_ms"],
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
        "lease_token",
        "last_error",
        "done_ms",
        "wire_key",
    ],
    key: 1,
    known: Known::Fails,
    changing: &[
        "state",
        "due_ms",
        "lease_until_ms",
        "attempts",
        "read_back",
        "failed_last",
        "followed",
        "ready_ms",
        "lease_token",
        "last_error",
        "done_ms",
        "wire_key",
    ],
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
    known: Known::TakesOver,
    changing: &["state", "due_ms", "next_ms", "warn_at", "warned_ms", "passed_ms", "lease_until_ms", "lease_token"],
};
pub(crate) static GUEST_CLAIM: Kept = Kept {
    place: 8,
    name: "guest_claim",
    columns: &["order_id", "product", "kind", "hash", "units", "live"],
    key: 4,
    known: Known::TakesOver,
    changing: &["units", "live"],
};
pub(crate) static GUEST_REF: Kept =
    Kept { place: 9, name: "guest_ref", columns: &["hash", "order_id"], key: 2, known: Known::Stays, changing: &[] };
pub(crate) static ORDER_END: Kept = Kept {
    place: 10,
    name: "order_end",
    columns: &["order_id", "ended_ms"],
    key: 1,
    known: Known::Stays,
    changing: &[],
};
pub(crate) static CREDIT_ENTRY: Kept = Kept {
    place: 11,
    name: "credit_entry",
    columns: &["account", "kind", "reference", "from_book", "to_book", "order_id", "amount", "at_ms"],
    key: 3,
    known: Known::Fails,
    changing: &[],
};
pub(crate) static STATEMENT_LINE: Kept = Kept {
    place: 12,
    name: "statement_line",
    columns: &["order_id", "version", "kind", "settle_id", "channel", "currency", "amount", "commission_bp", "at_ms"],
    key: 3,
    known: Known::Fails,
    changing: &[],
};

/// Made when missing before anything is kept back of it, and locked: so the row that is there is always ours.
pub(crate) static STOCK: Kept = Kept {
    place: 13,
    name: "stock",
    columns: &["product", "visit_date", "total", "taken"],
    key: 2,
    known: Known::TakesOver,
    changing: &["total", "taken"],
};
/// As [`STOCK`].
pub(crate) static CREDIT_ACCOUNT: Kept = Kept {
    place: 14,
    name: "credit_account",
    columns: &["id", "balance", "held"],
    key: 1,
    known: Known::TakesOver,
    changing: &["balance", "held"],
};
pub(crate) static CALL_LOG: Kept = Kept {
    place: 15,
    name: "call_log",
    columns: &[
        "id",
        "order_id",
        "direction",
        "partner",
        "call_name",
        "at_ms",
        "duration_ms",
        "attempt",
        "status",
        "verdict",
        "summary",
    ],
    key: 1,
    known: Known::Fails,
    changing: &[],
};

pub(crate) static RULE_SET: Kept =
    Kept { place: 16, name: "rule_set", columns: &["digest", "terms"], key: 1, known: Known::Stays, changing: &[] };

/// Who holds a code. Never deleted: one whose holder's tickets are void becomes another order's.
pub(crate) static HELD_CODE: Kept = Kept {
    place: 17,
    name: "held_code",
    columns: &["hash", "order_id"],
    key: 1,
    known: Known::Fails,
    changing: &["order_id"],
};

/// Rows of one statement, at most; smaller remainders go in fewer sizes, so that prepared statements are met again.
const SIZES: [usize; 3] = [64, 32, 16];

/// A row, in the order of its table's columns.
pub(crate) type Row = Vec<Value>;

/// A row that is to be written.
#[derive(Clone, Debug)]
struct Cell {
    row: Row,
    /// The database does not have it yet.
    is_new: bool,
}

#[derive(Clone, Debug)]
struct Rows {
    of: &'static Kept,
    cells: Vec<Cell>,
    /// By the key's text, where each row is.
    places: HashMap<String, usize>,
}

/// What is to be written, by table.
#[derive(Clone, Debug, Default)]
struct Layer {
    tables: BTreeMap<u8, Rows>,
    /// Deadlines that are armed or passed in the database, and are to be disarmed.
    disarmed: BTreeSet<String>,
    /// Orders and products whose claims in the database are to be released.
    released: BTreeSet<(String, String)>,
}

/// A key as text, of its parts: they hold strings and whole numbers.
pub(crate) fn key_text(parts: &[&str]) -> String {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for part in parts {
        text.push_str(part);
        text.push('\n');
    }
    text
}

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
    /// Adds or replaces a row; `false` when its key is known and must not be.
    fn put(&mut self, of: &'static Kept, cell: Cell) -> bool {
        debug_assert_eq!(cell.row.len(), of.columns.len(), "{}", of.name);
        let rows =
            self.tables.entry(of.place).or_insert_with(|| Rows { of, cells: Vec::new(), places: HashMap::new() });
        let key = key_of(of, &cell.row);
        if of.place == DEADLINE.place {
            self.disarmed.remove(key.trim_end_matches('\n'));
        }
        match rows.places.get(&key) {
            None => {
                rows.places.insert(key, rows.cells.len());
                rows.cells.push(cell);
            }
            Some(at) => match (cell.is_new, of.known) {
                (true, Known::Fails) => return false,
                (true, Known::Stays) => {}
                // The database has the row or does not, whatever became of it meanwhile.
                (false, _) | (true, Known::TakesOver) => rows.cells[*at].row = cell.row,
            },
        }
        true
    }

    /// Lays a row over the one that is here: what has become of it.
    fn lay(&mut self, of: &'static Kept, cell: Cell) {
        match self.row_mut(of, &key_of(of, &cell.row)) {
            Some(row) if of.known != Known::Stays => *row = cell.row,
            Some(_) => {}
            None => drop(self.put(of, cell)),
        }
    }

    fn cell(&self, of: &Kept, key: &str) -> Option<&Cell> {
        let rows = self.tables.get(&of.place)?;
        rows.cells.get(*rows.places.get(key)?)
    }

    fn row_mut(&mut self, of: &Kept, key: &str) -> Option<&mut Row> {
        let rows = self.tables.get_mut(&of.place)?;
        let at = *rows.places.get(key)?;
        rows.cells.get_mut(at).map(|cell| &mut cell.row)
    }

    fn cells(&self, of: &Kept) -> impl Iterator<Item = &Cell> {
        self.tables.get(&of.place).into_iter().flat_map(|rows| rows.cells.iter())
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.disarmed.is_empty() && self.released.is_empty()
    }

    /// Whether something of it is in a table that `sql` names.
    fn is_named(&self, sql: &str) -> bool {
        self.tables.values().any(|rows| names(sql, rows.of.name))
            || (!self.disarmed.is_empty() && names(sql, DEADLINE.name))
            || (!self.released.is_empty() && names(sql, GUEST_CLAIM.name))
    }

    /// Lays `over` upon this.
    fn absorb(&mut self, over: Layer) {
        self.disarmed.extend(over.disarmed);
        self.released.extend(over.released);
        for (_, rows) in over.tables {
            for cell in rows.cells {
                self.lay(rows.of, cell);
            }
        }
    }

    /// What of it is in tables that `sql` names.
    fn take_named(&mut self, sql: &str) -> Layer {
        let mut taken = Layer::default();
        let places = self.tables.values().filter(|rows| names(sql, rows.of.name)).map(|rows| rows.of.place);
        for place in places.collect::<Vec<u8>>() {
            taken.tables.extend(self.tables.remove_entry(&place));
        }
        if names(sql, DEADLINE.name) {
            taken.disarmed = std::mem::take(&mut self.disarmed);
        }
        if names(sql, GUEST_CLAIM.name) {
            taken.released = std::mem::take(&mut self.released);
        }
        taken
    }
}

/// A statement that writes rows which were kept back.
#[derive(Debug)]
pub(crate) enum Write {
    /// A value for each mark.
    Values {
        /// The statement.
        sql: String,
        /// Its values.
        values: Vec<Value>,
    },
    /// A column for each mark: PostgreSQL takes any number of rows by one text, for all tables together.
    Columns {
        /// The statement.
        sql: String,
        /// Its columns.
        columns: Vec<Vec<Value>>,
    },
}

/// The rows that a transaction has still to write, and those that it has read.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// Of works that succeeded.
    under: Layer,
    /// Of the work at hand.
    over: Layer,
    /// Of works that succeeded, written behind the mark of the work at hand: written again when that is undone.
    behind_mark: Layer,
    /// As the database has them: rows by table and key, locked where they may be changed, and keys that it does not have.
    read: HashMap<(u8, String), Option<Row>>,
    /// Which rows of a table belong to something, where all of those were read.
    groups: HashMap<(u8, String), Vec<String>>,
    /// Orders that were left out when all were looked for: somebody held them, or they are not there.
    missed: BTreeSet<String>,
}

impl Buffer {
    /// Notes orders that were left out when all were looked for.
    pub(crate) fn note_missed(&mut self, orders: impl Iterator<Item = String>) {
        self.missed.extend(orders);
    }
    /// Whether this order was left out.
    pub(crate) fn is_missed(&self, order: &str) -> bool {
        self.missed.contains(order)
    }
    /// Keeps a new row back; `false` when its key is known and must not be.
    pub(crate) fn put(&mut self, of: &'static Kept, row: Row) -> bool {
        if of.known == Known::Fails && self.under.cell(of, &key_of(of, &row)).is_some() {
            return false;
        }
        self.over.put(of, Cell { row, is_new: true })
    }

    /// Keeps back what a row becomes that was seen before.
    pub(crate) fn change(&mut self, of: &'static Kept, row: Row) {
        let key = key_of(of, &row);
        let is_new = self.under.cell(of, &key).is_some_and(|cell| cell.is_new);
        match self.over.row_mut(of, &key) {
            Some(place) => *place = row,
            None => drop(self.over.put(of, Cell { row, is_new })),
        }
    }

    /// The row of this key as the work at hand sees it: `None` when nobody has looked, `Some(None)` when there is none.
    pub(crate) fn see(&self, of: &Kept, key: &str) -> Option<Option<&Row>> {
        if let Some(cell) = self.over.cell(of, key).or_else(|| self.under.cell(of, key)) {
            return Some(Some(&cell.row));
        }
        self.read.get(&(of.place, key.to_owned())).map(Option::as_ref)
    }

    /// The row of the work at hand that holds `value` in `column`.
    pub(crate) fn find_where(&mut self, of: &'static Kept, column: &str, value: &str) -> Option<&mut Row> {
        let at = of.columns.iter().position(|name| *name == column)?;
        let rows = self.over.tables.get_mut(&of.place)?;
        rows.cells.iter_mut().map(|cell| &mut cell.row).find(|row| is_text(row.get(at), value))
    }

    /// Whether the row of this key is made by this transaction.
    pub(crate) fn is_made_here(&self, of: &'static Kept, key: &str) -> bool {
        let key = format!("{key}\n");
        self.over.cell(of, &key).or_else(|| self.under.cell(of, &key)).is_some_and(|cell| cell.is_new)
    }

    /// Notes a row as the database has it, or that it has none.
    pub(crate) fn note_read(&mut self, of: &Kept, key: String, row: Option<Row>) {
        self.read.insert((of.place, key), row);
    }

    /// Notes a row as the database has it.
    pub(crate) fn note_read_row(&mut self, of: &Kept, row: Row) {
        self.read.insert((of.place, key_of(of, &row)), Some(row));
    }

    /// The keys of the rows of a table that were read, and for whom nothing of another table was: `None` there.
    pub(crate) fn read_without_group(&self, of: &Kept, group_of: &Kept) -> Vec<String> {
        let here = self.read.iter().filter(|((place, _), row)| *place == of.place && row.is_some());
        let keys = here.map(|((_, key), _)| key.trim_end_matches('\n').to_owned());
        keys.filter(|key| !self.knows_group(group_of, key)).collect()
    }

    /// Notes all rows of a table that belong to `group`, as the database has them.
    pub(crate) fn note_group(&mut self, of: &Kept, group: String, rows: Vec<Row>) {
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            let key = key_of(of, &row);
            keys.push(key.clone());
            self.read.insert((of.place, key), Some(row));
        }
        self.groups.insert((of.place, group), keys);
    }

    /// Whether all rows that belong to `group` were read.
    pub(crate) fn knows_group(&self, of: &Kept, group: &str) -> bool {
        self.groups.contains_key(&(of.place, group.to_owned()))
    }

    /// The rows that belong to `group` as the work at hand sees them: those that are kept back and hold `values` in `columns`, and those
    /// that were read.
    pub(crate) fn group(&self, of: &Kept, group: &str, columns: &[(&str, &str)]) -> Vec<Row> {
        let mut found = self.group_kept(of, columns);
        found.extend(self.group_read(of, group));
        found
    }

    /// Of these, those that are kept back.
    pub(crate) fn group_kept(&self, of: &Kept, columns: &[(&str, &str)]) -> Vec<Row> {
        let at: Vec<(usize, &str)> = columns.iter().map(|(column, value)| (of.at(column), *value)).collect();
        let belongs = |cell: &&Cell| at.iter().all(|(at, value)| is_text(cell.row.get(*at), value));
        let over = self.over.cells(of).filter(belongs).map(|cell| cell.row.clone());
        let under = self.under.cells(of).filter(belongs);
        let under = under.filter(|cell| self.over.cell(of, &key_of(of, &cell.row)).is_none());
        over.chain(under.map(|cell| cell.row.clone())).collect()
    }

    /// Of these, those that are as the database has them.
    pub(crate) fn group_read(&self, of: &Kept, group: &str) -> Vec<Row> {
        let keys = self.groups.get(&(of.place, group.to_owned()));
        let keys = keys.into_iter().flatten();
        let same = keys.filter(|key| self.over.cell(of, key).is_none() && self.under.cell(of, key).is_none());
        same.filter_map(|key| self.read.get(&(of.place, key.clone())).cloned().flatten()).collect()
    }

    /// Disarms a deadline, whether it is kept back or in the database.
    pub(crate) fn disarm(&mut self, id: &str, disarmed: impl Fn(&mut Row)) {
        let key = format!("{id}\n");
        if let Some(row) = self.over.row_mut(&DEADLINE, &key) {
            disarmed(row);
        } else if let Some(cell) = self.under.cell(&DEADLINE, &key) {
            let mut cell = cell.clone();
            disarmed(&mut cell.row);
            self.over.put(&DEADLINE, cell);
        } else {
            self.over.disarmed.insert(id.to_owned());
        }
    }

    /// Releases the claims of an order to a product, whether they are kept back or in the database.
    pub(crate) fn release(&mut self, order: &str, product: &str) {
        let live = GUEST_CLAIM.at("live");
        let columns = [("order_id", order), ("product", product)];
        for mut row in self.group_kept(&GUEST_CLAIM, &columns) {
            row[live] = 0_i16.into();
            self.change(&GUEST_CLAIM, row);
        }
        self.over.released.insert((order.to_owned(), product.to_owned()));
    }

    /// Whether the claims that the database has of an order to a product are released.
    pub(crate) fn is_released(&self, order: &str, product: &str) -> bool {
        let pair = (order.to_owned(), product.to_owned());
        self.over.released.contains(&pair) || self.under.released.contains(&pair)
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.under.is_empty() && self.over.is_empty()
    }

    /// Whether a row is kept back in a table that `sql` names.
    pub(crate) fn named(&self, sql: &str) -> bool {
        self.under.is_named(sql) || self.over.is_named(sql)
    }

    /// The work at hand succeeded.
    pub(crate) fn merge(&mut self) {
        self.behind_mark = Layer::default();
        let over = std::mem::take(&mut self.over);
        self.under.absorb(over);
    }

    /// The work at hand came to nothing.
    pub(crate) fn drop_over(&mut self) {
        self.over = Layer::default();
        let again = std::mem::take(&mut self.behind_mark);
        self.under.absorb(again);
    }

    /// The statements that write the rows of works before this one, of the tables that `sql` names. When they are run behind a mark
    /// the rows are remembered until it is clear what becomes of that.
    pub(crate) fn take_under(&mut self, dialect: Dialect, sql: &str, marked: Marked) -> Vec<Write> {
        let taken = self.under.take_named(sql);
        if marked == Marked::Yes {
            self.behind_mark.absorb(taken.clone());
        }
        writes(dialect, taken)
    }

    /// The same for the rows of the work at hand.
    pub(crate) fn take_over(&mut self, dialect: Dialect, sql: &str) -> Vec<Write> {
        writes(dialect, self.over.take_named(sql))
    }

    /// Forgets what was read of the tables that `sql` names: it is about to change.
    pub(crate) fn forget_read(&mut self, sql: &str) {
        let named: Vec<u8> = TABLES.iter().filter(|of| names(sql, of.name)).map(|of| of.place).collect();
        if !named.is_empty() {
            self.read.retain(|(place, _), _| !named.contains(place));
            self.groups.retain(|(place, _), _| !named.contains(place));
        }
    }

    /// Forgets everything that was read.
    pub(crate) fn forget_all_read(&mut self) {
        self.read.clear();
        self.groups.clear();
    }

    /// The keys of the rows of a table that works which succeeded have kept back.
    pub(crate) fn keys_under(&self, of: &Kept) -> Vec<String> {
        let keys = self.under.tables.get(&of.place).into_iter().flat_map(|rows| rows.places.keys());
        keys.map(|key| key.trim_end_matches('\n').to_owned()).collect()
    }

    /// The rows of a table that works which succeeded have kept back.
    pub(crate) fn rows_under(&mut self, of: &Kept) -> impl Iterator<Item = &mut Row> {
        self.under
            .tables
            .get_mut(&of.place)
            .into_iter()
            .flat_map(|rows| rows.cells.iter_mut().map(|cell| &mut cell.row))
    }

    /// Everything, at the end.
    pub(crate) fn take_all(&mut self, dialect: Dialect) -> Vec<Write> {
        self.merge();
        writes(dialect, std::mem::take(&mut self.under))
    }
}

/// Every table whose rows are kept back or remembered.
static TABLES: [&Kept; 18] = [
    &ORDER_REF,
    &ORDERS,
    &INBOX,
    &ORDER_EVENT,
    &BOOKING,
    &REFUND_CASE,
    &JOB,
    &DEADLINE,
    &GUEST_CLAIM,
    &GUEST_REF,
    &ORDER_END,
    &CREDIT_ENTRY,
    &STATEMENT_LINE,
    &STOCK,
    &CREDIT_ACCOUNT,
    &CALL_LOG,
    &RULE_SET,
    &HELD_CODE,
];

/// Whether a mark is set in the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    Yes,
    No,
}

fn is_text(value: Option<&Value>, text: &str) -> bool {
    matches!(value, Some(Value::String(Some(found))) if found == text)
}

/// Whether `sql` holds `table` as a word.
pub(crate) fn names(sql: &str, table: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = sql.as_bytes();
    sql.match_indices(table).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !is_part(before) && !is_part(bytes.get(at + table.len()))
    })
}

/// The statements that write a layer: what is only switched off first, then table by table new rows and changed ones.
fn writes(dialect: Dialect, layer: Layer) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut of_product: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (order, product) in layer.released {
        of_product.entry(product).or_default().push(order.into());
    }
    for (product, orders) in of_product {
        let sql =
            format!("UPDATE guest_claim SET live = 0 WHERE order_id IN ({}) AND product = ?", marks(orders.len()));
        writes.push(Write::Values { sql, values: orders.into_iter().chain(values![product]).collect() });
    }
    if !layer.disarmed.is_empty() {
        let sql = format!(
            "UPDATE deadline SET state = 'disarmed', lease_until_ms = 0, lease_token = NULL \
             WHERE id IN ({}) AND state <> 'disarmed'",
            marks(layer.disarmed.len())
        );
        writes.push(Write::Values { sql, values: layer.disarmed.into_iter().map(Value::from).collect() });
    }
    let mut parts: Vec<(&'static Kept, Known, Vec<Row>)> = Vec::new();
    for (_, rows) in layer.tables {
        let (new, changed): (Vec<Cell>, Vec<Cell>) = rows.cells.into_iter().partition(|cell| cell.is_new);
        for (cells, known) in [(new, rows.of.known), (changed, Known::TakesOver)] {
            if !cells.is_empty() {
                parts.push((rows.of, known, cells.into_iter().map(|cell| cell.row).collect()));
            }
        }
    }
    if dialect.0 == DbBackend::Postgres {
        writes.extend(together(dialect, parts));
    } else {
        for (of, known, rows) in parts {
            one_by_one(dialect, of, known, rows, &mut writes);
        }
    }
    writes
}

fn one_by_one(dialect: Dialect, of: &'static Kept, known: Known, rows: Vec<Row>, writes: &mut Vec<Write>) {
    let mut left = rows.into_iter();
    while left.len() > 0 {
        let many = SIZES.into_iter().find(|size| *size <= left.len()).unwrap_or(left.len());
        let values: Vec<Value> = left.by_ref().take(many).flatten().collect();
        let rows = format!("VALUES {}", crate::dialect::rows_of_marks(many, of.columns.len()));
        writes.push(Write::Values { sql: insert(dialect, of, known, &rows), values });
    }
}

/// One round trip for all tables, however many rows there are: their columns go as lists. Every part is carried out, whether the last
/// one reads it or not.
fn together(dialect: Dialect, parts: Vec<(&'static Kept, Known, Vec<Row>)>) -> Option<Write> {
    let last = parts.len().checked_sub(1)?;
    let mut sql = String::new();
    let mut columns: Vec<Vec<Value>> = Vec::new();
    for (n, (of, known, rows)) in parts.into_iter().enumerate() {
        let mut lists: Vec<Vec<Value>> = (0..of.columns.len()).map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            for (list, value) in lists.iter_mut().zip(row) {
                list.push(value);
            }
        }
        let casts: Vec<String> = lists.iter().map(|list| format!("?::{}", list_type(list))).collect();
        let insert = insert(dialect, of, known, &format!("SELECT * FROM UNNEST({})", casts.join(", ")));
        match (n == last, n) {
            (true, 0) => sql.push_str(&insert),
            (true, _) => sql.push_str(&format!(" {insert}")),
            (false, 0) => sql.push_str(&format!("WITH part0 AS ({insert})")),
            (false, _) => sql.push_str(&format!(", part{n} AS ({insert})")),
        }
        columns.extend(lists);
    }
    Some(Write::Columns { sql, columns })
}

fn list_type(list: &[Value]) -> &'static str {
    match list.first() {
        Some(Value::BigInt(_)) => "BIGINT[]",
        Some(Value::SmallInt(_)) => "SMALLINT[]",
        // Texts: no row of ours holds anything else.
        _ => "TEXT[]",
    }
}

fn insert(dialect: Dialect, of: &Kept, known: Known, rows: &str) -> String {
    let ending = match (known, dialect.0) {
        (Known::Fails, _) => String::new(),
        (Known::Stays, _) => dialect.unless_exists(of.columns[0]),
        (Known::TakesOver, DbBackend::MySql) => {
            let set: Vec<String> = of.changing.iter().map(|column| format!("{column} = VALUES({column})")).collect();
            format!(" ON DUPLICATE KEY UPDATE {}", set.join(", "))
        }
        (Known::TakesOver, _) => {
            let set: Vec<String> = of.changing.iter().map(|column| format!("{column} = excluded.{column}")).collect();
            format!(" ON CONFLICT ({}) DO UPDATE SET {}", of.columns[..of.key].join(", "), set.join(", "))
        }
    };
    format!("INSERT INTO {} ({}) {rows}{ending}", of.name, of.columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::values;

    const POSTGRES: Dialect = Dialect(DbBackend::Postgres);
    const SQLITE: Dialect = Dialect(DbBackend::Sqlite);

    fn booking(id: &str, state: &str) -> Row {
        values![id, "o", state, None::<String>]
    }

    fn texts(all: Vec<Write>) -> Vec<(String, usize)> {
        let of = |write| match write {
            Write::Values { sql, values } => (sql, values.len()),
            Write::Columns { sql, columns } => (sql, columns.first().map_or(0, Vec::len)),
        };
        all.into_iter().map(of).collect()
    }

    #[test]
    fn what_a_refused_work_made_is_dropped_and_what_it_wrote_of_others_is_written_again() {
        let mut buffer = Buffer::default();
        assert!(buffer.put(&BOOKING, booking("a", "requested")));
        buffer.merge();
        assert!(buffer.put(&BOOKING, booking("b", "requested")));
        let sql = "SELECT state FROM booking WHERE id = ?";
        assert!(buffer.named(sql) && !buffer.named("SELECT booking_state FROM orders"));
        assert_eq!(buffer.take_under(SQLITE, sql, Marked::Yes).len(), 1);
        assert_eq!(buffer.take_over(SQLITE, sql).len(), 1);
        assert!(buffer.is_empty());
        buffer.drop_over();
        let all = buffer.take_all(SQLITE);
        assert_eq!(all.len(), 1);
        assert!(matches!(&all[0], Write::Values { values, .. } if *values == booking("a", "requested")));
    }

    #[test]
    fn a_row_is_written_once_as_it_was_last() {
        let mut buffer = Buffer::default();
        buffer.put(&BOOKING, booking("a", "requested"));
        buffer.put(&BOOKING, booking("a", "confirmed"));
        buffer.merge();
        buffer.put(&BOOKING, booking("a", "used"));
        buffer.put(&ORDER_END, values!["o", 1_i64]);
        assert_eq!(buffer.see(&BOOKING, "a\n").flatten(), Some(&booking("a", "used")));
        let all = texts(buffer.take_all(POSTGRES));
        let sql = "WITH part0 AS (INSERT INTO booking (id, order_id, state, visit_date) \
                   SELECT * FROM UNNEST(?::TEXT[], ?::TEXT[], ?::TEXT[], ?::TEXT[]) \
                   ON CONFLICT (id) DO UPDATE SET state = excluded.state, visit_date = excluded.visit_date) \
                   INSERT INTO order_end (order_id, ended_ms) SELECT * FROM UNNEST(?::TEXT[], ?::BIGINT[]) ON CONFLICT DO NOTHING";
        assert_eq!(all, [(sql.to_owned(), 1)], "one round trip");
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

    #[test]
    fn the_second_sees_what_the_first_did_and_nothing_of_who_was_refused() {
        let mut buffer = Buffer::default();
        let stock = |taken: i64| values!["p", "", 10_i64, taken];
        let key = key_text(&["p", ""]);
        buffer.note_read(&STOCK, key.clone(), Some(stock(3)));
        buffer.change(&STOCK, stock(4));
        buffer.merge();
        assert_eq!(buffer.see(&STOCK, &key).flatten(), Some(&stock(4)));
        buffer.change(&STOCK, stock(9));
        assert_eq!(buffer.see(&STOCK, &key).flatten(), Some(&stock(9)));
        buffer.drop_over();
        assert_eq!(buffer.see(&STOCK, &key).flatten(), Some(&stock(4)));
        buffer.change(&STOCK, stock(5));
        let all = buffer.take_all(SQLITE);
        assert!(matches!(&all[..], [Write::Values { values, .. }] if *values == stock(5)), "once: {all:?}");
    }

    #[test]
    fn a_new_row_that_is_changed_stays_new_and_a_known_one_is_changed_in_its_place() {
        let mut buffer = Buffer::default();
        let order_ref = |hash: &str, order: &str| values![hash, "c", "r", order, None::<String>, 0_i16, None::<String>];
        buffer.note_read(&ORDER_REF, key_text(&["known"]), Some(order_ref("known", "a")));
        buffer.put(&ORDER_REF, order_ref("new", "a"));
        buffer.merge();
        buffer.change(&ORDER_REF, order_ref("new", "b"));
        buffer.change(&ORDER_REF, order_ref("known", "b"));
        buffer.merge();
        assert_eq!(buffer.see(&ORDER_REF, "new\n").flatten(), Some(&order_ref("new", "b")));
        let all = texts(buffer.take_all(SQLITE));
        assert_eq!(all.len(), 2);
        assert!(!all[0].0.contains("ON CONFLICT"), "{all:?}");
        assert!(all[1].0.contains("ON CONFLICT (ref_hash) DO UPDATE SET order_id = excluded.order_id"), "{all:?}");
    }

    #[test]
    fn who_arms_a_deadline_again_has_it_armed() {
        let mut buffer = Buffer::default();
        let row = |state: &str| {
            values!["o/k", "o", "k", state, 1_i64, 1_i64, "[]", None::<i64>, None::<i64>, 0_i64, None::<String>]
        };
        let off = |row: &mut Row| row[3] = "disarmed".into();
        buffer.disarm("o/k", off);
        buffer.merge();
        assert_eq!(texts(buffer.take_under(SQLITE, "SELECT 1 FROM deadline", Marked::No)).len(), 1);
        buffer.disarm("o/k", off);
        buffer.merge();
        buffer.put(&DEADLINE, row("armed"));
        buffer.merge();
        buffer.disarm("o/k", off);
        buffer.drop_over();
        let all = buffer.take_all(SQLITE);
        assert!(matches!(&all[..], [Write::Values { values, .. }] if *values == row("armed")), "{all:?}");
    }
}
