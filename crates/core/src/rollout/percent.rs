//! Percentages as whole hundredths, so that shares are computed in integers.

use serde_json::Value;

use crate::range::outside;
use crate::violation::Violation;

const HUNDREDTHS_PER_PERCENT: f64 = 100.0;
/// 100 %.
const ALL: u32 = 10_000;
/// Decimal fractions such as 0.07 are not exact in binary; this is far above the error and far below a hundredth.
const BINARY_ERROR_MAX: f64 = 1e-6;

/// A percentage from 0 to 100 with at most two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u32);

impl Percent {
    /// 100 %.
    pub const ALL: Self = Self(ALL);
    /// 0 %.
    pub const NONE: Self = Self(0);

    /// A whole percentage; more than 100 counts as 100.
    #[must_use]
    pub const fn whole(percent: u8) -> Self {
        let percent = if percent > 100 { 100 } else { percent };
        Self(percent as u32 * 100)
    }

    /// Reads a percentage that is at least `min` hundredths.
    ///
    /// # Errors
    /// It is outside of the range, or has more than two decimals.
    pub fn read(path: &str, percent: f64, min: Self) -> Result<Self, Violation> {
        let hundredths = percent * HUNDREDTHS_PER_PERCENT;
        let is_exact = (hundredths - hundredths.round()).abs() < BINARY_ERROR_MAX;
        let found = (min.0..=ALL).find(|whole| f64::from(*whole) == hundredths.round());
        match found {
            Some(whole) if is_exact => Ok(Self(whole)),
            _ => {
                let kind = "number with at most 2 decimals";
                let min = f64::from(min.0) / HUNDREDTHS_PER_PERCENT;
                Err(outside(path, &Value::from(percent), kind, min, 100))
            }
        }
    }

    /// The smallest percentage of a stage's size: 0.01 %.
    pub const SMALLEST: Self = Self(1);

    /// The share of `total`, rounded up.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        let share = (u128::from(self.0) * u128::from(total)).div_ceil(u128::from(ALL));
        u64::try_from(share).unwrap_or(total)
    }

    /// Whether it is 0 %.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_share_is_rounded_up_in_integers() {
        for (percent, total, share) in [
            (Percent::whole(80), 1000, 800),
            (Percent::whole(80), 4, 4),
            (Percent::SMALLEST, 1, 1),
            (Percent::SMALLEST, 1_000_000, 100),
            (Percent::NONE, 1_000_000, 0),
            (Percent::ALL, u64::MAX, u64::MAX),
        ] {
            assert_eq!(percent.of(total), share, "{percent:?} of {total}");
        }
    }

    #[test]
    fn percent_read_takes_two_decimals_and_no_more() {
        for hundredths in 0..=ALL {
            let read = Percent::read("p", f64::from(hundredths) / 100.0, Percent::NONE);
            assert_eq!(read, Ok(Percent(hundredths)));
        }
        for bad in [-0.01, 100.01, 0.001, 33.333, f64::NAN, f64::INFINITY] {
            assert!(Percent::read("p", bad, Percent::NONE).is_err(), "{bad}");
        }
        assert_eq!(
            Percent::read("p", 0.0, Percent::SMALLEST).unwrap_err().to_string(),
            "p: expected number with at most 2 decimals from 0.01 to 100, found 0.0"
        );
    }
}
