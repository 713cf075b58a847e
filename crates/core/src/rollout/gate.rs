//! The gate of a stage: what must have been reached before the next stage opens.

use super::percent::Percent;

/// What must hold before the next stage opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// No gate: all rows of the stage are written, and none of them is INIT.
    Released,
    /// Enough tasks have had the command, and enough of all sent ones have succeeded.
    Reached {
        /// Share of the size of the stage whose first attempt has ended.
        reached: Percent,
        /// Share of all sent tasks that must be SUCCEED. What is out or waits for a retry counts as not succeeded, so
        /// that quick successes cannot overtake slow failures.
        success: Percent,
    },
}

/// Counters of one stage, over its own tasks alone.
///
/// *Sent*: at least one attempt was not withdrawn. *Reached*: the first attempt has ended by a reply or by its
/// deadline, or the task became SUCCEED by a late success. Both are set once and for good: cancels, deletions and
/// retries by hand take nothing back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageCounts {
    /// Positions of the stage, also those whose rows are not yet written.
    pub size: u64,
    /// Written rows.
    pub written: u64,
    /// Rows in INIT.
    pub init: u64,
    /// Sent tasks.
    pub sent: u64,
    /// Reached tasks.
    pub reached: u64,
    /// Tasks that are SUCCEED.
    pub succeeded: u64,
    /// Final tasks.
    pub ended: u64,
    /// Final tasks that were not sent.
    pub ended_unsent: u64,
    /// Final tasks that were not reached.
    pub ended_unreached: u64,
}

/// What a gate wants, beside what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Reached tasks.
    pub reached: u64,
    /// How many must be reached.
    pub reached_needed: u64,
    /// Succeeded tasks.
    pub succeeded: u64,
    /// How many must have succeeded of those that are sent now.
    pub succeeded_needed: u64,
}

impl StageCounts {
    /// The counters as they would be if every task that is not final succeeded.
    #[must_use]
    fn at_best(&self) -> Self {
        Self {
            written: self.size,
            init: 0,
            sent: self.size.saturating_sub(self.ended_unsent),
            reached: self.size.saturating_sub(self.ended_unreached),
            succeeded: self.size.saturating_sub(self.ended.saturating_sub(self.succeeded)),
            ended: self.size,
            ..*self
        }
    }
}

impl Gate {
    /// Whether the gate holds with these counters.
    #[must_use]
    pub fn holds(self, counts: &StageCounts) -> bool {
        match self.progress(counts) {
            None => counts.written >= counts.size && counts.init == 0,
            Some(now) => now.reached >= now.reached_needed && now.succeeded >= now.succeeded_needed,
        }
    }

    /// Whether the gate would hold if every task of the stage that is not final succeeded. If not, the stage is
    /// STALLED.
    #[must_use]
    pub fn is_possible(self, counts: &StageCounts) -> bool {
        self.holds(&counts.at_best())
    }

    /// What the gate wants and what is there; `None` for a stage without a gate.
    #[must_use]
    pub fn progress(self, counts: &StageCounts) -> Option<Progress> {
        match self {
            Self::Released => None,
            Self::Reached { reached, success } => Some(Progress {
                reached: counts.reached,
                reached_needed: reached.of(counts.size).max(1),
                succeeded: counts.succeeded,
                succeeded_needed: success.of(counts.sent),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEFAULT: Gate = gate(80, 90);

    const fn gate(reached: u8, success: u8) -> Gate {
        Gate::Reached {
            reached: Percent::whole(reached),
            success: Percent::whole(success),
        }
    }

    /// A task as far as the gate sees it.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    struct Seen {
        sent: bool,
        reached: bool,
        end: Option<bool>,
    }

    const WAITS: Seen = Seen {
        sent: false,
        reached: false,
        end: None,
    };
    const OUT: Seen = Seen {
        sent: true,
        reached: false,
        end: None,
    };
    const OK: Seen = Seen {
        sent: true,
        reached: true,
        end: Some(true),
    };
    const FAILED: Seen = Seen {
        sent: true,
        reached: true,
        end: Some(false),
    };
    const RETRIES: Seen = Seen {
        sent: true,
        reached: true,
        end: None,
    };
    const UNSENT: Seen = Seen {
        sent: false,
        reached: false,
        end: Some(false),
    };
    const CANCELLED_OUT: Seen = Seen {
        sent: true,
        reached: false,
        end: Some(false),
    };

    fn count(tasks: &[(u64, Seen)]) -> StageCounts {
        let sum = |wanted: fn(&Seen) -> bool| {
            tasks
                .iter()
                .filter(|(_, seen)| wanted(seen))
                .map(|(number, _)| *number)
                .sum::<u64>()
        };
        StageCounts {
            size: sum(|_| true),
            written: sum(|_| true),
            init: sum(|seen| *seen == WAITS),
            sent: sum(|seen| seen.sent),
            reached: sum(|seen| seen.reached),
            succeeded: sum(|seen| seen.end == Some(true)),
            ended: sum(|seen| seen.end.is_some()),
            ended_unsent: sum(|seen| seen.end.is_some() && !seen.sent),
            ended_unreached: sum(|seen| seen.end.is_some() && !seen.reached),
        }
    }

    #[test]
    fn gate_canary_with_hanging_devices_does_not_hold_early() {
        let counts = count(&[(800, OK), (200, OUT)]);
        assert!(!DEFAULT.holds(&counts) && DEFAULT.is_possible(&counts));
        let progress = DEFAULT.progress(&counts).unwrap();
        assert_eq!((progress.reached, progress.reached_needed), (800, 800));
        assert_eq!((progress.succeeded, progress.succeeded_needed), (800, 900));
    }

    #[test]
    fn gate_devices_bricked_by_the_command_count_for_good() {
        // No reply, and the retry was never sent: the device is reached all the same.
        let counts = count(&[(850, OK), (150, FAILED)]);
        assert!(!DEFAULT.holds(&counts) && !DEFAULT.is_possible(&counts));
    }

    #[test]
    fn gate_retry_by_hand_takes_no_failure_off_the_record() {
        let counts = count(&[(1, RETRIES), (1, OK)]);
        assert!(!gate(50, 100).holds(&counts), "the failed one waits again");
        assert!(gate(50, 100).is_possible(&counts), "its retry may succeed");
    }

    #[test]
    fn gate_error_that_waits_for_its_retry_counts_as_not_succeeded() {
        assert!(!gate(80, 100).holds(&count(&[(9, OK), (1, RETRIES)])));
    }

    #[test]
    fn gate_cancelling_the_only_canary_passes_nothing() {
        for canary in [UNSENT, CANCELLED_OUT] {
            let counts = count(&[(1, canary)]);
            assert!(!DEFAULT.holds(&counts) && !DEFAULT.is_possible(&counts), "{canary:?}");
            assert!(!gate(1, 0).holds(&counts), "at least one task must be reached");
        }
    }

    #[test]
    fn gate_small_stages_tolerate_nothing_with_the_defaults() {
        let with = |size: u64, bad: Seen| count(&[(size - 1, OK), (1, bad)]);
        assert!(!DEFAULT.is_possible(&with(4, UNSENT)) && DEFAULT.holds(&with(5, UNSENT)));
        assert!(!DEFAULT.is_possible(&with(9, FAILED)) && DEFAULT.holds(&with(10, FAILED)));
    }

    #[test]
    fn gate_all_devices_away_is_stalled_after_their_windows_only() {
        assert!(DEFAULT.is_possible(&count(&[(10, WAITS)])));
        assert!(!DEFAULT.is_possible(&count(&[(10, UNSENT)])));
    }

    #[test]
    fn gate_rows_not_yet_written_count_in_the_size() {
        let counts = StageCounts {
            size: 10,
            ..count(&[(7, OK)])
        };
        assert!(!DEFAULT.holds(&counts) && DEFAULT.is_possible(&counts));
        assert!(!Gate::Released.holds(&counts) && Gate::Released.is_possible(&counts));
    }

    #[test]
    fn gate_without_reach_holds_when_nothing_is_init() {
        assert!(!Gate::Released.holds(&count(&[(1, WAITS), (5, OK)])));
        assert!(Gate::Released.holds(&count(&[(3, OUT), (3, UNSENT)])));
    }

    fn seen() -> impl Strategy<Value = Seen> {
        prop::sample::select(vec![WAITS, OUT, OK, FAILED, RETRIES, UNSENT, CANCELLED_OUT])
    }

    proptest! {
        #[test]
        fn gate_possible_is_what_the_text_says(
            tasks in prop::collection::vec(seen(), 1..40), reached in 1_u8..=100, success in 0_u8..=100,
        ) {
            let gate = gate(reached, success);
            let best: Vec<_> = tasks.iter().map(|seen| (1, if seen.end.is_none() { OK } else { *seen })).collect();
            let now: Vec<_> = tasks.iter().map(|seen| (1, *seen)).collect();
            prop_assert_eq!(gate.is_possible(&count(&now)), gate.holds(&count(&best)));
            if gate.holds(&count(&best)) && tasks.iter().all(|seen| seen.end.is_some()) {
                prop_assert!(gate.holds(&count(&now)));
            }
        }

        #[test]
        fn gate_stalled_stays_so_without_a_retry_by_hand(
            mut tasks in prop::collection::vec(seen(), 1..20), success in 0_u8..=100,
            moves in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3), 0..60),
        ) {
            let gate = gate(80, success);
            let counts = |tasks: &[Seen]| count(&tasks.iter().map(|seen| (1, *seen)).collect::<Vec<_>>());
            let mut stalled = !gate.is_possible(&counts(&tasks));
            for (index, choice) in moves {
                let task = index.get_mut(&mut tasks);
                *task = match *task {
                    WAITS => [OUT, UNSENT, WAITS][choice],
                    OUT => [OK, FAILED, RETRIES][choice],
                    RETRIES => [OK, FAILED, RETRIES][choice],
                    ended => ended,
                };
                let now = !gate.is_possible(&counts(&tasks));
                prop_assert!(now || !stalled);
                stalled = now;
            }
        }
    }
}
