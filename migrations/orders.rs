// SPDX-License-Identifier: Apache-2.0

//! Orders, their history, and the numbers they are found by.

use crate::alter::Alteration;
use crate::reindex::{Part, Reindexing};
use crate::storage::Storage;
use crate::table::{Table, date, flag, hash, short, text, whole, word};

/// One row per order: what people search by as columns, everything else sealed in `document`.
pub(crate) static ORDERS: Table = Table {
    name: "orders",
    columns: &[
        word("id"),
        word("channel"),
        short("channel_order_id", 255),
        hash("ref_hash"),
        word("kind"),
        word("state"),
        word("cancel_reason").null(),
        word("booking_state").null(),
        word("ticketing_state").null(),
        word("payment_state"),
        word("refund_state").null(),
        word("attention").null(),
        short("product", 255),
        whole("quantity"),
        date("visit_date").null(),
        word("currency"),
        whole("total"),
        whole("version"),
        whole("created_ms"),
        whole("updated_ms"),
        text("document"),
    ],
    primary: &["id"],
    unique: &[&["ref_hash"]],
    indexes: &[
        &["created_ms", "id"],
        &["channel", "created_ms"],
        &["state", "created_ms"],
        &["booking_state", "created_ms"],
        &["ticketing_state", "created_ms"],
        &["payment_state", "created_ms"],
        &["refund_state", "created_ms"],
        &["attention", "created_ms"],
        &["visit_date", "created_ms"],
    ],
};

/// Most orders have no booking, no refund case and nothing to be looked at when they are placed, and are paid: they are not in the indexes
/// by these states. That a number is one order's is what the key of `order_ref` makes sure of.
pub(crate) static ORDERS_INDEXES: Reindexing = Reindexing {
    table: "orders",
    parts: &[
        Part { name: "by_booking_state", columns: &["booking_state", "created_ms"], only: "booking_state IS NOT NULL" },
        Part {
            name: "by_ticketing_state",
            columns: &["ticketing_state", "created_ms"],
            only: "ticketing_state IS NOT NULL",
        },
        Part { name: "by_payment_state", columns: &["payment_state", "created_ms"], only: "payment_state <> 'paid'" },
        Part { name: "by_refund_state", columns: &["refund_state", "created_ms"], only: "refund_state IS NOT NULL" },
        Part { name: "by_attention", columns: &["attention", "created_ms"], only: "attention IS NOT NULL" },
        Part { name: "by_visit_date", columns: &["visit_date", "created_ms"], only: "visit_date IS NOT NULL" },
    ],
    replaced: &[
        &["booking_state", "created_ms"],
        &["ticketing_state", "created_ms"],
        &["payment_state", "created_ms"],
        &["refund_state", "created_ms"],
        &["attention", "created_ms"],
        &["visit_date", "created_ms"],
    ],
    without: &[&["ref_hash"]],
};

/// An order's document is a little more than PostgreSQL keeps in a row by itself: it would be moved to a second table and an index there, anew
/// with every change of the order.
pub(crate) static ORDERS_INLINE: Storage = Storage { table: "orders", parameter: "toast_tuple_target = 8160" };

/// Orders that have been over for long, as they were in [`ORDERS`]. Written once, so it can have an index for every filter.
pub(crate) static ORDER_ARCHIVE: Table = Table {
    name: "order_archive",
    columns: ORDERS.columns,
    primary: &["id"],
    unique: &[],
    indexes: &[
        &["created_ms", "id"],
        &["channel", "created_ms"],
        &["state", "created_ms"],
        &["booking_state", "created_ms"],
        &["ticketing_state", "created_ms"],
        &["payment_state", "created_ms"],
        &["refund_state", "created_ms"],
        &["visit_date", "created_ms"],
    ],
};

/// How many rows were put away, by what is counted of them: nobody counts the archive.
pub(crate) static ARCHIVED: Table =
    Table { name: "archived", columns: &[word("name"), whole("many")], primary: &["name"], unique: &[], indexes: &[] };

/// A channel's number for a sale or a booking: which order it is, or why there is none.
pub(crate) static ORDER_REF: Table = Table {
    name: "order_ref",
    columns: &[
        hash("ref_hash"),
        word("channel"),
        short("reference", 255),
        word("order_id").null(),
        word("booking_id").null(),
        flag("tombstone"),
        word("tombstone_reason").null(),
        text("remembered").null(),
    ],
    primary: &["ref_hash"],
    unique: &[],
    indexes: &[&["order_id"], &["reference"]],
};

/// Which numbers an order has stands in the order.
pub(crate) static ORDER_REF_INDEXES: Reindexing =
    Reindexing { table: "order_ref", parts: &[], replaced: &[], without: &[&["order_id"]] };

/// When an order that is over came to its end. What happens to it afterwards, a look at it for example, changes nothing here.
pub(crate) static ORDER_END: Table = Table {
    name: "order_end",
    columns: &[word("order_id"), whole("ended_ms")],
    primary: &["order_id"],
    unique: &[],
    indexes: &[],
};

/// The rules that orders were placed under, each set once, by the SHA-256 of its text. Orders and events name them. A set is as little as a
/// product's page, and a new one comes only when the rules of a product that is sold are changed: it stays as long as its orders.
pub(crate) static RULE_SET: Table = Table {
    name: "rule_set",
    columns: &[hash("digest"), text("terms")],
    primary: &["digest"],
    unique: &[],
    indexes: &[],
};

/// The history: append-only, personal data masked.
pub(crate) static ORDER_EVENT: Table = Table {
    name: "order_event",
    columns: &[
        word("order_id"),
        whole("seq"),
        word("id"),
        whole("at_ms"),
        word("kind"),
        word("actor_kind"),
        word("actor_name"),
        text("reason").null(),
        text("body"),
    ],
    primary: &["order_id", "seq"],
    unique: &[],
    indexes: &[],
};

/// Our bookings, current and past: whose they are.
pub(crate) static BOOKING: Table = Table {
    name: "booking",
    columns: &[word("id"), word("order_id"), word("state"), date("visit_date").null()],
    primary: &["id"],
    unique: &[],
    indexes: &[&["order_id"]],
};

/// Which bookings an order has stands in the order.
pub(crate) static BOOKING_INDEXES: Reindexing =
    Reindexing { table: "booking", parts: &[], replaced: &[], without: &[&["order_id"]] };

/// Refund cases, current and past: whose they are, and until when somebody must decide.
pub(crate) static REFUND_CASE: Table = Table {
    name: "refund_case",
    columns: &[
        word("id"),
        word("order_id"),
        word("channel"),
        word("state"),
        short("channel_ref", 255),
        whole("requested_ms"),
        whole("review_by_ms"),
    ],
    primary: &["id"],
    unique: &[],
    indexes: &[&["order_id"], &["state", "requested_ms"], &["requested_ms", "id"]],
};

/// What changed of late is read from one end of an index, by those who look on.
pub(crate) static ORDERS_CHANGED: Alteration =
    Alteration { table: "orders", columns: &[], indexes: &[&["updated_ms"]], without: &[] };
/// Which cases an order has stands in the order.
pub(crate) static REFUND_CASE_INDEXES: Reindexing =
    Reindexing { table: "refund_case", parts: &[], replaced: &[], without: &[&["order_id"]] };
