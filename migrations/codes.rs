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
