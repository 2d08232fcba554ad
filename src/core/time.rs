// SPDX-License-Identifier: Apache-2.0

//! Time as values: instants in milliseconds, dates in a channel's time zone. Nothing here reads a clock.

use chrono::{Datelike, LocalResult, NaiveDate, NaiveTime, TimeZone as _};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};

use crate::id::Seed;

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Whole seconds.
    pub const fn seconds(n: i64) -> Self {
        Self(n * 1_000)
    }
    /// Whole minutes.
    pub const fn minutes(n: i64) -> Self {
        Self(n * 60_000)
    }
    /// Whole hours.
    pub const fn hours(n: i64) -> Self {
        Self(n * 3_600_000)
    }
    /// Reads a length as configuration writes it (`docs/src/contract/configuration.md`): numbers with the units `ms s m h d`, also joined, as in
    /// `1h30m`. `None` for anything else, a bare number included.
    ///
    /// ```
    /// use ticketbridge_core::Millis;
    ///
    /// assert_eq!(Millis::parse("1h30m"), Some(Millis::minutes(90)));
    /// assert_eq!(Millis::parse("90"), None, "ninety of what?");
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut total: i64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, tail) = rest.split_at(digits);
            let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let scale = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return None,
            };
            total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(scale)?)?;
            rest = tail;
        }
        (!text.is_empty()).then_some(Self(total))
    }
    /// As the standard library's type; a negative length is zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
    /// A duration in whole milliseconds.
    pub fn from_std(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The first instant that a partner can name, 1900-01-01T00:00:00Z.
const FIRST_INSTANT: UnixMillis = UnixMillis(-2_208_988_800_000);
/// The last one, 9999-12-31T23:59:59.999Z: later years have more digits than there is room for.
const LAST_INSTANT: UnixMillis = UnixMillis(253_402_300_799_999);
/// The first date that a partner can name.
const FIRST_DATE: Date = date(1900, 1, 1);
/// The last one. Nothing is ever after it: what would be, is on it.
const LAST_DATE: Date = date(9999, 12, 31);

const fn date(year: i32, month: u32, day: u32) -> Date {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => Date(date),
        None => Date(NaiveDate::MIN),
    }
}

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// From whole seconds, as most partners write time.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }
    /// Whole seconds, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }
    /// RFC 3339 with the offset of `zone`, to the second (milliseconds when there are any).
    ///
    /// ```
    /// use ticketbridge_core::{TimeZone, UnixMillis};
    ///
    /// let paid = UnixMillis::parse_rfc3339("2026-11-21T02:00:00Z").expect("an instant");
    /// assert_eq!(paid.rfc3339(TimeZone::SHANGHAI), "2026-11-21T10:00:00+08:00");
    /// assert_eq!(paid.rfc3339(TimeZone::SEOUL), "2026-11-21T11:00:00+09:00");
    /// ```
    pub fn rfc3339(self, zone: TimeZone) -> String {
        match chrono::Utc.timestamp_millis_opt(self.0) {
            LocalResult::Single(instant) => {
                let here = instant.with_timezone(&zone.0);
                // The last day of all lasts longer in the east, and a year has four digits.
                if here.year() > LAST_DATE.0.year() {
                    return zone.instant(LAST_DATE, 23 * 60 + 59).rfc3339(zone);
                }
                here.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
            }
            _ => "1970-01-01T00:00:00+00:00".to_owned(),
        }
    }
    /// Reads RFC 3339 with an offset, from 1900 to 9999.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        chrono::DateTime::parse_from_rfc3339(text).ok().and_then(|t| Self(t.timestamp_millis()).told())
    }
    /// Reads the date of an HTTP header (RFC 9110, 5.6.7), from 1900 to 9999.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        chrono::DateTime::parse_from_rfc2822(text.trim()).ok().and_then(|t| Self(t.timestamp_millis()).told())
    }
    /// From whole seconds as a partner tells them, from 1900 to 9999.
    pub fn told_in_seconds(seconds: i64) -> Option<Self> {
        seconds.checked_mul(1_000).and_then(|millis| Self(millis).told())
    }
    /// The same, if it is an instant that a partner can mean.
    fn told(self) -> Option<Self> {
        (FIRST_INSTANT..=LAST_INSTANT).contains(&self).then_some(self)
    }
}

impl Add<Millis> for UnixMillis {
    type Output = UnixMillis;
    fn add(self, length: Millis) -> UnixMillis {
        UnixMillis(self.0.saturating_add(length.0))
    }
}
impl Sub<Millis> for UnixMillis {
    type Output = UnixMillis;
    fn sub(self, length: Millis) -> UnixMillis {
        UnixMillis(self.0.saturating_sub(length.0))
    }
}
impl Sub<UnixMillis> for UnixMillis {
    type Output = Millis;
    fn sub(self, earlier: UnixMillis) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

/// A calendar date, without a zone: it is read in the channel's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Date(pub NaiveDate);

impl Date {
    /// Reads `YYYY-MM-DD`, from 1900 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let date = Self(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?);
        (text.len() == 10 && date.in_bounds() == date).then_some(date)
    }
    /// The date `days` later (earlier when negative), never outside the years from 1900 to 9999.
    pub fn plus_days(self, days: i64) -> Self {
        let moved = chrono::TimeDelta::try_days(days).and_then(|length| self.0.checked_add_signed(length));
        moved.map_or(self, |date| Self(date).in_bounds())
    }
    /// The nearest date that is written with four digits of a year.
    fn in_bounds(self) -> Self {
        self.clamp(FIRST_DATE, LAST_DATE)
    }
    /// Days from `earlier` to this date.
    pub fn days_since(self, earlier: Date) -> i64 {
        (self.0 - earlier.0).num_days()
    }
    /// Monday is 0, Sunday is 6.
    pub fn weekday(self) -> u8 {
        u8::try_from(self.0.weekday().num_days_from_monday()).unwrap_or(0)
    }
}
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}
impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A time zone by its IANA name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeZone(pub chrono_tz::Tz);

impl TimeZone {
    /// Coordinated universal time.
    pub const UTC: TimeZone = TimeZone(chrono_tz::UTC);
    /// The zone of Douyin's dates (`adapters/douyin/README.md`).
    pub const SHANGHAI: TimeZone = TimeZone(chrono_tz::Asia::Shanghai);
    /// The zone of the Korean channels' dates (`adapters/kakao/README.md`).
    pub const SEOUL: TimeZone = TimeZone(chrono_tz::Asia::Seoul);

    /// Reads an IANA name such as `Asia/Shanghai`.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }
    /// The date that it is at `instant` here.
    pub fn date_of(self, instant: UnixMillis) -> Date {
        match chrono::Utc.timestamp_millis_opt(instant.0) {
            LocalResult::Single(t) => Date(t.with_timezone(&self.0).date_naive()).in_bounds(),
            _ => Date(NaiveDate::default()),
        }
    }
    /// The local time of day at `instant`, `HH:MM`.
    pub fn clock_of(self, instant: UnixMillis) -> String {
        match chrono::Utc.timestamp_millis_opt(instant.0) {
            LocalResult::Single(t) => t.with_timezone(&self.0).format("%H:%M").to_string(),
            _ => "00:00".to_owned(),
        }
    }
    /// The instant at `minute` (0…1440, 1440 being the next midnight) of `date` here; the earlier one where a
    /// clock change makes it ambiguous, the first one after a gap.
    pub fn instant(self, date: Date, minute: u32) -> UnixMillis {
        let (date, minute) = if minute >= 1_440 { (date.plus_days(1), minute - 1_440) } else { (date, minute) };
        let time = NaiveTime::from_hms_opt(minute / 60 % 24, minute % 60, 0).unwrap_or_default();
        let mut local = date.0.and_time(time);
        for _ in 0..4 {
            if let Some(t) = self.0.from_local_datetime(&local).earliest() {
                return UnixMillis(t.timestamp_millis());
            }
            local += chrono::TimeDelta::minutes(30);
        }
        UnixMillis(local.and_utc().timestamp_millis())
    }
    /// 00:00 of `date` here.
    pub fn start_of(self, date: Date) -> UnixMillis {
        self.instant(date, 0)
    }
    /// 24:00 of `date` here: the first instant that no longer belongs to it.
    ///
    /// ```
    /// use ticketbridge_core::{Date, TimeZone};
    ///
    /// let visit = Date::parse("2026-12-01").expect("a date");
    /// let over = TimeZone::SHANGHAI.end_of(visit);
    /// assert_eq!(TimeZone::SHANGHAI.date_of(over), visit.plus_days(1));
    /// assert_eq!(over.rfc3339(TimeZone::UTC), "2026-12-01T16:00:00+00:00");
    /// ```
    pub fn end_of(self, date: Date) -> UnixMillis {
        self.instant(date, 1_440)
    }
    /// The IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}
impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}
impl Serialize for TimeZone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}
impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("`{name}` is not a time zone")))
    }
}

/// When and with which identifiers a command is decided: all that the core ever knows of the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The present.
    pub now: UnixMillis,
    /// Material for the identifiers that the command may need.
    pub seed: Seed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_partner_tells_of_time_has_bounds() {
        for (text, is_read) in [
            ("1900-01-01T00:00:00Z", true),
            ("1899-12-31T23:59:59.999Z", false),
            ("1900-01-01T00:00:00+00:01", false),
            ("9999-12-31T23:59:59.999Z", true),
            ("9999-12-31T23:59:59-00:01", false),
            ("9999-12-31T23:59:60Z", false),
            ("0000-01-01T00:00:00Z", false),
            ("+10000-01-01T00:00:00Z", false),
        ] {
            assert_eq!(UnixMillis::parse_rfc3339(text).is_some(), is_read, "{text}");
        }
        for (seconds, is_read) in [
            (253_402_300_799, true),
            (253_402_300_800, false),
            (-2_208_988_800, true),
            (-2_208_988_801, false),
            (i64::MAX, false),
            (i64::MIN, false),
        ] {
            assert_eq!(UnixMillis::told_in_seconds(seconds).is_some(), is_read, "{seconds}");
        }
        for (text, is_read) in [
            ("1900-01-01", true),
            ("1899-12-31", false),
            ("9999-12-31", true),
            ("-999-01-01", false),
            ("+999-01-01", false),
            ("0001-01-01", false),
        ] {
            assert_eq!(Date::parse(text).is_some(), is_read, "{text}");
        }
    }

    /// A date is ten characters wherever it is kept, and a time has a year of four digits.
    #[test]
    fn the_end_of_time_is_a_date_like_any_other_in_every_zone() {
        let end = UnixMillis::parse_rfc3339("9999-12-31T23:59:59.999Z").unwrap();
        for name in ["Pacific/Kiritimati", "Asia/Seoul", "UTC", "Pacific/Pago_Pago"] {
            let zone = TimeZone::parse(name).unwrap();
            assert_eq!(zone.date_of(end).to_string(), "9999-12-31", "{name}");
            assert!(end.rfc3339(zone).starts_with("9999-12-31T"), "{name}: {}", end.rfc3339(zone));
            let last = zone.date_of(end);
            assert_eq!(last.plus_days(1), last, "{name}");
            assert_eq!(last.plus_days(i64::MAX), last, "{name}");
            assert!(zone.end_of(last).rfc3339(zone).len() < 40, "{name}");
        }
    }

    #[test]
    fn lengths_are_a_number_and_a_unit_and_may_be_joined() {
        for (text, expected) in [
            ("5s", 5_000),
            ("250ms", 250),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("3d", 259_200_000),
            ("0h", 0),
            ("1s500ms", 1_500),
        ] {
            assert_eq!(Millis::parse(text), Some(Millis(expected)), "{text}");
        }
        for text in ["", "5", "s", "5 s", "5x", "-5s", "1.5h", "5S", "9223372036854775807d", "5s ", "１s"] {
            assert_eq!(Millis::parse(text), None, "{text}");
        }
    }
}
