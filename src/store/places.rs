// SPDX-License-Identifier: Apache-2.0

//! Where orders and their deadlines stand: among those that go on, or among those that are over (`archive.rs`).

/// Orders that are over.
pub(crate) const ORDERS_OVER: &str = "order_archive";
/// Their deadlines.
pub(crate) const DEADLINES_OVER: &str = "deadline_archive";
/// A SELECT of `columns` of the orders that fulfil `condition`, wherever they are; the values of the condition are wanted twice.
pub(crate) fn in_either(columns: &str, condition: &str) -> String {
    format!(
        "SELECT {columns} FROM orders WHERE {condition} UNION ALL SELECT {columns} FROM {ORDERS_OVER} WHERE {condition}"
    )
}
