// SPDX-License-Identifier: Apache-2.0

//! Where guests' data is found, and where it is no more.

use crate::table::{Table, hash, text, whole, word};

/// Keys of our own, sealed like guests' data.
pub(crate) static SECRET: Table =
    Table { name: "secret", columns: &[word("name"), text("sealed")], primary: &["name"], unique: &[], indexes: &[] };

/// Which orders know a phone, by its keyed hash; removed with the data.
pub(crate) static GUEST_REF: Table = Table {
    name: "guest_ref",
    columns: &[hash("hash"), word("order_id")],
    primary: &["hash", "order_id"],
    unique: &[],
    indexes: &[&["order_id"]],
};

/// Orders whose guests are to be erased as soon as they are over, because one of them asked for it.
pub(crate) static ERASURE_WISH: Table = Table {
    name: "erasure_wish",
    columns: &[word("order_id"), word("asked_by"), whole("at_ms")],
    primary: &["order_id"],
    unique: &[],
    indexes: &[],
};

/// Orders whose guests' data was erased.
pub(crate) static GUEST_ERASURE: Table = Table {
    name: "guest_erasure",
    columns: &[word("order_id"), whole("at_ms")],
    primary: &["order_id"],
    unique: &[],
    indexes: &[],
};
