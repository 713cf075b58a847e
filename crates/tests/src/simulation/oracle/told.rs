//! Whether what is told of a task's end is true: nothing is made up, and every end has its cause.

use super::{Begun, Checked, Job, Oracle, TaskFacts, broken};
use crate::simulation::operator::Shown;
use aldis_core::task::code;

/// Codes from here on are devices' own.
const FROM_DEVICES: i64 = 100_000;

impl Oracle {
    /// One task of this job, as shown at this time.
    pub(super) fn is_true(&self, job: &Job, facts: &TaskFacts, task: &Shown, time: Begun) -> Checked {
        let now = time.clock;
        // A retry by an operator begins another window, but none that is over sooner.
        let lasted = |ms| job.may_have_lasted(ms, time.passed_ms, time.starts);
        let is = |rule, what: String| broken(rule, format!("{}: {what}: {task:?}", task.no.to_task_id()));
        match (task.status.as_str(), task.code) {
            ("SUCCEED", _) if !facts.succeeded => is("success_is_true", "its device never said so".to_owned()),
            ("FAILED", Some(said)) if said >= FROM_DEVICES && !facts.codes.contains(&task.code) => {
                is("failure_is_true", "its device never said so".to_owned())
            }
            ("FAILED", Some(code::NOT_SENT_IN_TIME)) if !lasted(job.window_ms()) => {
                is("no_clock_ends_a_window", format!("after {} ms", time.passed_ms))
            }
            ("FAILED", Some(own)) if own < FROM_DEVICES => match self.missing_cause(job, facts, task, own) {
                Some(why) => is("failure_has_its_cause", why.to_owned()),
                None => Ok(()),
            },
            ("RSP_TIMEOUT", _) if facts.made == 0 && !self.unsure => {
                is("silence_is_true", "no attempt was made".to_owned())
            }
            ("RSP_TIMEOUT", _) if !lasted(job.reply_ms()) => {
                is("no_clock_ends_a_reply_timeout", format!("after {} ms", time.passed_ms))
            }
            ("TTL_TIMEOUT", _) if !lasted(job.window_ms()) => {
                is("no_clock_ends_a_window", format!("after {} ms", time.passed_ms))
            }
            ("RSP_TIMEOUT", _) if !job.times_changed && now < job.release().plus_ms(job.reply_ms()) => {
                is("silence_is_true", format!("its timeout cannot be over at {}", now.0))
            }
            ("TTL_TIMEOUT", _) if !job.times_changed && now < job.release().plus_ms(job.window_ms()) => {
                is("no_window_ends_early", format!("it cannot be over at {}", now.0))
            }
            ("CANCELLED", _) if !facts.cancel_asked && !job.maybe_cancelled => {
                is("nobody_else_cancels", "it was not requested".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Why Aldis itself cannot have failed the task with this code.
    fn missing_cause(&self, job: &Job, facts: &TaskFacts, task: &Shown, own: i64) -> Option<&'static str> {
        let touched = self.touched.contains(&task.device);
        let since = self.active.get(&task.device).filter(|_| !job.times_changed);
        let active = since.is_some_and(|since| *since < job.created);
        match own {
            code::NOT_ACTIVE if !touched && active => Some("its device was online before, and it was not disabled"),
            code::DEVICE_GONE if !touched => Some("its device was never deleted"),
            code::OFFLINE | code::NOT_SENT_IN_TIME if job.draft.ttl_s > 0 => Some("it may wait"),
            code::BAD_REPLY if !facts.codes.contains(&None) => Some("its device never said rubbish"),
            code::QUEUE_FULL => Some("queues never get this long here"),
            _ => None,
        }
    }
}
