//! Word from the device, on time or late, and its silence.

use super::rounds::{Retryable, fail};
use super::step::{moved, quietly};
use super::{
    AttemptOutcome, AttemptRecord, AttemptTimes, Link, Outcome, OutcomeNotes, Refused, State, Step, Task, code,
    describe,
};
use crate::ids::AttemptNo;
use crate::policy::Rules;
use crate::time::Timestamp;

/// Output kept per attempt, in bytes of JSON text; a larger one is dropped and the description says so.
pub const OUTPUT_MAX_BYTES: usize = 64 * 1024;
/// Bytes of a device's own message that are kept: enough for a sentence, too little to fill the store.
const MESSAGE_MAX_BYTES: usize = 1024;
/// What a device's code says when all is well; Python devices that set none send 0.
const SUCCESS_CODES: [i64; 2] = [0, 200];

/// What a device replied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its code; `None` if it is missing or no number.
    pub code: Option<i64>,
    /// Its message, if any.
    pub message: Option<String>,
    /// Its output as JSON text, if any.
    pub output: Option<String>,
}

impl Reply {
    /// The device says that it did as it was told.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code.is_some_and(|code| SUCCESS_CODES.contains(&code))
    }

    fn outcome(&self) -> Outcome {
        let code = match self.code {
            Some(_) if self.is_success() => code::OK,
            Some(code) => code,
            None => code::BAD_REPLY,
        };
        let too_large = self
            .output
            .as_ref()
            .is_some_and(|output| output.len() > OUTPUT_MAX_BYTES);
        let desc = describe::reply(
            self,
            describe::shortened(self.message.as_deref(), MESSAGE_MAX_BYTES),
            too_large,
        );
        Outcome {
            code,
            desc,
            output: self.output.clone().filter(|_| !too_large),
            sent: true,
            notes: OutcomeNotes {
                output_dropped: too_large,
                repeats_earlier: false,
            },
        }
    }
}

/// The PUBACK of the open attempt; any other is ignored.
pub(super) fn acked(
    task: &Task,
    attempt: AttemptNo,
    handed: Option<Timestamp>,
    now: Timestamp,
) -> Result<Step, Refused> {
    if task.state != State::Published {
        return Err(Refused::WrongState);
    }
    if task.attempt != attempt {
        return Err(Refused::NotThatAttempt);
    }
    let times = AttemptTimes {
        acked: Some(now),
        handed: handed.or(task.times.handed),
        ..task.times
    };
    Ok(quietly(Task {
        times,
        ..moved(task.clone(), State::InProgress, now)
    }))
}

/// The reply to the open attempt ends it; any other is late.
pub(super) fn replied(
    task: &Task,
    rules: &Rules,
    attempt: AttemptNo,
    handed: Option<Timestamp>,
    reply: &Reply,
    now: Timestamp,
) -> Result<Step, Refused> {
    if !was_sent(task, attempt) {
        return Err(Refused::NeverSent);
    }
    if !(task.state.is_out() && attempt == task.attempt) {
        return Ok(late(quietly(task.clone()), attempt, reply, now));
    }
    let outcome = reply.outcome();
    let times = AttemptTimes {
        handed: handed.or(task.times.handed),
        ended: Some(now),
        ..task.times
    };
    let task = Task { times, ..task.clone() };
    if reply.is_success() {
        return Ok(quietly(Task {
            result: Some(outcome),
            ..moved(task, State::Succeeded, now)
        }));
    }
    let ended = vec![AttemptRecord {
        attempt,
        how: AttemptOutcome::Failed,
        times,
        outcome: outcome.clone(),
    }];
    // A device that names the attempt has acted on it. If its code cannot be read, running the command again is for a
    // person to decide.
    let retryable = if reply.code.is_some() {
        Retryable::WithTime
    } else {
        Retryable::Never
    };
    Ok(Step {
        ended,
        ..quietly(fail(task, rules, outcome, State::Failed, retryable, now))
    })
}

/// A reply that reaches a task just cancelled by this very step.
pub(super) fn after_the_end(ended: Step, attempt: AttemptNo, reply: &Reply, now: Timestamp) -> Step {
    if was_sent(&ended.task, attempt) {
        late(ended, attempt, reply, now)
    } else {
        ended
    }
}

/// Whether the task has ever had this attempt.
fn was_sent(task: &Task, attempt: AttemptNo) -> bool {
    attempt > AttemptNo(0) && attempt <= task.attempt
}

/// A reply to an attempt that has already ended. Only a success changes anything: it forbids further attempts.
fn late(step: Step, attempt: AttemptNo, reply: &Reply, now: Timestamp) -> Step {
    let outcome = reply.outcome();
    let outcome = Outcome {
        desc: describe::late(attempt, &outcome),
        ..outcome
    };
    let times = AttemptTimes {
        ended: Some(now),
        ..AttemptTimes::default()
    };
    let mut ended = step.ended;
    ended.push(AttemptRecord {
        attempt,
        how: AttemptOutcome::Late,
        times,
        outcome: outcome.clone(),
    });
    let task = if reply.is_success() {
        with_late_success(step.task, outcome, now)
    } else {
        step.task
    };
    Step { task, ended, ..step }
}

fn with_late_success(task: Task, outcome: Outcome, now: Timestamp) -> Task {
    match task.state {
        State::Queued | State::RetryWait => Task {
            result: Some(outcome),
            ..moved(task, State::Succeeded, now)
        },
        State::Published | State::InProgress | State::Failed | State::ResponseTimedOut | State::TtlTimedOut => Task {
            late_success: task.late_success.or(Some(outcome)),
            ..task
        },
        State::Init | State::Succeeded | State::Cancelled => task,
    }
}

/// The reply deadline of the open attempt has passed.
pub(super) fn silent(
    task: &Task,
    rules: &Rules,
    (attempt, handed): (AttemptNo, Option<Timestamp>),
    (link, unreadable): (Link, bool),
    now: Timestamp,
) -> Result<Step, Refused> {
    if !task.state.is_out() {
        return Err(Refused::WrongState);
    }
    if task.attempt != attempt {
        return Err(Refused::NotThatAttempt);
    }
    let times = AttemptTimes {
        handed: handed.or(task.times.handed),
        ended: Some(now),
        ..task.times
    };
    let desc = describe::silence(&times, link, unreadable);
    let outcome = Outcome {
        code: code::NO_REPLY,
        desc,
        output: None,
        sent: true,
        notes: OutcomeNotes::default(),
    };
    let ended = vec![AttemptRecord {
        attempt,
        how: AttemptOutcome::TimedOut,
        times,
        outcome: outcome.clone(),
    }];
    let task = Task { times, ..task.clone() };
    Ok(Step {
        ended,
        ..quietly(fail(
            task,
            rules,
            outcome,
            State::ResponseTimedOut,
            Retryable::WithTime,
            now,
        ))
    })
}
