// SPDX-License-Identifier: Apache-2.0

//! Money and times as people read them, in the order's own currency and zone.

use serde_json::Value;

/// Currencies whose minor unit is the whole.
const WHOLE: [&str; 9] = ["KRW", "JPY", "VND", "CLP", "ISK", "PYG", "UGX", "XAF", "XOF"];

/// An amount of minor units.
pub(crate) fn money(amount: &Value, currency: &Value) -> String {
    let (Some(amount), Some(currency)) = (amount.as_i64(), currency.as_str()) else { return String::new() };
    let sign = if amount < 0 { "−" } else { "" };
    let all = amount.unsigned_abs();
    if decimals(currency) == 0 {
        return format!("{sign}{} {currency}", grouped(all));
    }
    format!("{sign}{}.{:02} {currency}", grouped(all / 100), all % 100)
}

/// How many decimals amounts of a currency are written with.
pub(crate) fn decimals(currency: &str) -> u32 {
    if WHOLE.contains(&currency) { 0 } else { 2 }
}

/// An amount as somebody writes it, in units of its currency, as minor units; `None` where it is none.
pub(crate) fn minor(written: &str, currency: &str) -> Option<i64> {
    let plain = written.trim().replace(',', "");
    let (units, part) = plain.split_once('.').unwrap_or((&plain, ""));
    let places = decimals(currency) as usize;
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if units.is_empty() || !are_digits(units) || !are_digits(part) || part.len() > places {
        return None;
    }
    format!("{units}{part:0<places$}").parse().ok()
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<String> =
        digits.as_bytes().rchunks(3).rev().map(|part| part.iter().map(|digit| char::from(*digit)).collect()).collect();
    parts.join(",")
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
    fn money_has_its_own_decimals() {
        for (amount, currency, shown) in [
            (19_900, "CNY", "199.00 CNY"),
            (123_456_789, "USD", "1,234,567.89 USD"),
            (55_000, "KRW", "55,000 KRW"),
            (-5, "CNY", "−0.05 CNY"),
        ] {
            assert_eq!(money(&json!(amount), &json!(currency)), shown);
        }
        assert_eq!(money(&json!(null), &json!("CNY")), "");
    }

    #[test]
    fn who_writes_five_keeps_five() {
        for (written, currency, amount) in [
            ("5", "CNY", Some(500)),
            ("5.5", "CNY", Some(550)),
            (" 1,234.05 ", "CNY", Some(123_405)),
            ("0", "CNY", Some(0)),
            ("5", "KRW", Some(5)),
            ("76,000", "KRW", Some(76_000)),
            ("5.5", "KRW", None),
            ("5.555", "CNY", None),
            ("-5", "CNY", None),
            ("+5", "CNY", None),
            (".5", "CNY", None),
            ("5 CNY", "CNY", None),
            ("", "CNY", None),
            ("99999999999999999999", "CNY", None),
        ] {
            assert_eq!(minor(written, currency), amount, "{written} {currency}");
        }
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
