// SPDX-License-Identifier: Apache-2.0

//! What is settled with whom.

use crate::table::{Table, whole, word};

/// One line of a statement: append-only. A correction is another line, so a statement that was sent never changes.
pub(crate) static STATEMENT_LINE: Table = Table {
    name: "statement_line",
    columns: &[
        word("order_id"),
        whole("version"),
        word("kind"),
        word("settle_id"),
        word("channel"),
        word("currency"),
        whole("amount"),
        whole("commission_bp"),
        whole("at_ms"),
    ],
    primary: &["order_id", "version", "kind"],
    unique: &[],
    indexes: &[&["settle_id", "at_ms"]],
};
