// SPDX-License-Identifier: Apache-2.0

//! Counted things in sentences: one unit, two units.

/// `1 unit`, `2 units`.
pub fn units(count: impl Into<i64>) -> String {
    counted(count, "unit", "units")
}

/// `1 unit is`, `2 units are`.
pub fn units_are(count: impl Into<i64>) -> String {
    counted(count, "unit is", "units are")
}

/// `1 code`, `2 codes`.
pub fn counted(count: impl Into<i64>, one: &str, many: &str) -> String {
    let count = count.into();
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!((units(1_u32), units(0), units_are(2)), ("1 unit".into(), "0 units".into(), "2 units are".into()));
        assert_eq!(units_are(1), "1 unit is");
    }
}
