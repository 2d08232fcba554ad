// SPDX-License-Identifier: Apache-2.0

//! How long things took.

use std::time::Duration;

use histogram::Histogram;
use serde::Serialize;

/// Steps within each doubling: a time is known to 1/256 of it.
const GROUPING: u8 = 8;
/// Times below 2^36 µs, which is 19 hours.
const POWER_MAX: u8 = 36;

/// Times of one kind of call.
#[derive(Clone, Debug)]
pub(crate) struct Times(Histogram);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(GROUPING, POWER_MAX).expect("these powers fit together"))
    }
}

/// The figures that are printed, milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    /// How many.
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

impl Times {
    /// One took so long.
    pub(crate) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min((1 << POWER_MAX) - 1);
        self.0.increment(micros).expect("it is below the greatest");
    }
    /// Those of another.
    pub(crate) fn merge(&mut self, other: &Times) {
        self.0.checked_add_assign(&other.0).expect("all of them have the same form");
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }
    fn count(&self) -> u64 {
        self.0.as_slice().iter().sum()
    }
    /// The figures.
    pub(crate) fn figures(&self) -> Latency {
        let at = |quantile| {
            let found = self.0.quantile_bucket(quantile).ok().flatten();
            found.map_or(0.0, |bucket| bucket.end() as f64 / 1_000.0)
        };
        Latency { count: self.count(), p50_ms: at(0.5), p99_ms: at(0.99), p999_ms: at(0.999), max_ms: at(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_times_have_their_quantiles() {
        let mut times = Times::default();
        (1..=100).for_each(|ms| times.add(Duration::from_millis(ms)));
        let figures = times.figures();
        assert_eq!(figures.count, 100);
        assert_eq!(Times::default().figures().max_ms, 0.0, "nothing took no time");
        assert!((figures.p50_ms - 50.0).abs() < 0.5, "{figures:?}");
        assert!((figures.p99_ms - 99.0).abs() < 0.5, "{figures:?}");
        assert!((figures.max_ms - 100.0).abs() < 0.5, "{figures:?}");
    }
}
