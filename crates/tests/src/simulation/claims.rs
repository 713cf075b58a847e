//! Whether the right attempt is made: looked at in the very turn that makes it, from what is stored then.

use std::collections::HashMap;

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo, WireId};
use aldis_core::policy::Rules;
use aldis_core::task::{AttemptOutcome, Retries, Task};
use aldis_core::time::Timestamp;
use aldis_store::Read;
use aldis_store::rows::Job;

use super::oracle::{Checked, broken};

/// A task when an attempt of it was made.
struct Claim {
    attempt: AttemptNo,
    due: Option<Timestamp>,
    retries: Retries,
}

/// Attempts that were made.
#[derive(Default)]
pub(super) struct Claims {
    last: HashMap<TaskNo, Claim>,
}

const STORED: &str = "the observer's way never fails";

fn place(task: &Task, rules: &Rules, job: JobNo) -> (Timestamp, JobNo, TaskNo) {
    (task.due_at(rules), job, task.no)
}

impl Claims {
    /// An attempt was made in this turn, and is stored.
    pub(super) fn check(&mut self, stored: &dyn Read, device: DeviceNo, wire: WireId, now: Timestamp) -> Checked {
        let task = stored.tasks(&[wire.task()]).expect(STORED).into_iter().flatten().next();
        let job = stored.jobs_of(&[wire.task()]).expect(STORED).into_iter().next();
        let (Some(task), Some(job)) = (task, job) else {
            return Ok(());
        };
        let rules = job.rules();
        was_next(stored, device, place(&task, &rules, job.no), now)?;
        self.came_back_as_it_was(stored, &task)?;
        let claim = Claim {
            attempt: wire.attempt(),
            due: task.due,
            retries: task.retries,
        };
        self.last.insert(task.no, claim);
        Ok(())
    }

    /// The attempt before it never left: then the task has kept its place and its retries, or it is another round.
    fn came_back_as_it_was(&self, stored: &dyn Read, task: &Task) -> Checked {
        let Some(before) = self.last.get(&task.no) else {
            return Ok(());
        };
        let unsent = |history: Vec<aldis_core::task::AttemptRecord>| {
            history
                .iter()
                .any(|ended| ended.attempt == before.attempt && ended.how == AttemptOutcome::NotSent)
        };
        if !unsent(stored.history(task.no).expect(STORED)) {
            return Ok(());
        }
        let (same_place, same_retries) = (before.due == task.due, before.retries == task.retries);
        if same_place == same_retries {
            return Ok(());
        }
        broken(
            "an_unsent_attempt_costs_nothing",
            format!("{:?} {:?} became {task:?}", before.due, before.retries),
        )
    }
}

/// Nothing that became due before it waits for the same device. A whole product's rows join the queue when they are
/// written, in whatever order that is.
fn was_next(stored: &dyn Read, device: DeviceNo, sent: (Timestamp, JobNo, TaskNo), now: Timestamp) -> Checked {
    let queue = stored
        .queued(&[device])
        .expect(STORED)
        .into_iter()
        .next()
        .unwrap_or_default();
    for task in queue {
        let Some(job) = stored.jobs_of(&[task.no]).expect(STORED).into_iter().next() else {
            continue;
        };
        if !is_passed_over(&task, &job, now) && place(&task, &job.rules(), job.no) < sent {
            let waits = place(&task, &job.rules(), job.no);
            return broken(
                "first_come_first_served",
                format!("{sent:?} is sent while {waits:?} waits"),
            );
        }
    }
    Ok(())
}

fn is_passed_over(task: &Task, job: &Job, now: Timestamp) -> bool {
    let rules = job.rules();
    let was_new = job.members.is_some() && task.due.is_none();
    was_new || task.is_covered_by_mark(&rules) || task.window_end(&rules) <= now
}
