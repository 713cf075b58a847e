//! A job's control: running or paused, by whom and why, and which requests change it.

use thiserror::Error;

use crate::time::Timestamp;

/// Longest reason of a pause, in characters.
pub const REASON_CHARS_MAX: usize = 200;

/// Why a job is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// `pauseJob`.
    Operator {
        /// The access key of the caller.
        by: String,
        /// What the caller gave as a reason.
        reason: String,
    },
    /// A rule of the job's `stopPolicy`.
    Rule {
        /// Which one, from 0.
        rule: usize,
    },
    /// `startPaused`, or more tasks than may start without a second key.
    Created {
        /// The access key that created the job.
        by: String,
    },
}

/// One pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub since: Timestamp,
}

/// Whether a job runs. `Default`: it runs and was never paused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Control {
    /// The present pause; `None`: the job runs.
    pub pause: Option<Pause>,
    /// The number of the last pause, from 1; 0: there was none.
    pub pause_no: u32,
    /// The last resume: windows, soak and evidence begin anew there.
    pub resumed: Option<Timestamp>,
}

/// Where the job stands otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lifecycle {
    /// All tasks are final.
    pub is_finished: bool,
    /// It was cancelled as a whole.
    pub is_cancelled: bool,
}

/// What a request changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the wanted state is there already.
    None,
    /// The job is paused, or paused for another reason. In the same commit, what has not left is withdrawn.
    Paused(Control),
    /// The job runs again: the evidence of its rules is empty, its windows and its soak begin anew.
    Resumed(Control),
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// The job is finished.
    #[error("the job is finished")]
    Finished,
    /// The job was cancelled as a whole.
    #[error("the job is cancelled")]
    Cancelled,
    /// The caller quotes a pause that is not the present one.
    #[error("pauseNo is not the number of the present pause")]
    OtherPause,
    /// The job has no such stage to open.
    #[error("the job has no stage of this number to open")]
    NoSuchStage,
    /// The stage is not the next one.
    #[error("the stage before it is not open")]
    StageTooFar,
    /// The key that created the job must not let it run.
    #[error("a second key must do this")]
    SecondKey,
}

impl Control {
    /// The control of a job that is created paused.
    #[must_use]
    pub fn created_paused(by: &str, now: Timestamp) -> Self {
        Self::default().with_pause(Cause::Created { by: by.to_owned() }, now)
    }

    /// `pauseJob`. A paused job takes another key or reason as a new pause, so that a resume that quotes the older
    /// number is refused.
    ///
    /// # Errors
    /// The job is finished.
    pub fn pause(&self, cause: Cause, lifecycle: Lifecycle, now: Timestamp) -> Result<Change, Refused> {
        if lifecycle.is_finished {
            return Err(Refused::Finished);
        }
        if self.pause.as_ref().is_some_and(|pause| pause.cause == cause) {
            return Ok(Change::None);
        }
        Ok(Change::Paused(self.with_pause(cause, now)))
    }

    /// A rule acts. Rules act in a running job only.
    #[must_use]
    pub fn paused_by_rule(&self, rule: usize, now: Timestamp) -> Change {
        if self.is_paused() {
            return Change::None;
        }
        Change::Paused(self.with_pause(Cause::Rule { rule }, now))
    }

    /// `resumeJob`, which quotes the pause that it ends. `needs_second_key`: the caller created a job that is too large
    /// to start with one key. The cancel mark of a job is never touched.
    ///
    /// # Errors
    /// The job is finished, the number is not the present one, or another key must resume.
    pub fn resume(
        &self,
        pause_no: u32,
        lifecycle: Lifecycle,
        needs_second_key: bool,
        now: Timestamp,
    ) -> Result<Change, Refused> {
        if lifecycle.is_finished {
            return Err(Refused::Finished);
        }
        let Some(pause) = &self.pause else {
            return Ok(Change::None);
        };
        if pause_no != self.pause_no {
            return Err(Refused::OtherPause);
        }
        if needs_second_key && matches!(pause.cause, Cause::Created { .. }) {
            return Err(Refused::SecondKey);
        }
        Ok(Change::Resumed(self.running(now)))
    }

    /// The job is cancelled as a whole, by an operator or by a rule. It ends a pause in the same commit: otherwise a
    /// task that is retried by hand afterwards could never go.
    #[must_use]
    pub fn cancelled(&self, now: Timestamp) -> Change {
        if self.is_paused() {
            Change::Resumed(self.running(now))
        } else {
            Change::None
        }
    }

    /// Whether `nextStage` may be asked for at all; [`super::stage::OpenStage::asked`] checks the number.
    ///
    /// # Errors
    /// The job is finished or cancelled, or another key must ask.
    pub fn may_open_stage(lifecycle: Lifecycle, needs_second_key: bool) -> Result<(), Refused> {
        match lifecycle {
            Lifecycle { is_finished: true, .. } => Err(Refused::Finished),
            Lifecycle { is_cancelled: true, .. } => Err(Refused::Cancelled),
            _ if needs_second_key => Err(Refused::SecondKey),
            _ => Ok(()),
        }
    }

    /// Whether the job is paused.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.pause.is_some()
    }

    fn with_pause(&self, cause: Cause, now: Timestamp) -> Self {
        Self {
            pause: Some(Pause { cause, since: now }),
            pause_no: self.pause_no.saturating_add(1),
            ..self.clone()
        }
    }

    fn running(&self, now: Timestamp) -> Self {
        Self {
            pause: None,
            resumed: Some(now),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000);
    const LATER: Timestamp = Timestamp(2_000);
    const RUNS: Lifecycle = Lifecycle {
        is_finished: false,
        is_cancelled: false,
    };
    const FINISHED: Lifecycle = Lifecycle {
        is_finished: true,
        is_cancelled: false,
    };

    fn operator(by: &str, reason: &str) -> Cause {
        Cause::Operator {
            by: by.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn applied(control: &Control, change: Change) -> Control {
        match change {
            Change::None => control.clone(),
            Change::Paused(next) | Change::Resumed(next) => next,
        }
    }

    fn paused(by: &str) -> Control {
        applied(
            &Control::default(),
            Control::default().pause(operator(by, ""), RUNS, NOW).unwrap(),
        )
    }

    #[test]
    fn pause_twice_by_the_same_key_and_reason_is_one_pause() {
        let control = paused("anna");
        assert_eq!((control.pause_no, control.is_paused()), (1, true));
        assert_eq!(control.pause(operator("anna", ""), RUNS, LATER), Ok(Change::None));
    }

    #[test]
    fn pause_by_another_key_makes_the_older_resume_fail() {
        let control = paused("anna");
        let second = applied(&control, control.pause(operator("ben", "smoke"), RUNS, LATER).unwrap());
        assert_eq!(second.pause_no, 2);
        assert_eq!(second.resume(1, RUNS, false, LATER), Err(Refused::OtherPause));
        let Ok(Change::Resumed(running)) = second.resume(2, RUNS, false, LATER) else {
            panic!()
        };
        assert_eq!(
            (running.is_paused(), running.resumed, running.pause_no),
            (false, Some(LATER), 2)
        );
    }

    #[test]
    fn resume_of_a_running_job_changes_nothing() {
        assert_eq!(Control::default().resume(7, RUNS, true, NOW), Ok(Change::None));
    }

    #[test]
    fn finished_job_is_neither_paused_nor_resumed() {
        assert_eq!(
            Control::default().pause(operator("a", ""), FINISHED, NOW),
            Err(Refused::Finished)
        );
        assert_eq!(paused("a").resume(1, FINISHED, false, NOW), Err(Refused::Finished));
    }

    #[test]
    fn rule_pauses_a_running_job_only() {
        let Change::Paused(control) = Control::default().paused_by_rule(2, NOW) else {
            panic!()
        };
        assert_eq!(
            control.pause,
            Some(Pause {
                cause: Cause::Rule { rule: 2 },
                since: NOW
            })
        );
        assert_eq!(control.paused_by_rule(0, LATER), Change::None);
    }

    #[test]
    fn cancel_ends_a_pause_and_keeps_its_number() {
        let Change::Resumed(control) = paused("a").cancelled(LATER) else {
            panic!()
        };
        assert_eq!((control.is_paused(), control.pause_no), (false, 1));
        assert_eq!(Control::default().cancelled(LATER), Change::None);
    }

    #[test]
    fn job_created_paused_needs_the_second_key_where_that_is_wanted() {
        let control = Control::created_paused("anna", NOW);
        assert_eq!(control.resume(1, RUNS, true, LATER), Err(Refused::SecondKey));
        assert!(matches!(control.resume(1, RUNS, false, LATER), Ok(Change::Resumed(_))));
        assert!(
            matches!(paused("anna").resume(1, RUNS, true, LATER), Ok(Change::Resumed(_))),
            "an operator's pause"
        );
    }

    #[test]
    fn next_stage_of_a_finished_or_cancelled_job_is_refused() {
        let cancelled = Lifecycle {
            is_cancelled: true,
            ..RUNS
        };
        assert_eq!(Control::may_open_stage(RUNS, false), Ok(()));
        assert_eq!(Control::may_open_stage(cancelled, false), Err(Refused::Cancelled));
        assert_eq!(Control::may_open_stage(FINISHED, false), Err(Refused::Finished));
        assert_eq!(Control::may_open_stage(RUNS, true), Err(Refused::SecondKey));
    }

    proptest! {
        #[test]
        fn resume_ends_only_the_pause_that_its_caller_has_seen(
            steps in prop::collection::vec((0_u8..4, 0_u8..3, 0_u32..6), 0..60),
        ) {
            let mut control = Control::default();
            for (kind, key, quoted) in steps {
                let before = control.clone();
                let change = match kind {
                    0 => before.pause(operator(&key.to_string(), ""), RUNS, NOW).unwrap(),
                    1 => before.resume(quoted, RUNS, false, NOW).unwrap_or(Change::None),
                    2 => before.paused_by_rule(usize::from(key), NOW),
                    _ => before.cancelled(NOW),
                };
                control = applied(&before, change);
                prop_assert!(control.pause_no >= before.pause_no);
                if before.is_paused() && !control.is_paused() && kind != 3 {
                    prop_assert_eq!((kind, quoted), (1, before.pause_no));
                }
                if control.pause != before.pause && control.is_paused() {
                    prop_assert_eq!(control.pause_no, before.pause_no + 1);
                }
            }
        }
    }
}
