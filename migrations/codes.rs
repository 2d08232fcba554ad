// SPDX-License-Identifier: Apache-2.0

//! Codes loaded by ops and handed out once each.

use crate::table::{Table, hash, text, whole, word};

/// A pool; its row is what imports and draws queue at.
pub(crate) static CODE_POOL: Table = Table {
    name: "code_pool",
    columns: &[word("pool"), whole("next_position")],
    primary: &["pool"],
    unique: &[],
    indexes: &[],
};

/// Which order holds a code that admits, or a back-end's number of a reservation, by its keyed hash: what is given out once is one row.
pub(crate) static HELD_CODE: Table = Table {
    name: "held_code",
    columns: &[hash("hash"), word("order_id")],
    primary: &["hash"],
    unique: &[],
    indexes: &[],
};

/// A code, sealed. `booking_id` is NULL until it is drawn.
pub(crate) static CODE: Table = Table {
    name: "code",
    columns: &[
        word("pool"),
        hash("code_hash"),
        text("code"),
        word("kind"),
        whole("position"),
        word("booking_id").null(),
        whole("issued_ms").null(),
    ],
    primary: &["pool", "code_hash"],
    unique: &[&["pool", "position"]],
    indexes: &[&["pool", "booking_id", "position"]],
};
