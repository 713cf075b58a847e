//! The slots that are held, from the tasks whose attempts are out and from what was written beside them.

use aldis_core::task::{State, Task};

use crate::rows::{Job, Slot};
use crate::{Error, JobTasks, Read};

/// Every slot that is held, of these jobs at work and of attempts that no task tells of any more. Two for one device
/// never stand for two attempts.
///
/// # Errors
/// The store cannot be read.
pub fn held_slots(read: &dyn Read, at_work: &[Job]) -> Result<Vec<Slot>, Error> {
    let mut slots = read.slots()?;
    for job in at_work {
        let out = job.counters.of(State::Published) + job.counters.of(State::InProgress);
        let limit = usize::try_from(out).unwrap_or(usize::MAX);
        if limit > 0 {
            let tasks = read.job_tasks(job, JobTasks::Out, None, limit)?;
            slots.extend(tasks.iter().map(|task| slot_of(task, job)));
        }
    }
    Ok(slots)
}

fn slot_of(task: &Task, job: &Job) -> Slot {
    let intent = task.times.intent.unwrap_or(task.updated);
    Slot {
        device: task.device,
        task: task.no,
        attempt: task.attempt,
        reply_deadline: intent.plus_ms(job.policy.reply_timeout_ms),
        acked: task.state == State::InProgress,
    }
}
