// SPDX-License-Identifier: Apache-2.0

//! Units of a product, or of a product on a date.

use crate::table::{Table, date, short, whole};

/// `visit_date` is empty for a product without dates; `total` is NULL when there is no limit.
pub(crate) static STOCK: Table = Table {
    name: "stock",
    columns: &[short("product", 255), date("visit_date"), whole("total").null(), whole("taken")],
    primary: &["product", "visit_date"],
    unique: &[],
    indexes: &[],
};
