//! Automatic retries in full: which ends are retried, how long the pause before one is, and the budget of a job.

use serde_json::Value;

use crate::ids::TaskNo;
use crate::mix::mix;
use crate::outcome_class::{Classes, OutcomeClass};
use crate::range::outside;
use crate::violation::Violation;

/// Most device codes that are final.
pub const NO_RETRY_CODES_MAX: usize = 50;
/// Largest budget of a job.
pub const BUDGET_MAX: i64 = 10_000_000;
/// Largest factor between two pauses.
pub const BACKOFF_FACTOR_MAX: i64 = 10;
/// An automatic retry becomes due at the earliest this long after its attempt ended, so that an interval of 0 cannot
/// spin.
const PAUSE_MIN_MS: i64 = 1_000;
const HUNDREDTHS: f64 = 100.0;
/// Decimal fractions are not exact in binary; this is far above the error and far below a hundredth.
const BINARY_ERROR_MAX: f64 = 1e-6;

/// The factor between two pauses, in whole hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffFactor(i64);

impl BackoffFactor {
    /// All pauses are equal.
    pub const ONE: Self = Self(100);

    /// Reads a factor from 1 to 10 with at most two decimals.
    ///
    /// # Errors
    /// It is outside of the range, or has more decimals.
    pub fn read(path: &str, factor: f64) -> Result<Self, Violation> {
        let hundredths = factor * HUNDREDTHS;
        let is_exact = (hundredths - hundredths.round()).abs() < BINARY_ERROR_MAX;
        let whole = (100..=BACKOFF_FACTOR_MAX * 100)
            .find(|whole| i32::try_from(*whole).is_ok_and(|whole| f64::from(whole) == hundredths.round()));
        whole.filter(|_| is_exact).map(Self).ok_or_else(|| {
            outside(
                path,
                &Value::from(factor),
                "number with at most 2 decimals",
                1,
                BACKOFF_FACTOR_MAX,
            )
        })
    }
}

/// The retry rules of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryRules {
    /// Automatic retries of a task.
    pub count: u8,
    /// The pause before the first retry, in milliseconds.
    pub interval_ms: i64,
    /// The factor between two pauses.
    pub factor: BackoffFactor,
    /// The longest pause, before jitter, in milliseconds.
    pub interval_max_ms: i64,
    /// How far a pause may differ, 0 to 100.
    pub jitter_percent: u8,
    /// Which ends are retried.
    pub on: Classes,
    /// Device codes that are final.
    pub no_retry_codes: Vec<i64>,
    /// Automatic retries of the whole job; `None`: no limit.
    pub budget: Option<u64>,
}

/// A round that ended badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadEnd {
    /// Its class.
    pub class: OutcomeClass,
    /// The code of the result.
    pub code: i64,
    /// Trying again later can help.
    pub time_heals: bool,
    /// Automatic retries of the task that are used up.
    pub used: u8,
}

/// Retries of the whole job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BudgetUse {
    /// Retries that are used up.
    pub used: u64,
    /// Tasks in RETRY_WAIT: each has a retry planned.
    pub planned: u64,
}

/// What follows a round that ended badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A retry after this pause, in milliseconds.
    RetryAfter(i64),
    /// The end is final.
    Final,
    /// The end is final because the budget of the job is used up.
    BudgetUsedUp,
}

impl RetryRules {
    /// Whether a round that ended badly is retried, and when.
    #[must_use]
    pub fn next(&self, task: TaskNo, end: BadEnd, budget: BudgetUse) -> Next {
        let is_final_code = end.class == OutcomeClass::DeviceError && self.no_retry_codes.contains(&end.code);
        if !end.time_heals || end.used >= self.count || !self.on.has(end.class) || is_final_code {
            return Next::Final;
        }
        // Planned retries count too: otherwise two errors at once could both take the last one.
        let taken = budget.used.saturating_add(budget.planned);
        if self.budget.is_some_and(|budget| taken >= budget) {
            return Next::BudgetUsedUp;
        }
        Next::RetryAfter(self.pause_ms(task, end.used.saturating_add(1)))
    }

    /// The pause before retry `n` of a task, from 1: interval × factor^(n−1), bounded, then changed by the jitter. The
    /// jitter is a hash, so that a restart plans the same.
    fn pause_ms(&self, task: TaskNo, n: u8) -> i64 {
        let grow = |pause: i64, _: u8| (pause.saturating_mul(self.factor.0) / 100).min(self.interval_max_ms);
        let pause = (1..n).fold(self.interval_ms.min(self.interval_max_ms), grow);
        let reach = i128::from(pause) * i128::from(self.jitter_percent.min(100)) / 100;
        let jitter = i64::try_from(reach * share(task, n) / i128::from(SHARE_MAX)).unwrap_or_default();
        pause.saturating_add(jitter).max(PAUSE_MIN_MS)
    }
}

/// The jitter's steps on either side of zero.
const SHARE_MAX: u32 = 1 << 20;

/// A fixed number from −[`SHARE_MAX`] to [`SHARE_MAX`].
fn share(task: TaskNo, n: u8) -> i128 {
    let steps = 2 * u64::from(SHARE_MAX) + 1;
    i128::from(mix(task.0, u64::from(n)) % steps) - i128::from(SHARE_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TASK: TaskNo = TaskNo(7);
    const ERROR: BadEnd = BadEnd {
        class: OutcomeClass::DeviceError,
        code: 3,
        time_heals: true,
        used: 0,
    };

    fn rules() -> RetryRules {
        RetryRules {
            count: 5,
            interval_ms: 10_000,
            factor: BackoffFactor::ONE,
            interval_max_ms: 86_400_000,
            jitter_percent: 0,
            on: Classes::ALL,
            no_retry_codes: Vec::new(),
            budget: None,
        }
    }

    fn after(rules: &RetryRules, end: BadEnd) -> Next {
        rules.next(TASK, end, BudgetUse::default())
    }

    #[test]
    fn retry_pause_with_defaults_is_the_interval() {
        for used in 0..5 {
            assert_eq!(after(&rules(), BadEnd { used, ..ERROR }), Next::RetryAfter(10_000));
        }
        assert_eq!(after(&rules(), BadEnd { used: 5, ..ERROR }), Next::Final);
        assert_eq!(
            after(
                &RetryRules {
                    interval_ms: 0,
                    ..rules()
                },
                ERROR
            ),
            Next::RetryAfter(1_000)
        );
    }

    #[test]
    fn retry_pause_grows_by_the_factor_up_to_its_bound() {
        let factor = BackoffFactor::read("backoffFactor", 2.5).unwrap();
        let rules = RetryRules {
            factor,
            interval_max_ms: 100_000,
            ..rules()
        };
        for (used, pause) in [(0, 10_000), (1, 25_000), (2, 62_500), (3, 100_000), (4, 100_000)] {
            assert_eq!(after(&rules, BadEnd { used, ..ERROR }), Next::RetryAfter(pause));
        }
    }

    #[test]
    fn retry_of_a_class_or_code_that_is_final_is_not_planned() {
        let only_silence = RetryRules {
            on: Classes::read("retryOn", &["NO_REPLY".into()]).unwrap(),
            ..rules()
        };
        assert_eq!(after(&only_silence, ERROR), Next::Final);
        let final_code = RetryRules {
            no_retry_codes: vec![3, 11_900],
            ..rules()
        };
        assert_eq!(after(&final_code, ERROR), Next::Final);
        let unsent = BadEnd {
            class: OutcomeClass::NotSent,
            code: 11_900,
            ..ERROR
        };
        assert_eq!(
            after(&final_code, unsent),
            Next::RetryAfter(10_000),
            "only codes of devices are meant"
        );
        assert_eq!(
            after(
                &rules(),
                BadEnd {
                    time_heals: false,
                    ..unsent
                }
            ),
            Next::Final
        );
    }

    #[test]
    fn retry_budget_counts_planned_retries_too() {
        let rules = RetryRules {
            budget: Some(2),
            ..rules()
        };
        let next = |used, planned| rules.next(TASK, ERROR, BudgetUse { used, planned });
        assert_eq!(next(0, 1), Next::RetryAfter(10_000));
        assert_eq!([next(1, 1), next(0, 2), next(2, 0)], [Next::BudgetUsedUp; 3]);
        assert_eq!(
            after(
                &RetryRules {
                    budget: Some(0),
                    ..rules
                },
                ERROR
            ),
            Next::BudgetUsedUp
        );
    }

    #[test]
    fn backoff_factor_takes_two_decimals_from_one_to_ten() {
        assert_eq!(BackoffFactor::read("f", 1.0), Ok(BackoffFactor::ONE));
        assert_eq!(BackoffFactor::read("f", 1.07), Ok(BackoffFactor(107)));
        for bad in [0.99, 10.01, 1.001, f64::NAN] {
            assert!(BackoffFactor::read("f", bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn retry_jitter_stays_in_its_share_and_is_the_same_again(
            task in 0_u64..1 << 50, used in 0_u8..5, jitter_percent in 0_u8..=100, interval_ms in 2_000_i64..1_000_000,
        ) {
            let rules = RetryRules { jitter_percent, interval_ms, ..rules() };
            let end = BadEnd { used, ..ERROR };
            let next = rules.next(TaskNo(task), end, BudgetUse::default());
            prop_assert_eq!(next, rules.next(TaskNo(task), end, BudgetUse::default()));
            let Next::RetryAfter(pause) = next else { panic!() };
            let reach = interval_ms * i64::from(jitter_percent) / 100;
            prop_assert!(pause >= (interval_ms - reach).max(1_000) && pause <= interval_ms + reach);
        }
    }

    #[test]
    fn retry_jitter_spreads_tasks_evenly() {
        let rules = RetryRules {
            jitter_percent: 50,
            ..rules()
        };
        let mut tenths = [0; 10];
        for task in 0..10_000 {
            let Next::RetryAfter(pause) = rules.next(TaskNo(task), ERROR, BudgetUse::default()) else {
                panic!()
            };
            tenths[usize::try_from((pause - 5_000) / 1_001).unwrap().min(9)] += 1;
        }
        assert!(tenths.iter().all(|tenth| (800..1_200).contains(tenth)), "{tenths:?}");
    }
}
