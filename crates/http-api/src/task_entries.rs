//! What became of each task that was to be retried or cancelled (docs/api.md, "Command tasks").

use aldis_core::ids::AttemptNo;
use aldis_core::task::{Refused, code};

use super::envelope::{Answer, BatchEntry};
use super::error::NOT_FOUND;
use aldis_app::Error;
use aldis_engine::writer::{self, WholeJob};

/// The task cannot be cancelled.
const NOT_CANCELLABLE: i32 = 24620;
/// The task cannot be retried.
const NOT_RETRYABLE: i32 = 24621;
/// The device's queue is full.
const QUEUE_FULL: i32 = 11902;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskAction {
    Retry,
    Cancel,
}

/// The answer about tasks that were named, in their order.
pub(super) fn named(asked: TaskAction, ids: Vec<String>, entries: Vec<writer::TaskEntry>) -> Result<Answer, Error> {
    let entry = |(id, entry)| match entry {
        writer::TaskEntry::Done => BatchEntry::ok(id),
        writer::TaskEntry::Missing => failed(NOT_FOUND, "there is no such task in this job".to_owned(), id),
        writer::TaskEntry::Declined {
            why,
            next_attempt,
            disarmed,
        } => {
            let (code, msg) = match asked {
                TaskAction::Retry => not_retried(why, next_attempt),
                TaskAction::Cancel => not_cancelled(why, disarmed),
            };
            failed(code, msg, id)
        }
    };
    Answer::batch(&ids.into_iter().zip(entries).map(entry).collect::<Vec<_>>())
}

/// The answer about a whole job: all eligible tasks are counted, the first are listed.
pub(super) fn whole(job: &WholeJob) -> Result<Answer, Error> {
    let entries: Vec<_> = job.first.iter().map(|task| BatchEntry::ok(task.to_task_id())).collect();
    let eligible = usize::try_from(job.eligible).unwrap_or(usize::MAX);
    Answer::sized(&entries, eligible, eligible)
}

fn failed(code: i32, msg: String, id: String) -> BatchEntry<String> {
    BatchEntry {
        code,
        msg,
        data: Some(id),
    }
}

fn not_cancelled(why: Refused, disarmed: bool) -> (i32, String) {
    let msg = match (why, disarmed) {
        (Refused::Running, true) => {
            "the device is executing the command; it goes on, but its automatic retries are now switched off"
        }
        (Refused::Running, false) => {
            "the device is executing the command; it goes on, and its automatic retries are switched off already"
        }
        _ => "only waiting and published tasks can be cancelled, and this one has ended",
    };
    (NOT_CANCELLABLE, msg.to_owned())
}

fn not_retried(why: Refused, next: AttemptNo) -> (i32, String) {
    match why {
        Refused::QueueFull => (QUEUE_FULL, "too many commands already wait for the device".to_owned()),
        Refused::DeviceGone => (NOT_FOUND, "the task's device was deleted".to_owned()),
        Refused::NumbersUsedUp => (
            NOT_RETRYABLE,
            "the task has had as many attempts as it can have".to_owned(),
        ),
        _ => {
            let msg = format!(
                "only failed and timed out tasks can be retried; the next attempt would be number {}",
                next.0
            );
            (NOT_RETRYABLE, msg)
        }
    }
}

const _: () = assert!(QUEUE_FULL as i64 == code::QUEUE_FULL && NOT_RETRYABLE as i64 == code::NUMBERS_USED_UP);
