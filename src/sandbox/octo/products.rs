// SPDX-License-Identifier: Apache-2.0

//! What the supplier sells, and at which times.

use chrono::NaiveDate;
use serde_json::{Value, json};

/// The product whose times a test chooses ([`Switches::start_times`](super::Switches::start_times)).
pub const PRODUCT: &str = "LAKE";
/// A product with three start times.
pub const BOAT: &str = "BOAT";
/// An open-dated product: booked without an availability.
pub const PASS: &str = "PASS";
/// The option of each.
pub const OPTION: &str = "DEFAULT";
/// The unit of each.
pub const UNIT: &str = "adult";

/// One time of one day of a product.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlotOf {
    pub(super) product: &'static str,
    pub(super) date: NaiveDate,
    pub(super) time: &'static str,
}

impl SlotOf {
    /// Its id: opaque to everybody else, and not built like a time.
    pub(super) fn id(&self) -> String {
        format!("slot.{}.{}.{}", self.product, self.date.format("%Y%m%d"), self.time.replace(':', ""))
    }

    pub(super) fn start(&self) -> String {
        format!("{}T{}:00+08:00", self.date, self.time)
    }

    pub(super) fn end(&self) -> String {
        format!("{}T23:59:00+08:00", self.date)
    }

    pub(super) fn is_whole_day(&self) -> bool {
        self.time == "00:00"
    }

    pub(super) fn opening_hours(&self) -> Value {
        if self.is_whole_day() { json!([{ "from": "00:00", "to": "23:59" }]) } else { json!([]) }
    }
}
