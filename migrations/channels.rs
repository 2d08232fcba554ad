// SPDX-License-Identifier: Apache-2.0

//! What channels say of things that are no orders, and what may exist once only.

use crate::table::{Table, flag, short, whole, word};

/// A product on or off sale at a channel.
pub(crate) static LISTING: Table = Table {
    name: "listing",
    columns: &[word("channel"), short("product", 255), word("state"), flag("is_open"), whole("since_ms")],
    primary: &["channel", "product"],
    unique: &[],
    indexes: &[],
};

/// The live payment link of an order: one row each, so that there are never two, on every database.
pub(crate) static LIVE_LINK: Table = Table {
    name: "live_link",
    columns: &[word("order_id"), word("link_key")],
    primary: &["order_id"],
    unique: &[&["link_key"]],
    indexes: &[],
};
