//! The stages of a job: which one is open, in which phase it is, and when the next one opens.

use std::ops::Range;

use super::control::Refused;
use super::gate::StageCounts;
use super::policy::{RolloutPolicy, Stage};
use crate::time::Timestamp;

/// What is stored of a job's stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenStage {
    /// The open stage, numbered from 1 as in the request.
    pub number: usize,
    /// When its gate first held: the soak begins there.
    pub reached: Option<Timestamp>,
}

/// The phase of the open stage. It is computed, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Tasks are released and run; the gate does not hold yet.
    Releasing,
    /// The gate has held; the job watches until this moment, or longer while the gate does not hold.
    Soaking {
        /// The end of the soak, if the job is not paused before.
        until: Timestamp,
    },
    /// The soak is served and the gate holds: an operator must open the next stage.
    Approval,
    /// The gate cannot be met any more without a retry by hand.
    Stalled,
}

/// The moment at which the stages are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The counters of the open stage.
    pub counts: &'a StageCounts,
    /// The last resume of the job.
    pub resumed: Option<Timestamp>,
    /// The job is paused, or cancelled as a whole.
    pub is_held: bool,
    /// The moment of the commit.
    pub now: Timestamp,
}

impl OpenStage {
    /// The first stage that has a position.
    #[must_use]
    pub fn first(positions: &[Range<u64>]) -> Self {
        Self::at(1, positions)
    }

    /// Stage `number`, or the next one with a position. The last stage is open even if it is empty.
    fn at(number: usize, positions: &[Range<u64>]) -> Self {
        let empty = positions
            .iter()
            .skip(number.saturating_sub(1))
            .take_while(|range| range.is_empty())
            .count();
        let number = number.saturating_add(empty).min(positions.len()).max(1);
        Self { number, reached: None }
    }

    /// The phase of the stage; `None` in the last stage, which has no gate.
    #[must_use]
    pub fn phase(&self, policy: &RolloutPolicy, look: &Look<'_>) -> Option<Phase> {
        let stage = self.gated(policy)?;
        if !stage.gate.is_possible(look.counts) {
            return Some(Phase::Stalled);
        }
        let Some(until) = self.soak_end(stage, look.resumed) else {
            return Some(Phase::Releasing);
        };
        let is_served = look.now >= until && stage.gate.holds(look.counts);
        Some(if is_served && stage.approval {
            Phase::Approval
        } else {
            Phase::Soaking { until }
        })
    }

    /// The stage after this commit: the soak begins in the first commit in which the gate holds, and the next stage
    /// opens in the first commit at or after the end of the soak in which the gate holds then too. An operator who
    /// must approve opens it by [`OpenStage::asked`].
    #[must_use]
    pub fn advanced(self, policy: &RolloutPolicy, positions: &[Range<u64>], look: &Look<'_>) -> Self {
        let Some(stage) = self.gated(policy) else {
            return self;
        };
        if !stage.gate.holds(look.counts) {
            return self;
        }
        let begun = Self {
            reached: self.reached.or(Some(look.now)),
            ..self
        };
        let is_served = begun.soak_end(stage, look.resumed).is_some_and(|end| look.now >= end);
        if is_served && !look.is_held && !stage.approval {
            return Self::at(self.number + 1, positions);
        }
        begun
    }

    /// The stage after `nextStage {"stage": n}`: opens stage n whatever the gate says. Quoting the number makes it
    /// harmless to ask twice. A stage without positions is passed at once.
    ///
    /// # Errors
    /// n is not a stage from 2 on, or more than one beyond the open one.
    pub fn asked(self, n: usize, positions: &[Range<u64>]) -> Result<Self, Refused> {
        if !(2..=positions.len()).contains(&n) {
            return Err(Refused::NoSuchStage);
        }
        if n <= self.number {
            return Ok(self);
        }
        if n > self.number + 1 {
            return Err(Refused::StageTooFar);
        }
        Ok(Self::at(n, positions))
    }

    /// The first position that must not be released yet.
    #[must_use]
    pub fn release_bound(&self, positions: &[Range<u64>]) -> u64 {
        positions
            .get(self.number.saturating_sub(1))
            .map_or(0, |range| range.end)
    }

    /// The open stage, if another one follows.
    fn gated<'a>(&self, policy: &'a RolloutPolicy) -> Option<&'a Stage> {
        let index = self.number.checked_sub(1)?;
        (self.number < policy.stages.len()).then(|| policy.stages.get(index))?
    }

    /// The soak counts from the gate's first moment, or from the last resume if that is later.
    fn soak_end(&self, stage: &Stage, resumed: Option<Timestamp>) -> Option<Timestamp> {
        let from = self.reached?;
        Some(resumed.map_or(from, |resumed| from.max(resumed)).plus_ms(stage.soak_ms))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::rollout::policy::RolloutSpec;

    fn policy(stages: Value) -> RolloutPolicy {
        let spec: RolloutSpec = serde_json::from_value(json!({ "stages": stages })).unwrap();
        spec.check().unwrap()
    }

    fn counts(ok: u64, failed: u64, waiting: u64) -> StageCounts {
        let ended = ok + failed;
        let size = ended + waiting;
        StageCounts {
            size,
            written: size,
            init: waiting,
            sent: ended,
            reached: ended,
            succeeded: ok,
            ended,
            ..StageCounts::default()
        }
    }

    fn look(counts: &StageCounts, now: i64) -> Look<'_> {
        Look {
            counts,
            resumed: None,
            is_held: false,
            now: Timestamp(now),
        }
    }

    #[test]
    fn stage_advances_when_the_gate_holds_at_the_end_of_its_soak() {
        let policy = policy(json!([{"upToCount": 10, "soakInSeconds": 5}, {}]));
        let positions = policy.positions(100);
        let open = OpenStage::first(&positions);
        assert_eq!((open.number, open.release_bound(&positions)), (1, 10));
        let (early, good, bad) = (counts(7, 0, 3), counts(9, 0, 1), counts(8, 1, 1));
        assert_eq!(open.advanced(&policy, &positions, &look(&early, 1_000)), open);
        assert_eq!(open.phase(&policy, &look(&early, 1_000)), Some(Phase::Releasing));
        let soaking = open.advanced(&policy, &positions, &look(&good, 2_000));
        assert_eq!(
            soaking,
            OpenStage {
                number: 1,
                reached: Some(Timestamp(2_000))
            }
        );
        assert_eq!(
            soaking.phase(&policy, &look(&good, 3_000)),
            Some(Phase::Soaking {
                until: Timestamp(7_000)
            })
        );
        assert_eq!(soaking.advanced(&policy, &positions, &look(&good, 6_999)), soaking);
        assert_eq!(
            soaking.advanced(&policy, &positions, &look(&bad, 7_000)),
            soaking,
            "it must hold at the end too"
        );
        let next = soaking.advanced(&policy, &positions, &look(&good, 7_000));
        assert_eq!(
            next,
            OpenStage {
                number: 2,
                reached: None
            }
        );
        assert_eq!(next.release_bound(&positions), 100);
        assert_eq!(
            next.phase(&policy, &look(&good, 7_000)),
            None,
            "the last stage has no gate"
        );
        assert_eq!(next.advanced(&policy, &positions, &look(&good, 9_000)), next);
    }

    #[test]
    fn stage_soak_counts_anew_from_a_resume_and_not_while_held() {
        let policy = policy(json!([{"upToCount": 10, "soakInSeconds": 5}, {}]));
        let (positions, good) = (policy.positions(100), counts(10, 0, 0));
        let soaking = OpenStage {
            number: 1,
            reached: Some(Timestamp(0)),
        };
        let held = Look {
            is_held: true,
            ..look(&good, 60_000)
        };
        assert_eq!(soaking.advanced(&policy, &positions, &held), soaking);
        let resumed = |now| Look {
            resumed: Some(Timestamp(60_000)),
            ..look(&good, now)
        };
        assert_eq!(soaking.advanced(&policy, &positions, &resumed(64_999)), soaking);
        assert_eq!(soaking.advanced(&policy, &positions, &resumed(65_000)).number, 2);
    }

    #[test]
    fn stage_gate_that_first_holds_while_paused_begins_the_soak() {
        let policy = policy(json!([{"upToCount": 10}, {}]));
        let (positions, good) = (policy.positions(100), counts(10, 0, 0));
        let held = Look {
            is_held: true,
            ..look(&good, 7)
        };
        let open = OpenStage::first(&positions).advanced(&policy, &positions, &held);
        assert_eq!(
            open,
            OpenStage {
                number: 1,
                reached: Some(Timestamp(7))
            }
        );
    }

    #[test]
    fn stage_with_approval_waits_for_the_operator() {
        let policy = policy(json!([{"upToCount": 10, "approval": true}, {}]));
        let (positions, good) = (policy.positions(100), counts(10, 0, 0));
        let open = OpenStage::first(&positions).advanced(&policy, &positions, &look(&good, 7));
        assert_eq!(open.phase(&policy, &look(&good, 7)), Some(Phase::Approval));
        assert_eq!(open.advanced(&policy, &positions, &look(&good, 99_999_999)), open);
        assert_eq!(open.asked(2, &positions).unwrap().number, 2);
    }

    #[test]
    fn stage_stalls_when_the_gate_cannot_be_met_and_a_retry_frees_it() {
        let policy = policy(json!([{"upToCount": 10}, {}]));
        let open = OpenStage {
            number: 1,
            reached: None,
        };
        let (stalled, retried) = (
            counts(8, 2, 0),
            StageCounts {
                ended: 9,
                ..counts(8, 2, 0)
            },
        );
        assert_eq!(open.phase(&policy, &look(&stalled, 0)), Some(Phase::Stalled));
        assert_eq!(open.phase(&policy, &look(&retried, 0)), Some(Phase::Releasing));
    }

    #[test]
    fn next_stage_sent_twice_opens_one_stage() {
        let positions = policy(json!([{"upToCount": 1}, {"upToCount": 2}, {}])).positions(9);
        let first = OpenStage::first(&positions);
        let second = first.asked(2, &positions).unwrap();
        assert_eq!(second.number, 2);
        assert_eq!(second.asked(2, &positions), Ok(second));
        assert_eq!(first.asked(3, &positions), Err(Refused::StageTooFar));
        for none in [0, 1, 4] {
            assert_eq!(first.asked(none, &positions), Err(Refused::NoSuchStage));
        }
    }

    #[test]
    fn stage_without_positions_is_passed() {
        let policy = policy(json!([{"upToCount": 5}, {"upToPercent": 1}, {"upToPercent": 2}, {}]));
        let positions = policy.positions(100);
        let open = OpenStage::first(&positions);
        assert_eq!(open.advanced(&policy, &positions, &look(&counts(5, 0, 0), 0)).number, 4);
        assert_eq!(open.asked(2, &positions).unwrap().number, 4);
        assert_eq!(OpenStage::first(&policy.positions(0)).number, 4);
    }
}
