//! The tasks of a turn: read once, stepped in memory, written once.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo};
use aldis_core::policy::Rules;
use aldis_core::task::{AttemptRecord, Event, Publish, Refused, State, Task, step};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Job, Slot};
use aldis_store::{Error, StepWrite};

use super::Turn;
use crate::engine::memory::{Memory, is_queued};

/// What a step that applied means for the rest of the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Applied {
    pub(in crate::engine) publish: Option<Publish>,
    pub(in crate::engine) declined: Option<Refused>,
}

struct Worked {
    from: (State, AttemptNo),
    job: JobNo,
    task: Task,
    ended: Vec<AttemptRecord>,
    changed: bool,
}

/// Tasks that this turn has read, as they now are.
#[derive(Default)]
pub(super) struct TasksAtHand(BTreeMap<TaskNo, Worked>);

impl TasksAtHand {
    fn contains(&self, no: TaskNo) -> bool {
        self.0.contains_key(&no)
    }

    /// Takes in a row just read, unless a newer version is at hand.
    fn insert(&mut self, job: JobNo, task: Task) {
        self.0.entry(task.no).or_insert_with(|| Worked {
            from: (task.state, task.attempt),
            job,
            task,
            ended: Vec::new(),
            changed: false,
        });
    }

    fn get(&self, no: TaskNo) -> Option<&Task> {
        self.0.get(&no).map(|worked| &worked.task)
    }

    fn changed(&self) -> impl Iterator<Item = &Task> {
        self.0
            .values()
            .filter(|worked| worked.changed)
            .map(|worked| &worked.task)
    }

    /// Devices of tasks that were out before this turn and that it has changed.
    pub(super) fn devices_of_changed_attempts(&self) -> impl Iterator<Item = DeviceNo> {
        let left = |worked: &&Worked| worked.changed && worked.from.0.is_out();
        self.0.values().filter(left).map(|worked| worked.task.device)
    }

    /// Whether the slot's task, as this turn writes it, implies the slot. `None` if the task is not at hand.
    pub(super) fn imply(&self, slot: &Slot) -> Option<bool> {
        let task = self.get(slot.task)?;
        Some(task.state.is_out() && task.attempt == slot.attempt)
    }

    /// The rows to write. What has not changed goes to the cache.
    pub(super) fn into_steps(self, memory: &mut Memory) -> Vec<StepWrite> {
        let mut steps = Vec::new();
        for worked in self.0.into_values() {
            if !worked.changed {
                memory.cache_task(worked.task);
                continue;
            }
            let job = memory.jobs().get(worked.job);
            let wake_at = job.and_then(|job| worked.task.wake_at(&job.rules()));
            steps.push(StepWrite {
                job: worked.job,
                from: worked.from,
                task: worked.task,
                wake_at,
                ended: worked.ended,
            });
        }
        steps
    }
}

impl Turn<'_> {
    /// Reads these tasks and their jobs, as far as they exist and are not at hand.
    pub(in crate::engine) fn load(&mut self, tasks: &[TaskNo]) -> Result<(), Error> {
        self.memory.load_jobs(self.store, tasks)?;
        let mut wanted: Vec<TaskNo> = tasks
            .iter()
            .copied()
            .filter(|task| !self.tasks.contains(*task))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let cached = wanted
            .iter()
            .filter_map(|task| self.memory.take_cached(*task))
            .collect();
        self.take_in(cached);
        wanted.retain(|task| !self.tasks.contains(*task));
        if wanted.is_empty() {
            return Ok(());
        }
        let rows = self.store.tasks(&wanted)?;
        self.take_in(rows.into_iter().flatten().collect());
        Ok(())
    }

    /// Takes in rows just read, unless a newer version is at hand. Rows of jobs that are gone are passed over.
    pub(in crate::engine) fn take_in(&mut self, rows: Vec<Task>) {
        for task in rows {
            let Some(job) = self.jobs().of(task.no).map(|job| job.no) else {
                continue;
            };
            self.memory.take_cached(task.no);
            self.tasks.insert(job, task);
        }
    }

    /// Takes in rows just read whose jobs may not be in memory.
    pub(in crate::engine) fn take_in_with_jobs(&mut self, rows: Vec<Task>) -> Result<(), Error> {
        let tasks: Vec<TaskNo> = rows.iter().map(|task| task.no).collect();
        self.memory.load_jobs(self.store, &tasks)?;
        self.take_in(rows);
        Ok(())
    }

    /// A task at hand, as it now is.
    pub(in crate::engine) fn task(&self, no: TaskNo) -> Option<&Task> {
        self.tasks.get(no)
    }

    pub(in crate::engine) fn rules(&self, no: TaskNo) -> Option<Rules> {
        self.jobs().of(no).map(Job::rules)
    }

    /// The only way in which a task changes during a turn.
    pub(in crate::engine) fn apply(&mut self, no: TaskNo, event: Event<'_>) -> Result<Applied, Refused> {
        let Some(rules) = self.rules(no) else {
            return Err(Refused::WrongState);
        };
        let Some(worked) = self.tasks.0.get_mut(&no) else {
            return Err(Refused::WrongState);
        };
        let step = step(&worked.task, &rules, event, self.now)?;
        let before = std::mem::replace(&mut worked.task, step.task);
        worked.ended.extend(step.ended);
        worked.changed = true;
        let wake_at = worked.task.wake_at(&rules);
        self.memory.note_due(wake_at);
        let settled = worked.task.state == State::Cancelled && before.state.is_cancellable();
        if let Some(count) = self.settled.get(&worked.job).filter(|_| settled) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.follow_queue(&before, no);
        Ok(Applied {
            publish: step.publish,
            declined: step.declined,
        })
    }

    /// Keeps the device's queue equal to its tasks.
    fn follow_queue(&mut self, before: &Task, no: TaskNo) {
        let Some(after) = self.tasks.get(no) else {
            return;
        };
        let device = before.device;
        match (is_queued(before), is_queued(after)) {
            (false, true) => {
                self.memory.join_queue(after);
                self.queue_lengths.task_joined(device);
            }
            (true, false) => {
                self.memory.leave_queue(before);
                self.queue_lengths.task_left(device);
            }
            (true, true) | (false, false) => {}
        }
    }

    /// A row that does not exist yet: it is written by the caller, and joins its device's queue after the commit.
    pub(in crate::engine) fn add_pending(&mut self, task: &Task) {
        if is_queued(task)
            && let Some(place) = self.memory.place(task)
        {
            self.batch.pending_tasks.push((task.device, place));
            self.queue_lengths.task_created(task.device);
        }
    }

    /// What this turn has added to a task's history.
    pub(in crate::engine) fn ended_at_hand(&self, no: TaskNo) -> &[AttemptRecord] {
        self.tasks.0.get(&no).map_or(&[], |worked| &worked.ended)
    }

    /// The first moment after now at which a task at hand has to be looked at.
    pub(in crate::engine) fn next_moment_at_hand(&self) -> Option<Timestamp> {
        let moments = self
            .tasks
            .changed()
            .filter_map(|task| task.wake_at(&self.rules(task.no)?));
        moments.filter(|at| *at > self.now).min()
    }

    /// The tasks at hand of one device.
    pub(in crate::engine) fn at_hand_of(&self, device: DeviceNo) -> Vec<TaskNo> {
        let tasks = self.tasks.0.values().map(|worked| &worked.task);
        tasks.filter(|task| task.device == device).map(|task| task.no).collect()
    }
}
