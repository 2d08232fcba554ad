// SPDX-License-Identifier: Apache-2.0

//! What guests have bought and booked, by keyed hashes of their phones and documents.

use crate::table::{Table, flag, hash, short, whole, word};

/// One row per order, product, kind (phone or document) and hash.
pub(crate) static GUEST_CLAIM: Table = Table {
    name: "guest_claim",
    columns: &[word("order_id"), short("product", 255), word("kind"), hash("hash"), whole("units"), flag("live")],
    primary: &["order_id", "product", "kind", "hash"],
    unique: &[],
    indexes: &[&["product", "kind", "hash", "live"]],
};
