// SPDX-License-Identifier: Apache-2.0

//! What was received.

use crate::reindex::{Part, Reindexing};
use crate::table::{Column, Table, hash, short, text, whole, word};

/// One row per message of a partner: the key that makes it count once, and the answer it got.
pub(crate) static INBOX: Table = Table {
    name: "inbox",
    columns: &[
        word("id"),
        hash("dedupe"),
        word("channel"),
        word("call_name"),
        short("msg_key", 255),
        whole("received_ms"),
        word("verdict"),
        word("order_id").null(),
        hash("body_sha256"),
        text("body").null(),
        whole("answer_status").null(),
        text("answer").null(),
    ],
    primary: &["id"],
    unique: &[&["dedupe"]],
    indexes: &[&["received_ms", "id"], &["channel", "received_ms"], &["verdict", "received_ms"], &["order_id"]],
};

/// The digest of what a message means: what repeats are compared by. Rows from before have none.
pub(crate) const CONTENT_SHA256: Column = hash("content_sha256").null();

/// Nearly every message is accepted: those are found by their time.
pub(crate) static INBOX_INDEXES: Reindexing = Reindexing {
    table: "inbox",
    parts: &[Part { name: "not_accepted", columns: &["verdict", "received_ms"], only: "verdict <> 'accepted'" }],
    replaced: &[&["verdict", "received_ms"]],
    without: &[],
};

/// Which messages wait for an order that is not known yet, and since when. What they say stands in `order_ref.remembered`.
pub(crate) static REMEMBERED: Table = Table {
    name: "remembered",
    columns: &[word("inbox_id"), hash("ref_hash"), whole("at_ms")],
    primary: &["inbox_id"],
    unique: &[],
    indexes: &[&["ref_hash"]],
};
