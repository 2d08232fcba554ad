// SPDX-License-Identifier: Apache-2.0

//! Distributors' credit accounts.

use crate::table::{Table, short, whole, word};

/// An account: what its entries add up to, and the row that its buyers queue at.
pub(crate) static CREDIT_ACCOUNT: Table = Table {
    name: "credit_account",
    columns: &[word("id"), whole("balance"), whole("held")],
    primary: &["id"],
    unique: &[],
    indexes: &[],
};

/// What an account's amounts are in: an amount without its currency is another amount.
pub(crate) static CREDIT_CURRENCY: Table = Table {
    name: "credit_currency",
    columns: &[word("account"), word("currency")],
    primary: &["account"],
    unique: &[],
    indexes: &[],
};

/// The ledger: append-only. Each entry moves an amount from one book of an account to another.
pub(crate) static CREDIT_ENTRY: Table = Table {
    name: "credit_entry",
    columns: &[
        word("account"),
        word("kind"),
        short("reference", 255),
        word("from_book"),
        word("to_book"),
        word("order_id").null(),
        whole("amount"),
        whole("at_ms"),
    ],
    primary: &["account", "kind", "reference"],
    unique: &[],
    indexes: &[&["account", "at_ms"], &["order_id", "at_ms"]],
};
