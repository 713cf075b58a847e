//! Ends that do not come from the device's word: a window that runs out, the operator, a device that goes away.

use super::describe::Description;
use super::rounds::{Block, DELETED, DISABLED, Retryable, absence_code, unsent};
use super::step::{moved, quietly};
use super::{
    AttemptOutcome, AttemptRecord, AttemptTimes, Condition, Outcome, OutcomeNotes, Presence, Refused, State, Step,
    Task, code, describe,
};
use crate::policy::Rules;
use crate::time::Timestamp;

/// The window of a waiting task has run out.
pub(super) fn window_ended(task: &Task, rules: &Rules, condition: &Condition, now: Timestamp) -> Result<Step, Refused> {
    if task.state != State::Queued {
        return Err(Refused::WrongState);
    }
    if now < task.window_end(rules) {
        return Err(Refused::TooEarly);
    }
    Ok(quietly(expire(task.clone(), rules, condition, now)))
}

/// With a TTL the wait itself was the limit; without one the command was only waiting for its turn and may be tried
/// again.
pub(super) fn expire(task: Task, rules: &Rules, condition: &Condition, now: Timestamp) -> Task {
    let why = describe::waiting(condition, task.due_at(rules));
    if rules.policy.ttl_ms > 0 {
        let Description { desc, notes } = describe::unsent(&task, &why);
        let outcome = Outcome {
            code: code::NOT_SENT_IN_TIME,
            desc,
            output: None,
            sent: false,
            notes,
        };
        return Task {
            result: Some(outcome),
            ..moved(task, State::TtlTimedOut, now)
        };
    }
    let code = match condition.presence {
        Presence::Present | Presence::Returning => code::NOT_SENT_IN_TIME,
        Presence::Absent { .. } => absence_code(condition),
    };
    unsent(task, rules, code, &why, Retryable::WithTime, now)
}

/// The operator cancels. What the device is executing goes on, but is not tried again.
pub(super) fn cancel(task: &Task, withdrawn: bool, now: Timestamp) -> Result<Step, Refused> {
    match task.state {
        State::Init | State::Queued | State::RetryWait => {
            Ok(quietly(cancelled(task, never_sent(task, describe::WITHDRAWN), now)))
        }
        State::Published => Ok(cancel_published(task, withdrawn, now)),
        State::InProgress if task.disarmed => Err(Refused::Running),
        State::InProgress => {
            let task = Task {
                disarmed: true,
                ..task.clone()
            };
            Ok(Step {
                declined: Some(Refused::Running),
                ..quietly(task)
            })
        }
        State::Succeeded | State::Failed | State::Cancelled | State::ResponseTimedOut | State::TtlTimedOut => {
            Err(Refused::WrongState)
        }
    }
}

fn cancel_published(task: &Task, withdrawn: bool, now: Timestamp) -> Step {
    let (how, desc) = if withdrawn {
        (AttemptOutcome::NotSent, describe::WITHDRAWN)
    } else {
        (AttemptOutcome::Cancelled, describe::SENT_BEFORE_CANCEL)
    };
    let times = AttemptTimes {
        ended: Some(now),
        ..task.times
    };
    let outcome = Outcome {
        code: code::CANCELLED,
        desc: desc.to_owned(),
        output: None,
        sent: !withdrawn,
        notes: OutcomeNotes::default(),
    };
    // The attempt has its own end; the task says besides that its device had failed before.
    let Description { desc, notes } = match withdrawn {
        true => describe::unsent(
            &Task {
                times: AttemptTimes::default(),
                ..task.clone()
            },
            desc,
        ),
        false => describe::after_earlier(task, desc),
    };
    let result = Outcome {
        desc,
        notes,
        output: last_output(task),
        ..outcome.clone()
    };
    let ended = vec![AttemptRecord {
        attempt: task.attempt,
        how,
        times,
        outcome,
    }];
    let task = Task {
        times,
        result: Some(result),
        ..moved(task.clone(), State::Cancelled, now)
    };
    Step { ended, ..quietly(task) }
}

fn cancelled(task: &Task, Description { desc, notes }: Description, now: Timestamp) -> Task {
    let outcome = Outcome {
        code: code::CANCELLED,
        desc,
        output: last_output(task),
        sent: false,
        notes,
    };
    Task {
        result: Some(outcome),
        ..moved(task.clone(), State::Cancelled, now)
    }
}

/// What the device sent along with its last word: a cancellation hides that no more than its code, which `desc` names.
fn last_output(task: &Task) -> Option<String> {
    task.result.as_ref().and_then(|result| result.output.clone())
}

/// A device that was disabled gets nothing more; an attempt that is out runs out.
pub(super) fn device_disabled(task: &Task, now: Timestamp) -> Result<Step, Refused> {
    device_went(task, DISABLED, now)
}

/// A device that was deleted gets nothing more, nor does a new one with its keys.
pub(super) fn device_deleted(task: &Task, now: Timestamp) -> Result<Step, Refused> {
    device_went(task, DELETED, now)
}

fn device_went(task: &Task, block: Block, now: Timestamp) -> Result<Step, Refused> {
    if !matches!(task.state, State::Queued | State::RetryWait) {
        return Err(Refused::WrongState);
    }
    let Description { desc, notes } = never_sent(task, block.why);
    let outcome = Outcome {
        code: block.code,
        desc,
        output: None,
        sent: false,
        notes,
    };
    Ok(quietly(Task {
        result: Some(outcome),
        ..moved(task.clone(), State::Failed, now)
    }))
}

/// Why a round ended unsent. A retry that was still waited for is the one that was not sent, though it has not been
/// counted.
fn never_sent(task: &Task, why: &str) -> Description {
    let mut task = task.clone();
    if task.state == State::RetryWait {
        task.retries.auto = task.retries.auto.saturating_add(1);
    }
    describe::unsent(&task, why)
}
