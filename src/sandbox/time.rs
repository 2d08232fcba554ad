// SPDX-License-Identifier: Apache-2.0

//! The sandbox's time: real, and made faster by a scale, so that ten minutes can pass in ten seconds.

use chrono::{DateTime, FixedOffset, NaiveDate};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Says what o'clock it is: milliseconds since 1970-01-01T00:00:00Z.
pub type WallClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A place whose clocks never change: seconds by which it is ahead of Greenwich.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(i32);

impl Zone {
    /// Where Douyin's days are counted (`adapters/douyin/README.md`).
    pub const SHANGHAI: Self = Self(8 * 3_600);
    /// Where the Korean platforms' days are counted (`adapters/kakao/README.md`).
    pub const SEOUL: Self = Self(9 * 3_600);

    fn offset(self) -> FixedOffset {
        FixedOffset::east_opt(self.0).expect("some hours are an offset")
    }
    /// The date there at `unix_s`.
    pub fn date(self, unix_s: i64) -> NaiveDate {
        DateTime::from_timestamp(unix_s, 0).map(|t| t.with_timezone(&self.offset()).date_naive()).unwrap_or_default()
    }
    /// The instant at which `date` begins there, seconds since 1970.
    pub fn midnight_s(self, date: NaiveDate) -> i64 {
        date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() - i64::from(self.0)
    }
    /// An instant as people there write it, RFC 3339 with milliseconds where there are any.
    pub fn written(self, unix_ms: i64) -> String {
        let at = DateTime::from_timestamp_millis(unix_ms).unwrap_or_default().with_timezone(&self.offset());
        at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
    }
}

/// The one time of both simulators. Lengths of time are given as the protocol states them and pass `scale` times as
/// fast; dates and timestamps are those of the wall clock and are never scaled.
#[derive(Clone)]
pub struct SimTime {
    scale: f64,
    start: Instant,
    wall: WallClock,
}

impl fmt::Debug for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimTime").field("scale", &self.scale).finish_non_exhaustive()
    }
}

impl SimTime {
    /// Real time of this machine, `scale` times as fast. A scale below 1 counts as 1.
    pub fn new(scale: f64) -> Self {
        Self::with_wall_clock(scale, Arc::new(system_clock_ms))
    }

    /// The same with a wall clock of the caller's: a test's bridge and its simulators must agree on the date.
    pub fn with_wall_clock(scale: f64, wall: WallClock) -> Self {
        Self { scale: if scale.is_finite() { scale.max(1.0) } else { 1.0 }, start: Instant::now(), wall }
    }

    /// How many times as fast stated lengths of time pass.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// How long `stated` takes here.
    pub fn scaled(&self, stated: Duration) -> Duration {
        stated.div_f64(self.scale)
    }

    /// Real time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Time since the start as the protocol counts it.
    pub fn stated_elapsed(&self) -> Duration {
        self.elapsed().mul_f64(self.scale)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn now_ms(&self) -> i64 {
        (self.wall)()
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub fn now_s(&self) -> i64 {
        self.now_ms().div_euclid(1_000)
    }

    /// Today in this zone.
    pub fn today(&self, zone: Zone) -> NaiveDate {
        zone.date(self.now_s())
    }

    /// Lets `stated` pass, as the protocol counts.
    pub async fn pass(&self, stated: Duration) {
        self.pass_really(self.scaled(stated)).await;
    }

    /// Lets `length` pass on the wall.
    #[expect(clippy::disallowed_methods, reason = "the sandbox is the outside world: here, and only here, time passes")]
    pub async fn pass_really(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox is the outside world and has a clock of its own")]
fn system_clock_ms() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stated_time_is_divided_by_the_scale_and_dates_are_not() {
        let time = SimTime::with_wall_clock(60.0, Arc::new(|| 1_790_000_000_000));
        assert_eq!(time.scaled(Duration::from_secs(600)), Duration::from_secs(10));
        assert_eq!(time.now_s(), 1_790_000_000);
    }

    #[test]
    fn a_day_in_shanghai_begins_at_sixteen_hours_utc() {
        let date = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
        let midnight = Zone::SHANGHAI.midnight_s(date);
        assert_eq!(Zone::SHANGHAI.date(midnight), date);
        assert_eq!(Zone::SHANGHAI.date(midnight - 1), NaiveDate::from_ymd_opt(2026, 11, 30).unwrap());
    }
}
