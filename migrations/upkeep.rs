// SPDX-License-Identifier: Apache-2.0

//! What several instances share, and what repeats of ops acts are recognised by.

use crate::table::{Table, hash, text, whole, word};

/// Named singletons: who may run a schedule, until when.
pub(crate) static LEASE: Table = Table {
    name: "lease",
    columns: &[word("name"), word("holder"), word("token"), whole("until_ms")],
    primary: &["name"],
    unique: &[],
    indexes: &[],
};

/// The `Idempotency-Key` of an act, by hash, and the sealed answer it got.
pub(crate) static IDEMPOTENCY: Table = Table {
    name: "idempotency",
    columns: &[hash("key_hash"), hash("request_hash"), whole("status"), text("body"), whole("at_ms")],
    primary: &["key_hash"],
    unique: &[],
    indexes: &[&["at_ms"]],
};

/// What was done once for data older than a version, and when.
pub(crate) static DONE_ONCE: Table = Table {
    name: "done_once",
    columns: &[word("name"), whole("at_ms")],
    primary: &["name"],
    unique: &[],
    indexes: &[],
};
