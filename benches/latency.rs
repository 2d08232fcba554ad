//! How long things took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// A year: nothing that is measured takes longer.
const LONGEST_US: u64 = 31_536_000_000_000;

/// Times of one kind of call, to three digits.
#[derive(Clone, Debug)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are allowed"))
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
        // The histogram grows by itself; `saturating_record` would cut a time off instead.
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(LONGEST_US);
        self.0.record(micros).expect("it grows as far as this");
    }
    /// Those of another.
    pub(crate) fn merge(&mut self, other: &Times) {
        self.0.add(&other.0).expect("both grow by themselves");
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The figures.
    pub(crate) fn figures(&self) -> Latency {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1_000.0;
        Latency {
            count: self.0.len(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: self.0.max() as f64 / 1_000.0,
        }
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
        assert!((figures.p50_ms - 50.0).abs() < 0.1, "{figures:?}");
        assert!((figures.p99_ms - 99.0).abs() < 0.1, "{figures:?}");
        assert!((figures.max_ms - 100.0).abs() < 0.1, "{figures:?}");
    }
}
