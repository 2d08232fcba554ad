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
    /// Reads a length as configuration writes it (`contract.md` 8): numbers with the units `ms s m h d`, also joined, as in
    /// `1h30m`. `None` for anything else, a bare number included.
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
    pub fn rfc3339(self, zone: TimeZone) -> String {
        match chrono::Utc.timestamp_millis_opt(self.0) {
            LocalResult::Single(instant) => {
                instant.with_timezone(&zone.0).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
            }
            _ => "1970-01-01T00:00:00+00:00".to_owned(),
        }
    }
    /// Reads RFC 3339 with an offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| Self(t.timestamp_millis()))
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
    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        (text.len() == 10).then_some(Self(date))
    }
    /// The date `days` later (earlier when negative).
    pub fn plus_days(self, days: i64) -> Self {
        Self(self.0.checked_add_signed(chrono::TimeDelta::days(days)).unwrap_or(self.0))
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
    /// The zone of Douyin's dates (`protocols/douyin.md` 1.6).
    pub const SHANGHAI: TimeZone = TimeZone(chrono_tz::Asia::Shanghai);
    /// The zone of the Korean channels' dates (`protocols/korea.md` 6.1).
    pub const SEOUL: TimeZone = TimeZone(chrono_tz::Asia::Seoul);

    /// Reads an IANA name such as `Asia/Shanghai`.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }
    /// The date that it is at `instant` here.
    pub fn date_of(self, instant: UnixMillis) -> Date {
        match chrono::Utc.timestamp_millis_opt(instant.0) {
            LocalResult::Single(t) => Date(t.with_timezone(&self.0).date_naive()),
            _ => Date(NaiveDate::default()),
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
