//! Which rule applies to which event.

use super::{Event, Refused, State, Step, Task, endings, replies, rounds};
use crate::policy::Rules;
use crate::time::Timestamp;

/// The only place where a task changes state: live, after a restart and in simulation.
///
/// # Errors
/// [`Refused`] if the event changes nothing; the task then stays exactly as it is.
pub fn step(task: &Task, rules: &Rules, event: Event<'_>, now: Timestamp) -> Result<Step, Refused> {
    if task.state.is_cancellable() && task.is_covered_by_mark(rules) {
        return under_mark(task, event, now);
    }
    unmarked(task, rules, event, now)
}

/// The whole job was cancelled and the task's row has not been settled yet: whatever comes first settles it.
fn under_mark(task: &Task, event: Event<'_>, now: Timestamp) -> Result<Step, Refused> {
    let withdrawn = match event {
        Event::NotSent(attempt, _) | Event::TooLarge(attempt) => attempt == task.attempt,
        Event::Cancelled { withdrawn } => withdrawn,
        _ => false,
    };
    let cancelled = endings::cancel(task, withdrawn, now)?;
    match event {
        Event::Replied { attempt, reply, .. } => Ok(replies::after_the_end(cancelled, attempt, reply, now)),
        Event::RetryAsked(_) => Ok(Step {
            declined: Some(Refused::WrongState),
            ..cancelled
        }),
        Event::Due(_)
        | Event::Claimed
        | Event::NotSent(..)
        | Event::TooLarge(_)
        | Event::Acked { .. }
        | Event::ReplyDeadline { .. }
        | Event::WindowEnded(_)
        | Event::Cancelled { .. }
        | Event::DeviceDisabled
        | Event::DeviceDeleted => Ok(cancelled),
    }
}

fn unmarked(task: &Task, rules: &Rules, event: Event<'_>, now: Timestamp) -> Result<Step, Refused> {
    match event {
        Event::Due(condition) => rounds::due(task, rules, condition, now),
        Event::RetryAsked(condition) => rounds::retry_asked(task, rules, condition, now),
        Event::Claimed => rounds::claim(task, rules, now),
        Event::NotSent(attempt, condition) => rounds::not_sent(task, rules, attempt, condition, now),
        Event::TooLarge(attempt) => rounds::too_large(task, rules, attempt, now),
        Event::Acked { attempt, handed } => replies::acked(task, attempt, handed, now),
        Event::Replied { attempt, handed, reply } => replies::replied(task, rules, attempt, handed, reply, now),
        Event::ReplyDeadline {
            attempt,
            handed,
            link,
            unreadable,
        } => replies::silent(task, rules, (attempt, handed), (link, unreadable), now),
        Event::WindowEnded(condition) => endings::window_ended(task, rules, condition, now),
        Event::Cancelled { withdrawn } => endings::cancel(task, withdrawn, now),
        Event::DeviceDisabled => endings::device_disabled(task, now),
        Event::DeviceDeleted => endings::device_deleted(task, now),
    }
}

/// A step that only changes the task.
pub(super) fn quietly(task: Task) -> Step {
    Step {
        task,
        ended: Vec::new(),
        publish: None,
        declined: None,
    }
}

/// The task in another state.
pub(super) fn moved(task: Task, state: State, now: Timestamp) -> Task {
    Task {
        state,
        updated: now,
        ..task
    }
}
