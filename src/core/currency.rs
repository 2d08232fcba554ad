// SPDX-License-Identifier: Apache-2.0

//! Amounts as people read and write them: every amount of ours is in the minor unit of its currency.

use crate::product::Currency;

impl Currency {
    /// Digits behind the point (ISO 4217).
    pub fn decimals(&self) -> u32 {
        match self.0.as_str() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
            | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            _ => 2,
        }
    }

    /// An amount for people: `1,234.50 CNY`.
    pub fn shown(&self, amount: i64) -> String {
        let sign = if amount < 0 { "−" } else { "" };
        let (all, places) = (amount.unsigned_abs(), self.decimals());
        let unit = 10_u64.pow(places);
        let part =
            if places == 0 { String::new() } else { format!(".{:0width$}", all % unit, width = places as usize) };
        format!("{sign}{}{part} {}", grouped(all / unit), self.0)
    }

    /// An amount as somebody writes it, in units of the currency; `None` where it is none, or finer than its minor unit.
    pub fn read(&self, written: &str) -> Option<i64> {
        let plain = written.trim().replace(',', "");
        let (units, part) = plain.split_once('.').unwrap_or((&plain, ""));
        let places = self.decimals() as usize;
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if units.is_empty() || !are_digits(units) || !are_digits(part) || part.len() > places {
            return None;
        }
        format!("{units}{part:0<places$}").parse().ok()
    }

    /// An amount that a partner tells with `decimals` digits behind the point, in our minor unit; a part of one counts as a whole.
    pub fn of_decimals(&self, amount: i64, decimals: u32) -> Option<i64> {
        let (ours, told) = (self.decimals(), decimals.min(18));
        match ours.checked_sub(told) {
            Some(more) => amount.checked_mul(10_i64.checked_pow(more)?),
            None => {
                let unit = 10_i64.checked_pow(told - ours)?;
                amount.checked_add(unit - 1).map(|amount| amount.div_euclid(unit))
            }
        }
    }
}

/// A number with a comma every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<String> =
        digits.as_bytes().rchunks(3).rev().map(|part| part.iter().map(|digit| char::from(*digit)).collect()).collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str) -> Currency {
        Currency(code.to_owned())
    }

    #[test]
    fn money_has_its_own_decimals() {
        for (amount, currency, shown) in [
            (19_900, "CNY", "199.00 CNY"),
            (123_456_789, "USD", "1,234,567.89 USD"),
            (55_000, "KRW", "55,000 KRW"),
            (1_200, "VUV", "1,200 VUV"),
            (1_005, "KWD", "1.005 KWD"),
            (-5, "CNY", "−0.05 CNY"),
        ] {
            assert_eq!(of(currency).shown(amount), shown);
        }
    }

    #[test]
    fn who_writes_five_keeps_five() {
        for (written, currency, amount) in [
            ("5", "CNY", Some(500)),
            ("5.5", "CNY", Some(550)),
            (" 1,234.05 ", "CNY", Some(123_405)),
            ("0", "CNY", Some(0)),
            ("5", "KRW", Some(5)),
            ("5", "VUV", Some(5)),
            ("5", "KWD", Some(5_000)),
            ("5.005", "KWD", Some(5_005)),
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
            assert_eq!(of(currency).read(written), amount, "{written} {currency}");
        }
    }

    #[test]
    fn an_amount_told_with_other_decimals_is_the_same_money() {
        for (currency, told, decimals, ours) in [
            ("CNY", 21_000, 2, Some(21_000)),
            ("KRW", 5_500_000, 2, Some(55_000)),
            ("KRW", 55_001, 1, Some(5_501)),
            ("KWD", 5, 0, Some(5_000)),
            ("CNY", i64::MAX, 0, None),
        ] {
            assert_eq!(of(currency).of_decimals(told, decimals), ours, "{told} of {decimals} in {currency}");
        }
    }
}
