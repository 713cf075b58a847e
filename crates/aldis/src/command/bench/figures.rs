//! Durations and rates, summed up.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The spread of some durations, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spread {
    pub(super) p50_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(super) fn of(mut durations: Vec<Duration>) -> Option<Self> {
        durations.sort_unstable();
        let at = |percent| Some(millis(*durations.get(nearest_rank(durations.len(), percent)?)?));
        Some(Self {
            p50_ms: at(50)?,
            p90_ms: at(90)?,
            p99_ms: at(99)?,
            max_ms: at(100)?,
        })
    }
}

/// The place of a percentile in a sorted list: the smallest value that this percentage does not exceed.
fn nearest_rank(length: usize, percent: usize) -> Option<usize> {
    (length * percent).div_ceil(100).checked_sub(1)
}

/// Of some figures the median, the least and the most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Range {
    pub(super) middle: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Range {
    /// `None` of nothing.
    pub(super) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_unstable_by(f64::total_cmp);
        Some(Self {
            middle: *figures.get(figures.len() / 2)?,
            least: *figures.first()?,
            most: *figures.last()?,
        })
    }
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// As a fraction can be made of; no count here comes near the 4 thousand million where it ends.
pub(super) fn number(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            p50_ms,
            p90_ms,
            p99_ms,
            max_ms,
        } = self;
        write!(
            f,
            "half {p50_ms:.1} ms, 90 % {p90_ms:.1} ms, 99 % {p99_ms:.1} ms, slowest {max_ms:.1} ms"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let spread = Spread::of((1..=200).rev().map(Duration::from_millis).collect());
        let expected = Spread {
            p50_ms: 100.0,
            p90_ms: 180.0,
            p99_ms: 198.0,
            max_ms: 200.0,
        };
        assert_eq!(spread, Some(expected));
        assert_eq!(Spread::of(vec![Duration::from_millis(7)]).unwrap().p50_ms, 7.0);
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn a_range_has_its_median_in_the_middle() {
        let range = Range::of([3.0, 1.0, 2.0].into_iter()).unwrap();
        assert_eq!((range.least, range.middle, range.most), (1.0, 2.0, 3.0));
        assert_eq!(Range::of(std::iter::empty()), None);
    }
}
