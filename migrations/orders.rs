//! Orders, their history, and the numbers they are found by.

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

/// When an order that is over came to its end. What happens to it afterwards, a look at it for example, changes nothing here.
pub(crate) static ORDER_END: Table = Table {
    name: "order_end",
    columns: &[word("order_id"), whole("ended_ms")],
    primary: &["order_id"],
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
