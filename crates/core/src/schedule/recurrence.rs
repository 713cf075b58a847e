//! Which of the planned moments of a recurring job become runs.

use super::cron::Cron;
use crate::time::Timestamp;

/// Seconds that a missed moment may be late, if nothing is said.
pub const GRACE_DEFAULT_S: i64 = 300;
/// Longest grace: a day, in seconds.
pub const GRACE_MAX_S: i64 = 86_400;
/// Most runs of one plan.
pub const RUNS_MAX: i64 = 100_000;
/// Moments that one look passes over; a longer gap is made up for by the next look.
const MISSED_MAX: usize = 10_000;

/// What happens at a moment when the previous run is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// The moment is skipped.
    Skip,
    /// Both run.
    Allow,
    /// The previous run is cancelled in the same commit.
    CancelPrevious,
}

/// When a recurring job runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrence {
    /// The planned moments.
    pub cron: Cron,
    /// What happens when the previous run is not finished.
    pub overlap: Overlap,
    /// How late a missed moment may still run, in milliseconds.
    pub grace_ms: i64,
    /// Most runs; `None`: no limit.
    pub runs_max: Option<u64>,
    /// The end of the planning.
    pub end: Option<Timestamp>,
}

/// What is stored of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The next planned moment; `None`: the planning is over.
    pub next: Option<Timestamp>,
    /// Runs so far.
    pub runs: u64,
}

/// What happens to the plan at a moment. It belongs into one commit, so that a crash cannot double a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The planned moment of the run to be created.
    pub run: Option<Timestamp>,
    /// The previous run is to be cancelled.
    pub cancels_previous: bool,
    /// Moments that passed while the server was down or the plan paused.
    pub missed: u64,
    /// The moment was skipped because the previous run is not finished.
    pub overlapped: bool,
    /// The plan from now on.
    pub plan: Plan,
}

impl Recurrence {
    /// A new plan: its first moment is the first one at or after `from`.
    #[must_use]
    pub fn begin(&self, from: Timestamp) -> Plan {
        let first = self.cron.after(from.plus_ms(-1)).next();
        Plan {
            next: self.bounded(first, 0),
            runs: 0,
        }
    }

    /// What happens at `now`; `None`: nothing is due. A paused plan is not looked at: its moments count as missed when
    /// it is resumed. Of several moments that have passed only the latest runs, if it is not older than the grace.
    #[must_use]
    pub fn look(&self, plan: Plan, previous_runs: bool, now: Timestamp) -> Option<Decision> {
        let first = plan.next.filter(|next| *next <= now)?;
        let later = self
            .cron
            .after(first)
            .take_while(|moment| *moment <= now && self.is_before_end(*moment));
        let (latest, passed) = later
            .take(MISSED_MAX)
            .fold((first, 0), |(_, passed), moment| (moment, passed + 1));
        let is_late = now.ms_since(latest) > self.grace_ms;
        let overlapped = !is_late && previous_runs && self.overlap == Overlap::Skip;
        let run = (!is_late && !overlapped).then_some(latest);
        let runs = plan.runs + u64::from(run.is_some());
        Some(Decision {
            run,
            cancels_previous: run.is_some() && previous_runs && self.overlap == Overlap::CancelPrevious,
            missed: passed + u64::from(is_late),
            overlapped,
            plan: Plan {
                next: self.bounded(self.cron.after(latest).next(), runs),
                runs,
            },
        })
    }

    fn bounded(&self, next: Option<Timestamp>, runs: u64) -> Option<Timestamp> {
        let may_run = self.runs_max.is_none_or(|max| runs < max);
        next.filter(|next| may_run && self.is_before_end(*next))
    }

    fn is_before_end(&self, moment: Timestamp) -> bool {
        self.end.is_none_or(|end| moment < end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    fn hourly(overlap: Overlap) -> Recurrence {
        let cron = Cron::read("0 * * * *", "UTC").unwrap();
        Recurrence {
            cron,
            overlap,
            grace_ms: GRACE_DEFAULT_S * 1_000,
            runs_max: None,
            end: None,
        }
    }

    #[test]
    fn plan_runs_at_its_moment_and_not_before() {
        let recurrence = hourly(Overlap::Skip);
        let plan = recurrence.begin(Timestamp(1));
        assert_eq!(
            plan,
            Plan {
                next: Some(Timestamp(HOUR)),
                runs: 0
            }
        );
        assert_eq!(recurrence.begin(Timestamp(0)).next, Some(Timestamp(0)));
        assert_eq!(recurrence.look(plan, false, Timestamp(HOUR - 1)), None);
        let decision = recurrence.look(plan, false, Timestamp(HOUR)).unwrap();
        let after = Plan {
            next: Some(Timestamp(2 * HOUR)),
            runs: 1,
        };
        let wanted = Decision {
            run: Some(Timestamp(HOUR)),
            cancels_previous: false,
            missed: 0,
            overlapped: false,
            plan: after,
        };
        assert_eq!(decision, wanted);
    }

    #[test]
    fn plan_previous_run_that_is_not_finished_decides_by_overlap() {
        for (overlap, runs, cancels) in [
            (Overlap::Skip, false, false),
            (Overlap::Allow, true, false),
            (Overlap::CancelPrevious, true, true),
        ] {
            let recurrence = hourly(overlap);
            let decision = recurrence
                .look(recurrence.begin(Timestamp(1)), true, Timestamp(HOUR))
                .unwrap();
            assert_eq!(
                (decision.run.is_some(), decision.cancels_previous),
                (runs, cancels),
                "{overlap:?}"
            );
            assert_eq!((decision.overlapped, decision.missed), (!runs, 0), "{overlap:?}");
        }
    }

    #[test]
    fn plan_missed_moments_run_the_latest_within_the_grace() {
        let recurrence = hourly(Overlap::Skip);
        let plan = recurrence.begin(Timestamp(1));
        let in_time = recurrence.look(plan, false, Timestamp(5 * HOUR + 5 * MINUTE)).unwrap();
        assert_eq!((in_time.run, in_time.missed), (Some(Timestamp(5 * HOUR)), 4));
        let late = recurrence
            .look(plan, false, Timestamp(5 * HOUR + 5 * MINUTE + 1))
            .unwrap();
        assert_eq!((late.run, late.missed, late.plan.runs), (None, 5, 0));
        assert_eq!(late.plan.next, Some(Timestamp(6 * HOUR)));
    }

    #[test]
    fn plan_ends_after_its_last_run_or_at_its_end() {
        let twice = Recurrence {
            runs_max: Some(1),
            ..hourly(Overlap::Allow)
        };
        let decision = twice.look(twice.begin(Timestamp(1)), false, Timestamp(HOUR)).unwrap();
        assert_eq!(decision.plan, Plan { next: None, runs: 1 });
        let ending = Recurrence {
            end: Some(Timestamp(3 * HOUR)),
            ..hourly(Overlap::Allow)
        };
        let last = ending
            .look(ending.begin(Timestamp(1)), false, Timestamp(3 * HOUR + 1))
            .unwrap();
        assert_eq!((last.missed, last.plan.next), (2, None), "the end itself is no moment");
    }

    proptest! {
        #[test]
        fn plan_each_moment_is_run_or_skipped_exactly_once(
            waits in prop::collection::vec((1_i64..9 * HOUR, any::<bool>()), 1..40),
            overlap in prop::sample::select(vec![Overlap::Skip, Overlap::Allow, Overlap::CancelPrevious]),
        ) {
            let recurrence = hourly(overlap);
            let mut plan = recurrence.begin(Timestamp(1));
            let (mut now, mut runs, mut skipped) = (Timestamp(0), Vec::new(), 0);
            for (wait, previous_runs) in waits {
                now = now.plus_ms(wait);
                if let Some(decision) = recurrence.look(plan, previous_runs, now) {
                    runs.extend(decision.run);
                    skipped += decision.missed + u64::from(decision.overlapped);
                    plan = decision.plan;
                }
            }
            let passed = u64::try_from(now.0 / HOUR).unwrap();
            prop_assert_eq!(u64::try_from(runs.len()).unwrap() + skipped, passed);
            prop_assert!(runs.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
