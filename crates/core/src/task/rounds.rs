//! A task's rounds: becoming due, its place in the queue, being sent, and coming back unsent.

use super::describe::Description;
use super::step::{moved, quietly};
use super::{
    AttemptOutcome, AttemptRecord, AttemptTimes, Condition, Outcome, OutcomeNotes, Presence, Publish, Refused, State,
    Step, Task, code, describe, endings,
};
use crate::ids::AttemptNo;
use crate::policy::Rules;
use crate::time::Timestamp;

/// Commands that may wait for one device, the documented limit of the original service.
pub const QUEUE_MAX: usize = 50;
/// An automatic retry becomes due at the earliest this long after its attempt ended, so that an interval of 0 cannot
/// spin.
const RETRY_AFTER_MIN_MS: i64 = 1_000;
const TOO_LARGE: &str = "not sent: the command is larger than the device's client takes";

/// The trigger, or the moment of an automatic retry, which is used up here: sent or not.
pub(super) fn due(task: &Task, rules: &Rules, condition: &Condition, now: Timestamp) -> Result<Step, Refused> {
    let mut task = match task.state {
        State::Init | State::RetryWait => task.clone(),
        State::Queued
        | State::Published
        | State::InProgress
        | State::Succeeded
        | State::Failed
        | State::Cancelled
        | State::ResponseTimedOut
        | State::TtlTimedOut => return Err(Refused::WrongState),
    };
    if now < task.due_at(rules) {
        return Err(Refused::TooEarly);
    }
    if task.state == State::RetryWait {
        task.retries.auto = task.retries.auto.saturating_add(1);
        task.retries.used = task.retries.used.saturating_add(1);
    }
    Ok(quietly(start(task, rules, condition, now)))
}

/// A retry by hand: a new round with a fresh window and budget.
pub(super) fn retry_asked(task: &Task, rules: &Rules, condition: &Condition, now: Timestamp) -> Result<Step, Refused> {
    if !matches!(task.state, State::Failed | State::ResponseTimedOut | State::TtlTimedOut) {
        return Err(Refused::WrongState);
    }
    if condition.deleted {
        return Err(Refused::DeviceGone);
    }
    if task.attempt.next().is_none() {
        return Err(Refused::NumbersUsedUp);
    }
    if would_wait(rules, condition) && condition.queued >= QUEUE_MAX {
        return Err(Refused::QueueFull);
    }
    let mut task = Task {
        due: Some(now),
        disarmed: false,
        mark: rules.cancel_mark,
        late_success: None,
        ..task.clone()
    };
    task.retries.used = 0;
    task.retries.manual = task.retries.manual.saturating_add(1);
    Ok(quietly(start(task, rules, condition, now)))
}

/// Why a device is sent nothing, whatever waits for it.
pub(super) struct Block {
    pub(super) code: i64,
    pub(super) why: &'static str,
}

pub(super) const DELETED: Block = Block {
    code: code::DEVICE_GONE,
    why: "device deleted",
};
pub(super) const DISABLED: Block = Block {
    code: code::NOT_ACTIVE,
    why: "device disabled",
};

fn blocked_by(condition: &Condition) -> Option<Block> {
    if condition.deleted {
        Some(DELETED)
    } else {
        condition.disabled.then_some(DISABLED)
    }
}

/// The round would need a place in the device's queue: it does not fail for another reason before.
fn would_wait(rules: &Rules, condition: &Condition) -> bool {
    !condition.disabled && !must_be_there(rules, condition)
}

/// The device is away, and the command does not wait for it.
fn must_be_there(rules: &Rules, condition: &Condition) -> bool {
    matches!(condition.presence, Presence::Absent { .. }) && rules.policy.ttl_ms <= 0
}

/// What trigger, due retry and retry by hand have in common.
fn start(task: Task, rules: &Rules, condition: &Condition, now: Timestamp) -> Task {
    if let Some(block) = blocked_by(condition) {
        return unsent(task, rules, block.code, block.why, Retryable::Never, now);
    }
    if must_be_there(rules, condition) {
        return unsent(
            task,
            rules,
            absence_code(condition),
            &describe::waiting(condition, now),
            Retryable::WithTime,
            now,
        );
    }
    if condition.queued >= QUEUE_MAX {
        let why = format!("{QUEUE_MAX} commands already wait for the device");
        return unsent(task, rules, code::QUEUE_FULL, &why, Retryable::WithTime, now);
    }
    if now >= task.window_end(rules) {
        return endings::expire(task, rules, condition, now);
    }
    moved(task, State::Queued, now)
}

/// Offline and never seen at all have codes of their own.
pub(super) fn absence_code(condition: &Condition) -> i64 {
    if condition.activated {
        code::OFFLINE
    } else {
        code::NOT_ACTIVE
    }
}

/// Whether trying again later can help.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retryable {
    WithTime,
    Never,
}

/// A round ends without anything having been sent.
pub(super) fn unsent(task: Task, rules: &Rules, code: i64, why: &str, retryable: Retryable, now: Timestamp) -> Task {
    let Description { desc, notes } = describe::unsent(&task, why);
    let outcome = Outcome {
        code,
        desc,
        output: None,
        sent: false,
        notes,
    };
    fail(task, rules, outcome, State::Failed, retryable, now)
}

/// A round ends badly: a success that came late wins, then an automatic retry, then the bad end itself.
pub(super) fn fail(
    task: Task,
    rules: &Rules,
    outcome: Outcome,
    end: State,
    retryable: Retryable,
    now: Timestamp,
) -> Task {
    if let Some(success) = task.late_success.clone() {
        return Task {
            result: Some(success),
            ..moved(task, State::Succeeded, now)
        };
    }
    let armed = retryable == Retryable::WithTime && !task.disarmed && !task.is_covered_by_mark(rules);
    let retry = rules
        .policy
        .retry
        .filter(|retry| armed && task.retries.used < retry.count);
    let result = Some(outcome);
    match retry {
        Some(retry) => {
            let due = now.plus_ms(retry.interval_ms.max(RETRY_AFTER_MIN_MS));
            Task {
                due: Some(due),
                result,
                ..moved(task, State::RetryWait, now)
            }
        }
        None => Task {
            result,
            ..moved(task, end, now)
        },
    }
}

/// The task's turn has come: the intent that must be durable before its command leaves.
pub(super) fn claim(task: &Task, rules: &Rules, now: Timestamp) -> Result<Step, Refused> {
    if task.state != State::Queued {
        return Err(Refused::WrongState);
    }
    let window_end = task.window_end(rules);
    if now >= window_end {
        return Err(Refused::WindowOver);
    }
    let Some(attempt) = task.attempt.next() else {
        let why = "all attempt numbers are used up";
        return Ok(quietly(unsent(
            task.clone(),
            rules,
            code::NUMBERS_USED_UP,
            why,
            Retryable::Never,
            now,
        )));
    };
    let times = AttemptTimes {
        intent: Some(now),
        ..AttemptTimes::default()
    };
    let task = Task {
        attempt,
        times,
        ..moved(task.clone(), State::Published, now)
    };
    let reply_deadline = now.plus_ms(rules.policy.reply_timeout_ms);
    Ok(Step {
        publish: Some(Publish {
            attempt,
            reply_deadline,
            window_end,
        }),
        ..quietly(task)
    })
}

/// The attempt is larger than the device's client takes: time does not heal that.
pub(super) fn too_large(task: &Task, rules: &Rules, attempt: AttemptNo, now: Timestamp) -> Result<Step, Refused> {
    let (task, ended) = taken_back(task, attempt, code::TOO_LARGE, TOO_LARGE, now)?;
    Ok(Step {
        ended,
        ..quietly(unsent(task, rules, code::TOO_LARGE, TOO_LARGE, Retryable::Never, now))
    })
}

/// The attempt certainly never left: the task keeps its place, and no retry is used.
pub(super) fn not_sent(
    task: &Task,
    rules: &Rules,
    attempt: AttemptNo,
    condition: &Condition,
    now: Timestamp,
) -> Result<Step, Refused> {
    let (task, ended) = taken_back(task, attempt, code::NOT_SENT_IN_TIME, "never left", now)?;
    Ok(Step {
        ended,
        ..quietly(back_in_queue(task, rules, condition, now))
    })
}

/// The task without the attempt, which has not left, and what the history says of that.
fn taken_back(
    task: &Task,
    attempt: AttemptNo,
    code: i64,
    desc: &str,
    now: Timestamp,
) -> Result<(Task, Vec<AttemptRecord>), Refused> {
    if task.state != State::Published {
        return Err(Refused::WrongState);
    }
    if task.attempt != attempt {
        return Err(Refused::NotThatAttempt);
    }
    let times = AttemptTimes {
        ended: Some(now),
        ..task.times
    };
    let outcome = Outcome {
        code,
        desc: desc.to_owned(),
        output: None,
        sent: false,
        notes: OutcomeNotes::default(),
    };
    let ended = vec![AttemptRecord {
        attempt,
        how: AttemptOutcome::NotSent,
        times,
        outcome,
    }];
    // To the row it is as if nothing had happened: its times are those of attempts that left.
    let task = Task {
        times: AttemptTimes::default(),
        ..moved(task.clone(), State::Queued, now)
    };
    Ok((task, ended))
}

fn back_in_queue(task: Task, rules: &Rules, condition: &Condition, now: Timestamp) -> Task {
    if let Some(success) = task.late_success.clone() {
        return Task {
            result: Some(success),
            ..moved(task, State::Succeeded, now)
        };
    }
    if let Some(block) = blocked_by(condition) {
        return unsent(task, rules, block.code, block.why, Retryable::Never, now);
    }
    if now >= task.window_end(rules) {
        return endings::expire(task, rules, condition, now);
    }
    task
}
