// SPDX-License-Identifier: Apache-2.0

//! How products are named that belong together: `PRODUCT/OPTION@HH:MM` is the visit of an option of a product at one of its start times.
//!
//! Each of them is a booking product of its own, with its own days, stock, price and ticketing. Who asks for a product, its options and its
//! times, as resellers do, finds them by their names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::ProductCode;
use crate::time::{Date, TimeZone, UnixMillis};

/// What stands before an option's name.
const OPTION: char = '/';
/// What stands before a start time.
const AT: char = '@';
const MINUTES_OF_HOUR: u32 = 60;

/// When a visit begins, where its product is sold by start times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Start {
    /// Minute of the day, 0…1439.
    pub minute: u32,
    /// Minutes until it is over, where anybody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<u32>,
}

impl Start {
    /// As people write it, `HH:MM`.
    pub fn clock(self) -> String {
        format!("{:02}:{:02}", self.minute / MINUTES_OF_HOUR, self.minute % MINUTES_OF_HOUR)
    }
    /// When it begins on `date`.
    pub fn begins(self, date: Date, zone: TimeZone) -> UnixMillis {
        zone.instant(date, self.minute)
    }
}

/// The minute of the day of `HH:MM`.
pub fn minute_of(clock: &str) -> Option<u32> {
    let (hour, minute) = clock.split_once(':')?;
    let two = |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok());
    let (hour, minute): (u32, u32) = (two(hour)??, two(minute)??);
    (hour < 24 && minute < MINUTES_OF_HOUR).then_some(hour * MINUTES_OF_HOUR + minute)
}

/// The parts of a booking product's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'c> {
    /// The product.
    pub product: &'c str,
    /// The option, where it is not the product's only one, or its default.
    pub option: Option<&'c str>,
    /// The start time, `HH:MM`.
    pub time: Option<&'c str>,
}

impl Parts<'_> {
    /// The code that has these parts.
    pub fn code(&self) -> ProductCode {
        let mut code = self.product.to_owned();
        for (sign, part) in [(OPTION, self.option), (AT, self.time)] {
            code.extend(part.map(|part| format!("{sign}{part}")));
        }
        ProductCode(code)
    }
}

impl ProductCode {
    /// What it is made of.
    pub fn parts(&self) -> Parts<'_> {
        let whole = self.as_str();
        let timed = whole.rsplit_once(AT).filter(|(before, time)| !before.is_empty() && minute_of(time).is_some());
        let (named, time) = timed.map_or((whole, None), |(named, time)| (named, Some(time)));
        let split = named.split_once(OPTION).filter(|(product, option)| !product.is_empty() && !option.is_empty());
        let (product, option) = split.map_or((named, None), |(product, option)| (product, Some(option)));
        Parts { product, option, time }
    }
    /// Whether `asked`, a product or an option of it without a time, is this one or holds it.
    pub fn is_of(&self, asked: &ProductCode) -> bool {
        let own = self.parts();
        let is_product = own.product == asked.as_str();
        self == asked || is_product || Parts { time: None, ..own }.code() == *asked
    }
}

/// A day, with the start time where the product has several: what can be booked of a product. Written `2026-12-10`, or `2026-12-10T14:00`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Visit {
    /// The day.
    pub date: Date,
    /// The time, `HH:MM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

impl Visit {
    /// Reads what [`fmt::Display`] writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let visit = Self { date: Date::parse(date)?, time: time.map(str::to_owned) };
        visit.time.as_deref().is_none_or(|time| minute_of(time).is_some()).then_some(visit)
    }
}
impl fmt::Display for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.time {
            Some(time) => write!(f, "{}T{time}", self.date),
            None => write!(f, "{}", self.date),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_made_of_its_parts_and_they_of_it() {
        for (code, product, option, time) in [
            ("DAY", "DAY", None, None),
            ("TOUR@10:00", "TOUR", None, Some("10:00")),
            ("TOUR/EN", "TOUR", Some("EN"), None),
            ("TOUR/EN@09:30", "TOUR", Some("EN"), Some("09:30")),
            ("TOUR/EN/VIP@23:59", "TOUR", Some("EN/VIP"), Some("23:59")),
            ("a@b", "a@b", None, None),
            ("TOUR@24:00", "TOUR@24:00", None, None),
            ("TOUR@9:30", "TOUR@9:30", None, None),
            ("TOUR@+9:30", "TOUR@+9:30", None, None),
            ("@10:00", "@10:00", None, None),
            ("/EN", "/EN", None, None),
            ("TOUR/", "TOUR/", None, None),
        ] {
            let code = ProductCode::new(code);
            assert_eq!(code.parts(), Parts { product, option, time });
            assert_eq!(code.parts().code(), code);
        }
    }

    #[test]
    fn who_asks_for_a_product_finds_its_options_and_times() {
        let is_of = |code: &str, asked: &str| ProductCode::new(code).is_of(&ProductCode::new(asked));
        for asked in ["TOUR", "TOUR/EN", "TOUR/EN@10:00"] {
            assert!(is_of("TOUR/EN@10:00", asked), "{asked}");
        }
        for asked in ["TOU", "TOUR/FR", "TOUR/EN@11:00", "TOUR@10:00", "EN"] {
            assert!(!is_of("TOUR/EN@10:00", asked), "{asked}");
        }
    }

    #[test]
    fn a_visit_is_written_as_it_is_read() {
        for text in ["2026-12-10", "2026-12-10T14:00"] {
            assert_eq!(Visit::parse(text).map(|visit| visit.to_string()).as_deref(), Some(text));
        }
        for text in
            ["", "2026-12-10T", "2026-12-10T24:00", "2026-12-10T1400", "2026-12-10 14:00", "T14:00", "2026-13-10"]
        {
            assert_eq!(Visit::parse(text), None, "{text}");
        }
    }
}
