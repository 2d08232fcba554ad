// SPDX-License-Identifier: Apache-2.0

//! Every message in and out.

use crate::table::{Table, text, whole, word};

/// One row per message or attempt, masked.
pub(crate) static CALL_LOG: Table = Table {
    name: "call_log",
    columns: &[
        word("id"),
        word("order_id").null(),
        word("direction"),
        word("partner"),
        word("call_name"),
        whole("at_ms"),
        whole("duration_ms"),
        whole("attempt"),
        whole("status").null(),
        word("verdict"),
        text("summary"),
    ],
    primary: &["id"],
    unique: &[],
    indexes: &[&["order_id", "at_ms"], &["at_ms", "id"]],
};
