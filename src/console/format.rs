// SPDX-License-Identifier: Apache-2.0

//! Money and times as people read them, in the order's own currency and zone.

use serde_json::Value;
use ticketbridge_core::product::Currency;

/// An amount of minor units.
pub(crate) fn money(amount: &Value, currency: &Value) -> String {
    let (Some(amount), Some(currency)) = (amount.as_i64(), currency.as_str()) else { return String::new() };
    of(currency).shown(amount)
}

/// How many decimals amounts of a currency are written with.
pub(crate) fn decimals(currency: &str) -> u32 {
    of(currency).decimals()
}

/// An amount as somebody writes it, in units of its currency, as minor units; `None` where it is none.
pub(crate) fn minor(written: &str, currency: &str) -> Option<i64> {
    of(currency).read(written)
}

fn of(currency: &str) -> Currency {
    Currency(currency.to_owned())
}

/// A time of the interface: date, minute, and its offset, which says whose time it is.
pub(crate) fn time(at: &Value) -> String {
    let Some(text) = at.as_str() else { return String::new() };
    match (text.get(..10), text.get(11..16), text.get(19..)) {
        (Some(day), Some(minute), Some(rest)) => {
            let offset = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
            format!("{day} {minute} {}", if offset == "Z" { "UTC" } else { offset })
        }
        _ => text.to_owned(),
    }
}

/// The day of a time of the interface, with its offset.
pub(crate) fn day(at: &Value) -> String {
    let shown = time(at);
    let mut parts = shown.split(' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(day), Some(_), Some(zone)) => format!("{day} ({zone})"),
        _ => shown,
    }
}

/// Its time of day, to the second.
pub(crate) fn clock(at: &Value) -> String {
    at.as_str().and_then(|text| text.get(11..19)).unwrap_or_default().to_owned()
}

/// A text, a number, or nothing.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn money_that_nobody_names_is_nothing() {
        assert_eq!(money(&json!(19_900), &json!("CNY")), "199.00 CNY");
        assert_eq!(money(&json!(null), &json!("CNY")), "");
    }

    #[test]
    fn times_keep_their_zone() {
        assert_eq!(time(&json!("2026-12-01T10:05:09+08:00")), "2026-12-01 10:05 +08:00");
        assert_eq!(time(&json!("2026-12-01T10:05:09.123Z")), "2026-12-01 10:05 UTC");
        assert_eq!(time(&json!(null)), "");
        assert_eq!(day(&json!("2026-12-01T10:05:09+08:00")), "2026-12-01 (+08:00)");
        assert_eq!(clock(&json!("2026-12-01T10:05:09.123Z")), "10:05:09");
    }
}
